"""Verdicts on the whole catalogue, by processes: half of the work is plain Python, which threads would not share."""

from collections.abc import Sequence
from concurrent.futures import as_completed
from functools import partial

from rltheory.simulation import Processes
from rltheory.simulation.engine import Bar
from rltheory.theorems import find, subjects
from rltheory.theory import Levels, Verdict, verify

__all__ = ["verify_all"]


def verify_all(
    *,
    seed: int = 0,
    levels: Levels | None = None,
    budget: int = 2048,
    workers: int | None = None,
) -> list[Verdict]:
    """Judge every theorem of the catalogue on its own settings, with progress on standard error.

    The verdicts are those of :func:`~rltheory.theory.verify`, bit for bit.

    Parameters
    ----------
    seed
        Root of all random streams.
    levels
        Error probabilities, by default 5 % for HOLDS and 1e-6 for REFUTED.
    budget
        Largest number of replicates for a setting.
    workers
        Processes; as many as there are cores by default. The numbers do not depend on it.

    Returns
    -------
    list of Verdict
        In the order of :func:`~rltheory.theorems.catalogue`.
    """
    groups = [group for subject in subjects() for group in subject.groups]
    judge = partial(_verify_group, seed=seed, levels=levels, budget=budget)
    bar = Bar()
    with bar.display, Processes(workers).open() as crew:
        bar.expect(len(groups))
        jobs = {crew.submit(judge, group): group for group in groups}
        for job in as_completed(jobs):
            bar.started(jobs[job])
            bar.finished()
    return [verdict for job in jobs for verdict in job.result()]


def _verify_group(group: str, *, seed: int, levels: Levels | None, budget: int) -> Sequence[Verdict]:
    return verify(find(group), seed=seed, levels=levels, budget=budget, workers=1)
