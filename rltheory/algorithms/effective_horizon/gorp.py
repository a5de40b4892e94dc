r"""GORP: look a few steps ahead, then play at random; commit to the first step of what returned most.

For each stage :math:`h` in turn, from the state that the choices made so far lead to,

.. math:: \hat q(c_1 \dots c_k) = \frac1m \sum_{j=1}^m \text{return of } c_1 \dots c_k \text{ and then random choices},

over all sequences of k choices (fewer where the horizon ends), each tried in m fresh episodes; the first choice of the
first best sequence is made. Random choices are uniform, or those of an exploration policy.

Paper: :cite:`laidlaw2023`. Departures: states may differ in their numbers of actions; episodes start where the choices
made so far end, since these earn the same in all of them.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.sampling import cumulative_choices, random_choice
from rltheory.arrays import Matrix, Vector, count
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.certainty import sure_start, sure_successors
from rltheory.problems.mdp import Indices
from rltheory.trace import Trace

__all__ = ["gorp"]

REPLICATES_PER_STREAM = 16  # fixed, so that the numbers do not depend on the number of cores


@kernel
def _random_return(
    first_choice: Indices,
    successors: Indices,
    rewards: Vector,
    stride: int,
    cumulative: Matrix,
    stage: int,
    horizon: int,
    state: int,
    rng: np.random.Generator,
) -> float:
    """Return of random choices from a state and stage on."""
    total = 0.0
    for h in range(stage, horizon):
        choice = h * stride + random_choice(first_choice, cumulative, h, state, rng)
        total += rewards[choice]
        state = successors[choice]
    return total


@kernel
def _run(
    first_choice: Indices,
    successors: Indices,
    rewards: Vector,
    stride: int,
    cumulative: Matrix,
    start: int,
    depth: int,
    episodes: int,
    made: Indices,
    earned: Matrix,
    spent: Indices,
    rng: np.random.Generator,
) -> None:
    """Fill choices, rewards and numbers of episodes, shape (H, R), one column after the other."""
    horizon = made.shape[0]
    sequence, states, returns = np.empty(depth, np.int64), np.empty(depth + 1, np.int64), np.empty(depth + 1)
    returns[0] = 0.0
    for replicate in range(made.shape[1]):
        states[0] = start
        played = 0
        for stage in range(horizon):
            ahead = min(depth, horizon - stage)
            best, most, level = -1, -np.inf, 0
            sequence[0] = first_choice[states[0]]
            while level >= 0:
                if sequence[level] == first_choice[states[level] + 1]:
                    level -= 1
                    if level >= 0:
                        sequence[level] += 1
                    continue
                choice = (stage + level) * stride + sequence[level]
                states[level + 1] = successors[choice]
                returns[level + 1] = returns[level] + rewards[choice]
                if level + 1 < ahead:
                    level += 1
                    sequence[level] = first_choice[states[level]]
                    continue
                total = episodes * returns[ahead]
                for _ in range(episodes):
                    total += _random_return(
                        first_choice,
                        successors,
                        rewards,
                        stride,
                        cumulative,
                        stage + ahead,
                        horizon,
                        states[ahead],
                        rng,
                    )
                played += episodes
                if total > most:
                    best, most = sequence[0], total
                sequence[level] += 1
            made[stage, replicate] = best
            earned[stage, replicate] = rewards[stage * stride + best]
            spent[stage, replicate] = played
            states[0] = successors[stage * stride + best]


def gorp(
    problem: FiniteHorizonMDP,
    *,
    depth: int,
    episodes: int,
    rng: np.random.Generator,
    replicates: int = 1,
    policy: ArrayLike | None = None,
) -> Trace:
    r"""Run GORP (greedy over random policy) on a deterministic process.

    Parameters
    ----------
    problem
        The process: one first state, and one successor for each choice.
    depth
        Steps k >= 1 to look ahead.
    episodes
        Episodes m >= 1 for each sequence of choices.
    rng
        Source of randomness; each group of replicates gets a stream of its own from it.
    replicates
        Independent runs R >= 1, which use all cores.
    policy : array_like, shape (C,) or (H, C), optional
        Exploration policy, whose probabilities sum to 1 within 1e-6 in each state; uniform by default.

    Returns
    -------
    Trace
        For each stage and replicate ``made``, the number of the choice, ``reward``, what it earns, and ``episodes``,
        how many were played. :func:`rltheory.measures.plan_loss` tells which replicates found an optimal plan.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, the process leaves a state to chance, or `policy` is no policy. The message
        names the choice.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> from rltheory.instances import combination_lock
    >>> lock = combination_lock([1, 0, 1])
    >>> problem = FiniteHorizonMDP.stationary(lock, 3)
    >>> trace = gorp(problem, depth=1, episodes=50, rng=np.random.default_rng(0), replicates=4)
    >>> trace["reward"].sum(axis=0)
    array([1., 1., 1., 1.])
    """
    depth, episodes = count(depth, "depth", at_least=1), count(episodes, "episodes", at_least=1)
    replicates = count(replicates, "replicates", at_least=1)
    start, successors = sure_start(problem), sure_successors(problem).ravel()
    shape = (problem.horizon, replicates)
    made, earned, spent = np.empty(shape, np.int64), np.empty(shape), np.empty(shape, np.int64)
    arrays = problem.arrays
    cumulative = cumulative_choices(problem, policy)
    groups = range(0, replicates, REPLICATES_PER_STREAM)

    def run(first: int, rng: np.random.Generator) -> None:
        columns = slice(first, first + REPLICATES_PER_STREAM)
        _run(
            arrays.first_choice,
            successors,
            arrays.rewards,
            problem.stride,
            cumulative,
            start,
            min(depth, problem.horizon),
            episodes,
            made[:, columns],
            earned[:, columns],
            spent[:, columns],
            rng,
        )

    streams = rng.spawn(len(groups))
    if len(groups) == 1:
        run(0, streams[0])
    else:
        with ThreadPoolExecutor() as pool:
            list(pool.map(run, groups, streams))
    labels = ("time", "replicate")
    values = {"made": (labels, made), "reward": (labels, earned), "episodes": (labels, spent)}
    return Trace("GORP", np.arange(problem.horizon), values, clock="stage")
