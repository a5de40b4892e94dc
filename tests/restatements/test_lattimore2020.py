"""Both sides of the theorems on explore-then-commit and UCB, with policies in plain Python on the same rewards."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from rltheory.algorithms.bandits import explore_then_commit, own_policy, play_bandit
from rltheory.problems import Bandit
from rltheory.simulation import stream
from rltheory.theorems.bandits import lattimore2020 as paper
from rltheory.theory import Theorem
from tests.restatements.test_auer2002 import counts, gaps, of_index

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def explore_then_commit_plainly(m):
    """It remembers pulls and sums, and at last the choice, plus one."""

    def choose(r, memory, uniforms):
        pulls, sums = memory[:-1].reshape(2, -1)
        if r < m * pulls.size:
            return r // m
        if memory[-1] == 0:
            memory[-1] = 1 + np.argmax(sums / pulls)
        return int(memory[-1] - 1)

    def observe(r, memory, arm, reward):
        memory[:-1].reshape(2, -1)[:, arm] += 1, reward

    def size(arms):
        return 2 * arms + 1

    return own_policy("plain", start=lambda memory, arms: None, choose=choose, observe=observe, memory=size)


def commitment(name):
    s = paper.Exploration(means=(0.0, 1.0, 0.5), pulls=6, horizon=200)
    bounds = [
        sum(gap * (min(t, 6) + max(t - 18, 0) * math.exp(-6 * gap**2 / 4)) for gap in gaps(s)) for t in s.times.tolist()
    ]
    return s, counts(s, explore_then_commit_plainly(6), name) @ gaps(s), bounds


def all_coins(name):
    s = paper.TwoCoins(0.3, 0.6, pulls=2, rounds=7)
    measured = [0.0] * 8
    for rewards in product((0, 1), repeat=7):
        chance, wins, regret, choice = 1.0, [0, 0], [0.0], 0
        for t, reward in enumerate(rewards):
            arm = t // 2 if t < 4 else choice
            chance *= (0.3, 0.6)[arm] if reward else (0.7, 0.4)[arm]
            wins[arm] += reward
            regret.append(regret[-1] + (0.3 if arm == 0 else 0.0))
            if t == 3:
                choice = int(wins[1] > wins[0])
        measured = [total + chance * cost for total, cost in zip(measured, regret, strict=True)]
    wrong = sum(
        math.comb(2, i) * 0.3**i * 0.7 ** (2 - i) * math.comb(2, j) * 0.6**j * 0.4 ** (2 - j)
        for i in range(3)
        for j in range(i + 1)
    )
    bounds = [0.3 * (min(t, 2) + max(t - 4, 0) * wrong) for t in range(8)]
    return s, measured, bounds


def level():
    s = paper.Levelled(means=(0.0, 1.0, 0.4), delta=1e-4, horizon=200)
    return s, of_index(lambda r, n, m: m + math.sqrt(2 * math.log(1e4) / n))


def most(gap, t):
    return 1 + 8 * math.log(1e4) / gap**2 + 1e-4 * t * (t + 1)


def ucb_pulls(name):
    s, policy = level()
    return s, counts(s, policy, name)[:, -1], [most(0.6, t) for t in s.times.tolist()]


def ucb_regret(name):
    s, policy = level()
    bounds = [most(1.0, t) + 0.6 * most(0.6, t) for t in s.times.tolist()]
    return s, counts(s, policy, name) @ gaps(s), bounds


def asymptotic(name):
    s = paper.StochasticBandit(means=(0.5, 0.0, 1.5), horizon=200, law="gaussian")

    def log_f(t):
        return math.log(1 + t * math.log(t) ** 2)

    def bound(gap, t):
        a = log_f(max(t, 1))
        values = []
        for share in np.linspace(0.02, 0.98, 49):
            epsilon = share * gap
            values.append(2 + 5 / epsilon**2 + 2 * (a + math.sqrt(math.pi * a) + 1) / (gap - epsilon) ** 2)
        return gap * min(values)

    policy = of_index(lambda r, n, m: m + math.sqrt(2 * log_f(r + 1) / n))
    return s, counts(s, policy, name) @ gaps(s), [bound(1.0, t) + bound(1.5, t) for t in s.times.tolist()]


RESTATED = {
    "explore-then-commit/regret": commitment,
    "explore-then-commit/exact": all_coins,
    "ucb/pulls": ucb_pulls,
    "ucb/regret": ucb_regret,
    "asymptotic-ucb/regret": asymptotic,
}


def test_every_theorem_is_restated():
    assert RESTATED.keys() == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(RESTATED))
def test_sides(name):
    theorem = THEOREMS[name]
    s, measured, bound = RESTATED[name](name)
    trace = theorem.run(s, stream(0, "restated", name))
    np.testing.assert_allclose(theorem.measured(s, trace), measured, atol=1e-9)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-9)


@pytest.mark.parametrize("gap", [0.2, 0.5])
def test_committing_to_one_of_two_gaussian_arms_costs_what_is_known(gap):
    """m gap + (n - 2 m) gap Phi(-gap sqrt(m / 2))."""
    m, n, replicates = 20, 500, 20_000
    trace = play_bandit(
        Bandit.gaussian([0, gap]),
        explore_then_commit(m),
        horizon=n,
        rng=stream(0, "gaussian", gap),
        replicates=replicates,
    )
    wrong = norm.cdf(-gap * math.sqrt(m / 2))
    expected = m * gap + (n - 2 * m) * gap * wrong
    # A false alarm in 1e7.
    deviation = 5.3 * (n - 2 * m) * gap * math.sqrt(wrong * (1 - wrong) / replicates)
    assert abs(trace["regret"][-1].mean() - expected) < deviation


def test_exploration_costs_the_same_in_every_run():
    theorem = THEOREMS["explore-then-commit/regret"]
    for s in theorem.settings():
        trace = theorem.run(s, stream(0, "explored"))
        regret = trace["regret"]
        low, high = theorem.kind.low(s)[:, None], theorem.kind.high(s)[:, None]
        assert ((low <= regret) & (regret <= high)).all()
        explored = trace.times <= s.pulls * len(s.means)
        np.testing.assert_allclose(regret[explored] - low[explored], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: paper.Exploration(means=(0.0, 1.0), pulls=0, horizon=5), "pulls is 0; it must be >= 1"),
        (lambda: paper.Levelled(means=(0.0, 1.0), delta=1.0, horizon=5), r"delta is 1.0; it must lie in \(0, 1\)"),
        (lambda: paper.TwoCoins(0.5, 1.5, pulls=1, rounds=5), r"second is 1.5; it must lie in \[0, 1\]"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
