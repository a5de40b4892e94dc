"""How soon GORP and SQIRL find good policies: runs with few and many episodes, as long as a number of steps allows."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.effective_horizon.gorp import gorp
from rltheory.algorithms.effective_horizon.sqirl import sqirl
from rltheory.arrays import Vector, count
from rltheory.measures import finite_horizon_suboptimality, plan_loss
from rltheory.problems import FiniteHorizonMDP, deterministic_policy
from rltheory.problems.mdp import Indices
from rltheory.progress import sign_of_life
from rltheory.solvers import backward_induction
from rltheory.solvers.effective_horizon import OPTIMALITY_TOLERANCE, most_actions

__all__ = ["gorp_successes", "sqirl_returns"]

# Simulated steps of a curve, a few seconds' worth, and runs of each of its points.
STEPS = 60_000_000
GORP_RUNS = 40, 400
SQIRL_RUNS = 4, 16
SQIRL_OVERHEAD = 2_000  # steps that take as long as what a regression takes besides


def gorp_successes(
    problem: FiniteHorizonMDP,
    *,
    depth: int,
    episodes: ArrayLike,
    rng: np.random.Generator,
    policy: ArrayLike | None = None,
) -> tuple[Indices, Vector]:
    """Share of runs of GORP that lose 1e-4 at most, by the number of episodes.

    Parameters
    ----------
    problem
        Deterministic process with one first state.
    depth
        Steps k >= 1 to look ahead.
    episodes : array_like of int, shape (M,)
        Numbers of episodes for each sequence of choices, in ascending order.
    rng
        Source of randomness.
    policy
        Exploration policy, as of :func:`gorp`.

    Returns
    -------
    episodes : array of int, shape (N,)
        Those for which there is time for 40 runs; there are 400 at most.
    shares : array, shape (N,)

    Raises
    ------
    ValueError, TypeError
        As :func:`gorp` does.

    Examples
    --------
    >>> from rltheory.instances import combination_lock
    >>> lock = FiniteHorizonMDP.stationary(combination_lock([1, 0, 1]), 3)
    >>> gorp_successes(lock, depth=1, episodes=[1, 100], rng=np.random.default_rng(0))[1].round(1)
    array([0.3, 1. ])
    """
    numbers = np.asarray(episodes)
    sequences = most_actions(problem) ** min(count(depth, "depth", at_least=1), problem.horizon)
    shares = []
    with sign_of_life(f"runs of GORP with k = {depth}"):
        for m, runs in _affordable(numbers, GORP_RUNS, lambda m: sequences * m * problem.horizon**2 // 2):
            made = gorp(problem, depth=depth, episodes=m, rng=rng, replicates=runs, policy=policy)["made"]
            shares.append(float((plan_loss(problem, made) <= OPTIMALITY_TOLERANCE).mean()))
    return numbers[: len(shares)], np.array(shares)


def sqirl_returns(
    problem: FiniteHorizonMDP,
    *,
    depth: int,
    episodes: ArrayLike,
    rng: np.random.Generator,
    policy: ArrayLike | None = None,
) -> tuple[Indices, Vector]:
    """Mean expected return of the policies of runs of SQIRL by means of cells, by the number of episodes.

    Parameters
    ----------
    problem
        The process.
    depth
        Regressions k >= 1 for each stage.
    episodes : array_like of int, shape (M,)
        Numbers of episodes for each stage, in ascending order.
    rng
        Source of randomness.
    policy
        Exploration policy, as of :func:`sqirl`.

    Returns
    -------
    episodes : array of int, shape (N,)
        Those for which there is time for 4 runs; there are 16 at most.
    returns : array, shape (N,)

    Raises
    ------
    ValueError, TypeError
        As :func:`sqirl` does.

    Examples
    --------
    >>> from rltheory.instances import inventory
    >>> problem = FiniteHorizonMDP.stationary(inventory(), 3)
    >>> _, returns = sqirl_returns(problem, depth=3, episodes=[3000], rng=np.random.default_rng(0))
    >>> bool(abs(returns[0] - backward_induction(problem).values[0] @ problem.initial) < 0.01)
    True
    """
    numbers, stages = np.asarray(episodes), problem.horizon
    regressions = min(count(depth, "depth", at_least=1), stages) * (problem.choices + SQIRL_OVERHEAD)
    optimum = float(backward_induction(problem).values[0] @ problem.initial)
    returns = []
    with sign_of_life(f"runs of SQIRL with k = {depth}"):
        for m, runs in _affordable(numbers, SQIRL_RUNS, lambda m: stages * (m * stages + regressions)):
            losses = []
            for _ in range(runs):
                made = sqirl(problem, depth=depth, episodes=m, rng=rng, policy=policy)["made"]
                losses.append(finite_horizon_suboptimality(problem, deterministic_policy(problem.stages[0], made)))
            returns.append(optimum - float(np.mean(losses)))
    return numbers[: len(returns)], np.array(returns)


def _affordable(
    numbers: Indices, limits: tuple[int, int], steps_of_run: Callable[[int], int]
) -> Iterator[tuple[int, int]]:
    """Yield numbers of episodes with their numbers of runs, up to the first that leaves time for too few."""
    fewest, most = limits
    for m in numbers.tolist():
        runs = min(most, STEPS // (numbers.size * steps_of_run(m)))
        if runs < fewest:
            return
        yield m, runs
