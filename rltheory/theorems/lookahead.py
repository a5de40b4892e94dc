r"""What theorems on the effective horizon share: a process, how far one looks ahead, and the exact values of doing so.

:math:`Q^1` are the values of choices that are followed by uniform play, and :math:`Q^{j+1} = r + P \max Q^j`, with
:math:`Q^{j+1} = Q^j = r` at the last stage. The *safe* states are those to which choices lead that look better than all
suboptimal ones; the *gap* of a state is the :math:`Q^k` of its best choice less that of its best suboptimal one.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Array, Matrix, count
from rltheory.measures import action_gaps
from rltheory.problems import FiniteHorizonMDP, uniform_policy
from rltheory.solvers import FiniteHorizonOptimum, backward_induction, finite_horizon_values

__all__ = ["Lookahead"]

Marks = NDArray[np.bool_]
TIE = 1e-9  # values that differ by less, in units of the largest, are taken as equal


@dataclass(frozen=True, eq=False)
class Lookahead:
    """A process over a finite horizon, and the depth of planning.

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    depth
        Steps k >= 1 to look ahead.
    """

    problem: FiniteHorizonMDP
    depth: int

    def __post_init__(self) -> None:
        count(self.depth, "depth", at_least=1)

    def __str__(self) -> str:
        return f"{self.problem}, k = {self.depth}"

    @property
    def horizon(self) -> int:
        """Number of stages H."""
        return self.problem.horizon

    @cached_property
    def actions(self) -> int:
        """Largest number of choices A of a state."""
        return int(np.diff(self.problem.stages[0].first_choice).max())

    @cached_property
    def rewards(self) -> Matrix:
        """Rewards of the choices, shape (H, C)."""
        return np.array([mdp.rewards for mdp in self.problem.stages])

    @cached_property
    def optimum(self) -> FiniteHorizonOptimum:
        """Optimal values."""
        return backward_induction(self.problem)

    @cached_property
    def tie(self) -> float:
        """Difference of values that may be due to rounding."""
        return TIE * self.horizon * float(np.abs(self.rewards).max())

    @cached_property
    def is_optimal(self) -> Marks:
        """Whether a choice is optimal, shape (H, C)."""
        optimal: Marks = action_gaps(self.problem.stages[0], self.optimum.action_values) <= self.tie
        return optimal

    def best(self, values: Array) -> Array:
        """Largest value of each state's choices, shape (..., S) from (..., C)."""
        largest: Array = np.maximum.reduceat(values, self.problem.stages[0].first_choice[:-1], axis=-1)
        return largest

    @cached_property
    def iterates(self) -> Array:
        """Values of the choices after 0, ..., k - 1 steps of value iteration from random play, shape (k, H, C)."""
        random = finite_horizon_values(self.problem, uniform_policy(self.problem.stages[0])).action_values
        values = [random]
        for _ in range(self.depth - 1):
            ahead = np.vstack([self.best(values[-1])[1:], np.zeros(self.problem.states)])
            backed_up = [mdp.transition_matrix @ v for mdp, v in zip(self.problem.stages, ahead, strict=True)]
            values.append(self.rewards + np.array(backed_up))
        return np.array(values)

    @property
    def action_values(self) -> Matrix:
        """Values of the choices to which the plan is greedy, shape (H, C)."""
        values: Matrix = self.iterates[-1]
        return values

    @cached_property
    def is_solvable(self) -> bool:
        """Whether every policy that is greedy for the values is optimal."""
        owner = self.problem.stages[0].state_of_choice
        greedy = self.action_values >= (self.best(self.action_values) - self.tie)[:, owner]
        return not (self._reached(greedy)[:, owner] & greedy & ~self.is_optimal).any()

    @cached_property
    def _best_suboptimal(self) -> Matrix:
        return self.best(np.where(self.is_optimal, -np.inf, self.action_values))

    @cached_property
    def gaps(self) -> Matrix:
        """Gap of each stage and state, shape (H, S); infinite where all choices are optimal."""
        gaps: Matrix = self.best(self.action_values) - self._best_suboptimal
        return gaps

    @cached_property
    def safe(self) -> Marks:
        """Which states are safe, at each stage, shape (H, S)."""
        owner = self.problem.stages[0].state_of_choice
        return self._reached(self.is_optimal & (self.action_values > (self._best_suboptimal - self.tie)[:, owner]))

    def _reached(self, taken: Marks) -> Marks:
        """Which states are reached by certain choices, shape (H, S) from (H, C)."""
        owner = self.problem.stages[0].state_of_choice
        reached = np.zeros((self.horizon, self.problem.states), dtype=bool)
        reached[0] = self.problem.initial > 0
        for stage in range(self.horizon - 1):
            chosen = taken[stage] & reached[stage, owner]
            reached[stage + 1] = chosen.astype(np.float64) @ self.problem.stages[stage].transition_matrix > 0
        return reached

    @property
    def gap(self) -> float:
        """Smallest gap of a safe state; infinite if nothing can go wrong."""
        return float(self.gaps[self.safe].min())

    @property
    def has_gap(self) -> bool:
        """Whether the gap exceeds what rounding may make of 0."""
        return self.gap > self.tie
