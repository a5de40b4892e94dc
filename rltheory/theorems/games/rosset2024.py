r"""Direct Nash optimisation: what the exact update gains, and what a regression on labelled pairs loses.

Throughout, :math:`r = P \pi_t` are the win rates against the policy, :math:`\pi_+ \propto \pi_t e^{r / \eta}` is its
exact update, :math:`\sigma` the logistic function, :math:`\mu` the law of both actions of a pair, and
:math:`\Delta_\pi(a, b) = \eta \log \frac{\pi(a)}{\pi_t(a)} - \eta \log \frac{\pi(b)}{\pi_t(b)}`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.algorithms import hedge, magnetic_mirror_descent, nash_md
from rltheory.algorithms.games.direct_nash_optimization import (
    SAMPLING,
    direct_nash_optimization,
    draw_labels,
    exact_update,
    fit_scores,
    sampling_law,
)
from rltheory.algorithms.games.mirror_descent import mirror_descent
from rltheory.arrays import Array, Matrix, Times, Vector, count, distribution, positive
from rltheory.instances import (
    bradley_terry,
    cycle,
    efron_dice,
    random_game,
    random_tournament,
    recorded_game,
    skewed_policy,
    weighted_rock_paper_scissors,
)
from rltheory.measures import exploitability, kl, l1
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution, log_normalize, span
from rltheory.simulation import stream
from rltheory.solvers import minimax_winner
from rltheory.theorems.games.regularized_game import Hypotheses
from rltheory.theory import (
    BY_CONSTRUCTION,
    EveryStep,
    Existence,
    Identity,
    InExpectation,
    Paper,
    PowerLaw,
    Standing,
    Theorem,
    WithProbability,
)
from rltheory.theory.judge import RELATIVE_ROUNDING
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "rosset2024"
EPS = float(np.finfo(np.float64).eps)
WIDEST = 30.0  # largest standard deviation of the logits of a random policy
REPEATED = 128  # regressions that are averaged at each number of pairs
LARGE = 1000.0  # a constant that total variation would need, and more
SETTLED = 100  # iterations after which that shows


@dataclass(frozen=True, eq=False)
class Setting:
    """A run of direct Nash optimisation.

    Parameters
    ----------
    game
        The game, n actions.
    inverse_rate
        The paper's eta, > 0, in units of payoff.
    start : array, shape (n,), optional
        First policy; uniform by default.
    iterations
        Last iteration.
    sampling
        What pairs are drawn from: "policy", "uniform" or "target".
    note
        What is particular about it.
    """

    game: PreferenceGame
    inverse_rate: float = 1.0
    start: ArrayLike | None = None
    iterations: int = 30
    sampling: str = "policy"
    note: str = ""

    def __post_init__(self) -> None:
        positive(self.inverse_rate, "inverse_rate")
        count(self.iterations, "iterations")
        self._check_policy("start")
        sampling_law(self.sampling, self.log_start, self.log_start)

    def _check_policy(self, name: str) -> None:
        policy = getattr(self, name)
        if policy is not None:
            object.__setattr__(self, name, distribution(policy, self.game.n, name))

    def __str__(self) -> str:
        note = f", {self.note}" if self.note else ""
        return f"{self.game}, eta = {self.inverse_rate:g}, pairs from {self.sampling}{note}"

    @cached_property
    def log_start(self) -> Vector:
        """Log-probabilities of the first policy, shape (n,)."""
        return log_distribution(self.start, self.game.n, "start")

    @cached_property
    def log_target(self) -> Vector:
        """Log-probabilities of the exact update of the first policy, shape (n,)."""
        return exact_update(self.log_start, win_rates(self, self.log_start), self.inverse_rate)

    @property
    def resolution(self) -> float:
        """Error that rounding leaves in a log-probability, of an iterate or of a random policy around it.

        An update moves a logarithm by 1 / eta at most; a normal number is no larger than 8.
        """
        largest = float(-self.log_start.min()) + (self.iterations + 1) / self.inverse_rate
        return 8 * EPS * (largest + 8 * WIDEST)

    @property
    def value_rounding(self) -> float:
        """Absolute allowance for sums of payoffs, and of divergences times eta."""
        return 4 * self.resolution * (1 + self.inverse_rate)

    @property
    def square_rounding(self) -> float:
        r"""Absolute allowance for a squared distance.

        An error :math:`\delta` in the distance turns :math:`d^2` into at most
        :math:`(1 + \rho) d^2 + (1 + 1/\rho) \delta^2`; the relative allowance serves as :math:`\rho`.
        """
        return self.resolution**2 * (1 + 1 / RELATIVE_ROUNDING)


@dataclass(frozen=True, eq=False)
class SampledSetting(Setting):
    """A run with finitely many pairs, or regressions on ever more of them.

    Parameters
    ----------
    pairs
        Labelled pairs N in each iteration, or at most, >= 4.
    width
        Width of the box of scores, > 0.
    """

    pairs: int = 100
    width: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        count(self.pairs, "pairs", at_least=4)
        positive(self.width, "width")

    def __str__(self) -> str:
        width = f", scores within {self.width:g}" if self.width != 1 else ""
        return f"{super().__str__()}, N = {self.pairs}{width}"

    @property
    def sizes(self) -> Times:
        """Numbers of pairs for regressions on ever more of them: 4, 8, 16 and so on."""
        return 2 ** np.arange(2, self.pairs.bit_length())

    @property
    def curvature(self) -> float:
        """Least slope of the logistic function between two scores of the box."""
        return slope(self.width)

    @property
    def search_rounding(self) -> float:
        r"""Allowance for the mean squared error of scores.

        The search stops where the loss can't be told from the smallest. With curvature :math:`\kappa` it is then
        :math:`\sqrt{8 \epsilon / \kappa}` at most from the maximiser, in the norm of the pairs; and no error is larger
        than twice the width.
        """
        return 4 * self.width * math.sqrt(8 * EPS / self.curvature)


@dataclass(frozen=True, eq=False)
class FiniteClass(SampledSetting):
    """The likeliest of finitely many policies, from ever more pairs.

    Parameters
    ----------
    policies
        Number of policies in the class, >= 2; the exact update is the first.
    delta
        Allowed failure rate, in (0, 1).
    """

    policies: int = 8
    delta: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        count(self.policies, "policies", at_least=2)

    def __str__(self) -> str:
        return f"{super().__str__()}, {self.policies} policies, delta = {self.delta:g}"

    @cached_property
    def scores(self) -> Matrix:
        """Scores of the class, shape (policies, n): those of the exact update, and others ever closer to them."""
        rng = stream(0, "finite class", self.policies, self.game.n)
        others = rng.uniform(0, self.width, (self.policies - 1, self.game.n))
        weight = np.geomspace(1, 0.1, self.policies - 1)[:, None]
        exact = win_rates(self, self.log_start)
        return np.vstack([exact, (1 - weight) * exact + weight * others])


@dataclass(frozen=True, eq=False)
class MixtureSetting(Setting):
    """The update against the geometric mixture of policy and reference.

    Parameters
    ----------
    beta
        Temperature, > 0.
    reference : array, shape (n,), optional
        Reference policy; uniform by default.
    """

    beta: float = 0.1
    reference: ArrayLike | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.beta, "beta")
        self._check_policy("reference")

    def __str__(self) -> str:
        return f"{super().__str__()}, beta = {self.beta:g}"

    @cached_property
    def log_reference(self) -> Vector:
        """Log-probabilities of the reference, shape (n,)."""
        return log_distribution(self.reference, self.game.n, "reference")

    @property
    def resolution(self) -> float:
        """Error that rounding leaves in a log-probability; those of the reference enter as well."""
        return super().resolution + 8 * EPS * float(-self.log_reference.min())


@dataclass(frozen=True, eq=False)
class RatioSetting:
    """Policies whose log-ratio to the current one is bounded.

    Parameters
    ----------
    largest
        Bound on eta times the log-ratio, > 0.
    """

    largest: float

    def __post_init__(self) -> None:
        positive(self.largest, "largest")

    def __str__(self) -> str:
        return f"eta R = {self.largest:g}"


def win_rates(s: Setting, log_policy: Array) -> Array:
    """Centred win rates r of all actions against a policy, shape (..., n)."""
    rates: Array = np.exp(log_policy) @ s.game.payoff.T
    return rates


def differences(values: Array) -> Array:
    """Differences of all pairs, shape (..., n, n)."""
    return values[..., :, None] - values[..., None, :]


def pair_mean(first: Array, second: Array, numbers: Array) -> Array:
    """Mean of numbers over pairs of actions, drawn independently."""
    means: Array = np.einsum("...a,...b,...ab->...", first, second, numbers)
    return means


def sigmoid(x: ArrayLike) -> Array:
    """Logistic function."""
    probabilities: Array = (1 + np.tanh(np.asarray(x) / 2)) / 2
    return probabilities


def slope(x: float) -> float:
    """Slope of the logistic function."""
    return 1 / (4 * math.cosh(x / 2) ** 2)


def largest_quotient(bound: float) -> float:
    """Supremum of |a - b| / |sigma(a) - sigma(b)| over |a| <= 1 and |b| <= bound: at a = 1 and b = bound."""
    half = (bound - 1) / 2
    shrink = half / math.sinh(half) if half else 1.0
    return 4 * math.cosh(1 / 2) * math.cosh(bound / 2) * shrink


# Runs. ------------------------------------------------------------------------------------------


def improve(s: Setting, rng: np.random.Generator) -> Trace:
    """Apply the exact update again and again: the regression on all pairs in their proportions."""
    return hedge(s.game, iterations=s.iterations, rate=1 / s.inverse_rate, start=s.start)


def compete(s: Setting, rng: np.random.Generator) -> Trace:
    """The same, with a random policy beside each exact update, from close to it to close to a corner."""
    return with_candidates(improve(s, rng), rng)


def improve_on_mixture(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """Play Nash-MD with rate 1 / eta, with a random policy beside each iterate."""
    trace = nash_md(
        s.game,
        beta=s.beta,
        iterations=s.iterations,
        rate=1 / s.inverse_rate,
        reference=s.reference,
        start=np.exp(s.log_start),
    )
    return with_candidates(trace, rng)


def with_candidates(trace: Trace, rng: np.random.Generator) -> Trace:
    """Add a random policy around each ``log_next``."""
    centre = trace["log_next"]
    widths = 10 ** rng.uniform(-3, math.log10(WIDEST), (len(centre), 1))
    return extended(trace, log_candidate=log_normalize(centre + widths * rng.standard_normal(centre.shape)))


def extended(trace: Trace, **arrays: Array) -> Trace:
    """Add or replace arrays of shape (time, action)."""
    return replace(trace, values={**trace.values, **{name: (("time", "action"), a) for name, a in arrays.items()}})


def learn(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Run the algorithm as the theorems say."""
    return direct_nash_optimization(
        s.game,
        inverse_rate=s.inverse_rate,
        iterations=s.iterations,
        pairs=s.pairs,
        rng=rng,
        sampling=s.sampling,
        width=s.width,
        start=s.start,
    )


def grown_labels(s: SampledSetting, game: PreferenceGame, rng: np.random.Generator) -> Array:
    """Labels of the first 4, 8, 16 and so on of the pairs in the first iteration, shape (sizes, n, n)."""
    asked = replace(s, game=game)
    law = sampling_law(s.sampling, s.log_start, asked.log_target)
    batches = np.diff(s.sizes, prepend=0)
    values = win_rates(asked, s.log_start)
    return np.cumsum([draw_labels(law, values, int(batch), rng) for batch in batches], axis=0)


def regress(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Fit the first iteration to ever more pairs."""
    return _regressions(s, s.game, 1, rng)


def regress_often(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """The same, many times over."""
    return _regressions(s, s.game, REPEATED, rng)


def _regressions(s: SampledSetting, game: PreferenceGame, repeats: int, rng: np.random.Generator) -> Trace:
    labels = np.array([grown_labels(s, game, rng) for _ in range(repeats)]).swapaxes(0, 1)
    scores = np.array([[fit_scores(counts, s.width) for counts in row] for row in labels])
    log_next = exact_update(s.log_start, scores, s.inverse_rate)
    arrays = {
        "log_next": (("time", "draw", "action"), log_next),
        "labels": (("time", "draw", "action", "action"), labels),
    }
    return Trace("logistic regression", s.sizes, arrays, clock="pair")


def choose(s: FiniteClass, rng: np.random.Generator) -> Trace:
    """Take the likeliest policy of the class, from ever more pairs."""
    return _choices(s, s.game, rng)


def _choices(s: FiniteClass, game: PreferenceGame, rng: np.random.Generator) -> Trace:
    log_likelihoods = np.tensordot(
        grown_labels(s, game, rng), -np.logaddexp(0, -differences(s.scores)), ((1, 2), (1, 2))
    )
    log_next = exact_update(s.log_start, s.scores[log_likelihoods.argmax(axis=1)], s.inverse_rate)
    return Trace("maximum likelihood", s.sizes, {"log_next": (("time", "action"), log_next)}, clock="pair")


def draw_ratios(s: RatioSetting, rng: np.random.Generator) -> Trace:
    """Differences a of win rates and b of scores, within their bounds, which every third draw takes."""
    return _ratios(2 * s.largest, rng)


def _ratios(bound: float, rng: np.random.Generator) -> Trace:
    draws = 200
    a, b = rng.uniform(-1, 1, (2, draws))
    for side in (a, b):
        side[::3] = np.sign(side[::3])
    return Trace("draws", np.arange(draws), {"a": (("time",), a), "b": (("time",), bound * b)}, clock="draw")


def witness(s: RatioSetting, rng: np.random.Generator) -> Trace:
    """A sure win, and log-ratios almost as large as allowed: at 1, where both were equal, there would be no witness."""
    return _witness(1.0, 0.999 * s.largest)


def _witness(a: float, b: float) -> Trace:
    return Trace("witness", np.arange(1), {"a": (("time",), np.array([a])), "b": (("time",), np.array([b]))})


# Wrong runs, to be told from right ones. ---------------------------------------------------------


def improve_too_fast(s: Setting, rng: np.random.Generator) -> Trace:
    """The rate is too large by 1 %."""
    return improve(replace(s, inverse_rate=s.inverse_rate / 1.01), rng)


def improve_much_too_fast(s: Setting, rng: np.random.Generator) -> Trace:
    """The rate is three times too large."""
    return improve(replace(s, inverse_rate=s.inverse_rate / 3), rng)


def improve_with_magnet(s: Setting, rng: np.random.Generator) -> Trace:
    """The game is regularised."""
    return magnetic_mirror_descent(s.game, beta=0.2, iterations=s.iterations, start=np.exp(s.log_start))


def compete_too_fast(s: Setting, rng: np.random.Generator) -> Trace:
    """The rate is too large by 1 %."""
    return compete(replace(s, inverse_rate=s.inverse_rate / 1.01), rng)


def compete_unnormalised(s: Setting, rng: np.random.Generator) -> Trace:
    """The random policies add up to 1.1."""
    trace = compete(s, rng)
    return extended(trace, log_candidate=trace["log_candidate"] + math.log(1.1))


def improve_on_policy(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """The opponent is the policy in place of the mixture, as in INPO."""
    keep, weights = 1 - s.beta / s.inverse_rate, np.ones(s.iterations + 1)
    trace = mirror_descent("INPO", s.game, s.log_reference, s.log_start, keep * weights, weights / s.inverse_rate)
    log_mixture = log_normalize(keep * trace["log_policy"] + (1 - keep) * s.log_reference)
    return with_candidates(extended(trace, log_mixture=log_mixture), rng)


def reversed_game(game: PreferenceGame) -> PreferenceGame:
    """The game in which who won has lost."""
    return PreferenceGame(game.prefer.T, title=f"{game}, reversed")


def learn_reversed(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """The regression takes winners for losers."""
    trace = learn(replace(s, game=reversed_game(s.game)), rng)
    dims, labels = trace.values["labels"]
    return replace(trace, values={**trace.values, "labels": (dims, labels.swapaxes(1, 2))})


def learn_ignoring_payoffs(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Labels are drawn by a fair coin, and the exact update stands still."""
    return learn(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def learn_without_average(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """The last policy stands in for the average."""
    trace = learn(s, rng)
    return extended(trace, mean=np.exp(trace["log_policy"]))


def learn_from_uniform_pairs(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Pairs are drawn uniformly, so that rare actions are seen."""
    return learn(replace(s, sampling="uniform"), rng)


def regress_reversed(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """The regression takes winners for losers."""
    return _regressions(s, reversed_game(s.game), 1, rng)


def regress_reversed_often(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """The same, many times over."""
    return _regressions(s, reversed_game(s.game), REPEATED, rng)


def choose_reversed(s: FiniteClass, rng: np.random.Generator) -> Trace:
    """The likelihood takes winners for losers."""
    return _choices(s, reversed_game(s.game), rng)


def draw_wide_ratios(s: RatioSetting, rng: np.random.Generator) -> Trace:
    """Scores are twice as large as allowed."""
    return _ratios(4 * s.largest, rng)


def witness_of_a_tie(s: RatioSetting, rng: np.random.Generator) -> Trace:
    """A tie in place of the sure win."""
    return _witness(0.0, 0.999 * s.largest)


# Settings. ---------------------------------------------------------------------------------------


def two_actions(margin: float) -> PreferenceGame:
    """Game in which the first action beats the second by a margin."""
    return PreferenceGame.from_payoff([[0, margin], [-margin, 0]], title=f"two actions, margin {margin:g}")


ROCK_PAPER_SCISSORS = weighted_rock_paper_scissors(0.5, 0.5, 0.5)


def grid() -> Iterator[Setting]:
    """Games of every kind, slow and fast rates, even and skewed starts."""

    def rng(name: str) -> np.random.Generator:
        return stream(0, "dno", name)

    yield Setting(two_actions(0.1), 10.0, note="slow")
    rare = np.array([math.exp(-110), 1.0])
    yield Setting(two_actions(0.5), 0.005, rare, iterations=2, note="fast, rare winner")
    yield Setting(two_actions(0.5), 0.2, np.array([1e-3, 0.999]), note="rare winner")
    yield Setting(ROCK_PAPER_SCISSORS, 1.0, skewed_policy(3, 2), sampling="uniform")
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.2, sampling="target")
    yield Setting(efron_dice(), 0.5, skewed_policy(4, 6), sampling="target")
    yield Setting(cycle(5), 0.1, skewed_policy(5, 1))
    yield Setting(bradley_terry(np.linspace(0, 3, 20)), 0.3, sampling="uniform")
    yield Setting(random_game(rng("uniform"), 10), 0.05)
    yield Setting(random_tournament(rng("tournament"), 20), 2.0)
    yield Setting(recorded_game("llmfao_59"), 0.1, iterations=10)


def cyclic_grid() -> Iterator[Setting]:
    """Games whose minimax winner plays all actions, from elsewhere."""
    yield Setting(ROCK_PAPER_SCISSORS, 1.0, skewed_policy(3, 1))
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.5)
    yield Setting(cycle(5), 2.0, skewed_policy(5, 0.2))


def mixture_grid() -> Iterator[MixtureSetting]:
    """Cycles and others, with temperatures up to the inverse rate."""
    yield MixtureSetting(ROCK_PAPER_SCISSORS, 1.0, skewed_policy(3, 2), sampling="uniform", beta=0.1)
    yield MixtureSetting(two_actions(0.5), 0.2, beta=0.2, reference=np.array([0.02, 0.98]), note="a best response")
    yield MixtureSetting(cycle(5), 0.1, beta=0.02, reference=skewed_policy(5, 3), sampling="target")
    yield MixtureSetting(random_game(stream(0, "dno", "uniform"), 10), 0.3, beta=0.05)
    yield MixtureSetting(recorded_game("llmfao_59"), 0.5, beta=0.1, iterations=10)


def sampled_grid() -> Iterator[SampledSetting]:
    """Few and many pairs, of every law, on games with and without cycles."""
    rare = np.array([1e-3, 0.999])
    yield SampledSetting(two_actions(0.025), 1.0, iterations=15, pairs=100_000, width=0.05, note="near a tie")
    yield SampledSetting(two_actions(0.5), 1.0, rare, 60, sampling="uniform", pairs=20_000, note="rare winner")
    yield SampledSetting(ROCK_PAPER_SCISSORS, 0.5, skewed_policy(3, 1), sampling="target", pairs=10_000)
    yield SampledSetting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 1.0, iterations=60, pairs=1000)
    yield SampledSetting(cycle(5), 1.0, skewed_policy(5, 4), pairs=10)
    yield SampledSetting(random_game(stream(0, "dno", "uniform"), 10), 2.0, iterations=20, pairs=50)


def rare_winner_grid() -> Iterator[SampledSetting]:
    """A winner so rare that pairs from the policy do not meet it."""
    for weight, pairs in ((1e-9, 10), (1e-10, 100)):
        start = np.array([weight, 1 - weight])
        yield SampledSetting(two_actions(0.5), 1.0, start, SETTLED, pairs=pairs, note=f"winner of weight {weight:g}")


def regression_grid() -> Iterator[SampledSetting]:
    """Few pairs, for which the range of the error lets one judge."""
    yield SampledSetting(two_actions(0.02), 1.0, pairs=32, width=0.5)
    yield SampledSetting(two_actions(0.5), 0.5, np.array([0.3, 0.7]), sampling="uniform", pairs=32, width=0.5)
    yield SampledSetting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 1.0, sampling="target", pairs=32)


def rate_grid() -> Iterator[SampledSetting]:
    """Many pairs."""
    yield SampledSetting(cycle(5), 0.5, skewed_policy(5, 1), pairs=2**13)
    yield SampledSetting(random_game(stream(0, "dno", "five"), 5), 1.0, sampling="target", pairs=2**13)


def finite_grid() -> Iterator[FiniteClass]:
    """Small and large classes."""
    yield FiniteClass(two_actions(0.1), 1.0, pairs=2**12, policies=2, delta=0.05, width=0.2)
    yield FiniteClass(ROCK_PAPER_SCISSORS, 0.5, skewed_policy(3, 1), pairs=2**12, policies=20)
    yield FiniteClass(random_game(stream(0, "dno", "five"), 5), 1.0, sampling="uniform", pairs=2**12, policies=100)


def narrow_grid() -> Iterator[RatioSetting]:
    """Bounds for which the printed inequality fails."""
    return (RatioSetting(largest) for largest in (0.05, 0.5, 1.0, 1.5))


def wide_grid() -> Iterator[RatioSetting]:
    """Bounds from small to large."""
    return (RatioSetting(largest) for largest in (0.05, 0.25, 0.5, 1.0, 3.0))


def any_setting() -> "SearchStrategy[Setting]":
    """Any game, start, rate and law of pairs."""
    return _settings(Setting, {})


def any_mixture_setting() -> "SearchStrategy[MixtureSetting]":
    """Any game, start, reference, and temperature up to the inverse rate."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform, skewed_policies

    def regularized(drawn: tuple[MixtureSetting, float]) -> "SearchStrategy[MixtureSetting]":
        s, share = drawn
        policies = st.none() | skewed_policies(s.game.n, depth=30.0)
        return policies.map(lambda reference: replace(s, beta=share * s.inverse_rate, reference=reference))

    return st.tuples(_settings(MixtureSetting, {}), log_uniform(0.01, 1.0)).flatmap(regularized)


def any_cyclic_setting() -> "SearchStrategy[Setting]":
    """Any cycle, from elsewhere than the middle of it."""
    from hypothesis import strategies as st

    from rltheory.strategies import cycles, log_uniform, policies, weighted_cycles

    def started(game: PreferenceGame) -> "SearchStrategy[Setting]":
        starts = policies(game.n).filter(lambda policy: np.ptp(policy) > 0)
        return st.builds(Setting, st.just(game), log_uniform(0.5, 10.0), starts)

    return (weighted_cycles() | cycles(max_n=11)).flatmap(started)


def any_sampled_setting() -> "SearchStrategy[SampledSetting]":
    """Any game, start, rate and law, with few pairs or many."""
    from hypothesis import strategies as st

    return _settings(SampledSetting, {"pairs": st.integers(4, 10_000), "iterations": st.just(15)})


def any_regression() -> "SearchStrategy[SampledSetting]":
    """Any game, policy, rate and law, with few pairs."""
    from hypothesis import strategies as st

    return _settings(SampledSetting, {"pairs": st.sampled_from([4, 8, 16, 32])})


def any_finite_class() -> "SearchStrategy[FiniteClass]":
    """Any game, policy, rate and law, with classes from small to large."""
    from hypothesis import strategies as st

    classes = {"policies": st.integers(2, 50), "pairs": st.just(2**10), "delta": st.sampled_from([0.05, 0.2])}
    return _settings(FiniteClass, classes)


def any_rare_winner() -> "SearchStrategy[SampledSetting]":
    """Any winner that pairs from the policy do not meet."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    def setting(margin: float, weight: float) -> SampledSetting:
        start = np.array([weight, 1 - weight])
        return SampledSetting(two_actions(margin), 1.0, start, SETTLED, pairs=10)

    return st.builds(setting, st.floats(0.45, 0.5), log_uniform(1e-12, 1e-9))


def any_narrow_bound() -> "SearchStrategy[RatioSetting]":
    """Any bound for which the printed inequality fails."""
    from rltheory.strategies import log_uniform

    return log_uniform(1e-2, 1.58).map(RatioSetting)


def any_bound() -> "SearchStrategy[RatioSetting]":
    """Any bound."""
    from rltheory.strategies import log_uniform

    return log_uniform(1e-2, 20.0).map(RatioSetting)


def _settings(kind: Any, fields: dict[str, "SearchStrategy[Any]"]) -> "SearchStrategy[Any]":
    """Settings of a class on adverse games."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_games, log_uniform, skewed_policies

    def build(game: PreferenceGame) -> "SearchStrategy[Any]":
        starts = st.none() | skewed_policies(game.n, depth=100.0)
        common = {"inverse_rate": log_uniform(0.01, 10.0), "start": starts, "sampling": st.sampled_from(SAMPLING)}
        return st.builds(kind, st.just(game), **common, **fields)

    return adverse_games(longest_cycle=21).flatmap(build)


# Sides. ------------------------------------------------------------------------------------------


def gain(s: Setting, trace: Trace) -> Array:
    """Edge of the next policy over the current one, P(pi_{t+1} > pi_t) - 1/2."""
    edges: Array = (np.exp(trace["log_next"]) * win_rates(s, trace["log_policy"])).sum(axis=-1)
    return edges


def excess_loss(s: Setting, trace: Trace, anchor: str) -> Array:
    """Loss of the random policy minus that of the next one; win rates and ratios are those of the anchor."""
    law, sure = pairs_and_labels(s, trace, anchor)
    losses = []
    for name in ("log_candidate", "log_next"):
        ahead = s.inverse_rate * differences(trace[name] - trace[anchor])
        cross_entropy = sigmoid(sure) * np.logaddexp(0, -ahead) + sigmoid(-sure) * np.logaddexp(0, ahead)
        losses.append(pair_mean(law, law, cross_entropy))
    return losses[0] - losses[1]


def label_divergence(s: Setting, trace: Trace, anchor: str) -> Array:
    """Mean divergence of the labels from those that the random policy stands for."""
    law, sure = pairs_and_labels(s, trace, anchor)
    ahead = s.inverse_rate * differences(trace["log_candidate"] - trace[anchor])
    return pair_mean(law, law, kl(log_coin(sure), log_coin(ahead)))


def pairs_and_labels(s: Setting, trace: Trace, anchor: str) -> tuple[Array, Array]:
    """Law of the pairs, and differences of win rates."""
    law = sampling_law(s.sampling, trace[anchor], trace["log_next"])
    return law, differences(win_rates(s, trace[anchor]))


def log_coin(x: Array) -> Array:
    """Log-probabilities of a coin that shows heads with probability sigma(x), shape (..., 2)."""
    return -np.logaddexp(0, np.stack([-x, x], axis=-1))


def ratio_spread(log_p: Array, log_q: Array) -> Array:
    """Mean of (L(a) - L(b))^2 for L = log p / q, with a from p and b from q."""
    return pair_mean(np.exp(log_p), np.exp(log_q), differences(log_p - log_q) ** 2)


def ratio_moments(log_p: Array, log_q: Array) -> Array:
    """The same, from moments and divergences."""
    squares = (log_p - log_q) ** 2
    second = (np.exp(log_p) * squares).sum(axis=-1) + (np.exp(log_q) * squares).sum(axis=-1)
    moments: Array = second + 2 * kl(log_p, log_q) * kl(log_q, log_p)
    return moments


def squared_variation(log_p: Array, log_q: Array) -> Array:
    """Squared total variation."""
    return (l1(log_p, log_q) / 2) ** 2


def over_coverage(log_p: Array, log_q: Array, seen: Array) -> Array:
    """TV^2 / C, where C is the spread of the log-ratio over what is `seen` of it; 0 where nothing is."""
    log_p, log_q = np.broadcast_arrays(log_p, log_q)
    spread = ratio_spread(log_p, log_q)
    quotient: Array = np.divide(seen, spread, out=np.zeros_like(spread), where=spread > 0)
    return squared_variation(log_p, log_q) * quotient


def error_over_drawn_coverage(s: SampledSetting, trace: Trace) -> Array:
    """TV^2 / C with the coverage by the drawn pairs."""
    ratio = differences(s.log_target - trace["log_next"])
    seen = (trace["labels"] * ratio**2).sum(axis=(-2, -1)) / trace.times[:, None]
    return over_coverage(s.log_target, trace["log_next"], seen)[:, 0]


def error_over_coverage(s: SampledSetting, log_next: Array) -> Array:
    """TV^2 / C with the coverage by the law of the pairs."""
    law = sampling_law(s.sampling, s.log_start, s.log_target)
    seen = pair_mean(law, law, differences(s.log_target - log_next) ** 2)
    return over_coverage(s.log_target, log_next, seen)


def score_error(s: SampledSetting, trace: Trace) -> Array:
    """Mean squared error of the fitted differences of scores, over the drawn pairs."""
    exact = exact_update(trace["log_policy"], win_rates(s, trace["log_policy"]), s.inverse_rate)
    squares = (s.inverse_rate * differences(trace["log_next"] - exact)) ** 2
    errors: Array = (trace["labels"] * squares).sum(axis=(-2, -1)) / s.pairs
    return errors


def label_noise(s: SampledSetting, trace: Trace) -> Array:
    """<xi, G^+ xi> for the labels' noise xi and the pairs' graph G."""
    labels = trace["labels"] / s.pairs
    pull = labels * sigmoid(-differences(win_rates(s, trace["log_policy"])))
    noise = pull.sum(axis=2) - pull.sum(axis=1)
    met = labels + labels.swapaxes(1, 2)
    graph = np.eye(s.game.n) * met.sum(axis=2)[:, None] - met
    # Eigenvalues of a graph are 0, or far above this part of the largest.
    inverse = np.linalg.pinv(graph, 1e-12, hermitian=True)
    forms: Array = np.einsum("ta,tab,tb->t", noise, inverse, noise)
    return forms


def hedge_bound(s: Setting, trace: Trace) -> Array:
    """What Hedge promises of the average."""
    bound: Array = s.inverse_rate * -s.log_start.min() / (trace.times + 1) + 1 / (8 * s.inverse_rate)
    return bound


def average(errors: Array) -> Array:
    """Averages of the errors of iterations 0 to t."""
    means: Array = np.cumsum(errors) / np.arange(1, len(errors) + 1)
    return means


def distance_to_hedge(s: Setting, trace: Trace) -> Array:
    """Total variation between each policy and Hedge on the win rates so far."""
    rates = win_rates(s, trace["log_policy"])
    before = np.cumsum(rates, axis=0) - rates
    return l1(trace["log_policy"], log_normalize(s.log_start + before / s.inverse_rate)) / 2


def one_step_variation(trace: Trace) -> Array:
    """Total variation between each policy and the exact update of its predecessor."""
    return l1(trace["log_next"], trace["log_target"]) / 2


def improves_and_recedes(s: Setting, trace: Trace) -> NDArray[np.bool_]:
    """Whether the next policy beats the current one, and is farther from the equilibrium."""
    equilibrium = np.log(minimax_winner(s.game).policy)
    recedes: NDArray[np.bool_] = kl(equilibrium, trace["log_next"]) > kl(equilibrium, trace["log_policy"])
    return recedes & (gain(s, trace) > 0)


def quotient_exceeds_printed(s: RatioSetting, trace: Trace) -> NDArray[np.bool_]:
    """Whether the numbers are within their bounds, and the printed inequality fails for them."""
    a, b = trace["a"], trace["b"]
    printed = s.largest / (1 - sigmoid(1)) * np.abs(sigmoid(a) - sigmoid(b))
    fails: NDArray[np.bool_] = (np.abs(a) <= 1) & (np.abs(b) <= s.largest) & (np.abs(a - b) > printed)
    return fails


def has_full_support_winner(s: Setting) -> bool:
    """Whether the minimax winner plays all actions, and the run starts elsewhere."""
    policy = minimax_winner(s.game).policy
    return bool(policy.min() > 1e-6) and float(kl(np.log(policy), s.log_start)) > 1e-6


GAME: Hypotheses = {
    "$P + P^\\top = 1$ with entries in $[0, 1]$": BY_CONSTRUCTION,
    "$\\eta > 0$ and a first policy with full support": BY_CONSTRUCTION,
}
REALIZABLE_THROUGHOUT: Hypotheses = {
    "win rates differ by $B$ at most, whatever the opponent": lambda s: bool(
        np.ptp(s.game.payoff, axis=0).max() <= s.width
    )
}
REALIZABLE: Hypotheses = {
    "win rates against $\\pi_t$ differ by $B$ at most": lambda s: bool(
        span(win_rates(s, s.log_start)) <= s.width * (1 + 1e-12)
    )
}

EXACT = "$\\pi_{t+1} \\propto \\pi_t e^{r / \\eta}$ with $r = P \\pi_t$; $\\eta$: the inverse rate"
LOSS = (
    "$\\ell(\\pi) = -\\mathbb{E} \\bigl[\\sigma(r_a - r_b) \\log \\sigma(\\Delta_\\pi) + \\sigma(r_b - r_a) \\log "
    "\\sigma(-\\Delta_\\pi)\\bigr]$ over pairs $a, b \\sim \\mu$; $\\mu$: the law of either action; "
)
BERNOULLI = "; $\\mathrm{Ber}(p)$: the law of a coin; $\\sigma$: the logistic function"
DELTA = "$\\Delta_\\pi(a, b) = \\eta \\log \\frac{\\pi(a)}{\\pi_t(a)} - \\eta \\log \\frac{\\pi(b)}{\\pi_t(b)}$; "
TWO = "$p$, $q$: any policies with full support; $L = \\log \\frac{p}{q}$; $a$ is drawn from $p$ and $b$ from $q$"
LEARNT = (
    "$\\pi_{t+1} \\propto \\pi_t e^{f / \\eta}$, where $f$ maximises the likelihood of $N$ labels among scores in a box of "
    "width $B$; $\\pi_+ \\propto \\pi_t e^{r / \\eta}$ with $r = P \\pi_t$: the exact update; "
)
RUN = (
    "$\\pi_t$: the policies of a run on labelled pairs; $\\bar\\pi_t$: the average of $\\pi_0, \\dots, \\pi_t$; "
    "$\\mathcal{E}_0(\\pi) = \\max_a (P \\pi)_a - 1/2$; $T = t + 1$; $L = \\max_a \\log \\frac{1}{\\pi_0(a)}$; "
)

IMPROVEMENT_PRINTED = Theorem(
    name="dno/improvement-printed",
    title="The exact update beats the policy that it starts from, by a divergence",
    paper=Paper(PAPER, "monotone improvement of the exact update"),
    standing=Standing.SEEN,
    statement=r"\eta\, \mathrm{KL}(\pi_{t+1} \| \pi_t) \le P(\pi_{t+1} \succ \pi_t) - \tfrac12",
    symbols=EXACT,
    kind=EveryStep(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=improve,
    measured=lambda s, trace: s.inverse_rate * kl(trace["log_next"], trace["log_policy"]),
    bound=lambda s, trace: np.maximum(gain(s, trace), 0.0),
    settings=grid,
    strategy=any_setting,
    controls={"three times the rate": improve_much_too_fast},
    remark="Where steps are small it is half of what is gained, since the reverse divergence is as large; at fast rates it "
    "is nearly all, $1 - 2 \\eta$ of it when a sure winner is raised and stays rare all the same.",
)

IMPROVEMENT = Theorem(
    name="dno/improvement",
    title="What the exact update gains is both divergences between it and the policy",
    paper=Paper(PAPER, "monotone improvement of the exact update, made exact"),
    standing=Standing.DERIVED,
    statement=r"P(\pi_{t+1} \succ \pi_t) - \tfrac12 = \eta\, \bigl[\mathrm{KL}(\pi_{t+1} \| \pi_t) + \mathrm{KL}(\pi_t \| \pi_{t+1})\bigr]",
    symbols=EXACT,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=improve,
    measured=gain,
    bound=lambda s, trace: (
        s.inverse_rate * (kl(trace["log_next"], trace["log_policy"]) + kl(trace["log_policy"], trace["log_next"]))
    ),
    settings=grid,
    strategy=any_setting,
    controls={"rate wrong by 1 %": improve_too_fast},
)

IMPROVEMENT_WITHOUT_CONVERGENCE = Theorem(
    name="dno/improvement-without-convergence",
    title="Policies that beat their predecessors, one after the other, need not converge",
    paper=Paper(PAPER, "what monotone improvement does not say"),
    standing=Standing.DERIVED,
    statement=r"P(\pi_{t+1} \succ \pi_t) > \tfrac12 \quad\text{and}\quad \mathrm{KL}(\pi^* \| \pi_{t+1}) > \mathrm{KL}(\pi^* \| \pi_t) \quad\text{for all } t",
    symbols=EXACT + "; $\\pi^*$: the minimax winner",
    kind=Existence(),
    hypotheses=GAME | {"$\\pi^*$ plays all actions, and $\\pi_0 \\ne \\pi^*$": has_full_support_winner},
    run=improve,
    measured=improves_and_recedes,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=cyclic_grid,
    strategy=any_cyclic_setting,
    controls={"the game is regularised": improve_with_magnet},
    remark="It is the average of the policies that converges.",
)

EXCESS_LOSS = Theorem(
    name="dno/excess-loss",
    title="What a policy loses to the exact update is the divergence of the labels that it stands for",
    paper=Paper(PAPER, "population loss of Algorithm 1"),
    standing=Standing.DERIVED,
    statement=r"\ell(\pi) - \ell(\pi_{t+1}) = \mathbb{E}_{a, b \sim \mu}\, \mathrm{KL}\bigl(\mathrm{Ber}(\sigma(r_a - r_b)) \,\|\, \mathrm{Ber}(\sigma(\Delta_\pi(a, b)))\bigr)",
    symbols=LOSS + DELTA + "$\\pi$: any policy; " + EXACT + BERNOULLI,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=compete,
    measured=lambda s, trace: excess_loss(s, trace, "log_policy"),
    bound=lambda s, trace: label_divergence(s, trace, "log_policy"),
    settings=grid,
    strategy=any_setting,
    controls={"rate wrong by 1 %": compete_too_fast},
    remark="So the exact update is the only minimiser if all pairs are drawn, and the population version is Hedge.",
)

MIXTURE_UPDATE = Theorem(
    name="dno/nash-md",
    title="With the geometric mixture as opponent and anchor, the regression finds the step of Nash-MD",
    paper=Paper(PAPER, "Appendix A, the option that samples from the mixture"),
    standing=Standing.DERIVED,
    statement=r"\ell(\pi) - \ell(\pi_{t+1}) = \mathbb{E}_{a, b \sim \mu}\, \mathrm{KL}\bigl(\mathrm{Ber}(\sigma(r_a - r_b)) \,\|\, \mathrm{Ber}(\sigma(\Delta_\pi(a, b)))\bigr)",
    symbols=LOSS
    + "$\\Delta_\\pi(a, b) = \\eta \\log \\frac{\\pi(a)}{m_t(a)} - \\eta \\log \\frac{\\pi(b)}{m_t(b)}$ and $r = P m_t$ "
    "with the mixture $m_t \\propto \\pi_t^{1 - \\beta / \\eta} \\pi_{\\mathrm{ref}}^{\\beta / \\eta}$; $\\pi$: any policy; "
    "$\\pi_{t+1}$: the iterate of Nash-MD with rate $1 / \\eta$" + BERNOULLI,
    kind=Identity(rounding=lambda s: s.value_rounding),
    hypotheses=GAME | {"$0 < \\beta \\le \\eta$": lambda s: s.beta <= s.inverse_rate},
    run=improve_on_mixture,
    measured=lambda s, trace: excess_loss(s, trace, "log_mixture"),
    bound=lambda s, trace: label_divergence(s, trace, "log_mixture"),
    settings=mixture_grid,
    strategy=any_mixture_setting,
    controls={"the policy as opponent": improve_on_policy},
    remark="With a constant rate, Nash-MD converges, but to another policy than the regularised equilibrium.",
)

RATIO_SPREAD = Theorem(
    name="dno/ratio-spread",
    title="The spread of a log-ratio over pairs, by its moments",
    paper=Paper(PAPER, "proof of Theorem 2, from squared error to total variation"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, (L(a) - L(b))^2 = \mathbb{E}_p L^2 + \mathbb{E}_q L^2 + 2\, \mathrm{KL}(p \| q)\, \mathrm{KL}(q \| p)",
    symbols=TWO,
    kind=Identity(rounding=lambda s: s.square_rounding),
    hypotheses=GAME,
    run=compete,
    measured=lambda s, trace: ratio_spread(trace["log_next"], trace["log_candidate"]),
    bound=lambda s, trace: ratio_moments(trace["log_next"], trace["log_candidate"]),
    settings=grid,
    strategy=any_setting,
    controls={"a policy that adds up to 1.1": compete_unnormalised},
)

TOTAL_VARIATION = Theorem(
    name="dno/total-variation",
    title="Total variation is at most what the log-ratio spreads over pairs",
    paper=Paper(PAPER, "proof of Theorem 2, from squared error to total variation"),
    standing=Standing.DERIVED,
    statement=r"8\, \mathrm{TV}(p, q)^2 \le \mathbb{E}\, (L(a) - L(b))^2",
    symbols=TWO,
    kind=EveryStep(rounding=lambda s: s.square_rounding),
    hypotheses=GAME,
    run=compete,
    measured=lambda s, trace: 8 * squared_variation(trace["log_next"], trace["log_candidate"]),
    bound=lambda s, trace: ratio_spread(trace["log_next"], trace["log_candidate"]),
    settings=grid,
    strategy=any_setting,
    controls={"a policy that adds up to 1.1": compete_unnormalised},
    remark="Approached by two even policies of two actions that come close to each other.",
)

PRINTED_QUOTIENT_FAILS = Theorem(
    name="dno/printed-quotient-fails",
    title="The printed inequality between scores and labels fails for small bounds",
    paper=Paper(PAPER, "proof of Theorem 2, eq. (18), corrected"),
    standing=Standing.DERIVED,
    statement=r"|a - b| > \frac{\eta R}{1 - \sigma(1)}\, |\sigma(a) - \sigma(b)| \quad\text{for some } |a| \le 1,\ |b| \le \eta R",
    symbols="$a$: a difference of win rates; $b$: one of log-ratios, times $\\eta$; $R$: the bound on log-ratios",
    kind=Existence(),
    hypotheses={"$\\eta R < 1.59$": lambda s: s.largest < 1.59},
    run=witness,
    measured=quotient_exceeds_printed,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=narrow_grid,
    strategy=any_narrow_bound,
    controls={"a tie in place of a sure win": witness_of_a_tie},
    remark="The paper prints $\\le$ for all such $a$ and $b$. At $\\eta R = 1/2$ the largest quotient is 4.60 and the "
    "printed constant 1.86. A table whose scores are win rates has $\\eta R = 1$, where it fails. Inside $O(\\cdot)$ with "
    "$\\eta R$ bounded below it does no harm.",
)

QUOTIENT = Theorem(
    name="dno/quotient",
    title="Scores differ by at most a constant times the labels' probabilities",
    paper=Paper(PAPER, "proof of Theorem 2, eq. (18), corrected"),
    standing=Standing.DERIVED,
    statement=r"|a - b| \le K\, |\sigma(a) - \sigma(b)|, \qquad K = \frac{M - 1}{\sigma(M) - \sigma(1)}, \quad M = 2 \eta R",
    symbols="$|a| \\le 1$: a difference of win rates; $|b| \\le M$: one of log-ratios, times $\\eta$; $R$: the bound on "
    "log-ratios; $K = 1 / \\sigma'(1) = 5.09$ at $M = 1$",
    kind=EveryStep(rounding=lambda s: 8 * EPS * largest_quotient(2 * s.largest)),
    hypotheses={"$\\eta R > 0$": BY_CONSTRUCTION},
    run=draw_ratios,
    measured=lambda s, trace: np.abs(trace["a"] - trace["b"]),
    bound=lambda s, trace: largest_quotient(2 * s.largest) * np.abs(sigmoid(trace["a"]) - sigmoid(trace["b"])),
    settings=wide_grid,
    strategy=any_bound,
    controls={"scores twice as large as allowed": draw_wide_ratios},
    remark="Attained at $a = 1$, $b = M$. The paper prints $\\eta R / (1 - \\sigma(1))$ in place of $K$, and bounds $b$ by "
    "$\\eta R$, although a difference of two log-ratios reaches $2 R$.",
)

FINITE_CLASS = Theorem(
    name="dno/finite-class",
    title="The likeliest of finitely many policies is close to the exact update",
    paper=Paper(PAPER, "Theorem 2, with constants"),
    standing=Standing.DERIVED,
    statement=r"\frac{\mathrm{TV}(\pi_{t+1}, \pi_+)^2}{C} \le \frac{K^2 \log(|\Pi| / \delta)}{4 \eta^2 N} \quad\text{for all } N",
    symbols="$\\pi_{t+1}$: the policy of $\\Pi$ that is likeliest after $N$ labels; $\\pi_+ \\in \\Pi$: the exact update; "
    "$C$: the mean of $(L(a) - L(b))^2$ for $a \\sim \\pi_+$ and $b \\sim \\pi_{t+1}$ over that for $a, b \\sim \\mu$, the "
    "law of the pairs, where $L = \\log \\frac{\\pi_+}{\\pi_{t+1}}$; $K = \\frac{B - 1}{\\sigma(B) - \\sigma(1)}$",
    kind=WithProbability(rounding=lambda s: s.square_rounding, delta=lambda s: s.delta),
    hypotheses=GAME
    | REALIZABLE
    | {"$|\\Delta_\\pi| \\le B$ in $\\Pi$": lambda s: bool(span(s.scores).max() <= s.width * (1 + 1e-12))},
    run=choose,
    measured=lambda s, trace: error_over_coverage(s, trace["log_next"]),
    bound=lambda s, trace: (
        largest_quotient(s.width) ** 2 * math.log(s.policies / s.delta) / (4 * s.inverse_rate**2 * trace.times)
    ),
    settings=finite_grid,
    strategy=any_finite_class,
    controls={"winners taken for losers": choose_reversed},
    remark="The paper states $O(C R^2 \\log(|\\Pi| / \\delta) / N)$ for one $N$. All $N$ at once cost nothing: likelihood "
    "ratios are supermartingales.",
)

REGRESSION = Theorem(
    name="dno/regression",
    title="Scores err by no more than the labels do, up to the curvature of the loss",
    paper=Paper(PAPER, "Theorem 2, for a table"),
    standing=Standing.DERIVED,
    statement=r"\frac1N \sum_{i=1}^N (\Delta_{\pi_{t+1}} - \Delta_{\pi_+})(y_i, y'_i)^2 \le \frac{\langle \xi, G^+ \xi \rangle}{\sigma'(B)^2}",
    symbols=LEARNT
    + "$x_i = e_{y_i} - e_{y'_i}$ for the pairs in the order of their labels; $\\xi = \\frac1N \\sum_i \\sigma(r_{y'_i} - "
    "r_{y_i})\\, x_i$: the labels' noise; $G = \\frac1N \\sum_i x_i x_i^\\top$",
    kind=EveryStep(rounding=lambda s: s.search_rounding),
    hypotheses=GAME | REALIZABLE_THROUGHOUT,
    run=learn,
    measured=score_error,
    bound=lambda s, trace: label_noise(s, trace) / s.curvature**2,
    settings=sampled_grid,
    strategy=any_sampled_setting,
    controls={"winners taken for losers": learn_reversed},
    remark="Whatever the labels are. Given the pairs, the noise has expectation $(n - 1) / (4 N)$ at most.",
)

FINITE_SAMPLE = Theorem(
    name="dno/finite-sample",
    title="The expected squared total variation of a tabular regression is of the order of n / N",
    paper=Paper(PAPER, "Theorem 2, for a table and with constants"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, \frac{\mathrm{TV}(\pi_{t+1}, \pi_+)^2}{\hat C} \le \frac{n - 1}{32\, \eta^2\, \sigma'(B)^2\, N}",
    symbols=LEARNT
    + "$\\hat C$: the mean of $(L(a) - L(b))^2$ for $a \\sim \\pi_+$ and $b \\sim \\pi_{t+1}$ over that for the drawn pairs, "
    "where $L = \\log \\frac{\\pi_+}{\\pi_{t+1}}$; infinite if these show nothing",
    kind=InExpectation(
        rounding=lambda s: s.search_rounding / (8 * s.inverse_rate**2),
        low=lambda s: 0.0,
        high=lambda s: s.width**2 / (2 * s.inverse_rate**2),
    ),
    hypotheses=GAME | REALIZABLE,
    run=regress,
    measured=error_over_drawn_coverage,
    bound=lambda s, trace: (s.game.n - 1) / (32 * s.inverse_rate**2 * s.curvature**2 * trace.times),
    settings=regression_grid,
    strategy=any_regression,
    controls={"winners taken for losers": regress_reversed},
    remark="No logarithm and no failure rate; it holds for any pairs, drawn or chosen.",
)

FINITE_SAMPLE_RATE = Theorem(
    name="dno/finite-sample-rate",
    title="Squared total variation falls like one over the number of pairs",
    paper=Paper(PAPER, "Theorem 2, whose constant is an O(.)"),
    standing=Standing.RECALLED,
    statement=r"\mathbb{E}\, \frac{\mathrm{TV}(\pi_{t+1}, \pi_+)^2}{C} = O\Bigl(\frac{R^2 \log |\Pi|}{N}\Bigr)",
    symbols=LEARNT
    + f"the mean is over {REPEATED} regressions; $C$: the mean of $(L(a) - L(b))^2$ for $a \\sim \\pi_+$ and $b \\sim "
    "\\pi_{t+1}$ over that for pairs from their law, where $L = \\log \\frac{\\pi_+}{\\pi_{t+1}}$; $R = B / \\eta$; the bound is "
    "drawn with $n - 1$ in place of $\\log |\\Pi|$",
    kind=EveryStep(rounding=lambda s: s.search_rounding / (8 * s.inverse_rate**2)),
    hypotheses=GAME | REALIZABLE,
    run=regress_often,
    measured=lambda s, trace: error_over_coverage(s, trace["log_next"]).mean(axis=-1),
    bound=lambda s, trace: (s.game.n - 1) * (s.width / s.inverse_rate) ** 2 / trace.times,
    settings=rate_grid,
    controls={"winners taken for losers": regress_reversed_often},
    rate=PowerLaw(lambda s: -1.0),
)

MIXTURE = Theorem(
    name="dno/mixture",
    title="The average is as good as Hedge's, up to the mean distance to Hedge on the same win rates",
    paper=Paper(PAPER, "convergence of the mixture, argued from that of SPO"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_0(\bar\pi_t) \le \frac{\eta L}{T} + \frac{1}{8 \eta} + \frac1T \sum_{s=0}^{t} \mathrm{TV}(\pi_s, h_s)",
    symbols=RUN + "$h_s \\propto \\pi_0 \\exp\\bigl(\\frac1\\eta \\sum_{j < s} P \\pi_j\\bigr)$: Hedge",
    kind=EveryStep(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=learn,
    measured=lambda s, trace: exploitability(s.game, trace["mean"]),
    bound=lambda s, trace: hedge_bound(s, trace) + average(distance_to_hedge(s, trace)),
    settings=sampled_grid,
    strategy=any_sampled_setting,
    controls={"the last policy for the average": learn_without_average},
    trivial=lambda s: 0.5,
    remark="Distances to the exact update of the predecessor do not serve in their place.",
)

MIXTURE_LOG_ERRORS = Theorem(
    name="dno/mixture-log-errors",
    title="The average is as good as Hedge's, up to the mean error of the logarithms",
    paper=Paper(PAPER, "convergence of the mixture, argued from that of SPO"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_0(\bar\pi_t) \le \frac{\eta L}{T} + \frac{1}{8 \eta} + \frac{\eta}{T} \sum_{s=0}^{t} \max_a \log \frac{\pi_{s+}(a)}{\pi_{s+1}(a)}",
    symbols=RUN + "$\\pi_{s+} \\propto \\pi_s e^{P \\pi_s / \\eta}$: the exact update",
    kind=EveryStep(rounding=lambda s: s.value_rounding),
    hypotheses=GAME,
    run=learn,
    measured=lambda s, trace: exploitability(s.game, trace["mean"]),
    bound=lambda s, trace: (
        hedge_bound(s, trace) + s.inverse_rate * average((trace["log_target"] - trace["log_next"]).max(axis=-1))
    ),
    settings=sampled_grid,
    strategy=any_sampled_setting,
    controls={"the last policy for the average": learn_without_average, "payoffs ignored": learn_ignoring_payoffs},
    trivial=lambda s: 0.5,
    remark="Errors of single iterations do add, if they are measured in the logarithms: what must not be lost is weight "
    "of rare actions.",
)

VARIATION_DOES_NOT_ADD = Theorem(
    name="dno/variation-does-not-add",
    title="Errors of single iterations in total variation do not bound the average's",
    paper=Paper(PAPER, "convergence of the mixture, corrected"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}_0(\bar\pi_t) > \frac{\eta L}{T} + \frac{1}{8 \eta} + \frac{1000}{T} \sum_{s=0}^{t} \mathrm{TV}(\pi_{s+1}, \pi_{s+})",
    symbols=RUN + "$\\pi_{s+} \\propto \\pi_s e^{P \\pi_s / \\eta}$: the exact update",
    kind=Existence(),
    hypotheses=GAME | {"pairs from the policy": lambda s: s.sampling == "policy"},
    run=learn,
    measured=lambda s, trace: (
        exploitability(s.game, trace["mean"]) > hedge_bound(s, trace) + LARGE * average(one_step_variation(trace))
    ),
    bound=lambda s, trace: np.ones(trace.times.size),
    since=SETTLED,
    settings=rare_winner_grid,
    strategy=any_rare_winner,
    controls={"pairs drawn uniformly": learn_from_uniform_pairs},
    remark="The paper argues, without a proof, that the mixture converges up to such errors. But the exact update moves a "
    "winner of weight $w$ by the order of $w$ only: a regression that does not meet it errs by no more, and never moves.",
)
