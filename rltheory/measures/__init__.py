"""Measures: numbers of a problem and a policy."""

from rltheory.measures.divergences import kl, l1
from rltheory.measures.games import (
    advantage,
    best_response,
    exploitability,
    regularized_exploitability,
)
from rltheory.measures.learning import sample_complexity
from rltheory.measures.mdps import (
    action_gaps,
    average_reward_regret,
    chi_square_coverage,
    coverage,
    discounted_regret,
    finite_horizon_regret,
    finite_horizon_suboptimality,
    kl_regularized_suboptimality,
    kl_regularized_value,
    largest_occupancies,
    partition_coefficients,
    performance_difference,
    performance_difference_reversed,
    plan_loss,
    pseudo_regret,
    suboptimality,
    summed_coverage,
    trajectory_kl,
)
from rltheory.measures.planning import gorp_failure_probability
from rltheory.simplex import span

__all__ = [
    "action_gaps",
    "advantage",
    "average_reward_regret",
    "best_response",
    "chi_square_coverage",
    "coverage",
    "discounted_regret",
    "exploitability",
    "finite_horizon_regret",
    "finite_horizon_suboptimality",
    "gorp_failure_probability",
    "kl",
    "kl_regularized_suboptimality",
    "kl_regularized_value",
    "l1",
    "largest_occupancies",
    "partition_coefficients",
    "performance_difference",
    "performance_difference_reversed",
    "plan_loss",
    "pseudo_regret",
    "regularized_exploitability",
    "sample_complexity",
    "span",
    "suboptimality",
    "summed_coverage",
    "trajectory_kl",
]
