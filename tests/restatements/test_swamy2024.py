"""Both sides of the theorems on self-play, in plain probabilities, for games small enough to read.

Of the library, only the theorem objects under test compute anything here, and the random numbers come from their runs.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from rltheory import verify
from rltheory.problems import PreferenceGame
from rltheory.simulation import stream
from rltheory.theorems.games import swamy2024
from rltheory.theorems.games.swamy2024 import InteriorSetting, RateSetting, SampledSetting, Setting
from rltheory.theory import Status, Theorem

# Averages of some dozen policies, each good to some eps of its exponents, which are below a hundred.
ABSOLUTE = 1e-13
RELATIVE = 1e-9

BEATS = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
ORDER = PreferenceGame([[0.5, 0.6, 0.9], [0.4, 0.5, 1.0], [0.1, 0.0, 0.5]])
CYCLE = PreferenceGame([[0.5, 1.0, 0.2], [0.0, 0.5, 0.9], [0.8, 0.1, 0.5]])
FIVE = PreferenceGame(
    [
        [0.5, 0.9, 0.3, 0.6, 0.1],
        [0.1, 0.5, 1.0, 0.4, 0.7],
        [0.7, 0.0, 0.5, 0.8, 0.2],
        [0.4, 0.6, 0.2, 0.5, 0.9],
        [0.9, 0.3, 0.8, 0.1, 0.5],
    ]
)
SKEWED = [0.05, 0.15, 0.8]
PLAIN = {
    "two actions": Setting(BEATS, [0.3, 0.7], 60),
    "order": Setting(ORDER, None, 60),
    "order from below": Setting(ORDER, SKEWED, 60),
    "cycle": Setting(CYCLE, SKEWED, 60),
    "five actions": Setting(FIVE, None, 40),
}
RATES = {
    "two actions": RateSetting(BEATS, [0.3, 0.7], 60, rate=0.5),
    "cycle": RateSetting(CYCLE, SKEWED, 60, rate=0.1),
    "five actions, largest step": RateSetting(FIVE, None, 40, rate=2 * (math.sqrt(2) - 1)),
    "beyond the largest step": RateSetting(FIVE, None, 40, rate=0.83),
}
SAMPLED = {
    "two actions": SampledSetting(BEATS, [0.3, 0.7], 60, comparisons=3),
    "five actions": SampledSetting(FIVE, None, 40, comparisons=1, delta=0.2),
}
INTERIOR = {
    "cycle": InteriorSetting(CYCLE, SKEWED, 60, rate=0.5, winner=[0.2, 0.2, 0.6]),
    "five actions": InteriorSetting(FIVE, None, 40, rate=2.0, winner=[0.1, 0.1, 0.2, 0.2, 0.4]),
    "payoffs that must shrink": InteriorSetting(ORDER, None, 40, rate=0.1, winner=[0.98, 0.01, 0.01]),
}


def first(s):
    return np.full(s.game.n, 1 / s.game.n) if s.start is None else np.array(s.start)


def big(s):
    """L."""
    return math.log(1 / first(s).min())


def hedge(s, rates):
    """Policies of as many rounds as there are rates, x_t ~ x_1 exp(rate_t times the sum of the win rates so far)."""
    won, policies = np.zeros(s.game.n), []
    for rate in rates:
        weights = first(s) * np.exp(rate * won)
        policies.append(weights / weights.sum())
        won = won + s.game.prefer @ policies[-1]
    return np.array(policies)


def optimistic(s):
    """Policies of Hedge that counts the last win rates twice; before the first round, those against the start."""
    won, last, policies = np.zeros(s.game.n), s.game.prefer @ first(s), []
    for _ in range(s.horizon):
        weights = first(s) * np.exp(s.rate * (won + last))
        policies.append(weights / weights.sum())
        last = s.game.prefer @ policies[-1]
        won = won + last
    return np.array(policies)


def adahedge(s):
    """Policies, and the sum of the mixability gaps after each round."""
    won, lost, policies, sums = np.zeros(s.game.n), 0.0, [], []
    for _ in range(s.horizon):
        rate = big(s) / lost if lost else 0.0
        weights = first(s) * np.exp(rate * won)
        policies.append(weights / weights.sum())
        wins = s.game.prefer @ policies[-1] - 0.5
        lost += math.log(policies[-1] @ np.exp(rate * wins)) / rate if lost else wins.max()
        won = won + wins
        sums.append(lost)
    return np.array(policies), np.array(sums)


def exploitability(s, policy):
    return (s.game.prefer @ policy).max() - 0.5


def of_averages(s, policies, trace):
    """Exploitability of the average of the first t policies, at the recorded t."""
    return np.array([exploitability(s, policies[:t].mean(0)) for t in trace.times])


def each_horizon(s, trace, factor):
    """The same for runs of their own, with rate sqrt(factor L / T)."""
    runs = (hedge(s, [math.sqrt(factor * big(s) / rounds)] * rounds) for rounds in trace.times)
    return np.array([exploitability(s, policies.mean(0)) for policies in runs])


def winner(s):
    """The Condorcet winner with its gap."""
    margins = [min(s.game.prefer[a, b] - 0.5 for b in range(s.game.n) if b != a) for a in range(s.game.n)]
    return int(np.argmax(margins)), max(margins)


def reduction(s, trace):
    policies = np.exp(trace["log_policy"])
    wins = policies @ s.game.prefer.T
    earned = (policies * wins).sum(1)
    regrets = [max((wins[:t, a] - earned[:t]).sum() for a in range(s.game.n)) for t in trace.times]
    return of_averages(s, policies, trace), regrets / trace.times


def anytime(s, trace):
    rates = [math.sqrt(4 * big(s) / t) for t in range(1, s.horizon + 1)]
    return of_averages(s, hedge(s, rates), trace), np.sqrt(big(s) / trace.times)


def condorcet_distance(s, trace):
    best, gap = winner(s)
    others = np.cumsum(1 - hedge(s, [2 * gap] * s.horizon)[:, best])
    return others[trace.times - 1], np.full(trace.times.size, 0.8 * math.log(1 / first(s)[best]) / gap**2)


def condorcet(s, trace):
    _, gap = winner(s)
    policies = hedge(s, [2 * gap] * s.horizon)
    return of_averages(s, policies, trace), 0.8 * big(s) / gap / trace.times


def adaptive(bound):
    def sides(s, trace):
        policies, sums = adahedge(s)
        return of_averages(s, policies, trace), bound(s, trace.times, sums[trace.times - 1])

    return sides


def sampled(s, trace):
    t, rounds, rate = trace.times, s.horizon, math.sqrt(8 * big(s) / s.horizon)
    noise = math.sqrt(2 * rounds / s.comparisons * math.log(s.game.n / s.delta))
    measured = np.array([exploitability(s, mean) for mean in trace["mean"]])
    return measured, (big(s) / rate + rate * t / 8 + noise) / t


def interior(s, trace):
    """Growth of the divergence, log of the exponential mean, and variance of the win rates, at the recorded times."""
    star = np.array(s.winner)
    payoff = s.game.prefer - 0.5
    edge = payoff @ star
    payoff = payoff - edge[:, None] + edge[None, :]
    payoff = payoff / max(1, 2 * np.abs(payoff).max())
    x, rows = first(s), []
    for _ in range(s.horizon):
        wins = payoff @ x
        after = x * np.exp(s.rate * wins)
        after = after / after.sum()
        grown = (star * np.log(star / after)).sum() - (star * np.log(star / x)).sum()
        rows.append((grown, math.log(x @ np.exp(s.rate * wins)), x @ wins**2))
        x = after
    return np.array(rows)[trace.times - 1].T


def last_iterate(s, trace):
    grown, logarithm, _ = interior(s, trace)
    return grown, logarithm


def last_iterate_grows(s, trace):
    grown, _, variance = interior(s, trace)
    x = s.rate / 2
    return np.log(1 + (math.exp(-x) - 1 + x) / x**2 * s.rate**2 * variance), grown


RESTATED = {
    "spo/reduction": reduction,
    "spo/hedge": lambda s, trace: (each_horizon(s, trace, 8), np.sqrt(big(s) / 2 / trace.times)),
    "spo/hedge-self-play": lambda s, trace: (each_horizon(s, trace, 24), np.sqrt(big(s) / 6 / trace.times)),
    "spo/hedge-anytime": anytime,
    "spo/optimistic": lambda s, trace: (of_averages(s, optimistic(s), trace), big(s) / s.rate / trace.times),
    "spo/condorcet-distance": condorcet_distance,
    "spo/condorcet": condorcet,
    "spo/adahedge-mixability": adaptive(lambda s, t, lost: 2 * lost / t),
    "spo/adahedge": adaptive(lambda s, t, lost: np.sqrt(big(s) / 3 / t) + (2 * big(s) / 3 + 1) / t),
    "spo/adahedge-condorcet": adaptive(lambda s, t, lost: (5 * big(s) / 4 / winner(s)[1] + 2 * big(s) / 3 + 1) / t),
    "spo/gap-rate": adaptive(lambda s, t, lost: big(s) / winner(s)[1] / t),
    "spo/sampled": sampled,
    "spo/last-iterate": last_iterate,
    "spo/last-iterate-grows": last_iterate_grows,
}
WITH_WINNER = {"two actions", "order", "order from below"}
APPLIES = {
    "spo/reduction": (PLAIN, set(PLAIN)),
    "spo/hedge": (PLAIN, set(PLAIN)),
    "spo/hedge-self-play": (PLAIN, set(PLAIN)),
    "spo/hedge-anytime": (PLAIN, set(PLAIN)),
    "spo/optimistic": (RATES, set(RATES) - {"beyond the largest step"}),
    "spo/condorcet-distance": (PLAIN, WITH_WINNER),
    "spo/condorcet": (PLAIN, WITH_WINNER),
    "spo/adahedge-mixability": (PLAIN, set(PLAIN)),
    "spo/adahedge": (PLAIN, set(PLAIN)),
    "spo/adahedge-condorcet": (PLAIN, WITH_WINNER),
    "spo/gap-rate": (PLAIN, WITH_WINNER),
    "spo/sampled": (SAMPLED, set(SAMPLED)),
    "spo/last-iterate": (INTERIOR, set(INTERIOR)),
    "spo/last-iterate-grows": (INTERIOR, set(INTERIOR)),
}
THEOREMS = {theorem.name: theorem for theorem in vars(swamy2024).values() if isinstance(theorem, Theorem)}
RATE_ONLY = {"spo/gap-rate"}

# How much of its bound each statement is known to use: what our grids reach, or a little less.
USED = {
    "spo/hedge": 0.59,
    "spo/hedge-self-play": 0.83,
    "spo/hedge-anytime": 0.48,
    "spo/optimistic": 0.995,
    "spo/condorcet-distance": 0.79,
    "spo/condorcet": 0.74,
    "spo/adahedge-mixability": 0.79,
    "spo/adahedge": 0.48,
    "spo/adahedge-condorcet": 0.13,
    "spo/sampled": 0.35,
    "spo/last-iterate-grows": 0.99,
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys() == APPLIES.keys()
    assert {name for name, theorem in THEOREMS.items() if theorem.kind.name != "identity"} - RATE_ONLY == USED.keys()


@pytest.mark.parametrize("name", THEOREMS)
def test_hypotheses(name):
    settings, applies = APPLIES[name]
    assert {place for place, s in settings.items() if THEOREMS[name].failed_hypothesis(s) is None} == applies


@pytest.mark.parametrize("name", THEOREMS)
def test_one_action_is_no_game(name):
    s = next(iter(APPLIES[name][0].values()))
    only = type(s)(PreferenceGame.indifferent(1), horizon=5)
    assert THEOREMS[name].failed_hypothesis(only) == "two actions or more"


@pytest.mark.parametrize(("name", "place"), [(name, place) for name in THEOREMS for place in sorted(APPLIES[name][1])])
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], APPLIES[name][0][place]
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = RESTATED[name](s, trace)
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=RELATIVE, atol=ABSOLUTE)
    if theorem.kind.name == "identity":
        np.testing.assert_allclose(measured, bound, rtol=RELATIVE, atol=ABSOLUTE)
    elif name not in RATE_ONLY:
        assert (measured <= (1 + RELATIVE) * bound + ABSOLUTE).all()


@pytest.mark.parametrize("name", USED)
def test_bounds_are_used_as_far_as_known(name):
    verdicts = verify(THEOREMS[name])
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert max(verdict.tightness for verdict in verdicts) >= USED[name]


def test_optimistic_rate_is_limited():
    """Without its hypothesis the statement fails at rates of 4 and more."""
    anyhow = replace(THEOREMS["spo/optimistic"], hypotheses={})
    settings = [RateSetting(s.game, s.start, 2000, rate=4.0) for s in swamy2024.optimistic_grid()]
    statuses = {verdict.setting: verdict.status for verdict in verify(anyhow, settings=settings)}
    assert statuses["tournament, n = 20, T = 2000, eta = 4"] is Status.REFUTED


def test_interior_winners_of_named_games_are_theirs():
    """Where the game has the winner already, nothing is changed."""
    changed = {str(s): np.abs(s.planted.payoff - s.game.payoff).max() for s in swamy2024.interior_grid()}
    named = {title: change for title, change in changed.items() if "planted" not in title}
    assert len(named) == len(changed) - 2
    assert max(named.values()) < 1e-15
