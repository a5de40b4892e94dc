"""Both sides of the theorems on moving magnets, in plain probabilities, for games whose winners are known.

Of the library, only the theorem objects under test compute anything here.
"""

from typing import NamedTuple

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import cycle, weighted_rock_paper_scissors
from rltheory.simulation import stream
from rltheory.theorems.games import wang2025 as paper
from rltheory.theorems.games.wang2025 import Setting
from rltheory.theory import Theorem
from tests.restatements.test_tiapkin2025 import BEATS, equilibrium

# Rounds inherit the errors of those before, some eps / beta each, and win rates hand them on divided by beta.
ABSOLUTE = 1e-12
RELATIVE = 1e-9

SETTINGS = {
    "uneven cycle": (
        Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.2, [0.8, 0.15, 0.05], rounds=12),
        np.array([3, 5, 1]) / 9,
    ),
    "cycle of five": (Setting(cycle(5), 0.3, [0.6, 0.1, 0.1, 0.1, 0.1], rounds=12), np.full(5, 0.2)),
    "a pure winner": (Setting(BEATS, 1.0, [0.01, 0.99], rounds=12), np.array([1.0, 0.0])),
}


class Run(NamedTuple):
    """Probabilities: row j is r_j, up to one round more than is spoken of."""

    r: np.ndarray
    winner: np.ndarray
    prefer: np.ndarray
    b: float


def run(s, winner):
    rows = [np.array(s.start)]
    for _ in range(s.rounds + 1):
        rows.append(equilibrium(s.game.prefer, rows[-1], s.beta))
    return Run(np.array(rows), winner, s.game.prefer, s.beta)


def kl(p, q):
    """KL(p || q) of two policies, one of which may have zeros."""
    charged = p > 0
    return (p[charged] * np.log(p[charged] / q[charged])).sum()


def round_of(f):
    distances = [kl(f.winner, r) for r in f.r]
    moved = [kl(after, before) for before, after in zip(f.r[:-1], f.r[1:], strict=True)]
    edges = f.winner @ f.prefer @ f.r[1:].T - 1 / 2
    return distances[1:], distances[:-1] - np.array(moved) - edges / f.b


def average(f):
    rounds = range(1, len(f.r) - 1)
    gaps = [(f.prefer @ f.r[1 : j + 1].mean(axis=0)).max() - 1 / 2 for j in rounds]
    return gaps, [f.b / j * np.log(1 / f.r[0].min()) for j in rounds]


RESTATED = {"mpo/round": (round_of, 0), "mpo/average": (average, 1)}
THEOREMS = {theorem.name: theorem for theorem in vars(paper).values() if isinstance(theorem, Theorem)}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", THEOREMS)
def test_both_sides(name, place):
    theorem, (s, winner) = THEOREMS[name], SETTINGS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    restate, since = RESTATED[name]
    assert theorem.since == since
    measured, bound = restate(run(s, winner))
    np.testing.assert_allclose(theorem.measured(s, trace)[since:], measured, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace)[since:], bound, rtol=RELATIVE, atol=ABSOLUTE)
    if name == "mpo/round":
        assert theorem.kind.name == "identity"
        np.testing.assert_allclose(measured, bound, rtol=RELATIVE, atol=ABSOLUTE)
    else:
        assert theorem.kind.name == "every step"
        assert (np.array(measured) <= bound).all()


def test_winners_are_those_known():
    for s, winner in SETTINGS.values():
        np.testing.assert_allclose(s.winner, winner, atol=1e-14)


def test_the_average_is_tight_where_a_pure_winner_is_slow():
    assert max(verdict.tightness for verdict in verify(THEOREMS["mpo/average"])) > 0.85
