r"""
Rewards that help, and rewards that mislead
===========================================

A goal that is far away is hard to find. Whoever pays for progress on the way may get something else than intended,
unless the pay is the difference of a potential :cite:`ng1999`.
"""

# %%
# The task
# --------
# The goal pays 1, and nothing else pays. With a discount of 0.95 the shortest way is the best.

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.measures import suboptimality
from rltheory.problems import deterministic_policy
from rltheory.solvers import solve

layout = [
    ".....#G",
    ".###.#.",
    ".#...#.",
    ".#.#.#.",
    "S..#...",
]
discount = 0.95
cells = rl.instances.grid_cells(layout)
task = rl.instances.grid_world(layout)
solution = solve(task, discount)
ax = rl.plots.policy_map(task, solution.policy, cells, values=solution.values)
ax.set_title("optimal values and policy", loc="left")

# %%
# Two ways to pay for progress
# ----------------------------
# Progress is measured by a potential :math:`\Phi`: minus 0.2 for each row and column that lie between a cell and the
# goal. The end has potential 0.
#
# - A *bonus* pays for each step that raises the potential, and charges nothing for steps that lower it.
# - *Shaping* adds :math:`\gamma \Phi(s') - \Phi(s)` to the reward, whatever its sign.

goal = np.argwhere(np.array([list(row) for row in layout]) == "G")[0]
potential = np.zeros(task.states)
potential[cells[cells >= 0]] = -0.2 * np.abs(np.argwhere(cells >= 0) - goal).sum(axis=1)

laws, here = task.transition_matrix.toarray(), potential[task.state_of_choice]
bonus = (laws * np.maximum(potential - here[:, None], 0)).sum(axis=1)
shaping = discount * laws @ potential - here


def paying(extra, title):
    """The same task with further rewards for its choices."""
    _, _, first_entry, successors, probabilities = task.arrays
    return rl.SparseMDP(
        task.first_choice,
        first_entry,
        successors,
        probabilities,
        task.rewards + extra,
        initial=task.initial,
        state_names=task.state_names,
        choice_names=task.choice_names,
        title=title,
    )


figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="compressed")
for ax, extra, title in zip(axes, (bonus, shaping), ("with a bonus", "with shaping"), strict=True):
    paid = paying(extra, title)
    best = solve(paid, discount)
    rl.plots.policy_map(paid, best.policy, cells, values=best.values, ax=ax)

# %%
# The bonus is best earned by going back and forth for ever: in the cell before the goal, one turns round. Shaping
# leaves the task as it was, for the sum of what it pays telescopes along every way. All values change by the potential,
#
# .. math:: V_{\text{shaped}}(s) = V(s) - \Phi(s),
#
# and the order of the choices in a state does not change. (From one cell two ways are equally short; either may be
# drawn.) Here is the equation, checked to within the proved errors of both sides, and what the two policies lose in the
# task that was meant:

shaped = solve(paying(shaping, "with shaping"), discount)
difference = np.abs(shaped.values - (solution.values - potential)).max()
print(f"largest difference of the sides: {difference:.0e}; proved errors: {solution.error + shaped.error:.0e}")
for extra, title in ((bonus, "with a bonus"), (shaping, "with shaping")):
    policy = deterministic_policy(task, solve(paying(extra, title), discount).policy)
    loss = suboptimality(task, policy, discount, solution.values)
    print(f"{title}: {abs(loss):.3f} lost of {task.initial @ solution.values:.3f}")

# %%
# What this does not show
# -----------------------
# Whether shaping helps a learner. It changes no policy's rank; it changes what a learner sees early, for better or for
# worse, as the choice of the potential has it.
