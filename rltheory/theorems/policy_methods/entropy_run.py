"""What theorems on the entropy-regularised natural gradient share: the setting, and its optimum."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rltheory.algorithms import natural_policy_gradient
from rltheory.algorithms.discounted.exact_policies import dense_process, evaluate, new_evaluation
from rltheory.arrays import Array, Matrix, Vector, fraction, positive
from rltheory.instances import chain, combination_lock, garnet, machine_replacement, river_swim
from rltheory.simplex import log_normalize
from rltheory.simulation import stream
from rltheory.solvers import soft_value_iteration
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theorems.policy_methods.policy_run import EPS, START, PolicyRun, expected_kl, policy_runs
from rltheory.theory import BY_CONSTRUCTION
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True, eq=False)
class EntropyRun(PolicyRun):
    r"""A run of the natural gradient with the entropy rewarded. Its `step` follows from `keep`.

    Parameters
    ----------
    temperature
        :math:`\tau > 0`, in units of reward.
    keep
        Weight :math:`\beta \in [0, 1)` of the old logarithms in the new ones; 0 is soft policy iteration.
    """

    temperature: float = 0.1
    keep: float = 0.5

    def __post_init__(self) -> None:
        positive(self.temperature, "temperature")
        if fraction(self.keep, "keep") == 1:
            raise ValueError("keep is 1.0; it must lie in [0, 1)")
        object.__setattr__(self, "step", (1 - self.keep) / self.temperature)
        super().__post_init__()

    def __str__(self) -> str:
        note = f", {self.note}" if self.note else ""
        return f"{self.mdp}, discount {self.discount:g}, tau = {self.temperature:g}, beta = {self.keep:g}{note}"

    @property
    def natural_step(self) -> float:
        r"""Step :math:`\tilde\eta` of the natural gradient."""
        return (1 - self.keep) * (1 - self.discount) / self.temperature

    @property
    def factor(self) -> float:
        r"""The factor :math:`1 - \tilde\eta \tau`."""
        return 1 - (1 - self.keep) * (1 - self.discount)

    @cached_property
    def largest_value(self) -> float:
        """Largest possible size of a value: entropies count as well."""
        sizes = np.diff(self.mdp.first_choice)
        return super().largest_value + self.temperature * float(np.log(sizes.max())) * self.horizon

    @cached_property
    def log_optimum(self) -> Vector:
        """Log-probabilities of the policy that is optimal with entropy, shape (C,)."""
        return self.softmax(self.soft_optimum[1] / self.temperature)

    @cached_property
    def soft_optimum(self) -> tuple[Vector, Vector]:
        """Optimal values with entropy, of states and of choices.

        A step of soft policy iteration squares the error of an accurate solution.
        """
        accuracy = 1e-8 * (self.largest_value + self.temperature)
        log_policy = soft_value_iteration(
            self.mdp, self.discount, temperature=self.temperature, accuracy=accuracy
        ).log_policy
        evaluation = new_evaluation(self.mdp)
        process = dense_process(self.mdp, self.discount)
        evaluate(process, np.array(log_policy), np.exp(log_policy), self.temperature, evaluation)
        return evaluation.values, evaluation.action_values

    def softmax(self, logits: Vector) -> Vector:
        """Log-probabilities of the policy with these logits, shape (C,)."""
        bounds = zip(self.mdp.first_choice[:-1], self.mdp.first_choice[1:], strict=True)
        return np.concatenate([log_normalize(logits[first:end]) for first, end in bounds])

    def soft_losses(self, log_policies: Matrix) -> Matrix:
        r"""What policies lose with entropy, :math:`V_\tau^* - V_\tau^\pi`, shape (T, S).

        They solve :math:`x = \tau\,\mathrm{KL}(\pi \| \pi^*_\tau)_s + \gamma P_\pi x`, in which nothing cancels.
        """
        states = np.eye(self.mdp.states)
        divergences = np.stack(
            [expected_kl(self, state, log_policies, self.log_optimum[None]) for state in states], axis=-1
        )
        return self.summed_up(np.exp(log_policies), self.temperature * divergences)

    def log_distances(self, log_policies: Matrix) -> Array:
        """Largest difference of a log-probability from the optimal one, shape (T,)."""
        distances: Array = np.abs(log_policies - self.log_optimum).max(axis=-1)
        return distances

    @property
    def value_rounding(self) -> float:
        """What rounding leaves in a difference of values."""
        largest = self.largest_value - self.temperature * float(min(self.log_first.min(), self.log_optimum.min()))
        return 64 * EPS * (self.mdp.most_successors + 8) * largest * self.horizon

    @property
    def distance_rounding(self) -> float:
        """What rounding leaves in a log-probability: values round, and an iteration shrinks what is left by beta."""
        return 4 * self.value_rounding / self.temperature / (1 - self.keep)


def play(s: EntropyRun, rng: np.random.Generator) -> Trace:
    """Run the natural gradient with the entropy rewarded."""
    return play_at(s, s.temperature)


def play_at(s: EntropyRun, temperature: float) -> Trace:
    """Run at a temperature, with the setting's step."""
    return natural_policy_gradient(
        s.mdp,
        s.discount,
        step=s.natural_step,
        iterations=s.iterations,
        temperature=temperature,
        start=s.start,
    )


# Wrong runs, to be told from right ones.


def play_without_entropy(s: EntropyRun, rng: np.random.Generator) -> Trace:
    """The entropy is not rewarded."""
    return play_at(s, 0.0)


def play_half_way(s: EntropyRun, rng: np.random.Generator) -> Trace:
    """Steps are half as long as stated."""
    return play(replace(s, keep=(1 + s.keep) / 2), rng)


def stand_still(s: EntropyRun, rng: np.random.Generator) -> Trace:
    """Steps move next to nothing."""
    return play(replace(s, keep=1 - 1e-9), rng)


NO_ENTROPY = {"entropy not rewarded": play_without_entropy}
STILL = {"policies that stand still": stand_still}
HALF_WAY = {"steps half as long": play_half_way}

E = TypeVar("E", bound=EntropyRun)


def entropy_processes(setting: type[E]) -> Iterator[E]:
    """Processes of every kind, temperatures from low to high, weights of old logarithms from 0 to near 1."""
    yield setting(river_swim(), 0.95, temperature=0.1, keep=0.5)
    yield setting(chain(), 0.9, temperature=0.5, keep=0.9)
    yield setting(machine_replacement(), 0.9, temperature=2.0, keep=0.0)
    yield setting(combination_lock([1, 0, 1]), 0.8, temperature=0.02, keep=0.7)
    yield setting(garnet(stream(0, "policy run", "garnet"), 20, 3, 3), 0.9, temperature=0.1, keep=0.1)
    yield setting(garnet(stream(0, "policy run", "dense"), 5, 4, 5), 0.5, temperature=0.3, keep=0.8)
    yield setting(garnet(stream(0, "policy run", "slow"), 5, 4, 2), 0.2, temperature=1.0, keep=0.95)


def any_entropy_run(setting: type[E]) -> "SearchStrategy[E]":
    """Settings of a class: any process and first policy, temperatures and weights of old logarithms of every size."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    keeps = st.just(0.0) | st.floats(0, 0.95)
    return policy_runs(setting, iterations=st.just(40), temperature=log_uniform(0.02, 5), keep=keeps)


ENTROPY: Hypotheses = START | {"$\\tau > 0$ and $0 < \\tilde\\eta \\le (1 - \\gamma) / \\tau$": BY_CONSTRUCTION}
RUN = (
    "$\\pi_k$: the policies of the natural gradient with step $\\tilde\\eta$, the entropy being rewarded with $\\tau$; "
    "$V_k, Q_k$: their values, and $V^*_\\tau, Q^*_\\tau$ those of the optimal $\\pi^*_\\tau$, all with entropy; "
    "$\\beta = 1 - \\tilde\\eta \\tau / (1 - \\gamma)$: the weight of the old logarithms; norms are largest entries"
)
