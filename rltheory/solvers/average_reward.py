r"""Average reward: the largest gain, policies that attain it, and their bias.

The gain of a policy is its long-run average reward :math:`g_\pi(s) = \lim \frac1T E_s^\pi \sum_{t<T} r_t`, that of a
process :math:`g^*(s) = \max_\pi g_\pi(s)`. Three independent ways lead to it, each with proved bounds:
:func:`relative_value_iteration` for large weakly communicating processes, :func:`average_policy_iteration` and
:func:`average_linear_program` for all.

Bounds from above rest on end components. Let h be any function, and let u be constant on each end component, at least
:math:`r + P_a h - h` there for the choices inside it, and superharmonic, :math:`u \ge P_a u`, for all other choices.
Then :math:`g^* \le u`. For let w be the largest expected number of choices that are not inside an end component, which
is finite: then :math:`(u, h + M w)` satisfies Puterman's dual constraints :math:`u \ge P_a u` and
:math:`u + h + M w \ge r + P_a (h + M w)` as soon as M is large.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rltheory.arrays import Vector, count, frozen, not_negative, positive
from rltheory.jit import kernel
from rltheory.problems import MDP
from rltheory.problems.mdp import Indices, ProcessArrays, expectation
from rltheory.progress import sign_of_life
from rltheory.solvers.chains import (
    UNIT_ROUNDOFF,
    GainAndBias,
    Laws,
    evaluation_rounding,
    gain_and_bias,
    induced_chain,
    largest_support,
    normalised,
)
from rltheory.solvers.diameter import best_steps, greedy
from rltheory.solvers.end_components import end_components

__all__ = [
    "AverageOptimum",
    "RelativeValues",
    "SoftRelativeValues",
    "average_linear_program",
    "average_policy_iteration",
    "relative_value_iteration",
    "soft_relative_value_iteration",
]

SMALLEST_COEFFICIENT = 1e-9  # that HiGHS does not drop
SWEEPS_BEFORE = 10  # of value iteration before policy iteration, for each state


@dataclass(frozen=True, kw_only=True)
class _Relative:
    """What relative value iterations share."""

    values: Vector
    lower: float
    upper: float
    sweeps: int

    @property
    def gain(self) -> float:
        """The middle between the bounds."""
        return (self.lower + self.upper) / 2


@dataclass(frozen=True, kw_only=True)
class RelativeValues(_Relative):
    r"""A nearly optimal policy for the average reward, with relative values.

    Parameters
    ----------
    policy : array of int, shape (S,)
        Number of the choice taken in each state, greedy in the values.
    values : array, shape (S,)
        Relative values v, 0 in the first state: :math:`g + v = \max_a (r_a + P_a v)` up to `upper - lower`.
    lower, upper : float
        Proved bounds: the gain of the policy is at least `lower`, that of every policy at most `upper`.
    sweeps : int
        Sweeps over all choices that were spent.
    """

    policy: Indices


@dataclass(frozen=True, kw_only=True)
class SoftRelativeValues(_Relative):
    r"""A nearly optimal policy for the average reward and entropy, with relative values.

    Parameters
    ----------
    log_policy : array, shape (C,)
        Logarithms of the probabilities of the choices, which sum to 1 in each state up to rounding.
    values : array, shape (S,)
        Relative values v, 0 in the first state: :math:`g + v = \tau \log \sum_a e^{(r_a + P_a v) / \tau}` up to
        `upper - lower`.
    lower, upper : float
        Proved bounds: the gain of the policy, its entropy included, is at least `lower`, that of every policy at most
        `upper`.
    sweeps : int
        Sweeps over all choices that were spent.
    """

    log_policy: Vector


@kernel
def _iterate(
    arrays: ProcessArrays,
    masses: Vector,
    temperature: float,
    keep: float,
    unit: float,
    own: float,
    largest_reward: float,
    accuracy: float,
    sweeps: int,
    values: Vector,
    action_values: Vector | None,
    changes: Vector,
    policy: Indices,
) -> tuple[float, float, int]:
    """Sweep until the bounds on the gain, which are returned, are `accuracy` apart or hopeless, or sweeps are spent.

    Without `action_values`, no entropy is paid for. `unit` is the rounding of an evaluation relative to the numbers in
    it, and `own` that of an entropy.
    """
    first_choice, rewards = arrays.first_choice, arrays.rewards
    sweep = 0
    while True:
        lowest, highest, largest = np.inf, -np.inf, largest_reward
        for state in range(values.size):
            best = -np.inf
            for choice in range(first_choice[state], first_choice[state + 1]):
                value = rewards[choice] + expectation(arrays, choice, values) / masses[choice]
                if action_values is not None:
                    action_values[choice] = value
                if value > best:
                    best = value
                    policy[state] = choice
            if action_values is not None:
                total = 0.0
                for choice in range(first_choice[state], first_choice[state + 1]):
                    total += np.exp((action_values[choice] - best) / temperature)
                best += temperature * np.log(total)
            change = best - values[state]
            changes[state] = change
            lowest, highest = min(lowest, change), max(highest, change)
            largest = max(largest, abs(values[state]))
        sweep += 1
        rounding = unit * (largest + largest_reward) + own
        reached = highest - lowest + 2 * rounding <= accuracy
        if reached or 2 * rounding >= accuracy or sweep == sweeps:
            return lowest - rounding, highest + rounding, sweep
        first = values[0] + keep * changes[0]
        for state in range(values.size):
            values[state] += keep * changes[state] - first


def relative_value_iteration(
    mdp: MDP, *, accuracy: float = 1e-6, damping: float = 0.5, sweeps: int = 1_000_000
) -> RelativeValues:
    r"""Iterate :math:`v \leftarrow \kappa v + (1 - \kappa) T v`, less its first entry, until bounds on the gain meet.

    Here :math:`(T v)(s) = \max_a (r_a + P_a v)`. Every v proves that :math:`\min (T v - v)` is at most the gain of the
    policy that is greedy in v, and :math:`\max (T v - v)` at least the gain of every policy; these bounds approach each
    other. Damping :math:`\kappa > 0` makes each policy aperiodic and changes no gain.

    Parameters
    ----------
    mdp
        A weakly communicating process; unichain and communicating ones are. :func:`average_policy_iteration` solves
        others.
    accuracy
        Largest distance of the bounds, > 0, in units of reward.
    damping
        :math:`\kappa` in [0, 1). With 0, periodic processes may not converge.
    sweeps
        Limit on the sweeps, >= 1.

    Returns
    -------
    RelativeValues
        A policy and relative values, with bounds on the gain that include the rounding of their own evaluation.

    Raises
    ------
    ValueError, TypeError
        If the process is not weakly communicating, so that its gain may depend on the state, or an argument is out of
        range.
    ArithmeticError
        If the limit is spent, or rounding exceeds the accuracy; the message has the bounds that were proved.

    References
    ----------
    :cite:`white1963`; the bounds: :cite:`odoni1969`; damping: :cite:`schweitzer1971`; :cite:`puterman2005` section 8.5

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[0, 1], [1, 0]], [[1, 0], [0, 1]]], [[0, 0.5], [3, 1]])
    >>> found = relative_value_iteration(mdp)
    >>> found.policy, round(found.gain, 6)
    (array([0, 2]), 1.5)
    """
    return _proved(mdp, 0.0, None, accuracy, damping, sweeps)


def soft_relative_value_iteration(
    mdp: MDP, *, temperature: float, accuracy: float = 1e-6, damping: float = 0.5, sweeps: int = 1_000_000
) -> SoftRelativeValues:
    r"""Solve the average reward of policies that are paid for their entropy, by :func:`relative_value_iteration`.

    .. math:: g^* = \max_\pi \lim_{T \to \infty} \frac1T E^\pi \sum_{t<T} (r_t + \tau H(\pi_{s_t})), \qquad
              g^* + v(s) = \tau \log \sum_{a} e^{(r_a + P_a v) / \tau}.

    The bounds are those of the plain iteration, with the soft operator in the place of T. Where each choice leads to a
    single state, :math:`e^{g^* / \tau}` is the largest eigenvalue of the matrix that has the sum of
    :math:`e^{r_a / \tau}`, over the choices that lead from s to t, as its entry at s, t. For a penalty
    :math:`\tau\,\mathrm{KL}(\pi \| \mu)` in the place of the entropy, add :math:`\tau \log \mu(a)` to the rewards.

    Parameters
    ----------
    mdp
        A weakly communicating process; unichain and communicating ones are.
    temperature
        Temperature :math:`\tau > 0` of the entropy, in units of reward per nat.
    accuracy
        Largest distance of the bounds, > 0, in units of reward.
    damping
        :math:`\kappa` in [0, 1). With 0, periodic processes may not converge.
    sweeps
        Limit on the sweeps, >= 1.

    Returns
    -------
    SoftRelativeValues
        A policy and relative values, with bounds on the gain that include the rounding of their own evaluation.

    Raises
    ------
    ValueError, TypeError, ArithmeticError
        As :func:`relative_value_iteration`, or if `temperature` is not > 0.

    References
    ----------
    :cite:`neu2017`; the eigenvalue: :cite:`todorov2006`

    Examples
    --------
    One state and two free choices: log 2 is paid for not choosing.

    >>> from rltheory.problems import TabularMDP
    >>> found = soft_relative_value_iteration(TabularMDP([[[1.0], [1.0]]], [[0.0, 0.0]]), temperature=1.0)
    >>> round(found.gain, 6), np.exp(found.log_policy)
    (0.693147, array([0.5, 0.5]))
    """
    temperature, action_values = positive(temperature, "temperature"), np.empty(mdp.choices)
    found = _proved(mdp, temperature, action_values, accuracy, damping, sweeps)
    logits = (action_values - action_values[found.policy][mdp.state_of_choice]) / temperature
    log_totals = np.log(np.add.reduceat(np.exp(logits), mdp.first_choice[:-1]))
    return SoftRelativeValues(
        log_policy=frozen(logits - log_totals[mdp.state_of_choice]),
        values=found.values,
        lower=found.lower,
        upper=found.upper,
        sweeps=found.sweeps,
    )


def _proved(
    mdp: MDP, temperature: float, action_values: Vector | None, accuracy: float, damping: float, sweeps: int
) -> RelativeValues:
    """Check the arguments and iterate until the bounds meet."""
    accuracy, sweeps = positive(accuracy, "accuracy"), count(sweeps, "sweeps", at_least=1)
    damping = not_negative(damping, "damping")
    if damping >= 1:
        raise ValueError(f"damping is {damping}; it must lie in [0, 1)")
    components = end_components(mdp).count
    if components > 1:
        raise ValueError(
            f"the process has {components} end components, so that its gain may depend on the state; it must be weakly "
            "communicating"
        )
    with sign_of_life(f"relative value iteration on {mdp.states} states"):
        found = _iterated(mdp, temperature, action_values, accuracy, damping, sweeps)
    lower, upper = found.lower, found.upper
    if upper - lower > accuracy:
        reason = (
            f"the limit of {sweeps} sweeps is spent" if found.sweeps == sweeps else "float64 can certify no more here"
        )
        raise ArithmeticError(
            f"the gain lies in [{lower!r}, {upper!r}], which is wider than the accuracy {accuracy:g}; {reason}"
        )
    return found


def _iterated(
    mdp: MDP, temperature: float, action_values: Vector | None, accuracy: float, damping: float, sweeps: int
) -> RelativeValues:
    """Values, greedy policy and bounds where the iteration stopped, whether they meet or not."""
    matrix, values = mdp.transition_matrix, np.zeros(mdp.states)
    policy = np.empty(mdp.states, dtype=np.int64)
    unit, own = evaluation_rounding(largest_support(matrix), 1.0, 0.0), 0.0
    if temperature > 0:
        # A log-sum-exp of k numbers errs as they do, and by temperature * (6 k + 6) u and u times itself. The policy, a
        # softmax of numbers that err by e, loses 2 e more at most; so do its own roundings.
        widest = int(np.diff(mdp.first_choice).max())
        unit, own = 3 * unit, 3 * UNIT_ROUNDOFF * temperature * (6 * widest + 6 + np.log(widest))
    lower, upper, spent = _iterate(
        mdp.arrays,
        np.asarray(matrix.sum(axis=1)),
        temperature,
        1 - damping,
        unit,
        own,
        float(np.abs(mdp.rewards).max()),
        accuracy,
        sweeps,
        values,
        action_values,
        np.empty(mdp.states),
        policy,
    )
    policy.setflags(write=False)
    return RelativeValues(policy=policy, values=frozen(values), lower=lower, upper=upper, sweeps=spent)


@dataclass(frozen=True)
class AverageOptimum:
    r"""An optimal policy for the average reward, as far as the bounds tell, from every state.

    Parameters
    ----------
    policy : array of int, shape (S,)
        Number of the choice taken in each state.
    gain : array, shape (S,)
        Gain of the policy, as computed.
    bias : array, shape (S,)
        Bias h of the policy, with :math:`P^* h = 0`, as computed.
    lower, upper : array, shape (S,)
        Proved bounds: the gain of the policy from each state is at least `lower`, that of every policy at most `upper`.
    bias_error : float
        Proved bound on the error of each entry of the bias.
    iterations : int
        Policies evaluated, or iterations of the interior-point method.
    """

    policy: Indices
    gain: Vector
    bias: Vector
    lower: Vector
    upper: Vector
    bias_error: float
    iterations: int

    @property
    def bias_span(self) -> float:
        """Span of the bias, :math:`max h - min h`; its error is twice that of the bias at most."""
        return float(np.ptp(self.bias))


def average_policy_iteration(mdp: MDP, *, accuracy: float = 1e-9) -> AverageOptimum:
    r"""Solve a process of any structure by Howard's policy iteration, on to a policy of optimal bias.

    A policy is evaluated exactly. In each state, among the choices of the largest expected gain :math:`P_a g`, among
    those of the largest :math:`r_a + P_a h`, one of the largest :math:`P_a w` is taken, where w is the bias of the
    reward -h; choices are changed in the first of these three respects in which some state improves. Numbers within
    twice their proved error count as equal. Where all these ties are true, the bias is the optimal one, the largest
    among policies of optimal gain.

    Parameters
    ----------
    mdp
        The process. Each iteration solves linear systems of up to S equations.
    accuracy
        Largest distance of the bounds, > 0, in units of reward.

    Returns
    -------
    AverageOptimum
        The policy, its gain and its bias, with bounds on the gain from each state.

    Raises
    ------
    ValueError, TypeError
        If the accuracy is not a number > 0.
    ArithmeticError
        If rounding exceeds the accuracy, or a policy is met whose equations float64 cannot resolve.

    References
    ----------
    :cite:`howard1960`, :cite:`veinott1966`, :cite:`puterman2005` sections 9.2 and 10.2

    Examples
    --------
    From the first state, the better of two states to stay in can be reached.

    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[0, 1, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]]],
    ...                  [[5, 0], [1, 0], [2, 0]])
    >>> found = average_policy_iteration(mdp)
    >>> found.policy, found.gain, found.bias
    (array([1, 2, 4]), array([2., 1., 2.]), array([-2.,  0.,  0.]))
    """
    accuracy = positive(accuracy, "accuracy")
    laws, terms = normalised(mdp.transition_matrix), largest_support(mdp.transition_matrix)
    seen: set[bytes] = set()
    with sign_of_life(f"policy iteration on {mdp.states} states"):
        # A long horizon's first choices are a good start. From poor ones, the way can lead over policies that take
        # astronomic times to forget a state.
        rough = max(accuracy, 1e-3 * float(np.ptp(mdp.rewards)))
        policy = _iterated(mdp, 0.0, None, rough, 0.5, SWEEPS_BEFORE * mdp.states).policy
        # Each change is an improvement, so that no policy comes again; should rounding feign one, the bounds tell.
        while policy.tobytes() not in seen:
            seen.add(policy.tobytes())
            evaluated, solved = policy, gain_and_bias(*induced_chain(mdp, policy))
            policy = _improved(mdp, laws, terms, policy, solved)
        upper = _gain_bound(mdp, laws, terms, solved.gain, solved.bias)
    return _certified(evaluated, solved, upper, accuracy, len(seen))


def _improved(mdp: MDP, laws: Laws, terms: int, policy: Indices, solved: GainAndBias) -> Indices:
    """Change choices in the first respect in which some state improves."""
    starts, owner = mdp.first_choice[:-1], mdp.state_of_choice
    equal = np.ones(mdp.choices, dtype=bool)
    for values, error in _respects(mdp, laws, terms, policy, solved):
        contenders = np.where(equal, values, -np.inf)
        best = greedy(contenders, starts)
        better = contenders[best] > values[policy] + 2 * error
        if better.any():
            return np.where(better, best, policy)
        equal &= values >= values[policy][owner] - 2 * error
    return policy


def _respects(mdp: MDP, laws: Laws, terms: int, policy: Indices, solved: GainAndBias) -> Iterator[tuple[Vector, float]]:
    """What choices are compared by, in turn, and the error of these numbers."""
    gain, bias = solved.gain, solved.bias
    yield laws @ gain, float((solved.upper - solved.lower).max()) + evaluation_rounding(terms, gain, 0.0)
    yield mdp.rewards + laws @ bias, solved.bias_error + evaluation_rounding(terms, bias, mdp.rewards)
    chain, _ = induced_chain(mdp, policy)
    further = gain_and_bias(chain, -bias)
    # An error e of the rewards moves their bias by 2 e for each step on the way to a state that is visited often.
    error = further.bias_error + 2 * solved.bias_error * chain.slowest
    yield laws @ further.bias, error + evaluation_rounding(terms, further.bias, 0.0)


def _gain_bound(mdp: MDP, laws: Laws, terms: int, gain: Vector, bias: Vector) -> Vector:
    """Bound the gain of every policy, from each state, by the theorem at the head of this module."""
    parts, owner = end_components(mdp), mdp.state_of_choice
    residual = mdp.rewards + laws @ bias - bias[owner] + evaluation_rounding(terms, bias, mdp.rewards)
    lasting = parts.component >= 0
    highest = np.full(parts.count, -np.inf)
    np.maximum.at(highest, parts.component[owner[parts.internal]], residual[parts.internal])
    np.maximum.at(highest, parts.component[lasting], gain[lasting])
    bound = gain.copy()
    bound[lasting] = highest[parts.component[lasting]]
    passing = ~parts.internal
    if not passing.any():
        return bound
    rise = laws[passing] @ bound - bound[owner[passing]]
    violation = float(rise.max()) + evaluation_rounding(terms, bound, 0.0)
    if violation <= 0:
        return bound
    # Adding w times the violation leaves none, with w as in the theorem. Components count as one state each.
    from scipy.sparse import csr_array

    place = parts.component.copy()
    place[~lasting] = parts.count + np.arange(np.count_nonzero(~lasting))
    merging = csr_array((np.ones(mdp.states), (np.arange(mdp.states), place)))
    order = np.argsort(place[owner[passing]], kind="stable")
    merged, owners = (laws[passing] @ merging)[order], place[owner[passing]][order]
    _, most = best_steps(merged, owners, np.zeros(owners.size), 2 * terms, sign=1)
    # One rounding more for the sum itself.
    return bound + violation * most[place] + 4 * UNIT_ROUNDOFF * np.abs(bound)


def _certified(policy: Indices, solved: GainAndBias, upper: Vector, accuracy: float, iterations: int) -> AverageOptimum:
    gaps = upper - solved.lower
    if gaps.max() > accuracy:
        state = int(np.argmax(gaps))
        lowest, highest = float(solved.lower[state]), float(upper[state])
        raise ArithmeticError(
            f"from state {state} the gain lies in [{lowest!r}, {highest!r}], which is wider than the accuracy "
            f"{accuracy:g}; float64 can certify no more here"
        )
    policy.setflags(write=False)
    return AverageOptimum(policy, solved.gain, solved.bias, solved.lower, frozen(upper), solved.bias_error, iterations)


def average_linear_program(mdp: MDP, *, accuracy: float = 1e-6) -> AverageOptimum:
    r"""Solve a process of any structure by Puterman's multichain linear program (HiGHS, interior point).

    Minimise :math:`\sum_s u(s)` subject to :math:`u \ge P_a u` and :math:`u + h \ge r_a + P_a h` for all choices. The
    dual variables of the second constraints are long-run frequencies of choices, those of the first tell the choices
    of states that are left; at a vertex, they make a policy of optimal gain, not always one of optimal bias.

    Parameters
    ----------
    mdp
        The process.
    accuracy
        Largest distance of the bounds, > 0, in units of reward. HiGHS sees no coefficient and no violation below 1e-9;
        the bounds do.

    Returns
    -------
    AverageOptimum
        The policy, evaluated exactly; bounds from above from the program's u and h.

    Raises
    ------
    ValueError, TypeError
        If the accuracy is not a number > 0.
    ArithmeticError
        If HiGHS stops without an optimal basis, or the bounds are farther apart than the accuracy.

    References
    ----------
    :cite:`hordijk1979`, :cite:`puterman2005` section 9.3

    Examples
    --------
    >>> from rltheory.problems import TabularMDP
    >>> mdp = TabularMDP([[[0, 1, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]]],
    ...                  [[5, 0], [1, 0], [2, 0]])
    >>> average_linear_program(mdp).gain
    array([2., 1., 2.])
    """
    from scipy.optimize import linprog
    from scipy.sparse import block_array, coo_array, csr_array, diags_array

    accuracy = positive(accuracy, "accuracy")
    laws, terms = normalised(mdp.transition_matrix), largest_support(mdp.transition_matrix)
    own = csr_array((np.ones(mdp.choices), (np.arange(mdp.choices), mdp.state_of_choice)))
    entries = coo_array(laws)
    moves = (entries.col != mdp.state_of_choice[entries.row]) & (entries.data >= SMALLEST_COEFFICIENT)
    onward = csr_array((entries.data[moves], (entries.row[moves], entries.col[moves])), shape=laws.shape)
    # Rows must sum to 0 to the last bit, or adding a constant to u and h would not be free.
    descent = onward - diags_array(onward.sum(axis=1)) @ own
    with sign_of_life(f"linear program of {mdp.choices} choices"):
        solution = linprog(
            c=np.repeat([1.0, 0.0], mdp.states),
            A_ub=block_array([[descent, None], [-own, descent]], format="csr"),
            b_ub=np.append(np.zeros(mdp.choices), -mdp.rewards),
            bounds=(None, None),
            method="highs-ipm",  # its simplex method fails on random laws of 150 states
            options={"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9},
        )
    if not solution.success:
        raise ArithmeticError(f"HiGHS found no optimum of {mdp!r}: {solution.message}")
    passages, frequencies = np.split(-solution.ineqlin.marginals, 2)
    starts = mdp.first_choice[:-1]
    stays = np.add.reduceat(frequencies, starts) > 1e-9
    policy = np.where(stays, greedy(frequencies, starts), greedy(passages, starts))
    solved = gain_and_bias(*induced_chain(mdp, policy))
    gain, bias = np.split(solution.x, 2)
    return _certified(policy, solved, _gain_bound(mdp, laws, terms, gain, bias), accuracy, int(solution.nit))
