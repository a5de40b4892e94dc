r"""Soft values of discounted processes, each with a certified error.

The soft operator replaces the maximum over choices by a logarithm of a sum of exponentials: decisions are penalised for
their distance to a reference, or rewarded for their entropy. It contracts as the other one does; so the methods and the
certificates are those of :mod:`rltheory.solvers.discounted`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Vector, first_index, frozen, positive
from rltheory.problems.mdp import MDP
from rltheory.problems.policies import checked_policy
from rltheory.progress import sign_of_life
from rltheory.solvers.bellman import SoftBellmanOperator, Workers
from rltheory.solvers.discounted import DiscountedValues
from rltheory.solvers.fixed_point import (
    Improvement,
    exact_evaluation,
    in_place_sweeps,
    iterate,
    krylov_evaluation,
    nothing,
    policy_sweeps,
)
from rltheory.solvers.occupancy import LARGEST_FACTORISED, checked_discount

__all__ = [
    "SoftSolution",
    "soft_gauss_seidel",
    "soft_modified_policy_iteration",
    "soft_policy_iteration",
    "soft_value_iteration",
]


@dataclass(frozen=True, kw_only=True)
class SoftSolution(DiscountedValues):
    r"""Soft values, and the policy that attains them.

    Parameters
    ----------
    log_policy : array, shape (C,)
        Logarithms of the probabilities of choices. Those of a state sum to 1; each probability is within a factor
        :math:`e^{\pm 2 \gamma\,\text{error} / \tau}` of the optimal one, up to rounding.
    """

    log_policy: Vector


def soft_value_iteration(
    mdp: MDP, discount: float, *, temperature: float, reference: ArrayLike | None = None, accuracy: float = 1e-6
) -> SoftSolution:
    r"""Solve :math:`V = T V` for the soft operator, which penalises decisions that are far from a reference.

    It is :math:`(T v)(s) = \tau \log \sum_{c \in s} \mu_c \exp((r_c + \gamma \sum_t p_c(t) v(t)) / \tau)`.

    Parameters
    ----------
    mdp
        The process.
    discount
        :math:`\gamma \in [0, 1)`.
    temperature
        :math:`\tau > 0`, in units of reward.
    reference : array_like, shape (C,), optional
        Probabilities :math:`\mu_c > 0` of choices, which sum to 1 in each state: the penalty is
        :math:`\tau\,\mathrm{KL}(\pi(\cdot | s) \| \mu(\cdot | s))`. By default :math:`\mu = 1`: the entropy of each
        decision is rewarded, :math:`+ \tau H(\pi(\cdot | s))`.
    accuracy
        Largest error allowed, > 0, in units of reward.

    Returns
    -------
    SoftSolution
        With a certified error of at most `accuracy`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, or the reference is not a distribution in some state.
    ArithmeticError
        If float64 cannot certify the accuracy; the message says what it can.

    References
    ----------
    :cite:`geist2019`.

    Examples
    --------
    One state with two choices, and no future: the log-sum-exp of the rewards.

    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[1], [1]]], [[0, 1]])
    >>> solution = soft_value_iteration(mdp, 0, temperature=1)
    >>> solution.values.round(4), np.exp(solution.log_policy).round(4)
    (array([1.3133]), array([0.2689, 0.7311]))
    """
    return _solve(mdp, discount, temperature, reference, accuracy, "soft value iteration", nothing)


def soft_gauss_seidel(
    mdp: MDP, discount: float, *, temperature: float, reference: ArrayLike | None = None, accuracy: float = 1e-6
) -> SoftSolution:
    r"""Solve :math:`V = T V` by soft backups in place, one state after the other, each with the newest values.

    Between these sweeps, one in ten is an ordinary backup, whose change bounds the error.

    Parameters, results and errors are those of :func:`soft_value_iteration`.
    """
    return _solve(mdp, discount, temperature, reference, accuracy, "soft Gauss-Seidel", in_place_sweeps)


def soft_modified_policy_iteration(
    mdp: MDP, discount: float, *, temperature: float, reference: ArrayLike | None = None, accuracy: float = 1e-6
) -> SoftSolution:
    r"""Solve :math:`V = T V` by soft backups, and between them backups of the policy that attains the last one.

    These are linear, with its penalty in the rewards, and go on as in
    :func:`~rltheory.solvers.modified_policy_iteration`.

    Parameters, results and errors are those of :func:`soft_value_iteration`.

    References
    ----------
    :cite:`geist2019`.
    """
    return _solve(mdp, discount, temperature, reference, accuracy, "soft modified policy iteration", policy_sweeps)


def soft_policy_iteration(
    mdp: MDP, discount: float, *, temperature: float, reference: ArrayLike | None = None, accuracy: float = 1e-6
) -> SoftSolution:
    r"""Solve :math:`V = T V` by evaluating the policy that attains a soft backup, and backing up again, in turns.

    This is Newton's method: the error is squared at each turn, in the end. It suits discounts near 1. A policy is
    evaluated as in :func:`~rltheory.solvers.policy_iteration`, exactly with up to 2000 states.

    Parameters, results and errors are those of :func:`soft_value_iteration`.

    References
    ----------
    :cite:`geist2019`.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> solution = soft_policy_iteration(river_swim(), 0.999, temperature=0.01)
    >>> solution.values[0].round(4), solution.sweeps
    (np.float64(423.2999), 8)
    """
    evaluation = exact_evaluation if mdp.states <= LARGEST_FACTORISED else krylov_evaluation
    return _solve(mdp, discount, temperature, reference, accuracy, "soft policy iteration", evaluation)


def _solve(
    mdp: MDP,
    discount: float,
    temperature: float,
    reference: ArrayLike | None,
    accuracy: float,
    method: str,
    improve: Improvement,
) -> SoftSolution:
    discount, accuracy = checked_discount(discount), positive(accuracy, "accuracy")
    temperature = positive(temperature, "temperature")
    if reference is None:
        log_reference = np.zeros(mdp.choices)
    else:
        probabilities = checked_policy(mdp, reference, name="reference")
        if not probabilities.all():
            (choice,) = first_index(probabilities == 0)
            raise ValueError(f"reference[{choice}] is 0; every probability must be > 0")
        log_reference = np.log(probabilities)
    with sign_of_life(f"{method} of {mdp}"), Workers(mdp) as workers:
        operator = SoftBellmanOperator(mdp, discount, temperature, log_reference, workers)
        values, error, sweeps = iterate(operator, np.zeros(mdp.states), accuracy, improve)
        return SoftSolution(
            values=frozen(values), log_policy=frozen(operator.log_policy), error=error, method=method, sweeps=sweeps
        )
