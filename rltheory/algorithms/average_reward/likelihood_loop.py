r"""MLE-LOOP over a finite class of models: follow the most optimistic one that data have not ruled out.

With :math:`L_t(f) = -\sum_{i \le t} \log P_f(s_{i+1} | c_i)` a model is ruled out, for good, once :math:`L_t(f) >
\min_g L_t(g) + b`, the least being over all M models and :math:`b = \log(M / \delta)`. The learner follows the optimal
policy of the model with the largest gain among those left, until that model is ruled out. If none is left, which has
probability :math:`\delta` at most if the class contains the process, it forgets the data and starts again.

Paper: :cite:`he2024average`. Departures: the class is finite, its radius explicit, and what is ruled out remains so.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rltheory.algorithms.average_reward.ucrl import confidence, rewards_in_unit_interval
from rltheory.algorithms.average_reward.walk import Notes, Walk
from rltheory.algorithms.sampling import CumulativeLaws, draw
from rltheory.arrays import Matrix, Vector, positive
from rltheory.jit import kernel
from rltheory.problems.mdp import MDP, Indices
from rltheory.solvers.model_class import ModelClass
from rltheory.trace import Trace

__all__ = ["likelihood_loop"]


@kernel
def _walk_until_ruled_out(
    laws: CumulativeLaws,
    policy: Indices,
    entries: Indices,
    logs: Matrix,
    likelihoods: Vector,
    shortfalls: Vector,
    left: NDArray[np.bool_],
    followed: int,
    level: float,
    state: int,
    steps: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Follow a policy for some steps, or until the model followed is ruled out."""
    first_entry, successors, cumulative = laws.first_entry, laws.successors, laws.cumulative
    for step in range(steps):
        if not left[followed]:
            return state, step
        choice = policy[state]
        entry = draw(cumulative, first_entry[choice], first_entry[choice + 1], rng)
        entries[entry] += 1
        top = -np.inf
        for m in range(likelihoods.size):
            likelihoods[m] += logs[entry, m]
            top = max(top, likelihoods[m])
        for m in range(likelihoods.size):
            shortfalls[m] = max(shortfalls[m], top - likelihoods[m])
            left[m] = left[m] and likelihoods[m] >= top - level
        state = successors[entry]
    return state, steps


class _Elimination:
    """An epoch ends when the model followed is ruled out."""

    def __init__(self, logs: Matrix, level: float) -> None:
        self._logs, self._level = logs, level
        self._likelihoods, self._shortfalls = np.zeros(logs.shape[1]), np.zeros(logs.shape[1])
        self.left = np.ones(logs.shape[1], np.bool_)
        self.followed = 0

    def choose(self, gains: Vector) -> int:
        """Pick the model of largest gain among those left; of all, without data, if there is none."""
        if not self.left.any():
            self._likelihoods[:] = 0.0
            self.left[:] = True
        self.followed = int(np.argmax(np.where(self.left, gains, -np.inf)))
        return self.followed

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
        return _walk_until_ruled_out(
            laws, policy, entries, self._logs, self._likelihoods, self._shortfalls, self.left, self.followed,
            self._level, state, steps, rng,
        )  # fmt: skip

    def notes(self) -> Notes:
        """Which models are left, and the largest shortfalls of likelihoods so far."""
        return {"left": (("model",), self.left.astype(np.float64)), "shortfall": (("model",), self._shortfalls)}


def likelihood_loop(
    mdp: MDP,
    models: ModelClass,
    *,
    horizon: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    level: float = 1.0,
) -> Trace:
    r"""Run MLE-LOOP over a finite class of models.

    Parameters
    ----------
    mdp
        The process, with the choices and rewards of the models; rewards in [0, 1].
    models
        The class; the guarantee is for one that contains the process.
    horizon
        Number of steps T >= 1.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) of each of the events that the guarantee excludes.
    level
        Multiplier > 0 of :math:`b = \log(M / \delta)`; the guarantee is for 1.

    Returns
    -------
    Trace
        As :meth:`~rltheory.algorithms.Walk.trace` describes, and, shape (time, model), ``left``, 1
        for models that have not been ruled out and 0 for others, and ``shortfall``, the most that the logarithm of a
        model's likelihood has been below the largest one so far.

    Raises
    ------
    ValueError, TypeError
        If choices or rewards differ, a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`he2024average`

    Examples
    --------
    >>> from rltheory.instances import random_ergodic_mdp
    >>> from rltheory.problems import TabularMDP
    >>> rewards = np.eye(2)
    >>> laws = [np.random.default_rng(seed).dirichlet([1, 1], size=(2, 2)) for seed in range(5)]
    >>> models = ModelClass([TabularMDP(law, rewards) for law in laws])
    >>> trace = likelihood_loop(models.processes[3], models, horizon=1000, rng=np.random.default_rng(0))
    >>> bool(trace.last("left")[3]), bool(trace.last("epochs") <= 5)
    (True, True)
    """
    delta, level = confidence(delta), positive(level, "level")
    rewards_in_unit_interval(mdp)
    first = models.processes[0]
    if not (np.array_equal(mdp.first_choice, first.first_choice) and np.array_equal(mdp.rewards, first.rewards)):
        raise ValueError("the process has other choices or rewards than the models; only laws may differ")
    walk = Walk(mdp, horizon, rng)
    places = walk.choice_of_entry, walk.laws.successors
    with np.errstate(divide="ignore"):
        logs = np.log([models.laws(member)[places] for member in range(models.size)]).T
    elimination = _Elimination(np.ascontiguousarray(logs), level * math.log(models.size / delta))
    while walk.time < horizon:
        walk.follow(models.models[elimination.choose(models.gains)], watch=elimination)
    return walk.trace("MLE-LOOP" if level == 1 else f"MLE-LOOP, level x {level:g}")
