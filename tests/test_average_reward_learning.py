"""Posterior sampling, Q-learning, mirror descent, PMEVI-DT and LSCVI-UCB: plain restatements, identities, bad input."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.optimize import brentq, linprog
from xarray import DataArray

from rltheory.algorithms import (
    average_reward_learners,
    loop,
    lscvi_ucb,
    mdp_oomd,
    optimistic_q_learning,
    pmevi_dt,
    tsde,
    ucrl2,
)
from rltheory.algorithms.average_reward.pmevi import CommutingWalk
from rltheory.algorithms.average_reward.tsde import dirichlet_rows
from rltheory.instances import hidden_action, random_ergodic_mdp, random_linear_mdp, river_swim
from rltheory.measures import pseudo_regret
from rltheory.plots import bands
from rltheory.problems import LinearMDP, TabularMDP
from rltheory.simulation import Workers, replicates
from rltheory.solvers import (
    Plausible,
    average_policy_iteration,
    extended_value_iteration,
    relative_value_iteration,
    tightest_differences,
)
from tests.draws import drawn

LEARNERS = {
    "TSDE": tsde,
    "optimistic Q-learning": lambda mdp, **options: optimistic_q_learning(mdp, span=4.0, **options),
    "MDP-OOMD": lambda mdp, **options: mdp_oomd(mdp, window=4, length=20, rate=0.1, **options),
    "PMEVI-DT": pmevi_dt,
    "LSCVI-UCB": lambda mdp, **options: lscvi_ucb(LinearMDP.from_tabular(mdp), span=4.0, **options),
}


def counted(history, trace):
    """Compare the recorded visits and states with a history of states, choices and next states."""
    for place, time in enumerate(trace.times):
        made = np.bincount([choice for _, choice, _ in history[:time]], minlength=trace["visits"].shape[1])
        np.testing.assert_array_equal(trace["visits"][place], made)
        assert trace["state"][place] == (history[time - 1][2] if time else history[0][0])


def q_learning_restated(mdp, horizon, span, delta, bonus, rng):
    """The algorithm of the paper, one step after the other."""
    states, actions = mdp.states, mdp.choices // mdp.states
    state = int(rng.choice(states, p=mdp.initial))
    pairs = states * actions
    lookahead = min(np.sqrt(span * horizon / pairs), (horizon / (pairs * np.log(4 * horizon / delta))) ** (1 / 3))
    lookahead = max(lookahead, 2)
    q = np.full((states, actions), lookahead)
    q_hat, v_hat, n = q.copy(), np.full(states, lookahead), np.zeros((states, actions))
    rewards, history = mdp.rewards.reshape(states, actions), []
    for _ in range(horizon):
        action = int(np.argmax(q_hat[state]))
        following = drawn(mdp, state * actions + action, rng)
        n[state, action] += 1
        tau = n[state, action]
        alpha = (lookahead + 1) / (lookahead + tau)
        extra = bonus * 4 * span * np.sqrt(lookahead / tau * np.log(2 * horizon / delta))
        target = rewards[state, action] + (1 - 1 / lookahead) * v_hat[following] + extra
        q[state, action] = (1 - alpha) * q[state, action] + alpha * target
        q_hat[state, action] = min(q_hat[state, action], q[state, action])
        v_hat[state] = q_hat[state].max()
        history.append((state, state * actions + action, following))
        state = following
    return history


@pytest.mark.parametrize("bonus", [1.0, 0.01])
@pytest.mark.parametrize("mdp", [river_swim(4), random_ergodic_mdp(np.random.default_rng(1), 3, 3)], ids=str)
def test_q_learning_is_the_algorithm_of_the_paper(mdp, bonus):
    history = q_learning_restated(mdp, 4000, 3.5, 0.1, bonus, np.random.default_rng(2))
    options = {"horizon": 4000, "span": 3.5, "delta": 0.1, "bonus": bonus}
    counted(history, optimistic_q_learning(mdp, rng=np.random.default_rng(2), **options))


def oomd_restated(mdp, horizon, window, length, rate, rng):
    """The algorithm of the paper; the mirror step by a root of the sum of the probabilities."""
    states, actions = mdp.states, mdp.choices // mdp.states
    state = int(rng.choice(states, p=mdp.initial))
    policy = np.full((states, actions), 1 / actions)
    prime, history = policy.copy(), []

    def ascend(anchor, beta):
        def weights(shift):
            return 1 / (1 / anchor - rate * beta + shift)

        low = (rate * beta - 1 / anchor).max()
        return weights(brentq(lambda shift: weights(shift).sum() - 1, low + 1, low + actions, xtol=1e-14))

    while len(history) < horizon:
        episode = []
        while len(episode) < length and len(history) < horizon:
            sums = np.cumsum(policy[state])[:-1]
            action = int(np.searchsorted(sums, rng.random(), side="right"))
            following = drawn(mdp, state * actions + action, rng)
            episode.append((state, action))
            history.append((state, state * actions + action, following))
            state = following
        if len(history) == horizon:
            break
        pays = [mdp.rewards[s * actions + a] for s, a in episode]
        beta = np.zeros((states, actions))
        for s in range(states):
            found, tau = [], 0
            while tau + window <= length:
                if episode[tau][0] == s:
                    estimate = np.zeros(actions)
                    estimate[episode[tau][1]] = sum(pays[tau : tau + window]) / policy[s, episode[tau][1]]
                    found.append(estimate)
                    tau += 2 * window
                else:
                    tau += 1
            beta[s] = np.mean(found, axis=0) if found else 0
            prime[s] = ascend(prime[s], beta[s])
            policy[s] = ascend(prime[s], beta[s])
    return history


@pytest.mark.parametrize(("window", "length", "rate"), [(3, 20, 0.2), (1, 1, 0.5), (7, 7, 1.0)])
def test_oomd_is_the_algorithm_of_the_paper(window, length, rate):
    mdp = random_ergodic_mdp(np.random.default_rng(4), 3, 3)
    history = oomd_restated(mdp, 1500, window, length, rate, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    trace = mdp_oomd(mdp, horizon=1500, window=window, length=length, rate=rate, rng=rng)
    counted(history, trace)
    np.testing.assert_array_equal(trace["epochs"][1:], -(-trace.times[1:] // length))


def test_tsde_is_the_algorithm_of_the_paper():
    mdp, rng = river_swim(4), np.random.default_rng(5)
    state = int(rng.choice(mdp.states, p=mdp.initial))
    counts, history, starts, values, length = np.zeros((mdp.choices, mdp.states)), [], [], None, 0
    while len(history) < 2000:
        starts.append(len(history))
        laws = dirichlet_rows(0.5 + counts, rng)
        sample = TabularMDP.from_rows(mdp.first_choice, laws, mdp.rewards)
        best = Plausible(mdp.first_choice, mdp.rewards, laws, np.zeros(mdp.choices), "bonus")
        plan = extended_value_iteration(best, precision=1 / np.sqrt(max(len(history), 1)), start=values)
        assert plan.gain <= relative_value_iteration(sample).upper + 1e-9
        values, before, new = plan.values, counts.sum(axis=1), np.zeros(mdp.choices)
        for _ in range(min(length + 1, 2000 - len(history))):
            choice = plan.policy[state]
            if new[choice] == max(before[choice], 1):
                break
            following = drawn(mdp, choice, rng)
            history.append((state, choice, following))
            new[choice] += 1
            counts[choice, following] += 1
            state = following
        length = len(history) - starts[-1]
    trace = tsde(mdp, horizon=2000, prior=0.5, rng=np.random.default_rng(5))
    counted(history, trace)
    assert trace.last("epochs") == len(starts)


def test_dirichlet_rows_have_the_moments_of_their_distribution():
    parameters = np.array([0.3, 1.0, 4.0])
    rows = dirichlet_rows(np.tile(parameters, (40_000, 1)), np.random.default_rng(0))
    mean = parameters / parameters.sum()
    variance = mean * (1 - mean) / (parameters.sum() + 1)
    # Five standard errors of the mean; those of the variance are below the same multiple of 1 / sqrt(runs).
    np.testing.assert_allclose(rows.mean(axis=0), mean, rtol=0, atol=5 * np.sqrt(variance.max() / len(rows)))
    np.testing.assert_allclose(rows.var(axis=0), variance, rtol=0, atol=5 / np.sqrt(len(rows)) * variance.max())
    tiny = dirichlet_rows(np.full((100, 4), 1e-6), np.random.default_rng(0))
    np.testing.assert_allclose(tiny.sum(axis=1), 1, atol=1e-12)
    assert (tiny.max(axis=1) > 0.999).all()


def linear_prediction(counts, features):
    """Regression on the features, from the sums of the paper."""
    gram = np.eye(features.shape[1]) + sum(row.sum() * np.outer(f, f) for row, f in zip(counts, features, strict=True))
    return gram, lambda targets: features @ np.linalg.solve(gram, features.T @ (counts @ targets))


def lscvi_restated(linear, horizon, span, delta, bonus, rng):
    """The algorithm of the paper: all steps that are left are planned, and the determinant is computed anew."""
    mdp, features = linear.tabular, linear.features.reshape(-1, linear.dimension)
    state = int(rng.choice(mdp.states, p=mdp.initial))
    counts, history, epochs = np.zeros((mdp.choices, mdp.states)), [], 0
    gamma = 1 - 1 / np.sqrt(horizon + 1)
    beta = bonus * span * linear.dimension * np.sqrt(np.log(linear.dimension * horizon / delta))
    while len(history) < horizon:
        epochs += 1
        gram, predict = linear_prediction(counts, features)
        widths = beta * np.sqrt([f @ np.linalg.solve(gram, f) for f in features])
        values, plans = np.full(mdp.states, 1 / (1 - gamma)), []
        for _ in range(horizon - len(history)):
            q = mdp.rewards + gamma * (predict(values - values.min()) + values.min() + widths)
            q = np.minimum(q, 1 / (1 - gamma)).reshape(mdp.states, -1)
            plans.append(q.argmax(axis=1) + mdp.first_choice[:-1])
            values = np.minimum(q.max(axis=1), q.max(axis=1).min() + 2 * span)
        first = np.linalg.slogdet(gram)[1]
        while len(history) < horizon and np.linalg.slogdet(linear_prediction(counts, features)[0])[1] <= first + np.log(
            2
        ):
            choice = int(plans[horizon - len(history) - 1][state])
            following = drawn(mdp, choice, rng)
            counts[choice, following] += 1
            history.append((state, choice, following))
            state = following
    return history, epochs


RANDOM_LINEAR, ONE_HOT_RIVER = (
    random_linear_mdp(np.random.default_rng(0), 5, 3, 3),
    LinearMDP.from_tabular(river_swim(3)),
)


# The second span is small enough to bind. On the river it would make ties, which rounding decides.
@pytest.mark.parametrize(
    ("linear", "span", "bonus"),
    [(RANDOM_LINEAR, 2.5, 0.01), (RANDOM_LINEAR, 0.05, 0.1), (ONE_HOT_RIVER, 2.5, 0.01)],
    ids=str,
)
def test_lscvi_is_the_algorithm_of_the_paper(linear, span, bonus):
    options = {"horizon": 300, "span": span, "delta": 0.1, "bonus": bonus}
    history, epochs = lscvi_restated(linear, rng=np.random.default_rng(1), **options)
    trace = lscvi_ucb(linear, rng=np.random.default_rng(1), **options)
    counted(history, trace)
    assert trace.last("epochs") == epochs


def test_indicators_of_choices_make_a_tabular_process_linear():
    mdp = river_swim(4)
    assert LinearMDP.from_tabular(mdp).tabular.digest != ""
    np.testing.assert_array_equal(LinearMDP.from_tabular(mdp).tabular.transition_matrix, mdp.transition_matrix)
    uneven = TabularMDP(np.ones((2, 2, 2)) / 2, np.zeros((2, 2)), allowed=[[True, True], [True, False]])
    with pytest.raises(ValueError, match="state 1 has 1 choices and state 0 has 2"):
        LinearMDP.from_tabular(uneven)


# PMEVI-DT: commutes, projection, mitigation


def ways_restated(path, rewards, states):
    """For each pair (from, to): the ways that came to their end, their steps and rewards, from a path of states."""
    ways = {}
    for here, there in product(range(states), repeat=2):
        if here == there:
            continue
        number, steps, earned, began = 0, 0, 0.0, None
        # The way begins at the first visit after the end of the one before it.
        for time, state in enumerate(path):
            if began is None and state == here:
                began = time
            elif began is not None and state == there:
                number, steps, earned = number + 1, steps + time - began, earned + sum(rewards[began:time])
                began = None
        ways[here, there] = number, steps, earned
    return ways


def test_commutes_are_those_of_the_path():
    mdp = random_ergodic_mdp(np.random.default_rng(2), 4, 2)
    plan, horizon = relative_value_iteration(mdp), 400
    walk = CommutingWalk(mdp, horizon, np.random.default_rng(6))
    while walk.time < horizon:
        walk.follow(plan)
    rng = np.random.default_rng(6)
    path, rewards = [int(rng.choice(mdp.states, p=mdp.initial))], []
    for _ in range(horizon):
        choice = plan.policy[path[-1]]
        rewards.append(mdp.rewards[choice])
        path.append(drawn(mdp, choice, rng))
    for (here, there), (number, steps, earned) in ways_restated(path, rewards, mdp.states).items():
        assert walk.commutes.completed[there, here] == number > 0
        assert walk.commutes.durations[there, here] == steps
        assert walk.commutes.earned[there, here] == pytest.approx(earned, abs=1e-9)
    assert walk.earned == pytest.approx(sum(rewards), abs=1e-9)


def test_differences_of_the_bias_are_exact_without_noise():
    """On a cycle the average reward after whole rounds is the gain, and what is earned on a way the difference."""
    ring = TabularMDP(np.roll(np.eye(4), 1, axis=1)[:, None], [[1.0], [0.0], [0.25], [0.0]], initial=[1, 0, 0, 0])
    best = average_policy_iteration(ring)
    walk = CommutingWalk(ring, 400, np.random.default_rng(0))
    while walk.time < 400:
        walk.follow(relative_value_iteration(ring))
    estimates, errors = walk.bias_differences(2.0, 0.1)
    np.testing.assert_allclose(estimates, best.bias[:, None] - best.bias, atol=1e-9)
    commutes = walk.commutes.completed[0, 1] + walk.commutes.completed[1, 0]
    excess = max(walk.promised - 400 * best.gain[0], 0.0)
    assert errors[0, 1] == pytest.approx((6 + 3 * np.sqrt(8 * 400 * np.log(20)) + 2 * excess) / commutes)


def test_errors_of_the_differences_of_the_bias_are_bounded():
    mdp = river_swim(4)
    best = average_policy_iteration(mdp)
    true = best.bias[:, None] - best.bias
    for seed in range(5):
        walk = CommutingWalk(mdp, 50_000, np.random.default_rng(seed))
        while walk.time < walk.horizon:
            walk.follow(relative_value_iteration(mdp))
        estimates, errors = walk.bias_differences(50_000**0.2, 0.05)
        assert (np.abs(estimates - true) <= errors).all()
        frequent = walk.commutes.completed > 1000
        assert frequent.any()
        assert np.abs(estimates - true)[frequent].max() < 0.3


def pmevi_restated(mdp, horizon, delta, bonus, rng):
    """The loop of the paper, with formulas on single numbers; only the planner is the package's."""
    states, choices, cap = mdp.states, mdp.choices, horizon**0.2
    ell = np.log(choices * horizon / delta)
    path, history, planned, promised, values = [int(rng.choice(states, p=mdp.initial))], [], [], [], None
    seen = np.zeros((choices, states))
    while len(history) < horizon:
        t = len(history)
        n = seen.sum(axis=1)
        laws = np.array([row / row.sum() if row.any() else np.full(states, 1 / states) for row in seen])
        earned = [mdp.rewards[choice] for _, choice, _ in history]
        average, excess_promised = sum(earned) / max(t, 1), max(sum(promised) - sum(earned), 0)
        ways = ways_restated(path, earned, states)
        error, estimate = np.full((states, states), np.inf), np.zeros((states, states))
        for s, x in product(range(states), repeat=2):
            if s == x:
                error[s, x] = 0
                continue
            (there, out_steps, out), (back, in_steps, home) = ways[s, x], ways[x, s]
            if there + back:
                estimate[s, x] = ((out - average * out_steps) - (home - average * in_steps)) / (there + back)
                noise = (1 + cap) * np.sqrt(8 * t * np.log(2 / delta))
                error[s, x] = (3 * cap + noise + 2 * excess_promised) / (there + back)
        bounds = np.where(np.eye(states) > 0, 0.0, np.minimum(cap, estimate + error))
        closed = tightest_differences(bounds)
        h = np.array([min(estimate[x, 0] + closed[s, x] for x in range(states)) for s in range(states)])
        beta, radii = np.full(choices, np.inf), np.zeros((choices, states))
        for c in range(choices):
            p, s, floor = laws[c], mdp.state_of_choice[c], max(n[c], 1)
            log = np.log(6 * choices * floor / delta)
            radii[c] = bonus * (2 * np.sqrt(p * (1 - p) * log / floor) + 6 * log / floor)
            if n[c]:
                spread = p @ (h - p @ h) ** 2 + 8 * cap * sum(p[x] * min(error[x, s], cap) for x in range(states))
                beta[c] = bonus * (np.sqrt(2 * spread * ell / n[c]) + 3 * cap * ell / n[c])
        planned.append((closed, beta, radii))
        sets = Plausible(mdp.first_choice, mdp.rewards, laws, radii, "box", excess=beta)
        precision = np.sqrt(np.log(max(t, 2)) / max(t, 2))
        plan = extended_value_iteration(sets, differences=bounds, precision=precision, start=values)
        values, new = plan.values, np.zeros(choices)
        while len(history) < horizon and new[plan.policy[path[-1]]] < max(n[plan.policy[path[-1]]], 1):
            choice = plan.policy[path[-1]]
            following = drawn(mdp, choice, rng)
            history.append((path[-1], choice, following))
            promised.append(plan.gain)
            new[choice] += 1
            seen[choice, following] += 1
            path.append(following)
    return history, planned


def test_pmevi_is_the_loop_of_the_paper(monkeypatch):
    mdp, planned = river_swim(3), []

    def planner(plausible, *, differences, precision, start):
        planned.append((tightest_differences(differences), plausible.excess, plausible.radii))
        return extended_value_iteration(plausible, differences=differences, precision=precision, start=start)

    monkeypatch.setattr("rltheory.algorithms.average_reward.pmevi.extended_value_iteration", planner)
    history, expected = pmevi_restated(mdp, 2000, 0.1, 0.05, np.random.default_rng(3))
    trace = pmevi_dt(mdp, horizon=2000, delta=0.1, bonus=0.05, known_rewards=True, rng=np.random.default_rng(3))
    counted(history, trace)
    assert trace.last("epochs") == len(planned) == len(expected)
    # So few steps leave differences and excesses too large to matter; but they must be handed to the planner.
    for ours, theirs in zip(planned, expected, strict=True):
        for array, restated in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(array, restated, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("form", ["l1", "box", "kl", "bonus"])
def test_equal_bounds_on_all_differences_are_a_bound_on_the_span(form):
    mdp, rng = river_swim(5), np.random.default_rng(0)
    radii = rng.uniform(0, 0.3, (mdp.choices, mdp.states) if form == "box" else mdp.choices)
    sets = Plausible(mdp.first_choice, mdp.rewards, mdp.transition_matrix, radii, form)
    for span in (0.3, 1.5, 6.0):
        one = extended_value_iteration(sets, span=span, precision=1e-9)
        other = extended_value_iteration(sets, differences=np.full((5, 5), span), precision=1e-9)
        assert one.gain == pytest.approx(other.gain, abs=1e-8)
        np.testing.assert_allclose(one.values, other.values, atol=1e-6)


def largest_gain(mdp, policy, bounds, differences):
    """Largest J of all J, u with u + J <= r + p u + bound for a policy and the differences, by a linear program."""
    states = mdp.states
    rows, limits = [], []
    for state, choice in enumerate(policy):
        rows.append(np.append(np.eye(states)[state] - mdp.transition_matrix[choice], 1.0))
        limits.append(mdp.rewards[choice] + bounds[choice])
    for s, t in product(range(states), repeat=2):
        rows.append(np.append(np.eye(states)[s] - np.eye(states)[t], 0.0))
        limits.append(differences[s, t] if s != t else 0.0)
    found = linprog([*np.zeros(states), -1.0], rows, limits, bounds=(None, None), method="highs")
    return -found.fun


@pytest.mark.parametrize("seed", range(6))
def test_projected_and_mitigated_gain_is_the_largest_of_linear_programs(seed):
    rng = np.random.default_rng(seed)
    mdp = random_ergodic_mdp(rng, 3, 2)
    radii, excess = rng.uniform(0, 1, mdp.choices), rng.uniform(0, 1, mdp.choices)
    excess[rng.random(mdp.choices) < 0.3] = np.inf
    differences = rng.uniform(-0.2, 1.0, (3, 3))
    differences = np.maximum(differences, 0.05 - differences.T)  # no contradiction between two states
    differences[0, 1] += 0.5
    sets = Plausible(mdp.first_choice, mdp.rewards, mdp.transition_matrix, radii, "bonus", excess=excess)
    policies = product(*(range(first, first + 2) for first in mdp.first_choice[:-1]))
    best = max(largest_gain(mdp, policy, np.minimum(radii, excess), differences) for policy in policies)
    plan = extended_value_iteration(sets, differences=differences, precision=1e-9)
    assert plan.gain - 1e-8 <= best <= plan.upper + 1e-8
    below = plan.values[:, None] - plan.values
    assert (below <= tightest_differences(differences) + 1e-9).all()


@pytest.mark.parametrize("form", ["l1", "box", "kl"])
def test_without_excess_the_best_estimated_process_is_left(form):
    mdp = river_swim(4)
    radii = np.full((mdp.choices, mdp.states) if form == "box" else mdp.choices, 0.2)
    sets = Plausible(mdp.first_choice, mdp.rewards, mdp.transition_matrix, radii, form, excess=np.zeros(mdp.choices))
    plan = extended_value_iteration(sets, precision=1e-9)
    assert plan.gain == pytest.approx(relative_value_iteration(mdp).gain, abs=1e-6)


def test_tightest_differences_are_the_largest_that_functions_attain():
    rng = np.random.default_rng(0)
    bounds = rng.uniform(0.0, 2.0, (5, 5))
    tight = tightest_differences(bounds)
    rows = [np.eye(5)[s] - np.eye(5)[t] for s, t in product(range(5), repeat=2) if s != t]
    limits = [bounds[s, t] for s, t in product(range(5), repeat=2) if s != t]
    for s, t in product(range(5), repeat=2):
        found = linprog(np.eye(5)[t] - np.eye(5)[s], rows, limits, bounds=(None, None), method="highs")
        assert tight[s, t] == pytest.approx(-found.fun, abs=1e-9)


def test_wrong_differences_and_excesses_are_named():
    with pytest.raises(ValueError, match="they put state 1 below itself"):
        tightest_differences([[0.0, -2.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"bounds has shape \(1, 2\); it must be square"):
        tightest_differences([[0.0, 1.0]])
    sets = Plausible([0, 1, 2], [0.0, 1.0], np.eye(2), [0.1, 0.1], "l1")
    with pytest.raises(ValueError, match=r"differences has shape \(3, 3\); it must be \(2, 2\)"):
        extended_value_iteration(sets, differences=np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"excess is \[ 1. -1.\]; it must hold a number >= 0 for each of 2 choices"):
        Plausible([0, 1, 2], [0.0, 1.0], np.eye(2), [0.1, 0.1], "l1", excess=[1.0, -1.0])


# All learners


@pytest.mark.parametrize("name", LEARNERS)
def test_runs_are_deterministic_and_count_every_step(name):
    mdp = random_ergodic_mdp(np.random.default_rng(0), 4, 3)
    trace, again = (LEARNERS[name](mdp, horizon=3000, rng=np.random.default_rng(7)) for _ in range(2))
    assert trace.algorithm == name
    assert trace.clock == "step"
    np.testing.assert_array_equal(trace["visits"].sum(axis=1), trace.times)
    assert (np.diff(trace["visits"], axis=0) >= 0).all()
    assert (np.diff(trace["epochs"]) >= 0).all()
    for quantity in ("visits", "state", "epochs"):
        np.testing.assert_array_equal(trace[quantity], again[quantity])
    other = LEARNERS[name](mdp, horizon=3000, rng=np.random.default_rng(8))
    assert not np.array_equal(trace["visits"], other["visits"])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("TSDE", {}),
        ("optimistic Q-learning", {"bonus": 0.005}),
        ("MDP-OOMD", {}),
        ("PMEVI-DT", {"bonus": 0.2, "known_rewards": True}),
        ("LSCVI-UCB", {"bonus": 0.02}),
    ],
)
def test_learners_learn(name, options):
    mdp, horizon = hidden_action(3, advantage=0.4), 60_000
    trace = LEARNERS[name](mdp, horizon=horizon, rng=np.random.default_rng(1), **options)
    late = np.diff(pseudo_regret(mdp, trace["visits"][[-20, -1]])) / np.diff(trace.times[[-20, -1]])
    uniform = pseudo_regret(mdp, np.ones(mdp.choices)) / mdp.choices
    assert late < uniform / 4


def test_theory_makes_the_bonus_of_q_learning_larger_than_all_values():
    """With the theorem's constant nothing is learnt in 10^5 steps, as the bonus exceeds the horizon until then."""
    trace = optimistic_q_learning(river_swim(), horizon=100_000, span=6.4, rng=np.random.default_rng(0))
    regret = pseudo_regret(river_swim(), trace["visits"])
    assert regret[-1] > 0.9 * trace.times[-1] * average_policy_iteration(river_swim()).gain[0]


@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_has_a_step(name):
    with pytest.raises(ValueError, match="horizon is 0; it must be >= 1"):
        LEARNERS[name](river_swim(3), horizon=0, rng=np.random.default_rng(0))
    assert LEARNERS[name](river_swim(3), horizon=1, rng=np.random.default_rng(0)).last("visits").sum() == 1


@pytest.mark.parametrize("name", ["optimistic Q-learning", "PMEVI-DT", "LSCVI-UCB"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bonus": 0.0}, "bonus is 0.0; it must be finite and > 0"),
        ({"delta": 1.0}, r"delta is 1.0; it must lie in \(0, 1\)"),
        ({"delta": 0.0}, "delta is 0.0; it must be finite and > 0"),
    ],
)
def test_wrong_confidence_is_named(name, change, message):
    with pytest.raises(ValueError, match=message):
        LEARNERS[name](river_swim(3), horizon=10, rng=np.random.default_rng(0), **change)


@pytest.mark.parametrize("name", ["optimistic Q-learning", "MDP-OOMD", "PMEVI-DT", "LSCVI-UCB"])
def test_rewards_must_lie_in_the_unit_interval(name):
    negative = TabularMDP([[[1.0], [1.0]]], [[0.5, -0.25]])
    with pytest.raises(ValueError, match=r"choice 1, in state 0, is -0.25; .* rewards in \[0, 1\]"):
        LEARNERS[name](negative, horizon=10, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda o: optimistic_q_learning(river_swim(3), span=0.0, **o), "span is 0.0; it must be finite and > 0"),
        (lambda o: lscvi_ucb(LinearMDP.from_tabular(river_swim(3)), span=-1.0, **o), "span is -1.0"),
        (lambda o: tsde(river_swim(3), prior=0.0, **o), "prior is 0.0; it must be finite and > 0"),
        (lambda o: mdp_oomd(river_swim(3), window=5, length=4, rate=1.0, **o), "length is 4 and window 5"),
        (lambda o: mdp_oomd(river_swim(3), window=0, length=4, rate=1.0, **o), "window is 0; it must be >= 1"),
        (lambda o: mdp_oomd(river_swim(3), window=2, length=4, rate=0.0, **o), "rate is 0.0"),
    ],
)
def test_wrong_parameters_are_named(run, message):
    with pytest.raises(ValueError, match=message):
        run({"horizon": 10, "rng": np.random.default_rng(0)})


# Races of many runs


@pytest.mark.parametrize("bonus", [1.0, 0.5])
def test_everybody_is_ready_to_run(bonus):
    runs = average_reward_learners(river_swim(3), horizon=100, span=2.2, delta=0.1, bonus=bonus)
    assert len(runs) == 10
    for name, run in runs.items():
        trace = run(np.random.default_rng(0))
        assert trace.algorithm == name
        assert trace.last("visits").sum() == 100
    optimist = next(run for name, run in runs.items() if name.startswith("LOOP"))(np.random.default_rng(0))
    direct = loop(river_swim(3), horizon=100, span=2.2, delta=0.1, bonus=bonus, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(optimist["gain"], direct["gain"])
    cautious = next(iter(runs.values()))(np.random.default_rng(0))
    known = ucrl2(river_swim(3), horizon=100, delta=0.1, bonus=bonus, known_rewards=True, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(cautious["visits"], known["visits"])
    uneven = TabularMDP(np.ones((2, 2, 2)) / 2, np.zeros((2, 2)), allowed=[[True, True], [True, False]])
    assert len(average_reward_learners(uneven, horizon=100, span=2.2)) == 9


def river_runs(names):
    river, options = river_swim(3), {"horizon": 200}
    runs = {
        "TSDE": lambda rng: tsde(river, rng=rng, **options),
        "UCRL2": lambda rng: ucrl2(river, rng=rng, **options),
        "Q-learning": lambda rng: optimistic_q_learning(river, span=2.2, rng=rng, **options),
    }
    return {name: runs[name] for name in names}


def test_replicates_depend_on_nothing_but_their_address():
    together = replicates(river_runs(["TSDE", "UCRL2", "Q-learning"]), 4)
    assert together["visits"].dims == ("algorithm", "replicate", "time", "choice")
    assert set(together) == {"visits", "state", "epochs"}  # what Q-learning has, too
    with Workers(1) as workers:
        alone = replicates(river_runs(["UCRL2"]), 3, workers=workers)
    assert "gain" in alone
    shared = together["visits"].sel(algorithm=["UCRL2"], replicate=[0, 1, 2])
    np.testing.assert_array_equal(shared, alone["visits"])
    np.testing.assert_array_equal(
        together["visits"].sum("choice"), np.broadcast_to(together["time"], (3, 4, len(together["time"])))
    )
    twins = replicates({"one": river_runs(["TSDE"])["TSDE"], "other": river_runs(["TSDE"])["TSDE"]}, 3)
    assert not np.array_equal(twins["state"][0], twins["state"][1])
    other = replicates(river_runs(["UCRL2"]), 3, root=1)
    assert not np.array_equal(alone["state"], other["state"])


def test_replicates_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="nothing to run"):
        replicates({}, 3)
    with pytest.raises(ValueError, match="number is 0; it must be >= 1"):
        replicates(river_runs(["TSDE"]), 0)
    longer = {"longer": lambda rng: tsde(river_swim(3), horizon=300, rng=rng)}
    with pytest.raises(ValueError, match="longer and TSDE recorded other times"):
        replicates(river_runs(["TSDE"]) | longer, 2)


@pytest.fixture
def curves():
    values = np.arange(1.0, 61.0).reshape(2, 3, 10)
    names = {"algorithm": ["low", "high"], "time": ("time", np.arange(10), {"long_name": "step"})}
    return DataArray(values, names, ("algorithm", "replicate", "time"))


def test_bands_hold_means_and_quantiles(curves):
    stated = np.linspace(80, 90, 10)
    ax = bands(curves, quantity="regret", coverage=0.5, references={"bound": stated}, slopes=[0.5])
    lines = {line.get_label(): line for line in ax.get_lines()}
    np.testing.assert_array_equal(lines["high"].get_xdata(), np.arange(1, 10))  # time 0 has no logarithm
    np.testing.assert_allclose(lines["high"].get_ydata(), curves.sel(algorithm="high").mean("replicate")[1:])
    np.testing.assert_array_equal(lines["bound"].get_ydata(), stated[1:])
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    quarter, three_quarters = np.quantile(curves.sel(algorithm="low")[:, 1:], [0.25, 0.75], axis=0)
    assert {*quarter.round(9), *three_quarters.round(9)} <= {*heights.round(9)}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["bound", "high", "low"]
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_xlabel()) == ("log", "log", "step")
    guide = next(line for line in ax.get_lines() if line.get_linestyle() == "-.")
    rise = np.diff(np.log(guide.get_ydata())) / np.diff(np.log(guide.get_xdata()))
    np.testing.assert_allclose(rise, 0.5)
    plt.close("all")


def test_bands_on_linear_axes_keep_what_is_not_positive(curves):
    ax = bands(curves - 30, quantity="regret", log_quantity=False, log_time=False)
    assert ax.get_lines()[0].get_ydata().min() < 0
    assert ax.get_lines()[0].get_xdata()[0] == 0
    plt.close("all")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coverage": 0.0}, r"coverage is 0.0; it must lie in \(0, 1\]"),
        ({"slopes": [0.5], "log_time": False}, "slopes are straight on logarithmic axes only"),
    ],
)
def test_wrong_arguments_of_bands_are_named(curves, change, message):
    with pytest.raises(ValueError, match=message):
        bands(curves, quantity="regret", **change)
    with pytest.raises(ValueError, match="curves has dimensions"):
        bands(curves[0], quantity="regret")
