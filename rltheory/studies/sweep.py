"""Carry out a study, or see beforehand how long that takes."""

from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from rltheory.simulation.driver import carry_out
from rltheory.simulation.executors import Executor, Threads
from rltheory.simulation.experiments import Plan
from rltheory.simulation.store import Store
from rltheory.studies.results import Results
from rltheory.studies.study import Study

__all__ = ["Estimate", "estimate", "sweep"]

SAMPLE = 20  # tasks that are run for an estimate, at most
SAMPLE_SECONDS = 10.0  # of timed work; no task is begun after that
COMPILE_SECONDS = 60.0  # after which none is begun either, if most of the time went into compilation
WORTH_REPEATING = 30.0  # seconds up to which a task is run a second time


def sweep(
    study: Study | str | Path,
    *,
    store: str | Path,
    executor: Executor | None = None,
    retry: bool = False,
    progress: bool = False,
) -> Results:
    """Carry out a study: what the store lacks is computed, and stored task by task.

    It may be killed at any moment, and loses what was under way. Carried out again, it does the rest; a changed study
    computes what is new in it. A task that fails is recorded with its traceback, and the others go on. The numbers do
    not depend on who computes them, in which order, or with how many interruptions.

    Parameters
    ----------
    study
        The study, or its file.
    store
        Folder of the store; it is made if it is missing or empty.
    executor
        Who computes: :class:`~rltheory.simulation.Threads`, by default,
        :class:`~rltheory.simulation.Processes` or a :class:`~rltheory.simulation.Cluster`.
    retry
        Whether to compute tasks again that failed before.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    Results
        What the store has of the study.

    Raises
    ------
    ValueError
        If the study is wrong, or the folder is no store of this version. Nothing was run then.
    OSError
        If the store can't be written, for example because the disk is full, or the cluster can't be reached or is lost.
        What was stored stays.
    RuntimeError
        If a worker can't work, for example with other versions of the software.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from rltheory.studies import AlgorithmStudy, Study
    >>> learner = AlgorithmStudy(
    ...     names=["tsde"], problem={"instance": "river_swim"}, arguments={"horizon": 100}, replicates=3
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     results = sweep(Study(algorithms=[learner]), store=folder)
    ...     print(results.progress)
    ...     results.dataset()["noise"].sizes["replicate"]
    3 finished, 0 failed, 0 missing
    3
    """
    plan = _planned(study)
    place = Store(Path(store), create=True)
    carry_out(plan, place, executor or Threads(), retry=retry, progress=progress)
    return Results(place, plan)


def _planned(study: Study | str | Path) -> Plan:
    return (study if isinstance(study, Study) else Study.load(study)).plan()


class Estimate(NamedTuple):
    """How much there is to do."""

    tasks: int
    finished: int  # that the store has, failed ones included
    sampled: int  # that were run for the estimate
    seconds: float  # of work for one worker, for what is left
    shortest: float  # seconds of a task of the sample
    longest: float


def estimate(study: Study | str | Path, *, store: str | Path | None = None) -> Estimate:
    """Count the tasks of a study, and run some of them to see how long the rest would take; nothing is stored.

    The sample is spread evenly over what the store lacks. A task that takes less than half a minute is run twice and
    timed the second time, when its kernels are compiled.

    Parameters
    ----------
    study
        The study, or its file.
    store
        Folder of a store with finished tasks; it need not exist.

    Raises
    ------
    ValueError, OSError
        As for :func:`sweep`.
    """
    plan = _planned(study)
    done: set[bytes] = set()
    if store is not None and Path(store).exists():
        known = Store(Path(store))
        done = known.finished | known.failed.keys()
    left = np.array([task for task, digest in enumerate(plan.digests()) if digest not in done], dtype=np.int64)
    seconds: list[float] = []
    began = perf_counter()
    for task in left[_spread(left.size)]:
        if sum(seconds) > SAMPLE_SECONDS or perf_counter() - began > COMPILE_SECONDS:
            break
        seconds.append(_timed(plan, int(task)))
    work = sum(seconds) / len(seconds) * left.size if seconds else 0.0
    shortest, longest = min(seconds, default=0.0), max(seconds, default=0.0)
    return Estimate(len(plan), len(plan) - left.size, len(seconds), work, shortest, longest)


def _spread(size: int) -> list[int]:
    """Places of a sample, in an order of which every beginning is spread evenly (van der Corput's)."""
    fractions = [int(f"{place:05b}"[::-1], 2) / 32 for place in range(SAMPLE)]
    return list(dict.fromkeys(int(fraction * size) for fraction in fractions)) if size else []


def _timed(plan: Plan, task: int) -> float:
    experiment, replicate = plan.locate(task)
    spent = float("nan")
    for _ in range(2):
        began = perf_counter()
        try:
            experiment.compute(replicate)
        except Exception:  # it will be recorded when it counts
            return perf_counter() - began
        spent = perf_counter() - began
        if spent > WORTH_REPEATING:
            return spent
    return spent
