"""Reports of verdicts and of analyses: a web page that needs nothing but itself, and files for machines."""

from rltheory.report.analysis import write_analysis
from rltheory.report.page import write_report
from rltheory.report.rendering import SVG, svg

__all__ = ["SVG", "svg", "write_analysis", "write_report"]
