r"""Policy gradient in the logits of a softmax policy, with exact values and occupancies.

.. math:: \theta_{t+1}(c) = \theta_t(c) + \eta \frac{\partial J}{\partial \theta(c)}, \qquad
          \frac{\partial J}{\partial \theta(c)} = \frac{d_t(s)\, \pi_t(c)\, (Q_t(c) - V_t(s))}{1 - \gamma},

where :math:`J = \sum_s \mu(s) V(s)` for the initial distribution :math:`\mu` of the process, and :math:`d_t` are the
discounted probabilities of the states. Papers: :cite:`agarwal2021`, :cite:`mei2020`. Departure: policies are kept as
logarithms, which are logits whose exponentials sum to 1; constants in a state move no policy.
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
    gradient_to,
    labelled,
    log_start,
    new_evaluation,
    occupy,
)
from rltheory.arrays import Matrix, Times, Vector, positive
from rltheory.jit import kernel
from rltheory.problems import MDP
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to
from rltheory.trace import Trace, record_times

__all__ = ["softmax_policy_gradient"]


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (C,) log pi_t
    policy: Vector  # (C,) pi_t
    evaluation: Evaluation  # of pi_t
    occupancy: Vector  # (S,) d_{t-1}
    gradient: Vector  # (C,) direction of the last step, 1 - discount times the gradient


@kernel
def iterate(state: State, process: DenseProcess, rate: float) -> None:
    """Make one step of the logits, and evaluate the new policy."""
    log_policy, policy, evaluation, occupancy, gradient = state
    occupy(process, evaluation, occupancy)
    gradient_to(process.first_choice, occupancy, policy, evaluation.action_values, gradient)
    climb(process.first_choice, 1.0, rate, gradient, log_policy, policy)
    evaluate(process, log_policy, policy, 0.0, evaluation)


@kernel
def _run(
    state: State,
    process: DenseProcess,
    rate: float,
    times: Times,
    log_policies: Matrix,
    log_nexts: Matrix,
    action_values: Matrix,
    values: Matrix,
) -> None:
    evaluate(process, state.log_policy, state.policy, 0.0, state.evaluation)
    done = 0
    for k in range(times.size):
        while done < times[k]:
            iterate(state, process, rate)
            done += 1
        copy_to(state.log_policy, log_policies[k])
        copy_to(state.evaluation.action_values, action_values[k])
        copy_to(state.evaluation.values, values[k])
        iterate(state, process, rate)
        done += 1
        copy_to(state.log_policy, log_nexts[k])


def softmax_policy_gradient(
    mdp: MDP, discount: float, *, step: float, iterations: int, start: ArrayLike | None = None
) -> Trace:
    r"""Run softmax policy gradient with exact gradients and a constant step.

    Parameters
    ----------
    mdp
        The process, S states, C choices; some hundred states at most. Its initial distribution weighs the states.
    discount
        Discount factor in [0, 1).
    step
        Step size :math:`\eta > 0` in the logits, in 1 / value.
    iterations
        Last recorded time, >= 0.
    start : array_like, shape (C,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        At each recorded time, of shape (time, choice), ``log_policy`` and ``log_next``, the logarithms of the policies
        of this iteration and of the next, and ``action_values`` of the former; of shape (time, state) its ``values``.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or `start` is no policy with full support.

    References
    ----------
    :cite:`agarwal2021`, :cite:`mei2020`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> trace = softmax_policy_gradient(bandit, 0.0, step=0.5, iterations=1000)
    >>> np.exp(trace.last("log_policy")).round(3)
    array([0.999, 0.001])
    """
    process = dense_process(mdp, discount)
    rate = positive(step, "step") / (1 - process.discount)
    times = record_times(iterations)
    first = log_start(mdp, start)
    state = State(first, np.exp(first), new_evaluation(mdp), np.empty(mdp.states), np.empty(mdp.choices))
    by_choice, values = np.empty((3, times.size, mdp.choices)), np.empty((times.size, mdp.states))
    log_policies, log_nexts, action_values = by_choice
    with sign_of_life(f"softmax policy gradient on {mdp}"):
        _run(state, process, rate, times, log_policies, log_nexts, action_values, values)
    return Trace(
        "softmax policy gradient",
        times,
        labelled("choice", ("log_policy", "log_next", "action_values"), by_choice)
        | labelled("state", ("values",), values[None]),
    )
