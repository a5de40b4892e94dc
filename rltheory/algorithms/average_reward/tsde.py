r"""Posterior sampling with dynamic episodes (TSDE), for the average reward.

At the start of an epoch the learner draws a law for each choice from its posterior, a Dirichlet distribution with
parameters :math:`\alpha + n_c(s')`, and then follows the policy that is best in the process drawn. An epoch ends when
it is longer by one than the one before, or when a choice is due that was made as often in it as ever before, and once.
In expectation over a prior, regret is of order :math:`\sqrt T`.

Paper: :cite:`ouyang2017`; rewards are known, as there. Departures: an epoch ends before a choice would be made more
than twice as often, and not after; and the policy is best up to a precision :math:`1 / \sqrt t`.
"""

import numpy as np

from rltheory.algorithms.average_reward.walk import Walk
from rltheory.arrays import Array, positive
from rltheory.problems.mdp import MDP
from rltheory.simplex import log_normalize
from rltheory.solvers.optimism import OptimisticPlan, Plausible, extended_value_iteration
from rltheory.trace import Trace

__all__ = ["dirichlet_rows", "tsde"]


def dirichlet_rows(parameters: Array, rng: np.random.Generator) -> Array:
    """Draw a distribution for each row of parameters > 0, however small."""
    # A gamma variate of shape a is one of shape a + 1 times U^(1/a), whose logarithm does not underflow.
    logs = np.log(rng.standard_gamma(parameters + 1)) - rng.standard_exponential(parameters.shape) / parameters
    rows: Array = np.exp(log_normalize(logs))
    return rows


def tsde(mdp: MDP, *, horizon: int, rng: np.random.Generator, prior: float = 1.0) -> Trace:
    r"""Run posterior sampling with dynamic episodes.

    Parameters
    ----------
    mdp
        The process.
    horizon
        Number of steps T >= 1.
    rng
        Source of randomness.
    prior
        Parameter > 0 of the Dirichlet distribution, the same for all states; 1 is the uniform prior.

    Returns
    -------
    Trace
        As :meth:`~rltheory.algorithms.Walk.trace` describes; ``gain`` is that of the process drawn.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    :cite:`ouyang2017`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = tsde(river_swim(3), horizon=10_000, rng=np.random.default_rng(0))
    >>> bool(abs(trace.last("gain") - 0.4468) < 0.05)
    True
    """
    prior = positive(prior, "prior")
    walk = Walk(mdp, horizon, rng)
    no_bonus = np.zeros(mdp.choices)
    plan: OptimisticPlan | None = None
    length = 0
    while walk.time < horizon:
        laws = dirichlet_rows(prior + walk.transitions, rng)
        drawn = Plausible(mdp.first_choice, mdp.rewards, laws, no_bonus, "bonus")
        precision = 1 / np.sqrt(max(walk.time, 1))
        plan = extended_value_iteration(drawn, precision=precision, start=None if plan is None else plan.values)
        walk.follow(plan, longest=length + 1)
        length = walk.time - walk.epoch_began
    return walk.trace("TSDE")
