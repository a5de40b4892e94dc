"""End components: where a process can stay for ever; whether it is communicating, and whether it is unichain."""

from dataclasses import dataclass

import numpy as np

from rltheory.problems import MDP
from rltheory.problems.mdp import Indices
from rltheory.solvers.graph import Graph, Mask

__all__ = ["EndComponents", "end_components", "is_communicating", "is_unichain", "is_weakly_communicating"]


@dataclass(frozen=True)
class EndComponents:
    """The maximal end components of a process: sets of states that a policy can walk through for ever.

    Parameters
    ----------
    component : array of int, shape (S,)
        Number of the component to which each state belongs, from 0 in the order of their first states; -1 for a state
        that every policy visits finitely often.
    internal : array of bool, shape (C,)
        Choices that surely stay in the component of their state.
    """

    component: Indices
    internal: Mask

    @property
    def count(self) -> int:
        """Number of components, 1 at least."""
        return int(self.component.max()) + 1


def end_components(mdp: MDP) -> EndComponents:
    """Decompose a process: strongly connected components, choices that may leave theirs dropped, until none is left.

    Each recurrent class of each policy lies in one component. Only the zeros of the laws matter.

    References
    ----------
    :cite:`dealfaro1997` section 3.3

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[0, 0], [0, 0]])
    >>> end_components(mdp)
    EndComponents(component=array([0, 1]), internal=array([ True, False,  True,  True]))
    """
    return _maximal(Graph.of(mdp), np.ones(mdp.choices, dtype=bool))


def _maximal(graph: Graph, usable: Mask) -> EndComponents:
    """End components of the process with the usable choices only, in which states may have none."""
    internal, label = graph.end_components(usable)
    # A state without choices is strongly connected with itself, but nobody can stay there.
    component = np.full(graph.states, -1)
    stays = np.unique(graph.state_of_choice[internal])
    _, first, number = np.unique(label[stays], return_index=True, return_inverse=True)
    component[stays] = np.argsort(np.argsort(first))[number]
    return EndComponents(component, internal)


def is_communicating(mdp: MDP) -> bool:
    """Whether each state can be reached from each other one.

    References
    ----------
    :cite:`puterman2005` section 8.3.1

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> is_communicating(TabularMDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[0, 0], [0, 0]]))
    False
    """
    return bool((end_components(mdp).component == 0).all())


def is_weakly_communicating(mdp: MDP) -> bool:
    """Whether the states that a policy can visit for ever can all be reached from each other.

    Equivalently, the process has one end component. Its optimal gain is then the same from all states.

    References
    ----------
    :cite:`puterman2005` section 8.3.1
    """
    return end_components(mdp).count == 1


def is_unichain(mdp: MDP) -> bool:
    """Whether each stationary policy has one recurrent class.

    Equivalently, no two end components are disjoint. The question is NP-hard :cite:`tsitsiklis2007`. The search
    branches on a state that belongs to one of two disjoint components at most; it is quick where some state is in all,
    and exponential in the number of states at worst.

    Examples
    --------
    In the first process both states can be stayed in for ever, in the second one only.

    >>> from rltheory.problems import TabularMDP
    >>> stay, swap = [[1, 0], [0, 1]], [[0, 1], [1, 0]]
    >>> [is_unichain(TabularMDP([[stay[0], swap[0]], [second, swap[1]]], [[0, 0], [0, 0]]))
    ...  for second in (stay[1], swap[1])]
    [False, True]
    """
    graph = Graph.of(mdp)
    everything = np.ones(mdp.choices, dtype=bool)
    return not _disjoint_pair(graph, everything, everything)


def _disjoint_pair(graph: Graph, one: Mask, other: Mask) -> bool:
    """Whether there are disjoint end components, the first with choices of `one`, the second with those of `other`."""
    first, second = _maximal(graph, one), _maximal(graph, other)
    for i in range(first.count):
        for k in range(second.count):
            mine, yours = first.component == i, second.component == k
            if not (mine & yours).any():
                return True
            # Without a shared state, what is left on the one side or on the other may still hold a component.
            here, there = first.internal & mine[graph.state_of_choice], second.internal & yours[graph.state_of_choice]
            branches = []
            for state in np.flatnonzero(mine & yours):
                outside = graph.state_of_choice != state
                left = [_maximal(graph, side & outside) for side in (here, there)]
                branches.append((left, sum(int((side.component >= 0).sum()) for side in left)))
            (mine_left, yours_left), _ = min(branches, key=lambda branch: branch[1])
            if _disjoint_pair(graph, mine_left.internal, there) or _disjoint_pair(graph, here, yours_left.internal):
                return True
    return False
