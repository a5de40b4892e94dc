r"""Proof of the bound of Tsallis-INF on stochastic bandits.

Notation as for losses that an adversary fixes, with :math:`\eta_s = 2 / \sqrt s` in round s, and :math:`\ell` the loss
of the arm that is drawn. :math:`\star` is the first best arm. Expectations over the arm of a round, given the rounds
before and the losses, are sums over all arms.
"""

from functools import cache

import numpy as np

from proofs_checks.adversarial_bandits import ROUNDING, by_root, mixed, play, stability, tsallis
from rltheory.instances import bernoulli_losses
from rltheory.simulation import stream
from rltheory.theorems.bandits import zimmert2021 as paper
from rltheory.theorems.bandits.adversarial_bandits import Adversary
from rltheory.theory import Claim, Proof, claim

MOST = 300  # rounds that are recomputed


@cache
def runs(s):
    """Some runs on losses of 1 less the means."""
    rounds = min(s.horizon, MOST)
    losses = bernoulli_losses(stream(0, "proof on stochastic losses", s), 1 - np.array(s.means), rounds)
    return play(Adversary(losses), tsallis, by_root)


def worse(s, values):
    """Columns of all arms but the first best one."""
    return np.delete(values, s.bandit.best, axis=1)


def rounds_of(r):
    """Rounds 1, 2, ... as a column."""
    return np.arange(1.0, len(r.p) + 1)[:, None]


def shifted(r):
    """Stability of each round, with the loss that is seen taken from all estimates."""
    return stability(r.rates[:, None], np.sqrt(r.p), r.estimates - r.suffered[:, None]).sum(1)


def expected_stability(s, r):
    """Mean of the shifted stability over the arm that is drawn."""
    mean = np.zeros(len(r.p))
    for arm in range(len(s.means)):
        seen = r.losses[:, arm]
        estimates = (np.arange(len(s.means)) == arm) * (seen / r.p[:, arm])[:, None] - seen[:, None]
        mean += r.p[:, arm] * stability(r.rates[:, None], np.sqrt(r.p), estimates).sum(1)
    return mean


def costs(s, r):
    """b_s sqrt(p) + q_s p of all arms but the first best one."""
    p, t = worse(s, r.p), rounds_of(r)
    return paper.root_cost(t) * np.sqrt(p) + paper.linear_cost(t) * p


stochastic = Proof(of=[paper.STOCHASTIC], settings=paper.bounded_grid)


@stochastic.step("Stability of an arm, whose estimate may be negative, by the best q")
def best_reply(s) -> Claim:
    """At q = p / (1 + u)^2 with u > -1, compared with values on a grid of q."""
    r = runs(s)[0]
    p, estimate, eta = r.p[..., None], (r.estimates - r.suffered[:, None])[..., None], r.rates[:, None, None]
    q = p * np.linspace(0, 3, 100)
    divergence = 2 * np.sqrt(p) - 2 * np.sqrt(q) + (q - p) / np.sqrt(p)
    right = stability(eta, np.sqrt(p), estimate)
    why = "the derivative vanishes at q^(-1/2) = p^(-1/2) + eta l^ / 2; u >= -sqrt(p / s)"
    return claim((p - q) * estimate - 2 / eta * divergence, "<=", right, why, rounding=ROUNDING)


@stochastic.step(
    "Along every run: penalties and shifted stability bound the regret against estimates", uses=[best_reply]
)
def follow_the_leader(s) -> Claim:
    """Sum of <p, l^> - L^(star) <= sum of (sqrt s - sqrt(s - 1)) (2 sum sqrt p_s - 2), plus stability."""
    left, right = [], []
    for r in runs(s):
        penalty = np.diff(2 / r.rates, prepend=0.0) * (2 * np.sqrt(r.p).sum(1) - 2)
        left.append((mixed(r) - r.estimates[:, s.bandit.best]).cumsum())
        right.append((penalty + shifted(r)).cumsum())
    why = "as for fixed losses; what is taken from all estimates changes no <p - q, l^>"
    return claim(left, "<=", right, why, rounding=ROUNDING)


@stochastic.step("Penalties are made by the worse arms")
def penalties(s) -> Claim:
    """2 sum sqrt p - 2 <= 2 sum over a other than star of sqrt p(a)."""
    r = runs(s)[0]
    right = 2 * np.sqrt(worse(s, r.p)).sum(1)
    return claim(2 * np.sqrt(r.p).sum(1) - 2, "<=", right, "sqrt p(star) <= 1", rounding=ROUNDING)


@stochastic.step("Stability vanishes with 1 - p, in expectation")
def mean_stability(s) -> Claim:
    """Sum over A of p(A) times the stability of all arms."""
    r = runs(s)[0]
    t = rounds_of(r)
    right = (np.sqrt(r.p / t) * (1 - r.p) + r.p**2 * (1 - r.p) / (t - np.sqrt(t * r.p))).sum(1)
    why = (
        "p(a)^(3/2) z^2 / (1 + u) / sqrt s with z = (1 - p) / p and u >= 0 if a is drawn, else z = -1, u = -sqrt(p / s)"
    )
    return claim(expected_stability(s, r), "<=", right, why, rounding=ROUNDING)


@stochastic.step("It is made by the worse arms")
def of_worse_arms(s) -> Claim:
    """For random p, in round 1 for the uniform p, which is what is played."""
    k, rounds = len(s.means), np.arange(1.0, MOST + 1)[:, None]
    rng = stream(0, "probabilities", s)
    p = np.concatenate([np.full((1, k), 1 / k), rng.dirichlet(np.full(k, 0.3), size=MOST - 1)])
    left = np.sqrt(p / rounds) * (1 - p) + p**2 * (1 - p) / (rounds - np.sqrt(rounds * p))
    right = np.sqrt(p / rounds) + paper.linear_cost(rounds) * p
    why = "sqrt(p) (1 - p) <= 1 - p for star, <= sqrt(p) else; p^2 (1 - p) <= 1 - p for star, <= p / 4 else"
    return claim(left.sum(1), "<=", worse(s, right).sum(1), why, rounding=ROUNDING)


@stochastic.step("A round costs b sqrt p + q p of the worse arms", uses=[penalties, mean_stability, of_worse_arms])
def together(s) -> Claim:
    """Its penalty and its expected stability."""
    r = runs(s)[0]
    left = np.diff(2 / r.rates, prepend=0.0) * (2 * np.sqrt(r.p).sum(1) - 2) + expected_stability(s, r)
    return claim(left, "<=", costs(s, r).sum(1), "add", rounding=ROUNDING)


@stochastic.step("Regret is twice itself less itself", uses=[follow_the_leader, together])
def self_bounding(s) -> Claim:
    """As E R <= E sum (b sqrt p + q p), it is at most E sum (2 b sqrt p + 2 q p - gap p), and each term is maximal."""
    gaps, left, right = worse(s, s.bandit.gaps[None])[0], [], []
    for r in runs(s):
        left.append(2 * costs(s, r) - gaps * worse(s, r.p))
        right.append(np.column_stack([paper.dearest(float(gap), rounds_of(r)[:, 0]) for gap in gaps]))
    return claim(left, "<=", right, "x = sqrt p is a number in [0, 1]", rounding=ROUNDING)


@stochastic.step("The largest value in closed form")
def closed(s) -> Claim:
    """At x = b / (gap - 2 q) or at 1, compared with values on a grid of x."""
    t, x = np.arange(1.0, s.horizon + 1), np.linspace(0, 1, 101)[:, None]
    gaps = np.unique(s.bandit.gaps)
    values = [2 * paper.root_cost(t) * x - (gap - 2 * paper.linear_cost(t)) * x**2 for gap in gaps]
    largest = [paper.dearest(float(gap), t) + 0 * x for gap in gaps]
    return claim(values, "<=", largest, "a parabola in x", rounding=ROUNDING)


@stochastic.step("Conclusion", uses=[self_bounding, closed])
def conclusion(s) -> Claim:
    """Sums over rounds and arms."""
    trace = paper.play_tsallis_inf(s, stream(0, "times"))
    gaps = worse(s, s.bandit.gaps[None])[0]
    totals = [sum(paper.dearest(float(gap), np.arange(1.0, t + 1)).sum() for gap in gaps) for t in trace.times]
    return claim(totals, "==", paper.STOCHASTIC.bound(s, trace), "the terms do not depend on t", rounding=ROUNDING)
