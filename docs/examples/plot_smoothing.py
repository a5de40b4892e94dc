r"""
What smoothing buys, and what it costs
======================================

Entropy makes policies depend continuously on the rewards. The price is paid in reward; and as the temperature falls,
policies do not tend to the uniform choice among the best.
"""

# %%
# Stability against performance
# -----------------------------
# Rewards move by at most :math:`\varepsilon = 0.01`. At temperature :math:`\tau` the soft policy moves by no more than
# :math:`\varepsilon / (2 \tau (1 - \gamma))` in total variation, and loses at most :math:`\tau \log A / (1 - \gamma)`.
# The product of both bounds does not depend on the temperature: a hyperbola, which is a line on logarithmic axes, and
# which no temperature can cross.

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.plots.style import COLOURS, DASHES, MUTED, label_ends, tidy
from rltheory.simulation import stream
from rltheory.solvers import discounted_values, soft_policy_iteration, solve, zero_temperature_limit

discount, size = 0.9, 0.01


def soft_policy(process, temperature, rate=discount):
    found = soft_policy_iteration(process, rate, temperature=temperature, accuracy=1e-9)
    return np.exp(found.log_policy)


def variation(process, policy, other):
    """Total variation between two policies, in each state."""
    return np.add.reduceat(np.abs(policy - other), process.first_choice[:-1]) / 2


def frontier(process, direction, temperatures):
    """How far soft policies move when the rewards do, and what they lose, in the state where it is most."""
    optimal = solve(process, discount, accuracy=1e-9).values
    moved = process.with_rewards(process.rewards + size * direction)
    rows = []
    for temperature in temperatures:
        policy = soft_policy(process, temperature)
        movement = variation(process, policy, soft_policy(moved, temperature)).max()
        rows.append((movement, (optimal - discounted_values(process, policy, discount).values).max()))
    return np.array(rows).T


temperatures = np.geomspace(0.02, 20, 31)
fork = rl.instances.fork([1.0, 1.0, 0.7])
river = rl.instances.river_swim()
random = rl.instances.tied_mdp(stream(0, "smoothing example", "frontier"), 20, 3, 4, discount)
cases = {
    "fork with a tie": (fork, np.array([-1.0, 1.0, 0.0, -1.0, 1.0, 0.0])),
    "random, with ties": (random, stream(0, "smoothing example", "signs").choice([-1.0, 1.0], random.choices)),
    "RiverSwim, no ties": (river, stream(0, "smoothing example", "signs").choice([-1.0, 1.0], river.choices)),
}

_, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
for (name, (process, direction)), colour in zip(cases.items(), COLOURS, strict=False):
    movement, loss = frontier(process, direction, temperatures)
    ax.plot(movement, loss, "o-", markersize=2.5, color=colour, label=name)
    ax.plot(movement[::10], loss[::10], "o", markersize=7, color=colour)
    product = size * np.log(np.diff(process.first_choice).max()) / (2 * (1 - discount) ** 2)
    ax.plot([product / 200, 1], [200, product], ":", color=colour, linewidth=1)
    print(f"{name:18s} movement times loss: at most {(movement * loss).max() / product:.2f} of the bound")
ax.set(xscale="log", yscale="log", ylim=(1e-6, 300), xlabel="movement of the policy", ylabel="loss")
ax.legend(frameon=False, loc="lower left")
tidy(ax)

# %%
# Dotted are the hyperbolas of the bound; large dots mark the temperatures 20, 2, 0.2 and 0.02, from above, as far as
# they are in sight. At a high temperature policies are stable and poor. As it falls, they lose less and move more, up
# to a point. Where nothing ties, both come for free in the end: if the temperature is small beside the smallest gap,
# and the perturbation beside the radius, the policy neither moves nor loses. Where choices tie, it moves ever more.
#
# Which optimum is left
# ---------------------
# The first choice of this process leads to a dead end, which pays a little, the second to a state with two equal
# choices, for ever, which pays nothing. If nothing is paid, both choices are optimal. Yet the soft policies do not
# choose evenly: the entropy to come counts, at every temperature. If the dead end pays anything at all, the optimal
# policy goes there, and the soft policies follow when the temperature has fallen to the order of the pay. So one may
# let the pay fall to 0 first, or the temperature, and gets something else.

OPTIONS = 1  # the choice that leads to two equal ones
patience = 0.5
cooling = np.geomspace(1e-3, 10, 60)
_, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
heights = []
for pay, colour in zip((0.0, 0.01, 0.1), COLOURS, strict=False):
    process = rl.instances.dead_end_or_options(2, pay)
    curve = [soft_policy(process, temperature, patience)[OPTIONS] for temperature in cooling]
    ax.plot(cooling, curve, color=colour)
    heights.append(curve[0])
limit = zero_temperature_limit(rl.instances.dead_end_or_options(2), patience).policy[OPTIONS]
ax.axhline(0.5, color=MUTED, linestyle=DASHES[2])
ax.set(
    xscale="log", xlim=cooling[[0, -1]][::-1], xlabel="temperature, falling", ylabel="probability of the two choices"
)
label_ends(ax, ["pays 0", "pays 0.01", "pays 0.1", "uniform"], [*heights, 0.5], [*COLOURS[:3], MUTED])
tidy(ax)
print(f"limit without pay: {limit:.4f}; uniform: 0.5")

# %%
# In general, the limit is the optimal policy of largest discounted entropy. It is approached exponentially in
# :math:`1 / \tau`, as :math:`e^{-\Delta / \tau}` with the smallest gap :math:`\Delta`. Here in a random process with
# ties:

tied = rl.instances.tied_mdp(stream(0, "smoothing example", "ties"), 12, 3, 3, patience)
limit = zero_temperature_limit(tied, patience, accuracy=1e-12)
optimal = limit.found.optimal
uniform = optimal / np.add.reduceat(optimal, tied.first_choice[:-1])[tied.state_of_choice]
coldness = np.linspace(1, 50, 30)
distances, bounds = [], []
for cold in coldness:
    policy = soft_policy(tied, 1 / cold, patience)
    wrong = np.add.reduceat(np.where(optimal, 0.0, policy), tied.first_choice[:-1]).max()
    distances.append(variation(tied, policy, limit.policy).max())
    bounds.append(wrong + np.tanh(patience * limit.slope_error(1 / cold) / 4))
gap = limit.found.least_gap
print(
    f"smallest gap {gap:.3f}; from the limit to the uniform choice: {variation(tied, limit.policy, uniform).max():.3f}"
)

_, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(coldness, distances, "o", markersize=4, color=COLOURS[0], label="total variation from the limit")
ax.plot(coldness, bounds, color=COLOURS[1], label="bound")
ax.plot(coldness, np.exp(-gap * coldness), ":", color=MUTED, label="exp(−Δ / τ)")
ax.set(yscale="log", xlabel="1 / temperature", ylabel="distance")
ax.legend(frameon=False)
tidy(ax)

# %%
# A lottery of seeds
# ------------------
# Two arms pay the same. The natural policy gradient is run from 2000 seeds, with values that are estimated with noise
# of deviation 0.1. Without temperature the logits of the two arms add up the noise, as a random walk: in the end most
# seeds are sure of one of the arms, and it is chance which. With a temperature, old noise is forgotten, and the seeds
# agree. No seed is wrong: both arms are optimal. But whoever compares two seeds finds different policies.

runs, steps, eta, noise = 2000, 2000, 1.0, 0.1
_, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True, layout="constrained")
for ax, temperature in zip(axes, (0.0, 0.05, 0.5), strict=True):
    rng = stream(0, "smoothing example", "seeds", temperature)
    keep = 1 / (1 + eta * temperature)  # weight of the old logits
    logits = np.zeros(runs)  # of the first arm over the second
    for _ in range(steps):
        logits = keep * (logits + eta * noise * (rng.normal(size=runs) - rng.normal(size=runs)))
    first = 1 / (1 + np.exp(-logits))
    sure = np.mean((first < 0.1) | (first > 0.9))
    print(
        f"temperature {temperature:4g}: deviation {first.std():.3f}, share of seeds that are sure of an arm {sure:.3f}"
    )
    ax.hist(first, bins=np.linspace(0, 1, 26), color=COLOURS[0])
    ax.set(title=f"temperature {temperature:g}", xlabel="probability of the first arm")
    tidy(ax)
axes[0].set_ylabel("seeds")

# %%
# **What this does not show.** The noise here has no bias and does not depend on the policy. Where arms that are pulled
# more are known better, the lottery is another one. And at a temperature, a soft policy is not the optimal one: the
# first figure shows what that costs.
