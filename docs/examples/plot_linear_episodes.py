r"""
How rarely can a learner change its mind?
=========================================

Twenty states with four actions each look like a large table. But here a choice is a mixture of four laws and four
rewards, with weights that are known: a linear process. Learners estimate what belongs to the four features instead of
eighty choices, and are optimistic where features were rarely seen. Must they plan anew after every episode?
"""

# %%
# Regret, and changes of plan
# ---------------------------
# LSVI-UCB does plan anew each time. With rare switching it waits until a determinant has doubled, which measures what
# has been learnt about all features together; so does NORA, whose actor starts from uniform play whenever its critic
# changes. Bonuses are a twentieth of those that are proved to suffice.

from functools import partial

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.algorithms import global_optimism, linear_nora, lsvi_ucb
from rltheory.plots.style import COLOURS, DASHES, tidy
from rltheory.simulation import stream
from rltheory.theorems.episodes.tan2025_linear import BONUS, most_doublings

linear = rl.instances.random_linear_mdp(stream(0, "linear episodes example", "process"), 20, 4, 4)
horizon, episodes = 4, 20_000
learners = [
    lsvi_ucb,
    partial(lsvi_ucb, rare_switching=True),
    partial(linear_nora, eta=100.0),
]
_, (left, right) = plt.subplots(1, 2, figsize=(8.6, 4.0), layout="constrained")
for learner, colour in zip(learners, COLOURS, strict=False):
    traces = [
        learner(linear, horizon=horizon, episodes=episodes, bonus=0.05, rng=stream(0, "linear episodes example", run))
        for run in range(10)
    ]
    times = traces[0].times
    for ax, name in ((left, "regret"), (right, "switches")):
        ax.plot(times, np.mean([trace[name] for trace in traces], axis=0), color=colour, label=traces[0].algorithm)
most = (horizon - 1) * most_doublings(times, linear.dimension, 1.0)
right.plot(times, most, color="black", linestyle=DASHES[1], label="bound on rare switching")
left.set(xscale="log", yscale="log", xlim=(1, episodes), xlabel="episodes", ylabel="regret")
right.set(xscale="log", yscale="log", xlim=(1, episodes), ylim=(1, None), xlabel="episodes", ylabel="changes of plan")
for ax in (left, right):
    ax.legend(frameon=False, fontsize=8)
    tidy(ax)

# %%
# Waiting costs next to nothing. What NORA loses besides is the price of its actor, which plays uniformly after each of
# some forty changes.
#
# How large must a bonus be?
# --------------------------
# The bonus has to cover the errors of all critics, which depend on the very episodes on which they are fitted; the
# proof pays for that with a net of all that a critic can be. What is needed is mostly the bias of the ridge, at the
# start.

verdicts = rl.verify(BONUS)
rl.plots.convergence(verdicts[-1])

# %%
# What does it cost to be optimistic one choice at a time?
# --------------------------------------------------------
# Bonuses allow the largest error for each choice by itself, a box of critics. An ellipsoid in the box is smaller, and
# need only hold the optimal values: its radius is a third of the bonus here. But the most promising critic in an
# ellipsoid is hard to find; this learner tries all plans, for a table with three states.

river = rl.instances.river_swim(3)
tiny = rl.problems.FiniteHorizonMDP.stationary(river, 3)
indicators = rl.problems.LinearMDP.from_tabular(river)
_, ax = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
ours = {
    "global optimism": partial(global_optimism, tiny),
    "LSVI-UCB, rare switching": partial(lsvi_ucb, indicators, horizon=3, rare_switching=True),
}
for (name, learner), colour in zip(ours.items(), COLOURS, strict=False):
    traces = [learner(episodes=20_000, rng=stream(0, "price of the box", run)) for run in range(10)]
    ax.plot(traces[0].times, np.mean([trace["regret"] for trace in traces], axis=0), color=colour, label=name)
ax.set(xlabel="episodes", ylabel="regret", xlim=(0, 20_000), ylim=(0, None))
ax.legend(frameon=False)
tidy(ax)
plt.show()

# %%
# **What this does not show.** The bonuses of the first figure were chosen by hand, without a guarantee; with those of
# the theory no learner would have finished exploring. The guarantee of the last figure's ellipsoid is optimism alone.
# And features are given: to find them is another problem.
