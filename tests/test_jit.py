"""The disk cache of kernels is read again, and dropped when any source of the package changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import rltheory

RUN = """
import numpy as np, rltheory as rl
from rltheory.algorithms.games.nash_mirror_prox import _run
trace = rl.nash_mirror_prox(rl.PreferenceGame([[0.5, 0.8], [0.2, 0.5]]), beta=0.1, iterations=3)
print(trace["log_policy"][-1, 0], *(sum(x.values()) for x in (_run.stats.cache_hits, _run.stats.cache_misses)))
"""

# A closure over kernels of the package, one over another kernel, and one over a function of a user.
CLOSURES = """
import sys, numba, numpy as np
from rltheory.jit import kernel
from rltheory.problems import Bandit
from rltheory.algorithms.bandits import follow_the_leader, index_policy, play_bandit, ucb1
from rltheory.algorithms.bandits.index import first, no_clock
from rltheory.algorithms.bandits.play import _draw_by_law, _loop, _record_pulls

@numba.njit
def least(pulls, mean, square, arms, parameters):
    return SIGN * pulls, 0.0, 0.0

for policy in (ucb1(), follow_the_leader(), index_policy("least", no_clock, least, first)):
    trace = play_bandit(Bandit.bernoulli([0.2, 0.9]), policy, horizon=400, rng=np.random.default_rng(0))
    loop = _loop(policy.start, policy.choose, policy.observe, _draw_by_law, _record_pulls, True)
    print(trace["pulls"][-1, 0, 0], *(sum(x.values()) for x in (loop.stats.cache_hits, loop.stats.cache_misses)))
"""


def run_closures(home, sign):
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    script = home / "script.py"
    script.write_text(CLOSURES.replace("SIGN", sign), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], cwd=home, env=environment, capture_output=True, text=True, check=True
    )
    return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]


def test_closures_are_told_apart_and_those_over_a_users_functions_are_not_kept(tmp_path):
    shutil.copytree(Path(rltheory.__file__).parent, tmp_path / "rltheory", ignore=shutil.ignore_patterns("__pycache__"))
    (ucb, *first), (leader, *second), (even, *own) = run_closures(tmp_path, "-1")
    assert first == second == [0, 1]
    assert own == [0, 1]
    assert even == 200
    again = run_closures(tmp_path, "+1")
    assert again[:2] == [(ucb, 1, 0), (leader, 1, 0)]
    assert again[2][0] in (1, 399)
    assert again[2][1] == 0
    assert ucb not in (leader, even)


def run(home):
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=home, env=environment, capture_output=True, text=True, check=True
    )
    value, hits, misses = done.stdout.split()
    return float(value), int(hits), int(misses)


def test_cache_follows_every_source(tmp_path):
    copy = tmp_path / "rltheory"
    shutil.copytree(Path(rltheory.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    value, hits, misses = run(tmp_path)
    assert (hits, misses) == (0, 1)
    assert run(tmp_path) == (value, 1, 0)
    # The kernel that runs stands in another file than the one that is edited.
    simplex = copy / "simplex.py"
    source = simplex.read_text(encoding="utf-8")
    assert "anchor[a] + rate * values[a]" in source
    simplex.write_text(
        source.replace("anchor[a] + rate * values[a]", "anchor[a] + 2 * rate * values[a]"), encoding="utf-8"
    )
    changed, hits, misses = run(tmp_path)
    assert (hits, misses) == (0, 1)
    assert changed != value
