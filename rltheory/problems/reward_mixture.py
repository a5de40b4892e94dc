r"""Several rewards for one policy: prompts come from classes, and each class has rewards of its own.

The class is drawn first, then the prompt (the first state) from the law of the class, and the policy sees neither the
class nor, in general, the prompt once it has been left. As transitions do not depend on the class, all that a history
tells of it is in the prompt, by Bayes' rule: :math:`w_k(s_0) = p_k D_k(s_0) / \sum_j p_j D_j(s_0)`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import SUM_TOLERANCE, Matrix, Vector, first_index, float_array, frozen
from rltheory.problems.mdp import MDP, SparseMDP

__all__ = ["RewardMixture"]


@dataclass(frozen=True, init=False, eq=False)
class RewardMixture:
    r"""A process with several rewards, one for each of K classes of prompts.

    Parameters
    ----------
    mdp
        The process, S states, C choices. Its own rewards and first law are not used.
    rewards : array_like, shape (K, C)
        Finite mean rewards :math:`R_k` of the choices, for each class.
    shares : array_like, shape (K,)
        Probabilities :math:`p_k` of the classes.
    prompts : array_like, shape (K, S)
        Laws :math:`D_k` of the first state, for each class.

    Raises
    ------
    ValueError
        If shapes do not fit, or something is no distribution. The message names the entry and the rule.

    References
    ----------
    :cite:`xu2025`, section 4.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[1, 0]], [[0, 1]]], [[0], [0]])
    >>> mixture = RewardMixture(mdp, [[1, 1], [0, 0]], [0.5, 0.5], [[1, 0], [0.5, 0.5]])
    >>> mixture.first_law, mixture.posterior[0].round(4)
    (array([0.75, 0.25]), array([0.6667, 0.    ]))
    """

    mdp: MDP
    rewards: Matrix
    shares: Vector
    prompts: Matrix

    def __init__(self, mdp: MDP, rewards: ArrayLike, shares: ArrayLike, prompts: ArrayLike) -> None:
        table = float_array(rewards, "rewards", ndim=2)
        classes = len(table)
        if table.shape != (classes, mdp.choices) or classes == 0:
            raise ValueError(
                f"rewards has shape {table.shape}; it must have a row for each class, one at least, and "
                f"{mdp.choices} columns, one for each choice"
            )
        object.__setattr__(self, "mdp", mdp)
        object.__setattr__(self, "rewards", frozen(table))
        object.__setattr__(self, "shares", _distributions(shares, "shares", (classes,)))
        object.__setattr__(self, "prompts", _distributions(prompts, "prompts", (classes, mdp.states)))

    @classmethod
    def from_counts(cls, mdp: MDP, rewards: ArrayLike, counts: ArrayLike) -> Self:
        """Mixture of a pool of prompts: ``counts[k, s]`` >= 0 copies of prompt s in class k, one at least for each k.

        Raises
        ------
        ValueError
            If a count is negative, or a class has no prompt.
        """
        copies = float_array(counts, "counts", ndim=2)
        if (copies < 0).any():
            place = first_index(copies < 0)
            raise ValueError(f"counts{list(place)} is {copies[place]}; it must be >= 0")
        sums = copies.sum(axis=1)
        if not sums.all():
            raise ValueError(f"class {int(np.argmin(sums))} has no prompt; give it one at least")
        return cls(mdp, rewards, sums / sums.sum(), copies / sums[:, None])

    def __str__(self) -> str:
        return f"{self.mdp}, {len(self.shares)} classes"

    @cached_property
    def first_law(self) -> Vector:
        """Law of the prompt, whatever its class, shape (S,)."""
        return frozen(self.shares @ self.prompts)

    @cached_property
    def posterior(self) -> Matrix:
        """Probabilities of the classes given the prompt, shape (K, S); the shares where no class starts."""
        joint = self.shares[:, None] * self.prompts
        seen = self.first_law > 0
        weights = np.broadcast_to(self.shares[:, None], joint.shape).copy()
        weights[:, seen] = joint[:, seen] / self.first_law[seen]
        return frozen(weights)

    def effective_rewards(self, weights: ArrayLike) -> Vector:
        r"""Rewards :math:`\sum_k w_k(s) R_k(c)` of the choices, shape (C,).

        Parameters
        ----------
        weights : array_like, shape (K,) or (K, S)
            Weights of the classes, which sum to 1, in all states or in each.

        Raises
        ------
        ValueError
            If the shape is another, a weight is negative, or weights do not sum to 1.
        """
        array = float_array(weights, "weights", ndim=max(1, np.ndim(weights)))
        classes, states = self.prompts.shape
        if array.shape not in ((classes,), (classes, states)):
            raise ValueError(f"weights has shape {array.shape}; it must be {(classes,)} or {(classes, states)}")
        by_state = np.broadcast_to(array.reshape(classes, -1), (classes, states))
        _distributions(by_state.T, "weights", (states, classes))
        effective: Vector = (by_state[:, self.mdp.state_of_choice] * self.rewards).sum(axis=0)
        return effective

    @cached_property
    def remembering(self) -> SparseMDP:
        r"""The process whose states are pairs of a prompt and a state, with the effective rewards of the posterior.

        For every policy of this process, which may depend on the prompt, its expected return is the one of the mixture,
        exactly. There is a copy of all S states for each prompt that can occur, in increasing order.
        """
        copies = np.flatnonzero(self.first_law)
        mdp = self.mdp.as_sparse()
        arrays, states = mdp.arrays, mdp.states
        initial = np.zeros((copies.size, states))
        initial[np.arange(copies.size), copies] = self.first_law[copies]
        shifts = states * np.arange(copies.size)[:, None]
        return SparseMDP(
            np.append(0, np.cumsum(np.tile(np.diff(mdp.first_choice), copies.size))),
            np.append(0, np.cumsum(np.tile(np.diff(arrays.first_entry.astype(np.int64)), copies.size))),
            (arrays.successors.astype(np.int64) + shifts).ravel(),
            np.tile(arrays.probabilities, copies.size),
            np.concatenate([self.effective_rewards(self.posterior[:, prompt]) for prompt in copies]),
            initial=initial.ravel() / initial.sum(),
            state_names=[f"{mdp.state_names[prompt]}: {name}" for prompt in copies for name in mdp.state_names],
            choice_names=mdp.choice_names * copies.size,
            title=f"{mdp}, prompts remembered",
        )


def _distributions(values: ArrayLike, name: str, shape: tuple[int, ...]) -> Matrix:
    """Return `values` as an array whose last axis holds probabilities; these may be 0."""
    array = float_array(values, name, ndim=len(shape))
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
    if (array < 0).any():
        place = first_index(array < 0)
        raise ValueError(f"{name}{list(place)} is {array[place]}; it must be >= 0")
    sums = np.atleast_1d(array.sum(axis=-1))
    uneven = np.abs(sums - 1) > SUM_TOLERANCE
    if uneven.any():
        (row,) = first_index(uneven)
        where = f" in row {row}" if array.ndim == 2 else ""
        raise ValueError(f"{name} sums to {sums[row]:.12g}{where}; expected 1 within {SUM_TOLERANCE:g}")
    return frozen(array)
