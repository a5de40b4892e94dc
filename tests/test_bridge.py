"""Files of BRIDGE: published analyses to the last bit, what else the format allows, and what is refused."""

import json
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rltheory.cli import main
from rltheory.problems import DeterministicMDP, FiniteHorizonMDP, read_bridge, read_exploration_policy, sticky
from rltheory.simulation import stream
from rltheory.solvers import (
    Closure,
    analyze_horizon,
    analyze_sticky,
    gorp_bounds,
    k_gaps,
    reachable_states,
    reference_values,
    return_distributions,
)

DATA = Path(__file__).parent / "data" / "bridge"
FREEWAY, MAZE, EMPTY = "freeway_10_fs30", "maze_easy_l0_30_fs1", "MiniGrid-Empty-16x16-DistanceShaped-v0"
HORIZONS = {FREEWAY: 10, MAZE: 30, EMPTY: 100}
TABLES = {
    "transitions": np.array([[1, -1], [1, 0]]),
    "rewards": np.array([[0, 0.5], [0, 1]], dtype=np.float32),
}


def published(name, file):
    return json.loads((DATA / name / file).read_text(encoding="utf-8"))


def process(name):
    return FiniteHorizonMDP.stationary(read_bridge(DATA / name / "consolidated.npz"), HORIZONS[name])


def analysis(name):
    problem = process(name)
    return analyze_horizon(problem, end=problem.states - 1)


@pytest.mark.parametrize("name", [FREEWAY, MAZE])
def test_published_analyses_to_the_last_bit(name):
    found, truth = analysis(name).as_json(), published(name, "consolidated_analyzed.json")
    assert {key: found[key] for key in truth} == truth
    assert found.keys() - truth.keys() == {"optimal_return", "random_return", "worst_return"}


@pytest.mark.parametrize(("name", "random"), [(FREEWAY, 0.009026401801893343), (MAZE, 6.095543214701177)])
def test_published_returns(name, random):
    assert analysis(name).random_return == random


@pytest.mark.parametrize("name", [FREEWAY, MAZE])
def test_published_sticky_analyses_to_the_last_bit(name):
    found = analyze_sticky(process(name), 0.25).as_json()
    assert found == published(name, "consolidated_analyzed_sticky_0.25.json")


def test_recomputed_analysis():
    """Of a process with negative rewards, whose safe closure is solvable for k = 1, 13 and 14 only."""
    found, truth = analysis(EMPTY).as_json(), published(EMPTY, "recomputed.json")
    common = found.keys() & truth.keys() - {"effective_horizon_results"}
    assert len(common) == 7
    assert {key: found[key] for key in common} == {key: truth[key] for key in common}
    results = found["effective_horizon_results"]
    assert {key: results[key] for key in truth["effective_horizon_results"]} == truth["effective_horizon_results"]
    assert reachable_states(process(EMPTY)).any(axis=0).sum() == truth["states_reachable_within_horizon_incl_terminal"]
    moved = analyze_sticky(process(EMPTY), 0.25).as_json()
    assert {key: moved[key] for key in truth["sticky_0.25"]} == truth["sticky_0.25"]
    problem = process(EMPTY)
    gaps = k_gaps(problem, reference_values(problem), Closure.GREEDY)
    assert all(gap > 0 for gap, _ in zip(gaps, range(20), strict=False))


@pytest.mark.parametrize(
    ("name", "closure", "gaps", "horizons"),
    [
        (FREEWAY, Closure.SAFE, [0.0592193603515625, 0.099609375, 0.029296875], [6.1456, 6.1989, 9.4268]),
        (FREEWAY, Closure.REACHABLE, [0.0051727], [10.58]),
        (MAZE, Closure.SAFE, [0.0026041667, 0.0078125, 0.0234375], [6.4165, 6.4165, 6.4165]),
    ],
)
def test_gaps_with_sticky_actions(name, closure, gaps, horizons):
    """Figures of another program, printed with some of their digits."""
    found = analyze_sticky(process(name), 0.25).horizons[closure]
    np.testing.assert_allclose(found.gaps[: len(gaps)], gaps, rtol=0, atol=5e-8)
    np.testing.assert_allclose(found.horizons[: len(horizons)], horizons, rtol=0, atol=5e-3)


@pytest.mark.parametrize(("name", "by_least", "by_all"), [(FREEWAY, 139257, 71186), (MAZE, 165012, 58131)])
def test_covering_lengths(name, by_least, by_all):
    found = analysis(name)
    assert found.covering_length == by_least
    assert found.covering_episodes == by_all
    # Nothing is met twice in most episodes: the union bound needs no visits here, but sums of occupancies.
    assert by_all < by_least < by_all * 3


def test_rows_of_large_processes_leave_visits_out():
    """Ten thousand choices and a hundred stages: visits are not computed, all else is."""
    rng, states = stream(0, "test", "large process"), 5000
    successors = np.minimum(np.arange(states)[:, None] + rng.integers(1, 60, (states, 2)), states - 1)
    mdp = DeterministicMDP(successors, rng.integers(0, 2, (states, 2)), initial=np.eye(1, states)[0])
    found = analyze_horizon(FiniteHorizonMDP.stationary(mdp, 60), end=states - 1)
    assert found.covering_episodes is None
    assert "covering, union bound" not in found.log10_timesteps


def write(folder, tables):
    path = folder / "consolidated.npz"
    np.savez_compressed(path, **tables)
    return path


def test_end_and_start(tmp_path):
    mdp = read_bridge(write(tmp_path, TABLES))
    np.testing.assert_array_equal(mdp.successors.reshape(-1, 2), [[1, 2], [1, 0], [2, 2]])
    np.testing.assert_array_equal(mdp.rewards, [0, 0.5, 0, 1, 0, 0])
    np.testing.assert_array_equal(mdp.initial, [1, 0, 0])
    assert mdp.state_names == ("0", "1", "end")
    assert mdp.title == tmp_path.name


def test_layout_and_other_arrays_do_not_matter(tmp_path):
    """Frame-stacked files have stacks for screens, and tell the state of each."""
    plain = read_bridge(write(tmp_path, TABLES))
    fortran = {name: np.asfortranarray(array) for name, array in TABLES.items()}
    stacked = {
        "screens": np.zeros((3, 4, 4, 3), dtype=np.uint8),
        "screen_mapping": np.array([[0, 0, 0, 1], [0, 1, 2, 1]]),
        "prev_state_mapping": np.array([0, 0]),
    }
    serialised = {"states": np.zeros((2, 9), dtype=np.uint8), "state_lengths": np.array([9, 4])}
    narrow = {"transitions": TABLES["transitions"].astype(np.int32), "screen_mapping": np.array([0, 1])}
    for tables in (fortran, TABLES | stacked, TABLES | serialised, TABLES | narrow):
        assert read_bridge(write(tmp_path, tables)) == plain


def test_rewards_keep_the_bits_of_float32(tmp_path):
    tenths = TABLES | {"rewards": np.full((2, 2), 0.1, dtype=np.float32)}
    assert read_bridge(write(tmp_path, tenths)).rewards[0] == float(np.float32(0.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transitions": [[1, 2], [1, 0]]}, r"transitions\[0, 1\] is 2; it must be a state, 0 to 1, or -1 for the end"),
        ({"transitions": [[1, -1], [-2, 0]]}, r"transitions\[1, 0\] is -2; it must be a state"),
        ({"transitions": [[1.0, -1.0], [1.0, 0.0]]}, "transitions has type float64"),
        ({"transitions": [1, 0]}, r"transitions has type int64 and shape \(2,\)"),
        ({"rewards": [[0, 1, 2], [0, 1, 2]]}, r"rewards has shape \(2, 3\); it must be \(2, 2\)"),
        ({"rewards": [[0, np.nan], [0, 1]]}, r"rewards\[0, 1\] is nan; every reward must be finite"),
        ({"rewards": [[0, 0], [np.inf, 1]]}, r"rewards\[1, 0\] is inf"),
        ({"screen_mapping": [0, -1]}, r"screen_mapping\[1\] is -1; only transitions may hold -1"),
        ({"prev_state_mapping": [-1, 0]}, r"prev_state_mapping\[0\] is -1"),
        ({"screen_mapping": [0, 1, 2]}, r"screen_mapping has type int64 and shape \(3,\); expected 2 integers"),
        ({"rewards": None}, "there is no array 'rewards'"),
        ({"transitions": np.array([{}], dtype=object)}, "not a complete NumPy archive"),
    ],
)
def test_wrong_files_are_named(tmp_path, change, message):
    tables = {name: array for name, array in (TABLES | change).items() if array is not None}
    path = write(tmp_path, tables)
    with pytest.raises(ValueError, match=message) as caught:
        read_bridge(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-200])


def damaged(path):
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)


def empty(path):
    path.write_bytes(b"")


def foreign(path):
    path.write_text("no archive", encoding="utf-8")


def single(path):
    with path.open("wb") as file:
        np.save(file, TABLES["transitions"])


def without_header(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("transitions.npy", b"\x93NUMPY")


@pytest.mark.parametrize("damage", [truncated, damaged, empty, foreign, single, without_header])
def test_damaged_files_take_one_line(tmp_path, damage):
    path = write(tmp_path, TABLES)
    damage(path)
    done = run("analyze", path, "--horizon", 3, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"rltheory: {path}: ")
    assert done.stderr.count("\n") == 1


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_exploration_policies(tmp_path):
    """The uniform policy as a file of 24 bits is the uniform policy up to those bits."""
    problem = process(MAZE)
    path = tmp_path / "exploration_policy.npy"
    np.save(path, np.full((30, 244, 9), 1 / 9, dtype=np.float32))
    policy = read_exploration_policy(path, problem)
    assert policy[0, 0] == float(np.float32(1 / 9))
    found, plain = analyze_horizon(problem, policy, end=243), analysis(MAZE)
    assert found.random_return == pytest.approx(plain.random_return, rel=1e-6)
    assert found.min_k == plain.min_k
    assert found.occupancies.state_action == pytest.approx(plain.occupancies.state_action, rel=1e-6)
    exactly = analyze_horizon(problem, np.full(problem.choices, 1 / 9), end=243)
    assert exactly.simple.ms == plain.simple.ms
    np.testing.assert_allclose(exactly.simple.variances, plain.simple.variances, rtol=1e-12)
    done = run("analyze", DATA / MAZE / "consolidated.npz", "--horizon", 30, "--policy", path, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert json.loads((tmp_path / "out" / "analysis.json").read_text(encoding="utf-8")) == found.as_json()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((9, 198, 3), 1 / 3), r"has shape \(9, 198, 3\); a policy over 10 steps, for 198 states with the end"),
        (np.full((10, 197, 3), 1 / 3), r"has shape \(10, 197, 3\)"),
        (np.full((10, 198, 3), 0.3), "policy sums to 0.9 in state 0 at stage 0; expected 1 within 1e-06"),
        (np.full((10, 198, 3), np.nan), r"policy\[0, 0\] is nan"),
        (np.array([None]), "not a complete NumPy array"),
    ],
)
def test_wrong_policies_are_named(tmp_path, array, message):
    path = tmp_path / "exploration_policy.npy"
    np.save(path, array)
    with pytest.raises(ValueError, match=message) as caught:
        read_exploration_policy(path, process(FREEWAY))
    assert str(caught.value).startswith(f"{path}: ")


def test_archive_in_place_of_a_policy(tmp_path):
    with pytest.raises(ValueError, match="has several arrays; a policy over 10 steps"):
        read_exploration_policy(write(tmp_path, TABLES), process(FREEWAY))


def test_policies_of_uneven_states_have_no_file(tmp_path):
    uneven = DeterministicMDP([[0, 1], [0, 0]], np.zeros((2, 2)), allowed=[[True, True], [True, False]])
    np.save(tmp_path / "policy.npy", np.ones((3, 2, 2)) / 2)
    with pytest.raises(ValueError, match="state 0 has 2 choices and state 1 has 1"):
        read_exploration_policy(tmp_path / "policy.npy", FiniteHorizonMDP.stationary(uneven, 3))


def test_analyze_prints_and_writes(tmp_path):
    file = DATA / FREEWAY / "consolidated.npz"
    done = run("analyze", file, "--horizon", 10, "--sticky", 0.25, "--gorp", 2, "--distributions", "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    rows = {line[:45].strip(): line.split()[-1] for line in done.stdout.splitlines()}
    assert rows["states"] == "322"
    assert rows["effective horizon, the authors' formula"] == "8"
    assert rows["log10 of timesteps, optimism"] == "3.772321707"
    truth = published(FREEWAY, "consolidated_analyzed.json")
    stored = json.loads((tmp_path / "analysis.json").read_text(encoding="utf-8"))
    assert {key: stored[key] for key in truth} == truth
    assert '"gaps": [' in (tmp_path / "analysis.json").read_text(encoding="utf-8")
    sticky_truth = published(FREEWAY, "consolidated_analyzed_sticky_0.25.json")
    assert json.loads((tmp_path / "analysis_sticky.json").read_text(encoding="utf-8")) == sticky_truth
    assert rows["episodes of GORP, k = 1, certified"] == "38"
    assert rows["episodes of GORP, k = 1, published formula"] == "37"
    bounds, truth = (
        json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        for path in (tmp_path / "gorp_bounds_published.json", DATA / FREEWAY / "consolidated_gorp_bounds.json")
    )
    assert bounds["sample_complexity"] == truth["sample_complexity"] == 11100
    for found, expected in [
        (bounds, truth),
        *((bounds["k_results"][k], truth["k_results"][k]) for k in truth["k_results"]),
    ]:
        assert found.keys() == expected.keys()
        assert found["sample_complexity"] == expected["sample_complexity"]
        assert abs(found["effective_horizon"] - expected["effective_horizon"]) < Decimal("1e-76")
    for timestep in (1, 5):
        law = np.load(DATA / FREEWAY / f"consolidated_analyzed_value_dists_{timestep}.npy")
        np.testing.assert_array_equal(np.load(tmp_path / f"value_dists_{timestep}.npy"), law)
    assert (tmp_path / "index.html").read_text(encoding="utf-8").count("<svg") == 6


def test_exploration_policies_go_with_sticky_actions(tmp_path):
    """Laws, bounds and sticky values are those of the policy in the file, action by action."""
    write(tmp_path, TABLES)
    np.save(tmp_path / "policy.npy", np.tile(np.array([0.75, 0.25], dtype=np.float32), (3, 3, 1)))
    file, policy = tmp_path / "consolidated.npz", tmp_path / "policy.npy"
    options = ["--horizon", 3, "--sticky", 0.5, "--policy", policy, "--gorp", 1, "--distributions", "-o", tmp_path]
    done = run("analyze", file, *options)
    assert done.exit_code == 0, done.stderr
    stored = json.loads((tmp_path / "analysis_sticky.json").read_text(encoding="utf-8"))
    problem = FiniteHorizonMDP.stationary(read_bridge(file), 3)
    chances = read_exploration_policy(policy, problem)
    assert stored["random_return"] == analyze_sticky(problem, 0.5, chances).random_return
    assert stored["random_return"] != analyze_sticky(problem, 0.5).random_return
    law = return_distributions(problem, chances).laws[0]
    np.testing.assert_array_equal(np.load(tmp_path / "value_dists_1.npy"), law)
    bounds = json.loads((tmp_path / "gorp_bounds.json").read_text(encoding="utf-8"))
    assert bounds["sample_complexity"] == gorp_bounds(problem, policy=chances)[0].sample_complexity


@pytest.mark.parametrize(
    ("tables", "row"),
    [
        ({"transitions": [[1, 2], [-1, -1], [-1, -1]], "rewards": [[1, 0], [0, 0], [0, 2]]}, "inf"),
        ({"transitions": [[1], [-1]], "rewards": [[1], [0.5]]}, "1"),
    ],
)
def test_processes_without_a_bound_or_a_choice(tmp_path, tables, row):
    """Two arms of mean 1, the second of which alone may bring 2; and a process with a single action."""
    file = write(tmp_path, tables)
    done = run("analyze", file, "--horizon", 2, "--sticky", 0.25, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    rows = {line[:45].strip(): line.split()[-1] for line in done.stdout.splitlines()}
    assert rows["episodes of GORP, k = 1, certified"] == row
    stored = json.loads((tmp_path / "out" / "gorp_bounds.json").read_text(encoding="utf-8"))
    assert (stored["sample_complexity"] is None) == (row == "inf")


def test_gorp_is_left_out_of_large_processes_unless_asked_for(tmp_path):
    write(tmp_path, TABLES)
    done = run("analyze", tmp_path / "consolidated.npz", "--horizon", 40_000, "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert done.stderr == "rltheory: so large a process takes minutes to bound GORP; ask for it by --gorp 1\n"
    assert not (tmp_path / "gorp_bounds.json").exists()


def test_the_analysis_shown_in_the_documentation_is_what_is_printed(tmp_path):
    page = (DATA.parents[2] / "docs" / "effective_horizon.md").read_text(encoding="utf-8")
    command, *shown = page.partition("```console\n$ ")[2].partition("\n```")[0].splitlines()
    assert command.split()[:2] == ["rltheory", "analyze"]
    done = run("analyze", DATA / command.split()[2], *command.split()[3:], "-o", tmp_path)
    printed = [line.split() for line in done.stdout.splitlines()]
    assert len(shown) > 10
    assert [line for line in shown if line.split() not in printed] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "the file does not hold the horizon; give it with --horizon"),
        (["--horizon", 10, "--gorp", 20], "ks[12] is 13; 3**13 sequences are more than 1000000"),
        (["--horizon", 10, "--gorp", -1], "-1 is not in the range x>=0"),
        (["--horizon", 10, "--sticky", 1.5], "probability is 1.5; it must lie in [0, 1]"),
        (["--horizon", 10, "--policy", "missing.npy"], "missing.npy: No such file"),
        (["--horizon", 0], "0 is not in the range x>=1"),
    ],
)
def test_wrong_options_are_named(options, message):
    done = run("analyze", DATA / FREEWAY / "consolidated.npz", *options)
    assert done.exit_code == 2
    assert message in done.stderr


def test_sticky_copies_keep_their_names():
    (mdp,) = {*sticky(process(FREEWAY), 0.25).stages}
    assert mdp.title == FREEWAY
    assert mdp.state_names[0] == "0"
    assert mdp.choice_names[:3] == ("0", "1", "2")
    assert mdp.state_names[-1] == "end after 2"
