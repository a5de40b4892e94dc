r"""Self-play preference optimisation in decision processes: Hedge at every history.

Trajectories take the place of actions, and policies choose by the whole history. The mixture :math:`\bar\pi_T` of
policies draws one of them at the start of an episode, so that its law of trajectories is the average of theirs; its
exploitability :math:`\mathcal{E}(\bar\pi_T) = \max_u P(u \succ \bar\pi_T) - 1/2` is taken over all policies u that
choose by the history.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms.games.history_hedge import (
    best_value,
    history_hedge,
    trajectory_law,
    uniform_log_policy,
    update,
)
from rltheory.arrays import Array, Vector, count
from rltheory.instances import bradley_terry, random_tournament
from rltheory.problems import PreferenceGame, TrajectoryGame
from rltheory.simulation import stream
from rltheory.theorems.games.regularized_game import Hypotheses
from rltheory.theorems.games.swamy2024 import HALF
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy


@dataclass(frozen=True, eq=False)
class Setting:
    """A decision process with preferences, and a number of rounds.

    Parameters
    ----------
    game
        The process and its preferences.
    horizon
        Largest number T of rounds, >= 1.
    note
        What is particular about it.
    """

    game: TrajectoryGame
    horizon: int = 300
    note: str = ""

    def __post_init__(self) -> None:
        count(self.horizon, "horizon", at_least=1)

    def __str__(self) -> str:
        return ", ".join(part for part in (str(self.game), f"T = {self.horizon}", self.note) if part)

    @property
    def horizons(self) -> list[int]:
        """Some horizons up to the largest; each has a run of its own."""
        horizons: list[int] = record_times(self.horizon, points=16)[1:].tolist()
        return horizons

    def tuned_rate(self, horizon: int) -> float:
        """Rate for which the two parts of Hedge's bound are equal after `horizon` rounds."""
        return math.sqrt(8 * math.log(self.game.actions) / horizon)


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run Hedge at every history with the rate tuned to each horizon; record the laws of the mixtures."""

    def mixture(rounds: int) -> Vector:
        law: Vector = history_hedge(s.game, iterations=rounds - 1, rate=s.tuned_rate(rounds)).last("mean")
        return law

    return _trace(s, [mixture(rounds) for rounds in s.horizons])


def _trace(s: Setting, laws: list[Vector]) -> Trace:
    return Trace(
        "Hedge at every history",
        np.array(s.horizons),
        {"mean": (("time", "trajectory"), np.array(laws))},
        clock="horizon",
    )


# Wrong runs, to be told from right ones.


def play_averaging_choices(s: Setting, rng: np.random.Generator) -> Trace:
    """The probabilities of actions are averaged at each history, however seldom a policy comes there."""

    def average(rounds: int) -> Vector:
        log_policy, totals = uniform_log_policy(s.game), [np.zeros(1)] * s.game.length
        for _ in range(rounds):
            policy = [np.exp(choices) for choices in log_policy]
            totals = [total + choices for total, choices in zip(totals, policy, strict=True)]
            rewards = s.game.preferences.payoff @ trajectory_law(s.game, policy)
            log_policy = update(s.game, log_policy, rewards, s.tuned_rate(rounds))
        return trajectory_law(s.game, [total / rounds for total in totals])

    return _trace(s, [average(rounds) for rounds in s.horizons])


def play_uniformly(s: Setting, rng: np.random.Generator) -> Trace:
    """The policy never changes."""
    uniform = [np.exp(choices) for choices in uniform_log_policy(s.game)]
    return _trace(s, [trajectory_law(s.game, uniform)] * len(s.horizons))


def grid() -> Iterator[Setting]:
    """Processes from one action to three in a row, with and without moves of nature."""

    def rng(*address: object) -> np.random.Generator:
        return stream(0, "spo histories", *address)

    yield Setting(TrajectoryGame(random_tournament(rng("single"), 5), actions=5, length=1), note="one action only")
    # Found by a search for games in which policies turn together, so that averages of choices mislead.
    yield Setting(TrajectoryGame(random_tournament(rng(123), 9), actions=3, length=2), 1000, "choices correlate")
    yield Setting(TrajectoryGame(random_tournament(rng("three"), 8), actions=2, length=3))
    taken = np.add.outer(np.add.outer([0, 1], [0, 1]), [0, 1]).ravel()
    yield Setting(TrajectoryGame(bradley_terry(10 * taken), actions=2, length=3), note="one action is better")
    yield Setting(TrajectoryGame(random_tournament(rng("lottery"), 16), actions=2, length=2, nature=[0.7, 0.3]))
    right = np.eye(2).ravel()  # of an action and nature's move after it
    guessed = np.add.outer(np.add.outer(right, right), right).ravel()
    guess = TrajectoryGame(bradley_terry(5 * guessed), actions=2, length=3, nature=[0.9, 0.1])
    yield Setting(guess, note="guess nature's move")


def any_setting() -> "SearchStrategy[Setting]":
    """Any preferences over the trajectories of a small process."""
    from hypothesis import strategies as st

    from rltheory.strategies import policies

    @st.composite
    def settings(draw: "DrawFn") -> Setting:
        actions, length, moves = draw(
            st.sampled_from([(2, 1, 1), (4, 1, 2), (2, 2, 1), (3, 2, 1), (2, 3, 1), (2, 2, 2)])
        )
        size = (actions * moves) ** length
        payoffs = draw(st.sampled_from([st.sampled_from([-0.5, 0.5]), st.floats(-0.5, 0.5)]))
        payoff = np.zeros((size, size))
        above = np.triu_indices(size, 1)
        payoff[above] = draw(st.lists(payoffs, min_size=above[0].size, max_size=above[0].size))
        preferences = PreferenceGame.from_payoff(payoff - payoff.T)
        game = TrajectoryGame(preferences, actions, length, draw(policies(moves)))
        return Setting(game, draw(st.sampled_from([10, 100])))

    return settings()


def exploitability_of_mixture(s: Setting, trace: Trace) -> Array:
    """What the best policy wins over the mixture, above one half."""
    return best_value(s.game, trace["mean"] @ s.game.preferences.payoff.T)


PROCESS: Hypotheses = {
    "$P + P^\\top = 1$ with entries in $[0, 1]$": BY_CONSTRUCTION,
    "every history is remembered": BY_CONSTRUCTION,
    "two actions or more": lambda s: s.game.actions > 1,
}

HISTORIES = Theorem(
    name="spo/histories",
    title="In a decision process, Hedge at every history approaches a minimax winner",
    paper=Paper("swamy2024", "reduction for sequential problems; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\eta = \sqrt{8 \log A / T} \implies \mathcal{E}(\bar\pi_T) \le H \sqrt{\frac{\log A}{2 T}}",
    symbols="$A$: actions at each history; $H$: actions in an episode; $\\bar\\pi_T$: the mixture of the first $T$ policies, "
    "of which one is drawn for a whole episode; $\\mathcal{E}(\\bar\\pi) = \\max_u P(u \\succ \\bar\\pi) - 1/2$ over "
    "policies $u$ that choose by the history",
    kind=EveryStep(rounding=lambda s: float(np.finfo(np.float64).eps) * s.horizon * (s.horizon + s.game.preferences.n)),
    hypotheses=PROCESS,
    run=play,
    measured=exploitability_of_mixture,
    bound=lambda s, trace: s.game.length * np.sqrt(math.log(s.game.actions) / (2 * trace.times)),
    trivial=lambda s: HALF,
    settings=grid,
    strategy=any_setting,
    controls={"choices averaged at each history": play_averaging_choices, "no learning": play_uniformly},
    rate=PowerLaw(lambda s: -0.5),
    remark="The average of the laws is the law of a single policy too, in which each policy's choice at a history counts as "
    "often as that policy comes there. Counted equally, choices that were correlated in time come apart, and the bound fails.",
)
