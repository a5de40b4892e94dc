r"""How far a policy is from the equilibrium of a preference game.

In the game regularised with temperature :math:`\beta` and reference :math:`\mu`, a policy :math:`u` has the edge
:math:`\langle u, S \pi \rangle - \beta \mathrm{KL}(u \| \mu) + \beta \mathrm{KL}(\pi \| \mu)` over
:math:`\pi`. The exploitability of :math:`\pi` is the largest edge of all; the duality gap is twice that.
"""

import numpy as np

from rltheory.arrays import Array, Vector
from rltheory.measures.divergences import kl
from rltheory.problems import Game
from rltheory.simplex import log_normalize

__all__ = ["advantage", "best_response", "exploitability", "regularized_exploitability"]

BLOCK_ROWS = 256  # of payoffs in single precision, widened at a time


def _edges(game: Game, policy: Array) -> Array:
    r"""Edges :math:`S \pi` of all actions over each policy, shape (..., n)."""
    blocks = (game.payoff[start : start + BLOCK_ROWS] for start in range(0, game.n, BLOCK_ROWS))
    return np.concatenate([policy @ np.asarray(block, dtype=np.float64).T for block in blocks], axis=-1)


def exploitability(game: Game, policy: Array) -> Array:
    r"""Largest edge :math:`\max_a (P \pi)_a - 1/2` of an action over a policy, in the game itself.

    Parameters
    ----------
    game
        The game, n actions.
    policy : array, shape (..., n)
        Probabilities.

    Returns
    -------
    array, shape (...)
        Values in [0, 1/2]; 0 at minimax winners only.

    Examples
    --------
    >>> from rltheory import PreferenceGame
    >>> game = PreferenceGame([[0.5, 0.9], [0.1, 0.5]])
    >>> exploitability(game, np.array([[1.0, 0.0], [0.0, 1.0]]))
    array([0. , 0.4])
    """
    largest: Array = _edges(game, policy).max(axis=-1)
    return largest


def best_response(game: Game, log_policy: Array, beta: float, log_reference: Vector) -> Array:
    r"""Logarithm of :math:`\mathrm{BR}_\beta(\pi) \propto \mu\, e^{P \pi / \beta}`, shape (..., n)."""
    return log_normalize(log_reference + _edges(game, np.exp(log_policy)) / beta)


def advantage(game: Game, log_policy: Array, log_opponent: Array, beta: float, log_reference: Vector) -> Array:
    r"""Edge :math:`P_\beta(\pi \succ \pi') - 1/2` of a policy over its opponent, by definition; shape (...)."""
    policy, opponent = np.exp(log_policy), np.exp(log_opponent)
    penalty = beta * (kl(log_policy, log_reference) - kl(log_opponent, log_reference))
    edges: Array = (policy * _edges(game, opponent)).sum(axis=-1) - penalty
    return edges


def regularized_exploitability(game: Game, log_policy: Array, beta: float, log_reference: Vector) -> Array:
    r"""Largest edge over a policy in the regularised game, :math:`\max_u P_\beta(u \succ \pi) - 1/2`.

    It equals :math:`\beta\,\mathrm{KL}(\pi \| \mathrm{BR}_\beta(\pi))`, the form computed here, which does not
    cancel near the equilibrium.

    Parameters
    ----------
    game
        The game, n actions.
    log_policy : array, shape (..., n)
        Normalised log-probabilities.
    beta
        Temperature, > 0.
    log_reference : array, shape (n,)
        Log-probabilities of the reference policy.

    Returns
    -------
    array, shape (...)
        Values >= 0, in units of win probability.
    """
    return beta * kl(log_policy, best_response(game, log_policy, beta, log_reference))
