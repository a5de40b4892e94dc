"""Instances: games from the literature, random families, and recorded preferences."""

from rltheory.instances.preference_games import (
    additive,
    block_game,
    bradley_terry,
    comal_example,
    condorcet,
    cycle,
    efron_dice,
    low_rank,
    nash_md_population,
    planted_reference,
    random_game,
    random_tournament,
    skewed_policy,
    sure_winner,
    three_dice,
    three_voters,
    weighted_rock_paper_scissors,
)
from rltheory.instances.recorded import recorded_game, recorded_games

__all__ = [
    "additive",
    "block_game",
    "bradley_terry",
    "comal_example",
    "condorcet",
    "cycle",
    "efron_dice",
    "low_rank",
    "nash_md_population",
    "planted_reference",
    "random_game",
    "random_tournament",
    "recorded_game",
    "recorded_games",
    "skewed_policy",
    "sure_winner",
    "three_dice",
    "three_voters",
    "weighted_rock_paper_scissors",
]
