"""Dueling bandits with ten actions: duels a second, with the regret at 100 times."""

import math
from collections.abc import Iterator
from types import ModuleType

import numba
import numpy as np

from benchmarks.harness import Contender, Limit, Race, peer
from rltheory.algorithms.bandits import exp3
from rltheory.algorithms.dueling import ccb, double_thompson, play_duels, rmed, rucb, sparring
from rltheory.instances import bradley_terry
from rltheory.simulation import stream

GAME = bradley_terry(np.linspace(2, 0, 10))
HORIZON = 5_000


@numba.njit
def bare_rucb(prefer: np.ndarray, horizon: int, replicates: int) -> float:
    """RUCB with the regret at the end, and nothing around it; the first of all candidates meets its first rival."""
    n, total = len(prefer), 0.0
    for _ in range(replicates):
        wins = np.zeros((n, n))
        for t in range(1, horizon + 1):
            bonus, c = 0.51 * math.log(t), np.random.randint(n)  # noqa: NPY002, which compiled code does not know
            candidates = 0
            for a in range(n):
                low = np.inf
                for b in range(n):
                    met = wins[a, b] + wins[b, a]
                    if b != a and met > 0:
                        low = min(low, wins[a, b] / met + math.sqrt(bonus / met))
                if low >= 0.5:
                    candidates += 1
                    if np.random.random() * candidates < 1:  # noqa: NPY002
                        c = a
            d, largest = c, 0.5
            for b in range(n):
                met = wins[b, c] + wins[c, b]
                value = wins[b, c] / met + math.sqrt(bonus / met) if met > 0 else np.inf
                if b != c and value > largest:
                    d, largest = b, value
            total += (prefer[0, c] + prefer[0, d] - 1) / 2
            if np.random.random() < prefer[c, d]:  # noqa: NPY002
                wins[c, d] += 1
            else:
                wins[d, c] += 1
    return total / replicates


def is_learnt(regret: float) -> bool:
    """Whether a regret is that of somebody who learns: random duels cost twice as much as is allowed."""
    return 0 < regret < HORIZON * GAME.payoff[0].mean() / 2


def duelpy() -> ModuleType | None:
    """Import the peer, which looks for a type under a name that NumPy has given up."""
    if not hasattr(np, "float"):
        np.float = float  # noqa: NPY001, an assignment
    return peer("duelpy")


def of_duelpy(name: str, won: int, lost: int) -> Contender:
    """A policy of the peer, which is told of duels by these two numbers."""
    from duelpy import algorithms, feedback

    class Duels(feedback.FeedbackMechanism):
        def __init__(self) -> None:
            super().__init__(list(range(GAME.n)))
            self.rng, self.regret = np.random.default_rng(0), 0.0

        def duel(self, a: int, b: int) -> int:
            self.regret += (GAME.payoff[0, a] + GAME.payoff[0, b]) / 2
            return won if self.rng.random() < GAME.prefer[a, b] else lost

    def run() -> float:
        duels = Duels()
        getattr(algorithms, name)(duels, time_horizon=HORIZON, random_state=np.random.RandomState(0)).run()
        return duels.regret

    return Contender("duelpy", run, is_learnt, HORIZON)


def races() -> Iterator[Race]:
    theirs = duelpy()
    for policy, limit in (
        (rucb(), Limit(1 / 2e6)),
        (double_thompson(), Limit(1 / 0.3e6)),
        (ccb(), None),
        (rmed(), None),
        (sparring(exp3()), None),
    ):

        def run(policy=policy):
            trace = play_duels(GAME, policy, horizon=HORIZON, rng=stream(0, "bench", "duels"), replicates=64)
            return trace["regret"][-1].mean()

        contenders = [Contender("rltheory, 1 thread", run, is_learnt, HORIZON * 64)]
        if policy.name == "RUCB":
            bare = Contender("bare Numba loop", lambda: bare_rucb(GAME.prefer, HORIZON, 20), is_learnt, HORIZON * 20)
            contenders.append(bare)
            # Their RUCB takes whatever is not negative for a win of the first, False as well.
            contenders += [of_duelpy("RelativeUCB", 1, -1)] if theirs else []
        elif policy.name == "double Thompson":
            contenders += [of_duelpy("DoubleThompsonSampling", True, False)] if theirs else []
        yield Race(f"{policy.name}: a duel", contenders, limit)
