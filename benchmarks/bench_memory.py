"""Memory of a solve beyond the process that it solves, as a share of that.

Each measurement is a process of its own, in which every large array is mapped by itself and given back when it is
freed, so that the peak of the resident memory tells what was held at once. Linux only.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_discounted import ACCURACY, as_quantecon, dense, grid_world, random_graph
from benchmarks.harness import Contender, Limit, Race, peer
from rltheory.problems import MDP
from rltheory.solvers import solve

PROCESSES = {
    "random graph, 1e5 states": lambda: random_graph(100_000),
    "grid world, 1e5 states": lambda: grid_world(316),
    "dense, 1000 states": lambda: dense(1_000),
}
DISCOUNT = 0.99


def resident(kind: str) -> int:
    """Bytes of resident memory: `kind` is VmRSS for those of now, VmHWM for the peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024


def peak(run: Callable[[], Any]) -> tuple[int, Any]:
    """Bytes that `run` holds at most beyond those of now, and its result."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts anew
    before = resident("VmRSS")
    result = run()
    return resident("VmHWM") - before, result


def solver(mdp: MDP, contender: str) -> Callable[[], Any]:
    """The contender's way to the values."""
    if contender == "rltheory":
        return lambda: solve(mdp, DISCOUNT, accuracy=ACCURACY).values
    process, method = as_quantecon(mdp, DISCOUNT), contender.split()[-1]
    return lambda: process.solve(method=method, epsilon=2 * ACCURACY, max_iter=100_000).v


def measure(work: str, contender: str) -> dict[str, float]:
    """Run in a process of its own: the second of two solves."""
    mdp = PROCESSES[work]()
    run = solver(mdp, contender)
    run()
    held, values = peak(run)
    truth = solve(mdp, DISCOUNT, accuracy=ACCURACY)
    return {
        "share": held / sum(array.nbytes for array in mdp.arrays),
        "off": float(np.abs(values - truth.values).max()) - truth.error,
    }


def in_a_process(work: str, contender: str) -> dict[str, float]:
    code = (
        f"import json; from benchmarks.bench_memory import measure; print(json.dumps(measure({work!r}, {contender!r})))"
    )
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def races() -> Iterator[Race]:
    with_peer = peer("quantecon.markov") is not None
    for work in PROCESSES:
        names = ["rltheory", *(["QuantEcon mpi"] if with_peer else [])]
        yield Race(
            f"memory, {work}, discount {DISCOUNT}",
            [
                Contender(
                    name, lambda work=work, name=name: in_a_process(work, name), lambda found: found["off"] <= ACCURACY
                )
                for name in names
            ],
            Limit(0.15),
            rounds=3,
            cost=lambda contender: contender.run()["share"],
            shown=lambda share: f"{share:.1%}",
        )
