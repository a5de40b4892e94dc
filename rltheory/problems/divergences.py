r"""Divergences :math:`d(\mu, \lambda)` of laws of a one-parameter exponential family, by their means.

All are made of :math:`\varphi(x) = x - \log(1 + x)`, whose terms of first order have cancelled on paper and need not
cancel in floating point: the divergence of means that are close is exact to a few last bits, however small it is, but
for the rounding of :math:`1 - \mu`.

==================  ==========================================================================  ====================
law                 :math:`d(\mu, \lambda)`                                                     variance of mean m
==================  ==========================================================================  ====================
Bernoulli           :math:`\mu \varphi(\lambda / \mu - 1) + (1 - \mu)                           :math:`m (1 - m)`
                    \varphi(\tfrac{1 - \lambda}{1 - \mu} - 1)`
Gaussian, unit      :math:`(\lambda - \mu)^2 / 2`                                               1
Poisson             :math:`\mu \varphi(\lambda / \mu - 1)`                                      m
exponential         :math:`\varphi(\mu / \lambda - 1)`                                          :math:`m^2`
==================  ==========================================================================  ====================

The derivative of :math:`d(\mu, \lambda)` with respect to :math:`\lambda` is :math:`(\lambda - \mu)` over the variance.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from rltheory.jit import kernel
from rltheory.problems.bandit import Law

__all__ = ["DIVERGENCES", "Divergence"]

NEAR = 0.3  # up to here the series of 12 terms is exact to 2e-16


@kernel
def _scaled_excess(m: float, q: float) -> float:
    """Compute m phi(q / m - 1), which is q at m = 0; near 0 by the series of the inverse hyperbolic tangent."""
    if m == 0.0:
        return q
    x = (q - m) / m
    if abs(x) > NEAR:
        return q - m - m * math.log(q / m)
    ratio = x / (2.0 + x)
    square = ratio * ratio
    tail = 0.0
    for k in range(25, 1, -2):
        tail = tail * square + 1.0 / k
    return m * ratio * (x - 2.0 * square * tail)


@kernel
def _bernoulli(m: float, q: float) -> float:
    return _scaled_excess(m, q) + _scaled_excess(1.0 - m, 1.0 - q)


@kernel
def _bernoulli_variance(m: float) -> float:
    return m * (1.0 - m)


@kernel
def _gaussian(m: float, q: float) -> float:
    return 0.5 * (q - m) * (q - m)


@kernel
def _gaussian_variance(m: float) -> float:
    return 1.0


@kernel
def _poisson_variance(m: float) -> float:
    return m


@kernel
def _exponential(m: float, q: float) -> float:
    return _scaled_excess(q, m) / q


@kernel
def _exponential_variance(m: float) -> float:
    return m * m


class Divergence(NamedTuple):
    """Kernels of a family: ``divergence(m, q)`` of the law with mean m from that with mean q, and ``variance(m)``."""

    divergence: Callable[[float, float], float]
    variance: Callable[[float], float]


DIVERGENCES = {
    Law.BERNOULLI: Divergence(_bernoulli, _bernoulli_variance),
    Law.GAUSSIAN: Divergence(_gaussian, _gaussian_variance),
    Law.POISSON: Divergence(_scaled_excess, _poisson_variance),
    Law.EXPONENTIAL: Divergence(_exponential, _exponential_variance),
}
