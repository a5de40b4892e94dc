"""Bandits with ten arms: pulls a second of policies, with the regret at 100 times, and the curve that everybody draws.

A pull is one round of one replicate. The bare loop plays one replicate after the other, the NumPy loop all at once.
"""

import contextlib
import io
import math
import resource
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np

from benchmarks.harness import Contender, Limit, Race, peer
from rltheory.algorithms import compare_policies
from rltheory.algorithms.bandits import bayes_ucb_beta, dmed, exp3, kl_ucb, moss, thompson, ucb1
from rltheory.plots import regret
from rltheory.problems import Bandit

MEANS = np.linspace(0.1, 0.9, 10)
BANDIT = Bandit.bernoulli(MEANS)
GAPS = BANDIT.gaps
SHORT = 1000  # rounds of those that are slow


def plausible(horizon):
    """Whether a mean regret is above a quarter of the lower bound, and below the bound of UCB1."""
    log_n = math.log(horizon)
    low = BANDIT.lai_robbins_constant * log_n / 4
    positive = GAPS[GAPS > 0]
    high = 8 * log_n * (1 / positive).sum() + (1 + math.pi**2 / 3) * positive.sum()
    return lambda mean: low <= mean <= high


def ours(policy, horizon, replicates, workers):
    def run():
        runs = compare_policies(BANDIT, [policy], horizon=horizon, replicates=replicates, workers=workers)
        return runs["regret"].isel(time=-1).mean().item()

    name = f"rltheory, {workers} thread{'s'[: workers > 1]}"
    return Contender(name, run, plausible(horizon), horizon * replicates)


@numba.njit
def bare_ucb1(means: np.ndarray, horizon: int, replicates: int) -> float:
    """UCB1 with the regret at the end, and nothing around it."""
    total, k = 0.0, means.size
    for _ in range(replicates):
        counts, sums = np.zeros(k), np.zeros(k)
        for t in range(horizon):
            best, largest = t, np.inf
            if t >= k:
                largest = -np.inf
                bonus = 2 * np.log(t)
                for a in range(k):
                    value = sums[a] / counts[a] + np.sqrt(bonus / counts[a])
                    if value > largest:
                        best, largest = a, value
            counts[best] += 1
            sums[best] += np.random.random() < means[best]  # noqa: NPY002, which compiled code does not know
        total += (counts * (means.max() - means)).sum()
    return total / replicates


@numba.njit
def bare_thompson(means: np.ndarray, horizon: int, replicates: int) -> float:
    """Thompson sampling with the regret at the end, and nothing around it."""
    total, k = 0.0, means.size
    for _ in range(replicates):
        successes, failures = np.ones(k), np.ones(k)
        for _ in range(horizon):
            best, largest = 0, -1.0
            for a in range(k):
                value = np.random.beta(successes[a], failures[a])  # noqa: NPY002
                if value > largest:
                    best, largest = a, value
            if np.random.random() < means[best]:  # noqa: NPY002
                successes[best] += 1
            else:
                failures[best] += 1
        total += ((successes + failures - 2) * (means.max() - means)).sum()
    return total / replicates


def numpy_ucb1(horizon: int, replicates: int) -> float:
    """UCB1, all replicates at once and round by round."""
    rng, rows = np.random.default_rng(0), np.arange(replicates)
    counts, sums = np.ones((replicates, MEANS.size)), (rng.random((replicates, MEANS.size)) < MEANS).astype(float)
    for t in range(MEANS.size, horizon):
        arms = (sums / counts + np.sqrt(2 * math.log(t) / counts)).argmax(axis=1)
        counts[rows, arms] += 1
        sums[rows, arms] += rng.random(replicates) < MEANS[arms]
    return float((counts @ GAPS).mean())


def of_smpybandits(module, name):
    """A policy of the peer, played by the shortest loop there can be."""

    def run():
        policy = getattr(module, name)(MEANS.size, **({"horizon": SHORT} if name == "MOSSH" else {}))
        rng = np.random.default_rng(0)
        policy.startGame()
        counts = np.zeros(MEANS.size)
        for _ in range(SHORT):
            arm = policy.choice()
            counts[arm] += 1
            policy.getReward(arm, float(rng.random() < MEANS[arm]))
        return counts @ GAPS

    return Contender("SMPyBandits", run, lambda regret: 0 < regret < 0.4 * SHORT, SHORT)


def of_mabwiser(module):
    def run():
        agent = module.MAB(list(range(MEANS.size)), module.LearningPolicy.UCB1(alpha=1))
        rng, counts = np.random.default_rng(0), np.ones(MEANS.size)
        agent.fit(list(range(MEANS.size)), (rng.random(MEANS.size) < MEANS).astype(float).tolist())
        for _ in range(100):
            arm = agent.predict()
            counts[arm] += 1
            agent.partial_fit([arm], [float(rng.random() < MEANS[arm])])
        return counts @ GAPS

    return Contender("MABWiser", run, lambda regret: 0 < regret < 60, 100)


def smpybandits():
    """Import the peer, which looks for a function under a name that SciPy has given up, and is talkative."""
    import scipy.special

    if not hasattr(scipy.special, "btdtri"):
        scipy.special.btdtri = scipy.special.betaincinv
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return peer("SMPyBandits.Policies")


def pull_races() -> Iterator[Race]:
    theirs, others = smpybandits(), peer("mabwiser.mab")
    contenders = [
        ours(ucb1(), 100_000, 512, 1),
        Contender("bare Numba loop", lambda: bare_ucb1(MEANS, 20_000, 50), plausible(20_000), 1e6),
        Contender("NumPy loop", lambda: numpy_ucb1(2_000, 500), plausible(2_000), 1e6),
    ]
    contenders += [of_smpybandits(theirs, "UCB")] if theirs else []
    contenders += [of_mabwiser(others)] if others else []
    yield Race("UCB1: a pull", contenders, Limit(1 / 90e6))
    yield Race("UCB1, two threads: a pull", [ours(ucb1(), 100_000, 1024, 2)], Limit(1 / 180e6))
    for policy, name, replicates, limit in (
        (moss(), "MOSSH", 1024, 40e6),
        (exp3(), "Exp3", 1024, 40e6),
        (kl_ucb(), "klUCB", 128, 5e6),
        (thompson(), "Thompson", 128, 3e6),
    ):
        contenders = [ours(policy, 20_000, replicates, 1)]
        if policy.name == "Thompson":
            contenders.append(
                Contender("bare Numba loop", lambda: bare_thompson(MEANS, 20_000, 10), plausible(20_000), 2e5)
            )
        contenders += [of_smpybandits(theirs, name)] if theirs else []
        yield Race(f"{policy.name}: a pull", contenders, Limit(1 / limit))
    for policy, name in ((dmed(), "DMED"), (bayes_ucb_beta(), "BayesUCB")):
        contenders = [ours(policy, 5_000, 128, 1)] + ([of_smpybandits(theirs, name)] if theirs else [])
        yield Race(f"{policy.name}: a pull", contenders)


def curve_race() -> Iterator[Race]:
    horizon, replicates = 100_000, 1000

    def draw():
        policies = [ucb1(), kl_ucb(), thompson()]
        runs = compare_policies(BANDIT, policies, horizon=horizon, replicates=replicates, workers=2)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "curves.svg"
            figure = regret(runs, lower_bound=BANDIT.lai_robbins_constant).get_figure(root=True)
            figure.savefig(path)
            return runs["regret"].isel(time=-1).mean("replicate").values, path.stat().st_size

    def right(answer):
        means, size = answer
        in_gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        return all(map(plausible(horizon), means)) and size > 10_000 and in_gigabytes < 1

    yield Race(
        f"regret of UCB1, KL-UCB and Thompson, {replicates} replicates, horizon {horizon}, drawn, below 1 GB",
        [Contender("rltheory, 2 threads", draw, right)],
        Limit(60),
        rounds=1,
    )


def races() -> Iterator[Race]:
    yield from pull_races()
    yield from curve_race()
