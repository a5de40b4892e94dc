r"""Regret of Exp3, Exp3-IX and Tsallis-INF against an adversary who has fixed all losses before.

The losses are :math:`\ell_t(a) \in [0, 1]` of K arms; :math:`p_t` are the probabilities with which a policy draws the arm
:math:`A_t`. Expectations are over these draws. All bounds hold after every number t of rounds.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.algorithms.bandits import Policy, exp3, exp3_ix, play_losses, tsallis_inf
from rltheory.arrays import Array, Times, positive
from rltheory.instances import bernoulli_losses, drifting_losses, overtaking_losses
from rltheory.problems import LossTable
from rltheory.simulation import stream
from rltheory.theory import BY_CONSTRUCTION, InExpectation, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

POINTS = 30  # recorded times
TOGETHER = 32  # replicates of which a run is the mean
PER_ROUND = 1e-10  # what rounding may do to an expected loss: Newton's method stops at 1e-11


@dataclass(frozen=True, eq=False)
class Adversary:
    """A table of losses.

    Parameters
    ----------
    table
        The losses.
    """

    table: LossTable

    def __str__(self) -> str:
        return str(self.table)

    @property
    def times(self) -> Times:
        """Recorded times."""
        return record_times(self.table.rounds, points=POINTS)

    @property
    def lowest(self) -> Array:
        """Least possible regret at each recorded time: the best arm of each round, against the best of all."""
        return self._totals(self.table.losses.min(axis=1)) - self.best

    @property
    def highest(self) -> Array:
        """Largest possible regret at each recorded time; above the least also where all arms cost the same."""
        return self._totals(self.table.losses.max(axis=1)) - self.best + self.rounding

    @property
    def best(self) -> Array:
        """Loss of the best arm at each recorded time."""
        least: Array = self.table.cumulative[self.times].min(axis=1)
        return least

    def _totals(self, losses: Array) -> Array:
        totals: Array = np.append(0.0, losses.cumsum())[self.times]
        return totals

    @property
    def rounding(self) -> float:
        """Absolute allowance for a regret."""
        return PER_ROUND * self.table.rounds


@dataclass(frozen=True, eq=False)
class Rated(Adversary):
    """A table of losses, and a rate.

    Parameters
    ----------
    rate
        The rate, > 0.
    """

    rate: float

    def __post_init__(self) -> None:
        positive(self.rate, "rate")

    def __str__(self) -> str:
        return f"{self.table}, eta = {self.rate:.4g}"


@dataclass(frozen=True, eq=False)
class Risked(Rated):
    """A table of losses, a rate, and a probability to fail.

    Parameters
    ----------
    delta
        Probability in (0, 1).
    """

    delta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.delta < 1:
            raise ValueError(f"delta is {self.delta}; it must lie in (0, 1)")

    def __str__(self) -> str:
        return f"{self.table}, eta = {self.rate:.4g}, delta = {self.delta:g}"

    @property
    def log_events(self) -> float:
        r"""Logarithm :math:`\lambda` of the inverse probability of each of K + 1 events, of which none is to happen."""
        return math.log((self.table.arms + 1) / self.delta)


def _play(s: Adversary, policy: Policy, rng: np.random.Generator, replicates: int = TOGETHER) -> Trace:
    return play_losses(s.table, policy, rng=rng, replicates=replicates, points=POINTS)


def play_exp3(s: Rated, rng: np.random.Generator) -> Trace:
    """Exp3 with the rate of the setting."""
    return _play(s, exp3(s.rate), rng)


def play_exp3_anytime(s: Adversary, rng: np.random.Generator) -> Trace:
    """Exp3 with decreasing rates."""
    return _play(s, exp3(anytime=True), rng)


def play_exp3_ix(s: Risked, rng: np.random.Generator) -> Trace:
    """Exp3-IX, one replicate."""
    return _play(s, exp3_ix(s.rate), rng, replicates=1)


def play_tsallis_inf(s: Rated, rng: np.random.Generator) -> Trace:
    """Tsallis-INF with the rate of the setting."""
    return _play(s, tsallis_inf(s.rate), rng)


def play_tsallis_inf_anytime(s: Adversary, rng: np.random.Generator) -> Trace:
    """Tsallis-INF with decreasing rates."""
    return _play(s, tsallis_inf(), rng)


# Wrong runs, to be told from right ones.

Run = Callable[[Any, np.random.Generator], Trace]


def taking_losses_for_rewards(run: Run) -> Run:
    """Learn from 1 less each loss, but suffer the losses."""

    def play_reversed(s: Adversary, rng: np.random.Generator) -> Trace:
        trace = run(replace(s, table=LossTable(1.0 - s.table.losses)), rng)
        # What was drawn costs t less its reversed losses, of which the regret is against t less those of the worst arm.
        spread = (s.table.cumulative[s.times].max(axis=1) - s.best)[:, None]
        return replace(trace, values={name: (dims, spread - values) for name, (dims, values) in trace.values.items()})

    return play_reversed


def hardly_learning(run: Run) -> Run:
    """Run with a hundredth of the rate."""
    return lambda s, rng: run(replace(s, rate=s.rate / 100), rng)


def tables() -> Iterator[LossTable]:
    """Gaps, a change of the best arm, phases, and a narrow gap among many arms; short, so that few runs decide."""
    yield LossTable(np.tile([0.0, 1.0], (100, 1)), "one good arm, 100 rounds, 2 arms")
    yield bernoulli_losses(stream(0, "losses", "gap"), [0.1, 0.6, 0.6], 200)
    yield bernoulli_losses(stream(0, "losses", "change"), [[0.1, 0.9, 0.5], [0.9, 0.1, 0.5]], 200, changes=[80])
    yield overtaking_losses(100, 3)
    yield drifting_losses(stream(0, "losses", "phases"), 200, 3, 0.3)
    yield bernoulli_losses(stream(0, "losses", "many arms"), [0.3] + 9 * [0.5], 200)


def grid() -> Iterator[Adversary]:
    """The tables."""
    for table in tables():
        yield Adversary(table)


def exp3_grid() -> Iterator[Rated]:
    """The best rates for the tables, and others."""
    for i, table in enumerate(tables()):
        best = math.sqrt(2 * math.log(table.arms) / (table.arms * table.rounds))
        yield Rated(table, best * (1.0, 2.0, 0.5)[i % 3])


def tsallis_grid() -> Iterator[Rated]:
    """The best rates for the tables, and others."""
    for i, table in enumerate(tables()):
        root = math.sqrt(table.arms)
        best = math.sqrt(8 * (root - 1) / (root * table.rounds))
        yield Rated(table, best * (1.0, 2.0, 0.5)[i % 3])


def risked_grid() -> Iterator[Risked]:
    """Longer tables, with the best rates, and larger ones with which fewer rounds tell."""
    for delta, factor in ((0.05, 1.0), (0.2, 2.0)):
        for table in (
            LossTable(np.tile([0.0, 1.0], (1000, 1)), "one good arm, 1000 rounds, 2 arms"),
            bernoulli_losses(stream(0, "losses", "long"), [0.1, 0.9, 0.9], 2000),
            overtaking_losses(2000, 3),
        ):
            k = table.arms
            best = math.sqrt(math.log(k * (k + 1) / delta) / (table.rounds * k))
            yield Risked(table, factor * best, delta)


def _any_table(*, max_rounds: int) -> "SearchStrategy[LossTable]":
    from hypothesis import strategies as st

    rounds, arms, gap = st.integers(10, max_rounds), st.integers(2, 5), st.floats(0.05, 1.0)
    rng = st.integers(0, 2**32).map(lambda seed: stream(seed, "losses"))
    means = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=5)
    return st.one_of(
        st.builds(overtaking_losses, rounds, arms),
        st.builds(drifting_losses, rng, rounds, arms, gap),
        st.builds(bernoulli_losses, rng, means, rounds),
        st.builds(lambda losses, n: LossTable(np.tile(losses, (n, 1))), means, rounds),
    )


def any_adversary() -> "SearchStrategy[Adversary]":
    """Tables with fixed means, with phases, and with an arm that overtakes another."""
    from hypothesis import strategies as st

    return st.builds(Adversary, _any_table(max_rounds=100))


def any_rated() -> "SearchStrategy[Rated]":
    """The same tables, with rates of every size."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    return st.builds(Rated, _any_table(max_rounds=100), log_uniform(0.01, 2))


def any_risked() -> "SearchStrategy[Risked]":
    """Longer tables, with rates and probabilities of every size that few runs can tell."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    return st.builds(Risked, _any_table(max_rounds=500), log_uniform(0.01, 2), log_uniform(0.05, 0.5))


def mean_regret(s: Adversary, trace: Trace) -> Array:
    """Mean over the replicates of the run, each with the expected losses of its rounds."""
    mean: Array = trace["expected_regret"].mean(axis=1)
    return mean


def sums_of_inverse_roots(times: Times) -> Array:
    """Sum of 1 / sqrt(s) over s <= t, for each t."""
    sums: Array = np.append(0.0, np.cumsum(1 / np.sqrt(np.arange(1, times[-1] + 1))))[times]
    return sums


def exp3_anytime_bound(s: Adversary, trace: Trace) -> Array:
    """Penalty of the last rate, and what all rates add."""
    k, t = s.table.arms, trace.times
    bound: Array = math.sqrt(k * math.log(k)) * (np.sqrt(t) + sums_of_inverse_roots(t) / 2)
    return bound


def tsallis_anytime_bound(s: Adversary, trace: Trace) -> Array:
    """Penalty of the last rate, and what all rates add."""
    root, t = math.sqrt(s.table.arms), trace.times
    bound: Array = 2 * (root - 1) * np.sqrt(t) + root * sums_of_inverse_roots(t)
    return bound


LOSSES: dict[str, Callable[[Any], bool | str] | str] = {
    "losses in $[0, 1]$ that do not depend on the draws": BY_CONSTRUCTION,
}
SYMBOLS = "$R_t = \\sum_{s \\le t} \\ell_s(A_s) - \\min_a \\sum_{s \\le t} \\ell_s(a)$: the regret after t rounds; K: the number of arms"
ETA = "; $\\eta$: the rate"
IN_EXPECTATION = InExpectation(rounding=lambda s: s.rounding, low=lambda s: s.lowest, high=lambda s: s.highest)
AVERAGED = "The measured curve is the mean over 32 replicates, each with $\\langle p_s, \\ell_s \\rangle$ in place of $\\ell_s(A_s)$."

EXP3 = Theorem(
    name="exp3/expected",
    title="Exp3 with a fixed rate",
    paper=Paper("auer2002nonstochastic", "the regret of Exp3, here for losses and without extra exploration"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \frac{\log K}{\eta} + \frac{\eta K t}{2}",
    symbols=SYMBOLS + ETA,
    kind=IN_EXPECTATION,
    hypotheses=LOSSES,
    run=play_exp3,
    measured=mean_regret,
    bound=lambda s, trace: math.log(s.table.arms) / s.rate + s.rate * s.table.arms * trace.times / 2,
    trivial=lambda s: float(s.table.rounds),
    settings=exp3_grid,
    strategy=any_rated,
    controls={
        "losses taken for rewards": taking_losses_for_rewards(play_exp3),
        "a hundredth of the rate": hardly_learning(play_exp3),
    },
    remark="With $\\eta = \\sqrt{2 \\log K / (n K)}$ it is $\\sqrt{2 n K \\log K}$ after n rounds. " + AVERAGED,
)

EXP3_ANYTIME = Theorem(
    name="exp3/anytime",
    title="Exp3 with rates that decrease, for all times at once",
    paper=Paper("auer2002nonstochastic", "the regret of Exp3, with rates of every time"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \sqrt{K \log K} \Bigl(\sqrt t + \frac12 \sum_{s \le t} \frac{1}{\sqrt s}\Bigr) "
    r"\le 2 \sqrt{t K \log K}",
    symbols=SYMBOLS + "; the rate of round t is $\\sqrt{\\log K / (t K)}$",
    kind=IN_EXPECTATION,
    hypotheses=LOSSES,
    run=play_exp3_anytime,
    measured=mean_regret,
    bound=exp3_anytime_bound,
    trivial=lambda s: float(s.table.rounds),
    settings=grid,
    strategy=any_adversary,
    controls={"losses taken for rewards": taking_losses_for_rewards(play_exp3_anytime)},
    remark="The measured bound is the one in the middle. " + AVERAGED,
)

EXP3_IX = Theorem(
    name="exp3-ix/regret",
    title="Exp3-IX keeps its bound with high probability, at all times at once",
    paper=Paper("neu2015", "Theorem 1; constants and uniformity in time derived here"),
    standing=Standing.DERIVED,
    statement=r"R_t \le \frac{\log K + \lambda}{\eta} + \eta K t + \lambda, \qquad \lambda = \log \frac{K + 1}{\delta}",
    symbols=SYMBOLS + "; $\\eta$: the rate; $\\eta / 2$: the implicit exploration",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: s.delta),
    hypotheses=LOSSES,
    run=play_exp3_ix,
    measured=lambda s, trace: trace["regret"][:, 0],
    bound=lambda s, trace: (
        (math.log(s.table.arms) + s.log_events) / s.rate + s.rate * s.table.arms * trace.times + s.log_events
    ),
    trivial=lambda s: float(s.table.rounds),
    settings=risked_grid,
    strategy=any_risked,
    controls={
        "losses taken for rewards": taking_losses_for_rewards(play_exp3_ix),
        "a hundredth of the rate": hardly_learning(play_exp3_ix),
    },
    remark="With $\\eta = \\sqrt{(\\log K + \\lambda) / (n K)}$ it is $2 \\sqrt{n K (\\log K + \\lambda)} + \\lambda$ after n "
    "rounds.",
)

TSALLIS_INF = Theorem(
    name="tsallis-inf/expected",
    title="Tsallis-INF with a fixed rate does without the logarithm of the number of arms",
    paper=Paper("zimmert2021", "Theorem 1, for a fixed rate"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \frac{4 (\sqrt K - 1)}{\eta} + \frac{\eta \sqrt K\, t}{2}",
    symbols=SYMBOLS + ETA,
    kind=IN_EXPECTATION,
    hypotheses=LOSSES,
    run=play_tsallis_inf,
    measured=mean_regret,
    bound=lambda s, trace: (
        4 * (math.sqrt(s.table.arms) - 1) / s.rate + s.rate * math.sqrt(s.table.arms) * trace.times / 2
    ),
    trivial=lambda s: float(s.table.rounds),
    settings=tsallis_grid,
    strategy=any_rated,
    controls={
        "losses taken for rewards": taking_losses_for_rewards(play_tsallis_inf),
        "a hundredth of the rate": hardly_learning(play_tsallis_inf),
    },
    remark="With $\\eta = \\sqrt{8 (1 - 1 / \\sqrt K) / n}$ it is below $\\sqrt{8 n K}$ after n rounds. " + AVERAGED,
)

TSALLIS_INF_ANYTIME = Theorem(
    name="tsallis-inf/anytime",
    title="Tsallis-INF as it is, for all times at once",
    paper=Paper("zimmert2021", "Theorem 1, adversarial losses"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le 2 (\sqrt K - 1) \sqrt t + \sqrt K \sum_{s \le t} \frac{1}{\sqrt s} \le 4 \sqrt{K t}",
    symbols=SYMBOLS + "; the rate of round t is $2 / \\sqrt t$",
    kind=IN_EXPECTATION,
    hypotheses=LOSSES,
    run=play_tsallis_inf_anytime,
    measured=mean_regret,
    bound=tsallis_anytime_bound,
    trivial=lambda s: float(s.table.rounds),
    settings=grid,
    strategy=any_adversary,
    controls={"losses taken for rewards": taking_losses_for_rewards(play_tsallis_inf_anytime)},
    remark="The measured bound is the one in the middle. " + AVERAGED,
)
