"""Both sides of the theorems on policy mirror descent, in plain probabilities with sums over time."""

import math

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import river_swim
from rltheory.problems import TabularMDP
from rltheory.theorems.policy_methods import xiao2022
from rltheory.theorems.policy_methods.xiao2022 import NearOptimum, Setting
from rltheory.theory import Status, Theorem
from tests.restatements.policies import (
    assert_restated,
    each,
    first,
    half_square,
    kl,
    nearest,
    occupancy,
    optimum,
    reweigh,
    rows,
    values,
)

# Values up to 10, good to some eps; losses are differences of them here.
RELATIVE, ABSOLUTE = 1e-7, 1e-11

SMALL = TabularMDP([[[0.5, 0.5], [0.1, 0.9]], [[1.0, 0.0], [0.3, 0.7]]], [[0.0, 0.2], [1.0, 0.3]], title="two states")
START = np.array([0.9, 0.1, 0.2, 0.8])
SETTINGS = {
    "two states": Setting(SMALL, 0.8, start=START, step=0.7, iterations=12),
    "two states, Euclidean": Setting(SMALL, 0.8, start=START, step=0.2, iterations=12, euclidean=True),
    "river": Setting(river_swim(3), 0.9, step=0.5, iterations=12),
}
THEOREMS = {theorem.name: theorem for theorem in vars(xiao2022).values() if isinstance(theorem, Theorem)}


def run(s, steps):
    """Policies, one more than steps."""
    policies = [first(s)]
    for step in steps:
        q = values(s, policies[-1])[1]
        if s.euclidean:
            moved = [nearest(p + step * x) for p, x in zip(rows(s, policies[-1]), rows(s, q), strict=True)]
            policies.append(np.concatenate(moved))
        else:
            policies.append(reweigh(s, policies[-1], step * q))
    return policies


def constant(s):
    return run(s, [s.step] * s.iterations)


def divergence(s, p, q):
    return each(s, half_square if s.euclidean else kl, p, q)


def gain(s, old, new):
    return each(s, lambda p, r, q: (r - p) @ q, old, new, values(s, old)[1])


def delta(s, policy):
    return (optimum(s)[0] - values(s, policy)[0]).mean()


def over_pairs(side):
    """Curves of a function of successive policies."""

    def curves(s, times):
        policies = constant(s)
        return np.array([side(s, policies[k], policies[k + 1]) for k in times]).T

    return curves


def difference(s, old, new):
    return (values(s, new)[0] - values(s, old)[0]).mean(), occupancy(s, new) @ gain(s, old, new) / (1 - s.discount)


def three_points(s, old, new):
    star = optimum(s)[1]
    d = occupancy(s, star)
    gained = each(s, lambda p, r, q: (p - r) @ q, star, new, values(s, old)[1])
    return d @ (s.step * gained + divergence(s, star, new) + divergence(s, new, old)), d @ divergence(s, star, old)


def improvement(s, old, new):
    gained, grown = gain(s, old, new), values(s, new)[0] - values(s, old)[0]
    worst = np.argmax(gained - grown)
    return gained[worst], grown[worst]


def kappa(s, policy):
    def part(p, q):
        others = q[q < q.max()]
        return p[q == q.max()].sum() * (1 - np.exp(-s.step * (q.max() - others.max()))) if others.size else 0.0

    return each(s, part, policy, values(s, policy)[1])


def greedy_part(s, old, new):
    v, q = values(s, old)
    left, right = kappa(s, old) * (each(s, np.max, q) - v), gain(s, old, new)
    worst = np.argmax(left - right)
    return left[worst], right[worst]


def contraction(s, old, new):
    v = optimum(s)[0]
    factor = 1 - (1 - s.discount) * kappa(s, old).min()
    return (v - values(s, new)[0]).max(), factor * (v - values(s, old)[0]).max()


def first_divergence(s):
    star = optimum(s)[1]
    return occupancy(s, star) @ divergence(s, star, first(s))


def sublinear(s, times):
    policies, r = constant(s), np.ptp(s.mdp.rewards)
    constant_part = first_divergence(s) / s.step / (1 - s.discount) + r / (1 - s.discount) ** 2
    return np.array([delta(s, policies[k]) for k in times]), constant_part / (times + 1)


def theta(s):
    return occupancy(s, optimum(s)[1]).max() * s.mdp.states / (1 - s.discount)


def growing(s, times):
    policies = run(s, s.step * (theta(s) / (theta(s) - 1)) ** np.arange(times[-1] + 1))
    return np.array([delta(s, policies[k]) for k in times])


def geometric_steps(s, times):
    start = delta(s, first(s)) + first_divergence(s) / (s.step * (theta(s) - 1) * (1 - s.discount))
    return growing(s, times), (1 - 1 / theta(s)) ** times * start


def geometric_steps_simple(s, times):
    return growing(s, times), (1 - 1 / theta(s)) ** times * 2 * np.ptp(s.mdp.rewards) / (1 - s.discount)


RESTATED = {
    "pmd/performance-difference": over_pairs(difference),
    "pmd/three-point": over_pairs(three_points),
    "pmd/improvement": over_pairs(improvement),
    "pmd/greedy-part": over_pairs(greedy_part),
    "pmd/contraction": over_pairs(contraction),
    "pmd/sublinear": sublinear,
    "pmd/geometric-steps": geometric_steps,
    "pmd/geometric-steps-simple": geometric_steps_simple,
}
USED = {
    "pmd/three-point": 0.999,
    "pmd/improvement": 0.999,
    "pmd/greedy-part": 0.999,
    "pmd/contraction": 0.999,
    "pmd/sublinear": 0.65,
    "pmd/geometric-steps": 0.86,
    "pmd/geometric-steps-simple": 0.16,
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() | {"pmd/local"}


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", RESTATED)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    if s.euclidean and theorem.failed_hypothesis(s):
        s = Setting(s.mdp, s.discount, start=s.start, step=s.step, iterations=s.iterations)
    assert_restated(theorem, s, RESTATED[name], rtol=RELATIVE, atol=ABSOLUTE)


def test_local_factor_is_that_of_a_bandit():
    """One state: log-odds are linear in time, so losses are known for all times."""
    bandit = TabularMDP(np.ones((1, 3, 1)), [[1.0, 0.5, 0.9]])
    s = NearOptimum(bandit, 0.0, step=0.7)
    trace = xiao2022.LOCAL.run(s, np.random.default_rng(0))
    k = np.append(trace.times, trace.times[-1] + 1)
    weights = np.exp(np.array([0.0, -66.0, -22.0]) + 7.0 * k[:, None] * np.array([1.0, 0.5, 0.9]))
    lost = (weights / weights.sum(1, keepdims=True)) @ np.array([0, 0.5, 0.1])
    np.testing.assert_allclose(xiao2022.LOCAL.measured(s, trace), lost[1:] / lost[:-1], rtol=1e-7)
    np.testing.assert_allclose(xiao2022.LOCAL.bound(s, trace), math.exp(-0.7), rtol=1e-12)


def test_hypotheses():
    near = NearOptimum(TabularMDP(np.ones((1, 2, 1)), [[1.0, 1.0]]), 0.5)
    assert "(state 0 has tied choices 0, 1)" in THEOREMS["pmd/local"].failed_hypothesis(near)
    euclidean = SETTINGS["two states, Euclidean"]
    assert "Kullback-Leibler" in THEOREMS["pmd/contraction"].failed_hypothesis(euclidean)
    myopic = Setting(SMALL, 0.0)
    assert "gamma > 0" in THEOREMS["pmd/geometric-steps"].failed_hypothesis(myopic)
    small = Setting(SMALL, 0.8, start=START, step=1e-6)
    assert "eta_0" in THEOREMS["pmd/geometric-steps-simple"].failed_hypothesis(small)


@pytest.mark.parametrize("name", USED)
def test_bounds_are_used_as_far_as_known(name):
    verdicts = verify(THEOREMS[name])
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert max(verdict.tightness for verdict in verdicts) >= USED[name]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"step": 0.0}, "step is 0.0; it must be finite and > 0"),
        ({"iterations": 0}, "iterations is 0; it must be >= 1"),
        ({"start": np.array([1.0, 0.0, 0.5, 0.5])}, r"start\[1\] is 0; every probability must be > 0"),
    ],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        Setting(SMALL, 0.8, **wrong)
