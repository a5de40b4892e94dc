"""One web page for the analysis of a process, and the same as JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.bibliography import reference
from rltheory.report.rendering import SVG, svg, template
from rltheory.solvers import HorizonAnalysis, StickyAnalysis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["analysis_rows", "write_analysis"]


def write_analysis(analysis: HorizonAnalysis, folder: str | Path, *, sticky: StickyAnalysis | None = None) -> Path:
    """Write ``index.html``, ``analysis.json`` and perhaps ``analysis_sticky.json`` to `folder`, made if need be.

    Parameters
    ----------
    analysis, sticky
        What to report; the second one, if given, of the same process with sticky actions.
    folder
        Where to write.

    Returns
    -------
    Path
        The page. It holds its figures and needs no network. The JSON files use the names of published analyses.

    Raises
    ------
    OSError
        If the folder can't be written.
    """
    folder, simple = Path(folder), analysis.simple
    page = template("analysis.html.j2", {"reference": reference}).render(
        analysis=analysis,
        sticky=sticky,
        rows=analysis_rows(analysis, sticky),
        figures=_figures(analysis, sticky),
        steps=[*zip(simple.ks, simple.ms, simple.gaps, simple.variances, strict=True)],
    )
    files = {"analysis.json": analysis} | ({} if sticky is None else {"analysis_sticky.json": sticky})
    folder.mkdir(parents=True, exist_ok=True)
    for name, result in files.items():
        (folder / name).write_text(json.dumps(result.as_json(), allow_nan=False, indent=1) + "\n", encoding="utf-8")
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def analysis_rows(analysis: HorizonAnalysis, sticky: StickyAnalysis | None = None) -> list[tuple[str, str, str]]:
    """Rows of a table: a quantity, its value, and that with sticky actions."""
    simple, occupancies = analysis.simple, analysis.occupancies
    rows: list[tuple[str, Any, Any]] = [
        ("states", analysis.states, sticky and sticky.states),
        ("optimal return", analysis.optimal_return, sticky and sticky.optimal_return),
        ("return of the exploration policy", analysis.random_return, sticky and sticky.random_return),
        ("worst return", analysis.worst_return, sticky and sticky.worst_return),
        ("min k", analysis.min_k, sticky and sticky.min_k),
        ("effective planning window", analysis.planning_window, sticky and sticky.planning_window),
        ("effective horizon, the authors' formula", simple.horizon, None),
    ]
    if sticky is not None:
        rows += [
            (f"stochastic effective horizon, {closure.name.lower()} states", None, found.horizon)
            for closure, found in sticky.horizons.items()
        ]
    rows += [
        ("least occupancy of a state, largest over stages", occupancies.state, None),
        ("least occupancy of an action, largest over stages", occupancies.state_action, None),
        ("least occupancy of a state, summed over stages", occupancies.sum_state, None),
        ("least occupancy of an action, summed over stages", occupancies.sum_state_action, None),
        ("covering length", analysis.covering_length, None),
    ]
    rows += [(f"log10 of timesteps, {method}", value, None) for method, value in analysis.log10_timesteps.items()]
    return [(name, _shown(plain), _shown(moved)) for name, plain, moved in rows]


def _shown(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.10g}"


def _figures(analysis: HorizonAnalysis, sticky: StickyAnalysis | None) -> list[tuple[str, Any]]:
    """Captions and figures."""
    from rltheory.plots import effective_horizons, gaps_by_k, sample_complexities

    simple = analysis.simple
    figures = [
        (
            "Timesteps until optimal with probability 1/2. All are bounds but that of the effective horizon.",
            _drawn(lambda ax: sample_complexities(analysis.log10_timesteps, ax=ax)),
        ),
        (
            "The horizon of each k that is solvable on the safe closure, and the least, at most the number of stages.",
            _drawn(lambda ax: effective_horizons(simple.ks, simple.horizons, least=simple.horizon, ax=ax)),
        ),
        (
            "The gap of the state that asks for the most episodes. Infinite gaps, where all is optimal, are left out.",
            _drawn(lambda ax: gaps_by_k({"safe": (simple.ks, simple.gaps)}, ax=ax)),
        ),
    ]
    if sticky is not None:
        curves = {
            f"{closure.name.lower()} states": (np.arange(found.gaps.size) + 1, found.gaps)
            for closure, found in sticky.horizons.items()
        }
        figures.append(
            (
                "The least gap with sticky actions, of rewards in total in [0, 1], over the states that count.",
                _drawn(lambda ax: gaps_by_k(curves, ax=ax)),
            )
        )
    return figures


def _drawn(draw: "Callable[[Axes], Axes]") -> Any:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SVG):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        draw(figure.subplots())
        return svg(figure)
