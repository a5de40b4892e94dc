"""Draws of next states in plain NumPy."""

import numpy as np

__all__ = ["drawn"]


def drawn(mdp, choice, rng):
    """Draw the next state, as the package does: one uniform number, and the first state whose sum exceeds it."""
    laws = np.asarray(mdp.transition_matrix)[choice]
    support = np.flatnonzero(laws)
    sums = np.cumsum(laws[support])
    return int(support[np.flatnonzero(sums > rng.random() * sums[-1])[0]])
