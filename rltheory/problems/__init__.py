"""Problems: immutable, validated values, and their loaders."""

from rltheory.problems.contextual_game import ContextualGame
from rltheory.problems.mdp import MDP, SparseMDP, TabularMDP
from rltheory.problems.model_files import ExplicitModel, read_drn, read_npz, read_prism, write_drn
from rltheory.problems.preference_game import PreferenceGame

__all__ = [
    "MDP",
    "ContextualGame",
    "ExplicitModel",
    "PreferenceGame",
    "SparseMDP",
    "TabularMDP",
    "read_drn",
    "read_npz",
    "read_prism",
    "write_drn",
]
