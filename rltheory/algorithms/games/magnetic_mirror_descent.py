"""Magnetic mirror descent, and the outer loop that moves its magnet."""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.games.mirror_descent import Params, State, iterate, mirror_descent, proximal_weights
from rltheory.arrays import count, positive, positives
from rltheory.problems import PreferenceGame
from rltheory.progress import sign_of_life
from rltheory.simplex import log_distribution
from rltheory.trace import Trace

__all__ = ["magnetic_mirror_descent", "magnetic_preference_optimization"]


def magnetic_mirror_descent(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    step: ArrayLike | None = None,
    reference: ArrayLike | None = None,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Play :math:`\pi_{t+1} = \mathrm{prox}(\pi_t; P \pi_t)`, one query in each iteration.

    INPO with inverse rate :math:`\eta` is this map with :math:`\gamma = 1 / (\eta - \beta)`, online IPO with uniform
    sampling is one gradient step on it. See :mod:`rltheory.algorithms.games.mirror_descent`.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta > 0`, in units of win probability.
    iterations
        Last recorded time, >= 0; one preference query in each iteration.
    step : float or array_like, shape (iterations + 1,), optional
        Step sizes :math:`\gamma > 0`, in 1 / payoff. By default :math:`4 \beta`, the
        largest constant step whose rate is proved.
    reference : array_like, shape (n,), optional
        Reference policy :math:`\mu` with full support, the magnet; uniform by default.
    start : array_like, shape (n,), optional
        First policy with full support; the reference by default.

    Returns
    -------
    Trace
        ``log_policy``, ``log_next``, ``mean``, ``gains`` and ``queries``, as described at
        :func:`~rltheory.algorithms.games.mirror_descent.mirror_descent`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or a policy is not a distribution with full support.

    References
    ----------
    :cite:`sokota2023`; for preference games :cite:`wang2025` and :cite:`zhang2024`.

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = magnetic_mirror_descent(game, beta=0.1, iterations=1000)
    >>> np.exp(trace.last("log_policy")).round(4)
    array([0.9526, 0.0474])
    """
    beta, iterations = positive(beta, "beta"), count(iterations, "iterations")
    steps = positives(4 * beta if step is None else step, "step", iterations + 1)
    log_reference = log_distribution(reference, game.n, "reference")
    log_start = log_reference if start is None else log_distribution(start, game.n, "start")
    return mirror_descent("magnetic mirror descent", game, log_reference, log_start, *proximal_weights(steps, beta))


def magnetic_preference_optimization(
    game: PreferenceGame,
    *,
    beta: float,
    rounds: int,
    iterations: int,
    step: float | None = None,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Magnetic mirror descent whose magnet moves to the last policy after each round; it heads for the game itself.

    With exactly solved rounds this is :func:`~rltheory.algorithms.games.proximal_point` at temperature 0 with step
    :math:`1 / \beta`.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature > 0 of each round, in units of win probability.
    rounds
        Number of rounds, >= 0.
    iterations
        Iterations in each round, >= 1.
    step
        Step size > 0, in 1 / payoff; :math:`4 \beta` by default.
    start : array_like, shape (n,), optional
        First magnet with full support; uniform by default.

    Returns
    -------
    Trace
        After each round, the first row being the start, ``log_policy``, shape (time, action), and ``queries``.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the start is not a distribution with full support.

    References
    ----------
    :cite:`wang2025`, :cite:`liu2024comal`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = magnetic_preference_optimization(game, beta=0.1, rounds=3, iterations=100)
    >>> np.exp(trace.last("log_policy")).round(3)
    array([1., 0.])
    """
    beta, iterations = positive(beta, "beta"), count(iterations, "iterations", at_least=1)
    steps = np.full(iterations, 4 * beta if step is None else positive(step, "step"))
    keeps, rates = proximal_weights(steps, beta)
    log_magnet = log_distribution(start, game.n, "start")
    state = State(log_magnet.copy(), np.exp(log_magnet), *np.zeros((5, game.n)))
    log_policies = [log_magnet]
    with sign_of_life(f"magnetic preference optimisation on {game.n} actions"):
        for _ in range(count(rounds, "rounds")):
            iterate(state, game.arrays, Params(log_policies[-1], keeps, rates, False), 0, iterations)
            log_policies.append(state.log_policy.copy())
    times = np.arange(len(log_policies))
    return Trace(
        "magnetic preference optimisation",
        times,
        {"log_policy": (("time", "action"), np.array(log_policies)), "queries": (("time",), iterations * times)},
        clock="round",
    )
