"""Optima over occupancies against mixtures of all deterministic policies, backward induction, and closed forms."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from rltheory.instances import garnet, inventory, machine_replacement, recorded_mdp, river_swim
from rltheory.problems import (
    ConstrainedMDP,
    FiniteHorizonMDP,
    TabularMDP,
    VectorRewardMDP,
    deterministic_policy,
)
from rltheory.simulation import stream
from rltheory.solvers import (
    average_occupancy_optimum,
    average_policy_iteration,
    backward_induction,
    discounted_occupancy,
    finite_horizon_occupancy,
    finite_horizon_occupancy_optimum,
    induced_chain,
    is_unichain,
    is_weakly_communicating,
    occupancy_optimum,
    soft_backward_induction,
    soft_relative_value_iteration,
    stationary_laws,
)
from tests import exact_chains
from tests.exact_mdps import exact, exact_laws, mdps, state_choices

BANDIT = TabularMDP([[[1.0], [1.0]]], [[1.0, 0.0]])
# Clarabel stops at 1e-8 relative to its numbers; the certificates say what that comes to.
SOLVED = 1e-6


def occupancies(mdp, discount):
    """Of all deterministic policies; those of all policies are their mixtures."""
    made = np.array(list(product(*state_choices(mdp))))
    return np.array([discounted_occupancy(mdp, p, discount).occupancy for p in deterministic_policy(mdp, made)])


def best_mixture(attained, spent, budgets):
    """Largest least objective of a mixture of rows, within the budgets; HiGHS on the weights of the mixture."""
    rows, aims = attained.shape
    solution = linprog(
        np.append(np.zeros(rows), -1),
        A_ub=np.vstack(
            [np.column_stack([-attained.T, np.ones(aims)]), np.column_stack([spent.T, np.zeros(len(budgets))])]
        ),
        b_ub=np.append(np.zeros(aims), budgets),
        A_eq=np.append(np.ones(rows), 0)[None],
        b_eq=[1],
        bounds=[(0, None)] * rows + [(None, None)],
    )
    return -solution.fun if solution.success else None


@settings(max_examples=40)
@given(data=st.data(), mdp=mdps(max_states=3), discount=st.sampled_from([0.0, 0.5, 0.9]))
def test_optimum_is_the_best_mixture_of_policies(data, mdp, discount):
    thirds = st.lists(st.integers(-3, 3), min_size=mdp.choices, max_size=mdp.choices).map(lambda x: np.array(x) / 3)
    aims = np.array(data.draw(st.lists(thirds, min_size=1, max_size=3)))
    costs = np.array(data.draw(st.lists(thirds, min_size=1, max_size=2)))
    visited = occupancies(mdp, discount)
    # Budgets that some mixture of two policies meets, with something to spare.
    first, second = (visited[data.draw(st.integers(0, len(visited) - 1))] for _ in range(2))
    budgets = costs @ (first + second) / 2 + 0.01
    best = best_mixture(visited @ aims.T, visited @ costs.T, budgets)
    found = occupancy_optimum(ConstrainedMDP(VectorRewardMDP(mdp, aims), costs, budgets), discount)
    assert found.bound >= best - 1e-9
    assert found.bound <= best + SOLVED
    assert found.value == pytest.approx(best, abs=SOLVED)
    assert 0 <= found.violation <= SOLVED
    # The certificates are those of the policy that is returned.
    mine = discounted_occupancy(mdp, found.policy, discount).occupancy
    np.testing.assert_array_equal(found.occupancy, mine)
    assert found.value <= (aims @ mine).min() <= found.value + 1e-12
    assert (costs @ mine - budgets).max() <= found.violation


@pytest.mark.parametrize("discount", [0.5, 0.9])
@pytest.mark.parametrize("temperature", [0.0, 0.05, 2.0])
@pytest.mark.parametrize("name", ["inventory", "swim", "garnet", "frozen lake", "taxi"])
def test_without_budgets_it_is_the_discounted_optimum(name, temperature, discount):
    """Backward induction over a horizon after which float64 sees nothing."""
    mdp = {
        "inventory": inventory,
        "swim": river_swim,
        "garnet": lambda: garnet(stream(0, "test", "program"), 30, 3, 4),
        "frozen lake": lambda: recorded_mdp("frozen_lake_4x4"),
        "taxi": lambda: recorded_mdp("taxi"),
    }[name]()
    problem = FiniteHorizonMDP.stationary(mdp, round(40 / (1 - discount)))
    if temperature:
        solved = soft_backward_induction(problem, temperature, discount=discount)
    else:
        solved = backward_induction(problem, discount=discount)
    best = (1 - discount) * mdp.initial @ solved.values[0]
    found = occupancy_optimum(mdp, discount, temperature=temperature)
    assert found.value <= best + 1e-12
    assert found.bound >= best - 1e-12
    assert found.bound - found.value < SOLVED * max(1, np.abs(mdp.rewards).max())
    assert found.violation == 0


def test_budget_on_replacements():
    """A budget that binds makes the policy mix, and its price is the slope of the value by the budget."""
    mdp = machine_replacement(5)
    replacing = np.array(mdp.choice_names) == "replace"
    free = occupancy_optimum(mdp, 0.9)
    used = free.occupancy @ replacing
    assert used > 0.1
    values = []
    for budget in (used / 2, used / 4, 0.0):
        found = occupancy_optimum(ConstrainedMDP(mdp, [replacing], [budget]), 0.9)
        assert found.bound - found.value < SOLVED
        assert found.occupancy @ replacing == pytest.approx(budget, abs=SOLVED)
        values.append(found.value)
    assert free.value > values[0] > values[1] > values[2]
    keep = discounted_occupancy(mdp, ~replacing, 0.9).occupancy
    assert values[2] == pytest.approx(keep @ mdp.rewards, abs=SOLVED)


def test_two_aims_are_balanced():
    """Arms that pay (1, 0) and (0, 3): the least is largest at 3 : 1, where both are 3/4."""
    found = occupancy_optimum(VectorRewardMDP(BANDIT, [[1, 0], [0, 3]]), 0.5)
    np.testing.assert_allclose(found.policy, [0.75, 0.25], atol=SOLVED)
    assert found.value == pytest.approx(0.75, abs=SOLVED)


def test_entropy_under_a_budget():
    """The tempered policy of a bandit is a softmax; a budget that binds puts its probability there."""
    free = occupancy_optimum(BANDIT, 0.5, temperature=0.5)
    np.testing.assert_allclose(free.policy, np.exp([2, 0]) / np.exp([2, 0]).sum(), atol=1e-4)
    bound = occupancy_optimum(ConstrainedMDP(BANDIT, [[1, 0]], [0.25]), 0.5, temperature=0.5)
    np.testing.assert_allclose(bound.policy, [0.25, 0.75], atol=SOLVED)
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert bound.value == pytest.approx(0.25 + 0.5 * entropy, abs=SOLVED)
    assert bound.bound == pytest.approx(0.25 + 0.5 * entropy, abs=SOLVED)


@pytest.mark.parametrize(
    ("problem", "options", "error", "message"),
    [
        (ConstrainedMDP(BANDIT, [[1, 1]], [0.5]), {}, ValueError, r"no policy meets the budgets \[0\.5\]"),
        (BANDIT, {"temperature": -1}, ValueError, "temperature is -1.0; it must be finite and >= 0"),
        (BANDIT, {"discount": 1}, ValueError, "discount is 1; it must be < 1"),
        (BANDIT, {"discount": 1 - 2.0**-53}, ArithmeticError, "too close to 1"),
    ],
)
def test_wrong_arguments_are_named(problem, options, error, message):
    with pytest.raises(error, match=message):
        occupancy_optimum(problem, **{"discount": 0.5} | options)


# One budget, in rational arithmetic -----------------------------------------------------------------------------------


def exact_occupancies(mdp, discount):
    """Of all deterministic policies, the vertices of the polytope, from their linear systems in fractions."""
    gamma, initial = Fraction(discount), [Fraction(float(x)) for x in mdp.initial]
    laws = exact_laws(mdp)
    for made in product(*state_choices(mdp)):
        chain = [laws[c] for c in made]
        system = [[int(s == t) - gamma * chain[t][s] for t in range(mdp.states)] for s in range(mdp.states)]
        reached = exact_chains.solve(system, [[(1 - gamma) * x] for x in initial])
        occupancy = [Fraction(0)] * mdp.choices
        for c, (x,) in zip(made, reached, strict=True):
            occupancy[c] = x
        yield occupancy


def best_under_a_budget(vertices, rewards, costs, budget):
    """With one budget, some optimum is a vertex, or lies on a line between two, where it crosses the budget."""
    points = [(exact_chains.dot(v, rewards), exact_chains.dot(v, costs)) for v in vertices]
    within, beyond = [p for p in points if p[1] <= budget], [p for p in points if p[1] > budget]
    candidates = [reward for reward, _ in within]
    for (reward, spent), (more, excess) in product(within, beyond):
        share = (budget - spent) / (excess - spent)
        candidates.append(reward + share * (more - reward))
    return max(candidates, default=None)


@settings(max_examples=60)
@given(data=st.data(), mdp=mdps(max_states=3), discount=st.sampled_from([0.5, 0.9]))
def test_one_budget_in_fractions(data, mdp, discount):
    costs = np.array(data.draw(st.lists(st.integers(-2, 3), min_size=mdp.choices, max_size=mdp.choices)), dtype=float)
    budget = data.draw(st.integers(-8, 12)) / 4
    vertices = list(exact_occupancies(mdp, discount))
    spendings = [exact_chains.dot(v, exact(costs)) for v in vertices]
    # Within Clarabel's tolerance of the least spending, whether a budget can be met is not for floats to say.
    assume(abs(min(spendings) - Fraction(budget)) > 1e-4)
    best = best_under_a_budget(vertices, exact(mdp.rewards), exact(costs), Fraction(budget))
    problem = ConstrainedMDP(mdp, [costs], [budget])
    if best is None:
        with pytest.raises(ValueError, match="no policy meets the budgets"):
            occupancy_optimum(problem, discount)
        return
    found = occupancy_optimum(problem, discount)
    assert Fraction(found.bound) >= best
    assert found.gap <= SOLVED
    assert float(best) == pytest.approx(found.value, abs=SOLVED)
    spent = exact_chains.dot([Fraction(float(x)) for x in found.occupancy], exact(costs))
    assert 0 <= found.violation <= SOLVED
    assert spent - Fraction(budget) <= Fraction(found.violation)


def test_only_a_mixture_is_optimal_under_a_budget():
    """The budget allows a quarter of the costly arm; the best deterministic policy within it earns nothing."""
    problem = ConstrainedMDP(BANDIT, [[1, 0]], [0.25])
    deterministic = [BANDIT.rewards @ d for d in occupancies(BANDIT, 0.9) if problem.costs @ d <= problem.budgets]
    assert deterministic == [0]
    found = occupancy_optimum(problem, 0.9)
    np.testing.assert_allclose(found.policy, [0.25, 0.75], atol=SOLVED)
    assert found.bound == pytest.approx(0.25, abs=SOLVED)


def test_multipliers_are_the_prices_of_budgets():
    """They are the slope of the value by the budget where it is smooth; and the bound is that of the Lagrangian."""
    mdp = machine_replacement(5)
    replacing = np.array(mdp.choice_names) == "replace"
    used = occupancy_optimum(mdp, 0.9).occupancy @ replacing

    def at(budget):
        return occupancy_optimum(ConstrainedMDP(mdp, [replacing], [budget]), 0.9)

    middle, step = at(used / 2), used / 1000
    slope = (at(used / 2 + step).value - at(used / 2 - step).value) / (2 * step)
    assert slope > 0.1
    assert middle.multipliers == pytest.approx([slope], rel=1e-3)
    priced = mdp.with_rewards(mdp.rewards - middle.multipliers @ [replacing])
    lagrangian = backward_induction(FiniteHorizonMDP.stationary(priced, 400), discount=0.9).values[0]
    assert middle.bound == pytest.approx(0.1 * priced.initial @ lagrangian + middle.multipliers[0] * used / 2, abs=1e-9)
    assert at(2 * used).multipliers == pytest.approx([0], abs=SOLVED)


def test_weights_of_the_objectives_are_a_saddle_point():
    """Arms that pay (1, 0) and (0, 3): weighted 3 : 1 they pay the same, so that no policy gains by it."""
    found = occupancy_optimum(VectorRewardMDP(BANDIT, [[1, 0], [0, 3]]), 0.5)
    np.testing.assert_allclose(found.weights, [0.75, 0.25], atol=SOLVED)
    assert found.multipliers.size == 0


# Over a horizon -------------------------------------------------------------------------------------------------------


def exact_visits(mdp, horizon):
    """Expected visits of the choices in an episode, of all policies that are deterministic at each stage."""
    laws, initial = exact_laws(mdp), exact(mdp.initial)
    for made in product(*state_choices(mdp) * horizon):
        visits, reached = [Fraction(0)] * mdp.choices, list(initial)
        for stage in range(horizon):
            chosen = made[stage * mdp.states : (stage + 1) * mdp.states]
            for c, q in zip(chosen, reached, strict=True):
                visits[c] += q
            reached = [sum(q * laws[c][t] for c, q in zip(chosen, reached, strict=True)) for t in range(mdp.states)]
        yield visits


@settings(max_examples=40)
@given(data=st.data(), mdp=mdps(max_states=2, max_actions=2), horizon=st.integers(1, 3))
def test_one_budget_over_a_horizon_in_fractions(data, mdp, horizon):
    costs = np.array(data.draw(st.lists(st.integers(-2, 3), min_size=mdp.choices, max_size=mdp.choices)), dtype=float)
    budget = data.draw(st.integers(-8, 20)) / 4
    vertices = list(exact_visits(mdp, horizon))
    assume(abs(min(exact_chains.dot(v, exact(costs)) for v in vertices) - Fraction(budget)) > 1e-4)
    best = best_under_a_budget(vertices, exact(mdp.rewards), exact(costs), Fraction(budget))
    problem = ConstrainedMDP(mdp, [costs], [budget])
    if best is None:
        with pytest.raises(ValueError, match="no policy meets the budgets"):
            finite_horizon_occupancy_optimum(problem, horizon)
        return
    found = finite_horizon_occupancy_optimum(problem, horizon)
    assert Fraction(found.bound) >= best
    assert found.gap <= SOLVED
    assert float(best) == pytest.approx(found.value, abs=SOLVED)
    mine = finite_horizon_occupancy(FiniteHorizonMDP.stationary(mdp, horizon), found.policy).occupancy
    np.testing.assert_array_equal(found.occupancy, mine)
    assert (mine.sum(axis=0) @ costs) - budget <= found.violation <= SOLVED


@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_without_budgets_it_is_backward_induction(temperature):
    problem = FiniteHorizonMDP.stationary(inventory(), 6)
    solved = soft_backward_induction(problem, temperature) if temperature else backward_induction(problem)
    best = problem.initial @ solved.values[0]
    found = finite_horizon_occupancy_optimum(inventory(), 6, temperature=temperature)
    assert found.value <= best + 1e-12
    assert found.bound == pytest.approx(best, abs=1e-11)
    assert found.bound >= best - 1e-12
    assert found.gap < SOLVED * np.abs(inventory().rewards).max()
    assert found.occupancy.sum() == pytest.approx(6)


def test_two_aims_over_a_horizon():
    """Three rounds at arms that pay (1, 0) and (0, 3); with them in turn, the least is 3 * 3/4."""
    found = finite_horizon_occupancy_optimum(VectorRewardMDP(BANDIT, [[1, 0], [0, 3]]), 3)
    assert found.value == pytest.approx(9 / 4, abs=SOLVED)
    assert found.bound == pytest.approx(9 / 4, abs=SOLVED)


# On average -----------------------------------------------------------------------------------------------------------


def exact_frequencies(mdp):
    """Long-run frequencies of the choices in each recurrent class of each deterministic policy."""
    for made in exact_chains.deterministic_policies(mdp):
        chain, _ = exact_chains.exact_chain(mdp, made)
        limit = exact_chains.limiting(chain)
        for states in exact_chains.recurrent_classes(chain):
            frequencies = [Fraction(0)] * mdp.choices
            for s in states:
                frequencies[made[s]] = limit[states[0]][s]
            yield frequencies


@settings(max_examples=60)
@given(data=st.data(), mdp=exact_chains.processes(max_states=3))
def test_one_budget_on_average_in_fractions(data, mdp):
    assume(is_weakly_communicating(mdp))
    costs = np.array(data.draw(st.lists(st.integers(-2, 3), min_size=mdp.choices, max_size=mdp.choices)), dtype=float)
    budget = data.draw(st.integers(-8, 12)) / 4
    vertices = list(exact_frequencies(mdp))
    assume(abs(min(exact_chains.dot(v, exact(costs)) for v in vertices) - Fraction(budget)) > 1e-4)
    best = best_under_a_budget(vertices, exact(mdp.rewards), exact(costs), Fraction(budget))
    problem = ConstrainedMDP(mdp, [costs], [budget])
    if best is None:
        with pytest.raises(ValueError, match="no policy meets the budgets"):
            average_occupancy_optimum(problem)
        return
    found = average_occupancy_optimum(problem)
    assert Fraction(found.bound) >= best
    assert found.bound <= float(best) + SOLVED
    if is_unichain(mdp):
        assert found.gap <= SOLVED
        assert found.violation <= SOLVED
    law = stationary_laws(induced_chain(mdp, found.policy)[0])
    visited = (mdp.initial @ law.absorption @ law.laws)[mdp.state_of_choice] * found.policy
    np.testing.assert_allclose(found.occupancy, visited, atol=1e-12)
    assert found.value <= visited @ mdp.rewards + 1e-12
    assert visited @ costs - budget <= found.violation


@pytest.mark.parametrize("temperature", [0.0, 0.3])
@pytest.mark.parametrize("mdp", [inventory(), river_swim(6), machine_replacement(4)], ids=str)
def test_without_budgets_it_is_the_best_gain(mdp, temperature):
    found = average_occupancy_optimum(mdp, temperature=temperature)
    if temperature:
        best = soft_relative_value_iteration(mdp, temperature=temperature, accuracy=1e-9).gain
    else:
        best = average_policy_iteration(mdp).gain[0]
    assert found.bound == pytest.approx(best, abs=2e-8)
    assert found.bound >= best - 1e-9
    assert found.value == pytest.approx(best, abs=SOLVED * np.abs(mdp.rewards).max())


def test_a_mixture_of_classes_is_no_stationary_policy():
    """Staying in the one state pays 1, in the other 2 at a cost; half the steps in each is the best on paper.

    A stationary policy that visits both must move between them, which pays nothing, so that it only comes close; the
    more rarely it moves, the less can be certified of its frequencies.
    """
    stay, move = np.eye(2), np.eye(2)[::-1]
    islands = TabularMDP(np.stack([stay, move], axis=1), [[1, 0], [2, 0]], initial=[1, 0])
    found = average_occupancy_optimum(ConstrainedMDP(islands, [[0, 0, 1, 0]], [0.5]))
    assert found.bound == pytest.approx(1.5, abs=SOLVED)
    assert 1.4 < found.value <= found.occupancy @ islands.rewards <= 1.5 + SOLVED


def test_wrong_arguments_beyond_the_discount_are_named():
    with pytest.raises(ValueError, match="horizon is 0; it must be >= 1"):
        finite_horizon_occupancy_optimum(BANDIT, 0)
    for program in (
        average_occupancy_optimum,
        lambda problem, **options: finite_horizon_occupancy_optimum(problem, 2, **options),
    ):
        with pytest.raises(ValueError, match=r"temperature is -1\.0; it must be finite and >= 0"):
            program(BANDIT, temperature=-1)
        with pytest.raises(ValueError, match=r"no policy meets the budgets \[-1\.0\]"):
            program(ConstrainedMDP(BANDIT, [[1, 1]], [-1]))
    with pytest.raises(ValueError, match="the process is not weakly communicating"):
        average_occupancy_optimum(TabularMDP(np.eye(2)[:, None], [[1], [2]]))


def test_a_policy_without_visits_is_uniform():
    """State 1 is never entered, so that no choice in it has an occupancy."""
    mdp = TabularMDP([[[1, 0], [1, 0]], [[1, 0], [1, 0]]], [[0, 1], [0, 1]], initial=[1, 0])
    for found in (occupancy_optimum(mdp, 0.5), average_occupancy_optimum(mdp)):
        assert found.value == pytest.approx(1, abs=SOLVED)
        np.testing.assert_allclose(found.policy[:2], [0, 1], atol=SOLVED)
        assert found.policy[2:].sum() == pytest.approx(1)
