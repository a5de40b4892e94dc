"""Laws of returns: against published files, against all sequences of actions in fractions, and where values merge."""

from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory.instances import river_swim
from rltheory.instances.effective_horizon import from_table
from rltheory.problems import DeterministicMDP, FiniteHorizonMDP, TabularMDP, read_bridge
from rltheory.solvers import reference_values, return_distributions
from tests.strategies import explorations, tables

DATA = Path(__file__).parent / "data" / "bridge"
HORIZONS = {"freeway_10_fs30": 10, "maze_easy_l0_30_fs1": 30, "MiniGrid-Empty-16x16-DistanceShaped-v0": 100}
FILES = [(name, stage) for name, stages in zip(HORIZONS, [(1, 5), (1, 15)], strict=False) for stage in stages]


def bridge(name):
    return FiniteHorizonMDP.stationary(read_bridge(DATA / name / "consolidated.npz"), HORIZONS[name])


@pytest.mark.parametrize(("name", "stage"), FILES)
def test_published_files_to_the_last_bit(name, stage):
    truth = np.load(DATA / name / f"consolidated_analyzed_value_dists_{stage}.npy")
    law = return_distributions(bridge(name)).laws[stage - 1]
    assert law.dtype == truth.dtype
    np.testing.assert_array_equal(law, truth)


@pytest.mark.parametrize("name", HORIZONS)
def test_means_are_values_and_probabilities_sum_to_one(name):
    """Each stage rounds probabilities a few times, and sums a few dozen: 1e-12 is plenty."""
    problem = bridge(name)
    found, means = return_distributions(problem), reference_values(problem).random
    assert len(found.laws) == problem.horizon
    assert found.displacement < 1e-12
    for stage, (values, probabilities) in enumerate(found.laws):
        np.testing.assert_allclose(probabilities.sum(axis=0), 1, rtol=0, atol=1e-12)
        np.testing.assert_allclose((values * probabilities).sum(axis=0), means[stage], rtol=0, atol=1e-11)


def enumerated_law(problem, policy, stage, state):
    """Law of the return by all sequences of choices."""
    mdp, law = problem.stages[0], {}
    options = problem.choices // problem.states
    for actions in product(range(options), repeat=problem.horizon - stage):
        at, total, probability = state, 0, Fraction(1)
        for step, action in enumerate(actions):
            choice = at * options + action
            probability *= Fraction(1, options) if policy is None else Fraction(policy[stage + step, choice])
            total, at = total + int(mdp.rewards[choice]), mdp.successors[choice]
        law[total] = law.get(total, 0) + probability
    return {value: probability for value, probability in law.items() if probability > 0}


@given(data=st.data())
def test_laws_are_those_of_all_sequences(data):
    problem = data.draw(tables(lowest=-2, most_stages=3))
    policy = data.draw(explorations(problem))
    found = return_distributions(problem, policy)
    assert found.displacement == 0
    for stage, law in enumerate(found.laws):
        for state in range(problem.states):
            values, probabilities = law[:, :, state]
            here = probabilities > 0
            truth = enumerated_law(problem, policy, stage, state)
            assert sorted(values[here]) == sorted(truth)
            for value, probability in zip(values[here], probabilities[here], strict=True):
                assert probability == pytest.approx(float(truth[value]), abs=1e-14)
            assert not values[~here].any()


def test_close_values_are_one_and_how_far_they_moved_is_told():
    """Of 0 and 6e-5 the later one is kept; with 12e-5 after it, 0 has moved by 12e-5."""
    found = return_distributions(from_table([[0, 0, 0]], [[0, 6e-5, 12e-5]], 1, ""))
    np.testing.assert_array_equal(found.laws[0][:, :, 0], [[12e-5], [1]])
    assert 12e-5 <= found.displacement <= 12.0001e-5


def test_values_farther_apart_are_two():
    (law,) = return_distributions(from_table([[0, 0]], [[0, 1.05e-4]], 1, "")).laws
    np.testing.assert_array_equal(law[:, :, 0], [[0, 1.05e-4], [0.5, 0.5]])


def test_displacements_add_up_over_stages():
    """At the first stage what is counted as 18e-5 may be the value 0, moved by 9e-5 at each stage."""
    found = return_distributions(from_table([[0, 0]], [[0, 9e-5]], 2, ""))
    assert found.laws[1].shape[1] == 1
    assert 18e-5 <= found.displacement <= 18.0001e-5


def test_deterministic_processes_of_any_storage():
    dense = TabularMDP(np.eye(2)[[[0, 1], [1, 0]]], [[0, 1], [2, 0]], initial=[1, 0])
    found, truth = (
        return_distributions(problem)
        for problem in (
            FiniteHorizonMDP.stationary(dense, 3),
            from_table([[0, 1], [1, 0]], [[0, 1], [2, 0]], 3, ""),
        )
    )
    for law, of_table in zip(found.laws, truth.laws, strict=True):
        np.testing.assert_array_equal(law, of_table)


@pytest.mark.parametrize(
    ("problem", "policy", "message"),
    [
        (FiniteHorizonMDP.stationary(river_swim(3), 3), None, r"choice 1 of stages\[0\] may lead to 2 states"),
        (
            FiniteHorizonMDP([DeterministicMDP([[0]], [[1]]), DeterministicMDP([[0]], [[2]])]),
            None,
            "stage 1 is another process than stage 0; all must be one, as FiniteHorizonMDP.stationary makes them",
        ),
        (
            FiniteHorizonMDP.stationary(DeterministicMDP.from_rows([0, 2, 3], [1, 0, 1], [5, 10, -1]), 2),
            None,
            "state 0 has 2 choices and state 1 has 1; each must have as many",
        ),
        (from_table([[0, 0]], [[0, 1]], 2, ""), [0.5, 0.6], "policy sums to 1.1 in state 0; expected 1"),
        (from_table([[0, 0]], [[0, 1]], 2, ""), np.ones((3, 2)) / 2, r"policy has shape \(3, 2\)"),
    ],
)
def test_wrong_arguments_are_named(problem, policy, message):
    with pytest.raises(ValueError, match=message):
        return_distributions(problem, policy)
