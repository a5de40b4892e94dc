r"""Nash mirror prox: an extrapolation and a step from the same anchor, two preference queries in all.

.. math::
   \log \pi_{k+1/2} &= q \log \pi_k + (1 - q) \log \mu + q \gamma\, P \pi_k + c \\
   \log \pi_{k+1} &= q \log \pi_k + (1 - q) \log \mu + q \gamma\, P \pi_{k+1/2} + c',
   \qquad q = \frac{1}{1 + \gamma \beta}

Paper: :cite:`tiapkin2025`, after :cite:`nemirovski2004`. Departures: the step size is the inverse prox
coefficient :math:`\gamma` (the paper's is :math:`\eta = \gamma \beta`); payoffs are centred,
:math:`S = P - 1/2`, which moves only the constants; policies are kept as logarithms.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Times, Vector, count, positive
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays, query
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to, log_distribution, mix, prox
from rltheory.trace import Trace, record_times

__all__ = ["largest_step", "nash_mirror_prox"]


class Params(NamedTuple):
    """Constants of the run."""

    log_reference: Vector  # (n,) log mu
    keep: float  # q = 1 / (1 + gamma beta), in (0, 1)
    rate: float  # q gamma, > 0, in 1 / payoff


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (n,) log pi_k
    policy: Vector  # (n,) pi_k
    log_half: Vector  # (n,) log pi_{k-1/2}
    half: Vector  # (n,) pi_{k-1/2}
    anchor: Vector  # (n,) q log pi_k + (1 - q) log mu
    values: Vector  # (n,) answer to the last query


@kernel
def iterate(state: State, game: GameArrays, params: Params, iterations: int) -> None:
    """Advance the state by `iterations`."""
    # Taken apart once: handing records to the inner calls would cost more than a small game's arithmetic.
    log_policy, policy, log_half, half, anchor, values = state
    log_reference, keep, rate = params
    payoff = game.payoff
    for _ in range(iterations):
        mix(log_policy, log_reference, keep, anchor)
        query(payoff, policy, values)
        prox(anchor, values, rate, log_half, half)
        query(payoff, half, values)
        prox(anchor, values, rate, log_policy, policy)


@kernel
def _run(
    state: State,
    game: GameArrays,
    params: Params,
    times: Times,
    log_policies: Matrix,
    log_halves: Matrix,
    log_nexts: Matrix,
) -> None:
    done = 0
    for k in range(times.size):
        iterate(state, game, params, times[k] - done)
        copy_to(state.log_policy, log_policies[k])
        done = times[k] + 1
        iterate(state, game, params, done - times[k])
        copy_to(state.log_half, log_halves[k])
        copy_to(state.log_policy, log_nexts[k])


def largest_step(beta: float) -> float:
    r"""Largest step size with a proved rate, :math:`2 \beta + 2 \sqrt{1 + \beta^2}`.

    Examples
    --------
    >>> largest_step(0.75)
    4.0
    """
    return 2 * (beta + math.hypot(1, beta))


def nash_mirror_prox(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    step: float = 2.0,
    reference: ArrayLike | None = None,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run Nash mirror prox with exact win rates.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta > 0`, in units of win probability.
    iterations
        Last recorded time, >= 0. Each iteration takes two preference queries.
    step
        Step size :math:`\gamma > 0`, in 1 / payoff. Convergence is proved up to
        :func:`~rltheory.algorithms.games.nash_mirror_prox.largest_step`; a larger one runs as well.
    reference : array_like, shape (n,), optional
        Reference policy :math:`\mu` with full support; uniform by default.
    start : array_like, shape (n,), optional
        First policy with full support; the reference by default.

    Returns
    -------
    Trace
        At each recorded time k the arrays ``log_policy``, ``log_half`` and ``log_next``, of shape
        (time, action): :math:`\log \pi_k`, :math:`\log \pi_{k+1/2}` and :math:`\log \pi_{k+1}`; and
        ``queries``, the number of preference queries spent to reach :math:`\pi_k`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or a policy is not a distribution with full support.

    References
    ----------
    :cite:`tiapkin2025`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = nash_mirror_prox(game, beta=0.1, iterations=100)
    >>> np.exp(trace.last("log_policy")).round(4)
    array([0.9526, 0.0474])
    """
    beta, step = positive(beta, "beta"), positive(step, "step")
    log_reference = log_distribution(reference, game.n, "reference")
    log_start = log_reference if start is None else log_distribution(start, game.n, "start")
    times = record_times(count(iterations, "iterations"))
    keep = 1 / (1 + step * beta)
    params = Params(log_reference, keep, keep * step)
    state = State(log_start.copy(), np.exp(log_start), *np.empty((4, game.n)))
    recorded = np.empty((3, times.size, game.n))
    with sign_of_life(f"Nash mirror prox on {game.n} actions"):
        _run(state, game.arrays, params, times, *recorded)
    policies = dict(zip(("log_policy", "log_half", "log_next"), recorded, strict=True))
    return Trace(
        "Nash mirror prox",
        times,
        {name: (("time", "action"), array) for name, array in policies.items()} | {"queries": (("time",), 2 * times)},
    )
