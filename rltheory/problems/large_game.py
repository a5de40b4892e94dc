"""Preference games of many actions, whose payoffs are kept once, in single precision."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Self, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import Matrix, count, first_index
from rltheory.problems.preference_game import GameArrays, PreferenceGame, checked_names

__all__ = ["Game", "LargeGame"]

SKEW_TOLERANCE = 1e-6  # a few roundings of single precision, in which payoffs may arrive
BLOCK_ROWS = 128  # read and checked at a time: 128 rows of 20 000 actions take 20 MB in float64


@dataclass(frozen=True, init=False, eq=False, repr=False)
class LargeGame:
    r"""A symmetric two-player game of up to tens of thousands of actions.

    A :class:`~rltheory.problems.PreferenceGame` keeps its preferences and its payoffs, 16 bytes for each pair; this
    keeps 4, which are 1.6 GB for 20 000 actions. Its payoffs are numbers of single precision, and they are the game:
    algorithms compute with them in double precision.

    Parameters
    ----------
    payoff : array_like, shape (n, n)
        ``payoff[a, b]`` in [-1/2, 1/2] is the probability that action a beats action b, minus 1/2. The matrix plus
        its transpose is 0 within 1e-6; its skew part is rounded to single precision, by 2^-26 at most. It is read in
        blocks, so that it may be larger than memory, such as a :class:`numpy.memmap`.
    names : sequence of str, optional
        Distinct names of the actions; by default their numbers.
    title : str, optional
        What to call the game in tables and figures. Two games that differ in title only are equal.

    Raises
    ------
    ValueError
        If the matrix is not square, out of range or not skew, or if names are missing, empty or repeated. The message
        names the entry and the rule.

    Examples
    --------
    >>> rock_paper_scissors = LargeGame([[0, -0.5, 0.5], [0.5, 0, -0.5], [-0.5, 0.5, 0]])
    >>> rock_paper_scissors.payoff[0]
    array([ 0. , -0.5,  0.5], dtype=float32)
    """

    payoff: NDArray[np.float32]
    names: tuple[str, ...]
    title: str

    def __init__(self, payoff: ArrayLike, names: Sequence[str] = (), title: str = "") -> None:
        try:
            array: NDArray[Any] = np.asarray(payoff)
        except ValueError as error:
            raise ValueError(f"payoff must be a rectangular array of real numbers ({error})") from None
        n = len(array) if array.ndim else 0
        if n == 0 or array.shape != (n, n):
            raise ValueError(f"payoff has shape {array.shape}; it must be square with at least one action")

        def upper_rows(start: int, stop: int) -> Matrix:
            rows = _in_range(array[start:stop, start:], start)
            mirrored = _in_range(array[start:, start:stop], start).T
            uneven = np.abs(rows + mirrored) > SKEW_TOLERANCE
            if uneven.any():
                a, b = first_index(uneven)
                raise ValueError(
                    f"payoff[{a + start}, {b + start}] + payoff[{b + start}, {a + start}] is "
                    f"{rows[a, b] + mirrored[a, b]:.12g}; expected 0 within {SKEW_TOLERANCE:g}"
                )
            return np.triu((rows - mirrored) / 2, 1)

        self._fill(n, upper_rows, names, title)

    @classmethod
    def from_upper_rows(
        cls, n: int, upper_rows: Callable[[int, int], ArrayLike], names: Sequence[str] = (), title: str = ""
    ) -> Self:
        """Build the game block by block, without ever holding more of it than its own 4 bytes for each pair.

        Parameters
        ----------
        n
            Number of actions, >= 1.
        upper_rows
            ``upper_rows(start, stop)`` returns payoffs in [-1/2, 1/2] of the actions ``start, ..., stop - 1`` against
            the actions ``start, ..., n - 1``, of shape (stop - start, n - start). Only those above the diagonal are
            read; the others follow. The blocks are asked for once each, from the first to the last.
        names, title
            As for the class.

        Raises
        ------
        ValueError, TypeError
            If `n` is not an integer >= 1, a block has another shape, a payoff is out of range, or names are missing,
            empty or repeated.

        Examples
        --------
        >>> ratings = np.linspace(0, 1, 1000)
        >>> game = LargeGame.from_upper_rows(
        ...     1000, lambda start, stop: np.subtract.outer(ratings[start:stop], ratings[start:]) / 2
        ... )
        >>> game.payoff[999, 0]
        np.float32(0.5)
        """
        n = count(n, "n", at_least=1)

        def checked_rows(start: int, stop: int) -> Matrix:
            rows = np.asarray(upper_rows(start, stop))
            if rows.shape != (stop - start, n - start):
                raise ValueError(
                    f"upper_rows({start}, {stop}) has shape {rows.shape}; expected {(stop - start, n - start)}"
                )
            return _in_range(np.triu(rows, 1), start)

        game = cls.__new__(cls)
        game._fill(n, checked_rows, names, title)
        return game

    def _fill(self, n: int, upper_rows: Callable[[int, int], Matrix], names: Sequence[str], title: str) -> None:
        names = checked_names(names, n)
        payoff = np.zeros((n, n), dtype=np.float32)
        for start in range(0, n, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, n)
            above = upper_rows(start, stop).astype(np.float32)
            payoff[start:stop, start:] += above
            for left in range(start, n, BLOCK_ROWS):  # square by square, which suits the caches
                right = min(left + BLOCK_ROWS, n)
                payoff[left:right, start:stop] -= above[:, left - start : right - start].T
        payoff.setflags(write=False)
        object.__setattr__(self, "payoff", payoff)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "title", title)

    @property
    def n(self) -> int:
        """Number of actions."""
        return len(self.payoff)

    @cached_property
    def arrays(self) -> GameArrays:
        """The arrays that kernels receive."""
        return GameArrays(cast(Matrix, self.payoff))

    @cached_property
    def digest(self) -> str:
        """Digest of payoffs and names, by which a stored result can name its game."""
        digest = blake2b(self.payoff.data, digest_size=16)
        digest.update("\n".join(self.names).encode())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LargeGame) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return self.title or f"{self.n} actions"

    def __repr__(self) -> str:
        return f"<LargeGame {self.title or 'untitled'}: {self.n} actions>"


Game: TypeAlias = PreferenceGame | LargeGame


def _in_range(block: ArrayLike, start: int) -> Matrix:
    """Return the block of payoffs whose first entry is [start, start] in double precision."""
    try:
        entries = np.asarray(block, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"payoff must be an array of real numbers ({error})") from None
    outside = ~(np.abs(entries) <= 0.5)
    if outside.any():
        a, b = first_index(outside)
        raise ValueError(f"payoff[{a + start}, {b + start}] is {entries[a, b]:.12g}; it must lie in [-1/2, 1/2]")
    return entries
