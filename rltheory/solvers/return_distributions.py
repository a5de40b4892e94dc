"""Laws of the rewards to come in a deterministic process with random actions, stage by stage."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import SUM_TOLERANCE, Array, Matrix, Vector, count, first_index, float_array, frozen
from rltheory.jit import kernel
from rltheory.problems.mdp import Indices

__all__ = ["ReturnDistributions", "checked_exploration", "checked_tables", "laws_backwards", "return_distributions"]

# Values of published analyses that are closer than this are one value.
MERGED = 1e-4
# Published policies are stored with 24 bits.
EXPLORATION_TOLERANCE = 1e-6


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


def return_distributions(
    successors: ArrayLike, rewards: ArrayLike, horizon: int, policy: ArrayLike | None = None
) -> ReturnDistributions:
    r"""Laws of the rewards to come, :math:`Z_t(s) = R(s, a) + Z_{t+1}(f(s, a))` with a drawn by the policy.

    Values closer than 1e-4 are taken for one, as in published analyses, which this agrees with to the last bit: values
    come in the order of the actions, then of the values of the next state, and the latest of those taken for one is
    kept.

    Parameters
    ----------
    successors : array_like of int, shape (S, A)
        The state f(s, a) to which action a leads from state s.
    rewards : array_like, shape (S, A)
        Finite rewards.
    horizon
        Number T of stages, >= 1.
    policy : array_like, shape (T, S, A), optional
        Probabilities of the actions, which sum to 1 within 1e-6; uniform by default.

    Returns
    -------
    ReturnDistributions
        Laws of the T stages, with a bound on how far values were moved.

    Raises
    ------
    ValueError, TypeError
        If a successor is no state, a reward is not finite, `horizon` is no integer >= 1, or `policy` is no policy.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    Two throws of a fair coin.

    >>> found = return_distributions([[0, 0]], [[0, 1]], 2)
    >>> found.laws[0][:, :, 0]
    array([[0.  , 1.  , 2.  ],
           [0.25, 0.5 , 0.25]])
    """
    table, gains, stages = checked_tables(successors, rewards, horizon)
    chances = None if policy is None else checked_exploration(policy, (stages, *table.shape))
    laws, displacement = [], 0.0
    for values, probabilities, moved in laws_backwards(table, gains, stages, chances):
        laws.append(frozen(np.ascontiguousarray(np.stack([values.T, probabilities.T]))))
        displacement = max(displacement, moved)
    return ReturnDistributions(tuple(reversed(laws)), displacement)


def checked_tables(successors: ArrayLike, rewards: ArrayLike, horizon: int) -> tuple[Indices, Matrix, int]:
    """Return fresh tables of shape (S, A), at least one state and action, and the number of stages."""
    array = np.asarray(successors)
    if not np.issubdtype(array.dtype, np.integer) or array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"successors has type {array.dtype} and shape {array.shape}; it must hold an integer for each state and "
            "action"
        )
    table = np.array(array, dtype=np.int64, order="C")
    outside = (table < 0) | (table >= len(table))
    if outside.any():
        place = first_index(outside)
        raise ValueError(f"successors{list(place)} is {table[place]}; it must be a state, 0 to {len(table) - 1}")
    gains = float_array(rewards, "rewards", ndim=2)
    if gains.shape != table.shape:
        raise ValueError(f"rewards has shape {gains.shape}; it must be {table.shape}, as successors")
    return table, gains, count(horizon, "horizon", at_least=1)


def checked_exploration(policy: ArrayLike, shape: tuple[int, int, int]) -> Array:
    """Return `policy` as a fresh array of shape (T, S, A) whose rows sum to 1 within 1e-6."""
    array = float_array(policy, "policy", ndim=3)
    if array.shape != shape:
        raise ValueError(f"policy has shape {array.shape}; it must be {shape}: stages, states, actions")
    outside = (array < 0) | (array > 1 + SUM_TOLERANCE)
    if outside.any():
        place = first_index(outside)
        raise ValueError(f"policy{list(place)} is {array[place]}; a probability must lie in [0, 1]")
    sums = array.sum(axis=2)
    uneven = np.abs(sums - 1) > EXPLORATION_TOLERANCE
    if uneven.any():
        stage, state = first_index(uneven)
        raise ValueError(
            f"policy sums to {sums[stage, state]:.12g} in state {state} at stage {stage}; "
            f"expected 1 within {EXPLORATION_TOLERANCE:g}"
        )
    return array
