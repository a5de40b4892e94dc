"""The natural logarithm, in a form that compilers turn into vector instructions.

The usual one is a call for each number.
"""

from rltheory.exponential import bits_of, number_of
from rltheory.jit import kernel

__all__ = ["logarithm"]

LOG_2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # with trailing zeros: its product with an exponent is exact
LOG_2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
BITS_OF_SQRT_HALF = 0x3FE6A09E00000000
EXPONENT = 52  # bits of a fraction, below those of the exponent
L1, L2, L3, L4, L5, L6, L7 = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)


@kernel
def logarithm(x: float) -> float:
    """Return ``log(x)`` for finite x >= 2.3e-308, with an error of 1 unit in the last place.

    With x = 2^k (1 + f), 1 + f between the roots of 1/2 and 2, and s = f / (2 + f), it is k log 2 plus the odd series
    of log((1 + s) / (1 - s)), with the coefficients of FDLIBM.
    """
    bits = bits_of(x)
    k = (bits - BITS_OF_SQRT_HALF) >> EXPONENT
    f = number_of(bits - (k << EXPONENT)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    tail = z * (L1 + z * (L2 + z * (L3 + z * (L4 + z * (L5 + z * (L6 + z * L7))))))
    half_square = 0.5 * f * f
    result: float = k * LOG_2_HIGH - ((half_square - (s * (half_square + tail) + k * LOG_2_LOW)) - f)
    return result
