r"""Proof that moving the magnet to each solved game leads to a minimax winner.

Notation. :math:`S = P - 1/2`; round j goes from :math:`x = r_j` to :math:`y = r_{j+1}`, the equilibrium with
temperature :math:`\beta` and reference x; :math:`w` is a minimax winner, :math:`L = \max_a \log (1 / r_0(a))`.
Everything is recomputed here with plain NumPy, the rounds included.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.theorems.games import wang2025 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDS = 20
# Logarithms reach L + rounds / beta = 200; each round leaves their rounding, divided by its temperature of 0.1 or more.
ROUNDING = 1e-11


class Play(NamedTuple):
    """One run, row j being round j; logs of r_j and of r_{j+1}, win rates against the latter, and a winner."""

    x: np.ndarray
    y: np.ndarray
    values: np.ndarray  # S y
    winner: np.ndarray  # probabilities


@cache
def play(s: paper.Setting) -> Play:
    """Solve one round after the other."""
    uniform = np.full(s.game.n, -np.log(s.game.n))
    rows = [uniform if s.start is None else np.log(s.start) - np.log(np.sum(s.start))]
    for _ in range(ROUNDS):
        rows.append(equilibrium(s, rows[-1]))
    y = np.array(rows[1:])
    return Play(np.array(rows[:-1]), y, values(s, y), s.winner)


def equilibrium(s, log_magnet):
    """Equilibrium with this magnet, by extragradient steps."""
    step = 2 * (s.beta + math.hypot(1, s.beta))
    keep, log_y = 1 / (1 + step * s.beta), log_magnet
    for _ in range(math.ceil(40 / math.asinh(s.beta))):
        still = keep * log_y + (1 - keep) * log_magnet
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


def divergence(p, log_q):
    """KL(w || q) for a winner w that may have zeros, up to its negative entropy, which cancels from differences."""
    return -log_q @ p.winner


def span(z):
    """Largest minus smallest entry."""
    return z.max(-1) - z.min(-1)


rounds = Proof(of=[paper.ROUND], settings=paper.grid)


@rounds.step("A solved round is the fixed point beta (log y - log x) = S y + c")
def fixed_point(s: paper.Setting) -> Claim:
    """Residual of the fixed point."""
    p = play(s)
    residual = s.beta * (p.y - p.x) - p.values
    return claim(span(residual), "==", 0.0, "both players respond best to each other", rounding=ROUNDING)


@rounds.step("No policy gains or loses against itself")
def even(s: paper.Setting) -> Claim:
    """<y, S y> = 0."""
    p = play(s)
    return claim((np.exp(p.y) * p.values).sum(-1), "==", 0.0, "S is skew")


@rounds.step("What a policy u earns against y, it gains in divergence", uses=[fixed_point, even])
def earned(s: paper.Setting) -> Claim:
    """<u, S y> = beta <u - y, log y - log x>, at u = w."""
    p = play(s)
    right = s.beta * ((p.winner - np.exp(p.y)) * (p.y - p.x)).sum(-1)
    return claim(p.values @ p.winner, "==", right, "insert the fixed point; u and y add up to 1", rounding=ROUNDING)


@rounds.step("That product is a difference of three divergences")
def three_points(s: paper.Setting) -> Claim:
    """<u - y, log y - log x> = KL(u || x) - KL(u || y) - KL(y || x), at u = w."""
    p = play(s)
    left = ((p.winner - np.exp(p.y)) * (p.y - p.x)).sum(-1)
    right = divergence(p, p.x) - divergence(p, p.y) - kl(p.y, p.x)
    return claim(left, "==", right, "expand; the entropy of u cancels", rounding=ROUNDING)


@rounds.step("Conclusion: what each round gains, to the last bit", uses=[earned, three_points])
def gain(s: paper.Setting) -> Claim:
    """KL(w || y) = KL(w || x) - KL(y || x) - <w, S y> / beta."""
    p = play(s)
    right = divergence(p, p.x) - kl(p.y, p.x) - p.values @ p.winner / s.beta
    return claim(divergence(p, p.y), "==", right, "divide by beta", rounding=ROUNDING / s.beta)


@rounds.step("A winner loses to nobody, so neither term is negative", uses=[gain])
def monotone(s: paper.Setting) -> Claim:
    """KL(w || y) <= KL(w || x)."""
    p = play(s)
    why = "<w, S y> >= 0 since S w <= 0 and S is skew; divergences are not negative"
    return claim(divergence(p, p.y), "<=", divergence(p, p.x), why, rounding=ROUNDING / s.beta)


# --------------------------------------------------------------------------------------------------

average = Proof(of=[paper.AVERAGE], settings=paper.grid)


@average.step("Each action's edge over y is at most the fall of its log-probability's distance, times beta")
def edge_of_action(s: paper.Setting) -> Claim:
    """(S y)_a <= beta (log y(a) - log x(a)) for every action a."""
    p = play(s)
    why = "the identity of a round holds for every u; at u = a pure action, drop KL(y || x)"
    return claim(p.values, "<=", s.beta * (p.y - p.x), why, rounding=ROUNDING)


@average.step("Conclusion: the average", uses=[edge_of_action])
def average_gap(s: paper.Setting) -> Claim:
    """max_a (S (r_1 + ... + r_J) / J)_a <= beta L / J."""
    p = play(s)
    j = np.arange(1, len(p.x) + 1)
    left = p.values.cumsum(axis=0).max(axis=-1) / j
    why = "sum over rounds: log r_J(a) - log r_0(a) <= log (1 / r_0(a))"
    return claim(left, "<=", s.beta * -p.x[0].min() / j, why, rounding=ROUNDING)
