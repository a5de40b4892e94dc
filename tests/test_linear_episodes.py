"""Learners in episodes on linear processes: plain ones on the same draws, optimism, global optimism, bad input."""

import math
from importlib import import_module
from itertools import pairwise, product

import numpy as np
import pytest

from rltheory.algorithms import global_optimism, linear_nora, lsvi_ucb
from rltheory.algorithms.episodes.global_optimism import most_promising_plan, theorem_radius
from rltheory.algorithms.episodes.ridge import theorem_bonus
from rltheory.instances import diabolical_lock, random_linear_mdp, river_swim
from rltheory.measures import finite_horizon_regret
from rltheory.problems import FiniteHorizonMDP, LinearMDP, TabularMDP
from rltheory.solvers import backward_induction
from rltheory.theorems.episodes.tan2025_linear import linear_trap
from tests.restatements import plain_episodes
from tests.restatements.plain_episodes import as_policy, best_choices, play

DELTA, RIDGE = 0.1, 1.5
SIGNED = LinearMDP(
    [[[5 / 6, 0.5], [5 / 6, -0.5]], [[5 / 6, 0.3], [5 / 6, -0.1]]],
    [[0.6, 0.6], [0.3, -0.3]],
    [0.6, 0.4],
    title="signed",
)
PROBLEMS = {
    "on the simplex": (random_linear_mdp(np.random.default_rng(0), 5, 3, 3), 3),
    "signed": (SIGNED, 4),
    "tabular": (LinearMDP.from_tabular(river_swim(3)), 4),
}


def episodic(problem, horizon):
    return FiniteHorizonMDP.stationary(problem.tabular, horizon)


LEARNERS = {
    "LSVI-UCB, bonus x 0.02": (
        lambda p, **run: lsvi_ucb(p, bonus=0.02, delta=DELTA, regularization=RIDGE, **run),
        lambda p, h, episodes, critics: plain_episodes.lsvi_ucb(p, h, episodes, 0.02, DELTA, RIDGE, False, critics),
    ),
    "LSVI-UCB, rare switching": (
        lambda p, **run: lsvi_ucb(p, rare_switching=True, delta=DELTA, regularization=RIDGE, **run),
        lambda p, h, episodes, critics: plain_episodes.lsvi_ucb(p, h, episodes, 1.0, DELTA, RIDGE, True, critics),
    ),
    "LSVI-UCB, rare switching, bonus x 0.02": (
        lambda p, **run: lsvi_ucb(p, rare_switching=True, bonus=0.02, delta=DELTA, regularization=RIDGE, **run),
        lambda p, h, episodes, critics: plain_episodes.lsvi_ucb(p, h, episodes, 0.02, DELTA, RIDGE, True, critics),
    ),
    "linear NORA, bonus x 0.05": (
        lambda p, **run: linear_nora(p, eta=0.3, bonus=0.05, delta=DELTA, regularization=RIDGE, **run),
        lambda p, h, episodes, critics: plain_episodes.linear_nora(p, h, episodes, 0.05, 0.3, DELTA, RIDGE, critics),
    ),
    "linear NORA, bonus x 0.1": (
        lambda p, **run: linear_nora(p, eta=1e4, bonus=0.1, delta=DELTA, regularization=RIDGE, **run),
        lambda p, h, episodes, critics: plain_episodes.linear_nora(p, h, episodes, 0.1, 1e4, DELTA, RIDGE, critics),
    ),
}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_is_the_plain_one_and_its_regret_exact(name, problem):
    (linear, horizon), (run, restated), episodes, critics = PROBLEMS[problem], LEARNERS[name], 300, []
    trace = run(linear, horizon=horizon, episodes=episodes, rng=np.random.default_rng(7))
    assert trace.algorithm == name
    assert trace.clock == "episode"
    process, rng = episodic(linear, horizon), np.random.default_rng(7)
    learner = restated(linear, horizon, episodes, critics)
    played, visits = play(process, learner, episodes, rng)
    np.testing.assert_array_equal(trace["visits"], visits.sum(axis=1)[trace.times])
    regret = np.append(0, finite_horizon_regret(process, [as_policy(process, decided) for decided in played]))
    # Sums of 300 numbers below 4, from critics whose weights differ by some 1e-13.
    np.testing.assert_allclose(trace["regret"], regret[trace.times], rtol=0, atol=1e-9)
    np.testing.assert_allclose(trace["suboptimality"][1:], np.diff(regret)[trace.times[1:] - 1], rtol=0, atol=1e-10)
    features = linear.features.reshape(-1, linear.dimension)
    grams = np.einsum("thc,cd,ce->thde", visits[:, :-1], features, features) + RIDGE * np.eye(linear.dimension)
    logs = np.linalg.slogdet(grams)[1] - linear.dimension * math.log(RIDGE)
    np.testing.assert_allclose(trace["log_determinants"], logs[trace.times], rtol=0, atol=1e-9)
    first = linear.tabular.first_choice[:-1]
    values = {float(np.maximum.reduceat(f[0], first) @ linear.tabular.initial) for f in critics}
    assert all(min(abs(value - other) for other in values) < 1e-9 for value in trace["value"])
    if played[0].dtype == int:
        fresh = [False] + [(a != b).any() for a, b in pairwise(played)]
        np.testing.assert_array_equal(trace["switches"][1:], np.cumsum(fresh)[trace.times[1:] - 1])


@pytest.mark.parametrize("name", LEARNERS)
def test_runs_repeat_bit_by_bit_and_learn(name):
    linear, horizon = LinearMDP.from_tabular(river_swim(3)), 4
    first, again = (
        LEARNERS[name][0](linear, horizon=horizon, episodes=20_000, rng=np.random.default_rng(3)) for _ in range(2)
    )
    for value in first.values:
        np.testing.assert_array_equal(first[value], again[value])
    assert (first["visits"].sum(axis=1) == horizon * first.times).all()
    if "bonus" in name:
        at_first, late = first["regret"][first.times <= 100][-1] / 100, np.diff(first["regret"][[-10, -1]])
        assert late / np.diff(first.times[[-10, -1]]) < at_first / 3


@pytest.mark.parametrize("problem", PROBLEMS)
def test_all_are_optimistic_with_the_bonus_of_the_theorem(problem):
    linear, horizon = PROBLEMS[problem]
    best = backward_induction(episodic(linear, horizon)).values[0] @ linear.tabular.initial
    for seed in range(3):
        run = {"horizon": horizon, "episodes": 2000, "rng": np.random.default_rng(seed)}
        for trace in (
            lsvi_ucb(linear, **run),
            lsvi_ucb(linear, rare_switching=True, **run),
            linear_nora(linear, **run),
        ):
            assert (trace["value"] >= best).all()


def test_indicators_for_features_are_counts():
    """Laws are then those of counts over visits + lambda, and bonuses fall with the root of visits + lambda."""
    mdp, horizon, episodes, rng = river_swim(3), 3, 500, np.random.default_rng(5)
    linear, bonus = LinearMDP.from_tabular(mdp), 0.05
    beta = bonus * theorem_bonus(6, horizon=horizon, episodes=episodes, delta=DELTA, regularization=RIDGE)

    def by_counts():
        moves = np.zeros((horizon - 1, 6, 3))
        while True:
            made, values = np.empty((horizon, 3), int), np.zeros(3)
            for h in reversed(range(horizon)):
                f = mdp.rewards.copy()
                if h < horizon - 1:
                    seen = moves[h].sum(axis=1) + RIDGE
                    f += np.clip(moves[h] @ values / seen + beta / np.sqrt(seen), 0, horizon - 1 - h)
                made[h] = best_choices(mdp, f)
                values = f[made[h]]
            states, choices = yield made
            moves[np.arange(horizon - 1), choices[:-1], states[1:-1]] += 1

    _, visits = play(episodic(linear, horizon), by_counts(), episodes, rng)
    trace = lsvi_ucb(
        linear,
        horizon=horizon,
        episodes=episodes,
        bonus=bonus,
        delta=DELTA,
        regularization=RIDGE,
        rng=np.random.default_rng(5),
    )
    np.testing.assert_array_equal(trace["visits"], visits.sum(axis=1)[trace.times])


def test_rare_switching_costs_little_and_changes_little():
    linear, horizon, episodes = random_linear_mdp(np.random.default_rng(0), 20, 3, 3), 4, 5000
    often, rarely = (
        lsvi_ucb(
            linear, horizon=horizon, episodes=episodes, bonus=0.1, rare_switching=rare, rng=np.random.default_rng(1)
        )
        for rare in (False, True)
    )
    assert rarely.last("switches") <= 3 * 3 * math.log2(1 + episodes / 3) < often.last("switches") / 3
    assert rarely.last("regret") < 1.5 * often.last("regret")


def test_without_bonus_a_greedy_learner_takes_what_it_finds_first():
    run = {"horizon": 2, "episodes": 5000, "rng": np.random.default_rng(0)}
    assert lsvi_ucb(linear_trap(3), bonus=0.0, **run).last("regret") == pytest.approx(0.9 * 5000)
    assert lsvi_ucb(linear_trap(3), bonus=0.3, **run).last("regret") < 100


def test_one_stage_has_nothing_to_learn():
    linear = PROBLEMS["on the simplex"][0]
    trace = lsvi_ucb(linear, horizon=1, episodes=5, rng=np.random.default_rng(0))
    assert trace.last("regret") == 0
    assert trace["log_determinants"].shape == (trace.times.size, 0)
    nora = linear_nora(linear, horizon=1, episodes=5, eta=1e6, rng=np.random.default_rng(0))
    assert nora.last("switches") == 0
    assert nora.last("regret") == nora["regret"][1]  # of the first episode, which is uniform play


@pytest.mark.parametrize(("dimension", "horizon", "episodes", "ridge"), [(1, 2, 1, 1.0), (3, 4, 10**5, 2.5)])
def test_the_bonus_solves_its_equation(dimension, horizon, episodes, ridge):
    found = theorem_bonus(dimension, horizon=horizon, episodes=episodes, delta=DELTA, regularization=ridge)
    assert found == pytest.approx(plain_episodes.linear_bonus(dimension, horizon, episodes, DELTA, ridge), rel=1e-12)


def test_one_stage_needs_no_bonus_but_for_the_net():
    assert theorem_bonus(3, horizon=1, episodes=100) == 1.0


# Global optimism.


def tiny(seed):
    """Two states with 2 and 1 actions, three stages that differ."""
    rng = np.random.default_rng(seed)
    allowed = np.array([[1, 1], [1, 0]], dtype=bool)
    stages = [
        TabularMDP(rng.dirichlet(np.ones(2), (2, 2)), rng.random((2, 2)), allowed=allowed, initial=[0.7, 0.3])
        for _ in range(3)
    ]
    return FiniteHorizonMDP(stages)


def beliefs(problem, seed):
    """Visits, and what followed them over n + 1."""
    rng = np.random.default_rng(seed)
    moves = rng.integers(0, 4, (problem.horizon - 1, problem.choices, problem.states)).astype(float)
    visits = moves.sum(axis=2)
    return moves / (visits[..., None] + 1), visits


@pytest.mark.parametrize("seed", range(3))
def test_the_most_promising_plan_is_that_of_a_cone_program(seed):
    """For each plan, the largest value of critics without maxima, over all errors in the ellipsoids."""
    cp = import_module("cvxpy")
    problem = tiny(seed)
    laws, visits = beliefs(problem, seed)
    radius, mdp, values = 1.3, problem.stages[0], []
    rules = list(product(*map(range, mdp.first_choice, mdp.first_choice[1:])))
    for plan in product(rules, repeat=problem.horizon):
        errors = cp.Variable((problem.horizon - 1, problem.choices))
        ahead = problem.stages[-1].rewards[list(plan[-1])]
        for h in reversed(range(problem.horizon - 1)):
            rows = list(plan[h])
            ahead = problem.stages[h].rewards[rows] + laws[h][rows] @ ahead + errors[h, rows]
        limits = [cp.norm(cp.multiply(np.sqrt(visits[h] + 1), errors[h])) <= radius for h in range(2)]
        values.append(cp.Problem(cp.Maximize(problem.initial @ ahead), limits).solve(solver=cp.CLARABEL))
    plan, promised = most_promising_plan(problem, laws, visits, radius)
    assert promised == pytest.approx(max(values), abs=1e-6)  # the accuracy of the solver
    best = list(product(rules, repeat=problem.horizon))[int(np.argmax(values))]
    np.testing.assert_array_equal(plan, best)


@pytest.mark.parametrize("seed", range(5))
def test_the_box_promises_more_than_the_ellipsoid(seed):
    """The same errors allowed one by one, by backward induction; and no more than that for all of them together."""
    problem = tiny(seed)
    laws, visits = beliefs(problem, seed)
    first, radius, boxes = problem.stages[0].first_choice[:-1], 0.7, []
    for share in (0.0, 1.0):
        values = np.zeros(problem.states)
        for h in reversed(range(problem.horizon)):
            f = problem.stages[h].rewards.copy()
            if h < problem.horizon - 1:
                f += laws[h] @ values + share * radius / np.sqrt(visits[h] + 1)
            values = np.maximum.reduceat(f, first)
        boxes.append(values @ problem.initial)
    _, promised = most_promising_plan(problem, laws, visits, radius)
    assert boxes[0] < promised < boxes[1]
    assert most_promising_plan(problem, laws, visits, 0.0)[1] == pytest.approx(boxes[0], abs=1e-13)


def restated_global_optimism(problem, radius):
    horizon, mdp = problem.horizon, problem.stages[0]
    moves = np.zeros((horizon, problem.choices, problem.states))
    rules = list(product(*map(range, mdp.first_choice, mdp.first_choice[1:])))
    while True:
        seen, best = moves.sum(axis=2), (-np.inf, None)
        for plan in product(rules, repeat=horizon):
            total, here = 0.0, np.array(problem.initial)
            for h, rule in enumerate(plan):
                rows = list(rule)
                total += here @ problem.stages[h].rewards[rows]
                if h < horizon - 1:
                    total += radius * math.sqrt((here**2 / (seen[h, rows] + 1)).sum())
                    here = here @ (moves[h, rows] / (seen[h, rows, None] + 1))
            if total > best[0] + 1e-12:
                best = (total, np.array(plan))
        doubled = False
        while not doubled:
            states, choices = yield best[1]
            moves[np.arange(horizon), choices, states[1:]] += 1
            growth = (moves.sum(axis=2) + 1).prod(axis=1) / (seen + 1).prod(axis=1)
            doubled = (growth[:-1] >= 2 - 1e-9).any()


def test_global_optimism_is_the_plain_one():
    problem, episodes = tiny(0), 300
    trace = global_optimism(problem, episodes=episodes, scale=0.1, delta=DELTA, rng=np.random.default_rng(2))
    assert trace.algorithm == "global optimism, radius x 0.1"
    radius = 0.1 * theorem_radius(problem, episodes=episodes, delta=DELTA)
    played, visits = play(problem, restated_global_optimism(problem, radius), episodes, np.random.default_rng(2))
    np.testing.assert_array_equal(trace["visits"], visits.sum(axis=1)[trace.times])
    regret = np.append(0, finite_horizon_regret(problem, [as_policy(problem, decided) for decided in played]))
    np.testing.assert_allclose(trace["regret"], regret[trace.times], rtol=0, atol=1e-10)
    fresh = [False] + [(a != b).any() for a, b in pairwise(played)]
    np.testing.assert_array_equal(trace["switches"][1:], np.cumsum(fresh)[trace.times[1:] - 1])


def test_the_price_of_the_box():
    """With the radii with which both are optimistic, global optimism loses about half of what LSVI-UCB does."""
    mdp, horizon, episodes = river_swim(3), 3, 20_000
    problem, linear = FiniteHorizonMDP.stationary(mdp, horizon), LinearMDP.from_tabular(mdp)
    best = backward_induction(problem).values[0] @ problem.initial
    lost = {"ellipsoid": 0.0, "box": 0.0}
    for seed in range(3):
        ellipsoid = global_optimism(problem, episodes=episodes, rng=np.random.default_rng(seed))
        box = lsvi_ucb(linear, horizon=horizon, episodes=episodes, rare_switching=True, rng=np.random.default_rng(seed))
        assert (ellipsoid["value"] >= best).all()
        lost["ellipsoid"] += float(ellipsoid.last("regret"))
        lost["box"] += float(box.last("regret"))
    assert lost["ellipsoid"] < 0.75 * lost["box"]


def test_the_radius_is_that_of_ridge_regression_on_indicators():
    """Bias and noise for d = C, lambda = 1, and one value function at each stage."""
    lock = diabolical_lock(np.random.default_rng(0), 4, 2)
    choices, horizon, episodes = 6, 4, 500
    logs = choices * math.log(1 + episodes / choices) + 2 * math.log(horizon / DELTA)
    found = theorem_radius(lock, episodes=episodes, delta=DELTA)
    assert found == pytest.approx((horizon - 1) * (math.sqrt(choices) + math.sqrt(logs) / 2), rel=1e-12)


def test_the_radius_is_smaller_than_the_bonus():
    """It is for one value function, not for all; the difference grows with the number of choices."""
    ratios = []
    for actions in (2, 4, 8):
        lock = diabolical_lock(np.random.default_rng(0), 3, actions)
        bonus = theorem_bonus(lock.choices, horizon=3, episodes=1000)
        ratios.append(bonus / theorem_radius(lock, episodes=1000))
    assert 2 < ratios[0] < ratios[1] < ratios[2]


@pytest.mark.parametrize("run", [lsvi_ucb, linear_nora])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": 0}, "horizon is 0; it must be >= 1"),
        ({"horizon": 2.0}, "horizon is 2.0; it must be an integer"),
        ({"episodes": 0}, "episodes is 0; it must be >= 1"),
        ({"delta": 1.0}, r"delta is 1.0; it must lie in \(0, 1\)"),
        ({"bonus": -1.0}, "bonus is -1.0; it must be finite and >= 0"),
        ({"regularization": 0.0}, "regularization is 0.0; it must be finite and > 0"),
        ({"regularization": math.inf}, "regularization is inf; it must be finite and > 0"),
        ({"problem": LinearMDP([[[1.0]]], [[1.0]], [-0.5])}, r"reward of choice 0 at stage 0 is -0.5; .* in \[0, 1\]"),
    ],
)
def test_bad_input(run, change, message):
    options = {"problem": SIGNED, "horizon": 2, "episodes": 10, "rng": np.random.default_rng(0), **change}
    with pytest.raises((ValueError, TypeError), match=message):
        run(options.pop("problem"), **options)


def test_bad_input_to_some():
    with pytest.raises(ValueError, match=r"eta is 0\.0; it must be finite and > 0"):
        linear_nora(SIGNED, horizon=2, episodes=10, eta=0.0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"scale is 0\.0; it must be finite and > 0"):
        global_optimism(tiny(0), episodes=10, scale=0.0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"delta is 0\.0; it must be finite and > 0"):
        global_optimism(tiny(0), episodes=10, delta=0.0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="dimension is 0; it must be >= 1"):
        theorem_bonus(0, horizon=2, episodes=10)
    with pytest.raises(ValueError, match=r"there are 27\^4 plans; global optimism .* at most 100000"):
        global_optimism(diabolical_lock(np.random.default_rng(0), 5, 3), episodes=10, rng=np.random.default_rng(0))


def test_features_and_measures_that_are_too_long_make_no_process():
    """Hence no learner meets them."""
    with pytest.raises(ValueError, match=r"features\[0, 1\] has norm 1.2; it must be <= 1"):
        LinearMDP([[[1.0], [1.2]]], [[1.0]], [0.5])
    with pytest.raises(ValueError, match=r"total absolute measures has norm 2; it must be <= sqrt\(d\) = 1"):
        LinearMDP([[[0.5]]], [[2.0]], [0.5])
