"""Reports of verdicts and of analyses: a web page that needs nothing but itself, and files for machines."""

from rltheory.report.analysis import write_analysis
from rltheory.report.page import most_telling, verdict_figure, write_report
from rltheory.report.rendering import SVG, svg

__all__ = ["SVG", "most_telling", "svg", "verdict_figure", "write_analysis", "write_report"]
