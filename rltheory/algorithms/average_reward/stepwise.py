"""Records of learners that may change their mind at every step."""

from typing import NamedTuple

import numpy as np

from rltheory.arrays import Times, count
from rltheory.jit import kernel
from rltheory.problems.mdp import MDP, Indices
from rltheory.trace import Trace, record_times

__all__ = ["Record", "empty_record", "trace_of", "write"]


class Record(NamedTuple):
    """What is written down at each recorded time."""

    times: Times  # (T,), from 0 on
    visits: Indices  # (T, C), how often each choice was made
    state: Indices  # (T,)
    epochs: Indices  # (T,), how often the learner has planned


def empty_record(mdp: MDP, horizon: int, rng: np.random.Generator) -> Record:
    """Record of a run of which only the first state is known, which is drawn."""
    times = record_times(count(horizon, "horizon", at_least=1))
    record = Record(
        times, *(np.zeros(shape, np.int64) for shape in ((times.size, mdp.choices), times.size, times.size))
    )
    record.state[0] = rng.choice(mdp.states, p=mdp.initial)
    return record


@kernel
def write(record: Record, place: int, visits: Indices, state: int, epochs: int) -> None:
    """Fill one place of a record."""
    for choice in range(visits.size):
        record.visits[place, choice] = visits[choice]
    record.state[place] = state
    record.epochs[place] = epochs


def trace_of(algorithm: str, record: Record) -> Trace:
    """Trace with ``visits``, shape (time, choice), ``state`` and ``epochs``."""
    values: dict[str, tuple[tuple[str, ...], Indices]] = {
        "visits": (("time", "choice"), record.visits),
        "state": (("time",), record.state),
        "epochs": (("time",), record.epochs),
    }
    return Trace(algorithm, record.times, values, clock="step")
