r"""Finite-time bounds of a textbook: explore-then-commit, and optimism with a fixed level or with one that falls.

Rewards are 1-subgaussian about the means of their arms; Gaussian arms of standard deviation 1 are the hardest of these.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms.bandits import asymptotic_ucb, explore_then_commit, play_binary_histories, ucb
from rltheory.arrays import Array, Times, count
from rltheory.theorems.bandits.stochastic_bandit import (
    AVERAGED,
    PULLS,
    REGRET,
    REGRETS,
    SUBGAUSSIAN,
    SYMBOLS,
    WATCHED,
    WORSE,
    StochasticBandit,
    any_gaussian,
    drawn_bandits,
    gaussian_grid,
    mean_pulls,
    mean_regret,
    play,
    preferring_worse_arms,
    regret_of_pulls,
)
from rltheory.theory import BY_CONSTRUCTION, Identity, InExpectation, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "lattimore2020"
SHARES = np.linspace(0.02, 0.98, 49)  # of the gap: for the free number of a bound


@dataclass(frozen=True, eq=False, kw_only=True)
class Exploration(StochasticBandit):
    """Gaussian arms, and how often each is explored.

    Parameters
    ----------
    pulls
        m >= 1.
    """

    pulls: int
    law: str = "gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        count(self.pulls, "pulls", at_least=1)

    def __str__(self) -> str:
        return f"{super().__str__()}, {self.pulls} pulls each"

    @property
    def explored(self) -> Array:
        """What exploring has cost at each recorded time: no chance has a part in it."""
        first_round = self.pulls * np.arange(len(self.means))
        cost: Array = np.clip(self.times[:, None] - first_round, 0, self.pulls) @ self.bandit.gaps
        return cost

    @property
    def committed(self) -> Array:
        """Rounds after exploration at each recorded time."""
        rounds: Array = np.maximum(self.times - self.pulls * len(self.means), 0)
        return rounds


@dataclass(frozen=True, eq=False)
class TwoCoins:
    """Two Bernoulli arms, how often each is explored, and how many rounds are played in all possible ways.

    Parameters
    ----------
    first, second
        Means in [0, 1].
    pulls
        m >= 1.
    rounds
        Number of rounds, from 2 to 20.
    """

    first: float
    second: float
    pulls: int
    rounds: int

    def __post_init__(self) -> None:
        count(self.pulls, "pulls", at_least=1)
        count(self.rounds, "rounds", at_least=2)
        for name in ("first", "second"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1]")

    def __str__(self) -> str:
        return f"bernoulli {self.first:.4g}, {self.second:.4g}, {self.pulls} pulls each, {self.rounds} rounds"

    @property
    def rounding(self) -> float:
        """Allowance for sums over all histories."""
        return 1e-12 * self.rounds


@dataclass(frozen=True, eq=False, kw_only=True)
class Levelled(StochasticBandit):
    """Gaussian arms, and the probability with which a bound may fail.

    Parameters
    ----------
    delta
        Probability in (0, 1).
    """

    delta: float
    law: str = "gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.delta < 1:
            raise ValueError(f"delta is {self.delta}; it must lie in (0, 1)")

    def __str__(self) -> str:
        return f"{super().__str__()}, delta = {self.delta:.4g}"


def play_exploration(s: Exploration, rng: np.random.Generator) -> Trace:
    """Explore, then commit."""
    return play(s, explore_then_commit(s.pulls), rng)


def play_all_coins(s: TwoCoins, rng: np.random.Generator) -> Trace:
    """Explore, then commit, in all histories; keep the mean pulls of each arm."""
    trace = play_binary_histories(explore_then_commit(s.pulls), arms=2, rounds=s.rounds, rng=rng)
    wins, pulls = trace["successes"], trace["pulls"]
    means = np.array([s.first, s.second])
    weights = np.prod(means**wins * (1 - means) ** (pulls - wins), axis=2) / 2.0 ** (s.rounds - trace.times[:, None])
    mean_pulls = (weights[:, :, None] * pulls).sum(axis=1)
    return Trace(trace.algorithm, trace.times, {"pulls": (("time", "arm"), mean_pulls)}, trace.clock)


def play_ucb(s: Levelled, rng: np.random.Generator) -> Trace:
    """UCB of a fixed level."""
    return play(s, ucb(s.delta), rng)


def play_asymptotic_ucb(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """UCB with a level that falls."""
    return play(s, asymptotic_ucb(), rng)


# Wrong runs, to be told from right ones.


def play_coins_twice(s: TwoCoins, rng: np.random.Generator) -> Trace:
    """Explore each arm twice as often."""
    return play_all_coins(replace(s, pulls=2 * s.pulls), rng)


def play_asymptotic_ucb_too_wide(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """A radius that is four times as large."""
    return play(s, asymptotic_ucb(4.0), rng)


def exploration_grid() -> Iterator[Exploration]:
    """Too little exploration, and more than enough."""
    yield Exploration(means=(1.0, 0.0), pulls=10, horizon=400)
    yield Exploration(means=(0.0, 1.0, 0.5), pulls=3, horizon=400)
    yield Exploration(means=(0.5, 0.0), pulls=40, horizon=1000)
    yield Exploration(means=(0.0, 2.0, 2.0, 1.0), pulls=2, horizon=300)


def coins_grid() -> Iterator[TwoCoins]:
    """Ties between empirical means, a sure arm, and a second arm that is best."""
    yield TwoCoins(0.75, 0.5, pulls=2, rounds=9)
    yield TwoCoins(0.3, 0.4, pulls=4, rounds=12)
    yield TwoCoins(1.0, 0.5, pulls=3, rounds=8)
    yield TwoCoins(0.2, 0.9, pulls=1, rounds=6)


def levelled_grid() -> Iterator[Levelled]:
    """The level of the textbook, and larger ones."""
    for s, delta in zip(gaussian_grid(), (1e-6, 1e-6, 1e-4, 1e-4), strict=True):
        yield Levelled(means=s.means, horizon=s.horizon, delta=delta)


def any_exploration() -> "SearchStrategy[Exploration]":
    """Gaussian arms, explored now and then."""
    from hypothesis import strategies as st

    return drawn_bandits(Exploration, 0.01, 3.0, pulls=st.integers(1, 30))


def any_coins() -> "SearchStrategy[TwoCoins]":
    """Two coins; few rounds."""
    from hypothesis import strategies as st

    mean = st.floats(0.0, 1.0)
    return st.builds(TwoCoins, mean, mean, pulls=st.integers(1, 4), rounds=st.integers(2, 8))


def any_levelled() -> "SearchStrategy[Levelled]":
    """Gaussian arms, and levels of every size."""
    from rltheory.strategies import log_uniform

    return drawn_bandits(Levelled, 0.01, 3.0, delta=log_uniform(1e-8, 0.1))


def exploration_bound(s: Exploration, trace: Trace) -> Array:
    """What exploring costs, and what committing to a worse arm does."""
    m, gaps = s.pulls, s.bandit.gaps
    total: Array = np.minimum(trace.times, m) * gaps.sum() + s.committed * (gaps @ np.exp(-m * gaps**2 / 4))
    return total


def wrong_choice(s: TwoCoins) -> float:
    """Probability that the arm is chosen whose mean is smaller; of equal empirical means the first wins."""
    from scipy.stats import binom

    wins = np.arange(s.pulls + 1)
    second_wins = float((binom.pmf(wins, s.pulls, s.second) * binom.cdf(wins - 1, s.pulls, s.first)).sum())
    return second_wins if s.first >= s.second else 1 - second_wins


def coins_regret(s: TwoCoins, trace: Trace) -> Array:
    """Mean regret of all histories."""
    gaps = max(s.first, s.second) - np.array([s.first, s.second])
    regret: Array = trace["pulls"] @ gaps
    return regret


def coins_bound(s: TwoCoins, trace: Trace) -> Array:
    """Exploration of the worse arm, then the probability of the wrong choice a round."""
    m, t = s.pulls, trace.times
    explored = np.minimum(t, m) if s.first < s.second else np.clip(t - m, 0, m)
    rounds = explored + np.maximum(t - 2 * m, 0) * wrong_choice(s)
    total: Array = abs(s.first - s.second) * rounds
    return total


def levelled_pulls(s: Levelled, gap: float, times: Times) -> Array:
    """Bound on the pulls of an arm by its gap > 0, at each time."""
    t = times.astype(np.float64)
    bound: Array = 1 + 8 * math.log(1 / s.delta) / gap**2 + s.delta * t * (t + 1)
    return bound


def asymptotic_pulls(gap: float, times: Times) -> Array:
    """Bound on the pulls of an arm by its gap > 0, at each time, with the best of some free numbers."""
    free = gap * SHARES[:, None]
    log_f = np.log1p(times * np.log(np.maximum(times, 1)) ** 2)
    bounds = 2 + 5 / free**2 + 2 * (log_f + np.sqrt(math.pi * log_f) + 1) / (gap - free) ** 2
    best: Array = bounds.min(axis=0)
    return best


EXPLORE_THEN_COMMIT = Theorem(
    name="explore-then-commit/regret",
    title="Exploring costs what it costs, and commits to a worse arm with exponentially small probability",
    paper=Paper(PAPER, "Theorem 6.1"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \sum_a \Delta_a \Bigl(\min(t, m) + (t - m K)^+ e^{-m \Delta_a^2 / 4}\Bigr)",
    symbols=REGRET + "; m: how often each arm is explored",
    kind=InExpectation(
        rounding=lambda s: s.rounding,
        low=lambda s: s.explored - s.rounding,
        high=lambda s: s.explored + s.committed * s.bandit.gaps.max() + s.rounding,
    ),
    hypotheses=SUBGAUSSIAN,
    run=play_exploration,
    measured=mean_regret,
    bound=exploration_bound,
    trivial=lambda s: s.horizon * float(s.bandit.gaps.max()),
    settings=exploration_grid,
    strategy=any_exploration,
    controls={"worse arms preferred": preferring_worse_arms(play_exploration)},
    remark=AVERAGED,
)

EXACT_COMMITMENT = Theorem(
    name="explore-then-commit/exact",
    title="The regret of committing to one of two coins, to the last digit",
    paper=Paper(PAPER, "Chapter 6, where Gaussian arms are an exercise; coins here"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t = \Delta \bigl(N(t) + (t - 2 m)^+ p\bigr)",
    symbols="$\\Delta$: the difference of the means; $N(t)$: pulls of the worse arm among the first $\\min(t, 2 m)$ rounds; p: "
    "the probability that the arm that is worse wins more often in m pulls of each, or as often if it comes first",
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses={"two Bernoulli arms": BY_CONSTRUCTION},
    run=play_all_coins,
    measured=coins_regret,
    bound=coins_bound,
    settings=coins_grid,
    strategy=any_coins,
    controls={"arms explored twice as often": play_coins_twice},
    remark="The measured side is the sum over all histories of rewards, each with its probability.",
)

FIXED_LEVEL = Theorem(
    name="ucb/pulls",
    title="Optimism with a fixed level pulls a worse arm few times",
    paper=Paper(PAPER, "Theorem 7.1, in its proof; for any level and any time"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, N_a(t) \le 1 + \frac{8 \log(1 / \delta)}{\Delta_a^2} + \delta\, t (t + 1)",
    symbols=SYMBOLS + "; $\\delta$: the level",
    kind=PULLS,
    hypotheses=SUBGAUSSIAN | WORSE,
    run=play_ucb,
    measured=mean_pulls,
    bound=lambda s, trace: levelled_pulls(s, s.watched_gap, trace.times),
    trivial=lambda s: float(s.horizon),
    settings=levelled_grid,
    strategy=any_levelled,
    controls={"worse arms preferred": preferring_worse_arms(play_ucb)},
    remark="With $\\delta = 1 / n^2$ it is $3 + 16 \\log(n) / \\Delta_a^2$ at most after n rounds, the textbook's. "
    + WATCHED,
)

FIXED_LEVEL_REGRET = Theorem(
    name="ucb/regret",
    title="The regret of optimism with a fixed level",
    paper=Paper(PAPER, "Theorem 7.1, for any level and any time"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \sum_{a: \Delta_a > 0} \Delta_a "
    r"\Bigl(1 + \frac{8 \log(1 / \delta)}{\Delta_a^2} + \delta\, t (t + 1)\Bigr)",
    symbols=REGRET + "; $\\delta$: the level",
    kind=REGRETS,
    hypotheses=SUBGAUSSIAN,
    run=play_ucb,
    measured=mean_regret,
    bound=lambda s, trace: regret_of_pulls(s, partial(levelled_pulls, s), trace.times),
    trivial=lambda s: s.horizon * float(s.bandit.gaps.max()),
    settings=levelled_grid,
    strategy=any_levelled,
    controls={"worse arms preferred": preferring_worse_arms(play_ucb)},
    remark="With $\\delta = 1 / n^2$ it is $\\sum_a (3 \\Delta_a + 16 \\log(n) / \\Delta_a)$ at most after n rounds. "
    + AVERAGED,
)

ASYMPTOTIC = Theorem(
    name="asymptotic-ucb/regret",
    title="Optimism with a level that falls has the best leading constant",
    paper=Paper(PAPER, "Theorem 8.1, where the first pull of an arm is not counted"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \sum_{a: \Delta_a > 0} \Delta_a \inf_{0 < \epsilon < \Delta_a} \Bigl(2 + \frac{5}{\epsilon^2} "
    r"+ \frac{2 (\log f(t) + \sqrt{\pi \log f(t)} + 1)}{(\Delta_a - \epsilon)^2}\Bigr)",
    symbols=REGRET + "; $f(t) = 1 + t \\log^2 t$",
    kind=REGRETS,
    hypotheses=SUBGAUSSIAN,
    run=play_asymptotic_ucb,
    measured=mean_regret,
    bound=lambda s, trace: regret_of_pulls(s, asymptotic_pulls, trace.times),
    trivial=lambda s: s.horizon * float(s.bandit.gaps.max()),
    settings=gaussian_grid,
    strategy=any_gaussian,
    controls={
        "worse arms preferred": preferring_worse_arms(play_asymptotic_ucb),
        "four times the radius": play_asymptotic_ucb_too_wide,
    },
    remark="The infimum is over 49 values. For Gaussian arms of "
    "variance 1 the leading term $2 \\log(t) / \\Delta_a$ is that of the lower bound of Lai and Robbins. " + AVERAGED,
)
