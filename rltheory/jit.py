"""Compilation of kernels, with a disk cache that notices every edit of the package.

Numba keys its cache by the file in which a function stands, so a kernel which calls an edited kernel of
another file would be served stale. Here the key is a digest of all sources of the package.
"""

from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache

__all__ = ["kernel", "reordering_kernel"]

F = TypeVar("F", bound=Callable[..., Any])


@cache
def _package_digest() -> str:
    digest = blake2b(digest_size=16)
    root = Path(__file__).parent
    for source in sorted(root.rglob("*.py")):
        digest.update(str(source.relative_to(root)).encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


class _PackageCacheImpl(CompileResultCacheImpl):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.locator.get_source_stamp = _package_digest


class _PackageCache(FunctionCache):
    _impl_class = _PackageCacheImpl


def kernel(function: F) -> F:
    """Compile a module-level function to machine code that releases the interpreter lock.

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
    compiled: Any = numba.njit(nogil=True, error_model="numpy", fastmath=fastmath)(function)
    if hasattr(compiled, "enable_caching"):  # with NUMBA_DISABLE_JIT=1, Numba returns the function itself
        compiled._cache = _PackageCache(function)
    return cast(F, compiled)
