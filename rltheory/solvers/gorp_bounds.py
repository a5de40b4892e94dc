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

Unless the published formula is asked for, the first cell begins below 0, moments are those of the rescaled rewards,
merged values and rounding are allowed for, and a policy stored with 24 bits is divided by its sums. (The formula
:math:`16\, v / \Delta^2 \log(2 T A^k)` of the *simple* effective horizon is another matter, and no bound either.)
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector, count, frozen
from rltheory.problems.mdp import Indices
from rltheory.solvers.gorp_kernels import (
    DONE,
    NOT_OPTIMAL,
    OPTIMALITY_TOLERANCE,
    Arms,
    Room,
    failures_of_nodes,
    node_arms,
)
from rltheory.solvers.return_distributions import checked_exploration, checked_tables, laws_backwards
from rltheory.solvers.selection_bounds import CELL_ROWS, CELLS, LEVELS, berry_esseen_coefficient, window_width

__all__ = ["GorpBound", "gorp_bounds", "gorp_failure_bounds"]

# Methods that compare each arm with each are left out beyond these.
MOST_ARMS = 100
MOST_BINOMIAL = 1_000_000
# Sums and special functions of bounds on probabilities err by less, all stages together.
PROBABILITY_ROUNDING = 1e-6
BERRY_ESSEEN_ROUNDING = 1e-9
MOST_EPISODES = 10**100
# Logarithms of published bounds have 256 bits.
DIGITS = Context(prec=77)


@dataclass(frozen=True)
class GorpBound:
    r"""A number of episodes for which GORP's choices are all optimal with probability 1/2 at least.

    Parameters
    ----------
    k : int
        Length of the sequences of actions that are tried.
    stages, actions : int
        Numbers T of stages and A of actions.
    episodes : int or None
        Number m of episodes for each sequence; None if not even :math:`10^{100}` are known to suffice.
    """

    k: int
    stages: int
    actions: int
    episodes: int | None

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


@dataclass(frozen=True)
class _Process:
    """Tables with rewards in the unit of the bounds, values of states of shape (T + 1, S), and moments of returns."""

    successors: Indices
    rewards: Matrix
    random: Matrix
    optimal: Matrix
    worst: Matrix
    deviations: Matrix  # (T + 1, S), standard deviations of random returns
    third_moments: Matrix  # third absolute central ones
    is_binomial: bool
    published: bool
    displacement: float

    @property
    def horizon(self) -> int:
        return len(self.random) - 1

    @cached_property
    def slack(self) -> float:
        """Four times a bound on the rounding of values, each stage of which sums A products at most; 0 if ignored."""
        if self.published:
            return 0.0
        largest = max(float(np.abs(table).max()) for table in (self.optimal, self.worst))
        return 4 * int(self.successors.shape[1] + 6) * (self.horizon + 1) * UNIT_ROUNDOFF * largest


def _values(successors: Indices, rewards: Matrix, horizon: int, policy: Array | None) -> tuple[Matrix, Matrix, Matrix]:
    """Values of the exploration policy, of the best and of the worst one, each of shape (T + 1, S)."""
    actions = successors.shape[1]
    random, optimal, worst = (np.zeros((horizon + 1, len(successors))) for _ in range(3))
    for stage in range(horizon - 1, -1, -1):
        optimal[stage] = (rewards + optimal[stage + 1][successors]).max(axis=1)
        worst[stage] = (rewards + worst[stage + 1][successors]).min(axis=1)
        of_actions = rewards + random[stage + 1][successors]
        # Published sums go from the first action to the last.
        shares = of_actions if policy is None else of_actions * policy[stage]
        total = shares[:, 0].copy()
        for action in range(1, actions):
            total += shares[:, action]
        mean = total / actions if policy is None else total
        random[stage] = np.clip(mean, worst[stage], optimal[stage])
    return random, optimal, worst


def _reachable(successors: Indices, horizon: int) -> NDArray[np.bool_]:
    """Which states can be met at which stages, shape (T, S)."""
    reachable = np.zeros((horizon, len(successors)), dtype=bool)
    reachable[0, 0] = True
    for stage in range(1, horizon):
        reachable[stage, successors[reachable[stage - 1]]] = True
    return reachable


def _moments(successors: Indices, rewards: Matrix, horizon: int, policy: Array | None) -> tuple[Matrix, Matrix, float]:
    """Standard deviations and third absolute central moments of returns, shape (T + 1, S), and displacement."""
    deviations, thirds = np.zeros((horizon + 1, len(successors))), np.zeros((horizon + 1, len(successors)))
    largest = 0.0
    backwards = laws_backwards(successors, rewards, horizon, policy)
    for stage, (values, probabilities, displacement) in zip(range(horizon - 1, -1, -1), backwards, strict=True):
        centred = np.abs(values - (values * probabilities).sum(axis=1, keepdims=True))
        deviations[stage] = np.sqrt((probabilities * centred**2).sum(axis=1))
        thirds[stage] = (probabilities * centred**3).sum(axis=1)
        largest = max(largest, displacement)
        # One value with probability 1 but for rounding.
        deviations[stage, np.count_nonzero(probabilities, axis=1) == 1] = 0.0
    return deviations, thirds, largest


def _process(
    successors: ArrayLike, rewards: ArrayLike, horizon: int, policy: ArrayLike | None, published: bool
) -> _Process:
    table, gains, stages = checked_tables(successors, rewards, horizon)
    chances = None if policy is None else checked_exploration(policy, (stages, *table.shape))
    if chances is not None and not published:
        chances /= chances.sum(axis=2, keepdims=True)
    deviations, third_moments, displacement = _moments(table, gains, stages, chances)
    positive = gains[gains > 0]
    scale = float(np.rint(1 / positive.min())) if positive.size and positive.min() < 1 else 1.0
    scaled = gains * scale
    random, optimal, worst = _values(table, scaled, stages, chances)
    largest = optimal[:-1][_reachable(table, stages)].max()
    is_binomial = bool(largest > 0 and np.isin(scaled, (0.0, largest)).all())
    if is_binomial:
        unit = optimal[0, 0]
        scaled, random, optimal, worst, scale = scaled / unit, random / unit, optimal / unit, worst / unit, scale / unit
    if not published:
        deviations, third_moments = deviations * scale, third_moments * scale**3
    return _Process(
        table,
        scaled,
        random,
        optimal,
        worst,
        deviations,
        third_moments,
        is_binomial,
        published,
        0.0 if published else displacement * scale,
    )


def _nodes(process: _Process) -> Iterator[tuple[int, Indices, Indices]]:
    """For each stage, its number, the states that optimal actions lead to, and where those lead next."""
    states, first = np.array([0]), 0
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
        relative = np.divide(process.slack, arms.deviation, out=np.zeros(errors.size), where=arms.deviation > 0)
        errors += (8 * errors + 1) * relative + BERRY_ESSEEN_ROUNDING
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
            process.slack + 4 * process.displacement,
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
    successors: ArrayLike,
    rewards: ArrayLike,
    horizon: int,
    ks: Sequence[int] = (1,),
    *,
    policy: ArrayLike | None = None,
    published: bool = False,
) -> tuple[GorpBound, ...]:
    r"""Numbers of episodes for which GORP is optimal with probability 1/2 at least, on two threads.

    The search is a bisection of the logarithm between 0 and :math:`10^{100}`, in integers, down to 1 %.

    Parameters
    ----------
    successors : array_like of int, shape (S, A)
        The state f(s, a) to which action a leads from state s. Episodes start in state 0; one that ends early goes to
        an absorbing state without rewards.
    rewards : array_like, shape (S, A)
        Finite rewards. They are multiplied by an integer, that next to 1 over the least positive one, if that is below
        1; of optimality within 1e-4, this is the unit.
    horizon
        Number T of stages, >= 1.
    ks
        Lengths k >= 1 of the sequences of actions that are tried.
    policy : array_like, shape (T, S, A), optional
        Exploration policy, whose probabilities sum to 1 within 1e-6 in each state; uniform by default.
    published
        Compute the formula of published bounds, which is no certificate.

    Returns
    -------
    tuple of GorpBound
        One for each k.

    Raises
    ------
    ValueError, TypeError
        If a successor is no state, a reward is not finite, a number is no integer >= 1, or `policy` is no policy.

    References
    ----------
    :cite:`laidlaw2023`; :cite:`shevtsova2011` for the constants of Berry and Esseen

    Examples
    --------
    Two steps to the right in a row earn 1.

    >>> (bound,) = gorp_bounds([[0, 1], [0, 2], [2, 2]], [[0, 0], [0, 1], [0, 0]], 2)
    >>> bound.episodes, bound.sample_complexity, round(bound.effective_horizon, 3)
    (2, 16, Decimal('2.000'))
    """
    lengths = [count(k, f"ks[{place}]", at_least=1) for place, k in enumerate(ks)]
    process = _process(successors, rewards, horizon, policy, published)
    actions = process.successors.shape[1]
    with ThreadPoolExecutor(1) as pool:
        return tuple(GorpBound(k, process.horizon, actions, _enough(process, k, pool)) for k in lengths)


def gorp_failure_bounds(
    successors: ArrayLike,
    rewards: ArrayLike,
    horizon: int,
    k: int,
    episodes: Sequence[int],
    *,
    policy: ArrayLike | None = None,
    published: bool = False,
) -> Vector:
    r"""Bounds on the probability that one of the choices of GORP(k, m) is not optimal, for each m of `episodes`.

    Parameters
    ----------
    successors, rewards, horizon, policy, published
        As in :func:`gorp_bounds`.
    k
        Length of the sequences of actions that are tried, >= 1.
    episodes
        Numbers m of episodes, >= 1.

    Returns
    -------
    array, shape (len(episodes),)

    Raises
    ------
    ValueError, TypeError
        As :func:`gorp_bounds` does.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    Two steps to the right in a row earn 1; the first is missed if its m episodes all turn left after it.

    >>> table = [[0, 1], [0, 2], [2, 2]], [[0, 0], [0, 1], [0, 0]], 2
    >>> gorp_failure_bounds(*table, 1, [1, 2, 3]).round(4)
    array([0.5  , 0.25 , 0.125])
    """
    length = count(k, "k", at_least=1)
    numbers = [count(m, f"episodes[{place}]", at_least=1) for place, m in enumerate(episodes)]
    process = _process(successors, rewards, horizon, policy, published)
    arms = _arms(process, length)
    with ThreadPoolExecutor(1) as pool:
        return frozen(np.array([_failure(process, arms, length, m, pool) for m in numbers]))
