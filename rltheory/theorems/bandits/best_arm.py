r"""Finding the best arm: how many pulls confidence intervals take, and how many every method takes.

Arms pay 1 with probability :math:`\mu_a` and else 0. One arm :math:`\star` is the best; :math:`\Delta_a = \mu_\star -
\mu_a` are the gaps, and :math:`\Delta_\star` stands for the least of the others'. A policy stops after :math:`\tau`
pulls, :math:`N_a` of each arm, and recommends one.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.algorithms.best_arm import (
    Identification,
    StoppingPolicy,
    find_best_arm,
    kl_lucb,
    lucb,
    sequential_halving,
    successive_elimination,
    track_and_stop,
)
from rltheory.arrays import Array, Times, Vector, count, float_array, frozen, positive
from rltheory.jit import kernel
from rltheory.problems import Bandit
from rltheory.problems.bandit import Law
from rltheory.problems.divergences import DIVERGENCES
from rltheory.solvers import CharacteristicTime, characteristic_time
from rltheory.theory import BY_CONSTRUCTION, EveryStep, InExpectation, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TOGETHER, FEW_TOGETHER = 32, 8  # replicates of which a run is the mean, of quick policies and of track-and-stop
FEW, MOST = 0.02, 0.4  # least and largest delta of searches
BERNOULLI = DIVERGENCES[Law.BERNOULLI].divergence


@dataclass(frozen=True, eq=False)
class Arms:
    """Bernoulli arms, and a probability to be wrong.

    Parameters
    ----------
    means : array, shape (K,)
        Means in (0, 1), K >= 2.
    delta
        Probability in (0, 1/2).
    """

    means: Vector
    delta: float

    def __post_init__(self) -> None:
        means = float_array(self.means, "means", ndim=1)
        if means.size < 2 or not ((means > 0) & (means < 1)).all():
            raise ValueError(f"means are {means.tolist()}; they must be two at least, all in (0, 1)")
        if not 0 < self.delta < 0.5:
            raise ValueError(f"delta is {self.delta}; it must lie in (0, 1/2)")
        object.__setattr__(self, "means", frozen(means))

    def __str__(self) -> str:
        return f"means {', '.join(f'{mean:g}' for mean in self.means)}, delta = {self.delta:g}"

    @cached_property
    def bandit(self) -> Bandit:
        """The bandit."""
        return Bandit.bernoulli(self.means)

    @property
    def best(self) -> int:
        """The best arm."""
        return self.bandit.best

    @property
    def has_one_best(self) -> bool:
        """Whether one arm is better than all others."""
        return int((self.bandit.gaps == 0).sum()) == 1

    @property
    def gaps(self) -> Vector:
        """Gaps, that of the best arm being the least of the others'."""
        gaps = self.bandit.gaps.copy()
        gaps[self.best] = np.partition(gaps, 1)[1]
        return gaps

    @property
    def middle(self) -> float:
        """Mean of the two largest means."""
        return float(self.means.max() - self.gaps.min() / 2)

    def rounds_within(self, information: float) -> int:
        r"""Count the numbers n >= 1 of pulls with :math:`n I \le \beta(n)`, for an information :math:`I > 0`."""
        most, constant = 64, math.pi**2 * self.means.size / (3 * self.delta)
        # From 2 / I on n I grows faster than the logarithm.
        while most < 2 / information or most * information <= math.log(constant * most**2):
            most *= 2
        n = np.arange(1, most + 1)
        return int((n * information <= np.log(constant * n**2)).sum())


@dataclass(frozen=True, eq=False)
class Budget(Arms):
    """Bernoulli arms, a probability to be wrong, and a number of pulls after which a run is given up.

    Parameters
    ----------
    budget
        Most pulls, no fewer than the arms.
    """

    budget: int

    def __post_init__(self) -> None:
        super().__post_init__()
        count(self.budget, "budget", at_least=self.means.size)

    def __str__(self) -> str:
        return f"{super().__str__()}, budget = {self.budget}"

    @cached_property
    def characteristic(self) -> CharacteristicTime:
        """Characteristic time."""
        return characteristic_time(self.bandit)

    @property
    def least(self) -> float:
        r"""Pulls :math:`T^\star \log((1 - \delta) / \delta)`."""
        return self.characteristic.time * math.log((1 - self.delta) / self.delta)


@dataclass(frozen=True, eq=False)
class Halving:
    """Bernoulli arms, and budgets.

    Parameters
    ----------
    means
        K >= 2 means in [0, 1].
    budgets : array of int, shape (T,)
        Numbers of pulls, increasing.
    """

    means: tuple[float, ...]
    budgets: Times

    def __post_init__(self) -> None:
        budgets = np.array(self.budgets, dtype=np.int64)
        if budgets.ndim != 1 or budgets[0] < 1 or (np.diff(budgets) <= 0).any():
            raise ValueError(f"budgets are {budgets.tolist()}; they must increase, from 1 at least")
        object.__setattr__(self, "budgets", frozen(budgets))
        if self.bandit.gaps[np.argsort(self.bandit.gaps)[1]] == 0:
            raise ValueError(f"means are {self.means}; one of them must be above all others")

    def __str__(self) -> str:
        return f"means {', '.join(f'{mean:g}' for mean in self.means)}, budgets {self.budgets[0]} to {self.budgets[-1]}"

    @cached_property
    def bandit(self) -> Bandit:
        """The bandit."""
        return Bandit.bernoulli(self.means)


@dataclass(frozen=True, eq=False)
class GaussianArms:
    """Gaussian arms.

    Parameters
    ----------
    means
        K >= 2 means, one above all others.
    deviation
        Standard deviation, > 0.
    """

    means: tuple[float, ...]
    deviation: float

    def __post_init__(self) -> None:
        positive(self.deviation, "deviation")
        if self.means.count(max(self.means)) > 1:
            raise ValueError(f"means are {self.means}; one of them must be above all others")

    def __str__(self) -> str:
        return f"means {', '.join(f'{mean:g}' for mean in self.means)}, deviation = {self.deviation:g}"

    @property
    def hardness(self) -> float:
        r""":math:`H = \sum_a 2 \sigma^2 / \Delta_a^2`."""
        gaps = np.sort(max(self.means) - np.array(self.means))
        gaps[0] = gaps[1]
        return float((2 * self.deviation**2 / gaps**2).sum())


# Runs.


def _identify(s: Arms, policy: StoppingPolicy, rng: np.random.Generator, horizon: int) -> Identification:
    return find_best_arm(s.bandit, policy, rng=rng, horizon=horizon)


def _pulls_of_each(s: Arms, policy: StoppingPolicy, rng: np.random.Generator) -> Trace:
    """Pulls of each arm; of a run that goes wrong, or does not stop in time, more than any bound allows."""
    horizon = int(elimination_bound(s).sum()) + 1
    found = _identify(s, policy, rng, horizon)
    pulls = found.pulls[0] if found.arms[0] == s.best else np.full(s.means.size, horizon)
    return Trace(policy.name, np.arange(s.means.size), {"pulls": (("time",), pulls.astype(np.float64))}, "arm")


def _pulls_until_right(
    s: Arms, policy: StoppingPolicy, bound: Callable[[Arms], float], rng: np.random.Generator
) -> Trace:
    """Pulls of a run; of one that goes wrong, or does not stop in time, more than the bound allows."""
    horizon = int(bound(s)) + 2  # a round may end one pull late
    found = _identify(s, policy, rng, horizon)
    pulls = found.times[0] if found.arms[0] == s.best else horizon
    return Trace(policy.name, np.array([1]), {"pulls": (("time",), np.array([float(pulls)]))}, "run")


def eliminate(s: Arms, rng: np.random.Generator) -> Trace:
    """Successive elimination."""
    return _pulls_of_each(s, successive_elimination(s.delta), rng)


def run_lucb(s: Arms, rng: np.random.Generator) -> Trace:
    """LUCB."""
    return _pulls_until_right(s, lucb(s.delta), lucb_bound, rng)


def run_kl_lucb(s: Arms, rng: np.random.Generator) -> Trace:
    """KL-LUCB."""
    return _pulls_until_right(s, kl_lucb(s.delta), kl_lucb_bound, rng)


def halve(s: Halving, rng: np.random.Generator) -> Trace:
    """Sequential halving with each budget."""
    return _share_of_errors(s, s.bandit, s.budgets, rng)


def _share_of_errors(s: Halving, bandit: Bandit, budgets: Times, rng: np.random.Generator) -> Trace:
    found = [find_best_arm(bandit, sequential_halving(int(budget)), rng=rng, replicates=TOGETHER) for budget in budgets]
    errors = np.array([(one.arms != s.bandit.best).mean() for one in found])
    return Trace("sequential halving", s.budgets, {"errors": (("time",), errors)}, "budget")


def _credit(s: Budget, policy: StoppingPolicy, rng: np.random.Generator) -> Trace:
    """What is left of the budget, less what a failure costs; mean over replicates."""
    found = find_best_arm(s.bandit, policy, rng=rng, replicates=FEW_TOGETHER, horizon=s.budget)
    left = s.budget - found.times - 2 * s.least * (found.arms != s.best)
    return Trace(policy.name, np.array([1]), {"left": (("time",), np.array([left.mean()]))}, "run")


def track(s: Budget, rng: np.random.Generator) -> Trace:
    """Track-and-stop."""
    return _credit(s, track_and_stop(s.delta), rng)


def evidence_in_turns(s: Budget, rng: np.random.Generator) -> Trace:
    """Largest evidence against the best arm, when arms are pulled in turns, up to each round."""
    return _evidence(s, rng, repeats=1)


def _evidence(s: Budget, rng: np.random.Generator, repeats: int) -> Trace:
    """Evidence, where every reward counts so many times."""
    rounds = s.budget // s.means.size
    n = np.arange(1, rounds + 1)
    means = (rng.random((rounds, s.means.size)) < s.means).cumsum(axis=0) / n[:, None]
    best = means[:, [s.best]]
    middle = (means + best) / 2
    # Both arms have n pulls.
    evidence = n[:, None] * (_entropies(means, middle) + _entropies(best, middle)) * (means > best)
    largest = repeats * np.maximum.accumulate(evidence.max(axis=1))
    return Trace("pulls in turns", n, {"evidence": (("time",), largest)}, "round")


def _entropies(m: Array, q: Array) -> Array:
    from scipy.special import kl_div

    divergences: Array = kl_div(m, q) + kl_div(1 - m, 1 - q)
    return divergences


def solve(s: GaussianArms, rng: np.random.Generator) -> Trace:
    """Characteristic time."""
    return _time(characteristic_time(Bandit.gaussian(s.means, s.deviation)).time)


def _time(time: float) -> Trace:
    return Trace("characteristic time", np.array([0]), {"time": (("time",), np.array([time]))}, "solution")


# Wrong runs, to be told from right ones.


@kernel
def error_bar(pulls: float, arms: int, delta: float) -> float:
    """Threshold whose intervals are half a standard deviation to each side, however often one looks."""
    return 0.125


def eliminate_by_error_bars(s: Arms, rng: np.random.Generator) -> Trace:
    """Stop as soon as error bars are apart."""
    return _pulls_of_each(s, successive_elimination(s.delta, threshold=error_bar), rng)


def run_lucb_by_error_bars(s: Arms, rng: np.random.Generator) -> Trace:
    """Stop as soon as error bars are apart."""
    return _pulls_until_right(s, lucb(s.delta, threshold=error_bar), lucb_bound, rng)


def run_kl_lucb_by_error_bars(s: Arms, rng: np.random.Generator) -> Trace:
    """Stop as soon as error bars are apart."""
    return _pulls_until_right(s, kl_lucb(s.delta, threshold=error_bar), kl_lucb_bound, rng)


def eliminate_with_wide_intervals(s: Arms, rng: np.random.Generator) -> Trace:
    """Take rewards for twice as noisy as they can be."""
    return _pulls_of_each(s, successive_elimination(s.delta, 1.0), rng)


def halve_a_sixteenth(s: Halving, rng: np.random.Generator) -> Trace:
    """Spend a sixteenth of each budget."""
    return _share_of_errors(s, s.bandit, np.maximum(s.budgets // 16, 1), rng)


def keep_the_worse_half(s: Halving, rng: np.random.Generator) -> Trace:
    """Take losses for rewards."""
    return _share_of_errors(s, Bandit.bernoulli(1 - s.bandit.means), s.budgets, rng)


@kernel
def nothing(first: float, second: float, arms: int, delta: float) -> float:
    """Threshold that all evidence exceeds."""
    return -1.0


def stop_at_once(s: Budget, rng: np.random.Generator) -> Trace:
    """Stop after one pull of each arm."""
    return _credit(s, track_and_stop(s.delta, threshold=nothing), rng)


def evidence_by_copies(s: Budget, rng: np.random.Generator) -> Trace:
    """Count every reward eight times."""
    return _evidence(s, rng, repeats=8)


def solve_for_half_the_deviation(s: GaussianArms, rng: np.random.Generator) -> Trace:
    """Take the arms for less noisy than they are."""
    return solve(replace(s, deviation=s.deviation / 2), rng)


def weigh_equally(s: GaussianArms, rng: np.random.Generator) -> Trace:
    """Time of equal weights."""
    return _time(4 * len(s.means) * s.deviation**2 / float(np.diff(np.sort(s.means))[-1]) ** 2)


# Bounds.


def elimination_bound(s: Arms) -> Vector:
    r"""Pulls :math:`1 + \#\{n : n \Delta_a^2 / 8 \le \beta(n)\}` of each arm."""
    return np.array([1.0 + s.rounds_within(gap**2 / 8) for gap in s.gaps])


def lucb_bound(s: Arms) -> float:
    r"""Pulls :math:`K + 2 \sum_a \#\{n : n (\mu_a - c)^2 / 2 \le \beta(n)\}`."""
    return s.means.size + 2.0 * sum(s.rounds_within((mean - s.middle) ** 2 / 2) for mean in s.means)


def chernoff_information(p: float, q: float) -> float:
    r"""Least over x of the larger of :math:`d(x, p)` and :math:`d(x, q)`, for Bernoulli laws."""
    odds = math.log((1 - p) / (1 - q))
    return float(BERNOULLI(odds / (math.log(q / p) + odds), p))


def kl_lucb_bound(s: Arms) -> float:
    r"""Pulls :math:`K + 2 \sum_a \#\{n : n\, C(\mu_a, c) \le \beta(n)\}`."""
    return s.means.size + 2.0 * sum(s.rounds_within(chernoff_information(mean, s.middle)) for mean in s.means)


def halving_bound(s: Halving, budget: int) -> float:
    """Bounds for all rounds by Markov's inequality, leaving out as many of the best rivals as is best."""
    gaps, total = np.sort(s.bandit.gaps), 0.0
    left = len(s.means)
    rounds = math.ceil(math.log2(left))
    for _ in range(rounds):
        chances = np.exp(-(budget // (left * rounds)) * gaps[1:left] ** 2 / 2)
        kept = left - left // 2
        total += min(chances[spared:].sum() / (kept - spared) for spared in range(kept))
        left = kept
    return min(total, 1.0)


# Settings.


def arms() -> Iterator[Arms]:
    """Two arms and several, near and far, with a cautious and a bold delta."""
    yield Arms(np.array([0.9, 0.3]), 0.1)
    yield Arms(np.array([0.2, 0.8, 0.5]), 0.2)
    yield Arms(np.array([0.4, 0.6]), 0.1)
    yield Arms(np.array([0.95, 0.7, 0.6, 0.5, 0.1]), 0.1)


def budgets() -> Iterator[Budget]:
    """Arms with some five times the pulls that a good policy takes."""
    yield Budget(np.array([0.8, 0.3]), 0.1, 200)
    yield Budget(np.array([0.2, 0.7, 0.4]), 0.2, 300)
    yield Budget(np.array([0.9, 0.6, 0.5, 0.1]), 0.1, 400)


def games_of_evidence() -> Iterator[Budget]:
    """Arms that are hard to tell, or are alike, and many rounds."""
    yield Budget(np.array([0.5, 0.5]), 0.2, 4000)
    yield Budget(np.array([0.5, 0.48, 0.5]), 0.1, 3000)
    yield Budget(np.array([0.1, 0.05, 0.1, 0.02]), 0.1, 2000)


def halvings() -> Iterator[Halving]:
    """Two arms, and more; a power of two of them and not."""
    yield Halving((0.7, 0.3), np.array([4, 8, 16, 32, 64]))
    yield Halving((0.1, 0.9, 0.5, 0.2), np.array([16, 64, 128]))
    yield Halving((0.3, 0.4, 0.9, 0.5, 0.2), np.array([60, 120, 240]))


def gaussians() -> Iterator[GaussianArms]:
    """Two arms, equal gaps, and a single close rival."""
    yield GaussianArms((1.0, 0.5), 1.0)
    yield GaussianArms((0.0, -1.0, -1.0, -1.0), 0.5)
    yield GaussianArms((0.0, 0.5, 0.4, -1.0, -3.0, -2.0), 2.0)


def any_arms() -> "SearchStrategy[Arms]":
    """Settings with gaps that are not too narrow to run."""
    from hypothesis import strategies as st

    return st.builds(Arms, _means(), st.floats(FEW, MOST))


def _means() -> "SearchStrategy[Vector]":
    from hypothesis import strategies as st

    tenths = st.lists(st.integers(1, 9), min_size=2, max_size=5, unique=True)
    return tenths.map(lambda numbers: np.array(numbers) / 10)


def any_budget() -> "SearchStrategy[Budget]":
    """Settings with one best arm, and a budget that the lower bound does not exhaust."""
    from hypothesis import strategies as st

    settings = st.builds(Budget, _means(), st.floats(FEW, MOST), st.integers(20, 2000))
    return settings.filter(lambda s: s.budget >= s.least)


def any_halving() -> "SearchStrategy[Halving]":
    """Settings with up to three budgets."""
    from hypothesis import strategies as st

    several = st.lists(st.integers(1, 300), min_size=1, max_size=3, unique=True).map(lambda b: np.sort(b))
    return st.builds(Halving, _means().map(lambda means: tuple(means.tolist())), several)


def any_gaussians() -> "SearchStrategy[GaussianArms]":
    """Settings with one best arm."""
    from hypothesis import strategies as st

    means = st.lists(st.integers(-20, 20), min_size=2, max_size=6, unique=True).map(
        lambda m: tuple(tenth / 10 for tenth in m)
    )
    return st.builds(GaussianArms, means, st.floats(0.1, 3.0))


ONE_BEST: dict[str, Callable[[Any], bool | str] | str] = {"one arm is best": lambda s: s.has_one_best}
REWARDS: dict[str, Callable[[Any], bool | str] | str] = {"rewards in $\\{0, 1\\}$": BY_CONSTRUCTION}
SYMBOLS = (
    "$\\Delta_a$: the gap of arm a, that of the best arm $\\star$ being the least of the others'; $N_a$: its pulls until "
    "the policy stops; $\\tau$: all pulls; K: the number of arms; "
    "$\\beta(n) = \\log(\\pi^2 K n^2 / (3 \\delta))$: the threshold"
)
DIVERGENCE = "; d: the divergence of Bernoulli laws"
BETTER_LATE = "The measured pulls of a run that goes wrong are more than the bound allows."

ELIMINATION = Theorem(
    name="successive-elimination/pulls",
    title="Successive elimination finds the best arm, and pulls each about as often as its gap demands",
    paper=Paper("evendar2006", "Theorem 8, with explicit constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\Pr\bigl(\hat a = \star,\; N_a \le 1 + \#\{n : n \Delta_a^2 / 8 \le \beta(n)\} \; \forall a\bigr) "
    r"\ge 1 - \delta",
    symbols=SYMBOLS + "; $\\hat a$: the recommended arm",
    kind=WithProbability(rounding=lambda s: 0.0, delta=lambda s: s.delta),
    hypotheses=REWARDS | ONE_BEST,
    run=eliminate,
    measured=lambda s, trace: trace["pulls"],
    bound=lambda s, trace: elimination_bound(s),
    trivial=lambda s: math.inf,
    settings=arms,
    controls={
        "error bars of half a standard deviation": eliminate_by_error_bars,
        "rewards taken for twice as noisy": eliminate_with_wide_intervals,
    },
    remark=BETTER_LATE
    + " The expectation of $\\tau$ has no such bound: once the best arm is lost, the others may tie.",
    strategy=any_arms,
)

LUCB = Theorem(
    name="lucb/pulls",
    title="LUCB finds the best arm within an explicit number of pulls",
    paper=Paper("kalyanakrishnan2012", "the argument of Theorem 6, with thresholds that count the arm's own pulls"),
    standing=Standing.DERIVED,
    statement=r"\Pr\Bigl(\hat a = \star,\; \tau \le K + 2 \sum_a \#\{n : n (\mu_a - c)^2 / 2 \le \beta(n)\}\Bigr) "
    r"\ge 1 - \delta",
    symbols=SYMBOLS + "; $\\hat a$: the recommended arm; c: the mean of the two largest $\\mu_a$",
    kind=WithProbability(rounding=lambda s: 0.0, delta=lambda s: s.delta),
    hypotheses=REWARDS | ONE_BEST,
    run=run_lucb,
    measured=lambda s, trace: trace["pulls"],
    bound=lambda s, trace: np.array([lucb_bound(s)]),
    trivial=lambda s: math.inf,
    settings=arms,
    controls={"error bars of half a standard deviation": run_lucb_by_error_bars},
    remark=BETTER_LATE,
    strategy=any_arms,
)

KL_LUCB = Theorem(
    name="kl-lucb/pulls",
    title="KL-LUCB finds the best arm within pulls that Chernoff's information counts",
    paper=Paper("kaufmann2013", "the argument of Theorem 3, with thresholds that count the arm's own pulls"),
    standing=Standing.DERIVED,
    statement=r"\Pr\Bigl(\hat a = \star,\; \tau \le K + 2 \sum_a \#\{n : n\, C(\mu_a, c) \le \beta(n)\}\Bigr) "
    r"\ge 1 - \delta, \qquad C(p, q) = \min_x \max\{d(x, p), d(x, q)\}",
    symbols=SYMBOLS + "; $\\hat a$: the recommended arm; c: the mean of the two largest $\\mu_a$" + DIVERGENCE,
    kind=WithProbability(rounding=lambda s: 0.0, delta=lambda s: s.delta),
    hypotheses=REWARDS | ONE_BEST,
    run=run_kl_lucb,
    measured=lambda s, trace: trace["pulls"],
    bound=lambda s, trace: np.array([kl_lucb_bound(s)]),
    trivial=lucb_bound,
    settings=arms,
    controls={"error bars of half a standard deviation": run_kl_lucb_by_error_bars},
    remark=BETTER_LATE + " What is known without it is the bound of LUCB, as divergences are $2 (p - q)^2$ or more.",
    strategy=any_arms,
)

EVIDENCE = Theorem(
    name="best-arm/evidence",
    title="Evidence against the best arm stays below a logarithm, however often one looks",
    paper=Paper("garivier2016", "the proof of Theorem 10"),
    standing=Standing.DERIVED,
    statement=r"\Pr\Bigl(\exists n, a : Z_{a \star}(n) > \log \frac{K - 1}{\delta} + \log(4 n)\Bigr) \le \delta",
    symbols="$Z_{ab}(n) = n\\, d(\\hat\\mu_a, m) + n\\, d(\\hat\\mu_b, m)$ if $\\hat\\mu_a > \\hat\\mu_b$, else 0, with m the "
    "mean of $\\hat\\mu_a$ and $\\hat\\mu_b$, each of n pulls: the evidence for a against b; K: the number of arms"
    + DIVERGENCE,
    kind=WithProbability(rounding=lambda s: 1e-9 * s.budget, delta=lambda s: s.delta),
    hypotheses=REWARDS,
    run=evidence_in_turns,
    measured=lambda s, trace: trace["evidence"],
    bound=lambda s, trace: math.log(4 * (s.means.size - 1) / s.delta) + np.log(trace.times),
    trivial=lambda s: 2 * math.log(2) * s.budget,
    settings=games_of_evidence,
    controls={"every reward counted eight times": evidence_by_copies},
    remark="With $\\log(4 \\sqrt{n_a n_b})$ in place of $\\log(4 n)$ the same holds of all ways to pull; so policies that "
    "stop when the evidence for one arm against each other exceeds it err with probability $\\delta$ at most. The paper "
    "states $\\log(2 t)$ after t pulls, which is no less. The statement stays true of several best arms.",
    strategy=any_budget,
)

HALVING = Theorem(
    name="sequential-halving/error",
    title="Sequential halving errs with a probability that falls exponentially in the budget",
    paper=Paper("karnin2013", "the proof of Theorem 4.1, before constants are rounded up"),
    standing=Standing.DERIVED,
    statement=r"\Pr(\hat a_n \ne \star) \le \sum_r \min_{j < k_{r+1}} \frac{1}{k_{r+1} - j} \sum_{i=j+2}^{k_r} "
    r"\exp\bigl(-t_r \Delta_{(i)}^2 / 2\bigr)",
    symbols="$\\hat a_n$: the arm recommended after n pulls; $k_r$: the arms left in round r, $k_1 = K$, $k_{r+1} = "
    "\\lceil k_r / 2 \\rceil$; $t_r = \\lfloor n / (k_r \\lceil \\log_2 K \\rceil) \\rfloor$: the pulls of each in this "
    "round; $\\Delta_{(1)} = 0 < \\Delta_{(2)} \\le \\dots$: the gaps in order",
    kind=InExpectation(rounding=lambda s: 1e-12, low=lambda s: 0.0, high=lambda s: 1.0),
    hypotheses={"one arm is best": BY_CONSTRUCTION, "rewards in $[0, 1]$": BY_CONSTRUCTION},
    run=halve,
    measured=lambda s, trace: trace["errors"],
    bound=lambda s, trace: np.array([halving_bound(s, int(n)) for n in trace.times]),
    trivial=lambda s: 1.0,
    settings=halvings,
    controls={"losses taken for rewards": keep_the_worse_half, "a sixteenth of each budget": halve_a_sixteenth},
    remark="Where K is a power of two and divides n as often as needed, it is $3 \\log_2 K \\exp(-n / (8 H \\log_2 K))$ at "
    "most, $H = \\max_{i \\ge 2} i / \\Delta_{(i)}^2$: the form of the paper. The measured curve is the share of 32 runs.",
    strategy=any_halving,
)

LOWER_BOUND = Theorem(
    name="best-arm/lower-bound",
    title="Who is seldom wrong anywhere has to pull: the characteristic time",
    paper=Paper("garivier2016", "Theorem 1, for runs that are given up after n pulls"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E} \min(\tau, n) \ge T^\star(\mu) \log\frac{1 - \delta}{\delta} \bigl(1 - 2 \Pr(F_n)\bigr)",
    symbols="$T^\\star(\\mu)$: the characteristic time; $F_n$: the best arm was not recommended before n pulls; $\\tau$: the "
    "pulls until the policy stops; $\\delta$: the largest probability, over all Bernoulli bandits, of a wrong answer",
    kind=InExpectation(
        rounding=lambda s: 1e-9 * s.budget, low=lambda s: -2 * s.least, high=lambda s: s.budget - s.means.size
    ),
    hypotheses=REWARDS
    | ONE_BEST
    | {"$n \\ge T^\\star(\\mu) \\log((1 - \\delta) / \\delta)$": lambda s: s.budget >= s.least},
    run=track,
    measured=lambda s, trace: trace["left"],
    bound=lambda s, trace: np.array([s.budget - s.least]),
    trivial=lambda s: float(s.budget - s.means.size),
    settings=budgets,
    controls={"stopping at once": stop_at_once},
    remark="The measured side is $n - \\min(\\tau, n)$, less $2 T^\\star \\log((1 - \\delta) / \\delta)$ for a failure, mean "
    "over 8 replicates; the bound is $n - T^\\star \\log((1 - \\delta) / \\delta)$. The policy is track-and-stop. As $n "
    "\\to \\infty$ a policy that stops is wrong in $F_n$ only, and the bound is near "
    "$T^\\star \\mathrm{kl}(\\delta, 1 - \\delta)$.",
    strategy=any_budget,
)

HARDNESS = Theorem(
    name="characteristic-time/upper",
    title="The characteristic time of Gaussian arms is twice the hardness at most",
    paper=Paper("garivier2016", "the remark on Gaussian arms after Theorem 1; proved here"),
    standing=Standing.DERIVED,
    statement=r"T^\star(\mu) \le 2 H, \qquad H = \sum_a \frac{2 \sigma^2}{\Delta_a^2}",
    symbols="$T^\\star$: the characteristic time; $\\Delta_a$: the gap, that of the best arm being the least of the others'",
    kind=EveryStep(rounding=lambda s: 1e-9 * s.hardness),
    hypotheses={"one arm is best": BY_CONSTRUCTION},
    run=solve,
    measured=lambda s, trace: trace["time"],
    bound=lambda s, trace: np.array([2 * s.hardness]),
    settings=gaussians,
    controls={"equal weights": weigh_equally},
    remark="With two arms the sides agree: $T^\\star = 8 \\sigma^2 / \\Delta^2$.",
    strategy=any_gaussians,
)

EASINESS = Theorem(
    name="characteristic-time/lower",
    title="The characteristic time of Gaussian arms is the hardness at least",
    paper=Paper("garivier2016", "the remark on Gaussian arms after Theorem 1; proved here"),
    standing=Standing.DERIVED,
    statement=r"H = \sum_a \frac{2 \sigma^2}{\Delta_a^2} \le T^\star(\mu)",
    symbols="$T^\\star$: the characteristic time; $\\Delta_a$: the gap, that of the best arm being the least of the others'",
    kind=EveryStep(rounding=lambda s: 1e-9 * s.hardness),
    hypotheses={"one arm is best": BY_CONSTRUCTION},
    run=solve,
    measured=lambda s, trace: np.array([s.hardness]),
    bound=lambda s, trace: trace["time"],
    settings=gaussians,
    controls={"half the deviation": solve_for_half_the_deviation},
    strategy=any_gaussians,
)
