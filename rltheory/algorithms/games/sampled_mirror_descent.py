r"""Mirror descent with win rates estimated from comparisons.

The update is that of :mod:`rltheory.algorithms.games.mirror_descent` against the policy itself; in place of :math:`P
\pi_t` stand win rates over m opponents drawn from :math:`\pi_t`, as in
:mod:`rltheory.algorithms.games.sampled_nash_mirror_prox`.

Papers: :cite:`swamy2024` estimates win rates against a batch of the policy's own samples; :cite:`zhang2024` fits them.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.games.mirror_descent import Params, State, proximal_weights
from rltheory.algorithms.games.sampled_nash_mirror_prox import sampled_query
from rltheory.arrays import Matrix, Times, Vector, count, positive, positives
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays
from rltheory.simplex import copy_to, log_distribution, mix, prox
from rltheory.trace import Trace, record_times

__all__ = ["sampled_hedge", "sampled_magnetic_mirror_descent"]


@kernel
def _iterate(
    state: State,
    game: GameArrays,
    params: Params,
    comparisons: int,
    begin: int,
    end: int,
    rng: np.random.Generator,
) -> None:
    log_policy, policy, anchor, _, values, total, gains = state
    log_reference, keeps, rates, _ = params
    payoff = game.payoff
    for t in range(begin, end):
        mix(log_policy, log_reference, keeps[t], anchor)
        sampled_query(payoff, policy, comparisons, values, rng)
        for a in range(values.size):
            total[a] += policy[a]
            gains[a] += values[a]
        prox(anchor, values, rates[t], log_policy, policy)


@kernel
def _run(
    state: State,
    game: GameArrays,
    params: Params,
    comparisons: int,
    rng: np.random.Generator,
    times: Times,
    log_policies: Matrix,
    log_nexts: Matrix,
    means: Matrix,
    gains: Matrix,
) -> None:
    done = 0
    for k in range(times.size):
        _iterate(state, game, params, comparisons, done, times[k], rng)
        copy_to(state.log_policy, log_policies[k])
        done = times[k] + 1
        _iterate(state, game, params, comparisons, times[k], done, rng)
        copy_to(state.log_policy, log_nexts[k])
        copy_to(state.gains, gains[k])
        for a in range(state.total.size):
            means[k, a] = state.total[a] / done


def _play(
    name: str,
    game: PreferenceGame,
    log_start: Vector,
    keeps: Vector,
    rates: Vector,
    comparisons: int,
    rng: np.random.Generator,
) -> Trace:
    comparisons = count(comparisons, "comparisons", at_least=1)
    times = record_times(keeps.size - 1)
    params = Params(log_start, keeps, rates, False)
    state = State(log_start.copy(), np.exp(log_start), *np.zeros((5, game.n)))
    recorded = np.empty((4, times.size, game.n))
    _run(state, game.arrays, params, comparisons, rng, times, *recorded)
    names = ("log_policy", "log_next", "mean", "gains")
    return Trace(
        name,
        times,
        {label: (("time", "action"), array) for label, array in zip(names, recorded, strict=True)}
        | {"comparisons": (("time",), game.n * comparisons * times)},
    )


def sampled_magnetic_mirror_descent(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    comparisons: int,
    rng: np.random.Generator,
    step: ArrayLike | None = None,
    reference: ArrayLike | None = None,
) -> Trace:
    r"""Run magnetic mirror descent, or INPO, from the reference with win rates estimated from comparisons.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta > 0`, in units of win probability.
    iterations
        Last recorded time, >= 0.
    comparisons
        Comparisons m >= 1 for each action in each iteration.
    rng
        Source of randomness.
    step : float or array_like, shape (iterations + 1,), optional
        Step sizes :math:`\gamma > 0`, in 1 / payoff; :math:`4 \beta` by default. INPO with inverse rate
        :math:`\eta` is :math:`\gamma = 1 / (\eta - \beta)`.
    reference : array_like, shape (n,), optional
        Reference policy with full support, and the first policy; uniform by default.

    Returns
    -------
    Trace
        At each recorded time t the arrays ``log_policy``, ``log_next``, ``mean`` and ``gains``, of shape (time,
        action), as described at :func:`~rltheory.algorithms.games.mirror_descent.mirror_descent`, the gains being
        estimates; and ``comparisons``, the number of comparisons spent to reach the policy of iteration t.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the reference is not a distribution with full support.

    References
    ----------
    :cite:`zhang2024`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> rng = np.random.default_rng(0)
    >>> trace = sampled_magnetic_mirror_descent(game, beta=0.5, iterations=100, comparisons=100, rng=rng)
    >>> abs(np.exp(trace.last("log_policy")) - [0.646, 0.354]).max() < 0.1
    np.True_
    """
    beta, iterations = positive(beta, "beta"), count(iterations, "iterations")
    steps = positives(4 * beta if step is None else step, "step", iterations + 1)
    log_reference = log_distribution(reference, game.n, "reference")
    keeps, rates = proximal_weights(steps, beta)
    return _play("sampled magnetic mirror descent", game, log_reference, keeps, rates, comparisons, rng)


def sampled_hedge(
    game: PreferenceGame,
    *,
    iterations: int,
    rate: float,
    comparisons: int,
    rng: np.random.Generator,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run Hedge in self-play with win rates against m opponents drawn from the policy, as SPO does.

    Parameters
    ----------
    game
        The game, n actions.
    iterations
        Last recorded time, >= 0.
    rate
        Learning rate :math:`\eta > 0`, in 1 / payoff.
    comparisons
        Opponents m >= 1 in each iteration, each compared once with every action.
    rng
        Source of randomness.
    start : array_like, shape (n,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        As of :func:`sampled_magnetic_mirror_descent`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or the start is not a distribution with full support.

    References
    ----------
    :cite:`swamy2024`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])
    >>> rng = np.random.default_rng(0)
    >>> trace = sampled_hedge(game, iterations=4000, rate=0.05, comparisons=10, rng=rng)
    >>> abs(trace.last("mean") - 1 / 3).max() < 0.05
    np.True_
    """
    iterations, rate = count(iterations, "iterations"), positive(rate, "rate")
    log_start = log_distribution(start, game.n, "start")
    weights = np.ones(iterations + 1)
    return _play("sampled Hedge", game, log_start, weights, rate * weights, comparisons, rng)
