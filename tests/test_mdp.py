"""Markov decision processes: what is accepted, what is refused and how, and that both forms are one process."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.jit import kernel
from rltheory.problems import MDP, SparseMDP, TabularMDP
from rltheory.problems.mdp import expectation

# Two states; the second has one action only.
LAWS = [[[0.5, 0.5], [0, 1]], [[0, 1], [np.nan, 7]]]
REWARDS = [[5, 10], [-1, np.nan]]
ALLOWED = [[True, True], [True, False]]
DENSE = TabularMDP(LAWS, REWARDS, allowed=ALLOWED, action_names=["left", "right"], title="two states")
SPARSE = {
    "first_choice": [0, 2, 3],
    "first_entry": [0, 2, 3, 4],
    "successors": [0, 1, 1, 1],
    "probabilities": [0.5, 0.5, 1, 1],
    "rewards": [5, 10, -1],
}


@kernel
def action_values(arrays, discount, values, out):
    for choice in range(out.size):
        out[choice] = arrays.rewards[choice] + discount * expectation(arrays, choice, values)


@st.composite
def processes(draw):
    """Small dense processes with states of one to three actions, and laws with zeros."""
    states, actions = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    laws = rng.dirichlet(np.ones(states), (states, actions)) * rng.integers(0, 2, (states, actions, states))
    laws[..., 0] += 1e-3
    laws /= laws.sum(axis=-1, keepdims=True)
    allowed = rng.random((states, actions)) < 0.7
    allowed[np.arange(states), rng.integers(0, actions, states)] = True
    return TabularMDP(laws, rng.normal(size=(states, actions, states)), allowed=allowed, initial=laws[0, 0])


def test_forbidden_actions_are_not_read():
    assert (DENSE.states, DENSE.choices) == (2, 3)
    np.testing.assert_array_equal(DENSE.first_choice, [0, 2, 3])
    np.testing.assert_array_equal(DENSE.state_of_choice, [0, 0, 1])
    np.testing.assert_array_equal(DENSE.rewards, [5, 10, -1])
    np.testing.assert_array_equal(DENSE.transition_matrix, [[0.5, 0.5], [0, 1], [0, 1]])
    assert DENSE.choice_names == ("left", "right", "left")
    np.testing.assert_array_equal(DENSE.initial, [0.5, 0.5])


def test_rewards_of_transitions_are_averaged():
    rewards = np.array([[[1.0, 3.0], [np.inf, 2.0]], [[0.0, 4.0], [0.0, 0.0]]])
    mdp = TabularMDP(LAWS, rewards, allowed=ALLOWED)
    np.testing.assert_array_equal(mdp.rewards, [2, 2, 4])


def test_sparse_form_is_the_dense_one():
    sparse = SparseMDP.from_tabular(DENSE)
    for name, values in SPARSE.items():
        np.testing.assert_array_equal(getattr(sparse.arrays, name), values)
    np.testing.assert_array_equal(sparse.transition_matrix.toarray(), DENSE.transition_matrix)
    assert sparse.choice_names == DENSE.choice_names
    assert sparse == SparseMDP(**SPARSE, choice_names=DENSE.choice_names)
    assert sparse != DENSE
    assert hash(sparse) == hash(SparseMDP.from_tabular(DENSE))
    assert sparse != SparseMDP(**SPARSE | {"rewards": [5, 10, 0]}, choice_names=DENSE.choice_names)


@given(mdp=processes(), discount=st.floats(0, 1))
def test_kernels_see_both_forms_alike(mdp, discount):
    values = np.linspace(-1, 2, mdp.states)
    expected = mdp.rewards + discount * mdp.transition_matrix @ values
    for form in (mdp, SparseMDP.from_tabular(mdp)):
        compiled = np.empty(mdp.choices)
        action_values(form.arrays, discount, values, compiled)
        np.testing.assert_allclose(compiled, expected, atol=1e-14)
        plain = [expectation(form.arrays, choice, values) for choice in range(mdp.choices)]
        np.testing.assert_allclose(mdp.rewards + discount * np.array(plain), expected, atol=1e-14)


def test_arrays_are_read_only():
    sparse = SparseMDP(**SPARSE)
    for array in (*DENSE.arrays, *sparse.arrays, DENSE.initial):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_table_names_states_and_actions():
    page = DENSE._repr_html_()
    assert "two states: 2 states, 3 choices" in page
    assert "<tr><th>0</th><td>right</td><td>10</td><td>1 1</td></tr>" in page
    long = SparseMDP(np.arange(31), np.arange(31), np.zeros(30, dtype=int), np.ones(30), np.zeros(30))
    assert "the first 20 choices shown" in long._repr_html_()
    assert "&lt;" in TabularMDP([[[1.0]]], [[0.0]], state_names=["<b>"])._repr_html_()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transitions": [[0.5, 0.5]]}, r"transitions has shape \(1, 2\); it must be \(S, A, S\)"),
        ({"transitions": np.ones((2, 2, 3)) / 3}, r"shape \(2, 2, 3\)"),
        ({"allowed": [[1, 1], [1, 0]]}, "it must be bool"),
        ({"allowed": [[True, True], [False, False]]}, "state 1 has no action"),
        (
            {"transitions": [[[0.5, 0.5], [0, 0.97]], LAWS[1]]},
            r"transitions\[0, 1\] sums to 0.97, .* off by -0.03",
        ),
        ({"transitions": [[[0.5, 0.5], [-0.1, 1.1]], LAWS[1]]}, r"transitions\[0, 1, 0\] is -0.1; it must lie"),
        ({"transitions": [[[0.5, np.nan], [0, 1]], LAWS[1]]}, r"transitions\[0, 0, 1\] is nan; it must be finite"),
        ({"rewards": [[5, np.inf], [-1, 0]]}, r"rewards\[0, 1\] is inf"),
        ({"rewards": [5, 10]}, r"rewards has shape \(2,\)"),
        ({"rewards": [[[0, np.nan], [0, 0]], [[0, 0], [0, 0]]]}, r"rewards\[0, 0, 1\] is nan"),
        ({"initial": [0.5, 0.4]}, "initial sums to 0.9"),
        ({"initial": [1.5, -0.5]}, r"initial\[1\] is -0.5"),
        ({"initial": [1.0]}, "initial has 1 entries for 2 states"),
        ({"state_names": ["a"]}, "state_names has 1 names for 2 states"),
        ({"action_names": ["a", "b", "c"]}, "action_names has 3 names for 2 actions"),
    ],
)
def test_wrong_dense_processes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        TabularMDP(**{"transitions": LAWS, "rewards": REWARDS, "allowed": ALLOWED} | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_choice": [0, 3, 3]}, "state 1 has 0 choices, by first_choice"),
        ({"first_choice": [1, 3]}, "first_choice must start with 0"),
        ({"first_choice": [0, 1, 2]}, "first_choice ends with 2; first_entry speaks of 3 choices"),
        ({"first_choice": [0.0, 2.0, 3.0]}, "it must be a list of integers"),
        ({"first_entry": [0, 2, 1, 4]}, "choice 1 has -1 successors"),
        ({"successors": [0, 1, 2, 1]}, r"successors\[2\] is 2; there are states 0 to 1"),
        ({"successors": [0, 0, 1, 1]}, r"successors\[1\] is 0 again in choice 0"),
        ({"successors": [0, 1, 1]}, "successors has 3 entries; first_entry ends with 4"),
        ({"probabilities": [0.5, 0.5, 1]}, "probabilities has 3 entries"),
        ({"probabilities": [0.5, 0.5, 0.9, 1]}, r"choice 1 \(number 1 of state 0\) sum to 0.9, which is off by -0.1"),
        ({"probabilities": [1.5, -0.5, 1, 1]}, r"probabilities\[0\], of choice 0 \(number 0 of state 0\), is 1.5"),
        ({"probabilities": [0.5, 0.5, np.nan, 1]}, r"probabilities\[2\] is nan"),
        ({"rewards": [5, 10]}, "rewards has 2 entries for 3 choices"),
        ({"choice_names": ["a"]}, "choice_names has 1 names for 3 choices"),
    ],
)
def test_wrong_sparse_processes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        SparseMDP(**SPARSE | change)


@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_processes_survive_as_data(form):
    """Numbers to the last bit, and names, also where actions are missing in some states."""
    laws = np.random.default_rng(0).dirichlet(np.ones(2), (2, 2))
    mdp = TabularMDP(laws, REWARDS, allowed=ALLOWED, initial=[0.3, 0.7], action_names=["b", "a"], title="two")
    mdp = mdp if form == "dense" else SparseMDP.from_tabular(mdp)
    again = MDP.from_data(json.loads(json.dumps(mdp.to_data())))
    assert again == mdp
    assert again.title == "two"
    for one, other in zip(again.arrays, mdp.arrays, strict=True):
        assert one.dtype == other.dtype
        assert not one.flags.writeable


ROWS = {"first_choice": [0, 2, 3], "transitions": [[0.5, 0.5], [0, 1], [0, 1]], "rewards": [5, 10, -1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_choice": [0, 3, 3]}, "state 1 has 0 choices"),
        ({"transitions": [[1.0]]}, r"transitions has shape \(1, 1\); first_choice asks for \(3, 2\)"),
        ({"transitions": [[0.5, 0.5], [0, 0.9], [0, 1]]}, r"transitions\[0, 1\] sums to 0.9"),
        ({"transitions": [[0.5, 0.5], [0, 1], [-1, 2]]}, r"transitions\[1, 0, 0\] is -1"),
        ({"rewards": [5, 10]}, "rewards has 2 entries for 3 choices"),
        ({"rewards": [5, np.nan, 1]}, r"rewards\[1\] is nan"),
        ({"initial": [0.5, 0.4]}, "initial sums to 0.9"),
    ],
)
def test_wrong_rows_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        TabularMDP.from_rows(**ROWS | change)


def test_rows_are_the_choices():
    assert TabularMDP.from_rows(**ROWS).transition_matrix.tolist() == ROWS["transitions"]
