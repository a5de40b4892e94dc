r"""Q-learning with bonuses for episodes: optimism without a model.

After the t-th visit of choice c at stage h, which pays r and leads to state y,

.. math:: Q_h(c) \leftarrow (1 - \alpha_t) Q_h(c) + \alpha_t \bigl[ r + V_{h+1}(y) + b_t \bigr], \qquad
   \alpha_t = \frac{H + 1}{H + t}, \qquad b_t = \sqrt{H^3 \iota / t}, \qquad \iota = \log(C H K / \delta),

where :math:`V_h(s) = \min\{H, \max_c Q_h(c)\}`, all Q are H at first, and there are C choices and K episodes. The
policy is greedy. It does not change within an episode: an update concerns a stage that is over.

Paper: :cite:`jin2018`, Q-learning with UCB-Hoeffding, whose bonus has an unnamed constant, here 1.
"""

import math
from typing import NamedTuple

import numpy as np

from rltheory.algorithms.average_reward.ucrl import confidence
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
from rltheory.arrays import Matrix, Times, apart, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.trace import Trace

__all__ = ["episodic_q_learning"]


class State(NamedTuple):
    """What the learner knows."""

    visits: Indices  # (H * C,)
    values: Matrix  # (H + 1, S)
    action_values: Matrix  # (H, C)
    made: Indices  # (H, S), the first choice of largest action value


@kernel
def _run(
    world: World,
    state: State,
    scale: float,
    path: Path,
    losses: Matrix,
    times: Times,
    record: Record,
    rng: np.random.Generator,
) -> None:
    visits, values, action_values, made = state
    first_choice, rewards, stride = world.truth.first_choice, world.truth.rewards, world.truth.stride
    horizon = made.shape[0]
    regret, loss, switches, changed = 0.0, 0.0, -1, True
    for place in range(1, times.size):
        for _ in range(times[place - 1], times[place]):
            if changed:
                switches += 1
                loss = loss_of_plan(world, made, losses)
            regret += loss
            play_plan(world, made, path, rng)
            changed = False
            for stage in range(horizon):
                here, choice, reached = path.states[stage], path.choices[stage], path.states[stage + 1]
                row = stage * stride + choice
                visits[row] += 1
                rate = (horizon + 1) / (horizon + visits[row])
                target = rewards[row] + values[stage + 1, reached] + scale / math.sqrt(visits[row])
                action_values[stage, choice] += rate * (target - action_values[stage, choice])
                best = first_choice[here]
                for other in range(best + 1, first_choice[here + 1]):
                    if action_values[stage, other] > action_values[stage, best]:
                        best = other
                values[stage, here] = min(1.0 * horizon, action_values[stage, best])
                changed |= made[stage, here] != best
                made[stage, here] = best
        write(record, place, regret, loss, promised(world, values), switches, visits)


def episodic_q_learning(
    problem: FiniteHorizonMDP,
    *,
    episodes: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
) -> Trace:
    r"""Run Q-learning with bonuses after Hoeffding's inequality.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    episodes
        Number of episodes K >= 1, which the bonus knows.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) that the guarantee fails.
    bonus
        Multiplier > 0 of the bonus.

    Returns
    -------
    Trace
        As :func:`~rltheory.algorithms.episodes.play.labelled` describes; ``value`` is the mean of :math:`V_1` over the
        first state, after the last update.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`jin2018`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 6)
    >>> trace = episodic_q_learning(problem, episodes=100_000, bonus=0.02, rng=np.random.default_rng(0))
    >>> bool(trace.last("suboptimality") < 0.01)
    True
    """
    delta, bonus = confidence(delta), positive(bonus, "bonus")
    times, record = empty_record(problem, episodes)
    horizon, states, choices = problem.horizon, problem.states, problem.choices
    values = np.full((horizon + 1, states), float(horizon))
    values[-1] = 0
    state = State(
        visits=np.zeros(horizon * choices, np.int64),
        values=values,
        action_values=np.full((horizon, choices), float(horizon)),
        made=np.tile(problem.stages[0].first_choice[:-1], (horizon, 1)),
    )
    scale = bonus * math.sqrt(horizon**3 * math.log(choices * horizon * episodes / delta))
    losses = np.zeros((horizon + 1, states))
    _run(world(problem), apart(state), scale, empty_path(problem), apart(losses), times, record, rng)
    return labelled(named("Q-learning with bonuses", bonus), times, record)
