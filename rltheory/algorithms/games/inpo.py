"""INPO: iterative Nash policy optimisation, exactly solved in closed form."""

from numpy.typing import ArrayLike

from rltheory.algorithms.games.mirror_descent import mirror_descent
from rltheory.arrays import count, positive, positives
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution
from rltheory.trace import Trace

__all__ = ["inpo"]


def inpo(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    inverse_rate: ArrayLike,
    reference: ArrayLike | None = None,
) -> Trace:
    r"""Play INPO in closed form, from the reference.

    .. math:: \log \pi_{t+1} = \Bigl(1 - \frac{\beta}{\eta_t}\Bigr) \log \pi_t + \frac{\beta}{\eta_t} \log \mu
              + \frac{1}{\eta_t} P \pi_t + c

    It is :func:`~rltheory.algorithms.games.magnetic_mirror_descent` with :math:`\gamma = 1 / (\eta - \beta)`.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta > 0` (the paper's :math:`\tau`), in units of win probability.
    iterations
        Last recorded time, >= 0; one preference query in each iteration.
    inverse_rate : float or array_like, shape (iterations + 1,)
        The paper's :math:`\eta \ge \beta`, in units of payoff: larger is slower; :math:`\beta` is a best response.
    reference : array_like, shape (n,), optional
        Reference policy :math:`\mu` with full support, and the first policy; uniform by default.

    Returns
    -------
    Trace
        ``log_policy``, ``log_next``, ``mean``, ``gains`` and ``queries``, as described at
        :func:`~rltheory.algorithms.games.mirror_descent.mirror_descent`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the reference is not a distribution with full support.

    References
    ----------
    :cite:`zhang2024`

    Examples
    --------
    >>> import numpy as np
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = inpo(game, beta=0.1, iterations=1000, inverse_rate=0.1 * np.arange(2, 1003) / 2)
    >>> np.exp(trace.last("log_policy")).round(2)
    array([0.95, 0.05])
    """
    beta, iterations = positive(beta, "beta"), count(iterations, "iterations")
    inverse_rates = positives(inverse_rate, "inverse_rate", iterations + 1)
    if inverse_rates.min() < beta:
        raise ValueError(f"inverse_rate has the entry {inverse_rates.min():g}; it must be at least beta = {beta:g}")
    log_reference = log_distribution(reference, game.n, "reference")
    return mirror_descent("INPO", game, log_reference, log_reference, 1 - beta / inverse_rates, 1 / inverse_rates)
