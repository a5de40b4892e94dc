r"""What plain exploration of deterministic processes needs: luck, a look at rewards, coverage, or optimism.

Throughout, H is the horizon, S the number of states and A the largest number of actions of a state.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.arrays import Matrix, Vector
from rltheory.instances import alternating_depths, random_deterministic
from rltheory.problems import MDP, DeterministicMDP, FiniteHorizonMDP
from rltheory.problems.certainty import plans, sure_start, sure_successors
from rltheory.problems.mdp import Indices
from rltheory.simulation import stream
from rltheory.solvers import ReferenceValues, effective_planning_window, reference_values
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theorems.effective_horizon.laidlaw2023 import CERTAIN, PAPER, lock
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Identity, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TIE = 1e-9  # differences of returns, sums of a few rewards of size 1 or so, that may be due to rounding
LOST_EPISODES = 4.0  # after what multiple of the bound the search for the last unseen choice is given up


@dataclass(frozen=True, eq=False)
class Exploration:
    """Exploration of a deterministic process.

    Parameters
    ----------
    mdp
        The process, with one first state.
    horizon
        Stages H >= 1.
    """

    mdp: MDP
    horizon: int

    def __post_init__(self) -> None:
        _ = self.start, self.successors  # checks that both are certain

    def __str__(self) -> str:
        return str(self.problem)

    @cached_property
    def problem(self) -> FiniteHorizonMDP:
        """The process over its horizon."""
        return FiniteHorizonMDP.stationary(self.mdp, self.horizon)

    @cached_property
    def start(self) -> int:
        """First state."""
        return sure_start(self.problem)

    @cached_property
    def successors(self) -> Indices:
        """State to which each choice leads, shape (C,)."""
        successors: Indices = sure_successors(self.problem)[0]
        return successors

    @cached_property
    def values(self) -> ReferenceValues:
        """Values of random, optimal and worst play."""
        return reference_values(self.problem)

    @property
    def optimal_return(self) -> float:
        """Largest return."""
        return float(self.values.optimal[0, self.start])

    @cached_property
    def actions(self) -> int:
        """Largest number of actions A of a state."""
        return int(np.diff(self.mdp.first_choice).max())

    @cached_property
    def window(self) -> int:
        """Least number W of steps of which the rewards tell what to do."""
        return effective_planning_window(self.problem, self.values, tolerance=TIE)

    def sequences(self, stage: int, state: int, steps: int) -> list[tuple[int, ...]]:
        """All sequences of so many choices from a stage and state on, fewer where the horizon ends."""
        return list(plans(self.problem, self.successors[None], stage, state, min(steps, self.horizon - stage)))

    @cached_property
    def chances(self) -> Vector:
        """Probability that an episode of random play makes a choice, for those with a positive one."""
        first_choice, owner = self.mdp.first_choice, self.mdp.state_of_choice
        sizes = np.diff(first_choice)[owner]
        chances = np.empty(self.mdp.choices)
        for choice in range(chances.size):
            seen = np.zeros(self.mdp.states)
            for _ in range(self.horizon):
                worth = np.where(np.arange(chances.size) == choice, 1.0, seen[self.successors])
                seen = np.add.reduceat(worth / sizes, first_choice[:-1])
            chances[choice] = seen[self.start]
        return chances[chances > 0]

    @property
    def coverage_bound(self) -> int:
        """Episodes that cover all choices with probability 1/2 at least, by the union bound."""
        return math.ceil(math.log(2 * self.chances.size) / float(self.chances.min()))


# Runs.


def guess(s: Exploration, rng: np.random.Generator) -> Trace:
    """Probability that none of so many plans is optimal, in random order without repetition."""
    number, optimal = _count_plans(s)
    tried = np.arange(number - optimal + 1)
    missed = np.append(1.0, np.cumprod((number - optimal - tried[:-1]) / (number - tried[:-1])))
    return _guesses(number, tried, missed)


def _count_plans(s: Exploration) -> tuple[int, int]:
    """Numbers of all plans and of optimal ones."""
    returns = np.array([_earned(s, sequence) for sequence in s.sequences(0, s.start, s.horizon)])
    return returns.size, int((returns >= s.optimal_return - TIE).sum())


def _earned(s: Exploration, sequence: tuple[int, ...]) -> float:
    """Sum of rewards, from the last one on as in backward induction: equal values stay equal."""
    total = 0.0
    for choice in reversed(sequence):
        total = float(s.mdp.rewards[choice]) + total
    return total


def _guesses(number: int, tried: Indices, missed: Vector) -> Trace:
    values = {"missed": (("time",), missed), "share": (("time",), tried / number)}
    return Trace("brute force", tried, values, clock="plan")


def cover(s: Exploration, rng: np.random.Generator) -> Trace:
    """Play random episodes until each choice has been made."""
    return _cover(s, rng, 1.0)


def _cover(s: Exploration, rng: np.random.Generator, first_weight: float) -> Trace:
    """Play episodes in which the first choice of a state weighs `first_weight` times what another does."""
    first_choice = s.mdp.first_choice
    unseen, episodes = s.chances.size, 0
    seen = np.zeros(s.mdp.choices, dtype=bool)
    while unseen and episodes < LOST_EPISODES * s.coverage_bound:
        episodes += 1
        state = s.start
        for _ in range(s.horizon):
            first, end = int(first_choice[state]), int(first_choice[state + 1])
            draw = rng.random() * (end - first - 1 + first_weight)
            choice = first if draw < first_weight else first + 1 + int(draw - first_weight)
            unseen -= not seen[choice]
            seen[choice] = True
            state = int(s.successors[choice])
    return Trace("random play", np.zeros(1, np.int64), {"episodes": (("time",), np.array([episodes]))}, clock="run")


def explore(s: Exploration, rng: np.random.Generator) -> Trace:
    """Follow plans for a model in which unknown choices lead nowhere and earn as much as any."""
    return _explore(s, rng, float(s.mdp.rewards.max()))


def _explore(s: Exploration, rng: np.random.Generator, unknown: float) -> Trace:
    """Follow plans for a model in which unknown choices lead nowhere and earn a certain amount, ties left to chance."""
    mdp, horizon = s.mdp, s.horizon
    known = np.zeros(mdp.choices, dtype=bool)
    wrong, seen = [], []
    for _ in range(mdp.choices + 1):
        leads = np.where(known, s.successors, mdp.state_of_choice)
        values = _optimal_values(mdp.first_choice, leads, np.where(known, mdp.rewards, unknown), horizon)
        state, earned = s.start, 0.0
        for stage in range(horizon):
            of_state = values[stage, mdp.first_choice[state] : mdp.first_choice[state + 1]]
            choice = int(mdp.first_choice[state] + rng.choice(np.flatnonzero(of_state >= of_state.max() - TIE)))
            known[choice] = True
            earned += mdp.rewards[choice]
            state = int(s.successors[choice])
        wrong.append(earned < s.optimal_return - TIE)
        seen.append(known.sum())
    values_of_run = {"wrong": (("time",), np.cumsum(wrong)), "seen": (("time",), np.array(seen))}
    return Trace("optimistic exploration", 1 + np.arange(len(wrong)), values_of_run, clock="episode")


def _optimal_values(first_choice: Indices, leads: Indices, rewards: Vector, horizon: int) -> Matrix:
    """Values of the choices of a stationary deterministic process, shape (H, C)."""
    values = np.empty((horizon, rewards.size))
    ahead = np.zeros(first_choice.size - 1)
    for stage in range(horizon - 1, -1, -1):
        values[stage] = rewards + ahead[leads]
        ahead = np.maximum.reduceat(values[stage], first_choice[:-1])
    return values


def look_at_rewards(s: Exploration, rng: np.random.Generator) -> Trace:
    """Plan by the rewards of the next W steps."""
    return _look_at_rewards(s, rng, s.window)


def _look_at_rewards(s: Exploration, rng: np.random.Generator, window: int) -> Trace:
    """At each stage try all sequences of so many choices once, and make the first one of a best, ties left to chance."""
    state, earned, played = s.start, 0.0, 0
    within_reach, steps = np.empty(s.horizon), np.empty(s.horizon)
    for stage in range(s.horizon):
        tried = s.sequences(stage, state, window)
        returns = np.array([_earned(s, sequence) for sequence in tried])
        choice = tried[rng.choice(np.flatnonzero(returns == returns.max()))][0]
        played += sum(stage + len(sequence) for sequence in tried)
        earned, state = earned + float(s.mdp.rewards[choice]), int(s.successors[choice])
        within_reach[stage], steps[stage] = earned + s.values.optimal[stage + 1, state], played
    values = {"within_reach": (("time",), within_reach), "steps": (("time",), steps)}
    return Trace("search by rewards", np.arange(s.horizon), values, clock="stage")


# Wrong runs, to be told from right ones.


def guess_with_repetition(s: Exploration, rng: np.random.Generator) -> Trace:
    """Plans may be tried again."""
    number, optimal = _count_plans(s)
    tried = np.arange(number - optimal + 1)
    return _guesses(number, tried, np.power(1 - optimal / number, tried))


def cover_unevenly(s: Exploration, rng: np.random.Generator) -> Trace:
    """The first choice of a state is four times as likely as another."""
    return _cover(s, rng, 4.0)


def explore_without_hope(s: Exploration, rng: np.random.Generator) -> Trace:
    """Unknown choices are believed to earn as little as any."""
    return _explore(s, rng, float(s.mdp.rewards.min()))


def look_less_far(s: Exploration, rng: np.random.Generator) -> Trace:
    """Plan by the rewards of one step less."""
    return _look_at_rewards(s, rng, max(s.window - 1, 1))


def look_farther(s: Exploration, rng: np.random.Generator) -> Trace:
    """Plan by the rewards of one step more."""
    return _look_at_rewards(s, rng, s.window + 1)


# Settings.


def processes() -> Iterator[Exploration]:
    """Locks and random processes."""
    drawn = random_deterministic(stream(0, "exploration"), 5, 2, 5)
    for problem in (lock([1, 0, 1, 0]), lock([2, 1, 2], 3), alternating_depths(), drawn):
        yield Exploration(problem.stages[0], problem.horizon)


def any_exploration() -> "SearchStrategy[Exploration]":
    """Any small deterministic process with rewards of either sign."""
    from hypothesis import strategies as st

    @st.composite
    def settings(draw: st.DrawFn) -> Exploration:
        shape = draw(st.integers(1, 4)), draw(st.integers(1, 3))

        def table(entries: "SearchStrategy[Any]") -> list[Any]:
            row = st.lists(entries, min_size=shape[1], max_size=shape[1])
            return draw(st.lists(row, min_size=shape[0], max_size=shape[0]))

        leads, pays = table(st.integers(0, shape[0] - 1)), table(st.integers(-2, 2) | st.floats(-1, 1))
        return Exploration(DeterministicMDP(leads, pays, initial=np.eye(1, shape[0])[0]), draw(st.integers(1, 4)))

    return settings()


ALIKE: Hypotheses = {"all stages are alike": BY_CONSTRUCTION}

BRUTE_FORCE = Theorem(
    name="exploration/brute-force",
    title="Half of all plans, tried in random order, contain an optimal one half of the time",
    paper=Paper(PAPER, "the baselines"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{P}(\text{no optimal plan among } n) \le 1 - n / A^H",
    symbols="$n$: plans tried, none twice; $A^H$: the number of plans",
    kind=EveryStep(rounding=lambda s: 1e-12),
    hypotheses=CERTAIN,
    run=guess,
    measured=lambda s, trace: trace["missed"],
    bound=lambda s, trace: 1 - trace["share"],
    settings=processes,
    strategy=any_exploration,
    controls={"plans tried again": guess_with_repetition},
    remark="So $H \\lceil A^H / 2 \\rceil$ steps succeed with probability 1/2. It is an equality where one plan is optimal.",
)

WINDOW = Theorem(
    name="exploration/window",
    title="The rewards of the next W steps tell optimal choices, however ties are broken",
    paper=Paper(PAPER, "the effective planning window"),
    standing=Standing.DERIVED,
    statement=r"\sum_{i \le h} r_i + V^*_{h + 1}(s_{h + 1}) = V^*_0(s_0)",
    symbols="$r_i, s_i$: rewards and states of the plan that maximises, at each stage, the sum of the rewards of the next W "
    "steps; W: the least number for which every such plan is optimal; ties are left to chance",
    kind=Identity(rounding=lambda s: s.horizon * TIE),
    hypotheses=CERTAIN | ALIKE,
    run=look_at_rewards,
    measured=lambda s, trace: trace["within_reach"],
    bound=lambda s, trace: np.full(trace.times.size, s.optimal_return),
    settings=processes,
    strategy=any_exploration,
    controls={"one step less": look_less_far},
    remark="W is at most H. As with depths, more steps need not do where W do.",
)

WINDOW_STEPS = Theorem(
    name="exploration/window-steps",
    title="To plan by the rewards of W steps takes as many trials as there are sequences, at each stage",
    paper=Paper(PAPER, "the baselines"),
    standing=Standing.DERIVED,
    statement=r"N \le H^2 A^W",
    symbols="$N$: steps played until all choices are made; at stage $h$ the bound is $(h + 1) H A^W$; W: as in "
    "`exploration/window`",
    kind=EveryStep(rounding=lambda s: 1e-9),
    hypotheses=CERTAIN | ALIKE,
    run=look_at_rewards,
    measured=lambda s, trace: trace["steps"],
    bound=lambda s, trace: (trace.times + 1.0) * s.horizon * s.actions**s.window,
    settings=processes,
    strategy=any_exploration,
    controls={"one step more": look_farther},
    remark="Each trial repeats the choices made so far and ends after W more: rewards are known once seen, and one trial of "
    "each sequence is enough.",
)

COVERAGE = Theorem(
    name="exploration/coverage",
    title="Random play covers all choices in the logarithm of their number over the least chance",
    paper=Paper(PAPER, "the covering length"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{P}\Bigl(L \le \lceil \frac{\log (2 n)}{p_{\min}} \rceil\Bigr) \ge \frac12",
    symbols="$L$: episodes of random play until each of n reachable choices has been made; $p_{\\min}$: the least probability "
    "that an episode makes a choice",
    kind=WithProbability(rounding=lambda s: 1e-9, delta=lambda s: 1 / 2),
    hypotheses=CERTAIN,
    run=cover,
    measured=lambda s, trace: trace["episodes"],
    bound=lambda s, trace: np.full(1, float(s.coverage_bound)),
    settings=processes,
    strategy=any_exploration,
    controls={"uneven play": cover_unevenly},
    remark="A choice that is made at one stage with probability p is made in an episode with probability p at least; sums "
    "over stages may exceed the probability and prove nothing.",
)

OPTIMISM = Theorem(
    name="exploration/optimism",
    title="With an optimistic model every episode is optimal or makes a new choice",
    paper=Paper(PAPER, "the baselines"),
    standing=Standing.DERIVED,
    statement=r"\#\{\text{suboptimal episodes}\} \le \#\{\text{choices made}\} \le S A",
    symbols="$S A$: the number of choices of all states; both numbers are those after each episode",
    kind=EveryStep(rounding=lambda s: 1e-9),
    hypotheses=CERTAIN | ALIKE,
    run=explore,
    measured=lambda s, trace: trace["wrong"],
    bound=lambda s, trace: trace["seen"],
    settings=processes,
    strategy=any_exploration,
    controls={"no optimism": explore_without_hope},
    remark="Unknown choices are taken to lead nowhere and to earn as much as any. So $H (S A + 1)$ steps include an optimal "
    "episode.",
)
