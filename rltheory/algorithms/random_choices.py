"""Choices drawn uniformly, or by an exploration policy, inside compiled loops."""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.bridge import EXPLORATION_TOLERANCE
from rltheory.problems.mdp import Indices
from rltheory.problems.policies import checked_policy

__all__ = ["cumulative_choices", "random_choice"]


@kernel
def random_choice(first_choice: Indices, cumulative: Matrix, stage: int, state: int, rng: np.random.Generator) -> int:
    """Draw a choice of a state, by :func:`cumulative_choices`."""
    choice: int = first_choice[state]
    end = first_choice[state + 1]
    if cumulative.size == 0:
        return choice + int(rng.random() * (end - choice))
    level = rng.random() * cumulative[stage, end - 1]
    while cumulative[stage, choice] <= level:
        choice += 1
    return choice


def cumulative_choices(problem: FiniteHorizonMDP, policy: ArrayLike | None) -> Matrix:
    """Probability of a choice and of those before it in its state, shape (H, C); no rows for the uniform policy.

    Raises
    ------
    ValueError
        If `policy`, of shape (C,) or (H, C), is no policy whose probabilities sum to 1 within 1e-6 in each state.

    Examples
    --------
    >>> from rltheory.instances import combination_lock
    >>> problem = FiniteHorizonMDP.stationary(combination_lock([1, 0]), 1)
    >>> cumulative_choices(problem, [0.25, 0.75, 0.5, 0.5])
    array([[0.25, 1.  , 0.5 , 1.  ]])
    """
    first = problem.stages[0]
    if policy is None:
        return np.empty((0, first.choices))
    chances = checked_policy(first, policy, stages=problem.horizon, tolerance=EXPLORATION_TOLERANCE)
    sums = np.empty_like(chances)
    for begin, end in pairwise(first.first_choice.tolist()):
        sums[:, begin:end] = np.cumsum(chances[:, begin:end], axis=1)
    return sums
