"""Both sides of the theorems on linear NORA and LSVI-UCB, from learners that are written down plainly."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import random_linear_mdp
from rltheory.measures import finite_horizon_regret
from rltheory.problems import FiniteHorizonMDP, LinearMDP
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.episodes import tan2025_linear
from rltheory.theorems.episodes.tan2025 import tracking_constant
from rltheory.theorems.episodes.tan2025_linear import Directions, Growth, LinearLearning, linear_trap, one_choice
from rltheory.theory import Status, Theorem
from tests.restatements import plain_episodes
from tests.restatements.plain_episodes import LinearMoves, as_policy, best_choices, drawn, linear_bonus

THEOREMS = {theorem.name: theorem for theorem in vars(tan2025_linear).values() if isinstance(theorem, Theorem)}
RNG = np.random.default_rng(0)
DIRECTIONS = [
    Directions(RNG.dirichlet(np.ones(3), 40), 0.7),
    Directions(RNG.normal(size=(10, 2)) / 5, 0.01),  # the first features surprise by more than 1
]
GROWTHS = [
    Growth(np.diag([1.0, 2.0, 5.0]), RNG.normal(size=(2, 3)), RNG.normal(size=3)),
    Growth(np.array([[2.0]]), np.array([[0.3]]), np.array([1.5])),
]
LEARNERS = [
    LinearLearning(linear_trap(3), 2, 200, 5.0, 0.1),
    LinearLearning(random_linear_mdp(np.random.default_rng(1), 4, 2, 2), 3, 150, 0.7, 0.2, 2.0),
    LinearLearning(one_choice(), 1, 20, 1.0, 0.3),
]


def matrices(s):
    """Before each feature and after the last."""
    found = [s.regularization * np.eye(s.features.shape[1])]
    for phi in s.features:
        found.append(found[-1] + np.outer(phi, phi))
    return found


def doublings(s):
    determinants = [np.linalg.det(matrix) for matrix in matrices(s)]
    return np.log2(np.array(determinants) / determinants[0])


def potential(s, trace):
    surprise = [0.0]
    for phi, matrix in zip(s.features, matrices(s), strict=False):
        surprise.append(surprise[-1] + min(1, phi @ np.linalg.inv(matrix) @ phi))
    return surprise, doublings(s)


def most(t, dimension, ridge):
    return dimension * np.log2(1 + np.asarray(t) / (dimension * ridge))


def determinant(s, trace):
    return doublings(s), most(range(len(s.features) + 1), s.features.shape[1], s.regularization)


def ratio(s, trace):
    before, x, measured, bound = np.linalg.inv(s.before), s.direction, [], []
    for power in range(-6, 7):
        after = s.before + 2.0**power * sum(np.outer(vector, vector) for vector in s.added)
        measured.append(x @ before @ x)
        bound.append(np.linalg.det(after) / np.linalg.det(s.before) * (x @ np.linalg.inv(after) @ x))
    return measured, bound


def times(s, trace):
    return trace.times[trace.times >= 1].astype(float)


def episodic(s):
    return FiniteHorizonMDP.stationary(s.problem.tabular, s.horizon)


def numbers(s):
    return s.problem, s.horizon, s.episodes, 1.0


def switches(s, trace):
    critics, t = [], times(s, trace).astype(int)
    learner = plain_episodes.linear_nora(*numbers(s), s.eta, s.delta, s.regularization, critics)
    counted, problem = [0], episodic(s)

    def counting():
        episode = yield next(learner)
        while True:
            counted.append(len(critics) - 1)
            episode = yield learner.send(episode)

    plain_episodes.play(problem, counting(), s.episodes, stream(0, "restatement"))
    return np.array(counted)[t], (s.horizon - 1) * most(t, s.problem.dimension, s.regularization)


def bonus(s, trace):
    """A critic at each recorded time, followed until the next."""
    rng, mdp, beta = stream(0, "restatement"), s.problem.tabular, restated_beta(s)
    moves, needed = LinearMoves(s.problem, s.horizon, s.regularization), []
    for episode in range(s.episodes + 1):
        if episode in trace.times:
            f = moves.critic(beta)
            needed.append(0.0)
            for h in range(s.horizon - 1):
                values, inverse = f[h + 1][best_choices(mdp, f[h + 1])], np.linalg.inv(moves.grams[h])
                w = inverse @ sum((phi * values[state] for phi, state in moves.seen[h]), np.zeros(len(inverse)))
                for phi, law in zip(moves.phi, mdp.transition_matrix, strict=True):
                    needed[-1] = max(needed[-1], abs(phi @ w - law @ values) / math.sqrt(phi @ inverse @ phi))
        states, choices = [drawn(mdp.initial, rng)], []
        for h in range(s.horizon):
            choices.append(best_choices(mdp, f[h])[states[-1]])
            states.append(drawn(mdp.transition_matrix[choices[-1]], rng))
        moves.add((states, choices))
    return needed, np.full(len(needed), beta)


def restated_beta(s):
    return linear_bonus(s.problem.dimension, s.horizon, s.episodes, s.delta, s.regularization)


def regret(s, trace, learner):
    problem = episodic(s)
    played, _ = plain_episodes.play(problem, learner, s.episodes, stream(0, "restatement"))
    found = finite_horizon_regret(problem, [as_policy(problem, decided) for decided in played])
    return found[trace.times[trace.times >= 1] - 1]


def shared_terms(s, t):
    spread = s.horizon - 1
    terms = 2 * restated_beta(s) * spread * np.sqrt(2 * t * most(t, s.problem.dimension, s.regularization))
    return terms + s.horizon * spread / 2 * math.sqrt(s.episodes * math.log(1 / s.delta) / 2)


def regret_of_lsvi_ucb(s, trace):
    learner = plain_episodes.lsvi_ucb(*numbers(s), s.delta, s.regularization, True, [])
    return regret(s, trace, learner), shared_terms(s, times(s, trace))


def regret_of_nora(s, trace):
    learner = plain_episodes.linear_nora(*numbers(s), s.eta, s.delta, s.regularization, [])
    t, actions = times(s, trace), s.problem.features.shape[1]
    follows = s.horizon * tracking_constant(actions) / s.eta * (1 + np.log(t))
    stretches = (s.horizon - 1) * most(t, s.problem.dimension, s.regularization) + 1
    bracket = s.horizon * (s.horizon + 1) / 2 + follows
    return regret(s, trace, learner), shared_terms(s, t) + stretches * bracket


RESTATED = {
    "linear-nora/potential": (potential, DIRECTIONS),
    "linear-nora/determinant": (determinant, DIRECTIONS),
    "linear-nora/determinant-ratio": (ratio, GROWTHS),
    "linear-nora/switches": (switches, LEARNERS),
    "linear-nora/bonus": (bonus, LEARNERS),
    "lsvi-ucb/regret": (regret_of_lsvi_ucb, LEARNERS),
    "linear-nora/regret": (regret_of_nora, LEARNERS),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize(("name", "s"), [(name, s) for name, (_, places) in RESTATED.items() for s in places], ids=str)
def test_both_sides(name, s):
    theorem = THEOREMS[name]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement"))
    for side, restated in zip((theorem.measured, theorem.bound), RESTATED[name][0](s, trace), strict=True):
        np.testing.assert_allclose(np.asarray(side(s, trace))[-len(restated) :], restated, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", THEOREMS)
def test_drawn_settings_hold(name):
    theorem = THEOREMS[name]
    drawn_settings = examples(theorem.strategy(), 6, seed=1)
    assert {verdict.status for verdict in verify(theorem, settings=drawn_settings)} == {Status.HOLDS}


@pytest.mark.parametrize("name", ["linear-nora/potential", "linear-nora/determinant", "linear-nora/determinant-ratio"])
def test_statements_on_matrices_are_sharp(name):
    """Each basis vector for the first time; basis vectors in turn; growth in the direction of the vector."""
    tightness = max(verdict.tightness for verdict in verify(THEOREMS[name]))
    assert tightness == pytest.approx(1, abs=1e-8)  # the allowance for rounding counts as part of the bound


def test_the_constant_of_the_potential_is_the_best_one():
    """With 1 / log 2 the first d features reach the bound; a smaller constant would fail on them."""
    s = Directions(np.eye(4))
    trace = tan2025_linear.gather(s, RNG)
    np.testing.assert_allclose(trace["surprise"], trace["doublings"], rtol=0, atol=1e-14)
    assert trace.last("surprise") == 4


def test_switches_are_sharp():
    (verdict,) = verify(THEOREMS["linear-nora/switches"], settings=[LinearLearning(one_choice(), 2, 2**12 + 1, 1.0)])
    assert 0.999 < verdict.tightness <= 1


def test_the_bonus_is_some_times_what_is_needed():
    """From a tenth to a fifth; a bonus for features of one dimension more is larger."""
    for verdict in verify(THEOREMS["linear-nora/bonus"]):
        assert 0.08 < verdict.tightness < 0.25
    for d in range(1, 6):
        assert linear_bonus(d, 3, 1000, 0.1, 1.0) < linear_bonus(d + 1, 3, 1000, 0.1, 1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(replace, LEARNERS[0], horizon=0), "horizon is 0; it must be >= 1"),
        (partial(replace, LEARNERS[0], episodes=0), "episodes is 0; it must be >= 1"),
        (partial(replace, LEARNERS[0], eta=0.0), "eta is 0.0; it must be finite and > 0"),
        (partial(replace, LEARNERS[0], delta=1.0), r"delta is 1.0; it must lie in \(0, 1\)"),
        (partial(replace, LEARNERS[0], regularization=0.0), "regularization is 0.0; it must be finite and > 0"),
        (partial(Directions, [[1.0, np.nan]]), r"features\[0, 1\] is nan; every entry must be finite"),
        (partial(Directions, [[1.0]], -1.0), "regularization is -1.0; it must be finite and > 0"),
        (partial(replace, GROWTHS[0], before=-np.eye(3)), "before must be symmetric and positive definite"),
        (partial(replace, GROWTHS[0], before=np.eye(2)), r"with a direction of 3 entries they must be \(3, 3\)"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_setting():
    paid = LinearMDP([[[1.0]]], [[1.0]], [-0.5])
    for name in ("linear-nora/bonus", "linear-nora/regret", "lsvi-ucb/regret"):
        assert "lie in $[0, 1]$" in THEOREMS[name].failed_hypothesis(LinearLearning(paid, 2, 10, 1.0))
    for name in ("linear-nora/regret", "lsvi-ucb/regret"):
        failed = THEOREMS[name].failed_hypothesis
        assert "lambda" in failed(replace(LEARNERS[0], regularization=0.5))
        assert "delta" in failed(replace(LEARNERS[0], delta=0.5))
    long = Directions([[0.5], [1.5]])
    assert "(feature 1 has norm 1.5)" in THEOREMS["linear-nora/determinant"].failed_hypothesis(long)
    (verdict,) = verify(THEOREMS["linear-nora/determinant"], settings=[long])
    assert verdict.status is Status.NOT_APPLICABLE
