"""Execution of many independent tasks on all cores, with progress."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from time import monotonic
from typing import Any, Self, TypeVar

__all__ = ["Bar", "Workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")

SECONDS_BETWEEN_LINES = 5.0


class Workers:
    """A pool of threads; kernels release the interpreter lock, so threads use all cores.

    BLAS is held to one thread meanwhile: the cores are busy already, and the numbers then do not depend on how many
    workers there are.

    Parameters
    ----------
    count
        Threads; as many as there are cores by default.
    progress
        Whether to show progress on standard error.

    Examples
    --------
    >>> with Workers(2) as workers:
    ...     workers.map(abs, [-1, 2, -3])
    [1, 2, 3]
    """

    def __init__(self, count: int | None = None, *, progress: bool = False) -> None:
        self.count = count or os.cpu_count() or 1
        self._bar = Bar() if progress else None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        # Kernels load this library lazily; it has to be there before its threads can be limited.
        import scipy.linalg  # noqa: F401
        from threadpoolctl import threadpool_limits

        self._open.enter_context(threadpool_limits(1, user_api="blas"))
        self._pool = self._open.enter_context(ThreadPoolExecutor(self.count))
        if self._bar is not None:
            self._open.enter_context(self._bar.display)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def submit(self, function: Callable[[Item], Result], item: Item) -> Future[Result]:
        """Begin with an item as soon as a thread is free."""
        return self._pool.submit(function, item)

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        label: Callable[[Item], str] | None = None,
    ) -> list[Result]:
        """Apply `function` to every item and return the results in order.

        Parameters
        ----------
        function
            What to do with an item. The first exception drops what has not begun, and is raised.
        items
            The tasks.
        label
            Short name of an item, for the progress; items without one are not counted.
        """
        bar = self._bar if label is not None else None
        if bar is not None:
            bar.expect(len(items))

        def task(item: Item) -> Result:
            if bar is not None and label is not None:
                bar.started(label(item))
            result = function(item)
            if bar is not None:
                bar.finished()
            return result

        futures = [self._pool.submit(task, item) for item in items]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            future.cancel()
        return [future.result() for future in futures if not future.cancelled()]


class Bar:
    """Live bar on a terminal; a plain line every few seconds elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self.began = self.spoke = monotonic()
        columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        columns += [TextColumn("time left"), TimeRemainingColumn()]
        self.display = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.task = self.display.add_task("", total=0)

    def say(self, text: str) -> None:
        """Show a line that stays."""
        if text:
            self.display.console.print(text, highlight=False)

    def expect(self, tasks: int) -> None:
        """Add to the number of tasks."""
        (task,) = self.display.tasks
        self.display.update(self.task, total=(task.total or 0) + tasks)

    def started(self, label: str) -> None:
        """Show what runs."""
        self.display.update(self.task, description=label)

    def finished(self, tasks: int = 1) -> None:
        """Count tasks, and say so if nothing has been said for a while."""
        self.display.advance(self.task, tasks)
        now, (task,) = monotonic(), self.display.tasks
        if self.display.disable and now - self.spoke > SECONDS_BETWEEN_LINES:
            self.spoke = now
            left = (now - self.began) / max(task.completed, 1) * (task.remaining or 0)
            text = f"{task.completed:.0f}/{task.total:.0f} done, {left:.0f} s left"
            self.display.console.print(text, highlight=False)
