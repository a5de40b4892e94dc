r"""Policy mirror descent with exact values; natural policy gradient is its form with entropy.

.. math:: \pi_{k+1}(\cdot | s) = \mathrm{arg\,max}_p \; \eta_k \langle Q_k(s, \cdot), p \rangle - D(p, \pi_k(\cdot | s))

===========  ==============================  ================================================================
geometry     :math:`D(p, q)`                 update
===========  ==============================  ================================================================
entropy      :math:`\mathrm{KL}(p \| q)`     :math:`\log \pi_{k+1} = \log \pi_k + \eta_k Q_k + c`
Euclidean    :math:`\tfrac12 \|p - q\|_2^2`  :math:`\pi_{k+1}` is the projection of :math:`\pi_k + \eta_k Q_k`
===========  ==============================  ================================================================

**Two normalisations.** The step :math:`\eta` here is that of :cite:`xiao2022` and :cite:`lan2023`. The literature on
the natural gradient writes :math:`\theta \leftarrow \theta + \tilde\eta F^+ \nabla J`; as :math:`F^+ \nabla J` is the
advantage over :math:`1 - \gamma`, its step is :math:`\tilde\eta = (1 - \gamma)\,\eta`. Only
:func:`natural_policy_gradient` takes :math:`\tilde\eta`. With the entropy rewarded at temperature :math:`\tau` it is

.. math:: \log \pi_{k+1} = \beta \log \pi_k + (1 - \beta) \frac{Q_k}{\tau} + c, \qquad
          \beta = 1 - \frac{\tilde\eta \tau}{1 - \gamma} = \frac{1}{1 + \eta_\circ \tau},

where :math:`\eta_\circ = \eta / \beta` is the step of a proximal map which penalises by :math:`\tau` as well;
:math:`\beta = 0` is soft policy iteration.

Papers: :cite:`xiao2022`, :cite:`lan2023`, :cite:`johnson2023`, :cite:`cen2022`. Departures: policies are kept as
logarithms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.discounted.exact_policies import (
    DenseProcess,
    Evaluation,
    climb,
    dense_process,
    evaluate,
    labelled,
    log_start,
    new_evaluation,
)
from rltheory.arrays import Matrix, Times, Vector, count, float_array, not_negative, positive, positives
from rltheory.jit import kernel
from rltheory.problems import MDP
from rltheory.problems.mdp import Indices
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to
from rltheory.trace import Trace, record_times

__all__ = ["adaptive_policy_mirror_descent", "natural_policy_gradient", "policy_mirror_descent", "project"]


class Params(NamedTuple):
    """Constants of the run."""

    steps: Vector  # (T,) eta_k, > 0, in 1 / value; where adaptive, what a greedy step may lose, in value
    adaptive: bool  # whether steps are found from what they may lose
    euclidean: bool  # geometry
    keep: float  # weight of the old logarithms, in [0, 1]; 1 without temperature
    temperature: float  # tau >= 0, in value


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (C,) log pi_k, -inf where a projection gave 0
    policy: Vector  # (C,) pi_k
    evaluation: Evaluation  # of pi_k
    sorted: Vector  # (C,) room for a projection


@kernel
def project(point: Vector, room: Vector) -> None:
    """Replace a point by the nearest one of the simplex: all entries fall by the same amount, but not below 0."""
    for a in range(point.size):
        room[a] = point[a]
    room.sort()
    total, fall = 0.0, 0.0
    for taken in range(1, point.size + 1):
        largest = room[point.size - taken]
        total += largest
        level = (total - 1.0) / taken
        if largest > level:
            fall = level
    for a in range(point.size):
        point[a] = max(point[a] - fall, 0.0)


@kernel
def _project_by_state(first_choice: Indices, step: float, state: State) -> None:
    """Replace the policy by the projection of pi + eta Q in each state."""
    log_policy, policy, evaluation, room = state
    for s in range(first_choice.size - 1):
        begin, end = first_choice[s], first_choice[s + 1]
        best = evaluation.action_values[begin:end].max()
        for c in range(begin, end):
            # The same in each entry, it moves no projection; it keeps the largest entries small.
            policy[c] += step * (evaluation.action_values[c] - best)
        project(policy[begin:end], room[begin:end])
    for c in range(policy.size):
        log_policy[c] = np.log(policy[c])


@kernel
def divergence_of_greedy(first_choice: Indices, euclidean: bool, state: State) -> float:
    """Largest divergence of a greedy decision from the policy; of several greedy choices the nearest counts."""
    log_policy, policy, evaluation, _ = state
    furthest = 0.0
    for s in range(first_choice.size - 1):
        best = evaluation.action_values[first_choice[s] : first_choice[s + 1]].max()
        nearest = first_choice[s]
        for c in range(first_choice[s], first_choice[s + 1]):
            if evaluation.action_values[c] == best and (
                evaluation.action_values[nearest] < best or log_policy[c] > log_policy[nearest]
            ):
                nearest = c
        divergence = -log_policy[nearest]
        if euclidean:
            others, squares = 0.0, 0.0
            for c in range(first_choice[s], first_choice[s + 1]):
                if c != nearest:
                    others += policy[c]
                    squares += policy[c] * policy[c]
            divergence = 0.5 * (squares + others * others)
        furthest = max(furthest, divergence)
    return furthest


@kernel
def iterate(state: State, process: DenseProcess, params: Params, k: int) -> float:
    """Make step k, evaluate the new policy, and return the step size."""
    steps, adaptive, euclidean, keep, temperature = params
    step: float = steps[k]
    if adaptive:
        step = divergence_of_greedy(process.first_choice, euclidean, state) / steps[k]
    if euclidean:
        _project_by_state(process.first_choice, step, state)
    else:
        climb(process.first_choice, keep, step, state.evaluation.action_values, state.log_policy, state.policy)
    evaluate(process, state.log_policy, state.policy, temperature, state.evaluation)
    return step


@kernel
def _run(
    state: State,
    process: DenseProcess,
    params: Params,
    times: Times,
    log_policies: Matrix,
    log_nexts: Matrix,
    action_values: Matrix,
    values: Matrix,
    next_values: Matrix,
    steps: Vector,
) -> None:
    evaluate(process, state.log_policy, state.policy, params.temperature, state.evaluation)
    done = 0
    for k in range(times.size):
        while done < times[k]:
            iterate(state, process, params, done)
            done += 1
        copy_to(state.log_policy, log_policies[k])
        copy_to(state.evaluation.action_values, action_values[k])
        copy_to(state.evaluation.values, values[k])
        steps[k] = iterate(state, process, params, done)
        done += 1
        copy_to(state.log_policy, log_nexts[k])
        copy_to(state.evaluation.values, next_values[k])


def _traced(name: str, mdp: MDP, process: DenseProcess, params: Params, start: ArrayLike | None) -> Trace:
    times = record_times(params.steps.size - 1)
    first = log_start(mdp, start)
    state = State(first, np.exp(first), new_evaluation(mdp), np.empty(mdp.choices))
    by_choice = np.empty((3, times.size, mdp.choices))
    by_state = np.empty((2, times.size, mdp.states))
    steps = np.empty(times.size)
    log_policies, log_nexts, action_values = by_choice
    values, next_values = by_state
    with sign_of_life(f"{name} on {mdp}"):
        _run(state, process, params, times, log_policies, log_nexts, action_values, values, next_values, steps)
    return Trace(
        name,
        times,
        labelled("choice", ("log_policy", "log_next", "action_values"), by_choice)
        | labelled("state", ("values", "next_values"), by_state)
        | {"step": (("time",), steps)},
    )


def policy_mirror_descent(
    mdp: MDP, discount: float, *, steps: ArrayLike, euclidean: bool = False, start: ArrayLike | None = None
) -> Trace:
    r"""Run policy mirror descent with given step sizes.

    Parameters
    ----------
    mdp
        The process, S states, C choices; some hundred states at most.
    discount
        Discount factor in [0, 1).
    steps : array_like, shape (T,)
        Step sizes :math:`\eta_0, ..., \eta_{T-1} > 0`, in 1 / value; one for each iteration, T >= 1.
    euclidean
        Whether the divergence is half the squared Euclidean distance; else it is Kullback-Leibler's.
    start : array_like, shape (C,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        At each recorded time k < T, of shape (time, choice), ``log_policy`` and ``log_next``, the logarithms
        of :math:`\pi_k` and :math:`\pi_{k+1}`, -inf where a projection gives 0, and ``action_values`` of
        :math:`\pi_k`; of shape (time, state) ``values`` and ``next_values`` of both policies; and the ``step``.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or `start` is no policy with full support.

    References
    ----------
    :cite:`xiao2022`, :cite:`lan2023`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = policy_mirror_descent(river_swim(3), 0.9, steps=np.full(30, 10.0))
    >>> np.exp(trace.last("log_policy")).round(3)
    array([0., 1., 0., 1., 0., 1.])
    """
    sizes = float_array(steps, "steps", ndim=1)
    sizes = positives(sizes, "steps", count(sizes.size, "number of steps", at_least=1))
    params = Params(sizes, False, bool(euclidean), 1.0, 0.0)
    return _traced("policy mirror descent", mdp, dense_process(mdp, discount), params, start)


def adaptive_policy_mirror_descent(
    mdp: MDP, discount: float, *, losses: ArrayLike, euclidean: bool = False, start: ArrayLike | None = None
) -> Trace:
    r"""Run policy mirror descent with the smallest steps that lose little against a greedy step.

    .. math:: \eta_k = \frac{1}{c_k} \max_s \min_g D(g, \pi_k(\cdot | s)),

    over the greedy decisions g, those of largest :math:`Q_k(s, \cdot)`. Then
    :math:`\langle Q_k, \pi_{k+1} \rangle_s \ge \max_a Q_k(s, a) - c_k` in each state.

    Parameters
    ----------
    losses : array_like, shape (T,)
        What each step may lose, :math:`c_k > 0`, in units of value, T >= 1.
    mdp, discount, euclidean, start
        As for :func:`policy_mirror_descent`, also what is returned and raised.

    References
    ----------
    :cite:`johnson2023`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = adaptive_policy_mirror_descent(river_swim(3), 0.9, losses=0.9 ** np.arange(1, 80, 2))
    >>> np.exp(trace.last("log_policy")).round(3)
    array([0., 1., 0., 1., 0., 1.])
    """
    allowed = float_array(losses, "losses", ndim=1)
    allowed = positives(allowed, "losses", count(allowed.size, "number of losses", at_least=1))
    params = Params(allowed, True, bool(euclidean), 1.0, 0.0)
    return _traced("adaptive policy mirror descent", mdp, dense_process(mdp, discount), params, start)


def natural_policy_gradient(
    mdp: MDP,
    discount: float,
    *,
    step: float,
    iterations: int,
    temperature: float = 0.0,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run the natural policy gradient :math:`\theta \leftarrow \theta + \tilde\eta F^+ \nabla J` of a softmax policy.

    With a temperature the return J includes :math:`\tau` times the discounted entropies of all decisions.

    Parameters
    ----------
    mdp, discount, start
        As for :func:`policy_mirror_descent`, also what is returned.
    step
        Step size :math:`\tilde\eta > 0` of the natural gradient, :math:`1 - \gamma` times that of mirror descent; with
        a temperature at most :math:`(1 - \gamma) / \tau`, with which it is soft policy iteration.
    iterations
        Number of iterations, >= 1.
    temperature
        :math:`\tau \ge 0`, in units of reward.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or `start` is no policy with full support.

    References
    ----------
    :cite:`kakade2001`, :cite:`cen2022`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = natural_policy_gradient(river_swim(3), 0.9, step=0.5, iterations=50, temperature=0.1)
    >>> np.exp(trace.last("log_policy")).round(3)
    array([0.039, 0.961, 0.   , 1.   , 0.   , 1.   ])
    """
    step, temperature = positive(step, "step"), not_negative(temperature, "temperature")
    process = dense_process(mdp, discount)
    rate = step / (1 - process.discount)
    if step * temperature > (1 - process.discount) * (1 + 1e-12):  # a quotient may be rounded up
        largest = (1 - process.discount) / temperature
        raise ValueError(f"step is {step}; with temperature {temperature} it must be at most {largest:.12g}")
    sizes = np.full(count(iterations, "iterations", at_least=1), rate)
    params = Params(sizes, False, False, max(1 - rate * temperature, 0.0), temperature)
    return _traced("natural policy gradient", mdp, process, params, start)
