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
from rltheory.solvers.occupancy import (
    DiscountedEvaluation,
    DiscountedOccupancy,
    FisherInformation,
    PolicyGradient,
    discounted_occupancy,
    discounted_values,
    fisher_information,
    policy_gradient,
)
from rltheory.solvers.occupancy_programs import OccupancyOptimum, occupancy_optimum

__all__ = [
    "DiscountedEvaluation",
    "DiscountedOccupancy",
    "FiniteHorizonEvaluation",
    "FiniteHorizonOccupancy",
    "FiniteHorizonOptimum",
    "FisherInformation",
    "MinimaxWinner",
    "OccupancyOptimum",
    "PolicyGradient",
    "RegularizedEquilibrium",
    "SoftFiniteHorizonOptimum",
    "backward_induction",
    "discounted_occupancy",
    "discounted_values",
    "finite_horizon_occupancy",
    "finite_horizon_values",
    "fisher_information",
    "minimax_winner",
    "occupancy_optimum",
    "policy_gradient",
    "regularized_equilibrium",
    "soft_backward_induction",
]
