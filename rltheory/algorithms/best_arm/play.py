"""Find the best arm of a bandit: policies that stop by themselves, each with a compiled loop of its own.

Replicates stop at times of their own, so they are played one after the other, and blocks of them on all cores. What a
replicate draws depends on its number only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rltheory.algorithms.bandits.play import (
    WORK_ROWS,
    Columns,
    Kernel,
    check_rewards,
    distinct_names,
    in_blocks,
    reward_kernel,
)
from rltheory.arrays import Matrix, Vector, count, frozen
from rltheory.jit import kernel
from rltheory.problems import Bandit
from rltheory.simulation import Workers, stream
from rltheory.variates import Generators, generators

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["Identification", "Samples", "StoppingPolicy", "compare_stopping_policies", "find_best_arm"]

LONGEST = 10_000_000  # pulls after which a run that does not stop is given up, if nothing else is said
NO_ARM = -1


class Samples(NamedTuple):
    """What a stopping policy receives of K arms."""

    counts: Vector  # (K,), pulls
    sums: Vector  # (K,), of rewards
    memory: Matrix  # (rows, K), the policy's own


@dataclass(frozen=True, eq=False)
class StoppingPolicy:
    """A policy that stops by itself and recommends an arm.

    Parameters
    ----------
    name
        What to call it in tables and figures.
    choose
        ``choose(t, parameters, samples)``, a kernel, returns an arm after t pulls, and whether to stop: the arm is
        pulled if not, and recommended if so.
    parameters
        Numbers that the kernel receives as a vector.
    rows
        Rows of the memory, which is 0 before the first pull.
    rewards
        Bounds of the rewards that the policy can take.
    """

    name: str
    choose: Kernel
    parameters: tuple[float, ...]
    rows: int
    rewards: tuple[float, float]

    def __repr__(self) -> str:
        return f"StoppingPolicy({self.name!r})"


@dataclass(frozen=True, eq=False)
class Identification:
    """What R runs of a stopping policy have found.

    Parameters
    ----------
    pulls : array of int, shape (R, K)
        Pulls of each arm.
    arms : array of int, shape (R,)
        Arms that were recommended; -1 for a run that had not stopped when it was given up.
    """

    pulls: NDArray[np.int64]
    arms: NDArray[np.int64]

    @property
    def times(self) -> NDArray[np.int64]:
        """Pulls of all arms until each run has stopped, or was given up, shape (R,)."""
        total: NDArray[np.int64] = self.pulls.sum(axis=1)
        return total

    @property
    def stopped(self) -> NDArray[np.bool_]:
        """Whether each run has stopped, shape (R,)."""
        stopped: NDArray[np.bool_] = self.arms != NO_ARM
        return stopped


@cache
def _loop(choose: Kernel, draw: Kernel) -> Kernel:
    @kernel
    def loop(
        problem: Any,
        parameters: Vector,
        samples: Samples,
        lane: Columns,
        states: Generators,
        horizon: int,
        pulls: NDArray[np.int64],
        recommended: NDArray[np.int64],
    ) -> None:
        counts, sums, memory = samples
        generator, arms, rewards = lane.generators, lane.arms, lane.rewards
        for i in range(recommended.size):
            counts[:] = 0.0
            sums[:] = 0.0
            memory[:] = 0.0
            generator[:, 0] = states[:, i]
            t = 0
            arm, stops = choose(t, parameters, samples)
            while not stops and t < horizon:
                arms[0] = arm
                draw(t, problem, lane)
                counts[arm] += 1.0
                sums[arm] += rewards[0]
                t += 1
                arm, stops = choose(t, parameters, samples)
            recommended[i] = arm if stops else NO_ARM
            for a in range(counts.size):
                pulls[i, a] = counts[a]

    return loop


def find_best_arm(
    bandit: Bandit,
    policy: StoppingPolicy,
    *,
    rng: np.random.Generator,
    replicates: int = 1,
    horizon: int = LONGEST,
    workers: Workers | None = None,
) -> Identification:
    r"""Let a policy pull arms until it knows which is best.

    Parameters
    ----------
    bandit
        The bandit, K arms.
    policy
        The policy.
    rng
        Source of randomness, from which four words are drawn; each replicate has a stream of its own under them.
    replicates
        Independent runs R >= 1.
    horizon
        Pulls, >= K, after which a run is given up; where several arms are best many policies never stop.
    workers
        Threads to share the work; without them it is done here.

    Returns
    -------
    Identification
        Pulls and recommended arms.

    Raises
    ------
    ValueError, TypeError
        If the horizon is below K, a number is out of range, or the policy does not take such rewards.

    Examples
    --------
    >>> from rltheory.algorithms.best_arm import lucb
    >>> bandit = Bandit.bernoulli([0.9, 0.5])
    >>> found = find_best_arm(bandit, lucb(0.05), rng=np.random.default_rng(0), replicates=100)
    >>> bool((found.arms == 0).all()), float(found.times.mean())
    (True, 386.6)
    """
    replicates, horizon = count(replicates, "replicates", at_least=1), count(horizon, "horizon")
    if horizon < bandit.arms:
        raise ValueError(f"horizon is {horizon}; it must be at least the number of arms, {bandit.arms}")
    check_rewards(policy.name, policy.rewards, bandit.support, f"the {bandit.title}")
    key = rng.integers(2**64, size=4, dtype=np.uint64)
    parameters, loop = np.array(policy.parameters, dtype=np.float64), _loop(policy.choose, reward_kernel(bandit))
    pulls, arms = np.empty((replicates, bandit.arms), np.int64), np.empty(replicates, np.int64)

    def play(first: int, stop: int) -> None:
        samples = Samples(np.empty(bandit.arms), np.empty(bandit.arms), np.empty((policy.rows, bandit.arms)))
        lane = Columns(
            counts=samples.counts[:, None],
            sums=samples.sums[:, None],
            memory=samples.memory[:, :, None],
            generators=np.empty((4, 1), np.uint64),
            arms=np.zeros(1, np.int64),
            rewards=np.empty(1),
            pulled=np.empty(1),
            earned=np.empty(1),
            work=np.empty((WORK_ROWS, 1)),
        )
        states = generators(key, first, stop)
        loop(bandit.arrays, parameters, samples, lane, states, horizon, pulls[first:stop], arms[first:stop])

    in_blocks(play, replicates, policy.name, workers)
    return Identification(frozen(pulls), frozen(arms))


def compare_stopping_policies(
    bandit: Bandit,
    policies: Sequence[StoppingPolicy],
    *,
    replicates: int = 1000,
    horizon: int = LONGEST,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = False,
) -> "Dataset":
    """Find the best arm of a bandit by several policies, each many times, on all cores.

    Parameters
    ----------
    bandit, replicates, horizon
        As for :func:`find_best_arm`.
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
        ``time``, the pulls until a run has stopped, ``stopped``, and ``arm``, the recommended one or -1, dimensions
        policy and replicate; ``pulls``, with the dimension arm_pulled besides.

    Raises
    ------
    ValueError, TypeError
        As for :func:`find_best_arm`, and if there are no policies, or two of one name.

    Examples
    --------
    >>> from rltheory.algorithms.best_arm import kl_lucb, track_and_stop
    >>> bandit = Bandit.bernoulli([0.8, 0.4])
    >>> runs = compare_stopping_policies(bandit, [kl_lucb(0.1), track_and_stop(0.1)], replicates=64)
    >>> times = runs["time"].mean("replicate")
    >>> bool(times.sel(policy="track-and-stop") < times.sel(policy="KL-LUCB"))
    True
    """
    from xarray import Dataset

    names = distinct_names(policies)
    with Workers(workers, progress=progress) as pool:
        found = [
            find_best_arm(
                bandit,
                policy,
                rng=stream(seed, "best arm", bandit, policy.name),
                replicates=replicates,
                horizon=horizon,
                workers=pool,
            )
            for policy in policies
        ]
    runs = ("policy", "replicate")
    data = {
        "time": (runs, np.stack([one.times for one in found])),
        "stopped": (runs, np.stack([one.stopped for one in found])),
        "arm": (runs, np.stack([one.arms for one in found])),
        "pulls": ((*runs, "arm_pulled"), np.stack([one.pulls for one in found])),
    }
    return Dataset(data, coords={"policy": names})
