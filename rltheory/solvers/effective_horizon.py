r"""How far ahead of a random policy's values one must look to act optimally: the quantities of the effective horizon.

Let :math:`Q^1` be the action values of an exploration policy over T stages, and :math:`Q^{k+1}` those after
one more step of value iteration,

.. math:: Q^{k+1}_t(c) = r_t(c) + \sum_{s'} p_t(s' | c) \max_{c' \in s'} Q^k_{t+1}(c'), \qquad Q^k_T = r_T.

A choice is *optimal* if its optimal value is within a tolerance of the best, 1e-4 unless said otherwise. The *k-gap* of
a state is the distance from the largest :math:`Q^k` to that of the best choice which is not optimal; it is infinite
where all are. Whether acting greedily by :math:`Q^k` is optimal is not monotone in k. Ties are ties in float64, so that
numbers of published analyses come out to the last bit. Only values of states are stored, (T + 1) S for each policy.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Vector, count, frozen, not_negative, positive
from rltheory.problems.bridge import EXPLORATION_TOLERANCE
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import Marks
from rltheory.problems.policies import checked_policy
from rltheory.solvers.effective_horizon_kernels import (
    Closure,
    back_up,
    most_episodes,
    reference,
    variance_bounds,
    walk,
    worst_greedy,
)
from rltheory.solvers.finite_horizon import longest_law

__all__ = [
    "Closure",
    "ClosureGaps",
    "ReferenceValues",
    "SimpleEffectiveHorizon",
    "StochasticEffectiveHorizon",
    "closure_gaps",
    "effective_planning_window",
    "greedy_returns",
    "k_gaps",
    "min_k",
    "reference_values",
    "simple_effective_horizon",
    "stochastic_effective_horizon",
]

OPTIMALITY_TOLERANCE = 1e-4


@dataclass(frozen=True)
class ReferenceValues:
    """Values of the exploration policy, of the best and of the worst policy, each of shape (T + 1, S)."""

    random: Matrix
    optimal: Matrix
    worst: Matrix


@dataclass(frozen=True)
class ClosureGaps:
    """The states of a closure and their k-gaps, found stage by stage up to the first gap of 0.

    Parameters
    ----------
    visited : array of bool, shape (T, S)
        Which states it holds.
    gaps : array, shape (T, S)
        In units of reward; infinite where all choices are optimal, and outside of the closure.
    """

    visited: Marks
    gaps: Matrix

    @property
    def smallest(self) -> float:
        """Least gap; 0 if k is not solvable in the closure."""
        return float(self.gaps.min())


@dataclass(frozen=True)
class SimpleEffectiveHorizon:
    r"""For each k that is safe, how many episodes each sequence of k choices needs, and the horizon that follows.

    Parameters
    ----------
    ks : tuple of int
        Those k, below the best horizon so far, for which no gap of the safe closure is 0.
    ms : tuple of int
        Numbers of episodes.
    gaps, variances : tuple of float
        k-gap, in units of reward, and bound on the variance of a return, at the state that asks for the most episodes:
        the one of lowest number among several, and the earliest stage.
    horizons : tuple of float
        :math:`k + \log_A m_k`.
    horizon : float
        The least of them, at most T.
    """

    ks: tuple[int, ...]
    ms: tuple[int, ...]
    gaps: tuple[float, ...]
    variances: tuple[float, ...]
    horizons: tuple[float, ...]
    horizon: float


@dataclass(frozen=True)
class StochasticEffectiveHorizon:
    r"""The gaps :math:`\Delta_k` of a closure, of rewards in total in [0, 1], and the horizon that follows.

    Parameters
    ----------
    closure
        Which states count.
    gaps : array, shape (K,)
        :math:`\Delta_k` for k = 1 to K, where all larger k are worse than the best; 0 where k is not solvable.
    horizons : array, shape (K,)
        :math:`k + \log_A \Delta_k^{-2}`; infinite where the gap is 0.
    """

    closure: Closure
    gaps: Vector
    horizons: Vector

    @property
    def k(self) -> int:
        """The k of the least horizon, the first of several."""
        return int(np.argmin(self.horizons)) + 1

    @property
    def horizon(self) -> float:
        """The least horizon."""
        return float(self.horizons.min())


def reference_values(problem: FiniteHorizonMDP, policy: ArrayLike | None = None) -> ReferenceValues:
    r"""Values of an exploration policy, of the best and of the worst policy.

    Parameters
    ----------
    problem
        The process, T stages, S states, C choices.
    policy : array_like, shape (C,) or (T, C), optional
        Probabilities of the choices in their states, which sum to 1 within 1e-6; uniform by default.

    Returns
    -------
    ReferenceValues
        The mean of the exploration policy is clipped into the range of the two others, which only rounding leaves.

    Raises
    ------
    ArithmeticError
        If a value leaves the range of float64.
    ValueError
        If `policy` is no policy.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> values = reference_values(FiniteHorizonMDP.stationary(corridor, 3))
    >>> values.random[:, 0], values.optimal[0, 0], values.worst[0, 0]
    (array([0.375, 0.25 , 0.   , 0.   ]), np.float64(1.0), np.float64(0.0))
    """
    stages = problem.horizon
    probabilities = (
        np.empty((0, problem.choices))
        if policy is None
        else checked_policy(problem.stages[0], policy, stages=stages, tolerance=EXPLORATION_TOLERANCE)
    )
    random, optimal, worst = (np.zeros((stages + 1, problem.states)) for _ in range(3))
    reference(problem.arrays, problem.stride, probabilities, random, optimal, worst)
    for values in (optimal, worst):
        if not np.isfinite(values).all():
            stage, state = np.argwhere(~np.isfinite(values))[-1]
            raise ArithmeticError(
                f"the value of state {state} at stage {stage} leaves the range of float64; scale rewards"
            )
    return ReferenceValues(frozen(random), frozen(optimal), frozen(worst))


class _Walks:
    """Walks over the closures of k = 1, 2, ..., in which the values that choices are judged by go one step further."""

    def __init__(
        self, problem: FiniteHorizonMDP, optimal: Matrix, values: Matrix, tolerance: float, tie: float = 0.0
    ) -> None:
        self.arrays, self.stride = problem.arrays, problem.stride
        self.optimal, self.values = optimal, values.copy()
        self.tolerance, self.tie = not_negative(tolerance, "tolerance"), not_negative(tie, "tie")
        self.starts = problem.initial > 0
        self.visited = np.zeros((problem.horizon + 1, problem.states), dtype=bool)
        self.gaps = np.empty((problem.horizon, problem.states))
        self.of_choices = np.empty(most_actions(problem))

    def smallest_gap(self, closure: Closure) -> float:
        """Least gap of the closure, 0 if k is not solvable there."""
        self.visited.fill(False)
        self.visited[0] = self.starts
        return walk(
            self.arrays,
            self.stride,
            closure.value,
            self.tolerance,
            self.tie,
            self.values,
            self.optimal,
            self.of_choices,
            self.visited,
            self.gaps,
        )

    def advance(self) -> None:
        """Go on to the next k."""
        back_up(self.arrays, self.stride, self.values)

    def first_solvable(self) -> int:
        """First k for which all greedy choices are optimal."""
        k = 1
        while not self.smallest_gap(Closure.GREEDY) > 0:
            self.advance()
            k += 1
        return k


def min_k(problem: FiniteHorizonMDP, values: ReferenceValues, *, tolerance: float = OPTIMALITY_TOLERANCE) -> int:
    r"""Least k for which every policy that is greedy by :math:`Q^k` makes optimal choices wherever it may come.

    Parameters
    ----------
    problem
        The process.
    values
        Its :func:`reference_values`.
    tolerance
        How far below the best a choice may be to be optimal, >= 0, in units of reward.

    Returns
    -------
    int
        In 1, ..., T, since :math:`Q^T` are optimal values. Larger k need not do.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> problem = FiniteHorizonMDP.stationary(corridor, 3)
    >>> min_k(problem, reference_values(problem))
    1
    """
    return _Walks(problem, values.optimal, values.random, tolerance).first_solvable()


def effective_planning_window(
    problem: FiniteHorizonMDP, values: ReferenceValues, *, tolerance: float = OPTIMALITY_TOLERANCE
) -> int:
    r"""Least number of steps over which maximising the sum of rewards makes optimal choices wherever it may come.

    Parameters
    ----------
    problem
        The process.
    values
        Its :func:`reference_values`.
    tolerance
        How far below the best a choice may be to be optimal, >= 0, in units of reward.

    Returns
    -------
    int
        In 1, ..., T.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> problem = FiniteHorizonMDP.stationary(corridor, 3)
    >>> effective_planning_window(problem, reference_values(problem))
    2
    """
    return _Walks(problem, values.optimal, np.zeros_like(values.optimal), tolerance).first_solvable()


def k_gaps(
    problem: FiniteHorizonMDP,
    values: ReferenceValues,
    closure: Closure,
    *,
    tolerance: float = OPTIMALITY_TOLERANCE,
) -> Iterator[float]:
    r"""Yield the least k-gap of a closure for k = 1, 2, ..., T, in units of reward; 0 where k is not solvable there.

    Parameters
    ----------
    problem
        The process.
    values
        Its :func:`reference_values`.
    closure
        Which states count.
    tolerance
        How far below the best a choice may be to be optimal, >= 0, in units of reward.

    References
    ----------
    :cite:`laidlaw2024`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> problem = FiniteHorizonMDP.stationary(corridor, 3)
    >>> list(k_gaps(problem, reference_values(problem), Closure.SAFE))
    [0.5, 1.0, 1.0]
    """
    walks = _Walks(problem, values.optimal, values.random, tolerance)
    for _ in range(problem.horizon):
        yield walks.smallest_gap(closure)
        walks.advance()


def closure_gaps(
    problem: FiniteHorizonMDP,
    values: ReferenceValues,
    closure: Closure,
    *,
    k: int,
    tolerance: float = OPTIMALITY_TOLERANCE,
    tie: float = 0.0,
) -> ClosureGaps:
    r"""States of a closure, and the k-gap of each.

    Parameters
    ----------
    problem
        The process.
    values
        Its :func:`reference_values`.
    closure
        Which states count.
    k
        Steps >= 1 to look ahead.
    tolerance
        How far below the best a choice may be to be optimal, >= 0, in units of reward.
    tie
        Largest difference of :math:`Q^k` that counts as none, >= 0, in units of reward.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    :cite:`laidlaw2023`, :cite:`laidlaw2024`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> problem = FiniteHorizonMDP.stationary(corridor, 3)
    >>> found = closure_gaps(problem, reference_values(problem), Closure.SAFE, k=2)
    >>> found.gaps
    array([[inf, inf, inf],
           [ 1.,  1., inf],
           [inf,  1., inf]])
    >>> found.visited.sum(axis=1), found.smallest
    (array([1, 2, 2]), 1.0)
    """
    walks = _Walks(problem, values.optimal, values.random, tolerance, tie)
    for _ in range(count(k, "k", at_least=1) - 1):
        walks.advance()
    walks.gaps.fill(math.inf)
    walks.smallest_gap(closure)
    return ClosureGaps(frozen(walks.visited[:-1]), frozen(walks.gaps))


def simple_effective_horizon(
    problem: FiniteHorizonMDP, values: ReferenceValues, *, tolerance: float = OPTIMALITY_TOLERANCE
) -> SimpleEffectiveHorizon:
    r"""Effective horizon by the authors' closed formula, :math:`\min_k k + \log_A m_k` with :math:`m_k` the largest.

    .. math:: \max\left(1, \left\lceil \frac{16\, v^k_t(s)}{\Delta^k_t(s)^2} \log(2 T A^k) \right\rceil\right)

    over the stages t and states s of the safe closure. Here :math:`v^1_t(s)` is the largest
    :math:`(Q^1 - Q^{worst})(Q^* - Q^{worst})` of a choice, a bound on the variance of its return, and
    :math:`v^{k+1}_t(s)` the largest :math:`v^k_{t+1}` of a successor. The search ends when k is no less than the best
    horizon so far, which is T at first.

    The formula is not a bound in general: a choice whose reward is certain has a small variance, whatever luck others
    may have. Theorems with constants that are proved are apart from it.

    Parameters
    ----------
    problem
        A deterministic process, T stages, A choices in a state at most.
    values
        Its :func:`reference_values`.
    tolerance
        How far below the best a choice may be to be optimal, >= 0, in units of reward.

    Raises
    ------
    ValueError
        If the process is not deterministic.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> problem = FiniteHorizonMDP.stationary(corridor, 3)
    >>> simple_effective_horizon(problem, reference_values(problem)).horizon
    2.0
    """
    if longest_law(problem.arrays) > 1:
        raise ValueError(
            "the process is not stored as deterministic, as the formula needs it; use DeterministicMDP, or "
            "stochastic_effective_horizon"
        )
    horizon, actions = problem.horizon, most_actions(problem)
    bounds = np.empty((horizon, problem.states))
    arrays = problem.arrays
    variance_bounds(arrays, problem.stride, values.random, values.optimal, values.worst, bounds)
    without_rewards = arrays._replace(rewards=np.zeros(arrays.rewards.size))
    walks = _Walks(problem, values.optimal, values.random, tolerance)
    found: list[tuple[int, int, float, float, float]] = []
    best = float(horizon)
    k = 1
    while k < best:
        if walks.smallest_gap(Closure.SAFE) > 0:
            logarithm = math.log(2 * horizon * actions**k)
            episodes, stage, state = most_episodes(walks.visited, walks.gaps, bounds, logarithm)
            of_k = float(k) if episodes == 1 else k + math.log(episodes) / math.log(actions)
            gap, variance = float(walks.gaps[stage, state]), float(bounds[stage, state])
            found.append((k, int(episodes), gap, variance, of_k))
            best = min(best, of_k)
        walks.advance()
        back_up(without_rewards, problem.stride, bounds)
        k += 1
    ks, ms, gaps, variances, horizons = zip(*found, strict=True) if found else ((),) * 5
    return SimpleEffectiveHorizon(ks, ms, gaps, variances, horizons, best)


def stochastic_effective_horizon(
    problem: FiniteHorizonMDP,
    values: ReferenceValues,
    *,
    closure: Closure,
    reward_range: float,
    tolerance: float = OPTIMALITY_TOLERANCE,
) -> StochasticEffectiveHorizon:
    r"""Horizon :math:`\min_k k + \log_A \Delta_k^{-2}`, with :math:`\Delta_k` the least k-gap of a closure.

    Parameters
    ----------
    problem
        The process, A choices in a state at most.
    values
        Its :func:`reference_values`.
    closure
        Which states count. The horizon is infinite if each k meets a gap of 0 in the closure.
    reward_range
        Difference > 0 between the largest and the least total reward of an episode, by which the gaps are divided.
    tolerance
        How far below the best a choice may be to be optimal, >= 0, in units of reward.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    :cite:`laidlaw2024`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> problem = FiniteHorizonMDP.stationary(corridor, 3)
    >>> found = stochastic_effective_horizon(
    ...     problem, reference_values(problem), closure=Closure.SAFE, reward_range=1.0
    ... )
    >>> found.k, found.horizon, found.gaps
    (2, 2.0, array([0.5, 1. ]))
    """
    scale, log_actions = positive(reward_range, "reward_range"), math.log(max(2, most_actions(problem)))
    gaps: list[float] = []
    horizons: list[float] = []
    for k, gap in enumerate(k_gaps(problem, values, closure, tolerance=tolerance), 1):
        if k >= min(horizons, default=math.inf):
            break
        gaps.append(gap / scale)
        # Nothing is to be told apart where the gap is infinite, nor is a gap beyond the range of rewards.
        horizons.append(k - 2 * math.log(min(1.0, gaps[-1])) / log_actions if gap > 0 else math.inf)
    return StochasticEffectiveHorizon(closure, frozen(np.array(gaps)), frozen(np.array(horizons)))


def greedy_returns(problem: FiniteHorizonMDP, values: ReferenceValues, *, most: int = 5) -> Vector:
    r"""Return of the worst policy that is greedy by :math:`Q^k`, for k = 1 to `most`, shape (most,).

    It need not grow with k.

    Raises
    ------
    ValueError, TypeError
        If `most` is no integer >= 1.

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> problem = FiniteHorizonMDP.stationary(corridor, 3)
    >>> greedy_returns(problem, reference_values(problem), most=2)
    array([1., 1.])
    """
    returns = np.empty(count(most, "most", at_least=1))
    judged_by, earned = values.random.copy(), np.zeros_like(values.random)
    of_choices = np.empty(most_actions(problem))
    for k in range(returns.size):
        worst_greedy(problem.arrays, problem.stride, judged_by, of_choices, earned)
        returns[k] = problem.initial @ earned[0]
        back_up(problem.arrays, problem.stride, judged_by)
    return frozen(returns)


def most_actions(problem: FiniteHorizonMDP) -> int:
    """Largest number A of choices in a state."""
    return int(np.diff(problem.stages[0].first_choice).max())
