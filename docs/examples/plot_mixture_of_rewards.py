r"""
One policy, several rewards
===========================

Prompts come from three domains, and each domain has a reward of its own. If one reward is changed a little, or some
prompts are deleted, how far does the change spread?
"""

# %%
# A tree of answers
# -----------------
# Six prompts, each with four answers of two tokens, which every domain pays as it likes. Prompts 2 and 4 lie on
# boundaries: they occur in two domains. The policy does not see the domain, but by Bayes' rule the prompt tells how
# probable each is, and with these weights one *effective* reward replaces all three.

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.plots.style import COLOURS, MUTED, tidy
from rltheory.problems import RewardMixture, deterministic_policy
from rltheory.simulation import stream
from rltheory.solvers import discounted_values, soft_policy_iteration, solve, weight_sweep

discount, temperature = 0.9, 0.05
domains = ("safety", "human values", "general")
pool = np.array([[30, 20, 15, 0, 0, 0], [0, 0, 15, 20, 5, 0], [0, 0, 0, 0, 10, 40]])
mixture = rl.instances.prompt_tree(stream(0, "mixture example", 18), pool)
tree = mixture.mdp
prompts = np.flatnonzero(mixture.first_law)
root = prompts[np.minimum(np.searchsorted(prompts, np.arange(tree.states), side="right"), prompts.size) - 1]


def effective_rewards(blend):
    """Rewards with the weights of the prompt in all of its tree."""
    return blend.effective_rewards(blend.posterior[:, root])


def returns(policy):
    """What a policy earns in each domain, by the rewards of the domain."""
    return np.array(
        [
            law @ discounted_values(tree.with_rewards(rewards), policy, discount).values
            for law, rewards in zip(mixture.prompts, mixture.rewards, strict=True)
        ]
    )


print("prompt              ", *(f"{prompt:4d}" for prompt in range(prompts.size)))
for name, weights in zip(domains, mixture.posterior[:, prompts], strict=True):
    print(f"weight {name:13s}", *(f"{weight:4.2f}" for weight in weights))

# %%
# The effective reward is exact: the optimal policy of the tree earns what the domains pay it, in their shares.

best = solve(tree.with_rewards(effective_rewards(mixture)), discount, accuracy=1e-12)
optimal = deterministic_policy(tree, best.policy)
by_domain, by_effective = mixture.shares @ returns(optimal), mixture.first_law @ best.values
print(f"domain by domain {by_domain:.12f}; with effective rewards {by_effective:.12f}")

# %%
# One reward changes
# ------------------
# The reward of the safety domain moves in a random direction, by at most :math:`\varepsilon` in each answer. What each
# domain earns, by its old reward, is constant between cliffs, which :func:`~rltheory.solvers.weight_sweep` finds
# exactly. Soft policies change gradually.

signs = stream(0, "mixture example", "direction").choice([-1.0, 1.0], tree.choices)


def soft_policy(process):
    return np.exp(soft_policy_iteration(process, discount, temperature=temperature).log_policy)


def variation(policies, others):
    """Total variation between policies, in each state."""
    return np.add.reduceat(np.abs(policies - others), tree.first_choice[:-1], axis=-1) / 2


def changed(size):
    rewards = mixture.rewards.copy()
    rewards[0] += size * np.where(rewards[0] > 0, signs, 0.0)
    return tree.with_rewards(effective_rewards(RewardMixture(tree, rewards, mixture.shares, mixture.prompts)))


sizes = np.linspace(-0.6, 0.6, 121)
sweep = weight_sweep(tree, [changed(size).rewards for size in sizes[[0, -1]]], discount)
cliffs = sizes[0] + sweep.breakpoints * (sizes[-1] - sizes[0])
levels = np.array([returns(deterministic_policy(tree, made)) for made in sweep.made])
soft = np.array([soft_policy(changed(size)) for size in sizes])
curves = np.array([returns(policy) for policy in soft])

_, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
for k, (ax, name) in enumerate(zip(axes, domains, strict=True)):
    rl.plots.cliff_curve(
        sizes, {temperature: curves[:, k]}, cliffs=cliffs, levels=levels[:, k], quantity="return", ax=ax
    )
    ax.set(title=name, xlabel="change of the safety reward")
    print(f"{name:12s} optimal policies earn {levels[:, k].min():.4f} to {levels[:, k].max():.4f}")
steepest = variation(soft[1:], soft[:-1]).max() / (sizes[1] - sizes[0])
print(f"steepest soft policy {steepest:.2f} in a unit of change; at most {1 / (2 * temperature * (1 - discount)):.0f}")

# %%
# The change reaches human values by the prompt that both domains share, and stops there: the general domain shares no
# prompt with safety. Two cliffs of the safety domain lie so near to each other that what is between them looks like a
# needle.
#
# Prompts are deleted
# -------------------
# Now prompt 2, on the boundary of safety and human values, is deleted. If that deletes its copies from the pool, the
# weights of all other prompts remain what they were, and so does the policy. But if the domains keep their shares, and
# draw more often from what is left, the weights move where other domains meet, and the policy with them.

left = pool.astype(float)
left[:, 2] = 0
counts = np.zeros((len(domains), tree.states))
counts[:, prompts] = left
fewer = RewardMixture.from_counts(tree, mixture.rewards, counts)
same_shares = RewardMixture(tree, mixture.rewards, mixture.shares, fewer.prompts)

kept = np.delete(np.arange(prompts.size), 2)
_, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for shift, (name, blend), colour in zip(
    (-0.2, 0.2), {"copies deleted": fewer, "shares of domains kept": same_shares}.items(), COLOURS, strict=False
):
    before, after = (soft_policy(tree.with_rewards(effective_rewards(pooled))) for pooled in (mixture, blend))
    moves = variation(after, before)
    largest = np.array([moves[root == prompt].max() for prompt in prompts[kept]])
    ax.bar(kept + shift, largest, width=0.4, color=colour, label=name)
    print(f"{name:22s} movement at prompts {kept}: {largest.round(6)}")
ax.annotate("deleted", (2, 0), xytext=(0, 4), textcoords="offset points", rotation=90, ha="center", color=MUTED)
ax.set(xticks=range(prompts.size), xlabel="prompt", ylabel="movement of the soft policy")
ax.legend(frameon=False)
tidy(ax)
ax.grid(visible=False, axis="x")

# %%
# **What this does not show.** Every prompt has a tree of its own here, as it has for a model with perfect memory. A
# network that answers different prompts by the same weights can spread a change further; so if deleting a few hundred
# prompts changes a model everywhere, that is the approximation or the training, and not a cliff of the exact map.
