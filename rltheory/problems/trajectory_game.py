"""Decision processes whose trajectories are compared by preference."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Vector, count, distribution, frozen
from rltheory.problems.preference_game import PreferenceGame

__all__ = ["TrajectoryGame"]


@dataclass(frozen=True, init=False, eq=False)
class TrajectoryGame:
    r"""A decision process of H actions, and preferences over its trajectories.

    Trajectories :math:`(a_0, o_0, \dots, a_{H-1}, o_{H-1})` are numbered in lexicographic order, histories of the same
    length likewise.

    Parameters
    ----------
    preferences
        The game between trajectories, (A O)^H of them.
    actions
        Number A >= 1 of actions at each history.
    length
        Number H >= 1 of actions in an episode.
    nature : array_like, shape (O,), optional
        Probabilities > 0 of nature's moves after each action; a single sure move by default.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the number of trajectories does not fit.

    Examples
    --------
    >>> TrajectoryGame(PreferenceGame.indifferent(9), actions=3, length=2).histories(1)
    3
    """

    preferences: PreferenceGame
    actions: int
    length: int
    nature: Vector

    def __init__(self, preferences: PreferenceGame, actions: int, length: int, nature: ArrayLike = (1.0,)) -> None:
        object.__setattr__(self, "preferences", preferences)
        object.__setattr__(self, "actions", count(actions, "actions", at_least=1))
        object.__setattr__(self, "length", count(length, "length", at_least=1))
        checked = distribution(nature, np.size(nature), "nature", over="moves of nature")
        object.__setattr__(self, "nature", frozen(checked))
        if preferences.n != self.histories(length):
            raise ValueError(
                f"preferences compare {preferences.n} trajectories; {length} times {actions} actions and "
                f"{checked.size} moves of nature make {self.histories(length)}"
            )

    def __str__(self) -> str:
        chance = f", {self.nature.size} moves of nature" if self.nature.size > 1 else ""
        return f"{self.preferences}, H = {self.length}, A = {self.actions}{chance}"

    @cached_property
    def digest(self) -> str:
        """Digest by which a stored result can name its game."""
        numbers = f"{self.preferences.digest} {self.actions} {self.length}".encode()
        return blake2b(numbers + self.nature.tobytes(), digest_size=16).hexdigest()

    def histories(self, step: int) -> int:
        """Number of histories of `step` actions."""
        return int((self.actions * self.nature.size) ** step)
