"""Games and policies from the package, deterministic tables, and temperatures at which slow oracles still end."""

from hypothesis import strategies as st

from rltheory.instances.effective_horizon import from_table
from rltheory.strategies import games, policies

__all__ = ["betas", "games", "policies", "tables"]

betas = st.sampled_from([0.02, 0.1, 0.5, 2.0])


@st.composite
def tables(draw):
    """Deterministic processes with integer rewards, and often with ties."""
    states, actions = draw(st.integers(1, 4)), draw(st.integers(1, 3))

    def table(highest):
        row = st.lists(st.integers(0, highest), min_size=actions, max_size=actions)
        return draw(st.lists(row, min_size=states, max_size=states))

    return from_table(table(states - 1), table(2), draw(st.integers(1, 4)), "drawn")
