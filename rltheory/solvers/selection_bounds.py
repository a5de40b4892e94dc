r"""Bounds on the probability that one of several arms has the largest of their sample means.

Arms are independent; each is pulled m times and has a sample mean :math:`\bar X_i`. Whatever the rule for ties,

.. math:: P(\bar X_j < \bar X_i \text{ for all } j \ne i) \le P(\text{arm i is chosen})
          \le P(\bar X_j \le \bar X_i \text{ for all } j \ne i).

Three of the methods cut the law of :math:`\bar X_i` into cells :math:`(x, y]` and bound the other arms at their ends,

.. math:: \sum_{\text{cells}} P(x < \bar X_i \le y) \prod_{j \ne i} P(\bar X_j < x), \qquad
          \sum_{\text{cells}} P(x < \bar X_i \le y) \prod_{j \ne i} P(\bar X_j \le y).

Equal arms share one entry, of which there are `copies`. Means and ranges may err by a quarter of `slack`; a range that
is not 0 contains the whole range then. With slack 0 they are taken as exact. Bounds are written for entries first to
last - 1.
"""

import math

import numpy as np

from rltheory.arrays import Matrix, Vector
from rltheory.jit import kernel
from rltheory.problems.mdp import Indices

__all__ = [
    "CELLS",
    "LEVELS",
    "bennett",
    "berry_esseen",
    "berry_esseen_coefficient",
    "bernstein",
    "binomial",
    "window_width",
]

CELLS = 100
# Levels at the upper ends of the cells, each of mass 1 / CELLS.
LEVELS = np.arange(1, CELLS + 1) / CELLS
with np.errstate(divide="ignore"):
    LOG_ODDS_AGAINST = -np.log(1 - LEVELS)
# Step by which a weak inequality between a point and an arm without variance is made strict, in units of reward.
STRICTLY = 1e-8
# From this number of episodes on, points of the binomial grid come from the normal approximation.
NORMAL_FROM = 30
# Below it, (1 + u) log(1 + u) - u would cancel.
CANCELLING = 1e-5


@kernel
def _bennett_tail(deviation: float, variance: float, span: float, m: float) -> float:
    """Bound on the probability that a mean deviates by as much to one side."""
    if deviation <= 0:
        return 1.0
    if variance == 0:
        return 0.0
    u = span * deviation / variance
    # Bernstein's exponent is the smaller one.
    h = u * u / (2 + 2 * u / 3) if u < CANCELLING else (1 + u) * np.log1p(u) - u
    return math.exp(-m * variance / (span * span) * h)


@kernel
def bennett(
    mean: Vector,
    highest: Vector,
    lowest: Vector,
    copies: Indices,
    first: int,
    last: int,
    m: float,
    slack: float,
    tolerance: float,
    lower: Vector,
    upper: Vector,
) -> None:
    """Bound by a threshold midway between the best mean and the next that is lower by more than `tolerance`.

    An arm is chosen only if it reaches the threshold or all the best arms miss it.
    """
    best, second = -np.inf, -np.inf
    for i in range(first, last):
        best = max(best, mean[i])
    for i in range(first, last):
        if mean[i] < best - tolerance:
            second = max(second, mean[i])
    threshold = (best + second) / 2
    all_miss = 1.0
    for i in range(first, last):
        if mean[i] == best:
            span = highest[i] - lowest[i]
            variance = (mean[i] - lowest[i]) * span
            all_miss *= _bennett_tail(mean[i] - threshold - slack, variance, span, m) ** copies[i]
    for i in range(first, last):
        span = highest[i] - lowest[i]
        variance = (mean[i] - lowest[i]) * (highest[i] - mean[i])
        reaches = _bennett_tail(threshold - mean[i] - slack, variance, span, m)
        lower[i], upper[i] = 0.0, 1 - (1 - reaches) * (1 - all_miss)


@kernel
def _bernstein_exponent(deviation: float, variance: float, span: float, m: float) -> float:
    """Minus the logarithm of a bound on the probability that a mean deviates by as much to one side."""
    if deviation <= 0:
        return 0.0
    if deviation == np.inf:
        return np.inf
    return deviation * deviation * m / (2 * (variance + span * deviation / 3))


@kernel
def _bernstein_deviation(exponent: float, variance: float, span: float, m: float) -> float:
    """Deviation of that exponent."""
    if variance == 0 or span == 0:
        return 0.0
    scaled = exponent / m
    return (span * scaled + math.sqrt(18 * variance * scaled + span * span * scaled * scaled)) / 3


@kernel
def bernstein(
    mean: Vector,
    highest: Vector,
    lowest: Vector,
    copies: Indices,
    first: int,
    last: int,
    m: float,
    slack: float,
    lower: Vector,
    upper: Vector,
) -> None:
    """Bound by Bernstein's inequality, where a variance is (highest - mean) (mean - lowest) at most."""
    for i in range(first, last):
        span, variance = highest[i] - lowest[i], (highest[i] - mean[i]) * (mean[i] - lowest[i])
        lower[i] = upper[i] = 0.0
        for cell in range(CELLS):
            top = mean[i] + _bernstein_deviation(LOG_ODDS_AGAINST[cell], variance, span, m)
            bottom = mean[i] - _bernstein_deviation(LOG_ODDS_AGAINST[CELLS - 1 - cell], variance, span, m)
            exponent, below = 0.0, 1.0
            for j in range(first, last):
                others = copies[j] - (i == j)
                if others == 0:
                    continue
                of_span, of_variance = highest[j] - lowest[j], (highest[j] - mean[j]) * (mean[j] - lowest[j])
                exponent += others * _bernstein_exponent(mean[j] - top - slack, of_variance, of_span, m)
                if below > 0:
                    reaches = math.exp(-_bernstein_exponent(bottom - mean[j] - slack, of_variance, of_span, m))
                    below *= (1 - reaches) ** others
            lower[i] += below / CELLS
            upper[i] += math.exp(-exponent) / CELLS


@kernel
def _normal_cdf(distance: float, deviation: float) -> float:
    """P(X <= distance) of a centred normal law, which may have no variance."""
    if deviation == 0:
        return 1.0 if distance >= 0 else 0.0
    return 0.5 * math.erfc(-distance / (deviation * math.sqrt(2.0)))


def berry_esseen_coefficient(deviations: Vector, third_moments: Vector) -> Vector:
    r"""Distance of a mean of m from the normal law, times :math:`\sqrt m`; 0 where there is no variance.

    Parameters
    ----------
    deviations, third_moments
        Standard deviation and third absolute central moment of each law.
    """
    cubes = deviations**3
    bounds = np.minimum(0.33554 * (third_moments + 0.415 * cubes), 0.3328 * (third_moments + 0.429 * cubes))
    return np.divide(bounds, cubes, out=np.zeros(len(cubes)), where=cubes > 0)


@kernel
def berry_esseen(
    mean: Vector,
    deviation: Vector,
    error: Vector,
    quantiles: Matrix,
    law: Indices,
    copies: Indices,
    first: int,
    last: int,
    m: float,
    slack: float,
    lower: Vector,
    upper: Vector,
) -> None:
    """Bound by the Berry-Esseen theorem.

    Arm i has the law number ``law[i]``, whose standard deviation is `deviation`; the distribution function of its mean
    is within `error` of a normal one, and ``quantiles[law[i]]`` are the standard normal quantiles of levels + error.
    """
    root = math.sqrt(m)
    for i in range(first, last):
        spread = deviation[law[i]] / root
        lower[i] = upper[i] = 0.0
        for cell in range(CELLS):
            above, under = quantiles[law[i], cell], quantiles[law[i], CELLS - 1 - cell]
            top = mean[i] + spread * above if above < np.inf else np.inf
            bottom = mean[i] - spread * under if under < np.inf else -np.inf
            reached, below = 1.0, 1.0
            for j in range(first, last):
                others = copies[j] - (i == j)
                if others == 0:
                    continue
                of_spread, of_error = deviation[law[j]] / root, error[law[j]]
                if reached > 0:
                    reached *= min(1.0, _normal_cdf(top - mean[j] + slack, of_spread) + of_error) ** others
                if below > 0:
                    chance = _normal_cdf(bottom - STRICTLY - mean[j] - slack, of_spread) - of_error
                    below *= max(0.0, chance) ** others
            lower[i] += below / CELLS
            upper[i] += reached / CELLS


def window_width(m: int) -> int:
    """Room for all but 1e-16 of any binomial law of m trials."""
    return min(m, int(9 * math.sqrt(m)) + 122) + 1


@kernel
def _binomial_window(m: int, p: float, cumulative: Vector) -> int:
    """Write the distribution function of a binomial law where it is neither 0 nor 1; return the first place of that.

    Weights are those of the mode times products of ratios: nothing overflows, and rounding errs relatively.
    """
    width, mean = cumulative.size, m * p
    low = min(max(0, int(mean) - width // 2), m + 1 - width)
    mode = min(max(int(mean), low), low + width - 1)
    cumulative[mode - low] = 1.0
    if p > 0:
        for x in range(mode, low, -1):
            cumulative[x - 1 - low] = cumulative[x - low] * x * (1 - p) / ((m - x + 1) * p)
    else:
        for x in range(mode, low, -1):
            cumulative[x - 1 - low] = 0.0
    for x in range(mode, low + width - 1):
        cumulative[x + 1 - low] = cumulative[x - low] * (m - x) * p / ((x + 1) * (1 - p)) if p < 1 else 0.0
    total = 0.0
    for x in range(width):
        total += cumulative[x]
        cumulative[x] = total
    for x in range(width):
        cumulative[x] /= total
    return low


@kernel
def _cdf(cumulative: Vector, low: int, x: int) -> float:
    if x < low:
        return 0.0
    return cumulative[min(x - low, cumulative.size - 1)]


@kernel
def _grid_point(m: int, p: float, cell: int, quantile: float, cumulative: Vector, low: int) -> int:
    """Quantile of a level: by the normal law, or the exact one rounded away from the median."""
    mean, deviation = m * p, math.sqrt(m * p * (1 - p))
    if cell == 0 or cell == CELLS:
        return 0 if cell == 0 else m
    if m >= NORMAL_FROM or deviation == 0:
        return int(min(max(mean + deviation * quantile, 0.0), m))
    level, x = LEVELS[cell - 1], 0
    while _cdf(cumulative, low, x) < level:
        x += 1
    return max(0, x - 1) if 2 * cell < CELLS and _cdf(cumulative, low, x) > level else x


@kernel
def binomial(
    mean: Vector,
    copies: Indices,
    first: int,
    last: int,
    m: int,
    slack: float,
    zero_counts: bool,
    quantiles: Vector,
    windows: Matrix,
    lows: Indices,
    lower: Vector,
    upper: Vector,
) -> None:
    """Bound for arms that pay 1 with probability `mean` and else nothing.

    The grid begins at 0, so that an arm that pays nothing falls into no cell. With `zero_counts` it has a cell of its
    own; without, bounds are those of the published formula, which leaves out that all arms pay nothing.
    """
    arms = 0
    for i in range(first, last):
        arms += copies[i]
        lows[i - first] = _binomial_window(m, mean[i], windows[i - first])
    # Two binomial laws differ by at most m times the difference of their means.
    error = arms * m * slack
    for i in range(first, last):
        window, low = windows[i - first], lows[i - first]
        lower[i] = upper[i] = 0.0
        bottom = -1 if zero_counts else 0
        for cell in range(CELLS + 1):
            top = _grid_point(m, mean[i], cell, quantiles[cell], window, low)
            if top <= bottom:
                continue
            mass = _cdf(window, low, top) - _cdf(window, low, bottom)
            reached, below = mass, mass
            for j in range(first, last):
                others = copies[j] - (i == j)
                if others > 0:
                    reached *= _cdf(windows[j - first], lows[j - first], top) ** others
                    below *= _cdf(windows[j - first], lows[j - first], bottom) ** others
            lower[i] += below
            upper[i] += reached
            bottom = top
        lower[i], upper[i] = max(0.0, lower[i] - error), min(1.0, upper[i] + error)
