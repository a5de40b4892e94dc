r"""Optimal and soft values of discounted processes, and values of policies, each with a certified error.

Whatever a method returns is judged by one more backup, see :mod:`rltheory.solvers.bellman`; how it was found plays no
role. Iterative methods stop by the span of the last change: if :math:`T v - v` lies in :math:`[a, b]`, then

.. math:: V^* \in T v + \frac{\gamma}{1 - \gamma} [a, b],

and the midpoint is returned :cite:`macqueen1966`, :cite:`puterman2005`. Where all states soon mix, the span shrinks
much faster than the distance to :math:`V^*`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import SUM_TOLERANCE, UNIT_ROUNDOFF, Vector, first_index, float_array, fraction, frozen, positive
from rltheory.problems.mdp import MDP, DenseArrays, Indices, SparseArrays
from rltheory.progress import sign_of_life
from rltheory.solvers.bellman import BellmanOperator, SoftBellmanOperator, Workers, back_up_in_place

__all__ = [
    "DiscountedSolution",
    "DiscountedValues",
    "LinearProgramSolution",
    "SoftSolution",
    "evaluate_policy",
    "gauss_seidel",
    "linear_program",
    "modified_policy_iteration",
    "policy_iteration",
    "soft_value_iteration",
    "solve",
    "value_iteration",
]

MOST_POLICY_SWEEPS = 100
LARGEST_FACTORISED = 2_000  # states up to which linear systems are factorised; beyond, they are solved by iteration
FEW_STATES = 300  # policy iteration takes milliseconds
PROBE = 20  # sweeps between two looks at how fast the span of the change shrinks
MANY_SWEEPS = 50  # left to do: beyond, modified policy iteration needs less work
SETTLED = 0.01  # share of states with a new choice, below which accurate evaluations pay


Improvement: TypeAlias = Callable[[Vector, Vector, float], tuple[Vector, Vector, int]]


@dataclass(frozen=True, kw_only=True)
class DiscountedValues:
    r"""Values with the proof of them.

    Parameters
    ----------
    values : array, shape (S,)
        Expected discounted sums of rewards from each state.
    error : float
        Proved bound on the distance of any of them to the true value, rounding included.
    method : str
        How they were found.
    sweeps : int
        Backups that were spent, those of one policy only included.
    reason : str
        Why this method, if the choice was left to the solver.
    """

    values: Vector
    error: float
    method: str
    sweeps: int
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class DiscountedSolution(DiscountedValues):
    r"""Optimal values, and a policy whose own values differ from `values` by at most `error`, as the optimal ones do.

    Parameters
    ----------
    policy : array of int, shape (S,)
        Number of the choice in each state. It loses at most twice `error`.
    """

    policy: Indices


@dataclass(frozen=True, kw_only=True)
class LinearProgramSolution(DiscountedSolution):
    r"""Optimal values and policy, and the occupancies that solve the dual program.

    Parameters
    ----------
    occupancies : array, shape (C,)
        Expected discounted numbers of times that each choice is made, from a uniform first state, as HiGHS returns
        them: :math:`\sum_{c \in s} x_c = 1/S + \gamma \sum_c x_c p_c(s)` for each state :math:`s`, to about 1e-7. Their
        sum is :math:`1 / (1 - \gamma)`.
    """

    occupancies: Vector


@dataclass(frozen=True, kw_only=True)
class SoftSolution(DiscountedValues):
    r"""Soft values, and the policy that attains them.

    Parameters
    ----------
    log_policy : array, shape (C,)
        Logarithms of the probabilities of choices. Those of a state sum to 1; each probability is within a factor
        :math:`e^{\pm 2 \gamma\,\text{error} / \tau}` of the optimal one, up to rounding.
    """

    log_policy: Vector


def value_iteration(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> DiscountedSolution:
    r"""Solve :math:`V = T V` by :math:`v \leftarrow T v`.

    Parameters
    ----------
    mdp
        The process.
    discount
        :math:`\gamma \in [0, 1)`.
    accuracy
        Largest error allowed, > 0, in units of reward.

    Returns
    -------
    DiscountedSolution
        With a certified error of at most `accuracy`.

    Raises
    ------
    ValueError, TypeError
        If `discount` or `accuracy` is out of range.
    ArithmeticError
        If float64 cannot certify the accuracy; the message says what it can.

    References
    ----------
    :cite:`puterman2005`, Section 6.3; the stopping rule :cite:`macqueen1966`.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 1]]], [[5, 10], [-1, 0]],
    ...                  allowed=[[True, True], [True, False]])
    >>> solution = value_iteration(mdp, 0.95)
    >>> solution.values.round(4), solution.policy, solution.error <= 1e-6
    (array([ -8.5714, -20.    ]), array([0, 2]), True)
    """

    def nothing(values: Vector, spare: Vector, span: float) -> tuple[Vector, Vector, int]:
        return values, spare, 0

    return _solve(mdp, discount, accuracy, "value iteration", lambda operator: nothing)


def gauss_seidel(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> DiscountedSolution:
    r"""Solve :math:`V = T V` by backups in place, one state after the other, each with the newest values.

    Between these sweeps, one in ten is an ordinary backup, whose change bounds the error.

    Parameters, results and errors are those of :func:`value_iteration`.

    References
    ----------
    :cite:`puterman2005`, Section 6.3.3.
    """

    def improvement(operator: BellmanOperator) -> Improvement:
        def in_place(values: Vector, spare: Vector, span: float) -> tuple[Vector, Vector, int]:
            for _ in range(9):
                back_up_in_place(operator.arrays, operator.discount, values)
            return values, spare, 9

        return in_place

    return _solve(mdp, discount, accuracy, "Gauss-Seidel", improvement)


def modified_policy_iteration(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> DiscountedSolution:
    r"""Solve :math:`V = T V` by backups, and between them backups :math:`T_\pi v` of the greedy policy alone.

    The latter stop when the span of their change has fallen to a tenth of that of :math:`T v - v`, and
    after a hundred sweeps at the latest.

    Parameters, results and errors are those of :func:`value_iteration`.

    References
    ----------
    :cite:`puterman2005`, Section 6.5.
    """
    return _solve(mdp, discount, accuracy, "modified policy iteration", _policy_sweeps)


def _policy_sweeps(operator: BellmanOperator) -> Improvement:
    def sweeps(values: Vector, spare: Vector, span: float) -> tuple[Vector, Vector, int]:
        own = operator.of_policy(operator.policy)
        spent = 0
        while spent < MOST_POLICY_SWEEPS:
            lowest, highest = own(values, spare)
            values, spare = spare, values
            spent += 1
            if highest - lowest <= span / 10:
                break
        return values, spare, spent

    return sweeps


def policy_iteration(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> DiscountedSolution:
    r"""Solve :math:`V = T V` by evaluating a policy and improving it, in turns.

    With up to 2000 states the policy is evaluated exactly, by a factorisation (LAPACK or SuperLU). With more, where
    factors fill up, it is evaluated by a Krylov method (BiCGSTAB): the span of :math:`T_\pi v - v` has to shrink by a
    factor :math:`(1 - \gamma) / 2`.

    Parameters, results and errors are those of :func:`value_iteration`; a sweep is a backup of all choices.

    References
    ----------
    :cite:`puterman2005`, Section 6.4; inexact evaluation: :cite:`gargiani2024`.
    """
    if mdp.states > LARGEST_FACTORISED:
        return _solve(mdp, discount, accuracy, "policy iteration with Krylov evaluation", _krylov)
    discount, accuracy = _discount(discount), positive(accuracy, "accuracy")
    with sign_of_life(f"policy iteration of {mdp}"), Workers(mdp) as workers:
        operator = BellmanOperator.of(mdp, discount, workers)
        backed_up = np.empty(mdp.states)
        operator(np.zeros(mdp.states), backed_up)
        policy, sweeps = operator.policy.copy(), 1
        while True:
            values = _factorised(operator.of_policy(policy))
            error, floor = operator.certificate(values, backed_up)
            sweeps += 1
            # An exact evaluation, and no choice that is better by more than rounding: nothing is left to improve.
            better = backed_up - values > 2 * operator.slack * floor
            if error <= accuracy or not better.any():
                break
            policy = np.where(better, operator.policy, policy)
        _require(error, accuracy)
        return DiscountedSolution(
            values=frozen(values),
            policy=_frozen(operator.policy),
            error=error,
            method="policy iteration",
            sweeps=sweeps,
        )


def linear_program(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> LinearProgramSolution:
    r"""Minimise the mean of :math:`V` subject to :math:`V(s) \ge r_c + \gamma \sum_t p_c(t) V(t)`, by HiGHS.

    HiGHS satisfies constraints to about 1e-7 only. So its values are replaced by those of the policy of its
    occupancies, evaluated as in :func:`evaluate_policy`.

    Parameters, results and errors are those of :func:`value_iteration`; besides, an ArithmeticError is raised if HiGHS
    stops without an optimal basis.

    References
    ----------
    :cite:`puterman2005`, Section 6.9.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 1]]], [[5, 10], [-1, 0]],
    ...                  allowed=[[True, True], [True, False]])
    >>> solution = linear_program(mdp, 0.5)
    >>> solution.values.round(4), solution.occupancies.round(4)
    (array([ 9., -2.]), array([0. , 0.5, 1.5]))
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    discount, accuracy = _discount(discount), positive(accuracy, "accuracy")
    with sign_of_life(f"linear program of {mdp}"), Workers(mdp) as workers:
        operator = BellmanOperator.of(mdp, discount, workers)
        made = csr_array((np.ones(mdp.choices), mdp.state_of_choice, np.arange(mdp.choices + 1)))
        program = linprog(
            c=np.full(mdp.states, 1 / mdp.states),
            A_ub=discount * csr_array(mdp.transition_matrix) - made,
            b_ub=-mdp.rewards,
            bounds=(None, None),
            method="highs",
        )
        if not program.success:
            raise ArithmeticError(f"HiGHS found no optimal values of {mdp!r}: {program.message}")
        occupancies = np.maximum(-program.ineqlin.marginals, 0.0)
        order = np.lexsort((occupancies, mdp.state_of_choice))  # by state, the most frequent choice last
        values, _ = _evaluated(operator.of_policy(order[mdp.first_choice[1:] - 1]), accuracy)
        error, _ = operator.certificate(values, np.empty(mdp.states))
        _require(error, accuracy, by="the policy of HiGHS")
        return LinearProgramSolution(
            values=frozen(values),
            policy=_frozen(operator.policy),
            error=error,
            method="linear program",
            sweeps=1,
            occupancies=frozen(occupancies),
        )


def soft_value_iteration(
    mdp: MDP, discount: float, *, temperature: float, reference: ArrayLike | None = None, accuracy: float = 1e-6
) -> SoftSolution:
    r"""Solve :math:`V = T V` for the soft operator, which penalises decisions that are far from a reference.

    It is :math:`(T v)(s) = \tau \log \sum_{c \in s} \mu_c \exp((r_c + \gamma \sum_t p_c(t) v(t)) / \tau)`.

    Parameters
    ----------
    mdp
        The process.
    discount
        :math:`\gamma \in [0, 1)`.
    temperature
        :math:`\tau > 0`, in units of reward.
    reference : array_like, shape (C,), optional
        Probabilities :math:`\mu_c > 0` of choices, which sum to 1 in each state: the penalty is
        :math:`\tau\,\mathrm{KL}(\pi(\cdot | s) \| \mu(\cdot | s))`. By default :math:`\mu = 1`: the entropy of each
        decision is rewarded, :math:`+ \tau H(\pi(\cdot | s))`.
    accuracy
        Largest error allowed, > 0, in units of reward.

    Returns
    -------
    SoftSolution
        With a certified error of at most `accuracy`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, or the reference is not a distribution in some state.
    ArithmeticError
        If float64 cannot certify the accuracy; the message says what it can.

    References
    ----------
    :cite:`geist2019`.

    Examples
    --------
    One state with two choices, and no future: the log-sum-exp of the rewards.

    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[1], [1]]], [[0, 1]])
    >>> solution = soft_value_iteration(mdp, 0, temperature=1)
    >>> solution.values.round(4), np.exp(solution.log_policy).round(4)
    (array([1.3133]), array([0.2689, 0.7311]))
    """
    discount, accuracy = _discount(discount), positive(accuracy, "accuracy")
    temperature = positive(temperature, "temperature")
    if reference is None:
        log_reference = np.zeros(mdp.choices)
    else:
        probabilities = _policy(mdp, reference, "reference")
        if not probabilities.all():
            (choice,) = first_index(probabilities == 0)
            raise ValueError(f"reference[{choice}] is 0; every probability must be > 0")
        log_reference = np.log(probabilities)

    def nothing(values: Vector, spare: Vector, span: float) -> tuple[Vector, Vector, int]:
        return values, spare, 0

    with sign_of_life(f"soft value iteration of {mdp}"), Workers(mdp) as workers:
        operator = SoftBellmanOperator(mdp, discount, temperature, log_reference, workers)
        values, error, sweeps = _iterate(operator, np.zeros(mdp.states), accuracy, nothing)
        return SoftSolution(
            values=frozen(values),
            log_policy=frozen(operator.log_policy),
            error=error,
            method="soft value iteration",
            sweeps=sweeps,
        )


def evaluate_policy(mdp: MDP, policy: ArrayLike, discount: float, *, accuracy: float = 1e-6) -> DiscountedValues:
    r"""Values of a policy, :math:`V = r_\pi + \gamma P_\pi V`.

    With up to 2000 states the equation is solved by a factorisation, with more by sweeps, and by a Krylov method
    (BiCGSTAB) where they converge slowly.

    Parameters
    ----------
    mdp
        The process.
    policy : array_like, shape (S,) of int or (C,) of float
        The number of the choice of each state, or the probabilities of all choices, which sum to 1 in each state.
    discount
        :math:`\gamma \in [0, 1)`.
    accuracy
        Largest error allowed, > 0, in units of reward.

    Returns
    -------
    DiscountedValues
        With a certified error of at most `accuracy`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, or the policy is not one of the process.
    ArithmeticError
        If float64 cannot certify the accuracy; the message says what it can.

    References
    ----------
    :cite:`puterman2005`, Section 6.1.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 1]]], [[5, 10], [-1, 0]],
    ...                  allowed=[[True, True], [True, False]])
    >>> evaluate_policy(mdp, [1, 2], 0.5).values.round(4)
    array([ 9., -2.])
    >>> evaluate_policy(mdp, [0.5, 0.5, 1], 0.5).values.round(4)
    array([ 7.7143, -2.    ])
    """
    discount, accuracy = _discount(discount), positive(accuracy, "accuracy")
    with sign_of_life(f"evaluation of a policy of {mdp}"), Workers(mdp) as workers:
        operator = _operator_of(mdp, policy, discount, workers)
        values, sweeps = _evaluated(operator, accuracy)
        error, _ = operator.certificate(values, np.empty(mdp.states))
        _require(error, accuracy)
        method = "factorisation" if mdp.states <= LARGEST_FACTORISED else "sweeps and BiCGSTAB"
        return DiscountedValues(values=frozen(values), error=error, method=method, sweeps=sweeps + 1)


def solve(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> DiscountedSolution:
    r"""Solve :math:`V = T V` by the method that suits the process, which the result names, with the reason.

    Up to 300 states it is policy iteration. Larger processes start with value iteration; where the span of its change
    is seen to shrink slowly, modified policy iteration goes on from there, and once the policy changes in few states,
    policy iteration with Krylov evaluation ends it.

    Parameters, results and errors are those of :func:`value_iteration`.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 1]]], [[5, 10], [-1, 0]],
    ...                  allowed=[[True, True], [True, False]])
    >>> solution = solve(mdp, 0.95)
    >>> solution.values.round(4), solution.method, solution.reason
    (array([ -8.5714, -20.    ]), 'policy iteration', 'few states')
    """
    if mdp.states <= FEW_STATES:
        return replace(policy_iteration(mdp, discount, accuracy=accuracy), reason="few states")
    discount, accuracy = _discount(discount), positive(accuracy, "accuracy")
    with sign_of_life(f"solution of {mdp}"), Workers(mdp) as workers:
        operator = BellmanOperator.of(mdp, discount, workers)
        choice = _Choice(operator, accuracy)
        values, error, sweeps = _iterate(operator, np.zeros(mdp.states), accuracy, choice)
        return _solution(operator, values, error, choice.method, sweeps, choice.reason)


class _Choice:
    """Improvements from one method after the other, as the process turns out to be slow."""

    def __init__(self, operator: BellmanOperator, accuracy: float) -> None:
        self.method = "value iteration"
        self.reason = f"no more than {PROBE} sweeps were needed"
        self._operator = operator
        self._policy_sweeps, self._krylov = _policy_sweeps(operator), _krylov(operator)
        self._target = 2 * accuracy * (1 - operator.discount) / max(operator.discount, 0.5)
        self._spans: list[float] = []
        self._policy = operator.policy.copy()

    def __call__(self, values: Vector, spare: Vector, span: float) -> tuple[Vector, Vector, int]:
        if self.method == "value iteration":
            self._look(span)
            return values, spare, 0
        # While the policy still changes in many states, an accurate evaluation of it is wasted.
        changed = np.count_nonzero(self._operator.policy != self._policy)
        self._policy[:] = self._operator.policy
        if changed > SETTLED * self._policy.size:
            return self._policy_sweeps(values, spare, span)
        if self.method == "modified policy iteration":
            self.method = "policy iteration with Krylov evaluation"
            self.reason += f"; then the policy changed in {changed} states only"
        return self._krylov(values, spare, span)

    def _look(self, span: float) -> None:
        self._spans.append(span)
        if len(self._spans) % PROBE or span <= self._target:
            return
        factor = (span / self._spans[-PROBE // 2]) ** (2 / PROBE)
        left = math.log(self._target / span) / math.log(factor) if factor < 1 else math.inf
        self.reason = f"the span of the change shrank by a factor {factor:.3g} a sweep after {len(self._spans)} sweeps"
        if left > MANY_SWEEPS:
            self.method = "modified policy iteration"


def _solve(
    mdp: MDP,
    discount: float,
    accuracy: float,
    method: str,
    improvement: Callable[[BellmanOperator], Improvement],
) -> DiscountedSolution:
    discount, accuracy = _discount(discount), positive(accuracy, "accuracy")
    with sign_of_life(f"{method} of {mdp}"), Workers(mdp) as workers:
        operator = BellmanOperator.of(mdp, discount, workers)
        values, error, sweeps = _iterate(operator, np.zeros(mdp.states), accuracy, improvement(operator))
        return _solution(operator, values, error, method, sweeps)


def _solution(
    operator: BellmanOperator, values: Vector, error: float, method: str, sweeps: int, reason: str = ""
) -> DiscountedSolution:
    return DiscountedSolution(
        values=frozen(values),
        policy=_frozen(operator.policy),
        error=error,
        method=method,
        sweeps=sweeps,
        reason=reason,
    )


def _iterate(
    operator: BellmanOperator, values: Vector, accuracy: float, improve: Improvement
) -> tuple[Vector, float, int]:
    """Alternate backups and improvements until the centred values are certified.

    Improvements receive the backed-up values and the span of the change; they return better values, and how many sweeps
    these took. They may overwrite both arrays.

    The span of the change of plain backups shrinks by the discount at every step, until rounding takes over; methods
    with improvements may pause, yet not for long. Nothing more is to be expected after some multiple of the horizon.
    Where sums of laws differ from 1, centring leaves an error, which the next one reduces.
    """
    out = np.empty_like(values)
    gain = operator.discount / (1 - operator.discount)
    patience = 10 + math.ceil(2 / (1 - operator.discount))
    narrowest, least_error, progress_at, sweeps = math.inf, math.inf, 0, 0
    for step in count():
        lowest, highest = operator(values, out)
        sweeps += 1
        if highest - lowest < narrowest:
            narrowest, progress_at = highest - lowest, step
        stuck = step - progress_at >= patience
        if stuck or gain * (highest - lowest) / 2 <= accuracy:
            centred = out + gain * (lowest + highest) / 2
            error, floor = operator.certificate(centred, values)
            sweeps += 1
            if error <= accuracy:
                return centred, error, sweeps
            if stuck or floor > accuracy:
                _require(error, accuracy)
            if error < least_error:
                least_error, progress_at = error, step
            out = centred
        values, out, spent = improve(out, values, highest - lowest)
        sweeps += spent
    raise AssertionError


def _require(error: float, accuracy: float, *, by: str = "float64") -> None:
    if not error <= accuracy:
        raise ArithmeticError(f"accuracy {accuracy:.3g} is out of reach: {by} certifies an error of {error:.3g} here")


def _krylov(operator: BellmanOperator) -> Improvement:
    def correct(values: Vector, spare: Vector, span: float) -> tuple[Vector, Vector, int]:
        return _corrected(operator.of_policy(operator.policy), values, spare)

    return correct


def _corrected(own: BellmanOperator, values: Vector, spare: Vector) -> tuple[Vector, Vector, int]:
    r"""Solve :math:`v = T_\pi v` until the span of :math:`T_\pi v - v` has shrunk by a factor :math:`(1 - \gamma) / 2`.

    Coarser evaluations can make inexact policy iteration diverge. BiCGSTAB does most of it, and bounds another norm;
    plain sweeps do the rest, or all of it where BiCGSTAB breaks down.
    """
    from scipy.sparse.linalg import LinearOperator, bicgstab

    horizon = 1 / (1 - own.discount)
    lowest, highest = own(values, spare)
    target = (highest - lowest) / (2 * horizon)
    centre = (lowest + highest) / 2
    homogeneous = own.without_rewards()
    sweeps = 1

    def apply(direction: Vector) -> Vector:
        nonlocal sweeps
        sweeps += 1
        image = np.empty_like(direction)
        homogeneous(direction, image)
        return direction - image

    system = LinearOperator((values.size, values.size), matvec=apply, dtype=np.float64)
    # A breakdown shows in the result. One thread: idle ones of BLAS would take the cores from the backups, and the
    # last bits would depend on their number.
    with np.errstate(all="ignore"), _blas().limit(limits=1, user_api="blas"):
        correction, _ = bicgstab(system, spare - values - centre, rtol=0.2 / horizon, atol=0.0, maxiter=300)
    if np.isfinite(correction).all():
        values += correction + horizon * centre
    for _ in range(math.ceil(10 * horizon)):
        lowest, highest = own(values, spare)
        values, spare = spare, values
        sweeps += 1
        if highest - lowest <= target:
            break
    return values, spare, sweeps


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _evaluated(own: BellmanOperator, accuracy: float) -> tuple[Vector, int]:
    """Values of the policy whose operator is given, and the sweeps that they took."""
    if own.policy.size <= LARGEST_FACTORISED:
        return _factorised(own), 1
    values, _, sweeps = _iterate(
        own, np.zeros(own.policy.size), accuracy, lambda values, spare, span: _corrected(own, values, spare)
    )
    return values, sweeps


def _factorised(own: BellmanOperator) -> Vector:
    """Values of the policy whose operator is given, by a factorisation and one step of iterative refinement."""
    arrays, states = own.arrays, own.policy.size
    solve_system: Callable[[Vector], Vector]
    if isinstance(arrays, DenseArrays):
        from scipy.linalg import lu_factor, lu_solve

        factors = lu_factor(np.eye(states) - own.discount * arrays.transitions)

        def solve_system(right: Vector) -> Vector:
            return np.asarray(lu_solve(factors, right))
    else:
        from scipy.sparse import csr_array, eye_array
        from scipy.sparse.linalg import splu

        columns, pointers = arrays.successors.astype(np.int32), arrays.first_entry.astype(np.int32)
        laws = csr_array((arrays.probabilities, columns, pointers), shape=(states, states))
        solve_system = splu((eye_array(states) - own.discount * laws).tocsc()).solve
    values = solve_system(arrays.rewards)
    backed_up = np.empty(states)
    own(values, backed_up)
    return values + solve_system(backed_up - values)


def _operator_of(mdp: MDP, policy: ArrayLike, discount: float, workers: Workers) -> BellmanOperator:
    choices = np.array(policy)
    if np.issubdtype(choices.dtype, np.integer):
        return BellmanOperator.of(mdp, discount, workers).of_policy(_choices(mdp, choices))
    weights = _policy(mdp, policy, "policy")
    from scipy.sparse import csr_array

    shares = csr_array((weights, np.arange(mdp.choices), mdp.first_choice))
    rewards, laws, first_choice = shares @ mdp.rewards, shares @ mdp.transition_matrix, np.arange(mdp.states + 1)
    deviation = (1 + mdp.sum_deviation) * (1 + np.abs(shares.sum(axis=1) - 1).max() + mdp.choices * UNIT_ROUNDOFF) - 1
    most_choices = int(np.diff(mdp.first_choice).max())
    if isinstance(laws, np.ndarray):
        arrays: DenseArrays | SparseArrays = DenseArrays(first_choice, rewards, laws)
        terms = mdp.states
    else:
        pointers, columns = laws.indptr.astype(np.uint64), laws.indices.astype(np.uint32)
        arrays = SparseArrays(first_choice, rewards, pointers, columns, laws.data)
        terms = int(np.diff(laws.indptr).max())
    # Mixed rewards and laws are rounded: each is a sum of at most as many products as there are choices in a state.
    return BellmanOperator(arrays, discount, sum_deviation=deviation, terms=terms + most_choices + 2, workers=workers)


def _choices(mdp: MDP, choices: Indices) -> Indices:
    if choices.shape != (mdp.states,):
        raise ValueError(f"policy has shape {choices.shape}; a list of choices has one for each of {mdp.states} states")
    foreign = (choices < mdp.first_choice[:-1]) | (choices >= mdp.first_choice[1:])
    if foreign.any():
        (state,) = first_index(foreign)
        first, last = mdp.first_choice[state], mdp.first_choice[state + 1] - 1
        raise ValueError(f"policy[{state}] is {choices[state]}; the choices of state {state} are {first} to {last}")
    return choices.astype(np.int64)


def _policy(mdp: MDP, probabilities: ArrayLike, name: str) -> Vector:
    vector = float_array(probabilities, name, ndim=1)
    if vector.size != mdp.choices:
        raise ValueError(f"{name} has {vector.size} entries; the process has {mdp.choices} choices")
    if (vector < 0).any():
        (choice,) = first_index(vector < 0)
        raise ValueError(f"{name}[{choice}] is {vector[choice]}; a probability must be >= 0")
    sums = np.add.reduceat(vector, mdp.first_choice[:-1])
    uneven = np.abs(sums - 1) > SUM_TOLERANCE
    if uneven.any():
        (state,) = first_index(uneven)
        raise ValueError(f"{name} sums to {sums[state]:.12g} in state {state}; expected 1 within {SUM_TOLERANCE:g}")
    return vector


def _discount(value: float) -> float:
    discount = fraction(value, "discount")
    if discount == 1:
        raise ValueError("discount is 1; it must be < 1: undiscounted criteria have solvers of their own")
    return discount


def _frozen(policy: Indices) -> Indices:
    policy.setflags(write=False)
    return policy
