r"""Nash mirror prox with errors: steps that are solved approximately, win rates that are estimated.

The step size is 2 throughout; :math:`K_k = \mathrm{KL}(\pi^* \| \pi_k)`, :math:`q = 1 / (1 + 2 \beta)`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import sampled_nash_mirror_prox
from rltheory.arrays import Array, Vector
from rltheory.instances import (
    cycle,
    efron_dice,
    random_game,
    random_tournament,
    sure_winner,
    weighted_rock_paper_scissors,
)
from rltheory.measures import kl
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_normalize
from rltheory.simulation import stream
from rltheory.theorems.games.regularized_game import GAME, Hypotheses, RegularizedGame, regularized_games
from rltheory.theory import EveryStep, InExpectation, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "tiapkin2025"
STEP_2: Hypotheses = {"$\\gamma = 2$": lambda s: s.step == 2}


@dataclass(frozen=True, eq=False)
class InexactSetting(RegularizedGame):
    """A run whose steps are in error.

    Parameters
    ----------
    half_error
        Distance in L1 by which each half iterate is off, in [0, 2].
    log_error
        Span of the error of each full step's logarithms, >= 0.
    iterations
        Number of iterations.
    """

    half_error: float = 0.0
    log_error: float = 0.0
    iterations: int = 300

    def __str__(self) -> str:
        return f"{self.game}, beta = {self.beta:g}, errors {self.half_error:g} and {self.log_error:g}"


@dataclass(frozen=True, eq=False)
class SampledSetting(RegularizedGame):
    """A run from the reference with estimated win rates.

    Parameters
    ----------
    comparisons
        Comparisons m for each action and query.
    """

    comparisons: int = 1

    def __str__(self) -> str:
        return f"{self.game}, beta = {self.beta:g}, m = {self.comparisons}"

    @property
    def iterations(self) -> int:
        """Enough for the initial divergence to fall by exp(-12)."""
        return math.ceil(12 / math.log1p(self.beta))

    @property
    def drift(self) -> float:
        """What estimation adds to the divergence in one iteration, in expectation."""
        noise = self.keep**2 / (2 * self.comparisons)
        return noise / (self.beta * (1 + self.beta)) + noise


def play_inexact(s: InexactSetting, rng: np.random.Generator) -> Trace:
    """Run with the largest errors allowed, chosen to hurt: an adversary knows the equilibrium."""
    log_policy, star = s.log_reference, np.exp(s.log_equilibrium)
    rows = []
    for _ in range(s.iterations):
        log_half = _prox(s, log_policy, np.exp(log_policy))
        ahead = np.exp(_prox(s, log_policy, np.exp(log_half))) - star
        half = _shift(np.exp(log_half), ahead @ s.game.payoff, s.half_error)
        exact = _prox(s, log_policy, half)
        wrong = s.log_error / 2 * np.where(np.exp(exact) > star, 1.0, -1.0)
        rows.append((log_policy, log_normalize(exact + wrong)))
        log_policy = rows[-1][1]
    policies = np.array(rows)
    return Trace(
        "inexact Nash mirror prox",
        np.arange(s.iterations),
        {name: (("time", "action"), policies[:, i]) for i, name in enumerate(("log_policy", "log_next"))},
    )


def _prox(s: RegularizedGame, log_anchor: Vector, opponent: Vector) -> Vector:
    """Logarithm of the proximal step against `opponent`."""
    anchor = s.keep * log_anchor + (1 - s.keep) * s.log_reference
    return log_normalize(anchor + s.keep * s.step * (s.game.payoff @ opponent))


def _shift(policy: Vector, gain: Vector, distance: float) -> Vector:
    """Move weight from where it gains least to where it gains most, by `distance` in L1 at most."""
    giver, taker = int(np.argmin(np.where(policy > distance / 2, gain, np.inf))), int(np.argmax(gain))
    moved = policy.copy()
    weight = min(distance / 2, policy[giver])
    moved[giver] -= weight
    moved[taker] += weight
    return moved


def play_with_larger_errors(s: InexactSetting, rng: np.random.Generator) -> Trace:
    """Make errors five times as large as declared."""
    return play_inexact(replace(s, half_error=min(5 * s.half_error, 2.0), log_error=5 * s.log_error), rng)


def play_sampled(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Run the algorithm as the theorems say."""
    return sampled_nash_mirror_prox(
        s.game,
        beta=s.beta,
        iterations=s.iterations,
        comparisons=s.comparisons,
        rng=rng,
        step=s.step,
        reference=s.reference,
    )


def play_ignoring_answers(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """All comparisons are decided by a fair coin."""
    return play_sampled(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_with_few_comparisons(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Make a sixteenth of the comparisons."""
    return play_sampled(replace(s, comparisons=max(1, s.comparisons // 16)), rng)


def inexact_grid() -> Iterator[InexactSetting]:
    """Errors of either kind and of both, on cycles and random games."""
    skewed = np.array([0.9, 0.05, 0.05])
    yield InexactSetting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), 0.1, skewed, log_error=0.05)
    yield InexactSetting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.1, half_error=0.01, log_error=0.001)
    yield InexactSetting(cycle(5), 0.2, np.array([0.6, 0.1, 0.1, 0.1, 0.1]), half_error=0.1)
    yield InexactSetting(efron_dice(), 0.05, half_error=0.001)
    yield InexactSetting(random_game(stream(0, "inexact", 10), 10), 0.5, half_error=0.2, log_error=0.01)
    yield InexactSetting(sure_winner(), 0.02, np.array([1e-8, 1 - 1e-8]), log_error=0.1)
    yield InexactSetting(sure_winner(), 0.005, np.array([1e-43, 1.0]), log_error=1e-4)


def sampled_grid() -> Iterator[SampledSetting]:
    """From one comparison to many, on cycles, random games and sure winners."""
    yield SampledSetting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), 1.0, comparisons=1)
    yield SampledSetting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.5, comparisons=4)
    yield SampledSetting(cycle(5), 0.5, comparisons=4)
    yield SampledSetting(random_game(stream(0, "sampled", 10), 10), 0.5, comparisons=16)
    yield SampledSetting(random_tournament(stream(0, "sampled", 20), 20), 0.2, comparisons=16)
    yield SampledSetting(sure_winner(), 0.2, np.array([0.1, 0.9]), comparisons=4)
    yield SampledSetting(cycle(3), 0.2, np.array([0.8, 0.1, 0.1]), comparisons=40)


def any_inexact_setting() -> "SearchStrategy[InexactSetting]":
    """Any game and reference, with errors of any size."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    exact = regularized_games(InexactSetting, lambda beta: st.just(2.0), lowest_beta=0.02)
    errors = st.tuples(log_uniform(1e-4, 2.0), log_uniform(1e-4, 1.0))
    return st.tuples(exact, errors).map(lambda drawn: replace(drawn[0], half_error=drawn[1][0], log_error=drawn[1][1]))


def any_sampled_setting() -> "SearchStrategy[SampledSetting]":
    """Any small game and reference, with some comparisons."""
    from hypothesis import strategies as st

    single = regularized_games(SampledSetting, lambda beta: st.just(2.0), lowest_beta=0.3, longest_cycle=11)
    return st.tuples(single, st.integers(1, 16)).map(lambda drawn: replace(drawn[0], comparisons=drawn[1]))


def divergence(s: RegularizedGame, trace: Trace) -> Array:
    """K_k at the recorded times."""
    return kl(s.log_equilibrium, trace["log_policy"])


def one_step_excess(s: SampledSetting, trace: Trace) -> Array:
    """K_k - K_{k-1} / (1 + beta) at the recorded times; 0 at the first."""
    divergences = divergence(s, trace)
    return np.append(0.0, divergences[1:] - divergences[:-1] / (1 + s.beta))


ITERATES = (
    "$\\pi_k$: the iterates; $\\pi^*$: the equilibrium of the game with temperature $\\beta$; "
    "$K_k = \\mathrm{KL}(\\pi^* \\| \\pi_k)$; $\\gamma = 2$; "
)
SAMPLED = ITERATES + "$m$: comparisons for each action and query; $q = 1 / (1 + 2 \\beta)$"
SAMPLED_CONTROLS: dict[str, Callable[[SampledSetting, np.random.Generator], Trace]] = {
    "comparisons decided by a coin": play_ignoring_answers,
}
FEW: dict[str, Callable[[SampledSetting, np.random.Generator], Trace]] = {
    "a sixteenth of the comparisons": play_with_few_comparisons,
}

INEXACT = Theorem(
    name="nash-mp/inexact",
    title="Errors of the steps leave a floor of their own size",
    paper=Paper(PAPER, "approximate version, abstract"),
    standing=Standing.DERIVED,
    statement=r"K_{k+1} \le \frac{K_k + \rho^2 / (2 \beta)}{1 + \beta} + e",
    symbols=ITERATES
    + "$\\rho$: distance in $\\ell_1$ by which half iterates are off; $e$: span of the error of the full "
    "step's logarithms",
    kind=EveryStep(rounding=lambda s: 2 * s.kl_rounding),
    hypotheses=GAME | STEP_2,
    run=play_inexact,
    measured=lambda s, trace: kl(s.log_equilibrium, trace["log_next"]),
    bound=lambda s, trace: (divergence(s, trace) + s.half_error**2 / (2 * s.beta)) / (1 + s.beta) + s.log_error,
    settings=inexact_grid,
    strategy=any_inexact_setting,
    controls={"errors five times as large as declared": play_with_larger_errors},
    remark="Hence $\\limsup_k K_k \\le \\rho^2 / (2 \\beta^2) + e\\, (1 + 1/\\beta)$.",
)

SAMPLED_ONE_STEP = Theorem(
    name="nash-mp/sampled-one-step",
    title="Estimated win rates cost a fixed amount in each iteration, in expectation",
    paper=Paper(PAPER, "approximate version, abstract"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\Bigl[K_k - \frac{K_{k-1}}{1 + \beta}\Bigr] \le \frac{q^2}{2 \beta (1 + \beta)\, m} + \frac{q^2}{2 m}",
    symbols=SAMPLED,
    kind=InExpectation(
        rounding=lambda s: 2 * s.kl_rounding,
        low=lambda s: -s.largest_divergence / (1 + s.beta),
        high=lambda s: s.largest_divergence,
    ),
    hypotheses=GAME | STEP_2,
    run=play_sampled,
    measured=one_step_excess,
    bound=lambda s, trace: np.full(trace.times.size, s.drift),
    since=1,
    settings=sampled_grid,
    strategy=any_sampled_setting,
    controls=FEW,
)

SAMPLED_DIVERGENCE = Theorem(
    name="nash-mp/sampled",
    title="With estimated win rates the divergence shrinks to a floor, in expectation",
    paper=Paper(PAPER, "approximate version, abstract"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, K_k \le (1 + \beta)^{-k} K_0 + \bigl(1 - (1 + \beta)^{-k}\bigr)\, \frac{q^2 (1 + \beta + \beta^2)}{2 m \beta^2}",
    symbols=SAMPLED,
    kind=InExpectation(rounding=lambda s: 2 * s.kl_rounding, low=lambda s: 0.0, high=lambda s: s.largest_divergence),
    hypotheses=GAME | STEP_2,
    run=play_sampled,
    measured=divergence,
    bound=lambda s, trace: (
        (1 + s.beta) ** -trace.times.astype(float) * kl(s.log_equilibrium, s.log_reference)
        + (1 - (1 + s.beta) ** -trace.times.astype(float)) * s.drift * (1 + s.beta) / s.beta
    ),
    since=1,
    settings=sampled_grid,
    strategy=any_sampled_setting,
    controls=SAMPLED_CONTROLS | FEW,
    remark="The floor does not depend on the number of actions.",
)
