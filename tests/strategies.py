"""Games and policies from the package, deterministic tables, and temperatures at which slow oracles still end."""

import numpy as np
from hypothesis import strategies as st

from rltheory.instances.effective_horizon import from_table
from rltheory.strategies import games, policies

__all__ = ["betas", "explorations", "games", "policies", "tables"]

betas = st.sampled_from([0.02, 0.1, 0.5, 2.0])


@st.composite
def tables(draw, *, lowest=0, most_stages=4):
    """Deterministic processes with integer rewards, and often with ties."""
    states, actions = draw(st.integers(1, 4)), draw(st.integers(1, 3))

    def table(lowest, highest):
        row = st.lists(st.integers(lowest, highest), min_size=actions, max_size=actions)
        return draw(st.lists(row, min_size=states, max_size=states))

    return from_table(table(0, states - 1), table(lowest, 2), draw(st.integers(1, most_stages)), "drawn")


@st.composite
def explorations(draw, problem):
    """Exploration policies of small denominators, zeros among them, shape (H, C); or None, for the uniform one."""
    if draw(st.booleans()):
        return None
    first_choice, size = problem.stages[0].first_choice, problem.horizon * problem.choices
    weights = np.reshape(draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), (problem.horizon, -1))
    sizes = np.diff(first_choice)
    weights = weights + np.repeat(np.add.reduceat(weights, first_choice[:-1], axis=1) == 0, sizes, axis=1)
    return weights / np.repeat(np.add.reduceat(weights, first_choice[:-1], axis=1), sizes, axis=1)
