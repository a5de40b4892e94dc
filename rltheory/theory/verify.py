"""Run theorems on settings, add replicates until each is decided or the budget is spent, and judge."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Times, Vector, count
from rltheory.simulation import Workers, fingerprint, stream
from rltheory.simulation.experiments import versions
from rltheory.theory.claims import BY_CONSTRUCTION, Existence, Identity, InExpectation, Scope, Status, WithProbability
from rltheory.theory.judge import Judgement, Levels, Observation, judge
from rltheory.theory.rates import Form
from rltheory.theory.theorem import Theorem
from rltheory.theory.verdict import Verdict
from rltheory.trace import Trace

__all__ = ["verify"]

FIRST_BATCH = 32
DEFAULT_BUDGET = 2048


class _ContractError(Exception):
    """A theorem object broke its contract; the message names the rule."""


@dataclass
class _Case:
    """One theorem in one setting, and what has been seen of it."""

    place: int
    theorem: Theorem[Any]
    setting: Any
    clock: str = ""
    times: Times = field(default_factory=lambda: np.empty(0, np.int64))
    bound: Vector = field(default_factory=lambda: np.empty(0))
    samples: list[Vector] = field(default_factory=list)
    judgement: Judgement | None = None
    seconds: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether more replicates could still tell."""
        return self.judgement is None or (self.by_chance and self.judgement.status is Status.UNDECIDED)

    @property
    def by_chance(self) -> bool:
        """Whether the claim speaks of more than one run."""
        return isinstance(self.theorem.kind, (InExpectation, WithProbability))


@dataclass
class _Work:
    """The runs of one algorithm on one setting, and the cases that share them."""

    run: Callable[[Any, np.random.Generator], Trace]
    setting: Any
    address: str
    cases: list[_Case]
    done: int = 0

    def wanted(self, budget: int) -> int:
        """Replicates that undecided cases want next: one, or twice as many as there are."""
        open_cases = [case for case in self.cases if case.is_open]
        if any(case.by_chance for case in open_cases):
            return min(max(FIRST_BATCH, 2 * self.done), budget)
        return 1 if open_cases else 0

    def chunks(self, budget: int, workers: int) -> Iterator[tuple["_Work", range]]:
        """The next replicates, in pieces large enough to be worth a task and small enough to share."""
        wanted = self.wanted(budget)
        size = max(1, (wanted - self.done) // (32 * workers))
        for start in range(self.done, wanted, size):
            yield self, range(start, min(start + size, wanted))


def verify(
    theorems: Theorem[Any] | Iterable[Theorem[Any]],
    *,
    settings: Iterable[Any] | None = None,
    seed: int = 0,
    levels: Levels | None = None,
    budget: int = DEFAULT_BUDGET,
    workers: int | None = None,
    progress: bool = False,
) -> list[Verdict]:
    """Judge theorems on settings, in parallel.

    Theorems that share a run share the work in settings they have in common. Claims in which chance has a part get 32
    replicates at first, then twice as many, until they are decided or the budget is spent. A theorem that breaks its
    contract gets a verdict that says so, and the others are judged all the same.

    Parameters
    ----------
    theorems
        One theorem or several.
    settings
        Where to judge them; by default each theorem's own settings.
    seed
        Root of all random streams.
    levels
        Error probabilities, by default 5 % for HOLDS and 1e-6 for REFUTED.
    budget
        Largest number of replicates for a setting.
    workers
        Threads; as many as there are cores by default. The numbers do not depend on it.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    list of Verdict
        Theorem by theorem, in the order given.

    Examples
    --------
    >>> from rltheory.theorems import find
    >>> verdicts = verify(find("nash-mp/kl"))
    >>> {verdict.status.value for verdict in verdicts}
    {'HOLDS'}
    """
    levels, budget = levels or Levels(), count(budget, "budget", at_least=1)
    cases = _cases([theorems] if isinstance(theorems, Theorem) else list(theorems), settings)
    works: dict[tuple[Any, str], _Work] = {}
    for case in cases:
        if _applies(case, levels):
            address = fingerprint(case.setting)
            key = (case.theorem.run, address)
            works.setdefault(key, _Work(case.theorem.run, case.setting, address, [])).cases.append(case)
    with Workers(workers, progress=progress) as pool:
        while pending := [work for work in works.values() if work.wanted(budget) > work.done]:
            chunks = [chunk for work in pending for chunk in work.chunks(budget, pool.count)]
            rows = pool.map(lambda chunk: _run_chunk(*chunk, seed), chunks, label=_label)
            for (work, replicates), row in zip(chunks, rows, strict=True):
                _collect(work, replicates, row, levels)
                work.done = replicates.stop
            seen = [case for work in pending for case in work.cases if case.is_open]
            for case, judgement in zip(seen, pool.map(lambda case: _judge(case, levels), seen), strict=True):
                case.judgement = judgement
    return [_verdict(case, seed) for case in cases]


def _cases(theorems: list[Theorem[Any]], settings: Iterable[Any] | None) -> list[_Case]:
    shared = None if settings is None else list(settings)
    pairs = ((theorem, s) for theorem in theorems for s in (theorem.settings() if shared is None else shared))
    return [_Case(place, theorem, setting) for place, (theorem, setting) in enumerate(pairs)]


def _applies(case: _Case, levels: Levels) -> bool:
    try:
        with _blame("a hypothesis failed to evaluate"):
            failed = case.theorem.failed_hypothesis(case.setting)
    except _ContractError as error:
        case.judgement = _nothing(Status.BROKEN, str(error), levels)
        return False
    if failed is not None:
        case.judgement = _nothing(Status.NOT_APPLICABLE, f"the hypothesis {failed} fails", levels)
    return failed is None


def _label(chunk: tuple[_Work, range]) -> str:
    work, _ = chunk
    return f"{work.cases[0].theorem.group} [{work.setting}]"


@dataclass
class _Curves:
    """What one replicate shows of one case."""

    clock: str
    times: Times
    measured: Vector
    bound: Vector


def _run_chunk(work: _Work, replicates: range, seed: int) -> tuple[list[list[_Curves | _ContractError]], list[float]]:
    """Curves of every case in every replicate of the chunk, and the seconds that each took."""
    rows: list[list[_Curves | _ContractError]] = []
    seconds = []
    for replicate in replicates:
        began = perf_counter()
        rng = stream(seed, work.run.__module__, work.run.__qualname__, work.address, replicate)
        try:
            with _blame("its run failed"):
                trace = work.run(work.setting, rng)
            if not isinstance(trace, Trace):
                raise _ContractError(f"its run returned {type(trace).__name__}; it must return a Trace")
        except _ContractError as error:
            rows.append([error for _ in work.cases])
        else:
            rows.append([_look(case, trace) for case in work.cases])
        seconds.append(perf_counter() - began)
    return rows, seconds


def _look(case: _Case, trace: Trace) -> _Curves | _ContractError:
    """Both sides of a case on a trace, or what is wrong with them."""
    theorem, setting = case.theorem, case.setting
    try:
        measured = _side(theorem.measured, "measured", setting, trace)
        bound = _side(theorem.bound, "bound", setting, trace)
        if not isinstance(theorem.kind, Identity) and (bound < 0).any():
            raise _ContractError(f"its bound is {bound.min():g} somewhere; the bound of an inequality must be >= 0")
    except _ContractError as error:
        return error
    spoken_of = trace.times >= theorem.since
    if not spoken_of.any() and not isinstance(theorem.kind, Existence):
        return _ContractError(f"its run records no {trace.clock} of which it speaks, from {theorem.since} on")
    return _Curves(trace.clock, trace.times[spoken_of], measured[spoken_of], bound[spoken_of])


def _side(side: Callable[[Any, Trace], ArrayLike], name: str, setting: Any, trace: Trace) -> Vector:
    with _blame(f"its {name} side failed"):
        curve = np.asarray(side(setting, trace), dtype=np.float64)
        curve = np.broadcast_to(curve, trace.times.shape) if curve.ndim == 0 else curve
    if curve.shape != trace.times.shape:
        raise _ContractError(f"its {name} side has shape {curve.shape}; expected {trace.times.shape}")
    if not np.isfinite(curve).all():
        place = int(np.argmin(np.isfinite(curve)))
        where = f"{trace.clock} {trace.times[place]}"
        raise _ContractError(f"its {name} side is {curve[place]} at {where}; it must be finite")
    return curve


def _collect(
    work: _Work,
    replicates: range,
    chunk: tuple[list[list[_Curves | _ContractError]], list[float]],
    levels: Levels,
) -> None:
    """Add the curves of a chunk to the cases of a work; the first broken contract of a case stays its verdict."""
    for replicate, row, seconds in zip(replicates, *chunk, strict=True):
        for case, curves in zip(work.cases, row, strict=True):
            # What a case has seen when it is decided is all that it will see, whatever others share its runs.
            if not case.is_open or (replicate > 0 and not case.by_chance):
                continue
            case.seconds += seconds
            try:
                _add(case, curves)
            except _ContractError as error:
                case.judgement = _nothing(Status.BROKEN, str(error), levels)


def _add(case: _Case, curves: _Curves | _ContractError) -> None:
    if isinstance(curves, _ContractError):
        raise curves
    if not case.samples:
        case.clock, case.times, case.bound = curves.clock, curves.times, curves.bound
    elif not np.array_equal(curves.times, case.times):
        raise _ContractError("its replicates record different times; a claim about chance compares them time by time")
    elif not np.array_equal(curves.bound, case.bound):
        raise _ContractError(
            "its bound differs between replicates; a claim about chance needs one that chance leaves alone"
        )
    case.samples.append(curves.measured)


def _judge(case: _Case, levels: Levels) -> Judgement:
    began = perf_counter()
    try:
        judgement = judge(_observation(case), levels)
    except _ContractError as error:
        judgement = _nothing(Status.BROKEN, str(error), levels)
    case.seconds += perf_counter() - began
    return judgement


def _observation(case: _Case) -> Observation:
    kind, setting = case.theorem.kind, case.setting
    low = high = delta = None
    samples = np.array(case.samples)
    with _blame("its allowance for rounding failed"):
        rounding = float(kind.rounding(setting))
    if isinstance(kind, InExpectation):
        with _blame("its proved range failed"):
            low, high = (
                np.broadcast_to(np.asarray(f(setting), float), case.times.shape) for f in (kind.low, kind.high)
            )
        if not (low < high).all():
            raise _ContractError("the low end of its proved range is not below the high end")
        outside = (samples < low - rounding) | (samples > high + rounding)
        if outside.any():
            replicate, place = np.argwhere(outside)[0]
            found = f"{samples[replicate, place]:.6g} at {case.clock} {case.times[place]}"
            proved = f"[{low[place]:.6g}, {high[place]:.6g}]"
            raise _ContractError(f"replicate {replicate} measures {found}, outside of its proved range {proved}")
        samples = samples.clip(low, high)
    if isinstance(kind, WithProbability):
        with _blame("its failure rate delta failed"):
            delta = float(kind.delta(setting))
        if not 0 < delta < 1:
            raise _ContractError(f"its failure rate delta is {delta:g}; it must lie strictly between 0 and 1")
    form, stated = _stated_rate(case)
    scope = case.theorem.scope
    return Observation(
        kind.name, case.clock, case.times, samples, case.bound, rounding, low, high, delta, form, stated, scope
    )


def _stated_rate(case: _Case) -> tuple[Form | None, float | None]:
    """Family and number of the stated rate."""
    rate = case.theorem.rate
    if rate is None:
        return None, None
    with _blame("its stated rate failed"):
        stated = rate.stated(case.setting)
    if case.theorem.scope is Scope.RATE:
        assert stated is not None
        if not math.isfinite(stated) or (stated <= 0 and not rate.form.log_time):
            raise _ContractError(f"its stated rate is {stated:g}; it must be finite, and a factor > 0")
    return rate.form, stated


def _nothing(status: Status, reason: str, levels: Levels) -> Judgement:
    """Judgement where nothing was observed."""
    return Judgement(status, np.empty(0), np.empty(0), float("nan"), None, reason, levels)


def _verdict(case: _Case, seed: int) -> Verdict:
    theorem, setting, judgement = case.theorem, case.setting, case.judgement
    assert judgement is not None
    nothing = Observation(
        theorem.kind.name, "", np.empty(0, np.int64), np.empty((0, 0)), np.empty(0), math.nan, scope=theorem.scope
    )
    observed = judgement.status not in (Status.NOT_APPLICABLE, Status.BROKEN)
    observation = _observation(case) if observed else nothing
    return Verdict(
        card=theorem.card,
        setting=str(setting),
        parameters=_parameters(setting),
        hypotheses=_hypotheses(case),
        observation=observation,
        judgement=judgement,
        vacuous=_is_vacuous(case, judgement),
        seed=seed,
        seconds=case.seconds,
        versions=_versions(),
    )


def _is_vacuous(case: _Case, judgement: Judgement) -> bool:
    trivial = case.theorem.trivial
    if trivial is None or judgement.worst_time is None or case.theorem.scope is Scope.RATE:
        return False
    worst = np.searchsorted(case.times, judgement.worst_time)
    return bool(case.bound[worst] >= trivial(case.setting))


def _hypotheses(case: _Case) -> dict[str, str]:
    if case.judgement is not None and case.judgement.status is Status.NOT_APPLICABLE:
        return {str(case.theorem.failed_hypothesis(case.setting)): "failed"}
    hypotheses = case.theorem.hypotheses.items()
    return {text: BY_CONSTRUCTION if test is BY_CONSTRUCTION else "checked" for text, test in hypotheses}


def _parameters(setting: Any) -> Mapping[str, Any]:
    """Numbers and strings of a setting as they are, arrays as lists, problems by name and digest.

    JSON has no infinity, so that one is told as a string.
    """
    return (
        {part.name: _described(getattr(setting, part.name)) for part in fields(setting)}
        if is_dataclass(setting)
        else {}
    )


def _described(value: Any) -> Any:
    if hasattr(value, "digest"):
        return {"title": str(value), "digest": value.digest}
    if is_dataclass(value):
        return _parameters(value)
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, tuple | list):
        return [_described(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def _blame(what: str) -> Iterator[None]:
    """Turn any error inside into a broken contract."""
    try:
        yield
    except Exception as error:
        raise _ContractError(f"{what} ({type(error).__name__}: {error})") from error


def _versions() -> dict[str, str]:
    return {name: version for name, version in versions().items() if name != "sources"}
