r"""Proof that Nash mirror prox converges geometrically.

Notation. :math:`S = P - 1/2`; :math:`g(\pi) = \beta\,\mathrm{KL}(\pi \| \mu)`; :math:`x_k = \pi_k`,
:math:`h_k = \pi_{k+1/2}`; :math:`K_k = \mathrm{KL}(\pi^* \| x_k)`; :math:`q = 1/(1 + \gamma \beta)`. Everything is
recomputed here with plain NumPy, from the definitions, at every iteration.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.theorems.games import tiapkin2025 as paper
from rltheory.theory import Claim, Proof, claim

# Sums of terms as large as the log-probabilities, up to 600 in these settings, keep absolute errors below this.
ROUNDING = 1e-12


class Play(NamedTuple):
    """One run, row k being iteration k; logs of x_k, h_k and x_{k+1}, and of the equilibrium and the reference."""

    x: np.ndarray
    h: np.ndarray
    y: np.ndarray  # x_{k+1}
    star: np.ndarray
    ref: np.ndarray


@cache
def play(s: paper.Setting) -> Play:
    """Iterate the two lines of the algorithm until the divergence is lost in rounding."""
    payoff, ref = s.game.prefer - 0.5, s.log_reference
    x = ref if s.start is None else np.log(s.start) - np.log(np.sum(s.start))
    rows = []
    for _ in range(min(s.iterations, math.ceil(40 / math.log1p(s.step * s.beta)))):
        h = log_prox(s, x, payoff @ np.exp(x))
        y = log_prox(s, x, payoff @ np.exp(h))
        rows.append((x, h, y))
        x = y
    xs, hs, ys = (np.array(column) for column in zip(*rows, strict=True))
    return Play(xs, hs, ys, s.log_equilibrium, ref)


def log_prox(s, log_x, values):
    """Minimiser of -<v, pi> + beta KL(pi || mu) + KL(pi || x) / gamma, as logarithm."""
    q = 1 / (1 + s.step * s.beta)
    z = q * log_x + (1 - q) * s.log_reference + q * s.step * values
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


def pay(s, log_p, log_q, log_u, log_w):
    """<S (p - q), u - w>."""
    return ((np.exp(log_u) - np.exp(log_w)) * ((np.exp(log_p) - np.exp(log_q)) @ (s.game.prefer - 0.5).T)).sum(-1)


def regret(s, log_v, log_x, log_u):
    """-<S v, x - u> + g(x) - g(u): what x loses to u against the opponent v."""
    gain = ((np.exp(log_x) - np.exp(log_u)) * (np.exp(log_v) @ (s.game.prefer - 0.5).T)).sum(-1)
    return s.beta * (kl(log_x, s.log_reference) - kl(log_u, s.log_reference)) - gain


def exploitability(s, log_pi):
    """max_u P_beta(u > pi) - 1/2, at the maximiser in closed form."""
    z = s.log_reference + np.exp(log_pi) @ (s.game.prefer - 0.5).T / s.beta
    return s.beta * kl(log_pi, s.log_reference) + s.beta * np.logaddexp.reduce(z, axis=-1)


# --------------------------------------------------------------------------------------------------

descent = Proof(
    of=[paper.ONE_STEP, paper.KL_ONE_STEP, paper.KL, paper.KL_LARGEST_STEP, paper.HALF_BACKWARD], settings=paper.grid
)


@descent.step("The equilibrium is the fixed point log pi* = log mu + S pi* / beta + c")
def fixed_point(s: paper.Setting) -> Claim:
    """Residual of the fixed point."""
    p = play(s)
    residual = p.star - p.ref - (s.game.prefer - 0.5) @ np.exp(p.star) / s.beta
    return claim(span(residual), "==", 0.0, "both players respond best to each other", rounding=ROUNDING / s.beta)


@descent.step("Full step: three-point identity at u = pi*, v = S h")
def full_step(s: paper.Setting) -> Claim:
    """Both sides of the identity."""
    p, g = play(s), s.step
    right = (kl(p.star, p.x) - kl(p.y, p.x)) / g - (1 / g + s.beta) * kl(p.star, p.y)
    why = "x_{k+1} minimises a sum of KL terms, whose Bregman gap is KL itself"
    return claim(regret(s, p.h, p.y, p.star), "==", right, why, rounding=ROUNDING)


@descent.step("Half step: three-point identity at u = x_{k+1}, v = S x_k")
def half_step(s: paper.Setting) -> Claim:
    """Both sides of the identity."""
    p, g = play(s), s.step
    right = (kl(p.y, p.x) - kl(p.h, p.x)) / g - (1 / g + s.beta) * kl(p.y, p.h)
    return claim(regret(s, p.x, p.h, p.y), "==", right, "h minimises a sum of KL terms as well", rounding=ROUNDING)


@descent.step("Against h, the equilibrium gains beta KL(h || pi*)")
def edge_over_half(s: paper.Setting) -> Claim:
    """-<S h, h - pi*> + g(h) - g(pi*) = beta KL(h || pi*)."""
    p = play(s)
    why = "insert log pi* = log mu + S pi* / beta + c; <S h, h> = <S pi*, pi*> = 0"
    return claim(regret(s, p.h, p.h, p.star), "==", s.beta * kl(p.h, p.star), why, rounding=ROUNDING)


@descent.step("Regrets against different opponents differ by a bilinear term")
def regrets_add(s: paper.Setting) -> Claim:
    """Split the regret of x_{k+1} at h."""
    p = play(s)
    left = regret(s, p.h, p.y, p.star) + regret(s, p.x, p.h, p.y)
    right = regret(s, p.h, p.h, p.star) - pay(s, p.x, p.h, p.h, p.y)
    return claim(left, "==", right, "penalties telescope: y - u, h - y and h - u", rounding=ROUNDING)


@descent.step("Identity of one iteration", uses=[full_step, half_step, edge_over_half, regrets_add])
def iteration_identity(s: paper.Setting) -> Claim:
    """(1/g+b)[K_{k+1} + KL(y||h)] + b KL(h||*) + KL(h||x)/g = K_k/g - <S(x-h), y-h>."""
    p, g, b = play(s), s.step, s.beta
    left = (1 / g + b) * (kl(p.star, p.y) + kl(p.y, p.h)) + b * kl(p.h, p.star) + kl(p.h, p.x) / g
    right = kl(p.star, p.x) / g - pay(s, p.x, p.h, p.y, p.h)
    return claim(left, "==", right, "add the two three-point identities", rounding=ROUNDING)


@descent.step("Hoelder: the cross term is at most half the product of the distances")
def cross_term(s: paper.Setting) -> Claim:
    """|<S d, d'>| <= ||d||_1 ||d'||_1 / 2."""
    p = play(s)
    right = norm(p.x, p.h) * norm(p.y, p.h) / 2
    return claim(np.abs(pay(s, p.x, p.h, p.y, p.h)), "<=", right, "entries of S are at most 1/2")


@descent.step("Pinsker: squared distances are at most twice the divergences")
def pinsker(s: paper.Setting) -> Claim:
    """||x-h||^2 <= 2 KL(h||x) and ||y-h||^2 <= 2 KL(y||h)."""
    p = play(s)
    left = np.stack([norm(p.x, p.h), norm(p.y, p.h)]) ** 2
    right = 2 * np.stack([kl(p.h, p.x), kl(p.y, p.h)])
    return claim(left, "<=", right, "Pinsker's inequality", rounding=ROUNDING)


@descent.step("Young: the cross term is absorbed by the two divergences", uses=[cross_term, pinsker])
def young(s: paper.Setting) -> Claim:
    """|<S(x-h), y-h>| <= (a/2) KL(h||x) + KL(y||h)/(2a), a = gamma q / 2."""
    p, g = play(s), s.step
    a = g / (1 + g * s.beta) / 2
    right = a / 2 * kl(p.h, p.x) + kl(p.y, p.h) / (2 * a)
    why = "sqrt(uv) <= (a/2) u + v / (2a)"
    return claim(np.abs(pay(s, p.x, p.h, p.y, p.h)), "<=", right, why, rounding=ROUNDING)


@descent.step("That choice of a absorbs KL(x_{k+1} || h) exactly")
def exact_absorption(s: paper.Setting) -> Claim:
    """1 / (2a) = 1/gamma + beta."""
    q = 1 / (1 + s.step * s.beta)
    return claim(1 / (s.step * q), "==", 1 / s.step + s.beta, "1 / q = 1 + gamma beta")


@descent.step("The coefficient of KL(h || x_k) is not negative for admissible steps")
def coefficient(s: paper.Setting) -> Claim:
    """Gamma q / 4 <= 1 / gamma iff gamma^2 <= 4 (1 + gamma beta) iff gamma <= 2 beta + 2 sqrt(1 + beta^2)."""
    q = 1 / (1 + s.step * s.beta)
    return claim(s.step * q / 4, "<=", 1 / s.step, "solve the quadratic equation")


@descent.step("Conclusion: one-step descent", uses=[iteration_identity, young, exact_absorption, coefficient])
def one_step_descent(s: paper.Setting) -> Claim:
    """(1/g+b) K_{k+1} + b KL(h||*) + (1/g - gq/4) KL(h||x) <= K_k / g."""
    p, g, b = play(s), s.step, s.beta
    left = (1 / g + b) * kl(p.star, p.y) + b * kl(p.h, p.star)
    left = left + (1 / g - g / (1 + g * b) / 4) * kl(p.h, p.x)
    return claim(left, "<=", kl(p.star, p.x) / g, "insert Young's inequality in the identity", rounding=ROUNDING)


@descent.step("Conclusion: the divergence shrinks by 1 / (1 + gamma beta)", uses=[one_step_descent])
def shrinks(s: paper.Setting) -> Claim:
    """K_{k+1} <= q K_k."""
    p = play(s)
    right = kl(p.star, p.x) / (1 + s.step * s.beta)
    return claim(kl(p.star, p.y), "<=", right, "drop two terms that are not negative", rounding=ROUNDING)


@descent.step("Conclusion: geometric rate", uses=[shrinks])
def geometric(s: paper.Setting) -> Claim:
    """K_{k+1} <= q^(k+1) K_0."""
    p = play(s)
    k = np.arange(1, len(p.x) + 1)
    right = (1 + s.step * s.beta) ** -k.astype(float) * kl(p.star, p.x[0])
    return claim(kl(p.star, p.y), "<=", right, "induction", rounding=ROUNDING)


@descent.step("Conclusion: beta KL(h || pi*) <= K_k / gamma", uses=[one_step_descent])
def half_is_close_reversed(s: paper.Setting) -> Claim:
    """Reverse divergence of the half iterate."""
    p = play(s)
    why = "drop the other terms of the one-step descent"
    return claim(s.beta * kl(p.h, p.star), "<=", kl(p.star, p.x) / s.step, why, rounding=ROUNDING)


@descent.step("At the largest step the factor is (sqrt(1 + beta^2) - beta)^2 = exp(-2 asinh(beta))")
def best_factor(s: paper.Setting) -> Claim:
    """1 / (1 + gamma beta) at gamma = 2 beta + 2 sqrt(1 + beta^2)."""
    b = s.beta
    root = math.sqrt(1 + b**2)
    factors = [(root - b) ** 2, math.exp(-2 * math.asinh(b))]
    return claim(1 / (1 + b * (2 * b + 2 * root)), "==", factors, "1 + 2b^2 + 2b root = (root + b)^2")


# --------------------------------------------------------------------------------------------------

from_reference = Proof(of=[paper.KL_FROM_REFERENCE], settings=paper.grid_step_2_from_reference)


@from_reference.step("The equilibrium gains half at most, and pays for both divergences")
def initial_gain(s: paper.Setting) -> Claim:
    """Beta [KL(*||mu) + KL(mu||*)] = <pi*, S mu>."""
    p = play(s)
    left = s.beta * (kl(p.star, p.ref) + kl(p.ref, p.star))
    right = np.exp(p.star) @ (s.game.prefer - 0.5) @ np.exp(p.ref)
    return claim(left, "==", right, "insert log pi* = log mu + S pi* / beta + c twice", rounding=ROUNDING)


@from_reference.step("So the initial divergence is at most 1 / (2 beta)", uses=[initial_gain])
def initial_divergence(s: paper.Setting) -> Claim:
    """KL(*||mu) <= 1 / (2 beta)."""
    p = play(s)
    return claim(kl(p.star, p.ref), "<=", 1 / (2 * s.beta), "entries of S are at most 1/2; KL >= 0")


@from_reference.step("Conclusion: rate without any unknown", uses=[initial_divergence])
def rate_from_reference(s: paper.Setting) -> Claim:
    """K_k <= (1 + 2 beta)^-k / (2 beta)."""
    p = play(s)
    right = (1 + 2 * s.beta) ** -np.arange(len(p.x), dtype=float) / (2 * s.beta)
    return claim(kl(p.star, p.x), "<=", right, "the geometric rate from K_0 <= 1 / (2 beta)", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

half_iterate = Proof(of=[paper.HALF_FORWARD], settings=paper.grid_up_to_step_2)


@half_iterate.step("Half step: three-point identity at u = pi*, v = S x_k")
def half_step_to_star(s: paper.Setting) -> Claim:
    """(1/g+b) KL(*||h) + b KL(h||*) + KL(h||x)/g = K_k/g - <S(*-x), h-*>."""
    p, g, b = play(s), s.step, s.beta
    left = (1 / g + b) * kl(p.star, p.h) + b * kl(p.h, p.star) + kl(p.h, p.x) / g
    right = kl(p.star, p.x) / g - pay(s, p.star, p.x, p.h, p.star)
    why = "the fixed point turns the regret at pi* into beta KL(h || pi*)"
    return claim(left, "==", right, why, rounding=ROUNDING)


@half_iterate.step("The cross term by Pinsker and Young with a = 1 + sqrt 2")
def cross_to_star(s: paper.Setting) -> Claim:
    """|<S(*-x), h-*>| <= (a/2) K_k + KL(*||h)/(2a)."""
    p, a = play(s), 1 + math.sqrt(2)
    right = a / 2 * kl(p.star, p.x) + kl(p.star, p.h) / (2 * a)
    left = np.abs(pay(s, p.star, p.x, p.h, p.star))
    return claim(left, "<=", right, "as in the one-step descent", rounding=ROUNDING)


@half_iterate.step("The constant (1 + gamma a / 2) / (1 - gamma / (2a)) grows with gamma, to 3 + 2 sqrt 2 at gamma = 2")
def half_constant(s: paper.Setting) -> Claim:
    """Constant at the setting's step."""
    a = 1 + math.sqrt(2)
    return claim(
        (1 + s.step * a / 2) / (1 - s.step / (2 * a)),
        "<=",
        3 + 2 * math.sqrt(2),
        "a (a+1) / (a-1) at gamma = 2",
    )


@half_iterate.step(
    "Conclusion: KL(pi* || h) <= (3 + 2 sqrt 2) K_k", uses=[half_step_to_star, cross_to_star, half_constant]
)
def half_is_close(s: paper.Setting) -> Claim:
    """Forward divergence of the half iterate."""
    p = play(s)
    right = (3 + 2 * math.sqrt(2)) * kl(p.star, p.x)
    return claim(kl(p.star, p.h), "<=", right, "drop terms that are not negative; solve", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

exploitation = Proof(of=[paper.EXPLOITABILITY_HALF, paper.EXPLOITABILITY_STEP], settings=paper.grid_step_2)


@exploitation.step("Exploitability is at most beta KL(pi || pi*) + ||pi - pi*||^2 / (8 beta)")
def exploitability_bound(s: paper.Setting) -> Claim:
    """At the half iterates and the iterates."""
    p = play(s)
    policies = np.stack([p.h, p.y])
    right = s.beta * kl(policies, p.star) + norm(policies, p.star) ** 2 / (8 * s.beta)
    why = "maximise the edge over u: Hoeffding's lemma with span(S d) <= ||d||_1"
    return claim(exploitability(s, policies), "<=", right, why, rounding=ROUNDING)


@exploitation.step("Conclusion for the half iterate: insert KL(h || pi*) and KL(pi* || h)", uses=[exploitability_bound])
def half_exploitability(s: paper.Setting) -> Claim:
    """E(h) <= (1/2 + (3 + 2 sqrt 2) / (4 beta)) K_k."""
    p = play(s)
    right = (1 / 2 + (3 + 2 * math.sqrt(2)) / (4 * s.beta)) * kl(p.star, p.x)
    why = "gamma = 2; Pinsker's inequality; both bounds of the half iterate"
    return claim(exploitability(s, p.h), "<=", right, why, rounding=ROUNDING)


@exploitation.step("Full step: the reverse divergence of x_{k+1}")
def reverse_divergence(s: paper.Setting) -> Claim:
    """Beta KL(y||*) <= K_k / gamma + sqrt(KL(*||h) K_{k+1})."""
    p = play(s)
    right = kl(p.star, p.x) / s.step + np.sqrt(np.maximum(kl(p.star, p.h) * kl(p.star, p.y), 0))
    why = "three-point identity; <S(h - pi*), x_{k+1} - pi*> by Hoelder and Pinsker"
    return claim(s.beta * kl(p.y, p.star), "<=", right, why, rounding=ROUNDING)


@exploitation.step(
    "Conclusion for the iterate: E(x_{k+1}) <= (3/2 + sqrt 2) K_k + K_{k+1} / (4 beta)",
    uses=[exploitability_bound, reverse_divergence],
)
def step_exploitability(s: paper.Setting) -> Claim:
    """With KL(*||h) <= (1 + sqrt 2)^2 K_k and K_{k+1} <= K_k."""
    p = play(s)
    right = (3 / 2 + math.sqrt(2)) * kl(p.star, p.x) + kl(p.star, p.y) / (4 * s.beta)
    return claim(exploitability(s, p.y), "<=", right, "1/2 + (1 + sqrt 2) = 3/2 + sqrt 2", rounding=ROUNDING)


exploitation_from_reference = Proof(of=[paper.EXPLOITABILITY_FROM_REFERENCE], settings=paper.grid_step_2_from_reference)


@exploitation_from_reference.step("Conclusion from the reference: both divergences by the rate; 3/2 + sqrt 2 <= 3")
def exploitability_from_reference(s: paper.Setting) -> Claim:
    """E(x_{k+1}) <= (3 + 1/(4 beta)) (1 + 2 beta)^-k / (2 beta)."""
    p, b = play(s), s.beta
    right = (3 + 1 / (4 * b)) * (1 + 2 * b) ** -np.arange(len(p.x), dtype=float) / (2 * b)
    return claim(exploitability(s, p.y), "<=", right, "K_{k+1} <= K_k <= (1 + 2 beta)^-k / (2 beta)", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

log_probabilities = Proof(of=[paper.SPAN_ONE_STEP, paper.SPAN], settings=paper.grid_up_to_step_2)


@log_probabilities.step("The difference of logarithms contracts by q and is driven by S (h - pi*)")
def log_difference(s: paper.Setting) -> Claim:
    """Log y - log * = q (log x - log *) + q gamma S (h - *) + c."""
    p, q = play(s), 1 / (1 + s.step * s.beta)
    driven = s.step * (np.exp(p.h) - np.exp(p.star)) @ (s.game.prefer - 0.5).T
    residual = p.y - p.star - q * (p.x - p.star) - q * driven
    why = "the fixed point satisfies the same recursion, since (1 - q) / beta = q gamma"
    return claim(span(residual), "==", 0.0, why, rounding=ROUNDING / s.beta)


@log_probabilities.step("span(S d) <= ||d||_1 where d adds up to 0")
def span_of_payoffs(s: paper.Setting) -> Claim:
    """At d = h - pi*."""
    p = play(s)
    left = span((np.exp(p.h) - np.exp(p.star)) @ (s.game.prefer - 0.5).T)
    return claim(left, "<=", norm(p.h, p.star), "rows of S differ by 1 at most, and <1, d> = 0")


@log_probabilities.step("Conclusion: one step", uses=[log_difference, span_of_payoffs])
def span_one_step(s: paper.Setting) -> Claim:
    """s_{k+1} <= q (s_k + gamma ||h - *||)."""
    p, q = play(s), 1 / (1 + s.step * s.beta)
    right = q * (span(p.x - p.star) + s.step * norm(p.h, p.star))
    return claim(span(p.y - p.star), "<=", right, "the span is a semi-norm", rounding=ROUNDING / s.beta)


@log_probabilities.step("The half iterate's distance decays with half the exponent")
def half_distance(s: paper.Setting) -> Claim:
    """||h_k - *|| <= sqrt 2 (1 + sqrt 2) sqrt(K_0) q^(k/2)."""
    p, q = play(s), 1 / (1 + s.step * s.beta)
    right = math.sqrt(2) * (1 + math.sqrt(2)) * np.sqrt(kl(p.star, p.x[0])) * q ** (np.arange(len(p.x)) / 2)
    return claim(
        norm(p.h, p.star),
        "<=",
        right,
        "Pinsker, the half iterate's bound, the geometric rate",
        rounding=ROUNDING,
    )


@log_probabilities.step("The geometric sum")
def geometric_sum(s: paper.Setting) -> Claim:
    """Sum over j < k of q^(k-j) q^(j/2) <= q^(k/2) / (sqrt(1 + gamma beta) - 1)."""
    q, k = 1 / (1 + s.step * s.beta), np.arange(1, 200)
    sums = [(q ** (n - np.arange(n)) * q ** (np.arange(n) / 2)).sum() for n in k]
    return claim(sums, "<=", q ** (k / 2) / (math.sqrt(1 + s.step * s.beta) - 1), "sum over i >= 1 of q^(i/2)")


@log_probabilities.step("Conclusion: summed", uses=[span_one_step, half_distance, geometric_sum])
def span_summed(s: paper.Setting) -> Claim:
    """s_k <= q^k s_0 + gamma sqrt 2 (1 + sqrt 2) sqrt(K_0) q^(k/2) / (sqrt(1 + gamma beta) - 1)."""
    p, q, k = play(s), 1 / (1 + s.step * s.beta), np.arange(len(play(s).x))
    constant = s.step * math.sqrt(2) * (1 + math.sqrt(2)) / (math.sqrt(1 + s.step * s.beta) - 1)
    right = q**k * span(p.x[0] - p.star) + constant * np.sqrt(kl(p.star, p.x[0])) * q ** (k / 2)
    return claim(span(p.x - p.star), "<=", right, "unroll the one-step inequality", rounding=ROUNDING / s.beta)
