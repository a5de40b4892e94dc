"""What a store holds of a study: counts, verdicts, and one set of labelled data."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Times
from rltheory.simulation.experiments import Plan, Result
from rltheory.simulation.store import Failure, Store
from rltheory.studies.study import JUDGE
from rltheory.studies.tasks import restored
from rltheory.theory import Verdict

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["Progress", "Results"]


class Progress(NamedTuple):
    """How many tasks of a study are finished, failed and missing."""

    finished: int
    failed: int
    missing: int

    def __str__(self) -> str:
        return f"{self.finished} finished, {self.failed} failed, {self.missing} missing"


class Results:
    """The results of a study as far as a store has them; the study may still be running.

    Parameters
    ----------
    store
        The store, or its folder.
    plan
        What was to be computed; by default the plan that was begun last.

    Raises
    ------
    ValueError
        If the folder is no store of this version, or has seen no study.
    OSError
        If it can't be read.
    """

    def __init__(self, store: Store | str | Path, plan: Plan | None = None) -> None:
        self.store = store if isinstance(store, Store) else Store(Path(store))
        if plan is None:
            plans = self.store.plans()
            if not plans:
                raise ValueError(f"{self.store.folder} has seen no study yet")
            plan = plans[-1]
        self.plan = plan

    @property
    def progress(self) -> Progress:
        """How far the study is, now."""
        self.store.refresh()
        finished = failed = 0
        for digest in self.plan.digests():
            if digest in self.store.finished:
                finished += 1
            elif digest in self.store.failed:
                failed += 1
        return Progress(finished, failed, len(self.plan) - finished - failed)

    def failures(self) -> list[Failure]:
        """Tasks that failed, with their tracebacks."""
        self.store.refresh()
        store = self.store
        return [
            store.failure(digest)
            for digest in self.plan.digests()
            if digest in store.failed and digest not in store.finished
        ]

    def verdicts(self) -> list[Verdict]:
        """Verdicts on the theorems, in the order of the study. Their times are not stored, and 0."""
        return [restored(result) for place, _, result in self._in_order() if self._is_verdict(place)]

    def dataset(self, *names: str) -> "Dataset":
        """Return what was found as one set of labelled data, in which what is missing is NaN.

        Parameters
        ----------
        names
            Quantities to put in; all by default.

        Returns
        -------
        xarray.Dataset
            A dimension ``setting`` has an entry for each theorem, or algorithm, and problem; its coordinates are the
            labels of the study: ``algorithm`` or ``theorem``, ``problem``, ``clock``, and the names of the grid. Of
            algorithms there are the quantities of their traces, over setting, ``replicate``, ``time`` and what else
            they have. Of theorems there are the curves ``measured`` and ``bound`` over setting and time, and ``status``
            and ``tightness``.

        Raises
        ------
        ValueError
            If no result has a quantity of such a name, or two have one of the same name with other dimensions.
        """
        from xarray import Dataset

        rows = [self._row(place, replicate, result) for place, replicate, result in self._in_order()]
        known = dict.fromkeys(name for row in rows for name in row.quantities)
        for name in names:
            if name not in known:
                raise ValueError(f"no result has the quantity {name!r}; there are {', '.join(known) or 'none yet'}")
        settings = len(self.plan.experiments)
        times = np.unique(np.concatenate([row.times for row in rows] or [np.empty(0, np.int64)]))
        sizes = {"setting": settings, "time": times.size} | _sizes(rows)
        data: dict[str, tuple[tuple[str, ...], NDArray[Any]]] = {}
        clocks = np.full(settings, "", dtype="U32")
        for row in rows:
            clocks[row.place] = row.clock
            for name in names or row.quantities:
                if name in row.quantities:
                    _fill(data, name, row, sizes, times)
        coordinates = {"setting": np.arange(settings), "time": times, "clock": ("setting", clocks)} | self._labels()
        return Dataset(data, coords=coordinates)

    def _row(self, place: int, replicate: int, result: Result) -> "_Row":
        """What one task adds to the data."""
        if not self._is_verdict(place):
            quantities = {name: value for name, value in result.items() if name not in ("clock", "time")}
            inner = [array.shape[dims.index("replicate")] for dims, array in quantities.values() if "replicate" in dims]
            runs = inner[0] if inner else 1
            held = {
                name: (
                    ("setting", "replicate", *(dim for dim in dims if dim != "replicate")),
                    np.moveaxis(array, dims.index("replicate"), 0)[None] if "replicate" in dims else array[None, None],
                )
                for name, (dims, array) in quantities.items()
            }
            return _Row(place, replicate * runs, result["clock"][1].item().decode(), result["time"][1], held)
        verdict = restored(result)
        held = {
            "status": (("setting",), np.array([str(verdict.status)])),
            "tightness": (("setting",), np.array([verdict.tightness])),
        }
        if verdict.is_judged:
            held |= {
                "measured": (("setting", "time"), verdict.measured[None]),
                "bound": (("setting", "time"), verdict.bound[None]),
            }
        return _Row(place, 0, verdict.clock, verdict.times, held)

    def _is_verdict(self, place: int) -> bool:
        return self.plan.experiments[place].function == JUDGE

    def _in_order(self) -> Iterator[tuple[int, int, Result]]:
        """Place of the experiment, replicate and result, in the order of the plan."""
        tasks = {digest: task for task, digest in enumerate(self.plan.digests())}
        found = {tasks[digest]: result for digest, result in self.store.results(set(tasks))}
        for task in sorted(found):
            yield *self.plan.place(task), found[task]

    def _labels(self) -> dict[str, Any]:
        """Coordinates of the settings: numbers where all that have one have a number, texts otherwise."""
        names = dict.fromkeys(name for experiment in self.plan.experiments for name in experiment.labels)
        coordinates = {}
        for name in names:
            values = [experiment.labels.get(name) for experiment in self.plan.experiments]
            if all(value is None or isinstance(value, (int, float)) for value in values):
                column: Any = np.array([np.nan if value is None else value for value in values])
            else:
                column = np.array(["" if value is None else str(value) for value in values])
            coordinates[name] = ("setting", column)
        return coordinates


class _Row(NamedTuple):
    """What one task adds to a set of data, as arrays that begin with one setting."""

    place: int
    first: int  # replicate
    clock: str
    times: Times
    quantities: dict[str, tuple[tuple[str, ...], NDArray[Any]]]


def _sizes(rows: list[_Row]) -> dict[str, int]:
    """Largest size of each dimension but setting and time; the replicates of a run follow those of the run before."""
    sizes: dict[str, int] = {}
    for row in rows:
        for dims, array in row.quantities.values():
            for dim, size in zip(dims, array.shape, strict=True):
                if dim not in ("setting", "time"):
                    sizes[dim] = max(sizes.get(dim, 0), size + row.first * (dim == "replicate"))
    return sizes


def _fill(
    data: dict[str, tuple[tuple[str, ...], NDArray[Any]]], name: str, row: _Row, sizes: dict[str, int], times: Times
) -> None:
    """Put a quantity of a row where it belongs."""
    dims, array = row.quantities[name]
    if name not in data:
        is_text = array.dtype.kind == "U"
        shape = [sizes[dim] for dim in dims]
        data[name] = dims, np.full(shape, "", dtype="U16") if is_text else np.full(shape, np.nan)
    known, values = data[name]
    if known != dims:
        raise ValueError(f"{name} has the dimensions {known} in one result and {dims} in another; give other names")
    first = {"setting": row.place, "replicate": row.first}
    where = [
        np.searchsorted(times, row.times) if dim == "time" else first.get(dim, 0) + np.arange(size)
        for dim, size in zip(dims, array.shape, strict=True)
    ]
    values[np.ix_(*where)] = array
