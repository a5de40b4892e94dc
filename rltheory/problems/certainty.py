"""Processes over a finite horizon that leave nothing to chance: where choices lead, and sequences of them."""

from collections.abc import Iterator

import numpy as np

from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import Indices

__all__ = ["plans", "sure_start", "sure_successors"]


def sure_start(problem: FiniteHorizonMDP) -> int:
    """State in which a process starts.

    Raises
    ------
    ValueError
        If the first state is left to chance.
    """
    starts = np.flatnonzero(problem.initial)
    if starts.size != 1:
        raise ValueError(f"the process may start in {starts.size} states; it must start in one")
    return int(starts[0])


def sure_successors(problem: FiniteHorizonMDP) -> Indices:
    """State to which each choice leads, a row for each stage, shape (H, C), or one row if all share their laws.

    Raises
    ------
    ValueError
        If a choice may lead to several states. The message names it.
    """
    from scipy.sparse import csr_array

    rows = []
    for stage, mdp in enumerate(problem.stages if problem.stride else problem.stages[:1]):
        laws = csr_array(mdp.transition_matrix, copy=True)
        laws.eliminate_zeros()
        numbers = np.diff(laws.indptr)
        if (numbers != 1).any():
            choice = int(np.argmax(numbers != 1))
            raise ValueError(
                f"choice {choice} of stages[{stage}] may lead to {numbers[choice]} states; "
                "each choice must lead to one, as in a deterministic process"
            )
        rows.append(laws.indices.astype(np.int64))
    return np.array(rows)


def plans(
    problem: FiniteHorizonMDP, successors: Indices, stage: int, state: int, length: int
) -> Iterator[tuple[int, ...]]:
    """Sequences of that many choices from a state and stage on, in lexical order, given where choices lead.

    Examples
    --------
    >>> from rltheory.instances import combination_lock
    >>> problem = FiniteHorizonMDP.stationary(combination_lock([1, 0]), 3)
    >>> list(plans(problem, sure_successors(problem), 0, 0, 2))
    [(0, 0), (0, 1), (1, 2), (1, 3)]
    """
    first_choice = problem.stages[0].first_choice

    def extend(stage: int, state: int, length: int) -> Iterator[tuple[int, ...]]:
        if length == 0:
            yield ()
            return
        for choice in range(first_choice[state], first_choice[state + 1]):
            for rest in extend(stage + 1, int(successors[stage % len(successors), choice]), length - 1):
                yield (choice, *rest)

    return extend(stage, state, length)
