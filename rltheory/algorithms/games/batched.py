r"""Many runs on one game at once: all of them ask their queries in one matrix-matrix product.

A product with 64 policies reads the game once instead of 64 times, which is all that matters beyond some hundred
actions. The sums are formed in another order than in single runs, so that results agree to rounding, not to the bit:
this is a path of its own. The updates are those of :mod:`rltheory.algorithms.games.nash_mirror_prox` and
:mod:`rltheory.algorithms.games.magnetic_mirror_descent`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.games.mirror_descent import proximal_weights
from rltheory.arrays import Array, Matrix, Times, Vector, count, float_array, positives
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to, log_distribution, mix, prox
from rltheory.trace import Trace, record_times

__all__ = ["batched_magnetic_mirror_descent", "batched_nash_mirror_prox"]


class Params(NamedTuple):
    """Constants of the runs, one row or entry for each."""

    log_references: Matrix  # (runs, n) log mu
    keeps: Vector  # (runs,) q = 1 / (1 + gamma beta), in (0, 1)
    rates: Vector  # (runs,) q gamma, > 0, in 1 / payoff
    extrapolates: bool  # whether a half step comes first


class State(NamedTuple):
    """Where the runs stand, one row for each; the arrays are overwritten by each iteration."""

    log_policies: Matrix  # (runs, n) log pi_k
    policies: Matrix  # (runs, n) pi_k
    log_halves: Matrix  # (runs, n) log pi_{k-1/2}
    halves: Matrix  # (runs, n) pi_{k-1/2}
    anchors: Matrix  # (runs, n) q log pi_k + (1 - q) log mu
    losses: Matrix  # (runs, n) minus the answers to the last queries


@kernel
def iterate(state: State, game: GameArrays, params: Params, iterations: int) -> None:
    """Advance all runs by `iterations`."""
    log_policies, policies, log_halves, halves, anchors, losses = state
    log_references, keeps, rates, extrapolates = params
    payoff = game.payoff
    for _ in range(iterations):
        # The payoff is skew: policies times it, rather than its transpose, are minus the win rates.
        np.dot(policies, payoff, losses)
        for run in range(keeps.size):
            mix(log_policies[run], log_references[run], keeps[run], anchors[run])
        if extrapolates:
            for run in range(keeps.size):
                prox(anchors[run], losses[run], -rates[run], log_halves[run], halves[run])
            np.dot(halves, payoff, losses)
        for run in range(keeps.size):
            prox(anchors[run], losses[run], -rates[run], log_policies[run], policies[run])


@kernel
def _run(state: State, game: GameArrays, params: Params, times: Times, recorded: Array) -> None:
    done = 0
    for k in range(times.size):
        iterate(state, game, params, times[k] - done)
        done = times[k]
        for run in range(params.keeps.size):
            copy_to(state.log_policies[run], recorded[k, run])


def _play(
    name: str,
    game: PreferenceGame,
    betas: ArrayLike,
    steps: ArrayLike,
    references: ArrayLike | None,
    starts: ArrayLike | None,
    iterations: int,
    points: int,
    *,
    extrapolates: bool,
) -> Trace:
    runs = max(np.size(betas), np.size(steps), *(len(np.atleast_1d(p)) for p in (references, starts) if p is not None))
    keeps, rates = proximal_weights(positives(steps, "steps", runs), positives(betas, "betas", runs))
    log_references = _log_distributions(references, runs, game.n, "references")
    log_starts = log_references if starts is None else _log_distributions(starts, runs, game.n, "starts")
    times = record_times(count(iterations, "iterations"), points=count(points, "points", at_least=3))
    state = State(log_starts.copy(), np.exp(log_starts), *np.empty((4, runs, game.n)))
    recorded = np.empty((times.size, runs, game.n))
    with sign_of_life(f"{runs} runs of {name} on {game.n} actions"):
        _run(state, game.arrays, Params(log_references, keeps, rates, extrapolates), times, recorded)
    queries = (2 if extrapolates else 1) * times
    return Trace(
        f"{name}, {runs} runs",
        times,
        {"log_policy": (("time", "run", "action"), recorded), "queries": (("time",), queries)},
    )


def _log_distributions(policies: ArrayLike | None, runs: int, n: int, name: str) -> Matrix:
    if policies is None:
        return np.tile(log_distribution(None, n, name), (runs, 1))
    rows = float_array(policies, name, ndim=2)
    if len(rows) != runs:
        raise ValueError(f"{name} has {len(rows)} rows for {runs} runs; give one row for each run")
    return np.array([log_distribution(row, n, f"{name}[{run}]") for run, row in enumerate(rows)])


def batched_nash_mirror_prox(
    game: PreferenceGame,
    *,
    betas: ArrayLike,
    iterations: int,
    steps: ArrayLike = 2.0,
    references: ArrayLike | None = None,
    starts: ArrayLike | None = None,
    points: int = 20,
) -> Trace:
    r"""Run Nash mirror prox many times on one game, with a matrix-matrix product for all queries of an iteration.

    Parameters
    ----------
    game
        The game, n actions.
    betas, steps : float or array_like, shape (runs,)
        Temperatures :math:`\beta > 0` and step sizes :math:`\gamma > 0`, one for all runs or one for each.
    iterations
        Last recorded time, >= 0.
    references, starts : array_like, shape (runs, n), optional
        Reference policies and first policies with full support; uniform, and the references, by default.
    points
        Largest number of recorded times, >= 3: each holds runs × n numbers.

    Returns
    -------
    Trace
        ``log_policy``, shape (time, run, action), and ``queries``, the number that each run spent.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, numbers of runs disagree, or a policy is not a distribution with full support.

    References
    ----------
    :cite:`tiapkin2025`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = batched_nash_mirror_prox(game, betas=[0.1, 0.5], iterations=100)
    >>> np.exp(trace.last("log_policy")).round(4)
    array([[0.9526, 0.0474],
           [0.6457, 0.3543]])
    """
    return _play("Nash mirror prox", game, betas, steps, references, starts, iterations, points, extrapolates=True)


def batched_magnetic_mirror_descent(
    game: PreferenceGame,
    *,
    betas: ArrayLike,
    iterations: int,
    steps: ArrayLike | None = None,
    references: ArrayLike | None = None,
    starts: ArrayLike | None = None,
    points: int = 20,
) -> Trace:
    r"""Run magnetic mirror descent, or INPO, many times on one game.

    Parameters and results are those of :func:`batched_nash_mirror_prox`, but for the steps, which are
    :math:`4 \beta` by default, and the queries, of which an iteration asks one.

    Raises
    ------
    ValueError, TypeError
        As :func:`batched_nash_mirror_prox`.

    References
    ----------
    :cite:`sokota2023`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = batched_magnetic_mirror_descent(game, betas=[0.1, 0.5], iterations=1000)
    >>> np.exp(trace.last("log_policy")).round(4)
    array([[0.9526, 0.0474],
           [0.6457, 0.3543]])
    """
    steps = 4 * np.asarray(betas) if steps is None else steps
    return _play(
        "magnetic mirror descent", game, betas, steps, references, starts, iterations, points, extrapolates=False
    )
