"""Simulation: random streams, and the execution of many runs here or elsewhere; it knows no theorem."""

from rltheory.simulation.driver import Tally, carry_out
from rltheory.simulation.engine import Workers
from rltheory.simulation.executors import Cluster, Processes, Threads
from rltheory.simulation.experiments import Experiment, Plan
from rltheory.simulation.replicates import replicates
from rltheory.simulation.store import Failure, Store
from rltheory.simulation.streams import fingerprint, stream

__all__ = [
    "Cluster",
    "Experiment",
    "Failure",
    "Plan",
    "Processes",
    "Store",
    "Tally",
    "Threads",
    "Workers",
    "carry_out",
    "fingerprint",
    "replicates",
    "stream",
]
