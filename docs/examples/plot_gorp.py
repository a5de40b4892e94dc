r"""
How many random episodes make a good plan?
==========================================

GORP looks k steps ahead, plays at random from there, and commits to the first step of what returned most. It is the
simplest algorithm that explains why random exploration and a little planning often suffice. How many episodes does each
sequence of k choices need?
"""

# %%
# How likely is an optimal plan?
# ------------------------------
# Lines are exact: the law of a mean of m returns is a convolution of m laws. Dots are runs of the algorithm, with an
# interval of two standard deviations. Vertical lines mark the numbers of episodes that theorems certify to succeed at
# least half of the time.

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.algorithms import gorp, sqirl
from rltheory.measures import finite_horizon_suboptimality, gorp_failure_probability, plan_loss
from rltheory.plots.style import COLOURS, DASHES, tidy
from rltheory.problems import FiniteHorizonMDP, deterministic_policy
from rltheory.simulation import stream
from rltheory.solvers import backward_induction
from rltheory.theorems.effective_horizon.laidlaw2023 import Planning

lock = FiniteHorizonMDP.stationary(rl.instances.combination_lock([1, 0, 1, 0, 1]), 5)
runs = 400
_, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
for depth, colour in zip((1, 2, 3), COLOURS, strict=False):
    setting = Planning.of(lock, depth)
    episodes = np.unique(np.geomspace(1, 1000, 40).astype(int))
    success = [1 - gorp_failure_probability(lock, depth=depth, episodes=int(m)) for m in episodes]
    ax.plot(episodes, success, color=colour, label=f"k = {depth}")
    for m in (1, 3, 10, 30):
        rng = stream(0, "gorp example", depth, m)
        found = plan_loss(lock, gorp(lock, depth=depth, episodes=m, rng=rng, replicates=runs)["made"]) == 0
        ax.errorbar(m, found.mean(), 2 * found.std() / runs**0.5, fmt="o", markersize=3.5, color=colour)
    for scale, dash in ((setting.scale_by_ranges, DASHES[1]), (setting.scale_by_values, DASHES[2])):
        ax.axvline(setting.certified(scale), color=colour, linestyle=dash, linewidth=1)
    print(
        f"k = {depth}: {setting.enough} episodes suffice, {setting.certified(setting.scale_by_ranges)} are certified; "
        f"effective horizon {depth + np.log2(setting.enough):.2f}"
    )
ax.set(xscale="log", ylim=(0, 1.03), xlabel="episodes for each sequence", ylabel="probability of an optimal plan")
ax.legend(frameon=False, loc="lower right")
tidy(ax)

# %%
# Dashed is the number that the ranges of single sequences certify, dotted that by the values; in a lock, whose returns
# are 0 or 1, they agree. The proof allows for all sequences at all stages at once, and asks for thirty times as many
# episodes as are needed. Looking deeper takes fewer episodes for each sequence, and there are more sequences: what
# counts is the product :math:`A^k m`, whose logarithm is the effective horizon. In a lock all depths agree.
#
# Where chance has a part
# -----------------------
# SQIRL replaces the search by regressions: of returns of random play, then k - 1 steps of fitted values. Its policy is
# exact where enough was seen. Lines are means of 20 runs.

problem = rl.instances.random_episodes(stream(0, "gorp example", "random"), 12, 3, 6)
optimum = float(backward_induction(problem).values[0] @ problem.initial)
numbers = np.geomspace(10, 3000, 8).astype(int)
_, ax = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
for depth, colour in zip((1, 2, 3), COLOURS, strict=False):
    returns = []
    for m in numbers:
        made = [
            sqirl(problem, depth=depth, episodes=int(m), rng=stream(0, "gorp example", depth, m, run))["made"]
            for run in range(20)
        ]
        policies = [deterministic_policy(problem.stages[0], row) for row in made]
        returns.append(optimum - np.mean([finite_horizon_suboptimality(problem, policy) for policy in policies]))
    ax.plot(numbers, returns, "o-", markersize=3, color=colour, label=f"k = {depth}")
ax.axhline(optimum, color="black", linestyle=DASHES[2], linewidth=1)
ax.set(xscale="log", xlabel="episodes for each stage", ylabel="expected return")
ax.legend(frameon=False, loc="lower right")
tidy(ax)

# %%
# With k = 1 more episodes do not help: what is best before random play is not the best choice here.
#
# **What this does not show.** A bound for a table says little of a network, whose regressions err in other ways; the
# theorem for any regression says what those errors cost.
