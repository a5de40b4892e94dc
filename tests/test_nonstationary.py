"""Bandits whose laws change: exact dynamic regret, plain restatements on the same draws, and bad input."""

import math

import numpy as np
import pytest

from rltheory.algorithms import compare_policies
from rltheory.algorithms.bandits import discounted_ucb, play_bandit, sliding_window_ucb, ucb1
from rltheory.algorithms.bandits.play import LANES
from rltheory.problems import Bandit, PiecewiseBandit
from rltheory.simulation import Workers, stream
from rltheory.variates import generators, uniform

MEANS = np.array([[0.9, 0.5, 0.2], [0.1, 0.5, 0.3], [0.1, 0.2, 0.8]])
BANDIT = PiecewiseBandit([Bandit.bernoulli(row) for row in MEANS], [150, 260])
N = 400


def of_round(t):
    return MEANS[np.searchsorted([150, 260], t, side="right")]


def window_index(history, t, arm, window):
    kept = history[-window:]
    rewards = [reward for a, reward in kept if a == arm]
    if not rewards:
        return math.inf
    return np.mean(rewards) + math.sqrt(0.6 * math.log(min(t, window)) / len(rewards))


def discounted_index(history, t, arm, discount):
    weights = discount ** np.arange(len(history))[::-1]
    mine = np.array([a == arm for a, _ in history], dtype=float)
    if not mine.any():
        return math.inf
    n = weights @ mine
    mean = weights @ (mine * [reward for _, reward in history]) / n
    return mean + 2 * math.sqrt(0.6 * math.log(weights.sum()) / n)


@pytest.mark.parametrize(
    ("policy", "index", "number"),
    [
        (sliding_window_ucb(37), window_index, 37),
        (sliding_window_ucb(1000), window_index, 1000),
        (discounted_ucb(0.97), discounted_index, 0.97),
        (discounted_ucb(1.0), discounted_index, 1.0),
    ],
    ids=["window 37", "window 1000", "factor 0.97", "factor 1"],
)
def test_policies_against_plain_ones(policy, index, number):
    trace = play_bandit(BANDIT, policy, horizon=N, rng=stream(0, "plain"), replicates=LANES + 2, points=N)
    key = stream(0, "plain").integers(2**64, size=4, dtype=np.uint64)
    for replicate in (0, LANES + 1):
        states, history, regret = generators(key, replicate, replicate + 1), [], [0.0]
        for t in range(N):
            # Sums of discounted numbers round some hundred times.
            indices = np.round([index(history, t, arm, number) for arm in range(3)], 10)
            arm, means = int(indices.argmax()), of_round(t)
            history.append((arm, float(uniform(states, 0) < means[arm])))
            regret.append(regret[-1] + means.max() - means[arm])
        pulls = [sum(a == arm for a, _ in history) for arm in range(3)]
        np.testing.assert_array_equal(trace["pulls"][-1, replicate], pulls)
        np.testing.assert_allclose(trace["regret"][:, replicate], np.array(regret)[trace.times], atol=1e-9)


def test_regret_is_exact_with_few_recorded_times():
    fine = play_bandit(BANDIT, ucb1(), horizon=N, rng=stream(0, "points"), replicates=3, points=10 * N)
    coarse = play_bandit(BANDIT, ucb1(), horizon=N, rng=stream(0, "points"), replicates=3, points=5)
    assert coarse.times.tolist() == [0, 1, 7, 54, 150, 260, 400]
    np.testing.assert_allclose(coarse["regret"], fine["regret"][np.isin(fine.times, coarse.times)], atol=1e-9)


def test_laws_follow_the_pieces():
    """An arm that pays for sure in one piece only."""
    bandit = PiecewiseBandit([Bandit.bernoulli(p) for p in ([1, 0], [0, 1], [1, 0])], [10, 20])
    # A window of one round pulls the arm that it does not remember.
    trace = play_bandit(bandit, sliding_window_ucb(1), horizon=30, rng=stream(0, "sure"), points=100)
    np.testing.assert_array_equal(np.diff(trace["pulls"][:, 0, 0]), np.arange(30) % 2 == 0)
    np.testing.assert_allclose(trace["regret"][-1], 15)


def test_one_piece_is_a_stationary_bandit():
    alone, piece = Bandit.gaussian([0.0, 1.0], 0.5), PiecewiseBandit([Bandit.gaussian([0.0, 1.0], 0.5)], [])
    traces = [play_bandit(bandit, ucb1(), horizon=200, rng=stream(0, "one"), replicates=3) for bandit in (alone, piece)]
    np.testing.assert_array_equal(traces[0]["pulls"], traces[1]["pulls"])
    np.testing.assert_allclose(traces[0]["regret"], traces[1]["regret"], atol=1e-9)


def test_forgetting_pays_after_a_change():
    bandit = PiecewiseBandit([Bandit.bernoulli([0.9, 0.5]), Bandit.bernoulli([0.3, 0.5])], [5000])
    policies = [ucb1(), sliding_window_ucb(300), discounted_ucb(0.999)]
    runs = compare_policies(bandit, policies, horizon=10_000, replicates=50)
    means = runs["regret"].isel(time=-1).mean("replicate")
    assert (means[1:].to_numpy() < 0.8 * means[0].item()).all()
    again = compare_policies(bandit, policies[1:2], horizon=10_000, replicates=50, workers=1)
    assert (again["pulls"].sel(policy="SW-UCB(300)") == runs["pulls"].sel(policy="SW-UCB(300)")).all()


def test_workers_do_not_matter():
    with Workers(2) as pool:
        traces = [
            play_bandit(
                BANDIT, discounted_ucb(0.9), horizon=N, rng=stream(0, "workers"), replicates=2 * LANES + 5, workers=w
            )
            for w in (None, pool)
        ]
    np.testing.assert_array_equal(traces[0]["pulls"], traces[1]["pulls"])


def test_value():
    assert BANDIT.arms == 3
    assert BANDIT.support == (0.0, 1.0)
    np.testing.assert_allclose(BANDIT.gaps, MEANS.max(axis=1, keepdims=True) - MEANS)
    later = PiecewiseBandit(BANDIT.pieces, [150, 261])
    assert BANDIT.digest != later.digest
    assert BANDIT.digest != PiecewiseBandit(BANDIT.pieces[::-1], [150, 260]).digest
    with pytest.raises(ValueError, match="read-only"):
        BANDIT.changes[0] = 1


TWO = [Bandit.bernoulli([0.1, 0.2]), Bandit.bernoulli([0.3, 0.2])]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PiecewiseBandit([], []), "there are no pieces"),
        (lambda: PiecewiseBandit(TWO, []), "changes has 0 entries; 2 pieces have 1 changes"),
        (lambda: PiecewiseBandit(TWO, [0]), r"changes\[0\] is 0; it must be >= 1"),
        (lambda: PiecewiseBandit([*TWO, TWO[0]], [7, 7]), r"changes\[1\] is 7; it must be above changes\[0\], 7"),
        (lambda: PiecewiseBandit([*TWO, TWO[0]], [7, 3]), r"changes\[1\] is 3; it must be above"),
        (lambda: PiecewiseBandit([TWO[0], Bandit.bernoulli([0.1] * 3)], [5]), r"pieces\[1\] is .* size of pieces\[0\]"),
        (lambda: PiecewiseBandit([TWO[0], Bandit.poisson([1, 2])], [5]), r"pieces\[1\] is .* must have the law"),
        (lambda: PiecewiseBandit([Bandit.own(lambda a, u: u, [0.5] * 2)], []), r"pieces\[0\] has a law of your own"),
        (lambda: play_bandit(BANDIT, ucb1(), horizon=260, rng=stream(0)), "horizon is 260; the .* after 260 rounds"),
        (
            lambda: play_bandit(
                PiecewiseBandit([Bandit.gaussian([0, 1])], []), sliding_window_ucb(5), horizon=9, rng=stream(0)
            ),
            r"SW-UCB\(5\) takes rewards in \[0.0, 1.0\]",
        ),
        (lambda: sliding_window_ucb(0), "window is 0; it must be >= 1"),
        (lambda: sliding_window_ucb(5, xi=0), "xi is 0.0"),
        (lambda: discounted_ucb(0.0), r"discount is 0.0; it must lie in \(0, 1\]"),
        (lambda: discounted_ucb(1.1), "discount is 1.1"),
        (lambda: discounted_ucb(0.5, largest=-1), "largest is -1.0"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_changes_are_whole_rounds():
    with pytest.raises(TypeError, match=r"changes\[0\] is .*1.5.*; it must be an integer >= 1"):
        PiecewiseBandit(TWO, [1.5])
