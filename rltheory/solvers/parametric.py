r"""The return of a class of policies as a function of its parameters, with exact derivatives.

With :math:`M = (I - \gamma P_\theta)^{-1}`, :math:`V = M r_\theta` and :math:`q = (1 - \gamma) \mu^\top M`, where
:math:`\mu` is the initial distribution and :math:`\pi` the mean probabilities of choices,

.. math::

    J = \mu^\top V, \qquad
    (1 - \gamma)\, \partial_i J = q(s_i)\, b_i, \qquad
    b_i = \sum_{c} \partial_i \pi(c)\, Q(c), \\
    (1 - \gamma)\, \partial_{ij} J = \gamma\, q(s_i)\, (D M)_{i s_j}\, b_j + \gamma\, q(s_j)\, (D M)_{j s_i}\, b_i
    + q(s_i) \sum_c \partial_{ij} \pi(c)\, Q(c), \qquad D_{i s} = \sum_c \partial_i \pi(c)\, p(s | c),

where :math:`s_i` is the state to which parameter i belongs. Everything is elimination in systems of S equations.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from rltheory.arrays import Array, Matrix, Vector, count
from rltheory.problems.policy_classes import GaussianPolicies, PolicyClass, SoftmaxPolicies
from rltheory.solvers.discounted import policy_iteration
from rltheory.solvers.occupancy import checked_discount

__all__ = ["EvaluatedPolicies", "ParametricReturn"]

GRID = 2_000  # means tried in each state before the best is refined
REFINEMENTS = 60  # of a golden section, each of which shrinks the interval by a factor 0.62


class EvaluatedPolicies(NamedTuple):
    """Exact numbers of policies, batched in front."""

    returns: Array  # (...)
    action_values: Array  # (..., C)
    advantages: Array  # (..., C)
    reached: Array  # (..., S) discounted probabilities of the states, which add up to 1
    gradient: Array  # (..., P)
    natural: Array  # (..., P) natural gradient u, F u = gradient


@dataclass(frozen=True, eq=False)
class ParametricReturn:
    r"""The discounted return :math:`J(\theta)` of the policies of a class.

    Parameters
    ----------
    policies
        The class, P parameters.
    discount
        :math:`\gamma \in [0, 1)`.

    Raises
    ------
    ValueError, TypeError
        If the discount is no number in [0, 1).

    References
    ----------
    :cite:`sutton1999`, :cite:`agarwal2021`

    Examples
    --------
    A bandit of two arms, which pay 1 and 0:

    >>> from rltheory.problems import SoftmaxPolicies, TabularMDP
    >>> bandit = ParametricReturn(SoftmaxPolicies(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])), 0.5)
    >>> found = bandit.evaluate(np.zeros(2))
    >>> float(found.returns), found.gradient, found.natural, bandit.optimum
    (1.0, array([ 0.5, -0.5]), array([ 1., -1.]), 2.0)
    """

    policies: PolicyClass
    discount: float

    def __post_init__(self) -> None:
        checked_discount(self.discount)

    def __str__(self) -> str:
        return f"{self.policies}, discount {self.discount:g}"

    @cached_property
    def laws(self) -> Matrix:
        """Transition laws of the choices with their zeros, shape (C, S)."""
        matrix = self.policies.mdp.transition_matrix
        return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()

    def evaluate(self, parameters: Array) -> EvaluatedPolicies:
        """Returns, values, gradients and natural gradients.

        Parameters
        ----------
        parameters : array, shape (..., P)
            Parameters of the policies.

        Returns
        -------
        EvaluatedPolicies
            Accurate to about eps / (1 - discount)^2.
        """
        mdp, owner = self.policies.mdp, self.policies.mdp.state_of_choice
        policy = self.policies.probabilities(parameters)
        system = np.eye(mdp.states) - self.discount * self._by_state(policy[..., None] * self.laws, axis=-2)
        rewards = self._by_state(policy * mdp.rewards, axis=-1)
        values = np.linalg.solve(system, rewards[..., None])[..., 0]
        visits = np.linalg.solve(system.swapaxes(-1, -2), mdp.initial[:, None])[..., 0]
        reached: Array = np.multiply(1 - self.discount, visits)
        action_values = mdp.rewards + self.discount * values @ self.laws.T
        advantages = action_values - values[..., owner]
        # A choice changes its state's value by its advantage: probabilities add up to 1.
        gains = np.einsum("...cp,...c->...p", self.policies.derivatives(parameters), advantages)
        gradient = reached[..., self.policies.state_of_parameter] * gains / (1 - self.discount)
        # F u = grad J in every state that is reached, and as if it were in the others.
        natural = self.policies.natural(gains, advantages) / (1 - self.discount)
        return EvaluatedPolicies(values @ mdp.initial, action_values, advantages, reached, gradient, natural)

    def _by_state(self, terms: Array, axis: int) -> Array:
        sums: Array = np.add.reduceat(terms, self.policies.mdp.first_choice[:-1], axis=axis)
        return sums

    def hessian(self, parameters: Vector) -> Matrix:
        r"""Second derivatives :math:`\nabla^2 J(\theta)`, shape (P, P)."""
        found, owner = self.evaluate(parameters), self.policies.state_of_parameter
        policy, derivatives = self.policies.probabilities(parameters), self.policies.derivatives(parameters)
        gains = derivatives.T @ found.advantages
        system = np.eye(self.policies.mdp.states) - self.discount * self._by_state(policy[:, None] * self.laws, axis=0)
        leads = derivatives.T @ self.laws @ np.linalg.inv(system)
        reached = found.reached[owner]
        mixed = self.discount * reached[:, None] * leads[:, owner] * gains
        curvature = reached[:, None] * self._curvature(parameters, found.advantages)
        total: Matrix = (mixed + mixed.T + curvature) / (1 - self.discount)
        return total

    def _curvature(self, parameters: Vector, values: Vector) -> Matrix:
        """Second derivatives of the mean values of the states, in blocks."""
        atoms = self.policies.atoms(parameters)
        worth = self.policies.made(atoms.states, atoms.actions) @ values
        scores = self.policies.scores(parameters, atoms.states, atoms.actions)
        squares: Matrix = scores.T @ ((atoms.weights * worth)[:, None] * scores)
        means = np.bincount(atoms.states, atoms.weights * worth)[self.policies.state_of_parameter]
        return squares - means[:, None] * self.policies.information(parameters)

    def fisher(self, parameters: Vector) -> Matrix:
        """Fisher information of the class, shape (P, P): that of the states, weighted by how often they are reached."""
        reached = self.evaluate(parameters).reached[self.policies.state_of_parameter]
        weighted: Matrix = reached[:, None] * self.policies.information(parameters)
        return weighted

    def truncated_gradient(self, parameters: Vector, horizon: int) -> Vector:
        r"""Gradient of :math:`J_H`, the discounted return of the first H rewards, shape (P,).

        .. math:: \partial_i J_H = \sum_{t < H} \gamma^t \Pr(s_t = s_i) \sum_c \partial_i \pi(c)\, Q_{H - t}(c)
        """
        remaining = self._values_to_go(self.policies.probabilities(parameters), count(horizon, "horizon"))
        policy, derivatives = self.policies.probabilities(parameters), self.policies.derivatives(parameters)
        reached, total = self.policies.mdp.initial, np.zeros(self.policies.parameters)
        for t, action_values in enumerate(remaining):
            gains = derivatives.T @ action_values
            total += self.discount**t * reached[self.policies.state_of_parameter] * gains
            reached = (policy * reached[self.policies.mdp.state_of_choice]) @ self.laws
        return total

    def _values_to_go(self, policy: Vector, horizon: int) -> list[Vector]:
        """Values of the choices with H, H - 1, ..., 1 rewards to go."""
        values, remaining = np.zeros(self.policies.mdp.states), []
        for _ in range(horizon):
            action_values = self.policies.mdp.rewards + self.discount * self.laws @ values
            values = self._by_state(policy * action_values, axis=0)
            remaining.append(action_values)
        return remaining[::-1]

    @cached_property
    def optimum(self) -> float:
        """Supremum of the return over the class.

        That of softmax policies is the optimal return. For Gaussian policies, policy iteration over the means of the
        states finds it: each mean is the best of a grid, refined by a golden section.
        """
        if isinstance(self.policies, SoftmaxPolicies):
            solved = policy_iteration(self.policies.mdp, self.discount, accuracy=1e-10 / (1 - self.discount))
            return float(self.policies.mdp.initial @ solved.values)
        assert isinstance(self.policies, GaussianPolicies)
        return float(self.evaluate(self._best_means(self.policies)).returns)

    def _best_means(self, policies: GaussianPolicies) -> Vector:
        means, best = np.zeros(policies.parameters), -np.inf
        while (found := self.evaluate(means)).returns > best:
            best = float(found.returns)
            means = _improved(policies, means, found.action_values)
        return means


def _improved(policies: GaussianPolicies, means: Vector, action_values: Vector) -> Vector:
    """Means that make the most of the values of choices in each state."""

    def worth(trial: Array) -> Array:
        sums: Array = np.add.reduceat(
            policies.probabilities(trial) * action_values, policies.mdp.first_choice[:-1], axis=-1
        )
        return sums

    reach = 8 * policies.deviation + _saturation(policies)
    grid = np.linspace(-reach, reach, GRID)
    centre = grid[worth(np.tile(grid[:, None], means.size)).argmax(axis=0)]
    low, high = centre - 2 * reach / GRID, centre + 2 * reach / GRID
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(REFINEMENTS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        rises = worth(left) < worth(right)
        low, high = np.where(rises, left, low), np.where(rises, high, right)
    refined = (low + high) / 2
    return np.where(worth(refined) > worth(means), refined, means)


def _saturation(policies: GaussianPolicies) -> float:
    """Distance from 0 beyond which one choice of each state is made almost surely, or actions make no difference."""
    slopes, offsets = np.asarray(policies.process.slopes), np.asarray(policies.process.offsets)
    same = policies.mdp.state_of_choice[:, None] == policies.mdp.state_of_choice
    gaps = np.abs(slopes[:, None] - slopes)
    distinct = same & (gaps > 0)
    if not distinct.any():
        return 0.0
    return float(((40 + np.abs(offsets[:, None] - offsets)[distinct]) / gaps[distinct]).max())
