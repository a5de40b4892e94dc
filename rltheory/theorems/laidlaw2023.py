r"""GORP finds optimal plans of deterministic processes: how many episodes it needs, and what plain exploration needs.

Throughout, H is the horizon, A the number of actions, k the depth of planning, m the number of episodes for each
sequence of k choices, and :math:`p_m` the probability that GORP does not return an optimal plan. Rewards are integers
here, so that :math:`p_m` is computed from the laws of returns, not estimated.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from rltheory.algorithms import gorp
from rltheory.arrays import Matrix, Vector, count
from rltheory.instances import alternating_depths, combination_lock, lucky_arms, random_deterministic
from rltheory.instances.effective_horizon import from_table
from rltheory.measures import gorp_failure_probability
from rltheory.problems import MDP, DeterministicMDP, FiniteHorizonMDP
from rltheory.problems.certainty import plans, sure_start, sure_successors
from rltheory.problems.mdp import Indices
from rltheory.simulation import stream
from rltheory.solvers import backward_induction
from rltheory.theorems.discounted_process import Hypotheses
from rltheory.theorems.lookahead import Lookahead
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Existence, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "laidlaw2023"
ACCURACY = 1e-9  # of computed probabilities; those below it, and what they say of large m, are rounding
SWEEP = 1.5  # up to what multiple of the certified number of episodes a sweep goes
LOST_EPISODES = 4.0  # after what multiple of the bound the search for the last unseen choice is given up


class Branch(NamedTuple):
    """A sequence of k choices from a state, after which play is random."""

    is_optimal: bool  # whether its first choice is
    value: float  # q, its mean return
    least: float  # w, its least possible return
    most: float  # o, its largest possible return

    @property
    def spread(self) -> float:
        """Bound (q - w)(o - w) on the second moment of what is returned above the least."""
        return (self.value - self.least) * (self.most - self.least)


@dataclass(frozen=True, eq=False)
class Planning:
    """GORP on a deterministic process that starts in state 0.

    Parameters
    ----------
    successors : array of int, shape (S, A)
        State to which each action leads.
    rewards : array of int, shape (S, A)
        What it earns.
    horizon
        Stages H >= 1.
    depth
        Steps k >= 1 to look ahead.
    title
        What to call the process.
    """

    successors: Indices
    rewards: Indices
    horizon: int
    depth: int
    title: str = ""

    def __post_init__(self) -> None:
        if not np.issubdtype(np.asarray(self.rewards).dtype, np.integer):
            raise ValueError(f"rewards has type {np.asarray(self.rewards).dtype}; it must hold integers")
        count(self.depth, "depth", at_least=1)
        _ = self.problem  # checks the rest

    @classmethod
    def of(cls, problem: FiniteHorizonMDP, depth: int) -> Self:
        """Read the tables of a deterministic process, the same at all stages, with as many actions in each state."""
        leads, mdp = sure_successors(problem)[0], problem.stages[0]
        shape = (mdp.states, mdp.choices // mdp.states)
        rewards = np.rint(mdp.rewards).astype(np.int64)
        if problem.stride or (np.diff(mdp.first_choice) != shape[1]).any() or (rewards != mdp.rewards).any():
            raise ValueError(
                f"{problem} must have the same tables at all stages, A actions in each state, integer rewards"
            )
        return cls(leads.reshape(shape), rewards.reshape(shape), problem.horizon, depth, problem.title)

    def __str__(self) -> str:
        return f"{self.problem}, k = {self.depth}"

    @cached_property
    def problem(self) -> FiniteHorizonMDP:
        """The process."""
        return from_table(self.successors, self.rewards, self.horizon, self.title)

    @cached_property
    def ahead(self) -> Lookahead:
        """What is known of looking so far ahead."""
        return Lookahead(self.problem, self.depth)

    @property
    def actions(self) -> int:
        """Number of actions A."""
        return int(self.successors.shape[1])

    @cached_property
    def leads(self) -> Indices:
        """State to which each choice leads, shape (H, C)."""
        return np.broadcast_to(self.successors.ravel(), (self.horizon, self.successors.size))

    @cached_property
    def least(self) -> Matrix:
        """Least possible return after each choice, shape (H, C)."""
        least = np.tile(self.rewards.ravel().astype(np.float64), (self.horizon, 1))
        for stage in range(self.horizon - 2, -1, -1):
            least[stage] -= self.ahead.best(-least[stage + 1])[self.leads[stage]]
        return least

    def branches(self, stage: int, state: int) -> list[Branch]:
        """All sequences of k choices, fewer where the horizon ends."""
        steps = min(self.depth, self.horizon - stage)
        found = []
        for plan in plans(self.problem, self.leads, stage, state, steps):
            earned = float(self.rewards.ravel()[list(plan[:-1])].sum())
            last = stage + steps - 1, plan[-1]
            q, w, o = (
                float(table[last]) for table in (self.ahead.iterates[0], self.least, self.ahead.optimum.action_values)
            )
            optimal = bool(self.ahead.is_optimal[stage, plan[0]])
            found.append(Branch(optimal, earned + q, earned + w, earned + o))
        return found

    @property
    def crossroads(self) -> list[tuple[int, int]]:
        """Stages and safe states in which a choice can be wrong."""
        return [(int(stage), int(state)) for stage, state in np.argwhere(self.ahead.safe & (self.ahead.gaps < np.inf))]

    @cached_property
    def scale_by_values(self) -> float:
        """Largest 8 Q V / gap^2."""
        spreads = self.ahead.best(self.ahead.action_values) * self.ahead.optimum.values[:-1]
        return max((8 * float(spreads[at] / self.ahead.gaps[at] ** 2) for at in self.crossroads), default=0.0)

    @cached_property
    def scale_by_ranges(self) -> float:
        """Largest 8 (spread) / gap^2, with a spread for each sequence."""
        return max((self._scale_by_ranges(*at) for at in self.crossroads), default=0.0)

    def _scale_by_ranges(self, stage: int, state: int) -> float:
        gap, tried = float(self.ahead.gaps[stage, state]), self.branches(stage, state)
        largest = max(one.value for one in tried)
        best = min(one.spread for one in tried if one.value >= largest - self.ahead.tie)
        others = ((one.most - one.value) * (one.value - one.least + gap / 6) for one in tried if not one.is_optimal)
        return 8 * max(best, *others) / gap**2

    @property
    def events(self) -> float:
        r"""Number :math:`H A^k` of sequences that GORP tries."""
        return float(self.horizon * self.actions**self.depth)

    def certified(self, scale: float) -> int:
        """Episodes with which GORP succeeds with probability 1/2 at least, for a proved scale."""
        return max(1, math.ceil(scale * math.log(2 * self.events)))

    @property
    def published(self) -> int:
        """Episodes by the authors' formula."""
        spreads = ((at, max(one.spread for one in self.branches(*at))) for at in self.crossroads)
        return self.certified(
            max((16 * spread / float(self.ahead.gaps[at]) ** 2 for at, spread in spreads), default=0.0)
        )

    def failure(self, episodes: int) -> float:
        """Probability that GORP does not return an optimal plan."""
        return gorp_failure_probability(self.problem, depth=self.depth, episodes=episodes)

    @cached_property
    def enough(self) -> int:
        """Least number of episodes with which GORP succeeds with probability 1/2 at least."""
        episodes = 1
        while self.failure(episodes) > 1 / 2:
            episodes += 1
        return episodes

    @property
    def sweep(self) -> Indices:
        """Numbers of episodes to look at, from 1 to beyond those that are certified."""
        scale = max(self.scale_by_ranges, self.scale_by_values)
        return np.unique(np.geomspace(1, SWEEP * self.certified(scale), 12).astype(np.int64))


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
    def optimal_return(self) -> float:
        """Largest return."""
        return float(backward_induction(self.problem).values[0, self.start])

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


def fail(s: Planning, rng: np.random.Generator) -> Trace:
    """Probability of failure for all numbers of episodes of the sweep."""
    return _failures(s, [s.failure(int(episodes)) for episodes in s.sweep])


def _failures(s: Planning, probabilities: list[float]) -> Trace:
    return Trace("GORP", s.sweep, {"failure": (("time",), np.array(probabilities))}, clock="number of episodes")


def plan(s: Planning, rng: np.random.Generator) -> Trace:
    """Run GORP with as many episodes as it needs."""
    return gorp(s.problem, depth=s.depth, episodes=s.enough, rng=rng)


def solve_by_depth(s: Planning, rng: np.random.Generator) -> Trace:
    """Find out which depths solve the process."""
    depths = np.arange(1, s.depth + 1)
    solved = np.array([Lookahead(s.problem, int(depth)).is_solvable for depth in depths])
    return Trace("greedy plans", depths, {"solved": (("time",), solved)}, clock="depth")


def try_published_episodes(s: Planning, rng: np.random.Generator) -> Trace:
    """Probability of failure with the episodes of the authors' formula."""
    episodes = s.published
    values = {"failure": (("time",), np.array([s.failure(episodes)]))}
    return Trace("GORP", np.array([episodes]), values, clock="number of episodes")


def guess(s: Exploration, rng: np.random.Generator) -> Trace:
    """Probability that none of so many plans is optimal, in random order without repetition."""
    number, optimal = _count_plans(s)
    tried = np.arange(number - optimal + 1)
    missed = np.append(1.0, np.cumprod((number - optimal - tried[:-1]) / (number - tried[:-1])))
    return _guesses(number, tried, missed)


def _count_plans(s: Exploration) -> tuple[int, int]:
    """Numbers of all plans and of optimal ones."""
    leads = np.broadcast_to(s.successors, (s.horizon, s.mdp.choices))
    returns = [s.mdp.rewards[list(choices)].sum() for choices in plans(s.problem, leads, 0, s.start, s.horizon)]
    return len(returns), int((np.array(returns) >= s.optimal_return - 1e-9).sum())


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
            choice = int(mdp.first_choice[state] + rng.choice(np.flatnonzero(of_state >= of_state.max() - 1e-9)))
            known[choice] = True
            earned += mdp.rewards[choice]
            state = int(s.successors[choice])
        wrong.append(earned < s.optimal_return - 1e-9)
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


# Wrong runs, to be told from right ones.


def fail_with_one_episode(s: Planning, rng: np.random.Generator) -> Trace:
    """Each sequence is tried once, whatever the number of episodes."""
    return _failures(s, [s.failure(1)] * s.sweep.size)


def plan_deeper(s: Planning, rng: np.random.Generator) -> Trace:
    """Look one step farther ahead."""
    return gorp(s.problem, depth=s.depth + 1, episodes=s.enough, rng=rng)


def solve_lock(s: Planning, rng: np.random.Generator) -> Trace:
    """Look ahead in a lock, which opens by any depth."""
    return solve_by_depth(Planning.of(lock([1, 0]), s.depth), rng)


def try_certified_episodes(s: Planning, rng: np.random.Generator) -> Trace:
    """Probability of failure with the episodes that are proved to suffice."""
    episodes = s.certified(s.scale_by_ranges)
    values = {"failure": (("time",), np.array([s.failure(episodes)]))}
    return Trace("GORP", np.array([episodes]), values, clock="number of episodes")


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


# Settings.


def lock(code: list[int], actions: int = 2) -> FiniteHorizonMDP:
    """A combination lock with time for one attempt."""
    return FiniteHorizonMDP.stationary(combination_lock(code, actions), len(code))


def grid() -> Iterator[Planning]:
    """Locks, in which the values of random play are small, and random processes, in which the gap is."""
    yield Planning.of(lock([1, 0]), 1)
    yield Planning.of(lock([1, 0, 1, 0]), 1)
    yield Planning.of(lock([1, 0, 1, 0]), 2)
    yield Planning.of(lock([2, 1, 2], 3), 1)
    yield Planning.of(alternating_depths(), 3)
    for number, depth in ((27, 2), (34, 1), (21, 1)):
        yield Planning.of(random_deterministic(stream(0, "gorp", number), 4, 2, 4, highest_reward=2), depth)


def grid_with_costs() -> Iterator[Planning]:
    """Rewards of either sign, besides."""
    yield from grid()
    drawn = Planning.of(random_deterministic(stream(0, "gorp", "costs"), 4, 2, 4, highest_reward=2), 1)
    yield replace(drawn, rewards=drawn.rewards - 1, title="random, with costs")


def processes() -> Iterator[Exploration]:
    """Locks and random processes."""
    drawn = random_deterministic(stream(0, "exploration"), 5, 2, 5)
    for problem in (lock([1, 0, 1, 0]), lock([2, 1, 2], 3), alternating_depths(), drawn):
        yield Exploration(problem.stages[0], problem.horizon)


def any_planning() -> "SearchStrategy[Planning]":
    """Any small deterministic process that is solved by looking one or two steps ahead, for little work."""
    from hypothesis import strategies as st

    @st.composite
    def settings(draw: st.DrawFn) -> Planning:
        shape = draw(st.integers(1, 4)), draw(st.integers(2, 3))

        def table(highest: int) -> Indices:
            size = shape[0] * shape[1]
            return np.array(draw(st.lists(st.integers(0, highest), min_size=size, max_size=size))).reshape(shape)

        return Planning(table(shape[0] - 1), table(2), draw(st.integers(1, 4)), draw(st.integers(1, 2)))

    return settings().filter(lambda s: s.ahead.has_gap and s.scale_by_values < 100)


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


CERTAIN: Hypotheses = {"each choice leads to one state, and the first state is certain": BY_CONSTRUCTION}
PLANNING: Hypotheses = CERTAIN | {
    "rewards are integers": BY_CONSTRUCTION,
    "at each safe state the best choice looks better than every suboptimal one": lambda s: s.ahead.has_gap,
    "there are two actions, at least": lambda s: s.actions >= 2,
}
SYMBOLS = (
    "$p_m$: the probability that GORP, with m episodes for each sequence of k choices, returns no optimal plan; $H$: the "
    "horizon; $A$: the number of actions"
)
GAP = (
    "; $\\Delta(s)$: the gap of s, its largest $Q^k$ less that of its best suboptimal choice; the states are those that GORP "
    "may reach while every choice looks better than all suboptimal ones"
)


def scale_of_failures(s: Planning, trace: Trace) -> Vector:
    """Episodes in which the probability of failure falls by e, if it started at the number of events."""
    failure = np.maximum(trace["failure"] - ACCURACY, 0)
    with np.errstate(divide="ignore"):
        scales: Vector = trace.times / np.log(s.events / failure)
    return scales


VALUES = Theorem(
    name="gorp/values",
    title="GORP needs episodes in proportion to its value times the optimal one, over the squared gap",
    paper=Paper(PAPER, "Theorem 5.4, with constants"),
    standing=Standing.DERIVED,
    statement=r"p_m \le H A^k e^{-m / M}, \quad \text{that is} \quad \frac{m}{\log (H A^k / p_m)} \le M = \max_{s}"
    r" \frac{8 \max_c Q^k(c)\, V^*(s)}{\Delta(s)^2}",
    symbols=SYMBOLS + GAP,
    kind=EveryStep(rounding=lambda s: 1e-6 * (1 + s.scale_by_values)),
    hypotheses=PLANNING | {"$r \\ge 0$": lambda s: bool((s.rewards >= 0).all())},
    run=fail,
    measured=scale_of_failures,
    bound=lambda s, trace: np.full(trace.times.size, s.scale_by_values),
    settings=grid,
    strategy=any_planning,
    controls={"one episode": fail_with_one_episode},
    remark="So $m = \\lceil M \\log(2 H A^k) \\rceil$ episodes succeed with probability 1/2, and the effective horizon is at most "
    "$k + \\log_A m$. The paper has the same form; its constant is not known here, and 8 suffices.",
)

RANGES = Theorem(
    name="gorp/ranges",
    title="GORP needs no more episodes than the ranges of its sequences ask for",
    paper=Paper(PAPER, "Theorem 5.4, sharpened"),
    standing=Standing.DERIVED,
    statement=r"\frac{m}{\log (H A^k / p_m)} \le \max_{s} \frac{8}{\Delta(s)^2} \max \{ (q - w)(o - w),"
    r" \max_j \bigl( (q_j - w_j)(o_j - q_j) + (o_j - q_j) \tfrac{\Delta(s)}{6} \bigr) \}",
    symbols=SYMBOLS
    + GAP
    + "; $q, w, o$: the mean, least and largest return of the best sequence from s, and $q_j, w_j, o_j$ "
    "those of the sequences that begin with a suboptimal choice",
    kind=EveryStep(rounding=lambda s: 1e-6 * (1 + s.scale_by_ranges)),
    hypotheses=PLANNING,
    run=fail,
    measured=scale_of_failures,
    bound=lambda s, trace: np.full(trace.times.size, s.scale_by_ranges),
    settings=grid_with_costs,
    strategy=any_planning,
    controls={"one episode": fail_with_one_episode},
    remark="Rewards may be negative. Where no return is below 0, this is never more than the scale by values.",
)

STEPS = Theorem(
    name="gorp/steps",
    title="GORP plays as many steps as its horizon squared times the actions to the power of the effective horizon",
    paper=Paper(PAPER, "the bound on the sample complexity"),
    standing=Standing.SEEN,
    statement=r"N \le H^2 A^{H_k}, \qquad H_k = k + \log_A m_k",
    symbols="$N$: steps played until all choices are made; at stage $h$ the bound is $(h + 1) H A^{H_k}$; $m_k$: the least "
    "number of episodes with which GORP succeeds with probability 1/2 at least; $A$: the number of actions",
    kind=EveryStep(rounding=lambda s: 1e-9 * s.horizon * s.events * s.enough),
    hypotheses=PLANNING,
    run=plan,
    measured=lambda s, trace: s.horizon * trace["episodes"][:, 0],
    bound=lambda s, trace: (trace.times + 1) * s.horizon * s.actions ** (s.depth + math.log(s.enough, s.actions)),
    settings=grid,
    strategy=any_planning,
    controls={"one step deeper": plan_deeper},
    remark="Episodes are counted from the first state on. The effective horizon is the least $H_k$.",
)

DEPTHS = Theorem(
    name="gorp/depths",
    title="To look farther ahead is not always better",
    paper=Paper(PAPER, "the definition of a solvable process"),
    standing=Standing.DERIVED,
    statement=r"\exists\, k:\quad Q^k \text{ solves the process and } Q^{k+1} \text{ does not}",
    symbols="$Q^k$: the values of random play after $k - 1$ steps of value iteration; it solves the process if all policies "
    "that are greedy for it are optimal",
    kind=Existence(),
    hypotheses=CERTAIN,
    run=solve_by_depth,
    measured=lambda s, trace: np.full(trace.times.size, float((trace["solved"][:-1] & ~trace["solved"][1:]).any())),
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=lambda: iter([Planning.of(alternating_depths(), 5)]),
    controls={"a lock": solve_lock},
    remark="The witness has four states and two actions and is solved by depths 1, 3 and 5. Every depth has to be tried: "
    "failure at one says nothing of the next.",
)

LUCKY = Theorem(
    name="gorp/published-formula",
    title="The published formula for the effective horizon can ask for too few episodes",
    paper=Paper(PAPER, "the formula by which the authors' software bounds the effective horizon"),
    standing=Standing.DERIVED,
    statement=r"\exists: \quad m = \lceil \max_{s} \frac{16\, \max_j (q_j - w_j)(o_j - w_j)}{\Delta(s)^2} \log (2 H A^k)"
    r" \rceil, \qquad p_m > \tfrac12",
    symbols=SYMBOLS + GAP + "; $q_j, w_j, o_j$: the mean, least and largest return of the sequences from s",
    kind=Existence(),
    hypotheses=PLANNING | {"$r \\ge 0$": lambda s: bool((s.rewards >= 0).all())},
    run=try_published_episodes,
    measured=lambda s, trace: (trace["failure"] > 1 / 2).astype(np.float64),
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=lambda: iter([Planning.of(lucky_arms(36, 240), 1)]),
    controls={"certified episodes": try_certified_episodes},
    remark="In the witness the formula gives 26 episodes, with which GORP succeeds with probability 0.344; with 60 stages and 300 "
    "actions it gives 40, and success has probability 0.0715. The best choice has a return of hardly any spread, and one "
    "lucky return of the others beats it while m is less than that return: the linear term of Bernstein's inequality is "
    "missing from the formula. Its number is the authors' formula, not a bound.",
)

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
    hypotheses=CERTAIN | {"all stages are alike": BY_CONSTRUCTION},
    run=explore,
    measured=lambda s, trace: trace["wrong"],
    bound=lambda s, trace: trace["seen"],
    settings=processes,
    strategy=any_exploration,
    controls={"no optimism": explore_without_hope},
    remark="Unknown choices are taken to lead nowhere and to earn as much as any. So $H (S A + 1)$ steps include an optimal "
    "episode.",
)
