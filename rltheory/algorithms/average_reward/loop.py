r"""LOOP with a bonus for each choice: optimism on the gain over functions of bounded span.

At the start of an epoch the learner maximises the gain J over all functions V with values in [0, H] and

.. math:: V(s) + J \le \max_{c \text{ of } s} \bigl[ r_c + b_c + \langle \hat p_c, V \rangle \bigr], \qquad
   b_c = H \sqrt{\frac{\log(C T / \delta)}{2 n_c}},

where C is the number of choices, :math:`n_c` the visits of one and :math:`\hat p_c` its empirical law; a choice never
made has bonus H + 1. An epoch lasts until a choice is due that was made as often in it as ever before, and once.

This is the confidence set of the paper, an ellipsoid of Bellman residuals, relaxed to a box: residuals of each choice
on their own, and bounded on one side. The set grows, so that optimism remains; and the regret uses nothing but that
side.

Paper: :cite:`he2024average`. Departures: the box, and epochs that end by visits instead of a test of the residuals.
"""

import math

import numpy as np

from rltheory.algorithms.average_reward.ucrl import confidence, rewards_in_unit_interval
from rltheory.algorithms.average_reward.walk import Walk
from rltheory.arrays import positive
from rltheory.problems.mdp import MDP
from rltheory.solvers.optimism import OptimisticPlan, Plausible, extended_value_iteration
from rltheory.trace import Trace

__all__ = ["loop"]


def loop(
    mdp: MDP,
    *,
    horizon: int,
    span: float,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
    known_rewards: bool = True,
    precision: float = 1e-6,
) -> Trace:
    r"""Run LOOP with a bonus for each choice.

    Parameters
    ----------
    mdp
        The process; rewards in [0, 1].
    horizon
        Number of steps T >= 1, which the bonus knows.
    span
        Bound H > 0 on the span of value functions; the guarantee is for one that is at least the span of the optimal
        bias.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) of each of the events that the guarantee excludes.
    bonus
        Multiplier > 0 of the bonus; the guarantee is for 1.
    known_rewards
        Whether the learner knows the rewards; if not, it adds :math:`\sqrt{\log(2 C T / \delta) / (2 n_c)}` to the
        bonus.
    precision
        Largest error > 0 of the optimistic gain.

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
    :cite:`he2024average`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = loop(river_swim(3), horizon=10_000, span=2.2, rng=np.random.default_rng(0))
    >>> bool(trace.last("gain") > 0.4468)
    True
    """
    span, bonus, delta = positive(span, "span"), positive(bonus, "bonus"), confidence(delta)
    rewards_in_unit_interval(mdp)
    walk = Walk(mdp, horizon, rng)
    of_laws = span * math.sqrt(math.log(mdp.choices * horizon / delta) / 2)
    of_rewards = 0.0 if known_rewards else math.sqrt(math.log(2 * mdp.choices * horizon / delta) / 2)
    plan: OptimisticPlan | None = None
    while walk.time < horizon:
        seen = walk.visits > 0
        bonuses = np.where(seen, bonus * (of_laws + of_rewards) / np.sqrt(np.maximum(walk.visits, 1)), span + 1)
        rewards = mdp.rewards if known_rewards else np.where(seen, mdp.rewards, 0.0)
        sets = Plausible(mdp.first_choice, rewards, walk.empirical_laws(), bonuses, "bonus")
        plan = extended_value_iteration(
            sets, span=span, precision=precision, start=None if plan is None else plan.values
        )
        walk.follow(plan)
    return walk.trace("LOOP" if bonus == 1 else f"LOOP, bonus x {bonus:g}")
