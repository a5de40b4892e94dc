r"""LSVI-UCB-Ent: least-squares value iteration with bonuses, where divergence from a reference policy is penalised.

In a linear process the mean of any value function is linear in the features :math:`\phi_c` of a choice. With
:math:`\Lambda_h = \rho I + \sum_i \phi_i \phi_i^T` over the choices made at stage h, and :math:`G = H - 1 - h` stages
still to come,

.. math:: \bar w_h &= \Lambda_h^{-1} \sum_i \phi_i\, \bar V_{h+1}(s_i'), \\
   \bar Q_h(c) &= r_c + \min\{G,\; \max\{0,\;
   \langle \phi_c, \bar w_h \rangle + \beta G \|\phi_c\|_{\Lambda_h^{-1}}\}\},

and :math:`\underline Q` alike, with the bonus subtracted; :math:`V_h(s) = \lambda \log \sum_c \mu_h(c)\,
e^{Q_h(c) / \lambda}` of either. The policy to be returned, and exploration at one stage of each episode, are those of
:mod:`~rltheory.algorithms.episodes.ucbvi_ent`, which this is for features that indicate choices, but for the ridge
:math:`\rho`. Plans are made anew when the determinant of some :math:`\Lambda_h` has doubled.

Paper: :cite:`tiapkin2024`. Departures: rare plans, known rewards, and no certificate.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.episodes.play import empty_path, play_policy, world
from rltheory.algorithms.episodes.ucbvi_ent import TIE
from rltheory.arrays import Array, Matrix, Vector, count, not_negative, positive
from rltheory.measures import finite_horizon_suboptimality, trajectory_kl
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.linear_mdp import LinearMDP
from rltheory.problems.policies import checked_policy
from rltheory.solvers import soft_backward_induction
from rltheory.trace import Trace, record_times

__all__ = ["lsvi_ucb_ent"]


def _plan(
    problem: LinearMDP, log_reference: Matrix, temperature: float, beta: float, grams: Array, moves: Array
) -> tuple[Matrix, Matrix, Vector]:
    """Logarithms of the policy and indicators of the widest choices, (H, C), and upper values of the first stage."""
    mdp, horizon = problem.tabular, len(moves)
    features, first_choice = problem.features.reshape(mdp.choices, -1), mdp.first_choice[:-1]
    log_policy, widest = np.empty_like(log_reference), np.empty_like(log_reference)
    upper, lower, numbers = np.zeros(mdp.states), np.zeros(mdp.states), np.arange(mdp.choices)
    for stage in reversed(range(horizon)):
        to_go = horizon - 1.0 - stage
        inverse = np.linalg.inv(grams[stage])
        bonuses = beta * to_go * np.sqrt(((features @ inverse) * features).sum(axis=1))
        # The sums over what followed are those of counts; columns are the upper and the lower values.
        means = features @ (inverse @ (features.T @ (moves[stage] @ np.column_stack([upper, lower]))))
        above, below = np.clip(means[:, 0] + bonuses, 0, to_go), np.clip(means[:, 1] - bonuses, 0, to_go)
        penalised = mdp.rewards + temperature * log_reference[stage]
        upper, lower = (
            temperature * np.logaddexp.reduceat((penalised + later) / temperature, first_choice)
            for later in (above, below)
        )
        log_policy[stage] = (penalised + above - upper[mdp.state_of_choice]) / temperature
        gaps = above - below
        nearly = gaps >= (1 - TIE) * np.maximum.reduceat(gaps, first_choice)[mdp.state_of_choice]
        first = np.minimum.reduceat(np.where(nearly, numbers, mdp.choices), first_choice)
        widest[stage] = numbers == first[mdp.state_of_choice]
    return log_policy, widest, upper


def lsvi_ucb_ent(
    problem: LinearMDP,
    reference: ArrayLike,
    temperature: float,
    *,
    horizon: int,
    episodes: int,
    beta: float,
    rng: np.random.Generator,
    ridge: float = 1.0,
) -> Trace:
    r"""Run LSVI-UCB-Ent. The learner knows the features and the rewards.

    Parameters
    ----------
    problem
        The process at each stage; rewards in [0, 1].
    reference : array_like, shape (C,) or (H, C)
        Probabilities :math:`\mu` of the choices in their states, at all stages or at each.
    temperature
        Weight :math:`\lambda > 0` of the penalty, in units of reward per nat.
    horizon
        Stages H >= 1 of an episode.
    episodes
        Number of episodes >= 1.
    beta
        Width :math:`\beta \ge 0` of the confidence ellipsoids over the range of values.
    rng
        Source of randomness.
    ridge
        Regularisation :math:`\rho > 0` of least squares.

    Returns
    -------
    Trace
        After each recorded number of episodes: ``log_policy``, shape (time, stage, choice), of the policy to be
        returned; what it lacks, exactly, with the penalty (``suboptimality``) and without (``loss``); ``value``, the
        mean of :math:`\bar V_0` over the first state; ``switches``, how often the plan changed.

    Raises
    ------
    ValueError, TypeError
        If a reward lies outside [0, 1], `reference` is no policy, or a number is out of its range.

    References
    ----------
    :cite:`tiapkin2024`

    Examples
    --------
    >>> from rltheory.instances import random_linear_mdp
    >>> from rltheory.problems import uniform_policy
    >>> problem = random_linear_mdp(np.random.default_rng(0), 10, 3, 3)
    >>> run = {"horizon": 4, "episodes": 300, "beta": 1.0, "rng": np.random.default_rng(0)}
    >>> trace = lsvi_ucb_ent(problem, uniform_policy(problem.tabular), 0.1, **run)
    >>> bool(trace.last("suboptimality") < trace["suboptimality"][0] / 3)
    True
    """
    temperature, beta, ridge = (
        positive(temperature, "temperature"),
        not_negative(beta, "beta"),
        positive(ridge, "ridge"),
    )
    staged = FiniteHorizonMDP.stationary(problem.tabular, horizon)
    mu = checked_policy(problem.tabular, reference, name="reference", stages=horizon)
    times = record_times(count(episodes, "episodes", at_least=1))
    process, path = world(staged), empty_path(staged)
    features, dimension = problem.features.reshape(staged.choices, -1), problem.dimension
    with np.errstate(divide="ignore"):
        log_reference = np.log(mu)
    log_best = soft_backward_induction(staged, temperature, reference=mu).log_policy
    grams, moves = (
        np.tile(ridge * np.eye(dimension), (horizon, 1, 1)),
        np.zeros((horizon, staged.choices, staged.states)),
    )
    stages, volumes_then, switches = np.arange(horizon), np.full(horizon, -np.inf), -1
    rows: list[tuple[float, float, float, int]] = []
    policies: list[Matrix] = []
    episode = 0
    for time in times:
        while True:
            _, volumes = np.linalg.slogdet(grams)
            if (volumes >= volumes_then + math.log(2)).any():
                log_policy, widest, upper = _plan(problem, log_reference, temperature, beta, grams, moves)
                volumes_then, switches = volumes, switches + 1
            if episode == time:
                break
            policy, explored = np.exp(log_policy), int(horizon * rng.random())
            policy[explored] = widest[explored]
            play_policy(process, policy, path, rng)
            made = features[path.choices]
            grams += made[:, :, None] * made[:, None, :]
            moves[stages, path.choices, path.states[1:]] += 1
            episode += 1
        lacks = temperature * trajectory_kl(staged, log_policy, log_best)
        loss = finite_horizon_suboptimality(staged, np.exp(log_policy))
        rows.append((lacks, loss, float(staged.initial @ upper), switches))
        policies.append(log_policy)
    columns = (np.array(column) for column in zip(*rows, strict=True))
    values: dict[str, tuple[tuple[str, ...], Array]] = {
        name: (("time",), column)
        for name, column in zip(("suboptimality", "loss", "value", "switches"), columns, strict=True)
    }
    values["log_policy"] = (("time", "stage", "choice"), np.array(policies))
    return Trace("LSVI-UCB-Ent", times, values, clock="episode")
