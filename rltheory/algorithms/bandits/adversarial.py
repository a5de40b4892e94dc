r"""Policies for losses that an adversary fixes: Exp3 and its kin, and Tsallis-INF.

All draw an arm with probabilities :math:`p_t` that are a function of estimated losses :math:`\hat L_t`. A reward in
[0, 1] is 1 less the loss. With K arms, n the horizon, A the arm of round t and :math:`\ell` its loss, the estimate of
the round is :math:`\hat\ell(a) = 1\{A = a\}\, \ell / p_t(a)`, unless said otherwise.

Exponential weights are kept, less that of the least estimate some rounds ago: one exponential a round suffices, and as
it is taken of the estimate itself, no rounding piles up.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltheory.algorithms.bandits.play import Columns, Kernel, Policy
from rltheory.arrays import Matrix, Vector, count, positive
from rltheory.exponential import exponential
from rltheory.jit import kernel
from rltheory.variates import Generators, uniforms

__all__ = ["exp3", "exp3_ix", "exp3_p", "tsallis_inf"]

UNIT_REWARDS = 0.0, 1.0
LONGEST_PERIOD = 32  # rounds from one scaling of exponential weights to the next
LARGEST_FALL = 600.0  # of the logarithm of their sum in between; exponentials of -708 are still normal numbers
TOLERANCE = 1e-11  # of the point that Newton's method finds, relative to its distance from the least estimate
SLOWEST = 100  # Newton steps


@kernel
def _start(parameters: Vector, columns: Columns) -> None:
    pass


@kernel
def _draw_arms(
    weights: Matrix, generators: Generators, thresholds: Vector, below: Vector, totals: Vector, arms: NDArray[np.int64]
) -> None:
    """Draw an arm of each column with probabilities proportional to its weights, and note the sum of these."""
    k = weights.shape[0]
    uniforms(generators, thresholds)
    for lane in range(arms.size):
        totals[lane] = 0.0
        below[lane] = 0.0
        arms[lane] = 0
    for a in range(k):
        for lane in range(arms.size):
            totals[lane] += weights[a, lane]
    for lane in range(arms.size):
        thresholds[lane] *= totals[lane]
    for a in range(k - 1):
        for lane in range(arms.size):
            below[lane] += weights[a, lane]
            arms[lane] += below[lane] <= thresholds[lane]


@kernel
def _find_least(estimates: Matrix, least: Vector) -> None:
    for lane in range(least.size):
        least[lane] = estimates[0, lane]
    for a in range(1, estimates.shape[0]):
        for lane in range(least.size):
            least[lane] = min(least[lane], estimates[a, lane])


@kernel
def _given_rate(t: int, arms: int, parameters: Vector) -> Any:
    return parameters[0]


@kernel
def _anytime_rate(t: int, arms: int, parameters: Vector) -> Any:
    return math.sqrt(math.log(arms) / ((t + 1) * arms))


@kernel
def _rate_of_exp3(t: int, arms: int, parameters: Vector) -> Any:
    return math.sqrt(2.0 * math.log(arms) / (parameters[0] * arms))


@kernel
def _rate_of_exp3_ix(t: int, arms: int, parameters: Vector) -> Any:
    return math.sqrt(math.log(arms * (arms + 1.0) / parameters[3]) / (parameters[0] * arms))


@cache
def _exponential_weights(rate: Kernel) -> tuple[Kernel, Kernel, Kernel]:
    """Kernels that read the rate or horizon, the exploration in units of the rate, and the period."""

    @kernel
    def choose(t: int, parameters: Vector, columns: Columns) -> None:
        memory, work = columns.memory, columns.work
        weights, estimates, totals, least = memory[0], memory[1], memory[2, 0], memory[2, 1]
        k = weights.shape[0]
        if t % int(parameters[2]) == 0:
            eta = rate(t, k, parameters)
            _find_least(estimates, least)
            for a in range(k):
                for lane in range(least.size):
                    weights[a, lane] = exponential(eta * (least[lane] - estimates[a, lane]))
        _draw_arms(weights, columns.generators, work[0], work[1], totals, columns.arms)

    @kernel
    def observe(t: int, parameters: Vector, columns: Columns) -> None:
        arms, rewards, memory, work = columns.arms, columns.rewards, columns.memory, columns.work
        weights, estimates, totals, least = memory[0], memory[1], memory[2, 0], memory[2, 1]
        weight, estimate = work[0], work[1]
        eta = rate(t, weights.shape[0], parameters)
        gamma = parameters[1] * eta
        for lane in range(arms.size):
            weight[lane] = weights[arms[lane], lane]
            estimate[lane] = estimates[arms[lane], lane]
        for lane in range(arms.size):
            estimate[lane] += (1.0 - rewards[lane]) / (weight[lane] / totals[lane] + gamma)
            weight[lane] = exponential(eta * (least[lane] - estimate[lane]))
        for lane in range(arms.size):
            weights[arms[lane], lane] = weight[lane]
            estimates[arms[lane], lane] = estimate[lane]

    return _start, choose, observe


def _memory(arms: int, lanes: int) -> tuple[int, int, int]:
    return 3, arms, lanes


def _policy(name: str, kernels: tuple[Kernel, Kernel, Kernel], parameters: tuple[float | None, ...]) -> Policy:
    return Policy(name, *kernels, parameters, _memory, UNIT_REWARDS, weighs=True)


def _period(rate: float) -> float:
    """Rounds in which the sum of the weights falls by exp(-600) at most: in one by half of exp(-2 rate)."""
    return max(1, min(LONGEST_PERIOD, int(LARGEST_FALL / (2 * rate + math.log(2)))))


def exp3(rate: float | None = None, *, anytime: bool = False) -> Policy:
    r"""Exp3 :cite:`auer2002nonstochastic` for losses: :math:`p_t(a) \propto e^{-\eta \hat L_t(a)}`.

    Parameters
    ----------
    rate
        :math:`\eta > 0`; :math:`\sqrt{2 \log K / (n K)}` by default.
    anytime
        Whether the rate is :math:`\sqrt{\log K / (t K)}` in round t, which needs no horizon.

    Raises
    ------
    ValueError
        If a rate is given and is to vary.
    """
    if anytime:
        if rate is not None:
            raise ValueError(f"rate is {rate}, and the rates of every time vary; give one or the other")
        return _policy("Exp3-anytime", _exponential_weights(_anytime_rate), (0.0, 0.0, 1.0))
    if rate is None:
        return _policy("Exp3", _exponential_weights(_rate_of_exp3), (None, 0.0, LONGEST_PERIOD))
    rate = positive(rate, "rate")
    return _policy(f"Exp3(η={rate:g})", _exponential_weights(_given_rate), (rate, 0.0, _period(rate)))


def exp3_ix(rate: float | None = None, *, delta: float = 0.05) -> Policy:
    r"""Exp3 with implicit exploration :cite:`neu2015`: estimates :math:`1\{A = a\}\, \ell / (p_t(a) + \eta / 2)`.

    Parameters
    ----------
    rate
        :math:`\eta > 0`; :math:`\sqrt{\log(K (K + 1) / \delta) / (n K)}` by default.
    delta
        Probability in (0, 1) with which the regret may be larger than what the rate is made for.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; it must lie in (0, 1)")
    if rate is None:
        return _policy("Exp3-IX", _exponential_weights(_rate_of_exp3_ix), (None, 0.5, LONGEST_PERIOD, delta))
    rate = positive(rate, "rate")
    return _policy(f"Exp3-IX(η={rate:g})", _exponential_weights(_given_rate), (rate, 0.5, _period(rate)))


@kernel
def _choose_with_exploration(t: int, parameters: Vector, columns: Columns) -> None:
    memory, work = columns.memory, columns.work
    weights, estimates, totals, least = memory[0], memory[1], memory[2, 0], memory[2, 1]
    k = weights.shape[0]
    eta = 0.95 * math.sqrt(math.log(k) / (parameters[0] * k))
    gamma = min(1.05 * math.sqrt(k * math.log(k) / parameters[0]), 1.0)
    _find_least(estimates, least)
    for lane in range(least.size):
        totals[lane] = 0.0
    for a in range(k):
        for lane in range(least.size):
            weights[a, lane] = exponential(eta * (least[lane] - estimates[a, lane]))
            totals[lane] += weights[a, lane]
    for lane in range(least.size):
        totals[lane] = (1.0 - gamma) / totals[lane]
    for a in range(k):
        for lane in range(least.size):
            weights[a, lane] = totals[lane] * weights[a, lane] + gamma / k
    _draw_arms(weights, columns.generators, work[0], work[1], totals, columns.arms)


@kernel
def _observe_with_bonus(t: int, parameters: Vector, columns: Columns) -> None:
    arms, rewards, memory = columns.arms, columns.rewards, columns.memory
    weights, estimates, totals = memory[0], memory[1], memory[2, 0]
    k = weights.shape[0]
    beta = math.sqrt(math.log(k / parameters[1]) / (parameters[0] * k))
    for a in range(k):
        for lane in range(arms.size):
            gain = beta + (rewards[lane] if arms[lane] == a else 0.0)
            estimates[a, lane] -= gain * totals[lane] / weights[a, lane]


def exp3_p(delta: float = 0.05, horizon: int | None = None) -> Policy:
    r"""Exp3.P :cite:`auer2002nonstochastic`, with the numbers of :cite:`bubeck2012`, Theorem 3.3.

    Gains are estimated by :math:`\hat g(a) = (1\{A = a\}\, (1 - \ell) + \beta) / p_t(a)`, and
    :math:`p_t(a) = (1 - \gamma) e^{\eta \hat G_t(a)} / \sum_b e^{\eta \hat G_t(b)} + \gamma / K`, where
    :math:`\beta = \sqrt{\log(K / \delta) / (n K)}`, :math:`\eta = 0.95 \sqrt{\log K / (n K)}` and
    :math:`\gamma = 1.05 \sqrt{K \log K / n}`, at most 1.

    Parameters
    ----------
    delta
        Probability in (0, 1) with which the regret may be larger than what the numbers are made for.
    horizon
        n; that of the run by default.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; it must lie in (0, 1)")
    n = None if horizon is None else count(horizon, "horizon", at_least=1)
    return _policy("Exp3.P", (_start, _choose_with_exploration, _observe_with_bonus), (n, delta))


@kernel
def _rate_by_root(t: int, arms: int, parameters: Vector) -> Any:
    return parameters[0] / math.sqrt(t + 1.0)


@cache
def _tsallis(rate: Kernel, reduced_variance: bool) -> tuple[Kernel, Kernel, Kernel]:
    @kernel
    def choose(t: int, parameters: Vector, columns: Columns) -> None:
        arms, memory, work = columns.arms, columns.memory, columns.work
        weights, estimates, totals, point = memory[0], memory[1], memory[2, 0], memory[2, 1]
        least, squares, cubes = work[0], work[1], work[2]
        k, lanes = weights.shape[0], arms.size
        eta = rate(t, k, parameters)
        _find_least(estimates, least)
        for lane in range(lanes):
            point[lane] = min(point[lane], least[lane] - 2.0 / eta)
        for _ in range(SLOWEST):
            for lane in range(lanes):
                squares[lane] = 0.0
                cubes[lane] = 0.0
            for a in range(k):
                for lane in range(lanes):
                    inverse = 1.0 / (estimates[a, lane] - point[lane])
                    weights[a, lane] = inverse * inverse
                    squares[lane] += inverse * inverse
                    cubes[lane] += inverse * inverse * inverse
            moving = 0
            for lane in range(lanes):
                step = (squares[lane] - 2.0 / eta * squares[lane] * math.sqrt(squares[lane])) / cubes[lane]
                end = min(point[lane] + step, least[lane] - 2.0 / eta)
                moves = abs(end - point[lane]) > TOLERANCE * (least[lane] - point[lane])
                # Lanes that have arrived stay where they are, so that they do not depend on those beside them.
                point[lane] = end if moves else point[lane]
                moving += moves
            if moving == 0:
                break
        _draw_arms(weights, columns.generators, work[0], work[1], totals, arms)

    @kernel
    def observe(t: int, parameters: Vector, columns: Columns) -> None:
        arms, rewards, memory, work = columns.arms, columns.rewards, columns.memory, columns.work
        weights, estimates, totals = memory[0], memory[1], memory[2, 0]
        guess, k = work[0], weights.shape[0]
        for lane in range(arms.size):
            guess[lane] = 0.0
        if reduced_variance:
            least_probability = rate(t, k, parameters) ** 2
            for a in range(k):
                for lane in range(arms.size):
                    baseline = 0.5 if weights[a, lane] >= least_probability * totals[lane] else 0.0
                    estimates[a, lane] += baseline
                    guess[lane] = baseline if arms[lane] == a else guess[lane]
        for lane in range(arms.size):
            a = arms[lane]
            estimates[a, lane] += (1.0 - rewards[lane] - guess[lane]) * totals[lane] / weights[a, lane]

    return _start, choose, observe


def tsallis_inf(rate: float | None = None, *, reduced_variance: bool = False) -> Policy:
    r"""Tsallis-INF with power 1/2 :cite:`zimmert2021`: :math:`p_t(a) = 4 (\eta_t (\hat L_t(a) - x_t))^{-2}`.

    The number :math:`x_t`, below all estimates, makes the sum 1. It is found by Newton's method on the inverse root of
    the sum, which is concave: from below one step leads beyond the solution, and from above all descend to it.

    Parameters
    ----------
    rate
        :math:`\eta > 0` of all rounds; :math:`2 / \sqrt t` in round t by default, twice that with reduced variance.
    reduced_variance
        Whether the losses that are estimated are those less 1/2, for arms with :math:`p_t(a) \ge \eta_t^2`.
    """
    name = "Tsallis-INF (reduced variance)" if reduced_variance else "Tsallis-INF"
    if rate is None:
        return _policy(name, _tsallis(_rate_by_root, reduced_variance), (4.0 if reduced_variance else 2.0,))
    rate = positive(rate, "rate")
    return _policy(f"{name} (η={rate:g})", _tsallis(_given_rate, reduced_variance), (rate,))
