r"""GORP finds optimal plans of deterministic processes: how many episodes it needs.

Throughout, H is the horizon, A the number of actions, k the depth of planning, m the number of episodes for each
sequence of k choices, and :math:`p_m` the probability that GORP does not return an optimal plan. Rewards are integers
here, so that :math:`p_m` is computed from the laws of returns, not estimated.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count as counting
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from rltheory.algorithms import gorp
from rltheory.arrays import Array, Vector, count
from rltheory.instances import alternating_depths, combination_lock, lucky_arms, random_deterministic
from rltheory.instances.effective_horizon import from_table
from rltheory.measures import gorp_failure_probability
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.certainty import plans, sure_successors
from rltheory.problems.mdp import Indices
from rltheory.simulation import stream
from rltheory.solvers import simple_effective_horizon
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theorems.effective_horizon.lookahead import Lookahead
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Existence, Paper, PowerLog, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "laidlaw2023"
ACCURACY = 1e-9  # of computed probabilities; those below it, and what they say of large m, are rounding
SWEEP = 1.5  # up to what multiple of the certified number of episodes a sweep goes


class Branch(NamedTuple):
    """A sequence of k choices from a state, after which play is random."""

    looks_good: bool  # whether the Q^k of its first choice is above those of all suboptimal choices
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
    def returns(self) -> Array:
        """Mean, least and largest return after each choice, shape (3, H, C)."""
        values = self.ahead.values
        return np.array(
            [self.ahead.of_choices(of_states) for of_states in (values.random, values.worst, values.optimal)]
        )

    def branches(self, stage: int, state: int) -> list[Branch]:
        """All sequences of k choices from a crossroads, fewer where the horizon ends."""
        steps, looks = min(self.depth, self.horizon - stage), self.ahead.action_values[stage]
        limit = self.ahead.best(looks)[state] - self.ahead.safe.gaps[stage, state] + self.ahead.tie
        found = []
        for plan in plans(self.problem, self.leads, stage, state, steps):
            returns = self.rewards.ravel()[list(plan[:-1])].sum() + self.returns[:, stage + steps - 1, plan[-1]]
            found.append(Branch(bool(looks[plan[0]] > limit), *returns.tolist()))
        return found

    @property
    def crossroads(self) -> list[tuple[int, int]]:
        """Stages and safe states in which a choice can be wrong."""
        return [(int(stage), int(state)) for stage, state in np.argwhere(self.ahead.safe.gaps < np.inf)]

    @cached_property
    def scale_by_values(self) -> float:
        """Largest 8 Q V / gap^2."""
        spreads = self.ahead.best(self.ahead.action_values) * self.ahead.values.optimal[:-1]
        return max((8 * float(spreads[at] / self.ahead.safe.gaps[at] ** 2) for at in self.crossroads), default=0.0)

    @cached_property
    def scale_by_ranges(self) -> float:
        """Largest 8 (spread) / gap^2, with a spread for each sequence."""
        return max((self._scale_by_ranges(*at) for at in self.crossroads), default=0.0)

    def _scale_by_ranges(self, stage: int, state: int) -> float:
        gap, tried = float(self.ahead.safe.gaps[stage, state]), self.branches(stage, state)
        largest = max(one.value for one in tried)
        best = min(one.spread for one in tried if one.value >= largest - self.ahead.tie)
        others = ((one.most - one.value) * (one.value - one.least + gap / 6) for one in tried if not one.looks_good)
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
        found = simple_effective_horizon(self.problem, self.ahead.values)
        return found.ms[found.ks.index(self.depth)]

    def failure(self, episodes: int) -> float:
        """Probability that GORP does not return an optimal plan."""
        return gorp_failure_probability(self.problem, depth=self.depth, episodes=episodes)

    def succeeds(self, episodes: int) -> bool:
        """Whether GORP returns an optimal plan with probability 1/2 at least."""
        return self.failure(episodes) <= 1 / 2

    @cached_property
    def enough(self) -> int:
        """Least number of episodes with which GORP succeeds."""
        return next(filter(self.succeeds, counting(1)))

    @cached_property
    def cheapest(self) -> tuple[int, int]:
        """Depth k, up to this one or H, and number m of episodes, of least A^k m among those that succeed."""
        depth, episodes = self.horizon, 1
        for shallow in range(1, min(self.depth, self.horizon - 1) + 1):
            fewer = range(1, -(-(self.actions**depth) * episodes // self.actions**shallow))
            found = next(filter(replace(self, depth=shallow).succeeds, fewer), None)
            if found is not None:
                depth, episodes = shallow, found
        return depth, episodes

    @property
    def sweep(self) -> Indices:
        """Numbers of episodes to look at, from 1 to beyond those that are certified."""
        scale = max(self.scale_by_ranges, self.scale_by_values)
        return np.unique(np.geomspace(1, SWEEP * self.certified(scale), 12).astype(np.int64))


@dataclass(frozen=True)
class Doors:
    """One of eight doors leads to a slightly better lottery than the others, for several numbers of lots.

    Two stages, A actions: random play earns 1/2 + 1/A behind the eighth door, 1/2 behind those before; later actions lead
    nowhere.

    Parameters
    ----------
    most
        Largest number of lots A, >= 8.
    """

    most: int

    def __post_init__(self) -> None:
        count(self.most, "most", at_least=8)

    def __str__(self) -> str:
        return f"eight doors, {self.most} lots at most"

    @cached_property
    def numbers(self) -> Indices:
        """Even numbers of lots A, from 8 on."""
        return np.unique(2 * np.geomspace(4, self.most // 2, 10).astype(np.int64))

    def planning(self, lots: int) -> Planning:
        """The process with so many lots, and a look one step ahead."""
        rewards = np.zeros((4, lots), np.int64)
        rewards[1:3, : lots // 2] = 1
        rewards[2, 0] = 2
        successors = np.full((4, lots), 3)
        successors[0, :7], successors[0, 7] = 1, 2
        return Planning(successors, rewards, 2, 1, title=f"eight doors, {lots} lots")

    @cached_property
    def enough(self) -> Indices:
        """For each A a number of episodes with which GORP succeeds half of the time, and does not with one less."""
        found = []
        for lots in self.numbers:
            s = self.planning(int(lots))
            tried = range(1, s.certified(s.scale_by_ranges))
            found.append(1 + bisect_left(tried, True, key=s.succeeds))
        return np.array(found)


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


def plan_at_least_cost(s: Planning, rng: np.random.Generator) -> Trace:
    """Run GORP with the depth and the number of episodes that make its sequences and episodes fewest."""
    depth, episodes = s.cheapest
    return gorp(s.problem, depth=depth, episodes=episodes, rng=rng)


def compare_formulas(s: Planning, rng: np.random.Generator) -> Trace:
    """Probabilities of failure with the episodes of the authors' formula, and with those that are proved to suffice."""
    return _compare(s, s.published, s.certified(s.scale_by_ranges))


def _compare(s: Planning, *episodes: int) -> Trace:
    failures = np.array([s.failure(number) for number in episodes])
    return Trace("GORP", np.arange(len(episodes)), {"failure": (("time",), failures)}, clock="formula")


def tell_doors_apart(s: Doors, rng: np.random.Generator) -> Trace:
    """How small a gap so many episodes for each sequence resolve half of the time."""
    return _resolved(s, s.enough)


def _resolved(s: Doors, episodes: Indices) -> Trace:
    return Trace("GORP", episodes, {"gap": (("time",), 1 / s.numbers)}, clock="number of episodes")


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


def plan_one_deeper_than_cheapest(s: Planning, rng: np.random.Generator) -> Trace:
    """Look one step farther ahead than is worth it."""
    depth, episodes = s.cheapest
    return gorp(s.problem, depth=depth + 1, episodes=episodes, rng=rng)


def compare_certified_episodes(s: Planning, rng: np.random.Generator) -> Trace:
    """The formula is one that is proved."""
    return _compare(s, *[s.certified(s.scale_by_ranges)] * 2)


def compare_published_episodes(s: Planning, rng: np.random.Generator) -> Trace:
    """The authors' formula is taken for a bound."""
    return _compare(s, *[s.published] * 2)


def share_episodes(s: Doors, rng: np.random.Generator) -> Trace:
    """The episodes are those of all sequences together."""
    return _resolved(s, s.numbers * s.enough)


# Settings.


def lock(code: list[int], actions: int = 2) -> FiniteHorizonMDP:
    """A combination lock with time for one attempt."""
    return FiniteHorizonMDP.stationary(combination_lock(code, actions), len(code))


def grid() -> Iterator[Planning]:
    """Small values of random play, in locks; small gaps, in random processes; an optimal choice that looks poor."""
    yield Planning.of(lock([1, 0]), 1)
    yield Planning.of(lock([1, 0, 1, 0]), 1)
    yield Planning.of(lock([1, 0, 1, 0]), 2)
    yield Planning.of(lock([2, 1, 2], 3), 1)
    yield Planning.of(alternating_depths(), 3)
    yield disguise()
    for number, depth in ((27, 2), (34, 1), (21, 1)):
        yield Planning.of(random_deterministic(stream(0, "gorp", number), 4, 2, 4, highest_reward=2), depth)


def grid_with_costs() -> Iterator[Planning]:
    """Rewards of either sign, besides."""
    yield from grid()
    drawn = Planning.of(random_deterministic(stream(0, "gorp", "costs"), 4, 2, 4, highest_reward=2), 1)
    yield replace(drawn, rewards=drawn.rewards - 1, title="random, with costs")


def disguise() -> Planning:
    """The first of two optimal choices looks worse than a wrong one, and random play misleads where it leads."""
    successors = np.array([[2, 1, 3], [4, 4, 4], [5, 4, 4], [4, 4, 4], [4, 4, 4], [4, 4, 4]])
    rewards = np.array([[0, 0, 0], [2, 2, 2], [0, 1, 0], [1, 1, 1], [0, 0, 0], [2, 0, 0]])
    return Planning(successors, rewards, 3, 1, title="disguise")


def any_table() -> "SearchStrategy[Planning]":
    """Any small deterministic process with rewards 0, 1 and 2, and one or two steps ahead."""
    from hypothesis import strategies as st

    @st.composite
    def settings(draw: st.DrawFn) -> Planning:
        shape = draw(st.integers(1, 4)), draw(st.integers(2, 3))

        def table(highest: int) -> Indices:
            size = shape[0] * shape[1]
            return np.array(draw(st.lists(st.integers(0, highest), min_size=size, max_size=size))).reshape(shape)

        return Planning(table(shape[0] - 1), table(2), draw(st.integers(1, 4)), draw(st.integers(1, 2)))

    return settings()


def any_planning() -> "SearchStrategy[Planning]":
    """Those that are solved, for little work."""
    return any_table().filter(lambda s: s.ahead.has_gap and s.scale_by_values < 100)


def any_alternation() -> "SearchStrategy[Planning]":
    """The process whose depths alternate, its states and actions in another order, its rewards in another unit."""
    from hypothesis import strategies as st

    @st.composite
    def settings(draw: st.DrawFn) -> Planning:
        s = Planning.of(alternating_depths(), 5)
        states = np.array([0, *draw(st.permutations([1, 2, 3]))])
        actions = np.array(draw(st.lists(st.permutations([0, 1]), min_size=4, max_size=4)))
        unit, shift = draw(st.integers(1, 5)), draw(st.integers(-3, 3))
        successors, rewards = (
            np.take_along_axis(table[states], actions, axis=1)
            for table in (np.argsort(states)[s.successors], s.rewards)
        )
        return Planning(successors, unit * rewards + shift, s.horizon, s.depth, title="alternating depths, reordered")

    return settings()


def any_lucky_arms() -> "SearchStrategy[Planning]":
    """More stages or more actions than the witness has, up to what takes a second."""
    from hypothesis import strategies as st

    sizes = st.integers(36, 48), st.integers(240, 300)
    return st.builds(lambda horizon, actions: Planning.of(lucky_arms(horizon, actions), 1), *sizes)


CERTAIN: Hypotheses = {"each choice leads to one state, and the first state is certain": BY_CONSTRUCTION}
TABLE: Hypotheses = CERTAIN | {
    "rewards are integers": BY_CONSTRUCTION,
    "there are two actions, at least": lambda s: s.actions >= 2,
}
PLANNING: Hypotheses = TABLE | {
    "at each safe state the best choice looks better than every suboptimal one": lambda s: s.ahead.has_gap,
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
    "$k + \\log_A m$. The paper has the same form; its constant is recalled, as 6, and 8 is proved.",
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
    "those of the sequences whose first choice looks no better than the best suboptimal one",
    kind=EveryStep(rounding=lambda s: 1e-6 * (1 + s.scale_by_ranges)),
    hypotheses=PLANNING,
    run=fail,
    measured=scale_of_failures,
    bound=lambda s, trace: np.full(trace.times.size, s.scale_by_ranges),
    settings=grid_with_costs,
    strategy=any_planning,
    controls={"one episode": fail_with_one_episode},
    remark="Rewards may be negative. Where no return is below 0, this is never more than the scale by values. An optimal "
    "first choice that looks poor counts among the $j$: luck may lead there, where random play can mislead.",
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

EFFECTIVE_HORIZON = Theorem(
    name="gorp/effective-horizon",
    title="At the best depth GORP plays as many steps as the effective horizon says",
    paper=Paper(PAPER, "the bound on the sample complexity"),
    standing=Standing.SEEN,
    statement=r"N \le H^2 A^{\min_k H_k}, \qquad H_k = k + \log_A m_k",
    symbols="$N$: steps played until all choices are made, with the $k \\le K$, or $k = H$, of least $H_k$; at stage $h$ the "
    "bound is $(h + 1) H A^{\\min_k H_k}$; $m_k$: the least number of episodes with which GORP succeeds with probability "
    "1/2 at least; $A$: the number of actions",
    kind=EveryStep(rounding=lambda s: 1e-9 * s.horizon**2 * s.actions**s.horizon),
    hypotheses=TABLE,
    run=plan_at_least_cost,
    measured=lambda s, trace: s.horizon * trace["episodes"][:, 0],
    bound=lambda s, trace: (trace.times + 1) * s.horizon * s.actions ** s.cheapest[0] * s.cheapest[1],
    settings=grid,
    strategy=any_table,
    controls={"one step deeper": plan_one_deeper_than_cheapest},
    remark="To look H steps ahead takes one episode, so that the effective horizon is at most H, solved or not. It can be "
    "less where no depth solves the process: ties and luck may do.",
)

GAP_RATE = Theorem(
    name="gorp/gap-rate",
    title="The paper's rate: episodes in proportion to the inverse square of the gap",
    paper=Paper(PAPER, "Theorem 5.4"),
    standing=Standing.RECALLED,
    statement=r"A^{H_k - k} = m_k = O\Bigl(\max_s \frac{\max_c Q^k(c)\, V^*(s)}{\Delta(s)^2} \log(2 H A^k)\Bigr)",
    symbols="$m_k$: the least number of episodes with which GORP succeeds with probability 1/2 at least; $\\Delta$: the gap. "
    "Measured is the gap $1 / A$ that m episodes resolve, stated that it falls as $\\sqrt{\\log m / m}$",
    kind=EveryStep(rounding=lambda s: 1e-12),
    hypotheses=CERTAIN | {"$r \\ge 0$": BY_CONSTRUCTION},
    run=tell_doors_apart,
    measured=lambda s, trace: trace["gap"],
    bound=lambda s, trace: np.sqrt((1 + 2 * trace["gap"]) * np.log(4 / trace["gap"]) / trace.times),
    settings=lambda: iter([Doors(64)]),
    controls={"episodes shared by all sequences": share_episodes},
    rate=PowerLog(lambda s: -0.5, log_power=0.5),
    remark="Only the power of the gap is judged, along one family of processes, in which eight choices compete whatever A is: "
    "measured is $m^{-1/2}$, without the logarithm. The paper's constant is recalled as 6, and its software computes with "
    "16. A bound with a constant that is proved is `gorp/values`.",
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
    strategy=any_alternation,
    controls={"a lock": solve_lock},
    remark="The witness has four states and two actions and is solved by depths 1, 3 and 5. Every depth has to be tried: "
    "failure at one says nothing of the next.",
)

LUCKY = Theorem(
    name="gorp/published-formula",
    title="The published formula for the effective horizon can ask for too few episodes, where a proved one does not",
    paper=Paper(PAPER, "the formula by which the authors' software bounds the effective horizon"),
    standing=Standing.DERIVED,
    statement=r"\exists: \quad m = \lceil \max_{s} \frac{16\, \max_j (q_j - w_j)(o_j - w_j)}{\Delta(s)^2} \log (2 H A^k)"
    r" \rceil, \quad p_m > \tfrac12, \qquad m' = \lceil M \log (2 H A^k) \rceil, \quad p_{m'} \le \tfrac12",
    symbols=SYMBOLS
    + GAP
    + "; $q_j, w_j, o_j$: the mean, least and largest return of the sequences from s; $M$: the scale of "
    "`gorp/ranges`",
    kind=Existence(),
    hypotheses=PLANNING | {"$r \\ge 0$": lambda s: bool((s.rewards >= 0).all())},
    run=compare_formulas,
    measured=lambda s, trace: ((trace["failure"] > 1 / 2) == [True, False]).astype(np.float64),
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=lambda: iter([Planning.of(lucky_arms(36, 240), 1)]),
    strategy=any_lucky_arms,
    controls={
        "certified episodes for the formula": compare_certified_episodes,
        "the formula for certified episodes": compare_published_episodes,
    },
    remark="In the witness the formula gives 26 episodes, with which GORP succeeds with probability 0.344, and 462 are "
    "certified; with 60 stages and 300 actions it gives 40, and success has probability 0.0715, against 833. The best "
    "choice has a return of hardly any spread, and one lucky return of the others beats it while m is less than that "
    "return: the linear term of Bernstein's inequality is missing from the formula. Its number is the authors' formula, "
    "not a bound.",
)
