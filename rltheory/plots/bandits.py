"""Bandits: regret over time beside its lower bound, how it is spread at the end, and which arms were pulled."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rltheory.plots.bands import bands
from rltheory.plots.style import COLOURS, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import Dataset

__all__ = ["arm_pulls", "final_regrets", "regret"]


def regret(
    runs: "Dataset",
    *,
    lower_bound: float | None = None,
    upper_bounds: Mapping[str, ArrayLike] | None = None,
    coverage: float = 0.8,
    slopes: Sequence[float] = (),
    log_time: bool = True,
    log_regret: bool = False,
    width: float = 7.6,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the mean pseudo-regret of policies over time, in a band that holds most replicates.

    Parameters
    ----------
    runs
        With ``regret``, dimensions policy, replicate and time.
    lower_bound
        The constant c of a lower bound c log t, which is drawn with the curves.
    upper_bounds : mapping from str to array_like, shape (T,)
        Stated bounds on the mean regret at the times of the runs, by the name of their policies.
    coverage, slopes
        As for :func:`bands`.
    log_time, log_regret
        Whether the axes are logarithmic. A regret that grows like log t is a line over logarithmic time.
    width
        Of a new figure, in inches: 3.5 fits a column of most journals, 7 a page.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        As for :func:`bands`.

    Examples
    --------
    >>> import rltheory as rl
    >>> from rltheory.algorithms.bandits import moss, ucb1
    >>> bandit = rl.Bandit.bernoulli([0.9, 0.5])
    >>> runs = rl.compare_policies(bandit, [ucb1(), moss()], horizon=1000, replicates=50)
    >>> regret(runs, lower_bound=bandit.lai_robbins_constant).get_ylabel()
    'pseudo-regret'
    """
    curves = runs["regret"]
    logarithms = np.log(np.maximum(curves["time"].to_numpy(), 1))
    references: dict[str, ArrayLike] = {} if lower_bound is None else {"lower bound": lower_bound * logarithms}
    references |= {f"bound of {name}": bound for name, bound in (upper_bounds or {}).items()}
    ax = ax or new_axes(width=width, height=0.58 * width)
    bands(
        curves,
        quantity="pseudo-regret",
        coverage=coverage,
        references=references,
        slopes=slopes,
        log_time=log_time,
        log_quantity=log_regret,
        ax=ax,
    )
    ax.set_xlim(1 if log_time else 0, int(curves["time"][-1]))
    if not log_regret:
        ax.set_ylim(bottom=0)
    return ax


def final_regrets(runs: "Dataset", *, bins: int = 40, ax: "Axes | None" = None) -> "Axes":
    """Draw how the pseudo-regret at the last time is spread over the replicates: a histogram for each policy.

    Parameters
    ----------
    runs
        As for :func:`regret`.
    bins
        Number of bins, which all policies share.
    ax
        Where to draw; a new figure by default.

    Examples
    --------
    >>> from xarray import Dataset
    >>> runs = Dataset({"regret": (("policy", "replicate", "time"), [[[0, 1], [0, 4]]])}, {"policy": ["greedy"]})
    >>> final_regrets(runs.assign_coords(time=[0, 9])).get_xlabel()
    'pseudo-regret after 9 rounds'
    """
    ax = ax or new_axes(height=3.6)
    finals = runs["regret"].isel(time=-1).transpose("policy", "replicate").to_numpy()
    edges = np.histogram_bin_edges(finals, bins).tolist()
    shares = np.full(finals.shape[1], 1 / finals.shape[1])
    for position, (name, final) in enumerate(zip(runs["policy"].to_numpy(), finals, strict=True)):
        colour = COLOURS[position % len(COLOURS)]
        ax.hist(final, edges, weights=shares, histtype="stepfilled", color=colour, alpha=0.15)
        ax.hist(final, edges, weights=shares, histtype="step", color=colour, label=str(name))
    ax.set_xlabel(f"pseudo-regret after {int(runs['time'][-1])} rounds")
    ax.set_ylabel("share of the replicates")
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return ax


def arm_pulls(runs: "Dataset", *, ax: "Axes | None" = None) -> "Axes":
    """Draw how often each arm was pulled, on average over the replicates, on a logarithmic axis.

    Parameters
    ----------
    runs
        With ``pulls``, dimensions policy, replicate, time and arm.
    ax
        Where to draw; a new figure by default.

    Examples
    --------
    >>> from xarray import Dataset
    >>> pulls = (("policy", "replicate", "time", "arm"), [[[[8, 1]], [[7, 2]]]])
    >>> arm_pulls(Dataset({"pulls": pulls}, {"policy": ["greedy"]})).get_ylabel()
    'mean pulls'
    """
    from matplotlib.ticker import MaxNLocator

    ax = ax or new_axes(height=3.6)
    means = runs["pulls"].isel(time=-1).mean("replicate").transpose("policy", "arm").to_numpy()
    for position, (name, mean) in enumerate(zip(runs["policy"].to_numpy(), means, strict=True)):
        aside = 0.6 * ((position + 0.5) / len(means) - 0.5)
        ax.plot(np.arange(mean.size) + aside, mean, "o", ms=5, color=COLOURS[position % len(COLOURS)], label=str(name))
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("arm")
    ax.set_ylabel("mean pulls")
    ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    tidy(ax)
    return ax
