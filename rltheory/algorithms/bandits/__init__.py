"""Policies for stochastic bandits, and the loop that plays them."""

from rltheory.algorithms.bandits.divergence import (
    imed,
    kl_ucb,
    kl_ucb_plus_plus,
    upper_bound,
)
from rltheory.algorithms.bandits.families import (
    BERNOULLI,
    EXPONENTIAL,
    POISSON,
    Family,
    gaussian_family,
)
from rltheory.algorithms.bandits.index import (
    anytime_moss,
    asymptotic_ucb,
    bayes_ucb,
    explore_then_commit,
    follow_the_leader,
    index_policy,
    moss,
    ucb,
    ucb1,
    ucb_tuned,
    ucb_v,
)
from rltheory.algorithms.bandits.named import (
    named_policy,
    policy_names,
)
from rltheory.algorithms.bandits.own import (
    own_policy,
)
from rltheory.algorithms.bandits.play import (
    Policy,
    compare_policies,
    play_bandit,
)
from rltheory.algorithms.bandits.randomized import (
    decaying_epsilon_greedy,
    epsilon_greedy,
    thompson,
    thompson_gaussian,
)

__all__ = [
    "BERNOULLI",
    "EXPONENTIAL",
    "POISSON",
    "Family",
    "Policy",
    "anytime_moss",
    "asymptotic_ucb",
    "bayes_ucb",
    "compare_policies",
    "decaying_epsilon_greedy",
    "epsilon_greedy",
    "explore_then_commit",
    "follow_the_leader",
    "gaussian_family",
    "imed",
    "index_policy",
    "kl_ucb",
    "kl_ucb_plus_plus",
    "moss",
    "named_policy",
    "own_policy",
    "play_bandit",
    "policy_names",
    "thompson",
    "thompson_gaussian",
    "ucb",
    "ucb1",
    "ucb_tuned",
    "ucb_v",
    "upper_bound",
]
