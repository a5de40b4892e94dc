r"""
Three criteria, one river
=========================

What is best depends on how rewards at different times are weighed: over a horizon, discounted, or on average. RiverSwim
:cite:`strehl2008` shows how the three are related, with exact numbers.
"""

# %%
# The process
# -----------
# Swimming right, against the current, pays at the far end only. On the left bank there is a small reward for nothing.

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.plots.style import COLOURS, MUTED, tidy
from rltheory.problems import FiniteHorizonMDP
from rltheory.solvers import average_policy_iteration, backward_induction, solve

river = rl.instances.river_swim()
rl.plots.transition_graph(river)

# %%
# On average
# ----------
# The largest average reward, the gain, is 7203/16805. The bias says how much more is earned in all from a state than
# from one that is drawn from the long-run law. Both come with proved bounds.

average = average_policy_iteration(river)
gain, bias = average.gain[0], average.bias
print(f"gain {gain:.12f}, proved to {(average.upper - average.lower).max():.0e}; 7203/16805 = {7203 / 16805:.12f}")
print("bias", bias.round(3), f"proved to {average.bias_error:.0e}")
print("policy", [river.choice_names[choice] for choice in average.policy])

# %%
# Over a horizon
# --------------
# Backward induction gives the best choice for each number of stages that are left. With little time left, only those
# swim right who are near the far end.

horizon = 12
problem = FiniteHorizonMDP.stationary(river, horizon)
optimum = backward_induction(problem)
swims = optimum.made[::-1] % 2  # row k: k + 1 stages are left

_, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for choice, name in enumerate(("left", "right")):
    left, states = np.nonzero(swims == choice)
    ax.scatter(left + 1, states, s=60, color=COLOURS[choice], marker="<>"[choice], label=name)
ax.set_xlabel("stages left")
ax.set_ylabel("state")
ax.set_xticks(range(1, horizon + 1))
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
tidy(ax)

# %%
# Discounted, and the discount going to 1
# ---------------------------------------
# Discounted values grow like :math:`g / (1 - \gamma)`. What remains tends to the bias:
#
# .. math:: V^*_\gamma(s) = \frac{g}{1 - \gamma} + h(s) + O(1 - \gamma).
#
# On the left, :math:`(1 - \gamma) V^*_\gamma(s)` tends to the gain, the same from every state. On the right,
# :math:`V^*_\gamma(s) - g / (1 - \gamma)` tends to the bias (dotted).

lacking = np.geomspace(0.5, 1e-4, 80)
values = np.array([solve(river, 1 - rest).values for rest in lacking])
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
shades = plt.colormaps["viridis"](np.linspace(0, 0.9, river.states))
for state in range(river.states):
    axes[0].plot(lacking, lacking * values[:, state], color=shades[state], label=str(state))
    axes[1].plot(lacking, values[:, state] - gain / lacking, color=shades[state])
    axes[1].axhline(bias[state], color=shades[state], linestyle=":", linewidth=1)
axes[0].axhline(gain, color="black", linestyle="--", linewidth=1)
axes[0].annotate("gain", (lacking[-1], gain), xytext=(-4, 4), textcoords="offset points", ha="right", color="black")
axes[0].set_ylabel("(1 − γ) · value")
axes[1].set_ylabel("value − gain / (1 − γ)")
axes[1].set_ylim(bias.min() - 1, bias.max() + 1.5)
axes[0].legend(title="state", frameon=False, fontsize=9)
for ax in axes:
    ax.set_xscale("log")
    ax.invert_xaxis()
    ax.set_xlabel("1 − γ")
    tidy(ax)

# %%
# How far must one look ahead?
# ----------------------------
# For discounts close enough to 1, one policy is optimal for all of them, and it is optimal on average as well:
# Blackwell's theorem :cite:`blackwell1962`. On this river, as far as drawn here, it is so from a discount of 0.615 on,
# where the first state changes to the right.

discounts = np.linspace(0.3, 0.99, 139)
right = np.array([solve(river, discount).policy % 2 for discount in discounts])
_, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for state in range(river.states):
    for choice in (0, 1):
        there = right[:, state] == choice
        ax.plot(
            discounts[there], np.full(there.sum(), state), color=COLOURS[choice], linewidth=7, solid_capstyle="butt"
        )
for choice, name in enumerate(("left", "right")):
    ax.plot([], [], color=COLOURS[choice], linewidth=7, label=name)
ax.axvline(discounts[right.all(axis=1).argmax()], color=MUTED, linestyle="--", linewidth=1)
ax.set_xlabel("discount")
ax.set_ylabel("state")
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
tidy(ax)
print(f"everyone swims right from a discount of {discounts[right.all(axis=1).argmax()]:.3f} on")

# %%
# What this does not show
# -----------------------
# All of this needs the laws. Somebody who has to learn them pays for it: from the first state, even the fastest way to
# the last takes almost fifteen steps on average, and a learner that does not look for it stays on the left bank.

print(f"steps from state 0 to state 5, the diameter: {rl.solvers.diameter(river).steps:.2f}")
