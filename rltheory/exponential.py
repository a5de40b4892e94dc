"""The exponential function of numbers <= 0, in a form that compilers turn into vector instructions.

The usual one is a call for each number, and takes most of the time of a proximal map.
"""

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rltheory.jit import kernel

__all__ = ["exponential"]

LOWEST = -708.0  # below, the result is not a normal number
PER_LOG_2 = 1 / math.log(2)
LOG_2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # with trailing zeros: its product with an exponent is exact
LOG_2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
ROUNDER = 1.5 * 2.0**52  # a sum with it has the nearest integer in its last bits
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = (1 / math.factorial(k) for k in range(2, 14))


def _to_bits(typing: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _to_number(typing: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


bits_of: Any = intrinsic(_to_bits)  # of a float64, as an integer
number_of: Any = intrinsic(_to_number)  # whose bits these are


@kernel
def exponential(x: float) -> float:
    """Return ``exp(x)`` for x <= 0, with an error of 1 unit in the last place; 3e-308 for all x <= -708.

    With k the integer nearest to x / log 2, it is 2^k times the Taylor polynomial of exp at x - k log 2, of degree 13.
    """
    x = x if x > LOWEST else LOWEST
    shifted = x * PER_LOG_2 + ROUNDER
    k = shifted - ROUNDER
    r = (x - k * LOG_2_HIGH) - k * LOG_2_LOW
    tail = C8 + r * (C9 + r * (C10 + r * (C11 + r * (C12 + r * C13))))
    p = 1.0 + (r + r * r * (C2 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * (C7 + r * tail)))))))
    result: float = number_of(bits_of(p) + (bits_of(shifted) << 52))
    return result
