r"""
The policy cliff
================

How far may a reward be wrong before the optimal policy changes? Where two choices tie: not at all. Elsewhere there is a
radius, and it can be computed.
"""

# %%
# A step, and slopes
# ------------------
# Two choices lead to two branches that are never left, and that pay 1 in each round. Now the second branch pays
# :math:`1 + \varepsilon`. However small :math:`\varepsilon` is, its sign decides what is optimal: the policy falls off
# a cliff. Soft policies, with a reward of temperature times entropy, slide down a slope of width
# :math:`\tau (1 - \gamma) / \gamma`.

from itertools import product

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.plots.style import COLOURS, MUTED, tidy
from rltheory.problems import deterministic_policy
from rltheory.simulation import stream
from rltheory.solvers import (
    discounted_occupancy,
    discounted_values,
    gap_gradients,
    hemicontinuity_radius,
    soft_policy_iteration,
    stability_radius,
    weight_sweep,
)

discount = 0.9
SECOND = 1  # the choice that leads to the second branch


def branches(change):
    return rl.instances.two_branches(1.0, 1.0 + change)


def soft_probability(change, temperature):
    return np.exp(soft_policy_iteration(branches(change), discount, temperature=temperature).log_policy[SECOND])


changes = np.linspace(-0.2, 0.2, 401)
temperatures = (0.01, 0.1, 1.0)
soft = {temperature: [soft_probability(change, temperature) for change in changes] for temperature in temperatures}
ends = [branches(change) for change in changes[[0, -1]]]
sweep = weight_sweep(ends[0], [end.rewards for end in ends], discount)
cliffs = changes[0] + sweep.breakpoints * (changes[-1] - changes[0])
print("cliffs:", *(f"{cliff:z.6f}" for cliff in cliffs))
rl.plots.cliff_curve(
    changes,
    soft,
    cliffs=cliffs,
    levels=(sweep.made[:, 0] == SECOND).astype(float),
    quantity="probability of the second branch",
)

# %%
# The slope at the tie is :math:`\gamma / (4 \tau (1 - \gamma))`:

width = 1e-4
for temperature in temperatures:
    slope = (soft_probability(width, temperature) - soft_probability(-width, temperature)) / (2 * width)
    print(
        f"tau {temperature:4g}: slope {slope:6.2f}, by the formula {discount / (4 * temperature * (1 - discount)):6.2f}"
    )

# %%
# How far from the cliff
# ----------------------
# With one optimal policy :math:`\pi`, the gaps :math:`\Delta(c)` of the other choices are linear in the rewards, and
# the rewards with this optimum form a cone. Its nearest face is at the distance :math:`\rho`, which
# :func:`~rltheory.solvers.stability_radius` computes, with the change of the rewards that gets there. Between the
# smallest gap and the radius lies a factor from 2 to :math:`2 / (1 - \gamma)`, and the smallest gap does not tell
# which.

found = []
for draw in range(300):
    shape = (6, 3, 2) if draw % 2 else (3, 2, 1)
    process = rl.instances.garnet(stream(0, "policy cliff example", draw), *shape)
    radius = stability_radius(process, discount)
    found.append((np.delete(radius.gaps, radius.policy).min(), radius.radius))
gaps, radii = np.array(found).T
share = radii / (gaps / 2)
print(
    f"radius over half the smallest gap: from {share.min():.3f} to {share.max():.3f}; bounds {1 - discount:.1f} and 1"
)

_, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
ax.scatter(gaps, radii, s=10, color=COLOURS[0], alpha=0.6, linewidths=0)
line = np.array([gaps.min(), gaps.max()])
for factor, name in ((1.0, "half the gap"), (1 - discount, "1 − γ times that")):
    ax.plot(line, factor * line / 2, color=MUTED, linewidth=1)
    ax.annotate(name, (line[1], factor * line[1] / 2), xytext=(4, 0), textcoords="offset points", va="center")
ax.set(xscale="log", yscale="log", xlabel="smallest gap of a choice", ylabel="radius of the rewards")
tidy(ax)

# %%
# A map of optimal policies
# -------------------------
# Five rooms in a row, and a prize behind each end: x on the left, y on the right. A step to the left or to the right
# costs nothing, but the future is discounted, by 0.75. Policies are written as the moves of the rooms. Each region is
# where one of them is optimal, cut out by its gaps, which are linear in x and y. The square holds the prizes within the
# radius of the dot, and touches the next region.

rooms, patience = 5, 0.75
laws = np.zeros((rooms + 1, 2, rooms + 1))
for room in range(rooms):
    laws[room, 0, room - 1 if room else rooms] = 1
    laws[room, 1, room + 1] = 1
laws[rooms, 0, rooms] = 1
allowed = np.ones((rooms + 1, 2), dtype=bool)
allowed[rooms, 1] = False
LEFT_PRIZE, RIGHT_PRIZE = 0, 2 * rooms - 1


def corridor(left, right):
    rewards = np.zeros((rooms + 1, 2))
    rewards[0, 0], rewards[rooms - 1, 1] = left, right
    return rl.TabularMDP(laws, rewards, allowed=allowed)


prizes = (0.86, 0.66)
world = corridor(*prizes)
policies = {}
for turn in range(rooms + 1):
    made = np.append(2 * np.arange(rooms) + (np.arange(rooms) >= turn), 2 * rooms)
    others = np.setdiff1d(np.arange(world.choices), made)
    slopes = gap_gradients(world, made, patience, others).gradients[:, [LEFT_PRIZE, RIGHT_PRIZE]]
    policies["←" * turn + "→" * (rooms - turn)] = np.column_stack([np.zeros(others.size), slopes])
weights = np.isin(np.arange(world.choices), [LEFT_PRIZE, RIGHT_PRIZE]).astype(float)
nearest = stability_radius(world, patience, weights=weights)
print(f"radius {nearest.radius:.4f}; the policy changes first in room {nearest.state + 1}")
ax = rl.plots.flip_map(policies, horizontal=(0, 1), vertical=(0, 1), rewards=prizes, radius=nearest.radius)
ax.set(xlabel="prize on the left, x", ylabel="prize on the right, y")

# %%
# The clever slacker
# ------------------
# Eight answers, of three tokens each. The reward that is used in training pays correct answers. What it leaves out: the
# reader would also like to see the steps, which is worth 0.3 and needs the second token to be 1. All correct answers
# tie in training, so nothing keeps a policy from leaving the steps out.

answers = ["".join(tokens) for tokens in product("01", repeat=3)]
correct = np.array([True, False, True, True, False, False, True, False])
training = rl.instances.outcome_tree(correct)
missing = np.zeros(training.choices)
missing[[2 * node + 1 for node in (1, 2)]] = 0.3  # the choice of 1 as second token


def policy_of(answer):
    """Policy that gives an answer; off its way it chooses 0."""
    made, node = np.array(training.first_choice[:-1]), 0
    for token in map(int, answer):
        made[node] += token
        node = 2 * node + 1 + token
    return deterministic_policy(training, made)


def worth(rewards, answer):
    values = discounted_values(training.with_rewards(rewards), policy_of(answer), discount).values
    return float(training.initial @ values)


paid, unpaid = (np.array([worth(rewards, answer) for answer in answers]) for rewards in (training.rewards, missing))
_, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
ax.bar(answers, paid, color=COLOURS[0], label="paid in training")
ax.bar(answers, unpaid, bottom=paid, color=COLOURS[4], label="left out")
ax.set(xlabel="answer", ylabel="discounted reward")
ax.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
tidy(ax)
ax.grid(visible=False, axis="x")

# %%
# The policy that answers 000 is optimal in training. What it loses is known without solving anything anew: the
# discounted number of visits to the decision, times the advantage that the left-out reward gives the other choice
# there.

slacker, second_token = policy_of("000"), 2 * 1 + 1
after = discounted_values(training.with_rewards(missing), slacker, discount)
advantage = after.action_values[second_token] - after.values[1]
visits = discounted_occupancy(training, policy_of("010"), discount).occupancy[second_token] / (1 - discount)
loss = worth(training.rewards + missing, "010") - worth(training.rewards + missing, "000")
print(f"lost by 000 to 010: {loss:.12f}; visits times advantage: {visits * advantage:.12f}")

# %%
# The tie can be broken on purpose. A bonus does no harm as long as it is smaller than the distance within which no
# wrong answer becomes optimal; that is sure below this radius, ties or not:

bonus = hemicontinuity_radius(training, discount).radius
print(f"a bonus below {bonus:.4f} in each step pays for no wrong answer")

# %%
# **What this does not show.** Everything here is exact, and the rewards are known. A learner that stops early, or that
# can't represent every policy, changes for other reasons as well.
