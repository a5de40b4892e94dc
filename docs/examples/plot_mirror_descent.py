r"""
How fast is policy mirror descent?
==================================

With exact values, everything depends on the steps: constant ones begin slowly, growing ones are geometric from the
start, and with entropy rewarded there are two rates, of which theory tells the slower.
"""

# %%
# A race
# ------
# On a random process of 20 states: softmax policy gradient, mirror descent with a constant step in both geometries (with
# entropy it is the natural policy gradient), with steps that grow geometrically, and with adaptive steps, which let a
# step lose little against a greedy one. The loss is that of the mean value of all states; it is computed such that nothing
# cancels. Axes are logarithmic, so that :math:`1 / k` is a line.

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.algorithms.mdpo import Penalty
from rltheory.plots.style import COLOURS, MUTED, tidy
from rltheory.simulation import stream
from rltheory.theorems import cen2022, johnson2023, tomar2022, xiao2022

discount = 0.9
process = rl.instances.garnet(stream(0, "mirror descent example"), 20, 3, 3)
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
