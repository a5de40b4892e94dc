r"""LOOP with linear action values, and lazy updates.

A hypothesis is a vector of weights w and a gain J. Its empirical gap is :math:`\|w - \hat w(w, J)\|_\Lambda^2`, with
:math:`\Lambda = I + \sum \phi \phi^\top` and the estimate of :mod:`~rltheory.solvers.linear_residuals`. The learner
follows the greedy policy of one with gap :math:`\le \beta` and largest gain, until its gap reaches :math:`4 \beta`.
With probability :math:`1 - \delta` the roots of empirical and true gaps differ by :math:`\sqrt{\beta_0}` at most, where
:math:`R = (H + 2) \sqrt d` bounds the weights and

.. math::

   \sqrt{\beta_0} = \frac H2 \sqrt{2 \log \tfrac1\delta + 2 d \log\bigl(1 + 4 R \sqrt T / H\bigr) + d \log\bigl(1 +
   \tfrac Td\bigr)} + R + H;

and :math:`\beta = 9 \beta_0`, with the norms of :class:`~rltheory.problems.LinearMDP`.

Paper: :cite:`he2024average`. Departures: the radius, as in :mod:`~rltheory.algorithms.average_reward.joint_loop`.
"""

import math

import numpy as np

from rltheory.algorithms.average_reward.ellipsoid import EllipsoidWatch
from rltheory.algorithms.average_reward.joint_loop import FACTOR, trigger_factor
from rltheory.algorithms.average_reward.ucrl import confidence, rewards_in_unit_interval
from rltheory.algorithms.average_reward.walk import Walk
from rltheory.arrays import positive
from rltheory.problems import LinearMDP
from rltheory.solvers.linear_residuals import LinearPlanner
from rltheory.trace import Trace

__all__ = ["linear_concentration", "linear_loop"]


def linear_concentration(dimension: int, horizon: int, span: float, delta: float) -> float:
    r"""Width :math:`\beta_0` within which roots of empirical and true gaps agree.

    Examples
    --------
    >>> round(linear_concentration(2, 100, 1.0, 0.05), 3)
    66.845
    """
    norm = (span + 2) * math.sqrt(dimension)
    logs = 2 * math.log(1 / delta) + 2 * dimension * math.log1p(4 * norm * math.sqrt(horizon) / span)
    return (span / 2 * math.sqrt(logs + dimension * math.log1p(horizon / dimension)) + norm + span) ** 2


def linear_loop(
    problem: LinearMDP,
    *,
    horizon: int,
    span: float,
    rng: np.random.Generator,
    delta: float = 0.05,
    scale: float = 1.0,
    trigger: float = 4.0,
) -> Trace:
    r"""Run LOOP with linear action values.

    Parameters
    ----------
    problem
        The process; known rewards in [0, 1], and few policies.
    horizon
        Number of steps T >= 1, which the radius knows.
    span
        Bound H > 0 on the values; the guarantee is for one that is at least the span of the optimal bias.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) that the confidence set fails.
    scale
        Multiplier > 0 of the radius; the guarantee is for 1. While the set is empty its radius is doubled.
    trigger
        Factor > 1 of the radius at which the empirical gap ends an epoch, possibly infinite; the guarantee is for 4.

    Returns
    -------
    Trace
        As :meth:`~rltheory.algorithms.Walk.trace` describes, with ``empirical_gap`` and
        ``largest_gap`` as in :func:`~rltheory.algorithms.joint_loop`.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`he2024average`

    Examples
    --------
    >>> problem = LinearMDP(np.eye(2)[:, None], [[0.5, 0.5], [0.5, 0.5]], [0, 1])
    >>> trace = linear_loop(problem, horizon=100, span=1.0, rng=np.random.default_rng(0))
    >>> round(float(trace.last("gain")), 6), int(trace.last("epochs"))
    (1.0, 1)
    """
    span, delta = positive(span, "span"), confidence(delta)
    scale, trigger = positive(scale, "scale"), trigger_factor(trigger)
    mdp, dimension = problem.tabular, problem.dimension
    rewards_in_unit_interval(mdp)
    ones = problem.measures.sum(axis=1)  # their product with all features is 1, as laws sum to 1
    walk = Walk(mdp, horizon, rng)
    planner = LinearPlanner(problem, span=span, norm=(span + 2) * math.sqrt(dimension))
    features = planner.features
    radius = scale * FACTOR * linear_concentration(dimension, horizon, span, delta)
    largest = 0.0
    while walk.time < horizon:
        transitions, used = walk.transitions, radius
        matrix = np.eye(dimension) + (features.T * walk.visits) @ features
        plan = planner.plan(transitions, matrix, radius=used)
        while plan is None:
            used *= 2
            plan = planner.plan(transitions, matrix, radius=used)
        promised = features @ plan.weights + plan.gain - mdp.rewards
        errors = promised[walk.choice_of_entry] - plan.values[walk.laws.successors]
        away = plan.weights - problem.weights - problem.measures @ plan.values + plan.gain * ones
        watch = EllipsoidWatch(
            features=features,
            errors=errors,
            squares=(features @ away) ** 2,
            matrix=matrix,
            pull=plan.weights + (walk.entries * errors) @ features[walk.choice_of_entry],
            true_gap=float(away @ matrix @ away),
            largest=largest,
            level=trigger * used,
        )
        walk.follow(plan, watch=watch)
        largest = watch.largest
    return walk.trace("linear LOOP" if scale == 1 else f"linear LOOP, radius x {scale:g}")
