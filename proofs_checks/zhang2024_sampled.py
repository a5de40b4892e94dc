r"""Proofs on INPO with comparisons: what estimated win rates cost, and how far a regression on pairs errs.

Notation as for the exact steps; :math:`\rho = 1 / \eta = q \gamma`. From x the exact next policy is :math:`x_+`, and
:math:`\hat x_+` with estimated win rates :math:`S x + \xi`. Expectations over comparisons are computed exactly, by
going through all their outcomes in small games.
"""

from functools import cache
from itertools import product
from math import comb
from typing import NamedTuple

import numpy as np

from proofs_checks.tiapkin2025_approximate import mean, outcomes
from rltheory.simulation import stream
from rltheory.theorems.games import zhang2024_sampled as paper
from rltheory.theory import Claim, Proof, claim

POLICIES = 40
ROUNDING = 1e-12  # logarithms reach some dozens here, and errors of their sums some hundreds of eps


def three_actions():
    """Settings small enough to go through all outcomes of the comparisons."""
    for s in paper.sampled_grid():
        if s.game.n <= 3:
            yield s


def normalise(z):
    """Logarithm of the policy proportional to exp(z)."""
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def kl(log_p, log_q):
    """KL(p || q)."""
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


def span(z):
    """Largest minus smallest entry."""
    return z.max(-1) - z.min(-1)


def anchor(s, log_x):
    """Logarithm of x^q mu^(1-q)."""
    share = s.beta / (s.beta + 1 / s.step)
    return (1 - share) * log_x + share * s.log_reference


class Steps(NamedTuple):
    """Logs of policies, one per row, of next ones, and for m = 1 all outcomes: noise and its probability."""

    x: np.ndarray
    y: np.ndarray  # x_+
    estimated: np.ndarray  # x^_+, (policies, outcomes, n)
    noise: np.ndarray
    chance: np.ndarray
    rate: float  # rho


@cache
def steps(s: paper.SampledSetting) -> Steps:
    """One step from each of many policies within reach, with logarithms up to a span of 1 / beta from the reference."""
    rng = stream(0, "proofs of sampled INPO steps", s)
    tilts = rng.uniform(0, 1 / s.beta, (POLICIES, s.game.n))
    tilts[: POLICIES // 2] = rng.choice([0, 1 / s.beta], (POLICIES // 2, s.game.n))
    x = normalise(s.log_reference + tilts)
    o, rate = outcomes(s, x), 1 / (s.beta + 1 / s.step)
    y = normalise(anchor(s, x) + rate * np.exp(x) @ (s.game.prefer - 0.5).T)
    return Steps(x, y, normalise(y[:, None] + rate * o.noise), o.noise, o.chance, rate)


sampled = Proof(
    of=[paper.SAMPLED_ONE_STEP, paper.SAMPLED_DIVERGENCE, paper.SAMPLED_DECREASING],
    settings=three_actions,
)


@sampled.step("Estimated win rates are unbiased")
def unbiased(s: paper.SampledSetting) -> Claim:
    """E xi = 0."""
    p = steps(s)
    bias = (p.chance[..., None] * p.noise).sum(1)
    return claim(bias, "==", 0.0, "opponents are drawn from the policy", rounding=ROUNDING)


@sampled.step("Noise is sub-Gaussian, coordinate by coordinate: variance proxy 1/4 for one comparison, 1/(4m) for m")
def sub_gaussian(s: paper.SampledSetting) -> Claim:
    """Log E exp(r xi_a) <= r^2 / 8."""
    p, r = steps(s), np.array([-8.0, -2.0, -0.5, 0.5, 2.0, 8.0])
    left = np.log(np.einsum("po,poan->pan", p.chance, np.exp(r[:, None] * p.noise[:, :, None, :])))
    return claim(left, "<=", r[:, None] ** 2 / 8, "Hoeffding's lemma, range 1", rounding=ROUNDING)


@sampled.step("The mean log-normaliser is at most rho^2 / 8", uses=[sub_gaussian])
def normaliser(s: paper.SampledSetting) -> Claim:
    """E log E_{x_+} exp(rho xi) <= rho^2 / 8."""
    p = steps(s)
    left = mean(p.chance, np.logaddexp.reduce(p.y[:, None] + p.rate * p.noise, axis=-1))
    why = "Jensen: the expectation of the logarithm is below the logarithm of the expectation"
    return claim(left, "<=", p.rate**2 / 8, why, rounding=ROUNDING)


@sampled.step("Estimation adds rho^2 / 8 for m = 1, rho^2 / (8m) in general", uses=[unbiased, normaliser])
def estimation(s: paper.SampledSetting) -> Claim:
    """E K(x^_+) <= K(x_+) + rho^2 / 8."""
    p = steps(s)
    right = kl(s.log_equilibrium, p.y) + p.rate**2 / 8
    why = "the linear term -rho <pi*, xi> has mean 0"
    return claim(mean(p.chance, kl(s.log_equilibrium, p.estimated)), "<=", right, why, rounding=ROUNDING)


@sampled.step("The exact step contracts, at gamma <= 4 beta")
def contraction(s: paper.SampledSetting) -> Claim:
    """K(x_+) <= q K(x)."""
    p = steps(s)
    right = (1 - s.beta * p.rate) * kl(s.log_equilibrium, p.x)
    return claim(kl(s.log_equilibrium, p.y), "<=", right, "the theorem on exact steps", rounding=ROUNDING)


@sampled.step("Conclusion for one step", uses=[estimation, contraction])
def one_step(s: paper.SampledSetting) -> Claim:
    """E K(x^_+) - q K(x) <= rho^2 / 8."""
    p = steps(s)
    left = mean(p.chance, kl(s.log_equilibrium, p.estimated)) - (1 - s.beta * p.rate) * kl(s.log_equilibrium, p.x)
    return claim(left, "<=", p.rate**2 / 8, "add", rounding=ROUNDING)


@sampled.step("The floor is the fixed point of the recursion")
def floor(s: paper.SampledSetting) -> Claim:
    """The floor solves q f + rho^2 / (8m) = f by f = rho / (8 m beta), which is q / (2m) at gamma = 4 beta."""
    rate = 4 * s.beta / (1 + 4 * s.beta**2)
    f = steps(s).rate / (8 * s.comparisons * s.beta)
    left = [(1 - s.beta * steps(s).rate) * f + steps(s).rate ** 2 / (8 * s.comparisons), rate / (8 * s.beta)]
    return claim(left, "==", [f, 1 / (2 * (1 + 4 * s.beta**2))], "q = 1 - beta rho")


@sampled.step("Decreasing rates start at the largest proved step")
def first_step(s: paper.SampledSetting) -> Claim:
    """gamma_0 = 1 / (eta_0 - beta) = 4 beta, and later steps are smaller."""
    t0 = 2 + 1 / (2 * s.beta**2)
    eta = s.beta * (np.arange(100) + t0) / 2
    return claim(1 / (eta - s.beta), "<=", 4 * s.beta, "eta_0 - beta = beta (t_0 - 2) / 2 = 1 / (4 beta)")


@sampled.step("The bound for decreasing rates is kept by the recursion", uses=[one_step, first_step])
def decreasing(s: paper.SampledSetting) -> Claim:
    """(1 - 2/(t+t0)) B_t + (2/(beta (t+t0)))^2 / (8m) <= B_{t+1}."""
    t, t0, m = np.arange(200.0), 2 + 1 / (2 * s.beta**2), s.comparisons
    first = kl(s.log_equilibrium, s.log_reference)

    def bound(t):
        return ((t0 - 1) * (t0 - 2) * first + t / (2 * m * s.beta**2)) / ((t + t0 - 1) * (t + t0 - 2))

    left = (1 - 2 / (t + t0)) * bound(t) + (2 / (s.beta * (t + t0))) ** 2 / (8 * m)
    why = "times (t + t0)(t + t0 - 1) it says that 1/(2 m beta^2) (t + t0 - 1)/(t + t0) is at most 1/(2 m beta^2)"
    return claim(left, "<=", bound(t + 1), why)


@sampled.step("The iterates stay within reach, whatever the comparisons say")
def reach(s: paper.SampledSetting) -> Claim:
    """span(log x^_+ - log mu) <= 1 / beta."""
    p = steps(s)
    why = "q / beta + rho = 1 / beta, as estimated win rates have span 1 at most"
    return claim(span(p.estimated - s.log_reference), "<=", 1 / s.beta, why, rounding=ROUNDING)


@sampled.step("Within reach no policy is far from the reference, nor from the equilibrium", uses=[reach])
def distances(s: paper.SampledSetting) -> Claim:
    """KL(x || mu) <= min(1/beta, 1/(8 beta^2)) and K(x) <= min(2/beta, 1/(2 beta^2))."""
    p, b = steps(s), s.beta
    left = np.stack([kl(p.x, s.log_reference), kl(s.log_equilibrium, p.x)])
    right = np.array([[min(1 / b, 1 / (8 * b**2))], [min(2 / b, 1 / (2 * b**2))]])
    return claim(left, "<=", right, "KL(p || q) <= min(span, span^2 / 8) of the log-ratio", rounding=ROUNDING)


@sampled.step("The proved range of one step", uses=[distances])
def step_range(s: paper.SampledSetting) -> Claim:
    """-rho (1 + beta KL(x||mu)) <= K(x^_+) - q K(x) <= rho (1 + beta KL(pi*||mu)), in every outcome."""
    p = steps(s)
    q = 1 - s.beta * p.rate
    excess = kl(s.log_equilibrium, p.estimated) - q * kl(s.log_equilibrium, p.x)[:, None]
    below = p.rate * (1 + s.beta * kl(p.x, s.log_reference))[:, None]
    above = p.rate * (1 + s.beta * kl(s.log_equilibrium, s.log_reference))
    why = (
        "it is (1-q) KL(pi*||mu) + log sum x^q mu^(1-q) + a number in [-rho, rho]; the sum is 1 at most and "
        "exp(-(1-q) KL(x||mu)) at least, by Jensen; 1 - q = beta rho"
    )
    right = np.stack(np.broadcast_arrays(above, below))
    return claim(np.stack([excess, -excess]), "<=", right, why, rounding=ROUNDING)


@sampled.step("The distance of the equilibrium in that range")
def equilibrium_distance(s: paper.SampledSetting) -> Claim:
    """KL(pi* || mu) <= min(1/(2 beta), 1/(8 beta^2))."""
    right = min(1 / (2 * s.beta), 1 / (8 * s.beta**2))
    why = "beta (KL(pi*||mu) + KL(mu||pi*)) = <pi*, S mu> <= 1/2; span^2 / 8"
    return claim(kl(s.log_equilibrium, s.log_reference), "<=", right, why, rounding=ROUNDING)


@sampled.step("The declared range holds it", uses=[step_range, distances, equilibrium_distance])
def declared_range(s: paper.SampledSetting) -> Claim:
    """Falls of rho (1 + beta KL(x||mu)) <= largest fall, rho (1 + beta KL(pi*||mu)) <= largest rise."""
    p = steps(s)
    farthest = [kl(p.x, s.log_reference).max(), kl(s.log_equilibrium, s.log_reference)]
    left = p.rate * (1 + s.beta * np.array(farthest))
    return claim(left, "<=", [s.largest_fall, s.largest_rise], "insert both distances", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

regression = Proof(of=[paper.REGRESSION_VARIANCE], settings=paper.designs)


class Comparisons(NamedTuple):
    """All outcomes of the comparisons: wins of the first action of each pair that meets, and their probability."""

    first: np.ndarray
    second: np.ndarray
    times: np.ndarray
    wins: np.ndarray  # (outcomes, pairs that meet)
    chance: np.ndarray


@cache
def comparisons(s: paper.Design) -> Comparisons:
    """Go through all numbers of wins."""
    first, second = np.nonzero(np.triu(s.meetings))
    times = np.asarray(s.meetings)[first, second].astype(int)
    wins = np.array(list(product(*(range(n + 1) for n in times))))
    p = s.game.prefer[first, second]
    ways = np.array([[comb(n, k) for n, k in zip(times, row, strict=True)] for row in wins])
    return Comparisons(first, second, times, wins, (ways * p**wins * (1 - p) ** (times - wins)).prod(axis=1))


def incidence(s):
    """Row e has 1 at the first action of the e-th pair that meets and -1 at the second."""
    c = comparisons(s)
    return np.eye(s.game.n)[c.first] - np.eye(s.game.n)[c.second]


def all_pairs(n):
    """Rows e_a - e_b."""
    a, b = np.triu_indices(n, 1)
    return np.eye(n)[a] - np.eye(n)[b]


def currents(s):
    """Current through one comparison of each pair that meets, for a unit current between each pair, by potentials."""
    b = incidence(s)
    laplacian = b.T @ (comparisons(s).times[:, None] * b)
    return all_pairs(s.game.n) @ np.linalg.pinv(laplacian) @ b.T


@cache
def errors(s: paper.Design) -> np.ndarray:
    """Errors of the fitted differences of all pairs in each outcome, by least squares on all comparisons."""
    c, b = comparisons(s), incidence(s)
    expected = c.times * (2 * s.game.prefer[c.first, c.second] - 1) / 2
    # Each comparison of a pair asks for a difference of 1/2 or -1/2; the root of their number weighs their mean.
    root = np.sqrt(c.times)
    means = np.vstack([(2 * c.wins - c.times) / 2, expected]) / c.times
    values = np.linalg.lstsq(root[:, None] * b, (root * means).T, rcond=None)[0].T
    return (values[:-1] - values[-1]) @ all_pairs(s.game.n).T


@regression.step("A fitted difference is the sum of all outcomes, each weighted by the current through it")
def by_currents(s: paper.Design) -> Claim:
    """Error = sum over meeting pairs of current (wins - expected wins)."""
    c = comparisons(s)
    right = (c.wins - c.times * s.game.prefer[c.first, c.second]) @ currents(s).T
    why = "normal equations: potentials for drives (wins - losses) / 2 are superposed, and reciprocal"
    return claim(errors(s), "==", right, why, rounding=ROUNDING)


@regression.step("The regression is unbiased", uses=[by_currents])
def unbiased_fit(s: paper.Design) -> Claim:
    """E error = 0."""
    return claim(comparisons(s).chance @ errors(s), "==", 0.0, "it is linear in the outcomes", rounding=ROUNDING)


@regression.step("Variances of independent comparisons add up", uses=[by_currents])
def variance(s: paper.Design) -> Claim:
    """E error^2 = sum over comparisons of current^2 P (1 - P)."""
    c = comparisons(s)
    p = s.game.prefer[c.first, c.second]
    right = currents(s) ** 2 @ (c.times * p * (1 - p))
    return claim(c.chance @ errors(s) ** 2, "==", right, "outcomes are independent coins", rounding=ROUNDING)


@regression.step("Thomson: the power of the unit current is the resistance")
def power(s: paper.Design) -> Claim:
    """Sum over comparisons of current^2 = R_ab."""
    why = "the sum of current times potential difference is the difference of potentials of a and b"
    return claim(currents(s) ** 2 @ comparisons(s).times, "==", s.resistances, why, rounding=ROUNDING)


@regression.step("Conclusion", uses=[variance, power])
def by_resistance(s: paper.Design) -> Claim:
    """E error^2 <= R_ab / 4."""
    return claim(comparisons(s).chance @ errors(s) ** 2, "<=", s.resistances / 4, "P (1 - P) <= 1/4")


@regression.step("The proved range: no outcome is farther off", uses=[by_currents])
def largest_error(s: paper.Design) -> Claim:
    """|error| <= sum over comparisons of |current| max(P, 1 - P), for the same sum over the design."""
    return claim(np.abs(errors(s)), "<=", s.largest_errors, "an outcome is off by P or 1 - P", rounding=ROUNDING)
