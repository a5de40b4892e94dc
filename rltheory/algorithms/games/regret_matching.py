r"""Regret matching+ and its predictive form, in self-play.

.. math:: z_{t+1} = [z_t + S x_t]^+, \qquad x_{t+1} \propto [z_{t+1} + m_{t+1}]^+, \qquad z_0 = 0

The prediction :math:`m_{t+1}` is 0 :cite:`tammelin2014`, or the last answer :math:`S x_t` :cite:`farina2021`.
Departures: one policy plays itself, both players of a symmetric game being the same; against itself a policy earns 0,
hence payoffs are regrets as they are. Policies are kept as probabilities, because they reach 0.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Times, Vector, count, distribution
from rltheory.jit import kernel
from rltheory.problems import Game
from rltheory.problems.preference_game import GameArrays, query
from rltheory.progress import sign_of_life
from rltheory.regret import match_regrets, newest_share
from rltheory.simplex import copy_to
from rltheory.trace import Trace, record_times

__all__ = ["predictive_regret_matching_plus", "regret_matching_plus"]


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    policy: Vector  # (n,) x_t
    mean: Vector  # (n,) weighted mean of x_0, ..., x_t
    regrets: Vector  # (n,) z_t, >= 0, in sums of payoffs
    values: Vector  # (n,) answer to the last query


@kernel
def iterate(state: State, game: GameArrays, predictive: bool, begin: int, end: int) -> None:
    """Advance the state from iteration `begin` to `end`."""
    policy, mean, regrets, values = state
    payoff = game.payoff
    for t in range(begin, end):
        query(payoff, policy, values)
        match_regrets(values, regrets, policy, predictive)
        share = newest_share(t + 1, predictive)
        for a in range(mean.size):
            mean[a] += share * (policy[a] - mean[a])


@kernel
def _run(state: State, game: GameArrays, predictive: bool, times: Times, policies: Matrix, means: Matrix) -> None:
    done = 0
    for k in range(times.size):
        iterate(state, game, predictive, done, times[k])
        copy_to(state.policy, policies[k])
        copy_to(state.mean, means[k])
        done = times[k]


def _self_play(name: str, game: Game, iterations: int, start: ArrayLike | None, *, predictive: bool) -> Trace:
    times = record_times(count(iterations, "iterations"))
    first = np.full(game.n, 1 / game.n) if start is None else distribution(start, game.n, "start")
    state = State(first, first.copy(), *np.zeros((2, game.n)))
    policies, means = np.empty((2, times.size, game.n))
    with sign_of_life(f"{name} on {game.n} actions"):
        _run(state, game.arrays, predictive, times, policies, means)
    return Trace(
        name,
        times,
        {
            "policy": (("time", "action"), policies),
            "mean": (("time", "action"), means),
            "queries": (("time",), times),
        },
    )


def regret_matching_plus(game: Game, *, iterations: int, start: ArrayLike | None = None) -> Trace:
    r"""Run regret matching+ against itself.

    The mean converges to minimax winners: weighted linearly, that of policies 0 to t has exploitability at most
    :math:`\sqrt{n (t + 1)} / (t + 2)`, as proved in :mod:`rltheory.regret`. The policies themselves need not converge.

    Parameters
    ----------
    game
        The game, n actions.
    iterations
        Last recorded time, >= 0; one preference query in each iteration.
    start : array_like, shape (n,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        At each recorded time t, of shape (time, action), ``policy``, which is :math:`x_t`, and ``mean``, the mean of
        :math:`x_0, \dots, x_t` with weights :math:`1, \dots, t + 1`; and ``queries``, the number of preference queries
        spent to reach :math:`x_t`.

    Raises
    ------
    ValueError, TypeError
        If `iterations` is not an integer >= 0, or the start is not a distribution with full support.

    References
    ----------
    :cite:`tammelin2014`

    Examples
    --------
    >>> from rltheory import PreferenceGame
    >>> game = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])
    >>> trace = regret_matching_plus(game, iterations=5000, start=[0.6, 0.3, 0.1])
    >>> trace.last("mean").round(1)
    array([0.3, 0.3, 0.3])
    """
    return _self_play("regret matching+", game, iterations, start, predictive=False)


def predictive_regret_matching_plus(game: Game, *, iterations: int, start: ArrayLike | None = None) -> Trace:
    r"""Run predictive regret matching+ against itself, with the last answer as the prediction.

    The mean converges to minimax winners: weighted quadratically, that of policies 0 to t has exploitability at most
    :math:`6 T \sqrt{n T} / ((T + 1) (2 T + 1))` with :math:`T = t + 1`, as proved in :mod:`rltheory.regret`, and in
    practice far less.

    Parameters
    ----------
    game
        The game, n actions.
    iterations
        Last recorded time, >= 0; one preference query in each iteration.
    start : array_like, shape (n,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        As of :func:`~rltheory.algorithms.games.regret_matching.regret_matching_plus`, with weights
        :math:`1^2, \dots, (t + 1)^2` in the mean.

    Raises
    ------
    ValueError, TypeError
        If `iterations` is not an integer >= 0, or the start is not a distribution with full support.

    References
    ----------
    :cite:`farina2021`

    Examples
    --------
    >>> from rltheory import PreferenceGame
    >>> game = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])
    >>> trace = predictive_regret_matching_plus(game, iterations=1000, start=[0.6, 0.3, 0.1])
    >>> trace.last("mean").round(2)
    array([0.33, 0.33, 0.33])
    """
    return _self_play("predictive regret matching+", game, iterations, start, predictive=True)
