"""Both sides of the lower bounds, with histories and policies in plain Python."""

import math
from itertools import product

import numpy as np
import pytest

from rltheory.algorithms.bandits import named_policy, play_bandit, play_binary_histories
from rltheory.problems import Bandit
from rltheory.simulation import stream
from rltheory.theorems.bandits import bandit_lower_bounds as paper
from rltheory.theory import Theorem

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}
S = paper.TwoBandits("ucb1:0.5", (0.6, 0.4, 0.3), (0.6, 0.4, 0.8), 8)


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in ((p, q), (1 - p, 1 - q)) if a > 0)


def ucb(wins, pulls, t):
    if t < 3:
        return t
    return int(np.argmax([w / n + math.sqrt(0.5 * math.log(t) / n) for w, n in zip(wins, pulls, strict=True)]))


def histories(rounds):
    """Every history of so many rounds: its probabilities under both bandits, and its pulls."""
    for rewards in product((0, 1), repeat=rounds):
        p = q = 1.0
        pulls, wins = [0, 0, 0], [0, 0, 0]
        for t, reward in enumerate(rewards):
            arm = ucb(wins, pulls, t)
            p *= S.means[arm] if reward else 1 - S.means[arm]
            q *= S.alternative[arm] if reward else 1 - S.alternative[arm]
            pulls[arm] += 1
            wins[arm] += reward
        yield p, q, np.array(pulls)


def information(t):
    return sum(p * n[2] * kl(0.3, 0.8) for p, _, n in histories(t))


def decomposition(t):
    return sum(p * math.log(p / q) for p, q, _ in histories(t)), information(t)


def bretagnolle_huber(t):
    return math.exp(-information(t)) / 2, sum(min(p, q) for p, q, _ in histories(t))


def data_processing(t):
    if t == 0:
        return 0.0, 0.0
    shares = [np.minimum(sum(law[i] * law[2] for law in histories(t)) / t, 1) for i in (0, 1)]
    return max(kl(*pair) if pair[0] != pair[1] else 0.0 for pair in zip(*shares, strict=True)), information(t)


def two_bandits(t):
    both = sum(p * n @ [0, 0.2, 0.3] + q * n @ [0.2, 0.4, 0] for p, q, n in histories(t))
    return 0.2 * t * math.exp(-information(t)) / 2, both


RESTATED = {
    "lower-bound/divergence-decomposition": decomposition,
    "lower-bound/bretagnolle-huber": bretagnolle_huber,
    "lower-bound/data-processing": data_processing,
    "lower-bound/two-bandits": two_bandits,
}


def test_every_theorem_is_restated():
    assert RESTATED.keys() | {"lower-bound/minimax"} == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(RESTATED))
def test_sides(name):
    theorem = THEOREMS[name]
    trace = theorem.run(S, stream(0, "restated", name))
    measured, bound = zip(*(RESTATED[name](t) for t in range(S.rounds + 1)), strict=True)
    np.testing.assert_allclose(theorem.measured(S, trace), measured, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(theorem.bound(S, trace), bound, rtol=1e-9, atol=1e-12)


def test_sides_of_the_minimax_bound():
    s = paper.HiddenArm("follow-the-leader", 3, 0.3, 60)
    trace = paper.play_hidden(s, stream(0, "restated"))
    rng, total = stream(0, "restated"), np.zeros(trace.times.size)
    for means, share in (((0.3, 0, 0), 1), ((0.3, 0.6, 0), 0.5), ((0.3, 0, 0.6), 0.5)):
        runs = play_bandit(
            Bandit.gaussian(means), named_policy(s.policy), horizon=60, rng=rng, replicates=paper.TOGETHER, points=25
        )
        total += share * (runs["pulls"] @ (max(means) - np.array(means))).mean(axis=1)
    t = trace.times
    np.testing.assert_allclose(paper.MINIMAX.measured(s, trace), 0.9 * t - total, atol=1e-9)
    np.testing.assert_allclose(paper.MINIMAX.bound(s, trace), 0.9 * t - 0.15 * t * np.exp(-0.09 * t), atol=1e-9)


def test_the_log_likelihood_ratio_of_runs_has_the_mean_that_the_decomposition_says():
    """UCB1 in NumPy, many runs at once."""
    replicates, n, means, other = 4000, 200, np.array([0.6, 0.5]), np.array([0.6, 0.7])
    rng, rows, ratios = stream(0, "ratio"), np.arange(replicates), np.zeros(replicates)
    pulls, wins = np.zeros((replicates, 2)), np.zeros((replicates, 2))
    for t in range(n):
        index = wins / np.maximum(pulls, 1) + np.sqrt(2 * math.log(max(t, 1)) / np.maximum(pulls, 1))
        arms = np.full(replicates, t) if t < 2 else index.argmax(axis=1)
        won = rng.random(replicates) < means[arms]
        pulls[rows, arms] += 1
        wins[rows, arms] += won
        ratios += np.where(won, np.log(means / other)[arms], np.log((1 - means) / (1 - other))[arms])
    difference = ratios - pulls[:, 1] * kl(0.5, 0.7)
    # A false alarm in 1e7.
    assert abs(difference.mean()) < 5.3 * difference.std() / math.sqrt(replicates)
    assert pulls[:, 1].mean() > 20


@pytest.mark.parametrize("name", ["ucb1", "kl-ucb", "thompson", "exp3", "epsilon-greedy:0.5"])
def test_all_histories_of_rewards_are_played(name):
    """What was seen determines what is done next, also where the policy draws numbers; prefixes are shared."""
    rounds = 7
    trace = play_binary_histories(named_policy(name), arms=3, rounds=rounds, rng=stream(0, name))
    pulls, wins = trace["pulls"], trace["successes"]
    assert (pulls.sum(axis=2) == np.arange(rounds + 1)[:, None]).all()
    numbers = np.arange(2**rounds)
    for t in range(rounds):
        rewards = (wins[t + 1] - wins[t]).sum(axis=1)
        assert (rewards == numbers // 2**t % 2).all()
        for past in range(2**t):
            alike = numbers % 2**t == past
            assert (pulls[t + 1, alike] == pulls[t + 1, alike][0]).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: paper.TwoBandits("ucb1", (0.5, 0.5), (0.5,), 5), "alternative has 1 means; expected 2"),
        (lambda: paper.TwoBandits("ucb1", (0.5, 1.0), (0.5, 0.5), 5), r"means\[1\] is 1.0; it must lie in \(0, 1\)"),
        (lambda: paper.TwoBandits("ucb9", (0.5, 0.5), (0.5, 0.5), 5), "no policy is called 'ucb9'"),
        (lambda: paper.HiddenArm("ucb1", 3, 0.1, 2), "horizon is 2; it must be at least the number of arms, 3"),
        (lambda: paper.HiddenArm("ucb1", 2, 0.0, 9), "gap is 0.0; it must be finite and > 0"),
        (
            lambda: play_binary_histories(named_policy("ucb1"), arms=2, rounds=21, rng=stream(0)),
            "rounds is 21; it must lie between the number of arms, 2, and 20",
        ),
        (lambda: play_binary_histories(named_policy("ucb1"), arms=3, rounds=2, rng=stream(0)), "rounds is 2"),
    ],
)
def test_wrong_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
