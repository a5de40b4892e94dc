"""Figures that move, for slides."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rltheory.arrays import count, positive
from rltheory.progress import sign_of_life

if TYPE_CHECKING:
    from matplotlib.animation import AbstractMovieWriter
    from matplotlib.axes import Axes

__all__ = ["animate"]

Frame = TypeVar("Frame")


def animate(
    draw: "Callable[[Axes, Frame], Any]",
    frames: Iterable[Frame],
    file: str | Path,
    *,
    rate: int = 12,
    width: float = 6.4,
    height: float = 4.8,
    dots: float = 120.0,
) -> Path:
    """Write a film whose pictures are drawn one by one.

    Parameters
    ----------
    draw
        ``draw(ax, frame)`` draws one picture on empty axes, which stay where they are. All functions of
        :mod:`rltheory.plots` that take ``ax`` will do; fix the limits of the axes if they should not move.
    frames
        What the pictures show, one after the other: times, temperatures, policies.
    file
        Where to write: a name that ends in .png, .gif or .mp4. PNG has all colours, and moves in browsers; MP4 needs
        ffmpeg, that of the system or that of the package imageio-ffmpeg.
    rate
        Pictures per second, >= 1.
    width, height
        Size in inches, > 0.
    dots
        Pixels per inch, > 0.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If there is no frame, a number is out of range, the name ends otherwise, or there is no ffmpeg; the message
        names the remedy.

    Examples
    --------
    A learner goes around the equilibrium, and comes nearer:

    >>> import numpy as np
    >>> import rltheory as rl
    >>> game = rl.instances.three_voters()
    >>> path = np.exp(rl.nash_mirror_prox(game, beta=0.1, iterations=20, start=[0.8, 0.1, 0.1])["log_policy"])
    >>> def draw(ax, end):
    ...     rl.plots.simplex({"Nash mirror prox": path[:end]}, names=game.names, ax=ax)
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     animate(draw, [1, 5, 10], f"{folder}/cycle.gif").name
    'cycle.gif'
    """
    from matplotlib.figure import Figure

    shown = list(frames)
    if not shown:
        raise ValueError("frames is empty; a film needs one picture at least")
    size = positive(width, "width"), positive(height, "height")
    path, writer = Path(file), _writer(Path(file), count(rate, "rate", at_least=1))
    figure = Figure(figsize=size, layout="constrained")
    ax = figure.subplots()
    with sign_of_life(f"writing {path.name}"), writer.saving(figure, str(path), positive(dots, "dots")):
        for frame in shown:
            ax.clear()
            draw(ax, frame)
            writer.grab_frame()
            figure.set_layout_engine("none")  # so that axes stay where the first picture has them
    return path


def _writer(path: Path, rate: int) -> "AbstractMovieWriter":
    from matplotlib import rcParams
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if path.suffix in (".png", ".gif"):
        return PillowWriter(fps=rate)
    if path.suffix != ".mp4":
        raise ValueError(f"{path.name}: films are written to .png, .gif and .mp4")
    if not FFMpegWriter.isAvailable():
        try:
            from imageio_ffmpeg import get_ffmpeg_exe
        except ImportError:
            raise ValueError(
                f"{path.name}: there is no ffmpeg here; write a .gif, or pip install imageio-ffmpeg"
            ) from None
        rcParams["animation.ffmpeg_path"] = get_ffmpeg_exe()
    # Players want even sides and this format of colours.
    return FFMpegWriter(
        fps=rate, extra_args=["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-pix_fmt", "yuv420p"]
    )
