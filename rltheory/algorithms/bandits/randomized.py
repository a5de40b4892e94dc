r"""Policies that choose at random: epsilon-greedy and Thompson sampling."""

import math
from functools import cache
from typing import Any

import numpy as np

from rltheory.algorithms.bandits.play import Columns, Kernel, Policy, keep_larger
from rltheory.arrays import Vector, fraction, positive
from rltheory.jit import kernel
from rltheory.variates import beta_variates, normals, uniforms

__all__ = ["decaying_epsilon_greedy", "epsilon_greedy", "thompson", "thompson_gaussian"]


@kernel
def _start_means(parameters: Vector, columns: Columns) -> None:
    columns.memory[0] = np.inf


@kernel
def _observe_means(t: int, parameters: Vector, columns: Columns) -> None:
    arms, memory, work = columns.arms, columns.memory, columns.work
    pulled, earned, x, y = columns.pulled, columns.earned, work[0], work[1]
    for lane in range(arms.size):
        x[lane] = earned[lane] / pulled[lane]
        y[lane] = 1.0 / math.sqrt(pulled[lane])
    means, inverse_roots = memory[0], memory[1]
    for lane in range(arms.size):
        means[arms[lane], lane], inverse_roots[arms[lane], lane] = x[lane], y[lane]


@cache
def _choose_greedily_or_not(epsilon: Kernel) -> Kernel:
    @kernel
    def choose(t: int, parameters: Vector, columns: Columns) -> None:
        arms, counts, memory, work = columns.arms, columns.counts, columns.memory, columns.work
        generators = columns.generators
        k, largest, means, draws, places = counts.shape[0], work[0], memory[0], work[1], work[2]
        for lane in range(arms.size):
            largest[lane] = -np.inf
            arms[lane] = 0
        for a in range(k):
            keep_larger(a, means[a], largest, arms)
        probability = epsilon(t, k, parameters)
        uniforms(generators, draws)
        uniforms(generators, places)
        for lane in range(arms.size):
            arms[lane] = int(k * places[lane]) if draws[lane] < probability else arms[lane]

    return choose


@kernel
def _fixed(t: int, arms: int, parameters: Vector) -> Any:
    return parameters[0]


@kernel
def _decaying(t: int, arms: int, parameters: Vector) -> Any:
    return parameters[0] * arms / (parameters[1] * parameters[1] * (t + 1))


def _memory(arms: int, lanes: int) -> tuple[int, int, int]:
    return 2, arms, lanes


def epsilon_greedy(epsilon: float) -> Policy:
    r"""Pull a random arm with probability :math:`\epsilon`, else the one that paid most on average.

    Arms that were not pulled yet come first; of equal means the first wins.

    Parameters
    ----------
    epsilon
        A probability in [0, 1].
    """
    epsilon = fraction(epsilon, "epsilon")
    choose = _choose_greedily_or_not(_fixed)
    return Policy(f"ε-greedy({epsilon:g})", _start_means, choose, _observe_means, (epsilon,), _memory)


def decaying_epsilon_greedy(gap: float, c: float = 5.0) -> Policy:
    r"""Epsilon-greedy with :math:`\epsilon_t = \min(1, c K / (d^2 t))` in round t :cite:`auer2002`.

    Parameters
    ----------
    gap
        d in (0, 1], no larger than the least positive gap.
    c
        A number > 0; the paper's theorem takes one above 5.
    """
    if not 0 < gap <= 1:
        raise ValueError(f"gap is {gap}; it must lie in (0, 1]")
    choose = _choose_greedily_or_not(_decaying)
    return Policy("decaying ε-greedy", _start_means, choose, _observe_means, (positive(c, "c"), float(gap)), _memory)


@kernel
def _choose_by_beta_variates(t: int, parameters: Vector, columns: Columns) -> None:
    arms, counts, memory, work = columns.arms, columns.counts, columns.memory, columns.work
    generators = columns.generators
    largest, sample, rest, a_shapes, b_shapes = work[5], work[4], work[:4], memory[0], memory[1]
    for lane in range(arms.size):
        largest[lane] = -1.0
    for a in range(counts.shape[0]):
        beta_variates(generators, a_shapes[a], b_shapes[a], rest, sample)
        keep_larger(a, sample, largest, arms)


@kernel
def _start_with_uniform_prior(parameters: Vector, columns: Columns) -> None:
    columns.memory[:] = 1.0


@kernel
def _observe_successes(t: int, parameters: Vector, columns: Columns) -> None:
    arms, memory, work = columns.arms, columns.memory, columns.work
    generators, rewards = columns.generators, columns.rewards
    draws = work[0]
    uniforms(generators, draws)
    for lane in range(arms.size):
        success = 1.0 if draws[lane] < rewards[lane] else 0.0
        memory[0, arms[lane], lane] += success
        memory[1, arms[lane], lane] += 1.0 - success


def thompson() -> Policy:
    """Thompson sampling with a uniform prior and Beta posteriors :cite:`thompson1933`, for rewards in [0, 1].

    A reward r counts as a success with probability r :cite:`agrawal2012`, which changes nothing for rewards 0 and 1.
    """
    return Policy(
        "Thompson",
        _start_with_uniform_prior,
        _choose_by_beta_variates,
        _observe_successes,
        (),
        _memory,
        (0.0, 1.0),
    )


@kernel
def _choose_by_normals(t: int, parameters: Vector, columns: Columns) -> None:
    arms, counts, memory, work = columns.arms, columns.counts, columns.memory, columns.work
    generators = columns.generators
    largest, first, second, means, inverse_roots = work[0], work[1], work[2], memory[0], memory[1]
    deviation, k = parameters[0], counts.shape[0]
    for lane in range(arms.size):
        largest[lane] = -np.inf
        arms[lane] = 0
    for a in range(k):
        if a % 2 == 0:
            normals(generators, first, second)
        numbers = second if a % 2 else first
        for lane in range(arms.size):
            numbers[lane] = means[a, lane] + deviation * inverse_roots[a, lane] * numbers[lane]
        keep_larger(a, numbers, largest, arms)


def thompson_gaussian(deviation: float = 1.0) -> Policy:
    r"""Thompson sampling with Gaussian posteriors :math:`N(\hat\mu, \sigma^2 / N)` :cite:`agrawal2013`.

    The prior is flat; arms are pulled once each before, so that posteriors are proper.

    Parameters
    ----------
    deviation
        :math:`\sigma > 0`, the standard deviation of the rewards; 1 serves rewards in [0, 1].
    """
    parameters = (positive(deviation, "deviation"),)
    return Policy("Gaussian Thompson", _start_means, _choose_by_normals, _observe_means, parameters, _memory)
