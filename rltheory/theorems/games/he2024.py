r"""Momentum on the logits: faster where win rates do not depend on the opponent, and no cure for cycles.

Throughout, :math:`\eta` is the rate, :math:`\alpha` the momentum, :math:`S = P - 1/2`, and :math:`\hat\pi_t` is the policy
before momentum is added, so that :math:`\log \hat\pi_{t+1} = \log \pi_t + \eta S \pi_t + c`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms import hedge
from rltheory.algorithms.games.accelerated import accelerated_preference_optimization
from rltheory.arrays import Array, Vector, count, distribution, fraction, positive
from rltheory.instances import (
    additive,
    bradley_terry,
    cycle,
    efron_dice,
    planted_winner,
    random_game,
    random_tournament,
    recorded_game,
    skewed_policy,
    sure_winner,
    weighted_rock_paper_scissors,
)
from rltheory.measures import exploitability, kl
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution, log_normalize, span
from rltheory.simulation import stream
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "he2024"
S = TypeVar("S", bound="Setting")
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Setting:
    """A run on a game.

    Parameters
    ----------
    game
        The game, n actions.
    rate
        Learning rate eta, > 0, in 1 / payoff.
    momentum
        Weight alpha of the last change of the logits, in [0, 1).
    start : array, shape (n,), optional
        First policy; uniform by default.
    iterations
        Horizon, >= 1.
    note
        What is particular about it.
    """

    game: PreferenceGame
    rate: float
    momentum: float
    start: ArrayLike | None = None
    iterations: int = 200
    note: str = ""

    def __post_init__(self) -> None:
        positive(self.rate, "rate")
        if fraction(self.momentum, "momentum") == 1:
            raise ValueError("momentum is 1; it must be below 1")
        count(self.iterations, "iterations", at_least=1)
        if self.start is not None:
            object.__setattr__(self, "start", distribution(self.start, self.game.n, "start"))

    def __str__(self) -> str:
        note = f", {self.note}" if self.note else ""
        return f"{self.played}, eta = {self.rate:.4g}, alpha = {self.momentum:g}{note}"

    @property
    def played(self) -> PreferenceGame:
        """The game that is played: the given one, or what the theorem needs of it."""
        return self.game

    @cached_property
    def log_start(self) -> Vector:
        """Log-probabilities of the first policy, shape (n,)."""
        return log_distribution(self.start, self.game.n, "start")

    @property
    def effective_rate(self) -> float:
        """Rate eta / (1 - alpha), which momentum amounts to."""
        return self.rate / (1 - self.momentum)

    @property
    def largest(self) -> float:
        """Bound on the logarithms of a run: each iteration adds a span of 1 at most, times the effective rate."""
        return float(-self.log_start.min()) + self.effective_rate * self.iterations


@dataclass(frozen=True, eq=False)
class AdditiveSetting(Setting):
    """A run on the additive part of a game, in which an action is worth its win rate against uniform play."""

    @cached_property
    def played(self) -> PreferenceGame:
        """The additive part of the game; an additive game is its own."""
        edges = self.game.payoff.mean(axis=1)
        payoff = np.subtract.outer(edges, edges)
        fitted = payoff / max(1.0, 2 * np.abs(payoff).max())  # they shrink if they must
        return PreferenceGame.from_payoff(fitted, title=f"additive part of {self.game}")

    @property
    def scores(self) -> Vector:
        """What the actions are worth in the game played, shape (n,)."""
        worths: Vector = self.played.payoff.mean(axis=1)
        return worths

    @property
    def log_rounding(self) -> float:
        """Absolute allowance for log-odds: each iteration rounds logarithms, and momentum repeats the error."""
        return 4 * EPS * self.largest * self.iterations / (1 - self.momentum)


@dataclass(frozen=True, eq=False)
class CyclicSetting(Setting):
    """A run on the cyclic part of a game, against which a winner of full support is even.

    Parameters
    ----------
    winner : array, shape (n,), optional
        The minimax winner; uniform by default.
    """

    winner: ArrayLike | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.winner is not None:
            object.__setattr__(self, "winner", distribution(self.winner, self.game.n, "winner"))

    @cached_property
    def log_winner(self) -> Vector:
        """Log-probabilities of the winner, shape (n,)."""
        return log_distribution(self.winner, self.game.n, "winner")

    @cached_property
    def played(self) -> PreferenceGame:
        """The game less the edges that actions have over the winner; a game with that winner is its own cyclic part."""
        return planted_winner(self.game, np.exp(self.log_winner))

    @property
    def divergence_rounding(self) -> float:
        """Absolute allowance for four divergences: each is a mean of logarithms, which it rounds a few times."""
        return 16 * EPS * self.largest


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run the method as the theorems say."""
    return _play(s, s.played, s.momentum)


def _play(s: Setting, game: PreferenceGame, momentum: float) -> Trace:
    return accelerated_preference_optimization(
        game, iterations=s.iterations, rate=s.rate, momentum=momentum, start=s.start
    )


def play_beside_hedge(s: AdditiveSetting, rng: np.random.Generator) -> Trace:
    """The method, and Hedge with the effective rate from the same start."""
    return _beside_hedge(s, play(s, rng))


def _beside_hedge(s: AdditiveSetting, trace: Trace) -> Trace:
    fast = hedge(s.played, iterations=s.iterations, rate=s.effective_rate, start=s.start)
    return replace(trace, values={**trace.values, "log_hedge": fast.values["log_policy"]})


# Wrong runs, to be told from right ones. Each keeps the setting's horizon and start.


def play_without_momentum(s: Setting, rng: np.random.Generator) -> Trace:
    """No momentum is added: Hedge."""
    return _play(s, s.played, 0.0)


def play_with_little_momentum(s: Setting, rng: np.random.Generator) -> Trace:
    """Nine tenths of the momentum are added."""
    return _play(s, s.played, 0.9 * s.momentum)


def play_without_momentum_beside_hedge(s: AdditiveSetting, rng: np.random.Generator) -> Trace:
    """No momentum is added; Hedge has the effective rate."""
    return _beside_hedge(s, play_without_momentum(s, rng))


def play_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The queries answer 1/2 to everything."""
    return _play(s, PreferenceGame.indifferent(s.game.n), s.momentum)


def play_for_the_last(s: Setting, rng: np.random.Generator) -> Trace:
    """The last policy is given out for the average."""
    trace = play(s, rng)
    last = np.exp(trace["log_policy"])
    return replace(trace, values={**trace.values, "mean": (("time", "action"), last)})


def additive_grid() -> Iterator[AdditiveSetting]:
    """Scores given directly, and those of games that are not additive."""
    yield AdditiveSetting(additive([0.5, 0.0]), 0.1, 0.5, skewed_policy(2, 20)[::-1], note="winner rare at the start")
    yield AdditiveSetting(additive(np.linspace(0, 0.5, 7)), 0.5, 0.9)
    yield AdditiveSetting(additive([0.1, 0.2, 0.3]), 2.0, 0.0, note="no momentum")
    yield AdditiveSetting(bradley_terry(np.linspace(0, 3, 20)), 0.2, 0.7)
    yield AdditiveSetting(
        random_game(stream(0, "momentum", 10), 10), 1.0, 0.95, skewed_policy(10, 600), note="skewed start"
    )
    yield AdditiveSetting(recorded_game("llmfao_59"), 0.3, 0.5)


def cyclic_grid() -> Iterator[CyclicSetting]:
    """Cycles, and the cyclic parts of other games, with uniform winners and with skewed ones."""
    yield CyclicSetting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), 0.1, 0.5, np.array([0.4, 0.3, 0.3]))
    uneven = weighted_rock_paper_scissors(0.1, 0.3, 0.5)
    yield CyclicSetting(uneven, 0.5, 0.9, winner=np.array([3, 5, 1]) / 9)
    yield CyclicSetting(cycle(5), 1.0, 0.0, skewed_policy(5, 3), note="no momentum")
    yield CyclicSetting(cycle(51), 0.5, 0.7, (1 + 0.01 * np.cos(2 * np.pi * np.arange(51) / 51)) / 51)
    yield CyclicSetting(efron_dice(), 0.2, 0.5, np.array([0.1, 0.2, 0.3, 0.4]), winner=np.array([6, 9, 6, 7]) / 28)
    yield CyclicSetting(random_tournament(stream(0, "momentum", 20), 20), 0.1, 0.8, skewed_policy(20, 5))
    yield CyclicSetting(recorded_game("llmfao_59"), 0.3, 0.5, winner=skewed_policy(59, 3))


def tuned_rate(complexity: float, momentum: float, iterations: int) -> float:
    """Rate with the least bound on the gap of the average, from a start with log(1 / pi_0) <= `complexity`."""
    return (1 - momentum) * math.sqrt(complexity / (iterations * (1 / 8 + momentum**2 / (4 * (1 - momentum)))))


def average_grid() -> Iterator[Setting]:
    """Games of every kind, with the rate of the least bound."""
    for game, momentum, start in (
        (weighted_rock_paper_scissors(0.5, 0.5, 0.5), 0.5, skewed_policy(3, 4)),
        (weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.9, None),
        (cycle(5), 0.0, skewed_policy(5, 10)),
        (sure_winner(), 0.3, skewed_policy(2, 20)[::-1]),
        (bradley_terry(np.linspace(0, 3, 20)), 0.5, None),
        (random_game(stream(0, "momentum", 10), 10), 0.7, None),
        (recorded_game("llmfao_59"), 0.5, None),
    ):
        complexity = math.log(game.n) if start is None else -math.log(start.min())
        yield Setting(game, tuned_rate(complexity, momentum, 1000), momentum, start, 1000)


def any_setting() -> "SearchStrategy[Setting]":
    """Any game, start, rate and momentum."""
    return _any_setting(Setting)


def any_additive_setting() -> "SearchStrategy[AdditiveSetting]":
    """The additive part of any game, any start, rate and momentum."""
    return _any_setting(AdditiveSetting)


def any_cyclic_setting() -> "SearchStrategy[CyclicSetting]":
    """The cyclic part of any game, any winner, start, rate and momentum."""
    from hypothesis import strategies as st

    from rltheory.strategies import policies

    @st.composite
    def settings(draw: st.DrawFn) -> CyclicSetting:
        drawn = draw(_any_setting(CyclicSetting))
        return replace(drawn, winner=draw(st.none() | policies(drawn.game.n)))

    return settings()


def _any_setting(setting: type[S]) -> "SearchStrategy[S]":
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_games, log_uniform, skewed_policies

    @st.composite
    def settings(draw: st.DrawFn) -> S:
        game = draw(adverse_games(longest_cycle=21))
        start = draw(st.none() | skewed_policies(game.n))
        return setting(game, draw(log_uniform(0.01, 3.0)), draw(st.floats(0, 0.95)), start)

    return settings()


def closed_form(s: AdditiveSetting, trace: Trace) -> Array:
    """Logarithms of the policies that the closed form says, up to constants."""
    t, a = trace.times, s.momentum
    growth = s.effective_rate * (t - a**2 * (1 - a**t) / (1 - a))
    return s.log_start + growth[:, None] * s.scores


def worst_log_odds(s: AdditiveSetting, trace: Trace, logarithms: Array) -> Array:
    """Log-odds, by these logarithms, of the two actions at which the closed form is furthest off."""
    error = trace["log_policy"] - closed_form(s, trace)
    pair = np.stack([error.argmax(axis=-1), error.argmin(axis=-1)], axis=-1)
    first, second = np.take_along_axis(logarithms, pair, axis=-1).T
    odds: Array = first - second
    return odds


def lag(s: AdditiveSetting, trace: Trace) -> Array:
    """Span by which the logarithms differ from those of Hedge with the effective rate."""
    return span(trace["log_policy"] - trace["log_hedge"])


def recessions(s: CyclicSetting, trace: Trace) -> tuple[Array, Array]:
    """Growth of KL(winner || policy before momentum) in the iteration before each recorded one, and in this one."""
    now = trace["log_policy"] - s.momentum * trace["velocity"]
    before = now - trace["velocity"]
    after = (trace["log_next"] + s.momentum * now) / (1 + s.momentum)
    first, second, third = (kl(s.log_winner, log_normalize(logits)) for logits in (before, now, after))
    return second - first, third - second


def log_mean_growth(s: Setting, trace: Trace) -> Array:
    """Logarithm of the mean of exp(eta S pi_t) over pi_t."""
    log_policy = trace["log_policy"]
    gains = s.rate * np.exp(log_policy) @ s.played.payoff.T
    means: Array = np.logaddexp.reduce(log_policy + gains, axis=-1)
    return means


RUN = (
    "$\\pi_t$: the policies; $\\hat\\pi_t$: those before momentum is added; $\\eta$: the rate; $\\alpha$: the momentum; "
    "$S = P - 1/2$"
)
RANGE = {"$\\eta > 0$ and $0 \\le \\alpha < 1$, any start with full support": BY_CONSTRUCTION}
ADDITIVE = RANGE | {
    "$P_{ab} = 1/2 + s_a - s_b$: win rates do not depend on the opponent, up to constants": BY_CONSTRUCTION
}

LOG_ODDS = Theorem(
    name="apo/log-odds",
    title="Where win rates are fixed, momentum makes log-odds grow in closed form",
    paper=Paper(PAPER, "acceleration under a fixed reward; the closed form is our own"),
    standing=Standing.DERIVED,
    statement=r"\log \frac{\pi_t(a)}{\pi_t(b)} = \log \frac{\pi_0(a)}{\pi_0(b)}"
    r" + \frac{\eta}{1 - \alpha} \Bigl(t - \alpha^2\, \frac{1 - \alpha^t}{1 - \alpha}\Bigr) (s_a - s_b)"
    r" \quad \text{for all } a, b",
    symbols=RUN + "; $s$: the scores",
    kind=Identity(rounding=lambda s: s.log_rounding),
    hypotheses=ADDITIVE,
    run=play,
    measured=lambda s, trace: worst_log_odds(s, trace, trace["log_policy"]),
    bound=lambda s, trace: worst_log_odds(s, trace, closed_form(s, trace)),
    settings=additive_grid,
    strategy=any_additive_setting,
    controls={"no momentum": play_without_momentum, "nine tenths of the momentum": play_with_little_momentum},
    remark="Before momentum is added, the t-th iteration adds $\\eta\\, (s_a - s_b)\\, (1 - \\alpha^t) / (1 - \\alpha)$. What is "
    "measured is the log-odds of the pair of actions at which the two sides differ most.",
)

SPEED_UP = Theorem(
    name="apo/speed-up",
    title="Where win rates are fixed, momentum amounts to Hedge with the rate over 1 - alpha, up to a constant lag",
    paper=Paper(PAPER, "acceleration under a fixed reward; the constant is our own"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{span}(\log \pi_t - \log \pi^{\mathrm{H}}_t) \le \eta\, \Bigl(\frac{\alpha}{1 - \alpha}\Bigr)^2\, \mathrm{span}(s)",
    symbols=RUN + "; $s$: the scores; $\\pi^{\\mathrm{H}}_t$: Hedge against itself with rate $\\eta / (1 - \\alpha)$",
    kind=EveryStep(rounding=lambda s: 2 * s.log_rounding),
    hypotheses=ADDITIVE,
    run=play_beside_hedge,
    measured=lag,
    bound=lambda s, trace: s.rate * (s.momentum / (1 - s.momentum)) ** 2 * float(span(s.scores)),
    settings=additive_grid,
    strategy=any_additive_setting,
    controls={"no momentum": play_without_momentum_beside_hedge},
    remark="The log-odds of both grow by $\\eta\\, t\\, (s_a - s_b) / (1 - \\alpha)$, so the lag does not count in the end: the "
    "speed-up is $1 / (1 - \\alpha)$, which Hedge has from a larger rate alone.",
)

LAST_ITERATE = Theorem(
    name="apo/last-iterate",
    title="Each iteration moves away from a minimax winner of full support, with momentum all the more",
    paper=Paper(PAPER, "no statement of the paper: what becomes of the method where preferences are cyclic"),
    standing=Standing.DERIVED,
    statement=r"\alpha\, (\hat K_t - \hat K_{t-1}) + \log \mathbb{E}_{a \sim \pi_t} e^{\eta (S \pi_t)_a}"
    r" \le \hat K_{t+1} - \hat K_t",
    symbols=RUN + "; $w$: a minimax winner of full support; $\\hat K_t = \\mathrm{KL}(w \\| \\hat\\pi_t)$",
    kind=EveryStep(rounding=lambda s: s.divergence_rounding),
    hypotheses=RANGE | {"some minimax winner has full support": BY_CONSTRUCTION},
    run=play,
    measured=lambda s, trace: s.momentum * recessions(s, trace)[0] + log_mean_growth(s, trace),
    bound=lambda s, trace: np.maximum(recessions(s, trace)[1], 0.0),
    since=1,
    settings=cyclic_grid,
    strategy=any_cyclic_setting,
    controls={"payoffs ignored": play_ignoring_payoffs, "nine tenths of the momentum": play_with_little_momentum},
    remark="The logarithm is positive unless $\\pi_t$ is itself a minimax winner, so $\\hat K_t$ increases for ever: the last "
    "policy does not converge to a winner of full support unless it starts at one. Without momentum both sides are "
    "equal; the more momentum, the faster they recede. The average does come close to the winners, see apo/average.",
)

AVERAGE = Theorem(
    name="apo/average",
    title="The average of the policies comes close to a minimax winner, at a price for the momentum",
    paper=Paper(PAPER, "no statement of the paper: what becomes of the method where preferences are cyclic"),
    standing=Standing.DERIVED,
    statement=r"\max_a \Bigl(S\, \tfrac1T \sum_{t < T} \pi_t\Bigr)_a \le \frac{(1 - \alpha)\, L}{\eta T}"
    r" + \frac{\eta}{8 (1 - \alpha)} + \frac{\eta\, \alpha^2}{4 (1 - \alpha)^2}",
    symbols=RUN + "; $L = \\max_a \\log (1 / \\pi_0(a))$; $T = t + 1$",
    kind=EveryStep(rounding=lambda s: EPS * (s.iterations + s.game.n)),
    hypotheses=RANGE,
    run=play,
    measured=lambda s, trace: exploitability(s.game, trace["mean"]),
    bound=lambda s, trace: (
        float(-s.log_start.min()) / (s.effective_rate * (trace.times + 1))
        + s.effective_rate / 8
        + s.effective_rate * s.momentum**2 / (4 * (1 - s.momentum))
    ),
    settings=average_grid,
    strategy=any_setting,
    controls={"payoffs ignored": play_ignoring_payoffs, "last policy for the average": play_for_the_last},
    trivial=lambda s: 0.5,
    remark="With a rate of the order of $1 / \\sqrt T$ all terms are. The last one is the price of momentum: the bound "
    "is that of Hedge with the effective rate $\\eta / (1 - \\alpha)$, and more.",
)
