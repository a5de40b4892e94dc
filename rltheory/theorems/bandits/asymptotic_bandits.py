r"""The logarithm of time: no policy that is good on all bandits has less regret, and some reach it with its constant.

With :math:`c(\mu) = \sum_{a: \Delta_a > 0} \Delta_a / \mathrm{kl}(\mu_a, \mu_\star)` the regret of such a policy is
:math:`c(\mu) \log t` in the limit at least. How soon the limit is near is not stated: only rates are judged here.
"""

from collections.abc import Iterator

import numpy as np

from rltheory.algorithms.bandits import Policy, explore_then_commit, imed, kl_ucb, play_bandit, thompson
from rltheory.arrays import Array
from rltheory.theorems.bandits.stochastic_bandit import (
    REGRET,
    SYMBOLS,
    WORSE,
    StochasticBandit,
    bernoulli_kl,
    mean_pulls,
    mean_regret,
    preferring_worse_arms,
)
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Paper, PowerLaw, PowerLog, Standing, Theorem
from rltheory.trace import Trace

REPLICATES = 128
POINTS = 50
EXPLORED = 60  # pulls of each arm by the policy that is not good on all bandits


def _play_long(s: StochasticBandit, policy: Policy, rng: np.random.Generator) -> Trace:
    return play_bandit(s.bandit, policy, horizon=s.horizon, rng=rng, replicates=REPLICATES, points=POINTS)


def play_thompson(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """Thompson sampling with a uniform prior."""
    return _play_long(s, thompson(), rng)


def play_imed(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """IMED."""
    return _play_long(s, imed(), rng)


def play_kl_ucb(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """KL-UCB."""
    return _play_long(s, kl_ucb(), rng)


# A wrong run, to be told from right ones.


def play_committing(s: StochasticBandit, rng: np.random.Generator) -> Trace:
    """Explore so often that these gaps are told, and commit; where gaps are small the regret grows linearly."""
    return _play_long(s, explore_then_commit(EXPLORED), rng)


def grid() -> Iterator[StochasticBandit]:
    """Gaps that are told early."""
    for means in ((0.9, 0.3), (0.9, 0.1)):
        yield StochasticBandit(means=means, horizon=10_000)


def logarithms(trace: Trace) -> Array:
    """Logarithms of the times, of which 0 counts as 1."""
    values: Array = np.log(np.maximum(trace.times, 1))
    return values


def untold(s: StochasticBandit, trace: Trace) -> Array:
    """Exponential of less the information that the last arm has given against being the best."""
    left: Array = np.exp(-mean_pulls(s, trace) * bernoulli_kl(s.means[-1], s.best_mean))
    return left


COINS = {"Bernoulli arms, with the best mean below 1": lambda s: s.law == "bernoulli" and s.best_mean < 1}
MANY = f"The measured curve is the mean over {REPLICATES} replicates"

THOMPSON = Theorem(
    name="thompson/logarithmic",
    title="The regret of Thompson sampling grows like the logarithm of time",
    paper=Paper("agrawal2013", "Theorem 1"),
    standing=Standing.RECALLED,
    statement=r"\mathbb{E}\, R_t \le (1 + \epsilon) \sum_{a: \Delta_a > 0} \frac{\Delta_a \log t}{\mathrm{kl}(\mu_a, \mu_\star)} "
    r"+ O(K / \epsilon^2)",
    symbols=REGRET,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=COINS,
    run=play_thompson,
    measured=mean_regret,
    bound=lambda s, trace: s.bandit.lai_robbins_constant * logarithms(trace),
    since=2,
    settings=grid,
    controls={"worse arms preferred": preferring_worse_arms(play_thompson)},
    rate=PowerLog(lambda s: 0.0, log_power=1),
    remark=MANY + ", beside the leading term.",
)

IMED = Theorem(
    name="imed/logarithmic",
    title="The regret of IMED grows like the logarithm of time",
    paper=Paper("honda2015", "the regret of IMED"),
    standing=Standing.RECALLED,
    statement=r"\mathbb{E}\, R_t \le \sum_{a: \Delta_a > 0} \frac{\Delta_a \log t}{\mathrm{kl}(\mu_a, \mu_\star)} + O(1)",
    symbols=REGRET,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=COINS,
    run=play_imed,
    measured=mean_regret,
    bound=lambda s, trace: s.bandit.lai_robbins_constant * logarithms(trace),
    since=2,
    settings=grid,
    controls={"worse arms preferred": preferring_worse_arms(play_imed)},
    rate=PowerLog(lambda s: 0.0, log_power=1),
    remark=MANY + ", beside the leading term.",
)

LAI_ROBBINS = Theorem(
    name="lower-bound/lai-robbins",
    title="A policy that is good on all bandits has to pull every arm some multiple of the logarithm of time",
    paper=Paper("lai1985", "Theorem 2"),
    standing=Standing.RECALLED,
    statement=r"\liminf_t \frac{\mathbb{E} N_a(t)\, \mathrm{kl}(\mu_a, \mu_\star)}{\log t} \ge 1, \quad\text{so}\quad "
    r"e^{-\mathbb{E} N_a(t)\, \mathrm{kl}(\mu_a, \mu_\star)} \le t^{-1 + o(1)}",
    symbols=SYMBOLS + "; $\\mu_a$: its mean; $\\mu_\\star$: the largest mean; kl: the divergence of Bernoulli laws",
    kind=EveryStep(rounding=lambda s: 0.0),
    hypotheses=COINS | WORSE | {"on every bandit the regret is less than any power of t": BY_CONSTRUCTION},
    run=play_kl_ucb,
    measured=untold,
    bound=lambda s, trace: 1 / np.maximum(trace.times, 1),
    settings=grid,
    controls={"a commitment after 60 pulls of each arm": play_committing},
    rate=PowerLaw(lambda s: -1.0),
    remark="What is measured is the exponential, for KL-UCB and the last arm. A policy may stay below the limit for long: "
    "what holds after every round is `lower-bound/data-processing`. " + MANY + ".",
)
