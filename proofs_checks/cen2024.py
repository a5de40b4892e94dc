r"""Proof that optimistic mirror descent converges geometrically, by a potential.

Notation. :math:`S = P - 1/2`; :math:`g(\pi) = \beta\,\mathrm{KL}(\pi \| \mu)`; from :math:`x = x_t` and
:math:`b = \bar x_t` an iteration makes the midpoint :math:`m = \mathrm{prox}(x; S b)` and
:math:`y = \mathrm{prox}(x; S m)`; :math:`K(\pi) = \mathrm{KL}(\pi^* \| \pi)`, :math:`w = \sqrt 2 - 1`, and the
potential is :math:`\Phi(x, b) = K(x) + w\,\mathrm{KL}(x \| b)`. Everything is recomputed here with plain NumPy, at
every iteration.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.theorems.games import cen2024 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-12  # sums of terms as large as the log-probabilities, up to 600 in these settings, err by less
W = math.sqrt(2) - 1


class Play(NamedTuple):
    """One run, row t being iteration t; logs of policies."""

    x: np.ndarray
    b: np.ndarray  # the midpoint that led to x
    m: np.ndarray
    y: np.ndarray
    star: np.ndarray


@cache
def play(s: paper.Setting) -> Play:
    """Iterate the two lines of the algorithm."""
    x = s.log_reference if s.start is None else np.log(s.start) - np.log(np.sum(s.start))
    b, rows = x, []
    for _ in range(s.iterations):
        m = log_prox(s, x, values(s, b))
        y = log_prox(s, x, values(s, m))
        rows.append((x, b, m, y))
        x, b = y, m
    return Play(*(np.array(column) for column in zip(*rows, strict=True)), s.log_equilibrium)


def values(s, log_x):
    """S x."""
    return np.exp(log_x) @ (s.game.prefer - 0.5).T


def log_prox(s, log_x, v):
    """Minimiser of -<v, pi> + g(pi) + KL(pi || x) / gamma, as logarithm."""
    q = 1 / (1 + s.step * s.beta)
    z = q * log_x + (1 - q) * s.log_reference + q * s.step * v
    return z - np.logaddexp.reduce(z)


def kl(log_p, log_q):
    """KL(p || q) = sum p log(p / q)."""
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


def norm(log_p, log_q):
    """|| p - q ||_1."""
    return np.abs(np.exp(log_p) - np.exp(log_q)).sum(-1)


def span(z):
    """Largest minus smallest entry."""
    return z.max(-1) - z.min(-1)


def regret(s, log_v, log_x, log_u):
    """-<S v, x - u> + g(x) - g(u): what x loses to u against the opponent v."""
    gain = ((np.exp(log_x) - np.exp(log_u)) * values(s, log_v)).sum(-1)
    return s.beta * (kl(log_x, s.log_reference) - kl(log_u, s.log_reference)) - gain


def cross(s, p):
    """<S (m - b), y - m>: what the midpoint's old answer has cost."""
    return ((np.exp(p.y) - np.exp(p.m)) * (values(s, p.m) - values(s, p.b))).sum(-1)


def potential(p, x, b):
    """K(x) + w KL(x || b)."""
    return kl(p.star, x) + W * kl(x, b)


optimistic = Proof(of=[paper.ONE_STEP, paper.KL], settings=paper.grid)


@optimistic.step("The equilibrium is the fixed point log pi* = log mu + S pi* / beta + c")
def fixed_point(s: paper.Setting) -> Claim:
    """Residual of the fixed point."""
    star = play(s).star
    residual = star - s.log_reference - values(s, star) / s.beta
    return claim(span(residual), "==", 0.0, "both players respond best to each other", rounding=ROUNDING / s.beta)


@optimistic.step("Step from x to y: three-point identity at u = pi*, v = S m")
def full_step(s: paper.Setting) -> Claim:
    """Both sides of the identity."""
    p, g = play(s), s.step
    right = (kl(p.star, p.x) - kl(p.y, p.x)) / g - (1 / g + s.beta) * kl(p.star, p.y)
    why = "y minimises a sum of KL terms, whose Bregman gap is KL itself"
    return claim(regret(s, p.m, p.y, p.star), "==", right, why, rounding=3 * ROUNDING)


@optimistic.step("Step from x to m: three-point identity at u = y, v = S b")
def midpoint_step(s: paper.Setting) -> Claim:
    """Both sides of the identity."""
    p, g = play(s), s.step
    right = (kl(p.y, p.x) - kl(p.m, p.x)) / g - (1 / g + s.beta) * kl(p.y, p.m)
    return claim(regret(s, p.b, p.m, p.y), "==", right, "m minimises a sum of KL terms as well", rounding=3 * ROUNDING)


@optimistic.step("Against m, the equilibrium gains beta KL(m || pi*)", uses=[fixed_point])
def edge_over_midpoint(s: paper.Setting) -> Claim:
    """-<S m, m - pi*> + g(m) - g(pi*) = beta KL(m || pi*)."""
    p = play(s)
    why = "insert log pi* = log mu + S pi* / beta + c; <S m, m> = <S pi*, pi*> = 0"
    return claim(regret(s, p.m, p.m, p.star), "==", s.beta * kl(p.m, p.star), why, rounding=ROUNDING)


@optimistic.step("The two regrets add up to that gain, less the cross term")
def regrets_add(s: paper.Setting) -> Claim:
    """Regret of y against m, and of m against b at y."""
    p = play(s)
    left = regret(s, p.m, p.y, p.star) + regret(s, p.b, p.m, p.y)
    why = "penalties telescope: y - pi*, m - y and m - pi*; so do the payoffs, up to <S (m - b), m - y>"
    return claim(left, "==", regret(s, p.m, p.m, p.star) - cross(s, p), why, rounding=ROUNDING)


@optimistic.step("Identity of one iteration", uses=[full_step, midpoint_step, edge_over_midpoint, regrets_add])
def iteration_identity(s: paper.Setting) -> Claim:
    """(1/g+b)[K(y) + KL(y||m)] + b KL(m||*) + KL(m||x)/g = K(x)/g + <S(m-b), y-m>."""
    p, g = play(s), s.step
    left = (1 / g + s.beta) * (kl(p.star, p.y) + kl(p.y, p.m)) + s.beta * kl(p.m, p.star) + kl(p.m, p.x) / g
    right = kl(p.star, p.x) / g + cross(s, p)
    return claim(left, "==", right, "add the two three-point identities", rounding=3 * ROUNDING)


@optimistic.step("Hoelder: the cross term is at most half the product of the distances")
def hoelder(s: paper.Setting) -> Claim:
    """<S d, d'> <= ||d||_1 ||d'||_1 / 2."""
    p = play(s)
    return claim(cross(s, p), "<=", norm(p.m, p.b) * norm(p.y, p.m) / 2, "entries of S are at most 1/2")


@optimistic.step("The distance from b to m is split through x")
def through_anchor(s: paper.Setting) -> Claim:
    """||m - b|| <= ||m - x|| + ||x - b||."""
    p = play(s)
    return claim(norm(p.m, p.b), "<=", norm(p.m, p.x) + norm(p.x, p.b), "triangle inequality")


@optimistic.step("Pinsker: squared distances are at most twice the divergences")
def pinsker(s: paper.Setting) -> Claim:
    """||m-x||^2 <= 2 KL(m||x), ||x-b||^2 <= 2 KL(x||b), ||y-m||^2 <= 2 KL(y||m)."""
    p = play(s)
    left = np.stack([norm(p.m, p.x), norm(p.x, p.b), norm(p.y, p.m)]) ** 2
    right = 2 * np.stack([kl(p.m, p.x), kl(p.x, p.b), kl(p.y, p.m)])
    return claim(left, "<=", right, "Pinsker's inequality", rounding=ROUNDING)


@optimistic.step("Cauchy-Schwarz with weights 1 and w")
def cauchy_schwarz(s: paper.Setting) -> Claim:
    """(sqrt A + sqrt B)^2 <= (1 + 1/w) (A + w B), A = KL(m||x), B = KL(x||b)."""
    p = play(s)
    a, b = (np.maximum(divergence, 0) for divergence in (kl(p.m, p.x), kl(p.x, p.b)))
    right = (1 + 1 / W) * (a + W * b)
    return claim((np.sqrt(a) + np.sqrt(b)) ** 2, "<=", right, "sqrt A 1 + sqrt(w B) / sqrt w", rounding=ROUNDING)


@optimistic.step(
    "Young: the cross term is absorbed by the three divergences",
    uses=[hoelder, through_anchor, pinsker, cauchy_schwarz],
)
def young(s: paper.Setting) -> Claim:
    """<S(m-b), y-m> <= (KL(m||x) + w KL(x||b)) / gamma + gamma (1 + 1/w) KL(y||m) / 4."""
    p, g = play(s), s.step
    right = (kl(p.m, p.x) + W * kl(p.x, p.b)) / g + g * (1 + 1 / W) * kl(p.y, p.m) / 4
    why = "(sqrt A + sqrt B) sqrt C by the above; then sqrt(u v) <= u / gamma + gamma v / 4"
    return claim(cross(s, p), "<=", right, why, rounding=3 * ROUNDING)


@optimistic.step("The last coefficient is at most (1 - w) / gamma: gamma^2 (2 + sqrt 2) / 4 <= 2 - sqrt 2 = 1 - w")
def coefficient(s: paper.Setting) -> Claim:
    """Equality at the largest step, 2 (sqrt 2 - 1); this w allows the largest."""
    left = [s.step**2 * (1 + 1 / W) / 4, (2 * W) ** 2 * (2 + math.sqrt(2)) / 4, 1 + 1 / W]
    right = [1 - W, 2 - math.sqrt(2), 2 + math.sqrt(2)]
    return claim(left, "<=", right, "1 / w = 1 + sqrt 2, and 4 (2 - sqrt 2) / (2 + sqrt 2) = (2 (sqrt 2 - 1))^2")


@optimistic.step("Conclusion: the potential shrinks", uses=[iteration_identity, young, coefficient])
def potential_shrinks(s: paper.Setting) -> Claim:
    """Phi(y, m) <= Phi(x, b) / (1 + gamma beta)."""
    p = play(s)
    right = potential(p, p.x, p.b) / (1 + s.step * s.beta)
    why = "(1/gamma + beta) Phi(y, m) <= Phi(x, b) / gamma: of (1/gamma + beta) KL(y||m), the part 1 - w absorbs"
    return claim(potential(p, p.y, p.m), "<=", right, why, rounding=3 * ROUNDING)


@optimistic.step("Conclusion: geometric rate", uses=[potential_shrinks])
def geometric(s: paper.Setting) -> Claim:
    """Phi_{t+1} <= q^(t+1) K_0."""
    p = play(s)
    t = np.arange(1, len(p.x) + 1)
    right = (1 + s.step * s.beta) ** -t.astype(float) * kl(p.star, p.x[0])
    return claim(potential(p, p.y, p.m), "<=", right, "induction from b_0 = x_0", rounding=3 * ROUNDING)
