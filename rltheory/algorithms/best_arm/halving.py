r"""Sequential halving: the best arm with a given number of pulls."""

import math

import numpy as np

from rltheory.algorithms.best_arm.play import Samples, StoppingPolicy
from rltheory.arrays import Vector, count
from rltheory.jit import kernel

__all__ = ["sequential_halving"]


@kernel
def _choose_half(t: int, parameters: Vector, samples: Samples) -> tuple[int, bool]:
    counts, sums, memory = samples
    k, gone, before, earned = counts.size, memory[0], memory[1], memory[2]
    rounds, left = math.ceil(math.log2(k)), 0
    for a in range(k):
        left += gone[a] == 0.0
    while left > 1:
        share = math.floor(parameters[0] / (left * rounds))
        for a in range(k):
            if gone[a] == 0.0 and counts[a] - before[a] < share:
                return a, False
        for _ in range(left // 2):
            worst, least = 0, np.inf
            for a in range(k):
                if gone[a] == 0.0 and sums[a] - earned[a] <= least:
                    worst, least = a, sums[a] - earned[a]
            gone[worst] = 1.0
        left -= left // 2
        for a in range(k):
            before[a], earned[a] = counts[a], sums[a]
    last = 0
    while gone[last] == 1.0:
        last += 1
    return last, True


def sequential_halving(budget: int) -> StoppingPolicy:
    r"""Sequential halving :cite:`karnin2013`.

    There are :math:`\lceil \log_2 K \rceil` rounds. In each of them the arms S that are left are pulled
    :math:`\lfloor n / (|S| \lceil \log_2 K \rceil) \rfloor` times each, and the worse half, by the means of this round,
    is dropped; of equal arms the later ones are. The last arm is recommended.

    Parameters
    ----------
    budget
        Most pulls n >= 1; where they do not suffice to pull each arm in each round, arms are dropped unseen.

    Examples
    --------
    >>> from rltheory.algorithms.best_arm import find_best_arm
    >>> from rltheory.problems import Bandit
    >>> bandit = Bandit.bernoulli([0.2, 0.9, 0.1, 0.3])
    >>> found = find_best_arm(bandit, sequential_halving(80), rng=np.random.default_rng(0))
    >>> found.pulls, found.arms
    (array([[30, 30, 10, 10]]), array([1]))
    """
    budget = count(budget, "budget", at_least=1)
    return StoppingPolicy("sequential halving", _choose_half, (budget,), 3, (-math.inf, math.inf))
