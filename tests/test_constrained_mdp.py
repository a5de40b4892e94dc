"""Processes with several rewards or budgets: their numbers, what makes them equal, and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.problems import ConstrainedMDP, SparseMDP, TabularMDP, VectorRewardMDP
from rltheory.solvers import discounted_values
from tests.exact_mdps import mdps, policies_of

ARMS = TabularMDP([[[1.0], [1.0]]], [[5, 6]], title="two arms")
PAIR = VectorRewardMDP(ARMS, [[1, 0], [0, 3]], names=["speed", "comfort"])


@given(data=st.data(), mdp=mdps())
def test_values_are_linear_in_the_rewards(data, mdp):
    rewards = np.array([data.draw(st.lists(st.integers(-3, 3), min_size=mdp.choices, max_size=mdp.choices))] * 2)
    rewards[1] = rewards[1] ** 2
    weights, policy = [0.5, -2.0], data.draw(policies_of(mdp))
    problem = VectorRewardMDP(mdp, rewards)
    values = [discounted_values(problem.component(k), policy, 0.5).values for k in range(2)]
    weighted = discounted_values(problem.weighted(weights), policy, 0.5).values
    np.testing.assert_allclose(weighted, weights @ np.array(values), atol=1e-12)


@given(mdp=mdps())
def test_other_rewards_change_nothing_else(mdp):
    doubled = mdp.with_rewards(2 * mdp.rewards)
    assert type(doubled) is type(mdp)
    assert (doubled == mdp) == (not mdp.rewards.any())
    assert doubled.with_rewards(mdp.rewards) == mdp
    for kept, other in zip(mdp.arrays, doubled.arrays, strict=True):
        assert kept is mdp.rewards or kept is other
    np.testing.assert_array_equal(doubled.rewards, 2 * mdp.rewards)
    np.testing.assert_array_equal(doubled.arrays.rewards, 2 * mdp.rewards)
    assert not doubled.rewards.flags.writeable


def test_problems_are_values():
    again = VectorRewardMDP(ARMS, [[1, 0], [0, 3]], names=["speed", "comfort"])
    assert again == PAIR
    assert hash(again) == hash(PAIR)
    assert VectorRewardMDP(ARMS, [[1, 0], [0, 3]]) != PAIR
    assert VectorRewardMDP(SparseMDP.from_tabular(ARMS), [[1, 0], [0, 3]], names=PAIR.names) != PAIR
    constrained = ConstrainedMDP(PAIR, [[1, 0]], [0.5])
    assert constrained == ConstrainedMDP(PAIR, [[1, 0]], [0.5])
    for other in (
        ConstrainedMDP(PAIR, [[1, 0]], [0.25]),
        ConstrainedMDP(ARMS, [[1, 0]], [0.5]),
        ConstrainedMDP(PAIR, [[1, 1]], [0.5]),
        PAIR,
    ):
        assert constrained != other
    assert str(constrained) == "two arms, 2 objectives, 1 budgets"
    assert repr(PAIR) == "<VectorRewardMDP two arms, 2 objectives>"
    for array in (PAIR.rewards, constrained.costs, constrained.budgets):
        assert not array.flags.writeable
    assert constrained.mdp is ARMS
    assert PAIR.names == ("speed", "comfort")
    assert constrained.names == ("0",)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: VectorRewardMDP(ARMS, [[1, 0, 0]]),
            r"rewards has shape \(1, 3\); it must have a column for each of 2",
        ),
        (lambda: VectorRewardMDP(ARMS, np.zeros((0, 2))), r"rewards has shape \(0, 2\)"),
        (lambda: VectorRewardMDP(ARMS, [[np.nan, 0]]), r"rewards\[0, 0\] is nan; every entry must be finite"),
        (lambda: VectorRewardMDP(ARMS, [[1, 0]], names=["a", "b"]), "names has 2 names for 1 objectives"),
        (lambda: PAIR.component(2), "objective is 2; there are objectives 0 to 1"),
        (lambda: PAIR.component(-1), "objective is -1"),
        (lambda: PAIR.weighted([1]), "weights has 1 entries for 2 objectives"),
        (lambda: PAIR.weighted([np.inf, 0]), r"weights\[0\] is inf"),
        (lambda: ConstrainedMDP(ARMS, [[1, 1, 1]], [1]), r"costs has shape \(1, 3\); it must have a column"),
        (lambda: ConstrainedMDP(ARMS, [1, 1], [1]), r"costs has shape \(2,\); it must have 2 dimensions"),
        (lambda: ConstrainedMDP(ARMS, [[1, 1]], [1, 1]), "budgets has 2 entries for 1 costs"),
        (lambda: ConstrainedMDP(ARMS, [[1, 1]], [np.inf]), r"budgets\[0\] is inf"),
        (lambda: ConstrainedMDP(ARMS, [[1, 1]], [1], names=["a", "b"]), "names has 2 names for 1 costs"),
        (lambda: ARMS.with_rewards([1]), "rewards has 1 entries for 2 choices"),
        (lambda: ARMS.with_rewards([1, np.nan]), r"rewards\[1\] is nan"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
