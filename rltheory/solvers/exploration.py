"""What an exploration policy meets, and how often: reachable states, least occupancies, and how soon it meets all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import SUM_TOLERANCE, Matrix, Vector, first_index, float_array, frozen
from rltheory.jit import kernel
from rltheory.problems.bridge import EXPLORATION_TOLERANCE
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import Marks, ProcessArrays, mark_successors
from rltheory.problems.policies import checked_policy, uniform_policy
from rltheory.progress import sign_of_life

__all__ = ["MinimumOccupancies", "covering_episodes", "minimum_occupancies", "reachable_states", "visit_probabilities"]

BLOCK = 256  # choices whose probabilities are computed together


@dataclass(frozen=True)
class MinimumOccupancies:
    """Occupancies under the exploration policy, the least over the states and choices that it reaches.

    The first two are of largest occupancies over stages, of states and of choices, the others of sums over stages.
    """

    state: float
    state_action: float
    sum_state: float
    sum_state_action: float


@kernel
def _reach(arrays: ProcessArrays, stride: int, visited: Marks) -> None:
    first_choice = arrays.first_choice
    for stage in range(visited.shape[0] - 1):
        now, after = visited[stage], visited[stage + 1]
        for state in range(now.size):
            if now[state]:
                for choice in range(first_choice[state], first_choice[state + 1]):
                    mark_successors(arrays, stage * stride + choice, after)


def reachable_states(problem: FiniteHorizonMDP) -> Marks:
    """Which states can be met at which stages, shape (T, S).

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> reachable_states(FiniteHorizonMDP.stationary(corridor, 3)).astype(int)
    array([[1, 0, 0],
           [1, 1, 0],
           [1, 1, 1]])
    """
    visited = np.zeros((problem.horizon, problem.states), dtype=bool)
    visited[0] = problem.initial > 0
    _reach(problem.arrays, problem.stride, visited)
    return frozen(visited)


def minimum_occupancies(
    problem: FiniteHorizonMDP, policy: ArrayLike | None = None, *, end: int | None = None
) -> MinimumOccupancies:
    """Least occupancies under an exploration policy.

    Parameters
    ----------
    problem
        The process, T stages, S states, C choices.
    policy : array_like, shape (C,) or (T, C), optional
        Probabilities of the choices in their states, which sum to 1 within 1e-6; uniform by default.
    end
        A state that does not count, since an episode that is there has ended.

    Raises
    ------
    ValueError
        If `policy` is no policy.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> minimum_occupancies(FiniteHorizonMDP.stationary(corridor, 3), end=2).state_action
    0.25
    """
    first, probabilities = problem.stages[0], _probabilities(problem, policy)
    reached = problem.initial
    largest, totals = ([np.zeros(problem.states), np.zeros(problem.choices)] for _ in range(2))
    for stage, mdp in enumerate(problem.stages):
        made = reached[first.state_of_choice] * probabilities[stage]
        for kind, occupancy in enumerate((reached, made)):
            np.maximum(largest[kind], occupancy, out=largest[kind])
            totals[kind] += occupancy
        reached = mdp.transition_matrix.T @ made
    counted = np.arange(problem.states) != end
    counts = (counted, counted[first.state_of_choice])
    state, state_action = (_least(array, which) for array, which in zip(largest, counts, strict=True))
    sum_state, sum_state_action = (_least(array, which) for array, which in zip(totals, counts, strict=True))
    return MinimumOccupancies(state, state_action, sum_state, sum_state_action)


def visit_probabilities(problem: FiniteHorizonMDP, policy: ArrayLike | None = None) -> Vector:
    r"""Probability that an episode of an exploration policy makes a choice at least once, for each choice, shape (C,).

    For a choice c the probability :math:`h_t(s)` to make it from stage t on satisfies

    .. math:: h_t(s) = \sum_{c' \in s} \pi_t(c') \Big(1\{c' = c\} + 1\{c' \ne c\} \sum_{s'} p(s' | c') h_{t+1}(s')\Big).

    Parameters
    ----------
    problem
        The process, T stages, S states, C choices; :math:`T C^2` numbers are computed.
    policy : array_like, shape (C,) or (T, C), optional
        Probabilities of the choices in their states, which sum to 1 within 1e-6; uniform by default.

    Raises
    ------
    ValueError
        If `policy` is no policy.

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> visit_probabilities(FiniteHorizonMDP.stationary(corridor, 3))
    array([0.875, 0.625, 0.375, 0.375, 0.125, 0.125])
    """
    from scipy.sparse import csr_array

    first, probabilities = problem.stages[0], _probabilities(problem, policy)
    visits = np.empty(problem.choices)
    with sign_of_life(f"probabilities of {problem.choices} visits"):
        for begin in range(0, problem.choices, BLOCK):
            targets = np.arange(begin, min(begin + BLOCK, problem.choices))
            chances = np.zeros((problem.states, targets.size))
            for stage in range(problem.horizon - 1, -1, -1):
                after = problem.stages[stage].transition_matrix @ chances
                after[targets, targets - begin] = 1.0
                choosing = csr_array((probabilities[stage], np.arange(problem.choices), first.first_choice))
                chances = choosing @ after
            visits[targets] = problem.initial @ chances
    return frozen(visits)


def covering_episodes(visits: ArrayLike) -> int:
    r"""Least number L of episodes that make all choices with probability 1/2 at least, by the union bound.

    That is the least L with :math:`\sum_c (1 - p_c)^L \le 1/2`, over the choices that can be made at all.

    Parameters
    ----------
    visits : array_like, shape (C,)
        Probabilities :math:`p_c` to make each choice in an episode, as of :func:`visit_probabilities`.

    Raises
    ------
    ValueError
        If a number is no probability, or none is positive.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> covering_episodes([0.5, 0.5, 0.0, 1.0])
    2
    """
    chances = float_array(visits, "visits", ndim=1)
    outside = (chances < 0) | (chances > 1 + SUM_TOLERANCE)
    if outside.any():
        place = first_index(outside)
        raise ValueError(f"visits{list(place)} is {chances[place]}; a probability must lie in [0, 1]")
    if not (chances > 0).any():
        raise ValueError("no visit has a positive probability; no number of episodes makes all choices")
    with np.errstate(divide="ignore"):
        logarithms = np.log1p(-np.minimum(chances[chances > 0], 1.0))

    def covers(episodes: int) -> bool:
        return bool(np.exp(episodes * logarithms).sum() <= 0.5)

    low, high = 0, 1
    while not covers(high):
        low, high = high, 2 * high
    while high > low + 1:
        middle = (low + high) // 2
        low, high = (low, middle) if covers(middle) else (middle, high)
    return high


def _least(occupancies: Vector, counted: Marks) -> float:
    """Least positive occupancy of those that count."""
    return float(occupancies[counted & (occupancies > 0)].min())


def _probabilities(problem: FiniteHorizonMDP, policy: ArrayLike | None) -> Matrix:
    """Exploration policy of all stages, shape (T, C)."""
    first, stages = problem.stages[0], problem.horizon
    if policy is None:
        return np.tile(uniform_policy(first), (stages, 1))
    return checked_policy(first, policy, stages=stages, tolerance=EXPLORATION_TOLERANCE)
