r"""Epochs that end by an ellipsoid: regression on features of choices, watched step by step.

A hypothesis of weights w predicts targets y of steps; with features :math:`x_c` of choices, :math:`\Lambda = \lambda I
+ \sum x x^\top` and the ridge estimate :math:`\hat w = \Lambda^{-1} \sum x y` its empirical gap is :math:`\|w -
\hat w\|_\Lambda^2`.
"""

import math

import numpy as np

from rltheory.algorithms.average_reward.walk import Notes
from rltheory.algorithms.sampling import CumulativeLaws, draw
from rltheory.arrays import Matrix, Vector
from rltheory.jit import kernel
from rltheory.problems.mdp import Indices

__all__ = ["EllipsoidWatch", "squared_norm"]

EMPIRICAL, TRUE, LARGEST, GROWTH = range(4)


@kernel
def squared_norm(matrix: Matrix, vector: Vector) -> float:
    """Quadratic form of a vector."""
    total = 0.0
    for i in range(vector.size):
        for j in range(vector.size):
            total += vector[i] * matrix[i, j] * vector[j]
    return total


@kernel
def _walk_within(
    laws: CumulativeLaws,
    policy: Indices,
    entries: Indices,
    features: Matrix,
    errors: Vector,
    squares: Vector,
    inverse: Matrix,
    pull: Vector,
    image: Vector,
    gaps: Vector,
    level: float,
    growth: float,
    state: int,
    steps: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Follow a policy for some steps, or until the empirical gap or the growth of the determinant reaches its level."""
    first_entry, successors, cumulative = laws.first_entry, laws.successors, laws.cumulative
    size = pull.size
    for step in range(steps):
        if gaps[EMPIRICAL] >= level or gaps[GROWTH] >= growth:
            return state, step
        gaps[LARGEST] = max(gaps[LARGEST], gaps[TRUE])
        choice = policy[state]
        entry = draw(cumulative, first_entry[choice], first_entry[choice + 1], rng)
        entries[entry] += 1
        norm = 0.0
        for i in range(size):
            image[i] = 0.0
            for j in range(size):
                image[i] += inverse[i, j] * features[choice, j]
            norm += features[choice, i] * image[i]
            pull[i] += features[choice, i] * errors[entry]
        for i in range(size):
            for j in range(size):
                inverse[i, j] -= image[i] * image[j] / (1.0 + norm)
        gaps[EMPIRICAL] = squared_norm(inverse, pull)
        gaps[TRUE] += squares[choice]
        gaps[GROWTH] += np.log1p(norm)
        state = successors[entry]
    return state, steps


class EllipsoidWatch:
    r"""An epoch ends when the empirical gap of the hypothesis, or the determinant, has grown to a level.

    Parameters
    ----------
    features : array, shape (C, d)
        Features of the choices.
    errors : array, shape (E,)
        Prediction less target, of each possible step.
    squares : array, shape (C,)
        Squares of the true errors of choices, of which the learner does not know.
    matrix : array, shape (d, d)
        The matrix :math:`\Lambda` at the start.
    pull : array, shape (d,)
        :math:`\Lambda (w - \hat w)` at the start.
    true_gap : float
        The gap with true means in place of targets, at the start.
    largest : float
        Largest true gap before a step of earlier epochs.
    level : float
        Empirical gap at which the epoch ends.
    growth : float
        Factor of the determinant at which the epoch ends.
    """

    def __init__(
        self,
        *,
        features: Matrix,
        errors: Vector,
        squares: Vector,
        matrix: Matrix,
        pull: Vector,
        true_gap: float,
        largest: float,
        level: float = np.inf,
        growth: float = np.inf,
    ) -> None:
        self._features, self._errors, self._squares = features, errors, squares
        self._inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        self._pull, self._image = pull.copy(), np.empty(pull.size)
        self._gaps = np.array([squared_norm(self._inverse, pull), true_gap, largest, 0.0])
        self._level, self._growth = level, math.log(growth)

    def walk(
        self,
        laws: CumulativeLaws,
        policy: Indices,
        entries: Indices,
        state: int,
        steps: int,
        rng: np.random.Generator,
    ) -> tuple[int, int]:
        """Follow the policy."""
        return _walk_within(
            laws, policy, entries, self._features, self._errors, self._squares, self._inverse, self._pull, self._image,
            self._gaps, self._level, self._growth, state, steps, rng,
        )  # fmt: skip

    @property
    def largest(self) -> float:
        """Largest true gap of a hypothesis in force before a step, so far."""
        return float(self._gaps[LARGEST])

    def notes(self) -> Notes:
        """Empirical gap of the hypothesis, and the largest true gap so far."""
        return {"empirical_gap": ((), float(self._gaps[EMPIRICAL])), "largest_gap": ((), self.largest)}
