"""Minimax winners to a requested accuracy, for games too large for a linear program."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rltheory.arrays import Matrix, Vector, count, frozen, positive
from rltheory.jit import kernel
from rltheory.problems import Game
from rltheory.problems.preference_game import query
from rltheory.progress import sign_of_life
from rltheory.regret import match_regrets, newest_share
from rltheory.simplex import copy_to

__all__ = ["ApproximateMinimaxWinner", "approximate_minimax_winner"]

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class ApproximateMinimaxWinner:
    r"""A mixture of actions that no action beats by much, with the proof of it.

    Parameters
    ----------
    policy : array, shape (n,)
        Probabilities of the actions.
    exploitability : float
        Proved bound on :math:`\max_a (P p)_a - 1/2 \ge 0`, the largest edge that any action has over the mixture:
        computed from the policy itself, and the rounding of its own evaluation included.
    iterations : int
        Iterations spent.
    """

    policy: Vector
    exploitability: float
    iterations: int


class _Workspace(NamedTuple):
    policy: Vector
    mean: Vector
    regrets: Vector
    values: Vector  # against the policy
    mean_values: Vector  # against the mean
    best: Vector  # the answer


@kernel
def _largest(values: Vector) -> float:
    largest = -np.inf
    for a in range(values.size):
        largest = max(largest, values[a])
    return largest


@kernel
def _solve(payoff: Matrix, target: float, iterations: int, work: _Workspace) -> tuple[float, int]:
    """Iterate until the last policy or the mean is beaten by `target` at most; return by how much, and when.

    Without success within `iterations`, return the smallest edge that was seen.
    """
    policy, mean, regrets, values, mean_values, best = work
    smallest = np.inf
    for t in range(iterations):
        query(payoff, policy, values)
        share = newest_share(t, True)
        for a in range(policy.size):
            mean[a] += share * (policy[a] - mean[a])
            mean_values[a] += share * (values[a] - mean_values[a])
        smallest = min(smallest, _largest(values), _largest(mean_values))
        if _largest(values) <= target:
            copy_to(policy, best)
            return _largest(values), t + 1
        if _largest(mean_values) <= target:
            # Rounding has added up in the running mean: it is made a distribution again, and asked for afresh.
            total = 0.0
            for a in range(policy.size):
                total += mean[a]
            for a in range(policy.size):
                best[a] = mean[a] / total
            query(payoff, best, mean_values)
            if _largest(mean_values) <= target:
                return _largest(mean_values), t + 1
        match_regrets(values, regrets, policy, True)
    return smallest, iterations


def approximate_minimax_winner(
    game: Game, tolerance: float = 1e-3, *, iterations: int = 10_000
) -> ApproximateMinimaxWinner:
    r"""Find a mixture of actions that no action beats by more than `tolerance`.

    The method is predictive regret matching+ in self-play, one preference query in each iteration; the answer is its
    last policy or the quadratically weighted mean, whichever comes first. The mean's exploitability after T iterations
    is at most :math:`3 \sqrt{n / T}`, and mostly far less: some fifty iterations reach 1e-3 in random games of a
    thousand actions and more, while games of low rank take a thousand.

    Parameters
    ----------
    game
        The game, n actions. For thousands of actions a :class:`~rltheory.problems.LargeGame` takes less time.
    tolerance
        Largest edge that any action may have over the mixture, > 0, in units of win probability.
    iterations
        How many iterations to try at most, >= 1.

    Returns
    -------
    ApproximateMinimaxWinner
        The mixture with a certificate of at most `tolerance`. Rounding is in it: a query errs by less than
        :math:`n u`, and the probabilities sum to 1 within as much, where :math:`u = 2^{-53}`, so that :math:`2 n u` is
        added to the largest computed value.

    Raises
    ------
    ValueError, TypeError
        If `tolerance` is not a number above :math:`2 n u`, or `iterations` not an integer >= 1.
    ArithmeticError
        If the tolerance is not reached; the message says what was.

    References
    ----------
    :cite:`farina2021`

    Examples
    --------
    >>> from rltheory import PreferenceGame
    >>> game = PreferenceGame([[0.5, 0.1, 0.8], [0.9, 0.5, 0.1], [0.2, 0.9, 0.5]])
    >>> winner = approximate_minimax_winner(game, 1e-3)
    >>> winner.policy.round(1), winner.exploitability <= 1e-3
    (array([0.4, 0.3, 0.4]), True)
    """
    tolerance, iterations = positive(tolerance, "tolerance"), count(iterations, "iterations", at_least=1)
    rounding = game.n * EPSILON
    if tolerance <= rounding:
        raise ValueError(f"tolerance is {tolerance:g}; with {game.n} actions rounding alone comes to {rounding:.2g}")
    work = _Workspace(np.full(game.n, 1 / game.n), *np.zeros((5, game.n)))
    with sign_of_life(f"approximate minimax winner of {game.n} actions"):
        largest, spent = _solve(game.arrays.payoff, tolerance - rounding, iterations, work)
    if largest + rounding > tolerance:
        raise ArithmeticError(
            f"no mixture of {game!r} found within {tolerance:g} after {spent} iterations; the best reached "
            f"{largest + rounding:.3g}: allow a larger tolerance or more iterations"
        )
    return ApproximateMinimaxWinner(frozen(work.best), largest + rounding, spent)
