"""Several policies side by side, as one set of labelled data."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms.bandits.contextual import ContextualPolicy, play_contextual_bandit
from rltheory.algorithms.bandits.play import Policy, distinct_names, play_bandit, play_losses
from rltheory.problems.bandit import Bandit
from rltheory.problems.contextual_bandit import ContextualBandit
from rltheory.problems.losses import LossTable
from rltheory.problems.piecewise_bandit import PiecewiseBandit
from rltheory.simulation import Workers, stream
from rltheory.trace import Trace

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["compare_policies"]


def compare_policies(
    problem: Bandit | PiecewiseBandit | LossTable | ContextualBandit,
    policies: Sequence[Policy] | Sequence[ContextualPolicy],
    *,
    horizon: int | None = None,
    delay: int = 0,
    batch: int = 1,
    replicates: int = 1000,
    seed: int = 0,
    points: int = 100,
    workers: int | None = None,
    progress: bool = False,
) -> "Dataset":
    """Play policies on a bandit, a contextual bandit or a table of losses, each many times, on all cores.

    Parameters
    ----------
    problem
        A bandit, whose laws may change, a contextual bandit, or a table of losses.
    horizon, replicates, points
        As for :func:`play_bandit` and :func:`play_losses`; bandits need a horizon.
    policies
        Policies for such problems, with distinct names.
    delay, batch
        As for :func:`play_contextual_bandit`; other problems have none.
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
        time, and of a bandit also ``pulls``, with the arm as a fourth, and before it the context if there is one.

    Raises
    ------
    ValueError, TypeError
        As for the functions that play one policy, and if there are no policies, two of one name, or some for other
        problems.

    Examples
    --------
    >>> from rltheory.algorithms.bandits import moss, ucb1
    >>> runs = compare_policies(Bandit.bernoulli([0.9, 0.5]), [ucb1(), moss()], horizon=1000, replicates=64)
    >>> runs["regret"].mean("replicate").sel(policy="MOSS", time=1000).item() < 20
    True
    """
    from xarray import Dataset

    names = distinct_names(policies)
    kind = ContextualPolicy if isinstance(problem, ContextualBandit) else Policy
    for policy in policies:
        if not isinstance(policy, kind):
            raise TypeError(
                f"{policy.name} is a {type(policy).__name__}; a {type(problem).__name__} takes a {kind.__name__}"
            )
    play: Callable[..., Trace] = play_losses if isinstance(problem, LossTable) else play_bandit
    if isinstance(problem, ContextualBandit):
        play = partial(play_contextual_bandit, delay=delay, batch=batch)
    elif (delay, batch) != (0, 1):
        raise ValueError(f"delay is {delay} and batch {batch}; only feedback of contextual bandits can be late")
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
