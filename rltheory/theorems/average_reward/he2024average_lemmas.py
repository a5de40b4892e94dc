r"""What the regret of LOOP rests on: planning within a span, confidence, and how often errors can recur.

The generalised eluder coefficient of the paper bounds, for a sequence of functions, the errors on what comes by those
on what came before. With :math:`E_i(c)` the error of the i-th function on choice c, and :math:`c_i` the i-th choice,

.. math:: W_i = \sum_{j < i} E_i(c_j)^2

is the error of the i-th function on the past.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import Walk
from rltheory.arrays import Array, Matrix, Vector, count, not_negative, positive
from rltheory.instances import hidden_action, random_ergodic_mdp, random_weakly_communicating_mdp, river_swim
from rltheory.problems.mdp import Indices
from rltheory.simulation import stream
from rltheory.solvers import Plausible, extended_value_iteration, optimistic_gain_by_bisection
from rltheory.theorems.average_reward.average_reward_process import (
    PROCESS,
    AverageRewardProcess,
    Hypotheses,
    weakly_communicating_mdps,
)
from rltheory.theorems.average_reward.he2024average import PAPER, WIDE_ENOUGH, Setting, any_setting
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

# Planning.

PRECISION, ACCURACY = 1e-9, 1e-4  # of value iteration, and of bisection


@dataclass(frozen=True, eq=False)
class Planning(AverageRewardProcess):
    """Data on a process, from which to plan.

    Parameters
    ----------
    span
        Bound H > 0 on the span of value functions.
    """

    span: float

    def __post_init__(self) -> None:
        positive(self.span, "span")

    def __str__(self) -> str:
        return f"{self.mdp}, H = {self.span:g}"


def _draw_data(s: Planning, rng: np.random.Generator) -> tuple[Matrix, Vector]:
    """Empirical laws and visits, as many as chance will have it; none of some choices."""
    visits = rng.geometric(0.05, s.mdp.choices) - 1
    seen = np.array([rng.multinomial(n, law / law.sum()) for n, law in zip(visits, s.laws, strict=True)], float)
    seen[visits == 0] = 1
    return seen / seen.sum(axis=1, keepdims=True), visits.astype(np.float64)


def _plausible(s: Planning, laws: Matrix, visits: Vector, scale: float = 1.0) -> Plausible:
    bonuses = np.where(visits > 0, scale * s.span / np.sqrt(np.maximum(visits, 1)), s.span + 1)
    return Plausible(s.mdp.first_choice, s.mdp.rewards, laws, bonuses, "bonus")


def plan_twice(s: Planning, rng: np.random.Generator) -> Trace:
    """Plan by truncated value iteration and by bisection, for several draws of data."""
    return _plan_twice(s, s.span, rng)


def plan_without_span(s: Planning, rng: np.random.Generator) -> Trace:
    """Value iteration is not truncated."""
    return _plan_twice(s, math.inf, rng)


def _plan_twice(s: Planning, span: float, rng: np.random.Generator) -> Trace:
    gains = []
    for _ in range(4):
        sets = _plausible(s, *_draw_data(s, rng))
        iterated = extended_value_iteration(sets, span=span, precision=PRECISION).gain
        gains.append([iterated, *optimistic_gain_by_bisection(sets, s.span, accuracy=ACCURACY)])
    return Trace("two planners", np.arange(4), {"gains": (("time", "planner"), np.array(gains))}, clock="draw")


def plan_with_growing_bonus(s: Planning, rng: np.random.Generator) -> Trace:
    """Plan for the same data with larger and larger multiples of the bonus."""
    data = _draw_data(s, rng)
    return _with_growing_bonus(s, [data] * len(SCALES))


def plan_with_new_data(s: Planning, rng: np.random.Generator) -> Trace:
    """Laws and visits are drawn anew for each multiple."""
    return _with_growing_bonus(s, [_draw_data(s, rng) for _ in SCALES])


SCALES = np.linspace(0.1, 1.2, 12)


def _with_growing_bonus(s: Planning, data: list[tuple[Matrix, Vector]]) -> Trace:
    sets = [_plausible(s, *drawn, scale) for drawn, scale in zip(data, SCALES, strict=True)]
    gains = np.array([extended_value_iteration(each, span=s.span, precision=PRECISION).gain for each in sets])
    rise = np.array([np.max(later.radii - before.radii) for before, later in pairwise(sets)])
    values = {"gain": gains[:-1], "next": gains[1:], "rise": rise}
    return Trace(
        "plans with growing bonus",
        np.arange(1, len(SCALES)),
        {name: (("time",), array) for name, array in values.items()},
        clock="multiple",
    )


def plannings() -> Iterator[Planning]:
    """Spans from tight to wide."""
    yield Planning(river_swim(4), 1.0)
    yield Planning(river_swim(6), 6.0)
    yield Planning(random_ergodic_mdp(stream(0, "planning", "ergodic"), 5, 3), 0.1)
    yield Planning(random_weakly_communicating_mdp(stream(0, "planning", "transient"), 6, 2), 0.5)
    yield Planning(hidden_action(advantage=0.1), 2.0)


def any_planning() -> "SearchStrategy[Planning]":
    """Any process and any span."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    return st.builds(Planning, weakly_communicating_mdps(), log_uniform(0.1, 3))


UNIT_REWARDS: Hypotheses = {"$0 \\le r \\le 1$": PROCESS["$0 \\le r \\le 1$"]}
DATA = (
    "$\\hat p_c, n_c$: empirical laws and visits; $b_c$: the bonus, $H / \\sqrt{n_c}$ here; $J(b)$: the largest J for "
    "which some V with values in $[0, H]$ has $V(s) + J \\le \\max_c [r_c + b_c + \\langle \\hat p_c, V \\rangle]$"
)

PLANNERS = Theorem(
    name="average-reward/planner",
    title="Truncated value iteration finds the largest gain that is plausible within a span",
    paper=Paper("fruit2018", "planning with a bounded span; derived here"),
    standing=Standing.DERIVED,
    statement=r"\lim_k \bigl(T u_k - u_k\bigr) = J(b), \quad T u = \min \{L u, \min L u + H\}, \quad "
    r"(L u)(s) = \max_c [r_c + b_c + \langle \hat p_c, u \rangle]",
    symbols=DATA + "; measured is the distance from $J(b)$ as bisection finds it, bounded by the precision of both",
    kind=EveryStep(rounding=lambda s: 1e-12),
    hypotheses=UNIT_REWARDS,
    run=plan_twice,
    measured=lambda s, trace: np.abs(trace["gains"][:, 0] - trace["gains"][:, 1:].mean(axis=1)),
    bound=lambda s, trace: PRECISION + np.diff(trace["gains"][:, 1:], axis=1)[:, 0] / 2,
    settings=plannings,
    strategy=any_planning,
    controls={"value iteration without truncation": plan_without_span},
    remark="For a given J, the largest V is the limit of $V \\leftarrow \\min \\{V, L V - J\\}$ from H on (Tarski); bisection "
    "asks whether it is $\\ge 0$.",
)

BONUS_GROWS = Theorem(
    name="average-reward/bonus",
    title="A larger bonus promises more, and no more than it adds",
    paper=Paper(PAPER, "optimism in a larger confidence set; derived here"),
    standing=Standing.DERIVED,
    statement=r"b \le b' \implies 0 \le J(b') - J(b) \le \max_c (b'_c - b_c)",
    symbols=DATA + "; measured is the distance of $J(b') - J(b)$ from the middle of its range",
    kind=EveryStep(rounding=lambda s: 2 * PRECISION),
    hypotheses=UNIT_REWARDS,
    run=plan_with_growing_bonus,
    measured=lambda s, trace: np.abs(trace["next"] - trace["gain"] - trace["rise"] / 2),
    bound=lambda s, trace: trace["rise"] / 2,
    settings=plannings,
    strategy=any_planning,
    controls={"data drawn anew": plan_with_new_data},
    remark="For given laws, J falls as visits grow. With $b_c = \\sqrt{\\beta / n_c}$ the box contains the ellipsoid of "
    "residuals with $\\sum_c n_c e_c^2 \\le \\beta$, and promises at least as much.",
)

# Confidence.


def draw_from_all_choices(s: Setting, rng: np.random.Generator) -> Trace:
    """Draw T next states of each choice; record how far the mean of V* strays, the farthest so far."""
    return _deviations(s, s.laws, rng)


def draw_elsewhere(s: Setting, rng: np.random.Generator) -> Trace:
    """Next states are uniform half of the time."""
    return _deviations(s, 0.5 * s.laws + 0.5 / s.mdp.states, rng)


def _deviations(s: Setting, laws: Matrix, rng: np.random.Generator) -> Trace:
    n = np.arange(1, s.horizon + 1)
    farthest = np.zeros(s.horizon)
    for law, mean in zip(laws, s.laws @ s.optimum.bias, strict=True):
        seen = s.optimum.bias[rng.choice(s.mdp.states, size=s.horizon, p=law / law.sum())]
        np.maximum(farthest, (mean - np.cumsum(seen) / n) * np.sqrt(n), out=farthest)
    times = record_times(s.horizon)[1:]
    farthest = np.maximum.accumulate(farthest)[times - 1]
    return Trace("draws of all choices", times, {"farthest": (("time",), farthest)}, clock="visit")


def walk_at_random(s: Setting, rng: np.random.Generator) -> Trace:
    """Follow random policies; record the largest error of empirical laws over all functions with values in [0, H]."""
    return _walk(s, s.laws, rng)


def walk_with_wrong_laws(s: Setting, rng: np.random.Generator) -> Trace:
    """The laws that are compared are mixed with uniform ones."""
    return _walk(s, 0.5 * s.laws + 0.5 / s.mdp.states, rng)


def _walk(s: Setting, laws: Matrix, rng: np.random.Generator) -> Trace:
    vertices = s.span * vertices_of_cube(s.mdp.states)
    times, farthest = record_times(s.horizon, points=20)[1:], 0.0
    record, walk = [], Walk(s.mdp, s.horizon, rng)
    for time in times:
        while walk.time < time:
            policy = rng.integers(s.mdp.first_choice[:-1], s.mdp.first_choice[1:])
            walk.follow(_Anything(policy, np.zeros(s.mdp.states)), longest=int(time) - walk.time)
        errors = (walk.empirical_laws() - laws) @ vertices.T
        farthest = max(farthest, float((walk.visits @ errors**2).max()))
        record.append(math.sqrt(farthest))
    return Trace("random policies", times, {"farthest": (("time",), np.array(record))}, clock="step")


@dataclass(frozen=True)
class _Anything:
    """A policy of which nothing is expected."""

    policy: Indices
    values: Vector
    gain: float = 0.0


def vertices_of_cube(dimension: int) -> Matrix:
    """All vectors of zeros and ones, shape (2^d, d)."""
    bits: Matrix = ((np.arange(2**dimension)[:, None] >> np.arange(dimension)) & 1).astype(np.float64)
    return bits


def box_radius(s: Setting) -> float:
    """What the deviations of V*, times the root of the visits, never exceed."""
    return s.span * math.sqrt(s.log / 2)


def joint_radius(s: Setting) -> float:
    """What the deviations of all functions, weighted by visits, never exceed."""
    choices, states = s.mdp.choices, s.mdp.states
    sizes = choices / 2 * math.log1p(s.horizon / choices) + (states - 1) * math.log(2)
    return s.span * math.sqrt(sizes + math.log(1 / s.delta))


def confidence_grid() -> Iterator[Setting]:
    """Processes with the least span that is allowed."""
    for mdp, horizon in (
        (river_swim(4), 3000),
        (random_ergodic_mdp(stream(0, "confidence", "ergodic"), 5, 3), 1000),
        (hidden_action(2, rate=0.5, advantage=0.1), 300),
    ):
        yield Setting(mdp, AverageRewardProcess(mdp).optimal_span, horizon)


CONFIDENCE = (
    "$\\hat p_c$: the empirical law of c after $n_c$ visits; C choices, S states; $H$: bound on the span of $V^*$; "
    "$T$: number of steps"
)

BOX_CONFIDENCE = Theorem(
    name="average-reward/box-confidence",
    title="The bonus covers what estimated laws lose of the optimal bias, at all times and for all choices",
    paper=Paper(PAPER, "confidence sets; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\sqrt{n}\, \langle p_c - \hat p_c, V^* \rangle \le H \sqrt{\tfrac12 \log \tfrac{C T}{\delta}} "
    r"\text{ for all } c \text{ and } n \le T",
    symbols=CONFIDENCE,
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: s.delta),
    hypotheses=PROCESS | WIDE_ENOUGH,
    run=draw_from_all_choices,
    measured=lambda s, trace: trace["farthest"],
    bound=lambda s, trace: np.full(trace.times.size, box_radius(s)),
    trivial=lambda s: s.span * math.sqrt(s.horizon),
    settings=confidence_grid,
    strategy=any_setting,
    controls={"uniform next states half of the time": draw_elsewhere},
)

JOINT_CONFIDENCE = Theorem(
    name="average-reward/joint-confidence",
    title="Estimated laws err little on all functions at once, weighted by visits",
    paper=Paper(PAPER, "confidence sets; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\sum_c n_c \langle \hat p_c - p_c, V \rangle^2 \le H^2 \Bigl(\tfrac{C}{2} \log \bigl(1 + \tfrac{T}{C}\bigr) "
    r"+ (S - 1) \log 2 + \log \tfrac1\delta\Bigr) \text{ for all } V \in [0, H]^S,\ t \le T",
    symbols=CONFIDENCE + "; measured is the root of the left side, which is largest where V has values 0 and H only",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: s.delta),
    hypotheses=PROCESS,
    run=walk_at_random,
    measured=lambda s, trace: trace["farthest"],
    bound=lambda s, trace: np.full(trace.times.size, joint_radius(s)),
    trivial=lambda s: s.span * math.sqrt(s.horizon),
    settings=confidence_grid,
    strategy=any_setting,
    controls={"wrong laws": walk_with_wrong_laws},
    remark="A cover of $[0, H]^S$ by $\\lceil \\sqrt T \\rceil^S$ points would give $S \\log \\lceil \\sqrt T \\rceil$ in place of "
    "$(S - 1) \\log 2$, and an H besides: the left side is convex in V, so that the vertices are enough, of which opposite "
    "ones agree. It makes $|\\sqrt{\\hat W} - \\sqrt W|$ as small for all Q and J.",
)

# How often errors can recur.


@dataclass(frozen=True, eq=False)
class ErrorSequence:
    """A sequence of choices, and of functions that err on them.

    Parameters
    ----------
    choices
        Number C >= 1 of choices.
    horizon
        Number T >= 1 of functions.
    largest
        Largest error B > 0.
    decay
        A function errs by B n^-decay on its own choice, if that was made n times before, and by B if never; >= 0.
    elsewhere
        Largest error on other choices, >= 0 and <= B.
    shuffled
        Whether choices are made at random, instead of in turn.
    """

    choices: int
    horizon: int
    largest: float = 1.0
    decay: float = 0.5
    elsewhere: float = 0.0
    shuffled: bool = False

    def __post_init__(self) -> None:
        count(self.choices, "choices", at_least=1)
        count(self.horizon, "horizon", at_least=1)
        positive(self.largest, "largest")
        not_negative(self.decay, "decay")
        if not_negative(self.elsewhere, "elsewhere") > self.largest:
            raise ValueError(f"elsewhere is {self.elsewhere}; it must be at most largest, {self.largest}")

    def __str__(self) -> str:
        order = "at random" if self.shuffled else "in turn"
        return f"{self.choices} choices {order}, T = {self.horizon}, errors as n^-{self.decay:g}"


def err(s: ErrorSequence, rng: np.random.Generator) -> Trace:
    """Make the choices; record sums of errors and of those on the past."""
    return _sums(s, *_sequence(s, rng))


def err_again(s: ErrorSequence, rng: np.random.Generator) -> Trace:
    """Errors on the own choice never shrink, and are missing in the errors on the past."""
    return _sums(s, np.full(s.horizon, s.largest), np.zeros(s.horizon))


def _sequence(s: ErrorSequence, rng: np.random.Generator) -> tuple[Vector, Vector]:
    """Errors of the functions on their own choices, and on the past."""
    made = rng.integers(s.choices, size=s.horizon) if s.shuffled else np.arange(s.horizon) % s.choices
    visits = np.zeros((s.horizon, s.choices))
    visits[1:] = np.cumsum(np.eye(s.choices)[made[:-1]], axis=0)
    errors = s.elsewhere * rng.uniform(-1, 1, (s.horizon, s.choices))
    steps = np.arange(s.horizon)
    errors[steps, made] = s.largest * np.maximum(visits[steps, made], 1) ** -s.decay
    return errors[steps, made], (visits * errors**2).sum(axis=1)


def _sums(s: ErrorSequence, own: Vector, past: Vector) -> Trace:
    times = record_times(s.horizon)[1:]
    curves = {
        "errors": np.cumsum(np.abs(own)),
        "squares": np.cumsum(own**2),
        "past": np.cumsum(past),
        "largest_past": np.maximum.accumulate(past),
    }
    return Trace(
        "errors", times, {name: (("time",), curve[times - 1]) for name, curve in curves.items()}, clock="function"
    )


def coefficient(s: ErrorSequence, trace: Trace) -> Array:
    """Eluder coefficient of C choices after t functions."""
    found: Array = s.choices * (1 + np.log(np.maximum(trace.times, s.choices) / s.choices))
    return found


def sequences() -> Iterator[ErrorSequence]:
    """Sequences from adverse to random."""
    yield ErrorSequence(4, 40)
    yield ErrorSequence(4, 40, decay=1.0)
    yield ErrorSequence(12, 100_000)
    yield ErrorSequence(3, 30_000, decay=1.0)
    yield ErrorSequence(5, 1000, 3.0, decay=0.7, elsewhere=0.5, shuffled=True)
    yield ErrorSequence(20, 10, elsewhere=1.0, shuffled=True)


def any_sequence() -> "SearchStrategy[ErrorSequence]":
    """Any sequence of up to six choices."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    @st.composite
    def draw_sequences(draw: "DrawFn") -> ErrorSequence:
        largest = draw(log_uniform(0.1, 10))
        return ErrorSequence(
            choices=draw(st.integers(1, 6)),
            horizon=draw(st.sampled_from([1, 7, 50, 1000])),
            largest=largest,
            decay=draw(st.floats(0, 2)),
            elsewhere=draw(st.sampled_from([0.0, 0.1, 1.0])) * largest,
            shuffled=draw(st.booleans()),
        )

    return draw_sequences()


RECURRENCE: Hypotheses = {"$|E_i(c)| \\le B$": BY_CONSTRUCTION}
ELUDER = (
    "$E_i(c)$: error of the i-th function on choice c, of C; $c_i$: the i-th choice; $W_i = \\sum_{j < i} E_i(c_j)^2$; "
    "$d_t = C (1 + \\log (\\max(t, C) / C))$"
)

DOMINANCE = Theorem(
    name="eluder/dominance",
    title="Errors are dominated by those on the past",
    paper=Paper(PAPER, "average-reward generalised eluder coefficient; constants of tabular processes derived here"),
    standing=Standing.DERIVED,
    statement=r"\sum_{i \le t} |E_i(c_i)| \le C B + \sqrt{d_t \sum_{i \le t} W_i}",
    symbols=ELUDER,
    kind=EveryStep(rounding=lambda s: 1e-12 * s.horizon * s.largest),
    hypotheses=RECURRENCE,
    run=err,
    measured=lambda s, trace: trace["errors"],
    bound=lambda s, trace: s.choices * s.largest + np.sqrt(coefficient(s, trace) * trace["past"]),
    settings=sequences,
    strategy=any_sequence,
    controls={"errors forgotten": err_again},
    remark="Choices in turn with errors $1 / n$ come within 4 % of the bound.",
)

TRANSFERABILITY = Theorem(
    name="eluder/transferability",
    title="Functions that are good on the past are good on what comes, most of the time",
    paper=Paper(PAPER, "average-reward generalised eluder coefficient; constants of tabular processes derived here"),
    standing=Standing.DERIVED,
    statement=r"\sum_{i \le t} E_i(c_i)^2 \le C B^2 + d_t \max_{i \le t} W_i",
    symbols=ELUDER,
    kind=EveryStep(rounding=lambda s: 1e-12 * s.horizon * s.largest**2),
    hypotheses=RECURRENCE,
    run=err,
    measured=lambda s, trace: trace["squares"],
    bound=lambda s, trace: s.choices * s.largest**2 + coefficient(s, trace) * trace["largest_past"],
    settings=sequences,
    strategy=any_sequence,
    controls={"errors forgotten": err_again},
    remark="Choices in turn with errors $n^{-1/2}$ come within 4 % of the bound.",
)


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors that are shown one after the other.

    Parameters
    ----------
    dimension
        d >= 1.
    horizon
        Number T >= 1 of vectors.
    regularisation
        Lambda > 0, in units of squared length.
    length
        Length L > 0 of the vectors.
    correlated
        Whether directions are drawn, most of them near the first axis, instead of being the axes in turn.
    """

    dimension: int
    horizon: int
    regularisation: float = 1.0
    length: float = 1.0
    correlated: bool = False

    def __post_init__(self) -> None:
        count(self.dimension, "dimension", at_least=1)
        count(self.horizon, "horizon", at_least=1)
        positive(self.regularisation, "regularisation")
        positive(self.length, "length")

    def __str__(self) -> str:
        kind = "correlated directions" if self.correlated else "axes in turn"
        return (
            f"d = {self.dimension}, T = {self.horizon}, L^2 = {self.length**2 / self.regularisation:g} lambda, {kind}"
        )


def show(s: Vectors, rng: np.random.Generator) -> Trace:
    """Show the vectors; record how large each was in the norm that the ones before it made."""
    return _potential(s, _vectors(s, rng), remember=True)


def show_without_memory(s: Vectors, rng: np.random.Generator) -> Trace:
    """The norm never changes."""
    return _potential(s, _vectors(s, rng), remember=False)


def _vectors(s: Vectors, rng: np.random.Generator) -> Matrix:
    if not s.correlated:
        return s.length * np.eye(s.dimension)[np.arange(s.horizon) % s.dimension]
    directions = rng.standard_normal((s.horizon, s.dimension)) * 0.3 ** np.arange(s.dimension)
    rows: Matrix = s.length * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return rows


def _potential(s: Vectors, vectors: Matrix, *, remember: bool) -> Trace:
    matrix, total = s.regularisation * np.eye(s.dimension), 0.0
    record = []
    for x in vectors:
        total += min(1.0, float(x @ np.linalg.solve(matrix, x)))
        if remember:
            matrix = matrix + np.outer(x, x)
        ratio = float(np.linalg.slogdet(matrix)[1]) - s.dimension * math.log(s.regularisation)
        record.append([total, ratio])
    times = record_times(s.horizon)[1:]
    sums = np.array(record)[times - 1]
    curves = {"potential": sums[:, 0], "log_determinant": sums[:, 1]}
    return Trace("vectors", times, {name: (("time",), curve) for name, curve in curves.items()}, clock="vector")


def vectors() -> Iterator[Vectors]:
    """Vectors as long as the regularisation, and longer, and shorter."""
    yield Vectors(3, 3)
    yield Vectors(2, 500)
    yield Vectors(3, 500, regularisation=4.0, correlated=True)
    yield Vectors(5, 300, regularisation=0.1, correlated=True)


def any_vectors() -> "SearchStrategy[Vectors]":
    """Vectors of up to four dimensions."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    sizes = log_uniform(0.1, 10)
    return st.builds(
        Vectors, st.integers(1, 4), st.sampled_from([1, 3, 20, 100]), sizes, sizes, correlated=st.booleans()
    )


POTENTIAL = Theorem(
    name="eluder/elliptical-potential",
    title="Vectors cannot be long again and again in the norm that they make",
    paper=Paper("abbasi2011", "the elliptical potential lemma"),
    standing=Standing.DERIVED,
    statement=r"\sum_{i \le t} \min \{1, \|x_i\|^2_{\Lambda_{i-1}^{-1}}\} \le "
    r"2 d \log \Bigl(1 + \frac{t L^2}{d \lambda}\Bigr), \quad \Lambda_i = \lambda I + \sum_{j \le i} x_j x_j^\top",
    symbols="$x_i$: vectors of $d$ dimensions and length $L$ at most; $\\lambda$: regularisation",
    kind=EveryStep(rounding=lambda s: 1e-9),
    hypotheses={"$\\|x_i\\| \\le L$": BY_CONSTRUCTION},
    run=show,
    measured=lambda s, trace: trace["potential"],
    bound=lambda s, trace: 2 * s.dimension * np.log1p(trace.times * s.length**2 / (s.dimension * s.regularisation)),
    trivial=lambda s: float(s.horizon),
    settings=vectors,
    strategy=any_vectors,
    controls={"a norm that never changes": show_without_memory},
    remark="The middle of the proof is $2 \\log (\\det \\Lambda_t / \\lambda^d)$. So linear functions have the eluder coefficient "
    "$2 d \\log (1 + t L^2 / (d \\lambda))$ with errors on the past in the norm of $\\Lambda$.",
)
