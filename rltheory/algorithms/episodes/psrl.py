r"""PSRL: before each episode, draw a process from the posterior distribution and plan for it.

Laws are independent, and each has a Dirichlet distribution over all states: after m moves to state y, with the weight
:math:`\alpha + m` for y. The learner knows the rewards. If all stages are the same process, it knows that and counts
their visits together, as in the paper; otherwise each stage has laws of its own.

Paper: :cite:`osband2013`. Departure: rewards are known.
"""

import numpy as np

from rltheory.algorithms.episodes.play import (
    Model,
    Path,
    Record,
    World,
    back_up,
    empty_path,
    empty_record,
    labelled,
    loss_of_plan,
    play_plan,
    promised,
    world,
    write,
)
from rltheory.arrays import Matrix, Times, Vector, apart, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.trace import Trace

__all__ = ["psrl"]


@kernel
def _run(
    world: World,
    sample: Model,
    weights: Matrix,
    no_bonuses: Vector,
    no_ceiling: Matrix,
    visits: Indices,
    values: Matrix,
    action_values: Matrix,
    made: Indices,
    path: Path,
    losses: Matrix,
    times: Times,
    record: Record,
    rng: np.random.Generator,
) -> bool:
    """Run until the last time, or until a law is drawn without any weight; return whether the end was reached."""
    stride, probabilities = sample.stride, sample.probabilities
    rows, states = weights.shape
    regret, loss, switches = 0.0, 0.0, -1
    for place in range(1, times.size):
        for _ in range(times[place - 1], times[place]):
            for row in range(rows):
                total = 0.0
                for state in range(states):
                    gamma = rng.standard_gamma(weights[row, state])
                    probabilities[row * states + state] = gamma
                    total += gamma
                if total == 0:
                    return False
                for state in range(states):
                    probabilities[row * states + state] /= total
            if back_up(sample, no_bonuses, no_ceiling, values, action_values, made):
                switches += 1
                loss = loss_of_plan(world, made, losses)
            regret += loss
            play_plan(world, made, path, rng)
            for stage in range(path.choices.size):
                row = stage * stride + path.choices[stage]
                visits[row] += 1
                weights[row, path.states[stage + 1]] += 1
        write(record, place, regret, loss, promised(world, values), switches, visits)
    return True


def psrl(problem: FiniteHorizonMDP, *, episodes: int, rng: np.random.Generator, prior: float = 1.0) -> Trace:
    r"""Run PSRL (posterior sampling for reinforcement learning).

    Parameters
    ----------
    problem
        The process, S states; rewards in [0, 1].
    episodes
        Number of episodes K >= 1.
    rng
        Source of randomness, of the process and of the learner.
    prior
        Weight :math:`\alpha > 0` of each of S successors in the prior distribution of a law; 1 is the uniform one.

    Returns
    -------
    Trace
        As :func:`~rltheory.algorithms.episodes.play.labelled` describes; ``value`` is the optimal value of the process
        that was drawn last.

    Raises
    ------
    ArithmeticError
        If a law that is drawn has no weight left, as can happen for tiny priors.
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`osband2013`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 6)
    >>> trace = psrl(problem, episodes=1000, rng=np.random.default_rng(0))
    >>> bool(trace.last("suboptimality") == 0)
    True
    """
    prior = positive(prior, "prior")
    times, record = empty_record(problem, episodes)
    process = world(problem, pooled=problem.stride == 0)
    rows, states, shape = process.truth.rewards.size, problem.states, (problem.horizon, problem.choices)
    sample = process.truth._replace(
        first_entry=np.arange(rows + 1) * states,
        successors=np.tile(np.arange(states), rows),
        probabilities=np.empty(rows * states),
    )
    values, losses = (apart(np.zeros((problem.horizon + 1, states))) for _ in range(2))
    finished = _run(
        process,
        apart(sample),
        apart(np.full((rows, states), prior)),
        apart(np.zeros(rows)),
        np.full(shape, np.inf),
        apart(np.zeros(rows, np.int64)),
        values,
        apart(np.empty(shape)),
        apart(np.full((problem.horizon, states), -1)),
        empty_path(problem),
        losses,
        times,
        record,
        rng,
    )
    if not finished:
        raise ArithmeticError(f"a law was drawn without any weight; prior is {prior}, too small for {states} states")
    return labelled("PSRL", times, record)
