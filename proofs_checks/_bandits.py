"""Policies of indices in plain NumPy, and what the proofs ask of their runs."""

from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream


class Play(NamedTuple):
    """One run: row r is what is known after r rounds, from the first round after all arms were pulled once."""

    rounds: np.ndarray  # (m,), r >= K
    arms: np.ndarray  # (m,), pulled next
    pulls: np.ndarray  # (m, K)
    means: np.ndarray  # (m, K), empirical
    rewards: np.ndarray  # (K, n), in the order in which each arm pays them

    def empirical(self, arm):
        """Means of the first 1, 2, ..., n rewards of an arm."""
        return self.rewards[arm].cumsum() / np.arange(1, self.rewards.shape[1] + 1)


def play(s, index, *, most=400):
    """Play the arm with the largest index(r, pulls, means), for at most so many rounds."""
    n, k, rng = min(s.horizon, most), len(s.means), stream(0, "proofs on bandits", s)
    means = np.array(s.means)[:, None]
    rewards = rng.random((k, n)) < means if s.law == "bernoulli" else means + rng.standard_normal((k, n))
    pulls, sums, rows = np.ones(k, dtype=int), rewards[:, 0].astype(float), []
    for r in range(k, n):
        arm = int(np.argmax(index(r, pulls, sums / pulls)))
        rows.append((r, arm, pulls.copy(), sums / pulls))
        sums[arm] += rewards[arm, pulls[arm]]
        pulls[arm] += 1
    return Play(*(np.array(column) for column in zip(*rows, strict=True)), rewards)


def worse(s):
    """Arms that are not best, and the first best one."""
    best = int(np.argmax(s.means))
    return [arm for arm, mean in enumerate(s.means) if mean < s.means[best]], best
