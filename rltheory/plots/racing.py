"""Races of methods, and how exploitable policies are."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rltheory.arrays import Array, Times
from rltheory.plots.style import COLOURS, DASHES, MEASURED, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["exploitability_bars", "race"]


def race(
    curves: Mapping[str, tuple[Times, Array]],
    *,
    quantity: str = "exploitability",
    clock: str = "preference queries",
    lowest: float = 1e-12,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw what methods reached against the queries or iterations that they spent, on logarithmic axes.

    Parameters
    ----------
    curves
        For each name of a method the queries or iterations spent, shape (T,), and the quantity, shape (T,).
    quantity
        What is drawn.
    clock
        What is spent.
    lowest
        Values below are not drawn.
    ax
        Where to draw; a new figure by default.

    Examples
    --------
    >>> import rltheory as rl
    >>> contest = rl.race(rl.instances.three_voters(), beta=0.1, reference=[0.8, 0.1, 0.1])
    >>> ax = race({curve.method: (curve.queries, curve.gap) for curve in contest.run(1000)})
    >>> ax.get_xlabel()
    'preference queries'
    """
    ax = ax or new_axes(width=7.2, height=4.4)
    for position, (name, (spent, values)) in enumerate(curves.items()):
        turn, colour = divmod(position, len(COLOURS))
        shown = (spent > 0) & (values >= lowest)
        ax.plot(spent[shown], values[shown], DASHES[turn % len(DASHES)], color=COLOURS[colour], label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(clock)
    ax.set_ylabel(quantity)
    ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    tidy(ax)
    return ax


def exploitability_bars(
    names: Sequence[str], values: Sequence[float], *, quantity: str = "exploitability", ax: "Axes | None" = None
) -> "Axes":
    """Draw a bar for each policy, the least exploitable on top, on a logarithmic axis.

    Parameters
    ----------
    names, values
        Names of the policies, and how exploitable each is, >= 0.
    quantity
        What is drawn.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If there is not one value for each name.

    Examples
    --------
    >>> ax = exploitability_bars(["uniform", "Borda winner"], [0.1, 0.3])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['Borda winner', 'uniform']
    """
    if len(names) != len(values):
        raise ValueError(f"{len(values)} values for {len(names)} names; give one for each")
    ax = ax or new_axes(width=6.4, height=0.8 + 0.32 * len(names))
    order = np.argsort(values)[::-1]
    heights = np.asarray(values, dtype=np.float64)[order]
    positive = heights[heights > 0]
    left = 10.0 ** (np.floor(np.log10(positive.min())) - 0.5) if positive.size else 1e-3
    ax.barh(np.arange(len(names)), np.maximum(heights, left) - left, left=left, color=MEASURED, height=0.62)
    for row, height in enumerate(heights):
        ax.annotate(
            f"{height:.2g}",
            (max(height, left), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    ax.set_yticks(np.arange(len(names)), [names[i] for i in order])
    ax.set_xscale("log")
    ax.set_xlim(left, (positive.max() if positive.size else 1.0) * 4)
    ax.set_xlabel(quantity)
    tidy(ax)
    ax.grid(visible=False, axis="y")
    return ax
