"""What theorems on stochastic bandits share: the setting, its means over blocks of replicates, and wrong runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.bandits import Policy, play_bandit
from rltheory.arrays import Array, Times, Vector, count
from rltheory.problems import Bandit
from rltheory.theory import BY_CONSTRUCTION, InExpectation
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

POINTS = 25  # recorded times
TOGETHER = 8  # replicates of which a run is the mean
PER_ROUND = 1e-12  # what rounding may do to a mean regret, which is counts times gaps

Run: TypeAlias = Callable[[Any, np.random.Generator], Trace]


@dataclass(frozen=True, eq=False, kw_only=True)
class StochasticBandit:
    """Arms of one family of laws, and how long to play.

    Parameters
    ----------
    means
        Mean rewards of the K arms.
    horizon
        Rounds n >= K.
    law
        ``"bernoulli"``, or ``"gaussian"`` with standard deviation 1.
    """

    means: tuple[float, ...]
    horizon: int
    law: str = "bernoulli"

    def __post_init__(self) -> None:
        if count(self.horizon, "horizon") < self.bandit.arms:
            raise ValueError(f"horizon is {self.horizon}; it must be at least the number of arms, {self.bandit.arms}")

    def __str__(self) -> str:
        return f"{self.law} {', '.join(f'{mean:.4g}' for mean in self.means)}, horizon {self.horizon}"

    @cached_property
    def bandit(self) -> Bandit:
        """The bandit."""
        makers = {"bernoulli": Bandit.bernoulli, "gaussian": Bandit.gaussian}
        if self.law not in makers:
            raise ValueError(f"law is {self.law!r}; it must be one of {', '.join(makers)}")
        return makers[self.law](self.means)

    @property
    def times(self) -> Times:
        """Recorded times."""
        return record_times(self.horizon, points=POINTS)

    @property
    def best_mean(self) -> float:
        """Largest mean."""
        return max(self.means)

    @property
    def positive_gaps(self) -> Vector:
        """Gaps of the arms that are not best."""
        gaps: Vector = self.bandit.gaps[self.bandit.gaps > 0]
        return gaps

    @property
    def watched_gap(self) -> float:
        """Gap of the last arm, whose pulls are counted."""
        return float(self.bandit.gaps[-1])

    @property
    def highest_regret(self) -> Array:
        """Largest possible regret at each recorded time; above the least even where all arms are alike."""
        highest: Array = self.times * self.bandit.gaps.max() + self.rounding
        return highest

    @property
    def rounding(self) -> float:
        """Absolute allowance for a mean of regrets or of pulls."""
        return PER_ROUND * self.horizon


B = TypeVar("B", bound=StochasticBandit)


def play(s: StochasticBandit, policy: Policy, rng: np.random.Generator) -> Trace:
    """Play a policy on the bandit of the setting, many times."""
    return play_bandit(s.bandit, policy, horizon=s.horizon, rng=rng, replicates=TOGETHER, points=POINTS)


def preferring_worse_arms(run: Run) -> Run:
    """Play with means mirrored, so that the worst arm seems the best, but suffer the true gaps."""

    def play_mirrored(s: StochasticBandit, rng: np.random.Generator) -> Trace:
        low, high = min(s.means), max(s.means)
        trace = run(replace(s, means=tuple(low + high - mean for mean in s.means)), rng)
        return replace(
            trace, values={**trace.values, "regret": (("time", "replicate"), trace["pulls"] @ s.bandit.gaps)}
        )

    return play_mirrored


def mean_regret(s: StochasticBandit, trace: Trace) -> Array:
    """Mean over the replicates of the run."""
    mean: Array = trace["regret"].mean(axis=1)
    return mean


def mean_pulls(s: StochasticBandit, trace: Trace) -> Array:
    """Mean over the replicates of the run of how often the last arm was pulled."""
    mean: Array = trace["pulls"][:, :, -1].mean(axis=1)
    return mean


def bernoulli_kl(p: ArrayLike, q: ArrayLike) -> Array:
    """Divergence of Bernoulli laws with these means."""
    from scipy.special import rel_entr

    p, q = np.asarray(p), np.asarray(q)
    divergence: Array = rel_entr(p, q) + rel_entr(1 - p, 1 - q)
    return divergence


def regret_of_pulls(s: StochasticBandit, pulls: Callable[[float, Times], Array], times: Times) -> Array:
    """Sum over the arms that are not best of the gap times a bound on the pulls by gap and times."""
    total = np.zeros(times.size)
    for gap in s.positive_gaps:
        total += gap * pulls(float(gap), times)
    return total


def drawn_bandits(
    setting: type[B], low: float, high: float, *, horizons: tuple[int, int] = (50, 400), **others: "SearchStrategy[Any]"
) -> "SearchStrategy[B]":
    """Settings of a class: two to four arms with means in a range, the last not best; and what else the class takes."""
    from hypothesis import strategies as st

    # In thousandths, as the square of a gap must not underflow.
    thousandths = st.integers(round(1000 * low), round(1000 * high)).map(lambda k: k / 1000)
    means = st.lists(thousandths, min_size=2, max_size=4).map(tuple)
    return st.builds(setting, means=means, horizon=st.integers(*horizons), **others).filter(lambda s: s.watched_gap > 0)


def bounded_grid() -> Iterator[StochasticBandit]:
    """Bernoulli arms: wide and narrow gaps, several best arms, means near the ends."""
    yield StochasticBandit(means=(0.9, 0.4), horizon=1000)
    yield StochasticBandit(means=(0.2, 0.8, 0.5), horizon=1500)
    yield StochasticBandit(means=(0.6, 0.5), horizon=2000)
    yield StochasticBandit(means=(0.1, 0.7, 0.7, 0.05), horizon=1000)
    yield StochasticBandit(means=(0.95, *4 * (0.05,)), horizon=2000)


def gaussian_grid() -> Iterator[StochasticBandit]:
    """Gaussian arms: wide and narrow gaps, several best arms."""
    yield StochasticBandit(means=(1.0, 0.0), horizon=500, law="gaussian")
    yield StochasticBandit(means=(0.0, 3.0, 2.0), horizon=500, law="gaussian")
    yield StochasticBandit(means=(0.2, 0.0), horizon=1000, law="gaussian")
    yield StochasticBandit(means=(0.0, 2.0, 2.0, -1.0), horizon=500, law="gaussian")


def any_bounded() -> "SearchStrategy[StochasticBandit]":
    """Bernoulli arms, anywhere."""
    return drawn_bandits(StochasticBandit, 0.0, 1.0)


def any_gaussian() -> "SearchStrategy[StochasticBandit]":
    """Gaussian arms with gaps up to 3."""
    from hypothesis import strategies as st

    return drawn_bandits(StochasticBandit, 0.01, 3.0, law=st.just("gaussian"))


SYMBOLS = "$N_a(t)$: how often arm a is pulled in t rounds; $\\Delta_a$: its gap; K: the number of arms"
REGRET = "$R_t = \\sum_a \\Delta_a N_a(t)$: the pseudo-regret; " + SYMBOLS
BOUNDED: dict[str, Callable[[Any], bool | str] | str] = {
    "independent rewards in $[0, 1]$, of one law for each arm": lambda s: s.law == "bernoulli",
}
SUBGAUSSIAN: dict[str, Callable[[Any], bool | str] | str] = {
    "independent rewards, 1-subgaussian about the mean of their arm": BY_CONSTRUCTION,
}
WORSE: dict[str, Callable[[Any], bool | str] | str] = {
    "$\\Delta_a > 0$": lambda s: s.watched_gap > 0,
}
PULLS = InExpectation(rounding=lambda s: s.rounding, low=lambda s: 0.0, high=lambda s: s.times + s.rounding)
REGRETS = InExpectation(rounding=lambda s: s.rounding, low=lambda s: 0.0, high=lambda s: s.highest_regret)
AVERAGED = "The measured curve is the mean over 8 replicates."
WATCHED = AVERAGED + " The arm a is the last one."
