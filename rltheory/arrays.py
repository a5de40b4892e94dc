"""Array types, and checks of arguments that name the place and the rule they break."""

import math
from numbers import Integral, Real
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Array",
    "Matrix",
    "Times",
    "Vector",
    "apart",
    "count",
    "counts",
    "distribution",
    "float_array",
    "fraction",
    "frozen",
    "not_negative",
    "positive",
    "positives",
]

Array: TypeAlias = NDArray[np.float64]
Vector: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = NDArray[np.float64]
Times: TypeAlias = NDArray[np.int64]
AnyArray = TypeVar("AnyArray", bound=NDArray[Any])
Arrays = TypeVar("Arrays", bound=NDArray[Any] | tuple[Any, ...])

SUM_TOLERANCE = 1e-9
UNIT_ROUNDOFF = float(np.finfo(np.float64).eps) / 2
LINES = 128  # bytes of two cache lines, which processors fetch together


def positive(value: Any, name: str) -> float:
    """Return `value` as a float; it must be finite and > 0."""
    number = _number(value, name, "> 0")
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} is {number}; it must be finite and > 0")
    return number


def not_negative(value: Any, name: str) -> float:
    """Return `value` as a float; it must be finite and >= 0."""
    number = _number(value, name, ">= 0")
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} is {number}; it must be finite and >= 0")
    return number


def fraction(value: Any, name: str) -> float:
    """Return `value` as a float; it must lie in [0, 1]."""
    number = _number(value, name, "in [0, 1]")
    if not 0 <= number <= 1:
        raise ValueError(f"{name} is {number}; it must lie in [0, 1]")
    return number


def _number(value: Any, name: str, rule: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}; it must be a number {rule}")
    return float(value)


def positives(values: ArrayLike, name: str, size: int) -> Vector:
    """Return `values`, one for all or one for each, as a float vector of length `size`; all must be finite and > 0."""
    if np.ndim(values) == 0:
        return np.full(size, positive(values, name))
    vector = float_array(values, name, ndim=1)
    if vector.size != size:
        raise ValueError(f"{name} has {vector.size} entries; expected {size}, or a single number")
    if not (vector > 0).all():
        index = first_index(vector <= 0)
        raise ValueError(f"{name}{list(index)} is {vector[index]}; every entry must be > 0")
    return vector


def count(value: Any, name: str, *, at_least: int = 0) -> int:
    """Return `value` as an int; it must be an integer >= `at_least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {value!r}; it must be an integer >= {at_least}")
    if value < at_least:
        raise ValueError(f"{name} is {value}; it must be >= {at_least}")
    return int(value)


def counts(values: ArrayLike, name: str, shape: tuple[int, ...]) -> Times:
    """Return `values` as a fresh C-ordered int64 array of this shape; all must be integers >= 0."""
    array = np.array(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} holds numbers of type {array.dtype}; they must be integers")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
    if (array < 0).any():
        place = first_index(array < 0)
        raise ValueError(f"{name}{list(place)} is {array[place]}; it must be >= 0")
    return array.astype(np.int64, order="C")


def float_array(values: ArrayLike, name: str, *, ndim: int) -> Array:
    """Return `values` as a fresh C-ordered float64 array of `ndim` dimensions with finite entries."""
    try:
        array = np.array(values, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a rectangular array of real numbers ({error})") from None
    if array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}; it must have {ndim} dimension{'s'[: ndim > 1]}")
    finite = np.isfinite(array)
    if not finite.all():
        index = first_index(~finite)
        raise ValueError(f"{name}{list(index)} is {array[index]}; every entry must be finite")
    return array


def distribution(values: ArrayLike, n: int, name: str, *, over: str = "actions") -> Vector:
    """Return `values` as a probability vector over `n` things with full support.

    The sum may differ from 1 by 1e-9 at most.
    """
    vector = float_array(values, name, ndim=1)
    if vector.size != n:
        raise ValueError(f"{name} has {vector.size} entries; the game has {n} {over}")
    if not (vector > 0).all():
        index = first_index(vector <= 0)
        raise ValueError(
            f"{name}{list(index)} is {vector[index]}; every probability must be > 0 (full support; "
            "one below 5e-324 underflows to 0)"
        )
    if abs(vector.sum() - 1) > SUM_TOLERANCE:
        raise ValueError(f"{name} sums to {vector.sum():.12g}; expected 1 within {SUM_TOLERANCE:g}")
    return vector


def frozen(array: AnyArray) -> AnyArray:
    """Make `array` read-only and return it."""
    array.setflags(write=False)
    return array


def apart(values: Arrays) -> Arrays:
    """Copy an array, or those of a named tuple, to cache lines of their own.

    Threads that write to one cache line wait for each other, though what they write be different arrays; and vector
    instructions are slower on what lies across two lines. This is for small arrays that a run uses all the time.

    Examples
    --------
    >>> first, second = (apart(np.zeros(2)) for _ in range(2))
    >>> first.ctypes.data // LINES == second.ctypes.data // LINES
    False
    """
    copy: Any
    if isinstance(values, np.ndarray):
        room = np.empty(values.nbytes + 2 * LINES, np.uint8)
        copy = np.ndarray(values.shape, values.dtype, room, -room.ctypes.data % LINES)
        copy[...] = values
    else:
        named_tuple: Any = type(values)
        copy = named_tuple._make(apart(part) if isinstance(part, np.ndarray | tuple) else part for part in values)
    moved: Arrays = copy
    return moved


def first_index(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Index of the first true entry of `mask`, in C order."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), mask.shape))
