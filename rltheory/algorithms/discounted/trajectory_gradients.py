r"""Estimates of gradients and Hessian-vector products of the return from one trajectory, for kernels.

With :math:`G_t = \sum_{h \ge t} \gamma^h r_h`, and for policies whose states are exponential families
(:mod:`rltheory.problems.policy_classes`),

.. math::

    g(\tau, \theta) = \sum_{t < H} G_t\, \nabla \log \pi_\theta(a_t | s_t), \qquad
    B(\tau, \theta)\, u = \langle \nabla \log p_\theta(\tau), u \rangle\, g(\tau, \theta)
    - \sum_{t < H} G_t\, I_{s_t}(\theta)\, u

are unbiased for :math:`\nabla J_H(\theta)` and :math:`\nabla^2 J_H(\theta)\, u`, if :math:`\tau \sim p_\theta`. With
:math:`G_0` in place of :math:`G_t`, g is the estimate of REINFORCE.

Papers: :cite:`williams1992`, :cite:`baxter2001`; the Hessian-vector product :cite:`shen2019`.
"""

from typing import NamedTuple

import numpy as np

from rltheory.algorithms.sampling import draw_weighted
from rltheory.arrays import Vector
from rltheory.jit import kernel
from rltheory.problems.mdp import Indices
from rltheory.problems.policy_classes import ClassArrays, PolicyClass, softmax

__all__ = [
    "Trajectory",
    "add_gradient",
    "add_hessian_product",
    "empty_trajectory",
    "likelihood_ratio",
    "prepare",
    "sample",
]


class Trajectory(NamedTuple):
    """What happened in H steps; an action is the number of a choice, or real."""

    states: Indices  # (H,)
    actions: Vector  # (H,)
    rewards: Vector  # (H,)
    discounts: Vector  # (H,) powers of the discount
    policy: Vector  # (C,) probabilities of choices, overwritten by each step where actions are real


def empty_trajectory(policies: PolicyClass, discount: float, horizon: int) -> Trajectory:
    """Room for a trajectory."""
    actions, rewards = np.empty((2, horizon))
    policy = np.empty(policies.mdp.choices)
    discounts = discount ** np.arange(horizon, dtype=np.float64)
    return Trajectory(np.empty(horizon, np.int64), actions, rewards, discounts, policy)


@kernel
def prepare(family: ClassArrays, parameters: Vector, policy: Vector) -> None:
    """Write the probabilities of the choices to `policy`, where they are the same throughout a trajectory."""
    if family.deviation == 0.0:
        first_choice = family.first_choice
        for c in range(policy.size):
            policy[c] = parameters[c]
        for s in range(first_choice.size - 1):
            softmax(policy, first_choice[s], first_choice[s + 1])


@kernel
def sample(family: ClassArrays, parameters: Vector, trajectory: Trajectory, rng: np.random.Generator) -> None:
    """Sample a trajectory under `parameters`, for which the policy is prepared."""
    first_choice, mean_rewards, first_entry, successors, probabilities, initial, slopes, offsets, deviation = family
    states, actions, rewards, _, policy = trajectory
    s = draw_weighted(initial, 0, initial.size, rng)
    for t in range(states.size):
        begin, end = first_choice[s], first_choice[s + 1]
        states[t] = s
        if deviation > 0.0:
            actions[t] = parameters[s] + deviation * rng.standard_normal()
            for c in range(begin, end):
                policy[c] = slopes[c] * actions[t] + offsets[c]
            softmax(policy, begin, end)
        choice = draw_weighted(policy, begin, end, rng)
        if deviation == 0.0:
            actions[t] = choice
        rewards[t] = mean_rewards[choice]
        s = successors[draw_weighted(probabilities, first_entry[choice], first_entry[choice + 1], rng)]


@kernel
def _total(trajectory: Trajectory) -> float:
    total = 0.0
    for t in range(trajectory.states.size):
        total += trajectory.discounts[t] * trajectory.rewards[t]
    return total


@kernel
def add_gradient(
    family: ClassArrays,
    parameters: Vector,
    policy: Vector,
    trajectory: Trajectory,
    causal: bool,
    scale: float,
    out: Vector,
) -> None:
    """Add `scale` times the estimate of the gradient to `out`; that of REINFORCE, unless `causal`."""
    first_choice, deviation = family.first_choice, family.deviation
    states, actions, rewards, discounts, _ = trajectory
    to_come = 0.0 if causal else _total(trajectory)
    for t in range(states.size - 1, -1, -1):
        if causal:
            to_come += discounts[t] * rewards[t]
        weight, s = scale * to_come, states[t]
        if deviation > 0.0:
            out[s] += weight * (actions[t] - parameters[s]) / deviation**2
        else:
            for c in range(first_choice[s], first_choice[s + 1]):
                out[c] -= weight * policy[c]
            out[int(actions[t])] += weight


@kernel
def add_hessian_product(
    family: ClassArrays,
    parameters: Vector,
    policy: Vector,
    trajectory: Trajectory,
    vector: Vector,
    gradient: Vector,
    scale: float,
    out: Vector,
) -> None:
    """Add `scale` times the estimate of the Hessian times `vector` to `out`, given the estimate of the gradient."""
    first_choice, deviation = family.first_choice, family.deviation
    states, actions, rewards, discounts, _ = trajectory
    to_come, along = 0.0, 0.0
    for t in range(states.size - 1, -1, -1):
        to_come += discounts[t] * rewards[t]
        weight, s = scale * to_come, states[t]
        if deviation > 0.0:
            along += (actions[t] - parameters[s]) / deviation**2 * vector[s]
            out[s] -= weight * vector[s] / deviation**2
        else:
            mean = 0.0
            for c in range(first_choice[s], first_choice[s + 1]):
                mean += policy[c] * vector[c]
            along += vector[int(actions[t])] - mean
            for c in range(first_choice[s], first_choice[s + 1]):
                out[c] -= weight * policy[c] * (vector[c] - mean)
    for p in range(out.size):
        out[p] += scale * along * gradient[p]


@kernel
def likelihood_ratio(
    family: ClassArrays,
    parameters: Vector,
    policy: Vector,
    others: Vector,
    other_policy: Vector,
    trajectory: Trajectory,
) -> float:
    """Probability of the trajectory under `others`, over that under `parameters`."""
    deviation = family.deviation
    logarithm = 0.0
    for t in range(trajectory.states.size):
        s, action = trajectory.states[t], trajectory.actions[t]
        if deviation > 0.0:
            logarithm += (others[s] - parameters[s]) * (2 * action - parameters[s] - others[s]) / (2 * deviation**2)
        else:
            logarithm += np.log(other_policy[int(action)] / policy[int(action)])
    return float(np.exp(logarithm))
