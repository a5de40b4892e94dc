r"""Exponential families of rewards, in coordinates in which divergences are convex.

For a mean q above the mean m of an arm, the divergence :math:`\mathrm{kl}(m, q)` is a convex increasing function of a
coordinate s, itself increasing in q. Newton's method for ``kl = b`` then descends to the solution from any s above it.

======================  ======================  =====================================================
family                  s                       kl
======================  ======================  =====================================================
Bernoulli, on [0, 1]    :math:`-\log(1 - q)`    :math:`m \log(m / q) + (1 - m) \log((1 - m) / (1 - q))`
Gaussian, variance 1    q                       :math:`(q - m)^2 / 2`
Poisson                 q                       :math:`q - m + m \log(m / q)`
exponential             :math:`-1 / q`          :math:`m / q - 1 - \log(m / q)`
======================  ======================  =====================================================
"""

import math
from typing import NamedTuple

from rltheory.algorithms.bandits.play import Kernel
from rltheory.arrays import positive
from rltheory.exponential import exponential
from rltheory.jit import kernel
from rltheory.logarithm import logarithm

__all__ = ["BERNOULLI", "EXPONENTIAL", "POISSON", "Family", "gaussian_family"]

LEAST = 1e-300  # stands for 0 where a logarithm is taken


class Family(NamedTuple):
    """An exponential family.

    ``entropy(m)`` is what the divergence takes of m alone, ``top(m, b)`` a mean that is no less than the q with
    ``kl(m, q) = b``, ``coordinate(q)`` the s of a mean q, and ``point(s)`` its q and another number. Of these the
    divergence is made, ``kl(m, entropy(m), s, *point(s))``, and its derivative with respect to s, ``slope(m, s,
    *point(s))``.
    """

    name: str
    entropy: Kernel
    top: Kernel
    coordinate: Kernel
    point: Kernel
    kl: Kernel
    slope: Kernel
    rewards: tuple[float, float]
    precision: float = 1.0  # the divergence is so many times the kernel's


@kernel
def _bernoulli_entropy(m: float) -> float:
    return m * logarithm(max(m, LEAST)) + (1.0 - m) * logarithm(max(1.0 - m, LEAST))


@kernel
def _bernoulli_top(m: float, b: float) -> float:
    return m + math.sqrt(0.5 * b)


@kernel
def _bernoulli_coordinate(q: float) -> float:
    return -logarithm(max(1.0 - q, LEAST))


@kernel
def _bernoulli_point(s: float) -> tuple[float, float]:
    q = max(1.0 - exponential(-s), LEAST)
    return q, logarithm(q)


@kernel
def _bernoulli_kl(m: float, entropy: float, s: float, q: float, log_q: float) -> float:
    return entropy - m * log_q + (1.0 - m) * s


@kernel
def _bernoulli_slope(m: float, s: float, q: float, log_q: float) -> float:
    return 1.0 - m / q


@kernel
def _no_entropy(m: float) -> float:
    return 0.0


@kernel
def _gaussian_top(m: float, b: float) -> float:
    return m + math.sqrt(2.0 * b)


@kernel
def _identity(q: float) -> float:
    return q


@kernel
def _gaussian_point(s: float) -> tuple[float, float]:
    return s, 0.0


@kernel
def _gaussian_kl(m: float, entropy: float, s: float, q: float, zero: float) -> float:
    return 0.5 * (s - m) * (s - m)


@kernel
def _gaussian_slope(m: float, s: float, q: float, zero: float) -> float:
    return s - m


@kernel
def _poisson_entropy(m: float) -> float:
    return m * logarithm(max(m, LEAST)) - m


@kernel
def _poisson_top(m: float, b: float) -> float:
    return m + b + math.sqrt(b * (b + 2.0 * m))


@kernel
def _not_zero(q: float) -> float:
    return max(q, LEAST)


@kernel
def _poisson_point(s: float) -> tuple[float, float]:
    return s, logarithm(s)


@kernel
def _poisson_kl(m: float, entropy: float, s: float, q: float, log_q: float) -> float:
    return entropy + s - m * log_q


@kernel
def _exponential_entropy(m: float) -> float:
    return -1.0 - logarithm(max(m, LEAST))


@kernel
def _exponential_top(m: float, b: float) -> float:
    return m / max(exponential(-1.0 - b), 1.0 - math.sqrt(2.0 * b))


@kernel
def _minus_inverse(q: float) -> float:
    return -1.0 / max(q, LEAST)


@kernel
def _exponential_point(s: float) -> tuple[float, float]:
    return -1.0 / s, logarithm(-s)


@kernel
def _exponential_kl(m: float, entropy: float, s: float, q: float, log_inverse: float) -> float:
    return entropy - m * s - log_inverse


@kernel
def _exponential_slope(m: float, s: float, q: float, log_inverse: float) -> float:
    return q - m


BERNOULLI = Family(
    "Bernoulli",
    _bernoulli_entropy,
    _bernoulli_top,
    _bernoulli_coordinate,
    _bernoulli_point,
    _bernoulli_kl,
    _bernoulli_slope,
    (0.0, 1.0),
)
POISSON = Family(
    "Poisson",
    _poisson_entropy,
    _poisson_top,
    _not_zero,
    _poisson_point,
    _poisson_kl,
    _bernoulli_slope,
    (0.0, math.inf),
)
EXPONENTIAL = Family(
    "exponential",
    _exponential_entropy,
    _exponential_top,
    _minus_inverse,
    _exponential_point,
    _exponential_kl,
    _exponential_slope,
    (0.0, math.inf),
)


def gaussian_family(deviation: float = 1.0) -> Family:
    """Gaussian laws of a known standard deviation > 0."""
    return Family(
        "Gaussian",
        _no_entropy,
        _gaussian_top,
        _identity,
        _gaussian_point,
        _gaussian_kl,
        _gaussian_slope,
        (-math.inf, math.inf),
        1 / positive(deviation, "deviation") ** 2,
    )
