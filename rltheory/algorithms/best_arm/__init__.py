"""Policies that stop and say which arm is best, and the loop that plays them."""

from rltheory.algorithms.best_arm.confidence import (
    kl_lucb,
    lucb,
    successive_elimination,
)
from rltheory.algorithms.best_arm.halving import (
    sequential_halving,
)
from rltheory.algorithms.best_arm.play import (
    Identification,
    StoppingPolicy,
    compare_stopping_policies,
    find_best_arm,
)
from rltheory.algorithms.best_arm.tracking import (
    track_and_stop,
    uniform_sampling,
)

__all__ = [
    "Identification",
    "StoppingPolicy",
    "compare_stopping_policies",
    "find_best_arm",
    "kl_lucb",
    "lucb",
    "sequential_halving",
    "successive_elimination",
    "track_and_stop",
    "uniform_sampling",
]
