r"""
How fast is policy mirror descent?
==================================

With exact values, everything depends on the steps: constant ones begin slowly, and growing ones are geometric from the
start. With entropy rewarded, runs are much faster in the end than their bound says.
"""

# %%
# A race
# ------
# On a random process of 20 states: softmax policy gradient, mirror descent with a constant step in both geometries
# (with entropy it is the natural policy gradient), with steps that grow geometrically, and with adaptive steps, which
# let a step lose little against a greedy one. The loss is that of the mean value of all states; it is computed such
# that nothing cancels. Axes are logarithmic, so that :math:`1 / k` is a line.

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.algorithms.discounted.mdpo import Penalty
from rltheory.plots.style import COLOURS, MUTED, tidy
from rltheory.simulation import stream
from rltheory.theorems.policy_methods import cen2022, johnson2023, tomar2022, xiao2022

discount = 0.9
process = rl.instances.garnet(stream(0, "mirror descent example"), 20, 3, 3)
theorems = rl.catalogue()
no_chance = np.random.default_rng(0)  # none of these runs draws anything
constant = xiao2022.Setting(process, discount, step=1.0, iterations=2000)
euclidean = replace(constant, step=0.02, euclidean=True)
geometric = replace(constant, step=constant.least_large_step)
adaptive = johnson2023.AdaptiveSetting(process, discount, loss=1.0, iterations=400)
traces = {
    "policy gradient": rl.softmax_policy_gradient(process, discount, step=1.0, iterations=2000),
    "constant step, entropy": xiao2022.play(constant, no_chance),
    "constant step, Euclidean": xiao2022.play(euclidean, no_chance),
    "geometric steps": xiao2022.play_geometric(geometric, no_chance),
    "adaptive steps": johnson2023.play(adaptive, no_chance),
}


def mean_losses(trace):
    """Losses before each recorded iteration and after it, with their times; times count from 1."""
    times = np.append(trace.times, trace.times[-1] + 1) + 1
    policies = np.exp(np.vstack([trace["log_policy"], trace["log_next"][-1]]))
    return times, constant.losses(policies).mean(axis=1)


curves = {name: mean_losses(trace) for name, trace in traces.items()}
ax = rl.plots.race(curves, quantity="mean loss", clock="iteration, from 1", lowest=1e-10)
late = np.array([30, 2000])
ax.plot(late, 3 / late, ":", color=MUTED)
for name, (times, losses) in curves.items():
    below = times[losses < 1e-8]
    print(f"{name:25s} loss below 1e-8 at iteration {below[0] if below.size else 'none'}; last {losses[-1]:.1e}")
near_end = traces["constant step, entropy"]
before, after = (constant.losses(np.exp(near_end[name][-1:])).mean() for name in ("log_policy", "log_next"))
expected = np.exp(-constant.step * constant.smallest_gap)
print(f"last factor of the constant step with entropy: {after / before:.5f}; by the smallest gap {expected:.5f}")

# %%
# The dotted line has the slope of :math:`1 / k`, which policy gradient keeps. With a constant step and entropy, the
# loss falls geometrically in the end, by :math:`e^{-\eta \Delta}` in each iteration with the smallest gap
# :math:`\Delta`, which is slow where choices are nearly as good as each other. Euclidean projections set the
# probabilities of bad choices to 0, one after the other.
#
# Geometric from the start
# ------------------------
# What theorems state of three of these runs, dotted, beside what they measure: the mean loss, and with adaptive steps
# the largest one. The first bound is of order :math:`1 / k`, the second contracts by :math:`1 - 1 / \vartheta`, where
# :math:`(1 - \gamma) \vartheta` is the largest quotient of the discounted probabilities of a state under an optimal
# policy and under the uniform distribution, and the third by :math:`\gamma`, whatever the process.

stated = {
    "pmd/sublinear": (constant, "constant step, entropy"),
    "pmd/geometric-steps": (geometric, "geometric steps"),
    "adaptive-pmd/linear": (adaptive, "adaptive steps"),
}
_, ax = plt.subplots(figsize=(6.8, 4.2), layout="constrained")
for (theorem, (setting, name)), colour in zip(stated.items(), (1, 3, 4), strict=True):
    trace = traces[name]
    shown = trace.times <= 200
    for side, style in ((theorems[theorem].measured, "-"), (theorems[theorem].bound, ":")):
        ax.plot(trace.times[shown], side(setting, trace)[shown], style, color=COLOURS[colour], label=name)
ax.set(yscale="log", ylim=(1e-10, 1e4), xlabel="iteration", ylabel="loss")
handles, labels = ax.get_legend_handles_labels()
ax.legend(handles[::2], labels[::2], frameon=False)
tidy(ax)
print(f"factors: {1 - 1 / geometric.mismatch:.4f} with geometric steps, {discount} with adaptive ones")

# %%
# How loose is the bound?
# -----------------------
# The bound for constant steps, :math:`(D_0^* / (\eta (1 - \gamma)) + R / (1 - \gamma)^2) / (k + 1)`, holds for every
# step size. How near do runs come to it, in the iteration where they are nearest? With tiny steps it is larger than any
# loss; with large ones mirror descent becomes policy iteration, which needs few iterations, and the bound does not
# know.

sublinear = theorems["pmd/sublinear"]
_, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
etas = np.geomspace(1e-3, 100, 16)
for is_euclidean, colour in ((False, COLOURS[0]), (True, COLOURS[1])):
    nearest = []
    for eta in etas:
        setting = xiao2022.Setting(process, discount, step=eta, iterations=300, euclidean=is_euclidean)
        trace = xiao2022.play(setting, no_chance)
        nearest.append((sublinear.measured(setting, trace) / sublinear.bound(setting, trace)).max())
    ax.plot(etas, nearest, "o-", markersize=4, color=colour, label="Euclidean" if is_euclidean else "entropy")
    print(f"{'Euclidean' if is_euclidean else 'entropy':10s} largest quotient {max(nearest):.3f}")
ax.set(xscale="log", xlabel="step size η", ylabel="largest loss over bound", ylim=(0, None))
ax.legend(frameon=False)
tidy(ax)

# %%
# Two rates with entropy
# ----------------------
# With a reward of temperature :math:`\tau` times entropy, each iteration keeps the part
# :math:`\beta = 1 - \tilde\eta \tau / (1 - \gamma)` of the old logarithms. Left, the distance of the logarithms from
# the optimal ones, from the uniform policy on, and dotted the bound, with its factor
# :math:`1 - \tilde\eta \tau = 1 - (1 - \beta)(1 - \gamma)`. Right, what is measured near the optimum: logarithms
# contract by :math:`\beta` and values by :math:`\beta^2`, since values are stationary at the optimum. The other bound,
# :math:`\gamma` for :math:`\beta \le \gamma`, is one on loss and divergence together, in the long run of the optimal
# policy. Where :math:`\beta < \gamma`, runs are faster in the end than both.

log_policy, policy_factor, value_factor = (
    theorems[f"entropy-npg/{name}"] for name in ("log-policy", "policy-factor", "value-factor")
)
betas = (0.9, 0.7, 0.5, 0.3)
_, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
print("beta  policy   value   bound")
for beta, colour in zip(betas, COLOURS, strict=False):
    setting = cen2022.Setting(process, discount, temperature=0.1, keep=beta, iterations=150)
    trace = cen2022.play(setting, no_chance)
    left.plot(trace.times, log_policy.measured(setting, trace), color=colour, label=f"β = {beta}")
    left.plot(trace.times, log_policy.bound(setting, trace), ":", color=colour)
    near = cen2022.NearOptimum(process, discount, temperature=0.1, keep=beta)
    trace = policy_factor.run(near, no_chance)
    factors = [theorem.measured(near, trace)[-1] for theorem in (policy_factor, value_factor)]
    print(f"{beta:4.1f}  {factors[0]:.4f}  {factors[1]:.4f}  {near.factor:.4f}")
    right.plot([beta, beta], factors, "o", color=colour)
left.set(yscale="log", ylim=(1e-10, 1e5), xlabel="iteration", ylabel="largest difference of a logarithm")
left.legend(frameon=False)
kept = np.linspace(0, 1, 101)
guides = {
    "β": (kept, 9),
    "β²": (kept**2, 9),
    "1 − (1 − β)(1 − γ)": (1 - (1 - kept) * (1 - discount), 11),
    "γ": (np.where(kept <= discount, discount, np.nan), -8),
}
for name, (curve, up) in guides.items():
    right.plot(kept, curve, ":", color=MUTED)
    place = kept[40], curve[40]
    right.annotate(name, place, (-6, up), textcoords="offset points", ha="center", va="center", color=MUTED)
right.set(xlabel="β", ylabel="factor of an iteration")
tidy(left)
tidy(right)

# %%
# From gradient to mirror descent
# -------------------------------
# MDPO approaches each step of mirror descent by m gradient steps. With one it is policy gradient; with many it is
# mirror descent. The penalty matters little here: KL(new ‖ old) is that of mirror descent, KL(old ‖ new) that of trust
# regions.

small = tomar2022.Setting(rl.instances.garnet(stream(0, "mirror descent example", "MDPO"), 5, 3, 3), discount, step=1.0)
numbers = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def last_loss(trace):
    return small.losses(np.exp(trace.last("log_next"))[None]).mean()


exact = last_loss(rl.policy_mirror_descent(small.mdp, discount, steps=np.full(small.iterations, small.step)))
_, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
penalties = {"KL(new ‖ old)": Penalty.NEW_FROM_OLD, "KL(old ‖ new)": Penalty.OLD_FROM_NEW}
for (name, penalty), colour in zip(penalties.items(), COLOURS, strict=False):
    runs = [
        rl.mdpo(small.mdp, discount, steps=np.full(small.iterations, small.step), inner_steps=m, penalty=penalty)
        for m in numbers
    ]
    losses = [last_loss(run) for run in runs]
    ax.plot(numbers, losses, "o-", markersize=4, color=colour, label=name)
    print(
        f"{name}: {losses[0]:.4f} with one inner step, {losses[-1]:.4f} with {numbers[-1]}; mirror descent {exact:.4f}"
    )
ax.axhline(exact, color=MUTED, linestyle=":", label="mirror descent")
ax.set(xscale="log", yscale="log", xlabel="inner steps m", ylabel=f"mean loss after {small.iterations} iterations")
ax.legend(frameon=False)
tidy(ax)

# %%
# **What this does not show.** Values are exact here; with estimated ones, large steps follow the noise. And a count of
# iterations is no count of work: each of them evaluates a policy, and one of MDPO makes m gradient steps besides.
