"""Linear and contextual bandits: rounds a second of policies, with the regret at 100 times.

A round is one of one replicate. The NumPy loop plays one replicate, with the formula of Sherman and Morrison.
"""

import math
from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Contender, Limit, Race, peer
from rltheory.algorithms import compare_policies
from rltheory.algorithms.bandits import (
    exponential_weights,
    falcon,
    glm_ucb,
    lin_ucb,
    linear_thompson,
    oful,
    ridge,
    square_cb,
)
from rltheory.problems import ContextualBandit, LinearBandit, LogisticBandit
from rltheory.simulation import stream

RNG = stream(0, "benchmark of contextual bandits")
FEATURES = RNG.normal(size=(20, 10, 5)) / 3
PARAMETER = RNG.normal(size=5) / 3
NORMAL = LinearBandit(FEATURES, PARAMETER, deviation=0.3)
LOGISTIC = LogisticBandit(FEATURES, 3 * PARAMETER)
TABLES = RNG.random((50, 8, 5))
TABLE = ContextualBandit(TABLES[0])
WIDTH = 0.5


def at_random(bandit, rounds):
    """Mean regret of pulling arms at random."""
    return rounds * float(bandit.frequencies @ bandit.gaps.mean(axis=1))


def plausible(bandit, rounds):
    """Whether a mean regret is above 0, and below three quarters of what pulling at random costs."""
    return lambda mean: 0 < mean < 0.75 * at_random(bandit, rounds)


def ours(bandit, policy, horizon, replicates, workers=1):
    def run():
        runs = compare_policies(bandit, [policy], horizon=horizon, replicates=replicates, workers=workers)
        return runs["regret"].isel(time=-1).mean().item()

    name = f"rltheory, {workers} thread{'s'[: workers > 1]}"
    return Contender(name, run, plausible(bandit, horizon), horizon * replicates)


def numpy_lin_ucb(horizon):
    """LinUCB, one replicate."""
    rng, inverse, targets, regret = np.random.default_rng(0), np.eye(5), np.zeros(5), 0.0
    contexts, noise = rng.integers(20, size=horizon), rng.normal(scale=0.3, size=horizon)
    for x, eta in zip(contexts, noise, strict=True):
        phi = FEATURES[x]
        images = phi @ inverse
        arm = int((images @ targets + WIDTH * np.sqrt((images * phi).sum(axis=1))).argmax())
        image = images[arm]
        inverse -= np.outer(image, image) / (1 + image @ phi[arm])
        targets += (NORMAL.means[x, arm] + eta) * phi[arm]
        regret += NORMAL.gaps[x, arm]
    return regret


def of_mabwiser(module, horizon):
    """LinUCB of the peer, which has a parameter for each arm."""
    arms, rng = list(range(5)), np.random.default_rng(0)
    bandit = ContextualBandit(TABLES[0])
    indicators = np.eye(8)

    def run():
        agent = module.MAB(arms, module.LearningPolicy.LinUCB(alpha=WIDTH, l2_lambda=1))
        regret = 0.0
        for t in range(horizon):
            x = int(rng.integers(8))
            row = indicators[[x]]
            arm = agent.predict(row) if t else 0
            reward = float(rng.random() < bandit.means[x, arm])
            regret += bandit.gaps[x, arm]
            (agent.partial_fit if t else agent.fit)([arm], [reward], row)
        return regret

    return Contender("MABWiser", run, plausible(bandit, horizon), horizon)


def races() -> Iterator[Race]:
    others = peer("mabwiser.mab")
    contenders = [
        ours(NORMAL, lin_ucb(FEATURES, width=WIDTH), 5000, 64),
        Contender("NumPy loop", lambda: numpy_lin_ucb(5000), plausible(NORMAL, 5000), 5000),
    ]
    yield Race("LinUCB, 10 arms, 5 features: a round", contenders, Limit(1 / 10, of="NumPy loop"))
    # A parameter for each arm: the features of an arm are those of the context, in a block of its own.
    blocks = np.einsum("xi,ab->xabi", np.eye(8), np.eye(5)).reshape(8, 5, 40)
    contenders = [ours(TABLE, lin_ucb(blocks, width=WIDTH), 1000, 16)]
    contenders += [of_mabwiser(others, 1000)] if others else []
    yield Race("LinUCB, a parameter for each of 5 arms, 8 features: a round", contenders)
    for bandit, policy, per_second in (
        (NORMAL, oful(FEATURES, noise=0.3, size=1, delta=0.05), 1e6),
        (NORMAL, linear_thompson(FEATURES, deviation=0.3), 1e6),
        (NORMAL, square_cb(ridge(FEATURES), gamma=math.sqrt(5000)), 1e6),
        (LOGISTIC, glm_ucb(FEATURES, width=0.1), 5e4),
        (TABLE, square_cb(exponential_weights(TABLES), gamma=math.sqrt(5000)), 5e5),
        (TABLE, falcon(TABLES, scale=2), 2e6),
    ):
        horizon = 500 if policy.name == "GLM-UCB" else 5000
        yield Race(f"{policy.name}: a round", [ours(bandit, policy, horizon, 64)], Limit(1 / per_second))
