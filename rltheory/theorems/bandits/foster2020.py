r"""Inverse gap weighting: what a round costs, the regret of SquareCB, rates of its kin, and what a wrong class does.

Where an oracle predicts :math:`\hat f` for K arms and b is the best prediction, an arm :math:`a \ne b` is pulled with
probability :math:`p(a) = 1 / (K + \gamma g(a))`, where :math:`g(a) = \hat f(b) - \hat f(a)`. The true means are f.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.algorithms.bandits import (
    ContextualPolicy,
    exponential_weights,
    falcon,
    inverse_gap_weights,
    oracle_epsilon_greedy,
    play_contextual_bandit,
    retrain,
    square_cb,
)
from rltheory.arrays import Array, Times, Vector, count, float_array, fraction, positive
from rltheory.problems import ContextualBandit
from rltheory.simulation import stream
from rltheory.theory import (
    EveryStep,
    Existence,
    Identity,
    InExpectation,
    Paper,
    PowerLaw,
    PowerLog,
    Standing,
    Theorem,
)
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "foster2020"
POINTS = 30  # recorded times
TOGETHER = 32  # replicates of which a run is the mean
DRAWS = 100  # true means at random, for each of which there is a round
PER_ROUND = 1e-12  # of rounding: pulls are counted, and gaps are exact to some last bits


@dataclass(frozen=True, eq=False)
class Round:
    """Predictions and the parameter of inverse gap weighting.

    Parameters
    ----------
    predictions : array, shape (K,)
        Predicted means of K >= 2 arms.
    gamma
        The parameter, > 0.
    """

    predictions: Vector
    gamma: float

    def __post_init__(self) -> None:
        float_array(self.predictions, "predictions", ndim=1)
        positive(self.gamma, "gamma")
        if self.predictions.size < 2:
            raise ValueError(f"predictions has {self.predictions.size} entries; there must be at least 2 arms")

    def __str__(self) -> str:
        return f"predictions {np.array2string(self.predictions, precision=3)}, gamma = {self.gamma:g}"

    @property
    def arms(self) -> int:
        """Number of arms."""
        return self.predictions.size

    @property
    def gaps(self) -> Vector:
        """Predicted gaps."""
        gaps: Vector = self.predictions.max() - self.predictions
        return gaps

    @property
    def dearest(self) -> float:
        """Largest cost of a round, beyond its estimation error."""
        # As gaps / (K + gamma gap) in place of gaps times probabilities: that of the best arm counts for nothing.
        return (self.arms - 1) / self.gamma + float((self.gaps / (self.arms + self.gamma * self.gaps)).sum())

    @property
    def rounding(self) -> float:
        """Absolute allowance: products of means of up to 2 (K - 1) / gamma + 2 gaps, and their squares."""
        largest = float(np.abs(self.predictions).max())
        return 1e-13 * self.arms * (1 + largest + self.gamma * (1 + self.dearest) ** 2)


def worst_truths(s: Round, weights: Vector) -> Array:
    """For each arm the means that make a round dearest, compared with it; row a is that of arm a."""
    truths: Array = np.tile(s.predictions - 2 / s.gamma, (s.arms, 1))
    np.fill_diagonal(truths, s.predictions + 2 * (1 - weights) / (s.gamma * weights))
    return truths


def _rounds(s: Round, weights: Vector, truths: Array) -> Trace:
    regrets = truths.max(axis=1) - truths @ weights
    errors = (s.predictions - truths) ** 2 @ weights
    values = {"regret": (("time",), regrets), "error": (("time",), errors)}
    return Trace("inverse gap weighting", np.arange(len(truths)), values, "draw")


def _any_truths(s: Round, weights: Vector, rng: np.random.Generator) -> Trace:
    return _rounds(s, weights, np.vstack([worst_truths(s, weights), rng.random((DRAWS, s.arms))]))


def weigh(s: Round, rng: np.random.Generator) -> Trace:
    """Rounds with worst true means, and with random ones."""
    return _any_truths(s, inverse_gap_weights(s.predictions, s.gamma), rng)


def weigh_alike(s: Round, rng: np.random.Generator) -> Trace:
    """All arms alike, as if there were no predictions."""
    return _any_truths(s, np.full(s.arms, 1 / s.arms), rng)


def weigh_greedily(s: Round, rng: np.random.Generator) -> Trace:
    """Explore a tenth as much as stated."""
    return _any_truths(s, inverse_gap_weights(s.predictions, 10 * s.gamma), rng)


def weigh_worst(s: Round, rng: np.random.Generator) -> Trace:
    """Rounds with the worst true means of each arm but the one with the best prediction."""
    weights = inverse_gap_weights(s.predictions, s.gamma)
    return _rounds(s, weights, np.delete(worst_truths(s, weights), int(s.predictions.argmax()), axis=0))


def weigh_worst_greedily(s: Round, rng: np.random.Generator) -> Trace:
    """The same with a tenth of the exploration, where other means are worst."""
    weights = inverse_gap_weights(s.predictions, 10 * s.gamma)
    return _rounds(s, weights, np.delete(worst_truths(s, weights), int(s.predictions.argmax()), axis=0))


def rounds() -> Iterator[Round]:
    """Few arms and many, near and far, with much exploration and little; and one where almost 2 is reached."""
    yield Round(np.array([0.2, 0.7]), 10.0)
    yield Round(np.array([0.5, 0.5, 0.5, 0.5]), 5.0)
    yield Round(np.array([0.9, 0.1, 0.3, 0.6, 0.0]), 50.0)
    yield Round(np.array([0.0, 0.0, 1.0]), 1000.0)
    yield Round(np.linspace(0, 1, 20), 3.0)


def any_round() -> "SearchStrategy[Round]":
    """Up to eight arms."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    means = st.lists(st.floats(0, 1), min_size=2, max_size=8).map(np.array)
    return st.builds(Round, predictions=means, gamma=log_uniform(0.1, 1e4))


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Realizable:
    """A contextual bandit with rewards 0 and 1, and a class of tables with its means among them.

    Parameters
    ----------
    bandit
        The bandit.
    tables : array, shape (m, C, K)
        The class.
    horizon
        Rounds, >= 1.
    """

    bandit: ContextualBandit
    tables: Array
    horizon: int

    def __post_init__(self) -> None:
        float_array(self.tables, "tables", ndim=3)
        count(self.horizon, "horizon", at_least=1)

    def __str__(self) -> str:
        return f"{self.bandit}, {len(self.tables)} tables, {self.horizon} rounds"

    @property
    def times(self) -> Times:
        """Recorded times."""
        return record_times(self.horizon, points=POINTS)

    @property
    def highest(self) -> Array:
        """Largest possible regret at each recorded time; above 0 at the first."""
        highest: Array = self.times * self.bandit.gaps.max() + self.rounding
        return highest

    @property
    def log_size(self) -> float:
        """Logarithm of the size of the class."""
        return math.log(len(self.tables))

    @property
    def rounding(self) -> float:
        """Absolute allowance for a regret."""
        return PER_ROUND * self.horizon


@dataclass(frozen=True, eq=False)
class Weighted(Realizable):
    """With the parameter of inverse gap weighting.

    Parameters
    ----------
    gamma
        The parameter, > 0.
    """

    gamma: float

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.gamma, "gamma")

    def __str__(self) -> str:
        return f"{super().__str__()}, gamma = {self.gamma:.4g}"


@dataclass(frozen=True, eq=False)
class Exploring(Realizable):
    """With a probability of exploration.

    Parameters
    ----------
    epsilon
        The probability, in (0, 1].
    """

    epsilon: float

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(fraction(self.epsilon, "epsilon"), "epsilon")

    def __str__(self) -> str:
        return f"{super().__str__()}, epsilon = {self.epsilon:.4g}"


def _play(s: Realizable, policy: ContextualPolicy, rng: np.random.Generator, replicates: int = TOGETHER) -> Trace:
    return play_contextual_bandit(s.bandit, policy, horizon=s.horizon, rng=rng, replicates=replicates, points=POINTS)


def play_square_cb(s: Weighted, rng: np.random.Generator) -> Trace:
    """SquareCB with exponential weights."""
    return _play(s, square_cb(exponential_weights(s.tables), gamma=s.gamma), rng)


def play_greedily(s: Exploring, rng: np.random.Generator) -> Trace:
    """Epsilon-greedy with exponential weights."""
    return _play(s, oracle_epsilon_greedy(exponential_weights(s.tables), epsilon=s.epsilon), rng)


def play_alike(s: Realizable, rng: np.random.Generator) -> Trace:
    """All arms alike."""
    return _play(s, oracle_epsilon_greedy(exponential_weights(s.tables), epsilon=1), rng)


Run = Callable[[Any, np.random.Generator], Trace]


def taking_losses_for_rewards(run: Run) -> Run:
    """Learn from 1 less each reward."""

    def play_reversed(s: Realizable, rng: np.random.Generator) -> Trace:
        wrong = ContextualBandit(1 - s.bandit.means, frequencies=s.bandit.frequencies)
        return run(replace(s, bandit=wrong), rng)

    return play_reversed


def mean_regret(s: Realizable, trace: Trace) -> Array:
    """Mean pseudo-regret of the replicates of a run on the bandit of the setting, whatever was played."""
    lost: Array = np.einsum("trxa,xa->t", trace["pulls"], s.bandit.gaps)
    mean: Array = lost / trace["pulls"].shape[1]
    return mean


def square_cb_bound(s: Weighted, trace: Trace) -> Array:
    """What rounds cost at most, and the squared error of the oracle."""
    k, gamma, t = s.bandit.arms, s.gamma, trace.times.astype(np.float64)
    bound: Array = (k - 1) / gamma * (1 + gamma / (k + gamma)) * t + gamma / 2 * s.log_size
    return bound


def greedy_bound(s: Exploring, trace: Trace) -> Array:
    """What exploring costs, and what trusting the oracle costs."""
    k, epsilon = s.bandit.arms, s.epsilon
    trusting = 2 * np.sqrt(k * trace.times * s.log_size / epsilon)
    bound: Array = (1 - 1 / k) * epsilon * trace.times + (1 - epsilon) * trusting
    return bound


def _bandits() -> Iterator[tuple[ContextualBandit, Array, int]]:
    certain = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    yield ContextualBandit(certain[0], title="one good arm"), certain, 200
    swapped = np.array([[[0.9, 0.1], [0.1, 0.9]], [[0.1, 0.9], [0.9, 0.1]], [[0.5, 0.5], [0.5, 0.5]]])
    yield ContextualBandit(swapped[0], title="two contexts, opposite arms"), swapped, 300
    for size, contexts, arms in ((5, 3, 3), (20, 8, 5)):
        tables = stream(0, "tables", size).random((size, contexts, arms))
        yield ContextualBandit(tables[0], title=f"random means, {contexts} contexts, {arms} arms"), tables, 200


def weighted() -> Iterator[Weighted]:
    """The best parameters for the horizons, and others."""
    for i, (bandit, tables, horizon) in enumerate(_bandits()):
        best = 2 * math.sqrt((bandit.arms - 1) * horizon / math.log(len(tables)))
        yield Weighted(bandit, tables, horizon, best * (0.5, 1.0, 2.0, 1.0)[i])


def exploring() -> Iterator[Exploring]:
    """Much exploration and little."""
    for i, (bandit, tables, horizon) in enumerate(_bandits()):
        yield Exploring(bandit, tables, horizon, (0.5, 0.2, 0.3, 0.3)[i])


def has_the_means(s: "Realizable | Retraining") -> bool | str:
    """Whether a table of the class is that of the means."""
    if s.tables.shape[1:] != s.bandit.means.shape:
        return f"tables have shape {s.tables.shape[1:]}, the means {s.bandit.means.shape}"
    return bool((s.tables == s.bandit.means).all(axis=(1, 2)).any())


REALIZABLE = {
    "the means are a table of the class": has_the_means,
    "rewards are 0 or 1": lambda s: s.bandit.deviation is None,
}
IN_EXPECTATION = InExpectation(
    rounding=lambda s: s.rounding, low=lambda s: np.zeros(s.times.size), high=lambda s: s.highest
)
AVERAGED = "The measured curve is the mean over 32 replicates."
WEIGHTS = (
    "p: inverse gap weighting with parameter $\\gamma$; $g(a)$: the predicted gap of an arm; K: the number of arms; "
)

ONE_ROUND = Theorem(
    name="inverse-gap/per-round",
    title="A round of inverse gap weighting costs little more than the oracle's error",
    paper=Paper(PAPER, "Lemma 3, with the exact constant"),
    standing=Standing.DERIVED,
    statement=r"\max_a f(a) - \mathbb{E}_p f \le \frac\gamma4\, \mathbb{E}_p (\hat f - f)^2 + \frac{K - 1}{\gamma} "
    r"+ \sum_a \frac{g(a)}{K + \gamma g(a)}",
    symbols=WEIGHTS + "f: any true means, bounded or not",
    kind=EveryStep(rounding=lambda s: s.rounding),
    run=weigh,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: s.gamma / 4 * trace["error"] + s.dearest,
    settings=rounds,
    controls={"all arms alike": weigh_alike, "a tenth of the exploration": weigh_greedily},
    strategy=any_round,
    remark="The last two terms are below $2 (K - 1) / \\gamma$, and come as close to it as one likes when $\\gamma g$ grows; "
    "the bound $2 K / \\gamma$ is usual, and $K / \\gamma$ would be wrong.",
)

DEAREST = Theorem(
    name="inverse-gap/supremum",
    title="The means that make a round dearest, and what it then costs",
    paper=Paper(PAPER, "Lemma 3, with the exact constant"),
    standing=Standing.DERIVED,
    statement=r"\max_a f(a) - \mathbb{E}_p f - \frac\gamma4\, \mathbb{E}_p (\hat f - f)^2 = \frac{K - 1}{\gamma} "
    r"+ \sum_a \frac{g(a)}{K + \gamma g(a)}",
    symbols=WEIGHTS
    + "f: $\\hat f - 2 / \\gamma$, but for one arm $a \\ne b$, where it is $\\hat f(a) + 2 (1 - p(a)) / (\\gamma p(a))$",
    kind=Identity(rounding=lambda s: s.rounding),
    run=weigh_worst,
    measured=lambda s, trace: trace["regret"] - s.gamma / 4 * trace["error"],
    bound=lambda s, trace: np.full(trace.times.size, s.dearest),
    settings=rounds,
    controls={"a tenth of the exploration": weigh_worst_greedily},
    strategy=any_round,
    remark="It is the same for every arm whose prediction is not the best.",
)

SQUARE_CB = Theorem(
    name="squarecb/expected",
    title="SquareCB with exponential weights over a finite class",
    paper=Paper(PAPER, "Theorem 1, for a finite class; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \frac{K - 1}{\gamma} \Bigl(1 + \frac{\gamma}{K + \gamma}\Bigr) t + \frac\gamma2 \log |F|",
    symbols="$R_t$: the pseudo-regret after t rounds; K: the number of arms; F: the class of tables; the rate of the "
    "exponential weights is 1/2",
    kind=IN_EXPECTATION,
    hypotheses=REALIZABLE,
    run=play_square_cb,
    measured=mean_regret,
    bound=square_cb_bound,
    trivial=lambda s: float(s.horizon * s.bandit.gaps.max()),
    settings=weighted,
    controls={"losses taken for rewards": taking_losses_for_rewards(play_square_cb), "all arms alike": play_alike},
    remark="With $\\gamma = 2 \\sqrt{(K - 1) n / \\log |F|}$ it is below $2 \\sqrt{(K - 1) n \\log |F|}$ after n rounds. "
    + AVERAGED,
)

GREEDY = Theorem(
    name="oracle-epsilon-greedy/expected",
    title="Epsilon-greedy with exponential weights over a finite class",
    paper=Paper("langford2007", "the order of the regret; constants, and an online oracle, derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, R_t \le \Bigl(1 - \frac1K\Bigr) \epsilon t + 2 (1 - \epsilon) \sqrt{\frac{K t \log |F|}{\epsilon}}",
    symbols="$R_t$: the pseudo-regret after t rounds; K: the number of arms; F: the class of tables; the rate of the "
    "exponential weights is 1/2",
    kind=IN_EXPECTATION,
    hypotheses=REALIZABLE,
    run=play_greedily,
    measured=mean_regret,
    bound=greedy_bound,
    trivial=lambda s: float(s.horizon * s.bandit.gaps.max()),
    settings=exploring,
    controls={"losses taken for rewards": taking_losses_for_rewards(play_greedily)},
    remark="With $\\epsilon$ of the order $(K \\log |F| / n)^{1/3}$ it grows like $n^{2/3}$. " + AVERAGED,
)

# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Anytime(Realizable):
    """With many replicates, of which the mean is measured.

    Parameters
    ----------
    runs
        Replicates, >= 1.
    """

    runs: int

    def __post_init__(self) -> None:
        super().__post_init__()
        count(self.runs, "runs", at_least=1)


def anytime() -> Iterator[Anytime]:
    """Wide gaps, so that the oracle knows soon and exploration costs most."""
    tables = np.array([[[0.9, 0.1, 0.2], [0.1, 0.8, 0.3]], [[0.1, 0.9, 0.2], [0.9, 0.1, 0.3]], [[0.5] * 3] * 2])
    yield Anytime(ContextualBandit(tables[0], title="two contexts, three arms"), tables, 5000, 64)


def play_square_cb_anytime(s: Anytime, rng: np.random.Generator) -> Trace:
    """The parameter grows like the root of time."""
    return _play(s, square_cb(exponential_weights(s.tables), gamma=4, power=1 / 2), rng, s.runs)


def play_falcon(s: Anytime, rng: np.random.Generator) -> Trace:
    """FALCON with exploration as in its paper, but for the constant."""
    return _play(s, falcon(s.tables, scale=20), rng, s.runs)


def play_greedily_anytime(s: Anytime, rng: np.random.Generator) -> Trace:
    """The probability of exploration falls like the cube root of time."""
    return _play(s, oracle_epsilon_greedy(exponential_weights(s.tables), epsilon=1, power=1 / 3), rng, s.runs)


def play_alike_for_long(s: Anytime, rng: np.random.Generator) -> Trace:
    """All arms alike."""
    return _play(s, oracle_epsilon_greedy(exponential_weights(s.tables), epsilon=1), rng, s.runs)


def _rate_theorem(
    name: str, title: str, paper: Paper, statement: str, run: Run, rate: PowerLaw | PowerLog
) -> Theorem[Anytime]:
    return Theorem(
        name=name,
        title=title,
        paper=paper,
        standing=Standing.RECALLED,
        statement=statement,
        symbols="$R_T$: the pseudo-regret after T rounds; K: the number of arms; F: the class of tables; measured is the "
        "mean of many replicates on one bandit",
        kind=EveryStep(rounding=lambda s: s.rounding),
        hypotheses=REALIZABLE,
        run=run,
        measured=mean_regret,
        bound=lambda s, trace: s.bandit.gaps.max() * trace.times ** rate.stated(s),
        settings=anytime,
        controls={"all arms alike": play_alike_for_long},
        rate=rate,
        remark="On one bandit with wide gaps the oracle soon knows the best arms, and what is measured is the price of "
        "exploration, which the rule spends whether there is need or not.",
    )


SQUARE_CB_RATE = _rate_theorem(
    "squarecb/rate",
    "SquareCB's rate: the square root of the horizon",
    Paper(PAPER, "Theorem 1, with a parameter that grows"),
    r"\mathbb{E}\, R_T = O\bigl(\sqrt{K T \log |F|}\bigr)",
    play_square_cb_anytime,
    PowerLaw(lambda s: 1 / 2),
)

FALCON_RATE = _rate_theorem(
    "falcon/rate",
    "FALCON's rate: the square root of the horizon, with few calls of an offline oracle",
    Paper("simchilevi2022", "Theorem 1"),
    r"\mathbb{E}\, R_T = O\bigl(\sqrt{K T \log (|F| T / \delta)}\bigr)",
    play_falcon,
    PowerLog(lambda s: 1 / 2, log_power=1 / 2),
)

GREEDY_RATE = _rate_theorem(
    "oracle-epsilon-greedy/rate",
    "Epsilon-greedy's rate: the horizon to the power 2/3",
    Paper("langford2007", "the order of the regret"),
    r"\mathbb{E}\, R_T = O\bigl((K \log |F|)^{1/3}\, T^{2/3}\bigr)",
    play_greedily_anytime,
    PowerLaw(lambda s: 2 / 3),
)

# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Retraining:
    """A contextual bandit, a class of tables, and epsilon-greedy generations.

    Parameters
    ----------
    bandit
        The bandit.
    tables : array, shape (m, C, K)
        The class.
    epsilon
        Probability of a random arm, in (0, 1].
    generations
        Fits, >= 2.
    first
        Number of the first table, >= 0.
    """

    bandit: ContextualBandit
    tables: Array
    epsilon: float
    generations: int
    first: int

    def __post_init__(self) -> None:
        float_array(self.tables, "tables", ndim=3)
        positive(fraction(self.epsilon, "epsilon"), "epsilon")
        count(self.generations, "generations", at_least=2)
        count(self.first, "first")

    def __str__(self) -> str:
        return f"{self.bandit}, {len(self.tables)} tables, epsilon = {self.epsilon:g}, {self.generations} generations"

    @property
    def exploration(self) -> float:
        """What random arms cost in a round."""
        return self.epsilon * float(self.bandit.frequencies @ self.bandit.gaps.mean(axis=1))


def _retrain(s: Retraining, tables: Array) -> Trace:
    return retrain(s.bandit, tables, epsilon=s.epsilon, generations=s.generations, first=s.first)


def retrain_on(s: Retraining, rng: np.random.Generator) -> Trace:
    """Generations from the first table on."""
    return _retrain(s, s.tables)


def retrain_with_truth(s: Retraining, rng: np.random.Generator) -> Trace:
    """The class holds the means as well."""
    return _retrain(s, np.concatenate([s.tables, s.bandit.means[None]]))


def retrain_without_truth(s: Retraining, rng: np.random.Generator) -> Trace:
    """The class lacks the means."""
    return _retrain(s, s.tables[(s.tables != s.bandit.means).any(axis=(1, 2))])


def alternates(s: Retraining, trace: Trace) -> Array:
    """Whether a table is that of two generations before, and not the last one."""
    table = trace["table"]
    passes = np.ones(table.size)
    passes[2:] = (table[2:] == table[:-2]) & (table[2:] != table[1:-1])
    return passes


def _logistic_tables(scores: Array) -> Array:
    """Tables 1 / (1 + exp(-theta z)) of scores z, for theta on a grid of [-4, 4]."""
    tables: Array = 1 / (1 + np.exp(-np.linspace(-4, 4, 81)[:, None, None] * scores))
    return tables


def alternating() -> Iterator[Retraining]:
    """Two tables, and a logistic model with one parameter."""
    two = np.array([[[0.9, 0.3]], [[0.5, 0.9]]])
    bandit = ContextualBandit([[0.5, 0.3]], title="two tables, each of which praises an arm")
    yield Retraining(bandit, two, 0.1, 20, 0)
    logistic = _logistic_tables(np.array([[-1.0, -1.5], [-1.6, 0.1]]))
    bandit = ContextualBandit([[0.7, 0.2], [0.1, 0.7]], title="logistic model, two contexts, two arms")
    yield Retraining(bandit, logistic, 0.2, 20, 38)


def retraining() -> Iterator[Retraining]:
    """The same with the truth in the class, and a random class."""
    for s in alternating():
        yield replace(s, tables=np.concatenate([s.tables, s.bandit.means[None]]))
    tables = stream(0, "retraining").random((30, 4, 3))
    bandit = ContextualBandit(tables[-1], title="random means, 4 contexts, 3 arms")
    yield Retraining(bandit, tables, 0.3, 5, 0)


TWO_CYCLE = Theorem(
    name="retraining/two-cycle",
    title="With a wrong class, generations may alternate for ever",
    paper=Paper(PAPER, "realizability, Assumption 1; instances found here"),
    standing=Standing.DERIVED,
    statement=r"\exists\, \mu, F: \quad f_{g + 2} = f_g \ne f_{g + 1} \quad \text{for all } g",
    symbols="$f_g$: the table that fits the data of the generation before best; F: the class; $\\mu$: the means",
    kind=Existence(),
    run=retrain_on,
    measured=alternates,
    bound=lambda s, trace: np.ones(trace.times.size),
    since=2,
    settings=alternating,
    controls={"the means are in the class": retrain_with_truth},
    remark="In the second instance rounds cost 0.055 and 0.495 in turns: a generation that is retrained on data of a good one "
    "may be bad. As fits depend on the last table only, two equal pairs in a row make a cycle for ever.",
)

REALIZABLE_RETRAINING = Theorem(
    name="retraining/realizable",
    title="With the truth in the class, one generation is enough",
    paper=Paper(PAPER, "realizability, Assumption 1"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{reg}(\pi_g) = \epsilon \sum_x q(x) \frac1K \sum_a \Delta(x, a) \quad (g \ge 1)",
    symbols="$\\mathrm{reg}(\\pi_g)$: what a round of generation g costs; q: the frequencies of the contexts; $\\Delta$: gaps; "
    "K: the number of arms",
    kind=Identity(rounding=lambda s: 1e-12),
    hypotheses={
        "the means are a table of the class": has_the_means,
        "$q > 0$": lambda s: bool((s.bandit.frequencies > 0).all()),
    },
    run=retrain_on,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: np.full(trace.times.size, s.exploration),
    since=1,
    settings=retraining,
    controls={"the means are not in the class": retrain_without_truth},
    remark="As all arms are pulled, only the truth has no error.",
)
