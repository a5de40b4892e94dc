r"""Value iteration, exact and approximate, and modified policy iteration, which backs up one policy several times.

.. math:: v_{k+1} = T_{\pi_k}^m v_k + e_k, \qquad \pi_k \text{ greedy for } v_k,

with the backups :math:`(T_\pi v)(s) = r(\pi(s)) + \gamma \sum_t p_{\pi(s)}(t) v(t)`. With m = 1 this is
:math:`v_{k+1} = T v_k + e_k`, where T takes the best choice.

Book: :cite:`puterman2005`, sections 6.3 and 6.5. Nothing is certified here, and nothing stops: a run shows the
iterates of which theorems speak. For answers take :mod:`rltheory.solvers`.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Times, Vector, count, float_array
from rltheory.jit import kernel
from rltheory.problems.mdp import MDP, Indices, ProcessArrays, expectation
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to
from rltheory.solvers.bellman import back_up
from rltheory.solvers.occupancy import checked_discount
from rltheory.trace import Trace, record_times

__all__ = ["value_iteration"]


@kernel
def iterate(
    arrays: ProcessArrays,
    discount: float,
    backups: int,
    errors: Matrix,
    first: int,
    end: int,
    values: Vector,
    spare: Vector,
    made: Indices,
) -> None:
    """Overwrite v_k for k = `first` by v_k for k = `end`."""
    for k in range(first, end):
        back_up(arrays, discount, values, spare, made, 0, values.size)
        copy_to(spare, values)
        for _ in range(backups - 1):
            for state in range(values.size):
                spare[state] = arrays.rewards[made[state]] + discount * expectation(arrays, made[state], values)
            copy_to(spare, values)
        for state in range(values.size):
            values[state] += errors[k % errors.shape[0], state]


@kernel
def _run(
    arrays: ProcessArrays,
    discount: float,
    backups: int,
    errors: Matrix,
    times: Times,
    values: Vector,
    spare: Vector,
    iterates: Matrix,
    backed_up: Matrix,
    made: Indices,
) -> None:
    done = 0
    for k in range(times.size):
        iterate(arrays, discount, backups, errors, done, times[k], values, spare, made[k])
        done = times[k]
        copy_to(values, iterates[k])
        back_up(arrays, discount, values, backed_up[k], made[k], 0, values.size)


def value_iteration(
    mdp: MDP,
    discount: float,
    *,
    iterations: int,
    backups: int = 1,
    start: ArrayLike | None = None,
    errors: ArrayLike | None = None,
) -> Trace:
    r"""Run value iteration, or with `backups` > 1 modified policy iteration.

    Parameters
    ----------
    mdp
        The process, S states.
    discount
        Discount factor in [0, 1).
    iterations
        Last recorded time, >= 0.
    backups
        Number m >= 1 of backups in an iteration, all with the choices that are best at its beginning.
    start : array_like, shape (S,), optional
        First values, in units of reward; 0 by default.
    errors : array_like, shape (E, S), optional
        What is added at the end of iterations 0, ..., E - 1, and of later ones from the beginning again, in units of
        reward; nothing by default.

    Returns
    -------
    Trace
        At each recorded time k the arrays ``values`` and ``backed_up``, of shape (time, state), :math:`v_k` and
        :math:`T v_k`; and ``made``, the number of the choice that is best for :math:`v_k` in each state, the first of
        several.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or an array has another shape.

    References
    ----------
    :cite:`puterman2005`; with errors: :cite:`munos2007`.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[1, 0], [2, 2]])
    >>> trace = value_iteration(mdp, 0.5, iterations=2)
    >>> trace["values"]
    array([[0. , 0. ],
           [1. , 2. ],
           [1.5, 3. ]])
    >>> trace["made"][:, 0]
    array([0, 0, 0])
    """
    discount = checked_discount(discount)
    times, backups = record_times(count(iterations, "iterations")), count(backups, "backups", at_least=1)
    values, added = checked_start(start, mdp), checked_errors(errors, mdp)
    iterates, backed_up = np.empty((2, times.size, mdp.states))
    made = np.empty((times.size, mdp.states), dtype=np.int64)
    with sign_of_life(f"value iteration of {mdp}"):
        _run(mdp.arrays, discount, backups, added, times, values, np.empty(mdp.states), iterates, backed_up, made)
    labels = ("time", "state")
    arrays = {"values": (labels, iterates), "backed_up": (labels, backed_up), "made": (labels, made)}
    return Trace("value iteration", times, arrays)


def checked_start(start: ArrayLike | None, mdp: MDP) -> Vector:
    """Return `start` as fresh values of the states; without any, zeros."""
    values = np.zeros(mdp.states) if start is None else float_array(start, "start", ndim=1)
    if values.size != mdp.states:
        raise ValueError(f"start has {values.size} entries for {mdp.states} states; give one for each")
    return values


def checked_errors(errors: ArrayLike | None, mdp: MDP) -> Matrix:
    """Return `errors` as rows for successive iterations, to be repeated; without any, one row of zeros."""
    if errors is None:
        return np.zeros((1, mdp.states))
    added = float_array(errors, "errors", ndim=2)
    if added.shape[0] == 0 or added.shape[1] != mdp.states:
        raise ValueError(f"errors has shape {added.shape}; it must have a row at least, and {mdp.states} columns")
    return added
