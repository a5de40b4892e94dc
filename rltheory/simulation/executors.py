"""Who computes: threads of this process, other processes, or a Dask cluster."""

import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeAlias

from rltheory.arrays import positive
from rltheory.simulation.engine import Workers

__all__ = ["Cluster", "Crew", "Executor", "Processes", "Threads"]


SECONDS_BETWEEN_COUNTS = 1.0  # of the workers of a cluster


class Crew(Protocol):
    """Workers at work."""

    @property
    def workers(self) -> int:
        """How many tasks they do at a time, now."""

    @property
    def note(self) -> str:
        """What a user may want to know of them, such as an address."""

    def submit(self, function: Callable[[Any], Any], item: Any) -> "Future[Any]":
        """Begin with an item as soon as a worker is free."""

    def is_loss(self, error: BaseException) -> bool:
        """Whether the error means that a worker was lost, so that its work has to be done again.

        Raises
        ------
        ConnectionError
            If there is nobody left to do it.
        """


@dataclass(frozen=True)
class Threads:
    """Threads of this process; kernels release the interpreter lock.

    Parameters
    ----------
    workers
        How many; as many as there are cores by default.
    """

    workers: int | None = None

    @contextmanager
    def open(self) -> Iterator[Crew]:
        """Start the threads, and end them."""
        with Workers(self.workers) as pool:
            yield _ThreadCrew(pool)


@dataclass
class _ThreadCrew:
    pool: Workers
    note: str = ""

    @property
    def workers(self) -> int:
        return self.pool.count

    def submit(self, function: Callable[[Any], Any], item: Any) -> "Future[Any]":
        return self.pool.submit(function, item)

    def is_loss(self, error: BaseException) -> bool:
        return False


@dataclass(frozen=True)
class Processes:
    """Processes on this machine, for work in plain Python. A process that dies is replaced.

    They import the main script anew: a script that uses them does so below ``if __name__ == "__main__":``.

    Parameters
    ----------
    workers
        How many; as many as there are cores by default.
    """

    workers: int | None = None

    @contextmanager
    def open(self) -> Iterator[Crew]:
        """Start the processes, and end them."""
        crew = _ProcessCrew(self.workers or os.cpu_count() or 1)
        try:
            yield crew
        finally:
            crew.pool.shutdown(cancel_futures=True)


class _ProcessCrew:
    note = ""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._start()

    def _start(self) -> None:
        # A fork would copy the locks of threads that hold them at that moment.
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(self.workers, context, _end_with_parent)

    def submit(self, function: Callable[[Any], Any], item: Any) -> "Future[Any]":
        try:
            return self.pool.submit(_with_one_thread, (function, item))
        except BrokenExecutor:
            self.pool.shutdown(wait=False)
            self._start()
            return self.pool.submit(_with_one_thread, (function, item))

    def is_loss(self, error: BaseException) -> bool:
        return isinstance(error, BrokenExecutor)


def _end_with_parent() -> None:
    """End this process when its parent is killed; a pool's processes would wait for more work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _with_one_thread(work: tuple[Callable[[Any], Any], Any]) -> Any:
    _hold_blas()
    function, item = work
    return function(item)


@cache
def _hold_blas() -> None:
    """Hold BLAS to one thread from now on, as :class:`~rltheory.simulation.Workers` do for a while."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


@dataclass(frozen=True)
class Cluster:
    """Workers of a Dask cluster; they may come and go.

    Parameters
    ----------
    address
        Address of the scheduler, such as ``"tcp://10.0.0.1:8786"``.
    patience
        Seconds to wait for the scheduler, > 0.
    """

    address: str
    patience: float = 5.0

    @contextmanager
    def open(self) -> Iterator[Crew]:
        """Connect to the scheduler, and leave it.

        Raises
        ------
        ConnectionError
            If there is no scheduler at the address.
        ModuleNotFoundError
            If Dask is not installed.
        """
        try:
            from distributed import Client
        except ModuleNotFoundError:
            raise ModuleNotFoundError("a cluster needs Dask: pip install 'rltheory[cluster]'") from None

        with ExitStack() as stack:
            try:
                patience = positive(self.patience, "patience")
                client = stack.enter_context(Client(self.address, timeout=patience))  # type: ignore[no-untyped-call]
            except (OSError, ValueError, TypeError) as error:
                raise ConnectionError(f"no Dask scheduler answers at {self.address!r} ({_first_line(error)})") from None
            yield _ClusterCrew(client, self.address)


class _ClusterCrew:
    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._executor = client.get_executor(pure=False)
        self.note = f"Dask's dashboard: {client.dashboard_link}"
        self._counted = -math.inf
        self._workers = 0

    @property
    def workers(self) -> int:
        self._check()
        if time.monotonic() > self._counted + SECONDS_BETWEEN_COUNTS:
            self._workers = sum(self._client.nthreads().values())
            self._counted = time.monotonic()
        return self._workers

    def submit(self, function: Callable[[Any], Any], item: Any) -> "Future[Any]":
        self._check()
        future: Future[Any] = self._executor.submit(_with_one_thread, (function, item))
        return future

    def is_loss(self, error: BaseException) -> bool:
        from distributed import KilledWorker

        self._check()
        return isinstance(error, (KilledWorker, CancelledError))

    def _check(self) -> None:
        if self._client.status != "running":
            raise ConnectionError(f"the Dask scheduler at {self._address} is gone")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


Executor: TypeAlias = Threads | Processes | Cluster
