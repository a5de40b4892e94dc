"""Both sides of the theorems on regularised policy mirror descent, in plain probabilities with sums over time."""

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import river_swim
from rltheory.theorems.policy_methods import lan2023
from rltheory.theorems.policy_methods.lan2023 import Setting
from rltheory.theory import Status, Theorem
from tests.restatements.policies import assert_restated, chain, each, kl, values
from tests.restatements.test_cen2022 import run, soft_optimum
from tests.restatements.test_xiao2022 import SMALL, START

# Values up to 10, good to some eps; the smallest temperature is 0.1.
RELATIVE, ABSOLUTE = 1e-7, 1e-11

SETTINGS = {
    "two states": Setting(SMALL, 0.8, start=START, temperature=0.3, keep=0.6, iterations=15),
    "two states, least step": Setting(SMALL, 0.8, start=START, temperature=0.5, keep=0.8, iterations=15),
    "river": Setting(river_swim(3), 0.9, temperature=0.1, keep=0.2, iterations=5),
}
THEOREMS = {theorem.name: theorem for theorem in vars(lan2023).values() if isinstance(theorem, Theorem)}
USED = {"regularized-pmd/one-step": 0.89, "regularized-pmd/linear": 0.63}


def potentials(s):
    """Phi of all policies."""
    v, _, best = soft_optimum(s, s.temperature)
    law = np.linalg.matrix_power(chain(s, best), 100_000)[0]
    eta = (1 / s.keep - 1) / s.temperature
    found = []
    for policy in run(s):
        lost = v - values(s, policy, s.temperature)[0]
        found.append(law @ (lost + (1 / eta + s.temperature) * each(s, kl, best, policy)))
    return np.array(found)


RESTATED = {
    "regularized-pmd/one-step": lambda s, times: (potentials(s)[times + 1], s.discount * potentials(s)[times]),
    "regularized-pmd/linear": lambda s, times: (potentials(s)[times], s.discount**times * potentials(s)[0]),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() == USED.keys()


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", RESTATED)
def test_both_sides(name, place):
    assert_restated(THEOREMS[name], SETTINGS[place], RESTATED[name], rtol=RELATIVE, atol=ABSOLUTE)


def test_weight_at_the_least_step_is_the_papers():
    assert SETTINGS["two states, least step"].weight == pytest.approx(0.5 / (1 - 0.8))


def test_smaller_steps_are_outside():
    small = Setting(SMALL, 0.8, temperature=0.5, keep=0.9)
    assert "gamma" in THEOREMS["regularized-pmd/linear"].failed_hypothesis(small)


@pytest.mark.parametrize("name", USED)
def test_bounds_are_used_as_far_as_known(name):
    verdicts = verify(THEOREMS[name])
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert max(verdict.tightness for verdict in verdicts) >= USED[name]
