r"""Points of the simplex, kept as normalised log-probabilities.

Iterates of a regularised game reach probabilities of :math:`e^{-1/\beta}` and below, which underflow as
soon as :math:`\beta < 0.0014`; their logarithms do not. The KL-proximal map

.. math:: \mathrm{prox}(x; v) = \mathrm{arg\,min}_\pi \; -\langle v, \pi \rangle + \beta\,\mathrm{KL}(\pi \| \mu)
          + \tfrac1\gamma \mathrm{KL}(\pi \| x), \qquad
          \log \mathrm{prox}(x; v) = q \log x + (1 - q) \log \mu + q \gamma v + c, \quad
          q = \frac{1}{1 + \gamma \beta},

is the one step that mirror prox, mirror descent, and their relatives share.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Vector, distribution
from rltheory.exponential import exponential
from rltheory.jit import kernel, reordering_kernel

__all__ = ["LOWEST_EXPONENT", "copy_to", "log_distribution", "log_normalize", "mix", "prox", "span"]

LOWEST_EXPONENT = -300.0  # smaller probabilities would make products that are no normal numbers, which are slow


def log_normalize(logits: Array) -> Array:
    """Subtract log-sum-exp along the last axis, so that the exponentials sum to 1."""
    centred = logits - logits.max(axis=-1, keepdims=True)
    normalised: Array = centred - np.log(np.exp(centred).sum(axis=-1, keepdims=True))
    return normalised


def log_distribution(values: ArrayLike | None, n: int, name: str) -> Vector:
    """Logarithm of a full-support distribution over `n` actions; uniform where `values` is None."""
    if values is None:
        return np.full(n, -np.log(n))
    return log_normalize(np.log(distribution(values, n, name)))


def span(values: Array) -> Array:
    """Span semi-norm, largest minus smallest entry, along the last axis."""
    widths: Array = values.max(axis=-1) - values.min(axis=-1)
    return widths


# Loops by hand: Numba compiles them several times faster than slice assignments and array expressions.


@kernel
def copy_to(values: Vector, out: Vector) -> None:
    """Write `values` to `out`."""
    for a in range(out.size):
        out[a] = values[a]


@kernel
def mix(log_policy: Vector, log_reference: Vector, keep: float, out: Vector) -> None:
    """Write ``keep * log_policy + (1 - keep) * log_reference`` to `out`: the anchor of a proximal map."""
    for a in range(out.size):
        out[a] = keep * log_policy[a] + (1.0 - keep) * log_reference[a]


@reordering_kernel
def prox(anchor: Vector, values: Vector, rate: float, log_policy: Vector, policy: Vector) -> None:
    """Write the distribution proportional to ``exp(anchor + rate * values)`` to `log_policy` and `policy`.

    Probabilities below 5e-131 of the largest stand as that in `policy`, and as they are in `log_policy`.
    """
    for a in range(anchor.size):
        log_policy[a] = anchor[a] + rate * values[a]
    top = _maximum(log_policy)
    total = 0.0
    for a in range(anchor.size):
        logit = log_policy[a] - top
        weight = exponential(max(logit, LOWEST_EXPONENT))
        log_policy[a] = logit
        policy[a] = weight
        total += weight
    log_total = np.log(total)
    share = 1.0 / total
    for a in range(anchor.size):
        log_policy[a] -= log_total
        policy[a] *= share


@kernel
def _maximum(values: Vector) -> float:
    """Largest entry. Four at a time: a single running maximum would wait for itself at every entry."""
    first = second = third = fourth = values[0]
    whole = values.size - values.size % 4
    for a in range(0, whole, 4):
        first = max(first, values[a])
        second = max(second, values[a + 1])
        third = max(third, values[a + 2])
        fourth = max(fourth, values[a + 3])
    for a in range(whole, values.size):
        first = max(first, values[a])
    largest: float = max(max(first, second), max(third, fourth))
    return largest
