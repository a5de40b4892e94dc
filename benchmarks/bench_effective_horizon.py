"""Analyses of effective horizons: a large process made here, and the published processes, whose answers are known.

No peer is run: the authors' program is written in Julia. The limits are what is required of us.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.harness import Contender, Limit, Race
from rltheory.problems import DeterministicMDP, FiniteHorizonMDP, read_bridge
from rltheory.simulation import stream
from rltheory.solvers import (
    GorpAnalysis,
    HorizonAnalysis,
    ReturnDistributions,
    StickyAnalysis,
    analyze_gorp,
    analyze_horizon,
    analyze_sticky,
    return_distributions,
)

PUBLISHED = Path(__file__).parent.parent / "tests" / "data" / "bridge"
HORIZONS = {"freeway_10_fs30": 10, "maze_easy_l0_30_fs1": 30, "MiniGrid-Empty-16x16-DistanceShaped-v0": 100}


def large_process(states: int = 17_225, actions: int = 3) -> DeterministicMDP:
    """States in a row, in which actions go back or on at random; few pay, and the last is the end."""
    rng = stream(0, "bench", "effective horizon", states)
    steps = rng.integers(-states // 90, states // 70, (states, actions))
    successors = np.clip(np.arange(states)[:, None] + steps, 0, states - 1)
    rewards = (rng.random((states, actions)) < 1e-3).astype(np.float64)
    successors[-1], rewards[-1] = states - 1, 0.0
    return DeterministicMDP(successors, rewards, initial=np.eye(1, states)[0])


def optimal_return(problem: FiniteHorizonMDP) -> float:
    """The same by plain backward induction on tables."""
    mdp = problem.stages[0]
    values = np.zeros(mdp.states)
    for _ in range(problem.horizon):
        values = (mdp.rewards + values[mdp.successors]).reshape(mdp.states, -1).max(axis=1)
    return float(values[0])


def races() -> Iterator[Race]:
    problem = FiniteHorizonMDP.stationary(large_process(), 100)
    best = optimal_return(problem)
    yield Race(
        "values, min k, planning window, effective horizon, occupancies: 17225 states, 3 actions, horizon 100",
        [
            Contender(
                "rltheory",
                lambda: analyze_horizon(problem, end=problem.states - 1),
                lambda found: found.optimal_return == best and 1 <= found.min_k <= found.planning_window <= 100,
            )
        ],
        Limit(5.0),
        rounds=3,
    )
    problems = {
        name: FiniteHorizonMDP.stationary(read_bridge(PUBLISHED / name / "consolidated.npz"), horizon)
        for name, horizon in HORIZONS.items()
    }
    (freeway, *_) = problems
    truth = json.loads((PUBLISHED / freeway / "consolidated_analyzed.json").read_text(encoding="utf-8"))
    law = np.load(PUBLISHED / freeway / "consolidated_analyzed_value_dists_1.npy")

    def analyze(problem: FiniteHorizonMDP) -> tuple[HorizonAnalysis, StickyAnalysis, GorpAnalysis, ReturnDistributions]:
        return (
            analyze_horizon(problem, end=problem.states - 1),
            analyze_sticky(problem, 0.25),
            analyze_gorp(problem),
            return_distributions(problem),
        )

    def right(found: dict[str, tuple[HorizonAnalysis, StickyAnalysis, GorpAnalysis, ReturnDistributions]]) -> bool:
        plain, _, gorp, laws = found[freeway]
        return (
            plain.as_json().items() >= truth.items()
            and [found[name][2].published[0].episodes for name in problems] == [37, 2, 18]
            and gorp.successes.max() > 0.5
            and np.array_equal(laws.laws[0], law)
        )

    yield Race(
        "three processes of BRIDGE, plain and with sticky actions, bounds on GORP and laws of returns",
        [Contender("rltheory", lambda: {name: analyze(problem) for name, problem in problems.items()}, right)],
        Limit(20.0),
        rounds=3,
    )
