r"""Diameter: how long the best policy for the way takes between the two states that are farthest apart."""

from dataclasses import dataclass

import numpy as np

from rltheory.arrays import Vector
from rltheory.problems import MDP
from rltheory.problems.mdp import Indices
from rltheory.progress import sign_of_life
from rltheory.solvers.chains import (
    Laws,
    Steps,
    bounded,
    evaluation_rounding,
    expected_steps,
    largest_support,
    normalised,
    reached,
)
from rltheory.solvers.end_components import is_communicating
from rltheory.solvers.graph import Graph

__all__ = ["Diameter", "diameter"]


@dataclass(frozen=True)
class Diameter:
    r"""The diameter of a process, with the proof of it.

    Parameters
    ----------
    steps : float
        The diameter as computed; infinite if the process is not communicating.
    start, target : int
        Two states whose distance it is.
    lower, upper : float
        Proved bounds on the diameter.
    """

    steps: float
    start: int
    target: int
    lower: float
    upper: float


def diameter(mdp: MDP) -> Diameter:
    r"""Solve :math:`\max_{s \ne t} \min_\pi E_s^\pi[\text{steps to } t]`.

    For each target, a stochastic shortest path is solved by policy iteration, one linear system an iteration.

    Returns
    -------
    Diameter
        The diameter with bounds on it. Times x with :math:`x \le 1 + e + P_a x` for all choices are at most 1 + e
        times the shortest ones, and those of a policy are at least the shortest ones.

    Raises
    ------
    ArithmeticError
        If times are too long for float64 to certify anything.

    References
    ----------
    :cite:`jaksch2010` definition 1; :cite:`bertsekas1991`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[1, 0], [0.75, 0.25]], [[1, 0], [0, 1]]], [[0, 0], [0, 0]])
    >>> found = diameter(mdp)
    >>> found.steps, found.start, found.target
    (4.0, 0, 1)
    """
    if mdp.states == 1:
        return Diameter(0.0, 0, 0, 0.0, 0.0)
    graph = Graph.of(mdp)
    if not is_communicating(mdp):
        start, target = _unreachable(graph)
        return Diameter(np.inf, start, target, np.inf, np.inf)
    laws, terms = normalised(mdp.transition_matrix), largest_support(mdp.transition_matrix)
    farthest = 0.0, 0, 0
    lower = upper = 0.0
    with sign_of_life(f"diameter of {mdp.states} states"):
        for target in range(mdp.states):
            elsewhere = graph.state_of_choice != target
            guess = _progress(graph, laws, target)[elsewhere]
            steps, below = best_steps(laws[elsewhere], graph.state_of_choice[elsewhere], guess, terms, sign=-1)
            lower, upper = max(lower, float(below.max())), max(upper, steps.longest)
            start = int(np.argmax(steps.times))
            farthest = max(farthest, (float(steps.times[start]), start, target))
    return Diameter(*farthest, lower, upper)


def _unreachable(graph: Graph) -> tuple[int, int]:
    """Two states with no way from the first to the second, one of which is state 0."""
    origins, ends = graph.origins, graph.successors
    onward = reached((origins, ends), np.array([0]), graph.states)
    if not onward.all():
        return 0, int(np.argmin(onward))
    return int(np.argmin(reached((ends, origins), np.array([0]), graph.states))), 0


def _progress(graph: Graph, laws: Laws, target: int) -> Vector:
    """For each choice that can lead nearer to the target, minus the expected number of moves left; else minus infinity.

    A policy of choices that can lead nearer arrives surely.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    edges = graph.successors, graph.origins
    backward = csr_array((np.ones(edges[0].size), edges), shape=(graph.states, graph.states))
    moves = shortest_path(backward, unweighted=True, indices=target)
    luckiest = np.minimum.reduceat(moves[graph.successors], graph.first_entry[:-1])
    return np.where(luckiest < moves[graph.state_of_choice], -(laws @ moves), -np.inf)


def best_steps(laws: Laws, owner: Indices, guess: Vector, terms: int, *, sign: int) -> tuple[Steps, Vector]:
    r"""Longest (sign 1) or shortest (sign -1) expected steps until the owners are left, by policy iteration.

    Parameters
    ----------
    laws : array, shape (C, S)
        Laws of the choices.
    owner : array of int, shape (C,)
        State of each choice, ascending. States without choices are the goal.
    guess : array, shape (C,)
        The first policy takes the choice of the largest number in each state. It must reach the goal surely; for the
        longest steps, every policy must.
    terms
        Largest number of terms in an expected value.
    sign
        1 or -1.

    Returns
    -------
    steps : Steps
        Those of the best policy found.
    beyond : array, shape (S,)
        Proved bound on the steps of every policy: from above for the longest, from below for the shortest.
    """
    starts = first_of_each(owner)
    states = owner[starts]
    policy = greedy(guess, starts)
    seen = set()
    while True:
        seen.add(policy.tobytes())
        steps = expected_steps(laws[policy], states, terms)
        values = sign * (1 + laws @ steps.times)
        better = greedy(values, starts)
        improved = values[better] > values[policy] + 2 * steps.excess
        policy = np.where(improved, better, policy)
        # Improvements that rounding feigns could go round in circles; the bound tells what they are worth.
        if policy.tobytes() in seen:
            break
    excess = float((values - sign * steps.times[owner]).max()) + evaluation_rounding(terms, steps.times)
    return steps, bounded(steps.times, -sign * max(excess, 0.0))


def first_of_each(groups: Indices) -> Indices:
    """Where each group starts in an ascending array of groups."""
    return np.append(0, np.flatnonzero(np.diff(groups)) + 1)


def greedy(values: Vector, starts: Indices) -> Indices:
    """Index of the first largest value in each group, of which the starts are given."""
    best = np.maximum.reduceat(values, starts)
    largest = np.flatnonzero(values == np.repeat(best, np.diff(np.append(starts, values.size))))
    first: Indices = largest[np.searchsorted(largest, starts)]
    return first
