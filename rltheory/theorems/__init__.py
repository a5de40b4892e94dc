"""Theorems: a folder for each subject, in it a file for each paper. The catalogue is found by walking this package."""

import errno
import inspect
import os
import sys
import traceback
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from itertools import chain
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from rltheory.theory import Theorem

__all__ = ["Subject", "catalogue", "find", "subjects"]


@dataclass(frozen=True)
class Subject:
    """A part of the theory, and the theorems about it.

    Parameters
    ----------
    name
        The folder's name.
    title
        What it is called in tables and headings.
    about
        What its theorems speak of, in a sentence.
    groups
        Theorems by the name of their group, in the order of the files.
    """

    name: str
    title: str
    about: str
    groups: dict[str, list[Theorem[Any]]]

    @property
    def theorems(self) -> list[Theorem[Any]]:
        """All of its theorems, group by group."""
        return list(chain.from_iterable(self.groups.values()))


@cache
def subjects() -> tuple[Subject, ...]:
    """All subjects, in the order of their folders.

    Examples
    --------
    >>> for subject in subjects()[:2]:
    ...     print(subject.title, len(subject.groups))
    Average reward 6
    Bandits 24
    """
    return tuple(_subject(folder) for folder in _modules(sys.modules[__name__]) if hasattr(folder, "__path__"))


def _subject(folder: ModuleType) -> Subject:
    title, about = inspect.cleandoc(folder.__doc__ or "").split(".\n\n")
    groups: dict[str, list[Theorem[Any]]] = {}
    for paper in _modules(folder):
        for value in vars(paper).values():
            if isinstance(value, Theorem):
                groups.setdefault(value.group, []).append(value)
    return Subject(folder.__name__.rpartition(".")[2], title, about.replace("\n", " "), groups)


def _modules(package: ModuleType) -> list[ModuleType]:
    names = sorted(module.name for module in iter_modules(package.__path__))
    return [import_module(f"{package.__name__}.{name}") for name in names]


@cache
def catalogue() -> dict[str, Theorem[Any]]:
    """All theorems by name: subject by subject, and group by group.

    Raises
    ------
    ValueError
        If two theorems have the same name.

    Examples
    --------
    >>> catalogue()["nash-mp/kl"].title
    'The divergence to the equilibrium shrinks geometrically'
    """
    found: dict[str, Theorem[Any]] = {}
    for subject in subjects():
        for theorem in subject.theorems:
            if found.setdefault(theorem.name, theorem) is not theorem:
                raise ValueError(f"two theorems are called {theorem.name!r}")
    return found


def find(name: str) -> list[Theorem[Any]]:
    """Theorem called `name`, all theorems of the group `name`, or those that the Python file `name` defines.

    Raises
    ------
    ValueError
        If there is none; the message lists the nearest names. If the file fails; the message says where.
    OSError
        If the file can't be read.

    Examples
    --------
    >>> [theorem.name for theorem in find("nash-mp/kl")]
    ['nash-mp/kl']
    """
    if name.endswith(".py"):
        return _defined_in(Path(name))
    chosen = [theorem for theorem in catalogue().values() if name in (theorem.name, theorem.group)]
    if not chosen:
        names = [*dict.fromkeys(theorem.group for theorem in catalogue().values()), *catalogue()]
        near = get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
        raise ValueError(f"no theorem or group is called {name!r}; the nearest names are {', '.join(near)}")
    return chosen


def _defined_in(path: Path) -> list[Theorem[Any]]:
    """Run a Python file and return the theorems that it defines, in order."""
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    # Random streams are addressed by the name of the module: the same wherever the file lies.
    spec = spec_from_file_location(f"theorems of {path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename}, line {frame.lineno}"
        raise ValueError(f"{path}: {type(error).__name__}: {error} (in {place})") from error
    found = [value for value in vars(module).values() if isinstance(value, Theorem)]
    if not found:
        raise ValueError(f"{path} defines no Theorem")
    return found
