r"""UCB1 and epsilon-greedy with decreasing rates: regret that grows like the logarithm, at every time.

UCB1 pulls each arm once, and then after t rounds the arm with the largest :math:`\hat\mu_a + \sqrt{2 \log t / N_a}`.
Rewards lie in [0, 1].
"""

import math
from collections.abc import Iterator

import numpy as np

from rltheory.algorithms.bandits import Policy, decaying_epsilon_greedy, epsilon_greedy, play_bandit, ucb1
from rltheory.arrays import Array, Times
from rltheory.theorems.bandits.stochastic_bandit import (
    AVERAGED,
    BOUNDED,
    PULLS,
    REGRET,
    REGRETS,
    SYMBOLS,
    WATCHED,
    WORSE,
    StochasticBandit,
    any_bounded,
    bounded_grid,
    mean_pulls,
    mean_regret,
    play,
    preferring_worse_arms,
    regret_of_pulls,
)
from rltheory.theory import EveryStep, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace

PAPER = "auer2002"
FAILURES = 1 + math.pi**2 / 3  # a first pull, and pulls after some bound has failed
EXPLORATION = 6.0  # c of epsilon-greedy
MANY = 500  # replicates of which a run is the mean where the rate alone is judged


def play_ucb1(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """UCB1."""
    return play(s, ucb1(), rng)


def play_decaying(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """Epsilon-greedy with decreasing rates, which knows the least positive gap."""
    return _play_many(s, decaying_epsilon_greedy(float(s.positive_gaps.min()), EXPLORATION), rng)


# Wrong runs, to be told from right ones.


def play_exploring_more(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """UCB1 with a radius that is four times as large."""
    return play(s, ucb1(32.0), rng)


def play_at_constant_rate(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """Epsilon-greedy that goes on exploring."""
    return _play_many(s, epsilon_greedy(0.05), rng)


def _play_many(s: StochasticBandit, policy: Policy, rng: np.random.Generator) -> Trace:
    return play_bandit(s.bandit, policy, horizon=s.horizon, rng=rng, replicates=MANY, points=50)


def decaying_grid() -> Iterator[StochasticBandit]:
    """Gaps that the policy can tell within the horizon."""
    yield StochasticBandit(means=(0.9, 0.2), horizon=10_000)
    yield StochasticBandit(means=(0.9, 0.3, 0.1), horizon=10_000)


def at_least_once(times: Times) -> Array:
    """Times as numbers of which there is a logarithm."""
    return np.maximum(times, 1)


def pulls_bound(gap: float, times: Times) -> Array:
    """Bound on the pulls of an arm by its gap > 0, after each number of rounds."""
    bound: Array = 8 * np.log(at_least_once(times)) / gap**2 + FAILURES
    return bound


def regret_by_round(s: StochasticBandit, trace: Trace) -> Array:
    """Mean regret of a round since the recorded time before."""
    total, t = mean_regret(s, trace), trace.times
    rises: Array = np.append(s.bandit.gaps.mean(), np.diff(total) / np.diff(t))
    return rises


def distribution_free_bound(s: StochasticBandit, trace: Trace) -> Array:
    """Bound that knows the number of arms only."""
    worse, t = s.bandit.arms - 1, trace.times
    bound: Array = np.sqrt(worse * t * (8 * np.log(at_least_once(t)) + FAILURES))
    return bound


PULLS_OF_UCB1 = Theorem(
    name="ucb1/pulls",
    title="UCB1 pulls a worse arm some multiple of the logarithm of time",
    paper=Paper(PAPER, "Theorem 1, in its proof"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, N_a(t) \le \frac{8 \log t}{\Delta_a^2} + 1 + \frac{\pi^2}{3}",
    symbols=SYMBOLS,
    kind=PULLS,
    hypotheses=BOUNDED | WORSE,
    run=play_ucb1,
    measured=mean_pulls,
    bound=lambda s, trace: pulls_bound(s.watched_gap, trace.times),
    trivial=lambda s: float(s.horizon),
    settings=bounded_grid,
    strategy=any_bounded,
    controls={
        "worse arms preferred": preferring_worse_arms(play_ucb1),
        "four times the radius": play_exploring_more,
    },
    remark=WATCHED,
)

REGRET_OF_UCB1 = Theorem(
    name="ucb1/regret",
    title="The regret of UCB1 grows like the logarithm of time",
    paper=Paper(PAPER, "Theorem 1"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \sum_{a: \Delta_a > 0} \frac{8 \log t}{\Delta_a} "
    r"+ \Bigl(1 + \frac{\pi^2}{3}\Bigr) \sum_a \Delta_a",
    symbols=REGRET,
    kind=REGRETS,
    hypotheses=BOUNDED,
    run=play_ucb1,
    measured=mean_regret,
    bound=lambda s, trace: regret_of_pulls(s, pulls_bound, trace.times),
    trivial=lambda s: s.horizon * float(s.bandit.gaps.max()),
    settings=bounded_grid,
    strategy=any_bounded,
    controls={
        "worse arms preferred": preferring_worse_arms(play_ucb1),
        "four times the radius": play_exploring_more,
    },
    remark=AVERAGED,
)

DISTRIBUTION_FREE = Theorem(
    name="ucb1/distribution-free",
    title="On no bandit does UCB1 lose more than the root of time, but for a logarithm",
    paper=Paper(PAPER, "a consequence of Theorem 1; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \sqrt{(K - 1)\, t\, (8 \log t + 1 + \pi^2 / 3)}",
    symbols=REGRET,
    kind=REGRETS,
    hypotheses=BOUNDED,
    run=play_ucb1,
    measured=mean_regret,
    bound=distribution_free_bound,
    trivial=lambda s: s.horizon * float(s.bandit.gaps.max()),
    settings=bounded_grid,
    strategy=any_bounded,
    controls={"worse arms preferred": preferring_worse_arms(play_ucb1)},
    remark=AVERAGED,
)

DECAYING = Theorem(
    name="epsilon-greedy/decaying",
    title="Exploring at a rate that falls like 1 / t costs as little in each round",
    paper=Paper(PAPER, "Theorem 3"),
    standing=Standing.RECALLED,
    statement=r"\epsilon_t = \min\Bigl(1, \frac{c K}{d^2 t}\Bigr), \quad c > 5, \quad 0 < d \le \min_{\Delta_a > 0} \Delta_a "
    r"\implies \mathbb{E}\, \Delta_{A_t} = O(1 / t)",
    symbols=SYMBOLS + "; $\\epsilon_t$: the probability with which the arm $A_t$ of round t is drawn uniformly",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=BOUNDED,
    run=play_decaying,
    measured=regret_by_round,
    bound=lambda s, trace: 1 / at_least_once(trace.times),
    settings=decaying_grid,
    controls={"a constant rate": play_at_constant_rate},
    rate=PowerLaw(lambda s: -1.0),
    remark="Here d is the least positive gap and c = 6. The measured curve is what a round costs on average over the rounds "
    f"since the recorded time before, and over {MANY} replicates.",
)
