r"""Convex programs over occupancies: budgets, several objectives, entropy.

The occupancies of all policies form a polytope, for a discounted process

.. math:: \mathcal{D} = \Bigl\{ d \ge 0 : \sum_{c \text{ of } s} d(c) = (1 - \gamma) \mu(s)
          + \gamma \sum_c p(s | c)\, d(c) \text{ for all } s \Bigr\},

so that whatever is concave in them can be maximised, even where no deterministic policy is optimal. The same holds over
a horizon, with one occupancy for each stage, and for the average reward, with a discount of 1 and mass 1.

For any weights w of the objectives and prices :math:`\lambda \ge 0` of the costs, the optimum without budgets for the
rewards :math:`\sum_k w_k r_k - \sum_j \lambda_j C_j`, plus :math:`\lambda \cdot b`, is an upper bound. Those for the
multipliers of the program are the bounds returned.
"""

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector, count, frozen, not_negative
from rltheory.problems.constrained_mdp import ConstrainedMDP, VectorRewardMDP
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import MDP
from rltheory.progress import sign_of_life
from rltheory.solvers.chains import Laws, induced_chain, normalised, stationary_laws
from rltheory.solvers.end_components import is_weakly_communicating
from rltheory.solvers.finite_horizon import (
    LARGEST_SUM,
    backup_rounding,
    backward_induction,
    finite_horizon_occupancy,
    longest_law,
    soft_backward_induction,
)
from rltheory.solvers.occupancy import checked_discount, contraction_modulus, discounted_occupancy

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "OccupancyOptimum",
    "average_occupancy_optimum",
    "finite_horizon_occupancy_optimum",
    "occupancy_optimum",
]


Problem: TypeAlias = MDP | VectorRewardMDP | ConstrainedMDP


@dataclass(frozen=True)
class OccupancyOptimum:
    r"""A policy whose occupancy maximises a concave objective under budgets, with the proof of it.

    Parameters
    ----------
    policy : array, shape (C,), or (H, C) over a horizon
        Probabilities of the choices in their states.
    occupancy : array of the same shape
        Occupancy of that policy.
    value : float
        What the policy attains at least.
    bound : float
        What any policy within the budgets attains at most.
    violation : float
        What the policy exceeds a budget by at most; 0 if there are none.
    weights : array, shape (K,)
        Weights of the objectives, a distribution, with which `bound` is proved.
    multipliers : array, shape (J,)
        Prices of the costs, >= 0, in units of reward for a unit of cost, with which `bound` is proved. Where the
        optimum is differentiable in the budgets, these are its derivatives.
    """

    policy: Array
    occupancy: Array
    value: float
    bound: float
    violation: float
    weights: Vector
    multipliers: Vector

    @property
    def gap(self) -> float:
        """What may be missing to the optimum."""
        return self.bound - self.value


def occupancy_optimum(problem: Problem, discount: float, *, temperature: float = 0.0) -> OccupancyOptimum:
    r"""Maximise a concave function of the occupancy under budgets, by an interior-point method (CVXPY and Clarabel).

    .. math:: \max_{d \in \mathcal{D}} \; \min_k \langle r_k, d \rangle + \tau \sum_s q(s) H(\pi_s)
              \quad \text{subject to} \quad \langle C_j, d \rangle \le b_j,

    where :math:`q(s)` is the probability of the state and :math:`\pi_s` the law of the choice in it. Everything is in
    units of reward for each step: over :math:`1 - \gamma`, values are sums of discounted rewards.

    Parameters
    ----------
    problem
        A process, S states, C choices; with K rewards, the least of which counts, if it is a
        :class:`~rltheory.problems.VectorRewardMDP`, and J budgets if a :class:`~rltheory.problems.ConstrainedMDP`.
    discount
        Discount factor in [0, 1).
    temperature
        Temperature :math:`\tau \ge 0` of the entropy, in units of reward per nat.

    Returns
    -------
    OccupancyOptimum
        The policy; what it attains, from its occupancy, which is computed anew; and a bound on what can be attained,
        from the multipliers of the program by weak duality. Both include rounding; they agree up to the tolerance of
        Clarabel, 1e-8 relative to the numbers of the program.

    Raises
    ------
    ArithmeticError
        If Clarabel stops without an answer, or the discount is so close to 1 that float64 can certify nothing.
    ValueError, TypeError
        If an argument is out of range, or if no policy meets the budgets.

    References
    ----------
    Budgets: :cite:`altman1999`. Entropy: :cite:`neu2017`.

    Examples
    --------
    Two arms pay 1 and 0; the first costs 1, and a quarter is what may be spent.

    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> found = occupancy_optimum(ConstrainedMDP(bandit, [[1, 0]], [0.25]), 0.9)
    >>> found.policy.round(6), round(found.value, 6), round(found.bound, 6), found.multipliers.round(6)
    (array([0.25, 0.75]), 0.25, 0.25, array([1.]))
    """
    from scipy.sparse import csr_array

    discount, temperature = checked_discount(discount), not_negative(temperature, "temperature")
    parts = _parts(problem)
    mdp = parts.mdp
    modulus = contraction_modulus(mdp.transition_matrix, discount, mdp.states)
    of_states = _of_states(mdp)
    balance = of_states - discount * csr_array(mdp.transition_matrix).T
    solved = _solved(parts, of_states, balance, (1 - discount) * mdp.initial, temperature)
    policy = _policy(mdp, solved.occupancy)
    visited = discounted_occupancy(mdp, policy, discount)
    bound = _dual_bound(mdp, discount, modulus, temperature, solved.values, *_lagrangian(parts, solved))
    bound += _pricing_rounding(parts, solved) / (1 - modulus)
    return _certified(parts, solved, policy, visited.occupancy, visited.error, temperature, bound)


def finite_horizon_occupancy_optimum(problem: Problem, horizon: int, *, temperature: float = 0.0) -> OccupancyOptimum:
    r"""Maximise a concave function of the occupancies of the stages of an episode under budgets.

    .. math:: \max_d \; \min_k \sum_h \langle r_k, d_h \rangle + \tau \sum_h \sum_s q_h(s) H(\pi_h(s))
              \quad \text{subject to} \quad \sum_h \langle C_j, d_h \rangle \le b_j

    Parameters
    ----------
    problem
        As for :func:`occupancy_optimum`; it is the same at all stages.
    horizon
        Number of stages H, >= 1.
    temperature
        Temperature :math:`\tau \ge 0` of the entropy, in units of reward per nat.

    Returns
    -------
    OccupancyOptimum
        As of :func:`occupancy_optimum`, in units of reward for an episode. The bound is from backward induction.

    Raises
    ------
    ArithmeticError
        If Clarabel stops without an answer.
    ValueError, TypeError
        If an argument is out of range, or if no policy meets the budgets.

    References
    ----------
    :cite:`altman1999`

    Examples
    --------
    Of three rounds one may be played with the costly arm.

    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> found = finite_horizon_occupancy_optimum(ConstrainedMDP(bandit, [[1, 0]], [1]), 3)
    >>> round(found.value, 6), round(found.bound, 6)
    (1.0, 1.0)
    """
    from scipy.sparse import csr_array, eye_array, kron

    horizon, temperature = count(horizon, "horizon", at_least=1), not_negative(temperature, "temperature")
    parts = _parts(problem)
    mdp = parts.mdp
    of_stages = csr_array(kron(eye_array(horizon), _of_states(mdp)))
    inflow = csr_array(kron(eye_array(horizon, k=-1), csr_array(mdp.transition_matrix).T))
    start = np.append(mdp.initial, np.zeros((horizon - 1) * mdp.states))
    solved = _solved(parts, of_stages, of_stages - inflow, start, temperature)
    policy = _policy(mdp, solved.occupancy.reshape(horizon, mdp.choices))
    visited = finite_horizon_occupancy(FiniteHorizonMDP.stationary(mdp, horizon), policy)
    rewards, worth = _lagrangian(parts, solved)
    priced = FiniteHorizonMDP.stationary(mdp.with_rewards(rewards), horizon)
    optimum = soft_backward_induction(priced, temperature) if temperature > 0 else backward_induction(priced)
    bound = float(mdp.initial @ optimum.values[0]) + worth
    largest = float(np.abs(optimum.values[0]).max())
    bound += LARGEST_SUM * float(optimum.errors[0]) + UNIT_ROUNDOFF * (mdp.states + 4) * (largest + abs(worth))
    bound += 2 * horizon * _pricing_rounding(parts, solved)
    error = float(visited.errors.sum())
    return _certified(parts, solved, policy, visited.occupancy, error, temperature, bound)


def average_occupancy_optimum(problem: Problem, *, temperature: float = 0.0) -> OccupancyOptimum:
    r"""Maximise a concave function of the long-run frequencies of choices under budgets.

    .. math:: \max_d \; \min_k \langle r_k, d \rangle + \tau \sum_s q(s) H(\pi_s)
              \quad \text{subject to} \quad \langle C_j, d \rangle \le b_j,

    over the laws d with :math:`\sum_{c \text{ of } s} d(c) = \sum_c p(s | c)\, d(c)` for all states.

    Parameters
    ----------
    problem
        As for :func:`occupancy_optimum`; the process must be weakly communicating. Where it is not unichain, the best d
        may lie on several recurrent classes, which no stationary policy mixes; then the policy returned starts from the
        initial distribution, and the gap between its value and the bound stays open.
    temperature
        Temperature :math:`\tau \ge 0` of the entropy, in units of reward per nat.

    Returns
    -------
    OccupancyOptimum
        As of :func:`occupancy_optimum`.

    Raises
    ------
    ArithmeticError
        If Clarabel stops without an answer, or the policy takes too long between its states for float64 to certify
        anything.
    ValueError, TypeError
        If the process is not weakly communicating, an argument is out of range, or no policy meets the budgets.

    References
    ----------
    :cite:`altman1999`, :cite:`puterman2005` section 8.9

    Examples
    --------
    The river swimmer may swim to the right in half of the steps.

    >>> from rltheory.instances import river_swim
    >>> found = average_occupancy_optimum(ConstrainedMDP(river_swim(3), [[0, 1, 0, 1, 0, 1]], [0.5]))
    >>> round(found.value, 4), round(found.bound, 4), found.policy[1::2].round(4)
    (0.2259, 0.2259, array([0.0408, 1.    , 1.    ]))
    """
    from scipy.sparse import csr_array, vstack

    temperature = not_negative(temperature, "temperature")
    parts = _parts(problem)
    mdp = parts.mdp
    if not is_weakly_communicating(mdp):
        raise ValueError("the process is not weakly communicating, so that what is attained may depend on the state")
    of_states, laws = _of_states(mdp), normalised(mdp.transition_matrix)
    flow = of_states - csr_array(laws).T
    balance = csr_array(vstack([flow, np.ones((1, mdp.choices))]))
    solved = _solved(parts, of_states, balance, np.append(np.zeros(mdp.states), 1.0), temperature)
    policy = _policy(mdp, solved.occupancy)
    chain, _ = induced_chain(mdp, policy)
    found = stationary_laws(chain)
    initial = mdp.initial / mdp.initial.sum()
    visited = (initial @ found.absorption @ found.laws)[mdp.state_of_choice] * policy
    # Twice the errors of the factors, for their products.
    error = 2 * (found.law_error + len(found.laws) * found.absorption_error) + (mdp.choices + 8) * UNIT_ROUNDOFF
    rewards, worth = _lagrangian(parts, solved)
    best, rounding = _backed_up(mdp, laws, 1.0, temperature, solved.values[:-1], rewards)
    # No gain is larger than the largest change of any values by their backup.
    upper = float((best - solved.values[:-1]).max()) + rounding
    bound = upper + worth + 2 * _pricing_rounding(parts, solved) + 2 * UNIT_ROUNDOFF * (abs(upper) + abs(worth))
    return _certified(parts, solved, policy, frozen(visited), error, temperature, bound)


class _Parts(NamedTuple):
    """What a problem consists of, whichever it is."""

    mdp: MDP
    rewards: Matrix  # (K, C)
    costs: Matrix  # (J, C)
    budgets: Vector  # (J,)


def _parts(problem: Problem) -> _Parts:
    process = problem.process if isinstance(problem, ConstrainedMDP) else problem
    mdp, rewards = (
        (process.mdp, process.rewards) if isinstance(process, VectorRewardMDP) else (process, process.rewards[None])
    )
    if isinstance(problem, ConstrainedMDP):
        return _Parts(mdp, rewards, problem.costs, problem.budgets)
    return _Parts(mdp, rewards, np.zeros((0, mdp.choices)), np.zeros(0))


class _Solved(NamedTuple):
    """What Clarabel leaves: an occupancy, and the multipliers of the balance, the objectives and the budgets."""

    occupancy: Vector
    values: Vector
    weights: Vector
    multipliers: Vector


def _of_states(mdp: MDP) -> "csr_array":
    """Matrix that sums numbers of choices over each state, shape (S, C)."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(mdp.choices), np.arange(mdp.choices), mdp.first_choice))


def _solved(parts: _Parts, of_states: "csr_array", balance: "csr_array", start: Vector, temperature: float) -> _Solved:
    """Solve the program over the occupancies, of one stage or more, with ``balance @ occupancy == start``."""
    # CVXPY's types know neither all its functions nor what its operators return.
    cp: Any = import_module("cvxpy")
    choices = of_states.shape[1]
    rewards, costs = (np.tile(numbers, choices // parts.mdp.choices) for numbers in (parts.rewards, parts.costs))
    occupancy, least = cp.Variable(choices, nonneg=True), cp.Variable()
    objective = least
    if temperature > 0:
        objective = least - temperature * cp.sum(cp.rel_entr(occupancy, of_states.T @ (of_states @ occupancy)))
    balanced, reach_aims = balance @ occupancy == start, rewards @ occupancy >= least
    constraints = [balanced, reach_aims]
    if parts.budgets.size:
        constraints.append(costs @ occupancy <= parts.budgets)
    program = cp.Problem(cp.Maximize(objective), constraints)
    with sign_of_life(f"occupancy program of {choices} choices"), warnings.catch_warnings():
        # That the answer may be inaccurate is what the certificate says in numbers.
        warnings.simplefilter("ignore", UserWarning)
        program.solve(solver=cp.CLARABEL)
    if program.status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
        raise ValueError(f"no policy meets the budgets {parts.budgets.tolist()}; Clarabel calls them {program.status}")
    if occupancy.value is None:
        raise ArithmeticError(f"Clarabel found no optimum of the occupancies of {parts.mdp!r}: {program.status}")
    weights = np.maximum(reach_aims.dual_value, 0.0)
    multipliers = np.maximum(constraints[2].dual_value, 0.0) if parts.budgets.size else np.zeros(0)
    return _Solved(occupancy.value, balanced.dual_value, weights / weights.sum(), multipliers)


def _policy(mdp: MDP, weighed: Array) -> Array:
    """Normalise weights of choices in each state; uniform where the state has none."""
    weights = np.maximum(weighed, 0.0)
    totals = np.add.reduceat(weights, mdp.first_choice[:-1], axis=-1)[..., mdp.state_of_choice]
    sizes = np.diff(mdp.first_choice)[mdp.state_of_choice]
    policy: Array = np.where(totals > 0, weights, 1.0) / np.where(totals > 0, totals, sizes)
    return policy


def _lagrangian(parts: _Parts, solved: _Solved) -> tuple[Vector, float]:
    """Rewards of the weighted objectives less priced costs, and the worth of the budgets."""
    rewards = solved.weights @ parts.rewards - solved.multipliers @ parts.costs
    return rewards, float(solved.multipliers @ parts.budgets)


def _pricing_rounding(parts: _Parts, solved: _Solved) -> float:
    """Bound on the rounding of the Lagrangian: of the reward of any choice, and of the worth of the budgets."""
    magnitude = solved.weights @ np.abs(parts.rewards).max(axis=1)
    magnitude += solved.multipliers @ (np.abs(parts.costs).max(axis=1) + np.abs(parts.budgets))
    return float(2 * UNIT_ROUNDOFF * (len(parts.rewards) + len(parts.costs) + 4) * magnitude)


def _certified(
    parts: _Parts,
    solved: _Solved,
    policy: Array,
    occupancy: Array,
    error: float,
    temperature: float,
    bound: float,
) -> OccupancyOptimum:
    """Evaluate a policy by its occupancy, the sum of whose errors is given."""
    visits = occupancy.reshape(-1, parts.mdp.choices).sum(axis=0)
    summing = UNIT_ROUNDOFF * (occupancy.size + 2) * LARGEST_SUM * float(visits.sum()) + error
    attained = float(np.min(parts.rewards @ visits - summing * np.abs(parts.rewards).max(axis=1)))
    if temperature > 0:
        attained += temperature * _entropy(parts.mdp, policy, occupancy, summing)
    excess = parts.costs @ visits - parts.budgets + summing * np.abs(parts.costs).max(axis=1)
    excess += 2 * UNIT_ROUNDOFF * np.abs(parts.budgets)
    return OccupancyOptimum(
        frozen(policy),
        occupancy,
        attained,
        float(bound),
        float(max([0.0, *excess])),
        frozen(solved.weights),
        frozen(solved.multipliers),
    )


def _entropy(mdp: MDP, policy: Array, occupancy: Array, summing: float) -> float:
    """Lower bound on the entropy of the choices; `summing` is the absolute error of a sum over the occupancy."""
    from scipy.special import entr

    of_states = np.add.reduceat(entr(policy), mdp.first_choice[:-1], axis=-1)
    widest = int(np.diff(mdp.first_choice).max())
    # An entropy sums terms below 1/e, which err by three units of rounding, and is log k at most.
    error = summing * np.log(widest) + UNIT_ROUNDOFF * (widest + 3) * (widest + 1) * float(occupancy.sum())
    return float((occupancy * of_states[..., mdp.state_of_choice]).sum() - error)


def _dual_bound(
    mdp: MDP, discount: float, modulus: float, temperature: float, values: Vector, rewards: Vector, spent: float
) -> float:
    r"""Upper bound :math:`(1 - \gamma) \langle \mu, v \rangle + \lambda b`, from any values v.

    A constant is added to them, so that they are no smaller than their backup with the rewards less priced costs.
    """
    best, rounding = _backed_up(mdp, mdp.transition_matrix, discount, temperature, values, rewards)
    size = float(np.abs(values).max())
    short = float((best - values).max()) + rounding
    lifted = values + (short / (1 - modulus) if short > 0 else short)
    final = UNIT_ROUNDOFF * (mdp.states + 8) * (float(np.abs(lifted).max()) + size + abs(spent))
    return float((1 - discount) * (mdp.initial @ lifted)) + spent + final


def _backed_up(
    mdp: MDP, laws: Laws, discount: float, temperature: float, values: Vector, rewards: Vector
) -> tuple[Vector, float]:
    """Backup of values, soft with a temperature, and the rounding of how much it changes them."""
    action_values = rewards + discount * (laws @ values)
    best = np.maximum.reduceat(action_values, mdp.first_choice[:-1])
    widest = int(np.diff(mdp.first_choice).max())
    size, largest = float(np.abs(values).max()), float(np.abs(action_values).max())
    # Twice the terms, for laws that were divided by their sums.
    rounding = backup_rounding(2 * longest_law(mdp.arrays) + 2, discount, size, largest) + 2 * UNIT_ROUNDOFF * size
    if temperature > 0:
        weights = np.exp((action_values - best[mdp.state_of_choice]) / temperature)
        best = best + temperature * np.log(np.add.reduceat(weights, mdp.first_choice[:-1]))
        rounding += UNIT_ROUNDOFF * (temperature * (6 * widest + 6) + float(np.abs(best).max()))
    return best, rounding
