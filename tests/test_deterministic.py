"""Deterministic processes are the sparse processes of the same laws, for kernels and for every solver."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory import solvers
from rltheory.problems import (
    MDP,
    DeterministicMDP,
    ExplicitModel,
    FiniteHorizonMDP,
    SparseMDP,
    from_gymnasium,
    read_drn,
    to_gymnasium,
    uniform_policy,
    write_drn,
)
from rltheory.problems.mdp import expectation, mark_successors
from rltheory.simulation import stream
from rltheory.theory.falsification import _coordinates, _moved
from tests.test_mdp import action_values


def ring(states=40, actions=3):
    """A random process in which all states can reach each other."""
    rng = stream(0, "test", "ring", states)
    successors = rng.integers(0, states, (states, actions))
    successors[:, 0] = (np.arange(states) + 1) % states
    allowed = rng.random((states, actions)) < 0.8
    allowed[:, 0] = True
    rewards = rng.integers(-3, 4, (states, actions)) / 2
    return DeterministicMDP(successors, rewards, allowed=allowed, initial=np.eye(states)[0])


@st.composite
def tables(draw, *, max_states=5, max_actions=3):
    states, actions = draw(st.integers(1, max_states)), draw(st.integers(1, max_actions))
    entries = states * actions
    successors = draw(st.lists(st.integers(0, states - 1), min_size=entries, max_size=entries))
    rewards = draw(st.lists(st.integers(-3, 3), min_size=entries, max_size=entries))
    return np.reshape(successors, (states, actions)), np.reshape(rewards, (states, actions)) / 2


@given(table=tables(), discount=st.floats(0, 1))
def test_kernels_see_the_sparse_form_alike(table, discount):
    mdp = DeterministicMDP(*table)
    sparse, values = mdp.as_sparse(), np.linspace(-1, 2, mdp.states)
    ours, theirs = np.empty(mdp.choices), np.empty(mdp.choices)
    action_values(mdp.arrays, discount, values, ours)
    action_values(sparse.arrays, discount, values, theirs)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(ours, mdp.rewards + discount * values[table[0].ravel()], atol=1e-15)
    np.testing.assert_array_equal(mdp.transition_matrix.toarray(), sparse.transition_matrix.toarray())
    assert expectation(mdp.arrays, 0, values) == values[table[0][0, 0]]
    for form in (mdp, sparse):
        marks = np.zeros(mdp.states, dtype=bool)
        mark_successors(form.arrays, 0, marks)
        assert np.flatnonzero(marks).tolist() == [table[0][0, 0]]


def staged(mdp):
    """Two stages, the second with other rewards."""
    if isinstance(mdp, DeterministicMDP):
        return FiniteHorizonMDP([mdp, DeterministicMDP.from_rows(mdp.first_choice, mdp.successors, mdp.rewards**2)])
    arrays = mdp.arrays
    entries = arrays.first_choice, arrays.first_entry.astype(int), arrays.successors, arrays.probabilities
    return FiniteHorizonMDP([mdp, SparseMDP(*entries, mdp.rewards**2)])


STAGES = 7
SOLVERS = {
    "value iteration": lambda m: solvers.value_iteration(m, 0.9).values,
    "Gauss-Seidel": lambda m: solvers.gauss_seidel(m, 0.9).values,
    "modified policy iteration": lambda m: solvers.modified_policy_iteration(m, 0.9).values,
    "policy iteration": lambda m: solvers.policy_iteration(m, 0.9).values,
    "linear program": lambda m: solvers.linear_program(m, 0.9).values,
    "the solver of choice": lambda m: solvers.solve(m, 0.999).values,
    "soft value iteration": lambda m: solvers.soft_value_iteration(m, 0.9, temperature=0.5).values,
    "soft policy iteration": lambda m: solvers.soft_policy_iteration(m, 0.9, temperature=0.5).values,
    "discounted values": lambda m: solvers.discounted_values(m, uniform_policy(m), 0.9).values,
    "discounted occupancy": lambda m: solvers.discounted_occupancy(m, uniform_policy(m), 0.9).occupancy,
    "occupancy optimum": lambda m: solvers.occupancy_optimum(m, 0.9).value,
    "policy gradient": lambda m: solvers.policy_gradient(m, uniform_policy(m), 0.9).gradient,
    "backward induction": lambda m: solvers.backward_induction(FiniteHorizonMDP.stationary(m, STAGES)).values,
    "stages that differ": lambda m: solvers.backward_induction(staged(m)).values,
    "soft induction": lambda m: solvers.soft_backward_induction(FiniteHorizonMDP.stationary(m, STAGES), 0.5).values,
    "finite-horizon values": lambda m: (
        solvers.finite_horizon_values(FiniteHorizonMDP.stationary(m, STAGES), uniform_policy(m)).values
    ),
    "finite-horizon occupancy": lambda m: (
        solvers.finite_horizon_occupancy(FiniteHorizonMDP.stationary(m, STAGES), uniform_policy(m)).occupancy
    ),
    "average policy iteration": lambda m: solvers.average_policy_iteration(m).gain,
    "relative value iteration": lambda m: solvers.relative_value_iteration(m).gain,
    "average linear program": lambda m: solvers.average_linear_program(m).gain,
    "gain and bias": lambda m: solvers.gain_and_bias(*solvers.induced_chain(m, uniform_policy(m))).bias,
    "reach probability": lambda m: solvers.reach_probability(m, np.arange(m.states) == 3).lower,
    "diameter": lambda m: solvers.diameter(m).steps,
}


@pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)
def test_solvers_take_the_deterministic_form(solve):
    """Both answers are accurate to 1e-6 or better."""
    mdp = ring()
    np.testing.assert_allclose(solve(mdp), solve(mdp.as_sparse()), atol=2e-6)


def test_there_and_back(tmp_path):
    mdp = ring(6)
    back = from_gymnasium(to_gymnasium(mdp))
    np.testing.assert_array_equal(back.transition_matrix.toarray(), mdp.transition_matrix.toarray())
    model, path = ExplicitModel(mdp, rewards={"reward": mdp.rewards}), tmp_path / "ring.drn"
    write_drn(model, path)
    assert read_drn(path).mdp.states == mdp.states
    np.testing.assert_array_equal(read_drn(path).mdp.rewards, mdp.rewards)


def test_form():
    mdp = DeterministicMDP(
        [[1, 7], [0, 1]], [[1, np.nan], [2, 3]], allowed=[[True, False], [True, True]], action_names=["go", "stay"]
    )
    assert (mdp.states, mdp.choices, mdp.most_successors, mdp.sum_deviation) == (2, 3, 1, 2.0**-52)
    assert mdp.choice_names == ("go", "go", "stay")
    assert mdp.state_of_choice.tolist() == [0, 1, 1]
    assert mdp == DeterministicMDP(
        [[1, 0], [0, 1]], [[1, 0], [2, 3]], allowed=[[True, False], [True, True]], action_names=["go", "stay"]
    )
    assert mdp != mdp.as_sparse()
    assert MDP.from_data(mdp.to_data()) == mdp
    assert mdp.with_rewards([5, 6, 7]).as_sparse() == mdp.as_sparse().with_rewards([5, 6, 7])
    kept = [True, False, True]
    assert mdp.with_choices(kept).as_sparse() == mdp.as_sparse().with_choices(kept)
    assert set(_coordinates(mdp, "mdp")) == {"mdp.rewards"}
    moved = _moved(mdp, {"mdp.rewards": np.array([1.0, 2.0, 4.0])}, "mdp")
    assert moved == mdp.with_rewards([1, 2, 4])
    assert "<td>go</td><td>1</td><td>1 1</td>" in mdp._repr_html_()
    for array in mdp.arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"successors": [0, 1]}, r"successors has type int64 and shape \(2,\); it must hold an integer for each of"),
        ({"successors": [[0.0], [1.0]]}, "successors has type float64"),
        ({"successors": [[0, -1], [1, 0]]}, r"successors\[0, 1\] is -1; there are states 0 to 1"),
        ({"successors": [[0, 1], [2, 0]]}, r"successors\[1, 0\] is 2; there are states 0 to 1"),
        ({"successors": np.zeros((0, 2), dtype=int)}, r"shape \(0, 2\)"),
        ({"rewards": [0, 1]}, r"rewards has shape \(2,\); it must be \(2, 2\)"),
        ({"rewards": [[0, 1], [np.nan, 0]]}, r"rewards\[1, 0\] is nan; every reward must be finite"),
        ({"allowed": [[True, True], [False, False]]}, "state 1 has no action"),
        ({"initial": [1.0]}, "initial has 1 entries for 2 states"),
        ({"action_names": ["a"]}, "action_names has 1 names for 2 actions"),
    ],
)
def test_wrong_processes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        DeterministicMDP(**{"successors": [[0, 1], [1, 0]], "rewards": [[0, 1], [1, 0]]} | change)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (([0, 2, 3], [1, 0], [5, 10, -1]), "successors has 2 entries for 3 choices"),
        (([0, 2, 3], [1, 0, 1], [5]), "rewards has 1 entries for 3 choices"),
        (([0, 2, 3], [1, 0, 2], [5, 10, -1]), r"successors\[2\] is 2; there are states 0 to 1"),
        (([0, 2, 2], [1, 0], [5, 10]), "state 1 has 0 choices, by first_choice"),
        (([0, 1], [0.0], [5]), "successors has type float64"),
        (([0, 1], [0], [np.nan]), r"rewards\[0\] is nan"),
    ],
)
def test_wrong_rows_are_named(rows, message):
    with pytest.raises(ValueError, match=message):
        DeterministicMDP.from_rows(*rows)
