r"""Markov decision processes with linear structure: linear processes and linear mixtures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import SUM_TOLERANCE, Array, Matrix, Vector, first_index, float_array, frozen
from rltheory.problems.mdp import TabularMDP

__all__ = ["LinearMDP", "LinearMixtureMDP"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class _LinearStructure:
    """Features and weights, and the process that they make."""

    features: Array
    weights: Vector
    tabular: TabularMDP

    @property
    def dimension(self) -> int:
        """Number of features d."""
        return self.weights.size

    @cached_property
    def digest(self) -> str:
        """Digest of features, weights and process, by which a stored result can name it."""
        digest = blake2b(self.tabular.digest.encode(), digest_size=16)
        for array in (self.features, self.weights):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def to_data(self) -> dict[str, Any]:
        """Return what the process is made from as plain data, exact to the last bit; `from_data` undoes it."""
        arrays = {"features": self.features, "weights": self.weights, "initial": self.tabular.initial}
        return {name: array.tolist() for name, array in arrays.items()} | {"title": self.tabular.title}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return f"{self.tabular}, dimension {self.dimension}"

    def __repr__(self) -> str:
        size = f"dimension {self.dimension}, {self.tabular.states} states, {self.tabular.choices} choices"
        return f"<{type(self).__name__} {self.tabular.title or 'untitled'}: {size}>"


class LinearMDP(_LinearStructure):
    r"""A process whose laws and mean rewards are linear in known features of its choices.

    .. math:: p(s' | s, a) = \langle \phi(s, a), \mu(s') \rangle, \qquad r(s, a) = \langle \phi(s, a), \theta \rangle,

    with :math:`\|\phi(s, a)\| \le 1`, :math:`\|\theta\| \le \sqrt d` and
    :math:`\| \sum_{s'} |\mu(s')| \| \le \sqrt d`, the scales on which the regret bounds rest. The last keeps
    :math:`\| \sum_{s'} V(s') \mu(s') \| \le \sqrt d` for all V with values in [-1, 1].

    Parameters
    ----------
    features : array_like, shape (S, A, d)
        Features :math:`\phi(s, a)`.
    measures : array_like, shape (d, S)
        Signed measures :math:`\mu` on the next states. Together with the features they must make laws: each sums to 1
        within 1e-9, and none has a negative probability beyond rounding, which is set to 0.
    weights : array_like, shape (d,)
        Weights :math:`\theta` of the rewards.
    initial : array_like, shape (S,), optional
        Distribution of the first state; uniform by default.
    title : str, optional
        What to call the process in tables and figures.

    Raises
    ------
    ValueError
        If shapes do not fit, a norm is too large, or a law is not a distribution. The message names the place.

    References
    ----------
    :cite:`jin2020`

    Examples
    --------
    Every tabular process is linear in the indicators of its choices.

    >>> linear = LinearMDP(np.eye(4).reshape(2, 2, 4), [[1, 0], [0, 1], [1, 0], [0, 1]], [0, 0, 0, 1])
    >>> linear.tabular.transition_matrix[1], linear.dimension
    (array([0., 1.]), 4)
    """

    measures: Matrix

    def __init__(
        self,
        features: ArrayLike,
        measures: ArrayLike,
        weights: ArrayLike,
        *,
        initial: ArrayLike | None = None,
        title: str = "",
    ) -> None:
        phi = float_array(features, "features", ndim=3)
        mu, theta = float_array(measures, "measures", ndim=2), float_array(weights, "weights", ndim=1)
        states, _, dimension = phi.shape
        if mu.shape != (dimension, states) or theta.shape != (dimension,):
            raise ValueError(
                f"measures has shape {mu.shape} and weights {theta.shape}; with features of shape {phi.shape} they "
                f"must be {(dimension, states)} and {(dimension,)}"
            )
        root = float(np.sqrt(dimension))
        _check_norms(np.linalg.norm(phi, axis=-1), 1.0, "features", "1")
        total = np.abs(mu).sum(axis=1)
        for name, vector in (("weights", theta), ("the vector of total absolute measures", total)):
            _check_norms(np.asarray(np.linalg.norm(vector)), root, name, f"sqrt(d) = {root:.6g}")
        # A law is a sum of d products, each probability of which errs by d units of rounding of their magnitudes.
        laws = _without_rounding(phi @ mu, np.abs(phi) @ np.abs(mu), dimension)
        object.__setattr__(self, "features", frozen(phi))
        object.__setattr__(self, "measures", frozen(mu))
        object.__setattr__(self, "weights", frozen(theta))
        object.__setattr__(self, "tabular", TabularMDP(laws, phi @ theta, initial=initial, title=title))

    def to_data(self) -> dict[str, Any]:
        """Return what the process is made from as plain data, exact to the last bit; `from_data` undoes it."""
        return super().to_data() | {"measures": self.measures.tolist()}

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> "LinearMDP":
        """Build the process that :meth:`to_data` described."""
        return LinearMDP(**data)

    @classmethod
    def from_tabular(cls, mdp: TabularMDP) -> Self:
        """Take the indicators of the choices for features.

        Raises
        ------
        ValueError
            If states have different numbers of choices, or the norm of the rewards exceeds that of C ones.

        Examples
        --------
        >>> from rltheory.instances import river_swim
        >>> LinearMDP.from_tabular(river_swim(3))
        <LinearMDP RiverSwim, 3 states: dimension 6, 3 states, 6 choices>
        """
        sizes = np.diff(mdp.first_choice)
        if np.ptp(sizes):
            state = int(np.argmax(sizes != sizes[0]))
            raise ValueError(
                f"state {state} has {sizes[state]} choices and state 0 has {sizes[0]}; all must have as many"
            )
        features = np.eye(mdp.choices).reshape(mdp.states, -1, mdp.choices)
        return cls(features, mdp.transition_matrix, mdp.rewards, initial=mdp.initial, title=mdp.title)


class LinearMixtureMDP(_LinearStructure):
    r"""A process whose laws are a linear mixture of known ones, with known rewards.

    .. math:: p(s' | s, a) = \sum_{k=1}^d \theta_k\, \phi_k(s' | s, a)

    Parameters
    ----------
    features : array_like, shape (d, S, A, S)
        Features :math:`\phi_k(s' | s, a)`; those of mixtures of processes are laws, but need not be.
    weights : array_like, shape (d,)
        Weights :math:`\theta`. Each law sums to 1 within 1e-9, and none has a negative probability beyond rounding,
        which is set to 0.
    rewards : array_like, shape (S, A)
        Finite mean rewards.
    initial : array_like, shape (S,), optional
        Distribution of the first state; uniform by default.
    title : str, optional
        What to call the process in tables and figures.

    Raises
    ------
    ValueError
        If shapes do not fit, a law is not a distribution, or a number is not finite. The message names the place.

    References
    ----------
    :cite:`ayoub2020`

    Examples
    --------
    >>> stay, swap = np.eye(2)[:, None], np.eye(2)[::-1, None]
    >>> LinearMixtureMDP([stay, swap], [0.9, 0.1], [[0], [1]]).tabular.transition_matrix
    array([[0.9, 0.1],
           [0.1, 0.9]])
    """

    def __init__(
        self,
        features: ArrayLike,
        weights: ArrayLike,
        rewards: ArrayLike,
        *,
        initial: ArrayLike | None = None,
        title: str = "",
    ) -> None:
        phi, theta = float_array(features, "features", ndim=4), float_array(weights, "weights", ndim=1)
        if theta.shape != phi.shape[:1]:
            raise ValueError(f"weights has shape {theta.shape} for features of shape {phi.shape}; give one for each")
        magnitudes = np.tensordot(np.abs(theta), np.abs(phi), axes=1)
        laws = _without_rounding(np.tensordot(theta, phi, axes=1), magnitudes, theta.size)
        object.__setattr__(self, "features", frozen(phi))
        object.__setattr__(self, "weights", frozen(theta))
        object.__setattr__(self, "tabular", TabularMDP(laws, rewards, initial=initial, title=title))

    def to_data(self) -> dict[str, Any]:
        """Return what the process is made from as plain data, exact to the last bit; `from_data` undoes it."""
        rewards = self.tabular.rewards.reshape(self.tabular.states, -1)
        return super().to_data() | {"rewards": rewards.tolist()}

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> "LinearMixtureMDP":
        """Build the process that :meth:`to_data` described."""
        return LinearMixtureMDP(**data)


def _without_rounding(laws: Array, magnitudes: Array, terms: int) -> Array:
    """Put probabilities that leave [0, 1] by no more than the rounding of a sum of `terms` products at its ends."""
    inside = np.clip(laws, 0.0, 1.0)
    return np.where(np.abs(laws - inside) <= terms * np.finfo(np.float64).eps * magnitudes, inside, laws)


def _check_norms(norms: Array, largest: float, name: str, rule: str) -> None:
    excessive = norms > largest * (1 + SUM_TOLERANCE)
    if excessive.any():
        place = first_index(excessive)
        raise ValueError(f"{name}{list(place) or ''} has norm {norms[place]:.12g}; it must be <= {rule}")
