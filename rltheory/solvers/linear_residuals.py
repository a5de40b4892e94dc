r"""Optimism over a joint set of linear action values: the largest gain in an ellipsoid of Bellman residuals.

Action values are :math:`Q_w = \langle \phi_c, w \rangle`, and V(s) is the largest of state s. With :math:`\Lambda =
\lambda I + \sum \phi \phi^\top` and the weights that regression finds,

.. math:: \hat w(w, J) = \Lambda^{-1} \sum_i \phi_i \bigl( r_i + V_w(s_{i+1}) - J \bigr),

the planner maximises J subject to :math:`\|w - \hat w(w, J)\|_\Lambda^2 \le \beta`, :math:`\|w\| \le R`, :math:`V_w \in
[0, H]^S` and :math:`J \in [0, 1]`. For a fixed greedy policy V is linear in w, and this is a second-order cone program;
the planner solves that of each policy in turn.
"""

from dataclasses import dataclass
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np

from rltheory.arrays import Matrix, Vector, positive
from rltheory.problems import LinearMDP
from rltheory.problems.mdp import Indices

__all__ = ["LinearPlan", "LinearPlanner"]

PRECISION = 1e-7  # of gains found by the solver


@dataclass(frozen=True, eq=False)
class LinearPlan:
    """Weights with the largest gain, and the policy that is greedy for them."""

    policy: Indices
    values: Vector
    weights: Vector
    gain: float
    programs: int


class LinearPlanner:
    """Planner for a linear process with known features and rewards, whose laws it does not know.

    Parameters
    ----------
    problem
        The process; S states, C choices, features of dimension d.
    span
        Largest value H > 0.
    norm
        Largest norm R > 0 of weights.

    Examples
    --------
    Two states of one choice each, that have not been left yet: values are free, and the gain is the largest possible.

    >>> problem = LinearMDP(np.eye(2)[:, None], [[0.5, 0.5], [0.5, 0.5]], [0, 1])
    >>> planner = LinearPlanner(problem, span=1.0, norm=3.0)
    >>> round(planner.plan(np.zeros((2, 2)), np.eye(2), radius=10.0).gain, 6)
    1.0
    """

    def __init__(self, problem: LinearMDP, *, span: float, norm: float) -> None:
        cp: Any = import_module("cvxpy")
        mdp, dimension = problem.tabular, problem.dimension
        self.features: Matrix = problem.features.reshape(mdp.choices, dimension)
        self._mdp = mdp
        self._policies = [np.array(policy) for policy in product(*map(range, mdp.first_choice, mdp.first_choice[1:]))]
        self._weights, self._gain = cp.Variable(dimension), cp.Variable()
        self._greedy = cp.Parameter((mdp.states, dimension))
        self._lead = cp.Parameter((mdp.choices, dimension))
        self._map, self._offset = cp.Parameter((dimension, dimension)), cp.Parameter((dimension, 2))
        self._radius = cp.Parameter(nonneg=True)
        values = self._greedy @ self._weights
        residual = self._map @ self._weights + self._offset[:, 0] * self._gain - self._offset[:, 1]
        limits = [cp.norm(residual) <= self._radius, cp.norm(self._weights) <= positive(norm, "norm")]
        limits += [values >= 0, values <= positive(span, "span")]
        limits += [self._lead @ self._weights >= 0, self._gain >= 0, self._gain <= 1]
        self._program = cp.Problem(cp.Maximize(self._gain), limits)

    def plan(self, transitions: Matrix, matrix: Matrix, *, radius: float) -> LinearPlan | None:
        r"""Find the element with the largest gain; None if the set is empty.

        Parameters
        ----------
        transitions : array, shape (C, S)
            How often each choice led to each state.
        matrix : array, shape (d, d)
            The matrix :math:`\Lambda`.
        radius
            Largest squared norm :math:`\beta > 0`.
        """
        visits = transitions.sum(axis=1)
        root = np.linalg.cholesky(matrix)
        offset = np.column_stack([visits, visits * self._mdp.rewards])
        self._offset.value = np.linalg.solve(root, self.features.T @ offset)
        self._radius.value = np.sqrt(radius)
        onward = self.features.T @ transitions
        best: LinearPlan | None = None
        for count, policy in enumerate(self._policies, 1):
            greedy = self.features[policy]
            self._greedy.value = greedy
            self._lead.value = greedy[self._mdp.state_of_choice] - self.features
            self._map.value = np.linalg.solve(root, matrix - onward @ greedy)
            found = self._solve()
            if found is not None and (best is None or found[1] > best.gain + PRECISION):
                weights, gain = found
                best = LinearPlan(policy, greedy @ weights, weights, gain, count)
                if gain >= 1 - PRECISION:
                    break
        return best

    def _solve(self) -> tuple[Vector, float] | None:
        self._program.solve(solver="CLARABEL")
        if self._program.status != "optimal":
            return None
        return self._weights.value, min(float(self._gain.value), 1.0)
