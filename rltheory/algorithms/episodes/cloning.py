r"""Behaviour cloning: a policy that does what demonstrations show.

An expert plays N episodes, in which choice c of state s is made :math:`N_h(c)` times at stage h, and the state is
visited :math:`N_h(s)` times. On tables, one is added to all counts,

.. math:: \pi_h(c) = \frac{N_h(c) + 1}{N_h(s) + A_s},

for :math:`A_s` choices of the state. In a log-linear class :math:`\pi_h(c) \propto e^{\langle \phi_h(c), \theta_h
\rangle}`, the likelihood is maximised, less :math:`\frac\rho2 \|\theta_h\|^2`.

Paper: :cite:`tiapkin2024`. Departure: in the paper, parameters of log-linear policies are bounded, not penalised.
"""

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.episodes.play import Path, World, empty_path, play_policy, world
from rltheory.arrays import Array, Matrix, Vector, count, first_index, float_array, positive
from rltheory.jit import kernel
from rltheory.problems import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.problems.policies import checked_policy

__all__ = [
    "behaviour_cloning",
    "checked_demonstrations",
    "cloning_bound",
    "demonstrations",
    "log_linear_cloning",
    "sample_trajectories",
]

# Newton's method ends where rounding does; this is far above it, and far below what demonstrations tell.
GRADIENT_TOLERANCE = 1e-8


@kernel
def _play(world: World, policy: Matrix, path: Path, choices: Indices, rng: np.random.Generator) -> None:
    for episode in range(choices.shape[0]):
        play_policy(world, policy, path, rng)
        for stage in range(choices.shape[1]):
            choices[episode, stage] = path.choices[stage]


def sample_trajectories(
    problem: FiniteHorizonMDP, policy: ArrayLike, trajectories: int, rng: np.random.Generator
) -> Indices:
    """Choices of a policy in independent episodes, which tell the states.

    Parameters
    ----------
    problem
        The process, H stages, C choices; rewards in [0, 1].
    policy : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states, at all stages or at each.
    trajectories
        Number of episodes N >= 0.
    rng
        Source of randomness.

    Returns
    -------
    array of int, shape (N, H)
        Number of the choice made in each episode at each stage.

    Raises
    ------
    ValueError, TypeError
        If `policy` is no policy, a reward lies outside [0, 1], or `trajectories` is no integer >= 0.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 4)
    >>> sample_trajectories(problem, [1, 0, 1, 0, 1, 0], 2, np.random.default_rng(0))
    array([[0, 0, 0, 0],
           [0, 0, 0, 0]])
    """
    probabilities = checked_policy(problem.stages[0], policy, stages=problem.horizon)
    choices = np.empty((count(trajectories, "trajectories"), problem.horizon), np.int64)
    _play(world(problem), probabilities, empty_path(problem), choices, rng)
    return choices


def demonstrations(
    problem: FiniteHorizonMDP, policy: ArrayLike, trajectories: int, rng: np.random.Generator
) -> Indices:
    """How often a policy makes each choice at each stage, in independent episodes.

    Parameters and errors are those of :func:`sample_trajectories`.

    Returns
    -------
    array of int, shape (H, C)
        Numbers of visits; those of a stage sum to the number of episodes.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 2)
    >>> demonstrations(problem, [0, 1, 0, 1, 0, 1], 100, np.random.default_rng(0))
    array([[  0, 100,   0,   0,   0,   0],
           [  0,  30,   0,  70,   0,   0]])
    """
    made = sample_trajectories(problem, policy, trajectories, rng)
    return np.array([np.bincount(of_stage, minlength=problem.choices) for of_stage in made.T])


def checked_demonstrations(problem: FiniteHorizonMDP, counts: ArrayLike) -> Indices:
    """Return `counts` as an array, shape (H, C), of integers >= 0 with the same sum at each stage."""
    numbers = np.asarray(counts)
    if numbers.shape != (problem.horizon, problem.choices) or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(
            f"counts has type {numbers.dtype} and shape {numbers.shape}; it must hold integers, for each of the "
            f"{problem.horizon} stages and {problem.choices} choices"
        )
    if (numbers < 0).any():
        place = first_index(numbers < 0)
        raise ValueError(f"counts{list(place)} is {numbers[place]}; a number of visits must be >= 0")
    sums = numbers.sum(axis=1)
    if (sums != sums[0]).any():
        stage = int(np.argmax(sums != sums[0]))
        raise ValueError(
            f"counts sums to {sums[stage]} at stage {stage} and to {sums[0]} at stage 0; a trajectory makes one choice "
            f"at each stage"
        )
    return numbers.astype(np.int64)


def behaviour_cloning(problem: FiniteHorizonMDP, counts: ArrayLike, *, prior: float = 1.0) -> Matrix:
    r"""Policy of demonstrations with `prior` added to all counts, 1 for the rule of Laplace.

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    counts : array_like of int, shape (H, C)
        How often each choice was made at each stage, as from :func:`demonstrations`.
    prior
        Number > 0 that is added to all counts; the guarantee is for 1.

    Returns
    -------
    array, shape (H, C)
        Probabilities of the choices in their states, all > 0.

    Raises
    ------
    ValueError, TypeError
        If `counts` are no counts of trajectories, or `prior` is not > 0. The message names the place.

    References
    ----------
    :cite:`tiapkin2024`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(2), 1)
    >>> behaviour_cloning(problem, [[1, 7, 0, 0]])
    array([[0.2, 0.8, 0.5, 0.5]])
    """
    weights = checked_demonstrations(problem, counts) + positive(prior, "prior")
    mdp = problem.stages[0]
    policy: Matrix = weights / np.add.reduceat(weights, mdp.first_choice[:-1], axis=1)[:, mdp.state_of_choice]
    return policy


def cloning_bound(problem: FiniteHorizonMDP, trajectories: int) -> float:
    r"""Bound on the mean divergence of an expert from its clone, :math:`H (C - S) / (N + 1)`.

    It bounds :math:`\mathbb{E}\, \mathrm{KL}_\text{traj}(\pi^E \| \pi)` for the clone :math:`\pi` of any expert
    :math:`\pi^E` by :func:`behaviour_cloning`, with H stages, S states, C choices in all and N trajectories.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> cloning_bound(FiniteHorizonMDP.stationary(river_swim(3), 4), 119)
    0.1
    """
    return problem.horizon * (problem.choices - problem.states) / (trajectories + 1)


def log_linear_cloning(
    problem: FiniteHorizonMDP, counts: ArrayLike, features: ArrayLike, *, ridge: float = 1.0
) -> Matrix:
    r"""Log-linear policy that maximises the likelihood of demonstrations, less a penalty, stage by stage.

    .. math:: \max_{\theta_h} \sum_c N_h(c) \log \pi_h(c) - \frac\rho2 \|\theta_h\|^2, \qquad
       \pi_h(c) \propto e^{\langle \phi(c), \theta_h \rangle}.

    The penalty makes the maximiser unique, and finite where an expert never errs.

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    counts : array_like of int, shape (H, C)
        How often each choice was made at each stage, as from :func:`demonstrations`.
    features : array_like, shape (C, d)
        Features :math:`\phi` of the choices.
    ridge
        Weight :math:`\rho > 0` of the penalty, in trajectories.

    Returns
    -------
    array, shape (H, C)
        Probabilities of the choices in their states, all > 0.

    Raises
    ------
    ArithmeticError
        If the maximum is not found.
    ValueError, TypeError
        If `counts` are no counts of trajectories, `features` do not fit, or `ridge` is not > 0.

    References
    ----------
    :cite:`tiapkin2024`

    Examples
    --------
    A feature that tells left from right serves both states: what is seen in one is done in the other.

    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(2), 1)
    >>> log_linear_cloning(problem, [[1, 7, 0, 0]], [[-1], [1], [-1], [1]], ridge=1e-3).round(3)
    array([[0.125, 0.875, 0.125, 0.875]])
    """
    visits, known = checked_demonstrations(problem, counts), float_array(features, "features", ndim=2)
    if len(known) != problem.choices:
        raise ValueError(f"features has {len(known)} rows; it must have one for each of the {problem.choices} choices")
    ridge = positive(ridge, "ridge")
    return np.array([_log_linear(problem, of_stage, known, ridge) for of_stage in visits])


def _log_linear(problem: FiniteHorizonMDP, visits: Indices, features: Matrix, ridge: float) -> Vector:
    """Probabilities of the choices at one stage."""
    from scipy.optimize import minimize

    first_choice, owner = problem.stages[0].first_choice[:-1], problem.stages[0].state_of_choice
    of_states = np.add.reduceat(visits, first_choice)[owner]

    def log_policy(theta: Vector) -> Vector:
        logits: Vector = features @ theta
        logits = logits - np.maximum.reduceat(logits, first_choice)[owner]
        return logits - np.log(np.add.reduceat(np.exp(logits), first_choice))[owner]

    def loss(theta: Vector) -> float:
        return float(-visits @ log_policy(theta) + ridge / 2 * theta @ theta)

    def gradient(theta: Vector) -> Vector:
        found: Vector = features.T @ (of_states * np.exp(log_policy(theta)) - visits) + ridge * theta
        return found

    def hessian(theta: Vector) -> Array:
        policy = np.exp(log_policy(theta))
        means = np.add.reduceat(policy[:, None] * features, first_choice, axis=0)[owner]
        centred = features - means
        found: Array = (centred.T * (of_states * policy)) @ centred + ridge * np.eye(theta.size)
        return found

    start = np.zeros(features.shape[1])
    found = minimize(loss, start, method="trust-exact", jac=gradient, hess=hessian, options={"gtol": 1e-12})
    steepness = float(np.abs(gradient(found.x)).max(initial=0.0))
    if not steepness <= GRADIENT_TOLERANCE * (visits.sum() + ridge) * max(1.0, float(np.abs(features).max())):
        raise ArithmeticError(f"the likelihood was not maximised; its gradient is still {steepness:.3g}")
    return np.exp(log_policy(found.x))
