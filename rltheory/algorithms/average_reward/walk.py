r"""A run that never starts again: a learner follows plans, epoch after epoch, in one process.

Whatever function :math:`V_t` and gain :math:`J_t` a plan stands on, with the choice c made at time t and
:math:`E_t = V_t(s_t) + J_t - r_c - \langle p_c, V_t \rangle`, on every path

.. math::

   \sum_t (J_t - r_t) = \sum_t E_t + \sum_t \bigl[ \langle p_c, V_t \rangle - V_t(s_{t+1}) \bigr]
   + \sum_t \bigl[ V_t(s_{t+1}) - V_t(s_t) \bigr].

The three sums are what plans promise too much, what chance adds, and what changes of plans cost.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rltheory.algorithms.sampling import CumulativeLaws, cumulative_laws, draw
from rltheory.arrays import Array, Times, Vector, count
from rltheory.jit import kernel
from rltheory.problems.mdp import MDP, Indices
from rltheory.trace import Trace, record_times

__all__ = ["Notes", "Plan", "Walk", "Watch"]

Notes = Mapping[str, tuple[tuple[str, ...], NDArray[np.float64] | float]]


class Plan(Protocol):
    """A policy, and the gain and the values that it is expected to have."""

    @property
    def policy(self) -> Indices:
        """The choice made in each state, shape (S,)."""

    @property
    def gain(self) -> float:
        """The gain J that is expected."""

    @property
    def values(self) -> Vector:
        """The function V that goes with it, shape (S,)."""


class Watch(Protocol):
    """What decides when an epoch ends."""

    def walk(
        self,
        laws: CumulativeLaws,
        policy: Indices,
        entries: Indices,
        state: int,
        steps: int,
        rng: np.random.Generator,
    ) -> tuple[int, int]:
        """Follow a policy for some steps, or until the epoch ends; count entries, return the state and the steps."""

    def notes(self) -> Notes:
        """Numbers to record beside those of the walk, with the labels of their dimensions."""


@kernel
def _walk(
    laws: CumulativeLaws,
    policy: Indices,
    allowance: Indices,
    entries: Indices,
    state: int,
    steps: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Follow a policy for some steps, or until a choice without allowance is due; return the state and the steps."""
    first_entry, successors, cumulative = laws.first_entry, laws.successors, laws.cumulative
    for step in range(steps):
        choice = policy[state]
        if allowance[choice] == 0:
            return state, step
        allowance[choice] -= 1
        entry = draw(cumulative, first_entry[choice], first_entry[choice + 1], rng)
        entries[entry] += 1
        state = successors[entry]
    return state, steps


@kernel
def _account(
    laws: CumulativeLaws,
    entries: Indices,
    known: Indices,
    promised: Vector,
    expected: Vector,
    values: Vector,
    visits: Indices,
    sums: Vector,
) -> None:
    """Add what `entries` have grown beyond those `known` to the visits, the Bellman errors and the noise."""
    for choice in range(visits.size):
        made = 0
        for entry in range(laws.first_entry[choice], laws.first_entry[choice + 1]):
            moves = entries[entry] - known[entry]
            known[entry] = entries[entry]
            made += moves
            sums[1] -= moves * values[laws.successors[entry]]
        if made > 0:
            visits[choice] += made
            sums[0] += made * promised[choice]
            sums[1] += made * expected[choice]


class _Allowance:
    """An epoch ends before a choice is made more often than it may."""

    def __init__(self, allowance: Indices) -> None:
        self._allowance = allowance

    def walk(
        self,
        laws: CumulativeLaws,
        policy: Indices,
        entries: Indices,
        state: int,
        steps: int,
        rng: np.random.Generator,
    ) -> tuple[int, int]:
        """Follow the policy while the allowance lasts."""
        return _walk(laws, policy, self._allowance, entries, state, steps, rng)

    def notes(self) -> Notes:
        """Nothing more to record."""
        return {}


class Walk:
    """What a learner has seen of a process so far, and the record of its run.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    horizon
        Number of steps T >= 1.
    rng
        Source of randomness, for the first state as well.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> from rltheory.solvers import relative_value_iteration
    >>> walk = Walk(river_swim(), 1000, np.random.default_rng(0))
    >>> plan = relative_value_iteration(river_swim())
    >>> while walk.time < walk.horizon:
    ...     walk.follow(plan)
    >>> int(walk.visits.sum()), walk.epochs
    (1000, 18)
    """

    def __init__(self, mdp: MDP, horizon: int, rng: np.random.Generator) -> None:
        self.mdp, self.horizon, self.rng = mdp, count(horizon, "horizon", at_least=1), rng
        self.times: Times = record_times(self.horizon)
        self.time, self.epochs, self.epoch_began = 0, 0, 0
        self._laws = cumulative_laws([mdp])
        self.state = int(rng.choice(mdp.states, p=mdp.initial))
        self.entries = np.zeros(self._laws.successors.size, np.int64)  # how often each possible step was seen
        self._known = np.zeros_like(self.entries)  # those that visits and sums know of
        self.visits = np.zeros(mdp.choices, np.int64)
        self._choice_of_entry = np.repeat(np.arange(mdp.choices), np.diff(self._laws.first_entry))
        points = self.times.size
        self._sums = np.zeros(3)  # of Bellman errors, of noise, of changes of values
        self._record = {
            "visits": np.zeros((points, mdp.choices), np.int64),
            "state": np.full(points, self.state),
            "gain": np.full(points, np.nan),
            "epochs": np.zeros(points, np.int64),
            "promised": np.zeros(points),
            "errors": np.zeros(points),
            "noise": np.zeros(points),
            "drift": np.zeros(points),
        }
        self._labels: dict[str, tuple[str, ...]] = {"visits": ("choice",)}
        self.promised = 0.0  # sum of the gains that plans promised
        self._next = 1

    @property
    def transitions(self) -> Array:
        """How often each choice led to each state, shape (C, S)."""
        seen = np.zeros((self.mdp.choices, self.mdp.states))
        seen[self._choice_of_entry, self._laws.successors] = self.entries
        return seen

    def empirical_laws(self) -> Array:
        """Empirical laws of the choices, shape (C, S), uniform where nothing was seen."""
        seen = self.transitions
        seen[self.visits == 0] = 1.0
        laws: Array = seen / seen.sum(axis=1, keepdims=True)
        return laws

    @property
    def laws(self) -> CumulativeLaws:
        """The laws by which next states are drawn; counts and errors of possible steps are in their order."""
        return self._laws

    @property
    def choice_of_entry(self) -> Indices:
        """The choice of each possible step, shape (E,)."""
        return self._choice_of_entry

    def expected(self, values: Vector) -> Vector:
        """Expected values of the next state, shape (C,)."""
        means: Vector = self.mdp.transition_matrix @ values
        return means

    def follow(self, plan: Plan, *, longest: int | None = None, watch: Watch | None = None) -> None:
        """Follow a plan for an epoch: until a choice is due that was made as often in it as ever before, and once.

        Parameters
        ----------
        plan
            The policy, and what it is expected to be worth.
        longest
            Number of steps after which the epoch ends at the latest, >= 1.
        watch
            What ends the epoch in place of the number of visits.
        """
        watch = _Allowance(np.maximum(self.visits, 1)) if watch is None else watch
        end = self.horizon if longest is None else min(self.horizon, self.time + longest)
        policy = np.ascontiguousarray(plan.policy, np.int64)
        values, expected = plan.values, self.expected(plan.values)
        promised = np.full(self.mdp.choices, np.nan)
        promised[policy] = values + plan.gain - self.mdp.rewards[policy] - expected[policy]
        if self.time == 0:
            self._note(0, watch)
        self.epochs += 1
        self.epoch_began = self.time
        stopped = False
        while not stopped and self.time < end:
            goal = min(end, int(self.times[self._next]))
            before = self.state
            self.state, steps = watch.walk(self._laws, policy, self.entries, before, goal - self.time, self.rng)
            stopped = self.time + steps < goal
            self.time += steps
            _account(self._laws, self.entries, self._known, promised, expected, values, self.visits, self._sums)
            self._sums[2] += values[self.state] - values[before]
            self.promised += steps * plan.gain
            if self.time == self.times[self._next]:
                self._write(plan)
                self._note(self._next, watch)
                self._next += 1

    def _write(self, plan: Plan) -> None:
        record, place = self._record, self._next
        record["visits"][place] = self.visits
        record["state"][place], record["gain"][place] = self.state, plan.gain
        record["epochs"][place], record["promised"][place] = self.epochs, self.promised
        record["errors"][place], record["noise"][place], record["drift"][place] = self._sums

    def _note(self, place: int, watch: Watch) -> None:
        for name, (labels, value) in watch.notes().items():
            if place == 0:
                self._record[name], self._labels[name] = np.zeros((self.times.size, *np.shape(value))), labels
            self._record[name][place] = value

    def trace(self, algorithm: str) -> Trace:
        """Record of the run.

        At each recorded time: ``visits``, shape (time, choice), how often each choice was made; ``state``; ``gain``,
        which the plan in force promised in the step before; ``epochs`` so far; ``promised``, the sum of those gains;
        and the three sums that make up its distance from the rewards: ``errors``, ``noise`` and ``drift``; and the
        notes of what ended the epochs, if that was not the number of visits.
        """
        self._record["gain"][0] = self._record["gain"][1]
        values = {name: (("time", *self._labels.get(name, ())), array) for name, array in self._record.items()}
        return Trace(algorithm, self.times, values, clock="step")
