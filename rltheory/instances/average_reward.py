"""Families of processes for learning without restarts."""

import numpy as np

from rltheory.arrays import count, fraction
from rltheory.problems import TabularMDP

__all__ = ["hidden_action", "random_ergodic_mdp", "random_weakly_communicating_mdp"]


def hidden_action(actions: int = 5, *, rate: float = 0.2, advantage: float) -> TabularMDP:
    r"""Two states, the second of which pays 1; one action of the first leads there a little faster than all others.

    The process leaves each state with probability `rate` per step, whatever is done; but the last action leaves the
    first state with probability ``rate + advantage``. With :math:`\varepsilon = 2 \sqrt{A q / T}` it takes about T
    steps to find that action, so that regret must be of order :math:`\sqrt T`, as in lower bounds :cite:`jaksch2010`;
    on any one process it is logarithmic in the end.

    Examples
    --------
    >>> hidden_action(2, advantage=0.1).transition_matrix.round(1)
    array([[0.8, 0.2],
           [0.7, 0.3],
           [0.2, 0.8],
           [0.2, 0.8]])
    """
    actions = count(actions, "actions", at_least=1)
    rate, faster = fraction(rate, "rate"), fraction(rate + advantage, "rate + advantage")
    laws = np.empty((2, actions, 2))
    laws[0], laws[1] = [1 - rate, rate], [rate, 1 - rate]
    laws[0, -1] = [1 - faster, faster]
    title = f"hidden action among {actions}"
    return TabularMDP(laws, np.tile([[0.0], [1.0]], actions), initial=[1, 0], title=title)


def random_ergodic_mdp(rng: np.random.Generator, states: int, actions: int, *, mixing: float = 0.1) -> TabularMDP:
    """Laws from a Dirichlet distribution with parameters 1/2, mixed with the uniform law; uniform rewards in [0, 1].

    Every policy visits all states, as `mixing` is the share of the uniform law.

    Examples
    --------
    >>> bool(random_ergodic_mdp(np.random.default_rng(0), 3, 2).transition_matrix.min() > 0.03)
    True
    """
    states, actions = count(states, "states", at_least=1), count(actions, "actions", at_least=1)
    share = fraction(mixing, "mixing")
    laws = (1 - share) * rng.dirichlet(np.full(states, 0.5), size=(states, actions)) + share / states
    return TabularMDP(laws, rng.random((states, actions)), title=f"random ergodic, {states} states")


def random_weakly_communicating_mdp(
    rng: np.random.Generator, states: int, actions: int, *, transient: int = 1, support: int = 3
) -> TabularMDP:
    """A random process whose last states are left for good, while the others can all be reached from each other.

    Choices have sparse laws, over `support` random states, so that most policies do not visit all states. The first
    action of state s leads on to the next recurrent state with probability 1/2 at least, and from the last one, as from
    transient states, to the first.

    Parameters
    ----------
    transient
        Number of states, less than `states`, to which no recurrent one leads.
    support
        Number of states >= 1 to which a choice leads, besides.

    Examples
    --------
    >>> from rltheory.solvers import average_policy_iteration
    >>> found = average_policy_iteration(random_weakly_communicating_mdp(np.random.default_rng(0), 6, 2))
    >>> bool(np.ptp(found.gain) < 1e-9)
    True
    """
    states, actions = count(states, "states", at_least=2), count(actions, "actions", at_least=1)
    transient, support = count(transient, "transient"), count(support, "support", at_least=1)
    recurrent = states - transient
    if recurrent < 1:
        raise ValueError(f"transient is {transient} of {states} states; at least one must be recurrent")
    laws = np.zeros((states, actions, states))
    for state in range(states):
        # From a transient state to all states, but never back from a recurrent one.
        reachable = states if state >= recurrent else recurrent
        size = min(support, reachable)
        for action in range(actions):
            ends = rng.choice(reachable, size=size, replace=False)
            laws[state, action, ends] = rng.dirichlet(np.ones(size))
        onward = (state + 1) % recurrent if state < recurrent else 0
        laws[state, 0] *= 0.5
        laws[state, 0, onward] += 0.5
    title = f"random weakly communicating, {states} states"
    return TabularMDP(laws, rng.random((states, actions)), title=title)
