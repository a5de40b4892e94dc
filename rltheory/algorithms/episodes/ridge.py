r"""Optimistic critics for linear processes: ridge regression at each stage, and a bonus where it knows little.

With features :math:`\phi_i` of the choices made at stage :math:`h = 1, \dots, H` so far, and
:math:`\Lambda_h = \lambda I + \sum_i \phi_i \phi_i^\top`, the critic is made backwards from :math:`V_{H+1} = 0`:

.. math:: w_h = \Lambda_h^{-1} \sum_i \phi_i V_{h+1}(s_{i+1}), \quad
   f_h(c) = r_c + \bigl[\langle \phi_c, w_h \rangle + \beta \|\phi_c\|_{\Lambda_h^{-1}}\bigr]_0^{H-h}, \quad
   V_h(s) = \max_c f_h(c),

where :math:`[x]_0^y` is x cut off at 0 and at y. Regression needs the sums of the features after which each state came,
and no episodes: a critic costs :math:`O(d S + d^2 C)` a stage, however many there were. In the last stage nothing is
left to learn, since rewards are known.
"""

import math
from typing import NamedTuple

import numpy as np

from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.algorithms.episodes.play import Path, World, play_plan
from rltheory.algorithms.gram import update_inverse
from rltheory.arrays import Array, Matrix, Vector, apart, count, positive
from rltheory.jit import kernel
from rltheory.problems import LinearMDP
from rltheory.problems.mdp import Indices

__all__ = ["LinearCritic", "absorb", "follow", "has_doubled", "new_linear_critic", "refit", "theorem_bonus"]

DOUBLED = math.log(2) - 1e-9  # the determinants of small counts double exactly, which rounding must not hide


class LinearCritic(NamedTuple):
    """What the learner knows, and how it judges choices."""

    first_choice: Indices  # (S + 1,)
    rewards: Vector  # (C,)
    features: Matrix  # (C, d)
    inverses: Array  # (H - 1, d, d)
    sums: Array  # (H - 1, S, d), of the features of choices after which a state came
    log_determinants: Vector  # (H - 1,), of the matrices over lambda
    values: Matrix  # (H + 1, S)
    action_values: Matrix  # (H, C), the critic f
    made: Indices  # (H, S), its best choices
    weights: Vector  # (d,), work space
    spare: Vector  # (d,), work space


def new_linear_critic(problem: LinearMDP, horizon: int, regularization: float) -> LinearCritic:
    r"""Make the critic of a learner that has seen nothing.

    Parameters
    ----------
    problem
        The process of every stage; S states, C choices, features of dimension d.
    horizon
        Number of stages H >= 1.
    regularization
        :math:`\lambda > 0`.
    """
    mdp, dimension = problem.tabular, problem.dimension
    critic = LinearCritic(
        first_choice=mdp.first_choice,
        rewards=np.array(mdp.rewards),
        features=np.array(problem.features.reshape(mdp.choices, dimension)),
        inverses=np.tile(np.eye(dimension) / regularization, (horizon - 1, 1, 1)),
        sums=np.zeros((horizon - 1, mdp.states, dimension)),
        log_determinants=np.zeros(horizon - 1),
        values=np.zeros((horizon + 1, mdp.states)),
        action_values=np.zeros((horizon, mdp.choices)),
        made=np.full((horizon, mdp.states), -1),
        weights=np.empty(dimension),
        spare=np.empty(dimension),
    )
    return apart(critic)


def theorem_bonus(
    dimension: int, *, horizon: int, episodes: int, delta: float = 0.05, regularization: float = 1.0
) -> float:
    r"""Bonus :math:`\beta` with which all critics are optimistic, with probability :math:`1 - \delta`.

    It is the smallest solution of

    .. math::

       \beta = R \sqrt{d \lambda} + \frac R2 \sqrt{d \log\Bigl(1 + \frac{T}{d \lambda}\Bigr) + 2 \log \frac{H N}\delta}
       + 1, \qquad
       N = \Bigl(1 + \frac{8 R T}{\sqrt \lambda}\Bigr)^d
       \Bigl(1 + \frac{32 T \beta^2}{\lambda}\Bigr)^{d (d + 1) / 2},

    for :math:`R = H - 1`, where N is the size of a :math:`1 / (2 \sqrt T)`-net of all that critics can be.

    Parameters
    ----------
    dimension
        Number of features d >= 1.
    horizon
        Number of stages H >= 1.
    episodes
        Number of episodes T >= 1.
    delta
        Probability in (0, 1) that some critic errs by more.
    regularization
        :math:`\lambda > 0`.

    Examples
    --------
    >>> round(theorem_bonus(2, horizon=3, episodes=1000), 3)
    16.281
    """
    dimension, horizon = count(dimension, "dimension", at_least=1), count(horizon, "horizon", at_least=1)
    episodes, ridge = count(episodes, "episodes", at_least=1), positive(regularization, "regularization")
    spread = horizon - 1
    bias = spread * math.sqrt(dimension * ridge) + 1
    logs = dimension * math.log1p(episodes / (dimension * ridge)) + 2 * math.log(horizon / confidence(delta))
    logs += 2 * dimension * math.log1p(8 * spread * episodes / math.sqrt(ridge))
    pairs = dimension * (dimension + 1)
    beta, following = 0.0, bias
    while following > beta:
        beta = following
        following = bias + spread / 2 * math.sqrt(logs + pairs * math.log1p(32 * episodes * beta**2 / ridge))
    return beta


@kernel
def absorb(critic: LinearCritic, path: Path) -> None:
    """Add an episode to what regression needs."""
    features, inverses, sums, log_determinants = (
        critic.features,
        critic.inverses,
        critic.sums,
        critic.log_determinants,
    )
    for stage in range(log_determinants.size):
        choice, reached = path.choices[stage], path.states[stage + 1]
        log_determinants[stage] += math.log1p(update_inverse(inverses[stage], features[choice], critic.spare))
        for i in range(features.shape[1]):
            sums[stage, reached, i] += features[choice, i]


@kernel
def has_doubled(log_determinants: Vector, then: Vector) -> bool:
    """Whether the determinant of some stage is twice what it was, or more."""
    doubled = False
    for stage in range(then.size):
        doubled |= log_determinants[stage] - then[stage] >= DOUBLED
    return doubled


@kernel
def refit(critic: LinearCritic, beta: float) -> bool:
    """Write the critic of all episodes so far; return whether its best choices differ from those that were there."""
    first_choice, rewards, features, inverses, sums, _, values, action_values, made, weights, spare = critic
    horizon, states = made.shape
    dimension = weights.size
    changed = False
    for stage in range(horizon - 1, -1, -1):
        last = stage == horizon - 1
        if not last:
            for i in range(dimension):
                spare[i] = weights[i] = 0.0
            for state in range(states):
                for i in range(dimension):
                    spare[i] += sums[stage, state, i] * values[stage + 1, state]
            for i in range(dimension):
                for j in range(dimension):
                    weights[i] += inverses[stage, i, j] * spare[j]
        for state in range(states):
            best, most = first_choice[state], -np.inf
            for choice in range(first_choice[state], first_choice[state + 1]):
                total = rewards[choice]
                if not last:
                    mean = square = 0.0
                    for i in range(dimension):
                        row = 0.0
                        for j in range(dimension):
                            row += inverses[stage, i, j] * features[choice, j]
                        square += features[choice, i] * row
                        mean += features[choice, i] * weights[i]
                    # Rounding may leave a small square below 0.
                    ahead = mean + beta * math.sqrt(max(square, 0.0))
                    total += min(max(ahead, 0.0), horizon - 1.0 - stage)
                action_values[stage, choice] = total
                if total > most:
                    best, most = choice, total
            values[stage, state] = most
            changed |= made[stage, state] != best
            made[stage, state] = best
    return changed


@kernel
def follow(world: World, critic: LinearCritic, path: Path, episodes: int, rng: np.random.Generator) -> None:
    """Play some episodes of the critic's best choices, and add them to what regression needs."""
    for _ in range(episodes):
        play_plan(world, critic.made, path, rng)
        absorb(critic, path)
