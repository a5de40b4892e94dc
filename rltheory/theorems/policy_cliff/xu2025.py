"""The map from rewards to optimal values and choices: Lipschitz for the values, upper hemicontinuous for the choices.

What the policy does with it is in :mod:`rltheory.theorems.policy_cliff.xu2025_stability` where it is unique, and in
:mod:`rltheory.theorems.policy_cliff.xu2025_cliffs` where choices tie.
"""

import math
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import Array, Matrix, Vector, float_array
from rltheory.instances import bandit, tied_mdp, two_branches
from rltheory.measures import action_gaps
from rltheory.simplex import span
from rltheory.simulation import stream
from rltheory.solvers import HemicontinuityRadius, hemicontinuity_radius, policy_iteration
from rltheory.theorems.discounted.discounted_process import (
    PROCESS,
    DiscountedProcess,
    Hypotheses,
    discounted_processes,
    processes,
)
from rltheory.theory import EveryStep, Existence, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "xu2025"
SIZES = np.geomspace(1e-3, 1, 7)  # of the perturbations of a sweep
INSIDE = np.array([0.01, 0.1, 0.3, 0.6, 0.9, 0.99, 0.999])  # of a radius
ACCURACY = 1e-11  # of optimal values, relative to the largest


# Settings


@dataclass(frozen=True, eq=False)
class PerturbedProcess(DiscountedProcess):
    """A discounted process, and a direction in which its rewards move.

    Parameters
    ----------
    direction : array, shape (C,), optional
        What is added to the rewards, times the size of the perturbation; 1 for each choice by default.
    """

    direction: ArrayLike | None = None

    def __post_init__(self) -> None:
        self.check_vector("direction")

    def check_vector(self, name: str) -> None:
        """Check a field that has a number for each choice, 1 by default."""
        given = getattr(self, name)
        vector = np.ones(self.mdp.choices) if given is None else float_array(given, name, ndim=1)
        if vector.size != self.mdp.choices:
            raise ValueError(f"{name} has {vector.size} entries for {self.mdp.choices} choices; give one for each")
        object.__setattr__(self, name, vector)

    @property
    def unit(self) -> Vector:
        """The direction, with 1 as its largest entry in size."""
        direction = np.asarray(self.direction)
        largest = np.abs(direction).max()
        unit: Vector = direction / largest if largest > 0 else direction
        return unit

    @property
    def scale(self) -> float:
        """Largest value of a choice in a sweep, in which rewards move by 1 or by the direction, whichever is larger."""
        return self.largest_value + max(1.0, float(np.abs(np.asarray(self.direction)).max())) * self.horizon

    @property
    def accuracy(self) -> float:
        """Largest error of the optimal values of a sweep."""
        return ACCURACY * self.scale

    def solved(self, rewards: Vector) -> Vector:
        """Optimal values of the choices under other rewards."""
        values = policy_iteration(self.mdp.with_rewards(rewards), self.discount, accuracy=self.accuracy).values
        found: Vector = rewards + self.discount * (self.laws @ values)
        return found

    @property
    def rounding(self) -> float:
        """Allowance for a difference of two optimal values, each as accurate as the solver is asked for."""
        return 8 * self.accuracy

    @cached_property
    def action_values_before(self) -> Vector:
        """Optimal values of the choices under the rewards of the process."""
        return self.solved(self.mdp.rewards)

    @cached_property
    def gaps(self) -> Vector:
        """What each choice loses under the rewards of the process."""
        return action_gaps(self.mdp, self.action_values_before)

    @cached_property
    def hemicontinuity(self) -> HemicontinuityRadius:
        """Radius within which no choice becomes optimal."""
        return hemicontinuity_radius(self.mdp, self.discount)

    @property
    def reach(self) -> float:
        """That radius, or 1 where every choice is optimal, and remains so for lack of another."""
        return self.hemicontinuity.radius if math.isfinite(self.hemicontinuity.radius) else 1.0

    @property
    def tells_gaps(self) -> bool:
        """Whether a thousandth of the smallest gap is clear of rounding."""
        return 1e-3 * self.hemicontinuity.radius > self.rounding


# Runs


def sweep(s: PerturbedProcess, sizes: Vector, perturbations: Matrix) -> Trace:
    """Solve the process under perturbed rewards."""
    solved = np.array([s.solved(s.mdp.rewards + perturbation) for perturbation in perturbations])
    return Trace(
        "perturbed rewards",
        np.arange(len(solved)),
        {
            "size": (("time",), sizes),
            "perturbation": (("time", "choice"), perturbations),
            "action_values": (("time", "choice"), solved),
        },
        clock="perturbation",
    )


def move(s: PerturbedProcess, rng: np.random.Generator) -> Trace:
    """Perturbations from small to as large as the direction."""
    return sweep(s, SIZES, SIZES[:, None] * np.asarray(s.direction))


def move_twice_as_far(s: PerturbedProcess, rng: np.random.Generator) -> Trace:
    """The rewards move twice as far as is recorded."""
    trace = sweep(s, SIZES, 2 * SIZES[:, None] * np.asarray(s.direction))
    half = trace["perturbation"] / 2
    return replace(trace, values={**trace.values, "perturbation": (("time", "choice"), half)})


def move_within_hemicontinuity(s: PerturbedProcess, rng: np.random.Generator) -> Trace:
    """Perturbations up to the radius within which no choice becomes optimal."""
    return move_within(s, s.reach)


def move_within_half_gap(s: PerturbedProcess, rng: np.random.Generator) -> Trace:
    """Perturbations up to half the smallest gap."""
    return move_within(s, s.reach / (1 - s.discount))


def move_within(s: PerturbedProcess, radius: float) -> Trace:
    """Perturbations up to a radius, in the setting's direction."""
    return sweep(s, INSIDE, radius * INSIDE[:, None] * s.unit)


# Sides


def changes(s: PerturbedProcess, trace: Trace) -> Matrix:
    """Changes of the optimal values of the choices."""
    found: Matrix = trace["action_values"] - s.action_values_before
    return found


def two_sided(s: PerturbedProcess, trace: Trace) -> Array:
    """Distances of the changes from the bounds on the other side, whichever is larger."""
    moved, low, high = changes(s, trace), trace["perturbation"].min(axis=1), trace["perturbation"].max(axis=1)
    found: Array = np.maximum(moved.max(axis=1) - s.horizon * low, s.horizon * high - moved.min(axis=1))
    return found


def lost_gaps(s: PerturbedProcess, trace: Trace) -> Array:
    """Largest loss of a gap."""
    found: Array = (s.gaps - action_gaps(s.mdp, trace["action_values"])).max(axis=1)
    return np.maximum(found, 0.0)


def optimal_choices(s: PerturbedProcess, trace: Trace) -> NDArray[np.bool_]:
    """Which choices are optimal under perturbed rewards, up to rounding."""
    chosen: NDArray[np.bool_] = action_gaps(s.mdp, trace["action_values"]) <= s.rounding
    return chosen


def loss_of_chosen(s: PerturbedProcess, trace: Trace) -> Array:
    """What an optimal choice of the perturbed rewards loses, at most, under the old ones."""
    chosen = optimal_choices(s, trace)
    found: Array = np.where(chosen, s.gaps, 0.0).max(axis=1)
    return found


def no_new_choice(s: PerturbedProcess, trace: Trace) -> NDArray[np.bool_]:
    """Whether all optimal choices were optimal before."""
    chosen = optimal_choices(s, trace)
    return np.asarray((s.hemicontinuity.optimal | ~chosen).all(axis=1))


def mean_change(s: PerturbedProcess, trace: Trace) -> Array:
    """Change of the optimal values of states, on average over these."""
    before, after = (
        np.maximum.reduceat(values, s.mdp.first_choice[:-1], axis=-1).mean(axis=-1)
        for values in (s.action_values_before, trace["action_values"])
    )
    found: Array = after - before
    return found


def largest_slope(s: PerturbedProcess, trace: Trace) -> Array:
    """Mean of the largest values, with the perturbation as reward, of policies that were optimal before."""
    # A fine that nothing makes up for keeps policies to the choices that were optimal.
    fined = float(s.unit.min() - np.ptp(s.unit) * s.horizon - 1)
    direction = np.where(s.hemicontinuity.optimal, s.unit, fined)
    accuracy = ACCURACY * (1 + abs(fined)) * s.horizon
    slope = policy_iteration(s.mdp.with_rewards(direction), s.discount, accuracy=accuracy).values.mean()
    found: Array = trace["size"] * s.reach * slope
    return found


# Grids and strategies


def signs(*address: object, size: int) -> Vector:
    """Random signs, named by what they are for."""
    return stream(0, "policy cliff", *address).choice([-1.0, 1.0], size)


BRANCHES = two_branches()
APART = np.array([-1.0, 1.0, -1.0, 1.0])  # lowers all that the first branch pays, and raises the second


@cache
def grid() -> tuple[PerturbedProcess, ...]:
    """Processes of every kind with random signs, and those in which errors add up most."""
    ties = [
        (tied_mdp(stream(0, "policy cliff", "ties", discount), 20, 3, 4, discount), discount) for discount in (0.5, 0.9)
    ]
    return (
        *(
            PerturbedProcess(mdp, discount, "random signs", signs(k, size=mdp.choices))
            for k, (mdp, discount) in enumerate([*processes(), *ties])
        ),
        PerturbedProcess(BRANCHES, 0.9, "a shift"),
        PerturbedProcess(BRANCHES, 0.9, "branches apart", APART),
        PerturbedProcess(BRANCHES, 0.99, "branches apart", APART),
        PerturbedProcess(two_branches(1.0, 0.8), 0.9, "just beyond the gap", 0.09001 * APART),
        PerturbedProcess(bandit([1.0, 0.5, 0.2]), 0.0, "arms apart", [-1, 1, 1]),
    )


def any_perturbation() -> "SearchStrategy[PerturbedProcess]":
    """Any process and any direction."""
    return with_directions(discounted_processes(PerturbedProcess))


def with_directions(processes: "SearchStrategy[Any]") -> "SearchStrategy[Any]":
    """Drawn processes with a drawn direction."""
    from hypothesis import strategies as st

    # What filters of these draws call is compiled before: inside a draw Hypothesis takes offence at the random numbers
    # that name the files of the cache.
    assert PerturbedProcess(BRANCHES, 0.5).tells_gaps

    numbers = st.sampled_from([-1.0, 0.0, 1.0]) | st.floats(-1, 1).map(lambda x: round(x, 3))

    def directed(s: PerturbedProcess) -> "SearchStrategy[PerturbedProcess]":
        directions = st.lists(numbers, min_size=s.mdp.choices, max_size=s.mdp.choices).map(np.array)
        return directions.map(lambda direction: replace(s, direction=direction))

    return processes.flatmap(directed)


# Theorems

TELLS: Hypotheses = {"float64 tells a thousandth of the smallest gap from rounding": lambda s: s.tells_gaps}
TWICE = {"rewards move twice as far": move_twice_as_far}

MOVED = (
    "$r$: the rewards; $r' = r + \\delta$: perturbed ones; $Q, Q'$: optimal values of the choices $c$ under these; "
    "$\\|\\cdot\\|$: the largest size of an entry"
)
SPAN = "; $\\mathrm{sp}(x) = \\max x - \\min x$"
GAPS = (
    "; $\\Delta(c) = \\max_{c'} Q(c') - Q(c)$: the gap of a choice, $c'$ in the same state; $\\Delta'$: that under $r'$"
)

LIPSCHITZ = Theorem(
    name="policy-cliff/lipschitz",
    title="Optimal values move by the horizon times the largest change of a reward, at most",
    paper=Paper(PAPER, "Proposition 2.1"),
    standing=Standing.SEEN,
    statement=r"\| Q' - Q \| \le \frac{\| r' - r \|}{1 - \gamma}",
    symbols=MOVED,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=move,
    measured=lambda s, trace: np.abs(changes(s, trace)).max(axis=1),
    bound=lambda s, trace: s.horizon * np.abs(trace["perturbation"]).max(axis=1),
    settings=grid,
    strategy=any_perturbation,
    controls=TWICE,
    trivial=lambda s: 2 * s.scale,
    remark="A shift of all rewards attains it, and changes no policy: see `policy-cliff/span`.",
)

SPAN_OF_VALUES = Theorem(
    name="policy-cliff/span",
    title="Differences of optimal values move by the horizon times the span of the perturbation, at most",
    paper=Paper(PAPER, "Proposition 2.1, without regard to constants"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{sp}(Q' - Q) \le \frac{\mathrm{sp}(r' - r)}{1 - \gamma}",
    symbols=MOVED + SPAN,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=move,
    measured=lambda s, trace: span(changes(s, trace)),
    bound=lambda s, trace: s.horizon * span(trace["perturbation"]),
    settings=grid,
    strategy=any_perturbation,
    controls=TWICE,
)

TWO_SIDED = Theorem(
    name="policy-cliff/two-sided",
    title="Optimal values rise by the horizon times something between the extremes of the perturbation",
    paper=Paper(PAPER, "Proposition 2.1, from both sides"),
    standing=Standing.DERIVED,
    statement=r"\frac{\min \delta}{1 - \gamma} \le Q'(c) - Q(c) \le \frac{\max \delta}{1 - \gamma}",
    symbols=MOVED + "; the sides are measured from the other bound: at most $\\mathrm{sp}(\\delta) / (1 - \\gamma)$",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=move,
    measured=two_sided,
    bound=lambda s, trace: s.horizon * span(trace["perturbation"]),
    settings=grid,
    strategy=any_perturbation,
    controls=TWICE,
)

LOST_GAPS = Theorem(
    name="policy-cliff/gaps",
    title="Gaps shrink by the horizon times the span of the perturbation, at most",
    paper=Paper(PAPER, "Lemma 2.2, with constants"),
    standing=Standing.DERIVED,
    statement=r"\Delta(c) - \Delta'(c) \le \frac{\mathrm{sp}(r' - r)}{1 - \gamma}",
    symbols=MOVED + SPAN + GAPS,
    kind=EveryStep(rounding=lambda s: 2 * s.rounding),
    hypotheses=PROCESS,
    run=move,
    measured=lost_gaps,
    bound=lambda s, trace: s.horizon * span(trace["perturbation"]),
    settings=grid,
    strategy=any_perturbation,
    controls=TWICE,
)

TIE_BREAKER = Theorem(
    name="policy-cliff/tie-breaker",
    title="What is optimal with a tie-breaker loses no more than its span times the horizon without",
    paper=Paper(PAPER, "Proposition 3.2, as a rule for design"),
    standing=Standing.DERIVED,
    statement=r"\Delta'(c) = 0 \implies \Delta(c) \le \frac{\mathrm{sp}(\delta)}{1 - \gamma}",
    symbols=MOVED + SPAN + GAPS,
    kind=EveryStep(rounding=lambda s: 2 * s.rounding),
    hypotheses=PROCESS,
    run=move,
    measured=loss_of_chosen,
    bound=lambda s, trace: s.horizon * span(trace["perturbation"]),
    settings=grid,
    strategy=any_perturbation,
    controls=TWICE,
    remark="Gaps are 0 or at least $\\Delta_{\\min}$. So with a span below $(1 - \\gamma) \\Delta_{\\min}$ a tie-breaker chooses "
    "among optimal choices only.",
)

HEMICONTINUITY = Theorem(
    name="policy-cliff/hemicontinuity",
    title="No choice becomes optimal within (1 - gamma) times half the smallest gap",
    paper=Paper(PAPER, "Lemma 2.2, with a radius"),
    standing=Standing.DERIVED,
    statement=r"\| r' - r \| < \frac{(1 - \gamma)\, \Delta_{\min}}{2} \implies \{c : \Delta'(c) = 0\} \subseteq \{c : \Delta(c) = 0\}",
    symbols=MOVED + GAPS + "; $\\Delta_{\\min}$: the smallest gap above 0",
    kind=Existence(),
    hypotheses=PROCESS | TELLS,
    run=move_within_hemicontinuity,
    measured=no_new_choice,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=grid,
    strategy=lambda: any_perturbation().filter(lambda s: s.tells_gaps),
    controls={"within half the smallest gap": move_within_half_gap},
    remark="Choices may tie, and the sets may well shrink: see `policy-cliff/sets-shrink`. Half the smallest gap is the "
    "distance in values, and too far in rewards.",
)

KINK = Theorem(
    name="policy-cliff/slope",
    title="Optimal values are linear near any reward, with the steepest of the optimal policies as slope",
    paper=Paper(PAPER, "Proposition 2.1, to first order"),
    standing=Standing.DERIVED,
    statement=r"V'(s) = V(s) + \max_{\pi \in \Pi^*(r)} \langle D_s^\pi, \delta \rangle \quad \text{for } \| \delta \| < "
    r"\frac{(1 - \gamma)\, \Delta_{\min}}{2}",
    symbols=MOVED
    + "; $\\Pi^*(r)$: the optimal policies for $r$; $D_s^\\pi$: the expected discounted numbers of times that "
    "$\\pi$ makes each choice from $s$ on; both sides less $V$, on average over the states",
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | TELLS,
    run=move_within_hemicontinuity,
    measured=mean_change,
    bound=largest_slope,
    settings=grid,
    strategy=lambda: any_perturbation().filter(lambda s: s.tells_gaps),
    controls={"within half the smallest gap": move_within_half_gap},
    remark="The optimal values are convex in the rewards. They have kinks where optimal policies differ in what they visit.",
)
