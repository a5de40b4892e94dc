r"""Optimal values of discounted processes, each with a certified error.

Whatever a method returns is judged by one more backup, see :mod:`rltheory.solvers.bellman`; how it was found plays no
role. Iterative methods stop as :func:`~rltheory.solvers.fixed_point.iterate` does.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from rltheory.arrays import Vector, frozen, positive
from rltheory.problems.mdp import MDP, Indices
from rltheory.problems.policies import deterministic_policy
from rltheory.progress import sign_of_life
from rltheory.solvers.bellman import BellmanOperator, Workers
from rltheory.solvers.fixed_point import (
    Improvement,
    factorised,
    in_place_sweeps,
    iterate,
    krylov_evaluation,
    nothing,
    policy_sweeps,
    require,
)
from rltheory.solvers.occupancy import LARGEST_FACTORISED, checked_discount, discounted_values

__all__ = [
    "DiscountedSolution",
    "DiscountedValues",
    "LinearProgramSolution",
    "gauss_seidel",
    "linear_program",
    "modified_policy_iteration",
    "policy_iteration",
    "solve",
    "value_iteration",
]

FEW_STATES = 300  # policy iteration takes milliseconds
MANY_SWEEPS = 50  # left to do: beyond, an accurate evaluation needs less work
SETTLED = 0.01  # share of states with a new choice, below which accurate evaluations pay


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
    return _solve(mdp, discount, accuracy, "value iteration", nothing)


def gauss_seidel(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> DiscountedSolution:
    r"""Solve :math:`V = T V` by backups in place, one state after the other, each with the newest values.

    Between these sweeps, one in ten is an ordinary backup, whose change bounds the error.

    Parameters, results and errors are those of :func:`value_iteration`.

    References
    ----------
    :cite:`puterman2005`, Section 6.3.3.
    """
    return _solve(mdp, discount, accuracy, "Gauss-Seidel", in_place_sweeps)


def modified_policy_iteration(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> DiscountedSolution:
    r"""Solve :math:`V = T V` by backups, and between them backups :math:`T_\pi v` of the greedy policy alone.

    The latter stop when the span of their change has fallen to a tenth of that of :math:`T v - v`, and
    after thirty sweeps at the latest.

    Parameters, results and errors are those of :func:`value_iteration`.

    References
    ----------
    :cite:`puterman2005`, Section 6.5.
    """
    return _solve(mdp, discount, accuracy, "modified policy iteration", policy_sweeps)


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
        return _solve(mdp, discount, accuracy, "policy iteration with Krylov evaluation", krylov_evaluation)
    discount, accuracy = checked_discount(discount), positive(accuracy, "accuracy")
    with sign_of_life(f"policy iteration of {mdp}"), Workers(mdp) as workers:
        operator = BellmanOperator.of(mdp, discount, workers)
        backed_up = np.empty(mdp.states)
        operator(np.zeros(mdp.states), backed_up)
        policy, sweeps = operator.policy.copy(), 1
        while True:
            values = factorised(operator.of_policy(policy))
            error, floor = operator.certificate(values, backed_up)
            sweeps += 1
            # An exact evaluation, and no choice that is better by more than rounding: nothing is left to improve.
            better = backed_up - values > 2 * operator.slack * floor
            if error <= accuracy or not better.any():
                break
            policy = np.where(better, operator.policy, policy)
        require(error, accuracy)
        return DiscountedSolution(
            values=frozen(values),
            policy=frozen(operator.policy),
            error=error,
            method="policy iteration",
            sweeps=sweeps,
        )


def linear_program(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> LinearProgramSolution:
    r"""Minimise the mean of :math:`V` subject to :math:`V(s) \ge r_c + \gamma \sum_t p_c(t) V(t)`, by HiGHS.

    HiGHS satisfies constraints to about 1e-7 only. So its values are replaced by those of the policy of its
    occupancies, evaluated as by :func:`~rltheory.solvers.discounted_values`.

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

    discount, accuracy = checked_discount(discount), positive(accuracy, "accuracy")
    with sign_of_life(f"linear program of {mdp}"), Workers(mdp) as workers:
        operator = BellmanOperator.of(mdp, discount, workers)
        made = csr_array((np.ones(mdp.choices), mdp.state_of_choice, np.arange(mdp.choices + 1)))
        program = linprog(
            c=np.full(mdp.states, 1 / mdp.states),
            A_ub=discount * csr_array(mdp.transition_matrix) - made,
            b_ub=-mdp.rewards,
            bounds=(None, None),
            method="highs-ipm",  # some ten times faster here than the simplex method; a crossover ends in a basis
        )
        if not program.success:
            raise ArithmeticError(f"HiGHS found no optimal values of {mdp!r}: {program.message}")
        occupancies = np.maximum(-program.ineqlin.marginals, 0.0)
        order = np.lexsort((occupancies, mdp.state_of_choice))  # by state, the most frequent choice last
        policy = deterministic_policy(mdp, order[mdp.first_choice[1:] - 1])
        values = discounted_values(mdp, policy, discount).values
        error, _ = operator.certificate(values, np.empty(mdp.states))
        require(error, accuracy, by="the policy of HiGHS")
        return LinearProgramSolution(
            values=frozen(values),
            policy=frozen(operator.policy),
            error=error,
            method="linear program",
            sweeps=1,
            occupancies=frozen(occupancies),
        )


def solve(mdp: MDP, discount: float, *, accuracy: float = 1e-6) -> DiscountedSolution:
    r"""Solve :math:`V = T V` by the method that suits the process, which the result names, with the reason.

    Up to 300 states it is policy iteration. Larger processes start with modified policy iteration; where the span of
    the change is seen to shrink slowly, and once the policy changes in few states, policy iteration with Krylov
    evaluation ends it.

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
    discount, accuracy = checked_discount(discount), positive(accuracy, "accuracy")
    with sign_of_life(f"solution of {mdp}"), Workers(mdp) as workers:
        operator = BellmanOperator.of(mdp, discount, workers)
        choice = _Choice(accuracy, operator.discount)
        values, error, sweeps = iterate(operator, np.zeros(mdp.states), accuracy, choice)
        return _solution(operator, values, error, choice.method, sweeps, choice.reason)


class _Choice:
    """Sweeps of the policies of the backups, and accurate evaluations of them where the process is slow."""

    def __init__(self, accuracy: float, discount: float) -> None:
        self.method, self.reason = "modified policy iteration", "two backups were enough"
        self._target = 2 * accuracy * (1 - discount) / max(discount, 0.5)
        self._policy: Indices | None = None  # that of the last call, and what else was known then
        self._span, self._spent = math.inf, 0

    def __call__(
        self, operator: BellmanOperator, values: Vector, spare: Vector, span: float
    ) -> tuple[Vector, Vector, int]:
        changed = operator.states if self._policy is None else np.count_nonzero(operator.policy != self._policy)
        improve: Improvement = policy_sweeps
        # While the policy still changes in many states, an accurate evaluation of it is wasted.
        if self._many_are_left(span) and changed <= SETTLED * operator.states:
            improve = krylov_evaluation
            if self.method == "modified policy iteration":
                self.method = "policy iteration with Krylov evaluation"
                self.reason += f"; then the policy changed in {changed} states only"
        self._policy = operator.policy.copy()
        self._span = span
        values, spare, self._spent = improve(operator, values, spare, span)
        return values, spare, self._spent

    def _many_are_left(self, span: float) -> bool:
        """Whether it takes many sweeps more, if they go on as those since the last call."""
        if self._spent == 0:
            return False
        if self.method == "modified policy iteration":
            factor = (span / self._span) ** (1 / (self._spent + 1))
            self.reason = f"the span of the change shrank by a factor {factor:.3g} a sweep"
            left = math.log(self._target / span) / math.log(factor) if factor < 1 else math.inf
            return left > MANY_SWEEPS
        return True


def _solve(
    mdp: MDP,
    discount: float,
    accuracy: float,
    method: str,
    improve: Improvement,
) -> DiscountedSolution:
    discount, accuracy = checked_discount(discount), positive(accuracy, "accuracy")
    with sign_of_life(f"{method} of {mdp}"), Workers(mdp) as workers:
        operator = BellmanOperator.of(mdp, discount, workers)
        values, error, sweeps = iterate(operator, np.zeros(mdp.states), accuracy, improve)
        return _solution(operator, values, error, method, sweeps)


def _solution(
    operator: BellmanOperator, values: Vector, error: float, method: str, sweeps: int, reason: str = ""
) -> DiscountedSolution:
    return DiscountedSolution(
        values=frozen(values),
        policy=frozen(operator.policy),
        error=error,
        method=method,
        sweeps=sweeps,
        reason=reason,
    )
