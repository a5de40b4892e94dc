r"""
Which language model do people prefer?
======================================

People compared answers of 59 language models in pairs: 8931 votes. No model beats all others. A *minimax winner*
is a mixture of models that no model beats on average; it always exists. Who is in it, how does it differ from the
usual rankings, and how fast does an algorithm find its regularised form?
"""

# %%
# The votes
# ---------
# The recorded table counts half-wins, two for a win and one for a tie. The game has the win rates
# :math:`P_{ab}`; where two models never met, it says 1/2. That is nearly half of all pairs, and it will matter.

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linprog

import rltheory as rl
from rltheory.instances.recorded import FOLDER
from rltheory.plots.style import COLOURS, MUTED, tidy
from rltheory.theorems.games.tiapkin2025 import Setting

game = rl.instances.recorded_game("llmfao_59")
names, n = game.names, game.n
half_wins = np.loadtxt(FOLDER / "llmfao_59.csv", delimiter=",", skiprows=1)
votes = (half_wins + half_wins.T) / 2
above_diagonal = votes[np.triu_indices(n, 1)]
print(f"{above_diagonal.sum():.0f} votes on {n} models")
print(f"{(above_diagonal == 0).sum()} of {above_diagonal.size} pairs never met")
print(f"model that beats all others (Condorcet winner): {rl.solvers.condorcet_winner(game)}")

# %%
# Who is in the minimax winner?
# -----------------------------
# The solver returns the analytic centre of all minimax winners: each model that is in any of them is in this one. Its
# certificate is its exploitability, the largest edge of any model over it.

winner = rl.minimax_winner(game)
print(f"exploitability {winner.exploitability:.1e}")
for a in np.argsort(-winner.policy)[: (winner.policy > 1e-9).sum()]:
    print(f"{winner.policy[a]:7.3f}  {names[a]}")

# %%
# It is one of many. The minimax winners are all mixtures :math:`p` with :math:`S p \le 0`, where
# :math:`S = P - 1/2`. Two linear programs for each model find the least and the largest weight that it has in any
# of them.


def largest(game, objective):
    """Largest mean of `objective` under any minimax winner."""
    solved = linprog(
        c=-objective,
        A_ub=game.payoff,
        b_ub=np.zeros(game.n),
        A_eq=np.ones((1, game.n)),
        b_eq=[1.0],
        method="highs",
    )
    assert solved.success, solved.message
    return -solved.fun


def weight_ranges(game):
    ranges = [(-largest(game, -unit), largest(game, unit)) for unit in np.eye(game.n)]
    return np.maximum(0.0, np.transpose(ranges)) + 0.0  # no -0


least, most = weight_ranges(game)
possible = most > 1e-6
print(f"{possible.sum()} models are in some minimax winner; {(least > 1e-6).sum()} models are in every one")
print(f"votes between two of these {possible.sum()} models: {votes[np.ix_(possible, possible)].sum() / 2:.0f}")

# %%
# So no model *must* be in the winner, and the answer leans on what was never asked. No vote compares any two of
# the possible members. The game calls all these pairs even, so among themselves any mixture will do. Only their
# results against the other 28 models narrow the choice.
#
# The least committed choice is the minimax winner of the largest entropy. It is the limit of the regularised
# equilibria :math:`\pi^*_\beta \propto \mu\, e^{P \pi^*_\beta / \beta}` with uniform reference :math:`\mu` as the
# temperature :math:`\beta` goes to 0, which is close to what :math:`\beta = 10^{-4}` gives.

least_committed = rl.regularized_equilibrium(game, 1e-4)
print(f"exploitability at beta = 1e-4: {rl.measures.exploitability(game, least_committed.policy):.1e}")
print(f"proved divergence to the exact equilibrium: below {least_committed.kl_bound:.0e}")

# %%
# Two rankings to compare with
# ----------------------------
# *Borda* ranks by the mean win rate over all opponents, unplayed pairs again as 1/2. *Bradley and Terry* give each
# model a strength :math:`r_a` with :math:`P_{ab} = r_a / (r_a + r_b)`. Their maximum likelihood estimate uses
# played pairs only. It exists, as every group of models has won something against the rest. Minorise and maximise
# finds it.

borda = rl.solvers.borda_scores(game)

strength, wins, change = np.ones(n), half_wins.sum(axis=1) / 2, np.inf
while change > 1e-12:
    update = wins / (votes / np.add.outer(strength, strength)).sum(axis=1)  # pairs that never met have 0 votes
    update /= np.exp(np.log(update).mean())
    change, strength = np.abs(np.log(update / strength)).max(), update
log_strength = np.log(strength)

# %%
# The strengths also offer another reading of the unplayed pairs: fill them in with what Bradley and Terry predict,
# and keep the recorded win rates elsewhere. This game has, up to rounding, one minimax winner.

predicted = strength[:, None] / np.add.outer(strength, strength)
filled = rl.PreferenceGame(np.where(votes > 0, game.prefer, predicted), names, "unplayed pairs filled in")
filled_winner = rl.minimax_winner(filled).policy
filled_least, filled_most = weight_ranges(filled)
print(f"largest width of a weight's range: {(filled_most - filled_least).max():.0e}")
for a in np.argsort(-filled_winner)[: (filled_winner > 1e-6).sum()]:
    print(f"{filled_winner[a]:7.3f}  {names[a]}")

# %%
# Side by side
# ------------
# All models that are among the first eight of one ranking, or in the winner of the filled-in game.


def rank(scores):
    return 1 + np.argsort(np.argsort(-scores))


policy = least_committed.policy
ranks = {"policy": rank(policy), "borda": rank(borda), "strength": rank(log_strength)}
shown = [a for a in range(n) if min(r[a] for r in ranks.values()) <= 8 or filled_winner[a] > 1e-6]
shown.sort(key=lambda a: (-policy[a].round(3), -borda[a]))

print("                          in a minimax winner  filled      Borda     Bradley-T.")
print("model                      largest  least-com.      in  score rank  log r rank")
for a in shown:
    weights = f"{most[a]:7.3f}  {policy[a]:10.3f}  {filled_winner[a]:6.3f}"
    scores = f"{borda[a]:5.3f} {ranks['borda'][a]:4} {log_strength[a]:6.2f} {ranks['strength'][a]:4}"
    print(f"{names[a]:26} {weights}  {scores}")

# %%
# Read the left panel by its pale bars: within them the votes do not decide.

figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(10.5, 6.6), sharey=True, layout="constrained", width_ratios=[1.7, 1, 1]
)
rows = np.arange(len(shown))
left.barh(rows, most[shown], height=0.72, color=COLOURS[5], alpha=0.45, label="range over all minimax winners")
left.barh(rows, policy[shown], height=0.36, color=COLOURS[0], label="least committed one")
in_filled = filled_winner[shown] > 1e-6
left.plot(filled_winner[shown][in_filled], rows[in_filled], "D", color=COLOURS[1], label="unplayed pairs filled in")
left.set(title="Weight in the minimax winner", xlim=(-0.01, 0.7))
left.legend(frameon=False, loc="lower right")
for ax, scores, base, title, key in (
    (middle, borda, 0.5, "Borda: mean win rate", "borda"),
    (right, log_strength, 0.0, "Bradley-Terry: log strength", "strength"),
):
    ax.barh(rows, scores[shown] - base, left=base, height=0.6, color=COLOURS[2])
    for row, a in enumerate(shown):
        ax.annotate(
            f"{ranks[key][a]}.",
            (max(scores[a], base), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    ax.set_title(title)
    ax.margins(x=0.12)
left.set_yticks(rows, [names[a] for a in shown])
left.invert_yaxis()
for ax in (left, middle, right):
    tidy(ax)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)

# %%
# The three disagree at the top. The model of the best mean win rate has weight 0 in every minimax winner, because
# some minimax winner beats it. A mean over all opponents rewards large margins over weak ones; the minimax winner
# asks who holds against the strongest mixture. Where unplayed pairs are filled in, that model is back. Borda has a
# blind spot of its own here: an unplayed pair counts as 1/2, which pulls the score of a model that met few
# opponents towards the middle.

best = int(np.argmax(borda))
met = (votes > 0).sum(axis=1)
print(f"highest mean win rate: {names[best]}, {borda[best]:.3f}")
print(f"its largest weight in a minimax winner: {most[best]:.3f}")
print(f"largest win rate of a minimax winner over it: {largest(game, game.prefer[:, best]):.3f}")
print(f"opponents met: {names[best]} {met[best]}, GPT 4 {met[names.index('GPT 4')]}, of {n - 1}")

# %%
# How fast is the regularised equilibrium found?
# ----------------------------------------------
# Nash mirror prox :cite:`tiapkin2025` asks two preference queries in each iteration. The theorem promises that the
# divergence to the equilibrium shrinks by the factor :math:`1 / (1 + 2 \beta)` at least, whatever the number of
# models.

(theorem,) = rl.find("nash-mp/kl")
verdicts = rl.verify(theorem, settings=[Setting(game, beta) for beta in (0.1, 0.02)])
figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
for verdict, ax in zip(verdicts, axes, strict=True):
    rl.plots.convergence(verdict, ax)
    print(f"{verdict}\n  stated {verdict.stated_rate}, measured {verdict.fit.describe(verdict.clock)}")

# %%
# Both hold, and the runs are faster than promised: the measured factor is close to the square of the stated one.
# Near the equilibrium the divergence is quadratic in the distance, and the slowest distances shrink by the stated
# factor. The flat end is the rounding floor.

# %%
# What a colder temperature selects
# ---------------------------------
# At large :math:`\beta` the weights follow the Borda scores, since the opponent is nearly uniform. As
# :math:`\beta` falls the policy meets stronger opponents, itself, and moves to the minimax winner.

betas = np.geomspace(1, 1e-3, 49)
log_weights = {g: np.array([rl.regularized_equilibrium(g, beta).log_policy for beta in betas]) for g in (game, filled)}

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained", width_ratios=[1.6, 1])
weights = np.exp(log_weights[game])
left.plot(betas, weights, color=MUTED, linewidth=0.6, alpha=0.5)
labelled = ["Guanaco (65B)", "Luminous Base Control", "command", "Falcon Instruct (40B)", "GPT 4"]
for name, colour in zip(labelled, COLOURS, strict=False):
    curve = weights[:, names.index(name)]
    left.plot(betas, curve, color=colour, linewidth=2.2, label=name)
left.set(xlabel=r"temperature $\beta$", title="Weights in the regularised equilibrium", ylim=0)
left.legend(frameon=False, loc="upper left")
for (g, logs), colour in zip(log_weights.items(), COLOURS, strict=False):
    effective = np.exp(-(np.exp(logs) * logs).sum(axis=1))
    right.plot(betas, effective, color=colour, linewidth=2.2, label="as recorded" if g is game else g.title)
right.set(xlabel=r"temperature $\beta$", title="Effective number of models, exp(entropy)", ylim=(0, n + 1))
right.legend(frameon=False)
for ax in (left, right):
    ax.set_xscale("log")
    ax.set_xlim(1, betas[-1])
    tidy(ax)

# %%

print("  beta  above 1 %  effective  largest weights")
for beta in (0.1, 0.02, 0.001):
    logs = rl.regularized_equilibrium(game, beta).log_policy
    top = ", ".join(f"{names[a]} {np.exp(logs[a]):.3f}" for a in np.argsort(-logs)[:2])
    effective = np.exp(-(np.exp(logs) * logs).sum())
    print(f"{beta:6}  {(logs > np.log(0.01)).sum():9}  {effective:9.1f}  {top}")

# %%
# What this does not show
# -----------------------
# It does not show which model is best.
#
# - Nearly half of all pairs never met, and what one assumes of them decides who is in the winner. Compare the two
#   games.
# - Votes are noisy. Half of the pairs that met have at most five votes, so many entries of :math:`P` are far from
#   the probabilities behind them. This sampling uncertainty is ignored throughout; the certificates speak of the
#   recorded numbers only.
# - The table does not say how prompts and voters were chosen, and the models are those of 2023.
# - The verdicts on Nash mirror prox hold for exact win rates. They say how fast the equilibrium of *this table* is
#   found.
