"""Learning from offline data and interaction: data, coverage, hybrid NORA, and hybrid actor-critic."""

import math
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import chi2

from rltheory.algorithms import (
    burn_in_sweeps,
    hybrid_actor_critic,
    hybrid_natural_gradient,
    hybrid_policy_evaluation,
    nora,
    policy_mirror_descent,
    sampled_hybrid_actor_critic,
)
from rltheory.instances import diabolical_lock, random_episodes
from rltheory.measures import (
    coverage,
    finite_horizon_regret,
    largest_occupancies,
    partition_coefficients,
    summed_coverage,
)
from rltheory.problems import (
    FiniteHorizonMDP,
    OfflineData,
    TabularMDP,
    offline_data,
    offline_transitions,
    uniform_policy,
)
from rltheory.solvers import (
    backward_induction,
    discounted_values,
    finite_horizon_occupancy,
    finite_horizon_values,
)
from tests.restatements import plain_episodes


def uneven(seed):
    """Three states with 2, 1 and 3 actions, of which two are starts; laws without zeros, but for one."""
    rng = np.random.default_rng(seed)
    laws = rng.dirichlet(np.ones(3), size=(3, 3))
    laws[0, 0] = [0.5, 0.0, 0.5]
    allowed = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], dtype=bool)
    return TabularMDP(laws, rng.random((3, 3)), allowed=allowed, initial=[0.3, 0, 0.7])


PROBLEM = FiniteHorizonMDP([uneven(seed) for seed in range(4)])
LOCK = diabolical_lock(np.random.default_rng(0), 8, 4)


def expert(problem, slips):
    return (1 - slips) * backward_induction(problem).policy + slips * uniform_policy(problem.stages[0])


def some_policy(seed):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.dirichlet(np.ones(n), size=4) for n in (2, 1, 3)], axis=1)


# Data.


def test_records_and_counts_are_the_same_data():
    data = offline_data(PROBLEM, some_policy(0), 40, np.random.default_rng(1))
    records = [
        (stage, int(PROBLEM.stages[0].state_of_choice[choice]), int(choice - first), reached)
        for stage, choice, reached in np.argwhere(data.transitions).tolist()
        for first in [PROBLEM.stages[0].first_choice[PROBLEM.stages[0].state_of_choice[choice]]]
        for _ in range(data.transitions[stage, choice, reached])
    ]
    assert len(records) == 160
    again = OfflineData.from_records(PROBLEM, np.random.default_rng(0).permutation(records))
    np.testing.assert_array_equal(again.transitions, data.transitions)
    np.testing.assert_array_equal(again.visits, data.transitions.sum(axis=2))
    np.testing.assert_array_equal(again.distribution, data.visits / 40)


def test_data_are_values():
    counts = np.zeros((4, 6, 3), int)
    data = OfflineData(PROBLEM, counts)
    counts[0, 1, 1] = 7
    assert data.transitions.sum() == data.visits.sum() == data.distribution.sum() == 0
    for array in (data.transitions, data.visits, data.distribution):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_trajectories_hold_together():
    """Whoever arrives goes on: of each state as many trajectories leave as came, and none is lost."""
    data = offline_data(PROBLEM, some_policy(3), 1000, np.random.default_rng(2))
    arrived = data.transitions.sum(axis=1)
    left = np.add.reduceat(data.visits, PROBLEM.stages[0].first_choice[:-1], axis=1)
    np.testing.assert_array_equal(left[1:], arrived[:-1])
    assert (left.sum(axis=1) == 1000).all()


def test_trajectories_are_those_of_the_policy():
    """Chi-square of the counts of 10^5 transitions at the last stage, and of all choices; level 1e-6 each."""
    policy, trajectories = some_policy(5), 100_000
    data = offline_data(PROBLEM, policy, trajectories, np.random.default_rng(7))
    occupancy = finite_horizon_occupancy(PROBLEM, policy).occupancy
    laws = np.array([mdp.transition_matrix for mdp in PROBLEM.stages])
    for seen, means in ((data.transitions[-1], occupancy[-1][:, None] * laws[-1]), (data.visits[2], occupancy[2])):
        means = trajectories * means[means > 0]
        statistic = ((seen[seen > 0] - means) ** 2 / means).sum()
        assert statistic < chi2.isf(1e-6, means.size - 1)
        assert statistic > chi2.ppf(1e-6, means.size - 1)


def test_transitions_are_drawn_to_order():
    visits = np.random.default_rng(0).integers(0, 2000, (4, 6))
    data = offline_transitions(PROBLEM, visits, np.random.default_rng(1))
    np.testing.assert_array_equal(data.visits, visits)
    laws = np.array([mdp.transition_matrix for mdp in PROBLEM.stages])
    means = visits[..., None] * laws
    statistic = ((data.transitions - means)[means > 0] ** 2 / means[means > 0]).sum()
    assert chi2.ppf(1e-6, 47) < statistic < chi2.isf(1e-6, 47)  # 24 rows of three, but for one of two


def impossible(counts):
    found = np.zeros((4, 6, 3), int)
    found[2, 0, 1] = counts
    return found


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OfflineData(PROBLEM, np.zeros((3, 6, 3), int)), r"has shape \(3, 6, 3\); it must be \(4, 6, 3\)"),
        (lambda: OfflineData(PROBLEM, np.zeros((4, 6, 3))), "numbers of type float64; they must be integers"),
        (lambda: OfflineData(PROBLEM, impossible(-1)), r"transitions\[2, 0, 1\] is -1; it must be >= 0"),
        (lambda: offline_transitions(PROBLEM, np.zeros((4, 5), int), np.random.default_rng(0)), r"\(4, 5\)"),
        (lambda: offline_data(PROBLEM, some_policy(0), -1, np.random.default_rng(0)), "trajectories is -1"),
        (lambda: offline_data(PROBLEM, np.ones(6), 1, np.random.default_rng(0)), "policy sums to 2 in state 0"),
        (lambda: partition_coefficients(PROBLEM, np.ones((4, 6)), np.ones((4, 5), bool)), r"kept has shape \(4, 5\)"),
        (lambda: partition_coefficients(PROBLEM, np.ones((4, 6)), np.ones((4, 6))), "type float64"),
        (lambda: partition_coefficients(PROBLEM, -np.ones((4, 6)), np.ones((4, 6), bool)), "must be >= 0"),
    ],
)
def test_bad_data(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_data_that_the_process_does_not_make():
    with pytest.raises(ValueError, match=r"is 5, but choice 0 at stage 2 never leads to state 1"):
        OfflineData(PROBLEM, impossible(5))
    with pytest.raises(
        ValueError, match=r"records\[1\] is \(0, 0, 0, 1\), but there action 0 of state 0 never leads to"
    ):
        OfflineData.from_records(PROBLEM, [(0, 0, 0, 0), (0, 0, 0, 1)])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ((4, 0, 0, 0), r"its stage must lie in 0, ..., 3"),
        ((-1, 0, 0, 0), r"its stage must lie in 0, ..., 3"),
        ((0, 3, 0, 0), r"its state must lie in 0, ..., 2"),
        ((0, 1, 1, 0), r"an action of state 1 must lie in 0, ..., 0"),
        ((0, 2, 3, 0), r"an action of state 2 must lie in 0, ..., 2"),
        ((0, 2, 2, 3), r"its next state must lie in 0, ..., 2"),
        ((0, 2, 2), r"it must be four integers"),
        ((0, 2, 2, 0.5), r"it must be four integers"),
    ],
)
def test_bad_records_are_named(record, message):
    with pytest.raises(ValueError, match=r"records\[1\] is \(.*" + message):
        OfflineData.from_records(PROBLEM, [(0, 0, 0, 0), record])


# Coverage.


def occupancy_program(problem, weights):
    """Largest sum of d times weights (H, C) over occupancies, as a linear program."""
    mdp, horizon, choices = problem.stages[0], problem.horizon, problem.choices
    of_state = np.zeros((problem.states, choices))
    of_state[mdp.state_of_choice, np.arange(choices)] = 1
    balance = np.zeros((horizon, problem.states, horizon, choices))
    for stage in range(horizon):
        balance[stage, :, stage] = of_state
        if stage:
            balance[stage, :, stage - 1] = -problem.stages[stage - 1].as_sparse().transition_matrix.toarray().T
    right = np.zeros((horizon, problem.states))
    right[0] = problem.initial
    found = linprog(-np.ravel(weights), A_eq=balance.reshape(right.size, -1), b_eq=right.ravel())
    assert found.status == 0
    return -found.fun


@pytest.mark.parametrize("seed", range(4))
def test_coefficients_are_those_of_linear_programs(seed):
    rng = np.random.default_rng(seed)
    problem = PROBLEM if seed < 2 else random_episodes(rng, 4, 3, 3)
    shape = (problem.horizon, problem.choices)
    data, kept = rng.random(shape) + 0.01, rng.random(shape) < 0.6
    found, largest = partition_coefficients(problem, data, kept), largest_occupancies(problem)
    for stage in range(problem.horizon):
        weights = np.zeros(shape)
        weights[stage] = kept[stage] / data[stage]
        assert found[stage] == pytest.approx(occupancy_program(problem, weights), rel=1e-8)
        choice = rng.integers(problem.choices)
        weights = np.zeros(shape)
        weights[stage, choice] = 1
        assert largest[stage, choice] == pytest.approx(occupancy_program(problem, weights), rel=1e-8, abs=1e-12)


def test_coverage_of_policies_and_of_all():
    """One policy is covered no worse than all together; the sum of ratios lies between the largest and S of them."""
    data = offline_data(PROBLEM, some_policy(0), 10_000, np.random.default_rng(0)).distribution
    everything = np.ones(data.shape, bool)
    best = finite_horizon_occupancy(PROBLEM, backward_induction(PROBLEM).policy).occupancy
    summed = np.array([summed_coverage(d, nu) for d, nu in zip(best, data, strict=True)])
    largest = np.array([coverage(d, nu) for d, nu in zip(best, data, strict=True)])
    assert (largest <= summed).all()
    assert (summed <= 3 * largest).all()
    assert (summed <= partition_coefficients(PROBLEM, data, everything) * (1 + 1e-12)).all()
    assert coverage(best, data) <= coverage(largest_occupancies(PROBLEM), data)
    # Data of all that a policy does cover it with one for each choice: the sum is their number, 5 of the 6 at first.
    own = finite_horizon_occupancy(PROBLEM, some_policy(0)).occupancy
    assert summed_coverage(own[0], own[0]) == 5
    np.testing.assert_array_equal(partition_coefficients(PROBLEM, data, ~everything), 0)


def test_what_data_miss_counts_where_it_can_be_done():
    data = np.ones((4, 6))
    data[0, 2], data[2, 2] = 0, 0  # state 1 is no start
    kept = np.ones((4, 6), bool)
    found = partition_coefficients(PROBLEM, data, kept)
    assert np.isfinite(found).tolist() == [True, True, False, True]
    kept[2, 2] = False
    assert np.isfinite(partition_coefficients(PROBLEM, data, kept)).all()


# Hybrid NORA.


@pytest.mark.parametrize("bonus", [0.0, 0.3])
@pytest.mark.parametrize("trajectories", [0, 2, 200])
def test_hybrid_nora_is_the_plain_one(trajectories, bonus):
    delta, eta, episodes = 0.1, 0.3, 500
    data = offline_data(PROBLEM, some_policy(4), trajectories, np.random.default_rng(0))
    trace = nora(
        PROBLEM,
        episodes=episodes,
        eta=eta,
        delta=delta,
        bonus=bonus,
        offline=data,
        rng=np.random.default_rng(7),
    )
    learner = plain_episodes.nora(PROBLEM, episodes, bonus, eta, delta, critics := [], data.transitions)
    played, visits = plain_episodes.play(PROBLEM, learner, episodes, np.random.default_rng(7))
    np.testing.assert_array_equal(trace["visits"], visits.sum(axis=1)[trace.times])
    # Sums of 500 numbers below 4, from policies whose logits differ by some 1e-13 after so many steps.
    regret = np.append(0, finite_horizon_regret(PROBLEM, played))
    np.testing.assert_allclose(trace["regret"], regret[trace.times], rtol=0, atol=1e-9)
    promised = np.maximum.reduceat(critics[trace.last("switches")][0], PROBLEM.stages[0].first_choice[:-1])
    assert trace.last("value") == pytest.approx(promised @ PROBLEM.initial, abs=1e-12)
    if trajectories == 0:
        alone = nora(PROBLEM, episodes=episodes, eta=eta, delta=delta, bonus=bonus, rng=np.random.default_rng(7))
        for name in alone.values:
            np.testing.assert_array_equal(alone[name], trace[name])


def regret_on_the_lock(seed, trajectories, eta, bonus):
    lock = diabolical_lock(np.random.default_rng(seed), 8, 4)
    data = offline_data(lock, expert(lock, 1 / 8), trajectories, np.random.default_rng(100 + seed))
    run = partial(nora, lock, episodes=30_000, eta=eta, bonus=bonus, offline=data, rng=np.random.default_rng(seed))
    return run().last("regret")


@pytest.mark.parametrize(
    ("trajectories", "eta", "bonus", "known", "within"),
    [
        (0, 1e3, 0.0, 28_500, 1e-3),  # giving up pays 0.05 in each of 30 000 episodes
        (30, 1e3, 0.0, 0.95 * 30, 0.15),  # a uniform episode for each of some 30 critics; 0 without those
        (30, 1.0, 0.0, 0.95 * 30 + 123, 0.3),
    ],
)
def test_known_sizes_on_the_lock(trajectories, eta, bonus, known, within):
    """One run of other code each, on a lock coded otherwise."""
    found = [regret_on_the_lock(seed, trajectories, eta, bonus) for seed in range(6)]
    assert np.mean(found) == pytest.approx(known, rel=within)


@pytest.mark.parametrize(("trajectories", "known"), [(0, 3284), (3000, 2241)])
def test_known_runs_with_bonus_could_be_of_this_code(trajectories, known):
    """One run of other code lies within three standard deviations of one run of this code."""
    found = [regret_on_the_lock(seed, trajectories, 1.0, 0.3) for seed in range(40)]
    assert abs(known - np.mean(found)) < 3 * np.std(found, ddof=1)


def test_data_of_another_process():
    data = offline_data(LOCK, expert(LOCK, 0.5), 10, np.random.default_rng(0))
    for other in (diabolical_lock(np.random.default_rng(1), 8, 4), diabolical_lock(np.random.default_rng(0), 7, 4)):
        with pytest.raises(ValueError, match=r"offline is of diabolical lock.*8 stages; it must be of the process to"):
            nora(other, episodes=10, offline=data, rng=np.random.default_rng(0))


def test_bonuses_of_hybrid_nora():
    """Two stages, one choice: the promise is r + r + b, where b falls with what is known from elsewhere."""
    only = FiniteHorizonMDP.stationary(TabularMDP([[[1.0]]], [[0.25]]), 2)
    data = OfflineData(only, [[[40]], [[0]]])
    log = math.log(2) + math.log(2 * 1 / 0.05)
    trace = nora(only, episodes=1, offline=data, rng=np.random.default_rng(0))
    assert trace.last("value") == pytest.approx(0.5 + math.sqrt(log / 80), rel=1e-12)
    assert trace.last("visits").tolist() == [2]


# Hybrid actor-critic.

BANDIT_DATA = np.array([0.5, 0.25, 0.25, 0.0, 0.0, 0.0])
DISCOUNTED = uneven(3)


def evaluated(mdp, discount, policy):
    """Laws from choice to choice, values of choices, and their discounted probabilities."""
    step = mdp.transition_matrix[:, mdp.state_of_choice] * policy
    values = np.linalg.solve(np.eye(mdp.choices) - discount * step, mdp.rewards)
    start = (1 - discount) * mdp.initial[mdp.state_of_choice] * policy
    return step, values, np.linalg.solve(np.eye(mdp.choices) - discount * step.T, start)


def fitted(mdp, discount, policy, data, weight, features, before):
    """The next critic, by least squares with one row for each choice and kind of error."""
    step, values, visits = evaluated(mdp, discount, policy)
    kinds = (0 * visits, visits) if weight == math.inf else (data, weight * visits)
    roots = np.sqrt(np.concatenate(kinds))[:, None]
    wanted = np.concatenate([mdp.rewards + discount * step @ before, values])[:, None]
    return (features @ np.linalg.lstsq(roots * np.vstack([features, features]), roots * wanted)[0])[:, 0]


@pytest.mark.parametrize("weight", [0.3, 4.0, math.inf])
@pytest.mark.parametrize("linear", [False, True])
def test_critics_are_least_squares(weight, linear):
    policy, data, rng = some_policy(2)[0], np.full(6, 1 / 6), np.random.default_rng(0)
    features = rng.random((6, 3)) if linear else np.eye(6)
    first = features @ rng.random(features.shape[1])
    trace = hybrid_policy_evaluation(
        DISCOUNTED, policy, 0.7, data, weight=weight, sweeps=6, features=features if linear else None, first=first
    )
    np.testing.assert_array_equal(trace["critic"][0], first)
    for before, after in pairwise(trace["critic"]):
        expected = fitted(DISCOUNTED, 0.7, policy, data, weight, features, before)
        np.testing.assert_allclose(after, expected, rtol=0, atol=1e-11)


def test_choices_of_which_nothing_is_known_stay():
    policy = np.array([1.0, 0.0, 1.0, 0.5, 0.5, 0.0])
    first = np.arange(6.0)
    trace = hybrid_policy_evaluation(DISCOUNTED, policy, 0.7, BANDIT_DATA, weight=1.0, sweeps=200, first=first)
    step, values, visits = evaluated(DISCOUNTED, 0.7, policy)
    assert visits[[1, 5]].tolist() == [0, 0]
    assert trace.last("critic")[5] == 5  # in neither
    expected = DISCOUNTED.rewards + 0.7 * step @ values
    np.testing.assert_allclose(trace.last("critic")[:5], expected[:5], rtol=0, atol=1e-12)  # choice 1 is in the data


def restated_actor_critic(mdp, discount, data, iterations, burn_in, kept, weight, step, features, of_policy):
    logits, rows = np.zeros(mdp.choices), []
    for _ in range(iterations + 1):
        weights = np.exp(logits)
        policy = weights / np.add.reduceat(weights, mdp.first_choice[:-1])[mdp.state_of_choice]
        laws, values, visits = evaluated(mdp, discount, policy)
        f, later = np.zeros(mdp.choices), []
        for k in range(burn_in + kept):
            f = fitted(mdp, discount, policy, data, weight, features, f)
            later += [f] if k >= burn_in else []
        f = np.mean(later, axis=0)
        advantages = f - np.add.reduceat(policy * f, mdp.first_choice[:-1])[mdp.state_of_choice]
        losses = data @ (f - mdp.rewards - discount * laws @ f) ** 2, visits @ (f - values) ** 2
        rows.append((policy, f, advantages, visits @ mdp.rewards / (1 - discount), *losses))
        direction = f
        if of_policy is not None:
            means = np.add.reduceat(policy[:, None] * of_policy, mdp.first_choice[:-1])[mdp.state_of_choice]
            roots = np.sqrt(data + weight * visits)
            fit = np.linalg.lstsq((of_policy - means) * roots[:, None], advantages * roots)[0]
            direction = of_policy @ fit
        logits = logits + step * direction
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("of_policy", [None, np.random.default_rng(3).random((6, 2))], ids=["tables", "log-linear"])
@pytest.mark.parametrize("linear", [False, True])
def test_actor_critics_are_the_plain_ones(linear, of_policy):
    data, features = np.full(6, 1 / 6), np.random.default_rng(1).random((6, 3))
    sizes = {"iterations": 25, "burn_in": 3, "kept": 4, "weight": 0.6, "step": 0.8}
    of_critic = {"features": features if linear else None}
    if of_policy is None:
        trace = hybrid_actor_critic(DISCOUNTED, 0.7, data, **sizes, **of_critic)
    else:
        trace = hybrid_natural_gradient(DISCOUNTED, 0.7, data, of_policy, **sizes, **of_critic)
    plain = restated_actor_critic(DISCOUNTED, 0.7, data, *sizes.values(), features if linear else np.eye(6), of_policy)
    policy, critic, _, value, offline, online = (column[trace.times] for column in plain)
    for name, expected in (
        ("critic", critic),
        ("value", value),
        ("offline_loss", offline),
        ("online_loss", online),
        ("earned", np.append(0, np.cumsum(plain[3]))[trace.times]),
        ("advantages", np.vstack([np.zeros(6), np.cumsum(plain[2], axis=0)])[trace.times]),
    ):
        np.testing.assert_allclose(trace[name], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.exp(trace["log_policy"]), policy, rtol=0, atol=1e-10)
    assert not trace["steps"].any()


def test_infinite_weight_is_natural_policy_gradient():
    ours = hybrid_actor_critic(
        DISCOUNTED, 0.7, np.full(6, 1 / 6), iterations=50, burn_in=0, kept=1, weight=math.inf, step=0.5
    )
    known = policy_mirror_descent(DISCOUNTED, 0.7, steps=np.full(51, 0.5))
    np.testing.assert_allclose(ours.last("log_policy"), known["log_policy"][known.times == 50][0], rtol=0, atol=1e-11)


def test_one_feature_for_each_choice_is_a_table():
    sizes = {"iterations": 30, "burn_in": 5, "kept": 5, "step": 0.7}
    table = hybrid_actor_critic(DISCOUNTED, 0.8, np.full(6, 1 / 6), **sizes)
    linear = hybrid_natural_gradient(DISCOUNTED, 0.8, np.full(6, 1 / 6), np.eye(6), features=np.eye(6), **sizes)
    np.testing.assert_allclose(linear["log_policy"], table["log_policy"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("weight", [0.0, 1.0, math.inf])
def test_sampled_critics_are_near_exact_ones(weight):
    """The first critic: its means over 40 sweeps with 2000 samples each err by some 0.01."""
    data, sizes = np.full(6, 1 / 6), {"iterations": 1, "burn_in": 20, "kept": 40, "weight": weight, "step": 1e-9}
    sampled = sampled_hybrid_actor_critic(DISCOUNTED, 0.7, data, samples=2000, rng=np.random.default_rng(0), **sizes)
    exact = hybrid_actor_critic(DISCOUNTED, 0.7, data, **sizes)
    # Sampled rows have weights of samples, and those of finite numbers have a mean near that of exact weights.
    np.testing.assert_allclose(sampled["critic"][0], exact["critic"][0], rtol=0, atol=0.03)
    # Each of the 2 * 60 * 2000 rollouts takes 2 / (1 - discount) - 1 steps in the mean, with a deviation of 3.9.
    assert sampled.last("steps") / (2 * 60 * 2000) == pytest.approx(1 + 2 * 0.7 / 0.3, abs=0.06)


def test_a_short_lock_opens_to_both_and_a_long_one_to_the_hybrid_alone():
    for horizon, policy_gradient_solves in ((3, True), (10, False)):
        lock, discount = diabolical_lock(np.random.default_rng(0), horizon, 3), 1 - 1 / (2 * horizon)
        data = offline_data(lock, expert(lock, 1 / horizon), 1000, np.random.default_rng(1))
        shares = np.append(data.visits.ravel(), 0) / data.visits.sum()
        best = lock.initial @ backward_induction(lock, discount=discount).values[0]
        for weight, solves in ((1.0, True), (math.inf, policy_gradient_solves)):
            trace = sampled_hybrid_actor_critic(
                lock.unrolled(),
                discount,
                shares,
                iterations=40,
                burn_in=horizon,
                kept=5,
                samples=100,
                step=5.0,
                weight=weight,
                rng=np.random.default_rng(2),
            )
            assert bool(trace.last("value") > best / 2) == solves


@pytest.mark.parametrize("problem", [PROBLEM, LOCK, FiniteHorizonMDP.stationary(uneven(0), 3)], ids=str)
def test_an_unrolled_process_has_the_same_values(problem):
    policy = np.tile(uniform_policy(problem.stages[0]), (problem.horizon, 1))
    values = finite_horizon_values(problem, policy, discount=0.9).values
    unrolled = problem.unrolled()
    found = discounted_values(unrolled, np.append(policy.ravel(), 1), 0.9).values
    np.testing.assert_allclose(found, np.append(values[:-1].ravel(), 0), rtol=0, atol=1e-13)
    assert unrolled.initial @ found == pytest.approx(problem.initial @ values[0], abs=1e-14)


@pytest.mark.parametrize(
    ("discount", "weight", "iterations", "sweeps"),
    [(0.99, 1.0, 100, 366), (0.999, 1.0, 100, 5966), (0.5, 1e-3, 10**9, 15), (0.9, 1.0, 1, 1)],
)
def test_burn_in(discount, weight, iterations, sweeps):
    """The least number after which discount^K_1 is at most the error that samples leave; grows with the horizon."""
    assert burn_in_sweeps(discount, weight, iterations) == sweeps
    remains = 128 * (1 + weight) / iterations * (1 - discount) / weight
    assert discount ** (sweeps - 1) <= remains or sweeps == 1
    assert burn_in_sweeps(discount, weight, iterations, bellman_error=1e9) == 1


CRITIC = {"weight": 1.0, "sweeps": 3}
ACTOR = {"iterations": 3, "burn_in": 1, "kept": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.full(5, 0.2)}, "data has 5 entries; it must have one for each of 6 choices"),
        ({"data": np.full(6, 0.2)}, "data sum to 1.2; they must be probabilities"),
        ({"data": np.array([-0.5, 0.5, 0.5, 0.5, 0, 0])}, "they must be probabilities >= 0"),
        ({"weight": -0.5}, "weight is -0.5; it must be >= 0, or inf"),
        ({"weight": math.nan}, "weight is nan; it must be >= 0, or inf"),
        ({"features": np.ones((5, 2))}, "features has 5 rows; it must have one for each of 6 choices"),
        ({"discount": 1.0}, "discount is 1; it must be < 1"),
    ],
)
def test_bad_critics_and_actors(change, message):
    arguments = {"discount": 0.5, "data": np.full(6, 1 / 6), **change}
    with pytest.raises(ValueError, match=message):
        hybrid_policy_evaluation(DISCOUNTED, some_policy(0)[0], **{**CRITIC, **arguments})
    with pytest.raises(ValueError, match=message):
        hybrid_actor_critic(DISCOUNTED, **{**ACTOR, **arguments})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": 0}, "iterations is 0; it must be >= 1"),
        ({"kept": 0}, "kept is 0; it must be >= 1"),
        ({"burn_in": -1}, "burn_in is -1; it must be >= 0"),
        ({"step": 0.0}, "step is 0.0; it must be finite and > 0"),
        ({"samples": 0}, "samples is 0; it must be >= 1"),
    ],
)
def test_bad_sizes(change, message):
    arguments = {"samples": 5, "rng": np.random.default_rng(0), **ACTOR, **change}
    with pytest.raises(ValueError, match=message):
        sampled_hybrid_actor_critic(DISCOUNTED, 0.5, np.full(6, 1 / 6), **arguments)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="first has 2 entries"):
        hybrid_policy_evaluation(DISCOUNTED, some_policy(0)[0], 0.5, np.full(6, 1 / 6), **CRITIC, first=[1, 2])
    with pytest.raises(ValueError, match="policy_features has 2 rows"):
        hybrid_natural_gradient(DISCOUNTED, 0.5, np.full(6, 1 / 6), np.ones((2, 1)), **ACTOR)
    for discount, weight, message in ((1.0, 1.0, "discount is 1.0; it must be < 1"), (0.5, 0.0, "weight is 0.0")):
        with pytest.raises(ValueError, match=message):
            burn_in_sweeps(discount, weight, 10)
