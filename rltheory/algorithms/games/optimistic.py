r"""Optimistic multiplicative weights: each step extrapolates with the last answer, and costs one query.

.. math::
   \bar x_{t+1} = \mathrm{prox}(x_t;\, P \bar x_t), \qquad x_{t+1} = \mathrm{prox}(x_t;\, P \bar x_{t+1}),
   \qquad \bar x_0 = x_0

At temperature 0 the proximal map is :math:`\mathrm{prox}(x; v) \propto x\, e^{\gamma v}`, and the midpoints
:math:`\bar x_t` are optimistic Hedge. Papers: :cite:`popov1980`, :cite:`rakhlin2013`; regularised :cite:`cen2024`.
Departures: the step size is the inverse prox coefficient :math:`\gamma`; policies are kept as logarithms.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Times, Vector, count, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays, query
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to, log_distribution, mix, prox
from rltheory.trace import Trace, record_times

__all__ = ["LARGEST_STEP", "optimistic_mirror_descent"]

LARGEST_STEP = 2 * (math.sqrt(2) - 1)  # with a proved rate, at any temperature


class Params(NamedTuple):
    """Constants of the run."""

    log_reference: Vector  # (n,) log mu
    keep: float  # q = 1 / (1 + gamma beta), in (0, 1]
    rate: float  # q gamma, > 0, in 1 / payoff


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (n,) log x_t
    policy: Vector  # (n,) x_t
    log_midpoint: Vector  # (n,) log of the midpoint
    midpoint: Vector  # (n,) the midpoint
    anchor: Vector  # (n,) q log x_t + (1 - q) log mu
    values: Vector  # (n,) win rates against the midpoint
    total: Vector  # (n,) sum of the midpoints from the first iteration on
    gains: Vector  # (n,) sum of the win rates against them


@kernel
def iterate(state: State, game: GameArrays, params: Params, iterations: int) -> None:
    """Advance the state by `iterations`."""
    log_policy, policy, log_midpoint, midpoint, anchor, values, total, gains = state
    log_reference, keep, rate = params
    payoff = game.payoff
    for _ in range(iterations):
        mix(log_policy, log_reference, keep, anchor)
        prox(anchor, values, rate, log_midpoint, midpoint)
        query(payoff, midpoint, values)
        for a in range(values.size):
            total[a] += midpoint[a]
            gains[a] += values[a]
        prox(anchor, values, rate, log_policy, policy)


@kernel
def _run(
    state: State,
    game: GameArrays,
    params: Params,
    times: Times,
    log_policies: Matrix,
    log_midpoints: Matrix,
    log_nexts: Matrix,
    log_next_midpoints: Matrix,
    means: Matrix,
    gains: Matrix,
) -> None:
    query(game.payoff, state.policy, state.values)
    done = 0
    for k in range(times.size):
        iterate(state, game, params, times[k] - done)
        copy_to(state.log_policy, log_policies[k])
        copy_to(state.log_midpoint, log_midpoints[k])
        done = times[k] + 1
        iterate(state, game, params, done - times[k])
        copy_to(state.log_policy, log_nexts[k])
        copy_to(state.log_midpoint, log_next_midpoints[k])
        copy_to(state.gains, gains[k])
        for a in range(state.total.size):
            means[k, a] = state.total[a] / done


def optimistic_mirror_descent(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    step: float = LARGEST_STEP,
    reference: ArrayLike | None = None,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run optimistic multiplicative weights (OMWU), regularised or not.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta \ge 0`, in units of win probability; 0 is the game itself.
    iterations
        Last recorded time, >= 0; one preference query in each iteration, and one before the first.
    step
        Step size :math:`\gamma > 0`, in 1 / payoff.
    reference : array_like, shape (n,), optional
        Reference policy :math:`\mu` with full support; uniform by default.
    start : array_like, shape (n,), optional
        First policy with full support; the reference by default.

    Returns
    -------
    Trace
        At each recorded time t, of shape (time, action), ``log_policy`` and ``log_midpoint``, the logarithms of
        :math:`x_t` and :math:`\bar x_t`; ``log_next`` and ``log_next_midpoint``, those of iteration t + 1; ``mean``,
        the average of the midpoints 1 to t + 1; ``gains``, the sum of the centred win rates against them; and
        ``queries``, the number of preference queries spent to reach :math:`x_t`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or a policy is not a distribution with full support.

    References
    ----------
    :cite:`rakhlin2013`, :cite:`cen2024`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])
    >>> trace = optimistic_mirror_descent(game, beta=0.0, iterations=2000, start=[0.6, 0.3, 0.1])
    >>> np.exp(trace.last("log_policy")).round(6)
    array([0.333333, 0.333333, 0.333333])
    """
    beta, step = not_negative(beta, "beta"), positive(step, "step")
    log_reference = log_distribution(reference, game.n, "reference")
    log_start = log_reference if start is None else log_distribution(start, game.n, "start")
    times = record_times(count(iterations, "iterations"))
    keep = 1 / (1 + step * beta)
    first = np.exp(log_start)
    state = State(log_start.copy(), first, log_start.copy(), first.copy(), *np.zeros((4, game.n)))
    recorded = np.empty((6, times.size, game.n))
    with sign_of_life(f"optimistic mirror descent on {game.n} actions"):
        _run(state, game.arrays, Params(log_reference, keep, keep * step), times, *recorded)
    names = ("log_policy", "log_midpoint", "log_next", "log_next_midpoint", "mean", "gains")
    return Trace(
        "optimistic mirror descent",
        times,
        {name: (("time", "action"), array) for name, array in zip(names, recorded, strict=True)}
        | {"queries": (("time",), times + (times > 0))},
    )
