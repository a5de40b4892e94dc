"""The search for the setting in which a bound comes closest to breaking.

Settings are drawn from the theorem's strategy, and the best of them improved: a few climbers, each a (1+1)
evolution strategy, move through the positive numbers of a setting (on a logarithmic scale), its distributions (by their
logarithms), its payoffs, and the rewards and laws of its processes, inside the box that the draws span. Climbers that
get stuck start again elsewhere, and drawing goes on meanwhile.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import chain, islice
from itertools import count as counting
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from rltheory.arrays import SUM_TOLERANCE, Array, Vector, count, positive
from rltheory.problems import MDP, PreferenceGame
from rltheory.problems.mdp import DenseArrays, DeterministicArrays, SparseArrays
from rltheory.simplex import log_normalize
from rltheory.simulation import stream
from rltheory.theory.claims import Scope, Status
from rltheory.theory.settings import Storable, save_setting, setting_from_dict, setting_to_dict
from rltheory.theory.theorem import Theorem
from rltheory.theory.verdict import Verdict
from rltheory.theory.verify import verify

__all__ = ["Finding", "check_falsifiable", "falsify"]

BATCH = 8  # settings between two looks at the clock
CLIMBERS = 6  # each moves once in a batch; the rest is drawn
DRAWN_AT_FIRST = 64  # default settings included, before any is improved
DRAWN_AT_ONCE = 50  # examples from one run of Hypothesis
PATIENCE = 60  # moves without progress before a climber starts again
FIRST_STRIDE = 0.1  # standard deviation of a move, over the width of the box
LONGER, SHORTER = 1.5, 1.5**-0.25  # a stride grows by success and shrinks by failure: one in five keeps it
LEAST_LOGARITHM = -700.0  # probabilities stay clear of underflow
SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True, eq=False)
class Finding:
    """The worst setting that a search found.

    Parameters
    ----------
    theorem
        Name of the theorem.
    setting
        The setting with the largest ratio.
    verdict
        The verdict on it; :func:`~rltheory.theory.verify` repeats it bit for bit.
    ratio
        Largest part of what the theorem allows that was used; above 1 the claim fails.
    evaluations
        Settings tried. Given the same seed, this number determines the finding.
    drawn, improved
        How many of them were drawn, default settings included, and how many were moves from a better one.
    seed
        Seed of the search. The runs use the root seed of `verify`.
    seconds
        Duration.
    history : array, shape (evaluations,)
        Best ratio after each evaluation.
    """

    theorem: str
    setting: Any
    verdict: Verdict
    ratio: float
    evaluations: int
    drawn: int
    improved: int
    seed: int
    seconds: float
    history: Vector

    def save(self, path: str | Path) -> None:
        """Write the setting to a file from which it can be replayed.

        Raises
        ------
        OSError
            If the file can't be written.
        """
        save_setting(path, self.theorem, self.setting)

    def __str__(self) -> str:
        return f"{self.verdict}, worst of {self.evaluations} settings: {self.ratio:.6g} of what is allowed"

    def __repr__(self) -> str:
        return f"<Finding {self}>"


def check_falsifiable(theorem: Theorem[Any]) -> None:
    """Refuse a theorem without a strategy, or without a bound to break.

    Raises
    ------
    ValueError
        If the theorem has no strategy, or its constants are recalled. The message names it.
    """
    if theorem.scope is Scope.RATE:
        raise ValueError(f"{theorem.name} has recalled constants, and so no bound to break; verify judges its rate")
    if theorem.strategy is None:
        raise ValueError(f"{theorem.name} has no strategy to draw settings from")


def falsify(
    theorem: Theorem[Any],
    *,
    seconds: float = 60.0,
    evaluations: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Finding:
    """Search for the setting in which a theorem's bound comes closest to breaking, or breaks.

    Only settings that satisfy all hypotheses are tried. Finding nothing proves nothing; and where chance has a part the
    search favours unlucky runs, so that the setting found deserves another verdict, with another root seed.

    Parameters
    ----------
    theorem
        The theorem; it needs a strategy, and constants that are not recalled.
    seconds
        Budget of time, > 0, where `evaluations` is not given. It is checked after every few evaluations.
    evaluations
        Number of settings to try, >= 1, however long it takes. With the same seed, the same number gives the same
        finding.
    seed
        Seed of the search, >= 0.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    Finding
        The worst setting, the verdict on it, and how it was found.

    Raises
    ------
    ValueError
        If the theorem has no strategy, or recalled constants; if its strategy yields nothing that satisfies the
        hypotheses, a setting cannot be stored, or the theorem breaks its contract in some setting.

    Examples
    --------
    >>> from rltheory.theorems import find
    >>> finding = falsify(*find("nash-mp/half-iterate"), evaluations=50)
    >>> finding.verdict.status.value, 0.1 < finding.ratio < 1
    ('HOLDS', True)
    """
    check_falsifiable(theorem)
    seconds, seed = positive(seconds, "seconds"), count(seed, "seed")
    limit = None if evaluations is None else count(evaluations, "evaluations", at_least=1)
    began = perf_counter()
    search = _Search(theorem, seed)
    with _shown(theorem.name, seconds, limit, shown=progress) as show:
        left = limit or BATCH
        while left > 0:
            search.advance(min(BATCH, left))
            spent = perf_counter() - began
            if limit is not None:
                left = limit - len(search.history)
            elif spent > seconds:
                left = 0
            show(len(search.history), spent, search.best.ratio)
    (verdict,) = verify(theorem, settings=[search.best.setting])
    return Finding(
        theorem=theorem.name,
        setting=search.best.setting,
        verdict=verdict,
        ratio=verdict.tightness,
        evaluations=len(search.history),
        drawn=len(search.history) - search.improved,
        improved=search.improved,
        seed=seed,
        seconds=perf_counter() - began,
        history=np.array(search.history),
    )


@dataclass(frozen=True)
class _Tried:
    """A setting with its coordinates and its ratio."""

    setting: Any
    at: dict[str, Vector]
    ratio: float


@dataclass
class _Climber:
    """One evolution strategy: where it stands, and how far it moves in each group of coordinates."""

    top: _Tried
    strides: dict[str, float] = field(default_factory=dict)
    failures: int = 0

    def learn(self, strides: dict[str, float], result: _Tried | None) -> None:
        """Take what a move has brought, None if it was not admissible."""
        success = result is not None and result.ratio > self.top.ratio
        if result is not None and success:
            self.top = result
        self.failures = 0 if success else self.failures + 1
        for name, stride in strides.items():
            self.strides[name] = min(stride * (LONGER if success else SHORTER), 1.0)


@dataclass(frozen=True)
class _Move:
    """What a climber tries next, and the strides that led there."""

    climber: _Climber
    strides: dict[str, float]
    setting: Any


class _Search:
    """State of a search; it advances by batches, which `verify` judges in parallel."""

    def __init__(self, theorem: Theorem[Any], seed: int) -> None:
        self.theorem = replace(theorem, rate=None)  # a fit for every candidate would take longer than the run
        self.rng = stream(seed, "falsify", theorem.name)
        self.fresh = _fresh_settings(theorem, seed)
        self.box: dict[str, tuple[float, float]] = {}
        self.waiting: list[_Tried] = []  # drawn, and not yet climbed from
        self.climbers: list[_Climber] = []
        self.history: list[float] = []
        self.improved = 0
        self.best: _Tried

    def advance(self, most: int) -> None:
        """Try a batch of settings, `most` of them at most: moves, filled up with draws."""
        moves = [] if len(self.history) < DRAWN_AT_FIRST else self._moves()[:most]
        drawn = list(islice(self.fresh, min(BATCH, most) - len(moves)))
        tried = self.judge([*(move.setting for move in moves), *drawn])
        for move, result in zip(moves, tried, strict=False):
            move.climber.learn(move.strides, result)
        self.improved += len(moves)
        self.admit(tried[len(moves) :])

    def judge(self, settings: list[Any]) -> list[_Tried]:
        """Ratios of settings, which also enter the history."""
        tried = []
        for setting, verdict in zip(settings, verify(self.theorem, settings=settings), strict=True):
            if verdict.status is Status.BROKEN:
                raise ValueError(str(verdict))
            tried.append(_Tried(setting, _coordinates(setting), verdict.tightness))
            if not self.history or verdict.tightness > self.best.ratio:
                self.best = tried[-1]
            self.history.append(self.best.ratio)
        return tried

    def admit(self, drawn: list[_Tried]) -> None:
        """Let climbers start from settings that were drawn, and the box hold them."""
        self.waiting = sorted([*self.waiting, *drawn], key=lambda tried: tried.ratio)
        for tried in drawn:
            for name, values in tried.at.items():
                low, high = self.box.get(name, (math.inf, -math.inf))
                self.box[name] = min(low, float(values.min())), max(high, float(values.max()))

    def _moves(self) -> list[_Move]:
        while len(self.climbers) < CLIMBERS:
            self.climbers.append(_Climber(self.waiting.pop()))
        for place, climber in enumerate(self.climbers):
            if climber.failures >= PATIENCE:
                elsewhere = self.waiting and self.rng.random() < 0.5
                self.climbers[place] = _Climber(self.waiting.pop() if elsewhere else self.best)
        return [move for climber in self.climbers if (move := self.move(climber)) is not None]

    def move(self, climber: _Climber) -> _Move | None:
        """Move some groups of coordinates; None if nothing can move, or the setting is no longer admissible."""
        top = climber.top
        free = [name for name in top.at if self.box[name][0] < self.box[name][1]]
        if not free:
            return None
        chosen = [name for name in free if self.rng.random() < 0.5] or free
        strides = {name: climber.strides.get(name, FIRST_STRIDE) for name in chosen}
        shifted = {name: self._shift(top.at[name], stride, self.box[name]) for name, stride in strides.items()}
        try:
            setting = _moved(top.setting, shifted)
        except ValueError:  # the setting's own constructor refuses it
            setting = None
        if setting is None or self.theorem.failed_hypothesis(setting) is not None:
            climber.learn(strides, None)
            return None
        return _Move(climber, strides, setting)

    def _shift(self, values: Vector, stride: float, box: tuple[float, float]) -> Vector:
        """Add normal noise to all values, or to about two of them."""
        low, high = box
        chosen = self.rng.random(values.size) < self.rng.choice([1.0, 2 / (1 + values.size)])
        noise = stride * (high - low) * self.rng.standard_normal(values.size)
        shifted: Vector = np.where(chosen, np.clip(values + noise, low, high), values)
        return shifted


def _fresh_settings(theorem: Theorem[Any], seed: int) -> Iterator[Any]:
    """Default settings, then draws without end; those that violate a hypothesis are left out.

    Each is what a file would give back, so that a stored finding replays.
    """
    for setting in chain(theorem.settings(), chain.from_iterable(_batches(theorem, seed))):
        if theorem.failed_hypothesis(setting) is None:
            yield setting_from_dict(type(setting), setting_to_dict(setting))


def _batches(theorem: Theorem[Any], seed: int) -> Iterator[list[Any]]:
    from rltheory.strategies import examples

    assert theorem.strategy is not None
    strategy = theorem.strategy().filter(lambda setting: theorem.failed_hypothesis(setting) is None)
    for batch in counting():
        draw_seed = int(stream(seed, "falsify", theorem.name, "draws", batch).integers(2**63))
        yield examples(strategy, DRAWN_AT_ONCE, draw_seed)


def _coordinates(value: Any, place: str = "") -> dict[str, Vector]:
    """What of a setting can be moved: each group of coordinates by the place where it stands."""
    if isinstance(value, PreferenceGame):
        return {place: value.payoff[np.triu_indices(value.n, 1)]} if value.n > 1 else {}
    if isinstance(value, MDP):
        rewards = {f"{place}.rewards": value.rewards}
        if isinstance(value.arrays, DeterministicArrays):
            return rewards
        return rewards | {f"{place}.laws": np.log(_probabilities(value.arrays))}
    if isinstance(value, Storable):
        return {}  # its fields are not what it is made from
    if is_dataclass(value) or isinstance(value, tuple):
        inside = (_coordinates(part, f"{place}.{name}") for name, part in _parts(value).items())
        return {name: values for found in inside for name, values in found.items()}
    if isinstance(value, float) and 0 < value < math.inf:
        return {place: np.array([math.log(value)])}
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.size > 1 and _is_distribution(value):
        return {place: np.log(value)}
    return {}


def _is_distribution(value: Array) -> bool:
    return bool((value > 0).all()) and abs(value.sum() - 1) <= SUM_TOLERANCE


def _moved(value: Any, moves: dict[str, Vector], place: str = "") -> Any:
    """Copy of a setting in which the coordinates in `moves` have other values."""
    if place in moves:
        return _rebuilt(value, moves[place])
    if not any(name.startswith(f"{place}.") for name in moves):
        return value
    if isinstance(value, MDP):
        return _changed(value, moves.get(f"{place}.rewards"), moves.get(f"{place}.laws"))
    moved = {name: _moved(part, moves, f"{place}.{name}") for name, part in _parts(value).items()}
    return tuple(moved.values()) if isinstance(value, tuple) else replace(value, **moved)


def _parts(value: Any) -> dict[str, Any]:
    """Items of a tuple by their numbers, or what a dataclass is made from by its name."""
    if isinstance(value, tuple):
        return {str(place): item for place, item in enumerate(value)}
    return {item.name: getattr(value, item.name) for item in fields(value) if item.init}


def _rebuilt(value: Any, at: Vector) -> Any:
    if isinstance(value, PreferenceGame):
        upper = np.zeros((value.n, value.n))
        upper[np.triu_indices(value.n, 1)] = at
        title = value.title and f"near {value.title.removeprefix('near ')}"
        return PreferenceGame.from_payoff(upper - upper.T, value.names, title)
    if isinstance(value, float):
        return math.exp(at[0])
    return np.exp(log_normalize(np.maximum(at, LEAST_LOGARITHM)))


def _probabilities(arrays: DenseArrays | SparseArrays) -> Vector:
    """The positive probabilities of the laws, choice by choice."""
    found: Vector = (
        arrays.transitions[arrays.transitions > 0] if isinstance(arrays, DenseArrays) else arrays.probabilities
    )
    return found


def _changed(mdp: MDP, rewards: Vector | None, laws: Vector | None) -> MDP:
    """Process with other rewards, or with laws that have these logarithms but for a factor."""
    from scipy.sparse import csr_array

    changed: dict[str, Any] = {} if rewards is None else {"rewards": rewards}
    if laws is not None:
        matrix = csr_array(mdp.transition_matrix)
        matrix.data = np.exp(laws)
        matrix.data /= np.repeat(matrix.sum(axis=1), np.diff(matrix.indptr))
        dense = isinstance(mdp.arrays, DenseArrays)
        changed |= {"transitions": matrix.toarray()} if dense else {"probabilities": matrix.data}
    title = mdp.title and f"near {mdp.title.removeprefix('near ')}"
    return MDP.from_data(mdp.to_data() | changed | {"title": title})


@contextmanager
def _shown(
    name: str, seconds: float, limit: int | None, *, shown: bool
) -> Iterator[Callable[[int, float, float], None]]:
    """Show evaluations, time and the largest ratio on standard error: live on a terminal, else every few seconds."""
    if not shown:
        yield lambda done, spent, ratio: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=limit or seconds)
        spoke = 0.0

        def show(done: int, spent: float, ratio: float) -> None:
            nonlocal spoke
            text = f"{name}: {done} settings, largest ratio {ratio:.6g}"
            bar.update(task, description=text, completed=done if limit else spent)
            if bar.disable and spent - spoke > SECONDS_BETWEEN_LINES:
                spoke = spent
                console.print(text, highlight=False)

        yield show
