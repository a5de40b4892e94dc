r"""Optimism with sets of plausible laws: UCRL2, UCRL2B, KL-UCRL and SCAL.

At the start of an epoch, in which no choice is made more often than ever before, the learner follows the policy of
largest gain among all processes whose laws and rewards lie in confidence sets round the empirical ones, found by
extended value iteration (:mod:`rltheory.solvers.optimism`). The algorithms differ in these sets. With n visits of a
choice, :math:`n^+ = \max(n, 1)`, S states, A actions, C choices and time t,

=========  ==========================================================================================================
UCRL2      :math:`\|q - \hat p\|_1 \le \sqrt{14 S \log(2 A t / \delta) / n^+}`
UCRL2B     :math:`|q_s - \hat p_s| \le 2 \sqrt{\hat p_s (1 - \hat p_s) \ell / n^+} + 6 \ell / n^+`,
           :math:`\ell = \log(6 C n^+ / \delta)`
KL-UCRL    :math:`n KL(\hat p \| q) \le S (B + \log B\, (1 + 1 / B))`, :math:`B = \log(2 e S^2 A \log T / \delta)`
SCAL       as UCRL2B, and the span of the value function is at most H
=========  ==========================================================================================================

Departure from the papers: an iteration of the planner moves by 0.9 of a backup, so that it converges for all processes.
"""

import math
from collections.abc import Callable

import numpy as np

from rltheory.algorithms.average_reward.walk import Walk
from rltheory.arrays import Array, Vector, positive
from rltheory.problems.mdp import MDP
from rltheory.solvers.optimism import OptimisticPlan, Plausible, extended_value_iteration
from rltheory.trace import Trace

__all__ = [
    "bernstein_radii",
    "confidence",
    "kl_ucrl",
    "plausible_rewards",
    "rewards_in_unit_interval",
    "scal",
    "ucrl2",
    "ucrl2b",
]

Radii = Callable[[Walk, Array], Array]


def confidence(delta: float) -> float:
    """Return the failure probability, which must lie in (0, 1)."""
    delta = positive(delta, "delta")
    if delta >= 1:
        raise ValueError(f"delta is {delta}; it must lie in (0, 1)")
    return delta


def rewards_in_unit_interval(mdp: MDP) -> None:
    """Raise a ValueError if a reward lies outside [0, 1]."""
    outside = (mdp.rewards < 0) | (mdp.rewards > 1)
    if outside.any():
        choice = int(np.argmax(outside))
        raise ValueError(
            f"the reward of choice {choice}, in state {mdp.state_of_choice[choice]}, is {mdp.rewards[choice]}; "
            f"confidence sets are made for rewards in [0, 1]: scale them"
        )


def most_actions(mdp: MDP) -> int:
    """Largest number of choices of a state."""
    return int(np.diff(mdp.first_choice).max())


def plausible_rewards(walk: Walk, delta: float, bonus: float, known: bool) -> Vector:
    """Largest plausible rewards: they are the same whenever a choice is made, but the learner does not know that."""
    if known:
        return walk.mdp.rewards
    seen = np.where(walk.visits > 0, walk.mdp.rewards, 0.0)
    log = math.log(2 * walk.mdp.choices * max(walk.time, 1) / delta)
    return np.minimum(1.0, seen + bonus * np.sqrt(3.5 * log / np.maximum(walk.visits, 1)))


def _run(
    name: str,
    mdp: MDP,
    horizon: int,
    delta: float,
    rng: np.random.Generator,
    bonus: float,
    known_rewards: bool,
    form: str,
    radii: Radii,
    span: float = np.inf,
) -> Trace:
    delta, bonus = confidence(delta), positive(bonus, "bonus")
    rewards_in_unit_interval(mdp)
    walk = Walk(mdp, horizon, rng)
    plan: OptimisticPlan | None = None
    while walk.time < horizon:
        laws = walk.empirical_laws()
        rewards = plausible_rewards(walk, delta, bonus, known_rewards)
        sets = Plausible(mdp.first_choice, rewards, laws, bonus * radii(walk, laws), form)
        precision = 1 / math.sqrt(max(walk.time, 1))
        plan = extended_value_iteration(
            sets, span=span, precision=precision, start=None if plan is None else plan.values
        )
        walk.follow(plan)
    return walk.trace(name if bonus == 1 else f"{name}, bonus x {bonus:g}")


def ucrl2(
    mdp: MDP,
    *,
    horizon: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
    known_rewards: bool = False,
) -> Trace:
    r"""Run UCRL2.

    Parameters
    ----------
    mdp
        The process; rewards in [0, 1].
    horizon
        Number of steps T >= 1.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) that the confidence sets fail.
    bonus
        Multiplier > 0 of all radii; the paper's guarantee is for 1.
    known_rewards
        Whether the learner knows the rewards, instead of estimating them.

    Returns
    -------
    Trace
        As :meth:`~rltheory.algorithms.Walk.trace` describes.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`jaksch2010`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = ucrl2(river_swim(3), horizon=10_000, rng=np.random.default_rng(0))
    >>> bool(trace.last("gain") > 0.4468)  # optimistic
    True
    """
    actions, states = most_actions(mdp), mdp.states

    def radii(walk: Walk, laws: Array) -> Array:
        log = math.log(2 * actions * max(walk.time, 1) / delta)
        return np.sqrt(14 * states * log / np.maximum(walk.visits, 1))

    return _run("UCRL2", mdp, horizon, delta, rng, bonus, known_rewards, "l1", radii)


def kl_ucrl(
    mdp: MDP,
    *,
    horizon: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
    known_rewards: bool = False,
) -> Trace:
    r"""Run KL-UCRL, whose sets are balls of the Kullback-Leibler divergence. Parameters as in :func:`ucrl2`.

    References
    ----------
    :cite:`filippi2010`, :cite:`talebi2018`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = kl_ucrl(river_swim(3), horizon=10_000, rng=np.random.default_rng(0))
    >>> bool(trace.last("gain") > 0.4468)
    True
    """
    states = mdp.states
    level = math.log(2 * math.e * states**2 * most_actions(mdp) * math.log(max(horizon, 3)) / confidence(delta))
    size = states * (level + math.log(level) * (1 + 1 / level))

    def radii(walk: Walk, laws: Array) -> Array:
        with np.errstate(divide="ignore"):
            return size / walk.visits

    return _run("KL-UCRL", mdp, horizon, delta, rng, bonus, known_rewards, "kl", radii)


def bernstein_radii(mdp: MDP, delta: float) -> Radii:
    """Radii of the boxes of UCRL2B."""

    def radii(walk: Walk, laws: Array) -> Array:
        visits = np.maximum(walk.visits, 1)[:, None]
        log = np.log(6 * mdp.choices * visits / delta)
        return 2 * np.sqrt(laws * (1 - laws) * log / visits) + 6 * log / visits

    return radii


def ucrl2b(
    mdp: MDP,
    *,
    horizon: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
    known_rewards: bool = False,
) -> Trace:
    r"""Run UCRL2B, whose sets are boxes after Bernstein's inequality. Parameters as in :func:`ucrl2`.

    References
    ----------
    :cite:`fruit2020`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = ucrl2b(river_swim(3), horizon=10_000, rng=np.random.default_rng(0))
    >>> bool(trace.last("gain") > 0.4468)
    True
    """
    return _run(
        "UCRL2B", mdp, horizon, delta, rng, bonus, known_rewards, "box", bernstein_radii(mdp, confidence(delta))
    )


def scal(
    mdp: MDP,
    *,
    horizon: int,
    span: float,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
    known_rewards: bool = False,
) -> Trace:
    r"""Run SCAL: the sets of UCRL2B, and value functions of span H at most. Other parameters as in :func:`ucrl2`.

    Parameters
    ----------
    span
        Bound H > 0 on the span; the guarantee is for one that is at least the span of the optimal bias.

    References
    ----------
    :cite:`fruit2018`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = scal(river_swim(3), horizon=10_000, span=2.2, rng=np.random.default_rng(0))
    >>> bool(trace.last("gain") > 0.4468)
    True
    """
    span, sets = positive(span, "span"), bernstein_radii(mdp, confidence(delta))
    return _run("SCAL", mdp, horizon, delta, rng, bonus, known_rewards, "box", sets, span)
