r"""Convex programs over the occupancies of discounted processes: budgets, several objectives, entropy.

The occupancies of all policies form the polytope

.. math:: \mathcal{D} = \Bigl\{ d \ge 0 : \sum_{c \text{ of } s} d(c) = (1 - \gamma) \mu(s)
          + \gamma \sum_c p(s | c)\, d(c) \text{ for all } s \Bigr\},

so that whatever is concave in them can be maximised, even where no deterministic policy is optimal.
"""

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import UNIT_ROUNDOFF, Matrix, Vector, float_array, frozen, not_negative
from rltheory.problems.mdp import MDP
from rltheory.progress import sign_of_life
from rltheory.solvers.finite_horizon import LARGEST_SUM, backup_rounding, longest_law
from rltheory.solvers.occupancy import checked_discount, contraction_modulus, discounted_occupancy

__all__ = ["OccupancyOptimum", "occupancy_optimum"]


@dataclass(frozen=True)
class OccupancyOptimum:
    r"""A policy whose occupancy maximises a concave objective under budgets, with the proof of it.

    Parameters
    ----------
    policy : array, shape (C,)
        Probabilities of the choices in their states.
    occupancy : array, shape (C,)
        Discounted occupancy of that policy.
    value : float
        What the policy attains at least.
    bound : float
        What any policy within the budgets attains at most.
    violation : float
        What the policy exceeds a budget by at most; 0 if there are none.
    """

    policy: Vector
    occupancy: Vector
    value: float
    bound: float
    violation: float


def occupancy_optimum(
    mdp: MDP,
    discount: float,
    *,
    objectives: ArrayLike | None = None,
    costs: ArrayLike | None = None,
    budgets: ArrayLike | None = None,
    temperature: float = 0.0,
) -> OccupancyOptimum:
    r"""Maximise a concave function of the occupancy under budgets, by an interior-point method (CVXPY and Clarabel).

    .. math:: \max_{d \in \mathcal{D}} \; \min_k \langle R_k, d \rangle + \tau \sum_s q(s) H(\pi_s)
              \quad \text{subject to} \quad \langle C_j, d \rangle \le b_j,

    where :math:`q(s)` is the probability of the state and :math:`\pi_s` the law of the choice in it. Everything is in
    units of reward for each step: over :math:`1 - \gamma`, values are sums of discounted rewards.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    discount
        Discount factor in [0, 1).
    objectives : array_like, shape (K, C), optional
        Rewards :math:`R_k` of the choices for each of K aims, the least attained of which counts; the rewards of the
        process by default.
    costs : array_like, shape (J, C), optional
        Costs :math:`C_j` of the choices; none by default.
    budgets : array_like, shape (J,), optional
        Budgets :math:`b_j`, given with `costs`.
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
        If an argument is out of range or of another shape, or if no policy meets the budgets.

    References
    ----------
    Budgets: :cite:`altman1999`. Entropy: :cite:`neu2017`.

    Examples
    --------
    Two arms pay 1 and 0; the first costs 1, and a quarter is what may be spent.

    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
    >>> found = occupancy_optimum(bandit, 0.9, costs=[[1, 0]], budgets=[0.25])
    >>> found.policy.round(6), round(found.value, 6), round(found.bound, 6)
    (array([0.25, 0.75]), 0.25, 0.25)
    """
    discount, temperature = checked_discount(discount), not_negative(temperature, "temperature")
    aims = _per_choice(mdp, mdp.rewards[None] if objectives is None else objectives, "objectives")
    if (costs is None) != (budgets is None):
        raise ValueError("costs and budgets belong together; give both or neither")
    prices = np.zeros((0, mdp.choices)) if costs is None else _per_choice(mdp, costs, "costs")
    limits = float_array(() if budgets is None else budgets, "budgets", ndim=1)
    if limits.size != len(prices):
        raise ValueError(f"budgets has {limits.size} entries for {len(prices)} costs; give one for each")
    modulus = contraction_modulus(mdp.transition_matrix, discount, mdp.states)
    with sign_of_life(f"occupancy program of {mdp.choices} choices"):
        weighed, values, weights, multipliers = _solved(mdp, discount, aims, prices, limits, temperature)
    policy = _policy(mdp, weighed)
    visited = discounted_occupancy(mdp, policy, discount)
    summing = UNIT_ROUNDOFF * (mdp.choices + 2) * LARGEST_SUM + visited.error
    attained = float(np.min(aims @ visited.occupancy - summing * np.abs(aims).max(axis=1)))
    if temperature > 0:
        attained += temperature * _entropy(mdp, policy, visited.occupancy, summing)
    excess = prices @ visited.occupancy - limits + summing * np.abs(prices).max(axis=1)
    excess += 2 * UNIT_ROUNDOFF * np.abs(limits)
    bound = _dual_bound(
        mdp, discount, modulus, temperature, values, weights @ aims - multipliers @ prices, float(multipliers @ limits)
    )
    magnitude = weights @ np.abs(aims).max(axis=1) + multipliers @ (np.abs(prices).max(axis=1) + np.abs(limits))
    bound += 2 * UNIT_ROUNDOFF * (len(aims) + len(prices) + 4) * magnitude / (1 - modulus)
    return OccupancyOptimum(frozen(policy), visited.occupancy, attained, float(bound), float(max([0.0, *excess])))


def _per_choice(mdp: MDP, values: ArrayLike, name: str) -> Matrix:
    array = float_array(values, name, ndim=2)
    if array.shape[0] == 0 or array.shape[1] != mdp.choices:
        raise ValueError(f"{name} has shape {array.shape}; it must have a column for each of {mdp.choices} choices")
    return array


def _solved(
    mdp: MDP, discount: float, aims: Matrix, prices: Matrix, limits: Vector, temperature: float
) -> tuple[Vector, Vector, Vector, Vector]:
    """Occupancy, and the multipliers of the flow, the objectives and the budgets, as Clarabel leaves them."""
    from scipy.sparse import csr_array

    # CVXPY's types know neither all its functions nor what its operators return.
    cp: Any = import_module("cvxpy")
    of_states = csr_array((np.ones(mdp.choices), np.arange(mdp.choices), mdp.first_choice))
    occupancy, least = cp.Variable(mdp.choices, nonneg=True), cp.Variable()
    reached = of_states @ occupancy
    objective = least
    if temperature > 0:
        objective = least - temperature * cp.sum(cp.rel_entr(occupancy, of_states.T @ reached))
    flow = reached - discount * (mdp.transition_matrix.T @ occupancy) == (1 - discount) * mdp.initial
    reach_aims = aims @ occupancy >= least
    constraints = [flow, reach_aims]
    if len(prices):
        constraints.append(prices @ occupancy <= limits)
    program = cp.Problem(cp.Maximize(objective), constraints)
    with warnings.catch_warnings():
        # That the answer may be inaccurate is what the certificate says in numbers.
        warnings.simplefilter("ignore", UserWarning)
        program.solve(solver=cp.CLARABEL)
    if program.status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
        raise ValueError(f"no policy meets the budgets {limits.tolist()}; Clarabel calls them {program.status}")
    if occupancy.value is None:
        raise ArithmeticError(f"Clarabel found no optimum of the occupancies of {mdp!r}: {program.status}")
    weights = np.maximum(reach_aims.dual_value, 0.0)
    multipliers = np.maximum(constraints[2].dual_value, 0.0) if len(prices) else np.zeros(0)
    return occupancy.value, flow.dual_value, weights / weights.sum(), multipliers


def _policy(mdp: MDP, weighed: Vector) -> Vector:
    """Normalise weights of choices in each state; uniform where the state has none."""
    weights = np.maximum(weighed, 0.0)
    totals = np.add.reduceat(weights, mdp.first_choice[:-1])
    sizes = np.diff(mdp.first_choice)
    shares = np.where(np.repeat(totals > 0, sizes), weights, 1.0)
    policy: Vector = shares / np.repeat(np.where(totals > 0, totals, sizes), sizes)
    return policy


def _entropy(mdp: MDP, policy: Vector, occupancy: Vector, summing: float) -> float:
    """Lower bound on the mean entropy of the choices; `summing` is the relative error of a sum over the occupancy."""
    from scipy.special import entr

    of_states = np.add.reduceat(entr(policy), mdp.first_choice[:-1])
    widest = int(np.diff(mdp.first_choice).max())
    # An entropy sums terms below 1/e, which err by three units of rounding, and is log k at most.
    error = summing * np.log(widest) + UNIT_ROUNDOFF * (widest + 3) * (widest + 1)
    return float(occupancy @ of_states[mdp.state_of_choice] - error)


def _dual_bound(
    mdp: MDP, discount: float, modulus: float, temperature: float, values: Vector, rewards: Vector, spent: float
) -> float:
    r"""Upper bound :math:`(1 - \gamma) \langle \mu, v \rangle + \lambda b`, from any values v.

    A constant is added to them, so that they are no smaller than their backup with the rewards less priced costs.
    """
    action_values = rewards + discount * (mdp.transition_matrix @ values)
    best = np.maximum.reduceat(action_values, mdp.first_choice[:-1])
    widest = int(np.diff(mdp.first_choice).max())
    size, largest = float(np.abs(values).max()), float(np.abs(action_values).max())
    rounding = backup_rounding(longest_law(mdp.arrays), discount, size, largest) + 2 * UNIT_ROUNDOFF * size
    if temperature > 0:
        weights = np.exp((action_values - best[mdp.state_of_choice]) / temperature)
        best = best + temperature * np.log(np.add.reduceat(weights, mdp.first_choice[:-1]))
        rounding += UNIT_ROUNDOFF * (temperature * (6 * widest + 6) + float(np.abs(best).max()))
    short = float((best - values).max()) + rounding
    lifted = values + (short / (1 - modulus) if short > 0 else short)
    final = UNIT_ROUNDOFF * (mdp.states + 8) * (float(np.abs(lifted).max()) + size + abs(spent))
    return float((1 - discount) * (mdp.initial @ lifted)) + spent + final
