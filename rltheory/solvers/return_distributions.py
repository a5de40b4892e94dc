"""Laws of the rewards to come in a deterministic process with random actions, stage by stage."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Matrix, Vector, frozen
from rltheory.jit import kernel
from rltheory.problems.bridge import EXPLORATION_TOLERANCE
from rltheory.problems.certainty import sure_successors
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.problems.policies import checked_policy
from rltheory.progress import sign_of_life

__all__ = [
    "ReturnDistributions",
    "checked_exploration",
    "laws_backwards",
    "return_distributions",
    "stationary_tables",
]

# Values of published analyses that are closer than this are one value.
MERGED = 1e-4


@dataclass(frozen=True)
class ReturnDistributions:
    r"""Laws of the rewards from each stage and state to the end.

    Parameters
    ----------
    laws : tuple of array, each of shape (2, n, S)
        Of stage t the values ``laws[t][0, :, s]`` and their probabilities ``laws[t][1, :, s]``, filled up with zeros.
    displacement : float
        No value differs by more than this, and rounding, from a reward in whose place it stands.
    """

    laws: tuple[Array, ...]
    displacement: float


@kernel
def _law(
    successors: Indices,
    rewards: Matrix,
    shares: Array,
    next_values: Matrix,
    next_displacements: Vector,
    state: int,
    values: Vector,
    probabilities: Vector,
) -> tuple[int, float]:
    """Write the law of a state; return its number of values, or -1 if there is too little room, and its displacement.

    ``shares[s, a, j]`` is the probability of action a and then of value j of its successor. A value takes the place of
    the first one that is closer than 1e-4, or the next free place.
    """
    size, displacement = 0, 0.0
    for action in range(successors.shape[1]):
        successor, reward = successors[state, action], rewards[state, action]
        for atom in range(next_values.shape[1]):
            share = shares[state, action, atom]
            if share == 0:
                continue
            value = next_values[successor, atom] + reward
            place = 0
            while place < size and abs(values[place] - value) >= MERGED:
                place += 1
            moved = next_displacements[successor]
            if place == size:
                if size == values.size:
                    return -1, 0.0
                size += 1
                probabilities[place] = 0.0
            else:
                # What was here moves on top of what it has moved before.
                moved = max(moved, displacement + abs(values[place] - value))
            displacement = max(displacement, moved)
            values[place] = value
            probabilities[place] += share
    return size, displacement


@kernel
def _laws(
    successors: Indices,
    rewards: Matrix,
    shares: Array,
    next_values: Matrix,
    next_displacements: Vector,
    values: Matrix,
    probabilities: Matrix,
    displacements: Vector,
) -> int:
    """Write the laws of all states; return the largest number of values, or -1 if there is too little room."""
    width = 0
    for state in range(successors.shape[0]):
        size, displacements[state] = _law(
            successors,
            rewards,
            shares,
            next_values,
            next_displacements,
            state,
            values[state],
            probabilities[state],
        )
        if size < 0:
            return -1
        for place in range(size, values.shape[1]):
            values[state, place] = probabilities[state, place] = 0.0
        width = max(width, size)
    return width


def laws_backwards(
    successors: Indices, rewards: Matrix, horizon: int, policy: Array | None
) -> Iterator[tuple[Matrix, Matrix, float]]:
    """Values and probabilities, each of shape (S, n), and displacement, from the last stage to the first."""
    states, actions = successors.shape
    values, probabilities, displacements = np.zeros((states, 1)), np.ones((states, 1)), np.zeros(states)
    uniform = np.full((states, actions), 1 / actions)
    for stage in range(horizon - 1, -1, -1):
        # Kernels may fuse products and sums; published numbers have every product rounded.
        shares = probabilities[successors] * (uniform if policy is None else policy[stage])[:, :, None]
        known, room, width = (shares, values, displacements), values.shape[1], -1
        while width < 0:
            room *= 2
            values, probabilities, displacements = np.empty((states, room)), np.empty((states, room)), np.empty(states)
            width = _laws(successors, rewards, *known, values, probabilities, displacements)
        values, probabilities = np.ascontiguousarray(values[:, :width]), np.ascontiguousarray(probabilities[:, :width])
        yield values, probabilities, float(displacements.max())


def return_distributions(problem: FiniteHorizonMDP, policy: ArrayLike | None = None) -> ReturnDistributions:
    r"""Laws of the rewards to come, :math:`Z_t(s) = r(s, a) + Z_{t+1}(f(s, a))` with a drawn by the policy.

    Values closer than 1e-4 are taken for one, as in published analyses, which this agrees with to the last bit: values
    come in the order of the actions, then of the values of the next state, and the latest of those taken for one is
    kept.

    Parameters
    ----------
    problem
        A process of T equal deterministic stages, S states, the same number of choices in each.
    policy : array_like, shape (C,) or (T, C), optional
        Probabilities of the choices in their states, which sum to 1 within 1e-6; uniform by default.

    Returns
    -------
    ReturnDistributions
        Laws of the T stages, with a bound on how far values were moved.

    Raises
    ------
    ValueError
        If the process is not as it must be, or `policy` is no policy.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    Two throws of a fair coin.

    >>> from rltheory.problems import DeterministicMDP
    >>> found = return_distributions(FiniteHorizonMDP.stationary(DeterministicMDP([[0, 0]], [[0, 1]]), 2))
    >>> found.laws[0][:, :, 0]
    array([[0.  , 1.  , 2.  ],
           [0.25, 0.5 , 0.25]])
    """
    successors, rewards = stationary_tables(problem)
    chances = checked_exploration(problem, policy)
    laws, displacement = [], 0.0
    with sign_of_life(f"laws of returns over {problem.horizon} stages"):
        for values, probabilities, moved in laws_backwards(successors, rewards, problem.horizon, chances):
            laws.append(frozen(np.stack([values.T, probabilities.T])))
            displacement = max(displacement, moved)
    return ReturnDistributions(tuple(reversed(laws)), displacement)


def stationary_tables(problem: FiniteHorizonMDP) -> tuple[Indices, Matrix]:
    """Successors and rewards, each of shape (S, A), of a process whose stages are equal and deterministic."""
    mdp = problem.stages[0]
    if problem.stride:
        stage = next(stage for stage, other in enumerate(problem.stages) if other is not mdp)
        raise ValueError(
            f"stage {stage} is another process than stage 0; all must be one, as FiniteHorizonMDP.stationary makes them"
        )
    sizes = np.diff(mdp.first_choice)
    uneven = sizes != sizes[0]
    if uneven.any():
        state = int(np.argmax(uneven))
        raise ValueError(f"state 0 has {sizes[0]} choices and state {state} has {sizes[state]}; each must have as many")
    shape = (mdp.states, int(sizes[0]))
    return sure_successors(problem).reshape(shape), mdp.rewards.reshape(shape)


def checked_exploration(problem: FiniteHorizonMDP, policy: ArrayLike | None) -> Array | None:
    """Return `policy` as an array of shape (T, S, A), or None for the uniform one."""
    if policy is None:
        return None
    mdp, stages = problem.stages[0], problem.horizon
    chances = checked_policy(mdp, policy, stages=stages, tolerance=EXPLORATION_TOLERANCE)
    return chances.reshape(stages, mdp.states, -1)
