"""Measured curves beside the bounds that speak of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rltheory.plots.style import FIT, MEASURED, MUTED, STATED, head, new_axes, tidy
from rltheory.theory import Verdict, confidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["convergence", "local_rates", "sides"]

MANY_DECADES = 1e6


def convergence(verdict: Verdict, ax: "Axes | None" = None) -> "Axes":
    """Draw one verdict over time: measured curve, bound, stated and fitted slopes, rounding floor.

    Parameters
    ----------
    verdict
        Verdict with curves of at least two times.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Logarithmic where both curves are positive somewhere.

    Raises
    ------
    ValueError
        If the verdict has no curves.

    Examples
    --------
    >>> import rltheory as rl
    >>> verdict = rl.verify(rl.find("nash-mp/kl"))[0]
    >>> convergence(verdict).get_xlabel()
    'iteration'
    """
    if not verdict.times.size:
        raise ValueError(f"{verdict.theorem} [{verdict.setting}] is {verdict.status}; there are no curves to draw")
    ax = ax or new_axes()
    times, shown = verdict.times, _visible_range(verdict)
    caveat = f", {verdict.caveat}" if verdict.caveat else ""
    stated = f": {verdict.stated_rate}" if verdict.stated_rate else ""
    ax.plot(times, verdict.bound, color=STATED, linewidth=2, label=f"stated bound{stated}{caveat}")
    _draw_measured(verdict, ax)
    fit = verdict.fit
    if fit is not None:
        inside = times[(times >= fit.window[0]) & (times <= fit.window[1])]
        ax.plot(
            inside,
            fit.curve(inside),
            color=FIT,
            linewidth=5,
            alpha=0.45,
            solid_capstyle="butt",
            label=f"fitted: {fit.describe(verdict.clock)}",
        )
        if fit.floor is not None:
            ax.axhspan(shown[0], fit.floor, color=MUTED, alpha=0.15, linewidth=0, label="rounding floor")
    if (verdict.bound > 0).any() and (verdict.measured > 0).any():
        ax.set_yscale("log")
        ax.set_ylim(*shown)
    if _over_log_time(verdict, *shown):
        ax.set_xscale("log")
    ax.set_xlabel(verdict.clock)
    head(ax, verdict.card.title, verdict.setting)
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax


def local_rates(verdict: Verdict, ax: "Axes | None" = None) -> "Axes":
    """Draw how the measured rate changes along the curve, beside the fitted and the stated one.

    A curve that has reached its rate is level here; one that drifts has not, whatever the fit says.

    Parameters
    ----------
    verdict
        Verdict with a fitted rate.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If the verdict has no fitted rate.

    Examples
    --------
    >>> import rltheory as rl
    >>> verdict = rl.verify(rl.find("nash-mp/kl"))[0]
    >>> local_rates(verdict).get_ylabel()
    'geometric rate'
    """
    fit = verdict.fit
    if fit is None:
        raise ValueError(f"{verdict.theorem} [{verdict.setting}] has no fitted rate")
    ax = ax or new_axes()
    ax.plot(fit.local_times, fit.local_rates, "o", color=MEASURED, markersize=3.5, label="local rates")
    ax.hlines(fit.rate, *fit.window, color=FIT, linewidth=5, alpha=0.45, label=f"fitted: {fit.describe(verdict.clock)}")
    ax.fill_between(fit.window, fit.low, fit.high, color=FIT, alpha=0.2, linewidth=0, label=fit.interval)
    if verdict.stated is not None:
        ax.axhline(verdict.stated, color=STATED, linewidth=2, label=f"stated: {verdict.stated_rate}")
    if fit.form.log_time:
        ax.set_xscale("log")
    ax.set_xlabel(verdict.clock)
    ax.set_ylabel(f"{fit.form.name} rate")
    head(ax, verdict.card.title, verdict.setting)
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax


def _over_log_time(verdict: Verdict, lowest: float, highest: float) -> bool:
    """Whether the stated rate is one of log time; where none is stated, whether the times crowd at the beginning.

    Over linear time a curve that falls by many decades is straight, as geometric rates are, however its times crowd.
    """
    later = verdict.times[verdict.times > 0]
    if later.size < 2:
        return False
    if verdict.form is not None:
        return verdict.form.log_time
    return bool(np.median(later) < later[-1] / 4) and highest < MANY_DECADES * lowest


def _draw_measured(verdict: Verdict, ax: "Axes") -> None:
    """Dots; for claims about chance with the range of replicates, or the confidence band of their mean."""
    seen, times = verdict.observation, verdict.times
    label = "measured"
    if seen.kind == "in expectation":
        low, high = confidence(seen)
        label = f"mean of {verdict.replicates} replicates, with 95 % limits"
        ax.fill_between(times, np.maximum(low, 0), high, color=MEASURED, alpha=0.2, linewidth=0)
    elif seen.delta is not None:
        label = f"quantile {1 - seen.delta:g} of {verdict.replicates} replicates, with their range"
        ax.fill_between(times, *np.quantile(seen.samples, [0, 1], axis=0), color=MEASURED, alpha=0.2, linewidth=0)
    ax.plot(times, verdict.measured, "o", color=MEASURED, markersize=3.5, label=label)


def sides(verdicts: Sequence[Verdict], ax: "Axes | None" = None) -> "Axes":
    """Draw the measured side against the stated side, a dot for each time and setting.

    On the diagonal the sides agree; below it an inequality holds with room.

    Parameters
    ----------
    verdicts
        Verdicts on one theorem.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If no verdict has curves.
    """
    judged = [verdict for verdict in verdicts if verdict.times.size]
    if not judged:
        raise ValueError("no verdict has curves to draw")
    ax = ax or new_axes(width=5.0, height=4.4)
    stated = np.abs(np.concatenate([verdict.bound for verdict in judged]))
    measured = np.abs(np.concatenate([verdict.measured for verdict in judged]))
    least = max(verdict.observation.rounding for verdict in judged) or np.finfo(float).tiny
    visible = (stated > least) & (measured > 0)
    if visible.any():
        ends = np.array([stated[visible].min(), stated[visible].max()])
        ax.plot(ends, ends, color=STATED, linewidth=2, label="both sides equal", zorder=1)
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.scatter(
        stated[visible],
        measured[visible],
        s=9,
        color=MEASURED,
        alpha=0.5,
        linewidths=0,
        label="measured",
        zorder=2,
    )
    ax.set_xlabel("stated side")
    ax.set_ylabel("measured side")
    head(ax, judged[0].card.title)
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax


def _visible_range(verdict: Verdict) -> tuple[float, float]:
    """Limits of the vertical axis: all positive values, but no further below the floor than a decade."""
    values = np.concatenate([verdict.measured, verdict.bound])
    positive = values[values > 0]
    if positive.size == 0:
        return 1e-16, 1.0
    low = positive.min()
    if verdict.fit is not None and verdict.fit.floor is not None:
        low = max(low, verdict.fit.floor / 1e3)
    elif verdict.observation.rounding > 0:
        low = max(low, verdict.observation.rounding / 1e3)
    return float(low / 3), float(positive.max() * 3)
