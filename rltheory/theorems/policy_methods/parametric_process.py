"""What theorems on classes of policies share: the setting, drawn parameters, and grids."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import UNIT_ROUNDOFF, Array, positive
from rltheory.instances import combination_lock, garnet, river_swim
from rltheory.problems import MDP, GaussianPolicies, LogitMDP, SoftmaxPolicies, TabularMDP
from rltheory.problems.policy_classes import PolicyClass
from rltheory.simulation import stream
from rltheory.solvers import ParametricReturn
from rltheory.theorems.discounted.discounted_process import PROCESS, DiscountedProcess, Hypotheses, discounted_processes
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

DRAWS = 12


@dataclass(frozen=True, eq=False)
class ParametricProcess(DiscountedProcess):
    """A discounted process with a class of policies: softmax, or Gaussian where actions are real.

    Parameters
    ----------
    slopes : array, shape (C,), optional
        Slopes of a logit model, by which real actions make choices; without them policies are softmax.
    deviation
        Of Gaussian policies, > 0.
    scale
        Standard deviation of drawn parameters, > 0.
    """

    slopes: ArrayLike | None = field(default=None, kw_only=True)
    deviation: float = field(default=1.0, kw_only=True)
    scale: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        positive(self.deviation, "deviation")
        positive(self.scale, "scale")
        if self.slopes is not None:
            object.__setattr__(self, "slopes", LogitMDP(self.mdp, self.slopes).slopes)

    def __str__(self) -> str:
        note = f", {self.note}" if self.note else ""
        return f"{self.objective}, scale {self.scale:g}{note}"

    @cached_property
    def objective(self) -> ParametricReturn:
        """The return as a function of the parameters."""
        return ParametricReturn(self.policies, self.discount)

    @cached_property
    def policies(self) -> PolicyClass:
        """The class, P parameters."""
        if self.slopes is None:
            return SoftmaxPolicies(self.mdp)
        return GaussianPolicies(LogitMDP(self.mdp, self.slopes), self.deviation)

    @property
    def is_softmax(self) -> bool:
        """Whether policies are softmax, with finitely many actions."""
        return self.slopes is None

    @property
    def spread(self) -> float:
        r"""Largest variance v of :math:`\langle u, \nabla \\log \\pi \\rangle` in a state, for a unit vector u."""
        return 0.5 if self.is_softmax else self.deviation**-2

    @property
    def smoothness(self) -> float:
        r"""Proved bound L on the Hessian of the return, where rewards lie in [0, 1]."""
        return self.spread * self.horizon**2

    @property
    def resolution(self) -> float:
        """Relative error that rounding leaves in returns and derivatives: systems of S equations and sums of choices."""
        terms = self.mdp.states + self.mdp.choices + 16
        return float(8 * (terms * UNIT_ROUNDOFF + self.policies.error) * self.horizon)


SETTING: Hypotheses = PROCESS | {
    "rewards in $[0, 1]$": lambda s: bool(s.mdp.rewards.min() >= 0 and s.mdp.rewards.max() <= 1)
}
SOFTMAX: Hypotheses = {"tabular softmax policies": lambda s: s.is_softmax}
GAUSSIAN: Hypotheses = {"Gaussian policies with a fixed variance": lambda s: not s.is_softmax}


def drawn(s: ParametricProcess, rng: np.random.Generator, count: int = DRAWS) -> Array:
    """Parameters, shape (count, P)."""
    parameters: Array = s.scale * rng.standard_normal((count, s.policies.parameters))
    return parameters


def sweep(name: str, clock: str = "draw", **values: Array) -> Trace:
    """Trace over draws, entries or sizes."""
    count = len(next(iter(values.values())))
    labels = ("time", "parameter", "column")
    return Trace(name, np.arange(count), {key: (labels[: v.ndim], v) for key, v in values.items()}, clock=clock)


def bandit(rewards: tuple[float, ...]) -> TabularMDP:
    """One state, and an arm for each reward."""
    return TabularMDP(np.ones((1, len(rewards), 1)), [rewards], title=f"bandit of {len(rewards)} arms")


def softmax_processes() -> Iterator[ParametricProcess]:
    """Bandits, slow and quick processes, with parameters from moderate to saturated, rewards in [0, 1]."""
    yield ParametricProcess(bandit((1.0, 0.0)), 0.0, scale=0.3)
    yield ParametricProcess(bandit((0.6, 0.4)), 0.9, scale=5.0, note="saturated")
    yield ParametricProcess(bandit((1.0, 0.5, 0.5, 0.0)), 0.5)
    yield ParametricProcess(river_swim(), 0.95)
    yield ParametricProcess(combination_lock([1, 0, 1]), 0.8, scale=2.0)
    yield ParametricProcess(garnet(stream(0, "parametric", "garnet"), 6, 3, 2), 0.9)


def gaussian_processes() -> Iterator[ParametricProcess]:
    """Bandits and processes with real actions, quick and slow to change the choice."""
    yield ParametricProcess(bandit((1.0, 0.0)), 0.0, slopes=[0.0, 40.0], deviation=0.5, scale=0.1, note="a threshold")
    yield ParametricProcess(bandit((0.2, 1.0, 0.0)), 0.9, slopes=[-2.0, 0.0, 2.0], deviation=0.5)
    yield ParametricProcess(river_swim(4), 0.9, slopes=[0.0, 1.0] * 4)
    yield ParametricProcess(
        garnet(stream(0, "parametric", "garnet"), 6, 3, 2), 0.8, slopes=[-1.0, 0.0, 1.0] * 6, deviation=0.3
    )


def processes() -> Iterator[ParametricProcess]:
    """Both classes."""
    yield from softmax_processes()
    yield from gaussian_processes()


def any_softmax() -> "SearchStrategy[ParametricProcess]":
    """Adverse processes, and parameters of any size."""
    from rltheory.strategies import log_uniform

    return discounted_processes(ParametricProcess, highest_discount=0.95, scale=log_uniform(0.1, 10))


def any_gaussian() -> "SearchStrategy[ParametricProcess]":
    """Adverse processes with real actions."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps, discounts, log_uniform

    def with_slopes(mdp: MDP) -> "SearchStrategy[ParametricProcess]":
        slopes = st.lists(st.floats(-3, 3), min_size=mdp.choices, max_size=mdp.choices).map(np.array)
        sizes = {"deviation": log_uniform(0.1, 2), "scale": log_uniform(0.1, 10)}
        return st.builds(ParametricProcess, st.just(mdp), discounts(0.95), slopes=slopes, **sizes)

    return adverse_mdps().flatmap(with_slopes)


def any_process() -> "SearchStrategy[ParametricProcess]":
    """Both classes."""
    return any_softmax() | any_gaussian()
