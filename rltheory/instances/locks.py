"""Locks of several stages, which open after the right actions only."""

import numpy as np

from rltheory.arrays import count
from rltheory.problems import FiniteHorizonMDP, TabularMDP

__all__ = ["diabolical_lock"]


def diabolical_lock(rng: np.random.Generator, horizon: int, actions: int) -> FiniteHorizonMDP:
    """Lock with two good states, of which each has one right action at each stage, and small rewards for giving up.

    A right action leads to either good state with probability 1/2 each, and pays 1 at the last stage. A wrong one leads
    to the bad state for good, and pays 0.05 on the way: the mean of 0.1 with probability 1/2. Either good state is the
    start. Uniform play needs on the order of `actions` to the power of `horizon` episodes to be paid once, and what is
    easily found leads away. The optimal return is 1.

    The states are those of the locks of :cite:`misra2020`, as :cite:`zhou2024` uses them, without the pictures that
    hide them.

    Parameters
    ----------
    rng
        Source of the right actions.
    horizon
        Stages H >= 1.
    actions
        Actions A >= 1 in each state.

    Examples
    --------
    >>> lock = diabolical_lock(np.random.default_rng(0), 5, 3)
    >>> lock
    <FiniteHorizonMDP diabolical lock, 3 actions: 5 stages, 3 states, 9 choices>
    >>> lock.stages[-1].rewards
    array([1.  , 0.05, 0.05, 0.05, 0.05, 1.  , 0.  , 0.  , 0.  ])
    """
    horizon, actions = count(horizon, "horizon", at_least=1), count(actions, "actions", at_least=1)
    good, bad = np.arange(2), 2
    stages = []
    for stage in range(horizon):
        right = rng.integers(0, actions, 2)
        laws, rewards = np.zeros((3, actions, 3)), np.zeros((3, actions))
        laws[:, :, bad] = 1
        rewards[good] = 0.05
        laws[good, right] = [0.5, 0.5, 0]
        rewards[good, right] = float(stage == horizon - 1)
        stages.append(TabularMDP(laws, rewards, initial=[0.5, 0.5, 0]))
    return FiniteHorizonMDP(stages, title=f"diabolical lock, {actions} actions")
