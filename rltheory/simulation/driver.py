"""Carry out a plan: what its store lacks is computed, in batches that are worth the trouble, and stored at once."""

import traceback
from collections import deque
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter, sleep
from types import TracebackType
from typing import NamedTuple

from rltheory.simulation.engine import Bar
from rltheory.simulation.executors import Crew, Executor
from rltheory.simulation.experiments import Experiment, Plan, Result, versions
from rltheory.simulation.store import Claims, Failure, Store, packed

__all__ = ["Tally", "carry_out"]

BATCH_SECONDS = 0.5  # short tasks are put together until they take so long: thirty times what a batch costs a cluster
BATCH_BYTES = 2**24  # of packed results, so that few of them fill no memory
BATCH_TASKS = 4096
AHEAD = 2  # batches for each worker that are under way: while one is stored the next is at work
SHARES = 4  # batches for each worker that remain at least: nobody waits long for the last one
LOSSES = 3  # workers that a batch may lose in company; then it is done alone, to see whether it is to blame
WAIT_SECONDS = 0.5  # between two looks at what others do


class Tally(NamedTuple):
    """What a driver did."""

    found: int  # tasks that were finished already
    computed: int
    failed: int  # those that failed now or before


@dataclass(frozen=True)
class _Batch:
    """Tasks that are done by one worker and stored together."""

    tasks: tuple[int, ...]
    losses: int = 0


class _Order(NamedTuple):
    """What a worker receives."""

    versions: dict[str, str]
    work: list[tuple[bytes, Experiment, int]]


class _Outcome(NamedTuple):
    """What a worker returns."""

    finished: list[bytes]
    content: bytes
    failures: list[tuple[bytes, str]]
    seconds: float


def _compute(order: _Order) -> _Outcome:
    """Compute a batch; this runs at the worker."""
    if order.versions != versions():
        differing = [
            f"{name} {versions().get(name)} in place of {version}"
            for name, version in order.versions.items()
            if versions().get(name) != version
        ]
        raise RuntimeError(f"its software is not the driver's: {', '.join(differing)}")
    results: list[tuple[bytes, Result]] = []
    failures = []
    began = perf_counter()
    for digest, experiment, replicate in order.work:
        try:
            results.append((digest, experiment.compute(replicate)))
        except Exception as error:
            failures.append((digest, _told(error)))
    seconds = (perf_counter() - began) / len(order.work)
    return _Outcome([digest for digest, _ in results], packed(results) if results else b"", failures, seconds)


def _told(error: Exception) -> str:
    """Traceback from the function of the experiment on."""
    frames: TracebackType | None = error.__traceback__
    for _ in range(2):  # the loop above, and `Experiment.compute`
        frames = frames.tb_next if frames is not None and frames.tb_next is not None else frames
    return "".join(traceback.format_exception(type(error), error, frames))


def carry_out(plan: Plan, store: Store, executor: Executor, *, retry: bool = False, progress: bool = False) -> Tally:
    """Compute the tasks of a plan that its store lacks.

    It may be killed at any moment: carried out again, it does what is missing. Several drivers may carry out the same
    plan in the same store: they share the work.

    Parameters
    ----------
    plan
        What to compute.
    store
        Where results are kept.
    executor
        Who computes.
    retry
        Whether to compute tasks again that failed before.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    Tally
        How many tasks were found, computed and failed.

    Raises
    ------
    OSError
        If a result can't be written, for example because the disk is full, or the cluster is lost. What was stored
        stays.
    RuntimeError
        If workers can't work, for example with other software than this process.
    """
    store.add_plan(plan)
    with ExitStack() as stack:
        crew = stack.enter_context(executor.open())
        claims = Claims(store, plan)
        stack.callback(claims.close)
        store.refresh()  # somebody may have been here while the workers were started
        bar = Bar() if progress else None
        if bar is not None:
            stack.enter_context(bar.display)
            bar.expect(len(plan))
            bar.say(crew.note)
        return _Driver(plan, store, crew, claims, bar, retry).drive()


@dataclass
class _Driver:
    plan: Plan
    store: Store
    crew: Crew
    claims: Claims
    bar: Bar | None
    retry: bool
    seconds: dict[str, float] = field(default_factory=dict)  # of a task, by the name of its experiment
    sizes: dict[str, float] = field(default_factory=dict)
    under_way: "dict[Future[_Outcome], _Batch]" = field(default_factory=dict)
    again: deque[_Batch] = field(default_factory=deque)  # after the loss of a worker
    retried: set[int] = field(default_factory=set)
    found: int = 0
    computed: int = 0
    failed: int = 0

    def drive(self) -> Tally:
        self.queue = deque([(0, len(self.plan))])  # ranges of tasks that are yet to be looked at
        self.postponed: list[tuple[int, int]] = []  # those that others compute
        try:
            while self.queue or self.postponed or self.again or self.under_way:
                self._hand_out()
                if self.under_way:
                    done, _ = wait(self.under_way, WAIT_SECONDS, FIRST_COMPLETED)
                    for future in done:
                        self._take_in(future)
                elif self.crew.workers == 0:
                    sleep(WAIT_SECONDS)
                elif self.postponed:
                    self._look_around()
        finally:
            for future in self.under_way:
                future.cancel()
        return Tally(self.found, self.computed, self.failed)

    def _hand_out(self) -> None:
        """Give the workers as much as they can take."""
        while len(self.under_way) < AHEAD * self.crew.workers and (batch := self._next_batch()):
            first, _ = self.plan.locate(batch.tasks[0])
            if self.bar is not None:
                self.bar.started(first.name)
            work = [(self.plan.digest(task), *self.plan.locate(task)) for task in batch.tasks]
            self.under_way[self.crew.submit(_compute, _Order(dict(self.plan.versions), work))] = batch

    def _next_batch(self) -> _Batch | None:
        if self.again:
            suspect = self.again[0].losses >= LOSSES
            return None if suspect and self.under_way else self.again.popleft()
        if any(batch.losses >= LOSSES for batch in self.under_way.values()):
            return None
        while self.queue:
            tasks = self._gather(*self.queue.popleft())
            if not tasks:
                continue
            if not self.claims.take(tasks[0], tasks[-1] + 1):
                self.postponed.append((tasks[0], tasks[-1] + 1))
                continue
            if not self.claims.alone:
                self.store.refresh()
                self.postponed += [(task, task + 1) for task in tasks if self._is_done(task)]
                tasks = [task for task in tasks if not self._is_done(task)]
            if tasks:
                self.retried.update(task for task in tasks if self.plan.digest(task) in self.store.failed)
                return _Batch(tuple(tasks))
        return None

    def _gather(self, start: int, stop: int) -> list[int]:
        """The first tasks of a range that are not done, enough for a batch; the rest goes back to the queue."""
        tasks: list[int] = []
        seconds, size, share = 0.0, 0.0, max(1, (stop - start) // (SHARES * max(self.crew.workers, 1)))
        for task in range(start, stop):
            if self._is_done(task):
                self._count_found(task)
                continue
            name = self.plan.locate(task)[0].name
            other = bool(tasks) and name != self.plan.locate(tasks[0])[0].name
            seconds += self.seconds.get(name, BATCH_SECONDS)
            size += self.sizes.get(name, 0.0)
            full = seconds > BATCH_SECONDS or size > BATCH_BYTES or len(tasks) >= min(BATCH_TASKS, share)
            if tasks and (other or full):
                self.queue.appendleft((task, stop))
                break
            tasks.append(task)
        return tasks

    def _is_done(self, task: int) -> bool:
        digest = self.plan.digest(task)
        return digest in self.store.finished or (
            digest in self.store.failed and not (self.retry and task not in self.retried)
        )

    def _count_found(self, task: int) -> None:
        is_failure = self.plan.digest(task) in self.store.failed
        self.found += not is_failure
        self.failed += is_failure
        if self.bar is not None:
            self.bar.finished()

    def _look_around(self) -> None:
        """See what others have done, and take over from those who are gone."""
        sleep(WAIT_SECONDS)
        self.store.refresh()
        self.queue, self.postponed = deque(self.postponed), []

    def _take_in(self, future: "Future[_Outcome]") -> None:
        batch = self.under_way[future]
        error = CancelledError() if future.cancelled() else future.exception()
        if error is not None:
            if not self.crew.is_loss(error):
                raise RuntimeError(f"a worker can't work: {error}") from error
            del self.under_way[future]
            self._lose(batch)
            return
        outcome = future.result()
        if outcome.finished:
            self.store.add(outcome.finished, outcome.content)
        for digest, text in outcome.failures:
            self._fail(digest, batch.tasks, text)
        del self.under_way[future]
        name = self.plan.locate(batch.tasks[0])[0].name
        self.seconds[name] = outcome.seconds
        self.sizes[name] = len(outcome.content) / len(batch.tasks)
        self.computed += len(outcome.finished)
        for digest in outcome.finished:
            if digest in self.store.failed:
                self.store.forget_failure(digest)
        if self.bar is not None:
            self.bar.finished(len(batch.tasks))

    def _fail(self, digest: bytes, tasks: tuple[int, ...], text: str) -> None:
        task = next(task for task in tasks if self.plan.digest(task) == digest)
        self.store.add_failure(digest, Failure(*self.plan.locate(task), text))
        self.failed += 1

    def _lose(self, batch: _Batch) -> None:
        """Do again what a lost worker did; what loses workers again and again, even alone, has failed."""
        if batch.losses < LOSSES:
            self.again.append(_Batch(batch.tasks, batch.losses + 1))
        elif len(batch.tasks) > 1:
            middle = len(batch.tasks) // 2
            self.again.extend(_Batch(part, LOSSES) for part in (batch.tasks[:middle], batch.tasks[middle:]))
        else:
            text = f"its workers were lost {LOSSES + 1} times: killed, crashed, or out of memory"
            self._fail(self.plan.digest(batch.tasks[0]), batch.tasks, text)
