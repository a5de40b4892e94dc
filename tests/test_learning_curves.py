"""Learning curves of GORP and SQIRL: against exact laws and optima, and no longer than there is time."""

import math

import numpy as np
import pytest

from rltheory.algorithms import gorp_successes, sqirl_returns
from rltheory.algorithms.effective_horizon import learning_curves
from rltheory.instances import combination_lock, inventory
from rltheory.measures import gorp_failure_probability
from rltheory.problems import FiniteHorizonMDP
from rltheory.simulation import stream
from rltheory.solvers import backward_induction, finite_horizon_values

LOCK = FiniteHorizonMDP.stationary(combination_lock([1, 0, 1]), 3)
INVENTORY = FiniteHorizonMDP.stationary(inventory(), 3)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("policy", [None, np.tile([0.25, 0.75], 3)])
def test_successes_are_as_likely_as_exact_laws_say(depth, policy):
    """400 runs, five deviations: a false alarm in 2e6."""
    numbers = [1, 2, 5, 20]
    episodes, shares = gorp_successes(LOCK, depth=depth, episodes=numbers, rng=stream(0, "curve", depth), policy=policy)
    assert episodes.tolist() == numbers
    for m, share in zip(numbers, shares, strict=True):
        exact = 1 - gorp_failure_probability(LOCK, depth=depth, episodes=m, policy=policy)
        assert abs(share - exact) <= 5 * math.sqrt(exact * (1 - exact) / 400) + 1e-12


def test_returns_rise_to_the_optimum():
    optimum = backward_induction(INVENTORY).values[0] @ INVENTORY.initial
    _, returns = sqirl_returns(INVENTORY, depth=3, episodes=[2, 3000], rng=stream(0, "returns"))
    assert returns[0] < optimum - 0.1
    assert optimum - 0.01 <= returns[1] <= optimum + 1e-12


def test_returns_are_values_of_what_sqirl_makes():
    """With a single choice in each state there is one return."""
    chain = FiniteHorizonMDP.stationary(combination_lock([0], actions=1), 2)
    _, returns = sqirl_returns(chain, depth=1, episodes=[3], rng=stream(0, "chain"))
    assert returns[0] == pytest.approx(
        float(finite_horizon_values(chain, np.ones(chain.choices)).values[0] @ chain.initial)
    )


def test_curves_end_where_time_does(monkeypatch):
    monkeypatch.setattr(learning_curves, "STEPS", 40_000)
    rng = stream(0, "short")
    # Of 20000 steps each number gets, 40 runs of 2 * 4 sequences and m episodes of 3 steps take 960 m and more.
    assert gorp_successes(LOCK, depth=1, episodes=[10, 1000], rng=rng)[0].tolist() == [10]
    assert gorp_successes(LOCK, depth=1, episodes=[1000], rng=rng)[1].size == 0
    assert sqirl_returns(INVENTORY, depth=1, episodes=[10**6], rng=rng)[0].size == 0


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="depth is 0; it must be >= 1"):
        gorp_successes(LOCK, depth=0, episodes=[1], rng=stream(0))
    with pytest.raises(ValueError, match="depth is 0; it must be >= 1"):
        sqirl_returns(INVENTORY, depth=0, episodes=[1], rng=stream(0))
