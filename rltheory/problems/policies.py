"""Policies of Markov decision processes: for each choice the probability with which it is made in its state.

A stationary policy is a vector of shape (C,); one that depends on the stage has the stages first, shape (H, C).
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import SUM_TOLERANCE, Array, Vector, first_index, float_array
from rltheory.problems.mdp import MDP

__all__ = ["checked_policy", "deterministic_policy", "uniform_policy"]


def uniform_policy(mdp: MDP) -> Vector:
    """Every choice of a state with the same probability, shape (C,).

    Examples
    --------
    >>> from rltheory.instances import inventory
    >>> uniform_policy(inventory())[:4]
    array([0.25, 0.25, 0.25, 0.25])
    """
    sizes = np.diff(mdp.first_choice)
    return np.repeat(1 / sizes, sizes)


def deterministic_policy(mdp: MDP, made: ArrayLike, *, name: str = "made") -> Array:
    """Policy that makes the choice ``made[..., s]`` in state s, with certainty.

    Parameters
    ----------
    mdp
        The process, S states and C choices.
    made : array_like of int, shape (..., S)
        Numbers of choices, each one of its state.
    name
        What error messages call `made`.

    Returns
    -------
    array, shape (..., C)

    Raises
    ------
    ValueError
        If a number is no choice of its state.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> deterministic_policy(river_swim(3), [1, 3, 5])
    array([0., 1., 0., 1., 0., 1.])
    """
    numbers = np.asarray(made)
    if not np.issubdtype(numbers.dtype, np.integer) or numbers.shape[-1:] != (mdp.states,):
        raise ValueError(
            f"{name} has type {numbers.dtype} and shape {numbers.shape}; it must hold one integer for each of the "
            f"{mdp.states} states"
        )
    first, end = mdp.first_choice[:-1], mdp.first_choice[1:]
    foreign = (numbers < first) | (numbers >= end)
    if foreign.any():
        place = first_index(foreign)
        state = place[-1]
        raise ValueError(
            f"{name}{list(place)} is {numbers[place]}; "
            f"the choices of state {state} are {first[state]} to {end[state] - 1}"
        )
    policy = np.zeros((*numbers.shape[:-1], mdp.choices))
    np.put_along_axis(policy, numbers, 1.0, axis=-1)
    return policy


def checked_policy(
    mdp: MDP,
    policy: ArrayLike,
    *,
    name: str = "policy",
    stages: int | None = None,
    tolerance: float = SUM_TOLERANCE,
) -> Array:
    """Return `policy` as a fresh array of probabilities, which sum to 1 within `tolerance` in each state.

    With `stages`, both shapes are taken, (C,) and (stages, C), and the latter is returned.
    """
    array = float_array(policy, name, ndim=1 if stages is None else max(1, np.ndim(policy)))
    shapes: list[tuple[int, ...]] = [(mdp.choices,)] if stages is None else [(mdp.choices,), (stages, mdp.choices)]
    if array.shape not in shapes:
        rule = f"it must be {' or '.join(map(str, shapes))}, with a probability for each choice"
        raise ValueError(f"{name} has shape {array.shape}; {rule}")
    outside = (array < 0) | (array > 1)
    if outside.any():
        place = first_index(outside)
        raise ValueError(f"{name}{list(place)} is {array[place]}; a probability must lie in [0, 1]")
    sums = np.add.reduceat(array, mdp.first_choice[:-1], axis=-1)
    uneven = np.abs(sums - 1) > tolerance
    if uneven.any():
        place = first_index(uneven)
        stage = f" at stage {place[0]}" if array.ndim == 2 else ""
        raise ValueError(
            f"{name} sums to {sums[place]:.12g} in state {place[-1]}{stage}; expected 1 within {tolerance:g}"
        )
    return array if stages is None else np.ascontiguousarray(np.broadcast_to(array, shapes[-1]))
