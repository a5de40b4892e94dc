"""Both sides of the theorems on OFUL, with OFUL in plain NumPy on the same draws."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rltheory.simulation import stream
from rltheory.simulation.streams import fingerprint
from rltheory.theorems.bandits import abbasi2011 as paper
from rltheory.theory import Theorem
from rltheory.theory.settings import setting_from_dict, setting_to_dict
from tests.contextual_replay import Optimistic, counts, replay

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def root_beta(s, log_ratio):
    return s.noise * np.sqrt(2 * np.log(1 / s.delta) + log_ratio) + s.regularization**0.5 * s.size


def rounds_of(s, name):
    policy = Optimistic(s.bandit.features, s.regularization, lambda ratio: root_beta(s, ratio))
    return replay(s.bandit, policy, stream(0, "restated", name), s.horizon)


def confidence(s, times, name):
    contexts, arms, rewards = rounds_of(s, name)
    shares = []
    for t in times:
        phi, r = s.bandit.features[contexts[:t], arms[:t]], rewards[:t]
        v = s.regularization * np.eye(s.bandit.dimension) + phi.T @ phi
        error = np.linalg.inv(v) @ phi.T @ r - s.bandit.parameter
        log_ratio = math.log(np.linalg.det(v / s.regularization))
        shares.append(math.sqrt(error @ v @ error) / root_beta(s, log_ratio))
    return shares, np.ones(len(times))


def regret(s, times, name):
    contexts, arms, _ = rounds_of(s, name)
    lost = (counts(s.bandit, contexts, arms, times) * s.bandit.gaps).sum(axis=(1, 2))
    d = s.bandit.dimension
    length2 = (s.bandit.features**2).sum(axis=2).max()
    c = length2 / s.regularization
    largest = d * np.log(1 + times * c / d)
    return lost, 2 * root_beta(s, largest) * np.sqrt(c / np.log(1 + c) * times * largest)


RESTATED = {"oful/confidence": confidence, "oful/regret": regret}


def test_every_theorem_is_restated():
    assert RESTATED.keys() == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(RESTATED))
@pytest.mark.parametrize("place", range(5))
def test_sides(name, place):
    theorem = THEOREMS[name]
    s = replace(list(theorem.settings())[place], horizon=300)
    trace = theorem.run(s, stream(0, "restated", name))
    measured, bound = RESTATED[name](s, trace.times, name)
    # Inverses that are updated and systems that are solved differ by some units of rounding in 300 rounds.
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-10)


def test_settings_survive_as_data():
    for s in paper.grid():
        assert fingerprint(setting_from_dict(type(s), setting_to_dict(s))) == fingerprint(s)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": 0.0}, "noise is 0.0"),
        ({"size": -1.0}, "size is -1.0"),
        ({"delta": 1.0}, r"delta is 1.0; it must lie in \(0, 1\)"),
        ({"regularization": 0.0}, "regularization is 0.0"),
        ({"horizon": 0}, "horizon is 0"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(next(paper.grid()), **change)


@pytest.mark.parametrize(("change", "hypothesis"), [({"size": 0.9}, r"\\|\\theta"), ({"noise": 0.2}, "sub-Gaussian")])
def test_hypotheses(change, hypothesis):
    s = next(paper.grid())
    assert paper.CONFIDENCE.failed_hypothesis(s) is None
    assert hypothesis.replace("\\\\", "\\") in paper.CONFIDENCE.failed_hypothesis(replace(s, **change))
