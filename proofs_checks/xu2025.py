r"""Proofs that optimal values are Lipschitz in the rewards, and that no choice becomes optimal within a radius.

Notation. :math:`h = 1 / (1 - \gamma)`; :math:`Q, V`: optimal values for rewards :math:`r`, and :math:`\Delta` their
gaps; :math:`Q', V', \Delta'` those for :math:`r' = r + \delta`. All is recomputed here by policy iteration in NumPy.
"""

from functools import cache
from itertools import pairwise

import numpy as np

from rltheory.theorems.policy_cliff import xu2025 as paper
from rltheory.theorems.policy_cliff.xu2025 import INSIDE, SIZES, PerturbedProcess
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-10  # values of up to a thousand


def best_of_states(s, values, choices=None):
    """Largest value in each state, and a choice that has it, among the given choices."""
    allowed = np.ones(s.mdp.choices, bool) if choices is None else choices
    masked = np.where(allowed, values, -np.inf)
    starts = s.mdp.first_choice
    made = np.array([a + masked[a:b].argmax() for a, b in pairwise(starts)])
    return masked[made], made


def value_of(s, rewards, made):
    """Values of states under a policy, from (I - gamma P) v = r."""
    return np.linalg.solve(np.eye(s.mdp.states) - s.discount * s.laws[made], rewards[made])


def optimal(s, rewards, choices=None):
    """Optimal values of the choices, where policies are kept to some of them."""
    _, made = best_of_states(s, rewards, choices)
    while True:
        values = value_of(s, rewards, made)
        of_choices = rewards + s.discount * s.laws @ values
        best, better = best_of_states(s, of_choices, choices)
        improves = best > values + 1e-12 * (1 + np.abs(values).max())
        if not improves.any():
            return of_choices
        made = np.where(improves, better, made)


def gaps(s, values):
    """What the choices lose."""
    best, _ = best_of_states(s, values)
    return best[s.mdp.state_of_choice] - values


@cache
def before(s: PerturbedProcess):
    """Q_r."""
    return optimal(s, s.mdp.rewards)


@cache
def after(s: PerturbedProcess):
    """Perturbations of all sizes, and Q_{r + delta} for each."""
    moved = SIZES[:, None] * s.direction
    return moved, np.array([optimal(s, s.mdp.rewards + delta) for delta in moved])


@cache
def within(s: PerturbedProcess):
    """The same for perturbations within (1 - gamma) times half the smallest gap."""
    old = gaps(s, before(s))
    smallest = old.min(where=old > s.rounding, initial=np.inf)
    radius = smallest / (2 * s.horizon) if np.isfinite(smallest) else 1.0
    moved = radius * INSIDE[:, None] * s.unit
    return old > s.rounding, moved, np.array([optimal(s, s.mdp.rewards + delta) for delta in moved])


lipschitz = Proof(
    of=[paper.SPAN_OF_VALUES, paper.TWO_SIDED, paper.LOST_GAPS, paper.TIE_BREAKER, paper.HEMICONTINUITY],
    settings=paper.grid,
)


@lipschitz.step("A constant c that is added to all rewards adds c h to all values")
def shift(s: PerturbedProcess) -> Claim:
    """For c = max delta."""
    moved, _ = after(s)
    top = moved.max(axis=1)
    shifted = np.array([optimal(s, s.mdp.rewards + c) for c in top])
    why = "1 + gamma + gamma^2 + ... = h, whatever the policy"
    return claim(shifted, "==", before(s) + s.horizon * top[:, None], why, rounding=ROUNDING)


@lipschitz.step("Values are monotone in the rewards")
def monotone(s: PerturbedProcess) -> Claim:
    """Q_{r + delta} <= Q_{r + max delta}, and Q_{r + min delta} <= Q_{r + delta}."""
    moved, found = after(s)
    above = np.array([optimal(s, s.mdp.rewards + c) for c in moved.max(axis=1)])
    below = np.array([optimal(s, s.mdp.rewards + c) for c in moved.min(axis=1)])
    why = "every policy earns more with larger rewards"
    return claim(np.array([found, below]), "<=", np.array([above, found]), why, rounding=ROUNDING)


@lipschitz.step("Conclusion, from both sides", uses=[shift, monotone])
def two_sided(s: PerturbedProcess) -> Claim:
    """Both Q' - Q - h min delta and h max delta - (Q' - Q) lie in [0, h sp(delta)]."""
    moved, found = after(s)
    low, high = moved.min(axis=1, keepdims=True), moved.max(axis=1, keepdims=True)
    rise = found - before(s)
    sides = np.array([rise - s.horizon * low, s.horizon * high - rise])
    width = s.horizon * (high - low)
    # Both bounds at once: the distance from the middle of the interval.
    return claim(np.abs(sides - width / 2), "<=", width / 2 + 0 * sides, "the two steps before", rounding=ROUNDING)


@lipschitz.step("Conclusion, for the span", uses=[two_sided])
def spans(s: PerturbedProcess) -> Claim:
    """sp(Q' - Q) <= h sp(delta)."""
    moved, found = after(s)
    right = s.horizon * np.ptp(moved, axis=1)
    return claim(
        np.ptp(found - before(s), axis=1), "<=", right, "all lie in an interval of that width", rounding=ROUNDING
    )


@lipschitz.step("Conclusion, for gaps", uses=[two_sided])
def lost(s: PerturbedProcess) -> Claim:
    """Delta(c) - Delta'(c) <= h sp(delta)."""
    moved, found = after(s)
    old, new = gaps(s, before(s)), np.array([gaps(s, values) for values in found])
    why = "the old best is worth V + h min delta at least, and c is worth Q + h max delta at most"
    return claim(old - new, "<=", s.horizon * np.ptp(moved, axis=1, keepdims=True) + 0 * new, why, rounding=ROUNDING)


@lipschitz.step("Conclusion, for what is chosen", uses=[lost])
def chosen(s: PerturbedProcess) -> Claim:
    """Delta(c) <= h sp(delta) where Delta'(c) = 0."""
    moved, found = after(s)
    old, new = gaps(s, before(s)), np.array([gaps(s, values) for values in found])
    left = np.where(new <= s.rounding, old, 0.0).max(axis=1)
    return claim(left, "<=", s.horizon * np.ptp(moved, axis=1), "Delta' = 0", rounding=2 * s.rounding)


@lipschitz.step("Conclusion, for the sets", uses=[lost])
def nothing_new(s: PerturbedProcess) -> Claim:
    """Delta'(c) >= Delta(c) - 2 h |delta| > 0 where Delta(c) > 0."""
    suboptimal, moved, found = within(s)
    old, new = gaps(s, before(s)), np.array([gaps(s, values) for values in found])
    left = (old - 2 * s.horizon * np.abs(moved).max(axis=1, keepdims=True))[:, suboptimal]
    why = "sp(delta) <= 2 |delta|, and |delta| < (1 - gamma) Delta_min / 2"
    return claim(left, "<=", new[:, suboptimal], why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

slope = Proof(of=[paper.KINK], settings=paper.grid)


@slope.step("Within the radius, an optimum for r' is made of choices that are optimal for r")
def inherited(s: PerturbedProcess) -> Claim:
    """Optimal values for r' are those of policies that are kept to the old optimal choices."""
    suboptimal, moved, found = within(s)
    kept = np.array([optimal(s, s.mdp.rewards + delta, ~suboptimal) for delta in moved])
    states = np.array([best_of_states(s, values)[0] for values in found])
    left = np.array([best_of_states(s, values, ~suboptimal)[0] for values in kept])
    return claim(left, "==", states, "no choice becomes optimal, see above", rounding=ROUNDING)


@slope.step("Conclusion", uses=[inherited])
def linear(s: PerturbedProcess) -> Claim:
    """V' = V + max over the optimal policies of their values with delta as reward."""
    suboptimal, moved, found = within(s)
    right = [
        best_of_states(s, before(s))[0] + best_of_states(s, optimal(s, delta, ~suboptimal), ~suboptimal)[0]
        for delta in moved
    ]
    states = np.array([best_of_states(s, values)[0] for values in found])
    why = "all these policies have the same values V for r, and values are linear in the rewards"
    return claim(states, "==", np.array(right), why, rounding=ROUNDING)
