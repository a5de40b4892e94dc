r"""NORA once more, with the books open: what its critics err, what its actor misses, and the mixture of its policies.

With T the backup of a critic f by the true laws, :math:`(T f)_h(c) = r_c + \langle p_c, \max f_{h+1} \rangle`, a policy
loses what the critic errs where the policy leads, and what the actor misses there,

.. math:: \max f_1 - V_1^\pi = \sum_h \mathbb{E}_\pi [f_h - (T f)_h]
   + \sum_h \mathbb{E}_\pi [\max f_h - \langle \pi_h, f_h \rangle].

Paper: :cite:`tan2025`. The learner does not know the laws; only the books do.
"""

import numpy as np

from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.algorithms.episodes.nora import Critic, boltzmann, new_critic, scale_of_bonuses, update_bonuses
from rltheory.algorithms.episodes.play import (
    Path,
    World,
    back_up,
    empty_path,
    learn,
    loss_of_policy,
    play_policy,
    world,
)
from rltheory.arrays import Matrix, Times, Vector, count, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.trace import Trace, record_times

__all__ = ["audited_nora"]


@kernel
def _errors(world: World, critic: Critic, scale: float) -> float:
    """Greatest distance of f - T f from the middle of [0, limit], over half the limit."""
    _, _, rewards, first_entry, successors, probabilities = world.truth
    stages, choices = critic.action_values.shape
    greatest = 0.0
    for stage in range(stages - 1):
        for choice in range(choices):
            row = stage * choices + choice
            error = critic.action_values[stage, choice] - rewards[row]
            for entry in range(first_entry[row], first_entry[row + 1]):
                error -= probabilities[entry] * critic.values[stage + 1, successors[entry]]
            half = 0.5
            if critic.visits[row] > 0:
                half = min(1.0, scale / np.sqrt(critic.visits[row]))
            half *= stages - 1 - stage
            greatest = max(greatest, abs(error - half) / half)
    return greatest


@kernel
def _add_occupancy(world: World, policy: Matrix, arrivals: Vector, ahead: Vector, occupancy: Matrix) -> None:
    """Add the probabilities with which a policy makes each choice at each stage."""
    _, first_choice, _, first_entry, successors, probabilities = world.truth
    states, choices = arrivals.size, policy.shape[1]
    for state in range(states):
        arrivals[state] = world.initial[state]
    for stage in range(policy.shape[0]):
        for state in range(states):
            ahead[state] = 0.0
        for state in range(states):
            for choice in range(first_choice[state], first_choice[state + 1]):
                row = stage * choices + choice
                made = arrivals[state] * policy[stage, choice]
                occupancy[stage, choice] += made
                for entry in range(first_entry[row], first_entry[row + 1]):
                    ahead[successors[entry]] += made * probabilities[entry]
        for state in range(states):
            arrivals[state] = ahead[state]


@kernel
def _normalized(first_choice: Indices, weights: Matrix, policy: Matrix) -> None:
    """Write the policy in proportion to weights; uniform in states without any."""
    for stage in range(weights.shape[0]):
        for state in range(first_choice.size - 1):
            first, end = first_choice[state], first_choice[state + 1]
            total = 0.0
            for choice in range(first, end):
                total += weights[stage, choice]
            for choice in range(first, end):
                policy[stage, choice] = weights[stage, choice] / total if total > 0 else 1 / (end - first)


@kernel
def _run(
    world: World,
    judged: World,
    critic: Critic,
    eta: float,
    bonus: float,
    resets: bool,
    scale: float,
    logits: Matrix,
    policy: Matrix,
    occupancy: Matrix,
    blend: Matrix,
    made: Indices,
    visits_then: Indices,
    arrivals: Vector,
    ahead: Vector,
    path: Path,
    losses: Matrix,
    times: Times,
    books: Matrix,
    rng: np.random.Generator,
) -> None:
    belief, visits, moves, bonuses, ceiling, values, f = critic
    first_choice, stride = belief.first_choice, belief.stride
    stages, states = made.shape
    gaps = judged.gaps
    regret = missed = off = 0.0
    switches, due = -1, True
    for place in range(1, times.size):
        for _ in range(times[place - 1], times[place]):
            if due:
                back_up(belief, bonuses, ceiling, values, f, made)
                off = max(off, _errors(world, critic, scale))
                switches += 1
                for stage in range(stages):
                    for state in range(states):
                        for choice in range(first_choice[state], first_choice[state + 1]):
                            gaps[stage, choice] = values[stage, state] - f[stage, choice]
                            if resets:
                                logits[stage, choice] = 0.0
                for row in range(visits.size):
                    visits_then[row] = visits[row]
            boltzmann(first_choice, logits, 1.0, policy)
            missed += loss_of_policy(judged, policy, losses)
            regret += loss_of_policy(world, policy, losses)
            _add_occupancy(world, policy, arrivals, ahead, occupancy)
            play_policy(world, policy, path, rng)
            learn(belief, path, visits, moves)
            update_bonuses(critic, path, bonus, scale)
            for stage in range(stages):
                for state in range(states):
                    top = -np.inf
                    for choice in range(first_choice[state], first_choice[state + 1]):
                        blend[stage, choice] += policy[stage, choice]
                        logits[stage, choice] -= eta * gaps[stage, choice]
                        top = max(top, logits[stage, choice])
                    for choice in range(first_choice[state], first_choice[state + 1]):
                        logits[stage, choice] -= top
            due = False
            for stage in range(stages):
                row = stage * stride + path.choices[stage]
                due |= visits[row] >= max(1, 2 * visits_then[row])
        books[0, place], books[1, place], books[2, place], books[3, place] = regret, missed, off, switches
        _normalized(first_choice, occupancy, policy)
        books[4, place] = loss_of_policy(world, policy, losses)
        _normalized(first_choice, blend, policy)
        books[5, place] = loss_of_policy(world, policy, losses)


def audited_nora(
    problem: FiniteHorizonMDP,
    *,
    episodes: int,
    eta: float,
    rng: np.random.Generator,
    delta: float = 0.05,
    bonus: float = 1.0,
    resets: bool = True,
) -> Trace:
    r"""Run NORA on tables, and keep books. Parameters as in :func:`~rltheory.algorithms.episodes.nora.nora`.

    Parameters
    ----------
    resets
        Whether the actor starts again when the critic changes, as it should; otherwise it adds up what all critics
        have said.

    Returns
    -------
    Trace
        After each recorded number of episodes: ``regret``; ``missed``, what the actor missed so far in the mean, by the
        critic in force; ``off``, the greatest distance so far of f - T f from the middle of [0, 2 b], over b, where b
        are bonuses without multiplier, and 2 b is H - h for choices never made; ``switches``, how often the critic has
        changed; ``mixture``, what the policy loses whose occupancy is the mean of those of the policies; and ``blend``,
        what the policy loses that is the mean of the policies in each state.

    References
    ----------
    :cite:`tan2025`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 6)
    >>> trace = audited_nora(problem, episodes=1000, eta=1.0, rng=np.random.default_rng(0))
    >>> bool(np.isclose(trace.last("mixture"), trace.last("regret") / 1000))
    True
    """
    eta, delta, bonus = positive(eta, "eta"), confidence(delta), not_negative(bonus, "bonus")
    times = record_times(count(episodes, "episodes", at_least=1))
    process = world(problem)
    critic = new_critic(problem, process.truth, bonus)
    gaps, logits, policy, occupancy, blend = (np.zeros_like(critic.action_values) for _ in range(5))
    names = ["regret", "missed", "off", "switches", "mixture", "blend"]
    books = np.zeros((len(names), times.size))
    _run(
        process,
        process._replace(gaps=gaps),
        critic,
        eta,
        bonus,
        resets,
        scale_of_bonuses(problem, episodes, delta),
        logits,
        policy,
        occupancy,
        blend,
        np.full((problem.horizon, problem.states), -1),
        np.zeros_like(critic.visits),
        np.zeros(problem.states),
        np.zeros(problem.states),
        empty_path(problem),
        np.zeros_like(critic.values),
        times,
        books,
        rng,
    )
    values = {name: (("time",), book) for name, book in zip(names, books, strict=True)}
    return Trace("NORA, audited", times, values, clock="episode")
