"""Both sides of the facts about regularised games, in plain probabilities, for games small enough to read.

Of the library, only the theorem objects under test compute anything here, and the random policies come from their
runs; responses, proximal maps and equilibria are computed afresh.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest

from rltheory.problems import PreferenceGame
from rltheory.simulation import stream
from rltheory.theorems.games import munos2024
from rltheory.theorems.games.munos2024 import Setting
from rltheory.theory import Theorem

# Sums of p log(p / q) stall near 1e-16 where their terms cancel, and 1 / beta multiplies that by up to 20. The
# logarithms in which policies are handed over reach -100 and err relatively. All else must agree to 9 digits.
ABSOLUTE = 1e-14
RELATIVE = 1e-9

BEATS = PreferenceGame([[0.5, 1.0], [0.0, 0.5]])
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
    "two actions": Setting(BEATS, 0.1, reference=[0.3, 0.7], step=1.0),
    "two actions, hot": Setting(BEATS, 2.0),
    "cycle": Setting(CYCLE, 0.05, reference=[0.05, 0.25, 0.7]),
    "cycle, warm": Setting(CYCLE, 0.6, reference=[0.2, 0.5, 0.3], step=10.0),
    "five actions": Setting(FIVE, 0.1, step=0.7),
    "five actions, largest step": Setting(FIVE, 0.75, reference=[0.6, 0.1, 0.1, 0.1, 0.1], step=4.0),
}


class Facts(NamedTuple):
    """Probabilities, one policy per row, and the numbers that the statements use."""

    star: np.ndarray
    ref: np.ndarray
    prefer: np.ndarray
    b: float
    gamma: float
    # What only the facts about any three policies use:
    x: np.ndarray | None = None
    y: np.ndarray | None = None
    u: np.ndarray | None = None


def about_policies(s, trace):
    """Random policies x, y and u in a game with one reference and one equilibrium."""
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    x, y, u = (np.exp(trace[name]) for name in ("policy", "other", "third"))
    return Facts(equilibrium(s.game.prefer, ref, s.beta), ref, s.game.prefer, s.beta, s.step, x, y, u)


def about_references(s, trace):
    """Random references, each with its equilibrium."""
    ref = np.exp(trace["reference"])
    return Facts(equilibrium(s.game.prefer, ref, s.beta), ref, s.game.prefer, s.beta, s.step)


def normalised(weights):
    return weights / weights.sum(-1, keepdims=True)


def equilibrium(prefer, ref, b):
    """Fixed point z = P pi / b, pi ~ ref exp(z): averages come close from anywhere, Newton ends it."""
    z, rate = np.zeros_like(ref), 2 * b**2 / (1 + 2 * b**2)
    for _ in range(math.ceil(40 / rate)):
        z = z + rate * (normalised(ref * np.exp(z)) @ prefer.T / b - z)
    for _ in range(3):
        pi = normalised(ref * np.exp(z))
        covariance = pi[..., :, None] * (np.eye(pi.shape[-1]) - pi[..., None, :])
        slope = np.eye(pi.shape[-1]) - prefer @ covariance / b
        z = z - np.linalg.solve(slope, (z - pi @ prefer.T / b)[..., None])[..., 0]
    pi = normalised(ref * np.exp(z))
    assert np.abs(z - pi @ prefer.T / b).max() < 1e-13
    return pi


def kl(p, q):
    return (p * np.log(p / q)).sum(-1)


def norm(p, q):
    return np.abs(p - q).sum(-1)


def span(z):
    return z.max(-1) - z.min(-1)


def win(f, u, x):
    """P(u > x) = <u, P x>."""
    return (u * (x @ f.prefer.T)).sum(-1)


def penalty(f, x):
    return f.b * kl(x, f.ref)


def edge(f, u, x):
    """P_b(u > x) - 1/2."""
    return win(f, u, x) - penalty(f, u) + penalty(f, x) - 1 / 2


def response(f, x):
    return normalised(f.ref * np.exp(x @ f.prefer.T / f.b))


def exploitability(f, x):
    """max_u P_b(u > x) - 1/2, the maximum being attained at the response."""
    return edge(f, response(f, x), x)


def prox(f, x, y):
    """Minimiser of -<P y, pi> + g(pi) + KL(pi || x) / gamma: set the gradient to a constant, solve for pi."""
    return normalised((x ** (1 / f.gamma) * f.ref**f.b * np.exp(y @ f.prefer.T)) ** (1 / (1 / f.gamma + f.b)))


def objective(f, pi):
    return -win(f, pi, f.y) + penalty(f, pi) + kl(pi, f.x) / f.gamma


ABOUT_POLICIES = {
    "regularized-game/edge-over-equilibrium": lambda f: (edge(f, f.x, f.star), "==", -f.b * kl(f.x, f.star)),
    "regularized-game/exploitability": lambda f: (
        exploitability(f, f.x),
        "==",
        f.b * kl(f.x, response(f, f.x)),
    ),
    "regularized-game/edge": lambda f: (
        edge(f, f.y, f.x),
        "==",
        f.b * kl(f.x, f.star) - f.b * kl(f.y, f.star) + win(f, f.y - f.star, f.x - f.star),
    ),
    "regularized-game/exploitability-lower": lambda f: (f.b * kl(f.x, f.star), "<=", exploitability(f, f.x)),
    "regularized-game/exploitability-upper": lambda f: (
        exploitability(f, f.x),
        "<=",
        f.b * kl(f.x, f.star) + norm(f.x, f.star) ** 2 / (8 * f.b),
    ),
    "regularized-game/exploitability-by-kl": lambda f: (
        exploitability(f, f.x),
        "<=",
        (f.b + 1 / (4 * f.b)) * kl(f.x, f.star),
    ),
    "regularized-game/kl-by-span": lambda f: (kl(f.x, f.y), "<=", span(np.log(f.x / f.y)) ** 2 / 8),
    "regularized-game/l1-by-span": lambda f: (norm(f.x, f.y), "<=", 2 * np.tanh(span(np.log(f.x / f.y)) / 4)),
    "regularized-game/exploitability-by-span": lambda f: (
        exploitability(f, f.x),
        "<=",
        f.b * span(np.log(f.x / response(f, f.x))) ** 2 / 8,
    ),
    "regularized-game/response-contracts": lambda f: (
        norm(response(f, f.x), response(f, f.y)),
        "<=",
        norm(f.x, f.y) / (2 * f.b),
    ),
    "regularized-game/three-points": lambda f: (
        win(f, f.u - prox(f, f.x, f.y), f.y) + penalty(f, prox(f, f.x, f.y)) - penalty(f, f.u),
        "==",
        (kl(f.u, f.x) - kl(prox(f, f.x, f.y), f.x)) / f.gamma - (1 / f.gamma + f.b) * kl(f.u, prox(f, f.x, f.y)),
    ),
    "regularized-game/monotone-improvement": lambda f: (
        edge(f, prox(f, f.x, f.x), f.x),
        "==",
        kl(prox(f, f.x, f.x), f.x) / f.gamma + (1 / f.gamma + f.b) * kl(f.x, prox(f, f.x, f.x)),
    ),
    "regularized-game/prox-gap": lambda f: (
        objective(f, f.u) - objective(f, prox(f, f.x, f.y)),
        "==",
        (1 / f.gamma + f.b) * kl(f.u, prox(f, f.x, f.y)),
    ),
}
ABOUT_REFERENCES = {
    "regularized-game/equilibrium-span": lambda f: (span(np.log(f.star / f.ref)), "<=", 1 / f.b),
    "regularized-game/equilibrium-divergences": lambda f: (
        f.b * (kl(f.star, f.ref) + kl(f.ref, f.star)),
        "==",
        win(f, f.star, f.ref) - 1 / 2,
    ),
    "regularized-game/equilibrium-kl": lambda f: (kl(f.star, f.ref), "<=", 1 / (2 * f.b)),
    "regularized-game/bias": lambda f: (
        (f.star @ f.prefer.T).max(-1) - 1 / 2,
        "<=",
        f.b * np.log(1 / f.ref.min(-1)),
    ),
}
RESTATED = ABOUT_POLICIES | ABOUT_REFERENCES
KIND = {"<=": "every step", "==": "identity"}
THEOREMS = {theorem.name: theorem for theorem in vars(munos2024).values() if isinstance(theorem, Theorem)}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("place", SETTINGS)
@pytest.mark.parametrize("name", THEOREMS)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    facts = about_policies(s, trace) if name in ABOUT_POLICIES else about_references(s, trace)
    measured, relation, bound = RESTATED[name](facts)
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=RELATIVE, atol=ABSOLUTE)
    assert theorem.kind.name == KIND[relation]
    assert (measured <= bound + RELATIVE * np.abs(bound) + ABSOLUTE).all()
    if relation == "==":
        np.testing.assert_allclose(measured, bound, rtol=RELATIVE, atol=ABSOLUTE)
