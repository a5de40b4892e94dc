r"""Who should win, by the rules of social choice: Condorcet, Smith, Copeland and Borda.

Action :math:`a` *beats* :math:`b` if :math:`P_{ab} > 1/2`; a win rate of exactly 1/2 is a *tie*. Both are read off the
sign of the payoff, which is exact for games made from counts, up to 2^53 of them for a pair. The *maximal lottery* is
the minimax winner, :func:`~rltheory.solvers.minimax_winner` :cite:`fishburn1984`; its support lies in the Smith set.
"""

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Vector
from rltheory.problems import PreferenceGame

__all__ = ["borda_scores", "condorcet_winner", "copeland_scores", "smith_set"]


def condorcet_winner(game: PreferenceGame) -> int | None:
    """Return the action that beats every other, or None. An action that also ties is no Condorcet winner.

    References
    ----------
    :cite:`condorcet1785`.

    Examples
    --------
    >>> condorcet_winner(PreferenceGame([[0.5, 0.6, 0.7], [0.4, 0.5, 0.1], [0.3, 0.9, 0.5]]))
    0
    >>> condorcet_winner(PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])) is None
    True
    """
    members = smith_set(game)
    return int(members[0]) if members.size == 1 else None


def smith_set(game: PreferenceGame) -> NDArray[np.intp]:
    """Return the Smith set, or top cycle: the smallest non-empty set each member of which beats each action outside.

    Returns
    -------
    array
        Its actions in ascending order; all actions if no smaller set will do.

    References
    ----------
    :cite:`smith1973`.

    Examples
    --------
    Three actions in a cycle, all of which beat the fourth:

    >>> smith_set(PreferenceGame([[0.5, 0, 1, 0.6], [1, 0.5, 0, 0.6], [0, 1, 0.5, 0.6], [0.4, 0.4, 0.4, 0.5]]))
    array([0, 1, 2])
    """
    n = game.n
    scores = copeland_scores(game)
    descending = np.argsort(-scores)
    # A member has a higher score than any outsider, so the k best are to be tried for k = 1, 2, ... Among
    # themselves they share k (k - 1) / 2 points, and from the others they have k (n - k) only if they beat them all.
    size = np.arange(1, n + 1)
    sufficient = np.cumsum(scores[descending]) == size * (size - 1) / 2 + size * (n - size)
    return np.sort(descending[: 1 + np.argmax(sufficient)])


def copeland_scores(game: PreferenceGame) -> Vector:
    """Return for each action the number of others that it beats, plus half of those that it ties; shape (n,).

    The winners of Copeland's rule are the actions of the highest score.

    References
    ----------
    :cite:`copeland1951`.

    Examples
    --------
    >>> copeland_scores(PreferenceGame([[0.5, 0.5, 0.9], [0.5, 0.5, 0.4], [0.1, 0.6, 0.5]]))
    array([1.5, 0.5, 1. ])
    """
    scores: Vector = (game.n - 1 + np.sign(game.payoff).sum(axis=1)) / 2
    return scores


def borda_scores(game: PreferenceGame) -> Vector:
    """Return the mean win rate of each action against the others, shape (n,); 1/2 if there are no others.

    If voters have ranked all actions, it is the mean share of the others that they rank below the action. Scores are
    rounded, so that winners of Borda's rule that are equal may differ in the last bits.

    References
    ----------
    :cite:`borda1781`.

    Examples
    --------
    >>> borda_scores(PreferenceGame([[0.5, 0.5, 1], [0.5, 0.5, 0.25], [0, 0.75, 0.5]]))
    array([0.75 , 0.375, 0.375])
    """
    scores: Vector = 0.5 + game.payoff.sum(axis=1) / max(game.n - 1, 1)
    return scores
