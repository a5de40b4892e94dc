r"""Value iteration converges; what its iterates certify, what their greedy policies lose, and what errors do to it.

Throughout, :math:`v_{k+1} = T v_k + e_k` with the optimality operator T, :math:`\pi_k` is greedy for :math:`v_k`,
:math:`\|\cdot\|` the largest absolute value and :math:`\mathrm{sp}` the span, largest minus smallest value.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import value_iteration
from rltheory.algorithms.discounted.value_iteration import checked_errors, checked_start
from rltheory.arrays import Array, Matrix, Vector
from rltheory.instances import combination_lock, garnet, river_swim
from rltheory.problems import TabularMDP, deterministic_policy
from rltheory.problems.mdp import Indices
from rltheory.simplex import span
from rltheory.simulation import stream
from rltheory.solvers import discounted_values
from rltheory.theorems.discounted.discounted_process import (
    PROCESS,
    DiscountedProcess,
    Hypotheses,
    discounted_processes,
    processes,
)
from rltheory.theory import EveryStep, Geometric, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

JUST_ABOVE = 1 + 1e-7  # breaks ties the wrong way, whatever rounding does


@dataclass(frozen=True, eq=False)
class ValueIteration(DiscountedProcess):
    """A run of value iteration.

    Parameters
    ----------
    start : array, shape (S,), optional
        First values, in units of reward; 0 by default.
    errors : array, shape (E, S), optional
        What is added to the backups, row after row, and from the first row again; nothing by default.
    """

    start: Vector | None = None
    errors: Matrix | None = None

    def __post_init__(self) -> None:
        checked_start(self.start, self.mdp)
        checked_errors(self.errors, self.mdp)

    @property
    def iterations(self) -> int:
        """Enough for the discount's power to fall to 1e-12."""
        return math.ceil(-12 * math.log(10) / math.log(max(self.discount, 1e-6)))

    @property
    def error_size(self) -> float:
        """Largest absolute value of an error."""
        return 0.0 if self.errors is None else float(np.abs(self.errors).max())

    @property
    def largest_value(self) -> float:
        """Largest size of a value of the run."""
        first = 0.0 if self.start is None else float(np.abs(self.start).max())
        return max(super().largest_value, first) + self.error_size * self.horizon

    @cached_property
    def ergodicity(self) -> float:
        """Largest distance in total variation between the laws of two choices, wherever they are made."""
        return max(float(np.abs(self.laws - law).sum(axis=1).max()) / 2 for law in self.laws)


EXACT: Hypotheses = PROCESS | {"backups without errors": lambda s: s.errors is None}


def play(s: ValueIteration, rng: np.random.Generator) -> Trace:
    """Run value iteration, and evaluate the greedy policies."""
    return play_discounted(s, s.discount)


def play_discounted(s: ValueIteration, discount: float) -> Trace:
    """Run it at some discount; the policies are evaluated at the setting's."""
    trace = value_iteration(s.mdp, discount, iterations=s.iterations, start=s.start, errors=s.errors)
    return evaluated(s, trace)


def evaluated(s: DiscountedProcess, trace: Trace) -> Trace:
    """Add the greedy policies' own values to a run."""
    return replace(
        trace, values={**trace.values, "greedy_values": (("time", "state"), policy_values(s, trace["made"]))}
    )


def policy_values(s: DiscountedProcess, made: Indices) -> Matrix:
    """Values of policies, one in each row."""
    policies, number = np.unique(made, axis=0, return_inverse=True)
    found = [discounted_values(s.mdp, deterministic_policy(s.mdp, row), s.discount).values for row in policies]
    return np.array(found)[number.ravel()]


# Wrong runs, to be told from right ones.


def play_with_longer_horizon(s: ValueIteration, rng: np.random.Generator) -> Trace:
    """The discount is half as far from 1."""
    return play_discounted(s, (1 + s.discount) / 2)


def play_with_half_discount(s: ValueIteration, rng: np.random.Generator) -> Trace:
    """The discount is halved."""
    return play_discounted(s, s.discount / 2)


def play_keeping_choices(s: ValueIteration, rng: np.random.Generator) -> Trace:
    """The policy stays greedy for the first values."""
    trace = play(s, rng)
    kept = np.broadcast_to(trace["made"][0], trace["made"].shape)
    return evaluated(s, replace(trace, values={**trace.values, "made": (("time", "state"), kept)}))


def play_with_doubled_errors(s: ValueIteration, rng: np.random.Generator) -> Trace:
    """The errors are twice as large as they may be."""
    return play(replace(s, errors=None if s.errors is None else 2 * s.errors), rng)


LONGER_HORIZON = {"discount too close to 1": play_with_longer_horizon}
HALF_DISCOUNT = {"half the discount": play_with_half_discount}
KEPT = {"choices of the first values": play_keeping_choices}


def deterministic(moves: list[list[tuple[int, float]]], title: str) -> TabularMDP:
    """Process whose choices lead to one state each: for each state the successors and rewards of its choices."""
    first_choice = np.cumsum([0, *map(len, moves)])
    successors, rewards = zip(*(move for state in moves for move in state), strict=True)
    return TabularMDP.from_rows(first_choice, np.eye(len(moves))[list(successors)], rewards, title=title)


def fork() -> TabularMDP:
    """Two absorbing states that pay 0 and 1, and a state from which either is reached."""
    return deterministic([[(1, 0.0), (2, 0.0)], [(1, 0.0)], [(2, 1.0)]], "fork")


def overrated_state(discount: float) -> TabularMDP:
    """A state that costs twice the discount to stay in, or is left for an absorbing one for nothing."""
    return deterministic([[(0, -2 * discount), (1, 0.0)], [(1, 0.0)]], "overrated state")


def waiting_chain(discount: float, n: int) -> TabularMDP:
    r"""Chain in which one moves down for nothing, or waits in state i at a cost of twice :math:`\gamma + ... + \gamma^i`.

    It is the chain of :cite:`scherrer2012`, for errors of size 1.
    """
    costs = -2 * np.cumsum(discount ** np.arange(1, n))
    moves = [[(state, cost), (state - 1, 0.0)] for state, cost in enumerate(costs, start=1)]
    return deterministic([[(0, 0.0)], *moves], f"waiting chain, {n} states")


def misleading_errors(n: int) -> Matrix:
    """Errors that make it seem worthwhile to wait: in iteration k, state k is too low, and state k + 1 too high."""
    return JUST_ABOVE * (np.eye(n - 1, n, k=1) - np.eye(n - 1, n))


def grid() -> Iterator[ValueIteration]:
    """Processes of every kind, those in which the bounds are reached among them."""
    for mdp, discount in processes():
        yield ValueIteration(mdp, discount)
    yield ValueIteration(fork(), 0.9)
    yield ValueIteration(overrated_state(0.9), 0.9, start=JUST_ABOVE * np.array([1.0, -1.0]))
    mixing = garnet(stream(0, "value-iteration", "mixing"), 10, 3, 8)
    yield ValueIteration(mixing, 0.99, note="quick to mix", start=np.arange(10.0))


def grid_with_errors() -> Iterator[ValueIteration]:
    """Errors small and large, constant, random and adverse."""

    def errors(states: int, size: float) -> Matrix:
        return stream(0, "value-iteration", "errors").uniform(-size, size, (50, states))

    yield ValueIteration(river_swim(), 0.95, errors=errors(6, 1e-3), note="small errors")
    yield ValueIteration(garnet(stream(0, "value-iteration"), 20, 3, 3), 0.9, errors=errors(20, 0.1))
    yield ValueIteration(combination_lock([1, 0, 1]), 0.8, errors=np.ones((1, 3)), note="constant errors")
    for discount, n in ((0.5, 10), (0.9, 20)):
        yield ValueIteration(
            waiting_chain(discount, n), discount, errors=misleading_errors(n), note="misleading errors"
        )


def any_setting() -> "SearchStrategy[ValueIteration]":
    """Any process, and first values of either sign."""
    from hypothesis import strategies as st

    @st.composite
    def settings(draw: st.DrawFn) -> ValueIteration:
        process = draw(discounted_processes(DiscountedProcess))
        start = draw(st.none() | values(process.mdp.states))
        return ValueIteration(process.mdp, process.discount, start=start)

    return settings()


def any_setting_with_errors() -> "SearchStrategy[ValueIteration]":
    """Any process, first values of either sign, and errors of every size."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    @st.composite
    def settings(draw: st.DrawFn) -> ValueIteration:
        process = draw(discounted_processes(DiscountedProcess))
        row = values(process.mdp.states)
        errors = draw(log_uniform(1e-3, 1.0)) * np.array(draw(st.lists(row, min_size=1, max_size=4)))
        return ValueIteration(process.mdp, process.discount, start=draw(st.none() | row), errors=errors)

    return settings()


def values(states: int) -> "SearchStrategy[Vector]":
    """Values of the states from -1 to 1, often at an end."""
    from hypothesis import strategies as st

    numbers = st.sampled_from([-1.0, 0.0, 1.0]) | st.floats(-1, 1)
    return st.lists(numbers, min_size=states, max_size=states).map(np.array)


def largest(differences: Array) -> Vector:
    """Largest absolute difference in any state, for each time."""
    found: Vector = np.abs(differences).max(axis=1)
    return found


def distance(s: ValueIteration, trace: Trace) -> Vector:
    """Distance of the iterates to the optimal values."""
    return largest(trace["values"] - s.optimum.values)


def loss(s: DiscountedProcess, trace: Trace) -> Vector:
    """What the greedy policies lose, in the worst state."""
    found: Vector = (s.optimum.values - trace["greedy_values"]).max(axis=1)
    return found


def change(trace: Trace) -> Matrix:
    """What a backup changes in each state."""
    found: Matrix = trace["backed_up"] - trace["values"]
    return found


def centred(s: ValueIteration, trace: Trace) -> Matrix:
    """The values that the range of the change makes most of."""
    middle = (change(trace).max(axis=1) + change(trace).min(axis=1)) / 2
    found: Matrix = trace["backed_up"] + s.discount * s.horizon * middle[:, None]
    return found


def accumulated(s: ValueIteration, trace: Trace) -> Vector:
    """What the first distance and the errors leave."""
    fading = s.discount**trace.times
    found: Vector = fading * distance(s, trace)[0] + s.error_size * s.horizon * (1 - fading)
    return found


ITERATES = "$v_k$: the iterates; $V^*$: the optimal values; $\\|\\cdot\\|$: the largest absolute value of a state"
SPAN = "; $\\mathrm{sp}$: the span, largest minus smallest value"
GREEDY = "; $V^{\\pi_k}$: the values of the policy that is greedy for $v_k$"
ERRORS = "; $\\varepsilon$: the largest size of an error, $v_{k+1} = T v_k + e_k$"

DISTANCE = Theorem(
    name="value-iteration/distance",
    title="The distance to the optimal values shrinks by the discount",
    paper=Paper("puterman2005", "section 6.3"),
    standing=Standing.DERIVED,
    statement=r"\|v_k - V^*\| \le \gamma^k\, \|v_0 - V^*\|",
    symbols=ITERATES,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=EXACT,
    run=play,
    measured=distance,
    bound=lambda s, trace: s.discount**trace.times * distance(s, trace)[0],
    since=1,
    settings=grid,
    strategy=any_setting,
    controls=HALF_DISCOUNT | LONGER_HORIZON,
    rate=Geometric(lambda s: s.discount),
)

SPAN_OF_CHANGE = Theorem(
    name="value-iteration/span-of-change",
    title="The span of the change shrinks by the discount, and by how much all choices have in common",
    paper=Paper("puterman2005", "section 6.6"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{sp}(T v_k - v_k) \le (\gamma \delta)^k\, \mathrm{sp}(T v_0 - v_0), \qquad \delta = \max_{c, c'} \mathrm{TV}(p_c, p_{c'})",
    symbols=ITERATES + SPAN + "; $\\mathrm{TV}$: half the sum of absolute differences, over any two choices",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=EXACT,
    run=play,
    measured=lambda s, trace: span(change(trace)),
    bound=lambda s, trace: (s.discount * s.ergodicity) ** trace.times * span(change(trace))[0],
    since=1,
    settings=grid,
    strategy=any_setting,
    controls=LONGER_HORIZON,
    remark="Choices of different states are compared as well: the span compares the best choice of one state with that "
    "of another. Where states soon mix, $\\delta$ is much smaller than 1, and this is why solvers stop by the span.",
)

CERTIFICATE = Theorem(
    name="value-iteration/certificate",
    title="The range of a change encloses the optimal values",
    paper=Paper("macqueen1966", "the bounds on the optimal values"),
    standing=Standing.DERIVED,
    statement=r"\| V^* - T v_k - \frac{\gamma}{1 - \gamma}\, \frac{a_k + b_k}{2} \| \le \frac{\gamma}{1 - \gamma}\, \frac{b_k - a_k}{2}, \qquad a_k \le T v_k - v_k \le b_k",
    symbols=ITERATES + "; $a_k$, $b_k$: the least and the largest change of a state",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=EXACT,
    run=play,
    measured=lambda s, trace: largest(s.optimum.values - centred(s, trace)),
    bound=lambda s, trace: s.discount * s.horizon * span(change(trace)) / 2,
    settings=grid,
    strategy=any_setting,
    controls=HALF_DISCOUNT | LONGER_HORIZON,
    remark="It says that $T v_k + \\frac{\\gamma}{1 - \\gamma} a_k \\le V^* \\le T v_k + \\frac{\\gamma}{1 - \\gamma} b_k$. "
    "The solvers stop by it.",
)

LOSS_BY_SPAN = Theorem(
    name="value-iteration/loss-by-span",
    title="The span of a change bounds what the greedy policy loses",
    paper=Paper("puterman2005", "section 6.6"),
    standing=Standing.DERIVED,
    statement=r"V^* - V^{\pi_k} \le \frac{\gamma}{1 - \gamma}\, \mathrm{sp}(T v_k - v_k)",
    symbols=ITERATES + GREEDY + SPAN,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=EXACT,
    run=play,
    measured=loss,
    bound=lambda s, trace: s.discount * s.horizon * span(change(trace)),
    settings=grid,
    strategy=any_setting,
    controls=HALF_DISCOUNT,
    remark="The constant is reached by a state whose two choices look alike and lead to absorbing states, one with the "
    "largest and one with the least change.",
)

LOSS = Theorem(
    name="value-iteration/loss",
    title="A policy that is greedy for values near the optimal ones loses little",
    paper=Paper("singh1994", "the bound on the loss"),
    standing=Standing.DERIVED,
    statement=r"V^* - V^{\pi_k} \le \frac{\gamma}{1 - \gamma}\, \mathrm{sp}(v_k - V^*) \le \frac{2 \gamma}{1 - \gamma}\, \|v_k - V^*\|",
    symbols=ITERATES + GREEDY + SPAN + "; the measured bound is the one in the middle",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=play,
    measured=loss,
    bound=lambda s, trace: s.discount * s.horizon * span(trace["values"] - s.optimum.values),
    settings=lambda: chain(grid(), grid_with_errors()),
    strategy=any_setting_with_errors,
    controls=KEPT,
    remark="Both constants are reached by a state that is overrated as much as the one to which it should be left is "
    "underrated. A constant error of all values costs nothing. Errors of the iteration make no difference here.",
)

ERRONEOUS_DISTANCE = Theorem(
    name="value-iteration/errors-distance",
    title="Errors of the backups add up over the horizon",
    paper=Paper("munos2007", "approximate value iteration"),
    standing=Standing.DERIVED,
    statement=r"\|v_k - V^*\| \le \gamma^k\, \|v_0 - V^*\| + \frac{1 - \gamma^k}{1 - \gamma}\, \varepsilon",
    symbols=ITERATES + ERRORS,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=play,
    measured=distance,
    bound=accumulated,
    since=1,
    settings=grid_with_errors,
    strategy=any_setting_with_errors,
    controls={"errors twice as large": play_with_doubled_errors},
)

ERRONEOUS_LOSS = Theorem(
    name="value-iteration/errors-loss",
    title="What greedy policies lose by errors of the backups, the square of the horizon included",
    paper=Paper("munos2007", "approximate value iteration, in the largest norm"),
    standing=Standing.DERIVED,
    statement=r"V^* - V^{\pi_k} \le \frac{2 \gamma}{1 - \gamma} \Bigl( \gamma^k\, \|v_0 - V^*\| + \frac{1 - \gamma^k}{1 - \gamma}\, \varepsilon \Bigr)",
    symbols=ITERATES + GREEDY + ERRORS,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=play,
    measured=loss,
    bound=lambda s, trace: 2 * s.discount * s.horizon * accumulated(s, trace),
    settings=grid_with_errors,
    strategy=any_setting_with_errors,
    controls=KEPT,
    remark="In the limit it is $2 \\gamma \\varepsilon / (1 - \\gamma)^2$. The chain of `scherrer2012` reaches the bound at "
    "every $k$: errors move up its states with the iterations.",
)
