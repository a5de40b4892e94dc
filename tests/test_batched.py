"""Batched runs against single ones, and contextual games."""

import numpy as np
import pytest

import rltheory as rl
from rltheory import ContextualGame, PreferenceGame
from rltheory.instances import cycle, random_game
from rltheory.simulation import stream

RUNS = 7


def conditions(n):
    rng = stream(0, "test", "batched", n)
    return {
        "betas": rng.uniform(0.05, 1, RUNS),
        "steps": rng.uniform(0.1, 2, RUNS),
        "references": rng.dirichlet(np.ones(n), RUNS),
        "starts": rng.dirichlet(np.ones(n), RUNS),
    }


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize(
    ("batched", "single", "queries"),
    [
        (rl.batched_nash_mirror_prox, rl.nash_mirror_prox, 2),
        (rl.batched_magnetic_mirror_descent, rl.magnetic_mirror_descent, 1),
    ],
)
def test_each_run_is_a_single_one(batched, single, queries, n):
    game, given = random_game(stream(0, "test", "batched game", n), n), conditions(n)
    together = batched(game, iterations=50, points=150, **given)
    for run in range(RUNS):
        own = {name.removesuffix("s"): values[run] for name, values in given.items()}
        alone = single(game, iterations=50, **own)
        # Sums in another order: some eps in the values, multiplied by 1 / beta = 20 at most, iteration by iteration.
        np.testing.assert_allclose(together["log_policy"][:, run], alone["log_policy"], atol=1e-12)
    np.testing.assert_array_equal(together["queries"], queries * together.times)


def test_one_value_serves_all_runs():
    game = cycle(5)
    trace = rl.batched_nash_mirror_prox(game, betas=0.2, iterations=30, starts=conditions(5)["starts"])
    assert trace["log_policy"].shape[1:] == (RUNS, 5)
    np.testing.assert_allclose(np.exp(trace.last("log_policy")), 0.2, atol=0.01)
    assert rl.batched_magnetic_mirror_descent(game, betas=[0.1, 0.2], iterations=5)["log_policy"].shape[1:] == (2, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"betas": [0.1, 0.2], "steps": [1.0, 2.0, 3.0]}, "betas has 2 entries; expected 3"),
        ({"betas": [0.1, 0.0]}, r"betas\[1\] is 0.0"),
        ({"betas": [0.1, 0.2], "references": [[0.5, 0.3, 0.2]]}, "references has 1 rows for 2 runs"),
        ({"betas": 0.1, "starts": [[0.5, 0.3, 0.2], [0.5, 0.5, 0.0]]}, r"starts\[1\]\[2\] is 0.0"),
        ({"betas": 0.1, "starts": [0.5, 0.3, 0.2]}, "starts has shape"),
        ({"betas": 0.1, "points": 1}, "points is 1"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        rl.batched_nash_mirror_prox(cycle(3), iterations=5, **arguments)


PAIR = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])


def test_contexts_are_played_side_by_side():
    prompts = ContextualGame([PAIR, PreferenceGame.indifferent(2)], weights=[0.75, 0.25])
    trace = rl.play_contexts(prompts, lambda game: rl.nash_mirror_prox(game, beta=0.1, iterations=300))
    for prompt, game in enumerate(prompts.games):
        alone = rl.nash_mirror_prox(game, beta=0.1, iterations=300)
        np.testing.assert_array_equal(trace["log_half"][:, prompt], alone["log_half"])
        np.testing.assert_array_equal(trace["queries"][:, prompt], alone["queries"])
    assert trace.values["log_policy"][0] == ("time", "prompt", "action")
    assert prompts.average(np.exp(trace["log_policy"])[..., 0])[-1] == pytest.approx(
        0.75 * 0.95257 + 0.25 * 0.5, abs=1e-4
    )


def test_contexts_must_keep_time():
    prompts = ContextualGame([PAIR, PreferenceGame.indifferent(2)])
    horizons = iter([10, 20])
    with pytest.raises(ValueError, match="different times"):
        rl.play_contexts(prompts, lambda game: rl.nash_mirror_prox(game, beta=0.1, iterations=next(horizons)))


@pytest.mark.parametrize(
    ("games", "weights", "message"),
    [
        ([], None, "at least one game"),
        ([PAIR, cycle(3)], None, r"games\[1\] has 3 actions, the first has 2"),
        ([PAIR, PAIR], [0.5, 0.4], "weights sums to 0.9"),
        ([PAIR, PAIR], [1.0], "weights has 1 entries; the game has 2 prompts"),
    ],
)
def test_wrong_contexts_are_named(games, weights, message):
    with pytest.raises(ValueError, match=message):
        ContextualGame(games, weights)
