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

policies = {"ucb": ucb1, "leader": follow_the_leader, "own": lambda: index_policy("least", no_clock, least, first)}
for policy in (policies[name]() for name in sys.argv[1:]):
    trace = play_bandit(Bandit.bernoulli([0.2, 0.9]), policy, horizon=400, rng=np.random.default_rng(0))
    loop = _loop(policy.start, policy.choose, policy.observe, _draw_by_law, _record_pulls, True)
    (compiled,) = loop.overloads.values()
    uses = (sum(x.values()) for x in (loop.stats.cache_hits, loop.stats.cache_misses))
    print(trace["pulls"][-1, 0, 0], *uses, compiled.fndesc.mangled_name)
"""


def run_closures(home, sign, *names):
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    script = home / "script.py"
    script.write_text(CLOSURES.replace("SIGN", sign), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, *names], cwd=home, env=environment, capture_output=True, text=True, check=True
    )
    return [(*map(int, numbers), symbol) for *numbers, symbol in map(str.split, done.stdout.splitlines())]


def test_closures_are_told_apart_and_those_over_a_users_functions_are_not_kept(tmp_path):
    """Also those of one name that different processes have compiled, each as its first."""
    shutil.copytree(Path(rltheory.__file__).parent, tmp_path / "rltheory", ignore=shutil.ignore_patterns("__pycache__"))
    (leader,) = run_closures(tmp_path, "-1", "leader")
    ucb, own = run_closures(tmp_path, "-1", "ucb", "own")
    assert [hits_and_misses for _, *hits_and_misses, _ in (leader, ucb, own)] == [[0, 1]] * 3
    assert own[0] == 200
    *kept, changed = run_closures(tmp_path, "+1", "ucb", "leader", "own")
    assert kept == [(pulls, 1, 0, symbol) for pulls, _, _, symbol in (ucb, leader)]
    assert changed[:2] in [(1, 0), (399, 0)]
    assert len({pulls for pulls, *_ in (ucb, leader, own)}) == 3
    assert len({symbol for *_, symbol in (ucb, leader, own)}) == 3, "linked together, one would be taken for another"


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
