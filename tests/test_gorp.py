"""GORP against its exact law, its exact law against enumeration, and both against published processes."""

import math
from collections import Counter
from fractions import Fraction
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rltheory.algorithms import gorp
from rltheory.instances import alternating_depths, combination_lock, lucky_arms, random_deterministic, river_swim
from rltheory.instances.effective_horizon import from_table
from rltheory.measures import gorp_failure_probability, plan_loss
from rltheory.problems import FiniteHorizonMDP, SparseMDP, TabularMDP, read_bridge
from rltheory.problems.certainty import sure_successors
from rltheory.simulation import stream
from rltheory.solvers.effective_horizon import Closure, k_gaps, min_k, reference_values
from rltheory.theorems.effective_horizon.laidlaw2023 import Planning
from rltheory.theorems.effective_horizon.lookahead import Lookahead
from tests.strategies import tables

# A false alarm of one interval in 1e7.
SIGMAS = 5.3

UNEVEN = FiniteHorizonMDP.stationary(
    TabularMDP.from_rows([0, 3, 5, 6], np.eye(3)[[1, 2, 0, 0, 2, 1]], [1, 0, 0, 0, 3, 1], initial=[1, 0, 0]), 4
)


def staged():
    """A process whose laws and rewards depend on the stage."""
    tables = [
        ([[1, 2], [0, 0], [1, 0]], [[0, 1], [2, 0], [0, 0]]),
        ([[0, 0], [2, 0], [1, 1]], [[0, 1], [0, 1], [3, 0]]),
        ([[0, 1], [1, 0], [2, 0]], [[1, 0], [2, -1], [0, 1]]),
    ]
    return FiniteHorizonMDP([from_table(leads, pays, 1, "").stages[0] for leads, pays in tables], title="staged")


PROCESSES = {
    "uneven": UNEVEN,
    "staged": staged(),
    "lock": FiniteHorizonMDP.stationary(combination_lock([1, 0, 1]), 3),
    "alternating": alternating_depths(),
    "random": random_deterministic(stream(0, "test of GORP"), 5, 3, 4),
}


def enumerated_failure(problem, depth, episodes, policy=None):
    """Probability of failure in fractions: all outcomes of all episodes of the sequences from each state."""
    matrices = [mdp.transition_matrix for mdp in problem.stages]
    leads = [np.asarray(m if isinstance(m, np.ndarray) else m.toarray()).argmax(axis=1) for m in matrices]
    pays = [mdp.rewards for mdp in problem.stages]
    first = problem.stages[0].first_choice
    horizon = problem.horizon

    def options(state):
        return range(first[state], first[state + 1])

    def best(stage, state):
        return 0 if stage == horizon else max(pays[stage][c] + best(stage + 1, leads[stage][c]) for c in options(state))

    def law(stage, state):
        if stage == horizon:
            return {0: Fraction(1)}
        found = Counter()
        for c in options(state):
            share = Fraction(1, len(options(state))) if policy is None else Fraction(policy[stage, c])
            for value, chance in law(stage + 1, leads[stage][c]).items():
                found[value + int(pays[stage][c])] += chance * share
        return found

    def sequences(stage, state, left):
        if left == 0 or stage == horizon:
            yield (), law(stage, state)
            return
        for c in options(state):
            for rest, outcome in sequences(stage + 1, leads[stage][c], left - 1):
                yield (c, *rest), {value + int(pays[stage][c]): p for value, p in outcome.items()}

    def sums(outcome):
        found = Counter()
        for draws in product(outcome.items(), repeat=episodes):
            found[sum(value for value, _ in draws)] += math.prod(p for _, p in draws)
        return found

    def fails(stage, state):
        if stage == horizon:
            return Fraction(0)
        tried = [(sequence[0], sums(outcome)) for sequence, outcome in sequences(stage, state, depth)]
        chosen = Counter()
        for outcome in product(*(total.items() for _, total in tried)):
            values = [value for value, _ in outcome]
            chosen[tried[values.index(max(values))][0]] += math.prod(p for _, p in outcome)
        return sum(
            chance
            * (
                fails(stage + 1, leads[stage][c])
                if pays[stage][c] + best(stage + 1, leads[stage][c]) == best(stage, state)
                else 1
            )
            for c, chance in chosen.items()
        )

    return float(fails(0, int(problem.initial.argmax())))


@pytest.mark.parametrize(
    ("name", "depth", "episodes"),
    [("uneven", 1, 1), ("uneven", 1, 2), ("staged", 1, 2), ("staged", 2, 1), ("lock", 1, 3), ("lock", 2, 2)],
)
def test_exact_failure_is_that_of_all_outcomes(name, depth, episodes):
    problem = PROCESSES[name]
    exact = gorp_failure_probability(problem, depth=depth, episodes=episodes)
    assert exact == pytest.approx(enumerated_failure(problem, depth, episodes), abs=1e-12)


# Sums of sixteenths are exact; the last choice of state 0, and the first of state 1, are never explored at stage 0.
LEANING = np.array([[8, 8, 0, 0, 16, 16], [1, 2, 13, 7, 9, 16], [4, 4, 8, 15, 1, 16], [16, 0, 0, 2, 14, 16]]) / 16


def test_exploration_policies_against_all_outcomes():
    for depth, episodes in ((1, 1), (1, 2), (2, 2)):
        exact = gorp_failure_probability(UNEVEN, depth=depth, episodes=episodes, policy=LEANING)
        assert exact == pytest.approx(enumerated_failure(UNEVEN, depth, episodes, LEANING), abs=1e-12)
        assert abs(exact - enumerated_failure(UNEVEN, depth, episodes)) > 0.01


def test_gorp_explores_as_it_is_told():
    runs = 4000
    for depth, episodes in ((1, 1), (1, 5), (2, 2)):
        rng = stream(0, "test of GORP", "leaning", depth, episodes)
        trace = gorp(UNEVEN, depth=depth, episodes=episodes, rng=rng, replicates=runs, policy=LEANING)
        exact = gorp_failure_probability(UNEVEN, depth=depth, episodes=episodes, policy=LEANING)
        failed = (plan_loss(UNEVEN, trace["made"]) > 1e-9).mean()
        assert abs(failed - exact) <= SIGMAS * math.sqrt(exact * (1 - exact) / runs) + 1e-9
        uniform = gorp_failure_probability(UNEVEN, depth=depth, episodes=episodes)
        assert abs(failed - uniform) > SIGMAS * math.sqrt(exact * (1 - exact) / runs)


def test_settings_of_the_enumeration_can_go_wrong():
    failures = [enumerated_failure(PROCESSES[name], 1, 2) for name in ("uneven", "staged", "lock")]
    assert all(0.05 < failure < 0.95 for failure in failures)


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize(("depth", "episodes"), [(1, 1), (1, 5), (2, 2)])
def test_gorp_fails_as_often_as_its_law_says(name, depth, episodes):
    problem, runs = PROCESSES[name], 4000
    rng = stream(0, "test of GORP", name, depth, episodes)
    trace = gorp(problem, depth=depth, episodes=episodes, rng=rng, replicates=runs)
    exact = gorp_failure_probability(problem, depth=depth, episodes=episodes)
    failed = (plan_loss(problem, trace["made"]) > 1e-9).mean()
    assert abs(failed - exact) <= SIGMAS * math.sqrt(exact * (1 - exact) / runs) + 1e-9


def test_gorp_among_many_like_arms():
    problem, runs = lucky_arms(12, 20), 2000
    trace = gorp(problem, depth=1, episodes=5, rng=stream(0, "test of GORP", "lucky"), replicates=runs)
    exact = gorp_failure_probability(problem, depth=1, episodes=5)
    assert 0.2 < exact < 0.8
    failed = (plan_loss(problem, trace["made"]) > 1e-9).mean()
    assert abs(failed - exact) <= SIGMAS * math.sqrt(exact * (1 - exact) / runs)


@given(problem=tables(), depth=st.integers(0, 2))
def test_looking_to_the_end_is_optimal(problem, depth):
    trace = gorp(problem, depth=problem.horizon + depth, episodes=1, rng=np.random.default_rng(0))
    assert plan_loss(problem, trace["made"])[0] <= 1e-12
    assert gorp_failure_probability(problem, depth=problem.horizon + depth, episodes=1) <= 1e-12


@given(problem=tables(), depth=st.integers(1, 3), episodes=st.integers(1, 3))
def test_traces_are_plans(problem, depth, episodes):
    trace = gorp(problem, depth=depth, episodes=episodes, rng=np.random.default_rng(1), replicates=3)
    successors = np.broadcast_to(sure_successors(problem), (problem.horizon, problem.choices))
    mdp = problem.stages[0]
    for made, reward, played in zip(*(trace[name].T for name in ("made", "reward", "episodes")), strict=True):
        state, tried = 0, 0
        for stage, choice in enumerate(made):
            assert mdp.state_of_choice[choice] == state
            assert reward[stage] == mdp.rewards[choice]
            ends = [state]
            for step in range(stage, min(stage + depth, problem.horizon)):
                ends = [successors[step, c] for s in ends for c in range(*mdp.first_choice[s : s + 2])]
            tried += episodes * len(ends)
            assert played[stage] == tried
            state = successors[stage, choice]


def test_first_of_equal_sequences_is_taken():
    problem = from_table([[0, 0, 0]], [[1, 2, 2]], 3, "")
    assert gorp(problem, depth=2, episodes=1, rng=np.random.default_rng(0))["made"][:, 0].tolist()[-1] == 1


def test_replicates_do_not_depend_on_how_many_there_are():
    problem = PROCESSES["random"]
    few, many = (
        gorp(problem, depth=1, episodes=2, rng=stream(0, "replicates"), replicates=number)["made"]
        for number in (16, 50)
    )
    np.testing.assert_array_equal(few, many[:, :16])
    assert len(np.unique(many, axis=1).T) > 1


def test_plan_loss():
    problem = PROCESSES["lock"]
    np.testing.assert_array_equal(plan_loss(problem, [[1, 0, 1], [2, 0, 2], [5, 1, 4]]), [0, 1, 1])


# The theorems' numbers.


def test_published_formula_and_certificates_are_kept_apart():
    s = Planning.of(lucky_arms(), 1)
    assert s.ahead.has_gap
    assert s.published == 40
    assert s.depth + math.log(s.published, s.actions) == pytest.approx(1.6467, abs=1e-4)
    assert s.certified(s.scale_by_values) == 5023
    assert s.failure(40) == pytest.approx(0.9285, abs=1e-4)
    assert s.failure(80) < 0.01


@given(problem=tables(), depth=st.integers(1, 4))
def test_gaps_and_depths_are_those_of_the_solver(problem, depth):
    values, s = reference_values(problem), Lookahead(problem, min(depth, problem.horizon))
    *_, gap = islice(k_gaps(problem, values, Closure.SAFE), s.depth)
    assert s.safe.smallest == pytest.approx(gap, abs=1e-9)
    solved = [depth for depth in range(1, problem.horizon + 1) if Lookahead(problem, depth).is_solvable]
    assert min(solved) == min_k(problem, values)


def test_optimal_choices_that_look_poor_are_not_safe():
    """Of three ways two are worth 2; behind the one that looks worse than the way to 1, random play misleads."""
    leads = [[1, 2, 3], [4, 4, 4], [5, 4, 4], [4, 4, 4], [4, 4, 4], [4, 4, 4]]
    pays = [[0, 0, 0], [2, 2, 2], [0, 1, 0], [1, 1, 1], [0, 0, 0], [2, 0, 0]]
    s = Lookahead(from_table(leads, pays, 3, ""), 1)
    np.testing.assert_allclose(s.action_values[0, :3], [2, 5 / 9, 1])
    assert s.safe.visited[1].tolist() == [False, True, False, False, False, False]
    assert s.safe.gaps[0, 0] == s.safe.smallest == 1


def test_depths_of_the_alternating_process():
    problem = alternating_depths()
    assert [Lookahead(problem, depth).is_solvable for depth in range(1, 6)] == [True, False, True, False, True]


@given(problem=tables(), depth=st.integers(1, 2))
def test_certified_episodes_succeed(problem, depth):
    s = Planning.of(problem, depth)
    if s.actions > 1 and s.ahead.has_gap and s.scale_by_values < 300:
        for scale in (s.scale_by_ranges, s.scale_by_values):
            assert s.failure(s.certified(scale)) <= 1 / 2
        assert s.scale_by_ranges <= s.scale_by_values * (1 + 1e-9)
        assert s.ahead.is_solvable


def test_bounds_are_as_loose_as_reported():
    """Least over certified numbers of episodes in random processes."""
    shares = []
    for number in range(60):
        rng = stream(0, "looseness", number)
        states, actions, horizon, depth = (int(rng.integers(*ends)) for ends in ((3, 6), (2, 4), (3, 6), (1, 3)))
        s = Planning.of(random_deterministic(rng, states, actions, horizon), depth)
        if s.ahead.has_gap and s.crossroads and s.certified(s.scale_by_ranges) > 1:
            shares.append(s.enough / np.array([s.certified(s.scale_by_values), s.certified(s.scale_by_ranges)]))
    assert len(shares) > 20
    assert np.max(shares, axis=0)[0] < 0.1
    assert 0.05 < np.max(shares, axis=0)[1] <= 0.5
    assert (np.median(shares, axis=0) < 0.03).all()


# Published processes.


def published(name, horizon):
    mdp = read_bridge(Path(__file__).parent / "data" / "bridge" / name / "consolidated.npz")
    return FiniteHorizonMDP.stationary(mdp, horizon)


# Depth, episodes, probability of success, and the share of successes that another program had in 100 runs or so.
FREEWAY = [
    (1, 20, 0.3209, 0.31),
    (1, 37, 0.6087, 0.63),
    (1, 100, 0.9335, 0.91),
    (2, 8, 0.4111, 0.42),
    (2, 12, 0.6021, 0.59),
    (2, 61, 0.9900, 0.99),
]


@pytest.mark.parametrize(("depth", "episodes", "success", "reported"), FREEWAY)
def test_freeway(depth, episodes, success, reported):
    """The certified numbers of episodes, 37 and 61, succeed at least half of the time."""
    problem, runs = published("freeway_10_fs30", 10), 4000
    exact = 1 - gorp_failure_probability(problem, depth=depth, episodes=episodes)
    assert exact == pytest.approx(success, abs=5e-5)
    interval = binomtest(round(100 * reported), 100).proportion_ci(0.95, method="exact")
    assert interval.low <= exact <= interval.high
    rng = stream(0, "freeway", depth, episodes)
    trace = gorp(problem, depth=depth, episodes=episodes, rng=rng, replicates=runs)
    share = (plan_loss(problem, trace["made"]) == 0).mean()
    assert abs(share - exact) <= SIGMAS * math.sqrt(exact * (1 - exact) / runs)


def test_maze():
    """Already one episode for each action always succeeds; two are certified."""
    problem = published("maze_easy_l0_30_fs1", 30)
    assert gorp_failure_probability(problem, depth=1, episodes=1) < 1e-9
    assert gorp_failure_probability(problem, depth=1, episodes=2) < 1e-9
    trace = gorp(problem, depth=1, episodes=1, rng=stream(0, "maze"), replicates=500)
    assert (plan_loss(problem, trace["made"]) == 0).all()


# Bad input.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 0}, "depth is 0; it must be >= 1"),
        ({"episodes": 0}, "episodes is 0; it must be >= 1"),
        ({"replicates": 0}, "replicates is 0; it must be >= 1"),
        ({"problem": FiniteHorizonMDP.stationary(river_swim(3), 3)}, r"choice 1 of stages\[0\] may lead to 2 states"),
        ({"problem": FiniteHorizonMDP.stationary(TabularMDP(np.eye(2)[:, None], [[0], [0]]), 2)}, "start in 2 states"),
        ({"policy": np.ones(7)}, r"policy has shape \(7,\); it must be \(6,\) or \(3, 6\)"),
        ({"policy": np.full(6, 0.4)}, "policy sums to 0.8 in state 0; expected 1 within 1e-06"),
    ],
)
def test_bad_input_is_named(changes, message):
    given_ = {"problem": PROCESSES["lock"], "depth": 1, "episodes": 1} | changes
    problem = given_.pop("problem")
    with pytest.raises(ValueError, match=message):
        gorp(problem, rng=np.random.default_rng(0), **given_)
    if "replicates" not in changes:
        with pytest.raises(ValueError, match=message):
            gorp_failure_probability(problem, **given_)


def test_the_stage_with_chance_is_named():
    first = SparseMDP([0, 1, 2], [0, 2, 4], [0, 1, 0, 1], [1, 0, 0, 1], [0, 0], initial=[1, 0])
    second = SparseMDP([0, 1, 2], [0, 2, 4], [0, 1, 0, 1], [1, 0, 0.5, 0.5], [0, 0])
    with pytest.raises(ValueError, match=r"choice 1 of stages\[1\] may lead to 2 states"):
        sure_successors(FiniteHorizonMDP([first, second]))


def test_rewards_that_are_no_integers_are_named():
    problem = from_table([[0, 0]], [[0, 0.5]], 2, "")
    with pytest.raises(ValueError, match=r"the reward of choice 1 of stages\[0\] is 0.5; it must be an integer"):
        gorp_failure_probability(problem, depth=1, episodes=1)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([[0], [0]], r"shape \(2, 1\); it must hold integers, a row for each of the 3 stages"),
        ([[0.0], [0.0], [0.0]], "type float64"),
        ([[0], [6], [0]], r"made\[1, 0\] is 6; there are choices 0 to 5"),
    ],
)
def test_wrong_plans_are_named(made, message):
    with pytest.raises(ValueError, match=message):
        plan_loss(PROCESSES["lock"], made)


@pytest.mark.parametrize(("horizon", "actions", "message"), [(2, 3, "horizon is 2"), (3, 1, "actions is 1")])
def test_wrong_instances_are_named(horizon, actions, message):
    with pytest.raises(ValueError, match=message):
        lucky_arms(horizon, actions)
