"""Solvers: the truth that algorithms are compared with, each answer with a certificate."""

from rltheory.solvers.equilibrium import (
    MinimaxWinner,
    RegularizedEquilibrium,
    minimax_winner,
    regularized_equilibrium,
)
from rltheory.solvers.reachability import GoalValues, maximal_end_components, reach_probability, reward_until

__all__ = [
    "GoalValues",
    "MinimaxWinner",
    "RegularizedEquilibrium",
    "maximal_end_components",
    "minimax_winner",
    "reach_probability",
    "regularized_equilibrium",
    "reward_until",
]
