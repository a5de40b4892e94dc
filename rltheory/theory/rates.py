r"""Rates fitted to measured curves. A fit illustrates a verdict, and decides it only where the constants are recalled.

Every form is a straight line on its own axes, and is fitted there by least squares:

================  ====================================  ==============  ====================
form              curve                                 horizontal      vertical
================  ====================================  ==============  ====================
geometric         :math:`C f^t`                         :math:`t`       :math:`\log v`
power law         :math:`C t^p`                         :math:`\log t`  :math:`\log v`
logarithmic       :math:`a + b \log t`                  :math:`\log t`  :math:`v`
power law, log    :math:`C t^p (\log t)^k`, k given     :math:`\log t`  :math:`\log v - k \log\log t`
================  ====================================  ==============  ====================
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import Array, Times, Vector, float_array
from rltheory.simulation import stream

__all__ = ["Form", "Geometric", "Logarithmic", "PowerLaw", "PowerLog", "Rate", "RateFit", "fit_rate"]

FIRST_TIME = 2  # log log t does not exist earlier
FEWEST_POINTS = 5  # in a window, in each half of one that is compared, and on a floor
FEWEST_FALLING = 3  # points that must lie above twice the floor
FEWEST_REPLICATES = 20  # with fewer, resampling knows too little of the spread between replicates
CLEAR_OF_FLOOR = 100.0  # the window ends where the curve is less than this many times its floor
CLEAR_OF_KNOWN_FLOOR = 10.0  # there the floor is 10 % of the value at most
FLOORS_TRIED = 30
LONGEST_WINDOW = np.log(100)  # on a logarithmic time axis: two decades
SHORTEST_WINDOW = np.log(10) / 2  # half a decade
SAME_SLOPE = 0.05  # relative difference of slopes that does not matter
LOCAL = 1 / 10  # a local slope is measured over this part of the window
LARGEST_LOGARITHM = np.log(np.finfo(np.float64).max)  # a leap from or to a subnormal number is steeper

RESAMPLED = "90 % by resampling replicates"
SPREAD = "spread of local slopes"


@dataclass(frozen=True)
class Form:
    """A family of curves that are straight lines on suitable axes.

    Parameters
    ----------
    name
        What a table calls it.
    log_time, log_value
        Whether the axes are logarithmic.
    log_power
        Power of ``log t`` by which the curve differs from a line.

    Examples
    --------
    >>> GEOMETRIC.describe(0.92334, "iteration"), POWER_LAW.describe(-0.5, "iteration")
    ('× 0.9233 per iteration', 't^-0.50')
    >>> PowerLog(lambda s: -1.0, log_power=1).form.describe(-0.98, "round")
    't^-0.98 log t'
    >>> Logarithmic().form.describe(12.345, "round")
    '12.35 log t'
    """

    name: str
    log_time: bool = True
    log_value: bool = True
    log_power: float = 0.0

    def __str__(self) -> str:
        return self.name

    def axis(self, times: ArrayLike) -> Vector:
        """Horizontal axis on which the form is straight."""
        t = np.asarray(times, dtype=np.float64)
        return np.log(t) if self.log_time else t

    def straighten(self, times: ArrayLike, values: ArrayLike) -> Vector:
        """Heights of the curve on the axis on which the form is straight."""
        heights = np.log(values) if self.log_value else np.asarray(values, dtype=np.float64)
        return heights - self._bend(times)

    def bend(self, times: ArrayLike, heights: Vector) -> Vector:
        """Values of the curve with these heights; the inverse of `straighten`."""
        heights = heights + self._bend(times)
        return np.exp(heights) if self.log_value else heights

    def rate(self, slope: Any) -> Any:
        """The number that a reader wants: a factor for a geometric curve, else the slope itself."""
        return slope if self.log_time else np.exp(np.clip(slope, -LARGEST_LOGARITHM, LARGEST_LOGARITHM))

    def slope(self, rate: float) -> float:
        """Slope of the line with this rate; the inverse of `rate`."""
        return rate if self.log_time else float(np.log(rate))

    def describe(self, rate: float, clock: str) -> str:
        """Short text of a rate, stated or fitted."""
        if not self.log_time:
            return f"× {rate:.4g} per {clock}"
        if not self.log_value:
            return f"{rate:.4g} log t"
        logs = {0.0: "", 1.0: " log t"}.get(self.log_power, f" (log t)^{self.log_power:g}")
        return f"t^{rate:.2f}{logs}"

    def _bend(self, times: ArrayLike) -> Vector | float:
        return self.log_power * np.log(np.log(times)) if self.log_power else 0.0


GEOMETRIC = Form("geometric", log_time=False)
POWER_LAW = Form("power law")
LOGARITHMIC = Form("logarithmic", log_value=False)


def _power_log(power: float) -> Form:
    return Form(f"power law, log^{power:g}", log_power=power)


@dataclass(frozen=True)
class Geometric:
    """Stated rate: the value shrinks by `factor`, a function of the setting, in each unit of time."""

    factor: Callable[[Any], float]
    form: ClassVar[Form] = GEOMETRIC

    def stated(self, setting: Any) -> float:
        """Stated factor."""
        return float(self.factor(setting))


@dataclass(frozen=True)
class PowerLaw:
    """Stated rate: the value goes as ``t**exponent``; the exponent is a function of the setting."""

    exponent: Callable[[Any], float]
    form: ClassVar[Form] = POWER_LAW

    def stated(self, setting: Any) -> float:
        """Stated exponent."""
        return float(self.exponent(setting))


@dataclass(frozen=True)
class Logarithmic:
    """Stated rate: the value grows as ``slope * log(t)``.

    The fitted number is the growth of the value while time grows by a factor e, in units of the value. It is
    compared with a number only where a theorem states the leading constant, as the lower bound of Lai and Robbins
    does. A bare O(log t) states a shape: whether the curve has it shows in the residuals of the other forms, and in
    local slopes that settle rather than grow.
    """

    slope: Callable[[Any], float] | None = None
    form: ClassVar[Form] = LOGARITHMIC

    def stated(self, setting: Any) -> float | None:
        """Stated coefficient of log t, if there is one."""
        return None if self.slope is None else float(self.slope(setting))


@dataclass(frozen=True)
class PowerLog:
    """Stated rate: the value goes as ``t**exponent * log(t)**log_power``.

    The power of the logarithm is part of the statement and is not fitted: no curve of a few decades tells it
    from a slightly different exponent.
    """

    exponent: Callable[[Any], float]
    log_power: float

    @property
    def form(self) -> Form:
        """Family of curves."""
        return _power_log(self.log_power)

    def stated(self, setting: Any) -> float:
        """Stated exponent."""
        return float(self.exponent(setting))


Rate: TypeAlias = Geometric | PowerLaw | Logarithmic | PowerLog


@dataclass(frozen=True, eq=False)
class RateFit:
    """A rate fitted on a window of a measured curve.

    Parameters
    ----------
    form
        Family of curves that was fitted.
    rate
        The factor of a geometric curve, the exponent of a power law, the coefficient of log t.
    low, high, interval
        Where the rate lies, and what this range means: "90 % by resampling replicates" is a confidence interval for
        the rate of the mean curve on this window; "spread of local slopes" describes the one curve there is, from
        the 10 % to the 90 % quantile of its local slopes, widened to include the fit, and is no confidence interval.
    early, late
        Rates on the first and the second half of the recorded times in the window. Where they differ, the curve has not
        settled on a rate.
    window
        First and last time used.
    level
        Value of the fitted curve at the first time of the window.
    floor, floor_time
        Level at which the curve stalls and the first time within a factor 2 of it, or None if it declines to the end.
    local_times, local_rates
        Rates over a tenth of the window at a time, from the start of the curve to the end of the window.
    residual
        Standard deviation of the logarithm of measured / fitted on the window.
    alternatives
        For each other form its residual on the same window, infinite if its best line is not positive there. The
        form with the least residual describes the curve best; residuals within a factor 2 of each other, or all
        near the noise of the curve, do not discriminate.
    """

    form: Form
    rate: float
    low: float
    high: float
    interval: str
    early: float
    late: float
    window: tuple[int, int]
    level: float
    floor: float | None
    floor_time: int | None
    local_times: Vector
    local_rates: Vector
    residual: float
    alternatives: Mapping[str, float]

    def describe(self, clock: str) -> str:
        """Short text of the fitted rate, with the name of one unit of time."""
        return self.form.describe(self.rate, clock)

    def curve(self, times: ArrayLike) -> Vector:
        """Fitted curve at times >= 2, to be drawn on the window."""
        first, form = self.window[0], self.form
        rise = form.slope(self.rate) * (form.axis(times) - form.axis(first))
        return form.bend(times, form.straighten(first, self.level) + rise)


def fit_rate(
    times: Times, values: Array, form: Form, *, floor: float | None = None, seed: int = 0, resamples: int = 400
) -> RateFit | None:
    """Fit a rate to a curve, or to the mean of many, between its transient and its floor.

    The floor is the level F for which a decline that ends on F fits the lower half of the logarithms much better than
    a decline alone; the window ends where the curve comes within a factor 100 of F. It starts halfway along the time
    axis of the form, on a logarithmic axis at most two decades before its end; for a geometric form also halfway down
    the logarithms. It is halved as long as its two halves have clearly different slopes: by more than 5 %, by more
    than three standard errors between replicates, and two lines leave less than a fifth of the squared error of one.
    On a logarithmic axis it keeps at least half a decade.

    With 20 replicates that differ, or more, the interval is from a studentised bootstrap over replicates on the
    window found. In simulated studies with t^-1/2, 0.97^t, t^-1 log t, log t and t^1/2, where the replicates had
    independent, heavy-tailed or random-walk noise, it covered the true rate in 86 to 91 % of the studies with 20
    and with 100 replicates. It covers less, 82 to 86 %, when replicates are so skewed that few of them make up the
    mean (a logarithm with standard deviation above 1.2). And it is an interval for noise alone: where the curve has
    not yet reached its rate, as t^-1/2 (1 + 3 t^-1/2) at time 10^4, more replicates narrow it around the slope of
    the window, about -0.54. The local rates show such a drift.

    Parameters
    ----------
    times : array, shape (m,)
        Increasing times; those before 2 are not used.
    values : array, shape (m,) or (R, m)
        One curve, or replicates in rows, of which the mean is fitted. Values that are not > 0 count as lying on the
        floor.
    form
        Family of curves to fit, such as the form of a theorem's rate.
    floor
        Level at which the curve may stall, >= 0, if it is known. Values within a factor 10 of it are left out then, and
        no other floor is sought: a plateau above is part of the curve.
    seed
        Root of the random stream that resamples replicates.
    resamples
        How often replicates are resampled.

    Returns
    -------
    RateFit or None
        None if fewer than five points remain, or a logarithmic curve does not grow.

    Raises
    ------
    ValueError
        If the shapes disagree, a value is not finite, or times do not increase.

    Examples
    --------
    >>> times = np.arange(200)
    >>> fit = fit_rate(times, 0.9**times + 1e-6, GEOMETRIC)
    >>> fit.describe("iteration"), fit.window, fit.floor_time
    ('× 0.9002 per iteration', (45, 87), 132)

    The mean absolute deviation of a fair coin from one half, from a hundred runs:

    >>> flips = np.random.default_rng(0).choice([-1, 1], size=(100, 1000))
    >>> times = np.arange(1, 1001)
    >>> fit = fit_rate(times, np.abs(np.cumsum(flips, axis=1)) / times, POWER_LAW)
    >>> fit.low < -0.5 < fit.high, fit.interval
    (True, '90 % by resampling replicates')
    """
    replicates = _checked(times, values)[:, times >= FIRST_TIME]
    times = times[times >= FIRST_TIME]
    mean = replicates.mean(axis=0)
    clear, floor, floor_time = _clear_of_floor(form, times, mean, floor)
    times, mean, replicates = times[clear], mean[clear], replicates[:, clear]
    if times.size < FEWEST_POINTS:
        return None
    start = _window_start(form, times, replicates)
    x, y = form.axis(times), form.straighten(times, mean)
    if times.size - start < FEWEST_POINTS:
        return None
    slope, intercept = _line(x[start:], y[start:])
    if slope <= 0 and not form.log_value:
        return None
    middle = (start + times.size) // 2
    local_x, local_slopes, stretches = _local_slopes(x, y, LOCAL * (x[-1] - x[start]))
    if len(replicates) >= FEWEST_REPLICATES and (replicates != replicates[0]).any():
        interval = RESAMPLED
        low, high = _resampled(form, times[start:], replicates[:, start:], stream(seed, "rate fit"), resamples)
    else:
        interval = SPREAD
        low, high = _quantiles(local_slopes[start:], stretches[start:])
    others = [GEOMETRIC, POWER_LAW, LOGARITHMIC] + [_power_log(1)] * (not form.log_power)
    residuals = {each.name: _residual(each, times[start:], mean[start:]) for each in (form, *others)}
    first, last = int(times[start]), int(times[-1])
    return RateFit(
        form=form,
        rate=float(form.rate(slope)),
        low=float(form.rate(min(low, slope))),
        high=float(form.rate(max(high, slope))),
        interval=interval,
        early=float(form.rate(_line(x[start : middle + 1], y[start : middle + 1])[0])),
        late=float(form.rate(_line(x[middle:], y[middle:])[0])),
        window=(first, last),
        level=float(form.bend(first, intercept + slope * form.axis(first))),
        floor=floor,
        floor_time=floor_time,
        local_times=np.exp(local_x) if form.log_time else local_x,
        local_rates=form.rate(local_slopes),
        residual=residuals.pop(form.name),
        alternatives=residuals,
    )


def _checked(times: Times, values: Array) -> Array:
    """Replicates in rows."""
    replicates = float_array(np.atleast_2d(values), "values", ndim=2)
    if times.ndim != 1 or not replicates.size or replicates.shape[1] != times.size:
        raise ValueError(
            f"values has shape {np.shape(values)} and times {times.shape}; expected (m,) or (R, m), and (m,)"
        )
    if (np.diff(times) <= 0).any():
        place = int(np.argmax(np.diff(times) <= 0)) + 1
        raise ValueError(f"times[{place}] is {times[place]} after {times[place - 1]}; times must increase")
    return replicates


def _clear_of_floor(
    form: Form, times: Times, mean: Vector, known: float | None
) -> tuple[NDArray[np.bool_], float | None, int | None]:
    """Which points of a curve lie clear of its floor; the floor that it reaches, and when."""
    clear = mean > CLEAR_OF_KNOWN_FLOOR * (known or 0.0)
    if known is not None:
        reached = mean < 2 * known
        return (clear, known, int(times[np.argmax(reached)])) if reached.any() else (clear, None, None)
    if not form.log_value or clear.sum() < FEWEST_POINTS:
        return clear, None, None
    raised = np.where(clear, mean, mean[clear].min())
    floor = _floor(form.axis(times), np.log(raised))
    if floor is None:
        return clear, None, None
    floor_time = int(times[np.argmax(raised < 2 * floor)])
    return clear & (np.cumsum(raised < CLEAR_OF_FLOOR * floor) == 0), floor, floor_time


def _contrast(x: Vector) -> Vector:
    """Weights of the heights in the slope of the best line."""
    centred: Vector = x - x.mean()
    return centred / (centred @ centred)


def _line(x: Vector, y: Vector) -> tuple[float, float]:
    """Slope and intercept of the best line."""
    slope = float(_contrast(x) @ y)
    return slope, float(y.mean() - slope * x.mean())


def _error(x: Vector, y: Vector) -> float:
    """Sum of squares left by the best line."""
    slope, intercept = _line(x, y)
    return float(((y - intercept - slope * x) ** 2).sum())


def _residual(form: Form, times: Times, values: Vector) -> float:
    x, y = form.axis(times), form.straighten(times, values)
    slope, intercept = _line(x, y)
    fitted = form.bend(times, intercept + slope * x)
    if (fitted <= 0).any():
        return float("inf")
    return float(np.sqrt(((np.log(values) - np.log(fitted)) ** 2).sum() / (times.size - 2)))


def _window_start(form: Form, times: Times, replicates: Array) -> int:
    """First index after the transient."""
    mean = replicates.mean(axis=0)
    x, y = form.axis(times), form.straighten(times, mean)
    middle, shortest = (x[0] + x[-1]) / 2, 0.0
    if form.log_time:
        middle, shortest = max(middle, x[-1] - LONGEST_WINDOW), SHORTEST_WINDOW
    start = int(np.searchsorted(x, middle))
    if not form.log_time:
        start = max(start, int(np.argmax(y <= (y[0] + y[-1]) / 2)))
    heights = replicates / mean if form.log_value else replicates  # to first order
    while True:
        half = int(np.searchsorted(x, (x[start] + x[-1]) / 2))
        too_short = min(half - start, x.size - half) < FEWEST_POINTS or x[-1] - x[half] < shortest
        if too_short or _is_straight(x[start:], y[start:], heights[:, start:], half - start):
            return start
        start = half


def _is_straight(x: Vector, y: Vector, replicates: Array, half: int) -> bool:
    """Whether the slopes before and after index `half` are the same, as far as one can tell."""
    early, late = _contrast(x[:half]), _contrast(x[half:])
    change = np.concatenate([-early, late])
    noise = (replicates @ change).std() / np.sqrt(len(replicates))
    if abs(change @ y) <= max(SAME_SLOPE * abs(late @ y[half:]), 3 * noise):
        return True
    return _error(x[:half], y[:half]) + _error(x[half:], y[half:]) > _error(x, y) / 5


def _floor(x: Vector, logs: Vector) -> float | None:
    """Level F of ``F + exp(a + b x)`` with b < 0, if it fits the lower half of the decline far better than a line.

    The levels tried are averages over the last points, and a little less for a floor that is still approached.
    """
    lower = int(np.argmax(logs <= (logs[0] + logs.min()) / 2))
    x, logs = x[lower:], logs[lower:]
    if x.size < FEWEST_FALLING + FEWEST_POINTS:
        return None
    starts = np.unique(np.linspace(FEWEST_FALLING, x.size - FEWEST_POINTS, FLOORS_TRIED).astype(np.intp))
    averages = np.cumsum(logs[::-1])[::-1][starts] / (x.size - starts)
    levels = np.concatenate([averages, averages + np.log(0.8)])
    levels = levels[levels < logs[:FEWEST_FALLING].min() - np.log(2), None]
    if not levels.size:
        return None
    share = -np.expm1(np.minimum(levels - logs, 0))  # of the value, what is above the level
    heights = logs + np.log(np.where(share > 0, share, 1))
    weights = share**2  # so that the error counted is about that of the logarithm of the value
    weights /= weights.sum(axis=1, keepdims=True)
    x_from_mean = x - weights @ x[:, None]
    mean = (weights * heights).sum(axis=1, keepdims=True)
    slopes = (weights * x_from_mean * heights).sum(axis=1) / (weights * x_from_mean**2).sum(axis=1)
    declines = mean + slopes[:, None] * x_from_mean
    errors = ((logs - np.logaddexp(levels, declines)) ** 2).sum(axis=1)
    best = int(np.argmin(errors))
    reached = slopes[best] < 0 and declines[best, -1] < levels[best, 0] - np.log(4)
    return float(np.exp(levels[best, 0])) if reached and errors[best] < _error(x, logs) / 4 else None


def _local_slopes(x: Vector, y: Vector, length: float) -> tuple[Vector, Vector, Vector]:
    """Middles and slopes of chords of this length, one from each point; and the stretch of axis to the next point."""
    starts = np.arange(x.size - 1)
    ends = np.minimum(np.searchsorted(x, x[:-1] + length), x.size - 1)
    ends = np.maximum(ends, starts + 1)  # where the length is lost in rounding
    return (x[starts] + x[ends]) / 2, (y[ends] - y[starts]) / (x[ends] - x[starts]), np.diff(x)


def _quantiles(slopes: Vector, weights: Vector) -> tuple[float, float]:
    """Quantiles 10 % and 90 % of the weighted slopes."""
    order: NDArray[np.intp] = np.argsort(slopes)
    mass = np.cumsum(weights[order]) / weights.sum()
    low, high = np.searchsorted(mass, [0.1, 0.9])
    return float(slopes[order][low]), float(slopes[order][min(high, slopes.size - 1)])


def _resampled(
    form: Form, times: Times, replicates: Array, rng: np.random.Generator, resamples: int
) -> tuple[float, float]:
    """Ends of the studentised bootstrap interval of the slope; row 0 of each array is the sample itself."""
    count = len(replicates)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    shares = np.vstack([np.ones(count), drawn]) / count
    means = shares @ replicates
    contrast = _contrast(form.axis(times))
    if form.log_value:
        # A resample whose mean is not positive throughout takes the tangent of the logarithm at the sample's mean.
        base = np.where((means > 0).all(axis=1, keepdims=True), means, means[0])
        slopes = (form.straighten(times, base) + means / base - 1) @ contrast
        influence = replicates @ (contrast / base).T
    else:
        slopes = means @ contrast
        influence = (replicates @ contrast)[:, None]
    variance = (shares.T * influence**2).sum(axis=0) - (shares.T * influence).sum(axis=0) ** 2
    error = np.sqrt(np.maximum(variance, 0))
    pivots = np.divide(slopes - slopes[0], error, out=np.zeros_like(error), where=error > 0)[1:]
    lowest = np.quantile(pivots, 0.05, method="lower")
    highest = np.quantile(pivots, 0.95, method="higher")
    return float(slopes[0] - highest * error[0]), float(slopes[0] - lowest * error[0])
