r"""Proof of the bounds of UCB1.

Notation. After r rounds the radius of an arm with s pulls is :math:`c(r, s) = \sqrt{2 \log r / s}`. The bound of the
best arm fails if :math:`\hat\mu_\star + c \le \mu_\star`, that of a worse arm a if :math:`\hat\mu_a - c \ge \mu_a`.
"""

import math

import numpy as np
from scipy.stats import binom

from proofs_checks._bandits import play, worse
from rltheory.simulation import stream
from rltheory.theorems.bandits import auer2002 as paper
from rltheory.theory import Claim, Proof, claim

MOST = 150  # rounds for which all tails are computed

ucb1 = Proof(
    of=[paper.PULLS_OF_UCB1, paper.REGRET_OF_UCB1, paper.DISTRIBUTION_FREE],
    settings=paper.bounded_grid,
)


def radius(r, pulls):
    """c(r, s)."""
    return np.sqrt(2 * np.log(r) / pulls)


@ucb1.step("From 8 log r / gap^2 pulls on, twice the radius is no more than the gap")
def narrow(s) -> Claim:
    """At every round."""
    r, gaps = np.arange(2, s.horizon)[:, None], s.positive_gaps
    pulls = np.maximum(np.ceil(8 * np.log(r) / gaps**2), 1)
    return claim(2 * radius(r, pulls), "<=", gaps + 0 * pulls, "solve 2 c(r, s) = gap for s")


@ucb1.step("A worse arm with as many pulls is pulled again only if its bound or the best arm's fails", uses=[narrow])
def pulled(s) -> Claim:
    """Along a run, for each worse arm."""
    run = play(s, lambda r, pulls, means: means + radius(r, pulls))
    arms, best = worse(s)
    left, right = [], []
    width = radius(run.rounds[:, None], run.pulls)
    fails = run.means[:, best] + width[:, best] <= s.means[best]
    for a in arms:
        gap = s.means[best] - s.means[a]
        left.append((run.arms == a) & (run.pulls[:, a] >= 8 * np.log(run.rounds) / gap**2))
        right.append(fails.astype(int) + (run.means[:, a] - width[:, a] >= s.means[a]))
    return claim(left, "<=", right, "else its index is below the best mean, and that below the index of the best arm")


@ucb1.step("With s pulls after r rounds a bound fails with probability r^-4 at most")
def hoeffding(s) -> Claim:
    """Exact tails of binomial laws, for both sides."""
    r, pulls = np.arange(2, MOST)[:, None, None], np.arange(1, MOST)[:, None]
    means = np.unique(s.means)
    deviation = pulls * radius(r, pulls)
    below = binom.cdf(np.floor(pulls * means - deviation + 1e-9), pulls, means)
    above = binom.sf(np.ceil(pulls * means + deviation - 1e-9) - 1, pulls, means)
    return claim(np.maximum(below, above), "<=", r**-4.0 + 0 * below, "Hoeffding: exp(-2 s c^2)")


@ucb1.step("Probabilities of failures of both arms, over pulls and rounds, sum to pi^2 / 3 at most", uses=[hoeffding])
def series(s) -> Claim:
    """The union over s <= r leaves 2 r^-3."""
    r = np.arange(2, s.horizon + 1)
    return claim((2 * r**-3.0).sum(), "<=", math.pi**2 / 3, "r^-3 <= r^-2, of which the sum is pi^2 / 6")


@ucb1.step("Conclusion for the pulls", uses=[pulled, series])
def conclusion(s) -> Claim:
    """Pulls before the threshold, one more for rounding it up, and failures: at each recorded time."""
    t = np.maximum(s.times, 1)
    gap = s.positive_gaps[:, None]
    threshold = np.maximum(np.ceil(8 * np.log(t) / gap**2), 1)
    bound = np.array([paper.pulls_bound(float(gap), s.times) for gap in s.positive_gaps])
    return claim(threshold + math.pi**2 / 3, "<=", bound, "the threshold grows with time")


@ucb1.step("Conclusion for the regret", uses=[conclusion])
def regret(s) -> Claim:
    """Gaps times pulls."""
    total = sum(gap * paper.pulls_bound(gap, s.times) for gap in s.positive_gaps.tolist())
    trace = paper.play_ucb1(s, stream(0, "times"))
    return claim(total, "==", paper.REGRET_OF_UCB1.bound(s, trace), "the regret is the sum of gaps times pulls")


@ucb1.step("Whatever the pulls that respect the bound, the regret is below the root", uses=[conclusion])
def roots(s) -> Claim:
    """Sum of gap x <= sum of sqrt(x) sqrt(gap^2 x), where sums of x are t at most; for random x."""
    rng, gaps = stream(0, "pulls", s), s.positive_gaps
    trace = paper.play_ucb1(s, stream(0, "times"))
    t = trace.times[1:, None, None]
    shares = rng.dirichlet(np.full(gaps.size, 0.3), size=(1, 100))
    most = np.array([paper.pulls_bound(gap, trace.times[1:]) for gap in gaps.tolist()]).T[:, None, :]
    regrets = (gaps * np.minimum(shares * t, most)).sum(axis=2)
    bound = np.asarray(paper.DISTRIBUTION_FREE.bound(s, trace))[1:, None]
    return claim(regrets, "<=", bound + 0 * regrets, "Cauchy-Schwarz, and gaps are 1 at most")
