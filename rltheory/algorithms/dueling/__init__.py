"""Policies for dueling bandits, and the loop that plays them."""

from rltheory.algorithms.dueling.play import (
    DuelingPolicy,
    play_duels,
)
from rltheory.algorithms.dueling.policies import (
    ccb,
    double_thompson,
    rmed,
    rucb,
)
from rltheory.algorithms.dueling.sparring import (
    sparring,
)

__all__ = [
    "DuelingPolicy",
    "ccb",
    "double_thompson",
    "play_duels",
    "rmed",
    "rucb",
    "sparring",
]
