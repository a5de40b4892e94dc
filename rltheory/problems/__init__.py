"""Problems: immutable, validated values, and their loaders."""

from rltheory.problems.contextual_game import ContextualGame
from rltheory.problems.large_game import Game, LargeGame
from rltheory.problems.preference_game import PreferenceGame

__all__ = ["ContextualGame", "Game", "LargeGame", "PreferenceGame"]
