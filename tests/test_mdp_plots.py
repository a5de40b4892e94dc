"""Figures of decision processes: what is drawn, where, and in which colour."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.quiver import Quiver

from rltheory.instances import (
    chain,
    combination_lock,
    garnet,
    grid_cells,
    grid_world,
    inventory,
    machine_replacement,
    recorded_mdp,
    river_swim,
)
from rltheory.plots import occupancy_map, policy_map, transition_graph, value_map
from rltheory.plots.style import COLOURS
from rltheory.problems import TabularMDP, uniform_policy
from tests.exact_mdps import mdps

LAYOUT = ["...+", ".#.-", "S..."]
GRID = grid_world(LAYOUT, slip=0.2, exits={"+": 1, "-": -1})
CELLS = grid_cells(LAYOUT)
VALUES = np.linspace(-1, 2, 12)


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def axes():
    return Figure(figsize=(6, 5)).subplots()


def drawn(ax, kind):
    return [artist for artist in (*ax.collections, *ax.patches) if isinstance(artist, kind)]


def words(ax):
    """Texts by the cell, row and column, in which they stand."""
    return {(int(y), int(x)): text.get_text() for text in ax.texts for x, y in [text.get_position()]}


def arrows(ax):
    """Middles and extents of arrows, as rows and columns of cells."""
    (quiver,) = drawn(ax, Quiver)
    tails, steps = np.column_stack([quiver.Y, quiver.X]), np.column_stack([quiver.V, quiver.U])
    assert quiver.angles == quiver.scale_units == "xy"
    assert quiver.scale == 1
    return tails, steps


# Maps


def test_cells_of_a_layout_hold_the_states_that_are_named_after_them():
    for (row, column), state in np.ndenumerate(CELLS):
        if LAYOUT[row][column] == "#":
            assert state == -1
        else:
            assert GRID.state_names[state] == f"{row},{column}"


def test_values_colour_their_cells():
    ax = value_map(GRID, VALUES, CELLS, ax=axes())
    _, mesh = drawn(ax, QuadMesh)
    shades = mesh.get_array()
    assert shades.mask.tolist() == (CELLS < 0).tolist()
    np.testing.assert_array_equal(shades[CELLS >= 0], VALUES[:-1])
    # Row 0 is on top, and a cell lies around its numbers.
    assert ax.get_ylim() == (2.5, -0.5)
    assert ax.get_xlim() == (-0.5, 3.5)
    np.testing.assert_array_equal(mesh.get_coordinates()[1, 2], [1.5, 0.5])
    assert words(ax)[1, 2] == f"{VALUES[CELLS[1, 2]]:.2f}"
    assert (1, 1) not in words(ax)
    assert ax.get_title(loc="left") == "grid of 3 x 4"
    (scale,) = ax.child_axes
    assert scale.get_ylabel() == "value"


def test_a_value_map_of_something_else_says_what():
    (scale,) = value_map(GRID, VALUES, CELLS, quantity="bias", ax=axes()).child_axes
    assert scale.get_ylabel() == "bias"


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([-1, 0.5, 0.3], (-1, 1)),  # both signs: white is 0
        ([-0.2, 1, 0.3], (-0.2, 1)),  # one sign prevails
        ([-5, -3, -4], (-5, -3)),
        ([2, 2, 2], (1.8, 2.2)),
        ([0, 0, 0], (-1, 1)),
    ],
)
def test_scale_of_values(values, limits):
    mdp = TabularMDP(np.eye(3)[:, None], np.zeros((3, 1)))
    _, mesh = drawn(value_map(mdp, values, [[0, 1, 2]], ax=axes()), QuadMesh)
    assert mesh.get_clim() == pytest.approx(limits)
    assert (mesh.get_cmap().name == "RdBu") == (values[:2] == [-1, 0.5])


def test_states_off_the_map_do_not_stretch_the_scale():
    values = np.append(np.linspace(1, 2, 11), 1e6)
    _, mesh = drawn(value_map(GRID, values, CELLS, ax=axes()), QuadMesh)
    assert mesh.get_clim() == (1, 2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.8126, -0.00001], ["0.813", "0.000"]),
        ([12.34, -1], ["12.3", "−1.0"]),
        ([1, 0.5], ["1.00", "0.50"]),
        ([-123456, 3], ["−123456", "3"]),
        ([1e7, 0], ["1.0e+07", "0.0e+00"]),
        ([2e-7, 0], ["2.0e−07", "0.0e+00"]),
        ([0, 0], ["0", "0"]),
    ],
)
def test_numbers_have_the_decimals_of_the_largest(values, expected):
    mdp = TabularMDP(np.eye(2)[:, None], np.zeros((2, 1)))
    ax = value_map(mdp, values, [[0, 1]], ax=axes())
    assert [text.get_text() for text in ax.texts] == expected


def test_numbers_stand_out_and_stay_in_their_cells():
    ax = value_map(GRID, VALUES, CELLS)
    figure = ax.figure
    figure.canvas.draw()
    _, mesh = drawn(ax, QuadMesh)
    for text in ax.texts:
        column, row = text.get_position()
        shade = mesh.to_rgba(VALUES[CELLS[row, column]])
        light, dark = sorted([luminance(shade), luminance(to_rgba(text.get_color()))], reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 3  # the contrast that WCAG asks for large text
        box = text.get_window_extent().transformed(ax.transData.inverted())
        assert abs(box.x0 - box.x1) < 0.95
        assert abs(box.y0 - box.y1) < 0.95


def luminance(colour):
    """Relative luminance of sRGB."""
    channels = np.array(colour[:3])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]


def test_no_numbers_where_they_are_not_legible():
    layout = ["." * 50] * 50
    grid = grid_world(layout, exits={})
    ax = value_map(grid, np.arange(grid.states), grid_cells(layout))
    assert not ax.texts
    assert drawn(ax, QuadMesh)[1].get_array().shape == (50, 50)


def test_everything_lies_inside_of_the_figure():
    square = np.arange(16).reshape(4, 4)
    lake = recorded_mdp("frozen_lake_4x4")
    for ax in (
        value_map(GRID, -1e5 * VALUES, CELLS),
        policy_map(lake, uniform_policy(lake), square, values=np.arange(17.0)),
        value_map(TabularMDP([[[1]]], [[1]]), [3], [[0]]),
        transition_graph(chain(), cells=[range(5)]),
    ):
        ax.figure.canvas.draw()
        inner, outer = ax.figure.get_tightbbox(), ax.figure.bbox_inches
        assert outer.x0 <= inner.x0
        assert inner.x1 <= outer.x1
        assert outer.y0 <= inner.y0
        assert inner.y1 <= outer.y1


def test_occupancies_of_choices_add_up_in_their_state():
    occupancy = np.arange(GRID.choices) / 100
    ax = occupancy_map(GRID, occupancy, CELLS, ax=axes())
    _, mesh = drawn(ax, QuadMesh)
    expected = [occupancy[GRID.state_of_choice == state].sum() for state in range(11)]
    np.testing.assert_allclose(mesh.get_array()[CELLS >= 0], expected, rtol=1e-15)
    assert mesh.get_clim() == pytest.approx((0, max(expected)))
    assert mesh.to_rgba(0.0) == pytest.approx((1, 1, 1, 1), abs=0.04)
    (scale,) = ax.child_axes
    assert scale.get_ylabel() == "occupancy"


def test_a_map_that_is_never_visited_is_white():
    ax = occupancy_map(GRID, np.zeros(GRID.choices), CELLS, ax=axes())
    _, mesh = drawn(ax, QuadMesh)
    assert mesh.get_clim() == (0, 1)


def test_certain_moves_are_arrows_in_the_middle_of_their_cells():
    # The first choice of each state: up, or leave in an exit.
    ax = policy_map(GRID, GRID.first_choice[:-1], CELLS, ax=axes())
    tails, steps = arrows(ax)
    free = [place for place, state in np.ndenumerate(CELLS) if state >= 0 and LAYOUT[place[0]][place[1]] in "S."]
    np.testing.assert_allclose(tails + steps / 2, free, atol=1e-15)
    np.testing.assert_allclose(steps, np.tile([-0.4, 0], (9, 1)))
    assert words(ax) == {(0, 3): "+1", (1, 3): "−1"}
    assert not drawn(ax, PathCollection)


def test_arrows_are_as_long_as_moves_are_probable():
    probabilities = uniform_policy(GRID)
    probabilities[:4] = [0.1, 0.7, 0.2, 0]  # up, right, down, left
    ax = policy_map(GRID, probabilities, CELLS, ax=axes())
    tails, steps = arrows(ax)
    assert len(steps) == 3 + 8 * 4
    np.testing.assert_allclose(steps[:3], [[-0.04, 0], [0, 0.28], [0.08, 0]], atol=1e-15)
    # They start around the middle, each on its own side.
    np.testing.assert_allclose(tails[:3], 0.07 * np.array([[-1, 0], [0, 1], [1, 0]]), atol=1e-15)
    np.testing.assert_allclose(np.hypot(*steps[3:].T), 0.1)
    (quiver,) = drawn(ax, Quiver)
    assert quiver.minlength == 0  # Matplotlib would draw a dot for a short arrow


def test_arrows_stand_out_from_the_values():
    probabilities = uniform_policy(GRID)
    ax = policy_map(GRID, probabilities, CELLS, values=VALUES, ax=axes())
    _, mesh = drawn(ax, QuadMesh)
    np.testing.assert_array_equal(mesh.get_array()[CELLS >= 0], VALUES[:-1])
    (quiver,) = drawn(ax, Quiver)
    shades = mesh.to_rgba(VALUES)
    shown = np.flatnonzero(np.diff(GRID.first_choice) == 4)
    for state, colour in zip(np.repeat(shown, 4), quiver.get_facecolor(), strict=True):
        light, dark = sorted([luminance(shades[state]), luminance(colour)], reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 3
    assert not any(text.get_text() == "0.00" for text in ax.texts)  # arrows stand in place of numbers


def test_choices_without_a_direction_are_dots():
    taxi = recorded_mdp("taxi")
    cells = np.arange(500).reshape(5, 5, 5, 4)[:, :, 0, 1]
    probabilities = np.zeros(taxi.choices)
    probabilities[taxi.first_choice[:-1] + 4] = 0.25  # pick up
    probabilities[taxi.first_choice[:-1] + 2] = 0.75  # right
    ax = policy_map(taxi, probabilities, cells, ax=axes())
    _, steps = arrows(ax)
    np.testing.assert_allclose(steps, np.tile([0, 0.3], (25, 1)), atol=1e-15)
    (dots,) = drawn(ax, PathCollection)
    np.testing.assert_array_equal(dots.get_offsets(), [(column, row) for row in range(5) for column in range(5)])
    (certain,) = drawn(policy_map(taxi, taxi.first_choice[:-1] + 4, cells, ax=axes()), PathCollection)
    np.testing.assert_allclose(dots.get_sizes() / certain.get_sizes(), 0.25)


def test_moves_may_have_any_name():
    table = TabularMDP(np.eye(2)[[[0, 1], [0, 1]]], np.zeros((2, 2)), action_names=["west", "north-east"])
    ax = policy_map(table, [1, 2], [[0, 1]], moves={"west": (0, -1), "north-east": (-1, 1)}, ax=axes())
    _, steps = arrows(ax)
    np.testing.assert_allclose(steps, [[-0.4, 0.4], [0, -0.4]], atol=1e-15)


def test_where_all_choices_are_the_same_there_are_no_arrows():
    """Holes of the frozen lake: whatever is chosen there, the episode has ended."""
    lake = recorded_mdp("frozen_lake_4x4")
    ax = policy_map(lake, uniform_policy(lake), np.arange(16).reshape(4, 4), ax=axes())
    tails, _ = arrows(ax)
    shown = {tuple(np.rint(tail).astype(int)) for tail in tails}
    assert shown == set(np.ndindex(4, 4)) - {(1, 1), (1, 3), (2, 3), (3, 0), (3, 3)}
    assert not ax.texts


def test_rewards_are_written_where_they_are_all_that_is_left():
    """State 0: one law, two rewards, so there is a choice; state 1: two choices that are the same."""
    mdp = TabularMDP(np.eye(2)[[[0, 0], [1, 1]]], [[1, 2], [-3, -3]], action_names=["left", "right"])
    ax = policy_map(mdp, [1, 2], [[0, 1]], ax=axes())
    tails, steps = arrows(ax)
    np.testing.assert_allclose(tails + steps / 2, [[0, 0]], atol=1e-15)
    np.testing.assert_allclose(steps, [[0, 0.4]])
    assert words(ax) == {(0, 1): "−3"}


def test_recorded_moves_go_where_their_arrows_point():
    """From an inner cell without a wall near; the lake is slippery, and goes where it should one time in three."""
    for name, cell, columns, chance in (("cliff_walking", 14, 12, 1), ("frozen_lake_4x4", 9, 4, 1 / 3)):
        mdp = recorded_mdp(name)
        policy = uniform_policy(mdp)
        ax = policy_map(mdp, policy, np.arange(mdp.states - 1).reshape(-1, columns), ax=axes())
        tails, steps = arrows(ax)
        here = np.flatnonzero((np.rint(tails) == divmod(cell, columns)).all(axis=1))
        assert len(here) == 4
        for choice, step in zip(range(mdp.first_choice[cell], mdp.first_choice[cell + 1]), steps[here], strict=True):
            row, column = np.add(divmod(cell, columns), np.rint(10 * step).astype(int))
            reached = row * columns + column
            law = mdp.transition_matrix[[choice]].toarray()[0]
            # The cell may be a hole, from which the table leads on to the end.
            assert law[reached] == pytest.approx(chance) or law[-1] == pytest.approx(chance)


@pytest.mark.parametrize("draw", [lambda mdp, cells: value_map(mdp, np.zeros(mdp.states), cells),
                                  lambda mdp, cells: occupancy_map(mdp, uniform_policy(mdp), cells),
                                  lambda mdp, cells: policy_map(mdp, uniform_policy(mdp), cells),
                                  lambda mdp, cells: transition_graph(mdp, cells=cells)])  # fmt: skip
@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (range(12), r"cells has type int64 and shape \(12,\); it must hold integers in rows and columns"),
        ([[0.0, 1.0]], r"cells has type float64 and shape \(1, 2\)"),
        ([[]], r"cells has type float64 and shape \(1, 0\)"),
        ([[0, 12]], r"cells\[0, 1\] is 12; it must be -1 or a state, 0 to 11"),
        ([[0], [-2]], r"cells\[1, 0\] is -2; it must be -1 or a state, 0 to 11"),
        ([[0, 3], [-1, 3]], "cells holds state 3 2 times; a state lies in one cell"),
        ([[-1, -1]], "cells holds no state; there must be one at least"),
    ],
)
def test_wrong_cells_are_named(draw, cells, message):
    with pytest.raises(ValueError, match=message):
        draw(GRID, cells)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: value_map(GRID, np.zeros(11), CELLS), "values has 11 entries for 12 states; give one for each"),
        (lambda: value_map(GRID, [np.nan] * 12, CELLS), r"values\[0\] is nan; every entry must be finite"),
        (lambda: occupancy_map(GRID, np.zeros(12), CELLS), "occupancy has 12 entries for 39 choices; give one for"),
        (lambda: occupancy_map(GRID, -uniform_policy(GRID), CELLS), r"occupancy\[0\] is -0.25; it must be >= 0"),
        (lambda: policy_map(GRID, np.zeros(12, int), CELLS), r"policy\[1\] is 0; the choices of state 1 are 4 to 7"),
        (lambda: policy_map(GRID, np.zeros((2, 12), int), CELLS), r"policy has shape \(2, 12\); it must have 1 dim"),
        (lambda: policy_map(GRID, np.zeros(39), CELLS), "policy sums to 0 in state 0; expected 1 within 1e-09"),
        (lambda: policy_map(GRID, uniform_policy(GRID), CELLS, values=[1.0]), "values has 1 entries for 12 states"),
        (
            lambda: policy_map(river_swim(), uniform_policy(river_swim()), [range(6)], moves={"up": (-1, 0)}),
            "moves tells the directions of 'up'; the choices here are called 'left', 'right'",
        ),
        (lambda: transition_graph(GRID, cells=CELLS), r"cells holds no state 11 \(end\); each state needs a cell"),
        (
            lambda: transition_graph(garnet(np.random.default_rng(0), 61, 2, 2)),
            "the process has 61 states; a graph can be read with 60 at most",
        ),
    ],
)
def test_what_can_not_be_drawn_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    assert not plt.get_fignums()  # nothing is left half-drawn


# Graphs


def graph(mdp, **options):
    """Circles, and for each transition its arrow and its label, both in the order of choices and successors."""
    ax = transition_graph(mdp, **options)
    labels = [text for text in ax.texts if text.get_bbox_patch()]
    return drawn(ax, Circle), drawn(ax, FancyArrowPatch), labels


def ends(arrow, circles):
    """Numbers of the circles where an arrow begins and ends."""
    centres = np.array([circle.center for circle in circles])
    path = arrow._path_original.vertices
    return tuple(int(np.linalg.norm(centres - point, axis=1).argmin()) for point in path[[0, -1]])


@settings(max_examples=30)  # figures are slow
@given(mdp=mdps(), rows=st.booleans())
def test_graph_has_an_arrow_for_each_transition(mdp, rows):
    cells = np.arange(mdp.states)[None, :] if rows else None
    circles, arrows_drawn, labels = graph(mdp, cells=cells, ax=axes())
    matrix = mdp.transition_matrix
    laws = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    transitions = [(choice, successor) for choice in range(mdp.choices) for successor in np.flatnonzero(laws[choice])]
    assert len(circles) == mdp.states
    assert len(arrows_drawn) == len(labels) == len(transitions)
    names = list(dict.fromkeys(mdp.choice_names))
    for (choice, successor), arrow, label in zip(transitions, arrows_drawn, labels, strict=True):
        assert ends(arrow, circles) == (mdp.state_of_choice[choice], successor)
        probability = laws[choice, successor]
        assert arrow.get_linewidth() == pytest.approx(0.7 + 2.3 * probability)
        colour = COLOURS[names.index(mdp.choice_names[choice])]
        assert arrow.get_edgecolor() == to_rgba(colour)
        assert label.get_color() == colour
        assert label.get_text().split(", ")[0] == f"{probability:.3g}"
    # Each choice tells its reward once.
    rewards = [label.get_text().split("r = ")[1] for label in labels if "r = " in label.get_text()]
    assert rewards == [f"{reward:.3g}".replace("-", "−") for reward in mdp.rewards if reward]
    plt.close("all")


def test_rewards_stand_on_the_likeliest_arrow():
    _, _, labels = graph(river_swim(3))
    assert [label.get_text() for label in labels] == [
        "1, r = 0.005", "0.4", "0.6", "1", "0.05", "0.6", "0.35", "1", "0.4", "0.6, r = 1",
    ]  # fmt: skip


def test_river_swim_looks_as_in_the_textbooks():
    """A row from left to right; to the right above it, to the left below it, and loops that stand clear."""
    circles, arrows_drawn, _ = graph(river_swim())
    centres = np.array([circle.center for circle in circles])
    assert (np.diff(centres[:, 0]) > 0.9).all()
    assert np.ptp(centres[:, 1]) < 0.1
    radius = circles[0].radius
    for arrow in arrows_drawn:
        start, end = ends(arrow, circles)
        path = arrow._path_original.vertices
        middle = path[1:-1].mean(axis=0)
        if start == end:
            assert np.linalg.norm(middle - centres[start]) > 2 * radius
        else:
            between = centres[[start, end]].mean(axis=0)
            assert np.sign(middle[1] - between[1]) == np.sign(end - start)
        np.testing.assert_allclose(np.linalg.norm(path[[0, -1]] - centres[[start, end]], axis=1), radius)


@pytest.mark.parametrize("mdp", [river_swim(), inventory(4), garnet(np.random.default_rng(0), 5, 2, 2)], ids=str)
def test_a_graph_begins_on_the_left(mdp):
    circles, _, _ = graph(mdp)
    assert circles[0].center[0] < np.mean([circle.center[0] for circle in circles])


@pytest.mark.parametrize("mdp", [chain(5), chain(8), machine_replacement(6)], ids=str)
def test_no_arrow_is_cut_off(mdp):
    ax = transition_graph(mdp, cells=[range(mdp.states)])
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for arrow in drawn(ax, FancyArrowPatch):
        x, y = arrow._path_original.interpolated(1).to_polygons(closed_only=False)[0].T
        assert left < x.min()
        assert x.max() < right
        assert low < y.min()
        assert y.max() < high


def test_parts_that_never_meet_are_placed_side_by_side():
    laws = np.zeros((5, 1, 5))
    laws[[0, 1, 2, 3, 4], 0, [1, 0, 2, 4, 3]] = 1  # two pairs, and a state by itself
    circles, _, _ = graph(TabularMDP(laws, np.zeros((5, 1))))
    centres = np.array([circle.center for circle in circles])
    apart = np.linalg.norm(centres[:, None] - centres, axis=-1)[~np.eye(5, dtype=bool)]
    assert apart.min() == pytest.approx(1)
    assert apart.max() < 5


def test_grid_places_the_states_of_a_graph():
    circles, _, _ = graph(chain(4), cells=[[3, -1, 0], [1, 2, -1]])
    centres = np.array([circle.center for circle in circles])
    np.testing.assert_array_equal(centres - centres[3], [[2, 0], [0, -1], [1, -1], [0, 0]])


@pytest.mark.parametrize(
    ("mdp", "cells"),
    [
        (river_swim(), None),
        (river_swim(12), [range(12)]),
        (chain(5), [range(5)]),
        (chain(8), [range(8)]),
        (machine_replacement(6), [range(6)]),
        (combination_lock([1, 0, 1, 1]), None),
        (combination_lock([1, 0, 1, 1]), [range(4)]),
        (TabularMDP(np.tile(np.eye(2)[::-1, None], (1, 3, 1)), np.full((2, 3), -0.5), title="column"), [[0], [1]]),
    ],
    ids=lambda value: str(value) if isinstance(value, TabularMDP) else "row" if value else "free",
)
def test_labels_do_not_overlap(mdp, cells):
    ax = transition_graph(mdp, cells=cells)
    ax.figure.canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in ax.texts]
    touching = [(one, other) for (one, box), (other, another) in combinations(boxes, 2) if box.overlaps(another)]
    assert touching == []


def test_long_names_stay_inside_of_their_circles():
    mdp = TabularMDP(
        np.tile(np.eye(3)[[1, 2, 0]][:, None], (1, 2, 1)),
        np.zeros((3, 2)),
        state_names=["waiting for parts", "in_service", "broken beyond all repair"],
        action_names=["go on as before", "replace the worn part"],
    )
    ax = transition_graph(mdp)
    ax.figure.canvas.draw()
    circles = drawn(ax, Circle)
    names = [text for text in ax.texts if not text.get_bbox_patch()]
    assert [name.get_text() for name in names] == ["waiting\nfor parts", "in\nservice", "broken\nbeyond\nall\nrepair"]
    for name, circle in zip(names, circles, strict=True):
        box = name.get_window_extent().transformed(ax.transData.inverted())
        assert max(box.width, box.height) < 2 * circle.radius
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["go on as before", "replace the worn part"]


def test_more_actions_than_colours_differ_by_their_dashes():
    mdp = TabularMDP(np.ones((1, 8, 1)), np.zeros((1, 8)))
    _, arrows_drawn, _ = graph(mdp)
    looks = {(arrow.get_edgecolor(), arrow.get_linestyle()) for arrow in arrows_drawn}
    assert len(looks) == 8
