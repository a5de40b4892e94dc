"""Solvers: the truth that algorithms are compared with, each answer with a certificate."""

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
from rltheory.solvers.diameter import Diameter, diameter
from rltheory.solvers.end_components import (
    EndComponents,
    end_components,
    is_communicating,
    is_unichain,
    is_weakly_communicating,
)
from rltheory.solvers.equilibrium import (
    MinimaxWinner,
    RegularizedEquilibrium,
    minimax_winner,
    regularized_equilibrium,
)

__all__ = [
    "AverageOptimum",
    "DeviationMatrix",
    "Diameter",
    "EndComponents",
    "GainAndBias",
    "HittingTimes",
    "MarkovChain",
    "MinimaxWinner",
    "MixingTime",
    "RegularizedEquilibrium",
    "RelativeValues",
    "StationaryLaws",
    "average_linear_program",
    "average_policy_iteration",
    "deviation_matrix",
    "diameter",
    "end_components",
    "gain_and_bias",
    "hitting_times",
    "induced_chain",
    "is_communicating",
    "is_unichain",
    "is_weakly_communicating",
    "minimax_winner",
    "mixing_time",
    "regularized_equilibrium",
    "relative_value_iteration",
    "stationary_laws",
]
