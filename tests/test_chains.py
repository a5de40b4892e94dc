"""Markov chains against rational arithmetic, published answers and hard instances; end components by enumeration."""

import json
from fractions import Fraction
from itertools import product
from math import gcd
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from rltheory.problems import SparseMDP, TabularMDP
from rltheory.solvers import (
    MarkovChain,
    deviation_matrix,
    end_components,
    gain_and_bias,
    hitting_times,
    induced_chain,
    is_communicating,
    is_unichain,
    is_weakly_communicating,
    mixing_time,
    stationary_laws,
)
from tests import exact_chains as exact

ANSWERS = json.loads((Path(__file__).parent / "data" / "average_reward.json").read_text(encoding="utf-8"))
TWO_STATES = MarkovChain([[0.5, 0.5], [0.25, 0.75]])


def both_forms(matrix):
    return MarkovChain(matrix), MarkovChain(csr_array(matrix))


def birth_death(states, up, down):
    """Rows up and down the line, with what remains staying."""
    laws = np.diag(np.full(states - 1, up), 1) + np.diag(np.full(states - 1, down), -1)
    return laws + np.diag(1 - laws.sum(axis=1))


@given(matrix=exact.chains())
def test_classes_are_those_of_the_definition(matrix):
    truth = exact.recurrent_classes(exact.laws(matrix))
    for chain in both_forms(matrix):
        assert [tuple(states) for states in chain.recurrent_classes] == truth
        assert sorted([*chain.transient, *(s for states in truth for s in states)]) == list(range(chain.states))


@given(matrix=exact.chains())
def test_stationary_laws_keep_their_certificate(matrix):
    truth = exact.limiting(exact.laws(matrix))
    for chain in both_forms(matrix):
        found = stationary_laws(chain)
        for k, states in enumerate(chain.recurrent_classes):
            law = exact.fractions(found.laws[k])
            error = sum(abs(p - q) for p, q in zip(law, truth[states[0]], strict=True))
            assert error <= found.law_error
            for s in range(chain.states):
                ends = sum(truth[s][t] for t in states)
                assert abs(Fraction(float(found.absorption[s, k])) - ends) <= found.absorption_error
        # Classes of five states that are left with probability 1/16 at least: nothing here is badly conditioned.
        assert found.law_error < 1e-10
        assert found.absorption_error < 1e-10


@given(matrix=exact.chains(), data=st.data())
def test_gain_and_bias_keep_their_certificate(matrix, data):
    rewards = np.array(data.draw(st.lists(st.sampled_from([-1, 0, 1 / 3, 2]), min_size=len(matrix), max_size=99)))
    rewards = rewards[: len(matrix)]
    gain, bias = exact.gain_and_bias(exact.laws(matrix), exact.fractions(rewards))
    for chain in both_forms(matrix):
        found = gain_and_bias(chain, rewards)
        for s in range(chain.states):
            assert Fraction(float(found.lower[s])) <= gain[s] <= Fraction(float(found.upper[s]))
            assert found.lower[s] <= found.gain[s] <= found.upper[s]
            assert abs(Fraction(float(found.bias[s])) - bias[s]) <= found.bias_error
        assert (found.upper - found.lower).max() < 1e-10
        assert found.bias_error < 1e-8


@given(matrix=exact.chains())
def test_deviation_matrix_keeps_its_certificate(matrix):
    truth = exact.laws(matrix)
    for chain in both_forms(matrix):
        found = deviation_matrix(chain)
        errors = [
            abs(Fraction(float(x)) - y)
            for mine, row in zip(found.deviation, exact.deviation(truth), strict=True)
            for x, y in zip(mine, row, strict=True)
        ]
        assert max(errors) <= found.error < 1e-8
        np.testing.assert_allclose(found.limiting, np.array(exact.limiting(truth), dtype=float), atol=1e-12)
        inverse = np.eye(chain.states) - matrix + found.limiting
        np.testing.assert_allclose(found.fundamental @ inverse, np.eye(chain.states), atol=1e-10)


@given(matrix=exact.chains(), data=st.data())
def test_hitting_times_keep_their_certificate(matrix, data):
    target = data.draw(st.sets(st.integers(0, len(matrix) - 1), min_size=1))
    truth = exact.hitting_times(exact.laws(matrix), target)
    for chain in both_forms(matrix):
        found = hitting_times(chain, target)
        for s, time in enumerate(truth):
            if time is None:
                assert found.times[s] == found.lower[s] == found.upper[s] == np.inf
            else:
                assert Fraction(float(found.lower[s])) <= time <= Fraction(float(found.upper[s]))
                assert found.upper[s] - found.lower[s] <= 1e-9 * found.times[s]


@settings(max_examples=40)
@given(matrix=exact.chains(max_states=4), level=st.sampled_from([0.25, 0.125, 0.01]))
def test_mixing_time_is_that_of_exact_powers(matrix, level):
    truth, chain = exact.laws(matrix), MarkovChain(matrix)
    classes = exact.recurrent_classes(truth)
    # A period divides every return time; four states have aperiodic powers that are positive on the class by then.
    returns = [t for t in range(1, 14) if (np.linalg.matrix_power(matrix, t)[classes[0][0]] > 0)[classes[0][0]]]
    if len(classes) > 1 or gcd(*returns) > 1:
        with pytest.raises(ValueError, match="it never mixes"):
            mixing_time(chain, level)
        return
    stationary = exact.limiting(truth)[0]
    power = [[Fraction(int(i == j)) for j in range(len(truth))] for i in range(len(truth))]
    time = 0
    while max(sum(abs(p - q) for p, q in zip(row, stationary, strict=True)) for row in power) / 2 > Fraction(level):
        power = [[exact.dot(row, column) for column in zip(*truth, strict=True)] for row in power]
        time += 1
    found = mixing_time(chain, level)
    assert found.lower <= time <= found.upper <= found.lower + 1


def test_distance_at_the_level_is_undecided_by_one_step():
    """Lazy swaps of two states: the distance is 1/2 to the power t + 1, exactly."""
    found = mixing_time(MarkovChain([[0.75, 0.25], [0.25, 0.75]]), 0.125)
    assert (found.lower, found.upper) == (2, 3)


def test_mixing_of_a_lazy_cycle_and_of_one_state():
    assert mixing_time(MarkovChain([[1.0]])).upper == 0
    cycle = (np.eye(64) + np.roll(np.eye(64), 1, axis=1)) / 2
    found = mixing_time(MarkovChain(cycle))
    powers = [
        np.abs(np.linalg.matrix_power(cycle, t) - 1 / 64).sum(axis=1).max() / 2 for t in (found.lower - 1, found.upper)
    ]
    assert powers[0] > 0.25 >= powers[1]
    with pytest.raises(ValueError, match="the chain has period 64"):
        mixing_time(MarkovChain(np.roll(np.eye(64), 1, axis=1)))


@pytest.mark.parametrize("case", ANSWERS["stationary_laws"], ids=lambda case: case["name"])
def test_published_stationary_laws(case):
    found = stationary_laws(MarkovChain(case["transitions"]))
    np.testing.assert_allclose(found.laws, case["laws"], atol=1e-12)


def test_gamblers_ruin():
    """From k of 20 a fair game ends with probability k / 20 at the top, after k (20 - k) steps."""
    laws = birth_death(21, 0.5, 0.5)
    laws[[0, -1]] = np.eye(21)[[0, -1]]
    for chain in both_forms(laws):
        k = np.arange(21)
        np.testing.assert_allclose(stationary_laws(chain).absorption[:, 1], k / 20, atol=1e-13)
        np.testing.assert_allclose(hitting_times(chain, [0, 20]).times, k * (20 - k), rtol=1e-12)
        assert np.isinf(hitting_times(chain, 20).times[:-1]).all()
        found = gain_and_bias(chain, np.eye(21)[20])
        for s in k:
            assert Fraction(float(found.lower[s])) <= Fraction(int(s), 20) <= Fraction(float(found.upper[s]))
        # Inside, the bounds also pay for the residual there, times as many steps.
        for below in (found.gain - found.lower, found.upper - found.gain):
            assert 10 * below[20] < below[10] < 1e-10


def test_a_drift_that_leaves_the_first_state_once_in_1e40_steps():
    """Up with 7 times the probability of down: the law is geometric, and no reference state at the bottom would do."""
    for chain in both_forms(birth_death(50, 0.35, 0.05)):
        found = stationary_laws(chain)
        expected = 7.0 ** np.arange(-49, 1) * (1 - 1 / 7)
        np.testing.assert_allclose(found.laws[0], expected, atol=found.law_error, rtol=1e-12)
        assert found.law_error < 1e-10


def test_states_that_are_hardly_ever_left_keep_their_law():
    """1 - 1e-17 rounds to 1; the probabilities of leaving tell the law all the same."""
    chain = MarkovChain([[1.0, 1e-17], [2e-17, 1.0]])
    with pytest.raises(ArithmeticError, match="beyond what float64 can certify"):
        stationary_laws(chain)
    found = stationary_laws(MarkovChain([[1 - 1e-9, 1e-9], [2e-9, 1 - 2e-9]]))
    np.testing.assert_allclose(found.laws, [[2 / 3, 1 / 3]], rtol=1e-15)
    assert 1e-9 < found.law_error < 1e-5


def test_large_sparse_chain():
    """A ring of 20 000 states, lazily clockwise: uniform law, hitting times twice the way."""
    states = 20_000
    here = np.arange(states)
    ring = csr_array((np.full(2 * states, 0.5), (np.tile(here, 2), np.append(here, (here + 1) % states))))
    chain = MarkovChain(ring)
    np.testing.assert_allclose(stationary_laws(chain).laws, 1 / states, rtol=1e-9)
    np.testing.assert_allclose(hitting_times(chain, 0).times, np.append(0, 2.0 * (states - here[1:])), rtol=1e-9)


@pytest.mark.parametrize(
    ("transitions", "message"),
    [
        ([[0.5, 0.5]], r"transitions has shape \(1, 2\); it must be \(S, S\)"),
        ([0.5, 0.5], "it must have 2 dimensions"),
        (np.empty((0, 0)), r"transitions has shape \(0, 0\)"),
        ([[0.5, 0.5], [-0.5, 1.5]], r"transitions\[1, 0\] is -0.5; it must lie in \[0, 1\]"),
        ([[0.5, 0.5], [0.5, np.nan]], r"transitions\[1, 1\] is nan"),
        ([[0.5, 0.5], [0.5, 0.4]], r"transitions\[1\] sums to 0.9; expected 1 within 1e-09"),
        (csr_array([[0.5, 0.5], [-0.5, 1.5]]), r"transitions\[1, 0\] is -0.5"),
        (csr_array([[0.5, 0.5], [0.5, np.nan]]), r"transitions\[1, 1\] is nan"),
        (csr_array([[0.5, 0.5], [0.5, 0.4]]), r"transitions\[1\] sums to 0.9"),
    ],
)
def test_wrong_chains_are_named(transitions, message):
    with pytest.raises(ValueError, match=message):
        MarkovChain(transitions)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gain_and_bias(TWO_STATES, [1.0]), "rewards has 1 entries for 2 states"),
        (lambda: gain_and_bias(TWO_STATES, [1.0, np.inf]), r"rewards\[1\] is inf"),
        (lambda: hitting_times(TWO_STATES, 2), "target names state 2; there are states 0 to 1"),
        (lambda: hitting_times(TWO_STATES, []), "it must be a state, or several"),
        (lambda: hitting_times(TWO_STATES, [0.5]), "it must be a state, or several"),
        (lambda: mixing_time(TWO_STATES, 0.0), "level is 0.0; it must lie strictly between 0 and 1"),
        (lambda: mixing_time(TWO_STATES, 1.5), r"level is 1.5; it must lie in \[0, 1\]"),
        (lambda: mixing_time(MarkovChain(np.eye(2))), "the chain has 2 recurrent classes; it never mixes"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_powers_that_float64_cannot_certify():
    with pytest.raises(ArithmeticError, match="float64 can certify no longer powers"):
        mixing_time(MarkovChain([[1 - 1e-13, 1e-13], [1e-13, 1 - 1e-13]]), 1e-2)


@given(mdp=exact.processes())
def test_end_components_are_where_policies_stay(mdp):
    """Two states share a component if a policy, which may mix choices, has both in one recurrent class."""
    every = exact.laws(mdp.transition_matrix)
    ranges = [range(a, b) for a, b in zip(mdp.first_choice[:-1], mdp.first_choice[1:], strict=True)]
    supports = [[s for s in product([False, True], repeat=len(choices)) if any(s)] for choices in ranges]
    together, internal = set(), set()
    for used in product(*supports):
        chosen = [
            [c for c, on in zip(choices, mask, strict=True) if on] for choices, mask in zip(ranges, used, strict=True)
        ]
        chain = [[sum(every[c][t] for c in choices) / len(choices) for t in range(mdp.states)] for choices in chosen]
        for states in exact.recurrent_classes(chain):
            together |= set(product(states, repeat=2))
            internal |= {c for s in states for c in chosen[s]}
    for form in (mdp, SparseMDP.from_tabular(mdp)):
        found = end_components(form)
        label = found.component
        assert {(s, t) for s, t in product(range(mdp.states), repeat=2) if label[s] == label[t] >= 0} == together
        assert set(np.flatnonzero(found.internal)) == internal
        assert list(dict.fromkeys(label[label >= 0])) == list(range(found.count))


@given(mdp=exact.processes())
def test_classification_is_that_of_all_policies(mdp):
    every = exact.laws(mdp.transition_matrix)
    classes = [exact.recurrent_classes([every[c] for c in policy]) for policy in exact.deterministic_policies(mdp)]
    assert is_unichain(mdp) == all(len(found) == 1 for found in classes)
    owner = mdp.state_of_choice
    union = [
        [sum(every[c][t] for c in np.flatnonzero(owner == s)) for t in range(mdp.states)] for s in range(mdp.states)
    ]
    reach = exact.reachable(union)
    assert is_communicating(mdp) == all(map(all, reach))
    visited = {s for found in classes for states in found for s in states}
    assert is_weakly_communicating(mdp) == all(reach[s][t] for s, t in product(visited, repeat=2))


def test_unichain_needs_two_disjoint_cycles_to_fail():
    """Deterministic rings in which each state may also go back; the two-cycles at both ends are disjoint."""
    for states, expected in ((2, True), (3, True), (4, False), (9, False)):
        here = np.arange(states)
        laws = np.stack([np.eye(states)[(here + 1) % states], np.eye(states)[(here - 1) % states]], axis=1)
        assert is_unichain(TabularMDP(laws, np.zeros((states, 2)))) is expected


def test_components_are_numbered_by_their_first_states():
    """Whatever order the search for strongly connected components takes."""
    mdp = TabularMDP(np.eye(4)[[2, 1, 2, 2]][:, None], np.zeros((4, 1)))
    assert end_components(mdp).component.tolist() == [-1, 0, 1, -1]


def test_listed_zeros_lead_nowhere():
    mdp = SparseMDP([0, 1, 2], [0, 2, 3], [0, 1, 1], [1.0, 0.0, 1.0], [0, 0])
    assert end_components(mdp).count == 2
    chain, _ = induced_chain(mdp, [0, 1])
    assert len(chain.recurrent_classes) == 2
