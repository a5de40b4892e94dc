r"""Soft policies depend continuously on the rewards; what this costs, and what is left of it at temperature zero.

Entropy regularisation, :math:`V_\tau(s) = \tau \log \sum_{c \in s} \mu_c \exp(Q_\tau(c) / \tau)`, replaces the jumps of
the optimal policy by slopes of width :math:`\tau (1 - \gamma)` in the rewards. Rewards are perturbed here in halves of
halves of a direction :math:`\delta`, and temperatures fall as :math:`\tau_0 / k`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import UNIT_ROUNDOFF, Array, Vector, count, first_index, float_array, frozen, positive
from rltheory.instances import chain, dead_end_or_options, garnet, machine_replacement, river_swim, two_branches
from rltheory.measures import kl
from rltheory.problems import MDP, TabularMDP, deterministic_policy
from rltheory.problems.policies import checked_policy
from rltheory.simulation import stream
from rltheory.solvers import (
    SoftSolution,
    ZeroTemperatureLimit,
    discounted_occupancy,
    discounted_values,
    policy_iteration,
    soft_policy_iteration,
    zero_temperature_limit,
)
from rltheory.theorems.discounted.discounted_process import PROCESS, DiscountedProcess, Hypotheses
from rltheory.theory import (
    BY_CONSTRUCTION,
    EveryStep,
    Existence,
    Geometric,
    Identity,
    Paper,
    Standing,
    Theorem,
)
from rltheory.theory.judge import RELATIVE_ROUNDING
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "xu2025"
HALVINGS = 12


@dataclass(frozen=True, eq=False)
class SoftProcess(DiscountedProcess):
    r"""A discounted process with a temperature, and a direction in which its rewards are perturbed.

    Parameters
    ----------
    temperature
        :math:`\tau_0 > 0`, in units of reward.
    perturbation : array, shape (C,), optional
        The largest change :math:`\delta` of the rewards; none by default.
    reference : array, shape (C,), optional
        Probabilities > 0 of the choices: the penalty is the divergence from it. By default entropy is rewarded.
    coolings
        Number of temperatures :math:`\tau_0, \tau_0 / 2, \tau_0 / 3, \ldots` of a sweep, >= 1.
    """

    temperature: float = 1.0
    perturbation: ArrayLike | None = None
    reference: ArrayLike | None = None
    coolings: int = 12

    def __post_init__(self) -> None:
        positive(self.temperature, "temperature")
        count(self.coolings, "coolings", at_least=1)
        if self.perturbation is not None:
            change = float_array(self.perturbation, "perturbation", ndim=1)
            if change.size != self.mdp.choices:
                raise ValueError(f"perturbation has {change.size} entries for {self.mdp.choices} choices")
            object.__setattr__(self, "perturbation", frozen(change))
        if self.reference is not None:
            reference = checked_policy(self.mdp, self.reference, name="reference")
            if not reference.all():
                (choice,) = first_index(reference == 0)
                raise ValueError(f"reference[{choice}] is 0; every probability must be > 0")
            object.__setattr__(self, "reference", frozen(reference))

    def __str__(self) -> str:
        penalty = "" if self.reference is None else ", with a reference"
        return f"{super().__str__()}, temperature {self.temperature:g}{penalty}"

    @cached_property
    def change(self) -> Vector:
        """Perturbation of the rewards, shape (C,)."""
        return np.zeros(self.mdp.choices) if self.perturbation is None else np.asarray(self.perturbation)

    @property
    def size(self) -> float:
        """Largest entry of the perturbation, by absolute value."""
        return float(np.abs(self.change).max())

    @property
    def span(self) -> float:
        """Largest minus smallest entry of the perturbation; adding a constant to the rewards changes no policy."""
        return float(np.ptp(self.change))

    @cached_property
    def log_reference(self) -> Vector:
        """Logarithms of the reference, shape (C,); 0 for plain entropy."""
        return np.zeros(self.mdp.choices) if self.reference is None else np.log(self.reference)

    @property
    def log_choices(self) -> float:
        """Largest entropy of a decision."""
        return math.log(np.diff(self.mdp.first_choice).max())

    @property
    def coldest(self) -> float:
        """Last temperature of a sweep."""
        return self.temperature / self.coolings

    @cached_property
    def limit(self) -> ZeroTemperatureLimit:
        """What is left at temperature zero."""
        accuracy = self.resolution(1.0) + self.rounding
        return zero_temperature_limit(self.mdp, self.discount, reference=self.reference, accuracy=accuracy)

    def soft(self, temperature: float, rewards: Vector) -> SoftSolution:
        """Soft values and policy for some rewards, as accurately as float64 allows, about."""
        return soft_policy_iteration(
            self.mdp.with_rewards(rewards),
            self.discount,
            temperature=temperature,
            reference=self.reference,
            accuracy=self.resolution(temperature),
        )

    def soft_values_of(self, log_policy: Vector, temperature: float, rewards: Vector) -> Vector:
        """Values of a policy where each decision pays for its log-ratio to the reference, shape (S,)."""
        paid = self.mdp.with_rewards(rewards - temperature * (log_policy - self.log_reference))
        return discounted_values(paid, np.exp(log_policy), self.discount).values

    def resolution(self, temperature: float) -> float:
        """Error of soft values that float64 can certify: a backup rounds, and an evaluation adds up its horizon.

        Values are as large as rewards and bonuses over the horizon, and the rounding of a backup is some units of them
        for each successor. The policy that is evaluated errs by units of its log-weights, which are values over the
        temperature. A factor of eight leaves room for what the iteration has not reached.
        """
        most = float(np.diff(self.mdp.first_choice).max())
        bonus = temperature * (self.log_choices + float(np.abs(self.log_reference).max()) + most + 1)
        largest = (float(np.abs(self.mdp.rewards).max()) + self.size + bonus) * self.horizon
        units = self.mdp.most_successors + 12 + largest / temperature
        return 8 * units * UNIT_ROUNDOFF * largest * self.horizon

    def value_rounding(self, temperature: float) -> float:
        """Error of a difference between two of: soft, optimal and evaluated values."""
        return 4 * self.resolution(temperature) + self.rounding

    def log_rounding(self, temperature: float) -> float:
        """Error of log-probabilities: action values inherit that of values, and so do their logarithmic sums."""
        return 4 * self.resolution(temperature) / temperature

    @property
    def slope_rounding(self) -> float:
        """Error of slopes of the coldest soft values, of those of the limit, and of their difference."""
        return self.value_rounding(self.coldest) / self.coldest + self.limit.error

    def by_state(self, of_choices: Array) -> Array:
        """Sums over the choices of each state, shape (..., S)."""
        sums: Array = np.add.reduceat(of_choices, self.mdp.first_choice[:-1], axis=-1)
        return sums


def variation(s: SoftProcess, log_policy: Array, log_other: Array) -> Array:
    """Total variation between two policies in each state, shape (..., S)."""
    return s.by_state(np.abs(np.exp(log_policy) - np.exp(log_other))) / 2


def divergence(s: SoftProcess, log_policy: Array, log_other: Array) -> Array:
    """Divergence between two policies in each state, shape (..., S)."""
    ends = zip(s.mdp.first_choice[:-1], s.mdp.first_choice[1:], strict=True)
    return np.stack([kl(log_policy[..., a:b], log_other[..., a:b]) for a, b in ends], axis=-1)


# Runs


def perturb(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """Halve the perturbation of the rewards; policies are those of the rewards of the process, and keep."""
    return _perturbed(s, s.soft(s.temperature, s.mdp.rewards), s.temperature)


def _perturbed(s: SoftProcess, learned: SoftSolution, temperature: float) -> Trace:
    greedy = deterministic_policy(s.mdp, s.optimum.policy)
    policy = np.exp(learned.log_policy)
    times = np.arange(HALVINGS)
    rows = []
    for scale in 2.0**-times:
        rewards = s.mdp.rewards + scale * s.change
        true = s.mdp.with_rewards(rewards)
        soft = s.soft(temperature, rewards)
        optimal = policy_iteration(true, s.discount, accuracy=s.resolution(temperature) + s.rounding).values
        rows.append(
            (
                soft.log_policy,
                soft.values - s.soft_values_of(learned.log_policy, temperature, rewards),
                optimal - discounted_values(true, policy, s.discount).values,
                optimal - discounted_values(true, greedy, s.discount).values,
            )
        )
    log_policy, soft_loss, loss, greedy_loss = (np.array(column) for column in zip(*rows, strict=True))
    visits = discounted_occupancy(s.mdp, policy, s.discount).occupancy
    return Trace(
        "perturbed rewards",
        times,
        {
            "log_learned": (("time", "choice"), np.tile(learned.log_policy, (times.size, 1))),
            "log_policy": (("time", "choice"), log_policy),
            "soft_loss": (("time", "state"), soft_loss),
            "loss": (("time", "state"), loss),
            "greedy_loss": (("time", "state"), greedy_loss),
            "visits": (("time", "choice"), np.tile(visits, (times.size, 1))),
        },
        clock="halving",
    )


def cool(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """Let the temperature fall as 1 / k."""
    return _cooled(s, s.mdp.rewards, 1.0)


def _cooled(s: SoftProcess, rewards: Vector, warmer: float) -> Trace:
    """Soft solutions for some rewards, at temperatures that are higher by a factor than the trace says."""
    times = np.arange(1, s.coolings + 1)
    rows = []
    for temperature in warmer * s.temperature / times:
        soft = s.soft(temperature, rewards)
        perturbed = soft if s.perturbation is None else s.soft(temperature, rewards + s.change)
        values = discounted_values(s.mdp, np.exp(soft.log_policy), s.discount).values
        rows.append((soft.values, soft.log_policy, perturbed.log_policy, values))
    soft_values, log_policy, log_perturbed, values = (np.array(column) for column in zip(*rows, strict=True))
    return Trace(
        "falling temperature",
        times,
        {
            "soft_values": (("time", "state"), soft_values),
            "log_policy": (("time", "choice"), log_policy),
            "log_perturbed": (("time", "choice"), log_perturbed),
            "values": (("time", "state"), values),
            "slopes": (("time", "state"), np.tile(s.limit.slopes, (times.size, 1))),
            "limit": (("time", "choice"), np.tile(s.limit.policy, (times.size, 1))),
        },
        clock="inverse temperature",
    )


def approach_a_tie(s: SoftProcess, rng: np.random.Generator) -> Trace:
    r"""Shrink the perturbation, once much more slowly than the temperature and once much more quickly."""
    times = np.arange(1, 6)
    rows = []
    for scale in 4.0**-times:
        ways = (scale**2, math.sqrt(scale))
        rows.append([s.soft(way * s.temperature, s.mdp.rewards + scale * s.change).log_policy for way in ways])
    cold, warm = np.swapaxes(rows, 0, 1)
    values = {"log_cold": (("time", "choice"), cold), "log_warm": (("time", "choice"), warm)}
    return Trace("two ways to a tie", times, values, clock="quartering")


# Wrong runs, to be told from right ones.


def perturb_at_half_the_temperature(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """The policies are those of half the temperature."""
    return _perturbed(s, s.soft(s.temperature / 2, s.mdp.rewards), s.temperature / 2)


def perturb_with_reversed_rewards(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """What is learned are the rewards with the wrong sign."""
    trace = _perturbed(s, s.soft(s.temperature, -s.mdp.rewards), s.temperature)
    return replace(trace, values={**trace.values, "greedy_loss": trace.values["loss"]})


def perturb_visiting_like_the_other(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """States are weighted by the visits of the policy that is optimal for the true rewards."""
    trace = perturb(s, rng)
    visits = [discounted_occupancy(s.mdp, np.exp(row), s.discount).occupancy for row in trace["log_policy"]]
    return replace(trace, values={**trace.values, "visits": (("time", "choice"), np.array(visits))})


def cool_at_twice_the_temperature(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """Temperatures are twice as high as they should be."""
    return _cooled(s, s.mdp.rewards, 2.0)


def cool_with_reversed_rewards(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """The policies are those of the rewards with the wrong sign."""
    return _cooled(s, -s.mdp.rewards, 1.0)


def cool_to_slopes_without_a_future(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """The slopes of the limit are those of one decision, whatever comes later."""
    slopes = np.log(s.by_state(np.where(s.limit.found.optimal, np.exp(s.log_reference), 0.0)))
    return _with_limit(cool(s, rng), "slopes", "state", slopes)


def cool_to_the_reference(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """The policy of the limit is the reference on the optimal choices, whatever comes later."""
    weights = np.where(s.limit.found.optimal, np.exp(s.log_reference), 0.0)
    return _with_limit(cool(s, rng), "limit", "choice", weights / s.by_state(weights)[s.mdp.state_of_choice])


def _with_limit(trace: Trace, name: str, over: str, limit: Vector) -> Trace:
    return replace(trace, values={**trace.values, name: (("time", over), np.tile(limit, (trace.times.size, 1)))})


def cool_without_a_future(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """The policies are those of discount 0."""
    return cool(replace(s, discount=0.0), rng)


def approach_in_one_way(s: SoftProcess, rng: np.random.Generator) -> Trace:
    """The temperature falls more slowly than the perturbation both times."""
    trace = approach_a_tie(s, rng)
    return replace(trace, values={**trace.values, "log_cold": trace.values["log_warm"]})


# Settings

OPPOSED = np.array([-1.0, 1.0, -1.0, 1.0])  # in a fork of two, the choice and the state that it leads to move alike


def random_change(mdp: MDP, name: str) -> Vector:
    """Perturbation with entries +1 and -1."""
    return stream(0, "soft policy", name).choice([-1.0, 1.0], mdp.choices)


def random_reference(name: str, states: int) -> Vector:
    """Reference for three choices in each state."""
    return stream(0, "soft policy", "reference", name).dirichlet(np.ones(3), size=states).ravel()


def tied_garnet() -> MDP:
    """Random process of 6 states and 3 actions, the first two of which are optimal in each state, by 1."""
    mdp = garnet(stream(0, "soft policy", "ties"), 6, 3, 2)
    values = np.arange(6.0)
    action_values = values[mdp.state_of_choice] - np.tile([0.0, 0.0, 1.0], 6)
    return mdp.with_rewards(action_values - 0.8 * (mdp.transition_matrix @ values))


def grid() -> Iterator[SoftProcess]:
    """The sharp cases, and processes of other kinds with random perturbations."""
    tie = two_branches(0.0, 0.0)
    yield SoftProcess(tie.with_rewards(-OPPOSED / 2), 0.9, "centred", 5.0, OPPOSED)
    yield SoftProcess(tie, 0.9, "a tie", 1.0, OPPOSED / 10)
    yield SoftProcess(tie, 0.9, "a tie", 1.0, OPPOSED / 10, [0.2, 0.8, 1.0, 1.0])
    # At discount 0 all states but the first are idle, and the quadratic bound is attained.
    yield SoftProcess(tie, 0.0, "a tie", 1.0, OPPOSED / 2)
    mdp: MDP = chain()
    yield SoftProcess(mdp, 0.9, "random perturbation", 2.0, random_change(mdp, "chain"))
    mdp = garnet(stream(0, "soft policy", "garnet"), 10, 3, 3)
    yield SoftProcess(mdp, 0.8, "random perturbation", 0.3, random_change(mdp, "garnet") / 5)
    reference = random_reference("garnet", 10)
    yield SoftProcess(mdp, 0.8, "random perturbation", 0.3, random_change(mdp, "garnet") / 5, reference)


def small_changes() -> Iterator[SoftProcess]:
    """Perturbations so small that rates show, and ties of which the wrong side is taken."""
    tie = two_branches(0.0, 0.0)
    yield SoftProcess(tie, 0.9, "a tie", 1.0, OPPOSED / 20)
    yield SoftProcess(tie, 0.0, "a tie", 1.0, OPPOSED / 20)
    mdp = tied_garnet()
    yield SoftProcess(mdp, 0.8, "ties by design", 1.0, random_change(mdp, "ties") / 50)
    yield SoftProcess(mdp, 0.8, "ties by design", 1.0, random_change(mdp, "ties") / 50, random_reference("ties", 6))


def entropy_grid() -> Iterator[SoftProcess]:
    """Settings without a reference."""
    return (s for s in grid() if s.reference is None)


def almost_dear_enough(discount: float, temperature: float) -> SoftProcess:
    """A dead end that pays a little less than what the entropy of two options is worth."""
    # With a pay of (1 - y) log 2, the loss is (1 - y) / (1 + exp(-horizon * y * log 2)) of the bound, about.
    horizon = discount / (1 - discount)
    y = math.log(horizon * math.log(2)) / (horizon * math.log(2))
    mdp = dead_end_or_options(2, pay=(1 - y) * temperature * math.log(2))
    return SoftProcess(mdp, discount, "options are worth more", temperature, coolings=2)


def cooling_grid() -> Iterator[SoftProcess]:
    """Ties of many kinds, gaps, and the case in which smoothing is dearest."""
    yield from (almost_dear_enough(discount, 1.0) for discount in (0.9, 0.99, 0.999))
    indifferent = garnet(stream(0, "soft policy", "indifferent"), 6, 3, 2)
    yield SoftProcess(indifferent.with_rewards(np.zeros(18)), 0.9, "no rewards", 1.0)
    yield SoftProcess(dead_end_or_options(3), 0.9, "all choices tie", 1.0, np.linspace(-0.1, 0.1, 6))
    yield SoftProcess(two_branches(1.0, 1.2), 0.5, "", 1.0, OPPOSED / 20)
    mdp = river_swim(4)
    yield SoftProcess(mdp, 0.9, "random perturbation", 0.5, random_change(mdp, "river") / 50)
    mdp = machine_replacement(4)
    yield SoftProcess(mdp, 0.8, "random perturbation", 2.0, random_change(mdp, "machine") / 20)


def limit_grid() -> Iterator[SoftProcess]:
    """Ties whose choices lead to different futures, with gaps that show at these temperatures, and references."""
    worse = dead_end_or_options(3).with_rewards([0.0, 0.0, 0.0, 0.0, -0.2, -0.5])
    yield SoftProcess(worse, 0.9, "options of different worth", 0.1)
    yield SoftProcess(worse, 0.9, "options of different worth", 0.1, reference=[0.7, 0.3, 1.0, 0.2, 0.5, 0.3])
    yield SoftProcess(tied_garnet(), 0.8, "ties by design", 1.0)
    yield SoftProcess(tied_garnet(), 0.8, "ties by design", 1.0, reference=random_reference("ties", 6))
    yield SoftProcess(two_branches(1.0, 2.0), 0.5, temperature=1.0)
    yield SoftProcess(TabularMDP([[[1], [1], [1]]], [[1, 1, 0.7]]), 0.0, "a bandit", 0.3)


def bandits() -> Iterator[SoftProcess]:
    """One state and no future: the worst gaps, one for each number of actions, and others."""
    for actions in (2, 3, 10, 1000):
        rewards = np.zeros((1, actions))
        rewards[0, 0] = 1 + price_of_a_bandit(actions)
        mdp = TabularMDP(np.ones((1, actions, 1)), rewards, title=f"bandit of {actions} arms")
        yield SoftProcess(mdp, 0.0, "the worst gap", 1.0, coolings=4)
    rewards = stream(0, "soft policy", "arms").random((1, 10))
    yield SoftProcess(TabularMDP(np.ones((1, 10, 1)), rewards, title="bandit of 10 arms"), 0.0, "random", 1.0)


def futures_of_unequal_entropy() -> Iterator[SoftProcess]:
    """A tie between two choices after which further decisions differ, in number or in what the reference makes of them."""
    yield SoftProcess(dead_end_or_options(2), 0.9)
    yield SoftProcess(dead_end_or_options(5), 0.5)
    worse = dead_end_or_options(2).with_rewards([0.0, 0.0, 0.0, 0.0, -1.0])
    yield SoftProcess(worse, 0.9, "one option is worse", 0.1, reference=[0.5, 0.5, 1.0, 0.5, 0.5])


def ties() -> Iterator[SoftProcess]:
    """Forks whose branches pay the same."""
    yield from (SoftProcess(two_branches(0.0, 0.0), discount, "a tie", 1.0, OPPOSED) for discount in (0.5, 0.9))


def forks() -> Iterator[SoftProcess]:
    """Forks of two branches, from a tie to clear decisions."""
    yield SoftProcess(two_branches(0.0, 0.0), 0.9, "a tie", 1.0, OPPOSED)
    yield SoftProcess(two_branches(1.0, 0.0), 0.5, "", 0.1, OPPOSED)
    yield SoftProcess(two_branches(1.0, 1.01), 0.99, "", 1.0, [0.0, 0.0, 0.1, 0.0])


def any_setting(*, with_reference: bool = True, highest_discount: float = 0.9) -> "SearchStrategy[SoftProcess]":
    """Adverse processes, temperatures, perturbations and references."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps, discounts, log_uniform, stationary_policies

    @st.composite
    def settings(draw: st.DrawFn) -> SoftProcess:
        mdp = draw(adverse_mdps())
        size = draw(log_uniform(1e-3, 1.0))
        heights = draw(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), min_size=mdp.choices, max_size=mdp.choices))
        reference = draw(st.none() | stationary_policies(mdp)) if with_reference else None
        return SoftProcess(
            mdp,
            draw(discounts(highest_discount)),
            temperature=draw(log_uniform(0.05, 5.0)),
            perturbation=size * np.array(heights),
            reference=reference,
            coolings=4,
        )

    return settings()


def any_entropy_setting() -> "SearchStrategy[SoftProcess]":
    """Adverse processes, temperatures and perturbations."""
    return any_setting(with_reference=False)


def any_bandit() -> "SearchStrategy[SoftProcess]":
    """Processes without a future."""
    return any_setting(with_reference=False, highest_discount=0.0)


# Sides


def scales(trace: Trace) -> Array:
    """Factors of the perturbation."""
    factors: Array = 2.0 ** -trace.times.astype(np.float64)
    return factors


def temperatures(s: SoftProcess, trace: Trace) -> Array:
    """Temperatures of a sweep."""
    found: Array = s.temperature / trace.times
    return found


def moved(s: SoftProcess, trace: Trace) -> Array:
    """Largest total variation between the policy and that of the perturbed rewards."""
    found: Array = variation(s, trace["log_learned"], trace["log_policy"]).max(axis=1)
    return found


def width(s: SoftProcess, trace: Trace) -> Array:
    """Bound on the span of the log-ratio of the policies."""
    return scales(trace) * s.span * s.horizon / s.temperature


def dearest(s: SoftProcess, trace: Trace) -> Array:
    """Largest loss of a soft policy, in rewards."""
    found: Array = (s.optimum.values - trace["values"]).max(axis=1)
    return found


def distance_of_slopes(s: SoftProcess, trace: Trace) -> Array:
    """Largest distance of the slopes of soft values from those of the limit."""
    slopes = (trace["soft_values"] - s.optimum.values) / temperatures(s, trace)[:, None]
    found: Array = np.abs(slopes - trace["slopes"]).max(axis=1)
    return found


def state_of_least_slack(measured: Array, bound: Array, rounding: float) -> tuple[Array, Array]:
    """Both sides, of shape (T, n), where the measured one uses most of what it may."""
    worst = (measured / (bound + rounding)).argmax(axis=1)[:, None]
    return tuple(np.take_along_axis(side, worst, axis=1)[:, 0] for side in (measured, bound))  # type: ignore[return-value]


def concentration(s: SoftProcess, trace: Trace) -> tuple[Array, Array]:
    """Gap, and bound on it by the probability of the choice and the entropy of the future."""
    t = temperatures(s, trace)[:, None]
    bound = -t * trace["log_policy"] + s.discount * s.horizon * t * s.log_choices
    gaps = np.broadcast_to(s.limit.found.gaps, bound.shape)
    return state_of_least_slack(gaps, bound, s.value_rounding(s.temperature))


def distance_to_limit(s: SoftProcess, trace: Trace) -> tuple[Array, Array]:
    """Distance of the policy to its limit, and the bound on it by choices that are not optimal, and by slopes."""
    policy = np.exp(trace["log_policy"])
    distances = s.by_state(np.abs(policy - trace["limit"])) / 2
    astray = s.by_state(policy * ~s.limit.found.optimal)
    bound = astray + np.tanh(s.discount * distance_of_slopes(s, trace) / 4)[:, None]
    return state_of_least_slack(distances, bound, s.slope_rounding)


def price_of_a_bandit(actions: int) -> float:
    """Lambert's W of (A - 1) / e: the largest loss in a bandit, over the temperature."""
    from scipy.special import lambertw

    return float(lambertw((actions - 1) / math.e).real)


def unlike_the_reference(s: SoftProcess, trace: Trace) -> Array:
    """Whether both choices of the first state are optimal, and are not made as the reference would make them."""
    reference = np.exp(s.log_reference[:2])
    probabilities = np.exp(trace["log_policy"][:, :2])
    off = np.abs(probabilities - reference / reference.sum()).sum(axis=1) / 2
    found: Array = (off > 1 / 4) & s.limit.found.optimal[:2].all()
    return found


def ends_differently(s: SoftProcess, trace: Trace) -> Array:
    """Whether one way leads to one choice, and the other to both alike."""
    cold, warm = np.exp(trace["log_cold"])[:, 1], np.exp(trace["log_warm"])[:, 1]
    # The perturbation over the temperature, over the horizon, moves the log-odds: by sqrt(scale) or 1 / scale.
    near_tie = s.span * s.horizon / s.temperature * 2.0**-trace.times
    found: Array = (cold >= 0.7) & (1 - cold <= np.exp(-(2.0**trace.times))) & (np.abs(warm - 1 / 2) <= near_tie / 4)
    return found


def sigmoid(s: SoftProcess, trace: Trace) -> Array:
    """Probability of the second branch, from its advantage."""
    rewards = s.mdp.rewards + scales(trace)[:, None] * s.change
    ahead = rewards[:, 1] - rewards[:, 0] + s.discount * s.horizon * (rewards[:, 3] - rewards[:, 2])
    found: Array = (1 + np.tanh(ahead / (2 * s.temperature))) / 2
    return found


ENTROPY: Hypotheses = {**PROCESS, "no reference, $\\mu = 1$": lambda s: s.reference is None}
ANY_REFERENCE: Hypotheses = {
    **PROCESS,
    "$\\tau > 0$, and a reference with full support, or none": BY_CONSTRUCTION,
}
POLICIES = (
    "$\\pi, \\pi'$: the soft policies for rewards $r$ and $r + \\delta$; $\\omega = \\mathrm{osc}(\\delta) / (\\tau (1 - \\gamma))$, "
    "where $\\mathrm{osc}$ is the largest minus the smallest entry"
)
LOSSES = "; $\\pi$ was learned from $r$, and is judged by $r + \\delta$"
COOLING = (
    "$\\pi_\\tau$: the soft policy; $A$: the largest number of choices in a state; $\\Delta = V^* - Q^*$: the gaps"
)
LIMIT = "; $h_\\tau = (V_\\tau - V^*) / \\tau$, and $h, \\pi_0$ are its limit and that of $\\pi_\\tau$; $C^*$: the optimal choices"


def derived(**parts: Any) -> Theorem[SoftProcess]:
    """Theorem whose constants are derived here, about a soft policy."""
    place = parts.pop("place", "section 4, on soft policies")
    return Theorem(paper=Paper(PAPER, place), standing=Standing.DERIVED, **parts)


LIPSCHITZ: Theorem[SoftProcess] = Theorem(
    name="soft-policy/lipschitz",
    title="Soft policies are Lipschitz in the rewards",
    paper=Paper(PAPER, "section 4, the proposition on soft policies"),
    standing=Standing.SEEN,
    statement=r"\max_s \mathrm{TV}(\pi(\cdot | s), \pi'(\cdot | s)) \le \frac{\| \delta \|_\infty}{2 \tau (1 - \gamma)}",
    symbols=POLICIES,
    kind=EveryStep(rounding=lambda s: s.log_rounding(s.temperature)),
    hypotheses=ANY_REFERENCE,
    run=perturb,
    measured=moved,
    bound=lambda s, trace: scales(trace) * s.size * s.horizon / (2 * s.temperature),
    trivial=lambda s: 1.0,
    settings=grid,
    strategy=any_setting,
    controls={"half the temperature": perturb_at_half_the_temperature},
    remark="The factor $1 / (1 - \\gamma)$ is real: in a fork of two absorbing states the bound is attained in the limit of "
    "small perturbations.",
)

TANH = derived(
    name="soft-policy/tanh",
    title="The exact modulus of continuity of soft policies",
    place="section 4, the proposition on soft policies; improved here",
    statement=r"\max_s \mathrm{TV}(\pi(\cdot | s), \pi'(\cdot | s)) \le \tanh\frac{\omega}{4}",
    symbols=POLICIES,
    kind=EveryStep(rounding=lambda s: s.log_rounding(s.temperature)),
    hypotheses=ANY_REFERENCE,
    run=perturb,
    measured=moved,
    bound=lambda s, trace: np.tanh(width(s, trace) / 4),
    trivial=lambda s: 1.0,
    settings=grid,
    strategy=any_setting,
    controls={"half the temperature": perturb_at_half_the_temperature},
    remark="Never vacuous, blind to constants that are added to the rewards, and attained for every $\\omega$: log-odds that "
    "go from $-\\omega / 2$ to $\\omega / 2$.",
)

KL = derived(
    name="soft-policy/kl",
    title="The divergence between soft policies is quadratic in the rewards",
    statement=r"\max_s \mathrm{KL}(\pi(\cdot | s) \| \pi'(\cdot | s)) \le \frac{\omega^2}{8}",
    symbols=POLICIES,
    kind=EveryStep(rounding=lambda s: s.log_rounding(s.temperature) ** 2 * (1 + 1 / RELATIVE_ROUNDING)),
    hypotheses=ANY_REFERENCE,
    run=perturb,
    measured=lambda s, trace: divergence(s, trace["log_learned"], trace["log_policy"]).max(axis=1),
    bound=lambda s, trace: width(s, trace) ** 2 / 8,
    settings=grid,
    strategy=any_setting,
    controls={"half the temperature": perturb_at_half_the_temperature},
)

LOSS_IDENTITY = derived(
    name="soft-policy/loss-identity",
    title="What a soft policy loses in the regularised objective is a divergence along its way",
    statement=r"V'_\tau(x) - V'^{\pi}_\tau(x) = \tau\, \mathbb{E} \Big[ \sum_t \gamma^t\, "
    r"\mathrm{KL}(\pi(\cdot | s_t) \| \pi'(\cdot | s_t)) \,\Big|\, s_0 = x, \pi \Big]",
    symbols=POLICIES + LOSSES + ", as the primes of $V'$ say; $x$ is drawn from the first law of the process",
    kind=Identity(rounding=lambda s: s.value_rounding(s.temperature)),
    hypotheses=ANY_REFERENCE,
    run=perturb,
    measured=lambda s, trace: trace["soft_loss"] @ s.mdp.initial,
    bound=lambda s, trace: (
        s.temperature
        * s.horizon
        * (s.by_state(trace["visits"]) * divergence(s, trace["log_learned"], trace["log_policy"])).sum(axis=1)
    ),
    settings=grid,
    strategy=any_setting,
    controls={"visits of the other policy": perturb_visiting_like_the_other},
)

QUADRATIC = derived(
    name="soft-policy/quadratic",
    title="In the regularised objective, an error in the rewards costs its square",
    statement=r"V'_\tau - V'^{\pi}_\tau \le \frac{\mathrm{osc}(\delta)^2}{8 \tau (1 - \gamma)^3}",
    symbols=POLICIES + LOSSES,
    kind=EveryStep(rounding=lambda s: s.value_rounding(s.temperature)),
    hypotheses=ANY_REFERENCE,
    run=perturb,
    measured=lambda s, trace: np.maximum(trace["soft_loss"].max(axis=1), 0.0),
    bound=lambda s, trace: (scales(trace) * s.span) ** 2 * s.horizon**3 / (8 * s.temperature),
    rate=Geometric(lambda s: 1 / 4),
    settings=small_changes,
    strategy=any_setting,
    controls={"learned from reversed rewards": perturb_with_reversed_rewards},
    remark="Attained, in the limit of small perturbations, where there is no future. Without regularisation the cost is of "
    "the first order: see `soft-policy/misspecification-greedy`.",
)

MISSPECIFICATION_GREEDY = derived(
    name="soft-policy/misspecification-greedy",
    title="Without regularisation, an error in the rewards costs its span over the horizon",
    place="section 2, values are Lipschitz; statement derived here",
    statement=r"V'^* - V'^{\pi} \le \frac{\mathrm{osc}(\delta)}{1 - \gamma}",
    symbols="$\\pi$: an optimal policy for rewards $r$, judged by $r + \\delta$, as the primes of $V'$ say; "
    "$\\mathrm{osc}$: the largest minus the smallest entry",
    kind=EveryStep(rounding=lambda s: s.value_rounding(s.temperature)),
    hypotheses=PROCESS,
    run=perturb,
    measured=lambda s, trace: np.maximum(trace["greedy_loss"].max(axis=1), 0.0),
    bound=lambda s, trace: scales(trace) * s.span * s.horizon,
    rate=Geometric(lambda s: 1 / 2),
    settings=small_changes,
    strategy=any_setting,
    controls={"learned from reversed rewards": perturb_with_reversed_rewards},
    remark="Attained at a tie of which the wrong side was taken.",
)

MISSPECIFICATION = derived(
    name="soft-policy/misspecification",
    title="What a soft policy loses by smoothing and by an error in the rewards together",
    statement=r"V'^* - V'^{\pi} \le \frac{\mathrm{osc}(\delta) + \tau \log A}{1 - \gamma}",
    symbols=POLICIES + LOSSES + ", without regularisation; $A$: the largest number of choices in a state",
    kind=EveryStep(rounding=lambda s: s.value_rounding(s.temperature)),
    hypotheses=ENTROPY,
    run=perturb,
    measured=lambda s, trace: np.maximum(trace["loss"].max(axis=1), 0.0),
    bound=lambda s, trace: (scales(trace) * s.span + s.temperature * s.log_choices) * s.horizon,
    settings=entropy_grid,
    strategy=any_entropy_setting,
    controls={"learned from reversed rewards": perturb_with_reversed_rewards},
)

SOFT_VALUES = derived(
    name="soft-policy/soft-values",
    title="Soft values exceed optimal ones by the entropy of the horizon at most",
    place="section 4; standard",
    statement=r"0 \le V_\tau - V^* \le \frac{\tau \log A}{1 - \gamma}",
    symbols=COOLING + "; the right side is measured",
    kind=EveryStep(rounding=lambda s: s.value_rounding(s.temperature)),
    hypotheses=ENTROPY,
    run=cool,
    measured=lambda s, trace: np.maximum((trace["soft_values"] - s.optimum.values).max(axis=1), 0.0),
    bound=lambda s, trace: temperatures(s, trace) * s.log_choices * s.horizon,
    settings=cooling_grid,
    strategy=any_entropy_setting,
    controls={"twice the temperature": cool_at_twice_the_temperature},
    remark="Attained where rewards do not depend on the choice.",
)

PRICE = derived(
    name="soft-policy/price",
    title="The price of smoothing",
    place="section 4; standard",
    statement=r"V^* - V^{\pi_\tau} \le \frac{\tau \log A}{1 - \gamma}",
    symbols=COOLING,
    kind=EveryStep(rounding=lambda s: s.value_rounding(s.temperature)),
    hypotheses=ENTROPY,
    run=cool,
    measured=lambda s, trace: np.maximum(dearest(s, trace), 0.0),
    bound=lambda s, trace: temperatures(s, trace) * s.log_choices * s.horizon,
    settings=cooling_grid,
    strategy=any_entropy_setting,
    controls={"reversed rewards": cool_with_reversed_rewards},
    remark="No bandit loses as much, see `soft-policy/price-of-a-bandit`; with a future, a soft policy chases entropy. A dead "
    "end that pays a little less than the entropy of two options is worth uses all of the bound as $\\gamma \\to 1$.",
)

PRICE_OF_A_BANDIT = derived(
    name="soft-policy/price-of-a-bandit",
    title="The price of smoothing without a future",
    statement=r"V^* - V^{\pi_\tau} \le \tau\, W\!\Big(\frac{A - 1}{e}\Big)",
    symbols=COOLING + "; $W$: Lambert's function, the inverse of $w \\mapsto w e^w$",
    kind=EveryStep(rounding=lambda s: s.value_rounding(s.temperature)),
    hypotheses={**ENTROPY, "$\\gamma = 0$": lambda s: s.discount == 0},
    run=cool,
    measured=lambda s, trace: np.maximum(dearest(s, trace), 0.0),
    bound=lambda s, trace: temperatures(s, trace) * price_of_a_bandit(round(math.exp(s.log_choices))),
    trivial=lambda s: s.temperature * s.log_choices,
    settings=bandits,
    strategy=any_bandit,
    controls={"reversed rewards": cool_with_reversed_rewards},
    remark="Attained by one best arm that is better than all others by $\\tau (1 + W)$. It is less than $\\tau \\log A$.",
)

CONCENTRATION = derived(
    name="soft-policy/concentration",
    title="Choices that are worse are exponentially rare, up to the entropy of the future",
    statement=r"\pi_\tau(a | s) \le A^{\gamma / (1 - \gamma)}\, e^{-\Delta(s, a) / \tau}",
    symbols=COOLING
    + "; measured are the logarithms, that is $\\Delta \\le -\\tau \\log \\pi_\\tau + \\gamma \\tau \\log A / "
    "(1 - \\gamma)$, where the slack is least",
    kind=EveryStep(rounding=lambda s: s.value_rounding(s.temperature)),
    hypotheses=ENTROPY,
    run=cool,
    measured=lambda s, trace: concentration(s, trace)[0],
    bound=lambda s, trace: concentration(s, trace)[1],
    settings=cooling_grid,
    strategy=any_entropy_setting,
    controls={"reversed rewards": cool_with_reversed_rewards},
)

STABILITY_PERFORMANCE = derived(
    name="soft-policy/stability-performance",
    title="Stability times loss is bounded whatever the temperature",
    statement=r"\max_s \mathrm{TV}(\pi_\tau(\cdot | s), \pi'_\tau(\cdot | s)) \cdot \max_s \big(V^*(s) - V^{\pi_\tau}(s)\big) "
    r"\le \frac{\| \delta \|_\infty \log A}{2 (1 - \gamma)^2}",
    symbols=COOLING + "; $\\pi'_\\tau$: the soft policy for rewards that differ by $\\delta$",
    kind=EveryStep(
        rounding=lambda s: s.value_rounding(s.temperature) + s.log_rounding(s.coldest) * 2 * s.largest_value
    ),
    hypotheses=ENTROPY,
    run=cool,
    measured=lambda s, trace: (
        np.maximum(dearest(s, trace), 0.0) * variation(s, trace["log_policy"], trace["log_perturbed"]).max(axis=1)
    ),
    bound=lambda s, trace: np.full(trace.times.size, s.size * s.log_choices * s.horizon**2 / 2),
    settings=cooling_grid,
    strategy=any_entropy_setting,
    controls={"reversed rewards": cool_with_reversed_rewards},
    remark="The product of `soft-policy/lipschitz` and `soft-policy/price`: a temperature buys stability at the price of "
    "reward, along a hyperbola.",
)

ZERO_TEMPERATURE = derived(
    name="soft-policy/zero-temperature",
    title="Soft values tend to their tangent at temperature zero exponentially fast",
    statement=r"\| h_\tau - h \|_\infty \le \frac{1}{1 - \gamma} \max_s \log \Big( 1 + \sum_{a \notin C^*(s)} "
    r"\mu(a | s)\, e^{\gamma (P h)(s, a) - h(s) - \Delta(s, a) / \tau} \Big)",
    symbols=COOLING + LIMIT,
    kind=EveryStep(rounding=lambda s: s.slope_rounding),
    hypotheses=ANY_REFERENCE,
    run=cool,
    measured=distance_of_slopes,
    bound=lambda s, trace: np.array([s.limit.slope_error(t) for t in temperatures(s, trace)]),
    rate=Geometric(lambda s: math.exp(-s.limit.found.least_gap / s.temperature)),
    settings=limit_grid,
    strategy=any_setting,
    controls={"slopes without a future": cool_to_slopes_without_a_future},
    remark="The exponent is the smallest gap. The bound includes what rounding leaves in gaps and slopes.",
)

ZERO_TEMPERATURE_POLICY = derived(
    name="soft-policy/zero-temperature-policy",
    title="Which optimal policy is left at temperature zero",
    statement=r"\mathrm{TV}(\pi_\tau(\cdot | s), \pi_0(\cdot | s)) \le \sum_{a \notin C^*(s)} \pi_\tau(a | s) + "
    r"\tanh \frac{\gamma \| h_\tau - h \|_\infty}{4}, \quad \pi_0(a | s) \propto \mu(a | s)\, e^{\gamma (P h)(s, a)}",
    symbols=COOLING + LIMIT + "; the state is the one with the least slack",
    kind=EveryStep(rounding=lambda s: s.slope_rounding),
    hypotheses=ANY_REFERENCE,
    run=cool,
    measured=lambda s, trace: distance_to_limit(s, trace)[0],
    bound=lambda s, trace: distance_to_limit(s, trace)[1],
    trivial=lambda s: 1.0,
    settings=limit_grid,
    strategy=any_setting,
    controls={"the reference on optimal choices": cool_to_the_reference},
    remark="The limit has the largest discounted entropy of all optimal policies, or the smallest discounted divergence from "
    "the reference: the penalty breaks ties towards the reference along whole trajectories, not state by state. The slopes "
    "$h_\\tau$ approach $h$ from above, so that the span of $h_\\tau - h$ is no more than its norm.",
)

LIMIT_NOT_UNIFORM = derived(
    name="soft-policy/limit-is-not-uniform",
    title="At temperature zero, ties are not broken as the reference would",
    statement=r"\exists\, (P, r, \mu), s: \quad \forall \tau \le \tau_0: \ \mathrm{TV}\big(\pi_\tau(\cdot | s),\, "
    r"\mu(\cdot | s) / \mu(C^*(s) | s)\big) > \tfrac14",
    symbols=COOLING + "; $C^*$: the optimal choices; $\\mu$: the reference, or 1",
    kind=Existence(),
    hypotheses={},
    run=cool,
    measured=unlike_the_reference,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=futures_of_unequal_entropy,
    controls={"policies of discount 0": cool_without_a_future},
    remark="Two optimal actions lead to a dead end and to a state with several optimal actions; the second is preferred.",
)

LIMITS_DO_NOT_COMMUTE = derived(
    name="soft-policy/limits-do-not-commute",
    title="At a tie, small perturbations and low temperatures do not commute",
    statement=r"\lim_{\tau \to 0} \lim_{\delta \to 0} \pi_\tau(a_2 | s) = \tfrac12, \qquad "
    r"\lim_{\delta \to 0} \lim_{\tau \to 0} \pi_\tau(a_2 | s) = 1",
    symbols="$\\pi_\\tau$: the soft policy for rewards $r + \\delta$, where $a_1, a_2$ tie for $r$, and $\\delta$ favours $a_2$; "
    "along $\\tau = \\tau_0 \\varepsilon^{1/2}$ and $\\tau = \\tau_0 \\varepsilon^2$, as $\\delta = 4^{-k} \\delta_0 = \\varepsilon \\delta_0$",
    kind=Existence(),
    hypotheses={"a fork of two branches that pay the same": lambda s: s.mdp == two_branches(0.0, 0.0)},
    run=approach_a_tie,
    measured=ends_differently,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=ties,
    controls={"slow cooling both times": approach_in_one_way},
)

SIGMOID = derived(
    name="soft-policy/sigmoid",
    title="In a fork, the cliff becomes a sigmoid of width proportional to the temperature over the horizon",
    statement=r"\pi_\tau(a_2 | s_0) = \Big(1 + e^{-\Delta / \tau}\Big)^{-1}, \quad "
    r"\Delta = r(s_0, a_2) - r(s_0, a_1) + \frac{\gamma\, (r(s_2) - r(s_1))}{1 - \gamma}",
    symbols="$a_i$: the action that leads to the absorbing state $s_i$; $r$: the perturbed rewards",
    kind=Identity(rounding=lambda s: s.log_rounding(s.temperature)),
    hypotheses={
        "a fork of two absorbing states": lambda s: (
            s.mdp.with_rewards(np.zeros(s.mdp.choices)) == two_branches(0.0, 0.0)
        ),
        "no reference, $\\mu = 1$": lambda s: s.reference is None,
    },
    run=perturb,
    measured=lambda s, trace: np.exp(trace["log_policy"][:, 1]),
    bound=sigmoid,
    settings=forks,
    controls={"half the temperature": perturb_at_half_the_temperature},
)
