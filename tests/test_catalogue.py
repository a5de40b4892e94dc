"""What holds for every theorem, found by walking."""

import json
import re
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

import rltheory
from rltheory import catalogue, find, verify
from rltheory.bibliography import bibtex
from rltheory.theorems import subjects
from rltheory.theory import Existence, Identity, Status

THEOREMS = list(catalogue().values())
SHARP = {"nash-mp/one-step", "nash-mp/kl-one-step", "nash-mp/span-one-step"}


@pytest.fixture(scope="module")
def verdicts():
    found = {}
    for verdict in verify(THEOREMS):
        found.setdefault(verdict.theorem, []).append(verdict)
    return found


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.name)
def test_theorem_holds_with_bite(theorem, verdicts):
    mine = verdicts[theorem.name]
    assert [str(verdict) for verdict in mine if verdict.status is not Status.HOLDS] == []
    if isinstance(theorem.kind, Identity):
        # Far inside the allowance: an identity that used most of it would be a near miss.
        assert all(verdict.tightness < 0.01 for verdict in mine)
        assert any(np.abs(verdict.bound).max() > 1e-3 for verdict in mine), "both sides are always small"
    elif isinstance(theorem.kind, Existence):
        assert all(verdict.times.size > 0 for verdict in mine), "there is no witness"
    elif theorem.rate is None:
        assert any(verdict.tightness > 0.05 and not verdict.vacuous for verdict in mine), "no setting has bite"
    else:
        # The constant of a rate may be loose; the rate itself must be of the right order: up to twice the exponent, or
        # half of it where the measured quantity grows.
        fits = [verdict for verdict in mine if verdict.fit is not None]
        assert all(verdict.fit.low <= verdict.stated + 1e-3 * abs(verdict.stated) for verdict in fits)
        quickest = [
            verdict.stated * (2 if verdict.stated < 0 else 1 / 2) if verdict.form.log_time else verdict.stated**2
            for verdict in fits
        ]
        assert any(verdict.fit.high >= rate - 1e-3 * abs(rate) for verdict, rate in zip(fits, quickest, strict=True)), (
            "no setting is as slow as stated"
        )


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.name)
def test_settings_can_be_written_to_a_file(theorem, verdicts):
    for verdict in verdicts[theorem.name]:
        assert json.loads(json.dumps(verdict.parameters, allow_nan=False)) == verdict.parameters


@pytest.mark.parametrize("name", sorted(SHARP))
def test_one_step_statements_are_sharp(name, verdicts):
    assert 0.9 < max(verdict.tightness for verdict in verdicts[name]) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("theorem", "control"),
    [(theorem, control) for theorem in THEOREMS for control in theorem.controls],
    ids=lambda part: part if isinstance(part, str) else part.name,
)
def test_control_is_refuted(theorem, control):
    wrong = verify(replace(theorem, run=theorem.controls[control]))
    assert any(verdict.status is Status.REFUTED for verdict in wrong), f"control {control!r} goes unnoticed"


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.name)
def test_theorem_is_told_in_full(theorem):
    assert theorem.controls, "a theorem without controls can't fail"
    assert theorem.title
    assert theorem.statement
    assert theorem.symbols
    assert bibtex(theorem.paper.key)
    for text in (theorem.symbols, theorem.remark, *theorem.hypotheses):
        assert text.count("$") % 2 == 0


def test_citations_of_docstrings_are_in_the_bibliography():
    sources = Path(rltheory.__file__).parent.rglob("*.py")
    cited = {key for source in sources for key in re.findall(r":cite:`([^`]+)`", source.read_text(encoding="utf-8"))}
    assert cited
    for key in cited:
        assert bibtex(key)


def test_subjects_share_out_the_groups():
    groups = [group for subject in subjects() for group in subject.groups]
    assert len(groups) == len(set(groups))
    assert [theorem for subject in subjects() for theorem in subject.theorems] == THEOREMS
    assert all(find(group) == theorems for subject in subjects() for group, theorems in subject.groups.items())


def test_find_takes_names_and_groups():
    assert [theorem.name for theorem in find("nash-mp/kl")] == ["nash-mp/kl"]
    assert {theorem.group for theorem in find("nash-mp")} == {"nash-mp"}
    with pytest.raises(ValueError, match=r"no theorem or group is called 'nash-pm'; the nearest names are .*nash-mp"):
        find("nash-pm")


def test_verdicts_do_not_depend_on_workers_or_order(verdicts):
    """Bit for bit, one worker and two, forwards and backwards."""
    names = ("nash-mp/kl", "regularized-game/edge", "nash-mp/sampled")
    again = verify([theorem for name in names for theorem in find(name)], workers=1)
    backwards = [
        verify(theorem, settings=reversed(list(theorem.settings())), workers=2)
        for name in reversed(names)
        for theorem in find(name)
    ]
    assert len(again) == sum(map(len, backwards))
    for verdict in [*again, *chain.from_iterable(backwards)]:
        (same,) = [other for other in verdicts[verdict.theorem] if other.parameters == verdict.parameters]
        for side in ("measured", "bound", "ratio"):
            assert getattr(verdict, side).tobytes() == getattr(same, side).tobytes()
        assert verdict.observation.samples.tobytes() == same.observation.samples.tobytes()
