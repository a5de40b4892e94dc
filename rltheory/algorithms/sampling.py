"""Draws of next states in kernels, from cumulative laws."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rltheory.arrays import Vector
from rltheory.jit import kernel
from rltheory.problems.mdp import MDP, Indices

__all__ = ["CumulativeLaws", "cumulative_laws", "draw"]


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
