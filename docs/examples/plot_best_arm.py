r"""
How long does it take to know which arm is best?
================================================

Regret asks what is lost on the way. Here only the answer counts: a policy pulls arms until it is sure, and may be wrong
with probability :math:`\delta`. No policy that keeps this promise on all bandits takes fewer than
:math:`T^\star(\mu)\, \mathrm{kl}(\delta, 1 - \delta)` pulls on average. Who comes close?
"""

# %%
# The characteristic time
# -----------------------
# It says how hard a bandit is, and the weights how the pulls are best shared out. The best arm and its nearest rival
# take nearly all of them.

import numpy as np

import rltheory as rl
from rltheory.algorithms.best_arm import (
    kl_lucb,
    lucb,
    successive_elimination,
    track_and_stop,
    uniform_sampling,
)
from rltheory.plots.style import COLOURS, new_axes, tidy

bandit = rl.Bandit.bernoulli([0.5, 0.35, 0.3, 0.1])
truth = rl.characteristic_time(bandit)
print(f"T* = {truth.time:.1f}, w* = {truth.weights.round(3)}")

# %%
# Five policies, from careless to cautious
# ----------------------------------------
# Points are mean numbers of pulls; the dashed line is the bound that no policy can beat.

deltas = np.array([1e-1, 1e-2, 1e-4, 1e-8, 1e-16])
kinds = [successive_elimination, lucb, kl_lucb, uniform_sampling, track_and_stop]
runs = [rl.compare_stopping_policies(bandit, [kind(delta) for kind in kinds], replicates=60) for delta in deltas]
means = np.array([run["time"].mean("replicate") for run in runs])
bound = np.array([truth.lower_bound(delta) for delta in deltas])

ax = new_axes(width=7.6, height=4.4)
for name, curve, colour in zip(runs[0]["policy"].to_numpy(), means.T, COLOURS[: len(kinds)], strict=True):
    ax.plot(np.log10(1 / deltas), curve, "o-", color=colour, label=name)
ax.plot(np.log10(1 / deltas), bound, "k--", label="lower bound")
ax.set(xlabel=r"$\log_{10}(1 / \delta)$", ylabel="pulls until it stops", yscale="log")
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
tidy(ax)

# %%
# All curves grow like the bound: what separates them is a factor. Intervals that must hold for each arm by itself, as
# in successive elimination and LUCB, cost the most; a test that compares two arms directly costs less, even if all
# arms are pulled equally often. Track-and-stop has the best test and the best weights: its factor falls towards 1.

for delta, row in zip(deltas, means / bound[:, None], strict=True):
    print(f"delta = {delta:.0e}: " + ", ".join(f"{factor:.2f}" for factor in row))
wrong = sum(int((run["arm"] != bandit.best).sum()) for run in runs)
print(f"{wrong} of {sum(run['arm'].size for run in runs)} answers are wrong")

# %%
# Do the pulls approach the optimal weights?
# ------------------------------------------
# Shares of the pulls of track-and-stop, with the 10 % and 90 % quantiles of the runs; dotted lines are optimal.

ax = new_axes(width=7.6)
for arm, (weight, colour) in enumerate(zip(truth.weights, COLOURS, strict=False)):
    tracked = [run.sel(policy="track-and-stop") for run in runs]
    shares = np.array([run["pulls"][:, arm] / run["time"] for run in tracked])
    low, high = np.quantile(shares, [0.1, 0.9], axis=1)
    ax.plot(np.log10(1 / deltas), shares.mean(axis=1), "o-", color=colour, label=f"mean {bandit.means[arm]:g}")
    ax.fill_between(np.log10(1 / deltas), low, high, color=colour, alpha=0.15, lw=0)
    ax.axhline(weight, color=colour, ls=":")
ax.set(xlabel=r"$\log_{10}(1 / \delta)$", ylabel="share of the pulls", ylim=(0, None))
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
tidy(ax)

# %%
# What is proved
# --------------
# Bounds for each policy, checked in their default settings.

for name in ("successive-elimination", "lucb", "kl-lucb", "sequential-halving", "best-arm"):
    for verdict in rl.verify(rl.find(name)):
        print(verdict)

# %%
# **What this does not show.** Fewer wrong answers than allowed are no virtue: they are paid for in pulls. The
# optimality of track-and-stop is asymptotic; at :math:`\delta = 0.1` its threshold costs more than the bound.
