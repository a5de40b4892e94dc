"""Reports of verdicts and of analyses: a web page that needs nothing but itself, and files for machines."""

from rltheory.report.analysis import write_analysis
from rltheory.report.page import write_report

__all__ = ["write_analysis", "write_report"]
