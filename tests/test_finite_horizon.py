"""Finite horizons against exact arithmetic, enumeration of policies, and published answers."""

from itertools import product

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr

from rltheory.instances import garnet, inventory, recorded_mdp, river_swim
from rltheory.problems import FiniteHorizonMDP, SparseMDP, TabularMDP, deterministic_policy, uniform_policy
from rltheory.simulation import stream
from rltheory.solvers import (
    backward_induction,
    finite_horizon_occupancy,
    finite_horizon_values,
    soft_backward_induction,
)
from tests.exact_mdps import exact, exact_laws, mdps, policies_of, state_choices

discounts = st.sampled_from([0.0, 0.3, 0.9, 1.0])


@st.composite
def problems(draw, *, max_horizon=4, max_states=4, max_actions=3):
    """Up to four stages, alike or not."""
    first = draw(mdps(max_states=max_states, max_actions=max_actions))
    horizon = draw(st.integers(1, max_horizon))
    if draw(st.booleans()):
        return FiniteHorizonMDP.stationary(first, horizon)
    sizes = np.diff(first.first_choice)
    allowed = np.arange(sizes.max()) < sizes[:, None]
    others = [draw(mdps(allowed=allowed).filter(lambda m: type(m) is type(first))) for _ in range(horizon - 1)]
    return FiniteHorizonMDP([first, *others])


def exact_values(problem, discount, of_choices):
    """Values of all stages in fractions; `of_choices` makes the value of a state from those of its choices."""
    (gamma,) = exact([discount])
    values, action_values = [exact(np.zeros(problem.states))], []
    for stage in reversed(range(problem.horizon)):
        mdp = problem.stages[stage]
        action_values.append(exact(mdp.rewards) + gamma * exact_laws(mdp).dot(values[-1]))
        values.append(
            np.array([of_choices(stage, choices, action_values[-1][choices]) for choices in state_choices(mdp)])
        )
    return values[::-1], action_values[::-1]


def check_errors(found, values, action_values):
    for ours, truth in ((found.values, values), (found.action_values, action_values)):
        for row, exact_row, error in zip(ours, truth, found.errors, strict=False):
            assert (abs(exact(row) - exact_row) <= exact([error])[0]).all()
    # A bound that is far above what float64 can do proves nothing: here |V| <= 4 and at most 4 terms are summed.
    assert found.errors.max() < 1e-13
    assert found.errors[-1] == 0


@given(problem=problems(), discount=discounts)
def test_backward_induction_in_fractions(problem, discount):
    found = backward_induction(problem, discount=discount)
    check_errors(found, *exact_values(problem, discount, lambda stage, choices, q: max(q)))
    assert problem.stages[0].state_of_choice[found.made].tolist() == [list(range(problem.states))] * problem.horizon
    np.testing.assert_array_equal(
        np.take_along_axis(found.action_values, found.made, axis=1), found.values[:-1], strict=True
    )


def test_ties_go_to_the_first_choice():
    idle = TabularMDP([[[1.0], [1.0], [1.0]]], [[0.0, 2.0, 2.0]])
    assert backward_induction(FiniteHorizonMDP.stationary(idle, 2)).made.tolist() == [[1], [1]]


@given(problem=problems(), discount=discounts)
def test_policy_of_backward_induction_is_optimal(problem, discount):
    found = backward_induction(problem, discount=discount)
    values, _ = exact_values(problem, discount, lambda stage, choices, q: max(q))
    earned, _ = exact_values(problem, discount, lambda stage, choices, q: exact(found.policy[stage, choices]).dot(q))
    for best, value, error in zip(values, earned, found.errors, strict=True):
        assert (best - value <= 2 * exact([error])[0]).all()


@given(problem=problems(max_horizon=2, max_states=2, max_actions=2))
def test_no_policy_earns_more(problem):
    """Against all deterministic policies, those that depend on the stage included."""
    rules = list(product(*state_choices(problem.stages[0])))
    made = np.array(list(product(rules, repeat=problem.horizon)))
    earned = [
        finite_horizon_values(problem, policy).values[0] for policy in deterministic_policy(problem.stages[0], made)
    ]
    np.testing.assert_allclose(backward_induction(problem).values[0], np.max(earned, axis=0), atol=1e-14)


@given(data=st.data(), problem=problems(), discount=discounts)
def test_values_of_policies_in_fractions(data, problem, discount):
    policy = np.array([data.draw(policies_of(problem.stages[0])) for _ in problem.stages])
    found = finite_horizon_values(problem, policy, discount=discount)
    check_errors(
        found, *exact_values(problem, discount, lambda stage, choices, q: exact(policy[stage, choices]).dot(q))
    )


@given(data=st.data(), problem=problems())
def test_occupancies_in_fractions(data, problem):
    policy = np.array([data.draw(policies_of(problem.stages[0])) for _ in problem.stages])
    found = finite_horizon_occupancy(problem, policy)
    reached = exact(problem.initial)
    for stage, mdp in enumerate(problem.stages):
        truth = reached[mdp.state_of_choice] * exact(policy[stage])
        assert sum(abs(exact(found.occupancy[stage]) - truth)) <= exact([found.errors[stage]])[0]
        reached = truth.dot(exact_laws(mdp))
    assert found.errors.max() < 1e-13


@given(data=st.data(), problem=problems())
def test_rewards_by_occupancy_are_the_return(data, problem):
    policy = data.draw(policies_of(problem.stages[0]))
    rewards = np.array([mdp.rewards for mdp in problem.stages])
    earned = (finite_horizon_occupancy(problem, policy).occupancy * rewards).sum()
    assert earned == pytest.approx(problem.initial @ finite_horizon_values(problem, policy).values[0], abs=1e-14)


@settings(max_examples=50)
@given(
    data=st.data(),
    problem=problems(),
    discount=discounts,
    temperature=st.sampled_from([1e-2, 0.3, 5.0]),
    with_reference=st.booleans(),
)
def test_soft_induction_in_forty_digits(data, problem, discount, temperature, with_reference):
    reference, weights = None, np.ones((problem.horizon, problem.choices))
    if with_reference:
        reference = weights = np.array([data.draw(policies_of(problem.stages[0])) for _ in problem.stages])

    def number(q):
        return mpmath.mpf(q.numerator) / q.denominator if hasattr(q, "numerator") else q

    with mpmath.workdps(40):
        tau = mpmath.mpf(temperature)

        def soft_maximum(stage, choices, q):
            terms = zip(weights[stage, choices], q, strict=True)
            return tau * mpmath.log(sum(mpmath.mpf(weight) * mpmath.exp(number(x) / tau) for weight, x in terms))

        values = [np.array([mpmath.mpf(0)] * problem.states)]
        found = soft_backward_induction(problem, temperature, reference=reference, discount=discount)
        for stage in reversed(range(problem.horizon)):
            mdp = problem.stages[stage]
            laws = np.vectorize(number, otypes=[object])(exact_laws(mdp))
            rewards = np.vectorize(number, otypes=[object])(exact(mdp.rewards))
            action_values = rewards + mpmath.mpf(discount) * laws.dot(values[-1])
            values.append(np.array([soft_maximum(stage, c, action_values[c]) for c in state_choices(mdp)]))
            assert (abs(found.action_values[stage] - action_values) <= found.errors[stage]).all()
            assert (abs(found.values[stage] - values[-1]) <= found.errors[stage]).all()
            made = weights[stage] > 0
            assert (found.log_policy[stage, ~made] == -np.inf).all()
            log_weights = np.array([mpmath.log(mpmath.mpf(weight)) for weight in weights[stage, made]])
            log_policy = log_weights + (action_values - values[-1][mdp.state_of_choice])[made] / tau
            # Four units of rounding for the logarithms themselves, which reach 2 / temperature.
            allowed = 2 * found.errors[stage] / temperature + 4 * 2.0**-53 * np.abs(found.log_policy[stage, made])
            assert (abs(found.log_policy[stage, made] - log_policy) <= allowed).all()
    assert found.errors.max() < 1e-12


def values_with_entropy(problem, policy, temperature):
    values = [np.zeros(problem.states)]
    for stage in reversed(range(problem.horizon)):
        mdp = problem.stages[stage]
        q, p = mdp.rewards + mdp.transition_matrix @ values[-1], policy[stage]
        earned = p * q + temperature * entr(p)
        values.append(np.add.reduceat(earned, mdp.first_choice[:-1]))
    return np.array(values[::-1])


@given(data=st.data(), problem=problems(), temperature=st.sampled_from([0.3, 5.0]))
def test_soft_policy_earns_the_soft_value_and_no_policy_more(data, problem, temperature):
    found = soft_backward_induction(problem, temperature)
    earned = values_with_entropy(problem, np.exp(found.log_policy), temperature)
    np.testing.assert_allclose(earned, found.values, atol=1e-12)
    other = np.array([data.draw(policies_of(problem.stages[0])) for _ in problem.stages])
    assert (values_with_entropy(problem, other, temperature) <= found.values + 1e-12).all()


def test_published_answers_of_a_forest():
    """Three years of a forest, from the documentation of pymdptoolbox (BSD-3): wait or cut, fire with 0.1."""
    burnt = [1.0, 0.0, 0.0]
    forest = TabularMDP(
        [[[0.1, 0.9, 0.0], burnt], [[0.1, 0.0, 0.9], burnt], [[0.1, 0.0, 0.9], burnt]], [[0, 0], [0, 1], [4, 2]]
    )
    found = backward_induction(FiniteHorizonMDP.stationary(forest, 3), discount=0.9)
    published = [[2.6973, 5.9373, 9.9373], [0.81, 3.24, 7.24], [0, 1, 4], [0, 0, 0]]
    np.testing.assert_allclose(found.values, published, atol=1e-14)


def test_published_answers_of_an_inventory():
    """Puterman, section 4.6.1: values in sixteenths; order three units when there are none, else none."""
    found = backward_induction(FiniteHorizonMDP.stationary(inventory(), 3))
    np.testing.assert_array_equal(
        found.values * 16, [[67, 129, 194, 227], [32, 100, 160, 168], [0, 80, 96, 80], [0, 0, 0, 0]]
    )
    names = np.array(inventory().choice_names)[found.made]
    assert names[0].tolist() == ["order 3", "order 0", "order 0", "order 0"]
    assert names[1].tolist() == ["order 2", "order 0", "order 0", "order 0"]
    assert set(names[2]) == {"order 0"}


@pytest.mark.parametrize(
    ("name", "horizon", "best", "within"),
    [
        ("cliff_walking", 13, -13, 1e-12),  # Sutton and Barto 2018, example 6.6; thirteen steps suffice
        ("taxi", 40, 7.93, 1e-12),  # the figure commonly reported; no ride takes forty steps
        ("frozen_lake_4x4", 5_000, 14 / 17, 1e-12),  # without step limit; what is left after 5000 steps is nothing
    ],
)
def test_returns_of_recorded_processes(name, horizon, best, within):
    mdp = recorded_mdp(name)
    found = backward_induction(FiniteHorizonMDP.stationary(mdp, horizon))
    assert mdp.initial @ found.values[0] == pytest.approx(best, abs=within)
    assert found.errors[0] < 1e-10


def test_stages_of_both_forms_reach_kernels_alike():
    """Different stages, dense, sparse, and as one process whose states are (stage, state)."""
    rng = stream(0, "test", "stages")
    dense = [
        TabularMDP(m.transition_matrix.toarray().reshape(6, 2, 6), m.rewards.reshape(6, 2))
        for m in (garnet(rng, 6, 2, 3) for _ in range(4))
    ]
    problem = FiniteHorizonMDP(dense)
    found = backward_induction(problem)
    sparse = backward_induction(FiniteHorizonMDP([SparseMDP.from_tabular(mdp) for mdp in dense]))
    np.testing.assert_allclose(sparse.values, found.values, atol=1e-14)
    assert problem.stride == 12
    assert FiniteHorizonMDP([dense[0]] * 3).stride == 0
    unrolled_laws, unrolled_rewards = np.zeros((30, 2, 30)), np.zeros((30, 2))
    for stage, mdp in enumerate(dense):
        here = slice(6 * stage, 6 * stage + 6)
        unrolled_laws[here, :, 6 * stage + 6 : 6 * stage + 12] = mdp.transition_matrix.reshape(6, 2, 6)
        unrolled_rewards[here] = mdp.rewards.reshape(6, 2)
    unrolled_laws[24:, :, 24:] = np.eye(6)[:, None]
    unrolled = backward_induction(FiniteHorizonMDP.stationary(TabularMDP(unrolled_laws, unrolled_rewards), 4))
    np.testing.assert_allclose(unrolled.values[0].reshape(5, 6), found.values, atol=1e-14)


def test_problem_is_a_value():
    problem = FiniteHorizonMDP.stationary(river_swim(), 20)
    assert (problem.horizon, problem.states, problem.choices) == (20, 6, 12)
    assert problem == FiniteHorizonMDP([river_swim() for _ in range(20)])
    assert hash(problem) == hash(FiniteHorizonMDP.stationary(river_swim(), 20))
    assert problem != FiniteHorizonMDP.stationary(river_swim(), 21)
    assert str(problem) == "RiverSwim, 6 states, 20 stages"
    assert repr(problem) == "<FiniteHorizonMDP RiverSwim, 6 states: 20 stages, 6 states, 12 choices>"
    arrays = FiniteHorizonMDP([SparseMDP.from_tabular(river_swim(n=2)), SparseMDP.from_tabular(river_swim(n=2))]).arrays
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FiniteHorizonMDP([]), ValueError, "stages is empty"),
        (lambda: FiniteHorizonMDP([river_swim(), 3]), TypeError, r"stages\[1\] is of type int"),
        (lambda: FiniteHorizonMDP([river_swim(), river_swim(7)]), ValueError, r"stages\[1\] has other states"),
        (
            lambda: FiniteHorizonMDP([river_swim(), SparseMDP.from_tabular(river_swim())]),
            ValueError,
            r"stages\[1\] is a SparseMDP and stages\[0\] a TabularMDP",
        ),
        (lambda: FiniteHorizonMDP.stationary(river_swim(), 0), ValueError, "horizon is 0; it must be >= 1"),
    ],
)
def test_wrong_problems_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([1, 0, 1], r"policy has shape \(3,\); it must be \(4,\) or \(3, 4\)"),
        (np.ones((2, 4)) / 2, r"policy has shape \(2, 4\)"),
        (1.0, r"policy has shape \(\)"),
        ([1, 0, 0.5, 0.4], "policy sums to 0.9 in state 1; expected 1"),
        ([[0.5] * 4, [0.5] * 4, [0.5, 0.4, 1, 0]], "policy sums to 0.9 in state 0 at stage 2"),
        ([1.5, -0.5, 0, 1], r"policy\[0\] is 1.5; a probability must lie in \[0, 1\]"),
        ([np.nan, 0, 0, 1], r"policy\[0\] is nan"),
    ],
)
def test_wrong_policies_are_named(policy, message):
    problem = FiniteHorizonMDP.stationary(river_swim(2), 3)
    for solve in (finite_horizon_values, finite_horizon_occupancy):
        with pytest.raises(ValueError, match=message):
            solve(problem, policy)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([0, 1], r"made\[1\] is 1; the choices of state 1 are 2 to 3"),
        ([[0, 2], [2, 2]], r"made\[1, 0\] is 2; the choices of state 0 are 0 to 1"),
        ([0.0, 2.0], "made has type float64"),
        ([0], r"shape \(1,\); it must hold one integer for each of the 2 states"),
    ],
)
def test_wrong_choices_are_named(made, message):
    with pytest.raises(ValueError, match=message):
        deterministic_policy(river_swim(2), made)


def test_policies_of_uneven_states():
    np.testing.assert_array_equal(uniform_policy(inventory())[[0, 4, 7, 9]], [1 / 4, 1 / 3, 1 / 2, 1])
    policy = deterministic_policy(inventory(), [[3, 4, 7, 9], [0, 6, 8, 9]])
    np.testing.assert_array_equal(np.argwhere(policy)[:, 1], [3, 4, 7, 9, 0, 6, 8, 9])


@pytest.mark.parametrize("solve", [backward_induction, lambda p, **k: soft_backward_induction(p, 1.0, **k)])
def test_wrong_numbers_are_named(solve):
    problem = FiniteHorizonMDP.stationary(river_swim(2), 3)
    with pytest.raises(ValueError, match=r"discount is 1.5; it must lie in \[0, 1\]"):
        solve(problem, discount=1.5)
    with pytest.raises(TypeError, match="temperature is 'warm'"):
        soft_backward_induction(problem, "warm")
    huge = TabularMDP([[[1.0]]], [[1e308]])
    with pytest.raises(ArithmeticError, match="the value of state 0 at stage 0 leaves the range"):
        solve(FiniteHorizonMDP.stationary(huge, 2))
