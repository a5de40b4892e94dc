r"""
Where does the limit begin?
===========================

No policy that is good on all bandits can lose less than :math:`c \log n` in the limit of many rounds, and theorems
state that some policies lose no more than a certain multiple of it. Between what must be lost and what may be lost at
most there is room. Where in it do the curves lie, and from when on?
"""

# %%
# Upper bounds, a lower bound, and what is lost
# ---------------------------------------------
# The upper bounds hold after every number of rounds; the lower bound speaks of the limit only. Both axes are
# logarithmic, as the bounds are far above the curves.

import numpy as np

import rltheory as rl
from rltheory.algorithms.bandits import explore_then_commit, kl_ucb, ucb1
from rltheory.plots.style import COLOURS, new_axes, tidy
from rltheory.theorems.bandits.bandit_lower_bounds import HiddenArm, play_hidden
from rltheory.theorems.bandits.stated_regret import stated_regret

bandit = rl.Bandit.bernoulli([0.9, 0.5])
policies = [ucb1(), kl_ucb(c=3), explore_then_commit(30)]
runs = rl.compare_policies(bandit, policies, horizon=20_000, replicates=200)
names, times = runs["policy"].to_numpy().tolist(), runs["time"].to_numpy()
ax = rl.plots.regret(
    runs,
    lower_bound=bandit.lai_robbins_constant,
    upper_bounds=stated_regret(bandit, names, times),
    log_regret=True,
)

# %%
# UCB1 and KL-UCB cross the line of the lower bound early, and lie some five times and twice below their own bounds.
# Explore-then-commit seems to pay nothing after 60 rounds. But with 30 pulls of each arm it takes the wrong one with a
# probability near 1e-4, which costs a constant share of every round: in the limit it is the worst of the three.
#
# What the information says
# -------------------------
# The lower bound counts information: N pulls of the worse arm tell :math:`N\, \mathrm{kl}(\mu_a, \mu_\star)` against
# its being the best. A policy that is good on all bandits has to go on, so that it keeps up with :math:`\log n`.

constant = float(bandit.divergences(0.9)[1])
ax = new_axes(height=3.8)
for position, name in enumerate(names):
    pulls = runs["pulls"].sel(policy=name, arm=1).mean("replicate").to_numpy()
    ax.plot(times[1:], pulls[1:] * constant, color=COLOURS[position], label=name)
ax.plot(times[1:], np.log(times[1:]), "--", color="black", label="log n")
ax.set_xscale("log")
ax.set_ylim(0, 40)
ax.set_xlabel("round")
ax.set_ylabel("information on the worse arm")
ax.legend(frameon=False)
tidy(ax)

# %%
# The rule at work is exact after every round, for every policy: what the pulls tell is no more than what has been seen.
# `rltheory verify lower-bound` plays all histories of rewards to check it.
#
# The worst case
# --------------
# For a given number of rounds n there is a bandit on which the loss is :math:`\sqrt{(K - 1) n} / 13.2` at least. It
# hides a better arm, or does not, with a gap that n rounds can hardly tell. The points are sums of both regrets for the
# gap for which the bound is largest, and the line is what no policy goes below.

ax = new_axes(height=3.8)
rounds = np.array([50, 100, 200, 400, 800, 1600])
policies = {"ucb1:8": "UCB1, α = 8", "ucb1:0.5": "UCB1, α = 1/2", "thompson-gaussian": "Thompson sampling, Gaussian"}
for (policy, name), colour in zip(policies.items(), COLOURS, strict=False):
    sums = [
        np.mean([play_hidden(HiddenArm(policy, 2, 0.5 / np.sqrt(n), int(n)), rng)["regret"][-1] for _ in range(40)])
        for n, rng in zip(rounds, np.random.default_rng(0).spawn(rounds.size), strict=True)
    ]
    ax.plot(rounds, sums, "o", color=colour, label=name)
ax.plot(rounds, np.sqrt(rounds) * np.exp(-0.5) / 4, "--", color="black", label="lower bound")
ax.set_xscale("log")
ax.set_yscale("log")
ax.set_xlabel("rounds n")
ax.set_ylabel("sum of both regrets")
ax.legend(frameon=False)
tidy(ax)

# %%
# **What this does not show.** That a curve has reached its limit: over a few decades a constant hides a logarithm of a
# logarithm, which is what the budget of KL-UCB has in it.
