r"""Policy iteration: how fast, after how many iterations at the latest, and what errors of the evaluation do to it.

Throughout, :math:`V_k = V^{\pi_k}`, :math:`\pi_{k+1}` is greedy for :math:`V_k + e_k`, :math:`\|\cdot\|` the largest
absolute value and :math:`\mathrm{sp}` the span, largest minus smallest value.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import policy_iteration, value_iteration
from rltheory.algorithms.discounted.value_iteration import checked_errors
from rltheory.arrays import Array, Matrix, Vector, count
from rltheory.instances import garnet, machine_replacement, river_swim
from rltheory.problems import MDP, TabularMDP, deterministic_policy
from rltheory.problems.mdp import Indices
from rltheory.simplex import span
from rltheory.simulation import stream
from rltheory.theorems.discounted.discounted_process import (
    PROCESS,
    DiscountedProcess,
    Hypotheses,
    discounted_processes,
    processes,
)
from rltheory.theorems.discounted.value_iteration import (
    SPAN,
    ValueIteration,
    deterministic,
    evaluated,
    fork,
    largest,
    loss,
    misleading_errors,
    values,
    waiting_chain,
)
from rltheory.theory import EveryStep, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True, eq=False)
class PolicyIteration(DiscountedProcess):
    """A run of policy iteration.

    Parameters
    ----------
    start : array of int, shape (S,), optional
        Number of the first choice in each state; by default the one with the largest reward.
    errors : array, shape (E, S), optional
        What is added to the values of the policies, row after row, and from the first row again; nothing by default.
    """

    start: Indices | None = None
    errors: Matrix | None = None

    def __post_init__(self) -> None:
        if self.start is not None:
            deterministic_policy(self.mdp, self.start)
        checked_errors(self.errors, self.mdp)

    @property
    def iterations(self) -> int:
        """All that there can be without errors; with errors, each row twice."""
        return self.most_iterations if self.errors is None else 2 * len(self.errors)

    @property
    def lifetime(self) -> int:
        r"""Largest k with :math:`\gamma^k \ge 1 - \gamma`."""
        if self.discount == 0:
            return 0
        # Where the two are equal, rounding must not lose one.
        return math.floor(math.log1p(-self.discount) / math.log(self.discount) + 1e-9)

    @property
    def most_iterations(self) -> int:
        """Iterations after which the policy is optimal, at the latest."""
        return (self.mdp.choices - self.mdp.states) * (self.lifetime + 1)

    @property
    def error_size(self) -> float:
        """Largest absolute value of an error."""
        return 0.0 if self.errors is None else float(np.abs(self.errors).max())

    @property
    def largest_value(self) -> float:
        """Largest size of a value of the run."""
        return super().largest_value + self.error_size

    @property
    def disadvantages(self) -> Vector:
        """What the choices lose against optimal play from the next state on."""
        lost: Vector = self.optimum.values[self.mdp.state_of_choice] - self.optimal_action_values
        return lost


@dataclass(frozen=True, eq=False)
class ModifiedPolicyIteration(ValueIteration):
    """A run of modified policy iteration; without a start, from what the smallest reward is worth for ever.

    Parameters
    ----------
    backups
        Backups with the choices of an iteration, >= 1.
    """

    backups: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        count(self.backups, "backups", at_least=1)

    @property
    def first_values(self) -> Vector:
        """Values at the start, shape (S,)."""
        return np.full(self.mdp.states, self.mdp.rewards.min() * self.horizon) if self.start is None else self.start


EXACT: Hypotheses = PROCESS | {"evaluation without errors": lambda s: s.errors is None}
FROM_BELOW: Hypotheses = PROCESS | {
    "backups without errors": lambda s: s.errors is None,
    "$T w_0 \\ge w_0$": lambda s: bool((backed_up(s, s.first_values) >= s.first_values - s.rounding).all()),
}


def play(s: PolicyIteration, rng: np.random.Generator) -> Trace:
    """Run policy iteration."""
    return policy_iteration(s.mdp, s.discount, iterations=s.iterations, start=s.start, errors=s.errors)


def play_modified(s: ModifiedPolicyIteration, rng: np.random.Generator) -> Trace:
    """Run modified policy iteration beside value iteration, and evaluate the greedy policies."""
    return play_modified_discounted(s, s.discount)


def play_modified_discounted(s: ModifiedPolicyIteration, discount: float) -> Trace:
    """Run it at some discount; all else is at the setting's."""
    trace = value_iteration(s.mdp, discount, iterations=s.iterations, start=s.first_values, backups=s.backups)
    single = value_iteration(s.mdp, s.discount, iterations=s.iterations, start=s.first_values)
    return evaluated(s, replace(trace, values={**trace.values, "single": (("time", "state"), single["values"])}))


# Wrong runs, to be told from right ones.


def play_without_improvement(s: PolicyIteration, rng: np.random.Generator) -> Trace:
    """The policy stays what it was, one iteration longer than there can be any."""
    right = play(s, rng)
    times = np.arange(s.most_iterations + 2)
    kept = {name: (dims, np.repeat(array[:1], times.size, axis=0)) for name, (dims, array) in right.values.items()}
    return Trace(right.algorithm, times, kept)


def play_modified_with_half_discount(s: ModifiedPolicyIteration, rng: np.random.Generator) -> Trace:
    """The discount is halved."""
    return play_modified_discounted(s, s.discount / 2)


def play_modified_keeping_choices(s: ModifiedPolicyIteration, rng: np.random.Generator) -> Trace:
    """The policy stays greedy for the first values."""
    trace = play_modified(s, rng)
    kept = np.broadcast_to(trace["made"][0], trace["made"].shape)
    return evaluated(s, replace(trace, values={**trace.values, "made": (("time", "state"), kept)}))


NO_IMPROVEMENT = {"no improvement": play_without_improvement}


def relay(n: int) -> TabularMDP:
    """Chain whose end pays: each state is left only once the next one is, one state in an iteration."""
    ways = [[(state, 0.0), (state - 1, 0.0)] for state in range(1, n)]
    return deterministic([[(0, 1.0)], *ways], f"relay, {n} states")


def late_regret(discount: float, n: int) -> TabularMDP:
    r"""Chain whose last state keeps its worst choice for n - 2 iterations, as long as the discount allows.

    The end costs nothing. State 1 costs 1 to stay in; every further one costs as much as makes staying as good as
    moving down while the state below stays. The last state leads to the end at a cost of little more than 1, or down.
    """
    ways = [[(state, -(discount ** (state - 1))), (state - 1, 0.0)] for state in range(1, n - 1)]
    return deterministic([[(0, 0.0)], *ways, [(0, -1 - 1e-6), (n - 2, 0.0)]], f"late regret, {n} states")


def first_choices(mdp: MDP) -> Indices:
    """The first choice of each state."""
    return mdp.first_choice[:-1].copy()


def grid() -> Iterator[PolicyIteration]:
    """Processes of every kind, those in which the bounds are reached among them."""
    for mdp, discount in processes():
        yield PolicyIteration(mdp, discount)
    for mdp, discount in ((relay(10), 0.9), (late_regret(0.9, 23), 0.9), (fork(), 0.5)):
        yield PolicyIteration(mdp, discount, start=first_choices(mdp))


def grid_with_errors() -> Iterator[PolicyIteration]:
    """Errors small and large, random and adverse."""

    def errors(states: int, size: float) -> Matrix:
        return stream(0, "policy-iteration", "errors").uniform(-size, size, (30, states))

    yield PolicyIteration(river_swim(), 0.95, errors=errors(6, 1e-3), note="small errors")
    yield PolicyIteration(garnet(stream(0, "policy-iteration"), 20, 3, 3), 0.9, errors=errors(20, 0.5))
    for discount, n in ((0.5, 10), (0.9, 20)):
        chain = waiting_chain(discount, n)
        moving = np.append(0, chain.first_choice[2:] - 1)
        yield PolicyIteration(chain, discount, start=moving, errors=misleading_errors(n), note="misleading errors")


def grid_from_below() -> Iterator[ModifiedPolicyIteration]:
    """Few and many backups, from first values that a backup raises."""
    for (mdp, discount), backups in zip(processes(), (2, 5, 20, 3, 1, 10, 2), strict=True):
        yield ModifiedPolicyIteration(mdp, discount, f"{backups} backups", backups=backups)
    yield ModifiedPolicyIteration(machine_replacement(), 0.9, "100 backups", backups=100)
    yield ModifiedPolicyIteration(fork(), 0.9, "2 backups", backups=2)


def any_setting() -> "SearchStrategy[PolicyIteration]":
    """Any process, and any first choices."""
    return _any_policy_iteration(with_errors=False)


def any_setting_with_errors() -> "SearchStrategy[PolicyIteration]":
    """Any process, any first choices, and errors of every size."""
    return _any_policy_iteration(with_errors=True)


def _any_policy_iteration(*, with_errors: bool) -> "SearchStrategy[PolicyIteration]":
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    @st.composite
    def settings(draw: st.DrawFn) -> PolicyIteration:
        process = draw(discounted_processes(DiscountedProcess))
        bounds = zip(process.mdp.first_choice[:-1], process.mdp.first_choice[1:], strict=True)
        start = np.array([draw(st.integers(int(first), int(end) - 1)) for first, end in bounds])
        errors = None
        if with_errors:
            rows = st.lists(values(process.mdp.states), min_size=1, max_size=4)
            errors = draw(log_uniform(1e-3, 1.0)) * np.array(draw(rows))
        return PolicyIteration(process.mdp, process.discount, start=start, errors=errors)

    return settings()


def any_setting_from_below() -> "SearchStrategy[ModifiedPolicyIteration]":
    """Any process, and numbers of backups from 1 to 20."""
    from hypothesis import strategies as st

    return discounted_processes(ModifiedPolicyIteration, backups=st.integers(1, 20))


def backed_up(s: DiscountedProcess, values: Vector) -> Vector:
    """Best action value of each state."""
    best: Vector = np.maximum.reduceat(s.action_values(values), s.mdp.first_choice[:-1])
    return best


def shortfall(s: DiscountedProcess, values: Array) -> Vector:
    """Distance of values to the optimal ones, for each time."""
    return largest(s.optimum.values - values)


def own_loss(s: PolicyIteration, trace: Trace) -> Vector:
    """What the policies lose, in the worst state."""
    return shortfall(s, trace["values"])


def next_loss(s: PolicyIteration, trace: Trace) -> Vector:
    """What the next policies lose; the last one of a run without errors is also the next."""
    current = own_loss(s, trace)
    return np.append(current[1:], current[-1])


def before(curve: Vector) -> Vector:
    """The curve, one iteration earlier; its first entry is repeated."""
    return np.append(curve[:1], curve[:-1])


def survival(s: PolicyIteration, trace: Trace) -> Vector:
    """For how many more iterations the worst choice of each policy is made; 0 if it is optimal but for rounding."""
    made, lost = trace["made"], s.disadvantages[trace["made"]]
    worst = lost.argmax(axis=1)
    last = [np.flatnonzero(made[:, state] == made[k, state]).max() for k, state in enumerate(worst)]
    more: Vector = np.where(lost.max(axis=1) > s.rounding, last - trace.times, 0)
    return more


def error_spans(s: PolicyIteration, trace: Trace) -> Vector:
    """Span of the errors of the evaluation, for each time."""
    assert s.errors is not None
    found: Vector = span(s.errors)[trace.times % len(s.errors)]
    return found


def limited_by_errors(s: PolicyIteration, trace: Trace) -> Vector:
    """What the first loss and the errors leave."""
    fading = s.discount**trace.times
    limit = 2 * s.discount * s.error_size * s.horizon**2
    found: Vector = fading * own_loss(s, trace)[0] + (1 - fading) * limit
    return found


POLICIES = "$V_k = V^{\\pi_k}$: the values of the policies; $V^*$: the optimal values; $\\|\\cdot\\|$: the largest absolute value of a state"
OPERATOR = "; $T$: the optimality operator"
ERRORS = "; $e_k$: the error of the evaluation of $\\pi_k$"
MODIFIED = "$w_k$: the iterates, $w_{k+1} = T_{\\pi_k}^m w_k$ with $\\pi_k$ greedy for $w_k$; $T$: the optimality operator; $V^*$: the optimal values; $\\|\\cdot\\|$: the largest absolute value of a state"

ONE_STEP = Theorem(
    name="policy-iteration/one-step",
    title="Each iteration shrinks the loss by the discount",
    paper=Paper("puterman2005", "section 6.4"),
    standing=Standing.DERIVED,
    statement=r"\|V^* - V_{k+1}\| \le \gamma\, \|V^* - V_k\|",
    symbols=POLICIES,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=EXACT,
    run=play,
    measured=next_loss,
    bound=lambda s, trace: s.discount * own_loss(s, trace),
    settings=grid,
    strategy=any_setting,
    controls=NO_IMPROVEMENT,
    remark="A chain in which one state follows the other reaches the factor in every iteration.",
)

AHEAD_OF_BACKUP = Theorem(
    name="policy-iteration/ahead-of-backup",
    title="An iteration does as much as a backup at least",
    paper=Paper("puterman2005", "section 6.4"),
    standing=Standing.DERIVED,
    statement=r"\|V^* - V_{k+1}\| \le \|V^* - T V_k\|",
    symbols=POLICIES + OPERATOR,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=EXACT,
    run=play,
    measured=next_loss,
    bound=lambda s, trace: shortfall(s, np.array([backed_up(s, values) for values in trace["values"]])),
    settings=grid,
    strategy=any_setting,
    controls=NO_IMPROVEMENT,
    remark="State by state, $V_k \\le T V_k \\le V_{k+1} \\le V^*$. Hence $V_k$ is ahead of value iteration from $V_0$.",
)

SURVIVAL = Theorem(
    name="policy-iteration/survival",
    title="The worst choice of a policy is soon given up for ever",
    paper=Paper("scherrer2013", "the proof for Howard's policy iteration; constant improved here"),
    standing=Standing.DERIVED,
    statement=r"\pi_j(s_k) = \pi_k(s_k) \implies j - k \le \max \{ i : \gamma^i \ge 1 - \gamma \}, \qquad s_k \in \mathrm{arg\,max}_s \bigl( V^* - T_{\pi_k} V^* \bigr)(s)",
    symbols="$\\pi_k$: the policies, not optimal; $V^*$: the optimal values; $T_\\pi$: the operator of a policy; measured is the largest $j - k$",
    kind=EveryStep(rounding=lambda s: 0.0),
    hypotheses=EXACT,
    run=play,
    measured=survival,
    bound=lambda s, trace: s.lifetime,
    settings=grid,
    strategy=any_setting,
    controls=NO_IMPROVEMENT,
    remark="The number on the right is less than $\\frac{1}{1 - \\gamma} \\log \\frac{1}{1 - \\gamma}$. A chain reaches it.",
)

COUNT = Theorem(
    name="policy-iteration/count",
    title="Policy iteration is strongly polynomial at a given discount",
    paper=Paper("ye2011", "the theorem on policy iteration; constant from the proof of scherrer2013"),
    standing=Standing.DERIVED,
    statement=r"k \le (C - S) \bigl( 1 + \max \{ i : \gamma^i \ge 1 - \gamma \} \bigr)",
    symbols="$k$: the improvements made; $C$: the number of choices in all states; $S$: the number of states",
    kind=EveryStep(rounding=lambda s: 0.0),
    hypotheses=EXACT,
    run=play,
    measured=lambda s, trace: trace.times,
    bound=lambda s, trace: s.most_iterations,
    settings=grid,
    strategy=any_setting,
    controls=NO_IMPROVEMENT,
    remark="The run ends where no choice is better, and every iteration before gives up a policy that is not optimal. The "
    "factor on the right is $\\lceil \\frac{1}{1 - \\gamma} \\log \\frac{1}{1 - \\gamma} \\rceil$ at most, for $\\gamma > 0$.",
)

ERRONEOUS_ONE_STEP = Theorem(
    name="policy-iteration/errors-one-step",
    title="Errors of the evaluation cost their span over the horizon, in each iteration",
    paper=Paper("bertsekas1996", "approximate policy iteration; span in place of twice the size"),
    standing=Standing.DERIVED,
    statement=r"\|V^* - V_{k+1}\| \le \gamma\, \|V^* - V_k\| + \frac{\gamma}{1 - \gamma}\, \mathrm{sp}(e_k)",
    symbols=POLICIES + ERRORS + SPAN,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | {"errors of the evaluation": lambda s: s.errors is not None},
    run=play,
    measured=own_loss,
    bound=lambda s, trace: before(s.discount * own_loss(s, trace) + s.discount * s.horizon * error_spans(s, trace)),
    since=1,
    settings=grid_with_errors,
    strategy=any_setting_with_errors,
    controls=NO_IMPROVEMENT,
    remark="The chain of `scherrer2012` reaches the bound in every iteration.",
)

ERRONEOUS_LOSS = Theorem(
    name="policy-iteration/errors-loss",
    title="What policies lose by errors of the evaluation, the square of the horizon included",
    paper=Paper("bertsekas1996", "approximate policy iteration"),
    standing=Standing.DERIVED,
    statement=r"\|V^* - V_k\| \le \gamma^k\, \|V^* - V_0\| + (1 - \gamma^k) \frac{2 \gamma}{(1 - \gamma)^2}\, \max_j \|e_j\|",
    symbols=POLICIES + ERRORS,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=play,
    measured=own_loss,
    bound=limited_by_errors,
    since=1,
    settings=grid_with_errors,
    strategy=any_setting_with_errors,
    controls=NO_IMPROVEMENT,
    remark="The limit $2 \\gamma \\varepsilon / (1 - \\gamma)^2$ cannot be improved: see `policy-iteration/errors-one-step`.",
)

MODIFIED_DISTANCE = Theorem(
    name="policy-iteration/modified",
    title="Modified policy iteration is ahead of value iteration, if the first values are too low",
    paper=Paper("puterman1978", "comparison with value iteration"),
    standing=Standing.DERIVED,
    statement=r"T w_0 \ge w_0 \implies \|V^* - w_k\| \le \|V^* - T^k w_0\|",
    symbols=MODIFIED,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=FROM_BELOW,
    run=play_modified,
    measured=lambda s, trace: shortfall(s, trace["values"]),
    bound=lambda s, trace: shortfall(s, trace["single"]),
    since=1,
    settings=grid_from_below,
    strategy=any_setting_from_below,
    controls={"half the discount": play_modified_with_half_discount},
    remark="State by state, $T^k w_0 \\le w_k \\le V^*$. Without the condition on $w_0$ it can be slower.",
)

MODIFIED_LOSS = Theorem(
    name="policy-iteration/modified-loss",
    title="The policies of modified policy iteration lose no more than their values promise",
    paper=Paper("puterman1978", "monotone iterates"),
    standing=Standing.DERIVED,
    statement=r"T w_0 \ge w_0 \implies \|V^* - V^{\pi_k}\| \le \|V^* - T w_k\|",
    symbols=MODIFIED,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=FROM_BELOW,
    run=play_modified,
    measured=loss,
    bound=lambda s, trace: shortfall(s, trace["backed_up"]),
    settings=grid_from_below,
    strategy=any_setting_from_below,
    controls={"choices of the first values": play_modified_keeping_choices},
    remark="State by state, $w_k \\le T w_k \\le V^{\\pi_k} \\le V^*$.",
)
