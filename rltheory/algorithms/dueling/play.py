r"""Dueling bandits: in each round two actions of a preference game meet, and one of them wins.

Replicates run side by side as for bandits. What is kept are wins, of which all regrets are sums.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rltheory.algorithms.bandits.play import Kernel, in_blocks
from rltheory.arrays import Array, Matrix, Times, Vector, apart, count
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.simulation import Workers
from rltheory.solvers import condorcet_winner, copeland_scores
from rltheory.trace import Trace, record_times
from rltheory.variates import Generators, generators, uniforms

__all__ = ["DuelingPolicy", "Duels", "play_duels"]

WORK_ROWS = 9


class Duels(NamedTuple):
    """What the functions of a policy receive of L replicates with n actions."""

    wins: Array  # (n, n, L), of the first action over the second; half of them where an action met itself
    memory: Array  # the policy's own
    generators: Generators  # (4, L)
    first: NDArray[np.int64]  # (L,), actions that meet in this round
    second: NDArray[np.int64]  # (L,)
    outcomes: Vector  # (L,), 1 where the first has won, or else 0
    work: Matrix  # (WORK_ROWS, L), for anything


@dataclass(frozen=True, eq=False)
class DuelingPolicy:
    """A policy for dueling bandits: three functions of many replicates, and numbers that they read.

    Parameters
    ----------
    name
        What to call it in tables and figures.
    start
        ``start(parameters, duels)`` fills the memory, which is 0, before the first round.
    choose
        ``choose(t, parameters, duels)`` writes the two actions of each replicate after t rounds.
    observe
        ``observe(t, parameters, duels)`` learns from the outcomes, which the wins include already.
    parameters
        Numbers that the three receive as a vector; None stands for the horizon of the run.
    memory
        Shape of the memory of L replicates with n actions, a function of n and L.
    """

    name: str
    start: Kernel
    choose: Kernel
    observe: Kernel
    parameters: tuple[float | None, ...]
    memory: Callable[[int, int], tuple[int, int, int]]

    def __repr__(self) -> str:
        return f"DuelingPolicy({self.name!r})"


@cache
def _loop(start: Kernel, choose: Kernel, observe: Kernel) -> Kernel:
    @kernel
    def loop(
        prefer: Matrix, costs: Array, parameters: Vector, duels: Duels, times: Times, replicate: int, regrets: Array
    ) -> None:
        wins, _, generators, first, second, outcomes, _ = duels
        n = wins.shape[0]
        start(parameters, duels)
        t = 0
        for k in range(times.size):
            while t < times[k]:
                choose(t, parameters, duels)
                uniforms(generators, outcomes)
                for lane in range(first.size):
                    a, b = first[lane], second[lane]
                    won = 1.0 if outcomes[lane] < prefer[a, b] else 0.0
                    outcomes[lane] = won
                    wins[a, b, lane] += won
                    wins[b, a, lane] += 1.0 - won
                observe(t, parameters, duels)
                t += 1
            for i in range(costs.shape[0]):
                for lane in range(first.size):
                    regrets[i, k, replicate + lane] = 0.0
                for a in range(n):
                    for b in range(n):
                        for lane in range(first.size):
                            regrets[i, k, replicate + lane] += wins[a, b, lane] * costs[i, a, b]

    return loop


def duel_costs(game: PreferenceGame) -> dict[str, Matrix]:
    r"""Regret of a duel of each pair, by the name of its notion; see :func:`play_duels`."""
    scores = copeland_scores(game)
    behind = (scores.max() - scores) / max(game.n - 1, 1)
    costs = {"copeland_regret": (behind[:, None] + behind) / 2}
    winner = condorcet_winner(game)
    if winner is not None:
        gaps = game.payoff[winner]
        costs |= {
            "regret": (gaps[:, None] + gaps) / 2,
            "weak_regret": np.minimum(gaps[:, None], gaps),
            "strong_regret": np.maximum(gaps[:, None], gaps),
        }
    return costs


def play_duels(
    game: PreferenceGame,
    policy: DuelingPolicy,
    *,
    horizon: int,
    rng: np.random.Generator,
    replicates: int = 1,
    points: int = 100,
    workers: Workers | None = None,
) -> Trace:
    r"""Let a policy choose who meets whom.

    Parameters
    ----------
    game
        The game, n >= 2 actions; action a beats b with its probability of preference.
    policy
        The policy.
    horizon
        Rounds, >= 1.
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
        Sums over rounds of what a duel of a and b costs, dimensions time and replicate. If the game has a Condorcet
        winner w, who beats the others by :math:`\Delta_a = P_{wa} - 1/2`, then ``regret`` is the sum of
        :math:`(\Delta_a + \Delta_b) / 2`, ``weak_regret`` of :math:`\min(\Delta_a, \Delta_b)` and ``strong_regret`` of
        :math:`\max(\Delta_a, \Delta_b)`. In every game ``copeland_regret`` is the sum of what the mean of the shares of
        others that a and b beat lacks to the largest such share.

    Raises
    ------
    ValueError, TypeError
        If a number is out of range, or the game has one action only.

    References
    ----------
    :cite:`yue2012`, :cite:`zoghi2015`

    Examples
    --------
    >>> from rltheory.algorithms.dueling import rucb
    >>> from rltheory.instances import bradley_terry
    >>> trace = play_duels(bradley_terry([2.0, 1.0, 0.0]), rucb(), horizon=1000, rng=np.random.default_rng(0))
    >>> sorted(trace.values)
    ['copeland_regret', 'regret', 'strong_regret', 'weak_regret']
    """
    horizon, replicates = count(horizon, "horizon", at_least=1), count(replicates, "replicates", at_least=1)
    n = game.n
    if n < 2:
        raise ValueError(f"the game has {n} action; a duel takes at least 2")
    times = record_times(horizon, points=points)
    key = rng.integers(2**64, size=4, dtype=np.uint64)
    costs = duel_costs(game)
    regrets = np.empty((len(costs), times.size, replicates))
    parameters = np.array([horizon if p is None else p for p in policy.parameters], dtype=np.float64)
    loop = _loop(policy.start, policy.choose, policy.observe)
    # Complements to the last bit, so that it does not matter who comes first.
    prefer, stacked = game.payoff + 0.5, np.array(list(costs.values()))

    def play(first: int, stop: int) -> None:
        lanes = stop - first
        duels = Duels(
            wins=np.zeros((n, n, lanes)),
            memory=np.zeros(policy.memory(n, lanes)),
            generators=generators(key, first, stop),
            first=np.zeros(lanes, np.int64),
            second=np.zeros(lanes, np.int64),
            outcomes=np.empty(lanes),
            work=np.empty((WORK_ROWS, lanes)),
        )
        loop(prefer, stacked, parameters, apart(duels), times, first, regrets)

    in_blocks(play, replicates, policy.name, workers)
    values = {name: (("time", "replicate"), sums) for name, sums in zip(costs, regrets, strict=True)}
    return Trace(policy.name, times, values, "round")
