r"""Fixed points of Bellman operators by iteration, with a certified error.

If :math:`T v - v` lies in :math:`[a, b]`, then

.. math:: V^* \in T v + \frac{\gamma}{1 - \gamma} [a, b],

and the midpoint is the answer :cite:`macqueen1966`, :cite:`puterman2005`. Where all states soon mix, the span
:math:`b - a` shrinks much faster than the distance of :math:`v` to :math:`V^*`.
"""

import math
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from rltheory.arrays import Vector
from rltheory.problems.mdp import DenseArrays, DeterministicArrays
from rltheory.solvers.bellman import BellmanOperator, Range
from rltheory.solvers.occupancy import linear_solver

__all__ = [
    "Improvement",
    "exact_evaluation",
    "factorised",
    "in_place_sweeps",
    "iterate",
    "krylov_evaluation",
    "nothing",
    "policy_sweeps",
    "require",
]

MOST_POLICY_SWEEPS = 30
SWEEPS_IN_PLACE = 9  # between two ordinary backups

Improvement: TypeAlias = Callable[[BellmanOperator, Vector, Vector, float], tuple[Vector, Vector, int]]


def nothing(operator: BellmanOperator, values: Vector, spare: Vector, span: float) -> tuple[Vector, Vector, int]:
    """Leave all to the backups: value iteration."""
    return values, spare, 0


def in_place_sweeps(
    operator: BellmanOperator, values: Vector, spare: Vector, span: float
) -> tuple[Vector, Vector, int]:
    """Back up one state after the other, each with the newest values: Gauss-Seidel."""
    for _ in range(SWEEPS_IN_PLACE):
        operator.back_up_in_place(values)
    return values, spare, SWEEPS_IN_PLACE


def policy_sweeps(operator: BellmanOperator, values: Vector, spare: Vector, span: float) -> tuple[Vector, Vector, int]:
    """Back up by the policy of the last backup until the span of the change is a tenth: modified policy iteration."""
    sweep: Callable[[Vector, Vector], Range] = operator.greedy_sweep
    spent, change = 0, math.inf
    while change > span / 10 and spent < MOST_POLICY_SWEEPS:
        if spent == operator.sweeps_before_gathering:
            sweep = operator.greedy()
        lowest, highest = sweep(values, spare)
        values, spare = spare, values
        change = highest - lowest
        spent += 1
    return values, spare, spent


def exact_evaluation(
    operator: BellmanOperator, values: Vector, spare: Vector, span: float
) -> tuple[Vector, Vector, int]:
    """Evaluate the policy of the last backup: policy iteration."""
    return factorised(operator.greedy()), spare, 1


def krylov_evaluation(
    operator: BellmanOperator, values: Vector, spare: Vector, span: float
) -> tuple[Vector, Vector, int]:
    r"""Evaluate that policy until the span of :math:`T_\pi v - v` has shrunk by a factor :math:`(1 - \gamma) / 2`.

    Coarser evaluations can make inexact policy iteration diverge. BiCGSTAB does most of it, and bounds another norm;
    plain sweeps do the rest, or all of it where BiCGSTAB breaks down.
    """
    from scipy.sparse.linalg import LinearOperator, bicgstab

    own = operator.greedy()
    horizon = 1 / (1 - own.discount)
    lowest, highest = own(values, spare)
    target = (highest - lowest) / (2 * horizon)
    centre = (lowest + highest) / 2
    homogeneous = own.without_rewards()
    sweeps = 1

    def apply(direction: Vector) -> Vector:
        nonlocal sweeps
        sweeps += 1
        image = np.empty_like(direction)
        homogeneous(direction, image)
        return np.subtract(direction, image, out=image)

    system = LinearOperator((values.size, values.size), matvec=apply, dtype=np.float64)
    spare -= values
    spare -= centre
    # A breakdown shows in the result. One thread: idle ones of BLAS would take the cores from the backups, and the
    # last bits would depend on their number.
    with np.errstate(all="ignore"), _blas().limit(limits=1, user_api="blas"):
        correction, _ = bicgstab(system, spare, rtol=0.2 / horizon, atol=0.0, maxiter=300)
    if np.isfinite(correction).all():
        values += correction
        values += horizon * centre
    for _ in range(math.ceil(10 * horizon)):
        lowest, highest = own(values, spare)
        values, spare = spare, values
        sweeps += 1
        if highest - lowest <= target:
            break
    return values, spare, sweeps


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def factorised(own: BellmanOperator) -> Vector:
    """Values of the policy whose operator is given, by a factorisation and one step of iterative refinement."""
    arrays, states = own.arrays, own.states
    if isinstance(arrays, DenseArrays):
        solve_system = linear_solver(arrays.transitions, own.discount)
    else:
        from scipy.sparse import csr_array

        columns = arrays.successors.astype(np.int32)
        if isinstance(arrays, DeterministicArrays):
            entries = np.ones(states), columns, np.arange(states + 1, dtype=np.int32)
        else:
            entries = arrays.probabilities, columns, arrays.first_entry.astype(np.int32)
        laws = csr_array(entries, shape=(states, states))
        solve_system = linear_solver(laws, own.discount)
    values = solve_system(arrays.rewards)
    backed_up = np.empty(states)
    own(values, backed_up)
    return values + solve_system(backed_up - values)


def iterate(
    operator: BellmanOperator, values: Vector, accuracy: float, improve: Improvement
) -> tuple[Vector, float, int]:
    r"""Alternate backups and improvements until the centred values are certified; return values, error, sweeps.

    Improvements receive the operator, the backed-up values, an array to spare and the span of the change; they return
    better values, an array to spare, and how many sweeps these took. They may overwrite both arrays.

    The span of the change of plain backups shrinks by the discount at every step, until rounding takes over; methods
    with improvements may pause, yet not for long. Nothing more is to be expected after some multiple of the horizon.
    Where sums of laws differ from 1, centring leaves an error, which the next one reduces.

    Raises
    ------
    ArithmeticError
        If float64 cannot certify the accuracy; the message says what it can.
    """
    out = np.empty_like(values)
    gain = operator.discount / (1 - operator.discount)
    patience = 10 + math.ceil(2 / (1 - operator.discount))
    narrowest, least_error, progress_at, sweeps = math.inf, math.inf, 0, 0
    for step in count():
        lowest, highest = operator(values, out)
        sweeps += 1
        if highest - lowest < narrowest:
            narrowest, progress_at = highest - lowest, step
        stuck = step - progress_at >= patience
        if stuck or gain * (highest - lowest) / 2 <= accuracy:
            out += gain * (lowest + highest) / 2
            error, floor = operator.certificate(out, values)
            sweeps += 1
            if error <= accuracy:
                return out, error, sweeps
            if stuck or floor > accuracy:
                require(error, accuracy)
            if error < least_error:
                least_error, progress_at = error, step
        values, out, spent = improve(operator, out, values, highest - lowest)
        sweeps += spent
    raise AssertionError


def require(error: float, accuracy: float, *, by: str = "float64") -> None:
    """Raise an ArithmeticError if the error is above the accuracy."""
    if not error <= accuracy:
        raise ArithmeticError(f"accuracy {accuracy:.3g} is out of reach: {by} certifies an error of {error:.3g} here")
