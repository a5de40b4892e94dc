"""One web page for the analysis of a process, and the same as JSON."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rltheory.arrays import Vector
from rltheory.bibliography import reference
from rltheory.problems.mdp import Indices
from rltheory.report.rendering import SVG, svg, template
from rltheory.solvers import GorpAnalysis, GorpBound, HorizonAnalysis, ReturnDistributions, StickyAnalysis, gorp_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["analysis_rows", "write_analysis"]


Curves: TypeAlias = Mapping[int, tuple[Indices, Vector]]  # for each k numbers of episodes, and what they achieve


def write_analysis(
    analysis: HorizonAnalysis,
    folder: str | Path,
    *,
    sticky: StickyAnalysis | None = None,
    gorp: GorpAnalysis | None = None,
    distributions: ReturnDistributions | None = None,
    gorp_shares: Curves | None = None,
    sqirl_returns: Curves | None = None,
) -> Path:
    """Write ``index.html``, ``analysis.json`` and files of what else is given to `folder`, made if need be.

    Parameters
    ----------
    analysis
        What to report.
    folder
        Where to write.
    sticky
        The same process with sticky actions: ``analysis_sticky.json``.
    gorp
        Bounds on GORP: ``gorp_bounds.json``, which are certified, and ``gorp_bounds_published.json``.
    distributions
        Laws of returns: ``value_dists_1.npy`` to ``value_dists_T.npy``, for T stages.
    gorp_shares
        Shares of runs of GORP that succeeded, for a figure.
    sqirl_returns
        Mean returns of SQIRL with sticky actions, for a figure.

    Returns
    -------
    Path
        The page. It holds its figures and needs no network. The other files have the form of published ones.

    Raises
    ------
    OSError
        If the folder can't be written.
    """
    folder, simple = Path(folder), analysis.simple
    page = template("analysis.html.j2", {"reference": reference}).render(
        analysis=analysis,
        sticky=sticky,
        gorp=gorp,
        distributions=distributions,
        rows=analysis_rows(analysis, sticky, gorp),
        figures=_figures(analysis, sticky, gorp, gorp_shares or {}, sqirl_returns or {}),
        steps=[*zip(simple.ks, simple.ms, simple.gaps, simple.variances, strict=True)],
    )
    files = {"analysis.json": analysis} | ({} if sticky is None else {"analysis_sticky.json": sticky})
    folder.mkdir(parents=True, exist_ok=True)
    for name, result in files.items():
        (folder / name).write_text(json.dumps(result.as_json(), allow_nan=False, indent=1) + "\n", encoding="utf-8")
    if gorp is not None:
        for name, bounds in (("gorp_bounds", gorp.certified), ("gorp_bounds_published", gorp.published)):
            (folder / f"{name}.json").write_text(gorp_json(bounds), encoding="utf-8")
    if distributions is not None:
        for timestep, law in enumerate(distributions.laws, 1):
            np.save(folder / f"value_dists_{timestep}.npy", law)
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def analysis_rows(
    analysis: HorizonAnalysis, sticky: StickyAnalysis | None = None, gorp: GorpAnalysis | None = None
) -> list[tuple[str, str, str]]:
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
    if gorp is not None:
        for certified, published in zip(gorp.certified, gorp.published, strict=True):
            rows += [
                (f"episodes of GORP, k = {certified.k}, certified", _episodes(certified), None),
                (f"episodes of GORP, k = {certified.k}, published formula", _episodes(published), None),
            ]
        rows.append(("effective horizon, certified", float(min(b.effective_horizon for b in gorp.certified)), None))
    rows += [
        ("least occupancy of a state, largest over stages", occupancies.state, None),
        ("least occupancy of an action, largest over stages", occupancies.state_action, None),
        ("least occupancy of a state, summed over stages", occupancies.sum_state, None),
        ("least occupancy of an action, summed over stages", occupancies.sum_state_action, None),
        ("covering length, by the least occupancy", analysis.covering_length, None),
        ("covering length, by the union bound", analysis.covering_episodes, None),
    ]
    rows += [(f"log10 of timesteps, {method}", value, None) for method, value in _timesteps(analysis, gorp).items()]
    return [(name, _shown(plain), _shown(moved)) for name, plain, moved in rows]


def _episodes(bound: GorpBound) -> float:
    return math.inf if bound.episodes is None else bound.episodes


def _timesteps(analysis: HorizonAnalysis, gorp: GorpAnalysis | None) -> dict[str, float]:
    return analysis.log10_timesteps | (gorp.log10_timesteps if gorp else {})


def _shown(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.10g}"


def _figures(
    analysis: HorizonAnalysis,
    sticky: StickyAnalysis | None,
    gorp: GorpAnalysis | None,
    gorp_shares: Curves,
    sqirl_returns: Curves,
) -> list[tuple[str, Any]]:
    """Captions and figures."""
    from rltheory.plots import (
        effective_horizons,
        gaps_by_k,
        returns_by_episodes,
        sample_complexities,
        success_by_episodes,
    )

    simple, timesteps = analysis.simple, _timesteps(analysis, gorp)
    figures = [
        (
            "Timesteps until optimal with probability 1/2. Those of the effective horizon and of the published formula "
            "are no bounds.",
            _drawn(lambda ax: sample_complexities(timesteps, ax=ax)),
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
    if gorp is not None:
        names = [f"k = {bound.k}" for bound in gorp.certified]
        least = {name: (gorp.episodes, row) for name, row in zip(names, gorp.successes, strict=True)}
        shares = {f"k = {k}": curve for k, curve in gorp_shares.items()}
        marks = {name: b.episodes for name, b in zip(names, gorp.certified, strict=True) if b.episodes is not None}
        figures.insert(
            1,
            (
                "How likely GORP is to make optimal choices only: certified bounds, and runs as far as they are short.",
                _drawn(lambda ax: success_by_episodes(least, runs=shares, certified=marks, ax=ax)),
            ),
        )
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
        if sqirl_returns:
            optimum, of_k = sticky.optimal_return, {f"k = {k}": curve for k, curve in sqirl_returns.items()}
            figures.append(
                (
                    "What SQIRL earns with sticky actions, by means of cells: means of runs, as far as they are short.",
                    _drawn(lambda ax: returns_by_episodes(of_k, optimum=optimum, ax=ax)),
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
