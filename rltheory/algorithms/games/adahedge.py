r"""AdaHedge in self-play: Hedge that sets its own rate by what it has lost so far to mixing.

.. math::
   \pi_t \propto \pi_0 \exp\Bigl(\eta_t \sum_{s < t} S \pi_s\Bigr), \qquad
   \eta_t = \frac{L}{\delta_0 + \dots + \delta_{t-1}}, \qquad
   \delta_t = \frac{1}{\eta_t} \log \sum_a \pi_t(a)\, e^{\eta_t (S \pi_t)_a} \ge 0

with :math:`L = \max_a \log(1 / \pi_0(a))`; :math:`\delta_t` is the mixability gap of round t. The first rate is
infinite, where :math:`\delta_0 = \max_a (S \pi_0)_a`. If that is 0, then :math:`S \pi_0 = 0` because
:math:`\langle \pi_0, S \pi_0 \rangle = 0`, and the first policy stays.

Paper: :cite:`derooij2014`. Departures: gains instead of losses, a first policy that need not be uniform, and self-play,
in which the mean gain of each round is 0; policies are kept as logarithms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Times, Vector, count
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays, query
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to, log_distribution, prox
from rltheory.trace import Trace, record_times

__all__ = ["adahedge"]

LARGEST_RATE = 1e300  # beyond, a rate counts as infinite


class Params(NamedTuple):
    """Constants of the run."""

    log_start: Vector  # (n,) log pi_0
    complexity: float  # L, >= 0


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (n,) log pi_t
    policy: Vector  # (n,) pi_t
    values: Vector  # (n,) answer to the last query
    total: Vector  # (n,) pi_0 + ... + pi_{t-1}
    gains: Vector  # (n,) sum of the answers to all queries


@kernel
def mixability_gap(log_policy: Vector, values: Vector, rate: float) -> float:
    """Exponential mean of the values under a policy, above their mean, which is 0."""
    top, total = -np.inf, 0.0
    for a in range(values.size):
        top = max(top, log_policy[a] + rate * values[a])
    for a in range(values.size):
        total += np.exp(log_policy[a] + rate * values[a] - top)
    gap: float = (top + np.log(total)) / rate
    return max(0.0, gap)


@kernel
def iterate(state: State, game: GameArrays, params: Params, lost: float, iterations: int) -> float:
    """Advance the state by `iterations`; `lost` is the sum of the mixability gaps before, and the result after."""
    log_policy, policy, values, total, gains = state
    log_start, complexity = params
    payoff = game.payoff
    for _ in range(iterations):
        query(payoff, policy, values)
        for a in range(values.size):
            total[a] += policy[a]
            gains[a] += values[a]
        if complexity < LARGEST_RATE * lost:
            lost += mixability_gap(log_policy, values, complexity / lost)
        else:
            for a in range(values.size):
                lost = max(lost, values[a])
        if complexity < LARGEST_RATE * lost:
            prox(log_start, gains, complexity / lost, log_policy, policy)
    return lost


@kernel
def _run(
    state: State,
    game: GameArrays,
    params: Params,
    times: Times,
    log_policies: Matrix,
    means: Matrix,
    gains: Matrix,
    gaps: Vector,
) -> None:
    done, lost = 0, 0.0
    for k in range(times.size):
        lost = iterate(state, game, params, lost, times[k] - done)
        copy_to(state.log_policy, log_policies[k])
        done = times[k] + 1
        lost = iterate(state, game, params, lost, done - times[k])
        copy_to(state.gains, gains[k])
        gaps[k] = lost
        for a in range(state.total.size):
            means[k, a] = state.total[a] / done


def adahedge(game: PreferenceGame, *, iterations: int, start: ArrayLike | None = None) -> Trace:
    """Play AdaHedge against itself.

    Parameters
    ----------
    game
        The game, n actions.
    iterations
        Last recorded time, >= 0; one preference query in each iteration.
    start : array_like, shape (n,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        At each recorded time t the arrays ``log_policy``, of shape (time, action), the logarithm of the policy of
        iteration t; ``mean``, the average of the policies of iterations 0 to t; ``gains``, the sum of the centred win
        rates against them; ``mixability_gap``, of shape (time,), the sum of their mixability gaps; and ``queries``, the
        number of preference queries spent to reach the policy of iteration t.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the start is not a distribution with full support.

    References
    ----------
    :cite:`derooij2014`; for preferences :cite:`swamy2024`.

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])
    >>> trace = adahedge(game, iterations=5000, start=[0.6, 0.3, 0.1])
    >>> trace.last("mean").round(1)
    array([0.3, 0.3, 0.3])
    """
    times = record_times(count(iterations, "iterations"))
    log_start = log_distribution(start, game.n, "start")
    params = Params(log_start, float(-log_start.min()))
    state = State(log_start.copy(), np.exp(log_start), *np.zeros((3, game.n)))
    log_policies, means, gains = np.empty((3, times.size, game.n))
    gaps = np.empty(times.size)
    with sign_of_life(f"AdaHedge on {game.n} actions"):
        _run(state, game.arrays, params, times, log_policies, means, gains, gaps)
    return Trace(
        "AdaHedge",
        times,
        {
            "log_policy": (("time", "action"), log_policies),
            "mean": (("time", "action"), means),
            "gains": (("time", "action"), gains),
            "mixability_gap": (("time",), gaps),
            "queries": (("time",), times),
        },
    )
