r"""Proof that errors and estimated win rates leave Nash mirror prox a floor of their own size.

Notation as for the exact steps, at :math:`\gamma = 2`: from x the exact half iterate is h, the half iterate used is
:math:`\hat h`, :math:`x_+ = \mathrm{prox}(x; S \hat h)` and the policy kept is :math:`\hat x_+`. Expectations over
comparisons are computed exactly, by going through all their outcomes in a game of three actions.
"""

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.games import tiapkin2025_approximate as paper
from rltheory.theorems.games.regularized_game import RegularizedGame
from rltheory.theory import Claim, Proof, claim

POLICIES = 40
ROUNDING = 1e-12  # logarithms reach some dozens here, and errors of their sums some hundreds of eps


class Steps(NamedTuple):
    """Logs of policies, one per row: anchors, half iterates and used ones, exact and kept next policies."""

    x: np.ndarray
    h: np.ndarray
    used: np.ndarray
    y: np.ndarray  # x_+
    kept: np.ndarray
    star: np.ndarray


def normalise(z):
    """Logarithm of the policy proportional to exp(z)."""
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def values(s, log_x):
    """S x."""
    return np.exp(log_x) @ (s.game.prefer - 0.5).T


def log_prox(s, log_x, v):
    """Logarithm of prox(x; v)."""
    q = 1 / (1 + 2 * s.beta)
    return normalise(q * log_x + (1 - q) * s.log_reference + 2 * q * v)


def kl(log_p, log_q):
    """KL(p || q)."""
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


def norm(log_p, log_q):
    """|| p - q ||_1."""
    return np.abs(np.exp(log_p) - np.exp(log_q)).sum(-1)


def span(z):
    """Largest minus smallest entry."""
    return z.max(-1) - z.min(-1)


@cache
def steps(s: paper.InexactSetting) -> Steps:
    """One step from each of many policies, with errors of every size that the setting allows."""
    rng = stream(0, "proofs of inexact steps", s)
    star = s.log_equilibrium
    widths = np.geomspace(1e-3, 10, POLICIES)[:, None]
    x = normalise(star + widths * rng.standard_normal((POLICIES, s.game.n)))
    h = log_prox(s, x, values(s, x))
    corners = np.eye(s.game.n)[rng.integers(s.game.n, size=POLICIES)]
    used = np.log((1 - s.half_error / 2) * np.exp(h) + s.half_error / 2 * corners)
    y = log_prox(s, x, values(s, used))
    wrong = s.log_error * rng.random((POLICIES, s.game.n))
    return Steps(x, h, used, y, normalise(y + wrong), star)


inexact = Proof(of=[paper.INEXACT], settings=paper.inexact_grid)


@inexact.step("The errors are of the declared sizes")
def sizes(s: paper.InexactSetting) -> Claim:
    """||h^ - h|| <= rho and span(log x^_+ - log x_+) <= e."""
    p = steps(s)
    left = np.stack([norm(p.used, p.h), span(p.kept - p.y)])
    right = np.array([[s.half_error], [s.log_error]])
    return claim(left, "<=", right, "mixing with a corner moves half of the weight's distance", rounding=ROUNDING)


@inexact.step("One iteration: the exact inequality, plus what the opponent's error gains")
def one_iteration(s: paper.InexactSetting) -> Claim:
    """(1/2 + beta) K(x_+) <= K(x) / 2 + <S (h^ - h), x_+ - pi*>."""
    p = steps(s)
    error = ((np.exp(p.y) - np.exp(p.star)) * (values(s, p.used) - values(s, p.h))).sum(-1)
    left = (1 / 2 + s.beta) * kl(p.star, p.y)
    why = "the exact proof with v = S h + S (h^ - h) in the full step"
    return claim(left, "<=", kl(p.star, p.x) / 2 + error, why, rounding=ROUNDING)


@inexact.step("That gain by Hoelder, Pinsker and Young", uses=[sizes])
def gain(s: paper.InexactSetting) -> Claim:
    """<S (h^ - h), x_+ - pi*> <= (beta/2) K(x_+) + rho^2 / (4 beta)."""
    p = steps(s)
    error = ((np.exp(p.y) - np.exp(p.star)) * (values(s, p.used) - values(s, p.h))).sum(-1)
    right = s.beta / 2 * kl(p.star, p.y) + s.half_error**2 / (4 * s.beta)
    why = "at most (rho / 2) sqrt(2 K); then sqrt(u v) <= (u + v) / 2"
    return claim(error, "<=", right, why, rounding=ROUNDING)


@inexact.step("Before the full step's own error", uses=[one_iteration, gain])
def before_log_error(s: paper.InexactSetting) -> Claim:
    """K(x_+) <= (K(x) + rho^2 / (2 beta)) / (1 + beta)."""
    p = steps(s)
    right = (kl(p.star, p.x) + s.half_error**2 / (2 * s.beta)) / (1 + s.beta)
    return claim(kl(p.star, p.y), "<=", right, "collect terms, multiply by 2", rounding=ROUNDING)


@inexact.step("An error of span e in the logarithms costs e at most")
def log_error(s: paper.InexactSetting) -> Claim:
    """K(x^_+) <= K(x_+) + e."""
    p = steps(s)
    why = "the difference is log E exp(w) - <pi*, w>, between the extremes of w"
    return claim(kl(p.star, p.kept), "<=", kl(p.star, p.y) + s.log_error, why, rounding=ROUNDING)


@inexact.step("Conclusion", uses=[before_log_error, log_error])
def inexact_step(s: paper.InexactSetting) -> Claim:
    """K(x^_+) <= (K(x) + rho^2 / (2 beta)) / (1 + beta) + e."""
    p = steps(s)
    right = (kl(p.star, p.x) + s.half_error**2 / (2 * s.beta)) / (1 + s.beta) + s.log_error
    return claim(kl(p.star, p.kept), "<=", right, "add", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------


def three_actions():
    """Settings small enough to go through all outcomes of the comparisons."""
    for s in paper.sampled_grid():
        if s.game.n <= 3:
            yield s


class Outcomes(NamedTuple):
    """For each policy x and each outcome of a query against it: noise xi = v^ - S x, and its probability."""

    noise: np.ndarray  # (policies, outcomes, n)
    chance: np.ndarray  # (policies, outcomes)


def outcomes(s: RegularizedGame, log_x: np.ndarray) -> Outcomes:
    """All outcomes for one comparison of each action, all against the same opponent."""
    wins = np.array(list(product([0.0, 1.0], repeat=s.game.n)))
    rates = s.game.prefer[None, :, :].transpose(0, 2, 1)  # (1, opponent, action)
    given = np.where(wins[:, None] == 1, rates, 1 - rates).prod(-1)  # (outcome, opponent)
    chance = np.exp(log_x) @ given.T
    return Outcomes(wins[None] - 0.5 - values(s, log_x)[:, None], chance)


def mean(chance, numbers):
    """Expectation over outcomes."""
    return (chance * numbers).sum(-1)


@cache
def anchors(s: paper.SampledSetting) -> np.ndarray:
    """Logs of policies within reach of the algorithm."""
    rng = stream(0, "proofs of sampled steps", s)
    return normalise(
        s.log_equilibrium + np.geomspace(1e-3, 3, POLICIES)[:, None] * rng.standard_normal((POLICIES, s.game.n))
    )


sampled = Proof(of=[paper.SAMPLED_ONE_STEP, paper.SAMPLED_DIVERGENCE], settings=three_actions)


@sampled.step("Estimated win rates are unbiased")
def unbiased(s: paper.SampledSetting) -> Claim:
    """E xi = 0."""
    o = outcomes(s, anchors(s))
    bias = (o.chance[..., None] * o.noise).sum(1)
    return claim(bias, "==", 0.0, "opponents are drawn from the policy", rounding=ROUNDING)


@sampled.step("Noise is sub-Gaussian, coordinate by coordinate: variance proxy 1/4 for one comparison, 1/(4m) for m")
def sub_gaussian(s: paper.SampledSetting) -> Claim:
    """Log E exp(t xi_a) <= t^2 / 8."""
    o = outcomes(s, anchors(s))
    t = np.array([-8.0, -2.0, -0.5, 0.5, 2.0, 8.0])
    left = np.log(np.einsum("po,potn->ptn", o.chance, np.exp(t[:, None] * o.noise[:, :, None, :])))
    return claim(left, "<=", t[:, None] ** 2 / 8, "Hoeffding's lemma, range 1", rounding=ROUNDING)


@sampled.step("The mean log-normaliser under any policy is at most (gamma q)^2 / 8", uses=[sub_gaussian])
def normaliser(s: paper.SampledSetting) -> Claim:
    """E log E_y exp(gamma q xi) <= gamma^2 q^2 / 8 for y = x and y = pi*."""
    x, rate = anchors(s), 2 * s.keep
    o = outcomes(s, x)
    left = [
        mean(o.chance, np.logaddexp.reduce(log_y[:, None] + rate * o.noise, axis=-1))
        for log_y in (x, np.broadcast_to(s.log_equilibrium, x.shape))
    ]
    why = "Jensen: the expectation of the logarithm is below the logarithm of the expectation"
    return claim(left, "<=", rate**2 / 8, why, rounding=ROUNDING)


@sampled.step(
    "Half step: the expected squared distance is at most q^2 for m = 1, q^2 / m in general", uses=[normaliser, unbiased]
)
def half_distance(s: paper.SampledSetting) -> Claim:
    """E ||h^ - h||^2 <= 2 E KL(h || h^) <= gamma^2 q^2 / 4 = q^2."""
    x = anchors(s)
    o = outcomes(s, x)
    h = log_prox(s, x, values(s, x))[:, None]
    estimated = normalise(h + 2 * s.keep * o.noise)
    left = mean(o.chance, norm(h, estimated) ** 2)
    return claim(left, "<=", s.keep**2, "Pinsker; KL(h || h^) = log E_h exp(gamma q xi) - gamma q <h, xi>")


@sampled.step("Full step: estimation adds q^2 / 2 for m = 1, q^2 / (2m) in general", uses=[normaliser, unbiased])
def full_step(s: paper.SampledSetting) -> Claim:
    """E K(x^_+) <= K(x_+) + gamma^2 q^2 / 8, with opponents from any policy."""
    x = anchors(s)
    o = outcomes(s, x)
    y = log_prox(s, x, values(s, x))[:, None]
    left = mean(o.chance, kl(s.log_equilibrium, normalise(y + 2 * s.keep * o.noise)))
    right = kl(s.log_equilibrium, y[:, 0]) + s.keep**2 / 2
    return claim(left, "<=", right, "the linear term has mean 0, the normaliser is bounded", rounding=ROUNDING)


@sampled.step("One iteration, in expectation over both queries", uses=[half_distance, full_step])
def one_step(s: paper.SampledSetting) -> Claim:
    """E K_{k+1} <= (K_k + q^2 / (2 beta)) / (1 + beta) + q^2 / 2 for m = 1."""
    x, b = anchors(s), s.beta
    first = outcomes(s, x)
    h = log_prox(s, x, values(s, x))[:, None]
    total = np.zeros(len(x))
    for i, chance in enumerate(first.chance.T):
        half = normalise(h[:, 0] + 2 * s.keep * first.noise[:, i])
        second = outcomes(s, half)
        y = log_prox(s, x, values(s, half))[:, None]
        total += chance * mean(second.chance, kl(s.log_equilibrium, normalise(y + 2 * s.keep * second.noise)))
    right = (kl(s.log_equilibrium, x) + s.keep**2 / (2 * b)) / (1 + b) + s.keep**2 / 2
    return claim(total, "<=", right, "the inexact step with rho^2 in expectation, and the full step", rounding=ROUNDING)


@sampled.step("The floor is the fixed point of the recursion")
def floor(s: paper.SampledSetting) -> Claim:
    """F = (f + q^2 / (2 beta m)) / (1 + beta) + q^2 / (2m) at f = q^2 (1 + beta + beta^2) / (2 m beta^2)."""
    b, noise = s.beta, s.keep**2 / (2 * s.comparisons)
    f = noise * (1 + b + b**2) / b**2
    return claim((f + noise / b) / (1 + b) + noise, "==", f, "solve")


@sampled.step("The iterates stay within reach: the proved range of the divergence")
def reach(s: paper.SampledSetting) -> Claim:
    """span(log pi_k - log mu) <= 1 / beta is kept by every step with win rates of span 1, and KL <= span^2 / 8."""
    q, b = s.keep, s.beta
    furthest = q / b + 2 * q  # q times the bound, plus q gamma times a span of 1
    return claim([furthest, (2 / b) ** 2 / 8], "==", [1 / b, 1 / (2 * b**2)], "q (1 + 2 beta) = 1")
