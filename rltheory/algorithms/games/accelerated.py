r"""Accelerated preference optimisation: Hedge against itself, with Nesterov's momentum on the logits.

.. math::
   \hat\theta_{t+1} = \theta_t + \eta\, P \pi_t, \qquad
   \theta_{t+1} = \hat\theta_{t+1} + \alpha\, (\hat\theta_{t+1} - \hat\theta_t), \qquad
   \pi_t \propto e^{\theta_t}, \qquad \hat\theta_0 = \theta_0

Computed here is the same with the velocity :math:`\delta_t = \hat\theta_t - \hat\theta_{t-1}`, :math:`\delta_0 = 0`:
:math:`\delta_{t+1} = \alpha \delta_t + \eta P \pi_t` and
:math:`\theta_{t+1} = \theta_t + \eta P \pi_t + \alpha \delta_{t+1}`. Without momentum it is Hedge.

Paper: :cite:`he2024`. Departures: the rate :math:`\eta` is the paper's :math:`1 / \beta`; win rates are exact and
centred, which moves only the constants; policies are kept as logarithms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Times, Vector, count, fraction, positive
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays, query
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to, log_distribution, prox
from rltheory.trace import Trace, record_times

__all__ = ["accelerated_preference_optimization"]


class Params(NamedTuple):
    """Constants of the run."""

    rate: float  # eta, > 0, in 1 / payoff
    momentum: float  # alpha, in [0, 1)


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (n,) log pi_t
    policy: Vector  # (n,) pi_t
    velocity: Vector  # (n,) delta_t
    anchor: Vector  # (n,) log pi_t + alpha delta_{t+1}
    values: Vector  # (n,) answer to the last query
    total: Vector  # (n,) pi_0 + ... + pi_{t-1}


@kernel
def iterate(state: State, game: GameArrays, params: Params, iterations: int) -> None:
    """Advance the state by `iterations`."""
    log_policy, policy, velocity, anchor, values, total = state
    rate, momentum = params
    payoff = game.payoff
    for _ in range(iterations):
        query(payoff, policy, values)
        for a in range(values.size):
            total[a] += policy[a]
            velocity[a] = momentum * velocity[a] + rate * values[a]
            anchor[a] = log_policy[a] + momentum * velocity[a]
        prox(anchor, values, rate, log_policy, policy)


@kernel
def _run(
    state: State,
    game: GameArrays,
    params: Params,
    times: Times,
    log_policies: Matrix,
    log_nexts: Matrix,
    velocities: Matrix,
    means: Matrix,
) -> None:
    done = 0
    for k in range(times.size):
        iterate(state, game, params, times[k] - done)
        copy_to(state.log_policy, log_policies[k])
        copy_to(state.velocity, velocities[k])
        done = times[k] + 1
        iterate(state, game, params, done - times[k])
        copy_to(state.log_policy, log_nexts[k])
        for a in range(state.total.size):
            means[k, a] = state.total[a] / done


def accelerated_preference_optimization(
    game: PreferenceGame,
    *,
    iterations: int,
    rate: float,
    momentum: float,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run accelerated preference optimisation (APO) with exact win rates.

    Where win rates do not depend on the opponent, up to constants, the log-odds grow :math:`1 / (1 - \alpha)` times as
    fast as without momentum. On cyclic preferences the last policies recede from the minimax winner, as those
    of Hedge do; their averages approach it.

    Parameters
    ----------
    game
        The game, n actions.
    iterations
        Last recorded time, >= 0; one preference query in each iteration.
    rate
        Learning rate :math:`\eta > 0`, in 1 / payoff.
    momentum
        Weight :math:`\alpha` of the last change of the logits, in [0, 1); 0 is Hedge.
    start : array_like, shape (n,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        At each recorded time t the arrays ``log_policy`` and ``log_next``, of shape (time, action): the logarithms of
        :math:`\pi_t` and :math:`\pi_{t+1}`; ``velocity``, the change :math:`\delta_t` that led to
        :math:`\hat\theta_t`; ``mean``, the average of the policies of iterations 0 to t; and ``queries``, the number of
        preference queries spent to reach :math:`\pi_t`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the start is not a distribution with full support.

    References
    ----------
    :cite:`he2024`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = accelerated_preference_optimization(game, iterations=10, rate=0.5, momentum=0.5)
    >>> np.exp(trace.last("log_policy")).round(3)
    array([0.945, 0.055])
    >>> trace = accelerated_preference_optimization(game, iterations=10, rate=0.5, momentum=0.0)
    >>> np.exp(trace.last("log_policy")).round(3)
    array([0.818, 0.182])
    """
    rate, momentum = positive(rate, "rate"), fraction(momentum, "momentum")
    if momentum == 1:
        raise ValueError("momentum is 1; it must be below 1")
    log_start = log_distribution(start, game.n, "start")
    times = record_times(count(iterations, "iterations"))
    state = State(log_start.copy(), np.exp(log_start), *np.zeros((4, game.n)))
    recorded = np.empty((4, times.size, game.n))
    with sign_of_life(f"accelerated preference optimisation on {game.n} actions"):
        _run(state, game.arrays, Params(rate, momentum), times, *recorded)
    names = ("log_policy", "log_next", "velocity", "mean")
    return Trace(
        "accelerated preference optimisation",
        times,
        {name: (("time", "action"), array) for name, array in zip(names, recorded, strict=True)}
        | {"queries": (("time",), times)},
    )
