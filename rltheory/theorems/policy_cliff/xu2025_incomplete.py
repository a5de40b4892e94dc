"""Incomplete rewards: what is missing breaks ties that nobody knew of, and a policy that ignores it loses.

A policy that is optimal for the rewards of training may slack wherever these leave it a choice.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from rltheory.arrays import Vector
from rltheory.instances import two_branches
from rltheory.problems.mdp import Indices
from rltheory.problems.policies import deterministic_policy
from rltheory.simplex import span
from rltheory.solvers import DiscountedEvaluation, discounted_occupancy, discounted_values
from rltheory.theorems.discounted.discounted_process import PROCESS, Hypotheses
from rltheory.theorems.policy_cliff.xu2025 import APART, PAPER, SIZES, SPAN, signs
from rltheory.theorems.policy_cliff.xu2025_cliffs import TiedProcess, any_tie, ties
from rltheory.theory import EveryStep, Existence, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


# Settings


@dataclass(frozen=True, eq=False)
class IncompleteReward(TiedProcess):
    """A process with the rewards that a policy was trained on; what they miss is the direction."""

    @cached_property
    def policy(self) -> Indices:
        """The first optimal choice of each state."""
        optimal = np.flatnonzero(self.hemicontinuity.optimal)
        return optimal[np.searchsorted(self.mdp.state_of_choice[optimal], np.arange(self.mdp.states))]

    def evaluated(self, rewards: Vector, made: Indices) -> DiscountedEvaluation:
        """Values of a deterministic policy under other rewards."""
        return discounted_values(self.mdp.with_rewards(rewards), deterministic_policy(self.mdp, made), self.discount)

    @cached_property
    def advantages(self) -> Vector:
        """Advantages of the policy under the missing rewards, shape (C,)."""
        found = self.evaluated(np.asarray(self.direction), self.policy)
        return found.action_values - found.values[self.mdp.state_of_choice]

    @cached_property
    def alternative(self) -> int:
        """Of the other optimal choices of the state, the one that the missing rewards favour most."""
        others = self.tied[1:]
        return int(others[np.argmax(self.advantages[others])])

    @cached_property
    def switched(self) -> Indices:
        """The policy with the alternative in the state."""
        switched = self.policy.copy()
        switched[self.state] = self.alternative
        return switched


# Runs


def complete(s: IncompleteReward, rng: np.random.Generator) -> Trace:
    """What the policy gains under the complete rewards by switching, and what the missing ones say of it."""
    return _complete(s, s.policy)


def complete_in_place(s: IncompleteReward, rng: np.random.Generator) -> Trace:
    """Nothing is switched."""
    return _complete(s, s.switched)


def _complete(s: IncompleteReward, made: Indices) -> Trace:
    after, before = (
        s.evaluated(s.mdp.rewards + np.asarray(s.direction), policy).values for policy in (s.switched, made)
    )
    occupancy = discounted_occupancy(s.mdp, deterministic_policy(s.mdp, s.switched), s.discount).occupancy
    values = {
        "gain": (("time",), np.array([s.mdp.initial @ (after - before)])),
        "visits": (("time",), np.array([s.horizon * occupancy[s.alternative]])),
    }
    return Trace("complete rewards", np.zeros(1, np.int64), values, clock="draw")


def miss(s: IncompleteReward, rng: np.random.Generator) -> Trace:
    """Missing rewards of several sizes, and what the policy earns under the complete ones."""
    return _miss(s, 1.0)


def miss_twice_as_much(s: IncompleteReward, rng: np.random.Generator) -> Trace:
    """The missing rewards are twice as large as is recorded."""
    return _miss(s, 2.0)


def _miss(s: IncompleteReward, factor: float) -> Trace:
    missing = SIZES[:, None] * np.asarray(s.direction)
    losses = []
    for rewards in s.mdp.rewards + factor * missing:
        optimal = np.maximum.reduceat(s.solved(rewards), s.mdp.first_choice[:-1])
        losses.append(float((optimal - s.evaluated(rewards, s.policy).values).max()))
    values = {"missing": (("time", "choice"), missing), "loss": (("time",), np.array(losses))}
    return Trace("missing rewards", np.arange(SIZES.size), values, clock="perturbation")


# Grids and strategies


@cache
def incomplete_grid() -> tuple[IncompleteReward, ...]:
    """Processes with ties, and missing rewards that favour another of the tied choices."""
    found = [IncompleteReward(two_branches(1.0, 1.0), 0.9, "branches apart", APART)]
    for k, (mdp, discount) in enumerate(ties()):
        missing = signs("missing", k, size=mdp.choices)
        s = IncompleteReward(mdp, discount, "random signs", missing)
        if s.advantages[s.alternative] <= 0:
            s = replace(s, direction=-missing)
        found.append(s)
    return tuple(s for s in found if favours_alternative(s))


def any_incomplete() -> "SearchStrategy[IncompleteReward]":
    """Any tie, and missing rewards that favour another of the tied choices."""
    return any_tie(IncompleteReward).filter(favours_alternative)


# Theorems


def favours_alternative(s: IncompleteReward) -> bool:
    """Whether the missing rewards make another of the tied choices better, where the policy goes."""
    return s.tied.size > 1 and bool(s.advantages[s.alternative] > s.rounding) and reaches(s)


def reaches(s: IncompleteReward) -> bool:
    """Whether the policy visits the state."""
    occupancy = discounted_occupancy(s.mdp, deterministic_policy(s.mdp, s.policy), s.discount).occupancy
    return bool(occupancy[s.policy[s.state]] > 1e-6)


FAVOURED: Hypotheses = {
    "$s_0$ is visited by $\\pi$, and $a$, optimal for $r$ too, is better for $m$": favours_alternative
}

MISSING = (
    "$r$: the rewards of training; $m$: those that they miss; $\\pi$: a policy that is optimal for $r$; $\\pi'$: the same "
    "but for $a \\in A^*(s_0; r)$ in $s_0$; $J$: the return from the initial distribution $\\mu$ under $r + m$; "
    "$\\mu D^{\\pi'}$: the expected discounted numbers of visits; $A_m^\\pi$: advantages under $m$"
)

SLACKER = Theorem(
    name="policy-cliff/slacker",
    title="What a policy loses that fulfils the rewards of training and nothing else",
    paper=Paper(PAPER, "Proposition 3.1, with the exact loss"),
    standing=Standing.DERIVED,
    statement=r"J(\pi') - J(\pi) = (\mu D^{\pi'})(s_0)\, A_m^\pi(a)",
    symbols=MISSING,
    kind=Identity(rounding=lambda s: 4 * s.horizon * s.rounding),
    hypotheses=PROCESS | FAVOURED,
    run=complete,
    measured=lambda s, trace: trace["gain"],
    bound=lambda s, trace: trace["visits"] * s.advantages[s.alternative],
    settings=incomplete_grid,
    strategy=any_incomplete,
    controls={"nothing is switched": complete_in_place},
)

SLACKER_LOWER = Theorem(
    name="policy-cliff/slacker-lower",
    title="The loss is at least the chance to start at the tie times the missed advantage",
    paper=Paper(PAPER, "Proposition 3.1, with constants"),
    standing=Standing.DERIVED,
    statement=r"\mu(s_0)\, A_m^\pi(a) \le J(\pi') - J(\pi)",
    symbols=MISSING,
    kind=EveryStep(rounding=lambda s: 4 * s.horizon * s.rounding),
    hypotheses=PROCESS | FAVOURED,
    run=complete,
    measured=lambda s, trace: np.full(1, s.mdp.initial[s.state] * s.advantages[s.alternative]),
    bound=lambda s, trace: np.maximum(trace["gain"], 0.0),
    settings=incomplete_grid,
    strategy=any_incomplete,
    controls={"nothing is switched": complete_in_place},
)

SLACKER_EXISTS = Theorem(
    name="policy-cliff/slacker-exists",
    title="A policy that is optimal in training is not, if what is missing favours another tied choice",
    paper=Paper(PAPER, "Proposition 3.1"),
    standing=Standing.SEEN,
    statement=r"\exists\, \pi':\quad J(\pi') > J(\pi)",
    symbols=MISSING,
    kind=Existence(),
    hypotheses=PROCESS | FAVOURED,
    run=complete,
    measured=lambda s, trace: trace["gain"] > 0,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=incomplete_grid,
    strategy=any_incomplete,
    controls={"nothing is switched": complete_in_place},
)

MISSING_REWARD = Theorem(
    name="policy-cliff/missing-reward",
    title="Missing rewards cost the horizon times their span, at most",
    paper=Paper(PAPER, "Proposition 3.1, at worst"),
    standing=Standing.DERIVED,
    statement=r"\max_s V^*_{r + m}(s) - V^\pi_{r + m}(s) \le \frac{\mathrm{sp}(m)}{1 - \gamma}",
    symbols=MISSING + SPAN,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=miss,
    measured=lambda s, trace: trace["loss"],
    bound=lambda s, trace: s.horizon * span(trace["missing"]),
    settings=incomplete_grid,
    strategy=any_incomplete,
    controls={"twice as much is missing": miss_twice_as_much},
)
