r"""Policies that pull an arm with the largest index, where an index depends on the arm's own rewards and on the time.

Arms are pulled once each, in order, before anything is compared; of equal indices the first wins. With :math:`N` pulls
of an arm so far, :math:`\hat\mu` their mean, :math:`\hat V` their (biased) variance, t rounds so far and n the horizon,
the indices are those that each function states.

What changes at a pull only, of which there is one a round, is remembered; each round the indices of all arms are made
of it by few operations, in vector instructions.
"""

import math
from functools import cache
from typing import Any

import numpy as np

from rltheory.algorithms.bandits.play import Columns, Kernel, Policy
from rltheory.arrays import Vector, count, not_negative, positive
from rltheory.jit import kernel
from rltheory.logarithm import logarithm

__all__ = [
    "anytime_moss",
    "asymptotic_ucb",
    "bayes_ucb",
    "explore_then_commit",
    "follow_the_leader",
    "index_policy",
    "moss",
    "ucb",
    "ucb1",
    "ucb_tuned",
    "ucb_v",
]

ROWS = 4  # three numbers of each arm that the index is made of, and the sum of squares of its rewards


@cache
def _kernels(
    clock: Kernel, remember: Kernel, index: Kernel, numbers: int, with_squares: bool
) -> tuple[Kernel, Kernel, Kernel]:
    @kernel
    def choose(t: int, parameters: Vector, columns: Columns) -> None:
        arms, counts, memory, work = columns.arms, columns.counts, columns.memory, columns.work
        now = clock(max(t, 1), parameters)
        largest, x, y, z = work[0], memory[0], memory[1], memory[2]
        for lane in range(arms.size):
            largest[lane] = index(now, x[0, lane], y[0, lane], z[0, lane])
            arms[lane] = 0
        for a in range(1, counts.shape[0]):
            for lane in range(arms.size):
                value = index(now, x[a, lane], y[a, lane], z[a, lane])
                better = value > largest[lane]
                largest[lane] = value if better else largest[lane]
                arms[lane] = a if better else arms[lane]

    @kernel
    def observe(t: int, parameters: Vector, columns: Columns) -> None:
        arms, counts, memory, work = columns.arms, columns.counts, columns.memory, columns.work
        rewards = columns.rewards
        pulled, earned, squared = columns.pulled, columns.earned, work[0]
        x, y, z, k = work[1], work[2], work[3], counts.shape[0]
        if with_squares:
            squares = memory[3]
            for lane in range(arms.size):
                squared[lane] = squares[arms[lane], lane] + rewards[lane] * rewards[lane]
                squares[arms[lane], lane] = squared[lane]
        for lane in range(arms.size):
            pulls = pulled[lane]
            square = squared[lane] / pulls if with_squares else 0.0
            x[lane], y[lane], z[lane] = remember(pulls, earned[lane] / pulls, square, k, parameters)
        to_x, to_y, to_z = memory[0], memory[1], memory[2]
        for lane in range(arms.size):
            a = arms[lane]
            to_x[a, lane] = x[lane]
            if numbers > 1:
                to_y[a, lane] = y[lane]
            if numbers > 2:
                to_z[a, lane] = z[lane]

    return _start, choose, observe


@kernel
def _start(parameters: Vector, columns: Columns) -> None:
    columns.memory[0] = np.inf


def index_policy(
    name: str,
    clock: Kernel,
    remember: Kernel,
    index: Kernel,
    parameters: tuple[float | None, ...] = (),
    rewards: tuple[float, float] = (-math.inf, math.inf),
    numbers: int = 3,
    with_squares: bool = False,
) -> Policy:
    """Policy of an index that is made of up to three numbers of each arm, and one of the time.

    Parameters
    ----------
    name
        What to call it.
    clock
        ``clock(t, parameters)``, a number of the rounds so far, t >= 1.
    remember
        ``remember(pulls, mean, square, arms, parameters)``, three numbers of an arm by its pulls, the mean of its
        rewards, that of their squares (if they are kept), and the number of arms.
    index
        ``index(clock, x, y, z)``, where (x, y, z) is (inf, 0, 0) for an arm that was not pulled yet.
    parameters, rewards
        As for :class:`Policy`.
    numbers
        How many of the three are kept; the others stay 0.
    with_squares
        Whether squares of rewards are kept.
    """
    start, choose, observe = _kernels(clock, remember, index, numbers, with_squares)
    return Policy(name, start, choose, observe, parameters, lambda arms, lanes: (ROWS, arms, lanes), rewards)


@kernel
def no_clock(t: float, parameters: Vector) -> Any:
    return 0.0


@kernel
def _logarithm_of_time(t: float, parameters: Vector) -> Any:
    return math.log(t)


@kernel
def first(now: float, x: float, y: float, z: float) -> float:
    return x


@kernel
def _inverse_root(
    pulls: float, mean: float, square: float, arms: int, parameters: Vector
) -> tuple[float, float, float]:
    return mean, 1.0 / math.sqrt(pulls), 0.0


@kernel
def _sum(now: float, x: float, y: float, z: float) -> float:
    return x + now * y


def _mean_and_radius(name: str, clock: Kernel, parameters: tuple[float | None, ...]) -> Policy:
    """Policy of the mean plus a number of the time over the root of the pulls."""
    return index_policy(name, clock, _inverse_root, _sum, parameters, numbers=2)


@kernel
def _mean(pulls: float, mean: float, square: float, arms: int, parameters: Vector) -> tuple[float, float, float]:
    return mean, 0.0, 0.0


def follow_the_leader() -> Policy:
    r"""Index :math:`\hat\mu`: pull the arm that paid most, on average. Its regret grows linearly."""
    return index_policy("follow the leader", no_clock, _mean, first, numbers=1)


@kernel
def _commitment(pulls: float, mean: float, square: float, arms: int, parameters: Vector) -> tuple[float, float, float]:
    return mean if pulls == parameters[0] else np.inf, 0.0, 0.0


def explore_then_commit(pulls: int) -> Policy:
    """Pull each arm `pulls` >= 1 times, then always the one that paid most :cite:`lattimore2020`, Algorithm 1.

    Arms are explored one after the other; the one that is pulled once more stays the choice.
    """
    pulls = count(pulls, "pulls", at_least=1)
    return index_policy(f"explore-then-commit({pulls})", no_clock, _commitment, first, (pulls,), numbers=1)


@kernel
def _root_of_logarithm(t: float, parameters: Vector) -> Any:
    return math.sqrt(parameters[0] * math.log(t))


def ucb1(alpha: float = 2.0) -> Policy:
    r"""UCB1 :cite:`auer2002`, index :math:`\hat\mu + \sqrt{\alpha \log t / N}`, for rewards in [0, 1].

    Parameters
    ----------
    alpha
        2 in the paper, for rewards in [0, 1]; for :math:`\sigma`-subgaussian ones multiply by :math:`4 \sigma^2`.
    """
    alpha = positive(alpha, "alpha")
    return _mean_and_radius("UCB1" if alpha == 2 else f"UCB1({alpha:g})", _root_of_logarithm, (alpha,))


@kernel
def _given(t: float, parameters: Vector) -> Any:
    return parameters[0]


def ucb(delta: float, deviation: float = 1.0) -> Policy:
    r"""UCB of a fixed level :cite:`lattimore2020`: index :math:`\hat\mu + \sigma\sqrt{2 \log(1/\delta) / N}`.

    Parameters
    ----------
    delta
        Probability in (0, 1) with which a bound may fail.
    deviation
        :math:`\sigma > 0` for which rewards are subgaussian.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; it must lie in (0, 1)")
    width = positive(deviation, "deviation") * math.sqrt(2 * math.log(1 / delta))
    return _mean_and_radius(f"UCB(δ={delta:g})", _given, (width,))


@kernel
def _optimal_clock(t: float, parameters: Vector) -> Any:
    return parameters[0] * math.sqrt(2.0 * math.log(1.0 + (t + 1.0) * math.log(t + 1.0) ** 2))


def asymptotic_ucb(deviation: float = 1.0) -> Policy:
    r"""Asymptotically optimal UCB :cite:`lattimore2020`, Algorithm 6.

    The index is :math:`\hat\mu + \sigma\sqrt{2 \log f(t + 1) / N}` with :math:`f(t) = 1 + t \log^2 t`.

    Parameters
    ----------
    deviation
        :math:`\sigma > 0` for which rewards are subgaussian.
    """
    width = positive(deviation, "deviation")
    name = "asymptotic UCB" if width == 1 else f"asymptotic UCB(σ={width:g})"
    return _mean_and_radius(name, _optimal_clock, (width,))


@kernel
def _deviation_and_range(
    pulls: float, mean: float, square: float, arms: int, parameters: Vector
) -> tuple[float, float, float]:
    variance = max(square - mean * mean, 0.0)
    zeta, c, b = parameters
    return mean, math.sqrt(2.0 * zeta * variance / pulls), 3.0 * c * b * zeta / pulls


@kernel
def _empirical_bernstein(now: float, x: float, y: float, z: float) -> float:
    return x + math.sqrt(now) * y + now * z


def ucb_v(zeta: float = 1.2, c: float = 1.0, largest: float = 1.0) -> Policy:
    r"""UCB-V :cite:`audibert2009`: index :math:`\hat\mu + \sqrt{2 \zeta \hat V \log t / N} + 3 c b \zeta \log t / N`.

    Parameters
    ----------
    zeta, c
        Numbers > 0 that widen the bound.
    largest
        b > 0, for rewards in [0, b].
    """
    parameters = positive(zeta, "zeta"), positive(c, "c"), positive(largest, "largest")
    return index_policy(
        "UCB-V",
        _logarithm_of_time,
        _deviation_and_range,
        _empirical_bernstein,
        parameters,
        (0.0, parameters[2]),
        with_squares=True,
    )


@kernel
def _inverse_and_variance(
    pulls: float, mean: float, square: float, arms: int, parameters: Vector
) -> tuple[float, float, float]:
    return mean, 1.0 / pulls, max(square - mean * mean, 0.0)


@kernel
def _tuned(now: float, x: float, y: float, z: float) -> float:
    ratio = now * y
    return x + math.sqrt(ratio * min(0.25, z + math.sqrt(2.0 * ratio)))


def ucb_tuned() -> Policy:
    r"""UCB-tuned :cite:`auer2002`, for rewards in [0, 1].

    The index is :math:`\hat\mu + \sqrt{\frac{\log t}{N} \min(1/4, \hat V + \sqrt{2 \log t / N})}`.
    """
    return index_policy(
        "UCB-tuned", _logarithm_of_time, _inverse_and_variance, _tuned, rewards=(0.0, 1.0), with_squares=True
    )


@kernel
def _minimax(pulls: float, mean: float, square: float, arms: int, parameters: Vector) -> tuple[float, float, float]:
    return mean + math.sqrt(max(logarithm(parameters[0] / (arms * pulls)), 0.0) / pulls), 0.0, 0.0


def moss(horizon: int | None = None) -> Policy:
    r"""MOSS :cite:`audibert2009moss`, index :math:`\hat\mu + \sqrt{\log^+(n / (K N)) / N}`, for rewards in [0, 1].

    Parameters
    ----------
    horizon
        n; that of the run by default.
    """
    n = None if horizon is None else count(horizon, "horizon", at_least=1)
    return index_policy("MOSS", no_clock, _minimax, first, (n,), numbers=1)


@kernel
def _mean_inverse_and_logarithm(
    pulls: float, mean: float, square: float, arms: int, parameters: Vector
) -> tuple[float, float, float]:
    return mean, (1.0 + parameters[0]) / (2.0 * pulls), logarithm(arms * pulls)


@kernel
def _anytime(now: float, x: float, y: float, z: float) -> float:
    return x + math.sqrt(max(now - z, 0.0) * y)


def anytime_moss(alpha: float = 1.35) -> Policy:
    r"""MOSS-anytime :cite:`degenne2016`, for rewards in [0, 1].

    The index is :math:`\hat\mu + \sqrt{\frac{1 + \alpha}{2} \log^+(t / (K N)) / N}`.

    Parameters
    ----------
    alpha
        A number > 0; 1.35 is the paper's.
    """
    parameters = (positive(alpha, "alpha"),)
    return index_policy("MOSS-anytime", _logarithm_of_time, _mean_inverse_and_logarithm, _anytime, parameters)


@kernel
def _normal_tail_quantile(t: float, parameters: Vector) -> Any:
    """Standard deviations that a normal number exceeds with probability 1 / (t (log n)^c), at most 1/2."""
    tail = min(1.0 / (t * math.log(parameters[2]) ** parameters[1]), 0.5)
    low, high = 0.0, 40.0
    while high - low > 1e-12 * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if 0.5 * math.erfc(middle / math.sqrt(2.0)) > tail:
            low = middle
        else:
            high = middle
    return parameters[0] * high


def bayes_ucb(deviation: float = 1.0, c: float = 0.0, horizon: int | None = None) -> Policy:
    r"""Bayes-UCB of Gaussian arms with a flat prior :cite:`kaufmann2012`.

    The index is the quantile of order :math:`1 - 1 / (t \log^c n)` of the normal law with mean :math:`\hat\mu` and
    variance :math:`\sigma^2 / N`.

    Parameters
    ----------
    deviation
        :math:`\sigma > 0`, standard deviation of the rewards.
    c
        A number >= 0; the paper's analysis takes 5, its experiments 0.
    horizon
        n, if c > 0; that of the run by default.
    """
    sigma, power = positive(deviation, "deviation"), not_negative(c, "c")
    n = None if horizon is None else count(horizon, "horizon", at_least=2)
    return _mean_and_radius("Bayes-UCB", _normal_tail_quantile, (sigma, power, n))
