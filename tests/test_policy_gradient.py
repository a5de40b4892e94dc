"""Policy classes, their exact return, and stochastic policy gradients, against plain loops with the same numbers."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.algorithms import harpg, n_pg_igt, policy_gradient_ascent, svrpg
from rltheory.instances import garnet
from rltheory.problems import GaussianPolicies, LogitMDP, SoftmaxPolicies, TabularMDP
from rltheory.simulation import stream
from rltheory.simulation.streams import fingerprint
from rltheory.solvers import ParametricReturn, fisher_information, policy_gradient
from rltheory.strategies import discounts, mdps, stationary_policies

LAWS = [[[0.2, 0.8], [1.0, 0.0]], [[0.5, 0.5], [0.1, 0.9]]]
PROCESS = TabularMDP(LAWS, [[0.0, 0.3], [1.0, 0.2]], initial=[0.25, 0.75])
SOFTMAX = SoftmaxPolicies(PROCESS)
GAUSSIAN = GaussianPolicies(LogitMDP(PROCESS, [0.0, 1.5, -1.0, 0.5], [0.1, 0.0, 0.0, -0.3]), 0.7)
CLASSES = pytest.mark.parametrize("policies", [SOFTMAX, GAUSSIAN], ids=["softmax", "Gaussian"])


@given(data=st.data(), mdp=mdps(), discount=discounts(0.9))
def test_softmax_return_agrees_with_the_certified_solvers(data, mdp, discount):
    policy = data.draw(stationary_policies(mdp))
    objective = ParametricReturn(SoftmaxPolicies(mdp), discount)
    found = objective.evaluate(np.log(policy))
    # Policies and systems round differently: some eps over (1 - discount)^2.
    near = partial(np.testing.assert_allclose, rtol=0, atol=1e-11)
    near(objective.policies.probabilities(np.log(policy)), policy)
    near(found.gradient, policy_gradient(mdp, policy, discount).gradient)
    near(objective.fisher(np.log(policy)), fisher_information(mdp, policy, discount).matrix)
    assert found.returns <= objective.optimum + 1e-9


@CLASSES
def test_hessian_and_gradient_are_derivatives(policies):
    objective = ParametricReturn(policies, 0.8)
    theta = stream(0, "derivatives").standard_normal(policies.parameters)
    step = 1e-3 * np.eye(theta.size)
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}  # order eight: an error of 1e-24 and some eps / 1e-3

    def derivative(function):
        return sum(w * (function(theta + k * step) - function(theta - k * step)) for k, w in weights.items()) / 1e-3

    near = partial(np.testing.assert_allclose, rtol=0, atol=1e-10)
    near(derivative(lambda points: objective.evaluate(points).returns), objective.evaluate(theta).gradient)
    near(derivative(lambda points: objective.evaluate(points).gradient), objective.hessian(theta))


@CLASSES
def test_natural_gradient_solves_its_system(policies):
    objective = ParametricReturn(policies, 0.8)
    theta = stream(0, "natural").standard_normal(policies.parameters)
    found = objective.evaluate(theta)
    least = np.linalg.pinv(objective.fisher(theta), rcond=1e-10) @ found.gradient
    np.testing.assert_allclose(found.natural, least, rtol=0, atol=1e-11)


@CLASSES
def test_truncated_gradient_tends_to_the_gradient(policies):
    objective = ParametricReturn(policies, 0.5)
    theta = stream(0, "truncated").standard_normal(policies.parameters)
    whole = objective.evaluate(theta).gradient
    np.testing.assert_allclose(objective.truncated_gradient(theta, 60), whole, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(objective.truncated_gradient(theta, 0), 0)


@pytest.mark.parametrize("deviation", [0.05, 0.7, 3.0])
@pytest.mark.parametrize("slope", [0.0, 0.3, 5.0, 40.0])
def test_quadrature_is_as_accurate_as_it_says(slope, deviation):
    """Against an adaptive rule with arbitrary precision."""
    import mpmath

    single = TabularMDP([[[1.0], [1.0]]], [[0.0, 1.0]])
    policies = GaussianPolicies(LogitMDP(single, [0.0, slope], [0.0, 0.4]), deviation)
    mean = -0.3
    edge = (-0.4 / slope - mean) / deviation if slope else 0.0
    places = sorted({-14, 14, *(edge + d / (1 + slope * deviation) for d in (-20, -5, 0, 5, 20) if abs(edge + d) < 14)})

    def integral(score):
        def integrand(x):
            choice = 1 / (1 + mpmath.exp(-slope * (mean + deviation * x) - mpmath.mpf("0.4")))
            return score(x) * choice * mpmath.npdf(x)

        return float(mpmath.quad(integrand, places))

    found = policies.probabilities(np.array([mean]))[1]
    slopes = policies.derivatives(np.array([mean]))[1, 0]
    assert abs(found - integral(lambda x: 1)) <= policies.error < 1e-11
    assert abs(slopes - integral(lambda x: x / deviation)) <= policies.derivative_error(1)
    assert policies.derivative_error(2) < 1e-11 / deviation**2


def test_best_means_are_the_best_of_a_grid():
    objective = ParametricReturn(GAUSSIAN, 0.6)
    grid = np.linspace(-30, 30, 401)
    means = np.stack(np.meshgrid(grid, grid), axis=-1)
    best = objective.evaluate(means).returns.max()
    assert best <= objective.optimum + 1e-12
    assert objective.optimum <= best + 1e-2


def test_batches_are_rows_side_by_side():
    theta = stream(0, "batch").standard_normal((3, 2, 2))
    batch = ParametricReturn(GAUSSIAN, 0.9).evaluate(theta)
    for place in np.ndindex(3, 2):
        single = ParametricReturn(GAUSSIAN, 0.9).evaluate(theta[place])
        for rows, row in zip(batch, single, strict=True):
            np.testing.assert_allclose(rows[place], row, rtol=0, atol=1e-13)


def test_digests_tell_classes_apart():
    wider = GaussianPolicies(GAUSSIAN.process, 0.8)
    steeper = GaussianPolicies(LogitMDP(PROCESS, [0.0, 1.6, -1.0, 0.5]), 0.7)
    assert len({fingerprint(policies) for policies in (SOFTMAX, GAUSSIAN, wider, steeper)}) == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LogitMDP(PROCESS, [1.0, 2.0]), r"slopes has 2 entries for 4 choices; give one for each"),
        (lambda: LogitMDP(PROCESS, [1, 2, 3, 4], [1.0]), r"offsets has 1 entries for 4 choices"),
        (lambda: LogitMDP(PROCESS, [1, 2, np.inf, 4]), r"slopes\[2\] is inf; every entry must be finite"),
        (lambda: GaussianPolicies(GAUSSIAN.process, 0.0), r"deviation is 0.0; it must be finite and > 0"),
        (lambda: ParametricReturn(SOFTMAX, 1.0), r"discount is 1; it must be < 1"),
        (lambda: climb(n_pg_igt, SOFTMAX, start=[1.0]), r"start has 1 entries; the class has 4 parameters"),
        (lambda: climb(n_pg_igt, SOFTMAX, horizon=0), r"horizon is 0; it must be >= 1"),
        (lambda: climb(n_pg_igt, SOFTMAX, iterations=-1), r"iterations is -1; it must be >= 0"),
        (lambda: climb(harpg, SOFTMAX, step=0.0), r"step is 0.0; it must be finite and > 0"),
        (lambda: climb(harpg, SOFTMAX, delay=-1.0), r"delay is -1.0; it must be finite and > 0"),
        (lambda: climb(policy_gradient_ascent, SOFTMAX, power=-1.0), r"power is -1.0; it must be finite and >= 0"),
        (lambda: climb(svrpg, SOFTMAX, period=0, batch=1), r"period is 0; it must be >= 1"),
        (lambda: climb(svrpg, SOFTMAX, period=1, batch=0), r"batch is 0; it must be >= 1"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def climb(method, policies, **options):
    usual = {"discount": 0.8, "iterations": 30, "horizon": 5, "rng": stream(0, "climb")}
    return method(policies, **{**usual, **options})


# Plain loops, which draw in the order of the kernels: the first state; then in each step the action, the choice where
# actions are real, and the next state.


class Plain:
    """Estimates from one trajectory."""

    def __init__(self, policies, discount, horizon, rng):
        self.policies, self.discount, self.horizon, self.rng = policies, discount, horizon, rng

    def draw(self, weights):
        return int(min(np.searchsorted(np.cumsum(weights), self.rng.random(), side="right"), len(weights) - 1))

    def trajectory(self, theta):
        state, rows = self.draw(PROCESS.initial), []
        for _ in range(self.horizon):
            if self.policies is SOFTMAX:
                action = made = 2 * state + self.draw(self.probabilities(theta)[2 * state : 2 * state + 2])
            else:
                action = theta[state] + 0.7 * self.rng.standard_normal()
                made = 2 * state + self.draw(GAUSSIAN.process.made([state], [action])[0, 2 * state : 2 * state + 2])
            rows.append((state, action, PROCESS.rewards[made]))
            state = self.draw(np.array(LAWS).reshape(4, 2)[made])
        return rows

    def probabilities(self, theta):
        weights = np.exp(theta).reshape(2, 2)
        return (weights / weights.sum(1, keepdims=True)).ravel()

    def score(self, theta, state, action):
        if self.policies is SOFTMAX:
            return np.eye(4)[action] - self.probabilities(theta) * (np.arange(4) // 2 == state)
        return np.eye(2)[state] * (action - theta[state]) / 0.49

    def gradient(self, rows, theta, causal=True):
        total = 0.0
        for t, (state, action, _) in enumerate(rows):
            counted = range(t if causal else 0, len(rows))
            total = total + sum(self.discount**h * rows[h][2] for h in counted) * self.score(theta, state, action)
        return total

    def hessian_product(self, rows, theta, u):
        """The derivative of <g, u> by a difference of order eight, and the score of the trajectory times g."""
        weights, step = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}, 1e-3 * np.eye(theta.size)
        bent = [
            sum(
                w * (self.gradient(rows, theta + k * e) - self.gradient(rows, theta - k * e)) @ u
                for k, w in weights.items()
            )
            / 1e-3
            for e in step
        ]
        return np.array(bent) + sum(self.score(theta, *row[:2]) for row in rows) @ u * self.gradient(rows, theta)

    def likelihood(self, rows, theta):
        if self.policies is SOFTMAX:
            return np.prod([self.probabilities(theta)[action] for _, action, _ in rows])
        return np.exp(-sum((action - theta[state]) ** 2 for state, action, _ in rows) / (2 * 0.49))


def directions_of_n_pg_igt(plain, step, delay):
    theta = before = np.zeros(plain.policies.parameters)
    d = 0.0
    for t in range(31):
        eta = (2 / (t + 2)) ** 0.8
        ahead = theta + (1 - eta) / eta * (theta - before)
        d = (1 - eta) * d + eta * plain.gradient(plain.trajectory(ahead), ahead)
        before, theta = theta, theta + step / (t + delay) * d / np.linalg.norm(d)
        yield before, d, theta


def directions_of_harpg(plain, step, delay, normalised):
    theta = before = np.zeros(plain.policies.parameters)
    d = 0.0
    for t in range(31):
        eta = 2 / (t + 2)
        if t:
            q = plain.rng.random()
            point = q * theta + (1 - q) * before
            d = d + plain.hessian_product(plain.trajectory(point), point, theta - before)
        d = (1 - eta) * d + eta * plain.gradient(plain.trajectory(theta), theta)
        before, theta = theta, theta + step / (t + delay) * d / (np.linalg.norm(d) if normalised else 1)
        yield before, d, theta


def directions_of_ascent(plain, step, delay, power, causal):
    theta = np.zeros(plain.policies.parameters)
    for t in range(31):
        d = plain.gradient(plain.trajectory(theta), theta, causal)
        before, theta = theta, theta + step / (t + delay) ** power * d
        yield before, d, theta


def directions_of_svrpg(plain, step, delay, period, batch):
    theta = np.zeros(plain.policies.parameters)
    for t in range(31):
        if t % period == 0:
            anchor = theta
            mean = sum(plain.gradient(plain.trajectory(anchor), anchor) for _ in range(batch)) / batch
        rows = plain.trajectory(theta)
        ratio = plain.likelihood(rows, anchor) / plain.likelihood(rows, theta)
        d = plain.gradient(rows, theta) - ratio * plain.gradient(rows, anchor) + mean
        before, theta = theta, theta + step / (t + delay) * d
        yield before, d, theta


@CLASSES
@pytest.mark.parametrize(
    ("method", "directions", "options", "spent"),
    [
        (n_pg_igt, directions_of_n_pg_igt, {"step": 1.5, "delay": 3.0}, 30),
        (harpg, directions_of_harpg, {"step": 0.5, "delay": 3.0, "normalised": True}, 59),
        (harpg, directions_of_harpg, {"step": 0.1, "delay": 5.0, "normalised": False}, 59),
        (policy_gradient_ascent, directions_of_ascent, {"step": 0.1, "delay": 2.0, "power": 0.6, "causal": True}, 30),
        (policy_gradient_ascent, directions_of_ascent, {"step": 0.1, "delay": 2.0, "power": 0.6, "causal": False}, 30),
        (svrpg, directions_of_svrpg, {"step": 0.2, "delay": 2.0, "period": 7, "batch": 3}, 30 + 3 * 5),
    ],
)
def test_compiled_run_is_the_plain_loop(policies, method, directions, options, spent):
    trace = climb(method, policies, **options, rng=stream(0, "plain"))
    rows = list(directions(Plain(policies, 0.8, 5, stream(0, "plain")), **options))
    for name, column in zip(("parameters", "direction", "next"), zip(*rows, strict=True), strict=True):
        # Rounding grows along a run, but sampled actions stay the same.
        np.testing.assert_allclose(trace[name], np.array(column)[trace.times], rtol=0, atol=1e-8)
    assert trace.last("trajectories") == spent


def test_a_run_without_rewards_stands_still():
    idle = SoftmaxPolicies(TabularMDP(LAWS, [[0.0, 0.0], [0.0, 0.0]]))
    for method in (n_pg_igt, harpg):
        np.testing.assert_array_equal(
            climb(method, idle, start=[1.0, 2.0, 3.0, 4.0]).last("next"), [1.0, 2.0, 3.0, 4.0]
        )


@CLASSES
def test_estimates_have_the_right_mean(policies):
    """By chance: the squared deviation of the mean, in units of its covariance, has a chi-square law."""
    from scipy.stats import chi2

    from rltheory.algorithms.discounted.trajectory_gradients import (
        add_gradient,
        add_hessian_product,
        empty_trajectory,
        prepare,
        sample,
    )

    rng, room = stream(0, "chance", policies.parameters), empty_trajectory(policies, 0.6, 30)
    theta, u = rng.standard_normal((2, policies.parameters))
    samples = np.zeros((2, 60_000, policies.parameters))
    prepare(policies.arrays, theta, room.policy)
    for gradient, product in zip(*samples, strict=True):
        sample(policies.arrays, theta, room, rng)
        add_gradient(policies.arrays, theta, room.policy, room, True, 1.0, gradient)
        add_hessian_product(policies.arrays, theta, room.policy, room, u, gradient, 1.0, product)
    objective = ParametricReturn(policies, 0.6)
    for values, expected in zip(
        samples, (objective.evaluate(theta).gradient, objective.hessian(theta) @ u), strict=True
    ):
        off = values.mean(0) - expected  # truncation costs 1e-6 of it
        distance = off @ np.linalg.pinv(np.cov(values.T) / len(values), rcond=1e-9) @ off
        assert chi2.sf(distance, policies.parameters) > 1e-4


def test_sparse_and_dense_processes_are_the_same():
    sparse = garnet(stream(0, "sparse"), 3, 2, 2)
    dense = TabularMDP(
        sparse.transition_matrix.toarray().reshape(3, 2, 3), sparse.rewards.reshape(3, 2), initial=sparse.initial
    )
    runs = [climb(harpg, SoftmaxPolicies(mdp), rng=stream(0, "same")) for mdp in (sparse, dense)]
    np.testing.assert_array_equal(runs[0]["next"], runs[1]["next"])
