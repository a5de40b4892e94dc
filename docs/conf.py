"""Configuration of the documentation. Build it with ``python -m sphinx -W -b html docs docs/_build/html``."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.ext.autosummary import autosummary_toc

docs = Path(__file__).parent
sys.path[:0] = [str(docs / "extensions"), str(docs.parent)]  # the gallery of theorems reads the proof checks

project = "rltheory"
author = project_copyright = "The rltheory developers"
version = release = version_of("rltheory")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "theorem_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "smartquotes"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"rltheory {version}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_math_renderer = "mathml"

bibtex_bibfiles = ["../rltheory/references.bib"]
bibtex_reference_style = "author_year"

autodoc_typehints = "none"  # docstrings give types and shapes where names leave them open
autosummary_imported_members = True
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "within_subsection_order": "FileNameSortKey",
    "image_srcset": ["2x"],
    "capture_repr": ["_repr_html_"],
    "abort_on_example_error": True,
    "download_all_examples": False,
    "write_computation_times": False,
    "show_memory": False,
    "parallel": 2,
}


def mathml(latex, display):
    """MathML of a formula, so that pages need no network; an unknown command is an error."""
    page = convert(latex, display=display)
    if "\\" in page:
        raise ValueError(f"the converter left a command in {latex}")
    return page.replace("<mi>log</mi>", "<mi>log</mi><mspace width='0.17em' />")


def visit_inline(self, node):
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_block(self, node):
    latex = node.astext().strip()
    latex = rf"\begin{{split}}{latex}\end{{split}}" if r"\\" in latex else latex
    self.body.append(f"<div class='formula'>{mathml(latex, 'block')}</div>")
    raise nodes.SkipNode


def shorten_navigation(app, doctree):
    """Leave the entries of the reference out of the navigation, which every page repeats: there are hundreds."""
    for entries in list(doctree.findall(autosummary_toc)):
        entries.parent.remove(entries)


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("doctree-read", shorten_navigation, priority=400)  # before the navigation is collected
