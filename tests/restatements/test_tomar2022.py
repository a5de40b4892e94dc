"""Both sides of the theorems on MDPO, in plain probabilities with sums over time."""

from dataclasses import replace

import numpy as np
import pytest

from rltheory.instances import river_swim
from rltheory.theorems.policy_methods import tomar2022
from rltheory.theorems.policy_methods.tomar2022 import INNER_STEPS, MANY, Setting
from rltheory.theory import Theorem
from tests.restatements.policies import assert_restated, first, occupancy, optimum, reweigh, rows, values
from tests.restatements.test_xiao2022 import SMALL, START

# Values up to 10, good to some eps; losses are differences of them here.
RELATIVE, ABSOLUTE = 1e-7, 1e-11

SETTINGS = {
    "two states": Setting(SMALL, 0.8, start=START, step=0.5, iterations=4, inner_rate=0.7),
    "river": Setting(river_swim(3), 0.9, step=2.0, iterations=4),
}
THEOREMS = {theorem.name: theorem for theorem in vars(tomar2022).values() if isinstance(theorem, Theorem)}


def mdpo(s, inner_steps):
    """Policies of MDPO, one more than iterations; gradients from advantages less penalties."""
    policies = [first(s)]
    for _ in range(s.iterations):
        old, q = policies[-1], values(s, policies[-1])[1]
        d, policy = occupancy(s, old, s.mdp.initial), old
        for _ in range(inner_steps):
            worth = q - np.log(policy / old) / s.step
            parts = zip(rows(s, policy), rows(s, worth), d, strict=True)
            policy = reweigh(s, policy, s.inner_rate * np.concatenate([w * p * (x - p @ x) for p, x, w in parts]))
        policies.append(policy)
    return policies


def means(s, policies, times):
    return np.array([values(s, policies[t])[0].mean() for t in times])


def one_inner_step(s, times):
    policy, gradient = first(s), []
    for _ in times:
        gradient.append(policy)
        v, q = values(s, policy)
        parts = zip(rows(s, policy), rows(s, q), occupancy(s, policy, s.mdp.initial), v, strict=True)
        slopes = np.concatenate([d * p * (x - w) / (1 - s.discount) for p, x, d, w in parts])
        policy = reweigh(s, policy, (1 - s.discount) * s.inner_rate * slopes)
    return means(s, mdpo(s, 1), times), means(s, gradient, times)


def many_inner_steps(s, times):
    mirror = [first(s)]
    for _ in times:
        mirror.append(reweigh(s, mirror[-1], s.step * values(s, mirror[-1])[1]))
    return means(s, mdpo(s, MANY), times), means(s, mirror, times)


def more_inner_steps(s, times):
    assert tuple(times) == INNER_STEPS
    v = optimum(s)[0].mean()
    lost = [v - means(s, mdpo(s, number), [s.iterations - 1])[0] for number in times]
    return np.array(lost), np.array([v - values(s, first(s))[0].mean(), *lost[:-1]])


RESTATED = {
    "mdpo/one-inner-step": one_inner_step,
    "mdpo/many-inner-steps": many_inner_steps,
    "mdpo/more-inner-steps": more_inner_steps,
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", RESTATED)
def test_both_sides(name, place):
    s = replace(SETTINGS[place], iterations=2) if name == "mdpo/many-inner-steps" else SETTINGS[place]
    assert_restated(THEOREMS[name], s, RESTATED[name], rtol=RELATIVE, atol=ABSOLUTE)


def test_wrong_inner_rate_is_named():
    with pytest.raises(ValueError, match=r"inner_rate is 0\.0; it must be finite and > 0"):
        Setting(SMALL, 0.8, inner_rate=0.0)
