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

The normal law is computed by the rational approximation of :cite:`hart1968`.
"""

import math

import numpy as np

from rltheory.arrays import Matrix, Vector
from rltheory.exponential import exponential
from rltheory.jit import kernel
from rltheory.problems.mdp import Indices

__all__ = [
    "CELLS",
    "CELL_ROWS",
    "LEVELS",
    "bennett",
    "bernstein",
    "berry_esseen",
    "berry_esseen_coefficient",
    "binomial",
    "normal_cdf",
    "window_width",
]

CELLS = 100
# Levels at the upper ends of the cells, each of mass 1 / CELLS.
LEVELS = np.arange(1, CELLS + 1) / CELLS
with np.errstate(divide="ignore"):
    LOG_ODDS_AGAINST = -np.log(1 - LEVELS)
CELL_ROWS = 5
# A denominator to divide by where nothing is random.
TINY = 1e-300
# Step by which a weak inequality between a point and an arm without variance is made strict, in units of reward.
STRICTLY = 1e-8
# From this number of episodes on, points of the binomial grid come from the normal approximation.
NORMAL_FROM = 30
# Below it, (1 + u) log(1 + u) - u would cancel.
CANCELLING = 1e-5
# Rational approximation of Hart et al. to the upper tail of the normal law over exp(-x^2 / 2).
N0, N1, N2, N3 = 220.206867912376, 221.213596169931, 112.079291497871, 33.912866078383
N4, N5, N6 = 6.37396220353165, 0.700383064443688, 0.0352624965998911
D0, D1, D2, D3 = 440.413735824752, 793.826512519948, 637.333633378831, 296.564248779674
D4, D5, D6, D7 = 86.7807322029461, 16.064177579207, 1.75566716318264, 0.0883883476483184
# No double is left of the tail beyond.
FARTHEST = 38.0


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

    An arm is chosen only if it reaches the threshold or all the best arms miss it. Without a lower mean any may be.
    """
    best, second = -np.inf, -np.inf
    for i in range(first, last):
        best = max(best, mean[i])
    for i in range(first, last):
        if mean[i] < best - tolerance:
            second = max(second, mean[i])
    if second == -np.inf:
        for i in range(first, last):
            lower[i], upper[i] = 0.0, 1.0
        return
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
def _raise(factors: Vector, times: int, products: Vector) -> None:
    """Multiply products by factors that many times."""
    for _ in range(times):
        for cell in range(CELLS):
            products[cell] *= factors[cell]


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
    room: Matrix,
    lower: Vector,
    upper: Vector,
) -> None:
    r"""Bound by Bernstein's inequality, where a variance is (highest - mean) (mean - lowest) at most.

    A mean deviates by x to one side with probability :math:`e^{-m x^2 / (2 (v + b x / 3))}` at most, for variance v
    and range b. `room` has CELL_ROWS rows, of cells.
    """
    tops, bottoms, exponents, below, chances = room[0], room[1], room[2], room[3], room[4]
    for i in range(first, last):
        span, variance = highest[i] - lowest[i], (highest[i] - mean[i]) * (mean[i] - lowest[i])
        if span == 0:
            variance = 0.0
        for cell in range(CELLS):
            # Deviations of those probabilities; a certain arm does not deviate at all.
            scaled, opposite = LOG_ODDS_AGAINST[cell] / m, LOG_ODDS_AGAINST[CELLS - 1 - cell] / m
            deviation = (span * scaled + math.sqrt(18 * variance * scaled + span * span * scaled * scaled)) / 3
            tops[cell] = mean[i] + (deviation if variance > 0 else 0.0)
            deviation = (span * opposite + math.sqrt(18 * variance * opposite + span * span * opposite * opposite)) / 3
            bottoms[cell] = mean[i] - (deviation if variance > 0 else 0.0)
            exponents[cell], below[cell] = 0.0, 1.0
        can_win = True
        for j in range(first, last):
            others = copies[j] - (i == j)
            if others == 0:
                continue
            # Where nothing is random, deviations > 0 have exponents that are as good as infinite.
            third, twice = 2 * (highest[j] - lowest[j]) / 3, 2 * (highest[j] - mean[j]) * (mean[j] - lowest[j]) + TINY
            # Tops and bottoms increase from cell to cell, which says what can be left out.
            if mean[j] - slack > tops[0]:
                for cell in range(CELLS):
                    deviation = mean[j] - slack - tops[cell]
                    deviation = deviation if deviation > 0 else 0.0
                    exponents[cell] -= others * (deviation * deviation * m / (twice + third * deviation))
            can_win = can_win and bottoms[CELLS - 1] - slack > mean[j]
            if can_win:
                for cell in range(CELLS):
                    deviation = bottoms[cell] - slack - mean[j]
                    deviation = deviation if deviation > 0 else 0.0
                    chances[cell] = 1 - exponential(-(deviation * deviation * m / (twice + third * deviation)))
                _raise(chances, others, below)
        least, most = 0.0, 0.0
        for cell in range(CELLS):
            least += below[cell]
            most += exponential(exponents[cell])
        lower[i], upper[i] = least / CELLS if can_win else 0.0, most / CELLS


@kernel
def normal_cdf(z: float) -> float:
    """Standard normal distribution function by a rational approximation, with an error below 1e-14.

    There are no branches, so that loops over it are compiled to vector instructions.
    """
    x = abs(z)
    x = x if x < FARTHEST else FARTHEST
    numerator = x * (x * (x * (x * (x * (x * N6 + N5) + N4) + N3) + N2) + N1) + N0
    denominator = x * (x * (x * (x * (x * (x * (x * D7 + D6) + D5) + D4) + D3) + D2) + D1) + D0
    tail = exponential(-0.5 * x * x) * numerator / denominator
    return 1 - tail if z > 0 else tail


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
    room: Matrix,
    lower: Vector,
    upper: Vector,
) -> None:
    """Bound by the Berry-Esseen theorem.

    Arm i has the law number ``law[i]``, whose standard deviation is `deviation`; the distribution function of its mean
    is within `error` of a normal one, and ``quantiles[law[i]]`` are the standard normal quantiles of levels + error.
    `room` has CELL_ROWS rows, of cells.
    """
    root = math.sqrt(m)
    tops, bottoms, reached, below, chances = room[0], room[1], room[2], room[3], room[4]
    for i in range(first, last):
        spread, own = deviation[law[i]] / root, quantiles[law[i]]
        for cell in range(CELLS):
            above, under = own[cell], own[CELLS - 1 - cell]
            tops[cell] = mean[i] + spread * above if above < np.inf else np.inf
            bottoms[cell] = mean[i] - spread * under - STRICTLY if under < np.inf else -np.inf
            reached[cell] = below[cell] = 1.0
        can_win = True
        for j in range(first, last):
            others = copies[j] - (i == j)
            if others == 0:
                continue
            miss, low, high = error[law[j]], mean[j] - slack, mean[j] + slack
            if deviation[law[j]] == 0:
                for cell in range(CELLS):
                    chances[cell] = min(1.0, (1.0 if tops[cell] >= low else 0.0) + miss)
                _raise(chances, others, reached)
                for cell in range(CELLS):
                    chances[cell] = max(0.0, (1.0 if bottoms[cell] >= high else 0.0) - miss)
                _raise(chances, others, below)
                continue
            # Tops and bottoms increase from cell to cell, which says what can be left out.
            steep = root / deviation[law[j]]
            if normal_cdf((tops[0] - low) * steep) + miss < 1:
                for cell in range(CELLS):
                    chance = normal_cdf((tops[cell] - low) * steep) + miss
                    chances[cell] = chance if chance < 1 else 1.0
                _raise(chances, others, reached)
            can_win = can_win and normal_cdf((bottoms[CELLS - 1] - high) * steep) > miss
            if can_win:
                for cell in range(CELLS):
                    chance = normal_cdf((bottoms[cell] - high) * steep) - miss
                    chances[cell] = chance if chance > 0 else 0.0
                _raise(chances, others, below)
        least, most = 0.0, 0.0
        for cell in range(CELLS):
            least += below[cell]
            most += reached[cell]
        lower[i], upper[i] = least / CELLS if can_win else 0.0, most / CELLS


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
    return float(cumulative[min(x - low, cumulative.size - 1)])


@kernel
def _grid_point(m: int, p: float, cell: int, quantile: float, cumulative: Vector, low: int) -> int:
    """Quantile of a level: by the normal law, or the exact one rounded away from the median."""
    mean, deviation = m * p, math.sqrt(m * p * (1 - p))
    if cell == CELLS:
        return m
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
    quantiles: Vector,
    windows: Matrix,
    lows: Indices,
    lower: Vector,
    upper: Vector,
) -> float:
    """Bound for arms that pay 1 with probability `mean` and else nothing, and that the chosen arm has paid.

    Return a bound on the probability that no arm pays. `quantiles` are those of the standard normal law at the ends of
    the cells; `windows` and `lows` have a row for each arm, of :func:`window_width` numbers.
    """
    arms, none = 0, 1.0
    for i in range(first, last):
        arms += copies[i]
        lows[i - first] = _binomial_window(m, mean[i], windows[i - first])
        none *= _cdf(windows[i - first], lows[i - first], 0) ** copies[i]
    # Two binomial laws differ by at most m times the difference of their means.
    error = arms * m * slack
    for i in range(first, last):
        window, low = windows[i - first], lows[i - first]
        least, most, bottom = 0.0, 0.0, 0
        for cell in range(1, CELLS + 1):
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
            least += below
            most += reached
            bottom = top
        lower[i], upper[i] = max(0.0, least - error), min(1.0, most + error)
    return min(1.0, none + error)
