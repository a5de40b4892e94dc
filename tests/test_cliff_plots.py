"""Figures of how policies follow rewards: what is drawn, where, and in which colour."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle, StepPatch

from rltheory.instances import fork
from rltheory.plots import cliff_curve, flip_map, race
from rltheory.plots.style import COLOURS, label_ends, new_axes, tidy
from rltheory.solvers import gap_gradients, solve, stability_radius

CHANGES = np.linspace(-1, 1, 21)
SOFT = {1.0: np.linspace(0.3, 0.7, 21), 0.2: np.linspace(0.1, 0.9, 21)}
UNIT = {"horizontal": (0, 1), "vertical": (0, 1)}
ARMS = {"first": [[0, 1, -1]], "second": [[0, -1, 1]]}


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def axes():
    return Figure(figsize=(6, 5)).subplots()


def drawn(ax, kind):
    return [patch for patch in ax.patches if isinstance(patch, kind)]


# Curves


def test_steps_lie_where_the_cliffs_are():
    ax = cliff_curve(CHANGES, SOFT, cliffs=[-0.25, 0.5], levels=[1, 0.4, 2], quantity="return", ax=axes())
    (steps,) = drawn(ax, StepPatch)
    heights, edges, baseline = steps.get_data()
    assert heights.tolist() == [1, 0.4, 2]
    assert edges.tolist() == [-1, -0.25, 0.5, 1]
    assert baseline is None  # no line falls to 0 at the ends
    assert steps.get_edgecolor() == to_rgba("black")
    assert ax.get_xlim() == (-1, 1)
    assert ax.get_ylabel() == "return"


def test_curves_run_from_cold_to_hot_and_are_named_at_their_ends_in_their_colours():
    ax = cliff_curve(CHANGES, SOFT, cliffs=[0], levels=[0, 1], ax=axes())
    for line, temperature in zip(ax.lines, (0.2, 1.0), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), CHANGES)
        np.testing.assert_array_equal(line.get_ydata(), SOFT[temperature])
    assert [text.get_text() for text in ax.texts] == ["optimal", "τ = 0.2", "τ = 1"]
    colours = ["black", *(line.get_color() for line in ax.lines)]
    assert [text.get_color() for text in ax.texts] == colours
    assert len(set(colours)) == 3
    for text, end in zip(ax.texts, (1.0, 0.9, 0.7), strict=True):
        x, y = text.get_position()
        assert x > 1
        # There is room for all three, so that each stands where its line ends.
        assert ax.transData.inverted().transform(ax.transAxes.transform((x, y)))[1] == pytest.approx(end)


def test_a_policy_without_cliffs_is_level():
    ax = cliff_curve(CHANGES, {}, cliffs=[], levels=[0.5], ax=axes())
    (steps,) = drawn(ax, StepPatch)
    assert steps.get_data().edges.tolist() == [-1, 1]
    assert [text.get_text() for text in ax.texts] == ["optimal"]


@settings(max_examples=30)  # figures are slow
@given(heights=st.lists(st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=6))
def test_names_at_ends_neither_overlap_nor_change_their_order(heights):
    ax = axes()
    ax.set_ylim(0, 1)
    label_ends(ax, [str(k) for k in range(len(heights))], heights, ["black"] * len(heights))
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    middles = np.array([text.get_position()[1] for text in ax.texts])
    for one, other in combinations(range(len(heights)), 2):
        if heights[one] == heights[other]:
            assert middles[one] > middles[other]  # the first on top
        elif abs(heights[one] - heights[other]) > 0.001:
            assert (middles[one] > middles[other]) == (heights[one] > heights[other])
    # Moving names apart leaves their mean where it was.
    assert middles.mean() == pytest.approx(np.mean(heights))
    plt.close("all")


def test_names_of_lines_follow_a_logarithmic_axis():
    ax = axes()
    ax.set_yscale("log")
    ax.set_ylim(1e-4, 1)
    label_ends(ax, ["low", "high"], [1e-3, 1e-1], COLOURS[:2])
    assert [text.get_position()[1] for text in ax.texts] == pytest.approx([0.25, 0.75])
    assert [text.get_color() for text in ax.texts] == list(COLOURS[:2])


# Maps


def test_regions_are_cut_at_the_boundary():
    ax = flip_map(ARMS, **UNIT, ax=axes())
    first, second = drawn(ax, Polygon)
    assert corners(first) == {(0, 0), (1, 0), (1, 1)}
    assert corners(second) == {(0, 0), (0, 1), (1, 1)}
    assert [patch.get_facecolor()[:3] for patch in (first, second)] == [to_rgba(c)[:3] for c in COLOURS[:2]]
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert places["first"] == pytest.approx((2 / 3, 1 / 3))
    assert places["second"] == pytest.approx((1 / 3, 2 / 3))
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (0, 1))
    assert not drawn(ax, Rectangle)


def corners(polygon):
    return {tuple(point) for point in polygon.get_xy().round(12).tolist()}


def test_constants_move_boundaries_and_names_stay_inside():
    """A third arm pays 1 / 2, so it is best on a square; each other arm has half of the rest."""
    gaps = {
        "x": [[0, 1, -1], [-0.5, 1, 0]],
        "y": [[0, -1, 1], [-0.5, 0, 1]],
        "half": [[0.5, -1, 0], [0.5, 0, -1]],
        "never": [[-2, 1, 0]],
        "on an edge only": [[0, -1, 0]],
    }
    ax = flip_map(gaps, **UNIT, ax=axes())
    x, y, half = drawn(ax, Polygon)
    assert corners(half) == {(0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5)}
    assert corners(x) == {(0.5, 0), (1, 0), (1, 1), (0.5, 0.5)}
    assert corners(y) == {(0, 0.5), (0.5, 0.5), (1, 1), (0, 1)}
    assert [text.get_text() for text in ax.texts] == ["x", "y", "half"]
    for polygon, text in zip((x, y, half), ax.texts, strict=True):
        assert polygon.get_path().contains_point(text.get_position())
    assert ax.texts[2].get_position() == pytest.approx((0.25, 0.25))
    assert ax.texts[0].get_position() == pytest.approx((7 / 9, 7 / 18))


def test_regions_of_a_process_are_where_its_solutions_say():
    """Two prizes and a third way of 0.4, at random rewards: the policy that is optimal is the one of the region."""
    discount, process = 0.8, fork([0.3, 0.7, 0.4])
    gaps = {}
    for k in range(3):
        made = np.array([k, 3, 4, 5])
        others = np.setdiff1d([0, 1, 2], k)
        slopes = gap_gradients(process, made, discount, others).gradients
        gaps[str(k)] = np.column_stack([0.4 * slopes[:, 5], slopes[:, 3], slopes[:, 4]])
    rewards = (0.3, 0.7)
    weights = np.array([0.0, 0, 0, 1, 1, 0])
    radius = stability_radius(process, discount, weights=weights).radius
    ax = flip_map(gaps, **UNIT, rewards=rewards, radius=radius, ax=axes())
    regions = {text.get_text(): patch for text, patch in zip(ax.texts, drawn(ax, Polygon), strict=True)}
    for x, y in np.random.default_rng(0).random((50, 2)):
        best = solve(fork([x, y, 0.4]), discount).policy[0]
        assert [name for name, region in regions.items() if region.get_path().contains_point((x, y))] == [str(best)]
    (square,) = drawn(ax, Rectangle)
    np.testing.assert_allclose(square.get_xy(), np.subtract(rewards, radius))
    assert square.get_width() == square.get_height() == pytest.approx(2 * radius)
    # A corner of the square touches the next region: there both prizes are 1 / 2.
    assert regions["0"].get_path().contains_point((0.5 + 1e-9, 0.5 - 1e-9))
    assert square.get_corners()[3] == pytest.approx((0.1, 0.9))
    assert square.get_corners()[1] == pytest.approx((0.5, 0.5))
    (dot,) = ax.lines
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == rewards


def test_a_seventh_policy_takes_the_first_colour_again():
    strips = {str(k): [[-k, 7, 0], [k + 1, -7, 0]] for k in range(7)}
    polygons = drawn(flip_map(strips, **UNIT, ax=axes()), Polygon)
    assert [patch.get_facecolor()[:3] for patch in polygons] == [to_rgba(COLOURS[k % 6])[:3] for k in range(7)]


# Races


def test_a_race_says_what_is_spent():
    curve = np.array([0, 1, 2]), np.array([1.0, 0.1, 1e-20])
    ax = race({"method": curve}, quantity="loss", clock="iteration", ax=axes())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("iteration", "loss")
    (line,) = ax.lines
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([1], [0.1])


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cliff([0]), "changes has 1 entries; a curve needs two"),
        (lambda: cliff([0, 1, 1]), r"changes\[2\] is 1.0 after 1.0; changes must increase"),
        (lambda: cliff([0, np.nan]), r"changes\[1\] is nan; every entry must be finite"),
        (lambda: cliff([0, 1], cliffs=[0.7, 0.2], levels=[1, 2, 3]), r"cliffs\[1\] is 0.2 after 0.7; cliffs must"),
        (lambda: cliff([0, 1], cliffs=[0.5, 1]), r"cliffs\[1\] is 1.0; it must lie strictly between 0 and 1"),
        (lambda: cliff([0, 1], cliffs=[0]), r"cliffs\[0\] is 0.0; it must lie strictly between 0 and 1"),
        (lambda: cliff([0, 1], levels=[1]), "levels has 1 entries for 1 cliffs; there must be one more level"),
        (lambda: cliff([0, 1], soft={0.0: [1, 2]}), "a temperature of soft is 0.0; it must be finite and > 0"),
        (lambda: cliff([0, 1], soft={0.1: [1, 2, 3]}), r"soft\[0.1\] has 3 entries for 2 changes"),
        (lambda: flip_map({"a": [[1, 2]]}, **UNIT), r"gaps\['a'\] has shape \(1, 2\); each row must hold 3 coeff"),
        (lambda: flip_map({"a": [[1, np.inf, 0]]}, **UNIT), r"gaps\['a'\]\[0, 1\] is inf; every entry must be"),
        (lambda: flip_map({"a": [[-1, 0, 0]]}, **UNIT), "no policy is optimal anywhere between the limits"),
        (lambda: flip_map(ARMS, horizontal=(1, 0), vertical=(0, 1)), r"horizontal\[1\] is 0.0 after 1.0; horizontal"),
        (lambda: flip_map(ARMS, horizontal=(0, 1), vertical=(0, 0)), r"vertical\[1\] is 0.0 after 0.0; vertical"),
        (lambda: flip_map(ARMS, **UNIT, radius=0.1), "radius is 0.1; it needs the rewards around which it is drawn"),
        (lambda: flip_map(ARMS, **UNIT, rewards=(0, 0), radius=0), "radius is 0.0; it must be finite and > 0"),
        (lambda: flip_map(ARMS, **UNIT, rewards=(0, np.nan)), r"rewards\[1\] is nan; every entry must be finite"),
    ],
)
def test_what_can_not_be_drawn_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    assert not plt.get_fignums()  # nothing is left half-drawn


def cliff(changes, *, soft=None, cliffs=(0.5,), levels=(0, 1)):
    return cliff_curve(changes, soft or {}, cliffs=cliffs, levels=levels)


def test_axes_reach_down_to_the_least_numbers():
    """There the least tick underflows to 0, which has no logarithm."""
    ax = new_axes()
    ax.semilogy([1, 2, 3], [1.0, 1e-150, 1e-307])
    tidy(ax)
    ax.figure.canvas.draw()
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert sum(text.startswith("10⁻") for text in shown) >= 3
