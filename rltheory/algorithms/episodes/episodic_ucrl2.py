r"""UCRL2 for episodes: backward induction for the best of all processes that the data do not rule out.

With empirical laws :math:`\hat p`, n visits of a choice, and :math:`L = S \log 2 + \log(C H K / \delta)` for S states,
C choices and K episodes, the plan is greedy for

.. math:: Q_h(c) = r_c + \max \Bigl\{ \langle q, V_{h+1} \rangle : q \in \Delta_S,\;
   \|q - \hat p_c\|_1 \le \sqrt{\frac{2 L}{n}} \Bigr\}, \qquad V_h(s) = \max_c Q_h(c),

where q is any law if n = 0. It is made anew after an episode in which some choice came to be visited twice as often as
when it was last made, or for the first time. If all stages are the same process, the learner knows it and counts their
visits together; otherwise each stage has laws and counts of its own.

Paper: :cite:`jaksch2010`. Departures: episodes in place of one endless run, so that the extended value iteration is
backward induction; an epoch ends with an episode; rewards are known; the radius is the one for which the inequality of
:cite:`weissman2003` and a union over choices and numbers of visits give probability 1 - :math:`\delta`.
"""

import numpy as np

from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.algorithms.episodes.nora import scale_of_bonuses
from rltheory.algorithms.episodes.play import (
    Path,
    Record,
    World,
    empty_path,
    empty_record,
    labelled,
    loss_of_plan,
    named,
    play_plan,
    promised,
    world,
    write,
)
from rltheory.arrays import Array, Matrix, Times, Vector, apart, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.solvers.optimism import largest_means_within_distances, sort_states
from rltheory.trace import Trace

__all__ = ["episodic_ucrl2"]


@kernel
def _plan(
    world: World,
    columns: Array,
    radii: Array,
    values: Matrix,
    made: Indices,
    order: Indices,
    left: Vector,
    means: Vector,
) -> bool:
    """Write the best plan of the best plausible process; return whether it differs from the plan that was there."""
    stride, first_choice, rewards = world.truth.stride, world.truth.first_choice, world.truth.rewards
    changed = False
    for stage in range(made.shape[0] - 1, -1, -1):
        known = stage if stride > 0 else 0
        sort_states(values[stage + 1], order)
        largest_means_within_distances(columns[known], radii[known], values[stage + 1], order, left, means)
        for state in range(first_choice.size - 1):
            best, most = first_choice[state], -np.inf
            for choice in range(first_choice[state], first_choice[state + 1]):
                total = rewards[stage * stride + choice] + means[choice]
                if total > most:
                    best, most = choice, total
            values[stage, state] = most
            changed |= made[stage, state] != best
            made[stage, state] = best
    return changed


@kernel
def _run(
    world: World,
    moves: Array,
    columns: Array,
    radii: Array,
    scale: float,
    visits: Indices,
    visits_then: Indices,
    values: Matrix,
    made: Indices,
    order: Indices,
    left: Vector,
    means: Vector,
    path: Path,
    losses: Matrix,
    times: Times,
    record: Record,
    rng: np.random.Generator,
) -> None:
    stride, (stages, states, choices) = world.truth.stride, moves.shape
    regret, loss, switches, due = 0.0, 0.0, -1, True
    for place in range(1, times.size):
        for _ in range(times[place - 1], times[place]):
            if due:
                for known in range(stages):
                    for choice in range(choices):
                        row = known * stride + choice
                        visits_then[row] = visits[row]
                        if visits[row] > 0:
                            radii[known, choice, 0] = scale / np.sqrt(visits[row])
                            for state in range(states):
                                columns[known, state, choice] = moves[known, state, choice] / visits[row]
                if _plan(world, columns, radii, values, made, order, left, means):
                    switches += 1
                    loss = loss_of_plan(world, made, losses)
            regret += loss
            play_plan(world, made, path, rng)
            for stage in range(path.choices.size):
                known, choice = stage if stride > 0 else 0, path.choices[stage]
                visits[known * stride + choice] += 1
                moves[known, path.states[stage + 1], choice] += 1
            due = False
            for stage in range(path.choices.size):
                row = stage * stride + path.choices[stage]
                due |= visits[row] >= max(1, 2 * visits_then[row])
        write(record, place, regret, loss, promised(world, values), switches, visits)


def episodic_ucrl2(
    problem: FiniteHorizonMDP,
    *,
    episodes: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
) -> Trace:
    r"""Run UCRL2 in episodes. The learner knows the rewards.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    episodes
        Number of episodes K >= 1, which the radii know.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) that some true law is not plausible.
    bonus
        Multiplier > 0 of all radii; with less than 1 true laws may be left out more often. The name of the algorithm in
        the trace tells it, unless it is 1.

    Returns
    -------
    Trace
        As :func:`~rltheory.algorithms.episodes.play.labelled` describes; ``value`` is the mean of :math:`V_1` over the
        first state, at least the optimal value if all true laws are plausible.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`jaksch2010`, :cite:`weissman2003`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 6)
    >>> trace = episodic_ucrl2(problem, episodes=10_000, bonus=0.3, rng=np.random.default_rng(0))
    >>> bool(trace.last("suboptimality") == 0)
    True
    """
    delta, bonus = confidence(delta), positive(bonus, "bonus")
    times, record = empty_record(problem, episodes)
    process = world(problem, pooled=problem.stride == 0)
    horizon, states, choices = problem.horizon, problem.states, problem.choices
    rows = process.truth.rewards.size
    values = np.zeros((horizon + 1, states))
    _run(
        process,
        apart(np.zeros((rows // choices, states, choices))),
        apart(np.zeros((rows // choices, states, choices))),
        apart(np.full((rows // choices, choices, 1), np.inf)),
        2 * bonus * scale_of_bonuses(problem, episodes, delta),
        apart(np.zeros(rows, np.int64)),
        apart(np.zeros(rows, np.int64)),
        apart(values),
        apart(np.full((horizon, states), -1)),
        apart(np.arange(states)),
        apart(np.empty(choices)),
        apart(np.empty(choices)),
        empty_path(problem),
        apart(np.zeros_like(values)),
        times,
        record,
        rng,
    )
    return labelled(named("UCRL2 in episodes", bonus), times, record)
