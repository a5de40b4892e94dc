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
from rltheory.solvers.discounted import (
    DiscountedSolution,
    DiscountedValues,
    LinearProgramSolution,
    gauss_seidel,
    linear_program,
    modified_policy_iteration,
    policy_iteration,
    solve,
    value_iteration,
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
from rltheory.solvers.soft_discounted import (
    SoftSolution,
    soft_gauss_seidel,
    soft_modified_policy_iteration,
    soft_policy_iteration,
    soft_value_iteration,
)
from rltheory.solvers.weight_sweep import (
    WeightSweep,
    weight_sweep,
)
from rltheory.solvers.zero_temperature import (
    OptimalChoices,
    ZeroTemperatureLimit,
    optimal_choices,
    zero_temperature_limit,
)

__all__ = [
    "ApproximateMinimaxWinner",
    "AverageOptimum",
    "DeviationMatrix",
    "Diameter",
    "DiscountedEvaluation",
    "DiscountedOccupancy",
    "DiscountedSolution",
    "DiscountedValues",
    "EndComponents",
    "FiniteHorizonEvaluation",
    "FiniteHorizonOccupancy",
    "FiniteHorizonOptimum",
    "FisherInformation",
    "GainAndBias",
    "GoalValues",
    "HittingTimes",
    "LinearProgramSolution",
    "MarkovChain",
    "MinimaxWinner",
    "MixingTime",
    "OccupancyOptimum",
    "OptimalChoices",
    "PolicyGradient",
    "RegularizedEquilibrium",
    "RelativeValues",
    "SoftFiniteHorizonOptimum",
    "SoftSolution",
    "StationaryLaws",
    "WeightSweep",
    "ZeroTemperatureLimit",
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
    "gauss_seidel",
    "hitting_times",
    "induced_chain",
    "is_communicating",
    "is_unichain",
    "is_weakly_communicating",
    "linear_program",
    "minimax_winner",
    "mixing_time",
    "modified_policy_iteration",
    "occupancy_optimum",
    "optimal_choices",
    "policy_gradient",
    "policy_iteration",
    "reach_probability",
    "regularized_equilibrium",
    "relative_value_iteration",
    "reward_until",
    "smith_set",
    "soft_backward_induction",
    "soft_gauss_seidel",
    "soft_modified_policy_iteration",
    "soft_policy_iteration",
    "soft_value_iteration",
    "solve",
    "stationary_laws",
    "value_iteration",
    "weight_sweep",
    "zero_temperature_limit",
]
