r"""Self-play preference optimisation: a policy plays itself, and its average tends to a minimax winner.

Throughout, :math:`S = P - 1/2`, :math:`\mathcal{E}(\pi) = \max_a (S \pi)_a` is the exploitability in the game itself,
:math:`\bar\pi_t` the average of the first t policies, and :math:`L = \max_a \log(1 / \pi_1(a))`, which is
:math:`\log n` from the uniform start. In the paper preferences run from -1 to 1, which doubles every payoff.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms import hedge, optimistic_mirror_descent, sampled_hedge
from rltheory.algorithms.games.adahedge import adahedge
from rltheory.algorithms.games.optimistic import LARGEST_STEP
from rltheory.arrays import Array, Vector, count, distribution, fraction, positive
from rltheory.instances import (
    additive,
    block_game,
    bradley_terry,
    comal_example,
    condorcet,
    cycle,
    efron_dice,
    low_rank,
    nash_md_population,
    planted_winner,
    random_game,
    random_tournament,
    recorded_game,
    skewed_policy,
    sure_winner,
    three_voters,
    weighted_rock_paper_scissors,
)
from rltheory.measures import exploitability
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution, log_normalize
from rltheory.simulation import stream
from rltheory.theorems.games.regularized_game import Hypotheses
from rltheory.theory import (
    BY_CONSTRUCTION,
    EveryStep,
    Identity,
    Paper,
    PowerLaw,
    Standing,
    Theorem,
    WithProbability,
)
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

PAPER = "swamy2024"
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Setting:
    """A game, a first policy, and a number of rounds.

    Parameters
    ----------
    game
        The game, n actions.
    start : array, shape (n,), optional
        First policy; uniform by default.
    horizon
        Number T of rounds, >= 1.
    note
        What is particular about it.
    """

    game: PreferenceGame
    start: ArrayLike | None = None
    horizon: int = 1000
    note: str = ""

    def __post_init__(self) -> None:
        count(self.horizon, "horizon", at_least=1)
        if self.start is not None:
            object.__setattr__(self, "start", distribution(self.start, self.game.n, "start"))

    def __str__(self) -> str:
        return ", ".join(part for part in (str(self.game), f"T = {self.horizon}", self.note) if part)

    @cached_property
    def log_start(self) -> Vector:
        """Log-probabilities of the first policy, shape (n,)."""
        return log_distribution(self.start, self.game.n, "start")

    @property
    def complexity(self) -> float:
        """L, the largest log(1 / pi_1(a))."""
        return float(-self.log_start.min())

    @property
    def rounding(self) -> float:
        """Absolute allowance for a sum of win rates, or of probabilities, over the rounds.

        A round rounds sums of n products, and totals of up to T. Errors of logarithms are relative to L / eta, which is
        part of every bound; the judge allows for those.
        """
        return EPS * self.horizon * (self.horizon + self.game.n)

    @property
    def margins(self) -> Vector:
        """By how much each action beats the others at least, shape (n,); 0 or less where it does not."""
        rivals: Vector = (self.game.payoff + np.diag(np.full(self.game.n, np.inf))).min(axis=1)
        return rivals

    @property
    def favourite(self) -> int:
        """The action of the largest margin: the Condorcet winner, if there is one."""
        return int(np.argmax(self.margins))

    @property
    def gap(self) -> float:
        """Margin D of the favourite."""
        return float(self.margins[self.favourite])


@dataclass(frozen=True, eq=False)
class RateSetting(Setting):
    """A setting with a learning rate of its own.

    Parameters
    ----------
    rate
        Learning rate eta, > 0, in 1 / payoff.
    """

    rate: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.rate, "rate")

    def __str__(self) -> str:
        return f"{super().__str__()}, eta = {self.rate:.4g}"

    @property
    def log_rounding(self) -> float:
        """Absolute allowance for a change of a divergence in one round: logarithms are at most L + eta T."""
        return 8 * EPS * (self.complexity + self.rate * self.horizon)


@dataclass(frozen=True, eq=False)
class InteriorSetting(RateSetting):
    """A run on a game with a known minimax winner of full support.

    Parameters
    ----------
    winner : array, shape (n,)
        The minimax winner; uniform by default. The game played is the given one after a change that makes it so, and
        the given one itself if it is so already.
    """

    winner: ArrayLike | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.winner is not None:
            object.__setattr__(self, "winner", distribution(self.winner, self.game.n, "winner"))

    @cached_property
    def log_winner(self) -> Vector:
        """Log-probabilities of the minimax winner, shape (n,)."""
        return log_distribution(self.winner, self.game.n, "winner")

    @cached_property
    def planted(self) -> PreferenceGame:
        """The game played: each action's edge over the winner is taken away, and payoffs shrink to fit if they must."""
        return planted_winner(self.game, np.exp(self.log_winner))


@dataclass(frozen=True, eq=False)
class SampledSetting(Setting):
    """A run with win rates against opponents that are drawn.

    Parameters
    ----------
    comparisons
        Opponents m >= 1 in each round.
    delta
        Allowed failure rate, in (0, 1).
    """

    comparisons: int = 1
    delta: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        count(self.comparisons, "comparisons", at_least=1)
        fraction(self.delta, "delta")

    def __str__(self) -> str:
        return f"{super().__str__()}, m = {self.comparisons}"


def tuned_rate(s: Setting, horizon: int) -> float:
    """Rate for which the two parts of Hedge's bound are equal after `horizon` rounds."""
    return math.sqrt(8 * s.complexity / horizon)


def play_each_horizon(s: Setting, rate: Callable[[int], float]) -> Trace:
    """Run Hedge once for each of several horizons, with a rate that depends on it."""
    horizons = record_times(s.horizon, points=20)[1:]
    runs = (hedge(s.game, iterations=rounds - 1, rate=rate(rounds), start=s.start) for rounds in horizons.tolist())
    means = np.array([run.last("mean") for run in runs])
    return Trace("Hedge", horizons, {"mean": (("time", "action"), means)}, clock="horizon")


def by_round(trace: Trace) -> Trace:
    """Count rounds from 1, as the statements do."""
    return replace(trace, times=trace.times + 1, clock="round")


def play_at(s: Setting, rate: ArrayLike) -> Trace:
    """Run Hedge with this rate, or with these rates from the second round on."""
    return by_round(hedge(s.game, iterations=s.horizon - 1, rate=rate, start=s.start))


def play_tuned(s: Setting, rng: np.random.Generator) -> Trace:
    """Run Hedge with the rate tuned to each horizon."""
    return play_each_horizon(s, lambda horizon: tuned_rate(s, horizon))


def play_tuned_to_self_play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run Hedge with a rate larger by the square root of 3."""
    return play_each_horizon(s, lambda horizon: math.sqrt(3) * tuned_rate(s, horizon))


def play_anytime(s: Setting, rng: np.random.Generator) -> Trace:
    """Run Hedge with decreasing rates."""
    return play_at(s, np.sqrt(4 * s.complexity / np.arange(2, s.horizon + 2)))


def play_optimistic(s: RateSetting, rng: np.random.Generator) -> Trace:
    """Run optimistic Hedge, whose midpoints are the policies played."""
    start = np.exp(s.log_start)
    return by_round(optimistic_mirror_descent(s.game, beta=0.0, iterations=s.horizon - 1, step=s.rate, reference=start))


def play_by_gap(s: Setting, rng: np.random.Generator) -> Trace:
    """Run Hedge with twice the gap as its rate."""
    return play_at(s, 2 * s.gap)


def play_adahedge(s: Setting, rng: np.random.Generator) -> Trace:
    """Run AdaHedge."""
    return by_round(adahedge(s.game, iterations=s.horizon - 1, start=s.start))


def play_sampled(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Run Hedge with estimated win rates and the rate tuned to the horizon."""
    rate, m = tuned_rate(s, s.horizon), s.comparisons
    return by_round(sampled_hedge(s.game, iterations=s.horizon - 1, rate=rate, comparisons=m, rng=rng, start=s.start))


def play_on_planted(s: InteriorSetting, rng: np.random.Generator) -> Trace:
    """Run Hedge on the game whose minimax winner is known."""
    return play_at(replace(s, game=s.planted), s.rate)


def play_anything(s: Setting, rng: np.random.Generator) -> Trace:
    """Play any policies at all, one after the other: a random walk of logits."""
    walk = np.cumsum(rng.standard_normal((s.horizon, s.game.n)), axis=0)
    log_policies = log_normalize(s.log_start + walk)
    policies = np.exp(log_policies)
    rounds = np.arange(1, s.horizon + 1)
    means = np.cumsum(policies, axis=0) / rounds[:, None]
    arrays = {"log_policy": log_policies, "mean": means, "values": policies @ s.game.payoff.T}
    labelled = {name: (("time", "action"), array) for name, array in arrays.items()}
    return Trace("any policies", rounds, labelled, clock="round")


# Wrong runs, to be told from right ones.


def play_against_the_last(s: Setting, rng: np.random.Generator) -> Trace:
    """Win rates are those against the policy before."""
    trace = play_anything(s, rng)
    late = ("time", "action"), np.roll(trace["values"], 1, axis=0)
    return replace(trace, values={**trace.values, "values": late})


def play_each_horizon_slowly(s: Setting, rng: np.random.Generator) -> Trace:
    """Rates are an eighth of the tuned ones."""
    return play_each_horizon(s, lambda horizon: tuned_rate(s, horizon) / 8)


def play_slowly(s: Setting, rng: np.random.Generator) -> Trace:
    """The rate is an eighth of that tuned to the last round."""
    return play_at(s, tuned_rate(s, s.horizon) / 8)


def play_without_prediction(s: RateSetting, rng: np.random.Generator) -> Trace:
    """Hedge of the same rate does not extrapolate."""
    return play_at(s, s.rate)


def play_by_an_eighth_of_the_gap(s: Setting, rng: np.random.Generator) -> Trace:
    """The gap is taken for an eighth of what it is."""
    return play_at(s, s.gap / 4)


def play_adahedge_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The queries answer 1/2 to everything."""
    return play_adahedge(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_sampled_ignoring_answers(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """All comparisons are decided by a fair coin."""
    return play_sampled(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_optimistic_on_planted(s: InteriorSetting, rng: np.random.Generator) -> Trace:
    """Optimistic Hedge converges, last iterate and all."""
    return play_optimistic(replace(s, game=s.planted), rng)


def play_on_planted_with_wrong_rate(s: InteriorSetting, rng: np.random.Generator) -> Trace:
    """The rate is too large by a factor of 1.001."""
    return play_on_planted(replace(s, rate=1.001 * s.rate), rng)


def play_on_planted_slowly(s: InteriorSetting, rng: np.random.Generator) -> Trace:
    """The rate is too small by a factor of 0.9."""
    return play_on_planted(replace(s, rate=0.9 * s.rate), rng)


def _rng(name: str) -> np.random.Generator:
    return stream(0, "spo", name)


def grid() -> Iterator[Setting]:
    """Games of every kind, from easy to adverse; from the uniform policy and from skewed ones."""
    yield Setting(sure_winner())
    yield Setting(sure_winner(), skewed_policy(2, 20)[::-1], note="winner rare at the start")
    yield Setting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), skewed_policy(3, 3), note="skewed start")
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), horizon=2000)
    yield Setting(cycle(5), skewed_policy(5, 6), note="skewed start")
    yield Setting(efron_dice())
    yield Setting(bradley_terry(np.linspace(0, 3, 20)))
    yield Setting(bradley_terry(np.linspace(0, 30, 7)), horizon=300)
    yield Setting(random_game(_rng("uniform"), 10))
    yield Setting(random_tournament(_rng("tournament"), 20))
    yield Setting(low_rank(_rng("low rank"), 50))
    yield Setting(recorded_game("llmfao_59"))


def short_grid() -> Iterator[Setting]:
    """The same games for a few rounds, all of which are recorded."""
    return (replace(s, horizon=100) for s in grid())


def condorcet_grid() -> Iterator[Setting]:
    """Games in which one action beats every other, by little or by much."""
    yield Setting(sure_winner(), note="gap 0.5")
    yield Setting(sure_winner(), skewed_policy(2, 20)[::-1], note="winner rare at the start")
    yield Setting(sure_winner(), skewed_policy(2, 13), note="winner likely at the start")
    even = PreferenceGame.from_payoff(0.1 * np.sign(np.subtract.outer(np.arange(5), np.arange(5))))
    yield Setting(even, note="gap 0.1")
    for margin in (0.05, 0.1, 0.3):
        yield Setting(condorcet(_rng("condorcet"), 10, margin), horizon=5000)
    yield Setting(bradley_terry(np.linspace(0, 30, 7)), skewed_policy(7, 10), note="best actions rare at the start")
    yield Setting(additive(np.linspace(0, 0.5, 7)))
    yield Setting(condorcet(_rng("condorcet large"), 50, 0.05), horizon=5000)


def optimistic_grid() -> Iterator[RateSetting]:
    """Games of every kind, mostly with the largest admissible step."""
    largest = float(LARGEST_STEP)
    yield RateSetting(sure_winner(), rate=0.05)
    yield RateSetting(sure_winner(), skewed_policy(2, 100)[::-1], rate=largest, note="winner rare at the start")
    yield RateSetting(
        weighted_rock_paper_scissors(0.5, 0.5, 0.5), skewed_policy(3, 3), rate=largest, note="skewed start"
    )
    yield RateSetting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), rate=0.4)
    yield RateSetting(cycle(21), skewed_policy(21, 6), rate=largest, note="skewed start")
    yield RateSetting(efron_dice(), rate=largest)
    yield RateSetting(bradley_terry(np.linspace(0, 3, 20)), rate=largest)
    yield RateSetting(random_game(_rng("uniform"), 10), rate=largest)
    yield RateSetting(random_tournament(_rng("tournament"), 20), rate=largest)
    yield RateSetting(recorded_game("llmfao_59"), rate=largest)


def sampled_grid() -> Iterator[SampledSetting]:
    """From one opponent in each round to many."""
    yield SampledSetting(sure_winner(), horizon=300, comparisons=5)
    yield SampledSetting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), skewed_policy(3, 3), horizon=300)
    yield SampledSetting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), horizon=1000)
    yield SampledSetting(condorcet(_rng("condorcet"), 10, 0.1), horizon=500, comparisons=20)
    yield SampledSetting(random_tournament(_rng("tournament"), 20), horizon=300, comparisons=5)


def interior_grid() -> Iterator[InteriorSetting]:
    """Games with known interior winners: cycles, blocks, voters, and planted ones."""
    uneven = weighted_rock_paper_scissors(0.1, 0.3, 0.5)
    rings = block_game(uneven, [three_voters(), cycle(3), comal_example()])
    blocks = np.kron([3, 5, 1], [1, 1, 1]) / 27
    blocks[6:] = np.array([4, 3, 4]) / 99
    yield InteriorSetting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), skewed_policy(3, 3), 300)
    yield InteriorSetting(uneven, None, 300, rate=0.5, winner=np.array([3, 5, 1]) / 9)
    yield InteriorSetting(nash_md_population(0.2), None, 300, rate=2.0, winner=np.array([13, 13, 4]) / 30)
    yield InteriorSetting(rings, None, 300, rate=0.3, winner=blocks)
    yield InteriorSetting(cycle(21), skewed_policy(21, 6), 300, rate=0.05)
    yield InteriorSetting(random_game(_rng("uniform"), 10), skewed_policy(10, 4), 300, rate=1.0, note="planted")
    skew = _rng("planted winner").dirichlet(np.ones(20))
    yield InteriorSetting(random_tournament(_rng("tournament"), 20), None, 300, rate=0.1, winner=skew, note="planted")


S = TypeVar("S", bound=Setting)


def settings_of(
    setting: type[S], games: "SearchStrategy[PreferenceGame]", **rest: "SearchStrategy[object]"
) -> "SearchStrategy[S]":
    """Settings of a class: games of two actions or more, starts from uniform to skewed, and some horizons."""
    from hypothesis import strategies as st

    from rltheory.strategies import skewed_policies

    @st.composite
    def settings(draw: "DrawFn") -> S:
        game = draw(games.filter(lambda game: game.n > 1))
        start = draw(st.none() | skewed_policies(game.n, depth=100))
        horizon = draw(st.sampled_from([10, 100, 500]))
        own: dict[str, Any] = {name: draw(values) for name, values in rest.items()}
        return setting(game, start, horizon, **own)

    return settings()


def any_setting() -> "SearchStrategy[Setting]":
    """Any game and any start."""
    from rltheory.strategies import adverse_games

    return settings_of(Setting, adverse_games(longest_cycle=21))


def any_condorcet_setting() -> "SearchStrategy[Setting]":
    """Any game with a Condorcet winner, and any start."""
    from rltheory.strategies import condorcet_games, transitive_games, two_action_games

    with_winner = (condorcet_games() | transitive_games() | two_action_games()).filter(
        lambda game: Setting(game).gap > 1e-3
    )
    return settings_of(Setting, with_winner)


def any_optimistic_setting() -> "SearchStrategy[RateSetting]":
    """Any game and any start, with steps up to the largest, which is itself drawn often."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_games, log_uniform

    largest = float(LARGEST_STEP)
    steps = st.just(largest) | log_uniform(0.01, largest)
    return settings_of(RateSetting, adverse_games(longest_cycle=21), rate=steps)


def any_sampled_setting() -> "SearchStrategy[SampledSetting]":
    """Any small game and any start, with some opponents in each round."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_games

    return settings_of(SampledSetting, adverse_games(longest_cycle=5), comparisons=st.integers(1, 20))


def any_interior_setting() -> "SearchStrategy[InteriorSetting]":
    """Any small game, changed so that a policy drawn at random is its minimax winner."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_games, log_uniform, policies

    @st.composite
    def settings(draw: "DrawFn") -> InteriorSetting:
        plain = draw(settings_of(InteriorSetting, adverse_games(longest_cycle=21), rate=log_uniform(0.01, 3)))
        return replace(plain, winner=draw(policies(plain.game.n)))

    return settings()


def exploitability_of_mean(s: Setting, trace: Trace) -> Array:
    """Exploitability of the average policy."""
    return exploitability(s.game, trace["mean"])


def distance_from_favourite(s: Setting, trace: Trace) -> Array:
    """Sum of the probabilities of all other actions."""
    others: Array = np.delete(trace["mean"], s.favourite, axis=1).sum(axis=1)
    return trace.times * others


def average_regret(s: Setting, trace: Trace) -> Array:
    """What the best action would have won more than the policies played, on average."""
    earned = (np.exp(trace["log_policy"]) * trace["values"]).sum(axis=1)
    regrets: Array = np.cumsum(trace["values"], axis=0).max(axis=1) - np.cumsum(earned)
    return regrets / trace.times


def adahedge_bound(s: Setting) -> float:
    """Bound on AdaHedge's regret where there is a Condorcet winner."""
    return 5 * s.complexity / (4 * s.gap) + 2 * s.complexity / 3 + 1


def growth(s: InteriorSetting, trace: Trace) -> Array:
    """Change of the divergence from the minimax winner in one round."""
    changes: Array = (trace["log_policy"] - trace["log_next"]) @ np.exp(s.log_winner)
    return changes


def exponential_mean(s: InteriorSetting, trace: Trace) -> Array:
    """Logarithm of the mean of exp(eta S pi_t) under pi_t."""
    values = np.exp(trace["log_policy"]) @ s.planted.payoff.T
    means: Array = np.logaddexp.reduce(trace["log_policy"] + s.rate * values, axis=1)
    return means


def least_growth(s: InteriorSetting, trace: Trace) -> Array:
    """What the variance of the win rates says of the growth."""
    policies = np.exp(trace["log_policy"])
    variance = (policies * (policies @ s.planted.payoff.T) ** 2).sum(axis=1)
    half = s.rate / 2
    grown: Array = np.log1p((math.expm1(-half) + half) / half**2 * s.rate**2 * variance)
    return grown


def is_interior(s: InteriorSetting) -> bool:
    """Whether no action beats the planted winner, but for rounding."""
    return bool(np.abs(s.planted.payoff @ np.exp(s.log_winner)).max() <= 8 * EPS)


GAME: Hypotheses = {
    "$P + P^\\top = 1$ with entries in $[0, 1]$": BY_CONSTRUCTION,
    "$\\pi_1$ with full support": BY_CONSTRUCTION,
    "two actions or more": lambda s: s.game.n > 1,
}
CONDORCET: Hypotheses = {
    "$P_{a^* b} \\ge 1/2 + D$ for some $a^*$ and all $b \\ne a^*$, with $D > 0$": lambda s: s.gap > 0
}
STEP: Hypotheses = {"$0 < \\eta \\le 2 (\\sqrt 2 - 1)$": lambda s: s.rate <= LARGEST_STEP * (1 + 1e-12)}
INTERIOR: Hypotheses = {"$S \\pi^* = 0$ for a policy $\\pi^*$ with full support": is_interior}

MEAN = (
    "$\\pi_1, \\pi_2, \\dots$: the policies played; $\\bar\\pi_t$: the average of the first $t$; "
    "$\\mathcal{E}(\\pi) = \\max_a (P \\pi)_a - 1/2$: the exploitability"
)
START = MEAN + "; $L = \\max_a \\log(1 / \\pi_1(a))$, which is $\\log n$ from the uniform policy"
GAP = "; $a^*$: the Condorcet winner; $D$: its gap, known to the learner"
LAST = (
    "$\\pi^*$: a minimax winner with full support; $\\pi_t$: the iterates of Hedge with rate $\\eta$; $S = P - 1/2$; "
    "expectations over $a \\sim \\pi_t$"
)
HALF = 0.5  # no policy is more exploitable

REDUCTION = Theorem(
    name="spo/reduction",
    title="The average policy is exploitable by exactly the average regret",
    paper=Paper(PAPER, "reduction to no-regret learning"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}(\bar\pi_t) = \frac1t \max_a \sum_{s \le t} \bigl( (P \pi_s)_a - \langle \pi_s, P \pi_s \rangle \bigr)",
    symbols=MEAN,
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses=GAME,
    run=play_anything,
    measured=exploitability_of_mean,
    bound=average_regret,
    settings=short_grid,
    strategy=any_setting,
    controls={"win rates against the policy before": play_against_the_last},
    remark="Whatever the policies, since $\\langle \\pi, P \\pi \\rangle = 1/2$. The duality gap is twice this; with "
    "preferences in $[-1, 1]$ both double again.",
)

HEDGE = Theorem(
    name="spo/hedge",
    title="The average of Hedge against itself approaches a minimax winner",
    paper=Paper(PAPER, "self-play with a no-regret learner; Hedge, with its standard bound"),
    standing=Standing.DERIVED,
    statement=r"\eta = \sqrt{8 L / T} \implies \mathcal{E}(\bar\pi_T) \le \sqrt{\frac{L}{2 T}}",
    symbols=START,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME,
    run=play_tuned,
    measured=exploitability_of_mean,
    bound=lambda s, trace: np.sqrt(s.complexity / (2 * trace.times)),
    trivial=lambda s: HALF,
    settings=grid,
    strategy=any_setting,
    controls={"rate too small by 8": play_each_horizon_slowly},
    rate=PowerLaw(lambda s: -0.5),
    remark="Each horizon has a run of its own. The bound can't be met: against itself Hedge pays a third at most of "
    "what is set aside for the variance of win rates, so that about $2/3$ of the bound is reached.",
)

HEDGE_SELF_PLAY = Theorem(
    name="spo/hedge-self-play",
    title="Against itself, Hedge can afford a larger rate",
    paper=Paper(PAPER, "self-play with a no-regret learner; constant improved here"),
    standing=Standing.DERIVED,
    statement=r"\eta = \sqrt{24 L / T} \implies \mathcal{E}(\bar\pi_T) \le \sqrt{\frac{L}{6 T}}",
    symbols=START,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME,
    run=play_tuned_to_self_play,
    measured=exploitability_of_mean,
    bound=lambda s, trace: np.sqrt(s.complexity / (6 * trace.times)),
    trivial=lambda s: HALF,
    settings=grid,
    strategy=any_setting,
    controls={"rate too small by 14": play_each_horizon_slowly},
    rate=PowerLaw(lambda s: -0.5),
    remark="Win rates against the policy that plays are less spread than the uniform distribution on $[0, 1]$, whose "
    "variance is $1/12$ (Landau's condition on the scores of a tournament): a third of the $1/4$ of Hoeffding's lemma.",
)

HEDGE_ANYTIME = Theorem(
    name="spo/hedge-anytime",
    title="Decreasing rates need no horizon",
    paper=Paper(PAPER, "self-play with a no-regret learner; Hedge, with its standard bound"),
    standing=Standing.DERIVED,
    statement=r"\eta_t = \sqrt{4 L / t} \implies \mathcal{E}(\bar\pi_t) \le \sqrt{\frac{L}{t}}",
    symbols=START + "; $\\pi_t \\propto \\pi_1 \\exp(\\eta_t \\sum_{s < t} P \\pi_s)$",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME,
    run=play_anytime,
    measured=exploitability_of_mean,
    bound=lambda s, trace: np.sqrt(s.complexity / trace.times),
    trivial=lambda s: HALF,
    settings=grid,
    strategy=any_setting,
    controls={"rate too small": play_slowly},
    rate=PowerLaw(lambda s: -0.5),
)

OPTIMISTIC = Theorem(
    name="spo/optimistic",
    title="Extrapolation makes the average converge as 1/t",
    paper=Paper(PAPER, "self-play with a no-regret learner; optimistic Hedge"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}(\bar\pi_t) \le \frac{L}{\eta\, t}",
    symbols=START + "; $\\eta$: the rate of optimistic Hedge",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME | STEP,
    run=play_optimistic,
    measured=exploitability_of_mean,
    bound=lambda s, trace: s.complexity / (s.rate * trace.times),
    trivial=lambda s: HALF,
    settings=optimistic_grid,
    strategy=any_optimistic_setting,
    controls={"no extrapolation": play_without_prediction},
    rate=PowerLaw(lambda s: -1.0),
    remark="At the largest rate this is $(1 + \\sqrt 2) L / (2 t)$. A sure winner that is rare at the start meets the "
    "bound: it takes $L / \\eta$ of regret to find it. A search found the bound kept up to $\\eta = 2$, and broken at "
    "$\\eta = 3$ by a tournament of 20 actions.",
)

CONDORCET_DISTANCE = Theorem(
    name="spo/condorcet-distance",
    title="With a Condorcet winner, all other actions together are played a bounded number of times",
    paper=Paper(PAPER, "fast rate under a gap; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\eta = 2 D \implies \sum_{s \le t} \bigl(1 - \pi_s(a^*)\bigr) \le \frac{0.8}{D^2} \log \frac{1}{\pi_1(a^*)}",
    symbols=START + GAP,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME | CONDORCET,
    run=play_by_gap,
    measured=distance_from_favourite,
    bound=lambda s, trace: np.full(trace.times.size, -0.8 * s.log_start[s.favourite] / s.gap**2),
    trivial=lambda s: s.horizon,
    settings=condorcet_grid,
    strategy=any_condorcet_setting,
    controls={"gap taken for an eighth": play_by_an_eighth_of_the_gap},
)

CONDORCET_MEAN = Theorem(
    name="spo/condorcet",
    title="With a Condorcet winner, the average converges as 1/t",
    paper=Paper(PAPER, "fast rate under a gap; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\eta = 2 D \implies \mathcal{E}(\bar\pi_t) \le \frac{0.8\, L}{D\, t}",
    symbols=START + GAP,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME | CONDORCET,
    run=play_by_gap,
    measured=exploitability_of_mean,
    bound=lambda s, trace: 0.8 * s.complexity / (s.gap * trace.times),
    trivial=lambda s: HALF,
    settings=condorcet_grid,
    strategy=any_condorcet_setting,
    controls={"gap taken for an eighth": play_by_an_eighth_of_the_gap},
    rate=PowerLaw(lambda s: -1.0),
)

ADAHEDGE_MIXABILITY = Theorem(
    name="spo/adahedge-mixability",
    title="AdaHedge pays for its rates what it pays for mixing",
    paper=Paper("derooij2014", "regret by the mixability gaps, in self-play"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}(\bar\pi_t) \le \frac{2}{t} \sum_{s \le t} \delta_s",
    symbols=MEAN
    + "; $\\delta_s = \\frac{1}{\\eta_s} \\log \\mathbb{E}_{\\pi_s} e^{\\eta_s S \\pi_s}$: the mixability gaps",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME,
    run=play_adahedge,
    measured=exploitability_of_mean,
    bound=lambda s, trace: 2 * trace["mixability_gap"] / trace.times,
    trivial=lambda s: HALF,
    settings=grid,
    strategy=any_setting,
    controls={"payoffs ignored": play_adahedge_ignoring_payoffs},
)

ADAHEDGE = Theorem(
    name="spo/adahedge",
    title="AdaHedge needs neither horizon nor rate",
    paper=Paper("derooij2014", "regret by the variance of gains, in self-play; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}(\bar\pi_t) \le \sqrt{\frac{L}{3 t}} + \frac{2 L / 3 + 1}{t}",
    symbols=START,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME,
    run=play_adahedge,
    measured=exploitability_of_mean,
    bound=lambda s, trace: np.sqrt(s.complexity / (3 * trace.times)) + (2 * s.complexity / 3 + 1) / trace.times,
    trivial=lambda s: HALF,
    settings=grid,
    strategy=any_setting,
    controls={"rate too small": play_slowly},
)

ADAHEDGE_CONDORCET = Theorem(
    name="spo/adahedge-condorcet",
    title="AdaHedge profits from a Condorcet winner without knowing the gap",
    paper=Paper(PAPER, "fast rate under a gap; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}(\bar\pi_t) \le \frac1t \Bigl( \frac{5 L}{4 D} + \frac{2 L}{3} + 1 \Bigr)",
    symbols=START + "; $D$: the gap of the Condorcet winner, unknown to the learner",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME | CONDORCET,
    run=play_adahedge,
    measured=exploitability_of_mean,
    bound=lambda s, trace: adahedge_bound(s) / trace.times,
    trivial=lambda s: HALF,
    settings=condorcet_grid,
    strategy=any_condorcet_setting,
    controls={"payoffs ignored": play_adahedge_ignoring_payoffs},
    rate=PowerLaw(lambda s: -1.0),
)

GAP_RATE = Theorem(
    name="spo/gap-rate",
    title="The paper's fast rate under a gap",
    paper=Paper(PAPER, "fast rate under a gap"),
    standing=Standing.RECALLED,
    statement=r"\mathcal{E}(\bar\pi_t) = \tilde O\Bigl(\frac{\log n}{D\, t}\Bigr)",
    symbols=MEAN + "; $D$: the gap of the Condorcet winner, unknown to the learner",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=GAME | CONDORCET,
    run=play_adahedge,
    measured=exploitability_of_mean,
    bound=lambda s, trace: s.complexity / (s.gap * trace.times),
    settings=condorcet_grid,
    controls={"payoffs ignored": play_adahedge_ignoring_payoffs},
    rate=PowerLaw(lambda s: -1.0),
    remark="Logarithms of $t$ are left out; the learner here is AdaHedge.",
)

SAMPLED = Theorem(
    name="spo/sampled",
    title="Win rates against a few sampled opponents are enough",
    paper=Paper(PAPER, "win rates against a batch of the policy's own samples; bound derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathcal{E}(\bar\pi_t) \le \frac1t \Bigl( \frac{L}{\eta} + \frac{\eta\, t}{8} + "
    r"\sqrt{\frac{2 T}{m} \log \frac{n}{\delta}} \Bigr) \text{ for all } t \le T,\quad \eta = \sqrt{8 L / T}",
    symbols=START + "; $m$: opponents drawn from the policy in each round",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: s.delta),
    hypotheses=GAME,
    run=play_sampled,
    measured=exploitability_of_mean,
    bound=lambda s, trace: (
        (
            s.complexity / tuned_rate(s, s.horizon)
            + tuned_rate(s, s.horizon) * trace.times / 8
            + math.sqrt(2 * s.horizon / s.comparisons * math.log(s.game.n / s.delta))
        )
        / trace.times
    ),
    trivial=lambda s: HALF,
    settings=sampled_grid,
    strategy=any_sampled_setting,
    controls={"comparisons decided by a coin": play_sampled_ignoring_answers},
    remark="At the horizon this is $\\sqrt{L / (2T)} + \\sqrt{2 \\log(n / \\delta) / (m T)}$.",
)

LAST_ITERATE = Theorem(
    name="spo/last-iterate",
    title="The last iterate leaves a minimax winner by a known amount",
    paper=Paper(PAPER, "why mixtures are returned; derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{KL}(\pi^* \| \pi_{t+1}) - \mathrm{KL}(\pi^* \| \pi_t) = \log \mathbb{E}\, e^{\eta (S \pi_t)_a}",
    symbols=LAST,
    kind=Identity(rounding=lambda s: s.log_rounding),
    hypotheses=GAME | INTERIOR,
    run=play_on_planted,
    measured=growth,
    bound=exponential_mean,
    settings=interior_grid,
    strategy=any_interior_setting,
    controls={"rate wrong by 1e-3": play_on_planted_with_wrong_rate, "extrapolation": play_optimistic_on_planted},
)

LAST_ITERATE_GROWS = Theorem(
    name="spo/last-iterate-grows",
    title="The last iterate moves away from an interior minimax winner in every round",
    paper=Paper(PAPER, "why mixtures are returned; derived here"),
    standing=Standing.DERIVED,
    statement=r"\log\bigl(1 + \psi(\tfrac\eta2)\, \eta^2\, \mathbb{E} (S \pi_t)_a^2\bigr) \le "
    r"\mathrm{KL}(\pi^* \| \pi_{t+1}) - \mathrm{KL}(\pi^* \| \pi_t),\quad \psi(x) = \frac{e^{-x} - 1 + x}{x^2}",
    symbols=LAST,
    kind=EveryStep(rounding=lambda s: s.log_rounding),
    hypotheses=GAME | INTERIOR,
    run=play_on_planted,
    measured=least_growth,
    bound=lambda s, trace: np.maximum(growth(s, trace), 0),
    settings=interior_grid,
    strategy=any_interior_setting,
    controls={"rate wrong by a tenth": play_on_planted_slowly, "extrapolation": play_optimistic_on_planted},
    remark="The left side is positive unless $S \\pi_t = 0$, which makes $\\pi_t$ a minimax winner itself; "
    "$\\psi(x) \\to 1/2$ for small $x$.",
)
