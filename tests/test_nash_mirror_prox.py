"""Nash mirror prox against its definition, closed forms and linear theory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory import PreferenceGame, nash_mirror_prox, regularized_equilibrium
from rltheory.algorithms.games.nash_mirror_prox import Params, State, iterate, largest_step
from rltheory.instances import additive, cycle, random_game
from rltheory.measures import kl
from rltheory.problems.preference_game import WHOLE_ROWS_SIZE
from rltheory.simulation import stream
from tests.strategies import betas, games, policies


def definition(game, beta, step, reference, start, iterations):
    """Iterates from the two displayed lines, with win probabilities instead of payoffs."""
    q = 1 / (1 + step * beta)
    x, rows = np.log(start), []
    for _ in range(iterations + 1):
        half = q * x + (1 - q) * np.log(reference) + q * step * (game.prefer @ np.exp(x))
        half -= np.logaddexp.reduce(half)
        after = q * x + (1 - q) * np.log(reference) + q * step * (game.prefer @ np.exp(half))
        after -= np.logaddexp.reduce(after)
        rows.append((x, half, after))
        x = after
    return [np.array(column) for column in zip(*rows, strict=True)]


@given(game=games(), beta=betas, step=st.sampled_from([0.5, 2.0, 5.0]), data=st.data())
def test_iterates_are_the_definition(game, beta, step, data):
    reference, start = data.draw(policies(game.n)), data.draw(policies(game.n))
    trace = nash_mirror_prox(game, beta=beta, iterations=20, step=step, reference=reference, start=start)
    expected = definition(game, beta, step, reference, start, 20)
    for name, values in zip(("log_policy", "log_half", "log_next"), expected, strict=True):
        np.testing.assert_allclose(trace[name], values[trace.times], atol=1e-11)


@pytest.mark.parametrize("n", [WHOLE_ROWS_SIZE, WHOLE_ROWS_SIZE + 1, 200])
def test_both_products_agree_with_the_definition(n):
    game = random_game(stream(0, "test", "products", n), n)
    uniform = np.full(n, 1 / n)
    trace = nash_mirror_prox(game, beta=0.1, iterations=30)
    expected = definition(game, 0.1, 2.0, uniform, uniform, 30)
    np.testing.assert_allclose(trace["log_next"], expected[2][trace.times], atol=1e-11)


def test_compiled_iteration_is_the_python_one():
    game, n = random_game(stream(0, "test", "compiled"), 5), 5
    params = Params(np.full(n, -np.log(n)), 0.8, 1.6)

    def state():
        policy = np.arange(1.0, n + 1) / 15
        return State(np.log(policy), policy, *np.zeros((4, n)))

    compiled, plain = state(), state()
    iterate(compiled, game.arrays, params, 7)
    iterate.py_func(plain, game.arrays, params, 7)
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-14)


def test_trace_is_labelled():
    trace = nash_mirror_prox(cycle(3), beta=0.1, iterations=1000)
    assert trace.times[0] == 0
    assert trace.times[-1] == 1000
    assert (np.diff(trace.times) > 0).all()
    assert trace["log_policy"].shape == (trace.times.size, 3)
    np.testing.assert_array_equal(trace["queries"], 2 * trace.times)


def test_recorded_times_do_not_change_the_run():
    game = random_game(stream(0, "test", "times"), 4)
    short, long = (nash_mirror_prox(game, beta=0.05, iterations=k) for k in (50, 5000))
    common = np.isin(long.times, short.times)
    np.testing.assert_array_equal(
        long["log_policy"][common], short["log_policy"][np.isin(short.times, long.times[common])]
    )


@given(game=games(min_n=2, max_n=5), beta=betas, data=st.data())
def test_names_do_not_matter(game, beta, data):
    order = np.array(data.draw(st.permutations(range(game.n))))
    start = data.draw(policies(game.n))
    renamed = PreferenceGame(game.prefer[np.ix_(order, order)])
    trace = nash_mirror_prox(game, beta=beta, iterations=30, start=start)
    trace_renamed = nash_mirror_prox(renamed, beta=beta, iterations=30, start=start[order])
    np.testing.assert_allclose(trace_renamed.last("log_policy"), trace.last("log_policy")[order], atol=1e-11)


@given(game=games(min_n=2, max_n=5), beta=betas)
def test_scaled_games_take_scaled_steps(game, beta):
    """Halving payoffs and temperature, and doubling the step, leaves the iterates."""
    halved = PreferenceGame.from_payoff(game.payoff / 2)
    trace = nash_mirror_prox(game, beta=beta, iterations=30)
    trace_halved = nash_mirror_prox(halved, beta=beta / 2, iterations=30, step=4.0)
    np.testing.assert_allclose(trace_halved.last("log_policy"), trace.last("log_policy"), atol=1e-11)


def test_linear_preferences_in_closed_form():
    game, beta, step = additive([0.0, 0.1, 0.35, 0.5]), 0.1, 2.0
    start = np.array([0.7, 0.1, 0.1, 0.1])
    trace = nash_mirror_prox(game, beta=beta, iterations=40, step=step, start=start)
    star = regularized_equilibrium(game, beta).log_policy
    weight = (1 / (1 + step * beta)) ** trace.times[:, None]
    expected = weight * np.log(start) + (1 - weight) * star
    expected -= np.logaddexp.reduce(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(trace["log_policy"], expected, atol=1e-12)


@pytest.mark.parametrize("n", [3, 5, 51])
@pytest.mark.parametrize("step", [1.0, 2.0, 2.2])
def test_local_rate_on_cycles(n, step):
    """Near the uniform equilibrium of a cycle, linear theory gives the factor of the divergence to four digits."""
    beta = 0.1
    slowness = 1 / (2 * n * np.tan(np.pi / (2 * n)))  # largest eigenvalue of the local skew operator, over i
    q = 1 / (1 + step * beta)
    factor = q**2 * ((1 - q * step**2 * slowness**2) ** 2 + q**2 * step**2 * slowness**2)
    wave = (1 + 1e-4 * np.cos(2 * np.pi * np.arange(n) / n)) / n
    trace = nash_mirror_prox(cycle(n), beta=beta, iterations=40, step=step, start=wave)
    divergence = kl(np.full(n, -np.log(n)), trace["log_policy"])
    np.testing.assert_allclose(divergence[1:30] / divergence[:29], factor, rtol=1e-4)


def test_large_steps_diverge_on_long_cycles():
    n, beta = 101, 0.001
    wave = (1 + 0.01 * np.cos(2 * np.pi * np.arange(n) / n)) / n
    divergences = {
        step: kl(
            np.full(n, -np.log(n)),
            nash_mirror_prox(cycle(n), beta=beta, iterations=500, step=step, start=wave)["log_policy"],
        )
        for step in (2.0, 4.0)
    }
    assert divergences[2.0][-1] < divergences[2.0][0] / 100
    assert divergences[4.0][-1] > 10 * divergences[4.0][0]


@pytest.mark.parametrize("beta", [1e-3, 0.1, 1.0, 30.0])
def test_largest_step_solves_its_equation(beta):
    step = largest_step(beta)
    assert step**2 == pytest.approx(4 * (1 + step * beta), rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "error", "rule"),
    [
        ({"beta": 0.0}, ValueError, "beta is 0.0; it must be finite and > 0"),
        ({"beta": "hot"}, TypeError, "beta is 'hot'; it must be a number > 0"),
        ({"step": -1.0}, ValueError, "step is -1.0; it must be finite and > 0"),
        ({"iterations": -1}, ValueError, "iterations is -1; it must be >= 0"),
        ({"iterations": 2.5}, TypeError, "iterations is 2.5; it must be an integer >= 0"),
        ({"reference": [1.0, 0.0, 0.0]}, ValueError, r"reference\[1\] is 0.0; every probability must be > 0"),
        ({"start": [0.5, 0.5]}, ValueError, "start has 2 entries; the game has 3 actions"),
    ],
)
def test_wrong_arguments_are_named(wrong, error, rule):
    with pytest.raises(error, match=rule):
        nash_mirror_prox(cycle(3), **({"beta": 0.1, "iterations": 5} | wrong))
