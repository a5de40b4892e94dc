"""One web page for all verdicts, and the same as JSON."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from rltheory.bibliography import reference
from rltheory.report.rendering import SVG, svg, template
from rltheory.theory import RateFit, Status, Verdict, save_verdicts

__all__ = ["most_telling", "verdict_figure", "write_report"]


def write_report(verdicts: Sequence[Verdict], folder: str | Path) -> Path:
    """Write ``index.html``, ``verdicts.json`` and ``verdicts.npz`` to `folder`, which is made if need be.

    Parameters
    ----------
    verdicts
        What to report; verdicts on one theorem share a section.
    folder
        Where to write.

    Returns
    -------
    Path
        The page. It holds its figures and formulas and needs no network. The JSON file has the outcomes and curves for
        other programs; :func:`rltheory.theory.load_verdicts` reads the archive, with all replicates.

    Raises
    ------
    ValueError
        If there is no verdict.
    OSError
        If the folder can't be written.
    """
    if not verdicts:
        raise ValueError("there is no verdict to report")
    folder = Path(folder)
    page, data = _page(verdicts), json.dumps(_data(verdicts), allow_nan=False, separators=(",", ":"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdicts.json").write_text(data + "\n", encoding="utf-8")
    save_verdicts(verdicts, folder / "verdicts.npz")
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _by_theorem(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    sections: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        sections.setdefault(verdict.theorem, []).append(verdict)
    return sections


def _data(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Texts of the theorems once, then the verdicts that name them."""
    return {
        "format": 3,
        "seed": verdicts[0].seed,
        "versions": dict(verdicts[0].versions),
        "levels": asdict(verdicts[0].judgement.levels),
        "theorems": {name: asdict(group[0].card) for name, group in _by_theorem(verdicts).items()},
        "verdicts": [_outcome(verdict) for verdict in verdicts],
    }


def _outcome(verdict: Verdict) -> dict[str, Any]:
    judgement = verdict.judgement
    return {
        "theorem": verdict.theorem,
        "setting": verdict.setting,
        "parameters": dict(verdict.parameters),
        "hypotheses": dict(verdict.hypotheses),
        "status": verdict.status.value,
        "scope": verdict.scope.value,
        "reason": verdict.reason,
        "tightness": verdict.tightness if isfinite(verdict.tightness) else None,
        "worst_time": verdict.worst_time,
        "vacuous": verdict.vacuous,
        "replicates": verdict.replicates,
        "failures": judgement.failures,
        "needed": judgement.needed,
        "stated_rate": verdict.stated,
        "fit": None if verdict.fit is None else _fit(verdict.fit),
        "clock": verdict.clock,
        "times": verdict.times.tolist(),
        "measured": verdict.measured.tolist(),
        "bound": verdict.bound.tolist(),
        "seconds": verdict.seconds,
    }


def _fit(fit: RateFit) -> dict[str, Any]:
    names = ("rate", "low", "high", "interval", "early", "late", "window", "floor", "floor_time", "residual")
    alternatives = {form: residual if isfinite(residual) else None for form, residual in fit.alternatives.items()}
    return {"form": fit.form.name} | {name: getattr(fit, name) for name in names} | {"alternatives": alternatives}


def _page(verdicts: Sequence[Verdict]) -> str:
    page = template("page.html.j2", {"formula": _formula, "prose": _prose, "reference": reference})
    sections = [
        {
            "card": group[0].card,
            "verdicts": group,
            "counts": _counts(group),
            "figure": verdict_figure(group),
            "shown": most_telling(group),
        }
        for group in _by_theorem(verdicts).values()
    ]
    return page.render(
        sections=sections,
        counts=_counts(verdicts),
        seed=verdicts[0].seed,
        versions=verdicts[0].versions,
        levels=verdicts[0].judgement.levels,
    )


def _counts(verdicts: Iterable[Verdict]) -> Counter[tuple[str, str]]:
    """How often there is each status, with its caveat."""
    return Counter((verdict.status.value, verdict.caveat) for verdict in verdicts)


def _formula(latex: str) -> Any:
    """LaTeX of a displayed formula as MathML."""
    return _mathml(latex, "block")


def _prose(text: str) -> Any:
    """Text with inline ``$...$`` formulas as HTML."""
    from markupsafe import Markup, escape

    parts = re.split(r"\$([^$]*)\$", text)
    return Markup("").join(_mathml(part, "inline") if i % 2 else escape(part) for i, part in enumerate(parts))


def _mathml(latex: str, display: str) -> Any:
    from latex2mathml.converter import convert
    from markupsafe import Markup

    return Markup(convert(latex, display=display))


def most_telling(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return a verdict that fails, or else the one that comes closest to failing."""
    judged = [verdict for verdict in verdicts if verdict.times.size]
    return max(judged, key=lambda verdict: (verdict.status is Status.REFUTED, verdict.tightness), default=None)


def verdict_figure(verdicts: Sequence[Verdict]) -> Any:
    """Draw the figure that shows a theorem: its course over time, or both sides for statements without one.

    Parameters
    ----------
    verdicts
        Verdicts on one theorem.

    Returns
    -------
    markupsafe.Markup
        SVG, the same bytes for the same verdicts; empty if none was judged.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from rltheory.plots import convergence, sides

    shown = most_telling(verdicts)
    if shown is None:
        return ""
    with rc_context(SVG):
        figure = Figure(figsize=(6.0, 3.6))
        figure.subplots_adjust(left=0.11, right=0.98, bottom=0.13)
        ax = figure.subplots()
        if shown.clock == "draw" or shown.times.size == 1:
            sides(verdicts, ax)
        else:
            convergence(shown, ax)
        lines = 1 + ax.get_title(loc="left").count("\n")
        figure.subplots_adjust(top=0.94 - 0.05 * lines)
        return svg(figure)
