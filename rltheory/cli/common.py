"""What commands share: checks of what the user gives, games, figures, and options."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

    from rltheory.problems import PreferenceGame

HOLDS, REFUTED, USAGE, UNDECIDED = 0, 1, 2, 3  # exit codes

output_option = click.option(
    "--output",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("report"),
    show_default=True,
    help="Folder for the web page and the other files.",
)
figure_option = click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File for a figure: .svg, .pdf or .png."
)


@contextmanager
def checked_input() -> "Iterator[None]":
    """End in one clear line and exit code 2 if what the user gave is wrong; other errors keep their traceback."""
    try:
        yield
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ValueError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """End in one line and exit code 2."""
    click.echo(f"rltheory: {message}", err=True)
    raise SystemExit(USAGE) from None


def console() -> Any:
    """Console for tables: as wide as the terminal, or wide enough for most rows."""
    from rich.console import Console

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=160)


def read_game(name: str) -> "PreferenceGame":
    """Game of a file, a CSV table or orders in a format of PrefLib, or a recorded one."""
    from rltheory.instances import recorded_game, recorded_games
    from rltheory.problems import PreferenceGame
    from rltheory.problems.preflib import FORMATS

    if name in recorded_games() and not Path(name).exists():
        return recorded_game(name)
    return PreferenceGame.from_preflib(name) if Path(name).suffix in FORMATS else PreferenceGame.from_csv(name)


def read_probabilities(text: str) -> list[float]:
    """Numbers separated by commas or white space, given as such or in a file."""
    if Path(text).is_file():
        text = Path(text).read_text(encoding="utf-8-sig")
    numbers = []
    for position, word in enumerate(text.replace(",", " ").split(), 1):
        try:
            numbers.append(float(word))
        except ValueError:
            raise ValueError(f"--reference: entry {position}, {word!r}, is not a number") from None
    return numbers


def check_figure(path: Path | None) -> None:
    """Refuse a file whose name is not that of a figure, before anything is run."""
    if path is not None and path.suffix not in (".svg", ".pdf", ".png"):
        raise ValueError(f"{path}: a figure's file ends in .svg, .pdf or .png")


def save_figure(axes: "Axes", path: Path) -> None:
    """Write the figure of `axes` to a file, and say so."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(path)
    click.echo(f"Figure: {path}")
