r"""PMEVI-DT: optimism that learns how far the bias varies, and needs no bound on its span.

Between the first visit to s and the next one to s', the rewards exceed the gain by :math:`h^*(s) - h^*(s')` in
expectation, if choices are optimal. The run is cut into such commutes, there and back, for each pair of states; with
the average reward so far, :math:`\hat g`, in place of the gain, n commutes give the estimate

.. math:: c(s, s') = \frac1n \Bigl[ \sum_{s \to s'} (r_t - \hat g) - \sum_{s' \to s} (r_t - \hat g) \Bigr], \qquad
   |h^*(s) - h^*(s') - c(s, s')| \le e(s, s') =
   \frac{3 c_0 + (1 + c_0) \sqrt{8 t \log(2 / \delta)} + 2 \sum_k \sum_t (\tilde g_k - r_t)}{n},

where :math:`c_0 = T^{1/5}` is taken for a bound on the span, and :math:`\tilde g_k` are the gains that the plans so far
promised. At the start of an epoch the learner plans by extended value iteration
(:mod:`rltheory.solvers.optimism`) that is *projected* to functions with these differences, and *mitigated*: no mean
exceeds the estimated one by more than

.. math:: \beta_c = \sqrt{\frac{2 \ell}{n_c} \Bigl[ \mathrm{Var}_{\hat p_c}(h_0)
   + 8 c_0 \sum_{s'} \hat p_c(s')\, e(s', s) \Bigr]} + \frac{3 c_0 \ell}{n_c}, \qquad \ell = \log \frac{C T}{\delta},

with :math:`h_0` the projection of :math:`c(\cdot, s_0)`, C choices and :math:`n_c` visits of one. The confidence sets
are those of UCRL2B. An epoch lasts until a choice is due that was made as often in it as ever before, and once. Regret
is of order :math:`\sqrt{\mathrm{sp}(h^*) S A T}`.

Paper: :cite:`boone2024`. All constants are recalled, as is the form of e and :math:`\beta`. Departures: estimates are
the same for (s, s') and (s', s) up to the sign; if the bounds on the differences contradict each other, which has a
small probability, the span alone is bounded.
"""

import math
from typing import NamedTuple

import numpy as np

from rltheory.algorithms.average_reward.ucrl import (
    bernstein_radii,
    confidence,
    plausible_rewards,
    rewards_in_unit_interval,
)
from rltheory.algorithms.average_reward.walk import Notes, Plan, Walk, Watch
from rltheory.algorithms.sampling import CumulativeLaws, draw
from rltheory.arrays import Array, Matrix, Vector, positive
from rltheory.jit import kernel
from rltheory.problems.mdp import MDP, Indices
from rltheory.solvers.optimism import OptimisticPlan, Plausible, extended_value_iteration, tightest_differences
from rltheory.trace import Trace

__all__ = ["Commutes", "CommutingWalk", "pmevi_dt"]


class Commutes(NamedTuple):
    """Ways between states: the row is the state to which one leads, the column that from which."""

    since: Indices  # (S, S), time at which the way under way began, -1 if there is none
    before: Matrix  # (S, S), sum of rewards until then
    completed: Matrix  # (S, S), number of ways that came to their end
    durations: Matrix  # (S, S), their steps in all
    earned: Matrix  # (S, S), their rewards in all


@kernel
def _arrive(commutes: Commutes, state: int, time: int, total: float) -> None:
    """End all ways to a state, and begin those from it that are not under way."""
    since, before, completed, durations, earned = commutes
    for other in range(since.shape[0]):
        if other == state:
            continue
        if since[state, other] >= 0:
            completed[state, other] += 1.0
            durations[state, other] += time - since[state, other]
            earned[state, other] += total - before[state, other]
            since[state, other] = -1
        if since[other, state] < 0:
            since[other, state] = time
            before[other, state] = total


@kernel
def _walk_and_commute(
    laws: CumulativeLaws,
    rewards: Vector,
    policy: Indices,
    allowance: Indices,
    entries: Indices,
    commutes: Commutes,
    state: int,
    time: int,
    total: float,
    steps: int,
    rng: np.random.Generator,
) -> tuple[int, int, float]:
    """Follow a policy as a walk does, and keep account of commutes; return the state, the steps and all rewards."""
    first_entry, successors, cumulative = laws.first_entry, laws.successors, laws.cumulative
    for step in range(steps):
        choice = policy[state]
        if allowance[choice] == 0:
            return state, step, total
        allowance[choice] -= 1
        entry = draw(cumulative, first_entry[choice], first_entry[choice + 1], rng)
        entries[entry] += 1
        state = successors[entry]
        total += rewards[choice]
        _arrive(commutes, state, time + step + 1, total)
    return state, steps, total


class _Commuter:
    """Ends epochs by visits, and keeps account of commutes."""

    def __init__(self, walk: "CommutingWalk") -> None:
        self._of = walk
        self._allowance = np.maximum(walk.visits, 1)

    def walk(
        self,
        laws: CumulativeLaws,
        policy: Indices,
        entries: Indices,
        state: int,
        steps: int,
        rng: np.random.Generator,
    ) -> tuple[int, int]:
        """Follow the policy while the allowance lasts."""
        learner = self._of
        state, steps, learner.earned = _walk_and_commute(
            laws,
            learner.mdp.rewards,
            policy,
            self._allowance,
            entries,
            learner.commutes,
            state,
            learner.time,
            learner.earned,
            steps,
            rng,
        )
        return state, steps

    def notes(self) -> Notes:
        """Nothing more to record."""
        return {}


class CommutingWalk(Walk):
    """A walk that remembers what was earned between any two states."""

    def __init__(self, mdp: MDP, horizon: int, rng: np.random.Generator) -> None:
        super().__init__(mdp, horizon, rng)
        shape = (mdp.states, mdp.states)
        self.commutes = Commutes(np.full(shape, -1), *(np.zeros(shape) for _ in range(4)))
        self.earned = 0.0
        _arrive(self.commutes, self.state, self.time, self.earned)

    def follow(self, plan: Plan, *, longest: int | None = None, watch: Watch | None = None) -> None:
        """Follow a plan as any walk does, with an eye on commutes."""
        super().follow(plan, longest=longest, watch=watch or _Commuter(self))

    def bias_differences(self, largest: float, delta: float) -> tuple[Matrix, Matrix]:
        """Estimates of the differences of the bias between two states, and bounds on their errors."""
        ways = self.commutes
        completed = ways.completed + ways.completed.T
        gain = self.earned / max(self.time, 1)
        above = (ways.earned - gain * ways.durations).T  # row: the state from which a way leads
        estimates = (above - above.T) / np.maximum(completed, 1.0)
        promised_too_much = max(self.promised - self.earned, 0.0)
        sums = 3 * largest + (1 + largest) * math.sqrt(8 * self.time * math.log(2 / delta)) + 2 * promised_too_much
        with np.errstate(divide="ignore"):
            errors = np.where(completed > 0, np.divide(sums, completed), np.inf)
        np.fill_diagonal(errors, 0.0)
        return estimates, errors


def _differences(estimates: Matrix, errors: Matrix, largest: float) -> Matrix:
    span = np.where(np.eye(len(errors)) > 0, 0.0, largest)
    try:
        return tightest_differences(np.minimum(span, estimates + errors))
    except ValueError:
        return span


def _mitigation(
    walk: CommutingWalk, laws: Array, reference: Vector, errors: Matrix, largest: float, log: float
) -> Vector:
    """Most by which means may exceed estimated ones; infinite for choices never made."""
    variances = np.maximum(laws @ reference**2 - (laws @ reference) ** 2, 0.0)
    around = (laws * np.minimum(errors, largest)[walk.mdp.state_of_choice]).sum(axis=1)
    with np.errstate(divide="ignore"):
        share = log / walk.visits
    excess: Vector = np.sqrt(2 * share * (variances + 8 * largest * around)) + 3 * largest * share
    return excess


def pmevi_dt(
    mdp: MDP,
    *,
    horizon: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
    known_rewards: bool = False,
) -> Trace:
    r"""Run PMEVI-DT.

    Parameters
    ----------
    mdp
        The process; rewards in [0, 1].
    horizon
        Number of steps T >= 1, whose fifth root is taken for a bound on the span.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) that confidence sets fail.
    bonus
        Multiplier > 0 of all radii and of the mitigation; the paper's guarantee is for 1.
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
    :cite:`boone2024`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = pmevi_dt(river_swim(3), horizon=10_000, rng=np.random.default_rng(0))
    >>> bool(trace.last("gain") > 0.4468)  # optimistic
    True
    """
    delta, bonus = confidence(delta), positive(bonus, "bonus")
    rewards_in_unit_interval(mdp)
    walk = CommutingWalk(mdp, horizon, rng)
    radii = bernstein_radii(mdp, delta)
    largest, log = horizon**0.2, math.log(mdp.choices * horizon / delta)
    plan: OptimisticPlan | None = None
    while walk.time < horizon:
        laws = walk.empirical_laws()
        estimates, errors = walk.bias_differences(largest, delta)
        differences = _differences(estimates, errors, largest)
        reference = (estimates[:, 0] + differences).min(axis=1)
        excess = bonus * _mitigation(walk, laws, reference, errors, largest, log)
        rewards = plausible_rewards(walk, delta, bonus, known_rewards)
        sets = Plausible(mdp.first_choice, rewards, laws, bonus * radii(walk, laws), "box", excess=excess)
        precision = math.sqrt(math.log(max(walk.time, 2)) / max(walk.time, 2))
        plan = extended_value_iteration(
            sets, differences=differences, precision=precision, start=None if plan is None else plan.values
        )
        walk.follow(plan)
    return walk.trace("PMEVI-DT" if bonus == 1 else f"PMEVI-DT, bonus x {bonus:g}")
