"""Algorithms, one file each: a compiled step and a function that runs it and returns a trace."""

from rltheory.algorithms.average_reward.joint_loop import joint_loop
from rltheory.algorithms.average_reward.likelihood_loop import likelihood_loop
from rltheory.algorithms.average_reward.linear_loop import linear_loop
from rltheory.algorithms.average_reward.loop import loop
from rltheory.algorithms.average_reward.lscvi_ucb import lscvi_ucb
from rltheory.algorithms.average_reward.mixture_loop import mixture_loop, rectangular_mixture_loop
from rltheory.algorithms.average_reward.oomd import mdp_oomd
from rltheory.algorithms.average_reward.optimistic_q_learning import optimistic_q_learning
from rltheory.algorithms.average_reward.pmevi import pmevi_dt
from rltheory.algorithms.average_reward.restless import average_reward_learners
from rltheory.algorithms.average_reward.tsde import tsde
from rltheory.algorithms.average_reward.ucrl import kl_ucrl, scal, ucrl2, ucrl2b
from rltheory.algorithms.average_reward.walk import Walk
from rltheory.algorithms.bandits import compare_policies, play_bandit, play_contextual_bandit, play_losses
from rltheory.algorithms.best_arm import compare_stopping_policies, find_best_arm
from rltheory.algorithms.discounted.hybrid_actor_critic import (
    burn_in_sweeps,
    hybrid_actor_critic,
    hybrid_natural_gradient,
    hybrid_policy_evaluation,
    sampled_hybrid_actor_critic,
)
from rltheory.algorithms.discounted.mdpo import mdpo
from rltheory.algorithms.discounted.policy_iteration import policy_iteration
from rltheory.algorithms.discounted.policy_mirror_descent import (
    adaptive_policy_mirror_descent,
    natural_policy_gradient,
    policy_mirror_descent,
)
from rltheory.algorithms.discounted.softmax_policy_gradient import softmax_policy_gradient
from rltheory.algorithms.discounted.stochastic_policy_gradient import harpg, n_pg_igt, policy_gradient_ascent, svrpg
from rltheory.algorithms.discounted.value_iteration import value_iteration
from rltheory.algorithms.dueling import play_duels
from rltheory.algorithms.effective_horizon.gorp import gorp
from rltheory.algorithms.effective_horizon.learning_curves import gorp_successes, sqirl_returns
from rltheory.algorithms.effective_horizon.sqirl import by_regressor, cell_means, least_squares, sqirl
from rltheory.algorithms.episodes.cloning import (
    behaviour_cloning,
    cloning_bound,
    demonstrations,
    log_linear_cloning,
    sample_trajectories,
)
from rltheory.algorithms.episodes.douhua import douhua
from rltheory.algorithms.episodes.episodic_q_learning import episodic_q_learning
from rltheory.algorithms.episodes.episodic_ucrl2 import episodic_ucrl2
from rltheory.algorithms.episodes.global_optimism import global_optimism
from rltheory.algorithms.episodes.linear_nora import linear_nora
from rltheory.algorithms.episodes.lsvi_ucb import lsvi_ucb
from rltheory.algorithms.episodes.lsvi_ucb_ent import lsvi_ucb_ent
from rltheory.algorithms.episodes.nora import nora
from rltheory.algorithms.episodes.preferences import compare_trajectories, rewards_of_preferences
from rltheory.algorithms.episodes.psrl import psrl
from rltheory.algorithms.episodes.ucbvi import ucbvi_bernstein, ucbvi_hoeffding
from rltheory.algorithms.episodes.ucbvi_ent import demonstration_regularized, ucbvi_ent
from rltheory.algorithms.games.accelerated import accelerated_preference_optimization
from rltheory.algorithms.games.adahedge import adahedge
from rltheory.algorithms.games.batched import batched_magnetic_mirror_descent, batched_nash_mirror_prox
from rltheory.algorithms.games.contextual import play_contexts
from rltheory.algorithms.games.direct_nash_optimization import direct_nash_optimization
from rltheory.algorithms.games.hedge import hedge
from rltheory.algorithms.games.history_hedge import history_hedge
from rltheory.algorithms.games.inpo import inpo
from rltheory.algorithms.games.inpo_regression import inpo_regression
from rltheory.algorithms.games.magnetic_mirror_descent import magnetic_mirror_descent, magnetic_preference_optimization
from rltheory.algorithms.games.nash_md import nash_md
from rltheory.algorithms.games.nash_mirror_prox import nash_mirror_prox
from rltheory.algorithms.games.optimistic import optimistic_mirror_descent
from rltheory.algorithms.games.proximal_point import proximal_point
from rltheory.algorithms.games.racing import race
from rltheory.algorithms.games.regret_matching import predictive_regret_matching_plus, regret_matching_plus
from rltheory.algorithms.games.sampled_mirror_descent import sampled_hedge, sampled_magnetic_mirror_descent
from rltheory.algorithms.games.sampled_nash_mirror_prox import sampled_nash_mirror_prox
from rltheory.algorithms.games.self_play_gradient import self_play_gradient

__all__ = [
    "Walk",
    "accelerated_preference_optimization",
    "adahedge",
    "adaptive_policy_mirror_descent",
    "average_reward_learners",
    "batched_magnetic_mirror_descent",
    "batched_nash_mirror_prox",
    "behaviour_cloning",
    "burn_in_sweeps",
    "by_regressor",
    "cell_means",
    "cloning_bound",
    "compare_policies",
    "compare_stopping_policies",
    "compare_trajectories",
    "demonstration_regularized",
    "demonstrations",
    "direct_nash_optimization",
    "douhua",
    "episodic_q_learning",
    "episodic_ucrl2",
    "find_best_arm",
    "global_optimism",
    "gorp",
    "gorp_successes",
    "harpg",
    "hedge",
    "history_hedge",
    "hybrid_actor_critic",
    "hybrid_natural_gradient",
    "hybrid_policy_evaluation",
    "inpo",
    "inpo_regression",
    "joint_loop",
    "kl_ucrl",
    "least_squares",
    "likelihood_loop",
    "linear_loop",
    "linear_nora",
    "log_linear_cloning",
    "loop",
    "lscvi_ucb",
    "lsvi_ucb",
    "lsvi_ucb_ent",
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
    "play_contextual_bandit",
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
    "rewards_of_preferences",
    "sample_trajectories",
    "sampled_hedge",
    "sampled_hybrid_actor_critic",
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
    "ucbvi_ent",
    "ucbvi_hoeffding",
    "ucrl2",
    "ucrl2b",
    "value_iteration",
]
