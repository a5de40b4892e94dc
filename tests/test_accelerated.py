"""Accelerated preference optimisation against the paper's own formulas, against Hedge, and where scores are fixed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from rltheory.algorithms import hedge
from rltheory.algorithms.games.accelerated import accelerated_preference_optimization
from rltheory.instances import additive, weighted_rock_paper_scissors
from rltheory.measures import exploitability
from tests.strategies import games, policies

ITERATIONS = 20


@given(game=games(), rate=st.floats(0.01, 3), momentum=st.floats(0, 0.99), data=st.data())
def test_it_is_the_papers_two_steps(game, rate, momentum, data):
    """A preference step by 1 / b = rate, then pi ~ hat (hat / last hat)^momentum, in plain probabilities."""
    start = data.draw(policies(game.n))
    policy = hat = start
    rows, hats = [policy], [hat]
    for _ in range(ITERATIONS + 1):
        last, hat = hat, softmax(np.log(policy) + rate * (game.prefer @ policy))
        policy = softmax(np.log(hat) + momentum * np.log(hat / last))
        rows.append(policy)
        hats.append(hat)
    rows, hats = np.array(rows), np.array(hats)
    trace = accelerated_preference_optimization(game, iterations=ITERATIONS, rate=rate, momentum=momentum, start=start)
    # Logits reach rate / (1 - momentum) times the iterations, some thousands; their rounding is that of the exponents.
    np.testing.assert_allclose(np.exp(trace["log_policy"]), rows[trace.times], atol=1e-11)
    np.testing.assert_allclose(np.exp(trace["log_next"]), rows[trace.times + 1], atol=1e-11)
    before = softmax(trace["log_policy"] - momentum * trace["velocity"], axis=-1)
    np.testing.assert_allclose(before, hats[trace.times], atol=1e-11)
    means = rows[:-1].cumsum(axis=0) / np.arange(1, len(rows))[:, None]
    np.testing.assert_allclose(trace["mean"], means[trace.times], atol=1e-11)
    np.testing.assert_array_equal(trace["queries"], trace.times)


@given(game=games(), rate=st.floats(0.01, 3), data=st.data())
def test_without_momentum_it_is_hedge(game, rate, data):
    """To the last bit: the same kernel computes the step."""
    start = data.draw(policies(game.n))
    trace = accelerated_preference_optimization(game, iterations=500, rate=rate, momentum=0.0, start=start)
    plain = hedge(game, iterations=500, rate=rate, start=start)
    for name in ("log_policy", "log_next", "mean"):
        np.testing.assert_array_equal(trace[name], plain[name])


def test_velocities_sum_a_geometric_series_where_scores_are_fixed():
    scores = np.array([0.5, 0.25, 0.0])
    trace = accelerated_preference_optimization(additive(scores), iterations=30, rate=0.5, momentum=0.5)
    differences = trace["velocity"][:, :2] - trace["velocity"][:, 1:]
    expected = 0.5 * 0.25 * (1 - 0.5**trace.times) / 0.5
    np.testing.assert_allclose(differences, np.stack([expected, expected], axis=1), atol=1e-14)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_on_a_cycle_the_last_policy_leaves_and_the_average_stays(momentum):
    game = weighted_rock_paper_scissors(0.5, 0.5, 0.5)
    trace = accelerated_preference_optimization(
        game, iterations=20_000, rate=0.5 * (1 - momentum), momentum=momentum, start=[0.4, 0.3, 0.3]
    )
    assert exploitability(game, np.exp(trace["log_policy"][-10:])).max() > 0.4
    assert exploitability(game, trace.last("mean")) < 0.02


def test_deep_logits_do_not_underflow():
    """The log-odds are in closed form, 20 (100 - 0.81 / 0.1) / 2, far beyond what a probability can say."""
    game = additive([0.5, 0.0])
    trace = accelerated_preference_optimization(game, iterations=100, rate=2.0, momentum=0.9)
    odds = trace.last("log_policy") @ [1, -1]
    assert odds == pytest.approx(20 * (100 - 8.1 * (1 - 0.9**100)) / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"momentum": 1.0}, ValueError, "momentum is 1; it must be below 1"),
        ({"momentum": -0.1}, ValueError, r"momentum is -0.1; it must lie in \[0, 1\]"),
        ({"momentum": None}, TypeError, "momentum is None"),
        ({"rate": 0.0}, ValueError, "rate is 0.0"),
        ({"iterations": -1}, ValueError, "iterations is -1"),
        ({"start": [0.5, 0.5]}, ValueError, "start has 2 entries; the game has 3"),
    ],
)
def test_wrong_arguments_are_named(options, error, message):
    with pytest.raises(error, match=message):
        accelerated_preference_optimization(
            weighted_rock_paper_scissors(0.5, 0.5, 0.5),
            **({"iterations": 5, "rate": 0.1, "momentum": 0.5} | options),
        )
