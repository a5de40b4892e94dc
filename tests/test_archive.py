"""Stored verdicts come back bit for bit, and can be judged anew without any run."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from rltheory import find, verify
from rltheory.theory import Levels, Scope, Status, load_verdicts, save_verdicts
from tests.test_verify import HALVES, RECALLED, slow_decay


@pytest.fixture(scope="module")
def verdicts():
    broken = replace(HALVES, name="test/broken", run=lambda s, rng: 1 / 0)
    wrong = replace(HALVES, name="test/wrong", run=slow_decay)
    tiny = replace(RECALLED, bound=lambda s, trace: 0.5**trace.times / 1000)
    slow = replace(RECALLED, name="test/recalled-slow", run=slow_decay)
    return verify([*find("nash-mp/kl"), *find("nash-mp/sampled"), HALVES, wrong, broken, tiny, slow])


@pytest.fixture(scope="module")
def path(verdicts, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "verdicts.npz"
    save_verdicts(verdicts, path)
    return path


def test_everything_comes_back(verdicts, path):
    restored = load_verdicts(path)
    assert {verdict.status for verdict in verdicts} >= {"HOLDS", "REFUTED", "NOT_APPLICABLE", "BROKEN"}
    for before, after in zip(verdicts, restored, strict=True):
        for name in (
            "card",
            "setting",
            "hypotheses",
            "scope",
            "vacuous",
            "form",
            "stated",
            "seed",
            "seconds",
            "versions",
        ):
            assert getattr(after, name) == getattr(before, name)
        assert repr(after) == repr(before)
        np.testing.assert_equal(vars(after.fit) if after.fit else None, vars(before.fit) if before.fit else None)
        for name in ("times", "samples", "bound", "low", "high"):
            kept, stored = getattr(before.observation, name), getattr(after.observation, name)
            assert (kept is None) == (stored is None)
            if kept is not None:
                assert (stored.dtype, stored.shape, stored.tobytes()) == (kept.dtype, kept.shape, kept.tobytes())
        for name in ("measured", "ratio"):
            assert getattr(after, name).tobytes() == getattr(before, name).tobytes()
        np.testing.assert_equal(after.tightness, before.tightness)


def test_other_levels_need_no_run(verdicts, path):
    strict = Levels(hold=1e-30)
    stored = load_verdicts(path, strict)
    assert [verdict.status for verdict in stored] == [verdict.judged_at(strict).status for verdict in verdicts]
    sampled = [verdict for verdict in stored if verdict.theorem == "nash-mp/sampled"]
    assert {verdict.status for verdict in sampled} == {Status.UNDECIDED}
    assert all(verdict.judgement.needed > verdict.replicates for verdict in sampled)


@pytest.mark.parametrize("levels", [None, Levels(hold=1e-30)])
def test_recalled_constants_stay_recalled(path, levels):
    """A stored bound that is a thousand times too small does not turn into a refutation."""
    stored = [verdict for verdict in load_verdicts(path, levels) if verdict.theorem.startswith("test/recalled")]
    judged = [verdict for verdict in stored if verdict.is_judged]
    assert [verdict.status for verdict in judged] == [Status.HOLDS, Status.HOLDS, Status.REFUTED, Status.HOLDS]
    assert {verdict.scope for verdict in stored} == {Scope.RATE}
    assert all("(rate only: constants recalled)" in str(verdict) for verdict in judged)


def test_no_pickle_inside(path):
    with np.load(path, allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "foreign", "newer"])
def test_damaged_files_are_named(damage, path, tmp_path):
    wrong = tmp_path / "wrong.npz"
    whole = path.read_bytes()
    if damage == "foreign":
        np.savez(wrong, x=np.ones(3))
    elif damage == "newer":
        np.savez(wrong, verdicts=np.array('{"format": "rltheory verdicts 9", "verdicts": []}'))
    else:
        wrong.write_bytes({"empty": b"", "text": b"verdicts", "cut": whole[: len(whole) // 2]}[damage])
    with pytest.raises(ValueError, match="not a file of verdicts, or damaged") as caught:
        load_verdicts(wrong)
    assert str(caught.value).startswith(f"{wrong}: ")


def test_levels_are_checked():
    with pytest.raises(ValueError, match=r"the level hold is 1.5; it must lie strictly between 0 and 1"):
        Levels(hold=1.5)
    assert asdict(Levels()) == {"hold": 0.05, "refute": 1e-6}
