"""Draws of next states and of choices in kernels, from cumulative laws."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Vector
from rltheory.jit import kernel
from rltheory.problems.bridge import EXPLORATION_TOLERANCE
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import MDP, Indices
from rltheory.problems.policies import checked_policy

__all__ = ["CumulativeLaws", "cumulative_choices", "cumulative_laws", "draw", "draw_weighted", "random_choice"]


class CumulativeLaws(NamedTuple):
    """Laws of the choices of one process after the other, without entries of probability 0."""

    first_choice: Indices  # (S + 1,), the same in all processes
    first_entry: Indices  # (C + 1,)
    successors: Indices  # (E,)
    probabilities: Vector  # (E,)
    cumulative: Vector  # (E,), the sum so far over the entries of the choice


def cumulative_laws(processes: Sequence[MDP]) -> CumulativeLaws:
    """Laws of processes with the same choices."""
    from scipy.sparse import csr_array

    first_entry, successors, probabilities, cumulative = [np.zeros(1, np.int64)], [], [], []
    for mdp in processes:
        laws = csr_array(mdp.transition_matrix, copy=True)
        laws.eliminate_zeros()
        pointers = laws.indptr.astype(np.int64)
        probabilities.append(laws.data)
        total = np.append(0.0, np.cumsum(laws.data))
        first_entry.append(first_entry[-1][-1] + pointers[1:])
        successors.append(laws.indices.astype(np.int64))
        cumulative.append(total[1:] - np.repeat(total[pointers[:-1]], np.diff(pointers)))
    return CumulativeLaws(
        processes[0].first_choice,
        *(np.concatenate(part) for part in (first_entry, successors, probabilities, cumulative)),
    )


@kernel
def draw(cumulative: Vector, first: int, end: int, rng: np.random.Generator) -> int:
    """Draw an entry in [first, end)."""
    level = rng.random() * cumulative[end - 1]
    entry = first
    while cumulative[entry] <= level:
        entry += 1
    return entry


@kernel
def draw_weighted(weights: Vector, begin: int, end: int, rng: np.random.Generator) -> int:
    """Draw an index in [begin, end) with these probabilities."""
    left = rng.random()
    for k in range(begin, end - 1):
        left -= weights[k]
        if left < 0.0:
            return k
    return end - 1


def cumulative_choices(problem: FiniteHorizonMDP, policy: ArrayLike | None) -> Matrix:
    """Probability of a choice and of those before it in its state, shape (H, C); no rows for the uniform policy.

    Raises
    ------
    ValueError
        If `policy`, of shape (C,) or (H, C), is no policy whose probabilities sum to 1 within 1e-6 in each state.

    Examples
    --------
    >>> from rltheory.instances import combination_lock
    >>> problem = FiniteHorizonMDP.stationary(combination_lock([1, 0]), 1)
    >>> cumulative_choices(problem, [0.25, 0.75, 0.5, 0.5])
    array([[0.25, 1.  , 0.5 , 1.  ]])
    """
    first = problem.stages[0]
    if policy is None:
        return np.empty((0, first.choices))
    chances = checked_policy(first, policy, stages=problem.horizon, tolerance=EXPLORATION_TOLERANCE)
    sums = np.empty_like(chances)
    for begin, end in pairwise(first.first_choice.tolist()):
        sums[:, begin:end] = np.cumsum(chances[:, begin:end], axis=1)
    return sums


@kernel
def random_choice(first_choice: Indices, cumulative: Matrix, stage: int, state: int, rng: np.random.Generator) -> int:
    """Draw a choice of a state, by :func:`cumulative_choices`."""
    first: int = first_choice[state]
    end: int = first_choice[state + 1]
    if cumulative.size == 0:
        return first + int(rng.random() * (end - first))
    return draw(cumulative[stage], first, end, rng)
