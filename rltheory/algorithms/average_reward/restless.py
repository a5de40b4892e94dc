"""Everybody who learns without restarts, ready to run."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from rltheory.algorithms.average_reward.loop import loop
from rltheory.algorithms.average_reward.lscvi_ucb import lscvi_ucb
from rltheory.algorithms.average_reward.oomd import mdp_oomd
from rltheory.algorithms.average_reward.optimistic_q_learning import optimistic_q_learning
from rltheory.algorithms.average_reward.pmevi import pmevi_dt
from rltheory.algorithms.average_reward.tsde import tsde
from rltheory.algorithms.average_reward.ucrl import kl_ucrl, scal, ucrl2, ucrl2b
from rltheory.problems import LinearMDP, TabularMDP
from rltheory.trace import Trace

__all__ = ["average_reward_learners"]

WINDOW, LENGTH, RATE = 10, 100, 0.1  # of mirror descent, for processes that mix in some ten steps


def average_reward_learners(
    mdp: TabularMDP, *, horizon: int, span: float, delta: float = 0.05, bonus: float = 1.0
) -> dict[str, Callable[[np.random.Generator], Trace]]:
    """All learners for the average reward, each with the same process and confidence; they know the rewards.

    Parameters
    ----------
    mdp
        The process; rewards in [0, 1].
    horizon
        Number of steps T >= 1.
    span
        Bound > 0 on the span of the optimal bias, for those who need one.
    delta
        Probability in (0, 1) of the events that guarantees exclude, for those who have them.
    bonus
        Multiplier > 0 of bonuses and confidence radii, for those who have them. If it is not 1, their names say so.

    Returns
    -------
    dict
        For each name what runs the learner, given a source of randomness: UCRL2, UCRL2B, KL-UCRL, SCAL, PMEVI-DT, LOOP,
        optimistic Q-learning, LSCVI-UCB if all states have as many choices, TSDE with a uniform prior, and MDP-OOMD
        with episodes of 100 steps.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> learners = average_reward_learners(river_swim(3), horizon=100, span=2.2, bonus=0.1)
    >>> list(learners)[5:]
    ['LOOP, bonus x 0.1', 'optimistic Q-learning, bonus x 0.1', 'LSCVI-UCB, bonus x 0.1', 'TSDE', 'MDP-OOMD']
    >>> learners["TSDE"](np.random.default_rng(0)).algorithm
    'TSDE'
    """
    confident: dict[str, Any] = {"horizon": horizon, "delta": delta, "bonus": bonus}
    known = confident | {"known_rewards": True}
    optimists: dict[str, Callable[..., Trace]] = {
        "UCRL2": partial(ucrl2, mdp, **known),
        "UCRL2B": partial(ucrl2b, mdp, **known),
        "KL-UCRL": partial(kl_ucrl, mdp, **known),
        "SCAL": partial(scal, mdp, span=span, **known),
        "PMEVI-DT": partial(pmevi_dt, mdp, **known),
        "LOOP": partial(loop, mdp, span=span, **known),
        "optimistic Q-learning": partial(optimistic_q_learning, mdp, span=span, **confident),
    }
    if not np.ptp(np.diff(mdp.first_choice)):
        optimists["LSCVI-UCB"] = partial(lscvi_ucb, LinearMDP.from_tabular(mdp), span=span, **confident)
    suffix = "" if bonus == 1 else f", bonus x {bonus:g}"
    learners = {name + suffix: learner for name, learner in optimists.items()}
    learners["TSDE"] = partial(tsde, mdp, horizon=horizon)
    learners["MDP-OOMD"] = partial(mdp_oomd, mdp, horizon=horizon, window=WINDOW, length=LENGTH, rate=RATE)
    return {name: _given_randomness(learner) for name, learner in learners.items()}


def _given_randomness(learner: Callable[..., Trace]) -> Callable[[np.random.Generator], Trace]:
    return lambda rng: learner(rng=rng)
