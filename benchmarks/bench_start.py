"""What a user waits for before the first answer: import, first solve with cold and with warm caches."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Contender, Limit, Race, peer

OURS = "import rltheory as rl; g = rl.PreferenceGame([[0.5, 0.9, 0.2], [0.1, 0.5, 0.7], [0.8, 0.3, 0.5]])"
ROOMS = f"{OURS}; rl.solvers"
SOLVE = f"{OURS}; x = rl.regularized_equilibrium(g, 0.1).policy; y = rl.minimax_winner(g).policy"
PROCESS = "from rltheory.instances import river_swim; from rltheory.solvers import policy_iteration; p = river_swim()"
THEIRS = "import numpy as np, quantecon as qe; from quantecon.optimize import minmax"
PEER_PROCESS = f"{THEIRS}; q = qe.markov.DiscreteDP([[0, 1], [1, 0]], [[[1, 0], [0, 1]], [[0, 1], [1, 0]]], 0.9)"
# What the first compiled function of any process waits for, whatever it computes.
NUMBA = "from numba.core.registry import cpu_target as t; t.typing_context.refresh(); t.target_context.refresh()"
PEER_SOLVE = f"{THEIRS}; minmax(np.array([[0, 0.4, -0.3], [-0.4, 0, 0.2], [0.3, -0.2, 0]]))"


def python(code: str, *, cache: str | None = None) -> int:
    """Run code in a new process; with `cache`, Numba's disk cache is there and nowhere else."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False).returncode


def python_cold(code: str) -> int:
    """Run code in a new process with an empty Numba cache."""
    with TemporaryDirectory() as empty:
        return python(code, cache=empty)


def succeeded(returncode: int) -> bool:
    return returncode == 0


def races() -> Iterator[Race]:
    with_peer = peer("quantecon") is not None

    def contenders(ours, theirs, run):
        yield Contender("rltheory", partial(run, ours), succeeded)
        if with_peer:
            yield Contender("QuantEcon", partial(run, theirs), succeeded)
        yield Contender("the interpreter and NumPy", partial(python, "import numpy"), succeeded)

    yield Race("import, whole process", list(contenders("import rltheory", "import quantecon", python)), Limit(0.35))
    command = Path(sys.executable).with_name("rltheory")
    yield Race(
        "rltheory --help, whole process",
        [
            Contender(
                "rltheory",
                lambda: subprocess.run([command, "--help"], capture_output=True, check=False).returncode,
                succeeded,
            ),
            Contender("the interpreter alone", partial(python, "pass"), succeeded),
        ],
        Limit(0.5),
    )
    # The first kernel of a process makes Numba fill its type registries. QuantEcon pays for that when it is imported.
    yield Race("import of all that a solve needs", list(contenders(ROOMS, THEIRS, python)), rounds=5)
    yield Race("import and first solves, warm cache", list(contenders(SOLVE, PEER_SOLVE, python)), rounds=5)
    ours, theirs = f"{PROCESS}; policy_iteration(p, 0.9)", f"{PEER_PROCESS}; q.solve(method='pi')"
    warm = list(contenders(ours, theirs, python))
    warm.append(Contender("Numba with its registries, no kernel", partial(python, NUMBA), succeeded))
    yield Race("import and first solve of a decision process, warm cache", warm, rounds=5)
    yield Race(
        "import and first solve of a decision process, cold cache",
        list(contenders(ours, theirs, python_cold)),
        rounds=3,
    )
    yield Race("import and first solves, cold cache", list(contenders(SOLVE, PEER_SOLVE, python_cold)), rounds=3)
