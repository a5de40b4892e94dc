"""Solvers: the truth that algorithms are compared with, each answer with a certificate."""

from rltheory.solvers.equilibrium import (
    MinimaxWinner,
    RegularizedEquilibrium,
    minimax_winner,
    regularized_equilibrium,
)
from rltheory.solvers.finite_horizon import (
    FiniteHorizonEvaluation,
    FiniteHorizonOccupancy,
    FiniteHorizonOptimum,
    SoftFiniteHorizonOptimum,
    backward_induction,
    finite_horizon_occupancy,
    finite_horizon_values,
    soft_backward_induction,
)

__all__ = [
    "FiniteHorizonEvaluation",
    "FiniteHorizonOccupancy",
    "FiniteHorizonOptimum",
    "MinimaxWinner",
    "RegularizedEquilibrium",
    "SoftFiniteHorizonOptimum",
    "backward_induction",
    "finite_horizon_occupancy",
    "finite_horizon_values",
    "minimax_winner",
    "regularized_equilibrium",
    "soft_backward_induction",
]
