"""Results on disk, one file for each finished task or batch of short ones, safe from being killed at any moment.

A store is a folder::

    manifest.json          format, and versions of the software that made the store
    plans/<digest>.json    each plan that was carried out here: experiments, versions
    results/<digest>.npz   results, arrays without pickles
    failures/<digest>.json a task that failed: what it was, and the traceback
    claims/<digest>        locked by those who carry out the plan; no content matters

A result is found by the digest of its task. A file that holds one task bears its digest; one that holds several bears
a digest of theirs and lists them. Inside, tasks whose results have equal names and shapes form a group, and each array
of a group has them as its first dimension. Results hold no times of day and no durations: who computes the same writes
the same.

Files are written beside their place, flushed to the disk, and renamed. What is there is whole.
"""

import errno
import json
import os
import socket
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import numpy as np

from rltheory.simulation.experiments import Experiment, Plan, Result, canonical, versions

try:
    import fcntl

    LOCKS = True
except ImportError:  # not a POSIX system: several drivers then repeat each other's work
    LOCKS = False

__all__ = ["Claims", "Failure", "Store", "packed"]

STORE = "rltheory store 1"
RESULTS = "rltheory results 1"
FAILURE = "rltheory failure 1"
PARTS = ("plans", "results", "failures", "claims")
OLD_SECONDS = 86_400.0  # nobody writes a single file for so long: it was left by one who was killed
PRESENCE = 2**62  # place of the lock that says that somebody is at work; tasks have lower ones


def packed(results: Sequence[tuple[bytes, Result]]) -> bytes:
    """Content of a file for the results of tasks, given by their digests."""
    groups: dict[str, list[tuple[bytes, Result]]] = {}
    for digest, result in results:
        shapes = [(name, dims, array.dtype.str, array.shape) for name, (dims, array) in sorted(result.items())]
        groups.setdefault(repr(shapes), []).append((digest, result))
    header: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for place, group in enumerate(groups.values()):
        first = group[0][1]
        header.append(
            {
                "tasks": [digest.hex() for digest, _ in group],
                "dims": {name: dims for name, (dims, _) in sorted(first.items())},
            }
        )
        arrays |= {f"{place}/{name}": np.stack([result[name][1] for _, result in group]) for name in sorted(first)}
    content = BytesIO()
    text = np.array(canonical({"format": RESULTS, "groups": header}).encode())
    np.savez_compressed(content, allow_pickle=False, results=text, **arrays)
    return content.getvalue()


def _unpacked(path: Path, wanted: set[bytes] | None) -> Iterator[tuple[bytes, Result]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        for place, group in enumerate(_header(stored["results"].item())):
            digests = [bytes.fromhex(digest) for digest in group["tasks"]]
            if wanted is not None and wanted.isdisjoint(digests):
                continue
            arrays = {name: (tuple(dims), stored[f"{place}/{name}"]) for name, dims in group["dims"].items()}
            for row, digest in enumerate(digests):
                if wanted is None or digest in wanted:
                    yield digest, {name: (dims, array[row]) for name, (dims, array) in arrays.items()}


def _header(text: bytes) -> list[dict[str, Any]]:
    header = json.loads(text)
    if header["format"] != RESULTS:
        raise ValueError(f"its format is {header['format']!r}; this version reads {RESULTS!r}")
    groups: list[dict[str, Any]] = header["groups"]
    return groups


def _tasks(path: Path) -> list[bytes]:
    """Digests of the tasks in a file, which is read and checked to its end."""
    with zipfile.ZipFile(path) as archive:
        with archive.open("results.npy") as member:
            text: np.ndarray[Any, Any] = np.lib.format.read_array(member, allow_pickle=False)
        if damaged := archive.testzip():
            raise ValueError(f"the part {damaged} is damaged")
    return [bytes.fromhex(digest) for group in _header(text.item()) for digest in group["tasks"]]


def _file_name(digests: Sequence[bytes]) -> str:
    return digests[0].hex() if len(digests) == 1 else sha256(b"".join(digests)).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file that is whole from the moment it can be seen."""
    temporary = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a full disk does not tell
            error.filename = str(path.parent)
        raise
    if os.name == "posix":  # elsewhere folders can't be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@dataclass(frozen=True)
class Failure:
    """A task that failed.

    Parameters
    ----------
    experiment, replicate
        What it was.
    traceback
        Where and why it failed.
    """

    experiment: Experiment
    replicate: int
    traceback: str

    @property
    def reason(self) -> str:
        """Last line of the traceback."""
        return self.traceback.strip().rpartition("\n")[2]


@dataclass
class Store:
    """A folder of results.

    Several processes may read and add at the same time.

    Parameters
    ----------
    folder
        Where it is.
    create
        Whether to make the store if the folder is empty or missing.

    Raises
    ------
    ValueError
        If the folder is no store, or one that a newer version wrote.
    OSError
        If it can't be read, or made.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     store = Store(folder, create=True)
    ...     store.add([bytes(32)], packed([(bytes(32), {"value": ((), np.array(0.5))})]))
    ...     [float(result["value"][1]) for _, result in Store(folder).results()]
    [0.5]
    """

    folder: Path
    create: bool = False
    finished: set[bytes] = field(default_factory=set, repr=False)
    failed: dict[bytes, Path] = field(default_factory=dict, repr=False)
    unreadable: dict[Path, str] = field(default_factory=dict, repr=False)
    _seen: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        manifest = self.folder / "manifest.json"
        if self.create and not manifest.exists():
            self._make(manifest)
        _check_manifest(manifest)
        self._sweep_up()
        self.refresh()

    def _make(self, manifest: Path) -> None:
        if self.folder.exists() and (foreign := {path.name for path in self.folder.iterdir()} - {*PARTS}):
            found = min(foreign)
            if not found.startswith("manifest.json."):  # of somebody who makes the store at this moment, or was killed
                rule = "it has no manifest.json; choose a new or empty folder"
                raise ValueError(f"{self.folder} holds {found!r} and is not a store: {rule}")
        for part in PARTS:
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        _write(manifest, (json.dumps({"format": STORE, "versions": versions()}, indent=1) + "\n").encode())

    def _sweep_up(self) -> None:
        """Remove what is left of files that were never finished."""
        for path in self.folder.glob("*/*.tmp"):
            with suppress(OSError):  # it may be gone, or not ours to remove
                if path.stat().st_mtime < time.time() - OLD_SECONDS:
                    path.unlink()

    def refresh(self) -> None:
        """Notice what others have added. What can't be read is noted in `unreadable`, and left as it is."""
        for part, name in _listed(self.folder):
            path, key = self.folder / part / name, f"{part}/{name}"
            if not (name.endswith(".tmp") or key in self._seen):
                self._seen.add(key)
                try:
                    if part == "results":
                        self.finished.update(_tasks(path))
                    else:
                        self.failed[_failed_task(path)] = path
                except FileNotFoundError:  # a failure that somebody else retried
                    self._seen.discard(key)
                except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
                    self.unreadable[path] = str(error) or type(error).__name__

    def add(self, digests: Sequence[bytes], content: bytes) -> None:
        """Add the results of tasks, as :func:`packed` makes them."""
        path = self._free(self.folder / "results" / f"{_file_name(digests)}.npz")
        _write(path, content)
        self._seen.add(f"results/{path.name}")
        self.finished.update(digests)

    def add_failure(self, digest: bytes, failure: Failure) -> None:
        """Add a task that failed."""
        experiment = failure.experiment
        document = {
            "format": FAILURE,
            "task": digest.hex(),
            "experiment": {
                "name": experiment.name,
                "function": experiment.function,
                "arguments": dict(experiment.arguments),
                "seed": experiment.seed,
                "labels": dict(experiment.labels),
            },
            "replicate": failure.replicate,
            "traceback": failure.traceback,
        }
        path = self._free(self.folder / "failures" / f"{digest.hex()}.json")
        _write(path, (json.dumps(document, indent=1) + "\n").encode())
        self.failed[digest] = path

    def _free(self, path: Path) -> Path:
        """Place of a new file, which is not that of one that can't be read: that one stays."""
        return path if path not in self.unreadable else self._free(path.with_stem(f"{path.stem}-again"))

    def forget_failure(self, digest: bytes) -> None:
        """Drop the record of a failure, after the task was done at last."""
        self.failed.pop(digest).unlink(missing_ok=True)

    def failure(self, digest: bytes) -> Failure:
        """Read the record of a failure."""
        document = json.loads(self.failed[digest].read_text(encoding="utf-8"))
        return Failure(Experiment(**document["experiment"]), document["replicate"], document["traceback"])

    def results(self, wanted: set[bytes] | None = None) -> Iterator[tuple[bytes, Result]]:
        """Digests of tasks and their results, all of them or those wanted, each once; in no particular order."""
        self.refresh()
        left = set(self.finished) if wanted is None else self.finished & wanted
        for path in sorted((self.folder / "results").glob("*.npz")):
            if path not in self.unreadable:
                for digest, result in _unpacked(path, left):
                    left.discard(digest)
                    yield digest, result

    def add_plan(self, plan: Plan) -> None:
        """Note that a plan is carried out here."""
        path = self.folder / "plans" / f"{plan.name}.json"
        if path.exists():
            path.touch()
        else:
            _write(path, plan.to_json().encode())

    def plans(self) -> list[Plan]:
        """Plans that were carried out here, the one that was begun last at the end."""
        paths = sorted((self.folder / "plans").glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        plans = []
        for path in paths:
            try:
                plans.append(Plan.from_json(path.read_text(encoding="utf-8")))
            except (KeyError, TypeError, ValueError) as error:
                self.unreadable[path] = str(error)
        return plans

    def merge(self, other: Self) -> int:
        """Copy what `other` has and this store has not; return the number of finished tasks that were added.

        What both have stays as it is here. Files of `other` that can't be read are left out.
        """
        self.refresh()
        other.refresh()
        before = len(self.finished)
        for path in sorted((other.folder / "results").glob("*.npz")):
            if path not in other.unreadable and not self.finished.issuperset(tasks := _tasks(path)):
                self.add(tasks, path.read_bytes())
                self.finished.update(tasks)
        for digest in other.failed.keys() - self.failed.keys() - self.finished:
            self.add_failure(digest, other.failure(digest))
        for plan in [plan for plan in other.plans() if plan not in self.plans()]:
            self.add_plan(plan)
        self.refresh()
        return len(self.finished) - before


def _check_manifest(manifest: Path) -> None:
    folder = manifest.parent
    if not manifest.exists():
        if not folder.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        raise ValueError(f"{folder} is not a store: it has no manifest.json")
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))["format"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{manifest}: not the manifest of a store, or damaged ({error})") from None
    if found != STORE:
        raise ValueError(f"{manifest}: the format is {found!r}; this version reads {STORE!r}; a newer one may help")


def _failed_task(path: Path) -> bytes:
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["format"] != FAILURE:
        raise ValueError(f"its format is {document['format']!r}; this version reads {FAILURE!r}")
    return bytes.fromhex(document["task"])


def _listed(folder: Path) -> Iterator[tuple[str, str]]:
    for part in ("results", "failures"):
        for name in sorted(os.listdir(folder / part)):  # noqa: PTH208, paths of a hundred thousand take long
            yield part, name


class Claims:
    """Who computes what, among drivers that carry out one plan in one store.

    A claim is a lock on a range of bytes of a file, one byte for a task. The system drops the locks of a process that
    ends, however it ends; until then no claim is given back, so that what was once claimed by one who is alive need
    not be looked at again.
    """

    def __init__(self, store: Store, plan: Plan) -> None:
        self._file = (store.folder / "claims" / plan.name).open("ab", buffering=0)
        self._file.write(f"{socket.gethostname()} {os.getpid()}\n".encode())
        self._size = os.fstat(self._file.fileno()).st_size
        self._first = self._lock(PRESENCE, 1)

    @property
    def alone(self) -> bool:
        """Whether nobody else has been here since the store was opened."""
        return not LOCKS or (self._first and os.fstat(self._file.fileno()).st_size == self._size)

    def take(self, start: int, stop: int) -> bool:
        """Claim the tasks of a range; False if somebody else has one of them."""
        return self._lock(start, stop - start)

    def _lock(self, start: int, length: int) -> bool:
        if not LOCKS:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True

    def close(self) -> None:
        """Give everything back."""
        self._file.close()
