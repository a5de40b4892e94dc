"""Policy iteration, with and without errors, against exact arithmetic and enumeration."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltheory.algorithms import policy_iteration
from rltheory.instances import garnet, river_swim
from rltheory.simulation import stream
from tests.exact_mdps import exact, exact_laws, mdps, state_choices

ABSOLUTE = 1e-11


def own_values(mdp, discount, made):
    laws = exact_laws(mdp).astype(float)[list(made)]
    return np.linalg.solve(np.eye(mdp.states) - discount * laws, mdp.rewards[list(made)])


@settings(max_examples=40)
@given(mdp=mdps(), data=st.data())
def test_ends_with_a_policy_that_none_beats(mdp, data):
    start = [data.draw(st.sampled_from(list(choices))) for choices in state_choices(mdp)]
    trace = policy_iteration(mdp, 0.75, iterations=100, start=start)
    every = [own_values(mdp, 0.75, made) for made in product(*state_choices(mdp))]
    np.testing.assert_allclose(trace.last("values"), np.max(every, axis=0), atol=ABSOLUTE)
    assert trace["made"][0].tolist() == start
    for made, values in zip(trace["made"], trace["values"], strict=True):
        np.testing.assert_allclose(values, own_values(mdp, 0.75, made), atol=ABSOLUTE)


@settings(max_examples=40)
@given(mdp=mdps(), data=st.data())
def test_improves_in_all_states_where_a_choice_is_better(mdp, data):
    eighths = st.lists(st.integers(-8, 8), min_size=mdp.states, max_size=mdp.states).map(lambda k: np.array(k) / 8)
    errors = np.array(data.draw(st.lists(eighths, min_size=1, max_size=3)))
    trace = policy_iteration(mdp, 0.75, iterations=4, errors=errors)
    assert trace.times.tolist() == [0, 1, 2, 3, 4]
    for k in range(4):
        made, after = trace["made"][k], trace["made"][k + 1]
        estimate = exact(trace["values"][k]) + exact(errors[k % len(errors)])
        worth = exact(mdp.rewards) + Fraction(0.75) * exact_laws(mdp) @ estimate
        for state, choices in enumerate(state_choices(mdp)):
            best = max(worth[c] for c in choices)
            assert best - worth[after[state]] <= ABSOLUTE
            # Nothing is given up for what is no better.
            assert after[state] == made[state] or worth[after[state]] > worth[made[state]]


def test_starts_with_the_largest_rewards():
    mdp = garnet(stream(0, "test policy iteration"), 5, 4, 2)
    made = policy_iteration(mdp, 0.9, iterations=0)["made"]
    assert made.tolist() == [(mdp.rewards.reshape(5, 4).argmax(axis=1) + 4 * np.arange(5)).tolist()]


def test_goes_on_with_errors_that_change_nothing():
    trace = policy_iteration(river_swim(3), 0.9, iterations=6, errors=np.zeros((1, 3)))
    assert trace.times.size == 7
    assert policy_iteration(river_swim(3), 0.9, iterations=6).times.size < 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"discount": -0.1}, "discount is -0.1"),
        ({"iterations": -1}, "iterations is -1; it must be >= 0"),
        ({"start": [0, 2]}, r"shape \(2,\); it must hold one integer for each of the 3 states"),
        ({"start": [0, 2, 3]}, r"is 3; the choices of state 2 are 4 to 5"),
        ({"start": [0.0, 2.0, 4.0]}, "type float64"),
        ({"errors": [[0.0]]}, r"errors has shape \(1, 1\)"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        policy_iteration(river_swim(3), **{"discount": 0.9, "iterations": 1} | change)
