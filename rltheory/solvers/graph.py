"""The graph of a process: which choice can lead where. Of the probabilities, only the zeros matter here."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Vector
from rltheory.jit import kernel
from rltheory.problems import MDP
from rltheory.problems.mdp import Indices

__all__ = ["Graph", "Mask", "strong_components"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Graph:
    """The entries of positive probability, in the order of choices."""

    first_choice: Indices  # (S + 1,)
    state_of_choice: Indices  # (C,)
    choice_of_entry: Indices  # (E,)
    successors: Indices  # (E,)
    probabilities: Vector  # (E,), > 0

    @classmethod
    def of(cls, mdp: MDP) -> "Graph":
        """The graph of a process, dense or sparse."""
        from scipy.sparse import coo_array

        entries = coo_array(mdp.transition_matrix)
        possible = entries.data > 0  # sparse laws may list zeros
        choices, successors = (axis[possible].astype(np.int64) for axis in (entries.row, entries.col))
        return cls(mdp.first_choice, mdp.state_of_choice, choices, successors, entries.data[possible])

    @property
    def states(self) -> int:
        """Number of states S."""
        return self.first_choice.size - 1

    @cached_property
    def first_entry(self) -> Indices:
        """Where the entries of each choice start, and the end, shape (C + 1,)."""
        return np.searchsorted(self.choice_of_entry, np.arange(self.state_of_choice.size + 1))

    @cached_property
    def origins(self) -> Indices:
        """State in which the choice of each entry is made, shape (E,)."""
        return self.state_of_choice[self.choice_of_entry]

    @cached_property
    def _backwards(self) -> tuple[Indices, Indices]:
        """For each state where its predecessors start, shape (S + 1,), and these choices, shape (E,)."""
        order = np.argsort(self.successors, kind="stable")
        return np.searchsorted(self.successors[order], np.arange(self.states + 1)), self.choice_of_entry[order]

    def every_entry(self, entries: Mask) -> Mask:
        """Whether all entries of each choice are true, shape (C,)."""
        return np.logical_and.reduceat(entries, self.first_entry[:-1])

    def stays_in(self, states: Mask) -> Mask:
        """Which choices lead to nothing but these states, shape (C,)."""
        return self.every_entry(states[self.successors])

    def attractor(self, target: Mask, usable: Mask, *, every: bool = False) -> tuple[Mask, Indices]:
        """States from which some choices, or every one, lead to the target with positive probability, and how.

        A state joins the target when one of its choices is usable and can lead into it, or all of them are and can.
        The choice that made it join is returned with it, -1 for other states.
        """
        joined, through = target.copy(), np.full(target.size, -1)
        missing = np.diff(self.first_choice) if every else np.ones(target.size, dtype=np.int64)
        queue = np.empty(target.size, dtype=np.int64)
        first_predecessor, predecessors = self._backwards
        _attract(self.state_of_choice, first_predecessor, predecessors, ~usable, missing, joined, through, queue)
        return joined, through

    def sure_attractor(self, target: Mask, usable: Mask) -> tuple[Mask, Indices]:
        """States from which some policy reaches the target with probability 1, and the choices of one."""
        sure = np.ones_like(target)
        while True:
            joined, through = self.attractor(target, usable & self.stays_in(sure))
            if (joined == sure).all():
                return sure, through
            sure = joined

    def strong_components(self, usable: Mask) -> Indices:
        """Label of the strongly connected component of each state, along usable choices, successors first."""
        used = usable[self.choice_of_entry]
        return strong_components(self.origins[used], self.successors[used], self.states)

    def end_components(self, usable: Mask) -> tuple[Mask, Indices]:
        """Which choices lie inside the maximal end components of the usable ones, shape (C,), and their components.

        The latter are labels of the states, shape (S,); states of no end component have labels of their own.
        """
        while True:
            label = self.strong_components(usable)
            inside = usable & self.every_entry(label[self.origins] == label[self.successors])
            if (inside == usable).all():
                return usable, label
            usable = inside


@kernel
def _attract(
    state_of_choice: Indices,
    first_predecessor: Indices,
    predecessors: Indices,
    spent: Mask,
    missing: Indices,
    joined: Mask,
    through: Indices,
    queue: Indices,
) -> None:
    """Breadth-first search backwards; a state joins when no choice is missing. Each choice counts once."""
    end = 0
    for state in range(joined.size):
        if joined[state]:
            queue[end] = state
            end += 1
    start = 0
    while start < end:
        reached = queue[start]
        start += 1
        for place in range(first_predecessor[reached], first_predecessor[reached + 1]):
            choice = predecessors[place]
            state = state_of_choice[choice]
            if spent[choice] or joined[state]:
                continue
            spent[choice] = True
            missing[state] -= 1
            if missing[state] == 0:
                joined[state] = True
                through[state] = choice
                queue[end] = state
                end += 1


def strong_components(tails: Indices, heads: Indices, nodes: int) -> Indices:
    """Label of the strongly connected component of each node; an edge leads to the same label or a smaller one.

    SciPy numbers components in the order in which Pearce's algorithm completes them, which is successors first. It does
    not promise that. Bounds on values that are solved in this order would remain bounds, were it to change, but not as
    narrow as asked, which is noticed.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(tails.size), (tails, heads)), shape=(nodes, nodes)).tocsr()
    label: Indices = connected_components(edges, directed=True, connection="strong")[1].astype(np.int64)
    return label
