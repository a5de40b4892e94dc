r"""Stochastic policy gradients with variance reduced by momentum, and the methods that they are compared with.

All follow a direction d, an estimate of :math:`\nabla J(\theta)`, with

.. math:: \theta_{t+1} = \theta_t + \gamma_t \frac{d_t}{\|d_t\|}, \qquad \gamma_t = \frac{c}{t + t_0},

or without the norm. With g and B from :mod:`rltheory.algorithms.discounted.trajectory_gradients`, all trajectories
being fresh:

- **N-PG-IGT** looks ahead, so that old gradients count as if taken here, to second order:
  :math:`d_t = (1 - \eta_t) d_{t-1} + \eta_t\, g(\tau_t, \tilde\theta_t)`,
  :math:`\tilde\theta_t = \theta_t + \frac{1 - \eta_t}{\eta_t} (\theta_t - \theta_{t-1})`,
  :math:`\eta_t = (2 / (t + 2))^{4/5}`.
- **HARPG** moves old gradients along by the Hessian at a uniformly random point of the last step:
  :math:`d_t = (1 - \eta_t) \bigl(d_{t-1} + B(\hat\tau_t, \hat\theta_t)(\theta_t - \theta_{t-1})\bigr)
  + \eta_t\, g(\tau_t, \theta_t)`, :math:`\hat\theta_t = q \theta_t + (1 - q) \theta_{t-1}`,
  :math:`\eta_t = 2 / (t + 2)`. Normalised, it is N-HARPG.
- **Policy gradient ascent**: :math:`d_t = g(\tau_t, \theta_t)`, by GPOMDP or REINFORCE.
- **SVRPG**: :math:`d_t = g(\tau_t, \theta_t) - \omega\, g(\tau_t, \theta') + \mu'`, where :math:`\mu'` is a mean
  estimate at a point :math:`\theta'` met every m iterations, and
  :math:`\omega = p_{\theta'}(\tau_t) / p_{\theta_t}(\tau_t)`.

Papers: :cite:`fatkhullin2023`; SVRPG :cite:`papini2018`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.discounted.trajectory_gradients import (
    Trajectory,
    add_gradient,
    add_hessian_product,
    empty_trajectory,
    likelihood_ratio,
    prepare,
    sample,
)
from rltheory.arrays import Matrix, Times, Vector, count, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems.policy_classes import ClassArrays, PolicyClass
from rltheory.simplex import copy_to
from rltheory.solvers.occupancy import checked_discount
from rltheory.trace import Trace, record_times

__all__ = ["harpg", "n_pg_igt", "policy_gradient_ascent", "svrpg"]


class Params(NamedTuple):
    """Constants of a run."""

    step: float  # c > 0
    delay: float  # t_0 > 0
    power: float  # of 1 / (t + t_0), > 0
    normalised: bool


class State(NamedTuple):
    """Where a run stands; the arrays are overwritten by each iteration."""

    parameters: Vector  # (P,) theta_t
    previous: Vector  # (P,) theta_{t-1}
    direction: Vector  # (P,) d_{t-1}
    point: Vector  # (P,) where a trajectory is sampled
    gradient: Vector  # (P,) an estimate
    moved: Vector  # (P,) theta_t - theta_{t-1}


@kernel
def _advance(state: State, params: Params, t: int) -> None:
    """Follow the direction."""
    parameters, previous, direction, _, _, moved = state
    step, delay, power, normalised = params
    size = step / (t + delay) ** power
    if normalised:
        norm = 0.0
        for p in range(direction.size):
            norm += direction[p] ** 2
        size = size / np.sqrt(norm) if norm > 0.0 else 0.0
    for p in range(direction.size):
        moved[p] = size * direction[p]
        previous[p] = parameters[p]
        parameters[p] += moved[p]


@kernel
def _estimate(
    family: ClassArrays, point: Vector, trajectory: Trajectory, causal: bool, out: Vector, rng: np.random.Generator
) -> None:
    """Write the gradient at `point`, estimated from a fresh trajectory, to `out`."""
    for p in range(out.size):
        out[p] = 0.0
    prepare(family, point, trajectory.policy)
    sample(family, point, trajectory, rng)
    add_gradient(family, point, trajectory.policy, trajectory, causal, 1.0, out)


@kernel
def _record(state: State, k: int, before: Matrix, directions: Matrix, after: Matrix) -> None:
    copy_to(state.previous, before[k])
    copy_to(state.direction, directions[k])
    copy_to(state.parameters, after[k])


@kernel
def _run_igt(
    state: State,
    family: ClassArrays,
    params: Params,
    trajectory: Trajectory,
    times: Times,
    recorded: tuple[Matrix, Matrix, Matrix],
    rng: np.random.Generator,
) -> None:
    parameters, _, direction, point, gradient, moved = state
    done = 0
    for k in range(times.size):
        for t in range(done, times[k] + 1):
            eta = (2.0 / (t + 2.0)) ** 0.8
            for p in range(point.size):
                point[p] = parameters[p] + (1.0 - eta) / eta * moved[p]
            _estimate(family, point, trajectory, True, gradient, rng)
            for p in range(point.size):
                direction[p] += eta * (gradient[p] - direction[p])
            _advance(state, params, t)
        done = times[k] + 1
        _record(state, k, *recorded)


@kernel
def _run_harpg(
    state: State,
    family: ClassArrays,
    params: Params,
    trajectory: Trajectory,
    times: Times,
    recorded: tuple[Matrix, Matrix, Matrix],
    rng: np.random.Generator,
) -> None:
    parameters, _, direction, point, gradient, moved = state
    done = 0
    for k in range(times.size):
        for t in range(done, times[k] + 1):
            eta = 2.0 / (t + 2.0)
            if t > 0:
                q = rng.random()
                for p in range(point.size):
                    point[p] = parameters[p] - (1.0 - q) * moved[p]
                _estimate(family, point, trajectory, True, gradient, rng)
                add_hessian_product(family, point, trajectory.policy, trajectory, moved, gradient, 1.0, direction)
            _estimate(family, parameters, trajectory, True, gradient, rng)
            for p in range(point.size):
                direction[p] += eta * (gradient[p] - direction[p])
            _advance(state, params, t)
        done = times[k] + 1
        _record(state, k, *recorded)


@kernel
def _run_ascent(
    state: State,
    family: ClassArrays,
    params: Params,
    trajectory: Trajectory,
    causal: bool,
    times: Times,
    recorded: tuple[Matrix, Matrix, Matrix],
    rng: np.random.Generator,
) -> None:
    done = 0
    for k in range(times.size):
        for t in range(done, times[k] + 1):
            _estimate(family, state.parameters, trajectory, causal, state.direction, rng)
            _advance(state, params, t)
        done = times[k] + 1
        _record(state, k, *recorded)


@kernel
def _run_svrpg(
    state: State,
    family: ClassArrays,
    params: Params,
    trajectory: Trajectory,
    period: int,
    batch: int,
    anchor: Vector,
    anchor_policy: Vector,
    anchor_gradient: Vector,
    times: Times,
    recorded: tuple[Matrix, Matrix, Matrix],
    rng: np.random.Generator,
) -> None:
    parameters, _, direction, _, gradient, _ = state
    done = 0
    for k in range(times.size):
        for t in range(done, times[k] + 1):
            if t % period == 0:
                copy_to(parameters, anchor)
                prepare(family, anchor, anchor_policy)
                for p in range(anchor.size):
                    anchor_gradient[p] = 0.0
                for _ in range(batch):
                    _estimate(family, anchor, trajectory, True, gradient, rng)
                    for p in range(anchor.size):
                        anchor_gradient[p] += gradient[p] / batch
            _estimate(family, parameters, trajectory, True, direction, rng)
            ratio = likelihood_ratio(family, parameters, trajectory.policy, anchor, anchor_policy, trajectory)
            add_gradient(family, anchor, anchor_policy, trajectory, True, -ratio, direction)
            for p in range(anchor.size):
                direction[p] += anchor_gradient[p]
            _advance(state, params, t)
        done = times[k] + 1
        _record(state, k, *recorded)


class _Run(NamedTuple):
    """What all methods need, checked."""

    state: State
    params: Params
    trajectory: Trajectory
    times: Times
    recorded: tuple[Matrix, Matrix, Matrix]

    def trace(self, name: str, trajectories: Times) -> Trace:
        labels = ("parameters", "direction", "next")
        return Trace(
            name,
            self.times,
            {label: (("time", "parameter"), array) for label, array in zip(labels, self.recorded, strict=True)}
            | {"trajectories": (("time",), trajectories)},
        )


def _prepared(
    policies: PolicyClass,
    discount: float,
    iterations: int,
    horizon: int,
    start: ArrayLike | None,
    params: Params,
) -> _Run:
    size = policies.parameters
    first = np.zeros(size) if start is None else policies.checked(start, "start")
    checked = Params(positive(params.step, "step"), positive(params.delay, "delay"), params.power, params.normalised)
    times = record_times(count(iterations, "iterations"))
    room = empty_trajectory(policies, checked_discount(discount), count(horizon, "horizon", at_least=1))
    before, directions, after = np.empty((3, times.size, size))
    state = State(first, first.copy(), *np.zeros((4, size)))
    return _Run(state, checked, room, times, (before, directions, after))


def n_pg_igt(
    policies: PolicyClass,
    *,
    discount: float,
    iterations: int,
    horizon: int,
    rng: np.random.Generator,
    step: float = 1.0,
    delay: float = 2.0,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run the normalised policy gradient with implicit gradient transport: one trajectory in each iteration.

    Parameters
    ----------
    policies
        The class, P parameters.
    discount
        :math:`\gamma \in [0, 1)`.
    iterations
        Last recorded time, >= 0.
    horizon
        Length H >= 1 of the trajectories.
    rng
        Source of randomness.
    step, delay
        :math:`c > 0` and :math:`t_0 > 0` of the steps :math:`c / (t + t_0)`, which are distances between parameters.
    start : array_like, shape (P,), optional
        First parameters; zero by default.

    Returns
    -------
    Trace
        At each recorded time t the arrays ``parameters``, ``direction`` and ``next``, which are :math:`\theta_t`,
        :math:`d_t` and :math:`\theta_{t+1}`, shape (time, parameter); and ``trajectories``, the number sampled before.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the start has another size.

    References
    ----------
    :cite:`fatkhullin2023`

    Examples
    --------
    >>> from rltheory.problems import SoftmaxPolicies, TabularMDP
    >>> bandit = SoftmaxPolicies(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]]))
    >>> rng = np.random.default_rng(0)
    >>> trace = n_pg_igt(bandit, discount=0.0, iterations=1000, horizon=1, rng=rng)
    >>> bool(bandit.probabilities(trace.last("parameters"))[0] > 0.99)
    True
    """
    run = _prepared(policies, discount, iterations, horizon, start, Params(step, delay, 1.0, True))
    _run_igt(run.state, policies.arrays, run.params, run.trajectory, run.times, run.recorded, rng)
    return run.trace("N-PG-IGT", run.times)


def harpg(
    policies: PolicyClass,
    *,
    discount: float,
    iterations: int,
    horizon: int,
    rng: np.random.Generator,
    step: float = 1.0,
    delay: float = 2.0,
    normalised: bool = True,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run the Hessian-aided recursive policy gradient: two trajectories in each iteration, but one in the first.

    Parameters
    ----------
    policies, discount, iterations, horizon, rng, step, delay, start
        As of :func:`n_pg_igt`.
    normalised
        Whether steps have the length :math:`\gamma_t`, as in N-HARPG, or are :math:`\gamma_t d_t`; those of length
        cannot blow up.

    Returns
    -------
    Trace
        As of :func:`n_pg_igt`.

    Raises
    ------
    ValueError, TypeError
        As :func:`n_pg_igt`.

    References
    ----------
    :cite:`fatkhullin2023`

    Examples
    --------
    >>> from rltheory.problems import SoftmaxPolicies, TabularMDP
    >>> bandit = SoftmaxPolicies(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]]))
    >>> trace = harpg(bandit, discount=0.0, iterations=1000, horizon=1, rng=np.random.default_rng(0))
    >>> bool(bandit.probabilities(trace.last("parameters"))[0] > 0.99)
    True
    """
    run = _prepared(policies, discount, iterations, horizon, start, Params(step, delay, 1.0, normalised))
    _run_harpg(run.state, policies.arrays, run.params, run.trajectory, run.times, run.recorded, rng)
    return run.trace("N-HARPG" if normalised else "HARPG", np.maximum(2 * run.times - 1, 0))


def policy_gradient_ascent(
    policies: PolicyClass,
    *,
    discount: float,
    iterations: int,
    horizon: int,
    rng: np.random.Generator,
    step: float = 1.0,
    delay: float = 2.0,
    power: float = 1.0,
    normalised: bool = False,
    causal: bool = True,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run stochastic policy gradient ascent: one trajectory in each iteration, without memory.

    Parameters
    ----------
    policies, discount, iterations, horizon, rng, start
        As of :func:`n_pg_igt`.
    step, delay, power
        Step sizes :math:`c / (t + t_0)^p`, all > 0, the power being >= 0.
    normalised
        Whether the direction is divided by its norm.
    causal
        Whether an action is credited with later rewards only (GPOMDP), or with all of them (REINFORCE).

    Returns
    -------
    Trace
        As of :func:`n_pg_igt`.

    Raises
    ------
    ValueError, TypeError
        As :func:`n_pg_igt`, or if the power is < 0.

    References
    ----------
    :cite:`williams1992`, :cite:`baxter2001`

    Examples
    --------
    >>> from rltheory.problems import SoftmaxPolicies, TabularMDP
    >>> bandit = SoftmaxPolicies(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]]))
    >>> rng = np.random.default_rng(0)
    >>> trace = policy_gradient_ascent(bandit, discount=0.0, iterations=1000, horizon=1, power=0.5, rng=rng)
    >>> bool(bandit.probabilities(trace.last("parameters"))[0] > 0.9)
    True
    """
    params = Params(step, delay, not_negative(power, "power"), normalised)
    run = _prepared(policies, discount, iterations, horizon, start, params)
    _run_ascent(run.state, policies.arrays, run.params, run.trajectory, causal, run.times, run.recorded, rng)
    return run.trace("GPOMDP" if causal else "REINFORCE", run.times)


def svrpg(
    policies: PolicyClass,
    *,
    discount: float,
    iterations: int,
    horizon: int,
    period: int,
    batch: int,
    rng: np.random.Generator,
    step: float = 1.0,
    delay: float = 2.0,
    power: float = 1.0,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run the stochastic variance-reduced policy gradient, whose likelihood ratios have no bounded variance.

    Parameters
    ----------
    policies, discount, iterations, horizon, rng, start
        As of :func:`n_pg_igt`.
    period, batch
        Every `period` iterations, >= 1, the gradient is estimated from a `batch` of trajectories, >= 1; the other
        iterations sample one.
    step, delay, power
        Step sizes :math:`c / (t + t_0)^p`, all > 0, the power being >= 0.

    Returns
    -------
    Trace
        As of :func:`n_pg_igt`.

    Raises
    ------
    ValueError, TypeError
        As :func:`n_pg_igt`, or if the power is < 0.

    References
    ----------
    :cite:`papini2018`

    Examples
    --------
    >>> from rltheory.problems import SoftmaxPolicies, TabularMDP
    >>> bandit = SoftmaxPolicies(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]]))
    >>> rng = np.random.default_rng(0)
    >>> trace = svrpg(bandit, discount=0.0, iterations=100, horizon=1, period=10, batch=10, power=0.5, rng=rng)
    >>> bool(bandit.probabilities(trace.last("parameters"))[0] > 0.9), trace.last("trajectories")
    (True, np.int64(200))
    """
    period, batch = count(period, "period", at_least=1), count(batch, "batch", at_least=1)
    params = Params(step, delay, not_negative(power, "power"), False)
    run = _prepared(policies, discount, iterations, horizon, start, params)
    anchor, anchor_gradient = np.empty((2, policies.parameters))
    anchor_policy = np.empty(policies.mdp.choices)
    _run_svrpg(
        run.state,
        policies.arrays,
        run.params,
        run.trajectory,
        period,
        batch,
        anchor,
        anchor_policy,
        anchor_gradient,
        run.times,
        run.recorded,
        rng,
    )
    return run.trace("SVRPG", run.times + batch * ((run.times + period - 1) // period))
