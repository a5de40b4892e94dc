"""What is known of GORP in a process: bounds on its episodes for several depths, and how soon it succeeds."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, count, frozen
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.solvers.gorp_bounds import GorpBound, gorp_bounds, gorp_failure_bounds

__all__ = ["GorpAnalysis", "analyze_gorp", "gorp_json"]

# Points of the curves of failures, besides those of the bounds, and the largest bound that is drawn.
POINTS = 8
MOST_DRAWN = 10**15


@dataclass(frozen=True)
class GorpAnalysis:
    """How many episodes GORP needs, and how likely it is to succeed with fewer or more.

    Parameters
    ----------
    certified, published
        Bounds for k = 1, 2, ..., K that are proved, and by the formula of published ones.
    episodes : array of int, shape (M,)
        Some numbers of episodes.
    successes : array, shape (K, M)
        Certified lower bounds on the probability that all choices are optimal with so many episodes.
    """

    certified: tuple[GorpBound, ...]
    published: tuple[GorpBound, ...]
    episodes: Indices
    successes: Matrix

    @property
    def log10_timesteps(self) -> dict[str, float]:
        """Logarithms to base 10 of the timesteps that the bounds of least sample complexity ask for, if there are."""
        least = {
            "GORP, certified": min(bound.log10_timesteps for bound in self.certified),
            "GORP, published formula": min(bound.log10_timesteps for bound in self.published),
        }
        return {name: value for name, value in least.items() if math.isfinite(value)}


def analyze_gorp(problem: FiniteHorizonMDP, most: int = 1, policy: ArrayLike | None = None) -> GorpAnalysis:
    """Bounds on GORP in a deterministic process, on two threads.

    Parameters
    ----------
    problem
        A process of T equal stages, A choices in each state, whose episodes start in one state.
    most
        Largest number K >= 1 of steps that GORP looks ahead.
    policy : array_like, shape (C,) or (T, C), optional
        Exploration policy, whose probabilities sum to 1 within 1e-6 in each state; uniform by default.

    Raises
    ------
    ArithmeticError, ValueError, TypeError
        As :func:`gorp_bounds` does.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[0, 1], [0, 2], [2, 2]], [[0, 0], [0, 1], [0, 0]], initial=[1, 0, 0])
    >>> found = analyze_gorp(FiniteHorizonMDP.stationary(corridor, 2), 2)
    >>> [bound.episodes for bound in found.certified], [bound.episodes for bound in found.published]
    ([2, 1], [1, 1])
    """
    ks = range(1, count(most, "most", at_least=1) + 1)
    certified, published = (gorp_bounds(problem, ks, policy=policy, published=which) for which in (False, True))
    enough = [bound.episodes for bound in certified if bound.episodes is not None and bound.episodes <= MOST_DRAWN]
    grid = np.geomspace(1, 4 * max(enough, default=250), POINTS).astype(np.int64)
    episodes = np.unique(np.append(grid, enough).astype(np.int64))
    failures = np.array([gorp_failure_bounds(problem, k, episodes.tolist(), policy=policy) for k in ks])
    return GorpAnalysis(certified, published, frozen(episodes), frozen(1 - failures))


def gorp_json(bounds: Sequence[GorpBound]) -> str:
    """Bounds as published ones are stored, horizons with all their digits; null where there is no bound."""
    of_k = {
        str(bound.k): {
            "sample_complexity": bound.sample_complexity,
            "effective_horizon": None if bound.episodes is None else str(bound.effective_horizon),
        }
        for bound in bounds
    }
    best = min(bounds, key=lambda bound: bound.log10_timesteps)
    horizon = min(bound.effective_horizon for bound in bounds)
    text = json.dumps(
        {
            "sample_complexity": best.sample_complexity,
            "effective_horizon": str(horizon) if horizon.is_finite() else None,
            "k_results": of_k,
        },
        indent=1,
    )
    # JSON has numbers of any length, which Python writes as text only.
    return re.sub(r': "([0-9.]+)"', r": \1", text) + "\n"
