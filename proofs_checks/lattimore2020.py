r"""Proofs of the bounds of explore-then-commit, and of optimism with a fixed level or with one that falls.

Exact probabilities are those of Gaussian rewards of variance 1, which no 1-subgaussian ones exceed in the bounds used.
"""

import math
from itertools import product

import numpy as np
from scipy.stats import norm

from proofs_checks._bandits import play, worse
from rltheory.simulation import stream
from rltheory.theorems.bandits import lattimore2020 as paper
from rltheory.theory import Claim, Proof, claim

explore = Proof(of=[paper.EXPLORE_THEN_COMMIT], settings=paper.exploration_grid)


@explore.step("A worse arm is chosen with probability exp(-m gap^2 / 4) at most")
def wrong(s) -> Claim:
    """The exact probability that its mean of m rewards is above that of the best arm."""
    gaps = s.positive_gaps
    exact = norm.sf(gaps * math.sqrt(s.pulls / 2))
    return claim(exact, "<=", np.exp(-s.pulls * gaps**2 / 4), "the difference of the means is sqrt(2 / m)-subgaussian")


@explore.step("No arm is explored more often than m times, or than there were rounds")
def explored(s) -> Claim:
    """At each recorded time."""
    t, m = s.times, s.pulls
    gaps = s.bandit.gaps
    cost = sum(gap * np.clip(t - m * place, 0, m) for place, gap in enumerate(gaps))
    return claim(cost, "<=", np.minimum(t, m) * gaps.sum(), "arms are explored one after the other")


@explore.step("Conclusion", uses=[wrong, explored])
def explore_conclusion(s) -> Claim:
    """Exploration, and a gap for each round after it with the probability of the choice."""
    t, m, k = s.times, s.pulls, len(s.means)
    total = sum(
        gap * (np.minimum(t, m) + np.maximum(t - m * k, 0) * math.exp(-m * gap**2 / 4)) for gap in s.bandit.gaps
    )
    trace = paper.play_exploration(s, stream(0, "times"))
    return claim(total, "==", paper.EXPLORE_THEN_COMMIT.bound(s, trace), "add up")


# --------------------------------------------------------------------------------------------------

coins = Proof(of=[paper.EXACT_COMMITMENT], settings=paper.coins_grid)


@coins.step("The probability of the wrong choice, over all outcomes of m pulls of each arm")
def wrong_coin(s) -> Claim:
    """The second arm is chosen if it has won more often."""
    second = 0.0
    for first_wins, second_wins in product(product((0, 1), repeat=s.pulls), repeat=2):
        chance = math.prod(s.first if win else 1 - s.first for win in first_wins)
        chance *= math.prod(s.second if win else 1 - s.second for win in second_wins)
        second += chance * (sum(second_wins) > sum(first_wins))
    exact = second if s.first >= s.second else 1 - second
    return claim(exact, "==", paper.wrong_choice(s), "a sum of products of binomial laws")


@coins.step("Conclusion", uses=[wrong_coin])
def coins_conclusion(s) -> Claim:
    """Round by round: first the one arm, then the other, then the choice."""
    gap, regret, total = abs(s.first - s.second), [0.0], 0.0
    for t in range(s.rounds):
        explored = t // s.pulls
        total += gap * (paper.wrong_choice(s) if explored > 1 else float((explored == 0) == (s.first < s.second)))
        regret.append(total)
    trace = paper.play_all_coins(s, stream(0, "times"))
    return claim(regret, "==", paper.EXACT_COMMITMENT.bound(s, trace), "each round costs the gap or nothing")


# --------------------------------------------------------------------------------------------------

level = Proof(of=[paper.FIXED_LEVEL, paper.FIXED_LEVEL_REGRET], settings=paper.levelled_grid)


def enough(s):
    """Numbers u = 8 log(1 / delta) / gap^2, rounded up, for each worse arm."""
    return np.ceil(8 * math.log(1 / s.delta) / s.positive_gaps**2).astype(int)


@level.step("More than u pulls of a worse arm take a failing bound of the best one, or its own after u pulls")
def pulled_by_level(s) -> Claim:
    """Along a run; bounds of the best arm for all pulls up to now."""
    width = math.sqrt(2 * math.log(1 / s.delta))
    run = play(s, lambda r, pulls, means: means + width / np.sqrt(pulls))
    arms, best = worse(s)
    left, right = [], []
    best_bounds = run.empirical(best) + width / np.sqrt(np.arange(1, run.rewards.shape[1] + 1))
    for a, u in zip(arms, enough(s), strict=True):
        u_means = run.empirical(a)[min(u, run.rewards.shape[1]) - 1]
        left.append(run.pulls[-1, a] > u)
        right.append(int((best_bounds <= s.means[best]).any()) + int(u_means + width / math.sqrt(u) >= s.means[best]))
    return claim(left, "<=", right, "its index after u pulls would be below that of the best arm")


@level.step("The best arm's bounds fail with probability delta each")
def best_bounds(s) -> Claim:
    """Exact: sqrt(pulls) times the deviation is normal."""
    exact = norm.sf(math.sqrt(2 * math.log(1 / s.delta)))
    return claim(exact, "<=", s.delta, "exp(-x^2 / 2) for x = sqrt(2 log(1 / delta))")


@level.step("After u pulls the bound of a worse arm exceeds the best mean with probability delta at most")
def own_bound(s) -> Claim:
    """The radius is half of the gap at most, and the mean deviates by the other half."""
    u, gaps = enough(s), s.positive_gaps
    deviation = np.sqrt(u) * gaps - math.sqrt(2 * math.log(1 / s.delta))
    return claim(norm.sf(deviation), "<=", s.delta + 0 * gaps, "sqrt(u) gap >= 2 sqrt(2 log(1 / delta))")


@level.step("Conclusion", uses=[pulled_by_level, best_bounds, own_bound])
def level_conclusion(s) -> Claim:
    """Pulls are u, or t of them with probability t delta + delta."""
    t = s.times
    totals = [u + t * (t * s.delta + s.delta) for u in enough(s)]
    bounds = [paper.levelled_pulls(s, gap, s.times) for gap in s.positive_gaps.tolist()]
    return claim(totals, "<=", bounds, "u is rounded up by less than 1")


# --------------------------------------------------------------------------------------------------

falling = Proof(of=[paper.ASYMPTOTIC], settings=paper.gaussian_grid)


def log_f(t):
    """log(1 + t log^2 t)."""
    return np.log1p(t * np.log(t) ** 2)


def slacks(gap):
    """Some values of the free number, a row each."""
    return gap * np.array([0.1, 0.3, 0.5, 0.7, 0.9])


@falling.step("A worse arm is pulled only if the best arm's bound is too low by epsilon, or its own is not")
def pulled_again(s) -> Claim:
    """Along a run, for each worse arm and some epsilon."""
    run = play(s, lambda r, pulls, means: means + np.sqrt(2 * log_f(r + 1.0) / pulls))
    arms, best = worse(s)
    index = run.means + np.sqrt(2 * log_f(run.rounds + 1.0)[:, None] / run.pulls)
    left, right = [], []
    for a in arms:
        for epsilon in slacks(s.means[best] - s.means[a]):
            left.append(run.arms == a)
            level_now = s.means[best] - epsilon
            right.append((index[:, best] <= level_now).astype(int) + (index[:, a] >= level_now))
    return claim(left, "<=", right, "the index of the arm that is pulled is the largest")


@falling.step("Inverses of f sum to 5 / 2 at most")
def inverses(s) -> Claim:
    """The first 1e5 terms, and an integral for the rest."""
    t = np.arange(1, 100_001.0)
    return claim(
        np.exp(-log_f(t)).sum() + 1 / math.log(t[-1]), "<=", 2.5, "1 / (t log^2 t) has the integral -1 / log t"
    )


@falling.step("Rounds with too low a bound of the best arm are 5 / epsilon^2 at most, in the mean", uses=[inverses])
def best_too_low(s) -> Claim:
    """Exact normal tails, all rounds and all pulls up to a time."""
    r = np.arange(len(s.means), 200.0)
    pulls, left, right = np.arange(1, 200.0), [], []
    for gap in s.positive_gaps:
        for epsilon in slacks(gap):
            tails = norm.sf(np.sqrt(2 * log_f(r[:, None] + 1)) + epsilon * np.sqrt(pulls))
            left.append(np.where(pulls <= r[:, None], tails, 0.0).sum())
            right.append(5 / epsilon**2)
    return claim(left, "<=", right, "exp(-(x + y)^2 / 2) <= exp(-x^2 / 2) exp(-y^2 / 2), which sums to 2 / epsilon^2")


@falling.step("Pulls after which the bound of a worse arm is not low enough")
def own_too_high(s) -> Claim:
    """Exact normal tails over all pulls up to the horizon, at some times."""
    left, right = [], []
    pulls = np.arange(1, s.horizon + 1.0)
    for gap in s.positive_gaps:
        for rest in gap - slacks(gap):
            for t in (2.0, 10.0, float(s.horizon)):
                a = float(log_f(t))
                left.append(norm.sf(rest * np.sqrt(pulls[pulls <= t]) - math.sqrt(2 * a)).sum())
                right.append(1 + 2 * (a + math.sqrt(math.pi * a) + 1) / rest**2)
    why = "2 a / rest^2 pulls, one for rounding up, and an integral of exp(-(rest sqrt(x) - sqrt(2 a))^2 / 2)"
    return claim(left, "<=", right, why)


@falling.step("The integral of the last step")
def integral(s) -> Claim:
    """With v = rest sqrt(x) - sqrt(2 a) it is that of 2 (v + sqrt(2 a)) exp(-v^2 / 2) / rest^2, from v = 0 on."""
    v, width = np.linspace(0, 12, 200_001, retstep=True)
    left, right = [], []
    for gap in s.positive_gaps:
        for a in (0.1, 1.0, 10.0):
            values = 2 * (v + math.sqrt(2 * a)) * np.exp(-(v**2) / 2) / gap**2
            left.append(((values[1:] + values[:-1]) / 2).sum() * width)
            right.append(2 * (math.sqrt(math.pi * a) + 1) / gap**2)
    return claim(left, "==", right, "moments of a half of the normal law", rounding=1e-6)


@falling.step("Conclusion", uses=[pulled_again, best_too_low, own_too_high, integral])
def falling_conclusion(s) -> Claim:
    """A first pull, rounds with a low bound of the best arm, pulls with a high bound: at each recorded time."""
    t = np.maximum(s.times, 1).astype(float)
    a, totals = log_f(t), []
    for gap in s.positive_gaps:
        choices = [
            1 + 5 / epsilon**2 + 1 + 2 * (a + np.sqrt(math.pi * a) + 1) / (gap - epsilon) ** 2
            for epsilon in gap * paper.SHARES
        ]
        totals.append(gap * np.min(choices, axis=0))
    trace = paper.play_asymptotic_ucb(s, stream(0, "times"))
    return claim(np.sum(totals, axis=0)[1:], "==", np.asarray(paper.ASYMPTOTIC.bound(s, trace))[1:], "add up")
