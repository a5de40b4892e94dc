r"""Hedge at every history of a decision process whose trajectories are compared by preference.

An episode takes H actions; after each, nature moves by fixed probabilities, and both moves are seen. A policy chooses
by the whole history. In iteration t a trajectory :math:`\xi` earns the reward
:math:`r_t(\xi) = P(\xi \succ \pi_t)`, its win rate against trajectories of the policy itself. With
:math:`Q_t(h, a)` the mean reward of a trajectory that starts with history h and action a and goes on by :math:`\pi_t`,

.. math:: \pi_{t+1}(a \mid h) \propto \pi_t(a \mid h)\, e^{\eta\, Q_t(h, a)} \quad\text{at every history } h.

The mixture of :math:`\pi_0, \dots, \pi_t` draws one of them at the start of an episode and follows it to the end: its
law of trajectories is the average of theirs. To average the probabilities of actions at each history instead gives
another law, and no guarantee.

Paper: :cite:`swamy2024`. Departures: rewards are exact and centred, which moves only the constants; policies are kept
as logarithms. Nature's probabilities are the same everywhere: dynamics that depend on the past are functions of the
past and of nature's move.
"""

from collections.abc import Sequence

import numpy as np

from rltheory.arrays import Array, Matrix, Vector, count, positive
from rltheory.problems import TrajectoryGame
from rltheory.progress import sign_of_life
from rltheory.simplex import log_normalize
from rltheory.trace import Trace, record_times

__all__ = ["best_value", "history_hedge", "trajectory_law", "uniform_log_policy", "update"]


def uniform_log_policy(game: TrajectoryGame) -> list[Matrix]:
    """Logarithm of the uniform policy: for each step an array of shape (histories, actions)."""
    return [np.full((game.histories(step), game.actions), -np.log(game.actions)) for step in range(game.length)]


def trajectory_law(game: TrajectoryGame, policy: Sequence[Matrix]) -> Vector:
    """Probabilities of the trajectories of a policy, shape (trajectories,); the policy as in `uniform_log_policy`."""
    law = np.ones(1)
    for choices in policy:
        law = (law[:, None, None] * choices[:, :, None] * game.nature).reshape(-1)
    return law


def update(game: TrajectoryGame, log_policy: Sequence[Matrix], rewards: Vector, rate: float) -> list[Matrix]:
    """Take one step of Hedge at every history, for given rewards of the trajectories."""
    log_next: list[Matrix] = []
    values = rewards
    for choices in reversed(log_policy):
        action_values = values.reshape(*choices.shape, -1) @ game.nature
        log_next.insert(0, log_normalize(choices + rate * action_values))
        values = (np.exp(choices) * action_values).sum(axis=1)
    return log_next


def best_value(game: TrajectoryGame, rewards: Array) -> Array:
    """Largest mean reward that a policy can earn, for rewards of the trajectories.

    Parameters
    ----------
    game
        The process.
    rewards : array, shape (..., trajectories)
        Rewards.

    Returns
    -------
    array, shape (...)
        Values of best responses, found by backward recursion.

    Examples
    --------
    >>> from rltheory import PreferenceGame
    >>> guess = TrajectoryGame(PreferenceGame.indifferent(4), actions=2, length=1, nature=[0.25, 0.75])
    >>> best_value(guess, np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]]))
    array([0.75, 1.  ])
    """
    values = rewards
    for step in reversed(range(game.length)):
        tree = values.reshape(*rewards.shape[:-1], game.histories(step), game.actions, game.nature.size)
        values = (tree @ game.nature).max(axis=-1)
    best: Array = values[..., 0]
    return best


def history_hedge(game: TrajectoryGame, *, iterations: int, rate: float) -> Trace:
    r"""Run Hedge at every history against itself, from the uniform policy.

    Parameters
    ----------
    game
        The process and the preferences; N trajectories.
    iterations
        Last recorded time, >= 0.
    rate
        Learning rate :math:`\eta > 0`, in 1 / payoff.

    Returns
    -------
    Trace
        At each recorded time t, of shape (time, trajectory), ``law``, the probabilities of the trajectories of
        :math:`\pi_t`; ``mean``, those of the mixture of :math:`\pi_0, \dots, \pi_t`; and ``gains``, the sum of the
        centred rewards of iterations 0 to t.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    :cite:`swamy2024`

    Examples
    --------
    Two actions in a row, and whoever takes the second action more often wins:

    >>> wins = np.subtract.outer([0, 1, 1, 2], [0, 1, 1, 2])
    >>> from rltheory import PreferenceGame
    >>> game = TrajectoryGame(PreferenceGame(0.5 + np.sign(wins) / 2), actions=2, length=2)
    >>> history_hedge(game, iterations=500, rate=0.2).last("law").round(3)
    array([0., 0., 0., 1.])
    """
    rate = positive(rate, "rate")
    times = record_times(count(iterations, "iterations"))
    laws, means, gains = np.empty((3, times.size, game.preferences.n))
    log_policy = uniform_log_policy(game)
    total, gain = np.zeros((2, game.preferences.n))
    k = 0
    with sign_of_life(f"Hedge at every history of {game.length} steps"):
        for t in range(iterations + 1):
            law = trajectory_law(game, [np.exp(choices) for choices in log_policy])
            rewards = game.preferences.payoff @ law
            total += law
            gain += rewards
            if t == times[k]:
                laws[k], means[k], gains[k] = law, total / (t + 1), gain
                k += 1
            log_policy = update(game, log_policy, rewards, rate)
    arrays = {"law": laws, "mean": means, "gains": gains}
    return Trace(
        "Hedge at every history", times, {name: (("time", "trajectory"), array) for name, array in arrays.items()}
    )
