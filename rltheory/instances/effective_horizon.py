"""Processes over a finite horizon for which it matters how far one looks ahead before playing at random."""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import count
from rltheory.instances.mdps import garnet
from rltheory.problems import DeterministicMDP, FiniteHorizonMDP, SparseMDP

__all__ = ["alternating_depths", "lucky_arms", "random_deterministic", "random_episodes"]


def from_table(successors: ArrayLike, rewards: ArrayLike, horizon: int, title: str) -> FiniteHorizonMDP:
    """Deterministic process that starts in state 0, by tables of shape (S, A)."""
    start = np.eye(1, len(np.asarray(successors)))[0]
    return FiniteHorizonMDP.stationary(DeterministicMDP(successors, rewards, initial=start, title=title), horizon)


def alternating_depths() -> FiniteHorizonMDP:
    """Deterministic process of 4 states and 5 stages that is solved by looking 1, 3 or 5 steps ahead, not by 2 or 4.

    To look k steps ahead and then to rely on the values of random play is optimal for these k only: looking farther
    is not always better.

    Examples
    --------
    >>> alternating_depths()
    <FiniteHorizonMDP alternating depths: 5 stages, 4 states, 8 choices>
    """
    successors = [[2, 3], [2, 2], [1, 0], [0, 2]]
    return from_table(successors, [[3, 2], [0, 4], [3, 2], [1, 4]], 5, "alternating depths")


def lucky_arms(horizon: int = 60, actions: int = 300) -> FiniteHorizonMDP:
    r"""Deterministic process in which rare luck makes wrong choices look good.

    There is a state for each stage t. Its first action earns 2 and leads to the next. The others lead to a place where
    one of the actions leads to a place where one of the actions earns :math:`2 (H - t) - 1`: with H stages, just less
    than the first action is worth, but random play finds it once in :math:`A^2` attempts. All else earns nothing.

    Parameters
    ----------
    horizon
        Stages H >= 3.
    actions
        Actions A >= 2 in each state.

    Examples
    --------
    >>> lucky_arms(4, 3)
    <FiniteHorizonMDP lucky arms, 3 actions: 4 stages, 9 states, 27 choices>
    """
    horizon, actions = count(horizon, "horizon", at_least=3), count(actions, "actions", at_least=2)
    lotteries = horizon - 2
    chain = np.arange(horizon)
    doors, prizes = horizon + np.arange(lotteries), horizon + lotteries + np.arange(lotteries)
    end = horizon + 2 * lotteries
    successors, rewards = np.full((end + 1, actions), end), np.zeros((end + 1, actions))
    successors[chain, 0] = [*chain[1:], end]
    successors[chain[:lotteries], 1:] = doors[:, None]
    successors[doors, 0] = prizes
    rewards[chain, 0] = 2
    rewards[prizes, 0] = 2 * (horizon - np.arange(lotteries)) - 1
    return from_table(successors, rewards, horizon, f"lucky arms, {actions} actions")


def random_deterministic(
    rng: np.random.Generator, states: int, actions: int, horizon: int, *, highest_reward: int = 4
) -> FiniteHorizonMDP:
    """Deterministic process with uniformly random successors and integer rewards from 0 to `highest_reward`.

    Examples
    --------
    >>> random_deterministic(np.random.default_rng(0), 5, 2, 6)
    <FiniteHorizonMDP random, deterministic: 6 stages, 5 states, 10 choices>
    """
    shape = count(states, "states", at_least=1), count(actions, "actions", at_least=1)
    rewards = rng.integers(0, count(highest_reward, "highest_reward") + 1, shape)
    return from_table(rng.integers(0, states, shape), rewards, horizon, "random, deterministic")


def random_episodes(
    rng: np.random.Generator, states: int, actions: int, horizon: int, *, branching: int = 2
) -> FiniteHorizonMDP:
    """Random process of which no episode returns more than 1: a :func:`garnet` with its rewards over the horizon.

    The first state is 0.

    Examples
    --------
    >>> random_episodes(np.random.default_rng(0), 4, 2, 3)
    <FiniteHorizonMDP Garnet(4, 2, 2): 3 stages, 4 states, 8 choices>
    """
    horizon = count(horizon, "horizon", at_least=1)
    mdp = garnet(rng, states, actions, branching)
    start = SparseMDP(
        mdp.first_choice,
        mdp.arrays.first_entry.astype(np.int64),
        mdp.arrays.successors.astype(np.int64),
        mdp.arrays.probabilities,
        mdp.rewards / horizon,
        initial=np.eye(1, states)[0],
        title=mdp.title,
    )
    return FiniteHorizonMDP.stationary(start, horizon)
