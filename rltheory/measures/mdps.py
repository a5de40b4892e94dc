r"""Numbers of a Markov decision process and policies: suboptimality, regret, gaps, differences of returns, coverage."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Matrix, Vector, first_index, float_array, positive
from rltheory.measures.divergences import kl_terms
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import MDP
from rltheory.problems.policies import checked_policy
from rltheory.solvers.average_reward import average_policy_iteration
from rltheory.solvers.finite_horizon import (
    backward_induction,
    finite_horizon_occupancy,
    finite_horizon_values,
    soft_backward_induction,
)
from rltheory.solvers.occupancy import checked_discount, discounted_occupancy, discounted_values

__all__ = [
    "action_gaps",
    "average_reward_regret",
    "chi_square_coverage",
    "coverage",
    "discounted_regret",
    "finite_horizon_regret",
    "finite_horizon_suboptimality",
    "kl_regularized_suboptimality",
    "kl_regularized_value",
    "largest_occupancies",
    "partition_coefficients",
    "performance_difference",
    "performance_difference_reversed",
    "plan_loss",
    "pseudo_regret",
    "suboptimality",
    "summed_coverage",
    "trajectory_kl",
]


def action_gaps(mdp: MDP, action_values: Array) -> Array:
    r"""What a choice loses, :math:`\max_{c'} Q(c') - Q(c) \ge 0` over the choices :math:`c'` of the same state.

    Parameters
    ----------
    mdp
        The process, C choices.
    action_values : array, shape (..., C)
        Values of the choices; of optimal ones, the gaps are those of the theory.

    Returns
    -------
    array, shape (..., C)
        Gaps in units of reward; 0 for the best choices of a state.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> action_gaps(river_swim(2), np.array([1.0, 3.0, 2.0, 2.0]))
    array([2., 0., 0., 0.])
    """
    best = np.maximum.reduceat(action_values, mdp.first_choice[:-1], axis=-1)
    gaps: Array = best[..., mdp.state_of_choice] - action_values
    return gaps


def plan_loss(problem: FiniteHorizonMDP, made: ArrayLike) -> Vector:
    r"""What plans lose, :math:`\sum_h (V_h^*(s_h) - Q_h^*(c_h))`: what they return too little, if nothing is random.

    Parameters
    ----------
    problem
        The process, H stages.
    made : array_like of int, shape (H, R)
        Numbers of the choices that each of R plans makes, from the state to which it leads.

    Returns
    -------
    array, shape (R,)
        Losses in units of reward; exactly 0 for plans whose choices are all computed as best.

    Raises
    ------
    ValueError
        If the choices do not have the shape (H, R), or one does not exist. The message names it.

    Examples
    --------
    >>> from rltheory.instances import combination_lock
    >>> problem = FiniteHorizonMDP.stationary(combination_lock([1, 0]), 2)
    >>> plan_loss(problem, [[1, 0], [2, 0]])
    array([0., 1.])
    """
    plans = np.asarray(made)
    if plans.ndim != 2 or len(plans) != problem.horizon or not np.issubdtype(plans.dtype, np.integer):
        raise ValueError(
            f"made has type {plans.dtype} and shape {plans.shape}; it must hold integers, a row for each of the "
            f"{problem.horizon} stages"
        )
    outside = (plans < 0) | (plans >= problem.choices)
    if outside.any():
        place = first_index(outside)
        raise ValueError(f"made{list(place)} is {plans[place]}; there are choices 0 to {problem.choices - 1}")
    gaps = action_gaps(problem.stages[0], backward_induction(problem).action_values)
    losses: Vector = np.take_along_axis(gaps, plans, axis=1).sum(axis=0)
    return losses


def suboptimality(mdp: MDP, policy: ArrayLike, discount: float, optimal_values: ArrayLike) -> float:
    r"""What a policy earns less than the optimum, :math:`\sum_s \mu(s) (V^*(s) - V^\pi(s))`.

    It is computed as :math:`\frac{1}{1 - \gamma} \sum_c d^\pi(c) (V^*(s) - Q^*(c))`, which does not cancel near the
    optimum.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    policy : array_like, shape (C,)
        Probabilities of the choices in their states.
    discount
        Discount factor in [0, 1).
    optimal_values : array_like, shape (S,)
        Optimal values. Their error enters once by itself and once more over 1 - `discount`.

    Returns
    -------
    float
        The loss, in units of reward; >= 0 up to the error of the optimal values.

    Raises
    ------
    ArithmeticError, ValueError, TypeError
        As :func:`~rltheory.solvers.discounted_occupancy`, or if `optimal_values` has another shape.

    References
    ----------
    :cite:`kakade2002`, lemma 6.1.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> suboptimality(bandit, [0.75, 0.25], 0.5, [2.0])
    0.5
    """
    values = float_array(optimal_values, "optimal_values", ndim=1)
    if values.size != mdp.states:
        raise ValueError(f"optimal_values has {values.size} entries for {mdp.states} states; give one for each")
    occupancy = discounted_occupancy(mdp, policy, discount).occupancy
    losses = values[mdp.state_of_choice] - mdp.rewards - discount * (mdp.transition_matrix @ values)
    return float(occupancy @ losses) / (1 - discount)


def finite_horizon_suboptimality(problem: FiniteHorizonMDP, policy: ArrayLike) -> float:
    r"""What a policy earns less than the optimum, :math:`\sum_s \mu(s) (V_0^*(s) - V_0^\pi(s))`, over the horizon.

    It is computed as :math:`\sum_h \sum_c d_h^\pi(c) (V_h^*(s) - Q_h^*(c))`, a sum of terms >= 0 without cancellation.
    This is the expected regret of an episode.

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    policy : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states, at all stages or at each.

    Returns
    -------
    float
        The loss, in units of reward.

    Raises
    ------
    ArithmeticError, ValueError
        As :func:`~rltheory.solvers.backward_induction` and :func:`~rltheory.solvers.finite_horizon_occupancy`.

    Examples
    --------
    >>> from rltheory.instances import inventory
    >>> problem = FiniteHorizonMDP.stationary(inventory(), 3)
    >>> finite_horizon_suboptimality(problem, backward_induction(problem).policy)
    0.0
    """
    return float(finite_horizon_regret(problem, [policy])[0])


def discounted_regret(mdp: MDP, policies: Iterable[ArrayLike], discount: float, optimal_values: ArrayLike) -> Vector:
    r"""Expected regret of policies that play one episode each, :math:`\sum_{i \le k} (J^* - J(\pi_i))` after k of them.

    An episode starts from the initial distribution; its return J is the sum of discounted rewards.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    policies : iterable of array_like, shape (C,)
        The policy of each of K episodes: probabilities of the choices in their states.
    discount
        Discount factor in [0, 1).
    optimal_values : array_like, shape (S,)
        Optimal values, as for :func:`suboptimality`.

    Returns
    -------
    array, shape (K,)
        Sums of the first :func:`suboptimality` numbers, in units of reward.

    Raises
    ------
    ArithmeticError, ValueError, TypeError
        As :func:`suboptimality`.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> discounted_regret(bandit, [[0, 1], [0.5, 0.5], [1, 0]], 0.5, [2.0])
    array([2., 3., 3.])
    """
    return np.cumsum([suboptimality(mdp, policy, discount, optimal_values) for policy in policies])


def finite_horizon_regret(problem: FiniteHorizonMDP, policies: Iterable[ArrayLike]) -> Vector:
    r"""Expected regret of policies that play one episode each, :math:`\sum_{i \le k} (J^* - J(\pi_i))` after k of them.

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    policies : iterable of array_like, shape (C,) or (H, C)
        The policy of each of K episodes: probabilities of the choices in their states, at all stages or at each.

    Returns
    -------
    array, shape (K,)
        Sums of the first :func:`finite_horizon_suboptimality` numbers, in units of reward; they never decrease.

    Raises
    ------
    ArithmeticError, ValueError
        As :func:`finite_horizon_suboptimality`.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = FiniteHorizonMDP.stationary(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]]), 2)
    >>> finite_horizon_regret(bandit, [[0, 1], [[1, 0], [0.5, 0.5]], [1, 0]])
    array([2. , 2.5, 2.5])
    """
    gaps = action_gaps(problem.stages[0], backward_induction(problem).action_values)
    return np.cumsum([(finite_horizon_occupancy(problem, policy).occupancy * gaps).sum() for policy in policies])


def average_reward_regret(mdp: MDP, policies: ArrayLike, gain: float) -> Vector:
    r"""Expected regret of a run that never starts again, :math:`t g^* - E \sum_{i < t} r_i` after t steps.

    Parameters
    ----------
    mdp
        The process, C choices. The run starts from its initial distribution.
    policies : array_like, shape (T, C)
        Probabilities of the choices in their states, at each of T steps.
    gain
        The optimal gain, from all states the same.

    Returns
    -------
    array, shape (T,)
        Regret after each step, in units of reward. It may be negative, where the first states pay more than the gain,
        but not below minus the span of a bias that solves the optimality equation.

    Raises
    ------
    ValueError
        If `policies` holds no policies, or `gain` is not finite.

    References
    ----------
    :cite:`jaksch2010`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> two = TabularMDP([[[0, 1], [1, 0]], [[1, 0], [0, 1]]], [[0, 0.5], [3, 1]], initial=[1, 0])
    >>> average_reward_regret(two, [[1, 0, 1, 0]] * 4, 1.5)
    array([1.5, 0. , 1.5, 0. ])
    """
    steps = float_array(policies, "policies", ndim=2)
    if not np.isfinite(gain):
        raise ValueError(f"gain is {gain}; it must be finite")
    run = FiniteHorizonMDP.stationary(mdp, len(steps))
    return np.cumsum(gain - finite_horizon_occupancy(run, steps).occupancy @ mdp.rewards)


def pseudo_regret(mdp: MDP, visits: ArrayLike) -> Vector:
    r"""Sum of the gaps of all choices made, for the average reward.

    With an optimal gain :math:`g^*`, the same from all states, and bias :math:`h^*`, the gap of a choice c of state s
    is :math:`h^*(s) + g^* - r_c - \langle p_c, h^* \rangle \ge 0`. The regret :math:`t g^* - \sum r` differs from the
    sum of gaps by noise of order :math:`\sqrt t` times the span of the bias, and of both signs; exponents are visible
    in the gaps.

    Parameters
    ----------
    mdp
        The process, C choices.
    visits : array_like of int, shape (..., C)
        How often each choice was made.

    Returns
    -------
    array, shape (...,)
        Sums of gaps, in units of reward.

    Raises
    ------
    ValueError
        If the optimal gain differs between states, or shapes do not fit.

    References
    ----------
    :cite:`he2024average`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> two = TabularMDP([[[0, 1], [1, 0]], [[1, 0], [0, 1]]], [[0, 0.5], [3, 1]])
    >>> pseudo_regret(two, [[5, 0, 5, 0], [0, 9, 0, 1]]).round(9)
    array([0. , 9.5])
    """
    counts = np.asarray(visits)
    if counts.shape[-1:] != (mdp.choices,):
        raise ValueError(f"visits has shape {counts.shape}; its last dimension must have {mdp.choices} entries")
    best = average_policy_iteration(mdp)
    if np.ptp(best.gain) > float((best.upper - best.lower).max()) + 1e-9:
        low, high = int(best.gain.argmin()), int(best.gain.argmax())
        raise ValueError(
            f"the optimal gain is {best.gain[low]:.6g} from state {low} and {best.gain[high]:.6g} from state {high}; "
            f"regret of a run is defined for processes with one optimal gain"
        )
    action_values = mdp.rewards + mdp.transition_matrix @ best.bias - best.gain[0]
    gaps = np.maximum(best.bias[mdp.state_of_choice] - action_values, 0.0)
    return np.asarray(counts @ gaps, dtype=np.float64)


def trajectory_kl(problem: FiniteHorizonMDP, log_policy: ArrayLike, log_reference: ArrayLike) -> float:
    r"""Divergence of the trajectories of a policy from those of a reference.

    .. math:: \mathrm{KL}_\text{traj}(\pi \| \mu) = \sum_h \mathbb{E}_\pi\bigl[ \mathrm{KL}(\pi_h(\cdot | s_h) \|
       \mu_h(\cdot | s_h)) \bigr]

    Policies come as logarithms, as for :func:`~rltheory.measures.kl`, with the same care for small divergences.

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    log_policy, log_reference : array_like, shape (H, C)
        Logarithms of the probabilities of the choices in their states, at each stage; -inf for choices never made.

    Returns
    -------
    float
        Divergence in nats, >= 0; inf if the policy reaches a choice that the reference never makes.

    Raises
    ------
    ValueError
        If an array holds no logarithms of a policy.

    References
    ----------
    :cite:`tiapkin2024`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(2), 3)
    >>> uniform, skewed = np.full((3, 4), 0.5), np.tile([0.25, 0.75, 0.5, 0.5], (3, 1))
    >>> round(trajectory_kl(problem, np.log(uniform), np.log(skewed)), 4)
    0.3452
    """
    logs = []
    for name, log in (("log_policy", log_policy), ("log_reference", log_reference)):
        logs.append(np.array(log, dtype=np.float64))
        if logs[-1].shape != (problem.horizon, problem.choices):
            raise ValueError(
                f"{name} has shape {logs[-1].shape}; it must be {(problem.horizon, problem.choices)}, with a logarithm "
                f"for each choice at each stage"
            )
        checked_policy(problem.stages[0], np.exp(logs[-1]), name=f"exp({name})", stages=problem.horizon)
    first_choice = problem.stages[0].first_choice[:-1]
    occupancy = finite_horizon_occupancy(problem, np.exp(logs[0])).occupancy
    reached = np.add.reduceat(occupancy, first_choice, axis=1)
    divergences = np.add.reduceat(kl_terms(*logs), first_choice, axis=1)
    return float((reached[reached > 0] * divergences[reached > 0]).sum())


def kl_regularized_value(
    problem: FiniteHorizonMDP, policy: ArrayLike, reference: ArrayLike, temperature: float
) -> float:
    r"""What a policy earns from the start less a penalty for leaving a reference.

    .. math:: V^\pi_\lambda = V^\pi - \lambda\, \mathrm{KL}_\text{traj}(\pi \| \mu)

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    policy, reference : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states, at all stages or at each.
    temperature
        Weight :math:`\lambda > 0` of the penalty, in units of reward per nat.

    Returns
    -------
    float
        The value, in units of reward; -inf if the policy reaches a choice that the reference never makes.

    Raises
    ------
    ValueError, TypeError
        If `policy` or `reference` is no policy, or `temperature` is not > 0.

    References
    ----------
    :cite:`tiapkin2024`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = FiniteHorizonMDP.stationary(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]]), 1)
    >>> round(kl_regularized_value(bandit, [1, 0], [0.5, 0.5], 0.1), 4)
    0.9307
    """
    temperature = positive(temperature, "temperature")
    earned = float(problem.initial @ finite_horizon_values(problem, policy).values[0])
    logs = (_log_policy(problem, policy, "policy"), _log_policy(problem, reference, "reference"))
    return earned - temperature * trajectory_kl(problem, *logs)


def kl_regularized_suboptimality(
    problem: FiniteHorizonMDP, log_policy: ArrayLike, reference: ArrayLike, temperature: float
) -> float:
    r"""What a policy lacks to the largest :func:`kl_regularized_value`.

    It is computed as :math:`\lambda\, \mathrm{KL}_\text{traj}(\pi \| \pi^*_\lambda)`, to which it is equal and which
    does not cancel near the optimal policy :math:`\pi^*_\lambda`.

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    log_policy : array_like, shape (H, C)
        Logarithms of the probabilities of the choices in their states, at each stage; -inf for choices never made.
    reference : array_like, shape (C,) or (H, C)
        Probabilities :math:`\mu` of the choices in their states, at all stages or at each.
    temperature
        Weight :math:`\lambda > 0` of the penalty, in units of reward per nat.

    Returns
    -------
    float
        The loss, in units of reward, >= 0; inf if the policy reaches a choice that the reference never makes.

    Raises
    ------
    ValueError, TypeError
        If `log_policy` or `reference` is no policy, or `temperature` is not > 0.

    References
    ----------
    :cite:`tiapkin2024`

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = FiniteHorizonMDP.stationary(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]]), 1)
    >>> uniform = np.array([[0.5, 0.5]])
    >>> round(kl_regularized_suboptimality(bandit, np.log(uniform), uniform, 1.0), 4)
    0.1201
    """
    optimum = soft_backward_induction(problem, temperature, reference=reference)
    return temperature * trajectory_kl(problem, log_policy, optimum.log_policy)


def _log_policy(problem: FiniteHorizonMDP, policy: ArrayLike, name: str) -> Array:
    """Logarithms of a policy, shape (H, C)."""
    with np.errstate(divide="ignore"):
        return np.log(checked_policy(problem.stages[0], policy, name=name, stages=problem.horizon))


def performance_difference(mdp: MDP, policy: ArrayLike, other: ArrayLike, discount: float) -> float:
    r"""How much more a policy earns than another, :math:`J(\pi) - J(\pi')`, from the advantages of the other.

    .. math:: J(\pi) - J(\pi') = \frac{1}{1 - \gamma} \sum_c d^{\pi}(c) \left(Q^{\pi'}(c) - V^{\pi'}(s)\right)

    Parameters
    ----------
    mdp
        The process, C choices.
    policy, other : array_like, shape (C,)
        Probabilities of the choices in their states.
    discount
        Discount factor in [0, 1).

    Returns
    -------
    float
        The difference of the returns, in units of reward.

    Raises
    ------
    ArithmeticError, ValueError, TypeError
        As :func:`~rltheory.solvers.discounted_values`.

    References
    ----------
    :cite:`kakade2002`, lemma 6.1.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> performance_difference(bandit, [1, 0], [0.5, 0.5], 0.5)
    1.0
    """
    evaluated = discounted_values(mdp, other, discount)
    advantages = evaluated.action_values - evaluated.values[mdp.state_of_choice]
    return float(discounted_occupancy(mdp, policy, discount).occupancy @ advantages) / (1 - discount)


def performance_difference_reversed(mdp: MDP, policy: ArrayLike, other: ArrayLike, discount: float) -> float:
    r"""How much more a policy earns than another, :math:`J(\pi) - J(\pi')`, from the occupancy of the other.

    .. math:: J(\pi) - J(\pi') = \frac{1}{1 - \gamma} \sum_c q^{\pi'}(s) \left(\pi(c) - \pi'(c)\right) Q^{\pi}(c)

    Here q are the discounted probabilities of the states. Parameters, returns and errors are those of
    :func:`performance_difference`, whose formula this is with the roles exchanged.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> performance_difference_reversed(bandit, [1, 0], [0.5, 0.5], 0.5)
    1.0
    """
    discount = checked_discount(discount)
    visited = discounted_occupancy(mdp, other, discount).occupancy
    reached = np.add.reduceat(visited, mdp.first_choice[:-1])[mdp.state_of_choice]
    changes = checked_policy(mdp, policy) - checked_policy(mdp, other, name="other")
    return float(reached * changes @ discounted_values(mdp, policy, discount).action_values) / (1 - discount)


def coverage(occupancy: ArrayLike, data: ArrayLike) -> float:
    r"""How well data cover an occupancy: the largest ratio :math:`\max_c d(c) / \nu(c)`, the concentrability.

    Parameters
    ----------
    occupancy : array_like, shape (...)
        Probabilities of choices, or of choices at stages.
    data : array_like, shape (...)
        Probabilities of the same in the data.

    Returns
    -------
    float
        At least 1 for distributions; inf if the data miss what the policy does.

    Raises
    ------
    ValueError
        If shapes differ or a probability is negative.

    References
    ----------
    :cite:`chen2019`

    Examples
    --------
    >>> coverage([0.5, 0.5, 0.0], [0.25, 0.75, 0.0]), coverage([0.5, 0.5], [1.0, 0.0])
    (2.0, inf)
    """
    return float(_ratios(*_checked_pair(occupancy, data)).max())


def chi_square_coverage(occupancy: ArrayLike, data: ArrayLike) -> float:
    r"""How well data cover an occupancy on average: :math:`\sum_c d(c)^2 / \nu(c)`, one more than the chi-square.

    It is :func:`coverage` at most. Parameters and errors are those of :func:`coverage`.

    Examples
    --------
    >>> chi_square_coverage([0.5, 0.5], [0.5, 0.5]), chi_square_coverage([1.0, 0.0], [0.25, 0.75])
    (1.0, 4.0)
    """
    visited, covered = _checked_pair(occupancy, data)
    ratios = _ratios(visited, covered)
    # Where nothing is visited, 0 times any ratio is 0.
    return float((visited * ratios).sum()) if np.isfinite(ratios).all() else np.inf


def summed_coverage(occupancy: ArrayLike, data: ArrayLike) -> float:
    r"""How well data cover an occupancy, choice by choice: :math:`\sum_c d(c) / \nu(c)` over choices that are made.

    Parameters and errors are those of :func:`coverage`, which is the largest of the terms.

    Examples
    --------
    >>> summed_coverage([0.5, 0.5, 0.0], [0.25, 0.75, 0.0]), summed_coverage([0.5, 0.5], [1.0, 0.0])
    (2.6666666666666665, inf)
    """
    return float(_ratios(*_checked_pair(occupancy, data)).sum())


def largest_occupancies(problem: FiniteHorizonMDP) -> Matrix:
    r"""Largest probability :math:`\max_\pi d^\pi_h(c)` with which a policy makes choice c at stage h, shape (H, C).

    Its :func:`coverage` by data is the concentrability of all policies.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> largest_occupancies(FiniteHorizonMDP.stationary(river_swim(3), 2))
    array([[1. , 1. , 0. , 0. , 0. , 0. ],
           [1. , 1. , 0.6, 0.6, 0. , 0. ]])
    """
    return np.array([_largest_means(problem, stage, np.eye(problem.choices)) for stage in range(problem.horizon)])


def partition_coefficients(problem: FiniteHorizonMDP, data: ArrayLike, kept: ArrayLike) -> Vector:
    r"""How well data cover part of a process, whatever the policy.

    .. math:: c_h(X) = \max_\pi \sum_{c \in X_h} \frac{d^\pi_h(c)}{\nu_h(c)}.

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    data : array_like, shape (H, C)
        Probabilities :math:`\nu_h(c)` of the choices at each stage in the data. With numbers of records in their place
        the coefficients are divided by how many there are.
    kept : array_like of bool, shape (H, C)
        The part X.

    Returns
    -------
    array, shape (H,)
        Coefficients, by backward induction; inf if data miss what a policy can do within the part.

    Raises
    ------
    ValueError
        If a shape differs or a probability is negative.

    References
    ----------
    :cite:`tan2024`

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 2)
    >>> data = [[0.5, 0.5, 0, 0, 0, 0], [0, 0.5, 0, 0.5, 0, 0]]
    >>> partition_coefficients(problem, data, np.array(data) > 0)
    array([2., 2.])
    """
    reachable, covered = _checked_pair(largest_occupancies(problem), data)
    part = np.array(kept)
    if part.dtype != bool or part.shape != covered.shape:
        raise ValueError(
            f"kept has shape {part.shape} and type {part.dtype}; it must be {covered.shape}, of bool: whether a choice "
            "is in the part"
        )
    weights = np.divide(1.0, covered, out=np.zeros_like(covered), where=part & (covered > 0))
    missed = (part & (covered == 0) & (reachable > 0)).any(axis=1)
    found = [_largest_means(problem, stage, row[None])[0] for stage, row in enumerate(weights)]
    return np.where(missed, np.inf, found)


def _largest_means(problem: FiniteHorizonMDP, stage: int, weights: Matrix) -> Vector:
    """Largest mean over policies of weights of the choice made at a stage, for each row of weights (K, C)."""
    starts = problem.stages[0].first_choice[:-1]
    values = np.maximum.reduceat(weights, starts, axis=1)
    for mdp in reversed(problem.stages[:stage]):
        values = np.maximum.reduceat((mdp.transition_matrix @ values.T).T, starts, axis=1)
    means: Vector = values @ problem.initial
    return means


def _checked_pair(occupancy: ArrayLike, data: ArrayLike) -> tuple[Array, Array]:
    visited = float_array(occupancy, "occupancy", ndim=np.ndim(occupancy))
    covered = float_array(data, "data", ndim=np.ndim(data))
    if visited.shape != covered.shape or visited.size == 0:
        raise ValueError(
            f"occupancy has shape {visited.shape} and data {covered.shape}; they must be the same, not empty"
        )
    for name, array in (("occupancy", visited), ("data", covered)):
        if (array < 0).any():
            place = first_index(array < 0)
            raise ValueError(f"{name}{list(place)} is {array[place]}; a probability must be >= 0")
    return visited, covered


def _ratios(visited: Array, covered: Array) -> Vector:
    """Quotients; 0 / 0 is 0, anything else over 0 is inf."""
    ratios: Vector = np.where(visited > 0, np.inf, 0.0)
    np.divide(visited, covered, out=ratios, where=covered > 0)
    return ratios
