"""Reachability and totals until a goal against exact rationals, linear programs and published answers."""

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import eye_array

from rltheory.problems import SparseMDP, TabularMDP, read_npz
from rltheory.simulation import stream
from rltheory.solvers import end_components, reach_probability, reachability, reward_until
from rltheory.solvers.graph import strong_components
from tests.elsewhere import elsewhere

HERE = Path(__file__).parent / "data" / "qvbs"
ELSEWHERE = elsewhere("qvbs")
ABSENT = pytest.param(HERE, "", "", marks=pytest.mark.skip(reason="RLTHEORY_DATA names no folder with further models"))


def index(folder):
    return json.loads((folder / "index.json").read_text(encoding="utf-8"))


def properties(folder):
    return [(folder, model, name) for model, entry in index(folder).items() for name in entry["properties"]]


FURTHER = [case for case in properties(ELSEWHERE) if case[1] not in index(HERE)] if ELSEWHERE else [ABSENT]


@pytest.mark.parametrize(("folder", "model", "name"), properties(HERE) + FURTHER, ids=str)
def test_benchmark_models_have_their_published_answers(folder, model, name):
    task = index(folder)[model]["properties"][name]
    file = read_npz(folder / f"{model}.npz")
    goal, minimise = file.labels[f"goal_{name}"], task["optimise"] == "min"
    exact = Fraction(task["expected_exact"])
    accuracy = 1e-9 * float(exact)
    if name in file.rewards:
        found = reward_until(file.mdp, goal, rewards=file.rewards[name], minimise=minimise, accuracy=accuracy)
    else:
        avoid = file.labels.get(f"avoid_{name}")
        found = reach_probability(file.mdp, goal, avoid=avoid, minimise=minimise, accuracy=accuracy)
    assert found.width <= accuracy
    # The model has probabilities like 1/3 as floats, which moves its value by units in the last place.
    rounding = Fraction(1e-13) * exact
    assert Fraction(found.lower[0]) - rounding <= exact <= Fraction(found.upper[0]) + rounding


# Exact rationals on tiny processes ------------------------------------------------------------------------------------


@st.composite
def tasks(draw):
    """Tiny processes with ties, traps, loops, unreachable and absorbing states; goal, avoid, rewards."""
    states = draw(st.integers(1, 4))
    weights = st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 100]), min_size=states, max_size=states).filter(any)
    laws = draw(st.lists(st.lists(weights, min_size=1, max_size=3), min_size=states, max_size=states))
    rows = [row for choices in laws for row in choices]
    first_choice = np.cumsum([0] + [len(choices) for choices in laws])
    # Zeros are listed too: an entry of probability 0 leads nowhere.
    probabilities = [weight / sum(row) for row in rows for weight in row]
    rewards = draw(st.lists(st.sampled_from([0, 0, 1, 0.1, 3]), min_size=len(rows), max_size=len(rows)))
    first_entry = states * np.arange(len(rows) + 1)
    mdp = SparseMDP(first_choice, first_entry, np.tile(np.arange(states), len(rows)), probabilities, rewards)
    masks = st.lists(st.booleans(), min_size=states, max_size=states)
    return mdp, np.array(draw(masks)), np.array(draw(masks))


def rows_of(mdp):
    """Transition laws in rationals, in proportion to their sum."""
    dense = [[Fraction(p) for p in row] for row in mdp.transition_matrix.toarray().tolist()]
    return [[p / sum(row) for p in row] for row in dense]


def solve(matrix, right):
    """Gauss and Jordan, in rationals."""
    n = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k] != 0)
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[n] for row in rows]


def chain_values(law, goal, avoid, rewards=None):
    """Probability of the goal, or total until it (infinite where missed), in a Markov chain."""
    n = len(law)
    can = set(np.flatnonzero(goal))
    for _ in range(n):
        can |= {s for s in range(n) if not avoid[s] and any(law[s][t] and t in can for t in range(n))}
    open_states = [s for s in range(n) if s in can and not goal[s]]
    matrix = [[int(s == t) - law[s][t] for t in open_states] for s in open_states]
    hit = solve(matrix, [sum(law[s][t] for t in range(n) if goal[t]) for s in open_states])
    values = [Fraction(int(goal[s])) for s in range(n)]
    for s, value in zip(open_states, hit, strict=True):
        values[s] = value
    if rewards is None:
        return values
    sure = [s for s in open_states if values[s] == 1]
    totals = [Fraction(0) if goal[s] else math.inf for s in range(n)]
    matrix = [[int(s == t) - law[s][t] for t in sure] for s in sure]
    for s, value in zip(sure, solve(matrix, [rewards[s] for s in sure]), strict=True):
        totals[s] = value
    return totals


def check_against_policies(mdp, found, minimise, accuracy, evaluate):
    """All policies that always choose alike in a state, one of which is optimal, evaluated in rationals."""
    laws = rows_of(mdp)
    options = [range(mdp.first_choice[s], mdp.first_choice[s + 1]) for s in range(mdp.states)]
    values = [evaluate([laws[c] for c in policy], policy) for policy in itertools.product(*options)]
    optimum = [(min if minimise else max)(column) for column in zip(*values, strict=True)]
    assert all(found.policy[s] in options[s] for s in range(mdp.states))
    attained = evaluate([laws[c] for c in found.policy], found.policy)
    assert found.width <= accuracy
    for s, best in enumerate(optimum):
        low, high = found.lower[s], found.upper[s]
        if best == math.inf:
            assert low == high == attained[s] == math.inf
        else:
            assert Fraction(low) <= best <= Fraction(high)
            assert attained[s] <= Fraction(high) if minimise else attained[s] >= Fraction(low)


# Sweeps before equations are solved: as many as are usual, or hardly any.
patiences = st.sampled_from([reachability.PATIENCE, 1])


@settings(max_examples=400)
@given(task=tasks(), minimise=st.booleans(), patience=patiences)
def test_probabilities_lie_between_the_bounds(task, minimise, patience):
    mdp, goal, avoid = task
    with patch.object(reachability, "PATIENCE", patience):
        found = reach_probability(mdp, goal, avoid=avoid, minimise=minimise, accuracy=1e-9)
    check_against_policies(mdp, found, minimise, 1e-9, lambda law, _: chain_values(law, goal, avoid))


@settings(max_examples=400)
@given(task=tasks(), minimise=st.booleans(), patience=patiences)
def test_totals_lie_between_the_bounds(task, minimise, patience):
    mdp, goal, _ = task
    rewards = [Fraction(r) for r in mdp.rewards]
    nowhere = np.zeros_like(goal)
    # Totals reach some 1e6 here, of which 1e-6 is above rounding.
    with patch.object(reachability, "PATIENCE", patience):
        found = reward_until(mdp, goal, minimise=minimise, accuracy=1e-6)
    check_against_policies(
        mdp, found, minimise, 1e-6, lambda law, policy: chain_values(law, goal, nowhere, [rewards[c] for c in policy])
    )


@st.composite
def journeys(draw):
    """Tiny processes in which each choice may lead to a lower state, so that all policies reach state 0, the goal."""
    states = draw(st.integers(2, 4))
    rows, sizes = [], []
    for state in range(states):
        sizes.append(draw(st.integers(1, 3 if state else 1)))
        for _ in range(sizes[-1]):
            row = draw(st.lists(st.sampled_from([0, 0, 1, 2, 20]), min_size=states, max_size=states))
            row[draw(st.integers(0, max(state - 1, 0)))] += 1
            rows.append(row)
    rewards = draw(st.lists(st.sampled_from([-3, -1, -0.1, 0, 0.1, 2]), min_size=len(rows), max_size=len(rows)))
    laws = np.array([row / np.sum(row) for row in rows])
    return SparseMDP(
        np.append(0, np.cumsum(sizes)),
        states * np.arange(len(rows) + 1),
        np.tile(np.arange(states), len(rows)),
        laws.ravel(),
        rewards,
    )


@settings(max_examples=200)
@given(mdp=journeys(), minimise=st.booleans())
def test_totals_of_any_sign_where_all_policies_arrive(mdp, minimise):
    goal, nowhere = np.arange(mdp.states) == 0, np.zeros(mdp.states, dtype=bool)
    rewards = [Fraction(r) for r in mdp.rewards]
    found = reward_until(mdp, goal, minimise=minimise)
    check_against_policies(
        mdp, found, minimise, 1e-6, lambda law, policy: chain_values(law, goal, nowhere, [rewards[c] for c in policy])
    )
    # The largest total is minus the smallest of the opposite rewards.
    opposite = reward_until(mdp, goal, rewards=-mdp.rewards, minimise=not minimise)
    np.testing.assert_allclose(opposite.values, -found.values, atol=1e-6)


def test_a_total_of_any_sign_by_hand():
    """A throw of the coin wins 1, giving up loses 3; without heads one throws again."""
    mdp = SparseMDP([0, 2, 3], [0, 2, 3, 4], [0, 1, 1, 1], [0.5, 0.5, 1, 1], [1, -3, -7])
    goal = [False, True]
    np.testing.assert_allclose(reward_until(mdp, goal).values, [2, 0], atol=1e-6)
    worst = reward_until(mdp, goal, minimise=True)
    np.testing.assert_allclose(worst.values, [-3, 0], atol=1e-6)
    assert worst.policy[0] == 1
    with pytest.raises(ArithmeticError, match="rounding keeps the bounds"):
        reward_until(mdp, goal, accuracy=1e-17)


@given(task=tasks())
def test_end_components_are_the_largest_of_their_kind(task):
    mdp, _, _ = task
    leads = [set(np.flatnonzero(row)) for row in mdp.transition_matrix.toarray()]

    def is_end_component(subset):
        """Some choice of each state stays inside, and those that do lead from every state to every other."""
        inside = {s: [] for s in subset}
        for choice, s in enumerate(mdp.state_of_choice):
            if s in subset and leads[choice] <= subset:
                inside[s].append(leads[choice])
        for s in subset:
            reached = {s}
            for _ in subset:
                reached = reached.union(*(successors for t in reached for successors in inside[t]))
            if reached != subset or not inside[s]:
                return False
        return True

    subsets = [set(c) for k in range(1, mdp.states + 1) for c in itertools.combinations(range(mdp.states), k)]
    components = [subset for subset in subsets if is_end_component(subset)]
    largest = [subset for subset in components if not any(subset < other for other in components)]
    expected = np.full(mdp.states, -1)
    for number, subset in enumerate(sorted(largest, key=min)):
        expected[list(subset)] = number
    np.testing.assert_array_equal(end_components(mdp).component, expected)


@given(nodes=st.integers(1, 30), seed=st.integers(0, 1000))
def test_components_are_numbered_successors_first(nodes, seed):
    rng = np.random.default_rng(seed)
    tails, heads = rng.integers(0, nodes, (2, nodes + nodes // 3))
    label = strong_components(tails, heads, nodes)
    assert (label[tails] >= label[heads]).all()


# Linear programs ------------------------------------------------------------------------------------------------------


def random_process(seed, states):
    """A sparse process of one strong component; state 0 is the goal."""
    rng = stream(0, "test reachability", seed)
    choices = 3 * states
    successors = np.sort(np.array([rng.choice(states, 4, replace=False) for _ in range(choices)]), axis=1)
    laws = rng.dirichlet(np.ones(4), choices)
    pointers = 3 * np.arange(states + 1), 4 * np.arange(choices + 1)
    return SparseMDP(*pointers, successors.ravel(), laws.ravel(), rng.uniform(0.5, 2, choices))


@pytest.mark.parametrize("seed", range(3))
def test_largest_probabilities_solve_the_linear_program(seed):
    mdp = random_process(seed, 150)
    goal, avoid = np.arange(150) < 3, np.arange(150) >= 100
    found = reach_probability(mdp, goal, avoid=avoid, accuracy=1e-9)
    open_choices = ~(goal | avoid)[mdp.state_of_choice]
    system = (mdp.transition_matrix - eye_array(150).tocsr()[mdp.state_of_choice])[open_choices]
    bounds = [(1, 1) if g else (0, 0) if a else (0, 1) for g, a in zip(goal, avoid, strict=True)]
    program = linprog(np.ones(150), A_ub=system, b_ub=np.zeros(open_choices.sum()), bounds=bounds)
    assert 0.01 < program.x[10] < 0.99
    # HiGHS is accurate to 1e-7 in the constraints.
    np.testing.assert_allclose(found.values, program.x, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_smallest_totals_solve_the_linear_program(seed):
    mdp = random_process(seed, 150)
    goal = np.arange(150) < 3
    found = reward_until(mdp, goal, minimise=True, accuracy=1e-8)
    open_choices = ~goal[mdp.state_of_choice]
    system = (eye_array(150).tocsr()[mdp.state_of_choice] - mdp.transition_matrix)[open_choices]
    bounds = [(0, 0) if g else (0, None) for g in goal]
    program = linprog(-np.ones(150), A_ub=system, b_ub=mdp.rewards[open_choices], bounds=bounds)
    np.testing.assert_allclose(found.values, program.x, rtol=1e-5)


# Cases by hand --------------------------------------------------------------------------------------------------------

# From state 0 one may wait, with state 1, for ever; or leave for the goal 2 or the trap 3, with equal chances.
WAITING = SparseMDP(
    [0, 2, 3, 4, 5], [0, 1, 3, 4, 5, 6], [1, 2, 3, 0, 2, 3], [1, 0.5, 0.5, 1, 1, 1], [0, 0, 0, 0, 0], title="waiting"
)
GOAL = np.array([False, False, True, False])


def test_waiting_for_ever_confirms_no_value():
    """From above, plain value iteration keeps the value 1 of waiting."""
    found = reach_probability(WAITING, GOAL)
    np.testing.assert_allclose(found.upper, [0.5, 0.5, 1, 0], rtol=1e-14)
    assert found.policy.tolist()[:2] == [1, 2]
    assert reach_probability(WAITING, GOAL, minimise=True).upper.tolist() == [0, 0, 1, 0]


def test_waiting_costs_nothing_and_never_arrives():
    """From below, plain value iteration gives the cost 0 of waiting."""
    sure = SparseMDP([0, 2, 3, 4], [0, 1, 2, 3, 4], [1, 2, 0, 2], np.ones(4), [0, 5, 0, 0])
    goal = np.array([False, False, True])
    cheapest = reward_until(sure, goal, minimise=True)
    np.testing.assert_allclose(cheapest.values, [5, 5, 0], rtol=1e-14)
    assert cheapest.policy.tolist() == [1, 2, 3]
    assert reward_until(sure, goal).lower.tolist() == [np.inf, np.inf, 0]


def test_policies_do_not_loiter_where_they_could():
    """State 1 could stay where it is, which costs nothing, and must move to state 0, the only exit."""
    mdp = SparseMDP(
        [0, 2, 4, 5, 6], [0, 1, 3, 4, 5, 6, 7], [1, 2, 3, 1, 0, 2, 3], [1, 0.5, 0.5, 1, 1, 1, 1], np.zeros(6)
    )
    found = reach_probability(mdp, GOAL)
    assert found.policy[:2].tolist() == [1, 3]
    np.testing.assert_allclose(found.lower, [0.5, 0.5, 1, 0], rtol=1e-14)
    either = GOAL | [False, False, False, True]
    cheapest = reward_until(mdp, either, rewards=[0, 2, 0, 0, 0, 0], minimise=True)
    assert cheapest.policy[:2].tolist() == [1, 3]
    np.testing.assert_allclose(cheapest.values, [2, 2, 0, 0], rtol=1e-14)


def test_first_upper_bound_is_on_a_policy_that_arrives():
    """Going round for ever costs little at a time; the only way out, listed last, costs 100."""
    mdp = SparseMDP([0, 2, 3, 4], [0, 1, 2, 3, 4], [1, 2, 0, 2], np.ones(4), [0.001, 100, 0.001, 0])
    # So coarse that the first bounds would do.
    found = reward_until(mdp, [False, False, True], minimise=True, accuracy=1e6)
    assert found.lower[0] <= 100 <= found.upper[0]
    assert found.policy.tolist() == [1, 2, 3]


def test_probability_zero_and_one_are_exact():
    found = reach_probability(WAITING, GOAL, avoid=[True, False, False, False])
    assert found.lower.tolist() == found.upper.tolist() == [0, 0, 1, 0]
    everywhere = reach_probability(WAITING, np.ones(4, dtype=bool))
    assert everywhere.lower.tolist() == everywhere.upper.tolist() == [1, 1, 1, 1]
    nowhere = reward_until(WAITING, np.zeros(4, dtype=bool), minimise=True)
    assert nowhere.lower.tolist() == [np.inf] * 4
    assert nowhere.width == 0


def test_dense_and_sparse_forms_agree():
    rng = stream(0, "test reachability", "dense")
    dense = TabularMDP(rng.dirichlet(np.ones(6), (6, 2)), rng.uniform(size=(6, 2)))
    goal = np.arange(6) == 5
    ours, theirs = (reward_until(mdp, goal) for mdp in (dense, SparseMDP.from_tabular(dense)))
    np.testing.assert_array_equal(ours.lower, theirs.lower)
    np.testing.assert_array_equal(ours.upper, theirs.upper)


def test_accuracy_below_rounding_is_refused_with_what_can_be_had():
    mdp = random_process(0, 30)
    goal = np.arange(30) == 0
    with pytest.raises(ArithmeticError, match=r"rounding keeps the bounds .* apart; ask for an accuracy of") as refusal:
        reward_until(mdp, goal, minimise=True, accuracy=1e-18)
    possible = float(str(refusal.value).split("accuracy of ")[1].split()[0])
    assert possible < 1e-9
    assert reward_until(mdp, goal, minimise=True, accuracy=possible).width <= possible


def rarely_left(rare, wait=1.0):
    """Two states lead to each other, and once in 1 / rare steps to the goal 2 or the trap 3, or wait for a reward."""
    laws = [1 - 3 * rare, rare, 2 * rare, 1, 1, 1, 1]
    return SparseMDP([0, 1, 3, 4, 5], [0, 3, 4, 5, 6, 7], [1, 2, 3, 0, 0, 2, 3], laws, [1, wait, 1, 0, 0])


@pytest.mark.parametrize("rare", [2.0**-20, 2.0**-26])
@pytest.mark.parametrize("minimise", [False, True])
def test_components_that_are_hardly_ever_left(rare, minimise):
    """Iteration alone would take some 20 / rare sweeps; the policies differ by what waiting in state 1 pays."""
    accuracy = 1e-14 / rare
    mdp = rarely_left(rare, wait=1.5)
    found = reach_probability(mdp, GOAL, minimise=minimise, accuracy=accuracy)
    assert found.sweeps < 100_000
    check_against_policies(mdp, found, minimise, accuracy, lambda law, _: chain_values(law, GOAL, np.zeros_like(GOAL)))
    ends, accuracy = GOAL | [False, False, False, True], 1e-13 / rare**2
    totals = reward_until(mdp, ends, minimise=minimise, accuracy=accuracy)
    assert totals.sweeps < 100_000
    rewards = [Fraction(r) for r in mdp.rewards]
    check_against_policies(
        mdp,
        totals,
        minimise,
        accuracy,
        lambda law, policy: chain_values(law, ends, np.zeros_like(GOAL), [rewards[c] for c in policy]),
    )
    assert totals.values[0] == pytest.approx((1 + (1 - 3 * rare) * (1.0 if minimise else 1.5)) / (3 * rare), rel=1e-9)


@pytest.mark.parametrize("off", [-0.1, 0.1])
def test_wrong_guesses_are_not_confirmed(off):
    """Values that are all too large are no lower bounds, and values too small no upper ones; sweeps do the rest."""
    honest = reachability._best_values

    def wrong(*arguments):
        values, policy = honest(*arguments)
        return values + off, policy

    mdp = rarely_left(2.0**-6)
    with patch.multiple(reachability, PATIENCE=1, _best_values=wrong):
        found = reach_probability(mdp, GOAL, accuracy=1e-9)
    check_against_policies(mdp, found, False, 1e-9, lambda law, _: chain_values(law, GOAL, np.zeros_like(GOAL)))


def test_components_that_are_left_too_rarely_for_float64_are_refused():
    mdp = rarely_left(1e-13)
    with pytest.raises(ArithmeticError, match=r"after 10000000 sweeps .* the bounds are still (0\.9\d+|1) apart"):
        reach_probability(mdp, GOAL)
    with pytest.raises(ArithmeticError, match=r"after 10000000 sweeps .* the bounds are still inf apart"):
        reward_until(mdp, GOAL | [False, False, False, True])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"goal": [0, 0, 1, 0]}, ValueError, r"goal has type int64 and shape \(4,\); it must be bool and \(4,\)"),
        ({"goal": [True]}, ValueError, r"goal has type bool and shape \(1,\)"),
        ({"goal": GOAL, "accuracy": 0}, ValueError, "accuracy is 0.0; it must be finite and > 0"),
        ({"goal": GOAL, "accuracy": "high"}, TypeError, "accuracy is 'high'"),
        ({"goal": GOAL, "rewards": [1, 2]}, ValueError, "rewards has 2 entries for 5 choices"),
        (
            {"goal": GOAL, "rewards": [0, 0, -1, 0, 0]},
            ValueError,
            r"rewards\[2\] is -1.0, and from state 0 some policy may miss the goal; a total then needs rewards >= 0",
        ),
        ({"goal": GOAL, "rewards": [0, 0, np.nan, 0, 0]}, ValueError, r"rewards\[2\] is nan"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        reward_until(WAITING, **arguments)


def test_wrong_masks_and_tiny_probabilities_are_named():
    with pytest.raises(ValueError, match=r"avoid has type bool and shape \(2,\)"):
        reach_probability(WAITING, GOAL, avoid=[True, False])
    tiny = SparseMDP([0, 1, 2], [0, 2, 3], [0, 1, 1], [1, 1e-200, 1], [0, 0])
    with pytest.raises(ValueError, match="choice 0 has a probability of 1e-200"):
        reach_probability(tiny, [False, True])
