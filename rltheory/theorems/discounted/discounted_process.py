"""What theorems on discounted processes share: the setting, its exact answers, and a grid of processes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from rltheory.arrays import UNIT_ROUNDOFF, Matrix, Vector
from rltheory.instances import chain, combination_lock, garnet, machine_replacement, river_swim
from rltheory.problems import MDP
from rltheory.simulation import stream
from rltheory.solvers import DiscountedSolution, policy_iteration
from rltheory.theory import BY_CONSTRUCTION

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Hypotheses: TypeAlias = dict[str, Callable[[Any], bool | str] | str]

PROCESS: Hypotheses = {
    "finitely many states, and finitely many actions in each": BY_CONSTRUCTION,
    "$0 \\le \\gamma < 1$": BY_CONSTRUCTION,
}


@dataclass(frozen=True, eq=False)
class DiscountedProcess:
    """A Markov decision process and a discount.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    discount
        In [0, 1).
    note
        What is particular about it.
    """

    mdp: MDP
    discount: float
    note: str = ""

    def __str__(self) -> str:
        note = f", {self.note}" if self.note else ""
        return f"{self.mdp}, discount {self.discount:g}{note}"

    @property
    def horizon(self) -> float:
        r"""Effective horizon :math:`1 / (1 - \gamma)`."""
        return 1 / (1 - self.discount)

    @cached_property
    def laws(self) -> Matrix:
        """Transition laws with their zeros, shape (C, S)."""
        matrix = self.mdp.transition_matrix
        return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()

    @property
    def largest_value(self) -> float:
        r"""Largest possible size of a value, :math:`\max |r| / (1 - \gamma)`."""
        return float(np.abs(self.mdp.rewards).max()) * self.horizon

    @cached_property
    def optimum(self) -> DiscountedSolution:
        """Optimal values and policy, to ten digits of the largest possible value or better: see its `error`."""
        accuracy = 1e-10 * max(self.largest_value, float(np.finfo(np.float64).tiny) * 1e20)
        return policy_iteration(self.mdp, self.discount, accuracy=accuracy)

    @cached_property
    def optimal_action_values(self) -> Vector:
        """Values of the choices under optimal play from the next state on, shape (C,)."""
        return self.action_values(self.optimum.values)

    def action_values(self, values: Vector) -> Vector:
        r"""Values :math:`r + \gamma P v` of the choices, if the next state is worth `values`."""
        found: Vector = self.mdp.rewards + self.discount * (self.laws @ values)
        return found

    @property
    def rounding(self) -> float:
        """Allowance for a number as large as a value: backups round, and an evaluation adds up those of its horizon."""
        terms = self.mdp.most_successors + 8
        return 8 * terms * UNIT_ROUNDOFF * self.largest_value * self.horizon + self.optimum.error


def processes() -> Iterator[tuple[MDP, float]]:
    """Processes with discounts from 0 to near 1: quick and slow to mix, with ties, with absorbing states."""
    yield river_swim(), 0.95
    yield chain(), 0.9
    yield machine_replacement(), 0.99
    yield combination_lock([1, 0, 1]), 0.8
    yield garnet(stream(0, "discounted process", "garnet"), 20, 3, 3), 0.9
    yield garnet(stream(0, "discounted process", "dense"), 5, 4, 5), 0.5
    yield garnet(stream(0, "discounted process", "no future"), 5, 4, 2), 0.0


P = TypeVar("P", bound=DiscountedProcess)


def discounted_processes(
    setting: type[P], *, highest_discount: float = 0.99, max_states: int = 5, **others: "SearchStrategy[Any]"
) -> "SearchStrategy[P]":
    """Settings of a class: adverse processes, discounts, and strategies of whatever else the class takes, by field."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps, discounts

    return st.builds(setting, adverse_mdps(max_states=max_states), discounts(highest_discount), **others)
