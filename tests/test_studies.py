"""Studies: what a file may say, what a store then holds, and that it is what the library gives without it."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import rltheory as rl
from rltheory.algorithms import play_bandit, tsde, ucrl2
from rltheory.algorithms.bandits import named_policy
from rltheory.cli import main
from rltheory.instances import random_game, river_swim
from rltheory.simulation import Threads, stream
from rltheory.simulation.experiments import canonical
from rltheory.simulation.store import packed
from rltheory.studies import AlgorithmStudy, Results, Study, TheoremStudy, estimate, sweep
from rltheory.theorems.games.tiapkin2025 import Setting

LEARNERS = """
seed = 3

[[algorithms]]
names = ["ucrl2", "tsde"]
problem = { instance = "river_swim" }
arguments = { horizon = 200 }
replicates = 3

[algorithms.grid]
problem.n = [3, 5]
"""


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(LEARNERS, encoding="utf-8")
    return path


WRONG = {
    "seeds = 3": (1, "the key 'seeds' is unknown; did you mean 'seed'?"),
    "seed = -1": (1, "seed is -1; it must be >= 0"),
    "seed = ?": (None, "Invalid value (at line 1, column 8)"),
    "seed = 3": (1, "the study is empty; name theorems or algorithms"),
    "[theorems]": (1, "theorems is {}; it must be a list"),
    '[[theorems]]\nname = ["nash-mp/kl"]': (2, "the key 'name' is unknown; did you mean 'names'?"),
    "[[theorems]]\nbudget = 3": (1, "the key 'names' is missing"),
    '[[theorems]]\nnames = "nash-mp/kl"': (2, "names is 'nash-mp/kl'; it must be a list"),
    '[[theorems]]\nnames = [\n  "nash-mp/span",\n  # near\n  "nash-mp/kll",\n]': (2, "the nearest names are nash-mp/kl,"),
    '[[theorems]]\nnames = ["nash-mp/kl"]\n\nbudget = 0': (4, "budget is 0; it must be >= 1"),
    '[[theorems]]\nnames = ["nash-mp/kl"]\nbudget = 1.5': (3, "budget is 1.5; it must be an integer"),
    '[[theorems]]\nnames = ["nash-mp/kl"]\nhold = 2.0': (1, "the level hold is 2.0; it must lie strictly between 0 and 1"),
    '[[theorems]]\nnames = ["nash-mp/kl"]\nsetting = { gam = 1 }': (3, "'gam' is unknown; did you mean 'game'?"),
    '[[theorems]]\nnames = ["nash-mp/kl"]\n[theorems.grid]\ngame = [{ instance = "cycle", n = 3 }]\nbeta = [0.1, -1.0]': (
        3, "beta is -1.0; it must be finite and > 0",
    ),
    '[[theorems]]\nnames = ["nowhere.json"]': (2, "No such file or directory"),
    '[[algorithms]]\nnames = ["ucrl"]\nproblem = { instance = "river_swim" }': (2, "the nearest names are ucrl2, ucrl2b, kl_ucrl"),
    '[[algorithms]]\nnames = ["ucrl2"]': (2, "ucrl2 needs the argument 'horizon'"),
    '[[algorithms]]\nnames = ["ucrl2"]\narguments = { horizon = 10 }': (1, "there is no problem"),
    '[[algorithms]]\nnames = ["ucrl2"]\narguments = { horizont = 10 }\nproblem = { instance = "river_swim" }': (
        3, "the argument of ucrl2 'horizont' is unknown; did you mean 'horizon'?",
    ),
    '[[algorithms]]\nnames = ["ucrl2"]\narguments = { horizon = 10 }\nproblem = { instance = "riverswim" }': (
        4, "no instance is called 'riverswim'; the nearest names are river_swim",
    ),
    '[[algorithms]]\nnames = ["ucrl2"]\narguments = { horizon = 10 }\nproblem = { instance = "river_swim", m = 3 }': (
        4, "the argument of river_swim 'm' is unknown",
    ),
    '[[algorithms]]\nnames = ["ucrl2"]\narguments = { horizon = 10 }\nproblem = { instance = "cycle", n = 3 }': (
        4, "the problem of ucrl2 is <PreferenceGame cycle of 3: 3 actions>; it must be of type MDP",
    ),
    LEARNERS + "problem.m = 3": (12, "problem.m is 3; it must be a list of values, not empty"),
    LEARNERS + "problem.m = [3]": (10, "the argument of river_swim 'm' is unknown"),
    LEARNERS + "delta.x = [0.1]": (12, "delta.x is part of delta, which is no table"),
    LEARNERS.replace("replicates = 3", "replicates = 0"): (8, "replicates is 0; it must be >= 1"),
    LEARNERS + '[[algorithms]]\nnames = ["play_bandit"]\nproblem = "bernoulli:0.9,x"\n'
    'arguments = { horizon = 10, policy = "ucb1" }': (14, "mean 2, 'x', is not a number"),
    LEARNERS + '[[algorithms]]\nnames = ["play_bandit"]\nproblem = "bernoulli:0.9"\n'
    'arguments = { horizon = 10, policy = "usb1" }': (15, "no policy is called 'usb1'; did you mean ucb1"),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text.replace("\n", " ")[-50:])
def test_mistakes_are_named_with_their_line(text, tmp_path):
    line, message = WRONG[text]
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    done = run("sweep", path, "--store", tmp_path / "store")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"rltheory: {path}{'' if line is None else f', line {line}'}: ")
    assert message in done.stderr
    assert not (tmp_path / "store").exists()


def test_without_a_file_the_place_is_named():
    wrong = AlgorithmStudy(names=["ucrl2", "usrl"], problem={"instance": "river_swim"}, arguments={"horizon": 10})
    with pytest.raises(ValueError, match=r"^algorithms\[0\]\.names\[1\]: no algorithm is called 'usrl'"):
        Study(algorithms=[wrong]).plan()


def stored_bytes(store):
    """Bytes of all results, each as the only one of a file and under no digest."""
    return {packed([(bytes(32), result)]) for _, result in store.results()}


def test_learners_run_as_they_do_alone(file, tmp_path):
    results = sweep(file, store=tmp_path / "store", executor=Threads(2))
    assert results.progress == (12, 0, 0)
    data = results.dataset()
    assert data["noise"].dims == ("setting", "replicate", "time")
    assert data.sizes["setting"], data.sizes["replicate"] == (4, 3)
    for learner in (ucrl2, tsde):
        for n in (3, 5):
            name = learner.__name__
            words = canonical([{"instance": "river_swim", "n": n}, {"horizon": 200}])
            trace = learner(river_swim(n), horizon=200, rng=stream(3, "study", name, words, 1))
            (place,) = np.flatnonzero((data["algorithm"] == name) & (data["problem.n"] == n))
            here = data.isel(setting=place, replicate=1)
            assert str(here["problem"].to_numpy()) == f"RiverSwim, {n} states"
            assert str(here["clock"].to_numpy()) == trace.clock
            np.testing.assert_array_equal(here["noise"].sel(time=trace.times), trace["noise"])
            np.testing.assert_array_equal(here["visits"].sel(time=trace.times)[:, : 2 * n], trace["visits"])
            assert here["visits"][:, 2 * n :].isnull().all()
    assert list(results.dataset("noise")) == ["noise"]
    with pytest.raises(ValueError, match="no result has the quantity 'noises'; there are"):
        results.dataset("noises")


def test_verdicts_are_those_of_verify(tmp_path):
    game, place = {"instance": "random_game"}, tmp_path / "worst.json"
    finding = rl.falsify(rl.find("nash-mp/kl")[0], evaluations=3)
    finding.save(place)
    study = Study(
        theorems=[
            TheoremStudy(names=["nash-mp/kl", "nash-mp/span"], setting={"game": game, "beta": 0.5},
                         grid={"game.n": [2, 4], "game.draw": [0, 1]}),
            TheoremStudy(names=["nash-mp/sampled"], budget=32),
            TheoremStudy(names=["worst.json"]),
        ],
        seed=5,
        folder=tmp_path,
    )  # fmt: skip
    results = sweep(study, store=tmp_path / "store")
    assert packed([(bytes(32), study.plan().experiments[3].compute(0))]) in stored_bytes(results.store)
    verdicts = results.verdicts()
    default = list(rl.find("nash-mp/sampled")[0].settings())
    assert len(verdicts) == 8 + len(default) + 1
    text = canonical({"draw": 1, "instance": "random_game", "n": 4})
    setting = Setting(random_game(stream(5, "instance", text), 4), 0.5)
    expected = [
        *rl.verify(rl.find("nash-mp/kl"), settings=[setting], seed=5),
        *rl.verify(rl.find("nash-mp/sampled"), seed=5, budget=32),
        *rl.verify(rl.find("nash-mp/kl"), settings=[finding.setting], seed=5),
    ]
    for found, verdict in zip([verdicts[3], *verdicts[8:]], expected, strict=True):
        assert (found.card, found.setting, found.status) == (verdict.card, verdict.setting, verdict.status)
        assert found.observation.samples.tobytes() == verdict.observation.samples.tobytes()
        assert found.bound.tobytes() == verdict.bound.tobytes()
    data = results.dataset()
    assert set(data["status"].to_numpy()) <= {"HOLDS", "UNDECIDED"}
    third = data.isel(setting=3)
    np.testing.assert_array_equal(third["measured"].sel(time=verdicts[3].times), verdicts[3].measured)
    assert (third["theorem"], third["game.n"], third["game.draw"]) == ("nash-mp/kl", 4, 1)


def test_replicates_inside_a_run_come_after_one_another(tmp_path):
    bandit = AlgorithmStudy(
        names=["play_bandit"],
        problem="bernoulli:0.9,0.8",
        arguments={"horizon": 100, "replicates": 5},
        grid={"policy": ["ucb1", "thompson"]},
        replicates=3,
    )
    data = sweep(Study(algorithms=[bandit]), store=tmp_path / "store").dataset()
    assert data.sizes["replicate"] == 15
    words = canonical(["bernoulli:0.9,0.8", {"horizon": 100, "replicates": 5, "policy": "thompson"}])
    rng = stream(0, "study", "play_bandit", words, 2)
    trace = play_bandit(rl.Bandit.bernoulli([0.9, 0.8]), named_policy("thompson"), horizon=100, rng=rng, replicates=5)
    here = data.isel(setting=1, replicate=slice(10, 15))
    np.testing.assert_array_equal(here["regret"].transpose("time", "replicate"), trace["regret"])
    np.testing.assert_array_equal(here["pulls"].transpose("time", "replicate", "arm"), trace["pulls"])


OWN = """
from dataclasses import dataclass

import numpy as np

from rltheory import Trace, TabularMDP
from rltheory.theory import EveryStep, Theorem


@dataclass(frozen=True)
class Start:
    value: float


def halve(start, rng):
    return Trace("halving", np.arange(9), {"value": (("time",), start.value * 0.5 ** np.arange(9))})


def wander(mdp: TabularMDP, *, steps: int, rng: np.random.Generator) -> Trace:
    return Trace("wander", np.arange(steps), {"noise": (("time",), rng.random(steps) * mdp.states)}, "step")


HALVES = Theorem(
    name="own/halves",
    statement="x_t <= 2^{-t} x_0",
    kind=EveryStep(rounding=lambda s: 0.0),
    run=halve,
    measured=lambda s, trace: trace["value"],
    bound=lambda s, trace: s.value * 0.5 ** trace.times,
    settings=lambda: [Start(1.0), Start(3.0)],
)
"""


def test_a_file_of_ones_own_travels_with_its_tasks(tmp_path):
    """Workers need not see the file; an edit makes other tasks of it."""
    own, study = tmp_path / "own.py", tmp_path / "study.toml"
    own.write_text(OWN, encoding="utf-8")
    study.write_text(
        '[[theorems]]\nnames = ["own.py"]\n[[theorems]]\nnames = ["own.py"]\ngrid = { value = [2.0, 5.0] }\n'
        '[[algorithms]]\nnames = ["own.py:wander"]\narguments = { steps = 4 }\nproblem = { instance = "chain" }\n',
        encoding="utf-8",
    )
    plan = Study.load(study).plan()
    own.unlink()
    assert [len(plan.experiments[0].compute(0)["times"][1]), len(plan)] == [9, 5]
    own.write_text(OWN, encoding="utf-8")
    results = sweep(study, store=tmp_path / "store")
    assert results.progress == (5, 0, 0)
    assert [str(verdict) for verdict in results.verdicts()] == [
        f"own/halves [Start(value={value})]: HOLDS" for value in (1.0, 3.0, 2.0, 5.0)
    ]
    assert results.dataset()["noise"].isel(setting=4).notnull().sum() == 4
    own.write_text(OWN.replace("0.5 ** np", "0.6 ** np"), encoding="utf-8")
    assert {verdict.status for verdict in sweep(study, store=tmp_path / "store").verdicts()} == {"REFUTED"}
    own.write_text("1 / 0", encoding="utf-8")
    with pytest.raises(ValueError, match=r"study.toml, line 2: .*ZeroDivisionError"):
        sweep(study, store=tmp_path / "store")


def test_games_of_files_travel_too(tmp_path):
    wins = tmp_path / "wins.csv"
    wins.write_text("x,y,z\n0,7,2\n3,0,8\n8,2,0\n", encoding="utf-8")
    part = TheoremStudy(names=["nash-mp/kl"], setting={"game": {"file": "wins.csv"}, "beta": 0.2})
    plan = Study(theorems=[part], folder=tmp_path).plan()
    wins.unlink()
    assert plan.experiments[0].compute(0)["verdict"][1].item().startswith(b"{")


def test_a_changed_study_reuses_what_it_has(file, tmp_path):
    store = tmp_path / "store"
    assert "12 finished" in run("sweep", file, "--store", store).stdout
    before = sorted((store / "results").iterdir())
    file.write_text(LEARNERS.replace("[3, 5]", "[3, 5, 4]").replace("replicates = 3", "replicates = 4"), "utf-8")
    assert run("sweep", file, "--store", store, "--dry-run").stdout.startswith("24 tasks, of which 12 are finished\n")
    assert "24 finished" in run("sweep", file, "--store", store).stdout
    assert set(before) < set((store / "results").iterdir())


def test_an_estimate_runs_a_sample_and_stores_nothing(file, tmp_path):
    found = estimate(file)
    assert (found.tasks, found.finished, found.sampled) == (12, 0, 12)
    assert 0 < found.shortest <= found.seconds / 12 <= found.longest
    done = run("sweep", file, "--dry-run", "--workers", 2)
    assert done.exit_code == 0
    assert "12 tasks, of which 0 are finished" in done.stdout
    assert "with 2 workers" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_commands_tell_what_a_store_has(file, tmp_path):
    store, out = tmp_path / "store", tmp_path / "out"
    file.write_text(
        LEARNERS + '[[algorithms]]\nnames = ["tsde"]\nproblem = { instance = "chain" }\narguments = { horizon = -1 }\n'
        '[[theorems]]\nnames = ["nash-mp/span"]\ngrid = { game = [{ instance = "cycle", n = 3 }], beta = [0.5] }\n',
        "utf-8",
    )
    done = run("sweep", file, "--store", store, "--processes", "--workers", 2)
    assert done.exit_code == 3
    assert "failed: tsde, replicate 0: ValueError: horizon is -1" in done.stderr
    assert "13 finished, 1 failed, 0 missing" in done.stdout
    (store / "results" / "notes.txt").write_text("mine")
    done = run("status", store)
    assert done.exit_code == 0
    assert "notes.txt can't be read, and is left as it is: File is not a zip file" in done.stderr
    done = run("report", store, "-o", out)
    assert done.exit_code == 0
    assert "1 HOLDS" in done.stdout
    assert (out / "index.html").exists()
    import xarray as xr

    with xr.open_dataset(out / "results.nc", engine="scipy") as data:
        assert data["noise"].dims == ("setting", "replicate", "time")
        assert "visits" not in data
        np.testing.assert_array_equal(data["noise"], Results(store).dataset("noise")["noise"])
    assert run("report", store, "-o", out, "--quantity", "visits", "--hold", 0.01, "--refute", 1e-9).exit_code == 0
    with xr.open_dataset(out / "results.nc", engine="scipy") as data:
        assert list(data) == ["visits"]
    shutil.rmtree(store / "results")
    (store / "results").mkdir()
    other = tmp_path / "other"
    run("sweep", file, "--store", other)
    assert run("merge", store, other).stdout == f"13 results added to {store}, which has 13\n"
    assert "13 finished, 1 failed, 0 missing" in run("status", store).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "nowhere"], "nowhere: No such file or directory"),
        (["report", "nowhere"], "nowhere: No such file or directory"),
        (["status", "."], "is not a store: it has no manifest.json"),
        (["merge", "new", "nowhere"], "nowhere: No such file or directory"),
        (["sweep", "nowhere.toml", "--store", "out"], "nowhere.toml: No such file or directory"),
        (["sweep", "study.toml"], "--store is missing; name a folder for the results, or use --dry-run"),
        (["sweep", "study.toml", "--store", "study.toml/x"], "study.toml"),
        (
            ["sweep", "study.toml", "--store", "out", "--cluster", "x", "--workers", "2"],
            "--cluster has its own workers",
        ),
        (["sweep", "study.toml", "--store", "out", "--cluster", "tcp://127.0.0.1:9"], "no Dask scheduler answers"),
    ],
)
def test_bad_input_is_one_line(arguments, message, file, monkeypatch):
    monkeypatch.chdir(file.parent)
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_without_a_study_says_so(tmp_path):
    from rltheory.simulation import Store

    Store(tmp_path / "store", create=True)
    done = run("status", tmp_path / "store")
    assert done.exit_code == 2
    assert "has seen no study yet" in done.stderr


def test_the_page_on_studies_can_be_followed(tmp_path):
    """Its commands are run as they stand, with the machine called head being this one."""
    page = (Path(__file__).parents[1] / "docs" / "studies.md").read_text(encoding="utf-8")
    (study,) = re.findall(r"```toml\n# study.toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "study.toml").write_text(study.replace("2000", "100"), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    host, port = address.split(":")
    commands = "\n".join(re.findall(r"```shell\n(.*?)```", page, re.DOTALL)).replace("head:8786", address)
    scheduler, worker = "dask scheduler", f"dask worker tcp://{address} --nworkers 2 --nthreads 1"
    assert commands.count(scheduler) == commands.count(worker) == 1
    commands = commands.replace(scheduler, f"{scheduler} --host {host} --port {port} --no-dashboard > log 2>&1 &")
    commands = commands.replace(worker, f"{worker} --no-dashboard > log 2>&1 &")
    commands = commands.replace("--store out --cluster", "--store again --cluster")  # there is work for the cluster
    script = (
        'set -e\nrltheory() { "$PYTHON" -m rltheory "$@"; }\ndask() { exec "$PYTHON" -m dask "$@"; }\n'
        f"{commands}\nkill $(jobs -p)\nwait\n"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": paths}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    tasks = 24 + 7 + 40
    lines = done.stdout.splitlines()
    assert lines[0] == f"{tasks} tasks, of which 0 are finished"
    assert lines.count(f"{tasks} finished, 0 failed, 0 missing. Store: out") == 3
    assert lines.count(f"{tasks} finished, 0 failed, 0 missing. Store: again") == 1
    assert Results(tmp_path / "again").dataset().identical(Results(tmp_path / "out").dataset())
    assert lines[-2:] == [
        f"{tasks} results added to everything, which has {tasks}",
        f"{tasks} finished, 0 failed, 0 missing. Store: everything",
    ]
    assert (tmp_path / "report" / "index.html").exists()
