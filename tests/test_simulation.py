"""Streams have addresses; the engine keeps order and hides nothing."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from rltheory import PreferenceGame
from rltheory.progress import _Watcher, sign_of_life
from rltheory.simulation import Workers, fingerprint, stream


@dataclass(frozen=True)
class Box:
    width: float
    label: str = ""


def test_streams_are_named_by_their_address():
    first = stream(0, "game", 3).random(5)
    stream(0, "other").random(100)
    np.testing.assert_array_equal(stream(0, "game", 3).random(5), first)
    others = [
        stream(1, "game", 3),
        stream(0, "game", 4),
        stream(0, "game", "3"),
        stream(0, "game", 3.0),
        stream(0, "game"),
    ]
    assert all((other.random(5) != first).all() for other in others)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(left=plain, right=plain)
def test_fingerprints_tell_values_apart(left, right):
    assert (fingerprint(left) == fingerprint(right)) == (repr(left) == repr(right))


def test_fingerprints_see_types_shapes_and_fields():
    values = [
        1, 1.0, "1", True, (1,), ((1,),), [1], np.array([1]), np.array([1.0]), np.array([[1]]), np.float64(1),
        Box(1.0), Box(1.0, "a"), PreferenceGame.indifferent(1), PreferenceGame.indifferent(2),
    ]  # fmt: skip
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint(Box(2.0)) == fingerprint(Box(2.0))


def test_fingerprints_are_the_same_in_another_process():
    code = "from rltheory.simulation import fingerprint; print(fingerprint(('game', 1, 0.5)))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        for seed in "12"
    ]
    assert {run.stdout.strip() for run in runs} == {fingerprint(("game", 1, 0.5))}


def test_what_has_no_fingerprint_is_named():
    with pytest.raises(TypeError, match="of type object has no fingerprint"):
        fingerprint((1, object()))


@pytest.mark.parametrize("count", [None, 1, 2, 7])
def test_results_keep_their_order(count):
    with Workers(count) as workers:
        assert workers.map(lambda x: x * x, list(range(50))) == [x * x for x in range(50)]
        assert workers.map(str, []) == []


def test_tasks_run_at_the_same_time():
    """Each of two tasks waits for the other."""
    both = threading.Barrier(2, timeout=30)
    with Workers(2) as workers:
        assert sorted(workers.map(lambda _: both.wait(), [0, 1])) == [0, 1]


def test_blas_is_held_to_one_thread_inside():
    def threads(_):
        np.ones((2, 2)) @ np.ones((2, 2))
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with Workers() as workers:
        assert workers.map(threads, [0]) == [{1}]


def test_first_error_is_raised_and_the_rest_is_dropped():
    done = []

    def work(item):
        if item == 1:
            raise RuntimeError("item 1 is broken")
        done.append(item)

    with Workers(1) as workers, pytest.raises(RuntimeError, match="item 1 is broken"):
        workers.map(work, list(range(1000)))
    assert len(done) < 1000


def test_progress_goes_to_standard_error(capsys, monkeypatch):
    monkeypatch.setattr("rltheory.simulation.engine.SECONDS_BETWEEN_LINES", -1.0)
    with Workers(1, progress=True) as workers:
        workers.map(str, [1, 2], label=lambda item: f"item {item}")
        workers.map(str, [3], label=lambda item: f"item {item}")
        workers.map(str, [4, 5])
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2 done" in err
    assert err.rstrip().endswith("3/3 done, 0 s left")


def test_sign_of_life_shows_long_work_until_it_ends(capsys, monkeypatch):
    monkeypatch.setattr("rltheory.progress.SECONDS_OF_SILENCE", 0.05)
    monkeypatch.setattr("rltheory.progress._watcher", _Watcher())  # an older one may sleep two seconds at a time
    monkeypatch.setenv("FORCE_COLOR", "1")  # standard error counts as a terminal
    with sign_of_life("long work"), sign_of_life("a part of it"):
        time.sleep(0.4)
    found = capsys.readouterr()
    assert found.out == ""
    assert "long work" in found.err
    assert "a part of it" not in found.err
    with sign_of_life("short work"):
        pass
    assert capsys.readouterr().err == ""


def test_sign_of_life_starts_one_thread_for_many_calls(monkeypatch):
    monkeypatch.setattr("rltheory.progress._watcher", _Watcher())
    started = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (started.append(thread), start(thread)))
    for _ in range(100):
        with sign_of_life("short work"):
            pass
    assert len(started) == 1
    with pytest.raises(RuntimeError, match="the work failed"), sign_of_life("work that fails"):
        raise RuntimeError("the work failed")


def test_sign_of_life_leaves_workers_alone():
    def work():
        before = threading.active_count()
        with sign_of_life("work of a worker"):
            return threading.active_count() - before

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == 0
