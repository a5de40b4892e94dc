"""Both sides of the theorems on KL-UCB, with the policy in plain Python on the same rewards."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from rltheory.algorithms.bandits import own_policy, play_bandit
from rltheory.simulation import stream
from rltheory.theorems.bandits import garivier2011 as paper
from rltheory.theory import Theorem

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in ((p, q), (1 - p, 1 - q)) if a > 0)


def f(r):
    return math.log(r) + (3 * math.log(math.log(r)) if r > math.e else 0)


def upper(mean, pulls, r):
    """-log(1 - q) for the largest q, so that bounds near 1 are told apart."""
    if mean == 1:
        return math.inf

    def excess(x):
        log_q = math.log(-math.expm1(-x))
        return (
            (mean * (math.log(mean) - log_q) if mean > 0 else 0) + (1 - mean) * (math.log(1 - mean) + x) - f(r) / pulls
        )

    low = max(-math.log1p(-mean), 1e-12)
    return low if excess(low) >= 0 else brentq(excess, low, 300.0, xtol=1e-13)


def plain():
    def choose(r, memory, uniforms):
        pulls, sums = memory.reshape(2, -1)
        if r < pulls.size:
            return r
        return int(np.argmax([upper(x / n, n, r) for n, x in zip(pulls, sums, strict=True)]))

    def observe(r, memory, arm, reward):
        memory.reshape(2, -1)[:, arm] += 1, reward

    return own_policy("plain", start=lambda memory, arms: None, choose=choose, observe=observe, memory=lambda k: 2 * k)


def most(s, mean, t):
    """The bound on pulls, in loops."""
    total = 1.0
    for r in range(len(s.means), t):
        total += min(1, min(r, math.e * math.ceil(f(r) * math.log(r))) * math.exp(-f(r)))
    least = math.inf
    for share in np.linspace(0.01, 0.99, 99):
        x = mean + share * (max(s.means) - mean)
        to_best, to_own, budget = kl(x, max(s.means)), kl(x, mean), f(max(t, 1))
        least = min(least, budget / to_best + math.exp(-budget * to_own / to_best) / (1 - math.exp(-to_own)))
    return total + least


def counts(s, name):
    trace = play_bandit(s.bandit, plain(), horizon=s.horizon, rng=stream(0, "restated", name), replicates=8, points=25)
    return trace["pulls"].mean(axis=1)


def pulls(s, t, name):
    return counts(s, name)[:, -1], [most(s, s.means[-1], n) for n in t.tolist()]


def regret(s, t, name):
    best = max(s.means)
    bounds = [sum((best - mean) * most(s, mean, n) for mean in s.means if mean < best) for n in t.tolist()]
    return counts(s, name) @ [best - mean for mean in s.means], bounds


RESTATED = {"kl-ucb/pulls": pulls, "kl-ucb/regret": regret}


def test_every_theorem_is_restated():
    assert RESTATED.keys() == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(RESTATED))
def test_sides(name):
    theorem = THEOREMS[name]
    s = paper.StochasticBandit(means=(0.3, 0.7, 0.55), horizon=90)
    trace = theorem.run(s, stream(0, "restated", name))
    measured, bound = RESTATED[name](s, trace.times, name)
    np.testing.assert_allclose(theorem.measured(s, trace), measured, atol=1e-9)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-9)
