r"""Proofs about ties: what it takes to break them, and what a broken tie costs.

Notation. :math:`s_0`: the state of the tie; :math:`a`: a tied choice; :math:`\varepsilon`: the size of a perturbation;
:math:`h = 1 / (1 - \gamma)`. Everything is recomputed here in plain NumPy.
"""

from functools import cache

import numpy as np

from proofs_checks.xu2025 import ROUNDING, best_of_states, optimal, value_of
from rltheory.theorems.policy_cliff import xu2025_cliffs as paper
from rltheory.theorems.policy_cliff import xu2025_incomplete as incomplete
from rltheory.theorems.policy_cliff.xu2025 import SIZES
from rltheory.theorems.policy_cliff.xu2025_cliffs import TiedProcess
from rltheory.theorems.policy_cliff.xu2025_incomplete import IncompleteReward
from rltheory.theory import Claim, Proof, claim

EPSILON = 0.01


@cache
def before(s: TiedProcess):
    """Q under the old rewards."""
    return optimal(s, s.mdp.rewards)


def states(s, values):
    """V of Q."""
    return best_of_states(s, values)[0]


@cache
def tied(s: TiedProcess):
    """Optimal choices of the state."""
    lost = states(s, before(s))[s.mdp.state_of_choice] - before(s)
    return np.flatnonzero((lost < 1e-9) & (s.mdp.state_of_choice == s.state))


def raised(s):
    """Q + eps 1_a, a row for each tied choice a."""
    return before(s) + EPSILON * np.eye(s.mdp.choices)[tied(s)]


def inverse(s, values):
    """Rewards for which Q is optimal."""
    return values - s.discount * s.laws @ states(s, values)


size = Proof(of=[paper.JUMP_SIZE, paper.JUMP_COST], settings=paper.tied_grid)


@size.step("One value of the states rises, that of the tie, by eps")
def one_rises(s: TiedProcess) -> Claim:
    """Max Q_eps - max Q = eps 1_{s_0}."""
    rise = np.array([states(s, values) - states(s, before(s)) for values in raised(s)])
    right = EPSILON * np.eye(s.mdp.states)[[s.state]]
    return claim(rise, "==", np.broadcast_to(right, rise.shape), "a is optimal, and its value rises", rounding=ROUNDING)


@size.step("Hence the rewards change by eps (1_a - gamma p(s_0 | .))", uses=[one_rises])
def change(s: TiedProcess) -> Claim:
    """From r_Q = Q - gamma P max Q."""
    moved = np.array([inverse(s, values) - inverse(s, before(s)) for values in raised(s)])
    right = EPSILON * (np.eye(s.mdp.choices)[tied(s)] - s.discount * s.laws[:, s.state])
    return claim(moved, "==", right, "the inverse Bellman map", rounding=ROUNDING)


@size.step("Conclusion: the size", uses=[change])
def exactly(s: TiedProcess) -> Claim:
    """The entry of a, or the largest other one."""
    moved = np.array([inverse(s, values) - inverse(s, before(s)) for values in raised(s)])
    returns = s.discount * s.laws[:, s.state]
    right = [max(1 - returns[a], np.delete(returns, a).max(initial=0.0)) for a in tied(s)]
    return claim(np.abs(moved).max(axis=1), "==", EPSILON * np.array(right), "entry by entry", rounding=ROUNDING)


@size.step("Conclusion: at most eps", uses=[change])
def at_most(s: TiedProcess) -> Claim:
    """Every entry lies in [-gamma eps, eps]."""
    moved = np.array([inverse(s, values) - inverse(s, before(s)) for values in raised(s)])
    return claim(np.abs(moved), "<=", EPSILON, "a probability lies in [0, 1]", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

bump = Proof(of=[paper.BUMP], settings=paper.tied_grid)


@cache
def bumped(s: TiedProcess):
    """Q under r + eps 1_a, and W = V' - V, a row for each tied choice a."""
    found = np.array([optimal(s, s.mdp.rewards + EPSILON * unit) for unit in np.eye(s.mdp.choices)[tied(s)]])
    return found, np.array([states(s, values) for values in found]) - states(s, before(s))


@bump.step("The value of the state rises by eps at least")
def rises(s: TiedProcess) -> Claim:
    """Eps <= W(s_0)."""
    _, rise = bumped(s)
    return claim(EPSILON, "<=", rise[:, s.state], "to make the choice a once pays eps more", rounding=ROUNDING)


@bump.step("No value rises more than that of the state")
def most(s: TiedProcess) -> Claim:
    """0 <= W <= W(s_0)."""
    _, rise = bumped(s)
    top = rise[:, [s.state]]
    why = "nothing more is paid before the state is reached, and W(s_0), discounted, from then on"
    return claim(np.abs(rise - top / 2), "<=", top / 2 + 0 * rise, why, rounding=ROUNDING)


@bump.step("Another choice gains gamma W(s_0) at most", uses=[most])
def others_gain(s: TiedProcess) -> Claim:
    """Q'(c) - Q(c) = gamma P_c W <= gamma W(s_0), for c of the state other than a."""
    found, rise = bumped(s)
    gains = [
        [q[c] - before(s)[c] for c in np.flatnonzero(s.mdp.state_of_choice == s.state) if c != a]
        for q, a in zip(found, tied(s), strict=True)
    ]
    right = s.discount * rise[:, [s.state]]
    return claim(np.array(gains), "<=", right, "its own reward is what it was", rounding=ROUNDING)


@bump.step("Conclusion", uses=[rises, others_gain])
def ahead(s: TiedProcess) -> Claim:
    """(1 - gamma) eps <= Q'(a) - Q'(c)."""
    found, _ = bumped(s)
    leads = [
        [q[a] - q[c] for c in np.flatnonzero(s.mdp.state_of_choice == s.state) if c != a]
        for q, a in zip(found, tied(s), strict=True)
    ]
    why = "were another best, W(s_0) <= gamma W(s_0); so Q'(a) = V(s_0) + W(s_0), and Q(c) <= V(s_0)"
    return claim((1 - s.discount) * EPSILON, "<=", np.array(leads), why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

selection = Proof(of=[paper.SELECTION], settings=paper.selection_grid)


def probabilities(s):
    """The selection."""
    return np.full(tied(s).size, 1 / tied(s).size) if s.selection is None else np.asarray(s.selection)


@selection.step("Rewards close by choose a for certain")
def certain(s: TiedProcess) -> Claim:
    """Of all choices of the state, a alone is optimal under r + eps 1_a."""
    found, _ = bumped(s)
    there = s.mdp.state_of_choice == s.state
    optima = np.array([(there & (q >= q[there].max() - 1e-9)) for q in found]).astype(float)
    return claim(optima, "==", np.eye(s.mdp.choices)[tied(s)], "see above: it is ahead of all others")


@selection.step("From there the selection is 1 - sigma(a) away", uses=[certain])
def distance(s: TiedProcess) -> Claim:
    """TV(sigma, 1_a) = 1 - sigma(a)."""
    sigma = probabilities(s)
    left = np.abs(np.eye(sigma.size) - sigma).sum(axis=1) / 2
    return claim(left, "==", 1 - sigma, "half of (1 - sigma(a)) twice")


@selection.step("Conclusion: some a has sigma(a) <= 1/m", uses=[distance])
def smallest(s: TiedProcess) -> Claim:
    """1 - 1/m <= max_a (1 - sigma(a))."""
    sigma = probabilities(s)
    return claim(1 - 1 / sigma.size, "<=", (1 - sigma).max(), "probabilities add up to 1")


# --------------------------------------------------------------------------------------------------

slacker = Proof(of=[incomplete.SLACKER, incomplete.SLACKER_LOWER], settings=incomplete.incomplete_grid)


def own_advantages(s, rewards):
    """Q^pi(c) - V^pi(s)."""
    values = value_of(s, rewards, s.policy)
    return rewards + s.discount * s.laws @ values - values[s.mdp.state_of_choice]


def visits(s):
    """Expected discounted numbers of visits under the policy that has switched, from the initial distribution."""
    return np.linalg.solve((np.eye(s.mdp.states) - s.discount * s.laws[s.switched]).T, s.mdp.initial)


@slacker.step("Under the complete rewards the advantage of a is that under the missing ones")
def missed(s: IncompleteReward) -> Claim:
    """A_{r + m}(a) = A_r(a) + A_m(a), and A_r(a) = 0."""
    complete = own_advantages(s, s.mdp.rewards + s.direction)[s.alternative]
    why = "advantages are linear in the rewards, and a is optimal for r"
    return claim(complete, "==", own_advantages(s, np.asarray(s.direction))[s.alternative], why, rounding=ROUNDING)


@slacker.step("Conclusion: what is lost", uses=[missed])
def loss(s: IncompleteReward) -> Claim:
    """J(pi') - J(pi) = (mu D)(s_0) A_m(a)."""
    complete = s.mdp.rewards + s.direction
    gain = s.mdp.initial @ (value_of(s, complete, s.switched) - value_of(s, complete, s.policy))
    right = visits(s)[s.state] * own_advantages(s, np.asarray(s.direction))[s.alternative]
    return claim(gain, "==", right, "performance differences; in other states nothing has changed", rounding=ROUNDING)


@slacker.step("Conclusion, from below", uses=[loss])
def at_the_start(s: IncompleteReward) -> Claim:
    """Mu(s_0) <= (mu D)(s_0)."""
    return claim(s.mdp.initial[s.state], "<=", visits(s)[s.state], "the start is a visit", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

missing = Proof(of=[incomplete.MISSING_REWARD], settings=incomplete.incomplete_grid)


@missing.step("The complete optimum is at most the old one and h times the largest missing reward")
def optimum(s: IncompleteReward) -> Claim:
    """V_{r + m} <= V_r + h max m."""
    m = SIZES[:, None] * s.direction
    left = np.array([states(s, optimal(s, s.mdp.rewards + row)) for row in m])
    right = states(s, before(s)) + s.horizon * m.max(axis=1, keepdims=True)
    return claim(left, "<=", right, "every policy gains that at most", rounding=ROUNDING)


@missing.step("The policy earns at least the old optimum and h times the smallest")
def kept(s: IncompleteReward) -> Claim:
    """V_r + h min m <= V^pi_{r + m}."""
    m = SIZES[:, None] * s.direction
    right = np.array([value_of(s, s.mdp.rewards + row, s.policy) for row in m])
    left = states(s, before(s)) + s.horizon * m.min(axis=1, keepdims=True)
    return claim(left, "<=", right, "it is optimal for r", rounding=ROUNDING)


@missing.step("Conclusion", uses=[optimum, kept])
def together(s: IncompleteReward) -> Claim:
    """V_{r + m} - V^pi_{r + m} <= h sp(m)."""
    m = SIZES[:, None] * s.direction
    left = [
        (states(s, optimal(s, s.mdp.rewards + row)) - value_of(s, s.mdp.rewards + row, s.policy)).max() for row in m
    ]
    return claim(left, "<=", s.horizon * np.ptp(m, axis=1), "the difference of the two", rounding=ROUNDING)
