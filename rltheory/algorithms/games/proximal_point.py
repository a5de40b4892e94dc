r"""The proximal point method: each iterate is the equilibrium of a game that is pulled towards the last one.

.. math:: \pi_{k+1} \text{ is the equilibrium with temperature } \beta + \tfrac1\gamma
          \text{ and reference} \propto \pi_k^{q} \mu^{1 - q}, \qquad q = \frac{1}{1 + \gamma \beta}

At temperature 0 the reference is the last iterate itself: the outer loop of magnetic preference optimisation. Paper:
:cite:`tiapkin2025`, after :cite:`rockafellar1976`. Departure: the inner game is solved to rounding.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import count, not_negative, positive
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution, log_normalize
from rltheory.solvers import regularized_equilibrium
from rltheory.trace import Trace

__all__ = ["proximal_point"]


def proximal_point(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    step: float,
    reference: ArrayLike | None = None,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run the proximal point method with exactly solved steps.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta \ge 0`, in units of win probability; 0 is the game itself.
    iterations
        Last recorded time, >= 0; every time is recorded.
    step
        Step size :math:`\gamma > 0`, in 1 / payoff; no step is too large.
    reference : array_like, shape (n,), optional
        Reference policy :math:`\mu` with full support; uniform by default.
    start : array_like, shape (n,), optional
        First policy with full support; the reference by default.

    Returns
    -------
    Trace
        At each time ``log_policy`` and ``log_next``, of shape (time, action): the logarithms of the iterate and of the
        one after; and ``queries``, the number of preference queries spent to reach the iterate.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or a policy is not a distribution with full support.

    References
    ----------
    :cite:`tiapkin2025`, :cite:`rockafellar1976`; at temperature 0 :cite:`wang2025`.

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = proximal_point(game, beta=0.1, iterations=20, step=10.0)
    >>> np.exp(trace.last("log_policy")).round(4)
    array([0.9526, 0.0474])
    """
    beta, step = not_negative(beta, "beta"), positive(step, "step")
    keep = 1 / (1 + step * beta)
    log_reference = log_distribution(reference, game.n, "reference")
    log_policies = [log_reference if start is None else log_distribution(start, game.n, "start")]
    queries = [0]
    for _ in range(count(iterations, "iterations") + 1):
        log_magnet = log_normalize(keep * log_policies[-1] + (1 - keep) * log_reference)
        solved = regularized_equilibrium(game, beta + 1 / step, log_reference=log_magnet)
        log_policies.append(solved.log_policy)
        queries.append(queries[-1] + 2 * solved.iterations + 1)
    policies = np.array(log_policies)
    return Trace(
        "proximal point method",
        np.arange(len(policies) - 1),
        {
            "log_policy": (("time", "action"), policies[:-1]),
            "log_next": (("time", "action"), policies[1:]),
            "queries": (("time",), np.array(queries[:-1])),
        },
    )
