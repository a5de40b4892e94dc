r"""How many episodes GORP needs: bounds on its probability of failure in a deterministic process, and a search.

GORP(k, m) looks ahead by sampling. At each of T stages it plays each of the :math:`A^k` sequences of k actions in m
episodes, acts randomly after them, and takes the first action of the sequence with the largest mean return. An action
is *optimal* here if its optimal value is within 1e-4 of the best. The probability that GORP ever takes one that is not
satisfies

.. math:: F_t(s) = \sum_a P(\text{a is taken at } (t, s))\, \phi_t(s, a), \qquad
          \phi_t(s, a) = F_{t+1}(f(s, a)) \text{ if a is optimal, else } 1,

and is bounded from above by the worst selection probabilities within the bounds of :mod:`.selection_bounds`, state by
state; of several methods the best counts. At the m of a bound GORP takes optimal actions only with probability 1/2 at
least, in :math:`A^k m T^2` timesteps at most.

Published bounds of BRIDGE are computed by the same methods, and come out here to the last digit. Their formula is not a
certificate:

* its binomial method leaves out that all arms pay nothing, and makes up for it only where bounds sum to less than 1.
  Many optimal arms that pay seldom, and one in front of them that never pays, refute it;
* its Berry-Esseen method takes moments of returns before rewards are rescaled, and after close values were merged;
* its comparisons of values take no account of rounding.

Unless the published formula is asked for, any action may be taken where no arm pays, moments are those of the rescaled
rewards, a policy stored with 24 bits is divided by its sums, and what the computation may err by is allowed for:

* a value errs by a quarter of `slack` at most, and methods move every comparison of two values by `slack`. Ranges that
  are not 0 are widened by as much, so that they contain all returns;
* where close values were merged, a return is displaced by D at most. With :math:`\delta` that and the error of a value,
  a standard deviation :math:`\sigma` errs by :math:`x \sigma = \delta`, which moves a normal distribution function by x
  at most, and the ratio of the third moment to :math:`\sigma^3` by a factor :math:`((1 + 2x) / (1 - x))^3 \le 1 + 28x`
  at most, for :math:`x \le 1/4`; beyond, the bounds are trivial. Means of arms without variance err by 2 D;
* probabilities are sums of a hundred products, and err by much less than 1e-6.

(The formula :math:`16\, v / \Delta^2 \log(2 T A^k)` of the *simple* effective horizon is another matter, and no bound
either.)
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector, count, frozen
from rltheory.problems.certainty import sure_start
from rltheory.problems.deterministic import DeterministicMDP
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.mdp import Indices
from rltheory.progress import sign_of_life
from rltheory.solvers.effective_horizon import OPTIMALITY_TOLERANCE, reference_values
from rltheory.solvers.exploration import reachable_states
from rltheory.solvers.gorp_kernels import DONE, NOT_OPTIMAL, Arms, Room, failures_of_nodes, node_arms
from rltheory.solvers.return_distributions import checked_exploration, laws_backwards, stationary_tables
from rltheory.solvers.selection_bounds import CELL_ROWS, CELLS, LEVELS, berry_esseen_coefficient, window_width

__all__ = ["GorpBound", "gorp_bounds", "gorp_failure_bounds"]

# Methods that compare each arm with each are left out beyond these.
MOST_ARMS = 100
MOST_BINOMIAL = 1_000_000
# Sums of a hundred cells and products of special functions, each good to some 1e-14, err by less in all stages
# together: the failure of a stage is that of the next one, mixed, and its own.
PROBABILITY_ROUNDING = 1e-6
# The normal law and its quantiles err by less.
BERRY_ESSEEN_ROUNDING = 1e-9
MOST_EPISODES = 10**100
MOST_SEQUENCES = 1_000_000
# Logarithms of published bounds have 256 bits, which is 77 digits; some more, lest the last one errs.
DIGITS = Context(prec=80)


@dataclass(frozen=True)
class GorpBound:
    r"""A number of episodes for which GORP's choices are all optimal with probability 1/2 at least, if it is certified.

    Parameters
    ----------
    k : int
        Length of the sequences of actions that are tried.
    stages, actions : int
        Numbers T of stages and A of actions.
    episodes : int or None
        Number m of episodes for each sequence; None if not even :math:`10^{100}` are known to suffice.
    certified : bool
        Whether this is proved; False for the published formula.
    """

    k: int
    stages: int
    actions: int
    episodes: int | None
    certified: bool

    @property
    def sample_complexity(self) -> int | None:
        r"""Timesteps :math:`A^k m T^2`."""
        return None if self.episodes is None else self.actions**self.k * self.episodes * self.stages**2

    @property
    def effective_horizon(self) -> Decimal:
        r"""Horizon :math:`k + \log_A m`, to 77 digits; infinite without a bound, and k if there is one action."""
        if self.episodes is None:
            return Decimal("Infinity")
        if self.episodes == 1 or self.actions == 1:
            return Decimal(self.k)
        logarithm = DIGITS.divide(DIGITS.ln(Decimal(self.episodes)), DIGITS.ln(Decimal(self.actions)))
        return DIGITS.add(Decimal(self.k), logarithm)

    @property
    def log10_timesteps(self) -> float:
        """Logarithm to base 10 of the sample complexity; infinite without a bound."""
        return math.inf if self.sample_complexity is None else math.log10(self.sample_complexity)


@dataclass(frozen=True)
class _Process:
    """Tables with rewards in the unit of the bounds, values of states of shape (T + 1, S), and moments of returns."""

    successors: Indices
    rewards: Matrix
    start: int
    random: Matrix
    optimal: Matrix
    worst: Matrix
    deviations: Matrix  # (T + 1, S), standard deviations of random returns
    third_moments: Matrix  # third absolute central ones
    is_binomial: bool
    published: bool
    displacement: float  # by which returns differ at most from values in whose place they are counted

    @property
    def horizon(self) -> int:
        return len(self.random) - 1

    @cached_property
    def slack(self) -> float:
        """Four times a bound on the rounding of values; 0 if ignored.

        In units of the largest value and roundings, a stage adds 4 by a reward, whose size is twice that at most and
        which is rounded twice, 1 by its sum with a value, A + 1 by products and their sum or division, and A by the
        probabilities.
        """
        if self.published:
            return 0.0
        largest = max(float(np.abs(table).max()) for table in (self.optimal, self.worst))
        return float(4 * (2 * self.successors.shape[1] + 6) * (self.horizon + 1) * UNIT_ROUNDOFF * largest)

    @property
    def law_slack(self) -> float:
        """The same for moments of laws, with merged values."""
        return 0.0 if self.published else self.slack + 4 * self.displacement


def _moments(successors: Indices, rewards: Matrix, horizon: int, policy: Array | None) -> tuple[Matrix, Matrix, float]:
    """Standard deviations and third absolute central moments of returns, shape (T + 1, S), and displacement."""
    deviations, thirds = np.zeros((horizon + 1, len(successors))), np.zeros((horizon + 1, len(successors)))
    largest = 0.0
    backwards = laws_backwards(successors, rewards, horizon, policy)
    for stage, (values, probabilities, displacement) in zip(range(horizon - 1, -1, -1), backwards, strict=True):
        with np.errstate(over="ignore", invalid="ignore"):
            centred = np.abs(values - (values * probabilities).sum(axis=1, keepdims=True))
            deviations[stage] = np.sqrt((probabilities * centred**2).sum(axis=1))
            thirds[stage] = (probabilities * centred**3).sum(axis=1)
        if not np.isfinite(thirds[stage]).all():
            state = int(np.argmin(np.isfinite(thirds[stage])))
            raise ArithmeticError(
                f"a moment of the return from state {state} at stage {stage} leaves the range of float64; scale rewards"
            )
        largest = max(largest, displacement)
        # One value with probability 1 but for rounding.
        deviations[stage, np.count_nonzero(probabilities, axis=1) == 1] = 0.0
    return deviations, thirds, largest


def _process(problem: FiniteHorizonMDP, policy: ArrayLike | None, published: bool) -> _Process:
    successors, rewards = stationary_tables(problem)
    start = sure_start(problem)
    chances = checked_exploration(problem, policy)
    if chances is not None and not published:
        chances = chances / chances.sum(axis=2, keepdims=True)
    positive = rewards[rewards > 0]
    least = float(positive.min()) if positive.size else 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        scale = float(np.rint(np.divide(1, least))) if least < 1 else 1.0
        scaled = rewards * scale
    if not np.isfinite(scaled).all():
        raise ArithmeticError(
            f"the least positive reward is {least:g}; in units of it others leave the range of float64"
        )
    process = DeterministicMDP(successors, scaled, initial=problem.initial)
    values = reference_values(
        FiniteHorizonMDP.stationary(process, problem.horizon),
        None if chances is None else chances.reshape(problem.horizon, -1),
    )
    random, optimal, worst = values.random, values.optimal, values.worst
    largest = optimal[:-1][reachable_states(problem)].max()
    is_binomial = bool(largest > 0 and np.isin(scaled, (0.0, largest)).all())
    if is_binomial:
        unit = optimal[0, start]
        scaled, random, optimal, worst, scale = scaled / unit, random / unit, optimal / unit, worst / unit, scale / unit
    deviations, third_moments, displacement = _moments(successors, rewards, problem.horizon, chances)
    if not published:
        deviations, third_moments = deviations * scale, third_moments * scale**3
    return _Process(
        successors,
        scaled,
        start,
        random,
        optimal,
        worst,
        deviations,
        third_moments,
        is_binomial,
        published,
        displacement * scale,
    )


def _nodes(process: _Process) -> Iterator[tuple[int, Indices, Indices]]:
    """For each stage, its number, the states that optimal actions lead to, and where those lead next."""
    states, first = np.array([process.start]), 0
    for stage in range(process.horizon):
        reached = process.successors[states]
        values = process.rewards[states] + process.optimal[stage + 1][reached]
        optimal = values >= process.optimal[stage, states][:, None] - OPTIMALITY_TOLERANCE
        following = np.unique(reached[optimal])
        first += len(states)
        after = first + np.searchsorted(following, reached) if stage + 1 < process.horizon else DONE
        yield stage, states, np.where(optimal, after, NOT_OPTIMAL)
        states = following


def _arms(process: _Process, k: int) -> Arms:
    actions = process.successors.shape[1]
    arms = actions**k
    with_moments = arms <= MOST_ARMS
    tables = np.stack([process.random, process.optimal, process.worst])
    if with_moments:
        tables = np.concatenate([tables, [process.deviations, process.third_moments]])
    path, parameters, counts = np.empty(k), np.empty((arms, len(tables))), np.empty((arms, actions), dtype=np.int64)
    successors, all_parameters, all_counts = [], [], []
    for stage, states, after in _nodes(process):
        successors.append(after)
        for state in states:
            size = node_arms(
                process.successors, process.rewards, tables, stage, int(state), k, path, parameters, counts
            )
            all_parameters.append(parameters[:size].copy())
            all_counts.append(counts[:size].copy())
    columns, counts = np.concatenate(all_parameters).T, np.concatenate(all_counts)
    laws, law = np.unique(columns[3:], axis=1, return_inverse=True)
    mean, highest, lowest = columns[:3].copy()
    # A range is 0 where there is nothing random, and contains all of it elsewhere.
    widened = np.where(highest > lowest, process.slack, 0.0)
    sizes = [len(block) for block in all_parameters]
    return Arms(
        np.concatenate([[0], np.cumsum([len(block) for block in successors])]),
        np.concatenate(successors),
        np.concatenate([[0], np.cumsum(sizes)]),
        counts,
        counts.sum(axis=1),
        mean,
        highest + widened,
        lowest - widened,
        law.reshape(-1).astype(np.int64),
        laws[0].copy() if with_moments else np.empty(0),
        laws[1].copy() if with_moments else np.empty(0),
    )


def _failure(
    process: _Process, arms: Arms, k: int, episodes: int, pool: ThreadPoolExecutor, *, at_most: float = math.inf
) -> float:
    """Bound on the probability that one of the choices of GORP(k, episodes) is not optimal.

    The answer is 1 as soon as it is sure to exceed `at_most`: no bound is below those of all states of a later stage.
    """
    from scipy.special import ndtri

    m = float(episodes)
    errors = berry_esseen_coefficient(arms.deviation, arms.third_moment) / math.sqrt(m)
    if not process.published:
        relative = np.divide(process.law_slack, arms.deviation, out=np.zeros(errors.size), where=arms.deviation > 0)
        errors += (7 * errors + 1) * relative + BERRY_ESSEEN_ROUNDING
    with_binomial = process.is_binomial and k == 1 and episodes <= MOST_BINOMIAL
    most, width = int(np.diff(arms.first).max()), window_width(episodes) if with_binomial else 0
    mine, others = (
        Room(
            np.empty((CELL_ROWS, CELLS)),
            np.empty((most, width)),
            np.empty(most, dtype=np.int64),
            np.empty(process.successors.shape[1]),
        )
        for _ in range(2)
    )
    quantiles = ndtri(np.minimum(1.0, LEVELS + errors[:, None]))
    normal = ndtri(np.arange(CELLS + 1) / CELLS)
    lower, upper = np.empty(len(arms.mean)), np.empty(len(arms.mean))
    failures = np.empty(len(arms.successors))

    def write(begin: int, end: int, room: Room) -> None:
        failures_of_nodes(
            arms,
            begin,
            end,
            m,
            episodes if with_binomial else 0,
            process.slack,
            process.law_slack,
            process.published,
            errors,
            quantiles,
            normal,
            room,
            lower,
            upper,
            failures,
        )

    for begin, end in reversed(list(pairwise(arms.stages.tolist()))):
        middle = (begin + end) // 2
        half = pool.submit(write, begin, middle, others)
        write(middle, end, mine)
        half.result()
        if failures[begin:end].min() > at_most:
            return 1.0
    return float(failures[0]) if process.published else min(1.0, float(failures[0]) + PROBABILITY_ROUNDING)


def _enough(process: _Process, k: int, pool: ThreadPoolExecutor) -> int | None:
    """Number of episodes whose failure is bounded by 1/2, and within 1 % of one whose failure is not."""
    arms = _arms(process, k)

    def suffices(episodes: int) -> bool:
        return _failure(process, arms, k, episodes, pool, at_most=0.5) <= 0.5

    high, low = MOST_EPISODES, 0
    if not suffices(high):
        return None
    while high > low + 1 and 100 * (high - low) > high:
        middle = math.isqrt(high * (low + 1))
        if suffices(middle):
            high = middle
        else:
            low = middle
    return high


def gorp_bounds(
    problem: FiniteHorizonMDP,
    ks: Sequence[int] = (1,),
    *,
    policy: ArrayLike | None = None,
    published: bool = False,
) -> tuple[GorpBound, ...]:
    r"""Numbers of episodes for which GORP is optimal with probability 1/2 at least, on two threads.

    The search is a bisection of the logarithm between 0 and :math:`10^{100}`, in integers, down to 1 %.

    Parameters
    ----------
    problem
        A process of T equal deterministic stages, A choices in each state, whose episodes start in one state. If its
        least positive reward is below 1, rewards are multiplied by an integer, the one next to the inverse of that; of
        optimality within 1e-4, this is the unit.
    ks
        Lengths k >= 1 of the sequences of actions that are tried, of which there may be a million.
    policy : array_like, shape (C,) or (T, C), optional
        Exploration policy, whose probabilities sum to 1 within 1e-6 in each state; uniform by default.
    published
        Compute the formula of published bounds, which is no certificate.

    Returns
    -------
    tuple of GorpBound
        One for each k.

    Raises
    ------
    ArithmeticError
        If a value or a moment leaves the range of float64.
    ValueError, TypeError
        If the process is not as it must be, a k is no integer >= 1 or too large, or `policy` is no policy.

    References
    ----------
    :cite:`laidlaw2023`; :cite:`shevtsova2011` for the constants of the Berry-Esseen theorem

    Examples
    --------
    A second step to the right earns 1. The first is in vain where all m episodes turn left after it.

    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[0, 1], [0, 2], [2, 2]], [[0, 0], [0, 1], [0, 0]], initial=[1, 0, 0])
    >>> (bound,) = gorp_bounds(FiniteHorizonMDP.stationary(corridor, 2))
    >>> bound.episodes, bound.sample_complexity, round(bound.effective_horizon, 3)
    (2, 16, Decimal('2.000'))
    """
    process = _process(problem, policy, published)
    lengths = [_checked_length(process, k, f"ks[{place}]") for place, k in enumerate(ks)]
    actions = process.successors.shape[1]
    found = []
    with ThreadPoolExecutor(1) as pool:
        for k in lengths:
            with sign_of_life(f"bound on the episodes of GORP with k = {k}"):
                episodes = _enough(process, k, pool)
            found.append(GorpBound(k, process.horizon, actions, episodes, certified=not published))
    return tuple(found)


def gorp_failure_bounds(
    problem: FiniteHorizonMDP,
    k: int,
    episodes: Sequence[int],
    *,
    policy: ArrayLike | None = None,
    published: bool = False,
) -> Vector:
    r"""Bounds on the probability that one of the choices of GORP(k, m) is not optimal, for each m of `episodes`.

    Parameters
    ----------
    problem, policy, published
        As in :func:`gorp_bounds`.
    k
        Length of the sequences of actions that are tried, >= 1, of which there may be a million.
    episodes
        Numbers m of episodes, >= 1.

    Returns
    -------
    array, shape (len(episodes),)

    Raises
    ------
    ArithmeticError, ValueError, TypeError
        As :func:`gorp_bounds` does.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[0, 1], [0, 2], [2, 2]], [[0, 0], [0, 1], [0, 0]], initial=[1, 0, 0])
    >>> gorp_failure_bounds(FiniteHorizonMDP.stationary(corridor, 2), 1, [1, 2, 3]).round(4)
    array([0.5  , 0.25 , 0.125])
    """
    process = _process(problem, policy, published)
    length = _checked_length(process, k, "k")
    numbers = [count(m, f"episodes[{place}]", at_least=1) for place, m in enumerate(episodes)]
    arms = _arms(process, length)
    with sign_of_life(f"bounds on the failure of GORP with k = {length}"), ThreadPoolExecutor(1) as pool:
        return frozen(np.array([_failure(process, arms, length, m, pool) for m in numbers]))


def _checked_length(process: _Process, k: int, name: str) -> int:
    length, actions = count(k, name, at_least=1), process.successors.shape[1]
    if length * math.log(actions) > math.log(MOST_SEQUENCES) + 1e-9:
        raise ValueError(f"{name} is {length}; {actions}**{length} sequences are more than {MOST_SEQUENCES}")
    return length
