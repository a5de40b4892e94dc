r"""Mirror descent policy optimisation (MDPO): each step of mirror descent is approached by gradient steps.

With the advantages :math:`A_k` of :math:`\pi_k` and weights w of the states, iteration k takes m steps from
:math:`\pi_k` that climb, in the logits of a softmax policy,

.. math:: F_k(\pi) = \sum_s w(s) \Bigl(\langle \pi, A_k \rangle_s - \tfrac1{t_k} \mathrm{KL}(\pi \| \pi_k)_s\Bigr),\quad
          \frac{\partial F_k}{\partial \theta(c)} = w(s)\, \pi(c) \bigl(q(c) - \langle \pi, q \rangle_s\bigr), \qquad
          q = A_k - \tfrac1{t_k} \log \frac{\pi}{\pi_k}.

On policy the weights are the discounted probabilities of the states under :math:`\pi_k`; with a replay buffer they are
the average of those of all policies so far. Two relatives differ in the penalty alone: the divergence
:math:`\mathrm{KL}(\pi_k \| \pi)` of :cite:`schulman2015`, and the clipped ratios of :cite:`schulman2017`.

Paper: :cite:`tomar2022`. Departures: values, occupancies and gradients are exact.
"""

from enum import IntEnum
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
    gradient_to,
    labelled,
    log_start,
    new_evaluation,
    occupy,
)
from rltheory.arrays import Matrix, Times, Vector, count, float_array, positive, positives
from rltheory.jit import kernel
from rltheory.problems import MDP
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to
from rltheory.trace import Trace, record_times

__all__ = ["Penalty", "mdpo"]


class Penalty(IntEnum):
    """What keeps the new policy near the old one."""

    NEW_FROM_OLD = 0  # KL(new || old) / t_k, of MDPO
    OLD_FROM_NEW = 1  # KL(old || new) / t_k, of trust regions
    CLIPPED = 2  # no gain from ratios new / old outside of [1 - t_k, 1 + t_k]


class Params(NamedTuple):
    """Constants of the run."""

    steps: Vector  # (T,) t_k > 0
    inner_steps: int  # m >= 1
    inner_rate: float  # step size in the logits, > 0
    penalty: int  # a Penalty
    replay: bool  # whether the weights of the states are averages over all policies so far


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (C,) log pi_k
    policy: Vector  # (C,) pi_k
    log_old: Vector  # (C,) log pi_{k-1}
    evaluation: Evaluation  # of pi_k
    occupancy: Vector  # (S,) discounted probabilities of the states under pi_{k-1}
    weights: Vector  # (S,) w
    advantages: Vector  # (C,) A_{k-1}
    inner: Vector  # (C,) q
    gradient: Vector  # (C,) of the surrogate


@kernel
def _inner_values(state: State, step: float, penalty: int) -> None:
    """Write q: its centred part is the derivative of the surrogate, up to the weights and the old policy's part."""
    log_policy, _, log_old, _, _, _, advantages, inner, _ = state
    for c in range(inner.size):
        inner[c] = advantages[c]
        change = log_policy[c] - log_old[c]
        if penalty == 0:
            inner[c] -= change / step
        elif penalty == 2:
            ratio = np.exp(change)
            if (advantages[c] > 0.0 and ratio > 1.0 + step) or (advantages[c] < 0.0 and ratio < 1.0 - step):
                inner[c] = 0.0


@kernel
def iterate(state: State, process: DenseProcess, params: Params, k: int) -> None:
    """Make iteration k, and evaluate the new policy."""
    log_policy, policy, log_old, evaluation, occupancy, weights, advantages, inner, gradient = state
    steps, inner_steps, inner_rate, penalty, replay = params
    first_choice, step = process.first_choice, steps[k]
    copy_to(log_policy, log_old)
    advantages_to(first_choice, policy, evaluation.action_values, advantages)
    occupy(process, evaluation, occupancy)
    for s in range(weights.size):
        weights[s] = (k * weights[s] + occupancy[s]) / (k + 1.0) if replay else occupancy[s]
    for _ in range(inner_steps):
        _inner_values(state, step, penalty)
        gradient_to(first_choice, weights, policy, inner, gradient)
        if penalty == 1:
            for s in range(weights.size):
                for c in range(first_choice[s], first_choice[s + 1]):
                    gradient[c] += weights[s] * (np.exp(log_old[c]) - policy[c]) / step
        climb(first_choice, 1.0, inner_rate, gradient, log_policy, policy)
    evaluate(process, log_policy, policy, 0.0, evaluation)


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
    weights: Matrix,
) -> None:
    evaluate(process, state.log_policy, state.policy, 0.0, state.evaluation)
    done = 0
    for k in range(times.size):
        while done < times[k]:
            iterate(state, process, params, done)
            done += 1
        copy_to(state.log_policy, log_policies[k])
        copy_to(state.evaluation.action_values, action_values[k])
        copy_to(state.evaluation.values, values[k])
        iterate(state, process, params, done)
        done += 1
        copy_to(state.log_policy, log_nexts[k])
        copy_to(state.weights, weights[k])


def mdpo(
    mdp: MDP,
    discount: float,
    *,
    steps: ArrayLike,
    inner_steps: int,
    inner_rate: float = 1.0,
    penalty: Penalty = Penalty.NEW_FROM_OLD,
    replay: bool = False,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run mirror descent policy optimisation, or a relative with another penalty.

    Parameters
    ----------
    mdp
        The process, S states, C choices; some hundred states at most.
    discount
        Discount factor in [0, 1).
    steps : array_like, shape (T,)
        Step sizes :math:`t_0, ..., t_{T-1} > 0` of mirror descent, in 1 / value, one for each iteration; the paper's
        decrease from 1. With clipping they are the ranges of the ratios.
    inner_steps
        Number m of gradient steps in an iteration, >= 1.
    inner_rate
        Size of the gradient steps in the logits, > 0.
    penalty
        What keeps the new policy near the old one.
    replay
        Whether the states are weighted by all policies so far; else by the current one.
    start : array_like, shape (C,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        At each recorded time k < T, of shape (time, choice), ``log_policy`` and ``log_next``, the logarithms
        of :math:`\pi_k` and :math:`\pi_{k+1}`, and ``action_values`` of :math:`\pi_k`; of shape (time, state) its
        ``values``, and the ``weights`` of the states.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or `start` is no policy with full support.

    References
    ----------
    :cite:`tomar2022`; the relatives :cite:`schulman2015`, :cite:`schulman2017`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = mdpo(river_swim(3), 0.9, steps=np.full(60, 10.0), inner_steps=100)
    >>> np.exp(trace.last("log_policy")).round(2)
    array([0., 1., 0., 1., 0., 1.])
    """
    sizes = float_array(steps, "steps", ndim=1)
    sizes = positives(sizes, "steps", count(sizes.size, "number of steps", at_least=1))
    inner_steps, inner_rate = count(inner_steps, "inner_steps", at_least=1), positive(inner_rate, "inner_rate")
    params = Params(sizes, inner_steps, inner_rate, int(Penalty(penalty)), bool(replay))
    process = dense_process(mdp, discount)
    times = record_times(sizes.size - 1)
    first = log_start(mdp, start)
    state = State(
        first,
        np.exp(first),
        np.empty(mdp.choices),
        new_evaluation(mdp),
        *np.zeros((2, mdp.states)),
        *np.empty((3, mdp.choices)),
    )
    by_choice, by_state = np.empty((3, times.size, mdp.choices)), np.empty((2, times.size, mdp.states))
    with sign_of_life(f"MDPO on {mdp}"):
        _run(state, process, params, times, *by_choice, *by_state)
    return Trace(
        "MDPO",
        times,
        labelled("choice", ("log_policy", "log_next", "action_values"), by_choice)
        | labelled("state", ("values", "weights"), by_state),
    )
