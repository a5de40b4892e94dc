r"""What no policy can do: telling two bandits apart takes pulls of the arms in which they differ.

Two bandits with Bernoulli arms of means :math:`\mu` and :math:`\mu'` are played by one policy. All histories of rewards
are played, so that probabilities and expectations are sums: :math:`\mathbb P_t`, :math:`\mathbb E` under the first
bandit, with a prime under the second, of what has been seen in t rounds. The information of t rounds is

.. math:: D_t = \sum_a \mathbb E N_a(t)\, \mathrm{kl}(\mu_a, \mu'_a).

The minimax bound speaks of Gaussian arms, and of means over runs.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.algorithms.bandits import follow_the_leader, named_policy, play_bandit, play_binary_histories
from rltheory.arrays import Array, Matrix, Times, Vector, count
from rltheory.problems import Bandit
from rltheory.theorems.bandits.stochastic_bandit import POINTS, TOGETHER, bernoulli_kl
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Identity, InExpectation, Paper, Standing, Theorem
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

POLICIES = ("ucb1", "ucb1:0.2", "kl-ucb", "imed", "moss", "thompson", "follow-the-leader", "exp3", "epsilon-greedy:0.3")


@dataclass(frozen=True, eq=False)
class TwoBandits:
    """A policy, two bandits with Bernoulli arms, and how many rounds are played in all possible ways.

    Parameters
    ----------
    policy
        Name of the policy, as :func:`~rltheory.algorithms.bandits.named_policy` takes it.
    means, alternative
        Means in (0, 1) of the K arms of the two bandits.
    rounds
        Rounds n, from K to 20.
    """

    policy: str
    means: tuple[float, ...]
    alternative: tuple[float, ...]
    rounds: int

    def __post_init__(self) -> None:
        named_policy(self.policy)
        if len(self.means) != len(self.alternative):
            raise ValueError(f"alternative has {len(self.alternative)} means; expected {len(self.means)}")
        for name in ("means", "alternative"):
            for arm, mean in enumerate(getattr(self, name)):
                if not 0 < mean < 1:
                    raise ValueError(f"{name}[{arm}] is {mean}; it must lie in (0, 1)")

    def __str__(self) -> str:
        first, second = (", ".join(f"{mean:.4g}" for mean in means) for means in (self.means, self.alternative))
        return f"{self.policy}, bernoulli {first} or {second}, {self.rounds} rounds"

    @property
    def divergences(self) -> Vector:
        """Divergence of the law of each arm in the first bandit from that in the second."""
        return bernoulli_kl(self.means, self.alternative)

    @property
    def shared_gap(self) -> float:
        """The least d such that a round costs d in one of the bandits at least, whatever is pulled."""
        costs = [max(means) - np.array(means) for means in (self.means, self.alternative)]
        return float(np.max(costs, axis=0).min())

    @property
    def rounding(self) -> float:
        """Allowance for sums over all histories of numbers as large as the logarithm of a likelihood."""
        extreme = min(min(mean, 1 - mean) for mean in (*self.means, *self.alternative))
        return 1e-12 * self.rounds * (1 - math.log(extreme))


@dataclass(frozen=True, eq=False)
class HiddenArm:
    """A policy, and Gaussian arms of which the first is better by a gap, and one of the others perhaps by two.

    Parameters
    ----------
    policy
        Name of the policy.
    arms
        K >= 2.
    gap
        The gap, > 0.
    horizon
        Rounds n >= K.
    """

    policy: str
    arms: int
    gap: float
    horizon: int

    def __post_init__(self) -> None:
        named_policy(self.policy)
        if count(self.horizon, "horizon") < count(self.arms, "arms", at_least=2):
            raise ValueError(f"horizon is {self.horizon}; it must be at least the number of arms, {self.arms}")
        if not 0 < self.gap < math.inf:
            raise ValueError(f"gap is {self.gap}; it must be finite and > 0")

    def __str__(self) -> str:
        return f"{self.policy}, {self.arms} arms, gap {self.gap:.4g}, horizon {self.horizon}"

    @cached_property
    def bandits(self) -> list[Bandit]:
        """The bandit without a hidden arm, and those with one."""
        plain = np.append(self.gap, np.zeros(self.arms - 1))
        hidden = [np.where(np.arange(self.arms) == arm, 2 * self.gap, plain) for arm in range(1, self.arms)]
        return [Bandit.gaussian(means) for means in (plain, *hidden)]

    @property
    def times(self) -> Times:
        """Recorded times."""
        return record_times(self.horizon, points=POINTS)

    @property
    def highest(self) -> Array:
        """Largest sum of the two regrets at each recorded time."""
        highest: Array = 3 * self.gap * self.times.astype(np.float64)
        return highest

    @property
    def rounding(self) -> float:
        """Absolute allowance for a mean regret."""
        return 1e-12 * self.gap * self.horizon


def _weighed(trace: Trace, means: tuple[float, ...], rounds: int) -> Matrix:
    """Probability of each history after each round, shared by all histories that begin so."""
    wins, losses = trace["successes"], trace["pulls"] - trace["successes"]
    chances = np.prod(np.array(means) ** wins * (1 - np.array(means)) ** losses, axis=2)
    weights: Matrix = chances / 2.0 ** (rounds - trace.times[:, None])
    return weights


def play_all(s: TwoBandits, rng: np.random.Generator) -> Trace:
    """Play all histories; keep their probabilities under both bandits, and the pulls."""
    trace = play_binary_histories(named_policy(s.policy), arms=len(s.means), rounds=s.rounds, rng=rng)
    dims = ("time", "history")
    weights, others = (_weighed(trace, means, s.rounds) for means in (s.means, s.alternative))
    values = {"pulls": trace.values["pulls"], "weights": (dims, weights), "other_weights": (dims, others)}
    return Trace(trace.algorithm, trace.times, values, trace.clock)


def play_hidden(s: HiddenArm, rng: np.random.Generator) -> Trace:
    """Play the bandit without a hidden arm, and each with one; add the regret of the first to the mean of the others."""
    return _play_hidden(s, [s.policy] * s.arms, rng)


def _play_hidden(s: HiddenArm, policies: list[str], rng: np.random.Generator) -> Trace:
    regrets = [
        play_bandit(bandit, named_policy(policy), horizon=s.horizon, rng=rng, replicates=TOGETHER, points=POINTS)[
            "regret"
        ].mean(axis=1)
        for bandit, policy in zip(s.bandits, policies, strict=True)
    ]
    return Trace(s.policy, s.times, {"regret": (("time",), regrets[0] + np.mean(regrets[1:], axis=0))}, "round")


# Wrong runs, to be told from right ones.


def play_more_telling(s: TwoBandits, rng: np.random.Generator) -> Trace:
    """Rewards of two bandits that are further apart than those of the setting."""

    def apart(mean: float, other: float) -> float:
        return 0.1 * mean + 0.9 * (0.999 if mean > other else 0.001 if mean < other else mean)

    further = [tuple(map(apart, *pair)) for pair in ((s.means, s.alternative), (s.alternative, s.means))]
    return play_all(replace(s, means=further[0], alternative=further[1]), rng)


def play_knowing(s: HiddenArm, rng: np.random.Generator) -> Trace:
    """In each bandit follow the leader among rewards without noise."""
    regrets = []
    for bandit in s.bandits:
        quiet = Bandit.gaussian(bandit.means, 1e-9)
        trace = play_bandit(quiet, follow_the_leader(), horizon=s.horizon, rng=rng, replicates=1, points=POINTS)
        regrets.append(trace["regret"].mean(axis=1))
    return Trace("knowing", s.times, {"regret": (("time",), regrets[0] + np.mean(regrets[1:], axis=0))}, "round")


def two_bandits_grid() -> Iterator[TwoBandits]:
    """Bandits that are near and far, that differ in one arm and in several, and policies of all kinds."""
    yield TwoBandits("ucb1:0.2", (0.6, 0.4), (0.6, 0.8), 12)
    yield TwoBandits("kl-ucb", (0.5, 0.45), (0.5, 0.55), 12)
    yield TwoBandits("thompson", (0.7, 0.3), (0.7, 0.9), 12)
    yield TwoBandits("moss", (0.8, 0.3, 0.5), (0.8, 0.3, 0.9), 11)
    yield TwoBandits("imed", (0.5, 0.2), (0.3, 0.6), 10)
    yield TwoBandits("exp3", (0.9, 0.5, 0.1), (0.1, 0.5, 0.9), 8)
    yield TwoBandits("follow-the-leader", (0.6, 0.5), (0.6, 0.65), 12)


def hidden_grid() -> Iterator[HiddenArm]:
    """The gap that is best for the horizon, and others."""
    yield HiddenArm("ucb1:8", 2, math.sqrt(1 / 4000), 1000)
    yield HiddenArm("ucb1:0.5", 4, math.sqrt(3 / 2000), 500)
    yield HiddenArm("thompson-gaussian", 3, 0.1, 500)
    yield HiddenArm("explore-then-commit:20", 2, 0.05, 500)


def any_two_bandits() -> "SearchStrategy[TwoBandits]":
    """Two or three coins, and policies of all kinds."""
    from hypothesis import strategies as st

    def of(arms: int) -> "SearchStrategy[TwoBandits]":
        means = st.tuples(*[st.floats(0.02, 0.98)] * arms)
        return st.builds(TwoBandits, st.sampled_from(POLICIES), means, means, st.integers(arms, 8))

    return st.integers(2, 3).flatmap(of)


def any_hidden() -> "SearchStrategy[HiddenArm]":
    """Gaussian arms, gaps of every size, and policies that take any rewards."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    policies = st.sampled_from(["ucb1:8", "ucb1:0.5", "thompson-gaussian", "epsilon-greedy:0.1", "follow-the-leader"])
    return st.builds(HiddenArm, policies, st.integers(2, 4), log_uniform(0.01, 1), st.integers(20, 200))


def information(s: TwoBandits, trace: Trace) -> Array:
    """D at each time."""
    found: Array = (trace["weights"][:, :, None] * trace["pulls"]).sum(axis=1) @ s.divergences
    return found


def mean_log_likelihood_ratio(s: TwoBandits, trace: Trace) -> Array:
    """Mean of log P / P' under the first bandit."""
    from scipy.special import rel_entr

    mean: Array = rel_entr(trace["weights"], trace["other_weights"]).sum(axis=1)
    return mean


def least_error(s: TwoBandits, trace: Trace) -> Array:
    """Least sum of the two probabilities to take one bandit for the other."""
    least: Array = np.minimum(trace["weights"], trace["other_weights"]).sum(axis=1)
    return least


def told_by_pulls(s: TwoBandits, trace: Trace) -> Array:
    """Largest divergence of Bernoulli laws whose means are the shares of an arm's pulls under the two bandits."""
    pulls, rounds = trace["pulls"], np.maximum(trace.times, 1)[:, None]
    shares = [
        np.clip((trace[name][:, :, None] * pulls).sum(axis=1) / rounds, 0.0, 1.0)
        for name in ("weights", "other_weights")
    ]
    # Pulls that are the same in all histories tell nothing; rounding would have it otherwise.
    told: Array = np.where(np.ptp(pulls, axis=1) > 0, bernoulli_kl(*shares), 0.0).max(axis=1)
    return told


def both_regrets(s: TwoBandits, trace: Trace) -> Array:
    """Sum of the mean regrets under the two bandits."""
    pairs = (("weights", s.means), ("other_weights", s.alternative))
    total: Array = sum(
        (trace[name][:, :, None] * trace["pulls"]).sum(axis=1) @ (max(means) - np.array(means)) for name, means in pairs
    )
    return total


SYMBOLS = "$N_a(t)$: how often arm a is pulled in t rounds; $D_t = \\sum_a \\mathbb{E} N_a(t)\\, \\mathrm{kl}(\\mu_a, \\mu'_a)$: "
SYMBOLS += "the information of t rounds; $\\mathbb{P}, \\mathbb{E}$ under the means $\\mu$, with a prime under $\\mu'$"
COINS: dict[str, Callable[[Any], bool | str] | str] = {
    "Bernoulli arms with means in (0, 1)": BY_CONSTRUCTION,
    "one policy, which does not know the bandit": BY_CONSTRUCTION,
}
EVERY_STEP = EveryStep(rounding=lambda s: s.rounding)
MORE_TELLING = {"rewards that tell more": play_more_telling}
ALL = "All sequences of rewards are played; a policy that draws numbers draws the same ones in each."

DECOMPOSITION = Theorem(
    name="lower-bound/divergence-decomposition",
    title="A pull of an arm tells as much as its laws diverge, whatever the policy",
    paper=Paper("lattimore2020", "Lemma 15.1"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E} \log \frac{\mathbb{P}_t}{\mathbb{P}'_t} = D_t",
    symbols=SYMBOLS + "; $\\mathbb{P}_t$: the probability of what has been seen in t rounds",
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses=COINS,
    run=play_all,
    measured=mean_log_likelihood_ratio,
    bound=information,
    settings=two_bandits_grid,
    strategy=any_two_bandits,
    controls=MORE_TELLING,
    remark=ALL,
)

BRETAGNOLLE_HUBER = Theorem(
    name="lower-bound/bretagnolle-huber",
    title="With little information, every test errs",
    paper=Paper("lattimore2020", "Theorem 14.2, with the divergence of Lemma 15.1"),
    standing=Standing.DERIVED,
    statement=r"\frac12 e^{-D_t} \le \min_A \bigl(\mathbb{P}(A) + \mathbb{P}'(A^c)\bigr)",
    symbols=SYMBOLS + "; A: any event of t rounds",
    kind=EVERY_STEP,
    hypotheses=COINS,
    run=play_all,
    measured=lambda s, trace: np.exp(-information(s, trace)) / 2,
    bound=least_error,
    settings=two_bandits_grid,
    strategy=any_two_bandits,
    controls=MORE_TELLING,
    remark="The least sum is that of the smaller of both probabilities over all histories. " + ALL,
)

DATA_PROCESSING = Theorem(
    name="lower-bound/data-processing",
    title="What the pulls of an arm tell is no more than what has been seen",
    paper=Paper("garivier2019", "the fundamental inequality"),
    standing=Standing.DERIVED,
    statement=r"\max_a \mathrm{kl}\Bigl(\frac{\mathbb{E} N_a(t)}{t}, \frac{\mathbb{E}' N_a(t)}{t}\Bigr) \le D_t",
    symbols=SYMBOLS,
    kind=EVERY_STEP,
    hypotheses=COINS,
    run=play_all,
    measured=told_by_pulls,
    bound=information,
    settings=two_bandits_grid,
    strategy=any_two_bandits,
    controls=MORE_TELLING,
    remark="It holds for the mean of any number in $[0, 1]$ that a policy may compute. If the regret is small on both "
    "bandits, one share is near 0 and the other near 1, and the bound of Lai and Robbins follows. " + ALL,
)

TWO_BANDITS = Theorem(
    name="lower-bound/two-bandits",
    title="No policy has a small regret on both of two bandits with different best arms",
    paper=Paper("lattimore2020", "Theorem 15.2, in its proof; for any two bandits"),
    standing=Standing.DERIVED,
    statement=r"\frac{d\, t}{2} e^{-D_t} \le \mathbb{E} R_t + \mathbb{E}' R'_t",
    symbols=SYMBOLS + "; $R_t, R'_t$: the regrets on both bandits; $d = \\min_a \\max(\\Delta_a, \\Delta'_a)$",
    kind=EVERY_STEP,
    hypotheses=COINS,
    run=play_all,
    measured=lambda s, trace: s.shared_gap * trace.times * np.exp(-information(s, trace)) / 2,
    bound=both_regrets,
    settings=two_bandits_grid,
    strategy=any_two_bandits,
    controls=MORE_TELLING,
    remark=ALL,
)

MINIMAX = Theorem(
    name="lower-bound/minimax",
    title="For every policy there is a bandit on which it loses the root of time",
    paper=Paper("lattimore2020", "Theorem 15.2; the mean over the hidden arm and a better constant are derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}_0 R_t + \frac{1}{K - 1} \sum_{a = 2}^K \mathbb{E}_a R_t \ge \frac{\Delta\, t}{2} e^{-2 \Delta^2 t / (K - 1)}",
    symbols="$R_t$: the regret after t rounds; $\\mathbb{E}_0$: Gaussian arms of variance 1, of which the first has the mean "
    "$\\Delta$ and all others have 0; $\\mathbb{E}_a$: as before, but arm a has $2 \\Delta$",
    kind=InExpectation(rounding=lambda s: s.rounding, low=lambda s: 0.0, high=lambda s: s.highest + s.rounding),
    hypotheses={"one policy, which does not know the bandit": BY_CONSTRUCTION},
    run=play_hidden,
    measured=lambda s, trace: s.highest - trace["regret"],
    bound=lambda s, trace: s.highest - s.gap * trace.times / 2 * np.exp(-2 * s.gap**2 * trace.times / (s.arms - 1)),
    settings=hidden_grid,
    strategy=any_hidden,
    controls={"rewards without noise": play_knowing},
    remark="What is measured is by how much both regrets together fall short of their largest value $3 \\Delta t$; the bound "
    "is what the statement leaves of it. With $\\Delta = \\frac12 \\sqrt{(K - 1) / n}$ one of the bandits costs "
    "$\\sqrt{(K - 1) n} / 13.2$ at least after n rounds; the textbook has 27 in place of 13.2. The measured curve is "
    "the mean over 8 replicates.",
)
