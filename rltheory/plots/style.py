"""What all figures share: colours that the colour-blind can tell apart, and quiet axes."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "COLOURS",
    "DASHES",
    "FIT",
    "MEASURED",
    "MUTED",
    "STATED",
    "head",
    "label_ends",
    "new_axes",
    "points_per_unit",
    "tidy",
]

# Okabe and Ito's palette.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MEASURED, STATED, FIT = COLOURS[:3]
MUTED = "#6b7280"

# For more curves than there are colours.
DASHES = ("-", "--", ":")

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def new_axes(*, width: float = 6.4, height: float = 4.0, equal: bool = False) -> "Axes":
    """Axes of a new pyplot figure, sized in inches; with the same unit on both axes, if they are to be equal."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="compressed" if equal else "constrained")
    ax.set_aspect("equal" if equal else "auto")
    return ax


def points_per_unit(ax: "Axes") -> float:
    """Size on paper of a unit of equal axes, estimated before the layout makes room for labels."""
    box = ax.get_window_extent()
    across, up = (abs(high - low) for low, high in (ax.get_xlim(), ax.get_ylim()))
    return float(72 / ax.figure.dpi * min(box.width / across, box.height / up))


def tidy(ax: "Axes") -> None:
    """Drop the frame's upper and right side, lay a faint grid, and label logarithmic axes by powers of ten."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            # Plain text: typesetting the exponents as formulas takes half of the time of a figure.
            axis.set_major_formatter(lambda value, _: _power_of_ten(value))
    ax.minorticks_off()  # each of them would take a millisecond
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, color="#e5e7eb", linewidth=0.6)
    ax.set_axisbelow(True)


def _power_of_ten(value: float) -> str:
    if value <= 0:  # a tick below the least number of all
        return ""
    return "10" + f"{math.log10(value):.0f}".translate(RAISED)


def head(ax: "Axes", *lines: str) -> None:
    """Write lines over the left end of the axes, broken where they are longer than the axes are wide."""
    size = 10.0  # points; a letter is about half as wide
    width = int(ax.get_window_extent().width * 72 / ax.figure.dpi / (0.54 * size))
    ax.set_title("\n".join(textwrap.fill(line, width) for line in lines), loc="left", y=1.0, fontsize=size)


def label_ends(ax: "Axes", names: Sequence[str], heights: Sequence[float], colours: Sequence[str]) -> None:
    """Name lines right of the axes, at the heights where they end, but so far apart that the names can be read.

    The axes must have their limits. Names are as near to their heights as the distances allow, in the least squares; of
    lines that end at the same height the first is named on top.
    """
    from scipy.optimize import isotonic_regression

    size = 9.0  # points
    apart = 1.25 * size / (ax.get_window_extent().height * 72 / ax.figure.dpi)
    ends = np.column_stack([np.zeros(len(heights)), heights])
    wanted = ax.transAxes.inverted().transform(ax.transData.transform(ends))[:, 1]
    order = np.lexsort([-np.arange(wanted.size), wanted.round(3)])
    spaces = apart * np.arange(order.size)
    places = np.empty(order.size)
    places[order] = isotonic_regression(wanted[order] - spaces).x + spaces
    for name, place, colour in zip(names, places, colours, strict=True):
        ax.text(1.02, place, name, color=colour, fontsize=size, va="center", transform=ax.transAxes)
