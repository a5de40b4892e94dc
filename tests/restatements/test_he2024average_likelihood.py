"""Both sides of the theorems on MLE-LOOP, with products of probabilities over all past steps."""

import math

import numpy as np
import pytest

from rltheory import verify
from rltheory.simulation import stream
from rltheory.solvers import average_policy_iteration
from rltheory.theorems.average_reward import he2024average_likelihood as paper
from rltheory.theory import Status, Theorem
from tests.restatements.plain_walks import PlainWalk

DELTA = 0.2
SETTINGS = [
    paper.Setting(tuple(paper.one_of(2, k, rate=0.5, advantage=0.3) for k in range(2)), truth=1, horizon=200),
    paper.Setting(paper.random_class(stream(0, "restatement"), 8), truth=2, horizon=200),
]
THEOREMS = {theorem.name: theorem for theorem in vars(paper).values() if isinstance(theorem, Theorem)}


def play(s, times, rng):
    """Models left, visits, epochs at all times."""
    m, walk = len(s.processes), PlainWalk(s.mdp, rng)
    solved = [average_policy_iteration(mdp) for mdp in s.processes]
    chances, left, followed, epochs, short, rows = np.ones(m), set(range(m)), None, 0, 0.0, {0: (set(range(m)), 0, 0.0)}
    while len(walk.past) < s.horizon:
        if followed not in left:
            followed, epochs = max(left, key=lambda f: solved[f].gain[0]), epochs + 1
        walk.step(solved[followed].policy)
        choice, after = walk.past[-1]
        chances = chances * [mdp.transition_matrix[choice, after] for mdp in s.processes]
        left = {f for f in left if chances[f] >= chances.max() * DELTA / m}
        short = max(short, math.log(chances.max() / chances[s.truth]))
        if len(walk.past) in times:
            rows[len(walk.past)] = left, epochs, short
    return walk, solved, [rows[t] for t in times]


def restated(s, t, rng):
    walk, solved, rows = play(s, t.tolist(), rng)
    span = max(np.ptp(found.bias) for found in solved)
    m, c, level = len(solved), s.mdp.choices, math.log(len(solved) / DELTA)
    choices = np.array([choice for choice, _ in walk.past])
    apart = [[1 - np.sqrt(mdp.transition_matrix[c] * walk.laws[c]).sum() for c in choices] for mdp in s.processes]
    spread = [max(sum(apart[f][:k]) for f in left) for k, (left, _, _) in zip(t, rows, strict=True)]
    regret = [k * solved[s.truth].gain[0] - s.mdp.rewards[choices[:k]].sum() for k in t]
    d = np.array([c * (1 + max(0, math.log(k / c))) if k else c for k in t])
    bound = (
        span * np.sqrt(3 * level * d * t) + c * span + m * span + span * math.sqrt(s.horizon / 2 * math.log(1 / DELTA))
    )
    return {
        "mle-loop/truth-stays": ([short for _, _, short in rows], np.full(t.size, level), 1),
        "mle-loop/hellinger": (spread, np.full(t.size, 1.5 * level), 2),
        "mle-loop/epochs": ([epochs for _, epochs, _ in rows], np.full(t.size, m), 1),
        "mle-loop/regret": (np.maximum(regret, 0), bound, 3),
    }


def test_every_theorem_is_restated():
    s = SETTINGS[0]
    assert THEOREMS.keys() == restated(s, np.array([0, s.horizon]), stream(0, "restatement")).keys()


@pytest.mark.parametrize("place", range(2))
def test_both_sides(place):
    s = SETTINGS[place]
    trace = paper.run(s, stream(0, "restatement", str(place)))
    sides = restated(s, trace.times, stream(0, "restatement", str(place)))
    for name, theorem in THEOREMS.items():
        measured, bound, failures = sides[name]
        np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-9)
        assert theorem.kind.name == "with probability 1 - delta"
        assert theorem.kind.delta(s) == pytest.approx(failures * DELTA)
    assert place or trace.last("epochs") > 1
    assert trace.last("left").sum() < len(s.processes)


def test_the_truth_is_ruled_out_less_often_than_allowed():
    """In 200 runs, but not never: the level would be too large."""
    s = paper.Setting(tuple(paper.one_of(2, k, rate=0.5, advantage=0.2) for k in range(2)), truth=1, horizon=500)
    lost = sum(paper.run(s, stream(0, "kept", str(k))).last("shortfall")[s.truth] > s.level for k in range(200))
    assert 0 < lost < 200 * DELTA


def test_bounds_are_used_as_far_as_known():
    used = {"mle-loop/truth-stays": 0.3, "mle-loop/hellinger": 0.3, "mle-loop/epochs": 0.999, "mle-loop/regret": 0.06}
    for name, least in used.items():
        verdicts = verify(THEOREMS[name])
        assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
        assert max(verdict.tightness for verdict in verdicts) >= least
