r"""Mirror descent with entropy: the update that most self-play methods share, each with weights of its own.

.. math:: \log \pi_{t+1} = q_t \log \pi_t + (1 - q_t) \log \mu + r_t\, P \sigma_t + c

The opponent :math:`\sigma_t` is the policy itself, or the normalised mixture
:math:`\sigma_t \propto \pi_t^{q_t} \mu^{1 - q_t}`. The methods are choices of the weights:

====================================  ============================  ==========================  ==================
method                                :math:`q_t`                   :math:`r_t`                 opponent
====================================  ============================  ==========================  ==================
magnetic mirror descent, step γ       :math:`1 / (1 + \gamma\beta)`  :math:`q \gamma`            policy
INPO, inverse rate η                  :math:`1 - \beta / \eta`      :math:`1 / \eta`            policy
Hedge, SPO, SPPO with rate η; DNO     1                             :math:`\eta`                policy
Hedge with decreasing rates           :math:`\eta_{t+1} / \eta_t`   :math:`\eta_{t+1}`          policy
Nash-MD, rate η                       :math:`1 - \eta \beta`        :math:`\eta`                mixture
====================================  ============================  ==========================  ==================

Papers: :cite:`munos2024`, :cite:`sokota2023`, :cite:`zhang2024`, :cite:`swamy2024`, :cite:`wu2024`, :cite:`rosset2024`.
Departures: payoffs are centred, which moves only the constants; policies are kept as logarithms.
"""

from typing import NamedTuple

import numpy as np

from rltheory.arrays import Matrix, Times, Vector
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays, query
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to, mix, prox
from rltheory.trace import Trace, record_times

__all__ = ["Params", "State", "mirror_descent", "proximal_weights"]


class Params(NamedTuple):
    """Constants of the run."""

    log_reference: Vector  # (n,) log mu
    keeps: Vector  # (T,) q_t, in [0, 1]
    rates: Vector  # (T,) r_t, > 0, in 1 / payoff
    against_mixture: bool  # whether the opponent is the mixture


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (n,) log pi_t
    policy: Vector  # (n,) pi_t
    anchor: Vector  # (n,) q log pi_{t-1} + (1 - q) log mu, normalised if it is the opponent
    opponent: Vector  # (n,) sigma_{t-1}, where it is the mixture
    values: Vector  # (n,) answer to the last query
    total: Vector  # (n,) pi_0 + ... + pi_{t-1}
    gains: Vector  # (n,) sum of the answers to all queries


@kernel
def iterate(state: State, game: GameArrays, params: Params, begin: int, end: int) -> None:
    """Advance the state from iteration `begin` to `end`."""
    log_policy, policy, anchor, opponent, values, total, gains = state
    log_reference, keeps, rates, against_mixture = params
    payoff = game.payoff
    for t in range(begin, end):
        mix(log_policy, log_reference, keeps[t], anchor)
        if against_mixture:
            prox(anchor, values, 0.0, anchor, opponent)
            query(payoff, opponent, values)
        else:
            query(payoff, policy, values)
        for a in range(values.size):
            total[a] += policy[a]
            gains[a] += values[a]
        prox(anchor, values, rates[t], log_policy, policy)


@kernel
def _run(
    state: State,
    game: GameArrays,
    params: Params,
    times: Times,
    log_policies: Matrix,
    log_nexts: Matrix,
    log_anchors: Matrix,
    means: Matrix,
    gains: Matrix,
) -> None:
    done = 0
    for k in range(times.size):
        iterate(state, game, params, done, times[k])
        copy_to(state.log_policy, log_policies[k])
        done = times[k] + 1
        iterate(state, game, params, times[k], done)
        copy_to(state.log_policy, log_nexts[k])
        copy_to(state.anchor, log_anchors[k])
        copy_to(state.gains, gains[k])
        for a in range(state.total.size):
            means[k, a] = state.total[a] / done


def proximal_weights(steps: Vector, beta: float | Vector) -> tuple[Vector, Vector]:
    r"""Weights :math:`q = 1 / (1 + \gamma \beta)` and :math:`q \gamma` of proximal maps.

    Examples
    --------
    >>> proximal_weights(np.array([1.0, 4.0]), beta=0.25)
    (array([0.8, 0.5]), array([0.8, 2. ]))
    """
    keeps = 1 / (1 + steps * beta)
    return keeps, keeps * steps


def mirror_descent(
    name: str,
    game: PreferenceGame,
    log_reference: Vector,
    log_start: Vector,
    keeps: Vector,
    rates: Vector,
    *,
    against_mixture: bool = False,
) -> Trace:
    """Run with given weights, one pair for each iteration and one more for the last ``log_next``.

    Returns
    -------
    Trace
        At each recorded time t the arrays ``log_policy`` and ``log_next``, of shape (time, action): the logarithms of
        the policies of iterations t and t + 1; ``mean``, the average of the policies of iterations 0 to t; ``gains``,
        the sum of the centred win rates against their opponents; with the mixture as opponent, ``log_mixture``; and
        ``queries``, the number of preference queries spent to reach the policy of iteration t.
    """
    times = record_times(keeps.size - 1)
    params = Params(log_reference, keeps, rates, against_mixture)
    state = State(log_start.copy(), np.exp(log_start), *np.zeros((5, game.n)))
    recorded = np.empty((5, times.size, game.n))
    with sign_of_life(f"{name} on {game.n} actions"):
        _run(state, game.arrays, params, times, *recorded)
    arrays = dict(zip(("log_policy", "log_next", "log_mixture", "mean", "gains"), recorded, strict=True))
    if not against_mixture:
        del arrays["log_mixture"]
    return Trace(
        name,
        times,
        {label: (("time", "action"), array) for label, array in arrays.items()} | {"queries": (("time",), times)},
    )
