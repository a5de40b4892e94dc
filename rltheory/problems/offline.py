"""Offline data: transitions of a process that were recorded before learning begins, counted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Matrix, count, counts, first_index, frozen
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.problems.policies import checked_policy

__all__ = ["OfflineData", "offline_data", "offline_transitions"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class OfflineData:
    r"""Transitions that were recorded in a process over a finite horizon.

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    transitions : array_like of int, shape (H, C, S)
        How often choice c at stage h was seen to lead to state s'.

    Raises
    ------
    ValueError, TypeError
        If the shape differs, or a count is no integer >= 0, or of a transition that the process does not make. The
        message names the count.

    See Also
    --------
    OfflineData.from_records : transitions one by one.
    offline_data : trajectories of a policy.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(2), 1)
    >>> OfflineData(problem, [[[5, 0], [0, 0], [0, 0], [1, 2]]]).visits
    array([[5, 0, 0, 3]])
    """

    problem: FiniteHorizonMDP
    transitions: Indices

    def __init__(self, problem: FiniteHorizonMDP, transitions: ArrayLike) -> None:
        seen = counts(transitions, "transitions", (problem.horizon, problem.choices, problem.states))
        impossible = (seen > 0) & (_laws(problem) == 0)
        if impossible.any():
            stage, choice, state = place = first_index(impossible)
            raise ValueError(
                f"transitions{list(place)} is {seen[place]}, but choice {choice} at stage {stage} never leads to "
                f"state {state}"
            )
        object.__setattr__(self, "problem", problem)
        object.__setattr__(self, "transitions", frozen(seen))

    @classmethod
    def from_records(cls, problem: FiniteHorizonMDP, records: Iterable[Sequence[int]]) -> Self:
        """Count records of a stage, a state, the number of an action in it, and the next state, each from 0 on.

        Raises
        ------
        ValueError
            If a record is none of the process. The message names it.

        Examples
        --------
        >>> from rltheory.instances import river_swim
        >>> problem = FiniteHorizonMDP.stationary(river_swim(2), 3)
        >>> OfflineData.from_records(problem, [(0, 0, 1, 1), (1, 1, 1, 1), (2, 1, 0, 0)])
        <OfflineData RiverSwim, 2 states, 3 stages: 3 transitions>
        """
        first_choice, laws = problem.stages[0].first_choice, _laws(problem)
        seen = np.zeros(laws.shape, np.int64)
        for number, record in enumerate(records):
            where = f"records[{number}] is {tuple(record)}"
            if len(record) != 4 or any(int(part) != part for part in record):
                raise ValueError(f"{where}; it must be four integers: stage, state, action, next state")
            stage, state, action, reached = (int(part) for part in record)
            for name, part, size in (
                ("stage", stage, problem.horizon),
                ("state", state, problem.states),
                ("next state", reached, problem.states),
            ):
                if not 0 <= part < size:
                    raise ValueError(f"{where}; its {name} must lie in 0, ..., {size - 1}")
            actions = int(first_choice[state + 1] - first_choice[state])
            if not 0 <= action < actions:
                raise ValueError(f"{where}; an action of state {state} must lie in 0, ..., {actions - 1}")
            choice = int(first_choice[state]) + action
            if laws[stage, choice, reached] == 0:
                raise ValueError(f"{where}, but there action {action} of state {state} never leads to state {reached}")
            seen[stage, choice, reached] += 1
        return cls(problem, seen)

    @cached_property
    def visits(self) -> Indices:
        """How often each choice was made at each stage, shape (H, C)."""
        return frozen(self.transitions.sum(axis=2))

    @cached_property
    def distribution(self) -> Matrix:
        """Share of the choices in what was recorded at each stage, shape (H, C); zeros where nothing was."""
        recorded = self.visits.sum(axis=1, keepdims=True)
        return frozen(self.visits / np.maximum(recorded, 1))

    def __str__(self) -> str:
        return f"{self.problem}: {self.transitions.sum()} transitions"

    def __repr__(self) -> str:
        return f"<OfflineData {self}>"


def offline_data(
    problem: FiniteHorizonMDP, policy: ArrayLike, trajectories: int, rng: np.random.Generator
) -> OfflineData:
    """Draw trajectories of a policy, and count their transitions.

    The counts are drawn as such, stage by stage: of so many trajectories in a state so many make each choice, and of
    these so many go on to each next state.

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    policy : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states, at all stages or at each.
    trajectories
        Number of trajectories >= 0.
    rng
        Source of randomness.

    Raises
    ------
    ValueError, TypeError
        If `policy` is no policy, or `trajectories` no integer >= 0.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 2)
    >>> offline_data(problem, [0.5, 0.5, 0, 1, 0, 1], 100, np.random.default_rng(0)).visits
    array([[55, 45,  0,  0,  0,  0],
           [44, 32,  0, 24,  0,  0]])
    """
    trajectories = count(trajectories, "trajectories")
    chances = checked_policy(problem.stages[0], policy, stages=problem.horizon)
    parts, laws = problem.stages[0].first_choice[1:-1], _laws(problem)
    transitions = np.zeros(laws.shape, np.int64)
    reached = rng.multinomial(trajectories, _summing_to_one(problem.initial))
    for stage, of_stage in enumerate(transitions):
        made = [
            rng.multinomial(here, _summing_to_one(law))
            for here, law in zip(reached, np.split(chances[stage], parts), strict=True)
        ]
        of_stage[:] = rng.multinomial(np.concatenate(made), laws[stage])
        reached = of_stage.sum(axis=0)
    return OfflineData(problem, transitions)


def offline_transitions(problem: FiniteHorizonMDP, visits: ArrayLike, rng: np.random.Generator) -> OfflineData:
    """Draw so many transitions of each choice at each stage, each on its own.

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    visits : array_like of int, shape (H, C)
        How many.
    rng
        Source of randomness.

    Raises
    ------
    ValueError, TypeError
        If the shape differs, or a number is no integer >= 0.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(2), 1)
    >>> offline_transitions(problem, [[0, 10, 0, 10]], np.random.default_rng(0)).transitions[0]
    array([[0, 0],
           [5, 5],
           [0, 0],
           [3, 7]])
    """
    numbers = counts(visits, "visits", (problem.horizon, problem.choices))
    return OfflineData(problem, rng.multinomial(numbers, _laws(problem)))


def _laws(problem: FiniteHorizonMDP) -> Array:
    """Laws with their zeros, shape (H, C, S); rows sum to 1 as closely as float64 can."""
    matrices = [mdp.transition_matrix for mdp in problem.stages]
    dense = [matrix if isinstance(matrix, np.ndarray) else matrix.toarray() for matrix in matrices]
    return _summing_to_one(np.array(dense))


def _summing_to_one(laws: Array) -> Array:
    normalised: Array = laws / laws.sum(axis=-1, keepdims=True)
    return normalised
