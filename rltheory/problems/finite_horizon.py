r"""Markov decision processes over a finite horizon: :math:`H` stages, each with its laws and rewards.

The states and their choices are the same at every stage; laws and rewards may differ. Kernels find those of choice
:math:`c` at stage :math:`h` as choice ``h * stride + c`` of one record of arrays: ``stride`` is the number of choices
where laws depend on the stage, and 0 where all stages share them, which are then stored once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Self

import numpy as np

from rltheory.arrays import Vector, count
from rltheory.problems.mdp import MDP, ProcessArrays, SparseArrays, SparseMDP

__all__ = ["FiniteHorizonMDP"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class FiniteHorizonMDP:
    r"""A Markov decision process that ends after :math:`H` stages.

    The return is the sum of the H rewards. A final reward :math:`g(s')` belongs into the rewards of the last stage, as
    its mean over the laws of that stage.

    Parameters
    ----------
    stages : sequence of MDP
        The process of each stage, first to last, one at least. All have the same states and choices, and all have
        dense or all have sparse laws. The distribution of the first state is that of the first.
    title : str, optional
        What to call the process in tables and figures; by default that of the first stage.

    Raises
    ------
    ValueError, TypeError
        If there is no stage, or one differs in form from the first. The message names the stage.

    See Also
    --------
    FiniteHorizonMDP.stationary : the same process at every stage.

    References
    ----------
    :cite:`puterman2005`, chapter 4.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> early = TabularMDP([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]], [[0, 1], [0, 0]])
    >>> late = TabularMDP([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]], [[0, 0], [5, 0]])
    >>> FiniteHorizonMDP([early, late]).horizon
    2
    """

    stages: tuple[MDP, ...]
    title: str

    def __init__(self, stages: Sequence[MDP], *, title: str = "") -> None:
        if not stages:
            raise ValueError("stages is empty; a horizon has one stage at least")
        first = stages[0]
        # A stage that is the very object of the first fits; this spares long stationary horizons the comparison.
        for stage, mdp in enumerate(stages):
            if not isinstance(mdp, MDP):
                raise TypeError(f"stages[{stage}] is of type {type(mdp).__name__}; it must be an MDP")
            if mdp is not first and type(mdp) is not type(first):
                raise ValueError(
                    f"stages[{stage}] is a {type(mdp).__name__} and stages[0] a {type(first).__name__}; use one form"
                )
            if mdp is not first and not np.array_equal(mdp.first_choice, first.first_choice):
                raise ValueError(f"stages[{stage}] has other states or choices than stages[0]; they must be the same")
        object.__setattr__(self, "stages", tuple(stages))
        object.__setattr__(self, "title", title or first.title)

    @classmethod
    def stationary(cls, mdp: MDP, horizon: int, *, title: str = "") -> Self:
        """Repeat the same process for `horizon` stages, at least one."""
        return cls((mdp,) * count(horizon, "horizon", at_least=1), title=title)

    def unrolled(self) -> SparseMDP:
        """Make the stage a part of the state: the process passes through H times S states and then rests in an end.

        Choice c at stage h is its choice ``h * C + c``; the only choice of the end, which pays nothing, is the last.
        With a discount its values are those of this problem with the same discount.

        Examples
        --------
        >>> from rltheory.problems import TabularMDP
        >>> mdp = TabularMDP([[[1.0], [1.0]]], [[0.0, 1.0]])
        >>> unrolled = FiniteHorizonMDP.stationary(mdp, 2).unrolled()
        >>> unrolled.states, unrolled.rewards
        (3, array([0., 1., 0., 1., 0.]))
        """
        states, choices, end = self.states, self.choices, self.horizon * self.states
        onwards = [mdp.as_sparse().arrays for mdp in self.stages[:-1]]
        sizes = [np.diff(record.first_entry) for record in onwards] + [np.ones(choices + 1, np.int64)]
        successors = [record.successors + (stage + 1) * states for stage, record in enumerate(onwards)]
        starts = [self.stages[0].first_choice[:-1] + stage * choices for stage in range(self.horizon)]
        return SparseMDP(
            np.concatenate([*starts, [self.horizon * choices, self.horizon * choices + 1]]),
            np.concatenate([[0], np.cumsum(np.concatenate(sizes).astype(np.int64))]),
            np.concatenate([*successors, np.full(choices + 1, end)]).astype(np.int64),
            np.concatenate([*(record.probabilities for record in onwards), np.ones(choices + 1)]),
            np.concatenate([*(mdp.rewards for mdp in self.stages), [0.0]]),
            initial=np.concatenate([self.initial, np.zeros(end - states + 1)]),
            title=f"{self.title or 'process'}, unrolled",
        )

    @property
    def horizon(self) -> int:
        """Number of stages H."""
        return len(self.stages)

    @property
    def states(self) -> int:
        """Number of states S."""
        return self.stages[0].states

    @property
    def choices(self) -> int:
        """Number of choices C, in all states together."""
        return self.stages[0].choices

    @property
    def initial(self) -> Vector:
        """Distribution of the first state, shape (S,)."""
        return self.stages[0].initial

    @cached_property
    def stride(self) -> int:
        """Distance between the numbers of a choice at two stages in :attr:`arrays`: C, or 0 where stages share laws."""
        return 0 if all(mdp is self.stages[0] for mdp in self.stages) else self.choices

    @cached_property
    def arrays(self) -> ProcessArrays:
        """What kernels receive: the laws and rewards of all stages, one after the other."""
        first = self.stages[0].arrays
        if self.stride == 0:
            return first
        records: Any = [mdp.arrays for mdp in self.stages]
        names = [name for name in first._fields if name not in ("first_choice", "first_entry")]
        joined = {name: np.concatenate([getattr(record, name) for record in records]) for name in names}
        if isinstance(first, SparseArrays):
            starts = np.cumsum([0, *(record.successors.size for record in records)], dtype=np.uint64)
            pointers = [record.first_entry[:-1] + start for record, start in zip(records, starts[:-1], strict=True)]
            joined["first_entry"] = np.concatenate([*pointers, starts[-1:]])
        arrays = first._replace(**joined)
        for array in arrays:
            array.setflags(write=False)
        return arrays

    @cached_property
    def digest(self) -> str:
        """Digest of the numbers and names, by which a stored result can name its process."""
        digest = blake2b(digest_size=16)
        for mdp in self.stages:
            digest.update(mdp.digest.encode())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FiniteHorizonMDP) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return f"{self.title or f'{self.states} states, {self.choices} choices'}, {self.horizon} stages"

    def __repr__(self) -> str:
        size = f"{self.horizon} stages, {self.states} states, {self.choices} choices"
        return f"<FiniteHorizonMDP {self.title or 'untitled'}: {size}>"
