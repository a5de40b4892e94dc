r"""Magnetic preference optimisation: moving the magnet to each solved game leads to the game itself.

The rounds are solved exactly here; :math:`r_j` is the equilibrium with temperature :math:`\beta` and reference
:math:`r_{j-1}`. :math:`K_j = \mathrm{KL}(\pi_0 \| r_j)` for a minimax winner :math:`\pi_0` of the game.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms import hedge, proximal_point
from rltheory.arrays import Array, Vector, count, distribution, positive
from rltheory.instances import (
    bradley_terry,
    cycle,
    efron_dice,
    random_game,
    recorded_game,
    weighted_rock_paper_scissors,
)
from rltheory.measures import exploitability, kl
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution
from rltheory.simulation import stream
from rltheory.solvers import minimax_winner
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Identity, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = Paper("wang2025", "outer loop; also the meta-algorithm of COMAL")
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Setting:
    """A run of exactly solved rounds.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature of each round, > 0.
    start : array, shape (n,), optional
        First magnet; uniform by default.
    rounds
        Number of rounds, >= 1.
    """

    game: PreferenceGame
    beta: float
    start: ArrayLike | None = None
    rounds: int = 200

    def __post_init__(self) -> None:
        positive(self.beta, "beta")
        count(self.rounds, "rounds", at_least=1)
        if self.start is not None:
            object.__setattr__(self, "start", distribution(self.start, self.game.n, "start"))

    def __str__(self) -> str:
        return f"{self.game}, beta = {self.beta:g}"

    @cached_property
    def log_start(self) -> Vector:
        """Log-probabilities of the first magnet, shape (n,)."""
        return log_distribution(self.start, self.game.n, "start")

    @cached_property
    def winner(self) -> Vector:
        """A minimax winner of the game, shape (n,)."""
        return minimax_winner(self.game).policy

    @cached_property
    def log_winner(self) -> Vector:
        """Its logarithms, -inf off the support, shape (n,)."""
        with np.errstate(divide="ignore"):
            logarithms: Vector = np.log(self.winner)
        return logarithms

    @property
    def rounding(self) -> float:
        """Error of a difference of divergences.

        Each round may add 1 / beta to the span of the logarithms; of their rounding, the inner game makes a distance of
        its policies, and its payoffs as much again over beta.
        """
        largest = float(-self.log_start.min()) + self.rounds / self.beta
        return 8 * EPS * largest * (1 + 1 / self.beta)


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Solve one round after the other."""
    return proximal_point(s.game, beta=0.0, iterations=s.rounds, step=1 / s.beta, start=s.start)


def play_unsolved(s: Setting, rng: np.random.Generator) -> Trace:
    """Each round responds to the last policy instead of its own: Hedge."""
    return hedge(s.game, iterations=s.rounds, rate=1 / s.beta, start=s.start)


def play_with_fixed_magnet(s: Setting, rng: np.random.Generator) -> Trace:
    """The magnet never moves: every round solves the first game, whose pull to the last policy is next to nothing."""
    return proximal_point(s.game, beta=s.beta, iterations=s.rounds, step=1e9, reference=s.start, start=s.start)


def play_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The queries answer 1/2 to everything."""
    return play(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def grid() -> Iterator[Setting]:
    """Interior winners, pure ones, and a segment of them."""
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.2, np.array([0.8, 0.15, 0.05]))
    yield Setting(cycle(5), 0.1, np.array([0.6, 0.1, 0.1, 0.1, 0.1]))
    yield Setting(efron_dice(), 0.1, np.array([0.1, 0.2, 0.3, 0.4]))
    yield Setting(bradley_terry(np.linspace(0, 2, 6)), 0.5)
    yield Setting(random_game(stream(0, "magnets", 10), 10), 0.2)
    yield Setting(recorded_game("llmfao_59"), 0.2)


def any_setting() -> "SearchStrategy[Setting]":
    """Any game, temperature and first magnet."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_games, betas, skewed_policies

    @st.composite
    def settings(draw: st.DrawFn) -> Setting:
        game = draw(adverse_games(longest_cycle=21))
        return Setting(game, draw(betas(0.05)), draw(st.none() | skewed_policies(game.n)), rounds=20)

    return settings()


def divergence(s: Setting, log_policy: Array) -> Array:
    """KL(pi_0 || policy)."""
    return kl(s.log_winner, log_policy)


def edge(s: Setting, log_policy: Array) -> Array:
    """P(pi_0 > policy) - 1/2."""
    edges: Array = np.exp(log_policy) @ s.game.payoff.T @ s.winner
    return edges


def gap_of_average(s: Setting, trace: Trace) -> Array:
    """Exploitability of the average of r_1, ..., r_J after J rounds; 0 after none."""
    policies = np.exp(trace["log_policy"])
    policies[0] = 0.0
    return exploitability(s.game, policies.cumsum(axis=0) / np.maximum(trace.times, 1)[:, None])


ROUNDS = (
    "$r_j$: the equilibrium of the game with temperature $\\beta$ and reference $r_{j-1}$; $\\pi_0$: a minimax winner of the "
    "game itself; $K_j = \\mathrm{KL}(\\pi_0 \\| r_j)$"
)
CONTROLS = {"magnet never moved": play_with_fixed_magnet, "payoffs ignored": play_ignoring_payoffs}

ROUND = Theorem(
    name="mpo/round",
    title="What each round gains on any minimax winner, to the last bit",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"K_{j+1} = K_j - \mathrm{KL}(r_{j+1} \| r_j) - \frac{1}{\beta} \bigl(P(\pi_0 \succ r_{j+1}) - \tfrac12\bigr)",
    symbols=ROUNDS,
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses={"$\\beta > 0$ and a first magnet with full support": BY_CONSTRUCTION},
    run=play,
    measured=lambda s, trace: divergence(s, trace["log_next"]),
    bound=lambda s, trace: (
        divergence(s, trace["log_policy"])
        - kl(trace["log_next"], trace["log_policy"])
        - edge(s, trace["log_next"]) / s.beta
    ),
    settings=grid,
    strategy=any_setting,
    controls=CONTROLS | {"rounds not solved": play_unsolved},
    remark="A winner loses to nobody, so neither term is negative: the distance to every minimax winner falls in every "
    "round, at any temperature.",
)

AVERAGE = Theorem(
    name="mpo/average",
    title="The average of the rounds approaches a minimax winner, at any temperature",
    paper=PAPER,
    standing=Standing.DERIVED,
    statement=r"\max_a \Bigl(P\, \tfrac1J \sum_{j=1}^{J} r_j\Bigr)_a - \tfrac12 \le \frac{\beta}{J} \log \frac{1}{\min_a r_0(a)}",
    symbols=ROUNDS,
    kind=EveryStep(rounding=lambda s: s.beta * s.rounding),
    hypotheses={"$\\beta > 0$ and a first magnet with full support": BY_CONSTRUCTION},
    run=play,
    measured=gap_of_average,
    bound=lambda s, trace: s.beta * float(-s.log_start.min()) / np.maximum(trace.times, 1),
    since=1,
    settings=grid,
    strategy=any_setting,
    controls=CONTROLS,
    rate=PowerLaw(lambda s: -1.0),
    trivial=lambda s: 0.5,
)
