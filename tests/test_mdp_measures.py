"""Measures of decision processes against their definitions, in exact arithmetic where numbers cancel."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.instances import inventory, machine_replacement
from rltheory.measures import (
    action_gaps,
    chi_square_coverage,
    coverage,
    finite_horizon_suboptimality,
    performance_difference,
    performance_difference_reversed,
    span,
    suboptimality,
)
from rltheory.problems import FiniteHorizonMDP, deterministic_policy, uniform_policy
from rltheory.solvers import backward_induction, discounted_values, finite_horizon_values
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
        (lambda m: suboptimality(m, uniform_policy(m), 1, np.zeros(3)), "discount is 1.0; it must lie in"),
        (lambda m: performance_difference(m, [1, 0], uniform_policy(m), 0.5), r"policy has shape \(2,\)"),
        (lambda m: performance_difference_reversed(m, np.ones(6), uniform_policy(m), 0.5), "policy sums to 2 in state"),
        (
            lambda m: finite_horizon_suboptimality(FiniteHorizonMDP.stationary(m, 2), np.ones((3, 6))),
            "policy has shape",
        ),
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
