r"""Proof of the bounds of KL-UCB.

Notation. The bound of the best arm fails after r rounds if :math:`\hat\mu_\star < \mu_\star` and
:math:`N_\star\, \mathrm{kl}(\hat\mu_\star, \mu_\star) > f(r)`. Exact probabilities are those of Bernoulli rewards.
"""

import math

import numpy as np
from scipy.stats import binom

from proofs_checks._bandits import play, worse
from rltheory.simulation import stream
from rltheory.theorems.bandits import garivier2011 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDS = (2, 3, 5, 10, 30, 100)

kl_ucb = Proof(of=[paper.PULLS_OF_KL_UCB, paper.REGRET_OF_KL_UCB], settings=paper.grid)


def kl(p, q):
    """Divergence of Bernoulli laws with means p and q in (0, 1); p may be 0 or 1."""
    p, q = np.broadcast_arrays(np.asarray(p, float), np.asarray(q, float))
    inside = np.clip(p, 1e-300, None), np.clip(1 - p, 1e-300, None)
    return p * np.log(inside[0] / q) + (1 - p) * np.log(inside[1] / (1 - q))


def f(r):
    """Budget after r rounds."""
    return math.log(r) + 3 * math.log(max(math.log(r), 1))


def index(r, pulls, means):
    """Largest q with N kl <= f, by bisection."""
    low, high = means.copy(), np.ones(means.size)
    for _ in range(45):
        middle = (low + high) / 2
        inside = pulls * kl(means, np.minimum(middle, 1 - 1e-16)) <= f(r)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return high


@kl_ucb.step("A worse arm is pulled again only if the best arm's bound fails, or its own mean is within its budget")
def pulled(s) -> Claim:
    """Along a run, for each worse arm; with f(r) <= f(t) each s counts once."""
    run = play(s, index, most=150)
    arms, best = worse(s)
    budget, mean = np.array([f(r) for r in run.rounds]), s.means[best]
    left, right = [], []
    fails = (run.means[:, best] < mean) & (run.pulls[:, best] * kl(run.means[:, best], mean) > budget - 1e-9)
    for a in arms:
        within = (run.means[:, a] >= mean) | (run.pulls[:, a] * kl(run.means[:, a], mean) <= budget + 1e-9)
        left.append(run.arms == a)
        right.append(fails.astype(int) + within)
    return claim(left, "<=", right, "its index is at least that of the best arm, which is the best mean or more")


@kl_ucb.step("Slices of ratio 1 + 1 / (f - 1) are f log r at most, rounded up, and cost a factor e each")
def slices(s) -> Claim:
    """log(1 + 1 / (x - 1)) >= 1 / x for x > 1, where exp(-x / (1 + 1 / (x - 1))) = e exp(-x)."""
    x = np.linspace(1.001, 100, 5000)
    return claim(1 / x, "<=", np.log1p(1 / (x - 1)), "log(1 + y) >= y / (1 + y)")


@kl_ucb.step("The bound of the best arm fails with probability p_r at most", uses=[slices])
def failure(s) -> Claim:
    """Exact: a walk of successes that is stopped where it leaves its budget; at some r."""
    mean, left, right = s.best_mean, [], []
    for r in ROUNDS:
        law, stopped = np.array([1.0]), 0.0
        for pulls in range(1, r + 1):
            law = np.append(law * (1 - mean), 0.0) + np.append(0.0, law * mean)
            empirical = np.arange(pulls + 1) / pulls
            outside = (empirical < mean) & (pulls * kl(empirical, mean) > f(r))
            stopped += law[outside].sum()
            law[outside] = 0.0
        left.append(stopped)
        right.append(min(1.0, min(r, math.e * math.ceil(f(r) * math.log(r))) * math.exp(-f(r))))
    return claim(left, "<=", right, "Ville's inequality in each slice; or Chernoff's for each number of pulls")


@kl_ucb.step("With s pulls the mean of a worse arm exceeds x with probability exp(-s kl(x, mean)) at most")
def chernoff(s) -> Claim:
    """Exact tails."""
    arms, best = worse(s)
    left, right = [], []
    for a in arms:
        x = s.means[a] + (s.means[best] - s.means[a]) * np.array([[0.1], [0.5], [0.9]])
        pulls = np.arange(1, 200)
        left.append(binom.sf(np.ceil(pulls * x - 1e-9) - 1, pulls, s.means[a]))
        right.append(np.exp(-pulls * kl(x, s.means[a])))
    return claim(left, "<=", right, "Chernoff; rewards in [0, 1] have no larger exponential moments than coins")


@kl_ucb.step("Mean number of pulls within budget, for every x", uses=[chernoff])
def within_budget(s) -> Claim:
    """Exact sum over s <= t of P(s kl^+(mean of s, best mean) <= f(t)), against f / kl + tail."""
    arms, best = worse(s)
    t, left, right = s.horizon, [], []
    for a in arms:
        exact = 0.0
        for pulls in range(1, t + 1):
            empirical = np.arange(pulls + 1) / pulls
            inside = (empirical >= s.means[best]) | (pulls * kl(empirical, s.means[best]) <= f(t))
            exact += binom.pmf(np.arange(pulls + 1), pulls, s.means[a])[inside].sum()
        for share in np.linspace(0.05, 0.95, 19):
            x = s.means[a] + share * (s.means[best] - s.means[a])
            first, rate = f(t) / kl(x, s.means[best]), kl(x, s.means[a])
            left.append(exact)
            right.append(first + np.exp(-first * rate) / (1 - np.exp(-rate)))
    return claim(left, "<=", right, "from f / kl(x, best) pulls on the mean has to exceed x: a geometric series")


@kl_ucb.step("Conclusion for the pulls", uses=[pulled, failure, within_budget])
def conclusion(s) -> Claim:
    """A first pull, failures of the best arm, pulls within budget; at the last time."""
    t, bounds, totals = s.horizon, [], []
    failures = sum(
        min(1.0, min(r, math.e * math.ceil(f(r) * math.log(r))) * math.exp(-f(r))) for r in range(len(s.means), t)
    )
    for a in worse(s)[0]:
        least = math.inf
        for share in paper.SHARES:
            x = s.means[a] + share * (s.best_mean - s.means[a])
            first, rate = f(t) / float(kl(x, s.best_mean)), float(kl(x, s.means[a]))
            least = min(least, first + math.exp(-first * rate) / (1 - math.exp(-rate)))
        totals.append(1 + failures + least)
        bounds.append(paper.pulls_bound(s, s.means[a], s.times)[-1])
    return claim(totals, "==", bounds, "add up")


@kl_ucb.step("Conclusion for the regret", uses=[conclusion])
def regret(s) -> Claim:
    """Gaps times pulls."""
    trace = paper.play_kl_ucb(s, stream(0, "times"))
    total = sum((s.best_mean - s.means[a]) * paper.pulls_bound(s, s.means[a], s.times) for a in worse(s)[0])
    return claim(total, "==", paper.REGRET_OF_KL_UCB.bound(s, trace), "the regret is the sum of gaps times pulls")
