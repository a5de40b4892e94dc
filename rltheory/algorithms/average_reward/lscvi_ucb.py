r"""Discounted least-squares value iteration with clipped spans, for linear processes and the average reward.

With features :math:`\phi_c` of the choices made so far, :math:`\Lambda = I + \sum_i \phi_i \phi_i^T`, and a discount
:math:`\gamma` close to 1, the learner plans backwards over all m steps that are left, from
:math:`V_0 = 1 / (1 - \gamma)` on:

.. math:: w_m = \Lambda^{-1} \sum_i \phi_i \bigl[ V_{m-1}(s_{i+1}) - \min V_{m-1} \bigr], \qquad
   Q_m(c) = r_c + \gamma \bigl[ \langle \phi_c, w_m \rangle + \min V_{m-1} + \beta \|\phi_c\|_{\Lambda^{-1}} \bigr],

.. math:: V_m(s) = \min\bigl\{ \max_c Q_m(c),\; \min_{s'} \max_c Q_m(c) + 2 \mathrm{sp} \bigr\},

where :math:`Q_m` is cut off at :math:`1 / (1 - \gamma)`. With m steps left it makes the choice of largest :math:`Q_m`.
It plans anew when the determinant of :math:`\Lambda` has doubled. With :math:`\beta = \mathrm{sp}\, d
\sqrt{\log(d T / \delta)}` and :math:`1 - \gamma = 1 / \sqrt{T + 1}`, regret is of order
:math:`\mathrm{sp} \sqrt{d^3 T}`, up to logarithms. As no policies are enumerated, the time is polynomial.

Paper: :cite:`hong2025`. The constant of :math:`\beta`, 1 here, and the discount are recalled up to logarithms.
Departure: when values no longer change, up to rounding, the policy is the same for all larger numbers of steps left.
"""

import math

import numpy as np

from rltheory.algorithms.average_reward.stepwise import Record, empty_record, trace_of, write
from rltheory.algorithms.average_reward.ucrl import confidence, rewards_in_unit_interval
from rltheory.algorithms.gram import update_inverse
from rltheory.algorithms.sampling import CumulativeLaws, cumulative_laws, draw
from rltheory.arrays import UNIT_ROUNDOFF, Matrix, Vector, positive
from rltheory.jit import kernel
from rltheory.problems.linear_mdp import LinearMDP
from rltheory.problems.mdp import Indices
from rltheory.trace import Trace

__all__ = ["lscvi_ucb"]


@kernel
def _plan(
    first_choice: Indices,
    rewards: Vector,
    laws: Matrix,
    widths: Vector,
    discount: float,
    span: float,
    tolerance: float,
    plans: Indices,
    values: Vector,
    spare: Vector,
) -> int:
    """Write choices to one row of `plans` for each number of steps left, from 1 on; return the rows that differ."""
    highest = 1.0 / (1.0 - discount)
    values[:] = highest
    for row in range(plans.shape[0]):
        least = values.min()
        for s in range(values.size):
            best = -np.inf
            for c in range(first_choice[s], first_choice[s + 1]):
                expected = least + widths[c]
                for successor in range(values.size):
                    expected += laws[c, successor] * (values[successor] - least)
                value = min(highest, rewards[c] + discount * expected)
                if value > best:
                    best = value
                    plans[row, s] = c
            spare[s] = best
        ceiling = spare.min() + span
        change = 0.0
        for s in range(values.size):
            value = min(spare[s], ceiling)
            change = max(change, abs(value - values[s]))
            values[s] = value
        if change <= tolerance:
            return row + 1
    return int(plans.shape[0])


@kernel
def _follow(
    laws: CumulativeLaws,
    features: Matrix,
    inverse: Matrix,
    spare: Vector,
    plans: Indices,
    moves: Indices,
    visits: Indices,
    state: int,
    time: int,
    place: int,
    epochs: int,
    record: Record,
    rng: np.random.Generator,
) -> tuple[int, int, int]:
    """Follow plans until the determinant has doubled or the run ends; return the state, the time and the place."""
    first_entry, successors, cumulative = laws.first_entry, laws.successors, laws.cumulative
    times = record.times
    horizon = times[-1]
    growth = 1.0
    while growth <= 2.0 and time < horizon:
        choice = plans[min(horizon - time, plans.shape[0]) - 1, state]
        successor = successors[draw(cumulative, first_entry[choice], first_entry[choice + 1], rng)]
        moves[choice, successor] += 1
        visits[choice] += 1
        growth *= 1.0 + update_inverse(inverse, features[choice], spare)
        state = successor
        time += 1
        if time == times[place]:
            write(record, place, visits, state, epochs)
            place += 1
    return state, time, place


def lscvi_ucb(
    linear: LinearMDP,
    *,
    horizon: int,
    span: float,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
) -> Trace:
    r"""Run discounted least-squares value iteration with clipped spans.

    Parameters
    ----------
    linear
        The process, with features and known rewards in [0, 1].
    horizon
        Number of steps T >= 1.
    span
        Bound sp > 0 on the span of the optimal bias.
    rng
        Source of randomness.
    delta
        Probability in (0, 1) of the events that the guarantee excludes.
    bonus
        Multiplier > 0 of the bonus :math:`\beta \|\phi\|`.

    Returns
    -------
    Trace
        ``visits``, shape (time, choice), how often each choice was made; ``state``; ``epochs``, the number of plans.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`hong2025`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> river = LinearMDP.from_tabular(river_swim(3))
    >>> trace = lscvi_ucb(river, horizon=10_000, span=2.2, rng=np.random.default_rng(0), bonus=0.02)
    >>> int(trace.last("visits").sum())
    10000
    """
    span, bonus, delta = positive(span, "span"), positive(bonus, "bonus"), confidence(delta)
    mdp = linear.tabular
    rewards_in_unit_interval(mdp)
    record = empty_record(mdp, horizon, rng)
    features = linear.features.reshape(mdp.choices, linear.dimension)
    discount = 1 - 1 / math.sqrt(horizon + 1)
    size = bonus * span * linear.dimension * math.sqrt(math.log(linear.dimension * horizon / delta))
    tolerance = 4 * UNIT_ROUNDOFF / (1 - discount)
    laws = cumulative_laws([mdp])
    moves, visits = np.zeros((mdp.choices, mdp.states), np.int64), np.zeros(mdp.choices, np.int64)
    room = np.empty(mdp.states), np.empty(mdp.states)
    state, time, place, epochs = int(record.state[0]), 0, 1, 0
    while time < horizon:
        gram = np.eye(linear.dimension) + features.T @ (visits[:, None] * features)
        inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
        fitted = features @ inverse @ (features.T @ moves)
        widths = size * np.sqrt(np.einsum("ci,ij,cj->c", features, inverse, features))
        plans = np.empty((horizon - time, mdp.states), np.int64)
        rows = _plan(mdp.first_choice, mdp.rewards, fitted, widths, discount, 2 * span, tolerance, plans, *room)
        epochs += 1
        state, time, place = _follow(
            laws,
            features,
            inverse,
            np.empty(linear.dimension),
            plans[:rows],
            moves,
            visits,
            state,
            time,
            place,
            epochs,
            record,
            rng,
        )
    name = "LSCVI-UCB"
    return trace_of(name if bonus == 1 else f"{name}, bonus x {bonus:g}", record)
