"""Hedge in self-play, which is what SPO, SPPO and DNO amount to on a table."""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.games.mirror_descent import mirror_descent
from rltheory.arrays import count, positives
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution
from rltheory.trace import Trace

__all__ = ["hedge"]


def hedge(
    game: PreferenceGame,
    *,
    iterations: int,
    rate: ArrayLike,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Play :math:`\pi_t \propto \pi_0 \exp\bigl(\eta_t \sum_{s < t} P \pi_s\bigr)`: Hedge against itself.

    SPO's self-play and SPPO with rate :math:`\eta`, and DNO's population update with :math:`1/\eta`, are this map. The
    averages converge to minimax winners; the last policies need not.

    Parameters
    ----------
    game
        The game, n actions.
    iterations
        Last recorded time, >= 0; one preference query in each iteration.
    rate : float or array_like, shape (iterations + 1,)
        Learning rates :math:`\eta_1, \eta_2, \dots > 0`, in 1 / payoff; they may decrease, as in the anytime form.
    start : array_like, shape (n,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        ``log_policy``, ``log_next``, ``mean``, ``gains`` and ``queries``, as described at
        :func:`~rltheory.algorithms.games.mirror_descent.mirror_descent`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the start is not a distribution with full support.

    References
    ----------
    :cite:`freund1999`; for preferences :cite:`swamy2024`, :cite:`wu2024`, :cite:`rosset2024`.

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])
    >>> trace = hedge(game, iterations=5000, rate=0.03, start=[0.6, 0.3, 0.1])
    >>> trace.last("mean").round(1)
    array([0.3, 0.3, 0.3])
    """
    iterations = count(iterations, "iterations")
    rates = positives(rate, "rate", iterations + 1)
    log_start = log_distribution(start, game.n, "start")
    keeps = np.append(1.0, rates[1:] / rates[:-1])
    return mirror_descent("Hedge", game, log_start, log_start, keeps, rates)
