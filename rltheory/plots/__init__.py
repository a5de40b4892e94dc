"""Figures from verdicts, policies and decision processes; they read what they are handed and solve nothing."""

from rltheory.plots.convergence import convergence, local_rates, sides
from rltheory.plots.graph import transition_graph
from rltheory.plots.maps import occupancy_map, policy_map, value_map
from rltheory.plots.racing import exploitability_bars, race
from rltheory.plots.simplex import simplex

__all__ = [
    "convergence",
    "exploitability_bars",
    "local_rates",
    "occupancy_map",
    "policy_map",
    "race",
    "sides",
    "simplex",
    "transition_graph",
    "value_map",
]
