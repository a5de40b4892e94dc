r"""MDP-OOMD: optimistic mirror descent on the policy of each state, for ergodic processes and the average reward.

Time is cut into episodes of length B, in each of which one policy :math:`\pi_k` is followed. Afterwards its action
values are estimated: for each state the episode is searched for visits that are followed by N more steps and 2 N apart,

.. math:: \hat\beta_k(c) = \operatorname{mean}_\tau \frac{1\{c_\tau = c\}}{\pi_k(c)} \sum_{i=0}^{N-1} r_{\tau + i},

0 if there is none. With the log-barrier :math:`\psi(\pi) = -\frac1\eta \sum_c \log \pi(c)` and its Bregman divergence,

.. math:: \pi'_{k+1} = \arg\max_\pi \langle \pi, \hat\beta_k \rangle - D_\psi(\pi, \pi'_k), \qquad
   \pi_{k+1} = \arg\max_\pi \langle \pi, \hat\beta_k \rangle - D_\psi(\pi, \pi'_{k+1}).

If all policies visit all states often enough, and with N and B from mixing and hitting times, regret is of order
:math:`\sqrt T`.

Paper: :cite:`wei2020`. Departure: N, B and :math:`\eta` are given, as a learner does not know mixing times.
"""

import numpy as np

from rltheory.algorithms.average_reward.stepwise import Record, empty_record, trace_of, write
from rltheory.algorithms.average_reward.ucrl import rewards_in_unit_interval
from rltheory.algorithms.sampling import CumulativeLaws, cumulative_laws, draw
from rltheory.arrays import Vector, count, positive
from rltheory.jit import kernel
from rltheory.problems.mdp import MDP, Indices
from rltheory.problems.policies import uniform_policy
from rltheory.trace import Trace

__all__ = ["mdp_oomd"]

MOST_NEWTON_STEPS = 100
SUM_TOLERANCE = 1e-13


@kernel
def _accumulate(first_choice: Indices, policy: Vector, sums: Vector) -> None:
    """Write the sums of the probabilities up to each choice of a state."""
    for state in range(first_choice.size - 1):
        total = 0.0
        for choice in range(first_choice[state], first_choice[state + 1]):
            total += policy[choice]
            sums[choice] = total


@kernel
def _estimate(
    first_choice: Indices,
    rewards: Vector,
    policy: Vector,
    states: Indices,
    made: Indices,
    window: int,
    totals: Vector,
    values: Vector,
) -> None:
    """Write estimates of action values to `values`; `totals` is room for running sums of rewards."""
    total = 0.0
    for step in range(made.size):
        totals[step] = total
        total += rewards[made[step]]
    totals[made.size] = total
    values[:] = 0.0
    for state in range(first_choice.size - 1):
        found, step = 0, 0
        while step <= made.size - window:
            if states[step] == state:
                found += 1
                values[made[step]] += (totals[step + window] - totals[step]) / policy[made[step]]
                step += 2 * window
            else:
                step += 1
        if found > 0:
            for choice in range(first_choice[state], first_choice[state + 1]):
                values[choice] /= found


@kernel
def _ascend(inverse: Vector, values: Vector, rate: float, first: int, end: int, out: Vector) -> None:
    """Write the inverse probabilities of the maximiser, which are those of the anchor - rate * values + a constant."""
    least = np.inf
    for choice in range(first, end):
        out[choice] = inverse[choice] - rate * values[choice]
        least = min(least, out[choice])
    # From the constant that makes one probability 1, Newton rises to the root: their sum is convex, and falls in it.
    rise = 1.0 - least
    for _ in range(MOST_NEWTON_STEPS):
        total, slope = 0.0, 0.0
        for choice in range(first, end):
            out[choice] += rise
            probability = 1.0 / out[choice]
            total += probability
            slope += probability * probability
        if total - 1.0 <= SUM_TOLERANCE:
            break
        rise = (total - 1.0) / slope


@kernel
def _learn(
    laws: CumulativeLaws,
    rewards: Vector,
    window: int,
    rate: float,
    policy: Vector,
    states: Indices,
    made: Indices,
    record: Record,
    rng: np.random.Generator,
) -> None:
    first_choice, first_entry, successors, _, cumulative = laws
    times, visits = record.times, np.zeros(rewards.size, np.int64)
    values, totals = np.zeros(rewards.size), np.empty(made.size + 1)
    anchor, inverse, sums = 1.0 / policy, np.empty(policy.size), np.empty(policy.size)
    _accumulate(first_choice, policy, sums)
    state, epochs, step = record.state[0], 1, 0
    time = 0
    for place in range(1, times.size):
        while time < times[place]:
            if step == made.size:
                _estimate(first_choice, rewards, policy, states, made, window, totals, values)
                for s in range(first_choice.size - 1):
                    _ascend(anchor, values, rate, first_choice[s], first_choice[s + 1], anchor)
                    _ascend(anchor, values, rate, first_choice[s], first_choice[s + 1], inverse)
                for c in range(policy.size):
                    policy[c] = 1.0 / inverse[c]
                _accumulate(first_choice, policy, sums)
                epochs += 1
                step = 0
            choice = draw(sums, first_choice[state], first_choice[state + 1], rng)
            states[step], made[step] = state, choice
            visits[choice] += 1
            state = successors[draw(cumulative, first_entry[choice], first_entry[choice + 1], rng)]
            step += 1
            time += 1
        write(record, place, visits, state, epochs)


def mdp_oomd(mdp: MDP, *, horizon: int, window: int, length: int, rate: float, rng: np.random.Generator) -> Trace:
    r"""Run MDP-OOMD.

    Parameters
    ----------
    mdp
        The process; rewards in [0, 1].
    horizon
        Number of steps T >= 1.
    window
        Number N >= 1 of steps whose rewards estimate an action value; in theory some mixing times.
    length
        Length B >= N of episodes; in theory long enough for visits to all states.
    rate
        Step size :math:`\eta > 0`, in 1 / reward.
    rng
        Source of randomness.

    Returns
    -------
    Trace
        ``visits``, shape (time, choice), how often each choice was made; ``state``; ``epochs``, the episodes begun.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`wei2020`

    Examples
    --------
    >>> from rltheory.instances import hidden_action
    >>> trace = mdp_oomd(hidden_action(2, advantage=0.5), horizon=20_000, window=10, length=50, rate=0.1,
    ...                  rng=np.random.default_rng(0))
    >>> visits = trace.last("visits")
    >>> bool(visits[1] > 5 * visits[0])
    True
    """
    window, length = count(window, "window", at_least=1), count(length, "length", at_least=1)
    if length < window:
        raise ValueError(f"length is {length} and window {window}; an episode must be as long as a window at least")
    rate = positive(rate, "rate")
    rewards_in_unit_interval(mdp)
    record = empty_record(mdp, horizon, rng)
    states, made = np.zeros(length, np.int64), np.zeros(length, np.int64)
    policy = uniform_policy(mdp)
    _learn(cumulative_laws([mdp]), mdp.rewards, window, rate, policy, states, made, record, rng)
    return trace_of("MDP-OOMD", record)
