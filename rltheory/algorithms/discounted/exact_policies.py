r"""What methods that know the process share: exact values, occupancies and gradients of a policy, and steps of logits.

A policy is a vector of log-probabilities, one for each choice. With the temperature :math:`\tau \ge 0` its values are

.. math:: V = \sum_c \pi(c) \bigl(Q(c) - \tau \log \pi(c)\bigr), \qquad Q(c) = r(c) + \gamma \sum_t p(t | c)\, V(t),

and a step of the logits is :math:`\log \pi \leftarrow q \log \pi + \eta v + \mathrm{const}` in each state. Values and
occupancies are solved by elimination, in :math:`S^3 / 3` steps: this is for up to some hundred states.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Matrix, Vector, first_index, frozen
from rltheory.jit import kernel
from rltheory.problems import MDP
from rltheory.problems.mdp import Indices
from rltheory.problems.policies import checked_policy, uniform_policy
from rltheory.simplex import prox
from rltheory.solvers.occupancy import checked_discount

__all__ = [
    "DenseProcess",
    "Evaluation",
    "advantages_to",
    "climb",
    "dense_process",
    "evaluate",
    "gradient_to",
    "labelled",
    "log_start",
    "new_evaluation",
    "occupy",
]


class DenseProcess(NamedTuple):
    """What the kernels know of a discounted process."""

    first_choice: Indices  # (S + 1,)
    rewards: Vector  # (C,)
    laws: Matrix  # (C, S), with their zeros
    initial: Vector  # (S,)
    discount: float  # in [0, 1)


class Evaluation(NamedTuple):
    """What is known of a policy; the arrays are overwritten by each evaluation."""

    values: Vector  # (S,) V
    action_values: Vector  # (C,) Q
    system: Matrix  # (S, S) I - gamma P_pi
    earned: Vector  # (S,) expected reward of a decision, its entropy included


def dense_process(mdp: MDP, discount: float) -> DenseProcess:
    """Arrays of a process for the kernels here; the discount is checked."""
    laws = mdp.transition_matrix
    return DenseProcess(
        mdp.first_choice,
        mdp.rewards,
        # Frozen as those of dense processes are: kernels need not be compiled for both.
        laws if isinstance(laws, np.ndarray) else frozen(np.ascontiguousarray(laws.toarray())),
        mdp.initial,
        checked_discount(discount),
    )


def new_evaluation(mdp: MDP) -> Evaluation:
    """Room for evaluations."""
    states = mdp.states
    return Evaluation(np.empty(states), np.empty(mdp.choices), np.empty((states, states)), np.empty(states))


def log_start(mdp: MDP, start: ArrayLike | None) -> Vector:
    """Logarithms of the first policy, which must have full support; uniform where there is none.

    Raises
    ------
    ValueError
        If `start` is no policy of the process, or a probability is 0.
    """
    policy = uniform_policy(mdp) if start is None else checked_policy(mdp, start, name="start")
    if not policy.all():
        (choice,) = first_index(policy == 0)
        raise ValueError(f"start[{choice}] is 0; every probability must be > 0")
    sums = np.add.reduceat(policy, mdp.first_choice[:-1])
    logarithms: Vector = np.log(policy / sums[mdp.state_of_choice])
    return logarithms


def labelled(dimension: str, names: tuple[str, ...], arrays: Array) -> dict[str, tuple[tuple[str, str], Array]]:
    """Entries of a trace: one array for each name, over the time and the dimension."""
    return {name: (("time", dimension), array) for name, array in zip(names, arrays, strict=True)}


@kernel
def evaluate(
    process: DenseProcess, log_policy: Vector, policy: Vector, temperature: float, evaluation: Evaluation
) -> None:
    """Write the values of a policy, and the system that they solve."""
    first_choice, rewards, laws, _, discount = process
    values, action_values, system, earned = evaluation
    for s in range(values.size):
        earned[s] = 0.0
        for t in range(values.size):
            system[s, t] = 0.0
        system[s, s] = 1.0
        for c in range(first_choice[s], first_choice[s + 1]):
            if policy[c] > 0.0:
                earned[s] += policy[c] * (rewards[c] - temperature * log_policy[c])
                weight = discount * policy[c]
                for t in range(values.size):
                    system[s, t] -= weight * laws[c, t]
    solution = np.linalg.solve(system, earned)
    for s in range(values.size):
        values[s] = solution[s]
    for c in range(rewards.size):
        total = 0.0
        for t in range(values.size):
            total += laws[c, t] * values[t]
        action_values[c] = rewards[c] + discount * total


@kernel
def occupy(process: DenseProcess, evaluation: Evaluation, occupancy: Vector) -> None:
    r"""Write the discounted probabilities of the states under the policy last evaluated.

    They are :math:`(1 - \gamma) (I - \gamma P_\pi^\top)^{-1} \mu`.
    """
    visits = np.linalg.solve(evaluation.system.T, process.initial)
    for s in range(occupancy.size):
        occupancy[s] = (1.0 - process.discount) * visits[s]


@kernel
def advantages_to(first_choice: Indices, policy: Vector, action_values: Vector, out: Vector) -> None:
    r"""Write :math:`Q(c) - \langle \pi, Q \rangle_s` to `out`."""
    for s in range(first_choice.size - 1):
        mean = 0.0
        for c in range(first_choice[s], first_choice[s + 1]):
            mean += policy[c] * action_values[c]
        for c in range(first_choice[s], first_choice[s + 1]):
            out[c] = action_values[c] - mean


@kernel
def gradient_to(first_choice: Indices, weights: Vector, policy: Vector, values: Vector, out: Vector) -> None:
    r"""Write the gradient of :math:`\sum_s w(s) \langle \pi, v \rangle_s` in the logits, the values being constant.

    It is :math:`w(s)\,\pi(c)\,(v(c) - \langle \pi, v \rangle_s)`.
    """
    advantages_to(first_choice, policy, values, out)
    for s in range(first_choice.size - 1):
        for c in range(first_choice[s], first_choice[s + 1]):
            out[c] *= weights[s] * policy[c]


@kernel
def climb(first_choice: Indices, keep: float, rate: float, values: Vector, log_policy: Vector, policy: Vector) -> None:
    """Replace the policy by that proportional to ``exp(keep * log_policy + rate * values)`` in each state."""
    for c in range(log_policy.size):
        log_policy[c] *= keep
    for s in range(first_choice.size - 1):
        begin, end = first_choice[s], first_choice[s + 1]
        prox(log_policy[begin:end], values[begin:end], rate, log_policy[begin:end], policy[begin:end])
