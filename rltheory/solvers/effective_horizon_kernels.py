"""Kernels of the effective horizon: values, walks over closures, and what the states of a closure ask for."""

from enum import Enum

import numpy as np

from rltheory.arrays import Matrix, Vector
from rltheory.jit import kernel
from rltheory.problems.mdp import Marks, ProcessArrays, expectation, mark_successors

__all__ = ["Closure", "back_up", "most_episodes", "reference", "variance_bounds", "walk", "worst_greedy"]


class Closure(Enum):
    r"""Which states count when k-gaps are taken: all that can be reached from the start by certain choices.

    GREEDY: by choices of the largest :math:`Q^k`. SAFE: by those above every choice that is not optimal. REACHABLE: by
    all choices.
    """

    GREEDY = 0
    SAFE = 1
    REACHABLE = 2


# Kernels are told by number.
SAFE, REACHABLE = Closure.SAFE.value, Closure.REACHABLE.value


@kernel
def reference(
    arrays: ProcessArrays, stride: int, policy: Matrix, random: Matrix, optimal: Matrix, worst: Matrix
) -> None:
    """Write the values; a policy without stages is the uniform one."""
    first_choice, rewards = arrays.first_choice, arrays.rewards
    uniform = policy.shape[0] == 0
    for stage in range(random.shape[0] - 2, -1, -1):
        offset = stage * stride
        next_random, next_optimal, next_worst = random[stage + 1], optimal[stage + 1], worst[stage + 1]
        for state in range(random.shape[1]):
            first, last = first_choice[state], first_choice[state + 1]
            mean, best, least = 0.0, -np.inf, np.inf
            for choice in range(first, last):
                reward = rewards[offset + choice]
                value = reward + expectation(arrays, offset + choice, next_random)
                mean += value if uniform else policy[stage, choice] * value
                best = max(best, reward + expectation(arrays, offset + choice, next_optimal))
                least = min(least, reward + expectation(arrays, offset + choice, next_worst))
            if uniform:
                mean /= last - first
            # Rounding must not take the mean out of the range of what it is a mean of.
            random[stage, state] = min(max(mean, least), best)
            optimal[stage, state], worst[stage, state] = best, least


@kernel
def back_up(arrays: ProcessArrays, stride: int, values: Matrix) -> None:
    """Take the values of all stages but the last, which is given, one step of value iteration further."""
    first_choice, rewards = arrays.first_choice, arrays.rewards
    for stage in range(values.shape[0] - 1):
        offset, next_values = stage * stride, values[stage + 1]
        for state in range(values.shape[1]):
            best = -np.inf
            for choice in range(first_choice[state], first_choice[state + 1]):
                best = max(best, rewards[offset + choice] + expectation(arrays, offset + choice, next_values))
            values[stage, state] = best


@kernel
def walk(
    arrays: ProcessArrays,
    stride: int,
    closure: int,
    tolerance: float,
    tie: float,
    values: Matrix,
    optimal: Matrix,
    of_choices: Vector,
    visited: Marks,
    gaps: Matrix,
) -> float:
    """Visit the closure of the states visited at first; write the gaps there and return the least, or 0 at the first 0.

    Values that differ by `tie` or less are equal. `values` are those after the choice, the largest of the step before.
    `of_choices` is room for those of one state.
    """
    first_choice, rewards = arrays.first_choice, arrays.rewards
    smallest = np.inf
    for stage in range(gaps.shape[0]):
        offset, next_values, next_optimal = stage * stride, values[stage + 1], optimal[stage + 1]
        now, after = visited[stage], visited[stage + 1]
        for state in range(gaps.shape[1]):
            if not now[state]:
                continue
            first, last = first_choice[state], first_choice[state + 1]
            top, below = -np.inf, -np.inf
            required = optimal[stage, state] - tolerance
            for choice in range(first, last):
                reward = rewards[offset + choice]
                value = reward + expectation(arrays, offset + choice, next_values)
                of_choices[choice - first] = value
                top = max(top, value)
                if reward + expectation(arrays, offset + choice, next_optimal) < required:
                    below = max(below, value)
            gap = top - below
            if not gap > tie:
                gaps[stage, state] = 0.0
                return 0.0
            gaps[stage, state] = gap
            smallest = min(smallest, gap)
            for choice in range(first, last):
                value = of_choices[choice - first]
                if value >= top - tie or closure == REACHABLE or (closure == SAFE and value > below + tie):
                    mark_successors(arrays, offset + choice, after)
    return smallest


@kernel
def variance_bounds(
    arrays: ProcessArrays, stride: int, random: Matrix, optimal: Matrix, worst: Matrix, bounds: Matrix
) -> None:
    """Write the largest (Q_random - Q_worst) (Q_optimal - Q_worst) of each state."""
    first_choice, rewards = arrays.first_choice, arrays.rewards
    for stage in range(bounds.shape[0]):
        offset = stage * stride
        next_random, next_optimal, next_worst = random[stage + 1], optimal[stage + 1], worst[stage + 1]
        for state in range(bounds.shape[1]):
            largest = -np.inf
            for choice in range(first_choice[state], first_choice[state + 1]):
                reward = rewards[offset + choice]
                low = reward + expectation(arrays, offset + choice, next_worst)
                middle = reward + expectation(arrays, offset + choice, next_random)
                high = reward + expectation(arrays, offset + choice, next_optimal)
                largest = max(largest, (middle - low) * (high - low))
            bounds[stage, state] = largest


@kernel
def most_episodes(visited: Marks, gaps: Matrix, bounds: Matrix, logarithm: float) -> tuple[float, int, int]:
    """Return how many episodes the most demanding state needs, its stage and its number."""
    most, at_stage, at_state = 0.0, 0, 0
    for stage in range(gaps.shape[0]):
        for state in range(gaps.shape[1]):
            if visited[stage, state]:
                gap = gaps[stage, state]
                episodes = max(1.0, np.ceil(16.0 * bounds[stage, state] / (gap * gap) * logarithm))
                if episodes > most or (episodes == most and state < at_state):
                    most, at_stage, at_state = episodes, stage, state
    return most, at_stage, at_state


@kernel
def worst_greedy(arrays: ProcessArrays, stride: int, values: Matrix, of_choices: Vector, earned: Matrix) -> None:
    """Write what the worst of the policies earns that are greedy by the rewards and `values`."""
    first_choice, rewards = arrays.first_choice, arrays.rewards
    for stage in range(earned.shape[0] - 2, -1, -1):
        offset, next_values, next_earned = stage * stride, values[stage + 1], earned[stage + 1]
        for state in range(earned.shape[1]):
            first, last = first_choice[state], first_choice[state + 1]
            top, least = -np.inf, np.inf
            for choice in range(first, last):
                of_choices[choice - first] = rewards[offset + choice] + expectation(
                    arrays, offset + choice, next_values
                )
                top = max(top, of_choices[choice - first])
            for choice in range(first, last):
                if of_choices[choice - first] == top:
                    least = min(least, rewards[offset + choice] + expectation(arrays, offset + choice, next_earned))
            earned[stage, state] = least
