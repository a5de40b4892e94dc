"""Both sides of the theorems on adaptive steps, in plain probabilities with sums over time."""

import math

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import river_swim
from rltheory.theorems.policy_methods import johnson2023
from rltheory.theorems.policy_methods.johnson2023 import AdaptiveSetting
from rltheory.theory import Status, Theorem
from tests.restatements.policies import assert_restated, first, half_square, kl, nearest, optimum, reweigh, rows, values
from tests.restatements.test_xiao2022 import SMALL, START

# Steps divide by what may be lost, down to 1e-4 here, and magnify the rounding of values.
RELATIVE, ABSOLUTE = 1e-6, 1e-9

SETTINGS = {
    "two states": AdaptiveSetting(SMALL, 0.8, start=START, iterations=12, loss=0.5),
    "two states, Euclidean": AdaptiveSetting(SMALL, 0.8, start=START, iterations=12, loss=0.1, euclidean=True),
    "river": AdaptiveSetting(river_swim(3), 0.9, iterations=12, loss=0.3),
}
THEOREMS = {theorem.name: theorem for theorem in vars(johnson2023).values() if isinstance(theorem, Theorem)}
USED = {"adaptive-pmd/one-step": 0.999, "adaptive-pmd/linear": 0.99}


def losses(s):
    """Largest losses of all policies, and what steps may lose."""
    policy, found = first(s), []
    allowed = [s.loss * s.discount ** (2 * k + 1) for k in range(s.iterations)]
    for c in allowed:
        v, q = values(s, policy)
        found.append((optimum(s)[0] - v).max())
        distances = []
        for p, x in zip(rows(s, policy), rows(s, q), strict=True):
            greedy = np.where(x == x.max(), p, -1).argmax()
            decision = (np.arange(x.size) == greedy).astype(float)
            distances.append(half_square(decision, p) if s.euclidean else kl(decision, p))
        eta = max(distances) / c
        if s.euclidean:
            moved = zip(rows(s, policy), rows(s, q), strict=True)
            policy = np.concatenate([nearest(p + eta * (x - x.max())) for p, x in moved])
        else:
            policy = reweigh(s, policy, eta * q)
    found.append((optimum(s)[0] - values(s, policy)[0]).max())
    return np.array(found), np.array(allowed)


def one_step(s, times):
    found, allowed = losses(s)
    return found[times + 1], s.discount * found[times] + allowed[times]


def linear(s, times):
    found, _ = losses(s)
    return found[times], [math.pow(s.discount, t) * (found[0] + s.loss / (1 - s.discount)) for t in times]


RESTATED = {"adaptive-pmd/one-step": one_step, "adaptive-pmd/linear": linear}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() == USED.keys()


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", RESTATED)
def test_both_sides(name, place):
    assert_restated(THEOREMS[name], SETTINGS[place], RESTATED[name], rtol=RELATIVE, atol=ABSOLUTE)


@pytest.mark.parametrize("name", USED)
def test_bounds_are_sharp_in_a_corridor(name):
    verdicts = verify(THEOREMS[name])
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert max(verdict.tightness for verdict in verdicts) >= USED[name]


def test_wrong_loss_is_named():
    with pytest.raises(ValueError, match=r"loss is -1\.0; it must be finite and > 0"):
        AdaptiveSetting(SMALL, 0.8, loss=-1.0)
