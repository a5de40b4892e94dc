r"""Global optimism on tables: the plan of the most promising critic whose Bellman errors are small in sum.

With n visits of a choice at stage :math:`h = 1, \dots, H`, and the counts of what followed it over n + 1 for laws
:math:`\hat p`, the Bellman errors of a critic f are

.. math:: \xi_h(c) = f_h(c) - r_c - \langle \hat p_c, V_{h+1} \rangle, \qquad V_h(s) = \max_c f_h(c).

Among all f with :math:`\sum_c (n_h(c) + 1)\, \xi_h(c)^2 \le \beta^2` at each stage h < H, and no errors at the last,
the learner greedily follows that with the largest mean of :math:`V_1` over the first state. It is the largest, over
plans, of

.. math:: \sum_{h \le H} \langle d_h, r \rangle + \beta \sum_{h < H} \sqrt{\sum_c \frac{d_h(c)^2}{n_h(c) + 1}},

where :math:`d_h` is the occupancy of a plan under :math:`\hat p`. To maximise this convex function is hard in general;
here all plans are tried, which restricts the learner to very small processes. It plans anew when
:math:`\prod_c (n_h(c) + 1)` has doubled at some stage h < H.

Bonuses are the same with a box, :math:`|\xi_h(c)| \le \beta / \sqrt{n_h(c) + 1}`, around the ellipsoid: with indicators
of choices for features, those of :mod:`~rltheory.algorithms.episodes.lsvi_ucb`. Their optimism is larger, and easy to
find.

Paper: :cite:`zanette2020` for linear processes, :cite:`jin2021` for general critics. Departures: rare switching, and
values are not cut off.
"""

import math
from itertools import pairwise, product

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
    play_plan,
    world,
    write,
)
from rltheory.algorithms.episodes.ridge import has_doubled
from rltheory.arrays import Array, Times, Vector, count, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.trace import Trace

__all__ = ["global_optimism", "most_promising_plan", "theorem_radius"]

MOST_PLANS = 10**5


def theorem_radius(problem: FiniteHorizonMDP, *, episodes: int, delta: float = 0.05) -> float:
    r"""Radius :math:`\beta` with which the optimal values are among the critics, with probability :math:`1 - \delta`.

    It is :math:`R \sqrt C + \frac R2 \sqrt{C \log(1 + T / C) + 2 \log(H / \delta)}` with :math:`R = H - 1`. Unlike
    bonuses it need not hold for all values at once, only for the optimal ones.

    Examples
    --------
    >>> from rltheory.instances import diabolical_lock
    >>> round(theorem_radius(diabolical_lock(np.random.default_rng(0), 3, 2), episodes=1000), 3)
    11.138
    """
    choices, horizon = problem.choices, problem.horizon
    logs = choices * math.log1p(count(episodes, "episodes", at_least=1) / choices)
    logs += 2 * math.log(horizon / confidence(delta))
    return (horizon - 1) * (math.sqrt(choices) + math.sqrt(logs) / 2)


def most_promising_plan(
    problem: FiniteHorizonMDP, laws: Array, visits: Indices, radius: float
) -> tuple[Indices, float]:
    r"""Plan of the most promising critic, shape (H, S), and what it promises.

    Parameters
    ----------
    problem
        The process, whose laws are not used.
    laws : array, shape (H - 1, C, S)
        Believed laws :math:`\hat p \ge 0`.
    visits : array, shape (H - 1, C)
        Visits n.
    radius
        :math:`\beta \ge 0`.

    Raises
    ------
    ValueError
        If there are more than a hundred thousand plans.
    """
    first_choice = problem.stages[0].first_choice
    rewards = np.array([mdp.rewards for mdp in problem.stages])
    rules_of_stage = math.prod(np.diff(first_choice).tolist())
    if rules_of_stage ** len(laws) > MOST_PLANS:
        raise ValueError(
            f"there are {rules_of_stage}^{len(laws)} plans; global optimism tries all of them, at most {MOST_PLANS}"
        )
    rules = np.array(list(product(*map(range, first_choice, first_choice[1:]))))
    occupancy, promised = np.array(problem.initial)[None], np.zeros(1)
    for stage, believed in enumerate(laws):
        surprise = np.sqrt(occupancy**2 @ (1 / (visits[stage][rules] + 1)).T)
        promised = (promised[:, None] + occupancy @ rewards[stage][rules].T + radius * surprise).ravel()
        occupancy = np.einsum("ps,rst->prt", occupancy, believed[rules]).reshape(-1, problem.states)
    last = [int(first + rewards[-1][first:end].argmax()) for first, end in pairwise(first_choice)]
    promised = promised + occupancy @ rewards[-1][last]
    best = int(promised.argmax())
    places = np.unravel_index(best, (len(rules),) * len(laws)) if len(laws) else ()
    return np.array([*(rules[place] for place in places), last]), float(promised[best])


@kernel
def _follow(
    world: World,
    made: Indices,
    loss: float,
    value: float,
    switches: int,
    visits: Indices,
    moves: Indices,
    log_determinants: Vector,
    then: Vector,
    path: Path,
    episode: int,
    place: int,
    regret: float,
    times: Times,
    record: Record,
    rng: np.random.Generator,
) -> tuple[int, int, float]:
    """Play a plan until a determinant has doubled or the run ends; return the episode, the place and the regret."""
    stride = world.truth.stride
    due = False
    while not due and episode < times[-1]:
        play_plan(world, made, path, rng)
        for stage in range(path.choices.size):
            row = stage * stride + path.choices[stage]
            visits[row] += 1
            moves[path.entries[stage]] += 1
            if stage < then.size:
                log_determinants[stage] += math.log1p(1.0 / visits[row])
        regret += loss
        episode += 1
        if episode == times[place]:
            write(record, place, regret, loss, value, switches, visits)
            place += 1
        due = has_doubled(log_determinants, then)
    return episode, place, regret


def global_optimism(
    problem: FiniteHorizonMDP,
    *,
    episodes: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    scale: float = 1.0,
) -> Trace:
    r"""Run global optimism on a very small process. The learner knows the rewards.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1], and at most a hundred thousand plans for all stages but the last.
    episodes
        Number of episodes T >= 1, which the radius knows.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) that the optimal values are not among the critics.
    scale
        Multiplier > 0 of :func:`theorem_radius`; optimism is certain enough for 1.

    Returns
    -------
    Trace
        As :func:`~rltheory.algorithms.episodes.play.labelled` describes.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], there are too many plans, or a number is out of its range.

    References
    ----------
    :cite:`zanette2020`, :cite:`jin2021`

    Examples
    --------
    >>> from rltheory.instances import diabolical_lock
    >>> lock = diabolical_lock(np.random.default_rng(0), 3, 2)
    >>> trace = global_optimism(lock, episodes=2000, scale=0.1, rng=np.random.default_rng(0))
    >>> float(trace.last("suboptimality"))
    0.0
    """
    scale = positive(scale, "scale")
    times, record = empty_record(problem, episodes)
    radius = scale * theorem_radius(problem, episodes=episodes, delta=delta)
    process = world(problem)
    horizon, choices, states = problem.horizon, problem.choices, problem.states
    pointers = process.truth.first_entry
    row_of_entry = np.repeat(np.arange(horizon * choices), np.diff(pointers))
    visits, moves = np.zeros(horizon * choices, np.int64), np.zeros(row_of_entry.size, np.int64)
    log_determinants, losses = np.zeros(horizon - 1), np.zeros((horizon + 1, states))
    laws, path = np.zeros((horizon * choices, states)), empty_path(problem)
    made, loss, switches = np.full((horizon, states), -1), 0.0, -1
    episode, place, regret = 0, 1, 0.0
    while episode < episodes:
        laws[row_of_entry, process.truth.successors] = moves / (visits[row_of_entry] + 1)
        plan, value = most_promising_plan(
            problem, laws.reshape(horizon, choices, states)[:-1], visits.reshape(horizon, choices)[:-1], radius
        )
        if (plan != made).any():
            made, switches = plan, switches + 1
            loss = loss_of_plan(process, made, losses)
        episode, place, regret = _follow(
            process,
            made,
            loss,
            value,
            switches,
            visits,
            moves,
            log_determinants,
            log_determinants.copy(),
            path,
            episode,
            place,
            regret,
            times,
            record,
            rng,
        )
    name = "global optimism"
    return labelled(name if scale == 1 else f"{name}, radius x {scale:g}", times, record)
