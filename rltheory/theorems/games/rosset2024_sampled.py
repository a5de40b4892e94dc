r"""Direct Nash optimisation from labelled pairs: what a regression can know, and what the average of its policies is worth.

Letters are those of :mod:`rltheory.theorems.games.rosset2024`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rltheory.algorithms.games.direct_nash_optimization import (
    direct_nash_optimization,
    draw_labels,
    exact_update,
    fit_scores,
    sampling_law,
)
from rltheory.arrays import Array, Matrix, Times, count, positive
from rltheory.instances import cycle, random_game, skewed_policy, weighted_rock_paper_scissors
from rltheory.measures import exploitability, l1
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_normalize, span
from rltheory.simulation import stream
from rltheory.theorems.games.regularized_game import Hypotheses
from rltheory.theorems.games.rosset2024 import (
    EPS,
    GAME,
    PAPER,
    ROCK_PAPER_SCISSORS,
    Setting,
    differences,
    extended,
    pair_mean,
    ratio_spread,
    settings_of,
    sigmoid,
    squared_variation,
    two_actions,
    win_rates,
)
from rltheory.theory import (
    BY_CONSTRUCTION,
    EveryStep,
    Existence,
    InExpectation,
    Paper,
    PowerLaw,
    Standing,
    Theorem,
    WithProbability,
)
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

REPEATED = 128  # regressions that are averaged at each number of pairs
LARGE = 1000.0  # a constant that total variation would need, and more
SETTLED = 100  # iterations after which that shows


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


def slope(x: float) -> float:
    """Slope of the logistic function."""
    return 1 / (4 * math.cosh(x / 2) ** 2)


def largest_quotient(bound: float) -> float:
    """Supremum of |a - b| / |sigma(a) - sigma(b)| over |a| <= 1 and |b| <= bound: at a = 1 and b = bound."""
    half = (bound - 1) / 2
    shrink = half / math.sinh(half) if half else 1.0
    return 4 * math.cosh(1 / 2) * math.cosh(bound / 2) * shrink


# Runs. ------------------------------------------------------------------------------------------


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


def any_sampled_setting() -> "SearchStrategy[SampledSetting]":
    """Any game, start, rate and law, with few pairs or many."""
    from hypothesis import strategies as st

    return settings_of(SampledSetting, {"pairs": st.integers(4, 10_000), "iterations": st.just(15)})


def any_regression() -> "SearchStrategy[SampledSetting]":
    """Any game, policy, rate and law, with few pairs."""
    from hypothesis import strategies as st

    return settings_of(SampledSetting, {"pairs": st.sampled_from([4, 8, 16, 32])})


def any_finite_class() -> "SearchStrategy[FiniteClass]":
    """Any game, policy, rate and law, with classes from small to large."""
    from hypothesis import strategies as st

    classes = {"policies": st.integers(2, 50), "pairs": st.just(2**10), "delta": st.sampled_from([0.05, 0.2])}
    return settings_of(FiniteClass, classes)


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


# Sides. ------------------------------------------------------------------------------------------


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


def quotient_exceeds_printed(s: RatioSetting, trace: Trace) -> NDArray[np.bool_]:
    """Whether the numbers are within their bounds, and the printed inequality fails for them."""
    a, b = trace["a"], trace["b"]
    printed = s.largest / (1 - sigmoid(1)) * np.abs(sigmoid(a) - sigmoid(b))
    fails: NDArray[np.bool_] = (np.abs(a) <= 1) & (np.abs(b) <= s.largest) & (np.abs(a - b) > printed)
    return fails


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


LEARNT = (
    "$\\pi_{t+1} \\propto \\pi_t e^{f / \\eta}$, where $f$ maximises the likelihood of $N$ labels among scores in a box of "
    "width $B$; $\\pi_+ \\propto \\pi_t e^{r / \\eta}$ with $r = P \\pi_t$: the exact update; "
)


RUN = (
    "$\\pi_t$: the policies of a run on labelled pairs; $\\bar\\pi_t$: the average of $\\pi_0, \\dots, \\pi_t$; "
    "$\\mathcal{E}_0(\\pi) = \\max_a (P \\pi)_a - 1/2$; $T = t + 1$; $L = \\max_a \\log \\frac{1}{\\pi_0(a)}$; "
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
