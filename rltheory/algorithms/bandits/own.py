"""Policies of your own, given by functions of one replicate."""

import math
from collections.abc import Callable
from typing import Any

from rltheory.algorithms.bandits.play import Columns, Kernel, Policy
from rltheory.arrays import Vector, count
from rltheory.jit import kernel
from rltheory.variates import uniform

__all__ = ["own_policy"]


def own_policy(
    name: str,
    *,
    start: Callable[[Vector, int], None],
    choose: Callable[[int, Vector, Vector], int],
    observe: Callable[[int, Vector, int, float], None],
    memory: Callable[[int], int],
    draws: int = 0,
    rewards: tuple[float, float] = (-math.inf, math.inf),
) -> Policy:
    """Make a policy of three functions, which may be plain Python or compiled by Numba.

    If all three are compiled, so is the loop around them; else all is interpreted.

    Parameters
    ----------
    name
        What to call it in tables and figures.
    start
        ``start(memory, arms)`` fills the memory, a vector of zeros, before the first round.
    choose
        ``choose(t, memory, uniforms)`` returns an arm after t rounds.
    observe
        ``observe(t, memory, arm, reward)`` writes what is learnt to the memory.
    memory
        ``memory(arms)``, how many numbers the memory has.
    draws
        How many independent uniform numbers in [0, 1) are drawn for each choice.
    rewards
        Bounds of the rewards that the policy can take.

    Raises
    ------
    ValueError, TypeError
        If `draws` is no count. While it plays, if a choice is no arm.

    Examples
    --------
    Pull the first arm unless the last reward of any other was larger.

    >>> def start(memory, arms):
    ...     memory[:] = 0.5
    >>> def choose(t, memory, uniforms):
    ...     return memory.argmax()
    >>> def observe(t, memory, arm, reward):
    ...     memory[arm] = reward
    >>> policy = own_policy("last reward", start=start, choose=choose, observe=observe, memory=lambda arms: arms)
    >>> import numpy as np
    >>> from rltheory.algorithms.bandits import play_bandit
    >>> from rltheory.problems import Bandit
    >>> trace = play_bandit(Bandit.bernoulli([1, 0]), policy, horizon=5, rng=np.random.default_rng(0))
    >>> trace["pulls"][-1]
    array([[5, 0]], dtype=int32)
    """
    draws = count(draws, "draws")
    compiled = all(hasattr(function, "py_func") for function in (start, choose, observe))
    parameters = (float(draws),)

    def shape(arms: int, lanes: int) -> tuple[int, int, int]:
        return lanes, 1, draws + count(memory(arms), "memory(arms)")

    kernels = _kernels(start, choose, observe, kernel if compiled else _as_it_is)
    return Policy(name, *kernels, parameters, shape, rewards, compiled)


def _as_it_is(function: Any) -> Any:
    return function


def _kernels(
    start: Kernel, choose: Kernel, observe: Kernel, form: Callable[[Kernel], Kernel]
) -> tuple[Kernel, Kernel, Kernel]:
    """The functions for columns of replicates; a row of the memory begins with the draws."""

    @form
    def start_all(parameters: Vector, columns: Columns) -> None:
        draws = int(parameters[0])
        for lane in range(columns.arms.size):
            start(columns.memory[lane, 0, draws:], columns.counts.shape[0])

    @form
    def choose_all(t: int, parameters: Vector, columns: Columns) -> None:
        arms, counts, memory, generators = columns.arms, columns.counts, columns.memory, columns.generators
        draws = int(parameters[0])
        for lane in range(arms.size):
            uniforms = memory[lane, 0, :draws]
            for i in range(draws):
                uniforms[i] = uniform(generators, lane)
            arm = int(choose(t, memory[lane, 0, draws:], uniforms))
            if arm < 0 or arm >= counts.shape[0]:
                raise ValueError("choose returned a number that is no arm; arms are 0, ..., K - 1")
            arms[lane] = arm

    @form
    def observe_all(t: int, parameters: Vector, columns: Columns) -> None:
        arms, memory, rewards = columns.arms, columns.memory, columns.rewards
        draws = int(parameters[0])
        for lane in range(arms.size):
            observe(t, memory[lane, 0, draws:], arms[lane], rewards[lane])

    return start_all, choose_all, observe_all
