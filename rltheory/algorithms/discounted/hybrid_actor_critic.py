r"""Hybrid actor-critic (HAC): the critic learns from offline data and along the policy, and the actor follows it.

For a policy :math:`\pi` with discounted probabilities :math:`d^\pi` of the choices, a distribution :math:`\nu` of
offline data, and a class F of critics, each sweep fits

.. math:: f_k = \mathrm{arg\,min}_{f \in F}\; \mathbb E_\nu (f - T^\pi f_{k-1})^2
          + \lambda\, \mathbb E_{d^\pi} (f - Q^\pi)^2, \qquad T^\pi f = r + \gamma P \langle \pi, f \rangle,

from :math:`f_0 = 0`; the critic is the mean of :math:`f_k` over :math:`K_1 < k \le K_2`, and the actor makes the step
:math:`\pi \leftarrow \pi e^{\eta f}`. A weight :math:`\lambda = 0` is learning by temporal differences from data alone,
and an infinite one natural policy gradient. Tables are fitted in closed form,

.. math:: f_k = w\, T^\pi f_{k-1} + (1 - w)\, Q^\pi, \qquad w = \frac{\nu}{\nu + \lambda d^\pi},

where choices of which nothing is known stay as they are. The sampled critic replaces both means by fresh samples in
each sweep: transitions of the data, and returns of rollouts that stop with probability :math:`1 - \gamma` after each
step.

In the hybrid natural policy gradient (HNPG) policies are log-linear, :math:`\pi \propto e^{\langle y, \theta \rangle}`,
and :math:`\theta \leftarrow \theta + \eta w`, where w fits :math:`f - \langle \pi, f \rangle` by
:math:`y - \langle \pi, y \rangle` in the mean over :math:`\nu + \lambda d^\pi`.

Paper: :cite:`zhou2024`, Algorithms 1 to 3. Departures: episodes start in a state and not in a state with an action;
critics are not clipped.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.discounted.exact_policies import (
    DenseProcess,
    Evaluation,
    advantages_to,
    climb,
    dense_process,
    evaluate,
    log_start,
    new_evaluation,
    occupy,
)
from rltheory.algorithms.sampling import CumulativeLaws, cumulative_laws, draw, draw_weighted
from rltheory.arrays import Matrix, Times, Vector, count, float_array, fraction, positive
from rltheory.jit import kernel
from rltheory.problems import MDP
from rltheory.problems.policies import checked_policy
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to
from rltheory.trace import Trace, record_times

__all__ = [
    "burn_in_sweeps",
    "hybrid_actor_critic",
    "hybrid_natural_gradient",
    "hybrid_policy_evaluation",
    "sampled_hybrid_actor_critic",
]


class Fit(NamedTuple):
    """What critic and actor are fitted by."""

    data: Vector  # (C,) nu
    share: float  # lambda / (1 + lambda), in [0, 1]
    features: Matrix  # (C, p) of the critic; none for a table
    policy_features: Matrix  # (C, p) of the actor; none for a table
    burn_in: int  # K_1 >= 0
    kept: int  # K_2 - K_1 >= 1
    rate: float  # eta > 0, in 1 / value


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten."""

    log_policy: Vector  # (C,) log pi
    policy: Vector  # (C,) pi
    evaluation: Evaluation  # of pi
    occupancy: Vector  # (S,) discounted probabilities of the states under pi
    visited: Vector  # (C,) d
    latest: Vector  # (C,) f_k
    targets: Vector  # (C,) T f_{k-1}
    critic: Vector  # (C,) mean of f_k
    direction: Vector  # (C,) of the actor's step
    advantages: Vector  # (C,) sum of f - <pi, f> over all steps


class Record(NamedTuple):
    """What a run leaves behind at each recorded time."""

    log_policy: Matrix  # (points, C)
    critic: Matrix  # (points, C)
    advantages: Matrix  # (points, C), sums over all steps before
    value: Vector  # (points,)
    earned: Vector  # (points,), sum of the values of all policies before
    offline_loss: Vector  # (points,)
    online_loss: Vector  # (points,)
    steps: Vector  # (points,), of rollouts so far


@kernel
def _occupy_choices(process: DenseProcess, state: State) -> None:
    """Write the discounted probabilities of the choices under the policy last evaluated."""
    occupy(process, state.evaluation, state.occupancy)
    first_choice = process.first_choice
    for s in range(first_choice.size - 1):
        for c in range(first_choice[s], first_choice[s + 1]):
            state.visited[c] = state.policy[c] * state.occupancy[s]


@kernel
def _back_up(process: DenseProcess, policy: Vector, values: Vector, out: Vector) -> None:
    """Write ``T f`` of critic values f to `out`."""
    first_choice, rewards, laws, initial, discount = process
    for c in range(out.size):
        out[c] = rewards[c]
    for s in range(initial.size):
        mean = 0.0
        for c in range(first_choice[s], first_choice[s + 1]):
            mean += policy[c] * values[c]
        for c in range(out.size):
            out[c] += discount * laws[c, s] * mean


@kernel
def _fit_linearly(features: Matrix, weights: Vector, moments: Vector) -> Vector:
    """Coefficients of least norm whose fit has the least squares, given weights and weights times targets."""
    size = features.shape[1]
    gram, right = np.zeros((size, size)), np.zeros(size)
    for c in range(weights.size):
        for i in range(size):
            right[i] += features[c, i] * moments[c]
            for j in range(size):
                gram[i, j] += weights[c] * features[c, i] * features[c, j]
    found, coefficients = np.zeros(size), np.linalg.lstsq(gram, right)[0]
    for i in range(size):
        found[i] = coefficients[i]
    return found


@kernel
def _sweep(process: DenseProcess, fit: Fit, state: State) -> None:
    """Replace f_{k-1} by f_k, with exact means."""
    latest, targets, visited, returns = state.latest, state.targets, state.visited, state.evaluation.action_values
    data, share, features = fit.data, fit.share, fit.features
    _back_up(process, state.policy, latest, targets)
    if features.shape[1] == 0:
        for c in range(latest.size):
            offline, online = (1.0 - share) * data[c], share * visited[c]
            if offline + online > 0.0:
                latest[c] = (offline * targets[c] + online * returns[c]) / (offline + online)
    else:
        weights = (1.0 - share) * data + share * visited
        coefficients = _fit_linearly(features, weights, (1.0 - share) * data * targets + share * visited * returns)
        for c in range(latest.size):
            latest[c] = 0.0
            for i in range(features.shape[1]):
                latest[c] += features[c, i] * coefficients[i]


@kernel
def _next_choice(laws: CumulativeLaws, policy: Vector, choice: int, rng: np.random.Generator) -> int:
    """Draw a next state, and what the policy does there."""
    first_choice, first_entry, successors, _, cumulative = laws
    here = successors[draw(cumulative, first_entry[choice], first_entry[choice + 1], rng)]
    return draw_weighted(policy, first_choice[here], first_choice[here + 1], rng)


@kernel
def _rollout_sweep(
    process: DenseProcess,
    laws: CumulativeLaws,
    cumulative_data: Vector,
    fit: Fit,
    samples: int,
    sums: Vector,
    weights: Vector,
    state: State,
    rng: np.random.Generator,
) -> int:
    """Replace f_{k-1} by f_k, with means of fresh samples; return the steps of rollouts."""
    first_choice, rewards, _, initial, discount = process
    _, first_entry, successors, _, cumulative = laws
    policy, latest, share = state.policy, state.latest, fit.share
    steps = 0
    for c in range(sums.size):
        sums[c] = weights[c] = 0.0
    for _ in range(samples):
        c = draw(cumulative_data, 0, cumulative_data.size, rng)
        reached = successors[draw(cumulative, first_entry[c], first_entry[c + 1], rng)]
        mean = 0.0
        for later in range(first_choice[reached], first_choice[reached + 1]):
            mean += policy[later] * latest[later]
        sums[c] += (1.0 - share) * (rewards[c] + discount * mean)
        weights[c] += 1.0 - share
    for _ in range(samples):
        here = draw_weighted(initial, 0, initial.size, rng)
        choice = draw_weighted(policy, first_choice[here], first_choice[here + 1], rng)
        while rng.random() < discount:
            choice = _next_choice(laws, policy, choice, rng)
            steps += 1
        visited, earned = choice, rewards[choice]
        while rng.random() < discount:
            choice = _next_choice(laws, policy, choice, rng)
            earned += rewards[choice]
            steps += 1
        steps += 1
        sums[visited] += share * earned
        weights[visited] += share
    for c in range(sums.size):
        if weights[c] > 0.0:
            latest[c] = sums[c] / weights[c]
    return steps


@kernel
def _direct(process: DenseProcess, fit: Fit, state: State) -> None:
    """Write the direction of the actor's step, and add up advantages of the critic."""
    first_choice, features, policy = process.first_choice, fit.policy_features, state.policy
    advantages_to(first_choice, policy, state.critic, state.direction)
    for c in range(policy.size):
        state.advantages[c] += state.direction[c]
    if features.shape[1] > 0:
        centred = np.empty_like(features)
        for i in range(features.shape[1]):
            for s in range(first_choice.size - 1):
                mean = 0.0
                for c in range(first_choice[s], first_choice[s + 1]):
                    mean += policy[c] * features[c, i]
                for c in range(first_choice[s], first_choice[s + 1]):
                    centred[c, i] = features[c, i] - mean
        weights = (1.0 - fit.share) * fit.data + fit.share * state.visited
        coefficients = _fit_linearly(centred, weights, weights * state.direction)
        for c in range(policy.size):
            state.direction[c] = 0.0
            for i in range(features.shape[1]):
                state.direction[c] += features[c, i] * coefficients[i]


@kernel
def _start(process: DenseProcess, state: State) -> None:
    """Evaluate the policy, and forget the last critic."""
    evaluate(process, state.log_policy, state.policy, 0.0, state.evaluation)
    _occupy_choices(process, state)
    for c in range(state.latest.size):
        state.latest[c] = state.critic[c] = 0.0


@kernel
def _keep(state: State, kept: int) -> None:
    """Take f_k into the mean, as the one of number `kept`."""
    for c in range(state.latest.size):
        state.critic[c] += (state.latest[c] - state.critic[c]) / kept


@kernel
def _judge(process: DenseProcess, fit: Fit, state: State) -> None:
    """Find the critic of the policy, with exact means."""
    _start(process, state)
    for k in range(1, fit.burn_in + fit.kept + 1):
        _sweep(process, fit, state)
        if k > fit.burn_in:
            _keep(state, k - fit.burn_in)


@kernel
def _value(process: DenseProcess, state: State) -> float:
    total = 0.0
    for s in range(process.initial.size):
        total += process.initial[s] * state.evaluation.values[s]
    return total


@kernel
def _step(process: DenseProcess, fit: Fit, state: State) -> None:
    """Move the policy."""
    _direct(process, fit, state)
    climb(process.first_choice, 1.0, fit.rate, state.direction, state.log_policy, state.policy)


@kernel
def _write(
    process: DenseProcess, fit: Fit, state: State, record: Record, place: int, earned: float, steps: float
) -> None:
    copy_to(state.log_policy, record.log_policy[place])
    copy_to(state.critic, record.critic[place])
    copy_to(state.advantages, record.advantages[place])
    _back_up(process, state.policy, state.critic, state.targets)
    for c in range(state.critic.size):
        record.offline_loss[place] += fit.data[c] * (state.critic[c] - state.targets[c]) ** 2
        record.online_loss[place] += state.visited[c] * (state.critic[c] - state.evaluation.action_values[c]) ** 2
    record.value[place], record.earned[place], record.steps[place] = _value(process, state), earned, steps


@kernel
def _run(process: DenseProcess, fit: Fit, state: State, times: Times, record: Record) -> None:
    _judge(process, fit, state)
    done, earned = 0, 0.0
    for place in range(times.size):
        while done < times[place]:
            earned += _value(process, state)
            _step(process, fit, state)
            _judge(process, fit, state)
            done += 1
        _write(process, fit, state, record, place, earned, 0.0)


@kernel
def _run_by_samples(
    process: DenseProcess,
    laws: CumulativeLaws,
    cumulative_data: Vector,
    fit: Fit,
    samples: int,
    sums: Vector,
    weights: Vector,
    state: State,
    times: Times,
    record: Record,
    rng: np.random.Generator,
) -> None:
    done, earned, steps = -1, 0.0, 0.0
    for place in range(times.size):
        while done < times[place]:
            if done >= 0:
                earned += _value(process, state)
                _step(process, fit, state)
            _start(process, state)
            for k in range(1, fit.burn_in + fit.kept + 1):
                steps += _rollout_sweep(process, laws, cumulative_data, fit, samples, sums, weights, state, rng)
                if k > fit.burn_in:
                    _keep(state, k - fit.burn_in)
            done += 1
        _write(process, fit, state, record, place, earned, steps)


@kernel
def _evaluate_in_sweeps(process: DenseProcess, fit: Fit, state: State, critics: Matrix) -> None:
    evaluate(process, state.log_policy, state.policy, 0.0, state.evaluation)
    _occupy_choices(process, state)
    copy_to(critics[0], state.latest)
    for k in range(1, critics.shape[0]):
        _sweep(process, fit, state)
        copy_to(state.latest, critics[k])


def burn_in_sweeps(discount: float, weight: float, iterations: int, *, bellman_error: float = 0.0) -> int:
    r"""Sweeps K_1 after which a critic has forgotten where it began.

    .. math:: K_1 = 1 + \left\lceil \log_\gamma \frac{6 \lambda \varepsilon + \varepsilon_{stat} (1 - \gamma)}{\lambda}
              \right\rceil, \qquad \varepsilon_{stat} = \frac{128 (1 + \lambda)}{T},

    or 1 if that is less. The paper's theorem prints :math:`4 \lceil \log(1 / \gamma) \rceil`, which tends to a constant
    for discounts near 1, and its proof takes this number.

    Parameters
    ----------
    discount
        Discount factor in (0, 1).
    weight
        Weight :math:`\lambda > 0` of the errors along the policy.
    iterations
        Number of iterations T >= 1 of the actor.
    bellman_error
        Inherent Bellman error :math:`\varepsilon \ge 0` of the class of critics; 0 for tables.

    References
    ----------
    :cite:`zhou2024`

    Examples
    --------
    >>> burn_in_sweeps(0.99, 1.0, 100), burn_in_sweeps(0.9, 1.0, 100)
    (366, 14)
    """
    discount, weight = positive(discount, "discount"), positive(weight, "weight")
    if discount >= 1:
        raise ValueError(f"discount is {discount}; it must be < 1")
    statistical = 128 * (1 + weight) / count(iterations, "iterations", at_least=1)
    remains = (6 * weight * bellman_error + statistical * (1 - discount)) / weight
    return 1 + max(0, math.ceil(math.log(remains) / math.log(discount)))


def hybrid_policy_evaluation(
    mdp: MDP,
    policy: ArrayLike,
    discount: float,
    data: ArrayLike,
    *,
    weight: float,
    sweeps: int,
    features: ArrayLike | None = None,
    first: ArrayLike | None = None,
) -> Trace:
    r"""Fit the critic of a policy in sweeps with exact means.

    Parameters
    ----------
    mdp
        The process, S states, C choices; some hundred states at most.
    policy : array_like, shape (C,)
        Probabilities of the choices in their states.
    discount
        Discount factor in [0, 1).
    data : array_like, shape (C,)
        Distribution :math:`\nu` of the choices in the data.
    weight
        Weight :math:`\lambda \ge 0` of the errors along the policy; may be inf.
    sweeps
        Number of sweeps >= 0.
    features : array_like, shape (C, p), optional
        Features of linear critics; a table by default.
    first : array_like, shape (C,), optional
        The first critic; 0 by default.

    Returns
    -------
    Trace
        ``critic`` :math:`f_k` after each sweep, shape (time, choice).

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or an array has another shape.

    References
    ----------
    :cite:`zhou2024`, Algorithm 2

    Examples
    --------
    Data of the first arm only: the second is known where the policy goes.

    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> trace = hybrid_policy_evaluation(bandit, [0.5, 0.5], 0.5, [1, 0], weight=1.0, sweeps=20)
    >>> trace.last("critic").round(3)
    array([1.5, 0.5])
    """
    process = dense_process(mdp, discount)
    critics = np.zeros((count(sweeps, "sweeps") + 1, mdp.choices))
    if first is not None:
        critics[0] = _of_choices(first, "first", mdp)
    policy = checked_policy(mdp, policy)
    fit = _fit(mdp, data, weight, features, None, 0, 1, 1.0)
    with np.errstate(divide="ignore"):
        state = _new_state(mdp, np.log(policy))
    _evaluate_in_sweeps(process, fit, state, critics)
    times = np.arange(len(critics), dtype=np.int64)
    return Trace("hybrid policy evaluation", times, {"critic": (("time", "choice"), critics)}, clock="sweep")


def hybrid_actor_critic(
    mdp: MDP,
    discount: float,
    data: ArrayLike,
    *,
    iterations: int,
    burn_in: int,
    kept: int,
    weight: float = 1.0,
    step: float | None = None,
    features: ArrayLike | None = None,
) -> Trace:
    r"""Run hybrid actor-critic with exact means.

    Parameters
    ----------
    mdp
        The process, S states, C choices; some hundred states at most.
    discount
        Discount factor in [0, 1).
    data : array_like, shape (C,)
        Distribution :math:`\nu` of the choices in the data.
    iterations
        Number of steps T >= 1 of the actor.
    burn_in, kept
        Sweeps whose critics are dropped, >= 0, and those whose critics are averaged, >= 1; see :func:`burn_in_sweeps`.
    weight
        Weight :math:`\lambda \ge 0` of the errors along the policy; may be inf.
    step
        Step size :math:`\eta > 0` of the actor, in 1 / value; the paper's
        :math:`(1 - \gamma) \sqrt{\log A / T}` by default.
    features : array_like, shape (C, p), optional
        Features of linear critics; a table by default.

    Returns
    -------
    Trace
        At each recorded time t, of shape (time, choice), ``log_policy`` of :math:`\pi_t`, its ``critic``, and the sum
        ``advantages`` of :math:`f_j - \langle \pi_j, f_j \rangle` over j < t; the ``value`` of :math:`\pi_t` from the
        start, and ``earned``, the sum of the values of :math:`\pi_j`, j < t;
        ``offline_loss`` :math:`\mathbb E_\nu (f - T^\pi f)^2` and ``online_loss``
        :math:`\mathbb E_{d^\pi} (f - Q^\pi)^2`; ``steps`` of rollouts so far, 0 where means are exact.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or an array has another shape.

    References
    ----------
    :cite:`zhou2024`, Algorithm 1

    Examples
    --------
    >>> from rltheory.instances import combination_lock
    >>> lock, data = combination_lock([1, 0, 1]), np.full(6, 1 / 6)
    >>> trace = hybrid_actor_critic(lock, 0.8, data, iterations=400, step=1.0, burn_in=20, kept=20)
    >>> round(float(trace.last("value")), 6), bool(trace.last("online_loss") < 1e-20)
    (1.311475, True)
    """
    return _exact("hybrid actor-critic", mdp, discount, data, iterations, burn_in, kept, weight, step, features, None)


def hybrid_natural_gradient(
    mdp: MDP,
    discount: float,
    data: ArrayLike,
    policy_features: ArrayLike,
    *,
    iterations: int,
    burn_in: int,
    kept: int,
    weight: float = 1.0,
    step: float | None = None,
    features: ArrayLike | None = None,
) -> Trace:
    r"""Run hybrid natural policy gradient with exact means. The rest is as in :func:`hybrid_actor_critic`.

    Parameters
    ----------
    policy_features : array_like, shape (C, p)
        Features y of the log-linear policies. With one for each choice, and data of each, it is hybrid actor-critic.

    References
    ----------
    :cite:`zhou2024`, Algorithm 3
    """
    return _exact(
        "hybrid natural gradient",
        mdp,
        discount,
        data,
        iterations,
        burn_in,
        kept,
        weight,
        step,
        features,
        policy_features,
    )


def sampled_hybrid_actor_critic(
    mdp: MDP,
    discount: float,
    data: ArrayLike,
    *,
    iterations: int,
    burn_in: int,
    kept: int,
    samples: int,
    rng: np.random.Generator,
    weight: float = 1.0,
    step: float | None = None,
) -> Trace:
    r"""Run hybrid actor-critic with a table fitted to samples. Other parameters: :func:`hybrid_actor_critic`.

    Parameters
    ----------
    samples
        Number >= 1 of transitions from the data, and of rollouts, in each sweep.
    rng
        Source of randomness.

    Returns
    -------
    Trace
        As :func:`hybrid_actor_critic` describes; values and losses are exact.

    References
    ----------
    :cite:`zhou2024`, Algorithms 1 and 2
    """
    times, record = _empty_record(mdp, iterations)
    fit = _fit(mdp, data, weight, None, None, burn_in, kept, _rate(mdp, discount, iterations, step))
    samples, process = count(samples, "samples", at_least=1), dense_process(mdp, discount)
    sums, weights = np.zeros((2, mdp.choices))
    with sign_of_life(f"sampled hybrid actor-critic on {mdp}"):
        _run_by_samples(
            process,
            cumulative_laws([mdp]),
            np.cumsum(fit.data),
            fit,
            samples,
            sums,
            weights,
            _new_state(mdp, log_start(mdp, None)),
            times,
            record,
            rng,
        )
    return _labelled("sampled hybrid actor-critic", times, record)


def _exact(
    name: str,
    mdp: MDP,
    discount: float,
    data: ArrayLike,
    iterations: int,
    burn_in: int,
    kept: int,
    weight: float,
    step: float | None,
    features: ArrayLike | None,
    policy_features: ArrayLike | None,
) -> Trace:
    times, record = _empty_record(mdp, iterations)
    rate = _rate(mdp, discount, iterations, step)
    fit = _fit(mdp, data, weight, features, policy_features, burn_in, kept, rate)
    with sign_of_life(f"{name} on {mdp}"):
        _run(dense_process(mdp, discount), fit, _new_state(mdp, log_start(mdp, None)), times, record)
    return _labelled(name, times, record)


def _fit(
    mdp: MDP,
    data: ArrayLike,
    weight: float,
    features: ArrayLike | None,
    policy_features: ArrayLike | None,
    burn_in: int,
    kept: int,
    rate: float,
) -> Fit:
    distribution = _of_choices(data, "data", mdp)
    if (distribution < 0).any() or abs(distribution.sum() - 1) > 1e-9:
        raise ValueError(f"data sum to {distribution.sum():.12g}; they must be probabilities >= 0 that sum to 1")
    if not weight >= 0:
        raise ValueError(f"weight is {weight}; it must be >= 0, or inf")
    share = 1.0 if weight == math.inf else fraction(weight / (1 + weight), "share")
    return Fit(
        distribution,
        share,
        _features(features, "features", mdp),
        _features(policy_features, "policy_features", mdp),
        count(burn_in, "burn_in"),
        count(kept, "kept", at_least=1),
        rate,
    )


def _features(values: ArrayLike | None, name: str, mdp: MDP) -> Matrix:
    """Features of the choices; no column for a table."""
    matrix = np.empty((mdp.choices, 0)) if values is None else float_array(values, name, ndim=2)
    if len(matrix) != mdp.choices:
        raise ValueError(f"{name} has {len(matrix)} rows; it must have one for each of {mdp.choices} choices")
    return matrix


def _of_choices(values: ArrayLike, name: str, mdp: MDP) -> Vector:
    vector = float_array(values, name, ndim=1)
    if vector.size != mdp.choices:
        raise ValueError(f"{name} has {vector.size} entries; it must have one for each of {mdp.choices} choices")
    return vector


def _rate(mdp: MDP, discount: float, iterations: int, step: float | None) -> float:
    if step is not None:
        return positive(step, "step")
    actions = max(int(np.diff(mdp.first_choice).max()), 2)
    return (1 - discount) * math.sqrt(math.log(actions) / iterations)


def _new_state(mdp: MDP, log_policy: Vector) -> State:
    return State(log_policy, np.exp(log_policy), new_evaluation(mdp), np.zeros(mdp.states), *np.zeros((6, mdp.choices)))


def _empty_record(mdp: MDP, iterations: int) -> tuple[Times, Record]:
    times = record_times(count(iterations, "iterations", at_least=1))
    return times, Record(*np.zeros((3, times.size, mdp.choices)), *np.zeros((5, times.size)))


def _labelled(name: str, times: Times, record: Record) -> Trace:
    values = {field: (("time", "choice")[: array.ndim], array) for field, array in record._asdict().items()}
    return Trace(name, times, values)
