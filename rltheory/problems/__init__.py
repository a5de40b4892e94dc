"""Problems: immutable, validated values, and their loaders."""

from rltheory.problems.contextual_game import ContextualGame
from rltheory.problems.mdp import MDP, SparseMDP, TabularMDP
from rltheory.problems.preference_game import PreferenceGame

__all__ = ["MDP", "ContextualGame", "PreferenceGame", "SparseMDP", "TabularMDP"]
