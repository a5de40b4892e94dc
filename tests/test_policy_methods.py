"""Methods that know the process, against plain restatements, other definitions of their steps, and each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import rltheory as rl
from rltheory.algorithms.discounted.mdpo import Penalty
from rltheory.algorithms.discounted.policy_mirror_descent import project
from rltheory.instances import garnet, inventory, river_swim
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.solvers import discounted_occupancy, discounted_values, fisher_information, policy_gradient
from rltheory.strategies import discounts, mdps, stationary_policies

# Values of at most some hundred, good to some eps of them; policies move by the step times their error.
SAME = 1e-10
FEW = 8


def states_of(mdp):
    return [slice(*bounds) for bounds in zip(mdp.first_choice[:-1], mdp.first_choice[1:], strict=True)]


def softmax_by_state(mdp, logits):
    policy = np.empty(mdp.choices)
    for state in states_of(mdp):
        policy[state] = np.exp(logits[state] - logits[state].max())
        policy[state] /= policy[state].sum()
    return policy


def nearest(point):
    """Projection on the simplex by its fixed point: the mass above a level, found by bisection, is 1."""
    low, high = point.min() - 1, point.max()
    for _ in range(200):
        level = (low + high) / 2
        low, high = (level, high) if np.maximum(point - level, 0).sum() > 1 else (low, level)
    return np.clip(point - low, 0, 1)


@st.composite
def cases(draw):
    mdp = draw(mdps())
    return mdp, draw(discounts(0.9)), draw(stationary_policies(mdp))


@given(case=cases(), steps=st.lists(st.floats(0.01, 10), min_size=1, max_size=FEW))
def test_entropy_steps(case, steps):
    mdp, discount, policy = case
    trace = rl.policy_mirror_descent(mdp, discount, steps=steps, start=policy)
    for k, step in enumerate(steps):
        np.testing.assert_allclose(np.exp(trace["log_policy"][k]), policy, atol=SAME)
        known = discounted_values(mdp, policy, discount)
        np.testing.assert_allclose(trace["values"][k], known.values, atol=SAME)
        np.testing.assert_allclose(trace["action_values"][k], known.action_values, atol=SAME)
        policy = softmax_by_state(mdp, np.log(np.maximum(policy, 1e-300)) + step * known.action_values)
    np.testing.assert_allclose(np.exp(trace["log_next"][-1]), policy, atol=SAME)
    np.testing.assert_allclose(trace["next_values"][-1], discounted_values(mdp, policy, discount).values, atol=SAME)
    np.testing.assert_array_equal(trace["step"], steps)


@given(case=cases(), steps=st.lists(st.floats(0.01, 10), min_size=1, max_size=FEW))
def test_euclidean_steps(case, steps):
    mdp, discount, policy = case
    trace = rl.policy_mirror_descent(mdp, discount, steps=steps, start=policy, euclidean=True)
    for k, step in enumerate(steps):
        np.testing.assert_allclose(np.exp(trace["log_policy"][k]), policy, atol=SAME)
        values = discounted_values(mdp, policy, discount).action_values
        policy = np.concatenate([nearest(policy[state] + step * values[state]) for state in states_of(mdp)])
    np.testing.assert_allclose(np.exp(trace["log_next"][-1]), policy, atol=SAME)


@given(point=st.lists(st.floats(-5, 5), min_size=1, max_size=7))
def test_projection_is_nearest(point):
    point = np.array(point)
    projected = point.copy()
    project(projected, np.empty(point.size))
    np.testing.assert_allclose(projected, nearest(point), atol=1e-12)
    assert projected.sum() == pytest.approx(1, abs=1e-12)


def test_projection_solves_its_program():
    import cvxpy as cp

    rng = stream(0, "projection")
    for size in (2, 3, 6):
        point = rng.normal(size=size)
        x = cp.Variable(size)
        cp.Problem(cp.Minimize(cp.sum_squares(x - point)), [x >= 0, cp.sum(x) == 1]).solve(solver="CLARABEL")
        projected = point.copy()
        project(projected, np.empty(size))
        np.testing.assert_allclose(projected, x.value, atol=1e-6)  # the solver's accuracy is 1e-8 of the objective


@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_natural_gradient_is_preconditioned_by_the_fisher_information(temperature):
    mdp, discount, step = garnet(stream(0, "natural gradient"), 4, 3, 2), 0.8, 0.1
    start = softmax_by_state(mdp, stream(0, "natural gradient", "start").normal(size=mdp.choices))
    trace = rl.natural_policy_gradient(mdp, discount, step=step, iterations=1, temperature=temperature, start=start)
    gradient = numerical_gradient(mdp, discount, np.log(start), temperature)
    direction = np.linalg.pinv(fisher_information(mdp, start, discount).matrix, rcond=1e-9) @ gradient
    # Second differences of step 1e-5 are good to 1e-9 or so; the inverse may magnify that a thousandfold.
    np.testing.assert_allclose(
        np.exp(trace["log_next"][0]), softmax_by_state(mdp, np.log(start) + step * direction), atol=1e-6
    )


def soft_return(mdp, discount, logits, temperature):
    policy = softmax_by_state(mdp, logits)
    weights = np.zeros((mdp.states, mdp.choices))
    weights[mdp.state_of_choice, np.arange(mdp.choices)] = policy
    laws = mdp.transition_matrix if isinstance(mdp.transition_matrix, np.ndarray) else mdp.transition_matrix.toarray()
    earned = weights @ (mdp.rewards - temperature * np.log(policy))
    return mdp.initial @ np.linalg.solve(np.eye(mdp.states) - discount * weights @ laws, earned)


def numerical_gradient(mdp, discount, logits, temperature=0.0, width=1e-5):
    columns = width * np.eye(mdp.choices)
    ends = [[soft_return(mdp, discount, logits + sign * row, temperature) for row in columns] for sign in (1, -1)]
    return (np.array(ends[0]) - ends[1]) / (2 * width)


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.0])
def test_entropy_regularised_step_mixes_logarithms(keep):
    mdp, discount, temperature = inventory(), 0.7, 2.0
    step = (1 - keep) * (1 - discount) / temperature
    trace = rl.natural_policy_gradient(mdp, discount, step=step, iterations=3, temperature=temperature)
    for log_policy, log_next, values, action_values in zip(
        *(trace[name] for name in ("log_policy", "log_next", "values", "action_values")), strict=True
    ):
        policy = np.exp(log_policy)
        entropies = -np.add.reduceat(policy * log_policy, mdp.first_choice[:-1])
        earned = np.add.reduceat(policy * action_values, mdp.first_choice[:-1])
        np.testing.assert_allclose(values, earned + temperature * entropies, rtol=1e-12)
        laws = mdp.transition_matrix
        np.testing.assert_allclose(action_values, mdp.rewards + discount * laws @ values, rtol=1e-12)
        logits = keep * log_policy + (1 - keep) * action_values / temperature
        np.testing.assert_allclose(np.exp(log_next), softmax_by_state(mdp, logits), atol=1e-12)


def test_two_normalisations_of_a_step():
    mdp, discount = river_swim(), 0.9
    natural = rl.natural_policy_gradient(mdp, discount, step=0.05, iterations=FEW)
    mirror = rl.policy_mirror_descent(mdp, discount, steps=np.full(FEW, 0.05 / (1 - discount)))
    np.testing.assert_allclose(natural["log_next"], mirror["log_next"], rtol=1e-12)


@pytest.mark.parametrize("euclidean", [False, True])
def test_adaptive_steps_lose_no_more_than_allowed(euclidean):
    mdp, losses = garnet(stream(0, "adaptive"), 5, 3, 2), 0.5 ** np.arange(FEW)
    trace = rl.adaptive_policy_mirror_descent(mdp, 0.8, losses=losses, euclidean=euclidean)
    first = mdp.first_choice[:-1]
    for k, (log_policy, log_next, values) in enumerate(
        zip(*(trace[name] for name in ("log_policy", "log_next", "action_values")), strict=True)
    ):
        policy, best = np.exp(log_policy), np.maximum.reduceat(values, first)
        assert (best - np.add.reduceat(np.exp(log_next) * values, first) <= losses[k] * (1 + 1e-9)).all()
        greedy = (values == best[mdp.state_of_choice]).astype(float)
        distances = [
            0.5 * np.add.reduceat((greedy - policy) ** 2, first),
            -np.log(np.add.reduceat(greedy * policy, first)),
        ]
        assert trace["step"][k] == pytest.approx(distances[not euclidean].max() / losses[k], rel=1e-9)


@given(case=cases())
def test_softmax_policy_gradient_climbs_the_return(case):
    mdp, discount, policy = case
    trace = rl.softmax_policy_gradient(mdp, discount, step=0.1, iterations=0, start=policy)
    gradient = policy_gradient(mdp, policy, discount).gradient
    stepped = softmax_by_state(mdp, trace["log_policy"][0] + 0.1 * gradient)
    np.testing.assert_allclose(np.exp(trace["log_next"][0]), stepped, atol=SAME)


def test_softmax_policy_gradient_by_differences():
    mdp, discount = garnet(stream(0, "gradient"), 4, 3, 2), 0.8
    trace = rl.softmax_policy_gradient(mdp, discount, step=1.0, iterations=5)
    for log_policy, log_next in zip(trace["log_policy"], trace["log_next"], strict=True):
        logits = log_policy + numerical_gradient(mdp, discount, log_policy)
        np.testing.assert_allclose(np.exp(log_next), softmax_by_state(mdp, logits), atol=1e-8)


def surrogate(mdp, log_old, advantages, weights, step, penalty, logits):
    policy = softmax_by_state(mdp, logits)
    by_choice = weights[mdp.state_of_choice]
    change = np.log(policy) - log_old
    if penalty is Penalty.CLIPPED:
        ratio = np.exp(change)
        clipped = np.minimum(ratio * advantages, np.clip(ratio, 1 - step, 1 + step) * advantages)
        return by_choice @ (np.exp(log_old) * clipped)
    divergence = np.exp(log_old) * -change if penalty is Penalty.OLD_FROM_NEW else policy * change
    return by_choice @ (policy * advantages - divergence / step)


@pytest.mark.parametrize(
    ("penalty", "step"), [(Penalty.NEW_FROM_OLD, 0.3), (Penalty.OLD_FROM_NEW, 0.3), (Penalty.CLIPPED, 0.01)]
)
def test_inner_steps_climb_the_surrogate(penalty, step):
    mdp, discount = garnet(stream(0, "surrogate"), 3, 3, 2), 0.8
    start = softmax_by_state(mdp, stream(0, "surrogate", "start").normal(size=mdp.choices))
    trace = rl.mdpo(mdp, discount, steps=[step], inner_steps=4, inner_rate=1.0, penalty=penalty, start=start)
    known = discounted_values(mdp, start, discount)
    advantages = known.action_values - known.values[mdp.state_of_choice]
    visited = np.add.reduceat(discounted_occupancy(mdp, start, discount).occupancy, mdp.first_choice[:-1])
    logits = np.log(start)
    for _ in range(4):
        rows = 1e-6 * np.eye(mdp.choices)
        ends = [
            [surrogate(mdp, np.log(start), advantages, visited, step, penalty, logits + sign * row) for row in rows]
            for sign in (1, -1)
        ]
        logits = logits + (np.array(ends[0]) - ends[1]) / 2e-6
    # Differences of step 1e-6 are good to 1e-9.
    np.testing.assert_allclose(np.exp(trace["log_next"][0]), softmax_by_state(mdp, logits), atol=1e-7)
    np.testing.assert_allclose(trace["weights"][0], visited, atol=1e-12)
    ratios = np.exp(trace["log_next"][0]) / start
    assert penalty is not Penalty.CLIPPED or ((ratios > 1 + 2 * step).any() and (ratios < 1 - 2 * step).any())


def test_many_inner_steps_reach_the_surrogates_maximum():
    mdp, discount, step = garnet(stream(0, "surrogate"), 3, 3, 2), 0.8, 0.3
    trace = rl.mdpo(mdp, discount, steps=[step], inner_steps=3000)
    start, values = np.exp(trace["log_policy"][0]), trace["action_values"][0]
    arguments = mdp, np.log(start), values, trace["weights"][0], step, Penalty.NEW_FROM_OLD
    found = minimize(lambda logits: -surrogate(*arguments, logits), np.log(start), tol=1e-12)
    np.testing.assert_allclose(np.exp(trace["log_next"][0]), softmax_by_state(mdp, found.x), atol=1e-5)


def test_replay_averages_the_occupancies():
    mdp, discount = river_swim(4), 0.9
    trace = rl.mdpo(mdp, discount, steps=np.full(FEW, 0.5), inner_steps=3, replay=True)
    visits = [
        np.add.reduceat(discounted_occupancy(mdp, np.exp(log_policy), discount).occupancy, mdp.first_choice[:-1])
        for log_policy in trace["log_policy"]
    ]
    means = np.cumsum(visits, axis=0) / np.arange(1, FEW + 1)[:, None]
    np.testing.assert_allclose(trace["weights"], means, atol=1e-12)


@given(case=cases(), order=st.randoms(use_true_random=False))
def test_runs_do_not_depend_on_the_order_of_states(case, order):
    mdp, discount, _ = case
    states, actions = mdp.states, mdp.choices // mdp.states
    renamed = list(range(states))
    order.shuffle(renamed)
    laws = mdp.transition_matrix.reshape(states, actions, states)[renamed][:, :, renamed]
    other = TabularMDP(laws, mdp.rewards.reshape(states, actions)[renamed])
    one, two = (
        rl.mdpo(process, discount, steps=np.full(FEW, 0.5), inner_steps=2).last("values") for process in (mdp, other)
    )
    np.testing.assert_allclose(two, one[renamed], atol=SAME)


RIVER = river_swim(3)
WRONG = {
    "discount is 1; it must be < 1": lambda: rl.policy_mirror_descent(RIVER, 1.0, steps=[1.0]),
    r"steps\[1\] is 0.0; every entry must be > 0": lambda: rl.policy_mirror_descent(RIVER, 0.9, steps=[1.0, 0.0]),
    "number of steps is 0; it must be >= 1": lambda: rl.policy_mirror_descent(RIVER, 0.9, steps=[]),
    r"start\[1\] is 0; every probability must be > 0": lambda: rl.policy_mirror_descent(
        RIVER, 0.9, steps=[1.0], start=[1, 0, 0.5, 0.5, 0.5, 0.5]
    ),
    "start sums to 1.5 in state 0": lambda: rl.policy_mirror_descent(RIVER, 0.9, steps=[1.0], start=[1] + [0.5] * 5),
    r"losses\[0\] is -1.0; every entry": lambda: rl.adaptive_policy_mirror_descent(RIVER, 0.9, losses=[-1.0]),
    r"step is 0.3; with temperature 0.5 it must be at most 0.2": lambda: rl.natural_policy_gradient(
        RIVER, 0.9, step=0.3, iterations=1, temperature=0.5
    ),
    "temperature is -1.0": lambda: rl.natural_policy_gradient(RIVER, 0.9, step=0.1, iterations=1, temperature=-1.0),
    "iterations is 0; it must be >= 1": lambda: rl.natural_policy_gradient(RIVER, 0.9, step=0.1, iterations=0),
    "step is 0.0": lambda: rl.softmax_policy_gradient(RIVER, 0.9, step=0.0, iterations=1),
    "inner_steps is 0": lambda: rl.mdpo(RIVER, 0.9, steps=[1.0], inner_steps=0),
    "inner_rate is -1.0": lambda: rl.mdpo(RIVER, 0.9, steps=[1.0], inner_steps=1, inner_rate=-1.0),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_input_is_named(message):
    with pytest.raises(ValueError, match=message):
        WRONG[message]()
