"""Studies: theorems and algorithms on grids of settings, carried out on one machine or many, with results that last."""

from rltheory.studies.results import Progress, Results
from rltheory.studies.study import AlgorithmStudy, Study, TheoremStudy
from rltheory.studies.sweep import Estimate, estimate, sweep

__all__ = ["AlgorithmStudy", "Estimate", "Progress", "Results", "Study", "TheoremStudy", "estimate", "sweep"]
