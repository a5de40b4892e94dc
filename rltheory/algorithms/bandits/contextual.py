r"""Play contextual bandits: a policy sees the context, pulls an arm, and learns from the reward, now or later.

Each replicate is played to its end, and blocks of them on all cores. What a replicate draws depends on its number
only. Pulls and sums of rewards are kept for each context and arm at recorded times: from them the
pseudo-regret follows, so that no rounding piles up, and so does every estimate that is linear in the rewards.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rltheory.algorithms.bandits.play import Kernel, in_blocks
from rltheory.arrays import Array, Matrix, Times, Vector, count
from rltheory.jit import kernel
from rltheory.problems.contextual_bandit import ContextualArrays, ContextualBandit
from rltheory.simulation import Workers
from rltheory.trace import Trace, record_times
from rltheory.variates import Generators, generators, normal, uniform

__all__ = ["ContextualPolicy", "Replicate", "play_contextual_bandit"]


class Replicate(NamedTuple):
    """What the functions of a policy receive of one replicate."""

    knowledge: Array  # what the policy is told before, an array of 3 dimensions
    memory: Matrix  # the policy's own
    arms: int  # K
    generators: Generators  # (4, L)
    lane: int  # column of its generator


class Feedback(NamedTuple):
    """Rounds that the policy has not learnt from yet, in a ring."""

    contexts: NDArray[np.int64]
    arms: NDArray[np.int64]
    rewards: Vector


@dataclass(frozen=True, eq=False)
class ContextualPolicy:
    """A policy for contextual bandits: three kernels for one replicate, and what they read.

    Parameters
    ----------
    name
        What to call it in tables and figures.
    start
        ``start(parameters, replicate)`` fills the memory, which is 0, before the first round.
    choose
        ``choose(t, context, parameters, replicate)`` returns an arm after t rounds.
    observe
        ``observe(context, arm, reward, parameters, replicate)`` learns from a round.
    parameters
        Numbers that the three receive as a vector.
    knowledge : array of 3 dimensions
        What the policy is told before: features of the arms, or tables of means.
    memory
        Shape of the memory of one replicate.
    shape
        Numbers C of contexts and K of arms for which it is made.
    rewards
        Bounds of the rewards that the policy can take.
    """

    name: str
    start: Kernel
    choose: Kernel
    observe: Kernel
    parameters: tuple[float, ...]
    knowledge: Array
    memory: tuple[int, int]
    shape: tuple[int, int]
    rewards: tuple[float, float] = (-math.inf, math.inf)

    def __repr__(self) -> str:
        return f"ContextualPolicy({self.name!r})"


@cache
def _loop(start: Kernel, choose: Kernel, observe: Kernel) -> Kernel:
    @kernel
    def loop(
        problem: ContextualArrays,
        parameters: Vector,
        knowledge: Array,
        memory: Array,
        states: Generators,
        feedback: Feedback,
        delay: int,
        batch: int,
        times: Times,
        first: int,
        pulls: NDArray[Any],
        earned: Array,
    ) -> None:
        means, deviation, cumulative = problem
        contexts, arms, rewards = feedback
        for lane in range(states.shape[1]):
            replicate = Replicate(knowledge, memory[lane], means.shape[1], states, lane)
            start(parameters, replicate)
            t, learnt = 0, 0
            for k in range(times.size):
                mine, sums = pulls[k, first + lane], earned[k, first + lane]
                for x in range(means.shape[0]):
                    for a in range(means.shape[1]):
                        mine[x, a] = 0 if k == 0 else pulls[k - 1, first + lane, x, a]
                        sums[x, a] = 0.0 if k == 0 else earned[k - 1, first + lane, x, a]
                while t < times[k]:
                    place, x = uniform(states, lane), 0
                    while x < cumulative.size - 1 and place >= cumulative[x]:
                        x += 1
                    a = choose(t, x, parameters, replicate)
                    if a < 0 or a >= means.shape[1]:
                        raise ValueError("choose returned a number that is no arm; arms are 0, ..., K - 1")
                    if deviation > 0.0:
                        reward = means[x, a] + deviation * normal(states, lane)
                    else:
                        reward = 1.0 if uniform(states, lane) < means[x, a] else 0.0
                    mine[x, a] += 1
                    sums[x, a] += reward
                    slot = t % arms.size
                    contexts[slot], arms[slot], rewards[slot] = x, a, reward
                    t += 1
                    if t % batch == 0:
                        while learnt < t - delay:
                            slot = learnt % arms.size
                            observe(contexts[slot], arms[slot], rewards[slot], parameters, replicate)
                            learnt += 1

    return loop


def play_contextual_bandit(
    bandit: ContextualBandit,
    policy: ContextualPolicy,
    *,
    horizon: int,
    rng: np.random.Generator,
    delay: int = 0,
    batch: int = 1,
    replicates: int = 1,
    points: int = 100,
    workers: Workers | None = None,
) -> Trace:
    r"""Play a policy on a contextual bandit.

    Parameters
    ----------
    bandit
        The bandit, C contexts and K arms.
    policy
        The policy.
    horizon
        Rounds n >= 1.
    rng
        Source of randomness, from which four words are drawn; each replicate has a stream of its own under them.
    delay
        Rounds >= 0 after which a reward becomes known.
    batch
        The policy learns only after every `batch` >= 1 rounds, from all rewards that are known by then, in their order.
    replicates
        Independent runs R >= 1.
    points
        Most recorded times, on a geometric grid that begins with 0.
    workers
        Threads to share the work; without them it is done here.

    Returns
    -------
    Trace
        ``regret``, the pseudo-regret :math:`\sum_{x, a} \Delta(x, a) N_{x, a}(t)`, dimensions time and replicate, and,
        with dimensions time, replicate, context and arm, ``pulls``, :math:`N_{x, a}(t)`, and ``earned``, sums of the
        rewards.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, the policy is made for other numbers of contexts and arms or other rewards, or it
        chooses what is no arm.

    Examples
    --------
    >>> from rltheory.algorithms.bandits import oful
    >>> from rltheory.problems import LinearBandit
    >>> bandit = LinearBandit([[1, 0], [0.6, 0.8]], [0.5, 0.5], deviation=0.5)
    >>> policy = oful(bandit.features, noise=0.5, size=1, delta=0.05)
    >>> trace = play_contextual_bandit(bandit, policy, horizon=1000, rng=np.random.default_rng(0), replicates=50)
    >>> bool(0 < trace["regret"][-1].mean() < 50)
    True
    """
    horizon, replicates = count(horizon, "horizon", at_least=1), count(replicates, "replicates", at_least=1)
    delay, batch = count(delay, "delay"), count(batch, "batch", at_least=1)
    if policy.shape != bandit.means.shape:
        mine, theirs = (f"{contexts} contexts and {arms} arms" for contexts, arms in (policy.shape, bandit.means.shape))
        raise ValueError(f"{policy.name} is made for {mine}; the {bandit.title} has {theirs}")
    if not policy.rewards[0] <= bandit.support[0] <= bandit.support[1] <= policy.rewards[1]:
        raise ValueError(
            f"{policy.name} takes rewards in {list(policy.rewards)}; those of the {bandit.title} lie in "
            f"{list(bandit.support)}"
        )
    times = record_times(horizon, points=points)
    shape = (times.size, replicates, *bandit.means.shape)
    pulls, earned = np.empty(shape, np.int32 if horizon < 2**31 else np.int64), np.empty(shape)
    key = rng.integers(2**64, size=4, dtype=np.uint64)
    parameters = np.array(policy.parameters, dtype=np.float64)
    waiting = delay + batch
    loop = _loop(policy.start, policy.choose, policy.observe)

    def play(first: int, stop: int) -> None:
        feedback = Feedback(np.zeros(waiting, np.int64), np.zeros(waiting, np.int64), np.zeros(waiting))
        memory, states = np.zeros((stop - first, *policy.memory)), generators(key, first, stop)
        loop(
            bandit.arrays,
            parameters,
            policy.knowledge,
            memory,
            states,
            feedback,
            delay,
            batch,
            times,
            first,
            pulls,
            earned,
        )

    in_blocks(play, replicates, policy.name, workers)
    dims = ("time", "replicate", "context", "arm")
    regret = np.einsum("trxa,xa->tr", pulls, bandit.gaps)
    values = {"regret": (dims[:2], regret), "pulls": (dims, pulls), "earned": (dims, earned)}
    return Trace(policy.name, times, values, "round")
