"""Optimism makes the last iterate converge even without regularisation, at a rate of the instance's own."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms import hedge, optimistic_mirror_descent
from rltheory.arrays import Array, count, distribution, positive
from rltheory.instances import cycle, efron_dice, weighted_rock_paper_scissors
from rltheory.measures import exploitability
from rltheory.problems import PreferenceGame
from rltheory.solvers import minimax_winner
from rltheory.theory import Existence, Paper, Standing, Theorem
from rltheory.trace import Trace

BURN_IN = 4  # part of the run, one in so many
SMALLEST_SHARE = 1e-9  # of a winner that counts as having full support; solvers leave less where it has not
LOST = 1e-13  # gaps of this size are rounding


@dataclass(frozen=True, eq=False)
class Setting:
    """A run on the game itself.

    Parameters
    ----------
    game
        The game, n actions.
    start : array, shape (n,)
        First policy.
    iterations
        Horizon, >= 1.
    step
        Step size, > 0, in 1 / payoff.
    """

    game: PreferenceGame
    start: ArrayLike
    iterations: int
    step: float = 0.8

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", distribution(self.start, self.game.n, "start"))
        count(self.iterations, "iterations", at_least=1)
        positive(self.step, "step")

    def __str__(self) -> str:
        return f"{self.game}, gamma = {self.step:g}, {self.iterations} iterations"


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run optimistic mirror descent at temperature 0."""
    return optimistic_mirror_descent(s.game, beta=0.0, iterations=s.iterations, step=s.step, start=s.start)


def play_without_optimism(s: Setting, rng: np.random.Generator) -> Trace:
    """The midpoint does not extrapolate: Hedge."""
    return hedge(s.game, iterations=s.iterations, rate=s.step, start=s.start)


def grid() -> Iterator[Setting]:
    """Games with one interior winner, and with many; each run ends about when the gap is lost in rounding."""
    skewed = np.array([0.6, 0.3, 0.1])
    yield Setting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), skewed, 1000)
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), skewed, 5000)
    yield Setting(cycle(5), np.array([0.6, 0.1, 0.1, 0.1, 0.1]), 15_000)
    yield Setting(efron_dice(), np.array([0.1, 0.2, 0.3, 0.4]), 12_000)


def has_interior_winner(s: Setting) -> bool:
    """Whether some minimax winner charges all actions."""
    return bool(minimax_winner(s.game).policy.min() > SMALLEST_SHARE)


def shrinks_tenfold(s: Setting, trace: Trace) -> Array:
    """Whether no gap from a time on exceeds a tenth of the largest since half that time; true in the burn-in."""
    gaps = exploitability(s.game, np.exp(trace["log_policy"]))
    largest = np.maximum.accumulate(gaps[::-1])[::-1]
    before = largest[np.searchsorted(trace.times, trace.times // 2, side="right") - 1]
    in_burn_in = trace.times < s.iterations // BURN_IN
    passes: Array = (in_burn_in | (largest <= np.maximum(before / 10, LOST))).astype(np.float64)
    return passes


LAST_ITERATE = Theorem(
    name="omwu/last-iterate",
    title="Without regularisation, optimism alone makes the last iterate converge",
    paper=Paper("chen2025", "abstract: linear rate after a burn-in if a minimax winner has full support"),
    standing=Standing.SEEN,
    statement=r"\exists\, T:\quad \sup_{s \ge 2t} \mathcal{E}(x_s) \le \tfrac{1}{10} \sup_{s \ge t} \mathcal{E}(x_s)"
    r" \quad \text{for all } t \ge T",
    symbols="$x_t$: the iterates of optimistic mirror descent at temperature 0; $\\mathcal{E}(x) = \\max_a (P x)_a - 1/2$: "
    "the exploitability",
    kind=Existence(),
    hypotheses={"some minimax winner has full support": has_interior_winner},
    run=play,
    measured=shrinks_tenfold,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=grid,
    controls={"no optimism": play_without_optimism},
    remark="The paper's burn-in and rate depend on the instance, with constants that are not checked here. What is checked "
    "is that doubling the time gains a factor 10 from an eighth of the horizon on: a decline as a power of time, up to "
    "$t^{-3.3}$, does not.",
)
