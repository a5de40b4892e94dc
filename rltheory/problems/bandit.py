r"""Stochastic bandits: arms :math:`1, \dots, K`, each of which pays independent rewards of its own law.

With :math:`\mu_a` the mean of an arm and :math:`\mu_\star` the largest, the gap of an arm is
:math:`\Delta_a = \mu_\star - \mu_a`, and what n rounds cost is the pseudo-regret
:math:`R_n = \sum_a \Delta_a N_a(n)`, where :math:`N_a(n)` counts the pulls of arm a.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, partial
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import (
    SUM_TOLERANCE,
    Array,
    Matrix,
    Vector,
    first_index,
    float_array,
    frozen,
    positives,
)
from rltheory.jit import kernel
from rltheory.variates import Generators, beta, normals, uniforms

__all__ = ["Bandit", "BanditArrays", "Law", "draw"]

LARGEST_POISSON_MEAN = 1e6
LOG_OF_TAIL = 17 * math.log(10)
PARSED = ("bernoulli", "gaussian", "poisson", "exponential")


class Law(IntEnum):
    """Kinds of laws of rewards."""

    BERNOULLI = 0
    GAUSSIAN = 1
    POISSON = 2
    EXPONENTIAL = 3
    BETA = 4
    DISCRETE = 5
    OWN = 6


class BanditArrays(NamedTuple):
    """What kernels receive."""

    law: int
    table: Matrix  # (K, d): parameters of each arm; of discrete laws values, then cumulative probabilities


BERNOULLI, GAUSSIAN, EXPONENTIAL, BETA = (int(x) for x in (Law.BERNOULLI, Law.GAUSSIAN, Law.EXPONENTIAL, Law.BETA))


@kernel
def draw(law: int, table: Matrix, arms: NDArray[np.int64], states: Generators, work: Vector, rewards: Vector) -> None:
    """Draw a reward of the arm that each lane pulls."""
    if law == BERNOULLI:
        uniforms(states, rewards)
        for lane in range(arms.size):
            rewards[lane] = 1.0 if rewards[lane] < table[arms[lane], 0] else 0.0
    elif law == GAUSSIAN:
        normals(states, rewards, work)
        for lane in range(arms.size):
            rewards[lane] = table[arms[lane], 0] + table[arms[lane], 1] * rewards[lane]
    elif law == EXPONENTIAL:
        uniforms(states, rewards)
        for lane in range(arms.size):
            rewards[lane] = -table[arms[lane], 0] * math.log(1.0 - rewards[lane])
    elif law == BETA:
        for lane in range(arms.size):
            rewards[lane] = beta(states, lane, table[arms[lane], 0], table[arms[lane], 1])
    else:
        uniforms(states, rewards)
        size = table.shape[1] // 2
        for lane in range(arms.size):
            row = table[arms[lane]]
            below, above = 0, size - 1
            while below < above:
                middle = (below + above) // 2
                if rewards[lane] < row[size + middle]:
                    above = middle
                else:
                    below = middle + 1
            rewards[lane] = row[below]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Bandit:
    r"""A stochastic bandit with K >= 2 arms; made by :meth:`bernoulli`, :meth:`gaussian` and its other constructors.

    Parameters
    ----------
    law
        The kind of law that all arms share.
    table : array, shape (K, d)
        Parameters of the law of each arm.
    means : array, shape (K,)
        Mean rewards :math:`\mu_a`.
    support
        Bounds of the rewards.
    title
        What to call the bandit in tables and figures.
    quantile
        Quantile function of a law of the user's own.

    Examples
    --------
    >>> bandit = Bandit.bernoulli([0.9, 0.8, 0.5])
    >>> bandit.gaps
    array([0. , 0.1, 0.4])
    >>> print(f"{bandit.lai_robbins_constant:.4f}")
    3.0351
    """

    law: Law
    table: Matrix
    means: Vector
    support: tuple[float, float]
    title: str
    quantile: Callable[[int, float], float] | None

    def __init__(
        self,
        law: Law,
        table: Array,
        means: Vector,
        support: tuple[float, float],
        title: str,
        quantile: Callable[[int, float], float] | None = None,
    ) -> None:
        if means.size < 2:
            raise ValueError(f"the bandit has {means.size} arms; it must have at least 2")
        object.__setattr__(self, "law", law)
        object.__setattr__(self, "table", frozen(np.ascontiguousarray(table)))
        object.__setattr__(self, "means", frozen(means))
        object.__setattr__(self, "support", support)
        object.__setattr__(self, "title", title or f"{law.name.lower()} bandit with {means.size} arms")
        object.__setattr__(self, "quantile", quantile)

    @classmethod
    def bernoulli(cls, means: ArrayLike, *, title: str = "") -> Self:
        """Arms that pay 1 with the given probabilities, and else 0.

        Raises
        ------
        ValueError
            If a mean is not in [0, 1], or there are fewer than 2 arms.
        """
        means = float_array(means, "means", ndim=1)
        _check(means, (means >= 0) & (means <= 1), "means", "in [0, 1]")
        return cls(Law.BERNOULLI, means[:, None].copy(), means, (0.0, 1.0), title)

    @classmethod
    def gaussian(cls, means: ArrayLike, deviation: ArrayLike = 1.0, *, title: str = "") -> Self:
        """Arms that pay normal rewards, with one standard deviation for all or one for each.

        Raises
        ------
        ValueError
            If a deviation is not > 0, or there are fewer than 2 arms.
        """
        means = float_array(means, "means", ndim=1)
        table = np.stack([means, positives(deviation, "deviation", means.size)], axis=1)
        return cls(Law.GAUSSIAN, table, means, (-math.inf, math.inf), title)

    @classmethod
    def poisson(cls, means: ArrayLike, *, title: str = "") -> Self:
        """Arms that pay Poisson rewards, by tables that leave out tails of probability 1e-17 at most.

        Raises
        ------
        ValueError
            If a mean is not in (0, 1e6], or there are fewer than 2 arms.
        """
        from scipy.stats import poisson

        means = float_array(means, "means", ndim=1)
        _check(means, (means > 0) & (means <= LARGEST_POISSON_MEAN), "means", f"in (0, {LARGEST_POISSON_MEAN:g}]")
        # By the bounds of Chernoff and Bernstein.
        below = np.sqrt(2 * LOG_OF_TAIL * means)
        above = LOG_OF_TAIL / 3 + np.sqrt((LOG_OF_TAIL / 3) ** 2 + 2 * LOG_OF_TAIL * means)
        first = np.maximum(np.floor(means - below), 0.0)
        values = first[:, None] + np.arange(math.ceil((above + below).max(initial=0.0)) + 2)
        return cls(Law.POISSON, np.hstack([values, poisson.cdf(values, means[:, None])]), means, (0.0, math.inf), title)

    @classmethod
    def exponential(cls, means: ArrayLike, *, title: str = "") -> Self:
        """Arms that pay exponential rewards.

        Raises
        ------
        ValueError
            If a mean is not > 0, or there are fewer than 2 arms.
        """
        means = float_array(means, "means", ndim=1)
        _check(means, means > 0, "means", "> 0")
        return cls(Law.EXPONENTIAL, means[:, None].copy(), means, (0.0, math.inf), title)

    @classmethod
    def beta(cls, a: ArrayLike, b: ArrayLike, *, title: str = "") -> Self:
        """Arms that pay rewards of the laws Beta(a, b), with one shape of a kind for each arm.

        Raises
        ------
        ValueError
            If a shape is not > 0, the shapes differ in number, or there are fewer than 2 arms.
        """
        first = float_array(a, "a", ndim=1)
        table = np.stack([positives(first, "a", first.size), positives(b, "b", first.size)], axis=1)
        return cls(Law.BETA, table, table[:, 0] / table.sum(axis=1), (0.0, 1.0), title)

    @classmethod
    def discrete(cls, values: ArrayLike, probabilities: ArrayLike, *, title: str = "") -> Self:
        """Arms that pay one of finitely many rewards.

        Parameters
        ----------
        values : array_like, shape (m,)
            The rewards, distinct.
        probabilities : array_like, shape (K, m)
            ``probabilities[a, i]`` is that of ``values[i]`` under arm a; each row sums to 1 within 1e-9.
        title
            What to call the bandit.

        Raises
        ------
        ValueError
            If shapes do not fit, values repeat, rows are no distributions, or there are fewer than 2 arms.
        """
        support = float_array(values, "values", ndim=1)
        rows = float_array(probabilities, "probabilities", ndim=2)
        if rows.shape[1] != support.size:
            raise ValueError(
                f"probabilities has shape {rows.shape}; expected {support.size} columns, one for each value"
            )
        if np.unique(support).size != support.size or support.size == 0:
            raise ValueError("values must be distinct, and at least one")
        if (rows < 0).any():
            a, i = first_index(rows < 0)
            raise ValueError(f"probabilities[{a}, {i}] is {rows[a, i]}; it must be >= 0")
        uneven = np.abs(rows.sum(axis=1) - 1) > SUM_TOLERANCE
        if uneven.any():
            (a,) = first_index(uneven)
            raise ValueError(f"probabilities[{a}] sums to {rows[a].sum():.12g}; expected 1 within {SUM_TOLERANCE:g}")
        rows = rows / rows.sum(axis=1, keepdims=True)
        table = np.hstack([np.broadcast_to(support, rows.shape), rows.cumsum(axis=1)])
        return cls(Law.DISCRETE, table, rows @ support, (float(support.min()), float(support.max())), title)

    @classmethod
    def own(
        cls,
        quantile: Callable[[int, float], float],
        means: ArrayLike,
        *,
        support: tuple[float, float] = (-math.inf, math.inf),
        title: str = "",
    ) -> Self:
        """Arms of a law of your own.

        Parameters
        ----------
        quantile
            ``quantile(arm, u)`` for u in [0, 1), which Numba must be able to compile: a reward where u is uniform.
        means : array_like, shape (K,)
            Mean rewards; they are taken at your word.
        support
            Bounds of the rewards.
        title
            What to call the bandit.

        Raises
        ------
        ValueError
            If a mean lies outside the support, or there are fewer than 2 arms.

        Examples
        --------
        >>> bandit = Bandit.own(lambda arm, u: u**(arm + 1), [1 / 2, 1 / 3], support=(0, 1))
        >>> bandit.best
        0
        """
        means = float_array(means, "means", ndim=1)
        low, high = support
        _check(means, (means >= low) & (means <= high), "means", f"in [{low:g}, {high:g}]")
        return cls(Law.OWN, means[:, None].copy(), means, (float(low), float(high)), title, _compiled(quantile))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Bandit of a text such as ``bernoulli:0.9,0.8``: a law, and the means of its arms.

        The laws are bernoulli, gaussian (with standard deviation 1), poisson and exponential.

        Raises
        ------
        ValueError
            If the law is unknown, or a mean is not a number or out of range.

        Examples
        --------
        >>> Bandit.parse("poisson:2,3").means
        array([2., 3.])
        """
        law, _, numbers = text.partition(":")
        if law not in PARSED:
            raise ValueError(f"{text!r}: the law {law!r} is unknown; write {', '.join(PARSED)}, a colon and means")
        means: list[float] = []
        for position, word in enumerate(numbers.split(","), 1):
            try:
                means.append(float(word))
            except ValueError:
                raise ValueError(f"{text!r}: mean {position}, {word!r}, is not a number") from None
        bandit: Self = getattr(cls, law)(means)
        return bandit

    @property
    def arms(self) -> int:
        """Number K of arms."""
        return self.means.size

    @property
    def best(self) -> int:
        """The first best arm."""
        return int(self.means.argmax())

    @cached_property
    def gaps(self) -> Vector:
        r"""Gaps :math:`\Delta_a`, shape (K,); 0 for every best arm."""
        return frozen(self.means.max() - self.means)

    @cached_property
    def arrays(self) -> BanditArrays:
        """What kernels receive."""
        return BanditArrays(int(self.law), self.table)

    @cached_property
    def digest(self) -> str:
        """Digest of law and parameters, by which a stored result can name its bandit."""
        content = blake2b(digest_size=16)
        name = "" if self.quantile is None else getattr(self.quantile, "__qualname__", "")
        for part in (self.law.name, name, self.table.shape, self.table.tobytes(), self.means.tobytes()):
            content.update(part if isinstance(part, bytes) else str(part).encode())
        return content.hexdigest()

    def divergences(self, level: float) -> Vector:
        r"""Least divergences :math:`\mathrm{KL}(\nu_a, \nu)` over laws of the arm's model with a mean >= `level`.

        The model of Bernoulli, Poisson and exponential arms is their family, that of a Gaussian arm the Gaussians of
        its variance; that of beta and discrete arms with rewards in [0, 1] are all laws on [0, 1], for which

        .. math:: \max_{0 \le \lambda \le 1} \mathbb E \log\Bigl(1 - \lambda \frac{X - \mu}{1 - \mu}\Bigr)

        with :math:`\mu` the level.

        Parameters
        ----------
        level
            The mean to reach.

        Returns
        -------
        array, shape (K,)
            0 for arms whose mean is the level or more; infinite where no law of the model reaches it from here.

        Raises
        ------
        ValueError
            If the rewards are discrete and outside [0, 1], or of a law of the user's own.

        References
        ----------
        :cite:`burnetas1996`, :cite:`lai1985`, :cite:`honda2010`
        """
        divergence = _DIVERGENCES.get(self.law)
        if divergence is None or not (self.law is not Law.DISCRETE or 0 <= self.support[0] <= self.support[1] <= 1):
            raise ValueError(f"{self.title}: no divergence is known for its law; give the lower bound yourself")
        return np.where(self.means >= level, 0.0, divergence(self, float(level)))

    @cached_property
    def lai_robbins_constant(self) -> float:
        r"""The constant of the lower bound :math:`\liminf R_n / \log n \ge \sum_{a: \Delta_a > 0} \Delta_a / K_a`.

        It holds for every policy that is good on all bandits of the model; :math:`K_a` is the divergence of the law of
        the arm to the best mean, :meth:`divergences`.

        References
        ----------
        :cite:`lai1985`, :cite:`burnetas1996`
        """
        worse = self.gaps > 0
        return float((self.gaps[worse] / self.divergences(float(self.means.max()))[worse]).sum())

    def __repr__(self) -> str:
        shown = ", ".join(f"{mean:.4g}" for mean in self.means[:8])
        return f"{type(self).__name__}({self.law.name.lower()}: {shown}{', ...' if self.arms > 8 else ''})"


def _check(values: Vector, valid: NDArray[np.bool_], name: str, rule: str) -> None:
    if not valid.all():
        index = first_index(~valid)
        raise ValueError(f"{name}{list(index)} is {values[index]:g}; it must be {rule}")


def _compiled(function: Callable[[int, float], float]) -> Any:
    """Numba's form of a function, which may have it already."""
    return function if hasattr(function, "py_func") else numba.njit(function)


def _bernoulli_divergences(bandit: Bandit, level: float) -> Vector:
    from scipy.special import kl_div

    divergences: Vector = kl_div(bandit.means, level) + kl_div(1 - bandit.means, 1 - level)
    return divergences


def _gaussian_divergences(bandit: Bandit, level: float) -> Vector:
    divergences: Vector = (level - bandit.means) ** 2 / (2 * bandit.table[:, 1] ** 2)
    return divergences


def _poisson_divergences(bandit: Bandit, level: float) -> Vector:
    from scipy.special import kl_div

    divergences: Vector = kl_div(bandit.means, level)
    return divergences


def _exponential_divergences(bandit: Bandit, level: float) -> Vector:
    ratios = bandit.means / level
    divergences: Vector = ratios - 1 - np.log(ratios)
    return divergences


def _beta_divergences(bandit: Bandit, level: float) -> Vector:
    from scipy.integrate import quad
    from scipy.special import betaln

    def expectation(a: float, b: float, tilt: float) -> float:
        def integrand(x: float) -> float:
            weight: float = x ** (a - 1) * (1 - x) ** (b - 1)
            return weight * math.log1p(-tilt * (x - level) / (1 - level))

        halves = [quad(integrand, *ends, epsabs=1e-12, limit=200)[0] for ends in ((0, 0.5), (0.5, 1))]
        return float(math.fsum(halves) / np.exp(betaln(a, b)))

    return np.array([_largest_expectation(partial(expectation, a, b), level) for a, b in bandit.table])


def _discrete_divergences(bandit: Bandit, level: float) -> Vector:
    size = bandit.table.shape[1] // 2
    values = bandit.table[0, :size]
    rows = np.diff(bandit.table[:, size:], prepend=0.0, axis=1)

    def expectation(row: Vector, tilt: float) -> float:
        with np.errstate(divide="ignore"):
            logarithms = np.log1p(-tilt * (values - level) / (1 - level))
        return float(logarithms[row > 0] @ row[row > 0])

    return np.array([_largest_expectation(partial(expectation, row), level) for row in rows])


def _largest_expectation(expectation: Callable[[float], float], level: float) -> float:
    """Maximum over tilts in [0, 1] of a concave function that is 0 at 0."""
    from scipy.optimize import minimize_scalar

    if level >= 1:
        return math.inf
    inner = minimize_scalar(lambda tilt: -expectation(tilt), bounds=(0, 1), method="bounded", options={"xatol": 1e-9})
    return max(-float(inner.fun), expectation(1.0))


_DIVERGENCES: dict[Law, Callable[[Bandit, float], Vector]] = {
    Law.BERNOULLI: _bernoulli_divergences,
    Law.GAUSSIAN: _gaussian_divergences,
    Law.POISSON: _poisson_divergences,
    Law.EXPONENTIAL: _exponential_divergences,
    Law.BETA: _beta_divergences,
    Law.DISCRETE: _discrete_divergences,
}
