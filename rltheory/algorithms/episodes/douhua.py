r"""DOUHUA on tables, which is optimistic PPO: a critic of the present policy, and one step of mirror ascent an episode.

With bonuses b and empirical laws :math:`\hat p` as for :mod:`~rltheory.algorithms.episodes.nora`, for k = 1, 2, ...

.. math:: f_h^k(c) = \min\{H - h + 1,\; r_c + \langle \hat p_c, V_{h+1}^k \rangle + b_h(c)\}, \quad
   V_h^k(s) = \sum_c \pi_h^k(c | s) f_h^k(c), \qquad \pi_h^{k+1} \propto \pi_h^k e^{\eta f_h^k},

from uniform play, and episode k follows :math:`\pi^k`.

Paper: :cite:`tan2025`; the update is that of :cite:`cai2020` and :cite:`shani2020`. Departure from the first: bonuses
in place of a set of critics among which the most optimistic is sought, which is hard.
"""

import numpy as np

from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.algorithms.episodes.nora import Critic, boltzmann, new_critic, scale_of_bonuses, update_bonuses
from rltheory.algorithms.episodes.play import (
    Path,
    Record,
    World,
    empty_path,
    empty_record,
    labelled,
    learn,
    named,
    play_policy,
    promised,
    world,
    write,
)
from rltheory.arrays import Matrix, Times, apart, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.trace import Trace

__all__ = ["douhua"]


@kernel
def _improve(world: World, critic: Critic, eta: float, policy: Matrix, losses: Matrix, logits: Matrix) -> float:
    """Make the critic of a policy and the logits of the next one; return what the policy loses.

    All of it is one pass over the laws, which takes most of the time of an episode.
    """
    stride, first_choice, rewards, first_entry, successors, believed = critic.belief
    bonuses, ceiling, values, action_values = critic.bonuses, critic.ceiling, critic.values, critic.action_values
    gaps, probabilities = world.gaps, world.truth.probabilities
    for stage in range(policy.shape[0] - 1, -1, -1):
        for state in range(first_choice.size - 1):
            mean, mean_loss, top = 0.0, 0.0, -np.inf
            for choice in range(first_choice[state], first_choice[state + 1]):
                row = stage * stride + choice
                total, loss = rewards[row] + bonuses[row], gaps[stage, choice]
                for entry in range(first_entry[row], first_entry[row + 1]):
                    total += believed[entry] * values[stage + 1, successors[entry]]
                    loss += probabilities[entry] * losses[stage + 1, successors[entry]]
                total = min(total, ceiling[stage, choice])
                action_values[stage, choice] = total
                mean += policy[stage, choice] * total
                mean_loss += policy[stage, choice] * loss
                logits[stage, choice] += eta * total
                top = max(top, logits[stage, choice])
            for choice in range(first_choice[state], first_choice[state + 1]):
                logits[stage, choice] -= top
            values[stage, state], losses[stage, state] = mean, mean_loss
    return promised(world, losses)


@kernel
def _run(
    world: World,
    critic: Critic,
    eta: float,
    bonus: float,
    scale: float,
    logits: Matrix,
    policy: Matrix,
    path: Path,
    losses: Matrix,
    times: Times,
    record: Record,
    rng: np.random.Generator,
) -> None:
    belief, visits, moves, _, _, values, _ = critic
    first_choice, steepness = belief.first_choice, 1.0
    regret, loss = 0.0, 0.0
    for place in range(1, times.size):
        for _ in range(times[place - 1], times[place]):
            boltzmann(first_choice, logits, steepness, policy)
            loss = _improve(world, critic, eta, policy, losses, logits)
            regret += loss
            play_policy(world, policy, path, rng)
            learn(belief, path, visits, moves)
            update_bonuses(critic, path, bonus, scale)
        write(record, place, regret, loss, promised(world, values), times[place] - 1, visits)


def douhua(
    problem: FiniteHorizonMDP,
    *,
    episodes: int,
    eta: float,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
) -> Trace:
    r"""Run DOUHUA on tables. Parameters as in :func:`~rltheory.algorithms.nora`, but for the step size.

    Parameters
    ----------
    eta
        Step size :math:`\eta > 0` of the actor, in 1 / reward. The guarantee is for
        :math:`\sqrt{8 H \log A / (K \sum_{j \le H} j^2)}`, with A actions.

    Returns
    -------
    Trace
        As :func:`~rltheory.algorithms.episodes.play.labelled` describes; ``value`` is the mean of :math:`V_1` over the
        first state, an upper bound of the value of the policy if bonuses are large enough.

    References
    ----------
    :cite:`tan2025`, :cite:`cai2020`, :cite:`shani2020`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 6)
    >>> trace = douhua(problem, episodes=10_000, eta=1.0, bonus=0.3, rng=np.random.default_rng(0))
    >>> bool(trace.last("suboptimality") < 1e-3)
    True
    """
    eta, delta, bonus = positive(eta, "eta"), confidence(delta), not_negative(bonus, "bonus")
    times, record = empty_record(problem, episodes)
    process = world(problem)
    critic = new_critic(problem, process.truth, bonus)
    logits, policy = apart(np.zeros_like(critic.action_values)), apart(np.zeros_like(critic.action_values))
    scale, losses = scale_of_bonuses(problem, episodes, delta), apart(np.zeros_like(critic.values))
    _run(process, critic, eta, bonus, scale, logits, policy, empty_path(problem), losses, times, record, rng)
    return labelled(named("DOUHUA", bonus), times, record)
