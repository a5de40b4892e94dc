r"""Contextual bandits: in each round a context is drawn, and what an arm pays depends on it.

With :math:`\mu(x, a)` the mean of arm a in context x and :math:`\Delta(x, a) = \max_b \mu(x, b) - \mu(x, a)` its gap,
what n rounds cost is the pseudo-regret :math:`R_n = \sum_{x, a} \Delta(x, a) N_{x, a}(n)`, where :math:`N_{x, a}(n)`
counts the pulls of arm a in context x.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import SUM_TOLERANCE, Array, Matrix, Vector, first_index, float_array, frozen, positive

__all__ = ["ContextualArrays", "ContextualBandit", "LinearBandit", "LogisticBandit", "feature_array"]


class ContextualArrays(NamedTuple):
    """What kernels receive."""

    means: Matrix  # (C, K)
    deviation: float  # of normal rewards; 0 for rewards 0 and 1
    cumulative: Vector  # (C,), cumulative frequencies of the contexts


@dataclass(frozen=True, init=False, eq=False, repr=False)
class ContextualBandit:
    r"""Finitely many contexts, drawn independently, in each of which K >= 2 arms pay with means of their own.

    Parameters
    ----------
    means : array_like, shape (C, K)
        Mean rewards :math:`\mu(x, a)`.
    deviation
        Standard deviation > 0 of normal rewards. Without it rewards are 1 with probability :math:`\mu(x, a)`, else 0.
    frequencies : array_like, shape (C,), optional
        Probabilities of the contexts, which sum to 1 within 1e-9; uniform by default.
    title
        What to call the bandit in tables and figures. Two bandits that differ in title only are equal.

    Raises
    ------
    ValueError
        If there are no contexts or fewer than 2 arms, a mean is not in [0, 1] where rewards are 0 and 1, the deviation
        is not > 0, or the frequencies are no distribution. The message names the place.

    Examples
    --------
    >>> bandit = ContextualBandit([[0.9, 0.5], [0.2, 0.6]])
    >>> bandit.gaps
    array([[0. , 0.4],
           [0.4, 0. ]])
    """

    means: Matrix
    deviation: float | None
    frequencies: Vector
    title: str

    def __init__(
        self,
        means: ArrayLike,
        *,
        deviation: float | None = None,
        frequencies: ArrayLike | None = None,
        title: str = "",
    ) -> None:
        table = float_array(means, "means", ndim=2)
        contexts, arms = table.shape
        if contexts < 1 or arms < 2:
            raise ValueError(f"means has shape {table.shape}; expected at least 1 context and 2 arms")
        if deviation is None:
            outside = (table < 0) | (table > 1)
            if outside.any():
                x, a = first_index(outside)
                raise ValueError(f"means[{x}, {a}] is {table[x, a]:.12g}; the mean of rewards 0 and 1 lies in [0, 1]")
        else:
            deviation = positive(deviation, "deviation")
        object.__setattr__(self, "means", frozen(table))
        object.__setattr__(self, "deviation", deviation)
        object.__setattr__(self, "frequencies", frozen(_law(frequencies, contexts)))
        object.__setattr__(self, "title", title or f"{self._kind}, {contexts} contexts, {arms} arms")

    @property
    def _kind(self) -> str:
        return "contextual bandit"

    @property
    def contexts(self) -> int:
        """Number C of contexts."""
        return len(self.means)

    @property
    def arms(self) -> int:
        """Number K of arms."""
        return int(self.means.shape[1])

    @property
    def support(self) -> tuple[float, float]:
        """Bounds of the rewards."""
        return (0.0, 1.0) if self.deviation is None else (-np.inf, np.inf)

    @property
    def noise(self) -> float:
        r"""Scale R such that :math:`\mathbb E\, e^{s (r - \mu)} \le e^{s^2 R^2 / 2}` for all s."""
        return 0.5 if self.deviation is None else self.deviation

    @cached_property
    def gaps(self) -> Matrix:
        r"""Gaps :math:`\Delta(x, a)`, shape (C, K); 0 for the best arms of each context."""
        return frozen(self.means.max(axis=1, keepdims=True) - self.means)

    @cached_property
    def arrays(self) -> ContextualArrays:
        """What kernels receive."""
        return ContextualArrays(self.means, self.deviation or 0.0, frozen(self.frequencies.cumsum()))

    @cached_property
    def digest(self) -> str:
        """Digest of all but the title, by which a stored result can name its bandit."""
        content = blake2b(repr((type(self).__name__, self.deviation)).encode(), digest_size=16)
        for array in (self.means, self.frequencies, *self._origin.values()):
            content.update(repr(array.shape).encode() + array.tobytes())
        return content.hexdigest()

    @property
    def _origin(self) -> dict[str, Array]:
        """Arrays that make the means."""
        return {"means": self.means}

    def to_data(self) -> dict[str, Any]:
        """Return what the bandit is made from as plain data, exact to the last bit; `from_data` undoes it."""
        arrays = self._origin | {"frequencies": self.frequencies}
        rest = {"title": self.title} if self.deviation is None else {"deviation": self.deviation, "title": self.title}
        return {name: array.tolist() for name, array in arrays.items()} | rest

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Build the bandit that :meth:`to_data` described."""
        return cls(**data)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return self.title

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.title}>"


class _FeatureBandit(ContextualBandit, ABC):
    """Features and a parameter, and the table of means that they make."""

    features: Array
    parameter: Vector

    def __init__(
        self,
        features: ArrayLike,
        parameter: ArrayLike,
        *,
        deviation: float | None = None,
        frequencies: ArrayLike | None = None,
        title: str = "",
    ) -> None:
        phi, theta = feature_array(features), float_array(parameter, "parameter", ndim=1)
        if theta.size != phi.shape[2]:
            raise ValueError(f"parameter has {theta.size} entries; features have {phi.shape[2]}")
        object.__setattr__(self, "features", frozen(phi))
        object.__setattr__(self, "parameter", frozen(theta))
        super().__init__(self._link(phi @ theta), deviation=deviation, frequencies=frequencies, title=title)

    @staticmethod
    @abstractmethod
    def _link(values: Array) -> Array:
        """Means of arms by the inner products of features and parameter."""

    @property
    def dimension(self) -> int:
        """Number d of features."""
        return self.parameter.size

    @property
    def length(self) -> float:
        """Largest Euclidean norm L of the features of an arm."""
        return float(np.linalg.norm(self.features, axis=2).max())

    @property
    def _origin(self) -> dict[str, Array]:
        return {"features": self.features, "parameter": self.parameter}


class LinearBandit(_FeatureBandit):
    r"""Arms whose means are linear in known features: :math:`\mu(x, a) = \langle \phi(x, a), \theta \rangle`.

    Parameters
    ----------
    features : array_like, shape (C, K, d) or (K, d)
        Features :math:`\phi(x, a)`; without contexts those of the arms.
    parameter : array_like, shape (d,)
        The parameter :math:`\theta`, which policies do not know.
    deviation, frequencies, title
        As for :class:`ContextualBandit`.

    Raises
    ------
    ValueError
        If features and parameter do not fit, and as for :class:`ContextualBandit`.

    Examples
    --------
    >>> bandit = LinearBandit([[1, 0], [0.6, 0.8]], [0.5, 0.5], deviation=0.1)
    >>> bandit.means, bandit.length
    (array([[0.5, 0.7]]), 1.0)
    """

    @staticmethod
    def _link(values: Array) -> Array:
        return values

    @property
    def _kind(self) -> str:
        return f"linear bandit, dimension {self.dimension}"


class LogisticBandit(_FeatureBandit):
    r"""Arms that pay 1 with the probability :math:`1 / (1 + e^{-\langle \phi(x, a), \theta \rangle})`, and else 0.

    Parameters
    ----------
    features : array_like, shape (C, K, d) or (K, d)
        Features :math:`\phi(x, a)`; without contexts those of the arms.
    parameter : array_like, shape (d,)
        The parameter :math:`\theta`, which policies do not know.
    frequencies, title
        As for :class:`ContextualBandit`.

    Raises
    ------
    ValueError
        If features and parameter do not fit, and as for :class:`ContextualBandit`.

    Examples
    --------
    >>> LogisticBandit([[1, 0], [0, 1]], [0, np.log(3)]).means
    array([[0.5 , 0.75]])
    """

    def __init__(
        self,
        features: ArrayLike,
        parameter: ArrayLike,
        *,
        frequencies: ArrayLike | None = None,
        title: str = "",
    ) -> None:
        super().__init__(features, parameter, frequencies=frequencies, title=title)

    @staticmethod
    def _link(values: Array) -> Array:
        from scipy.special import expit

        means: Array = expit(values)
        return means

    @property
    def _kind(self) -> str:
        return f"logistic bandit, dimension {self.dimension}"


def feature_array(features: ArrayLike) -> Array:
    """Return features of shape (C, K, d) or (K, d) as an array of shape (C, K, d) with C, d >= 1 and K >= 2."""
    one = np.ndim(features) == 2
    phi = float_array(features, "features", ndim=2)[None] if one else float_array(features, "features", ndim=3)
    contexts, arms, dimension = phi.shape
    if contexts < 1 or arms < 2 or dimension < 1:
        raise ValueError(f"features has shape {phi.shape}; expected at least 1 context, 2 arms and 1 feature")
    return phi


def _law(frequencies: ArrayLike | None, contexts: int) -> Vector:
    """Check the probabilities of the contexts."""
    if frequencies is None:
        return np.full(contexts, 1 / contexts)
    law = float_array(frequencies, "frequencies", ndim=1)
    if law.size != contexts:
        raise ValueError(f"frequencies has {law.size} entries; there are {contexts} contexts")
    if (law < 0).any():
        (x,) = first_index(law < 0)
        raise ValueError(f"frequencies[{x}] is {law[x]:.12g}; it must be >= 0")
    if abs(law.sum() - 1) > SUM_TOLERANCE:
        raise ValueError(f"frequencies sums to {law.sum():.12g}; expected 1 within {SUM_TOLERANCE:g}")
    return law
