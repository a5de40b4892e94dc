r"""Markov decision processes with several rewards at once, and with costs that must stay within budgets."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from numpy.typing import ArrayLike

from rltheory.arrays import Array, Matrix, Vector, float_array, frozen
from rltheory.problems.mdp import MDP, checked_names

__all__ = ["ConstrainedMDP", "VectorRewardMDP"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class _Extension(ABC):
    """A process and named vectors over its choices."""

    mdp: MDP
    names: tuple[str, ...]

    @property
    @abstractmethod
    def _numbers(self) -> tuple[Array, ...]:
        """What the extension adds to the process."""

    @cached_property
    def digest(self) -> str:
        """Digest of the numbers and names, by which a stored result can name its problem."""
        digest = blake2b(self.mdp.digest.encode(), digest_size=16)
        for array in self._numbers:
            digest.update(array.tobytes())
        digest.update("\n".join(self.names).encode())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class VectorRewardMDP(_Extension):
    r"""A process that pays a vector of rewards, one for each objective.

    Parameters
    ----------
    mdp : MDP
        The process, S states and C choices. Its own rewards are not read.
    rewards : array_like, shape (K, C)
        Mean rewards :math:`r_k(c)` of the choices for each of the K objectives, finite, one objective at least.
    names : sequence of str, optional
        Names of the objectives; by default their numbers.

    Raises
    ------
    ValueError
        If shapes do not fit or a reward is not finite. The message names the entry and the rule.

    References
    ----------
    :cite:`roijers2013`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> arms = TabularMDP([[[1.0], [1.0]]], [[0, 0]])
    >>> problem = VectorRewardMDP(arms, [[1, 0], [0, 3]], names=["speed", "comfort"])
    >>> problem.weighted([0.5, 0.5]).rewards, problem.component(1).rewards
    (array([0.5, 1.5]), array([0., 3.]))
    """

    rewards: Matrix

    def __init__(self, mdp: MDP, rewards: ArrayLike, *, names: Sequence[str] = ()) -> None:
        object.__setattr__(self, "mdp", mdp)
        object.__setattr__(self, "rewards", _per_choice(mdp, rewards, "rewards"))
        object.__setattr__(self, "names", checked_names(names, self.objectives, "names", "objectives"))

    @property
    def objectives(self) -> int:
        """Number of objectives K."""
        return len(self.rewards)

    def component(self, objective: int) -> MDP:
        """The process with the rewards of one objective, from 0 to K - 1."""
        if not 0 <= objective < self.objectives:
            raise ValueError(f"objective is {objective}; there are objectives 0 to {self.objectives - 1}")
        return self.mdp.with_rewards(self.rewards[objective])

    def weighted(self, weights: ArrayLike) -> MDP:
        r"""The process with the rewards :math:`\sum_k w_k r_k`, for any finite weights, shape (K,)."""
        vector = float_array(weights, "weights", ndim=1)
        if vector.size != self.objectives:
            raise ValueError(f"weights has {vector.size} entries for {self.objectives} objectives; give one for each")
        return self.mdp.with_rewards(vector @ self.rewards)

    @property
    def _numbers(self) -> tuple[Array, ...]:
        return (self.rewards,)

    def __str__(self) -> str:
        return f"{self.mdp}, {self.objectives} objectives"


class ConstrainedMDP(_Extension):
    r"""A process in which a policy's costs must stay within budgets.

    Parameters
    ----------
    process : MDP or VectorRewardMDP
        What is to be maximised: the reward, or the least of several.
    costs : array_like, shape (J, C)
        Costs :math:`C_j(c)` of the choices for each of J constraints, finite, of any sign, one constraint at least.
    budgets : array_like, shape (J,)
        Budgets :math:`b_j`, finite: what a step may cost in the mean, where rewards are discounted or averaged; what an
        episode may cost, where there is a horizon.
    names : sequence of str, optional
        Names of the constraints; by default their numbers.

    Raises
    ------
    ValueError
        If shapes do not fit or a number is not finite. The message names the entry and the rule.

    References
    ----------
    :cite:`altman1999`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> arms = TabularMDP([[[1.0], [1.0]]], [[1, 0]])
    >>> ConstrainedMDP(arms, [[1, 0]], [0.25], names=["fuel"])
    <ConstrainedMDP 1 states, 2 choices, 1 budgets>
    """

    process: "MDP | VectorRewardMDP"
    costs: Matrix
    budgets: Vector

    def __init__(
        self,
        process: "MDP | VectorRewardMDP",
        costs: ArrayLike,
        budgets: ArrayLike,
        *,
        names: Sequence[str] = (),
    ) -> None:
        object.__setattr__(self, "process", process)
        object.__setattr__(self, "mdp", process.mdp if isinstance(process, VectorRewardMDP) else process)
        object.__setattr__(self, "costs", _per_choice(self.mdp, costs, "costs"))
        object.__setattr__(self, "budgets", frozen(float_array(budgets, "budgets", ndim=1)))
        if self.budgets.size != len(self.costs):
            raise ValueError(f"budgets has {self.budgets.size} entries for {len(self.costs)} costs; give one for each")
        object.__setattr__(self, "names", checked_names(names, len(self.costs), "names", "costs"))

    @property
    def _numbers(self) -> tuple[Array, ...]:
        objectives = (self.process.rewards,) if isinstance(self.process, VectorRewardMDP) else ()
        return (*objectives, self.costs, self.budgets)

    def __str__(self) -> str:
        return f"{self.process}, {self.budgets.size} budgets"


def _per_choice(mdp: MDP, values: ArrayLike, name: str) -> Matrix:
    array = float_array(values, name, ndim=2)
    if array.shape[0] == 0 or array.shape[1] != mdp.choices:
        raise ValueError(f"{name} has shape {array.shape}; it must have a column for each of {mdp.choices} choices")
    return frozen(array)
