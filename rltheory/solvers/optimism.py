r"""Optimistic planning for the average reward: the best process that data do not rule out.

For each choice c the data leave a set :math:`\mathcal P_c` of laws round an estimate :math:`\hat p_c`, and rewards up
to :math:`r_c`. Extended value iteration applies

.. math:: (L u)(s) = \max_{c \text{ of } s} \bigl[ r_c + \max_{q \in \mathcal P_c} \langle q, u \rangle \bigr],
   \qquad (T u)(s) = \min \bigl\{ (L u)(s),\; \min L u + H \bigr\}

until :math:`T u - u` is almost constant; that constant is the largest gain of all plausible processes or, with a bound
H on the span, of all pairs :math:`J, u` with :math:`u + J \le L u` and span of u at most H. T is monotone and commutes
with the addition of constants, so that its growth always lies between the least and the largest entry of :math:`T u -
u`.

More is known of u where its differences are bounded, :math:`u(s) - u(s') \le d(s, s')`; then T ends with the largest
function below that satisfies them, :math:`(\Gamma u)(s) = \min_{s'} [u(s') + d(s, s')]`, and remains monotone. A mean
may be bounded by the estimated one and an excess, :math:`\langle \hat p_c, u \rangle + \beta_c`, besides.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Vector, float_array, frozen, positive
from rltheory.jit import kernel, reordering_kernel
from rltheory.problems.mdp import Indices

__all__ = [
    "OptimisticPlan",
    "Plausible",
    "extended_value_iteration",
    "largest_mean",
    "largest_means_within_distances",
    "optimistic_gain_by_bisection",
    "sort_states",
    "tightest_differences",
]

BONUS, DISTANCE, BOX, DIVERGENCE = range(4)
FORMS = {"bonus": BONUS, "l1": DISTANCE, "box": BOX, "kl": DIVERGENCE}
MOVE = 0.9  # share of a backup in an iteration; the rest stays, so that no periodic process makes it oscillate
MOST_SWEEPS = 1_000_000
MOST_NEWTON_STEPS = 100
LEAST_LOGARITHM = -300.0
NO_DIFFERENCES = np.empty((0, 0))
NEGLIGIBLE = 1e-100  # probabilities below count as 0: their squares, and those of distances to poles, would underflow


class _Sets(NamedTuple):
    """What kernels receive of plausible processes."""

    form: int
    first_choice: Indices  # (S + 1,)
    rewards: Vector  # (C,)
    laws: Matrix  # (C, S)
    radii: Matrix  # (C, S) of a box, (C, 1) otherwise
    excess: Vector  # (C,), infinite where the mean is bounded by the set alone
    columns: Matrix  # (S, C), by successors: the laws, for balls of the first norm, or least probabilities in boxes
    rooms: Matrix  # (S, C), by successors: how much more than the least probability a box holds


class _Room(NamedTuple):
    """Arrays in which kernels work."""

    order: Indices  # (S,), the states from the largest value on
    means: Vector  # (C,)
    left: Vector  # (C,)
    spare: Vector  # (S,)


def _room(values: Vector, choices: int) -> _Room:
    order = np.argsort(-values, kind="stable")
    return _Room(order, np.empty(choices), np.empty(choices), np.empty(values.size))


@dataclass(frozen=True, eq=False, init=False)
class Plausible:
    r"""Processes that data do not rule out: for each choice a set of laws, and a largest reward.

    Parameters
    ----------
    first_choice : array of int, shape (S + 1,)
        The choices of state s are those from ``first_choice[s]`` to ``first_choice[s + 1] - 1``.
    rewards : array, shape (C,)
        Largest plausible mean rewards.
    laws : array, shape (C, S)
        Estimated laws :math:`\hat p_c`, distributions.
    radii : array, shape (C,), or (C, S) for a box
        Sizes of the sets, >= 0 and possibly infinite.
    form : {"l1", "box", "kl", "bonus"}
        The set of laws q: :math:`\|q - \hat p\|_1 \le` radius; :math:`|q_s - \hat p_s| \le` radius of s;
        :math:`KL(\hat p \| q) \le` radius. With ``"bonus"`` the law is the estimated one, and the radius, which must be
        finite, is added to the mean.
    excess : array, shape (C,), optional
        Most :math:`\beta_c \ge 0` by which a mean may exceed the estimated one; infinite by default.

    Raises
    ------
    ValueError
        If shapes do not fit, a law is no distribution, a radius or an excess is negative, or the form has another name.

    Examples
    --------
    A choice seen to stay may swap instead, with probability 0.1 at most.

    >>> sets = Plausible([0, 1, 2], [0.0, 1.0], np.eye(2), [0.2, 0.2], "l1")
    >>> round(extended_value_iteration(sets).gain, 4)
    1.0
    >>> sets = Plausible([0, 1, 2], [0.0, 1.0], np.eye(2)[::-1], [0.2, 0.2], "l1")
    >>> round(extended_value_iteration(sets).gain, 4)  # swaps from the second state with probability 0.9 only
    0.5263
    """

    first_choice: Indices
    rewards: Vector
    laws: Matrix
    radii: Matrix
    form: str
    excess: Vector
    _columns: Matrix
    _rooms: Matrix

    def __init__(
        self,
        first_choice: ArrayLike,
        rewards: ArrayLike,
        laws: ArrayLike,
        radii: ArrayLike,
        form: str,
        *,
        excess: ArrayLike | None = None,
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"form is {form!r}; it must be one of {', '.join(map(repr, FORMS))}")
        rows, gains = float_array(laws, "laws", ndim=2), float_array(rewards, "rewards", ndim=1)
        starts = np.array(first_choice, dtype=np.int64)
        sizes = np.array(radii, dtype=np.float64)
        if sizes.ndim == 1:
            sizes = sizes[:, None]
        choices, states = rows.shape
        if gains.shape != (choices,) or starts.shape != (states + 1,):
            raise ValueError(
                f"laws has shape {rows.shape}, rewards {gains.shape} and first_choice {starts.shape}; "
                f"for {choices} choices of {states} states the last two must be ({choices},) and ({states + 1},)"
            )
        if starts[0] != 0 or starts[-1] != choices or (np.diff(starts) < 1).any():
            raise ValueError(f"first_choice is {starts}; it must rise from 0 to {choices}, by 1 at least")
        if sizes.shape != (choices, states if form == "box" else 1):
            raise ValueError(f"radii has shape {np.shape(radii)}; give one for each of {choices} choices")
        wrong = ~(sizes >= 0) | (np.isinf(sizes) & (form == "bonus"))
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(f"radii[{place[0]}] is {sizes[place]}; it must be >= 0, and finite if it is a bonus")
        odd = (rows < 0).any(axis=1) | (np.abs(rows.sum(axis=1) - 1) > 1e-9)
        if odd.any():
            choice = int(np.argmax(odd))
            raise ValueError(f"laws[{choice}] is {rows[choice]}; it must be a distribution")
        most = np.full(choices, np.inf) if excess is None else np.array(excess, dtype=np.float64)
        if most.shape != (choices,) or not (most >= 0).all():
            raise ValueError(f"excess is {most}; it must hold a number >= 0 for each of {choices} choices")
        columns = rooms = np.empty((0, 0))
        if form == "l1":
            columns = np.ascontiguousarray(rows.T)
        elif form == "box":
            columns = np.ascontiguousarray(np.maximum(rows - sizes, 0.0).T)
            rooms = np.ascontiguousarray(np.minimum(rows + sizes, 1.0).T) - columns
        arrays = {
            "first_choice": starts,
            "rewards": gains,
            "laws": rows,
            "radii": sizes,
            "excess": most,
            "_columns": columns,
            "_rooms": rooms,
        }
        for name, array in arrays.items():
            object.__setattr__(self, name, frozen(array))
        object.__setattr__(self, "form", form)

    @property
    def arrays(self) -> _Sets:
        """What kernels receive."""
        return _Sets(
            FORMS[self.form],
            self.first_choice,
            self.rewards,
            self.laws,
            self.radii,
            self.excess,
            self._columns,
            self._rooms,
        )


@dataclass(frozen=True)
class OptimisticPlan:
    r"""A policy that is best in the best plausible process.

    Parameters
    ----------
    policy : array of int, shape (S,)
        The choice made in each state.
    values : array, shape (S,)
        Function u with :math:`u + J \le L u`, whose least entry is 0.
    gain, upper : float
        Proved bounds :math:`J` and :math:`\bar J` on the optimistic gain, up to rounding; their distance is at most
        the precision asked for.
    sweeps : int
        Number of iterations.
    """

    policy: Indices
    values: Vector
    gain: float
    upper: float
    sweeps: int


@reordering_kernel
def _mean(law: Vector, values: Vector) -> float:
    total = 0.0
    for s in range(law.size):
        total += law[s] * values[s]
    return total


@kernel
def largest_means_within_distances(
    columns: Matrix, radii: Matrix, values: Vector, order: Indices, left: Vector, means: Vector
) -> None:
    """Write largest means of values in balls of the first norm round laws, one for each choice.

    Half the radius moves to the best state, from the worst ones on; for all choices side by side. Where a column, shape
    (S, C), is 0 instead of a law and the radius 2 at least, the mean is the largest value.
    """
    top, best = order[0], values[order[0]]
    for c in range(means.size):
        left[c] = min(0.5 * radii[c, 0], 1.0 - columns[top, c])
        means[c] = (columns[top, c] + left[c]) * best
    # Two states at once, the worst first, so that what is left and the means are read and written half as often; beside
    # the last one of an odd number, the best state stands in with share 0.
    for place in range(order.size - 1, 0, -2):
        worst, other = order[place], order[place - 1]
        value, other_value = values[worst], values[other]
        share = 1.0 if place > 1 else 0.0
        for c in range(means.size):
            p, q = columns[worst, c], share * columns[other, c]
            moved = p if p < left[c] else left[c]  # compiles to fewer instructions than min
            rest = left[c] - moved
            also_moved = q if q < rest else rest
            left[c] = rest - also_moved
            means[c] += (p - moved) * value + (q - also_moved) * other_value


@kernel
def _within_boxes(columns: Matrix, rooms: Matrix, values: Vector, order: Indices, left: Vector, means: Vector) -> None:
    """Start from the least probabilities, and fill up from the best state on; for all choices side by side."""
    for c in range(means.size):
        left[c] = 1.0
        means[c] = 0.0
    for state in range(values.size):
        for c in range(means.size):
            left[c] -= columns[state, c]
    for place in range(order.size):
        state = order[place]
        for c in range(means.size):
            added = rooms[state, c] if rooms[state, c] < left[c] else left[c]
            left[c] -= added
            means[c] += (columns[state, c] + added) * values[state]


@kernel
def _within_divergence(law: Vector, radius: float, values: Vector, order: Indices) -> float:
    r"""Solve the dual of :math:`\max \{\langle q, u \rangle : KL(p \| q) \le r\}`.

    On the support of p the solution is :math:`q_s \propto p_s / (\nu - u_s)`, with
    :math:`f(\nu) = \sum_s p_s \log(\nu - u_s) + \log \sum_s p_s / (\nu - u_s) = r`, a decreasing convex function of
    :math:`\nu` above the largest value there; unless :math:`f(\max u) < r`, where mass
    :math:`1 - e^{f(\max u) - r}` goes to a best state outside the support.
    """
    place = 0
    while law[order[place]] <= NEGLIGIBLE:
        place += 1
    top, best = order[0], order[place]
    if radius == np.inf:
        return float(values[top])
    if values[top] > values[best]:
        logs, inverses, squares = _dual_sums(law, values, values[best], values[top] - values[best])
        excess = radius - logs - np.log(inverses)
        if excess > 0.0:
            return float(values[top] - np.exp(-excess) / inverses)
    mean = _mean(law, values)
    variance = 0.0
    for s in range(law.size):
        variance += law[s] * (values[s] - mean) ** 2
    if variance <= 0.0 or radius <= 0.0:
        return mean
    # In logarithms of both the distance from the best value and the divergence the curve is almost straight: of slope
    # -2 far away, where the divergence is the variance over twice the squared distance, and flat nearby.
    point = np.log(max(mean - values[best] + np.sqrt(variance / (2.0 * radius)), 1e-3 * np.sqrt(variance)))
    left, right = LEAST_LOGARITHM, np.inf
    for _ in range(MOST_NEWTON_STEPS):
        distance = np.exp(point)
        logs, inverses, squares = _dual_sums(law, values, values[best], distance)
        divergence = logs + np.log(inverses)
        if divergence > radius:
            left = point
        else:
            right = point
        slope = distance * (inverses - squares / inverses)
        step = 0.0
        if divergence > 0.0 and slope < 0.0:
            step = -np.log(divergence / radius) * divergence / slope
        if step == 0.0 or not left < point + step < right:
            step = 0.5 * (left + right) - point if right < np.inf else 1.0
        point += step
        if abs(step) <= 1e-10 or point <= LEAST_LOGARITHM:
            break
    distance = np.exp(point)
    logs, inverses, squares = _dual_sums(law, values, values[best], distance)
    return float(values[best] + distance - 1.0 / inverses)


@kernel
def _dual_sums(law: Vector, values: Vector, best: float, distance: float) -> tuple[float, float, float]:
    """Means of log(x), 1 / x and 1 / x^2, where x is the distance of the values to a point beyond the best."""
    logs, inverses, squares = 0.0, 0.0, 0.0
    for s in range(law.size):
        if law[s] > NEGLIGIBLE:
            x = distance + (best - values[s])
            logs += law[s] * np.log(x)
            inverses += law[s] / x
            squares += law[s] / x**2
    return logs, inverses, squares


@kernel
def _largest_means(sets: _Sets, values: Vector, room: _Room) -> None:
    """Write the largest mean of each choice to the room."""
    form, laws, radii, excess = sets.form, sets.laws, sets.radii, sets.excess
    order, means = room.order, room.means
    if form == DISTANCE:
        largest_means_within_distances(sets.columns, radii, values, order, room.left, means)
    elif form == BOX:
        _within_boxes(sets.columns, sets.rooms, values, order, room.left, means)
    else:
        for c in range(means.size):
            if form == BONUS:
                means[c] = _mean(laws[c], values) + radii[c, 0]
            else:
                means[c] = _within_divergence(laws[c], radii[c, 0], values, order)
    for c in range(means.size):
        if excess[c] < np.inf:
            means[c] = min(means[c], _mean(laws[c], values) + excess[c])


@kernel
def sort_states(values: Vector, order: Indices) -> None:
    """Order states from the largest value to the least, by insertion: they are almost in order already."""
    for place in range(1, order.size):
        state = order[place]
        free = place
        while free > 0 and values[order[free - 1]] < values[state]:
            order[free] = order[free - 1]
            free -= 1
        order[free] = state


@kernel
def _project(differences: Matrix, values: Vector) -> None:
    """Lower values to the largest function with these differences, which satisfy the triangle inequality."""
    for s in range(differences.shape[0]):
        for other in range(values.size):
            values[s] = min(values[s], values[other] + differences[s, other])


@kernel
def _back_up(sets: _Sets, span: float, differences: Matrix, values: Vector, policy: Indices, room: _Room) -> None:
    """Write T u to the room, and the choices that attain L u to `policy`."""
    first_choice, rewards, means, out = sets.first_choice, sets.rewards, room.means, room.spare
    sort_states(values, room.order)
    _largest_means(sets, values, room)
    least = np.inf
    for s in range(values.size):
        best = -np.inf
        for c in range(first_choice[s], first_choice[s + 1]):
            value = rewards[c] + means[c]
            if value > best:
                best = value
                policy[s] = c
        out[s] = best
        least = min(least, best)
    for s in range(values.size):
        out[s] = min(out[s], least + span)
    _project(differences, out)


@kernel
def _iterate(
    sets: _Sets,
    span: float,
    differences: Matrix,
    precision: float,
    values: Vector,
    policy: Indices,
    room: _Room,
) -> tuple[float, float, int]:
    """Iterate until the growth differs by the precision at most, and leave the function that has this growth."""
    spare = room.spare
    low, high = -np.inf, np.inf
    sweeps = 0
    while high - low > precision and sweeps < MOST_SWEEPS:
        if sweeps > 0:
            least = np.inf
            for s in range(values.size):
                values[s] += MOVE * (spare[s] - values[s])
                least = min(least, values[s])
            for s in range(values.size):
                values[s] -= least
        _back_up(sets, span, differences, values, policy, room)
        low, high = np.inf, -np.inf
        for s in range(values.size):
            low = min(low, spare[s] - values[s])
            high = max(high, spare[s] - values[s])
        sweeps += 1
    return low, high, sweeps


@kernel
def _shortfall(
    sets: _Sets,
    span: float,
    gain: float,
    accuracy: float,
    differences: Matrix,
    values: Vector,
    policy: Indices,
    room: _Room,
) -> float:
    """Find some e <= accuracy for which a u in [0, H]^S has u + J - e <= L u; infinite if there is no u with e = 0.

    Descend from H towards the largest u; a step that lowers no entry by more than e has found one.
    """
    spare = room.spare
    for s in range(values.size):
        values[s] = span
    change = np.inf
    while change > accuracy:
        _back_up(sets, np.inf, differences, values, policy, room)
        change = 0.0
        for s in range(values.size):
            lowered = min(values[s], spare[s] - gain)
            if lowered < 0.0:
                return np.inf
            change = max(change, values[s] - lowered)
            values[s] = lowered
    return change


def largest_mean(law: ArrayLike, radius: ArrayLike, values: ArrayLike, form: str) -> float:
    r"""Largest mean :math:`\langle q, u \rangle` over a set of laws round an estimate.

    Parameters
    ----------
    law : array_like, shape (S,)
        Estimated law.
    radius : float, or array_like, shape (S,)
        Size of the set, >= 0; one for each state if it is a box.
    values : array_like, shape (S,)
        Finite values u.
    form : {"l1", "box", "kl", "bonus"}
        Form of the set, as in :class:`Plausible`.

    Raises
    ------
    ValueError
        If the law is no distribution, shapes do not fit, or a radius is negative.

    References
    ----------
    :cite:`jaksch2010` for the first form, :cite:`filippi2010` for the third.

    Examples
    --------
    >>> largest_mean([0.2, 0.7, 0.1], 0.1, [10, 4, 32], "l1")
    9.4
    """
    u = float_array(values, "values", ndim=1)
    sizes = np.array(radius, dtype=np.float64).reshape(1, -1)
    one_each = np.arange(u.size + 1)
    # Only the first choice matters; the others make the arrays those of a process.
    rows = np.vstack([float_array(law, "law", ndim=1)[None], np.eye(u.size)[1:]])
    sizes = np.vstack([sizes, np.zeros((u.size - 1, sizes.shape[1]))])
    sets = Plausible(one_each, np.zeros(u.size), rows, sizes, form).arrays
    room = _room(u, u.size)
    _largest_means(sets, u, room)
    return float(room.means[0])


def tightest_differences(bounds: ArrayLike) -> Matrix:
    r"""Bounds on differences that follow from others, :math:`u(s) - u(t) \le d(s, s') + d(s', t)`.

    Parameters
    ----------
    bounds : array_like, shape (S, S)
        Bounds :math:`d(s, s')` on :math:`u(s) - u(s')`, finite.

    Returns
    -------
    array, shape (S, S)
        The least bounds that follow, with zeros on the diagonal.

    Raises
    ------
    ValueError
        If the shape is another, or no function has such differences. The message names a state at which they break.

    Examples
    --------
    >>> tightest_differences([[0, 1, 9], [9, 0, 1], [-1, 9, 0]])
    array([[ 0.,  1.,  2.],
           [ 0.,  0.,  1.],
           [-1.,  0.,  0.]])
    """
    least = float_array(bounds, "bounds", ndim=2)
    if least.shape[0] != least.shape[1]:
        raise ValueError(f"bounds has shape {least.shape}; it must be square")
    np.fill_diagonal(least, np.minimum(least.diagonal(), 0.0))
    for between in range(len(least)):
        least = np.minimum(least, least[:, [between]] + least[between])
    if least.diagonal().min() < 0:
        state = int(least.diagonal().argmin())
        raise ValueError(f"bounds contradict each other: they put state {state} below itself")
    return least


def extended_value_iteration(
    plausible: Plausible,
    *,
    span: float = np.inf,
    differences: ArrayLike | None = None,
    precision: float = 1e-6,
    start: Vector | None = None,
) -> OptimisticPlan:
    r"""Largest gain of all plausible processes, and a policy that attains it.

    Parameters
    ----------
    plausible
        The processes.
    span
        Bound H > 0 on the span of u, infinite by default.
    differences : array_like, shape (S, S), optional
        Bounds on the differences :math:`u(s) - u(s')`, finite.
    precision
        Largest distance > 0 of the bounds on the gain.
    start : array, shape (S,), optional
        First function u; 0 by default.

    Returns
    -------
    OptimisticPlan
        The policy, which attains :math:`L u`, with u and bounds on the gain.

    Raises
    ------
    ValueError
        If a number is not positive, or no function has such differences.
    ArithmeticError
        If a million iterations do not reach the precision: some plausible process has several gains, or rounding
        exceeds it.

    References
    ----------
    :cite:`jaksch2010`; with the span :cite:`fruit2018`; with excess and differences :cite:`boone2024`

    Examples
    --------
    >>> sets = Plausible([0, 1, 2], [0.0, 1.0], np.eye(2)[::-1], [0.1, 0.1], "bonus")
    >>> plan = extended_value_iteration(sets, span=0.2, precision=1e-9)
    >>> round(plan.gain, 6)  # reward 0, bonus 0.1 and at most 0.2 more from the other state
    0.3
    """
    if span != np.inf:
        span = positive(span, "span")
    precision = positive(precision, "precision")
    states = plausible.laws.shape[1]
    bounds = NO_DIFFERENCES if differences is None else tightest_differences(differences)
    if bounds.size and len(bounds) != states:
        raise ValueError(f"differences has shape {bounds.shape}; it must be {(states, states)}")
    values = np.zeros(states) if start is None else start - start.min()
    policy, room = np.empty(states, np.int64), _room(values, plausible.rewards.size)
    low, high, sweeps = _iterate(plausible.arrays, span, bounds, precision, values, policy, room)
    if high - low > precision:
        raise ArithmeticError(
            f"after {sweeps} iterations the bounds {low:.9g} and {high:.9g} on the optimistic gain are still farther "
            f"apart than {precision:g}; raise the precision, or bound the span"
        )
    return OptimisticPlan(policy, values, low, high, sweeps)


def optimistic_gain_by_bisection(plausible: Plausible, span: float, *, accuracy: float = 1e-4) -> tuple[float, float]:
    r"""Largest gain that is plausible with a span of at most H, by bisection on it: another way to the same number.

    A gain J is plausible if some u in :math:`[0, H]^S` has :math:`u + J \le L u`. The largest such u, if there is one,
    is the limit of :math:`u \leftarrow \min(u, L u - J)` from H on: it is feasible, and dominates all others
    :cite:`tarski1955`. Up to :math:`S H` over the accuracy iterations tell whether there is one.

    Parameters
    ----------
    plausible
        The processes.
    span
        Bound H > 0 on the span of u.
    accuracy
        Largest distance > 0 of the bounds.

    Returns
    -------
    lower, upper : float
        The largest plausible gain lies between them, up to rounding.

    Raises
    ------
    ValueError, TypeError
        If a number is not positive.

    Examples
    --------
    >>> sets = Plausible([0, 1, 2], [0.0, 1.0], np.eye(2)[::-1], [0.1, 0.1], "bonus")
    >>> lower, upper = optimistic_gain_by_bisection(sets, 0.2)
    >>> round(lower, 3), round(upper, 3)
    (0.3, 0.3)
    """
    span, accuracy = positive(span, "span"), positive(accuracy, "accuracy")
    arrays, states = plausible.arrays, plausible.laws.shape[1]
    values, policy = np.full(states, span), np.empty(states, np.int64)
    room = _room(values, plausible.rewards.size)
    bonus = float(plausible.radii.max()) if plausible.form == "bonus" else 0.0
    low, high = float(plausible.rewards.min()), float(plausible.rewards.max()) + bonus
    while high - low > accuracy:
        gain = (low + high) / 2
        shortfall = _shortfall(arrays, span, gain, (high - low) / 4, NO_DIFFERENCES, values, policy, room)
        if shortfall == np.inf:
            high = gain
        else:
            low = gain - shortfall
    return low, high
