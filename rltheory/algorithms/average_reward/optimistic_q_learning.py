r"""Optimistic Q-learning for the average reward, by way of discounting.

With an effective horizon H and discount :math:`\gamma = 1 - 1 / H`, after the nth time that a choice c was made, which
led to the state s',

.. math:: Q(c) \leftarrow (1 - \alpha_n) Q(c) + \alpha_n \bigl[ r_c + \gamma \hat V(s') + b_n \bigr], \quad
   \hat Q(c) \leftarrow \min\{ \hat Q(c), Q(c) \}, \quad \hat V(s) = \max_c \hat Q(c),

.. math:: \alpha_n = \frac{H + 1}{H + n}, \qquad b_n = 4\, \mathrm{sp} \sqrt{\frac{H}{n} \log \frac{2 T}{\delta}},
   \qquad H = \min\Bigl\{ \sqrt{\frac{\mathrm{sp}\, T}{C}},
   \Bigl( \frac{T}{C \log(4 T / \delta)} \Bigr)^{1/3} \Bigr\},

from :math:`Q = \hat Q = \hat V = H` on; C is the number of choices. The learner makes the choice of largest
:math:`\hat Q`, the first of them if there are several. Regret is of order :math:`T^{2/3}`.

Paper: :cite:`wei2020`. Departures: C in place of the product of states and actions, and H is 2 at least. The constants
of bonus and horizon are recalled.
"""

import math

import numpy as np

from rltheory.algorithms.average_reward.stepwise import Record, empty_record, trace_of, write
from rltheory.algorithms.average_reward.ucrl import confidence, rewards_in_unit_interval
from rltheory.algorithms.sampling import CumulativeLaws, cumulative_laws, draw
from rltheory.arrays import Vector, positive
from rltheory.jit import kernel
from rltheory.problems.mdp import MDP
from rltheory.trace import Trace

__all__ = ["effective_horizon", "optimistic_q_learning"]


def effective_horizon(choices: int, horizon: int, span: float, delta: float) -> float:
    """Effective horizon H of the theorem, 2 at least."""
    root = math.sqrt(span * horizon / choices)
    cube_root = math.cbrt(horizon / (choices * math.log(4 * horizon / delta)))
    return max(2.0, min(root, cube_root))


@kernel
def _learn(
    laws: CumulativeLaws,
    rewards: Vector,
    lookahead: float,
    bonus: float,
    estimates: Vector,
    optimistic: Vector,
    values: Vector,
    record: Record,
    rng: np.random.Generator,
) -> None:
    first_choice, first_entry, successors, _, cumulative = laws
    discount = 1.0 - 1.0 / lookahead
    times, visits = record.times, np.zeros(rewards.size, np.int64)
    state, time = record.state[0], 0
    for place in range(1, times.size):
        while time < times[place]:
            first, end = first_choice[state], first_choice[state + 1]
            choice = first
            for other in range(first + 1, end):
                if optimistic[other] > optimistic[choice]:
                    choice = other
            successor = successors[draw(cumulative, first_entry[choice], first_entry[choice + 1], rng)]
            visits[choice] += 1
            made = float(visits[choice])
            target = rewards[choice] + discount * values[successor] + bonus / np.sqrt(made)
            estimates[choice] += (lookahead + 1.0) / (lookahead + made) * (target - estimates[choice])
            if estimates[choice] < optimistic[choice]:
                optimistic[choice] = estimates[choice]
                largest = optimistic[first]
                for other in range(first + 1, end):
                    largest = max(largest, optimistic[other])
                values[state] = largest
            state = successor
            time += 1
        write(record, place, visits, state, time)


def optimistic_q_learning(
    mdp: MDP, *, horizon: int, span: float, rng: np.random.Generator, delta: float = 0.05, bonus: float = 1.0
) -> Trace:
    r"""Run optimistic Q-learning.

    Parameters
    ----------
    mdp
        The process; rewards in [0, 1].
    horizon
        Number of steps T >= 1, which sets discount and bonus.
    span
        Bound > 0 on the span of the optimal bias.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) of the events that the guarantee excludes.
    bonus
        Multiplier > 0 of the bonus; the guarantee is for 1.

    Returns
    -------
    Trace
        ``visits``, shape (time, choice), how often each choice was made; ``state``; ``epochs``, the number of updates,
        which is that of steps.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`wei2020`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> trace = optimistic_q_learning(river_swim(3), horizon=1000, span=2.2, rng=np.random.default_rng(0))
    >>> int(trace.last("visits").sum())
    1000
    """
    span, bonus, delta = positive(span, "span"), positive(bonus, "bonus"), confidence(delta)
    rewards_in_unit_interval(mdp)
    record = empty_record(mdp, horizon, rng)
    lookahead = effective_horizon(mdp.choices, horizon, span, delta)
    size = 4 * bonus * span * math.sqrt(lookahead * math.log(2 * horizon / delta))
    estimates, optimistic, values = (np.full(entries, lookahead) for entries in (mdp.choices, mdp.choices, mdp.states))
    _learn(cumulative_laws([mdp]), mdp.rewards, lookahead, size, estimates, optimistic, values, record, rng)
    name = "optimistic Q-learning"
    return trace_of(name if bonus == 1 else f"{name}, bonus x {bonus:g}", record)
