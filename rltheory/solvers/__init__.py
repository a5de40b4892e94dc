"""Solvers: the truth that algorithms are compared with, each answer with a certificate."""

from rltheory.solvers.approximate import (
    ApproximateMinimaxWinner,
    approximate_minimax_winner,
)
from rltheory.solvers.average_reward import (
    AverageOptimum,
    RelativeValues,
    average_linear_program,
    average_policy_iteration,
    relative_value_iteration,
)
from rltheory.solvers.chains import (
    DeviationMatrix,
    GainAndBias,
    HittingTimes,
    MarkovChain,
    MixingTime,
    StationaryLaws,
    deviation_matrix,
    gain_and_bias,
    hitting_times,
    induced_chain,
    mixing_time,
    stationary_laws,
)
from rltheory.solvers.diameter import (
    Diameter,
    diameter,
)
from rltheory.solvers.end_components import (
    EndComponents,
    end_components,
    is_communicating,
    is_unichain,
    is_weakly_communicating,
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
    "AverageOptimum",
    "DeviationMatrix",
    "Diameter",
    "DiscountedEvaluation",
    "DiscountedOccupancy",
    "EndComponents",
    "FiniteHorizonEvaluation",
    "FiniteHorizonOccupancy",
    "FiniteHorizonOptimum",
    "FisherInformation",
    "GainAndBias",
    "GoalValues",
    "HittingTimes",
    "MarkovChain",
    "MinimaxWinner",
    "MixingTime",
    "OccupancyOptimum",
    "PolicyGradient",
    "RegularizedEquilibrium",
    "RelativeValues",
    "SoftFiniteHorizonOptimum",
    "StationaryLaws",
    "approximate_minimax_winner",
    "average_linear_program",
    "average_policy_iteration",
    "backward_induction",
    "borda_scores",
    "condorcet_winner",
    "copeland_scores",
    "deviation_matrix",
    "diameter",
    "discounted_occupancy",
    "discounted_values",
    "end_components",
    "finite_horizon_occupancy",
    "finite_horizon_values",
    "fisher_information",
    "gain_and_bias",
    "hitting_times",
    "induced_chain",
    "is_communicating",
    "is_unichain",
    "is_weakly_communicating",
    "maximal_end_components",
    "minimax_winner",
    "mixing_time",
    "occupancy_optimum",
    "policy_gradient",
    "reach_probability",
    "regularized_equilibrium",
    "relative_value_iteration",
    "reward_until",
    "smith_set",
    "soft_backward_induction",
    "stationary_laws",
]
