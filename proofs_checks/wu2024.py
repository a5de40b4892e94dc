r"""Proof that the normaliser of SPPO is close to the exponential of half the rate.

Notation. :math:`S = P - 1/2`; :math:`x_t` the iterates, :math:`g_t = S x_t`; :math:`U` uniform on
:math:`[-1/2, 1/2]`; expectations over :math:`a \sim x_t`. Everything is recomputed here with plain NumPy.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.theorems.games import wu2024 as paper
from rltheory.theorems.games.swamy2024 import RateSetting
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-12  # logarithms of some hundred


class Play(NamedTuple):
    """One run, row t being iteration t."""

    log_x: np.ndarray
    g: np.ndarray

    @property
    def x(self):
        """Probabilities."""
        return np.exp(self.log_x)


@cache
def play(s: RateSetting) -> Play:
    """x_{t+1} ~ x_t exp(eta P x_t)."""
    log_x = np.log(np.full(s.game.n, 1 / s.game.n) if s.start is None else np.array(s.start))
    rows = []
    for _ in range(s.horizon):
        values = s.game.prefer @ np.exp(log_x)
        rows.append((log_x, values - 0.5))
        log_x = log_x + s.rate * values
        log_x = log_x - np.logaddexp.reduce(log_x)
    return Play(*(np.array(column) for column in zip(*rows, strict=True)))


def excess(s):
    """What log Z_t is above eta / 2: log E exp(eta g_t)."""
    p = play(s)
    return np.logaddexp.reduce(p.log_x + s.rate * p.g, axis=1)


two_sided = Proof(of=[paper.NORMALIZER_LOWER, paper.NORMALIZER_UPPER], settings=paper.grid)


@two_sided.step("The mean win rate against oneself is 1/2")
def centred(s: RateSetting) -> Claim:
    """E g_t = <x_t, S x_t> = 0."""
    p = play(s)
    return claim((p.x * p.g).sum(1), "==", 0.0, "S is skew")


@two_sided.step("Taking out the mean: log Z_t = eta / 2 + log E exp(eta g_t)", uses=[centred])
def centre(s: RateSetting) -> Claim:
    """Z_t = E exp(eta P x_t)."""
    p = play(s)
    log_z = np.logaddexp.reduce(p.log_x + s.rate * (p.x @ s.game.prefer.T), axis=1)
    return claim(log_z, "==", s.rate / 2 + excess(s), "P x = 1/2 + S x", rounding=ROUNDING)


@two_sided.step("Conclusion, from below", uses=[centre])
def lower(s: RateSetting) -> Claim:
    """0 <= log E exp(eta g_t)."""
    return claim(0.0, "<=", excess(s), "Jensen's inequality", rounding=ROUNDING)


@two_sided.step("Conclusion, from above", uses=[centre])
def upper(s: RateSetting) -> Claim:
    """Log E exp(eta g_t) <= eta^2 / 8."""
    return claim(excess(s), "<=", s.rate**2 / 8, "Hoeffding's lemma, range 1", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

uniform_is_widest = Proof(of=[paper.NORMALIZER], settings=paper.grid)


def heads(s):
    """For each iteration and each number of actions: weight of those with the largest g, and what they gain."""
    p = play(s)
    order = np.argsort(-p.g, axis=1)
    x, g = (np.take_along_axis(values, order, axis=1) for values in (p.x, p.g))
    return np.cumsum(x, axis=1), np.cumsum(x * g, axis=1)


@uniform_is_widest.step("Landau: a set of actions of weight w gains at most w (1 - w) / 2")
def landau(s: RateSetting) -> Claim:
    """Sum over a in the set of x(a) g(a), for the actions with the largest gains."""
    weight, gain = heads(s)
    why = "games inside the set cancel; those against the rest, of weight w (1 - w), gain 1/2 at most"
    return claim(gain, "<=", weight * (1 - weight) / 2, why, rounding=ROUNDING)


@uniform_is_widest.step("Hence E (g - c)_+ <= (1/2 - c)^2 / 2 = E (U - c)_+", uses=[landau])
def hinges(s: RateSetting) -> Claim:
    """For every c between -1/2 and 1/2."""
    p, c = play(s), np.linspace(-0.5, 0.5, 21)
    left = (p.x[:, None] * np.maximum(p.g[:, None] - c[:, None], 0)).sum(-1)
    why = "the actions with g > c gain w (1 - w) / 2 - c w at most, which is largest at w = 1/2 - c"
    return claim(left, "<=", (0.5 - c) ** 2 / 2, why, rounding=ROUNDING)


@uniform_is_widest.step("An exponential is a mixture of hinges and a line")
def mixture(s: RateSetting) -> Claim:
    """e^{eta y} = e^{-eta/2} (1 + eta (y + 1/2)) + integral of eta^2 e^{eta c} (y - c)_+ over [-1/2, 1/2]."""
    eta, y = s.rate, np.linspace(-0.5, 0.5, 9)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    c = -0.5 + (y[:, None] + 0.5) * (nodes + 1) / 2  # from -1/2 to y, where the hinge is open
    integral = (weights * eta**2 * np.exp(eta * c) * (y[:, None] - c)).sum(1) * (y + 0.5) / 2
    right = math.exp(-eta / 2) * (1 + eta * (y + 0.5)) + integral
    return claim(np.exp(eta * y), "==", right, "Taylor's formula with the integral as remainder", rounding=ROUNDING)


@uniform_is_widest.step("Conclusion: E exp(eta g) <= E exp(eta U) = sinh(eta/2) / (eta/2)", uses=[hinges, mixture])
def exponential(s: RateSetting) -> Claim:
    """The line has the same mean under both."""
    right = math.log(math.sinh(s.rate / 2) / (s.rate / 2))
    return claim(excess(s), "<=", right, "integrate the hinges; E g = E U = 0", rounding=ROUNDING)


@uniform_is_widest.step("sinh(z) / z <= exp(z^2 / 6)")
def hyperbolic(s: RateSetting) -> Claim:
    """At z = eta / 2 this is eta^2 / 24."""
    z = np.append(np.geomspace(1e-2, 20, 50), s.rate / 2)
    why = "1 / (2k + 1)! <= 1 / (6^k k!), term by term"
    return claim(np.log(np.sinh(z) / z), "<=", z**2 / 6, why)
