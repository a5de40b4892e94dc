"""What an exploration policy meets, and how often: reachable states and least occupancies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Vector, frozen
from rltheory.jit import kernel
from rltheory.problems.bridge import EXPLORATION_TOLERANCE
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import Marks, ProcessArrays, mark_successors
from rltheory.problems.policies import checked_policy, uniform_policy

__all__ = ["MinimumOccupancies", "minimum_occupancies", "reachable_states"]


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
    first = problem.stages[0]
    if policy is None:
        probabilities = np.broadcast_to(uniform_policy(first), (problem.horizon, problem.choices))
    else:
        probabilities = checked_policy(first, policy, stages=problem.horizon, tolerance=EXPLORATION_TOLERANCE)
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


def _least(occupancies: Vector, counted: Marks) -> float:
    """Least positive occupancy of those that count."""
    return float(occupancies[counted & (occupancies > 0)].min())
