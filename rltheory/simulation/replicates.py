"""Runs of several algorithms, many times over, as one set of labelled data."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from rltheory.arrays import count
from rltheory.simulation.engine import Workers
from rltheory.simulation.streams import stream
from rltheory.trace import Trace

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["replicates"]


def replicates(
    runs: Mapping[str, Callable[[np.random.Generator], Trace]],
    number: int,
    *,
    root: int = 0,
    workers: Workers | None = None,
) -> "Dataset":
    """Run each of several algorithms many times, side by side.

    Parameters
    ----------
    runs
        For each name of an algorithm what runs it, given a source of randomness.
    number
        Number of runs of each, >= 1. The stream of one is named by the algorithm and the place of the run, so that
        neither the other algorithms nor the workers change what it draws.
    root
        Root seed, >= 0.
    workers
        Who runs them; as many threads as there are cores by default.

    Returns
    -------
    xarray.Dataset
        The quantities that all traces have, with dimensions ``algorithm`` and ``replicate`` before their own.

    Raises
    ------
    ValueError, TypeError
        If nothing is to be run, or traces have other times.

    Examples
    --------
    >>> from rltheory.algorithms import optimistic_q_learning, ucrl2
    >>> from rltheory.instances import river_swim
    >>> runs = {
    ...     "UCRL2": lambda rng: ucrl2(river_swim(3), horizon=100, rng=rng),
    ...     "Q-learning": lambda rng: optimistic_q_learning(river_swim(3), horizon=100, span=2.2, rng=rng),
    ... }
    >>> data = replicates(runs, 5)
    >>> data["visits"].dims, data["visits"].shape[:2]
    (('algorithm', 'replicate', 'time', 'choice'), (2, 5))
    """
    from xarray import Dataset

    number = count(number, "number", at_least=1)
    if not runs:
        raise ValueError("there is nothing to run; give one algorithm at least")
    if workers is None:
        with Workers() as own:
            return replicates(runs, number, root=root, workers=own)

    def run(task: tuple[str, int]) -> Trace:
        name, place = task
        return runs[name](stream(root, "replicates", name, place))

    tasks = [(name, place) for name in runs for place in range(number)]
    traces = workers.map(run, tasks, label=lambda task: f"{task[0]}, run {task[1] + 1}")
    first = traces[0]
    for (name, _), trace in zip(tasks, traces, strict=True):
        if not np.array_equal(trace.times, first.times):
            raise ValueError(f"{name} and {tasks[0][0]} recorded other times; give all the same horizon")
    shared = [name for name in first.values if all(name in trace.values for trace in traces)]
    data = {}
    for name in shared:
        dims, _ = first.values[name]
        stacked = np.stack([trace[name] for trace in traces])
        data[name] = (("algorithm", "replicate", *dims), stacked.reshape(len(runs), number, *stacked.shape[1:]))
    clock = ("time", first.times, {"long_name": first.clock})
    return Dataset(data, coords={"algorithm": list(runs), "replicate": np.arange(number), "time": clock})
