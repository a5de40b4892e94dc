r"""SQIRL: play at random after the stages that are decided, regress a few steps of fitted values, and decide one more.

At each stage :math:`h` in turn, m episodes follow the policy decided so far and choose at random from h on, uniformly
or by an exploration policy. With :math:`l = \min(h + k, H) - 1`,

.. math::

   \hat Q_l = \text{regression of the return from } l \text{ on}, \qquad
   \hat Q_t = \text{regression of } r_t + \max_c \hat Q_{t+1}(c) \text{ over the choices } c \text{ of } s_{t+1},
   \quad t = l - 1, \dots, h,

on the choices made at l and at t; the policy of stage h is greedy for :math:`\hat Q_h`.

Paper: :cite:`laidlaw2024`. Departures: the regression is any function; targets may be capped at the largest possible
return, and each regression may have episodes of its own, as explicit bounds assume.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.sampling import CumulativeLaws, cumulative_choices, cumulative_laws, draw, random_choice
from rltheory.arrays import Matrix, Vector, count, float_array, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.solvers.diameter import greedy
from rltheory.trace import Trace

__all__ = ["Regression", "Regressor", "by_regressor", "cell_means", "least_squares", "sqirl"]

Regression: TypeAlias = Callable[[Indices, Vector], Vector]  # choices and their targets to values of all choices


class Regressor(Protocol):
    """What learns from rows of features, as the regressors of scikit-learn do."""

    def fit(self, rows: Matrix, targets: Vector, /) -> object:
        """Learn from rows and their targets."""

    def predict(self, rows: Matrix, /) -> ArrayLike:
        """Return the values of rows."""


class Batch(NamedTuple):
    """What m episodes show."""

    choices: Indices  # (m, number of levels), made from a stage on
    returns: Vector  # (m,), from the last of these on


@kernel
def _collect(
    laws: CumulativeLaws,
    rewards: Vector,
    stride: int,
    starts: Vector,
    exploration: Matrix,
    made: Indices,
    stage: int,
    batch: Batch,
    rng: np.random.Generator,
) -> None:
    """Play episodes that follow the policy before a stage and choose at random from there on."""
    first_choice, first_entry, successors, _, cumulative = laws
    choices, returns = batch
    horizon, last = made.shape[0], stage + choices.shape[1] - 1
    for episode in range(returns.size):
        state = draw(starts, 0, starts.size, rng)
        total = 0.0
        for h in range(horizon):
            if h < stage:
                choice = made[h, state]
            else:
                choice = random_choice(first_choice, exploration, h, state, rng)
                if h <= last:
                    choices[episode, h - stage] = choice
            row = h * stride + choice
            if h >= last:
                total += rewards[row]
            state = successors[draw(cumulative, first_entry[row], first_entry[row + 1], rng)]
        returns[episode] = total


def cell_means(choices: int) -> Regression:
    """Mean target of each of so many choices, 0 where there is none.

    Examples
    --------
    >>> cell_means(3)(np.array([0, 0, 2]), np.array([1.0, 3.0, 5.0]))
    array([2., 0., 5.])
    """

    def fit(made: Indices, targets: Vector) -> Vector:
        totals = np.bincount(made, targets, minlength=choices)
        return totals / np.maximum(np.bincount(made, minlength=choices), 1)

    return fit


def least_squares(features: ArrayLike) -> Regression:
    """Linear function of the features of a choice, shape (C, d), that fits best; the shortest if several do.

    Examples
    --------
    >>> least_squares([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])(np.array([0, 1]), np.array([1.0, 3.0])).round(12)
    array([1., 3., 5.])
    """
    rows = float_array(features, "features", ndim=2)

    def fit(made: Indices, targets: Vector) -> Vector:
        values: Vector = rows @ np.linalg.lstsq(rows[made], targets)[0]
        return values

    return fit


def by_regressor(regressor: Regressor, features: ArrayLike) -> Regression:
    """Regression by an object with ``fit`` and ``predict``, on the features of a choice, shape (C, d).

    It is fitted anew each time: ``fit`` has to forget what it learnt before.

    Examples
    --------
    >>> class Mean:
    ...     def fit(self, rows, targets):
    ...         self.mean = targets.mean()
    ...     def predict(self, rows):
    ...         return np.full(len(rows), self.mean)
    >>> by_regressor(Mean(), np.eye(3))(np.array([0, 1]), np.array([1.0, 3.0]))
    array([2., 2., 2.])
    """
    rows = float_array(features, "features", ndim=2)

    def fit(made: Indices, targets: Vector) -> Vector:
        regressor.fit(rows[made], targets)
        return np.asarray(regressor.predict(rows), dtype=np.float64)

    return fit


def sqirl(
    problem: FiniteHorizonMDP,
    *,
    depth: int,
    episodes: int,
    rng: np.random.Generator,
    regression: Regression | None = None,
    highest_return: float = np.inf,
    fresh: bool = False,
    policy: ArrayLike | None = None,
) -> Trace:
    r"""Run SQIRL (shallow Q-iteration via reinforcement learning).

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    depth
        Regressions k >= 1 for each stage: one of returns, and k - 1 steps of fitted values.
    episodes
        Episodes m >= 1 for each stage, or for each regression if `fresh`.
    rng
        Source of randomness.
    regression
        Function of choices and their targets that returns values of all C choices; by default :func:`cell_means`. See
        :func:`least_squares`, and :func:`by_regressor` for regressors of other libraries.
    highest_return
        Largest possible return, > 0; larger targets are cut.
    fresh
        Whether each regression has episodes of its own.
    policy : array_like, shape (C,) or (H, C), optional
        Exploration policy, whose probabilities sum to 1 within 1e-6 in each state; uniform by default.

    Returns
    -------
    Trace
        For each stage h ``made``, shape (time, state), the policy; ``estimates``, shape (time, level, choice), whose
        level j is the regression at stage h + j, and 0 beyond the horizon; and ``episodes``, how many were played.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, `policy` is no policy, or a regression does not return C finite values. The
        message names the stage.

    References
    ----------
    :cite:`laidlaw2024`

    Examples
    --------
    >>> from rltheory.instances import inventory
    >>> from rltheory.solvers import backward_induction
    >>> problem = FiniteHorizonMDP.stationary(inventory(), 3)
    >>> trace = sqirl(problem, depth=3, episodes=10_000, rng=np.random.default_rng(0))
    >>> bool((trace["made"][0] == backward_induction(problem).made[0]).all())
    True
    """
    depth, episodes = count(depth, "depth", at_least=1), count(episodes, "episodes", at_least=1)
    if highest_return != np.inf:
        highest_return = positive(highest_return, "highest_return")
    fit = cell_means(problem.choices) if regression is None else regression
    laws = cumulative_laws(problem.stages if problem.stride else problem.stages[:1])
    arrays, mdp = problem.arrays, problem.stages[0]
    starts, exploration = np.cumsum(problem.initial), cumulative_choices(problem, policy)
    made = np.empty((problem.horizon, problem.states), np.int64)
    depth = min(depth, problem.horizon)
    estimates = np.zeros((problem.horizon, depth, problem.choices))
    spent = np.empty(problem.horizon, np.int64)
    played = 0

    def collect(stage: int, levels: int) -> Batch:
        batch = Batch(np.empty((episodes, levels), np.int64), np.empty(episodes))
        _collect(laws, arrays.rewards, problem.stride, starts, exploration, made, stage, batch, rng)
        return batch

    def fitted(choices: Indices, targets: Vector, stage: int) -> Vector:
        values = np.asarray(fit(choices, np.minimum(targets, highest_return)), dtype=np.float64)
        if values.shape != (problem.choices,) or not np.isfinite(values).all():
            raise ValueError(
                f"the regression of stage {stage} returned values of shape {values.shape}, "
                f"{int((~np.isfinite(values)).sum())} of them not finite; it must return {problem.choices} finite ones"
            )
        return values

    for stage in range(problem.horizon):
        levels = min(depth, problem.horizon - stage)
        batch = collect(stage, levels)
        played += episodes
        values = estimates[stage, levels - 1] = fitted(batch.choices[:, -1], batch.returns, stage + levels - 1)
        for level in range(levels - 2, -1, -1):
            if fresh:
                batch = collect(stage, levels)
                played += episodes
            choices, reached = batch.choices[:, level], mdp.state_of_choice[batch.choices[:, level + 1]]
            ahead = np.maximum.reduceat(values, mdp.first_choice[:-1])[reached]
            earned = arrays.rewards[(stage + level) * problem.stride + choices]
            values = estimates[stage, level] = fitted(choices, earned + ahead, stage + level)
        made[stage] = greedy(values, mdp.first_choice[:-1])
        spent[stage] = played
    named = {
        "made": (("time", "state"), made),
        "estimates": (("time", "level", "choice"), estimates),
        "episodes": (("time",), spent),
    }
    return Trace("SQIRL", np.arange(problem.horizon), named, clock="stage")
