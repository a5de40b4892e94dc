r"""Learning in episodes: what kernels know of a process over a finite horizon, how they play it, and what it costs.

Choice :math:`c` at stage :math:`h` is row ``h * stride + c`` of laws and counts. The stride is the number of choices C;
or it is 0, for learners that know that all stages have the same laws and count their visits together.

The regret after K episodes is the sum of what the policies lose that were played, :math:`\sum_k (V_1^* - V_1^{\pi_k})`,
not of what chance paid. What a policy loses is computed from the gaps of the optimal action values,

.. math:: L_h(s) = \sum_c \pi_h(c | s) \Bigl[ V_h^*(s) - Q_h^*(c) + \sum_{s'} p_h(s' | c)\, L_{h+1}(s') \Bigr],

a sum of numbers >= 0 that is exactly 0 for a plan whose choices are all computed as best.
"""

from typing import NamedTuple

import numpy as np

from rltheory.algorithms.sampling import cumulative_laws, draw
from rltheory.arrays import Matrix, Times, Vector, apart, count
from rltheory.jit import kernel
from rltheory.measures import action_gaps
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.solvers import backward_induction
from rltheory.trace import Trace, record_times

__all__ = [
    "Model",
    "Path",
    "Record",
    "World",
    "back_up",
    "empty_path",
    "empty_record",
    "labelled",
    "learn",
    "loss_of_plan",
    "loss_of_policy",
    "named",
    "play_plan",
    "play_policy",
    "promised",
    "unknown",
    "world",
    "write",
]


class Model(NamedTuple):
    """Rewards and laws, true or believed."""

    stride: int  # rows between a choice at one stage and at the next: C, or 0
    first_choice: Indices  # (S + 1,)
    rewards: Vector  # (R,)
    first_entry: Indices  # (R + 1,)
    successors: Indices  # (E,)
    probabilities: Vector  # (E,)


class World(NamedTuple):
    """The process itself."""

    truth: Model
    cumulative: Vector  # (E,), sums of the probabilities so far of a row
    initial: Vector  # (S,)
    cumulative_initial: Vector  # (S,)
    gaps: Matrix  # (H, C), what each choice loses, if all later ones are optimal


class Path(NamedTuple):
    """What an episode shows."""

    states: Indices  # (H + 1,)
    choices: Indices  # (H,)
    entries: Indices  # (H,), of the laws of the process: how each step ended


class Record(NamedTuple):
    """What a run leaves behind at each recorded time."""

    regret: Vector  # (points,)
    suboptimality: Vector  # (points,)
    value: Vector  # (points,)
    switches: Indices  # (points,)
    visits: Indices  # (points, C)


def world(problem: FiniteHorizonMDP, *, pooled: bool = False) -> World:
    """What kernels receive of a process with rewards in [0, 1].

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    pooled
        Whether all stages share their rows, which they can if they share their laws; otherwise there are H * C rows.

    Raises
    ------
    ValueError
        If a reward lies outside [0, 1]. The message names the stage and the choice.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 4)
    >>> world(problem).truth.rewards.size, world(problem, pooled=True).truth.rewards.size
    (24, 6)
    """
    stages = problem.stages[:1] if pooled else problem.stages
    for stage, mdp in enumerate(stages):
        outside = (mdp.rewards < 0) | (mdp.rewards > 1)
        if outside.any():
            choice = int(np.argmax(outside))
            raise ValueError(
                f"the reward of choice {choice} at stage {stage} is {mdp.rewards[choice]}; "
                f"learners in episodes are made for rewards in [0, 1]: scale them"
            )
    laws = cumulative_laws(stages)
    truth = Model(
        0 if pooled else problem.choices,
        laws.first_choice,
        np.concatenate([mdp.rewards for mdp in stages]),
        laws.first_entry,
        laws.successors,
        laws.probabilities,
    )
    gaps = action_gaps(problem.stages[0], backward_induction(problem).action_values)
    initial = np.array(problem.initial)
    return World(truth, laws.cumulative, initial, np.cumsum(initial), np.ascontiguousarray(gaps))


def unknown(truth: Model) -> Model:
    """Copy a model without its laws, of which a learner that has seen nothing believes nothing."""
    return truth._replace(probabilities=np.zeros(truth.probabilities.size))


def empty_path(problem: FiniteHorizonMDP) -> Path:
    """Room for an episode."""
    horizon = problem.horizon
    return apart(Path(np.empty(horizon + 1, np.int64), np.empty(horizon, np.int64), np.empty(horizon, np.int64)))


def empty_record(problem: FiniteHorizonMDP, episodes: int) -> tuple[Times, Record]:
    """Recorded times of a run of so many episodes, one at least, and room for the record."""
    times = record_times(count(episodes, "episodes", at_least=1))
    regret, suboptimality, value = (np.zeros(times.size) for _ in range(3))
    switches, visits = np.zeros(times.size, np.int64), np.zeros((times.size, problem.choices), np.int64)
    return times, Record(regret, suboptimality, value, switches, visits)


def labelled(algorithm: str, times: Times, record: Record, **of_stages: Matrix) -> Trace:
    """Record as a trace, with further arrays of shape (time, stage).

    After each recorded number of episodes: ``regret``, exact, of the policies played; ``suboptimality`` of the last of
    them; ``value``, what the learner expected of it from the start, or of the best one if it plans with maxima;
    ``switches``, how often plan or critic changed; ``visits``, shape (time, choice), over all stages.
    """
    record.suboptimality[0], record.value[0] = record.suboptimality[1], record.value[1]
    values = {
        name: (("time", "choice") if array.ndim == 2 else ("time",), array) for name, array in record._asdict().items()
    }
    values |= {name: (("time", "stage"), array) for name, array in of_stages.items()}
    return Trace(algorithm, times, values, clock="episode")


def named(algorithm: str, bonus: float) -> str:
    """Name of an algorithm with its bonuses multiplied by `bonus`."""
    return algorithm if bonus == 1 else f"{algorithm}, bonus x {bonus:g}"


@kernel
def play_plan(world: World, made: Indices, path: Path, rng: np.random.Generator) -> None:
    """Play an episode of a plan that makes choice ``made[h, s]``."""
    stride, first_entry, successors = world.truth.stride, world.truth.first_entry, world.truth.successors
    cumulative, starts = world.cumulative, world.cumulative_initial
    states, choices, entries = path
    state = draw(starts, 0, starts.size, rng)
    states[0] = state
    for stage in range(choices.size):
        choice = made[stage, state]
        row = stage * stride + choice
        entry = draw(cumulative, first_entry[row], first_entry[row + 1], rng)
        state = successors[entry]
        choices[stage], entries[stage], states[stage + 1] = choice, entry, state


@kernel
def play_policy(world: World, policy: Matrix, path: Path, rng: np.random.Generator) -> None:
    """Play an episode of a policy that makes choice c at stage h with probability ``policy[h, c]`` in its state."""
    stride, first_entry, successors = world.truth.stride, world.truth.first_entry, world.truth.successors
    first_choice, cumulative, starts = world.truth.first_choice, world.cumulative, world.cumulative_initial
    states, choices, entries = path
    state = draw(starts, 0, starts.size, rng)
    states[0] = state
    for stage in range(choices.size):
        choice = first_choice[state]
        level = rng.random() - policy[stage, choice]
        while level >= 0 and choice < first_choice[state + 1] - 1:
            choice += 1
            level -= policy[stage, choice]
        row = stage * stride + choice
        entry = draw(cumulative, first_entry[row], first_entry[row + 1], rng)
        state = successors[entry]
        choices[stage], entries[stage], states[stage + 1] = choice, entry, state


@kernel
def learn(model: Model, path: Path, visits: Indices, moves: Indices) -> None:
    """Count an episode, and write the empirical laws of the rows that it visited to the model."""
    stride, first_entry, probabilities = model.stride, model.first_entry, model.probabilities
    _, choices, entries = path
    for stage in range(choices.size):
        row = stage * stride + choices[stage]
        visits[row] += 1
        moves[entries[stage]] += 1
    for stage in range(choices.size):
        row = stage * stride + choices[stage]
        for entry in range(first_entry[row], first_entry[row + 1]):
            probabilities[entry] = moves[entry] / visits[row]


@kernel
def back_up(
    model: Model, bonuses: Vector, ceiling: Matrix, values: Matrix, action_values: Matrix, made: Indices
) -> bool:
    """Write the best plan of a model with bonuses; return whether it differs from the plan that was there.

    Action values above the ceiling, which may be the array of the old ones, are cut. Of equally good choices the one is
    made that was best before the cut, since choices that are hardly known are all cut to the same height; of those the
    first.
    """
    stride, first_choice, rewards, first_entry, successors, probabilities = model
    horizon, states = made.shape
    changed = False
    for stage in range(horizon - 1, -1, -1):
        for state in range(states):
            best, most, most_uncut = first_choice[state], -np.inf, -np.inf
            for choice in range(first_choice[state], first_choice[state + 1]):
                row = stage * stride + choice
                uncut = rewards[row] + bonuses[row]
                for entry in range(first_entry[row], first_entry[row + 1]):
                    uncut += probabilities[entry] * values[stage + 1, successors[entry]]
                total = min(uncut, ceiling[stage, choice])
                action_values[stage, choice] = total
                if total > most or (total == most and uncut > most_uncut):
                    best, most, most_uncut = choice, total, uncut
            values[stage, state] = most
            changed |= made[stage, state] != best
            made[stage, state] = best
    return changed


@kernel
def promised(world: World, values: Matrix) -> float:
    """Mean over the first state of numbers for each stage and state, shape (H + 1, S), at the first stage."""
    mean = 0.0
    for state in range(world.initial.size):
        mean += world.initial[state] * values[0, state]
    return mean


@kernel
def loss_of_plan(world: World, made: Indices, losses: Matrix) -> float:
    """What a plan loses from the start on; `losses`, shape (H + 1, S), ends with zeros."""
    stride, _, _, first_entry, successors, probabilities = world.truth
    gaps = world.gaps
    horizon, states = made.shape
    for stage in range(horizon - 1, -1, -1):
        for state in range(states):
            choice = made[stage, state]
            row = stage * stride + choice
            total = gaps[stage, choice]
            for entry in range(first_entry[row], first_entry[row + 1]):
                total += probabilities[entry] * losses[stage + 1, successors[entry]]
            losses[stage, state] = total
    return promised(world, losses)


@kernel
def loss_of_policy(world: World, policy: Matrix, losses: Matrix) -> float:
    """What a policy loses from the start on; `losses`, shape (H + 1, S), ends with zeros."""
    stride, first_choice, _, first_entry, successors, probabilities = world.truth
    gaps, states = world.gaps, world.initial.size
    for stage in range(policy.shape[0] - 1, -1, -1):
        for state in range(states):
            mean = 0.0
            for choice in range(first_choice[state], first_choice[state + 1]):
                row = stage * stride + choice
                total = gaps[stage, choice]
                for entry in range(first_entry[row], first_entry[row + 1]):
                    total += probabilities[entry] * losses[stage + 1, successors[entry]]
                mean += policy[stage, choice] * total
            losses[stage, state] = mean
    return promised(world, losses)


@kernel
def write(
    record: Record,
    place: int,
    regret: float,
    suboptimality: float,
    value: float,
    switches: int,
    visits: Indices,
) -> None:
    """Write what happened up to a recorded time, with the visits of all rows."""
    record.regret[place], record.suboptimality[place] = regret, suboptimality
    record.value[place], record.switches[place] = value, switches
    choices = record.visits.shape[1]
    for row in range(visits.size):
        record.visits[place, row % choices] += visits[row]
