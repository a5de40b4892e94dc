"""Both sides of the theorem on Tsallis-INF with stochastic losses, with the policy in plain Python."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from rltheory.algorithms.bandits import own_policy
from rltheory.simulation import stream
from rltheory.theorems.bandits import zimmert2021 as paper
from rltheory.theory import Theorem
from tests.restatements.test_auer2002 import counts, gaps

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def plain():
    """It remembers estimated losses."""

    def probabilities(r, estimates):
        eta = 2 / math.sqrt(r + 1)

        def excess(x):
            return (4 / (eta * (estimates - x)) ** 2).sum() - 1

        low = estimates.min() - 2 * math.sqrt(estimates.size) / eta
        x = brentq(excess, low - 1e-9, estimates.min() - 2 / eta + 1e-12, xtol=1e-13)
        return 4 / (eta * (estimates - x)) ** 2

    def choose(r, memory, uniforms):
        p = probabilities(r, memory[:-1])
        arm = int(np.searchsorted(p.cumsum()[:-1], uniforms[0] * p.sum(), side="right"))
        memory[-1] = p[arm]
        return arm

    def observe(r, memory, arm, reward):
        memory[arm] += (1 - reward) / memory[-1]

    return own_policy(
        "plain", start=lambda memory, arms: None, choose=choose, observe=observe, memory=lambda k: k + 1, draws=1
    )


def most(gap, t):
    """The bound, of the worse arms with one gap, in loops."""
    total = 0.0
    for s in range(1, t + 1):
        b = 1 / math.sqrt(s) + 2 * (math.sqrt(s) - math.sqrt(s - 1))
        q = 3 if s == 1 else 1 / math.sqrt(s) + 5 / (4 * (s - math.sqrt(s)))

        def loss(x, b=b, q=q):
            return -(2 * b * x - (gap - 2 * q) * x**2)

        inside = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-9})
        total += max(-inside.fun, -loss(1))
    return total


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == {"tsallis-inf/stochastic"}


@pytest.mark.parametrize("means", [(0.3, 0.7, 0.55), (0.8, 0.8, 0.1)])
def test_sides(means):
    s = paper.StochasticBandit(means=means, horizon=120)
    trace = paper.STOCHASTIC.run(s, stream(0, "restated", "tsallis"))
    measured = counts(s, plain(), "tsallis") @ gaps(s)
    # One best arm is left out, the others cost the roots of time.
    others = sorted(gaps(s))[1:]
    bound = [sum(most(gap, t) for gap in others) for t in trace.times.tolist()]
    np.testing.assert_allclose(paper.STOCHASTIC.measured(s, trace), measured, atol=1e-9)
    np.testing.assert_allclose(paper.STOCHASTIC.bound(s, trace), bound, rtol=1e-9)


def test_leading_term():
    """The bound rises by about 4 / gap while time grows by a factor e, if late."""
    rounds = np.arange(10**5, 10**6) + 1.0
    rise = paper.dearest(0.8, rounds).sum() / math.log(10)
    assert 4 / 0.8 < rise < 1.1 * 4 / 0.8
