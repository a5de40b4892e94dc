r"""Markov chains: recurrent classes, stationary laws, gain and bias, hitting and mixing times.

Everything is exact linear algebra on the blocks of a chain, dense or sparse, and every answer is checked afterwards
against the equation that defines it. Diagonals of :math:`I - P` are sums of probabilities of leaving, so that a state
which is hardly ever left keeps its accuracy.

Rows of float64 rarely sum to 1 exactly. The law meant by a row is the one in proportion to it; all certificates speak
of that law.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import SUM_TOLERANCE, Array, Matrix, Vector, first_index, float_array, fraction, frozen
from rltheory.problems import MDP
from rltheory.problems.mdp import Indices

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "DeviationMatrix",
    "GainAndBias",
    "HittingTimes",
    "MarkovChain",
    "MixingTime",
    "StationaryLaws",
    "deviation_matrix",
    "gain_and_bias",
    "hitting_times",
    "induced_chain",
    "mixing_time",
    "stationary_laws",
]

Laws: TypeAlias = "Matrix | csr_array"

UNIT_ROUNDOFF = float(np.finfo(np.float64).eps) / 2
POWER_STEPS = 30  # of a lazy chain, to guess a state that is visited often


class MarkovChain:
    r"""A finite Markov chain.

    Parameters
    ----------
    transitions : array_like or sparse array, shape (S, S)
        ``transitions[s, t]`` is the probability in [0, 1] of going from s to t. Rows sum to 1 within 1e-9 and are
        divided by their sums. A sparse array stays sparse.

    Raises
    ------
    ValueError
        If the array is not square, an entry is not a probability, or a row does not sum to 1. The message names the
        place and the rule.

    References
    ----------
    :cite:`levin2017`

    Examples
    --------
    >>> chain = MarkovChain([[0.5, 0.25, 0.25], [0, 1, 0], [0, 0, 1]])
    >>> chain.recurrent_classes, chain.transient
    ((array([1]), array([2])), array([0]))
    """

    transitions: Laws
    terms: int  # roundings in an entry of the expected values, at most

    def __init__(self, transitions: "ArrayLike | csr_array") -> None:
        self.transitions = _checked_transitions(transitions)
        self.terms = largest_support(self.transitions)

    @property
    def states(self) -> int:
        """Number of states S."""
        return int(self.transitions.shape[0])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.states} states>"

    @cached_property
    def recurrent_classes(self) -> tuple[Indices, ...]:
        """States of each recurrent class, in the order of their first states."""
        from scipy.sparse import coo_array, csr_array
        from scipy.sparse.csgraph import connected_components

        graph = csr_array(self.transitions)
        count, label = connected_components(graph, connection="strong")
        edges = coo_array(graph)
        leaves = label[edges.row] != label[edges.col]
        left = np.zeros(count, dtype=bool)
        left[label[edges.row[leaves]]] = True
        classes = (np.flatnonzero(label == c) for c in np.flatnonzero(~left))
        return tuple(sorted(classes, key=lambda states: int(states[0])))

    @cached_property
    def transient(self) -> Indices:
        """The transient states."""
        return np.setdiff1d(np.arange(self.states), np.concatenate(self.recurrent_classes))

    @cached_property
    def _blocks(self) -> "tuple[_Class, ...]":
        return tuple(_solved_class(self, states) for states in self.recurrent_classes)

    @cached_property
    def _absorption(self) -> "Steps":
        """Expected steps until a recurrent class is reached."""
        return _steps_outside(self, self.transient)

    @cached_property
    def slowest(self) -> float:
        """Bound on the expected steps to a recurrent class, and then to a state of it that is visited often."""
        return self._absorption.longest + max(block.returns.longest for block in self._blocks)


def _checked_transitions(transitions: "ArrayLike | csr_array") -> Laws:
    from scipy.sparse import csr_array, issparse

    if not issparse(transitions):
        rows: Laws = float_array(transitions, "transitions", ndim=2)
        numbers = rows
    else:
        rows = csr_array(transitions, dtype=np.float64, copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        numbers = rows.data
    if rows.shape[0] != rows.shape[1] or rows.shape[0] == 0:
        raise ValueError(f"transitions has shape {rows.shape}; it must be (S, S) with a state")
    wrong = ~((numbers >= 0) & (numbers <= 1))
    if wrong.any():
        place = first_index(wrong)
        value = numbers[place]
        if not isinstance(rows, np.ndarray):
            coordinates = rows.tocoo()
            place = (int(coordinates.row[place[0]]), int(coordinates.col[place[0]]))
        raise ValueError(f"transitions{list(place)} is {value}; it must lie in [0, 1]")
    sums = rows.sum(axis=1)
    uneven = np.abs(sums - 1) > SUM_TOLERANCE
    if uneven.any():
        (state,) = first_index(uneven)
        raise ValueError(f"transitions[{state}] sums to {sums[state]:.12g}; expected 1 within {SUM_TOLERANCE:g}")
    return normalised(rows)


def normalised(rows: Laws) -> Laws:
    """Divide each row by its sum."""
    sums = rows.sum(axis=1)
    if isinstance(rows, np.ndarray):
        return frozen(rows / sums[:, None])
    laws = rows.copy()
    laws.data /= np.repeat(sums, np.diff(laws.indptr))
    return laws


def largest_support(laws: Laws) -> int:
    """Largest number of terms in an expected value under one of the laws."""
    return int(laws.shape[1]) if isinstance(laws, np.ndarray) else int(np.diff(laws.indptr).max())


def evaluation_rounding(terms: int, values: ArrayLike, rewards: ArrayLike = 1.0) -> float:
    r"""Largest error, as computed in float64, of :math:`r + P h - h` under laws that were divided by their sums.

    With m terms, a sum of probabilities errs by a factor of 1 + m u and so do the quotients; a sum of products errs by
    m u times the largest value; the two other operations err by u times numbers of size :math:`2 |h| + |r|`. What
    remains pays for the few operations that make a bound of the result.
    """
    size = float(np.max(np.abs(values), initial=0.0)) + float(np.max(np.abs(rewards), initial=0.0))
    return (2 * terms + 16) * UNIT_ROUNDOFF * size


def induced_chain(mdp: MDP, policy: ArrayLike) -> tuple[MarkovChain, Vector]:
    r"""Chain :math:`P_\pi` and rewards :math:`r_\pi` that a stationary policy makes of a process.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    policy : array_like of int, shape (S,), or of float, shape (C,)
        The number of the choice taken in each state; or the probabilities of the choices, which sum to 1 within 1e-9
        over those of each state.

    Returns
    -------
    chain : MarkovChain
        Dense or sparse as the process is.
    rewards : array, shape (S,)
        Mean reward in each state.

    Raises
    ------
    ValueError
        If a choice belongs to another state, or probabilities are no distribution.

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[0.5, 0.5], [0, 1]], [[1, 0], [0, 1]]], [[5, 10], [-1, 2]])
    >>> chain, rewards = induced_chain(mdp, [1, 2])
    >>> chain.transitions, rewards
    (array([[0., 1.],
           [1., 0.]]), array([10., -1.]))
    """
    given = np.asarray(policy)
    if np.issubdtype(given.dtype, np.integer):
        choices = _checked_choices(mdp, given)
        return MarkovChain(mdp.transition_matrix[choices]), mdp.rewards[choices]
    from scipy.sparse import csr_array

    mixture = _checked_mixture(mdp, policy)
    mixing = csr_array((mixture, np.arange(mdp.choices), mdp.first_choice), shape=(mdp.states, mdp.choices))
    chain = MarkovChain(mixing @ mdp.transition_matrix)
    chain.terms += int(np.diff(mdp.first_choice).max())
    return chain, mixing @ mdp.rewards


def _checked_choices(mdp: MDP, choices: NDArray[Any]) -> Indices:
    if choices.shape != (mdp.states,):
        raise ValueError(f"policy has shape {choices.shape}; it must name a choice for each of {mdp.states} states")
    wrong = (choices < mdp.first_choice[:-1]) | (choices >= mdp.first_choice[1:])
    if wrong.any():
        (state,) = first_index(wrong)
        first, last = mdp.first_choice[state], mdp.first_choice[state + 1] - 1
        raise ValueError(f"policy[{state}] is {choices[state]}; the choices of state {state} are {first} to {last}")
    return choices.astype(np.int64)


def _checked_mixture(mdp: MDP, policy: ArrayLike) -> Vector:
    mixture = float_array(policy, "policy", ndim=1)
    if mixture.size != mdp.choices:
        raise ValueError(f"policy has {mixture.size} probabilities for {mdp.choices} choices; give one for each")
    if (mixture < 0).any():
        (choice,) = first_index(mixture < 0)
        raise ValueError(f"policy[{choice}] is {mixture[choice]}; a probability must be >= 0")
    sums = np.add.reduceat(mixture, mdp.first_choice[:-1])
    if (np.abs(sums - 1) > SUM_TOLERANCE).any():
        (state,) = first_index(np.abs(sums - 1) > SUM_TOLERANCE)
        raise ValueError(
            f"policy sums to {sums[state]:.12g} over the choices of state {state}; expected 1 within {SUM_TOLERANCE:g}"
        )
    return mixture / sums[mdp.state_of_choice]


Solve: TypeAlias = Callable[[Array, bool], Array]  # right-hand side, whether the matrix is transposed


def _factorised(laws: Laws, states: Indices) -> Solve:
    """LU factors of I - P on some states, whose laws are given; diagonals are sums of probabilities of leaving."""
    if states.size == 0:
        return lambda right, _: right
    if isinstance(laws, np.ndarray):
        from scipy.linalg.lapack import dgetrf, dgetrs

        moves = laws.copy()
        moves[np.arange(states.size), states] = 0
        block = -moves[:, states]
        np.fill_diagonal(block, moves.sum(axis=1))
        factors, pivots, zero_pivot = dgetrf(block)
        if zero_pivot:
            raise _unresolved()

        def solve(right: Array, transposed: bool) -> Array:
            solution: Array = dgetrs(factors, pivots, right, trans=int(transposed))[0]
            return solution

        return solve
    from scipy.sparse import coo_array, csc_array
    from scipy.sparse.linalg import splu

    entries = coo_array(laws)
    moving = entries.col != states[entries.row]
    row, col, data = entries.row[moving], entries.col[moving], entries.data[moving]
    position = np.full(laws.shape[1], -1)
    position[states] = np.arange(states.size)
    inside = position[col] >= 0
    diagonal = np.arange(states.size)
    sparse_block = csc_array(
        (
            np.append(np.bincount(row, data, minlength=states.size), -data[inside]),
            (np.append(diagonal, row[inside]), np.append(diagonal, position[col[inside]])),
        ),
        shape=(states.size, states.size),
    )
    try:
        sparse_factors = splu(sparse_block)
    except RuntimeError:
        raise _unresolved() from None

    def sparse_solve(right: Array, transposed: bool) -> Array:
        solution: Array = sparse_factors.solve(right, "T" if transposed else "N")
        return solution

    return sparse_solve


def _unresolved() -> ArithmeticError:
    return ArithmeticError("the chain's linear equations are singular in float64: some states are hardly ever left")


class Steps(NamedTuple):
    """Expected numbers of steps until some states are left."""

    states: Indices
    solve: Solve
    times: Vector  # (S,), as computed; 0 outside
    excess: float  # |1 + P times - times| inside, at most; the certificate: times / (1 ± excess) are bounds

    @property
    def longest(self) -> float:
        """Upper bound on the largest."""
        return float(self.upper.max(initial=0.0))

    @property
    def upper(self) -> Vector:
        """Upper bounds."""
        return bounded(self.times, -self.excess)

    @property
    def lower(self) -> Vector:
        """Lower bounds."""
        return bounded(self.times, self.excess)


def bounded(times: Vector, excess: float) -> Vector:
    """Bound expected times by times / (1 + excess): from above if the excess is negative, else from below."""
    if not abs(excess) <= 0.5:
        raise ArithmeticError(
            f"expected times of about {times.max():.3g} steps, as computed, are beyond what float64 can certify"
        )
    bounds: Vector = times / (1 + excess) * (1 - math.copysign(4 * UNIT_ROUNDOFF, excess))
    return bounds


def expected_steps(laws: Laws, states: Indices, terms: int) -> Steps:
    """Solve for the expected steps until `states`, whose laws are given, are left; this must happen from each of them.

    If x = 0 outside and x >= 1 - e + P x inside, then x / (1 - e) bounds the times from above, as its sum along the
    way tells; likewise from below.
    """
    solve = _factorised(laws, states)
    times = np.zeros(laws.shape[1])
    times[states] = solve(np.ones(states.size), False)
    if not np.isfinite(times).all():
        raise _unresolved()
    residual = 1 + laws @ times - times[states]
    excess = float(np.abs(residual).max(initial=0.0)) + evaluation_rounding(terms, times)
    bounded(times, -excess)
    return Steps(states, solve, times, excess)


def _steps_outside(chain: MarkovChain, states: Indices) -> Steps:
    return expected_steps(chain.transitions[states], states, chain.terms)


class _Class(NamedTuple):
    """A recurrent class, solved."""

    states: Indices
    returns: Steps  # until the reference state, outside of which `returns.states` are
    law: Vector  # over `states`
    law_error: float  # l1


def _solved_class(chain: MarkovChain, states: Indices) -> _Class:
    r"""Stationary law of a recurrent class, by the return times to a reference state that is visited often.

    Its error follows from the residual: :math:`(\hat p - p) f = (\hat p - \hat p P) h_f` with the bias of f, whose
    span is at most 2 t for |f| <= 1 if the reference is reached in t expected steps from everywhere.
    """
    laws = chain.transitions
    inside = laws[states][:, states]
    guess = np.full(states.size, 1 / states.size)
    for _ in range(POWER_STEPS):
        guess = (guess + guess @ inside) / 2
    while True:
        reference = int(np.argmax(guess))
        rest = np.delete(np.arange(states.size), reference)
        returns = _steps_outside(chain, states[rest])
        row = inside[[reference]][:, rest]
        from_reference = (row if isinstance(row, np.ndarray) else row.toarray())[0]
        law = np.ones(states.size)
        law[rest] = np.maximum(returns.solve(from_reference, True), 0.0)
        law /= law.sum()
        # A reference that is visited rarely is reached late, which costs accuracy.
        if law[reference] >= law.max() / 2:
            break
        guess = law
    # An entry of the product sums at most all states, and so does the normalisation.
    rounding = evaluation_rounding(states.size + chain.terms, 1.0, 0.0)
    residual = float(np.abs(law - law @ inside).sum()) + rounding
    return _Class(states, returns, law, residual * max(returns.longest, 1.0) + rounding)


@dataclass(frozen=True)
class StationaryLaws:
    r"""The stationary laws of a chain, one for each recurrent class.

    Parameters
    ----------
    laws : array, shape (K, S)
        The law of each class, in the order of :attr:`MarkovChain.recurrent_classes`; 0 outside the class.
    absorption : array, shape (S, K)
        Probability of ending in each class.
    law_error : float
        Proved bound on :math:`\|\hat p - p\|_1` for each law.
    absorption_error : float
        Proved bound on the error of each probability of absorption.
    """

    laws: Matrix
    absorption: Matrix
    law_error: float
    absorption_error: float


def stationary_laws(chain: MarkovChain) -> StationaryLaws:
    r"""Solve :math:`p P = p`, :math:`\sum_s p(s) = 1` in each recurrent class.

    Returns
    -------
    StationaryLaws
        The laws and the probabilities of absorption, with bounds on their errors from the residuals and the expected
        return times, rounding included.

    Raises
    ------
    ArithmeticError
        If return times are too long for float64 to certify anything.

    References
    ----------
    :cite:`levin2017`, :cite:`puterman2005` appendix A

    Examples
    --------
    >>> found = stationary_laws(MarkovChain([[0.4, 0.6], [0.2, 0.8]]))
    >>> found.laws.round(12), found.law_error < 1e-13
    (array([[0.25, 0.75]]), True)
    """
    blocks = chain._blocks
    laws = np.zeros((len(blocks), chain.states))
    for k, block in enumerate(blocks):
        laws[k, block.states] = block.law
    absorption = (laws > 0).T.astype(np.float64)
    for k, block in enumerate(blocks):
        absorption[block.states, k] = 1.0
    absorption, error = _harmonic(chain, absorption)
    return StationaryLaws(frozen(laws), frozen(absorption), max(block.law_error for block in blocks), error)


def _harmonic(chain: MarkovChain, values: Matrix) -> tuple[Matrix, float]:
    """Expected value of `values`, given in recurrent states, where the chain ends; and the error of the answer.

    If x - P x is at most e in transient states, x plus e times the expected steps there is superharmonic.
    """
    steps, laws = chain._absorption, chain.transitions
    extended = values.copy()
    extended[steps.states] = 0.0
    extended[steps.states] = steps.solve((laws @ extended)[steps.states], False)
    if steps.states.size == 0:
        return extended, 0.0
    residual = float(np.abs((laws @ extended - extended)[steps.states]).max())
    return extended, (residual + evaluation_rounding(chain.terms, extended, 0.0)) * steps.longest


@dataclass(frozen=True)
class GainAndBias:
    r"""Long-run average reward and bias of a chain with rewards.

    Parameters
    ----------
    gain : array, shape (S,)
        :math:`g = P^* r`, average reward per step from each state; the same number in all states of a class.
    bias : array, shape (S,)
        :math:`h = \sum_t (P^t r - g)` (in the sense of Cesàro if the chain is periodic), for which :math:`P^* h = 0`.
    lower, upper : array, shape (S,)
        Proved bounds on the gain.
    bias_error : float
        Proved bound on the error of each entry of the bias.
    """

    gain: Vector
    bias: Vector
    lower: Vector
    upper: Vector
    bias_error: float


def gain_and_bias(chain: MarkovChain, rewards: ArrayLike) -> GainAndBias:
    r"""Solve :math:`g = P g`, :math:`g + h = r + P h`, :math:`P^* h = 0`.

    Parameters
    ----------
    chain
        The chain, S states, with any number of recurrent classes.
    rewards : array_like, shape (S,)
        Finite mean reward in each state.

    Returns
    -------
    GainAndBias
        The solution with its certificate. In a recurrent class, any h proves
        :math:`\min (r + P h - h) \le g \le \max (r + P h - h)`; transient states average over the classes, and the
        residual of that average times the expected steps to a class bounds its error. The error of the bias is at most
        the span of the residual times the expected steps to a state of the class.

    Raises
    ------
    ValueError
        If there is not one finite reward for each state.
    ArithmeticError
        If return times are too long for float64 to certify anything.

    References
    ----------
    :cite:`puterman2005` chapters 8.2, 9.1 and appendix A

    Examples
    --------
    >>> solved = gain_and_bias(MarkovChain([[0.5, 0.25, 0.25], [0, 1, 0], [0, 0, 1]]), [0, 1, 3])
    >>> solved.gain, solved.bias
    (array([2., 1., 3.]), array([-4.,  0.,  0.]))
    """
    vector = float_array(rewards, "rewards", ndim=1)
    if vector.size != chain.states:
        raise ValueError(f"rewards has {vector.size} entries for {chain.states} states; give one for each")
    return _solve_poisson(chain, vector)


def _solve_poisson(chain: MarkovChain, rewards: Vector) -> GainAndBias:
    laws = chain.transitions
    bias = np.zeros(chain.states)
    gains = np.zeros((chain.states, 3))  # as computed, lower bound, upper bound
    for states, returns, law, _ in chain._blocks:
        gain = law @ rewards[states]
        bias[returns.states] = returns.solve(rewards[returns.states] - gain, False)
        bias[states] -= law @ bias[states]
        gains[states, 0] = gain
    residual = rewards + laws @ bias - bias
    rounding = evaluation_rounding(chain.terms, bias, rewards)
    bias_error = 0.0
    for states, returns, law, law_error in chain._blocks:
        lower, upper = residual[states].min() - rounding, residual[states].max() + rounding
        gains[states] = np.clip(gains[states[0], 0], lower, upper), lower, upper
        off_centre = abs(law @ bias[states]) + law_error * np.ptp(bias[states])
        bias_error = max(bias_error, float(off_centre + (upper - lower) * returns.longest + rounding))
    gains, gain_error = _harmonic(chain, gains)
    transient, solve = chain._absorption.states, chain._absorption.solve
    if transient.size:
        gains[transient, 1] -= gain_error
        gains[transient, 2] += gain_error
        bias[transient] = solve((rewards - gains[:, 0] + laws @ bias)[transient], False)
        residual = (rewards - gains[:, 0] + laws @ bias - bias)[transient]
        off = np.abs(residual).max() + np.ptp(gains[transient, 1:], axis=1).max()
        rounding = evaluation_rounding(chain.terms, bias, rewards)
        bias_error += float(off + 2 * rounding) * chain._absorption.longest
    gain, lower_bound, upper_bound = (frozen(np.ascontiguousarray(column)) for column in gains.T)
    return GainAndBias(gain, frozen(bias), lower_bound, upper_bound, bias_error)


@dataclass(frozen=True)
class DeviationMatrix:
    r"""Limiting and deviation matrix of a chain.

    Parameters
    ----------
    limiting : array, shape (S, S)
        :math:`P^* = \lim \frac1T \sum_{t < T} P^t`.
    deviation : array, shape (S, S)
        :math:`D = (I - P + P^*)^{-1} (I - P^*)`, so that the bias of rewards r is D r.
    error : float
        Proved bound on the error of each entry of the deviation matrix.
    """

    limiting: Matrix
    deviation: Matrix
    error: float

    @property
    def fundamental(self) -> Matrix:
        """The fundamental matrix :math:`(I - P + P^*)^{-1} = D + P^*`."""
        matrix: Matrix = self.deviation + self.limiting
        return matrix


def deviation_matrix(chain: MarkovChain) -> DeviationMatrix:
    r"""Limiting, deviation and fundamental matrix, column by column: each is the bias of a reward in one state.

    Raises
    ------
    ArithmeticError
        If return times are too long for float64 to certify anything.

    References
    ----------
    :cite:`kemeny1960`, :cite:`puterman2005` appendix A

    Examples
    --------
    >>> found = deviation_matrix(MarkovChain([[0.5, 0.5], [0.5, 0.5]]))
    >>> found.deviation, found.limiting
    (array([[ 0.5, -0.5],
           [-0.5,  0.5]]), array([[0.5, 0.5],
           [0.5, 0.5]]))
    """
    columns = [_solve_poisson(chain, column) for column in np.eye(chain.states)]
    limiting = np.stack([column.gain for column in columns], axis=1)
    deviation = np.stack([column.bias for column in columns], axis=1)
    return DeviationMatrix(frozen(limiting), frozen(deviation), max(column.bias_error for column in columns))


@dataclass(frozen=True)
class HittingTimes:
    """Expected steps until a set of states is reached.

    Parameters
    ----------
    times : array, shape (S,)
        Expected steps from each state: 0 in the set, infinite where it is missed with positive probability.
    lower, upper : array, shape (S,)
        Proved bounds on them.
    """

    times: Vector
    lower: Vector
    upper: Vector


def hitting_times(chain: MarkovChain, target: int | Iterable[int]) -> HittingTimes:
    r"""Solve :math:`x = 0` on the target, :math:`x = 1 + P x` elsewhere.

    Parameters
    ----------
    chain
        The chain, S states.
    target
        A state, or several.

    Returns
    -------
    HittingTimes
        The solution with bounds on it: the residual is compared with the 1 in the equation, hence they are relative.

    Raises
    ------
    ValueError
        If the target is empty or names no state.
    ArithmeticError
        If the times are too long for float64 to certify anything.

    References
    ----------
    :cite:`levin2017`

    Examples
    --------
    >>> hitting_times(MarkovChain([[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0, 1]]), 2).times
    array([6., 4., 0.])
    """
    goal = _checked_target(chain, target)
    steps = _steps_outside(chain, _surely_leads(chain, goal))
    missed = np.ones(chain.states, dtype=bool)
    missed[goal] = missed[steps.states] = False
    times, lower, upper = (
        frozen(np.where(missed, np.inf, values)) for values in (steps.times, steps.lower, steps.upper)
    )
    return HittingTimes(times, lower, upper)


def _checked_target(chain: MarkovChain, target: int | Iterable[int]) -> Indices:
    states = np.unique(np.array([target] if isinstance(target, int | np.integer) else list(target)))
    if states.size == 0 or not np.issubdtype(states.dtype, np.integer):
        raise ValueError(f"target is {target!r}; it must be a state, or several")
    outside = (states < 0) | (states >= chain.states)
    if outside.any():
        raise ValueError(f"target names state {states[outside][0]}; there are states 0 to {chain.states - 1}")
    return states.astype(np.int64)


def _surely_leads(chain: MarkovChain, goal: Indices) -> Indices:
    """States outside the goal from which it is reached with probability 1.

    They cannot reach, without passing the goal, a state from which there is no way to it.
    """
    from scipy.sparse import coo_array

    edges = coo_array(chain.transitions)
    onward = ~np.isin(edges.row, goal)
    backward = edges.col[onward], edges.row[onward]
    hopeless = np.flatnonzero(~reached(backward, goal, chain.states))
    hopeful = ~reached(backward, hopeless, chain.states)
    hopeful[goal] = False
    return np.flatnonzero(hopeful)


def reached(edges: tuple[Indices, Indices], sources: Indices, nodes: int) -> NDArray[np.bool_]:
    """Which nodes can be reached along directed edges from the sources, themselves included."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    # One more node leads to all sources.
    origins, ends = np.append(edges[0], np.full(sources.size, nodes)), np.append(edges[1], sources)
    graph = csr_array((np.ones(origins.size), (origins, ends)), shape=(nodes + 1, nodes + 1))
    mask = np.zeros(nodes + 1, dtype=bool)
    mask[breadth_first_order(graph, nodes, return_predecessors=False)] = True
    return mask[:nodes]


@dataclass(frozen=True)
class MixingTime:
    r"""The first time at which a chain has forgotten where it started.

    Parameters
    ----------
    lower, upper : int
        Proved bounds; equal unless the distance at that time comes within rounding of the level.
    """

    lower: int
    upper: int


def mixing_time(chain: MarkovChain, level: float = 0.25) -> MixingTime:
    r"""First t with :math:`\max_s \tfrac12 \| P^t(s, \cdot) - p \|_1 \le` `level`.

    Repeated squaring, then a binary search among the powers: the distance never grows.

    Parameters
    ----------
    chain
        A chain with one recurrent class, which is aperiodic.
    level
        Total variation distance in (0, 1).

    Returns
    -------
    MixingTime
        The time, between bounds that differ only if rounding hides which side of the level a distance is on.

    Raises
    ------
    ValueError
        If the chain has several recurrent classes or is periodic, so that it never mixes, or the level is out of range.
    ArithmeticError
        If the chain mixes so slowly that the rounding of its powers reaches the level first.

    References
    ----------
    :cite:`levin2017` chapter 4

    Examples
    --------
    >>> mixing_time(MarkovChain([[0.9, 0.1], [0.1, 0.9]]))
    MixingTime(lower=4, upper=4)
    """
    level = fraction(level, "level")
    if level in (0, 1):
        raise ValueError(f"level is {level}; it must lie strictly between 0 and 1")
    if len(chain.recurrent_classes) > 1:
        raise ValueError(f"the chain has {len(chain.recurrent_classes)} recurrent classes; it never mixes")
    period = _period(chain, chain.recurrent_classes[0])
    if period > 1:
        raise ValueError(f"the chain has period {period}; it never mixes")
    found = stationary_laws(chain)
    laws = chain.transitions if isinstance(chain.transitions, np.ndarray) else chain.transitions.toarray()

    def distance(power: Matrix) -> float:
        return float(np.abs(power - found.laws).sum(axis=1).max()) / 2

    def error(time: int) -> float:
        # A product of stochastic matrices adds an error of S u to those of its factors, in the largest row sum; each
        # entry of the chain itself errs by terms u.
        products = (chain.states + chain.terms + 2) * UNIT_ROUNDOFF * time
        return products + found.law_error + (chain.states + 2) * UNIT_ROUNDOFF

    powers = [laws]
    while distance(powers[-1]) + error(2 ** (len(powers) - 1)) > level:
        if error(2 ** len(powers)) > level / 2:
            raise ArithmeticError(
                f"after {2 ** (len(powers) - 1)} steps the distance is still {distance(powers[-1]):.3g}; "
                "float64 can certify no longer powers"
            )
        powers.append(powers[-1] @ powers[-1])

    def first(sign: int) -> int:
        """First time at which the distance, its error added or subtracted, is at most the level."""
        time, power = 0, np.eye(chain.states)
        if distance(power) + sign * error(0) <= level:
            return 0
        for k in reversed(range(len(powers))):
            further = power @ powers[k]
            if distance(further) + sign * error(time + 2**k) > level:
                time, power = time + 2**k, further
        return time + 1

    return MixingTime(first(-1), first(1))


def _period(chain: MarkovChain, states: Indices) -> int:
    """Greatest common divisor of the lengths of a recurrent class's cycles, from distances to its first state."""
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import shortest_path

    graph = csr_array(chain.transitions)[states][:, states]
    depth = shortest_path(graph, unweighted=True, indices=0).astype(np.int64)
    edges = coo_array(graph)
    return math.gcd(*(depth[edges.row] + 1 - depth[edges.col]).tolist())
