"""Values, occupancies and gradients of policies against exact arithmetic and complex steps."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.instances import garnet, grid_world, machine_replacement, recorded_mdp, river_swim
from rltheory.problems import FiniteHorizonMDP, SparseMDP, TabularMDP, uniform_policy
from rltheory.simulation import stream
from rltheory.solvers import (
    backward_induction,
    discounted_occupancy,
    discounted_values,
    fisher_information,
    policy_gradient,
)
from tests.exact_mdps import exact, exact_laws, mdps, policies_of, state_choices

discounts = st.sampled_from([0.0, 0.5, 0.9, 0.999])


def solve(matrix, right):
    """Gauss and Jordan in fractions."""
    rows = [[*row, Fraction(value)] for row, value in zip(matrix, right, strict=True)]
    for k in range(len(rows)):
        pivot = next(j for j in range(k, len(rows)) if rows[j][k])
        rows[k], rows[pivot] = rows[pivot], [x / rows[pivot][k] for x in rows[pivot]]
        for j in range(len(rows)):
            if j != k:
                rows[j] = [x - rows[j][k] * y for x, y in zip(rows[j], rows[k], strict=True)]
    return np.array([row[-1] for row in rows])


def exact_solution(mdp, policy, discount):
    """Values, action values and occupancy in fractions, of the numbers as they are stored."""
    (gamma,), laws, rewards, policy = exact([discount]), exact_laws(mdp), exact(mdp.rewards), exact(policy)
    weights = np.array([[policy[c] * (c in choices) for c in range(mdp.choices)] for choices in state_choices(mdp)])
    system = exact(np.eye(mdp.states)) - gamma * weights.dot(laws)
    values = solve(system, weights.dot(rewards))
    reached = solve(system.T, (1 - gamma) * exact(mdp.initial))
    return values, rewards + gamma * laws.dot(values), policy * reached[mdp.state_of_choice]


@given(data=st.data(), mdp=mdps(), discount=discounts)
def test_values_and_occupancies_in_fractions(data, mdp, discount):
    policy = data.draw(policies_of(mdp))
    values, action_values, occupancy = exact_solution(mdp, policy, discount)
    found = discounted_values(mdp, policy, discount)
    assert max(abs(exact(found.values) - values)) <= Fraction(found.error)
    assert max(abs(exact(found.action_values) - action_values)) <= Fraction(found.error)
    visited = discounted_occupancy(mdp, policy, discount)
    assert sum(abs(exact(visited.occupancy) - occupancy)) <= Fraction(visited.error)
    assert (visited.occupancy >= 0).all()
    # Bounds must not be idle: values reach 1 / (1 - discount), and one more such factor bounds the inverse.
    assert found.error <= 1e-14 / (1 - discount) ** 2
    assert visited.error <= 1e-14 / (1 - discount)


@given(data=st.data(), mdp=mdps(), discount=st.sampled_from([0.0, 0.5, 0.9]))
def test_gradient_and_fisher_information_in_fractions(data, mdp, discount):
    """Straight from the definition: the expected outer product of gradients of log-probabilities."""
    policy = data.draw(policies_of(mdp))
    values, action_values, occupancy = exact_solution(mdp, policy, discount)
    found = policy_gradient(mdp, policy, discount)
    derivatives = occupancy * (action_values - values[mdp.state_of_choice]) / (1 - Fraction(discount))
    assert max(abs(exact(found.gradient) - derivatives)) <= Fraction(found.error)
    assert found.error < 1e-11
    fisher, expected = fisher_information(mdp, policy, discount), exact(np.zeros((mdp.choices, mdp.choices)))
    for choices in state_choices(mdp):
        # A policy as stored sums to 1 up to rounding, which the closed form takes for 1.
        for c in choices:
            score = exact(np.arange(mdp.choices) == c)
            score[choices] = score[choices] - exact(policy[choices])
            expected = expected + occupancy[c] * np.multiply.outer(score, score)
    assert abs(exact(fisher.matrix) - expected).max() <= Fraction(fisher.error) + Fraction(1e-15)
    np.testing.assert_array_equal(fisher.matrix, fisher.matrix.T)


@given(data=st.data(), mdp=mdps(), discount=st.sampled_from([0.5, 0.9]))
def test_gradient_by_complex_steps(data, mdp, discount):
    """The derivative of the return by each logit, from a step in the imaginary direction: exact up to rounding."""
    policy = np.maximum(data.draw(policies_of(mdp)), 0.05)
    policy /= np.add.reduceat(policy, mdp.first_choice[:-1])[mdp.state_of_choice]
    laws = mdp.transition_matrix if isinstance(mdp, TabularMDP) else mdp.transition_matrix.toarray()
    derivatives = np.empty(mdp.choices)
    for choice in range(mdp.choices):
        logits = np.log(policy).astype(complex)
        logits[choice] += 1e-30j
        weights = np.exp(logits)
        moved = weights / np.add.reduceat(weights, mdp.first_choice[:-1])[mdp.state_of_choice]
        of_states = np.add.reduceat(moved[:, None] * laws, mdp.first_choice[:-1])
        means = np.add.reduceat(moved * mdp.rewards, mdp.first_choice[:-1])
        values = np.linalg.solve(np.eye(mdp.states) - discount * of_states, means)
        derivatives[choice] = (mdp.initial @ values).imag * 1e30
    np.testing.assert_allclose(policy_gradient(mdp, policy, discount).gradient, derivatives, atol=1e-12)


@given(data=st.data(), mdp=mdps())
def test_natural_gradient_is_the_advantage(data, mdp):
    policy = np.maximum(data.draw(policies_of(mdp)), 0.05)
    policy /= np.add.reduceat(policy, mdp.first_choice[:-1])[mdp.state_of_choice]
    natural = (
        np.linalg.pinv(fisher_information(mdp, policy, 0.5).matrix, rcond=1e-10, hermitian=True)
        @ policy_gradient(mdp, policy, 0.5).gradient
    )
    found, visited = discounted_values(mdp, policy, 0.5), discounted_occupancy(mdp, policy, 0.5).occupancy
    for choices in state_choices(mdp):
        if visited[choices].sum() > 1e-6:
            advantage = found.action_values[choices] / 0.5
            difference = natural[choices] - advantage
            np.testing.assert_allclose(difference, difference.mean(), atol=1e-6)


@pytest.mark.parametrize("discount", [0.9, 0.999])
@pytest.mark.parametrize("name", ["garnet", "grid", "machines", "taxi", "swim"])
def test_rewards_by_occupancy_are_the_return(name, discount):
    """Two systems, one the transpose of the other, solved apart; of a few thousand states, dense and sparse."""
    mdp = {
        "garnet": lambda: garnet(stream(0, "test", "occupancy"), 3_000, 3, 4),
        "grid": lambda: grid_world(["S" + "." * 49] + ["." * 50] * 49, slip=0.1, step_reward=-1),
        "machines": lambda: machine_replacement(300),
        "taxi": lambda: recorded_mdp("taxi"),
        "swim": lambda: SparseMDP.from_tabular(river_swim(40)),
    }[name]()
    policy = uniform_policy(mdp)
    values, visited = discounted_values(mdp, policy, discount), discounted_occupancy(mdp, policy, discount)
    within = values.error + visited.error * np.abs(mdp.rewards).max() / (1 - discount)
    assert mdp.initial @ values.values == pytest.approx(visited.occupancy @ mdp.rewards / (1 - discount), abs=within)
    scale = np.abs(mdp.rewards).max() / (1 - discount)
    assert values.error < 1e-9 * scale
    assert visited.error < 1e-9


def test_occupancies_of_loops():
    """The shortest ways of a taxi: deterministic, on which the Krylov method breaks down."""
    mdp = recorded_mdp("taxi")
    policy = backward_induction(FiniteHorizonMDP.stationary(mdp, 300), discount=0.99).policy[0]
    assert discounted_occupancy(mdp, policy, 0.99).error < 1e-11


def test_published_values_of_a_forest():
    """Wait, cut, wait: the numbers of pymdptoolbox's tests (BSD-3)."""
    burnt = [1.0, 0.0, 0.0]
    forest = TabularMDP(
        [[[0.1, 0.9, 0.0], burnt], [[0.1, 0.0, 0.9], burnt], [[0.1, 0.0, 0.9], burnt]], [[0, 0], [0, 1], [4, 2]]
    )
    found = discounted_values(forest, [1, 0, 0, 1, 1, 0], 0.9)
    np.testing.assert_allclose(found.values, [4.47513812154696, 5.02762430939227, 23.17243384704857], atol=1e-13)


def test_sweeps_take_over_where_the_krylov_method_fails(monkeypatch):
    import scipy.sparse.linalg

    mdp = SparseMDP.from_tabular(river_swim(8))
    expected = discounted_values(river_swim(8), uniform_policy(mdp), 0.95)
    monkeypatch.setattr(scipy.sparse.linalg, "bicgstab", lambda system, right, **_: (np.full_like(right, np.nan), -10))
    found = discounted_values(mdp, uniform_policy(mdp), 0.95)
    assert found.error < 1e-13
    np.testing.assert_allclose(found.values, expected.values, atol=found.error + expected.error)


def test_discounts_near_one_are_certified_as_far_as_float64_goes():
    found = discounted_values(river_swim(), uniform_policy(river_swim()), 1 - 1e-6)
    assert found.error < 1e-3  # values reach 1e4, and rounding is multiplied by a million
    for solver in (discounted_values, discounted_occupancy):
        with pytest.raises(ArithmeticError, match="too close to 1"):
            solver(river_swim(), uniform_policy(river_swim()), 1 - 2.0**-53)


@pytest.mark.parametrize("solver", [discounted_values, discounted_occupancy, policy_gradient, fisher_information])
def test_wrong_arguments_are_named(solver):
    mdp = river_swim(2)
    with pytest.raises(ValueError, match="discount is 1; it must be < 1"):
        solver(mdp, uniform_policy(mdp), 1)
    with pytest.raises(ValueError, match=r"discount is -0\.1"):
        solver(mdp, uniform_policy(mdp), -0.1)
    with pytest.raises(ValueError, match=r"policy sums to 0.5 in state 1"):
        solver(mdp, [1, 0, 0.5, 0], 0.9)
