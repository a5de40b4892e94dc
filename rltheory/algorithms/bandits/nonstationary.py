r"""Upper confidence bounds that forget: for bandits whose laws change.

With :math:`N` the pulls of an arm that are remembered, :math:`\hat\mu` the mean of their rewards, t rounds so far, and
rewards in [0, B], the indices are those that each function states. An arm of which nothing is remembered is pulled
first; of equal indices the first wins.
"""

import math
from functools import cache
from typing import Any

import numpy as np

from rltheory.algorithms.bandits.play import Columns, Kernel, Policy
from rltheory.arrays import Vector, count, positive
from rltheory.jit import kernel

__all__ = ["discounted_ucb", "sliding_window_ucb"]


@kernel
def _start(parameters: Vector, columns: Columns) -> None:
    pass


@cache
def _choose_by_remembered(width: Kernel) -> Kernel:
    @kernel
    def choose(t: int, parameters: Vector, columns: Columns) -> None:
        arms, memory, largest = columns.arms, columns.memory, columns.work[0]
        pulls, sums, now = memory[0], memory[1], width(t, parameters)
        for lane in range(arms.size):
            largest[lane] = -np.inf
            arms[lane] = 0
        for a in range(columns.counts.shape[0]):
            for lane in range(arms.size):
                n = pulls[a, lane]
                value = sums[a, lane] / n + now / math.sqrt(n) if n > 0.0 else np.inf
                better = value > largest[lane]
                largest[lane] = value if better else largest[lane]
                arms[lane] = a if better else arms[lane]

    return choose


@kernel
def _width_of_window(t: int, parameters: Vector) -> Any:
    window, xi, largest = parameters
    return largest * math.sqrt(xi * math.log(max(min(t, window), 1.0)))


@kernel
def _observe_window(t: int, parameters: Vector, columns: Columns) -> None:
    arms, rewards, memory = columns.arms, columns.rewards, columns.memory
    window, k = int(parameters[0]), columns.counts.shape[0]
    pulls, sums, slot = memory[0], memory[1], t % window
    # Two numbers of each round that is remembered, in rows of K.
    first, second = 2 * slot, 2 * slot + 1
    old_arms, old_rewards = memory[2 + first // k, first % k], memory[2 + second // k, second % k]
    for lane in range(arms.size):
        if t >= window:
            old = int(old_arms[lane])
            pulls[old, lane] -= 1.0
            # What rounding leaves behind goes with the last reward.
            sums[old, lane] = sums[old, lane] - old_rewards[lane] if pulls[old, lane] > 0.0 else 0.0
        pulls[arms[lane], lane] += 1.0
        sums[arms[lane], lane] += rewards[lane]
        old_arms[lane], old_rewards[lane] = arms[lane], rewards[lane]


def sliding_window_ucb(window: int, xi: float = 0.6, largest: float = 1.0) -> Policy:
    r"""SW-UCB :cite:`garivier2011switching`: remember the last rounds only.

    The index is :math:`\hat\mu + B \sqrt{\xi \log \min(t, w) / N}`, with the pulls and rewards of the last w rounds.

    Parameters
    ----------
    window
        w >= 1.
    xi
        :math:`\xi > 0`; the paper's analysis takes one above 1/2.
    largest
        B > 0.
    """
    w, parameters = count(window, "window", at_least=1), (positive(xi, "xi"), positive(largest, "largest"))

    def memory(arms: int, lanes: int) -> tuple[int, int, int]:
        return 2 + math.ceil(2 * w / arms), arms, lanes

    choose = _choose_by_remembered(_width_of_window)
    rewards = (0.0, parameters[1])
    return Policy(f"SW-UCB({w})", _start, choose, _observe_window, (float(w), *parameters), memory, rewards)


@kernel
def _width_of_discount(t: int, parameters: Vector) -> Any:
    discount, xi, largest = parameters
    remembered = t if discount == 1.0 else (1.0 - discount**t) / (1.0 - discount)
    return 2.0 * largest * math.sqrt(xi * math.log(max(remembered, 1.0)))


@kernel
def _observe_discounted(t: int, parameters: Vector, columns: Columns) -> None:
    arms, rewards, discount = columns.arms, columns.rewards, parameters[0]
    pulls, sums = columns.memory[0], columns.memory[1]
    for a in range(columns.counts.shape[0]):
        for lane in range(arms.size):
            pulls[a, lane] *= discount
            sums[a, lane] *= discount
    for lane in range(arms.size):
        pulls[arms[lane], lane] += 1.0
        sums[arms[lane], lane] += rewards[lane]


def discounted_ucb(discount: float, xi: float = 0.6, largest: float = 1.0) -> Policy:
    r"""D-UCB :cite:`garivier2011switching`: a round counts less the longer ago it was.

    The index is :math:`\hat\mu + 2 B \sqrt{\xi \log \sum_{s < t} \gamma^s / N}`, where pulls and rewards of s rounds
    ago have the weight :math:`\gamma^s`.

    Parameters
    ----------
    discount
        :math:`\gamma` in (0, 1].
    xi
        :math:`\xi > 0`; the paper's analysis takes one above 1/2.
    largest
        B > 0.
    """
    if not 0 < discount <= 1:
        raise ValueError(f"discount is {discount}; it must lie in (0, 1]")
    parameters = float(discount), positive(xi, "xi"), positive(largest, "largest")

    def memory(arms: int, lanes: int) -> tuple[int, int, int]:
        return 2, arms, lanes

    choose, rewards = _choose_by_remembered(_width_of_discount), (0.0, parameters[2])
    return Policy(f"D-UCB({discount:g})", _start, choose, _observe_discounted, parameters, memory, rewards)
