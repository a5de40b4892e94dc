"""Races: contenders take turns, so that a ratio survives a machine whose speed drifts."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, sleep
from types import ModuleType
from typing import Any

__all__ = ["Contender", "Limit", "Race", "missing_peers", "peer"]

REST = 0.05  # seconds before each run, in which the threads of the one before stop waiting for more work

missing_peers: dict[str, str] = {}


def peer(module: str) -> ModuleType | None:
    """Import a peer; if it is not installed, note its name for the final table and return None."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing_peers[module] = str(error)
        return None


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work.

    `run` is timed, and does `units` units of work; `check` says whether what it returned is right.
    """

    name: str
    run: Callable[[], Any]
    check: Callable[[Any], bool]
    units: float = 1


@dataclass(frozen=True)
class Limit:
    """What is required of us: a cost of at most `times` that of the contender called `of`, or `times` by itself."""

    times: float
    of: str | None = None


def seconds(contender: Contender) -> float:
    """Time that a contender takes for one unit of work."""
    sleep(REST)
    began = perf_counter()
    contender.run()
    return (perf_counter() - began) / contender.units


def duration(seconds: float) -> str:
    """Time with a unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


@dataclass
class Race:
    """One piece of work, us first and then the others, measured in turns."""

    work: str
    contenders: list[Contender]
    limit: Limit | None = None
    rounds: int = 9
    cost: Callable[[Contender], float] = seconds
    shown: Callable[[float], str] = duration
    costs: dict[str, list[float]] = field(default_factory=dict)

    def start(self) -> None:
        """Warm up, check every answer, then let the contenders take turns.

        Raises
        ------
        AssertionError
            If an answer is wrong: its time would mean nothing.
        """
        for contender in self.contenders:
            if not contender.check(contender.run()):
                raise AssertionError(f"{self.work}: {contender.name} returns a wrong answer")
        self.costs = {contender.name: [] for contender in self.contenders}
        for _ in range(self.rounds):
            for contender in self.contenders:
                self.costs[contender.name].append(self.cost(contender))

    @property
    def ours(self) -> Contender:
        """The first contender."""
        return self.contenders[0]

    def typical(self, name: str) -> float:
        """Median cost of a contender."""
        return median(self.costs[name])

    def ratio(self, name: str) -> float:
        """Median over rounds of a contender's cost over ours."""
        return median(theirs / ours for theirs, ours in zip(self.costs[name], self.costs[self.ours.name], strict=True))

    def verdict(self) -> str:
        """Text of the requirement, and whether it is met."""
        if self.limit is None:
            return ""
        if self.limit.of is None:
            met = self.typical(self.ours.name) <= self.limit.times
            text = f"<= {self.shown(self.limit.times)}"
        else:
            met = 1 / self.ratio(self.limit.of) <= self.limit.times
            text = f"<= {self.limit.times:g} x {self.limit.of}"
        return f"{text}: {'met' if met else 'MISSED'}"
