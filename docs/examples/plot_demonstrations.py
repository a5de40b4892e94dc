r"""
What are demonstrations worth?
==============================

An expert shows a few times how to open a lock; a learner clones what it sees, and then learns on its own, with a
penalty for leaving the clone. How much do N demonstrations save, and why does the penalty make learning fast?
"""

# %%
# Cloning
# -------
# The clone adds one to all counts. The mean divergence of the expert from it is at most :math:`H (C - S) / (N + 1)`,
# without logarithms and for any expert; for a lock the bound is close.

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.algorithms import (
    behaviour_cloning,
    cloning_bound,
    demonstration_regularized,
    demonstrations,
    nora,
    ucbvi_ent,
)
from rltheory.measures import finite_horizon_suboptimality, trajectory_kl
from rltheory.plots.style import COLOURS, DASHES, tidy
from rltheory.problems import FiniteHorizonMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.solvers import backward_induction
from rltheory.theory import PowerLaw, fit_rate

RUNS = 20
FORM = PowerLaw(lambda setting: 0.0).form


def draw(ax, numbers, samples, colour, label):
    """Mean of the runs with the fitted exponent and its interval."""
    fit = fit_rate(numbers, samples, FORM, floor=0.0)
    label = f"{label}: exponent {fit.rate:.2f} [{fit.low:.2f}, {fit.high:.2f}]"
    ax.plot(numbers, samples.mean(axis=0), "o", markersize=4, color=colour, label=label)
    window = np.array(fit.window)
    ax.plot(window, fit.curve(window), color=colour, linewidth=1)


def finish(ax, xlabel, ylabel):
    """Logarithmic axes with a legend."""
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)


lock = rl.instances.diabolical_lock(stream(0, "demonstrations example", "lock"), 4, 3)
expert = backward_induction(lock).policy
with np.errstate(divide="ignore"):
    log_expert = np.log(expert)
numbers = np.unique(np.geomspace(10, 3000, 13).astype(int))


def runs(measure):
    """Measure for each number of demonstrations, in several runs."""
    return np.array(
        [[measure(int(number), stream(0, "demonstrations example", run)) for number in numbers] for run in range(RUNS)]
    )


def clone(number, rng):
    return behaviour_cloning(lock, demonstrations(lock, expert, number, rng))


divergences = runs(lambda number, rng: trajectory_kl(lock, log_expert, np.log(clone(number, rng))))
losses = runs(lambda number, rng: finite_horizon_suboptimality(lock, clone(number, rng)))
_, ax = plt.subplots(figsize=(7.2, 4.0), layout="constrained")
draw(ax, numbers, divergences, COLOURS[0], "divergence")
draw(ax, numbers, losses, COLOURS[1], "loss of the clone")
bounds = [cloning_bound(lock, int(number)) for number in numbers]
ax.plot(numbers, bounds, color="black", linestyle=DASHES[1], label="bound on the mean divergence")
finish(ax, "demonstrations", "nats, or units of reward")

# %%
# Learning with a penalty
# -----------------------
# To be nearly as good as the expert, by a tolerance :math:`\varepsilon` in the mean, the learner weighs the penalty by
# :math:`\lambda = \varepsilon (N + 1) / (2 H (C - S))` and explores until its certificate is :math:`\varepsilon / 2`.
# How many episodes that takes falls inversely to the number of demonstrations. If the number of episodes is kept
# instead, the tolerance can fall like :math:`N^{-1/2}`. What the policies really lose is far less while demonstrations
# are few, and approaches the loss of the clone when they are many.


def learned(number, rng, tolerance):
    counts = demonstrations(lock, expert, number, rng)
    return demonstration_regularized(lock, counts, tolerance=tolerance, episodes=100_000, bonus=0.5, rng=rng)


fixed = runs(lambda number, rng: learned(number, rng, 0.2).times[-1])
shrinking = [
    [learned(int(number), stream(0, "budget", run), 2 * number**-0.5) for number in numbers] for run in range(RUNS)
]
_, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
draw(axes[0], numbers, fixed, COLOURS[0], "tolerance 0.2")
used = np.array([[trace.times[-1] for trace in row] for row in shrinking])
draw(axes[0], numbers, used, COLOURS[2], r"tolerance $2 N^{-1/2}$")
finish(axes[0], "demonstrations", "episodes needed")
draw(axes[1], numbers, losses, COLOURS[1], "clone")
left = np.array([[trace.last("loss") for trace in row] for row in shrinking])
draw(axes[1], numbers, left, COLOURS[2], "learner")
axes[1].plot(numbers, 2 * numbers**-0.5, color="black", linestyle=DASHES[1], label=r"tolerance $2 N^{-1/2}$")
finish(axes[1], "demonstrations", "loss")

# %%
# Why the penalty makes learning fast
# -----------------------------------
# With the penalty, errors of action values cost their squares. On the left, what UCBVI-Ent+ lacks on the lock, and its
# certificate. On the right, two arms whose difference shrinks with the number of episodes, so that they stay hard to
# tell apart: without penalty one loses as :math:`t^{-1/2}`, with penalty what is lacking falls like 1/t.


def two_arms(gap):
    """Arms that lead to a reward of 1 with probabilities that differ by `gap`."""
    rise = gap / 2
    laws = [[0, 0.5 + rise, 0.5 - rise], [0, 0.5 - rise, 0.5 + rise], [0, 1, 0], [0, 0, 1]]
    return FiniteHorizonMDP.stationary(TabularMDP.from_rows([0, 2, 3, 4], laws, [0, 0, 1, 0], initial=[1, 0, 0]), 2)


uniform = rl.problems.uniform_policy(lock.stages[0])
traces = [ucbvi_ent(lock, uniform, 0.5, episodes=30_000, bonus=0.3, rng=stream(0, "fast", run)) for run in range(RUNS)]
_, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
times = traces[0].times
for name, colour in (("certificate", COLOURS[0]), ("suboptimality", COLOURS[1])):
    found = np.array([trace[name] for trace in traces])
    fit = fit_rate(times, found, FORM, floor=0.0)
    label = f"{name}: exponent {fit.rate:.2f} [{fit.low:.2f}, {fit.high:.2f}]"
    axes[0].plot(times[1:], found.mean(axis=0)[1:], color=colour, label=label)
finish(axes[0], "episodes", "lacking with the penalty")
lengths = np.unique(np.geomspace(30, 10_000, 13).astype(int))
halves = [0.5, 0.5, 1, 1]
plain, penalised = (
    np.array([[once(int(length), stream(0, "arms", run)) for length in lengths] for run in range(2 * RUNS)])
    for once in (
        lambda length, rng: (
            nora(two_arms(length**-0.5), episodes=length, eta=1e3, bonus=0.3, rng=rng).last("regret") / length
        ),
        lambda length, rng: ucbvi_ent(two_arms(length**-0.5), halves, 0.5, episodes=length, bonus=0.3, rng=rng).last(
            "suboptimality"
        ),
    )
)
draw(axes[1], lengths, plain, COLOURS[1], "NORA, no penalty")
draw(axes[1], lengths, penalised, COLOURS[0], "UCBVI-Ent+")
finish(axes[1], "episodes", "lacking")
axes[1].set_ylim(bottom=4e-6)
axes[1].legend(frameon=False, fontsize=9, loc="lower left")
plt.show()

# %%
# **What this does not show.** The widths of the learners are a half and less than a third of those of the guarantee,
# which needs four and eleven times the episodes. Of NORA the mean loss of all episodes is shown, and of UCBVI-Ent+ the
# policy that it would return. The expert never errs; one that does is cloned as well, but what the clone loses then
# falls like :math:`N^{-1/2}`. And where the clone is already good, learning on top of it gains little.
