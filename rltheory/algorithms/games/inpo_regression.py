r"""INPO as a regression on comparisons of pairs, the form in which it is trained.

With :math:`h_t(\pi, y, y') = \log \frac{\pi(y)}{\pi(y')} - \frac{\beta}{\eta} \log \frac{\mu(y)}{\mu(y')} -
\bigl(1 - \frac{\beta}{\eta}\bigr) \log \frac{\pi_t(y)}{\pi_t(y')}` the next policy minimises the mean of
:math:`\bigl(h_t(\pi, w, l) - \frac{1}{2 \eta}\bigr)^2` over the winners w and losers l of pairs drawn from a law
:math:`\rho`, which is :math:`\pi_t` in the paper. On a table the loss depends on the values v in
:math:`\log \pi = (1 - \frac{\beta}{\eta}) \log \pi_t + \frac{\beta}{\eta} \log \mu + \frac{1}{\eta} v + c` only, and it
is a least squares problem on the graph of comparisons. With :math:`W_{ab}` wins of a over b,

.. math:: \sum_{a, b} W_{ab} \bigl(v_a - v_b - \tfrac12\bigr)^2 \to \min, \qquad
          \Lambda v = \tfrac12 (W - W^\top) \mathbf 1, \qquad
          \Lambda = \mathrm{diag}\bigl((W + W^\top) \mathbf 1\bigr) - W - W^\top.

The graph Laplacian :math:`\Lambda` leaves one constant free on each connected component. It is chosen such that the
average of v under :math:`\rho` is 0 on every component; an action that was in no comparison gets the value 0, that of a
tie. Comparisons say nothing of one component against another, so each counts as tied with the rest: its values are
centred win rates against :math:`\rho` restricted to it, which average to 0 by themselves. The rule is also the limit of
a ridge penalty :math:`\varepsilon \sum_a \rho(a) v_a^2`.

Paper: :cite:`zhang2024`, equations 7 and 8. Departure: the paper fits a language model by gradient steps; here each
regression is solved exactly.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.games.sampled_nash_mirror_prox import draw_action
from rltheory.arrays import Matrix, Times, Vector, count, distribution, first_index, float_array, positive, positives
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import GameArrays
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to, log_distribution, mix, prox
from rltheory.trace import Trace, record_times

__all__ = ["fit_values", "inpo_regression"]


class Params(NamedTuple):
    """Constants of the run."""

    log_reference: Vector  # (n,) log mu
    keeps: Vector  # (T,) 1 - beta / eta_t, in [0, 1)
    rates: Vector  # (T,) 1 / eta_t, > 0, in 1 / payoff
    law: Vector  # (n,) rho, where pairs are not drawn from the policy
    from_policy: bool  # whether they are


class Fit(NamedTuple):
    """A regression and room to solve it; all but the wins are overwritten."""

    wins: Matrix  # (n, n) W_ab
    links: Matrix  # (n, n) comparisons of a and b; after elimination of the actions before a, those that they stand for
    drives: Vector  # (n,) right side of the normal equations
    roots: Vector  # (n,) last action of the component
    weights: Vector  # (n,) weight of the component, at its root
    averages: Vector  # (n,) weighted sum of the values of the component, at its root


class State(NamedTuple):
    """Where the run stands; the arrays are overwritten by each iteration."""

    log_policy: Vector  # (n,) log pi_t
    policy: Vector  # (n,) pi_t
    anchor: Vector  # (n,) (1 - beta / eta) log pi_{t-1} + (beta / eta) log mu
    values: Vector  # (n,) fitted centred win rates


@kernel
def solve(fit: Fit, law: Vector, values: Vector) -> None:
    """Write the values that fit the wins best to `values`, centred on each component of the comparison graph.

    Gaussian elimination on a graph Laplacian adds and divides links >= 0 only, so that links between components stay
    exactly 0, and it finds the components by itself. Digits of the drives are lost where actions with many comparisons
    come long before actions with few.
    """
    wins, links, drives, roots, weights, averages = fit
    n = values.size
    for a in range(n):
        drives[a], weights[a], averages[a] = 0.0, 0.0, 0.0
        for b in range(n):
            links[a, b] = wins[a, b] + wins[b, a]
            drives[a] += (wins[a, b] - wins[b, a]) / 2.0
    for a in range(n):
        degree = 0.0
        for b in range(a + 1, n):
            degree += links[a, b]
        links[a, a] = degree
        for b in range(a + 1, n):
            if links[b, a] > 0.0:
                share = links[b, a] / degree
                drives[b] += share * drives[a]
                for c in range(a + 1, n):
                    links[b, c] += share * links[a, c]
    for a in range(n - 1, -1, -1):
        roots[a], values[a] = a, 0.0
        if links[a, a] > 0.0:
            values[a] = drives[a] / links[a, a]
            for b in range(a + 1, n):
                if links[a, b] > 0.0:
                    roots[a] = roots[b]
                    values[a] += links[a, b] / links[a, a] * values[b]
        weights[int(roots[a])] += law[a]
        averages[int(roots[a])] += law[a] * values[a]
    for a in range(n):
        root = int(roots[a])
        if weights[root] > 0.0:
            values[a] -= averages[root] / weights[root]


@kernel
def iterate(
    state: State,
    fit: Fit,
    game: GameArrays,
    params: Params,
    pairs: int,
    begin: int,
    end: int,
    rng: np.random.Generator,
) -> None:
    """Advance the state from iteration `begin` to `end`."""
    log_policy, policy, anchor, values = state
    log_reference, keeps, rates, given_law, from_policy = params
    law = policy if from_policy else given_law
    wins, payoff = fit.wins, game.payoff
    for t in range(begin, end):
        for a in range(policy.size):
            for b in range(policy.size):
                wins[a, b] = 0.0
        for _ in range(pairs):
            first, second = draw_action(law, rng), draw_action(law, rng)
            if rng.random() < 0.5 + payoff[first, second]:
                wins[first, second] += 1.0
            else:
                wins[second, first] += 1.0
        solve(fit, law, values)
        mix(log_policy, log_reference, keeps[t], anchor)
        prox(anchor, values, rates[t], log_policy, policy)


@kernel
def _run(
    state: State,
    fit: Fit,
    game: GameArrays,
    params: Params,
    pairs: int,
    rng: np.random.Generator,
    times: Times,
    log_policies: Matrix,
    log_nexts: Matrix,
    values: Matrix,
) -> None:
    done = 0
    for k in range(times.size):
        iterate(state, fit, game, params, pairs, done, times[k], rng)
        copy_to(state.log_policy, log_policies[k])
        done = times[k] + 1
        iterate(state, fit, game, params, pairs, times[k], done, rng)
        copy_to(state.log_policy, log_nexts[k])
        copy_to(state.values, values[k])


def _fit(wins: Matrix) -> Fit:
    n = len(wins)
    return Fit(wins, np.empty((n, n)), *np.empty((4, n)))


def fit_values(wins: ArrayLike, law: ArrayLike) -> Vector:
    r"""Centred win rates that fit comparisons best.

    They minimise :math:`\sum_{a,b} W_{ab} (v_a - v_b - 1/2)^2` and average to 0 under `law` on each connected component
    of the comparison graph. Expected wins :math:`W_{ab} = \rho_a \rho_b P_{ab}` give :math:`v = P \rho - 1/2`.

    Parameters
    ----------
    wins : array_like, shape (n, n)
        Number of wins, or weight >= 0 of the wins, of a over b. The diagonal does not matter.
    law : array_like, shape (n,)
        Distribution with full support from which the actions of the pairs were drawn.

    Returns
    -------
    array, shape (n,)
        The values, 0 for an action without comparisons.

    Raises
    ------
    ValueError
        If `wins` is not square, has a negative entry or holds no comparison of two actions, or if `law` is not a
        distribution with full support.

    References
    ----------
    :cite:`zhang2024`

    Examples
    --------
    Rock beats paper thrice out of four times, and nobody asked about scissors.

    >>> fit_values([[0, 3, 0], [1, 0, 0], [0, 0, 0]], law=[0.4, 0.4, 0.2])
    array([ 0.125, -0.125,  0.   ])
    """
    wins = float_array(wins, "wins", ndim=2)
    n = len(wins)
    if wins.shape != (n, n):
        raise ValueError(f"wins has shape {wins.shape}; it must be square")
    if (wins < 0).any():
        index = first_index(wins < 0)
        raise ValueError(f"wins{list(index)} is {wins[index]}; every entry must be >= 0")
    if not wins[~np.eye(n, dtype=bool)].any():
        raise ValueError("wins holds no comparison of two actions; there is nothing to fit")
    law = distribution(law, n, "law")
    order = np.argsort(wins.sum(axis=0) + wins.sum(axis=1))
    values, ordered = np.empty((2, n))
    solve(_fit(np.ascontiguousarray(wins[np.ix_(order, order)])), law[order], ordered)
    values[order] = ordered
    return values


def inpo_regression(
    game: PreferenceGame,
    *,
    beta: float,
    iterations: int,
    inverse_rate: ArrayLike,
    pairs: int,
    rng: np.random.Generator,
    reference: ArrayLike | None = None,
    law: ArrayLike | None = None,
) -> Trace:
    r"""Play INPO from the reference, each step being a regression on freshly compared pairs.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta > 0` (the paper's :math:`\tau`), in units of win probability.
    iterations
        Last recorded time, >= 0.
    inverse_rate : float or array_like, shape (iterations + 1,)
        The paper's :math:`\eta \ge \beta`, in units of payoff.
    pairs
        Pairs N >= 1 in each iteration, each compared once. Both actions of a pair are drawn independently and may be
        the same, which says nothing.
    rng
        Source of randomness.
    reference : array_like, shape (n,), optional
        Reference policy :math:`\mu` with full support, and the first policy; uniform by default.
    law : array_like, shape (n,), optional
        Distribution with full support from which actions are drawn; by default the current policy. With any other law
        :math:`\rho` the steps are those against the opponent :math:`\rho`, and the equilibrium is not what they seek.

    Returns
    -------
    Trace
        At each recorded time t the arrays ``log_policy`` and ``log_next``, of shape (time, action): the logarithms of
        the policies of iterations t and t + 1; ``values``, of the same shape, the fitted centred win rates that lead
        from one to the other; and ``comparisons``, the number spent to reach the policy of iteration t.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or a policy is not a distribution with full support.

    References
    ----------
    :cite:`zhang2024`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> rng = np.random.default_rng(0)
    >>> trace = inpo_regression(game, beta=0.5, iterations=100, inverse_rate=1.0, pairs=1000, rng=rng)
    >>> abs(np.exp(trace.last("log_policy")) - [0.646, 0.354]).max() < 0.1
    np.True_
    """
    beta, iterations = positive(beta, "beta"), count(iterations, "iterations")
    pairs = count(pairs, "pairs", at_least=1)
    inverse_rates = positives(inverse_rate, "inverse_rate", iterations + 1)
    if inverse_rates.min() < beta:
        raise ValueError(f"inverse_rate has the entry {inverse_rates.min():g}; it must be at least beta = {beta:g}")
    log_reference = log_distribution(reference, game.n, "reference")
    given_law = np.empty(game.n) if law is None else distribution(law, game.n, "law")
    params = Params(log_reference, 1 - beta / inverse_rates, 1 / inverse_rates, given_law, law is None)
    state = State(log_reference.copy(), np.exp(log_reference), *np.empty((2, game.n)))
    times = record_times(iterations)
    recorded = np.empty((3, times.size, game.n))
    with sign_of_life(f"INPO by regression on {game.n} actions"):
        _run(state, _fit(np.empty((game.n, game.n))), game.arrays, params, pairs, rng, times, *recorded)
    names = ("log_policy", "log_next", "values")
    return Trace(
        "INPO by regression",
        times,
        {name: (("time", "action"), array) for name, array in zip(names, recorded, strict=True)}
        | {"comparisons": (("time",), pairs * times)},
    )
