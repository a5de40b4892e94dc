"""AdaHedge against its definition, and what its definition implies."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory import PreferenceGame
from rltheory.algorithms.games.adahedge import Params, State, adahedge, iterate, mixability_gap
from rltheory.instances import cycle, random_game
from rltheory.simulation import stream
from rltheory.strategies import games, policies


def definition(game, start, iterations):
    """Policies, averages, total gains and sums of gaps, from the displayed formulas with win probabilities."""
    complexity, lost, gains, rows = -math.log(start.min()), 0.0, np.zeros(game.n), []
    for _ in range(iterations + 1):
        rate = complexity / lost if lost > 0 else math.inf
        log_policy = np.log(start) + rate * gains if lost > 0 else np.log(start)
        log_policy = log_policy - np.logaddexp.reduce(log_policy)
        values = game.prefer @ np.exp(log_policy) - 0.5
        gap = np.logaddexp.reduce(log_policy + rate * values) / rate if lost > 0 else values.max()
        gains, lost = gains + values, lost + gap
        rows.append((log_policy, gains, lost))
    log_policies, totals, sums = (np.array(column) for column in zip(*rows, strict=True))
    means = np.cumsum(np.exp(log_policies), axis=0) / np.arange(1, iterations + 2)[:, None]
    return {"log_policy": log_policies, "mean": means, "gains": totals, "mixability_gap": sums}


def clear(game, start):
    """Whether the first query has an answer that is not just rounding; else the first rate is a matter of rounding."""
    values = game.payoff @ start
    return values.max() > 1e-3


@given(game=games(min_n=2), data=st.data())
def test_run_is_the_definition(game, data):
    start = data.draw(policies(game.n).filter(lambda start: clear(game, start)))
    trace = adahedge(game, iterations=20, start=start)
    for name, values in definition(game, start, 20).items():
        # Rates of up to L / 1e-3 multiply the rounding of the gains.
        np.testing.assert_allclose(trace[name], values[trace.times], atol=1e-10)


@pytest.mark.parametrize("n", [2, 16, 50, 101])
def test_run_is_the_definition_for_few_actions_and_many(n):
    game = random_game(stream(0, "test", "adahedge", n), n)
    trace = adahedge(game, iterations=100)
    expected = definition(game, np.full(n, 1 / n), 100)
    np.testing.assert_allclose(trace["mean"], expected["mean"][trace.times], atol=1e-12)
    np.testing.assert_array_equal(trace["queries"], trace.times)


def test_compiled_iteration_is_the_python_one():
    game, start = random_game(stream(0, "test", "compiled"), 5), np.arange(1.0, 6.0) / 15
    params = Params(np.log(start), float(-np.log(start).min()))

    def state():
        return State(np.log(start), start.copy(), *np.zeros((3, 5)))

    compiled, plain = state(), state()
    lost = iterate(compiled, game.arrays, params, 0.0, 7)
    assert lost == pytest.approx(iterate.py_func(plain, game.arrays, params, 0.0, 7), abs=1e-14)
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-13)


@given(game=games(min_n=2), scale=st.sampled_from([0.5, 0.125]), data=st.data())
def test_scale_of_payoffs_does_not_matter(game, scale, data):
    """Rates are in 1 / payoff of their own accord; powers of two scale without rounding."""
    start = data.draw(policies(game.n).filter(lambda start: clear(game, start)))
    trace = adahedge(game, iterations=30, start=start)
    scaled = adahedge(PreferenceGame.from_payoff(scale * game.payoff), iterations=30, start=start)
    np.testing.assert_allclose(scaled["log_policy"], trace["log_policy"], atol=1e-10)
    np.testing.assert_allclose(scaled["mixability_gap"], scale * trace["mixability_gap"], rtol=1e-10)


@pytest.mark.parametrize("game", [cycle(5), PreferenceGame.indifferent(4), PreferenceGame.indifferent(1)], ids=str)
def test_a_minimax_winner_at_the_start_stays(game):
    trace = adahedge(game, iterations=50)
    np.testing.assert_allclose(np.exp(trace["log_policy"]), 1 / game.n, atol=1e-15)
    np.testing.assert_allclose(trace["mixability_gap"], 0, atol=1e-15)


@pytest.mark.parametrize("smallest", [1e-300, 5e-324])
def test_gains_too_small_for_a_finite_rate_do_no_harm(smallest):
    game = PreferenceGame([[0.5, 0.0], [1.0, 0.5]])
    trace = adahedge(game, iterations=20, start=[1.0, smallest])
    assert np.isfinite(trace["mean"]).all()
    np.testing.assert_allclose(trace["mean"].sum(axis=1), 1, atol=1e-15)


def test_gap_is_between_mean_and_maximum():
    log_policy, values = np.log([0.5, 0.25, 0.25]), np.array([0.25, -0.5, 0.0])
    gaps = [mixability_gap(log_policy, values, rate) for rate in (1e-4, 0.1, 1.0, 10.0, 1e6)]
    assert gaps == sorted(gaps)
    # Half the variance times the rate at first, the maximum in the end; in between log-sum-exp by hand.
    assert gaps[0] == pytest.approx(1e-4 * (0.5 * 0.25**2 + 0.25 * 0.5**2) / 2, rel=1e-3)
    assert gaps[2] == pytest.approx(math.log(0.5 * math.exp(0.25) + 0.25 * math.exp(-0.5) + 0.25))
    assert gaps[4] == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize(
    ("wrong", "error", "rule"),
    [
        ({"iterations": -1}, ValueError, "iterations is -1; it must be >= 0"),
        ({"iterations": 2.5}, TypeError, "iterations is 2.5; it must be an integer >= 0"),
        ({"start": [1.0, 0.0, 0.0]}, ValueError, r"start\[1\] is 0.0; every probability must be > 0"),
        ({"start": [0.5, 0.5]}, ValueError, "start has 2 entries; the game has 3 actions"),
    ],
)
def test_wrong_arguments_are_named(wrong, error, rule):
    with pytest.raises(error, match=rule):
        adahedge(cycle(3), **({"iterations": 5} | wrong))
