r"""
What does it cost to learn which arm is best, and when?
=======================================================

A contextual bandit shows a context before each pull, and what an arm pays depends on it. Nobody can try every arm in
every context: one has to carry over what was learnt in one context to the others. Linear bandits do it by features, and
regression oracles by a class of tables that is known to hold the truth.
"""

# %%
# Features: optimism, and chance
# ------------------------------
# Twenty contexts with ten arms each, and means that are linear in three features. OFUL takes the best arm for the best
# parameter in an ellipsoid that holds the true one with probability 0.95, at all times; LinUCB takes an ellipsoid of
# fixed size, and Thompson sampling a parameter drawn from the posterior. Lines are means, bands lie between the 10 %
# and the 90 % quantile of the runs.

import numpy as np

import rltheory as rl
from rltheory.algorithms.bandits import (
    exponential_weights,
    falcon,
    glm_ucb,
    lin_ucb,
    linear_thompson,
    oful,
    oracle_epsilon_greedy,
    retrain,
    ridge,
    square_cb,
)

rng = np.random.default_rng(1)
features = rng.normal(size=(20, 10, 3)) / 2
parameter = np.array([0.6, -0.4, 0.2])
linear = rl.LinearBandit(features, parameter, deviation=0.5, title="linear bandit, 20 contexts, 10 arms")
policies = [
    oful(features, noise=0.5, size=1, delta=0.05),
    lin_ucb(features, width=0.5),
    linear_thompson(features, deviation=0.5),
    square_cb(ridge(features), gamma=20, power=1 / 2),
]
runs = rl.compare_policies(linear, policies, horizon=5000, replicates=200)
ax = rl.plots.regret(runs)
ax.set_title(linear.title)

# %%
# OFUL pays for its guarantee: its ellipsoid is chosen for the worst case. Inverse gap weighting explores every arm for
# ever, and pays the square root of time where the others pay a logarithm.
#
# The claim
# ---------
# The bound on OFUL's regret comes from the very object that the tests check. A bound for all linear bandits is far
# above what most of them cost.

(regret_theorem,) = rl.find("oful/regret")
verdicts = rl.verify(regret_theorem)
(changing,) = [verdict for verdict in verdicts if "changing arms" in str(verdict.setting)]
ax = rl.plots.convergence(changing)

# %%
# Rewards 0 and 1
# ---------------
# Here the probability of a reward is a logistic function of the features. A linear model of it is wrong, and LinUCB
# settles on wrong arms in some contexts, at a cost in each round; the model of GLM-UCB is right.

logistic = rl.LogisticBandit(features, 4 * parameter, title="logistic bandit, 20 contexts, 10 arms")
policies = [glm_ucb(features, width=0.15), lin_ucb(features, width=0.5)]
ax = rl.plots.regret(rl.compare_policies(logistic, policies, horizon=2000, replicates=100))
ax.set_title(logistic.title)

# %%
# A class of tables: three rates of exploration
# ---------------------------------------------
# Eight contexts, five arms, and fifty tables of means, one of which is true. An oracle weighs the tables by their
# squared errors. SquareCB explores with the inverse of predicted gaps times the square root of time; FALCON does so in
# epochs, with a fit at the start of each; epsilon-greedy explores blindly. The guides have the slopes 1/2 and 2/3.

tables = rng.random((50, 8, 5))
bandit = rl.ContextualBandit(tables[0], title="8 contexts, 5 arms, 50 tables")
rules = [
    square_cb(exponential_weights(tables), gamma=5, power=1 / 2),
    falcon(tables, scale=10),
    oracle_epsilon_greedy(exponential_weights(tables), epsilon=1, power=1 / 3),
]
runs = rl.compare_policies(bandit, rules, horizon=20_000, replicates=40)
ax = rl.plots.regret(runs, slopes=(1 / 2, 2 / 3), log_regret=True)
ax.set_title(bandit.title)

# %%
# Constants are chosen by hand, and with others the curves change places: slopes are what stays. An epoch of FALCON
# explores as its first round does.
#
# Late feedback
# -------------
# Rewards that become known after 500 rounds only, or are handed over in batches of 500: until the first of them arrive
# nothing is learnt, and this is paid once. The square root of time soon is more.

from xarray import concat

late = {"at once": {}, "batches of 500": {"batch": 500}, "500 rounds late": {"delay": 500}}
data = [
    rl.compare_policies(bandit, rules[:1], horizon=20_000, replicates=20, **feedback).assign_coords(policy=[name])
    for name, feedback in late.items()
]
ax = rl.plots.regret(concat(data, "policy"))
ax.set_title("SquareCB with late feedback")

# %%
# A wrong class
# -------------
# A logistic model of one parameter can't hold these means of two arms in two contexts. Each generation is fitted to
# what the one before has seen, with data without end, and explores in a fifth of its rounds. A good generation sees
# little of the arms that it leaves out, and what is fitted to its data is a bad one, which sees them again.

from rltheory.plots.style import COLOURS, new_axes, tidy

scores = np.array([[-1.0, -1.5], [-1.6, 0.1]])
models = 1 / (1 + np.exp(-np.linspace(-4, 4, 81)[:, None, None] * scores))
truth = rl.ContextualBandit([[0.7, 0.2], [0.1, 0.7]])
classes = {"with the truth in it": [*models, truth.means], "wrong class": models}
ax = new_axes(width=7.6, height=3.4)
for (name, known), colour in zip(classes.items(), COLOURS, strict=False):
    trace = retrain(truth, known, epsilon=0.2, generations=12, first=38)
    ax.plot(trace.times, trace["regret"], "o-", color=colour, label=name)
ax.set(xlabel="generation", ylabel="mean pseudo-regret of a round", ylim=(0, None))
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
tidy(ax)

# %%
# **What this does not show.** Slopes on one bandit are prices of exploration there: a bound is for the worst bandit of
# each horizon. And a class that is wrong need not make generations alternate; this one does.
