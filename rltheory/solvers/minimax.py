r"""Minimax winners: mixtures of actions that no action beats.

The minimax winners are the distributions :math:`p` against which no action gains: their losses
:math:`w = -S p`, one for each action, are all :math:`\ge 0`. Then :math:`p_a w_a = 0` for every action, because
:math:`\langle p, S p \rangle = 0`: a linear complementarity problem with a skew matrix. It has solutions in which one
of :math:`p_a` and :math:`w_a` is positive for every action. The only solution is of this kind, if there is only one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Matrix, Vector, frozen
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import query
from rltheory.progress import sign_of_life

__all__ = ["MinimaxWinner", "minimax_winner"]

Method: TypeAlias = Literal["pivoting", "interior point", "linear program"]

# Numbers of the game are in its unit, the power of 2 above the largest payoff. Division by it does not round.
CERTIFIED = 1e-14  # exploitability at which an answer is accepted
PRECISION = 1e-15  # where pivoting and the central path end

PIVOTING_SIZE = 128  # actions up to which pivoting is quicker than the interior point
EXCHANGES_PER_ACTION = 10  # random games take up to 3, nearly degenerate ones 5
EXCHANGES_IF_LARGE = 16  # enough where few actions are strong, and cheaper than two iterations of the interior point
SMALLEST_PIVOT = 1e-11
SMALLEST_OF_UNIQUE = 1e-10  # what the basic variables of the only winner exceed

ITERATIONS = 100  # the central path takes 5 to 40, Newton's method to the centre 3 to 8
SETTLED = 1e-10  # gap at which the central path mostly shows which actions can be played
RANK_TOLERANCE = 1e-12

GOLDEN_RATIO = (1 + math.sqrt(5)) / 2


@dataclass(frozen=True)
class MinimaxWinner:
    r"""A mixture of actions that no action beats, with the proof of it.

    Parameters
    ----------
    policy : array, shape (n,)
        Probabilities of the actions.
    exploitability : float
        :math:`\max_a (P p)_a - 1/2 \ge 0`, the largest edge that any action has over the mixture, computed
        from the policy itself. It is 0 exactly at a minimax winner, hence it certifies the answer.
    method : {'pivoting', 'interior point', 'linear program'}
        What found the policy. Pivoting answers only where there is a single winner. The linear program is the last
        resort; where there are several winners, it returns any of them.
    """

    policy: Vector
    exploitability: float
    method: Method


def minimax_winner(game: PreferenceGame) -> MinimaxWinner:
    r"""Solve :math:`\min_p \max_a (P p)_a` over distributions.

    The value of every preference game is 1/2. Where several mixtures attain it, the answer is the analytic centre of
    all of them. It has the largest product of the probabilities of all actions that are in any winner, and of the
    losses of all others against it. So it does not depend on the order of the actions, and clones are equally likely.

    Returns
    -------
    MinimaxWinner
        The mixture, its exploitability as the certificate, and the method that found it.

    Raises
    ------
    ArithmeticError
        If no method finds a winner.

    Notes
    -----
    Principal pivoting :cite:`cottle1992` comes first. It is quick on up to 128 actions, gives up early on more, and
    shows whether its winner is the only one. If not, a primal-dual interior-point method :cite:`mehrotra1992` goes
    to the analytic centre. Answers are accepted if their exploitability is at most 1e-14, in units of the largest
    payoff rounded up to a power of 2. Should neither be, HiGHS solves a linear program.

    What a game loses by changes of about 1e-10, rounding can hide: if it is that close to having several winners, the
    answer is a winner to within its exploitability, but need not be near the only exact one, or the exact centre.

    References
    ----------
    :cite:`vonneumann1928`; known as maximal lottery in social choice :cite:`fishburn1984`.

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])
    >>> winner = minimax_winner(game)
    >>> winner.policy.round(3), winner.exploitability < 1e-15, winner.method
    (array([0.333, 0.333, 0.333]), True, 'pivoting')
    """
    payoff, n = game.payoff, game.n
    budget = EXCHANGES_PER_ACTION * n if n <= PIVOTING_SIZE else EXCHANGES_IF_LARGE
    policy, tableau, support = np.empty(n), np.empty((n + 4, n + 2)), np.empty(n, np.bool_)
    exploitability, smallest, unit = _pivoting(payoff, budget, tableau, support, policy)
    if exploitability <= CERTIFIED * unit and smallest > SMALLEST_OF_UNIQUE:
        return MinimaxWinner(frozen(policy), exploitability, "pivoting")
    with sign_of_life(f"minimax winner of {n} actions"):
        policy = _interior_point(payoff / unit)
        exploitability = _exploitability(payoff, policy)
        if exploitability <= CERTIFIED * unit:
            return MinimaxWinner(frozen(policy), exploitability, "interior point")
        policy = _linear_program(payoff)
        return MinimaxWinner(frozen(policy), _exploitability(payoff, policy), "linear program")


def _exploitability(payoff: Matrix, policy: Vector) -> float:
    return max(0.0, float((payoff @ policy).max()))


# Principal pivoting. Of p_a and w_a, one is basic for every action, the other is 0. The tableau expresses the basic
# variables in terms of the others, basic = q + M other, where M is skew. Column q, and a column d of numbers >= 0,
# stand beside M and, negated, below it, so that an exchange treats all rows alike. While theta is large, q + theta d
# is >= 0 in every row. Theta falls. Whenever a basic variable reaches 0, its action, together with the one whose basic
# variable sets the limit, changes to its other variable. At theta = 0, the basic variables are those of a winner.


@kernel
def _pivoting(
    payoff: Matrix, budget: int, tableau: Matrix, support: NDArray[np.bool_], policy: Vector
) -> tuple[float, float, float]:
    """Write a winner to `policy`; return its exploitability, the smallest basic variable and the game's unit.

    The tableau has two rows to spare, for copies.
    """
    n = policy.size
    unit = _set_up(payoff, tableau, support)
    row_r, row_c = tableau[n + 2], tableau[n + 3]
    for _ in range(budget):
        r, theta = _leaving(tableau, n)
        if r < 0:
            break
        c = _entering(tableau, n, r, theta)
        if c < 0:
            break
        _exchange(tableau, r, c, row_r, row_c)
        support[r] = not support[r]
        support[c] = not support[c]
    smallest = np.inf
    for a in range(n):
        smallest = min(smallest, tableau[n, a])
        policy[a] = tableau[n, a] if support[a] else 0.0
    _normalize(policy)
    # The tableau holds, approximately, the inverse of the equations that define the policy: one step of refinement.
    edges = row_r[:n]
    query(payoff, policy, edges)
    for a in range(n):
        if support[a]:
            for b in range(n):
                if support[b]:
                    policy[a] += tableau[a, b] * edges[b] / unit
    _normalize(policy)
    query(payoff, policy, edges)
    exploitability = 0.0
    for a in range(n):
        exploitability = max(exploitability, edges[a])
    return exploitability, smallest, unit


@kernel
def _set_up(payoff: Matrix, tableau: Matrix, support: NDArray[np.bool_]) -> float:
    """Fill the tableau for the action whose worst payoff is best, played alone; return the game's unit."""
    n = support.size
    q, d = n, n + 1
    start, best, largest = 0, -np.inf, 0.0
    for a in range(n):
        worst = 0.0
        for b in range(n):
            worst = min(worst, payoff[a, b])
        largest = max(largest, -worst)
        if worst > best:
            start, best = a, worst
    unit = math.ldexp(1.0, math.frexp(largest)[1])
    for a in range(n):
        for b in range(n):
            tableau[a, b] = (payoff[start, b] - payoff[a, b] + payoff[a, start]) / unit
        tableau[q, a] = payoff[start, a] / unit
        tableau[d, a] = 1.0 + (GOLDEN_RATIO * (a + 1)) % 1.0  # irregular, against ties
        support[a] = False
    support[start] = True
    for b in range(n):
        tableau[start, b] = -1.0
        tableau[b, start] = 1.0
    tableau[start, start] = 0.0
    tableau[q, start], tableau[d, start] = 1.0, 0.0
    for a in range(n):
        tableau[a, q], tableau[a, d] = -tableau[q, a], -tableau[d, a]
    tableau[q, q], tableau[q, d], tableau[d, q], tableau[d, d] = 0.0, 0.0, 0.0, 0.0
    return unit


@kernel
def _leaving(tableau: Matrix, n: int) -> tuple[int, float]:
    """Action whose basic variable reaches 0 first as theta falls, -1 if none does; and theta where it does."""
    r, theta = -1, PRECISION
    for a in range(n):
        if tableau[n + 1, a] > 0.0 and tableau[n, a] + theta * tableau[n + 1, a] < 0.0:
            r, theta = a, -tableau[n, a] / tableau[n + 1, a]
    return r, theta


@kernel
def _entering(tableau: Matrix, n: int, r: int, theta: float) -> int:
    """Action whose basic variable reaches 0 first as the other variable of action r grows, -1 if none does."""
    c, lowest = -1, np.inf
    for a in range(n):
        if tableau[r, a] > SMALLEST_PIVOT:
            ratio = (tableau[n, a] + theta * tableau[n + 1, a]) / tableau[r, a]
            if ratio < lowest:
                c, lowest = a, ratio
    return c


@kernel
def _exchange(tableau: Matrix, r: int, c: int, row_r: Vector, row_c: Vector) -> None:
    """Make the other variables of actions r and c basic.

    All is computed from the two rows, and nothing from their columns. Otherwise rounding makes M less and less skew.
    """
    size = row_r.size
    for j in range(size):
        row_r[j], row_c[j] = tableau[r, j], tableau[c, j]
    scale = 1.0 / row_r[c]
    for i in range(size):
        f, g = scale * row_r[i], scale * row_c[i]
        for j in range(size):
            tableau[i, j] += g * row_r[j] - f * row_c[j]
        tableau[i, r], tableau[i, c] = -g, f
    for j in range(size):
        tableau[r, j], tableau[c, j] = scale * row_c[j], -scale * row_r[j]
    tableau[r, r], tableau[r, c] = 0.0, -scale
    tableau[c, r], tableau[c, c] = scale, 0.0


@kernel
def _normalize(policy: Vector) -> None:
    total = 0.0
    for a in range(policy.size):
        policy[a] = max(policy[a], 0.0)
        total += policy[a]
    for a in range(policy.size):
        policy[a] /= total


def _interior_point(payoff: Matrix) -> Vector:
    """Follow the central path, where w = t - S p and all p_a w_a are equal, to its end at t = 0.

    This is Mehrotra's predictor-corrector method for the linear program of minimising t, which is its own dual.
    Payoffs are in the game's unit.
    """
    from scipy.linalg.lapack import dgetrf, dgetrs

    n = len(payoff)
    p = np.full(n, 1 / n)
    t = 2 * float((payoff @ p).max())
    w = t - payoff @ p
    support = np.full(n, True)
    for _ in range(ITERATIONS):
        gap = float(p @ w)
        if gap <= SETTLED:
            centre = _analytic_centre(payoff, p, support)
            if _exploitability(payoff, centre) <= CERTIFIED:
                return centre
        if gap <= PRECISION:
            break
        slope = w / p
        matrix = payoff.copy()
        matrix.flat[:: n + 1] = slope
        factors, order, singular = dgetrf(matrix.T, overwrite_a=True)  # of diag(slope) - S, as S is skew
        if singular:
            break
        # Rounding errors of the two equations; corrected in every iteration, they do not add up.
        excess, missing = t - payoff @ p - w, 1 - p.sum()
        newton_step = partial(_newton_step, partial(dgetrs, factors, order), slope, excess, missing)
        dp, dw, _ = newton_step(-w)
        support = dp / p > dw / w  # whichever goes to 0 loses nearly all of it in this step
        length = min(1.0, _room(p, w, dp, dw))
        centring = ((p + length * dp) @ (w + length * dw) / gap) ** 3
        dp, dw, dt = newton_step((centring * gap / n - dp * dw) / p - w)
        length = min(1.0, _room(p, w, dp, dw) * (1 - min(0.1, max(1e-6, gap))))
        p, w, t = p + length * dp, w + length * dw, t + length * dt
    policy: Vector = p / p.sum()
    return policy


def _newton_step(
    solve: Callable[[Vector], tuple[Vector, int]], slope: Vector, excess: Vector, missing: float, wanted: Vector
) -> tuple[Vector, Vector, float]:
    """Solve slope dp + dw = wanted, dw = dt - S dp + excess, sum dp = missing for dp, dw and dt."""
    # One right-hand side at a time: for two, OpenBLAS wakes up its threads, which takes longer than small games do.
    to_wanted, to_t = solve(wanted - excess)[0], solve(np.ones(wanted.size))[0]
    dt = float((to_wanted.sum() - missing) / to_t.sum())
    dp: Vector = to_wanted - dt * to_t
    return dp, wanted - slope * dp, dt


def _room(p: Vector, w: Vector, dp: Vector, dw: Vector) -> float:
    """Length of the step at which p or w reaches 0 somewhere."""
    return float(1 / max((-dp / p).max(), (-dw / w).max()))


def _analytic_centre(payoff: Matrix, p: Vector, support: NDArray[np.bool_]) -> Vector:
    """Move `p` onto the winners with this support, and among them, by Newton's method, to the analytic centre.

    The central path ends there too, but near its end, rounding errors carry it away along the set of winners.
    """
    from scipy.linalg import lstsq, null_space

    played, others = np.flatnonzero(support), np.flatnonzero(~support)
    weights = p[played] / p[played].sum()
    equations = np.vstack([payoff[np.ix_(played, played)], np.ones(played.size)])
    surplus = equations @ weights - np.append(np.zeros(played.size), 1.0)
    change, _, rank, _ = lstsq(equations * weights, -surplus, cond=RANK_TOLERANCE, lapack_driver="gelsy")
    weights += weights * change
    if rank < played.size:
        directions = weights[:, None] * null_space(equations * weights, rcond=RANK_TOLERANCE)
        losses = -payoff[np.ix_(others, played)]
        slopes = np.vstack([directions, losses @ directions])
        for _ in range(ITERATIONS):
            positive = np.append(weights, losses @ weights)
            if positive.min() <= 0:  # the support is wrong
                break
            relative = slopes / positive[:, None]
            step = np.linalg.lstsq(relative, np.ones(p.size))[0]
            decrement = float(np.linalg.norm(relative @ step))
            weights += directions @ step / (1 + decrement)
            if decrement < 1e-8:  # the error left is its square
                break
    policy: Vector = np.zeros(p.size)
    policy[played] = np.maximum(weights, 0.0)
    policy /= policy.sum()
    return policy


def _linear_program(payoff: Matrix) -> Vector:
    from scipy.optimize import linprog

    n = len(payoff)
    solution = linprog(
        c=np.append(np.zeros(n), 1.0),
        A_ub=np.hstack([payoff, np.full((n, 1), -1.0)]),
        b_ub=np.zeros(n),
        A_eq=np.append(np.ones(n), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * n + [(None, None)],
        method="highs",
    )
    if not solution.success:
        raise ArithmeticError(f"no method finds a minimax winner; HiGHS says: {solution.message}")
    policy: Vector = np.maximum(solution.x[:n], 0.0)
    policy /= policy.sum()
    return policy
