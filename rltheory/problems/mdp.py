r"""Markov decision processes: states, choices in each, and where they lead.

A *choice* is an action in a state. Choices are numbered in the order of their states: those of state :math:`s` are
``first_choice[s], ..., first_choice[s + 1] - 1``, so that states may have different numbers of actions. Everything else
is one row or entry for each choice: a transition law and a mean reward. The criterion (discounted, over a horizon, on
average) is not part of the process; solvers are told.

:class:`TabularMDP` keeps transition laws as dense rows, :class:`SparseMDP` only the successors of positive probability,
and :class:`~rltheory.problems.DeterministicMDP` the only successor of each choice. Kernels see all three through
:func:`expectation` and :func:`mark_successors`.
"""

import html
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

import numpy as np
from numba.extending import overload
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import SUM_TOLERANCE, UNIT_ROUNDOFF, Array, Matrix, Vector, first_index, float_array, frozen
from rltheory.jit import kernel

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "MDP",
    "DenseArrays",
    "DeterministicArrays",
    "Indices",
    "Marks",
    "ProcessArrays",
    "SparseArrays",
    "SparseMDP",
    "TabularMDP",
    "expectation",
    "mark_successors",
]

Indices = NDArray[np.int64]
Marks = NDArray[np.bool_]


class DenseArrays(NamedTuple):
    """What kernels receive of a process with dense rows."""

    first_choice: Indices  # (S + 1,)
    rewards: Vector  # (C,)
    transitions: Matrix  # (C, S), rows sum to 1


class SparseArrays(NamedTuple):
    """What kernels receive of a process with sparse rows. Unsigned indices spare a test for negative ones."""

    first_choice: Indices  # (S + 1,)
    rewards: Vector  # (C,)
    first_entry: NDArray[np.uint64]  # (C + 1,)
    successors: NDArray[np.uint32]  # (E,)
    probabilities: Vector  # (E,)


class DeterministicArrays(NamedTuple):
    """What kernels receive of a process in which each choice has one successor."""

    first_choice: Indices  # (S + 1,)
    rewards: Vector  # (C,)
    successors: NDArray[np.uint32]  # (C,)


ProcessArrays: TypeAlias = DenseArrays | SparseArrays | DeterministicArrays


def expectation(arrays: ProcessArrays, choice: int, values: Vector) -> float:
    """Expected value of the next state after a choice, for kernels."""
    if isinstance(arrays, DenseArrays):
        return float(arrays.transitions[choice] @ values)
    if isinstance(arrays, DeterministicArrays):
        return float(values[arrays.successors[choice]])
    entries = slice(arrays.first_entry[choice], arrays.first_entry[choice + 1])
    return float(arrays.probabilities[entries] @ values[arrays.successors[entries]])


@overload(expectation, jit_options={"fastmath": {"contract", "reassoc"}, "error_model": "numpy"})
def _compiled_expectation(arrays: Any, choice: Any, values: Any) -> Any:
    if "transitions" in arrays.fields:

        def dense(arrays: Any, choice: Any, values: Any) -> Any:
            total = 0.0
            for state in range(values.size):
                total += arrays.transitions[choice, state] * values[state]
            return total

        return dense

    if "probabilities" not in arrays.fields:

        def deterministic(arrays: Any, choice: Any, values: Any) -> Any:
            return values[arrays.successors[choice]]

        return deterministic

    def sparse(arrays: Any, choice: Any, values: Any) -> Any:
        row = np.uint64(choice)
        total = 0.0
        for entry in range(arrays.first_entry[row], arrays.first_entry[row + np.uint64(1)]):
            total += arrays.probabilities[entry] * values[arrays.successors[entry]]
        return total

    return sparse


def mark_successors(arrays: ProcessArrays, choice: int, marks: Marks) -> None:
    """Set the marks of the states to which a choice leads with positive probability, for kernels."""
    if isinstance(arrays, DenseArrays):
        marks[arrays.transitions[choice] > 0] = True
    elif isinstance(arrays, DeterministicArrays):
        marks[arrays.successors[choice]] = True
    else:
        entries = slice(arrays.first_entry[choice], arrays.first_entry[choice + 1])
        marks[arrays.successors[entries][arrays.probabilities[entries] > 0]] = True


@overload(mark_successors, jit_options={"error_model": "numpy"})
def _compiled_mark_successors(arrays: Any, choice: Any, marks: Any) -> Any:
    if "transitions" in arrays.fields:

        def dense(arrays: Any, choice: Any, marks: Any) -> None:
            for state in range(marks.size):
                if arrays.transitions[choice, state] > 0:
                    marks[state] = True

        return dense

    if "probabilities" not in arrays.fields:

        def deterministic(arrays: Any, choice: Any, marks: Any) -> None:
            marks[arrays.successors[choice]] = True

        return deterministic

    def sparse(arrays: Any, choice: Any, marks: Any) -> None:
        row = np.uint64(choice)
        for entry in range(arrays.first_entry[row], arrays.first_entry[row + np.uint64(1)]):
            if arrays.probabilities[entry] > 0:
                marks[arrays.successors[entry]] = True

    return sparse


@kernel
def _largest_deviation(arrays: ProcessArrays, ones: Vector) -> float:
    """Largest deviation from 1 of the expected value of 1."""
    deviation = 0.0
    for choice in range(arrays.rewards.size):
        deviation = max(deviation, abs(expectation(arrays, choice, ones) - 1.0))
    return deviation


@dataclass(frozen=True, init=False, eq=False, repr=False)
class MDP(ABC):
    """What the forms of a Markov decision process share."""

    first_choice: Indices
    rewards: Vector
    initial: Vector
    state_names: tuple[str, ...]
    choice_names: tuple[str, ...]
    title: str
    arrays: ProcessArrays

    def _set_common(
        self,
        first_choice: Indices,
        rewards: Vector,
        initial: ArrayLike | None,
        state_names: Sequence[str],
        choice_names: Sequence[str],
        title: str,
    ) -> None:
        states = first_choice.size - 1
        object.__setattr__(self, "first_choice", _frozen_indices(first_choice))
        object.__setattr__(self, "rewards", frozen(rewards))
        object.__setattr__(self, "initial", frozen(_checked_initial(initial, states)))
        object.__setattr__(self, "state_names", checked_names(state_names, states, "state_names", "states"))
        names = choice_names or [str(k) for size in np.diff(first_choice) for k in range(size)]
        object.__setattr__(self, "choice_names", checked_names(names, rewards.size, "choice_names", "choices"))
        object.__setattr__(self, "title", title)

    @property
    def states(self) -> int:
        """Number of states S."""
        return self.first_choice.size - 1

    @property
    def choices(self) -> int:
        """Number of choices C, in all states together."""
        return self.rewards.size

    @cached_property
    def state_of_choice(self) -> Indices:
        """State in which each choice is made, shape (C,)."""
        return _frozen_indices(np.repeat(np.arange(self.states), np.diff(self.first_choice)))

    @property
    @abstractmethod
    def transition_matrix(self) -> "Matrix | csr_array":
        """Transition laws, one row for each choice, shape (C, S)."""

    @property
    @abstractmethod
    def most_successors(self) -> int:
        """Number of terms, at most, in the expected value of a next state."""

    @abstractmethod
    def as_sparse(self) -> "SparseMDP":
        """Return the same process with sparse laws."""

    def to_data(self) -> dict[str, Any]:
        """Return the process as plain data, exact to the last bit; :meth:`from_data` undoes it."""
        arrays = {name: array.tolist() for name, array in self.arrays._asdict().items()}
        names = {"state_names": list(self.state_names), "choice_names": list(self.choice_names)}
        return arrays | {"initial": self.initial.tolist()} | names | {"title": self.title}

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> "MDP":
        """Build the process, of whichever form, that :meth:`to_data` described.

        Raises
        ------
        ValueError, TypeError
            If an entry is missing, unknown or wrong; the message names it.

        Examples
        --------
        >>> mdp = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]], action_names=("take", "leave"))
        >>> MDP.from_data(mdp.to_data()) == mdp
        True
        """
        if "transitions" in data:
            return TabularMDP.from_rows(**data)
        if "probabilities" in data:
            return SparseMDP(**data)
        from rltheory.problems.deterministic import DeterministicMDP

        return DeterministicMDP.from_rows(**data)

    @cached_property
    def sum_deviation(self) -> float:
        """Bound on how far the sum of any law is from 1, the rounding of its computation included."""
        return _largest_deviation(self.arrays, np.ones(self.states)) + 2 * self.most_successors * UNIT_ROUNDOFF

    @cached_property
    def digest(self) -> str:
        """Digest of the numbers and names, by which a stored result can name its process."""
        digest = blake2b(digest_size=16)
        for array in (*self.arrays, self.initial):
            digest.update(array.tobytes())
        digest.update("\n".join(self.state_names + self.choice_names).encode())
        return digest.hexdigest()

    def with_rewards(self, rewards: ArrayLike) -> Self:
        """Return the process with other mean rewards of the choices, shape (C,).

        Raises
        ------
        ValueError
            If there is not one finite reward for each choice.

        Examples
        --------
        >>> mdp = TabularMDP([[[1], [1]]], [[0, 1]])
        >>> mdp.with_rewards([2, 3]).rewards
        array([2., 3.])
        """
        means = _checked_rewards(rewards, self.choices)
        return self._changed(self.arrays._replace(rewards=frozen(means)), self.choice_names)

    def with_choices(self, kept: ArrayLike) -> Self:
        """Return the process in which only some choices are left, in the same order.

        Parameters
        ----------
        kept : array_like of bool, shape (C,)
            Which ones; one at least in each state.

        Raises
        ------
        ValueError
            If the shape or type differs, or a state is left without a choice. The message names it.

        Examples
        --------
        >>> mdp = TabularMDP([[[1], [1]]], [[0, 1]])
        >>> mdp.with_choices([False, True]).rewards
        array([1.])
        """
        mask = np.array(kept)
        if mask.dtype != bool or mask.shape != (self.choices,):
            raise ValueError(
                f"kept has type {mask.dtype} and shape {mask.shape}; it must be bool and {(self.choices,)}"
            )
        left = np.add.reduceat(mask.astype(np.int64), self.first_choice[:-1])
        if not left.all():
            raise ValueError(f"state {int(np.argmin(left))} is left without a choice; keep one at least")
        first_choice, rewards = frozen(np.append(0, np.cumsum(left))), frozen(self.rewards[mask])
        names = [name for name, stays in zip(self.choice_names, mask, strict=True) if stays]
        if isinstance(self.arrays, DenseArrays):
            return self._changed(DenseArrays(first_choice, rewards, frozen(self.arrays.transitions[mask])), names)
        if isinstance(self.arrays, DeterministicArrays):
            return self._changed(
                DeterministicArrays(first_choice, rewards, frozen(self.arrays.successors[mask])), names
            )
        sizes = np.diff(self.arrays.first_entry).astype(np.int64)
        entries = np.repeat(mask, sizes)
        arrays = SparseArrays(
            first_choice,
            rewards,
            frozen(np.append(0, np.cumsum(sizes[mask])).astype(np.uint64)),
            frozen(self.arrays.successors[entries]),
            frozen(self.arrays.probabilities[entries]),
        )
        return self._changed(arrays, names)

    def _changed(self, arrays: ProcessArrays, choice_names: Sequence[str]) -> Self:
        """Return a process of checked arrays, with these states."""
        changed = object.__new__(type(self))
        changed._set_common(
            arrays.first_choice, arrays.rewards, self.initial, self.state_names, choice_names, self.title
        )
        object.__setattr__(changed, "arrays", arrays)
        return changed

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return self.title or f"{self.states} states, {self.choices} choices"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.title or 'untitled'}: {self.states} states, {self.choices} choices>"

    def _repr_html_(self) -> str:
        shown = min(self.choices, 20)
        matrix = self.transition_matrix
        rows = []
        for choice in range(shown):
            law = matrix[choice] if isinstance(matrix, np.ndarray) else matrix[[choice]].toarray()[0]
            likely = np.argsort(-law, kind="stable")[: min(4, np.count_nonzero(law))]
            leads = ", ".join(f"{html.escape(self.state_names[state])} {law[state]:.3g}" for state in likely)
            leads += ", …" if np.count_nonzero(law) > 4 else ""
            state = html.escape(self.state_names[self.state_of_choice[choice]])
            name = html.escape(self.choice_names[choice])
            rows.append(f"<tr><th>{state}</th><td>{name}</td><td>{self.rewards[choice]:.4g}</td><td>{leads}</td></tr>")
        rest = f", the first {shown} choices shown" if self.choices > shown else ""
        caption = f"{html.escape(str(self))}: {self.states} states, {self.choices} choices{rest}"
        head = "<tr><th>state</th><th>action</th><th>reward</th><th>leads to</th></tr>"
        return f"<table><caption>{caption}</caption>{head}{''.join(rows)}</table>"


class TabularMDP(MDP):
    r"""A Markov decision process with dense transition laws.

    Parameters
    ----------
    transitions : array_like, shape (S, A, S)
        ``transitions[s, a, t]`` is the probability in [0, 1] that action a leads from state s to t; each law sums to 1
        within 1e-9.
    rewards : array_like, shape (S, A) or (S, A, S)
        Finite mean rewards of actions, or of transitions, which are averaged.
    allowed : array_like of bool, shape (S, A), optional
        Which actions exist in which states; all by default. Numbers of others are not read. Each state has one at
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
        If shapes do not fit, a law is not a distribution, a number is not finite, or a state has no action. The message
        names the entry and the rule.

    References
    ----------
    :cite:`puterman2005`

    Examples
    --------
    >>> mdp = TabularMDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 1]]], [[5, 10], [-1, 0]],
    ...                  allowed=[[True, True], [True, False]])
    >>> mdp.choices, mdp.first_choice
    (3, array([0, 2, 3]))
    """

    arrays: DenseArrays

    def __init__(
        self,
        transitions: ArrayLike,
        rewards: ArrayLike,
        *,
        allowed: ArrayLike | None = None,
        initial: ArrayLike | None = None,
        state_names: Sequence[str] = (),
        action_names: Sequence[str] = (),
        title: str = "",
    ) -> None:
        laws = np.array(transitions, dtype=np.float64, order="C")
        if laws.ndim != 3 or laws.shape[0] != laws.shape[2] or 0 in laws.shape:
            raise ValueError(f"transitions has shape {laws.shape}; it must be (S, A, S) with a state and an action")
        states, actions, _ = laws.shape
        exists = existing_actions(allowed, states, actions)
        laws = laws[exists]
        pairs = np.argwhere(exists)
        _check_laws(laws, pairs)
        means = np.array(rewards, dtype=np.float64)
        if means.shape not in ((states, actions), (states, actions, states)):
            raise ValueError(
                f"rewards has shape {means.shape}; it must be {(states, actions)} or {(states, actions, states)}"
            )
        means = means[exists]
        if means.ndim == 2:
            # A transition that never happens may have any reward, even none.
            means = np.where(laws > 0, means, 0.0)
        finite = np.isfinite(means)
        if not finite.all():
            row, *rest = first_index(~finite)
            place = [*map(int, pairs[row]), *rest]
            raise ValueError(f"rewards{place} is {means[(row, *rest)]}; every reward must be finite")
        means = means if means.ndim == 1 else (laws * means).sum(axis=1)
        names = checked_names(action_names, actions, "action_names", "actions")
        first_choice = np.append(0, np.cumsum(exists.sum(axis=1)))
        self._set_common(first_choice, means, initial, state_names, [names[a] for _, a in pairs], title)
        object.__setattr__(self, "arrays", DenseArrays(self.first_choice, self.rewards, frozen(laws)))

    @classmethod
    def from_rows(
        cls,
        first_choice: ArrayLike,
        transitions: ArrayLike,
        rewards: ArrayLike,
        *,
        initial: ArrayLike | None = None,
        state_names: Sequence[str] = (),
        choice_names: Sequence[str] = (),
        title: str = "",
    ) -> Self:
        """Make a process from one law and one reward for each choice.

        Parameters
        ----------
        first_choice : array_like of int, shape (S + 1,)
            The choices of state s are ``first_choice[s], ..., first_choice[s + 1] - 1``; each state has one at least.
        transitions : array_like, shape (C, S)
            Probabilities in [0, 1]; those of a choice sum to 1 within 1e-9.
        rewards : array_like, shape (C,)
            Finite mean rewards.
        initial, state_names, choice_names, title
            As for :class:`SparseMDP`.

        Raises
        ------
        ValueError
            If lengths do not fit, a law is not a distribution, or a number is not finite. The message names the entry
            and the rule.

        Examples
        --------
        >>> TabularMDP.from_rows([0, 2, 3], [[0.5, 0.5], [0, 1], [0, 1]], [5, 10, -1])
        <TabularMDP untitled: 2 states, 3 choices>
        """
        pointers = pointers_of(first_choice, "first_choice", "state", "choice")
        states, choices = pointers.size - 1, int(pointers[-1])
        laws, means = float_array(transitions, "transitions", ndim=2), float_array(rewards, "rewards", ndim=1)
        if laws.shape != (choices, states):
            raise ValueError(f"transitions has shape {laws.shape}; first_choice asks for {(choices, states)}")
        if means.size != choices:
            raise ValueError(f"rewards has {means.size} entries for {choices} choices; give one for each")
        state_of_choice = np.repeat(np.arange(states), np.diff(pointers))
        _check_laws(laws, np.column_stack([state_of_choice, np.arange(choices) - pointers[state_of_choice]]))
        mdp = cls.__new__(cls)
        mdp._set_common(pointers, means, initial, state_names, choice_names, title)
        object.__setattr__(mdp, "arrays", DenseArrays(mdp.first_choice, mdp.rewards, frozen(laws)))
        return mdp

    @property
    def transition_matrix(self) -> Matrix:
        """Transition laws, one row for each choice, shape (C, S)."""
        return self.arrays.transitions

    @property
    def most_successors(self) -> int:
        """Number of terms, at most, in the expected value of a next state."""
        return self.states

    def as_sparse(self) -> "SparseMDP":
        """Return the same process with sparse laws."""
        return SparseMDP.from_tabular(self)


class SparseMDP(MDP):
    r"""A Markov decision process with sparse transition laws, in the form of compressed rows.

    Parameters
    ----------
    first_choice : array_like of int, shape (S + 1,)
        The choices of state s are ``first_choice[s], ..., first_choice[s + 1] - 1``; each state has one at least.
    first_entry : array_like of int, shape (C + 1,)
        The successors of choice c are the entries ``first_entry[c], ..., first_entry[c + 1] - 1``.
    successors : array_like of int, shape (E,)
        States in [0, S), none twice in a choice.
    probabilities : array_like, shape (E,)
        Probabilities in [0, 1]; those of a choice sum to 1 within 1e-9.
    rewards : array_like, shape (C,)
        Finite mean rewards.
    initial : array_like, shape (S,), optional
        Distribution of the first state; uniform by default.
    state_names, choice_names : sequence of str, optional
        Names of the S states and the C choices; by default their numbers, those of choices within their state.
    title : str, optional
        What to call the process in tables and figures.

    Raises
    ------
    ValueError
        If lengths do not fit, pointers decrease, a state has no choice, a successor is out of range or listed twice, a
        law is not a distribution, or a number is not finite. The message names the entry and the rule.

    References
    ----------
    :cite:`puterman2005`

    Examples
    --------
    >>> mdp = SparseMDP([0, 2, 3], [0, 2, 3, 4], [0, 1, 1, 1], [0.5, 0.5, 1, 1], [5, 10, -1])
    >>> mdp.transition_matrix.toarray()
    array([[0.5, 0.5],
           [0. , 1. ],
           [0. , 1. ]])
    """

    arrays: SparseArrays

    def __init__(
        self,
        first_choice: ArrayLike,
        first_entry: ArrayLike,
        successors: ArrayLike,
        probabilities: ArrayLike,
        rewards: ArrayLike,
        *,
        initial: ArrayLike | None = None,
        state_names: Sequence[str] = (),
        choice_names: Sequence[str] = (),
        title: str = "",
    ) -> None:
        choice_pointers = pointers_of(first_choice, "first_choice", "state", "choice")
        entry_pointers = pointers_of(first_entry, "first_entry", "choice", "successor")
        states, choices, entries = choice_pointers.size - 1, entry_pointers.size - 1, int(entry_pointers[-1])
        if choice_pointers[-1] != choices:
            raise ValueError(f"first_choice ends with {choice_pointers[-1]}; first_entry speaks of {choices} choices")
        columns = integers(successors, "successors")
        numbers = float_array(probabilities, "probabilities", ndim=1)
        for name, size in (("successors", columns.size), ("probabilities", numbers.size)):
            if size != entries:
                raise ValueError(f"{name} has {size} entries; first_entry ends with {entries}")
        outside = (columns < 0) | (columns >= states)
        if outside.any():
            (place,) = first_index(outside)
            raise ValueError(f"successors[{place}] is {columns[place]}; there are states 0 to {states - 1}")
        state_of_choice = np.repeat(np.arange(states), np.diff(choice_pointers))
        choice_of_entry = np.repeat(np.arange(choices), np.diff(entry_pointers))
        _check_sparse_laws(numbers, choice_of_entry, choice_pointers, state_of_choice)
        _check_distinct(columns, choice_of_entry, states)
        means = _checked_rewards(rewards, choices)
        self._set_common(choice_pointers, means, initial, state_names, choice_names, title)
        arrays = SparseArrays(
            self.first_choice,
            self.rewards,
            frozen(entry_pointers.astype(np.uint64)),
            frozen(columns.astype(np.uint32)),
            frozen(numbers),
        )
        object.__setattr__(self, "arrays", arrays)

    @cached_property
    def transition_matrix(self) -> "csr_array":
        """Transition laws, one row for each choice, shape (C, S)."""
        from scipy.sparse import csr_array

        arrays = self.arrays
        columns, pointers = arrays.successors.astype(np.int64), arrays.first_entry.astype(np.int64)
        return csr_array((arrays.probabilities, columns, pointers), shape=(self.choices, self.states))

    @cached_property
    def most_successors(self) -> int:
        """Number of terms, at most, in the expected value of a next state."""
        return int(np.diff(self.arrays.first_entry).max())

    def as_sparse(self) -> "SparseMDP":
        """Return the process itself."""
        return self

    @classmethod
    def from_tabular(cls, mdp: TabularMDP) -> Self:
        """Drop the zeros of a process with dense laws."""
        laws = mdp.arrays.transitions
        choices, successors = np.nonzero(laws)
        first_entry = np.searchsorted(choices, np.arange(mdp.choices + 1))
        return cls(
            mdp.first_choice,
            first_entry,
            successors,
            laws[choices, successors],
            mdp.rewards,
            initial=mdp.initial,
            state_names=mdp.state_names,
            choice_names=mdp.choice_names,
            title=mdp.title,
        )


def existing_actions(allowed: ArrayLike | None, states: int, actions: int) -> Marks:
    """Which actions exist in which states, shape (S, A); all where nothing is said."""
    exists = np.ones((states, actions), dtype=bool) if allowed is None else np.array(allowed)
    if exists.dtype != bool or exists.shape != (states, actions):
        raise ValueError(
            f"allowed has type {exists.dtype} and shape {exists.shape}; it must be bool and {(states, actions)}"
        )
    if not exists.any(axis=1).all():
        raise ValueError(f"state {int(np.argmin(exists.any(axis=1)))} has no action; allow one at least")
    return exists


def _check_laws(laws: Matrix, pairs: Indices) -> None:
    for wrong, rule in ((~np.isfinite(laws), "be finite"), ((laws < 0) | (laws > 1), "lie in [0, 1]")):
        if wrong.any():
            row, target = first_index(wrong)
            state, action = pairs[row]
            raise ValueError(f"transitions[{state}, {action}, {target}] is {laws[row, target]}; it must {rule}")
    sums = laws.sum(axis=1)
    uneven = np.abs(sums - 1) > SUM_TOLERANCE
    if uneven.any():
        (row,) = first_index(uneven)
        state, action = pairs[row]
        raise ValueError(
            f"transitions[{state}, {action}] sums to {sums[row]:.12g}, which is off by {sums[row] - 1:.3g}; "
            f"expected 1 within {SUM_TOLERANCE:g}"
        )


def _check_sparse_laws(
    probabilities: Vector, choice_of_entry: Indices, first_choice: Indices, state_of_choice: Indices
) -> None:
    def place(choice: int) -> str:
        state = state_of_choice[choice]
        return f"choice {choice} (number {choice - first_choice[state]} of state {state})"

    outside = (probabilities < 0) | (probabilities > 1)
    if outside.any():
        (entry,) = first_index(outside)
        raise ValueError(
            f"probabilities[{entry}], of {place(choice_of_entry[entry])}, is {probabilities[entry]}; "
            "it must lie in [0, 1]"
        )
    sums = np.bincount(choice_of_entry, probabilities, minlength=state_of_choice.size)
    uneven = np.abs(sums - 1) > SUM_TOLERANCE
    if uneven.any():
        (choice,) = first_index(uneven)
        raise ValueError(
            f"the probabilities of {place(choice)} sum to {sums[choice]:.12g}, which is off by {sums[choice] - 1:.3g}; "
            f"expected 1 within {SUM_TOLERANCE:g}"
        )


def _check_distinct(successors: Indices, choice_of_entry: Indices, states: int) -> None:
    order = np.argsort(choice_of_entry * states + successors, kind="stable")
    again = (np.diff(successors[order]) == 0) & (np.diff(choice_of_entry[order]) == 0)
    if again.any():
        entry = int(order[1:][again].min())
        raise ValueError(
            f"successors[{entry}] is {successors[entry]} again in choice {choice_of_entry[entry]}; "
            "list it once, with the sum of its probabilities"
        )


def pointers_of(values: ArrayLike, name: str, owner: str, thing: str) -> Indices:
    pointers = integers(values, name)
    if pointers.size < 2 or pointers[0] != 0:
        raise ValueError(f"{name} must start with 0 and hold one more entry than there are {owner}s, one at least")
    sizes = np.diff(pointers)
    if (sizes <= 0).any():
        (place,) = first_index(sizes <= 0)
        raise ValueError(f"{owner} {place} has {sizes[place]} {thing}s, by {name}; it needs one at least")
    return pointers


def integers(values: ArrayLike, name: str) -> Indices:
    array = np.array(values)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} has type {array.dtype} and shape {array.shape}; it must be a list of integers")
    return array.astype(np.int64)


def _checked_rewards(rewards: ArrayLike, choices: int) -> Vector:
    means = float_array(rewards, "rewards", ndim=1)
    if means.size != choices:
        raise ValueError(f"rewards has {means.size} entries for {choices} choices; give one for each")
    return means


def _checked_initial(initial: ArrayLike | None, states: int) -> Vector:
    if initial is None:
        return np.full(states, 1 / states)
    vector = float_array(initial, "initial", ndim=1)
    if vector.size != states:
        raise ValueError(f"initial has {vector.size} entries for {states} states; give one for each")
    if (vector < 0).any():
        (state,) = first_index(vector < 0)
        raise ValueError(f"initial[{state}] is {vector[state]}; a probability must be >= 0")
    if abs(vector.sum() - 1) > SUM_TOLERANCE:
        raise ValueError(f"initial sums to {vector.sum():.12g}; expected 1 within {SUM_TOLERANCE:g}")
    return vector


def checked_names(names: Sequence[str], size: int, argument: str, things: str) -> tuple[str, ...]:
    if not names:
        return tuple(str(k) for k in range(size))
    if len(names) != size:
        raise ValueError(f"{argument} has {len(names)} names for {size} {things}; give one for each")
    return tuple(names)


def _frozen_indices(array: Array | Indices) -> Indices:
    return frozen(np.ascontiguousarray(array, dtype=np.int64))
