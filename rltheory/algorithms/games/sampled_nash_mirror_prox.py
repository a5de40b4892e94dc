r"""Nash mirror prox with win rates estimated from comparisons.

The two steps are those of :mod:`rltheory.algorithms.games.nash_mirror_prox`. In place of :math:`P \pi` stands

.. math:: \hat v_a = \frac1m \sum_{j=1}^m \mathbf 1\{a \text{ beats } b_j\}, \qquad b_j \sim \pi,

drawn afresh for both steps. All actions meet the same m opponents, each in a comparison of its own.

Paper: :cite:`tiapkin2025` estimates its steps by policy gradients; estimated win rates are the simplest such case.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.games.nash_mirror_prox import Params, State
from rltheory.arrays import Matrix, Times, Vector, count, positive
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays
from rltheory.simplex import copy_to, log_distribution, mix, prox
from rltheory.trace import Trace

__all__ = ["sampled_nash_mirror_prox"]


@kernel
def draw_action(policy: Vector, rng: np.random.Generator) -> int:
    """Draw an action from a policy."""
    left = rng.random()
    for a in range(policy.size - 1):
        left -= policy[a]
        if left < 0.0:
            return a
    return policy.size - 1


@kernel
def sampled_query(payoff: Matrix, policy: Vector, comparisons: int, values: Vector, rng: np.random.Generator) -> None:
    """Write estimated win rates against `policy`, minus 1/2, to `values`."""
    for a in range(values.size):
        values[a] = -0.5
    for _ in range(comparisons):
        opponent = draw_action(policy, rng)
        for a in range(values.size):
            if rng.random() < 0.5 + payoff[a, opponent]:
                values[a] += 1.0 / comparisons


@kernel
def _run(
    state: State,
    game: GameArrays,
    params: Params,
    comparisons: int,
    times: Times,
    log_policies: Matrix,
    rng: np.random.Generator,
) -> None:
    log_policy, policy, log_half, half, anchor, values = state
    log_reference, keep, rate = params
    payoff = game.payoff
    copy_to(log_policy, log_policies[0])
    for k in range(1, times.size):
        mix(log_policy, log_reference, keep, anchor)
        sampled_query(payoff, policy, comparisons, values, rng)
        prox(anchor, values, rate, log_half, half)
        sampled_query(payoff, half, comparisons, values, rng)
        prox(anchor, values, rate, log_policy, policy)
        copy_to(log_policy, log_policies[k])


def sampled_nash_mirror_prox(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    comparisons: int,
    rng: np.random.Generator,
    step: float = 2.0,
    reference: ArrayLike | None = None,
) -> Trace:
    r"""Run Nash mirror prox from the reference with win rates estimated from comparisons.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature, > 0, in units of win probability.
    iterations
        Last recorded time, >= 0; every time is recorded.
    comparisons
        Comparisons m >= 1 for each action and query.
    rng
        Source of randomness.
    step
        Step size :math:`\gamma > 0`, in 1 / payoff.
    reference : array_like, shape (n,), optional
        Reference policy with full support, and the first policy; uniform by default.

    Returns
    -------
    Trace
        ``log_policy``, shape (time, action), and ``comparisons``, the number spent to reach it.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the reference is not a distribution with full support.

    References
    ----------
    :cite:`tiapkin2025`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> rng = np.random.default_rng(0)
    >>> trace = sampled_nash_mirror_prox(game, beta=0.5, iterations=50, comparisons=100, rng=rng)
    >>> abs(np.exp(trace.last("log_policy")) - [0.646, 0.354]).max() < 0.1
    np.True_
    """
    beta, step = positive(beta, "beta"), positive(step, "step")
    comparisons = count(comparisons, "comparisons", at_least=1)
    log_reference = log_distribution(reference, game.n, "reference")
    times = np.arange(count(iterations, "iterations") + 1)
    keep = 1 / (1 + step * beta)
    state = State(log_reference.copy(), np.exp(log_reference), *np.empty((4, game.n)))
    log_policies = np.empty((times.size, game.n))
    _run(state, game.arrays, Params(log_reference, keep, keep * step), comparisons, times, log_policies, rng)
    spent = 2 * game.n * comparisons * times
    return Trace(
        "sampled Nash mirror prox",
        times,
        {"log_policy": (("time", "action"), log_policies), "comparisons": (("time",), spent)},
    )
