"""What a study costs beside its tasks: the share of two workers that is put to use, and the memory of a driver."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.bench_engine import rounds_for, spin
from benchmarks.bench_memory import resident
from benchmarks.harness import Contender, Limit, Race
from rltheory.simulation import Cluster, Experiment, Plan, Processes, Store, Threads, carry_out
from rltheory.simulation.executors import Executor

TASKS, TASK_SECONDS = 600, 0.050
TINY = 1_000_000
MEGABYTE = 1e6


def busy(arguments: dict[str, Any], seed: int, replicate: int) -> dict[str, Any]:
    """A task that computes for a while."""
    return {"value": ((), np.array(spin(arguments["rounds"])))}


def tiny(arguments: dict[str, Any], seed: int, replicate: int) -> dict[str, Any]:
    """A task that is hardly worth a call."""
    return {"value": ((), np.array(float(replicate)))}


def carried_out(plan: Plan, executor: Executor) -> int:
    """Tasks that were computed, in a store that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        return carry_out(plan, Store(Path(folder), create=True), executor).computed


def efficiency(name: str, two: Executor, one: Executor) -> Race:
    """Two workers beside half the time of one: the limit is an efficiency of 0.9."""
    plan = Plan((Experiment("busy", "benchmarks.bench_studies:busy", {"rounds": rounds_for(TASK_SECONDS)}, 0, TASKS),))

    def run(executor: Executor) -> Callable[[], int]:
        return lambda: carried_out(plan, executor)

    return Race(
        f"a study of {TASKS} tasks of {1000 * TASK_SECONDS:.0f} ms, two {name}",
        [
            Contender("rltheory", run(two), lambda computed: computed == TASKS),
            Contender("one worker, halved", run(one), lambda computed: computed == TASKS, units=2),
        ],
        Limit(1 / 0.9, "one worker, halved"),
        rounds=3,
    )


def measure_tiny() -> dict[str, float]:
    """Peak memory of a process that computes a million tasks, then finds them all done; run in one of its own."""
    plan = Plan((Experiment("tiny", "benchmarks.bench_studies:tiny", {}, 0, TINY),))
    with tempfile.TemporaryDirectory() as folder:
        began = perf_counter()
        first = carry_out(plan, Store(Path(folder), create=True), Threads(2))
        spent = perf_counter() - began
        again = carry_out(plan, Store(Path(folder)), Threads(2))
    return {"computed": first.computed, "found": again.found, "peak": resident("VmHWM"), "seconds": spent}


def in_a_process() -> dict[str, float]:
    code = "import json; from benchmarks.bench_studies import measure_tiny; print(json.dumps(measure_tiny()))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def races() -> Iterator[Race]:
    yield efficiency("threads", Threads(2), Threads(1))
    yield efficiency("processes", Processes(2), Processes(1))
    from distributed import LocalCluster

    clusters = [LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=":0") for n in (2, 1)]
    with clusters[0], clusters[1]:
        two, one = (Cluster(cluster.scheduler_address) for cluster in clusters)
        yield efficiency("processes of a Dask cluster", two, one)
    held: list[dict[str, float]] = []
    for quantity, limit, shown in (
        ("peak", 500 * MEGABYTE, lambda size: f"{size / MEGABYTE:.0f} MB"),
        ("seconds", None, lambda spent: f"{spent:.0f} s"),
    ):
        yield Race(
            f"{quantity} of a driver of {TINY} tiny tasks, twice",
            [
                Contender(
                    "rltheory",
                    lambda: held[0] if held else held.append(in_a_process()) or held[0],
                    lambda found: found["computed"] == found["found"] == TINY,
                )
            ],
            Limit(limit) if limit else None,
            rounds=1,
            cost=lambda contender, quantity=quantity: contender.run()[quantity],
            shown=shown,
        )
