"""Solvers: the truth that algorithms are compared with, each answer with a certificate."""

from rltheory.solvers.discounted import (
    DiscountedSolution,
    DiscountedValues,
    LinearProgramSolution,
    SoftSolution,
    evaluate_policy,
    gauss_seidel,
    linear_program,
    modified_policy_iteration,
    policy_iteration,
    soft_value_iteration,
    solve,
    value_iteration,
)
from rltheory.solvers.equilibrium import (
    MinimaxWinner,
    RegularizedEquilibrium,
    minimax_winner,
    regularized_equilibrium,
)

__all__ = [
    "DiscountedSolution",
    "DiscountedValues",
    "LinearProgramSolution",
    "MinimaxWinner",
    "RegularizedEquilibrium",
    "SoftSolution",
    "evaluate_policy",
    "gauss_seidel",
    "linear_program",
    "minimax_winner",
    "modified_policy_iteration",
    "policy_iteration",
    "regularized_equilibrium",
    "soft_value_iteration",
    "solve",
    "value_iteration",
]
