"""Learners in episodes, in steps that are simulated, beside NumPy and a bare loop.

On tables the limits are 4 million steps a second for UCBVI, 0.8 for PSRL and 15 for Q-learning; NORA and DOUHUA may
take twice the time of UCBVI. On a linear process LSVI-UCB, with rare switching, and NORA have to be 15, 80 and 30 times
as quick as LSVI-UCB in NumPy. All but the bare loop keep the exact regret, which says whether they have learnt.
"""

from collections.abc import Iterator
from functools import partial

import numba
import numpy as np

from benchmarks.harness import Contender, Limit, Race
from rltheory.algorithms import (
    douhua,
    episodic_q_learning,
    linear_nora,
    lsvi_ucb,
    nora,
    psrl,
    ucbvi_bernstein,
    ucbvi_hoeffding,
)
from rltheory.algorithms.episodes.ridge import theorem_bonus
from rltheory.instances import diabolical_lock, random_linear_mdp, river_swim
from rltheory.measures import finite_horizon_regret
from rltheory.problems import FiniteHorizonMDP
from rltheory.simulation import stream
from rltheory.solvers import backward_induction

LOCK = diabolical_lock(stream(0, "bench", "lock"), 5, 3)
LINEAR, LINEAR_HORIZON = random_linear_mdp(stream(0, "bench", "linear"), 20, 4, 4), 4
RIVER = FiniteHorizonMDP.stationary(river_swim(), 20)


def learner(name, run, problem, episodes, highest_regret, **options) -> Contender:
    """One of ours; its regret has to stay below that of other code, which ran as long, with a margin."""
    return Contender(
        name,
        lambda: run(problem, episodes=episodes, rng=stream(0, "bench", "runs"), **options),
        lambda trace: 0 < trace.last("regret") < highest_regret,
        units=episodes * problem.horizon,
    )


def plain_ucbvi(problem, episodes, bonus, delta=0.05):
    """UCBVI after Hoeffding in NumPy, for processes whose states have equally many actions; the regret."""
    horizon, states, choices = problem.horizon, problem.states, problem.choices
    actions, rng = choices // states, stream(0, "bench", "plain")
    stages = range(horizon)
    rewards = np.array([mdp.rewards for mdp in problem.stages])
    laws = np.array([mdp.as_sparse().transition_matrix.toarray() for mdp in problem.stages])
    pooled = problem.stride == 0
    moves = np.zeros((1 if pooled else horizon, choices, states))
    scale = bonus * 7 * horizon * np.log(5 * choices * horizon * episodes / delta)
    q, plans = np.full((horizon, choices), float(horizon)), []
    for _ in range(episodes):
        visits = moves.sum(axis=-1)
        with np.errstate(divide="ignore"):
            bonuses = scale / np.sqrt(visits)
        believed = moves / np.maximum(visits, 1)[..., None]
        v, made = np.zeros(states), np.empty((horizon, states), int)
        for h in reversed(stages):
            known = 0 if pooled else h
            q[h] = np.minimum(q[h], rewards[h] + believed[known] @ v + bonuses[known])
            table = q[h].reshape(states, actions)
            made[h] = np.arange(states) * actions + table.argmax(axis=1)
            v = table.max(axis=1)
        plans.append(made)
        state = rng.choice(states, p=problem.initial)
        for h in stages:
            choice = made[h, state]
            state = rng.choice(states, p=laws[h, choice])
            moves[0 if pooled else h, choice, state] += 1
    policies = np.zeros((episodes, horizon, choices))
    np.put_along_axis(policies, np.array(plans), 1.0, axis=2)
    return finite_horizon_regret(problem, policies)[-1]


def plain_lsvi_ucb(problem, horizon, episodes, bonus):
    """LSVI-UCB in NumPy, with features summed by the states that came after them; the regret."""
    rng, mdp = stream(0, "bench", "plain"), problem.tabular
    states, actions, dimension = problem.features.shape
    features, laws = problem.features.reshape(-1, dimension), mdp.transition_matrix
    beta = bonus * theorem_bonus(dimension, horizon=horizon, episodes=episodes)
    inverses, sums = np.tile(np.eye(dimension), (horizon - 1, 1, 1)), np.zeros((horizon - 1, states, dimension))
    policies = np.zeros((episodes, horizon, mdp.choices))
    for episode in range(episodes):
        values, made = np.zeros(states), np.empty((horizon, states), int)
        for h in reversed(range(horizon)):
            f = mdp.rewards
            if h < horizon - 1:
                squares = ((features @ inverses[h]) * features).sum(axis=1)
                ahead = features @ (inverses[h] @ (values @ sums[h])) + beta * np.sqrt(squares)
                f = f + np.clip(ahead, 0, horizon - 1 - h)
            table = f.reshape(states, actions)
            made[h] = np.arange(states) * actions + table.argmax(axis=1)
            values = table.max(axis=1)
        policies[episode, np.arange(horizon)[:, None], made] = 1
        state = rng.choice(states, p=mdp.initial)
        for h in range(horizon):
            choice = made[h, state]
            state = rng.choice(states, p=laws[choice])
            if h < horizon - 1:
                pulled = inverses[h] @ features[choice]
                inverses[h] -= np.outer(pulled, pulled) / (1 + features[choice] @ pulled)
                sums[h, state] += features[choice]
    return finite_horizon_regret(FiniteHorizonMDP.stationary(mdp, horizon), policies)[-1]


@numba.njit
def bare_play(starts, sums, made, episodes, rng):
    """Nothing but the draws of a plan's episodes, from rows of cumulative sums over all states."""
    arrivals = np.zeros(starts.size, np.int64)
    for _ in range(episodes):
        state, level = 0, rng.random()
        while starts[state] <= level:
            state += 1
        for h in range(made.shape[0]):
            row, level, following = made[h, state], rng.random(), 0
            while sums[h, row, following] <= level:
                following += 1
            state = following
        arrivals[state] += 1
    return arrivals


def bare(problem, episodes) -> Contender:
    sums = np.cumsum([mdp.as_sparse().transition_matrix.toarray() for mdp in problem.stages], axis=2)
    starts = np.cumsum(problem.initial)
    sums[..., -1] = starts[-1] = 1.0
    made = backward_induction(problem).made
    return Contender(
        "draws alone",
        lambda: bare_play(starts, sums, made, episodes, stream(0, "bench", "bare")),
        lambda arrivals: arrivals.sum() == episodes,
        units=episodes * problem.horizon,
    )


def model_based(name, problem, episodes, highest_regret) -> Race:
    ours = partial(learner, problem=problem, episodes=episodes)
    few = 300
    return Race(
        f"UCBVI, {name}: a step",
        [
            ours("rltheory", ucbvi_hoeffding, highest_regret=highest_regret, bonus=0.003),
            Contender(
                "NumPy",
                lambda: plain_ucbvi(problem, few, 0.003),
                lambda regret: 0 < regret < highest_regret,
                units=few * problem.horizon,
            ),
            bare(problem, episodes),
            ours("rltheory, Bernstein", ucbvi_bernstein, highest_regret=highest_regret, bonus=0.01),
        ],
        Limit(1 / 4e6),
    )


def actor_critic(name, run, highest_regret, **options) -> Race:
    episodes = 20_000
    return Race(
        f"{name}, lock: a step",
        [
            learner("rltheory", run, LOCK, episodes, highest_regret, bonus=0.3, **options),
            learner("UCBVI", ucbvi_hoeffding, LOCK, episodes, 1000, bonus=0.003),
        ],
        Limit(2, of="UCBVI"),
    )


def linear_learner(name, run, quicker, **options) -> Race:
    """One of ours on a linear process, beside LSVI-UCB in NumPy."""
    episodes, few = 10_000, 300
    return Race(
        f"{name}: a step",
        [
            Contender(
                "rltheory",
                lambda: run(
                    LINEAR,
                    horizon=LINEAR_HORIZON,
                    episodes=episodes,
                    bonus=0.05,
                    rng=stream(0, "bench", "runs"),
                    **options,
                ),
                lambda trace: 0 < trace.last("regret") < 200,
                units=episodes * LINEAR_HORIZON,
            ),
            Contender(
                "NumPy, LSVI-UCB",
                lambda: plain_lsvi_ucb(LINEAR, LINEAR_HORIZON, few, 0.05),
                lambda regret: 0 < regret < 200,
                units=few * LINEAR_HORIZON,
            ),
        ],
        Limit(1 / quicker, of="NumPy, LSVI-UCB"),
    )


def races() -> Iterator[Race]:
    yield model_based("lock", LOCK, 20_000, 1000)
    yield model_based("RiverSwim", RIVER, 5000, 3000)
    yield actor_critic("NORA", nora, 800, eta=1.0)
    yield actor_critic("DOUHUA", douhua, 800, eta=0.03)
    yield Race("PSRL, lock: a step", [learner("rltheory", psrl, LOCK, 20_000, 200)], Limit(1 / 0.8e6))
    yield Race("PSRL, RiverSwim: a step", [learner("rltheory", psrl, RIVER, 5000, 200)], Limit(1 / 0.8e6))
    yield Race(
        "Q-learning, lock: a step",
        [learner("rltheory", episodic_q_learning, LOCK, 100_000, 2500, bonus=0.03)],
        Limit(1 / 15e6),
    )
    yield linear_learner("LSVI-UCB", lsvi_ucb, 15)
    yield linear_learner("LSVI-UCB, rare switching", lsvi_ucb, 80, rare_switching=True)
    yield linear_learner("linear NORA", linear_nora, 30, eta=100.0)
