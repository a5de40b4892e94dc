"""Effective horizons: gaps and horizons by the steps looked ahead; how many timesteps and episodes methods need."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rltheory.plots.style import COLOURS, DASHES, MEASURED, MUTED, STATED, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["effective_horizons", "gaps_by_k", "returns_by_episodes", "sample_complexities", "success_by_episodes"]


def gaps_by_k(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], *, quantity: str = "k-gap", ax: "Axes | None" = None
) -> "Axes":
    """Draw least gaps against the number of steps of value iteration, on a logarithmic axis.

    Parameters
    ----------
    curves
        For each name the numbers k, and the gaps, both of shape (K,). Gaps that are 0 or infinite are not drawn.
    quantity
        What is drawn.
    ax
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = gaps_by_k({"safe": ([1, 2, 3], [0.01, 0.3, np.inf])})
    >>> len(ax.lines[0].get_xdata())
    2
    """
    from matplotlib.ticker import MaxNLocator

    ax = ax or new_axes(height=3.6)
    for position, (name, (ks, gaps)) in enumerate(curves.items()):
        steps, values = np.asarray(ks, dtype=np.float64), np.asarray(gaps, dtype=np.float64)
        shown = (values > 0) & np.isfinite(values)
        # Curves may coincide: later ones are drawn smaller.
        ax.plot(
            steps[shown], values[shown], "o-", color=COLOURS[position % len(COLOURS)], ms=8 - 2 * position, label=name
        )
    ax.set_yscale("log")
    ax.set_xlabel("k, steps of value iteration")
    ax.set_ylabel(quantity)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(curves) > 1:
        ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax


def effective_horizons(
    ks: Sequence[int], horizons: Sequence[float], *, least: float, ax: "Axes | None" = None
) -> "Axes":
    """Draw the horizons of all k, and the least of them.

    Parameters
    ----------
    ks, horizons
        Numbers k of steps of value iteration, and the horizon of each.
    least
        The effective horizon.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If there is not one horizon for each k.

    Examples
    --------
    >>> effective_horizons([1, 2, 3], [8.8, 9.0, 3.0], least=3.0).get_ylabel()
    'horizon'
    """
    if len(ks) != len(horizons):
        raise ValueError(f"{len(horizons)} horizons for {len(ks)} numbers k; give one for each")
    from matplotlib.ticker import MaxNLocator

    ax = ax or new_axes(height=3.6)
    ax.plot(ks, horizons, "o-", color=MEASURED, label="k + log m")
    ax.plot(ks, ks, ":", color=MUTED, label="k")
    ax.axhline(least, color=STATED, linestyle="--", label=f"least: {least:.4g}")
    ax.set_xlabel("k, steps of value iteration")
    ax.set_ylabel("horizon")
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax


def sample_complexities(log10_timesteps: Mapping[str, float], *, ax: "Axes | None" = None) -> "Axes":
    """Draw a bar for each method, the cheapest on top, by the logarithm of the timesteps that it needs.

    Parameters
    ----------
    log10_timesteps
        For each method the logarithm to base 10 of its timesteps; the numbers themselves may leave any range.
    ax
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = sample_complexities({"brute force": 12.0, "optimism": 3.8})
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['brute force', 'optimism']
    """
    ax = ax or new_axes(height=0.9 + 0.34 * len(log10_timesteps))
    names = sorted(log10_timesteps, key=lambda name: -log10_timesteps[name])
    heights = [log10_timesteps[name] for name in names]
    ax.barh(np.arange(len(names)), heights, color=MEASURED, height=0.62)
    for row, height in enumerate(heights):
        ax.annotate(
            f"{height:.1f}", (max(height, 0.0), row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9
        )
    ax.set_yticks(np.arange(len(names)), names)
    ax.set_xlabel("log₁₀ of timesteps until optimal with probability 1/2")
    ax.margins(x=0.1)
    tidy(ax)
    ax.grid(visible=False, axis="y")
    return ax


def success_by_episodes(
    bounds: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    runs: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    certified: Mapping[str, int] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw probabilities of success against the number of episodes, on a logarithmic axis.

    Parameters
    ----------
    bounds
        For each name numbers of episodes, and lower bounds on the probability, both of shape (M,): lines.
    runs
        For some of the names numbers of episodes, and shares of runs that succeeded: dots.
    certified
        For some of the names the number of episodes that is certified to succeed half of the time: a vertical line.
    ax
        Where to draw; a new figure by default.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> bounds = {"k = 1": ([1, 10, 100], [0, 0.4, 0.9])}
    >>> ax = success_by_episodes(bounds, certified={"k = 1": 20}, ax=Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['k = 1, at least', '20 episodes, certified']
    """
    ax = ax or new_axes(height=3.6)
    for position, (name, (episodes, least)) in enumerate(bounds.items()):
        colour = COLOURS[position % len(COLOURS)]
        ax.plot(episodes, least, "-", color=colour, label=f"{name}, at least")
        if runs and name in runs:
            ax.plot(*runs[name], "o", color=colour, ms=5, label=f"{name}, runs")
        if certified and name in certified:
            label = f"{certified[name]:.4g} episodes, certified"
            ax.axvline(certified[name], color=colour, linestyle=DASHES[1], linewidth=1, label=label)
    ax.axhline(0.5, color=MUTED, linestyle=DASHES[2], linewidth=1)
    ax.set_xscale("log")
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("m, episodes for each sequence")
    ax.set_ylabel("probability of success")
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax


def returns_by_episodes(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], *, optimum: float, ax: "Axes | None" = None
) -> "Axes":
    """Draw mean returns against the number of episodes, on a logarithmic axis, below the optimal return.

    Parameters
    ----------
    curves
        For each name numbers of episodes, and mean returns, both of shape (M,).
    optimum
        The optimal return.
    ax
        Where to draw; a new figure by default.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> curves = {"k = 1": ([10, 100], [0.3, 0.9])}
    >>> len(returns_by_episodes(curves, optimum=1.0, ax=Figure().subplots()).lines)
    2
    """
    ax = ax or new_axes(height=3.6)
    for position, (name, (episodes, returns)) in enumerate(curves.items()):
        ax.plot(episodes, returns, "o-", color=COLOURS[position % len(COLOURS)], ms=7 - 2 * position, label=name)
    ax.axhline(optimum, color=MUTED, linestyle=DASHES[2], linewidth=1, label="optimum")
    ax.set_xscale("log")
    ax.set_xlabel("m, episodes for each stage")
    ax.set_ylabel("mean return")
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax
