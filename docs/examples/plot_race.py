r"""
A race for equilibria
=====================

Many methods lead to the regularised equilibrium of a preference game, or to a minimax winner of the game itself. They
differ in what they pay for it. The fair unit is the *preference query*: the win rates of all actions against one
policy.
"""

# %%
# Three recorded games
# --------------------
# Votes on 59 language models, 300 strategies submitted for a game of castles, and 264 riders of the Tour de France
# 2003, who beat each other on its stages. The riders' table is not part of this project, for its licence; if the
# environment variable ``RLTHEORY_DATA`` names a folder that holds it, the race is run, and otherwise its stored
# result is drawn.

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl

STORED = Path("race_riders.npz")
RIDERS = Path(os.environ.get("RLTHEORY_DATA", ".")) / "preferences" / "preflib_tour_de_france_2003_264.csv"
BETA = 0.05
QUERIES = 20_000


def curves_of(game, beta):
    """For each method the queries spent and the gap reached."""
    return {curve.method: (curve.queries, curve.gap) for curve in rl.race(game, beta=beta).run(QUERIES)}


def stored_curves(beta):
    """The same for the riders, from the file beside this page."""
    with np.load(STORED, allow_pickle=False) as file:
        names = list(file[f"methods {beta:g}"])
        return {str(name): tuple(file[f"{name} {beta:g}"]) for name in names}


games = {
    "59 language models": rl.instances.recorded_game("llmfao_59"),
    "300 strategies": rl.instances.recorded_game("riddler_castles_r1_300"),
}
races = {title: {beta: curves_of(game, beta) for beta in (BETA, 0)} for title, game in games.items()}
if RIDERS.exists():
    riders = rl.PreferenceGame.from_csv(RIDERS)
    races["264 riders"] = {beta: curves_of(riders, beta) for beta in (BETA, 0)}
    kept = {f"methods {beta:g}": list(curves) for beta, curves in races["264 riders"].items()}
    kept |= {
        f"{name} {beta:g}": np.array(curve)
        for beta, curves in races["264 riders"].items()
        for name, curve in curves.items()
    }
    if not STORED.exists():
        np.savez_compressed(STORED, **kept)
else:
    races["264 riders"] = {beta: stored_curves(beta) for beta in (BETA, 0)}

# %%
# With regularisation
# -------------------
# Temperature :math:`\beta = 0.05`, uniform reference, where everybody starts. All methods run with the step size or the
# schedule that their theory allows.

figure, axes = plt.subplots(1, 3, figsize=(10.0, 4.4), layout="constrained", sharey=True)
for ax, (title, both) in zip(axes, races.items(), strict=True):
    rl.plots.race(both[BETA], quantity="regularised exploitability", ax=ax)
    ax.get_legend().remove()
    ax.set_title(title, loc="left", fontsize=10)
for ax in axes[1:]:
    ax.set_ylabel("")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)

# %%
# Three kinds of curves. Methods with a constant step (Nash mirror prox, OMWU, EGPO, mirror descent) fall
# geometrically. Two queries for each step buy a long one: Nash mirror prox leads its kind. Optimism reuses the last
# answer, saves the second query, and must halve its step for it, which comes to nearly the same. Mirror descent with
# its proved step :math:`4 \beta` pays with an exponent that is quadratic in the temperature.
#
# Nash-MD and INPO with decreasing steps start with a best response. At this temperature, and where votes or stages
# hardly cycle, that is nearly the answer: they lead for a while, down to one in a million and beyond, until their
# power law is overtaken. Among the castles, which do cycle, they lead nowhere. Policy gradient (online IPO) waits for
# rare actions.
#
# Without regularisation
# ----------------------
# At temperature 0 nothing pulls policies inside; averages converge where last policies need not. The last policies of
# OMWU do, if slowly, where a minimax winner has full support; elsewhere they wander for a long time.

figure, axes = plt.subplots(1, 3, figsize=(10.0, 4.4), layout="constrained", sharey=True)
for ax, (title, both) in zip(axes, races.items(), strict=True):
    rl.plots.race(both[0], ax=ax)
    ax.get_legend().remove()
    ax.set_title(title, loc="left", fontsize=10)
for ax in axes[1:]:
    ax.set_ylabel("")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)

# %%
# Regret matching+ is ahead of all exponential weights: it drops actions for good, and most actions should be dropped.
#
# How many queries to one in a million?
# -------------------------------------

counts = rl.race(games["59 language models"], beta=BETA).queries_to(1e-6, at_most=100_000)
for name, count in sorted(counts.items(), key=lambda item: item[1] or np.inf):
    print(f"{name:32}{'more than 100000' if count is None else count:>18}")

# %%
# Orbits
# ------
# On rock, paper and scissors one sees why. Mirror descent follows the rotation of the game and spirals in slowly, or
# out if its step is too long; an extragradient step cuts across.

cycle = rl.instances.weighted_rock_paper_scissors(0.5, 0.5, 0.5)
start, beta = [0.8, 0.15, 0.05], 0.05
paths = {
    "Nash mirror prox": rl.nash_mirror_prox(cycle, beta=beta, iterations=150, start=start),
    "mirror descent, 4β": rl.magnetic_mirror_descent(cycle, beta=beta, iterations=150, start=start),
    "Hedge, rate 0.2": rl.hedge(cycle, iterations=120, rate=0.2, start=start),
}
ax = rl.plots.simplex(
    {name: np.exp(trace["log_policy"]) for name, trace in paths.items()}, names=["rock", "paper", "scissors"]
)

# %%
# What this does not show
# -----------------------
# Queries are exact here; estimated win rates change the ranking, since a method with long steps takes in more noise
# (`rltheory show nash-mp/sampled`, `rltheory show inpo/sampled-one-step`). And step sizes are those that theory
# allows: where a game is kind, larger ones may win.
