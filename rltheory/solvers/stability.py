r"""How far rewards can move before the optimal policy does.

Where a policy :math:`\pi` is the only optimal one, its gaps :math:`\Delta(c) = V(s) - Q(c)`, for the choices c that it
does not make, are linear in the rewards: :math:`\Delta(c) = \langle g_c, r \rangle` with

.. math:: g_c = D_s - e_c - \gamma \sum_{s'} p(s' | c)\, D_{s'},

where :math:`D_s` are the expected discounted numbers of times that :math:`\pi` makes each choice from s on. The policy
stays the only optimal one as long as all gaps are positive. So rewards that err by less than

.. math:: \rho = \min_c \frac{\Delta(c)}{\sum_x w(x)\, |g_c(x)|}

times a weight :math:`w(x)` at each choice x leave it alone, and no larger number has this property. With weights of 1,
every sum lies between 2 and :math:`2 / (1 - \gamma)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector, first_index, float_array, fraction, frozen
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import MDP, Indices
from rltheory.problems.policies import deterministic_policy
from rltheory.solvers.discounted import solve
from rltheory.solvers.finite_horizon import LARGEST_SUM, backward_induction
from rltheory.solvers.occupancy import (
    SLACK,
    DiscountedEvaluation,
    checked_discount,
    contraction_modulus,
    discounted_values,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "FiniteHorizonStabilityRadius",
    "GapGradients",
    "HemicontinuityRadius",
    "OptimalityMargins",
    "StabilityRadius",
    "finite_horizon_stability_radius",
    "gap_gradients",
    "hemicontinuity_radius",
    "optimality_margins",
    "stability_radius",
]

BLOCK = 1 << 22  # numbers of a block of a large matrix, some 32 MB
SPARSE_FILL = 1 / 8  # share of nonzero factors beyond which dense ones are faster

Solver: TypeAlias = Callable[[Matrix, bool], Matrix]


@dataclass(frozen=True, kw_only=True)
class StabilityRadius:
    r"""How far rewards can move without a change of the optimal policy, with the proof of it.

    Parameters
    ----------
    radius : float
        :math:`\rho > 0`, in units of reward over weight.
    lower, upper : float
        Proved bounds on it, rounding included.
    state, choice : int
        Where the policy changes first: the choice, of this state, which becomes as good as the policy's.
    policy : array of int, shape (S,)
        Number of the choice that the only optimal policy makes.
    gaps : array, shape (C,)
        What the choices lose, :math:`\Delta(c)`, in units of reward; 0 for those of the policy.
    norms : array, shape (C,)
        :math:`\sum_x w(x) |g_c(x)|`; 0 for the choices of the policy.
    perturbation : array, shape (C,)
        Smallest change of the rewards that ends the policy's being the only optimum: at most the radius times the
        weight in size. Anything beyond it in the same direction makes `choice` better.
    """

    radius: float
    lower: float
    upper: float
    state: int
    choice: int
    policy: Indices
    gaps: Vector
    norms: Vector
    perturbation: Vector


@dataclass(frozen=True, kw_only=True)
class FiniteHorizonStabilityRadius(StabilityRadius):
    """The same over a finite horizon, where arrays have the stages first: (H, S) and (H, C).

    Parameters
    ----------
    stage : int
        Stage at which the policy changes first.
    """

    stage: int


@dataclass(frozen=True)
class HemicontinuityRadius:
    r"""How far rewards can move without a new optimal choice in any state, with the proof of it.

    Parameters
    ----------
    radius : float
        :math:`(1 - \gamma) \Delta_{\min} / 2`, with the smallest positive gap; inf if every choice is optimal.
    lower, upper : float
        Proved bounds on it, rounding included.
    optimal : array of bool, shape (C,)
        Which choices are optimal; those whose loss may be 0, given what float64 knows, count.
    """

    radius: float
    lower: float
    upper: float
    optimal: NDArray[np.bool_]


@dataclass(frozen=True)
class GapGradients:
    r"""Derivatives of gaps by the rewards, with the proof of their accuracy.

    Parameters
    ----------
    gradients : array, shape (K, C)
        A row :math:`g_c` for each choice that was asked for.
    error : float
        Bound on the sum of the absolute errors of a row.
    """

    gradients: Matrix
    error: float


@dataclass(frozen=True)
class OptimalityMargins:
    r"""By how much a policy is better than any other, for several rewards, with the proof of their accuracy.

    Parameters
    ----------
    margins : array, shape (N,)
        Smallest gap of a choice that the policy does not make, for each reward: the policy is the only optimal one if
        it is > 0, and not optimal if it is < 0. It is inf where no state has another choice.
    error : float
        Bound on the absolute error of every margin.
    """

    margins: Vector
    error: float


def stability_radius(mdp: MDP, discount: float, *, weights: ArrayLike | None = None) -> StabilityRadius:
    r"""Largest :math:`\rho` such that rewards within less than :math:`\rho` leave the optimal policy as it is.

    Rewards :math:`r'` with :math:`|r'(x) - r(x)| < \rho\, w(x)` have the same policy as their only optimum, and some
    at that distance do not. If the rewards are a mixture :math:`r(x) = \sum_k w_k(x) R_k(x)`, the weights :math:`w_k`
    make it the radius of the component :math:`R_k` alone. A bandit is a process of one state at discount 0.

    Parameters
    ----------
    mdp
        The process, S states, C choices. A matrix of order S is factorised and solved for S right-hand sides: some
        :math:`8 S^3 / 3` steps and, with dense laws, :math:`2 C S^2` more, with sparse ones :math:`2 E S` for E
        successors. Memory is that of the factors, :math:`S^2` numbers at most, and of blocks of some 32 MB.
    discount
        Discount factor in [0, 1).
    weights : array_like, shape (C,), optional
        How far the reward of each choice may move, >= 0, in units of the radius; 1 by default.

    Returns
    -------
    StabilityRadius
        The radius, where the policy changes first, and the smallest change of the rewards that does it.

    Raises
    ------
    ValueError, TypeError
        If the optimal policy is not unique, as far as float64 can tell: the message names a state and its tied choices.
        If nothing within the weights can change the policy. If `discount` or `weights` are out of range.
    ArithmeticError
        If the discount is so close to 1 that float64 can certify nothing.

    References
    ----------
    The setting is that of :cite:`xu2025`, Theorem 2.3; the radius is derived in ``proofs_checks``.

    Examples
    --------
    A bandit changes its mind when both rewards move half the gap towards each other.

    >>> from rltheory.problems import TabularMDP
    >>> found = stability_radius(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.5]]), 0.0)
    >>> found.radius, found.perturbation
    (0.25, array([-0.25,  0.25]))
    """
    discount = checked_discount(discount)
    allowed = _checked_weights(weights, (mdp.choices,))
    made, evaluation = _optimum(mdp, discount)
    gaps, doubt = _gaps(mdp, evaluation)
    others = _others(mdp, made)
    _require_unique(mdp, gaps[None], others, np.array([doubt]))
    norms, norm_error = _gradient_norms(mdp, made, discount, allowed)
    norms[made] = 0.0
    gaps[made] = 0.0
    radius, lower, upper, choice = _smallest_ratio(gaps, np.full(mdp.choices, doubt), norms, norm_error, others)
    found = gap_gradients(mdp, made, discount, [choice])
    direction = np.where(np.abs(found.gradients[0]) > found.error, -np.sign(found.gradients[0]), 0.0)
    return StabilityRadius(
        radius=radius,
        lower=lower,
        upper=upper,
        state=int(mdp.state_of_choice[choice]),
        choice=choice,
        policy=made,
        gaps=frozen(gaps),
        norms=frozen(norms),
        perturbation=frozen(radius * allowed * direction),
    )


def finite_horizon_stability_radius(
    problem: FiniteHorizonMDP, *, discount: float = 1.0, weights: ArrayLike | None = None
) -> FiniteHorizonStabilityRadius:
    r"""Largest :math:`\rho` such that rewards within less than :math:`\rho` leave the optimal policy as it is.

    Everything is as in :func:`stability_radius`, with a reward for each stage and choice, and gradients of norm between
    2 and :math:`2 (H - h)` at stage :math:`h = 0, \ldots, H - 1` where nothing is discounted.

    Parameters
    ----------
    problem
        The process, H stages, S states, C choices: some :math:`H^2 C S^2` steps with dense laws.
    discount
        Factor in [0, 1] by which a reward loses worth from stage to stage.
    weights : array_like, shape (H, C), optional
        How far each reward may move, >= 0, in units of the radius; 1 by default.

    Returns
    -------
    FiniteHorizonStabilityRadius
        The radius, where the policy changes first, and the smallest change of the rewards that does it.

    Raises
    ------
    ValueError, TypeError
        As :func:`stability_radius`; the message on ties names the stage, too.
    ArithmeticError
        If a value leaves the range of float64.

    References
    ----------
    :cite:`xu2025`

    Examples
    --------
    >>> from rltheory.instances import chain
    >>> found = finite_horizon_stability_radius(FiniteHorizonMDP.stationary(chain(3), 5))
    >>> found.stage, found.state, round(found.radius, 6)
    (2, 0, 0.323077)
    """
    discount = fraction(discount, "discount")
    shape = (problem.horizon, problem.choices)
    allowed = _checked_weights(weights, shape)
    optimum = backward_induction(problem, discount=discount)
    mdp, made = problem.stages[0], optimum.made
    gaps = optimum.values[:-1, mdp.state_of_choice] - optimum.action_values
    doubt = 2 * optimum.errors[:-1] + 2 * UNIT_ROUNDOFF * np.abs(optimum.values[:-1]).max(axis=1)
    others = np.stack([_others(mdp, choices) for choices in made])
    _require_unique(mdp, gaps, others, doubt)
    norms, norm_error = _finite_horizon_norms(problem, made, discount, allowed)
    norms[~others] = 0.0
    gaps[~others] = 0.0
    doubts = np.repeat(doubt, problem.choices)
    radius, lower, upper, place = _smallest_ratio(gaps.ravel(), doubts, norms.ravel(), norm_error, others.ravel())
    stage, choice = divmod(place, problem.choices)
    direction = 0.0 - np.sign(_finite_horizon_gradient(problem, made, discount, stage, choice))
    return FiniteHorizonStabilityRadius(
        radius=radius,
        lower=lower,
        upper=upper,
        stage=stage,
        state=int(mdp.state_of_choice[choice]),
        choice=choice,
        policy=made,
        gaps=frozen(gaps),
        norms=frozen(norms),
        perturbation=frozen(radius * allowed * direction),
    )


def hemicontinuity_radius(mdp: MDP, discount: float) -> HemicontinuityRadius:
    r"""Distance within which no choice becomes optimal that was not: :math:`(1 - \gamma) \Delta_{\min} / 2`.

    Optimal values move by at most :math:`1 / (1 - \gamma)` times the largest change of a reward. Within less than the
    radius, the optimal choices of new rewards hence are among the old ones, which may tie. It is a guarantee, and exact
    in some processes only; where the optimal policy is unique, see :func:`stability_radius`.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    discount
        Discount factor in [0, 1).

    Returns
    -------
    HemicontinuityRadius
        The radius, and which choices are optimal.

    Raises
    ------
    ArithmeticError
        If the discount is so close to 1 that float64 can certify nothing.
    ValueError, TypeError
        If `discount` is no number in [0, 1).

    References
    ----------
    :cite:`xu2025`, Lemma 2.2, which states no radius.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0], [1.0]]], [[1.0, 1.0, 0.5]])
    >>> found = hemicontinuity_radius(bandit, 0.0)
    >>> found.radius, found.optimal
    (0.25, array([ True,  True, False]))
    """
    discount = checked_discount(discount)
    _, evaluation = _optimum(mdp, discount)
    gaps, doubt = _gaps(mdp, evaluation)
    # No choice is better by more than the doubt, so that the policy loses that over 1 - discount at most.
    doubt *= (1 + 2 / (1 - discount)) * SLACK
    optimal = gaps <= doubt
    optimal.setflags(write=False)
    smallest = float(gaps.min(where=~optimal, initial=np.inf))
    share = (1 - discount) / 2
    lower, upper = share * (smallest - doubt) / SLACK, share * (smallest + doubt) * SLACK
    return HemicontinuityRadius(share * smallest, lower, upper, optimal)


def gap_gradients(mdp: MDP, made: ArrayLike, discount: float, choices: ArrayLike) -> GapGradients:
    r"""Derivatives :math:`g_c` of gaps :math:`V^\pi(s) - Q^\pi(c) = \langle g_c, r \rangle` by the rewards.

    Their entries sum to 0. The rewards that have :math:`\pi` as their only optimum form the open cone in which all
    :math:`\langle g_c, r \rangle > 0`.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    made : array_like of int, shape (S,)
        Number of the choice that the policy makes in each state.
    discount
        Discount factor in [0, 1).
    choices : array_like of int, shape (K,)
        Numbers of the choices c; the result has K rows of C numbers.

    Returns
    -------
    GapGradients
        The derivatives and a bound on their error.

    Raises
    ------
    ArithmeticError
        If the discount is so close to 1 that float64 can certify nothing.
    ValueError, TypeError
        If `discount`, `made` or `choices` are out of range.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]], [[1, 0], [0, 0]])
    >>> gap_gradients(mdp, [0, 2], 0.5, [1]).gradients
    array([[ 2., -1., -1.,  0.]])
    """
    discount, policy = checked_discount(discount), _checked_made(mdp, made)
    rows = _checked_choices(mdp, choices)
    laws = mdp.transition_matrix
    own, modulus = _own_laws(mdp, policy, discount)
    alternatives = policy[mdp.state_of_choice[rows]]
    ahead = discount * _dense(laws[alternatives] - laws[rows])
    later = _solver(own, discount)(ahead.T, True)
    off = np.abs(ahead.T + discount * (own.T @ later) - later).sum(axis=0)
    # A state may have all others as predecessors.
    rounding = (mdp.states + 8) * UNIT_ROUNDOFF * (2 + np.abs(later).sum(axis=0))
    gradients = np.zeros((rows.size, mdp.choices))
    gradients[:, policy] = later.T
    places = np.arange(rows.size)
    gradients[places, alternatives] += 1
    gradients[places, rows] -= 1
    error = float((off + 2 * rounding).max(initial=0.0)) / (1 - modulus) * SLACK
    return GapGradients(frozen(gradients), error)


def optimality_margins(mdp: MDP, made: ArrayLike, discount: float, rewards: ArrayLike) -> OptimalityMargins:
    r"""By how much a policy is better than any other, for each of several rewards of the same process.

    The margin is :math:`\min_c V^\pi(s) - Q^\pi(c)` over the choices c that the policy does not make, with values of
    the policy under the rewards in question. One factorisation serves all of them.

    Parameters
    ----------
    mdp
        The process, S states, C choices; its own rewards play no role.
    made : array_like of int, shape (S,)
        Number of the choice that the policy makes in each state.
    discount
        Discount factor in [0, 1).
    rewards : array_like, shape (N, C)
        Rewards of the choices, a row for each case.

    Returns
    -------
    OptimalityMargins
        A margin for each case, and a bound on their error.

    Raises
    ------
    ArithmeticError
        If the discount is so close to 1 that float64 can certify nothing.
    ValueError, TypeError
        If an argument is out of range or of another shape.

    References
    ----------
    :cite:`puterman2005`, section 6.4: a policy that no single choice improves is optimal.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> bandit = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.5]])
    >>> optimality_margins(bandit, [0], 0.0, [[1.0, 0.5], [0.5, 0.75]]).margins
    array([ 0.5 , -0.25])
    """
    discount, policy = checked_discount(discount), _checked_made(mdp, made)
    cases = float_array(rewards, "rewards", ndim=2)
    if cases.shape[1] != mdp.choices:
        raise ValueError(f"rewards has shape {cases.shape}; it must be (N, {mdp.choices}), a row for each case")
    own, modulus = _own_laws(mdp, policy, discount)
    solver, others = _solver(own, discount), _others(mdp, policy)
    margins, error = np.empty(len(cases)), 0.0
    terms = int(_counts(mdp.transition_matrix).max()) + 4
    size = max(1, BLOCK // mdp.choices)
    for start in range(0, len(cases), size):
        block = cases[start : start + size].T
        values = solver(block[policy], False)
        action_values = block + discount * (mdp.transition_matrix @ values)
        off = float(np.abs(action_values[policy] - values).max(initial=0.0))
        largest = float(np.abs(action_values).max(initial=0.0)) + float(np.abs(values).max(initial=0.0))
        rounding = terms * UNIT_ROUNDOFF * largest * LARGEST_SUM
        # The gap errs by what the values err, with and without the discount.
        error = max(error, (2 * (off + rounding) / (1 - modulus) + 2 * rounding) * SLACK)
        gaps = values[mdp.state_of_choice] - action_values
        margins[start : start + size] = gaps.min(axis=0, where=others[:, None], initial=np.inf)
    return OptimalityMargins(frozen(margins), error)


def _optimum(mdp: MDP, discount: float) -> tuple[Indices, DiscountedEvaluation]:
    """A policy that no single choice improves by more than the error of its values, and these."""
    largest = float(np.abs(mdp.rewards).max()) / (1 - discount)
    made = np.array(solve(mdp, discount, accuracy=1e-6 * largest if largest > 0 else 1.0).policy)
    while True:
        evaluation = discounted_values(mdp, deterministic_policy(mdp, made), discount)
        gaps, doubt = _gaps(mdp, evaluation)
        if gaps.min() >= -doubt:
            made.setflags(write=False)
            return made, evaluation
        best = np.minimum.reduceat(gaps, mdp.first_choice[:-1])
        (better,) = np.nonzero((gaps == best[mdp.state_of_choice]) & (gaps < -doubt))
        made[mdp.state_of_choice[better]] = better


def _gaps(mdp: MDP, evaluation: DiscountedEvaluation) -> tuple[Vector, float]:
    """What each choice loses against the policy that was evaluated, and a bound on the error of these numbers."""
    gaps = evaluation.values[mdp.state_of_choice] - evaluation.action_values
    largest = float(np.abs(evaluation.values).max()) + float(np.abs(evaluation.action_values).max())
    return gaps, 2 * evaluation.error + UNIT_ROUNDOFF * largest


def _others(mdp: MDP, made: Indices) -> NDArray[np.bool_]:
    """Which choices a policy does not make."""
    others = np.ones(mdp.choices, dtype=bool)
    others[made] = False
    return others


def _require_unique(mdp: MDP, gaps: Matrix, others: NDArray[np.bool_], doubt: Vector) -> None:
    """Raise an error if another choice than the policy's may be as good, at some stage."""
    tied = (np.abs(gaps) <= doubt[:, None]) | ~np.broadcast_to(others, gaps.shape)
    first = np.flatnonzero((tied & others).any(axis=1))
    if first.size == 0:
        return
    stage = int(first[-1])
    state = int(mdp.state_of_choice[np.argmax((tied & others)[stage])])
    choices = [c for c in range(mdp.first_choice[state], mdp.first_choice[state + 1]) if tied[stage, c]]
    where = f"state {state}" if len(gaps) == 1 else f"state {state} at stage {stage}"
    raise ValueError(
        f"{where} has tied choices {', '.join(map(str, choices))}: their values differ by {doubt[stage]:.2g} at most; "
        "the radius is defined only where the optimal policy is unique"
    )


def _smallest_ratio(
    gaps: Vector, doubts: Vector, norms: Vector, norm_error: float, others: NDArray[np.bool_]
) -> tuple[float, float, float, int]:
    """Smallest gap over norm among `others`, bounds on it, and its place."""
    ratios, lower, upper = (np.full(gaps.size, np.inf) for _ in range(3))
    felt = others & (norms > norm_error)  # the rest may not depend on the rewards that may move
    np.divide(gaps, norms, out=ratios, where=felt)
    np.divide(gaps - doubts, (norms + norm_error) * SLACK, out=lower, where=others & (norms + norm_error > 0))
    np.divide((gaps + doubts) * SLACK, norms - norm_error, out=upper, where=felt)
    place = int(np.argmin(ratios))
    if not felt[place]:
        raise ValueError("no perturbation within the weights changes the policy; some state needs another choice")
    return float(ratios[place]), float(lower.min()), float(upper.min()), place


def _gradient_norms(mdp: MDP, made: Indices, discount: float, weights: Vector) -> tuple[Vector, float]:
    """Weighted norms of the gradients of all gaps, and a bound on their error, from blocks of columns."""
    own, modulus = _own_laws(mdp, made, discount)
    solver, norms = _solver(own, discount), weights.copy()
    off, mass = np.zeros(mdp.states), np.zeros(mdp.states)
    size = max(1, BLOCK // mdp.choices)
    for start in range(0, mdp.states, size):
        columns = np.arange(start, min(start + size, mdp.states))
        unit = np.zeros((mdp.states, columns.size))
        unit[columns, columns - start] = 1.0
        visits = solver(unit, False)  # expected numbers of visits of the states of the block, from each state
        later = discount * (mdp.transition_matrix @ visits)
        off += np.abs(unit + later[made] - visits).sum(axis=1)
        mass += np.abs(visits).sum(axis=1)
        change = (unit + later[made])[mdp.state_of_choice] - later
        norms += np.abs(change) @ weights[made[columns]]
    # The error of the visits is a policy's sum of residuals. Entries are sums of products with as many terms as a law.
    terms = int(_counts(mdp.transition_matrix).max()) + mdp.states + 8
    rounding = terms * UNIT_ROUNDOFF * (1 + 2 * LARGEST_SUM * float(mass.max()))
    error = 2 * LARGEST_SUM * (float(off.max()) + rounding) / (1 - modulus) + 2 * rounding
    return norms, float(weights.max()) * error * SLACK


def _finite_horizon_norms(
    problem: FiniteHorizonMDP, made: Indices, discount: float, weights: Matrix
) -> tuple[Matrix, float]:
    """Weighted norms of the gradients of all gaps at all stages, and a bound on their error."""
    state_of_choice = problem.stages[0].state_of_choice
    norms = weights + np.take_along_axis(weights, made, axis=1)[:, state_of_choice]
    for stage in range(1, problem.horizon):
        weight = weights[stage, made[stage]]
        visits = np.eye(problem.states)  # probabilities of the states at `stage`, from each state of an earlier one
        for earlier in range(stage - 1, -1, -1):
            later = discount * (problem.stages[earlier].transition_matrix @ visits)
            visits = later[made[earlier]]
            norms[earlier] += np.abs(visits[state_of_choice] - later) @ weight
    terms = max(int(_counts(mdp.transition_matrix).max()) for mdp in set(problem.stages)) + problem.states + 8
    relative = problem.horizon * terms * UNIT_ROUNDOFF
    return norms, 2 * problem.horizon * float(weights.max()) * relative * LARGEST_SUM**problem.horizon * SLACK


def _finite_horizon_gradient(
    problem: FiniteHorizonMDP, made: Indices, discount: float, stage: int, choice: int
) -> Matrix:
    """Gradient of the gap of a choice at a stage by all rewards."""
    gradient = np.zeros((problem.horizon, problem.choices))
    alternative = made[stage, problem.stages[0].state_of_choice[choice]]
    gradient[stage, alternative], gradient[stage, choice] = 1.0, -1.0
    laws = problem.stages[stage].transition_matrix
    change = discount * _dense(laws[[alternative]] - laws[[choice]])[0]
    for later in range(stage + 1, problem.horizon):
        gradient[later, made[later]] = change
        change = discount * (problem.stages[later].transition_matrix[made[later]].T @ change)
    return gradient


def _own_laws(mdp: MDP, made: Indices, discount: float) -> tuple["Matrix | csr_array", float]:
    """Transition laws of the states under a policy, and the modulus of contraction with them."""
    laws = mdp.transition_matrix[made]
    return laws, contraction_modulus(laws, discount, int(_counts(laws).max()))


def _counts(laws: "Matrix | csr_array") -> Indices:
    """Numbers of the entries of the rows."""
    return np.full(len(laws), laws.shape[1]) if isinstance(laws, np.ndarray) else np.diff(laws.indptr)


def _dense(laws: "Matrix | csr_array") -> Matrix:
    return laws if isinstance(laws, np.ndarray) else laws.toarray()


def _solver(laws: "Matrix | csr_array", discount: float) -> Solver:
    """Solver of systems with the matrix I - discount * laws, or its transpose, for several right-hand sides."""
    from scipy.linalg import lu_factor, lu_solve

    states = laws.shape[0]
    if not isinstance(laws, np.ndarray):
        from scipy.sparse import eye_array
        from scipy.sparse.linalg import splu

        sparse = splu((eye_array(states) - discount * laws).tocsc())
        if sparse.nnz <= SPARSE_FILL * states**2:
            return lambda right, transposed: sparse.solve(right, "T" if transposed else "N")
    factors = lu_factor(np.eye(states) - discount * _dense(laws))
    return lambda right, transposed: lu_solve(factors, right, trans=int(transposed))


def _checked_weights(weights: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    if weights is None:
        return np.ones(shape)
    array = float_array(weights, "weights", ndim=len(shape))
    if array.shape != shape:
        raise ValueError(f"weights has shape {array.shape}; it must be {shape}, a weight for each reward")
    if (array < 0).any():
        place = first_index(array < 0)
        raise ValueError(f"weights{list(place)} is {array[place]}; a weight must be >= 0")
    return array


def _checked_made(mdp: MDP, made: ArrayLike) -> Indices:
    policy = np.asarray(made)
    if policy.ndim != 1:
        raise ValueError(f"made has shape {policy.shape}; it must be ({mdp.states},), a choice for each state")
    deterministic_policy(mdp, policy)
    return policy


def _checked_choices(mdp: MDP, choices: ArrayLike) -> Indices:
    numbers = np.asarray(choices)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"choices has type {numbers.dtype} and shape {numbers.shape}; it must be a list of integers")
    outside = (numbers < 0) | (numbers >= mdp.choices)
    if outside.any():
        (place,) = first_index(outside)
        raise ValueError(f"choices[{place}] is {numbers[place]}; there are choices 0 to {mdp.choices - 1}")
    return numbers
