r"""Play bandits and tables of losses: many replicates of a policy side by side, in one compiled loop for each policy.

Replicates run in blocks of :data:`LANES` columns, and blocks on all cores. In each round every column chooses an arm,
draws a reward, and learns from it. What a replicate draws depends on its number only, and not on its column.

What is kept of a bandit are the pulls at recorded times. The pseudo-regret :math:`\sum_a \Delta_a N_a(t)` follows from
them, so that no rounding piles up. Of a table of losses, what was suffered is kept, and what was to be expected.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Array, Matrix, Times, Vector, count
from rltheory.jit import kernel
from rltheory.problems.bandit import Bandit, BanditArrays, draw
from rltheory.problems.losses import LossTable
from rltheory.problems.piecewise_bandit import PiecewiseArrays, PiecewiseBandit, draw_by_piece
from rltheory.simulation import Workers, stream
from rltheory.trace import Trace, record_times
from rltheory.variates import Generators, generators, uniforms

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = [
    "Columns",
    "Policy",
    "check_rewards",
    "compare_policies",
    "distinct_names",
    "in_blocks",
    "keep_larger",
    "play_bandit",
    "play_losses",
    "reward_kernel",
]

LANES = 64
WORK_ROWS = 6

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


def check_rewards(bandit: Bandit | PiecewiseBandit, name: str, rewards: tuple[float, float]) -> None:
    """Raise if a policy called `name` does not take all rewards of a bandit."""
    if not rewards[0] <= bandit.support[0] <= bandit.support[1] <= rewards[1]:
        raise ValueError(
            f"{name} takes rewards in {list(rewards)}; those of the {bandit.title} lie in {list(bandit.support)}"
        )


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


def in_blocks(play: Callable[[int], None], replicates: int, name: str, workers: Workers | None) -> None:
    """Play every block of replicates, given its first one, here or by workers."""
    blocks = range(0, replicates, LANES)
    if workers is None:
        for first in blocks:
            play(first)
    else:
        workers.map(play, blocks, label=lambda first: f"{name}, replicates from {first}")


def _play(
    policy: Policy,
    problem: Callable[[int], Any],
    draw: Kernel,
    record: Kernel,
    arms: int,
    times: Times,
    records: NDArray[Any],
    rng: np.random.Generator,
    workers: Workers | None,
) -> None:
    """Play all replicates, each a column of the records, in blocks; `problem` is that of a number of lanes."""
    horizon, replicates = int(times[-1]), records.shape[1]
    key = rng.integers(2**64, size=4, dtype=np.uint64)
    parameters = np.array([horizon if p is None else p for p in policy.parameters], dtype=np.float64)
    loop = _loop(policy.start, policy.choose, policy.observe, draw, record, policy.compiled)

    def play(first: int) -> None:
        lanes = min(LANES, replicates - first)
        shape = (arms, lanes)
        columns = Columns(
            counts=np.zeros(shape),
            sums=np.zeros(shape),
            memory=np.zeros(policy.memory(*shape)),
            generators=generators(key, first, first + lanes),
            arms=np.zeros(lanes, np.int64),
            rewards=np.empty(lanes),
            pulled=np.empty(lanes),
            earned=np.empty(lanes),
            work=np.empty((WORK_ROWS, lanes)),
        )
        loop(problem(lanes), parameters, columns, times, first, records)

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
    check_rewards(bandit, policy.name, policy.rewards)
    times = record_times(horizon, points=points)
    if isinstance(bandit, PiecewiseBandit):
        if (bandit.changes >= horizon).any():
            raise ValueError(f"horizon is {horizon}; the {bandit.title} changes after {bandit.changes[-1]} rounds")
        times = np.union1d(times, bandit.changes)
    pulls = np.empty((times.size, replicates, bandit.arms), np.int32 if horizon < 2**31 else np.int64)
    draw = reward_kernel(bandit)
    _play(policy, lambda lanes: bandit.arrays, draw, _record_pulls, bandit.arms, times, pulls, rng, workers)
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
    if not policy.rewards[0] <= 0 <= 1 <= policy.rewards[1]:
        raise ValueError(f"{policy.name} takes rewards in {list(policy.rewards)}; those of losses lie in [0, 1]")
    times = record_times(horizon, points=points)
    suffered = np.empty((times.size, replicates, 2))
    take = _take_losses_by_weight if policy.weighs else _take_losses
    _play(
        policy,
        lambda lanes: LossArrays(table.losses, np.zeros(lanes)),
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


def compare_policies(
    problem: Bandit | PiecewiseBandit | LossTable,
    policies: Sequence[Policy],
    *,
    horizon: int | None = None,
    replicates: int = 1000,
    seed: int = 0,
    points: int = 100,
    workers: int | None = None,
    progress: bool = False,
) -> "Dataset":
    """Play policies on a bandit or a table of losses, each many times, on all cores.

    Parameters
    ----------
    problem
        A bandit, whose laws may change, or a table of losses.
    horizon, replicates, points
        As for :func:`play_bandit` and :func:`play_losses`; a bandit needs a horizon.
    policies
        Policies with distinct names.
    seed
        Root of the random streams. The stream of a policy is named by problem and policy, so that it plays the same
        whatever it is compared with, and by however many workers.
    workers
        Threads; as many as there are cores by default.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    xarray.Dataset
        What the traces of all policies have, with the dimension policy: ``regret``, dimensions policy, replicate and
        time, and of a bandit also ``pulls``, with the arm as a fourth.

    Raises
    ------
    ValueError, TypeError
        As for :func:`play_bandit` and :func:`play_losses`, and if there are no policies, or two of one name.

    Examples
    --------
    >>> from rltheory.algorithms.bandits import moss, ucb1
    >>> runs = compare_policies(Bandit.bernoulli([0.9, 0.5]), [ucb1(), moss()], horizon=1000, replicates=64)
    >>> runs["regret"].mean("replicate").sel(policy="MOSS", time=1000).item() < 20
    True
    """
    from xarray import Dataset

    names = distinct_names(policies)
    play: Callable[..., Trace] = play_losses if isinstance(problem, LossTable) else play_bandit
    with Workers(workers, progress=progress) as pool:
        traces = [
            play(
                problem,
                policy,
                horizon=horizon,
                rng=stream(seed, "bandit", problem, policy.name),
                replicates=replicates,
                points=points,
                workers=pool,
            )
            for policy in policies
        ]
    first = traces[0]
    data = {
        name: (("policy", *dims), np.stack([trace[name] for trace in traces]))
        for name, (dims, _) in first.values.items()
        if all(name in trace.values for trace in traces)
    }
    clock = ("time", first.times, {"long_name": first.clock})
    return Dataset(data, coords={"policy": names, "time": clock}).transpose("policy", "replicate", "time", ...)
