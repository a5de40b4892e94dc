"""Studies: which theorems and algorithms, on which grids of settings and problems, how often."""

import inspect
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from types import UnionType
from typing import Any, Self, TypeAlias, TypeVar

from rltheory import algorithms, instances
from rltheory.arrays import count
from rltheory.problems import PreferenceGame
from rltheory.problems.preflib import FORMATS
from rltheory.simulation.experiments import Experiment, Plan, canonical
from rltheory.studies.tasks import algorithm_of, build, default_settings, setting_of
from rltheory.theorems import find
from rltheory.theory import Levels, Theorem
from rltheory.theory.settings import load_setting, setting_to_dict
from rltheory.theory.verify import DEFAULT_BUDGET
from rltheory.trace import Trace

__all__ = ["AlgorithmStudy", "Study", "TheoremStudy"]

Table: TypeAlias = Mapping[str, Any]
Place: TypeAlias = tuple[str | int, ...]
T = TypeVar("T")

JUDGE, RUN = "rltheory.studies.tasks:judge", "rltheory.studies.tasks:run"
GIVEN = ("rng", "workers")  # arguments of algorithms that a study does not choose


class _StudyError(ValueError):
    """Something in a study is wrong, at a place such as ``("algorithms", 0, "grid")``."""

    def __init__(self, place: Place, message: str) -> None:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
        super().__init__(f"{where}: {message}" if where else message)
        self.place, self.message = place, message


@contextmanager
def _at(*place: str | int) -> Iterator[None]:
    """Say where in the study an error lies."""
    try:
        yield
    except _StudyError as error:
        raise _StudyError((*place, *error.place), error.message) from error
    except (TypeError, ValueError, OSError) as error:
        raise _StudyError(place, str(error)) from error


def _check_known(key: str, known: Sequence[str], what: str) -> None:
    if key not in known:
        close = get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise _StudyError((key,), f"{what} {key!r} is unknown; {hint}")


@dataclass(frozen=True, kw_only=True)
class TheoremStudy:
    """Theorems, and the settings to judge them in.

    Parameters
    ----------
    names
        Theorems, groups, Python files that define theorems, or settings that :func:`~rltheory.theory.falsify` stored.
    setting
        Values of fields of the setting; without them, and without a grid, the default settings are judged. A game or a
        process is a table that names an ``instance``, a function of :mod:`rltheory.instances`, and its arguments; a
        game can be a table with the ``file`` of its win counts or orders.
    grid
        For each of several fields, or parts of a field such as ``"game.n"``, a list of values; all combinations are
        judged.
    budget, hold, refute
        Most replicates, and error probabilities, as for :func:`~rltheory.theory.verify`.
    """

    names: Sequence[str]
    setting: Table = field(default_factory=dict)
    grid: Table = field(default_factory=dict)
    budget: int = DEFAULT_BUDGET
    hold: float = Levels().hold
    refute: float = Levels().refute

    def experiments(self, seed: int, folder: Path) -> Iterator[Experiment]:
        """One experiment for each theorem and setting; paths are relative to the folder."""
        with _at("budget"):
            count(self.budget, "budget", at_least=1)
        Levels(self.hold, self.refute)
        for place, name in enumerate(_names(self.names)):
            with _at("names", place):
                theorems, stored, source = _found(name, folder)
            for theorem in theorems:
                arguments = {"theorem": theorem.name, "budget": self.budget, "hold": self.hold, "refute": self.refute}
                if source is not None:
                    arguments["source"] = source
                for setting, labels in self._settings(theorem, stored, folder):
                    with _at(*(("grid",) if self.grid else ("setting",) if self.setting else ())):
                        made = setting_of(theorem, canonical(setting), seed)
                    told = {"theorem": theorem.name, "problem": str(made), **labels}
                    yield Experiment(theorem.name, JUDGE, {**arguments, "setting": setting}, seed, 1, told)

    def _settings(self, theorem: Theorem[Any], stored: Table | None, folder: Path) -> Iterator[tuple[Any, Table]]:
        if stored is not None:
            if self.setting or self.grid:
                raise ValueError("a stored setting leaves nothing to choose; leave out setting and grid")
            yield stored, {}
        elif self.setting or self.grid:
            known = [part.name for part in fields(theorem.setting_type) if part.init]
            for part, table in (("setting", self.setting), ("grid", self.grid)):
                for key in table:
                    with _at(part):
                        _check_known(key.partition(".")[0], known, f"the field of {theorem.name}")
            with _at("setting"):
                base = _embedded(self.setting, folder)
            yield from _points(base, self.grid, folder)
        else:
            yield from ((place, {}) for place in range(len(default_settings(theorem))))


@dataclass(frozen=True, kw_only=True)
class AlgorithmStudy:
    """Algorithms, and the problems to run them on.

    Parameters
    ----------
    names
        Functions of :mod:`rltheory.algorithms`, or of a Python file as ``"mine.py:learner"``, that take a problem first
        and return a trace.
    problem
        A table that names an ``instance``, a function of :mod:`rltheory.instances`, and its arguments. Random ones are
        told apart by ``draw``. A bandit can be a text such as ``"bernoulli:0.9,0.8"``, a game a table with the ``file``
        of its win counts or orders.
    arguments
        Other arguments of the algorithms; a policy of a bandit is a text such as ``"kl-ucb:poisson"``.
    grid
        For each of several arguments, the ``problem``, or parts of it such as ``"problem.n"``, a list of values; all
        combinations are run.
    replicates
        Number of runs of each.
    """

    names: Sequence[str]
    problem: Any = None
    arguments: Table = field(default_factory=dict)
    grid: Table = field(default_factory=dict)
    replicates: int = 1

    def experiments(self, seed: int, folder: Path) -> Iterator[Experiment]:
        """One experiment for each algorithm and combination; paths are relative to the folder."""
        with _at("replicates"):
            count(self.replicates, "replicates", at_least=1)
        if "problem" in self.arguments:
            raise _StudyError(("arguments", "problem"), "the problem has a key of its own, beside arguments")
        for place, name in enumerate(_names(self.names)):
            with _at("names", place):
                function, short, source = _algorithm(name, folder)
            with _at("arguments"):
                base = _embedded(self.arguments, folder)
            if self.problem is not None:
                with _at("problem"):
                    base["problem"] = _embedded(self.problem, folder)
            for given, labels in _points(base, self.grid, folder):
                problem = self._check(function, short, given, seed)
                values = {key: value for key, value in given.items() if key != "problem"}
                arguments = {"algorithm": short, "problem": given["problem"], "arguments": values}
                if source is not None:
                    arguments["source"] = source
                told = {"algorithm": short, "problem": str(problem), **labels}
                yield Experiment(short, RUN, arguments, seed, self.replicates, told)

    def _check(self, function: Callable[..., Any], name: str, given: Table, seed: int) -> Any:
        """Make everything that the algorithm is given once, before anything runs; return the problem."""
        first, *others = inspect.signature(function).parameters.values()
        known = {part.name: part for part in others if part.name not in GIVEN}
        for key, value in given.items():
            part = "grid" if any(path.partition(".")[0] == key for path in _flat(self.grid)) else "arguments"
            if key != "problem":
                with _at(part):
                    _check_known(key, list(known), f"the argument of {name}")
                with _at(part, key):
                    _checked(build(canonical(value), known[key].annotation, seed), known[key].annotation, key)
        for key, parameter in known.items():
            if parameter.default is parameter.empty and key not in given:
                raise _StudyError(("names",), f"{name} needs the argument {key!r}; give it in arguments or grid")
        if "problem" not in given:
            raise _StudyError((), "there is no problem; give one, or several in the grid")
        on_grid = any(path.partition(".")[0] == "problem" for path in _flat(self.grid))
        with _at("grid" if on_grid else "problem"):
            problem = build(canonical(given["problem"]), first.annotation, seed)
            return _checked(problem, first.annotation, f"the problem of {name}")


@dataclass(frozen=True, kw_only=True)
class Study:
    """Theorems to judge and algorithms to run; everything that follows from it is determined.

    Parameters
    ----------
    theorems, algorithms
        What to do.
    seed
        Root of all random streams.
    folder
        Where paths of files begin.

    Examples
    --------
    >>> study = Study(
    ...     algorithms=[
    ...         AlgorithmStudy(
    ...             names=["ucrl2", "tsde"],
    ...             problem={"instance": "river_swim"},
    ...             arguments={"horizon": 1000},
    ...             grid={"problem.n": [3, 6]},
    ...             replicates=10,
    ...         )
    ...     ]
    ... )
    >>> len(study.plan())
    40
    """

    theorems: Sequence[TheoremStudy] = ()
    algorithms: Sequence[AlgorithmStudy] = ()
    seed: int = 0
    folder: Path = Path()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a study from a TOML file, with the tables ``[[theorems]]`` and ``[[algorithms]]``.

        Raises
        ------
        ValueError
            If a key is unknown, or a value is wrong; the message names file and line.
        OSError
            If the file can't be read.
        """
        path = Path(path)
        text = path.read_text(encoding="utf-8")
        try:
            study = cls._of_table(tomllib.loads(text), path.parent)
            study.plan()
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path}: {error}") from None
        except _StudyError as error:
            raise ValueError(f"{path}, line {_line(text, error.place)}: {error.message}") from error
        return study

    @classmethod
    def _of_table(cls, table: Table, folder: Path) -> Self:
        for key in table:
            _check_known(key, ["seed", "theorems", "algorithms"], "the key")
        parts: dict[str, list[Any]] = {}
        for name, kind in (("theorems", TheoremStudy), ("algorithms", AlgorithmStudy)):
            with _at(name):
                entries = _of_type(table.get(name, []), list, name)
            parts[name] = []
            for place, entry in enumerate(entries):
                with _at(name, place):
                    parts[name].append(_made(kind, _of_type(entry, dict, name)))
        return cls(theorems=parts["theorems"], algorithms=parts["algorithms"], seed=table.get("seed", 0), folder=folder)

    def plan(self) -> Plan:
        """Check everything, and list what there is to compute.

        Raises
        ------
        ValueError
            If something is wrong; the message says where in the study.
        """
        with _at("seed"):
            count(self.seed, "seed")
        experiments: list[Experiment] = []
        kinds: list[tuple[str, Sequence[TheoremStudy | AlgorithmStudy]]] = [
            ("theorems", self.theorems),
            ("algorithms", self.algorithms),
        ]
        for name, parts in kinds:
            for place, part in enumerate(parts):
                with _at(name, place):
                    experiments += part.experiments(self.seed, self.folder)
        if not experiments:
            raise _StudyError((), "the study is empty; name theorems or algorithms")
        return Plan(tuple(experiments))


def _made(kind: type[T], table: Table) -> T:
    """Make a part of a study of its table."""
    parts = {part.name: part for part in fields(kind)}  # type: ignore[arg-type]
    for key, value in table.items():
        _check_known(key, list(parts), "the key")
        factory, default = parts[key].default_factory, parts[key].default
        if factory is not MISSING:
            default = factory()
        if default is not MISSING and default is not None:
            with _at(key):
                _of_type(value, (int, float) if isinstance(default, float) else type(default), key)
    if "names" not in table:
        raise ValueError("the key 'names' is missing")
    return kind(**table)


def _of_type(value: Any, kind: type[T] | tuple[type[T], ...], name: str) -> T:
    words = {dict: "a table", list: "a list", int: "an integer", float: "a number"}
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = kind[-1] if isinstance(kind, tuple) else kind
        raise ValueError(f"{name} is {value!r}; it must be {words[wanted]}")
    return value


def _names(names: Any) -> Sequence[str]:
    with _at("names"):
        if isinstance(names, str) or not isinstance(names, Sequence) or not names:
            raise ValueError(f"names is {names!r}; it must be a list of names, not empty")
    for place, name in enumerate(names):
        with _at("names", place):
            if not isinstance(name, str):
                raise ValueError(f"{name!r} is not a name")
    return names


def _found(name: str, folder: Path) -> tuple[list[Theorem[Any]], Table | None, list[str] | None]:
    """Theorems of a name or file, with the setting if the file holds one, and with the source if it is a program."""
    path = folder / name
    if path.suffix == ".json":
        known, setting = load_setting(path)
        return find(known), setting, None
    if path.suffix == ".py":
        return find(str(path)), None, [path.stem, path.read_text(encoding="utf-8")]
    return find(name), None, None


def _algorithm(name: str, folder: Path) -> tuple[Callable[..., Any], str, list[str] | None]:
    """Function of a name, its own name, and the source if it stands in a file."""
    file, colon, short = name.rpartition(":")
    if colon:
        path = folder / file
        source = [path.stem, path.read_text(encoding="utf-8")]
        try:
            return algorithm_of(short, canonical(source)), short, source
        except Exception as error:
            raise ValueError(f"{path}: {type(error).__name__}: {error}") from error
    known = [key for key in algorithms.__all__ if _returns_trace(getattr(algorithms, key))]
    if name not in known:
        close = get_close_matches(name, known, n=3, cutoff=0.5) or known[:3]
        raise ValueError(f"no algorithm is called {name!r}; the nearest names are {', '.join(close)}")
    return algorithm_of(name), name, None


def _returns_trace(function: Any) -> bool:
    return inspect.signature(function).return_annotation is Trace


def _flat(table: Table, before: str = "") -> dict[str, Any]:
    """Values by their paths: tables in tables become names with dots."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value
    return flat


def _points(base: Table, grid: Table, folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """All combinations of a grid, put into the base, and the labels that tell them apart."""
    paths = _flat(grid)
    for path, values in paths.items():
        with _at("grid", path):
            if not isinstance(values, Sequence) or isinstance(values, str) or not values:
                raise ValueError(f"{path} is {values!r}; it must be a list of values, not empty")
    for chosen in product(*paths.values()):
        point = deepcopy(dict(base))
        for path, value in zip(paths, chosen, strict=True):
            with _at("grid", path):
                *outer, last = path.split(".")
                table: dict[str, Any] = point
                for name in outer:
                    if not isinstance(table.get(name), dict):
                        raise ValueError(f"{path} is part of {name}, which is no table")
                    table = table[name]
                table[last] = _embedded(value, folder)
        with _at("grid"):
            _check_instances(point)
        labels = {
            path: value if isinstance(value, (bool, int, float, str)) else canonical(value)
            for path, value in zip(paths, chosen, strict=True)
        }
        yield point, labels


def _embedded(value: Any, folder: Path) -> Any:
    """Copy of plain data in which games are what their files hold, for workers may not see the files."""
    if not isinstance(value, Mapping):
        return value
    _check_instances({"": value})
    if "file" in value:
        path = folder / value["file"]
        game = PreferenceGame.from_preflib(path) if path.suffix in FORMATS else PreferenceGame.from_csv(path)
        return {"game": setting_to_dict(game)}
    copy = {}
    for key, part in value.items():
        with _at(key):
            copy[key] = _embedded(part, folder)
    return copy


def _check_instances(tables: Table) -> None:
    """Check names and arguments of all instances that are described directly in a table."""
    for table in tables.values():
        if isinstance(table, Mapping) and "instance" in table:
            _check_instance(table)


def _check_instance(table: Table) -> None:
    name = table["instance"]
    makers = [key for key in instances.__all__ if callable(getattr(instances, key))]
    if name not in makers:
        close = get_close_matches(str(name), makers, n=3, cutoff=0.5) or makers[:3]
        raise ValueError(f"no instance is called {name!r}; the nearest names are {', '.join(close)}")
    parameters = inspect.signature(getattr(instances, name)).parameters
    known = ["draw" if key == "rng" else key for key in parameters]
    for key in table:
        if key not in ("instance", *known):
            _check_known(key, known, f"the argument of {name}")


def _checked(value: Any, annotation: Any, name: str) -> Any:
    """The value, if the annotation is one of classes of the package and the value is of one of them."""
    kinds = annotation.__args__ if isinstance(annotation, UnionType) else (annotation,)
    ours = all(isinstance(kind, type) and kind.__module__.startswith("rltheory.") for kind in kinds)
    if ours and not isinstance(value, tuple(kinds)):
        rule = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{name} is {value!r}; it must be of type {rule}")
    return value


def _line(text: str, place: Place) -> int:
    """Line of a study file where a place begins: the first that is read when the place is there.

    The reader of TOML does not tell; so the file is read line by line, as far as that makes sense.
    """
    lines = text.splitlines()
    for depth in range(len(place), 0, -1):
        began = 0
        for end in range(1, len(lines) + 1):
            try:
                table = tomllib.loads("\n".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue
            if _holds(table, place[:depth]):
                said = (number for number in range(began, end) if lines[number].strip()[:1] not in ("", "#"))
                return next(said) + 1
            began = end
    return 1


def _holds(value: Any, place: Place) -> bool:
    if not place:
        return True
    key, *rest = place
    if isinstance(key, int):
        return isinstance(value, list) and key < len(value) and _holds(value[key], tuple(rest))
    if not isinstance(value, dict):
        return False
    first, _, others = key.partition(".")
    return (key in value and _holds(value[key], tuple(rest))) or (
        bool(others) and first in value and _holds(value[first], (others, *rest))
    )
