r"""
Who should win?
===============

Votes, matches and tournaments rarely name a winner that beats all others. Social choice has several rules for what to
do then. How easily would each rule's choice be beaten by somebody who knows it?
"""

# %%
# Rules
# -----
# The *Condorcet winner* beats every other; it need not exist. *Copeland's rule* counts victories, *Borda's* averages
# win rates. The *Smith set* is the smallest set whose members all beat everyone outside. The *maximal lottery*
# :cite:`fishburn1984` is the minimax winner of the preference game: a mixture that nobody beats.

import matplotlib.pyplot as plt
import numpy as np

import rltheory as rl
from rltheory.measures import exploitability
from rltheory.solvers import borda_scores, condorcet_winner, copeland_scores, smith_set

print(f"{'game':32}{'n':>4}  {'Condorcet winner':22}{'Smith set':>9}  support of the lottery")
for name in rl.instances.recorded_games():
    game = rl.instances.recorded_game(name)
    champion = condorcet_winner(game)
    lottery = rl.minimax_winner(game).policy
    title = "none" if champion is None else game.names[champion]
    print(f"{name:32}{game.n:4}  {title[:20]:22}{smith_set(game).size:9}  {(lottery > 1e-9).sum():4}")

# %%
# How exploitable is each choice?
# -------------------------------
# The edge of the best opponent over the choice, on a logarithmic axis; bars of length 0 can't be exploited.


def choices(game):
    """The distribution that each rule chooses; equal scores share."""

    def winners(scores):
        tied = np.isclose(scores, scores.max(), rtol=0, atol=1e-12)
        return tied / tied.sum()

    members = np.isin(np.arange(game.n), smith_set(game))
    return {
        "uniform over all": np.full(game.n, 1 / game.n),
        "uniform over the Smith set": members / members.sum(),
        "Borda": winners(borda_scores(game)),
        "Copeland": winners(copeland_scores(game)),
        "KL-regularised, β = 0.02": rl.regularized_equilibrium(game, 0.02).policy,
        "maximal lottery": rl.minimax_winner(game).policy,
    }


shown = {
    "llmfao_59": "59 language models, votes",
    "mujoco_soccer_agents": "10 soccer agents, simulated matches",
    "riddler_castles_r1_300": "300 strategies for Castles",
    "football_germany_2011_2020": "33 football clubs, nine seasons",
}
figure, axes = plt.subplots(2, 2, figsize=(9.5, 5.4), layout="constrained")
for ax, (name, title) in zip(axes.flat, shown.items(), strict=True):
    game = rl.instances.recorded_game(name)
    chosen = choices(game)
    # A lottery is exact up to rounding, which would only stretch the axis.
    gaps = [max(0.0, float(exploitability(game, policy))) for policy in chosen.values()]
    rl.plots.exploitability_bars(list(chosen), [gap if gap > 1e-12 else 0.0 for gap in gaps], ax=ax)
    ax.set_title(title, loc="left", fontsize=10)

# %%
# Where a single winner is chosen out of a cycle, whoever beats it wins for sure, or nearly so. The regularised
# equilibrium is a lottery as well; its gap is bounded by :math:`\beta \log n`, here 0.05 to 0.11.
#
# What this does not show
# -----------------------
# Exploitability is one criterion among many. A lottery leaves the outcome to chance, which is fine for a policy that
# answers many times and less so for an election. And win rates of pairs that never met are read as one half.
