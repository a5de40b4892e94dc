"""Compilation of kernels, with a disk cache that notices every edit of the package.

Numba keys its cache by the file in which a function stands, so a kernel which calls an edited kernel of
another file would be served stale. Here the key is a digest of all sources of the package.

A loop that many algorithms share is a closure over their kernels. Numba keys it by bytes that differ in every process;
here the key is the names of the kernels. Closures over functions of a user, who may edit them, are not kept.
"""

from collections.abc import Callable
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache

__all__ = ["kernel", "package_digest", "reordering_kernel"]

F = TypeVar("F", bound=Callable[..., Any])


@cache
def package_digest() -> str:
    """Digest of all sources of the package."""
    digest = blake2b(digest_size=16)
    root = Path(__file__).parent
    for source in sorted(root.rglob("*.py")):
        digest.update(str(source.relative_to(root)).encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _within(function: Any) -> list[Any]:
    """What a function closes over, kernels as they were before compilation."""
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    return [getattr(cell, "py_func", cell) for cell in cells]


def _identity(value: Any) -> tuple[Any, ...]:
    """Name of a function with the identities of what it closes over; a constant itself."""
    if not callable(value):
        return (repr(value),)
    return (value.__module__, value.__qualname__, *map(_identity, _within(value)))


def _is_ours(value: Any) -> bool:
    """Whether a function, and all that it closes over, stand in the package; constants do."""
    if not callable(value):
        return True
    package = __name__.partition(".")[0]
    return value.__module__.partition(".")[0] == package and all(map(_is_ours, _within(value)))


class _PackageCacheImpl(CompileResultCacheImpl):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.locator.get_source_stamp = package_digest
        if function.__closure__:
            # In a file of its own: two processes that write to one could take each other's numbers.
            name = blake2b(repr(_identity(function)).encode(), digest_size=8)
            self._filename_base += f"-{name.hexdigest()}"


class _PackageCache(FunctionCache):
    _impl_class = _PackageCacheImpl

    def _index_key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        return (signature, codegen.magic_tuple(), _identity(self._py_func))


def kernel(function: F) -> F:
    """Compile a function to machine code that releases the interpreter lock.

    The compiled form is kept on disk and read again by later processes until any source of the package
    changes. Division by zero follows IEEE 754 and does not raise; a product and a sum may be fused.
    """
    return _compiled(function, {"contract"})


def reordering_kernel(function: F) -> F:
    """Compile a kernel in which sums may be reordered, so that loops over them use vector instructions.

    The order is fixed when it is compiled: the same machine computes the same bits.
    """
    return _compiled(function, {"contract", "reassoc"})


def _compiled(function: F, fastmath: set[str]) -> F:
    if getattr(function, "__closure__", None):
        # Symbols of machine code have this name and a number that starts anew in each process: two closures of one name
        # that different processes have written to the cache would be taken for each other.
        name = blake2b(repr(_identity(function)).encode(), digest_size=8).hexdigest()
        function.__qualname__ += f"_{name}"
    compiled: Any = numba.njit(nogil=True, error_model="numpy", fastmath=fastmath)(function)
    if not hasattr(compiled, "enable_caching"):  # with NUMBA_DISABLE_JIT=1, Numba returns the function itself
        return cast(F, compiled)
    if _is_ours(function):
        compiled._cache = _PackageCache(function)
    compiled.get_call_template = partial(_for_any_integer, compiled.get_call_template)
    return cast(F, compiled)


def _for_any_integer(get_call_template: Callable[..., Any], args: Any, kws: Any) -> Any:
    """Compile a call for integers of any value; Numba would compile it for the first value of a counter, 0, as well."""

    def widened(kind: Any) -> Any:
        return numba.types.unliteral(kind) if isinstance(kind, numba.types.IntegerLiteral) else kind

    return get_call_template([widened(kind) for kind in args], {name: widened(kind) for name, kind in kws.items()})
