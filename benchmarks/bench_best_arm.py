"""Finding the best of four arms: pulls a second until a policy stops, beside NumPy."""

import math
from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Contender, Race
from rltheory.algorithms.best_arm import (
    find_best_arm,
    kl_lucb,
    lucb,
    sequential_halving,
    successive_elimination,
    track_and_stop,
)
from rltheory.problems import Bandit
from rltheory.simulation import Workers, stream

BANDIT = Bandit.bernoulli([0.5, 0.4, 0.3, 0.2])
DELTA = 0.05
REPLICATES = 512


def ours(policy, workers):
    """Time of a pull; runs are the same each time, so that their pulls are known."""

    def find(pool=None):
        return find_best_arm(BANDIT, policy, rng=stream(0, "bench"), replicates=REPLICATES, workers=pool)

    def run():
        with Workers(workers) as pool:
            return (find(pool).arms == BANDIT.best).mean()

    name = f"rltheory, {workers} thread{'s'[: workers > 1]}"
    return Contender(name, run, lambda share: share > 1 - 2 * DELTA, float(find().times.sum()))


def numpy_elimination() -> float:
    """Successive elimination, one run."""
    rng, k, n = np.random.default_rng(0), BANDIT.arms, 0
    sums, left = np.zeros(k), np.arange(k)
    while left.size > 1:
        n += 1
        sums[left] += rng.random(left.size) < BANDIT.means[left]
        width = 2 * math.sqrt(math.log(math.pi**2 * k * n * n / (3 * DELTA)) / (2 * n))
        left = left[sums[left].max() / n - sums[left] / n <= width]
    return float(left[0])


def numpy_lucb() -> float:
    """LUCB, one run."""
    rng, k = np.random.default_rng(0), BANDIT.arms
    counts, sums = np.ones(k), (rng.random(k) < BANDIT.means).astype(float)
    while True:
        means = sums / counts
        widths = np.sqrt(np.log(math.pi**2 * k * counts**2 / (3 * DELTA)) / (2 * counts))
        leader = means.argmax()
        upper = means + widths
        upper[leader] = -np.inf
        challenger = upper.argmax()
        if means[leader] - widths[leader] > upper[challenger]:
            return float(leader)
        for arm in (leader, challenger):
            counts[arm] += 1
            sums[arm] += rng.random() < BANDIT.means[arm]


def typical_pulls(policy) -> float:
    """Pulls of a run, on average: those of the NumPy loops are as many."""
    return float(find_best_arm(BANDIT, policy, rng=stream(0, "typical"), replicates=REPLICATES).times.mean())


def races() -> Iterator[Race]:
    loops = {"successive elimination": numpy_elimination, "LUCB": numpy_lucb}
    for policy in (
        successive_elimination(DELTA),
        lucb(DELTA),
        kl_lucb(DELTA),
        track_and_stop(DELTA),
        sequential_halving(2000),
    ):
        contenders = [ours(policy, 1), ours(policy, 2)]
        if policy.name in loops:
            run = loops[policy.name]
            contenders.append(Contender("NumPy loop", run, lambda arm: arm == BANDIT.best, typical_pulls(policy)))
        yield Race(f"{policy.name}: a pull", contenders)
