"""Interactive pages for teaching: one marimo notebook each, shown in the browser, without a network."""

from rltheory.demos.serving import demo_names, serve_demos

__all__ = ["demo_names", "serve_demos"]
