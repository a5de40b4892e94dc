"""Decision processes of the literature against their published tables and answers."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory import instances
from rltheory.problems import FiniteHorizonMDP, SparseMDP, deterministic_policy
from rltheory.simulation import stream
from rltheory.solvers import backward_induction
from tests.elsewhere import elsewhere
from tests.exact_mdps import exact, exact_laws

# Tables of the same processes, made elsewhere, are compared where they are at hand.
ELSEWHERE = elsewhere("mdp")


def gain(mdp, policy):
    """Average reward of a policy without transient parts, from the stationary law in fractions."""
    sums = [slice(first, end) for first, end in zip(mdp.first_choice[:-1], mdp.first_choice[1:], strict=True)]
    weights, rewards = exact(policy)[:, None] * exact_laws(mdp), exact(policy) * exact(mdp.rewards)
    laws = np.array([weights[states].sum(axis=0) for states in sums])
    # Stationary equations, the last of them replaced by that of the sum.
    system = laws.T - exact(np.eye(mdp.states))
    system[-1] = Fraction(1)
    rows = [[*row, Fraction(int(k == mdp.states - 1))] for k, row in enumerate(system)]
    for k in range(mdp.states):
        pivot = next(j for j in range(k, mdp.states) if rows[j][k])
        rows[k], rows[pivot] = rows[pivot], [x / rows[pivot][k] for x in rows[pivot]]
        for j in range(mdp.states):
            if j != k:
                rows[j] = [x - rows[j][k] * y for x, y in zip(rows[j], rows[k], strict=True)]
    return float(sum(row[-1] * rewards[states].sum() for row, states in zip(rows, sums, strict=True)))


@pytest.mark.parametrize(
    ("n", "best"), [(6, Fraction(7203, 16805)), (12, Fraction(847425747, 1977326741))], ids=["6", "12"]
)
def test_river_swim_has_the_known_gains(n, best):
    mdp = instances.river_swim(n)
    right = deterministic_policy(mdp, np.arange(1, 2 * n, 2))
    # The parameters are rounded to float64, three of them in each state.
    assert gain(mdp, right) == pytest.approx(float(best), rel=1e-13)
    left = deterministic_policy(mdp, [0, *range(2, 2 * n, 2)])
    assert mdp.transition_matrix[0, 0] == 1
    assert left @ mdp.rewards == 0.005


@pytest.mark.skipif(ELSEWHERE is None, reason="RLTHEORY_DATA names no folder of recorded tables")
@pytest.mark.parametrize("n", [6, 12])
def test_river_swim_is_the_recorded_one(n):
    with np.load(ELSEWHERE / f"riverswim_{n}.npz") as table:
        recorded = [table[name] for name in ("choice_ptr", "row_ptr", "col", "prob", "reward")]
        start = np.eye(n)[int(table["initial_state"])]
    mdp = SparseMDP.from_tabular(instances.river_swim(n))
    for ours, theirs in zip(
        (mdp.first_choice, *mdp.arrays[2:], mdp.rewards, mdp.initial), (*recorded, start), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(ELSEWHERE is None, reason="RLTHEORY_DATA names no folder of recorded tables")
def test_recorded_processes_have_the_known_returns():
    """At a discount of 0.99 or 0.9, where 5000 stages leave nothing that float64 could see."""
    known = json.loads((ELSEWHERE / "index.json").read_text(encoding="utf-8"))
    names = {"cliff_walking": "gym_cliffwalking", "frozen_lake_4x4": "gym_frozenlake_4x4_slippery", "taxi": "gym_taxi"}
    assert sorted(names) == instances.recorded_mdps()
    for name, recorded in names.items():
        problem = FiniteHorizonMDP.stationary(instances.recorded_mdp(name), 5_000)
        for discount in (0.9, 0.99):
            if answer := known[recorded]["known"].get(f"optimal_return_gamma_{discount}"):
                found = backward_induction(problem, discount=discount)
                assert problem.initial @ found.values[0] == pytest.approx(answer, abs=1e-12)


def test_chain_has_the_known_gain():
    """Always forward earns 3677 in 1000 steps, as reported with the chain."""
    mdp = instances.chain()
    forward = gain(mdp, deterministic_policy(mdp, np.arange(0, 10, 2)))
    assert 1000 * forward == pytest.approx(3677, abs=1)
    back = gain(mdp, deterministic_policy(mdp, np.arange(1, 10, 2)))
    assert forward > back
    # Without slips, back pays 2 at each step and forward 10 from the end on.
    found = backward_induction(FiniteHorizonMDP.stationary(instances.chain(slip=0), 20))
    assert found.values[0, 0] == 16 * 10


def test_combination_lock_opens_for_its_code_only():
    lock = instances.combination_lock([2, 0, 1], actions=3)
    right = deterministic_policy(lock, [2, 3, 7])
    assert gain(lock, right) == pytest.approx(1 / 3, rel=1e-15)
    assert backward_induction(FiniteHorizonMDP.stationary(lock, 7)).values[0].tolist() == [2, 2, 3]
    found = backward_induction(FiniteHorizonMDP.stationary(lock, 7), discount=0.9)
    np.testing.assert_array_equal(found.policy[0], right)
    # At random: a code of n digits out of a takes (a^(n+1) - a) / (a - 1) draws on average.
    assert gain(lock, np.full(9, 1 / 3)) == pytest.approx(2 / (3**4 - 3), rel=1e-12)


def test_grid_world_of_the_textbook():
    """Utilities of the 4 x 3 world to three digits, Russell and Norvig, section 17.1."""
    grid = instances.grid_world(["...+", ".#.-", "S..."], slip=0.2, step_reward=-0.04, exits={"+": 1, "-": -1})
    found = backward_induction(FiniteHorizonMDP.stationary(grid, 500))
    utilities = [0.812, 0.868, 0.918, 1, 0.762, 0.660, -1, 0.705, 0.655, 0.611, 0.388, 0]
    np.testing.assert_allclose(found.values[0], utilities, atol=5e-4)
    np.testing.assert_array_equal(np.flatnonzero(grid.initial), [grid.state_names.index("2,0")])
    moves = dict(zip(grid.state_names, np.array(grid.choice_names)[found.made[0]], strict=True))
    assert [moves[cell] for cell in ("0,0", "1,2", "2,1", "2,2", "2,3", "0,3")] == [
        "right", "up", "left", "left", "left", "leave",
    ]  # fmt: skip


@pytest.mark.parametrize("slip", [0.0, 0.3, 1.0])
def test_grid_world_moves_as_described(slip):
    """One state at a time: walk by hand from each free cell, in each direction, with each slip."""
    layout = ["S.#G", "..S.", "#.HG"]
    grid = instances.grid_world(layout, slip=slip, exits={"G": 2, "H": -1})
    laws = grid.transition_matrix.toarray()
    np.testing.assert_array_equal(np.flatnonzero(grid.initial), [0, 5])
    assert grid.state_names[-1] == "end"
    clockwise = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    for choice, state in enumerate(grid.state_of_choice[:-1]):
        row, column = map(int, grid.state_names[state].split(","))
        expected = dict.fromkeys(grid.state_names, 0.0)
        if (symbol := layout[row][column]) in "GH":
            expected["end"] = 1.0
            assert grid.rewards[choice] == {"G": 2, "H": -1}[symbol]
        else:
            heading = ["up", "right", "down", "left"].index(grid.choice_names[choice])
            for turn, probability in ((0, 1 - slip), (1, slip / 2), (-1, slip / 2)):
                to_row, to_column = np.add((row, column), clockwise[(heading + turn) % 4])
                free = 0 <= to_row < 3 and 0 <= to_column < 4 and layout[to_row][to_column] != "#"
                expected[f"{to_row},{to_column}" if free else f"{row},{column}"] += probability
        np.testing.assert_allclose(laws[choice], list(expected.values()), atol=1e-16)
    assert (laws[-1, -1], grid.rewards[-1]) == (1, 0)


def test_grid_world_without_a_start_starts_anywhere():
    grid = instances.grid_world(["..", ".G"])
    np.testing.assert_array_equal(grid.initial, [1 / 3, 1 / 3, 1 / 3, 0, 0])


def test_large_grid_world_is_sparse():
    grid = instances.grid_world(["." * 300] * 300, slip=0.1)
    assert grid.states == 90_001
    assert np.diff(grid.arrays.first_entry).max() == 3


def test_inventory_of_the_textbook():
    """Expected rewards and laws of Puterman, section 3.2.2."""
    mdp = instances.inventory()
    np.testing.assert_array_equal(mdp.rewards, [0, -1, -2, -5, 5, 0, -3, 6, -1, 5])
    after = np.array([[1, 0, 0, 0], [3 / 4, 1 / 4, 0, 0], [1 / 4, 1 / 2, 1 / 4, 0], [0, 1 / 4, 1 / 2, 1 / 4]])
    np.testing.assert_array_equal(mdp.transition_matrix, after[[0, 1, 2, 3, 1, 2, 3, 2, 3, 3]])
    # A demand that may exceed any stock, and one that is always met.
    np.testing.assert_array_equal(instances.inventory(1, [0, 0, 0, 1]).transition_matrix[:, 0], 1)
    np.testing.assert_array_equal(instances.inventory(2, [1]).rewards, [0, -7, -10, -1, -8, -2])


@given(n=st.integers(2, 12), wear=st.floats(0.05, 1), cost=st.floats(0.1, 30))
def test_machines_are_replaced_from_some_state_on(n, wear, cost):
    mdp = instances.machine_replacement(n, wear, replacement_cost=cost)
    values = backward_induction(FiniteHorizonMDP.stationary(mdp, 60), discount=0.95).action_values[0]
    replace_gains = values[1::2] - values[::2]
    assert (np.diff(replace_gains) >= -1e-12).all()


def test_garnet_is_what_it_says():
    rng = stream(0, "test", "garnet")
    mdp = instances.garnet(rng, 40, 3, 5)
    assert (mdp.states, mdp.choices) == (40, 120)
    np.testing.assert_array_equal(np.diff(mdp.arrays.first_entry), 5)
    assert ((mdp.rewards >= 0) & (mdp.rewards < 1)).all()
    full = instances.garnet(rng, 7, 2, 7)
    np.testing.assert_array_equal(full.arrays.successors.reshape(14, 7), [range(7)] * 14)
    single = instances.garnet(rng, 3, 1, 1)
    np.testing.assert_array_equal(single.arrays.probabilities, 1)


def test_garnet_draws_subsets_and_laws_uniformly():
    """All 10 pairs of 5 states appear alike, and so do low and high probabilities."""
    mdp = instances.garnet(stream(0, "test", "garnet", "uniform"), 5, 4_000, 2)
    pairs = mdp.arrays.successors.reshape(-1, 2).astype(int)
    counts = np.bincount(pairs[:, 0] * 5 + pairs[:, 1])
    # 20000 draws with probability 1/10: deviation 42.4; one of ten beyond five deviations once in 170 000 seeds.
    assert (np.abs(counts[counts > 0] - 2_000) < 5 * 42.4).all()
    assert np.count_nonzero(counts) == 10
    # A uniform number has deviation 0.289; the mean of 20000 has 0.00204.
    assert abs(mdp.arrays.probabilities[::2].mean() - 0.5) < 5 * 0.00204


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: instances.river_swim(1), ValueError, "n is 1; it must be >= 2"),
        (lambda: instances.chain(slip=1.2), ValueError, r"slip is 1.2; it must lie in \[0, 1\]"),
        (lambda: instances.combination_lock([]), ValueError, "code is empty"),
        (lambda: instances.combination_lock([0, 2]), ValueError, r"code\[1\] is 2; there are actions 0 to 1"),
        (lambda: instances.combination_lock([0.5]), TypeError, r"code\[0\] is 0.5"),
        (lambda: instances.grid_world([]), ValueError, "layout has rows of lengths"),
        (lambda: instances.grid_world(["..", "."]), ValueError, r"layout has rows of lengths \[2, 1\]"),
        (lambda: instances.grid_world([".G", "X."]), ValueError, r"layout\[1\]\[0\] is 'X'; it must be '#'"),
        (lambda: instances.grid_world(["#G"]), ValueError, "layout has no free cell"),
        (lambda: instances.grid_world(["."], step_reward=np.nan), ValueError, r"rewards\[0\] is nan"),
        (lambda: instances.inventory(demand=[0.5, 0.4]), ValueError, "sums to 0.9"),
        (lambda: instances.inventory(price=-1), ValueError, "price is -1.0; it must be finite and >= 0"),
        (lambda: instances.machine_replacement(wear=2), ValueError, "wear is 2.0"),
        (lambda: instances.garnet(stream(0), 3, 1, 4), ValueError, "branching is 4; there are only 3 states"),
        (lambda: instances.recorded_mdp("x"), ValueError, "no recorded process is called 'x'; there are: cliff"),
    ],
)
def test_wrong_parameters_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
