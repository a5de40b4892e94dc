"""Theorems, one file for each paper. The catalogue is found by walking this package."""

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from rltheory.theory import Theorem

__all__ = ["catalogue", "find"]


@cache
def catalogue() -> dict[str, Theorem[Any]]:
    """All theorems by name, group by group; groups and their theorems in the order of the files.

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
    for theorem in _walk():
        if found.setdefault(theorem.name, theorem) is not theorem:
            raise ValueError(f"two theorems are called {theorem.name!r}")
    groups = list(dict.fromkeys(theorem.group for theorem in found.values()))
    return dict(sorted(found.items(), key=lambda item: groups.index(item[1].group)))


def _walk() -> Iterator[Theorem[Any]]:
    for module in sorted(iter_modules(__path__), key=lambda module: module.name):
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Theorem):
                yield value


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
