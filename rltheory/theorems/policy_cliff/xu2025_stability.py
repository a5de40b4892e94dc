r"""The exact distance to the policy cliff: how far rewards can move before a unique optimal policy changes.

The gaps of an optimal policy are linear in the rewards, so that the rewards for which it is the only optimum form a
polyhedral cone. Its distance from the rewards at hand is the radius of :mod:`rltheory.solvers.stability`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import Array, Matrix, Vector, positive
from rltheory.instances import (
    bandit,
    combination_lock,
    garnet,
    inventory,
    reward_of_action_values,
    river_swim,
)
from rltheory.measures import action_gaps
from rltheory.problems import MDP
from rltheory.problems.mdp import Indices
from rltheory.simulation import stream
from rltheory.solvers import StabilityRadius, gap_gradients, optimality_margins, stability_radius
from rltheory.theorems.discounted.discounted_process import PROCESS, Hypotheses, discounted_processes, processes
from rltheory.theorems.policy_cliff.xu2025 import (
    BRANCHES,
    GAPS,
    MOVED,
    PAPER,
    TELLS,
    PerturbedProcess,
    move_within,
    signs,
    sweep,
    with_directions,
)
from rltheory.theory import EveryStep, Existence, InExpectation, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

OUTSIDE = np.array([1.001, 1.01, 1.1, 2.0, 10.0])  # of the radius
DRAWS = 250  # of noise, in a replicate
HALVINGS = 50


# Settings


@dataclass(frozen=True, eq=False)
class StableProcess(PerturbedProcess):
    """A perturbed process with one optimal policy."""

    @cached_property
    def stability(self) -> StabilityRadius | str:
        """Radius within which the optimal policy does not change; where it is not unique, a text that says where."""
        return self._radius(None)

    def _radius(self, weights: ArrayLike | None) -> StabilityRadius | str:
        try:
            return stability_radius(self.mdp, self.discount, weights=weights)
        except ValueError as error:
            return str(error).partition(";")[0]

    @property
    def unique(self) -> StabilityRadius:
        """The radius, where the hypothesis holds that there is one."""
        assert isinstance(self.stability, StabilityRadius)
        return self.stability

    @cached_property
    def others(self) -> Indices:
        """Choices that the optimal policy does not make."""
        return np.flatnonzero(self.unique.gaps)

    @cached_property
    def gradients(self) -> Matrix:
        """Gradients of their gaps by the rewards, a row for each."""
        return gap_gradients(self.mdp, self.unique.policy, self.discount, self.others).gradients

    @cached_property
    def distances(self) -> Vector:
        """Euclidean distances from the rewards to those at which each of them becomes as good as the policy's choice."""
        distances: Vector = self.unique.gaps[self.others] / np.linalg.norm(self.gradients, axis=1)
        return distances

    @property
    def share_rounding(self) -> float:
        """Allowance for the share of a gap."""
        return self.rounding / float(self.unique.gaps[self.others].min())


@dataclass(frozen=True, eq=False)
class WeightedProcess(StableProcess):
    """A perturbed process of which not all rewards are free to move.

    Parameters
    ----------
    weights : array, shape (C,), optional
        How far each reward may move, in units of the size of the perturbation, >= 0; 1 by default.
    """

    weights: ArrayLike | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_vector("weights")
        if (np.asarray(self.weights) < 0).any():
            choice = int(np.argmin(np.asarray(self.weights)))
            raise ValueError(f"weights[{choice}] is {np.asarray(self.weights)[choice]}; a weight must be >= 0")

    @cached_property
    def stability(self) -> StabilityRadius | str:
        """Radius within which the optimal policy does not change; why there is none, if it is not unique or fixed."""
        return self._radius(self.weights)

    @property
    def unit(self) -> Vector:
        """The direction, as large as the weights permit."""
        unit: Vector = np.asarray(self.weights) * super().unit
        return unit


@dataclass(frozen=True, eq=False)
class NoisyProcess(StableProcess):
    """A process whose rewards are observed with independent Gaussian noise.

    Parameters
    ----------
    noise
        Standard deviation, > 0, in units of the smallest distance to a change of the policy.
    """

    noise: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.noise, "noise")

    @cached_property
    def flips(self) -> Vector:
        """Probabilities that each other choice becomes better than the policy's."""
        return np.array([math.erfc(d / (self.noise * self.distances.min() * math.sqrt(2))) / 2 for d in self.distances])


# Runs


def move_within_stability(s: StableProcess, rng: np.random.Generator) -> Trace:
    """Perturbations up to the radius within which the policy is stable."""
    return move_within(s, s.unique.radius)


def move_within_twice_stability(s: StableProcess, rng: np.random.Generator) -> Trace:
    """Perturbations up to twice that radius."""
    return move_within(s, 2 * s.unique.radius)


def cross(s: StableProcess, rng: np.random.Generator) -> Trace:
    """Perturbations just beyond the radius, and far beyond, in the worst direction."""
    return sweep(s, OUTSIDE, OUTSIDE[:, None] * s.unique.perturbation)


def cross_elsewhere(s: StableProcess, rng: np.random.Generator) -> Trace:
    """As large perturbations in the setting's direction."""
    return sweep(s, OUTSIDE, OUTSIDE[:, None] * s.unique.radius * s.unit)


def walk(s: StableProcess, rng: np.random.Generator) -> Trace:
    """Walk to the perturbed rewards, and halve the stretch in which the policy ceases to be the only optimum."""
    return _walk(s, np.asarray(s.direction))


def walk_along_a_shift(s: StableProcess, rng: np.random.Generator) -> Trace:
    """All rewards rise alike."""
    return _walk(s, np.ones(s.mdp.choices))


def _walk(s: StableProcess, direction: Vector) -> Trace:
    def margins(shares: Vector) -> Vector:
        rewards = s.mdp.rewards + shares[:, None] * direction
        return optimality_margins(s.mdp, s.unique.policy, s.discount, rewards).margins

    stretch = np.array([0.0, 1.0])
    for _ in range(HALVINGS):
        middle = stretch.mean()
        stretch[0 if margins(np.array([middle])) > 0 else 1] = middle
    return Trace("walk", np.zeros(1, np.int64), {"margin": (("time", "end"), margins(stretch)[None])}, clock="draw")


def measure_radius(s: StableProcess, rng: np.random.Generator) -> Trace:
    """Radius of stability and smallest gap."""
    return _radius(s.unique.radius, s.hemicontinuity.radius / (1 - s.discount))


def measure_radius_of_half(s: StableProcess, rng: np.random.Generator) -> Trace:
    """The radius is that of half the rewards."""
    return _radius(s.unique.radius / 2, s.hemicontinuity.radius / (1 - s.discount))


def measure_euclidean(s: StableProcess, rng: np.random.Generator) -> Trace:
    """The radius is Euclidean."""
    return _radius(float(s.distances.min()), s.hemicontinuity.radius / (1 - s.discount))


def _radius(radius: float, half_gap: float) -> Trace:
    values = {"radius": (("time",), np.array([radius])), "half gap": (("time",), np.array([half_gap]))}
    return Trace("stability radius", np.zeros(1, np.int64), values, clock="draw")


def observe(s: NoisyProcess, rng: np.random.Generator) -> Trace:
    """Share of noisy rewards under which the policy is not optimal."""
    return _observe(s, s.noise, rng)


def observe_more_noise(s: NoisyProcess, rng: np.random.Generator) -> Trace:
    """The noise is twice as large."""
    return _observe(s, 2 * s.noise, rng)


def observe_less_noise(s: NoisyProcess, rng: np.random.Generator) -> Trace:
    """The noise is half as large."""
    return _observe(s, s.noise / 2, rng)


def _observe(s: NoisyProcess, noise: float, rng: np.random.Generator) -> Trace:
    deviation = noise * s.distances.min()
    rewards = s.mdp.rewards + deviation * rng.standard_normal((DRAWS, s.mdp.choices))
    margins = optimality_margins(s.mdp, s.unique.policy, s.discount, rewards).margins
    changed = np.array([np.mean(margins < 0)])
    return Trace("noisy rewards", np.zeros(1, np.int64), {"changed": (("time",), changed)}, clock="draw")


# Sides


def lost_share(s: StableProcess, trace: Trace) -> Array:
    """Largest share of a gap that the perturbation takes: above 1, the choice is better than the policy's."""
    own = trace["action_values"][:, s.unique.policy]
    left = own[:, s.mdp.state_of_choice[s.others]] - trace["action_values"][:, s.others]
    found: Array = (1 - left / s.unique.gaps[s.others]).max(axis=1)
    return np.maximum(found, 0.0)


def policy_changes(s: StableProcess, trace: Trace) -> NDArray[np.bool_]:
    """Whether the policy is no longer optimal, by more than rounding."""
    loses = action_gaps(s.mdp, trace["action_values"])[:, s.unique.policy].max(axis=1)
    passes: NDArray[np.bool_] = loses > s.rounding
    return passes


def meets_tie(s: StableProcess, trace: Trace) -> NDArray[np.bool_]:
    """Whether the policy ties with another, up to rounding, at both ends of the stretch that is left."""
    return np.asarray(np.abs(trace["margin"]).max(axis=1) <= s.rounding)


# Grids and strategies


def _unique() -> Iterator[tuple[MDP, float]]:
    """Processes with one optimal policy."""
    yield from ((mdp, discount) for mdp, discount in processes() if is_stable(StableProcess(mdp, discount)) is True)
    yield inventory(), 0.9
    yield bandit([1.0, 0.5, 0.2]), 0.0
    yield BRANCHES, 0.9
    yield BRANCHES, 0.99


@cache
def unique_grid() -> tuple[StableProcess, ...]:
    """Processes with one optimal policy, with random signs and in the direction in which it changes first."""
    random = [
        StableProcess(mdp, discount, "random signs", signs("unique", k, size=mdp.choices))
        for k, (mdp, discount) in enumerate(_unique())
    ]
    return (*random, *(replace(s, note="worst direction", direction=s.unique.perturbation) for s in random))


@cache
def crossing_grid() -> tuple[StableProcess, ...]:
    """Processes with one optimal policy, and perturbations that end beyond the radius."""
    return tuple(
        replace(s, note="across", direction=3 * s.unique.perturbation + 0.1 * s.unique.radius * np.asarray(s.direction))
        for s in unique_grid()
        if s.note == "random signs"
    )


@cache
def weighted_grid() -> tuple[WeightedProcess, ...]:
    """Processes with one optimal policy, of which the rewards of some states are known and those of others are not."""
    found = []
    for k, (mdp, discount) in enumerate(_unique()):
        weights = stream(0, "policy cliff", "weights", k).integers(0, 4, mdp.states) / 3
        weights[0] = 1.0
        of_choices = weights[mdp.state_of_choice]
        s = WeightedProcess(mdp, discount, "random signs", signs("weighted", k, size=mdp.choices), of_choices)
        found += [s, replace(s, note="worst direction", direction=np.sign(s.unique.perturbation))]
    return tuple(found)


@cache
def noisy_grid() -> tuple[NoisyProcess, ...]:
    """Bandits and processes in which several choices are about as close to the policy's."""
    return (
        NoisyProcess(bandit([1.0, 0.5, 0.5]), 0.0, noise=0.8),
        NoisyProcess(bandit([1.0, 0.5, 0.5, 0.5]), 0.0, noise=0.8),
        NoisyProcess(river_swim(), 0.95, noise=1.2),
        NoisyProcess(combination_lock([0, 1, 0, 1]), 0.9, noise=1.2),
        NoisyProcess(garnet(stream(0, "discounted process", "dense"), 5, 4, 5), 0.5, noise=1.2),
    )


def any_unique(setting: type[Any] = StableProcess) -> "SearchStrategy[Any]":
    """Any laws, with rewards that make a drawn choice of each state better than the others by an eighth or more."""
    from hypothesis import strategies as st

    @st.composite
    def unique(draw: st.DrawFn) -> Any:
        s = draw(discounted_processes(setting).filter(lambda s: s.mdp.choices > s.mdp.states))
        size = s.mdp.choices
        values = np.array(draw(st.lists(st.integers(0, 8), min_size=size, max_size=size))) / 8
        chances = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
        for first, end in zip(s.mdp.first_choice[:-1], s.mdp.first_choice[1:], strict=True):
            values[first + int(np.argmax(chances[first:end]))] = values[first:end].max() + 1 / 8
        return replace(s, mdp=s.mdp.with_rewards(reward_of_action_values(s.mdp, s.discount, values)))

    return with_directions(unique())


def any_weights() -> "SearchStrategy[WeightedProcess]":
    """Any process with one optimal policy, and weights of which some are 0."""
    from hypothesis import strategies as st

    def weighted(s: WeightedProcess) -> "SearchStrategy[WeightedProcess]":
        weights = st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=s.mdp.choices, max_size=s.mdp.choices)
        return weights.map(lambda drawn: replace(s, weights=np.array(drawn)))

    return any_unique(WeightedProcess).flatmap(weighted).filter(lambda s: is_stable(s) is True)


def any_noise() -> "SearchStrategy[NoisyProcess]":
    """Any process with one optimal policy, and noise that changes it now and then."""
    from hypothesis import strategies as st

    return st.builds(lambda s, noise: replace(s, noise=noise), any_unique(NoisyProcess), st.floats(0.3, 1.0))


# Theorems


def crosses(s: StableProcess) -> bool:
    """Whether the policy is not optimal for the perturbed rewards, by more than rounding."""
    rewards = [s.mdp.rewards + np.asarray(s.direction)]
    return bool(optimality_margins(s.mdp, s.unique.policy, s.discount, rewards).margins[0] < -s.rounding)


def is_stable(s: StableProcess) -> bool | str:
    """Whether there is a radius of stability, or why not."""
    return s.stability if isinstance(s.stability, str) else True


UNIQUE: Hypotheses = {"the optimal policy is unique": is_stable}
CHANGEABLE: Hypotheses = {
    "the optimal policy is unique, and not without regard to the rewards that may move": is_stable
}
CROSSES: Hypotheses = {"the policy is not optimal for the perturbed rewards": crosses}
RADIUS_SYMBOLS = (
    MOVED
    + GAPS
    + "; $\\pi$: the optimal policy for $r$; $\\rho = \\min_c \\Delta(c) / \\|g_c\\|_1$, over the choices that $\\pi$ does "
    "not make, with $\\langle g_c, r \\rangle = V^\\pi(s) - Q^\\pi(c)$"
)

RADIUS = Theorem(
    name="policy-cliff/radius",
    title="The share of a gap that a perturbation takes is at most its size over the radius of stability",
    paper=Paper(PAPER, "Theorem 2.3, with the exact radius"),
    standing=Standing.DERIVED,
    statement=r"1 - \frac{Q'(\pi(s)) - Q'(c)}{\Delta(c)} \le \frac{\| r' - r \|}{\rho} \quad \text{for } \| r' - r \| < \rho",
    symbols=RADIUS_SYMBOLS,
    kind=EveryStep(rounding=lambda s: s.share_rounding),
    hypotheses=PROCESS | UNIQUE,
    run=move_within_stability,
    measured=lost_share,
    bound=lambda s, trace: trace["size"],
    settings=unique_grid,
    strategy=any_unique,
    controls={"twice the radius": move_within_twice_stability},
    remark="Below 1, the policy stays the only optimum. No larger radius will do: see `policy-cliff/radius-exact`.",
)

RADIUS_EXACT = Theorem(
    name="policy-cliff/radius-exact",
    title="Just beyond the radius of stability some perturbation changes the optimal policy",
    paper=Paper(PAPER, "Theorem 2.3, with the exact radius"),
    standing=Standing.DERIVED,
    statement=r"\forall\, \varepsilon > \rho\ \exists\, r':\quad \| r' - r \| = \varepsilon, \quad V'(s) > Q'(\pi(s)) \text{ for some } s",
    symbols=RADIUS_SYMBOLS + "; the witness moves against $\\mathrm{sign}(g_c)$ at the minimum",
    kind=Existence(),
    hypotheses=PROCESS | UNIQUE | TELLS,
    run=cross,
    measured=policy_changes,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=unique_grid,
    strategy=lambda: any_unique().filter(lambda s: s.tells_gaps),
    controls={"another direction": cross_elsewhere},
)

WEIGHTED_RADIUS = Theorem(
    name="policy-cliff/weighted-radius",
    title="The radius of stability of one component of the rewards",
    paper=Paper(PAPER, "Theorem 2.3, for one of several rewards, with the exact radius"),
    standing=Standing.DERIVED,
    statement=r"1 - \frac{Q'(\pi(s)) - Q'(c)}{\Delta(c)} \le \frac{\varepsilon}{\rho_w} \quad \text{for } "
    r"|r' - r| \le \varepsilon w, \ \varepsilon < \rho_w",
    symbols=MOVED
    + GAPS
    + "; $\\pi$: the optimal policy for $r$; $\\rho_w = \\min_c \\Delta(c) / \\sum_x w(x) |g_c(x)|$, over the choices that "
    "$\\pi$ does not make; $w \\ge 0$: the weight of the component in each reward",
    kind=EveryStep(rounding=lambda s: s.share_rounding),
    hypotheses=PROCESS | CHANGEABLE,
    run=move_within_stability,
    measured=lost_share,
    bound=lambda s, trace: trace["size"],
    settings=weighted_grid,
    strategy=any_weights,
    controls={"twice the radius": move_within_twice_stability},
)

RADIUS_LOWER = Theorem(
    name="policy-cliff/radius-lower",
    title="The radius of stability is at least (1 - gamma) times half the smallest gap",
    paper=Paper(PAPER, "Theorem 2.3, with the exact radius"),
    standing=Standing.DERIVED,
    statement=r"\frac{(1 - \gamma)\, \Delta_{\min}}{2} \le \rho",
    symbols=RADIUS_SYMBOLS + "; $\\Delta_{\\min}$: the smallest gap of a choice that $\\pi$ does not make",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | UNIQUE,
    run=measure_radius,
    measured=lambda s, trace: (1 - s.discount) * trace["half gap"],
    bound=lambda s, trace: trace["radius"],
    settings=unique_grid,
    strategy=any_unique,
    controls={"the radius of half the rewards": measure_radius_of_half},
    remark="Attained where the two choices lead to branches that never meet again.",
)

RADIUS_UPPER = Theorem(
    name="policy-cliff/radius-upper",
    title="The radius of stability is at most half the smallest gap",
    paper=Paper(PAPER, "Theorem 2.3, with the exact radius"),
    standing=Standing.DERIVED,
    statement=r"\rho \le \frac{\Delta_{\min}}{2}",
    symbols=RADIUS_SYMBOLS + "; $\\Delta_{\\min}$: the smallest gap of a choice that $\\pi$ does not make",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | UNIQUE,
    run=measure_radius,
    measured=lambda s, trace: trace["radius"],
    bound=lambda s, trace: trace["half gap"],
    settings=unique_grid,
    strategy=any_unique,
    controls={"the Euclidean radius": measure_euclidean},
    remark="Attained where the two choices lead to the same law, as in bandits: there the error of a reward counts once.",
)

CROSSING = Theorem(
    name="policy-cliff/crossing",
    title="Every path to rewards with another optimal policy meets a tie",
    paper=Paper(PAPER, "Proposition 2.4: where cliffs lie"),
    standing=Standing.DERIVED,
    statement=r"\pi \notin \Pi^*(r') \implies \exists\, t \in (0, 1):\quad \pi \in \Pi^*(r + t \delta), \ |\Pi^*(r + t \delta)| \ge 2",
    symbols=MOVED
    + "; $\\Pi^*(r)$: the optimal policies for $r$, of which $\\pi$ is the only one; the witness is found by "
    "halving",
    kind=Existence(),
    hypotheses=PROCESS | UNIQUE | CROSSES,
    run=walk,
    measured=meets_tie,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=crossing_grid,
    strategy=lambda: any_unique().filter(crosses),
    controls={"a shift of all rewards": walk_along_a_shift},
    remark="Rewards with ties lie on finitely many hyperplanes $\\langle g_c, r \\rangle = 0$: they have measure 0, but a "
    "path can't get round them.",
)

NOISE = (
    "$\\delta \\sim N(0, \\sigma^2 I)$: noise of the rewards; $g_c$: the gradients of the gaps $\\Delta(c)$ of choices that the "
    "optimal policy $\\pi$ does not make; $\\bar\\Phi$: the upper tail of the normal distribution"
)

NOISE_UPPER = Theorem(
    name="policy-cliff/noise-upper",
    title="Gaussian noise changes the policy no more often than all choices together would",
    paper=Paper(PAPER, "Theorem 2.3, under noise"),
    standing=Standing.DERIVED,
    statement=r"\Pr(\pi \text{ is not optimal for } r + \delta) \le \sum_c \bar\Phi\Bigl(\frac{\Delta(c)}{\sigma \|g_c\|_2}\Bigr)",
    symbols=NOISE,
    kind=InExpectation(rounding=lambda s: 1e-12, low=lambda s: 0.0, high=lambda s: 1.0),
    hypotheses=PROCESS | UNIQUE,
    run=observe,
    measured=lambda s, trace: trace["changed"],
    bound=lambda s, trace: np.full(trace.times.size, s.flips.sum()),
    settings=noisy_grid,
    strategy=any_noise,
    controls={"twice the noise": observe_more_noise},
    trivial=lambda s: 1.0,
)

NOISE_LOWER = Theorem(
    name="policy-cliff/noise-lower",
    title="Gaussian noise changes the policy at least as often as the closest choice alone would",
    paper=Paper(PAPER, "Theorem 2.3, under noise"),
    standing=Standing.DERIVED,
    statement=r"\Pr(\pi \text{ is optimal for } r + \delta) \le 1 - \max_c \bar\Phi\Bigl(\frac{\Delta(c)}{\sigma \|g_c\|_2}\Bigr)",
    symbols=NOISE,
    kind=InExpectation(rounding=lambda s: 1e-12, low=lambda s: 0.0, high=lambda s: 1.0),
    hypotheses=PROCESS | UNIQUE,
    run=observe,
    measured=lambda s, trace: 1 - trace["changed"],
    bound=lambda s, trace: np.full(trace.times.size, 1 - s.flips.max()),
    settings=noisy_grid,
    strategy=any_noise,
    controls={"half the noise": observe_less_noise},
    trivial=lambda s: 1.0,
)
