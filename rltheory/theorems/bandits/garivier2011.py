r"""KL-UCB: pulls and regret with explicit constants, for rewards in [0, 1].

After t >= K rounds the arm with the largest :math:`\max\{q : N_a\, \mathrm{kl}(\hat\mu_a, q) \le f(t)\}` is pulled, with
:math:`f(t) = \log t + 3 \log^+ \log t`.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.algorithms.bandits import kl_ucb
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
    bernoulli_kl,
    drawn_bandits,
    mean_pulls,
    mean_regret,
    play,
    preferring_worse_arms,
)
from rltheory.theory import Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SHARES = np.linspace(0.01, 0.99, 99)  # of the gap: for the free number of the bound


def play_kl_ucb(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """KL-UCB."""
    return play(s, kl_ucb(c=3.0), rng)


def grid() -> Iterator[StochasticBandit]:
    """Wide and narrow gaps, several best arms; short, as it takes time."""
    yield StochasticBandit(means=(0.9, 0.4), horizon=500)
    yield StochasticBandit(means=(0.2, 0.8, 0.5), horizon=400)
    yield StochasticBandit(means=(0.6, 0.5), horizon=500)
    yield StochasticBandit(means=(0.1, 0.7, 0.7, 0.05), horizon=300)


def any_inside() -> "SearchStrategy[StochasticBandit]":
    """Bernoulli arms with means clear of 0 and 1."""
    return drawn_bandits(StochasticBandit, 0.01, 0.99, horizons=(20, 200))


def budget(times: Array) -> Array:
    """Numbers f(t) for times t >= 1."""
    spent: Array = np.log(times) + 3 * np.log(np.maximum(np.log(times), 1))
    return spent


def failures(s: StochasticBandit, times: Times) -> Array:
    """Bounds on the probabilities that the bound of the best arm fails, summed over the rounds before each time."""
    rounds = np.arange(s.bandit.arms, times[-1], dtype=np.float64)
    f = budget(rounds)
    chances = np.minimum(rounds, math.e * np.ceil(f * np.log(rounds))) * np.exp(-f)
    summed: Array = np.concatenate([np.zeros(s.bandit.arms + 1), np.minimum(chances, 1).cumsum()])[times]
    return summed


def pulls_bound(s: StochasticBandit, mean: float, times: Times) -> Array:
    """Bound on the pulls of an arm by its mean, which is below the best, at each time."""
    between = (mean + (s.best_mean - mean) * SHARES)[:, None]
    f = budget(np.maximum(times, 1).astype(np.float64))
    to_best, to_own = bernoulli_kl(between, s.best_mean), bernoulli_kl(between, mean)
    certain = f / to_best
    bounds = certain + np.exp(-certain * to_own) / -np.expm1(-to_own)
    total: Array = 1 + failures(s, times) + bounds.min(axis=0)
    return total


def regret_bound(s: StochasticBandit, trace: Trace) -> Array:
    """Sum of gaps times bounds on pulls."""
    total = np.zeros(trace.times.size)
    for mean in s.means:
        if mean < s.best_mean:
            total += (s.best_mean - mean) * pulls_bound(s, mean, trace.times)
    return total


INSIDE: dict[str, Callable[[Any], bool | str] | str] = {
    "means in (0, 1)": lambda s: 0 < min(s.means) <= max(s.means) < 1,
}
FORMULA = (
    r"1 + \sum_{r = K}^{t - 1} p_r + \inf_{\mu_a < x < \mu_\star} "
    r"\Bigl(\frac{f(t)}{\mathrm{kl}(x, \mu_\star)} + \frac{\exp(-f(t)\, \mathrm{kl}(x, \mu_a) / \mathrm{kl}(x, \mu_\star))}"
    r"{1 - \exp(-\mathrm{kl}(x, \mu_a))}\Bigr), \qquad p_r = \min\{1,\ \min(r, e \lceil f(r) \log r \rceil)\, e^{-f(r)}\}"
)
MEANING = "; $\\mu_a$: its mean; $\\mu_\\star$: the largest mean; $f(t) = \\log t + 3 \\log^+ \\log t$; kl: the divergence of "
MEANING += "Bernoulli laws with these means"
REMARK = "The infimum is over 99 values. As f(t) grows, x may come near to $\\mu_a$, and the leading term is that of the lower "
REMARK += "bound of Lai and Robbins. "

PULLS_OF_KL_UCB = Theorem(
    name="kl-ucb/pulls",
    title="KL-UCB pulls a worse arm about as often as any policy must",
    paper=Paper("garivier2011", "Theorem 2; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, N_a(t) \le " + FORMULA,
    symbols=SYMBOLS + MEANING,
    kind=PULLS,
    hypotheses=BOUNDED | WORSE | INSIDE,
    run=play_kl_ucb,
    measured=mean_pulls,
    bound=lambda s, trace: pulls_bound(s, s.means[-1], trace.times),
    trivial=lambda s: float(s.horizon),
    settings=grid,
    strategy=any_inside,
    controls={"worse arms preferred": preferring_worse_arms(play_kl_ucb)},
    remark=REMARK + WATCHED,
)

REGRET_OF_KL_UCB = Theorem(
    name="kl-ucb/regret",
    title="The regret of KL-UCB",
    paper=Paper("garivier2011", "Theorem 2; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \sum_{a: \Delta_a > 0} \Delta_a \biggl["
    + FORMULA.replace(r", \qquad", r"\biggr], \quad"),
    symbols=REGRET + MEANING,
    kind=REGRETS,
    hypotheses=BOUNDED | INSIDE,
    run=play_kl_ucb,
    measured=mean_regret,
    bound=regret_bound,
    trivial=lambda s: s.horizon * float(s.bandit.gaps.max()),
    settings=grid,
    strategy=any_inside,
    controls={"worse arms preferred": preferring_worse_arms(play_kl_ucb)},
    remark=REMARK + AVERAGED,
)
