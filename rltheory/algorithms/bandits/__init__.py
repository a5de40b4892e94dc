"""Policies for stochastic and adversarial bandits, and the loop that plays them."""

from rltheory.algorithms.bandits.adversarial import (
    exp3,
    exp3_ix,
    exp3_p,
    tsallis_inf,
)
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
from rltheory.algorithms.bandits.full_information import (
    hedge_losses,
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
from rltheory.algorithms.bandits.nonstationary import (
    discounted_ucb,
    sliding_window_ucb,
)
from rltheory.algorithms.bandits.own import (
    own_policy,
)
from rltheory.algorithms.bandits.play import (
    Policy,
    compare_policies,
    play_bandit,
    play_losses,
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
    "discounted_ucb",
    "epsilon_greedy",
    "exp3",
    "exp3_ix",
    "exp3_p",
    "explore_then_commit",
    "follow_the_leader",
    "gaussian_family",
    "hedge_losses",
    "imed",
    "index_policy",
    "kl_ucb",
    "kl_ucb_plus_plus",
    "moss",
    "named_policy",
    "own_policy",
    "play_bandit",
    "play_losses",
    "policy_names",
    "sliding_window_ucb",
    "thompson",
    "thompson_gaussian",
    "tsallis_inf",
    "ucb",
    "ucb1",
    "ucb_tuned",
    "ucb_v",
    "upper_bound",
]
