r"""Demonstrations: what cloning an expert leaves, and how fast one learns with a penalty for leaving the clone.

Throughout, H is the number of stages, S that of states and C that of choices in all. :math:`\mu` is a reference
policy, :math:`\lambda > 0` a temperature, :math:`V_\lambda^\pi = V^\pi - \lambda\, \mathrm{KL}_\text{traj}(\pi \| \mu)`
the penalised value from the start, with its optimum :math:`V_\lambda^*`, optimal policy :math:`\pi_\lambda^*` and
optimal action values :math:`Q_\lambda^*`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.algorithms import behaviour_cloning, cloning_bound, demonstration_regularized, demonstrations, ucbvi_ent
from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Times, count, positive
from rltheory.instances import diabolical_lock, random_episodes, river_swim
from rltheory.measures import kl_regularized_value, trajectory_kl
from rltheory.measures.divergences import kl_terms
from rltheory.problems import FiniteHorizonMDP, TabularMDP, uniform_policy
from rltheory.problems.policies import checked_policy
from rltheory.simulation import stream
from rltheory.solvers import (
    SoftFiniteHorizonOptimum,
    backward_induction,
    finite_horizon_occupancy,
    finite_horizon_values,
    soft_backward_induction,
)
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theory import (
    BY_CONSTRUCTION,
    EveryStep,
    Identity,
    InExpectation,
    Paper,
    Standing,
    Theorem,
    WithProbability,
)
from rltheory.theory.rates import PowerLaw
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

PAPER = "tiapkin2024"


def _policy(problem: FiniteHorizonMDP, policy: Any, name: str) -> Matrix:
    return checked_policy(problem.stages[0], policy, name=name, stages=problem.horizon)


def _log(policy: Matrix) -> Matrix:
    with np.errstate(divide="ignore"):
        return np.log(policy)


def _largest_reward(problem: FiniteHorizonMDP) -> float:
    return max(float(np.abs(mdp.rewards).max()) for mdp in problem.stages)


@dataclass(frozen=True, eq=False)
class Cloning:
    """An expert to be cloned.

    Parameters
    ----------
    problem
        The process.
    expert : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states.
    trajectories
        Largest number N >= 1 of demonstrations.
    """

    problem: FiniteHorizonMDP
    expert: Matrix
    trajectories: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "expert", _policy(self.problem, self.expert, "expert"))
        count(self.trajectories, "trajectories", at_least=1)

    def __str__(self) -> str:
        return f"{self.problem}, up to {self.trajectories} trajectories"

    @cached_property
    def occupancy(self) -> Matrix:
        """Probabilities of the expert's choices, shape (H, C)."""
        return finite_horizon_occupancy(self.problem, self.expert).occupancy

    @property
    def rounding(self) -> float:
        """Allowance for sums over binomial laws, whose weights err by some N units, of logarithms up to log N."""
        rows, largest = self.problem.horizon * self.problem.choices, self.trajectories + 2
        return 8 * UNIT_ROUNDOFF * rows * largest * math.log(largest)

    @property
    def rounding_of_values(self) -> float:
        """Allowance for differences of values and of logarithms of counts."""
        rows = self.problem.horizon * self.problem.choices
        return 64 * UNIT_ROUNDOFF * rows * (1 + math.log(self.trajectories + 2))


@dataclass(frozen=True, eq=False)
class Penalised:
    """A process with a penalty, and an expert.

    Parameters
    ----------
    problem
        The process.
    reference, expert : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states.
    temperature
        Weight > 0 of the penalty.
    """

    problem: FiniteHorizonMDP
    reference: Matrix
    expert: Matrix
    temperature: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", _policy(self.problem, self.reference, "reference"))
        object.__setattr__(self, "expert", _policy(self.problem, self.expert, "expert"))
        positive(self.temperature, "temperature")

    def __str__(self) -> str:
        return f"{self.problem}, temperature {self.temperature:.3g}"

    @cached_property
    def optimum(self) -> SoftFiniteHorizonOptimum:
        """Penalised optimum."""
        return soft_backward_induction(self.problem, self.temperature, reference=self.reference)

    @cached_property
    def expert_value(self) -> float:
        """What the expert earns."""
        return float(self.problem.initial @ finite_horizon_values(self.problem, self.expert).values[0])

    @cached_property
    def expert_penalty(self) -> float:
        """What the expert would pay for leaving the reference."""
        return self.temperature * trajectory_kl(self.problem, _log(self.expert), _log(self.reference))

    @property
    def rounding(self) -> float:
        """Allowance for values and penalties, each a sum over stages and choices."""
        horizon, least = self.problem.horizon, float(self.reference[self.reference > 0].min())
        largest = _largest_reward(self.problem) + self.temperature * (1 - math.log(least))
        return 32 * UNIT_ROUNDOFF * horizon**2 * (self.problem.choices + 2) * largest


@dataclass(frozen=True, eq=False)
class Sampling:
    """A process whose laws are estimated from samples of each choice.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    reference : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states.
    temperature
        Weight > 0 of the penalty.
    samples
        Largest number n >= 1 of samples of each choice at each stage.
    delta
        In (0, 1).
    """

    problem: FiniteHorizonMDP
    reference: Matrix
    temperature: float
    samples: int
    delta: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", _policy(self.problem, self.reference, "reference"))
        positive(self.temperature, "temperature")
        count(self.samples, "samples", at_least=1)
        confidence(self.delta)

    def __str__(self) -> str:
        return f"{self.problem}, temperature {self.temperature:.3g}, up to {self.samples} samples, delta {self.delta:g}"

    @property
    def sizes(self) -> Times:
        """Numbers of samples: powers of two."""
        return 2 ** np.arange(self.samples.bit_length())

    @property
    def log(self) -> float:
        """The logarithm L of the widths."""
        rows = self.problem.horizon * self.problem.choices * self.sizes.size
        return self.problem.states * math.log(2) + math.log(rows / self.delta)


@dataclass(frozen=True, eq=False)
class Learning:
    """UCBVI-Ent+ with its bonuses.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    reference : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states.
    temperature
        Weight > 0 of the penalty.
    episodes
        Number of episodes >= 1.
    delta
        In (0, 1).
    bonus
        Multiplier >= 0 of the confidence widths.
    """

    problem: FiniteHorizonMDP
    reference: Matrix
    temperature: float
    episodes: int
    delta: float = 0.05
    bonus: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", _policy(self.problem, self.reference, "reference"))
        positive(self.temperature, "temperature")
        count(self.episodes, "episodes", at_least=1)
        confidence(self.delta)

    def __str__(self) -> str:
        return (
            f"{self.problem}, temperature {self.temperature:.3g}, {self.episodes} episodes, delta {self.delta:g}, "
            f"bonus {self.bonus:g}"
        )


@dataclass(frozen=True, eq=False)
class Imitation:
    """An expert, and a learner that is to do as well.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    expert : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states.
    trajectories
        Number N >= 1 of demonstrations.
    tolerance
        What may be lacking to the expert, > 0.
    episodes
        Largest number of episodes >= 1.
    delta
        In (0, 1).
    """

    problem: FiniteHorizonMDP
    expert: Matrix
    trajectories: int
    tolerance: float
    episodes: int
    delta: float = 1e-3

    def __post_init__(self) -> None:
        object.__setattr__(self, "expert", _policy(self.problem, self.expert, "expert"))
        count(self.trajectories, "trajectories", at_least=1)
        positive(self.tolerance, "tolerance")
        count(self.episodes, "episodes", at_least=1)
        confidence(self.delta)

    def __str__(self) -> str:
        return f"{self.problem}, {self.trajectories} trajectories, tolerance {self.tolerance:g}"


# Runs about cloning.


def expect(s: Cloning, rng: np.random.Generator) -> Trace:
    """What the clone is expected to miss, from the laws of counts."""
    return expect_with(s, 1.0)


def expect_with(s: Cloning, prior: float) -> Trace:
    """The same with another number added to all counts."""
    from scipy.stats import binom

    mdp = s.problem.stages[0]
    owner, choices_of_state = mdp.state_of_choice, np.diff(mdp.first_choice)
    reached = np.add.reduceat(s.occupancy, mdp.first_choice[:-1], axis=1)
    entropy = np.where(s.expert > 0, s.expert * np.log(np.where(s.expert > 0, s.expert, 1.0)), 0.0)
    times = record_times(s.trajectories, points=30)
    divergence, variation = np.zeros(times.size), np.zeros(times.size)
    for place, trajectories in enumerate(times):
        counts = np.arange(trajectories + 1.0)
        # Rounding may leave probabilities above 1.
        of_choice = binom.pmf(counts, trajectories, np.minimum(s.occupancy, 1.0)[:, :, None])
        of_state = binom.pmf(counts, trajectories, np.minimum(reached, 1.0)[:, :, None])
        log_counts = of_choice @ np.log(counts + prior)
        totals = counts + prior * choices_of_state[:, None]
        log_totals = (of_state * np.log(totals)).sum(axis=2)
        surprise = entropy + s.expert * (log_totals[:, owner] - log_counts)
        divergence[place] = (reached[:, owner] * surprise).sum()
        missed = (of_state * (prior * (choices_of_state[:, None] - 1) / totals)).sum(axis=2)
        variation[place] = (reached * missed).sum()
    arrays = {"divergence": (("time",), divergence), "variation": (("time",), variation)}
    return Trace("behaviour cloning", times, arrays, clock="trajectory")


def clone(s: Cloning, rng: np.random.Generator) -> Trace:
    """Draw demonstrations, fresh ones for each number of them, and compare the clone with the expert."""
    return clone_earning(s, rng, None)


def clone_earning(s: Cloning, rng: np.random.Generator, other: Matrix | None) -> Trace:
    """The same, but what the clone earns may be told of another policy."""
    times = record_times(s.trajectories, points=12)
    difference, divergence = np.zeros(times.size), np.zeros(times.size)
    earned = s.problem.initial @ finite_horizon_values(s.problem, s.expert).values[0]
    for place, trajectories in enumerate(times):
        policy = behaviour_cloning(s.problem, demonstrations(s.problem, s.expert, int(trajectories), rng))
        divergence[place] = trajectory_kl(s.problem, _log(s.expert), np.log(policy))
        told = policy if other is None else other
        difference[place] = abs(earned - s.problem.initial @ finite_horizon_values(s.problem, told).values[0])
    arrays = {"difference": (("time",), difference), "divergence": (("time",), divergence)}
    return Trace("behaviour cloning", times, arrays, clock="trajectory")


# Runs about penalised values.


def perturb(s: Penalised, rng: np.random.Generator) -> Trace:
    """Take the policies of action values with errors, which are halved from time to time."""
    return perturb_with(s, rng)


def perturb_with(
    s: Penalised, rng: np.random.Generator, *, cooling: float = 1.0, best_cooling: float = 1.0, told: float = 1.0
) -> Trace:
    """The same with policies or their optimum at another temperature, or another share of what they lack told."""
    problem, temperature, first_choice = s.problem, s.temperature, s.problem.stages[0].first_choice[:-1]
    owner, log_reference = problem.stages[0].state_of_choice, np.log(s.reference)
    best = soft_backward_induction(problem, temperature / best_cooling, reference=s.reference).log_policy
    top = problem.initial @ s.optimum.values[0]
    sizes = problem.horizon * _largest_reward(problem) * 2.0 ** -np.arange(12)
    names = ("lacking", "divergence", "oscillation", "envelope", "behind", "penalty")
    found = {name: np.zeros(sizes.size) for name in names}
    for place, size in enumerate(sizes):
        above, below = size * rng.integers(0, 2, (2, *best.shape))
        logits = log_reference + (s.optimum.action_values + above) * (cooling / temperature)
        log_policy = logits - np.logaddexp.reduceat(logits, first_choice, axis=1)[:, owner]
        policy = np.exp(log_policy)
        reached = np.add.reduceat(finite_horizon_occupancy(problem, policy).occupancy, first_choice, axis=1)
        osc = np.maximum.reduceat(above, first_choice, axis=1) - np.minimum.reduceat(above, first_choice, axis=1)
        widest = np.maximum.reduceat(above + below, first_choice, axis=1)
        found["lacking"][place] = told * (top - kl_regularized_value(problem, policy, s.reference, temperature))
        found["divergence"][place] = temperature * trajectory_kl(problem, log_policy, best)
        found["oscillation"][place] = told * (reached * osc**2).sum() / (8 * temperature)
        found["envelope"][place] = told * (reached * widest**2).sum() / (8 * temperature)
        found["behind"][place] = s.expert_value - problem.initial @ finite_horizon_values(problem, policy).values[0]
        found["penalty"][place] = temperature * trajectory_kl(problem, log_policy, log_reference)
    arrays: dict[str, tuple[tuple[str, ...], Array]] = {name: (("time",), array) for name, array in found.items()}
    return Trace("softmax of action values with errors", np.arange(sizes.size), arrays, clock="draw")


# Runs of learners.


def plug_in(s: Sampling, rng: np.random.Generator) -> Trace:
    """Plan with empirical laws of more and more samples, fresh ones for each number, and find what the plans lack."""
    return plug_in_at(s, rng, s.temperature)


def plug_in_at(s: Sampling, rng: np.random.Generator, temperature: float) -> Trace:
    """The same, but plan at another temperature."""
    problem, first_choice = s.problem, s.problem.stages[0].first_choice[:-1]
    owner, log_reference = problem.stages[0].state_of_choice, np.log(s.reference)
    best = soft_backward_induction(problem, s.temperature, reference=s.reference).log_policy
    values, lacks = np.zeros((s.sizes.size, problem.states)), np.zeros((s.sizes.size, problem.states))
    for stage in reversed(range(problem.horizon)):
        mdp = problem.stages[stage]
        laws = np.asarray(mdp.as_sparse().transition_matrix.toarray())
        empirical = rng.multinomial(s.sizes[:, None], laws) / s.sizes[:, None, None]
        logits = log_reference[stage] + (mdp.rewards + (empirical @ values[:, :, None])[:, :, 0]) / temperature
        log_totals = np.logaddexp.reduceat(logits, first_choice, axis=1)
        values, log_policy = temperature * log_totals, logits - log_totals[:, owner]
        missed = s.temperature * kl_terms(log_policy, best[stage]) + np.exp(log_policy) * (lacks @ laws.T)
        lacks = np.add.reduceat(missed, first_choice, axis=1)
    arrays: dict[str, tuple[tuple[str, ...], Array]] = {"suboptimality": (("time",), lacks @ problem.initial)}
    return Trace("plug-in planning", s.sizes, arrays, clock="sample of each choice")


def learn(s: Learning, rng: np.random.Generator) -> Trace:
    """Run UCBVI-Ent+."""
    return learn_with(s, rng, temperature=s.temperature, bonus=s.bonus)


def learn_with(s: Learning, rng: np.random.Generator, *, temperature: float, bonus: float) -> Trace:
    """Run it with other numbers."""
    return ucbvi_ent(s.problem, s.reference, temperature, episodes=s.episodes, delta=s.delta, bonus=bonus, rng=rng)


def imitate(s: Imitation, rng: np.random.Generator) -> Trace:
    """Draw demonstrations and learn; what the last policy lacks to the expert beyond what its certificate admits."""
    return imitate_expert(s, rng, s.expert)


def imitate_expert(s: Imitation, rng: np.random.Generator, shown: Matrix) -> Trace:
    """The same with demonstrations of another expert."""
    counts = demonstrations(s.problem, shown, s.trajectories, rng)
    learned = demonstration_regularized(
        s.problem, counts, tolerance=s.tolerance, episodes=s.episodes, delta=s.delta, rng=rng
    )
    values = [
        s.problem.initial @ finite_horizon_values(s.problem, policy).values[0]
        for policy in (s.expert, np.exp(learned.last("log_policy")))
    ]
    beyond = max(float(learned.last("certificate")) - s.tolerance / 2, 0.0)
    arrays = {"behind": (("time",), np.array([values[0] - values[1] - beyond]))}
    return Trace("demonstration-regularised learning", np.zeros(1, np.int64), arrays, clock="draw")


# Wrong runs, to be told from right ones.


def expect_without_smoothing(s: Cloning, rng: np.random.Generator) -> Trace:
    """Hardly anything is added to the counts."""
    return expect_with(s, 1e-9)


def expect_smoothing_much(s: Cloning, rng: np.random.Generator) -> Trace:
    """Much is added to the counts."""
    return expect_with(s, 100.0)


def clone_telling_of_uniform_play(s: Cloning, rng: np.random.Generator) -> Trace:
    """The value is that of uniform play."""
    uniform = uniform_policy(s.problem.stages[0])
    return clone_earning(s, rng, _policy(s.problem, uniform, "uniform"))


def perturb_at_half_the_temperature(s: Penalised, rng: np.random.Generator) -> Trace:
    """Policies are made at half the temperature."""
    return perturb_with(s, rng, cooling=2.0)


def perturb_against_a_colder_optimum(s: Penalised, rng: np.random.Generator) -> Trace:
    """Policies are compared with the optimum at half the temperature."""
    return perturb_with(s, rng, best_cooling=2.0)


def perturb_by_more_than_told(s: Penalised, rng: np.random.Generator) -> Trace:
    """Half is told of what policies lack, and of the squared errors: 1 / 16 in place of 1 / 8."""
    return perturb_with(s, rng, told=0.5)


def plug_in_without_penalty(s: Sampling, rng: np.random.Generator) -> Trace:
    """Plan as if there were hardly a penalty."""
    return plug_in_at(s, rng, s.temperature / 1000)


def learn_with_hardly_a_bonus(s: Learning, rng: np.random.Generator) -> Trace:
    """Confidence widths are a hundredth of what they should be."""
    return learn_with(s, rng, temperature=s.temperature, bonus=0.01)


def learn_without_penalty(s: Learning, rng: np.random.Generator) -> Trace:
    """There is hardly a penalty."""
    return learn_with(s, rng, temperature=s.temperature / 1e5, bonus=s.bonus)


def imitate_the_worst(s: Imitation, rng: np.random.Generator) -> Trace:
    """Demonstrations are those of the worst policy."""
    costs = FiniteHorizonMDP([mdp.with_rewards(-mdp.rewards) for mdp in s.problem.stages])
    return imitate_expert(s, rng, backward_induction(costs).policy)


# Settings.


def arms(*rewards: float, stages: int = 1) -> FiniteHorizonMDP:
    """One state; all stages but the first pay nothing, and are there so that something is unsure."""
    laws = np.ones((1, len(rewards), 1))
    idle = [TabularMDP(laws, np.zeros((1, len(rewards))))] * (stages - 1)
    return FiniteHorizonMDP([TabularMDP(laws, [list(rewards)]), *idle], title=f"{len(rewards)} arms")


def half_uniform(problem: FiniteHorizonMDP) -> Matrix:
    """Uniform play half of the time, and the best plan else."""
    return 0.5 * backward_induction(problem).policy + 0.5 * uniform_policy(problem.stages[0])


def problems() -> Iterator[FiniteHorizonMDP]:
    """A river, a lock and a random process."""
    yield FiniteHorizonMDP.stationary(river_swim(3), 4)
    yield diabolical_lock(stream(0, "demonstrations", "lock"), 3, 3)
    yield random_episodes(stream(0, "demonstrations", "random"), 4, 2, 3)


def grid_of_experts() -> Iterator[Cloning]:
    """Experts that err and such that do not, and two arms of which the rarer is nearly never seen."""
    for problem in problems():
        yield Cloning(problem, half_uniform(problem), 500)
        yield Cloning(problem, backward_induction(problem).policy, 500)
    yield Cloning(arms(1.0, 0.0), np.array([0.5, 0.5]), 1000)
    yield Cloning(arms(1.0, 0.0), np.array([0.997, 0.003]), 1000)
    yield Cloning(arms(*np.linspace(0, 1, 10)), np.eye(1, 10)[0], 1000)


def grid_of_plans() -> Iterator[Cloning]:
    """The experts that do not err."""
    yield from (s for s in grid_of_experts() if _is_plan(s) is True)


def grid_of_penalties() -> Iterator[Penalised]:
    """Experts that err, experts that are the best policies with penalty, and two arms that are alike."""
    for problem in problems():
        for temperature in (0.05, 1.0):
            uniform = uniform_policy(problem.stages[0])
            best = soft_backward_induction(problem, temperature, reference=uniform).log_policy
            yield Penalised(problem, uniform, half_uniform(problem), temperature)
            yield Penalised(problem, uniform, np.exp(best), temperature)
    yield Penalised(arms(1.0, 1.0), np.array([0.5, 0.5]), np.array([1.0, 0.0]), 1.0)


def grid_of_samples() -> Iterator[Sampling]:
    """Temperatures 1, 0.3 and 0.1 on a river, and a random process."""
    river, _, random = problems()
    for temperature in (1.0, 0.3, 0.1):
        yield Sampling(river, uniform_policy(river.stages[0]), temperature, 4096)
    yield Sampling(random, half_uniform(random), 0.3, 4096)


def many_arms(number: int) -> tuple[FiniteHorizonMDP, Matrix]:
    """Arms of which the reference makes the first half of the time, so that most is known of it."""
    reference = np.append(0.5, np.full(number - 1, 0.5 / (number - 1)))
    return arms(*np.full(number, 0.5), stages=2), reference


def grid_of_learners() -> Iterator[Learning]:
    """Many arms, where the certificate is nearly reached, and processes."""
    problem, reference = many_arms(60)
    yield Learning(problem, reference, 2.0, 120)
    for problem in problems():
        yield Learning(problem, uniform_policy(problem.stages[0]), 0.3, 200)


def grid_of_long_runs() -> Iterator[Learning]:
    """Runs that last until the certificate is small."""
    for problem in problems():
        yield Learning(problem, uniform_policy(problem.stages[0]), 1.0, 10_000, bonus=0.1)


def grid_of_imitation() -> Iterator[Imitation]:
    """Few demonstrations, with which the temperature is low."""
    river, lock, _ = problems()
    yield Imitation(arms(0.9, 0.1, stages=2), np.array([1.0, 0.0]), 3, 0.3, 1000)
    yield Imitation(river, backward_induction(river).policy, 100, 1.0, 2000)
    yield Imitation(lock, backward_induction(lock).policy, 100, 0.5, 4000)


def _is_plan(s: Cloning) -> bool | str:
    between = (s.expert > 0) & (s.expert < 1)
    return not between.any() or f"its probability of choice {np.argwhere(between)[0][1]} is in between"


# Strategies.


def any_process(draw: "DrawFn") -> FiniteHorizonMDP:
    """Draw a small process with rewards in [0, 1]."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps

    mdp = draw(adverse_mdps(max_states=4))
    unit = mdp.with_rewards(mdp.rewards / max(float(mdp.rewards.max()), 1.0))
    return FiniteHorizonMDP.stationary(unit, draw(st.integers(1, 3)))


def any_policy(draw: "DrawFn", problem: FiniteHorizonMDP) -> Matrix:
    """Draw a policy, the same at all stages."""
    from rltheory.strategies import stationary_policies

    return draw(stationary_policies(problem.stages[0]))


def any_expert() -> "SearchStrategy[Cloning]":
    """Any small process and expert."""
    from hypothesis import strategies as st

    @st.composite
    def settings(draw: "DrawFn") -> Cloning:
        problem = any_process(draw)
        return Cloning(problem, any_policy(draw, problem), draw(st.integers(1, 60)))

    return settings()


def any_plan() -> "SearchStrategy[Cloning]":
    """Any small process and an expert that does not err."""
    from hypothesis import strategies as st

    @st.composite
    def settings(draw: "DrawFn") -> Cloning:
        problem = any_process(draw)
        rewards = np.array(draw(st.lists(st.floats(0, 1), min_size=problem.choices, max_size=problem.choices)))
        liked = FiniteHorizonMDP.stationary(problem.stages[0].with_rewards(rewards), problem.horizon)
        return Cloning(problem, backward_induction(liked).policy, draw(st.integers(1, 60)))

    return settings()


def any_penalty() -> "SearchStrategy[Penalised]":
    """Any small process with a penalty."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    @st.composite
    def settings(draw: "DrawFn") -> Penalised:
        problem = any_process(draw)
        reference, expert = any_policy(draw, problem), any_policy(draw, problem)
        return Penalised(problem, reference, expert, draw(log_uniform(1e-2, 100.0)))

    return settings()


def any_samples() -> "SearchStrategy[Sampling]":
    """Any small process with a penalty, and up to 64 samples."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    @st.composite
    def settings(draw: "DrawFn") -> Sampling:
        problem = any_process(draw)
        return Sampling(problem, any_policy(draw, problem), draw(log_uniform(1e-2, 100.0)), draw(st.integers(1, 64)))

    return settings()


def any_learner() -> "SearchStrategy[Learning]":
    """Any small process with a penalty, and up to 100 episodes."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    @st.composite
    def settings(draw: "DrawFn") -> Learning:
        problem = any_process(draw)
        return Learning(problem, any_policy(draw, problem), draw(log_uniform(1e-2, 100.0)), draw(st.integers(1, 100)))

    return settings()


# Statements.

UNIT_REWARDS: Hypotheses = {
    "the rewards lie in $[0, 1]$": lambda s: all(
        bool(((mdp.rewards >= 0) & (mdp.rewards <= 1)).all()) for mdp in s.problem.stages
    )
}
PROCESS: Hypotheses = {"finitely many states, and finitely many actions in each": BY_CONSTRUCTION}
FULL_SUPPORT: Hypotheses = {
    "the reference makes every choice with a probability $> 0$": lambda s: bool((s.reference > 0).all())
}
SIZES = "$H$: the number of stages; $S$: that of states; $C$: that of choices in all"
CLONED = f"$\\pi^E$: the expert; $\\pi_N$: its clone after $N$ trajectories; {SIZES}"
TRAJECTORY_KL = (
    "$\\mathrm{KL}_{\\text{traj}}(\\pi \\| \\mu) = \\sum_h \\mathbb{E}_\\pi \\mathrm{KL}(\\pi_h \\| \\mu_h)$"
)
PENALISED = (
    "$\\mu$: the reference; $\\lambda$: the temperature; $V_\\lambda^\\pi = V^\\pi - \\lambda\\, "
    f"\\mathrm{{KL}}_{{\\text{{traj}}}}(\\pi \\| \\mu)$, with optimum $V_\\lambda^*$; {TRAJECTORY_KL}"
)
BEST = "$\\pi_\\lambda^*$, $Q_\\lambda^*$: the optimal policy and action values"
SWEEP = "The times of the trace are sizes of errors, each half of the one before."

CLONING_DIVERGENCE = Theorem(
    name="cloning/divergence",
    title="The clone of any expert diverges from it inversely to the number of demonstrations, in the mean",
    paper=Paper(PAPER, "the guarantee of behaviour cloning on tables, here in the mean and without logarithms"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, \mathrm{KL}_{\text{traj}}(\pi^E \| \pi_N) \le \frac{H (C - S)}{N + 1}",
    symbols=f"{CLONED}; {TRAJECTORY_KL}",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=expect,
    measured=lambda s, trace: trace["divergence"],
    bound=lambda s, trace: np.array([cloning_bound(s.problem, int(trajectories)) for trajectories in trace.times]),
    settings=grid_of_experts,
    strategy=any_expert,
    controls={"hardly any smoothing": expect_without_smoothing, "much smoothing": expect_smoothing_much},
    remark="With A actions in each state, $C - S$ is $S (A - 1)$. The mean is taken exactly, by binomial laws: neither "
    "logarithms nor a smallest probability of the expert enter. Where counts are not smoothed, a choice that was never "
    "seen makes the divergence infinite.",
)

CLONING_VARIATION = Theorem(
    name="cloning/variation",
    title="The clone of an expert that never errs leaves it inversely to the number of demonstrations",
    paper=Paper(PAPER, "behaviour cloning of deterministic experts"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E} \sum_h \mathbb{E}_{\pi^E} \| \pi_h^E - \pi_{N, h} \|_{\text{TV}} \le \frac{H (C - S)}{N + 1}",
    symbols=CLONED,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | {"the expert makes each choice surely or never": _is_plan},
    run=expect,
    measured=lambda s, trace: trace["variation"],
    bound=CLONING_DIVERGENCE.bound,
    settings=grid_of_plans,
    strategy=any_plan,
    controls={"much smoothing": expect_smoothing_much},
    remark="The left side bounds the total variation of trajectories, and with rewards in $[0, 1]$ what the clone earns "
    "less, divided by $H$: such experts are cloned at the rate $1 / N$, while Pinsker's inequality gives $N^{-1/2}$.",
)

CLONING_VALUE = Theorem(
    name="cloning/value",
    title="A clone earns nearly what its expert does, by the root of the divergence",
    paper=Paper(PAPER, "from behaviour cloning to values, by Pinsker's inequality"),
    standing=Standing.DERIVED,
    statement=r"| V^{\pi^E} - V^{\pi_N} | \le H \sqrt{\tfrac12 \mathrm{KL}_{\text{traj}}(\pi^E \| \pi_N)}",
    symbols=f"{CLONED}; {TRAJECTORY_KL}",
    kind=EveryStep(rounding=lambda s: s.rounding_of_values),
    hypotheses=PROCESS | UNIT_REWARDS,
    run=clone,
    measured=lambda s, trace: trace["difference"],
    bound=lambda s, trace: s.problem.horizon * np.sqrt(trace["divergence"] / 2),
    settings=grid_of_experts,
    strategy=any_expert,
    controls={"the value of uniform play": clone_telling_of_uniform_play},
)

REDUCTION = Theorem(
    name="demonstrations/reduction",
    title="A policy that is nearly optimal with the penalty is nearly as good as any expert near the reference",
    paper=Paper(PAPER, "the reduction from demonstrations to learning with a penalty"),
    standing=Standing.DERIVED,
    statement=r"V^{\pi^E} - V^\pi \le \lambda\, \mathrm{KL}_{\text{traj}}(\pi^E \| \mu) + \varepsilon "
    r"- \lambda\, \mathrm{KL}_{\text{traj}}(\pi \| \mu), \quad \varepsilon = V_\lambda^* - V_\lambda^\pi",
    symbols=f"$\\pi^E$: any expert; {PENALISED}",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | FULL_SUPPORT,
    run=perturb,
    measured=lambda s, trace: trace["behind"] + trace["penalty"],
    bound=lambda s, trace: s.expert_penalty + trace["lacking"],
    settings=grid_of_penalties,
    strategy=any_penalty,
    controls={"half of what is lacking": perturb_by_more_than_told},
    remark=f"Compared are the left side and the penalty of $\\pi$ with the other two terms. {SWEEP} With $\\mu$ a clone, "
    "$\\lambda = \\varepsilon (N + 1) / (2 H (C - S))$ makes the first term $\\varepsilon / 2$ in the mean.",
)

OPTIMALITY = Theorem(
    name="demonstrations/optimality",
    title="What a policy lacks with the penalty is its divergence from the optimal policy",
    paper=Paper(PAPER, "the penalised value"),
    standing=Standing.DERIVED,
    statement=r"V_\lambda^* - V_\lambda^\pi = \lambda\, \mathrm{KL}_{\text{traj}}(\pi \| \pi_\lambda^*)",
    symbols=f"{PENALISED}; {BEST}",
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | FULL_SUPPORT,
    run=perturb,
    measured=lambda s, trace: trace["lacking"],
    bound=lambda s, trace: trace["divergence"],
    settings=grid_of_penalties,
    strategy=any_penalty,
    controls={"an optimum of another temperature": perturb_against_a_colder_optimum},
    remark=SWEEP,
)

FAST_RATE = Theorem(
    name="demonstrations/fast-rate",
    title="Errors of action values cost their squares",
    paper=Paper(PAPER, "the penalised value, where errors enter squared"),
    standing=Standing.DERIVED,
    statement=r"V_\lambda^* - V_\lambda^\pi \le \frac1{8 \lambda} \sum_h \mathbb{E}_\pi "
    r"\Bigl[ \operatorname{osc}_c \bigl(\hat Q_h - Q_{\lambda, h}^*\bigr)^2(s_h) \Bigr], \quad \pi \propto \mu\, e^{\hat Q / \lambda}",
    symbols=f"$\\operatorname{{osc}}_c$: largest less smallest among the choices of a state; {PENALISED}; {BEST}",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | FULL_SUPPORT,
    run=perturb,
    measured=lambda s, trace: trace["divergence"],
    bound=lambda s, trace: trace["oscillation"],
    settings=grid_of_penalties,
    strategy=any_penalty,
    controls={
        "half the temperature": perturb_at_half_the_temperature,
        "1/16 in place of 1/8": perturb_by_more_than_told,
    },
    remark=f"{SWEEP} The constant is the best one: two arms that are alike reach it for small errors. The usual statement "
    "has 1/2 and the largest error in place of 1/8 and the oscillation.",
)

ENVELOPES = Theorem(
    name="demonstrations/envelopes",
    title="The distance of bounds on action values certifies what the policy of the upper ones lacks",
    paper=Paper(PAPER, "the certificate of UCBVI-Ent+"),
    standing=Standing.DERIVED,
    statement=r"V_\lambda^* - V_\lambda^\pi \le \frac1{8 \lambda} \sum_h \mathbb{E}_\pi "
    r"\Bigl[ \max_c \bigl(\bar Q_h - \underline Q_h\bigr)^2(s_h) \Bigr], \quad "
    r"\underline Q \le Q_\lambda^* \le \bar Q, \quad \pi \propto \mu\, e^{\bar Q / \lambda}",
    symbols=FAST_RATE.symbols,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | FULL_SUPPORT,
    run=perturb,
    measured=lambda s, trace: trace["divergence"],
    bound=lambda s, trace: trace["envelope"],
    settings=grid_of_penalties,
    strategy=any_penalty,
    controls=FAST_RATE.controls,
    remark=SWEEP,
)

PLUG_IN = Theorem(
    name="demonstrations/plug-in",
    title="Planning with empirical laws lacks in inverse proportion to the number of samples, if there is a penalty",
    paper=Paper(PAPER, "the fast rate of learning with a penalty, here with samples of each choice"),
    standing=Standing.DERIVED,
    statement=r"V_\lambda^* - V_\lambda^{\pi_n} \le \frac{L}{16 \lambda n} \sum_{j < H} j^2 (j + 1)^2, "
    r"\quad L = S \log 2 + \log \frac{H C K}{\delta}",
    symbols=f"$\\pi_n$: the optimal policy of empirical laws of $n$ samples of each choice at each stage; $K$: how many "
    f"numbers $n$ there are; {PENALISED}; {SIZES}",
    kind=WithProbability(rounding=lambda s: 1e-14 * s.problem.horizon, delta=lambda s: s.delta),
    hypotheses=PROCESS | FULL_SUPPORT | UNIT_REWARDS,
    run=plug_in,
    measured=lambda s, trace: trace["suboptimality"],
    bound=lambda s, trace: (
        s.log / (16 * s.temperature * trace.times) * sum(j**2 * (j + 1) ** 2 for j in range(s.problem.horizon))
    ),
    rate=PowerLaw(lambda s: -1.0),
    settings=grid_of_samples,
    strategy=any_samples,
    controls={"hardly a penalty": plug_in_without_penalty},
    remark="Without a penalty the exponent is $-1/2$ for processes whose gaps are of the size of the noise.",
)

CERTIFICATE = Theorem(
    name="demonstrations/certificate",
    title="The certificate of UCBVI-Ent+ is right at all times",
    paper=Paper(PAPER, "UCBVI-Ent+, here with bonuses for all value functions and an explicit certificate"),
    standing=Standing.DERIVED,
    statement=r"\frac{V_\lambda^* - V_\lambda^{\bar\pi_t}}{U_t} \le 1",
    symbols="$\\bar\\pi_t$: the policy of UCBVI-Ent+ after $t$ episodes; $U_t$: its certificate, of which all terms are "
    f"known to the learner; {PENALISED}",
    kind=WithProbability(rounding=lambda s: 1e-9, delta=lambda s: 2 * s.delta),
    hypotheses=PROCESS
    | UNIT_REWARDS
    | {"$\\delta < 1/2$": lambda s: s.delta < 0.5, "bonuses are not shrunk": lambda s: s.bonus >= 1},
    run=learn,
    # A certificate of 0 is exact, and what is lacking there is rounding.
    measured=lambda s, trace: trace["suboptimality"] / np.maximum(trace["certificate"], 1e-6),
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=grid_of_learners,
    strategy=any_learner,
    controls={"hardly a bonus": learn_with_hardly_a_bonus},
    remark="It is compared with the largest of the certificate and $10^{-6}$.",
)

EPISODES = Theorem(
    name="demonstrations/episodes",
    title="The certificate falls inversely to the number of episodes",
    paper=Paper(PAPER, "sample complexity of UCBVI-Ent+"),
    standing=Standing.RECALLED,
    statement=r"U_t \le \tilde O\!\left(\frac{H^5 S^2 A}{\lambda t}\right)",
    symbols="$U_t$: the certificate of UCBVI-Ent+ after $t$ episodes; $A$: the number of actions in each state; "
    f"$\\lambda$: the temperature; {SIZES}",
    kind=EveryStep(rounding=lambda s: 1e-12),
    hypotheses=PROCESS | UNIT_REWARDS,
    run=learn,
    measured=lambda s, trace: trace["certificate"],
    bound=lambda s, trace: (
        s.problem.horizon**5 * s.problem.states * s.problem.choices / (s.temperature * np.maximum(trace.times, 1))
    ),
    since=1,
    rate=PowerLaw(lambda s: -1.0),
    settings=grid_of_long_runs,
    controls={"hardly a penalty": learn_without_penalty},
    remark="Stated is the number of episodes $\\tilde O(H^5 S^2 A / (\\lambda \\varepsilon))$ after which the certificate "
    "is $\\varepsilon$. Without penalty the certificate falls like $t^{-1/2}$ at most.",
)

GUARANTEE = Theorem(
    name="demonstrations/guarantee",
    title="Cloning and learning with a penalty make a policy nearly as good as the expert, in the mean",
    paper=Paper(PAPER, "demonstration-regularised learning, here with explicit constants"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E} \Bigl[ V^{\pi^E} - V^\pi - \bigl(U - \tfrac\varepsilon2\bigr)_+ \Bigr] "
    r"\le \varepsilon + 2 \delta H (H - 1)",
    symbols="$\\pi^E$: the expert; $\\pi$: the policy with which UCBVI-Ent+ ends, with the clone of the expert after $N$ "
    "trajectories for reference, and temperature $\\varepsilon (N + 1) / (2 H (C - S))$; $U$: its certificate, at most "
    f"$\\varepsilon / 2$ unless the episodes run out; $1 - 2 \\delta$: the probability that it is right; {SIZES}",
    kind=InExpectation(
        rounding=lambda s: 1e-12,
        low=lambda s: -s.problem.horizon * (s.problem.horizon + 1) / 2,
        high=lambda s: float(s.problem.horizon),
    ),
    hypotheses=PROCESS | UNIT_REWARDS,
    run=imitate,
    measured=lambda s, trace: trace["behind"],
    bound=lambda s, trace: np.full(1, s.tolerance + 2 * s.delta * s.problem.horizon * (s.problem.horizon - 1)),
    trivial=lambda s: float(s.problem.horizon),
    settings=grid_of_imitation,
    controls={"demonstrations of the worst policy": imitate_the_worst},
)
