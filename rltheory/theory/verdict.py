"""Verdicts: what was observed, what follows from it, and how it came about."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from rltheory.arrays import Array, Times
from rltheory.theory.claims import Scope, Status
from rltheory.theory.judge import Judgement, Levels, Observation, judge, measured_rate
from rltheory.theory.rates import Form, RateFit
from rltheory.theory.theorem import Card

__all__ = ["Verdict"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """Outcome of one theorem in one setting.

    Parameters
    ----------
    card
        The text of the theorem.
    setting, parameters
        Name of the setting and its numbers.
    hypotheses
        For each hypothesis "checked", "by construction" or "failed".
    observation
        What was measured and what is stated; empty if the theorem does not apply, or is broken.
    judgement
        What follows from it.
    vacuous
        Whether the bound at the tightest time says no more than what is known without the theorem; never where only the
        rate is judged.
    seed, seconds, versions
        Root seed, time of runs and judgement, versions of the software.
    """

    card: Card
    setting: str
    parameters: Mapping[str, Any]
    hypotheses: Mapping[str, str]
    observation: Observation
    judgement: Judgement
    vacuous: bool
    seed: int
    seconds: float
    versions: Mapping[str, str]

    @property
    def theorem(self) -> str:
        """Name of the theorem."""
        return self.card.name

    @property
    def status(self) -> Status:
        """The outcome."""
        return self.judgement.status

    @property
    def scope(self) -> Scope:
        """What the outcome speaks of: the bound, or the rate alone."""
        return self.observation.scope

    @property
    def is_judged(self) -> bool:
        """Whether there was something to judge: the theorem applies, and is not broken."""
        return self.status not in (Status.NOT_APPLICABLE, Status.BROKEN)

    @property
    def caveat(self) -> str:
        """What was judged in place of the bound; empty if the bound was, or nothing."""
        return str(self.scope) if self.is_judged and self.scope is not Scope.BOUND else ""

    @property
    def outcome(self) -> str:
        """Status and caveat, as text."""
        return f"{self.status} ({self.caveat})" if self.caveat else str(self.status)

    @property
    def reason(self) -> str:
        """For an outcome other than HOLDS what failed, or what is missing."""
        return self.judgement.reason

    @property
    def clock(self) -> str:
        """What one unit of time is."""
        return self.observation.clock

    @property
    def times(self) -> Times:
        """Recorded times, shape (T,)."""
        return self.observation.times

    @property
    def measured(self) -> Array:
        """The measured curve, or that of the replicates which the claim speaks of, shape (T,)."""
        return self.judgement.measured

    @property
    def bound(self) -> Array:
        """The stated curve, shape (T,)."""
        return self.observation.bound

    @property
    def ratio(self) -> Array:
        """Part of the allowance that was used, shape (T,)."""
        return self.judgement.ratio

    @property
    def tightness(self) -> float:
        """Largest ratio; it decides nothing where only the rate is judged."""
        return self.judgement.tightness

    @property
    def worst_time(self) -> int | None:
        """Where the ratio is largest."""
        return self.judgement.worst_time

    @property
    def replicates(self) -> int:
        """Number of runs behind the verdict."""
        return len(self.observation.samples)

    @property
    def discrepancy(self) -> float:
        """Largest difference of the two sides over the largest stated value: how well an identity holds."""
        scale = np.abs(self.bound).max(initial=0.0)
        gap = float(np.abs(self.measured - self.bound).max(initial=0.0))
        return gap / scale if scale > 0 else gap

    @property
    def form(self) -> Form | None:
        """Family of the stated rate, if one is stated."""
        return self.observation.form

    @property
    def stated(self) -> float | None:
        """The number of the stated rate, if there is one."""
        return self.observation.stated

    @cached_property
    def fit(self) -> RateFit | None:
        """The measured rate, where one is stated and the curve allows a fit."""
        return measured_rate(self.observation)

    @property
    def stated_rate(self) -> str:
        """Text of the stated rate; empty if none is stated."""
        return "" if self.form is None or self.stated is None else self.form.describe(self.stated, self.clock)

    def judged_at(self, levels: Levels) -> "Verdict":
        """Judge the same observation at other levels; nothing is run."""
        return replace(self, judgement=judge(self.observation, levels)) if self.is_judged else self

    def __str__(self) -> str:
        reason = f", {self.reason.replace('$', '')}" if self.reason else ""
        return f"{self.card.name} [{self.setting}]: {self.outcome}{reason}"

    def __repr__(self) -> str:
        return f"<Verdict {self}>"

    def _repr_html_(self) -> str:
        rows = {
            "theorem": f"{self.card.name}: {self.card.title}",
            "setting": self.setting,
            "verdict": self.outcome,
        }
        if self.reason:
            rows["because"] = self.reason.replace("$", "")
        if self.worst_time is not None:
            rows["tightness"] = f"{self.tightness:.4g} at {self.clock} {self.worst_time}"
        if self.fit is not None:
            rows["measured rate"] = self.fit.describe(self.clock)
        if self.stated_rate:
            rows["stated rate"] = self.stated_rate
        if self.replicates > 1:
            rows["replicates"] = str(self.replicates)
        cells = "".join(f"<tr><th>{key}</th><td>{html.escape(value)}</td></tr>" for key, value in rows.items())
        return f"<table>{cells}</table>"
