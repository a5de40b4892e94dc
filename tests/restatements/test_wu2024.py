"""Both sides of the theorems on SPPO, in plain probabilities with win rates as they are."""

import math

import numpy as np
import pytest

from rltheory import verify
from rltheory.problems import PreferenceGame
from rltheory.simulation import stream
from rltheory.theorems.games import wu2024
from rltheory.theorems.games.swamy2024 import RateSetting, Setting
from rltheory.theory import Status, Theorem

# Logarithms of normalisers of up to some dozen, good to some eps.
ABSOLUTE = 1e-13
RELATIVE = 1e-9

BEATS = PreferenceGame([[0.5, 1.0], [0.0, 0.5]])
CYCLE = PreferenceGame([[0.5, 1.0, 0.2], [0.0, 0.5, 0.9], [0.8, 0.1, 0.5]])
SETTINGS = {
    "two actions": RateSetting(BEATS, [0.3, 0.7], 30, rate=0.5),
    "cycle": RateSetting(CYCLE, [0.05, 0.15, 0.8], 30, rate=0.01),
    "cycle, large rate": RateSetting(CYCLE, None, 30, rate=20.0),
}
THEOREMS = {theorem.name: theorem for theorem in vars(wu2024).values() if isinstance(theorem, Theorem)}


def first(s):
    return np.full(s.game.n, 1 / s.game.n) if s.start is None else np.array(s.start)


def policies(s, rate, rounds):
    x, rows = first(s), []
    for _ in range(rounds):
        rows.append(x)
        x = x * np.exp(rate * (s.game.prefer @ x))
        x = x / x.sum()
    return np.array(rows)


def log_normaliser(s, trace):
    x = policies(s, s.rate, s.horizon)[trace.times - 1]
    return np.log((x * np.exp(s.rate * (x @ s.game.prefer.T))).sum(1))


def mixture(s, trace):
    """Duality gap of averages: the best reply's win rate, less the win rate against the best reply."""
    gaps = []
    for rounds in trace.times:
        mean = policies(s, math.sqrt(8 * math.log(1 / first(s).min()) / rounds), rounds).mean(0)
        gaps.append((s.game.prefer @ mean).max() - (mean @ s.game.prefer).min())
    return np.array(gaps), trace.times**-0.5


RESTATED = {
    "sppo/normalizer-lower": lambda s, trace: (np.full(trace.times.size, s.rate / 2), log_normaliser(s, trace)),
    "sppo/normalizer-upper": lambda s, trace: (
        log_normaliser(s, trace) - s.rate / 2,
        np.full(trace.times.size, s.rate**2 / 8),
    ),
    "sppo/normalizer": lambda s, trace: (
        log_normaliser(s, trace) - s.rate / 2,
        np.full(trace.times.size, math.log(math.sinh(s.rate / 2) / (s.rate / 2))),
    ),
    "sppo/mixture": mixture,
}
RATE_ONLY = {"sppo/mixture"}
USED = {"sppo/normalizer-lower": 0.99, "sppo/normalizer-upper": 0.333, "sppo/normalizer": 0.999}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() == USED.keys() | RATE_ONLY


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", THEOREMS)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    s = Setting(s.game, s.start, s.horizon) if name in RATE_ONLY else s
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = RESTATED[name](s, trace)
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=RELATIVE, atol=ABSOLUTE)
    assert theorem.kind.name == "every step"
    assert name in RATE_ONLY or (measured <= (1 + RELATIVE) * bound + ABSOLUTE).all()


@pytest.mark.parametrize("rate", [1e-3, 0.1, 1.0, 30.0])
def test_the_finer_bound_is_the_smaller_one(rate):
    fine = wu2024.uniform_excess(rate)
    assert fine == pytest.approx(math.log(math.sinh(rate / 2) / (rate / 2)), rel=1e-6)
    assert fine <= rate**2 / 24 * (1 + 1e-6)


@pytest.mark.parametrize("name", USED)
def test_bounds_are_used_as_far_as_known(name):
    verdicts = verify(THEOREMS[name])
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert max(verdict.tightness for verdict in verdicts) >= USED[name]


def test_no_policy_uses_more_than_a_third_of_the_coarse_bound():
    assert max(verdict.tightness for verdict in verify(THEOREMS["sppo/normalizer-upper"])) <= 1 / 3
