r"""
Rock, paper, scissors
=====================

Naive learners circle around the equilibrium of rock-paper-scissors. Nash mirror prox :cite:`tiapkin2025` looks one
step ahead, from the same anchor, and spirals in. How fast, and how large may its step be?
"""

# %%
# Spirals
# -------
# A cycle of three with unequal edges: rock beats paper by 0.1 over one half, paper beats scissors by 0.3, and
# scissors beat rock by 0.5. With a penalty of temperature :math:`\beta = 0.02` for leaving the uniform reference,
# three starts lead to one equilibrium. It lies close to the minimax winner (cross), which has no penalty.

from dataclasses import replace
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.theorems.games.tiapkin2025 import Setting

game = rl.instances.weighted_rock_paper_scissors(0.1, 0.3, 0.5)
beta = 0.02
starts = {
    "near rock": [0.94, 0.03, 0.03],
    "near paper": [0.03, 0.94, 0.03],
    "near scissors": [0.03, 0.03, 0.94],
}
paths = {
    name: np.exp(rl.nash_mirror_prox(game, beta=beta, iterations=400, start=start)["log_policy"])
    for name, start in starts.items()
}
points = {"regularised equilibrium": rl.regularized_equilibrium(game, beta).policy}
ax = rl.plots.simplex(paths, names=["rock", "paper", "scissors"], points=points)
corners = [[0, 0], [1, 0], [0.5, np.sqrt(3) / 2]]
ax.plot(*(rl.minimax_winner(game).policy @ corners), "kx", label="minimax winner")
ax.legend(frameon=False, fontsize=9, loc="upper left")

# %%
# The claim
# ---------
# With step size :math:`\gamma \le 2 \beta + 2 \sqrt{1 + \beta^2}`, each iteration shrinks the divergence to the
# equilibrium :math:`\pi^*`:
#
# .. math:: \mathrm{KL}(\pi^* \| \pi_k) \le (1 + \gamma \beta)^{-k}\, \mathrm{KL}(\pi^* \| \pi_0).
#
# The theorem object carries this bound. Here it is judged on one of the spirals above.

(theorem,) = rl.find("nash-mp/kl")
(verdict,) = rl.verify(theorem, settings=[Setting(game, beta, start=starts["near rock"])])
print(verdict)
ax = rl.plots.convergence(verdict)

# %%
# The dots fall faster than the line. At the end they meet the rounding floor, where the last bits of the policy
# change nothing any more, and the line crosses them. The verdict knows how much rounding may leave, and says
# HOLDS.

# %%
# Steps that are too long
# -----------------------
# On a cycle of 101 actions, each of which surely beats the next fifty, we start on a wave of one period. With step
# 2, which is proved, the bound holds. A setting with step 4 violates the hypothesis, so the theorem says nothing
# of it. To see whether the bound would hold all the same, its run is replaced by one of its controls: the same
# bound for step 2, and a run with step 4.

wave = 1 + 0.5 * np.cos(2 * np.pi * np.arange(101) / 101)
setting = Setting(rl.instances.cycle(101), 0.01, start=wave / wave.sum())
(step_2,) = rl.verify(theorem, settings=[setting])
(not_covered,) = rl.verify(theorem, settings=[replace(setting, step=4.0)])
too_long = replace(theorem, run=theorem.controls["step 4 on a long cycle"])
(step_4,) = rl.verify(too_long, settings=[setting])
for verdict in (step_2, not_covered, step_4):
    print(f"{verdict.setting}: {verdict.status}")
    if verdict.reason:
        print(f"  {verdict.reason}")

# %%

figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained", sharex=True)
for ax, verdict, name in zip(axes, (step_2, step_4), ("step 2", "step 4"), strict=True):
    rl.plots.convergence(verdict, ax)
    ax.set_title(f"Cycle of 101, {name}: {verdict.status}", loc="left")

# %%
# A film for a lecture
# --------------------
# Every figure can move: what draws one picture draws them all. Three learners start near rock. Mirror descent answers
# the current policy and circles widely; its optimistic form and Nash mirror prox look ahead.

common = {"beta": 0.01, "iterations": 160, "start": starts["near rock"]}
learners = {
    "mirror descent": rl.magnetic_mirror_descent(game, step=1.0, **common),
    "optimistic mirror descent": rl.optimistic_mirror_descent(game, **common),
    "Nash mirror prox": rl.nash_mirror_prox(game, **common),
}
points = {"regularised equilibrium": rl.regularized_equilibrium(game, common["beta"]).policy}


def draw(ax, end):
    shown = {name: np.exp(trace["log_policy"][:end]) for name, trace in learners.items()}
    rl.plots.simplex(shown, names=["rock", "paper", "scissors"], points=points, ax=ax)


with TemporaryDirectory() as folder:
    film = rl.plots.animate(draw, range(2, 162, 2), f"{folder}/cycle.png", width=5.6, height=4.6, dots=90)

# %%
# .. image:: /images/cycle.png
#    :alt: Film: mirror descent circles along the edges of the triangle of mixtures, optimistic mirror descent spirals
#          inwards, and Nash mirror prox reaches the equilibrium first.
#
# A name that ends in ``.mp4`` makes a video for slides.

# %%
# What this does not show
# -----------------------
# The refuted bound is the one for step 2, on a run that no theorem covers; it refutes no paper. Between 2.02, the
# largest proved step at this temperature, and 4 the two runs say nothing.
