"""A sign of life from single calls that take long."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["sign_of_life"]

SECONDS_OF_SILENCE = 2.0
LONGEST_IDLENESS = 60.0  # seconds after which a thread that waits for calls ends


@dataclass(eq=False)
class _Call:
    work: str
    began: float = field(default_factory=time.monotonic)
    shown: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    erased: threading.Event = field(default_factory=threading.Event)


class _Watcher:
    """A thread that looks after calls. It outlives short ones: most calls neither start it nor wake it up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[_Call] = []  # the outermost first
        self._awake = False

    def enter(self, call: _Call) -> None:
        with self._lock:
            self._calls.append(call)
            asleep, self._awake = not self._awake, True
        if asleep:
            threading.Thread(target=self._watch, daemon=True).start()

    def leave(self, call: _Call) -> None:
        with self._lock:
            self._calls.remove(call)
        call.ended.set()
        if call.shown:
            call.erased.wait()

    def _watch(self) -> None:
        idle_since = time.monotonic()
        while True:
            with self._lock:
                now = time.monotonic()
                call = self._calls[0] if self._calls else None
                if call:
                    idle_since = now
                    call.shown = now >= call.began + SECONDS_OF_SILENCE
                elif now >= idle_since + LONGEST_IDLENESS:
                    self._awake = False
                    return
            if call and call.shown:
                _show(call)
            else:
                time.sleep(call.began + SECONDS_OF_SILENCE - now if call else SECONDS_OF_SILENCE)


def _show(call: _Call) -> None:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    try:
        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            progress.add_task(call.work, total=None)
            call.ended.wait()
    finally:
        call.erased.set()


_watcher = _Watcher()


@contextmanager
def sign_of_life(work: str) -> Iterator[None]:
    """Show `work` and the time spent on a terminal's standard error, from the third second to the end.

    Inside a pool of workers nothing is shown: there, the pool has its own progress.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    call = _Call(work)
    _watcher.enter(call)
    try:
        yield
    finally:
        _watcher.leave(call)
