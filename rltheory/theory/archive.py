"""Verdicts on disk: one file of labelled arrays, read back bit for bit.

The file is a zip archive of NumPy arrays without pickles. ``verdicts`` holds everything but arrays as JSON text; the
arrays of verdict i are called ``i/times``, ``i/samples`` and so on, and have one dimension time or the two dimensions
replicate and time. Judgements are not stored: they follow from the observations.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rltheory.theory.claims import Scope, Status
from rltheory.theory.judge import Judgement, Levels, Observation, judge
from rltheory.theory.rates import Form
from rltheory.theory.theorem import Card, Paper
from rltheory.theory.verdict import Verdict

__all__ = ["load_verdicts", "save_verdicts", "verdict_from_data", "verdict_to_data"]

FORMAT = "rltheory verdicts 2"
ARRAYS = ("times", "samples", "bound", "low", "high")
PLAIN = ("kind", "clock", "rounding", "delta", "stated", "scope")


def verdict_to_data(verdict: Verdict) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a verdict holds, as plain data ready for JSON, and its arrays by name."""
    observation = verdict.observation
    arrays = {name: array for name in ARRAYS if (array := getattr(observation, name)) is not None}
    data = {
        "card": asdict(verdict.card),
        "setting": verdict.setting,
        "parameters": dict(verdict.parameters),
        "hypotheses": dict(verdict.hypotheses),
        "observation": {name: getattr(observation, name) for name in PLAIN},
        "form": None if verdict.form is None else asdict(verdict.form),
        "levels": asdict(verdict.judgement.levels),
        "unseen": None if verdict.is_judged else [verdict.status.value, verdict.reason],
        "vacuous": verdict.vacuous,
        "seed": verdict.seed,
        "seconds": verdict.seconds,
        "versions": dict(verdict.versions),
    }
    return data, arrays


def save_verdicts(verdicts: Iterable[Verdict], path: str | Path) -> None:
    """Write verdicts to a file.

    Raises
    ------
    OSError
        If the file can't be written.
    """
    entries: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for place, verdict in enumerate(verdicts):
        data, own = verdict_to_data(verdict)
        entries.append(data)
        arrays |= {f"{place}/{name}": array for name, array in own.items()}
    header = json.dumps({"format": FORMAT, "verdicts": entries})
    with Path(path).open("wb") as file:
        np.savez_compressed(file, verdicts=np.array(header), **arrays)


def load_verdicts(path: str | Path, levels: Levels | None = None) -> list[Verdict]:
    """Read verdicts, and judge them at the levels given, or else at those they were judged at.

    Raises
    ------
    ValueError
        If the file is not one of :func:`save_verdicts`, or is damaged; the message names it.
    OSError
        If the file can't be read.
    """
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            header = json.loads(str(stored["verdicts"]))
            if header["format"] != FORMAT:
                raise ValueError(f"its format is {header['format']!r}; this version reads {FORMAT!r}")
            entries = enumerate(header["verdicts"])
            return [verdict_from_data(entry, _arrays(stored, place), levels) for place, entry in entries]
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a file of verdicts, or damaged ({error})") from None


def _arrays(stored: Any, place: int) -> dict[str, Any]:
    return {name: stored[f"{place}/{name}"] for name in ARRAYS if f"{place}/{name}" in stored}


def verdict_from_data(entry: Mapping[str, Any], arrays: Mapping[str, Any], levels: Levels | None = None) -> Verdict:
    """Restore a verdict from what :func:`verdict_to_data` returned, judged at the levels given or else at its own."""
    plain, form = entry["observation"], entry["form"]
    typed = {"scope": Scope(plain["scope"]), "form": None if form is None else Form(**form)}
    observation = Observation(**(plain | typed | dict(arrays)))
    levels = levels or Levels(**entry["levels"])
    if entry["unseen"] is None:
        judgement = judge(observation, levels)
    else:
        status, reason = entry["unseen"]
        judgement = Judgement(Status(status), np.empty(0), np.empty(0), float("nan"), None, reason, levels)
    card = entry["card"]
    texts = {"hypotheses": tuple(card["hypotheses"]), "controls": tuple(card["controls"])}
    paper = None if card["paper"] is None else Paper(**card["paper"])
    return Verdict(
        card=Card(**(card | texts | {"paper": paper})),
        setting=entry["setting"],
        parameters=entry["parameters"],
        hypotheses=entry["hypotheses"],
        observation=observation,
        judgement=judgement,
        vacuous=entry["vacuous"],
        seed=entry["seed"],
        seconds=entry["seconds"],
        versions=entry["versions"],
    )
