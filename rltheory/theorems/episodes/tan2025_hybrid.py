r"""Hybrid NORA: what offline data spare a learner in episodes, with bonuses and without.

Notation is that of :mod:`rltheory.theorems.episodes.tan2025`. :math:`n_h(c)` is the number of transitions of choice c at stage h
in the data, which are drawn from the laws; L stays the same, as it is a union over T numbers of visits of each choice
whether they begin at 0 or at n. A *part* X holds some of the choices at each stage, :math:`k_h` is the number of the
others, and

.. math:: \kappa_h(X) = \max_\pi \sum_{c \in X_h} \frac{d^\pi_h(c)}{n_h(c)}, \qquad
   \kappa^*_h = \sum_c \frac{d^*_h(c)}{n_h(c)},

which are the partition coefficient and the coverage of an optimal policy over the number of trajectories.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import nora
from rltheory.arrays import Matrix, Times, Vector, counts
from rltheory.instances import diabolical_lock, random_episodes
from rltheory.measures import coverage, largest_occupancies, partition_coefficients, summed_coverage
from rltheory.problems import FiniteHorizonMDP, TabularMDP, offline_data, offline_transitions, uniform_policy
from rltheory.problems.mdp import Indices, Marks
from rltheory.simulation import stream
from rltheory.solvers import backward_induction, finite_horizon_occupancy
from rltheory.solvers.finite_horizon import FiniteHorizonOptimum
from rltheory.theorems.episodes.tan2025 import DOUBLING, PAPER, PROCESS, REGRET, Learning, arms, tracking_constant
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True, eq=False, kw_only=True)
class HybridLearning(Learning):
    """A learner in episodes that has offline data, drawn anew for each run.

    Parameters
    ----------
    visits : array of int, shape (H, C)
        Number of transitions of each choice at each stage in the data.
    """

    visits: Indices

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = (self.problem.horizon, self.problem.choices)
        object.__setattr__(self, "visits", counts(self.visits, "visits", shape))

    def __str__(self) -> str:
        return f"{super().__str__()}, {self.visits.sum():.3g} records"

    @property
    def to_go(self) -> Vector:
        """Stages that are left after each, H - h, shape (H,)."""
        return np.arange(self.problem.horizon - 1, -1, -1.0)

    @cached_property
    def optimum(self) -> FiniteHorizonOptimum:
        """Optimal values and an optimal policy."""
        return backward_induction(self.problem)

    @cached_property
    def optimal_coverage(self) -> Vector:
        r""":math:`\kappa^*_h` of that policy, inf where data miss what it does, shape (H - 1,).

        The last stage, of which nothing has to be learnt, is left out.
        """
        occupancy = finite_horizon_occupancy(self.problem, self.optimum.policy).occupancy
        return np.array([summed_coverage(d, n) for d, n in zip(occupancy[:-1], self.visits[:-1], strict=True)])

    @cached_property
    def part(self) -> Marks:
        """The part X for which errors after T episodes are smallest, of those that hold first what data cover best."""
        largest = largest_occupancies(self.problem)
        ratios = np.array(
            [
                [coverage([d], [n]) for d, n in zip(*rows, strict=True)]
                for rows in zip(largest, self.visits, strict=True)
            ]
        )
        rank = ratios.argsort(axis=1).argsort(axis=1)
        parts = [(rank < held) & np.isfinite(ratios) for held in range(self.problem.choices + 1)]
        errors = np.array([self.errors(part, np.array([self.episodes]), bonus=True)[0] for part in parts])
        return np.stack([parts[held][stage] for stage, held in enumerate(errors.argmin(axis=0))])

    def errors(self, part: Marks, episodes: Times, *, bonus: bool) -> Matrix:
        """What the critic errs at each stage where the learner goes in so many episodes, shape (..., H).

        Within the part it is as much in each episode, outside of it bonuses, or errors without them, become small. With
        bonuses both add up, and a choice never made before costs its largest value.
        """
        kappa, outside, t = (
            partition_coefficients(self.problem, self.visits, part),
            (~part).sum(axis=1),
            episodes[:, None],
        )
        chance = (outside > 0) * math.sqrt(self.episodes * math.log(1 / self.delta) / 2)
        once = t * np.sqrt(self.log * kappa / 2) + 2 * np.sqrt(self.log * outside * t) + chance
        found: Matrix = self.to_go * (2 * once + outside if bonus else once)
        return found

    def lost_optimism(self) -> float:
        """What a critic without bonuses promises too little."""
        return float(self.to_go[:-1] @ np.sqrt(self.log * self.optimal_coverage / 2))

    def follows(self, trace: Trace) -> Vector:
        """What the actor misses over all changes of the critic."""
        horizon, t = self.problem.horizon, np.maximum(trace.times, 1)
        later = horizon * tracking_constant(self.actions) / self.eta * (1 + np.log(t))
        found: Vector = (self.most_changes(trace) + 1) * (horizon * (horizon + 1) / 2 + later)
        return found

    def most_changes(self, trace: Trace) -> Vector:
        """How often the critic can have changed, given the data."""
        times = np.maximum(trace.times, 1)
        few = (self.visits <= times[:, None, None]).sum(axis=2)
        share = times[:, None] / np.maximum(few, 1)
        found: Vector = (few * np.where(share < 1, share, 1 + np.log2(np.maximum(share, 1)))).sum(axis=1)
        return found


def play_hybrid(s: HybridLearning, rng: np.random.Generator) -> Trace:
    """Draw the data, and run NORA with them."""
    data = offline_transitions(s.problem, s.visits, rng)
    return nora(s.problem, episodes=s.episodes, eta=s.eta, delta=s.delta, offline=data, rng=rng)


def play_without_bonus(s: HybridLearning, rng: np.random.Generator) -> Trace:
    """The same without bonus."""
    data = offline_transitions(s.problem, s.visits, rng)
    return nora(s.problem, episodes=s.episodes, eta=s.eta, delta=s.delta, bonus=0.0, offline=data, rng=rng)


# Wrong runs, to be told from right ones.


def play_with_nothing(s: HybridLearning, rng: np.random.Generator) -> Trace:
    """There are neither data nor bonus."""
    return nora(s.problem, episodes=s.episodes, eta=s.eta, delta=s.delta, bonus=0.0, rng=rng)


def play_forgetfully(s: HybridLearning, rng: np.random.Generator) -> Trace:
    """The data are not used."""
    return nora(s.problem, episodes=s.episodes, eta=s.eta, delta=s.delta, rng=rng)


def play_idly(s: HybridLearning, rng: np.random.Generator) -> Trace:
    """The actor hardly moves."""
    return play_hybrid(replace(s, eta=1e-9), rng)


def play_on_uncovered(s: HybridLearning, rng: np.random.Generator) -> Trace:
    """There is no bonus, and data are of what is not optimal only."""
    return play_without_bonus(replace(s, visits=np.where(s.optimum.policy > 0, 0, s.visits)), rng)


def coin() -> FiniteHorizonMDP:
    """Two stages without choice: a fair coin decides between a reward of 1 and none."""
    laws = np.array([[[0, 0.5, 0.5]], [[0, 1, 0]], [[0, 0, 1]]])
    return FiniteHorizonMDP([TabularMDP(laws, [[0.0], [1.0], [0.0]], initial=[1, 0, 0])] * 2, title="coin")


def expert_visits(problem: FiniteHorizonMDP, slips: float, trajectories: int) -> Indices:
    """How often trajectories of an optimal policy, uniform with probability `slips`, make each choice."""
    policy = (1 - slips) * backward_induction(problem).policy + slips * uniform_policy(problem.stages[0])
    return offline_data(problem, policy, trajectories, stream(0, "hybrid", problem, slips, trajectories)).visits


def grid() -> Iterator[HybridLearning]:
    """Data of everything, of an expert, of half of the arms, of a coin; and none."""
    lock = diabolical_lock(stream(0, "hybrid", "lock"), 5, 4)
    yield HybridLearning(lock, 300, 100.0, visits=np.full((5, lock.choices), 10**6))
    yield HybridLearning(lock, 300, 100.0, visits=expert_visits(lock, 0.2, 10**6))
    shorter = diabolical_lock(stream(0, "hybrid", "short lock"), 3, 2)
    yield HybridLearning(shorter, 200, 1.0, visits=expert_visits(shorter, 1 / 3, 1000))
    many = arms(0.2 * np.eye(1, 20)[0])
    yield HybridLearning(many, 1000, 100.0, visits=np.tile(np.where(np.arange(20) % 2, 0, 3000), (2, 1)))
    yield HybridLearning(coin(), 100, 1.0, visits=np.full((2, 3), 50))
    process = random_episodes(stream(0, "hybrid", "random"), 4, 2, 3)
    yield HybridLearning(process, 100, 1.0, visits=expert_visits(process, 0.5, 100))
    yield HybridLearning(process, 100, 1.0, visits=np.zeros((3, process.choices), int))


def grid_of_covered() -> Iterator[HybridLearning]:
    """Those whose data cover an optimal policy."""
    return (s for s in grid() if np.isfinite(s.optimal_coverage).all())


def any_hybrid() -> "SearchStrategy[HybridLearning]":
    """Any small process, its rewards scaled to [0, 1], a few hundred episodes, and data of each choice."""
    from hypothesis import strategies as st

    from rltheory.theorems.episodes.tan2025 import any_learning

    @st.composite
    def settings(draw: st.DrawFn) -> HybridLearning:
        alone = draw(any_learning())
        rows = st.lists(st.integers(1, 300), min_size=alone.problem.choices, max_size=alone.problem.choices)
        visits = draw(st.lists(rows, min_size=alone.problem.horizon, max_size=alone.problem.horizon))
        return HybridLearning(alone.problem, alone.episodes, alone.eta, visits=np.array(visits))

    return settings()


DATA = {"transitions in the data are drawn from the laws": BY_CONSTRUCTION}
LIKELY = {"$\\delta < 1/2$": lambda s: s.delta < 0.5}
COVERED = {
    "the data hold what an optimal policy does before the last stage": lambda s: bool(
        np.isfinite(s.optimal_coverage).all()
    )
}
PARTS = (
    "$X$: part of the choices at each stage, fixed by the numbers of transitions in the data, $n_h(c)$; $k_h$: the "
    "number of choices outside it; $\\kappa_h(X) = \\max_\\pi \\sum_{c \\in X_h} d^\\pi_h(c) / n_h(c)$"
)
BEST = "$\\kappa^*_h = \\sum_c d^*_h(c) / n_h(c)$ for an optimal policy"
CHANGES = "$\\bar N_t$: the bound of `hybrid-nora/switches`; $\\kappa_A = W((A - 1) / e)$ with Lambert's function $W$"

SWITCHES = Theorem(
    name="hybrid-nora/switches",
    title="The critic changes for those choices only of which data are few",
    paper=Paper(PAPER, "rare switching, here by visits that double, with offline data"),
    standing=Standing.DERIVED,
    statement=r"N_t \le \sum_h C_h(t)\, \psi\!\left(\frac{t}{C_h(t)}\right), \quad C_h(t) = |\{c : n_h(c) \le t\}|",
    symbols=f"$N_t$: how often hybrid NORA's critic has changed before episode $t$ is over; $n_h(c)$: the number of "
    f"transitions of choice $c$ at stage $h$ in the data; {DOUBLING}; terms with $C_h(t) = 0$ are 0",
    kind=EveryStep(rounding=lambda s: 0.0),
    hypotheses=PROCESS,
    run=play_hybrid,
    measured=lambda s, trace: trace["switches"],
    bound=lambda s, trace: s.most_changes(trace),
    since=1,
    settings=grid,
    strategy=any_hybrid,
    controls={"the data are not used": play_forgetfully},
)

REGRET_WITH_BONUS = Theorem(
    name="hybrid-nora/regret",
    title="Hybrid NORA pays with the root of time only for what data do not cover",
    paper=Paper(PAPER, "the guarantee of hybrid NORA, on tables and with bonuses"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{Reg}_t \le \sum_h (H - h) \left[t \sqrt{2 L \kappa_h(X)} + k_h + 4 \sqrt{L k_h t}\right] "
    r"+ 2 \sum_{h : k_h > 0} (H - h) \sqrt{\frac{T \log(1 / \delta)}{2}} "
    r"+ (\bar N_t + 1) \left[\frac{H (H + 1)}{2} + \frac{H \kappa_A}{\eta} (1 + \log t)\right]",
    symbols=f"{REGRET}; {PARTS}; {CHANGES}",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: 2 * s.delta),
    hypotheses=PROCESS | DATA | LIKELY,
    run=play_hybrid,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: s.errors(s.part, trace.times, bonus=True).sum(axis=1) + s.follows(trace),
    since=1,
    trivial=lambda s: float(s.problem.horizon * s.episodes),
    settings=grid,
    strategy=any_hybrid,
    controls={"neither data nor bonus": play_with_nothing, "an actor that hardly moves": play_idly},
    remark="The part is the best, after $T$ episodes, of those that take in first what data cover best; the empty part "
    "gives `nora/regret` back. Data may also be trajectories of a policy: how often a choice is made at a stage does not "
    "depend on where it leads there, and that is all that the proof needs.",
)

LOST_OPTIMISM = Theorem(
    name="hybrid-nora/lost-optimism",
    title="A critic without bonuses promises nearly the optimal value where data cover an optimal policy",
    paper=Paper(PAPER, "the hybrid method that is not optimistic, on tables"),
    standing=Standing.DERIVED,
    statement=r"V^* - \max_a f_1 \le \sum_h (H - h) \sqrt{\frac{L \kappa^*_h}{2}} \le \frac{H (H - 1)}{2} "
    r"\sqrt{\frac{L\, c^*}{2 N}}",
    symbols=f"$V^*$, $\\max_a f_1$: in the mean over the first state, for the critic $f$ in force; {BEST}, at most "
    f"$c^* / N$ for $N$ trajectories; {REGRET}",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: s.delta),
    hypotheses=PROCESS | DATA | COVERED,
    run=play_without_bonus,
    measured=lambda s, trace: float(s.problem.initial @ s.optimum.values[0]) - trace["value"],
    bound=lambda s, trace: np.full(trace.times.size, s.lost_optimism()),
    since=1,
    trivial=lambda s: float(s.problem.horizon),
    settings=grid_of_covered,
    strategy=any_hybrid,
    controls={"neither data nor bonus": play_with_nothing, "data of what is not optimal": play_on_uncovered},
    remark="The left side may be negative. Hence $N \\ge L\\, c^* H^4 / (2 \\varepsilon^2)$ trajectories make the loss "
    "at most $\\varepsilon / 2$ in each episode, the condition of the paper with its role made plain.",
)

REGRET_WITHOUT_BONUS = Theorem(
    name="hybrid-nora/regret-without-bonus",
    title="Without bonuses hybrid NORA loses what optimism would have given",
    paper=Paper(PAPER, "the hybrid method that is not optimistic, on tables"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{Reg}_t \le \sum_h (H - h) \left[t \sqrt{\frac{L \kappa^*_h}{2}} + t \sqrt{\frac{L \kappa_h(X)}{2}} "
    r"+ 2 \sqrt{L k_h t}\right] + \sum_{h : k_h > 0} (H - h) \sqrt{\frac{T \log(1 / \delta)}{2}} "
    r"+ (\bar N_t + 1) \left[\frac{H (H + 1)}{2} + \frac{H \kappa_A}{\eta} (1 + \log t)\right]",
    symbols=f"{REGRET}; {PARTS}; {BEST}; {CHANGES}",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: 2 * s.delta),
    hypotheses=PROCESS | DATA | LIKELY | COVERED,
    run=play_without_bonus,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: (
        trace.times * s.lost_optimism() + s.errors(s.part, trace.times, bonus=False).sum(axis=1) + s.follows(trace)
    ),
    since=1,
    trivial=lambda s: float(s.problem.horizon * s.episodes),
    settings=grid_of_covered,
    strategy=any_hybrid,
    controls={
        "neither data nor bonus": play_with_nothing,
        "data of what is not optimal": play_on_uncovered,
    },
    remark="The first term grows with time: data that cover an optimal policy are needed in number, and bonuses are "
    "what makes up for data that do not.",
)
