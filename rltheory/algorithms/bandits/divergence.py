r"""Policies that compare means by divergences: KL-UCB, KL-UCB++, IMED and DMED.

With :math:`N` pulls of an arm so far, :math:`\hat\mu` their mean, t rounds so far and n the horizon. Arms are pulled
once each, in order, before anything is compared.

KL-UCB needs the largest upper bound only, :math:`\max_a \max\{q : N_a \mathrm{kl}(\hat\mu_a, q) \le f(t)\}`. Newton
steps of all arms are made from one point; the largest of their ends is the next point, and the arm that it came from is
the choice when it no longer moves. As divergences are convex, the first step leads to a point that no upper bound
exceeds, and the others descend. So logarithms are taken once a point, not once an arm, and the point of the last round
is a good one to begin with.
"""

import math
from functools import cache

import numpy as np

from rltheory.algorithms.bandits.families import BERNOULLI, LEAST, Family
from rltheory.algorithms.bandits.index import first, index_policy, no_clock
from rltheory.algorithms.bandits.play import Columns, Kernel, Policy, keep_larger
from rltheory.arrays import Vector, count, not_negative
from rltheory.jit import kernel
from rltheory.logarithm import logarithm

__all__ = ["dmed", "imed", "kl_ucb", "kl_ucb_plus_plus", "upper_bound"]

TOLERANCE = 1e-11  # of a coordinate, relative to it where it exceeds 1
SLOWEST = 100  # Newton steps


@kernel
def _start(parameters: Vector, columns: Columns) -> None:
    columns.memory[:] = -np.inf


@kernel
def _inverse(pulls: float) -> float:
    return 1.0 / pulls


@kernel
def _logarithm(pulls: float) -> float:
    return logarithm(pulls)


@cache
def _observe_means(entropy: Kernel, of_pulls: Kernel) -> Kernel:
    @kernel
    def observe(t: int, parameters: Vector, columns: Columns) -> None:
        arms, memory, work = columns.arms, columns.memory, columns.work
        pulled, earned, x, y, z = columns.pulled, columns.earned, work[0], work[1], work[2]
        for lane in range(arms.size):
            x[lane] = earned[lane] / pulled[lane]
            y[lane] = entropy(x[lane])
            z[lane] = of_pulls(pulled[lane])
        means, entropies, others = memory[0], memory[1], memory[2]
        for lane in range(arms.size):
            a = arms[lane]
            means[a, lane], entropies[a, lane], others[a, lane] = x[lane], y[lane], z[lane]

    return observe


@cache
def _choose_by_upper_bound(top: Kernel, coordinate: Kernel, point: Kernel, kl: Kernel, slope: Kernel) -> Kernel:
    @kernel
    def choose(t: int, parameters: Vector, columns: Columns) -> None:
        arms, counts, memory, work = columns.arms, columns.counts, columns.memory, columns.work
        k, lanes = counts.shape[0], arms.size
        if t < k:
            for lane in range(lanes):
                arms[lane] = t
            return
        means, entropies, inverses, last = memory[0], memory[1], memory[2], memory[3, 0]
        here, following, x, y, ends, best = work[0], work[1], work[2], work[3], work[4], work[5]
        log_t = math.log(t)
        budget = (log_t + parameters[0] * math.log(max(log_t, 1.0))) / parameters[1]
        for lane in range(lanes):
            here[lane] = -np.inf
            best[lane] = -np.inf
        for a in range(k):
            for lane in range(lanes):
                here[lane] = max(here[lane], top(means[a, lane], budget * inverses[a, lane]))
            for lane in range(lanes):
                best[lane] = max(best[lane], means[a, lane])
        highest = best
        for lane in range(lanes):
            lowest = coordinate(best[lane])
            highest[lane] = coordinate(here[lane])
            here[lane] = last[lane] if last[lane] > lowest else highest[lane]
        for _ in range(SLOWEST):
            for lane in range(lanes):
                x[lane], y[lane] = point(here[lane])
                following[lane] = -np.inf
            for a in range(k):
                for lane in range(lanes):
                    s, m = here[lane], means[a, lane]
                    excess = kl(m, entropies[a, lane], s, x[lane], y[lane]) - budget * inverses[a, lane]
                    rise = slope(m, s, x[lane], y[lane])
                    ends[lane] = s - (excess / rise if rise > 0.0 else 0.0)
                keep_larger(a, ends, following, arms)
            moving = 0
            for lane in range(lanes):
                end = min(following[lane], highest[lane])
                moves = abs(here[lane] - end) > TOLERANCE * max(abs(end), 1.0)
                # Lanes that have arrived stay where they are, so that they do not depend on those beside them.
                here[lane] = end if moves else here[lane]
                moving += moves
            if moving == 0:
                break
        for lane in range(lanes):
            last[lane] = here[lane]

    return choose


def kl_ucb(family: Family = BERNOULLI, c: float = 0.0) -> Policy:
    r"""KL-UCB :cite:`garivier2011`, :cite:`cappe2013`.

    The index is :math:`\max\{q : N \mathrm{kl}(\hat\mu, q) \le \log t + c \log\log t\}`.

    Parameters
    ----------
    family
        Whose divergence is taken; Bernoulli's serves all rewards in [0, 1].
    c
        A number >= 0; 3 in the papers' analysis, 0 in their experiments. The second term counts from t = 3 on.
    """
    choose = _choose_by_upper_bound(family.top, family.coordinate, family.point, family.kl, family.slope)
    return _policy(
        f"KL-UCB(c={c:g})" if c else "KL-UCB", family, choose, _inverse, (not_negative(c, "c"), family.precision)
    )


def _policy(
    name: str, family: Family, choose: Kernel, of_pulls: Kernel, parameters: tuple[float, ...], rows: int = 4
) -> Policy:
    full_name = name if family is BERNOULLI else f"{name} ({family.name})"
    observe = _observe_means(family.entropy, of_pulls)
    return Policy(
        full_name, _start, choose, observe, parameters, lambda arms, lanes: (rows, arms, lanes), family.rewards
    )


@cache
def _choose_by_minimal_divergence(coordinate: Kernel, point: Kernel, kl: Kernel) -> Kernel:
    @kernel
    def choose(t: int, parameters: Vector, columns: Columns) -> None:
        arms, counts, memory, work = columns.arms, columns.counts, columns.memory, columns.work
        k, lanes = counts.shape[0], arms.size
        if t < k:
            for lane in range(lanes):
                arms[lane] = t
            return
        means, entropies, logarithms = memory[0], memory[1], memory[2]
        best, s, x, y, largest, indices = work[0], work[1], work[2], work[3], work[4], work[5]
        precision = parameters[0]
        for lane in range(lanes):
            best[lane] = -np.inf
            largest[lane] = -np.inf
        for a in range(k):
            for lane in range(lanes):
                best[lane] = max(best[lane], means[a, lane])
        for lane in range(lanes):
            s[lane] = coordinate(best[lane])
            x[lane], y[lane] = point(s[lane])
        for a in range(k):
            for lane in range(lanes):
                distance = kl(means[a, lane], entropies[a, lane], s[lane], x[lane], y[lane])
                indices[lane] = -precision * counts[a, lane] * max(distance, 0.0)
            for lane in range(lanes):
                indices[lane] -= logarithms[a, lane]
            keep_larger(a, indices, largest, arms)

    return choose


def imed(family: Family = BERNOULLI) -> Policy:
    r"""IMED :cite:`honda2015`: pull the arm with the least :math:`N \mathrm{kl}(\hat\mu, \max_b \hat\mu_b) + \log N`.

    Parameters
    ----------
    family
        Whose divergence is taken; Bernoulli's serves all rewards in [0, 1].
    """
    choose = _choose_by_minimal_divergence(family.coordinate, family.point, family.kl)
    return _policy("IMED", family, choose, _logarithm, (family.precision,))


@cache
def _choose_from_list(coordinate: Kernel, point: Kernel, kl: Kernel) -> Kernel:
    @kernel
    def choose(t: int, parameters: Vector, columns: Columns) -> None:
        arms, counts, memory, work = columns.arms, columns.counts, columns.memory, columns.work
        k, lanes = counts.shape[0], arms.size
        if t < k:
            for lane in range(lanes):
                arms[lane] = t
            return
        means, entropies, logarithms, listed, following = memory[0], memory[1], memory[2], memory[3], memory[4]
        best, s, x, y, left = work[0], work[1], work[2], work[3], work[4]
        precision, log_t, all_at_first = parameters[0], math.log(t), t == k
        for lane in range(lanes):
            best[lane] = -np.inf
            left[lane] = 0.0
        for a in range(k):
            for lane in range(lanes):
                best[lane] = max(best[lane], means[a, lane])
                if all_at_first:
                    listed[a, lane] = 1.0
                    following[a, lane] = 0.0
                left[lane] += listed[a, lane]
        for lane in range(lanes):
            s[lane] = coordinate(best[lane])
            x[lane], y[lane] = point(s[lane])
        for a in range(k):
            for lane in range(lanes):
                distance = kl(means[a, lane], entropies[a, lane], s[lane], x[lane], y[lane])
                cost = precision * counts[a, lane] * max(distance, 0.0) if means[a, lane] < best[lane] else 0.0
                worth = listed[a, lane] == 0.0 and cost <= log_t - logarithms[a, lane]
                following[a, lane] = 1.0 if worth else following[a, lane]
        for lane in range(lanes):
            arms[lane] = -1
        for a in range(k):
            for lane in range(lanes):
                if left[lane] == 0.0:
                    listed[a, lane] = following[a, lane]
                    following[a, lane] = 0.0
                if arms[lane] < 0 and listed[a, lane] == 1.0:
                    arms[lane] = a
        for lane in range(lanes):
            listed[arms[lane], lane] = 0.0

    return choose


def dmed(family: Family = BERNOULLI) -> Policy:
    r"""DMED :cite:`honda2010`: pull all arms of a list, in order, and then those of the next one.

    The first list has all arms. After each pull those arms that wait in no list enter the next one for which
    :math:`N \mathrm{kl}(\hat\mu, \max_b \hat\mu_b) \le \log t - \log N`.

    Parameters
    ----------
    family
        Whose divergence is taken; Bernoulli's serves all rewards in [0, 1].
    """
    choose = _choose_from_list(family.coordinate, family.point, family.kl)
    return _policy("DMED", family, choose, _logarithm, (family.precision,), rows=5)


@cache
def _upper_coordinate(
    entropy: Kernel, top: Kernel, coordinate: Kernel, point: Kernel, kl: Kernel, slope: Kernel
) -> Kernel:
    @kernel
    def upper_coordinate(mean: float, budget: float) -> float:
        constant, s, least = entropy(mean), coordinate(top(mean, budget)), coordinate(mean)
        for _ in range(SLOWEST):
            x, y = point(s)
            excess = kl(mean, constant, s, x, y) - budget
            if excess <= 0.0:
                break
            before = s
            # Where the budget is 0 or nearly so, excess and slope may be nothing but rounding.
            s = max(s - excess / max(slope(mean, s, x, y), LEAST), least)
            if before - s <= TOLERANCE * max(abs(s), 1.0):
                break
        return float(s)

    return upper_coordinate


def upper_bound(family: Family, mean: float, budget: float) -> float:
    r"""Return the largest q with :math:`\mathrm{kl}(m, q) \le b`.

    Parameters
    ----------
    family
        Whose divergence is taken.
    mean
        The mean m, among those of the family's laws.
    budget
        b >= 0, as :math:`f(t) / N` in KL-UCB.

    Raises
    ------
    ValueError, TypeError
        If the mean lies outside the bounds of the rewards, or the budget is negative.

    Examples
    --------
    >>> print(f"{upper_bound(BERNOULLI, 0.5, 0.1):.6f}")
    0.712879
    """
    low, high = family.rewards
    if not low <= mean <= high:
        raise ValueError(f"mean is {mean}; it must lie in [{low:g}, {high:g}]")
    budget = not_negative(budget, "budget") / family.precision
    s = _upper_coordinate(*family[1:7])(float(mean), budget)
    return float(family.point(s)[0])


@cache
def _remember_upper_bound(upper_coordinate: Kernel) -> Kernel:
    @kernel
    def remember(pulls: float, mean: float, square: float, arms: int, parameters: Vector) -> tuple[float, float, float]:
        ratio = parameters[0] / (arms * pulls)
        log_ratio = math.log(max(ratio, 1.0))
        level = math.log(max(ratio * (log_ratio * log_ratio + 1.0), 1.0))
        return upper_coordinate(mean, level / (pulls * parameters[1])), 0.0, 0.0

    return remember


def kl_ucb_plus_plus(family: Family = BERNOULLI, horizon: int | None = None) -> Policy:
    r"""KL-UCB++ :cite:`menard2017`, at once minimax optimal and asymptotically optimal.

    The index is :math:`\max\{q : N \mathrm{kl}(\hat\mu, q) \le g(N)\}` with
    :math:`g(N) = \log^+\bigl(\tfrac{n}{KN} (\log^{+2} \tfrac{n}{KN} + 1)\bigr)`.

    Parameters
    ----------
    family
        Whose divergence is taken; Bernoulli's serves all rewards in [0, 1].
    horizon
        n; that of the run by default.
    """
    n = None if horizon is None else count(horizon, "horizon", at_least=1)
    name = "KL-UCB++" if family is BERNOULLI else f"KL-UCB++ ({family.name})"
    remember = _remember_upper_bound(_upper_coordinate(*family[1:7]))
    return index_policy(name, no_clock, remember, first, (n, family.precision), family.rewards, numbers=1)
