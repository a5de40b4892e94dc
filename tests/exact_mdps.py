"""Tiny decision processes with ties, absorbing and unreachable states, and their numbers in exact arithmetic."""

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from rltheory.problems import SparseMDP, TabularMDP

__all__ = ["exact", "exact_laws", "mdps", "policies_of", "state_choices"]


def exact(values):
    """The same array of numbers as fractions, exactly as they are stored."""
    return np.vectorize(Fraction, otypes=[object])(np.asarray(values, dtype=float))


def exact_laws(mdp):
    matrix = mdp.transition_matrix
    return exact(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())


def state_choices(mdp):
    """Numbers of the choices of each state."""
    return [range(first, end) for first, end in zip(mdp.first_choice[:-1], mdp.first_choice[1:], strict=True)]


def _weights(draw, size):
    weights = np.array(draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), dtype=float)
    weights[draw(st.integers(0, size - 1))] += 1
    return weights / weights.sum()


@st.composite
def mdps(draw, *, max_states=4, max_actions=3, allowed=None):
    """Processes with laws of small denominators, thirds among them, and rewards that tie often; dense or sparse.

    With `allowed`, of shape (S, A), states and choices are those.
    """
    if allowed is None:
        states, actions = draw(st.integers(1, max_states)), draw(st.integers(1, max_actions))
        allowed = (
            np.arange(actions)
            < np.array(draw(st.lists(st.integers(1, actions), min_size=states, max_size=states)))[:, None]
        )
    states, actions = allowed.shape
    laws = np.array([[_weights(draw, states) for _ in range(actions)] for _ in range(states)])
    for state in range(states):
        if draw(st.integers(0, 4)) == 0:
            laws[state] = np.eye(states)[state]
    rewards = np.array(draw(st.lists(st.integers(-3, 3), min_size=states * actions, max_size=states * actions))) / 3
    mdp = TabularMDP(laws, rewards.reshape(states, actions), allowed=allowed, initial=_weights(draw, states))
    return SparseMDP.from_tabular(mdp) if draw(st.booleans()) else mdp


@st.composite
def policies_of(draw, mdp):
    return np.concatenate([_weights(draw, len(choices)) for choices in state_choices(mdp)])
