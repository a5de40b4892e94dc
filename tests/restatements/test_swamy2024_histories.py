"""Both sides of the theorem on decision processes, history by history, with win probabilities."""

import math
from itertools import product

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import random_tournament
from rltheory.problems import PreferenceGame, TrajectoryGame
from rltheory.simulation import stream
from rltheory.theorems.games import swamy2024_histories
from rltheory.theorems.games.swamy2024_histories import Setting
from rltheory.theory import Status, Theorem

THEOREMS = {value.name: value for value in vars(swamy2024_histories).values() if isinstance(value, Theorem)}
SETTINGS = {
    "one action": Setting(TrajectoryGame(random_tournament(stream(0, "restated", 3), 3), 3, 1), 20),
    "two in a row": Setting(TrajectoryGame(random_tournament(stream(0, "restated", 9), 9), 3, 2), 20),
    "with nature": Setting(TrajectoryGame(random_tournament(stream(0, "restated", 16), 16), 2, 2, [0.7, 0.3]), 20),
}


def runs(s, rate, rounds):
    """Laws of the policies: rewards are win rates, values go up from the ends of the trajectories to the root."""
    game = s.game
    chance = np.array(game.nature)
    moves = list(product(range(game.actions), range(chance.size)))
    levels = [list(product(moves, repeat=step)) for step in range(game.length + 1)]
    weights = {past: np.ones(game.actions) for level in levels[:-1] for past in level}
    for _ in range(rounds):
        policy = {past: row / row.sum() for past, row in weights.items()}
        law = {(): 1.0}
        for level in levels[:-1]:
            for past in level:
                for a, o in moves:
                    law[(*past, (a, o))] = law[past] * policy[past][a] * chance[o]
        ends = np.array([law[path] for path in levels[-1]])
        yield ends
        value = dict(zip(levels[-1], game.preferences.prefer @ ends, strict=True))
        for level in reversed(levels[:-1]):
            for past in level:
                q = [sum(chance[o] * value[(*past, (a, o))] for o in range(chance.size)) for a in range(game.actions)]
                value[past] = policy[past] @ q
                weights[past] = weights[past] * np.exp(rate * np.array(q))


def best(s, rewards):
    """Value of the best policy, by the same recursion with a maximum."""
    game, values = s.game, list(rewards)
    size = len(game.nature)
    for _ in range(game.length):
        means = [
            sum(p * v for p, v in zip(game.nature, values[i : i + size], strict=True))
            for i in range(0, len(values), size)
        ]
        values = [max(means[i : i + game.actions]) for i in range(0, len(means), game.actions)]
    (value,) = values
    return value


def histories(s, trace):
    a, h = s.game.actions, s.game.length
    measured = []
    for rounds in trace.times:
        laws = list(runs(s, math.sqrt(8 * math.log(a) / rounds), rounds))
        measured.append(best(s, s.game.preferences.prefer @ np.mean(laws, axis=0)) - 0.5)
    return np.array(measured), h * np.sqrt(math.log(a) / (2 * trace.times))


RESTATED = {"spo/histories": histories}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize("place", SETTINGS)
def test_both_sides(place):
    theorem, s = THEOREMS["spo/histories"], SETTINGS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = histories(s, trace)
    # Averages of twenty laws, each good to some eps.
    np.testing.assert_allclose(theorem.measured(s, trace), measured, atol=1e-13)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-12)
    assert (measured <= bound).all()
    assert theorem.failed_hypothesis(s) is None


def test_one_action_is_no_process():
    only = Setting(TrajectoryGame(PreferenceGame.indifferent(1), 1, 2))
    assert THEOREMS["spo/histories"].failed_hypothesis(only) == "two actions or more"


def test_bound_is_used_as_far_as_known():
    verdicts = verify(THEOREMS["spo/histories"])
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert max(verdict.tightness for verdict in verdicts) > 0.57
    assert max(verdict.tightness for verdict in verdicts if "H = 1" not in verdict.setting) > 0.52
