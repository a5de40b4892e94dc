"""What theorems on KL-regularised preference games share: the setting and its equilibrium."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Array, Vector, distribution, positive
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution
from rltheory.solvers import regularized_equilibrium
from rltheory.theory import BY_CONSTRUCTION
from rltheory.theory.judge import RELATIVE_ROUNDING

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Hypotheses: TypeAlias = dict[str, Callable[[Any], bool | str] | str]

GAME: Hypotheses = {
    "$P + P^\\top = 1$ with entries in $[0, 1]$": BY_CONSTRUCTION,
    "$\\beta > 0$ and a reference $\\mu$ with full support": BY_CONSTRUCTION,
}
USUAL = math.nan  # stands for the usual step size
EXPLOITABILITY = "; $\\mathcal{E}_\\beta(\\pi) = \\max_u P_\\beta(u \\succ \\pi) - 1/2$: the exploitability"


@dataclass(frozen=True, eq=False)
class RegularizedGame:
    """A preference game with a KL penalty, and a step size for proximal maps.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature, > 0.
    reference : array, shape (n,), optional
        Reference policy; uniform by default.
    step
        Step size gamma, > 0, in 1 / payoff; the method's usual one by default.
    """

    game: PreferenceGame
    beta: float
    reference: ArrayLike | None = None
    step: float = USUAL

    def __post_init__(self) -> None:
        positive(self.beta, "beta")
        if self.step is USUAL:
            object.__setattr__(self, "step", self.usual_step)
        positive(self.step, "step")
        self._check_policy("reference")

    def _check_policy(self, name: str) -> None:
        policy = getattr(self, name)
        if policy is not None:
            object.__setattr__(self, name, distribution(policy, self.game.n, name))

    @property
    def usual_step(self) -> float:
        """Step size where none is given, which the method's theorems cover."""
        return 2.0

    @property
    def keep(self) -> float:
        """Weight q = 1 / (1 + gamma beta) of the old policy in a proximal map."""
        return 1 / (1 + self.step * self.beta)

    @cached_property
    def log_reference(self) -> Vector:
        """Log-probabilities of the reference, shape (n,)."""
        return log_distribution(self.reference, self.game.n, "reference")

    @cached_property
    def log_equilibrium(self) -> Vector:
        """Log-probabilities of the regularised equilibrium, shape (n,)."""
        return regularized_equilibrium(self.game, self.beta, self.reference).log_policy

    @property
    def resolution(self) -> float:
        """Error that rounding leaves in the log-probabilities of a run.

        An iteration rounds the logarithms, and shrinks what earlier iterations left by q; the errors add up to
        1 / (1 - q) = 1 + 1 / (gamma beta) times that.
        """
        return 4 * float(np.finfo(np.float64).eps) * self.largest_logarithm * (1 + 1 / (self.step * self.beta))

    @property
    def largest_logarithm(self) -> float:
        """Largest size of a log-probability: those of responses differ by 1 / beta from the reference's."""
        return float(-self.log_reference.min()) + 1 / self.beta

    @property
    def largest_divergence(self) -> float:
        r"""Largest possible :math:`\mathrm{KL}(\pi^* \| \pi)` of a run from the reference, whatever the win rates.

        They have span 1 at most, also where they are estimated; so the logarithms of both the iterates and the
        equilibrium differ from those of the reference by a span of 1 / beta at most, and from each other by twice that. A
        divergence is at most the span of the log-ratio, and at most its square over 8.
        """
        return min(2 / self.beta, 1 / (2 * self.beta**2))

    @property
    def kl_rounding(self) -> float:
        r"""Absolute allowance for a divergence.

        An error :math:`\delta` in the span of the logarithms turns :math:`K` into
        :math:`(\sqrt K + \delta)^2` at most, which is below :math:`(1 + \rho) K + (1 + 1/\rho) \delta^2`. With
        the relative allowance for :math:`\rho`, the rest is this.
        """
        return self.resolution**2 * (1 + 1 / RELATIVE_ROUNDING)


@dataclass(frozen=True, eq=False)
class PolicyRun(RegularizedGame):
    """A run on a regularised game.

    Parameters
    ----------
    start : array, shape (n,), optional
        First policy; the reference by default.
    note
        What is particular about it.
    """

    start: ArrayLike | None = None
    note: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_policy("start")

    def __str__(self) -> str:
        step = "" if self.step == 2 else f", gamma = {self.step:.4g}"
        note = f", {self.note}" if self.note else ""
        return f"{self.game}, beta = {self.beta:g}{step}{note}"

    @property
    def largest_logarithm(self) -> float:
        """Largest size of a log-probability: iterates average those of the start with those of responses."""
        start = 0.0 if self.start is None else -float(np.log(np.min(self.start)))
        return max(start, float(-self.log_reference.min())) + 1 / self.beta

    @property
    def from_reference(self) -> bool:
        """Whether the run starts at the reference."""
        return self.start is None


def at_largest_difference(log_policy: Array, log_other: Array) -> Array:
    """Minus the log-probability of the action on which two policies differ most."""
    action = np.abs(log_policy - log_other).argmax(axis=-1)
    surprisals: Array = -np.take_along_axis(log_policy, action[:, None], axis=-1)[:, 0]
    return surprisals


G = TypeVar("G", bound=RegularizedGame)


def regularized_games(
    setting: type[G],
    steps: Callable[[float], "SearchStrategy[float]"],
    *,
    policies: tuple[str, ...] = ("reference",),
    lowest_beta: float = 0.01,
    longest_cycle: int = 101,
) -> "SearchStrategy[G]":
    """Settings of a class: adverse games, temperatures, steps that may depend on them, and policies by field."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_games, betas, skewed_policies

    @st.composite
    def settings(draw: st.DrawFn) -> G:
        game, beta = draw(adverse_games(longest_cycle=longest_cycle)), draw(betas(lowest_beta))
        policy = st.none() | skewed_policies(game.n)
        return setting(game, beta, step=draw(steps(beta)), **{name: draw(policy) for name in policies})

    return settings()
