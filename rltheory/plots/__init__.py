"""Figures from verdicts and policies; they read what they are handed and compute nothing."""

from rltheory.plots.convergence import convergence, local_rates, sides
from rltheory.plots.racing import exploitability_bars, race
from rltheory.plots.simplex import simplex

__all__ = ["convergence", "exploitability_bars", "local_rates", "race", "sides", "simplex"]
