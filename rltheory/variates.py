r"""Random numbers for many replicates side by side: each column of an array is a generator of its own.

A column is the state of xoshiro256+ :cite:`blackman2021`. What a replicate draws depends on its own column only, so it
does not matter which others run beside it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Matrix, Vector
from rltheory.jit import kernel
from rltheory.logarithm import logarithm

__all__ = ["Generators", "beta", "beta_variates", "generators", "normal", "normals", "uniform", "uniforms"]

Generators = NDArray[np.uint64]  # (4, L)

LOWEST_BITS_LEFT_OUT = np.uint64(11)
SHIFT = np.uint64(17)
ROTATION, ROTATION_BACK = np.uint64(45), np.uint64(19)
UNIT = 2.0**-53
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S1, S3, S5, S7, S9, S11, S13 = ((-1) ** (k // 2) / math.factorial(k) for k in range(1, 14, 2))
C2, C4, C6, C8, C10, C12, C14 = ((-1) ** (k // 2) / math.factorial(k) for k in range(2, 15, 2))
SQUEEZE = 0.0331
THIRD = 1.0 / 3.0
HALF_PI = math.pi / 2


def generators(key: NDArray[np.uint64], first: int, stop: int) -> Generators:
    """Generators of the replicates `first`, ..., `stop` - 1 of a run.

    Parameters
    ----------
    key : array of uint64, shape (4,)
        Words of the run's own random stream.
    first, stop
        Numbers of the replicates; words are mixed by the finaliser of SplitMix64.
    """
    with np.errstate(over="ignore"):
        z = key[:, None] + np.arange(first + 1, stop + 1, dtype=np.uint64) * GOLDEN
        z = (z ^ (z >> np.uint64(30))) * MIX_1
        z = (z ^ (z >> np.uint64(27))) * MIX_2
        return np.ascontiguousarray(z ^ (z >> np.uint64(31)))


@kernel
def uniform(states: Generators, lane: int) -> float:
    """Draw a number in [0, 1) from one generator."""
    a, b, c, d = states[0, lane], states[1, lane], states[2, lane], states[3, lane]
    shifted = b << SHIFT
    c ^= a
    e = d ^ b
    states[0, lane] = a ^ e
    states[1, lane] = b ^ c
    states[2, lane] = c ^ shifted
    states[3, lane] = (e << ROTATION) | (e >> ROTATION_BACK)
    return np.int64((a + d) >> LOWEST_BITS_LEFT_OUT) * UNIT


@kernel
def uniforms(states: Generators, out: Vector) -> None:
    """Draw a number in [0, 1) from each generator."""
    for lane in range(out.size):
        out[lane] = uniform(states, lane)


@kernel
def normals(states: Generators, first: Vector, second: Vector) -> None:
    """Draw two independent standard normal numbers from each generator, by the method of Box and Muller."""
    uniforms(states, first)
    uniforms(states, second)
    for lane in range(first.size):
        radius = math.sqrt(-2.0 * logarithm(1.0 - first[lane]))
        # A quarter of the angle lies in [-pi/4, pi/4), where Taylor polynomials are exact to the last bits.
        x = (second[lane] - 0.5) * HALF_PI
        z = x * x
        s = x * (S1 + z * (S3 + z * (S5 + z * (S7 + z * (S9 + z * (S11 + z * S13))))))
        c = 1.0 + z * (C2 + z * (C4 + z * (C6 + z * (C8 + z * (C10 + z * (C12 + z * C14))))))
        s, c = 2.0 * s * c, 1.0 - 2.0 * s * s
        first[lane] = radius * (1.0 - 2.0 * s * s)
        second[lane] = radius * 2.0 * s * c


@kernel
def normal(states: Generators, lane: int) -> float:
    """Draw a standard normal number from one generator."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(states, lane)))
    return radius * math.cos(2.0 * math.pi * uniform(states, lane))


@kernel
def _settled(states: Generators, lane: int, d: float, x: float, u: float) -> float:
    """Gamma variate of shape d + 1/3 from the proposal x with the number u, or from later ones."""
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(u) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            return d * v
        x, u = normal(states, lane), uniform(states, lane)


@kernel
def log_gamma(states: Generators, lane: int, shape: float) -> float:
    """Draw the logarithm of a gamma variate of unit scale from one generator; its shape may be anything > 0."""
    boost = math.log(1.0 - uniform(states, lane)) / shape if shape < 1.0 else 0.0
    d = (shape + 1.0 if shape < 1.0 else shape) - THIRD
    x = normal(states, lane)
    return math.log(_settled(states, lane, d, x, uniform(states, lane))) + boost


@kernel
def beta(states: Generators, lane: int, a: float, b: float) -> float:
    """Draw a beta variate with shapes a, b > 0 from one generator."""
    log_odds = log_gamma(states, lane, a) - log_gamma(states, lane, b)
    odds = math.exp(-abs(log_odds))
    return (1.0 if log_odds > 0.0 else odds) / (1.0 + odds)


@kernel
def beta_variates(states: Generators, a: Vector, b: Vector, work: Matrix, out: Vector) -> None:
    """Draw a beta variate with shapes ``a[lane]``, ``b[lane]`` >= 1 from each generator; `work` has 4 rows.

    It is a ratio of gamma variates :cite:`marsaglia2000`. Most proposals are accepted without logarithms, and all lanes
    are served at once; the others are looked at one by one.
    """
    x, y, u, w = work[0], work[1], work[2], work[3]
    normals(states, x, y)
    uniforms(states, u)
    uniforms(states, w)
    for lane in range(out.size):
        d, e = a[lane] - THIRD, b[lane] - THIRD
        v, z = 1.0 + x[lane] / math.sqrt(9.0 * d), 1.0 + y[lane] / math.sqrt(9.0 * e)
        g, h = d * v * v * v, e * z * z * z
        taken = (
            (u[lane] < 1.0 - SQUEEZE * x[lane] * x[lane] * x[lane] * x[lane])
            & (w[lane] < 1.0 - SQUEEZE * y[lane] * y[lane] * y[lane] * y[lane])
            & (v > 0.0)
            & (z > 0.0)
        )
        out[lane] = g / (g + h) if taken else -1.0
    for lane in range(out.size):
        if out[lane] < 0.0:
            g = _settled(states, lane, a[lane] - THIRD, x[lane], u[lane])
            h = _settled(states, lane, b[lane] - THIRD, y[lane], w[lane])
            out[lane] = g / (g + h)
