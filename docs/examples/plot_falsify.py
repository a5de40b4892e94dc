r"""
Where does a bound come closest to breaking?
============================================

A bound that holds in a few chosen games may still be loose, or wrong elsewhere. `falsify` looks for the setting with
the largest ratio of the measured to the stated side: it draws games, temperatures, references and starts, and improves
the worst it has found.
"""

# %%
# The half iterate of Nash mirror prox is proved to be within :math:`3 + 2 \sqrt 2` of the iterate, in divergence. How
# much of that constant is ever used?

from dataclasses import replace

import matplotlib.pyplot as plt

import rltheory as rl
from rltheory.plots.style import COLOURS, tidy
from rltheory.theorems.games import tiapkin2025

theorems = [tiapkin2025.HALF_FORWARD, tiapkin2025.HALF_BACKWARD, tiapkin2025.KL_FROM_REFERENCE]
findings = [rl.falsify(theorem, evaluations=600) for theorem in theorems]
for finding in findings:
    print(finding)

# %%
# The largest ratio found so far, by the number of settings tried. The search is reproducible: the same seed and number
# of evaluations give the same setting.

_, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for finding, colour in zip(findings, COLOURS, strict=False):
    ax.plot(range(1, finding.evaluations + 1), finding.history, color=colour, linewidth=2, label=finding.theorem)
ax.axhline(1, color="black", linewidth=1, linestyle="--")
ax.set_xscale("log")
ax.set_xlabel("settings tried")
ax.set_ylabel("largest ratio found")
ax.legend(frameon=False)
tidy(ax)

# %%
# The worst setting itself, as a verdict. ``finding.save("worst.json")`` stores it, and ``rltheory verify worst.json``
# replays it.

rl.plots.convergence(findings[2].verdict)

# %%
# Would the search notice a wrong constant? Here the bound of one step is made 1 % too small.

step = tiapkin2025.KL_ONE_STEP
print(rl.falsify(replace(step, bound=lambda s, trace: 0.99 * step.bound(s, trace)), evaluations=300))

# %%
# **What this does not show.** Finding nothing proves nothing. The first constant above is used to less than a quarter
# in all settings tried: it may be improvable, or the search may not know where to look.
