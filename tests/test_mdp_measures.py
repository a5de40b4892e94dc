"""Measures of decision processes against their definitions, in exact arithmetic where numbers cancel."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rltheory.instances import inventory, machine_replacement
from rltheory.measures import (
    action_gaps,
    average_reward_regret,
    chi_square_coverage,
    coverage,
    discounted_regret,
    finite_horizon_regret,
    finite_horizon_suboptimality,
    performance_difference,
    performance_difference_reversed,
    span,
    suboptimality,
)
from rltheory.problems import FiniteHorizonMDP, deterministic_policy, uniform_policy
from rltheory.solvers import (
    average_policy_iteration,
    backward_induction,
    discounted_values,
    finite_horizon_values,
    is_weakly_communicating,
)
from tests import exact_chains
from tests.exact_mdps import exact, exact_laws, mdps, policies_of, state_choices


@given(data=st.data(), mdp=mdps(), discount=st.sampled_from([0.0, 0.5, 0.9]))
def test_performance_differences_are_differences_of_returns(data, mdp, discount):
    policy, other = data.draw(policies_of(mdp)), data.draw(policies_of(mdp))
    earned, by_other = (mdp.initial @ discounted_values(mdp, p, discount).values for p in (policy, other))
    for difference in (performance_difference, performance_difference_reversed):
        assert difference(mdp, policy, other, discount) == pytest.approx(earned - by_other, abs=1e-12)


@given(data=st.data(), mdp=mdps())
def test_suboptimality_is_what_is_lost(data, mdp):
    # After 200 stages at a discount of 1/2, what is left is 0.5^200.
    optimal = backward_induction(FiniteHorizonMDP.stationary(mdp, 200), discount=0.5)
    policy = data.draw(policies_of(mdp))
    lost = mdp.initial @ (optimal.values[0] - discounted_values(mdp, policy, 0.5).values)
    assert suboptimality(mdp, policy, 0.5, optimal.values[0]) == pytest.approx(lost, abs=1e-13)
    assert suboptimality(mdp, optimal.policy[0], 0.5, optimal.values[0]) == pytest.approx(0, abs=1e-14)


@given(data=st.data(), mdp=mdps(), horizon=st.integers(1, 5))
def test_suboptimality_over_a_horizon(data, mdp, horizon):
    problem = FiniteHorizonMDP.stationary(mdp, horizon)
    policy = np.array([data.draw(policies_of(mdp)) for _ in range(horizon)])
    optimal = backward_induction(problem)
    lost = mdp.initial @ (optimal.values[0] - finite_horizon_values(problem, policy).values[0])
    assert finite_horizon_suboptimality(problem, policy) == pytest.approx(lost, abs=1e-13)
    assert finite_horizon_suboptimality(problem, optimal.policy) == 0


def test_small_losses_do_not_cancel():
    """Ordering one unit too many, with probability 1e-20, at the first stage: in fractions, and by differences."""
    problem = FiniteHorizonMDP.stationary(inventory(), 3)
    policy = backward_induction(problem).policy.copy()
    policy[0, :4] = [0, 0, 1e-20, 1]
    truth = {}
    for name, rule in (("best", backward_induction(problem).policy), ("worse", policy)):
        values = exact(np.zeros(4))
        for stage in (2, 1, 0):
            q = exact(inventory().rewards) + exact_laws(inventory()).dot(values)
            values = np.array([q[c].dot(exact(rule[stage, c])) for c in state_choices(inventory())])
        truth[name] = exact(inventory().initial).dot(values)
    # The weights of the worse policy sum to 1 + 1e-20, which the exact values reward; the measure does not see it.
    extra = Fraction(1e-20) / 4 * Fraction(67, 16)
    lost = float(truth["best"] - truth["worse"] + extra)
    assert finite_horizon_suboptimality(problem, policy) == pytest.approx(lost, rel=1e-12)
    assert 1e-22 < lost < 1e-19


def earned(mdp, policy):
    """Expected reward of each stage, in fractions, by pushing the distribution forward."""
    laws, rewards = exact_laws(mdp), exact(mdp.rewards)
    reached = exact(mdp.initial)
    for probabilities in policy:
        made = exact(probabilities) * reached[mdp.state_of_choice]
        yield made.dot(rewards)
        reached = made.dot(laws)


def discounted_return(mdp, policy, discount):
    """From the linear system of the values, in fractions."""
    laws, rewards, probabilities = exact_laws(mdp), exact(mdp.rewards), exact(policy)
    chain = [probabilities[c].dot(laws[c]) for c in state_choices(mdp)]
    right = [[probabilities[c].dot(rewards[c])] for c in state_choices(mdp)]
    system = [[int(s == t) - discount * chain[s][t] for t in range(mdp.states)] for s in range(mdp.states)]
    return exact(mdp.initial).dot(np.array([value for (value,) in exact_chains.solve(system, right)]))


@given(data=st.data(), mdp=mdps(max_states=3, max_actions=2), horizon=st.integers(1, 3))
def test_regret_over_a_horizon_in_fractions(data, mdp, horizon):
    policies = [np.array([data.draw(policies_of(mdp)) for _ in range(horizon)]) for _ in range(3)]
    value = exact(np.zeros(mdp.states))
    for _ in range(horizon):
        q = exact(mdp.rewards) + exact_laws(mdp).dot(value)
        value = np.array([max(q[c] for c in choices) for choices in state_choices(mdp)])
    best = exact(mdp.initial).dot(value)
    lost = np.cumsum([best - sum(earned(mdp, policy)) for policy in policies])
    problem = FiniteHorizonMDP.stationary(mdp, horizon)
    found = finite_horizon_regret(problem, policies)
    np.testing.assert_allclose(found, lost.astype(float), atol=1e-13)
    same = [
        finite_horizon_regret(problem, [rule])[0] for rule in (uniform_policy(mdp), [uniform_policy(mdp)] * horizon)
    ]
    assert same[0] == same[1]
    assert (np.diff(found) >= 0).all()


@given(data=st.data(), mdp=mdps(max_states=3, max_actions=2))
def test_discounted_regret_in_fractions(data, mdp):
    policies, half = [data.draw(policies_of(mdp)) for _ in range(3)], Fraction(1, 2)
    pure = deterministic_policy(mdp, np.array(list(product(*state_choices(mdp)))))
    best = max(discounted_return(mdp, policy, half) for policy in pure)
    lost = np.cumsum([best - discounted_return(mdp, policy, half) for policy in policies])
    # After 60 stages, what is left is 0.5^60.
    optimal = backward_induction(FiniteHorizonMDP.stationary(mdp, 60), discount=0.5).values[0]
    np.testing.assert_allclose(discounted_regret(mdp, policies, 0.5, optimal), lost.astype(float), atol=1e-13)


@settings(max_examples=40)
@given(data=st.data(), mdp=exact_chains.processes(max_states=3))
def test_regret_on_average_in_fractions(data, mdp):
    assume(is_weakly_communicating(mdp))
    optimal = average_policy_iteration(mdp)
    gain = max(max(gains) for gains, _ in exact_chains.gains_and_biases(mdp).values())
    policies = np.array([data.draw(policies_of(mdp)) for _ in range(5)])
    lost = np.cumsum([gain - reward for reward in earned(mdp, policies)]).astype(float)
    found = average_reward_regret(mdp, policies, float(gain))
    np.testing.assert_allclose(found, lost, atol=1e-13)
    # The bias of an optimal policy need not solve the optimality equation where the best choice is not taken in states
    # that are left for ever; that of optimal bias does.
    assert found.min() >= -optimal.bias_span - 1e-12


def test_optimal_play_on_average_earns_the_gain_but_for_the_bias():
    """An optimal policy's regret is the bias at the start less that to come, which the chain forgets."""
    mdp = machine_replacement(4)
    optimal = average_policy_iteration(mdp)
    found = average_reward_regret(mdp, np.tile(deterministic_policy(mdp, optimal.policy), (300, 1)), optimal.gain[0])
    assert found[-1] == pytest.approx(-(mdp.initial @ optimal.bias), abs=1e-10)
    assert abs(found[-1]) > 0.1


def test_regret_of_nothing_is_nothing():
    mdp = machine_replacement(3)
    assert discounted_regret(mdp, [], 0.5, np.zeros(3)).shape == (0,)
    assert finite_horizon_regret(FiniteHorizonMDP.stationary(mdp, 2), []).shape == (0,)


def test_gaps_of_the_machine():
    mdp = machine_replacement(3)
    gaps = action_gaps(mdp, np.array([[0.0, -1.0, 2.0, 2.0, -5.0, 3.0]]))
    np.testing.assert_array_equal(gaps, [[0, 1, 0, 0, 8, 0]])
    np.testing.assert_array_equal(action_gaps(inventory(), np.arange(10.0)), [3, 2, 1, 0, 2, 1, 0, 1, 0, 0])


@given(st.data(), st.integers(1, 6))
def test_coverage_by_definition(data, size):
    weights = st.lists(st.integers(0, 4), min_size=size, max_size=size)
    d, nu = (np.array(data.draw(weights), dtype=float) + (np.arange(size) == 0) for _ in range(2))
    d, nu = d / d.sum(), nu / nu.sum()
    needed = np.flatnonzero(d)
    if (nu[needed] > 0).all():
        assert coverage(d, nu) == max(d[c] / nu[c] for c in needed)
        assert chi_square_coverage(d, nu) == pytest.approx(sum(d[c] ** 2 / nu[c] for c in needed), rel=1e-14)
        assert 1 - 1e-15 <= chi_square_coverage(d, nu) <= coverage(d, nu) * (1 + 1e-15)
    else:
        assert coverage(d, nu) == chi_square_coverage(d, nu) == np.inf


def test_span_is_largest_minus_smallest():
    assert span(np.array([3.0, -1.0, 2.0])) == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: suboptimality(m, uniform_policy(m), 0.5, [1.0]), "optimal_values has 1 entries for 3 states"),
        (lambda m: suboptimality(m, uniform_policy(m), 1, np.zeros(3)), "discount is 1; it must be < 1"),
        (lambda m: performance_difference(m, [1, 0], uniform_policy(m), 0.5), r"policy has shape \(2,\)"),
        (lambda m: performance_difference_reversed(m, np.ones(6), uniform_policy(m), 0.5), "policy sums to 2 in state"),
        (
            lambda m: finite_horizon_suboptimality(FiniteHorizonMDP.stationary(m, 2), np.ones((3, 6))),
            "policy has shape",
        ),
        (lambda m: discounted_regret(m, [uniform_policy(m)], 0.5, [1.0]), "optimal_values has 1 entries for 3 states"),
        (lambda m: discounted_regret(m, [[1.0]], 0.5, np.zeros(3)), r"policy has shape \(1,\)"),
        (lambda m: finite_horizon_regret(FiniteHorizonMDP.stationary(m, 2), [np.ones(6)]), "policy sums to 2 in state"),
        (lambda m: average_reward_regret(m, uniform_policy(m), 1.0), r"policies has shape \(6,\); it must have 2"),
        (lambda m: average_reward_regret(m, [[1, 0, 1]], 1.0), r"policy has shape \(1, 3\)"),
        (lambda m: average_reward_regret(m, [uniform_policy(m)], np.nan), "gain is nan; it must be finite"),
        (lambda m: average_reward_regret(m, np.zeros((0, 6)), 1.0), "horizon is 0; it must be >= 1"),
        (lambda m: coverage([0.5, 0.5], [1.0]), r"occupancy has shape \(2,\) and data \(1,\)"),
        (lambda m: coverage([-0.5, 0.5], [1.0, 0.0]), r"occupancy\[0\] is -0.5; a probability must be >= 0"),
        (lambda m: chi_square_coverage([0.5, 0.5], [np.nan, 0.0]), r"data\[0\] is nan"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(machine_replacement(3))


def test_policies_that_are_compared_may_be_pure():
    mdp = machine_replacement(4)
    keep, replace = deterministic_policy(mdp, [[0, 2, 4, 6], [1, 3, 5, 7]])
    assert performance_difference(mdp, keep, replace, 0.5) == pytest.approx(
        -performance_difference(mdp, replace, keep, 0.5), rel=1e-14
    )
