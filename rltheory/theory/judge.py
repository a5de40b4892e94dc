r"""The judge: a pure function from what was observed to a verdict's outcome.

Rounding enters in one place. The theorem states an absolute allowance for its setting, which is added to the bound: far
above it the ratio of the sides is measured / bound, and far below it, where both sides are noise, the ratio is small.

Chance enters through evidence that is valid at any time (:mod:`rltheory.theory.sequential`), at two levels. A claim is
REFUTED when the evidence against it is worth the level `refute`; over T recorded times the level is divided equally,
since any of them may refute. It HOLDS when the evidence for it is worth the level `hold` at each recorded time; no
division is needed, since all times must agree: if the claim is false, it is false at some time, and there the evidence
misleads with probability `hold` at most.

Where the constants of a statement are recalled, the ratio of the sides says nothing, and the fitted rate is judged in
its place: how far the measured curve falls behind the stated rate from one end of the fitted window to the other. The
only floor that this fit allows for is the allowance for rounding, so that a plateau above it counts against the claim.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Array, Matrix, Times, Vector
from rltheory.theory.claims import (
    EveryStep,
    Existence,
    Identity,
    InExpectation,
    Scope,
    Status,
    WithProbability,
)
from rltheory.theory.rates import Form, RateFit, fit_rate
from rltheory.theory.sequential import (
    evidence_above,
    failure_evidence,
    failure_interval,
    mean_interval,
    replicates_for_failures,
    replicates_for_means,
)

__all__ = ["Judgement", "Levels", "Observation", "confidence", "judge", "measured_rate"]

RELATIVE_ROUNDING = 1e-6  # relative error that an inequality may owe to rounding
RELATIVE_ERROR = 1e-8  # relative difference that the two sides of an identity may owe to rounding
BEHIND = math.log(1.25)  # to fall behind the stated rate by less, over the window of the fit, is no matter
TILT = math.sqrt(12)  # the most by which deviations of variance 1 raise one end of the best line against the other
USUAL_TILT = TILT / 2  # noise, and waves of 1.25 periods or more on the window, raise it by less
CLOSING = 0.1  # a curve whose late half makes up for this part of what it lacks may still reach the stated rate


@dataclass(frozen=True)
class Levels:
    """Error probabilities of the two decisions that chance can make wrong.

    Parameters
    ----------
    hold
        Largest probability of HOLDS where the claim is false, in (0, 1).
    refute
        Largest probability of REFUTED where the claim is true, in (0, 1).
    """

    hold: float = 0.05
    refute: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("hold", "refute"):
            level = getattr(self, name)
            if not 0 < level < 1:
                raise ValueError(f"the level {name} is {level}; it must lie strictly between 0 and 1")


DEFAULT_LEVELS = Levels()


@dataclass(frozen=True, eq=False)
class Observation:
    """What was measured and what is stated, as plain arrays.

    Parameters
    ----------
    kind
        Name of the kind of claim.
    clock
        What one unit of time is.
    times : array, shape (T,)
        Recorded times.
    samples : array, shape (R, T)
        Measured curves, one row for each replicate.
    bound : array, shape (T,)
        Stated curve.
    rounding
        Absolute allowance for rounding.
    low, high : array, shape (T,), optional
        Proved range of the measured quantity, for claims in expectation.
    delta : optional
        Allowed failure rate, for claims with probability 1 - delta.
    form, stated : optional
        Family of the stated rate, and its number.
    scope
        Whether the bound is judged, or the rate alone.
    """

    kind: str
    clock: str
    times: Times
    samples: Matrix
    bound: Vector
    rounding: float
    low: Vector | None = None
    high: Vector | None = None
    delta: float | None = None
    form: Form | None = None
    stated: float | None = None
    scope: Scope = Scope.BOUND


@dataclass(frozen=True, eq=False)
class Judgement:
    """What follows from an observation.

    Parameters
    ----------
    status
        The outcome.
    measured : array, shape (T,)
        The curve that is compared with the bound: the only one, the mean, or the quantile 1 - delta of the replicates.
    ratio : array, shape (T,)
        Part of the allowance that the measured curve uses; where only the rate is judged it does not decide.
    tightness, worst_time
        Largest ratio, and where.
    reason
        Where and how a claim that is refuted fails, or what an undecided one lacks.
    failures : optional
        Number of failing replicates, for claims with probability 1 - delta.
    needed : optional
        For UNDECIDED, about how many replicates would decide, at the present rate of evidence.
    levels
        The levels at which it was judged.
    """

    status: Status
    measured: Vector
    ratio: Vector
    tightness: float
    worst_time: int | None
    reason: str
    levels: Levels
    failures: int | None = None
    needed: int | None = None


def judge(observation: Observation, levels: Levels = DEFAULT_LEVELS) -> Judgement:
    """Judge an observation.

    Examples
    --------
    >>> coins = np.zeros((100, 1))
    >>> seen = Observation("with probability 1 - delta", "run", np.array([1]), coins, np.ones(1), 0.0, delta=0.05)
    >>> judge(seen).status.value, judge(seen, Levels(hold=1e-9)).needed
    ('HOLDS', 469)
    """
    if observation.scope is Scope.RATE:
        return _judge_rate(observation, levels)
    judges = {
        EveryStep.name: _judge_every_step,
        Identity.name: _judge_identity,
        InExpectation.name: _judge_mean,
        WithProbability.name: _judge_failures,
        Existence.name: _judge_witness,
    }
    return judges[observation.kind](observation, levels)


def measured_rate(seen: Observation) -> RateFit | None:
    """Fit the rate of an observation that states one; None where there is none, or the curve allows no fit.

    Where the rate alone is judged, the curve may stall at the allowance for rounding and nowhere else.
    """
    if seen.form is None or not seen.times.size:
        return None
    floor = seen.rounding if seen.scope is Scope.RATE else None
    return fit_rate(seen.times, seen.samples, seen.form, floor=floor)


def _judge_rate(seen: Observation, levels: Levels) -> Judgement:
    measured = seen.samples[0]
    ratio = _share(measured, seen.bound + seen.rounding)
    worst = int(np.argmax(ratio))
    status, reason = _compare_rates(seen, measured_rate(seen))
    return Judgement(status, measured, ratio, float(ratio[worst]), int(seen.times[worst]), reason, levels)


def _compare_rates(seen: Observation, fit: RateFit | None) -> tuple[Status, str]:
    """Whether the measured curve falls behind the stated rate, and the reason if it does, or if nothing can be said."""
    assert seen.form is not None
    assert seen.stated is not None
    if fit is None:
        return Status.UNDECIDED, "too few recorded times between transient and rounding to fit a rate"
    form, stated = seen.form, seen.form.slope(seen.stated)
    first, last = form.axis(fit.window)
    lag, still = ((slope - stated) * (last - first) for slope in (form.slope(fit.rate), 0.0))
    tilt, usual_tilt = TILT * fit.residual, USUAL_TILT * fit.residual
    would_show = not 0 < still <= BEHIND + usual_tilt  # whether a curve that stands still would look slower
    if lag <= (BEHIND if would_show else -usual_tilt):
        return Status.HOLDS, ""
    where = f"from {seen.clock} {fit.window[0]} to {fit.window[1]}"
    rates = f"the measured rate is {fit.describe(seen.clock)}, the stated one {form.describe(seen.stated, seen.clock)}"
    if lag <= BEHIND + tilt:
        return Status.UNDECIDED, f"{where} {rates}; this stretch is too short or too rough to tell"
    early, late = form.slope(fit.early), form.slope(fit.late)
    if early - late > CLOSING * (late - stated):
        return Status.UNDECIDED, f"{where} {rates}, but the curve still steepens"
    return Status.REFUTED, f"{where} {rates}; the curve falls behind by a factor of 10^{lag / math.log(10):.2g}"


def _judge_every_step(seen: Observation, levels: Levels) -> Judgement:
    measured = seen.samples[0]
    ratio = _share(measured, seen.bound + seen.rounding)
    return _certain(seen, measured, ratio, 1 + RELATIVE_ROUNDING, "is above the bound", levels)


def _judge_identity(seen: Observation, levels: Levels) -> Judgement:
    measured = seen.samples[0]
    ratio = _share(np.abs(measured - seen.bound), RELATIVE_ERROR * np.abs(seen.bound) + seen.rounding)
    return _certain(seen, measured, ratio, 1.0, "differs from", levels)


def _certain(
    seen: Observation, measured: Vector, ratio: Vector, limit: float, relation: str, levels: Levels
) -> Judgement:
    """Judgement in which chance has no part."""
    worst = int(np.argmax(ratio))
    holds = bool(ratio[worst] <= limit)
    where = f"at {seen.clock} {seen.times[worst]}"
    reason = "" if holds else f"{where} the measured {measured[worst]:.6g} {relation} {seen.bound[worst]:.6g}"
    status = Status.HOLDS if holds else Status.REFUTED
    return Judgement(status, measured, ratio, float(ratio[worst]), int(seen.times[worst]), reason, levels)


def _judge_witness(seen: Observation, levels: Levels) -> Judgement:
    passes = seen.samples[0]
    if passes.size == 0:
        return Judgement(Status.REFUTED, passes, passes, math.inf, None, "there is no witness", levels)
    failing = np.flatnonzero(passes != 1)
    status = Status.REFUTED if failing.size else Status.HOLDS
    worst = int(failing[0]) if failing.size else 0
    reason = "the witness fails its own check" if failing.size else ""
    ratio = (passes != 1).astype(np.float64)
    return Judgement(status, passes, ratio, float(ratio[worst]), int(seen.times[worst]), reason, levels)


def _judge_mean(seen: Observation, levels: Levels) -> Judgement:
    values, stated = _scaled(seen, seen.samples), _scaled(seen, seen.bound * (1 + RELATIVE_ROUNDING) + seen.rounding)
    against = evidence_above(values, stated)
    # A bound at or above the largest possible value needs no evidence.
    support = np.where(stated >= 1, np.inf, evidence_above(1 - values, 1 - stated))
    refute, hold = math.log(seen.times.size / levels.refute), -math.log(levels.hold)
    mean = seen.samples.mean(axis=0)
    ratio = _share(mean, seen.bound + seen.rounding)
    worst, needed, reason = int(np.argmax(ratio)), None, ""
    if against.max() >= refute:
        status, worst = Status.REFUTED, int(np.argmax(against))
        reason = (
            f"at {seen.clock} {seen.times[worst]} the mean {mean[worst]:.6g} is above the bound {seen.bound[worst]:.6g}"
        )
    elif support.min() >= hold:
        status = Status.HOLDS
    else:
        status = Status.UNDECIDED
        if ratio[worst] > 1:
            estimate = replicates_for_means(values, stated, refute).min()
        else:
            unsettled = support < hold
            estimate = replicates_for_means(1 - values[:, unsettled], 1 - stated[unsettled], hold).max()
        needed, reason = _lacking(seen, estimate)
    return Judgement(status, mean, ratio, float(ratio[worst]), int(seen.times[worst]), reason, levels, needed=needed)


def _scaled(seen: Observation, values: Array) -> Array:
    """Values in units of the proved range."""
    assert seen.low is not None
    assert seen.high is not None
    scaled: Array = (values - seen.low) / (seen.high - seen.low)
    return scaled


def _judge_failures(seen: Observation, levels: Levels) -> Judgement:
    assert seen.delta is not None
    ratios, failures = _failures(seen)
    against, support = failure_evidence(failures, seen.delta)
    refute, hold = -math.log(levels.refute), -math.log(levels.hold)
    needed, reason = None, ""
    if against >= refute:
        status = Status.REFUTED
        reason = f"{failures.sum()} of {failures.size} replicates fail; allowed is a rate of {seen.delta:g}"
    elif support >= hold:
        status = Status.HOLDS
    else:
        status = Status.UNDECIDED
        threshold = refute if failures.mean() > seen.delta else hold
        needed, reason = _lacking(seen, replicates_for_failures(failures, seen.delta, threshold))
    measured, ratio = (np.quantile(curves, 1 - seen.delta, axis=0) for curves in (seen.samples, ratios))
    tightness, time = float(np.quantile(ratios.max(axis=1), 1 - seen.delta)), int(seen.times[np.argmax(ratio)])
    count = int(failures.sum())
    return Judgement(status, measured, ratio, tightness, time, reason, levels, failures=count, needed=needed)


def _lacking(seen: Observation, estimate: float) -> tuple[int | None, str]:
    """About how many replicates would decide, and the reason that says so."""
    replicates = len(seen.samples)
    if not math.isfinite(estimate):
        return None, f"after {replicates} replicates the evidence points nowhere"
    needed = max(math.ceil(estimate), replicates + 1)
    return needed, f"after {replicates} replicates; about {needed} would decide"


def _failures(seen: Observation) -> tuple[Matrix, NDArray[np.bool_]]:
    """Ratios of the sides, and for each replicate whether it exceeds the bound anywhere."""
    ratios = _share(seen.samples, seen.bound + seen.rounding)
    return ratios, ratios.max(axis=1) > 1 + RELATIVE_ROUNDING


def confidence(seen: Observation, level: float = 0.05) -> tuple[Array, Array]:
    """Confidence limits, valid at any number of replicates, of what the claim speaks of.

    For a claim in expectation these are limits of the mean at each recorded time, in itself; for a claim with
    probability 1 - delta, of the failure rate.

    Raises
    ------
    ValueError
        If chance has no part in the claim.
    """
    if seen.kind == InExpectation.name:
        assert seen.low is not None
        assert seen.high is not None
        low, high = mean_interval(_scaled(seen, seen.samples), level)
        width = seen.high - seen.low
        return seen.low + width * low, seen.low + width * high
    if seen.kind == WithProbability.name:
        lowest, highest = failure_interval(_failures(seen)[1], level)
        return np.array([lowest]), np.array([highest])
    raise ValueError(f"a claim of kind {seen.kind!r} leaves nothing to chance; it has no confidence limits")


def _share(part: Array, whole: Array) -> Array:
    """Quotient, where 0 / 0 is 0 and a positive part of nothing is infinite."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.where(part > 0, np.inf, 0.0), where=whole > 0)
