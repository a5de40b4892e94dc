r"""Play bandits: many replicates of a policy side by side, in one compiled loop for each policy.

Replicates run in blocks of :data:`LANES` columns, and blocks on all cores. In each round every column chooses an arm,
draws a reward, and learns from it. What a replicate draws depends on its number only, and not on its column.

What is kept are the pulls at recorded times. The pseudo-regret :math:`\sum_a \Delta_a N_a(t)` follows from them, so
that no rounding piles up.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Array, Matrix, Times, Vector, count
from rltheory.jit import kernel
from rltheory.problems.bandit import Bandit, draw
from rltheory.simulation import Workers, stream
from rltheory.trace import Trace, record_times
from rltheory.variates import Generators, generators, uniforms

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["Columns", "Policy", "compare_policies", "keep_larger", "play_bandit"]

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
    """

    name: str
    start: Kernel
    choose: Kernel
    observe: Kernel
    parameters: tuple[float | None, ...] = ()
    memory: Callable[[int, int], tuple[int, int, int]] = lambda arms, lanes: (0, arms, lanes)
    rewards: tuple[float, float] = (-math.inf, math.inf)
    compiled: bool = True

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
def _loop(start: Kernel, choose: Kernel, observe: Kernel, draw: Kernel, compiled: bool) -> Kernel:
    def loop(law: int, table: Matrix, parameters: Vector, columns: Columns, times: Times, pulls: Array) -> None:
        counts, sums, _, generators, arms, rewards, pulled, earned, work = columns
        start(parameters, columns)
        t = 0
        for k in range(times.size):
            while t < times[k]:
                choose(t, parameters, columns)
                draw(law, table, arms, generators, work[0], rewards)
                for lane in range(arms.size):
                    a = arms[lane]
                    pulled[lane] = counts[a, lane] + 1.0
                    earned[lane] = sums[a, lane] + rewards[lane]
                    counts[a, lane] = pulled[lane]
                    sums[a, lane] = earned[lane]
                observe(t, parameters, columns)
                t += 1
            for a in range(counts.shape[0]):
                for lane in range(arms.size):
                    pulls[k, lane, a] = counts[a, lane]

    return kernel(loop) if compiled else loop


@cache
def _draw_by_quantiles(quantile: Kernel) -> Kernel:
    @kernel
    def draw_own(
        law: int, table: Matrix, arms: NDArray[np.int64], states: Generators, work: Vector, rewards: Vector
    ) -> None:
        uniforms(states, rewards)
        for lane in range(arms.size):
            rewards[lane] = quantile(arms[lane], rewards[lane])

    return draw_own


def play_bandit(
    bandit: Bandit,
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
        The bandit, K arms.
    policy
        The policy.
    horizon
        Rounds n >= K.
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
        ``regret``, the pseudo-regret :math:`\sum_a \Delta_a N_a(t)`, dimensions time and replicate, and ``pulls``,
        :math:`N_a(t)`, dimensions time, replicate and arm.

    Raises
    ------
    ValueError, TypeError
        If the horizon is below K, a number is out of range, or the policy does not take such rewards.

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
    if not policy.rewards[0] <= bandit.support[0] <= bandit.support[1] <= policy.rewards[1]:
        raise ValueError(
            f"{policy.name} takes rewards in {list(policy.rewards)}; those of the {bandit.title} lie in "
            f"{list(bandit.support)}"
        )
    times = record_times(horizon, points=points)
    key = rng.integers(2**64, size=4, dtype=np.uint64)
    pulls = np.empty((times.size, replicates, bandit.arms), np.int32 if horizon < 2**31 else np.int64)
    parameters = np.array([horizon if p is None else p for p in policy.parameters], dtype=np.float64)
    reward = draw if bandit.quantile is None else _draw_by_quantiles(bandit.quantile)
    loop = _loop(policy.start, policy.choose, policy.observe, reward, policy.compiled)

    def play(first: int) -> None:
        lanes = min(LANES, replicates - first)
        shape = (bandit.arms, lanes)
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
        loop(*bandit.arrays, parameters, columns, times, pulls[:, first : first + lanes])

    blocks = range(0, replicates, LANES)
    if workers is None:
        for first in blocks:
            play(first)
    else:
        workers.map(play, blocks, label=lambda first: f"{policy.name}, replicates from {first}")
    values = {"regret": (("time", "replicate"), pulls @ bandit.gaps), "pulls": (("time", "replicate", "arm"), pulls)}
    return Trace(policy.name, times, values, "round")


def compare_policies(
    bandit: Bandit,
    policies: Sequence[Policy],
    *,
    horizon: int,
    replicates: int = 1000,
    seed: int = 0,
    points: int = 100,
    workers: int | None = None,
    progress: bool = False,
) -> "Dataset":
    """Play policies on a bandit, each many times, on all cores.

    Parameters
    ----------
    bandit, horizon, replicates, points
        As for :func:`play_bandit`.
    policies
        Policies with distinct names.
    seed
        Root of the random streams. The stream of a policy is named by bandit and policy, so that it plays the same
        whatever it is compared with, and by however many workers.
    workers
        Threads; as many as there are cores by default.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    xarray.Dataset
        ``regret``, dimensions policy, replicate and time, and ``pulls``, with the arm as a fourth.

    Raises
    ------
    ValueError, TypeError
        As for :func:`play_bandit`, and if there are no policies, or two of one name.

    Examples
    --------
    >>> from rltheory.algorithms.bandits import moss, ucb1
    >>> runs = compare_policies(Bandit.bernoulli([0.9, 0.5]), [ucb1(), moss()], horizon=1000, replicates=64)
    >>> runs["regret"].mean("replicate").sel(policy="MOSS", time=1000).item() < 20
    True
    """
    from xarray import Dataset

    names = [policy.name for policy in policies]
    if not names:
        raise ValueError("there is nothing to play; give one policy at least")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two policies are called {name!r}; give them distinct names")
    with Workers(workers, progress=progress) as pool:
        traces = [
            play_bandit(
                bandit,
                policy,
                horizon=horizon,
                rng=stream(seed, "bandit", bandit, policy.name),
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
    }
    clock = ("time", first.times, {"long_name": first.clock})
    return Dataset(data, coords={"policy": names, "time": clock}).transpose("policy", "replicate", "time", ...)
