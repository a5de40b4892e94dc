"""Simulation: random streams and the execution of many runs; it knows no theorem."""

from rltheory.simulation.engine import Workers
from rltheory.simulation.replicates import replicates
from rltheory.simulation.streams import fingerprint, stream

__all__ = ["Workers", "fingerprint", "replicates", "stream"]
