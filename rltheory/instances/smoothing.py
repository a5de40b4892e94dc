"""Processes and mixtures of rewards on which smoothing a policy shows what it does, and what it costs."""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import count, float_array, not_negative, positive
from rltheory.problems import RewardMixture, SparseMDP, TabularMDP

__all__ = ["dead_end_or_options", "forgetful_mixture", "fork", "opposed_bandit", "prompt_tree"]


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


def opposed_bandit(first: float, second: float) -> RewardMixture:
    """Bandit of two arms and two equally likely rewards of :cite:`xu2025`: each prefers its own arm, by a margin.

    The second reward pays `first` > 0 for arm 0, and the first pays `second` > 0 for arm 1. With weight w on the second
    reward, arm 0 becomes optimal at w = second / (first + second).

    Examples
    --------
    >>> opposed_bandit(1.0, 3.0).effective_rewards([0.25, 0.75])
    array([0.75, 0.75])
    """
    margins = positive(first, "first"), positive(second, "second")
    bandit = TabularMDP([[[1.0], [1.0]]], [[0.0, 0.0]], title="bandit of two arms and two rewards")
    return RewardMixture(bandit, np.array([[0.0, margins[1]], [margins[0], 0.0]]), [0.5, 0.5], [[1.0], [1.0]])


def forgetful_mixture() -> RewardMixture:
    """Two prompts that lead to the same question, which each class wants answered in its own way.

    Class k starts in prompt k with certainty, and action k pays 1 in its question. A policy that has forgotten the
    prompt earns half of what can be earned. All ends in an absorbing state.

    Examples
    --------
    >>> forgetful_mixture().remembering.rewards[[2, 3, 7, 8]]
    array([1., 0., 0., 1.])
    """
    transitions = np.zeros((4, 2, 4))
    transitions[:2, :, 2] = transitions[2:, :, 3] = 1
    allowed = np.array([[True, False], [True, False], [True, True], [True, False]])
    mdp = TabularMDP(transitions, np.zeros((4, 2)), allowed=allowed, title="two prompts, one question")
    return RewardMixture(mdp, [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], [0.5, 0.5], np.eye(2, 4))


def prompt_tree(rng: np.random.Generator, counts: ArrayLike, depth: int = 2) -> RewardMixture:
    """Answers of `depth` binary tokens to a pool of prompts, with a random reward of each class for each answer.

    Every prompt has a tree of its own, as all histories of an autoregressive model do, so that the state tells the
    prompt and the posterior weights make the effective rewards exact. The last token is paid, uniformly on [0, 1].

    Parameters
    ----------
    rng
        Source of the rewards.
    counts : array_like, shape (K, n)
        Copies of each of the n prompts in each of the K classes; a prompt with copies in two classes lies on a
        boundary.
    depth
        Number of tokens, >= 1.

    Examples
    --------
    >>> print(prompt_tree(np.random.default_rng(0), [[3, 1, 0], [0, 1, 2]]))
    tree of 3 prompts, 2 classes
    """
    pool, depth = float_array(counts, "counts", ndim=2), count(depth, "depth", at_least=1)
    classes, n = pool.shape
    inner = 2**depth - 1  # states of a tree: in the order of levels, the children of state i are 2 i + 1 and 2 i + 2
    end = n * inner
    children = 2 * np.arange(inner)[:, None] + [1, 2]
    successors = np.where(children < inner, children + inner * np.arange(n)[:, None, None], end)
    paid = np.append(np.tile(np.repeat(np.arange(inner) >= inner // 2, 2), n), False)
    mdp = SparseMDP(
        np.append(2 * np.arange(end + 1), 2 * end + 1),
        np.arange(2 * end + 2),
        np.append(successors.ravel(), end),
        np.ones(2 * end + 1),
        np.zeros(2 * end + 1),
        title=f"tree of {n} prompts",
    )
    copies = np.zeros((classes, end + 1))
    copies[:, np.arange(n) * inner] = pool
    return RewardMixture.from_counts(mdp, np.where(paid, rng.random((classes, 2 * end + 1)), 0.0), copies)
