"""Policies for stochastic, adversarial and contextual bandits, and the loops that play them."""

from rltheory.algorithms.bandits.adversarial import (
    exp3,
    exp3_ix,
    exp3_p,
    tsallis_inf,
)
from rltheory.algorithms.bandits.compare import (
    compare_policies,
)
from rltheory.algorithms.bandits.contextual import (
    ContextualPolicy,
    play_contextual_bandit,
)
from rltheory.algorithms.bandits.divergence import (
    dmed,
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
from rltheory.algorithms.bandits.linear import (
    glm_ucb,
    lin_ucb,
    linear_thompson,
    oful,
)
from rltheory.algorithms.bandits.named import (
    named_policy,
    policy_names,
)
from rltheory.algorithms.bandits.nonstationary import (
    discounted_ucb,
    sliding_window_ucb,
)
from rltheory.algorithms.bandits.oracles import (
    RegressionOracle,
    exponential_weights,
    falcon,
    inverse_gap_weights,
    oracle_epsilon_greedy,
    ridge,
    square_cb,
    vovk_azoury_warmuth,
)
from rltheory.algorithms.bandits.own import (
    own_policy,
)
from rltheory.algorithms.bandits.play import (
    Policy,
    play_bandit,
    play_binary_histories,
    play_losses,
)
from rltheory.algorithms.bandits.posterior import (
    bayes_ucb_beta,
)
from rltheory.algorithms.bandits.randomized import (
    decaying_epsilon_greedy,
    epsilon_greedy,
    thompson,
    thompson_gaussian,
)
from rltheory.algorithms.bandits.retraining import (
    retrain,
)

__all__ = [
    "BERNOULLI",
    "EXPONENTIAL",
    "POISSON",
    "ContextualPolicy",
    "Family",
    "Policy",
    "RegressionOracle",
    "anytime_moss",
    "asymptotic_ucb",
    "bayes_ucb",
    "bayes_ucb_beta",
    "compare_policies",
    "decaying_epsilon_greedy",
    "discounted_ucb",
    "dmed",
    "epsilon_greedy",
    "exp3",
    "exp3_ix",
    "exp3_p",
    "explore_then_commit",
    "exponential_weights",
    "falcon",
    "follow_the_leader",
    "gaussian_family",
    "glm_ucb",
    "hedge_losses",
    "imed",
    "index_policy",
    "inverse_gap_weights",
    "kl_ucb",
    "kl_ucb_plus_plus",
    "lin_ucb",
    "linear_thompson",
    "moss",
    "named_policy",
    "oful",
    "oracle_epsilon_greedy",
    "own_policy",
    "play_bandit",
    "play_binary_histories",
    "play_contextual_bandit",
    "play_losses",
    "policy_names",
    "retrain",
    "ridge",
    "sliding_window_ucb",
    "square_cb",
    "thompson",
    "thompson_gaussian",
    "tsallis_inf",
    "ucb",
    "ucb1",
    "ucb_tuned",
    "ucb_v",
    "upper_bound",
    "vovk_azoury_warmuth",
]
