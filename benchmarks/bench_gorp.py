"""GORP and SQIRL on tables of the size of a small Atari game, in steps that are simulated, beside plain Python.

No peer runs them on tables. The limit is that of a core that draws a number and reads a reward and a successor, 20
million times a second.
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Contender, Limit, Race
from rltheory.algorithms import gorp, sqirl
from rltheory.instances import random_deterministic, random_episodes
from rltheory.measures import gorp_failure_probability, plan_loss
from rltheory.problems.certainty import sure_successors
from rltheory.simulation import stream

STATES, ACTIONS, HORIZON, EPISODES = 200, 3, 10, 37
STEPS = ACTIONS * EPISODES * HORIZON * (HORIZON + 1) // 2  # of one run: those after the choices that are made already


def gorp_race(replicates: int, *, with_python: bool = False) -> Race:
    problem = random_deterministic(stream(0, "bench", "gorp"), STATES, ACTIONS, HORIZON, highest_reward=1)
    failure = gorp_failure_probability(problem, depth=1, episodes=EPISODES)

    def right(made):
        share = (plan_loss(problem, made) > 0).mean()
        return abs(share - failure) <= 5 * np.sqrt(failure * (1 - failure) / made.shape[1]) + 1e-9

    def ours():
        rng = stream(0, "bench", "runs")
        return gorp(problem, depth=1, episodes=EPISODES, rng=rng, replicates=replicates)["made"]

    contenders = [Contender("rltheory", ours, right, units=STEPS * replicates)]
    if with_python:
        leads = sure_successors(problem)[0].reshape(STATES, ACTIONS).tolist()
        pays = problem.stages[0].rewards.reshape(STATES, ACTIONS).tolist()
        contenders.append(Contender("plain Python", lambda: plain_gorp(leads, pays), right, units=STEPS))
    return Race(
        f"GORP, {STATES} states, {replicates} runs: a step", contenders, Limit(1 / 20e6) if with_python else None
    )


def plain_gorp(leads, pays):
    """One run with k = 1, choice by choice."""
    draw, state, made = iter(stream(0, "bench", "plain").integers(ACTIONS, size=STEPS).tolist()), 0, []
    for stage in range(HORIZON):
        totals = []
        for action in range(ACTIONS):
            total = EPISODES * pays[state][action]
            for _ in range(EPISODES):
                here = leads[state][action]
                for _ in range(stage + 1, HORIZON):
                    chosen = next(draw)
                    total += pays[here][chosen]
                    here = leads[here][chosen]
            totals.append(total)
        best = totals.index(max(totals))
        made.append([state * ACTIONS + best])
        state = leads[state][best]
    return np.array(made)


def sqirl_race() -> Race:
    episodes = 1000
    problem = random_episodes(stream(0, "bench", "sqirl"), STATES, ACTIONS, HORIZON, branching=4)

    def ours():
        return sqirl(problem, depth=2, episodes=episodes, rng=stream(0, "bench", "runs"))

    def right(trace):
        return (
            trace["episodes"][-1] == episodes * HORIZON
            and 0 <= trace["estimates"].min() <= trace["estimates"].max() <= 1
        )

    return Race(
        f"SQIRL, {STATES} states, {episodes} episodes a stage: a step",
        [Contender("rltheory", ours, right, units=episodes * HORIZON**2)],
    )


def exact_race() -> Race:
    problem = random_deterministic(stream(0, "bench", "gorp"), STATES, ACTIONS, HORIZON, highest_reward=1)
    return Race(
        f"exact failure of GORP, {STATES} states, {EPISODES} episodes",
        [
            Contender(
                "rltheory",
                lambda: gorp_failure_probability(problem, depth=1, episodes=EPISODES),
                lambda failure: 0 <= failure <= 1,
            )
        ],
    )


def races() -> Iterator[Race]:
    yield gorp_race(16, with_python=True)
    yield gorp_race(1024)
    yield sqirl_race()
    yield exact_race()
