r"""Optimism over a joint set of value functions: the largest gain whose Bellman residuals are small together.

After n visits of choice c, with empirical law :math:`\hat p_c`, a value function Q and a gain J leave the residual
:math:`e_c = Q_c + J - r_c - \langle \hat p_c, V \rangle`, where V(s) is the largest Q of the choices of s. The planner
solves

.. math:: \max J \quad\text{subject to}\quad \sum_c n_c e_c^2 \le \beta, \quad V \in [0, H]^S, \quad J \in [0, 1].

Let :math:`d_c = V(s) + J - r_c - \langle \hat p_c, V \rangle`. The cheapest Q with largest values V costs

.. math:: F_J(V) = \sum_s \Bigl[ \sum_{c \text{ of } s} n_c \min(d_c, 0)^2 + \min_{c \text{ of } s} n_c \max(d_c, 0)^2
   \Bigr],

since only the greedy choice has to reach V(s). For fixed greedy choices the cost is convex in J and V together; without
its second term, in states where no choice has been fixed, it is a lower bound. The planner branches on greedy choices
and bounds with these costs. Its work grows with the number of policies.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Vector, float_array, frozen, positive
from rltheory.jit import kernel
from rltheory.problems.mdp import Indices

__all__ = ["JointPlan", "ResidualSet", "largest_joint_gain"]

FREE = -1  # no choice is held to be greedy: whatever exceeds all backups costs nothing
MOST_STEPS = 200
RIDGE = 1e-11  # share of the largest curvature that keeps a Newton step finite along constants, which cost nothing


@dataclass(frozen=True, eq=False, init=False)
class ResidualSet:
    r"""Value functions with small residuals on what was seen.

    Parameters
    ----------
    first_choice : array of int, shape (S + 1,)
        The choices of state s are those from ``first_choice[s]`` to ``first_choice[s + 1] - 1``.
    rewards : array, shape (C,)
        Rewards, in [0, 1].
    transitions : array, shape (C, S)
        How often each choice led to each state.
    radius : float
        Largest weighted sum of squares :math:`\beta > 0`.
    span : float
        Largest value H > 0.

    Raises
    ------
    ValueError
        If shapes do not fit, a reward lies outside [0, 1], a count is negative, or a number is not positive.
    """

    first_choice: Indices
    rewards: Vector
    transitions: Matrix
    radius: float
    span: float

    def __init__(
        self, first_choice: ArrayLike, rewards: ArrayLike, transitions: ArrayLike, *, radius: float, span: float
    ) -> None:
        counts, gains = float_array(transitions, "transitions", ndim=2), float_array(rewards, "rewards", ndim=1)
        starts = np.array(first_choice, dtype=np.int64)
        choices, states = counts.shape
        if gains.shape != (choices,) or starts.shape != (states + 1,):
            raise ValueError(
                f"transitions has shape {counts.shape}, rewards {gains.shape} and first_choice {starts.shape}; "
                f"for {choices} choices of {states} states the last two must be ({choices},) and ({states + 1},)"
            )
        if starts[0] != 0 or starts[-1] != choices or (np.diff(starts) < 1).any():
            raise ValueError(f"first_choice is {starts}; it must rise from 0 to {choices}, by 1 at least")
        if (counts < 0).any():
            choice, state = (int(i) for i in np.argwhere(counts < 0)[0])
            raise ValueError(f"transitions[{choice}, {state}] is {counts[choice, state]}; it must be >= 0")
        outside = (gains < 0) | (gains > 1)
        if outside.any():
            choice = int(np.argmax(outside))
            raise ValueError(f"rewards[{choice}] is {gains[choice]}; it must lie in [0, 1]")
        for name, array in (("first_choice", starts), ("rewards", gains), ("transitions", counts)):
            object.__setattr__(self, name, frozen(array))
        object.__setattr__(self, "radius", positive(radius, "radius"))
        object.__setattr__(self, "span", positive(span, "span"))

    @property
    def visits(self) -> Vector:
        """How often each choice was made, shape (C,)."""
        total: Vector = self.transitions.sum(axis=1)
        return total

    def excess(self, values: Vector, gain: float) -> Vector:
        """What values and gain exceed the backup of each choice by, shape (C,); nothing where nothing was seen."""
        visits = self.visits
        seen = visits > 0
        means = np.divide(self.transitions @ values, visits, out=np.zeros(visits.size), where=seen)
        state_of_choice = np.repeat(np.arange(values.size), np.diff(self.first_choice))
        return np.where(seen, values[state_of_choice] + gain - self.rewards - means, 0.0)

    def cost(self, values: Vector, gain: float) -> float:
        """Least weighted sum of squared residuals :math:`F_J(V)`."""
        over, starts = self.excess(values, gain), self.first_choice[:-1]
        least = np.minimum.reduceat(self.visits * np.maximum(over, 0.0) ** 2, starts)
        return float(self.visits @ np.minimum(over, 0.0) ** 2 + least.sum())


@dataclass(frozen=True, eq=False)
class JointPlan:
    r"""An element of a joint set with the largest gain.

    Parameters
    ----------
    policy : array of int, shape (S,)
        A choice that attains the value of each state.
    values : array, shape (S,)
        Function V, in [0, H].
    action_values : array, shape (C,)
        Function Q, whose largest values are V; V itself where nothing was seen.
    gain, upper : float
        The gain, and a bound on the gains of all elements of the set.
    residual : float
        Weighted sum of squared residuals.
    nodes : int
        Number of convex problems solved.
    """

    policy: Indices
    values: Vector
    action_values: Vector
    gain: float
    upper: float
    residual: float
    nodes: int


@kernel
def _cost(
    first_choice: Indices,
    rewards: Vector,
    visits: Vector,
    laws: Matrix,
    greedy: Indices,
    gain: float,
    values: Vector,
    gradient: Vector,
    curvature: Matrix,
) -> tuple[float, float]:
    """Cost, and its slope in the gain; write the gradient and the curvature in the values."""
    states = values.size
    for s in range(states):
        gradient[s] = 0.0
        for x in range(states):
            curvature[s, x] = 0.0
    cost, slope = 0.0, 0.0
    for s in range(states):
        for c in range(first_choice[s], first_choice[s + 1]):
            over = values[s] + gain - rewards[c]
            for x in range(states):
                over -= laws[c, x] * values[x]
            if visits[c] == 0.0 or over == 0.0 or (over > 0.0 and greedy[s] != c):
                continue
            weight = 2.0 * visits[c]
            cost += visits[c] * over**2
            slope += weight * over
            for x in range(states):
                along = (1.0 if x == s else 0.0) - laws[c, x]
                gradient[x] += weight * over * along
                for y in range(states):
                    curvature[x, y] += weight * along * ((1.0 if y == s else 0.0) - laws[c, y])
    return cost, slope


@kernel
def _newton_step(gradient: Vector, curvature: Matrix, fixed: Indices, step: Vector) -> None:
    """Solve for the step of the free coordinates by elimination; the matrix is overwritten."""
    size = gradient.size
    largest = 0.0
    for i in range(size):
        largest = max(largest, curvature[i, i])
    for i in range(size):
        step[i] = -gradient[i]
        if fixed[i] == 1:
            step[i] = 0.0
            for j in range(size):
                curvature[i, j] = 0.0
                curvature[j, i] = 0.0
            curvature[i, i] = 1.0
        else:
            curvature[i, i] += RIDGE * largest
    for i in range(size):
        for j in range(i + 1, size):
            factor = curvature[j, i] / curvature[i, i]
            for k in range(i, size):
                curvature[j, k] -= factor * curvature[i, k]
            step[j] -= factor * step[i]
    for back in range(size):
        i = size - 1 - back
        for j in range(i + 1, size):
            step[i] -= curvature[i, j] * step[j]
        step[i] /= curvature[i, i]


@kernel
def _least_cost(
    first_choice: Indices,
    rewards: Vector,
    visits: Vector,
    laws: Matrix,
    greedy: Indices,
    gain: float,
    span: float,
    tolerance: float,
    values: Vector,
    gradient: Vector,
    curvature: Matrix,
    step: Vector,
    trial: Vector,
    fixed: Indices,
) -> tuple[float, float, float]:
    """Minimise over values in [0, H]; return the cost, its slope in the gain, and what it may be above the minimum."""
    size = values.size
    cost, slope = _cost(first_choice, rewards, visits, laws, greedy, gain, values, gradient, curvature)
    gap = np.inf
    for _ in range(MOST_STEPS):
        gap = 0.0
        for i in range(size):
            gap += gradient[i] * (values[i] if gradient[i] > 0.0 else values[i] - span)
            low, high = values[i] <= 0.0 and gradient[i] >= 0.0, values[i] >= span and gradient[i] <= 0.0
            fixed[i] = 1 if low or high else 0
        if gap <= tolerance:
            break
        _newton_step(gradient, curvature, fixed, step)
        share = 1.0
        while True:
            descent = 0.0
            for i in range(size):
                trial[i] = min(max(values[i] + share * step[i], 0.0), span)
                descent += gradient[i] * (values[i] - trial[i])
            new, new_slope = _cost(first_choice, rewards, visits, laws, greedy, gain, trial, gradient, curvature)
            if new <= cost - 1e-4 * descent or share < 1e-10:
                break
            share *= 0.5
            _cost(first_choice, rewards, visits, laws, greedy, gain, values, gradient, curvature)
        if new >= cost:
            cost, slope = _cost(first_choice, rewards, visits, laws, greedy, gain, values, gradient, curvature)
            break
        cost, slope = new, new_slope
        for i in range(size):
            values[i] = trial[i]
    return cost, slope, gap


@kernel
def _largest_gain(
    first_choice: Indices,
    rewards: Vector,
    visits: Vector,
    laws: Matrix,
    greedy: Indices,
    radius: float,
    span: float,
    precision: float,
    enough: float,
    values: Vector,
    gradient: Vector,
    curvature: Matrix,
    step: Vector,
    trial: Vector,
    fixed: Indices,
) -> tuple[float, float]:
    """Descend from gain 1 by tangents; return a gain that the values attain, -1 if none, and a bound on all of them.

    The least cost is convex in the gain, so that each tangent's root is a bound. No gain is looked for once the bound
    is not `enough`.
    """
    gain = 1.0
    tolerance = 1e-12 * radius
    for _ in range(MOST_STEPS):
        cost, slope, gap = _least_cost(
            first_choice, rewards, visits, laws, greedy, gain, span, tolerance, values, gradient, curvature, step,
            trial, fixed,
        )  # fmt: skip
        if cost <= radius:
            return gain, gain
        if slope <= 0.0:
            return -1.0, -1.0
        lower = gain - max(cost - gap - radius, 0.0) / slope
        if lower < max(enough, 0.0):
            return -1.0, lower
        if gain - lower <= precision:
            moved = precision
            while gain - moved >= 0.0:
                cost, slope = _cost(
                    first_choice, rewards, visits, laws, greedy, gain - moved, values, gradient, curvature
                )
                if cost <= radius:
                    return gain - moved, gain
                if slope <= 0.0:
                    break
                moved *= 2.0
            return -1.0, gain
        gain = lower
    return -1.0, gain


def largest_joint_gain(plausible: ResidualSet, *, precision: float = 1e-9) -> JointPlan | None:
    r"""Largest gain of a joint set, with the function and a policy that attain it.

    Parameters
    ----------
    plausible
        The set.
    precision
        Largest error > 0 of the gain.

    Returns
    -------
    JointPlan or None
        Values, action values and the policy greedy for them; None if the set is empty: no function of this span has
        residuals as small as the radius.

    Raises
    ------
    ValueError
        If the precision is not positive.

    References
    ----------
    :cite:`he2024average`

    Examples
    --------
    One state with two choices of rewards 0 and 1/2. The first may be worth more than it seems by
    :math:`\sqrt{\beta / n}`, and the gain is that of the better one.

    >>> found = largest_joint_gain(ResidualSet([0, 2], [0, 0.5], [[100], [100]], radius=1.0, span=1.0))
    >>> round(found.gain, 6), found.policy
    (0.6, array([1]))
    """
    precision = positive(precision, "precision")
    starts, visits = plausible.first_choice, plausible.visits
    states = starts.size - 1
    laws = np.divide(
        plausible.transitions, visits[:, None], out=np.zeros_like(plausible.transitions), where=visits[:, None] > 0
    )
    room = (
        np.empty(states),
        np.empty((states, states)),
        np.empty(states),
        np.empty(states),
        np.empty(states, np.int64),
    )
    unseen = np.array([not visits[first:end].all() for first, end in pairwise(starts)])
    best, best_values = -np.inf, np.zeros(states)
    upper, nodes = -np.inf, 0
    open_nodes = [(np.full(states, FREE), np.full(states, plausible.span))]
    while open_nodes:
        greedy, values = open_nodes.pop()
        nodes += 1
        enough = best + precision
        gain, bound = _largest_gain(
            starts, plausible.rewards, visits, laws, greedy, plausible.radius, plausible.span, precision, enough,
            values, *room,
        )  # fmt: skip
        undecided = (greedy == FREE) & ~unseen
        if bound < enough:
            continue
        gain = (
            gain if gain >= 0 else bound
        )  # rounding may leave no element to be found, and no proof that there is none
        over = visits * np.maximum(plausible.excess(values, gain), 0.0) ** 2
        least = np.minimum.reduceat(over, starts[:-1])
        if plausible.cost(values, gain) <= plausible.radius:
            if gain > best:
                best, best_values = gain, values
            upper = max(upper, bound)
        elif not undecided.any():
            upper = max(upper, bound)
        else:
            state = int(np.argmax(np.where(undecided, least, -1.0)))
            children = np.arange(starts[state], starts[state + 1])
            for choice in children[np.argsort(-over[children], kind="stable")]:
                child = greedy.copy()
                child[state] = choice
                open_nodes.append((child, values.copy()))
    if best < 0:
        return None
    return _plan(plausible, best_values, best, min(max(best + precision, upper), 1.0), nodes)


def _plan(plausible: ResidualSet, values: Vector, gain: float, upper: float, nodes: int) -> JointPlan:
    """The cheapest action values with these largest values."""
    over, visits, starts = plausible.excess(values, gain), plausible.visits, plausible.first_choice
    price = visits * np.maximum(over, 0.0) ** 2
    policy = np.array([first + int(np.argmin(price[first:end])) for first, end in pairwise(starts)])
    state_of_choice = np.repeat(np.arange(values.size), np.diff(starts))
    action_values = values[state_of_choice] - np.maximum(over, 0.0)
    action_values[policy] = values
    return JointPlan(policy, values, action_values, gain, upper, plausible.cost(values, gain), nodes)
