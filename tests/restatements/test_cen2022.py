"""Both sides of the theorems on the natural gradient with entropy, in plain probabilities with sums over time."""

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import river_swim
from rltheory.theorems.policy_methods import cen2022
from rltheory.theorems.policy_methods.cen2022 import NearOptimum, Setting, Tempered
from rltheory.theory import Status, Theorem
from tests.restatements.policies import assert_restated, first, optimum, reweigh, values
from tests.restatements.test_xiao2022 import SMALL, START

# Values up to 10, good to some eps; the smallest temperature is 0.1.
RELATIVE, ABSOLUTE = 1e-7, 1e-11

SETTINGS = {
    "two states": Setting(SMALL, 0.8, start=START, temperature=0.3, keep=0.6, iterations=15),
    "two states, soft policy iteration": Setting(SMALL, 0.8, start=START, temperature=0.5, keep=0.0, iterations=6),
    "river": Setting(river_swim(3), 0.9, temperature=0.1, keep=0.9, iterations=15),
}
THEOREMS = {theorem.name: theorem for theorem in vars(cen2022).values() if isinstance(theorem, Theorem)}
USED = {
    "entropy-npg/action-values": 0.45,
    "entropy-npg/log-policy": 0.24,
    "entropy-npg/values": 0.45,
    "entropy-npg/price": 0.49,
}


def soft_optimum(s, temperature):
    """Soft value iteration until nothing moves; the values of states and choices, and the policy."""
    policy = first(s)
    for _ in range(200):
        q = values(s, policy, temperature)[1]
        policy = reweigh(s, np.ones(q.size), q / temperature)
    return *values(s, policy, temperature), policy


def run(s):
    """Policies, one more than steps."""
    policies = [first(s)]
    for _ in range(s.iterations):
        q = values(s, policies[-1], s.temperature)[1]
        policies.append(reweigh(s, policies[-1], (1 - s.keep) / s.temperature * q, s.keep))
    return policies


def over_next(distance, factor):
    """Distances of the next policies from the optimum, and C_1 with a factor and the powers."""

    def curves(s, times):
        v, q, best = soft_optimum(s, s.temperature)
        eta = (1 - s.keep) * (1 - s.discount) / s.temperature
        start = first(s)
        c = np.abs(q - values(s, start, s.temperature)[1]).max()
        c += 2 * s.temperature * s.keep * np.abs(np.log(best / start)).max()
        policies = run(s)
        measured = [distance(s, policies[k + 1], v, q, best) for k in times]
        return np.array(measured), factor(s) * c * (1 - eta * s.temperature) ** times

    return curves


def price(s, times):
    s = Setting(s.mdp, s.discount, temperature=1.0)
    temperatures = np.abs(s.mdp.rewards).max() * 10 ** (1 - times / 2)
    lost = [(optimum(s)[0] - values(s, soft_optimum(s, tau)[2])[0]).max() for tau in temperatures]
    return np.array(lost), temperatures * np.log(np.diff(s.mdp.first_choice).max()) / (1 - s.discount)


RESTATED = {
    "entropy-npg/action-values": over_next(
        lambda s, policy, v, q, best: np.abs(q - values(s, policy, s.temperature)[1]).max(), lambda s: s.discount
    ),
    "entropy-npg/log-policy": over_next(
        lambda s, policy, v, q, best: np.abs(np.log(best / policy)).max(), lambda s: 2 / s.temperature
    ),
    "entropy-npg/values": over_next(
        lambda s, policy, v, q, best: np.abs(v - values(s, policy, s.temperature)[0]).max(), lambda s: 1.0
    ),
}
LOCAL = {"entropy-npg/policy-factor": 1, "entropy-npg/value-factor": 2}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() | LOCAL.keys() | {"entropy-npg/price"}


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", RESTATED)
def test_both_sides(name, place):
    assert_restated(THEOREMS[name], SETTINGS[place], RESTATED[name], rtol=RELATIVE, atol=ABSOLUTE)


@pytest.mark.parametrize(("mdp", "discount"), [(SMALL, 0.8), (river_swim(3), 0.9)])
def test_price(mdp, discount):
    s = Tempered(mdp, discount)
    assert_restated(THEOREMS["entropy-npg/price"], s, price, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize("keep", [0.9, 0.7, 0.5, 0.4, 0.1])
def test_local_factors_to_three_digits(name, keep):
    """Successive distances from the optimum, of runs that start a hundredth of a percent away from it."""
    s = NearOptimum(SMALL, 0.9, temperature=0.5, keep=keep)
    theorem = THEOREMS[name]
    trace = theorem.run(s, np.random.default_rng(0))
    np.testing.assert_allclose(theorem.measured(s, trace), keep ** LOCAL[name], rtol=1e-4)
    np.testing.assert_allclose(theorem.bound(s, trace), keep ** LOCAL[name], rtol=1e-14)
    best = soft_optimum(s, s.temperature)[2]
    near = Setting(SMALL, 0.9, temperature=0.5, keep=keep, iterations=1)
    policy = reweigh(s, best, 1e-4 * np.cos(np.arange(4)))
    policies = [policy, reweigh(s, policy, (1 - keep) / 0.5 * values(near, policy, 0.5)[1], keep)]
    logs = [np.abs(np.log(p / best)).max() for p in policies]
    losses = [(soft_optimum(s, 0.5)[0] - values(near, p, 0.5)[0]).mean() for p in policies]
    ratio = logs[1] / logs[0] if LOCAL[name] == 1 else losses[1] / losses[0]
    assert ratio == pytest.approx(keep ** LOCAL[name], rel=2e-2)  # losses are 1e-9 of the values, and less


@pytest.mark.parametrize("name", USED)
def test_bounds_are_used_as_far_as_known(name):
    verdicts = verify(THEOREMS[name])
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert max(verdict.tightness for verdict in verdicts) >= USED[name]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0; it must be finite and > 0"),
        ({"keep": 1.0}, "keep is 1.0; it must lie in"),
        ({"keep": 1.5}, "keep is 1.5; it must lie in"),
    ],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        Setting(SMALL, 0.8, **wrong)
