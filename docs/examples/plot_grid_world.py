r"""
Along a cliff
=============

The shortest way leads along a cliff. How much of a detour is worth it, if one may slip?
"""

# %%
# The world
# ---------
# Each move costs 1, a fall ends the walk and costs 20, and the goal ends it for nothing. A move slips to one of its two
# sides with some probability, each side half the time. `cells` tells figures where each state lies.

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.plots.style import COLOURS, tidy
from rltheory.problems import deterministic_policy
from rltheory.solvers import discounted_occupancy, discounted_values, soft_value_iteration, solve

layout = [
    "........",
    "........",
    "........",
    "SccccccG",
]
discount = 0.99
cells = rl.instances.grid_cells(layout)
start = cells[3, 0]


def cliff(slip):
    return rl.instances.grid_world(layout, slip=slip, step_reward=-1, exits={"c": -20, "G": 0})


sure = cliff(0.0)
solution = solve(sure, discount)
print(f"found by {solution.method}; each value is proved to be within {solution.error:.0e}")
rl.plots.value_map(sure, solution.values, cells)

# %%
# Slipping changes the policy
# ---------------------------
# Who never slips walks along the edge. Who slips one time in ten takes a detour through the row above: beside the
# cliff, the best move is up, from which no slip leads down. Only the last steps before the goal are worth the risk.

slips = (0.0, 0.1)
figure, axes = plt.subplots(2, 1, figsize=(7, 7), layout="compressed")
for ax, slip in zip(axes, slips, strict=True):
    world = cliff(slip)
    best = solve(world, discount)
    rl.plots.policy_map(world, best.policy, cells, values=best.values, ax=ax)
    ax.set_title(f"optimal policy, slip {slip:g}", loc="left")

# %%
# What it costs to ignore the slip
# --------------------------------
# The policy that is optimal without slips, evaluated exactly in worlds with slips, beside the best one there. Up to a
# slip of 0.05 the edge remains the best way.

grid = np.linspace(0, 0.4, 21)
worlds = [cliff(slip) for slip in grid]
_, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
optimal = [solve(world, discount).values[start] for world in worlds]
edge = deterministic_policy(sure, solution.policy)
careless = [discounted_values(world, edge, discount).values[start] for world in worlds]
ax.plot(grid, optimal, color=COLOURS[0], linewidth=2, label="optimal policy of each slip")
ax.plot(grid, careless, "--", color=COLOURS[1], linewidth=2, label="policy that expects no slip")
ax.set_xlabel("slip, probability")
ax.set_ylabel("value of the start, in rewards")
ax.legend(frameon=False)
tidy(ax)

# %%
# Where the time is spent
# -----------------------
# The discounted occupancy: the probability of being in a cell at a random time, which has probability
# :math:`(1 - \gamma) \gamma^t`. What is missing to 1 is spent after the end, which lies off the map.

figure, axes = plt.subplots(2, 1, figsize=(7, 7), layout="compressed")
for ax, slip in zip(axes, slips, strict=True):
    world = cliff(slip)
    policy = deterministic_policy(world, solve(world, discount).policy)
    rl.plots.occupancy_map(world, discounted_occupancy(world, policy, discount).occupancy, cells, ax=ax)
    ax.set_title(f"occupancy of the optimal policy, slip {slip:g}", loc="left")

# %%
# A policy that hedges
# --------------------
# With a reward of temperature times entropy, the best policy is stochastic. Arrows are as long as moves are probable:
# away from the cliff several moves are about as good; beside it, caution prevails.

world = cliff(0.1)
soft = soft_value_iteration(world, discount, temperature=0.5)
ax = rl.plots.policy_map(world, np.exp(soft.log_policy), cells, values=soft.values)
ax.set_title("temperature 0.5, slip 0.1", loc="left")

# %%
# Tables from elsewhere
# ---------------------
# Any process can be drawn whose states lie in a grid: an array of their numbers is all it takes. On this lake, one gets
# where one wants a third of the time, and to each side as often. So the best move is often the one that can't end in a
# hole, wherever it points. In holes, the dark cells, and in the goal, the last, nothing is left to choose.

lake = rl.instances.recorded_mdp("frozen_lake_4x4")
solved = solve(lake, discount)
rl.plots.policy_map(lake, solved.policy, np.arange(16).reshape(4, 4), values=solved.values)

# %%
# What this does not show
# -----------------------
# Where several moves are equally good, one of them is drawn. And a colour says nothing of small differences:
# where they matter, read :func:`~rltheory.measures.action_gaps`.
