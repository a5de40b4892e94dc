r"""LOOP with the joint confidence set of tabular value functions, and lazy updates.

A hypothesis is a function Q and a gain J, with V(s) the largest Q of the choices of s. After n visits of choice c with
empirical law :math:`\hat p_c` its empirical gap is

.. math:: \hat W_t(Q, J) = \sum_c n_c \bigl( Q_c + J - r_c - \langle \hat p_c, V \rangle \bigr)^2.

The learner follows the policy that is greedy for an element of :math:`\{\hat W_t \le \beta,\ V \in [0, H]^S\}` with the
largest gain, until its empirical gap reaches :math:`4 \beta`, and plans again. With probability :math:`1 - \delta` the
roots of the empirical gap and of the true one, with the true laws, differ by less than :math:`\sqrt{\beta_0}` for all
hypotheses and times :math:`t \le T`, where

.. math::

   \sqrt{\beta_0} = H \Bigl[ \sqrt{\tfrac{C}{2} \log\bigl(1 + \tfrac{T}{C}\bigr) + S \log \lceil \sqrt T \rceil
   + \log \tfrac1\delta} + 1 \Bigr]

for C choices of S states; and :math:`\beta = 9 \beta_0`.

Paper: :cite:`he2024average`. Departures: the radius, which is explicit here and large enough for each epoch to make
progress; the planner is exact and its work grows with the number of policies, so that this is for small processes.
"""

import math

import numpy as np

from rltheory.algorithms.average_reward.ucrl import confidence, rewards_in_unit_interval
from rltheory.algorithms.average_reward.walk import Notes, Walk
from rltheory.algorithms.sampling import CumulativeLaws, draw
from rltheory.arrays import Vector, positive
from rltheory.jit import kernel
from rltheory.problems.mdp import MDP, Indices
from rltheory.solvers.residuals import JointPlan, ResidualSet, largest_joint_gain
from rltheory.trace import Trace

__all__ = ["joint_concentration", "joint_loop", "trigger_factor"]

FACTOR = 9.0  # radius, in units of the width of concentration


def joint_concentration(states: int, choices: int, horizon: int, span: float, delta: float) -> float:
    r"""Width :math:`\beta_0` within which roots of empirical and true gaps agree.

    Examples
    --------
    >>> round(joint_concentration(2, 4, 100, 1.0, 0.05), 3)
    22.632
    """
    logs = choices / 2 * math.log1p(horizon / choices) + states * math.log(math.ceil(math.sqrt(horizon)))
    return span**2 * (math.sqrt(logs - math.log(delta)) + 1) ** 2


def trigger_factor(trigger: float) -> float:
    """Return the factor of the radius at which an epoch ends; it must be > 1, and may be infinite."""
    if not trigger > 1:
        raise ValueError(f"trigger is {trigger}; it must be > 1, or epochs would be empty")
    return trigger


@kernel
def _walk_until_surprised(
    laws: CumulativeLaws,
    policy: Indices,
    entries: Indices,
    errors: Vector,
    squares: Vector,
    visits: Vector,
    sums: Vector,
    gaps: Vector,
    level: float,
    state: int,
    steps: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Follow a policy for some steps, or until the empirical gap reaches a level.

    `gaps` holds the empirical gap, the true one, and the largest true one before a step so far.
    """
    first_entry, successors, cumulative = laws.first_entry, laws.successors, laws.cumulative
    for step in range(steps):
        if gaps[0] >= level:
            return state, step
        gaps[2] = max(gaps[2], gaps[1])
        choice = policy[state]
        entry = draw(cumulative, first_entry[choice], first_entry[choice + 1], rng)
        entries[entry] += 1
        if visits[choice] > 0.0:
            gaps[0] -= sums[choice] ** 2 / visits[choice]
        visits[choice] += 1.0
        sums[choice] += errors[entry]
        gaps[0] += sums[choice] ** 2 / visits[choice]
        gaps[1] += squares[choice]
        state = successors[entry]
    return state, steps


class _Surprise:
    """An epoch ends when the empirical gap of the hypothesis reaches a level."""

    def __init__(self, walk: Walk, plan: JointPlan, level: float, largest: float) -> None:
        promised = plan.action_values + plan.gain - walk.mdp.rewards
        self._errors = promised[walk.choice_of_entry] - plan.values[walk.laws.successors]
        self._squares = (promised - walk.expected(plan.values)) ** 2
        self._visits = walk.visits.astype(np.float64)
        self._sums = np.add.reduceat(walk.entries * self._errors, walk.laws.first_entry[:-1])
        empirical = float((self._sums**2 / np.maximum(self._visits, 1.0)).sum())
        self._gaps = np.array([empirical, self._visits @ self._squares, largest])
        self._level = level

    def walk(
        self,
        laws: CumulativeLaws,
        policy: Indices,
        entries: Indices,
        state: int,
        steps: int,
        rng: np.random.Generator,
    ) -> tuple[int, int]:
        """Follow the policy."""
        return _walk_until_surprised(
            laws, policy, entries, self._errors, self._squares, self._visits, self._sums, self._gaps, self._level,
            state, steps, rng,
        )  # fmt: skip

    @property
    def largest(self) -> float:
        """Largest true gap of the hypothesis in force before a step, so far."""
        return float(self._gaps[2])

    def notes(self) -> Notes:
        """Empirical gap of the hypothesis, and the largest true gap so far."""
        return {"empirical_gap": ((), float(self._gaps[0])), "largest_gap": ((), self.largest)}


def joint_loop(
    mdp: MDP,
    *,
    horizon: int,
    span: float,
    rng: np.random.Generator,
    delta: float = 0.05,
    scale: float | None = None,
    trigger: float = 4.0,
) -> Trace:
    r"""Run LOOP with the joint confidence set.

    Parameters
    ----------
    mdp
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
        If given, > 0, the radius is the practical :math:`c H^2 \log T` with this c, without guarantee; the trace is
        labelled so. While the set is empty, as it may then be, its radius is doubled.
    trigger
        Factor > 1 of the radius at which the empirical gap ends an epoch, possibly infinite; the guarantee is for 4.

    Returns
    -------
    Trace
        As :meth:`~rltheory.algorithms.Walk.trace` describes, and ``empirical_gap``, of the
        hypothesis in force, and ``largest_gap``, the largest true gap so far of a hypothesis that was in force, before
        its step.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`he2024average`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = joint_loop(river_swim(3), horizon=10_000, span=2.2, scale=0.5, rng=np.random.default_rng(0))
    >>> trace.algorithm, bool(trace.last("gain") > 0.4468), bool(trace.last("epochs") < 20)
    ('joint LOOP, practical radius 0.5 H^2 log T', True, True)
    """
    span, delta, trigger = positive(span, "span"), confidence(delta), trigger_factor(trigger)
    rewards_in_unit_interval(mdp)
    walk = Walk(mdp, horizon, rng)
    name = "joint LOOP"
    if scale is None:
        radius = FACTOR * joint_concentration(mdp.states, mdp.choices, horizon, span, delta)
    else:
        radius = positive(scale, "scale") * span**2 * math.log(max(horizon, 2))
        name += f", practical radius {scale:g} H^2 log T"
    largest = 0.0
    while walk.time < horizon:
        plan, used = _optimistic(walk, radius, span)
        surprise = _Surprise(walk, plan, trigger * used, largest)
        walk.follow(plan, watch=surprise)
        largest = surprise.largest
    return walk.trace(name)


def _optimistic(walk: Walk, radius: float, span: float) -> tuple[JointPlan, float]:
    """Hypothesis of largest gain, and the radius for which there is one."""
    mdp, transitions = walk.mdp, walk.transitions
    while True:
        plan = largest_joint_gain(ResidualSet(mdp.first_choice, mdp.rewards, transitions, radius=radius, span=span))
        if plan is not None:
            return plan, radius
        radius *= 2
