r"""
What are somebody else's records worth?
=======================================

A lock has eight stages and two good states, each with one right action of four at each stage. Somebody who mostly knows
the way has left records: so many episodes, in which each action was random with probability 1/8. What do they spare
those who learn by playing, and what do they spare those who would never get there alone?
"""

# %%
# Records in place of bonuses
# ---------------------------
# NORA explores by bonuses. With records it can do without: where data cover what a good policy does, a critic that is
# not optimistic promises nearly the optimal value. Regret of 30 000 episodes, exactly:

import matplotlib.pyplot as plt
import numpy as np

from rltheory.algorithms import nora, sampled_hybrid_actor_critic
from rltheory.instances import diabolical_lock
from rltheory.plots.style import COLOURS, DASHES, tidy
from rltheory.problems import offline_data, uniform_policy
from rltheory.simulation import stream
from rltheory.solvers import backward_induction
from rltheory.theorems.episodes.zhou2024 import Threshold, halve


def records(lock, trajectories, rng):
    """Draw episodes of an expert who slips once, on average."""
    slips = 1 / lock.horizon
    expert = (1 - slips) * backward_induction(lock).policy + slips * uniform_policy(lock.stages[0])
    return offline_data(lock, expert, trajectories, rng)


def mean_regret(trajectories, bonus, runs=5):
    """Mean over locks, data and runs."""
    regret = []
    for run in range(runs):
        rng = stream(0, "hybrid example", run)
        lock = diabolical_lock(rng, 8, 4)
        data = records(lock, trajectories, rng)
        regret.append(nora(lock, episodes=30_000, bonus=bonus, offline=data, rng=rng).last("regret"))
    return np.mean(regret)


numbers = [1, 2, 3, 5, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000]
_, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
for bonus, label, colour in ((0.3, "optimistic", COLOURS[0]), (0.0, "not optimistic", COLOURS[1])):
    regret = [mean_regret(trajectories, bonus) for trajectories in numbers]
    ax.plot(numbers, regret, "o-", markersize=3, color=colour, label=label)
ax.axhline(mean_regret(0, 0.3), color=COLOURS[0], linestyle=DASHES[1], label="online only, optimistic")
ax.axhline(mean_regret(0, 0.0), color=COLOURS[1], linestyle=DASHES[1], label="online only, not optimistic")
ax.set(xscale="log", yscale="log", xlabel="recorded episodes", ylabel="regret of 30 000 episodes")
ax.legend(frameon=False, fontsize=9, loc="center right")
tidy(ax)

# %%
# A few recorded episodes are worth more than all bonuses, for somebody who trusts them: he loses what each new critic
# costs his actor, and nothing for exploration. Bonuses distrust: they go on exploring what was recorded too rarely,
# until there are thousands of records of it. But who trusts records that miss the way never finds it.
#
# The theorem on regret without bonuses says the same: its bound has a term that grows with time, and falls with the
# root of the number of records; it is infinite where they miss what an optimal policy does.
#
# Two kinds of errors
# -------------------
# Hybrid actor-critic knows no bonuses and keeps no model. Its critic is fitted to records by temporal differences,
# and to returns of rollouts where the policy goes: the one alone would be learning from records, the other policy
# gradient.
# How many steps of play does it take until the policy earns half of what is possible, by the length of the lock?

horizons = [2, 3, 4, 5, 6, 8, 10, 12]
rivals = {"hybrid actor-critic": 1.0, "natural policy gradient": np.inf}
_, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
needed = {name: [] for name in [*rivals, "NORA, bonus x 0.3", "hybrid NORA, no bonus"]}
for horizon in horizons:
    rng = stream(0, "hybrid example", "horizons", horizon)
    lock, discount = diabolical_lock(rng, horizon, 3), 1 - 1 / (2 * horizon)
    best = lock.initial @ backward_induction(lock, discount=discount).values[0]
    data = records(lock, 1000, rng)
    shares = np.append(data.visits.ravel(), 0) / data.visits.sum()
    for name, weight in rivals.items():
        trace = sampled_hybrid_actor_critic(
            lock.unrolled(),
            discount,
            shares,
            iterations=100,
            burn_in=horizon,
            kept=5,
            samples=100,
            step=5.0,
            weight=weight,
            rng=stream(0, "hybrid example", horizon, name),
        )
        solved = trace["value"] > best / 2
        needed[name].append(trace["steps"][solved.argmax()] if solved.any() else np.nan)
    for name, bonus, known in (("NORA, bonus x 0.3", 0.3, None), ("hybrid NORA, no bonus", 0.0, data)):
        trace = nora(lock, episodes=30_000, eta=1e3, bonus=bonus, offline=known, rng=rng)
        solved = trace["suboptimality"][1:] < 0.5
        needed[name].append(horizon * trace.times[1:][solved.argmax()] if solved.any() else np.nan)
for (name, steps), colour in zip(needed.items(), COLOURS, strict=False):
    ax.plot(horizons, steps, "o-", markersize=4, color=colour, label=name)
ax.set(yscale="log", xlabel="stages of the lock", ylabel="steps of play until half of the value")
ax.legend(frameon=False, fontsize=9)
tidy(ax)

# %%
# Policy gradient is drawn to the small reward for giving up, and from some length on never sees the large one: its
# line ends. Hybrid actor-critic needs a number of steps that grows slowly. Whoever keeps a model is much faster still,
# since a table of three states is all that there is to learn here; actor-critics are for worlds where no model fits.
#
# Why not learn from records alone?
# ---------------------------------
# On a lock's table that works as well. But where critics are linear, and a backup leaves their class, temporal
# differences from records may diverge, and the errors along the policy need weight to hold them. On the smallest
# example, two states with features 1 and 2, a sweep multiplies the critic by a number that is known exactly.

_, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
for weight, colour in zip((0.0, 0.05, 0.0909, 0.2, 1.0), COLOURS, strict=False):
    trace = halve(Threshold(0.95, weight), stream(0, "no chance"))
    axes[0].plot(trace.times, trace["critic"][:, 0], color=colour, label=rf"$\lambda$ = {weight:g}")
axes[0].set(yscale="log", ylim=(1e-4, 30), xlabel="sweep", ylabel="critic of a state that is worth 0")
axes[0].legend(frameon=False, fontsize=9)

rng = stream(0, "hybrid example", "losses")
lock = diabolical_lock(rng, 8, 3)
data = records(lock, 1000, rng)
shares = np.append(data.visits.ravel(), 0) / data.visits.sum()
for weight, colour in zip((0.1, 1.0, 10.0), COLOURS, strict=False):
    trace = sampled_hybrid_actor_critic(
        lock.unrolled(),
        15 / 16,
        shares,
        iterations=100,
        burn_in=8,
        kept=5,
        samples=100,
        step=5.0,
        weight=weight,
        rng=rng,
    )
    axes[1].plot(trace.times, trace["offline_loss"], color=colour, label=rf"$\lambda$ = {weight:g}, on data")
    axes[1].plot(trace.times, trace["online_loss"], color=colour, linestyle=DASHES[1], label="along the policy")
axes[1].set(yscale="log", xlabel="steps of the actor", ylabel="loss of the critic")
axes[1].legend(frameon=False, fontsize=8, ncols=1)
for ax in axes:
    tidy(ax)
plt.show()

# %%
# On the left the critic converges for weights above 0.0909 only. On the right the weight decides how much the noise of
# returns disturbs the critic: on a table, where records suffice, little weight is best.
#
# **What this does not show.** The locks are tables of three states; in the paper they hide behind pictures, and critics
# are networks. Steps of play are counted for one run each, at the recorded times, and the learners' knobs were not
# tuned.
