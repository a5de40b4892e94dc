"""Both sides of the theorems on UCB1 and epsilon-greedy, with policies in plain Python on the same rewards."""

import math

import numpy as np
import pytest

from rltheory.algorithms.bandits import own_policy, play_bandit
from rltheory.simulation import stream
from rltheory.theorems.bandits import auer2002 as paper
from rltheory.theory import Theorem

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def of_index(index):
    """Policy of index(r, pulls, mean), arms in order first; it remembers pulls and sums."""

    def choose(r, memory, uniforms):
        pulls, sums = memory.reshape(2, -1)
        if r < pulls.size:
            return r
        return int(np.argmax([index(r, n, x / n) for n, x in zip(pulls, sums, strict=True)]))

    def observe(r, memory, arm, reward):
        memory.reshape(2, -1)[:, arm] += 1, reward

    return own_policy("plain", start=lambda memory, arms: None, choose=choose, observe=observe, memory=lambda k: 2 * k)


def counts(s, policy, name, replicates=8, points=25):
    """Mean pulls of each arm at the recorded times."""
    trace = play_bandit(
        s.bandit, policy, horizon=s.horizon, rng=stream(0, "restated", name), replicates=replicates, points=points
    )
    return trace["pulls"].mean(axis=1)


def gaps(s):
    return [max(s.means) - mean for mean in s.means]


def ucb1(s, name):
    return counts(s, of_index(lambda r, n, m: m + math.sqrt(2 * math.log(r) / n)), name)


def most(gap, t):
    return 8 * math.log(max(t, 1)) / gap**2 + 1 + math.pi**2 / 3


def ucb1_pulls(s, t, name):
    return ucb1(s, name)[:, -1], [most(gaps(s)[-1], n) for n in t]


def ucb1_regret(s, t, name):
    return ucb1(s, name) @ gaps(s), [sum(gap * most(gap, n) for gap in gaps(s) if gap > 0) for n in t]


def distribution_free(s, t, name):
    bounds = [math.sqrt((len(s.means) - 1) * n * (8 * math.log(max(n, 1)) + 1 + math.pi**2 / 3)) for n in t]
    return ucb1(s, name) @ gaps(s), bounds


RESTATED = {"ucb1/pulls": ucb1_pulls, "ucb1/regret": ucb1_regret, "ucb1/distribution-free": distribution_free}


def test_every_theorem_is_restated():
    assert RESTATED.keys() | {"epsilon-greedy/decaying"} == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(RESTATED))
def test_sides(name):
    theorem = THEOREMS[name]
    s = paper.StochasticBandit(means=(0.3, 0.7, 0.55), horizon=250)
    trace = theorem.run(s, stream(0, "restated", name))
    measured, bound = RESTATED[name](s, trace.times, name)
    np.testing.assert_allclose(theorem.measured(s, trace), measured, atol=1e-9)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-12)


def test_exploration_costs_what_its_rates_say():
    """Once the best arm leads for sure, a round costs the mean gap with probability c K / (d^2 t)."""
    s = paper.StochasticBandit(means=(0.95, 0.05), horizon=3000)
    trace = paper.play_decaying(s, stream(0, "rates"))
    by_round = paper.regret_by_round(s, trace)
    late = np.flatnonzero(trace.times[:-1] > 200)
    for i in late:
        rounds = np.arange(trace.times[i] + 1, trace.times[i + 1] + 1)
        chances = paper.EXPLORATION * 2 / (0.9**2 * rounds) * 0.5
        # A false alarm of one interval, or a test of one count, in 1e7; the leader is wrong in fewer than 1e-9 of runs.
        deviation = 5.3 * 0.9 * math.sqrt(chances.sum() / paper.MANY) / rounds.size
        assert abs(by_round[i + 1] - 0.9 * chances.mean()) < deviation
    np.testing.assert_allclose(paper.DECAYING.bound(s, trace)[1:], 1 / trace.times[1:])
    assert by_round[0] == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": 1}, "horizon is 1; it must be at least the number of arms, 2"),
        ({"means": (0.5, 1.5)}, r"means\[1\] is 1.5; it must be in \[0, 1\]"),
        ({"means": (0.5,)}, "has 1 arms"),
        ({"law": "cauchy"}, "law is 'cauchy'; it must be one of bernoulli, gaussian"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        paper.StochasticBandit(**({"means": (0.5, 0.4), "horizon": 10} | change))


def test_mirrored_runs_suffer_the_true_gaps():
    s = paper.StochasticBandit(means=(1.0, 0.5, 0.0), horizon=2000)
    straight, mirrored = (
        run(s, stream(0, "mirrored")) for run in (paper.play_ucb1, paper.preferring_worse_arms(paper.play_ucb1))
    )
    assert straight["regret"][-1].mean() < 0.1 * s.horizon
    assert mirrored["regret"][-1].mean() > 0.9 * s.horizon
    np.testing.assert_allclose(mirrored["regret"], mirrored["pulls"] @ [0, 0.5, 1])
