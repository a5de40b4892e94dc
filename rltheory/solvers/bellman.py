r"""Bellman operators of discounted processes: compiled backups, and what a backup certifies.

The optimality operator :math:`(T v)(s) = \max_{c \in s} r_c + \gamma \sum_t p_c(t) v(t)` contracts distances by
:math:`\gamma (1 + d)`, where :math:`d` is the largest deviation of a law's sum from 1. Hence one backup of any values
:math:`w` certifies them:

.. math:: \max_s |V^*(s) - w(s)| \le \frac{\max_s |(T w)(s) - w(s)| + \varepsilon}{1 - \gamma (1 + d)},

with :math:`\varepsilon` a bound on the rounding of the computed backup. The same bound holds for the policy that the
backup chooses: its own operator takes :math:`w` to the same values. So it loses at most twice the bound.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np

from rltheory.arrays import UNIT_ROUNDOFF, Vector
from rltheory.exponential import exponential
from rltheory.jit import kernel
from rltheory.problems.mdp import (
    MDP,
    DenseArrays,
    DeterministicArrays,
    Indices,
    ProcessArrays,
    SparseArrays,
    expectation,
)

__all__ = ["BellmanOperator", "SoftBellmanOperator", "Workers"]

ENTRIES_PER_THREAD = 100_000  # some 100 us of work, twice what it takes to start and join a thread's share
SMALLEST = float(np.finfo(np.float64).smallest_subnormal)  # largest error of a product that underflows

Range: TypeAlias = tuple[float, float]


@kernel
def back_up(
    arrays: ProcessArrays,
    discount: float,
    values: Vector,
    out: Vector,
    policy: Indices,
    start: int,
    stop: int,
) -> tuple[float, float]:
    """Write the backups of states `start` to `stop - 1`, and their best choices; return the range of the changes.

    With `values` for `out` it works in place: each backup has the newest values.
    """
    first_choice, rewards = arrays.first_choice, arrays.rewards
    lowest, highest = np.inf, -np.inf
    for state in range(np.uint64(start), np.uint64(stop)):
        best = -np.inf
        chosen: Any = np.uint64(0)
        for choice in range(np.uint64(first_choice[state]), np.uint64(first_choice[state + np.uint64(1)])):
            value = rewards[choice] + discount * expectation(arrays, choice, values)
            if value > best:
                best, chosen = value, choice
        change = best - values[state]
        out[state], policy[state] = best, chosen
        lowest = change if change < lowest else lowest
        highest = change if change > highest else highest
    return lowest, highest


@kernel
def back_up_policy(
    arrays: ProcessArrays,
    discount: float,
    policy: Indices,
    values: Vector,
    out: Vector,
    start: int,
    stop: int,
) -> tuple[float, float]:
    """Do the same for one choice in each state."""
    rewards = arrays.rewards
    lowest, highest = np.inf, -np.inf
    for state in range(np.uint64(start), np.uint64(stop)):
        choice: Any = np.uint64(policy[state])
        value = rewards[choice] + discount * expectation(arrays, choice, values)
        change = value - values[state]
        out[state] = value
        lowest = change if change < lowest else lowest
        highest = change if change > highest else highest
    return lowest, highest


@kernel
def soft_back_up(
    arrays: ProcessArrays,
    discount: float,
    temperature: float,
    log_reference: Vector,
    values: Vector,
    out: Vector,
    log_policy: Vector,
    start: int,
    stop: int,
) -> tuple[float, float]:
    """Write soft backups and log-policies of states `start` to `stop - 1`; return the range of the changes."""
    first_choice, rewards = arrays.first_choice, arrays.rewards
    lowest, highest = np.inf, -np.inf
    for state in range(start, stop):
        first, last = first_choice[state], first_choice[state + 1]
        best = -np.inf
        for choice in range(first, last):
            value = rewards[choice] + discount * expectation(arrays, choice, values)
            log_policy[choice] = log_reference[choice] + value / temperature
            best = max(best, log_policy[choice])
        total = 0.0
        for choice in range(first, last):
            total += exponential(log_policy[choice] - best)
        log_total = best + np.log(total)
        for choice in range(first, last):
            log_policy[choice] -= log_total
        out[state] = temperature * log_total
        change = out[state] - values[state]
        lowest, highest = min(lowest, change), max(highest, change)
    return lowest, highest


@kernel
def _copy_rows(
    first_entry: Any, successors: Any, probabilities: Vector, policy: Indices, pointers: Any, columns: Any, numbers: Any
) -> None:
    for state in range(policy.size):
        source, target = first_entry[policy[state]], pointers[state]
        for k in range(pointers[state + 1] - target):
            columns[target + k] = successors[source + k]
            numbers[target + k] = probabilities[source + k]


def restricted(arrays: ProcessArrays, policy: Indices) -> ProcessArrays:
    """Arrays of the process in which each state has the choice of `policy` alone."""
    first_choice, rewards = np.arange(policy.size + 1), arrays.rewards[policy]
    if isinstance(arrays, DenseArrays):
        return DenseArrays(first_choice, rewards, arrays.transitions[policy])
    if isinstance(arrays, DeterministicArrays):
        return DeterministicArrays(first_choice, rewards, arrays.successors[policy])
    sizes = arrays.first_entry[policy + 1] - arrays.first_entry[policy]
    pointers = np.zeros(policy.size + 1, dtype=np.uint64)
    np.cumsum(sizes, out=pointers[1:])
    entries = int(pointers[-1])
    columns, numbers = np.empty(entries, dtype=np.uint32), np.empty(entries)
    _copy_rows(arrays.first_entry, arrays.successors, arrays.probabilities, policy, pointers, columns, numbers)
    return SparseArrays(first_choice, rewards, pointers, columns, numbers)


def entries(arrays: ProcessArrays) -> int:
    """Number of probabilities that a backup reads."""
    return arrays.transitions.size if isinstance(arrays, DenseArrays) else arrays.successors.size


class Workers:
    """Threads that share the states of large backups. The numbers do not depend on how many there are."""

    def __init__(self, mdp: MDP) -> None:
        self.count = max(1, min(len(os.sched_getaffinity(0)), entries(mdp.arrays) // ENTRIES_PER_THREAD))
        self._pool = ThreadPoolExecutor(self.count - 1) if self.count > 1 else None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def sweep(self, share: Callable[[int, int], Range], states: int, work: int) -> Range:
        """Apply `share` to parts of the states, and unite the ranges that it returns."""
        count = max(1, min(self.count, work // ENTRIES_PER_THREAD))
        if self._pool is None or count == 1:
            return share(0, states)
        ends = [states * k // count for k in range(count + 1)]
        others = [self._pool.submit(share, ends[k], ends[k + 1]) for k in range(1, count)]
        ranges = [share(0, ends[1]), *(other.result() for other in others)]
        return min(low for low, _ in ranges), max(high for _, high in ranges)


class BellmanOperator:
    """The optimality operator of a process at a discount.

    Parameters
    ----------
    arrays
        The process.
    discount
        In [0, 1).
    sum_deviation
        Bound on the deviation d of a law's sum from 1.
    terms
        Number of successors, at most.
    workers
        Threads for large backups.
    """

    sweeps_before_gathering = 3

    def __init__(
        self,
        arrays: ProcessArrays,
        discount: float,
        *,
        sum_deviation: float,
        terms: int,
        workers: Workers,
    ) -> None:
        self.arrays, self.discount, self.terms, self.workers = arrays, discount, terms, workers
        self.sum_deviation = sum_deviation
        self.states = arrays.first_choice.size - 1
        self._is_policy = self.states == arrays.rewards.size
        # Choices of the last backup. Where each state has one, they need no array of their own.
        self.policy = arrays.first_choice[:-1] if self._is_policy else np.empty(self.states, dtype=np.int64)
        self.work = entries(arrays)
        # Four unit roundoffs cover the arithmetic of this line and of the divisions by its result.
        self.slack = 1.0 - discount * (1.0 + sum_deviation) - 4 * UNIT_ROUNDOFF
        if self.slack <= 0:
            raise ArithmeticError(
                f"discount {discount} is too close to 1: transition laws sum to 1 within {sum_deviation:.3g} only, so "
                "that a backup need not contract"
            )

    @classmethod
    def of(cls, mdp: MDP, discount: float, workers: Workers) -> "BellmanOperator":
        """Optimality operator of `mdp`."""
        return cls(mdp.arrays, discount, sum_deviation=mdp.sum_deviation, terms=mdp.most_successors, workers=workers)

    def of_policy(self, policy: Indices) -> "BellmanOperator":
        """Operator of a policy, given by a choice for each state."""
        return BellmanOperator(
            restricted(self.arrays, policy),
            self.discount,
            sum_deviation=self.sum_deviation,
            terms=self.terms,
            workers=self.workers,
        )

    def greedy(self) -> "BellmanOperator":
        """Operator of the policy of the last backup."""
        return self.of_policy(self.policy)

    def greedy_sweep(self, values: Vector, out: Vector) -> Range:
        """Back up by that policy; a few times, this is cheaper than to gather its laws from among the others."""
        share = partial(back_up_policy, self.arrays, self.discount, self.policy, values, out)
        return self._finite(self.workers.sweep(share, self.states, self.work * self.states // self.arrays.rewards.size))

    def without_rewards(self) -> "BellmanOperator":
        """Operator of the same process with rewards of 0."""
        return BellmanOperator(
            self.arrays._replace(rewards=np.zeros(self.arrays.rewards.size)),
            self.discount,
            sum_deviation=self.sum_deviation,
            terms=self.terms,
            workers=self.workers,
        )

    def __call__(self, values: Vector, out: Vector) -> Range:
        """Write the backup of `values` to `out` and its choices to `policy`; return the range of the changes."""
        return self._finite(self.workers.sweep(self._share(values, out), values.size, self.work))

    def _share(self, values: Vector, out: Vector) -> Callable[[int, int], Range]:
        """Backup of the states from one to another."""
        if self._is_policy:
            return partial(back_up_policy, self.arrays, self.discount, self.policy, values, out)
        return partial(back_up, self.arrays, self.discount, values, out, self.policy)

    def back_up_in_place(self, values: Vector) -> None:
        """Overwrite `values`, one state after the other, so that each backup has the newest ones."""
        self._finite(self._share(values, values)(0, values.size))

    def _finite(self, changes: Range) -> Range:
        lowest, highest = changes
        if not math.isfinite(highest - lowest):
            raise OverflowError(
                f"values overflow: rewards of up to {self.largest_reward:.3g} are too large for float64"
            )
        return changes

    @cached_property
    def largest_reward(self) -> float:
        """Largest absolute reward of a choice."""
        return max(float(self.arrays.rewards.max()), -float(self.arrays.rewards.min()))

    def rounding(self, magnitude: float) -> float:
        """Largest rounding error of a backup of values of at most `magnitude`.

        A sum of n products errs by at most n u / (1 - n u) times the sum of their sizes, in any order; the product
        with the discount and the sum with the reward are two more operations.
        """
        size = self.largest_reward + self.discount * (1 + self.sum_deviation) * magnitude
        return (self.terms + 4) * (UNIT_ROUNDOFF * size + SMALLEST)

    def certificate(self, values: Vector, spare: Vector) -> tuple[float, float]:
        """Bound on the distance of `values` to the fixed point, by one backup, and rounding's share in it."""
        lowest, highest = self(values, spare)
        magnitude = max(float(values.max()), -float(values.min()))
        self._finite((-magnitude, magnitude))
        rounding = self.rounding(magnitude)
        residual = max(abs(lowest), abs(highest))
        inflation = 1 + 16 * UNIT_ROUNDOFF
        return inflation * (residual + rounding) / self.slack, inflation * rounding / self.slack


class SoftBellmanOperator(BellmanOperator):
    r"""The operator :math:`(T v)(s) = \tau \log \sum_{c \in s} \mu_c \exp((r_c + \gamma \sum_t p_c(t) v(t)) / \tau)`.

    Parameters
    ----------
    mdp
        The process.
    discount
        In [0, 1).
    temperature
        :math:`\tau > 0`, in units of reward.
    log_reference
        :math:`\log \mu`, shape (C,).
    workers
        Threads for large backups.
    """

    sweeps_before_gathering = 0  # its policies mix the laws of all choices

    def __init__(self, mdp: MDP, discount: float, temperature: float, log_reference: Vector, workers: Workers) -> None:
        super().__init__(
            mdp.arrays, discount, sum_deviation=mdp.sum_deviation, terms=mdp.most_successors, workers=workers
        )
        self.temperature, self.log_reference, self._transition_matrix = (
            temperature,
            log_reference,
            mdp.transition_matrix,
        )
        self.log_policy = np.empty(mdp.choices)  # of the last backup

    def _share(self, values: Vector, out: Vector) -> Callable[[int, int], Range]:
        return partial(
            soft_back_up,
            self.arrays,
            self.discount,
            self.temperature,
            self.log_reference,
            values,
            out,
            self.log_policy,
        )

    def greedy(self) -> BellmanOperator:
        """Operator of the policy of the last backup, whose penalty is part of the rewards."""
        from scipy.sparse import csr_array

        # Logarithms of size Q / temperature are rounded by so much that their exponentials do not sum to 1.
        policy, first_choice = np.exp(self.log_policy), self.arrays.first_choice
        policy /= np.repeat(np.add.reduceat(policy, first_choice[:-1]), np.diff(first_choice))
        shares = csr_array((policy, np.arange(policy.size), first_choice))
        rewards = shares @ (self.arrays.rewards - self.temperature * (self.log_policy - self.log_reference))
        laws, one_each = shares @ self._transition_matrix, np.arange(rewards.size + 1)
        arrays: ProcessArrays
        if isinstance(laws, np.ndarray):
            arrays = DenseArrays(one_each, rewards, laws)
        else:
            pointers, columns = laws.indptr.astype(np.uint64), laws.indices.astype(np.uint32)
            arrays = SparseArrays(one_each, rewards, pointers, columns, laws.data)
        return BellmanOperator(
            arrays, self.discount, sum_deviation=self.sum_deviation, terms=self.terms, workers=self.workers
        )

    def rounding(self, magnitude: float) -> float:
        """Largest rounding error of a soft backup of values of at most `magnitude`.

        The logarithm of a sum of exponentials changes no more than its arguments do. These are of size at most
        Q / temperature + L, with Q the largest value of a choice and L the largest logarithm of the reference, and
        err by a few units; the sum of at most A exponentials, each of an error of two units, adds A + 2.
        """
        choices = int(np.diff(self.arrays.first_choice).max())
        largest_log = float(np.abs(self.log_reference).max())
        size = self.largest_reward + self.discount * (1 + self.sum_deviation) * magnitude
        soft = size + self.temperature * (largest_log + choices + 1)
        return super().rounding(magnitude) + 8 * UNIT_ROUNDOFF * soft
