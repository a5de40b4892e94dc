r"""Proof that Hedge at every history finds a minimax winner of a decision process.

Notation. :math:`S = P - 1/2` between trajectories; :math:`\rho(\pi)` the law of the trajectories of a policy;
:math:`x_t` the policy of round t, :math:`r_t = S \rho(x_t)` its rewards, :math:`J_t(u) = \langle \rho(u), r_t \rangle`;
:math:`h` a history, :math:`Q_t(h, a)` the mean of :math:`r_t` after h and a under :math:`x_t`; :math:`u` any policy
that chooses by the history. Everything is recomputed here with plain NumPy, at every history in every round.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.games import swamy2024_histories as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-12  # sums of some thousand terms of at most 1


class Play(NamedTuple):
    """One run; policies and values are lists by step, of arrays (round, history, action)."""

    policy: list[np.ndarray]
    values: list[np.ndarray]
    law: np.ndarray  # (round, trajectory)
    rate: float


def reach(s, policy):
    """Probabilities of the histories before each step, and of the trajectories, under one policy."""
    levels = [np.ones(1)]
    for choices in policy:
        levels.append((levels[-1][:, None, None] * choices[:, :, None] * np.array(s.game.nature)).ravel())
    return levels


@cache
def play(s: paper.Setting) -> Play:
    """Hedge at every history, with the rate for the horizon."""
    a, chance = s.game.actions, np.array(s.game.nature)
    sizes = [(a * chance.size) ** step for step in range(s.game.length)]
    rate = math.sqrt(8 * math.log(a) / s.horizon)
    gains = [np.zeros((size, a)) for size in sizes]
    rows = []
    for _ in range(s.horizon):
        policy = [np.exp(rate * gain) / np.exp(rate * gain).sum(1, keepdims=True) for gain in gains]
        law = reach(s, policy)[-1]
        mean, values = (s.game.preferences.prefer - 0.5) @ law, []
        for choices in policy[::-1]:
            values.insert(0, mean.reshape(len(choices), a, chance.size) @ chance)
            mean = (choices * values[0]).sum(1)
        gains = [gain + value for gain, value in zip(gains, values, strict=True)]
        rows.append((policy, values, law))
    policies, values, laws = zip(*rows, strict=True)
    stacked = ([np.array(level) for level in zip(*rows, strict=True)] for rows in (policies, values))
    return Play(*stacked, np.array(laws), rate)


def comparators(s):
    """Some policies at random, and the best one against the mixture."""
    p, rng, a = play(s), stream(0, "proof of histories", s), s.game.actions
    chance = np.array(s.game.nature)
    policies = [[rng.dirichlet(np.ones(a), size=level.shape[1]) for level in p.policy] for _ in range(3)]
    mean, best = (s.game.preferences.prefer - 0.5) @ p.law.mean(0), []
    for level in p.policy[::-1]:
        values = mean.reshape(level.shape[1], a, chance.size) @ chance
        best.insert(0, np.eye(a)[values.argmax(1)])
        mean = values.max(1)
    return [*policies, best], mean[0]


def advantages(s, u):
    """Sum over steps and histories of reach(u) <u - x_t, Q_t>, for each round."""
    p, total = play(s), 0.0
    for weight, mine, theirs, values in zip(reach(s, u)[:-1], u, p.policy, p.values, strict=True):
        total = total + ((mine - theirs) * values).sum(2) @ weight
    return total


histories = Proof(of=[paper.HISTORIES], settings=paper.grid)


@histories.step("Against itself a policy earns nothing")
def even(s: paper.Setting) -> Claim:
    """J_t(x_t) = <rho, S rho> = 0."""
    p = play(s)
    earned = (p.law * (p.law @ (s.game.preferences.prefer - 0.5).T)).sum(1)
    return claim(earned, "==", 0.0, "S is skew", rounding=ROUNDING)


@histories.step("Performance difference: gains over x_t are gains of single choices, where u comes", uses=[even])
def performance_difference(s: paper.Setting) -> Claim:
    """J_t(u) - J_t(x_t) = sum over h of P_u(h) <u(h) - x_t(h), Q_t(h)>."""
    p = play(s)
    rewards = p.law @ (s.game.preferences.prefer - 0.5).T
    policies, _ = comparators(s)
    left = [rewards @ reach(s, u)[-1] for u in policies]
    right = [advantages(s, u) for u in policies]
    why = "telescope over the steps: u up to a step and x_t from there on"
    return claim(left, "==", right, why, rounding=ROUNDING)


@histories.step("Values at a history have range 1 at most")
def value_range(s: paper.Setting) -> Claim:
    """Q_t is a mean of rewards between -1/2 and 1/2."""
    widest = [np.ptp(values, axis=2).max() for values in play(s).values]
    return claim(widest, "<=", 1.0, "preferences lie in [0, 1]")


@histories.step("At every history, Hedge's regret is at most log A / eta + eta t / 8", uses=[value_range])
def local_regret(s: paper.Setting) -> Claim:
    """Max over a of the sum of Q_t(h, a) - <x_t(h), Q_t(h)>."""
    p, t = play(s), np.arange(1, s.horizon + 1)
    regrets = [
        np.cumsum(values - (choices * values).sum(2, keepdims=True), axis=0).max((1, 2))
        for choices, values in zip(p.policy, p.values, strict=True)
    ]
    right = math.log(s.game.actions) / p.rate + p.rate * t / 8
    return claim(regrets, "<=", right, "proof of spo/hedge, for any values of range 1", rounding=ROUNDING)


@histories.step("Where u comes in a step does not depend on the round, and has probability 1 in all")
def reach_is_a_law(s: paper.Setting) -> Claim:
    """Sum over h of one length of P_u(h)."""
    policies, _ = comparators(s)
    return claim([[level.sum() for level in reach(s, u)] for u in policies], "==", 1.0, "a law of histories")


@histories.step("Regret of u: H times that", uses=[performance_difference, local_regret, reach_is_a_law])
def regret(s: paper.Setting) -> Claim:
    """Sum over t of J_t(u) <= H (log A / eta + eta T / 8)."""
    p = play(s)
    policies, _ = comparators(s)
    right = s.game.length * (math.log(s.game.actions) / p.rate + p.rate * s.horizon / 8)
    return claim([advantages(s, u).sum() for u in policies], "<=", right, "exchange the sums", rounding=ROUNDING)


@histories.step("Against the mixture, u wins the average of J_t")
def average(s: paper.Setting) -> Claim:
    """<rho(u), S mean of rho(x_t)> = mean of J_t(u)."""
    p, payoff = play(s), s.game.preferences.prefer - 0.5
    policies, _ = comparators(s)
    left = [reach(s, u)[-1] @ payoff @ p.law.mean(0) for u in policies]
    right = [(p.law @ payoff.T @ reach(s, u)[-1]).mean() for u in policies]
    return claim(left, "==", right, "S is linear in laws, and one policy is drawn for the whole episode")


@histories.step("Backward recursion finds the best u")
def best_response(s: paper.Setting) -> Claim:
    """No comparator does better, and the one that chooses by it does as well."""
    p, payoff = play(s), s.game.preferences.prefer - 0.5
    policies, value = comparators(s)
    won = [reach(s, u)[-1] @ payoff @ p.law.mean(0) for u in policies]
    return claim(max(won), "==", value, "rewards come at the end, and every history is seen", rounding=ROUNDING)


@histories.step("Conclusion: H sqrt(log A / (2 T))", uses=[regret, average, best_response])
def mixture_rate(s: paper.Setting) -> Claim:
    """At eta = sqrt(8 log A / T)."""
    _, value = comparators(s)
    right = s.game.length * math.sqrt(math.log(s.game.actions) / (2 * s.horizon))
    return claim(value, "<=", right, "insert the rate, divide by T", rounding=ROUNDING)
