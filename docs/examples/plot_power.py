r"""
How many replicates does a verdict take?
========================================

A claim holds with probability :math:`1 - \delta`, and the true failure rate is :math:`p`. Replicates are added until
the evidence suffices. How many is that, and what does it cost not to fix the number in advance?
"""

# %%
# The judge looks after every replicate and decides HOLDS at the level 5 %, REFUTED at the level :math:`10^{-6}`. A
# sample of fixed size would use the exact limits of Clopper and Pearson at the same levels, and must guess its size:
# the fewest replicates are counted with which it decides in half of the cases.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import beta, binom

from rltheory.plots.style import COLOURS, MUTED, tidy
from rltheory.simulation import stream
from rltheory.theory.sequential import failure_evidence

HOLD, REFUTE, DELTA = 0.05, 1e-6, 0.05
rates = [0.0, 0.005, 0.01, 0.02, 0.03, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0]


def decided_at(failures):
    """First number of replicates at which the evidence suffices, by doubling and bisection: it never shrinks."""
    side, threshold = (0, -np.log(REFUTE)) if failures.mean() > DELTA else (1, -np.log(HOLD))

    def suffices(n):
        return failure_evidence(failures[:n], DELTA)[side] >= threshold

    low, high = 0, 1
    while not suffices(high):
        if high == failures.size:
            return np.inf
        low, high = high, min(2 * high, failures.size)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def sequential(rate):
    """Median over 41 studies."""
    rng = stream(0, "power", rate)
    return np.median([decided_at(rng.random(8000) < rate) for _ in range(41)])


def fixed(rate):
    """Fewest replicates for which the usual outcome is decided by Clopper and Pearson's limit."""
    for n in np.unique(np.geomspace(1, 8000, 600).round().astype(int)):
        failures = binom.median(n, rate) if 0 < rate < 1 else n * rate
        above = beta.ppf(REFUTE, failures, n - failures + 1) if failures > 0 else 0.0
        below = beta.ppf(1 - HOLD, failures + 1, n - failures) if failures < n else 1.0
        if (rate > DELTA and above > DELTA) or (rate < DELTA and below < DELTA):
            return n
    return np.inf


table = [(rate, sequential(rate), fixed(rate)) for rate in rates]
print(" true rate   anytime     fixed")
for rate, anytime, known in table:
    print(f"{rate:10.3f} {anytime:9.0f} {known:9.0f}")

# %%
# The price of being allowed to stop at any time is about a quarter more replicates for clean runs, and a factor of
# about two near the claimed rate. In return nobody has to know the true rate in advance: a fixed sample that guesses it
# wrong decides nothing, or wastes its replicates.

_, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
x, anytime, known = np.array(table).T
ax.plot(x, anytime, "o-", color=COLOURS[0], label="stop when decided, median of studies")
ax.plot(x, known, "s--", color=COLOURS[1], label="fixed sample, size known in advance")
ax.axvline(DELTA, color=MUTED, linewidth=1)
ax.annotate(" claimed rate", (DELTA, anytime.max()), color=MUTED, va="top")
ax.set_yscale("log")
ax.set_xlabel("true failure rate")
ax.set_ylabel("replicates")
ax.legend(frameon=False)
tidy(ax)

# %%
# **What this does not show.** At the claimed rate itself no number of replicates decides: the verdict stays UNDECIDED,
# and says so.
