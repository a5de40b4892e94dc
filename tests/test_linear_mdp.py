"""Linear processes and linear mixtures: what they make, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.instances import random_linear_mdp, river_swim
from rltheory.problems import FiniteHorizonMDP, LinearMDP, LinearMixtureMDP
from rltheory.simulation import fingerprint, stream
from rltheory.solvers import finite_horizon_values

# Two states, two actions; features in which signed measures make laws.
FEATURES = [[[1, 0], [0.5, 0.5]], [[0, 1], [1, 0]]]
MEASURES = [[0.25, 0.75], [1, 0]]
WEIGHTS = [1, -0.5]
MIXED = {
    "features": np.array([[[[1, 0]], [[0, 1]]], [[[0, 1]], [[1, 0]]]]),
    "weights": [0.25, 0.75],
    "rewards": [[0], [1]],
}


def test_laws_and_rewards_by_hand():
    mdp = LinearMDP(FEATURES, MEASURES, WEIGHTS, initial=[1, 0], title="two states").tabular
    np.testing.assert_array_equal(mdp.transition_matrix, [[0.25, 0.75], [0.625, 0.375], [1, 0], [0.25, 0.75]])
    np.testing.assert_array_equal(mdp.rewards, [1, 0.25, -0.5, 1])
    np.testing.assert_array_equal(mdp.initial, [1, 0])
    mixture = LinearMixtureMDP(**MIXED, initial=[0, 1]).tabular
    np.testing.assert_array_equal(mixture.transition_matrix, [[0.25, 0.75], [0.75, 0.25]])
    np.testing.assert_array_equal(mixture.rewards, [0, 1])
    np.testing.assert_array_equal(mixture.initial, [0, 1])


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 3), st.integers(1, 5))
def test_random_linear_processes_have_linear_action_values(seed, states, actions, dimension):
    """The property that the theory rests on: the action values of any policy are linear in the features."""
    linear = random_linear_mdp(np.random.default_rng(seed), states, actions, dimension)
    assert ((linear.tabular.rewards >= 0) & (linear.tabular.rewards <= 1)).all()
    policy = np.random.default_rng(seed).dirichlet(np.ones(actions), states).ravel()
    values = finite_horizon_values(FiniteHorizonMDP.stationary(linear.tabular, 3), policy)
    features = linear.features.reshape(-1, dimension)
    for stage in range(3):
        coefficients = linear.weights + linear.measures @ values.values[stage + 1]
        np.testing.assert_allclose(values.action_values[stage], features @ coefficients, atol=1e-13)


def test_rounding_below_zero_is_taken_for_zero():
    """Turned into four dimensions, features make the same laws, but zeros and ones come out as rounding."""
    turn = np.linalg.qr(stream(0, "test", "basis").normal(size=(4, 4)))[0][:2]
    features, measures = np.array(FEATURES) @ turn, turn.T @ MEASURES
    laws = features @ measures
    assert ((laws < 0) | (laws > 1)).any()
    mdp = LinearMDP(features, measures, turn.T @ WEIGHTS).tabular
    expected = LinearMDP(FEATURES, MEASURES, WEIGHTS).tabular
    np.testing.assert_allclose(mdp.transition_matrix, expected.transition_matrix, atol=1e-15)
    assert (mdp.transition_matrix >= 0).all()


def test_tabular_processes_are_linear():
    swim = river_swim(4)
    linear = LinearMDP(np.eye(8).reshape(4, 2, 8), swim.transition_matrix, swim.rewards)
    np.testing.assert_array_equal(linear.tabular.transition_matrix, swim.transition_matrix)
    mixture = LinearMixtureMDP(swim.transition_matrix.reshape(1, 4, 2, 4), [1], swim.rewards.reshape(4, 2))
    np.testing.assert_array_equal(mixture.tabular.transition_matrix, swim.transition_matrix)


def test_linear_processes_are_values():
    linear = LinearMDP(FEATURES, MEASURES, WEIGHTS, title="two")
    assert linear == LinearMDP(FEATURES, MEASURES, WEIGHTS)
    assert linear != LinearMDP(FEATURES, MEASURES, [1, 0])
    assert hash(linear) == hash(LinearMDP(FEATURES, MEASURES, WEIGHTS))
    assert fingerprint(linear) == fingerprint(LinearMDP(FEATURES, MEASURES, WEIGHTS))
    assert LinearMixtureMDP(**MIXED) == LinearMixtureMDP(**MIXED)
    assert (str(linear), linear.dimension) == ("two, dimension 2", 2)
    assert repr(linear) == "<LinearMDP two: dimension 2, 2 states, 4 choices>"
    for array in (linear.features, linear.measures, linear.weights, LinearMixtureMDP(**MIXED).features):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": [[1, 0]]}, r"features has shape \(1, 2\); it must have 3 dimensions"),
        ({"measures": [[1, 0]]}, r"measures has shape \(1, 2\) and weights \(2,\); .* must be \(2, 2\) and \(2,\)"),
        ({"weights": [1]}, r"weights \(1,\)"),
        ({"features": 2 * np.array(FEATURES)}, r"features\[0, 0\] has norm 2; it must be <= 1"),
        ({"weights": [2, 2]}, r"weights has norm 2\.828.*; it must be <= sqrt\(d\) = 1\.41421"),
        ({"measures": [[2, -1], [1, 0]]}, r"total absolute measures has norm 3\.16.*; it must be <= sqrt"),
        ({"measures": [[0.25, 0.7], [1, 0]]}, r"transitions\[0, 0\] sums to 0\.95"),
        (
            {"features": [[[1, 0], [1, 0]]] * 2, "measures": [[1.125, -0.125], [0, 0]]},
            r"transitions\[0, 0, 0\] is 1\.125; it must lie in",
        ),
        ({"weights": [np.nan, 0]}, r"weights\[0\] is nan"),
    ],
)
def test_wrong_linear_processes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        LinearMDP(**{"features": FEATURES, "measures": MEASURES, "weights": WEIGHTS} | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.eye(2)}, "it must have 4 dimensions"),
        ({"weights": [1.0]}, r"weights has shape \(1,\) for features of shape \(2, 2, 1, 2\)"),
        ({"weights": [1.25, -0.25]}, r"transitions\[0, 0, 0\] is 1\.25"),
        ({"weights": [0.25, 0.25]}, r"transitions\[0, 0\] sums to 0\.5"),
        ({"rewards": [0, 1]}, r"rewards has shape \(2,\)"),
    ],
)
def test_wrong_mixtures_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        LinearMixtureMDP(**MIXED | change)


def test_plain_data_makes_the_same_process():
    """Bit for bit, through JSON."""
    rng = np.random.default_rng(0)
    linear = random_linear_mdp(rng, 3, 2, 2)
    bases = rng.dirichlet(np.ones(3), (2, 3, 2))
    mixture = LinearMixtureMDP(bases, [0.3, 0.7], rng.random((3, 2)), initial=[0.5, 0.5, 0], title="mixture")
    for problem in (linear, mixture):
        again = type(problem).from_data(json.loads(json.dumps(problem.to_data())))
        assert again == problem
        assert again.tabular == problem.tabular
        assert again.tabular.title == problem.tabular.title
