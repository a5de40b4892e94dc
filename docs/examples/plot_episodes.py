r"""
What does it cost to find the combination?
==========================================

A lock has five stages and two good states, each with one right action of three at each stage. Any wrong action pays a
little and spoils the rest of the episode: whoever takes what is easily found never sees the large reward at the end.
What do learners lose until they know the combination, and what becomes of the loss in the long run?
"""

# %%
# Regret of learners
# ------------------
# Regret is what the policies lose that were played, exactly, without the noise of what chance paid. Bonuses of the
# theory are made to be safe; here they are smaller, as the legend says.

from functools import partial

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.algorithms import douhua, episodic_q_learning, nora, psrl, ucbvi_bernstein
from rltheory.plots.style import COLOURS, DASHES, tidy
from rltheory.simulation import stream
from rltheory.theorems.tan2025 import REGRET_OF_DOUHUA

lock = rl.instances.diabolical_lock(stream(0, "episodes example", "lock"), 5, 3)
learners = [
    partial(nora, bonus=0.3),
    partial(douhua, bonus=0.3, eta=0.03),
    partial(ucbvi_bernstein, bonus=0.01),
    psrl,
    partial(episodic_q_learning, bonus=0.03),
]
_, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
for learner, colour in zip(learners, COLOURS, strict=False):
    traces = [learner(lock, episodes=30_000, rng=stream(0, "episodes example", run)) for run in range(10)]
    regret = np.mean([trace["regret"] for trace in traces], axis=0)
    ax.plot(traces[0].times, regret, color=colour, label=traces[0].algorithm)
greedy = nora(lock, episodes=30_000, eta=1e3, bonus=0.0, rng=stream(0, "episodes example", "greedy"))
ax.plot(greedy.times, greedy["regret"], color="black", linestyle=DASHES[1], label="NORA, greedy and without bonus")
ax.set(xscale="log", yscale="log", xlim=(10, 30_000), ylim=(5, None), xlabel="episodes", ylabel="regret")
ax.legend(frameon=False, fontsize=9)
tidy(ax)

# %%
# All but the greedy learner without bonus find the combination, and then lose little: on a fixed process regret grows
# like the logarithm of the number of episodes in the end.
#
# How long should the steps of an actor be?
# -----------------------------------------
# NORA's actor starts again whenever its critic changes, and follows a critic that stands still: the longer its steps,
# the better. DOUHUA's critic moves in every episode, and the actor must average over what it said.

etas = np.geomspace(1e-3, 10, 13)
_, ax = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
for learner, colour in zip((nora, douhua), COLOURS, strict=False):
    regret = [
        np.mean(
            [
                learner(lock, episodes=10_000, eta=eta, bonus=0.3, rng=stream(0, "step", run)).last("regret")
                for run in range(5)
            ]
        )
        for eta in etas
    ]
    ax.plot(etas, regret, "o-", markersize=3, color=colour, label=learner.__name__.upper())
ax.set(xscale="log", yscale="log", xlabel=r"step size $\eta$", ylabel="regret of 10 000 episodes")
ax.legend(frameon=False)
tidy(ax)

# %%
# What is proved
# --------------
# Both learners have guarantees with explicit constants, and proofs that are checked step by step. Here is DOUHUA's,
# where it comes closest: on many arms that are hard to tell apart.

verdicts = rl.verify(REGRET_OF_DOUHUA)
rl.plots.convergence(max(verdicts, key=lambda verdict: verdict.tightness))
plt.show()

# %%
# **What this does not show.** Learners are compared with bonuses that were chosen by hand for this lock, and without
# the guarantee that goes with larger ones. PSRL does best, and its guarantee is only for the mean over its prior.
