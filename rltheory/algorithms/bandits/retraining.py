r"""Retraining: each generation of a policy is fitted to what the one before has seen, with data without end.

A generation is epsilon-greedy for a table :math:`f_g`, and pulls arm a in context x with probability
:math:`\pi_g(a \mid x)`. The next one is fitted to its data alone:

.. math:: f_{g + 1} \in \arg\min_{f \in F} \sum_{x, a} q(x)\, \pi_g(a \mid x)\, (f(x, a) - \mu(x, a))^2,

where q are the frequencies of the contexts. Noise of the rewards adds the same to all errors, and is left out.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import count, float_array, fraction
from rltheory.problems.contextual_bandit import ContextualBandit
from rltheory.trace import Trace

__all__ = ["retrain"]


def retrain(bandit: ContextualBandit, tables: ArrayLike, *, epsilon: float, generations: int, first: int = 0) -> Trace:
    r"""Fit a table of a finite class to the data of the policy of the table before, again and again.

    Parameters
    ----------
    bandit
        The bandit, C contexts and K arms.
    tables : array_like, shape (m, C, K)
        The class F. Of equal predictions the first arm counts as the best, and of equal errors the first table.
    epsilon
        Probability in [0, 1] of a random arm.
    generations
        Number of fits, >= 0.
    first
        Number of the table of the first generation, >= 0.

    Returns
    -------
    Trace
        ``table``, the number of the table of each generation, and ``regret``, the mean pseudo-regret of a round.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, or tables and bandit do not fit.

    Examples
    --------
    Each table praises one arm too much: who pulls that arm sees it, and turns to the other table.

    >>> bandit = ContextualBandit([[0.5, 0.3]])
    >>> trace = retrain(bandit, [[[0.9, 0.3]], [[0.5, 0.9]]], epsilon=0.1, generations=4)
    >>> trace["table"]
    array([0, 1, 0, 1, 0])
    """
    known = float_array(tables, "tables", ndim=3)
    if known.shape[1:] != bandit.means.shape or len(known) == 0:
        raise ValueError(f"tables has shape {known.shape}; expected (m, {bandit.contexts}, {bandit.arms}) with m >= 1")
    epsilon, generations, table = fraction(epsilon, "epsilon"), count(generations, "generations"), count(first, "first")
    if table >= len(known):
        raise ValueError(f"first is {table}; there are {len(known)} tables")
    squares, everywhere = (known - bandit.means) ** 2, np.arange(bandit.contexts)
    chosen, regrets = np.empty(generations + 1, np.int64), np.empty(generations + 1)
    for generation in range(generations + 1):
        pulled = np.full(bandit.means.shape, epsilon / bandit.arms)
        pulled[everywhere, known[table].argmax(axis=1)] += 1 - epsilon
        pulled *= bandit.frequencies[:, None]
        chosen[generation], regrets[generation] = table, (pulled * bandit.gaps).sum()
        table = int((squares * pulled).sum(axis=(1, 2)).argmin())
    values = {"table": (("time",), chosen), "regret": (("time",), regrets)}
    return Trace("retraining", np.arange(generations + 1), values, "generation")
