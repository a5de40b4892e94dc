"""Estimated win rates are what they estimate, and the sampled algorithm tends to the exact one."""

import numpy as np
import pytest

from rltheory import nash_mirror_prox, sampled_nash_mirror_prox
from rltheory.algorithms.games.sampled_nash_mirror_prox import draw_action, sampled_query
from rltheory.instances import cycle, random_game
from rltheory.simulation import stream


def test_actions_are_drawn_from_the_policy():
    policy, draws = np.array([0.5, 0.0, 0.3, 0.2]), 100_000
    rng = stream(0, "test", "draw")
    counts = np.bincount([draw_action(policy, rng) for _ in range(draws)], minlength=4)
    assert counts[1] == 0
    # Five standard deviations each; one of three fails in a million seeds.
    assert (np.abs(counts / draws - policy) <= 5 * np.sqrt(policy * (1 - policy) / draws)).all()


def test_win_rates_are_unbiased_with_the_variance_of_comparisons():
    game, policy, m, queries = random_game(stream(0, "test", "game"), 4), np.array([0.4, 0.3, 0.2, 0.1]), 5, 20_000
    rng, values = stream(0, "test", "query"), np.empty(4)
    seen = np.empty((queries, 4))
    for row in seen:
        sampled_query(game.payoff, policy, m, values, rng)
        row[:] = values
    rates = game.prefer @ policy
    # A comparison is a coin of the win rate, whoever the opponent is.
    deviation = np.sqrt(rates * (1 - rates) / m)
    np.testing.assert_array_less(np.abs(seen.mean(0) + 0.5 - rates), 5 * deviation / np.sqrt(queries))
    np.testing.assert_allclose(seen.std(0), deviation, rtol=0.03)


def test_compiled_query_is_the_python_one():
    game, policy = random_game(stream(0, "test", "game"), 4), np.array([0.4, 0.3, 0.2, 0.1])
    compiled, plain = np.empty(4), np.empty(4)
    sampled_query(game.payoff, policy, 7, compiled, stream(0, "test", "same"))
    sampled_query.py_func(game.payoff, policy, 7, plain, stream(0, "test", "same"))
    np.testing.assert_array_equal(compiled, plain)


def test_many_comparisons_give_the_exact_run():
    game = random_game(stream(0, "test", "game"), 4)
    exact = nash_mirror_prox(game, beta=0.5, iterations=20)
    estimated = sampled_nash_mirror_prox(
        game, beta=0.5, iterations=20, comparisons=200_000, rng=stream(0, "test", "many")
    )
    # Noise of 0.0011 in each win rate, divided by the temperature: some thousandths in the logarithms.
    np.testing.assert_allclose(estimated["log_policy"], exact["log_policy"], atol=0.02)


def test_same_stream_same_run():
    runs = [
        sampled_nash_mirror_prox(cycle(3), beta=0.5, iterations=30, comparisons=2, rng=stream(seed, "test", "run"))
        for seed in (0, 0, 1)
    ]
    assert runs[0]["log_policy"].tobytes() == runs[1]["log_policy"].tobytes()
    assert runs[0]["log_policy"].tobytes() != runs[2]["log_policy"].tobytes()


def test_no_comparisons_are_refused():
    with pytest.raises(ValueError, match="comparisons is 0; it must be >= 1"):
        sampled_nash_mirror_prox(cycle(3), beta=0.5, iterations=1, comparisons=0, rng=stream(0, "test"))
