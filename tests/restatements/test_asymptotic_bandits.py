"""Both sides of what holds in the limit, with policies restated in tests of bandits."""

import math

import numpy as np
import pytest

from rltheory.algorithms.bandits import imed, kl_ucb, play_bandit, thompson
from rltheory.simulation import stream
from rltheory.theorems.bandits import asymptotic_bandits as paper
from rltheory.theory import Theorem

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}
POLICIES = {"thompson/logarithmic": thompson(), "imed/logarithmic": imed(), "lower-bound/lai-robbins": kl_ucb()}
KL = 0.3 * math.log(0.3 / 0.9) + 0.7 * math.log(0.7 / 0.1)


def test_every_theorem_is_restated():
    assert POLICIES.keys() == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_sides(name):
    theorem = THEOREMS[name]
    s = paper.StochasticBandit(means=(0.9, 0.3), horizon=500)
    trace = theorem.run(s, stream(0, "restated", name))
    pulls = play_bandit(
        s.bandit, POLICIES[name], horizon=500, rng=stream(0, "restated", name), replicates=128, points=50
    )["pulls"][:, :, 1].mean(axis=1)
    lower = name == "lower-bound/lai-robbins"
    measured = np.exp(-pulls * KL) if lower else 0.6 * pulls
    bound = 1 / np.maximum(trace.times, 1) if lower else 0.6 / KL * np.log(np.maximum(trace.times, 1))
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-9)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-9)
