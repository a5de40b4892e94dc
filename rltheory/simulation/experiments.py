"""What is to be computed: experiments, their replicates, and the digests under which results are found again."""

import importlib
import json
import platform
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from importlib import metadata
from itertools import accumulate
from typing import Any, Self, TypeAlias

from numpy.typing import NDArray

from rltheory.arrays import count
from rltheory.jit import package_digest

__all__ = ["Experiment", "Plan", "Result", "canonical", "versions"]

Result: TypeAlias = Mapping[str, tuple[tuple[str, ...], NDArray[Any]]]

PACKAGES = ("rltheory", "numpy", "scipy", "numba")


@cache
def versions() -> dict[str, str]:
    """Versions of what decides about the numbers; of this package also a digest of its sources."""
    return {
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in PACKAGES},
        "sources": package_digest(),
    }


def canonical(value: Any) -> str:
    """JSON of plain data, the same text for equal data."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Experiment:
    """A function, what it is given, and how often: each replicate is a task.

    Parameters
    ----------
    name
        What to call it; experiments of one name are expected to take about the same time.
    function
        Where the function stands, as ``"package.module:name"``. It is called as
        ``function(arguments, seed, replicate)`` and returns for each name the labels of the dimensions and an array;
        what it returns depends on nothing else.
    arguments
        Plain data, ready for JSON.
    seed
        Root of all random streams.
    replicates
        Number of tasks, >= 1.
    labels
        What tells the experiment from others in tables of results. They decide about nothing.
    """

    name: str
    function: str
    arguments: Mapping[str, Any]
    seed: int = 0
    replicates: int = 1
    labels: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count(self.seed, "seed")
        count(self.replicates, "replicates", at_least=1)

    def compute(self, replicate: int) -> Result:
        """Run one replicate, here and now."""
        module, _, name = self.function.partition(":")
        result: Result = getattr(importlib.import_module(module), name)(self.arguments, self.seed, replicate)
        for quantity, (dims, array) in result.items():
            if len(dims) != array.ndim or array.dtype.hasobject:
                found = f"dimensions {dims}, shape {array.shape} and type {array.dtype}"
                raise TypeError(
                    f"{quantity} has {found}; it must have a label for each dimension and no Python objects"
                )
        return result


@dataclass(frozen=True)
class Plan:
    """Experiments in order; their replicates are tasks, numbered from 0.

    A task is known by its digest: SHA-256 of the function, its arguments, the root seed, the replicate, and the
    versions of what decides about the numbers. Neither labels nor other experiments enter.

    Parameters
    ----------
    experiments
        What to compute. Of experiments that differ in nothing but labels and replicates, the first stays, with the
        most replicates.
    versions
        Versions of the software; those of this process by default.

    Examples
    --------
    >>> plan = Plan((Experiment("halves", "rltheory.studies.tasks:run", {"rate": 0.5}, replicates=3),))
    >>> len(plan), plan.locate(2)[1]
    (3, 2)
    """

    experiments: tuple[Experiment, ...]
    versions: Mapping[str, str] = field(default_factory=versions)

    def __post_init__(self) -> None:
        unique: dict[bytes, Experiment] = {}
        for experiment in self.experiments:
            known = unique.setdefault(self._identity(experiment), experiment)
            if known.replicates < experiment.replicates:
                unique[self._identity(experiment)] = Experiment(
                    known.name, known.function, known.arguments, known.seed, experiment.replicates, known.labels
                )
        object.__setattr__(self, "experiments", tuple(unique.values()))

    def _identity(self, experiment: Experiment) -> bytes:
        what = [experiment.function, experiment.arguments, experiment.seed, dict(self.versions)]
        return sha256(canonical(what).encode()).digest()

    @cached_property
    def _identities(self) -> list[bytes]:
        return [self._identity(experiment) for experiment in self.experiments]

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(experiment.replicates for experiment in self.experiments)]

    def __len__(self) -> int:
        return self._starts[-1]

    def place(self, task: int) -> tuple[int, int]:
        """Place of the experiment, and the replicate, of a task."""
        place = bisect_right(self._starts, task) - 1
        return place, task - self._starts[place]

    def locate(self, task: int) -> tuple[Experiment, int]:
        """Experiment and replicate of a task."""
        place, replicate = self.place(task)
        return self.experiments[place], replicate

    def digest(self, task: int) -> bytes:
        """Digest of a task, 32 bytes."""
        place, replicate = self.place(task)
        return sha256(self._identities[place] + replicate.to_bytes(8, "big")).digest()

    def digests(self) -> Iterator[bytes]:
        """Digests of all tasks, in order."""
        return map(self.digest, range(len(self)))

    @property
    def name(self) -> str:
        """Digest of the plan as a whole, 64 hexadecimal digits."""
        return sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Text from which :meth:`from_json` restores the plan."""
        experiments = [asdict(experiment) for experiment in self.experiments]
        return canonical({"experiments": experiments, "versions": dict(self.versions)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Restore a plan."""
        data = json.loads(text)
        return cls(tuple(Experiment(**experiment) for experiment in data["experiments"]), data["versions"])
