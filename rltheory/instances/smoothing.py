"""Processes and mixtures of rewards on which smoothing a policy shows what it does, and what it costs."""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import count, float_array, not_negative
from rltheory.problems import TabularMDP

__all__ = ["dead_end_or_options", "fork"]


def fork(rewards: ArrayLike = (0.0, 0.0)) -> TabularMDP:
    """Process of :cite:`xu2025` whose first decision is for ever: action i leads to an absorbing state that pays.

    The first state, which is the start, pays nothing, and the absorbing state i pays ``rewards[i]`` at each stage. At a
    discount g the gap between the actions is g / (1 - g) times that between the rewards.

    Examples
    --------
    >>> fork([1, 2]).rewards
    array([0., 0., 1., 2.])
    """
    pays = float_array(rewards, "rewards", ndim=1)
    n = pays.size
    if n == 0:
        raise ValueError("rewards is empty; a fork has one branch at least")
    transitions = np.zeros((n + 1, n, n + 1))
    transitions[0] = np.eye(n, n + 1, k=1)
    transitions[np.arange(1, n + 1), 0, np.arange(1, n + 1)] = 1
    allowed = np.zeros((n + 1, n), dtype=bool)
    allowed[0] = allowed[:, 0] = True
    table = np.zeros((n + 1, n))
    table[1:, 0] = pays
    return TabularMDP(
        transitions, table, allowed=allowed, initial=np.eye(n + 1)[0], title=f"fork of {n} absorbing states"
    )


def dead_end_or_options(actions: int, pay: float = 0.0) -> TabularMDP:
    """Process that tells entropy from reward: a dead end that pays, or a state of many actions that pays nothing.

    From the first state, the start, one action leads to the dead end, which has one action and pays `pay` at each
    stage; the other leads to a state of `actions` equal actions, which pay nothing. Both states are absorbing. A soft
    policy chases the entropy of the second.

    Parameters
    ----------
    actions
        Number of equal actions, >= 2.
    pay
        Reward of the dead end, >= 0.

    Examples
    --------
    >>> dead_end_or_options(3, pay=1.0).rewards
    array([0., 0., 1., 0., 0., 0.])
    """
    actions, pay = count(actions, "actions", at_least=2), not_negative(pay, "pay")
    allowed = np.zeros((3, actions), dtype=bool)
    allowed[0, :2] = allowed[1, 0] = allowed[2] = True
    transitions, rewards = np.zeros((3, actions, 3)), np.zeros((3, actions))
    transitions[0, 0, 1] = transitions[0, 1, 2] = transitions[1, 0, 1] = 1
    transitions[2, :, 2] = 1
    rewards[1, 0] = pay
    return TabularMDP(
        transitions,
        rewards,
        allowed=allowed,
        initial=[1, 0, 0],
        title=f"dead end that pays {pay:g}, or {actions} options",
    )
