"""SQIRL: its estimates are those of value iteration from random play, with whatever regression."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from rltheory.algorithms import by_regressor, cell_means, least_squares, sqirl
from rltheory.instances import inventory, random_episodes, river_swim
from rltheory.instances.effective_horizon import from_table
from rltheory.measures import finite_horizon_suboptimality
from rltheory.problems import FiniteHorizonMDP, TabularMDP, deterministic_policy, read_bridge, sticky
from rltheory.simulation import stream
from rltheory.solvers import backward_induction, reference_values
from rltheory.theorems.effective_horizon.lookahead import Lookahead
from tests.strategies import tables

RIVER = FiniteHorizonMDP(
    [
        river_swim(3).with_rewards(rewards)
        for rewards in ([0, 0, 0, 0.1, 0, 0.3], [0.2, 0, 0, 0, 0, 0.5], [0, 0.3, 0, 1, 0, 1])
    ]
)


class OneHotMeans:
    """Means of targets with the same row, as a regressor."""

    def fit(self, rows, targets):
        self.known = {}
        for row, target in zip(map(tuple, rows), targets, strict=True):
            self.known.setdefault(row, []).append(target)

    def predict(self, rows):
        return [np.mean(self.known.get(tuple(row), [0.0])) for row in rows]


INVENTORY = FiniteHorizonMDP.stationary(inventory(), 3)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("problem", [RIVER, INVENTORY], ids=str)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_estimates_are_values_with_many_episodes(problem, depth, fresh):
    """Means of runs, six of their deviations wide; the largest of some estimates is biased by far less than 0.01."""
    run = {"depth": depth, "episodes": 20_000, "fresh": fresh}
    found = np.array([sqirl(problem, **run, rng=stream(0, "SQIRL", depth, n))["estimates"][0, 0] for n in range(12)])
    values = Lookahead(problem, 3).iterates[:, 0]
    reached = problem.initial[problem.stages[0].state_of_choice] > 0
    tolerance = 6 * found.std(axis=0) / math.sqrt(12) + 0.01
    assert (np.abs(found.mean(axis=0) - values[depth - 1]) <= tolerance)[reached].all()
    if depth < problem.horizon:
        assert (np.abs(values[depth] - values[depth - 1]) > 2 * tolerance)[reached].any()


def test_exploration_policies_are_followed():
    """Estimates of k = 1 are values of the exploration policy: means of 12 runs, six of their deviations wide."""
    policy = np.tile([0.9, 0.1], RIVER.states)
    found = np.array(
        [
            sqirl(RIVER, depth=1, episodes=20_000, rng=stream(0, "SQIRL", "policy", n), policy=policy)["estimates"][
                0, 0
            ]
            for n in range(12)
        ]
    )
    mdp, (explored, uniform) = RIVER.stages[0], (reference_values(RIVER, each).random[1] for each in (policy, None))
    tolerance = 6 * found.std(axis=0) / math.sqrt(12) + 1e-9
    reached = RIVER.initial[mdp.state_of_choice] > 0
    errors = [np.abs(found.mean(axis=0) - mdp.rewards - mdp.transition_matrix @ after) for after in (explored, uniform)]
    assert (errors[0] <= tolerance)[reached].all()
    assert (errors[1] > tolerance)[reached].any()


@given(problem=tables())
def test_exact_where_nothing_is_random(problem):
    """With as many regressions as stages, what was seen often enough is valued exactly along the policy's way."""
    trace = sqirl(problem, depth=problem.horizon, episodes=3000, rng=np.random.default_rng(0))
    policy = deterministic_policy(problem.stages[0], trace["made"])
    # There are 3^4 sequences of choices at most: one is missed with probability 81 exp(-3000 / 81) < 1e-14.
    assert finite_horizon_suboptimality(problem, policy) <= 1e-9


def test_policy_is_rolled_in():
    """Once the first stage is decided, only its successor is seen at the second."""
    problem = from_table([[1, 2], [1, 1], [2, 2]], [[1, 0], [0.5, 0], [0, 1]], 2, "")
    trace = sqirl(problem, depth=1, episodes=200, rng=np.random.default_rng(0))
    assert trace["made"][0, 0] == 0
    np.testing.assert_array_equal(trace["estimates"][1, 0], [0, 0, 0.5, 0, 0, 0])


def test_first_of_equal_estimates_is_made():
    problem = from_table([[0, 0, 0]], [[0, 1, 1]], 1, "")
    assert sqirl(problem, depth=1, episodes=100, rng=np.random.default_rng(0))["made"].tolist() == [[1]]


def test_targets_are_cut():
    problem = from_table([[0, 0]], [[0, 1]], 2, "")
    run = {"depth": 2, "episodes": 500, "rng": np.random.default_rng(0)}
    assert sqirl(problem, **run)["estimates"][0, 0].tolist() == [1, 2]
    assert sqirl(problem, **run, highest_return=1.5)["estimates"][0, 0].tolist() == [1, 1.5]


@pytest.mark.parametrize("fresh", [False, True])
def test_regressions_agree_on_a_table(fresh):
    problem = random_episodes(stream(0, "regressions"), 4, 2, 4)
    rows = np.eye(problem.choices)
    runs = [
        sqirl(problem, depth=3, episodes=50, rng=stream(0, "same"), regression=regression, fresh=fresh)
        for regression in (None, cell_means(problem.choices), least_squares(rows), by_regressor(OneHotMeans(), rows))
    ]
    for run in runs[1:]:
        np.testing.assert_allclose(run["estimates"], runs[0]["estimates"], atol=1e-12)
        np.testing.assert_array_equal(run["episodes"], runs[0]["episodes"])


def test_least_squares_shares_what_choices_have_in_common():
    rng = stream(0, "least squares")
    rows, weights = rng.normal(size=(30, 3)), np.array([1.0, -2.0, 0.5])
    made = np.arange(10)
    np.testing.assert_allclose(least_squares(rows)(made, rows[:10] @ weights), rows @ weights, atol=1e-10)


@pytest.mark.parametrize(("fresh", "played"), [(False, [10, 20, 30, 40]), (True, [30, 60, 80, 90])])
def test_episodes_are_counted(fresh, played):
    problem = random_episodes(stream(0, "episodes"), 4, 2, 4)
    trace = sqirl(problem, depth=3, episodes=10, rng=np.random.default_rng(0), fresh=fresh)
    assert trace["episodes"].tolist() == played


def test_laws_and_starts_are_drawn_as_they_are():
    """One choice in each state: the mean return of an episode is that of the chain."""
    laws = np.array([[[0.2, 0.5, 0.3]], [[0.0, 0.1, 0.9]], [[0.6, 0.0, 0.4]]])
    problem = FiniteHorizonMDP.stationary(TabularMDP(laws, [[0], [1], [3]], initial=[0.5, 0.2, 0.3]), 3)
    episodes = 200_000
    trace = sqirl(problem, depth=1, episodes=episodes, rng=stream(0, "laws"))
    np.testing.assert_allclose(
        trace["estimates"][0, 0], backward_induction(problem).values[0], atol=5 * 9 / math.sqrt(0.2 * episodes)
    )
    np.testing.assert_allclose(
        trace["estimates"][1, 0], backward_induction(problem).values[1], atol=5 * 6 / math.sqrt(0.2 * episodes)
    )


# Sticky actions of a published process.


# Process, horizon, episodes, mean return of 8 runs of another program, mean and deviation of 400 runs or more of this.
STICKY = [
    ("freeway_10_fs30", 10, 30, 0.47, 0.422, 0.42),
    ("freeway_10_fs30", 10, 100, 0.953, 0.876, 0.25),
    ("freeway_10_fs30", 10, 300, 1.000, 0.991, 0.06),
    ("maze_easy_l0_30_fs1", 30, 30, 9.57, 9.837, 0.35),
    ("maze_easy_l0_30_fs1", 30, 100, 10.0, 9.997, 0.03),
]


@pytest.mark.parametrize(("name", "horizon", "episodes", "reported", "mean", "deviation"), STICKY)
def test_sticky_actions(name, horizon, episodes, reported, mean, deviation):
    """Returns of policies are exact; only the runs are left to chance."""
    mdp = read_bridge(Path(__file__).parent / "data" / "bridge" / name / "consolidated.npz")
    problem = sticky(FiniteHorizonMDP.stationary(mdp, horizon), 0.25)
    optimum = float(backward_induction(problem).values[0] @ problem.initial)
    assert optimum == pytest.approx({10: 1, 30: 10}[horizon])
    runs, returns = (200, []) if horizon == 10 else (60, [])
    for run in range(runs):
        trace = sqirl(problem, depth=1, episodes=episodes, rng=stream(0, "sticky", name, episodes, run))
        policy = deterministic_policy(problem.stages[0], trace["made"])
        returns.append(optimum - finite_horizon_suboptimality(problem, policy))
    assert abs(np.mean(returns) - mean) <= 5 * deviation / math.sqrt(runs) + 1e-3
    # Of 8 runs the mean has deviation / sqrt(8), and losses have a long tail: three of these deviations.
    assert abs(np.mean(returns) - reported) <= 3 * deviation * math.sqrt(1 / 8 + 1 / runs)


# Bad input.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 0}, "depth is 0; it must be >= 1"),
        ({"episodes": 0}, "episodes is 0; it must be >= 1"),
        ({"highest_return": 0.0}, "highest_return is 0.0; it must be finite and > 0"),
        ({"highest_return": math.nan}, "highest_return is nan"),
        ({"regression": lambda made, targets: targets}, r"the regression of stage 0 returned values of shape \(2,\)"),
        ({"regression": lambda made, targets: np.full(6, np.nan)}, "6 of them not finite; it must return 6 finite"),
    ],
)
def test_bad_input_is_named(changes, message):
    given_ = {"depth": 1, "episodes": 2, "rng": np.random.default_rng(0)} | changes
    with pytest.raises(ValueError, match=message):
        sqirl(RIVER, **given_)


@pytest.mark.parametrize("make", [least_squares, lambda rows: by_regressor(OneHotMeans(), rows)])
def test_wrong_features_are_named(make):
    with pytest.raises(ValueError, match=r"features has shape \(2,\); it must have 2 dimensions"):
        make([1.0, 2.0])
