r"""Play bandits and tables of losses: many replicates of a policy side by side, in one compiled loop for each policy.

Replicates run in blocks of at most :data:`LANES` columns, and blocks on all cores. In each round every column chooses
an arm, draws a reward, and learns from it. What a replicate draws depends on its number only, and not on its column.

What is kept of a bandit are the pulls at recorded times. The pseudo-regret :math:`\sum_a \Delta_a N_a(t)` follows from
them, so that no rounding piles up. Of a table of losses, what was suffered is kept, and what was to be expected.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Array, Matrix, Times, Vector, apart, count
from rltheory.jit import kernel
from rltheory.problems.bandit import Bandit, BanditArrays, draw
from rltheory.problems.losses import LossTable
from rltheory.problems.piecewise_bandit import PiecewiseArrays, PiecewiseBandit, draw_by_piece
from rltheory.simulation import Workers
from rltheory.trace import Trace, record_times
from rltheory.variates import Generators, generators, uniforms

__all__ = [
    "Columns",
    "Policy",
    "check_rewards",
    "distinct_names",
    "in_blocks",
    "keep_larger",
    "play_bandit",
    "play_binary_histories",
    "play_losses",
    "reward_kernel",
]

LANES = 128
WORK_ROWS = 6
MOST_BINARY_ROUNDS = 20

Kernel = Callable[..., Any]


class Columns(NamedTuple):
    """What the functions of a policy receive of L replicates with K arms."""

    counts: Matrix  # (K, L), pulls
    sums: Matrix  # (K, L), of rewards
    memory: Array  # the policy's own
    generators: Generators  # (4, L)
    arms: NDArray[np.int64]  # (L,), pulled in this round
    rewards: Vector  # (L,), earned in this round
    pulled: Vector  # (L,), counts of the arms pulled in this round, it included
    earned: Vector  # (L,), their sums of rewards
    work: Matrix  # (WORK_ROWS, L), for anything


@dataclass(frozen=True, eq=False)
class Policy:
    """A policy for bandits: three functions of the columns of many replicates, and numbers that they read.

    :func:`own_policy` makes one of functions of a single replicate.

    Parameters
    ----------
    name
        What to call it in tables and figures.
    start
        ``start(parameters, columns)`` fills the memory, which is 0, before the first round.
    choose
        ``choose(t, parameters, columns)`` writes the arm of each column after t rounds.
    observe
        ``observe(t, parameters, columns)`` learns from the rewards, which the sums include already.
    parameters
        Numbers that the three receive as a vector; None stands for the horizon of the run.
    memory
        Shape of the memory of L columns with K arms, a function of K and L.
    rewards
        Bounds of the rewards that the policy can take.
    compiled
        Whether the three are kernels; other functions are interpreted, some thousand times slower.
    weighs
        Whether ``memory[0]`` holds weights, shape (K, L), to which the probabilities of the arms are proportional.
    """

    name: str
    start: Kernel
    choose: Kernel
    observe: Kernel
    parameters: tuple[float | None, ...] = ()
    memory: Callable[[int, int], tuple[int, int, int]] = lambda arms, lanes: (0, arms, lanes)
    rewards: tuple[float, float] = (-math.inf, math.inf)
    compiled: bool = True
    weighs: bool = False

    def __repr__(self) -> str:
        return f"Policy({self.name!r})"


@kernel
def keep_larger(arm: int, values: Vector, largest: Vector, arms: NDArray[np.int64]) -> None:
    """Replace what is larger in `values`, and note the arm."""
    for lane in range(arms.size):
        better = values[lane] > largest[lane]
        largest[lane] = values[lane] if better else largest[lane]
        arms[lane] = arm if better else arms[lane]


@cache
def _loop(start: Kernel, choose: Kernel, observe: Kernel, draw: Kernel, record: Kernel, compiled: bool) -> Kernel:
    def loop(problem: Any, parameters: Vector, columns: Columns, times: Times, first: int, records: Array) -> None:
        counts, sums, _, _, arms, rewards, pulled, earned, _ = columns
        start(parameters, columns)
        t = 0
        for k in range(times.size):
            while t < times[k]:
                choose(t, parameters, columns)
                draw(t, problem, columns)
                for lane in range(arms.size):
                    a = arms[lane]
                    pulled[lane] = counts[a, lane] + 1.0
                    earned[lane] = sums[a, lane] + rewards[lane]
                    counts[a, lane] = pulled[lane]
                    sums[a, lane] = earned[lane]
                observe(t, parameters, columns)
                t += 1
            record(problem, columns, records[k, first : first + arms.size])

    return kernel(loop) if compiled else loop


@kernel
def _draw_by_law(t: int, problem: BanditArrays, columns: Columns) -> None:
    draw(problem.law, problem.table, columns.arms, columns.generators, columns.work[0], columns.rewards)


@cache
def _draw_by_quantiles(quantile: Kernel) -> Kernel:
    @kernel
    def draw_own(t: int, problem: BanditArrays, columns: Columns) -> None:
        arms, rewards = columns.arms, columns.rewards
        uniforms(columns.generators, rewards)
        for lane in range(arms.size):
            rewards[lane] = quantile(arms[lane], rewards[lane])

    return draw_own


@kernel
def _draw_by_piece(t: int, problem: PiecewiseArrays, columns: Columns) -> None:
    draw_by_piece(t, problem, columns.arms, columns.generators, columns.work[0], columns.rewards)


def reward_kernel(bandit: Bandit | PiecewiseBandit) -> Kernel:
    """Kernel that draws the rewards of a bandit, ``draw(t, bandit.arrays, columns)``."""
    if isinstance(bandit, PiecewiseBandit):
        return _draw_by_piece
    return _draw_by_law if bandit.quantile is None else _draw_by_quantiles(bandit.quantile)


def check_rewards(name: str, taken: tuple[float, float], given: tuple[float, float], source: str) -> None:
    """Raise if a policy that takes rewards in one interval is given those of another."""
    if not taken[0] <= given[0] <= given[1] <= taken[1]:
        raise ValueError(f"{name} takes rewards in {list(taken)}; those of {source} lie in {list(given)}")


class Named(Protocol):
    """Anything that has a name."""

    @property
    def name(self) -> str:
        """The name."""


def distinct_names(policies: Sequence[Named]) -> list[str]:
    """Names of policies; raise if there are none, or two of one name."""
    names = [policy.name for policy in policies]
    if not names:
        raise ValueError("there is nothing to play; give one policy at least")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two policies are called {name!r}; give them distinct names")
    return names


@kernel
def _record_pulls(problem: BanditArrays, columns: Columns, pulls: Matrix) -> None:
    counts = columns.counts
    for a in range(counts.shape[0]):
        for lane in range(counts.shape[1]):
            pulls[lane, a] = counts[a, lane]


class LossArrays(NamedTuple):
    """A table of losses, and what the replicates of a block were to suffer."""

    losses: Matrix  # (n, K)
    expected: Vector  # (L,), sum of the expected losses


@kernel
def _take_losses(t: int, problem: LossArrays, columns: Columns) -> None:
    arms, rewards, losses = columns.arms, columns.rewards, problem.losses
    for lane in range(arms.size):
        rewards[lane] = 1.0 - losses[t, arms[lane]]


@kernel
def _take_losses_by_weight(t: int, problem: LossArrays, columns: Columns) -> None:
    losses, expected, weights, work = problem.losses, problem.expected, columns.memory[0], columns.work
    total, weighted = work[0], work[1]
    _take_losses(t, problem, columns)
    for lane in range(expected.size):
        total[lane] = 0.0
        weighted[lane] = 0.0
    for a in range(losses.shape[1]):
        for lane in range(expected.size):
            total[lane] += weights[a, lane]
            weighted[lane] += weights[a, lane] * losses[t, a]
    for lane in range(expected.size):
        expected[lane] += weighted[lane] / total[lane]


@kernel
def _record_losses(problem: LossArrays, columns: Columns, suffered: Matrix) -> None:
    counts, sums, expected = columns.counts, columns.sums, problem.expected
    for lane in range(expected.size):
        suffered[lane, 0] = 0.0
        for a in range(counts.shape[0]):
            suffered[lane, 0] += counts[a, lane] - sums[a, lane]
        suffered[lane, 1] = expected[lane]


@kernel
def _take_binary_digits(t: int, numbers: NDArray[np.int64], columns: Columns) -> None:
    rewards = columns.rewards
    for lane in range(rewards.size):
        rewards[lane] = (numbers[lane] >> t) & 1


@kernel
def _record_pulls_and_successes(numbers: NDArray[np.int64], columns: Columns, records: Array) -> None:
    counts, sums = columns.counts, columns.sums
    for a in range(counts.shape[0]):
        for lane in range(counts.shape[1]):
            records[lane, 0, a] = counts[a, lane]
            records[lane, 1, a] = sums[a, lane]


def in_blocks(play: Callable[[int, int], None], replicates: int, name: str, workers: Workers | None) -> None:
    """Play replicates in blocks, from a first one to before another, here or by workers; all get as many blocks."""
    turns = 1 if workers is None else workers.count
    blocks = math.ceil(replicates / (LANES * turns)) * turns
    ends = [replicates * block // blocks for block in range(blocks + 1)]
    ranges = [(first, stop) for first, stop in pairwise(ends) if first < stop]
    if workers is None:
        for block in ranges:
            play(*block)
    else:
        workers.map(lambda block: play(*block), ranges, label=lambda block: f"{name}, replicates from {block[0]}")


def _play(
    policy: Policy,
    problem: Callable[[int, int], Any],
    draw: Kernel,
    record: Kernel,
    arms: int,
    times: Times,
    records: NDArray[Any],
    rng: np.random.Generator,
    workers: Workers | None,
    *,
    alike: bool = False,
) -> None:
    """Play all replicates, each a column of the records, in blocks.

    `problem` is that of replicates from a first one to before a last one; if they are `alike`, policies draw the same
    numbers in all of them.
    """
    horizon, replicates = int(times[-1]), records.shape[1]
    key = rng.integers(2**64, size=4, dtype=np.uint64)
    parameters = np.array([horizon if p is None else p for p in policy.parameters], dtype=np.float64)
    loop = _loop(policy.start, policy.choose, policy.observe, draw, record, policy.compiled)

    def play(first: int, stop: int) -> None:
        lanes = stop - first
        drawn = generators(key, 0, 1) if alike else generators(key, first, stop)
        shape = (arms, lanes)
        columns = Columns(
            counts=np.zeros(shape),
            sums=np.zeros(shape),
            memory=np.zeros(policy.memory(*shape)),
            generators=np.broadcast_to(drawn, (len(drawn), lanes)).copy(),
            arms=np.zeros(lanes, np.int64),
            rewards=np.empty(lanes),
            pulled=np.empty(lanes),
            earned=np.empty(lanes),
            work=np.empty((WORK_ROWS, lanes)),
        )
        loop(problem(first, stop), parameters, apart(columns), times, first, records)

    in_blocks(play, replicates, policy.name, workers)


def play_bandit(
    bandit: Bandit | PiecewiseBandit,
    policy: Policy,
    *,
    horizon: int,
    rng: np.random.Generator,
    replicates: int = 1,
    points: int = 100,
    workers: Workers | None = None,
) -> Trace:
    r"""Play a policy on a bandit.

    Parameters
    ----------
    bandit
        The bandit, K arms; its laws may change.
    policy
        The policy.
    horizon
        Rounds n >= K, after the last change.
    rng
        Source of randomness, from which four words are drawn; each replicate has a stream of its own under them.
    replicates
        Independent runs R >= 1.
    points
        Most recorded times, on a geometric grid that begins with 0; changes come besides.
    workers
        Threads to share the work; without them it is done here.

    Returns
    -------
    Trace
        ``regret``, the pseudo-regret :math:`\sum_a \Delta_a N_a(t)`, or the dynamic one if laws change, dimensions time
        and replicate, and ``pulls``, :math:`N_a(t)`, dimensions time, replicate and arm.

    Raises
    ------
    ValueError, TypeError
        If the horizon is below K or no later than a change, a number is out of range, or the policy does not take such
        rewards.

    Examples
    --------
    >>> from rltheory.algorithms.bandits import ucb1
    >>> bandit = Bandit.bernoulli([0.9, 0.5])
    >>> trace = play_bandit(bandit, ucb1(), horizon=1000, rng=np.random.default_rng(0), replicates=100)
    >>> print(f"{trace['regret'][-1].mean():.3f}")
    20.488
    """
    horizon, replicates = count(horizon, "horizon"), count(replicates, "replicates", at_least=1)
    if horizon < bandit.arms:
        raise ValueError(f"horizon is {horizon}; it must be at least the number of arms, {bandit.arms}")
    check_rewards(policy.name, policy.rewards, bandit.support, f"the {bandit.title}")
    times = record_times(horizon, points=points)
    if isinstance(bandit, PiecewiseBandit):
        if (bandit.changes >= horizon).any():
            raise ValueError(f"horizon is {horizon}; the {bandit.title} changes after {bandit.changes[-1]} rounds")
        times = np.union1d(times, bandit.changes)
    pulls = np.empty((times.size, replicates, bandit.arms), np.int32 if horizon < 2**31 else np.int64)
    draw = reward_kernel(bandit)
    _play(policy, lambda first, last: bandit.arrays, draw, _record_pulls, bandit.arms, times, pulls, rng, workers)
    regret = bandit.regrets(times, pulls) if isinstance(bandit, PiecewiseBandit) else pulls @ bandit.gaps
    values = {"regret": (("time", "replicate"), regret), "pulls": (("time", "replicate", "arm"), pulls)}
    return Trace(policy.name, times, values, "round")


def play_losses(
    table: LossTable,
    policy: Policy,
    *,
    horizon: int | None = None,
    rng: np.random.Generator,
    replicates: int = 1,
    points: int = 100,
    workers: Workers | None = None,
) -> Trace:
    r"""Play a policy on a table of losses, where it earns 1 less the loss of its arm.

    Parameters
    ----------
    table
        Losses :math:`\ell_t` of K arms.
    policy
        The policy.
    horizon
        Rounds to play, at most those of the table; all of them by default.
    rng
        Source of randomness, from which four words are drawn; each replicate has a stream of its own under them.
    replicates
        Independent runs R >= 1.
    points
        Most recorded times, on a geometric grid that begins with 0.
    workers
        Threads to share the work; without them it is done here.

    Returns
    -------
    Trace
        ``regret``, :math:`\sum_{s \le t} \ell_s(A_s) - \min_a \sum_{s \le t} \ell_s(a)`, dimensions time and replicate.
        If the policy weighs its arms also ``expected_regret``, the same with :math:`\langle p_s, \ell_s \rangle` in
        place of :math:`\ell_s(A_s)`, where :math:`p_s` are the probabilities in round s given the rounds before: it
        has the same mean and less variance.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, the table is too short, or the policy does not take rewards in [0, 1].

    Examples
    --------
    >>> from rltheory.algorithms.bandits import exp3
    >>> table = LossTable(np.tile([0.0, 1.0], (1000, 1)))
    >>> trace = play_losses(table, exp3(), rng=np.random.default_rng(0), replicates=100)
    >>> print(f"{trace['expected_regret'][-1].mean():.1f}")
    29.1
    """
    replicates = count(replicates, "replicates", at_least=1)
    horizon = table.rounds if horizon is None else count(horizon, "horizon", at_least=1)
    if horizon > table.rounds:
        raise ValueError(f"horizon is {horizon}; the table has {table.rounds} rounds")
    check_rewards(policy.name, policy.rewards, (0.0, 1.0), "losses")
    times = record_times(horizon, points=points)
    suffered = np.empty((times.size, replicates, 2))
    take = _take_losses_by_weight if policy.weighs else _take_losses
    _play(
        policy,
        lambda first, last: LossArrays(table.losses, np.zeros(last - first)),
        take,
        _record_losses,
        table.arms,
        times,
        suffered,
        rng,
        workers,
    )
    regrets = suffered - table.cumulative[times].min(axis=1)[:, None, None]
    dims = ("time", "replicate")
    values = {"regret": (dims, regrets[..., 0])} | (
        {"expected_regret": (dims, regrets[..., 1])} if policy.weighs else {}
    )
    return Trace(policy.name, times, values, "round")


def play_binary_histories(policy: Policy, *, arms: int, rounds: int, rng: np.random.Generator) -> Trace:
    r"""Play a policy against all sequences of rewards 0 and 1, so that expectations are sums.

    With Bernoulli arms of means :math:`\mu_a` the sequence h has after t rounds the probability
    :math:`\prod_a \mu_a^{S_a} (1 - \mu_a)^{N_a - S_a}`, where :math:`S_a` counts the successes; it is the same for all
    :math:`2^{n - t}` sequences that begin so. A policy that draws numbers draws the same ones in all histories: what it
    does is then a function of the rewards.

    Parameters
    ----------
    policy
        The policy.
    arms
        Number K >= 2 of arms.
    rounds
        Rounds n, from K to 20.
    rng
        Source of the numbers that the policy draws.

    Returns
    -------
    Trace
        ``pulls``, :math:`N_a(t)`, and ``successes``, dimensions time, history and arm, for every t from 0 to n.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, or the policy does not take rewards in [0, 1].

    Examples
    --------
    >>> from rltheory.algorithms.bandits import follow_the_leader
    >>> trace = play_binary_histories(follow_the_leader(), arms=2, rounds=3, rng=np.random.default_rng(0))
    >>> trace["pulls"][-1, :, 0]  # after failures of both arms, after a success of the first only, and so on
    array([2, 2, 1, 2, 2, 2, 1, 2], dtype=int32)
    """
    arms, rounds = count(arms, "arms", at_least=2), count(rounds, "rounds", at_least=1)
    if not arms <= rounds <= MOST_BINARY_ROUNDS:
        raise ValueError(
            f"rounds is {rounds}; it must lie between the number of arms, {arms}, and {MOST_BINARY_ROUNDS}"
        )
    check_rewards(policy.name, policy.rewards, (0.0, 1.0), "coins")
    times, numbers = np.arange(rounds + 1), np.arange(2**rounds)
    records = np.empty((times.size, numbers.size, 2, arms), np.int32)
    _play(
        policy,
        lambda first, last: numbers[first:last],
        _take_binary_digits,
        _record_pulls_and_successes,
        arms,
        times,
        records,
        rng,
        None,
        alike=True,
    )
    dims = ("time", "history", "arm")
    values = {"pulls": (dims, records[:, :, 0]), "successes": (dims, records[:, :, 1])}
    return Trace(policy.name, times, values, "round")
