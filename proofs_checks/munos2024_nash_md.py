r"""Proofs on Nash-MD: its lemmas with exact constants, its rates, and the limit of constant rates.

Notation. :math:`S = P - 1/2`; x and u are any policies, and m is the mixture of x with the reference :math:`\mu`. In a
run, :math:`x_t = \pi_t`, :math:`m_t = \sigma_t`, the rate is :math:`\eta`, and the divergence is
:math:`K_t = \mathrm{KL}(\pi^* \| x_t)`. A dash marks what belongs to the temperature
:math:`\beta' = \beta / (1 - \eta \beta)`: :math:`\pi'` is its equilibrium and :math:`K'_t = \mathrm{KL}(\pi' \| m_t)`.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from proofs_checks.munos2024 import cumulant, dot, kl, norm, normalise, pay, pay_apart, penalty, scatter, span, values
from rltheory.simulation import stream
from rltheory.theorems.games import munos2024
from rltheory.theorems.games import munos2024_nash_md as paper
from rltheory.theory import Claim, Proof, claim

# Sums of terms as large as the log-probabilities, up to 600 in these settings, keep absolute errors below this.
ROUNDING = 1e-12


class Draw(NamedTuple):
    """Logs of policies, one per row; shares of the reference, logs of mixtures; vectors delta, logs of tilts."""

    x: np.ndarray
    u: np.ndarray
    share: np.ndarray
    m: np.ndarray
    delta: np.ndarray
    tilted: np.ndarray


@cache
def draw(s: munos2024.Setting) -> Draw:
    """Policies around the equilibrium, mixtures of all shares, and delta of all sizes."""
    rng = stream(0, "proofs for Nash-MD", s)
    x, u = (scatter(rng, s.log_equilibrium) for _ in range(2))
    share = rng.uniform(0, 1, len(x))
    delta = 10 ** rng.uniform(-3, 1, (len(x), 1)) * rng.standard_normal(x.shape)
    m = normalise(unnormalised(s, x, share))
    return Draw(x, u, share, m, delta, normalise(x + delta))


def unnormalised(s, log_x, share):
    """Logarithm of x^(1-s) mu^s."""
    return (1 - share)[:, None] * log_x + share[:, None] * s.log_reference


def log_normaliser(s, d):
    """Log Z = log sum of x^(1-s) mu^s."""
    return np.logaddexp.reduce(unnormalised(s, d.x, d.share), axis=-1)


def average(s, d, log_u):
    """Average divergence, s KL(u || mu) + (1 - s) KL(u || x)."""
    return d.share * kl(log_u, s.log_reference) + (1 - d.share) * kl(log_u, d.x)


# --------------------------------------------------------------------------------------------------

mixtures = Proof(of=[paper.MIXTURE_NORMALIZER, paper.MIXTURE_DIVERGENCE], settings=munos2024.grid)


@mixtures.step("The mixture's logarithm is the mean of the logarithms less log Z")
def log_of_mixture(s: munos2024.Setting) -> Claim:
    """Log m = (1 - s) log x + s log mu - log Z."""
    d = draw(s)
    right = unnormalised(s, d.x, d.share) - log_normaliser(s, d)[:, None]
    return claim(d.m, "==", right, "definition of the mixture", rounding=ROUNDING)


@mixtures.step("Conclusion: KL(u || m) is the average divergence plus log Z", uses=[log_of_mixture])
def divergence_to_mixture(s: munos2024.Setting) -> Claim:
    """KL(u || m) = s KL(u || mu) + (1 - s) KL(u || x) + log Z."""
    d = draw(s)
    right = average(s, d, d.u) + log_normaliser(s, d)
    why = "log u = (1 - s) log u + s log u; take the mean of the difference under u"
    return claim(kl(d.u, d.m), "==", right, why, rounding=ROUNDING)


@mixtures.step("Conclusion: -log Z is the average divergence of the mixture itself", uses=[divergence_to_mixture])
def normaliser(s: munos2024.Setting) -> Claim:
    """-log Z = s KL(m || mu) + (1 - s) KL(m || x)."""
    d = draw(s)
    return claim(-log_normaliser(s, d), "==", average(s, d, d.m), "the conclusion before at u = m", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

tilts = Proof(of=[paper.TILT_LEMMA_BY_SPAN], settings=munos2024.grid)


@tilts.step("A tilt changes the divergence by its gain and a cumulant")
def tilt_identity(s: munos2024.Setting) -> Claim:
    """KL(u || x+) - KL(u || x) - <x - u, delta> = log E_x exp(delta - E delta)."""
    d = draw(s)
    left = kl(d.u, d.tilted) - kl(d.u, d.x) - dot(np.exp(d.x) - np.exp(d.u), d.delta)
    why = "log x+ = log x + delta - log E_x exp(delta); take the mean under u"
    return claim(left, "==", cumulant(d.x, d.delta), why, rounding=ROUNDING)


@tilts.step("Popoviciu: under no tilt is the variance of delta above span(delta)^2 / 4")
def variance(s: munos2024.Setting) -> Claim:
    """Variance of delta under x exp(t delta), normalised, for t in [0, 1]."""
    d = draw(s)
    tilted = np.exp([normalise(d.x + t * d.delta) for t in np.linspace(0, 1, 9)])
    left = dot(tilted, (d.delta - dot(tilted, d.delta)[..., None]) ** 2)
    return claim(left, "<=", span(d.delta) ** 2 / 4, "the middle of the range is at most span / 2 away")


@tilts.step("Conclusion: the cumulant is at most span(delta)^2 / 8", uses=[tilt_identity, variance])
def tilt_by_span(s: munos2024.Setting) -> Claim:
    """KL(u || x+) - KL(u || x) - <x - u, delta> <= span(delta)^2 / 8."""
    d = draw(s)
    left = kl(d.u, d.tilted) - kl(d.u, d.x) - dot(np.exp(d.x) - np.exp(d.u), d.delta)
    why = "integrate the variance twice over t in [0, 1]; value and slope are 0 at t = 0"
    return claim(left, "<=", span(d.delta) ** 2 / 8, why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------


class Play(NamedTuple):
    """One run, row t being iteration t; rates, and logs of x_t, m_t and x_{t+1}, of equilibrium and reference."""

    rate: np.ndarray
    x: np.ndarray
    m: np.ndarray
    y: np.ndarray  # x_{t+1}
    star: np.ndarray
    ref: np.ndarray


@cache
def play(s: paper.Setting) -> Play:
    """Run with the setting's constant rate."""
    return iterate(s, np.full(s.iterations, s.step))


@cache
def play_decreasing(s: paper.Setting) -> Play:
    """Run with decreasing rates."""
    return iterate(s, 2 / (s.beta * (np.arange(paper.HORIZON) + 2)))


def iterate(s: paper.Setting, rates: np.ndarray) -> Play:
    """Iterate the two lines of the algorithm."""
    x = s.log_reference if s.start is None else np.log(s.start) - np.log(np.sum(s.start))
    rows = []
    for rate in rates:
        m = normalise((1 - rate * s.beta) * x + rate * s.beta * s.log_reference)
        y = normalise(m + rate * values(s, m))
        rows.append((x, m, y))
        x = y
    xs, ms, ys = (np.array(column) for column in zip(*rows, strict=True))
    return Play(rates, xs, ms, ys, s.log_equilibrium, s.log_reference)


one_step = Proof(of=[paper.ONE_STEP_IMPROVED], settings=paper.grid)


@one_step.step("Lemma 2 at u = pi*: the divergence changes by what pi* gains, and by a square")
def tilt_to_star(s: paper.Setting) -> Claim:
    """K_{t+1} <= KL(* || m) - eta <*, S m> + eta^2 span(S m)^2 / 8."""
    p = play(s)
    gain = pay(s, p.star, p.m)
    right = kl(p.star, p.m) - p.rate * gain + p.rate**2 * span(values(s, p.m)) ** 2 / 8
    why = "delta = eta S m, and <m, S m> = 0 since S is skew"
    return claim(kl(p.star, p.y), "<=", right, why, rounding=ROUNDING)


@one_step.step("Win rates differ by one at most")
def span_of_win_rates(s: paper.Setting) -> Claim:
    """span(S m) <= 1."""
    p = play(s)
    return claim(span(values(s, p.m)), "<=", 1.0, "entries of S lie in [-1/2, 1/2]")


@one_step.step("Lemma 1 at u = pi*, s = eta beta: the mixture is no farther than the average")
def mixture_to_star(s: paper.Setting) -> Claim:
    """KL(* || m) <= (1 - s) K_t + s KL(* || mu) - s KL(m || mu)."""
    p = play(s)
    share = p.rate * s.beta
    right = (1 - share) * kl(p.star, p.x) + share * (kl(p.star, p.ref) - kl(p.m, p.ref))
    return claim(kl(p.star, p.m), "<=", right, "drop (1 - s) KL(m || x) from the exact form", rounding=ROUNDING)


@one_step.step("The equilibrium loses to no policy")
def edge_of_star(s: paper.Setting) -> Claim:
    """<*, S m> - g(*) + g(m) = beta KL(m || *), g(x) = beta KL(x || mu)."""
    p = play(s)
    left = pay(s, p.star, p.m) - penalty(s, p.star) + penalty(s, p.m)
    why = "insert log pi* = log mu + S pi* / beta + c"
    return claim(left, "==", s.beta * kl(p.m, p.star), why, rounding=ROUNDING)


@one_step.step(
    "Conclusion: K_{t+1} <= (1 - eta beta) K_t + eta^2 / 8",
    uses=[tilt_to_star, span_of_win_rates, mixture_to_star, edge_of_star],
)
def recursion(s: paper.Setting) -> Claim:
    """With the term that is dropped, -eta beta KL(m || *)."""
    p = play(s)
    right = (1 - p.rate * s.beta) * kl(p.star, p.x) + p.rate**2 / 8 - p.rate * s.beta * kl(p.m, p.star)
    return claim(kl(p.star, p.y), "<=", right, "add up; divergences are not negative", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

rate = Proof(of=[paper.RATE_IMPROVED], settings=paper.decreasing_grid)


@rate.step("The recursion at the decreasing rates")
def recursion_at_rates(s: paper.Setting) -> Claim:
    """K_{t+1} <= t / (t + 2) K_t + 1 / (2 beta^2 (t + 2)^2)."""
    p, t = play_decreasing(s), np.arange(paper.HORIZON)
    right = t / (t + 2) * kl(p.star, p.x) + 1 / (2 * s.beta**2 * (t + 2.0) ** 2)
    return claim(kl(p.star, p.y), "<=", right, "insert eta_t = 2 / (beta (t + 2))", rounding=ROUNDING)


@rate.step("The first step forgets the start", uses=[recursion_at_rates])
def first_step(s: paper.Setting) -> Claim:
    """K_1 <= 1 / (8 beta^2), half of what is stated."""
    p = play_decreasing(s)
    return claim(kl(p.star, p.y[0]), "<=", 1 / (8 * s.beta**2), "t = 0", rounding=ROUNDING)


@rate.step("The stated bound reproduces itself")
def induction(s: paper.Setting) -> Claim:
    """In units of 1 / (2 beta^2), t / ((t + 2)(t + 1)) + 1 / (t + 2)^2 <= 1 / (t + 2)."""
    t = np.arange(1.0, paper.HORIZON)
    left = t / ((t + 2) * (t + 1)) + 1 / (t + 2) ** 2
    return claim(left, "<=", 1 / (t + 2), "1 - t / (t + 1) = 1 / (t + 1) >= 1 / (t + 2)")


@rate.step("Conclusion: K_T <= 1 / (2 beta^2 (T + 1)) for T >= 1", uses=[recursion_at_rates, first_step, induction])
def rate_of_divergence(s: paper.Setting) -> Claim:
    """Row t of y is iteration T = t + 1."""
    p, t = play_decreasing(s), np.arange(paper.HORIZON)
    return claim(kl(p.star, p.y), "<=", 1 / (2 * s.beta**2 * (t + 2)), "induction", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

constant_rate = Proof(
    of=[paper.MIXTURE_IS_MAGNETIC, paper.CONSTANT_RATE, paper.CONSTANT_RATE_LIMIT], settings=paper.converging_grid
)


class Dashed(NamedTuple):
    """What belongs to the temperature beta'; logs of m_t and m_{t+1}, and of the equilibrium."""

    beta: float
    keep: float  # weight 1 / (1 + eta beta') of a proximal map with step eta
    m: np.ndarray
    after: np.ndarray
    star: np.ndarray


@cache
def dashed(s: paper.Setting) -> Dashed:
    """Mixtures of the run, and the equilibrium with temperature beta'."""
    p, beta = play(s), s.beta / (1 - s.step * s.beta)
    return Dashed(beta, 1 / (1 + s.step * beta), p.m[:-1], p.m[1:], s.log_mixed_equilibrium)


@constant_rate.step("The weight of a proximal map at beta' is that of the mixture")
def weights(s: paper.Setting) -> Claim:
    """1 / (1 + eta beta') = 1 - eta beta."""
    return claim(dashed(s).keep, "==", 1 - s.step * s.beta, "beta' = beta / (1 - eta beta)")


@constant_rate.step("Conclusion: the next mixture is a proximal map of this one, at temperature beta'", uses=[weights])
def next_mixture(s: paper.Setting) -> Claim:
    """Log m_{t+1} = q log m_t + (1 - q) log mu + q eta S m_t + c, q = 1 - eta beta."""
    d = dashed(s)
    right = normalise(d.keep * d.m + (1 - d.keep) * s.log_reference + d.keep * s.step * values(s, d.m))
    why = "insert log x_{t+1} = log m_t + eta S m_t + c in the mixture with share eta beta"
    return claim(d.after, "==", right, why, rounding=ROUNDING)


@constant_rate.step("Identity of one iteration", uses=[next_mixture])
def iteration_identity(s: paper.Setting) -> Claim:
    """(1/g+b') K'_{t+1} + b' KL(m+||') + KL(m+||m)/g = K'_t/g - <S(m+ - m), m+ - '>, g = eta."""
    d, g = dashed(s), s.step
    left = (1 / g + d.beta) * kl(d.star, d.after) + d.beta * kl(d.after, d.star) + kl(d.after, d.m) / g
    right = kl(d.star, d.m) / g - pay_apart(s, d.after, d.star, d.after, d.m)
    why = "three-point identity of the proximal map; against m+ the equilibrium gains b' KL(m+ || pi')"
    return claim(left, "==", right, why, rounding=ROUNDING * (1 / g + d.beta))


@constant_rate.step("The cross term by Hoelder and Pinsker")
def cross_term(s: paper.Setting) -> Claim:
    """|<S(m+ - m), m+ - '>| <= sqrt(KL(m+ || m) KL(m+ || '))."""
    d = dashed(s)
    left = np.abs(pay_apart(s, d.after, d.star, d.after, d.m))
    middle = norm(d.after, d.m) * norm(d.after, d.star) / 2
    right = np.sqrt(np.maximum(kl(d.after, d.m) * kl(d.after, d.star), 0))
    why = "entries of S are at most 1/2; ||d||^2 <= 2 KL twice"
    return claim(np.stack([left, middle]), "<=", np.stack([middle, right]), why, rounding=ROUNDING)


@constant_rate.step("Young: rates up to 4 beta' absorb it", uses=[cross_term])
def young(s: paper.Setting) -> Claim:
    """Sqrt(u v) <= u / eta + eta v / 4 <= u / eta + beta' v."""
    d = dashed(s)
    u, v = kl(d.after, d.m), kl(d.after, d.star)
    left = np.sqrt(np.maximum(u * v, 0))
    return claim(left, "<=", u / s.step + d.beta * v, "eta <= 4 beta'", rounding=ROUNDING)


@constant_rate.step(
    "Conclusion: the divergence of the mixture shrinks by 1 - eta beta", uses=[iteration_identity, young]
)
def mixture_converges(s: paper.Setting) -> Claim:
    """K'_{t+1} <= (1 - eta beta) K'_t."""
    d = dashed(s)
    right = (1 - s.step * s.beta) * kl(d.star, d.m)
    return claim(kl(d.star, d.after), "<=", right, "insert; multiply by q eta", rounding=ROUNDING)


@constant_rate.step("The logarithms of the mixture converge as well", uses=[next_mixture, mixture_converges])
def logarithms_converge(s: paper.Setting) -> Claim:
    """span(log m+ - log ') <= q (span(log m - log ') + eta sqrt(2 K'_t))."""
    d = dashed(s)
    distance = np.sqrt(np.maximum(2 * kl(d.star, d.m), 0))
    right = d.keep * (span(d.m - d.star) + s.step * distance)
    why = "pi' is a fixed point of the map; span(S d) <= ||d||_1; Pinsker"
    # Where K' is lost in rounding, at 1e-16, its root is 1e-8.
    return claim(span(d.after - d.star), "<=", right, why, rounding=1e-7)


@constant_rate.step("The best response to the limit of the mixtures")
def response_to_limit(s: paper.Setting) -> Claim:
    """Log pi' + eta S pi' = log mu + S pi' / beta + c."""
    d = dashed(s)
    residual = d.star + s.step * values(s, d.star) - s.log_reference - values(s, d.star) / s.beta
    why = "pi' ~ mu exp(S pi' / beta') and 1 / beta' + eta = 1 / beta"
    return claim(span(residual), "==", 0.0, why, rounding=ROUNDING)


@constant_rate.step("Conclusion: the policies converge to that response", uses=[logarithms_converge, response_to_limit])
def policies_converge(s: paper.Setting) -> Claim:
    """span(log x_T - log BR(pi')) = 0 at the end of the run."""
    p, d = play(s), dashed(s)
    response = normalise(s.log_reference + values(s, d.star) / s.beta)
    why = "log x_{t+1} = log m_t + eta S m_t + c is continuous in the logarithms of m_t"
    return claim(span(p.y[-1] - response), "==", 0.0, why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

bias = Proof(of=[paper.CONSTANT_RATE_BIAS], settings=paper.biased_grid)


@bias.step("The run stands still at the best response to the equilibrium with temperature beta'")
def stands_still(s: paper.Setting) -> Claim:
    """span(log x_T - log BR(pi')) = 0."""
    response = normalise(s.log_reference + values(s, s.log_mixed_equilibrium) / s.beta)
    why = "constant rates up to 4 beta' converge there"
    return claim(span(play(s).y[-1] - response), "==", 0.0, why, rounding=ROUNDING)


@bias.step("The equilibrium is known")
def equilibrium(s: paper.Setting) -> Claim:
    """Residual of log pi* = log mu + S pi* / beta + c, which bounds the divergence by its square over 8."""
    residual = s.log_equilibrium - s.log_reference - values(s, s.log_equilibrium) / s.beta
    return claim(span(residual), "==", 0.0, "fixed point", rounding=ROUNDING)


@bias.step("Conclusion: that response is not the equilibrium", uses=[stands_still, equilibrium])
def another_policy(s: paper.Setting) -> Claim:
    """1e-6 <= KL(pi* || BR(pi'))."""
    response = normalise(s.log_reference + values(s, s.log_mixed_equilibrium) / s.beta)
    return claim(paper.BIASED, "<=", kl(s.log_equilibrium, response), "computed")
