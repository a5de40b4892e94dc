r"""Track-and-stop and uniform sampling, which stop by generalised likelihood ratios.

With :math:`\hat\mu_a` the mean of :math:`n_a` pulls, the evidence for arm a against b is, if
:math:`\hat\mu_a \ge \hat\mu_b`,

.. math:: Z_{ab} = n_a\, d(\hat\mu_a, \hat\mu_{ab}) + n_b\, d(\hat\mu_b, \hat\mu_{ab}), \qquad
          \hat\mu_{ab} = \frac{n_a \hat\mu_a + n_b \hat\mu_b}{n_a + n_b}.

Both policies stop when that for the arm with the largest mean, against each other, exceeds :math:`\beta(n_a, n_b)`,

.. math:: \beta = \log \frac{K - 1}{\delta} + \log\bigl(4 \sqrt{n_a n_b}\bigr) \quad \text{(rewards in [0, 1])}, \qquad
          \beta = \Bigl(1 + \frac{1}{\min(n_a, n_b)}\Bigr) \Bigl(\log \frac{K - 1}{\delta} +
          \tfrac12 \log\bigl((1 + n_a)(1 + n_b)\bigr)\Bigr) \quad \text{(Gaussian)}.

Then, whatever arms were pulled, the answer is wrong with probability :math:`\delta` at most. The first is below the
:math:`\log(2 t (K - 1) / \delta)` of :cite:`garivier2016`, Theorem 10, and proved in the same way.
"""

import math
from functools import cache

import numpy as np

from rltheory.algorithms.bandits.families import BERNOULLI, Family
from rltheory.algorithms.bandits.play import Kernel
from rltheory.algorithms.best_arm.confidence import divergence_of, risk
from rltheory.algorithms.best_arm.play import Samples, StoppingPolicy
from rltheory.arrays import Vector
from rltheory.jit import kernel
from rltheory.solvers.best_arm import weights_kernel

__all__ = ["track_and_stop", "uniform_sampling"]

TIE = 1e-9  # pulls that an arm may lack more than another and yet be as good: rounding must not choose


@kernel
def bernoulli_mixture(first: float, second: float, arms: int, delta: float) -> float:
    """Threshold for rewards in [0, 1], from Beta(1/2, 1/2) mixtures of two arms."""
    return math.log((arms - 1.0) / delta) + math.log(4.0) + 0.5 * math.log(first * second)


@kernel
def gaussian_mixture(first: float, second: float, arms: int, delta: float) -> float:
    """Threshold for Gaussian rewards, from mixtures of two arms over means that are a deviation off."""
    mixed = math.log((arms - 1.0) / delta) + 0.5 * math.log((1.0 + first) * (1.0 + second))
    return (1.0 + 1.0 / min(first, second)) * mixed


THRESHOLDS = {"Bernoulli": bernoulli_mixture, "Gaussian": gaussian_mixture}


@cache
def _evidence(divergence: Kernel, threshold: Kernel) -> Kernel:
    @kernel
    def decide(parameters: Vector, samples: Samples) -> tuple[int, bool]:
        """Return the arm with the largest mean, and whether it is known to be the best; means go to the memory."""
        counts, sums, means = samples.counts, samples.sums, samples.memory[0]
        k, delta, precision = counts.size, parameters[0], parameters[1]
        leader = 0
        for a in range(k):
            means[a] = sums[a] / counts[a]
            if means[a] > means[leader]:
                leader = a
        known = True
        for b in range(k):
            if known and b != leader:
                middle = (sums[leader] + sums[b]) / (counts[leader] + counts[b])
                evidence = counts[leader] * divergence(means[leader], middle) + counts[b] * divergence(means[b], middle)
                known = precision * evidence > threshold(counts[leader], counts[b], k, delta)
        return leader, known

    return decide


@cache
def _choose_in_turns(decide: Kernel) -> Kernel:
    @kernel
    def choose(t: int, parameters: Vector, samples: Samples) -> tuple[int, bool]:
        k = samples.counts.size
        if t < k:
            return t, False
        leader, known = decide(parameters, samples)
        return (leader, True) if known else (t % k, False)

    return choose


@cache
def _choose_by_deficit(decide: Kernel, weigh: Kernel) -> Kernel:
    @kernel
    def choose(t: int, parameters: Vector, samples: Samples) -> tuple[int, bool]:
        counts, memory = samples.counts, samples.memory
        k, means, weights, ratios = counts.size, memory[0], memory[1], memory[2]
        if t < k:
            ratios[t] = 1.0
            return t, False
        leader, known = decide(parameters, samples)
        if known:
            return leader, True
        least = 0
        for a in range(k):
            if counts[a] < counts[least]:
                least = a
        if counts[least] < math.sqrt(t) - 0.5 * k:
            return least, False
        weigh(means, leader, ratios, weights)
        chosen, largest = 0, -np.inf
        for a in range(k):
            if t * weights[a] - counts[a] > largest + TIE:
                chosen, largest = a, t * weights[a] - counts[a]
        return chosen, False

    return choose


def _threshold(family: Family, threshold: Kernel | None) -> Kernel:
    if threshold is not None:
        return threshold
    if family.name not in THRESHOLDS:
        raise ValueError(
            f"no threshold is proved for {family.name} rewards, only for {' and '.join(THRESHOLDS)} ones; give one"
        )
    return THRESHOLDS[family.name]


def track_and_stop(delta: float, family: Family = BERNOULLI, *, threshold: Kernel | None = None) -> StoppingPolicy:
    r"""Track-and-stop :cite:`garivier2016` with D-tracking, whose pulls are optimal where :math:`\delta` is small.

    If some arm has fewer than :math:`\sqrt t - K / 2` of the t pulls, the one with the fewest is pulled; else that with
    the largest :math:`t\, w^\star_a(\hat\mu) - n_a`, of equal ones the first, with the optimal weights of
    :func:`~rltheory.solvers.characteristic_time` for the means so far.

    Parameters
    ----------
    delta
        Probability in (0, 1) with which the answer may be wrong.
    family
        Whose divergence is taken; Bernoulli's serves all rewards in [0, 1].
    threshold
        Kernel ``threshold(n_a, n_b, arms, delta)``; :math:`\beta` by default, which there is for Bernoulli and Gaussian
        rewards.

    Raises
    ------
    ValueError
        If delta does not lie in (0, 1), or the family has no threshold of its own and none is given.
    """
    divergence, variance = divergence_of(family)
    decide = _evidence(divergence, _threshold(family, threshold))
    choose = _choose_by_deficit(decide, weights_kernel(divergence, variance))
    return StoppingPolicy("track-and-stop", choose, (risk(delta), family.precision), 3, family.rewards)


def uniform_sampling(delta: float, family: Family = BERNOULLI, *, threshold: Kernel | None = None) -> StoppingPolicy:
    r"""Pull all arms in turns, and stop as :func:`track_and_stop` does.

    Parameters
    ----------
    delta
        Probability in (0, 1) with which the answer may be wrong.
    family, threshold
        As for :func:`track_and_stop`.

    Raises
    ------
    ValueError
        As for :func:`track_and_stop`.
    """
    choose = _choose_in_turns(_evidence(divergence_of(family).divergence, _threshold(family, threshold)))
    return StoppingPolicy("uniform sampling", choose, (risk(delta), family.precision), 1, family.rewards)
