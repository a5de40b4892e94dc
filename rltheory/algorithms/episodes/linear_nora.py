r"""NORA for linear processes: an optimistic critic that changes rarely, and an actor that starts again when it does.

The critic f is that of :mod:`~rltheory.algorithms.episodes.ridge`. It is made anew after an episode in which the
determinant of :math:`\Lambda_h` has come to be twice what it was when the critic was made, for some stage h < H. The
actor is k steps of multiplicative weights with this critic, from uniform play, where k counts the episodes since:

.. math:: \pi_h(c | s) \propto e^{\eta k f_h(c)}.

As the critic is made with maxima, and not with the actor's policies, what it can be does not grow with the number of
steps; the bonus has to hold for all that it can be.

Paper: :cite:`tan2025`. Departures: bonuses in place of a set of critics among which the most optimistic is sought,
which is hard; and determinants that double in place of a test of Bellman errors.
"""

import numpy as np

from rltheory.algorithms.episodes.nora import boltzmann
from rltheory.algorithms.episodes.play import (
    Path,
    Record,
    World,
    empty_path,
    empty_record,
    labelled,
    named,
    play_policy,
    promised,
    world,
    write,
)
from rltheory.algorithms.episodes.ridge import (
    LinearCritic,
    absorb,
    has_doubled,
    new_linear_critic,
    refit,
    theorem_bonus,
)
from rltheory.arrays import Matrix, Times, Vector, apart, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP, LinearMDP
from rltheory.problems.mdp import Indices
from rltheory.simplex import LOWEST_EXPONENT
from rltheory.trace import Trace

__all__ = ["linear_nora"]


@kernel
def _loss_of_policy(world: World, measures: Matrix, critic: LinearCritic, policy: Matrix, losses: Matrix) -> float:
    """What a policy loses from the start on, by d (S + C) products a stage; `losses` ends with zeros."""
    first_choice, features, ahead, gaps = critic.first_choice, critic.features, critic.spare, world.gaps
    dimension, states = measures.shape
    for stage in range(policy.shape[0] - 1, -1, -1):
        for i in range(dimension):
            ahead[i] = 0.0
            for state in range(states):
                ahead[i] += measures[i, state] * losses[stage + 1, state]
        for state in range(states):
            mean = 0.0
            for choice in range(first_choice[state], first_choice[state + 1]):
                total = gaps[stage, choice]
                for i in range(dimension):
                    total += features[choice, i] * ahead[i]
                mean += policy[stage, choice] * total
            losses[stage, state] = mean
    return promised(world, losses)


@kernel
def _run(
    world: World,
    measures: Matrix,
    critic: LinearCritic,
    eta: float,
    beta: float,
    advantages: Matrix,
    policy: Matrix,
    then: Vector,
    visits: Indices,
    path: Path,
    losses: Matrix,
    times: Times,
    record: Record,
    log_determinants: Matrix,
    rng: np.random.Generator,
) -> None:
    first_choice, values, action_values, now = (
        critic.first_choice,
        critic.values,
        critic.action_values,
        critic.log_determinants,
    )
    choices, horizon, states = path.choices, action_values.shape[0], first_choice.size - 1
    regret, loss, switches, actor_steps, due, least_gap, still = 0.0, 0.0, -1, 0, True, np.inf, False
    for place in range(1, times.size):
        for _ in range(times[place - 1], times[place]):
            if due:
                refit(critic, beta)
                least_gap = np.inf
                for stage in range(horizon):
                    for state in range(states):
                        for choice in range(first_choice[state], first_choice[state + 1]):
                            advantage = action_values[stage, choice] - values[stage, state]
                            advantages[stage, choice] = advantage
                            if advantage < 0:
                                least_gap = min(least_gap, -advantage)
                for stage in range(then.size):
                    then[stage] = now[stage]
                switches += 1
                actor_steps, still = 0, False
            if not still:
                boltzmann(first_choice, advantages, eta * actor_steps, policy)
                loss = _loss_of_policy(world, measures, critic, policy, losses)
                still = eta * actor_steps >= -LOWEST_EXPONENT / least_gap
            regret += loss
            play_policy(world, policy, path, rng)
            absorb(critic, path)
            for stage in range(horizon):
                visits[choices[stage]] += 1
            actor_steps += 1
            due = has_doubled(now, then)
        write(record, place, regret, loss, promised(world, values), switches, visits)
        for stage in range(then.size):
            log_determinants[place, stage] = now[stage]


def linear_nora(
    problem: LinearMDP,
    *,
    horizon: int,
    episodes: int,
    rng: np.random.Generator,
    eta: float = 1.0,
    delta: float = 0.05,
    bonus: float = 1.0,
    regularization: float = 1.0,
) -> Trace:
    r"""Run NORA on a linear process of a finite horizon. The learner knows features and rewards.

    Parameters
    ----------
    problem
        The process of every stage; rewards in [0, 1].
    horizon
        Number of stages H >= 1.
    episodes
        Number of episodes T >= 1, which the bonus knows.
    rng
        Source of randomness.
    eta
        Step size :math:`\eta > 0` of the actor, in 1 / reward; the larger, the more greedy it is.
    delta
        Probability in (0, 1) that bonuses are too small.
    bonus
        Multiplier >= 0 of :func:`~rltheory.algorithms.episodes.ridge.theorem_bonus`; the guarantee is for 1, and
        without bonus the learner does not explore.
    regularization
        :math:`\lambda > 0`; the guarantee is for 1 and more.

    Returns
    -------
    Trace
        As :func:`~rltheory.algorithms.episodes.play.labelled` describes; ``value`` is the mean of :math:`V_1` over the
        first state, an upper bound of the optimal value if bonuses are large enough. Besides, ``log_determinants``,
        shape (time, stage), of :math:`\Lambda_h / \lambda` for all stages but the last.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`tan2025`

    Examples
    --------
    >>> from rltheory.instances import random_linear_mdp
    >>> linear = random_linear_mdp(np.random.default_rng(0), 20, 3, 3)
    >>> trace = linear_nora(linear, horizon=4, episodes=2000, eta=10.0, bonus=0.03, rng=np.random.default_rng(0))
    >>> bool(trace.last("suboptimality") < 1e-3)
    True
    """
    eta, bonus = positive(eta, "eta"), not_negative(bonus, "bonus")
    regularization = positive(regularization, "regularization")
    episodic = FiniteHorizonMDP.stationary(problem.tabular, horizon)
    times, record = empty_record(episodic, episodes)
    process, critic = world(episodic, pooled=True), new_linear_critic(problem, horizon, regularization)
    beta = bonus * theorem_bonus(
        problem.dimension, horizon=horizon, episodes=episodes, delta=delta, regularization=regularization
    )
    log_determinants = np.zeros((times.size, horizon - 1))
    _run(
        process,
        np.array(problem.measures),
        critic,
        eta,
        beta,
        apart(np.empty_like(critic.action_values)),
        apart(np.zeros_like(critic.action_values)),
        apart(np.empty(horizon - 1)),
        apart(np.zeros(episodic.choices, np.int64)),
        empty_path(episodic),
        apart(np.zeros_like(critic.values)),
        times,
        record,
        log_determinants,
        rng,
    )
    return labelled(named("linear NORA", bonus), times, record, log_determinants=log_determinants)
