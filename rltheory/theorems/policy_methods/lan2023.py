r"""Regularised policy mirror descent contracts by the discount where the optimal policy goes in the long run."""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rltheory.arrays import Array, Vector
from rltheory.solvers.chains import MarkovChain, stationary_laws
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theorems.policy_methods.entropy_run import (
    ENTROPY,
    NO_ENTROPY,
    RUN,
    STILL,
    EntropyRun,
    any_entropy_run,
    entropy_processes,
    play,
)
from rltheory.theorems.policy_methods.policy_run import expected_kl
from rltheory.theory import EveryStep, Paper, Standing, Theorem

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "lan2023"


class Setting(EntropyRun):
    """A run of regularised policy mirror descent."""

    @cached_property
    def long_run(self) -> Vector:
        """Stationary law of the policy that is optimal with entropy; of several, that of one recurrent class."""
        policy = np.exp(self.log_optimum)
        laws = self.by_choice_in_state(policy)
        law: Vector = stationary_laws(MarkovChain(laws / laws.sum(axis=1, keepdims=True))).laws[0]
        return law

    def by_choice_in_state(self, policy: Vector) -> Array:
        """Transition laws of the states under a policy, shape (S, S)."""
        laws: Array = np.add.reduceat(policy[:, None] * self.laws, self.mdp.first_choice[:-1])
        return laws

    @property
    def weight(self) -> float:
        r"""Weight :math:`1 / \eta_\circ + \tau = \tau / (1 - \beta)` of the divergence."""
        return self.temperature / (1 - self.keep)


def grid() -> Iterator[Setting]:
    """Processes of every kind, with steps that are large enough; at the least such step in half of them."""
    for place, s in enumerate(entropy_processes(Setting)):
        keep = s.discount if place % 2 else min(s.keep, s.discount)
        yield Setting(s.mdp, s.discount, temperature=s.temperature, keep=keep)


def any_setting() -> "SearchStrategy[Setting]":
    """Any run with steps that are large enough."""
    return any_entropy_run(Setting).filter(lambda s: s.keep <= s.discount)


def potential(s: Setting, log_policies: Array) -> Array:
    """Loss and weighted divergence of the optimal policy, in the long run."""
    losses = s.soft_losses(log_policies) @ s.long_run
    return np.asarray(losses + s.weight * expected_kl(s, s.long_run, s.log_optimum[None], log_policies))


LARGE_STEPS: Hypotheses = {
    "$1 + \\eta_\\circ \\tau \\ge 1 / \\gamma$, that is $\\beta \\le \\gamma$": lambda s: s.keep <= s.discount
}
SYMBOLS = (
    RUN + "; $\\Phi_k = \\mathbb{E}_{\\nu^*} \\bigl[V^*_\\tau - V_k + (\\eta_\\circ^{-1} + \\tau)\\, "
    "\\mathrm{KL}(\\pi^*_\\tau \\| \\pi_k)\\bigr]$ with a stationary law $\\nu^*$ of $\\pi^*_\\tau$ and "
    "$\\beta = 1 / (1 + \\eta_\\circ \\tau)$"
)

ONE_STEP = Theorem(
    name="regularized-pmd/one-step",
    title="An iteration shrinks loss and divergence together by the discount, in the long run of the optimal policy",
    paper=Paper(PAPER, "theorem on strongly convex regularisers; one step"),
    standing=Standing.DERIVED,
    statement=r"\Phi_{k+1} \le \gamma\, \Phi_k",
    symbols=SYMBOLS,
    kind=EveryStep(rounding=lambda s: s.value_rounding + s.weight * s.distance_rounding),
    hypotheses=ENTROPY | LARGE_STEPS,
    run=play,
    measured=lambda s, trace: potential(s, trace["log_next"]),
    bound=lambda s, trace: s.discount * potential(s, trace["log_policy"]),
    settings=grid,
    strategy=any_setting,
    controls=NO_ENTROPY | STILL,
)

LINEAR = Theorem(
    name="regularized-pmd/linear",
    title="Loss and divergence shrink geometrically, by the discount, in the long run of the optimal policy",
    paper=Paper(PAPER, "theorem on strongly convex regularisers"),
    standing=Standing.DERIVED,
    statement=r"\Phi_k \le \gamma^k\, \Phi_0",
    symbols=SYMBOLS,
    kind=EveryStep(rounding=lambda s: s.value_rounding + s.weight * s.distance_rounding),
    hypotheses=ENTROPY | LARGE_STEPS,
    run=play,
    measured=lambda s, trace: potential(s, trace["log_policy"]),
    bound=lambda s, trace: s.discount**trace.times * potential(s, s.log_first[None])[0],
    since=1,
    settings=grid,
    strategy=any_setting,
    controls=NO_ENTROPY | STILL,
    remark="At the least step, $\\beta = \\gamma$, the weight of the divergence is $\\tau / (1 - \\gamma)$, as in the paper. "
    "There `entropy-npg/values` promises the factor $1 - (1 - \\gamma)^2$ only.",
)
