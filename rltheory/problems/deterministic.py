"""Deterministic Markov decision processes: each choice has one successor; a table of those is all of the dynamics."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import Vector, first_index, float_array, frozen
from rltheory.problems.mdp import (
    MDP,
    DeterministicArrays,
    Indices,
    Marks,
    SparseMDP,
    checked_names,
    existing_actions,
    integers,
    pointers_of,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["DeterministicMDP"]


class DeterministicMDP(MDP):
    r"""A Markov decision process in which each action leads to one state.

    Parameters
    ----------
    successors : array_like of int, shape (S, A)
        ``successors[s, a]`` in [0, S) is the state to which action a leads from state s.
    rewards : array_like, shape (S, A)
        Finite mean rewards.
    allowed : array_like of bool, shape (S, A), optional
        Which actions exist in which states; all by default. Entries of others are not read. Each state has one at
        least.
    initial : array_like, shape (S,), optional
        Distribution of the first state; uniform by default.
    state_names, action_names : sequence of str, optional
        Names of the S states and the A actions; by default their numbers.
    title : str, optional
        What to call the process in tables and figures.

    Raises
    ------
    ValueError
        If shapes do not fit, a successor is no state, a reward is not finite, or a state has no action. The message
        names the entry and the rule.

    References
    ----------
    :cite:`puterman2005`

    Examples
    --------
    >>> loop = DeterministicMDP([[1, 0], [0, 1]], [[0, 1], [5, 0]])
    >>> loop.transition_matrix.toarray()
    array([[0., 1.],
           [1., 0.],
           [1., 0.],
           [0., 1.]])
    """

    arrays: DeterministicArrays

    def __init__(
        self,
        successors: ArrayLike,
        rewards: ArrayLike,
        *,
        allowed: ArrayLike | None = None,
        initial: ArrayLike | None = None,
        state_names: Sequence[str] = (),
        action_names: Sequence[str] = (),
        title: str = "",
    ) -> None:
        table = np.asarray(successors)
        if table.ndim != 2 or 0 in table.shape or not np.issubdtype(table.dtype, np.integer):
            raise ValueError(
                f"successors has type {table.dtype} and shape {table.shape}; "
                "it must hold an integer for each of (S, A), with a state and an action"
            )
        states, actions = table.shape
        exists = existing_actions(allowed, states, actions)
        _check_states(table, exists, states)
        means = np.array(rewards, dtype=np.float64)
        if means.shape != table.shape:
            raise ValueError(f"rewards has shape {means.shape}; it must be {table.shape}, that of successors")
        wrong = exists & ~np.isfinite(means)
        if wrong.any():
            place = first_index(wrong)
            raise ValueError(f"rewards{list(place)} is {means[place]}; every reward must be finite")
        names = checked_names(action_names, actions, "action_names", "actions")
        first_choice = np.append(0, np.cumsum(exists.sum(axis=1)))
        choice_names = [names[action] for action in np.nonzero(exists)[1]]
        self._set(first_choice, table[exists], means[exists], initial, state_names, choice_names, title)

    @classmethod
    def from_rows(
        cls,
        first_choice: ArrayLike,
        successors: ArrayLike,
        rewards: ArrayLike,
        *,
        initial: ArrayLike | None = None,
        state_names: Sequence[str] = (),
        choice_names: Sequence[str] = (),
        title: str = "",
    ) -> Self:
        """Make a process from one successor and one reward for each choice.

        Parameters
        ----------
        first_choice : array_like of int, shape (S + 1,)
            The choices of state s are ``first_choice[s], ..., first_choice[s + 1] - 1``; each state has one at least.
        successors : array_like of int, shape (C,)
            States in [0, S).
        rewards : array_like, shape (C,)
            Finite mean rewards.
        initial, state_names, choice_names, title
            As for :class:`SparseMDP`.

        Raises
        ------
        ValueError
            If lengths do not fit, a successor is no state, or a reward is not finite. The message names the entry and
            the rule.

        Examples
        --------
        >>> DeterministicMDP.from_rows([0, 2, 3], [1, 0, 1], [5, 10, -1])
        <DeterministicMDP untitled: 2 states, 3 choices>
        """
        pointers = pointers_of(first_choice, "first_choice", "state", "choice")
        states, choices = pointers.size - 1, int(pointers[-1])
        targets, means = integers(successors, "successors"), float_array(rewards, "rewards", ndim=1)
        for name, size in (("successors", targets.size), ("rewards", means.size)):
            if size != choices:
                raise ValueError(f"{name} has {size} entries for {choices} choices; give one for each")
        _check_states(targets, np.ones(choices, dtype=bool), states)
        mdp = cls.__new__(cls)
        mdp._set(pointers, targets, means, initial, state_names, choice_names, title)
        return mdp

    def _set(
        self,
        first_choice: Indices,
        successors: Indices,
        rewards: Vector,
        initial: ArrayLike | None,
        state_names: Sequence[str],
        choice_names: Sequence[str],
        title: str,
    ) -> None:
        self._set_common(first_choice, rewards, initial, state_names, choice_names, title)
        arrays = DeterministicArrays(self.first_choice, self.rewards, frozen(successors.astype(np.uint32)))
        object.__setattr__(self, "arrays", arrays)

    @property
    def successors(self) -> NDArray[np.uint32]:
        """State to which each choice leads, shape (C,)."""
        return self.arrays.successors

    @cached_property
    def transition_matrix(self) -> "csr_array":
        """Transition laws, one row for each choice, shape (C, S)."""
        from scipy.sparse import csr_array

        successors, pointers = self.successors.astype(np.int64), np.arange(self.choices + 1)
        return csr_array((np.ones(self.choices), successors, pointers), shape=(self.choices, self.states))

    @property
    def most_successors(self) -> int:
        """Number of terms in the expected value of a next state, which is 1."""
        return 1

    def as_sparse(self) -> SparseMDP:
        """Return the same process with sparse laws."""
        return SparseMDP(
            self.first_choice,
            np.arange(self.choices + 1),
            self.successors,
            np.ones(self.choices),
            self.rewards,
            initial=self.initial,
            state_names=self.state_names,
            choice_names=self.choice_names,
            title=self.title,
        )


def _check_states(successors: NDArray[Any], read: Marks, states: int) -> None:
    outside = read & ((successors < 0) | (successors >= states))
    if outside.any():
        place = first_index(outside)
        raise ValueError(f"successors{list(place)} is {successors[place]}; there are states 0 to {states - 1}")
