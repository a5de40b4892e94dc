"""Algorithms, one file each: a compiled step and a function that runs it and returns a trace."""

from rltheory.algorithms.accelerated import accelerated_preference_optimization
from rltheory.algorithms.adahedge import adahedge
from rltheory.algorithms.bandits import compare_policies, play_bandit, play_losses
from rltheory.algorithms.batched import batched_magnetic_mirror_descent, batched_nash_mirror_prox
from rltheory.algorithms.contextual import play_contexts
from rltheory.algorithms.direct_nash_optimization import direct_nash_optimization
from rltheory.algorithms.douhua import douhua
from rltheory.algorithms.dueling import play_duels
from rltheory.algorithms.episodic_q_learning import episodic_q_learning
from rltheory.algorithms.gorp import gorp
from rltheory.algorithms.hedge import hedge
from rltheory.algorithms.history_hedge import history_hedge
from rltheory.algorithms.inpo import inpo
from rltheory.algorithms.inpo_regression import inpo_regression
from rltheory.algorithms.joint_loop import joint_loop
from rltheory.algorithms.learning_curves import gorp_successes, sqirl_returns
from rltheory.algorithms.likelihood_loop import likelihood_loop
from rltheory.algorithms.linear_loop import linear_loop
from rltheory.algorithms.loop import loop
from rltheory.algorithms.lscvi_ucb import lscvi_ucb
from rltheory.algorithms.magnetic_mirror_descent import magnetic_mirror_descent, magnetic_preference_optimization
from rltheory.algorithms.mdpo import mdpo
from rltheory.algorithms.mixture_loop import mixture_loop, rectangular_mixture_loop
from rltheory.algorithms.nash_md import nash_md
from rltheory.algorithms.nash_mirror_prox import nash_mirror_prox
from rltheory.algorithms.nora import nora
from rltheory.algorithms.oomd import mdp_oomd
from rltheory.algorithms.optimistic import optimistic_mirror_descent
from rltheory.algorithms.optimistic_q_learning import optimistic_q_learning
from rltheory.algorithms.pmevi import pmevi_dt
from rltheory.algorithms.policy_iteration import policy_iteration
from rltheory.algorithms.policy_mirror_descent import (
    adaptive_policy_mirror_descent,
    natural_policy_gradient,
    policy_mirror_descent,
)
from rltheory.algorithms.proximal_point import proximal_point
from rltheory.algorithms.psrl import psrl
from rltheory.algorithms.racing import race
from rltheory.algorithms.regret_matching import predictive_regret_matching_plus, regret_matching_plus
from rltheory.algorithms.restless import average_reward_learners
from rltheory.algorithms.sampled_mirror_descent import sampled_hedge, sampled_magnetic_mirror_descent
from rltheory.algorithms.sampled_nash_mirror_prox import sampled_nash_mirror_prox
from rltheory.algorithms.self_play_gradient import self_play_gradient
from rltheory.algorithms.softmax_policy_gradient import softmax_policy_gradient
from rltheory.algorithms.sqirl import by_regressor, cell_means, least_squares, sqirl
from rltheory.algorithms.stochastic_policy_gradient import harpg, n_pg_igt, policy_gradient_ascent, svrpg
from rltheory.algorithms.tsde import tsde
from rltheory.algorithms.ucbvi import ucbvi_bernstein, ucbvi_hoeffding
from rltheory.algorithms.ucrl import kl_ucrl, scal, ucrl2, ucrl2b
from rltheory.algorithms.value_iteration import value_iteration
from rltheory.algorithms.walk import Walk

__all__ = [
    "Walk",
    "accelerated_preference_optimization",
    "adahedge",
    "adaptive_policy_mirror_descent",
    "average_reward_learners",
    "batched_magnetic_mirror_descent",
    "batched_nash_mirror_prox",
    "by_regressor",
    "cell_means",
    "compare_policies",
    "direct_nash_optimization",
    "douhua",
    "episodic_q_learning",
    "gorp",
    "gorp_successes",
    "harpg",
    "hedge",
    "history_hedge",
    "inpo",
    "inpo_regression",
    "joint_loop",
    "kl_ucrl",
    "least_squares",
    "likelihood_loop",
    "linear_loop",
    "loop",
    "lscvi_ucb",
    "magnetic_mirror_descent",
    "magnetic_preference_optimization",
    "mdp_oomd",
    "mdpo",
    "mixture_loop",
    "n_pg_igt",
    "nash_md",
    "nash_mirror_prox",
    "natural_policy_gradient",
    "nora",
    "optimistic_mirror_descent",
    "optimistic_q_learning",
    "play_bandit",
    "play_contexts",
    "play_duels",
    "play_losses",
    "pmevi_dt",
    "policy_gradient_ascent",
    "policy_iteration",
    "policy_mirror_descent",
    "predictive_regret_matching_plus",
    "proximal_point",
    "psrl",
    "race",
    "rectangular_mixture_loop",
    "regret_matching_plus",
    "sampled_hedge",
    "sampled_magnetic_mirror_descent",
    "sampled_nash_mirror_prox",
    "scal",
    "self_play_gradient",
    "softmax_policy_gradient",
    "sqirl",
    "sqirl_returns",
    "svrpg",
    "tsde",
    "ucbvi_bernstein",
    "ucbvi_hoeffding",
    "ucrl2",
    "ucrl2b",
    "value_iteration",
]
