"""Kinds of claim: what a theorem says of what is measured, and what rounding and chance may take away."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from numpy.typing import ArrayLike

__all__ = [
    "BY_CONSTRUCTION",
    "EveryStep",
    "Existence",
    "Identity",
    "InExpectation",
    "Kind",
    "Scope",
    "Standing",
    "Status",
    "WithProbability",
]

BY_CONSTRUCTION = "by construction"  # a hypothesis that every value of the setting's types satisfies


class Status(StrEnum):
    """Outcome of a verdict. A simulation never says "proved"."""

    HOLDS = "HOLDS"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    BROKEN = "BROKEN"  # the theorem object broke its contract; this says nothing of the claim


class Standing(StrEnum):
    """Where the constants of a statement come from."""

    SEEN = "stated in the paper"
    DERIVED = "derived here, with proof"
    RECALLED = "recalled, unverified"
    CLAIMED = "claimed by whoever wrote it down"


class Scope(StrEnum):
    """What a verdict decides."""

    BOUND = "bound"
    RATE = "rate only: constants recalled"


@dataclass(frozen=True)
class EveryStep:
    """The measured curve lies below the bound at every recorded time.

    Parameters
    ----------
    rounding
        Absolute error, as a function of the setting, that rounding may leave between the two sides.
    """

    rounding: Callable[[Any], float]
    name: ClassVar[str] = "every step"


@dataclass(frozen=True)
class Identity:
    """The two sides agree at every recorded time.

    Parameters
    ----------
    rounding
        Absolute error, as a function of the setting, that rounding may leave between the two sides.
    """

    rounding: Callable[[Any], float]
    name: ClassVar[str] = "identity"


@dataclass(frozen=True)
class InExpectation:
    """The mean of the measured curve over replicates lies below the bound at every recorded time.

    Parameters
    ----------
    rounding
        Absolute error, as a function of the setting, that rounding may leave between the two sides.
    low, high
        Proved range of the measured quantity, as functions of the setting: numbers, or arrays over the recorded times.
        The narrower it is, the fewer replicates decide.
    """

    rounding: Callable[[Any], float]
    low: Callable[[Any], ArrayLike]
    high: Callable[[Any], ArrayLike]
    name: ClassVar[str] = "in expectation"


@dataclass(frozen=True)
class WithProbability:
    """With probability 1 - delta the measured curve lies below the bound at all recorded times.

    Parameters
    ----------
    rounding
        Absolute error, as a function of the setting, that rounding may leave between the two sides.
    delta
        Allowed failure rate in (0, 1), as a function of the setting.
    """

    rounding: Callable[[Any], float]
    delta: Callable[[Any], float]
    name: ClassVar[str] = "with probability 1 - delta"


@dataclass(frozen=True)
class Existence:
    """The run produces a witness that passes its own check, or, for an impossibility, a counterexample that does.

    The measured side is the check, true or false at each recorded time; the bound is not used. No recorded time is
    no witness.
    """

    name: ClassVar[str] = "existence"

    @staticmethod
    def rounding(setting: Any) -> float:
        """No allowance: a check passes or does not."""
        return 0.0


Kind: TypeAlias = EveryStep | Identity | InExpectation | WithProbability | Existence
