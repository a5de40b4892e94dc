"""How policies follow the rewards: along a line of rewards, and on a plane of two of them."""

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Vector, first_index, float_array, positive
from rltheory.plots.style import COLOURS, MUTED, label_ends, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cliff_curve", "flip_map"]


def cliff_curve(
    changes: ArrayLike,
    soft: Mapping[float, ArrayLike],
    *,
    cliffs: ArrayLike,
    levels: ArrayLike,
    quantity: str = "probability",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw what optimal and soft policies do while rewards change: steps, and curves that round them off.

    Parameters
    ----------
    changes : array_like, shape (T,)
        Sizes of the change of the rewards, increasing, T >= 2.
    soft : mapping from float to array_like, shape (T,)
        For each temperature > 0 the quantity under the soft policies.
    cliffs : array_like, shape (B,)
        Changes at which another policy becomes optimal, increasing, strictly between the first and the last change.
    levels : array_like, shape (B + 1,)
        The quantity under the optimal policies, from one cliff to the next.
    quantity
        What is drawn.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Each line is named at its right end, in its colour.

    Raises
    ------
    ValueError
        If numbers do not increase, cliffs lie outside, a temperature is not positive, or lengths do not fit. The
        message names the place.

    Examples
    --------
    >>> changes = np.linspace(-1, 1, 101)
    >>> ax = cliff_curve(changes, {0.2: 1 / (1 + np.exp(-changes / 0.2))}, cliffs=[0], levels=[0, 1])
    >>> [text.get_text() for text in ax.texts]
    ['optimal', 'τ = 0.2']
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shifts = _increasing(changes, "changes")
    if shifts.size < 2:
        raise ValueError(f"changes has {shifts.size} entries; a curve needs two")
    jumps, steps = _increasing(cliffs, "cliffs"), float_array(levels, "levels", ndim=1)
    outside = (jumps <= shifts[0]) | (jumps >= shifts[-1])
    if outside.any():
        (place,) = first_index(outside)
        raise ValueError(
            f"cliffs[{place}] is {jumps[place]}; it must lie strictly between {shifts[0]:g} and {shifts[-1]:g}"
        )
    if steps.size != jumps.size + 1:
        raise ValueError(f"levels has {steps.size} entries for {jumps.size} cliffs; there must be one more level")
    temperatures = sorted(positive(temperature, "a temperature of soft") for temperature in soft)
    curves = [float_array(soft[temperature], f"soft[{temperature:g}]", ndim=1) for temperature in temperatures]
    for temperature, curve in zip(temperatures, curves, strict=True):
        if curve.size != shifts.size:
            raise ValueError(f"soft[{temperature:g}] has {curve.size} entries for {shifts.size} changes")
    ax = ax or new_axes()
    colours = [to_hex(colour) for colour in colormaps["plasma"](np.linspace(0.15, 0.8, len(curves)))]
    for curve, colour in zip(curves, colours, strict=True):
        ax.plot(shifts, curve, color=colour, linewidth=1.8)
    ax.stairs(steps, [shifts[0], *jumps, shifts[-1]], baseline=None, color="black", linewidth=1.8)
    ax.set_xlim(shifts[0], shifts[-1])
    ax.set_xlabel("change of the reward")
    ax.set_ylabel(quantity)
    tidy(ax)
    names = ["optimal", *(f"τ = {temperature:g}" for temperature in temperatures)]
    label_ends(ax, names, [steps[-1], *(curve[-1] for curve in curves)], ["black", *colours])
    return ax


def flip_map(
    gaps: Mapping[str, ArrayLike],
    *,
    horizontal: tuple[float, float],
    vertical: tuple[float, float],
    rewards: tuple[float, float] | None = None,
    radius: float | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    r"""Draw which policy is optimal where, on a plane of two rewards x and y.

    A policy is optimal where all of its gaps, which are :math:`a + b x + c y`, are >= 0. So its region is a convex
    polygon, whose edges are drawn as they are, whatever the resolution.

    Parameters
    ----------
    gaps : mapping from str to array_like, shape (K, 3)
        For each name of a policy the coefficients a, b and c of its gaps.
    horizontal, vertical
        First and last of the rewards x and y that are shown.
    rewards
        Rewards x and y to be marked.
    radius
        How far both may move without a change of the policy, > 0: half the side of a square around `rewards`.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If a shape does not fit, limits do not increase, no region is in sight, or `radius` is not positive, or comes
        without `rewards`.

    Examples
    --------
    A bandit of two arms, whose rewards are x and y.

    >>> ax = flip_map({"first": [[0, 1, -1]], "second": [[0, -1, 1]]}, horizontal=(0, 1), vertical=(0, 1),
    ...               rewards=(0.7, 0.2), radius=0.25)
    >>> [text.get_text() for text in ax.texts]
    ['first', 'second']
    """
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Polygon, Rectangle

    left, right = _increasing(horizontal, "horizontal")
    low, high = _increasing(vertical, "vertical")
    frame = np.array([[left, low], [right, low], [right, high], [left, high]])
    regions = {name: _clipped(frame, _coefficients(name, rows)) for name, rows in gaps.items()}
    least = 1e-9 * _areas(frame).sum()
    visible = {name: corners for name, corners in regions.items() if _areas(corners).sum() > least}
    if not visible:
        raise ValueError("no policy is optimal anywhere between the limits")
    if rewards is None and radius is not None:
        raise ValueError(f"radius is {radius}; it needs the rewards around which it is drawn")
    centre = None if rewards is None else float_array(rewards, "rewards", ndim=1)
    side = 0.0 if radius is None else 2 * positive(radius, "radius")
    ax = ax or new_axes(width=5.4, height=4.8, equal=True)
    for (name, corners), colour in zip(visible.items(), cycle(COLOURS), strict=False):
        ax.add_patch(Polygon(corners, facecolor=to_rgba(colour, 0.3), edgecolor=MUTED, linewidth=1))
        x, y = _centroid(corners)
        ax.text(x, y, name, ha="center", va="center", fontsize=10)
    if centre is not None:
        x, y = centre
        ax.plot(x, y, "o", color="black", markersize=4)
        square = (x - side / 2, y - side / 2), side, side
        ax.add_patch(Rectangle(*square, fill=False, edgecolor="black", linewidth=1.5))
    ax.set_xlim(left, right)
    ax.set_ylim(low, high)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _increasing(numbers: ArrayLike, name: str) -> Vector:
    array = float_array(numbers, name, ndim=1)
    falls = np.diff(array) <= 0
    if falls.any():
        (place,) = first_index(falls)
        raise ValueError(f"{name}[{place + 1}] is {array[place + 1]} after {array[place]}; {name} must increase")
    return array


def _coefficients(name: str, rows: ArrayLike) -> Matrix:
    array = float_array(rows, f"gaps[{name!r}]", ndim=2)
    if array.shape[1] != 3:
        raise ValueError(f"gaps[{name!r}] has shape {array.shape}; each row must hold 3 coefficients")
    return array


def _clipped(corners: Matrix, gaps: Matrix) -> Matrix:
    """The part of a convex polygon, given by its corners in order, in which all gaps are >= 0."""
    for constant, *slopes in gaps:
        heights = constant + corners @ slopes
        kept = []
        for k in range(len(corners)):
            here, before = heights[k], heights[k - 1]
            if here * before < 0:
                kept.append((before * corners[k] - here * corners[k - 1]) / (before - here))
            if here >= 0:
                kept.append(corners[k])
        corners = np.array(kept).reshape(-1, 2)
    return corners


def _areas(corners: Matrix) -> Vector:
    """Areas of the triangles between the first corner of a convex polygon and each two neighbours, times 2."""
    sides = corners[1:] - corners[:1]
    one, other = sides[:-1], sides[1:]
    areas: Vector = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    return areas


def _centroid(corners: Matrix) -> Vector:
    """Centre of mass of a convex polygon: that of its triangles, weighted by their areas."""
    areas = _areas(corners)
    centre: Vector = areas @ (corners[0] + corners[1:-1] + corners[2:]) / (3 * areas.sum())
    return centre
