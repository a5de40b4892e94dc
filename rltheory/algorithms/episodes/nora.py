r"""NORA on tables: an optimistic critic that changes rarely, and an actor that starts again whenever it does.

With n visits of a choice at stage :math:`h = 1, \dots, H`, empirical laws :math:`\hat p` and
:math:`L = S \log 2 + \log(C H K / \delta)`, for S states, C choices and K episodes, the critic is

.. math:: f_h(c) = \min\{H - h + 1,\; r_c + \langle \hat p_c, V_{h+1} \rangle + b_h(c)\}, \quad
   V_h(s) = \max_c f_h(c), \quad b_h(c) = (H - h) \min\Bigl\{1, \sqrt{\frac{L}{2 n}}\Bigr\}.

It is made anew after an episode in which some choice at some stage came to be visited twice as often as when it was
last made, or for the first time. The actor is k steps of multiplicative weights with this critic, from uniform play,
where k counts the episodes since:

.. math:: \pi_h(c | s) \propto e^{\eta k f_h(c)}.

Hybrid NORA begins with offline data, whose transitions n counts too. Where they cover what a good policy does, it needs
no bonus.

Paper: :cite:`tan2025`. Departures: bonuses in place of a set of critics among which the most optimistic is sought,
which is hard; and visits that double in place of a test of Bellman errors.
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
    loss_of_policy,
    named,
    play_policy,
    promised,
    unknown,
    world,
    write,
)
from rltheory.arrays import Matrix, Times, Vector, apart, not_negative, positive
from rltheory.exponential import exponential
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP, OfflineData
from rltheory.problems.mdp import Indices
from rltheory.simplex import LOWEST_EXPONENT
from rltheory.trace import Trace

__all__ = ["Critic", "boltzmann", "new_critic", "nora", "scale_of_bonuses", "update_bonuses"]


class Critic(NamedTuple):
    """What the learner knows, and how it judges choices."""

    belief: Model
    visits: Indices  # (R,)
    moves: Indices  # (E,)
    bonuses: Vector  # (R,)
    ceiling: Matrix  # (H, C), H - h + 1
    values: Matrix  # (H + 1, S)
    action_values: Matrix  # (H, C), the critic f


def new_critic(problem: FiniteHorizonMDP, truth: Model, bonus: float) -> Critic:
    """Make the critic of a learner that has seen nothing: its bonuses are the largest, unless there shall be none."""
    horizon, choices = problem.horizon, problem.choices
    to_go = np.arange(horizon - 1, -1, -1.0)
    critic = Critic(
        belief=unknown(truth),
        visits=np.zeros(horizon * choices, np.int64),
        moves=np.zeros(truth.successors.size, np.int64),
        bonuses=np.repeat(to_go, choices) if bonus > 0 else np.zeros(horizon * choices),
        ceiling=np.tile(to_go[:, None] + 1, choices),
        values=np.zeros((horizon + 1, problem.states)),
        action_values=np.zeros((horizon, choices)),
    )
    return apart(critic)


def count_offline(critic: Critic, data: OfflineData, bonus: float, scale: float) -> None:
    """Count offline data as if the learner had seen them."""
    belief, visits, moves, bonuses, *_ = critic
    visits[:] = data.visits.ravel()
    row = np.repeat(np.arange(visits.size), np.diff(belief.first_entry))
    moves[:] = data.transitions.reshape(visits.size, -1)[row, belief.successors]
    seen = visits > 0
    np.divide(moves, visits[row], out=belief.probabilities, where=seen[row])
    bonuses[seen] *= np.minimum(1.0, bonus * scale / np.sqrt(visits[seen]))


def scale_of_bonuses(problem: FiniteHorizonMDP, episodes: int, delta: float) -> float:
    r""":math:`\sqrt{L / 2}`, by which bonuses fall with the root of visits."""
    states, rows = problem.states, problem.horizon * problem.choices
    return math.sqrt((states * math.log(2) + math.log(rows * episodes / delta)) / 2)


@kernel
def update_bonuses(critic: Critic, path: Path, bonus: float, scale: float) -> None:
    """Write the bonuses of the rows that an episode has visited."""
    visits, bonuses, stride = critic.visits, critic.bonuses, critic.belief.stride
    horizon = path.choices.size
    for stage in range(horizon):
        row = stage * stride + path.choices[stage]
        bonuses[row] = (horizon - 1 - stage) * min(1.0, bonus * scale / math.sqrt(visits[row]))


@kernel
def boltzmann(first_choice: Indices, logits: Matrix, steepness: float, policy: Matrix) -> None:
    """Write the policy with probabilities in proportion to ``exp(steepness * logits)``; logits are <= 0, the best 0."""
    for stage in range(policy.shape[0]):
        for choice in range(policy.shape[1]):
            policy[stage, choice] = exponential(max(steepness * logits[stage, choice], LOWEST_EXPONENT))
        for state in range(first_choice.size - 1):
            total = 0.0
            for choice in range(first_choice[state], first_choice[state + 1]):
                total += policy[stage, choice]
            share = 1 / total
            for choice in range(first_choice[state], first_choice[state + 1]):
                policy[stage, choice] *= share


@kernel
def _run(
    world: World,
    critic: Critic,
    eta: float,
    bonus: float,
    scale: float,
    advantages: Matrix,
    policy: Matrix,
    made: Indices,
    visits_then: Indices,
    path: Path,
    losses: Matrix,
    times: Times,
    record: Record,
    rng: np.random.Generator,
) -> None:
    belief, visits, moves, bonuses, ceiling, values, action_values = critic
    first_choice, stride = belief.first_choice, belief.stride
    horizon, states = made.shape
    regret, loss, switches, actor_steps, due = 0.0, 0.0, -1, 0, True
    for place in range(1, times.size):
        for _ in range(times[place - 1], times[place]):
            if due:
                back_up(belief, bonuses, ceiling, values, action_values, made)
                for stage in range(horizon):
                    for state in range(states):
                        for choice in range(first_choice[state], first_choice[state + 1]):
                            advantages[stage, choice] = action_values[stage, choice] - values[stage, state]
                for row in range(visits.size):
                    visits_then[row] = visits[row]
                switches += 1
                actor_steps = 0
            boltzmann(first_choice, advantages, eta * actor_steps, policy)
            loss = loss_of_policy(world, policy, losses)
            regret += loss
            play_policy(world, policy, path, rng)
            learn(belief, path, visits, moves)
            update_bonuses(critic, path, bonus, scale)
            actor_steps += 1
            due = False
            for stage in range(horizon):
                row = stage * stride + path.choices[stage]
                due |= visits[row] >= max(1, 2 * visits_then[row])
        write(record, place, regret, loss, promised(world, values), switches, visits)


def nora(
    problem: FiniteHorizonMDP,
    *,
    episodes: int,
    rng: np.random.Generator,
    eta: float = 1.0,
    delta: float = 0.05,
    bonus: float = 1.0,
    offline: OfflineData | None = None,
) -> Trace:
    r"""Run NORA (no-regret optimistic rare-switching actor-critic) on tables. The learner knows the rewards.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    episodes
        Number of episodes K >= 1, which the bonus knows.
    rng
        Source of randomness.
    eta
        Step size :math:`\eta > 0` of the actor, in 1 / reward; the larger, the more greedy it is.
    delta
        Probability in (0, 1) that bonuses are too small.
    bonus
        Multiplier >= 0 of the root in the bonus, which stays at most H - h, and is H - h for choices never made. The
        guarantee is for 1; with 0 there is no bonus at all, and the learner does not explore.
    offline
        What is known of the same process before the first episode.

    Returns
    -------
    Trace
        As :func:`~rltheory.algorithms.episodes.play.labelled` describes; ``value`` is the mean of :math:`V_1` over the
        first state, an upper bound of the optimal value if bonuses are large enough. Visits are those of the episodes.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], a number is out of its range, or `offline` is of another process.

    References
    ----------
    :cite:`tan2025`, :cite:`tan2024`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 6)
    >>> trace = nora(problem, episodes=10_000, bonus=0.3, rng=np.random.default_rng(0))
    >>> bool(trace.last("suboptimality") < 1e-3)
    True

    Thirty trajectories of somebody who mostly knows the way spare a lock 9500 failures:

    >>> from rltheory.instances import diabolical_lock
    >>> from rltheory.problems import offline_data, uniform_policy
    >>> from rltheory.solvers import backward_induction
    >>> lock = diabolical_lock(np.random.default_rng(0), 8, 4)
    >>> expert = 0.9 * backward_induction(lock).policy + 0.1 * uniform_policy(lock.stages[0])
    >>> data = offline_data(lock, expert, 30, np.random.default_rng(1))
    >>> for known in (None, data):
    ...     trace = nora(lock, episodes=10_000, bonus=0.0, offline=known, rng=np.random.default_rng(0))
    ...     print(trace.algorithm, round(trace.last("regret"), -2))
    NORA, bonus x 0 9500.0
    hybrid NORA, bonus x 0 200.0
    """
    eta, delta, bonus = positive(eta, "eta"), confidence(delta), not_negative(bonus, "bonus")
    times, record = empty_record(problem, episodes)
    process = world(problem)
    scale = scale_of_bonuses(problem, episodes, delta)
    critic = new_critic(problem, process.truth, bonus)
    if offline is not None:
        if offline.problem != problem:
            raise ValueError(f"offline is of {offline.problem}; it must be of the process to learn, {problem}")
        count_offline(critic, offline, bonus, scale)
    advantages, policy = apart(np.empty_like(critic.action_values)), apart(np.zeros_like(critic.action_values))
    _run(
        process,
        critic,
        eta,
        bonus,
        scale,
        advantages,
        policy,
        apart(np.full((problem.horizon, problem.states), -1)),
        apart(np.zeros_like(critic.visits)),
        empty_path(problem),
        apart(np.zeros_like(critic.values)),
        times,
        record,
        rng,
    )
    if offline is not None:
        record.visits[1:] -= offline.visits.sum(axis=0)
    return labelled(named("NORA" if offline is None else "hybrid NORA", bonus), times, record)
