"""Curves of several algorithms over time, with bands over replicates."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rltheory.plots.style import COLOURS, DASHES, MUTED, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import DataArray

__all__ = ["bands"]


def bands(
    curves: "DataArray",
    *,
    quantity: str,
    coverage: float = 0.8,
    references: Mapping[str, ArrayLike] | None = None,
    slopes: Sequence[float] = (),
    log_time: bool = True,
    log_quantity: bool = True,
    ax: "Axes | None" = None,
) -> "Axes":
    r"""Draw the mean over replicates of each of several algorithms, in a band that holds most replicates.

    Parameters
    ----------
    curves : DataArray
        A number for each replicate and time; dimensions ``replicate``, ``time`` and another, which names the curves.
    quantity
        What is drawn.
    coverage
        Share of the replicates in a band, in (0, 1]; as many lie above it as below.
    references : mapping from str to array_like, shape (T,)
        Curves to compare with, such as stated bounds, at the same times.
    slopes
        Exponents; for each a guide is drawn along :math:`t^a`. Axes must be logarithmic.
    log_time, log_quantity
        Whether axes are logarithmic; what is not positive is left out then.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The legend follows the order of the curves at the end, from above.

    Raises
    ------
    ValueError
        If dimensions are others, `coverage` lies outside (0, 1], or slopes are asked for on a linear axis.

    Examples
    --------
    >>> from xarray import DataArray
    >>> times = np.arange(1, 100)
    >>> walks = np.abs(np.random.default_rng(0).normal(size=(2, 30, 99))).cumsum(axis=-1)
    >>> curves = DataArray(walks, {"algorithm": ["a", "b"], "time": times}, ("algorithm", "replicate", "time"))
    >>> ax = bands(curves, quantity="regret", slopes=[1])
    >>> ax.get_ylabel()
    'regret'
    """
    others = [str(dim) for dim in curves.dims if dim not in ("replicate", "time")]
    if len(others) != 1 or curves.ndim != 3:
        raise ValueError(f"curves has dimensions {curves.dims}; they must be replicate, time and one that names curves")
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage is {coverage}; it must lie in (0, 1]")
    if slopes and not (log_time and log_quantity):
        raise ValueError("slopes are straight on logarithmic axes only; leave them out, or make both axes logarithmic")
    (names,) = others
    times = curves["time"].to_numpy()
    shown = times > 0 if log_time else np.ones(times.size, np.bool_)
    numbers = curves.transpose(names, "replicate", "time").to_numpy()
    means = numbers.mean(axis=1)
    low, high = np.quantile(numbers, [(1 - coverage) / 2, (1 + coverage) / 2], axis=1)
    if log_quantity:
        means, low, high = (np.where(values > 0, values, np.nan) for values in (means, low, high))
    ax = ax or new_axes(width=7.6, height=4.4)
    ends = {}
    for position, name in enumerate(curves[names].to_numpy()):
        turn, place = divmod(position, len(COLOURS))
        colour, dash = COLOURS[place], DASHES[turn % len(DASHES)]
        (line,) = ax.plot(times[shown], means[position, shown], dash, color=colour, label=str(name))
        band = low[position, shown], high[position, shown]
        ax.fill_between(times[shown], *band, color=colour, alpha=0.15, linewidth=0)
        ends[line] = means[position, -1]
    for position, (name, values) in enumerate((references or {}).items()):
        heights = np.asarray(values, dtype=np.float64)
        dash = DASHES[(position + 1) % len(DASHES)]
        (line,) = ax.plot(times[shown], heights[shown], dash, color="black", linewidth=1.2, label=name)
        ends[line] = heights[-1]
    ax.set_xscale("log" if log_time else "linear")
    ax.set_yscale("log" if log_quantity else "linear")
    if log_quantity:
        ax.set_ylim(bottom=0.5 * np.nanmin(means[:, shown]))  # a band may reach down to rounding errors
    if slopes:
        _guides(ax, slopes, times[shown], means[:, shown])
    ax.set_xlabel(str(curves["time"].attrs.get("long_name", "time")))
    ax.set_ylabel(quantity)
    handles = sorted(ends, key=lambda line: np.nan_to_num(ends[line], nan=-np.inf), reverse=True)
    ax.legend(handles=handles, frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    tidy(ax)
    return ax


def _guides(ax: "Axes", slopes: Sequence[float], times: ArrayLike, means: ArrayLike) -> None:
    """Draw powers of time over the last decade and a half, from the middle of the curves on."""
    clock = np.asarray(times, dtype=np.float64)
    late = clock >= clock[-1] / 30
    across = clock[late]
    middle = float(np.exp(np.nanmean(np.log(np.asarray(means)[:, late][:, 0]))))
    limits = ax.get_ylim()
    for slope in slopes:
        along = middle * (across / across[0]) ** slope
        ax.plot(across, along, color=MUTED, linewidth=1, linestyle="-.")
        ax.annotate(
            f"slope {slope:.3g}",
            (across[-1], along[-1]),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=MUTED,
        )
    ax.set_ylim(limits)
