"""Bandits whose laws change at known rounds, of which the player is not told."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import Array, Matrix, Times, Vector, count, frozen
from rltheory.jit import kernel
from rltheory.problems.bandit import Bandit, Law, draw
from rltheory.variates import Generators

__all__ = ["PiecewiseArrays", "PiecewiseBandit", "draw_by_piece"]


class PiecewiseArrays(NamedTuple):
    """What kernels receive."""

    law: int
    tables: Array  # (M, K, d): parameters of each arm in each piece
    changes: Times  # (M - 1,), rounds played before each change


@kernel
def draw_by_piece(
    t: int, problem: PiecewiseArrays, arms: NDArray[np.int64], states: Generators, work: Vector, rewards: Vector
) -> None:
    """Draw a reward of the arm that each lane pulls after t rounds."""
    piece, changes = 0, problem.changes
    while piece < changes.size and changes[piece] <= t:
        piece += 1
    draw(problem.law, problem.tables[piece], arms, states, work, rewards)


@dataclass(frozen=True, init=False, eq=False, repr=False)
class PiecewiseBandit:
    r"""A bandit whose arms pay by other laws after each of some rounds :cite:`garivier2011switching`.

    What n rounds cost is the dynamic pseudo-regret :math:`\sum_{t \le n} (\max_a \mu_{t,a} - \mu_{t,A_t})`, against the
    arm that is best at the time.

    Parameters
    ----------
    pieces
        Stationary bandits, in order, of one kind of law and one number K of arms.
    changes
        Rounds played before each change: M - 1 increasing integers >= 1 for M pieces.
    title
        What to call the bandit in tables and figures.

    Raises
    ------
    ValueError
        If there are no pieces, they differ in law or in arms, a law is of the user's own, or the changes are not as
        many as they must be or do not increase. The message names the place.

    Examples
    --------
    >>> bandit = PiecewiseBandit([Bandit.bernoulli([0.9, 0.5]), Bandit.bernoulli([0.1, 0.5])], [1000])
    >>> bandit.gaps
    array([[0. , 0.4],
           [0.4, 0. ]])
    """

    pieces: tuple[Bandit, ...]
    changes: Times
    title: str

    def __init__(self, pieces: Sequence[Bandit], changes: ArrayLike, *, title: str = "") -> None:
        pieces = tuple(pieces)
        if not pieces:
            raise ValueError("there are no pieces; give one bandit at least")
        for i, piece in enumerate(pieces):
            if piece.law is Law.OWN:
                raise ValueError(f"pieces[{i}] has a law of your own; pieces take the laws of the package")
            if (piece.law, piece.table.shape) != (pieces[0].law, pieces[0].table.shape):
                raise ValueError(f"pieces[{i}] is {piece}; it must have the law and the size of pieces[0], {pieces[0]}")
        rounds = [count(change, f"changes[{i}]", at_least=1) for i, change in enumerate(np.atleast_1d(changes))]
        if len(rounds) != len(pieces) - 1:
            raise ValueError(f"changes has {len(rounds)} entries; {len(pieces)} pieces have {len(pieces) - 1} changes")
        for i, (before, after) in enumerate(pairwise(rounds), 1):
            if after <= before:
                raise ValueError(f"changes[{i}] is {after}; it must be above changes[{i - 1}], {before}")
        object.__setattr__(self, "pieces", pieces)
        object.__setattr__(self, "changes", frozen(np.array(rounds, dtype=np.int64)))
        described = f"{pieces[0].law.name.lower()} bandit with {pieces[0].arms} arms and {len(rounds)} changes"
        object.__setattr__(self, "title", title or described)

    @property
    def arms(self) -> int:
        """Number K of arms."""
        return self.pieces[0].arms

    @property
    def support(self) -> tuple[float, float]:
        """Bounds of the rewards."""
        return min(piece.support[0] for piece in self.pieces), max(piece.support[1] for piece in self.pieces)

    @cached_property
    def gaps(self) -> Matrix:
        """Gaps of the arms in each piece, shape (M, K)."""
        return frozen(np.stack([piece.gaps for piece in self.pieces]))

    @cached_property
    def arrays(self) -> PiecewiseArrays:
        """What kernels receive."""
        tables = np.stack([piece.table for piece in self.pieces])
        return PiecewiseArrays(int(self.pieces[0].law), tables, self.changes)

    @cached_property
    def digest(self) -> str:
        """Digest of laws and changes, by which a stored result can name its bandit."""
        content = blake2b(self.changes.tobytes(), digest_size=16)
        for piece in self.pieces:
            content.update(piece.digest.encode())
        return content.hexdigest()

    def regrets(self, times: Times, pulls: NDArray[np.int64]) -> Array:
        """Dynamic pseudo-regret from pulls.

        Parameters
        ----------
        times : array of int, shape (T,)
            Increasing numbers of rounds from 0 on, among them every change up to the last.
        pulls : array of int, shape (T, R, K)
            Pulls of each arm by then.

        Returns
        -------
        array, shape (T, R)
        """
        pieces = np.searchsorted(self.changes, times[:-1], side="right")
        lost = np.matmul(np.diff(pulls, axis=0), self.gaps[pieces][:, :, None])[..., 0]
        return np.concatenate([np.zeros((1, pulls.shape[1])), lost.cumsum(axis=0)])

    def __repr__(self) -> str:
        return f"<PiecewiseBandit {self.title}>"
