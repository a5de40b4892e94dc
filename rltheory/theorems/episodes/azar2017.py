"""UCBVI: the rate of its regret, on arms of all scales."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rltheory.algorithms import ucbvi_bernstein
from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.arrays import UNIT_ROUNDOFF, count
from rltheory.problems import FiniteHorizonMDP
from rltheory.theorems.episodes.tan2025 import PROCESS, arms
from rltheory.theory import EveryStep, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace


@dataclass(frozen=True, eq=False)
class Exploration:
    """A learner in episodes.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    episodes
        Number of episodes K >= 1.
    delta
        In (0, 1).
    """

    problem: FiniteHorizonMDP
    episodes: int
    delta: float = 0.05

    def __post_init__(self) -> None:
        count(self.episodes, "episodes", at_least=1)
        confidence(self.delta)

    def __str__(self) -> str:
        return f"{self.problem}, {self.episodes} episodes, delta {self.delta:g}"

    def stated(self, episodes: np.ndarray) -> np.ndarray:
        """The bound after so many episodes, with constants as recalled."""
        horizon, states, choices = self.problem.horizon, self.problem.states, self.problem.choices
        log = math.log(5 * choices * horizon * self.episodes / self.delta)
        found: np.ndarray = (
            30 * horizon * log * np.sqrt(choices * episodes)
            + 2500 * horizon**2 * states * choices * log**2
            + 4 * horizon**1.5 * np.sqrt(episodes * log)
        )
        return found


def arms_of_all_scales(number: int) -> FiniteHorizonMDP:
    """Arms that are worse than the best one, which is the last, by 1, 1/2, 1/4, and so on."""
    return arms(np.append(1 - 0.5 ** np.arange(number - 1), 1.0))


def explore(s: Exploration, rng: np.random.Generator) -> Trace:
    """Run UCBVI."""
    return ucbvi_bernstein(s.problem, episodes=s.episodes, delta=s.delta, rng=rng)


def keep_first_plan(s: Exploration, rng: np.random.Generator) -> Trace:
    """The plan of the first episode is followed for ever."""
    trace = explore(s, rng)
    regret = (("time",), trace["suboptimality"][0] * trace.times)
    return Trace(trace.algorithm, trace.times, {**trace.values, "regret": regret}, clock=trace.clock)


def grid() -> Iterator[Exploration]:
    """Scales down to 1/64 and to 1/256."""
    yield Exploration(arms_of_all_scales(8), 100_000)
    yield Exploration(arms_of_all_scales(10), 200_000)


UCBVI_RATE = Theorem(
    name="ucbvi/regret-rate",
    title="UCBVI's regret grows like the root of the number of episodes at most",
    paper=Paper("azar2017", "the guarantee of UCBVI-BF"),
    standing=Standing.RECALLED,
    statement=r"\mathrm{Reg}_K \le 30 H L \sqrt{C K} + 2500 H^2 S C L^2 + 4 H^{3 / 2} \sqrt{K L}",
    symbols="$\\mathrm{Reg}_K$: what the plans of $K$ episodes lose in the mean; $H$: the number of stages; $S$: that of "
    "states; $C$: that of choices in all; $L = \\log(5 C H K / \\delta)$",
    kind=EveryStep(rounding=lambda s: 64 * UNIT_ROUNDOFF * s.episodes * s.problem.horizon**2),
    hypotheses=PROCESS,
    run=explore,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: s.stated(trace.times),
    since=1,
    settings=grid,
    controls={"the first plan for ever": keep_first_plan},
    rate=PowerLaw(lambda s: 0.5),
    trivial=lambda s: float(s.problem.horizon * s.episodes),
    remark="On any one process the exponent falls to 0 in the end. These arms keep it up: at each time some of them are "
    "just about to be told from the best one.",
)
