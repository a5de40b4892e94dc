r"""Optimistic planning for linear mixtures: an ellipsoid of weights, chosen anew for each choice.

The largest mean of values V over weights in a set is :math:`\max_\theta \langle \theta, X \rangle` with :math:`X_k =
\langle \phi_k, V \rangle`. Over an ellipsoid it is :math:`\langle \hat\theta, X \rangle + \sqrt{\beta}\,
\|X\|_{\Lambda^{-1}}`. On the simplex as well, the maximiser lies inside one of its faces, and is the maximiser over the
section of the ellipsoid by the plane of that face, which has the same form; so that the largest over all faces, among
those maximisers that are distributions, is exact. There are :math:`2^d - 1` faces.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Matrix, Vector, float_array, frozen, positive
from rltheory.jit import kernel
from rltheory.problems.mdp import Indices
from rltheory.solvers.optimism import MOST_SWEEPS, MOVE, OptimisticPlan

__all__ = ["WeightSet", "largest_product", "optimistic_mixture_plan"]

OUTSIDE = 1e-12  # a weight may be negative by this much, which rounding can leave


@dataclass(frozen=True, eq=False)
class WeightSet:
    r"""Weights in an ellipsoid, as a union of sections :math:`\{m + \sqrt\rho\, u : u^\top B^+ u \le 1\}`.

    Parameters
    ----------
    centres : array, shape (F, d)
        Centres m of the sections.
    sizes : array, shape (F,)
        Squared radii :math:`\rho \ge 0`.
    forms : array, shape (F, d, d)
        Matrices B.
    signed : bool
        Whether weights may be negative.

    Examples
    --------
    >>> signed = WeightSet.ellipsoid(np.eye(2), np.array([0.5, 0.5]), 1.0)
    >>> round(largest_product(signed, [1.0, 0.0]), 9), round(largest_product(signed, [1.0, 1.0]), 9)
    (1.5, 2.414213562)
    >>> mixtures = WeightSet.on_simplex(np.eye(2), np.array([0.5, 0.5]), 1.0)
    >>> round(largest_product(mixtures, [1.0, 0.0]), 9), round(largest_product(mixtures, [1.0, 1.0]), 9)
    (1.0, 1.0)
    """

    centres: Matrix
    sizes: Vector
    forms: Array
    signed: bool

    @classmethod
    def ellipsoid(cls, matrix: Matrix, centre: Vector, squared_radius: float) -> Self:
        r"""All weights with :math:`\|\theta - \hat\theta\|_\Lambda^2 \le \beta`."""
        form = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        return cls(centre[None], np.array([squared_radius]), form[None], True)

    @classmethod
    def on_simplex(cls, matrix: Matrix, centre: Vector, squared_radius: float) -> Self:
        r"""Those that are distributions; the nearest distribution, if none is within the radius."""
        size = centre.size
        centres, distances, forms = [], [], []
        for count in range(1, size + 1):
            for face in map(np.array, combinations(range(size), count)):
                inside = np.ix_(face, face)
                inverse, ones = np.linalg.inv(matrix[inside]), np.ones(count)
                # The minimiser of the distance with all weights outside of the face 0 and sum 1.
                outside = np.setdiff1d(np.arange(size), face)
                free = centre[face] + inverse @ (matrix[np.ix_(face, outside)] @ centre[outside])
                normal = inverse @ ones
                point = np.zeros(size)
                point[face] = free + normal * (1 - free.sum()) / normal.sum()
                form = np.zeros((size, size))
                form[inside] = inverse - np.outer(normal, normal) / normal.sum()
                away = point - centre
                centres.append(point)
                distances.append(away @ matrix @ away)
                forms.append(form)
        within = (np.array(centres) >= -OUTSIDE).all(axis=1)
        nearest = float(np.array(distances)[within].min())
        sizes = max(squared_radius, nearest) - np.array(distances)
        met = sizes >= 0
        return cls(np.array(centres)[met], sizes[met], np.array(forms)[met], False)


@kernel
def _largest_product(centres: Matrix, sizes: Vector, forms: Array, signed: bool, product: Vector) -> float:
    dimension = product.size
    best = -np.inf
    for f in range(sizes.size):
        spread = 0.0
        for i in range(dimension):
            for j in range(dimension):
                spread += product[i] * forms[f, i, j] * product[j]
        factor = np.sqrt(sizes[f] / spread) if spread > 0.0 else 0.0
        total = 0.0
        within = True
        for i in range(dimension):
            weight = 0.0
            for j in range(dimension):
                weight += forms[f, i, j] * product[j]
            weight = centres[f, i] + factor * weight
            within = within and (signed or weight >= -OUTSIDE)
            total += weight * product[i]
        if within and total > best:
            best = total
    return best


@kernel
def _back_up(
    first_choice: Indices,
    rewards: Vector,
    laws: Array,
    centres: Matrix,
    sizes: Vector,
    forms: Array,
    signed: bool,
    span: float,
    values: Vector,
    product: Vector,
    policy: Indices,
    out: Vector,
) -> None:
    """Write the truncated backup to `out`, and the choices that attain it to `policy`."""
    least = np.inf
    for s in range(values.size):
        out[s] = -np.inf
        for c in range(first_choice[s], first_choice[s + 1]):
            for k in range(product.size):
                product[k] = 0.0
                for x in range(values.size):
                    product[k] += laws[c, k, x] * values[x]
            value = rewards[c] + _largest_product(centres, sizes, forms, signed, product)
            if value > out[s]:
                out[s] = value
                policy[s] = c
        least = min(least, out[s])
    for s in range(values.size):
        out[s] = min(out[s], least + span)


@kernel
def _iterate(
    first_choice: Indices,
    rewards: Vector,
    laws: Array,
    centres: Matrix,
    sizes: Vector,
    forms: Array,
    signed: bool,
    span: float,
    precision: float,
    most: int,
    values: Vector,
    product: Vector,
    policy: Indices,
    spare: Vector,
) -> tuple[float, float, int]:
    """Iterate until the growth differs by the precision at most."""
    low, high = -np.inf, np.inf
    sweeps = 0
    while high - low > precision and sweeps < most:
        if sweeps > 0:
            least = np.inf
            for s in range(values.size):
                values[s] += MOVE * (spare[s] - values[s])
                least = min(least, values[s])
            for s in range(values.size):
                values[s] -= least
        _back_up(
            first_choice, rewards, laws, centres, sizes, forms, signed, span, values, product, policy, spare
        )  # fmt: skip
        low, high = np.inf, -np.inf
        for s in range(values.size):
            low = min(low, spare[s] - values[s])
            high = max(high, spare[s] - values[s])
        sweeps += 1
    return low, high, sweeps


def largest_product(weights: WeightSet, product: ArrayLike) -> float:
    r"""Largest :math:`\langle \theta, X \rangle` over a set of weights.

    Raises
    ------
    ValueError
        If the vector has another dimension than the weights.
    """
    vector = float_array(product, "product", ndim=1)
    if vector.size != weights.centres.shape[1]:
        raise ValueError(f"product has {vector.size} entries for weights of dimension {weights.centres.shape[1]}")
    return float(_largest_product(weights.centres, weights.sizes, weights.forms, weights.signed, vector))


def optimistic_mixture_plan(
    first_choice: Indices,
    rewards: Vector,
    laws: ArrayLike,
    weights: WeightSet,
    *,
    span: float,
    precision: float = 1e-6,
    start: Vector | None = None,
) -> OptimisticPlan:
    r"""Largest gain of processes whose choices each have weights of their own in a set, with span H at most.

    Parameters
    ----------
    first_choice : array of int, shape (S + 1,)
        The choices of state s are those from ``first_choice[s]`` to ``first_choice[s + 1] - 1``.
    rewards : array, shape (C,)
        Rewards.
    laws : array_like, shape (C, d, S)
        Base laws of each choice.
    weights
        The set.
    span
        Bound H > 0 on the span of values.
    precision
        Largest distance > 0 of the bounds on the gain.
    start : array, shape (S,), optional
        First values; 0 by default.

    Raises
    ------
    ValueError
        If shapes do not fit, or a number is not positive.
    ArithmeticError
        If a million iterations do not reach the precision. Where weights are signed that is usual, unless the set is
        small: the backup is not monotone, and adds less or more than a constant to values with one.

    References
    ----------
    :cite:`wu2022nearly`

    Examples
    --------
    Base laws stay and swap, of which the weights must be (0.7, 0.3) up to 0.1.

    >>> laws = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]
    >>> weights = WeightSet.on_simplex(np.eye(2), np.array([0.7, 0.3]), 0.02)
    >>> plan = optimistic_mixture_plan(np.arange(3), np.array([0.0, 1.0]), laws, weights, span=5.0)
    >>> round(plan.gain, 4)  # swaps to the second state with probability 0.4, and away with 0.2
    0.6667
    """
    span, precision = positive(span, "span"), positive(precision, "precision")
    bases = float_array(laws, "laws", ndim=3)
    states, shape = first_choice.size - 1, (rewards.size, weights.centres.shape[1], first_choice.size - 1)
    if bases.shape != shape:
        raise ValueError(f"laws has shape {bases.shape}; for these choices, weights and states it must be {shape}")
    values = np.zeros(states) if start is None else start - start.min()
    policy = np.empty(states, np.int64)
    low, high, sweeps = _iterate(
        first_choice, rewards, bases, weights.centres, weights.sizes, weights.forms, weights.signed, span, precision,
        MOST_SWEEPS, values, np.empty(bases.shape[1]), policy, np.empty(states),
    )  # fmt: skip
    if high - low > precision:
        raise ArithmeticError(
            f"after {sweeps} iterations the bounds {low:.9g} and {high:.9g} on the optimistic gain are still farther "
            f"apart than {precision:g}; raise the precision, or keep weights on the simplex"
        )
    return OptimisticPlan(policy, frozen(values), low, high, sweeps)
