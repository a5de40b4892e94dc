r"""Rewards from preferences between trajectories, after Bradley and Terry.

Of two trajectories, the first is preferred with probability :math:`\sigma(R - R')`, where R are their returns and
:math:`\sigma(x) = 1 / (1 + e^{-x})`. Rewards of all choices at all stages are estimated by maximum likelihood,

.. math:: \max_{r \in [0, 1]^{H \times C}} \sum_k \log \sigma(\pm (R_k - R'_k)) - \frac\rho2 \|r - \tfrac12\|^2,

where the penalty decides what preferences leave open: they tell differences of returns alone.

Paper: :cite:`tiapkin2024`. Departure: the penalty, which makes the maximiser unique.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Matrix, Vector, first_index, positive
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices

__all__ = ["compare_trajectories", "rewards_of_preferences"]

# The limited-memory method ends where sums of logarithms stop changing; preferences tell far less.
GRADIENT_TOLERANCE = 1e-4


def compare_trajectories(
    problem: FiniteHorizonMDP, first: ArrayLike, second: ArrayLike, rng: np.random.Generator
) -> Array:
    r"""Whether each first trajectory is preferred to the second, drawn with probability :math:`\sigma(R - R')`.

    Parameters
    ----------
    problem
        The process, H stages, whose rewards make the returns.
    first, second : array_like of int, shape (N, H)
        Numbers of the choices made, as from :func:`~rltheory.algorithms.episodes.cloning.sample_trajectories`.
    rng
        Source of randomness.

    Returns
    -------
    array of bool, shape (N,)
        True where the first is preferred.

    Raises
    ------
    ValueError
        If the arrays hold no choices, or are not of the same shape. The message names the place.

    References
    ----------
    :cite:`bradley1952`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> arms = FiniteHorizonMDP.stationary(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]]), 9)
    >>> compare_trajectories(arms, [[0] * 9] * 4, [[1] * 9] * 4, np.random.default_rng(0))
    array([ True,  True,  True,  True])
    """
    from scipy.special import expit

    made = _checked_pairs(problem, first, second)
    rewards, stages = np.array([mdp.rewards for mdp in problem.stages]), np.arange(problem.horizon)
    returns = [rewards[stages, choices].sum(axis=1) for choices in made]
    preferred: Array = rng.random(len(made[0])) < expit(returns[0] - returns[1])
    return preferred


def rewards_of_preferences(
    problem: FiniteHorizonMDP, first: ArrayLike, second: ArrayLike, preferred: ArrayLike, *, ridge: float = 1.0
) -> Matrix:
    r"""Rewards in [0, 1] that make the preferences likeliest, less a penalty; those of the process are not used.

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    first, second : array_like of int, shape (N, H)
        Numbers of the choices made in the trajectories that were compared.
    preferred : array_like of bool, shape (N,)
        Whether the first was preferred.
    ridge
        Weight :math:`\rho > 0` of the penalty.

    Returns
    -------
    array, shape (H, C)
        Estimated rewards; 1/2 for choices that were never made.

    Raises
    ------
    ArithmeticError
        If the maximum is not found.
    ValueError, TypeError
        If the arrays hold no choices or do not fit, or `ridge` is not > 0. The message names the place.

    References
    ----------
    :cite:`tiapkin2024`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> arms = FiniteHorizonMDP.stationary(TabularMDP([[[1.0], [1.0]]], [[0.9, 0.1]]), 1)
    >>> preferred = np.arange(1000) < 690
    >>> rewards_of_preferences(arms, [[0]] * 1000, [[1]] * 1000, preferred).round(2)
    array([[0.9, 0.1]])
    """
    from scipy.optimize import minimize
    from scipy.sparse import csr_array
    from scipy.special import expit

    made, ridge = _checked_pairs(problem, first, second), positive(ridge, "ridge")
    wins = np.asarray(preferred)
    if wins.shape != made[0].shape[:1] or wins.dtype != np.bool_:
        raise ValueError(
            f"preferred has type {wins.dtype} and shape {wins.shape}; it must hold a truth value for each of the "
            f"{len(made[0])} pairs"
        )
    pairs, shape = len(wins), (problem.horizon, problem.choices)
    columns = np.hstack(made) + np.tile(np.arange(problem.horizon) * problem.choices, 2)
    signs = np.where(wins, 1.0, -1.0)[:, None] * np.repeat([1.0, -1.0], problem.horizon)
    rows = np.repeat(np.arange(pairs), 2 * problem.horizon)
    differences = csr_array((signs.ravel(), (rows, columns.ravel())), shape=(pairs, shape[0] * shape[1]))

    def loss(rewards: Vector) -> tuple[float, Vector]:
        margins, away = differences @ rewards, rewards - 0.5
        value = np.logaddexp(0.0, -margins).sum() + ridge / 2 * away @ away
        return float(value), ridge * away - differences.T @ expit(-margins)

    start = np.full(differences.shape[1], 0.5)
    options = {"ftol": 0.0, "gtol": 1e-9, "maxiter": 10_000, "maxfun": 100_000}
    found = minimize(loss, start, method="L-BFGS-B", jac=True, bounds=[(0.0, 1.0)] * start.size, options=options)
    rewards: Vector = np.clip(found.x, 0.0, 1.0)
    _, gradient = loss(rewards)
    # A bound stops a step that would lead beyond it.
    steepness = float(np.abs(rewards - np.clip(rewards - gradient, 0.0, 1.0)).max())
    if not steepness <= GRADIENT_TOLERANCE * ridge:
        raise ArithmeticError(f"the likelihood was not maximised; its projected gradient is still {steepness:.3g}")
    return rewards.reshape(shape)


def _checked_pairs(problem: FiniteHorizonMDP, first: ArrayLike, second: ArrayLike) -> tuple[Indices, Indices]:
    """Return the trajectories as arrays of the same shape (N, H), whose entries are numbers of choices."""
    made = np.asarray(first), np.asarray(second)
    for name, choices in zip(("first", "second"), made, strict=True):
        if choices.ndim != 2 or choices.shape[1] != problem.horizon or not np.issubdtype(choices.dtype, np.integer):
            raise ValueError(
                f"{name} has type {choices.dtype} and shape {choices.shape}; it must hold integers, a row of "
                f"{problem.horizon} choices for each trajectory"
            )
        outside = (choices < 0) | (choices >= problem.choices)
        if outside.any():
            place = first_index(outside)
            raise ValueError(f"{name}{list(place)} is {choices[place]}; there are choices 0 to {problem.choices - 1}")
    if len(made[0]) != len(made[1]):
        raise ValueError(f"there are {len(made[0])} first trajectories and {len(made[1])} second ones; they form pairs")
    return made
