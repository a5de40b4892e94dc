"""The race of methods: counts of queries known from elsewhere, and figures that show what they are given."""

import numpy as np
import pytest

import rltheory as rl
from rltheory import plots
from rltheory.instances import cycle, weighted_rock_paper_scissors
from rltheory.measures import exploitability, kl, regularized_exploitability

# Queries to a regularised exploitability of 1e-6 from the reference, counted by others with plain NumPy.
KNOWN = {
    0.1: {
        "Nash mirror prox": 48,
        "Nash mirror prox, largest step": 42,
        "EGPO": 236,
        "magnetic mirror descent": 190,
        "OMWU": 66,
        "Nash-MD": 1414,
        "INPO": 353,
    },
    0.01: {
        "Nash mirror prox": 112,
        "Nash mirror prox, largest step": 110,
        "EGPO": 1070,
        "magnetic mirror descent": 23209,
        "OMWU": 211,
        "Nash-MD": 79135,
        "INPO": 81364,
    },
}


@pytest.mark.parametrize("beta", KNOWN)
def test_known_counts(beta):
    contest = rl.race(weighted_rock_paper_scissors(0.5, 0.5, 0.5), beta=beta, reference=[0.8, 0.15, 0.05])
    counts = contest.queries_to(1e-6, at_most=100_000)
    assert {name: counts[name] for name in KNOWN[beta]} == KNOWN[beta]


def test_curves_are_measured_on_the_policies():
    game, reference = weighted_rock_paper_scissors(0.1, 0.3, 0.5), [0.5, 0.3, 0.2]
    curves = {curve.method: curve for curve in rl.race(game, beta=0.2, reference=reference).run(100)}
    trace = rl.nash_mirror_prox(game, beta=0.2, iterations=50, reference=reference)
    star = rl.regularized_equilibrium(game, 0.2, reference).log_policy
    curve = curves["Nash mirror prox"]
    np.testing.assert_array_equal(curve.queries, trace["queries"])
    gaps = regularized_exploitability(game, trace["log_policy"], 0.2, np.log(reference))
    np.testing.assert_array_equal(curve.gap, gaps)
    np.testing.assert_array_equal(curve.divergence, kl(star, trace["log_policy"]))


def test_without_temperature_averages_are_judged_in_the_game():
    game = cycle(5)
    curves = {curve.method: curve for curve in rl.race(game, beta=0, reference=[0.6, 0.1, 0.1, 0.1, 0.1]).run(500)}
    averages = rl.optimistic_mirror_descent(game, beta=0, iterations=500, reference=[0.6, 0.1, 0.1, 0.1, 0.1])["mean"]
    np.testing.assert_allclose(curves["OMWU, average"].gap, exploitability(game, averages), atol=1e-14)
    assert curves["OMWU"].divergence is None
    assert curves["SPO, last"].gap[-1] > 10 * curves["SPO, average"].gap[-1]


def test_a_gap_out_of_reach_is_none():
    contest = rl.race(cycle(3), beta=0.1, reference=[0.8, 0.1, 0.1])
    assert set(contest.queries_to(1e-6, at_most=10).values()) == {None}
    assert contest.queries_to(10.0, at_most=10)["OMWU"] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rl.race(cycle(3), beta=-1), "beta is -1"),
        (lambda: rl.race(cycle(3), beta=1, reference=[1.0, 0.0, 0.0]), "full support"),
        (lambda: rl.race(cycle(3), beta=1).queries_to(0.0, at_most=5), "gap is 0.0"),
        (lambda: rl.race(cycle(3), beta=1).queries_to(0.1, at_most=0), "at_most is 0"),
        (lambda: plots.exploitability_bars(["a"], [1.0, 2.0]), "2 values for 1 names"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_figure_has_a_line_for_each_method():
    curves = rl.race(cycle(3), beta=0.1, reference=[0.8, 0.1, 0.1]).run(200)
    ax = plots.race({curve.method: (curve.queries, curve.gap) for curve in curves})
    assert [line.get_label() for line in ax.lines] == [curve.method for curve in curves]
    for line, curve in zip(ax.lines, curves, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), curve.queries[(curve.queries > 0) & (curve.gap >= 1e-12)])
    assert ax.get_yscale() == ax.get_xscale() == "log"


def test_bars_are_sorted_and_show_their_values():
    ax = plots.exploitability_bars(["a", "b", "exact"], [0.3, 0.001, 0.0])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "exact"]
    assert [text.get_text() for text in ax.texts] == ["0.3", "0.001", "0"]
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]
    assert ends[:2] == pytest.approx([0.3, 0.001])
