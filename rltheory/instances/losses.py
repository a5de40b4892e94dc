"""Tables of losses: random ones with fixed or changing means, and ones made to mislead."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import count, first_index, float_array
from rltheory.problems import LossTable

__all__ = ["bernoulli_losses", "drifting_losses", "overtaking_losses"]

GROWTH = 1.6  # of the phases of drifting losses


def bernoulli_losses(
    rng: np.random.Generator, means: ArrayLike, rounds: int, *, changes: Sequence[int] = ()
) -> LossTable:
    """Losses 0 and 1 with fixed means, or with means that change at given rounds.

    Parameters
    ----------
    rng
        Source of randomness.
    means : array_like, shape (K,) or (segments, K)
        Probabilities of a loss of 1, a row for each segment.
    rounds
        Number of rounds n >= 1.
    changes
        Numbers of rounds after which the next row holds, increasing and between 1 and n - 1; one fewer than rows.

    Raises
    ------
    ValueError
        If a mean is not in [0, 1], or changes do not fit.

    Examples
    --------
    >>> table = bernoulli_losses(np.random.default_rng(0), [[0, 1], [1, 0]], 5, changes=[3])
    >>> table.losses[:, 0]
    array([0., 0., 0., 1., 1.])
    """
    rounds = count(rounds, "rounds", at_least=1)
    rows = float_array(np.atleast_2d(means), "means", ndim=2)
    outside = (rows < 0) | (rows > 1)
    if outside.any():
        index = first_index(outside)
        raise ValueError(f"means{list(index)} is {rows[index]:g}; it must be in [0, 1]")
    ends = [0, *changes, rounds]
    if len(ends) != len(rows) + 1:
        raise ValueError(f"{len(changes)} changes for {len(rows)} rows of means; there must be one fewer than rows")
    if any(later <= earlier for earlier, later in pairwise(ends)):
        raise ValueError(f"changes are {list(changes)}; they must increase, from 1 at least to {rounds - 1} at most")
    means = np.repeat(rows, np.diff(ends), axis=0)
    title = f"Bernoulli losses, {rounds} rounds, {rows.shape[1]} arms"
    return LossTable(rng.random(means.shape) < means, title + (f", {len(changes)} changes" if changes else ""))


def drifting_losses(rng: np.random.Generator, rounds: int, arms: int, gap: float) -> LossTable:
    """Losses 0 and 1 with a fixed gap, and means that jump between the ends of [0, 1] :cite:`zimmert2021`.

    Arm 0 is the best in every round by `gap`. Its mean is 0 in the first round, then 1 - gap, and so on by turns in
    phases that grow by a factor of 1.6: a stochastic policy confuses phases with arms.

    Raises
    ------
    ValueError
        If the gap is not in (0, 1], or a number is out of range.
    """
    rounds, arms = count(rounds, "rounds", at_least=1), count(arms, "arms", at_least=2)
    if not 0 < gap <= 1:
        raise ValueError(f"gap is {gap}; it must lie in (0, 1]")
    phase = np.floor(np.log(np.arange(1, rounds + 1)) / np.log(GROWTH)).astype(int)
    means = np.outer(np.where(phase % 2, 1 - gap, 0.0), np.ones(arms))
    means[:, 1:] += gap
    return LossTable(rng.random(means.shape) < means, f"drifting losses, {rounds} rounds, {arms} arms, gap {gap:g}")


def overtaking_losses(rounds: int, arms: int) -> LossTable:
    """Losses in which arm 0 is the best by far until half-time, and arm 1 overtakes it until the end.

    Arm 0 costs 0 in the first half and 1 in the second, arm 1 costs 1/2 and then 0; all others always cost 1/2.

    Examples
    --------
    >>> overtaking_losses(100, 3).cumulative[[50, 100]]
    array([[ 0., 25., 25.],
           [50., 25., 50.]])
    """
    rounds, arms = count(rounds, "rounds", at_least=2), count(arms, "arms", at_least=2)
    losses = np.full((rounds, arms), 0.5)
    losses[: rounds // 2, 0], losses[rounds // 2 :, 0] = 0.0, 1.0
    losses[rounds // 2 :, 1] = 0.0
    return LossTable(losses, f"overtaking losses, {rounds} rounds, {arms} arms")
