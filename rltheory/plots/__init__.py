"""Figures from verdicts, policies, decision processes and bandits; they read what they are handed and solve nothing."""

from rltheory.plots.animation import animate
from rltheory.plots.bandits import arm_pulls, final_regrets, regret
from rltheory.plots.bands import bands
from rltheory.plots.cliffs import cliff_curve, flip_map
from rltheory.plots.convergence import convergence, local_rates, sides
from rltheory.plots.effective_horizon import (
    effective_horizons,
    gaps_by_k,
    returns_by_episodes,
    sample_complexities,
    success_by_episodes,
)
from rltheory.plots.graph import transition_graph
from rltheory.plots.maps import occupancy_map, policy_map, value_map
from rltheory.plots.racing import exploitability_bars, race
from rltheory.plots.simplex import simplex

__all__ = [
    "animate",
    "arm_pulls",
    "bands",
    "cliff_curve",
    "convergence",
    "effective_horizons",
    "exploitability_bars",
    "final_regrets",
    "flip_map",
    "gaps_by_k",
    "local_rates",
    "occupancy_map",
    "policy_map",
    "race",
    "regret",
    "returns_by_episodes",
    "sample_complexities",
    "sides",
    "simplex",
    "success_by_episodes",
    "transition_graph",
    "value_map",
]
