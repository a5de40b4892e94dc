"""What a worker does: judge a theorem in a setting, or run an algorithm on a problem, given plain data."""

import inspect
import json
import linecache
import sys
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from rltheory import algorithms, instances
from rltheory.algorithms.bandits import Policy, named_policy
from rltheory.problems import Bandit, PreferenceGame
from rltheory.simulation import stream
from rltheory.simulation.experiments import Result, canonical
from rltheory.theorems import catalogue
from rltheory.theory import Levels, Theorem, Verdict, verify
from rltheory.theory.archive import verdict_from_data, verdict_to_data
from rltheory.theory.settings import setting_from_dict, setting_to_dict
from rltheory.trace import Trace

__all__ = ["algorithm_of", "build", "default_settings", "judge", "restored", "run", "setting_of"]

BUILT = 256  # problems and settings that a process keeps


def judge(arguments: Mapping[str, Any], seed: int, replicate: int) -> Result:
    """Judge a theorem in one setting; the verdict, as arrays.

    The time that it took is no result, and is left out.
    """
    theorem = _theorem(arguments["theorem"], canonical(arguments.get("source")))
    (verdict,) = verify(
        theorem,
        settings=[setting_of(theorem, canonical(arguments["setting"]), seed)],
        seed=seed,
        levels=Levels(arguments["hold"], arguments["refute"]),
        budget=arguments["budget"],
        workers=1,
    )
    data, arrays = verdict_to_data(verdict)
    text = np.array(json.dumps(data | {"seconds": 0.0}).encode())
    return {"verdict": ((), text)} | {
        name: (("run", "time")[-array.ndim :], np.asarray(array)) for name, array in arrays.items()
    }


def restored(result: Result) -> Verdict:
    """Verdict that :func:`judge` left."""
    _, text = result["verdict"]
    arrays = {name: array for name, (_, array) in result.items() if name != "verdict"}
    return verdict_from_data(json.loads(text.item()), arrays)


def run(arguments: Mapping[str, Any], seed: int, replicate: int) -> Result:
    """Run an algorithm on a problem; the recorded times and values of its trace.

    The random stream is named by the algorithm, the problem, the other arguments, and the replicate.
    """
    function = algorithm_of(arguments["algorithm"], canonical(arguments.get("source")))
    known = inspect.signature(function).parameters
    problem, others = arguments["problem"], arguments["arguments"]
    given = {name: build(canonical(value), known[name].annotation, seed) for name, value in others.items()}
    if "rng" in known:
        given["rng"] = stream(seed, "study", arguments["algorithm"], canonical([problem, others]), replicate)
    first = next(iter(known.values()))
    trace = function(build(canonical(problem), first.annotation, seed), **given)
    if not isinstance(trace, Trace):
        raise TypeError(f"{arguments['algorithm']} returned {type(trace).__name__}; it must return a Trace")
    clock = np.array(trace.clock.encode())
    return {"clock": ((), clock), "time": (("time",), trace.times), **trace.values}


def algorithm_of(name: str, source: str = "null") -> Callable[..., Any]:
    """Algorithm of the package, or of a user's file, whose name and text are given as JSON."""
    function: Callable[..., Any] = getattr(_module(source) if source != "null" else algorithms, name)
    return function


@lru_cache(BUILT)
def build(text: str, annotation: Any, seed: int) -> Any:
    """Make an argument of its JSON.

    A table that names an ``instance`` becomes what that function of :mod:`rltheory.instances` makes of the rest; where
    it draws at random, ``draw`` tells one from another. The text of a bandit or of a policy becomes one.
    """
    value = json.loads(text)
    if isinstance(value, Mapping) and "instance" in value:
        function = getattr(instances, value["instance"])
        given = {name: part for name, part in value.items() if name not in ("instance", "draw")}
        if "rng" in inspect.signature(function).parameters:
            given["rng"] = stream(seed, "instance", text)
        return function(**given)
    if isinstance(value, Mapping) and "game" in value:
        return setting_from_dict(PreferenceGame, value["game"])
    if isinstance(value, str) and annotation is Policy:
        return named_policy(value)
    if isinstance(value, str) and _may_be(annotation, Bandit):
        return Bandit.parse(value)
    return value


def _may_be(annotation: Any, kind: type) -> bool:
    return annotation is kind or kind in getattr(annotation, "__args__", ())


@lru_cache(BUILT)
def setting_of(theorem: Theorem[Any], text: str, seed: int) -> Any:
    """Make a setting of its JSON: the place of a default setting, or the fields."""
    value = json.loads(text)
    if isinstance(value, int):
        return default_settings(theorem)[value]
    return setting_from_dict(theorem.setting_type, {name: _as_data(part, seed) for name, part in value.items()})


def _as_data(value: Any, seed: int) -> Any:
    if isinstance(value, Mapping) and ("instance" in value or "game" in value):
        return setting_to_dict(build(canonical(value), None, seed))
    return value


def default_settings(theorem: Theorem[Any]) -> list[Any]:
    """Default settings of a theorem; theorems that share them share the list."""
    return _settings(theorem.settings)


@cache
def _settings(grid: Callable[[], Any]) -> list[Any]:
    return list(grid())


@cache
def _theorem(name: str, source: str) -> Theorem[Any]:
    if source == "null":
        return catalogue()[name]
    found = vars(_module(source)).values()
    return next(value for value in found if isinstance(value, Theorem) and value.name == name)


@cache
def _module(source: str) -> ModuleType:
    """Run the text of a user's file, which need not exist where the worker is."""
    name, text = json.loads(source)
    module = ModuleType(f"theorems of {name}")  # as `rltheory.theorems.find` calls it, so that streams agree
    file = f"{name}.py of the study"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    sys.modules[module.__name__] = module  # dataclasses look their module up there
    exec(compile(text, file, "exec"), vars(module))
    return module
