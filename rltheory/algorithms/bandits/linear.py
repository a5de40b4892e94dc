r"""Policies that are told features :math:`\phi(x, a)`: OFUL, LinUCB, linear Thompson sampling and GLM-UCB.

After rewards :math:`r_s` of arms with features :math:`\phi_s` they keep the inverse of
:math:`V = \lambda I + \sum_s \phi_s \phi_s^\top`, by the formula of Sherman and Morrison, and the ridge estimate
:math:`\hat\theta = V^{-1} \sum_s r_s \phi_s`. The width of an arm is
:math:`\|\phi\|_{V^{-1}} = \sqrt{\phi^\top V^{-1} \phi}`. Of equal indices the first wins.
"""

import math
from functools import cache
from typing import Any

from numpy.typing import ArrayLike

from rltheory.algorithms.bandits.contextual import ContextualPolicy, Replicate
from rltheory.algorithms.bandits.play import Kernel
from rltheory.arrays import Array, Matrix, Vector, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems.contextual_bandit import feature_array
from rltheory.variates import normal

__all__ = [
    "dot",
    "glm_ucb",
    "learn_linear",
    "lin_ucb",
    "linear_memory",
    "linear_thompson",
    "oful",
    "square_width",
    "start_linear",
]

NEWTON_STEPS = 25
NEWTON_TOLERANCE = 1e-20  # of the square of a step


def linear_memory(features: Array) -> tuple[int, int]:
    """Rows of d numbers: the inverse, the estimate, the logarithm of its determinant ratio, and two to work with."""
    d = features.shape[2]
    return d + 4, d


@kernel
def dot(x: Vector, y: Vector) -> Any:
    """Inner product."""
    total = 0.0
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@kernel
def square_width(inverse: Matrix, phi: Vector) -> Any:
    """Square of the width of an arm."""
    total = 0.0
    for i in range(phi.size):
        total += phi[i] * dot(inverse[i], phi)
    return total


@kernel
def start_linear(parameters: Vector, replicate: Replicate) -> None:
    """Begin without data; the first parameter is the regularisation."""
    memory = replicate.memory
    for i in range(replicate.knowledge.shape[2]):
        memory[i, i] = 1.0 / parameters[0]


@kernel
def learn_linear(context: int, arm: int, reward: float, parameters: Vector, replicate: Replicate) -> None:
    """Update inverse, estimate and log-determinant by one reward."""
    phi, memory = replicate.knowledge[context, arm], replicate.memory
    d = phi.size
    estimate, image = memory[d], memory[d + 2]
    for i in range(d):
        image[i] = dot(memory[i], phi)
    growth = 1.0 + dot(image, phi)
    step = (reward - dot(estimate, phi)) / growth
    for i in range(d):
        estimate[i] += step * image[i]
        for j in range(d):
            memory[i, j] -= image[i] * image[j] / growth
    memory[d + 1, 0] += math.log(growth)


@kernel
def _radius_of_oful(log_ratio: float, parameters: Vector) -> Any:
    return parameters[1] * math.sqrt(parameters[2] + log_ratio) + parameters[3]


@kernel
def _given_radius(log_ratio: float, parameters: Vector) -> Any:
    return parameters[1]


@cache
def _choose_optimistically(radius: Kernel) -> Kernel:
    @kernel
    def choose(t: int, context: int, parameters: Vector, replicate: Replicate) -> Any:
        features, memory = replicate.knowledge, replicate.memory
        d = features.shape[2]
        estimate, wide = memory[d], radius(memory[d + 1, 0], parameters)
        best, largest = 0, -math.inf
        for a in range(features.shape[1]):
            phi = features[context, a]
            index = dot(estimate, phi) + wide * math.sqrt(square_width(memory, phi))
            if index > largest:
                best, largest = a, index
        return best

    return choose


def oful(
    features: ArrayLike, *, noise: float, size: float, delta: float, regularization: float = 1.0
) -> ContextualPolicy:
    r"""OFUL :cite:`abbasi2011`: the arm that is best for the best parameter in a confidence ellipsoid.

    .. math::

        \langle \phi, \hat\theta \rangle + \sqrt{\beta}\, \|\phi\|_{V^{-1}}, \qquad
        \sqrt\beta = R \sqrt{2 \log \frac1\delta + \log \frac{\det V}{\lambda^d}} + \sqrt\lambda\, S

    Parameters
    ----------
    features : array_like, shape (C, K, d) or (K, d)
        Features of the arms.
    noise
        R > 0 such that rewards less their means are R-sub-Gaussian; 1/2 serves rewards in [0, 1].
    size
        S >= 0, at least the Euclidean norm of the parameter.
    delta
        Probability in (0, 1) that the ellipsoid may ever miss the parameter.
    regularization
        :math:`\lambda > 0`.
    """
    phi = feature_array(features)
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; it must lie in (0, 1)")
    ridge = positive(regularization, "regularization")
    bias = math.sqrt(ridge) * not_negative(size, "size")
    parameters = (ridge, positive(noise, "noise"), -2 * math.log(delta), bias)
    choose = _choose_optimistically(_radius_of_oful)
    memory = linear_memory(phi)
    return ContextualPolicy("OFUL", start_linear, choose, learn_linear, parameters, phi, memory, phi.shape[:2])


def lin_ucb(features: ArrayLike, *, width: float, regularization: float = 1.0) -> ContextualPolicy:
    r"""LinUCB :cite:`li2010` with one parameter for all arms.

    The index is :math:`\langle \phi, \hat\theta \rangle + \alpha \|\phi\|_{V^{-1}}`.

    Parameters
    ----------
    features : array_like, shape (C, K, d) or (K, d)
        Features of the arms; blocks of zeros give every arm a parameter of its own.
    width
        :math:`\alpha \ge 0`; with 0 it is greedy.
    regularization
        :math:`\lambda > 0`.
    """
    phi = feature_array(features)
    parameters = (positive(regularization, "regularization"), not_negative(width, "width"))
    choose = _choose_optimistically(_given_radius)
    memory = linear_memory(phi)
    return ContextualPolicy("LinUCB", start_linear, choose, learn_linear, parameters, phi, memory, phi.shape[:2])


@kernel
def _factorize(matrix: Matrix, factor: Matrix) -> None:
    """Lower triangular factor of Cholesky of a positive definite matrix."""
    for i in range(matrix.shape[1]):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= factor[i, k] * factor[j, k]
            factor[i, j] = math.sqrt(rest) if i == j else rest / factor[j, j]


@kernel
def _choose_by_posterior(t: int, context: int, parameters: Vector, replicate: Replicate) -> Any:
    features, memory, _, states, lane = replicate
    d = features.shape[2]
    estimate, sample, numbers, factor = memory[d], memory[d + 2], memory[d + 3], memory[d + 4 :]
    _factorize(memory[:d], factor)
    for i in range(d):
        numbers[i] = parameters[1] * normal(states, lane)
        sample[i] = estimate[i]
        for j in range(i + 1):
            sample[i] += factor[i, j] * numbers[j]
    best, largest = 0, -math.inf
    for a in range(features.shape[1]):
        value = dot(sample, features[context, a])
        if value > largest:
            best, largest = a, value
    return best


def linear_thompson(features: ArrayLike, *, deviation: float, regularization: float = 1.0) -> ContextualPolicy:
    r"""Linear Thompson sampling :cite:`agrawal2013linear`: the best arm for a parameter that is drawn.

    It is drawn from :math:`N(\hat\theta, v^2 V^{-1})`.

    Parameters
    ----------
    features : array_like, shape (C, K, d) or (K, d)
        Features of the arms.
    deviation
        v > 0. With that of normal rewards it is the posterior under the prior :math:`N(0, v^2 I / \lambda)`; the regret
        bound of the paper takes more.
    regularization
        :math:`\lambda > 0`.
    """
    phi = feature_array(features)
    parameters = (positive(regularization, "regularization"), positive(deviation, "deviation"))
    rows, d = linear_memory(phi)
    return ContextualPolicy(
        "linear Thompson",
        start_linear,
        _choose_by_posterior,
        learn_linear,
        parameters,
        phi,
        (rows + d, d),
        phi.shape[:2],
    )


@kernel
def _solve(factor: Matrix, right: Vector) -> None:
    """Solve L L' x = right in place."""
    d = right.size
    for i in range(d):
        for j in range(i):
            right[i] -= factor[i, j] * right[j]
        right[i] /= factor[i, i]
    for back in range(d):
        i = d - 1 - back
        for j in range(i + 1, d):
            right[i] -= factor[j, i] * right[j]
        right[i] /= factor[i, i]


@kernel
def _fit_logistic(ridge: float, features: Array, counts: Matrix, sums: Matrix, work: Matrix, estimate: Vector) -> None:
    """Newton's method for the likelihood with penalty, from the estimate before."""
    contexts, arms, d = features.shape
    gradient, hessian, factor = work[0], work[1 : d + 1], work[d + 1 :]
    for _ in range(NEWTON_STEPS):
        for i in range(d):
            gradient[i] = -ridge * estimate[i]
            for j in range(d):
                hessian[i, j] = ridge if i == j else 0.0
        for x in range(contexts):
            for a in range(arms):
                n = counts[x, a]
                if n > 0.0:
                    phi = features[x, a]
                    mean = 1.0 / (1.0 + math.exp(-dot(phi, estimate)))
                    for i in range(d):
                        gradient[i] += (sums[x, a] - n * mean) * phi[i]
                        for j in range(i + 1):
                            hessian[i, j] += n * mean * (1.0 - mean) * phi[i] * phi[j]
        _factorize(hessian, factor)
        _solve(factor, gradient)
        for i in range(d):
            estimate[i] += gradient[i]
        if dot(gradient, gradient) < NEWTON_TOLERANCE:
            break


@kernel
def _learn_logistic(context: int, arm: int, reward: float, parameters: Vector, replicate: Replicate) -> None:
    features, memory = replicate.knowledge, replicate.memory
    contexts, arms, d = features.shape
    estimate, image, work = memory[d, :d], memory[d + 2, :d], memory[d + 3 : 3 * d + 4, :d]
    counts = memory[3 * d + 4 : 3 * d + 4 + contexts, :arms]
    sums = memory[3 * d + 4 + contexts :, :arms]
    phi = features[context, arm]
    for i in range(d):
        image[i] = dot(memory[i, :d], phi)
    growth = 1.0 + dot(image, phi)
    for i in range(d):
        for j in range(d):
            memory[i, j] -= image[i] * image[j] / growth
    counts[context, arm] += 1.0
    sums[context, arm] += reward
    _fit_logistic(parameters[0], features, counts, sums, work, estimate)


@kernel
def _choose_logistic(t: int, context: int, parameters: Vector, replicate: Replicate) -> Any:
    features, memory = replicate.knowledge, replicate.memory
    d = features.shape[2]
    estimate, wide = memory[d, :d], parameters[1] * math.sqrt(math.log(t + 1.0))
    best, largest = 0, -math.inf
    for a in range(features.shape[1]):
        phi = features[context, a]
        mean = 1.0 / (1.0 + math.exp(-dot(phi, estimate)))
        index = mean + wide * math.sqrt(square_width(memory[:d, :d], phi))
        if index > largest:
            best, largest = a, index
    return best


def glm_ucb(features: ArrayLike, *, width: float, regularization: float = 1.0) -> ContextualPolicy:
    r"""GLM-UCB :cite:`filippi2010glm` with the logistic link, for rewards in [0, 1].

    The index in round t is :math:`\sigma(\langle \phi, \hat\theta \rangle) + \rho \sqrt{\log t}\, \|\phi\|_{V^{-1}}`
    with :math:`\sigma(z) = 1 / (1 + e^{-z})`, where :math:`\hat\theta` maximises
    :math:`\sum_s (r_s z_s - \log(1 + e^{z_s})) - \lambda \|\theta\|^2 / 2` with
    :math:`z_s = \langle \phi_s, \theta \rangle`. Departures: the penalty, and one constant in place of those of the
    paper's radius. As contexts and arms are finitely many, counts and sums of rewards hold all of the likelihood, so
    that memory does not grow with time.

    Parameters
    ----------
    features : array_like, shape (C, K, d) or (K, d)
        Features of the arms.
    width
        :math:`\rho \ge 0`.
    regularization
        :math:`\lambda > 0`.
    """
    phi = feature_array(features)
    contexts, arms, d = phi.shape
    parameters = (positive(regularization, "regularization"), not_negative(width, "width"))
    memory = 3 * d + 4 + 2 * contexts, max(d, arms)
    return ContextualPolicy(
        "GLM-UCB",
        start_linear,
        _choose_logistic,
        _learn_logistic,
        parameters,
        phi,
        memory,
        (contexts, arms),
        (0.0, 1.0),
    )
