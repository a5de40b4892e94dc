"""Solvers: the truth that algorithms are compared with, each answer with a certificate."""

from rltheory.solvers.approximate import ApproximateMinimaxWinner, approximate_minimax_winner
from rltheory.solvers.minimax import MinimaxWinner, minimax_winner
from rltheory.solvers.regularized import RegularizedEquilibrium, regularized_equilibrium
from rltheory.solvers.social_choice import borda_scores, condorcet_winner, copeland_scores, smith_set

__all__ = [
    "ApproximateMinimaxWinner",
    "MinimaxWinner",
    "RegularizedEquilibrium",
    "approximate_minimax_winner",
    "borda_scores",
    "condorcet_winner",
    "copeland_scores",
    "minimax_winner",
    "regularized_equilibrium",
    "smith_set",
]
