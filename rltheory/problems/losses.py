"""Tables of losses: what each arm costs in each round, fixed before the first one."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, first_index, float_array, frozen

__all__ = ["LossTable"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class LossTable:
    r"""An adversarial bandit whose adversary is oblivious: losses :math:`\ell_t(a)` in [0, 1] of n rounds and K arms.

    The regret of arms :math:`A_1, A_2, \dots` after t rounds is against the arm that was best in hindsight:
    :math:`\sum_{s \le t} \ell_s(A_s) - \min_a \sum_{s \le t} \ell_s(a)`.

    Parameters
    ----------
    losses : array_like, shape (n, K)
        Losses in [0, 1], n >= 1 and K >= 2.
    title
        What to call the table in tables and figures. Two tables that differ in title only are equal.

    Raises
    ------
    ValueError
        If there are no rounds or fewer than 2 arms, or a loss is not in [0, 1].

    Examples
    --------
    >>> table = LossTable([[0, 1], [1, 0.5]])
    >>> table.cumulative
    array([[0. , 0. ],
           [0. , 1. ],
           [1. , 1.5]])
    """

    losses: Matrix
    title: str

    def __init__(self, losses: ArrayLike, title: str = "") -> None:
        losses = float_array(losses, "losses", ndim=2)
        n, k = losses.shape
        if n < 1 or k < 2:
            raise ValueError(f"losses has shape {losses.shape}; expected at least 1 round and 2 arms")
        outside = (losses < 0) | (losses > 1)
        if outside.any():
            t, a = first_index(outside)
            raise ValueError(f"losses[{t}, {a}] is {losses[t, a]:.12g}; a loss must lie in [0, 1]")
        object.__setattr__(self, "losses", frozen(losses))
        object.__setattr__(self, "title", title or f"losses, {n} rounds, {k} arms")

    @property
    def rounds(self) -> int:
        """Number n of rounds."""
        return len(self.losses)

    @property
    def arms(self) -> int:
        """Number K of arms."""
        return int(self.losses.shape[1])

    @cached_property
    def cumulative(self) -> Matrix:
        """Total loss of each arm after each number of rounds, shape (n + 1, K)."""
        return frozen(np.vstack([np.zeros(self.arms), self.losses.cumsum(axis=0)]))

    @cached_property
    def digest(self) -> str:
        """Digest of the losses, by which a stored result can name its table."""
        content = blake2b(repr(self.losses.shape).encode(), digest_size=16)
        content.update(self.losses.tobytes())
        return content.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LossTable) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return self.title

    def __repr__(self) -> str:
        return f"<LossTable {self.title}>"
