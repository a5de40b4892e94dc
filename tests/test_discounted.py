"""Solvers of discounted processes against exact rational answers, closed forms, and each other."""

import json
import math
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltheory.instances import garnet
from rltheory.problems import SparseMDP, TabularMDP, deterministic_policy
from rltheory.solvers import (
    bellman,
    discounted,
    discounted_values,
    gauss_seidel,
    linear_program,
    modified_policy_iteration,
    occupancy,
    policy_iteration,
    soft_discounted,
    soft_gauss_seidel,
    soft_modified_policy_iteration,
    soft_policy_iteration,
    soft_value_iteration,
    solve,
    value_iteration,
)

ITERATIVE = [value_iteration, gauss_seidel, modified_policy_iteration, policy_iteration, solve]
SOLVERS = [*ITERATIVE, linear_program]
SOFT = [soft_value_iteration, soft_gauss_seidel, soft_modified_policy_iteration, soft_policy_iteration]
ANSWERS = json.loads((Path(__file__).parent / "data" / "discounted.json").read_text(encoding="utf-8"))


@st.composite
def processes(draw):
    """Small processes with ties, absorbing and unreachable states, single actions and sets of actions that differ.

    Probabilities are multiples of 1/4, so that float64 holds them exactly.
    """
    states, actions = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    target = st.integers(0, states - 1)
    laws = np.zeros((states, actions, states))
    for state, action in product(range(states), range(actions)):
        for successor in draw(st.lists(target, min_size=4, max_size=4)):
            laws[state, action, successor] += 0.25
    rewards = draw(st.lists(st.integers(-2, 2), min_size=states * actions, max_size=states * actions))
    allowed = np.array(draw(st.lists(st.booleans(), min_size=states * actions, max_size=states * actions)))
    allowed = allowed.reshape(states, actions)
    allowed[:, 0] |= ~allowed.any(axis=1)
    return TabularMDP(laws, np.reshape(rewards, (states, actions)), allowed=allowed)


def exact_solve(matrix, right):
    """Gauss-Jordan elimination in rational numbers."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for k in range(len(rows)):
        pivot = next(i for i in range(k, len(rows)) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(len(rows)):
            if i != k:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def exact_values(mdp, weights, discount):
    """Values of the policy that gives `weights` to the choices."""
    laws = [[Fraction(float(p)) for p in row] for row in np.atleast_2d(mdp.transition_matrix)]
    matrix, right = [], []
    for s in range(mdp.states):
        own = range(mdp.first_choice[s], mdp.first_choice[s + 1])
        mean = [sum(weights[c] * laws[c][t] for c in own) for t in range(mdp.states)]
        matrix.append([(s == t) - discount * mean[t] for t in range(mdp.states)])
        right.append(sum(weights[c] * Fraction(float(mdp.rewards[c])) for c in own))
    return exact_solve(matrix, right)


def one_hot(mdp, policy):
    return [Fraction(int(c == policy[s])) for c, s in enumerate(mdp.state_of_choice)]


def exact_optimum(mdp, discount):
    """Policy iteration in rational numbers, which ends with the optimality equation satisfied exactly."""
    laws = [[Fraction(float(p)) for p in row] for row in mdp.transition_matrix]
    policy = [int(c) for c in mdp.first_choice[:-1]]
    while True:
        values = exact_values(mdp, one_hot(mdp, policy), discount)
        backed_up = [
            Fraction(float(mdp.rewards[c])) + discount * sum(p * v for p, v in zip(laws[c], values, strict=True))
            for c in range(mdp.choices)
        ]
        best = [max(range(*mdp.first_choice[s : s + 2]), key=backed_up.__getitem__) for s in range(mdp.states)]
        if all(backed_up[c] == v for c, v in zip(best, values, strict=True)):
            return values
        policy = [c if backed_up[c] > v else old for c, v, old in zip(best, values, policy, strict=True)]


def distance(values, exact):
    """Largest difference, computed without rounding."""
    return max(abs(Fraction(float(v)) - e) for v, e in zip(values, exact, strict=True))


discounts = st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999])


@settings(max_examples=40)
@given(mdp=processes(), discount=discounts, accuracy=st.sampled_from([1e-2, 1e-8]))
def test_certificates_hold_in_rational_arithmetic(mdp, discount, accuracy):
    optimum = exact_optimum(mdp, Fraction(discount))
    for form, solver in product((mdp, SparseMDP.from_tabular(mdp)), SOLVERS):
        found = solver(form, discount, accuracy=accuracy)
        assert found.error <= accuracy
        assert distance(found.values, optimum) <= Fraction(found.error), solver
        own = exact_values(mdp, one_hot(mdp, found.policy), Fraction(discount))
        assert distance(found.values, own) <= Fraction(found.error), solver
        assert found.sweeps >= 1


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case["name"])
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.__name__)
def test_published_answers(case, solver):
    allowed = [[reward is not None for reward in row] for row in case["R"]]
    rewards = [[math.nan if reward is None else reward for reward in row] for row in case["R"]]
    mdp = TabularMDP(case["P"], rewards, allowed=allowed)
    for form in (mdp, SparseMDP.from_tabular(mdp)):
        found = solver(form, case["gamma"], accuracy=1e-8)
        if "expected_v" in case:
            np.testing.assert_allclose(found.values, case["expected_v"], atol=case["tol"] + found.error)
        if "expected_policy" in case:
            actions = np.array([a for row in allowed for a, exists in enumerate(row) if exists])
            np.testing.assert_array_equal(actions[found.policy], case["expected_policy"])


def random_process(states, seed, actions=3, successors=4):
    """A sparse process of which each choice leads to a window of states, a closed corridor with slow mixing."""
    rng = np.random.default_rng(seed)
    choices = states * actions
    start = np.clip(np.repeat(np.arange(states), actions) + rng.integers(-4, 2, choices), 0, states - successors)
    laws = rng.dirichlet(np.ones(successors), choices)
    return SparseMDP(
        np.arange(states + 1) * actions,
        np.arange(choices + 1) * successors,
        (start[:, None] + np.arange(successors)).ravel(),
        laws.ravel(),
        rng.random(choices),
    )


@pytest.mark.parametrize("solver", [*ITERATIVE], ids=lambda solver: solver.__name__)
def test_large_processes_agree_with_exact_policy_iteration(solver, monkeypatch):
    """With more states than are factorised, and with threads; the oracle factorises."""
    mdp = random_process(3_000, 1)
    for module in (discounted, occupancy):
        monkeypatch.setattr(module, "LARGEST_FACTORISED", 10_000)
    oracle = policy_iteration(mdp, 0.99, accuracy=1e-9)
    monkeypatch.undo()
    monkeypatch.setattr(bellman, "ENTRIES_PER_THREAD", 5_000)
    found = solver(mdp, 0.99, accuracy=1e-7)
    assert np.abs(found.values - oracle.values).max() <= found.error + oracle.error
    values = discounted_values(mdp, deterministic_policy(mdp, found.policy), 0.99)
    assert np.abs(values.values - found.values).max() <= found.error + values.error


def test_numbers_do_not_depend_on_threads(monkeypatch):
    mdp = random_process(1_000, 2)
    alone = value_iteration(mdp, 0.95)
    monkeypatch.setattr(bellman, "ENTRIES_PER_THREAD", 100)
    monkeypatch.setattr(bellman.os, "sched_getaffinity", lambda pid: range(7))
    shared = value_iteration(mdp, 0.95)
    np.testing.assert_array_equal(shared.values, alone.values)
    np.testing.assert_array_equal(shared.policy, alone.policy)
    assert (shared.error, shared.sweeps) == (alone.error, alone.sweeps)


def test_span_of_the_change_stops_early():
    """All laws are alike: the second change is the same everywhere, and the third backup certifies."""
    rng = np.random.default_rng(0)
    mdp = TabularMDP(np.tile(rng.dirichlet(np.ones(5)), (5, 2, 1)), rng.random((5, 2)))
    assert value_iteration(mdp, 0.999, accuracy=1e-8).sweeps <= 3


def soft_oracle(mdp, discount, temperature, reference, sweeps=6_000):
    """Soft value iteration in plain NumPy, on and on."""
    values = np.zeros(mdp.states)
    for _ in range(sweeps):
        logits = np.log(reference) + (mdp.rewards + discount * mdp.transition_matrix @ values) / temperature
        values = temperature * np.logaddexp.reduceat(logits, mdp.first_choice[:-1])
    policy = np.exp(logits - np.repeat(values / temperature, np.diff(mdp.first_choice)))
    return values, policy


@settings(max_examples=20)
@given(mdp=processes(), temperature=st.sampled_from([0.01, 1.0, 30.0]), data=st.data())
def test_soft_values(mdp, temperature, data):
    reference = None
    if data.draw(st.booleans()):
        reference = np.array(data.draw(st.lists(st.integers(1, 5), min_size=mdp.choices, max_size=mdp.choices)), float)
        reference /= np.repeat(np.add.reduceat(reference, mdp.first_choice[:-1]), np.diff(mdp.first_choice))
    weights = np.ones(mdp.choices) if reference is None else reference
    values, policy = soft_oracle(mdp, 0.9, temperature, weights, sweeps=400)
    for form, solver in product((mdp, SparseMDP.from_tabular(mdp)), SOFT):
        found = solver(form, 0.9, temperature=temperature, reference=reference, accuracy=1e-9)
        assert found.error <= 1e-9
        # 0.9^400 is 5e-19; the oracle rounds numbers of up to 340 ten times over.
        assert np.abs(found.values - values).max() <= found.error + 1e-11
        np.testing.assert_allclose(np.exp(found.log_policy), policy, atol=1e-6)
        np.testing.assert_allclose(np.add.reduceat(np.exp(found.log_policy), mdp.first_choice[:-1]), 1, atol=1e-14)


@pytest.mark.parametrize("solver", SOFT, ids=lambda solver: solver.__name__)
def test_soft_methods_agree_on_large_processes(solver, monkeypatch):
    """Policies are factorised in the oracle, and evaluated by iteration in the solver."""
    mdp = random_process(3_000, 1)
    for module in (soft_discounted, occupancy):
        monkeypatch.setattr(module, "LARGEST_FACTORISED", 10_000)
    oracle = soft_policy_iteration(mdp, 0.99, temperature=0.05, accuracy=1e-9)
    monkeypatch.undo()
    monkeypatch.setattr(bellman, "ENTRIES_PER_THREAD", 5_000)
    found = solver(mdp, 0.99, temperature=0.05, accuracy=1e-7)
    assert found.error <= 1e-7
    assert np.abs(found.values - oracle.values).max() <= found.error + oracle.error


def test_soft_policy_iteration_squares_the_error():
    """Twice the digits cost another turn or two, of two sweeps each; value iteration pays for every digit."""
    mdp = random_process(200, 4)

    def more(solver):
        few, many = (solver(mdp, 0.999, temperature=0.1, accuracy=accuracy) for accuracy in (2e-3, 2e-6))
        assert np.abs(few.values - many.values).max() <= few.error + many.error
        return many.sweeps - few.sweeps

    assert more(soft_policy_iteration) <= 4
    assert more(soft_value_iteration) > 100


def test_soft_values_at_a_low_temperature_are_the_hard_ones():
    mdp = random_process(50, 3)
    hard, soft = solve(mdp, 0.9), soft_value_iteration(mdp, 0.9, temperature=1e-6)
    # The entropy of three actions is worth temperature log 3 a step at most.
    assert (soft.values >= hard.values - 2e-6).all()
    assert (soft.values <= hard.values + 2e-6 + 1e-6 * math.log(3) / (1 - 0.9)).all()


@given(mdp=processes(), discount=st.sampled_from([0.0, 0.5, 0.99]))
def test_occupancies_solve_the_dual_program(mdp, discount):
    found = linear_program(mdp, discount)
    flow = np.add.reduceat(found.occupancies, mdp.first_choice[:-1])
    balance = flow - discount * found.occupancies @ mdp.transition_matrix
    # HiGHS satisfies constraints to 1e-7.
    np.testing.assert_allclose(balance, 1 / mdp.states, atol=1e-6)
    assert found.occupancies.sum() == pytest.approx(1 / (1 - discount), rel=1e-5)
    assert found.occupancies @ mdp.rewards == pytest.approx(found.values.mean(), abs=1e-5 / (1 - discount))


@pytest.mark.parametrize("solver", ITERATIVE, ids=lambda solver: solver.__name__)
def test_unreachable_accuracy_is_an_error_that_says_what_is_certified(solver):
    mdp = random_process(20, 4)
    with pytest.raises(ArithmeticError, match=r"accuracy 1e-14 is out of reach: float64 certifies an error of .*e-1"):
        solver(mdp, 0.9, accuracy=1e-14)


def test_discount_too_close_to_1_is_an_error():
    mdp = SparseMDP([0, 1], [0, 1], [0], [1 - 1e-10], [1.0])
    with pytest.raises(ArithmeticError, match=r"laws sum to 1 within 1e-10 only.*need not contract"):
        value_iteration(mdp, 1 - 1e-11)
    # A loop of probability 1 - 1e-10 is no loop of probability 1: the certificate covers the numbers as given.
    found = value_iteration(mdp, 0.999)
    assert distance(found.values, [1 / (1 - Fraction(0.999) * Fraction(1 - 1e-10))]) <= Fraction(found.error)


def test_huge_rewards_overflow_loudly():
    mdp = TabularMDP([[[1.0]]], [[1e308]])
    with pytest.raises(OverflowError, match=r"rewards of up to 1e\+308"):
        gauss_seidel(mdp, 0.999, accuracy=1e300)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.__name__)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"discount": 1}, ValueError, "discount is 1; it must be < 1"),
        ({"discount": -0.1}, ValueError, r"discount is -0.1; it must lie in \[0, 1\]"),
        ({"discount": math.nan}, ValueError, "discount is nan"),
        ({"discount": "0.9"}, TypeError, "discount is '0.9'"),
        ({"discount": 0.9, "accuracy": 0}, ValueError, "accuracy is 0.0; it must be finite and > 0"),
    ],
)
def test_wrong_numbers_are_named(solver, arguments, error, message):
    with pytest.raises(error, match=message):
        solver(random_process(6, 5), **arguments)


def test_wrong_references_are_named():
    mdp = random_process(6, 5)
    with pytest.raises(ValueError, match=r"reference\[0\] is 0; every probability must be > 0"):
        soft_value_iteration(mdp, 0.9, temperature=1, reference=[0, 0.5, 0.5] + [1 / 3] * 15)
    with pytest.raises(ValueError, match=r"temperature is 0\.0; it must be finite and > 0"):
        soft_value_iteration(mdp, 0.9, temperature=0)


def test_soft_policies_are_evaluated_sharply_at_low_temperatures():
    """Their logarithms are of size Q / temperature, so that probabilities have to be made to sum to 1 again."""
    mdp = garnet(np.random.default_rng(0), 200, 5, 6)
    solved = soft_policy_iteration(mdp, 0.95, temperature=1e-3, accuracy=1e-7)
    assert solved.error < 2e-11
