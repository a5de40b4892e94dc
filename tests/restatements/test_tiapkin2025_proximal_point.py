"""Both sides of the theorems on the proximal point method, in plain probabilities, for games small enough to read.

Of the library, only the theorem objects under test compute anything here.
"""

from typing import NamedTuple

import numpy as np
import pytest

from rltheory import verify
from rltheory.simulation import stream
from rltheory.theorems.games import tiapkin2025_proximal_point as paper
from rltheory.theorems.games.tiapkin2025_proximal_point import Setting
from rltheory.theory import Theorem
from tests.restatements.test_tiapkin2025 import BEATS, CYCLE, FIVE, equilibrium, kl, normalised

# As for Nash mirror prox: naive sums stall near 1e-16, and equilibria err by some eps over their temperature; the
# divergences are divided by steps of 0.5 at least.
ABSOLUTE = 1e-13
RELATIVE = 1e-9

SETTINGS = {
    "two actions, small step": Setting(BEATS, 0.1, reference=[0.3, 0.7], step=0.5),
    "cycle": Setting(CYCLE, 0.1, reference=[0.05, 0.25, 0.7]),
    "cycle, long step, from a corner": Setting(CYCLE, 0.3, step=50.0, start=[0.98, 0.01, 0.01]),
    "five actions, long step": Setting(FIVE, 0.2, reference=[0.1, 0.3, 0.1, 0.4, 0.1], step=10.0),
    "five actions from elsewhere": Setting(FIVE, 0.15, step=1.0, start=[1e-9, 0.4, 0.1, 0.3, 0.2 - 1e-9]),
}


class Run(NamedTuple):
    """Probabilities in each iteration k, and the numbers that the statements use."""

    k: np.ndarray
    x: np.ndarray
    y: np.ndarray  # x_{k+1}
    star: np.ndarray
    b: float
    g: float


def run(s, iterations):
    """Solve one pulled game after the other: its temperature is b + 1 / g, and its reference x^q ref^(1-q)."""
    prefer, b, g = s.game.prefer, s.beta, s.step
    q = 1 / (1 + g * b)
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    rows = [ref if s.start is None else np.array(s.start)]
    for _ in range(iterations):
        rows.append(equilibrium(prefer, normalised(rows[-1] ** q * ref ** (1 - q)), b + 1 / g))
    return Run(np.arange(iterations), *map(np.array, (rows[:-1], rows[1:])), equilibrium(prefer, ref, b), b, g)


RESTATED = {
    "proximal-point/descent": lambda r: (
        (1 / r.g + r.b) * kl(r.star, r.y) + r.b * kl(r.y, r.star) + kl(r.y, r.x) / r.g,
        kl(r.star, r.x) / r.g,
    ),
    "proximal-point/kl-one-step": lambda r: (kl(r.star, r.y), kl(r.star, r.x) / (1 + r.g * r.b)),
    "proximal-point/kl": lambda r: (kl(r.star, r.x), (1 + r.g * r.b) ** (-1.0 * r.k) * kl(r.star, r.x[0])),
}
THEOREMS = {theorem.name: theorem for theorem in vars(paper).values() if isinstance(theorem, Theorem)}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", THEOREMS)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = RESTATED[name](run(s, trace.times.size))
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=RELATIVE, atol=ABSOLUTE)
    assert (measured <= (1 + RELATIVE) * bound + ABSOLUTE).all()
    if name == "proximal-point/descent":
        assert theorem.kind.name == "identity"
        np.testing.assert_allclose(measured, bound, rtol=RELATIVE, atol=ABSOLUTE)
    else:
        assert theorem.kind.name == "every step"


@pytest.mark.parametrize("name", ["proximal-point/kl-one-step", "proximal-point/kl"])
def test_the_factor_is_sharp(name):
    """Attained in the limit of skewed starts: log-odds of 600 leave a relative gap of some 1e-4."""
    assert 0.9998 < max(verdict.tightness for verdict in verify(THEOREMS[name])) <= 1 + 1e-6
