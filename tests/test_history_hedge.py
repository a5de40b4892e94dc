"""Hedge at every history against enumeration of histories and of policies, and against Hedge itself."""

import math
from itertools import product

import numpy as np
import pytest

from rltheory import PreferenceGame, hedge
from rltheory.algorithms.games.history_hedge import (
    best_value,
    history_hedge,
    trajectory_law,
    uniform_log_policy,
    update,
)
from rltheory.instances import random_game
from rltheory.problems import TrajectoryGame
from rltheory.simulation import stream
from rltheory.theory.settings import setting_from_dict, setting_to_dict

NATURE = (0.7, 0.3)
SHAPES = {
    "one action": (3, 1, (1.0,)),
    "one action, then nature": (3, 1, NATURE),
    "two in a row": (2, 2, (1.0,)),
    "two in a row, with nature": (2, 2, NATURE),
    "three in a row": (2, 3, (1.0,)),
}


def process(shape):
    actions, length, nature = SHAPES[shape]
    trajectories = (actions * len(nature)) ** length
    return TrajectoryGame(random_game(stream(0, "test", "process", shape), trajectories), actions, length, nature)


def histories(game):
    """Histories with room for an action, as tuples (a_0, o_0, a_1, ...), in lexicographic order."""
    moves = list(product(range(game.actions), range(len(game.nature))))
    for step in range(game.length):
        for past in product(moves, repeat=step):
            yield sum(past, ())


def trajectories(game):
    moves = list(product(range(game.actions), range(len(game.nature))))
    return [sum(path, ()) for path in product(moves, repeat=game.length)]


def law_of(game, choose):
    """Probability of each trajectory, move by move; choose[history] are the probabilities of the actions."""
    return np.array(
        [
            math.prod(
                choose[path[:step]][path[step]] * game.nature[path[step + 1]] for step in range(0, 2 * game.length, 2)
            )
            for path in trajectories(game)
        ]
    )


def by_history(game, policy):
    rows = [row for choices in policy for row in choices]
    return dict(zip(histories(game), rows, strict=True))


def random_policy(game, rng):
    return [rng.dirichlet(np.ones(game.actions), size=game.histories(step)) for step in range(game.length)]


@pytest.mark.parametrize("shape", SHAPES)
def test_law_is_the_product_of_the_moves(shape):
    game = process(shape)
    policy = random_policy(game, stream(0, "test", "law", shape))
    np.testing.assert_allclose(trajectory_law(game, policy), law_of(game, by_history(game, policy)), atol=1e-15)


@pytest.mark.parametrize("shape", SHAPES)
def test_best_value_is_that_of_the_best_plan(shape):
    game = process(shape)
    rewards = stream(0, "test", "rewards", shape).uniform(size=(3, game.preferences.n))
    past, corners = list(histories(game)), np.eye(game.actions)
    plans = [
        law_of(game, dict(zip(past, corners[list(plan)], strict=True)))
        for plan in product(range(game.actions), repeat=len(past))
    ]
    np.testing.assert_allclose(best_value(game, rewards), (rewards @ np.array(plans).T).max(axis=1), atol=1e-15)


@pytest.mark.parametrize("shape", SHAPES)
def test_iterates_are_the_definition(shape):
    """Q-values as conditional means of the rewards, history by history."""
    game, rate = process(shape), 0.7
    choose = {past: np.full(game.actions, 1 / game.actions) for past in histories(game)}
    paths, laws = trajectories(game), []
    for _ in range(6):
        laws.append(law_of(game, choose))
        rewards = game.preferences.prefer @ laws[-1]
        after = {}
        for past, old in choose.items():
            values = np.empty(game.actions)
            for action in range(game.actions):
                start = (*past, action)
                through = np.array([path[: len(start)] == start for path in paths])
                values[action] = (laws[-1] * rewards)[through].sum() / laws[-1][through].sum()
            weights = old * np.exp(rate * values)
            after[past] = weights / weights.sum()
        choose = after
    trace = history_hedge(game, iterations=5, rate=rate)
    np.testing.assert_allclose(trace["law"], laws, atol=1e-13)
    np.testing.assert_allclose(trace["mean"], np.cumsum(laws, axis=0) / np.arange(1, 7)[:, None], atol=1e-13)
    gains = np.cumsum(laws, axis=0) @ (game.preferences.prefer.T - 0.5)
    np.testing.assert_allclose(trace["gains"], gains, atol=1e-13)


def test_one_action_is_hedge():
    game = process("one action")
    trace, flat = (
        history_hedge(game, iterations=200, rate=0.3),
        hedge(game.preferences, iterations=200, rate=0.3),
    )
    np.testing.assert_allclose(trace["law"], np.exp(flat["log_policy"]), atol=1e-12)
    np.testing.assert_allclose(trace["mean"], flat["mean"], atol=1e-12)


def test_nature_alone_averages_preferences():
    game = process("one action, then nature")
    chance = np.kron(np.eye(3), NATURE)  # (action, trajectory)
    averaged = hedge(PreferenceGame(chance @ game.preferences.prefer @ chance.T), iterations=200, rate=0.3)
    trace = history_hedge(game, iterations=200, rate=0.3)
    np.testing.assert_allclose(trace["law"], np.exp(averaged["log_policy"]) @ chance, atol=1e-12)


def test_rewards_of_the_last_action_alone_reach_every_history():
    """Where the first action does not matter, its choice never changes, and all second choices move alike."""
    last = np.array([0.0, 1.0, 0.0, 1.0])
    game = TrajectoryGame(PreferenceGame.from_payoff(np.subtract.outer(last, last) / 2), actions=2, length=2)
    log_policy = update(game, uniform_log_policy(game), last, rate=1.0)
    np.testing.assert_allclose(np.exp(log_policy[0]), 0.5, atol=1e-15)
    np.testing.assert_allclose(log_policy[1][:, 1] - log_policy[1][:, 0], 1.0, atol=1e-15)


def test_games_are_stored_and_told_apart():
    game = process("two in a row, with nature")
    restored = setting_from_dict(TrajectoryGame, setting_to_dict(game))
    assert restored.digest == game.digest
    assert TrajectoryGame(game.preferences, 2, 2, NATURE[::-1]).digest != game.digest
    assert TrajectoryGame(game.preferences, 16, 1).digest != TrajectoryGame(game.preferences, 4, 2).digest


@pytest.mark.parametrize(
    ("wrong", "error", "rule"),
    [
        ({"actions": 0}, ValueError, "actions is 0; it must be >= 1"),
        ({"length": 1.5}, TypeError, "length is 1.5; it must be an integer >= 1"),
        ({"nature": [0.5, 0.6]}, ValueError, "nature sums to 1.1"),
        ({"nature": [1.0, 0.0]}, ValueError, r"nature\[1\] is 0.0; every probability must be > 0"),
        ({"length": 3}, ValueError, "compare 4 trajectories; 3 times 2 actions and 1 moves of nature make 8"),
    ],
)
def test_wrong_processes_are_named(wrong, error, rule):
    with pytest.raises(error, match=rule):
        TrajectoryGame(**({"preferences": PreferenceGame.indifferent(4), "actions": 2, "length": 2} | wrong))


@pytest.mark.parametrize(("wrong", "rule"), [({"rate": 0.0}, "rate is 0.0"), ({"iterations": -1}, "iterations is -1")])
def test_wrong_arguments_are_named(wrong, rule):
    with pytest.raises(ValueError, match=rule):
        history_hedge(process("two in a row"), **({"iterations": 5, "rate": 0.1} | wrong))
