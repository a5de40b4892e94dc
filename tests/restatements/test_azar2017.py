"""Both sides of the theorem on UCBVI, from the learner that is written down plainly."""

import math
from functools import partial

import numpy as np
import pytest

from rltheory.instances import river_swim
from rltheory.measures import finite_horizon_regret
from rltheory.problems import FiniteHorizonMDP
from rltheory.simulation import stream
from rltheory.theorems.episodes import azar2017
from rltheory.theorems.episodes.azar2017 import UCBVI_RATE, Exploration, arms_of_all_scales
from rltheory.theory import Theorem
from tests.restatements import plain_episodes
from tests.test_episodes import DELTA, restated_ucbvi

SETTINGS = [
    Exploration(arms_of_all_scales(4), 200, DELTA),
    Exploration(FiniteHorizonMDP.stationary(river_swim(3), 4), 150, DELTA),
]


def test_every_theorem_is_restated():
    assert [theorem for theorem in vars(azar2017).values() if isinstance(theorem, Theorem)] == [UCBVI_RATE]


@pytest.mark.parametrize("s", SETTINGS, ids=str)
def test_both_sides(s):
    trace = UCBVI_RATE.run(s, stream(0, "restatement"))
    plain = restated_ucbvi(s.problem, s.episodes, 1.0, bernstein=True)
    played, _ = plain_episodes.play(s.problem, plain, s.episodes, stream(0, "restatement"))
    policies = [plain_episodes.as_policy(s.problem, plan) for plan in played]
    regret = np.append(0, finite_horizon_regret(s.problem, policies))
    # Sums of some hundred numbers up to 4.
    np.testing.assert_allclose(UCBVI_RATE.measured(s, trace), regret[trace.times], atol=1e-11)
    h, n, c, k = s.problem.horizon, s.problem.states, s.problem.choices, trace.times
    log = math.log(5 * c * h * s.episodes / DELTA)
    bound = 30 * h * log * (c * k) ** 0.5 + 2500 * h * h * n * c * log * log + 4 * h**1.5 * (k * log) ** 0.5
    np.testing.assert_allclose(UCBVI_RATE.bound(s, trace), bound, rtol=1e-12)


def test_arms_of_all_scales():
    np.testing.assert_array_equal(arms_of_all_scales(4).stages[0].rewards, [0, 0.5, 0.75, 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Exploration, SETTINGS[0].problem, 0), "episodes is 0; it must be >= 1"),
        (partial(Exploration, SETTINGS[0].problem, 10, 0.0), "delta is 0.0; it must be finite and > 0"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
