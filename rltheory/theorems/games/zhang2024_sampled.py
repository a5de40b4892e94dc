r"""INPO with comparisons in place of win rates: estimated steps, and what a regression on pairs can know.

The paper's :math:`\tau` is the temperature :math:`\beta` here; :math:`\eta` is its inverse rate and
:math:`\gamma = 1 / (\eta - \beta)` the step size of the proximal map; :math:`K_t = \mathrm{KL}(\pi^* \| \pi_t)`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.algorithms import sampled_magnetic_mirror_descent
from rltheory.algorithms.games.inpo_regression import fit_values
from rltheory.arrays import Array, Matrix, Vector, first_index, float_array
from rltheory.instances import (
    bradley_terry,
    random_game,
    sure_winner,
    weighted_rock_paper_scissors,
)
from rltheory.measures import kl
from rltheory.problems import PreferenceGame
from rltheory.simulation import stream
from rltheory.theorems.games.regularized_game import GAME, RegularizedGame, regularized_games
from rltheory.theorems.games.zhang2024 import PAPER, PROVED_STEP, divergence
from rltheory.theory import BY_CONSTRUCTION, InExpectation, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True, eq=False)
class SampledSetting(RegularizedGame):
    """A run from the reference with estimated win rates.

    Parameters
    ----------
    comparisons
        Comparisons m for each action in each iteration.
    """

    comparisons: int = 1

    def __str__(self) -> str:
        return f"{self.game}, beta = {self.beta:g}, gamma = {self.step:.4g}, m = {self.comparisons}"

    @property
    def usual_step(self) -> float:
        """The largest step with a proved rate."""
        return 4 * self.beta

    @property
    def iterations(self) -> int:
        """Enough for the initial divergence to fall by exp(-8)."""
        return math.ceil(8 / math.log1p(self.step * self.beta))

    @property
    def rate(self) -> float:
        """Weight 1 / eta = q gamma of the win rates in a step, in 1 / payoff."""
        return self.keep * self.step

    @property
    def drift(self) -> float:
        """What estimation adds to the divergence in one iteration, in expectation."""
        return self.rate**2 / (8 * self.comparisons)

    @property
    def farthest(self) -> float:
        """Largest possible divergence from the reference of a policy whose logarithms differ by a span of 1 / beta."""
        return min(1 / self.beta, 1 / (8 * self.beta**2))

    @property
    def largest_fall(self) -> float:
        r"""Largest possible :math:`q K_t - K_{t+1}`, whatever the comparisons say.

        The logarithm of the new policy adds to that of the anchor :math:`\pi_t^q \mu^{1-q}` some
        :math:`\hat v / \eta` of span :math:`1 / \eta`, and the anchor's mass is :math:`e^{-(1-q) \mathrm{KL}(\pi_t \|
        \mu)}` at least, where :math:`1 - q = \beta / \eta`.
        """
        return self.rate * (1 + self.beta * self.farthest)

    @property
    def largest_rise(self) -> float:
        r"""Largest possible :math:`K_{t+1} - q K_t`: the same with :math:`\mathrm{KL}(\pi^* \| \mu) \le 1 / (2 \beta)`."""
        return self.rate * (1 + self.beta * min(1 / (2 * self.beta), self.farthest))

    @property
    def offset(self) -> float:
        """Least offset of decreasing rates: they start at the largest proved step."""
        return 2 + 1 / (2 * self.beta**2)


@dataclass(frozen=True, eq=False)
class Design:
    """Who meets whom, and how often.

    Parameters
    ----------
    game
        The game, n actions.
    meetings : array, shape (n, n)
        Numbers of comparisons of two actions, symmetric.
    note
        What is particular about it.
    """

    game: PreferenceGame
    meetings: ArrayLike
    note: str = ""

    def __post_init__(self) -> None:
        meetings = float_array(self.meetings, "meetings", ndim=2)
        n = self.game.n
        if meetings.shape != (n, n):
            raise ValueError(f"meetings has shape {meetings.shape}; the game has {n} actions")
        wrong = (meetings < 0) | (meetings != np.round(meetings)) | (meetings != meetings.T)
        if wrong.any():
            index = first_index(wrong)
            raise ValueError(f"meetings{list(index)} is {meetings[index]}; it must be symmetric, with integers >= 0")
        object.__setattr__(self, "meetings", meetings)

    def __str__(self) -> str:
        return f"{self.game}, {self.note}" if self.note else str(self.game)

    @property
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """First and second actions of all pairs."""
        return np.triu_indices(self.game.n, 1)

    @cached_property
    def laplacian(self) -> Matrix:
        """Graph Laplacian of the comparisons."""
        meetings = np.asarray(self.meetings)
        laplacian: Matrix = np.diag(meetings.sum(axis=1)) - meetings
        return laplacian

    @cached_property
    def currents(self) -> Array:
        """Currents through one comparison of any two actions, shape (pair, n, n), for a unit current between a pair."""
        first, second = self.pairs
        inverse = np.linalg.pinv(self.laplacian, hermitian=True)
        potentials = inverse[first] - inverse[second]
        return potentials[:, :, None] - potentials[:, None, :]

    @cached_property
    def resistances(self) -> Vector:
        """Effective resistance of each pair, for a resistor of 1 in each comparison."""
        first, second = self.pairs
        resistances: Vector = self.currents[np.arange(first.size), first, second]
        return resistances

    @cached_property
    def largest_errors(self) -> Vector:
        """Largest possible error of each pair's fitted difference: every comparison is an upset that tells."""
        upsets = np.asarray(self.meetings) * np.maximum(self.game.prefer, self.game.prefer.T)
        errors: Vector = (np.abs(self.currents) * upsets).sum(axis=(1, 2)) / 2
        return errors

    @cached_property
    def expected(self) -> Vector:
        """What the regression makes of expected outcomes: the difference of each pair."""
        return _differences(self, np.asarray(self.meetings) * self.game.prefer)


def play(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Run with the constant step of the setting."""
    return _play(s, rng, np.full(s.iterations + 1, s.step))


def play_decreasing(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Run with rates 2 / (beta (t + t_0))."""
    return _play(s, rng, 2 / (s.beta * (np.arange(s.iterations + 1) + s.offset - 2)))


def _play(s: SampledSetting, rng: np.random.Generator, steps: Vector) -> Trace:
    return sampled_magnetic_mirror_descent(
        s.game,
        beta=s.beta,
        iterations=steps.size - 1,
        comparisons=s.comparisons,
        rng=rng,
        step=steps,
        reference=s.reference,
    )


def compare(s: Design, rng: np.random.Generator) -> Trace:
    """Hold all comparisons, and fit."""
    return _compare(s, rng, 1)


def _compare(s: Design, rng: np.random.Generator, repeats: int) -> Trace:
    """Fit, where each answer is counted `repeats` times."""
    meetings = np.triu(np.asarray(s.meetings), 1).astype(np.int64)
    wins = repeats * rng.binomial(meetings // repeats, s.game.prefer) + rng.binomial(meetings % repeats, s.game.prefer)
    fitted = _differences(s, np.triu(wins, 1) + np.triu(meetings - wins, 1).T)
    return Trace("comparisons", np.arange(fitted.size), {"difference": (("time",), fitted)}, clock="pair")


def _differences(s: Design, wins: Array) -> Vector:
    """Fitted differences of all pairs."""
    values = fit_values(wins, np.full(s.game.n, 1 / s.game.n))
    first, second = s.pairs
    differences: Vector = values[first] - values[second]
    return differences


# Wrong runs, to be told from right ones.


def play_ignoring_answers(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """All comparisons are decided by a fair coin."""
    return play(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_decreasing_ignoring_answers(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """All comparisons are decided by a fair coin, and the steps decrease."""
    return play_decreasing(replace(s, game=PreferenceGame.indifferent(s.game.n)), rng)


def play_with_few_comparisons(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Make a quarter of the comparisons."""
    return play(replace(s, comparisons=max(1, s.comparisons // 4)), rng)


def play_decreasing_with_few_comparisons(s: SampledSetting, rng: np.random.Generator) -> Trace:
    """Make a quarter of the comparisons, and decrease the steps."""
    return play_decreasing(replace(s, comparisons=max(1, s.comparisons // 4)), rng)


def compare_repeating(s: Design, rng: np.random.Generator) -> Trace:
    """Count each answer four times, as if it were four comparisons."""
    return _compare(s, rng, 4)


def sampled_grid() -> Iterator[SampledSetting]:
    """Cycles, a random game and sure winners, with few comparisons: the noise of many hides in the range."""
    rock_paper_scissors = weighted_rock_paper_scissors(0.5, 0.5, 0.5)
    skewed = np.array([0.8, 0.1, 0.1])
    yield SampledSetting(rock_paper_scissors, 1.0, step=4.0, comparisons=1)
    yield SampledSetting(rock_paper_scissors, 0.5, skewed, step=2.0, comparisons=1)
    yield SampledSetting(rock_paper_scissors, 1.0, skewed, step=2.0, comparisons=4)
    yield SampledSetting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 1.0, step=4.0, comparisons=4)
    yield SampledSetting(random_game(stream(0, "sampled", 10), 10), 1.0, step=4.0, comparisons=1)
    yield SampledSetting(sure_winner(), 0.5, np.array([0.1, 0.9]), step=2.0, comparisons=4)


def designs() -> Iterator[Design]:
    """Chains, stars, rings and everybody against everybody, with favourites."""

    def links(n: int, *pairs: tuple[int, int], times: int) -> Matrix:
        meetings = np.zeros((n, n))
        for a, b in pairs:
            meetings[a, b] = meetings[b, a] = times
        return meetings

    chain, star = ((0, 1), (1, 2), (2, 3)), ((0, 1), (0, 2), (0, 3), (0, 4))
    ring = tuple((a, (a + 1) % 5) for a in range(5))
    yield Design(bradley_terry([3.0, 0.0, 2.0, 3.0]), links(4, *chain, times=4), "chain of 4 meetings each")
    yield Design(bradley_terry([2.0, 0.0, 0.5, -0.5, 4.0]), links(5, *star, times=4), "star of 4 meetings each")
    ring_with_chord = links(5, *ring, times=2) + links(5, (0, 2), times=8)
    yield Design(random_game(stream(0, "designs", 5), 5), ring_with_chord, "ring with a chord")
    yield Design(bradley_terry(np.linspace(0, 6, 4)), 4 * (1 - np.eye(4)), "4 meetings of each pair")


def any_sampled_setting() -> "SearchStrategy[SampledSetting]":
    """Any small game and reference, with some comparisons and steps up to the largest."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    def steps(beta: float) -> "SearchStrategy[float]":
        return st.just(4 * beta) | log_uniform(2 * beta, 4 * beta)

    single = regularized_games(SampledSetting, steps, lowest_beta=0.3, longest_cycle=11)
    return st.tuples(single, st.integers(1, 16)).map(lambda drawn: replace(drawn[0], comparisons=drawn[1]))


def any_design() -> "SearchStrategy[Design]":
    """Any small game, on a ring of all actions with some more meetings."""
    from hypothesis import strategies as st

    from rltheory.strategies import games

    def meetings(game: PreferenceGame) -> "SearchStrategy[Design]":
        n = game.n
        ring = np.eye(n)[np.roll(np.arange(n), 1)]
        more = st.lists(st.integers(0, 3), min_size=n * n, max_size=n * n).map(
            lambda m: np.triu(np.reshape(m, (n, n)), 1)
        )
        return more.map(lambda upper: Design(game, np.maximum(ring, ring.T) + upper + upper.T))

    return games(min_n=2, max_n=5).flatmap(meetings)


def decreasing_bound(s: SampledSetting, trace: Trace) -> Array:
    """Solution of the recursion with decreasing rates."""
    t, t0 = trace.times, s.offset
    start = (t0 - 1) * (t0 - 2) * kl(s.log_equilibrium, s.log_reference)
    bound: Array = (start + t / (2 * s.comparisons * s.beta**2)) / ((t + t0 - 1) * (t + t0 - 2))
    return bound


def squared_error(s: Design, trace: Trace) -> Array:
    """Squared distance of the fitted differences from those that expected outcomes would give."""
    errors: Array = (trace["difference"] - s.expected) ** 2
    return errors


SAMPLED = (
    "$\\pi_t$: the iterates, from $\\pi_0 = \\mu$; $\\pi^*$: the equilibrium of the game with temperature $\\beta$ and "
    "reference $\\mu$; $K_t = \\mathrm{KL}(\\pi^* \\| \\pi_t)$; $m$: comparisons for each action in each iteration; "
    "$\\eta$: the inverse rate"
)
WITH_STEP = SAMPLED + "; $\\gamma = 1 / (\\eta - \\beta)$: the step size; $q = 1 - \\beta / \\eta$"
Control = Callable[[SampledSetting, np.random.Generator], Trace]
COIN: dict[str, Control] = {"comparisons decided by a coin": play_ignoring_answers}
FEW: dict[str, Control] = {"a quarter of the comparisons": play_with_few_comparisons}

SAMPLED_ONE_STEP = Theorem(
    name="inpo/sampled-one-step",
    title="Estimated win rates cost a fixed amount in each iteration, in expectation",
    paper=Paper(PAPER, "Theorem 4, for estimated win rates"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\Bigl[K_{t+1} - \Bigl(1 - \frac{\beta}{\eta}\Bigr) K_t\Bigr] \le \frac{1}{8 m \eta^2}",
    symbols=WITH_STEP,
    kind=InExpectation(
        rounding=lambda s: 2 * s.kl_rounding,
        low=lambda s: -min(s.largest_fall, s.keep * s.largest_divergence),
        high=lambda s: min(s.largest_rise, s.largest_divergence),
    ),
    hypotheses=GAME | PROVED_STEP,
    run=play,
    measured=lambda s, trace: kl(s.log_equilibrium, trace["log_next"]) - s.keep * divergence(s, trace),
    bound=lambda s, trace: np.full(trace.times.size, s.drift),
    settings=sampled_grid,
    strategy=any_sampled_setting,
    controls=FEW,
)

SAMPLED_DIVERGENCE = Theorem(
    name="inpo/sampled",
    title="With estimated win rates the divergence shrinks to a floor, in expectation",
    paper=Paper(PAPER, "Theorem 4, for estimated win rates"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, K_t \le q^t K_0 + (1 - q^t)\, \frac{1}{8 m \beta \eta}",
    symbols=WITH_STEP,
    kind=InExpectation(rounding=lambda s: 2 * s.kl_rounding, low=lambda s: 0.0, high=lambda s: s.largest_divergence),
    hypotheses=GAME | PROVED_STEP,
    run=play,
    measured=divergence,
    bound=lambda s, trace: (
        s.keep**trace.times * kl(s.log_equilibrium, s.log_reference)
        + (1 - s.keep**trace.times) * s.rate / (8 * s.comparisons * s.beta)
    ),
    since=1,
    settings=sampled_grid,
    strategy=any_sampled_setting,
    controls=COIN | FEW,
    remark="The floor does not depend on the number of actions. With the largest step, $\\gamma = 4 \\beta$, it is "
    "$q / (2 m)$.",
)

SAMPLED_DECREASING = Theorem(
    name="inpo/sampled-decreasing",
    title="With decreasing steps, estimated win rates suffice to converge",
    paper=Paper(PAPER, "Theorem 4, for estimated win rates"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, K_t \le \frac{(t_0 - 1)(t_0 - 2)\, K_0 + t / (2 m \beta^2)}{(t + t_0 - 1)(t + t_0 - 2)}",
    symbols=SAMPLED + ", here $\\eta_t = \\beta (t + t_0) / 2$; $t_0 = 2 + 1 / (2 \\beta^2)$",
    kind=InExpectation(rounding=lambda s: 2 * s.kl_rounding, low=lambda s: 0.0, high=lambda s: s.largest_divergence),
    hypotheses=GAME,
    run=play_decreasing,
    measured=divergence,
    bound=decreasing_bound,
    since=1,
    settings=sampled_grid,
    strategy=any_sampled_setting,
    controls={
        "comparisons decided by a coin": play_decreasing_ignoring_answers,
        "a quarter of the comparisons": play_decreasing_with_few_comparisons,
    },
    remark="The bound goes as $1 / (2 m \\beta^2 t)$. The rates start at the largest proved step; any larger $t_0$ does.",
)

REGRESSION_VARIANCE = Theorem(
    name="inpo/regression-variance",
    title="The regression errs by the resistance between two actions, with a resistor for each comparison",
    paper=Paper(PAPER, "equation 8 on a table, for given pairs"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E} \bigl[(\hat v_a - \hat v_b) - (v_a - v_b)\bigr]^2 \le \frac{R_{ab}}{4}",
    symbols="$\\hat v$: the values that fit the comparisons best, where the next policy is $\\propto \\pi_t^{1 - \\beta / \\eta} "
    "\\mu^{\\beta / \\eta} e^{\\hat v / \\eta}$; $v$: those that fit the expected outcomes best; $R_{ab}$: the resistance "
    "between a and b of a network with a resistor of 1 for each comparison",
    kind=InExpectation(rounding=lambda s: 1e-12, low=lambda s: 0.0, high=lambda s: s.largest_errors**2),
    hypotheses={
        "each comparison is an independent coin of its preference": BY_CONSTRUCTION,
        "comparisons lead from each action to every other": lambda s: (
            int(np.linalg.matrix_rank(s.laplacian, hermitian=True)) == s.game.n - 1
        ),
    },
    run=compare,
    measured=squared_error,
    bound=lambda s, trace: s.resistances / 4,
    settings=designs,
    strategy=any_design,
    controls={"each answer counted four times": compare_repeating},
    remark="It is attained by fair coins. The resistance is at least $1/d$ for an action in d comparisons, and grows "
    "with the way from one action to the other; without a way the regression knows nothing of the difference.",
)
