"""All quantities of the effective horizon of a process, under the names that published analyses of BRIDGE use."""

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Vector
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.sticky import sticky, sticky_policy, sticky_states
from rltheory.progress import sign_of_life
from rltheory.solvers.effective_horizon import (
    Closure,
    SimpleEffectiveHorizon,
    StochasticEffectiveHorizon,
    effective_planning_window,
    greedy_returns,
    min_k,
    most_actions,
    reference_values,
    simple_effective_horizon,
    stochastic_effective_horizon,
)
from rltheory.solvers.exploration import (
    MinimumOccupancies,
    covering_episodes,
    minimum_occupancies,
    reachable_states,
    visit_probabilities,
)

__all__ = ["HorizonAnalysis", "StickyAnalysis", "analyze_horizon", "analyze_sticky"]

# Visits of more numbers than this are not computed, which would take minutes.
MOST_VISITS = 5e9


@dataclass(frozen=True)
class HorizonAnalysis:
    """Effective horizon of a deterministic process, and what it is made of.

    Parameters
    ----------
    title
        What the process is called.
    stages, states, actions
        Numbers T of stages, S of states without the end, and A of actions.
    optimal_return, random_return, worst_return
        Returns of the best, the exploration and the worst policy.
    min_k, planning_window
        Least k, and least planning window, that make optimal choices.
    simple
        Effective horizon by the authors' formula.
    occupancies
        Least occupancies under the exploration policy.
    covering_episodes
        Episodes of the exploration policy that make all choices it can make with probability 1/2 at least, by the union
        bound; None in large processes.
    """

    title: str
    stages: int
    states: int
    actions: int
    optimal_return: float
    random_return: float
    worst_return: float
    min_k: int
    planning_window: int
    simple: SimpleEffectiveHorizon
    occupancies: MinimumOccupancies
    covering_episodes: int | None

    @property
    def covering_length(self) -> int:
        r"""Episodes of the exploration policy that visit all state-action pairs with probability 1/2 at least.

        The bound is :math:`\lceil \log(2 S A) / p \rceil`, with p the least of the largest occupancies of pairs.
        `covering_episodes` is sharper: it takes each pair's own probability to be met.
        """
        return math.ceil(math.log(2 * self.states * self.actions) / self.occupancies.state_action)

    @property
    def log10_timesteps(self) -> dict[str, float]:
        r"""Logarithms to base 10 of how many timesteps each method needs to be optimal with probability 1/2 at least.

        Brute force tries half of all sequences; covering visits all pairs by exploration, and optimism by a model of
        the process; the planning window W tries all its sequences at each stage, :math:`T^2 A^W`; and GORP takes
        :math:`T^2 A^H`, with the effective horizon H of the authors' formula, which is no bound in general.
        """
        stages, actions = self.stages, self.actions
        square, log_actions = 2 * math.log10(stages), math.log10(actions)
        covering = {} if self.covering_episodes is None else {"covering, union bound": self.covering_episodes}
        return {
            "brute force": math.log10(stages * -(-(actions**stages) // 2)),
            "covering": math.log10(stages * self.covering_length),
            **{name: math.log10(stages * episodes) for name, episodes in covering.items()},
            "optimism": math.log10(stages * (self.states * actions + 1)),
            "planning window": square + self.planning_window * log_actions,
            "effective horizon": square + self.simple.horizon * log_actions,
        }

    def as_json(self) -> dict[str, Any]:
        """Numbers under the names of published analyses; an infinite gap is None."""
        simple, occupancies = self.simple, self.occupancies
        return {
            "optimal_return": self.optimal_return,
            "random_return": self.random_return,
            "worst_return": self.worst_return,
            "min_k": self.min_k,
            "epw": self.planning_window,
            "effective_horizon": simple.horizon,
            "effective_horizon_results": {
                "ks": list(simple.ks),
                "ms": list(simple.ms),
                "gaps": [gap if math.isfinite(gap) else None for gap in simple.gaps],
                "vars": list(simple.variances),
                "effective_horizon": simple.horizon,
            },
            "min_occupancy_results": {
                "min_state_occupancy": occupancies.state,
                "min_sum_state_occupancy": occupancies.sum_state,
                "min_state_action_occupancy": occupancies.state_action,
                "min_sum_state_action_occupancy": occupancies.sum_state_action,
            },
        }


@dataclass(frozen=True)
class StickyAnalysis:
    """What sticky actions make of a process.

    Parameters
    ----------
    probability
        That with which the last executed action is executed again.
    states
        Number of pairs of a state and the last executed action that can be met; at the start that is the first action.
    optimal_return, random_return, worst_return
        Returns of the best, the exploration and the worst policy.
    min_k, planning_window
        Least k, and least planning window, that make optimal choices.
    greedy_returns : array, shape (5,)
        Return of the worst policy that is greedy after k = 1, ..., 5 steps.
    horizons : mapping of Closure to StochasticEffectiveHorizon
        Effective horizon of each closure, of rewards in total in [0, 1].
    """

    probability: float
    states: int
    optimal_return: float
    random_return: float
    worst_return: float
    min_k: int
    planning_window: int
    greedy_returns: Vector
    horizons: Mapping[Closure, StochasticEffectiveHorizon]

    def as_json(self) -> dict[str, Any]:
        """Numbers under the names of published analyses, which round greedy returns to float32."""
        return {
            "optimal_return": self.optimal_return,
            "random_return": self.random_return,
            "worst_return": self.worst_return,
            "num_states": self.states,
            "min_k": self.min_k,
            "epw": self.planning_window,
            "greedy_returns": self.greedy_returns.astype(np.float32).tolist(),
        }


def analyze_horizon(
    problem: FiniteHorizonMDP, policy: ArrayLike | None = None, *, end: int | None = None
) -> HorizonAnalysis:
    """Effective horizon of a deterministic process and what it is made of, on two threads.

    Parameters
    ----------
    problem
        The process, T stages, S states, C choices.
    policy : array_like, shape (C,) or (T, C), optional
        Exploration policy, whose probabilities sum to 1 within 1e-6 in each state; uniform by default.
    end
        A state that does not count, since an episode that is there has ended.

    Raises
    ------
    ArithmeticError
        If a value leaves the range of float64.
    ValueError
        If the process is not deterministic, or `policy` is no policy.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> found = analyze_horizon(FiniteHorizonMDP.stationary(corridor, 3), end=2)
    >>> found.min_k, found.planning_window, found.simple.horizon, found.occupancies.state_action
    (1, 2, 2.0, 0.25)
    """
    with sign_of_life(f"effective horizon of {problem}"):
        values = reference_values(problem, policy)
        visits = None
        if problem.horizon * problem.choices**2 <= MOST_VISITS:
            visits = np.where(problem.stages[0].state_of_choice == end, 0.0, visit_probabilities(problem, policy))
        with ThreadPoolExecutor(1) as other:
            window = other.submit(effective_planning_window, problem, values)
            occupancies = other.submit(minimum_occupancies, problem, policy, end=end)
            least, simple = min_k(problem, values), simple_effective_horizon(problem, values)
    optimal, random, worst = (
        float(problem.initial @ table[0]) for table in (values.optimal, values.random, values.worst)
    )
    return HorizonAnalysis(
        problem.title,
        problem.horizon,
        problem.states - (end is not None),
        most_actions(problem),
        optimal,
        random,
        worst,
        least,
        window.result(),
        simple,
        occupancies.result(),
        None if visits is None else covering_episodes(visits),
    )


def analyze_sticky(problem: FiniteHorizonMDP, probability: float, policy: ArrayLike | None = None) -> StickyAnalysis:
    """Analysis of a deterministic process with sticky actions, on two threads.

    Parameters
    ----------
    problem
        The process without them.
    probability
        That with which the last executed action is executed again, in [0, 1].
    policy : array_like, shape (C,) or (T, C), optional
        Exploration policy of the process without them, by which actions are chosen, if not executed; its probabilities
        sum to 1 within 1e-6 in each state; uniform by default.

    Raises
    ------
    ArithmeticError
        If a value leaves the range of float64.
    ValueError, TypeError
        If `probability` is no number in [0, 1], or `policy` is no policy.

    References
    ----------
    :cite:`laidlaw2024`

    Examples
    --------
    >>> from rltheory.problems import DeterministicMDP
    >>> corridor = DeterministicMDP([[1, 0], [2, 0], [2, 2]], [[0, 0], [1, 0], [0, 0]], initial=[1, 0, 0])
    >>> found = analyze_sticky(FiniteHorizonMDP.stationary(corridor, 3), 0.25)
    >>> found.optimal_return, found.min_k, found.states
    (1.0, 1, 4)
    """
    with sign_of_life(f"sticky actions in {problem}"):
        moved, pairs = sticky(problem, probability), sticky_states(problem)
        exploration = None if policy is None else sticky_policy(problem, policy)
        plain, values = reference_values(problem), reference_values(moved, exploration)
        # Rewards are those of executed actions: their total is that of an episode of the plain process.
        highest, lowest = (float(problem.initial @ table[0]) for table in (plain.optimal, plain.worst))
        met = pairs[reachable_states(moved).any(axis=0)]
        optimal, random, worst = (
            float(moved.initial @ table[0]) for table in (values.optimal, values.random, values.worst)
        )
        with ThreadPoolExecutor(2) as pool:
            least, window = (pool.submit(find, moved, values) for find in (min_k, effective_planning_window))
            horizons = {
                closure: pool.submit(
                    stochastic_effective_horizon, moved, values, closure=closure, reward_range=highest - lowest or 1.0
                )
                for closure in Closure
            }
            greedy = pool.submit(greedy_returns, moved, values)
    return StickyAnalysis(
        probability,
        np.unique(np.maximum(met, 0), axis=0).shape[0],
        optimal,
        random,
        worst,
        least.result(),
        window.result(),
        greedy.result(),
        {closure: found.result() for closure, found in horizons.items()},
    )
