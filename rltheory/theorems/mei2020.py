r"""Softmax policy gradient with exact gradients: its loss goes as 1 / t, and gradients dominate it unevenly."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import softmax_policy_gradient
from rltheory.arrays import Array, positive
from rltheory.instances import garnet
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.theorems.discounted_process import Hypotheses
from rltheory.theorems.policy_run import EPS, START, PolicyRun, policy_runs
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "mei2020"


class Setting(PolicyRun):
    """A run of softmax policy gradient, on a process whose initial distribution is uniform."""

    @property
    def starts_anywhere(self) -> bool:
        """Whether the initial distribution is uniform."""
        return bool((self.mdp.initial == self.mdp.initial[0]).all())

    @property
    def largest_step(self) -> float:
        """The paper's step, for rewards in a range of length 1."""
        return (1 - self.discount) ** 3 / (8 * max(self.reward_range, 1e-300))


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run softmax policy gradient."""
    return softmax_policy_gradient(s.mdp, s.discount, step=s.step, iterations=s.iterations, start=s.start)


def play_downhill(s: Setting, rng: np.random.Generator) -> Trace:
    """The policies are taken in the order of another run: that of the gradient with the policies far apart."""
    trace = play(s, rng)
    first = np.broadcast_to(trace["log_policy"][0], trace["log_policy"].shape)
    return replace(trace, values={**trace.values, "log_policy": (("time", "choice"), first)})


def policies(trace: Trace) -> Array:
    """Probabilities at the recorded times."""
    return np.asarray(np.exp(trace["log_policy"]))


def mean_loss(s: Setting, trace: Trace) -> Array:
    """Mean of V* - V_t over the states, at the recorded times."""
    return np.asarray(s.losses(policies(trace)).mean(axis=1))
