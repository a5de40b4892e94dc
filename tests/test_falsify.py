"""The search finds what breaks, respects hypotheses, repeats itself, and its files replay to the bit."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltheory import PreferenceGame, catalogue, find, verify
from rltheory.instances import river_swim
from rltheory.problems import FiniteHorizonMDP, SparseMDP, TabularMDP
from rltheory.simulation import fingerprint
from rltheory.strategies import adverse_games, betas, examples, skewed_policies
from rltheory.theorems.discounted.discounted_process import DiscountedProcess
from rltheory.theorems.games.tiapkin2025 import Setting, play_with_step_4
from rltheory.theory import Geometric, Standing, Status
from rltheory.theory.falsification import _Climber, _coordinates, _moved, _Search, falsify
from rltheory.theory.settings import load_setting, save_setting, setting_from_dict, setting_to_dict

SEARCHABLE = [theorem for theorem in catalogue().values() if theorem.strategy is not None]
# Theorems that share strategy and hypotheses draw and move alike.
DISTINCT = {(theorem.strategy, *theorem.hypotheses): theorem for theorem in SEARCHABLE}.values()
FOR_EACH = pytest.mark.parametrize("theorem", DISTINCT, ids=lambda theorem: theorem.name)


def curves(verdict):
    return tuple(getattr(verdict, side).tobytes() for side in ("measured", "bound", "ratio"))


def shrunk(name):
    (theorem,) = find(name)
    return replace(theorem, bound=lambda s, trace: 0.99 * theorem.bound(s, trace))


@FOR_EACH
@settings(max_examples=15)
@given(data=st.data())
def test_hypotheses_hold_for_drawn_settings(theorem, data):
    assert theorem.failed_hypothesis(data.draw(theorem.strategy())) is None


@FOR_EACH
def test_hypotheses_hold_for_improved_settings(theorem, monkeypatch):
    """Every setting that reaches the judge satisfies the hypotheses; most moves are worth judging."""
    judged = []

    def verify_nothing(theorem, *, settings):
        judged.extend(settings)
        ratios = [int(fingerprint(setting)[:8], 16) for setting in settings]
        return [SimpleNamespace(status=Status.HOLDS, tightness=ratio) for ratio in ratios]

    monkeypatch.setattr("rltheory.theory.falsification.verify", verify_nothing)
    finding = falsify(theorem, evaluations=150)
    movable = any(_coordinates(setting) for setting in judged)
    assert finding.improved > 40 or not movable
    assert [theorem.failed_hypothesis(setting) for setting in judged] == [None] * 151


@settings(max_examples=20)
@given(game=adverse_games(longest_cycle=9), beta=betas(0.05), data=st.data())
def test_moves_stay_in_the_box(game, beta, data):
    (theorem,) = find("nash-mp/one-step")
    policy = skewed_policies(game.n)
    search = _Search(theorem, seed=data.draw(st.integers(0, 99)))
    corners = Setting(game, beta, start=data.draw(policy)), Setting(game, beta / 2, data.draw(policy), step=1.0)
    search.admit(search.judge(list(corners)))
    climber = _Climber(search.waiting[0])
    for _ in range(5):
        if (move := search.move(climber)) is not None:
            moved = move.setting
            assert beta / 2 * (1 - 1e-12) <= moved.beta <= beta * (1 + 1e-12)
            assert 1 <= moved.step <= 2
            assert (moved.game.payoff == -moved.game.payoff.T).all()
            assert (moved.start is None) == (climber.top.setting.start is None)
            assert fingerprint(setting_from_dict(Setting, setting_to_dict(moved))) == fingerprint(moved)


@pytest.mark.parametrize(
    ("name", "least"), [("nash-mp/kl-one-step", 0.99), ("nash-mp/kl", 0.99), ("nash-mp/kl-from-reference", 0.8)]
)
def test_tight_settings_are_found(name, least):
    (theorem,) = find(name)
    finding = falsify(theorem, evaluations=200)
    assert finding.verdict.status is Status.HOLDS
    assert least < finding.ratio <= 1 + 1e-6
    assert finding.ratio == finding.history[-1] == finding.verdict.tightness
    assert (np.diff(finding.history) >= 0).all()
    assert finding.drawn + finding.improved == finding.evaluations == finding.history.size == 200
    assert name in str(finding)


@pytest.mark.parametrize(
    "name",
    [
        "nash-mp/one-step",
        "nash-mp/kl-one-step",
        "nash-mp/span-one-step",
        "regularized-game/exploitability-upper",
        "regularized-game/kl-by-span",
    ],
)
def test_a_bound_one_percent_too_small_is_refuted(name):
    finding = falsify(shrunk(name), evaluations=64)
    assert finding.verdict.status is Status.REFUTED
    assert 1 < finding.ratio < 1 / 0.98


def test_climbing_beats_drawing():
    """From default settings and draws alone, the ratio is lower."""
    (theorem,) = find("nash-mp/exploitability-half")
    finding = falsify(theorem, evaluations=200)
    assert finding.history[-1] > 1.2 * finding.history[63]


def test_a_step_too_large_is_refuted():
    (theorem,) = find("nash-mp/kl-one-step")
    wrong = replace(theorem, run=play_with_step_4)
    assert falsify(wrong, evaluations=20).verdict.status is Status.REFUTED


SEARCH = """
from rltheory import find
from rltheory.simulation import fingerprint
from rltheory.theory.falsification import falsify
finding = falsify(*find("nash-mp/kl-one-step"), evaluations=80, seed=3)
print(fingerprint(finding.setting), finding.history.tobytes().hex())
"""


def test_the_same_search_in_another_process(tmp_path):
    """Neither the order of hashes, nor what else is imported, nor the folder matters; nothing is left behind."""
    finding = falsify(*find("nash-mp/kl-one-step"), evaluations=80, seed=3)
    environment = os.environ | {"PYTHONHASHSEED": "5"}
    command = [sys.executable, "-c", SEARCH]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert done.stdout.split() == [fingerprint(finding.setting), finding.history.tobytes().hex()]
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_theorems_load_without_hypothesis():
    code = "import sys; from rltheory import catalogue; catalogue(); print('hypothesis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_time_decides_only_how_many_evaluations_there_are():
    (theorem,) = find("nash-mp/one-step")
    short = falsify(theorem, seconds=1e-3, seed=1)
    assert 1 <= short.evaluations < 64
    again = falsify(theorem, evaluations=short.evaluations, seed=1)
    longer = falsify(theorem, evaluations=short.evaluations + 3, seed=1)
    np.testing.assert_array_equal(again.history, short.history)
    np.testing.assert_array_equal(longer.history[: short.evaluations], short.history)
    assert fingerprint(again.setting) == fingerprint(short.setting)


def test_another_seed_is_another_search():
    theorem = replace(*find("nash-mp/half-iterate"), settings=list)
    first, second = (falsify(theorem, evaluations=10, seed=seed) for seed in (0, 1))
    assert first.ratio != second.ratio


def test_progress_is_told(capsys, monkeypatch):
    monkeypatch.setattr("rltheory.theory.falsification.SECONDS_BETWEEN_LINES", 0.0)
    falsify(*find("nash-mp/one-step"), evaluations=20, progress=True)
    captured = capsys.readouterr()
    assert "nash-mp/one-step: 20 settings, largest ratio" in captured.err
    assert captured.out == ""


def test_impossible_searches_are_refused():
    (theorem,) = find("nash-mp/one-step")
    with pytest.raises(ValueError, match="nash-mp/one-step has no strategy"):
        falsify(replace(theorem, strategy=None))
    (setting, *_) = theorem.settings()
    recalled = replace(theorem, standing=Standing.RECALLED, rate=Geometric(lambda s: 0.5))
    with pytest.raises(ValueError, match="nash-mp/one-step has recalled constants, and so no bound to break"):
        falsify(recalled)
    never = replace(theorem, strategy=lambda: st.just(setting), hypotheses={"never": lambda s: False})
    with pytest.raises(ValueError, match="yields nothing"):
        falsify(never, evaluations=10)
    with pytest.raises(ValueError, match="its bound side is nan"):
        falsify(replace(theorem, bound=lambda s, trace: np.full(trace.times.size, np.nan)), evaluations=10)
    for wrong in ({"seconds": 0}, {"evaluations": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            falsify(theorem, **wrong)


@pytest.mark.parametrize("name", ["nash-mp/kl-from-reference", "regularized-game/kl-by-span"])
def test_a_finding_replays_to_the_bit(name, tmp_path):
    (theorem,) = find(name)
    finding = falsify(theorem, evaluations=90)
    finding.save(tmp_path / "worst.json")
    stored_name, data = load_setting(tmp_path / "worst.json")
    assert stored_name == name
    (verdict,) = verify(theorem, settings=[setting_from_dict(theorem.setting_type, data)])
    assert curves(verdict) == curves(finding.verdict)
    assert str(verdict) == str(finding.verdict)


@pytest.mark.parametrize("form", [TabularMDP, SparseMDP])
def test_rewards_and_laws_of_processes_move(form):
    """Where they have to: what cannot be reached before is not reached after."""
    dense = river_swim(3)
    mdp = dense if form is TabularMDP else SparseMDP.from_tabular(dense)
    stages = FiniteHorizonMDP([mdp, mdp])
    at = _coordinates(stages)
    assert at.keys() == {f".stages.{stage}.{part}" for stage in (0, 1) for part in ("rewards", "laws")}
    laws = at[".stages.1.laws"] + np.linspace(0, 1, at[".stages.1.laws"].size)
    first, second = _moved(stages, {".stages.0.rewards": np.arange(6.0), ".stages.1.laws": laws}).stages
    assert type(second) is form
    assert first.rewards.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(second.rewards, dense.rewards)
    before = dense.transition_matrix
    after = second.transition_matrix if form is TabularMDP else second.transition_matrix.toarray()
    expected = np.zeros_like(before)
    expected[before > 0] = np.exp(laws)
    np.testing.assert_allclose(after, expected / expected.sum(axis=1, keepdims=True), atol=1e-15)
    assert not np.allclose(after, before)
    assert second.title == "near RiverSwim, 3 states"


@FOR_EACH
def test_settings_survive_as_data(theorem):
    for setting in [*theorem.settings(), *examples(theorem.strategy(), 5, seed=0)]:
        data = json.loads(json.dumps(setting_to_dict(setting)))
        assert fingerprint(setting_from_dict(type(setting), data)) == fingerprint(setting)


@dataclass(frozen=True)
class Inner:
    rate: float
    label: str = "plain"


@dataclass(frozen=True)
class Nested:
    inner: Inner
    horizons: tuple[int, ...]
    weights: np.ndarray
    pair: tuple[float, str] = (1.0, "a")
    other: Inner | None = None
    fair: bool = True
    anything: Any = "at all"


NESTED = Nested(Inner(0.1), (1, 10), np.array([[1, 2], [3, 4]]), other=Inner(1 / 3, "é"))


def test_nested_settings_survive_as_data():
    data = json.loads(json.dumps(setting_to_dict(NESTED)))
    again = setting_from_dict(Nested, data)
    assert fingerprint(again) == fingerprint(NESTED)
    assert type(again.horizons) is tuple
    assert again.weights.dtype == np.int64


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"inner": None}, "inner is None; it must be of type Inner"),
        ({"inner": 3}, "inner is 3; it must be of type Inner"),
        ({"inner": {"rate": "high"}}, "inner.rate is 'high'; it must be of type float"),
        ({"inner": {"rate": True}}, "inner.rate is True; it must be of type float"),
        ({"inner": {"rate": [1.0]}}, r"inner.rate is \[1.0\]; it must be of type float"),
        ({"inner": {"rat": 1.0}}, "inner has no field 'rat'; the fields of Inner are rate, label"),
        ({"inner": {}}, "inner lacks the field 'rate'"),
        ({"extra": 1}, "the setting has no field 'extra'"),
        ({"horizons": [1, 2.5]}, r"horizons\[1\] is 2.5; it must be of type int"),
        ({"pair": [1.0]}, "pair has 1 entries; it must have 2"),
        ({"weights": [[1, 2], [3]]}, "weights must be a rectangular array of numbers"),
        ({"weights": ["a"]}, r"weights is \['a'\]; it must be an array of numbers"),
        ({"weights": []}, r"weights is \[\]; it must be an array of numbers, not empty"),
        ({"weights": {"a": 1}}, "weights is {'a': 1}; it must be of type array"),
        ({"other": 2}, "other is 2; it must be of type Inner or null"),
    ],
)
def test_wrong_fields_are_named(change, rule):
    with pytest.raises(ValueError, match=rule):
        setting_from_dict(Nested, setting_to_dict(NESTED) | change)


def test_the_constructor_has_the_last_word():
    data = setting_to_dict(Setting(PreferenceGame.indifferent(2), 0.1))
    for change, rule in (
        ({"beta": -1.0}, "beta is -1.0; it must be finite and > 0"),
        ({"reference": [0.5, 0.6]}, "reference sums to 1.1"),
        ({"reference": "uniform"}, "reference must be a rectangular array of real numbers"),
        ({"game": data["game"] | {"prefer": [[0.5, 0.9], [0.9, 0.5]]}}, r"game: prefer\[0, 1\]"),
    ):
        with pytest.raises(ValueError, match=rule):
            setting_from_dict(Setting, data | change)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"rewards": [0.0]}, "mdp: rewards has 1 entries for 6 choices"),
        ({"gold": 1}, "mdp: .*unexpected keyword argument 'gold'"),
    ],
)
def test_processes_have_the_last_word(change, rule):
    data = setting_to_dict(DiscountedProcess(river_swim(3), 0.9))
    with pytest.raises(ValueError, match=rule):
        setting_from_dict(DiscountedProcess, data | {"mdp": data["mdp"] | change})


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (len, "inner.rate is <built-in function len> of type builtin_function_or_method"),
        (np.array(["a"]), "inner.rate is an array of <U1"),
        ({"a": 1}, "inner.rate is {'a': 1} of type dict"),
    ],
)
def test_what_can_not_be_stored_is_named(value, rule):
    with pytest.raises(ValueError, match=rule):
        setting_to_dict(replace(NESTED, inner=Inner(value)))


def test_only_dataclasses_are_settings():
    with pytest.raises(ValueError, match="the setting is 3; it must be a dataclass"):
        setting_to_dict(3)
    with pytest.raises(ValueError, match=r"the setting is \[\]; it must be a table of the fields of Inner"):
        setting_from_dict(Inner, [])


GOOD = '{"format": "rltheory setting 1", "theorem": "a/b", "setting": {}}'


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "not a setting file, or a truncated one"),
        (GOOD[:-9], "not a setting file, or a truncated one"),
        ("[" * 100_000, "not a setting file, or a truncated one"),
        ("\xff\xfe", "not a setting file, or a truncated one"),
        ("[1, 2]", "expected the field 'format' to be 'rltheory setting 1'"),
        (GOOD.replace("setting 1", "setting 2"), "expected the field 'format' to be 'rltheory setting 1'"),
        (GOOD.replace("theorem", "theory"), "the field 'theorem' is missing or not a name"),
        (GOOD.replace("{}", "[]"), "the field 'setting' is missing or not a table"),
        (GOOD.replace("{}", '{}, "seed": 3'), "unknown field 'seed'"),
    ],
)
def test_foreign_files_are_refused(text, rule, tmp_path):
    path = tmp_path / "worst.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rule) as caught:
        load_setting(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_setting_file_is_read_back(tmp_path):
    path = tmp_path / "setting.json"
    save_setting(path, "a/b", NESTED)
    name, data = load_setting(path)
    assert name == "a/b"
    assert fingerprint(setting_from_dict(Nested, data)) == fingerprint(NESTED)


def test_examples_depend_on_the_seed_alone():
    first, again, other = (examples(betas(), 20, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert all(1e-3 <= beta <= 5 for beta in first)
    with pytest.raises(ValueError, match="yields nothing"):
        examples(betas().filter(lambda beta: False), 5, 0)


@settings(max_examples=200)
@given(data=st.data())
def test_skewed_policies_are_distributions(data):
    policy = data.draw(skewed_policies(data.draw(st.integers(1, 9))))
    assert policy.min() > 0
    assert abs(policy.sum() - 1) < 1e-12
