"""Problems: immutable, validated values, and their loaders."""

from rltheory.problems.bandit import (
    Bandit,
)
from rltheory.problems.bridge import (
    read_bridge,
    read_exploration_policy,
)
from rltheory.problems.constrained_mdp import (
    ConstrainedMDP,
    VectorRewardMDP,
)
from rltheory.problems.contextual_bandit import (
    ContextualBandit,
    LinearBandit,
    LogisticBandit,
)
from rltheory.problems.contextual_game import (
    ContextualGame,
)
from rltheory.problems.deterministic import (
    DeterministicMDP,
)
from rltheory.problems.finite_horizon import (
    FiniteHorizonMDP,
)
from rltheory.problems.gymnasium import (
    from_gymnasium,
    to_gymnasium,
)
from rltheory.problems.large_game import (
    Game,
    LargeGame,
)
from rltheory.problems.linear_mdp import (
    LinearMDP,
    LinearMixtureMDP,
)
from rltheory.problems.logit_mdp import (
    LogitMDP,
)
from rltheory.problems.losses import (
    LossTable,
)
from rltheory.problems.mdp import (
    MDP,
    SparseMDP,
    TabularMDP,
)
from rltheory.problems.model_files import (
    ExplicitModel,
    read_drn,
    read_npz,
    read_prism,
    write_drn,
)
from rltheory.problems.offline import (
    OfflineData,
    offline_data,
    offline_transitions,
)
from rltheory.problems.piecewise_bandit import (
    PiecewiseBandit,
)
from rltheory.problems.policies import (
    deterministic_policy,
    uniform_policy,
)
from rltheory.problems.policy_classes import (
    GaussianPolicies,
    SoftmaxPolicies,
)
from rltheory.problems.preference_game import (
    PreferenceGame,
)
from rltheory.problems.reward_mixture import (
    RewardMixture,
)
from rltheory.problems.sticky import (
    sticky,
    sticky_policy,
    sticky_states,
)
from rltheory.problems.trajectory_game import (
    TrajectoryGame,
)

__all__ = [
    "MDP",
    "Bandit",
    "ConstrainedMDP",
    "ContextualBandit",
    "ContextualGame",
    "DeterministicMDP",
    "ExplicitModel",
    "FiniteHorizonMDP",
    "Game",
    "GaussianPolicies",
    "LargeGame",
    "LinearBandit",
    "LinearMDP",
    "LinearMixtureMDP",
    "LogisticBandit",
    "LogitMDP",
    "LossTable",
    "OfflineData",
    "PiecewiseBandit",
    "PreferenceGame",
    "RewardMixture",
    "SoftmaxPolicies",
    "SparseMDP",
    "TabularMDP",
    "TrajectoryGame",
    "VectorRewardMDP",
    "deterministic_policy",
    "from_gymnasium",
    "offline_data",
    "offline_transitions",
    "read_bridge",
    "read_drn",
    "read_exploration_policy",
    "read_npz",
    "read_prism",
    "sticky",
    "sticky_policy",
    "sticky_states",
    "to_gymnasium",
    "uniform_policy",
    "write_drn",
]
