r"""Tsallis-INF on stochastic bandits: without a word about them its regret is of the order of the logarithm.

The rates are :math:`2 / \sqrt t`, as for losses that an adversary fixes. Rewards lie in [0, 1].
"""

import numpy as np

from rltheory.algorithms.bandits import tsallis_inf
from rltheory.arrays import Array, Vector
from rltheory.theorems.bandits.stochastic_bandit import (
    AVERAGED,
    BOUNDED,
    REGRET,
    REGRETS,
    StochasticBandit,
    any_bounded,
    bounded_grid,
    mean_regret,
    play,
    preferring_worse_arms,
)
from rltheory.theory import Paper, Standing, Theorem
from rltheory.trace import Trace


def play_tsallis_inf(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """Tsallis-INF with decreasing rates."""
    return play(s, tsallis_inf(), rng)


# A wrong run, to be told from right ones.


def play_hardly_learning(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """A rate so small that the arms stay alike."""
    return play(s, tsallis_inf(1e-4), rng)


def root_cost(rounds: Vector) -> Array:
    r"""Numbers :math:`b_s` of rounds s >= 1: what the root of the probability of a worse arm costs."""
    cost: Array = 1 / np.sqrt(rounds) + 2 * (np.sqrt(rounds) - np.sqrt(rounds - 1))
    return cost


def linear_cost(rounds: Vector) -> Array:
    r"""Numbers :math:`q_s` of rounds s >= 1: what the probability of a worse arm costs besides."""
    later = np.maximum(rounds, 2)
    cost: Array = 1 / np.sqrt(rounds) + np.where(rounds < 2, 2.0, 1.25 / (later - np.sqrt(later)))
    return cost


def dearest(gap: float, rounds: Vector) -> Array:
    r"""Largest :math:`2 b_s x - (\Delta - 2 q_s) x^2` for x in [0, 1], in each round."""
    b, curvature = root_cost(rounds), gap - 2 * linear_cost(rounds)
    x = np.where(curvature > b, b / np.maximum(curvature, b), 1.0)
    largest: Array = 2 * b * x - curvature * x**2
    return largest


def regret_bound(s: StochasticBandit, trace: Trace) -> Array:
    """Sum over the rounds so far, and over all arms but the first best one."""
    rounds = np.arange(1, s.horizon + 1, dtype=np.float64)
    gaps = np.delete(s.bandit.gaps, s.bandit.best)
    by_round = np.sum([dearest(float(gap), rounds) for gap in gaps], axis=0)
    total: Array = np.append(0.0, by_round.cumsum())[trace.times]
    return total


STOCHASTIC = Theorem(
    name="tsallis-inf/stochastic",
    title="Tsallis-INF as it is, on stochastic bandits: the logarithm of time",
    paper=Paper("zimmert2021", "Theorem 1, stochastic losses; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \sum_{s \le t} \sum_{a \ne a_\star} \max_{0 \le x \le 1} "
    r"\bigl(2 b_s x - (\Delta_a - 2 q_s) x^2\bigr), \quad b_s = \frac{1}{\sqrt s} + 2 (\sqrt s - \sqrt{s - 1}), \quad "
    r"q_s = \frac{1}{\sqrt s} + \frac{5}{4 (s - \sqrt s)}",
    symbols=REGRET + "; $a_\\star$: a best arm; $q_1 = 3$",
    kind=REGRETS,
    hypotheses=BOUNDED,
    run=play_tsallis_inf,
    measured=mean_regret,
    bound=regret_bound,
    trivial=lambda s: s.horizon * float(s.bandit.gaps.max()),
    settings=bounded_grid,
    strategy=any_bounded,
    controls={
        "worse arms preferred": preferring_worse_arms(play_tsallis_inf),
        "a rate near 0": play_hardly_learning,
    },
    remark="In late rounds the largest value is near $4 / (s \\Delta_a)$, so that with one best arm the leading term is "
    "$4 \\sum_a \\log(t) / \\Delta_a$; in early ones, and where there are several best arms, it is of the order of "
    "$1 / \\sqrt s$. " + AVERAGED,
)
