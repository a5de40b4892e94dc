"""The command that opens interactive pages: demo."""

import click

from rltheory.cli.common import checked_input, fail


@click.command(short_help="Open interactive pages in the browser.")
@click.argument("name", required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen at; a free one by default.")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
def demo(name: str | None, port: int, no_browser: bool) -> None:
    """Serve pages with sliders on this machine and open one in the browser; without NAME, the page that lists them.

    Demos are bandits, cliff, cycles, lookahead and river. They need marimo: pip install "rltheory[demo]".

    \b
    Examples:
      rltheory demo
      rltheory demo cliff
      rltheory demo bandits --port 8000 --no-browser
    """
    import webbrowser

    from rltheory.demos import serve_demos

    def announce(address: str) -> None:
        click.echo(f"Demos at {address} (Ctrl-C ends)")
        if not no_browser:
            webbrowser.open(address)

    with checked_input():
        try:
            serve_demos(announce, name=name, port=port)
        except ImportError as error:
            fail(f'{error.name} is not installed; demos need it: pip install "rltheory[demo]"')
