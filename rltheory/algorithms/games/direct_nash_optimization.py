r"""Direct Nash optimisation: the next policy is a logistic regression on labelled pairs.

.. math::
   \pi_{t+1} = \mathrm{arg\,max}_\pi \sum_{i=1}^N \log \sigma\bigl(\Delta_\pi(y_i, y'_i)\bigr), \qquad
   \Delta_\pi(y, y') = \eta \log \frac{\pi(y)}{\pi_t(y)} - \eta \log \frac{\pi(y')}{\pi_t(y')}

The sum is over pairs, both actions of which are drawn from a sampling law, and which a label has put in order: y before
y' with probability :math:`\sigma(r(y) - r(y'))`, where :math:`r = P \pi_t`. From all pairs in their proportions the
regression finds the exact update :math:`\pi_t e^{r / \eta}`, up to the constant: Hedge with rate :math:`1 / \eta`.

Paper: :cite:`rosset2024`. Departures: labels are drawn, where the paper weighs both by their probabilities; the class
of policies is a table, :math:`\pi \propto \pi_t e^{f / \eta}` with scores f in a box, in which a maximiser exists
whatever the labels; win rates are centred, which moves only constants.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Matrix, Vector, count, positive
from rltheory.problems import PreferenceGame
from rltheory.progress import sign_of_life
from rltheory.simplex import log_distribution, log_normalize
from rltheory.trace import Trace

__all__ = ["SAMPLING", "direct_nash_optimization", "draw_labels", "exact_update", "fit_scores", "sampling_law"]

SAMPLING = ("policy", "uniform", "target")


def exact_update(log_policy: Array, values: Array, inverse_rate: float) -> Array:
    r"""Logarithm of :math:`\pi_+ \propto \pi\, e^{r / \eta}`, shape (..., n)."""
    return log_normalize(log_policy + values / inverse_rate)


def sampling_law(sampling: str, log_policy: Array, log_target: Array) -> Array:
    """Law of either action of a pair: that of the policy, the uniform one, or that of the exact update.

    Raises
    ------
    ValueError
        If `sampling` is not one of `SAMPLING`.
    """
    if sampling not in SAMPLING:
        raise ValueError(f"sampling is {sampling!r}; it must be one of {', '.join(map(repr, SAMPLING))}")
    uniform = np.full(log_policy.shape, 1 / log_policy.shape[-1])
    return {"policy": np.exp(log_policy), "uniform": uniform, "target": np.exp(log_target)}[sampling]


def draw_labels(law: Vector, values: Vector, pairs: int, rng: np.random.Generator) -> Matrix:
    r"""Draw pairs of actions, and for each a label that puts a before b with probability :math:`\sigma(r_a - r_b)`.

    Parameters
    ----------
    law : array, shape (n,)
        Distribution of either action.
    values : array, shape (n,)
        Win rates r, up to a constant.
    pairs
        Number of pairs.
    rng
        Source of randomness.

    Returns
    -------
    array, shape (n, n)
        At [a, b] the number of pairs whose label puts a before b; a pair of equals tells nothing.

    Examples
    --------
    >>> draw_labels(np.array([0.5, 0.5]), np.array([9.0, 0.0]), 100, np.random.default_rng(0)).sum()
    np.float64(100.0)
    """
    drawn = rng.multinomial(pairs, np.outer(law, law).ravel()).reshape(law.size, law.size)
    first = rng.binomial(drawn, np.exp(-np.logaddexp(0.0, values - values[:, None])))
    labels: Matrix = (first + (drawn - first).T).astype(np.float64)
    return labels


def fit_scores(labels: Matrix, width: float = 1.0) -> Vector:
    r"""Scores f in a box that maximise the likelihood :math:`\prod_{ab} \sigma(f_a - f_b)^{k_{ab}}` of labels.

    Labels say nothing of scores that no chain of pairs connects. There the scores stay at a tie on average, each
    weighted by how often it is compared, unless the box cuts one; an action that no pair compares with another stays
    at a tie itself.

    Parameters
    ----------
    labels : array, shape (n, n)
        Numbers :math:`k_{ab} \ge 0` of labels that put a before b, or weights in proportion to them.
    width
        Width > 0 of the box: scores lie between -width / 2 and width / 2, a tie being at 0.

    Returns
    -------
    array, shape (n,)
        The scores. Where the search stops, the average loss is within rounding of the smallest.

    Examples
    --------
    >>> fit_scores(np.array([[0, 6, 0], [4, 0, 0], [0, 0, 0]])).round(4)
    array([ 0.2027, -0.2027,  0.    ])
    """
    from scipy.optimize import minimize

    weights = labels / max(labels.sum(), 1.0)
    compared = weights.sum(axis=0) + weights.sum(axis=1) - 2 * weights.diagonal()
    # In units of these the loss is about equally curved in all directions, however rare some actions are.
    unit = 1 / np.sqrt(np.where(compared > 0, compared, 1.0))

    def loss(at: Vector) -> tuple[float, Vector]:
        scores = unit * at
        surprise = np.logaddexp(0.0, scores - scores[:, None])
        pull = -weights * np.expm1(-surprise)
        return float((weights * surprise).sum()), unit * (pull.sum(axis=0) - pull.sum(axis=1))

    box = np.outer(width / 2 / unit, [-1.0, 1.0])
    search = {"ftol": 0.0, "gtol": 1e-10}
    found = minimize(loss, np.zeros(unit.size), jac=True, method="L-BFGS-B", bounds=box, options=search)
    scores: Vector = unit * found.x
    return scores


def direct_nash_optimization(
    game: PreferenceGame,
    *,
    inverse_rate: float,
    iterations: int,
    pairs: int,
    rng: np.random.Generator,
    sampling: str = "policy",
    width: float = 1.0,
    start: ArrayLike | None = None,
) -> Trace:
    r"""Run direct Nash optimisation with finitely many labelled pairs in each iteration.

    Parameters
    ----------
    game
        The game, n actions.
    inverse_rate
        The paper's :math:`\eta > 0`, in units of payoff: larger is slower.
    iterations
        Last recorded time, >= 0; every time is recorded.
    pairs
        Labelled pairs N >= 1 in each iteration.
    rng
        Source of randomness.
    sampling
        What the actions of a pair are drawn from: ``"policy"``, the current policy; ``"uniform"``; or ``"target"``, the
        exact update, which is out of reach in practice.
    width
        Width > 0 of the box of scores, in units of payoff. The exact update is in the class if the win rates against
        the policy differ by no more; they never differ by more than 1.
    start : array_like, shape (n,), optional
        First policy with full support; uniform by default.

    Returns
    -------
    Trace
        At each time t, ``log_policy``, ``log_next``, ``log_target`` and ``mean``, of shape (time, action): the
        logarithms of the policies of iterations t and t + 1 and of the exact update of the former, and the average of
        the policies of iterations 0 to t; ``labels``, shape (time, action, action), as described at
        :func:`draw_labels`, from which the next policy is fitted by :func:`fit_scores`; and ``pairs``, the number of
        pairs spent to reach the policy of iteration t.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, the sampling is unknown, or the start is not a distribution with full support.

    References
    ----------
    :cite:`rosset2024`

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])
    >>> rng = np.random.default_rng(0)
    >>> trace = direct_nash_optimization(game, inverse_rate=5.0, iterations=100, pairs=100, rng=rng)
    >>> abs(trace.last("mean") - 1 / 3).max() < 0.1
    np.True_
    """
    # This library is loaded lazily; it has to be there before its threads can be limited.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    inverse_rate, width = positive(inverse_rate, "inverse_rate"), positive(width, "width")
    iterations, pairs = count(iterations, "iterations"), count(pairs, "pairs", at_least=1)
    log_policies = [log_distribution(start, game.n, "start")]
    log_targets, labels = [], []
    # BLAS threads wait for one another longer than the regression of a small table takes.
    with sign_of_life(f"direct Nash optimisation on {game.n} actions"), threadpool_limits(1, user_api="blas"):
        for _ in range(iterations + 1):
            log_policy = log_policies[-1]
            values = game.payoff @ np.exp(log_policy)
            log_targets.append(exact_update(log_policy, values, inverse_rate))
            labels.append(draw_labels(sampling_law(sampling, log_policy, log_targets[-1]), values, pairs, rng))
            log_policies.append(exact_update(log_policy, fit_scores(labels[-1], width), inverse_rate))
    times, policies = np.arange(iterations + 1), np.array(log_policies)
    means = np.cumsum(np.exp(policies[:-1]), axis=0) / (times + 1)[:, None]
    recorded = {
        "log_policy": policies[:-1],
        "log_next": policies[1:],
        "log_target": np.array(log_targets),
        "mean": means,
    }
    return Trace(
        "direct Nash optimisation",
        times,
        {name: (("time", "action"), array) for name, array in recorded.items()}
        | {"labels": (("time", "action", "action"), np.array(labels)), "pairs": (("time",), pairs * times)},
    )
