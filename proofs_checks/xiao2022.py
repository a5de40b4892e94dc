r"""Proofs of the theorems on policy mirror descent.

Notation. :math:`\pi, \pi'` are successive policies, V, Q and V', Q' their values, P and P' their laws of the states;
g is :math:`\langle Q, \pi' - \pi \rangle_s`; L is :math:`V^* - V`. Everything is recomputed here with plain NumPy.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from proofs_checks import _policies as exact
from rltheory.theorems.policy_methods import xiao2022 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-10  # values of at most a hundred, in sums over some hundred iterations


class Play(NamedTuple):
    """One run: row k is iteration k; there is one more policy than step."""

    log_pi: np.ndarray
    v: np.ndarray
    q: np.ndarray
    steps: np.ndarray
    star: np.ndarray
    v_star: np.ndarray
    q_star: np.ndarray
    visits: np.ndarray  # of the optimal policy

    @property
    def pi(self):
        """Probabilities."""
        return np.exp(self.log_pi)


def run(s, steps):
    """Iterate the update of the geometry."""
    log_pi, rows, values = exact.start(s), [], []
    for k in range(len(steps) + 1):
        v, q = exact.evaluate(s, log_pi)
        rows.append(log_pi)
        values.append((v, q))
        if k < len(steps) and s.euclidean:
            moved = np.exp(log_pi) + steps[k] * (q - exact.spread(s, exact.by_state(s, q, np.max)))
            with np.errstate(divide="ignore"):
                log_pi = np.log(exact.project(s, moved))
        elif k < len(steps):
            log_pi = exact.softmax(s, log_pi + steps[k] * q)
    star, v_star, q_star = exact.optimal(s)
    v, q = (np.array(column) for column in zip(*values, strict=True))
    return Play(np.array(rows), v, q, np.array(steps), star, v_star, q_star, exact.visits(s, star))


@cache
def play(s: paper.Setting) -> Play:
    """Constant steps."""
    return run(s, np.full(s.iterations, s.step))


def gains(s, p):
    """What the new decisions gain, in each state."""
    return exact.by_state(s, (p.pi[1:] - p.pi[:-1]) * p.q[:-1])


def losses(s, p):
    """V* - V_k, from what each decision loses."""
    gaps = exact.spread(s, exact.by_state(s, p.q_star, np.max)) - p.q_star
    return np.array(
        [
            np.linalg.solve(np.eye(s.mdp.states) - s.discount * exact.chain(s, pi), exact.by_state(s, pi * gaps))
            for pi in p.pi
        ]
    )


def to_optimum(s, p):
    """Mean divergences of the optimal policy from all policies."""
    with np.errstate(divide="ignore"):
        log_star = np.log(p.star)
    return exact.divergence(s, log_star, p.log_pi, s.euclidean) @ p.visits


difference = Proof(of=[paper.PERFORMANCE_DIFFERENCE], settings=paper.grid)


@difference.step("One decision at a time: V' - V = g + gamma P' (V' - V)")
def one_decision(s: paper.Setting) -> Claim:
    """In each state."""
    p = play(s)
    change = p.v[1:] - p.v[:-1]
    later = np.array([exact.chain(s, pi) @ row for pi, row in zip(p.pi[1:], change, strict=True)])
    why = "V = <pi, Q> and V' = <pi', r> + gamma P' V'; insert Q"
    return claim(change, "==", gains(s, p) + s.discount * later, why, rounding=ROUNDING)


@difference.step("Conclusion: sum over where the next policy goes", uses=[one_decision])
def summed(s: paper.Setting) -> Claim:
    """Rho (I - gamma P')^-1 = d' / (1 - gamma)."""
    p = play(s)
    gained = [exact.visits(s, pi) @ row for pi, row in zip(p.pi[1:], gains(s, p), strict=True)]
    right = np.array(gained) / (1 - s.discount)
    return claim((p.v[1:] - p.v[:-1]).mean(1), "==", right, "solve for V' - V", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

one_step = Proof(of=[paper.THREE_POINTS, paper.IMPROVEMENT], settings=paper.grid)


def three_points(s, p, log_other):
    """Both sides of the three-point inequality in each state, and another policy."""
    others = np.broadcast_to(log_other, p.log_pi[:-1].shape)
    left = s.step * exact.by_state(s, (np.exp(others) - p.pi[1:]) * p.q[:-1])
    left = left + exact.divergence(s, others, p.log_pi[1:], s.euclidean)
    left = left + exact.divergence(s, p.log_pi[1:], p.log_pi[:-1], s.euclidean)
    return left, exact.divergence(s, others, p.log_pi[:-1], s.euclidean)


@one_step.step("Three points, in each state and for the optimal policy")
def to_the_optimal_policy(s: paper.Setting) -> Claim:
    """Eta <Q, u - pi'> + D(u, pi') + D(pi', pi) <= D(u, pi)."""
    p = play(s)
    with np.errstate(divide="ignore"):
        left, right = three_points(s, p, np.log(p.star))
    why = "pi' maximises; first-order optimality, and D(u, pi) - D(u, pi') - D(pi', pi) is linear in u"
    return claim(left, "<=", right, why, rounding=(1 + s.step) * ROUNDING)


@one_step.step("Conclusion: its mean over the states", uses=[to_the_optimal_policy])
def in_the_mean(s: paper.Setting) -> Claim:
    """With the weights d*."""
    p = play(s)
    with np.errstate(divide="ignore"):
        left, right = three_points(s, p, np.log(p.star))
    why = "add up the states"
    return claim(left @ p.visits, "<=", right @ p.visits, why, rounding=(1 + s.step) * ROUNDING)


@one_step.step("Three points, at the old policy")
def decisions_gain(s: paper.Setting) -> Claim:
    """D(pi, pi') + D(pi', pi) <= eta g, hence g >= 0."""
    p = play(s)
    both = exact.divergence(s, p.log_pi[1:], p.log_pi[:-1], s.euclidean)
    if s.euclidean:
        both = 2 * both
    why = "u = pi, and D(pi, pi) = 0"
    return claim(both, "<=", s.step * gains(s, p), why, rounding=(1 + s.step) * ROUNDING)


@one_step.step("Conclusion: the values grow by the gains at least", uses=[decisions_gain])
def improvement(s: paper.Setting) -> Claim:
    """G <= V' - V in each state."""
    p = play(s)
    why = "V' - V = (I - gamma P')^-1 g, which is g + gamma P' g + ... with g >= 0"
    return claim(gains(s, p), "<=", p.v[1:] - p.v[:-1], why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

greedy = Proof(of=[paper.GREEDY_PART, paper.CONTRACTION], settings=paper.entropy_grid)


def shortfall(s, p):
    """X = max Q - Q for each choice, and e^{-eta X}."""
    x = exact.spread(s, exact.by_state(s, p.q[:-1], np.max)) - p.q[:-1]
    return x, np.exp(-s.step * x)


def covariance(s, p):
    """Covariance of X and 1 - e^{-eta X} under pi, from all pairs of choices."""
    x, e = shortfall(s, p)
    found = []
    for state in exact.states(s):
        pi, here, decay = p.pi[:-1, state], x[:, state], e[:, state]
        pairs = (here[:, :, None] - here[:, None, :]) * (decay[:, None, :] - decay[:, :, None])
        found.append(np.einsum("ka,kb,kab->k", pi, pi, pairs) / 2)
    return np.stack(found, axis=-1)


def greedy_part(s, p):
    """Probability of the best choices, and kappa."""
    x, _ = shortfall(s, p)
    best = exact.by_state(s, np.where(x == 0, p.pi[:-1], 0))
    margin = exact.by_state(s, np.where(x > 0, x, np.inf), np.min)
    return best, best * (1 - np.exp(-s.step * margin))


@greedy.step("The gain is a covariance: g = Cov(X, 1 - e^{-eta X}) / E e^{-eta X}, under pi")
def gain_is_covariance(s: paper.Setting) -> Claim:
    """With X = max Q - Q >= 0."""
    p = play(s)
    _, e = shortfall(s, p)
    right = covariance(s, p) / exact.by_state(s, p.pi[:-1] * e)
    return claim(gains(s, p), "==", right, "pi' = pi e^{-eta X} / E e^{-eta X}", rounding=ROUNDING)


@greedy.step("Pairs in which one choice is best suffice: the covariance is p* E X (1 - e^{-eta X}) at least")
def pairs_with_the_best(s: paper.Setting) -> Claim:
    """P* is the probability of the best choices."""
    p = play(s)
    x, e = shortfall(s, p)
    best, _ = greedy_part(s, p)
    left = best * exact.by_state(s, p.pi[:-1] * x * (1 - e))
    why = "no pair counts negatively, as e^{-eta X} falls with X; the best have X = 0"
    return claim(left, "<=", covariance(s, p), why, rounding=ROUNDING)


@greedy.step("Conclusion: kappa (max Q - V) <= g", uses=[gain_is_covariance, pairs_with_the_best])
def greedy_gain(s: paper.Setting) -> Claim:
    """E X = max Q - V."""
    p = play(s)
    x, _ = shortfall(s, p)
    left = greedy_part(s, p)[1] * exact.by_state(s, p.pi[:-1] * x)
    why = "E e^{-eta X} <= 1, and X is 0 or at least Delta"
    return claim(left, "<=", gains(s, p), why, rounding=ROUNDING)


@greedy.step("The shortfall is large where the loss is: L - gamma max L <= max Q - V")
def shortfall_and_loss(s: paper.Setting) -> Claim:
    """In each state."""
    p = play(s)
    lost = losses(s, p)[:-1]
    right = exact.by_state(s, p.pi[:-1] * shortfall(s, p)[0])
    why = "V* - max Q <= gamma max L, as the Bellman operator contracts"
    return claim(lost - s.discount * lost.max(1, keepdims=True), "<=", right, why, rounding=ROUNDING)


@greedy.step("Conclusion: the contraction", uses=[greedy_gain, shortfall_and_loss])
def contraction(s: paper.Setting) -> Claim:
    """Max L' <= (1 - (1 - gamma) min kappa) max L."""
    p = play(s)
    lost = losses(s, p).max(1)
    right = (1 - (1 - s.discount) * greedy_part(s, p)[1].min(1)) * lost[:-1]
    why = "V' >= V + g, so L' <= L - kappa (L - gamma max L) <= (1 - (1 - gamma) kappa) max L"
    return claim(lost[1:], "<=", right, why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

sublinear = Proof(of=[paper.SUBLINEAR], settings=paper.grid)


@sublinear.step("In the mean over d*: (1 - gamma) delta <= (D - D') / eta + E (V' - V)")
def mean_step(s: paper.Setting) -> Claim:
    """D and D' are mean divergences of the optimal policy."""
    p = play(s)
    d = to_optimum(s, p)
    left = (1 - s.discount) * losses(s, p)[:-1].mean(1)
    right = (d[:-1] - d[1:]) / s.step + (p.v[1:] - p.v[:-1]) @ p.visits
    why = "the performance difference with d*; <Q, pi* - pi'> by three points; <Q, pi' - pi> <= V' - V"
    return claim(left, "<=", right, why, rounding=ROUNDING * (1 + 1 / s.step))


@sublinear.step("The loss never grows")
def monotone(s: paper.Setting) -> Claim:
    """Delta' <= delta."""
    delta = losses(s, play(s)).mean(1)
    return claim(delta[1:], "<=", delta[:-1], "V' >= V in every state", rounding=ROUNDING)


@sublinear.step("Conclusion", uses=[mean_step, monotone])
def one_over_k(s: paper.Setting) -> Claim:
    """Sum the steps 0 to k; the values grow by R / (1 - gamma) at most."""
    p = play(s)
    delta, h = losses(s, p)[:-1].mean(1), 1 / (1 - s.discount)
    right = (to_optimum(s, p)[0] * h / s.step + np.ptp(s.mdp.rewards) * h**2) / np.arange(1, delta.size + 1)
    return claim(delta, "<=", right, "(k + 1) delta_k is at most the sum", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

growing = Proof(of=[paper.GEOMETRIC_STEPS, paper.GEOMETRIC_STEPS_PAPER], settings=paper.grid_of_large_steps)


def mismatch(s, p):
    """Largest d* / rho, over 1 - gamma."""
    return p.visits.max() * s.mdp.states / (1 - s.discount)


@cache
def play_growing(s: paper.Setting) -> Play:
    """Steps that grow by theta / (theta - 1), up to 1e12."""
    theta = mismatch(s, play(s))
    steps = s.step * (theta / (theta - 1)) ** np.arange(s.iterations)
    return run(s, steps[steps <= 1e12])


@growing.step("In the mean over d*: delta <= (D - D') / (eta (1 - gamma)) + theta (delta - delta')")
def weighted_step(s: paper.Setting) -> Claim:
    """As for constant steps; V' - V is not negative, and d* <= (1 - gamma) theta rho."""
    p = play_growing(s)
    d, delta = to_optimum(s, p), losses(s, p).mean(1)
    right = (d[:-1] - d[1:]) / (p.steps * (1 - s.discount)) + mismatch(s, p) * (delta[:-1] - delta[1:])
    why = "three points and the performance difference; E over d* of V' - V <= (1 - gamma) theta (delta - delta')"
    return claim(delta[:-1], "<=", right, why, rounding=1e2 * ROUNDING)


@growing.step("Loss and divergence together shrink by 1 - 1 / theta", uses=[weighted_step])
def potential(s: paper.Setting) -> Claim:
    """Phi = delta + D / (eta (theta - 1)(1 - gamma))."""
    p = play_growing(s)
    theta = mismatch(s, p)
    phi = losses(s, p)[:-1].mean(1) + to_optimum(s, p)[:-1] / (p.steps * (theta - 1) * (1 - s.discount))
    why = "rearrange; eta' (theta - 1) = eta theta makes the divergences fit"
    return claim(phi[1:], "<=", (1 - 1 / theta) * phi[:-1], why, rounding=1e2 * ROUNDING)


@growing.step("Conclusion", uses=[potential])
def geometric(s: paper.Setting) -> Claim:
    """Delta_k <= Phi_k <= (1 - 1 / theta)^k Phi_0."""
    p = play_growing(s)
    theta, delta = mismatch(s, p), losses(s, p)[:-1].mean(1)
    first = delta[0] + to_optimum(s, p)[0] / (p.steps[0] * (theta - 1) * (1 - s.discount))
    right = (1 - 1 / theta) ** np.arange(delta.size) * first
    return claim(delta, "<=", right, "induction", rounding=1e2 * ROUNDING)


@growing.step("Conclusion, in the paper's form: the start counts 2 R / (1 - gamma) at most", uses=[geometric])
def large_first_step(s: paper.Setting) -> Claim:
    """Phi_0 <= 2 R / (1 - gamma)."""
    p = play_growing(s)
    theta = mismatch(s, p)
    left = losses(s, p)[0].mean() + to_optimum(s, p)[0] / (p.steps[0] * (theta - 1) * (1 - s.discount))
    why = "delta_0 <= R / (1 - gamma); theta - 1 >= gamma / (1 - gamma), and eta_0 >= (1 - gamma) D_0 / (gamma R)"
    return claim(left, "<=", 2 * np.ptp(s.mdp.rewards) / (1 - s.discount), why)


# --------------------------------------------------------------------------------------------------

local = Proof(of=[paper.LOCAL], settings=lambda: (s.run for s in paper.near_grid()))


@local.step("Every step multiplies the odds against the optimal choice by e^{-eta (V* - Q*)}, nearly")
def odds(s: paper.Setting) -> Claim:
    """Q differs from Q* by the order of the loss, 1e-9 here."""
    p = play(s)
    optimal = exact.by_state(s, np.where(p.star > 0, p.log_pi, 0.0))
    logs = p.log_pi - exact.spread(s, optimal)
    gaps = exact.spread(s, exact.by_state(s, p.q_star, np.max)) - p.q_star
    why = "log pi' - log pi = eta Q + const"
    return claim(logs[1:] - logs[:-1], "==", np.broadcast_to(-s.step * gaps, logs[1:].shape), why, rounding=1e-4)


@local.step("The loss is the mean of the gaps where the policy goes")
def loss_is_mean_gap(s: paper.Setting) -> Claim:
    """Delta = sum of d pi (V* - Q*) / (1 - gamma)."""
    p = play(s)
    gaps = exact.spread(s, exact.by_state(s, p.q_star, np.max)) - p.q_star
    right = [exact.visits(s, pi) @ exact.by_state(s, pi * gaps) / (1 - s.discount) for pi in p.pi]
    return claim(losses(s, p).mean(1) / right, "==", 1.0, "the performance difference, from V*", rounding=1e-6)


@local.step("Conclusion: the slowest choice is left, and the loss goes with its odds", uses=[odds, loss_is_mean_gap])
def slowest(s: paper.Setting) -> Claim:
    """Delta' / delta = e^{-eta Delta}."""
    p = play(s)
    delta = losses(s, p).mean(1)
    gaps = exact.spread(s, exact.by_state(s, p.q_star, np.max)) - p.q_star
    smallest = gaps[p.star == 0].min()
    why = "where the policy goes changes by the order of 1e-9"
    return claim(delta[1:] / delta[:-1], "==", math.exp(-s.step * smallest), why, rounding=1e-4)
