"""Contextual games: for each prompt a preference game of its own, and how often the prompt is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Vector, distribution, frozen
from rltheory.problems.preference_game import PreferenceGame

__all__ = ["ContextualGame"]

T = TypeVar("T")


@dataclass(frozen=True, init=False, eq=False, repr=False)
class ContextualGame:
    r"""A preference game for each prompt, with a distribution over prompts.

    A policy is one row for each prompt. Payoffs, penalties and divergences are averages over prompts, so the
    equilibrium of the whole is an equilibrium for each prompt.

    Parameters
    ----------
    games : sequence of PreferenceGame, length c
        One for each prompt, all with the same number n of actions.
    weights : array_like, shape (c,), optional
        Probabilities > 0 of the prompts; uniform by default.

    Raises
    ------
    ValueError
        If there is no game, if their numbers of actions differ, or if the weights are not a distribution.

    Examples
    --------
    >>> pair = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> prompts = ContextualGame([pair, PreferenceGame.indifferent(2)], weights=[0.75, 0.25])
    >>> prompts.average([1.0, 0.0])
    np.float64(0.75)
    """

    games: tuple[PreferenceGame, ...]
    weights: Vector

    def __init__(self, games: Sequence[PreferenceGame], weights: ArrayLike | None = None) -> None:
        games = tuple(games)
        if not games:
            raise ValueError("a contextual game needs at least one game")
        for position, game in enumerate(games):
            if game.n != games[0].n:
                raise ValueError(f"games[{position}] has {game.n} actions, the first has {games[0].n}; they must agree")
        uniform = np.full(len(games), 1 / len(games))
        checked = uniform if weights is None else distribution(weights, len(games), "weights", over="prompts")
        object.__setattr__(self, "games", games)
        object.__setattr__(self, "weights", frozen(checked))

    @property
    def n(self) -> int:
        """Number of actions."""
        return self.games[0].n

    def each(self, function: Callable[[PreferenceGame], T]) -> list[T]:
        """Values of a function for each prompt's game, in order."""
        return [function(game) for game in self.games]

    def average(self, values: ArrayLike) -> Array:
        """Average over the prompts, which are the last axis of `values`."""
        means: Array = np.asarray(values) @ self.weights
        return means

    def __repr__(self) -> str:
        return f"<ContextualGame: {len(self.games)} prompts, {self.n} actions>"
