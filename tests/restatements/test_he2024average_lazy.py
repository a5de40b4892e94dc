"""Both sides of the theorems on LOOP with lazy updates, from gaps as sums over all past steps, one after the other."""

import math

import numpy as np
import pytest

from rltheory import verify
from rltheory.algorithms import mixture_loop
from rltheory.instances import random_ergodic_mdp, random_linear_mdp
from rltheory.problems import LinearMixtureMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.solvers import average_policy_iteration
from rltheory.solvers.linear_residuals import LinearPlanner
from rltheory.solvers.residuals import ResidualSet, largest_joint_gain
from rltheory.theorems.average_reward import he2024average_lazy as paper
from rltheory.theory import Status, Theorem
from tests.restatements.plain_walks import PlainWalk

DELTA = 0.2
SETTINGS = {
    "joint-loop": [
        paper.Tabular(paper.arms((0.0, 0.3, 1.0)), span=0.03, horizon=100),
        paper.Tabular(random_ergodic_mdp(stream(0, "restatement"), 2, 2), span=0.9, horizon=300),
    ],
    "linear-loop": [
        paper.Linear(paper.linear_arms((0.0, 1.0)), span=0.05, horizon=450),
        paper.Linear(random_linear_mdp(stream(1, "restatement"), 2, 2, 2), span=0.7, horizon=100),
    ],
    "mixture-loop": [
        paper.Mixture(paper.gamble(0.9, 0.0), np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]), horizon=500),
        paper.Mixture(paper.gamble(0.5, 0.4), np.array([[0.4, 0.6], [0.6, 0.4]]), horizon=100),
    ],
}
THEOREMS = {theorem.name: theorem for theorem in vars(paper).values() if isinstance(theorem, Theorem)}


class Joint:
    """Hypotheses are values of choices, and a gain."""

    def __init__(self, s):
        self.s, (c, n) = s, s.mdp.transition_matrix.shape
        logs = c / 2 * math.log(1 + s.horizon / c) + n * math.log(math.ceil(math.sqrt(s.horizon))) + math.log(1 / DELTA)
        self.beta = (s.span * (math.sqrt(logs) + 1)) ** 2
        self.first, self.squares = c * (s.span + 1), c * (s.span + 1) ** 2

    def d(self, t):
        c = self.s.mdp.choices
        return c * (1 + np.log(np.maximum(t / c, 1)))

    def plan(self, walk, radius):
        mdp = self.s.mdp
        return largest_joint_gain(
            ResidualSet(mdp.first_choice, mdp.rewards, walk.counts(), radius=radius, span=self.s.span)
        )

    def gaps(self, walk, f):
        """Squares of what is left of Q + J - r - V when its mean is the empirical or the true one."""
        empirical = true = 0.0
        for c in range(self.s.mdp.choices):
            seen = [after for choice, after in walk.past if choice == c]
            if seen:
                rest = f.action_values[c] + f.gain - self.s.mdp.rewards[c]
                empirical += len(seen) * (rest - np.mean(f.values[seen])) ** 2
                true += len(seen) * (rest - walk.laws[c] @ f.values) ** 2
        return empirical, true


class Linear(Joint):
    """Hypotheses are weights and a gain."""

    def __init__(self, s):
        self.s, d = s, s.problem.dimension
        norm = (s.span + 2) * math.sqrt(d)
        logs = 2 * math.log(1 / DELTA) + 2 * d * math.log(1 + 4 * norm * math.sqrt(s.horizon) / s.span)
        self.beta = (s.span / 2 * math.sqrt(logs + d * math.log(1 + s.horizon / d)) + norm + s.span) ** 2
        self.first = self.squares = 0.0
        self.planner = LinearPlanner(s.problem, span=s.span, norm=norm)
        self.x = s.problem.features.reshape(-1, d)

    def d(self, t):
        return 2 * self.s.problem.dimension * np.log(1 + t / self.s.problem.dimension)

    def matrix(self, walk):
        return np.eye(self.s.problem.dimension) + sum((np.outer(self.x[c], self.x[c]) for c, _ in walk.past), 0.0)

    def plan(self, walk, radius):
        return self.planner.plan(walk.counts(), self.matrix(walk), radius=radius)

    def gaps(self, walk, f):
        """Distances to the ridge regression on samples, and to the weights whose products are the means."""
        matrix, d = self.matrix(walk), self.s.problem.dimension
        targets = [self.x[c] * (self.s.mdp.rewards[c] + f.values[after] - f.gain) for c, after in walk.past]
        away = f.weights - np.linalg.solve(matrix, sum(targets, np.zeros(d)))
        ones = np.linalg.pinv(self.x) @ np.ones(len(self.x))  # unique: features span the space
        off = f.weights - (self.s.problem.weights + self.s.problem.measures @ f.values - f.gain * ones)
        return away @ matrix @ away, off @ matrix @ off


class Mixture(Joint):
    """Hypotheses are weights; targets are values of what was in force."""

    def __init__(self, s):
        self.s, d = s, s.problem.dimension
        rewards = s.mdp.rewards.reshape(s.mdp.states, -1)
        solved = [average_policy_iteration(LinearMixtureMDP(s.problem.features, w, rewards).tabular) for w in s.weights]
        self.models = [
            (w, found.gain[0], found.bias - found.bias.min(), found) for w, found in zip(s.weights, solved, strict=True)
        ]
        self.h = max(np.ptp(found.bias) for found in solved)
        self.beta = self.h**2 * (math.sqrt(2 * math.log(1 / DELTA) + d * math.log(1 + s.horizon)) / 2 + 1) ** 2
        self.first = self.squares = 0.0
        self.force = []

    def d(self, t):
        return 2 * self.s.problem.dimension * np.log(1 + t)

    def regression(self, walk):
        d = self.s.problem.dimension
        matrix, moment = self.h**2 * np.eye(d), np.zeros(d)
        for (choice, after), f in zip(walk.past, self.force, strict=True):
            state, action = divmod(choice, self.s.mdp.choices // self.s.mdp.states)
            x = self.s.problem.features[:, state, action] @ f.values
            matrix, moment = matrix + np.outer(x, x), moment + x * f.values[after]
        return matrix, np.linalg.solve(matrix, moment)

    def plan(self, walk, radius):
        matrix, estimate = self.regression(walk)
        near = [m for m in self.models if (np.array(m[0]) - estimate) @ matrix @ (np.array(m[0]) - estimate) <= radius]
        weights, gain, values, found = max(near, key=lambda model: model[1])
        return Chosen(np.array(weights), gain, values, found.policy)

    def gaps(self, walk, f):
        matrix, estimate = self.regression(walk)
        away, off = f.weights - estimate, f.weights - self.s.problem.weights
        return away @ matrix @ away, off @ matrix @ off


class Chosen:
    def __init__(self, weights, gain, values, policy):
        self.weights, self.gain, self.values, self.policy = weights, gain, values, policy


CLASSES = {"joint-loop": Joint, "linear-loop": Linear, "mixture-loop": Mixture}


def play(group, s, times, rng, scale=1.0):
    """Largest gap, least gain, epochs, earnings and empirical gap at all times."""
    learner, walk = CLASSES[group](s), PlainWalk(s.mdp, rng)
    learner.beta *= scale
    f, epochs, largest, least, rows = None, 0, 0.0, math.inf, {}
    while len(walk.past) < s.horizon:
        if f is None or learner.gaps(walk, f)[0] >= 36 * learner.beta:
            f, epochs = learner.plan(walk, 9 * learner.beta), epochs + 1
        largest = max(largest, learner.gaps(walk, f)[1])
        walk.step(f.policy)
        if group == "mixture-loop":
            learner.force.append(f)
        if len(walk.past) in times:
            least = min(least, f.gain)
            rows[len(walk.past)] = largest, least, epochs, walk.earned(), learner.gaps(walk, f)[0]
    rows[0] = math.nan, rows[1][1], 0, 0.0, math.nan
    return learner, [np.array(column) for column in zip(*(rows[t] for t in times), strict=True)]


def restated(statement, s, learner, t, columns):
    largest, least, epochs, earned, _ = columns
    optimum = average_policy_iteration(s.mdp).gain[0]
    plans = 1 + (learner.squares + 49 * learner.beta * learner.d(t)) / (9 * learner.beta)
    noise = s.span * math.sqrt(s.horizon / 2 * math.log(1 / DELTA))
    regret = learner.first + 7 * np.sqrt(learner.beta * learner.d(t) * t) + s.span * plans + noise
    return {
        "optimism": (1 - least, np.full(t.size, 1 - optimum)),
        "gap": (largest, np.full(t.size, 49 * learner.beta)),
        "epochs": (epochs, plans),
        "regret": (np.maximum(t * optimum - earned, 0), regret),
    }[statement]


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == {
        f"{group}/{statement}" for group in SETTINGS for statement in ("optimism", "gap", "epochs", "regret")
    }


@pytest.mark.parametrize("place", range(2))
@pytest.mark.parametrize("group", SETTINGS)
def test_both_sides(group, place):
    s = SETTINGS[group][place]
    mine = {name: theorem for name, theorem in THEOREMS.items() if name.startswith(group)}
    trace = next(iter(mine.values())).run(s, stream(0, "restatement", group))
    t = trace.times
    learner, columns = play(group, s, t.tolist(), stream(0, "restatement", group))
    for name, theorem in mine.items():
        statement = name.split("/")[1]
        measured, bound = restated(statement, s, learner, t, columns)
        np.testing.assert_allclose(theorem.measured(s, trace)[1:], measured[1:], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-9)
        assert theorem.kind.name == "with probability 1 - delta"
        assert theorem.kind.delta(s) == (2 if statement == "regret" else 1) * DELTA
    if place == 0:
        assert columns[2][-1] > 1, "no epoch ends"


def test_later_epochs_of_mixtures():
    """With a small radius, so that several epochs end and all their values enter the regression."""
    s, scale = paper.Mixture(paper.gamble(0.4, 0.2), paper.pairs(*np.linspace(0, 1, 11)), horizon=300), 0.03
    trace = mixture_loop(
        s.problem, s.weights, s.models, horizon=300, delta=DELTA, scale=scale, rng=stream(0, "later epochs")
    )
    t = trace.times
    _, columns = play("mixture-loop", s, t.tolist(), stream(0, "later epochs"), scale)
    np.testing.assert_allclose(trace["largest_gap"][1:], columns[0][1:], rtol=1e-9)
    np.testing.assert_array_equal(trace["epochs"], columns[2])
    np.testing.assert_allclose(trace["empirical_gap"][1:], columns[4][1:], rtol=1e-9)
    assert trace.last("epochs") >= 3


def test_the_ratios_that_are_reached():
    """Where an epoch ends the empirical gap is 36 beta_0, and the true one about that much of 49 beta_0."""
    found = {}
    for verdict in verify(THEOREMS.values()):
        assert verdict.status is Status.HOLDS
        found[verdict.theorem] = max(found.get(verdict.theorem, 0), verdict.tightness)
    for group in SETTINGS:
        assert 0.9 * 36 / 49 < found[f"{group}/gap"] < 1.1 * 36 / 49
        assert found[f"{group}/regret"] > 0.1
        assert found[f"{group}/epochs"] > 0.05


def test_hypotheses_name_what_fails():
    s = paper.Tabular(paper.arms((0.0, 1.0)), span=0.05, horizon=10)
    mdp = random_ergodic_mdp(stream(0, "restatement"), 2, 2)
    islands = TabularMDP(np.eye(2)[:, None], [[0.1], [0.2]])
    loud = TabularMDP([[[1.0]]], [[2.0]])
    gamble = paper.gamble(0.5, 0.4)
    crooked = random_linear_mdp(stream(1, "restatement"), 2, 2, 2)
    failed = {
        "sp(h*) is": (paper.JOINT_GAP, paper.Tabular(mdp, span=0.01, horizon=10)),
        "weakly communicating": (paper.JOINT_GAP, paper.Tabular(islands, span=1.0, horizon=10)),
        "0 \\le r \\le 1": (paper.JOINT_GAP, paper.Tabular(loud, span=1.0, horizon=10)),
        "among those considered": (paper.MIXTURE_GAP, paper.Mixture(gamble, np.array([[0.5, 0.5]]), horizon=10)),
    }
    assert paper.JOINT_GAP.failed_hypothesis(s) is None
    assert paper.LINEAR_GAP.failed_hypothesis(paper.Linear(crooked, span=1.0, horizon=10)) is None
    for text, (theorem, setting) in failed.items():
        assert text in theorem.failed_hypothesis(setting)
