r"""Bayes-UCB with Beta posteriors, and the tails of Beta laws that it needs.

With a and b the parameters of a Beta law, X its variable and :math:`u = -\log(1 - x)`, the logarithm of the tail
:math:`\mathbb P(X > x)` is a concave function of u where a, b >= 1. Newton's method for ``log tail = log p`` in the
coordinate u stands right of the solution after one step, and descends to it.
"""

import math

from rltheory.algorithms.bandits.play import Columns, Policy
from rltheory.arrays import Vector, count, not_negative
from rltheory.jit import kernel

__all__ = ["bayes_ucb_beta", "beta_tail_quantile", "log_beta"]

TOLERANCE = 1e-12  # of a coordinate, relative to it where it exceeds 1
MOST_STEPS = 100
MOST_FRACTIONS = 10_000
TINY = 1e-300
SAME = 1e-9  # logarithms of tails that differ by less are equal: then the first arm wins


@kernel
def _fraction(a: float, b: float, x: float) -> float:
    """Continued fraction of the incomplete beta function, by Lentz's method; quick for x < (a + 1) / (a + b + 2)."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > TINY else TINY)
    value = d
    for m in range(1, MOST_FRACTIONS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d, c = 1.0 + even * d, 1.0 + even / c
        d = 1.0 / (d if abs(d) > TINY else TINY)
        c = c if abs(c) > TINY else TINY
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d, c = 1.0 + odd * d, 1.0 + odd / c
        d = 1.0 / (d if abs(d) > TINY else TINY)
        c = c if abs(c) > TINY else TINY
        value *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return value


@kernel
def log_beta(a: float, b: float) -> float:
    """Logarithm of the beta function."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@kernel
def beta_tail(a: float, b: float, log_norm: float, u: float) -> tuple[float, float]:
    """Logarithm of P(X > x) at x = 1 - exp(-u), and its derivative with respect to u, by `log_beta(a, b)`."""
    rest, x = math.exp(-u), -math.expm1(-u)
    log_density = a * math.log(max(x, TINY)) - b * u - log_norm
    if rest < (b + 1.0) / (a + b + 2.0):
        log_tail = log_density - math.log(b) + math.log(_fraction(b, a, rest))
    else:
        log_tail = math.log1p(-min(math.exp(log_density) / a * _fraction(a, b, x), 1.0 - 1e-16))
    return log_tail, -math.exp(log_density - log_tail) / max(x, TINY)


@kernel
def beta_tail_quantile(a: float, b: float, log_norm: float, log_p: float, start: float) -> float:
    """The u with P(X > 1 - exp(-u)) = p, from a start > 0 on."""
    u = start
    for _ in range(MOST_STEPS):
        log_tail, slope = beta_tail(a, b, log_norm, u)
        step = (log_tail - log_p) / slope
        u = max(u - step, 0.5 * u)
        if abs(step) <= TOLERANCE * max(u, 1.0):
            break
    return u


@kernel
def _start(parameters: Vector, columns: Columns) -> None:
    columns.memory[:] = 0.0


@kernel
def _choose(t: int, parameters: Vector, columns: Columns) -> None:
    arms, counts, sums, memory = columns.arms, columns.counts, columns.sums, columns.memory
    k, norms, coordinates = counts.shape[0], memory[0], memory[1]
    if t < k:
        for lane in range(arms.size):
            arms[lane] = t
        return
    log_p = min(-math.log(t) - parameters[0] * math.log(max(math.log(parameters[1]), 1.0)), -math.log(2.0))
    for lane in range(arms.size):
        leader, largest = 0, 0.0
        for a in range(k):
            leader = a if coordinates[a, lane] > coordinates[leader, lane] else leader
        # The leader of the last time first: then one tail tells of most other arms that they are below it.
        for place in range(k):
            a = leader if place == 0 else place - 1 if place <= leader else place
            first, second, norm = 1.0 + sums[a, lane], 1.0 + counts[a, lane] - sums[a, lane], norms[a, lane]
            if place > 0:
                log_tail, _ = beta_tail(first, second, norm, largest)
                if log_tail <= log_p + (SAME if a > arms[lane] else -SAME):
                    continue
            largest = beta_tail_quantile(first, second, norm, log_p, coordinates[a, lane])
            coordinates[a, lane] = largest
            arms[lane] = a


@kernel
def _observe(t: int, parameters: Vector, columns: Columns) -> None:
    arms, pulled, earned, memory = columns.arms, columns.pulled, columns.earned, columns.memory
    for lane in range(arms.size):
        first, second = 1.0 + earned[lane], 1.0 + pulled[lane] - earned[lane]
        memory[0, arms[lane], lane] = log_beta(first, second)
        memory[1, arms[lane], lane] = -math.log(second / (first + second))


def _memory(arms: int, lanes: int) -> tuple[int, int, int]:
    return 2, arms, lanes


def bayes_ucb_beta(c: float = 0.0, horizon: int | None = None) -> Policy:
    r"""Bayes-UCB of Bernoulli arms with a uniform prior :cite:`kaufmann2012`, for rewards in [0, 1].

    The index is the quantile of order :math:`1 - 1 / (t \log^c n)` of the law Beta(1 + S, 1 + N - S), where S is the
    sum of the rewards.

    Parameters
    ----------
    c
        A number >= 0; the paper's analysis takes 5, its experiments 0. The logarithm counts as 1 where it is less.
    horizon
        n, if c > 0; that of the run by default.
    """
    n = None if horizon is None else count(horizon, "horizon", at_least=2)
    return Policy("Bayes-UCB (Beta)", _start, _choose, _observe, (not_negative(c, "c"), n), _memory, (0.0, 1.0))
