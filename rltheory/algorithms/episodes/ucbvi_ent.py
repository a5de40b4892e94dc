r"""UCBVI-Ent+ on tables: optimism where divergence from a reference policy is penalised, with fast rates.

The value of a policy is :math:`V^\pi_\lambda = V^\pi - \lambda\, \mathrm{KL}_\text{traj}(\pi \| \mu)`. With stages
:math:`h = 0, \dots, H - 1`, :math:`G = H - 1 - h` of them still to come, n visits of a choice, empirical laws
:math:`\hat p`, :math:`L = S \log 2 + \log(C H K / \delta)` and :math:`w = \min\{1, \sqrt{L / (2 n)}\}`,

.. math:: \bar Q_h(c) &= r_c + \min\{G,\; \langle \hat p_c, \bar V_{h+1} \rangle + G w\}, \\
   \underline Q_h(c) &= r_c + \max\{0,\; \langle \hat p_c, \underline V_{h+1} \rangle - G w\},

where :math:`V_h(s) = \lambda \log \sum_c \mu_h(c)\, e^{Q_h(c) / \lambda}` of either. The policy to be returned is
:math:`\bar\pi_h(c) \propto \mu_h(c)\, e^{\bar Q_h(c) / \lambda}`. What it lacks is at most :math:`U_0`, with
:math:`\Delta_h(s) = \max_c (\bar Q_h(c) - \underline Q_h(c))` and :math:`m_h = \max_s U_h(s)`:

.. math:: U_h(s) = \min\Bigl\{\frac{\Delta_h(s)^2}{8 \lambda},\; \Delta_h(s)\Bigr\} + \sum_c \bar\pi_h(c) \min\Bigl\{
   m_{h+1},\; \Bigl(1 + \frac1H\Bigr) \Bigl(\langle \hat p_c, U_{h+1} \rangle
   + m_{h+1} \frac{(H + 1) L}{2 n}\Bigr)\Bigr\}.

An episode follows :math:`\bar\pi`, but at one stage, drawn uniformly, it makes the choice of largest
:math:`\bar Q - \underline Q`.

Paper: :cite:`tiapkin2024`. Departures: bonuses that hold for all value functions at once in place of those after
Bernstein; lower values are the best ones of the lower action values; a certificate with explicit constants.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.algorithms.episodes.cloning import behaviour_cloning, checked_demonstrations, cloning_bound
from rltheory.algorithms.episodes.nora import scale_of_bonuses
from rltheory.algorithms.episodes.play import (
    Model,
    Path,
    World,
    empty_path,
    learn,
    loss_of_policy,
    named,
    play_policy,
    promised,
    unknown,
    world,
)
from rltheory.arrays import Array, Matrix, Times, Vector, apart, count, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.problems.policies import checked_policy
from rltheory.solvers import soft_backward_induction
from rltheory.trace import Trace, record_times

__all__ = ["demonstration_regularized", "ucbvi_ent"]


# Where only visits decide what is known, choices tie but for rounding, and the first is made.
TIE = 1e-9


class State(NamedTuple):
    """What the learner knows and plans."""

    belief: Model
    visits: Indices  # (R,)
    moves: Indices  # (E,)
    upper: Matrix  # (H + 1, S), values
    lower: Matrix  # (H + 1, S)
    lacking: Matrix  # (H + 1, S), U
    log_policy: Matrix  # (H, C)
    policy: Matrix  # (H, C)
    widest: Indices  # (H, S), the choice of which least is known


class Record(NamedTuple):
    """What a run leaves behind at each recorded time."""

    suboptimality: Vector  # (points,)
    loss: Vector  # (points,)
    certificate: Vector  # (points,)
    value: Vector  # (points,)
    visits: Array  # (points, R)
    log_policy: Array  # (points, H, C)


@kernel
def _plan(state: State, log_reference: Matrix, temperature: float, scale: float) -> None:
    """Write bounds on all values, the policy of the upper ones, and what it may lack."""
    stride, first_choice, rewards, first_entry, successors, probabilities = state.belief
    visits, upper, lower, lacking = state.visits, state.upper, state.lower, state.lacking
    log_policy, policy, widest = state.log_policy, state.policy, state.widest
    horizon, states = widest.shape
    most_lacking = 0.0
    for stage in range(horizon - 1, -1, -1):
        to_go, most_here = horizon - 1.0 - stage, 0.0
        for here in range(states):
            best, worst, gap = -np.inf, -np.inf, -np.inf
            for choice in range(first_choice[here], first_choice[here + 1]):
                row = stage * stride + choice
                width = to_go * min(1.0, scale / math.sqrt(visits[row])) if visits[row] > 0 else to_go
                above, below = width, -width
                for entry in range(first_entry[row], first_entry[row + 1]):
                    above += probabilities[entry] * upper[stage + 1, successors[entry]]
                    below += probabilities[entry] * lower[stage + 1, successors[entry]]
                above, below = min(above, to_go), max(below, 0.0)
                penalised = rewards[row] + temperature * log_reference[stage, choice]
                # The arrays of the policy serve as room for the two kinds of logits.
                log_policy[stage, choice] = above + penalised
                policy[stage, choice] = below + penalised
                best, worst = max(best, above + penalised), max(worst, below + penalised)
                if above - below > (1 + TIE) * gap:
                    widest[stage, here] = choice
                gap = max(gap, above - below)
            optimistic, pessimistic = 0.0, 0.0
            for choice in range(first_choice[here], first_choice[here + 1]):
                log_policy[stage, choice] = (log_policy[stage, choice] - best) / temperature
                optimistic += math.exp(log_policy[stage, choice])
                pessimistic += math.exp((policy[stage, choice] - worst) / temperature)
            log_optimistic = math.log(optimistic)
            upper[stage, here] = best + temperature * log_optimistic
            lower[stage, here] = worst + temperature * math.log(pessimistic)
            total = min(gap * gap / (8 * temperature), gap)
            for choice in range(first_choice[here], first_choice[here + 1]):
                row = stage * stride + choice
                log_policy[stage, choice] -= log_optimistic
                policy[stage, choice] = math.exp(log_policy[stage, choice])
                later = most_lacking
                if visits[row] > 0:
                    mean = most_lacking * (horizon + 1) * scale * scale / visits[row]
                    for entry in range(first_entry[row], first_entry[row + 1]):
                        mean += probabilities[entry] * lacking[stage + 1, successors[entry]]
                    later = min(later, (1 + 1 / horizon) * mean)
                total += policy[stage, choice] * later
            lacking[stage, here] = total
            most_here = max(most_here, total)
        most_lacking = most_here


@kernel
def _explore(state: State, stage: int) -> None:
    """Make the policy play what least is known of at one stage."""
    first_choice, policy, widest = state.belief.first_choice, state.policy, state.widest
    for here in range(widest.shape[1]):
        for choice in range(first_choice[here], first_choice[here + 1]):
            policy[stage, choice] = 1.0 if choice == widest[stage, here] else 0.0


@kernel
def _suboptimality(world: World, log_policy: Matrix, log_best: Matrix, temperature: float, losses: Matrix) -> float:
    """What a policy lacks to the best one with the penalty; `losses`, shape (H + 1, S), ends with zeros."""
    stride, first_choice, _, first_entry, successors, probabilities = world.truth
    for stage in range(log_policy.shape[0] - 1, -1, -1):
        for here in range(world.initial.size):
            total = 0.0
            for choice in range(first_choice[here], first_choice[here + 1]):
                row = stage * stride + choice
                made, best = math.exp(log_policy[stage, choice]), math.exp(log_best[stage, choice])
                if made == 0:
                    total += temperature * best
                    continue
                ratio = log_policy[stage, choice] - log_best[stage, choice]
                # Terms >= 0, of which none cancels: their sum is the divergence, as both policies sum to 1.
                term = made * (math.expm1(-ratio) + ratio) if abs(ratio) < 1 else best - made + made * ratio
                total += temperature * term
                for entry in range(first_entry[row], first_entry[row + 1]):
                    total += made * probabilities[entry] * losses[stage + 1, successors[entry]]
            losses[stage, here] = total
    return promised(world, losses)


@kernel
def _run(
    world: World,
    state: State,
    log_reference: Matrix,
    log_best: Matrix,
    temperature: float,
    scale: float,
    tolerance: float,
    path: Path,
    losses: Matrix,
    times: Times,
    record: Record,
    rng: np.random.Generator,
) -> int:
    """Run to the last time, or until the certificate is small; return the number of recorded times."""
    horizon, episode = path.choices.size, 0
    for place in range(times.size):
        while True:
            _plan(state, log_reference, temperature, scale)
            certificate = promised(world, state.lacking)
            if certificate <= tolerance or episode == times[place]:
                break
            _explore(state, int(horizon * rng.random()))
            play_policy(world, state.policy, path, rng)
            learn(state.belief, path, state.visits, state.moves)
            episode += 1
        times[place] = episode
        record.suboptimality[place] = _suboptimality(world, state.log_policy, log_best, temperature, losses)
        record.loss[place] = loss_of_policy(world, state.policy, losses)
        record.certificate[place], record.value[place] = certificate, promised(world, state.upper)
        for row in range(state.visits.size):
            record.visits[place, row] = state.visits[row]
        for stage in range(horizon):
            for choice in range(log_reference.shape[1]):
                record.log_policy[place, stage, choice] = state.log_policy[stage, choice]
        if certificate <= tolerance:
            return place + 1
    return times.size


def ucbvi_ent(
    problem: FiniteHorizonMDP,
    reference: ArrayLike,
    temperature: float,
    *,
    episodes: int,
    rng: np.random.Generator,
    tolerance: float = 0.0,
    delta: float = 0.05,
    bonus: float = 1.0,
) -> Trace:
    r"""Run UCBVI-Ent+ until its policy is certainly good, or all episodes are over. The learner knows the rewards.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    reference : array_like, shape (C,) or (H, C)
        Probabilities :math:`\mu` of the choices in their states, at all stages or at each.
    temperature
        Weight :math:`\lambda > 0` of the penalty, in units of reward per nat.
    episodes
        Largest number of episodes K >= 1, which the bonus knows.
    rng
        Source of randomness.
    tolerance
        Certificate >= 0 that ends the run, in units of reward.
    delta
        Number in (0, 1); with probability 1 - 2 delta all certificates are right.
    bonus
        Multiplier >= 0 of the confidence widths w; L is multiplied by its square. The guarantee is for 1.

    Returns
    -------
    Trace
        After each recorded number of episodes, the last of which is the number played: ``log_policy``, shape (time,
        stage, choice), of the policy to be returned; what it lacks, exactly, with the penalty (``suboptimality``) and
        without (``loss``); ``certificate``, the bound on the former; ``value``, the mean of :math:`\bar V_0` over the
        first state; ``visits``, shape (time, stage, choice).

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], `reference` is no policy, or a number is out of its range.

    References
    ----------
    :cite:`tiapkin2024`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> from rltheory.problems import uniform_policy
    >>> problem, uniform = FiniteHorizonMDP.stationary(river_swim(3), 4), uniform_policy(river_swim(3))
    >>> rng = np.random.default_rng(0)
    >>> trace = ucbvi_ent(problem, uniform, 0.5, episodes=30_000, tolerance=0.2, rng=rng)
    >>> bool(trace.last("suboptimality") < trace.last("certificate") <= 0.2)
    True
    """
    temperature, tolerance = positive(temperature, "temperature"), not_negative(tolerance, "tolerance")
    delta, bonus = confidence(delta), not_negative(bonus, "bonus")
    mu = checked_policy(problem.stages[0], reference, name="reference", stages=problem.horizon)
    times, process = record_times(count(episodes, "episodes", at_least=1)), world(problem)
    horizon, states, choices = problem.horizon, problem.states, problem.choices
    rows = process.truth.rewards.size
    state = State(
        belief=unknown(process.truth),
        visits=np.zeros(rows, np.int64),
        moves=np.zeros(process.truth.successors.size, np.int64),
        upper=np.zeros((horizon + 1, states)),
        lower=np.zeros((horizon + 1, states)),
        lacking=np.zeros((horizon + 1, states)),
        log_policy=np.empty((horizon, choices)),
        policy=np.empty((horizon, choices)),
        widest=np.zeros((horizon, states), np.int64),
    )
    record = Record(
        suboptimality=np.empty(times.size),
        loss=np.empty(times.size),
        certificate=np.empty(times.size),
        value=np.empty(times.size),
        visits=np.empty((times.size, rows), np.int64),
        log_policy=np.empty((times.size, horizon, choices)),
    )
    with np.errstate(divide="ignore"):
        log_reference = np.log(mu)
    scale = bonus * scale_of_bonuses(problem, episodes, delta)
    log_best = soft_backward_induction(problem, temperature, reference=mu).log_policy
    losses, path = apart(np.zeros((horizon + 1, states))), empty_path(problem)
    points = _run(
        process, apart(state), log_reference, log_best, temperature, scale, tolerance, path, losses, times, record, rng
    )
    record = record._replace(visits=record.visits.reshape(-1, horizon, choices))
    labels = ("time", "stage", "choice")
    values = {name: (labels[: array.ndim], array[:points]) for name, array in record._asdict().items()}
    return Trace(named("UCBVI-Ent+", bonus), times[:points], values, clock="episode")


def demonstration_regularized(
    problem: FiniteHorizonMDP,
    counts: ArrayLike,
    *,
    tolerance: float,
    episodes: int,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
) -> Trace:
    r"""Clone an expert from demonstrations, and learn with a penalty for leaving the clone.

    With N demonstrations, :func:`~rltheory.algorithms.episodes.cloning.behaviour_cloning` is the reference,
    :math:`\lambda = \frac{\varepsilon (N + 1)}{2 H (C - S)}` the temperature, and UCBVI-Ent+ runs until its
    certificate is :math:`\varepsilon / 2`. If that comes to pass, the policy lacks :math:`\varepsilon` to the expert at
    most, in the mean over the demonstrations.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    counts : array_like of int, shape (H, C)
        How often the expert made each choice at each stage, as from
        :func:`~rltheory.algorithms.episodes.cloning.demonstrations`.
    tolerance
        What may be lacking to the expert, :math:`\varepsilon > 0`, in units of reward.
    episodes, rng, delta, bonus
        As for :func:`ucbvi_ent`.

    Returns
    -------
    Trace
        That of :func:`ucbvi_ent`.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], `counts` are no counts of trajectories, or a number is out of its range.

    References
    ----------
    :cite:`tiapkin2024`

    Examples
    --------
    >>> from rltheory.algorithms import demonstrations
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 4)
    >>> rng = np.random.default_rng(0)
    >>> counts = demonstrations(problem, [0, 1, 0, 1, 0, 1], 300, rng)
    >>> trace = demonstration_regularized(problem, counts, tolerance=0.5, episodes=30_000, rng=rng)
    >>> bool(trace.last("certificate") <= 0.25), bool(trace.last("loss") < 0.1)
    (True, True)
    """
    tolerance = positive(tolerance, "tolerance")
    trajectories = int(checked_demonstrations(problem, counts)[0].sum())
    bound = cloning_bound(problem, trajectories)
    # Where no state has two choices, clone and expert are the same, and any temperature serves.
    temperature = tolerance / (2 * bound) if bound > 0 else tolerance
    return ucbvi_ent(
        problem,
        behaviour_cloning(problem, counts),
        temperature,
        episodes=episodes,
        rng=rng,
        tolerance=tolerance / 2,
        delta=delta,
        bonus=bonus,
    )
