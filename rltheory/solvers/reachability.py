r"""Reaching a goal: the probability of doing so, and the total reward until then, between proved bounds.

Value iteration from below alone can't tell how far it has come, and iteration from above can stop at a wrong fixed
point: inside an *end component*, a set of states that some policy never leaves, any value confirms itself. So the
states whose values are known from the graph alone are set aside, end components that cost nothing are merged into one
state each, and what remains has one solution, which is approached from both sides (*interval iteration*). Strongly
connected components are solved one after the other, successors first. Where that takes long, because a component is
hardly ever left, its equations are solved, and the solution is taken as far as one iteration confirms it.

Rounding is part of the bounds. The lower sequence is rounded down and the upper one up, by the worst error of each
evaluation, so that each iterate is a bound whatever came before.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import UNIT_ROUNDOFF, Vector, first_index, float_array, frozen, positive
from rltheory.jit import kernel, reordering_kernel
from rltheory.problems import MDP
from rltheory.problems.mdp import Indices, SparseArrays, expectation
from rltheory.progress import sign_of_life
from rltheory.solvers.chains import evaluation_rounding, expected_steps, largest_support, normalised
from rltheory.solvers.diameter import best_steps, first_of_each, greedy
from rltheory.solvers.graph import Graph, Mask, strong_components

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["GoalValues", "reach_probability", "reward_until"]

SMALLEST_PROBABILITY = 1e-150  # two of them multiply without underflow
UNDERFLOW = 1e-300  # exceeds what the underflow of 1e20 products can add up to
ANY_WIDTH = 1e300
MOST_SWEEPS = 10_000_000  # through one component, for each of the two stages
PATIENCE = 10_000  # sweeps through one component before its equations are solved
MOST_SOLVED = 5_000  # nodes of a component whose equations are solved


@dataclass(frozen=True)
class GoalValues:
    r"""Optimal values between proved bounds, and a policy that attains one of them.

    Parameters
    ----------
    lower, upper : array, shape (S,)
        Bounds on the optimal value of each state, the rounding of their own evaluation included. Both are infinite
        where the value is.
    policy : array of int, shape (S,)
        The choice to make in each state, in numbers of the process. From every state its value is at least `lower` when
        maximising, and at most `upper` when minimising.
    sweeps : int
        Sweeps through strongly connected components of two states or more, in all.
    """

    lower: Vector
    upper: Vector
    policy: Indices
    sweeps: int

    @property
    def width(self) -> float:
        """Largest distance of the bounds."""
        return _width(self.lower, self.upper)

    @property
    def values(self) -> Vector:
        """Midpoints of the bounds, shape (S,)."""
        return self.lower + _distances(self.lower, self.upper) / 2


def reach_probability(
    mdp: MDP,
    goal: ArrayLike,
    *,
    avoid: ArrayLike | None = None,
    minimise: bool = False,
    accuracy: float = 1e-6,
) -> GoalValues:
    r"""Largest or smallest probability of reaching a goal, from every state.

    .. math:: \sup_\pi \Pr\nolimits^\pi_s(\exists t:\ s_t \in G,\ s_0, \dots, s_{t-1} \notin A)

    for the goal G and the states A to avoid before it; :math:`\inf_\pi` when minimising. States in both belong to the
    goal. Probabilities of a choice are taken in proportion to their sum, which may differ from 1 by rounding.

    Parameters
    ----------
    mdp
        The process, S states. Its rewards are not read.
    goal : array_like of bool, shape (S,)
        Which states are the goal.
    avoid : array_like of bool, shape (S,), optional
        Which states must not be entered before it; none by default.
    minimise
        Whether the policy keeps away from the goal.
    accuracy
        Largest distance allowed between the bounds, > 0.

    Returns
    -------
    GoalValues
        Bounds on the probabilities, and an optimal policy within `accuracy`. Probabilities 0 and 1 are recognised from
        the graph and exact.

    Raises
    ------
    ValueError, TypeError
        If a mask does not fit the states, `accuracy` is not a number > 0, or a positive probability of the process is
        below 1e-150.
    ArithmeticError
        If rounding keeps the bounds further apart than `accuracy`; the message says what can be had. Or if policies
        leave some states so rarely that ten million sweeps are not enough.

    References
    ----------
    :cite:`haddad2018`, :cite:`baier2017`; guesses that an iteration confirms: :cite:`hartmanns2020`

    Examples
    --------
    A fair coin is thrown until it shows heads, unless one gives up: in state 0 the second choice loses.

    >>> from rltheory.problems import SparseMDP
    >>> mdp = SparseMDP([0, 2, 3, 4], [0, 2, 3, 4, 5], [0, 1, 2, 1, 2], [0.5, 0.5, 1, 1, 1], [0, 0, 0, 0])
    >>> best = reach_probability(mdp, [False, True, False])
    >>> best.lower, best.upper, best.policy
    (array([1., 1., 0.]), array([1., 1., 0.]), array([0, 2, 3]))
    """
    accuracy = positive(accuracy, "accuracy")
    graph = _graph(mdp)
    wanted = _state_mask(goal, mdp.states, "goal")
    avoided = np.zeros_like(wanted) if avoid is None else _state_mask(avoid, mdp.states, "avoid")
    open_choices = ~(wanted | avoided)[graph.state_of_choice]
    policy = graph.first_choice[:-1].copy()
    if minimise:
        zero = ~graph.attractor(wanted, open_choices, every=True)[0]
        one = ~graph.attractor(zero, open_choices)[0]
        staying = open_choices & graph.stays_in(zero)
        policy[graph.state_of_choice[staying]] = np.flatnonzero(staying)
        merged = np.zeros(mdp.choices, dtype=bool)  # an end component would avoid the goal
    else:
        zero = ~graph.attractor(wanted, open_choices)[0]
        one, towards = graph.sure_attractor(wanted, open_choices)
        _adopt(policy, towards)
        merged, _ = graph.end_components(open_choices & graph.stays_in(~(zero | one)))
    live = ~(zero | one)
    open_choices &= live[graph.state_of_choice]
    quotient = _Quotient.of(graph, np.zeros(mdp.choices), live, one, open_choices, merged)
    lower, upper = quotient.bounds(unknown=1.0, done=1.0, rest=0.0)
    return quotient.solve(graph, lower, upper, policy, accuracy, minimise=minimise)


def reward_until(
    mdp: MDP,
    goal: ArrayLike,
    *,
    rewards: ArrayLike | None = None,
    minimise: bool = False,
    accuracy: float = 1e-6,
) -> GoalValues:
    r"""Largest or smallest expected total reward until a goal is reached, from every state.

    .. math:: \sup_\pi \mathbb{E}^\pi_s \sum_{t < \tau} r(s_t, a_t), \qquad \tau = \min\{t : s_t \in G\},

    where the total counts as infinite under a policy that reaches the goal G with probability less than 1, whatever it
    earns. Hence the largest total is infinite where some policy may miss the goal, the smallest one where every policy
    may. This is the convention of the model checkers PRISM and Storm; the smallest total is the stochastic shortest
    path. Probabilities of a choice are taken in proportion to their sum, which may differ from 1 by rounding.

    Parameters
    ----------
    mdp
        The process, S states and C choices.
    goal : array_like of bool, shape (S,)
        Which states are the goal. Nothing is earned in them.
    rewards : array_like, shape (C,), optional
        Rewards of the choices, finite; by default those of the process. They must be >= 0 where some policy may miss
        the goal; there, the largest total of rewards <= 0 is minus the smallest total of their negatives.
    minimise
        Whether rewards are costs.
    accuracy
        Largest distance allowed between the bounds, > 0, in units of reward.

    Returns
    -------
    GoalValues
        Bounds on the totals, and an optimal policy within `accuracy`.

    Raises
    ------
    ValueError, TypeError
        If the mask or the rewards do not fit the process, a reward is negative though some policy may miss the goal,
        `accuracy` is not a number > 0, or a positive probability of the process is below 1e-150.
    ArithmeticError
        If rounding keeps the bounds further apart than `accuracy`; the message says what can be had. Or if policies
        leave some states so rarely that ten million sweeps are not enough.

    References
    ----------
    :cite:`baier2017`; the smallest total: :cite:`bertsekas1991`.

    Examples
    --------
    A fair coin is thrown, at a cost of 1 each time, until it shows heads; a sure way costs 3.

    >>> from rltheory.problems import SparseMDP
    >>> mdp = SparseMDP([0, 2, 3], [0, 2, 3, 4], [0, 1, 1, 1], [0.5, 0.5, 1, 1], [1, 3, 0])
    >>> cheapest = reward_until(mdp, [False, True], minimise=True)
    >>> cheapest.values.round(12), cheapest.policy
    (array([2., 0.]), array([0, 2]))
    """
    accuracy = positive(accuracy, "accuracy")
    graph = _graph(mdp)
    wanted = _state_mask(goal, mdp.states, "goal")
    earned = mdp.rewards if rewards is None else float_array(rewards, "rewards", ndim=1)
    if earned.size != mdp.choices:
        raise ValueError(f"rewards has {earned.size} entries for {mdp.choices} choices; give one for each")
    if (earned < 0).any():
        return _signed_total(mdp, wanted, earned, accuracy, minimise=minimise)
    open_choices = ~wanted[graph.state_of_choice]
    policy = graph.first_choice[:-1].copy()
    if minimise:
        finite, _ = graph.sure_attractor(wanted, open_choices)
        open_choices &= graph.stays_in(finite)
        free, towards = graph.sure_attractor(wanted, open_choices & (earned == 0))
        _adopt(policy, towards)
    else:
        never = ~graph.attractor(wanted, open_choices, every=True)[0]
        missed, towards = graph.attractor(never, open_choices)
        _adopt(policy, towards)
        staying = open_choices & graph.stays_in(never)
        policy[graph.state_of_choice[staying]] = np.flatnonzero(staying)
        finite = ~missed
        earning = np.zeros_like(wanted)
        earning[graph.state_of_choice[open_choices & (earned > 0)]] = True
        free = finite & ~graph.attractor(earning, open_choices)[0]
    live = finite & ~free
    open_choices &= live[graph.state_of_choice]
    # Only the smallest total leaves end components here, and they need merging where staying costs nothing.
    merged, _ = graph.end_components(open_choices & (earned == 0))
    quotient = _Quotient.of(graph, earned, live, free, open_choices, merged)
    lower, upper = quotient.bounds(unknown=np.inf, done=0.0, rest=np.inf)
    return quotient.solve(graph, lower, upper, policy, accuracy, minimise=minimise)


def _signed_total(mdp: MDP, goal: Mask, rewards: Vector, accuracy: float, *, minimise: bool) -> GoalValues:
    r"""Totals of rewards of any sign, where every policy reaches the goal surely.

    Numbers w with :math:`w \ge 1 + P_c w` for all choices c make a potential :math:`\phi = 2 \max_c(-r_c)\, w`. The
    rewards :math:`r_c + \phi - P_c \phi` are positive, and the total of every policy with them is larger by
    :math:`\phi`.
    """
    steps = reward_until(mdp, goal, rewards=np.ones(mdp.choices), accuracy=ANY_WIDTH).upper
    if np.isinf(steps).any():
        (choice,), (state,) = first_index(rewards < 0), first_index(np.isinf(steps))
        raise ValueError(
            f"rewards[{choice}] is {rewards[choice]}, and from state {state} some policy may miss the goal; "
            "a total then needs rewards >= 0"
        )
    potential = -2 * float(rewards.min()) * steps
    laws, terms = normalised(mdp.transition_matrix), largest_support(mdp.transition_matrix)
    raised = rewards + potential[mdp.state_of_choice] - laws @ potential
    raised = np.where(goal[mdp.state_of_choice], 0.0, np.maximum(raised, 0.0))
    found = reward_until(mdp, goal, rewards=raised, minimise=minimise, accuracy=accuracy / 2)
    error = evaluation_rounding(terms, potential, rewards) * steps
    error += 4 * UNIT_ROUNDOFF * (found.upper + potential)
    lower, upper = found.lower - potential - error, found.upper - potential + error
    lower[goal] = upper[goal] = 0.0
    width = _width(lower, upper)
    if width > accuracy:
        raise _too_wide(width)
    return GoalValues(frozen(lower), frozen(upper), found.policy, found.sweeps)


def _too_wide(width: float) -> ArithmeticError:
    return ArithmeticError(
        f"rounding keeps the bounds {width:.3g} apart; ask for an accuracy of {1.01 * width:.2g} or coarser"
    )


def _graph(mdp: MDP) -> Graph:
    """The graph of a process whose positive probabilities can be multiplied without underflow."""
    graph = Graph.of(mdp)
    tiny = graph.probabilities < SMALLEST_PROBABILITY
    if tiny.any():
        (entry,) = first_index(tiny)
        raise ValueError(
            f"choice {graph.choice_of_entry[entry]} has a probability of {graph.probabilities[entry]}; "
            f"positive ones must be at least {SMALLEST_PROBABILITY:g} here"
        )
    return graph


class _Arrays(NamedTuple):
    """What kernels receive of a quotient. An evaluation is (reward + sum of probability * value) * scale.

    Loops are resolved: a choice is repeated until it leads away, so that a row has no entry of its own node.
    """

    rows: SparseArrays  # of N nodes and K choices; a reward is times the sum of its row, loop included
    lowest: Vector  # (K,), scale that rounds the evaluation down
    highest: Vector  # (K,), and up


@dataclass(frozen=True)
class _Quotient:
    """The states of unknown value, end components merged, in nodes ordered by strongly connected component.

    Nodes 0, ..., N - 1 are unknown, N holds the states of the goal's value, and N + 1 the rest.
    """

    arrays: _Arrays
    nodes: int  # N
    node_of_state: Indices  # (S,)
    first_node: Indices  # of each strongly connected component, and N
    original: Indices  # (K,), choices in numbers of the process
    merged: Mask  # (C,), choices inside merged end components

    @classmethod
    def of(cls, graph: Graph, rewards: Vector, live: Mask, done: Mask, usable: Mask, merged: Mask) -> "_Quotient":
        states = live.size
        # Merge: states joined by the choices inside an end component have one label.
        label = graph.strong_components(merged)
        nodes, group = np.unique(label[live], return_inverse=True)
        node_of_state = np.full(states, nodes.size + 1)
        node_of_state[live] = group
        node_of_state[done] = nodes.size
        own = node_of_state[graph.state_of_choice[graph.choice_of_entry]]
        target = node_of_state[graph.successors]
        leaves = usable & ~graph.every_entry(own == target)

        # Order: successors first.
        between = leaves[graph.choice_of_entry] & (target < nodes.size)
        component = strong_components(own[between], target[between], nodes.size)
        position = np.empty(nodes.size + 2, dtype=np.int64)
        position[np.argsort(component, kind="stable")] = np.arange(nodes.size)
        position[-2:] = nodes.size, nodes.size + 1
        node_of_state, own, target = position[node_of_state], position[own], position[target]
        first_node = np.append(0, np.cumsum(np.bincount(component)))

        # Rows.
        original = np.flatnonzero(leaves)
        original = original[np.argsort(node_of_state[graph.state_of_choice[original]], kind="stable")]
        node_of_choice = node_of_state[graph.state_of_choice[original]]
        sizes = np.diff(graph.first_entry)
        total = np.add.reduceat(graph.probabilities, graph.first_entry[:-1])
        outward = np.where(own == target, 0.0, graph.probabilities)
        away = np.add.reduceat(outward, graph.first_entry[:-1])[original]
        entries = _ranges(graph.first_entry[original], sizes[original])
        choice_of_entry = np.repeat(np.arange(original.size), sizes[original])
        kept = own[entries] != target[entries]
        # With n entries, the sums above and below the fraction err by 2 n units at most, the other operations by 5.
        error = (2 * sizes[original] + 8) * UNIT_ROUNDOFF
        rows = SparseArrays(
            np.searchsorted(node_of_choice, np.arange(nodes.size + 1)),
            rewards[original] * total[original],
            np.searchsorted(choice_of_entry[kept], np.arange(original.size + 1)).astype(np.uint64),
            target[entries][kept].astype(np.uint32),
            graph.probabilities[entries][kept],
        )
        arrays = _Arrays(rows, (1 - error) / away, (1 + error) / away)
        return cls(arrays, nodes.size, node_of_state, first_node, original, merged)

    def bounds(self, *, unknown: float, done: float, rest: float) -> tuple[Vector, Vector]:
        """Bounds to start from, shape (N + 2,): 0 and `unknown`, and the known values on both sides."""
        lower, upper = np.zeros(self.nodes + 2), np.full(self.nodes + 2, unknown)
        lower[-2:] = upper[-2:] = done, rest
        return lower, upper

    def solve(
        self, graph: Graph, lower: Vector, upper: Vector, policy: Indices, accuracy: float, *, minimise: bool
    ) -> GoalValues:
        """Narrow the bounds, and bring them and the policy back to the states of the process."""
        chosen = self.arrays.rows.first_choice[:-1].copy()
        steps = np.zeros(self.nodes + 2)
        components = self.first_node.size - 1
        # Widths pass from successors to their predecessors. Each component may be a little wider than the ones before,
        # or it would come close to its target for ever.
        targets = accuracy * (0.5 + 0.5 * np.arange(1, components + 1) / components) if components else np.zeros(0)

        def iterate(component: int, end: int, limit: int) -> tuple[int, int]:
            return _solve(
                self.arrays, self.first_node, lower, upper, chosen, steps, targets[:end], component, limit, minimise
            )

        with sign_of_life(f"interval iteration over {self.nodes} unknown values"):
            component, sweeps = iterate(0, components, PATIENCE)
            while component < components:
                self._guess(component, lower, upper, chosen, accuracy, minimise=minimise)
                reached, more = iterate(component, component + 1, MOST_SWEEPS)
                if reached == component:
                    raise ArithmeticError(
                        f"after {MOST_SWEEPS} sweeps through a component of states that is hardly ever left, the "
                        f"bounds are still {_width(lower, upper):.3g} apart"
                    )
                component, further = iterate(reached, components, PATIENCE)
                sweeps += more + further
        width = _width(lower, upper)
        if width > accuracy:
            raise _too_wide(width)
        choices = self.original[chosen]
        exits = np.zeros(policy.size, dtype=bool)
        exits[graph.state_of_choice[choices]] = True
        _adopt(policy, graph.attractor(exits, self.merged)[1])
        policy[graph.state_of_choice[choices]] = choices
        policy.setflags(write=False)
        return GoalValues(frozen(lower[self.node_of_state]), frozen(upper[self.node_of_state]), policy, sweeps)

    def _guess(
        self, component: int, lower: Vector, upper: Vector, chosen: Indices, accuracy: float, *, minimise: bool
    ) -> None:
        r"""Narrow the bounds of a component by policy iteration, which is trusted no further than it proves itself.

        With values v of an optimal policy, and w the longest expected steps along choices that are nearly optimal,
        :math:`v - \eta w` and :math:`v + \eta w` are bounds if an evaluation, rounded down or up, confirms them.
        """
        from scipy.sparse import csr_array

        start, stop = self.first_node[component], self.first_node[component + 1]
        if stop - start > MOST_SOLVED:
            return
        rows, lowest, highest = self.arrays
        first, end = rows.first_choice[start], rows.first_choice[stop]
        pointers = rows.first_entry[first : end + 1].astype(np.int64)
        entries = slice(pointers[0], pointers[-1])
        parts = rows.probabilities[entries], rows.successors[entries].astype(np.int64), pointers - pointers[0]
        weights, rewards = csr_array(parts, shape=(end - first, self.nodes + 2)), rows.rewards[first:end]
        owner = np.repeat(np.arange(start, stop), np.diff(rows.first_choice[start : stop + 1]))
        starts, sign = first_of_each(owner), -1 if minimise else 1
        policy = chosen[start:stop] - first
        for bounds, scale, side in ((lower, lowest[first:end], -1), (upper, highest[first:end], 1)):
            laws = weights.multiply(scale[:, None]).tocsr()
            try:
                values, policy = _best_values(laws, rewards * scale, owner, policy, bounds, sign)
                gains = sign * (rewards * scale + laws @ values)
                near = gains >= gains[policy][owner - start] - accuracy
                along = np.isin(np.arange(owner.size), policy)[near]
                times = best_steps(laws[near], owner[near], along, largest_support(laws), sign=1)[0].upper
            except ArithmeticError:
                return
            margin = UNIT_ROUNDOFF * float(np.abs(values[start:stop]).max())
            while 0 < margin * times.max() <= accuracy:
                moved, candidate = (values + side * margin * times)[start:stop], bounds.copy()
                narrow = np.maximum if side < 0 else np.minimum
                candidate[start:stop] = narrow(moved, bounds[start:stop])
                confirmed = np.maximum(rewards + weights @ candidate + side * UNDERFLOW, 0.0) * scale
                best = greedy(sign * confirmed, starts)
                if (side * (candidate[start:stop] - confirmed[best]) >= 0).all():
                    bounds[start:stop] = candidate[start:stop]
                    if side != sign:
                        chosen[start:stop] = first + best
                    break
                margin *= 2


def _best_values(
    laws: "csr_array", rewards: Vector, owner: Indices, policy: Indices, known: Vector, sign: int
) -> tuple[Vector, Indices]:
    """Values of a component's best policy by policy iteration, with those of other nodes known; and its choices."""
    starts, terms = first_of_each(owner), largest_support(laws)
    nodes = owner[starts]
    values = known.copy()
    values[nodes] = 0.0
    outside = rewards + laws @ values
    seen = set()
    while policy.tobytes() not in seen:
        seen.add(policy.tobytes())
        values[nodes] = expected_steps(laws[policy], nodes, terms).solve(outside[policy], False)
        gains = sign * (rewards + laws @ values)
        best = greedy(gains, starts)
        better = gains[best] > gains[policy] + 4 * terms * UNIT_ROUNDOFF * np.abs(gains).max()
        policy = np.where(better, best, policy)
    return values, policy


@reordering_kernel
def _steps_to_come(arrays: _Arrays, node: int, chosen: Indices, steps: Vector, minimise: bool) -> float:
    """Return the most, or fewest, expected steps after the next one, rounded up, and note the choice."""
    rows, _, highest = arrays
    best = np.inf if minimise else -np.inf
    for choice in range(rows.first_choice[node], rows.first_choice[node + 1]):
        value = expectation(rows, choice, steps) * highest[choice]
        if (value < best) if minimise else (value > best):
            best, chosen[node] = value, choice
    return best


@reordering_kernel
def _start_from_above(
    arrays: _Arrays, start: int, stop: int, upper: Vector, chosen: Indices, steps: Vector, limit: int, minimise: bool
) -> bool:
    r"""Set the upper bounds of a component to numbers that no choice can raise, or the chosen ones when minimising.

    Numbers w with :math:`w \ge 1/4 + P_c w` for these choices c bound the time spent in the component, up to a factor.
    Then :math:`y = 4 g w`, with the largest gain g on leaving, fulfils :math:`y \ge g + P_c y`. Twice that covers
    rounding. When minimising, this policy stays chosen where no better one is found. Where it takes too many sweeps,
    nothing is found.
    """
    slack = 0.0
    sweeps = 0
    while slack < 0.25 and sweeps < limit:
        for node in range(start, stop):
            steps[node] = 1.0 + _steps_to_come(arrays, node, chosen, steps, minimise)
        slack = np.inf
        for node in range(start, stop):
            slack = min(slack, steps[node] - _steps_to_come(arrays, node, chosen, steps, minimise))
        sweeps += 1
    rows, _, highest = arrays
    upper[start:stop] = 0.0
    gain = 0.0
    for node in range(start, stop):
        for choice in range(rows.first_choice[node], rows.first_choice[node + 1]):
            if choice == chosen[node] or not minimise:
                value = rows.rewards[choice] + expectation(rows, choice, upper) + UNDERFLOW
                gain = max(gain, value * highest[choice])
    for node in range(start, stop):
        upper[node] = 8.0 * gain * steps[node] if slack >= 0.25 else np.inf
        steps[node] = 0.0
    return slack >= 0.25


@reordering_kernel
def _sweep(
    arrays: _Arrays,
    start: int,
    stop: int,
    backwards: bool,
    lower: Vector,
    upper: Vector,
    chosen: Indices,
    minimise: bool,
) -> tuple[float, bool]:
    """Evaluate the nodes of a component once; return the largest width, and whether a bound moved.

    A choice is taken over only when it improves the bound that the policy attains. So that bound remains on its side of
    the policy's own evaluation, which makes it a bound on the policy's value as well.
    """
    rows, lowest, highest = arrays
    first_choice, rewards = rows.first_choice, rows.rewards
    width, moved = 0.0, False
    for place in range(start, stop):
        node = start + stop - 1 - place if backwards else place
        low, high = (np.inf, np.inf) if minimise else (0.0, 0.0)
        best = chosen[node]
        for choice in range(first_choice[node], first_choice[node + 1]):
            below = max(rewards[choice] + expectation(rows, choice, lower) - UNDERFLOW, 0.0) * lowest[choice]
            above = (rewards[choice] + expectation(rows, choice, upper) + UNDERFLOW) * highest[choice]
            if (above < high) if minimise else (below > low):
                best = choice
            low = min(low, below) if minimise else max(low, below)
            high = min(high, above) if minimise else max(high, above)
        if high < upper[node] if minimise else low > lower[node]:
            chosen[node] = best
        moved = moved or low > lower[node] or high < upper[node]
        lower[node], upper[node] = max(low, lower[node]), min(high, upper[node])
        width = max(width, upper[node] - lower[node])
    return width, moved


@kernel
def _solve(
    arrays: _Arrays,
    first_node: Indices,
    lower: Vector,
    upper: Vector,
    chosen: Indices,
    steps: Vector,
    targets: Vector,
    component: int,
    limit: int,
    minimise: bool,
) -> tuple[int, int]:
    """Solve component after component; return the one for which `limit` sweeps were too few, and the sweeps in all."""
    sweeps = 0
    while component < targets.size:
        start, stop = first_node[component], first_node[component + 1]
        if stop == start + 1:
            # Loops are resolved: one evaluation is the value.
            _sweep(arrays, start, stop, False, lower, upper, chosen, minimise)
            component += 1
            continue
        if upper[start] == np.inf and not _start_from_above(arrays, start, stop, upper, chosen, steps, limit, minimise):
            return component, sweeps
        width, moved = np.inf, True
        before = sweeps
        while moved and width > targets[component]:
            if sweeps - before == limit:
                return component, sweeps
            # Values spread along the order of nodes in one sweep, against it in the next.
            width, moved = _sweep(arrays, start, stop, sweeps % 2 == 1, lower, upper, chosen, minimise)
            sweeps += 1
        component += 1
    return component, sweeps


def _ranges(starts: Indices, sizes: Indices) -> Indices:
    """Indices start, ..., start + size - 1 of each range, one after the other."""
    before = np.cumsum(sizes) - sizes
    indices: Indices = np.arange(sizes.sum()) + np.repeat(starts - before, sizes)
    return indices


def _adopt(policy: Indices, choices: Indices) -> None:
    """Follow `choices` in the states that have one; -1 stands for none."""
    policy[choices >= 0] = choices[choices >= 0]


def _distances(lower: Vector, upper: Vector) -> Vector:
    """Distances of bounds, 0 where both are infinite."""
    distances = np.zeros_like(lower)
    np.subtract(upper, lower, out=distances, where=np.isfinite(lower))
    return distances


def _width(lower: Vector, upper: Vector) -> float:
    return float(_distances(lower, upper).max())


def _state_mask(values: ArrayLike, states: int, name: str) -> Mask:
    mask = np.array(values)
    if mask.dtype != bool or mask.shape != (states,):
        raise ValueError(f"{name} has type {mask.dtype} and shape {mask.shape}; it must be bool and {(states,)}")
    return mask
