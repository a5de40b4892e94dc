"""The graph of a decision process: states as circles, choices as coloured arrows to where they lead."""

import math
import textwrap
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Vector, first_index
from rltheory.plots.maps import checked_cells
from rltheory.plots.style import COLOURS, DASHES, new_axes, points_per_unit
from rltheory.problems import MDP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["transition_graph"]

MOST_STATES = 60
CROWDED = 4  # arrows for each state, beyond which states are placed farther apart

# Lengths in units of the smallest distance between two states of a graph that is not crowded.
RADIUS = 0.2
RISE = 0.2  # of an arc's middle over the straight line, for a distance of one
GAP = 0.19  # between the middles of arcs that join the same states
LOOP = 0.62  # from the state to the control points of a loop
INCHES = 1.45

LABELS_AT = (0.4, 0.27, 0.53)  # of the way along arcs that join the same states, so that their labels do not touch
HALF_LOOP = 0.5  # radians


def transition_graph(mdp: MDP, *, cells: ArrayLike | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw states as circles, and choices as arrows to their successors.

    Each name of a choice has its colour. Arrows are as thick as their transition is probable, and labelled with its
    probability; the likeliest arrow of a choice also tells its mean reward r, if that is not 0. Arrows there and back
    lie on different sides.

    Parameters
    ----------
    mdp
        The process, 60 states at most.
    cells : array_like of int, shape (rows, columns), optional
        Number of the state in each cell of a grid, -1 where there is none; every state lies in one. For instance
        ``[range(6)]`` is a row. By default states are placed so that their distances suit their numbers of steps
        :cite:`kamada1989`.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If there are too many states, or `cells` is no such array. The message names the rule.

    References
    ----------
    :cite:`kamada1989`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> ax = transition_graph(river_swim(3))
    >>> [text.get_text() for text in ax.texts]
    ['1, r = 0.005', '0.4', '0.6', '1', '0.05', '0.6', '0.35', '1', '0.4', '0.6, r = 1', '0', '1', '2']
    """
    if mdp.states > MOST_STATES:
        raise ValueError(
            f"the process has {mdp.states} states; a graph can be read with {MOST_STATES} at most, and a grid of more "
            "is drawn by value_map and policy_map"
        )
    matrix = mdp.transition_matrix
    laws = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    places = _placed(mdp, laws) if cells is None else _on_grid(mdp, cells)
    names = list(dict.fromkeys(mdp.choice_names))
    looks = {name: (COLOURS[k % len(COLOURS)], DASHES[k // len(COLOURS) % len(DASHES)]) for k, name in enumerate(names)}
    curves = _curves(mdp, laws, places)
    low, high = _extent(places, curves)
    if ax is None:
        width, height = INCHES * (high - low)
        shrink = min(1.0, 12 / width, 9 / height)
        ax = new_axes(width=max(4.0, shrink * width), height=max(1.5, shrink * height) + 0.8, equal=True)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    points = points_per_unit(ax)
    for curve in curves:
        _draw_curve(ax, curve, *looks[mdp.choice_names[curve.choice]], size=min(8.5, 0.1 * points))
    for place, name in zip(places, mdp.state_names, strict=True):
        _draw_state(ax, place, name, points)
    _explain(ax, looks)
    ax.set_title(str(mdp), loc="left", fontsize=10)
    return ax


def _on_grid(mdp: MDP, cells: ArrayLike) -> Matrix:
    grid = checked_cells(mdp, cells)
    missing = ~np.isin(np.arange(mdp.states), grid)
    if missing.any():
        (state,) = first_index(missing)
        raise ValueError(f"cells holds no state {state} ({mdp.state_names[state]}); each state needs a cell here")
    places = np.empty((mdp.states, 2))
    places[grid[grid >= 0]] = np.argwhere(grid >= 0)[:, ::-1] * [1, -1]
    return places


def _placed(mdp: MDP, laws: Matrix) -> Matrix:
    """Places by Kamada and Kawai, turned so that the graph is widest from left to right and starts on the left."""
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(mdp.states))
    choices, successors = np.nonzero(laws)
    graph.add_edges_from(zip(mdp.state_of_choice[choices].tolist(), successors.tolist(), strict=True))
    # Parts of a process that never meet are placed side by side, as if they did.
    graph.add_edges_from(pairwise(min(part) for part in networkx.connected_components(graph)))
    layout = networkx.kamada_kawai_layout(graph)
    places = np.array([layout[state] for state in range(mdp.states)])
    places -= places.mean(axis=0)
    places = places @ np.linalg.svd(places)[2].T
    places *= np.where(places[0] > 0, -1, 1)
    apart = np.linalg.norm(places[:, None] - places, axis=-1)[~np.eye(mdp.states, dtype=bool)]
    spread = max(1.0, choices.size / (CROWDED * mdp.states))
    return np.asarray(places * (spread / (apart.min() if apart.size else 1.0)))


class _Curve(NamedTuple):
    """One transition: a Bézier curve of three points, or of four if it is a loop."""

    points: list[Vector]
    choice: int
    probability: float
    label: str
    label_at: float  # as a share of the curve

    def at(self, t: float) -> Vector:
        """Point after the share t of the curve's parameter."""
        degree = len(self.points) - 1
        weights = [math.comb(degree, k) * t**k * (1 - t) ** (degree - k) for k in range(degree + 1)]
        point: Vector = np.average(self.points, axis=0, weights=weights)
        return point


def _curves(mdp: MDP, laws: Matrix, places: Matrix) -> list[_Curve]:
    """Arcs, and loops where these leave room, in the order of choices."""
    curves: dict[tuple[int, int], _Curve] = {}
    taken: list[list[float]] = [[] for _ in places]  # directions, in radians, in which curves leave or arrive
    drawn: Counter[tuple[int, int]] = Counter()
    transitions = [(int(choice), int(successor)) for choice, successor in np.argwhere(laws)]
    joined = {(int(mdp.state_of_choice[choice]), successor) for choice, successor in transitions}
    for choice, end in sorted(transitions, key=lambda pair: mdp.state_of_choice[pair[0]] == pair[1]):  # loops last
        start, law = int(mdp.state_of_choice[choice]), laws[choice]
        if start == end:
            direction = _free_direction(taken[start])
            taken[start].append(direction)
            points, label_at = _loop(places[start], direction), 0.5
        else:
            rank, outwards = drawn[start, end], (end, start) not in joined
            points = _arc(places[start], places[end], rank, places.mean(axis=0) if outwards else None)
            label_at = LABELS_AT[rank % len(LABELS_AT)]
            drawn[start, end] += 1
            taken[start].append(_direction(points[1] - places[start]))
            taken[end].append(_direction(points[1] - places[end]))
        label = f"{law[end]:.3g}"
        if end == law.argmax() and mdp.rewards[choice]:
            label += f", r = {mdp.rewards[choice]:.3g}".replace("-", "−")
        curves[choice, end] = _Curve(points, choice, law[end], label, label_at)
    return [curves[transition] for transition in transitions]


def _arc(start: Vector, end: Vector, rank: int, centre: Vector | None) -> list[Vector]:
    """Arc on the left of its way, or on the side away from the centre, if one is given."""
    ahead = end - start
    distance = float(np.linalg.norm(ahead))
    side = np.array([-ahead[1], ahead[0]]) / distance
    if centre is not None and side @ (centre - start) > 1e-6 * distance:
        side = -side
    control = (start + end) / 2 + 2 * (RISE * distance + GAP * rank) * side
    return [
        start + RADIUS * _unit(_direction(control - start)),
        control,
        end + RADIUS * _unit(_direction(control - end)),
    ]


def _loop(place: Vector, direction: float) -> list[Vector]:
    sides = _unit(direction + HALF_LOOP), _unit(direction - HALF_LOOP)
    ends, controls = ([place + reach * side for side in sides] for reach in (RADIUS, LOOP))
    return [ends[0], *controls, ends[1]]


def _free_direction(taken: list[float]) -> float:
    """Straight up or down where a loop has room, otherwise the middle of the largest gap."""
    for direction in (math.pi / 2, -math.pi / 2):
        if all(abs(math.remainder(other - direction, math.tau)) > 1.5 * HALF_LOOP for other in taken):
            return direction
    order = np.sort(np.mod(taken, math.tau))
    gaps = np.diff(order, append=order[0] + math.tau)
    widest = int(np.argmax(gaps))
    return float(order[widest] + gaps[widest] / 2)


def _extent(places: Matrix, curves: list[_Curve]) -> tuple[Vector, Vector]:
    """Lower left and upper right corner of what is drawn, labels included."""
    labels = np.array([curve.at(curve.label_at) for curve in curves])
    middles = np.array([curve.at(0.5) for curve in curves])
    room = np.array([[0.042 * len(curve.label) + 0.05, 0.12] for curve in curves])
    low = np.concatenate([places - 1.2 * RADIUS, middles - 0.1, labels - room]).min(axis=0)
    high = np.concatenate([places + 1.2 * RADIUS, middles + 0.1, labels + room]).max(axis=0)
    return low, high


def _draw_curve(ax: "Axes", curve: _Curve, colour: str, dashes: Any, *, size: float) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    degree = len(curve.points) - 1
    path = Path(curve.points, [Path.MOVETO] + [Path.CURVE3 if degree == 2 else Path.CURVE4] * degree)
    width = 0.7 + 2.3 * curve.probability
    arrow = FancyArrowPatch(
        path=path, arrowstyle="-|>", mutation_scale=9, color=colour, linestyle=dashes, linewidth=width, zorder=1
    )
    ax.add_patch(arrow)
    frame = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    x, y = curve.at(curve.label_at)
    ax.text(x, y, curve.label, ha="center", va="center", fontsize=size, color=colour, bbox=frame, zorder=3)


def _draw_state(ax: "Axes", place: Vector, name: str, points: float) -> None:
    from matplotlib.patches import Circle

    ax.add_patch(Circle((place[0], place[1]), RADIUS, facecolor="white", edgecolor="black", zorder=2))
    lines = textwrap.wrap(name.replace("_", " "), 9) or [""]
    diameter = 2 * RADIUS * points
    size = min(10.0, diameter / (0.7 * max(map(len, lines))), diameter / (1.6 * len(lines)))
    ax.text(place[0], place[1], "\n".join(lines), ha="center", va="center", fontsize=size, zorder=4)


def _explain(ax: "Axes", looks: dict[str, tuple[str, Any]]) -> None:
    """Legend below the graph, in as many columns as fit into its width."""
    from matplotlib.lines import Line2D

    across = points_per_unit(ax) * abs(np.subtract(*ax.get_xlim()))
    longest = 5.0 * max(map(len, looks)) + 36
    ax.legend(
        [Line2D([], [], color=colour, linestyle=dashes, linewidth=2) for colour, dashes in looks.values()],
        list(looks),
        frameon=False,
        fontsize=9,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=max(1, min(len(looks), int(across / longest))),
    )


def _direction(ahead: Vector) -> float:
    return math.atan2(ahead[1], ahead[0])


def _unit(direction: float) -> Vector:
    return np.array([math.cos(direction), math.sin(direction)])
