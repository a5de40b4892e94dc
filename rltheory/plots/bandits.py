"""Bandits: regret over time beside its lower bound, how it is spread at the end, and which arms were pulled."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rltheory.plots.style import COLOURS, DASHES, MUTED, label_ends, new_axes, tidy
from rltheory.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["arm_pulls", "final_regrets", "regret"]


def regret(
    runs: Mapping[str, Trace],
    *,
    lower_bound: float | None = None,
    quantiles: tuple[float, float] | None = (0.1, 0.9),
    slopes: Sequence[float] = (),
    log_time: bool = True,
    log_regret: bool = False,
    width: float = 6.4,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the mean pseudo-regret of policies over time, with a band between quantiles of the replicates.

    Parameters
    ----------
    runs
        For each name of a policy a trace with ``regret``, dimensions time and replicate.
    lower_bound
        The constant c of a lower bound c log t, which is drawn as a dashed line with this slope.
    quantiles
        Levels of the band, in [0, 1]; without them only means are drawn.
    slopes
        Exponents of guides :math:`t^s`, which end where the largest mean does; both axes must be logarithmic.
    log_time, log_regret
        Whether the axes are logarithmic. A regret that grows like log t is a line over logarithmic time.
    width
        Of a new figure, in inches: 3.3 fits a column of most journals, 6.8 a page.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If there are no runs, levels of quantiles are not in order in [0, 1], or slopes are asked for on other axes.

    Examples
    --------
    >>> import rltheory as rl
    >>> from rltheory.algorithms.bandits import moss, ucb1
    >>> bandit = rl.Bandit.bernoulli([0.9, 0.5])
    >>> runs = rl.compare_policies(bandit, [ucb1(), moss()], horizon=1000, replicates=50)
    >>> regret(runs, lower_bound=bandit.lai_robbins_constant).get_ylabel()
    'pseudo-regret'
    """
    if not runs:
        raise ValueError("there are no runs to draw")
    if quantiles is not None and not 0 <= quantiles[0] <= quantiles[1] <= 1:
        raise ValueError(f"quantiles are {quantiles}; they must be in order in [0, 1]")
    if slopes and not (log_time and log_regret):
        raise ValueError("slopes are lines where both axes are logarithmic only; set log_regret=True")
    ax = ax or new_axes(width=width, height=0.62 * width)
    names, ends, colours = list(runs), [], []
    for position, trace in enumerate(runs.values()):
        turn, place = divmod(position, len(COLOURS))
        shown = trace.times > 0
        times, values = trace.times[shown], trace["regret"][shown]
        mean = values.mean(axis=1)
        if quantiles is not None:
            low, high = np.quantile(values, quantiles, axis=1)
            ax.fill_between(times, low, high, color=COLOURS[place], alpha=0.15, linewidth=0)
        ax.plot(times, mean, DASHES[turn % len(DASHES)], color=COLOURS[place])
        ends.append(float(mean[-1]))
        colours.append(COLOURS[place])
    last = max(int(trace.times[-1]) for trace in runs.values())
    if lower_bound is not None:
        grid = np.geomspace(1, last, 200)
        ax.plot(grid, lower_bound * np.log(grid), "--", color=MUTED, linewidth=1.2)
        names.append("lower bound")
        ends.append(lower_bound * float(np.log(last)))
        colours.append(MUTED)
    highest = ax.get_ylim()[1]
    for slope in slopes:
        ax.plot([1, last], [max(ends) * last**-slope, max(ends)], ":", color=MUTED, linewidth=1)
        ax.annotate(
            f"slope {slope:g}",
            (last**0.5, max(ends) * last ** (-slope / 2)),
            xytext=(4, -10),
            textcoords="offset points",
            color=MUTED,
            fontsize=8,
        )
    if log_time:
        ax.set_xscale("log")
    if log_regret:
        ax.set_yscale("log")
        ax.set_ylim(max(min(ends) / 1e3, 1e-2), highest)
    else:
        ax.set_ylim(0, highest)
    ax.set_xlim(1 if log_time else 0, last)
    ax.set_xlabel("round")
    ax.set_ylabel("pseudo-regret")
    tidy(ax)
    label_ends(ax, names, ends, colours)
    return ax


def final_regrets(runs: Mapping[str, Trace], *, bins: int = 40, ax: "Axes | None" = None) -> "Axes":
    """Draw how the pseudo-regret at the last time is spread over the replicates: a histogram for each policy.

    Parameters
    ----------
    runs
        As for :func:`regret`.
    bins
        Number of bins, which all policies share.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If there are no runs.

    Examples
    --------
    >>> trace = Trace("greedy", np.array([0, 9]), {"regret": (("time", "replicate"), np.array([[0, 0], [1, 4.0]]))})
    >>> final_regrets({"greedy": trace}).get_xlabel()
    'pseudo-regret after 9 rounds'
    """
    if not runs:
        raise ValueError("there are no runs to draw")
    ax = ax or new_axes(height=3.6)
    finals = [trace.last("regret") for trace in runs.values()]
    edges = np.histogram_bin_edges(np.concatenate(finals), bins).tolist()
    for position, (name, final) in enumerate(zip(runs, finals, strict=True)):
        colour = COLOURS[position % len(COLOURS)]
        shares = np.full(final.size, 1 / final.size)
        ax.hist(final, edges, weights=shares, histtype="stepfilled", color=colour, alpha=0.15)
        ax.hist(final, edges, weights=shares, histtype="step", color=colour, label=name)
    ax.set_xlabel(f"pseudo-regret after {next(iter(runs.values())).times[-1]} rounds")
    ax.set_ylabel("share of the replicates")
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax


def arm_pulls(runs: Mapping[str, Trace], *, ax: "Axes | None" = None) -> "Axes":
    """Draw how often each arm was pulled, on average over the replicates, on a logarithmic axis.

    Parameters
    ----------
    runs
        For each name of a policy a trace with ``pulls``, dimensions time, replicate and arm.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If there are no runs.

    Examples
    --------
    >>> trace = Trace("greedy", np.array([9]), {"pulls": (("time", "replicate", "arm"), np.array([[[8, 1], [7, 2]]]))})
    >>> arm_pulls({"greedy": trace}).get_ylabel()
    'mean pulls'
    """
    if not runs:
        raise ValueError("there are no runs to draw")
    from matplotlib.ticker import MaxNLocator

    ax = ax or new_axes(height=3.6)
    for position, (name, trace) in enumerate(runs.items()):
        means = trace.last("pulls").mean(axis=0)
        aside = 0.6 * ((position + 0.5) / len(runs) - 0.5)
        ax.plot(np.arange(means.size) + aside, means, "o", ms=5, color=COLOURS[position % len(COLOURS)], label=name)
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("arm")
    ax.set_ylabel("mean pulls")
    ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    tidy(ax)
    return ax
