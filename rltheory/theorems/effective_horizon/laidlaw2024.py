r"""SQIRL finds good policies of stochastic processes: how errors of its regressions add up, and what they cost.

Throughout, H is the horizon, A the number of actions, k the number of regressions for each stage, :math:`\Delta` the
smallest gap of a safe state. No episode returns less than 0 or more than 1. :math:`\mu_t` is the law of the choice at
stage t if the policy found is followed before stage h, and choices are uniform from h on, and
:math:`\|\cdot\|_t` the root of the mean square under it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import sqirl
from rltheory.algorithms.effective_horizon.sqirl import Regression, cell_means
from rltheory.arrays import Matrix, Vector, count
from rltheory.instances import random_episodes
from rltheory.measures import finite_horizon_suboptimality
from rltheory.problems import FiniteHorizonMDP, TabularMDP, deterministic_policy, uniform_policy
from rltheory.problems.mdp import Indices
from rltheory.simulation import stream
from rltheory.solvers import backward_induction, finite_horizon_occupancy
from rltheory.solvers.diameter import greedy
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theorems.effective_horizon.lookahead import Lookahead
from rltheory.theory import BY_CONSTRUCTION, EveryStep, InExpectation, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "laidlaw2024"
ROUNDING = 1e-12  # some dozen sums of numbers up to 1
POINTS, REPLICATES = 12, 60  # numbers of episodes in a sweep, and runs with each


@dataclass(frozen=True, eq=False)
class ShallowIteration(Lookahead):
    """A run of SQIRL on a table.

    Parameters
    ----------
    episodes
        Episodes m >= 1 for each regression.
    constant
        Whether regressions are constant functions, which makes errors large; means of each choice by default.
    """

    episodes: int
    constant: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        count(self.episodes, "episodes", at_least=1)

    def __str__(self) -> str:
        return f"{super().__str__()}, m = {self.episodes}{', constants' if self.constant else ''}"

    @property
    def regression(self) -> Regression:
        """How targets are fitted."""
        return self._fit_constant if self.constant else cell_means(self.problem.choices)

    def _fit_constant(self, made: Indices, targets: Vector) -> Vector:
        return np.full(self.problem.choices, targets.mean())

    @cached_property
    def is_bounded(self) -> bool:
        """Whether all rewards are >= 0, and no episode returns more than 1."""
        most = np.zeros(self.problem.states)
        for rewards, mdp in zip(self.rewards[::-1], self.problem.stages[::-1], strict=True):
            matrix = mdp.transition_matrix
            laws = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
            most = self.best(rewards + np.where(laws > 0, most, -np.inf).max(axis=1))
        return bool((self.rewards >= 0).all()) and bool((most[self.problem.initial > 0] <= 1 + ROUNDING).all())

    @cached_property
    def cells(self) -> int:
        """Largest number of choices that can be reached at a stage."""
        random = np.broadcast_to(uniform_policy(self.problem.stages[0]), self.rewards.shape)
        return int((self.roll_in(random) > 0).sum(axis=1).max())

    def roll_in(self, policy: Matrix) -> Matrix:
        """Law of the choice at each stage, shape (H, C)."""
        law: Matrix = finite_horizon_occupancy(self.problem, policy).occupancy
        return law

    @property
    def roots(self) -> Vector:
        r"""Powers :math:`1, \sqrt A, \dots, \sqrt{A}^{\,k - 1}`."""
        roots: Vector = np.sqrt(self.actions) ** np.arange(self.depth)
        return roots

    @property
    def expected_error(self) -> float:
        """Bound on the mean square error of an estimate at its own stage."""
        return float(self.roots.sum()) ** 2 * self.cells / (self.episodes + 1)


def play(s: ShallowIteration, rng: np.random.Generator) -> Trace:
    """Run SQIRL, each regression with episodes of its own, and measure its errors exactly."""
    return _measured(s, _run(s, s.problem, s.depth, rng))


def _run(s: ShallowIteration, problem: FiniteHorizonMDP, depth: int, rng: np.random.Generator) -> Trace:
    return sqirl(
        problem, depth=depth, episodes=s.episodes, rng=rng, regression=s.regression, highest_return=1.0, fresh=True
    )


def _measured(s: ShallowIteration, run: Trace) -> Trace:
    """Errors of the regressions of a run, and what its policy loses if it is followed up to a stage."""
    mdp, estimates = s.problem.stages[0], run["estimates"]
    followed, rolled_in = backward_induction(s.problem).policy.copy(), np.tile(uniform_policy(mdp), (s.horizon, 1))
    rows = []
    for stage in range(s.horizon):
        law, fitted = s.roll_in(rolled_in), estimates[stage]
        top = min(stage + len(fitted), s.horizon) - 1
        last = root_mean(law[top], fitted[top - stage] - s.iterates[0, top])
        steps = [
            root_mean(law[t], fitted[t - stage] - s.backed_up(t, s.best(fitted[t - stage + 1])))
            for t in range(stage, top)
        ]
        error = root_mean(law[stage], fitted[0] - s.action_values[stage])
        rolled_in[stage] = followed[stage] = deterministic_policy(mdp, run["made"][stage])
        rows.append((error, last, max(steps, default=0.0), finite_horizon_suboptimality(s.problem, followed)))
    names = ("error", "error_of_returns", "error_of_steps", "loss")
    values = {name: (("time",), column) for name, column in zip(names, np.array(rows).T, strict=True)}
    return Trace("SQIRL", run.times, values, clock="stage")


def root_mean(law: Vector, errors: Vector) -> float:
    """Root of the mean square."""
    return float(np.sqrt(law @ errors**2))


def play_with_more_and_more(s: ShallowIteration, rng: np.random.Generator) -> Trace:
    """Mean loss of some runs, each regression with 2 episodes, or more, up to the setting's number."""
    return _mean_losses(s, s.problem, rng)


def _mean_losses(s: ShallowIteration, seen: FiniteHorizonMDP, rng: np.random.Generator) -> Trace:
    numbers, losses = np.unique(np.geomspace(2, s.episodes, POINTS).astype(np.int64)), []
    for number in numbers:
        with_less = replace(s, episodes=int(number))
        made = [_run(with_less, seen, s.depth, child)["made"] for child in rng.spawn(REPLICATES)]
        policies = [deterministic_policy(s.problem.stages[0], choices) for choices in made]
        losses.append(np.mean([finite_horizon_suboptimality(s.problem, policy) for policy in policies]))
    return Trace("SQIRL", numbers, {"loss": (("time",), np.array(losses))}, clock="number of episodes")


# Wrong runs, to be told from right ones.


def play_with_one_regression(s: ShallowIteration, rng: np.random.Generator) -> Trace:
    """No step of fitted values is made."""
    return _measured(s, _run(s, s.problem, 1, rng))


def play_without_rewards(s: ShallowIteration, rng: np.random.Generator) -> Trace:
    """No reward is seen."""
    return _measured(s, _run(s, _unpaid(s), s.depth, rng))


def _unpaid(s: ShallowIteration) -> FiniteHorizonMDP:
    return FiniteHorizonMDP([mdp.with_rewards(0 * mdp.rewards) for mdp in s.problem.stages])


def play_more_and_more_without_rewards(s: ShallowIteration, rng: np.random.Generator) -> Trace:
    """No reward is seen in any of the runs."""
    return _mean_losses(s, _unpaid(s), rng)


def play_for_the_worst(s: ShallowIteration, rng: np.random.Generator) -> Trace:
    """The choices of least estimate are made in the end."""
    run, starts = _run(s, s.problem, s.depth, rng), s.problem.stages[0].first_choice[:-1]
    worst = np.array([greedy(-fitted[0], starts) for fitted in run["estimates"]])
    return _measured(s, replace(run, values={**run.values, "made": (("time", "state"), worst)}))


def two_arms() -> FiniteHorizonMDP:
    """One choice between an arm that pays nothing and one that pays 1."""
    return FiniteHorizonMDP.stationary(TabularMDP([[[1.0], [1.0]]], [[0.0, 1.0]], title="two arms"), 1)


def detour() -> FiniteHorizonMDP:
    """A sure 3/4 at once, or a coin that leads, by a second choice, to 0 or 1, or to 1/4."""
    laws = np.zeros((4, 2, 4))
    laws[0, 0, 3] = laws[1:, :, 3] = 1
    laws[0, 1, 1:3] = 0.5
    rewards = np.array([[0.75, 0.0], [0.0, 1.0], [0.25, 0.25], [0.0, 0.0]])
    return FiniteHorizonMDP.stationary(TabularMDP(laws, rewards, initial=[1, 0, 0, 0], title="detour"), 2)


def rare_states(number: int) -> FiniteHorizonMDP:
    """One of so many states, each half as likely as the one before, and there a choice between 0 and 1."""
    laws, rewards = np.zeros((number + 1, 2, number + 1)), np.zeros((number + 1, 2))
    laws[0, :, 1:] = np.append(0.5 ** np.arange(1, number), 0.5 ** (number - 1))
    laws[1:, :, 0], rewards[1:, 1] = 1, 1
    return FiniteHorizonMDP.stationary(
        TabularMDP(laws, rewards, initial=np.eye(1, number + 1)[0], title="rare states"), 2
    )


def grid() -> Iterator[ShallowIteration]:
    """A bandit, a coin, and random processes, with few episodes and with many."""
    yield ShallowIteration(two_arms(), 1, episodes=1)
    yield ShallowIteration(detour(), 1, episodes=1000)
    yield ShallowIteration(detour(), 2, episodes=200)
    for number, depth in ((0, 1), (1, 2)):
        problem = random_episodes(stream(0, "sqirl", number), 4, 2, 3)
        yield ShallowIteration(problem, depth, episodes=10)
        yield ShallowIteration(problem, depth, episodes=100)


def grid_with_constants() -> Iterator[ShallowIteration]:
    """Regressions that are far off, besides."""
    yield from grid()
    yield ShallowIteration(two_arms(), 1, episodes=1000, constant=True)
    yield ShallowIteration(detour(), 2, episodes=100, constant=True)


def any_setting() -> "SearchStrategy[ShallowIteration]":
    """Any small process, its rewards over what an episode returns at most, with a few episodes."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps

    @st.composite
    def settings(draw: st.DrawFn) -> ShallowIteration:
        mdp, horizon = draw(adverse_mdps(max_states=4)), draw(st.integers(1, 4))
        scaled = mdp.with_rewards(mdp.rewards / (horizon * max(float(mdp.rewards.max()), 1.0)))
        problem = FiniteHorizonMDP.stationary(scaled, horizon)
        return ShallowIteration(problem, draw(st.integers(1, 3)), episodes=draw(st.integers(1, 30)))

    return settings().filter(lambda s: s.has_gap and s.safe.smallest < np.inf)


PROCESS: Hypotheses = {
    "finitely many states, and finitely many actions in each": BY_CONSTRUCTION,
    "$r \\ge 0$, and no episode returns more than 1": lambda s: s.is_bounded,
}
GAP: Hypotheses = {
    "at each safe state the best choice looks better than every suboptimal one": lambda s: (
        s.has_gap and s.safe.smallest < np.inf
    )
}
MEANS: Hypotheses = {
    "regressions are means of each choice, 0 where there is none, with fresh episodes": lambda s: not s.constant
}
SYMBOLS = (
    "$\\hat Q_h$: the estimate to which the policy of stage $h$ is greedy; $Q^k$: the values of random play after $k - 1$ "
    "steps of value iteration; $A$: the largest number of actions"
)
NORM = (
    "; $\\|\\cdot\\|_t$: the root of the mean square where SQIRL makes choices at stage $t$ while it decides stage $h$"
)
LOSS = "; $\\hat\\pi_h$: the policy found up to stage $h$ and an optimal one afterwards; $\\Delta$: the smallest gap of a safe state"
CELLS = (
    "; $n$: the largest number of choices that can be reached at a stage; $m$: episodes of each regression; "
    "$g = 1 + \\sqrt A + \\dots + \\sqrt{A}^{\\,k - 1}$"
)

ERRORS = Theorem(
    name="sqirl/errors",
    title="Errors of the regressions grow by the root of the number of actions from step to step",
    paper=Paper(PAPER, "Theorem 3.6, its first half for any regression"),
    standing=Standing.DERIVED,
    statement=r"\|\hat Q_h - Q^k_h\|_h \le A^{(k - 1)/2}\, \varepsilon_1 + \frac{A^{(k - 1)/2} - 1}{A^{1/2} - 1}\, \varepsilon_2",
    symbols=SYMBOLS
    + NORM
    + "; $\\varepsilon_1$: the error of the regression of returns; $\\varepsilon_2$: the largest of those of "
    "steps, from the mean of $r + \\max \\hat Q_{t + 1}$",
    kind=EveryStep(rounding=lambda s: ROUNDING),
    hypotheses={"finitely many states, and finitely many actions in each": BY_CONSTRUCTION},
    run=play,
    measured=lambda s, trace: trace["error"],
    bound=lambda s, trace: s.roots[-1] * trace["error_of_returns"] + s.roots[:-1].sum() * trace["error_of_steps"],
    settings=grid_with_constants,
    strategy=any_setting,
    controls={"one regression": play_with_one_regression},
    remark="Choices are uniform from stage $h$ on: the largest of A errors is, in mean square, at most A times as large as one.",
)

REGRET = Theorem(
    name="sqirl/loss",
    title="A policy that is greedy for estimates loses at most their squared errors over the squared gap",
    paper=Paper(PAPER, "Theorem 3.6, its second half for any regression"),
    standing=Standing.DERIVED,
    statement=r"J^* - J(\hat\pi_h) \le \frac{2 A}{\Delta^2} \sum_{i \le h} \|\hat Q_i - Q^k_i\|_i^2",
    symbols=SYMBOLS + NORM + LOSS,
    kind=EveryStep(rounding=lambda s: ROUNDING),
    hypotheses=PROCESS | GAP,
    run=play,
    measured=lambda s, trace: trace["loss"],
    bound=lambda s, trace: 2 * s.actions / s.safe.smallest**2 * np.cumsum(trace["error"] ** 2),
    settings=grid_with_constants,
    strategy=any_setting,
    controls={"least estimates": play_for_the_worst},
    remark="The constant is reached by two arms that pay 0 and 1 and are both estimated as 1/2. Where the process is not solved "
    "by depth k there is no gap, and nothing is stated.",
)

TABLE_ERRORS = Theorem(
    name="sqirl/table-errors",
    title="On a table the mean square error falls with the number of episodes",
    paper=Paper(PAPER, "Theorem 3.6, for means on a table"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, \|\hat Q_h - Q^k_h\|_h^2 \le \frac{g^2 n}{m + 1}",
    symbols=SYMBOLS + NORM + CELLS,
    kind=InExpectation(rounding=lambda s: ROUNDING, low=lambda s: 0.0, high=lambda s: 1.0),
    hypotheses=PROCESS | MEANS,
    run=play,
    measured=lambda s, trace: trace["error"] ** 2,
    bound=lambda s, trace: np.full(trace.times.size, s.expected_error),
    settings=grid,
    strategy=any_setting,
    controls={"no rewards": play_without_rewards},
    remark="Targets are cut at 1, the largest return.",
)

TABLE_LOSS = Theorem(
    name="sqirl/table-loss",
    title="On a table SQIRL needs episodes in proportion to actions and choices, over the squared gap",
    paper=Paper(PAPER, "Theorem 3.6, for means on a table"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\,[J^* - J(\hat\pi_h)] \le \frac{2 (h + 1) A\, g^2 n}{\Delta^2 (m + 1)}",
    symbols=SYMBOLS + LOSS + CELLS + "; stages are counted from 0",
    kind=InExpectation(rounding=lambda s: ROUNDING, low=lambda s: 0.0, high=lambda s: 1.0),
    hypotheses=PROCESS | GAP | MEANS,
    run=play,
    measured=lambda s, trace: trace["loss"],
    bound=lambda s, trace: 2 * (trace.times + 1) * s.actions / s.safe.smallest**2 * s.expected_error,
    settings=grid,
    strategy=any_setting,
    controls={"least estimates": play_for_the_worst},
    remark="With $N = k H^2 m$ steps this is the paper's rate, $H^3 A^{\\bar H_k} / \\varepsilon$ up to factors, where "
    "$\\bar H_k = k + \\log_A \\Delta^{-2}$ is the stochastic effective horizon. It is loose: the loss falls exponentially "
    "with m in the end, and a bound above 1 says nothing.",
)

LOSS_RATE = Theorem(
    name="sqirl/rate",
    title="The paper's rate: the loss is inversely proportional to the number of steps",
    paper=Paper(PAPER, "Theorem 3.6"),
    standing=Standing.RECALLED,
    statement=r"N = \tilde O\Bigl(\frac{k\, H^3 \alpha^{2 (k - 1)} A^{\bar H_k} (D + F)}{\varepsilon}\Bigr), \qquad"
    r" \bar H_k = k + \log_A \Delta^{-2}",
    symbols="$\\varepsilon = \\mathbb{E}\\,[J^* - J(\\hat\\pi)]$, measured as the mean of 60 runs; $N = k H^2 m$: steps; "
    "$\\Delta$: the smallest gap of a safe state; $D, F$: the complexities of the regressions, on a table the number of "
    "choices n up to logarithms; $\\alpha$: the amplification of errors, 1 on a table",
    kind=EveryStep(rounding=lambda s: ROUNDING),
    hypotheses=PROCESS | GAP | MEANS,
    run=play_with_more_and_more,
    measured=lambda s, trace: trace["loss"],
    bound=lambda s, trace: s.horizon * s.actions**s.depth * s.cells / (s.safe.smallest**2 * trace.times),
    settings=lambda: iter([ShallowIteration(rare_states(14), 1, episodes=2000)]),
    controls={"no rewards": play_more_and_more_without_rewards},
    rate=PowerLaw(lambda s: -1.0),
    remark="Only the power of $\\varepsilon$ is judged, in one process. There each state is half as likely as the one before, and "
    "about $1 / m$ of the starts lead to states that m episodes have not seen; in a process without such states the loss "
    "falls exponentially in the end. A bound with constants that are proved is `sqirl/table-loss`.",
)
