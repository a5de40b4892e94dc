"""Demos as pages of a small server on this machine."""

import socket
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

__all__ = ["demo_names", "serve_demos"]

PAGES = Path(__file__).parent / "pages"
HOME = "home"

# Drawings have dark text on white, whatever the colours of the page; on small screens one moves them sideways.
HEAD = """<style>
figure.picture { margin: 0; background: white; border-radius: 8px; padding: 6px; overflow-x: auto; }
figure.picture svg { display: block; width: 100%; min-width: 28rem; height: auto; }
</style>"""


def demo_names() -> list[str]:
    """Names of all demos, in alphabetical order.

    Examples
    --------
    >>> demo_names()
    ['bandits', 'cliff', 'cycles', 'lookahead', 'river']
    """
    return sorted(path.stem for path in PAGES.glob("*.py") if path.stem != HOME)


def serve_demos(announce: Callable[[str], object], *, name: str | None = None, port: int = 0) -> None:
    """Serve all demos on this machine until interrupted.

    Parameters
    ----------
    announce
        Called with the address of a page as soon as the server listens: ``webbrowser.open``, or ``print``.
    name
        Whose address that is; by default that of the page that lists them.
    port
        Port to listen at; 0 takes a free one.

    Raises
    ------
    ImportError
        If marimo is not installed.
    OSError
        If the port is taken.
    ValueError
        If there is no demo of that name; the message lists the close names, or all.
    """
    names = demo_names()
    if name is not None and name not in names:
        close = get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
        raise ValueError(f"no demo is called {name!r}; {hint}")

    import marimo
    import uvicorn

    pages = marimo.create_asgi_app(quiet=True, html_head=HEAD)
    for demo in names:
        pages = pages.with_app(path=f"/{demo}", root=str(PAGES / f"{demo}.py"))
    pages = pages.with_app(path="/", root=str(PAGES / f"{HOME}.py"))
    with socket.create_server(("127.0.0.1", port)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/{name or ''}"
        announce(address)
        uvicorn.Server(uvicorn.Config(pages.build(), log_level="warning")).run(sockets=[listener])
