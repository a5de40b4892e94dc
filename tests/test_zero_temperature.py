"""Optimal choices against exact arithmetic, and the limit at temperature zero against closed forms."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.instances import dead_end_or_options, fork, river_swim
from rltheory.problems import SparseMDP, TabularMDP
from rltheory.solvers import optimal_choices, soft_value_iteration, zero_temperature_limit
from tests.exact_mdps import exact, exact_laws, mdps, state_choices
from tests.test_occupancy import exact_solution

discounts = st.sampled_from([0.0, 0.5, 0.9])


def exact_gaps(mdp, discount):
    """Gaps in fractions: of all deterministic policies, the one whose values are largest."""
    rules = [np.isin(np.arange(mdp.choices), made).astype(float) for made in product(*state_choices(mdp))]
    values, action_values, _ = max((exact_solution(mdp, rule, discount) for rule in rules), key=lambda v: sum(v[0]))
    return values[mdp.state_of_choice] - action_values


@given(mdp=mdps(max_states=3, max_actions=2), discount=discounts)
def test_gaps_are_exact_up_to_the_stated_error(mdp, discount):
    found, gaps = optimal_choices(mdp, discount), exact_gaps(mdp, discount)
    assert max(abs(exact(found.gaps) - gaps)) <= Fraction(found.error)
    assert all(gap > 0 for gap in gaps[~found.optimal])
    assert all(gap <= 2 * Fraction(found.error) for gap in gaps[found.optimal])
    assert found.least_gap <= min(gaps[~found.optimal], default=math.inf)
    assert found.least_gap > 0
    assert found.error <= 1e-13 / (1 - discount) ** 2


def plain_slopes(mdp, discount, optimal, reference):
    h, laws = np.zeros(mdp.states), exact_laws(mdp).astype(float)
    for _ in range(500):
        weights = optimal * reference * np.exp(discount * laws @ h)
        h = np.log(np.add.reduceat(weights, mdp.first_choice[:-1]))
    return h, weights / np.exp(h)[mdp.state_of_choice]


@given(data=st.data(), mdp=mdps(), discount=discounts)
def test_limit_solves_its_equation(data, mdp, discount):
    sizes = np.diff(mdp.first_choice)
    weights = np.array(data.draw(st.lists(st.integers(1, 9), min_size=mdp.choices, max_size=mdp.choices)), dtype=float)
    reference = weights / np.repeat(np.add.reduceat(weights, mdp.first_choice[:-1]), sizes)
    for given_reference, used in ((None, np.ones(mdp.choices)), (reference, reference)):
        limit = zero_temperature_limit(mdp, discount, reference=given_reference, accuracy=1e-10)
        h, policy = plain_slopes(mdp, discount, limit.found.optimal, used)
        # Iterations leave 0.9^500 of values of some units.
        assert np.abs(limit.slopes - h).max() <= limit.error + 1e-13
        assert limit.error <= 1e-10
        np.testing.assert_allclose(limit.policy, policy, atol=4e-10)
        np.testing.assert_array_equal(limit.policy > 0, limit.found.optimal)


@given(mdp=mdps(), discount=discounts, temperature=st.sampled_from([0.02, 0.1, 1.0]))
def test_soft_values_stay_within_the_stated_distance_of_their_tangent(mdp, discount, temperature):
    limit = zero_temperature_limit(mdp, discount, accuracy=1e-9)
    soft = soft_value_iteration(mdp, discount, temperature=temperature, accuracy=1e-9)
    best = soft_value_iteration(
        mdp.with_rewards(-limit.found.gaps), discount, temperature=temperature, accuracy=1e-9
    )  # rewards less gaps have the optimal value 0, and the same soft policy
    np.testing.assert_allclose(np.exp(best.log_policy), np.exp(soft.log_policy), atol=1e-5)
    distance = np.abs(best.values / temperature - limit.slopes).max()
    assert distance <= limit.slope_error(temperature) + 2e-9 / temperature


@pytest.mark.parametrize("form", [lambda mdp: mdp, SparseMDP.from_tabular])
def test_what_is_preferred_has_more_options(form):
    """State 2 is worth log n over 1 - g; the odds in the first state are n^(g / (1 - g)) to 1."""
    limit = zero_temperature_limit(form(dead_end_or_options(4)), 0.75, accuracy=1e-12)
    assert limit.slopes[1:] == pytest.approx([0, 4 * math.log(4)], abs=1e-12)
    assert limit.policy[:2] == pytest.approx([1 / 65, 64 / 65])
    assert limit.slope_error(10.0) == limit.error


def test_slope_error_of_a_bandit_is_its_distance():
    mdp = TabularMDP([[[1], [1], [1]]], [[1, 1, 0.5]])
    limit = zero_temperature_limit(mdp, 0.0)
    assert limit.slopes == pytest.approx([math.log(2)])
    assert limit.slope_error(0.25) == pytest.approx(math.log(1 + math.exp(-2) / 2), rel=1e-9)


def test_choices_that_lose_less_than_can_be_told_count_as_optimal():
    found = optimal_choices(fork((1.0, 1.0 + 1e-15)), 0.9)
    assert found.optimal.all()
    assert math.isinf(found.least_gap)
    found = optimal_choices(fork((1.0, 1.0 + 1e-9)), 0.9, accuracy=1e-12)
    np.testing.assert_array_equal(found.optimal, [False, True, True, True])
    assert found.least_gap == pytest.approx(9e-9, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"discount": 1.0}, ValueError, "discount is 1; it must be < 1"),
        ({"accuracy": 0.0}, ValueError, "accuracy is 0.0; it must be finite and > 0"),
        ({"reference": [0.5, 0.5]}, ValueError, r"reference has shape \(2,\); it must be \(4,\)"),
        ({"reference": [1, 0, 1, 1]}, ValueError, r"reference\[1\] is 0; every probability must be > 0"),
        ({"reference": [0.5, 0.6, 1, 1]}, ValueError, "reference sums to 1.1 in state 0"),
        ({"accuracy": 1e-30}, ArithmeticError, "accuracy 1e-30 is out of reach"),
    ],
)
def test_bad_input_of_the_limit(arguments, error, message):
    with pytest.raises(error, match=message):
        zero_temperature_limit(fork((1.0, 2.0)), **{"discount": 0.5, **arguments})


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf])
def test_bad_temperature(temperature):
    with pytest.raises(ValueError, match="temperature is"):
        zero_temperature_limit(fork(), 0.5).slope_error(temperature)


@given(data=st.data(), mdp=mdps())
def test_fewer_choices_and_other_rewards(data, mdp):
    rewards = np.arange(mdp.choices, dtype=float)
    other = mdp.with_rewards(rewards)
    np.testing.assert_array_equal(other.arrays.rewards, rewards)
    np.testing.assert_array_equal(exact_laws(other), exact_laws(mdp))
    assert (other == mdp) == (rewards == mdp.rewards).all()
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=mdp.choices, max_size=mdp.choices)))
    kept[mdp.first_choice[:-1]] = True
    fewer = other.with_choices(kept)
    np.testing.assert_array_equal(fewer.rewards, rewards[kept])
    np.testing.assert_array_equal(exact_laws(fewer), exact_laws(mdp)[kept])
    np.testing.assert_array_equal(fewer.state_of_choice, mdp.state_of_choice[kept])
    np.testing.assert_array_equal(fewer.initial, mdp.initial)
    assert type(fewer) is type(mdp)


@pytest.mark.parametrize("form", [lambda mdp: mdp, SparseMDP.from_tabular])
def test_bad_changes_of_a_process(form):
    mdp = form(river_swim(2))
    with pytest.raises(ValueError, match="rewards has 3 entries for 4 choices"):
        mdp.with_rewards([1, 2, 3])
    with pytest.raises(ValueError, match=r"rewards\[1\] is nan"):
        mdp.with_rewards([1, math.nan, 3, 4])
    with pytest.raises(ValueError, match="state 1 is left without a choice"):
        mdp.with_choices([True, True, False, False])
    with pytest.raises(ValueError, match=r"kept has type int64 and shape \(4,\); it must be bool"):
        mdp.with_choices([1, 1, 0, 1])


def test_bad_instances():
    with pytest.raises(ValueError, match="actions is 1; it must be >= 2"):
        dead_end_or_options(1)
    with pytest.raises(ValueError, match=r"pay is -1.0; it must be finite and >= 0"):
        dead_end_or_options(2, pay=-1)
    with pytest.raises(ValueError, match=r"rewards\[0\] is inf"):
        fork([math.inf, 0])
    with pytest.raises(ValueError, match="rewards is empty; a fork has one branch at least"):
        fork([])
