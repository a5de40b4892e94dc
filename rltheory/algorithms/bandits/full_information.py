r"""Hedge where all losses are seen: what a policy of a bandit, who sees that of its own arm, is compared with."""

import math

import numpy as np

from rltheory.arrays import positive
from rltheory.problems.losses import LossTable
from rltheory.simplex import log_normalize
from rltheory.trace import Trace, record_times

__all__ = ["hedge_losses"]


def hedge_losses(table: LossTable, *, rate: float | None = None, points: int = 100) -> Trace:
    r"""Play :math:`p_t(a) \propto e^{-\eta \sum_{s < t} \ell_s(a)}` on a table of losses :cite:`cesabianchi2006`.

    Parameters
    ----------
    table
        Losses of K arms in n rounds.
    rate
        :math:`\eta > 0`; :math:`\sqrt{8 \log K / n}` by default, with which the regret is
        :math:`\sqrt{n \log(K) / 2}` at most.
    points
        Most recorded times, on a geometric grid that begins with 0.

    Returns
    -------
    Trace
        ``expected_regret``, :math:`\sum_{s \le t} \langle p_s, \ell_s \rangle - \min_a \sum_{s \le t} \ell_s(a)`.

    Examples
    --------
    >>> table = LossTable(np.tile([0.0, 1.0], (1000, 1)))
    >>> print(f"{hedge_losses(table).last('expected_regret'):.2f}")
    9.56
    """
    eta = math.sqrt(8 * math.log(table.arms) / table.rounds) if rate is None else positive(rate, "rate")
    policies = np.exp(log_normalize(-eta * table.cumulative[:-1]))
    suffered = np.append(0.0, np.cumsum((policies * table.losses).sum(axis=1)))
    times = record_times(table.rounds, points=points)
    regrets = suffered[times] - table.cumulative[times].min(axis=1)
    return Trace("Hedge", times, {"expected_regret": (("time",), regrets)}, "round")
