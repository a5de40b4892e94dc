r"""Proofs of the identities and inequalities of the KL-regularised preference game.

Notation. :math:`S = P - 1/2`; :math:`g(\pi) = \beta\,\mathrm{KL}(\pi \| \mu)`; the edge of u over x is
:math:`\langle u, S x \rangle - g(u) + g(x)`; :math:`\mathcal{E}(x)` is its maximum over u. The letters x, y and u
stand for any policies, drawn at random from close to the equilibrium :math:`\pi^*` to close to a corner.
Everything is recomputed here with plain NumPy, from the definitions.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.games import munos2024 as paper
from rltheory.theory import Claim, Proof, claim

DRAWS = 100

# Logarithms reach some hundreds here, so that each errs by 1e-13 at most. Weighted by probabilities, which add up
# to 1, the errors do not pile up with the number of actions; the weights 1/gamma and beta are at most 2.
ROUNDING = 1e-12


class Draw(NamedTuple):
    """Logs of policies, one per row, and of the setting's equilibrium and reference."""

    x: np.ndarray
    y: np.ndarray
    u: np.ndarray
    star: np.ndarray
    ref: np.ndarray


@cache
def draw(s: paper.Setting) -> Draw:
    """Three independent sets of policies around the equilibrium."""
    rng = stream(0, "proofs for the regularised game", "policies", s)
    return Draw(*(scatter(rng, s.log_equilibrium) for _ in range(3)), s.log_equilibrium, s.log_reference)


@cache
def planted(s: paper.Setting) -> tuple[np.ndarray, np.ndarray]:
    """Logs of equilibria and of references: any policy is the equilibrium for mu ~ pi* exp(-S pi* / beta)."""
    star = scatter(stream(0, "proofs for the regularised game", "equilibria", s), s.log_equilibrium)
    return star, normalise(star - values(s, star) / s.beta)


def scatter(rng, centre):
    """Log-policies whose logits are `centre` plus normals of widths from 1e-3 to 30."""
    widths = 10 ** rng.uniform(-3, 1.5, (DRAWS, 1))
    return normalise(centre + widths * rng.standard_normal((DRAWS, centre.size)))


def normalise(z):
    """Logarithm of the policy proportional to exp(z)."""
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def dot(f, g):
    """<f, g>."""
    return (f * g).sum(-1)


def kl(log_p, log_q):
    """KL(p || q) = sum p log(p / q)."""
    return dot(np.exp(log_p), log_p - log_q)


def norm(log_p, log_q):
    """|| p - q ||_1."""
    return np.abs(np.exp(log_p) - np.exp(log_q)).sum(-1)


def span(z):
    """Largest minus smallest entry."""
    return z.max(-1) - z.min(-1)


def values(s, log_x):
    """S x."""
    return np.exp(log_x) @ (s.game.prefer - 0.5).T


def pay(s, log_u, log_x):
    """<u, S x>."""
    return dot(np.exp(log_u), values(s, log_x))


def pay_apart(s, log_u, log_w, log_x, log_y):
    """<u - w, S (x - y)>."""
    return dot(np.exp(log_u) - np.exp(log_w), values(s, log_x) - values(s, log_y))


def penalty(s, log_x):
    """g(x) = beta KL(x || mu)."""
    return s.beta * kl(log_x, s.log_reference)


def edge(s, log_u, log_x):
    """P_beta(u > x) - 1/2."""
    return pay(s, log_u, log_x) - penalty(s, log_u) + penalty(s, log_x)


def log_mean_exp(log_p, f):
    """Log E_p exp(f)."""
    return np.logaddexp.reduce(log_p + f, axis=-1)


def cumulant(log_p, f):
    """Log E_p exp(f - E_p f)."""
    return log_mean_exp(log_p, f - dot(np.exp(log_p), f)[:, None])


def response(s, log_x):
    """Logarithm of BR(x) ~ mu exp(S x / beta)."""
    return normalise(s.log_reference + values(s, log_x) / s.beta)


def exploitability(s, log_x):
    """E(x) = g(x) + beta log E_mu exp(S x / beta), the maximum over u in closed form (proved below)."""
    return penalty(s, log_x) + s.beta * log_mean_exp(s.log_reference, values(s, log_x) / s.beta)


# --------------------------------------------------------------------------------------------------

edges = Proof(of=[paper.EQUILIBRIUM_EDGE, paper.EDGE], settings=paper.grid)


@edges.step("The equilibrium is the fixed point log pi* = log mu + S pi* / beta + c")
def fixed_point(s: paper.Setting) -> Claim:
    """Residual of the fixed point."""
    d = draw(s)
    residual = d.star - d.ref - values(s, d.star) / s.beta
    return claim(span(residual), "==", 0.0, "both players respond best to each other", rounding=ROUNDING)


@edges.step("No policy gains or loses against itself")
def even(s: paper.Setting) -> Claim:
    """<x, S x> = 0."""
    d = draw(s)
    return claim(pay(s, d.x, d.x), "==", 0.0, "S is skew")


@edges.step("Against pi*, a policy is paid for its likelihood ratios", uses=[fixed_point])
def paid_for_ratios(s: paper.Setting) -> Claim:
    """<x, S pi*> - g(x) = -beta KL(x || pi*) + beta log E_mu exp(S pi* / beta)."""
    d = draw(s)
    constant = s.beta * log_mean_exp(d.ref, values(s, d.star) / s.beta)
    left = pay(s, d.x, d.star) - penalty(s, d.x)
    why = "insert S pi* = beta (log pi* - log mu) + constant; x adds up to 1"
    return claim(left, "==", constant - s.beta * kl(d.x, d.star), why, rounding=ROUNDING)


@edges.step("The constant is the penalty of the equilibrium", uses=[even, paid_for_ratios])
def constant_is_penalty(s: paper.Setting) -> Claim:
    """Beta log E_mu exp(S pi* / beta) = -g(pi*)."""
    d = draw(s)
    left = s.beta * log_mean_exp(d.ref, values(s, d.star) / s.beta)
    return claim(left, "==", -penalty(s, d.star), "the previous step at x = pi*, where both terms vanish")


@edges.step("Conclusion: the edge over pi* is -beta KL(x || pi*)", uses=[paid_for_ratios, constant_is_penalty])
def edge_over_equilibrium(s: paper.Setting) -> Claim:
    """P_beta(x > pi*) - 1/2 = -beta KL(x || pi*)."""
    d = draw(s)
    right = -s.beta * kl(d.x, d.star)
    return claim(edge(s, d.x, d.star), "==", right, "add g(pi*) to both sides", rounding=ROUNDING)


@edges.step("Edges against x and against pi* differ by a bilinear term", uses=[even])
def detour(s: paper.Setting) -> Claim:
    """Edge of u over x = edge of u over pi* - edge of x over pi* + <u - pi*, S (x - pi*)>."""
    d = draw(s)
    right = edge(s, d.u, d.star) - edge(s, d.x, d.star) + pay_apart(s, d.u, d.star, d.x, d.star)
    why = "penalties cancel; expand the product with <pi*, S x> = -<x, S pi*> and <pi*, S pi*> = 0"
    return claim(edge(s, d.u, d.x), "==", right, why, rounding=ROUNDING)


@edges.step("Conclusion: the edge of u over x", uses=[edge_over_equilibrium, detour])
def edge_of_any(s: paper.Setting) -> Claim:
    """P_beta(u > x) - 1/2 = beta KL(x || *) - beta KL(u || *) + <u - *, S (x - *)>."""
    d = draw(s)
    right = s.beta * (kl(d.x, d.star) - kl(d.u, d.star)) + pay_apart(s, d.u, d.star, d.x, d.star)
    return claim(edge(s, d.u, d.x), "==", right, "insert both edges over pi*", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

best_responses = Proof(of=[paper.EXPLOITABILITY_IS_KL], settings=paper.grid)


@best_responses.step("Gibbs: a penalised payoff misses its optimum by the divergence from the softmax")
def gibbs(s: paper.Setting) -> Claim:
    """<u, v> - beta KL(u || mu) = beta log E_mu exp(v / beta) - beta KL(u || BR(x)), v = S x."""
    d = draw(s)
    left = pay(s, d.u, d.x) - penalty(s, d.u)
    right = s.beta * (log_mean_exp(d.ref, values(s, d.x) / s.beta) - kl(d.u, response(s, d.x)))
    why = "log BR(x) = log mu + v / beta - log E_mu exp(v / beta)"
    return claim(left, "==", right, why, rounding=ROUNDING)


@best_responses.step("Donsker-Varadhan: no policy gets beyond beta log E_mu exp(v / beta)", uses=[gibbs])
def no_policy_beyond(s: paper.Setting) -> Claim:
    """<u, v> - beta KL(u || mu) <= beta log E_mu exp(v / beta), every u against every v = S x."""
    d = draw(s)
    left = np.exp(d.u) @ values(s, d.x).T - penalty(s, d.u)[:, None]
    right = s.beta * log_mean_exp(d.ref, values(s, d.x) / s.beta)
    return claim(left, "<=", right, "divergences are not negative", rounding=ROUNDING)


@best_responses.step("The softmax gets there", uses=[gibbs])
def attained(s: paper.Setting) -> Claim:
    """The penalised payoff of BR(x) is beta log E_mu exp(v / beta); hence E(x) in closed form."""
    d = draw(s)
    best = response(s, d.x)
    right = exploitability(s, d.x)
    return claim(edge(s, best, d.x), "==", right, "KL(BR(x) || BR(x)) = 0; add g(x)", rounding=ROUNDING)


@best_responses.step("A policy has no edge over itself")
def no_edge_over_itself(s: paper.Setting) -> Claim:
    """<x, S x> - g(x) + g(x) = 0."""
    d = draw(s)
    return claim(edge(s, d.x, d.x), "==", 0.0, "S is skew; penalties cancel", rounding=ROUNDING)


@best_responses.step("Conclusion: E(x) = beta KL(x || BR(x))", uses=[gibbs, attained, no_edge_over_itself])
def exploitability_is_divergence(s: paper.Setting) -> Claim:
    """g(x) + beta log E_mu exp(S x / beta) = beta KL(x || BR(x))."""
    d = draw(s)
    right = s.beta * kl(d.x, response(s, d.x))
    return claim(exploitability(s, d.x), "==", right, "Gibbs at u = x", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

log_ratios = Proof(
    of=[paper.KL_BY_SPAN, paper.L1_BY_SPAN, paper.EXPLOITABILITY_BY_SPAN, paper.RESPONSE_CONTRACTS],
    settings=paper.grid,
)


@log_ratios.step("Popoviciu: under no tilt is the variance of z = log(x / u) above span(z)^2 / 4")
def variance(s: paper.Setting) -> Claim:
    """Variance of z under x exp(-t z), normalised, which is x at t = 0 and u at t = 1."""
    d = draw(s)
    z = d.x - d.u
    tilted = np.exp([normalise(d.x - t * z) for t in np.linspace(0, 1, 9)])
    left = dot(tilted, (z - dot(tilted, z)[..., None]) ** 2)
    why = "the middle of the range is at most span / 2 away"
    return claim(left, "<=", span(z) ** 2 / 4, why, rounding=ROUNDING)


@log_ratios.step("Hoeffding's lemma: log E_x exp(E z - z) <= span(z)^2 / 8", uses=[variance])
def hoeffding(s: paper.Setting) -> Claim:
    """The cumulant function starts at 0 with slope 0; its second derivative is a variance."""
    d = draw(s)
    z = d.x - d.u
    why = "integrate the bound on the variance twice over t in [0, 1]"
    return claim(cumulant(d.x, -z), "<=", span(z) ** 2 / 8, why, rounding=ROUNDING)


@log_ratios.step("The divergence is that very cumulant")
def divergence_is_cumulant(s: paper.Setting) -> Claim:
    """KL(x || u) = log E_x exp(E z - z)."""
    d = draw(s)
    why = "E_x exp(-z) = sum u = 1 and E_x z = KL(x || u)"
    return claim(kl(d.x, d.u), "==", cumulant(d.x, d.u - d.x), why, rounding=ROUNDING)


@log_ratios.step("Conclusion: KL(x || u) <= span(log x - log u)^2 / 8", uses=[hoeffding, divergence_is_cumulant])
def divergence_by_span(s: paper.Setting) -> Claim:
    """Divergence by the span of the log-ratio."""
    d = draw(s)
    right = span(d.x - d.u) ** 2 / 8
    return claim(kl(d.x, d.u), "<=", right, "the divergence is a cumulant", rounding=ROUNDING)


def on_and_off(log_x, log_u):
    """Logs of x(A), u(A), 1 - x(A), 1 - u(A), for the event A = {x > u}."""
    event = log_x > log_u
    return [
        np.logaddexp.reduce(np.where(where, log_p, -np.inf), axis=-1)
        for where in (event, ~event)
        for log_p in (log_x, log_u)
    ]


def log_odds_ratio(log_x, log_u):
    """Difference of the log-odds of A under x and u."""
    x_on, u_on, x_off, u_off = on_and_off(log_x, log_u)
    return (x_on - x_off) - (u_on - u_off)


@log_ratios.step("The distance is that of two points: A = {x > u} and its complement")
def two_points(s: paper.Setting) -> Claim:
    """||x - u||_1 = 2 (x(A) - u(A))."""
    d = draw(s)
    x_on, u_on, _, _ = on_and_off(d.x, d.u)
    right = 2 * (np.exp(x_on) - np.exp(u_on))
    return claim(norm(d.x, d.u), "==", right, "x - u adds up to 0 and is positive on A only")


@log_ratios.step("The log-odds of A differ by at most the span of the log-ratio")
def odds_by_span(s: paper.Setting) -> Claim:
    """Log x(A)/u(A) + log (1-u(A))/(1-x(A)) <= max z - min z."""
    d = draw(s)
    why = "x(A) / u(A) averages exp(z) over A, the other ratio exp(-z) over the complement"
    return claim(log_odds_ratio(d.x, d.u), "<=", span(d.x - d.u), why, rounding=ROUNDING)


@log_ratios.step("Two probabilities with log-odds D apart are farthest apart where the log-odds are -D/2 and D/2")
def balanced_odds(s: paper.Setting) -> Claim:
    """x(A) - u(A) = sinh(D/2) / (cosh m + cosh(D/2)) <= tanh(D/4), m the mean of the log-odds."""
    d = draw(s)
    x_on, u_on, _, _ = on_and_off(d.x, d.u)
    right = np.tanh(log_odds_ratio(d.x, d.u) / 4)
    why = "cosh m >= 1; sinh 2a = (1 + cosh 2a) tanh a"
    return claim(np.exp(x_on) - np.exp(u_on), "<=", right, why, rounding=ROUNDING)


@log_ratios.step(
    "Conclusion: ||x - u||_1 <= 2 tanh(span(log x - log u) / 4)", uses=[two_points, odds_by_span, balanced_odds]
)
def distance_by_span(s: paper.Setting) -> Claim:
    """Distance by the span of the log-ratio."""
    d = draw(s)
    right = 2 * np.tanh(span(d.x - d.u) / 4)
    return claim(norm(d.x, d.u), "<=", right, "tanh increases", rounding=ROUNDING)


@log_ratios.step("Conclusion: E(x) <= beta span(log x - log BR(x))^2 / 8", uses=[divergence_by_span])
def exploitability_by_span(s: paper.Setting) -> Claim:
    """Exploitability by the residual of the fixed point."""
    d = draw(s)
    right = s.beta * span(d.x - response(s, d.x)) ** 2 / 8
    why = "E(x) = beta KL(x || BR(x)), by Gibbs"
    return claim(exploitability(s, d.x), "<=", right, why, rounding=ROUNDING)


@log_ratios.step("span(S d) <= ||d||_1 where d adds up to 0")
def span_of_payoffs(s: paper.Setting) -> Claim:
    """At d = x - u."""
    d = draw(s)
    left = span(values(s, d.x) - values(s, d.u))
    return claim(left, "<=", norm(d.x, d.u), "rows of S differ by 1 at most, and <1, d> = 0")


@log_ratios.step("The log-ratio of two responses is S (x - u) / beta, up to a constant")
def ratio_of_responses(s: paper.Setting) -> Claim:
    """Log BR(x) - log BR(u) - S (x - u) / beta = c."""
    d = draw(s)
    residual = response(s, d.x) - response(s, d.u) - (values(s, d.x) - values(s, d.u)) / s.beta
    return claim(span(residual), "==", 0.0, "the references cancel", rounding=ROUNDING)


@log_ratios.step(
    "Conclusion: ||BR(x) - BR(u)||_1 <= ||x - u||_1 / (2 beta)",
    uses=[distance_by_span, span_of_payoffs, ratio_of_responses],
)
def responses_contract(s: paper.Setting) -> Claim:
    """Distance of the responses."""
    d = draw(s)
    left = norm(response(s, d.x), response(s, d.u))
    why = "2 tanh(a / 4) <= a / 2 at the span a <= ||x - u||_1 / beta"
    return claim(left, "<=", norm(d.x, d.u) / (2 * s.beta), why)


# --------------------------------------------------------------------------------------------------

sandwich = Proof(
    of=[paper.EXPLOITABILITY_LOWER, paper.EXPLOITABILITY_UPPER, paper.EXPLOITABILITY_BY_KL], settings=paper.grid
)


def drive(s):
    """What moves the response away from pi*, f = S (x - pi*) / beta."""
    d = draw(s)
    return (values(s, d.x) - values(s, d.star)) / s.beta


@sandwich.step("The equilibrium's edge over x is beta KL(x || pi*)")
def equilibrium_wins(s: paper.Setting) -> Claim:
    """P_beta(pi* > x) - 1/2 = beta KL(x || pi*)."""
    d = draw(s)
    why = "minus the edge of x over pi*"
    return claim(edge(s, d.star, d.x), "==", s.beta * kl(d.x, d.star), why, rounding=ROUNDING)


@sandwich.step("Conclusion: beta KL(x || pi*) <= E(x)", uses=[equilibrium_wins])
def lower(s: paper.Setting) -> Claim:
    """The equilibrium is one of the policies over which E(x) is the maximum."""
    d = draw(s)
    why = "the maximum over u is at least the edge of pi*"
    return claim(s.beta * kl(d.x, d.star), "<=", exploitability(s, d.x), why, rounding=ROUNDING)


@sandwich.step("The edge of u over x, with divergences from pi* and f = S (x - pi*) / beta")
def edge_from_equilibrium(s: paper.Setting) -> Claim:
    """P_beta(u > x) - 1/2 = beta [KL(x || *) + <u - *, f> - KL(u || *)]."""
    d = draw(s)
    right = s.beta * (kl(d.x, d.star) - kl(d.u, d.star)) + pay_apart(s, d.u, d.star, d.x, d.star)
    return claim(edge(s, d.u, d.x), "==", right, "proved above", rounding=ROUNDING)


@sandwich.step("Donsker-Varadhan, with pi* for a reference")
def no_policy_beyond_cumulant(s: paper.Setting) -> Claim:
    """<u - *, f> - KL(u || *) <= log E_* exp(f - E_* f), every u against every x."""
    d = draw(s)
    f = drive(s)
    left = (np.exp(d.u) - np.exp(d.star)) @ f.T - kl(d.u, d.star)[:, None]
    why = "the penalised payoff misses its optimum by a divergence"
    return claim(left, "<=", cumulant(d.star, f), why, rounding=ROUNDING)


@sandwich.step(
    "E(x) exceeds beta KL(x || pi*) by that cumulant", uses=[edge_from_equilibrium, no_policy_beyond_cumulant]
)
def excess_is_cumulant(s: paper.Setting) -> Claim:
    """E(x) = beta KL(x || *) + beta log E_* exp(f - E_* f)."""
    d = draw(s)
    right = s.beta * (kl(d.x, d.star) + cumulant(d.star, drive(s)))
    why = "maximise the edge over u; the maximiser ~ pi* exp(f) is BR(x)"
    return claim(exploitability(s, d.x), "==", right, why, rounding=ROUNDING)


@sandwich.step("Hoeffding's lemma bounds the cumulant by span(f)^2 / 8")
def cumulant_by_span(s: paper.Setting) -> Claim:
    """Log E_* exp(f - E_* f) <= span(f)^2 / 8."""
    f = drive(s)
    why = "second derivatives of cumulants are variances, at most span^2 / 4"
    return claim(cumulant(draw(s).star, f), "<=", span(f) ** 2 / 8, why, rounding=ROUNDING)


@sandwich.step("span(S d) <= ||d||_1 where d adds up to 0")
def span_by_distance(s: paper.Setting) -> Claim:
    """At d = x - pi*."""
    d = draw(s)
    left = span(values(s, d.x) - values(s, d.star))
    return claim(left, "<=", norm(d.x, d.star), "rows of S differ by 1 at most, and <1, d> = 0")


@sandwich.step(
    "Conclusion: E(x) <= beta KL(x || pi*) + ||x - pi*||_1^2 / (8 beta)",
    uses=[excess_is_cumulant, cumulant_by_span, span_by_distance],
)
def upper(s: paper.Setting) -> Claim:
    """Exploitability by divergence and distance."""
    d = draw(s)
    right = s.beta * kl(d.x, d.star) + norm(d.x, d.star) ** 2 / (8 * s.beta)
    return claim(exploitability(s, d.x), "<=", right, "insert span(f) <= ||x - pi*||_1 / beta", rounding=ROUNDING)


@sandwich.step("Pinsker: squared distances are at most twice the divergences")
def pinsker(s: paper.Setting) -> Claim:
    """||x - pi*||_1^2 <= 2 KL(x || pi*)."""
    d = draw(s)
    left = norm(d.x, d.star) ** 2
    return claim(left, "<=", 2 * kl(d.x, d.star), "Pinsker's inequality", rounding=ROUNDING)


@sandwich.step("Conclusion: E(x) <= (beta + 1 / (4 beta)) KL(x || pi*)", uses=[upper, pinsker])
def upper_by_divergence(s: paper.Setting) -> Claim:
    """Exploitability by divergence alone."""
    d = draw(s)
    right = (s.beta + 1 / (4 * s.beta)) * kl(d.x, d.star)
    return claim(exploitability(s, d.x), "<=", right, "insert Pinsker's inequality", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

references = Proof(
    of=[
        paper.EQUILIBRIUM_SPAN,
        paper.EQUILIBRIUM_DIVERGENCES,
        paper.EQUILIBRIUM_KL,
        paper.REGULARIZATION_BIAS,
    ],
    settings=paper.grid,
)


@references.step("A planted policy responds best to itself: it is the equilibrium for its reference")
def planted_is_fixed(s: paper.Setting) -> Claim:
    """Probabilities of pi* and of the policy proportional to mu exp(S pi* / beta)."""
    star, ref = planted(s)
    right = np.exp(normalise(ref + values(s, star) / s.beta))
    return claim(np.exp(star), "==", right, "mu ~ pi* exp(-S pi* / beta)")


@references.step("Payoffs have span 1 at most")
def payoffs_span(s: paper.Setting) -> Claim:
    """span(S pi*) <= 1."""
    star, _ = planted(s)
    return claim(span(values(s, star)), "<=", 1.0, "averages of entries, which lie in [-1/2, 1/2]")


@references.step("Conclusion: span(log pi* - log mu) <= 1 / beta", uses=[planted_is_fixed, payoffs_span])
def equilibrium_span(s: paper.Setting) -> Claim:
    """Span of the log-ratio."""
    star, ref = planted(s)
    why = "log pi* - log mu = S pi* / beta + c"
    return claim(span(star - ref), "<=", 1 / s.beta, why, rounding=ROUNDING)


@references.step("Both divergences together are a product of differences")
def symmetric_divergence(s: paper.Setting) -> Claim:
    """KL(*||mu) + KL(mu||*) = <pi* - mu, log pi* - log mu>."""
    star, ref = planted(s)
    right = dot(np.exp(star) - np.exp(ref), star - ref)
    return claim(kl(star, ref) + kl(ref, star), "==", right, "by definition", rounding=ROUNDING)


@references.step(
    "Conclusion: beta [KL(pi* || mu) + KL(mu || pi*)] = <pi*, S mu>", uses=[planted_is_fixed, symmetric_divergence]
)
def equilibrium_divergences(s: paper.Setting) -> Claim:
    """Insert the fixed point."""
    star, ref = planted(s)
    left = s.beta * (kl(star, ref) + kl(ref, star))
    why = "<pi* - mu, S pi*> = -<mu, S pi*> = <pi*, S mu>, for S is skew"
    return claim(left, "==", pay(s, star, ref), why, rounding=ROUNDING)


@references.step("No policy gains more than 1/2")
def largest_gain(s: paper.Setting) -> Claim:
    """<pi*, S mu> <= 1/2."""
    star, ref = planted(s)
    return claim(pay(s, star, ref), "<=", 0.5, "entries of S are at most 1/2")


@references.step("Conclusion: KL(pi* || mu) <= 1 / (2 beta)", uses=[equilibrium_divergences, largest_gain])
def equilibrium_divergence(s: paper.Setting) -> Claim:
    """Forward divergence alone."""
    star, ref = planted(s)
    return claim(kl(star, ref), "<=", 1 / (2 * s.beta), "KL(mu || pi*) >= 0", rounding=ROUNDING)


@references.step("The payoff of an action is its log-ratio less the penalty", uses=[planted_is_fixed])
def payoff_of_action(s: paper.Setting) -> Claim:
    """(S pi*)_a = beta log(pi*_a / mu_a) - g(pi*)."""
    star, ref = planted(s)
    right = s.beta * (star - ref - kl(star, ref)[:, None])
    why = "the fixed point, its constant from <pi*, S pi*> = 0: no action has an edge over pi* but beta log pi*_a"
    return claim(values(s, star), "==", right, why, rounding=ROUNDING)


@references.step("Conclusion: max_a (S pi*)_a <= beta log 1 / min mu", uses=[payoff_of_action])
def bias(s: paper.Setting) -> Claim:
    """Exploitability of the equilibrium in the game itself."""
    star, ref = planted(s)
    why = "log pi*_a <= 0 and g(pi*) >= 0"
    return claim(values(s, star).max(-1), "<=", -s.beta * ref.min(-1), why)


# --------------------------------------------------------------------------------------------------

proximal_map = Proof(of=[paper.PROX_GAP, paper.THREE_POINTS, paper.IMPROVEMENT], settings=paper.grid)


def objective(s, log_x, log_y, log_u):
    """F(u) = -<S y, u> + g(u) + KL(u || x) / gamma."""
    return penalty(s, log_u) + kl(log_u, log_x) / s.step - pay(s, log_u, log_y)


def prox(s, log_x, log_y):
    """Minimiser x+ of F, as logarithm."""
    return normalise((log_x / s.step + s.beta * s.log_reference + values(s, log_y)) / (1 / s.step + s.beta))


@proximal_map.step("The objective is a divergence from x+, up to a constant")
def objective_is_divergence(s: paper.Setting) -> Claim:
    """F(u) = (1/g+b) [KL(u || x+) - log Z], Z the normaliser of x+."""
    d, weight = draw(s), 1 / s.step + s.beta
    log_z = np.logaddexp.reduce((d.x / s.step + s.beta * d.ref + values(s, d.y)) / weight, axis=-1)
    right = weight * (kl(d.u, prox(s, d.x, d.y)) - log_z)
    why = "(1/g+b) (log x+ + log Z) = log x / g + b log mu + S y; u adds up to 1"
    return claim(objective(s, d.x, d.y, d.u), "==", right, why, rounding=ROUNDING)


@proximal_map.step("Conclusion: F(u) - F(x+) = (1/gamma + beta) KL(u || x+)", uses=[objective_is_divergence])
def gap(s: paper.Setting) -> Claim:
    """What u misses of the optimum; in particular x+ is the minimiser."""
    d = draw(s)
    best = prox(s, d.x, d.y)
    left = objective(s, d.x, d.y, d.u) - objective(s, d.x, d.y, best)
    right = (1 / s.step + s.beta) * kl(d.u, best)
    return claim(left, "==", right, "the constant cancels", rounding=ROUNDING)


@proximal_map.step("Conclusion: three-point identity", uses=[gap])
def three_points(s: paper.Setting) -> Claim:
    """-<v, x+ - u> + g(x+) - g(u) = [KL(u||x) - KL(x+||x)]/g - (1/g+b) KL(u||x+)."""
    d = draw(s)
    best = prox(s, d.x, d.y)
    left = penalty(s, best) - penalty(s, d.u) - (pay(s, best, d.y) - pay(s, d.u, d.y))
    right = (kl(d.u, d.x) - kl(best, d.x)) / s.step - (1 / s.step + s.beta) * kl(d.u, best)
    return claim(left, "==", right, "write out F and move the divergences from x", rounding=ROUNDING)


@proximal_map.step("Against v = S x, what x+ loses to x is minus its edge over x")
def loss_is_edge(s: paper.Setting) -> Claim:
    """-<S x, x+ - x> + g(x+) - g(x) = -(edge of x+ over x)."""
    d = draw(s)
    best = prox(s, d.x, d.x)
    left = penalty(s, best) - penalty(s, d.x) - (pay(s, best, d.x) - pay(s, d.x, d.x))
    return claim(left, "==", -edge(s, best, d.x), "<x, S x> = 0", rounding=ROUNDING)


@proximal_map.step("Conclusion: x+ beats x by both divergences", uses=[three_points, loss_is_edge])
def improvement(s: paper.Setting) -> Claim:
    """P_beta(x+ > x) - 1/2 = KL(x+||x)/g + (1/g+b) KL(x||x+)."""
    d = draw(s)
    best = prox(s, d.x, d.x)
    right = kl(best, d.x) / s.step + (1 / s.step + s.beta) * kl(d.x, best)
    return claim(edge(s, best, d.x), "==", right, "the three-point identity at u = x", rounding=ROUNDING)
