"""LOOP with joint sets, linear classes, mixtures and likelihoods, against conic solvers, enumeration and each other."""

from itertools import product

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltheory.algorithms import (
    joint_loop,
    likelihood_loop,
    linear_loop,
    loop,
    mixture_loop,
    rectangular_mixture_loop,
)
from rltheory.algorithms.average_reward.joint_loop import joint_concentration
from rltheory.instances import random_ergodic_mdp, random_linear_mdp, river_swim
from rltheory.problems import LinearMDP, LinearMixtureMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.solvers import (
    LinearPlanner,
    ModelClass,
    Plausible,
    ResidualSet,
    WeightSet,
    average_policy_iteration,
    extended_value_iteration,
    largest_joint_gain,
    largest_product,
    optimistic_mixture_plan,
)

SOLVER = 1e-6  # conic solvers stop at 1e-8 of numbers of order one


def sample(rng, mdp, most):
    visits = rng.integers(0, most, mdp.choices)
    return np.array([rng.multinomial(n, law) for n, law in zip(visits, mdp.transition_matrix, strict=True)])


def conic_gain(plausible):
    """The largest gain over all greedy policies, each by a second-order cone program; None if all are infeasible."""
    starts, visits = plausible.first_choice, plausible.visits
    state_of_choice = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    laws = plausible.transitions / np.maximum(visits, 1)[:, None]
    gains = []
    for policy in product(*map(range, starts, starts[1:])):
        q, v, gain = cp.Variable(visits.size), cp.Variable(starts.size - 1), cp.Variable()
        residuals = cp.multiply(np.sqrt(visits), q + gain - plausible.rewards - laws @ v)
        limits = [q[list(policy)] == v, q <= v[state_of_choice], v >= 0, v <= plausible.span, gain >= 0, gain <= 1]
        problem = cp.Problem(cp.Maximize(gain), [*limits, cp.norm(residuals) <= np.sqrt(plausible.radius)])
        problem.solve(solver=cp.CLARABEL)
        if problem.status == cp.OPTIMAL:
            gains.append(problem.value)
    return max(gains, default=None)


@pytest.mark.parametrize("case", range(24))
def test_joint_planner_against_cone_programs(case):
    rng = stream(0, "joint planner", str(case))
    mdp = random_ergodic_mdp(rng, int(rng.integers(2, 4)), int(rng.integers(1, 4)))
    radius, span = float(rng.choice([0.03, 0.3, 3.0])), float(rng.choice([0.3, 1.0, 3.0]))
    plausible = ResidualSet(mdp.first_choice, mdp.rewards, sample(rng, mdp, 60), radius=radius, span=span)
    found, expected = largest_joint_gain(plausible), conic_gain(plausible)
    assert (found is None) == (expected is None)
    if found is not None:
        assert found.gain == pytest.approx(expected, abs=SOLVER)
        assert found.gain <= found.upper <= found.gain + 1e-8


@pytest.mark.parametrize("case", range(8))
def test_joint_plan_is_an_element_of_the_set(case):
    rng = stream(0, "joint plan", str(case))
    mdp = random_ergodic_mdp(rng, 3, 2)
    counts = sample(rng, mdp, 100)
    plan = largest_joint_gain(ResidualSet(mdp.first_choice, mdp.rewards, counts, radius=1.0, span=2.0))
    visits = counts.sum(1)
    residuals = plan.action_values + plan.gain - mdp.rewards - counts @ plan.values / np.maximum(visits, 1)
    assert visits @ residuals**2 == pytest.approx(plan.residual, abs=1e-9)
    assert plan.residual <= 1.0
    assert (plan.values >= 0).all()
    assert (plan.values <= 2).all()
    np.testing.assert_array_equal(np.maximum.reduceat(plan.action_values, mdp.first_choice[:-1]), plan.values)
    np.testing.assert_array_equal(plan.action_values[plan.policy], plan.values)


def test_no_element_of_a_fine_grid_has_a_larger_gain():
    """The scalar form, minimised by brute force."""
    rng = stream(0, "joint grid")
    mdp = random_ergodic_mdp(rng, 2, 2)
    plausible = ResidualSet(mdp.first_choice, mdp.rewards, sample(rng, mdp, 80) + 1, radius=0.5, span=1.0)
    found = largest_joint_gain(plausible)
    values = [np.array(point) for point in product(np.linspace(0, 1, 31), repeat=2)]
    gains = np.linspace(found.gain - 0.02, 1, 25)
    attained = [gain for gain in gains if min(plausible.cost(v, gain) for v in values) <= plausible.radius]
    assert found.gain - 0.02 <= max(attained) <= found.gain + 1e-9


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), radius=st.floats(0.01, 20), span=st.floats(0.05, 5))
def test_the_box_contains_the_ellipsoid(seed, radius, span):
    """With bonuses sqrt(beta / n) the box allows each residual alone what the ellipsoid allows all of them together."""
    rng = np.random.default_rng(seed)
    mdp = random_ergodic_mdp(rng, 3, 2)
    counts = sample(rng, mdp, 80)
    visits = counts.sum(1)
    joint = largest_joint_gain(ResidualSet(mdp.first_choice, mdp.rewards, counts, radius=radius, span=span))
    laws = np.where(visits[:, None] > 0, counts / np.maximum(visits, 1)[:, None], 1 / 3)
    bonuses = np.where(visits > 0, np.sqrt(radius / np.maximum(visits, 1)), span + 1)
    box = Plausible(mdp.first_choice, mdp.rewards, laws, bonuses, "bonus")
    upper = extended_value_iteration(box, span=span, precision=1e-7).upper
    assert joint is None or joint.gain <= upper + 1e-9


def test_gains_fall_with_data_and_rise_with_radius_and_span():
    mdp = random_ergodic_mdp(stream(0, "monotone"), 3, 2)

    def gain(n, radius, span):
        counts = n * mdp.transition_matrix
        return largest_joint_gain(ResidualSet(mdp.first_choice, mdp.rewards, counts, radius=radius, span=span)).gain

    best = average_policy_iteration(mdp)
    by_data = [gain(n, 1.0, 2.0) for n in (10, 100, 1000, 10**6)]
    assert by_data == sorted(by_data, reverse=True)
    assert by_data[-1] == pytest.approx(best.gain[0], abs=0.01)
    assert gain(100, 0.1, 2.0) < gain(100, 0.2, 2.0)
    assert gain(1000, 30.0, 0.05) < gain(1000, 30.0, 0.1) < gain(1000, 30.0, 0.5)


def test_one_hot_features_are_a_table():
    mdp = random_ergodic_mdp(stream(1, "one hot"), 2, 2)
    problem = LinearMDP(np.eye(4).reshape(2, 2, 4), mdp.transition_matrix, mdp.rewards)
    counts = (sample(stream(0, "one hot"), mdp, 60) + 5).astype(float)
    planner = LinearPlanner(problem, span=0.8, norm=100.0)
    for radius in (0.1, 1.0, 3.0):
        joint = largest_joint_gain(ResidualSet(mdp.first_choice, mdp.rewards, counts, radius=radius, span=0.8))
        linear = planner.plan(counts, np.diag(counts.sum(1) + 1e-7), radius=radius)
        assert linear.gain == pytest.approx(joint.gain, abs=SOLVER)
        np.testing.assert_array_equal(linear.policy, joint.policy)


@pytest.mark.parametrize("case", range(12))
def test_largest_products_against_cone_programs(case):
    rng = stream(0, "weights", str(case))
    d = int(rng.integers(2, 5))
    root = rng.normal(size=(d, d))
    matrix = root @ root.T + 0.1 * np.eye(d)
    centre = rng.dirichlet(np.ones(d)) + 0.1 * rng.normal(size=d)
    radius, x = float(rng.choice([0.1, 1.0])), rng.normal(size=d)
    theta = cp.Variable(d)
    limits = [cp.norm(np.linalg.cholesky(matrix).T @ (theta - centre)) <= np.sqrt(radius)]
    free = cp.Problem(cp.Maximize(x @ theta), limits)
    assert largest_product(WeightSet.ellipsoid(matrix, centre, radius), x) == pytest.approx(
        free.solve(solver=cp.CLARABEL), abs=SOLVER
    )
    mixed = cp.Problem(cp.Maximize(x @ theta), [*limits, theta >= 0, cp.sum(theta) == 1])
    expected = mixed.solve(solver=cp.CLARABEL)
    found = largest_product(WeightSet.on_simplex(matrix, centre, radius), x)
    if mixed.status == cp.OPTIMAL:
        assert found == pytest.approx(expected, abs=SOLVER)
    else:
        nearest = cp.Problem(cp.Minimize(cp.norm(limits[0].args[0].args[0])), [theta >= 0, cp.sum(theta) == 1])
        nearest.solve(solver=cp.CLARABEL)
        assert found == pytest.approx(x @ theta.value, abs=1e-3)


def mixtures(rng, states=3, actions=2, dimension=2, grid=41):
    bases, rewards = rng.dirichlet(np.full(states, 0.5), (dimension, states, actions)), rng.random((states, actions))
    weights = np.array([[x, 1 - x] for x in np.linspace(0, 1, grid)])
    return [LinearMixtureMDP(bases, w, rewards) for w in weights], weights


def test_rectangular_sets_contain_the_joint_one():
    """Gains: of one process in the ellipsoid, of one for each choice, and of weights that need be no mixture."""
    problems, weights = mixtures(stream(0, "rectangular"))
    models = ModelClass([problem.tabular for problem in problems])
    mdp = problems[0].tabular
    laws = np.moveaxis(problems[0].features, 0, -2).reshape(mdp.choices, 2, mdp.states)
    for radius in (0.001, 0.01, 0.1):
        away = weights - [0.4, 0.6]
        joint = models.gains[(away**2).sum(1) <= radius + 1e-12].max()
        rectangular, signed = (
            optimistic_mixture_plan(
                mdp.first_choice, mdp.rewards, laws, make(np.eye(2), np.array([0.4, 0.6]), radius), span=models.span
            ).gain
            for make in (WeightSet.on_simplex, WeightSet.ellipsoid)
        )
        assert joint <= rectangular + 1e-6
        assert rectangular <= signed + 1e-6


def test_signed_weights_need_not_converge():
    """A large ellipsoid holds weights of mass other than 1, so that constants do not go through the backup."""
    problems, _ = mixtures(stream(0, "rectangular"))
    mdp = problems[0].tabular
    laws = np.moveaxis(problems[0].features, 0, -2).reshape(mdp.choices, 2, mdp.states)
    large = WeightSet.ellipsoid(np.eye(2), np.array([0.4, 0.6]), 4.0)
    with pytest.raises(ArithmeticError, match="keep weights on the simplex"):
        optimistic_mixture_plan(mdp.first_choice, mdp.rewards, laws, large, span=1.0)


def test_a_tiny_ellipsoid_leaves_one_process():
    problems, _ = mixtures(stream(1, "rectangular"))
    mdp = problems[16].tabular
    laws = np.moveaxis(problems[16].features, 0, -2).reshape(mdp.choices, 2, mdp.states)
    alone = WeightSet.on_simplex(np.eye(2), problems[16].weights, 1e-18)
    plan = optimistic_mixture_plan(mdp.first_choice, mdp.rewards, laws, alone, span=50.0, precision=1e-9)
    assert plan.gain == pytest.approx(average_policy_iteration(mdp).gain[0], abs=1e-8)
    boxed = Plausible(mdp.first_choice, mdp.rewards, mdp.transition_matrix, np.zeros(mdp.choices), "bonus")
    narrow = optimistic_mixture_plan(mdp.first_choice, mdp.rewards, laws, alone, span=0.1, precision=1e-9)
    assert narrow.gain == pytest.approx(extended_value_iteration(boxed, span=0.1, precision=1e-9).gain, abs=1e-8)


RUNS = {
    "joint": lambda rng: joint_loop(river_swim(3), horizon=3000, span=2.2, scale=0.3, rng=rng),
    "linear": lambda rng: linear_loop(LINEAR, horizon=2000, span=0.5, scale=0.02, rng=rng),
    "mixture": lambda rng: mixture_loop(MIXTURES[20], WEIGHTS, MODELS, horizon=3000, scale=0.05, rng=rng),
    "rectangular": lambda rng: rectangular_mixture_loop(MIXTURES[20], horizon=3000, span=MODELS.span, rng=rng),
    "likelihood": lambda rng: likelihood_loop(MIXTURES[20].tabular, MODELS, horizon=3000, rng=rng),
}
LINEAR = random_linear_mdp(stream(0, "linear run"), 2, 2, 2)
MIXTURES, WEIGHTS = mixtures(stream(0, "mixture run"))
MODELS = ModelClass([problem.tabular for problem in MIXTURES])
PROCESSES = {"joint": river_swim(3), "linear": LINEAR.tabular}


@pytest.mark.parametrize("name", RUNS)
def test_promises_are_rewards_errors_noise_and_drift(name):
    trace = RUNS[name](stream(0, "run", name))
    mdp = PROCESSES.get(name, MIXTURES[20].tabular)
    paid = trace["visits"] @ mdp.rewards
    parts = trace["errors"] + trace["noise"] + trace["drift"]
    np.testing.assert_allclose(trace["promised"] - paid, parts, atol=1e-5)
    assert trace["visits"].sum(1).tolist() == trace.times.tolist()
    assert trace.last("epochs") > 1
    again = RUNS[name](stream(0, "run", name))
    for key in trace.values:
        assert again[key].tobytes() == trace[key].tobytes()


@pytest.mark.parametrize("name", ["joint", "linear", "mixture", "likelihood", "rectangular"])
def test_learners_end_near_the_optimum(name):
    """In the last half of a longer run, on average over five runs."""
    mdp = PROCESSES.get(name, MIXTURES[20].tabular)
    optimum, shares = average_policy_iteration(mdp), []
    gaps = optimum.bias[mdp.state_of_choice] - (mdp.rewards + mdp.transition_matrix @ optimum.bias - optimum.gain[0])
    for k in range(5):
        trace = RUNS[name](stream(0, "near", name, str(k)))
        half = np.searchsorted(trace.times, trace.times[-1] / 2)
        shares.append((trace.last("visits") - trace["visits"][half]) @ gaps / (trace.times[-1] - trace.times[half]))
    assert np.mean(shares) < 0.15 * gaps.max()


def test_a_radius_below_the_noise_makes_epochs_short():
    """Nothing forces progress: more plans than the bound on their number."""
    mdp = random_ergodic_mdp(stream(0, "joint loop"), 3, 2)
    trace = joint_loop(mdp, horizon=200, span=0.8, scale=1e-8, rng=stream(0, "short epochs"))
    choices, beta = mdp.choices, joint_concentration(3, 6, 200, 0.8, 0.05)
    bound = 1 + (choices * 1.8**2 / (9 * beta)) + 49 / 9 * choices * (1 + np.log(200 / choices))
    assert trace.algorithm == "joint LOOP, practical radius 1e-08 H^2 log T"
    assert trace.last("epochs") > bound
    assert (np.diff(trace["epochs"]) >= 0).all()


def test_one_plan_for_good():
    trace = joint_loop(river_swim(3), horizon=500, span=2.2, scale=0.3, trigger=np.inf, rng=stream(0, "once"))
    assert trace.last("epochs") == 1


def test_gaps_of_the_joint_run_are_sums_over_choices():
    """At the end of the last epoch, against sums over the transitions seen."""
    mdp, horizon = river_swim(3), 400
    trace = joint_loop(mdp, horizon=horizon, span=2.2, scale=0.3, trigger=np.inf, rng=stream(0, "gaps"))
    nothing = ResidualSet(
        mdp.first_choice, mdp.rewards, np.zeros((6, 3)), radius=0.3 * 2.2**2 * np.log(horizon), span=2.2
    )
    plan, visits = largest_joint_gain(nothing), trace.last("visits")
    errors = plan.action_values + plan.gain - mdp.rewards - mdp.transition_matrix @ plan.values
    before = trace["visits"][-2] @ errors**2
    assert before <= trace.last("largest_gap") <= visits @ errors**2 + 1e-9


def test_likelihoods_rule_out_what_cannot_be():
    """A model without the step that is made is ruled out at once, and the truth is left."""
    rewards = np.zeros((2, 1))
    swap, stay, coin = ([[[0.0, 1.0]], [[1.0, 0.0]]], np.eye(2)[:, None], np.full((2, 1, 2), 0.5))
    models = ModelClass([TabularMDP(law, rewards) for law in (swap, coin)])
    trace = likelihood_loop(models.processes[0], models, horizon=20, rng=stream(0, "swap"))
    expected = np.maximum(trace.times, 0) * np.log(2)
    np.testing.assert_allclose(trace["shortfall"][:, 1], expected, atol=1e-12)
    np.testing.assert_array_equal(trace["left"][:, 0], 1)
    assert trace["left"][:, 1].sum() == (expected <= np.log(2 / 0.05)).sum()
    with pytest.raises(ValueError, match="the optimal gain of process 1 lies between 0 and 1"):
        ModelClass([TabularMDP(coin, [[0], [1]]), TabularMDP(stay, [[0], [1]])])


def test_a_class_without_the_truth_starts_again():
    coin, coins = np.full((2, 1, 2), 0.5), np.tile([0.99, 0.01], (2, 1, 1))
    models = ModelClass([TabularMDP(coins, np.eye(2)[:, :1])])
    strange = TabularMDP(coin, np.eye(2)[:, :1])
    trace = likelihood_loop(strange, models, horizon=200, rng=stream(0, "strange"))
    assert trace.last("epochs") == 1  # a single model is the likeliest of all
    two = ModelClass([TabularMDP(coins, np.eye(2)[:, :1]), TabularMDP(1 - coins, np.eye(2)[:, :1])])
    trace = likelihood_loop(strange, two, horizon=2000, delta=0.9, rng=stream(0, "strange"))
    assert trace.last("epochs") > 2


def test_hellinger_distances():
    coin, sure = np.full((2, 1, 2), 0.5), np.tile([1.0, 0.0], (2, 1, 1))
    models = ModelClass([TabularMDP(law, np.zeros((2, 1))) for law in (coin, sure)])
    found = models.squared_distances(models.processes[0])
    np.testing.assert_allclose(found, [[0, 0], [1 - np.sqrt(0.5)] * 2], atol=1e-15)


def test_epochs_by_visits_leave_no_notes():
    trace = loop(river_swim(3), horizon=100, span=2.2, rng=stream(0, "no notes"))
    assert set(trace.values) == {"visits", "state", "gain", "epochs", "promised", "errors", "noise", "drift"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: joint_loop(river_swim(3), horizon=10, span=0.0, rng=g), "span is 0.0; it must be finite and > 0"),
        (lambda g: joint_loop(river_swim(3), horizon=10, span=1, scale=-1, rng=g), "scale is -1.0"),
        (lambda g: joint_loop(river_swim(3), horizon=10, span=1, trigger=1.0, rng=g), "trigger is 1.0; it must be > 1"),
        (lambda g: joint_loop(river_swim(3), horizon=10, span=1, delta=1.0, rng=g), "delta is 1.0"),
        (lambda g: joint_loop(TabularMDP([[[1]]], [[2]]), horizon=10, span=1, rng=g), "the reward of choice 0"),
        (
            lambda g: ResidualSet([0, 1], [0.0], [[-1]], radius=1, span=1),
            r"transitions\[0, 0\] is -1.0; it must be >= 0",
        ),
        (
            lambda g: ResidualSet([0, 1], [2.0], [[1]], radius=1, span=1),
            r"rewards\[0\] is 2.0; it must lie in",
        ),
        (lambda g: ResidualSet([0, 2], [0.0], [[1]], radius=1, span=1), "it must rise from 0 to 1"),
        (lambda g: ResidualSet([0, 1], [0.0, 0.0], [[1]], radius=1, span=1), r"rewards \(2,\)"),
        (lambda g: ResidualSet([0, 1], [0.0], [[1]], radius=0, span=1), "radius is 0.0"),
        (lambda g: linear_loop(LINEAR, horizon=10, span=1, delta=0.0, rng=g), "delta is 0.0"),
        (lambda g: mixture_loop(MIXTURES[0], [[1.0, 0.0]], MODELS, horizon=10, rng=g), "for 41 models of dimension 2"),
        (
            lambda g: likelihood_loop(river_swim(3), MODELS, horizon=10, rng=g),
            "other choices or rewards",
        ),
        (lambda g: likelihood_loop(MIXTURES[0].tabular, MODELS, horizon=10, level=0, rng=g), "level is 0.0"),
        (lambda g: ModelClass([]), "a class must have a process"),
        (lambda g: ModelClass([river_swim(3), river_swim(4)]), "process 1 has other choices or rewards"),
        (lambda g: largest_product(WeightSet.ellipsoid(np.eye(2), np.zeros(2), 1.0), [1.0]), "product has 1 entries"),
        (
            lambda g: optimistic_mixture_plan(
                np.arange(2), np.zeros(1), np.ones((1, 3, 1)), WeightSet.ellipsoid(np.eye(2), np.zeros(2), 1.0), span=1
            ),
            r"laws has shape \(1, 3, 1\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))
