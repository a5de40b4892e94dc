"""Problems: immutable, validated values, and their loaders."""

from rltheory.problems.contextual_game import ContextualGame
from rltheory.problems.large_game import Game, LargeGame
from rltheory.problems.preference_game import PreferenceGame
from rltheory.problems.trajectory_game import TrajectoryGame

__all__ = ["ContextualGame", "Game", "LargeGame", "PreferenceGame", "TrajectoryGame"]
