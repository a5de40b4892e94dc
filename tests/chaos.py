"""Studies are killed at random moments, and what comes out is compared with a study that was left alone.

    python -m tests.chaos --times 100

Each round begins a study in a store of its own and disturbs it once, at a random moment: it kills the driver, a worker
or the scheduler (SIGKILL), or fills the disk. Then the study is begun again and left alone. After that

- the results are byte for byte those of the undisturbed study,
- no task that was stored before was computed again: each task adds a line to a log when it is computed.

Full disks are small file systems in memory, which only the superuser can mount; for others these rounds are left out,
which is said at the end.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from rltheory.simulation import Cluster, Experiment, Plan, Processes, Store, Threads, carry_out
from rltheory.simulation.store import packed

DISK = 2**20  # bytes of the small file system
SECONDS = 1.0  # the study's own time, in which it is disturbed
PATIENCE = 120.0  # seconds after which a study that goes on has hung


def work(arguments: dict[str, Any], seed: int, replicate: int) -> dict[str, Any]:
    """A task: it notes that it is computed, takes its time, and now and then fails."""
    with Path(arguments["log"]).open("ab", buffering=0) as log:
        log.write(f"{arguments['kind']} {replicate}\n".encode())
    time.sleep(arguments["seconds"])
    if replicate == arguments["fails"]:
        raise ArithmeticError(f"replicate {replicate} fails on purpose")
    return {"value": (("place",), np.random.default_rng([seed, replicate]).random(5))}


def plan(log: Path) -> Plan:
    """Short tasks, which are put together, and longer ones, of which each has a file."""
    kinds = (("short", 0.002, 300, 7), ("long", 0.06, 20, 3))
    return Plan(
        tuple(
            Experiment(kind, "tests.chaos:work", {"log": str(log), "kind": kind, "seconds": s, "fails": bad}, 1, count)
            for kind, s, count, bad in kinds
        )
    )


def contents(store: Path, tasks: Plan) -> dict[tuple[str, int], bytes]:
    """For each task the bytes of its result, or its traceback."""
    names = {tasks.digest(task): (tasks.locate(task)[0].name, tasks.locate(task)[1]) for task in range(len(tasks))}
    known = Store(store)
    found = {names[digest]: packed([(bytes(32), result)]) for digest, result in known.results()}
    return found | {names[digest]: known.failure(digest).traceback.encode() for digest in known.failed}


class Study:
    """A study: its store, its log, and the process that carries it out."""

    def __init__(self, folder: Path, executor: str, store: Path) -> None:
        self.executor, self.store, self.log = executor, store, folder / "log"
        self.log.touch()
        self.plan = plan(self.log)
        self.driver: subprocess.Popen[bytes] | None = None
        self.cluster: DaskCluster | None = None

    def begin(self) -> "subprocess.Popen[bytes]":
        """Begin or go on."""
        command = [sys.executable, "-m", "tests.chaos", "--drive", str(self.log), str(self.store), self.executor]
        self.driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self.driver

    def end(self) -> None:
        """Wait until the driver ends by itself, as it should."""
        assert self.driver is not None
        _, errors = self.driver.communicate(timeout=PATIENCE)
        assert self.driver.returncode == 0, errors.decode()

    def computed(self) -> list[str]:
        """Tasks that were begun, in order."""
        return self.log.read_text().splitlines()

    def stored(self) -> set[str]:
        """Tasks that are stored, as the log calls them."""
        if not (self.store / "manifest.json").exists():
            return set()
        return {f"{kind} {replicate}" for kind, replicate in contents(self.store, self.plan)}


def drive(log: Path, store: Path, executor: str) -> None:
    """Carry out the study; this is what is killed."""
    chosen = {"threads": Threads(2), "processes": Processes(2)}.get(executor) or Cluster(executor, patience=30)
    carry_out(plan(log), Store(store, create=True), chosen)


class DaskCluster:
    """A scheduler and two workers, each a process, started by the documented commands."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        worker = ["worker", self.address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard"]
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        self.workers = [self._start(*worker) for _ in range(2)]

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        here = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), *sys.path]))}
        command = [sys.executable, "-m", "dask", *arguments]
        return subprocess.Popen(command, env=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill_worker(self, dice: random.Random) -> None:
        """Kill a worker; its nanny, which is the process that was started, starts another."""
        kill(dice.choice([child for nanny in self.workers for child in children(nanny.pid)] or [0]))

    def stop(self) -> None:
        """Kill everything."""
        for process in (*self.workers, self.scheduler):
            for part in (process.pid, *children(process.pid)):
                kill(part)
            process.wait()


def children(process: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    found: list[int] = []
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        for child in tasks.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def kill(process: int) -> None:
    """Kill a process, which may have ended."""
    with suppress(ProcessLookupError):
        if process:
            os.kill(process, signal.SIGKILL)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Put a small file system at a folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def driver_killed(study: Study, dice: random.Random, seconds: float) -> None:
    """Kill the driver, whose threads or processes go with it."""
    driver = study.begin()
    wait_for_moment(study, dice, seconds)
    workers = children(driver.pid)
    kill(driver.pid)
    driver.communicate()
    for _ in range(100):  # its processes notice that it is gone
        if not any(Path(f"/proc/{worker}").exists() for worker in workers):
            return
        time.sleep(0.1)
    raise AssertionError("processes outlive their driver")


def worker_killed(study: Study, dice: random.Random, seconds: float) -> None:
    """Kill a process of the pool; the driver goes on, and has to end well."""
    driver = study.begin()
    wait_for_moment(study, dice, seconds)
    workers = [child for child in children(driver.pid) if b"spawn_main" in command_line(child)]
    kill(dice.choice(workers or [0]))
    study.end()


def command_line(process: int) -> bytes:
    """Command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def cluster_worker_killed(study: Study, dice: random.Random, seconds: float) -> None:
    """Kill a worker of a cluster; the driver goes on, and has to end well."""
    assert study.cluster is not None
    study.begin()
    wait_for_moment(study, dice, seconds)
    study.cluster.kill_worker(dice)
    study.end()


def scheduler_killed(study: Study, dice: random.Random, seconds: float) -> None:
    """Kill the scheduler; the driver says so and ends, and goes on with another cluster."""
    assert study.cluster is not None
    driver = study.begin()
    wait_for_moment(study, dice, seconds)
    kill(study.cluster.scheduler.pid)
    _, errors = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0 or b"ConnectionError" in errors, errors.decode()
    study.cluster.stop()
    study.cluster = DaskCluster()
    study.executor = study.cluster.address


def disk_filled(study: Study, dice: random.Random, seconds: float) -> None:
    """Fill the disk; the driver says so and ends, and goes on when there is space again."""
    driver = study.begin()
    wait_for_moment(study, dice, seconds)
    filler = study.store.parent / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    _, errors = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0 or b"No space left on device" in errors, errors.decode()
    filler.unlink()


def wait_for_moment(study: Study, dice: random.Random, seconds: float) -> None:
    """Wait for a random time after the first task has begun, or from the start in one case of five."""
    if dice.random() < 0.8:
        began = time.monotonic()
        while not study.computed() and time.monotonic() < began + PATIENCE:
            time.sleep(0.01)
    time.sleep(dice.random() * seconds)


DISTURBANCES: dict[str, tuple[Callable[[Study, random.Random, float], None], str]] = {
    "driver of threads killed": (driver_killed, "threads"),
    "driver of processes killed": (driver_killed, "processes"),
    "process killed": (worker_killed, "processes"),
    "disk full": (disk_filled, "threads"),
    "driver of a cluster killed": (driver_killed, "cluster"),
    "worker of a cluster killed": (cluster_worker_killed, "cluster"),
    "scheduler killed": (scheduler_killed, "cluster"),
}


def disturb(name: str, dice: random.Random, expected: dict[tuple[str, int], bytes]) -> tuple[int, int]:
    """Play a round; return how many tasks were stored when the study began again, and how many were computed twice.

    Raises
    ------
    AssertionError
        If the results are not those of the undisturbed study, or a task that was stored was computed again.
    """
    disturbance, executor = DISTURBANCES[name]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if disturbance is disk_filled:
            stack.enter_context(small_disk(folder / "disk"))
        study = Study(folder, executor, folder / "disk" / "store" if disturbance is disk_filled else folder / "store")
        if executor == "cluster":
            study.cluster = DaskCluster()
            stack.callback(lambda: study.cluster and study.cluster.stop())
            study.executor = study.cluster.address
        disturbance(study, dice, SECONDS)
        before, stored = len(study.computed()), study.stored()
        study.begin()
        study.end()
        again = stored & set(study.computed()[before:])
        assert not again, f"{name}: computed again though stored: {sorted(again)}"
        assert contents(study.store, study.plan) == expected, f"{name}: the results differ"
        return len(stored), sum(count - 1 for count in Counter(study.computed()).values())


def undisturbed() -> dict[tuple[str, int], bytes]:
    """What the study yields if it is left alone."""
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Path(folder), "threads", Path(folder) / "store")
        study.begin()
        study.end()
        return contents(study.store, study.plan)


def main() -> None:
    """Play rounds of all disturbances in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, help="rounds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drive", nargs=3, metavar=("LOG", "STORE", "EXECUTOR"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.drive:
        drive(Path(chosen.drive[0]), Path(chosen.drive[1]), chosen.drive[2])
        return
    names = [name for name in DISTURBANCES if name != "disk full" or os.geteuid() == 0]
    expected, dice, tally = undisturbed(), random.Random(chosen.seed), Counter[str]()
    for place in range(chosen.times):
        name = names[place % len(names)]
        stored, twice = disturb(name, dice, expected)
        tally[name] += 1
        print(f"{place + 1:4d}  {name:28s} {stored:4d} of {len(expected)} stored, {twice} computed twice", flush=True)
    print(", ".join(f"{count} x {name}" for name, count in tally.items()))
    print(f"{chosen.times} disturbances: all results byte for byte those of the undisturbed study; nothing that was "
          "stored was computed again")  # fmt: skip
    if len(names) < len(DISTURBANCES):
        print("left out, since only the superuser can mount a small file system: disk full")


if __name__ == "__main__":
    main()
