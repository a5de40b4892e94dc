r"""Proof of the exact radius of stability, of its bounds, and of what noise does.

Notation. :math:`\pi`: the only optimal policy; :math:`D_s`: its expected discounted numbers of choices from s on;
:math:`g_c = D_s - e_c - \gamma \sum_t p_c(t) D_t`, for choices c that it does not make; :math:`h = 1 / (1 - \gamma)`.
Everything is recomputed here in plain NumPy.
"""

from functools import cache
from math import erfc, sqrt

import numpy as np

from proofs_checks.xu2025 import ROUNDING, best_of_states, optimal, value_of
from rltheory.simulation import stream
from rltheory.theorems.policy_cliff import xu2025_stability as paper
from rltheory.theorems.policy_cliff.xu2025 import INSIDE
from rltheory.theorems.policy_cliff.xu2025_stability import OUTSIDE, NoisyProcess, StableProcess, WeightedProcess
from rltheory.theory import Claim, Proof, claim


@cache
def policy(s: StableProcess):
    """The optimal policy, as a choice for each state."""
    return best_of_states(s, optimal(s, s.mdp.rewards))[1]


@cache
def others(s: StableProcess):
    """Choices that it does not make."""
    return np.setdiff1d(np.arange(s.mdp.choices), policy(s))


@cache
def occupancies(s: StableProcess):
    """D, row s."""
    visits = np.linalg.inv(np.eye(s.mdp.states) - s.discount * s.laws[policy(s)])
    found = np.zeros((s.mdp.states, s.mdp.choices))
    found[:, policy(s)] = visits
    return found


@cache
def gradients(s: StableProcess):
    """g, a row for each of the other choices."""
    ahead = np.eye(s.mdp.choices) + s.discount * s.laws @ occupancies(s)
    return (occupancies(s)[s.mdp.state_of_choice] - ahead)[others(s)]


def advantages(s, rewards):
    """V^pi(s) - Q^pi(c) of the other choices."""
    values = value_of(s, rewards, policy(s))
    return (values[s.mdp.state_of_choice] - rewards - s.discount * s.laws @ values)[others(s)]


def weights_of(s):
    """How far each reward may move."""
    return np.asarray(s.weights) if isinstance(s, WeightedProcess) else np.ones(s.mdp.choices)


@cache
def radius(s: StableProcess):
    """Smallest gap over norm, and where it is."""
    ratios = gradients(s) @ s.mdp.rewards
    norms = np.abs(gradients(s)) @ weights_of(s)
    ratios = np.divide(ratios, norms, out=np.full(norms.shape, np.inf), where=norms > 1e-12)
    return ratios.min(), int(ratios.argmin())


def settings():
    """Unweighted and weighted ones."""
    return (*paper.unique_grid(), *paper.weighted_grid())


stability = Proof(of=[paper.RADIUS, paper.WEIGHTED_RADIUS, paper.RADIUS_EXACT], settings=settings)


@stability.step("Gaps are linear in the rewards")
def linear(s: StableProcess) -> Claim:
    """<g_c, r'> = V^pi(s) - Q^pi(c), for every r'."""
    rewards = s.mdp.rewards + radius(s)[0] * s.unit
    why = "V^pi(s) = <D_s, r'> and Q^pi(c) = r'(c) + gamma sum_t p_c(t) V^pi(t)"
    return claim(gradients(s) @ rewards, "==", advantages(s, rewards), why, rounding=ROUNDING)


@stability.step("A perturbation of size eps takes eps times the norm from a gap, at most")
def hoelder(s: StableProcess) -> Claim:
    """|<g_c, delta>| <= eps sum_x w(x) |g_c(x)| for |delta| <= eps w."""
    delta = radius(s)[0] * s.unit
    right = radius(s)[0] * np.abs(gradients(s)) @ weights_of(s)
    return claim(np.abs(gradients(s) @ delta), "<=", right, "Hölder's inequality", rounding=ROUNDING)


@stability.step("So the policy keeps a share 1 - eps / rho of every gap", uses=[linear, hoelder])
def share(s: StableProcess) -> Claim:
    """(1 - eps / rho) Delta(c) <= V^pi(s) - Q^pi(c) under r'."""
    gaps = gradients(s) @ s.mdp.rewards
    rho, _ = radius(s)
    kept = np.array([advantages(s, s.mdp.rewards + share * rho * s.unit) for share in INSIDE])
    why = "eps times the norm is at most eps Delta(c) / rho"
    return claim((1 - INSIDE[:, None]) * gaps, "<=", kept, why, rounding=ROUNDING)


@stability.step("Conclusion: it stays the only optimum", uses=[share])
def stays(s: StableProcess) -> Claim:
    """Its values are the optimal ones."""
    rho, _ = radius(s)
    rewards = [s.mdp.rewards + share * rho * s.unit for share in INSIDE]
    own = [value_of(s, r, policy(s)) for r in rewards]
    best = [best_of_states(s, optimal(s, r))[0] for r in rewards]
    return claim(np.array(own), "==", np.array(best), "a policy without better choices is optimal", rounding=ROUNDING)


@stability.step("Against the signs of the gradient at the minimum, the gap vanishes at the radius", uses=[linear])
def vanishes(s: StableProcess) -> Claim:
    """<g_c, r - rho w sign(g_c)> = 0."""
    rho, place = radius(s)
    rewards = s.mdp.rewards - rho * weights_of(s) * np.sign(gradients(s)[place])
    return claim(advantages(s, rewards)[place], "==", 0.0, "Delta(c) = rho times the norm", rounding=ROUNDING)


@stability.step("Conclusion: beyond, another policy is better", uses=[vanishes])
def changes(s: StableProcess) -> Claim:
    """V^pi + (t - 1) Delta(c) <= V' in the state of the choice c, at t > 1 times the radius."""
    rho, place = radius(s)
    gradient = gradients(s)[place]
    state = s.mdp.state_of_choice[others(s)[place]]
    left, right = [], []
    for times in OUTSIDE:
        rewards = s.mdp.rewards - times * rho * weights_of(s) * np.sign(gradient)
        left.append(value_of(s, rewards, policy(s))[state] + (times - 1) * (gradient @ s.mdp.rewards))
        right.append(best_of_states(s, optimal(s, rewards))[0][state])
    why = "the gap is (1 - t) Delta(c), and one use of c gains as much"
    return claim(left, "<=", right, why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

ends = Proof(of=[paper.RADIUS_LOWER, paper.RADIUS_UPPER], settings=paper.unique_grid)


@ends.step("Entries of a gradient add up to 0, and that of the choice itself is -1")
def balanced(s: StableProcess) -> Claim:
    """Masses: h - 1 - gamma h = 0; pi never makes the choice."""
    own = gradients(s)[np.arange(others(s).size), others(s)]
    left = np.array([gradients(s).sum(axis=1), own])
    return claim(left, "==", np.array([0 * own, -1 + 0 * own]), "D has mass h", rounding=ROUNDING)


@ends.step("Norms are at least 2", uses=[balanced])
def at_least(s: StableProcess) -> Claim:
    """2 <= |g_c|_1."""
    right = np.abs(gradients(s)).sum(axis=1)
    return claim(2.0, "<=", right, "negative entries add up to -1 or less, positive ones to as much", rounding=ROUNDING)


@ends.step("Norms are at most 2 h")
def at_most(s: StableProcess) -> Claim:
    """|g_c|_1 <= 2 h."""
    left = np.abs(gradients(s)).sum(axis=1)
    return claim(left, "<=", 2 * s.horizon, "the difference of two vectors >= 0 of mass h", rounding=ROUNDING)


@ends.step("Conclusion, from below", uses=[at_most])
def lower(s: StableProcess) -> Claim:
    """(1 - gamma) Delta_min / 2 <= rho."""
    smallest = (gradients(s) @ s.mdp.rewards).min()
    return claim(smallest / (2 * s.horizon), "<=", radius(s)[0], "divide every gap by its norm", rounding=ROUNDING)


@ends.step("Conclusion, from above", uses=[at_least])
def upper(s: StableProcess) -> Claim:
    """The other end: rho <= Delta_min / 2."""
    smallest = (gradients(s) @ s.mdp.rewards).min()
    return claim(radius(s)[0], "<=", smallest / 2, "divide the smallest gap by its norm", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

crossing = Proof(of=[paper.CROSSING], settings=paper.crossing_grid)


@crossing.step("On the way all gaps are linear, positive at first, and one of them is negative in the end")
def sides(s: StableProcess) -> Claim:
    """The smallest gap at the end is below 0."""
    return claim(advantages(s, s.mdp.rewards + s.direction).min(), "<=", 0.0, "the policy is not optimal there")


@crossing.step("Conclusion: where the first of them vanishes, the policy is optimal and ties", uses=[sides])
def first(s: StableProcess) -> Claim:
    """The smallest gap is 0 at the smallest root."""
    start, end = gradients(s) @ s.mdp.rewards, gradients(s) @ (s.mdp.rewards + s.direction)
    root = (start[end < 0] / (start - end)[end < 0]).min()
    left = advantages(s, s.mdp.rewards + root * s.direction).min()
    return claim(left, "==", 0.0, "the others are still positive, or vanish too", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

noise = Proof(of=[paper.NOISE_UPPER, paper.NOISE_LOWER], settings=paper.noisy_grid)


@cache
def observed(s: NoisyProcess):
    """Noise, gaps under it, and whether the policy is not optimal."""
    tails = gradients(s) @ s.mdp.rewards / np.linalg.norm(gradients(s), axis=1)
    deviation = s.noise * tails.min()
    drawn = deviation * stream(0, "proof", str(s)).standard_normal((200, s.mdp.choices))
    left = np.array([advantages(s, s.mdp.rewards + delta) for delta in drawn])
    best = [best_of_states(s, optimal(s, s.mdp.rewards + delta))[0] for delta in drawn]
    own = [value_of(s, s.mdp.rewards + delta, policy(s)) for delta in drawn]
    return deviation, drawn, left, (np.array(best) - np.array(own)).max(axis=1) > ROUNDING


@noise.step("The policy is not optimal if and only if some gap is negative")
def some_gap(s: NoisyProcess) -> Claim:
    """As events, draw by draw."""
    _, _, left, changed = observed(s)
    return claim((left < 0).any(axis=1), "==", changed, "policies without better choices are optimal, others are not")


@noise.step("A gap is normal, with the gap as mean and sigma |g_c|_2 as deviation")
def normal(s: NoisyProcess) -> Claim:
    """Each is a linear function of the noise."""
    _, drawn, left, _ = observed(s)
    gaps = gradients(s) @ s.mdp.rewards
    return claim(left, "==", gaps + drawn @ gradients(s).T, "gaps are linear in the rewards", rounding=ROUNDING)


@noise.step("Conclusion: the events lie between one of them and their union", uses=[some_gap, normal])
def union(s: NoisyProcess) -> Claim:
    """Draw by draw; expectations of both sides are the bounds."""
    _, _, left, changed = observed(s)
    lower = (left < 0).astype(float)
    upper = np.broadcast_to(changed[:, None], lower.shape).astype(float)
    many = np.broadcast_to(lower.sum(axis=1, keepdims=True), lower.shape)
    return claim(np.array([lower, upper]), "<=", np.array([upper, many]), "one event, any event, all counted")


@noise.step("The probability of each event", uses=[normal])
def tail(s: NoisyProcess) -> Claim:
    """The stated probabilities are those of a normal gap below 0."""
    deviation, *_ = observed(s)
    ratios = gradients(s) @ s.mdp.rewards / (deviation * np.linalg.norm(gradients(s), axis=1))
    right = [erfc(ratio / sqrt(2)) / 2 for ratio in ratios]
    return claim(np.sort(s.flips), "==", np.sort(right), "the upper tail at mean over deviation")
