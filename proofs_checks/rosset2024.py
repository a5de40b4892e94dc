r"""Proofs for direct Nash optimisation.

Notation. :math:`S = P - 1/2`; x is a policy, :math:`r = S x` the win rates against it,
:math:`x_+ \propto x e^{r / \eta}` its exact update; :math:`\sigma(t) = 1 / (1 + e^{-t})`;
:math:`\mathcal{E}_0(x) = \max_a (S x)_a`. Everything is recomputed here with plain NumPy, from the definitions; only
regressions are left to SciPy.
"""

import math
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from rltheory.simulation import stream
from rltheory.theorems.games import rosset2024 as paper
from rltheory.theorems.games import rosset2024_sampled as sampled
from rltheory.theory import Claim, Proof, claim

DRAWS = 40

# Logarithms reach some hundreds, and their squares 1e5: sums of them, weighted by probabilities, err by less than this.
ROUNDING = 1e-10
# Where a search for a maximum stops, the loss is within 1e-15 of it, and the scores within 1e-7.
SEARCH = 1e-6


def normalise(z):
    """Logarithm of the policy proportional to exp(z)."""
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def start(s):
    """Logarithm of the first policy."""
    return np.full(s.game.n, -math.log(s.game.n)) if s.start is None else np.log(s.start)


def scatter(rng, centre, widest=1.5):
    """Log-policies whose logits are `centre` plus normals of widths from 1e-3 to 10^widest."""
    widths = 10 ** rng.uniform(-3, widest, (DRAWS, 1))
    return normalise(centre + widths * rng.standard_normal((DRAWS, centre.size)))


@cache
def policies(s):
    """Log-policies around the first one, for what holds of any policy."""
    return scatter(stream(0, "proofs for direct Nash optimisation", "x", s), start(s))


@cache
def candidates(s):
    """Others, around the exact updates of those."""
    rng = stream(0, "proofs for direct Nash optimisation", "candidates", s)
    return np.concatenate([scatter(rng, centre)[:1] for centre in update(s, policies(s))])


def rates(s, log_x):
    """R = S x."""
    return np.exp(log_x) @ (s.game.prefer - 0.5).T


def update(s, log_x):
    """Logarithm of x_+."""
    return normalise(log_x + rates(s, log_x) / s.inverse_rate)


def mean(log_p, numbers):
    """E_p of numbers."""
    return (np.exp(log_p) * numbers).sum(-1)


def kl(log_p, log_q):
    """KL(p || q)."""
    return mean(log_p, log_p - log_q)


def variation(log_p, log_q):
    """TV(p, q)."""
    return np.abs(np.exp(log_p) - np.exp(log_q)).sum(-1) / 2


def log_mean_exp(log_p, z):
    """Log E_p exp(z)."""
    return np.logaddexp.reduce(log_p + z, axis=-1)


def apart(z):
    """z_a - z_b for all pairs."""
    return z[..., :, None] - z[..., None, :]


def over_pairs(p, q, numbers):
    """Mean over a from p and b from q."""
    return (p[..., :, None] * q[..., None, :] * numbers).sum((-2, -1))


def log_sigma(t):
    """Log sigma(t)."""
    return -np.logaddexp(0, -t)


def sigma(t):
    """sigma(t)."""
    return np.exp(log_sigma(t))


def slope(t):
    """sigma'(t)."""
    return sigma(t) * sigma(-t)


def law(s, log_x):
    """Law of either action of a pair."""
    uniform = np.full(log_x.shape, 1 / s.game.n)
    return {"policy": np.exp(log_x), "uniform": uniform, "target": np.exp(update(s, log_x))}[s.sampling]


# --------------------------------------------------------------------------------------------------

improvement = Proof(of=[paper.IMPROVEMENT], settings=paper.grid)


@improvement.step("A policy wins against itself as often as it loses")
def even(s: paper.Setting) -> Claim:
    """<x, S x> = 0."""
    x = policies(s)
    return claim(mean(x, rates(s, x)), "==", 0.0, "S is skew")


@improvement.step("Divergence of the update from the policy")
def forward(s: paper.Setting) -> Claim:
    """Eta KL(x_+ || x) = <x_+, r> - eta log Z."""
    x = policies(s)
    y, v, eta = update(s, x), rates(s, x), s.inverse_rate
    right = mean(y, v) - eta * log_mean_exp(x, v / eta)
    return claim(eta * kl(y, x), "==", right, "log x_+ - log x = r / eta - log Z", rounding=ROUNDING)


@improvement.step("Divergence of the policy from the update", uses=[even])
def backward(s: paper.Setting) -> Claim:
    """Eta KL(x || x_+) = eta log Z."""
    x = policies(s)
    y, v, eta = update(s, x), rates(s, x), s.inverse_rate
    right = eta * log_mean_exp(x, v / eta)
    return claim(eta * kl(x, y), "==", right, "the same logarithm; <x, r> = 0", rounding=ROUNDING * (1 + eta))


@improvement.step("Conclusion: the gain is both divergences", uses=[forward, backward])
def both(s: paper.Setting) -> Claim:
    """P(x_+ > x) - 1/2 = eta [KL(x_+ || x) + KL(x || x_+)]."""
    x = policies(s)
    y, eta = update(s, x), s.inverse_rate
    right = eta * (kl(y, x) + kl(x, y))
    return claim(mean(y, rates(s, x)), "==", right, "add; log Z cancels", rounding=ROUNDING * (1 + eta))


# --------------------------------------------------------------------------------------------------

recession = Proof(of=[paper.IMPROVEMENT_WITHOUT_CONVERGENCE], settings=paper.cyclic_grid)


@cache
def iterates(s):
    """Logs of the policies of one run, and the minimax winner."""
    rows = [start(s)]
    for _ in range(s.iterations + 1):
        rows.append(update(s, rows[-1]))
    payoff = s.game.prefer - 0.5
    winner = np.linalg.svd(payoff)[2][-1]  # spans the kernel of a skew matrix of odd size
    return np.array(rows), np.log(winner / winner.sum())


@recession.step("A winner that plays all actions ties with all of them")
def ties(s: paper.Setting) -> Claim:
    """S pi* = 0."""
    _, star = iterates(s)
    return claim(rates(s, star), "==", 0.0, "no action wins, and those that are played do not lose")


@recession.step("So the divergence from the winner grows by log E_x exp(r / eta)", uses=[ties])
def growth(s: paper.Setting) -> Claim:
    """KL(pi* || x_+) - KL(pi* || x) = log E_x exp(r / eta)."""
    x, star = iterates(s)
    left = kl(star, x[1:]) - kl(star, x[:-1])
    right = log_mean_exp(x[:-1], rates(s, x[:-1]) / s.inverse_rate)
    return claim(left, "==", right, "<pi*, r> = -<S pi*, x> = 0")


@recession.step("Which is positive", uses=[growth])
def positive(s: paper.Setting) -> Claim:
    """Log E_x exp(r / eta) > 0."""
    x, _ = iterates(s)
    right = log_mean_exp(x[:-1], rates(s, x[:-1]) / s.inverse_rate)
    return claim(1e-9, "<=", right, "Jensen's inequality is strict: <x, r> = 0, and r is not constant off the winner")


@recession.step("Conclusion: the update gains all the while", uses=[positive])
def gains_all_the_while(s: paper.Setting) -> Claim:
    """P(x_+ > x) - 1/2 >= eta KL(x || x_+) = eta log E_x exp(r / eta) > 0."""
    x, _ = iterates(s)
    left = s.inverse_rate * log_mean_exp(x[:-1], rates(s, x[:-1]) / s.inverse_rate)
    return claim(left, "<=", mean(x[1:], rates(s, x[:-1])), "the gain is both divergences")


# --------------------------------------------------------------------------------------------------


def loss(weights, ahead, sure):
    """Loss of the differences `ahead` where labels follow `sure`, over pairs with these weights."""
    return -over_pairs(weights, weights, sigma(sure) * log_sigma(ahead) + sigma(-sure) * log_sigma(-ahead))


def coins(weights, sure, ahead):
    """Mean divergence of coins sigma(sure) from coins sigma(ahead)."""
    heads = sigma(sure) * (log_sigma(sure) - log_sigma(ahead))
    return over_pairs(weights, weights, heads + sigma(-sure) * (log_sigma(-sure) - log_sigma(-ahead)))


excess = Proof(of=[paper.EXCESS_LOSS], settings=paper.grid)


@excess.step("The update's differences of scores are those of the win rates")
def realised(s: paper.Setting) -> Claim:
    """Delta_{x_+}(a, b) = r_a - r_b."""
    x = policies(s)
    left = s.inverse_rate * apart(update(s, x) - x)
    return claim(left, "==", apart(rates(s, x)), "the normaliser cancels", rounding=ROUNDING)


@excess.step("The loss is the labels' entropy plus their divergence")
def entropy_and_divergence(s: paper.Setting) -> Claim:
    """Loss = H(labels) + E KL(labels || those that the policy stands for)."""
    x = policies(s)
    sure, ahead, weights = apart(rates(s, x)), s.inverse_rate * apart(candidates(s) - x), law(s, x)
    right = loss(weights, sure, sure) + coins(weights, sure, ahead)
    why = "cross-entropy is entropy plus divergence, pair by pair"
    return claim(loss(weights, ahead, sure), "==", right, why, rounding=ROUNDING)


@excess.step("Conclusion: the update leaves the entropy alone", uses=[realised, entropy_and_divergence])
def excess_is_divergence(s: paper.Setting) -> Claim:
    """l(pi) - l(x_+) = E KL(Ber(sigma(r_a - r_b)) || Ber(sigma(Delta_pi)))."""
    x = policies(s)
    sure, weights, eta = apart(rates(s, x)), law(s, x), s.inverse_rate
    ahead, best = eta * apart(candidates(s) - x), eta * apart(update(s, x) - x)
    left = loss(weights, ahead, sure) - loss(weights, best, sure)
    return claim(left, "==", coins(weights, sure, ahead), "subtract", rounding=ROUNDING)


mixture_excess = Proof(of=[paper.MIXTURE_UPDATE], settings=paper.mixture_grid)


class Mixed(NamedTuple):
    """Logs of mixtures and of their Nash-MD steps, and the reference."""

    anchor: np.ndarray
    following: np.ndarray


@cache
def mixed(s) -> Mixed:
    """One step of Nash-MD from each policy."""
    ref = np.full(s.game.n, -math.log(s.game.n)) if s.reference is None else np.log(s.reference)
    share = s.beta / s.inverse_rate
    anchor = normalise((1 - share) * policies(s) + share * ref)
    return Mixed(anchor, normalise(anchor + rates(s, anchor) / s.inverse_rate))


@mixture_excess.step("Nash-MD's step is the exact update of the mixture")
def step_of_mixture(s: paper.MixtureSetting) -> Claim:
    """Relative to the mixture, its differences of scores are those of the win rates against the mixture."""
    m = mixed(s)
    left = s.inverse_rate * apart(m.following - m.anchor)
    return claim(
        left, "==", apart(rates(s, m.anchor)), "by definition of Nash-MD, with rate 1 / eta", rounding=ROUNDING
    )


@mixture_excess.step("Conclusion: as without the mixture", uses=[step_of_mixture])
def excess_with_mixture(s: paper.MixtureSetting) -> Claim:
    """Entropy and divergence, once more."""
    m, eta = mixed(s), s.inverse_rate
    weights, sure = law(s, m.anchor), apart(rates(s, m.anchor))
    ahead, best = eta * apart(candidates(s) - m.anchor), eta * apart(m.following - m.anchor)
    left = loss(weights, ahead, sure) - loss(weights, best, sure)
    why = "cross-entropy is entropy plus divergence; the step leaves the entropy alone"
    return claim(left, "==", coins(weights, sure, ahead), why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

spread = Proof(of=[paper.RATIO_SPREAD, paper.TOTAL_VARIATION], settings=paper.grid)


def two(s):
    """Logs of p and q, and L."""
    p, q = update(s, policies(s)), candidates(s)
    return p, q, p - q


def ratio_spread(log_p, log_q):
    """E (L(a) - L(b))^2, a from p and b from q."""
    return over_pairs(np.exp(log_p), np.exp(log_q), apart(log_p - log_q) ** 2)


@spread.step("The means of L are divergences")
def means_of_ratio(s: paper.Setting) -> Claim:
    """E_p L = KL(p || q), E_q L = -KL(q || p)."""
    p, q, ratio = two(s)
    return claim([mean(p, ratio), mean(q, ratio)], "==", [kl(p, q), -kl(q, p)], "by definition")


@spread.step("Conclusion: moments of L", uses=[means_of_ratio])
def moments(s: paper.Setting) -> Claim:
    """E (L(a) - L(b))^2 = E_p L^2 + E_q L^2 + 2 KL(p || q) KL(q || p)."""
    p, q, ratio = two(s)
    right = mean(p, ratio**2) + mean(q, ratio**2) + 2 * kl(p, q) * kl(q, p)
    return claim(ratio_spread(p, q), "==", right, "a and b are independent", rounding=ROUNDING)


@spread.step("Drop a product of divergences, and square roots of means", uses=[moments])
def first_moments(s: paper.Setting) -> Claim:
    """... >= (E_p |L| + E_q |L|)^2 / 2."""
    p, q, ratio = two(s)
    left = (mean(p, np.abs(ratio)) + mean(q, np.abs(ratio))) ** 2 / 2
    why = "E L^2 >= (E |L|)^2, and u^2 + v^2 >= (u + v)^2 / 2"
    return claim(left, "<=", ratio_spread(p, q), why, rounding=ROUNDING)


@spread.step("Weight by weight, the log-ratio exceeds twice the relative difference")
def logarithmic_mean(s: paper.Setting) -> Claim:
    """2 |u - v| <= (u + v) |log u / v|."""
    p, q, ratio = two(s)
    left = 2 * np.abs(np.exp(p) - np.exp(q))
    right = (np.exp(p) + np.exp(q)) * np.abs(ratio)
    return claim(left, "<=", right, "|tanh z| <= |z| at z = log(u / v) / 2")


@spread.step("Conclusion: 8 TV^2 <= E (L(a) - L(b))^2", uses=[first_moments, logarithmic_mean])
def eight(s: paper.Setting) -> Claim:
    """E_p |L| + E_q |L| >= 4 TV."""
    p, q, _ = two(s)
    return claim(8 * variation(p, q) ** 2, "<=", ratio_spread(p, q), "4^2 / 2 = 8", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

quotient = Proof(of=[sampled.QUOTIENT], settings=sampled.wide_grid)


def grid_of(bound, points=41):
    """All pairs from two grids over [-1, 1] and [-bound, bound]."""
    a, b = np.meshgrid(np.linspace(-1, 1, points), np.linspace(-bound, bound, points - 1))
    return a.ravel(), b.ravel()


def mean_slope(a, b):
    """(sigma(a) - sigma(b)) / (a - b): the mean of sigma' between a and b."""
    half = (np.asarray(a) - b) / 2
    shrink = np.divide(np.sinh(half), half, out=np.ones_like(half), where=half != 0)
    return shrink / (4 * np.cosh(np.asarray(a) / 2) * np.cosh(np.asarray(b) / 2))


@quotient.step("Mean slopes, in a form that does not cancel")
def without_cancellation(s: sampled.RatioSetting) -> Claim:
    """sigma(a) - sigma(b) = sinh((a - b) / 2) / (2 cosh(a / 2) cosh(b / 2))."""
    a, b = grid_of(2 * s.largest)
    return claim(sigma(a) - sigma(b), "==", (a - b) * mean_slope(a, b), "sigma(t) = (1 + tanh(t / 2)) / 2")


@quotient.step("The slope is even, and falls away from 0")
def slope_falls(s: sampled.RatioSetting) -> Claim:
    """sigma'(t) = 1 / (4 cosh(t / 2)^2)."""
    t = np.linspace(0, 2 * s.largest + 1, 200)
    left = np.append(slope(t[1:]), np.abs(slope(t) - slope(-t)).max())
    return claim(left, "<=", np.append(slope(t[:-1]), 0.0), "cosh is even and grows")


@quotient.step("Both numbers may be taken as positive", uses=[slope_falls])
def both_positive(s: sampled.RatioSetting) -> Claim:
    """Between a and b the mean slope is at least that between |a| and |b|."""
    a, b = grid_of(2 * s.largest)
    right = mean_slope(a, b)
    why = "with m = min(|a|, |b|) and opposite signs, the stretch from -m to m is added, and is the steepest of all"
    return claim(mean_slope(np.abs(a), np.abs(b)), "<=", right, why)


@quotient.step("Among positive numbers the mean slope falls with each", uses=[slope_falls])
def corner(s: sampled.RatioSetting) -> Claim:
    """It is least at a = 1, b = M."""
    a, b = grid_of(2 * s.largest)
    left = mean_slope(1.0, 2 * s.largest)
    return claim(left, "<=", mean_slope(np.abs(a), np.abs(b)), "raise one end of the stretch: what enters is flatter")


@quotient.step("Conclusion: |a - b| <= K |sigma(a) - sigma(b)|", uses=[without_cancellation, both_positive, corner])
def largest_quotient(s: sampled.RatioSetting) -> Claim:
    """K = 1 / mean slope between 1 and M."""
    a, b = grid_of(2 * s.largest)
    right = np.abs(sigma(a) - sigma(b)) / mean_slope(1.0, 2 * s.largest)
    return claim(np.abs(a - b), "<=", right, "divide", rounding=ROUNDING)


printed = Proof(of=[sampled.PRINTED_QUOTIENT_FAILS], settings=sampled.narrow_grid)


@printed.step("The witness breaks the printed inequality, by more than rounding")
def witness(s: sampled.RatioSetting) -> Claim:
    """At a = 1, b = 0.999 eta R."""
    a, b = 1.0, 0.999 * s.largest
    left = 1.001 * s.largest / (1 - sigma(1)) * abs(sigma(a) - sigma(b))
    return claim(left, "<=", abs(a - b), "evaluate")


# --------------------------------------------------------------------------------------------------

finite = Proof(of=[sampled.FINITE_CLASS], settings=sampled.finite_grid)


class Members(NamedTuple):
    """For each policy of a class: its logarithm, its differences of scores; the pairs' law, the win rates'."""

    log_pi: np.ndarray
    ahead: np.ndarray
    law: np.ndarray
    sure: np.ndarray


@cache
def members(s) -> Members:
    """The class, the exact update first."""
    x = start(s)
    log_pi = normalise(x + s.scores / s.inverse_rate)
    return Members(log_pi, s.inverse_rate * apart(log_pi - x), law(s, x), apart(rates(s, x)))


def hellinger(s):
    """H^2 of each policy: 1 minus the affinity of its labels with the true ones, over pairs."""
    m = members(s)
    affinity = np.sqrt(sigma(m.ahead) * sigma(m.sure)) + np.sqrt(sigma(-m.ahead) * sigma(-m.sure))
    return over_pairs(m.law, m.law, 1 - affinity)


@finite.step("Roots of likelihood ratios, with e^(H^2) for each label, are supermartingales")
def supermartingale(s: sampled.FiniteClass) -> Claim:
    """E exp(log(p_pi / p) / 2) e^{H^2} <= 1."""
    m = members(s)
    roots = [np.exp((log_sigma(sign * m.ahead) - log_sigma(sign * m.sure)) / 2) for sign in (1, -1)]
    expectation = over_pairs(m.law, m.law, sigma(m.sure) * roots[0] + sigma(-m.sure) * roots[1])
    return claim(expectation * np.exp(hellinger(s)), "<=", 1.0, "the expectation is 1 - H^2 <= e^(-H^2)")


@finite.step("All stay below |Pi| / delta for ever, except with probability delta", uses=[supermartingale])
def ville(s: sampled.FiniteClass) -> Claim:
    """Ville's inequality for each policy, and the union bound."""
    failure = s.policies * (s.delta / s.policies)
    return claim(failure, "<=", s.delta, "Ville: a supermartingale from 1 exceeds c with probability 1 / c")


@finite.step("The likeliest policy has N H^2 <= log(|Pi| / delta)", uses=[ville])
def likeliest(s: sampled.FiniteClass) -> Claim:
    """One sample, large enough to bite: its ratio is 1 at least, since the exact update is in the class."""
    m, rng = members(s), stream(0, "proofs for direct Nash optimisation", "finite class", s)
    counts = rng.multinomial(s.pairs, np.outer(m.law, m.law).ravel()).reshape(m.sure.shape)
    first = rng.binomial(counts, sigma(m.sure))
    ratios = ((first * log_sigma(m.ahead) + (counts - first) * log_sigma(-m.ahead)).sum((-2, -1))).tolist()
    best = int(np.argmax(ratios))
    why = "log of (ratio)^(1/2) e^(N H^2) <= |Pi| / delta"
    return claim(s.pairs * hellinger(s)[best], "<=", math.log(s.policies / s.delta), why)


@finite.step("Labels' probabilities differ by H, up to a constant")
def labels_by_hellinger(s: sampled.FiniteClass) -> Claim:
    """E (sigma(Delta_pi) - sigma(r_a - r_b))^2 <= 2 H^2."""
    m = members(s)
    left = over_pairs(m.law, m.law, (sigma(m.ahead) - sigma(m.sure)) ** 2)
    why = "for coins |p - q|^2 <= H^2 (2 - H^2), by Cauchy and Schwarz"
    return claim(left, "<=", 2 * hellinger(s), why)


@finite.step("Scores differ by K times that", uses=[labels_by_hellinger])
def scores_by_hellinger(s: sampled.FiniteClass) -> Claim:
    """E (Delta_pi - (r_a - r_b))^2 <= 2 K^2 H^2."""
    m = members(s)
    left = over_pairs(m.law, m.law, (m.ahead - m.sure) ** 2)
    right = 2 * hellinger(s) / mean_slope(1.0, s.width) ** 2
    return claim(left, "<=", right, "the quotient's bound with M = B", rounding=1e-12)


@finite.step("Conclusion: TV^2 / C <= K^2 H^2 / (4 eta^2) for every policy", uses=[scores_by_hellinger, likeliest])
def variation_by_hellinger(s: sampled.FiniteClass) -> Claim:
    """With H^2 <= log(|Pi| / delta) / N for the likeliest."""
    m = members(s)
    p, q = np.broadcast_to(update(s, start(s)), m.log_pi[1:].shape), m.log_pi[1:]
    coverage = ratio_spread(p, q) / over_pairs(m.law, m.law, apart(p - q) ** 2)
    right = hellinger(s)[1:] / mean_slope(1.0, s.width) ** 2 / (4 * s.inverse_rate**2)
    why = "8 TV^2 <= C E (L(a) - L(b))^2, and eta L has the differences of the scores' errors"
    return claim(variation(p, q) ** 2 / coverage, "<=", right, why)


# --------------------------------------------------------------------------------------------------

regression = Proof(of=[sampled.REGRESSION], settings=sampled.sampled_grid)


class Fit(NamedTuple):
    """Pairs (as rows x_i, in the order of their labels), exact and fitted scores, gradients of the loss at both."""

    x: np.ndarray
    exact: np.ndarray
    fitted: np.ndarray
    at_exact: np.ndarray
    at_fitted: np.ndarray


def gradient(x, scores):
    """Gradient of the mean of -log sigma(<x_i, f>)."""
    return -(sigma(-x @ scores)[:, None] * x).mean(0)


def fit(s, x, values) -> Fit:
    """Maximise the likelihood in the box."""
    half = s.width / 2
    found = minimize(
        lambda scores: (-log_sigma(x @ scores).mean(), gradient(x, scores)),
        np.zeros(s.game.n),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-half, half)] * s.game.n,
        options={"ftol": 0.0, "gtol": 1e-12},
    )
    exact = values - (values.max() + values.min()) / 2
    return Fit(x, exact, found.x, gradient(x, exact), gradient(x, found.x))


def rows(s, rng, log_x, pairs):
    """Draw pairs y, y' from the law, as rows e_y - e_y'."""
    y = rng.choice(s.game.n, size=(2, pairs), p=law(s, log_x) / law(s, log_x).sum())
    return np.eye(s.game.n)[y[0]] - np.eye(s.game.n)[y[1]]


@cache
def fits(s) -> list[Fit]:
    """Fits from several samples, at policies around the first."""
    rng = stream(0, "proofs for direct Nash optimisation", "fits", s)
    found = []
    for log_x in scatter(rng, start(s), 0.0)[:8]:
        x, values = rows(s, rng, log_x, min(s.pairs, 500)), rates(s, log_x)
        labels = np.where(rng.random(len(x)) < sigma(x @ values), 1, -1)
        found.append(fit(s, labels[:, None] * x, values))
    return found


def form(matrix, z):
    """<z, A z>."""
    return float(z @ matrix @ z)


@regression.step("At the maximiser, no direction into the box descends")
def optimal(s: sampled.SampledSetting) -> Claim:
    """<grad l(f^), f^ - f> <= 0 for the exact scores f, which are in the box."""
    left = [f.at_fitted @ (f.fitted - f.exact) for f in fits(s)]
    return claim(left, "<=", 0.0, "first-order condition on a convex set", rounding=SEARCH)


@regression.step("The gradient at the exact scores is the labels' noise")
def gradient_is_noise(s: sampled.SampledSetting) -> Claim:
    """The gradient at f is -xi = -mean of sigma(r_{y'} - r_y) x_i."""
    left = [f.at_exact for f in fits(s)]
    right = [-np.mean([sigma(-x @ f.exact) * x for x in f.x], axis=0) for f in fits(s)]
    return claim(left, "==", right, "-log sigma has slope -sigma(-t)")


@regression.step("Between the two, gradients differ by the curvature at least")
def monotone(s: sampled.SampledSetting) -> Claim:
    """sigma'(B) <d, G d> <= <grad l(f^) - grad l(f), d>, d = f^ - f."""
    left = [slope(s.width) * ((f.x @ (f.fitted - f.exact)) ** 2).mean() for f in fits(s)]
    right = [(f.at_fitted - f.at_exact) @ (f.fitted - f.exact) for f in fits(s)]
    return claim(left, "<=", right, "differences of scores in the box are at most B, where sigma' is least")


@regression.step("The noise is in the range of G: Cauchy and Schwarz")
def cauchy_schwarz(s: sampled.SampledSetting) -> Claim:
    """<xi, d>^2 <= <xi, G^+ xi> <d, G d>."""
    left, right = [], []
    for f in fits(s):
        graph, d = f.x.T @ f.x / len(f.x), f.fitted - f.exact
        left.append((f.at_exact @ d) ** 2)
        right.append(form(np.linalg.pinv(graph, 1e-12), f.at_exact) * form(graph, d))
    return claim(left, "<=", right, "in the inner product of G", rounding=1e-12)


@regression.step(
    "Conclusion: <d, G d> <= <xi, G^+ xi> / sigma'(B)^2", uses=[optimal, gradient_is_noise, monotone, cauchy_schwarz]
)
def score_error(s: sampled.SampledSetting) -> Claim:
    """<d, G d> is the mean squared error of the differences of scores."""
    left = [((f.x @ (f.fitted - f.exact)) ** 2).mean() for f in fits(s)]
    noises = [form(np.linalg.pinv(f.x.T @ f.x / len(f.x), 1e-12), f.at_exact) for f in fits(s)]
    right = np.array(noises) / slope(s.width) ** 2
    return claim(left, "<=", right, "sigma'(B) <d, G d> <= <xi, d>; square, divide", rounding=SEARCH)


# --------------------------------------------------------------------------------------------------

finite_sample = Proof(of=[sampled.FINITE_SAMPLE], settings=sampled.regression_grid)
FEW = 6  # pairs, so that all outcomes of the labels can be gone through


class Outcomes(NamedTuple):
    """The drawn pairs as rows, and for all outcomes of their labels the probability and the fit."""

    x: np.ndarray
    chance: np.ndarray
    fits: list[Fit]


@cache
def outcomes(s) -> Outcomes:
    """A few pairs, all labels."""
    rng, log_x = stream(0, "proofs for direct Nash optimisation", "outcomes", s), start(s)
    x, values = rows(s, rng, log_x, FEW), rates(s, log_x)
    labels = np.array(list(product([1, -1], repeat=FEW)))
    chance = sigma(labels * (x @ values)).prod(-1)
    return Outcomes(x, chance, [fit(s, label[:, None] * x, values) for label in labels])


@finite_sample.step("The labels' noise has mean 0, and independent parts of variance 1/4 at most")
def noise_variance(s: sampled.SampledSetting) -> Claim:
    """E xi = 0 and E xi xi^T <= G / (4 N), in the trace with G^+."""
    o = outcomes(s)
    noise = np.array([f.at_exact for f in o.fits])
    inverse = np.linalg.pinv(o.x.T @ o.x / FEW, 1e-12)
    expected = o.chance @ np.einsum("oa,ab,ob->o", noise, inverse, noise)
    left = np.append(np.abs(o.chance @ noise), expected)
    right = np.append(np.zeros(s.game.n), np.trace(inverse @ o.x.T @ o.x / FEW) / (4 * FEW))
    return claim(left, "<=", right, "the variance of a coin")


@finite_sample.step("The trace is the rank of the graph, at most n - 1", uses=[noise_variance])
def rank(s: sampled.SampledSetting) -> Claim:
    """Tr G^+ G <= n - 1."""
    graph = outcomes(s).x.T @ outcomes(s).x / FEW
    return claim(np.trace(np.linalg.pinv(graph, 1e-12) @ graph), "<=", s.game.n - 1, "constants are in the kernel")


@finite_sample.step("So the expected mean squared error is (n - 1) / (4 sigma'(B)^2 N) at most", uses=[rank])
def expected_error(s: sampled.SampledSetting) -> Claim:
    """Expectation over the labels, given the pairs."""
    o = outcomes(s)
    errors = [((f.x @ (f.fitted - f.exact)) ** 2).mean() for f in o.fits]
    right = (s.game.n - 1) / (4 * slope(s.width) ** 2 * FEW)
    return claim(
        o.chance @ np.array(errors), "<=", right, "the regression's inequality, in expectation", rounding=SEARCH
    )


def over_coverage(s, f: Fit):
    """TV^2 / C^ after a regression: 0 if it finds the exact update."""
    p, q = update(s, start(s)), normalise(start(s) + f.fitted / s.inverse_rate)
    spread = ratio_spread(p, q)
    return variation(p, q) ** 2 * ((f.x @ (p - q)) ** 2).mean() / spread if spread > 0 else 0.0


@finite_sample.step("TV^2 over coverage is that error over 8 eta^2, at most, outcome by outcome")
def covered(s: sampled.SampledSetting) -> Claim:
    """TV^2 / C^ <= mean of (L(y) - L(y'))^2 / 8."""
    left = [over_coverage(s, f) for f in outcomes(s).fits]
    right = [((f.x @ (f.fitted - f.exact)) ** 2).mean() / (8 * s.inverse_rate**2) for f in outcomes(s).fits]
    return claim(left, "<=", right, "8 TV^2 <= C^ times the mean over the pairs; eta (L(y) - L(y')) is the error")


@finite_sample.step("The proved range: errors of scores are at most B each", uses=[covered])
def error_range(s: sampled.SampledSetting) -> Claim:
    """Mean of (L(y) - L(y'))^2 / 8 <= (2 B)^2 / (8 eta^2) = B^2 / (2 eta^2)."""
    left = [((f.x @ (f.fitted - f.exact)) ** 2).mean() / (8 * s.inverse_rate**2) for f in outcomes(s).fits]
    return claim(left, "<=", s.width**2 / (2 * s.inverse_rate**2), "both scores are in a box of width B")


@finite_sample.step("Conclusion, given the pairs; hence for any law of them", uses=[expected_error, covered])
def expected_variation(s: sampled.SampledSetting) -> Claim:
    """E TV^2 / C^ <= (n - 1) / (32 eta^2 sigma'(B)^2 N)."""
    o = outcomes(s)
    left = o.chance @ np.array([over_coverage(s, f) for f in o.fits])
    right = (s.game.n - 1) / (32 * s.inverse_rate**2 * slope(s.width) ** 2 * FEW)
    return claim(left, "<=", right, "4 times 8 is 32", rounding=SEARCH)


# --------------------------------------------------------------------------------------------------

mixture = Proof(of=[sampled.MIXTURE], settings=sampled.sampled_grid)


class Play(NamedTuple):
    """Logs of a sequence of policies, their win rates, and logs of Hedge on these."""

    x: np.ndarray
    r: np.ndarray
    hedge: np.ndarray  # one more


@cache
def play(s) -> Play:
    """Any sequence of policies: here a random walk."""
    rng = stream(0, "proofs for direct Nash optimisation", "play", s)
    x = normalise(start(s) + np.cumsum(rng.standard_normal((DRAWS, s.game.n)), axis=0))
    r = rates(s, x)
    sums = np.vstack([np.zeros(s.game.n), np.cumsum(r, axis=0)])
    return Play(x, r, normalise(start(s) + sums / s.inverse_rate))


@mixture.step("The average is exploited by what its parts are, added up")
def linear(s: sampled.SampledSetting) -> Claim:
    """E_0(mean) = max_a (1/T) sum (r_s)_a."""
    p = play(s)
    left = ((s.game.prefer - 0.5) @ np.exp(p.x).mean(0)).max()
    return claim(left, "==", p.r.mean(0).max(), "S is linear")


@mixture.step("One round of Hedge: Hoeffding's lemma")
def hoeffding(s: sampled.SampledSetting) -> Claim:
    """Eta log E_h exp(r / eta) <= <h, r> + 1 / (8 eta)."""
    p, eta = play(s), s.inverse_rate
    left = eta * log_mean_exp(p.hedge[:-1], p.r / eta)
    right = mean(p.hedge[:-1], p.r) + 1 / (8 * eta)
    return claim(left, "<=", right, "win rates differ by 1 at most")


@mixture.step("The log-normalisers add up to that of the sum, which dominates every action")
def dominates(s: sampled.SampledSetting) -> Claim:
    """max_a sum (r_s)_a <= eta L + sum of eta log E_h exp(r / eta)."""
    p, eta = play(s), s.inverse_rate
    right = -eta * start(s).min() + eta * log_mean_exp(p.hedge[:-1], p.r / eta).sum()
    return claim(p.r.sum(0).max(), "<=", right, "log h_T(a) <= 0, unrolled", rounding=ROUNDING)


@mixture.step("Against its own opponent a policy breaks even; Hedge gains the distance at most")
def gain_of_hedge(s: sampled.SampledSetting) -> Claim:
    """<h, r> = <h - x, r> <= TV(h, x)."""
    p = play(s)
    left = mean(p.hedge[:-1], p.r)
    return claim(left, "<=", variation(p.hedge[:-1], p.x), "<x, S x> = 0; r spans 1 at most")


@mixture.step("Conclusion", uses=[linear, hoeffding, dominates, gain_of_hedge])
def average_variation(s: sampled.SampledSetting) -> Claim:
    """E_0(mean) <= eta L / T + 1 / (8 eta) + mean of TV(x_s, h_s)."""
    p, eta = play(s), s.inverse_rate
    right = -eta * start(s).min() / len(p.x) + 1 / (8 * eta) + variation(p.x, p.hedge[:-1]).mean()
    return claim(p.r.mean(0).max(), "<=", right, "add up, divide by T")


log_errors = Proof(of=[sampled.MIXTURE_LOG_ERRORS], settings=sampled.sampled_grid)


@cache
def noisy(s):
    """Logs of policies, each the exact update of the one before with an error in the logarithms."""
    rng = stream(0, "proofs for direct Nash optimisation", "noisy", s)
    x = [start(s)]
    for size in np.geomspace(1e-3, 1, DRAWS):
        x.append(normalise(update(s, x[-1]) + size * rng.standard_normal(s.game.n)))
    return np.array(x)


def log_error(s, x):
    """max_a log x_+(a) / x_next(a)."""
    return (update(s, x[:-1]) - x[1:]).max(-1)


@log_errors.step("One iteration raises the logarithm of an action by its win rate, less two losses")
def one_iteration(s: sampled.SampledSetting) -> Claim:
    """r_a <= eta log(x_next(a) / x(a)) + 1 / (8 eta) + eta max_a log(x_+(a) / x_next(a))."""
    x, eta = noisy(s), s.inverse_rate
    right = eta * (x[1:] - x[:-1]) + 1 / (8 * eta) + eta * log_error(s, x)[:, None]
    why = "log x_+ = log x + r / eta - log Z, and log Z <= 1 / (8 eta^2) since <x, r> = 0"
    return claim(rates(s, x[:-1]), "<=", right, why, rounding=ROUNDING)


@log_errors.step("Conclusion: the logarithms telescope", uses=[one_iteration])
def average_log_error(s: sampled.SampledSetting) -> Claim:
    """E_0(mean) <= eta L / T + 1 / (8 eta) + (eta / T) sum of log errors."""
    x, eta = noisy(s), s.inverse_rate
    right = -eta * start(s).min() / DRAWS + 1 / (8 * eta) + eta * log_error(s, x).mean()
    left = ((s.game.prefer - 0.5) @ np.exp(x[:-1]).mean(0)).max()
    return claim(left, "<=", right, "log x_T(a) <= 0; divide by T")


# --------------------------------------------------------------------------------------------------

does_not_add = Proof(of=[sampled.VARIATION_DOES_NOT_ADD], settings=sampled.rare_winner_grid)


@does_not_add.step("With a probability close to 1, no pair ever shows the winner")
def unseen(s: sampled.SampledSetting) -> Claim:
    """1 - (1 - w)^(2 N T) <= 2 N T w, which is small."""
    drawn = 2 * s.pairs * (s.iterations + 1)
    chance = -np.expm1(drawn * np.log1p(-s.start[0]))
    return claim([chance, drawn * s.start[0]], "<=", [drawn * s.start[0], 1e-5], "union bound")


@does_not_add.step("Then all pairs are of equals, all scores tie, and the policy stays", uses=[unseen])
def stays(s: sampled.SampledSetting) -> Claim:
    """The regression on pairs of equals has gradient 0 at a tie."""
    return claim(gradient(np.zeros((s.pairs, 2)), np.zeros(2)), "==", 0.0, "x_i = 0")


@does_not_add.step("The exact update would have moved the order of w")
def moves_little(s: sampled.SampledSetting) -> Claim:
    """TV(x, x_+) <= w (e^(1 / (2 eta)) - 1)."""
    x = start(s)
    right = s.start[0] * math.expm1(1 / (2 * s.inverse_rate))
    return claim(variation(x, update(s, x)), "<=", right, "x_+(a) = x(a) e^(r_a / eta) / Z, and Z >= 1")


@does_not_add.step(
    "Conclusion: a thousand such errors are not what the average is exploited by", uses=[stays, moves_little]
)
def exploited(s: sampled.SampledSetting) -> Claim:
    """Eta L / T + 1 / (8 eta) + 1000 TV < E_0(x) = (1 - w) / 2."""
    x, eta = start(s), s.inverse_rate
    bound = -eta * x.min() / (s.iterations + 1) + 1 / (8 * eta) + 1000 * variation(x, update(s, x))
    return claim(1.1 * bound, "<=", rates(s, x).max(), "evaluate")
