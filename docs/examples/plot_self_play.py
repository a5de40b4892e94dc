r"""
Self-play, and the mixture that nothing beats
=============================================

Preferences of a crowd may cycle: A is preferred to B, B to C, and C to A. No answer wins against all others, but a
mixture does not lose to any: the *minimax winner*. A policy that improves against itself finds it, in a sense that the
picture shows: it goes around and around, and the average of where it has been comes to rest.
"""

# %%
# The last policy, and the average one
# ------------------------------------
# Self-play preference optimisation :cite:`swamy2024` lets a policy play itself and reweights answers by how often they
# win, :math:`\pi_{t+1} \propto \pi_t\, e^{\eta P \pi_t}`: Hedge, against its own policy.

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.plots.style import COLOURS, DASHES, tidy
from rltheory.theorems.games.swamy2024 import InteriorSetting, Setting

game = rl.instances.weighted_rock_paper_scissors(0.1, 0.3, 0.5)
names = ["A", "B", "C"]
start = [0.6, 0.2, 0.2]
winner = rl.minimax_winner(game).policy
trace = rl.hedge(game, iterations=600, rate=0.2, start=start)
paths = {"the policy": np.exp(trace["log_policy"]), "its average": trace["mean"]}
ax = rl.plots.simplex(paths, names=names, points={"minimax winner": winner})

# %%
# How much can be won against them
# --------------------------------
# Exploitability is what the best answer wins over one half. That of the average falls as 1/T, down to what the step
# itself leaves. That of the policy grows, slowly and for ever: with any step, Hedge leaves the minimax winner.
_, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for rate, colour in zip((0.05, 0.5), COLOURS, strict=False):
    trace = rl.hedge(game, iterations=20_000, rate=rate, start=start)
    kinds = {"average": trace["mean"], "last policy": np.exp(trace["log_policy"])}
    for (name, policies), dash in zip(kinds.items(), DASHES, strict=False):
        exploitabilities = [rl.measures.exploitability(game, policy) for policy in policies]
        ax.plot(trace.times + 1, exploitabilities, dash, color=colour, label=f"{name}, η = {rate:g}")
ax.set(xscale="log", yscale="log", xlabel="round", ylabel="exploitability")
ax.legend(frameon=False, fontsize=9)
tidy(ax)

# %%
# Both are theorems
# -----------------
# With :math:`\eta = \sqrt{24 \log n / T}` the average of T rounds is exploitable by
# :math:`\sqrt{\log n / (6 T)}` at most, and no matter where it starts, the last policy moves away from a minimax winner
# that plays every answer. Let both be judged, and the first be drawn.
average, last = (rl.find(name)[0] for name in ("spo/hedge-self-play", "spo/last-iterate-grows"))
verdicts = [
    *rl.verify(average, settings=[Setting(game, horizon=2000)]),
    *rl.verify(last, settings=[InteriorSetting(game, start=start, horizon=2000, rate=0.05, winner=winner)]),
]
for verdict in verdicts:
    print(verdict.theorem, verdict.status, f"tightness {verdict.tightness:.4f}")
ax = rl.plots.convergence(verdicts[0])

# %%
# **What this does not show.** Win rates are exact here. With comparisons of sampled answers the average still converges
# (``spo/sampled``); and a small penalty for leaving a reference policy makes the last policy converge as well, which is
# the subject of :doc:`plot_rock_paper_scissors`.
