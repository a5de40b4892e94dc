r"""Successive elimination, LUCB and KL-LUCB: policies that stop when confidence intervals are apart.

With n pulls of an arm and :math:`\hat\mu` their mean, the interval of the arm is :math:`\{q : n\, d(\hat\mu, q) \le
\beta(n)\}`, with the divergence of a family of laws. Where

.. math:: \beta(n) = \log \frac{\pi^2 K n^2}{3 \delta},

all K intervals hold the means at all times with probability :math:`1 - \delta`: each of their 2K ends fails after n
pulls with probability :math:`e^{-\beta(n)}` at most, by Chernoff's bound, and :math:`\sum_n n^{-2} = \pi^2 / 6`. For
:math:`\sigma`-subgaussian rewards the family is Gaussian, and the interval :math:`\hat\mu \pm
\sigma \sqrt{2 \beta(n) / n}`.
"""

import math
from functools import cache

import numpy as np

from rltheory.algorithms.bandits.families import BERNOULLI, Family, gaussian_family
from rltheory.algorithms.bandits.play import Kernel
from rltheory.algorithms.best_arm.play import Samples, StoppingPolicy
from rltheory.arrays import Vector, positive
from rltheory.jit import kernel
from rltheory.problems.bandit import Law
from rltheory.problems.divergences import DIVERGENCES, Divergence

__all__ = ["divergence_of", "kl_lucb", "lucb", "risk", "successive_elimination", "union_bound"]

TOLERANCE = 1e-12
SLOWEST = 200  # Newton steps and halvings


def risk(delta: float) -> float:
    """Check the probability of a wrong answer that is allowed."""
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; it must lie in (0, 1)")
    return float(delta)


def divergence_of(family: Family) -> Divergence:
    """Kernels of the divergence of a family, for its precision 1."""
    return DIVERGENCES[Law[family.name.upper()]]


@kernel
def union_bound(pulls: float, arms: int, delta: float) -> float:
    r"""Compute :math:`\beta(n)`, by a union over arms, ends of intervals, and numbers of pulls."""
    return math.log(math.pi * math.pi * arms * pulls * pulls / (3.0 * delta))


@cache
def _eliminate(threshold: Kernel) -> Kernel:
    @kernel
    def choose(t: int, parameters: Vector, samples: Samples) -> tuple[int, bool]:
        counts, sums, memory = samples
        k, gone, place = counts.size, memory[0], int(memory[1, 0])
        for a in range(place, k):
            if gone[a] == 0.0:
                memory[1, 0] = a + 1.0
                return a, False
        largest, leader, left, pulls = -np.inf, 0, 0, 0.0
        for a in range(k):
            if gone[a] == 0.0:
                pulls = counts[a]
                if sums[a] > largest:
                    largest, leader = sums[a], a
        radius = parameters[1] * math.sqrt(2.0 * threshold(pulls, k, parameters[0]) / pulls)
        for a in range(k):
            if gone[a] == 0.0:
                if (largest - sums[a]) / pulls > 2.0 * radius:
                    gone[a] = 1.0
                else:
                    left += 1
        if left == 1:
            return leader, True
        first = 0
        while gone[first] == 1.0:
            first += 1
        memory[1, 0] = first + 1.0
        return first, False

    return choose


def successive_elimination(delta: float, deviation: float = 0.5, *, threshold: Kernel = union_bound) -> StoppingPolicy:
    r"""Successive elimination :cite:`evendar2006`: pull the arms that are left in turns, and drop those that are worse.

    After a round of n pulls of each, an arm is dropped if its mean is below the largest by more than
    :math:`2 \sigma \sqrt{2 \beta(n) / n}`. The last arm is recommended.

    Parameters
    ----------
    delta
        Probability in (0, 1) with which the answer may be wrong.
    deviation
        :math:`\sigma > 0` for which rewards are subgaussian; 1/2 serves rewards in [0, 1].
    threshold
        Kernel ``threshold(n, arms, delta)``; :math:`\beta` by default.
    """
    parameters = risk(delta), positive(deviation, "deviation")
    return StoppingPolicy("successive elimination", _eliminate(threshold), parameters, 2, (-math.inf, math.inf))


@cache
def _end_of_interval(divergence: Kernel, variance: Kernel) -> Kernel:
    @kernel
    def end_of_interval(m: float, budget: float, limit: float) -> float:
        """Solve ``divergence(m, q) = budget`` for a q between the mean m and a limit of the rewards."""
        if limit == m:
            return m
        inner, outer = m, limit
        q = m + math.copysign(
            math.sqrt(2.0 * budget * variance(m)) + (budget if variance(m) == 0.0 else 0.0), limit - m
        )
        if not min(inner, outer) < q < max(inner, outer):
            q = 0.5 * (m + limit)
        for _ in range(SLOWEST):
            excess = divergence(m, q) - budget
            if excess > 0.0:
                outer = q
            else:
                inner = q
            following = q - excess * variance(q) / (q - m)
            if abs(following - q) <= TOLERANCE * abs(q - m):
                break
            if not min(inner, outer) < following < max(inner, outer):
                following = 0.5 * (inner + outer) if math.isfinite(outer) else 2.0 * q - m
            q = following
        return q

    return end_of_interval


@cache
def _choose_leader_and_challenger(end_of_interval: Kernel, threshold: Kernel) -> Kernel:
    @kernel
    def choose(t: int, parameters: Vector, samples: Samples) -> tuple[int, bool]:
        counts, sums, memory = samples
        k = counts.size
        if t < k:
            return t, False
        delta, precision, bottom, top = parameters
        lower, upper, known, waiting = memory[0], memory[1], memory[2], memory[3]
        if waiting[0] > 0.0:
            challenger = int(waiting[0]) - 1
            waiting[0] = 0.0
            return challenger, False
        leader, largest = 0, -np.inf
        for a in range(k):
            mean = sums[a] / counts[a]
            if counts[a] != known[a]:
                budget = threshold(counts[a], k, delta) / (counts[a] * precision)
                lower[a] = end_of_interval(mean, budget, bottom)
                upper[a] = end_of_interval(mean, budget, top)
                known[a] = counts[a]
            if mean > largest:
                leader, largest = a, mean
        challenger, highest = 0, -np.inf
        for a in range(k):
            if a != leader and upper[a] > highest:
                challenger, highest = a, upper[a]
        if lower[leader] > highest:
            return leader, True
        waiting[0] = challenger + 1.0
        return leader, False

    return choose


def _lucb(name: str, delta: float, family: Family, threshold: Kernel) -> StoppingPolicy:
    choose = _choose_leader_and_challenger(_end_of_interval(*divergence_of(family)), threshold)
    return StoppingPolicy(name, choose, (risk(delta), family.precision, *family.rewards), 4, family.rewards)


def lucb(delta: float, deviation: float = 0.5, *, threshold: Kernel = union_bound) -> StoppingPolicy:
    r"""LUCB :cite:`kalyanakrishnan2012`: pull the arm of the largest mean, and of the others that of the highest end.

    It stops when the lower end of the interval of the first, :math:`\hat\mu \pm \sigma \sqrt{2 \beta(n) / n}`, is above
    the upper end of the second.

    Parameters
    ----------
    delta
        Probability in (0, 1) with which the answer may be wrong.
    deviation
        :math:`\sigma > 0` for which rewards are subgaussian; 1/2 serves rewards in [0, 1].
    threshold
        Kernel ``threshold(n, arms, delta)``; :math:`\beta` by default, in place of the paper's, which counts all pulls.
    """
    return _lucb("LUCB", delta, gaussian_family(deviation), threshold)


def kl_lucb(delta: float, family: Family = BERNOULLI, *, threshold: Kernel = union_bound) -> StoppingPolicy:
    r"""KL-LUCB :cite:`kaufmann2013`: LUCB with intervals :math:`\{q : n\, d(\hat\mu, q) \le \beta(n)\}`.

    Parameters
    ----------
    delta
        Probability in (0, 1) with which the answer may be wrong.
    family
        Whose divergence is taken; Bernoulli's serves all rewards in [0, 1].
    threshold
        Kernel ``threshold(n, arms, delta)``; :math:`\beta` by default, in place of the paper's, which counts all pulls.
    """
    return _lucb("KL-LUCB", delta, family, threshold)
