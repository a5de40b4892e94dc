r"""Contextual bandits by regression: an oracle predicts the means of all arms, and a rule explores around its best arm.

Oracles learn online from pairs of features and rewards: ridge regression, the forecaster of Vovk, Azoury and Warmuth,
and exponential weights over a finite class of tables of means. Rules are epsilon-greedy and inverse gap weighting.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from numpy.typing import ArrayLike

from rltheory.algorithms.bandits.contextual import ContextualPolicy, Replicate
from rltheory.algorithms.bandits.linear import dot, learn_linear, linear_memory, square_width, start_linear
from rltheory.algorithms.bandits.play import Kernel
from rltheory.arrays import Array, Vector, first_index, float_array, fraction, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems.contextual_bandit import feature_array
from rltheory.variates import uniform

__all__ = [
    "RegressionOracle",
    "exponential_weights",
    "falcon",
    "inverse_gap_weights",
    "oracle_epsilon_greedy",
    "ridge",
    "square_cb",
    "vovk_azoury_warmuth",
]

RULE_PARAMETERS = 2  # scale and power of the exploration; those of the oracle follow


@dataclass(frozen=True, eq=False)
class RegressionOracle:
    """A forecaster of mean rewards: three kernels for one replicate, and what they read.

    Parameters
    ----------
    name
        What to call it in tables and figures.
    start, observe
        As for :class:`ContextualPolicy`.
    predict
        ``predict(context, parameters, replicate)`` writes a prediction for each arm to the last row of the memory.
    parameters, knowledge, memory, shape, rewards
        As for :class:`ContextualPolicy`.
    """

    name: str
    start: Kernel
    predict: Kernel
    observe: Kernel
    parameters: tuple[float, ...]
    knowledge: Array
    memory: tuple[int, int]
    shape: tuple[int, int]
    rewards: tuple[float, float] = (-math.inf, math.inf)

    def __repr__(self) -> str:
        return f"RegressionOracle({self.name!r})"


@kernel
def _predict_by_ridge(context: int, parameters: Vector, replicate: Replicate) -> None:
    features, memory = replicate.knowledge, replicate.memory
    d, predictions = features.shape[2], memory[-1]
    for a in range(features.shape[1]):
        predictions[a] = dot(memory[d, :d], features[context, a])


@kernel
def _predict_by_vovk(context: int, parameters: Vector, replicate: Replicate) -> None:
    features, memory = replicate.knowledge, replicate.memory
    d, predictions = features.shape[2], memory[-1]
    for a in range(features.shape[1]):
        phi = features[context, a]
        predictions[a] = dot(memory[d, :d], phi) / (1.0 + square_width(memory[:d, :d], phi))


@kernel
def _learn_linear(context: int, arm: int, reward: float, parameters: Vector, replicate: Replicate) -> None:
    knowledge, memory, arms, states, lane = replicate
    learn_linear(
        context, arm, reward, parameters, Replicate(knowledge, memory[:, : knowledge.shape[2]], arms, states, lane)
    )


def _linear(name: str, predict: Kernel, features: ArrayLike, regularization: float) -> RegressionOracle:
    phi = feature_array(features)
    rows, d = linear_memory(phi)
    parameters = (positive(regularization, "regularization"),)
    memory = rows + 1, max(d, phi.shape[1])
    return RegressionOracle(name, start_linear, predict, _learn_linear, parameters, phi, memory, phi.shape[:2])


def ridge(features: ArrayLike, *, regularization: float = 1.0) -> RegressionOracle:
    r"""Ridge regression, which is also the posterior mean of normal rewards under a normal prior.

    Parameters
    ----------
    features : array_like, shape (C, K, d) or (K, d)
        Features :math:`\phi(x, a)`; indicators of pairs of contexts and arms make it learn each mean by itself.
    regularization
        :math:`\lambda > 0`.
    """
    return _linear("ridge", _predict_by_ridge, features, regularization)


def vovk_azoury_warmuth(features: ArrayLike, *, regularization: float = 1.0) -> RegressionOracle:
    r"""The forecaster of Vovk, Azoury and Warmuth :cite:`vovk2001` :cite:`azoury2001`.

    It is ridge regression with the features to be predicted already counted:
    :math:`\langle \phi, \hat\theta \rangle / (1 + \|\phi\|^2_{V^{-1}})`.

    Parameters
    ----------
    features : array_like, shape (C, K, d) or (K, d)
        Features :math:`\phi(x, a)`.
    regularization
        :math:`\lambda > 0`.
    """
    return _linear("Vovk-Azoury-Warmuth", _predict_by_vovk, features, regularization)


@kernel
def _start_nothing(parameters: Vector, replicate: Replicate) -> None:
    pass


@kernel
def _learn_losses(context: int, arm: int, reward: float, parameters: Vector, replicate: Replicate) -> None:
    tables, losses = replicate.knowledge, replicate.memory[0]
    for i in range(tables.shape[0]):
        error = tables[i, context, arm] - reward
        losses[i] += error * error


@kernel
def _predict_by_weights(context: int, parameters: Vector, replicate: Replicate) -> None:
    tables, memory = replicate.knowledge, replicate.memory
    losses, predictions = memory[0], memory[-1]
    size, arms = tables.shape[0], replicate.arms
    least, total = losses[0], 0.0
    for i in range(1, size):
        least = min(least, losses[i])
    for a in range(arms):
        predictions[a] = 0.0
    for i in range(size):
        weight = math.exp(parameters[0] * (least - losses[i]))
        total += weight
        for a in range(arms):
            predictions[a] += weight * tables[i, context, a]
    for a in range(arms):
        predictions[a] /= total


def _class(tables: ArrayLike) -> Array:
    checked = float_array(tables, "tables", ndim=3)
    if checked.shape[0] < 1 or checked.shape[1] < 1 or checked.shape[2] < 2:
        raise ValueError(f"tables has shape {checked.shape}; expected at least 1 table, 1 context and 2 arms")
    outside = (checked < 0) | (checked > 1)
    if outside.any():
        index = first_index(outside)
        raise ValueError(f"tables{list(index)} is {checked[index]:.12g}; a mean reward must lie in [0, 1]")
    return checked


def exponential_weights(tables: ArrayLike, *, rate: float = 0.5) -> RegressionOracle:
    r"""Mean of a finite class of tables under weights :math:`e^{-\eta L}`, where L sums squared errors.

    For rewards in [0, 1] and :math:`\eta \le 1/2` its squared errors sum to at most :math:`\log |F| / \eta` more than
    those of the best table, whatever the rewards are :cite:`kivinen1999`.

    Parameters
    ----------
    tables : array_like, shape (m, C, K)
        Tables of means in [0, 1].
    rate
        :math:`\eta > 0`.
    """
    checked = _class(tables)
    size, contexts, arms = checked.shape
    return RegressionOracle(
        "exponential weights",
        _start_nothing,
        _predict_by_weights,
        _learn_losses,
        (positive(rate, "rate"),),
        checked,
        (2, max(size, arms)),
        (contexts, arms),
        (0.0, 1.0),
    )


@kernel
def _draw_by_inverse_gaps(gamma: float, predictions: Vector, place: float) -> Any:
    """Arm in whose part of [0, 1) a place lies; the best arm has what the others leave."""
    best = 0
    for a in range(1, predictions.size):
        if predictions[a] > predictions[best]:
            best = a
    for a in range(predictions.size):
        if a != best:
            place -= 1.0 / (predictions.size + gamma * (predictions[best] - predictions[a]))
            if place < 0.0:
                return a
    return best


def inverse_gap_weights(predictions: ArrayLike, gamma: float) -> Vector:
    r"""Probabilities of inverse gap weighting :cite:`abe1999` :cite:`foster2020`.

    With b the first best of the predictions :math:`\hat f` of K arms,

    .. math:: p(a) = \frac{1}{K + \gamma (\hat f(b) - \hat f(a))} \quad (a \ne b), \qquad p(b) = 1 - \sum_{a \ne b} p(a)

    Parameters
    ----------
    predictions : array_like, shape (K,)
        Predicted means.
    gamma
        :math:`\gamma \ge 0`; with 0 all arms are alike.

    Examples
    --------
    >>> inverse_gap_weights([0.5, 1.0], 4)
    array([0.25, 0.75])
    """
    predicted = float_array(predictions, "predictions", ndim=1)
    best = int(predicted.argmax())
    weights: Vector = 1 / (predicted.size + not_negative(gamma, "gamma") * (predicted[best] - predicted))
    weights[best] += 1 - weights.sum()
    return weights


@kernel
def _by_inverse_gaps(t: int, parameters: Vector, predictions: Vector, replicate: Replicate) -> Any:
    gamma = parameters[0] * (t + 1.0) ** parameters[1]
    return _draw_by_inverse_gaps(gamma, predictions, uniform(replicate.generators, replicate.lane))


@kernel
def _by_epsilon(t: int, parameters: Vector, predictions: Vector, replicate: Replicate) -> Any:
    explored = uniform(replicate.generators, replicate.lane) < parameters[0] * (t + 1.0) ** -parameters[1]
    place, best = uniform(replicate.generators, replicate.lane), 0
    for a in range(1, predictions.size):
        if predictions[a] > predictions[best]:
            best = a
    return int(predictions.size * place) if explored else best


@cache
def _kernels(start: Kernel, predict: Kernel, observe: Kernel, rule: Kernel) -> tuple[Kernel, Kernel, Kernel]:
    @kernel
    def start_oracle(parameters: Vector, replicate: Replicate) -> None:
        start(parameters[RULE_PARAMETERS:], replicate)

    @kernel
    def choose(t: int, context: int, parameters: Vector, replicate: Replicate) -> Any:
        predict(context, parameters[RULE_PARAMETERS:], replicate)
        return rule(t, parameters, replicate.memory[-1, : replicate.arms], replicate)

    @kernel
    def observe_oracle(context: int, arm: int, reward: float, parameters: Vector, replicate: Replicate) -> None:
        observe(context, arm, reward, parameters[RULE_PARAMETERS:], replicate)

    return start_oracle, choose, observe_oracle


def _policy(name: str, oracle: RegressionOracle, rule: Kernel, scale: float, power: float) -> ContextualPolicy:
    return ContextualPolicy(
        name,
        *_kernels(oracle.start, oracle.predict, oracle.observe, rule),
        (scale, not_negative(power, "power"), *oracle.parameters),
        oracle.knowledge,
        oracle.memory,
        oracle.shape,
        oracle.rewards,
    )


def square_cb(oracle: RegressionOracle, *, gamma: float, power: float = 0.0) -> ContextualPolicy:
    r"""SquareCB :cite:`foster2020`: inverse gap weighting of the oracle's predictions, :math:`\gamma_t = \gamma t^q`.

    Parameters
    ----------
    oracle
        The oracle.
    gamma
        :math:`\gamma > 0`.
    power
        :math:`q \ge 0`; 1/2 serves all horizons at once.
    """
    return _policy(f"SquareCB, {oracle.name}", oracle, _by_inverse_gaps, positive(gamma, "gamma"), power)


def oracle_epsilon_greedy(oracle: RegressionOracle, *, epsilon: float, power: float = 0.0) -> ContextualPolicy:
    r"""Pull a random arm with probability :math:`\epsilon_t = \epsilon t^{-q}`, else the one with the best prediction.

    Parameters
    ----------
    oracle
        The oracle.
    epsilon
        A probability in [0, 1]: 0 is greedy, and 1 with the power 0 learns nothing.
    power
        :math:`q \ge 0`; 1/3 serves all horizons at once :cite:`langford2007`.
    """
    return _policy(f"ε-greedy, {oracle.name}", oracle, _by_epsilon, fraction(epsilon, "epsilon"), power)


@kernel
def _start_falcon(parameters: Vector, replicate: Replicate) -> None:
    replicate.memory[1, 1] = 1.0


@kernel
def _choose_by_falcon(t: int, context: int, parameters: Vector, replicate: Replicate) -> Any:
    tables, memory, arms, states, lane = replicate
    predictions, fitted = memory[2, :arms], int(memory[1, 2])
    for a in range(arms):
        predictions[a] = tables[fitted, context, a] if memory[1, 0] >= 2.0 else 0.0
    return _draw_by_inverse_gaps(memory[1, 1], predictions, uniform(states, lane))


@kernel
def _learn_by_falcon(context: int, arm: int, reward: float, parameters: Vector, replicate: Replicate) -> None:
    _learn_losses(context, arm, reward, parameters, replicate)
    tables, memory = replicate.knowledge, replicate.memory
    losses, state = memory[0], memory[1]
    state[0] += 1.0
    n, size = int(state[0]), tables.shape[0]
    if n >= 2 and n & (n - 1) == 0:
        best = 0
        for i in range(1, size):
            if losses[i] < losses[best]:
                best = i
        state[1] = parameters[0] * math.sqrt(tables.shape[2] * n / math.log(size * n / parameters[1]))
        state[2] = best


def falcon(tables: ArrayLike, *, delta: float = 0.05, scale: float = 1 / 30) -> ContextualPolicy:
    r"""FALCON :cite:`simchilevi2022`: epochs that double, each with one least squares fit and inverse gap weighting.

    After :math:`\tau = 2, 4, 8, \dots` rewards an epoch begins, which uses the table of the class F with the least
    squared error on all of them, and :math:`\gamma = c \sqrt{K \tau / \log(|F| \tau / \delta)}`. Before, all arms are
    alike.

    Parameters
    ----------
    tables : array_like, shape (m, C, K)
        Tables of means in [0, 1].
    delta
        Probability in (0, 1).
    scale
        c > 0; that of the paper's theorem is 1/30.
    """
    checked = _class(tables)
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; it must lie in (0, 1)")
    size, contexts, arms = checked.shape
    return ContextualPolicy(
        "FALCON",
        _start_falcon,
        _choose_by_falcon,
        _learn_by_falcon,
        (positive(scale, "scale"), float(delta)),
        checked,
        (3, max(size, arms, 3)),
        (contexts, arms),
        (0.0, 1.0),
    )
