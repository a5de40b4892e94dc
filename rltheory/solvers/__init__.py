"""Solvers: the truth that algorithms are compared with, each answer with a certificate."""

from rltheory.solvers.approximate import (
    ApproximateMinimaxWinner,
    approximate_minimax_winner,
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
from rltheory.solvers.minimax import (
    MinimaxWinner,
    minimax_winner,
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
from rltheory.solvers.occupancy_programs import (
    OccupancyOptimum,
    occupancy_optimum,
)
from rltheory.solvers.reachability import (
    GoalValues,
    maximal_end_components,
    reach_probability,
    reward_until,
)
from rltheory.solvers.regularized import (
    RegularizedEquilibrium,
    regularized_equilibrium,
)
from rltheory.solvers.social_choice import (
    borda_scores,
    condorcet_winner,
    copeland_scores,
    smith_set,
)

__all__ = [
    "ApproximateMinimaxWinner",
    "DiscountedEvaluation",
    "DiscountedOccupancy",
    "FiniteHorizonEvaluation",
    "FiniteHorizonOccupancy",
    "FiniteHorizonOptimum",
    "FisherInformation",
    "GoalValues",
    "MinimaxWinner",
    "OccupancyOptimum",
    "PolicyGradient",
    "RegularizedEquilibrium",
    "SoftFiniteHorizonOptimum",
    "approximate_minimax_winner",
    "backward_induction",
    "borda_scores",
    "condorcet_winner",
    "copeland_scores",
    "discounted_occupancy",
    "discounted_values",
    "finite_horizon_occupancy",
    "finite_horizon_values",
    "fisher_information",
    "maximal_end_components",
    "minimax_winner",
    "occupancy_optimum",
    "policy_gradient",
    "reach_probability",
    "regularized_equilibrium",
    "reward_until",
    "smith_set",
    "soft_backward_induction",
]
