r"""Where policies go and what they earn: occupancies, differences of returns, and processes that are not quite the same.

Throughout, :math:`J(\pi) = \sum_s \mu(s) V^\pi(s)` is the return of a policy, :math:`d^\pi(c)` the discounted probability
of a choice and :math:`q^\pi(s)` that of a state, each summing to 1. Policies are compared along the way from one to the
other, :math:`\pi_\alpha = (1 - \alpha) \pi' + \alpha \pi` in every state, in steps of a tenth.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector
from rltheory.instances import combination_lock, garnet, inventory, river_swim
from rltheory.measures import performance_difference, performance_difference_reversed
from rltheory.problems import MDP, FiniteHorizonMDP, TabularMDP, deterministic_policy, uniform_policy
from rltheory.problems.policies import checked_policy
from rltheory.simplex import span
from rltheory.simulation import stream
from rltheory.solvers import (
    discounted_occupancy,
    discounted_values,
    finite_horizon_occupancy,
    finite_horizon_values,
    policy_iteration,
)
from rltheory.theorems.discounted.discounted_process import (
    PROCESS,
    DiscountedProcess,
    Hypotheses,
    discounted_processes,
    processes,
)
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TENTHS = np.arange(11)


@dataclass(frozen=True, eq=False)
class TwoPolicies(DiscountedProcess):
    """Two policies of a process.

    Parameters
    ----------
    policy, other : array, shape (C,)
        Probabilities of the choices in their states.
    """

    policy: Vector = field(kw_only=True)
    other: Vector = field(kw_only=True)

    def __post_init__(self) -> None:
        for name in ("policy", "other"):
            checked_policy(self.mdp, getattr(self, name), name=name)

    @cached_property
    def returns(self) -> Vector:
        """Returns on the way from the other policy, shape (11,)."""
        policies = mixtures(self.policy, self.other)
        return np.array([self.mdp.initial @ discounted_values(self.mdp, row, self.discount).values for row in policies])


@dataclass(frozen=True, eq=False)
class TwoEpisodicPolicies:
    """Two policies of a process over a finite horizon.

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    policy, other : array, shape (H, C)
        Probabilities of the choices in their states at each stage.
    """

    problem: FiniteHorizonMDP
    policy: Matrix
    other: Matrix

    def __post_init__(self) -> None:
        for name in ("policy", "other"):
            checked_policy(self.problem.stages[0], getattr(self, name), name=name, stages=self.problem.horizon)

    def __str__(self) -> str:
        return str(self.problem)

    @property
    def rounding(self) -> float:
        """Allowance for a number as large as a return: sums over successors, choices and stages, twice."""
        largest = max(float(np.abs(mdp.rewards).max()) for mdp in self.problem.stages)
        terms = self.problem.states + self.problem.choices + self.problem.horizon
        return 8 * terms * UNIT_ROUNDOFF * largest * self.problem.horizon**2


@dataclass(frozen=True, eq=False)
class TwoProcesses(DiscountedProcess):
    """Two processes with the same states and choices, and a policy.

    Parameters
    ----------
    other
        The other process.
    policy : array, shape (C,)
        Probabilities of the choices in their states.
    """

    other: MDP = field(kw_only=True)
    policy: Vector = field(kw_only=True)

    def __post_init__(self) -> None:
        checked_policy(self.mdp, self.policy)
        if not np.array_equal(self.other.first_choice, self.mdp.first_choice):
            raise ValueError("other has other states or choices than mdp; they must be the same")

    @cached_property
    def twin(self) -> DiscountedProcess:
        """The other process at the same discount."""
        return DiscountedProcess(self.other, self.discount)

    @property
    def largest_value(self) -> float:
        """Largest possible size of a value in either."""
        return max(super().largest_value, self.twin.largest_value)

    @property
    def rounding(self) -> float:
        """Allowance for a number as large as a value, of either."""
        return super().rounding + self.twin.optimum.error

    @cached_property
    def distances(self) -> Vector:
        """Distances in total variation between the laws of each choice, shape (C,)."""
        found: Vector = np.abs(self.laws - self.twin.laws).sum(axis=1) / 2
        return found


def compare(s: TwoPolicies, rng: np.random.Generator) -> Trace:
    """Follow the way from one policy to the other."""
    return compare_at(s, s.discount)


def compare_at(s: TwoPolicies, discount: float) -> Trace:
    """Follow it at some discount."""
    policies = mixtures(s.policy, s.other)
    found = {
        "return": [s.mdp.initial @ discounted_values(s.mdp, policy, discount).values for policy in policies],
        "difference": [performance_difference(s.mdp, policy, s.other, discount) for policy in policies],
        "reversed": [performance_difference_reversed(s.mdp, policy, s.other, discount) for policy in policies],
    }
    occupancies = [discounted_occupancy(s.mdp, policy, discount).occupancy for policy in policies]
    curves = {name: (("time",), np.array(curve)) for name, curve in found.items()}
    return Trace(
        "way from policy to policy",
        TENTHS,
        curves | {"occupancy": (("time", "choice"), np.array(occupancies))},
        "tenth",
    )


def compare_episodes(s: TwoEpisodicPolicies, rng: np.random.Generator) -> Trace:
    """Follow the way from one policy to the other, over a finite horizon."""
    policies = mixtures(s.policy, s.other)
    values = [finite_horizon_values(s.problem, policy).values[0] @ s.problem.initial for policy in policies]
    occupancies = [finite_horizon_occupancy(s.problem, policy).occupancy for policy in policies]
    arrays = {
        "return": (("time",), np.array(values)),
        "occupancy": (("time", "stage", "choice"), np.array(occupancies)),
    }
    return Trace("way from policy to policy", TENTHS, arrays, "tenth")


def visit(s: TwoPolicies, rng: np.random.Generator) -> Trace:
    """Where the policy is found."""
    return visit_with(s, discounted_occupancy(s.mdp, s.policy, s.discount).occupancy)


def visit_with(s: TwoPolicies, occupancy: Vector) -> Trace:
    """Probabilities of the states, and of coming into them."""
    arrays = {"found": reached(s.mdp, occupancy), "entered": occupancy @ s.laws}
    return Trace("occupancy", np.arange(s.mdp.states), {name: (("time",), a) for name, a in arrays.items()}, "state")


def evaluate(s: TwoProcesses, rng: np.random.Generator) -> Trace:
    """Values of the policy, and optimal values, in both processes."""
    return evaluate_at(s, s.discount)


def evaluate_at(s: TwoProcesses, discount: float) -> Trace:
    """Values in both, of which the other's are at some discount."""
    twin = replace(s.twin, discount=discount)
    arrays = {
        "values": discounted_values(s.mdp, s.policy, s.discount).values,
        "other_values": discounted_values(s.other, s.policy, discount).values,
        "optimal": s.optimum.values,
        "other_optimal": twin.optimum.values,
    }
    return Trace("evaluation", np.arange(s.mdp.states), {name: (("time",), a) for name, a in arrays.items()}, "state")


# Wrong runs, to be told from right ones.


def compare_from_the_other_end(s: TwoPolicies, rng: np.random.Generator) -> Trace:
    """The way is followed backwards."""
    right = compare(s, rng)
    return replace(right, values={name: (dims, array[::-1]) for name, (dims, array) in right.values.items()})


def compare_at_longer_horizon(s: TwoPolicies, rng: np.random.Generator) -> Trace:
    """The discount is half as far from 1."""
    return compare_at(s, (1 + s.discount) / 2)


def compare_without_horizon(s: TwoPolicies, rng: np.random.Generator) -> Trace:
    """Occupancies are taken for numbers of visits: differences are not divided by one minus the discount."""
    right = compare(s, rng)
    changed = {name: (("time",), (1 - s.discount) * right[name]) for name in ("difference", "reversed")}
    return replace(right, values={**right.values, **changed})


def compare_with_occupancy_of_other(s: TwoPolicies, rng: np.random.Generator) -> Trace:
    """All occupancies are those of the other policy."""
    right = compare(s, rng)
    return replace(right, values={**right.values, "occupancy": (("time", "choice"), repeated(right["occupancy"]))})


def compare_episodes_with_occupancy_of_other(s: TwoEpisodicPolicies, rng: np.random.Generator) -> Trace:
    """All occupancies are those of the other policy."""
    right = compare_episodes(s, rng)
    occupancy = (("time", "stage", "choice"), repeated(right["occupancy"]))
    return replace(right, values={**right.values, "occupancy": occupancy})


def compare_episodes_one_stage_late(s: TwoEpisodicPolicies, rng: np.random.Generator) -> Trace:
    """Occupancies are those of the stage before."""
    right = compare_episodes(s, rng)
    occupancy = (("time", "stage", "choice"), np.roll(right["occupancy"], 1, axis=1))
    return replace(right, values={**right.values, "occupancy": occupancy})


def visit_at_longer_horizon(s: TwoPolicies, rng: np.random.Generator) -> Trace:
    """The discount is half as far from 1."""
    return visit_with(s, discounted_occupancy(s.mdp, s.policy, (1 + s.discount) / 2).occupancy)


def evaluate_exchanged(s: TwoProcesses, rng: np.random.Generator) -> Trace:
    """The processes are taken for each other."""
    return evaluate(replace(s, mdp=s.other, other=s.mdp), rng)


def evaluate_at_longer_horizon(s: TwoProcesses, rng: np.random.Generator) -> Trace:
    """The other's discount is half as far from 1."""
    return evaluate_at(s, (1 + s.discount) / 2)


LONGER_HORIZON = {"discount too close to 1": compare_at_longer_horizon}
BACKWARDS = {"policies exchanged": compare_from_the_other_end}


def prospect() -> TabularMDP:
    """A state to stay in, or to leave for one in which it pays to work, and for ever."""
    laws = [[1, 0], [0, 1], [0, 1], [0, 1]]
    return TabularMDP.from_rows([0, 2, 4], laws, [0, 0, 0, 1], initial=[1, 0], title="prospect")


def flickering(chance: float) -> TabularMDP:
    """Two states, of which one pays; the other is next with a given chance, from both."""
    return TabularMDP.from_rows([0, 1, 2], [[1 - chance, chance]] * 2, [1, 0], title="flickering")


def perturbed(mdp: MDP, weight: float) -> TabularMDP:
    """Mix each law with a random one, and change each reward by no more than the weight."""
    rng = stream(0, "mdp-identities", "perturbed", mdp, weight)
    laws = (1 - weight) * DiscountedProcess(mdp, 0.0).laws + weight * rng.dirichlet(np.ones(mdp.states), mdp.choices)
    rewards = mdp.rewards + rng.uniform(-weight, weight, mdp.choices)
    return TabularMDP.from_rows(mdp.first_choice, laws, rewards, initial=mdp.initial, title=f"{mdp}, perturbed")


def optimal_policy(mdp: MDP, discount: float) -> Vector:
    """Probabilities 0 and 1 of the choices."""
    return deterministic_policy(mdp, policy_iteration(mdp, discount).policy)


def grid() -> Iterator[TwoPolicies]:
    """From uniform to optimal policies or back, and two policies that are close."""
    for place, (mdp, discount) in enumerate(processes()):
        ends = uniform_policy(mdp), optimal_policy(mdp, max(discount, 0.5))
        yield TwoPolicies(mdp, discount, policy=ends[place % 2], other=ends[1 - place % 2])
    idle = np.array([1.0, 0, 1, 0])
    yield TwoPolicies(prospect(), 0.9, policy=1 - idle, other=idle)
    yield TwoPolicies(prospect(), 0.5, "close", policy=idle, other=np.array([0.999, 0.001, 1, 0]))


def grid_of_episodes() -> Iterator[TwoEpisodicPolicies]:
    """Stationary and staged policies, and laws and rewards that depend on the stage."""

    def policies(mdp: MDP, horizon: int) -> Iterator[Matrix]:
        for name in ("policy", "other"):
            weights = stream(0, "mdp-identities", name, mdp).random((horizon, mdp.choices))
            yield weights / np.add.reduceat(weights, mdp.first_choice[:-1], axis=1)[:, mdp.state_of_choice]

    for mdp, horizon in ((river_swim(), 20), (combination_lock([1, 0, 1]), 7), (inventory(), 1)):
        yield TwoEpisodicPolicies(FiniteHorizonMDP.stationary(mdp, horizon), *policies(mdp, horizon))
    stages = [garnet(stream(0, "mdp-identities", "stage", h), 8, 3, 2) for h in range(5)]
    yield TwoEpisodicPolicies(FiniteHorizonMDP(stages), *policies(stages[0], 5))


def grid_of_processes() -> Iterator[TwoProcesses]:
    """Processes and perturbed ones, from hardly to wholly different."""
    for (mdp, discount), weight in zip(processes(), (1e-3, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0), strict=True):
        yield TwoProcesses(mdp, discount, other=perturbed(mdp, weight), policy=uniform_policy(mdp))
    yield TwoProcesses(flickering(0.2), 0.9, other=flickering(0.5), policy=np.ones(2))


def any_setting() -> "SearchStrategy[TwoPolicies]":
    """Any process and two policies, from nearly uniform to nearly deterministic."""
    from rltheory.strategies import stationary_policies

    def with_policies(process: DiscountedProcess) -> "SearchStrategy[TwoPolicies]":
        from hypothesis import strategies as st

        policies = stationary_policies(process.mdp)
        return st.builds(TwoPolicies, st.just(process.mdp), st.just(process.discount), policy=policies, other=policies)

    return discounted_processes(DiscountedProcess).flatmap(with_policies)


def any_episodes() -> "SearchStrategy[TwoEpisodicPolicies]":
    """Any process over one to three stages, and two policies."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps, stationary_policies

    @st.composite
    def settings(draw: st.DrawFn) -> TwoEpisodicPolicies:
        problem = FiniteHorizonMDP.stationary(draw(adverse_mdps()), draw(st.integers(1, 3)))
        row = stationary_policies(problem.stages[0])
        policies = st.lists(row, min_size=problem.horizon, max_size=problem.horizon).map(np.array)
        return TwoEpisodicPolicies(problem, draw(policies), draw(policies))

    return settings()


def any_processes() -> "SearchStrategy[TwoProcesses]":
    """Any process, perturbed by any amount, and any policy."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform, stationary_policies

    @st.composite
    def settings(draw: st.DrawFn) -> TwoProcesses:
        process = draw(discounted_processes(DiscountedProcess))
        other = perturbed(process.mdp, draw(log_uniform(1e-3, 1.0)))
        policy = draw(stationary_policies(process.mdp))
        return TwoProcesses(process.mdp, process.discount, other=other, policy=policy)

    return settings()


def mixtures(policy: Array, other: Array) -> Array:
    """Policies on the way from the other, in steps of a tenth."""
    return np.array([other + tenth / 10 * (policy - other) for tenth in TENTHS])


def repeated(array: Array) -> Array:
    """The first row in place of every row."""
    return np.broadcast_to(array[0], array.shape)


def reached(mdp: MDP, of_choices: Array) -> Array:
    """Sums over the choices of each state."""
    found: Array = np.add.reduceat(of_choices, mdp.first_choice[:-1], axis=-1)
    return found


def gained(trace: Trace) -> Vector:
    """How much more the policies earn than the other."""
    found: Vector = trace["return"] - trace["return"][0]
    return found


def episodic_difference(s: TwoEpisodicPolicies, trace: Trace) -> Vector:
    """Advantages of the other policy, summed over where the policies go."""
    evaluated = finite_horizon_values(s.problem, s.other)
    state_of_choice = s.problem.stages[0].state_of_choice
    advantages = evaluated.action_values - evaluated.values[:-1, state_of_choice]
    found: Vector = (trace["occupancy"] * advantages).sum(axis=(1, 2))
    return found


def occupancy_distance(s: TwoPolicies, trace: Trace) -> Vector:
    """Sum of the absolute differences to the other's occupancy."""
    other = discounted_occupancy(s.mdp, s.other, s.discount).occupancy
    found: Vector = np.abs(trace["occupancy"] - other).sum(axis=1)
    return found


def expected_policy_distance(s: TwoPolicies, trace: Trace) -> Vector:
    """Mean distance, in sums of absolute differences, of the policies where they go."""
    apart = reached(s.mdp, np.abs(mixtures(s.policy, s.other) - s.other))
    found: Vector = (reached(s.mdp, trace["occupancy"]) * apart).sum(axis=1)
    return found


def mean_advantages(s: TwoPolicies) -> Vector:
    """Mean advantage over the other policy, in each state, of following the policy once."""
    evaluated = discounted_values(s.mdp, s.other, s.discount)
    found: Vector = reached(s.mdp, s.policy * evaluated.action_values) - evaluated.values
    return found


def first_order(s: TwoPolicies, trace: Trace) -> Vector:
    """What a mixture gains to first order in its weight."""
    visited = reached(s.mdp, discounted_occupancy(s.mdp, s.other, s.discount).occupancy)
    found: Vector = trace.times / 10 * s.horizon * (visited @ mean_advantages(s))
    return found


def second_order(s: TwoPolicies, trace: Trace) -> Vector:
    """Bound on what is left."""
    weight = trace.times / 10
    found: Vector = weight**2 * s.discount * s.horizon * span(mean_advantages(s)) / (1 - s.discount * (1 - weight))
    return found


def accumulated(s: TwoProcesses, trace: Trace) -> Vector:
    """How much more a choice is worth in the first process, earned along the policy's way through the other."""
    values = trace["values"]
    differences = s.action_values(values) - s.twin.action_values(values)
    earning = TabularMDP.from_rows(s.other.first_choice, s.twin.laws, differences)
    return discounted_values(earning, s.policy, s.discount).values


def simulation_bound(s: TwoProcesses, values: Vector) -> float:
    """Largest effect of the differences of rewards and laws."""
    rewards = float(np.abs(s.mdp.rewards - s.other.rewards).max())
    return s.horizon * (rewards + s.discount * float(span(values)) * float(s.distances.max()))


def twice_the_horizon(s: DiscountedProcess) -> float:
    """Allowance where values are summed over the horizon once more."""
    return s.rounding * s.horizon


POLICIES: Hypotheses = PROCESS | {"two policies": BY_CONSTRUCTION}
PROCESSES: Hypotheses = PROCESS | {"two processes with the same states and choices": BY_CONSTRUCTION}
RETURN = "$J(\\pi)$: the return from the distribution $\\mu$ of the first state"
OCCUPANCY = "; $d^\\pi(c)$, $q^\\pi(s)$: the discounted probabilities of a choice and of a state, which sum to 1"
ADVANTAGE = "; $A^\\pi(c) = Q^\\pi(c) - V^\\pi(s)$: the advantage of a choice"
ON_THE_WAY = "; the policy is $\\pi_\\alpha = (1 - \\alpha) \\pi' + \\alpha \\pi$, for $\\alpha$ in tenths"
TWINS = "$V$, $V'$: the values of one policy in both processes, of rewards $r$, $r'$ and laws $P$, $P'$"
NORMS = "; $\\|\\cdot\\|$: the largest absolute value; $\\mathrm{sp}$: the span, largest minus smallest value; $\\mathrm{TV}$: half the sum of absolute differences"

DIFFERENCE = Theorem(
    name="mdp-identities/performance-difference",
    title="A policy earns more by the other's advantages, where it goes itself",
    paper=Paper("kakade2002", "lemma 6.1"),
    standing=Standing.DERIVED,
    statement=r"J(\pi) - J(\pi') = \frac{1}{1 - \gamma} \sum_c d^\pi(c)\, A^{\pi'}(c)",
    symbols=RETURN + OCCUPANCY + ADVANTAGE + ON_THE_WAY,
    kind=Identity(rounding=twice_the_horizon),
    hypotheses=POLICIES,
    run=compare,
    measured=lambda s, trace: trace["difference"],
    bound=lambda s, trace: s.returns - s.returns[0],
    settings=grid,
    strategy=any_setting,
    controls=LONGER_HORIZON | BACKWARDS | {"not divided by 1 - discount": compare_without_horizon},
)

DIFFERENCE_REVERSED = Theorem(
    name="mdp-identities/performance-difference-reversed",
    title="A policy earns more by its own action values, where the other goes",
    paper=Paper("kakade2002", "lemma 6.1, with the policies exchanged"),
    standing=Standing.DERIVED,
    statement=r"J(\pi) - J(\pi') = \frac{1}{1 - \gamma} \sum_c q^{\pi'}(s)\, (\pi(c) - \pi'(c))\, Q^\pi(c)",
    symbols=RETURN + OCCUPANCY + ON_THE_WAY,
    kind=Identity(rounding=twice_the_horizon),
    hypotheses=POLICIES,
    run=compare,
    measured=lambda s, trace: trace["reversed"],
    bound=lambda s, trace: s.returns - s.returns[0],
    settings=grid,
    strategy=any_setting,
    controls=LONGER_HORIZON | BACKWARDS | {"not divided by 1 - discount": compare_without_horizon},
)

EPISODIC_DIFFERENCE = Theorem(
    name="mdp-identities/performance-difference-episodic",
    title="Over a finite horizon a policy earns more by the other's advantages, stage by stage",
    paper=Paper("kakade2002", "lemma 6.1, for a finite horizon"),
    standing=Standing.DERIVED,
    statement=r"J(\pi) - J(\pi') = \sum_h \sum_c d_h^\pi(c)\, A_h^{\pi'}(c)",
    symbols=RETURN
    + "; $d_h^\\pi(c)$: the probability of a choice at stage $h$; $A_h^\\pi$: the advantages there"
    + ON_THE_WAY,
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses={"finitely many stages, states and choices, and two policies": BY_CONSTRUCTION},
    run=compare_episodes,
    measured=episodic_difference,
    bound=lambda s, trace: gained(trace),
    settings=grid_of_episodes,
    strategy=any_episodes,
    controls={
        "occupancy of the other policy": compare_episodes_with_occupancy_of_other,
        "occupancy of the stage before": compare_episodes_one_stage_late,
    },
)

MIXTURE = Theorem(
    name="mdp-identities/mixture",
    title="A mixture of policies gains in proportion to its weight, up to second order",
    paper=Paper("kakade2002", "theorem 4.1; span in place of twice the largest mean advantage, and both sides"),
    standing=Standing.DERIVED,
    statement=r"\Bigl| J(\pi_\alpha) - J(\pi') - \frac{\alpha}{1 - \gamma} \sum_s q^{\pi'}(s)\, A(s) \Bigr| \le \frac{\alpha^2 \gamma\, \mathrm{sp}(A)}{(1 - \gamma) (1 - \gamma (1 - \alpha))}",
    symbols=RETURN
    + OCCUPANCY
    + "; $A(s) = \\sum_c \\pi(c) A^{\\pi'}(c)$: the mean advantage; $\\mathrm{sp}$: the span, largest minus smallest value"
    + ON_THE_WAY,
    kind=EveryStep(rounding=twice_the_horizon),
    hypotheses=POLICIES,
    run=compare,
    measured=lambda s, trace: np.abs(gained(trace) - first_order(s, trace)),
    bound=second_order,
    since=1,
    settings=grid,
    strategy=any_setting,
    controls=LONGER_HORIZON | BACKWARDS,
    remark="Hence conservative policy iteration: a small step towards a policy with advantages improves. The bound is "
    "reached where leaving a state for ever pays only with the policy's choices in the next one.",
)

FLOW = Theorem(
    name="mdp-identities/flow",
    title="What is found in a state has started there or has come in",
    paper=Paper("puterman2005", "section 6.9"),
    standing=Standing.DERIVED,
    statement=r"\sum_{c \in s} d^\pi(c) = (1 - \gamma) \mu(s) + \gamma \sum_c d^\pi(c)\, p_c(s)",
    symbols="$d^\\pi(c)$: the discounted probability of a choice; $\\mu$: the distribution of the first state",
    kind=Identity(rounding=lambda s: 8 * (s.mdp.choices + 8) * UNIT_ROUNDOFF * s.horizon),
    hypotheses=POLICIES,
    run=visit,
    measured=lambda s, trace: trace["found"],
    bound=lambda s, trace: (1 - s.discount) * s.mdp.initial + s.discount * trace["entered"],
    settings=grid,
    strategy=any_setting,
    controls={"discount too close to 1": visit_at_longer_horizon},
    remark="The sum over all states says that occupancies sum to 1.",
)

RETURN_OF_OCCUPANCY = Theorem(
    name="mdp-identities/return",
    title="The return is linear in the occupancy",
    paper=Paper("puterman2005", "section 6.9"),
    standing=Standing.DERIVED,
    statement=r"J(\pi) = \frac{1}{1 - \gamma} \sum_c d^\pi(c)\, r(c)",
    symbols=RETURN + OCCUPANCY + ON_THE_WAY,
    kind=Identity(rounding=twice_the_horizon),
    hypotheses=POLICIES,
    run=compare,
    measured=lambda s, trace: s.horizon * (trace["occupancy"] @ s.mdp.rewards),
    bound=lambda s, trace: s.returns,
    settings=grid,
    strategy=any_setting,
    controls=LONGER_HORIZON | {"occupancy of the other policy": compare_with_occupancy_of_other},
)

OCCUPANCY_DISTANCE = Theorem(
    name="mdp-identities/occupancy-distance",
    title="Policies that are close where one of them goes are found in the same places",
    paper=Paper("kakade2002", "the coupling of the proof of theorem 4.1"),
    standing=Standing.DERIVED,
    statement=r"\sum_c | d^\pi(c) - d^{\pi'}(c) | \le \frac{1}{1 - \gamma} \sum_c q^\pi(s)\, | \pi(c) - \pi'(c) |",
    symbols=OCCUPANCY.removeprefix("; ") + ON_THE_WAY,
    kind=EveryStep(rounding=lambda s: 8 * (s.mdp.choices + 8) * UNIT_ROUNDOFF * s.horizon**2),
    hypotheses=POLICIES,
    run=compare,
    measured=occupancy_distance,
    bound=lambda s, trace: s.horizon * expected_policy_distance(s, trace),
    trivial=lambda s: 2.0,
    since=1,
    settings=grid,
    strategy=any_setting,
    controls=LONGER_HORIZON,
    remark="Of states alone, the distance is $\\gamma$ times the right side at most.",
)

SIMULATION = Theorem(
    name="mdp-identities/simulation",
    title="Values in two processes differ by one-step differences, summed along the way through the other",
    paper=Paper("kearns2002", "the simulation lemma, as an identity"),
    standing=Standing.DERIVED,
    statement=r"V - V' = (I - \gamma P'_\pi)^{-1} \bigl( r_\pi - r'_\pi + \gamma (P_\pi - P'_\pi) V \bigr)",
    symbols=TWINS,
    kind=Identity(rounding=twice_the_horizon),
    hypotheses=PROCESSES,
    run=evaluate,
    measured=lambda s, trace: trace["values"] - trace["other_values"],
    bound=accumulated,
    settings=grid_of_processes,
    strategy=any_processes,
    controls={"processes exchanged": evaluate_exchanged, "discount too close to 1": evaluate_at_longer_horizon},
)

SIMULATION_BOUND = Theorem(
    name="mdp-identities/simulation-bound",
    title="A policy is worth much the same in processes that are close",
    paper=Paper("kearns2002", "the simulation lemma; span in place of the largest value"),
    standing=Standing.DERIVED,
    statement=r"\|V - V'\| \le \frac{1}{1 - \gamma} \Bigl( \|r - r'\| + \gamma\, \mathrm{sp}(V)\, \max_c \mathrm{TV}(p_c, p'_c) \Bigr)",
    symbols=TWINS + NORMS,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESSES,
    run=evaluate,
    measured=lambda s, trace: np.abs(trace["values"] - trace["other_values"]),
    bound=lambda s, trace: simulation_bound(s, trace["values"]),
    settings=grid_of_processes,
    strategy=any_processes,
    controls={"discount too close to 1": evaluate_at_longer_horizon},
    remark="It is reached where every law moves the same probability from the best to the worst state.",
)

OPTIMAL_SIMULATION_BOUND = Theorem(
    name="mdp-identities/simulation-bound-optimal",
    title="Optimal values are much the same in processes that are close",
    paper=Paper("kearns2002", "the simulation lemma; span in place of the largest value"),
    standing=Standing.DERIVED,
    statement=r"\|V^* - V'^*\| \le \frac{1}{1 - \gamma} \Bigl( \|r - r'\| + \gamma\, \mathrm{sp}(V^*)\, \max_c \mathrm{TV}(p_c, p'_c) \Bigr)",
    symbols="$V^*$, $V'^*$: the optimal values of both processes, of rewards $r$, $r'$ and laws $p$, $p'$" + NORMS,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESSES,
    run=evaluate,
    measured=lambda s, trace: np.abs(trace["optimal"] - trace["other_optimal"]),
    bound=lambda s, trace: simulation_bound(s, trace["optimal"]),
    settings=grid_of_processes,
    strategy=any_processes,
    controls={"discount too close to 1": evaluate_at_longer_horizon},
    remark="The span may be that of either process.",
)
