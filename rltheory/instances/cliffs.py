r"""Processes in which optimal choices tie, or nearly so: where a small change of the rewards changes the policy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Vector, count, float_array, fraction, not_negative
from rltheory.instances.mdps import garnet
from rltheory.problems import MDP, SparseMDP, TabularMDP

__all__ = ["bandit", "length_chain", "outcome_tree", "reward_of_action_values", "tied_mdp", "two_branches"]


def bandit(means: ArrayLike) -> TabularMDP:
    """Bandit as a process of one state, with a choice for each arm; its discount is 0.

    Parameters
    ----------
    means : array_like, shape (n,)
        Mean rewards of the arms.

    Examples
    --------
    >>> bandit([1, 1, 1])
    <TabularMDP bandit of 3 arms: 1 states, 3 choices>
    """
    rewards = float_array(means, "means", ndim=1)
    return TabularMDP(np.ones((1, rewards.size, 1)), rewards[None], title=f"bandit of {rewards.size} arms")


def two_branches(first: float = 1.0, second: float = 0.0) -> TabularMDP:
    r"""First state with two choices that lead to states which are never left and pay `first` and `second` for ever.

    The first choice is better by :math:`\gamma / (1 - \gamma)` times the difference, so that errors of the rewards add
    up: :math:`(1 - \gamma) / 2` times this gap is how far rewards may err.

    Examples
    --------
    >>> two_branches().rewards
    array([0., 0., 1., 0.])
    """
    transitions, rewards = np.zeros((3, 2, 3)), np.zeros((3, 2))
    transitions[0, 0, 1] = transitions[0, 1, 2] = transitions[1, 0, 1] = transitions[2, 0, 2] = 1
    rewards[1:, 0] = first, second
    return TabularMDP(
        transitions,
        rewards,
        allowed=[[True, True], [True, False], [True, False]],
        initial=[1, 0, 0],
        state_names=("start", "first", "second"),
        title="two branches",
    )


def reward_of_action_values(mdp: MDP, discount: float, action_values: ArrayLike) -> Vector:
    r"""Rewards under which the optimal values of the choices are those given: the inverse of the Bellman operator.

    .. math:: r(c) = Q(c) - \gamma \sum_{s'} p(s' | c) \max_{c' \in s'} Q(c')

    Equal maxima make ties.

    Parameters
    ----------
    mdp
        The process, C choices; its own rewards play no role.
    discount
        Discount factor in [0, 1].
    action_values : array_like, shape (C,)
        Any numbers Q.

    Returns
    -------
    array, shape (C,)

    Raises
    ------
    ValueError, TypeError
        If `discount` is no number in [0, 1], or there is not one value for each choice.

    References
    ----------
    :cite:`xu2025`, proof of Proposition 2.4.

    Examples
    --------
    >>> reward_of_action_values(two_branches(), 0.5, [1, 1, 2, 0])
    array([0., 1., 1., 0.])
    """
    discount, wanted = fraction(discount, "discount"), float_array(action_values, "action_values", ndim=1)
    if wanted.size != mdp.choices:
        raise ValueError(f"action_values has {wanted.size} entries for {mdp.choices} choices; give one for each")
    best = np.maximum.reduceat(wanted, mdp.first_choice[:-1])
    rewards: Vector = wanted - discount * (mdp.transition_matrix @ best)
    return rewards


def tied_mdp(rng: np.random.Generator, states: int, actions: int, branching: int, discount: float) -> SparseMDP:
    """Random process with ties: laws of a Garnet, and optimal values that are halves between 0 and 2.

    In the first state the first two choices are optimal; other states tie as chance has it.

    Examples
    --------
    >>> tied_mdp(np.random.default_rng(0), 20, 3, 4, 0.9)
    <SparseMDP tied Garnet(20, 3, 4): 20 states, 60 choices>
    """
    if count(actions, "actions") < 2:
        raise ValueError(f"actions is {actions}; a tie needs two")
    mdp = garnet(rng, states, actions, branching)
    values = rng.integers(0, 5, mdp.choices) / 2
    values[:2] = 2.0
    return SparseMDP(
        mdp.first_choice,
        mdp.arrays.first_entry,
        mdp.arrays.successors,
        mdp.arrays.probabilities,
        reward_of_action_values(mdp, discount, values),
        title=f"tied {mdp}",
    )


def outcome_tree(correct: Sequence[bool], actions: int = 2) -> SparseMDP:
    """Tree of `actions` branches at each node, which pays 1 on reaching a correct leaf and nothing on the way.

    All ways to a correct leaf tie, so that there may be exponentially many optimal policies, in the number of nodes.
    Nodes are numbered from the root, level by level; leaves lead to an absorbing last state.

    Parameters
    ----------
    correct : sequence of bool
        Which leaves pay, from left to right; their number is a power of `actions`.
    actions
        Number of branches, >= 2.

    Raises
    ------
    ValueError, TypeError
        If the number of leaves is no power of `actions` above 1.

    Examples
    --------
    >>> tree = outcome_tree([True, True, False, True])
    >>> tree.states, tree.rewards
    (4, array([0., 0., 1., 1., 0., 1., 0.]))
    """
    actions, leaves = count(actions, "actions", at_least=2), np.array(correct, dtype=bool)
    sizes = [1]
    while sizes[-1] < leaves.size:
        sizes.append(sizes[-1] * actions)
    if leaves.ndim != 1 or sizes[-1] != leaves.size or leaves.size == 1:
        raise ValueError(f"correct has {leaves.size} leaves; their number must be a power of {actions} above 1")
    nodes = sum(sizes[:-1])
    choices = nodes * actions
    # The children of node k are k * actions + 1, ..., (k + 1) * actions.
    children = np.minimum(np.arange(1, choices + 1), nodes)
    rewards = np.zeros(choices + 1)
    rewards[choices - leaves.size : choices] = leaves
    return SparseMDP(
        np.append(np.arange(0, choices + 1, actions), choices + 1),
        np.arange(choices + 2),
        np.append(children, nodes),
        np.ones(choices + 1),
        rewards,
        initial=np.eye(nodes + 1)[0],
        title=f"outcome tree of {leaves.size} leaves",
    )


def length_chain(longest: int, target: int, penalty: float) -> TabularMDP:
    r"""Answers of 1, ..., `longest` words, all correct, with a small penalty for each word off the target.

    In state n - 1, the answer has n words; to stop pays :math:`1 - \alpha |n - \text{target}|` and leads to an
    absorbing last state without rewards, to go on pays nothing. Without discounting, all lengths tie at the penalty
    :math:`\alpha = 0`, and any other makes the target the only optimal one.

    Parameters
    ----------
    longest
        Largest length, >= 1.
    target
        Length in [1, `longest`].
    penalty
        :math:`\alpha \ge 0`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range.

    References
    ----------
    :cite:`xu2025` discusses such penalties, of 3e-4.

    Examples
    --------
    >>> length_chain(3, 2, 0.25).rewards
    array([0.75, 0.  , 1.  , 0.  , 0.75, 0.  ])
    """
    longest, target = count(longest, "longest", at_least=1), count(target, "target", at_least=1)
    if target > longest:
        raise ValueError(f"target is {target}; the longest answer has {longest} words")
    penalty = not_negative(penalty, "penalty")
    lengths = np.arange(longest)
    transitions, rewards = np.zeros((longest + 1, 2, longest + 1)), np.zeros((longest + 1, 2))
    transitions[:, 0, -1] = 1
    transitions[lengths, 1, lengths + 1] = 1
    rewards[:-1, 0] = 1 - penalty * np.abs(lengths + 1 - target)
    return TabularMDP(
        transitions,
        rewards,
        allowed=[*([True, True] for _ in range(longest - 1)), [True, False], [True, False]],
        initial=np.eye(longest + 1)[0],
        action_names=("stop", "go on"),
        title=f"answers of up to {longest} words",
    )
