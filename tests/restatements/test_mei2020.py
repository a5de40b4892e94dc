"""Both sides of the theorems on softmax policy gradient, in plain probabilities with sums over time."""

from dataclasses import replace

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import river_swim
from rltheory.theorems.policy_methods import mei2020
from rltheory.theorems.policy_methods.mei2020 import Setting, TwoArms
from rltheory.theory import Status, Theorem
from tests.restatements.policies import assert_restated, each, first, occupancy, optimum, reweigh, rows, values
from tests.restatements.test_xiao2022 import SMALL, START

# Values up to 10, good to some eps; losses are differences of them here.
RELATIVE, ABSOLUTE = 1e-7, 1e-11

S = Setting(SMALL, 0.8, start=START, step=0.5, iterations=20)
THEOREMS = {theorem.name: theorem for theorem in vars(mei2020).values() if isinstance(theorem, Theorem)}


def run(s):
    """Policies and gradients."""
    policy, found = first(s), []
    for _ in range(s.iterations + 1):
        v, q = values(s, policy)
        parts = zip(rows(s, policy), rows(s, q), occupancy(s, policy), v, strict=True)
        gradient = np.concatenate([d * p * (x - w) / (1 - s.discount) for p, x, d, w in parts])
        found.append((policy, gradient))
        policy = reweigh(s, policy, s.step * gradient)
    return found


def losses(s, times):
    found = run(s)
    return np.array([(optimum(s)[0] - values(s, found[t][0])[0]).mean() for t in times])


def domination(s, times):
    found, star = run(s), optimum(s)[1]
    bounds = []
    for t in times:
        policy, gradient = found[t]
        mismatch = (occupancy(s, star) / occupancy(s, policy)).max()
        rarest = each(s, lambda p, best: p @ best, policy, star).min()
        bounds.append(np.sqrt(s.mdp.states) * mismatch * np.linalg.norm(gradient) / rarest)
    return losses(s, times), np.array(bounds)


def rate(s, times):
    found, star = run(s), optimum(s)[1]
    rarest = min(each(s, lambda p, best: p @ best, found[t][0], star).min() for t in times)
    mismatch = occupancy(s, star).max() * s.mdp.states
    constant = 16 * s.mdp.states * mismatch**2 * s.mdp.states / (rarest**2 * (1 - s.discount) ** 6)
    return losses(s, times), constant / np.maximum(times, 1)


def two_arms(s, times):
    logits, lost = np.log([s.first, 1 - s.first]), []
    for _ in range(times[-1] + 1):
        p = np.exp(logits) / np.exp(logits).sum()
        lost.append(s.gap * p[1])
        logits = logits + s.step * s.gap * p[0] * p[1] * np.array([1, -1])
    return np.array(lost)[times], 1 / (1 / lost[0] + 2 * s.step * s.first**2 * times)


RESTATED = {"softmax-pg/domination": (S, domination), "softmax-pg/rate": (S, rate)}
RESTATED["softmax-pg/two-arms"] = (TwoArms(0.7, 0.3, 0.2), two_arms)
USED = {"softmax-pg/domination": 0.7, "softmax-pg/two-arms": 0.99}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("name", RESTATED)
def test_both_sides(name):
    s, restated = RESTATED[name]
    assert_restated(THEOREMS[name], s, restated, rtol=RELATIVE, atol=ABSOLUTE)


def test_gap_of_two_arms_does_not_matter_in_the_end():
    for gap in (0.2, 1.0):
        s = TwoArms(gap, 0.4, 0.9)
        trace = mei2020.pull(s, np.random.default_rng(0))
        limit = trace.times[-1] * THEOREMS["softmax-pg/two-arms"].measured(s, trace)[-1]
        assert limit == pytest.approx(1 / (2 * 0.4), rel=0.01)  # log t / t is left, over the gap


def test_initial_distribution_must_be_uniform():
    river = Setting(river_swim(3), 0.9)
    assert "uniform" in THEOREMS["softmax-pg/domination"].failed_hypothesis(river)


@pytest.mark.parametrize("name", USED)
def test_bounds_are_used_as_far_as_known(name):
    verdicts = verify(THEOREMS[name])
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert max(verdict.tightness for verdict in verdicts) >= USED[name]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"gap": 0.0}, "gap is 0.0"), ({"step": -1.0}, "step is -1.0"), ({"first": 1.0}, "first is 1.0; it must lie")],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(TwoArms(0.7, 0.3, 0.2), **wrong)
