r"""Howard's policy iteration, exact and approximate: a policy is evaluated, and improved in all states at once.

.. math:: \pi_{k+1}(s) \in \arg\max_{c \in s}\ r(c) + \gamma \sum_t p_c(t)\, v_k(t), \qquad v_k = V^{\pi_k} + e_k.

A choice is replaced only by one that is better, by more than rounding.

Paper: :cite:`howard1960`; with errors: :cite:`bertsekas1996`. The policies are the point here; for certified answers
take :func:`rltheory.solvers.policy_iteration`.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.discounted.value_iteration import checked_errors
from rltheory.arrays import count
from rltheory.problems.mdp import MDP
from rltheory.problems.policies import deterministic_policy
from rltheory.progress import sign_of_life
from rltheory.solvers.bellman import back_up
from rltheory.solvers.occupancy import checked_discount, discounted_values
from rltheory.trace import Trace

__all__ = ["policy_iteration"]


def policy_iteration(
    mdp: MDP,
    discount: float,
    *,
    iterations: int,
    start: ArrayLike | None = None,
    errors: ArrayLike | None = None,
) -> Trace:
    r"""Run policy iteration.

    Parameters
    ----------
    mdp
        The process, S states.
    discount
        Discount factor in [0, 1).
    iterations
        Number of improvements at most, >= 0. Without errors the run ends where nothing is left to improve.
    start : array_like of int, shape (S,), optional
        Number of the first choice in each state; by default the one with the largest reward.
    errors : array_like, shape (E, S), optional
        What is added to the values of the policies 0, ..., E - 1, and of later ones from the beginning again, in units
        of reward; nothing by default.

    Returns
    -------
    Trace
        At each time k the arrays ``made``, of shape (time, state), the numbers of the choices of :math:`\pi_k`, and
        ``values``, its own values :math:`V^{\pi_k}`.

    Raises
    ------
    ValueError, TypeError, ArithmeticError
        If a number is out of its range, an array has another shape, `start` is no policy, or float64 can certify no
        values.

    References
    ----------
    :cite:`howard1960`, :cite:`bertsekas1996`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = policy_iteration(river_swim(3), 0.9, iterations=10, start=[0, 2, 4])
    >>> trace["made"]
    array([[0, 2, 4],
           [0, 2, 5],
           [0, 3, 5],
           [1, 3, 5]])
    """
    discount, iterations = checked_discount(discount), count(iterations, "iterations")
    added = checked_errors(errors, mdp)
    best, spare = np.empty(mdp.states, dtype=np.int64), np.empty(mdp.states)
    back_up(mdp.arrays, 0.0, np.zeros(mdp.states), spare, best, 0, mdp.states)
    made = best.copy() if start is None else np.array(start)
    policies, values = [], []
    with sign_of_life(f"policy iteration of {mdp}"):
        while True:
            evaluated = discounted_values(mdp, deterministic_policy(mdp, made), discount)
            policies.append(made)
            values.append(evaluated.values)
            k = len(policies) - 1
            if k == iterations:
                break
            estimate = evaluated.values + added[k % len(added)]
            back_up(mdp.arrays, discount, estimate, spare, best, 0, mdp.states)
            own = mdp.rewards[made] + discount * (mdp.transition_matrix @ estimate)[made]
            better = spare - own > 2 * evaluated.error
            if errors is None and not better.any():
                break
            made = np.where(better, best, made)
    labels = ("time", "state")
    arrays = {"made": (labels, np.array(policies)), "values": (labels, np.array(values))}
    return Trace("policy iteration", np.arange(len(policies)), arrays)
