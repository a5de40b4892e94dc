r"""LOOP for linear mixtures: value-targeted regression on the weights of known laws.

With :math:`X_i = \bigl( \langle \phi_k(\cdot | c_i), V_i \rangle \bigr)_k`, where :math:`V_i` is the value function in
force at step i, and targets :math:`V_i(s_{i+1})`, the data leave the ellipsoid :math:`\|\theta - \hat\theta\|_\Lambda^2
\le \beta`, :math:`\Lambda = H^2 I + \sum X X^\top`. If :math:`\|\theta^*\| \le 1`, and base laws are laws, it contains
:math:`\theta^*` at all times with probability :math:`1 - \delta` for

.. math:: \beta \ge \beta_0, \qquad
   \sqrt{\beta_0} = \frac{H}{2} \sqrt{2 \log \tfrac1\delta + d \log(1 + T)} + H.

Two planners. `mixture_loop` takes the most optimistic of finitely many weights in the ellipsoid, radius :math:`9
\beta_0`, until its empirical gap reaches four times that. `rectangular_mixture_loop` lets each choice have weights of
its own on the simplex, radius :math:`\beta_0`, by extended value iteration, until the determinant of :math:`\Lambda`
has doubled.

Paper: :cite:`he2024average`; the second planner as in UCRL2-VTR, :cite:`wu2022nearly`. Departures: explicit radii.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.average_reward.ellipsoid import EllipsoidWatch
from rltheory.algorithms.average_reward.joint_loop import FACTOR, trigger_factor
from rltheory.algorithms.average_reward.ucrl import confidence, rewards_in_unit_interval
from rltheory.algorithms.average_reward.walk import Plan, Walk
from rltheory.arrays import Array, Matrix, Vector, float_array, positive
from rltheory.problems import LinearMixtureMDP
from rltheory.solvers.mixtures import WeightSet, optimistic_mixture_plan
from rltheory.solvers.model_class import ModelClass
from rltheory.trace import Trace

__all__ = ["mixture_concentration", "mixture_loop", "rectangular_mixture_loop"]


def mixture_concentration(dimension: int, horizon: int, span: float, delta: float) -> float:
    r"""Width :math:`\beta_0` of the ellipsoid.

    Examples
    --------
    >>> round(mixture_concentration(2, 100, 1.0, 0.05), 3)
    8.707
    """
    return span**2 * (math.sqrt(2 * math.log(1 / delta) + dimension * math.log1p(horizon)) / 2 + 1) ** 2


class _Regression:
    """What steps say of the weights, with the value functions that were in force."""

    def __init__(self, problem: LinearMixtureMDP, walk: Walk, span: float) -> None:
        allowed = problem.tabular
        self.laws: Array = np.moveaxis(problem.features, 0, -2).reshape(
            allowed.choices, problem.dimension, allowed.states
        )
        self.truth, self._walk = problem.weights, walk
        self.matrix: Matrix = np.diag(np.full(problem.dimension, span**2))
        self._moment = np.zeros(problem.dimension)
        self.largest = 0.0

    @property
    def estimate(self) -> Vector:
        """Ridge estimate of the weights."""
        return np.asarray(np.linalg.solve(self.matrix, self._moment), dtype=np.float64)

    def follow(self, plan: Plan, weights: Vector, *, level: float = np.inf, growth: float = np.inf) -> None:
        """Follow a plan for an epoch; the weights are those of which the gaps are recorded."""
        walk, features = self._walk, self.laws @ plan.values
        targets, before = plan.values[walk.laws.successors], walk.entries.copy()
        away = weights - self.truth
        watch = EllipsoidWatch(
            features=features,
            errors=(features @ weights)[walk.choice_of_entry] - targets,
            squares=(features @ away) ** 2,
            matrix=self.matrix,
            pull=self.matrix @ weights - self._moment,
            true_gap=float(away @ self.matrix @ away),
            largest=self.largest,
            level=level,
            growth=growth,
        )
        walk.follow(plan, watch=watch)
        moves = walk.entries - before
        made = np.add.reduceat(moves, walk.laws.first_entry[:-1])
        self.matrix = self.matrix + (features.T * made) @ features
        self._moment = self._moment + (moves * targets) @ features[walk.choice_of_entry]
        self.largest = watch.largest


def mixture_loop(
    problem: LinearMixtureMDP,
    weights: ArrayLike,
    models: ModelClass,
    *,
    horizon: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    scale: float = 1.0,
    trigger: float = 4.0,
) -> Trace:
    r"""Run LOOP on a linear mixture, with finitely many weights.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    weights : array_like, shape (M, d)
        The weights considered; the guarantee is for a class that contains those of the process, of norm <= 1.
    models
        The processes with these weights, solved; H is the largest span of an optimal bias among them.
    horizon
        Number of steps T >= 1, which the radius knows.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) that the confidence set fails.
    scale
        Multiplier > 0 of the radius; the guarantee is for 1. If the set holds none of the weights, its radius grows to
        the nearest ones.
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
        If shapes do not fit, a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`he2024average`

    Examples
    --------
    >>> from rltheory.problems import LinearMixtureMDP
    >>> bases = [np.eye(2)[:, None], np.eye(2)[::-1, None]]
    >>> weights = [[1 - x, x] for x in (0.1, 0.3, 0.5)]
    >>> problems = [LinearMixtureMDP(bases, w, [[0], [1]]) for w in weights]
    >>> models = ModelClass([problem.tabular for problem in problems])
    >>> trace = mixture_loop(problems[1], weights, models, horizon=1000, rng=np.random.default_rng(0))
    >>> round(float(trace.last("gain")), 6)
    0.5
    """
    members = float_array(weights, "weights", ndim=2)
    if members.shape != (models.size, problem.dimension):
        raise ValueError(
            f"weights has shape {members.shape}; for {models.size} models of dimension {problem.dimension} it must be "
            f"{(models.size, problem.dimension)}"
        )
    delta, scale, trigger = confidence(delta), positive(scale, "scale"), trigger_factor(trigger)
    rewards_in_unit_interval(problem.tabular)
    walk, span = Walk(problem.tabular, horizon, rng), models.span
    regression = _Regression(problem, walk, span)
    radius = scale * FACTOR * mixture_concentration(problem.dimension, horizon, span, delta)
    gains = models.gains
    while walk.time < horizon:
        away = members - regression.estimate
        gaps = np.einsum("mi,ij,mj->m", away, regression.matrix, away)
        used = max(radius, float(gaps.min()))
        best = int(np.argmax(np.where(gaps <= used, gains, -np.inf)))
        regression.follow(models.models[best], members[best], level=trigger * used)
    return walk.trace("mixture LOOP" if scale == 1 else f"mixture LOOP, radius x {scale:g}")


def rectangular_mixture_loop(
    problem: LinearMixtureMDP,
    *,
    horizon: int,
    span: float,
    rng: np.random.Generator,
    delta: float = 0.05,
    scale: float = 1.0,
    precision: float = 1e-6,
) -> Trace:
    r"""Run LOOP on a linear mixture, where the planner lets each choice have weights of its own.

    Parameters
    ----------
    problem
        The process, a mixture of laws; rewards in [0, 1].
    horizon
        Number of steps T >= 1, which the radius knows.
    span
        Bound H > 0 on the span of value functions.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) that the confidence set fails.
    scale
        Multiplier > 0 of the squared radius :math:`\beta_0`.
    precision
        Largest error > 0 of the optimistic gain.

    Returns
    -------
    Trace
        As :meth:`~rltheory.algorithms.Walk.trace` describes, with the gaps of the estimate at the
        start of the epoch.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`wu2022nearly`

    Examples
    --------
    >>> from rltheory.problems import LinearMixtureMDP
    >>> bases = [np.eye(2)[:, None], np.eye(2)[::-1, None]]
    >>> problem = LinearMixtureMDP(bases, [0.7, 0.3], [[0], [1]])
    >>> trace = rectangular_mixture_loop(problem, horizon=1000, span=5.0, rng=np.random.default_rng(0))
    >>> bool(trace.last("gain") > 0.5)
    True
    """
    span, delta, scale = positive(span, "span"), confidence(delta), positive(scale, "scale")
    mdp = problem.tabular
    rewards_in_unit_interval(mdp)
    walk = Walk(mdp, horizon, rng)
    regression = _Regression(problem, walk, span)
    radius = scale * mixture_concentration(problem.dimension, horizon, span, delta)
    start: Vector | None = None
    while walk.time < horizon:
        estimate = regression.estimate
        plausible = WeightSet.on_simplex(regression.matrix, estimate, radius)
        plan = optimistic_mixture_plan(
            mdp.first_choice, mdp.rewards, regression.laws, plausible, span=span, precision=precision, start=start
        )
        start = plan.values
        regression.follow(plan, estimate, growth=2.0)
    return walk.trace("mixture LOOP, rectangular" if scale == 1 else f"mixture LOOP, rectangular, radius x {scale:g}")
