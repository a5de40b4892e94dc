"""Demonstrations: penalised values against enumeration, cloning, learners on the same draws, bad input."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from rltheory.algorithms import (
    behaviour_cloning,
    cloning_bound,
    compare_trajectories,
    demonstration_regularized,
    demonstrations,
    log_linear_cloning,
    lsvi_ucb_ent,
    rewards_of_preferences,
    sample_trajectories,
    ucbvi_ent,
)
from rltheory.instances import diabolical_lock, random_linear_mdp, river_swim
from rltheory.measures import (
    finite_horizon_suboptimality,
    kl_regularized_suboptimality,
    kl_regularized_value,
    trajectory_kl,
)
from rltheory.problems import FiniteHorizonMDP, TabularMDP, uniform_policy
from rltheory.problems.linear_mdp import LinearMDP
from rltheory.solvers import (
    backward_induction,
    finite_horizon_occupancy,
    finite_horizon_values,
    soft_backward_induction,
)
from tests.exact_mdps import policies_of
from tests.restatements import plain_episodes
from tests.restatements.plain_episodes import play, soft_values
from tests.test_episodes import PROBLEMS
from tests.test_finite_horizon import problems

RIVER = FiniteHorizonMDP.stationary(river_swim(3), 4)
LOCK = diabolical_lock(np.random.default_rng(0), 4, 3)


def draw_policy(data, problem):
    return np.array([data.draw(policies_of(problem.stages[0])) for _ in problem.stages])


def log(policy):
    with np.errstate(divide="ignore"):
        return np.log(policy)


def trajectories(problem, policy):
    """All trajectories with their probabilities and rewards: initial states, choices and successors one by one."""
    mdp = problem.stages[0]
    for start in range(problem.states):
        walks = [(problem.initial[start], 0.0, start, ())]
        for stage, here in enumerate(problem.stages):
            laws = np.asarray(here.as_sparse().transition_matrix.toarray())
            walks = [
                (p * policy[stage, c] * laws[c, after], earned + here.rewards[c], after, (*made, c))
                for p, earned, state, made in walks
                for c in range(*mdp.first_choice[state : state + 2])
                for after in np.flatnonzero(laws[c])
                if p * policy[stage, c] > 0
            ]
        yield from ((p, earned, made) for p, earned, _, made in walks if p > 0)


@settings(max_examples=40)
@given(data=st.data(), problem=problems(max_horizon=3, max_states=3))
def test_penalised_values_are_those_of_all_trajectories(data, problem):
    """The divergence from its definition, as a sum over trajectories."""
    policy, reference = draw_policy(data, problem), draw_policy(data, problem)
    stages = np.arange(problem.horizon)
    value = divergence = 0.0
    for p, earned, made in trajectories(problem, policy):
        value += p * earned
        divergence += p * (log(policy[stages, made]).sum() - log(reference[stages, made]).sum())
    found = trajectory_kl(problem, log(policy), log(reference))
    if divergence == np.inf:
        assert found == np.inf
    else:
        assert found == pytest.approx(divergence, abs=1e-12)
    penalised = kl_regularized_value(problem, policy, reference, 0.7)
    assert penalised == value - 0.7 * divergence or penalised == pytest.approx(value - 0.7 * divergence, abs=1e-12)


@settings(max_examples=40)
@given(data=st.data(), problem=problems(), temperature=st.sampled_from([0.05, 1.0, 30.0]))
def test_what_a_policy_lacks_is_its_divergence_from_the_optimal_one(data, problem, temperature):
    policy, reference = draw_policy(data, problem), draw_policy(data, problem)
    best = soft_backward_induction(problem, temperature, reference=reference)
    top = problem.initial @ best.values[0]
    earned = kl_regularized_value(problem, policy, reference, temperature)
    lacks = kl_regularized_suboptimality(problem, log(policy), reference, temperature)
    assert lacks >= 0
    # Divergences up to 100 times the temperature are subtracted.
    assert top - earned == lacks or top - earned == pytest.approx(lacks, abs=1e-12 * (1 + temperature))
    of_best = kl_regularized_value(problem, np.exp(best.log_policy), reference, temperature)
    assert of_best == pytest.approx(top, abs=1e-11 * (1 + temperature))


@settings(max_examples=40)
@given(data=st.data(), problem=problems(max_horizon=3))
def test_a_cold_penalty_is_none_and_a_hot_one_leaves_the_reference(data, problem):
    """The best value lies above that of the reference, and within the penalty of the best plan below the optimum."""
    reference = 0.5 * draw_policy(data, problem) + 0.5 * uniform_policy(problem.stages[0])
    optimum = backward_induction(problem)
    penalty = trajectory_kl(problem, log(optimum.policy), log(reference))
    top, of_reference = (
        problem.initial @ values[0] for values in (optimum.values, finite_horizon_values(problem, reference).values)
    )
    for temperature in (1e-3, 1.0, 1e5):
        best = problem.initial @ soft_backward_induction(problem, temperature, reference=reference).values[0]
        assert max(top - temperature * penalty, of_reference) - 1e-9 <= best <= top + 1e-9
    # Hoeffding's lemma: a log-moment exceeds the mean by the square of the range over eight temperatures at most.
    assert best <= of_reference + problem.horizon * (2 * problem.horizon) ** 2 / (8 * 1e5)


def test_uniform_reference_is_entropy():
    problem = FiniteHorizonMDP.stationary(river_swim(3), 4)
    plain, uniform = soft_backward_induction(problem, 0.2), uniform_policy(problem.stages[0])
    found = soft_backward_induction(problem, 0.2, reference=uniform)
    paid = 0.2 * math.log(2) * np.arange(4, -1, -1.0)
    np.testing.assert_allclose(found.values + paid[:, None], plain.values, atol=1e-14)
    np.testing.assert_allclose(found.log_policy, plain.log_policy, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p: soft_backward_induction(p, 1.0, reference=[1, 1, 0, 1]),
            "reference sums to 2 in state 0; expected 1",
        ),
        (lambda p: soft_backward_induction(p, 1.0, reference=[1, 0]), r"reference has shape \(2,\)"),
        (lambda p: trajectory_kl(p, np.zeros((2, 4)), np.zeros((2, 4))), r"log_policy has shape \(2, 4\); it must be"),
        (
            lambda p: trajectory_kl(p, np.full((3, 4), -math.log(2)), np.zeros((3, 4))),
            r"exp\(log_reference\) sums to 2 in state 0 at stage 0",
        ),
        (lambda p: kl_regularized_value(p, [1, 0, 1, 0], [1, 0, 1, 0], 0.0), "temperature is 0.0"),
    ],
)
def test_what_is_no_penalty_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(FiniteHorizonMDP.stationary(river_swim(2), 3))


# Cloning.


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_demonstrations_follow_the_occupancy(problem):
    rng = np.random.default_rng(3)
    policy = np.array(
        [
            np.concatenate([rng.dirichlet(np.ones(size)) for size in sizes])
            for sizes in [np.diff(problem.stages[0].first_choice)] * problem.horizon
        ]
    )
    made = sample_trajectories(problem, policy, 40_000, rng)
    counts = demonstrations(problem, policy, 40_000, rng)
    expected = finite_horizon_occupancy(problem, policy).occupancy
    of_trajectories = np.array([np.bincount(column, minlength=problem.choices) for column in made.T])
    for found in (of_trajectories, counts):
        assert (found.sum(axis=1) == 40_000).all()
        # Five standard deviations of a binomial number: less than one failure in 10^4 such tests.
        assert (np.abs(found - 40_000 * expected) <= 5 * np.sqrt(40_000 * expected * (1 - expected)) + 1e-9).all()
    owner = problem.stages[0].state_of_choice
    for stage in range(problem.horizon - 1):
        laws = np.asarray(problem.stages[stage].as_sparse().transition_matrix.toarray())
        assert (laws[made[:, stage], owner[made[:, stage + 1]]] > 0).all()


def test_cloning_is_the_posterior_mean():
    """Under a uniform prior on the probabilities, which two actions let us integrate."""
    counts = np.array([[3, 9, 0, 0, 5, 1]] * 4)
    policy = behaviour_cloning(RIVER, counts)
    grid = np.linspace(0, 1, 200_001)
    for first, (a, b) in zip((0, 2, 4), ((3, 9), (0, 0), (5, 1)), strict=True):
        likelihood = grid**a * (1 - grid) ** b
        assert policy[0, first] == pytest.approx((grid * likelihood).sum() / likelihood.sum(), abs=1e-5)
    np.testing.assert_allclose(np.add.reduceat(policy, [0, 2, 4], axis=1), 1, rtol=1e-15)
    assert behaviour_cloning(RIVER, counts, prior=1e-12)[0, 0] == pytest.approx(0.25)
    assert cloning_bound(RIVER, 23) == 4 * 3 / 24


def test_a_log_linear_clone_maximises_the_penalised_likelihood():
    """Against a method without derivatives, and against frequencies where features tell all choices apart."""
    rng = np.random.default_rng(1)
    counts, features = demonstrations(RIVER, [0.2, 0.8] * 3, 500, rng), rng.normal(size=(6, 2))
    found = log_linear_cloning(RIVER, counts, features, ridge=3.0)
    for stage in range(4):

        def loss(theta, visits=counts[stage]):
            logits = (features @ theta).reshape(3, 2)
            logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            return -visits @ logs.ravel() + 1.5 * theta @ theta

        best = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
        odds = np.exp((features @ best.x).reshape(3, 2))
        np.testing.assert_allclose(found[stage], (odds / odds.sum(axis=1, keepdims=True)).ravel(), atol=1e-7)
    seen = np.array([[80, 70, 20, 20, 1, 9]] * 4)
    shares = seen[0].reshape(3, 2) / seen[0].reshape(3, 2).sum(axis=1, keepdims=True)
    told = log_linear_cloning(RIVER, seen, np.eye(6), ridge=1e-6)
    np.testing.assert_allclose(told, np.tile(shares.ravel(), (4, 1)), atol=1e-6)


def test_an_expert_that_never_errs_is_cloned_within_reason():
    counts = demonstrations(RIVER, [0, 1] * 3, 100, np.random.default_rng(0))
    policy = log_linear_cloning(RIVER, counts, [[0], [1]] * 3)
    assert (policy[:, 1::2] > 0.9).all()
    assert (policy < 1).all()


# Learners.


@pytest.mark.parametrize("bonus", [1.0, 0.2])
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_a_run_is_the_plain_one(problem, bonus):
    rng, found, episodes = np.random.default_rng(5), [], 400
    reference = np.concatenate([rng.dirichlet(np.ones(size)) for size in np.diff(problem.stages[0].first_choice)])
    reference = np.tile(reference, (problem.horizon, 1))
    trace = ucbvi_ent(problem, reference, 0.3, episodes=episodes, bonus=bonus, delta=0.1, rng=np.random.default_rng(8))
    rng = np.random.default_rng(8)
    learner = plain_episodes.ucbvi_ent(problem, reference, 0.3, episodes, rng, found, bonus, 0.1)
    _, visits = play(problem, learner, episodes, rng)
    assert trace.algorithm == ("UCBVI-Ent+" if bonus == 1 else "UCBVI-Ent+, bonus x 0.2")
    np.testing.assert_array_equal(trace["visits"], visits[trace.times])
    certificates, policies = zip(*found, strict=True)
    np.testing.assert_allclose(trace["certificate"], np.array(certificates)[trace.times], rtol=1e-10)
    np.testing.assert_allclose(np.exp(trace["log_policy"]), np.array(policies)[trace.times], atol=1e-11)
    best = problem.initial @ soft_backward_induction(problem, 0.3, reference=reference).values[0]
    for place in (0, 40, -1):
        policy = np.exp(trace["log_policy"][place])
        lacks = best - kl_regularized_value(problem, policy, reference, 0.3)
        assert trace["suboptimality"][place] == pytest.approx(lacks, abs=1e-12)
        assert trace["loss"][place] == pytest.approx(finite_horizon_suboptimality(problem, policy), abs=1e-13)


def test_a_run_ends_with_its_certificate():
    """The certificate of the last time is the first that is small enough, and everything repeats bit by bit."""
    uniform = uniform_policy(RIVER.stages[0])
    run = {"episodes": 20_000, "bonus": 0.5}
    whole = ucbvi_ent(RIVER, uniform, 0.4, rng=np.random.default_rng(1), **run)
    ended = ucbvi_ent(RIVER, uniform, 0.4, rng=np.random.default_rng(1), tolerance=0.1, **run)
    again = ucbvi_ent(RIVER, uniform, 0.4, rng=np.random.default_rng(1), tolerance=0.1, **run)
    assert ended.times[-1] < 20_000
    assert ended["certificate"][-1] <= 0.1 < ended["certificate"][-2]
    np.testing.assert_array_equal(ended.times[:-1], whole.times[: ended.times.size - 1])
    for name in ended.values:
        np.testing.assert_array_equal(ended[name], again[name])
        np.testing.assert_array_equal(ended[name][:-1], whole[name][: ended.times.size - 1])
    assert ended["visits"][-1].sum() == 4 * ended.times[-1]


def test_nothing_to_learn_ends_at_once():
    arms = FiniteHorizonMDP.stationary(TabularMDP([[[1.0], [1.0]]], [[0.2, 0.9]]), 1)
    trace = ucbvi_ent(arms, [0.5, 0.5], 0.1, episodes=10, rng=np.random.default_rng(0))
    assert trace.times.tolist() == [0]
    assert trace.last("suboptimality") == pytest.approx(0, abs=1e-15)
    alone = FiniteHorizonMDP.stationary(TabularMDP([[[1.0]]], [[0.2]]), 3)
    trace = demonstration_regularized(alone, [[4]] * 3, tolerance=0.1, episodes=10, rng=np.random.default_rng(0))
    assert trace.last("loss") == 0


def test_demonstrations_open_the_lock():
    """The guarantee, and what cloning alone and learning alone leave open."""
    rng = np.random.default_rng(2)
    expert = backward_induction(LOCK).policy
    counts = demonstrations(LOCK, expert, 200, rng)
    trace = demonstration_regularized(LOCK, counts, tolerance=0.2, episodes=100_000, rng=rng)
    assert trace.last("certificate") <= 0.1
    assert trace.last("loss") <= 0.1
    assert trace.last("loss") < finite_horizon_suboptimality(LOCK, behaviour_cloning(LOCK, counts)) / 2
    alone = ucbvi_ent(
        LOCK, uniform_policy(LOCK.stages[0]), 0.1, episodes=int(trace.times[-1]), rng=np.random.default_rng(2)
    )
    assert alone.last("loss") > 2 * trace.last("loss")
    assert alone.last("certificate") > 5 * trace.last("certificate")


def restated_lsvi_ucb_ent(problem, staged, reference, temperature, beta, ridge, rng, found):
    """Plain LSVI-UCB-Ent: least squares over lists of what was seen."""
    horizon, mdp = staged.horizon, problem.tabular
    features, first = problem.features.reshape(mdp.choices, -1), mdp.first_choice[:-1]
    seen, then = [[] for _ in range(horizon)], None
    while True:
        grams = [
            ridge * np.eye(problem.dimension) + sum(np.outer(features[c], features[c]) for c, _ in own) for own in seen
        ]
        volumes = np.array([np.linalg.det(gram) for gram in grams])
        if then is None or (volumes >= 2 * then).any():
            then, upper, lower = volumes, np.zeros(mdp.states), np.zeros(mdp.states)
            policy, widest = np.empty((horizon, mdp.choices)), np.zeros((horizon, mdp.choices))
            for h in reversed(range(horizon)):
                norms = np.sqrt([x @ np.linalg.solve(grams[h], x) for x in features])
                bounds = []
                for sign, v in ((1, upper), (-1, lower)):
                    total = sum((features[c] * v[after] for c, after in seen[h]), start=np.zeros(problem.dimension))
                    mean = features @ np.linalg.solve(grams[h], total)
                    bounds.append(np.clip(mean + sign * beta * (horizon - 1 - h) * norms, 0, horizon - 1 - h))
                upper, policy[h] = soft_values(mdp, reference[h], mdp.rewards + bounds[0], temperature)
                lower, _ = soft_values(mdp, reference[h], mdp.rewards + bounds[1], temperature)
                for place, part in zip(first, np.split(bounds[0] - bounds[1], first[1:]), strict=True):
                    widest[h, place + (part >= (1 - 1e-9) * part.max()).argmax()] = 1
        found.append(policy.copy())
        played = policy.copy()
        stage = int(horizon * rng.random())
        played[stage] = widest[stage]
        states, choices = yield played
        for h in range(horizon):
            seen[h].append((choices[h], states[h + 1]))


def test_a_run_with_features_is_the_plain_one():
    problem = random_linear_mdp(np.random.default_rng(2), 5, 3, 3)
    staged, reference = FiniteHorizonMDP.stationary(problem.tabular, 3), np.tile([0.2, 0.5, 0.3], 5)
    run = {"horizon": 3, "episodes": 150, "beta": 0.3, "ridge": 0.5}
    trace = lsvi_ucb_ent(problem, reference, 0.2, rng=np.random.default_rng(4), **run)
    rng, found, tiled = np.random.default_rng(4), [], np.tile(reference, (3, 1))
    play(staged, restated_lsvi_ucb_ent(problem, staged, tiled, 0.2, 0.3, 0.5, rng, found), 150, rng)
    np.testing.assert_allclose(np.exp(trace["log_policy"]), np.array(found)[trace.times], atol=1e-9)
    fresh = [False] + [(a != b).any() for a, b in pairwise(found)]
    np.testing.assert_array_equal(trace["switches"], np.cumsum(fresh)[trace.times])
    for place in (0, -1):
        lacks = kl_regularized_suboptimality(staged, trace["log_policy"][place], tiled, 0.2)
        assert trace["suboptimality"][place] == pytest.approx(lacks, rel=1e-12)
        loss = finite_horizon_suboptimality(staged, np.exp(trace["log_policy"][place]))
        assert trace["loss"][place] == pytest.approx(loss, rel=1e-12)


def test_features_that_indicate_choices_make_it_tabular():
    """Upper values are those of UCBVI-Ent+ with its width, wherever that is at most 1 or nothing was seen."""
    problem = LinearMDP.from_tabular(river_swim(3))
    staged, uniform = FiniteHorizonMDP.stationary(problem.tabular, 3), uniform_policy(problem.tabular)
    scale = math.sqrt((3 * math.log(2) + math.log(6 * 3 * 100 / 0.05)) / 2)
    rng = np.random.default_rng(0)
    trace = lsvi_ucb_ent(problem, uniform, 0.3, horizon=3, episodes=100, beta=scale, ridge=1e-12, rng=rng)
    tabular = ucbvi_ent(staged, uniform, 0.3, episodes=100, rng=np.random.default_rng(0))
    assert trace["value"][0] == pytest.approx(tabular["value"][0], rel=1e-9)
    assert (
        trace["value"][1:]
        >= problem.tabular.initial @ soft_backward_induction(staged, 0.3, reference=uniform).values[0]
    ).all()
    long = lsvi_ucb_ent(problem, uniform, 0.3, horizon=3, episodes=2000, beta=0.1, rng=np.random.default_rng(0))
    assert long.last("suboptimality") < 1e-4
    # Each plan doubles a determinant, of a matrix whose trace is at most ridge d + t.
    assert long.last("switches") <= 6 * 3 * math.log2(1 + 2000 / 6)


# Preferences.


def test_preferences_are_drawn_by_their_returns():
    arms = FiniteHorizonMDP.stationary(TabularMDP([[[1.0], [1.0]]], [[1.0, 0.25]]), 2)
    preferred = compare_trajectories(arms, [[0, 0]] * 20_000, [[0, 1]] * 20_000, np.random.default_rng(0))
    share = 1 / (1 + math.exp(-0.75))
    assert preferred.mean() == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / 20_000))


def test_rewards_of_preferences_maximise_the_likelihood():
    """No small feasible step along any gradient improves: a linear program over the box confirms it."""
    rng = np.random.default_rng(4)
    uniform = uniform_policy(RIVER.stages[0])
    first, second = (sample_trajectories(RIVER, uniform, 300, rng) for _ in range(2))
    preferred = compare_trajectories(RIVER, first, second, rng)
    found = rewards_of_preferences(RIVER, first, second, preferred, ridge=0.5)
    features = np.zeros((300, 4, 6))
    for pair, (a, b) in enumerate(zip(first, second, strict=True)):
        for stage in range(4):
            features[pair, stage, a[stage]] += 1
            features[pair, stage, b[stage]] -= 1
    signed = np.where(preferred, 1, -1)[:, None] * features.reshape(300, 24)
    margins = signed @ found.ravel()
    gradient = -(signed / (1 + np.exp(margins))[:, None]).sum(axis=0) + 0.5 * (found.ravel() - 0.5)
    least = linprog(gradient, bounds=[(0, 1)] * 24)
    assert gradient @ found.ravel() - least.fun <= 1e-4
    assert np.abs(gradient).max() > 0.01  # the box binds
    never = np.abs(features).sum(axis=0) == 0
    assert (found[never] == 0.5).all()


def test_many_preferences_tell_the_best_plan():
    rng = np.random.default_rng(6)
    expert = 0.7 * backward_induction(LOCK).policy + 0.3 * uniform_policy(LOCK.stages[0])
    first, second = (sample_trajectories(LOCK, expert, 20_000, rng) for _ in range(2))
    rewards = rewards_of_preferences(LOCK, first, second, compare_trajectories(LOCK, first, second, rng))
    estimated = FiniteHorizonMDP([mdp.with_rewards(row) for mdp, row in zip(LOCK.stages, rewards, strict=True)])
    assert finite_horizon_suboptimality(LOCK, backward_induction(estimated).policy) == pytest.approx(0, abs=1e-12)
    counts = demonstrations(LOCK, expert, 500, rng)
    trace = demonstration_regularized(estimated, counts, tolerance=0.1, episodes=50_000, rng=rng)
    learned = finite_horizon_suboptimality(LOCK, np.exp(trace.last("log_policy")))
    assert learned < finite_horizon_suboptimality(LOCK, expert)


PAIR = np.zeros((2, 4), int)
LINEAR = LinearMDP.from_tabular(river_swim(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: behaviour_cloning(RIVER, np.zeros((3, 6), int)), r"counts has type int64 and shape \(3, 6\)"),
        (lambda: behaviour_cloning(RIVER, np.zeros((4, 6))), "counts has type float64"),
        (lambda: behaviour_cloning(RIVER, [[1, -1, 0, 0, 0, 0]] * 4), r"counts\[0, 1\] is -1; a number of visits"),
        (
            lambda: behaviour_cloning(RIVER, [[1, 0, 0, 0, 0, 0]] * 3 + [[2, 0, 0, 0, 0, 0]]),
            "counts sums to 2 at stage 3 and to 1 at stage 0",
        ),
        (lambda: behaviour_cloning(RIVER, np.zeros((4, 6), int), prior=0.0), "prior is 0.0"),
        (lambda: sample_trajectories(RIVER, [1, 1] * 3, 2, np.random.default_rng(0)), "policy sums to 2"),
        (lambda: demonstrations(RIVER, [1, 0] * 3, -1, np.random.default_rng(0)), "trajectories is -1"),
        (lambda: log_linear_cloning(RIVER, np.zeros((4, 6), int), np.eye(5)), "features has 5 rows"),
        (lambda: log_linear_cloning(RIVER, np.zeros((4, 6), int), np.eye(6), ridge=-1.0), "ridge is -1.0"),
        (
            lambda: ucbvi_ent(RIVER, [1, 0, 1, 0, 1, 1], 0.1, episodes=9, rng=np.random.default_rng(0)),
            "reference sums to 2 in state 2",
        ),
        (
            lambda: ucbvi_ent(RIVER, [1, 0] * 3, 0.0, episodes=9, rng=np.random.default_rng(0)),
            "temperature is 0.0",
        ),
        (
            lambda: ucbvi_ent(RIVER, [1, 0] * 3, 0.1, episodes=0, rng=np.random.default_rng(0)),
            "episodes is 0",
        ),
        (
            lambda: ucbvi_ent(RIVER, [1, 0] * 3, 0.1, episodes=9, tolerance=-1.0, rng=np.random.default_rng(0)),
            "tolerance is -1.0",
        ),
        (
            lambda: demonstration_regularized(
                RIVER, np.zeros((4, 6), int), tolerance=0.0, episodes=9, rng=np.random.default_rng(0)
            ),
            "tolerance is 0.0",
        ),
        (
            lambda: lsvi_ucb_ent(
                LINEAR, [1, 0] * 3, 0.1, horizon=2, episodes=9, beta=-1.0, rng=np.random.default_rng(0)
            ),
            "beta is -1.0",
        ),
        (
            lambda: lsvi_ucb_ent(LINEAR, [1, 0], 0.1, horizon=2, episodes=9, beta=1.0, rng=np.random.default_rng(0)),
            r"reference has shape \(2,\)",
        ),
        (lambda: compare_trajectories(RIVER, PAIR, PAIR[:1], np.random.default_rng(0)), "2 first trajectories and 1"),
        (lambda: compare_trajectories(RIVER, PAIR[:, :3], PAIR, np.random.default_rng(0)), r"first has type int64 and"),
        (lambda: compare_trajectories(RIVER, PAIR, PAIR + 6, np.random.default_rng(0)), r"second\[0, 0\] is 6; there"),
        (lambda: rewards_of_preferences(RIVER, PAIR, PAIR, [1, 0]), "preferred has type int64"),
        (lambda: rewards_of_preferences(RIVER, PAIR, PAIR, [True]), r"preferred has type bool and shape \(1,\)"),
    ],
)
def test_what_cannot_be_learned_from_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
