"""Both sides of the theorems about momentum, in plain probabilities, for games small enough to read.

Of the library, only the theorem objects under test compute anything here.
"""

from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pytest

from rltheory import PreferenceGame, verify
from rltheory.simulation import stream
from rltheory.theorems.games import he2024 as paper
from rltheory.theorems.games.he2024 import AdditiveSetting, CyclicSetting, Setting
from rltheory.theory import Theorem
from tests.restatements.test_tiapkin2025 import CYCLE, FIVE, kl, normalised

# Probabilities stay above 1e-150 here, so that their logarithms err by some eps of 345; all else is of order 10.
ABSOLUTE = 1e-11
RELATIVE = 1e-9

STAIRS = PreferenceGame([[0.5, 0.6, 0.9], [0.4, 0.5, 0.8], [0.1, 0.2, 0.5]])  # scores 0.4, 0.3, 0
UNEVEN = PreferenceGame([[0.5, 0.6, 0.0], [0.4, 0.5, 0.8], [1.0, 0.2, 0.5]])  # the winner is (3, 5, 1) / 9
FIXED = {
    "no momentum": AdditiveSetting(STAIRS, 0.5, 0.0, [0.2, 0.3, 0.5], iterations=40),
    "momentum": AdditiveSetting(STAIRS, 0.3, 0.6, [0.001, 0.009, 0.99], iterations=40),
    "much momentum": AdditiveSetting(STAIRS, 0.2, 0.9, iterations=40),
}
CYCLIC = {
    "no momentum": CyclicSetting(UNEVEN, 1.0, 0.0, [0.2, 0.3, 0.5], iterations=40, winner=np.array([3, 5, 1]) / 9),
    "momentum": CyclicSetting(UNEVEN, 0.5, 0.8, iterations=40, winner=np.array([3, 5, 1]) / 9),
}
ANY = {
    "cycle": Setting(CYCLE, 0.3, 0.5, [0.9, 0.05, 0.05], iterations=60),
    "five actions": Setting(FIVE, 0.1, 0.8, iterations=60),
    "five actions, no momentum": Setting(FIVE, 0.2, 0.0, [0.1, 0.1, 0.1, 0.1, 0.6], iterations=60),
}


class Run(NamedTuple):
    """Probabilities in each recorded iteration t, and the numbers that the statements use."""

    t: np.ndarray
    x: np.ndarray
    hat: np.ndarray
    hat_before: np.ndarray
    hat_next: np.ndarray
    mean: np.ndarray
    start: np.ndarray
    prefer: np.ndarray
    eta: float
    a: float


def run(s, times):
    """A preference step, then pi ~ hat (hat / last hat)^a."""
    prefer = s.game.prefer
    start = np.full(s.game.n, 1 / s.game.n) if s.start is None else np.array(s.start)
    x = hat = last = start
    rows = []
    for _ in range(times[-1] + 1):
        following = normalised(x * np.exp(s.rate * (prefer @ x)))
        rows.append((x, hat, last, following))
        last, hat = hat, following
        x = normalised(hat * (hat / last) ** s.momentum)
    xs, hats, lasts, followings = np.array(rows).swapaxes(0, 1)
    means = np.array([xs[: t + 1].mean(axis=0) for t in times])
    return Run(times, xs[times], hats[times], lasts[times], followings[times], means, start, prefer, s.rate, s.momentum)


def hedge(r):
    """Hedge with rate eta / (1 - a), by its sums."""
    x, rows = r.start, []
    for _ in range(r.t[-1] + 1):
        rows.append(x)
        x = normalised(x * np.exp(r.eta / (1 - r.a) * (r.prefer @ x)))
    return np.array(rows)[r.t]


def grown(r):
    """The growth of log-odds for each unit of score, added up: eta (1 - a^(k+1)) / (1 - a) for k = 1, ..., t."""
    return np.array([sum(r.eta * sum(r.a**j for j in range(k + 1)) for k in range(1, t + 1)) for t in r.t])


def log_odds(r, first, second):
    """Log-odds of two actions in each iteration, and what is said of them."""
    measured = np.log(r.x[:, first] / r.x[:, second])
    said = np.log(r.start[first] / r.start[second])
    return measured, said + grown(r) * (r.prefer[first, 0] - r.prefer[second, 0])


def lag(r):
    ratios = np.log(r.x / hedge(r))
    scores = r.prefer[:, 0]
    return np.ptp(ratios, axis=1), np.full(r.t.size, r.eta * (r.a / (1 - r.a)) ** 2 * np.ptp(scores))


def last_iterate(r):
    winner = np.array([3, 5, 1]) / 9
    before, now, after = (kl(winner, policies) for policies in (r.hat_before, r.hat, r.hat_next))
    edges = r.x @ r.prefer.T - 1 / 2
    return r.a * (now - before) + np.log((r.x * np.exp(r.eta * edges)).sum(axis=1)), after - now


def average(r):
    rounds, complexity = r.t + 1, np.log(1 / r.start.min())
    gaps = (r.mean @ r.prefer.T).max(axis=1) - 1 / 2
    price = r.eta / (8 * (1 - r.a)) + r.eta * r.a**2 / (4 * (1 - r.a) ** 2)
    return gaps, (1 - r.a) * complexity / (r.eta * rounds) + price


RESTATED = {"apo/speed-up": (lag, FIXED), "apo/last-iterate": (last_iterate, CYCLIC), "apo/average": (average, ANY)}
THEOREMS = {theorem.name: theorem for theorem in vars(paper).values() if isinstance(theorem, Theorem)}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() | {"apo/log-odds"}


@pytest.mark.parametrize("place", FIXED)
def test_log_odds(place):
    """All pairs are as said; the theorem shows, at each time, one of them."""
    theorem, s = paper.LOG_ODDS, FIXED[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    r = run(s, trace.times)
    measured, bound = theorem.measured(s, trace), theorem.bound(s, trace)
    shown = np.zeros(trace.times.size, dtype=bool)
    for first, second in combinations(range(3), 2):
        left, right = log_odds(r, first, second)
        np.testing.assert_allclose(left, right, rtol=RELATIVE, atol=ABSOLUTE)
        for sign in (1, -1):
            shown |= np.isclose(measured, sign * left, rtol=RELATIVE, atol=ABSOLUTE) & np.isclose(
                bound, sign * right, rtol=RELATIVE, atol=ABSOLUTE
            )
    at_start = measured == 0  # before any rounding, all differences are equal, and the pair is an action with itself
    assert (shown | at_start).all()
    assert shown.sum() > 30
    assert theorem.kind.name == "identity"


def test_log_odds_show_the_pair_that_is_off():
    """In a run that is wrong for one action only, the sides differ by that."""
    theorem, s = paper.LOG_ODDS, FIXED["momentum"]
    trace = theorem.run(s, stream(0, "restatement"))
    wrong = trace["log_policy"] + [0.0, 0.01, 0.0]
    trace = replace(trace, values={**trace.values, "log_policy": (("time", "action"), wrong)})
    np.testing.assert_allclose(np.abs(theorem.measured(s, trace) - theorem.bound(s, trace)), 0.01, atol=ABSOLUTE)


@pytest.mark.parametrize(
    ("name", "place"), [(name, place) for name, (_, settings) in RESTATED.items() for place in settings]
)
def test_both_sides(name, place):
    restate, settings = RESTATED[name]
    theorem, s = THEOREMS[name], settings[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = restate(run(s, trace.times))
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace) * np.ones(trace.times.size), bound, rtol=RELATIVE, atol=ABSOLUTE)
    assert (measured <= (1 + RELATIVE) * bound + ABSOLUTE).all()
    assert theorem.kind.name == "every step"


def test_games_are_split_into_their_parts():
    """A game is played as it is if it is additive, or its winner is the given one; and as a part of it otherwise."""
    np.testing.assert_allclose(FIXED["momentum"].played.prefer, STAIRS.prefer, atol=1e-15)
    np.testing.assert_allclose(CYCLIC["momentum"].played.prefer, UNEVEN.prefer, atol=1e-15)
    additive, cyclic = AdditiveSetting(FIVE, 1.0, 0.5), CyclicSetting(FIVE, 1.0, 0.5)
    scores = FIVE.prefer.mean(axis=1)
    np.testing.assert_allclose(additive.played.prefer - 0.5, scores[:, None] - scores, atol=1e-15)
    winner = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    np.testing.assert_allclose(cyclic.played.prefer.mean(axis=1), 0.5, atol=1e-15)
    np.testing.assert_allclose(replace(cyclic, winner=winner).played.prefer @ winner, 0.5, atol=1e-15)


@pytest.mark.parametrize("name", ["apo/speed-up", "apo/last-iterate"])
def test_exact_statements_are_sharp(name):
    assert 0.999 < max(verdict.tightness for verdict in verify(THEOREMS[name])) <= 1 + 1e-6


def test_the_price_of_momentum_is_of_the_right_order():
    assert max(verdict.tightness for verdict in verify(THEOREMS["apo/average"])) > 0.85
