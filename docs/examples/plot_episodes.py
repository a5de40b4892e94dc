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

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.algorithms import douhua, episodic_q_learning, episodic_ucrl2, nora, psrl, ucbvi_bernstein
from rltheory.plots.style import COLOURS, tidy
from rltheory.simulation import replicates, stream
from rltheory.theorems.episodes.tan2025 import REGRET_OF_DOUHUA, REGRET_OF_NORA, Learning

lock = rl.instances.diabolical_lock(stream(0, "episodes example", "lock"), 5, 3)
EPISODES = 30_000
learners = {
    "NORA, bonus × 0.3": lambda rng: nora(lock, episodes=EPISODES, bonus=0.3, rng=rng),
    "DOUHUA, bonus × 0.3": lambda rng: douhua(lock, episodes=EPISODES, bonus=0.3, eta=0.03, rng=rng),
    "UCBVI, Bernstein, bonus × 0.01": lambda rng: ucbvi_bernstein(lock, episodes=EPISODES, bonus=0.01, rng=rng),
    "UCRL2, radii × 0.3": lambda rng: episodic_ucrl2(lock, episodes=EPISODES, bonus=0.3, rng=rng),
    "PSRL": lambda rng: psrl(lock, episodes=EPISODES, rng=rng),
    "Q-learning, bonus × 0.03": lambda rng: episodic_q_learning(lock, episodes=EPISODES, bonus=0.03, rng=rng),
    "NORA, greedy, no bonus": lambda rng: nora(lock, episodes=EPISODES, eta=1e3, bonus=0.0, rng=rng),
}
runs = replicates(learners, 20)
rl.plots.bands(runs["regret"], quantity="regret", slopes=[0.5, 1]).set_xlim(left=10)

# %%
# Lines are means over 20 runs, and bands hold the middle 80 % of these. All but the greedy learner without bonus find
# the combination, and then lose little: on a fixed process regret grows like the logarithm of the number of episodes in
# the end.
#
# How far off are the guarantees?
# -------------------------------
# With bonuses as the theory has them, regret keeps far below what is proved. Nobody can lose more than H in an episode;
# the guarantee says more than that from some 20 000 episodes on.

proved = Learning(lock, 100_000, 1.0)
safe = replicates(
    {
        "NORA": lambda rng: nora(lock, episodes=proved.episodes, rng=rng),
        "DOUHUA": lambda rng: douhua(lock, episodes=proved.episodes, eta=0.03, rng=rng),
    },
    8,
)
trace = nora(lock, episodes=proved.episodes, rng=stream(0, "episodes example", "bound"))
bounds = {"bound on NORA's regret": REGRET_OF_NORA.bound(proved, trace), "H per episode": 5.0 * trace.times}
rl.plots.bands(safe["regret"], quantity="regret", references=bounds, slopes=[0.5]).set_xlim(left=10)

# %%
# How often does the critic change?
# ---------------------------------
# NORA's critic is made anew when visits of a choice have doubled: a straight line over logarithmic time. DOUHUA makes
# one for each episode.

switches = safe["switches"].sel(algorithm="NORA").values
_, ax = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
ax.plot(trace.times, switches.mean(axis=0), color=COLOURS[0], label="NORA")
ax.fill_between(trace.times, switches.min(axis=0), switches.max(axis=0), color=COLOURS[0], alpha=0.15, linewidth=0)
ax.plot(trace.times, proved.most_switches(trace), color="black", linestyle="--", label="bound")
ax.plot(trace.times, trace.times, color=COLOURS[1], label="DOUHUA")
ax.set(xscale="log", ylim=(0, 850), xlim=(1, proved.episodes), xlabel="episodes", ylabel="critics so far")
ax.legend(frameon=False)
tidy(ax)

# %%
# How long should the steps of an actor be?
# -----------------------------------------
# NORA's actor starts again whenever its critic changes, and follows a critic that stands still: the longer its steps,
# the better. DOUHUA's actor never starts again, so that shorter ones will do. Its guarantee is for short steps, as its
# critic moves in every episode; on this lock long ones do no harm.

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
# the guarantee that goes with larger ones. With sets as small as these UCRL2 does best; PSRL needs no such choice, and
# its guarantee is only for the mean over its prior.
