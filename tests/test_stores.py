"""Plans, stores, drivers: the same bytes whoever computes; nothing lost, done twice, or touched that is foreign."""

import errno
import json
import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rltheory.simulation import Cluster, Experiment, Plan, Processes, Store, Threads, carry_out
from rltheory.simulation import driver as driving
from rltheory.simulation.experiments import versions
from rltheory.simulation.store import Claims, packed
from tests.chaos import disturb, undisturbed


def experiment(name="draws", replicates=20, **arguments):
    return Experiment(name, "tests.study_tasks:draw", arguments, 1, replicates)


def contents(store):
    """Bytes of the result of each task."""
    return {digest: packed([(digest, result)]) for digest, result in Store(store.folder).results()}


def computed(log):
    """How often each replicate was computed."""
    return Counter(int(line.split()[1]) for line in log.read_text().splitlines())


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", create=True)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log"
    path.touch()
    return path


def test_digests_name_what_decides_about_the_numbers():
    base = experiment(size=3)
    others = [
        replace(base, function="tests.study_tasks:objects"),
        replace(base, arguments={"size": 4}),
        replace(base, seed=2),
    ]
    plans = [Plan((one,)) for one in (base, *others)] + [Plan((base,), versions() | {"numpy": "1.0"})]
    digests = [digest for plan in plans for digest in plan.digests()]
    assert len(set(digests)) == len(digests) == 5 * 20
    labelled = replace(base, name="other", labels={"size": "three"}, replicates=5)
    assert list(Plan((others[0], labelled)).digests())[20:] == digests[:5]


def test_plans_know_their_tasks():
    plan = Plan((experiment("a", 3, size=1), experiment("b", 2, size=2), experiment("again", 4, size=1)))
    assert [(one.name, replicate) for one, replicate in map(plan.locate, range(len(plan)))] == [
        ("a", 0), ("a", 1), ("a", 2), ("a", 3), ("b", 0), ("b", 1),
    ]  # fmt: skip
    restored = Plan.from_json(plan.to_json())
    assert restored == plan
    assert list(restored.digests()) == list(plan.digests())


def test_the_same_bytes_whoever_computes(tmp_path):
    """Threads, processes and the processes of a cluster, one or several; batches depend on the time and so differ."""
    from distributed import LocalCluster

    plan = Plan((experiment("short", 60, sizes=2), experiment("long", 6, seconds=0.02)))
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        executors = [Threads(1), Threads(3), Processes(2), Cluster(cluster.scheduler_address)]
        found = []
        for place, executor in enumerate(executors):
            store = Store(tmp_path / str(place), create=True)
            assert carry_out(plan, store, executor) == (0, 66, 0)
            found.append(contents(store))
    assert found[0].keys() == set(plan.digests())
    assert all(other == found[0] for other in found[1:])


def test_what_is_stored_is_not_computed_again(store, log):
    half = Plan((experiment(replicates=11, log=str(log)),))
    whole = Plan((experiment(replicates=30, log=str(log)), experiment("other", size=5)))
    assert carry_out(half, store, Threads(2)) == (0, 11, 0)
    assert carry_out(whole, Store(store.folder), Threads(2)) == (11, 39, 0)
    assert carry_out(whole, Store(store.folder), Threads(2)) == (50, 0, 0)
    assert computed(log) == Counter(range(30))


def test_a_failing_task_is_recorded_and_the_others_go_on(store, log):
    plan = Plan((experiment(replicates=10, log=str(log), fails=[3, 7]), experiment("pickles", 1, size=9)))
    plan = Plan((*plan.experiments, Experiment("objects", "tests.study_tasks:objects", {})))
    assert carry_out(plan, store, Threads(2)) == (0, 9, 3)
    failures = {store.failure(digest).replicate: store.failure(digest) for digest in list(plan.digests())[:10]
                if digest in store.failed}  # fmt: skip
    assert set(failures) == {3, 7}
    assert failures[7].reason == "ArithmeticError: replicate 7 fails on purpose"
    assert failures[7].traceback.splitlines()[1].endswith("in draw")
    (objects,) = (store.failure(digest) for digest in list(plan.digests())[11:])
    assert "no Python objects" in objects.reason
    assert carry_out(plan, Store(store.folder), Threads(2)) == (9, 0, 3)
    assert computed(log)[3] == 1
    assert carry_out(plan, Store(store.folder), Threads(2), retry=True) == (9, 0, 3)
    assert computed(log)[3] == 2


def test_a_task_that_was_repaired_is_retried(store, tmp_path, monkeypatch):
    plan = Plan((experiment(replicates=3, log=str(tmp_path / "missing" / "log")),))
    assert carry_out(plan, store, Threads(1)) == (0, 0, 3)
    (tmp_path / "missing").mkdir()
    assert carry_out(plan, store, Threads(1), retry=True) == (0, 3, 0)
    assert not any((store.folder / "failures").iterdir())
    assert carry_out(plan, Store(store.folder), Threads(1)) == (3, 0, 0)


def test_a_task_that_ends_its_process_is_found_out(store, log, monkeypatch):
    monkeypatch.setattr(driving, "LOSSES", 1)
    plan = Plan((experiment(replicates=12, log=str(log), dies=[5]),))
    assert carry_out(plan, store, Processes(2)) == (0, 11, 1)
    (failure,) = map(store.failure, store.failed)
    assert failure.replicate == 5
    assert "its workers were lost 2 times" in failure.reason


def test_short_tasks_are_put_together_and_few_are_under_way(store):
    """Batches grow to a quarter of a second, and shrink at the end; twice as many as workers wait at most."""
    sizes, waiting = [], []

    class Watched(Threads):
        @contextmanager
        def open(self):
            with super().open() as crew:
                lock, under_way, submit = threading.Lock(), [0], crew.submit

                def watched(function, order):
                    with lock:
                        under_way[0] += 1
                        sizes.append(len(order.work))
                        waiting.append(under_way[0])

                    def work(order):
                        outcome = function(order)
                        with lock:
                            under_way[0] -= 1
                        return outcome

                    return submit(work, order)

                crew.submit = watched
                yield crew

    plan = Plan((experiment("long", 6, seconds=0.3), experiment("short", 3000)))
    assert carry_out(plan, store, Watched(2)) == (0, 3006, 0)
    assert max(waiting) <= driving.AHEAD * 2
    assert sizes[0] == 1
    assert max(sizes) > 20
    assert set(sizes[-5:]) == {1}
    assert len(list((store.folder / "results").iterdir())) == len(sizes)


@pytest.mark.parametrize("damage", ["cut", "text", "flipped", "newer", "foreign", "folder"])
def test_files_that_cannot_be_read_are_named_and_left(damage, store, tmp_path):
    plan = Plan((experiment(replicates=1),))
    carry_out(plan, store, Threads(1))
    expected = contents(store)
    (path,) = (store.folder / "results").iterdir()
    whole = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "foreign":
        np.savez(path, x=np.ones(3))
    elif damage == "newer":
        text = json.dumps({"format": "rltheory results 9", "groups": []}).encode()
        np.savez(path, results=np.array(text))
    else:
        middle = whole.index(b"value.npy") + 80
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        path.write_bytes({"cut": whole[: len(whole) // 2], "text": b"results", "flipped": flipped}[damage])
    wrong = None if path.is_dir() else path.read_bytes()
    again = Store(store.folder)
    assert list(again.unreadable) == [path]
    assert again.unreadable[path]
    assert not again.finished
    assert carry_out(plan, again, Threads(1)) == (0, 1, 0)
    assert contents(store) == expected
    assert wrong is None or path.read_bytes() == wrong
    assert path.exists()


def test_damaged_records_of_failures_and_plans_are_left_too(store):
    plan = Plan((experiment(replicates=2, fails=[0]),))
    carry_out(plan, store, Threads(1))
    for part in ("failures", "plans"):
        (path,) = (store.folder / part).iterdir()
        path.write_text("nonsense")
    again = Store(store.folder)
    assert carry_out(plan, again, Threads(1)) == (1, 0, 1)
    assert again.plans() == []
    assert len(again.unreadable) == 2
    assert all(path.read_text() == "nonsense" for path in again.unreadable)


def test_folders_that_are_no_stores_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Store(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"is not a store: it has no manifest.json"):
        Store(tmp_path)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match=r"holds 'thesis\.tex' and is not a store"):
        Store(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    newer = Store(tmp_path / "newer", create=True).folder / "manifest.json"
    newer.write_text(newer.read_text().replace("store 1", "store 2"))
    with pytest.raises(ValueError, match="the format is 'rltheory store 2'; this version reads 'rltheory store 1'"):
        Store(tmp_path / "newer", create=True)
    newer.write_text("{")
    with pytest.raises(ValueError, match=r"manifest.json: not the manifest of a store, or damaged"):
        Store(tmp_path / "newer")


def test_a_store_that_was_hardly_begun_is_finished(tmp_path):
    """Whoever made it was killed before the manifest was there."""
    (tmp_path / "results").mkdir()
    (tmp_path / "manifest.json.0123.tmp").touch()
    assert Store(tmp_path, create=True).finished == set()


def test_no_permission_is_said(tmp_path):
    """The superuser may do anything; so the test becomes somebody else for a moment."""
    tmp_path.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            for folder in (tmp_path.parent, tmp_path.parent.parent, tmp_path.parent.parent.parent):
                if folder != folder.parent and folder.stat().st_mode & 0o055 != 0o055 and "pytest" in str(folder):
                    folder.chmod(0o755)
            os.seteuid(65534)
        with pytest.raises(PermissionError) as caught:
            Store(tmp_path / "store", create=True)
        assert caught.value.filename is not None
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o755)


def test_a_full_disk_loses_nothing(store, monkeypatch):
    plan, sync, calls = Plan((experiment(replicates=8, seconds=0.3),)), os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        carry_out(plan, store, Threads(2))
    assert caught.value.filename == str(store.folder / "results")
    monkeypatch.undo()
    again = Store(store.folder)
    found = len(again.finished)
    assert 0 < found < 8
    assert not list(store.folder.rglob("*.tmp"))
    assert carry_out(plan, again, Threads(4)) == (found, 8 - found, 0)


def test_a_file_gets_its_name_when_it_is_whole(store, monkeypatch):
    sync, seen = os.fsync, []

    def watched(descriptor):
        seen.append([path.suffix for path in (store.folder / "results").iterdir()])
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    store.add([bytes(32)], packed([(bytes(32), {"value": ((), np.array(1.0))})]))
    assert seen == [[".tmp"], [".npz"]]  # the file, then the folder


def test_leftovers_of_the_killed_go_after_a_day(store):
    old, young = (store.folder / "results" / f"{name}.npz.tmp" for name in ("old", "young"))
    for path in (old, young):
        path.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    assert Store(store.folder).unreadable == {}
    assert young.exists()
    assert not old.exists()


def drive(folder, log, done):
    """A driver in a process of its own."""
    plan = Plan((experiment(replicates=60, log=log, seconds=0.02),))
    done.put(carry_out(plan, Store(Path(folder), create=True), Threads(1)))


def test_two_drivers_share_the_work(tmp_path, log):
    """They begin at once, on a store that is not there yet; no task is computed twice."""
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    both = [context.Process(target=drive, args=(tmp_path / "store", str(log), done)) for _ in range(2)]
    for one in both:
        one.start()
    tallies = [done.get(timeout=60) for _ in both]
    for one in both:
        one.join()
    assert computed(log) == Counter(range(60))
    assert sum(tally.computed for tally in tallies) == 60
    assert all(tally.found + tally.computed == 60 for tally in tallies)
    assert len(Store(tmp_path / "store").finished) == 60


def test_a_driver_takes_over_from_one_that_was_killed(tmp_path, log):
    """What the other had stored, the last moment included, is not computed again."""
    store, plan = Store(tmp_path / "store", create=True), Plan((experiment(replicates=60, log=str(log), seconds=0.02),))
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    other = context.Process(target=drive, args=(store.folder, str(log), done), daemon=True)
    mine = threading.Thread(target=carry_out, args=(plan, store, Threads(1)), daemon=True)

    def wait_for(lines):
        deadline = time.monotonic() + 60
        while len(log.read_text().splitlines()) < lines:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    other.start()
    wait_for(8)
    mine.start()
    wait_for(30)
    other.kill()
    other.join()
    stored = {task for task, digest in enumerate(plan.digests()) if digest in Store(store.folder).finished}
    mine.join(60)
    counts = computed(log)
    assert stored
    assert {task: counts[task] for task in stored} == dict.fromkeys(stored, 1)
    assert set(counts) == set(range(60))


def test_claims_of_others_are_respected(store):
    """Another process holds some tasks, then ends; what it had claimed is taken over."""
    plan = Plan((experiment(replicates=6),))
    code = (
        "import sys; from rltheory.simulation import Plan, Store; from rltheory.simulation.store import Claims\n"
        "from pathlib import Path; store = Store(Path(sys.argv[1])); plan, = store.plans()\n"
        "claims = Claims(store, plan); assert claims.take(2, 4); print('claimed', flush=True); sys.stdin.read()"
    )
    store.add_plan(plan)
    other = subprocess.Popen([sys.executable, "-c", code, store.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"claimed\n"
    mine = Claims(store, plan)
    assert not mine.alone
    assert not mine.take(3, 6)
    assert mine.take(4, 6)
    timer = threading.Timer(1.0, other.kill)
    timer.start()
    assert carry_out(plan, store, Threads(2)) == (0, 6, 0)
    timer.join()
    other.communicate()
    mine.close()


def test_what_others_stored_since_the_store_was_opened_is_found(store, log):
    plan = Plan((experiment(replicates=6, log=str(log)),))
    early = Store(store.folder)
    assert carry_out(plan, store, Threads(2)) == (0, 6, 0)
    assert carry_out(plan, early, Threads(2)) == (6, 0, 0)
    assert computed(log) == Counter(range(6))


def test_an_unreachable_cluster_is_an_error_within_seconds(store):
    plan = Plan((experiment(replicates=5),))
    carry_out(plan, store, Threads(1))
    began = time.monotonic()
    with pytest.raises(ConnectionError, match=r"no Dask scheduler answers at 'tcp://127.0.0.1:9'"):
        carry_out(plan, store, Cluster("tcp://127.0.0.1:9", patience=1))
    assert time.monotonic() - began < 30  # a hang, not a speed
    assert len(Store(store.folder).finished) == 5
    with pytest.raises(ConnectionError, match="no Dask scheduler answers at 'nonsense'"):
        carry_out(plan, store, Cluster("nonsense", patience=1))


def test_workers_with_other_software_are_refused(store):
    plan = Plan((experiment(replicates=5),), versions() | {"numpy": "1.0"})
    with pytest.raises(RuntimeError, match=r"a worker can't work: its software is not the driver's: numpy .* of 1\.0"):
        carry_out(plan, store, Threads(1))
    assert not Store(store.folder).finished | Store(store.folder).failed.keys()


def test_merging_adds_what_is_missing(tmp_path):
    one, two = (Store(tmp_path / name, create=True) for name in ("one", "two"))
    left, right = (Plan((experiment(replicates=n), experiment("fails", 2, fails=[1], size=n))) for n in (10, 25))
    carry_out(left, one, Threads(2))
    carry_out(right, two, Threads(2))
    (two.folder / "results" / "notes.txt").touch()
    before, other = contents(one), Store(two.folder)
    assert one.merge(other) == 16
    assert one.merge(other) == 0
    assert contents(one) == before | contents(two)
    assert len(one.failed) == 2
    assert {plan.name for plan in Store(one.folder).plans()} == {left.name, right.name}
    assert carry_out(right, Store(one.folder), Threads(1)) == (26, 0, 1)


def test_reading_while_it_runs(store):
    plan = Plan((experiment(replicates=30, seconds=0.02),))
    writer = threading.Thread(target=carry_out, args=(plan, store, Threads(2)))
    writer.start()
    counts = []
    while writer.is_alive():
        reader = Store(store.folder)
        counts.append(len(dict(reader.results())))
        assert not reader.unreadable
    writer.join()
    assert counts == sorted(counts)
    assert len({*counts}) > 2


@pytest.fixture(scope="module")
def expected():
    return undisturbed()


@pytest.mark.parametrize("name", ["driver of processes killed", "process killed", "disk full", "scheduler killed"])
def test_a_disturbed_study_yields_what_an_undisturbed_one_does(name, expected):
    """The short form of ``python -m tests.chaos``, which does this a hundred times."""
    if name == "disk full" and os.geteuid() != 0:
        pytest.skip("only the superuser can mount a small file system; test_a_full_disk_loses_nothing runs for all")
    disturb(name, random.Random(name), expected)
