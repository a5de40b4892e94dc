"""Kernels of GORP's bounds: the arms that are compared at each state, and what their bounds make of failures."""

from typing import NamedTuple

import numpy as np

from rltheory.arrays import Array, Matrix, Vector
from rltheory.jit import kernel
from rltheory.problems.mdp import Indices
from rltheory.solvers.effective_horizon import OPTIMALITY_TOLERANCE
from rltheory.solvers.selection_bounds import bennett, bernstein, berry_esseen, binomial

__all__ = ["DONE", "NOT_OPTIMAL", "Arms", "Room", "failures_of_nodes", "node_arms"]

NOT_OPTIMAL, DONE = -1, -2
# Bounds wider than this are worth a linear program.
WIDE = 0.01
# A bound this close to what no bound can fall below needs no further method.
NEGLIGIBLE = 1e-12


class Arms(NamedTuple):
    """What GORP compares at each state that optimal actions lead to; such states are nodes, by stage.

    Node n compares the arms ``first[n]`` to ``first[n + 1] - 1``, equal ones once.
    """

    stages: Indices  # (T + 1,), first node of each stage
    successors: Indices  # (N, A), node after an action, or NOT_OPTIMAL, or DONE after the last stage
    first: Indices  # (N + 1,)
    counts: Indices  # (M, A), how many of the equal arms begin with which action
    copies: Indices  # (M,), their sum
    mean: Vector
    highest: Vector
    lowest: Vector
    law: Indices  # (M,), number of the law, whose moments are the following two; none if arms are many
    deviation: Vector
    third_moment: Vector


class Room(NamedTuple):
    """Work space of one thread: for cells, for binomial laws, and for what follows the actions of a state."""

    cells: Matrix
    windows: Matrix
    lows: Indices
    of_action: Vector


@kernel
def node_arms(
    successors: Indices,
    rewards: Matrix,
    tables: Array,
    stage: int,
    state: int,
    k: int,
    path: Vector,
    parameters: Matrix,
    counts: Indices,
) -> int:
    """Write the distinct arms of a node and how many begin with which action; return their number.

    Parameters are one of each table: three values, from the beginning of an arm, and two moments at its end.
    """
    horizon, actions, size = tables.shape[1] - 1, successors.shape[1], 0
    of_first = actions ** (k - 1)
    length = min(k, horizon - stage)
    for sequence in range(actions**k):
        place, remaining, weight = state, sequence, of_first
        for step in range(length):
            action = remaining // weight
            remaining, weight = remaining % weight, max(1, weight // actions)
            path[step] = rewards[place, action]
            place = successors[place, action]
        for which in range(tables.shape[0]):
            number = tables[which, stage + length, place]
            if which < 3:
                for step in range(length - 1, -1, -1):
                    number += path[step]
            parameters[size, which] = number
        arm = 0
        while arm < size:
            same = True
            for which in range(tables.shape[0]):
                if parameters[arm, which] != parameters[size, which]:
                    same = False
                    break
            if same:
                break
            arm += 1
        if arm == size:
            size += 1
            for action in range(actions):
                counts[arm, action] = 0
        counts[arm, sequence // of_first] += 1
    return size


@kernel
def _worst_mixture(
    failures: Vector, counts: Indices, first: int, last: int, none: float, lower: Vector, upper: Vector
) -> float:
    """Largest probability of failure for selection probabilities within bounds, or a bound that is nearly as good.

    With probability `none`, for which bounds do not speak, any action is taken.
    """
    least, most, spent, top = 0.0, 0.0, none, 0.0
    for action in range(failures.size):
        top = max(top, failures[action])
        for i in range(first, last):
            least += counts[i, action] * lower[i] * failures[action]
            most += counts[i, action] * upper[i] * failures[action]
            spent += counts[i, action] * lower[i]
    most = min(most + none * top, top)
    if not most - least > WIDE:
        return most
    # What is left of probability 1 goes to the most harmful actions, as far as their bounds allow.
    left, worst, previous = 1 - spent, least + none * top, np.inf
    while left > 0:
        harm = -np.inf
        for action in range(failures.size):
            if failures[action] < previous:
                harm = max(harm, failures[action])
        if harm == -np.inf:
            break
        spare = 0.0
        for action in range(failures.size):
            if failures[action] == harm:
                for i in range(first, last):
                    spare += counts[i, action] * (upper[i] - lower[i])
        worst += harm * min(left, spare)
        left, previous = left - spare, harm
    return min(worst, top)


@kernel
def _add_deficit(copies: Indices, first: int, last: int, upper: Vector) -> None:
    """Where upper bounds sum to less than 1, add what is missing to each."""
    total = 0.0
    for i in range(first, last):
        total += copies[i] * upper[i]
    if total < 1:
        for i in range(first, last):
            upper[i] = min(1.0, upper[i] + 1 - total)


@kernel
def failures_of_nodes(
    arms: Arms,
    begin: int,
    end: int,
    episodes: float,
    binomial_episodes: int,
    slack: float,
    law_slack: float,
    published: bool,
    errors: Vector,
    quantiles: Matrix,
    normal: Vector,
    room: Room,
    lower: Vector,
    upper: Vector,
    failures: Vector,
) -> None:
    """Write bounds on the probability of failure from each of the nodes begin to end - 1 on, of one stage.

    Without binomial episodes, or without errors of laws, the methods that need them are left out.
    """
    successors, counts, copies = arms.successors, arms.counts, arms.copies
    mean, highest, lowest, law, deviation = arms.mean, arms.highest, arms.lowest, arms.law, arms.deviation
    cells, windows, lows, of_action = room.cells, room.windows, room.lows, room.of_action
    with_laws, with_binomial = errors.size > 0, binomial_episodes > 0
    for node in range(begin, end):
        first, last = arms.first[node], arms.first[node + 1]
        least, failure = 1.0, 0.0
        for action in range(of_action.size):
            after = successors[node, action]
            of_action[action] = failures[after] if after >= 0 else (1.0 if after == NOT_OPTIMAL else 0.0)
            least, failure = min(least, of_action[action]), max(failure, of_action[action])
        for method in range(4):
            if failure <= least + NEGLIGIBLE:
                break
            none = 0.0
            if method == 0:
                bennett(
                    mean,
                    highest,
                    lowest,
                    copies,
                    first,
                    last,
                    episodes,
                    slack,
                    OPTIMALITY_TOLERANCE,
                    lower,
                    upper,
                )
            elif method == 1 and with_binomial:
                none = binomial(
                    mean, copies, first, last, binomial_episodes, slack, normal, windows, lows, lower, upper
                )
            elif method == 2 and with_laws:
                berry_esseen(
                    mean,
                    deviation,
                    errors,
                    quantiles,
                    law,
                    copies,
                    first,
                    last,
                    episodes,
                    law_slack,
                    cells,
                    lower,
                    upper,
                )
            elif method == 3 and with_laws:
                bernstein(mean, highest, lowest, copies, first, last, episodes, slack, cells, lower, upper)
            else:
                continue
            if published:
                _add_deficit(copies, first, last, upper)
                none = 0.0
            failure = min(failure, _worst_mixture(of_action, counts, first, last, none, lower, upper))
        failures[node] = failure
