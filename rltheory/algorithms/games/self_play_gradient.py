r"""Softmax policy gradient in self-play, the tabular form of online IPO and of Nash-MD's policy gradient.

.. math::
   \theta_{t+1}(a) = \theta_t(a) + \alpha\, \pi_t(a) \bigl(A_t(a) - \langle \pi_t, A_t \rangle\bigr), \qquad
   A_t = P \sigma_t - \beta \log \frac{\pi_t}{\mu}, \qquad \pi_t \propto e^{\theta_t}

The opponent :math:`\sigma_t` is the policy itself, or its geometric mixture with the reference. Online IPO with pairs
drawn from the policy descends its squared loss with rate :math:`\lambda` in the logits: the same map with
:math:`\alpha = 4 \lambda / \beta`. Papers: :cite:`calandriello2024`, :cite:`munos2024`. Departure: exact gradients.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Matrix, Times, Vector, count, fraction, positive
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays, query
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to, log_distribution, mix, prox
from rltheory.trace import Trace, record_times

__all__ = ["self_play_gradient"]


class Params(NamedTuple):
    """Constants of the run."""

    log_reference: Vector  # (n,) log mu
    beta: float  # temperature, > 0, in units of win probability
    step: float  # alpha, > 0, in 1 / payoff
    weight: float  # of the reference in the opponent, in [0, 1]


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (n,) log pi_t
    policy: Vector  # (n,) pi_t
    log_opponent: Vector  # (n,) log sigma_{t-1}
    opponent: Vector  # (n,) sigma_{t-1}
    values: Vector  # (n,) the answer to the last query, then the advantages, then the gradient


@kernel
def iterate(state: State, game: GameArrays, params: Params, iterations: int) -> None:
    """Advance the state by `iterations`."""
    log_policy, policy, log_opponent, opponent, values = state
    log_reference, beta, step, weight = params
    payoff = game.payoff
    for _ in range(iterations):
        if weight > 0.0:
            mix(log_policy, log_reference, 1.0 - weight, log_opponent)
            prox(log_opponent, values, 0.0, log_opponent, opponent)
        else:
            copy_to(policy, opponent)
        query(payoff, opponent, values)
        average = 0.0
        for a in range(values.size):
            values[a] -= beta * (log_policy[a] - log_reference[a])
            average += policy[a] * values[a]
        for a in range(values.size):
            values[a] = policy[a] * (values[a] - average)
        prox(log_policy, values, step, log_policy, policy)


@kernel
def _run(
    state: State,
    game: GameArrays,
    params: Params,
    times: Times,
    log_policies: Matrix,
    log_nexts: Matrix,
) -> None:
    done = 0
    for k in range(times.size):
        iterate(state, game, params, times[k] - done)
        copy_to(state.log_policy, log_policies[k])
        done = times[k] + 1
        iterate(state, game, params, done - times[k])
        copy_to(state.log_policy, log_nexts[k])


def self_play_gradient(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    step: float,
    weight: float = 0.0,
    reference: ArrayLike | None = None,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run softmax policy gradient in self-play, with exact gradients.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta > 0`, in units of win probability.
    iterations
        Last recorded time, >= 0; one preference query in each iteration.
    step
        Step size :math:`\alpha > 0` in the logits, in 1 / payoff.
    weight
        Weight of the reference in the opponent's mixture, in [0, 1]: 0 is self-play (online IPO), larger is Nash-MD.
    reference : array_like, shape (n,), optional
        Reference policy :math:`\mu` with full support; uniform by default.
    start : array_like, shape (n,), optional
        First policy with full support; the reference by default.

    Returns
    -------
    Trace
        At each recorded time ``log_policy`` and ``log_next``, of shape (time, action): the logarithms of the policies
        of this iteration and of the next; and ``queries``, the number of preference queries spent so far.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or a policy is not a distribution with full support.

    References
    ----------
    :cite:`calandriello2024`, :cite:`munos2024`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> trace = self_play_gradient(game, beta=0.1, iterations=2000, step=4.0)
    >>> np.exp(trace.last("log_policy")).round(4)
    array([0.9526, 0.0474])
    """
    beta, step, weight = positive(beta, "beta"), positive(step, "step"), fraction(weight, "weight")
    log_reference = log_distribution(reference, game.n, "reference")
    log_start = log_reference if start is None else log_distribution(start, game.n, "start")
    times = record_times(count(iterations, "iterations"))
    state = State(log_start.copy(), np.exp(log_start), *np.zeros((3, game.n)))
    recorded = np.empty((2, times.size, game.n))
    with sign_of_life(f"self-play gradient on {game.n} actions"):
        _run(state, game.arrays, Params(log_reference, beta, step, weight), times, *recorded)
    return Trace(
        "self-play gradient",
        times,
        {name: (("time", "action"), array) for name, array in zip(("log_policy", "log_next"), recorded, strict=True)}
        | {"queries": (("time",), times)},
    )
