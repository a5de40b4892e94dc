"""Both sides of the theorems on Nash mirror prox, in plain probabilities, for games small enough to read.

Of the library, only the theorem objects under test compute anything here.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest

from rltheory.problems import PreferenceGame
from rltheory.simulation import stream
from rltheory.theorems.games import tiapkin2025
from rltheory.theorems.games.tiapkin2025 import Setting
from rltheory.theory import Theorem

# Sums of p log(p / q) stall near 1e-16 where their terms cancel; iterates and equilibria err by some eps / beta,
# 1e-14: the tiny values late in a curve can't be compared. The early ones carry the constants, to 9 digits.
ABSOLUTE = 1e-13
RELATIVE = 1e-9

BEATS = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
CYCLE = PreferenceGame([[0.5, 1.0, 0.2], [0.0, 0.5, 0.9], [0.8, 0.1, 0.5]])
FIVE = PreferenceGame(
    [
        [0.5, 0.9, 0.3, 0.6, 0.1],
        [0.1, 0.5, 1.0, 0.4, 0.7],
        [0.7, 0.0, 0.5, 0.8, 0.2],
        [0.4, 0.6, 0.2, 0.5, 0.9],
        [0.9, 0.3, 0.8, 0.1, 0.5],
    ]
)
SETTINGS = {
    "two actions": Setting(BEATS, 0.1, reference=[0.3, 0.7]),
    "cycle from the reference": Setting(CYCLE, 0.1, reference=[0.05, 0.25, 0.7]),
    "cycle, step 1, from a corner": Setting(CYCLE, 0.5, reference=[0.2, 0.5, 0.3], step=1.0, start=[0.98, 0.01, 0.01]),
    "five actions from the uniform reference": Setting(FIVE, 0.05),
    "five actions from elsewhere": Setting(
        FIVE, 0.2, reference=[0.1, 0.3, 0.1, 0.4, 0.1], start=[1e-9, 0.4, 0.1, 0.3, 0.2 - 1e-9]
    ),
    "five actions, largest step": Setting(
        FIVE,
        0.3,
        reference=[0.6, 0.1, 0.1, 0.1, 0.1],
        step=2 * 0.3 + 2 * math.sqrt(1.09),
        start=[0.1, 0.2, 0.3, 0.2, 0.2],
    ),
    "two actions, beyond the largest step": Setting(BEATS, 0.1, step=4.0, start=[0.1, 0.9]),
}


class Run(NamedTuple):
    """Probabilities in each recorded iteration k, and the numbers that the statements use."""

    k: np.ndarray
    x: np.ndarray
    h: np.ndarray
    y: np.ndarray  # x_{k+1}
    star: np.ndarray
    ref: np.ndarray
    prefer: np.ndarray
    b: float
    g: float
    q: float


def run(s, g, times):
    """Play on, one pair of proximal steps after the other."""
    prefer, b, q = s.game.prefer, s.beta, 1 / (1 + g * s.beta)
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    x = ref if s.start is None else np.array(s.start)
    rows = []
    for _ in range(times[-1] + 1):
        h = normalised(x**q * ref ** (1 - q) * np.exp(q * g * (prefer @ x)))
        y = normalised(x**q * ref ** (1 - q) * np.exp(q * g * (prefer @ h)))
        rows.append((x, h, y))
        x = y
    return Run(times, *np.array(rows)[times].swapaxes(0, 1), equilibrium(prefer, ref, b), ref, prefer, b, g, q)


def equilibrium(prefer, ref, b):
    """Fixed point z = P pi / b, pi ~ ref exp(z): averages come close from anywhere, Newton ends it."""
    z, rate = np.zeros(len(ref)), 2 * b**2 / (1 + 2 * b**2)
    for _ in range(math.ceil(40 / rate)):
        z = z + rate * (prefer @ normalised(ref * np.exp(z)) / b - z)
    for _ in range(3):
        pi = normalised(ref * np.exp(z))
        slope = np.eye(len(ref)) - prefer @ (np.diag(pi) - np.outer(pi, pi)) / b
        z = z - np.linalg.solve(slope, z - prefer @ pi / b)
    pi = normalised(ref * np.exp(z))
    assert np.abs(z - prefer @ pi / b).max() < 1e-13
    return pi


def normalised(weights):
    return weights / weights.sum()


def kl(p, q):
    return (p * np.log(p / q)).sum(-1)


def span(z):
    return z.max(-1) - z.min(-1)


def largest_step(b):
    return 2 * b + 2 * math.sqrt(1 + b**2)


def exploitability(r, pi):
    """max_u P_b(u > pi) - 1/2, the maximum being that of a payoff with a KL penalty."""
    best = r.b * np.log((r.ref * np.exp(pi @ r.prefer.T / r.b)).sum(-1))
    return best + r.b * kl(pi, r.ref) - 1 / 2


def first(r):
    """K_0."""
    return kl(r.star, r.x[0])


RESTATED = {
    "nash-mp/one-step": lambda r: (
        (1 / r.g + r.b) * kl(r.star, r.y) + r.b * kl(r.h, r.star) + (1 / r.g - r.g * r.q / 4) * kl(r.h, r.x),
        kl(r.star, r.x) / r.g,
    ),
    "nash-mp/kl-one-step": lambda r: (kl(r.star, r.y), kl(r.star, r.x) / (1 + r.g * r.b)),
    "nash-mp/kl": lambda r: (kl(r.star, r.x), (1 + r.g * r.b) ** (-1.0 * r.k) * first(r)),
    "nash-mp/kl-from-reference": lambda r: (kl(r.star, r.x), (1 + 2 * r.b) ** (-1.0 * r.k) / (2 * r.b)),
    "nash-mp/kl-largest-step": lambda r: (
        kl(r.star, r.x),
        (math.sqrt(1 + r.b**2) - r.b) ** (2.0 * r.k) * first(r),
    ),
    "nash-mp/half-iterate": lambda r: (kl(r.star, r.h), (1 + math.sqrt(2)) ** 2 * kl(r.star, r.x)),
    "nash-mp/half-iterate-reverse": lambda r: (r.b * kl(r.h, r.star), kl(r.star, r.x) / r.g),
    "nash-mp/exploitability-half": lambda r: (
        exploitability(r, r.h),
        (1 / 2 + (3 + 2 * math.sqrt(2)) / (4 * r.b)) * kl(r.star, r.x),
    ),
    "nash-mp/exploitability": lambda r: (
        exploitability(r, r.y),
        (3 / 2 + math.sqrt(2)) * kl(r.star, r.x) + kl(r.star, r.y) / (4 * r.b),
    ),
    "nash-mp/exploitability-from-reference": lambda r: (
        exploitability(r, r.y),
        (3 + 1 / (4 * r.b)) * (1 + 2 * r.b) ** (-1.0 * r.k) / (2 * r.b),
    ),
    "nash-mp/span-one-step": lambda r: (
        span(np.log(r.y / r.star)),
        (span(np.log(r.x / r.star)) + r.g * np.abs(r.h - r.star).sum(-1)) / (1 + r.g * r.b),
    ),
    "nash-mp/span": lambda r: (
        span(np.log(r.x / r.star)),
        r.q**r.k * span(np.log(r.x[0] / r.star))
        + r.g * (2 + math.sqrt(2)) * math.sqrt(first(r)) * r.q ** (r.k / 2) / (math.sqrt(1 + r.g * r.b) - 1),
    ),
}

ADMISSIBLE = {name for name, s in SETTINGS.items() if s.step <= largest_step(s.beta)}
AT_MOST_2 = {name for name, s in SETTINGS.items() if s.step <= 2}
EXACTLY_2 = {name for name, s in SETTINGS.items() if s.step == 2}
FROM_REFERENCE = {name for name, s in SETTINGS.items() if s.step == 2 and s.start is None}
APPLIES = {
    "nash-mp/one-step": ADMISSIBLE,
    "nash-mp/kl-one-step": ADMISSIBLE,
    "nash-mp/kl": ADMISSIBLE,
    "nash-mp/kl-from-reference": FROM_REFERENCE,
    "nash-mp/kl-largest-step": set(SETTINGS),
    "nash-mp/half-iterate": AT_MOST_2,
    "nash-mp/half-iterate-reverse": ADMISSIBLE,
    "nash-mp/exploitability-half": EXACTLY_2,
    "nash-mp/exploitability": EXACTLY_2,
    "nash-mp/exploitability-from-reference": FROM_REFERENCE,
    "nash-mp/span-one-step": set(SETTINGS),
    "nash-mp/span": AT_MOST_2,
}
THEOREMS = {theorem.name: theorem for theorem in vars(tiapkin2025).values() if isinstance(theorem, Theorem)}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() == APPLIES.keys()


@pytest.mark.parametrize("name", THEOREMS)
def test_hypotheses(name):
    assert {place for place, s in SETTINGS.items() if THEOREMS[name].failed_hypothesis(s) is None} == APPLIES[name]


@pytest.mark.parametrize(("name", "place"), [(name, place) for name in THEOREMS for place in sorted(APPLIES[name])])
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    step = largest_step(s.beta) if name == "nash-mp/kl-largest-step" else s.step
    measured, bound = RESTATED[name](run(s, step, trace.times))
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=RELATIVE, atol=ABSOLUTE)
    assert (measured <= (1 + RELATIVE) * bound + ABSOLUTE).all()
    assert theorem.kind.name == "every step"
