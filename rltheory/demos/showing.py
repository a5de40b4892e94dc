"""What all demos share: a picture that is told in words as well."""

import gc
from collections.abc import Callable
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from rltheory.report import SVG, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["picture"]


@cache
def _spare_libraries() -> None:
    """Keep the garbage collector from what stays for good; a pass over it would hold up a slider for half a second."""
    gc.collect()
    gc.freeze()


def picture(
    draw: "Callable[..., Axes]",
    says: str,
    *,
    panels: int = 1,
    width: float = 6.4,
    height: float = 4.2,
    beside: float = 0.2,
) -> Any:
    """Picture of what `draw` draws on `panels` axes side by side, `says` being its alternative in words.

    Parameters
    ----------
    draw
        Draws on the axes that it is given.
    says
        What the picture shows.
    panels
        Number of axes.
    width, height
        Size in inches, which the page scales.
    beside
        Inches that are free right of each axes, where legends stand.

    Returns
    -------
    marimo.Html
        The drawing.
    """
    import marimo
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Margins are fixed: to compute them takes as long as to draw, and sliders should be followed at once.
    left, above, below, each = 0.75, 0.35, 0.6, width / panels
    size = ((each - left - beside) / width, (height - above - below) / height)
    with rc_context(SVG):
        figure = Figure(figsize=(width, height))
        axes = [figure.add_axes(((each * panel + left) / width, below / height, *size)) for panel in range(panels)]
        draw(*axes)
        drawing = svg(figure)
    _spare_libraries()
    return marimo.Html(
        f'<figure class="picture" role="img" aria-label="{escape(says)}" style="max-width: {130 * width:.0f}px">'
        f"{drawing}</figure>"
    )
