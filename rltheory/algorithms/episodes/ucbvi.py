r"""UCBVI: backward induction on empirical laws with bonuses, before each episode.

With empirical laws :math:`\hat p` and n visits of a choice,

.. math:: Q_h(c) = \min\bigl\{ Q_h^{\text{old}}(c),\; H,\; r_c + \langle \hat p_c, V_{h+1} \rangle + b_h(c) \bigr\},
   \qquad V_h(s) = \max_c Q_h(c),

H for choices never made. Of choices that are equally good after the cut, the one is made that was best before. With S
states, C choices in all, K episodes and :math:`L = \log(5 C H K / \delta)`, the bonus after Hoeffding is
:math:`7 H L / \sqrt n`, and the one after Bernstein, where :math:`N_{h+1}(y)` counts the episodes in which stage h + 1
began in y,

.. math:: b_h(c) = \sqrt{\frac{8 L}{n} \operatorname{Var}_{\hat p_c}(V_{h+1})} + \frac{14 H L}{3 n}
   + \sqrt{\frac{8}{n} \sum_y \hat p_c(y) \min\Bigl\{ \frac{100^2 H^3 S C L^2}{N_{h+1}(y)},\; H^2 \Bigr\}}.

If all stages are the same process, the learner knows it and counts their visits together, as in the paper; otherwise
each stage has counts of its own.

Paper: :cite:`azar2017`, UCBVI-CH and UCBVI-BF. The constants are recalled and not checked. Departures: states may have
different numbers of actions, and stages may differ.
"""

import math
from typing import NamedTuple

import numpy as np

from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.algorithms.episodes.play import (
    Model,
    Path,
    Record,
    World,
    back_up,
    empty_path,
    empty_record,
    labelled,
    learn,
    loss_of_plan,
    named,
    play_plan,
    promised,
    unknown,
    world,
    write,
)
from rltheory.arrays import Matrix, Times, Vector, apart, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.trace import Trace

__all__ = ["ucbvi_bernstein", "ucbvi_hoeffding"]


class State(NamedTuple):
    """What the learner knows and plans."""

    belief: Model
    visits: Indices  # (R,)
    moves: Indices  # (E,)
    arrivals: Indices  # (H + 1, S), episodes in which a stage began in a state
    bonuses: Vector  # (R,), after Hoeffding; infinite for choices never made
    values: Matrix  # (H + 1, S)
    action_values: Matrix  # (H, C)
    made: Indices  # (H, S), the plan


class Params(NamedTuple):
    """Numbers that bonuses are made of."""

    bonus: float  # > 0, multiplies all bonuses
    log: float  # L
    bernstein: bool


@kernel
def _back_up_by_bernstein(state: State, params: Params) -> bool:
    """Write the plan that stands on bonuses after Bernstein; return whether it is a new one."""
    stride, first_choice, rewards, first_entry, successors, probabilities = state.belief
    visits, arrivals, values, action_values, made = (
        state.visits,
        state.arrivals,
        state.values,
        state.action_values,
        state.made,
    )
    bonus, log = params.bonus, params.log
    horizon, states = made.shape
    of_arrivals = 100.0**2 * horizon**3 * states * action_values.shape[1] * log**2
    changed = False
    for stage in range(horizon - 1, -1, -1):
        for here in range(states):
            best, most, most_uncut = first_choice[here], -np.inf, -np.inf
            for choice in range(first_choice[here], first_choice[here + 1]):
                row, target = stage * stride + choice, np.inf
                if visits[row] > 0:
                    mean = square = correction = 0.0
                    for entry in range(first_entry[row], first_entry[row + 1]):
                        probability, reached = probabilities[entry], successors[entry]
                        if probability > 0:
                            mean += probability * values[stage + 1, reached]
                            square += probability * values[stage + 1, reached] ** 2
                            seen = max(arrivals[stage + 1, reached], 1)
                            correction += probability * min(of_arrivals / seen, 1.0 * horizon**2)
                    spread = math.sqrt(8 * log * max(square - mean**2, 0.0) / visits[row])
                    spread += 14 * horizon * log / (3 * visits[row]) + math.sqrt(8 * correction / visits[row])
                    target = rewards[row] + mean + bonus * spread
                    action_values[stage, choice] = min(action_values[stage, choice], target)
                total = action_values[stage, choice]
                if total > most or (total == most and target > most_uncut):
                    best, most, most_uncut = choice, total, target
            values[stage, here] = most
            changed |= made[stage, here] != best
            made[stage, here] = best
    return changed


@kernel
def _run(
    world: World,
    state: State,
    params: Params,
    path: Path,
    losses: Matrix,
    times: Times,
    record: Record,
    rng: np.random.Generator,
) -> None:
    belief, visits, moves, arrivals, bonuses, values, action_values, made = state
    horizon, stride = path.choices.size, belief.stride
    of_hoeffding = params.bonus * 7 * horizon * params.log
    regret, loss, switches = 0.0, 0.0, -1
    for place in range(1, times.size):
        for _ in range(times[place - 1], times[place]):
            if params.bernstein:
                changed = _back_up_by_bernstein(state, params)
            else:
                changed = back_up(belief, bonuses, action_values, values, action_values, made)
            if changed:
                switches += 1
                loss = loss_of_plan(world, made, losses)
            regret += loss
            play_plan(world, made, path, rng)
            learn(belief, path, visits, moves)
            for stage in range(horizon):
                row = stage * stride + path.choices[stage]
                bonuses[row] = of_hoeffding / math.sqrt(visits[row])
                arrivals[stage + 1, path.states[stage + 1]] += 1
        write(record, place, regret, loss, promised(world, values), switches, visits)


def _ucbvi(
    name: str,
    problem: FiniteHorizonMDP,
    episodes: int,
    rng: np.random.Generator,
    delta: float,
    bonus: float,
    bernstein: bool,
) -> Trace:
    delta, bonus = confidence(delta), positive(bonus, "bonus")
    times, record = empty_record(problem, episodes)
    horizon, states, choices = problem.horizon, problem.states, problem.choices
    process = world(problem, pooled=problem.stride == 0)
    rows = process.truth.rewards.size
    state = State(
        belief=unknown(process.truth),
        visits=np.zeros(rows, np.int64),
        moves=np.zeros(process.truth.successors.size, np.int64),
        arrivals=np.zeros((horizon + 1, states), np.int64),
        bonuses=np.full(rows, np.inf),
        values=np.zeros((horizon + 1, states)),
        action_values=np.full((horizon, choices), float(horizon)),
        made=np.full((horizon, states), -1),
    )
    params = Params(bonus, math.log(5 * choices * horizon * episodes / delta), bernstein)
    losses = np.zeros((horizon + 1, states))
    _run(process, apart(state), params, empty_path(problem), apart(losses), times, record, rng)
    return labelled(named(name, bonus), times, record)


def ucbvi_hoeffding(
    problem: FiniteHorizonMDP,
    *,
    episodes: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
) -> Trace:
    r"""Run UCBVI with bonuses after Hoeffding's inequality. The learner knows the rewards.

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
        Multiplier > 0 of the bonus; the paper's guarantee is for 1.

    Returns
    -------
    Trace
        As :func:`~rltheory.algorithms.episodes.play.labelled` describes.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`azar2017`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 6)
    >>> trace = ucbvi_hoeffding(problem, episodes=10_000, bonus=0.01, rng=np.random.default_rng(0))
    >>> bool(trace.last("suboptimality") == 0)
    True
    """
    return _ucbvi("UCBVI, Hoeffding", problem, episodes, rng, delta, bonus, bernstein=False)


def ucbvi_bernstein(
    problem: FiniteHorizonMDP,
    *,
    episodes: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
) -> Trace:
    r"""Run UCBVI with bonuses after Bernstein's inequality. Parameters as in :func:`ucbvi_hoeffding`.

    References
    ----------
    :cite:`azar2017`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 6)
    >>> trace = ucbvi_bernstein(problem, episodes=10_000, bonus=0.05, rng=np.random.default_rng(0))
    >>> bool(trace.last("suboptimality") == 0)
    True
    """
    return _ucbvi("UCBVI, Bernstein", problem, episodes, rng, delta, bonus, bernstein=True)
