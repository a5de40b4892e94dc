"""Value iteration, with and without errors, against plain restatements and closed forms."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltheory.algorithms import value_iteration
from rltheory.algorithms.discounted.value_iteration import iterate
from rltheory.instances import garnet, inventory, river_swim
from rltheory.problems import SparseMDP
from rltheory.simulation import stream
from tests.exact_mdps import exact, exact_laws, mdps, state_choices

# Some hundred roundings of numbers up to 10.
ABSOLUTE = 1e-12


def plain_backup(mdp, discount, values):
    """T v and the first best choices, one choice after the other, in exact arithmetic."""
    discount = Fraction(discount)
    worth = [
        reward + discount * sum(law * values) for reward, law in zip(exact(mdp.rewards), exact_laws(mdp), strict=True)
    ]
    made = [max(choices, key=lambda c: (worth[c], -c)) for choices in state_choices(mdp)]
    return np.array([worth[c] for c in made]), made


@settings(max_examples=30)
@given(mdp=mdps(), data=st.data())
def test_iterates_are_the_plain_ones(mdp, data):
    eighths = st.lists(st.integers(-8, 8), min_size=mdp.states, max_size=mdp.states).map(lambda k: np.array(k) / 8)
    start, errors = data.draw(eighths), np.array(data.draw(st.lists(eighths, min_size=1, max_size=3)))
    backups = data.draw(st.integers(1, 3))
    trace = value_iteration(mdp, 0.75, iterations=5, backups=backups, start=start, errors=errors)
    np.testing.assert_array_equal(trace.times, np.arange(6))
    values = exact(start)
    for k in range(6):
        np.testing.assert_allclose(trace["values"][k], values.astype(float), atol=ABSOLUTE)
        backed_up, _ = plain_backup(mdp, 0.75, values)
        np.testing.assert_allclose(trace["backed_up"][k], backed_up.astype(float), atol=ABSOLUTE)
        # Rounding may break ties either way; the choice is one of the best, and the one that is backed up.
        made = trace["made"][k]
        worth = exact(mdp.rewards) + Fraction(0.75) * exact_laws(mdp) @ values
        np.testing.assert_allclose(worth[made].astype(float), backed_up.astype(float), atol=ABSOLUTE)
        for _ in range(backups):
            values = exact(mdp.rewards)[made] + Fraction(0.75) * exact_laws(mdp)[made] @ values
        values = values + exact(errors[k % len(errors)])


def test_ties_go_to_the_first_choice():
    trace = value_iteration(river_swim(3), 0.9, iterations=0)
    assert trace["made"].tolist() == [[0, 2, 5]]


def test_many_backups_evaluate_the_policy():
    mdp, discount = inventory(), 0.5
    trace = value_iteration(mdp, discount, iterations=1, backups=200)
    made = trace["made"][0]
    own = np.linalg.solve(np.eye(mdp.states) - discount * mdp.transition_matrix[made], mdp.rewards[made])
    np.testing.assert_allclose(trace["values"][1], own, atol=ABSOLUTE)


def test_long_runs_record_some_times_only():
    """What lies between recorded times is walked all the same, errors included."""
    errors = np.arange(21.0).reshape(7, 3) / 100
    trace = value_iteration(river_swim(3), 0.9, iterations=1000, errors=errors)
    assert trace.times[-1] == 1000
    assert trace.times.size < 160
    values = np.zeros(3)
    for k in range(1000):
        worth = river_swim(3).rewards + 0.9 * river_swim(3).transition_matrix @ values
        values = worth.reshape(3, 2).max(axis=1) + errors[k % 7]
    np.testing.assert_allclose(trace["values"][-1], values, atol=ABSOLUTE)


def test_compiled_iteration_is_the_python_one():
    mdp = garnet(stream(0, "test value iteration"), 6, 3, 2)
    sides = []
    for run in (iterate, iterate.py_func):
        values, made = np.linspace(0, 1, 6), np.empty(6, dtype=np.int64)
        run(mdp.arrays, 0.9, 2, np.full((1, 6), 0.1), 0, 3, values, np.empty(6), made)
        sides.append(np.concatenate([values, made]))
    np.testing.assert_allclose(*sides, atol=1e-14)


def test_dense_and_sparse_agree():
    mdp = inventory()
    dense, sparse = (value_iteration(form, 0.9, iterations=50) for form in (mdp, SparseMDP.from_tabular(mdp)))
    np.testing.assert_allclose(dense["values"], sparse["values"], atol=ABSOLUTE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"discount": 1.0}, "discount is 1; it must be < 1"),
        ({"iterations": -1}, "iterations is -1; it must be >= 0"),
        ({"backups": 0}, "backups is 0; it must be >= 1"),
        ({"start": [0.0]}, "start has 1 entries for 3 states"),
        ({"start": [0.0, np.nan, 0.0]}, r"start\[1\] is nan"),
        ({"errors": [[0.0]]}, r"errors has shape \(1, 1\); it must have a row at least, and 3 columns"),
        ({"errors": np.empty((0, 3))}, r"errors has shape \(0, 3\)"),
        ({"errors": [0.0, 0.0, 0.0]}, r"errors has shape \(3,\)"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        value_iteration(river_swim(3), **{"discount": 0.9, "iterations": 1} | change)
