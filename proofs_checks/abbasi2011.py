r"""Proofs that OFUL's ellipsoids hold the parameter, and of the regret of OFUL.

Notation. Round s pulls an arm with features :math:`\phi_s` and noise :math:`\eta_s`; :math:`V_s` and
:math:`S_s = \sum_{r \le s} \eta_r \phi_r` are those after it, :math:`w_s = \|\phi_s\|_{V_{s-1}^{-1}}`, and
:math:`M_s = \sqrt{\lambda^d / \det V_s}\, \exp(\|S_s\|^2_{V_s^{-1}} / (2 R^2))`. Runs are recomputed with plain NumPy.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.bandits import abbasi2011 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-9  # solutions of systems of up to three equations, and sums of hundreds of numbers
ROUNDS = 300


class Play(NamedTuple):
    """One run, row s - 1 being round s."""

    features: np.ndarray  # (n, d), of the arms that were pulled
    means: np.ndarray  # (n,), their mean rewards
    regrets: np.ndarray  # (n,)
    before: np.ndarray  # (n, d, d), V
    after: np.ndarray
    noise_before: np.ndarray  # (n, d), S
    noise_after: np.ndarray
    estimates: np.ndarray  # (n, d), before each round


@cache
def play(s) -> Play:
    """OFUL, from its definition."""
    bandit, rng, rows = s.bandit, stream(0, "proofs on OFUL", s), []
    d = bandit.dimension
    v, targets, noise = s.regularization * np.eye(d), np.zeros(d), np.zeros(d)
    for _ in range(ROUNDS):
        x = rng.choice(bandit.contexts, p=bandit.frequencies)
        estimate = np.linalg.solve(v, targets)
        radius = s.radius(np.linalg.slogdet(v)[1] - d * math.log(s.regularization))
        widths = np.sqrt([phi @ np.linalg.solve(v, phi) for phi in bandit.features[x]])
        arm = int((bandit.features[x] @ estimate + radius * widths).argmax())
        phi, mean = bandit.features[x, arm], bandit.means[x, arm]
        reward = float(rng.random() < mean) if bandit.deviation is None else rng.normal(mean, bandit.deviation)
        following, noise_following = v + np.outer(phi, phi), noise + (reward - mean) * phi
        rows.append((phi, mean, bandit.gaps[x, arm], v, following, noise, noise_following, estimate))
        v, targets, noise = following, targets + reward * phi, noise_following
    return Play(*(np.array(column) for column in zip(*rows, strict=True)))


def square_norms(vectors, matrices):
    """Squared norms with respect to the inverses of matrices."""
    return np.einsum("ti,ti->t", vectors, np.linalg.solve(matrices, vectors[..., None])[..., 0])


def widths(r):
    """Widths of the arms that were pulled, w_s."""
    return np.sqrt(square_norms(r.features, r.before))


def log_ratios(s, matrices):
    """log(det V / lambda^d)."""
    return np.linalg.slogdet(matrices)[1] - s.bandit.dimension * math.log(s.regularization)


confidence = Proof(of=[paper.CONFIDENCE], settings=paper.grid)


@confidence.step("Noise is R-sub-Gaussian in every direction, given the past")
def sub_gaussian(s) -> Claim:
    """E exp(z eta) <= exp(z^2 R^2 / 2)."""
    z, means = np.linspace(-8, 8, 41)[:, None], s.bandit.means.ravel()
    if s.bandit.deviation is None:
        left = means * np.exp(z * (1 - means)) + (1 - means) * np.exp(-z * means)
    else:
        left = np.exp(z**2 * s.bandit.deviation**2 / 2)
    return claim(left, "<=", np.exp(z**2 * s.noise**2 / 2), "normal noise has equality; Hoeffding's lemma for 0 and 1")


@confidence.step("A normal mixture of exponentials is sqrt(lambda^d / det V) exp(|S|^2 / (2 R^2))")
def mixture(s) -> Claim:
    """The mean over u ~ N(0, I / lambda) of exp(<u, S> / R - u' (V - lambda I) u / 2), by the trapezoidal rule."""
    r, d = play(s), s.bandit.dimension
    nodes, step = np.linspace(-8, 8, 81, retstep=True)
    u = np.stack(np.meshgrid(*d * [nodes], indexing="ij"), axis=-1).reshape(-1, d)
    mass = np.exp(-(u**2).sum(axis=1) / 2) * (step / math.sqrt(2 * math.pi)) ** d
    u = u / math.sqrt(s.regularization)
    left, right = [], []
    for i in (0, 1):
        v, noise = r.after[i], r.noise_after[i] / s.noise
        gram = v - s.regularization * np.eye(d)
        left.append(mass @ np.exp(u @ noise - ((u @ gram) * u).sum(axis=1) / 2))
        right.append(math.exp(noise @ np.linalg.solve(v, noise) / 2 - log_ratios(s, v) / 2))
    # The rule errs by exp(-2 pi^2 / (h^2 p)) for precisions p, which are below 20 after two rounds.
    return claim(left, "==", right, "completion of the square", rounding=ROUNDING)


@confidence.step(
    "The mixture is a supermartingale: no noise of the next round makes it grow in the mean", uses=[sub_gaussian]
)
def supermartingale(s) -> Claim:
    """E M_s / M_{s-1} <= 1, by the law of the noise at every round of a run."""
    r = play(s)
    # |S + eta phi|^2 after = |S|^2 before + (2 b eta + w^2 eta^2 - b^2) / (1 + w^2), with b = <S, phi> before.
    b = np.einsum("ti,ti->t", r.features, np.linalg.solve(r.before, r.noise_before[..., None])[..., 0])
    grown = 1 + widths(r) ** 2

    def ratio(eta):
        exponent = (2 * b * eta + (grown - 1) * eta**2 - b**2) / grown / (2 * s.noise**2)
        return np.exp(exponent) / np.sqrt(grown)

    if s.bandit.deviation is None:
        mean = r.means * ratio(1 - r.means) + (1 - r.means) * ratio(-r.means)
    else:
        # The mean of exp(p eta + q eta^2) over N(0, v) is exp(p^2 v / (2 - 4 q v)) / sqrt(1 - 2 q v).
        v, scale = s.bandit.deviation**2, grown * s.noise**2
        p, q = b / scale, (grown - 1) / (2 * scale)
        mean = np.exp(p**2 * v / (2 - 4 * q * v) - b**2 / (2 * scale)) / np.sqrt((1 - 2 * q * v) * grown)
    return claim(mean, "<=", 1.0, "Fubini, and the noise is sub-Gaussian for each u", rounding=ROUNDING)


@confidence.step("One more round: the squared norm and the determinant", uses=[supermartingale])
def one_round(s) -> Claim:
    """The identities by which the step before writes M_s / M_{s-1}."""
    r = play(s)
    b = np.einsum("ti,ti->t", r.features, np.linalg.solve(r.before, r.noise_before[..., None])[..., 0])
    eta = np.einsum("ti,ti->t", r.noise_after - r.noise_before, r.features) / np.einsum(
        "ti,ti->t", r.features, r.features
    )
    grown = 1 + widths(r) ** 2
    squares = square_norms(r.noise_before, r.before) + (2 * b * eta + (grown - 1) * eta**2 - b**2) / grown
    left = [square_norms(r.noise_after, r.after), log_ratios(s, r.after)]
    return claim(left, "==", [squares, log_ratios(s, r.before) + np.log(grown)], "Sherman-Morrison", rounding=ROUNDING)


@confidence.step(
    "Ville: with probability 1 - delta, M stays below 1 / delta at all times", uses=[supermartingale, mixture]
)
def ville(s) -> Claim:
    """Where it is 1 / delta, |S| in the norm of the inverse of V is R sqrt(2 log(1 / delta) + log ratio)."""
    r = play(s)
    ratios = log_ratios(s, r.after)
    edge = s.radius(ratios) - math.sqrt(s.regularization) * s.size
    return claim(edge**2 / (2 * s.noise**2) - ratios / 2, "==", math.log(1 / s.delta), "solve M = 1 / delta for |S|")


@confidence.step("Along every run the estimate errs by |S| + sqrt(lambda) S at most")
def error(s) -> Claim:
    """V (estimate - theta) = S - lambda theta."""
    r = play(s)
    errors = r.estimates - s.bandit.parameter
    left = np.sqrt(np.einsum("ti,tij,tj->t", errors, r.before, errors))
    right = np.sqrt(square_norms(r.noise_before, r.before)) + math.sqrt(s.regularization) * s.size
    return claim(left, "<=", right, "triangle inequality, and V >= lambda I", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

regret = Proof(of=[paper.REGRET], settings=paper.grid)


def radii(s, r):
    """Radii of the ellipsoids in which each round chooses."""
    return s.radius(log_ratios(s, r.before))


def before_failure(s, r):
    """Rounds whose ellipsoid, and all before it, hold the parameter."""
    errors = r.estimates - s.bandit.parameter
    holds = np.sqrt(np.einsum("ti,tij,tj->t", errors, r.before, errors)) <= radii(s, r)
    return np.logical_and.accumulate(holds)


@regret.step("Optimism: while ellipsoids hold the parameter, a round costs 2 sqrt(beta) w at most")
def optimism(s) -> Claim:
    """By the confidence theorem that is always so, with probability 1 - delta."""
    r = play(s)
    good = before_failure(s, r)
    why = "the index of the best arm is above its mean, that of the arm pulled at most 2 sqrt(beta) w above its own"
    return claim(r.regrets[good], "<=", 2 * (radii(s, r) * widths(r))[good], why, rounding=ROUNDING)


@regret.step("Squares of widths are c / log(1 + c) times logarithms at most")
def logarithm(s) -> Claim:
    """w^2 <= c = L^2 / lambda, and x / log(1 + x) rises."""
    squares, c = widths(play(s)) ** 2, s.bandit.length**2 / s.regularization
    why = "V >= lambda I, and log(1 + x) is concave"
    return claim(squares, "<=", c / math.log1p(c) * np.log1p(squares), why, rounding=ROUNDING)


@regret.step("Logarithms sum to that of the ratio of determinants")
def telescope(s) -> Claim:
    """The determinant of V_s is (1 + w_s^2) times that of V_{s-1}."""
    r = play(s)
    return claim(
        np.log1p(widths(r) ** 2).cumsum(), "==", log_ratios(s, r.after), "matrix determinant lemma", rounding=ROUNDING
    )


@regret.step("The ratio of determinants is (1 + t L^2 / (d lambda))^d at most")
def determinant(s) -> Claim:
    """The geometric mean of the eigenvalues is below their arithmetic mean, trace / d."""
    times = np.arange(1, ROUNDS + 1)
    why = "AM-GM, and the trace grows by L^2 at most"
    return claim(log_ratios(s, play(s).after), "<=", s.largest_log_ratio(times), why, rounding=ROUNDING)


@regret.step("Sums of widths, by Cauchy and Schwarz", uses=[logarithm, telescope, determinant])
def widths_sum(s) -> Claim:
    """w_1 + ... + w_t <= sqrt(t c Lambda_t / log(1 + c))."""
    times, c = np.arange(1, ROUNDS + 1), s.bandit.length**2 / s.regularization
    right = np.sqrt(times * c / math.log1p(c) * s.largest_log_ratio(times))
    return claim(widths(play(s)).cumsum(), "<=", right, "Cauchy-Schwarz", rounding=ROUNDING)


@regret.step("Conclusion", uses=[optimism, widths_sum])
def conclusion(s) -> Claim:
    """Radii grow, and the last one is that of the largest determinant at most."""
    trace = paper.play_oful(s, stream(0, "times"))
    t = trace.times[1:]
    largest, c = s.largest_log_ratio(t), s.bandit.length**2 / s.regularization
    total = 2 * s.radius(largest) * np.sqrt(t * c / math.log1p(c) * largest)
    return claim(total, "==", paper.regret_bound(s, trace)[1:], "multiply", rounding=ROUNDING)
