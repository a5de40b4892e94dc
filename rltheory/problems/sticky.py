r"""Sticky actions :cite:`machado2018`: with some probability the last executed action is executed again.

A state of the sticky process is a state of the plain one together with the action that was executed before. Only the
pairs that can occur are states: some choice of that action leads there with positive probability. Those in which an
episode may start have no action before them.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, fraction
from rltheory.problems.bridge import EXPLORATION_TOLERANCE
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import MDP, Indices, SparseMDP
from rltheory.problems.policies import checked_policy

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["sticky", "sticky_policy", "sticky_states"]

NOTHING = -1


def sticky_states(problem: FiniteHorizonMDP) -> Indices:
    """State and action executed before it, for each state of the sticky process; the action is -1 at the start.

    Returns
    -------
    array of int, shape (N, 2)
        An action is the number of a choice within its state.

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> loop = DeterministicMDP([[1, 0], [0, 1]], [[0, 1], [5, 0]], initial=[1, 0])
    >>> sticky_states(FiniteHorizonMDP.stationary(loop, 3)).tolist()
    [[0, -1], [0, 0], [0, 1], [1, 0], [1, 1]]
    """
    possible = [
        np.stack([np.flatnonzero(problem.initial), np.full(np.count_nonzero(problem.initial), NOTHING)], axis=1)
    ]
    for mdp in dict.fromkeys(problem.stages):
        choices, successors = _laws(mdp).nonzero()
        possible.append(np.stack([successors, _actions(mdp)[choices]], axis=1))
    return np.unique(np.concatenate(possible), axis=0).astype(np.int64)


def sticky(problem: FiniteHorizonMDP, probability: float) -> FiniteHorizonMDP:
    r"""Process in which the last executed action is executed again, in place of the chosen one, with a probability p.

    With P and r of the plain process and b the action executed before,

    .. math::

        P'((x, a) | (s, b), a) &= (1 - p)\, P(x | s, a), \qquad P'((x, b) | (s, b), a) = p\, P(x | s, b), \\
        r'((s, b), a) &= (1 - p)\, r(s, a) + p\, r(s, b),

    and where a = b both ways are one. At the first stage, and in states that don't have the action b, the chosen action
    is executed.

    Parameters
    ----------
    problem
        The plain process.
    probability
        p in [0, 1].

    Returns
    -------
    FiniteHorizonMDP
        Its states are those of :func:`sticky_states`; a state has the choices of its plain state.

    Raises
    ------
    ValueError, TypeError
        If `probability` is no number in [0, 1].

    References
    ----------
    :cite:`machado2018`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> loop = DeterministicMDP([[1, 0], [0, 1]], [[0, 1], [5, 0]], initial=[1, 0])
    >>> sticky(FiniteHorizonMDP.stationary(loop, 3), 0.25).stages[0].rewards.tolist()
    [0.0, 1.0, 0.0, 0.75, 0.25, 1.0, 5.0, 1.25, 3.75, 0.0]
    """
    p = fraction(probability, "probability")
    pairs = sticky_states(problem)
    transformed = {mdp: _sticky(mdp, p, pairs, problem) for mdp in dict.fromkeys(problem.stages)}
    title = f"{problem.title}, sticky {p:g}" if problem.title else ""
    return FiniteHorizonMDP([transformed[mdp] for mdp in problem.stages], title=title)


def sticky_policy(problem: FiniteHorizonMDP, policy: ArrayLike) -> Array:
    """Policy of the sticky process that chooses like one of the plain process, whatever was executed before.

    Parameters
    ----------
    problem
        The plain process.
    policy : array_like, shape (C,) or (H, C)
        Probabilities of its choices, which sum to 1 within 1e-6 in each state.

    Returns
    -------
    array, shape (H, number of choices of the sticky process)

    Raises
    ------
    ValueError
        If `policy` is no policy of the plain process.

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> loop = DeterministicMDP([[1, 0], [0, 1]], [[0, 1], [5, 0]], initial=[1, 0])
    >>> sticky_policy(FiniteHorizonMDP.stationary(loop, 1), [0.9, 0.1, 0.5, 0.5])
    array([[0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.5, 0.5, 0.5, 0.5]])
    """
    first = problem.stages[0]
    chances = checked_policy(first, policy, stages=problem.horizon, tolerance=EXPLORATION_TOLERANCE)
    _, _, _, chosen = _chosen(first, sticky_states(problem))
    return np.ascontiguousarray(chances[:, chosen])


def _chosen(mdp: MDP, pairs: Indices) -> tuple[Indices, Indices, Indices, Indices]:
    """First choices of the states of the sticky process; state, action, and choice in the plain process, of choices."""
    state = pairs[:, 0]
    choices = np.diff(mdp.first_choice)[state]
    first_choice = np.append(0, np.cumsum(choices))
    owner = np.repeat(np.arange(state.size), choices)
    action = np.arange(first_choice[-1]) - first_choice[owner]
    return first_choice, owner, action, mdp.first_choice[state[owner]] + action


def _sticky(mdp: MDP, p: float, pairs: Indices, problem: FiniteHorizonMDP) -> SparseMDP:
    from scipy.sparse import coo_array, csr_array

    state, before = pairs.T
    sizes = np.diff(mdp.first_choice)
    first_choice, owner, action, chosen = _chosen(mdp, pairs)
    repeated = mdp.first_choice[state[owner]] + before[owner]
    both = (before[owner] != NOTHING) & (before[owner] < sizes[state[owner]]) & (before[owner] != action)
    rows = np.concatenate([np.arange(owner.size), np.flatnonzero(both)])
    executed = csr_array(
        (
            np.concatenate([np.where(both, 1 - p, 1.0), np.full(np.count_nonzero(both), p)]),
            (rows, np.concatenate([chosen, repeated[both]])),
        ),
        shape=(owner.size, mdp.choices),
    )
    executed.eliminate_zeros()
    laws = coo_array(_laws(mdp))
    # Pairs are sorted, and so are their codes.
    width = int(sizes.max()) + 1
    reached = np.searchsorted(state * width + before, laws.col * width + _actions(mdp)[laws.row])
    after = csr_array((laws.data, (laws.row, reached)), shape=(mdp.choices, state.size))
    sticky_laws = csr_array(executed @ after)
    sticky_laws.sort_indices()
    names = [mdp.choice_names[choice] for choice in chosen]
    starts = before == NOTHING
    initial = np.zeros(state.size)
    initial[starts] = problem.initial[state[starts]]
    return SparseMDP(
        first_choice,
        sticky_laws.indptr,
        sticky_laws.indices,
        sticky_laws.data,
        executed @ mdp.rewards,
        initial=initial,
        state_names=[mdp.state_names[s] + (f" after {b}" if b != NOTHING else "") for s, b in pairs],
        choice_names=names,
        title=mdp.title,
    )


def _laws(mdp: MDP) -> "csr_array":
    """Transition laws without entries of probability 0."""
    from scipy.sparse import csr_array

    laws = csr_array(mdp.transition_matrix, copy=True)
    laws.eliminate_zeros()
    return laws


def _actions(mdp: MDP) -> Indices:
    """Number of each choice within its state."""
    return np.arange(mdp.choices) - mdp.first_choice[mdp.state_of_choice]
