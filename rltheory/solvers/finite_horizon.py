r"""Finite horizons: backward induction, plain and regularised, values and occupancies of policies.

Every answer comes with bounds on its error, stage by stage. Nothing is iterated to convergence here, so they are bounds
on rounding alone: each stage inherits the error of the next and adds its own,

.. math:: e_h = \gamma m\, e_{h+1} + u \left(\max_c |Q_h(c)| + (k + 2)\, \gamma m \max_s |V_{h+1}(s)|\right),

where :math:`u = 2^{-53}`, a law has k successors at most, and m bounds the sum of its probabilities. The process is
taken as it is stored.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import SUM_TOLERANCE, UNIT_ROUNDOFF, Array, Matrix, Vector, fraction, frozen, positive
from rltheory.jit import reordering_kernel
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import MDP, DenseArrays, DeterministicArrays, Indices, ProcessArrays, expectation
from rltheory.problems.policies import checked_policy

__all__ = [
    "FiniteHorizonEvaluation",
    "FiniteHorizonOccupancy",
    "FiniteHorizonOptimum",
    "SoftFiniteHorizonOptimum",
    "backward_induction",
    "finite_horizon_occupancy",
    "finite_horizon_values",
    "soft_backward_induction",
]

# Bound on the sum of a stored law or policy; the second tolerance covers the rounding of the sums and of the bounds.
LARGEST_SUM = 1 + 2 * SUM_TOLERANCE
SMALLEST = float(np.finfo(np.float64).smallest_subnormal)


@dataclass(frozen=True)
class FiniteHorizonEvaluation:
    r"""Values of a policy over a finite horizon, with the proof of their accuracy.

    Parameters
    ----------
    values : array, shape (H + 1, S)
        Expected rewards from each stage and state on; the last row, after the end, is 0.
    action_values : array, shape (H, C)
        The same if a certain choice is made first.
    errors : array, shape (H + 1,)
        ``errors[h]`` bounds the absolute error of all numbers of stage h, of both arrays.
    """

    values: Matrix
    action_values: Matrix
    errors: Vector


@dataclass(frozen=True)
class FiniteHorizonOptimum(FiniteHorizonEvaluation):
    r"""Optimal values over a finite horizon and a policy that attains them, with the proof of their accuracy.

    The arrays are those of :class:`FiniteHorizonEvaluation`, for the optimum. The policy is optimal up to rounding: the
    values are also those of the policy, within ``errors``, so that it loses ``2 * errors[h]`` at most.

    Parameters
    ----------
    made : array of int, shape (H, S)
        Number of the choice that the policy makes; the first of those whose values are computed as largest.
    """

    made: Indices

    @cached_property
    def policy(self) -> Matrix:
        """The policy as probabilities of the choices, shape (H, C)."""
        policy = np.zeros(self.action_values.shape)
        np.put_along_axis(policy, self.made, 1.0, axis=1)
        return frozen(policy)


@dataclass(frozen=True)
class SoftFiniteHorizonOptimum(FiniteHorizonEvaluation):
    r"""Optimal values of the regularised process and its policy, with the proof of their accuracy.

    The arrays are those of :class:`FiniteHorizonEvaluation`; action values hold no entropy or divergence of their own
    stage.

    Parameters
    ----------
    log_policy : array, shape (H, C)
        Logarithms of the probabilities :math:`\pi_h(c) = \mu_h(c)\, e^{(Q_h(c) - V_h(s)) / \tau}`, which err by
        ``2 * errors[h]`` over the temperature; :math:`\mu = 1` without reference. -inf for choices that the reference
        never makes.
    """

    log_policy: Matrix


@reordering_kernel
def _choices_backed_up(
    arrays: ProcessArrays, offset: int, discount: float, next_values: Vector, action_values: Vector
) -> None:
    """Write r + discount * (mean of the next values), of the choices from number `offset` on, to `action_values`."""
    rewards = arrays.rewards
    for choice in range(action_values.size):
        action_values[choice] = rewards[offset + choice] + discount * expectation(arrays, offset + choice, next_values)


@reordering_kernel
def _induct(
    arrays: ProcessArrays,
    stride: int,
    discount: float,
    values: Matrix,
    action_values: Matrix,
    made: Indices,
) -> None:
    first_choice = arrays.first_choice
    for stage in range(made.shape[0] - 1, -1, -1):
        of_stage, best_of_stage = action_values[stage], made[stage]
        _choices_backed_up(arrays, stage * stride, discount, values[stage + 1], of_stage)
        for state in range(best_of_stage.size):
            best = first_choice[state]
            for choice in range(first_choice[state] + 1, first_choice[state + 1]):
                if of_stage[choice] > of_stage[best]:
                    best = choice
            best_of_stage[state] = best
            values[stage, state] = of_stage[best]


@reordering_kernel
def evaluate(
    arrays: ProcessArrays,
    stride: int,
    discount: float,
    policy: Matrix,
    values: Matrix,
    action_values: Matrix,
) -> None:
    """Write the values of a policy at all stages but the end, which are given."""
    first_choice = arrays.first_choice
    for stage in range(policy.shape[0] - 1, -1, -1):
        of_stage, probabilities = action_values[stage], policy[stage]
        _choices_backed_up(arrays, stage * stride, discount, values[stage + 1], of_stage)
        for state in range(values.shape[1]):
            mean = 0.0
            for choice in range(first_choice[state], first_choice[state + 1]):
                mean += probabilities[choice] * of_stage[choice]
            values[stage, state] = mean


@reordering_kernel
def _induct_softly(
    arrays: ProcessArrays,
    stride: int,
    discount: float,
    temperature: float,
    log_reference: Matrix,
    values: Matrix,
    action_values: Matrix,
    log_policy: Matrix,
) -> None:
    first_choice = arrays.first_choice
    for stage in range(log_policy.shape[0] - 1, -1, -1):
        of_stage = action_values[stage]
        _choices_backed_up(arrays, stage * stride, discount, values[stage + 1], of_stage)
        for state in range(values.shape[1]):
            top = -np.inf
            for choice in range(first_choice[state], first_choice[state + 1]):
                log_policy[stage, choice] = of_stage[choice] + temperature * log_reference[stage, choice]
                top = max(top, log_policy[stage, choice])
            total = 0.0
            for choice in range(first_choice[state], first_choice[state + 1]):
                logit = (log_policy[stage, choice] - top) / temperature
                log_policy[stage, choice] = logit
                total += np.exp(logit)
            log_total = np.log(total)
            values[stage, state] = top + temperature * log_total
            for choice in range(first_choice[state], first_choice[state + 1]):
                log_policy[stage, choice] -= log_total


def backward_induction(problem: FiniteHorizonMDP, *, discount: float = 1.0) -> FiniteHorizonOptimum:
    r"""Optimal values :math:`V_h(s) = \max_c Q_h(c)` over the choices c of a state.

    .. math:: Q_h(c) = r_h(c) + \gamma \sum_{s'} p_h(s' | c)\, V_{h+1}(s'), \qquad V_H = 0.

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    discount
        Factor in [0, 1] by which a reward loses worth from stage to stage.

    Returns
    -------
    FiniteHorizonOptimum
        Values, a policy, and bounds on their errors.

    Raises
    ------
    ArithmeticError
        If a value leaves the range of float64.
    ValueError, TypeError
        If `discount` is no number in [0, 1].

    References
    ----------
    :cite:`puterman2005`, section 4.5.

    Examples
    --------
    Stock is reviewed three times before the season ends; the optimal returns are multiples of 1/16.

    >>> from rltheory.instances import inventory
    >>> found = backward_induction(FiniteHorizonMDP.stationary(inventory(), 3))
    >>> found.values[0] * 16
    array([ 67., 129., 194., 227.])
    """
    discount = fraction(discount, "discount")
    values, action_values = np.zeros((problem.horizon + 1, problem.states)), _empty(problem)
    made = np.empty((problem.horizon, problem.states), dtype=np.int64)
    _induct(problem.arrays, problem.stride, discount, values, action_values, made)
    errors = _errors(problem, discount, values, action_values)
    made.setflags(write=False)
    return FiniteHorizonOptimum(frozen(values), frozen(action_values), errors, made)


def soft_backward_induction(
    problem: FiniteHorizonMDP, temperature: float, *, reference: ArrayLike | None = None, discount: float = 1.0
) -> SoftFiniteHorizonOptimum:
    r"""Optimal values :math:`V_h(s) = \tau \log \sum_c e^{Q_h(c) / \tau}` where policies are paid for their entropy.

    A policy earns :math:`\tau` times the entropy of its choice, on top of the rewards, at each stage. With a reference
    :math:`\mu` it pays the penalty :math:`\tau\,\mathrm{KL}(\pi_h(\cdot | s) \| \mu_h(\cdot | s))` in its place, and
    :math:`V_h(s) = \tau \log \sum_c \mu_h(c)\, e^{Q_h(c) / \tau}`.

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    temperature
        Temperature :math:`\tau > 0`, in units of reward per nat.
    reference : array_like, shape (C,) or (H, C), optional
        Probabilities :math:`\mu` of the choices in their states, at all stages or at each.
    discount
        Factor in [0, 1] by which a reward loses worth from stage to stage.

    Returns
    -------
    SoftFiniteHorizonOptimum
        Values, log-probabilities of the policy, and bounds on their errors.

    Raises
    ------
    ArithmeticError
        If a value leaves the range of float64.
    ValueError, TypeError
        If `discount` is no number in [0, 1], `temperature` is not > 0, or `reference` is no policy.

    References
    ----------
    :cite:`neu2017`, :cite:`tiapkin2024`

    Examples
    --------
    Without rewards only the entropy counts, log 2 at each stage.

    >>> from rltheory.problems import TabularMDP
    >>> idle = TabularMDP([[[1.0], [1.0]]], [[0.0, 0.0]])
    >>> soft_backward_induction(FiniteHorizonMDP.stationary(idle, 2), 1.0).values[:, 0].round(4)
    array([1.3863, 0.6931, 0.    ])
    """
    discount, temperature = fraction(discount, "discount"), positive(temperature, "temperature")
    values, action_values, log_policy = (
        np.zeros((problem.horizon + 1, problem.states)),
        _empty(problem),
        _empty(problem),
    )
    log_reference, penalty = np.zeros_like(log_policy), 0.0
    if reference is not None:
        checked = checked_policy(problem.stages[0], reference, name="reference", stages=problem.horizon)
        penalty = -temperature * float(np.log(checked[checked > 0]).min())
        with np.errstate(divide="ignore"):
            log_reference = np.log(checked)
    _induct_softly(
        problem.arrays, problem.stride, discount, temperature, log_reference, values, action_values, log_policy
    )
    # Log-sum-exp passes errors of the Q on undiminished. Its own: an exponent x errs by 2u|x|, exp and log by 2u, and
    # |x| exp(x) <= 1/e, so that the sum, >= 1, errs relatively by (3k + 2)u at most, where k choices are summed.
    summed = int(np.diff(problem.stages[0].first_choice).max())
    own = UNIT_ROUNDOFF * (temperature * (6 * summed + 6) + np.abs(values[:-1]).max(axis=1))
    if penalty > 0:
        # The logarithm errs by 2u, its product by u, and the sum with the Q by u of itself.
        own += UNIT_ROUNDOFF * (4 * penalty + np.abs(action_values).max(axis=1))
    errors = _errors(problem, discount, values, action_values, own)
    return SoftFiniteHorizonOptimum(frozen(values), frozen(action_values), errors, frozen(log_policy))


def finite_horizon_values(
    problem: FiniteHorizonMDP, policy: ArrayLike, *, discount: float = 1.0
) -> FiniteHorizonEvaluation:
    r"""Values of a policy, :math:`V_h(s) = \sum_c \pi_h(c) Q_h(c)`, with Q as in :func:`backward_induction`.

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    policy : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states, at all stages or at each.
    discount
        Factor in [0, 1] by which a reward loses worth from stage to stage.

    Returns
    -------
    FiniteHorizonEvaluation
        Values with bounds on their errors.

    Raises
    ------
    ArithmeticError
        If a value leaves the range of float64.
    ValueError, TypeError
        If `discount` is no number in [0, 1], or `policy` is no policy.

    References
    ----------
    :cite:`puterman2005`, section 4.2.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 3)
    >>> finite_horizon_values(problem, [1, 0, 0, 1, 0, 1]).values[:, 0]
    array([0.015, 0.01 , 0.005, 0.   ])
    """
    discount = fraction(discount, "discount")
    probabilities = checked_policy(problem.stages[0], policy, stages=problem.horizon)
    values, action_values = np.zeros((problem.horizon + 1, problem.states)), _empty(problem)
    evaluate(problem.arrays, problem.stride, discount, probabilities, values, action_values)
    summed = int(np.diff(problem.stages[0].first_choice).max())
    own = UNIT_ROUNDOFF * (summed + 1) * LARGEST_SUM * np.abs(action_values).max(axis=1)
    errors = _errors(problem, discount, values, action_values, own)
    return FiniteHorizonEvaluation(frozen(values), frozen(action_values), errors)


@dataclass(frozen=True)
class FiniteHorizonOccupancy:
    r"""Probabilities of the choices that a policy makes, stage by stage, with the proof of their accuracy.

    Parameters
    ----------
    occupancy : array, shape (H, C)
        Probability that choice c is made at stage h.
    errors : array, shape (H,)
        ``errors[h]`` bounds the sum of the absolute errors of stage h.
    """

    occupancy: Matrix
    errors: Vector


def finite_horizon_occupancy(problem: FiniteHorizonMDP, policy: ArrayLike) -> FiniteHorizonOccupancy:
    r"""Probabilities :math:`d_h(c) = \pi_h(c)\, q_h(s)` that a policy makes choice c, of state s, at stage h.

    .. math:: q_0 = \mu, \qquad q_{h+1}(s') = \sum_c d_h(c)\, p_h(s' | c).

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices.
    policy : array_like, shape (C,) or (H, C)
        Probabilities of the choices in their states, at all stages or at each.

    Returns
    -------
    FiniteHorizonOccupancy
        Probabilities with bounds on their errors.

    Raises
    ------
    ValueError
        If `policy` is no policy.

    References
    ----------
    :cite:`puterman2005`, section 4.2.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> problem = FiniteHorizonMDP.stationary(river_swim(3), 2)
    >>> finite_horizon_occupancy(problem, [0, 1, 0, 1, 0, 1]).occupancy
    array([[0. , 1. , 0. , 0. , 0. , 0. ],
           [0. , 0.4, 0. , 0.6, 0. , 0. ]])
    """
    probabilities = checked_policy(problem.stages[0], policy, stages=problem.horizon)
    state_of_choice = problem.stages[0].state_of_choice
    occupancy, reached = _empty(problem), problem.initial
    for stage, mdp in enumerate(problem.stages):
        occupancy[stage] = probabilities[stage] * reached[state_of_choice]
        reached = mdp.transition_matrix.T @ occupancy[stage]
    # Sums of products >= 0: relative errors add up, two of products and one of a sum at each stage.
    distinct = problem.stages[: 1 if problem.stride == 0 else None]
    incoming = max(most_predecessors(mdp) for mdp in distinct)
    passed = np.arange(1, problem.horizon + 1)
    relative = passed * ((incoming + 3) * UNIT_ROUNDOFF)
    # An error relative to the exact number is one relative to the computed number, over 1 less itself.
    errors = relative / (1 - relative) * occupancy.sum(axis=1) * LARGEST_SUM + passed * (problem.choices**2 * SMALLEST)
    return FiniteHorizonOccupancy(frozen(occupancy), frozen(errors))


def most_predecessors(mdp: MDP) -> int:
    """Largest number of choices that may lead to the same state."""
    matrix = mdp.transition_matrix
    counts = np.count_nonzero(matrix, axis=0) if isinstance(matrix, np.ndarray) else np.bincount(matrix.indices)
    return int(counts.max())


def longest_law(arrays: ProcessArrays) -> int:
    """Bound on the number of successors of a choice."""
    if isinstance(arrays, DenseArrays):
        return int(arrays.transitions.shape[1])
    if isinstance(arrays, DeterministicArrays):
        return 1
    return int(np.diff(arrays.first_entry).max())


def backup_rounding(terms: int, discount: float, largest_next_value: float, largest_value: float) -> float:
    r"""Bound on the rounding error of :math:`r(c) + \gamma \sum_{s'} p(s' | c) v(s')`, with `terms` successors at most.

    A sum of k products errs by k u times the sum of their magnitudes, in whatever order and with or without fused
    operations; the product with the discount and the last sum err by u each.
    """
    magnitude = largest_value + (terms + 2) * discount * LARGEST_SUM * largest_next_value
    return UNIT_ROUNDOFF * magnitude + (terms + 2) * SMALLEST


def _errors(
    problem: FiniteHorizonMDP, discount: float, values: Matrix, action_values: Matrix, own: Array | None = None
) -> Vector:
    """Error bounds by stage; `own` is what the step from choices to states adds at each stage."""
    if not np.isfinite(values).all():
        stage, state = np.argwhere(~np.isfinite(values))[-1]
        raise ArithmeticError(f"the value of state {state} at stage {stage} leaves the range of float64; scale rewards")
    of_values, of_choices = np.abs(values).max(axis=1), np.abs(action_values).max(axis=1)
    terms = longest_law(problem.arrays)
    errors = np.zeros(problem.horizon + 1)
    for stage in range(problem.horizon - 1, -1, -1):
        rounding = backup_rounding(terms, discount, float(of_values[stage + 1]), float(of_choices[stage]))
        errors[stage] = discount * LARGEST_SUM * errors[stage + 1] + rounding
        if own is not None:
            errors[stage] = LARGEST_SUM * errors[stage] + own[stage]
    return frozen(errors)


def _empty(problem: FiniteHorizonMDP) -> Matrix:
    return np.empty((problem.horizon, problem.choices))
