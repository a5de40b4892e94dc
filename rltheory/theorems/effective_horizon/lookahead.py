r"""What theorems on the effective horizon share: a process, how far one looks ahead, and what is known of doing so.

:math:`Q^1` are the values of choices that are followed by uniform play, and :math:`Q^{j+1} = r + P \max Q^j`, with
:math:`Q^{j+1} = Q^j = r` at the last stage. The *safe* states are those to which choices lead that look better than all
suboptimal ones; the *gap* of a state is the :math:`Q^k` of its best choice less that of its best suboptimal one. Both
are those of :func:`~rltheory.solvers.closure_gaps`, up to rounding.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rltheory.arrays import Array, Matrix, Vector, count
from rltheory.problems import FiniteHorizonMDP
from rltheory.solvers import Closure, ClosureGaps, ReferenceValues, closure_gaps, reference_values

__all__ = ["Lookahead"]

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
    def values(self) -> ReferenceValues:
        """Values of random, optimal and worst play."""
        return reference_values(self.problem)

    def best(self, values: Array) -> Array:
        """Largest value of each state's choices, shape (..., S) from (..., C)."""
        largest: Array = np.maximum.reduceat(values, self.problem.stages[0].first_choice[:-1], axis=-1)
        return largest

    def backed_up(self, stage: int, values: Vector) -> Vector:
        """Rewards of the choices and mean values of the states that follow, shape (C,)."""
        found: Vector = self.rewards[stage] + self.problem.stages[stage].transition_matrix @ values
        return found

    def of_choices(self, values: Matrix) -> Matrix:
        """Values of the choices, shape (H, C), from those of the states, shape (H + 1, S)."""
        return np.array([self.backed_up(stage, values[stage + 1]) for stage in range(self.horizon)])

    @cached_property
    def iterates(self) -> Array:
        """Values of the choices after 0, ..., k - 1 steps of value iteration from random play, shape (k, H, C)."""
        iterates = [self.of_choices(self.values.random)]
        for _ in range(self.depth - 1):
            end = np.zeros((1, self.problem.states))
            iterates.append(self.of_choices(np.vstack([self.best(iterates[-1]), end])))
        return np.array(iterates)

    @property
    def action_values(self) -> Matrix:
        """Values of the choices to which the plan is greedy, shape (H, C)."""
        values: Matrix = self.iterates[-1]
        return values

    @cached_property
    def tie(self) -> float:
        """Difference of values that may be due to rounding."""
        return TIE * self.horizon * float(np.abs(self.rewards).max())

    def _gaps(self, closure: Closure) -> ClosureGaps:
        return closure_gaps(self.problem, self.values, closure, k=self.depth, tolerance=self.tie, tie=self.tie)

    @cached_property
    def safe(self) -> ClosureGaps:
        """The safe states and their gaps."""
        return self._gaps(Closure.SAFE)

    @property
    def has_gap(self) -> bool:
        """Whether no gap of a safe state is 0."""
        return self.safe.smallest > 0

    @property
    def is_solvable(self) -> bool:
        """Whether every policy that is greedy for the values is optimal."""
        return self._gaps(Closure.GREEDY).smallest > 0
