r"""
What does it cost to learn which arm is best?
=============================================

A bandit has arms that pay at random. The pseudo-regret of n rounds is what was lost by not pulling the best arm always.
Good policies lose about :math:`c \log n`, and none that is good on all bandits can do better than the constant c of Lai
and Robbins. Who comes close, and from when on?
"""

# %%
# Five policies, 1000 runs of each
# --------------------------------
# Lines are means, bands lie between the 10 % and the 90 % quantile of the runs. A regret that grows like the logarithm
# is a straight line over logarithmic time; the dashed line has the slope that no policy can stay below for ever.

import numpy as np

import rltheory as rl
from rltheory.algorithms.bandits import (
    anytime_moss,
    epsilon_greedy,
    explore_then_commit,
    imed,
    kl_ucb,
    own_policy,
    thompson,
    ucb1,
)

bandit = rl.Bandit.bernoulli([0.5, 0.45, 0.4, 0.3, 0.2, 0.1])
policies = [ucb1(), anytime_moss(), kl_ucb(), imed(), thompson()]
runs = rl.compare_policies(bandit, policies, horizon=20_000, replicates=1000)
ax = rl.plots.regret(runs, lower_bound=bandit.lai_robbins_constant)

# %%
# At 20 000 rounds the means of the best still lie below the line: the bound speaks of horizons that go to infinity, and
# what it says here is the slope. UCB1 takes every law on [0, 1] to be as wide as it can be, and pays for it.
#
# How is the regret spread?
# -------------------------
# Means hide that single runs may be far off: a policy that is quick to leave an arm sometimes leaves the best one.

gambler = rl.compare_policies(bandit, [explore_then_commit(100), *policies[2:]], horizon=20_000, replicates=1000)
ax = rl.plots.final_regrets(gambler)

# %%
# Exploring 100 times and committing costs 105 for sure; then the arms of means 0.5 and 0.45 are confused in some runs,
# for 970 more. The heaps are the arms that were chosen.
#
# Which arms were pulled?
# -----------------------

ax = rl.plots.arm_pulls(runs)

# %%
# Logarithmic or linear?
# ----------------------
# On logarithmic axes a power of time is a line, whose slope is its exponent. Exploring at a constant rate costs a
# constant share of every round: slope 1 in the end.

greedy = rl.compare_policies(bandit, [epsilon_greedy(0.1), thompson()], horizon=20_000, replicates=300)
ax = rl.plots.regret(greedy, slopes=(1,), log_regret=True)

# %%
# A policy of your own
# --------------------
# Three functions of one run: what is remembered at first, which arm comes next, and what is learnt. Plain Python is
# interpreted; functions that Numba has compiled run as fast as those of the package. This one pulls the arm with the
# larger of two random posterior samples, and is bolder than Thompson sampling.

from numba import njit


@njit
def start(memory, arms):
    memory[:] = 1.0  # successes and failures of each arm, plus one


@njit
def choose(t, memory, uniforms):
    arms = memory.size // 2
    best, largest = 0, -1.0
    for a in range(arms):
        wins, losses = memory[2 * a], memory[2 * a + 1]
        mean = wins / (wins + losses)
        width = np.sqrt(mean * (1 - mean) / (wins + losses + 1))
        # A logistic number is nearly normal, and grows with the uniform number that it takes.
        u = max(uniforms[2 * a], uniforms[2 * a + 1])
        noise = np.log((u + 1e-12) / (1 - u))
        if mean + width * noise / 1.8 > largest:
            best, largest = a, mean + width * noise / 1.8
    return best


@njit
def observe(t, memory, arm, reward):
    memory[2 * arm] += reward
    memory[2 * arm + 1] += 1 - reward


bold = own_policy(
    "bold", start=start, choose=choose, observe=observe, memory=lambda arms: 2 * arms, draws=12, rewards=(0, 1)
)
ax = rl.plots.regret(
    rl.compare_policies(bandit, [thompson(), bold], horizon=20_000, replicates=300),
    lower_bound=bandit.lai_robbins_constant,
)

# %%
# **What this does not show.** One bandit is no ranking: other means, and other laws, turn the order round. Theorems say
# what holds for all of them.
