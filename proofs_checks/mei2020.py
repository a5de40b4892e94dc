r"""Proofs that gradients dominate the loss, and that two arms make it go as 1 / t.

Notation. :math:`\delta` is the mean loss over the states, d the discounted probabilities of the states, A the
advantages; with two arms, p is the probability of the better one. Everything is recomputed here with plain NumPy.
"""

from functools import cache

import numpy as np

from proofs_checks import _policies as exact
from rltheory.theorems.policy_methods import mei2020 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-11
STEPS = 300


@cache
def play(s: paper.Setting):
    """For each iteration: losses, gradient, occupancy, policy and advantages; then the optimal occupancy and policy."""
    star, v_star, _ = exact.optimal(s)
    logits, rows = exact.start(s), []
    for _ in range(STEPS):
        log_pi = exact.softmax(s, logits)
        v, q = exact.evaluate(s, log_pi)
        d, advantages = exact.visits(s, np.exp(log_pi)), q - exact.spread(s, v)
        gradient = exact.spread(s, d) * np.exp(log_pi) * advantages / (1 - s.discount)
        rows.append((v_star - v, gradient, d, np.exp(log_pi), advantages))
        logits = logits + s.step * gradient
    return *(np.array(column) for column in zip(*rows, strict=True)), exact.visits(s, star), star


domination = Proof(of=[paper.DOMINATION], settings=paper.grid)


@domination.step("The gradient is what differences of the return say")
def gradient_by_differences(s: paper.Setting) -> Claim:
    """At the first policy, by central differences of the logits."""
    gradient, logits, width = play(s)[1][0], exact.start(s), 1e-5
    ends = [
        [exact.evaluate(s, exact.softmax(s, logits + sign * row))[0].mean() for row in width * np.eye(logits.size)]
        for sign in (1, -1)
    ]
    left = (np.array(ends[0]) - ends[1]) / (2 * width)
    return claim(left, "==", gradient, "the policy gradient theorem, for a softmax policy", rounding=1e-8)


@domination.step("The loss by the performance difference: delta = sum of d* A(s, a*) / (1 - gamma)")
def loss_by_advantages(s: paper.Setting) -> Claim:
    """A* is the optimal choice."""
    loss, _, _, _, advantages, best, star = play(s)
    right = exact.by_state(s, star * advantages) @ best / (1 - s.discount)
    return claim(loss.mean(1), "==", right, "with the optimal policy as the other one", rounding=ROUNDING)


@domination.step("Rare and seldom visited choices weaken the gradient by no more than their shares")
def by_optimal_choices(s: paper.Setting) -> Claim:
    """Sum of |dJ / dtheta(s, a*)| over the states."""
    loss, gradient, d, pi, _, best, star = play(s)
    sizes = exact.by_state(s, star * np.abs(gradient)).sum(1)
    right = (best / d).max(1) / np.where(star > 0, pi, 1).min(1) * sizes
    why = "d* <= max(d* / d) d, and pi(a*) is at least its smallest value"
    return claim(loss.mean(1), "<=", right, why, rounding=ROUNDING)


@domination.step("Conclusion", uses=[loss_by_advantages, by_optimal_choices])
def conclusion(s: paper.Setting) -> Claim:
    """Cauchy and Schwarz over S entries."""
    loss, gradient, d, pi, _, best, star = play(s)
    right = (best / d).max(1) / np.where(star > 0, pi, 1).min(1) * np.sqrt(s.mdp.states)
    right = right * np.linalg.norm(gradient, axis=1)
    why = "a sum of S numbers is at most sqrt(S) times their norm"
    return claim(loss.mean(1), "<=", right, why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

arms = Proof(of=[paper.TWO_ARMS], settings=paper.arms_grid)


@cache
def pull(s: paper.TwoArms):
    """Odds of the better arm, from its difference of logits."""
    x, odds = np.log(s.first / (1 - s.first)), []
    for _ in range(STEPS):
        odds.append(np.exp(x))
        p = odds[-1] / (1 + odds[-1])
        x = x + 2 * s.step * s.gap * p * (1 - p)
    return np.array(odds)


@arms.step("The odds grow: y' - y >= c p^2, where c = 2 eta Delta and p = y / (1 + y)")
def odds_grow(s: paper.TwoArms) -> Claim:
    """Y' = y exp(c p (1 - p))."""
    y = pull(s)
    left = 2 * s.step * s.gap * (y[:-1] / (1 + y[:-1])) ** 2
    return claim(left, "<=", y[1:] - y[:-1], "exp(z) >= 1 + z, and y p (1 - p) = p^2", rounding=ROUNDING)


@arms.step("The better arm never becomes rarer", uses=[odds_grow])
def never_rarer(s: paper.TwoArms) -> Claim:
    """P >= p_0."""
    y = pull(s)
    return claim(s.first, "<=", y / (1 + y), "the odds grow")


@arms.step("Conclusion", uses=[odds_grow, never_rarer])
def inverse_loss(s: paper.TwoArms) -> Claim:
    """1 / delta = (1 + y) / Delta."""
    y = pull(s)
    right = (1 + y) / s.gap
    left = right[0] + 2 * s.step * s.first**2 * np.arange(y.size)
    return claim(left, "<=", right, "add up; Delta cancels")
