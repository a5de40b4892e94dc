"""Nash-MD: mirror descent against the geometric mixture of policy and reference."""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.games.mirror_descent import mirror_descent
from rltheory.arrays import count, positive, positives
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution
from rltheory.trace import Trace

__all__ = ["nash_md"]


def nash_md(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    rate: ArrayLike | None = None,
    reference: ArrayLike | None = None,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Play Nash-MD.

    .. math:: \sigma_t \propto \pi_t^{1 - \eta_t \beta} \mu^{\eta_t \beta}, \qquad
              \log \pi_{t+1} = \log \sigma_t + \eta_t\, P \sigma_t + c

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta > 0` (the paper's :math:`\tau`), in units of win probability.
    iterations
        Last recorded time, >= 0; one preference query in each iteration.
    rate : float or array_like, shape (iterations + 1,), optional
        Learning rates :math:`0 < \eta \le 1 / \beta`, in 1 / payoff. By default :math:`\eta_t = 2 / (\beta (t + 2))`,
        the paper's schedule; with a constant rate the iterates converge, but to another policy.
    reference : array_like, shape (n,), optional
        Reference policy :math:`\mu` with full support; uniform by default.
    start : array_like, shape (n,), optional
        First policy with full support; the reference by default.

    Returns
    -------
    Trace
        ``log_policy``, ``log_next``, ``log_mixture``, ``mean``, ``gains`` and ``queries``, as described at
        :func:`~rltheory.algorithms.games.mirror_descent.mirror_descent`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or a policy is not a distribution with full support.

    References
    ----------
    :cite:`munos2024`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = nash_md(game, beta=0.1, iterations=1000)
    >>> np.exp(trace.last("log_policy")).round(2)
    array([0.95, 0.05])
    """
    beta, iterations = positive(beta, "beta"), count(iterations, "iterations")
    schedule = 2 / (beta * np.arange(2, iterations + 3))
    rates = schedule if rate is None else positives(rate, "rate", iterations + 1)
    if rates.max() * beta > 1 + 1e-12:
        raise ValueError(f"rate has the entry {rates.max():g}; it must be at most 1 / beta = {1 / beta:g}")
    log_reference = log_distribution(reference, game.n, "reference")
    log_start = log_reference if start is None else log_distribution(start, game.n, "start")
    keeps = np.maximum(1 - rates * beta, 0.0)
    return mirror_descent("Nash-MD", game, log_reference, log_start, keeps, rates, against_mixture=True)
