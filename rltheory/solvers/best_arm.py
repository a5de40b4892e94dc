r"""How many pulls it takes to find the best arm, and how to share them out.

Of a bandit with one best arm :math:`\star`, the characteristic time and the optimal weights are

.. math:: \frac{1}{T^\star(\mu)} = \max_w \min_{a \ne \star} \bigl( w_\star\, d(\mu_\star, m_a) + w_a\, d(\mu_a, m_a)
          \bigr), \qquad m_a = \frac{w_\star \mu_\star + w_a \mu_a}{w_\star + w_a},

over distributions w :cite:`garivier2016`. Every strategy that errs with probability :math:`\delta` at most, on all
bandits of the model, takes :math:`T^\star(\mu)\, \mathrm{kl}(\delta, 1 - \delta)` pulls or more in expectation.

With :math:`x_a = w_a / w_\star`, the best weights make all the costs in the minimum equal to one y per :math:`w_\star`,
and then :math:`F(y) = \sum_a d(\mu_\star, m_a) / d(\mu_a, m_a) = 1`, where F increases. Newton's method finds y, and
inside it each :math:`x_a(y)`, of which the cost is a concave function.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rltheory.arrays import Vector, frozen
from rltheory.jit import kernel
from rltheory.problems import Bandit
from rltheory.problems.bandit import Law
from rltheory.problems.divergences import DIVERGENCES

__all__ = ["CharacteristicTime", "characteristic_time", "weights_kernel"]

TOLERANCE = 1e-13
SLOWEST = 100  # Newton steps

Kernel = Callable[..., Any]


@cache
def weights_kernel(divergence: Kernel, variance: Kernel) -> Kernel:
    """Kernel that computes optimal weights from means.

    It is ``weights(means, best, ratios, out)``: `ratios` holds a guess > 0 of each :math:`x_a` and is overwritten with
    the solution; with several best arms they share the weight equally.
    """

    @kernel
    def ratio_of(best: float, other: float, level: float, x: float) -> float:
        """Solve ``cost(x) = level`` for the ratio x; from the left, Newton's method stays there."""
        for _ in range(SLOWEST):
            middle = (best + x * other) / (1.0 + x)
            rate = divergence(other, middle)
            step = (divergence(best, middle) + x * rate - level) / rate
            following = max(x - step, 0.1 * x)
            if abs(following - x) <= TOLERANCE * x:
                return float(following)
            x = following
        return x

    @kernel
    def weights(means: Vector, best: int, ratios: Vector, out: Vector) -> None:
        k, top = means.size, means[best]
        ceiling, level = np.inf, np.inf
        for a in range(k):
            if a != best:
                x = ratios[a]
                middle = (top + x * means[a]) / (1.0 + x)
                ceiling = min(ceiling, divergence(top, means[a]))
                level = min(level, divergence(top, middle) + x * divergence(means[a], middle))
        total = 0.0
        if ceiling == 0.0 or level == 0.0:
            for a in range(k):
                out[a] = 1.0 if means[a] == top else 0.0
                total += out[a]
        else:
            # In 1 / y the inverse root of F is nearly a line; for two Gaussian arms it is one.
            inverse, low, high = 1.0 / level, 1.0 / ceiling, np.inf
            for _ in range(SLOWEST):
                f, slope, level = 0.0, 0.0, 1.0 / inverse
                for a in range(k):
                    if a != best:
                        other = means[a]
                        x = ratio_of(top, other, level, ratios[a])
                        ratios[a] = x
                        middle = (top + x * other) / (1.0 + x)
                        mine, theirs = divergence(top, middle), divergence(other, middle)
                        moved = (other - middle) / (variance(middle) * (1.0 + x))
                        f += mine / theirs
                        slope += (
                            moved * ((middle - top) * theirs - mine * (middle - other)) / (theirs * theirs * theirs)
                        )
                if f > 1.0:
                    low = inverse
                else:
                    high = inverse
                following = inverse - (1.0 / math.sqrt(f) - 1.0) / (0.5 * slope * level * level / (f * math.sqrt(f)))
                if not low < following < high:
                    following = 2.0 * inverse if high == np.inf else 0.5 * (low + high)
                moves = abs(following - inverse) > TOLERANCE * inverse
                inverse = following
                if not moves:
                    break
            for a in range(k):
                out[a] = 1.0 if a == best else ratios[a]
                total += out[a]
        for a in range(k):
            out[a] /= total

    return weights


@dataclass(frozen=True, eq=False)
class CharacteristicTime:
    r"""The characteristic time of a bandit.

    Parameters
    ----------
    time
        :math:`T^\star(\mu)`, in pulls; what the weights achieve.
    weights : array, shape (K,)
        Optimal weights :math:`w^\star`.
    residual
        Part of the time, at most, by which other weights could do better: by duality, no weights beat the best mixture
        of bandits in which another arm is as good.
    """

    time: float
    weights: Vector
    residual: float

    def lower_bound(self, delta: float) -> float:
        r"""Expected pulls :math:`T^\star \mathrm{kl}(\delta, 1 - \delta)` that errors of probability delta < 1/2 take.

        Raises
        ------
        ValueError
            If delta does not lie in (0, 1/2).
        """
        if not 0 < delta < 0.5:
            raise ValueError(f"delta is {delta}; it must lie in (0, 1/2)")
        return self.time * (1 - 2 * delta) * math.log((1 - delta) / delta)


def characteristic_time(bandit: Bandit) -> CharacteristicTime:
    r"""Compute the characteristic time of a bandit, and the optimal weights of its arms.

    Parameters
    ----------
    bandit
        Bernoulli, Poisson or exponential arms, or Gaussian ones of one standard deviation; one arm is the best.

    Returns
    -------
    CharacteristicTime
        Time, weights, and a certificate.

    Raises
    ------
    ValueError
        If several arms are best, or the arms are of another kind.

    References
    ----------
    :cite:`garivier2016`

    Examples
    --------
    Of two Gaussian arms, each deserves half of the :math:`8 \sigma^2 / \Delta^2`:

    >>> found = characteristic_time(Bandit.gaussian([1.0, 0.5]))
    >>> print(f"{found.time:.6f}", found.weights)
    32.000000 [0.5 0.5]
    """
    if bandit.law not in DIVERGENCES:
        raise ValueError(f"{bandit.title}: no characteristic time is known for its law")
    if (bandit.gaps == 0).sum() > 1:
        first, second = np.flatnonzero(bandit.gaps == 0)[:2]
        raise ValueError(f"arms {first} and {second} are both best; one arm must be better than all others")
    scale = 1.0
    if bandit.law is Law.GAUSSIAN:
        deviations = bandit.table[:, 1]
        if (deviations != deviations[0]).any():
            raise ValueError(f"the standard deviations are {deviations.tolist()}; they must be equal")
        scale = float(deviations[0] ** 2)
    divergence, variance = DIVERGENCES[bandit.law]
    best, means, weights = bandit.best, bandit.means, np.empty(bandit.arms)
    weights_kernel(divergence, variance)(means, best, np.ones(bandit.arms), weights)
    others = [a for a in range(bandit.arms) if a != best]
    middles = [(weights[best] * means[best] + weights[a] * means[a]) / (weights[best] + weights[a]) for a in others]
    mine = np.array([divergence(means[best], m) for m in middles])
    theirs = np.array([divergence(means[a], m) for a, m in zip(others, middles, strict=True)])
    time = 1 / float((weights[best] * mine + weights[others] * theirs).min())
    fastest = float((1 / theirs).sum() / max(1.0, (mine / theirs).sum()))
    return CharacteristicTime(scale * time, frozen(weights), time / fastest - 1)
