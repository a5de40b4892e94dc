"""The command line: what it prints, writes and returns, and what it does with bad input."""

import json
import math
import subprocess
import sys
from itertools import chain

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import rltheory as rl
from rltheory.cli import main
from rltheory.theorems import Subject
from rltheory.theory import load_verdicts

HEAVY = {"numpy", "scipy", "numba", "matplotlib", "cvxpy", "xarray", "rich", "jinja2", "hypothesis", "distributed"}


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def wins(tmp_path):
    path = tmp_path / "wins.csv"
    path.write_text("x,y,z\n0,7,2\n3,0,8\n8,2,0\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "code", ["import rltheory", "from rltheory.cli import main; main(['--help'], standalone_mode=False)"]
)
def test_start_loads_nothing_heavy(code):
    loaded = "import sys; print('loaded:', *{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{loaded}"], capture_output=True, text=True, check=True)
    modules = set(done.stdout.rpartition("loaded:")[2].split())
    assert "rltheory" in modules
    assert modules & HEAVY == set()


def test_help_has_examples():
    for command in (
        [],
        ["verify"],
        ["report"],
        ["falsify"],
        ["race"],
        ["regret"],
        ["sweep"],
        ["status"],
        ["merge"],
        ["analyze"],
        ["list"],
        ["show"],
        ["cite"],
    ):
        done = run(*command, "--help")
        assert done.exit_code == 0
        assert "Usage:" in done.output
        assert "\\b" not in done.output
    assert "rltheory verify nash-mp --game wins.csv --beta 0.1" in run("verify", "--help").output


def test_verify_on_a_users_game(wins, tmp_path):
    done = run("verify", "nash-mp", "--game", wins, "--beta", 0.2, "--reference", "0.5,0.3,0.2", "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert "nash-mp/kl " in done.stdout
    assert "15 HOLDS" in done.stdout
    stored = json.loads((tmp_path / "out" / "verdicts.json").read_text(encoding="utf-8"))
    assert {verdict["parameters"]["game"]["title"] for verdict in stored["verdicts"]} == {"wins"}
    assert stored["verdicts"][0]["parameters"]["reference"] == [0.5, 0.3, 0.2]
    assert (tmp_path / "out" / "index.html").exists()


def test_theorems_without_a_temperature_take_the_game_alone(wins, tmp_path):
    done = run("verify", "mpo/round", "omwu/last-iterate", "--game", wins, "--beta", 0.2, "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert "a game alone does not make a setting of theirs: omwu/last-iterate" in done.stderr
    assert "1 HOLDS" in done.stdout
    assert "spo/histories" in run("verify", "spo/histories", "--game", wins, "--beta", 0.2).stderr
    alone = run("verify", "omwu/last-iterate", "--game", wins, "--beta", 0.2)
    assert alone.exit_code == 2
    assert "no theorem is left" in alone.stderr


def test_regret_of_policies(tmp_path):
    arguments = ["--bandit", "bernoulli:0.9,0.5,0.4", "--horizon", "1e3", "--replicates", 50]
    done = run("regret", "ucb1", "kl-ucb", *arguments, "-o", tmp_path / "curves.svg")
    assert done.exit_code == 0
    assert "KL-UCB" in done.stdout
    assert "Bound of Lai and Robbins" in done.stdout
    drawn = (tmp_path / "curves.svg").read_text(encoding="utf-8")
    assert "UCB1" in drawn
    again = run("regret", "kl-ucb", "ucb1", *arguments, "--workers", 1)
    assert sorted(again.stdout.splitlines()) == sorted(done.stdout.splitlines()[:-1])
    assert run("regret", "ucb1", *arguments, "--seed", 1).stdout != run("regret", "ucb1", *arguments).stdout


def test_regret_beside_stated_bounds(tmp_path, monkeypatch):
    drawn = {}

    def draw(runs, *, upper_bounds, **others):
        drawn.update(upper_bounds)
        return regret_of_runs(runs, upper_bounds=upper_bounds, **others)

    regret_of_runs = rl.plots.regret
    monkeypatch.setattr(rl.plots, "regret", draw)
    figure = tmp_path / "curves.svg"
    arguments = ["ucb1", "ucb1:0.5", "thompson", "kl-ucb:c=3", "--horizon", 500, "--replicates", 20, "-o", figure]
    assert run("regret", *arguments).exit_code == 0
    assert drawn == {}
    assert "bound of " not in figure.read_text(encoding="utf-8").replace("lower bound", "")
    assert run("regret", *arguments, "--bounds").exit_code == 0
    assert drawn.keys() == {"UCB1", "KL-UCB(c=3)"}
    # Gap 0.1 after 500 rounds.
    assert drawn["UCB1"][-1] == pytest.approx(80 * math.log(500) + 0.1 * (1 + math.pi**2 / 3))
    assert "bound of UCB1" in figure.read_text(encoding="utf-8")
    drawn.clear()
    done = run(
        "regret", "ucb1", "--bandit", "poisson:1,2", "--horizon", 50, "--replicates", 5, "--bounds", "-o", figure
    )
    assert done.exit_code == 0
    assert drawn == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["regret"], "Missing argument 'POLICY...'"),
        (["regret", "ucb1", "--workers", "0"], "0 is not in the range x>=1"),
        (["regret", "ucb1", "--horizon", "long"], "'long' is not a valid float"),
    ],
)
def test_usage(arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_orders_of_voters_are_a_game(tmp_path):
    header = "".join(f"# ALTERNATIVE NAME {i}: {name}\n" for i, name in enumerate("xyz", 1))
    orders = tmp_path / "votes.soc"
    orders.write_text(
        f"# NUMBER ALTERNATIVES: 3\n# NUMBER VOTERS: 9\n# NUMBER UNIQUE ORDERS: 3\n{header}4: 1,2,3\n3: 2,3,1\n2: 3,1,2\n",
        encoding="utf-8",
    )
    done = run("verify", "nash-mp/kl", "--game", orders, "--beta", 0.2, "-o", tmp_path / "out")
    assert "1 HOLDS" in done.stdout


def test_race(wins, tmp_path):
    done = run("race", "--game", wins, "--beta", 0.1, "--queries", 500, "-o", tmp_path / "race.svg")
    assert done.exit_code == 0
    assert "queries to 1e-06" in done.stdout
    rows = {line[:31].strip(): line for line in done.stdout.splitlines()}
    contest = rl.race(rl.PreferenceGame.from_csv(wins), beta=0.1)
    expected = [str(contest.queries_to(gap, at_most=500)["Nash mirror prox"]) for gap in (1e-2, 1e-4, 1e-6)]
    assert rows["Nash mirror prox"].split()[3:6] == expected
    assert (tmp_path / "race.svg").stat().st_size > 10_000
    raw = run("race", "--game", wins, "--beta", 0, "--queries", 100)
    assert "SPO, average" in raw.stdout


def test_reference_from_a_file(wins, tmp_path):
    (tmp_path / "reference.txt").write_text("0.5\n0.3\n0.2\n", encoding="utf-8")
    arguments = ("verify", "nash-mp/kl", "--game", wins, "--beta", 0.2, "-o", tmp_path / "out", "--reference")
    assert run(*arguments, tmp_path / "reference.txt").exit_code == 0


def test_recorded_games_go_by_name(tmp_path):
    done = run("verify", "nash-mp/kl", "--game", "dice_grime_5", "--beta", 0.1, "-o", tmp_path)
    assert done.exit_code == 0
    assert "dice_grime_5, beta = 0.1" in done.stdout


def test_default_settings_and_several_names(tmp_path):
    done = run("verify", "nash-mp/kl", "nash-mp", "nash-mp/kl", "-o", tmp_path, "--workers", 1)
    assert done.exit_code == 0
    rows = [line for line in done.stdout.splitlines() if line.startswith("nash-mp/kl ")]
    assert len(rows) == 1
    assert "HOLDS 18/18" in rows[0]


def test_every_setting_on_request(tmp_path):
    done = run("verify", "nash-mp/kl", "-o", tmp_path, "--all-settings")
    assert done.stdout.count("nash-mp/kl ") == 18


def test_exit_code_3_where_nothing_applies(wins, tmp_path):
    done = run("verify", "nash-mp/kl", "--game", wins, "--beta", 0.1, "--step", 9, "-o", tmp_path)
    assert done.exit_code == 3
    assert "NOT_APPLICABLE" in done.stdout
    assert "the hypothesis 0 < \\gamma" in done.stdout


def test_exit_code_1_where_refuted(wins, tmp_path, monkeypatch):
    from dataclasses import replace

    from rltheory import theorems

    kl = theorems.catalogue()["nash-mp/kl"]
    wrong = replace(kl, run=kl.controls["payoffs ignored"])
    monkeypatch.setattr(theorems, "find", lambda name: [wrong])
    done = run("verify", "nash-mp/kl", "--game", wins, "--beta", 0.1, "-o", tmp_path)
    assert done.exit_code == 1
    assert "REFUTED" in done.stdout
    assert "is above the bound" in done.stdout


OWN = """
from dataclasses import dataclass
import numpy as np
import rltheory as rl
from rltheory.theory import InExpectation, Paper, Standing, Theorem


@dataclass(frozen=True)
class Setting:
    bias: float


def toss(s, rng):
    return rl.Trace("coin", np.arange(1), {"heads": (("time",), (rng.random(1) < s.bias).astype(float))}, "toss")


FAIR = Theorem(
    name="mine/coin",
    title="A coin falls on its head half of the time at most",
    paper=Paper("gardner1970", "nowhere"),
    standing=Standing.CLAIMED,
    statement=r"\\mathbb{E} X \\le 1/2",
    symbols="$X$: heads",
    kind=InExpectation(rounding=lambda s: 0.0, low=lambda s: 0.0, high=lambda s: 1.0),
    hypotheses={},
    run=toss,
    measured=lambda s, trace: trace["heads"],
    bound=lambda s, trace: BOUND,
    settings=lambda: [Setting(0.2), Setting(BIAS)],
    controls={},
)
"""


@pytest.fixture
def own(tmp_path):
    def written(*, bias=0.3, bound="0.5"):
        path = tmp_path / "my_theorem.py"
        path.write_text(OWN.replace("BIAS", str(bias)).replace("BOUND", bound), encoding="utf-8")
        return path

    return written


def test_theorems_of_ones_own_file(own, tmp_path):
    done = run("verify", own(), "-o", tmp_path / "out", "--all-settings")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("mine/coin") == 2
    assert "HOLDS errs with probability 0.05 at most, REFUTED with 1e-06" in done.stdout


def test_exit_codes_of_claims_about_chance(own, tmp_path):
    out = tmp_path / "out"
    assert run("verify", own(bias=0.9), "-o", out).exit_code == 1
    undecided = run("verify", own(bias=0.5), "-o", out, "--budget", 100)
    assert undecided.exit_code == 3
    assert "after 100 replicates" in undecided.stdout


RECALLED = """
from dataclasses import dataclass
import numpy as np
import rltheory as rl
from rltheory.theory import EveryStep, Geometric, Standing, Theorem


@dataclass(frozen=True)
class Setting:
    factor: float


def decay(s, rng):
    times = np.arange(60)
    return rl.Trace("decay", times, {"value": (("time",), s.factor**times)})


SLOW = Theorem(
    name="mine/decay",
    standing=Standing.RECALLED,
    statement="x_t = O(0.8^t)",
    kind=EveryStep(rounding=lambda s: 0.0),
    run=decay,
    measured=lambda s, trace: trace["value"],
    bound=lambda s, trace: 0.001 * 0.8**trace.times,
    rate=Geometric(lambda s: 0.8),
    settings=lambda: [Setting(0.8), Setting(FACTOR)],
)
"""


@pytest.mark.parametrize(("factor", "code", "status"), [(0.5, 0, "HOLDS"), (0.9, 1, "REFUTED")])
def test_recalled_constants_are_judged_by_their_rate(factor, code, status, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(RECALLED.replace("FACTOR", str(factor)), encoding="utf-8")
    done = run("verify", path, "-o", tmp_path / "out", "--all-settings")
    assert done.exit_code == code
    rows = [line for line in done.stdout.splitlines() if "rate only: constants recalled" in line]
    assert len(rows) == 3  # a line under each status, and the summary
    assert f"{status} (rate only: constants recalled)" in rows[-1]
    assert run("report", tmp_path / "out" / "verdicts.npz", "-o", tmp_path / "again").exit_code == code
    assert "Verdicts are on its rate only." in run("show", path).stdout
    refused = run("falsify", path, "-o", tmp_path / "worst")
    assert refused.exit_code == 2
    assert (
        refused.stderr
        == "rltheory: mine/decay has recalled constants, and so no bound to break; verify judges its rate\n"
    )


def test_stored_verdicts_are_judged_again(own, tmp_path):
    run("verify", own(), "-o", tmp_path / "out")
    stored = tmp_path / "out" / "verdicts.npz"
    again = run("report", stored, "-o", tmp_path / "again")
    assert again.exit_code == 0
    for name in ("index.html", "verdicts.json", "verdicts.npz"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    strict = run("report", stored, stored, "-o", tmp_path / "strict", "--hold", 1e-12, "--refute", 1e-12)
    assert strict.exit_code == 3
    assert "4 UNDECIDED" in strict.stdout


def test_broken_theorems_end_with_exit_code_2_and_hide_nothing(own, tmp_path):
    done = run("verify", own(bound="1 / 0"), "nash-mp/kl", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "BROKEN" in done.stdout
    assert "its bound side failed (ZeroDivisionError: division by zero)" in done.stdout
    assert "HOLDS 18/18" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "defines no Theorem"),
        ("x = 1\ny = 1 / 0\n", "ZeroDivisionError: division by zero (in"),
        ("def f(:\n", "SyntaxError"),
    ],
)
def test_files_without_theorems_are_named(text, message, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    done = run("verify", path, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert message in done.stderr
    assert str(path) in done.stderr
    assert not (tmp_path / "out").exists()


def test_worst_settings_are_stored_and_replayed(tmp_path):
    found = run("falsify", "nash-mp/kl", "nash-mp/half-iterate", "--evaluations", 70, "-o", tmp_path / "worst")
    assert found.exit_code == 0, found.stderr
    tightness = [verdict["tightness"] for verdict in stored_verdicts(tmp_path / "worst")]
    files = sorted((tmp_path / "worst").glob("nash-mp*.json"), key=lambda path: path.stem != "nash-mp-kl")
    assert [path.name for path in files] == ["nash-mp-kl.json", "nash-mp-half-iterate.json"]
    again = run("verify", *files, "-o", tmp_path / "again")
    assert again.exit_code == 0, again.stderr
    assert [verdict["tightness"] for verdict in stored_verdicts(tmp_path / "again")] == tightness


def stored_verdicts(folder):
    return json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))["verdicts"]


def test_theorems_without_a_strategy_are_named(own, tmp_path):
    done = run("falsify", own(), "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "mine/coin has no strategy to draw settings from" in done.stderr
    assert not (tmp_path / "out").exists()


def test_theorems_of_a_group_that_cannot_be_searched_are_left_out(tmp_path):
    done = run("falsify", "sqirl", "--evaluations", 2, "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.startswith("rltheory: left out: sqirl/rate has recalled constants, and so no bound to break")
    assert {path.stem for path in tmp_path.glob("sqirl-*.json")} == {
        "sqirl-errors",
        "sqirl-loss",
        "sqirl-table-errors",
        "sqirl-table-loss",
    }


def test_verify_without_names_judges_all_groups_as_each_alone(tmp_path, monkeypatch):
    groups = {name: rl.find(name) for name in ("proximal-point", "spo", "gorp")}
    monkeypatch.setattr("rltheory.theorems.everything.subjects", lambda: [Subject("few", "Few", "A few.", groups)])
    assert run("verify", "-o", tmp_path / "out").exit_code == 0
    together, alone = load_verdicts(tmp_path / "out" / "verdicts.npz"), rl.verify([*chain(*groups.values())])
    for mine, other in zip(together, alone, strict=True):
        assert str(mine) == str(other)
        assert mine.observation.samples.tobytes() == other.observation.samples.tobytes()


def test_list_show_and_cite():
    assert "nash-mp/span" in run("list").stdout
    assert "Preference games" in run("list").stdout
    assert "regularized-game" not in run("list", "nash-mp").stdout
    shown = run("show", "nash-mp/kl").stdout
    assert "\\mathrm{KL}(\\pi^* \\| \\pi_k) \\le (1 + \\gamma \\beta)^{-k}" in shown
    assert "Tiapkin et al. (2025)" in shown
    assert run("cite", "nash-mp").stdout.startswith("@misc{tiapkin2025,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "nash-pm"], "no theorem or group is called 'nash-pm'; the nearest names are"),
        (["show", "kl"], "no theorem or group is called 'kl'"),
        (["cite", "nothing"], "no theorem or group is called 'nothing'"),
        (["list", "nothing"], "no theorem or group is called 'nothing'"),
        (["verify", "--beta", "0.1"], "--beta goes with --game"),
        (["verify", "--reference", "1"], "--reference goes with --game"),
        (["race", "--game", "nowhere.csv"], "nowhere.csv: No such file"),
        (["race", "--beta", "-1"], "beta is -1.0"),
        (["race", "-o", "race.docx"], "a figure's file ends in .svg, .pdf or .png"),
        (["regret", "ucb2"], "no policy is called 'ucb2'; did you mean ucb, ucb1, ucb-v?"),
        (["regret", "ucb:1"], "delta is 1"),
        (["regret", "ucb1", "--bandit", "bernoulli:0.5,2"], "means[1] is 2; it must be in [0, 1]"),
        (["regret", "ucb1", "--bandit", "bernoulli:0.5"], "has 1 arms; it must have at least 2"),
        (["regret", "ucb1", "--bandit", "bernoulli:-0.1,0.5"], "means[0] is -0.1; it must be in [0, 1]"),
        (["regret", "ucb1", "--bandit", "bernoulli:nan,0.5"], "means[0] is nan; every entry must be finite"),
        (["regret", "ucb1", "--bandit", "poisson:1,0"], "means[1] is 0; it must be in (0, 1e+06]"),
        (["regret", "ucb1", "--bandit", "bernoulli"], "'bernoulli': mean 1, '', is not a number"),
        (["regret", "ucb1", "--bandit", "cauchy:1,2"], "the law 'cauchy' is unknown; write bernoulli, gaussian, poisson"),
        (["regret", "thompson", "--bandit", "gaussian:0,1"], "Thompson takes rewards in [0.0, 1.0]"),
        (["regret", "KL_UCB"], "no policy is called 'KL_UCB'; did you mean kl-ucb, ucb, ucb1?"),
        (["regret", "zzz"], "no policy is called 'zzz'; there are anytime-moss, asymptotic-ucb, "),
        (["regret", "epsilon-greedy"], "missing a required argument: 'epsilon'"),
        (["regret", "ucb1:alpha=1,alpha=2"], "alpha is given twice"),
        (["regret", "ucb1", "--horizon", "-5"], "horizon is -5; it must be >= 0"),
        (["regret", "ucb1", "--horizon", "nan"], "--horizon is nan; it must be an integer"),
        (["regret", "ucb1", "--bandit", "bernoulli:0.1,0.2,0.3", "--horizon", "2"], "number of arms, 3"),
        (["regret", "ucb1", "--replicates", "0"], "replicates is 0; it must be >= 1"),
        (["regret", "ucb1", "--replicates", "2.5"], "--replicates is 2.5; it must be an integer"),
        (["regret", "ucb1", "--bounds"], "--bounds needs --output, the file of the figure"),
        (["regret", "ucb1", "--linear"], "--linear needs --output, the file of the figure"),
        (["regret", "ucb1", "--horizon", "1"], "horizon is 1; it must be at least the number of arms, 2"),
        (["regret", "ucb1", "--horizon", "1.5"], "--horizon is 1.5; it must be an integer"),
        (["regret", "ucb1", "ucb1"], "two policies are called 'UCB1'"),
        (["regret", "ucb1", "-o", "regret.docx"], "a figure's file ends in .svg, .pdf or .png"),
        (["verify", "--game", "WINS"], "--game needs --beta, the temperature"),
        (["verify", "--game", "WINS", "--beta", "0"], "beta is 0.0; it must be finite and > 0"),
        (["verify", "--game", "WINS", "--beta", "-1"], "beta is -1.0; it must be finite and > 0"),
        (["verify", "--game", "WINS", "--beta", "nan"], "beta is nan; it must be finite and > 0"),
        (["verify", "--game", "WINS", "--beta", "1", "--step", "0"], "step is 0.0; it must be finite and > 0"),
        (["verify", "--game", "WINS", "--beta", "1", "--reference", "1,0,0"], "reference[1] is 0.0; every probability"),
        (["verify", "--game", "WINS", "--beta", "1", "--reference", "0.5,0.5"], "reference has 2 entries; the game has 3"),
        (["verify", "--game", "WINS", "--beta", "1", "--reference", "0.5,x"], "--reference: entry 2, 'x', is not a number"),
        (["verify", "absent.py"], "absent.py: No such file or directory"),
        (["verify", "--hold", "2"], "the level hold is 2.0; it must lie strictly between 0 and 1"),
        (["verify", "absent.json"], "absent.json: No such file or directory"),
        (["report", "absent.npz"], "absent.npz: No such file or directory"),
        (["report", "absent.npz", "--hold", "0.1"], "--hold and --refute go together"),
        (["verify", "--game", "absent.csv", "--beta", "1"], "absent.csv: No such file or directory"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(wins, tmp_path, arguments, message):
    output = tmp_path / "out"
    target = ["-o", output] if arguments[0] in ("verify", "report") else []
    done = run(*(wins if word == "WINS" else word for word in arguments), *target)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("rltheory: ")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not output.exists()


def test_words_that_are_no_numbers_are_usage_errors(wins, tmp_path):
    done = run("verify", "--game", wins, "--beta", "warm", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "'warm' is not a valid float" in done.stderr


@given(rows=st.lists(st.lists(st.sampled_from(["0.5", "0.7", "nan", "x", "", "-1", "2"]), max_size=3), max_size=4))
@settings(max_examples=500)
def test_malformed_games_write_nothing(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("malformed")
    (folder / "game.csv").write_text("\n".join(",".join(row) for row in rows) + "\nnan", encoding="utf-8")
    done = run("verify", "nash-mp", "--game", folder / "game.csv", "--beta", 0.1, "-o", folder / "out")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"rltheory: {folder / 'game.csv'}: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "out").exists()


def test_output_that_can_not_be_written_is_named(wins, tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder", encoding="utf-8")
    done = run("verify", "nash-mp/kl", "--game", wins, "--beta", 0.1, "-o", tmp_path / "taken" / "out")
    assert done.exit_code == 2
    assert "Not a directory" in done.stderr
