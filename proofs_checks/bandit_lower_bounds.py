r"""Proofs of what no policy can do.

Notation. P and Q are the probabilities of a history under the two bandits, D the information; sums over histories are
expectations.
"""

import math

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.bandits import bandit_lower_bounds as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-10  # sums over up to 4096 histories


def histories(s):
    """Pulls and successes after each round of all sequences of rewards, as floats."""
    trace = paper.play_binary_histories(
        paper.named_policy(s.policy), arms=len(s.means), rounds=s.rounds, rng=stream(0, "proofs", s)
    )
    return trace["pulls"].astype(float), trace["successes"].astype(float)


def probabilities(s):
    """P and Q, shape (time, history); what is shared by 2^(n - t) sequences is divided among them."""
    pulls, wins = histories(s)
    shared = 2.0 ** (s.rounds - np.arange(s.rounds + 1))[:, None]
    return [
        np.exp((wins * np.log(means) + (pulls - wins) * np.log1p(-np.array(means))).sum(axis=2)) / shared
        for means in (s.means, s.alternative)
    ]


def kl(p, q):
    """Divergence of coins with means p in [0, 1] and q in (0, 1)."""
    p, q = np.asarray(p, float), np.asarray(q, float)
    safe = np.maximum(p, 1e-300), np.maximum(1 - p, 1e-300)
    return p * np.log(safe[0] / q) + (1 - p) * np.log(safe[1] / (1 - q))


def information(s):
    """D after each round."""
    pulls, _ = histories(s)
    p, _ = probabilities(s)
    return (p[:, :, None] * pulls).sum(axis=1) @ kl(s.means, s.alternative)


exact = Proof(
    of=[paper.DECOMPOSITION, paper.BRETAGNOLLE_HUBER, paper.DATA_PROCESSING, paper.TWO_BANDITS],
    settings=paper.two_bandits_grid,
)


@exact.step("Histories are as likely under any means as the laws say")
def laws(s) -> Claim:
    """Probabilities sum to 1 after each round, under both bandits."""
    sums = np.array([law.sum(axis=1) for law in probabilities(s)])
    return claim(sums, "==", 1.0, "what a policy does is a function of the rewards before", rounding=ROUNDING)


@exact.step("A round adds the divergence of the arm that it pulls", uses=[laws])
def chain_rule(s) -> Claim:
    """E log(P / Q), round by round."""
    p, q = probabilities(s)
    pulls, _ = histories(s)
    added = np.diff((p * np.log(p / q)).sum(axis=1))
    chances = (p[1:, :, None] * np.diff(pulls, axis=0)).sum(axis=1)
    return claim(added, "==", chances @ kl(s.means, s.alternative), "the policy drops out of P / Q", rounding=ROUNDING)


@exact.step("Conclusion of the decomposition", uses=[chain_rule])
def decomposition(s) -> Claim:
    """Sum over rounds."""
    p, q = probabilities(s)
    return claim((p * np.log(p / q)).sum(axis=1), "==", information(s), "telescope", rounding=ROUNDING)


@exact.step("The affinity of P and Q is exp(-D / 2) at least", uses=[decomposition])
def affinity(s) -> Claim:
    """Sum of sqrt(P Q) = E exp(-log(P / Q) / 2)."""
    p, q = probabilities(s)
    return claim(np.exp(-information(s) / 2), "<=", np.sqrt(p * q).sum(axis=1), "Jensen", rounding=ROUNDING)


@exact.step("Twice the overlap of P and Q is the square of the affinity at least")
def overlap(s) -> Claim:
    """(sum sqrt(P Q))^2 <= sum min(P, Q) sum max(P, Q)."""
    p, q = probabilities(s)
    left = np.sqrt(p * q).sum(axis=1) ** 2
    why = "Cauchy-Schwarz, and the larger ones sum to 2 at most"
    return claim(left, "<=", 2 * np.minimum(p, q).sum(axis=1), why, rounding=ROUNDING)


@exact.step("Conclusion of Bretagnolle and Huber", uses=[affinity, overlap])
def bretagnolle_huber(s) -> Claim:
    """exp(-D) / 2 <= sum min(P, Q), which is the sum of the probabilities of both errors of the best test."""
    p, q = probabilities(s)
    errors = np.where(q >= p, p, 0.0).sum(axis=1) + np.where(p > q, q, 0.0).sum(axis=1)
    return claim(np.exp(-information(s)) / 2, "<=", errors, "put the two together", rounding=ROUNDING)


@exact.step("A coin whose chance is computed from a history tells no more than the history", uses=[decomposition])
def processing(s) -> Claim:
    """Log-sum inequality over histories, for both sides of the coin, for the share of each arm."""
    p, q = probabilities(s)
    pulls, _ = histories(s)
    t = np.maximum(np.arange(s.rounds + 1), 1)[:, None]
    left = []
    for a in range(len(s.means)):
        share = pulls[:, :, a] / t
        heads = [np.minimum((law * share).sum(axis=1), 1.0) for law in (p, q)]
        inside = np.clip(heads[1], 1e-300, 1 - 1e-16)
        left.append(np.where(np.isclose(heads[0], heads[1], rtol=1e-14), 0.0, kl(heads[0], inside)))
    return claim(np.max(left, axis=0), "<=", information(s), "x log(x / y) is convex in both", rounding=ROUNDING)


@exact.step("In every history both regrets together are d t at least")
def shared_cost(s) -> Claim:
    """Each arm costs d in one of the bandits."""
    pulls, _ = histories(s)
    gaps = [max(means) - np.array(means) for means in (s.means, s.alternative)]
    cost = pulls @ gaps[0] + pulls @ gaps[1]
    d = min(max(pair) for pair in zip(*gaps, strict=True))
    return claim(d * np.arange(s.rounds + 1)[:, None] + 0 * cost, "<=", cost, "sum over the rounds")


@exact.step("Conclusion for two bandits", uses=[bretagnolle_huber, shared_cost])
def two_bandits(s) -> Claim:
    """Both regrets weighed by min(P, Q) are no more than each weighed by its own law."""
    p, q = probabilities(s)
    pulls, _ = histories(s)
    gaps = [max(means) - np.array(means) for means in (s.means, s.alternative)]
    total = (p * (pulls @ gaps[0])).sum(axis=1) + (q * (pulls @ gaps[1])).sum(axis=1)
    d = min(max(pair) for pair in zip(*gaps, strict=True))
    left = d * np.arange(s.rounds + 1) * np.exp(-information(s)) / 2
    return claim(left, "<=", total, "replace both laws by the smaller of them", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

minimax = Proof(of=[paper.MINIMAX], settings=paper.hidden_grid)


@minimax.step("Hiding arm a costs a gap a round in one of the two bandits, whatever is pulled")
def hidden_cost(s) -> Claim:
    """The least over arms of the larger gap."""
    gaps = [bandit.means.max() - bandit.means for bandit in s.bandits]
    least = [np.maximum(gaps[0], other).min() for other in gaps[1:]]
    return claim(least, "==", s.gap, "the first arm costs a gap where one is hidden, all others where none is")


@minimax.step("A pull of the hidden arm tells twice the square of the gap")
def told(s) -> Claim:
    """Divergence of normal laws of variance 1 with means 0 and 2 gap, by an integral."""
    x, width = np.linspace(-12, 12, 100_001, retstep=True)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    integral = (density * ((x - 2 * s.gap) ** 2 - x**2) / 2).sum() * width
    return claim(integral, "==", 2 * s.gap**2, "half of the squared distance of the means", rounding=1e-9)


@minimax.step("On average over the hidden arm the pulls are t / (K - 1) at most", uses=[told])
def average(s) -> Claim:
    """The exponential is convex: the mean over a of exp(-2 gap^2 N_a), for random pulls that sum to t."""
    rng = stream(0, "allocations", s)
    shares = rng.dirichlet(np.full(s.arms, 0.3), size=1000)[:, 1:]
    left = np.exp(-2 * s.gap**2 * s.horizon / (s.arms - 1))
    right = np.exp(-2 * s.gap**2 * s.horizon * shares).mean(axis=1)
    return claim(left + 0 * right, "<=", right, "Jensen, and pulls of the first arm tell nothing")


@minimax.step("Conclusion, from the proof for two bandits", uses=[hidden_cost, average])
def minimax_conclusion(s) -> Claim:
    """The largest sum of the regrets, less gap t / 2 exp(-2 gap^2 t / (K - 1))."""
    trace = paper.play_hidden(s, stream(0, "times"))
    t = trace.times
    lower = s.gap * t / 2 * np.exp(-2 * s.gap**2 * t / (s.arms - 1))
    return claim(3 * s.gap * t - lower, "==", paper.MINIMAX.bound(s, trace), "d = gap, D = 2 gap^2 E N_a")


@minimax.step("With the best gap one of the bandits costs sqrt((K - 1) n) / 13.2")
def best_gap(s) -> Claim:
    """Half of the sum, at gap = sqrt((K - 1) / n) / 2."""
    n, k = s.horizon, s.arms
    gap = math.sqrt((k - 1) / n) / 2
    half = gap * n / 4 * math.exp(-2 * gap**2 * n / (k - 1))
    return claim(math.sqrt((k - 1) * n) / 13.2, "<=", half, "8 sqrt(e) is below 13.2")
