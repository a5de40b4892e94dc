r"""LSVI-UCB: least-squares value iteration with bonuses, for linear processes.

Each episode follows the best choices of the critic of :mod:`~rltheory.algorithms.episodes.ridge`, which is made anew
after every episode; or, with rare switching, after one in which the determinant of :math:`\Lambda_h` has come to be
twice what it was when the critic was made, for some stage h < H. The plan then changes a logarithmic number of times.

Paper: :cite:`jin2020`; rare switching is from :cite:`wang2021` and :cite:`gao2021`. Departures: rewards are known and
stand outside the regression and the cut, and the constant of the bonus is derived here.
"""

import numpy as np

from rltheory.algorithms.episodes.play import (
    Path,
    Record,
    World,
    empty_path,
    empty_record,
    labelled,
    loss_of_plan,
    named,
    play_plan,
    promised,
    world,
    write,
)
from rltheory.algorithms.episodes.ridge import (
    LinearCritic,
    absorb,
    has_doubled,
    new_linear_critic,
    refit,
    theorem_bonus,
)
from rltheory.arrays import Matrix, Times, Vector, apart, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP, LinearMDP
from rltheory.problems.mdp import Indices
from rltheory.trace import Trace

__all__ = ["lsvi_ucb"]


@kernel
def _run(
    world: World,
    critic: LinearCritic,
    beta: float,
    rare_switching: bool,
    then: Vector,
    visits: Indices,
    path: Path,
    losses: Matrix,
    times: Times,
    record: Record,
    log_determinants: Matrix,
    rng: np.random.Generator,
) -> None:
    made, choices, now = critic.made, path.choices, critic.log_determinants
    regret, loss, switches, due = 0.0, 0.0, -1, True
    for place in range(1, times.size):
        for _ in range(times[place - 1], times[place]):
            if due:
                if refit(critic, beta):
                    switches += 1
                    loss = loss_of_plan(world, made, losses)
                for stage in range(then.size):
                    then[stage] = now[stage]
            regret += loss
            play_plan(world, made, path, rng)
            absorb(critic, path)
            for stage in range(choices.size):
                visits[choices[stage]] += 1
            due = not rare_switching or has_doubled(now, then)
        write(record, place, regret, loss, promised(world, critic.values), switches, visits)
        for stage in range(then.size):
            log_determinants[place, stage] = now[stage]


def lsvi_ucb(
    problem: LinearMDP,
    *,
    horizon: int,
    episodes: int,
    rng: np.random.Generator,
    rare_switching: bool = False,
    delta: float = 0.05,
    bonus: float = 1.0,
    regularization: float = 1.0,
) -> Trace:
    r"""Run LSVI-UCB on a linear process of a finite horizon. The learner knows features and rewards.

    Parameters
    ----------
    problem
        The process of every stage; rewards in [0, 1].
    horizon
        Number of stages H >= 1.
    episodes
        Number of episodes T >= 1, which the bonus knows.
    rng
        Source of randomness.
    rare_switching
        Whether the critic is made anew only when a determinant has doubled.
    delta
        Probability in (0, 1) that bonuses are too small.
    bonus
        Multiplier >= 0 of :func:`~rltheory.algorithms.episodes.ridge.theorem_bonus`; the guarantee is for 1, and
        without bonus the learner does not explore.
    regularization
        :math:`\lambda > 0`; the guarantee is for 1 and more.

    Returns
    -------
    Trace
        As :func:`~rltheory.algorithms.episodes.play.labelled` describes, with the changes of the plan as ``switches``,
        and ``log_determinants``, shape (time, stage), of :math:`\Lambda_h / \lambda` for all stages but the last.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], or a number is out of its range.

    References
    ----------
    :cite:`jin2020`, :cite:`wang2021`, :cite:`gao2021`

    Examples
    --------
    >>> from rltheory.instances import random_linear_mdp
    >>> linear = random_linear_mdp(np.random.default_rng(0), 20, 3, 3)
    >>> trace = lsvi_ucb(linear, horizon=4, episodes=2000, bonus=0.03, rng=np.random.default_rng(0))
    >>> bool(trace.last("suboptimality") < 5e-3)
    True
    """
    bonus, regularization = not_negative(bonus, "bonus"), positive(regularization, "regularization")
    episodic = FiniteHorizonMDP.stationary(problem.tabular, horizon)
    times, record = empty_record(episodic, episodes)
    process, critic = world(episodic, pooled=True), new_linear_critic(problem, horizon, regularization)
    beta = bonus * theorem_bonus(
        problem.dimension, horizon=horizon, episodes=episodes, delta=delta, regularization=regularization
    )
    log_determinants = np.zeros((times.size, horizon - 1))
    _run(
        process,
        critic,
        beta,
        rare_switching,
        apart(np.empty(horizon - 1)),
        apart(np.zeros(episodic.choices, np.int64)),
        empty_path(episodic),
        apart(np.zeros_like(critic.values)),
        times,
        record,
        log_determinants,
        rng,
    )
    name = "LSVI-UCB, rare switching" if rare_switching else "LSVI-UCB"
    return labelled(named(name, bonus), times, record, log_determinants=log_determinants)
