r"""Proofs on hybrid NORA: switches, and regret with bonuses and without.

Notation is that of the proofs on NORA; visits n count the data, of which there are :math:`n_0`. Learners are those of
that file, which begin with data.
"""

import math
from collections.abc import Iterator

import numpy as np

from proofs_checks.tan2025 import ROUNDING, all_times, laws_and_means, lost, optimum, values_of, walk
from rltheory.instances import diabolical_lock, random_episodes
from rltheory.simulation import stream
from rltheory.theorems.episodes import tan2025_hybrid as paper
from rltheory.theorems.episodes.tan2025 import arms, tracking_constant
from rltheory.theorems.episodes.tan2025_hybrid import HybridLearning
from rltheory.theory import Claim, Proof, claim


def learners() -> Iterator[HybridLearning]:
    """A coin, a lock with data of an expert, a random process with data of all, arms of which some are known."""
    yield HybridLearning(paper.coin(), 50, 1.0, visits=np.full((2, 3), 20))
    lock = diabolical_lock(stream(0, "proofs of hybrids", "lock"), 3, 2)
    yield HybridLearning(lock, 200, 5.0, visits=paper.expert_visits(lock, 0.2, 3000))
    process = random_episodes(stream(0, "proofs of hybrids", "random"), 4, 3, 3)
    yield HybridLearning(process, 200, 20.0, 0.2, visits=np.full((3, process.choices), 20))
    yield HybridLearning(arms(np.array([0.1, 0.3, 0.0])), 300, 0.3, visits=np.array([[5000, 10, 0], [1, 5000, 5000]]))


# Switches.

switches = Proof(of=[paper.SWITCHES], settings=learners)


def online_and_charges(s):
    """Visits of rows in the episodes so far, and how often each was charged with a change, (T, H, C)."""
    w = walk(s, "NORA")
    flags = np.zeros((s.episodes, w.r.size), int)
    for t in range(1, s.episodes):
        if w.k[t] == 0:
            flags[t, (w.n[t] >= np.maximum(1, 2 * w.then[t - 1])).argmax()] = 1
    return w.n[:-1] - w.n[0], flags.cumsum(axis=0).reshape(w.n[:-1].shape)


@switches.step("A row of which there are n_0 > 0 data has n >= 2^j n_0 after j charges; others n >= 2^(j - 1)")
def doubling(s: HybridLearning) -> Claim:
    """Each time its visits have doubled."""
    online, charges = online_and_charges(s)
    least = np.where(s.visits > 0, 2.0**charges * s.visits, np.where(charges > 0, 2.0 ** (charges - 1), 0))
    return claim(least, "<=", online + s.visits, "the visits then are those now, or fewer")


@switches.step("Hence j <= m and j <= 1 + log2 m after m visits online, and j = 0 if m < n_0", uses=[doubling])
def charges_of_a_row(s: HybridLearning) -> Claim:
    """From 2^j - 1 <= m / n_0."""
    online, charges = online_and_charges(s)
    most = np.where(online < s.visits, 0, np.minimum(online, 1 + np.log2(np.maximum(online, 1))))
    return claim(charges, "<=", most, "(2^j - 1) n_0 <= m, and n_0 >= 1; or 2^(j - 1) <= m")


@switches.step("Rows with n_0 <= t share t visits: the charges of a stage are C_h psi(t / C_h) at most, and are all")
def charges_of_a_stage(s: HybridLearning) -> Claim:
    """Jensen's inequality for the concave hull of whole numbers, which psi exceeds."""
    _, charges = online_and_charges(s)
    t = np.arange(1, s.episodes + 1)[:, None]
    few = (s.visits <= t[:, :, None]).sum(axis=2)
    share = t / np.maximum(few, 1)
    bound = few * np.where(share < 1, share, 1 + np.log2(np.maximum(share, 1)))
    return claim(charges.sum(axis=2), "<=", bound, "the hull joins (0, 0), (1, 1), (2, 2), (4, 3), and so on")


@switches.step("Conclusion", uses=[charges_of_a_row, charges_of_a_stage])
def switches_conclusion(s: HybridLearning) -> Claim:
    """Each change is charged to one row."""
    changes = np.cumsum(walk(s, "NORA").k == 0) - 1
    return claim(changes, "<=", paper.SWITCHES.bound(s, all_times(s)), "sum over the stages")


# Lost optimism, and regret.

lost_optimism = Proof(of=[paper.LOST_OPTIMISM], settings=learners)
regret_with_bonus = Proof(of=[paper.REGRET_WITH_BONUS], settings=learners)
regret_without_bonus = Proof(of=[paper.REGRET_WITHOUT_BONUS], settings=learners)


def half_limit(w):
    """The bonus b where there are visits, otherwise H - h: what a critic without bonuses errs, (T, H, C)."""
    return np.where(w.then > 0, w.b, len(w.r) - 1.0 - w.stages)


def excess(w, factor):
    """Most by which f may exceed T f: factor b, or where there are no visits H - h with bonuses, and 0 without."""
    return np.where(w.then > 0, factor * w.b, (factor - 1) * (len(w.r) - 1.0 - w.stages))


def mean(s, w, of_choices):
    """Mean sum over a trajectory of the policy of each episode, (T,)."""
    return (w.occupancy(w.policy, s.problem.initial) * of_choices).sum(axis=(1, 2))


def coverage_of_optimum(s, w):
    """Occupancy of an optimal policy (H, C), and its coverage by stage (H,)."""
    d = w.occupancy(optimum(s)[1][None], s.problem.initial)[0]
    return d, np.divide(d, s.visits, out=np.where(d > 0, np.inf, 0), where=s.visits > 0).sum(axis=1)


def without_bonus(proof):
    """The steps on what a critic without bonuses promises."""
    laws, means = laws_and_means(proof, "NORA", 0.0)

    @proof.step("Then |f - T f| <= b, and -(H - h) <= f - T f <= 0 for choices never made", uses=[laws, means])
    def errors(s: HybridLearning) -> Claim:
        """In this run the event takes place."""
        w = walk(s, "NORA", 0.0)
        error = w.f - w.backups(w.greatest(w.f))
        off = np.where(w.then > 0, np.abs(error), np.maximum(error, 0) + np.maximum(-error, 0))
        return claim(off, "<=", half_limit(w), "V lies in [0, H - h], so b covers it", rounding=ROUNDING)

    @proof.step("V* - max f <= sum_h E_* b_h", uses=[errors])
    def telescoped(s: HybridLearning) -> Claim:
        """Along an optimal policy V* - V <= T f - f + P (V* - V)."""
        w = walk(s, "NORA", 0.0)
        d, _ = coverage_of_optimum(s, w)
        promised = values_of(w, "NORA")[:, 0] @ s.problem.initial
        why = "f of the choice of the policy is at most max f; induction over stages"
        return claim(optimum(s)[0] - promised, "<=", (d * half_limit(w)).sum(axis=(1, 2)), why, rounding=ROUNDING)

    @proof.step("sum_c d*(c) n(c)^(-1/2) <= (sum_c d*(c) / n_0(c))^(1/2)")
    def jensen(s: HybridLearning) -> Claim:
        """At each stage but the last, where b = 0, d* is a distribution; data only grow."""
        w = walk(s, "NORA", 0.0)
        d, kappa = coverage_of_optimum(s, w)
        mean_root = (d / np.sqrt(np.maximum(w.then, 1))).sum(axis=2)
        return claim(mean_root[:, :-1], "<=", np.sqrt(kappa[:-1]), "Jensen's inequality for the root; n >= n_0")

    return errors, telescoped, jensen


_, promise, spread = without_bonus(lost_optimism)


@lost_optimism.step("Conclusion, with probability 1 - delta", uses=[promise, spread])
def lost_conclusion(s: HybridLearning) -> Claim:
    """As b = (H - h) (L / (2 n))^(1/2) at most."""
    promised = values_of(walk(s, "NORA", 0.0), "NORA")[:, 0] @ s.problem.initial
    bound = paper.LOST_OPTIMISM.bound(s, all_times(s))
    return claim(optimum(s)[0] - promised, "<=", bound, "insert b")


@lost_optimism.step("With N trajectories the bound is H (H - 1) / 2 (L c* / (2 N))^(1/2) at most, N the least number")
def lost_by_trajectories(s: HybridLearning) -> Claim:
    """With the number N of records of a stage, c* is the largest of N kappa*_h."""
    w = walk(s, "NORA", 0.0)
    trajectories, horizon = s.visits.sum(axis=1)[:-1], len(w.r)
    c = (trajectories * coverage_of_optimum(s, w)[1][:-1]).max()
    right = horizon * (horizon - 1) / 2 * math.sqrt(s.log * c / (2 * trajectories.min()))
    return claim(s.lost_optimism(), "<=", right, "replace each kappa*_h by the largest")


def on_the_way(proof, bonus, factor):
    """The steps on what the critic errs along the policies that are played."""

    @proof.step("Within the part it errs (H - h) (factor^2 L kappa(X) / 2)^(1/2) in the mean of any episode, at most")
    def within(s: HybridLearning) -> Claim:
        """Cauchy-Schwarz, as the part has probability 1 at most; then the largest mean over policies."""
        w = walk(s, "NORA", bonus)
        d = w.occupancy(w.policy, s.problem.initial)
        left = np.where(s.part, d * excess(w, factor), 0).sum(axis=2)
        kappa = np.divide(d, s.visits, out=np.zeros_like(d), where=s.part & (s.visits > 0)).sum(axis=2)
        right = (len(w.r) - 1.0 - w.stages[:, 0]) * factor * np.sqrt(s.log * kappa / 2)
        return claim(left, "<=", right, "Cauchy-Schwarz; n >= n_0", rounding=ROUNDING)

    @proof.step("There sum_c d(c) / n_0(c) <= kappa(X) for every policy")
    def largest(s: HybridLearning) -> Claim:
        """A linear program over occupancies."""
        from scipy.optimize import linprog

        w = walk(s, "NORA", bonus)
        d = w.occupancy(w.policy, s.problem.initial)
        left = np.divide(d, s.visits, out=np.zeros_like(d), where=s.part & (s.visits > 0)).sum(axis=2)
        (horizon, choices), states = w.r.shape, w.P.shape[2]
        flow = np.zeros((horizon, states, horizon, choices))
        for h in range(horizon):
            flow[h, w.owner, h, np.arange(choices)] = 1
            if h:
                flow[h, :, h - 1] = -w.P[h - 1].T
        start = np.append(s.problem.initial, np.zeros((horizon - 1) * states))
        best = []
        for h in range(horizon):
            cost = np.zeros((horizon, choices))
            np.divide(-1.0, s.visits[h], out=cost[h], where=s.part[h] & (s.visits[h] > 0))
            found = linprog(cost.ravel(), A_eq=flow.reshape(horizon * states, -1), b_eq=start)
            best.append(-found.fun)
        return claim(left, "<=", np.array(best), "definition of kappa(X)", rounding=ROUNDING)

    @proof.step("Outside, along the way, errors sum to (H - h) ((factor - 1) k + 2 factor (L k t)^(1/2)) at most")
    def outside(s: HybridLearning) -> Claim:
        """The first visit costs H - h with bonuses and nothing without; later ones n~ > n / 2, or n~ = n."""
        w = walk(s, "NORA", bonus)
        made = np.take_along_axis(np.where(s.part, 0, excess(w, factor)), w.made[:, :, None], axis=2)[:, :, 0]
        k, t = (~s.part).sum(axis=1), np.arange(1, s.episodes + 1)[:, None]
        right = (len(w.r) - 1.0 - w.stages[:, 0]) * ((factor - 1) * k + 2 * factor * np.sqrt(s.log * k * t))
        return claim(made.cumsum(axis=0), "<=", right, "sums of n^(-1/2) are 2 N^(1/2) at most; Cauchy-Schwarz")

    @proof.step("In the mean they do, up to the term of chance, with probability 1 - delta", uses=[outside])
    def in_the_mean(s: HybridLearning) -> Claim:
        """In this run the event takes place."""
        w = walk(s, "NORA", bonus)
        left = np.where(s.part, 0, excess(w, factor))
        reach = factor * ((len(w.r) - 1.0 - w.stages[:, 0]) * (~s.part).any(axis=1)).sum()
        noise = reach * math.sqrt(s.episodes * math.log(1 / s.delta) / 2)
        why = "Azuma's maximal inequality: errors of an episode sum to factor (H - h) at most, over stages with k > 0"
        return claim(np.cumsum(mean(s, w, left) - w.visited(left)), "<=", np.full(s.episodes, noise), why)

    @proof.step("The actor misses H (H + 1) / 2 after a change, and H kappa / (eta k) after k steps, at most")
    def follows(s: HybridLearning) -> Claim:
        """In each state: the theorem on tracking."""
        w, horizon = walk(s, "NORA", bonus), len(s.problem.stages)
        missed = mean(s, w, w.greatest(w.f)[:, :, w.owner] - w.f)
        later = horizon * tracking_constant(s.actions) / (s.eta * np.maximum(w.k, 1))
        limit = np.where(w.k == 0, horizon * (horizon + 1) / 2, later)
        return claim(missed, "<=", limit, "nora/tracking with x = eta k; f lies in [0, H - h + 1]", rounding=ROUNDING)

    @proof.step("Between changes these sum to the stated bracket", uses=[follows])
    def epochs(s: HybridLearning) -> Claim:
        """The harmonic sum; there are N_t + 1 stretches."""
        w, horizon = walk(s, "NORA", bonus), len(s.problem.stages)
        later = horizon * tracking_constant(s.actions) / s.eta
        limit = np.where(w.k == 0, horizon * (horizon + 1) / 2, later / np.maximum(w.k, 1))
        why = "1 + 1/2 + ... + 1/K <= 1 + log K, and hybrid-nora/switches"
        return claim(np.cumsum(limit), "<=", s.follows(all_times(s)), why)

    return within, largest, in_the_mean, epochs


laws, means = laws_and_means(regret_with_bonus, "NORA")


@regret_with_bonus.step("Then 0 <= f - T f <= 2 b, or H - h for choices never made", uses=[laws, means])
def errors_with_bonus(s: HybridLearning) -> Claim:
    """In this run the event takes place."""
    w = walk(s, "NORA")
    error = w.f - w.backups(w.greatest(w.f))
    why = "V lies in [0, H - h], so b covers it"
    return claim(np.abs(error - excess(w, 2) / 2), "<=", excess(w, 2) / 2, why, rounding=ROUNDING)


@regret_with_bonus.step("V* - V^pi <= sum E_pi [f - T f] + sum E_pi [max f - <pi, f>]", uses=[errors_with_bonus])
def optimism(s: HybridLearning) -> Claim:
    """V* is at most max f, whose distance from V^pi is the right side exactly."""
    w = walk(s, "NORA")
    right = mean(s, w, w.f - w.backups(w.greatest(w.f)) + w.greatest(w.f)[:, :, w.owner] - w.f)
    return claim(lost(s, w), "<=", right, "T f <= f by induction; the differences telescope", rounding=ROUNDING)


of_bonuses = on_the_way(regret_with_bonus, 1.0, 2)


@regret_with_bonus.step("Conclusion, with probability 1 - 2 delta", uses=[optimism, *of_bonuses])
def conclusion_with_bonus(s: HybridLearning) -> Claim:
    """Add up."""
    bound = paper.REGRET_WITH_BONUS.bound(s, all_times(s))
    return claim(np.cumsum(lost(s, walk(s, "NORA"))), "<=", bound, "the terms are those of the steps before")


errors, loss, jensen = without_bonus(regret_without_bonus)


@regret_without_bonus.step(
    "max f - V^pi <= sum E_pi [f - T f] + sum E_pi [max f - <pi, f>], and f - T f <= b", uses=[errors]
)
def regret_of_promise(s: HybridLearning) -> Claim:
    """The differences telescope, and f - T f <= 0 for choices never made."""
    w = walk(s, "NORA", 0.0)
    promised = values_of(w, "NORA")[:, 0] @ s.problem.initial
    right = mean(s, w, excess(w, 1) + w.greatest(w.f)[:, :, w.owner] - w.f)
    return claim(lost(s, w) - optimum(s)[0] + promised, "<=", right, "telescope", rounding=ROUNDING)


of_errors = on_the_way(regret_without_bonus, 0.0, 1)


@regret_without_bonus.step(
    "Conclusion, with probability 1 - 2 delta", uses=[loss, jensen, regret_of_promise, *of_errors]
)
def conclusion_without_bonus(s: HybridLearning) -> Claim:
    """Add up."""
    bound = paper.REGRET_WITHOUT_BONUS.bound(s, all_times(s))
    return claim(np.cumsum(lost(s, walk(s, "NORA", 0.0))), "<=", bound, "the terms are those of the steps before")
