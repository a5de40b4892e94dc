r"""Which optimal policy entropy regularisation selects as the temperature falls to zero.

Let :math:`C^*(s)` be the optimal choices of a state, :math:`\Delta` the gaps of the others, and :math:`\mu` the
reference, which is 1 for plain entropy. The soft values :math:`V_\tau` leave the optimal ones with the slopes

.. math:: h(s) = \lim_{\tau \to 0} \frac{V_\tau(s) - V^*(s)}{\tau}
               = \log \sum_{c \in C^*(s)} \mu_c\, e^{\gamma \sum_t p_c(t) h(t)},

and the soft policies tend to :math:`\pi_0(c) = \mu_c\, e^{\gamma \sum_t p_c(t) h(t) - h(s)}` on :math:`C^*(s)`. So
:math:`h` solves the soft problem at temperature 1, without rewards, of the process with nothing but its optimal
choices: :math:`\pi_0` has the largest discounted entropy among the optimal policies. It is uniform on :math:`C^*(s)`
only if all of these choices lead to states of equal :math:`h` on average.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import UNIT_ROUNDOFF, Vector, first_index, frozen, positive
from rltheory.problems.mdp import MDP
from rltheory.problems.policies import checked_policy
from rltheory.solvers.discounted import solve
from rltheory.solvers.finite_horizon import backup_rounding, longest_law
from rltheory.solvers.soft_discounted import soft_policy_iteration

__all__ = ["OptimalChoices", "ZeroTemperatureLimit", "optimal_choices", "zero_temperature_limit"]

# Covers the few roundings in the formulas of error bounds themselves.
SLACK = 1 + 16 * UNIT_ROUNDOFF


@dataclass(frozen=True)
class OptimalChoices:
    r"""The choices that are optimal in their states, as far as the accuracy tells.

    Parameters
    ----------
    optimal : array of bool, shape (C,)
        Whether the gap is at most `error`. All others are proved to be worse than the best choice of their state.
    gaps : array, shape (C,)
        What the choices lose, :math:`\Delta_c = V^*(s) - Q^*(c)`, in units of reward.
    error : float
        Proved bound on the error of any gap, rounding included.
    """

    optimal: NDArray[np.bool_]
    gaps: Vector
    error: float

    @property
    def least_gap(self) -> float:
        """Lower bound > 0 on the gaps of the choices that are not optimal; inf if there are none."""
        return float(self.gaps[~self.optimal].min(initial=np.inf)) - self.error


@dataclass(frozen=True)
class ZeroTemperatureLimit:
    r"""Limits of soft values and soft policies at temperature zero.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    discount
        In [0, 1).
    found
        Its optimal choices. Where a true gap is positive and below twice the error of `found`, the limit is the one of
        a process in which it is 0: the answer at temperatures far above the gap.
    slopes : array, shape (S,)
        :math:`h`, without units.
    error : float
        Proved bound on the error of any slope.
    log_weights : array, shape (C,)
        :math:`\log \mu_c + \gamma \sum_t p_c(t) h(t)` of all choices, optimal or not.
    """

    mdp: MDP
    discount: float
    found: OptimalChoices
    slopes: Vector
    error: float
    log_weights: Vector

    @property
    def policy(self) -> Vector:
        r"""Probabilities :math:`\pi_0` of the choices, shape (C,); 0 where a choice is not optimal."""
        weights = np.where(self.found.optimal, np.exp(self._log_shares), 0.0)
        return frozen(weights / np.add.reduceat(weights, self.mdp.first_choice[:-1])[self.mdp.state_of_choice])

    def slope_error(self, temperature: float) -> float:
        r"""Bound on :math:`\max_s |(V_\tau(s) - V^*(s)) / \tau - h(s)|`, which is of the order of the smallest weight.

        .. math:: \frac{1}{1 - \gamma} \max_s \log\Big(1 + \sum_{c \in s,\, c \notin C^*(s)}
                  \mu_c\, e^{\gamma \sum_t p_c(t) h(t) - h(s) - \Delta_c / \tau}\Big)

        Errors of gaps and slopes are taken into account.

        Parameters
        ----------
        temperature
            :math:`\tau > 0`, in units of reward.
        """
        temperature = positive(temperature, "temperature")
        gaps = np.where(self.found.optimal, np.inf, self.found.gaps - self.found.error)
        weights = np.exp(self._log_shares + 2 * self.error - gaps / temperature)
        largest = float(np.add.reduceat(weights, self.mdp.first_choice[:-1]).max())
        return float(np.log1p(largest)) / (1 - self.discount) * SLACK + self.error

    @property
    def _log_shares(self) -> Vector:
        shares: Vector = self.log_weights - self.slopes[self.mdp.state_of_choice]
        return shares


def optimal_choices(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> OptimalChoices:
    r"""Find all choices that attain the optimal values, and the gaps of the others.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    discount
        Discount factor in [0, 1).
    accuracy
        Largest error allowed of the optimal values, > 0, in units of reward. Gaps of up to about twice as much may be
        taken for ties.

    Returns
    -------
    OptimalChoices

    Raises
    ------
    ValueError, TypeError
        If `discount` or `accuracy` is out of range.
    ArithmeticError
        If float64 cannot certify the accuracy; the message says what it can.

    References
    ----------
    :cite:`puterman2005`, section 6.2.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> found = optimal_choices(TabularMDP([[[1], [1], [1]]], [[1, 0.25, 1]]), 0.5)
    >>> found.optimal, found.gaps
    (array([ True, False,  True]), array([0.  , 0.75, 0.  ]))
    """
    solution = solve(mdp, discount, accuracy=accuracy)
    action_values = mdp.rewards + discount * (mdp.transition_matrix @ solution.values)
    best = np.maximum.reduceat(action_values, mdp.first_choice[:-1])
    gaps = best[mdp.state_of_choice] - action_values
    rounding = backup_rounding(
        longest_law(mdp.arrays), discount, float(np.abs(solution.values).max()), float(np.abs(action_values).max())
    )
    # A gap is the difference of two values of choices.
    error = 2 * (discount * (1 + mdp.sum_deviation) * solution.error + rounding) * SLACK
    return OptimalChoices(frozen(gaps <= error), frozen(gaps), error)


def zero_temperature_limit(
    mdp: MDP, discount: float, *, reference: ArrayLike | None = None, accuracy: float = 1e-6
) -> ZeroTemperatureLimit:
    r"""Solve :math:`h(s) = \log \sum_{c \in C^*(s)} \mu_c \exp(\gamma \sum_t p_c(t) h(t))`.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    discount
        Discount factor in [0, 1).
    reference : array_like, shape (C,), optional
        Probabilities :math:`\mu_c > 0` of choices, which sum to 1 in each state; by default :math:`\mu = 1`, which is
        plain entropy, see :func:`~rltheory.solvers.soft_value_iteration`.
    accuracy
        Largest error allowed, > 0: of the optimal values in units of reward, and of the slopes.

    Returns
    -------
    ZeroTemperatureLimit

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, or the reference is not a distribution of full support in some state.
    ArithmeticError
        If float64 cannot certify the accuracy; the message says what it can.

    References
    ----------
    :cite:`xu2025`, section 4, where the limit is described in words.

    Examples
    --------
    Nothing is paid. One choice leads to a dead end, the other to a state with two choices for ever, which the limit
    prefers.

    >>> from rltheory.instances import dead_end_or_options
    >>> limit = zero_temperature_limit(dead_end_or_options(2), 0.5)
    >>> limit.policy.round(4), (limit.slopes / np.log(2)).round(4)
    (array([0.3333, 0.6667, 1.    , 0.5   , 0.5   ]), array([1.585, 0.   , 2.   ]))
    """
    found = optimal_choices(mdp, discount, accuracy=accuracy)
    log_reference = np.zeros(mdp.choices)
    if reference is not None:
        probabilities = checked_policy(mdp, reference, name="reference")
        if not probabilities.all():
            (choice,) = first_index(probabilities == 0)
            raise ValueError(f"reference[{choice}] is 0; every probability must be > 0")
        log_reference = np.log(probabilities)
    # At temperature 1 the logarithms of the reference act as rewards.
    among_optimal = mdp.with_rewards(log_reference).with_choices(found.optimal)
    solution = soft_policy_iteration(among_optimal, discount, temperature=1.0, accuracy=accuracy)
    return ZeroTemperatureLimit(
        mdp=mdp,
        discount=discount,
        found=found,
        slopes=solution.values,
        error=solution.error,
        log_weights=frozen(log_reference + discount * (mdp.transition_matrix @ solution.values)),
    )
