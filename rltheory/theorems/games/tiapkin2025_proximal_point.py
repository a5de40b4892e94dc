r"""The proximal point method converges geometrically with any step, by an identity that leaves nothing out.

Throughout, :math:`K_k = \mathrm{KL}(\pi^* \| \pi_k)`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import magnetic_mirror_descent, proximal_point
from rltheory.arrays import Array
from rltheory.instances import (
    bradley_terry,
    cycle,
    efron_dice,
    random_game,
    random_tournament,
    recorded_game,
    weighted_rock_paper_scissors,
)
from rltheory.measures import kl
from rltheory.problems import PreferenceGame
from rltheory.simulation import stream
from rltheory.theorems.games.regularized_game import GAME, Hypotheses, PolicyRun, regularized_games
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Geometric, Identity, Paper, Standing, Theorem
from rltheory.theory.judge import RELATIVE_ERROR
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "tiapkin2025"
ITERATIONS = 12
ANY_STEP: Hypotheses = GAME | {"any step $\\gamma > 0$": BY_CONSTRUCTION}


class Setting(PolicyRun):
    """A run of the proximal point method on a regularised game."""

    @property
    def resolution(self) -> float:
        r"""Error in the span of the logarithms.

        An inner game of temperature :math:`\beta + 1/\gamma` turns the rounding of its logarithms into a distance of
        its policies, and its payoffs turn that into as much again over the temperature.
        """
        return super().resolution * (1 + 1 / (self.beta + 1 / self.step))

    @property
    def identity_rounding(self) -> float:
        """Absolute allowance for the identity, made as `kl_rounding` is for a divergence.

        Each side has half of the relative allowance; the coefficients of all divergences add up to the first factor.
        """
        return (3 / self.step + 2 * self.beta) * self.resolution**2 * (1 + 2 / RELATIVE_ERROR)


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run the method as the theorems say."""
    return proximal_point(s.game, beta=s.beta, iterations=ITERATIONS, step=s.step, reference=s.reference, start=s.start)


def play_one_sweep(s: Setting, rng: np.random.Generator) -> Trace:
    """The inner game is not solved: one proximal step against the last iterate."""
    return magnetic_mirror_descent(
        s.game, beta=s.beta, iterations=ITERATIONS, step=s.step, reference=s.reference, start=s.start
    )


def play_ignoring_payoffs(s: Setting, rng: np.random.Generator) -> Trace:
    """The queries answer 1/2 to everything."""
    return play(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def grid() -> Iterator[Setting]:
    """Steps from small to far beyond what other methods bear."""
    skewed = np.array([0.96, 0.03, 0.01])
    wave = 1 + 0.5 * np.cos(2 * np.pi * np.arange(51) / 51)
    corner = np.exp([0.0, -600.0])
    yield Setting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), 0.1, skewed, step=0.5, note="skewed reference")
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.02, step=10.0, start=skewed, note="skewed start")
    yield Setting(cycle(51), 0.02, step=100.0, start=wave / 51, note="start on a wave")
    yield Setting(efron_dice(), 0.05, start=np.array([0.7, 0.1, 0.1, 0.1]), note="skewed start")
    yield Setting(bradley_terry(np.linspace(0, 3, 20)), 0.05, step=10.0)
    yield Setting(random_game(stream(0, "proximal point", 10), 10), 0.1)
    yield Setting(random_tournament(stream(0, "proximal point", 20), 20), 0.2, step=0.5)
    yield Setting(recorded_game("llmfao_59"), 0.1, step=10.0)
    yield Setting(PreferenceGame.indifferent(2), 0.1, step=0.5, start=corner, note="start at a corner")


def any_setting() -> "SearchStrategy[Setting]":
    """Any game and policies, and any step."""
    from rltheory.strategies import log_uniform

    def steps(beta: float) -> "SearchStrategy[float]":
        return log_uniform(0.1, 100.0)

    return regularized_games(Setting, steps, policies=("reference", "start"), lowest_beta=0.02, longest_cycle=51)


def divergence(s: Setting, trace: Trace) -> Array:
    """K_k at the recorded times."""
    return kl(s.log_equilibrium, trace["log_policy"])


def next_divergence(s: Setting, trace: Trace) -> Array:
    """K_{k+1} at the recorded times."""
    return kl(s.log_equilibrium, trace["log_next"])


ITERATES = (
    "$\\pi_{k+1}$: the equilibrium of the game with the extra term $\\mathrm{KL}(\\cdot \\| \\pi_k) / \\gamma$; $\\pi^*$: "
    "the equilibrium of the game with temperature $\\beta$; $K_k = \\mathrm{KL}(\\pi^* \\| \\pi_k)$; $\\gamma$: the step size"
)
CONTROLS = {"inner game not solved": play_one_sweep, "payoffs ignored": play_ignoring_payoffs}

DESCENT = Theorem(
    name="proximal-point/descent",
    title="What each exact proximal step gains, to the last bit",
    paper=Paper(PAPER, "proximal point version, abstract of the second version"),
    standing=Standing.DERIVED,
    statement=r"\Bigl(\frac{1}{\gamma} + \beta\Bigr) K_{k+1} + \beta\, \mathrm{KL}(\pi_{k+1} \| \pi^*)"
    r" + \frac{1}{\gamma} \mathrm{KL}(\pi_{k+1} \| \pi_k) = \frac{1}{\gamma} K_k",
    symbols=ITERATES,
    kind=Identity(rounding=lambda s: s.identity_rounding),
    hypotheses=ANY_STEP,
    run=play,
    measured=lambda s, trace: (
        (1 / s.step + s.beta) * next_divergence(s, trace)
        + s.beta * kl(trace["log_next"], s.log_equilibrium)
        + kl(trace["log_next"], trace["log_policy"]) / s.step
    ),
    bound=lambda s, trace: divergence(s, trace) / s.step,
    settings=grid,
    strategy=any_setting,
    controls=CONTROLS,
    remark="An equality: where the inner game is solved, nothing is lost, and no step is too large. By "
    "regularized-game/response-contracts, best responses to one another solve it if $\\gamma (1 - 2 \\beta) < 2$; two of "
    "them, from $\\pi_k$ on, are an iteration of Nash mirror prox.",
)

KL_ONE_STEP = Theorem(
    name="proximal-point/kl-one-step",
    title="Each proximal step shrinks the divergence, whatever the step size",
    paper=Paper(PAPER, "proximal point version, abstract of the second version"),
    standing=Standing.DERIVED,
    statement=r"K_{k+1} \le \frac{K_k}{1 + \gamma \beta}",
    symbols=ITERATES,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=ANY_STEP,
    run=play,
    measured=next_divergence,
    bound=lambda s, trace: s.keep * divergence(s, trace),
    settings=grid,
    strategy=any_setting,
    controls=CONTROLS,
    remark="The factor is attained in the limit of very skewed starts, where the divergence is linear in the log-odds.",
)

KL = Theorem(
    name="proximal-point/kl",
    title="The proximal point method converges geometrically, whatever the step size",
    paper=Paper(PAPER, "proximal point version, abstract of the second version"),
    standing=Standing.DERIVED,
    statement=r"K_k \le (1 + \gamma \beta)^{-k} K_0",
    symbols=ITERATES,
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=ANY_STEP,
    run=play,
    measured=divergence,
    bound=lambda s, trace: s.keep**trace.times * divergence(s, trace)[0],
    since=1,
    settings=grid,
    strategy=any_setting,
    controls=CONTROLS,
    rate=Geometric(lambda s: s.keep),
)
