"""Decision processes on a grid: values, occupancies and policies of its states.

Where a state lies is told by `cells`, an integer array that looks like the grid: it holds the number of the state in
each cell, and -1 where there is none, as in a wall. That of a grid world is made by
:func:`rltheory.instances.grid_cells`. A table that numbers its cells row by row needs ``np.arange(16).reshape(4, 4)``,
and of a process with further coordinates a slice is shown. States without a cell are not drawn.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import Array, Vector, first_index, float_array
from rltheory.instances import MOVES
from rltheory.plots.style import new_axes, points_per_unit
from rltheory.problems import MDP, deterministic_policy
from rltheory.problems.mdp import Indices
from rltheory.problems.policies import checked_policy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["checked_cells", "occupancy_map", "policy_map", "value_map"]

WALL, PLAIN, LINES = "#4b5563", "#f6f7f9", "#d9dde3"
REACH = 0.4  # length of the arrow of a certain move, in cells
CLEARANCE = 0.07  # of the arrows of uncertain moves around the middle, in cells
CERTAIN = 0.999  # probability above which arrows of other moves would be invisible
LARGEST_DOT = 0.2  # diameter, in cells
PREVAILS = 4  # how many times larger values of one sign are, from which on colours do not tell the signs
SMALLEST_TEXT, LARGEST_TEXT = 5.5, 11.0  # points


def value_map(
    mdp: MDP, values: ArrayLike, cells: ArrayLike, *, quantity: str = "value", ax: "Axes | None" = None
) -> "Axes":
    """Draw the values of states as colours of cells, with their numbers where these are legible.

    Parameters
    ----------
    mdp
        The process, S states.
    values : array_like, shape (S,)
        A number for each state, in units of reward.
    cells : array_like of int, shape (rows, columns)
        Number of the state in each cell, -1 where there is none; no state lies in two.
    quantity
        What is drawn.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Where neither sign prevails, colours meet in white at 0.

    Raises
    ------
    ValueError
        If there is not one finite value for each state, or `cells` is no such array. The message names the place.

    Examples
    --------
    >>> from rltheory.instances import grid_cells, grid_world
    >>> from rltheory.solvers import solve
    >>> layout = ["..G", "S#."]
    >>> grid = grid_world(layout)
    >>> ax = value_map(grid, solve(grid, 0.9).values, grid_cells(layout))
    >>> [text.get_text() for text in ax.texts]
    ['0.81', '0.90', '1.00', '0.73', '0.90']
    """
    numbers, places = _state_numbers(mdp, values, "values"), checked_cells(mdp, cells)
    ax = _grid_axes(mdp, places, ax)
    _write_numbers(ax, _colour(ax, places, numbers, quantity), places, numbers)
    return ax


def occupancy_map(mdp: MDP, occupancy: ArrayLike, cells: ArrayLike, *, ax: "Axes | None" = None) -> "Axes":
    """Draw how often states are visited; white is never.

    Parameters
    ----------
    mdp
        The process, C choices.
    occupancy : array_like, shape (C,)
        How often each choice is made, >= 0: probabilities or expected numbers of times.
    cells : array_like of int, shape (rows, columns)
        Number of the state in each cell, -1 where there is none; no state lies in two.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If there is not one finite number >= 0 for each choice, or `cells` is no such array. The message names the
        place.

    Examples
    --------
    >>> from rltheory.instances import grid_cells, grid_world
    >>> from rltheory.problems import uniform_policy
    >>> from rltheory.solvers import discounted_occupancy
    >>> layout = ["S."]
    >>> grid = grid_world(layout, exits={})
    >>> ax = occupancy_map(grid, discounted_occupancy(grid, uniform_policy(grid), 0.5).occupancy, grid_cells(layout))
    >>> [text.get_text() for text in ax.texts]
    ['0.833', '0.167']
    """
    shares, places = float_array(occupancy, "occupancy", ndim=1), checked_cells(mdp, cells)
    if shares.size != mdp.choices:
        raise ValueError(f"occupancy has {shares.size} entries for {mdp.choices} choices; give one for each")
    if (shares < 0).any():
        (choice,) = first_index(shares < 0)
        raise ValueError(f"occupancy[{choice}] is {shares[choice]}; it must be >= 0")
    visits = np.add.reduceat(shares, mdp.first_choice[:-1])
    ax = _grid_axes(mdp, places, ax)
    highest = visits[places[places >= 0]].max() or 1.0
    mesh = _colour(ax, places, visits, "occupancy", colours="Blues", limits=(0.0, highest))
    _write_numbers(ax, mesh, places, visits)
    return ax


def policy_map(
    mdp: MDP,
    policy: ArrayLike,
    cells: ArrayLike,
    *,
    values: ArrayLike | None = None,
    moves: Mapping[str, tuple[int, int]] = MOVES,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the moves of a policy as arrows, as long as they are probable.

    A certain move lies in the middle of its cell; others start there. A choice without a direction is a dot, as large
    as it is probable. Where nothing is to be chosen, since there is one choice or all have the same law and reward,
    there are no arrows, but the reward if it is not 0: so exits show what they pay.

    Parameters
    ----------
    mdp
        The process, S states and C choices.
    policy : array_like, shape (C,) or of int, shape (S,)
        Probabilities of the choices in their states, or the number of the choice made in each state.
    cells : array_like of int, shape (rows, columns)
        Number of the state in each cell, -1 where there is none; no state lies in two.
    values : array_like, shape (S,), optional
        Values to colour the cells by, in units of reward.
    moves
        Steps by names of choices, in rows (down) and columns (right); by default those of grid worlds.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If the policy is none of the process, an array does not fit, or no choice has a direction. The message names
        the place.

    Examples
    --------
    >>> from rltheory.instances import grid_cells, grid_world
    >>> from rltheory.solvers import solve
    >>> layout = ["..G", "S#."]
    >>> grid = grid_world(layout)
    >>> ax = policy_map(grid, solve(grid, 0.9).policy, grid_cells(layout))
    >>> [text.get_text() for text in ax.texts]
    ['+1']
    """
    probabilities, places = _probabilities(mdp, policy), checked_cells(mdp, cells)
    numbers = None if values is None else _state_numbers(mdp, values, "values")
    decided = _decided(mdp)
    open_choices = np.flatnonzero(np.isin(mdp.state_of_choice, places) & ~decided[mdp.state_of_choice])
    names = dict.fromkeys(mdp.choice_names[choice] for choice in open_choices)
    if names and not names.keys() & moves.keys():
        known, called = (", ".join(map(repr, words)) for words in (moves, names))
        raise ValueError(f"moves tells the directions of {known}; the choices here are called {called}")
    ax = _grid_axes(mdp, places, ax)
    mesh = None if numbers is None else _colour(ax, places, numbers, "value")
    centres = np.full((mdp.states, 2), -1)  # row and column
    centres[places[places >= 0]] = np.argwhere(places >= 0)

    def ink(states: Indices) -> list[str]:
        return ["black"] * states.size if mesh is None or numbers is None else _ink(mesh, numbers[states])

    made = open_choices[probabilities[open_choices] > 0]
    directed = np.array([mdp.choice_names[choice] in moves for choice in made], dtype=bool)
    for choices, draw in ((made[directed], _draw_arrows), (made[~directed], _draw_dots)):
        if choices.size:
            states = mdp.state_of_choice[choices]
            steps = np.array([moves.get(mdp.choice_names[choice], (0, 0)) for choice in choices])
            draw(ax, centres[states], steps, probabilities[choices], ink(states))
    rewards = mdp.rewards[mdp.first_choice[:-1]]
    paying = np.flatnonzero(decided & (rewards != 0) & np.isin(np.arange(mdp.states), places))
    words = [f"{reward:+.3g}".replace("-", "−") for reward in rewards[paying]]
    _write(ax, centres[paying], words, ink(paying))
    return ax


def _draw_arrows(ax: "Axes", centres: Indices, steps: Indices, probabilities: Vector, colours: list[str]) -> None:
    tails = centres + np.where(probabilities > CERTAIN, -REACH / 2, CLEARANCE)[:, None] * steps
    extents = REACH * probabilities[:, None] * steps
    ax.quiver(
        *tails.T[::-1],
        *extents.T[::-1],
        color=colours,
        angles="xy",
        scale_units="xy",
        scale=1,
        units="xy",
        width=0.045,
        headwidth=4,
        headlength=4,
        headaxislength=3.6,
        minlength=0,
    )


def _draw_dots(ax: "Axes", centres: Indices, steps: Indices, probabilities: Vector, colours: list[str]) -> None:
    rows, columns = centres.T
    diameter = LARGEST_DOT * points_per_unit(ax)
    ax.scatter(columns, rows, s=diameter**2 * probabilities, color=colours, linewidths=0)


def checked_cells(mdp: MDP, cells: ArrayLike) -> Indices:
    """Return `cells` as an array of numbers of states, none of them twice, and -1; shape (rows, columns)."""
    places = np.array(cells)
    if places.ndim != 2 or places.size == 0 or not np.issubdtype(places.dtype, np.integer):
        raise ValueError(
            f"cells has type {places.dtype} and shape {places.shape}; it must hold integers in rows and columns"
        )
    outside = (places < -1) | (places >= mdp.states)
    if outside.any():
        place = first_index(outside)
        raise ValueError(f"cells{list(place)} is {places[place]}; it must be -1 or a state, 0 to {mdp.states - 1}")
    found, times = np.unique(places[places >= 0], return_counts=True)
    if not found.size:
        raise ValueError("cells holds no state; there must be one at least")
    if (times > 1).any():
        state = found[times > 1][0]
        raise ValueError(f"cells holds state {state} {times[times > 1][0]} times; a state lies in one cell")
    return places.astype(np.int64)


def _state_numbers(mdp: MDP, values: ArrayLike, name: str) -> Vector:
    numbers = float_array(values, name, ndim=1)
    if numbers.size != mdp.states:
        raise ValueError(f"{name} has {numbers.size} entries for {mdp.states} states; give one for each")
    return numbers


def _probabilities(mdp: MDP, policy: ArrayLike) -> Array:
    numbers = np.array(policy)
    if np.issubdtype(numbers.dtype, np.integer) and numbers.shape == (mdp.states,):
        return deterministic_policy(mdp, numbers, name="policy")
    return checked_policy(mdp, policy)


def _decided(mdp: MDP) -> NDArray[np.bool_]:
    """Which states have choices of one law and one reward only, shape (S,)."""
    laws, first = mdp.transition_matrix, mdp.first_choice[mdp.state_of_choice]
    differs = (abs(laws - laws[first]).sum(axis=1) > 0) | (mdp.rewards != mdp.rewards[first])
    decided: NDArray[np.bool_] = ~np.logical_or.reduceat(differs, mdp.first_choice[:-1])
    return decided


def _grid_axes(mdp: MDP, places: Indices, ax: "Axes | None") -> "Axes":
    """Axes with the plain cells of a grid, the first row on top."""
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

    rows, columns = places.shape
    if ax is None:
        size = min(0.85, 9 / columns, 7 / rows)
        ax = new_axes(width=max(2.0, size * columns) + 1.4, height=max(1.0, size * rows) + 0.9, equal=True)
    _mesh(ax, np.where(places >= 0, 0, 1), cmap=ListedColormap([PLAIN, WALL]), vmin=0, vmax=1)
    ax.set_aspect("equal")
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=15, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("column")
    ax.set_ylabel("row")
    ax.set_title(str(mdp), loc="left", fontsize=10)
    return ax


def _mesh(ax: "Axes", shades: Any, **colours: Any) -> Any:
    rows, columns = shades.shape
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    return ax.pcolormesh(*edges, shades, edgecolors=LINES, linewidth=0.6 if max(rows, columns) <= 30 else 0, **colours)


def _colour(
    ax: "Axes",
    places: Indices,
    numbers: Vector,
    quantity: str,
    *,
    colours: str | None = None,
    limits: tuple[float, float] | None = None,
) -> Any:
    """Colour the cells by the numbers of their states, and lay a scale beside them."""
    shown = numbers[places[places >= 0]]
    low, high = float(shown.min()), float(shown.max())
    if limits is not None:
        low, high = limits
    elif PREVAILS * min(-low, high) > max(-low, high):
        high = max(-low, high)
        low, colours = -high, "RdBu"
    elif low == high:
        margin = abs(low) / 10 or 1.0
        low, high = low - margin, high + margin
    shades = np.ma.masked_array(numbers[places], places < 0)
    mesh = _mesh(ax, shades, cmap=colours or "viridis", vmin=low, vmax=high)
    # An inset is as high as the grid, whatever the axes around it.
    columns = places.shape[1]
    scale = ax.inset_axes((1 + 0.2 / columns, 0, max(0.25 / columns, 0.03), 1))
    bar = ax.figure.colorbar(mesh, cax=scale, label=quantity)
    bar.outline.set_visible(False)
    bar.ax.ticklabel_format(axis="y", useOffset=False)
    return mesh


def _write_numbers(ax: "Axes", mesh: Any, places: Indices, numbers: Vector) -> None:
    shown = numbers[places[places >= 0]]
    _write(ax, np.argwhere(places >= 0), _worded(shown), _ink(mesh, shown))


def _write(ax: "Axes", where: Indices, words: Sequence[str], colours: Sequence[str]) -> None:
    """Write words into cells, given by row and column, if they are legible there."""
    points = min(LARGEST_TEXT, points_per_unit(ax) / (0.85 * max(map(len, words), default=1)))
    if points < SMALLEST_TEXT:
        return
    for (row, column), word, colour in zip(where, words, colours, strict=True):
        ax.text(column, row, word, ha="center", va="center", fontsize=points, color=colour)


def _worded(numbers: Vector) -> list[str]:
    """Numbers with as many decimals as give the largest three digits."""
    largest = float(np.abs(numbers).max())
    if largest == 0:
        return ["0"] * numbers.size
    order = math.floor(math.log10(largest))
    style = f"z.{max(2 - order, 0)}f" if -3 <= order <= 5 else ".1e"
    return [format(number, style).replace("-", "−") for number in numbers]


def _ink(mesh: Any, numbers: Vector) -> list[str]:
    """Black or white, whichever stands out from the colour of each number."""
    luminance = mesh.to_rgba(numbers)[:, :3] @ [0.299, 0.587, 0.114]
    return ["black" if light > 0.5 else "white" for light in luminance]
