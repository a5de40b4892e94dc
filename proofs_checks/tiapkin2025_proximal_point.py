r"""Proof that the proximal point method converges geometrically, with any step.

Notation. :math:`S = P - 1/2`; :math:`g(\pi) = \beta\,\mathrm{KL}(\pi \| \mu)`; :math:`x = \pi_k`,
:math:`y = \pi_{k+1}`; :math:`K(\pi) = \mathrm{KL}(\pi^* \| \pi)`; :math:`q = 1/(1 + \gamma \beta)`. Everything is
recomputed here with plain NumPy, the inner games included.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.theorems.games import tiapkin2025_proximal_point as paper
from rltheory.theory import Claim, Proof, claim

# Logarithms reach 600 at the corner, and some dozens elsewhere; inner games leave them with a span of error of some eps
# over their temperature, which is 0.03 at least.
ROUNDING = 1e-12


class Play(NamedTuple):
    """One run, row k being iteration k; logs of x_k and x_{k+1}, and of the equilibrium."""

    x: np.ndarray
    y: np.ndarray
    star: np.ndarray


@cache
def play(s: paper.Setting) -> Play:
    """Solve one pulled game after the other."""
    x = s.log_reference if s.start is None else np.log(s.start) - np.log(np.sum(s.start))
    rows = [x]
    for _ in range(paper.ITERATIONS):
        rows.append(pulled_equilibrium(s, rows[-1]))
    return Play(np.array(rows[:-1]), np.array(rows[1:]), s.log_equilibrium)


def pulled_equilibrium(s, log_x):
    """Equilibrium with the extra term KL(. || x) / gamma, by extragradient steps on the map of the game itself."""
    beta = s.beta + 1 / s.step
    anchor = (s.beta * s.log_reference + log_x / s.step) / beta
    step = 2 * (beta + math.hypot(1, beta))
    keep, log_y = 1 / (1 + step * beta), anchor
    for _ in range(math.ceil(40 / math.asinh(beta))):
        still = keep * log_y + (1 - keep) * anchor
        half = normalise(still + keep * step * values(s, log_y))
        log_y = normalise(still + keep * step * values(s, half))
    return log_y


def normalise(z):
    """Logarithm of the policy proportional to exp(z)."""
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def values(s, log_x):
    """S x."""
    return np.exp(log_x) @ (s.game.prefer - 0.5).T


def kl(log_p, log_q):
    """KL(p || q) = sum p log(p / q)."""
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


def span(z):
    """Largest minus smallest entry."""
    return z.max(-1) - z.min(-1)


def regret(s, p):
    """-<S y, y - pi*> + g(y) - g(pi*): what y loses to the equilibrium against itself."""
    gain = ((np.exp(p.y) - np.exp(p.star)) * values(s, p.y)).sum(-1)
    return s.beta * (kl(p.y, s.log_reference) - kl(p.star, s.log_reference)) - gain


descent = Proof(of=[paper.DESCENT, paper.KL_ONE_STEP, paper.KL], settings=paper.grid)


@descent.step("The equilibrium is the fixed point log pi* = log mu + S pi* / beta + c")
def fixed_point(s: paper.Setting) -> Claim:
    """Residual of the fixed point."""
    star = play(s).star
    residual = star - s.log_reference - values(s, star) / s.beta
    return claim(span(residual), "==", 0.0, "both players respond best to each other", rounding=ROUNDING / s.beta)


@descent.step(
    "So is the next iterate, of the pulled game: (1/gamma + beta) log y = log x / gamma + beta log mu + S y + c"
)
def pulled_fixed_point(s: paper.Setting) -> Claim:
    """Residual of the fixed point."""
    p, g = play(s), s.step
    residual = (1 / g + s.beta) * p.y - p.x / g - s.beta * s.log_reference - values(s, p.y)
    why = "the same for temperature beta + 1/gamma and reference x^q mu^(1-q)"
    return claim(span(residual), "==", 0.0, why, rounding=ROUNDING * (1 + 1 / g))


@descent.step("Three-point identity at u = pi*, v = S y", uses=[pulled_fixed_point])
def three_points(s: paper.Setting) -> Claim:
    """-<S y, y - *> + g(y) - g(*) = [K(x) - KL(y||x)] / gamma - (1/gamma + beta) K(y)."""
    p, g = play(s), s.step
    right = (kl(p.star, p.x) - kl(p.y, p.x)) / g - (1 / g + s.beta) * kl(p.star, p.y)
    why = "y minimises -<S y, .> + g + KL(. || x) / gamma, a sum of KL terms, whose Bregman gap is KL itself"
    return claim(regret(s, p), "==", right, why, rounding=ROUNDING * (1 + 1 / g))


@descent.step("Against itself, y loses beta KL(y || pi*) to the equilibrium", uses=[fixed_point])
def edge_of_equilibrium(s: paper.Setting) -> Claim:
    """-<S y, y - *> + g(y) - g(*) = beta KL(y || *)."""
    p = play(s)
    why = "insert log pi* = log mu + S pi* / beta + c; <S y, y> = <S pi*, pi*> = 0"
    return claim(regret(s, p), "==", s.beta * kl(p.y, p.star), why, rounding=ROUNDING)


@descent.step("Conclusion: the descent, to the last bit", uses=[three_points, edge_of_equilibrium])
def exact_descent(s: paper.Setting) -> Claim:
    """(1/gamma + beta) K(y) + beta KL(y||*) + KL(y||x) / gamma = K(x) / gamma."""
    p, g = play(s), s.step
    left = (1 / g + s.beta) * kl(p.star, p.y) + s.beta * kl(p.y, p.star) + kl(p.y, p.x) / g
    why = "equate the two: the opponent is y itself, so no cross term is left, and none bounds the step"
    return claim(left, "==", kl(p.star, p.x) / g, why, rounding=ROUNDING * (1 + 1 / g))


@descent.step("Conclusion: the divergence shrinks by 1 / (1 + gamma beta)", uses=[exact_descent])
def shrinks(s: paper.Setting) -> Claim:
    """K(y) <= q K(x)."""
    p = play(s)
    right = kl(p.star, p.x) / (1 + s.step * s.beta)
    why = "drop two terms that are not negative, multiply by gamma q"
    return claim(kl(p.star, p.y), "<=", right, why, rounding=ROUNDING)


@descent.step("Conclusion: geometric rate", uses=[shrinks])
def geometric(s: paper.Setting) -> Claim:
    """K_{k+1} <= q^(k+1) K_0."""
    p = play(s)
    k = np.arange(1, len(p.x) + 1)
    right = (1 + s.step * s.beta) ** -k.astype(float) * kl(p.star, p.x[0])
    return claim(kl(p.star, p.y), "<=", right, "induction", rounding=ROUNDING)
