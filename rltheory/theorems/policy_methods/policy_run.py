"""What theorems on exact policy methods share: the setting, and what is known of a run's policies."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.discounted.exact_policies import log_start
from rltheory.arrays import Array, Matrix, Vector, count, frozen, positive
from rltheory.measures import action_gaps, kl
from rltheory.problems.policies import checked_policy, deterministic_policy
from rltheory.theorems.discounted.discounted_process import PROCESS, DiscountedProcess, Hypotheses
from rltheory.theory import BY_CONSTRUCTION

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

EPS = float(np.finfo(np.float64).eps)
START: Hypotheses = PROCESS | {"the first policy has full support": BY_CONSTRUCTION}


@dataclass(frozen=True, eq=False)
class PolicyRun(DiscountedProcess):
    r"""A run of an exact policy method. States are weighted equally: :math:`\rho` is uniform.

    Parameters
    ----------
    start : array, shape (C,), optional
        First policy, with full support; uniform by default.
    step
        Step size, > 0, in 1 / value.
    iterations
        Number of iterations, >= 1.
    """

    start: ArrayLike | None = None
    step: float = 1.0
    iterations: int = 100

    def __post_init__(self) -> None:
        positive(self.step, "step")
        count(self.iterations, "iterations", at_least=1)
        if self.start is not None:
            object.__setattr__(self, "start", frozen(checked_policy(self.mdp, self.start, name="start")))
        log_start(self.mdp, self.start)

    def __str__(self) -> str:
        return f"{super().__str__()}, step {self.step:.4g}"

    @property
    def log_first(self) -> Vector:
        """Log-probabilities of the first policy, shape (C,)."""
        return log_start(self.mdp, self.start)

    @property
    def reward_range(self) -> float:
        """Largest reward less the smallest one."""
        return float(np.ptp(self.mdp.rewards))

    @cached_property
    def optimal_policy(self) -> Vector:
        """Probabilities of an optimal policy, each 0 or 1, shape (C,)."""
        return deterministic_policy(self.mdp, self.optimum.policy)

    @cached_property
    def gaps(self) -> Vector:
        """Optimal action gaps, shape (C,); 0 for the choices of the optimal policy."""
        gaps = action_gaps(self.mdp, self.optimal_action_values)
        gaps[self.optimum.policy] = 0.0
        return gaps

    @cached_property
    def optimal_occupancy(self) -> Vector:
        """Discounted probabilities of the states under the optimal policy, shape (S,)."""
        visited: Vector = self.occupancies(self.optimal_policy[None])[0]
        return visited

    @property
    def smallest_gap(self) -> float:
        """Smallest gap of a choice that is not optimal; inf if there is none."""
        return float(self.gaps[self.gaps > 0].min(initial=math.inf))

    @property
    def log_rounding(self) -> float:
        """Error that rounding leaves in log-probabilities: that of the values, times the steps that add them up."""
        largest = -float(self.log_first.min()) + self.iterations * self.step * self.largest_value
        return self.iterations * (self.step * self.rounding + 4 * EPS * largest)

    def by_state(self, numbers: Array) -> Array:
        """Sums over the choices of each state, shape (..., S)."""
        sums: Array = np.add.reduceat(numbers, self.mdp.first_choice[:-1], axis=-1)
        return sums

    def best(self, action_values: Array) -> Array:
        """Largest value of a choice in each state, shape (..., S)."""
        largest: Array = np.maximum.reduceat(action_values, self.mdp.first_choice[:-1], axis=-1)
        return largest

    def systems(self, policies: Matrix) -> Array:
        r"""Matrices :math:`I - \gamma P_\pi`, shape (T, S, S)."""
        laws = np.add.reduceat(policies[:, :, None] * self.laws, self.mdp.first_choice[:-1], axis=1)
        matrices: Array = np.eye(self.mdp.states) - self.discount * laws
        return matrices

    def occupancies(self, policies: Matrix) -> Matrix:
        r"""Discounted probabilities of the states from the uniform distribution, shape (T, S)."""
        first = np.full((len(policies), self.mdp.states, 1), (1 - self.discount) / self.mdp.states)
        return np.asarray(np.linalg.solve(self.systems(policies).transpose(0, 2, 1), first)[..., 0])

    def summed_up(self, policies: Matrix, numbers: Array) -> Matrix:
        """Discounted sums of numbers >= 0 of the states along the policies, shape (T, S)."""
        sums = np.linalg.solve(self.systems(policies), numbers[..., None])[..., 0]
        # Elimination may leave a rounding error below 0.
        return np.asarray(np.maximum(sums, 0.0))

    def losses(self, policies: Matrix) -> Matrix:
        r"""What policies lose, :math:`V^* - V^\pi`, shape (T, S).

        They solve :math:`x = \sum_c \pi(c)\,(V^*(s) - Q^*(c)) + \gamma P_\pi x`, in which nothing cancels.
        """
        return self.summed_up(policies, self.by_state(policies * self.gaps))


def expected_kl(s: PolicyRun, weights: Array, log_p: Array, log_q: Array) -> Array:
    """Mean over the states, which are weighted, of the divergences of the policies in them, shape (T,).

    It is the divergence of the two distributions of a state and a choice in it.
    """
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)[..., s.mdp.state_of_choice]
    return kl(log_weights + log_p, log_weights + log_q)


R = TypeVar("R", bound=PolicyRun)


def policy_runs(
    setting: type[R], *, highest_discount: float = 0.95, max_states: int = 4, **others: "SearchStrategy[Any]"
) -> "SearchStrategy[R]":
    """Settings of a class: adverse processes, discounts and first policies, and strategies of other fields by name."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps, discounts, stationary_policies

    @st.composite
    def settings(draw: st.DrawFn) -> R:
        mdp, discount = draw(adverse_mdps(max_states=max_states)), draw(discounts(highest_discount))
        start = draw(st.none() | stationary_policies(mdp))
        return setting(mdp, discount, start=start, **{name: draw(values) for name, values in others.items()})

    return settings()
