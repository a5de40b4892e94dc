r"""Discounted processes under a given policy: values, occupancies, policy gradient and Fisher information.

Everything solves a linear system with the matrix :math:`I - \gamma P_\pi` or its transpose, whose inverse has norm
:math:`1 / (1 - \gamma m)` at most, where m is the largest sum of a row of :math:`P_\pi`. The residual of a solution,
the rounding of its evaluation included, hence bounds its error. The process is taken as it is stored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import UNIT_ROUNDOFF, Matrix, Vector, fraction, frozen
from rltheory.problems.mdp import MDP
from rltheory.problems.policies import checked_policy
from rltheory.solvers.finite_horizon import (
    LARGEST_SUM,
    SMALLEST,
    backup_rounding,
    evaluate,
    longest_law,
    most_predecessors,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "DiscountedEvaluation",
    "DiscountedOccupancy",
    "FisherInformation",
    "PolicyGradient",
    "discounted_occupancy",
    "discounted_values",
    "fisher_information",
    "policy_gradient",
]

LARGEST_FACTORISED = 2_000  # states; beyond, factors of sparse systems fill up

# Covers the few roundings in the formulas of error bounds themselves.
SLACK = 1 + 64 * UNIT_ROUNDOFF


@dataclass(frozen=True)
class DiscountedEvaluation:
    r"""Discounted values of a policy, with the proof of their accuracy.

    Parameters
    ----------
    values : array, shape (S,)
        Expected sums of discounted rewards from each state on.
    action_values : array, shape (C,)
        The same if a certain choice is made first.
    error : float
        Bound on the absolute error of every number of both arrays.
    """

    values: Vector
    action_values: Vector
    error: float


@dataclass(frozen=True)
class DiscountedOccupancy:
    r"""Discounted occupancy of a policy, with the proof of its accuracy.

    Parameters
    ----------
    occupancy : array, shape (C,)
        Probability that choice c is made at a random time t, which has probability :math:`(1 - \gamma) \gamma^t`.
    error : float
        Bound on the sum of the absolute errors.
    """

    occupancy: Vector
    error: float


def discounted_values(mdp: MDP, policy: ArrayLike, discount: float) -> DiscountedEvaluation:
    r"""Values of a policy: expected sums of discounted rewards.

    .. math:: V(s) = \sum_c \pi(c)\, Q(c), \qquad Q(c) = r(c) + \gamma \sum_{s'} p(s' | c)\, V(s').

    Parameters
    ----------
    mdp
        The process, S states, C choices. Dense laws are solved by elimination in :math:`S^3 / 3` steps, as are sparse
        ones of up to 2000 states; larger ones by a Krylov method and, where that fails, by sweeps, some
        :math:`37 / (1 - \gamma)` of them.
    policy : array_like, shape (C,)
        Probabilities of the choices in their states.
    discount
        Discount factor in [0, 1).

    Returns
    -------
    DiscountedEvaluation
        Values as accurate as float64 makes them, and a bound on their error.

    Raises
    ------
    ArithmeticError
        If the discount is so close to 1 that float64 can certify nothing, or a value leaves its range.
    ValueError, TypeError
        If `discount` is no number in [0, 1), or `policy` is no policy.

    References
    ----------
    :cite:`puterman2005`, section 6.1.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> found = discounted_values(river_swim(3), [1, 0, 1, 0, 1, 0], 0.9)
    >>> found.values.round(6), found.error < 1e-14
    (array([0.05  , 0.045 , 0.0405]), True)
    """
    discount, probabilities = _checked(mdp, policy, discount)
    laws, modulus = _state_laws(mdp, probabilities, discount)
    values, action_values = np.zeros((2, mdp.states)), np.empty((1, mdp.choices))

    def residual(solution: Vector) -> Vector:
        values[1] = solution
        evaluate(mdp.arrays, 0, discount, probabilities[None], values, action_values)
        off: Vector = values[0] - values[1]
        return off

    solution = _solved(laws, discount, residual, np.inf)
    off = float(np.abs(residual(solution)).max())
    largest_value, largest = float(np.abs(solution).max()), float(np.abs(action_values).max())
    summed = int(np.diff(mdp.first_choice).max())
    rounding = backup_rounding(longest_law(mdp.arrays), discount, largest_value, largest)
    rounding += UNIT_ROUNDOFF * (summed + 1) * largest
    error = (off + LARGEST_SUM * rounding) / (1 - modulus) * SLACK
    if not np.isfinite(error):
        raise ArithmeticError("values leave the range of float64; scale rewards")
    return DiscountedEvaluation(frozen(solution), frozen(action_values[0]), error)


def discounted_occupancy(mdp: MDP, policy: ArrayLike, discount: float) -> DiscountedOccupancy:
    r"""Occupancy :math:`d(c) = (1 - \gamma) \sum_t \gamma^t \Pr(c_t = c)` of a policy from the initial distribution.

    The probabilities of the states solve :math:`q = (1 - \gamma) \mu + \gamma P_\pi^\top q`; then
    :math:`d(c) = \pi(c) q(s)`. Rewards weighted by it add up to :math:`(1 - \gamma)` times the return.

    Parameters
    ----------
    mdp
        The process, S states, C choices; methods as in :func:`discounted_values`.
    policy : array_like, shape (C,)
        Probabilities of the choices in their states.
    discount
        Discount factor in [0, 1).

    Returns
    -------
    DiscountedOccupancy
        Probabilities as accurate as float64 makes them, and a bound on their error.

    Raises
    ------
    ArithmeticError
        If the discount is so close to 1 that float64 can certify nothing.
    ValueError, TypeError
        If `discount` is no number in [0, 1), or `policy` is no policy.

    References
    ----------
    :cite:`puterman2005`, section 6.9.

    Examples
    --------
    >>> from rltheory.instances import combination_lock
    >>> discounted_occupancy(combination_lock([0, 0]), [1, 0, 1, 0], 0.5).occupancy.round(6)
    array([0.666667, 0.      , 0.333333, 0.      ])
    """
    discount, probabilities = _checked(mdp, policy, discount)
    laws, modulus = _state_laws(mdp, probabilities, discount)
    restart = (1 - discount) * mdp.initial

    def made(reached: Vector) -> Vector:
        return probabilities * reached[mdp.state_of_choice]

    def residual(reached: Vector) -> Vector:
        return restart + discount * (mdp.transition_matrix.T @ made(reached)) - reached

    # A negative probability is a rounding error, which this takes away.
    reached = np.maximum(_solved(laws.T, discount, residual, 1), 0.0)
    off, total = float(np.abs(residual(reached)).sum()), float(reached.sum())
    # Each entry sums products of three numbers; three more terms are rounded, and the sum of all residuals is.
    rounding = UNIT_ROUNDOFF * ((most_predecessors(mdp) + 8) * (LARGEST_SUM**2 * total + 1) + mdp.states * off)
    error = (off + rounding + mdp.choices**2 * SMALLEST) / (1 - modulus)
    return DiscountedOccupancy(frozen(made(reached)), (LARGEST_SUM * error + UNIT_ROUNDOFF * 2 * total) * SLACK)


@dataclass(frozen=True)
class PolicyGradient:
    r"""Gradient of the return of a softmax policy, with the proof of its accuracy.

    Parameters
    ----------
    gradient : array, shape (C,)
        Derivatives by the logits of the choices.
    error : float
        Bound on the absolute error of every derivative.
    """

    gradient: Vector
    error: float


def policy_gradient(mdp: MDP, policy: ArrayLike, discount: float) -> PolicyGradient:
    r"""Gradient of :math:`J = \sum_s \mu(s) V^\pi(s)` by the logits of a softmax policy.

    .. math:: \frac{\partial J}{\partial \theta(c)} = \frac{d(c)\,(Q(c) - V(s))}{1 - \gamma}, \qquad
              \pi(c) = \frac{e^{\theta(c)}}{\sum_{c'} e^{\theta(c')}},

    with the occupancy d of :func:`discounted_occupancy`. It depends on the logits through the probabilities alone.

    Parameters
    ----------
    mdp
        The process, S states, C choices; methods as in :func:`discounted_values`.
    policy : array_like, shape (C,)
        Probabilities of the choices in their states.
    discount
        Discount factor in [0, 1).

    Returns
    -------
    PolicyGradient
        Derivatives and a bound on their error.

    Raises
    ------
    ArithmeticError, ValueError, TypeError
        As :func:`discounted_values`.

    References
    ----------
    :cite:`sutton1999`; in this form :cite:`agarwal2021`.

    Examples
    --------
    A bandit of two arms which pay 1 and 0: the derivative is the product of the probabilities, over 1 - discount.

    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> policy_gradient(bandit, [0.5, 0.5], 0.5).gradient
    array([ 0.5, -0.5])
    """
    evaluated = discounted_values(mdp, policy, discount)
    visited = discounted_occupancy(mdp, policy, discount)
    advantages = evaluated.action_values - evaluated.values[mdp.state_of_choice]
    largest = float(np.abs(advantages).max())
    off = visited.error * largest + (float(visited.occupancy.max()) + visited.error) * 2 * evaluated.error
    error = (off + 4 * UNIT_ROUNDOFF * largest) / (1 - discount) * SLACK
    return PolicyGradient(frozen(visited.occupancy * advantages / (1 - discount)), error)


@dataclass(frozen=True)
class FisherInformation:
    r"""Fisher information of a softmax policy, with the proof of its accuracy.

    Parameters
    ----------
    matrix : array, shape (C, C)
        Symmetric, positive semi-definite, with a block for each state.
    error : float
        Bound on the absolute error of every entry.
    """

    matrix: Matrix
    error: float


def fisher_information(mdp: MDP, policy: ArrayLike, discount: float) -> FisherInformation:
    r"""Fisher information :math:`F = \sum_c d(c)\, \nabla \log \pi(c)\, \nabla \log \pi(c)^\top` of a softmax policy.

    The block of state s is :math:`q(s) (\mathrm{diag}(\pi_s) - \pi_s \pi_s^\top)`, where q are the discounted
    probabilities of the states, which add up to 1. The natural gradient :math:`F^+ \nabla J` is the advantage over
    :math:`1 - \gamma`, up to a constant in each state.

    Parameters
    ----------
    mdp
        The process, S states, C choices; methods as in :func:`discounted_values`.
    policy : array_like, shape (C,)
        Probabilities of the choices in their states.
    discount
        Discount factor in [0, 1).

    Returns
    -------
    FisherInformation
        The matrix and a bound on the error of its entries.

    Raises
    ------
    ArithmeticError, ValueError, TypeError
        As :func:`discounted_values`.

    References
    ----------
    :cite:`kakade2001`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> fisher_information(bandit, [0.5, 0.5], 0.5).matrix
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    visited = discounted_occupancy(mdp, policy, discount)
    probabilities = checked_policy(mdp, policy)
    matrix = np.diag(visited.occupancy)
    for first, end in zip(mdp.first_choice[:-1], mdp.first_choice[1:], strict=True):
        block = slice(first, end)
        matrix[block, block] -= np.outer(visited.occupancy[block], probabilities[block])
    # Rounding makes the two halves of a block differ.
    return FisherInformation(frozen((matrix + matrix.T) / 2), (2 * visited.error + 4 * UNIT_ROUNDOFF) * SLACK)


def checked_discount(discount: float) -> float:
    """Return `discount` as a float; it must lie in [0, 1)."""
    number = fraction(discount, "discount")
    if number == 1:
        raise ValueError("discount is 1; it must be < 1: undiscounted criteria have solvers of their own")
    return number


def _checked(mdp: MDP, policy: ArrayLike, discount: float) -> tuple[float, Vector]:
    return checked_discount(discount), checked_policy(mdp, policy)


def contraction_modulus(laws: "Matrix | csr_array", discount: float, terms: int) -> float:
    """Bound on the discount times the largest sum of a row, each the sum of `terms` products; below 1, or an error."""
    modulus = discount * float(laws.sum(axis=1).max()) * (1 + (terms + 8) * UNIT_ROUNDOFF)
    if modulus >= 1:
        raise ArithmeticError(
            f"the discount {discount!r} is too close to 1: laws may sum to {modulus / discount!r}, rounding included, "
            "and float64 can certify no value"
        )
    return modulus


def _state_laws(mdp: MDP, policy: Vector, discount: float) -> tuple["Matrix | csr_array", float]:
    """Transition laws of the states under a policy, and the modulus of contraction with them."""
    from scipy.sparse import csr_array

    weights = csr_array((policy, np.arange(mdp.choices), mdp.first_choice), shape=(mdp.states, mdp.choices))
    laws = weights @ mdp.transition_matrix
    return laws, contraction_modulus(laws, discount, 2 * mdp.choices)


def _solved(laws: "Matrix | csr_array", discount: float, residual: Callable[[Vector], Vector], order: float) -> Vector:
    """Solve until the residual, of the system I - discount * laws, does not shrink any more in the norm of `order`.

    It is the norm in which the discounted laws contract.
    """
    solution: Vector = np.zeros(laws.shape[0])
    off = residual(solution)
    # Solutions for the residual refine the solution. Where that ends, or fails, sweeps still contract.
    for correction, shrinks in ((linear_solver(laws, discount), 0.5), (lambda vector: vector, 1.0)):
        while True:
            trial = solution + correction(off)
            trial_off = residual(trial)
            if not np.linalg.norm(trial_off, order) < shrinks * np.linalg.norm(off, order):
                break
            solution, off = trial, trial_off
    return solution


def linear_solver(laws: "Matrix | csr_array", discount: float) -> Callable[[Vector], Vector]:
    """Solver of systems with the matrix I - discount * laws: by a factorisation, or, of large sparse laws, BiCGSTAB."""
    if isinstance(laws, np.ndarray):
        from scipy.linalg import lu_factor, lu_solve

        factors = lu_factor(np.eye(laws.shape[0]) - discount * laws)
        return lambda right: np.asarray(lu_solve(factors, right))

    from scipy.sparse import eye_array
    from scipy.sparse.linalg import bicgstab, splu

    system = eye_array(laws.shape[0], format="csr") - discount * laws
    if laws.shape[0] <= LARGEST_FACTORISED:
        factors = splu(system.tocsc())
        return lambda right: np.asarray(factors.solve(right))
    return lambda right: np.asarray(bicgstab(system, right, rtol=1e-10, maxiter=1_000)[0])
