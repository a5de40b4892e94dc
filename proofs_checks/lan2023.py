r"""Proof that regularised policy mirror descent contracts by the discount, in the long run of the optimal policy.

Notation. :math:`\pi, \pi'` are successive policies, :math:`\eta = (1 / \beta - 1) / \tau` the step of the regularised
proximal map; :math:`G(p) = \langle Q, p \rangle + \tau H(p)` in each state; :math:`f = V^*_\tau - V`; D is
:math:`\mathrm{KL}(\pi^*_\tau \| \pi)`; and :math:`\mathbb{E}` averages with the stationary law of :math:`\pi^*_\tau`.
Everything is recomputed here with plain NumPy.
"""

from functools import cache

import numpy as np

from proofs_checks import _policies as exact
from proofs_checks.cen2022 import ROUNDING, play
from rltheory.theorems.policy_methods import lan2023 as paper
from rltheory.theory import Claim, Proof, claim

contraction = Proof(of=[paper.ONE_STEP, paper.LINEAR], settings=paper.grid)


@cache
def long_run(s):
    """A stationary law of the optimal policy; it is the only one in these settings."""
    laws = exact.chain(s, np.exp(play(s).log_star))
    size = s.mdp.states
    system = np.vstack([laws.T - np.eye(size), np.ones(size)])
    return np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]


def gain(s, log_p):
    """G of a policy, in every state and at every iteration but the last."""
    p, q = np.exp(log_p), play(s).q[:-1]
    return exact.by_state(s, p * (q - s.temperature * log_p))


def curves(s):
    """Means of f and D at all iterations."""
    p, law = play(s), long_run(s)
    return (p.v_star - p.v) @ law, exact.divergence(s, np.broadcast_to(p.log_star, p.log_pi.shape), p.log_pi) @ law


@contraction.step("The long run is stationary: (1 - gamma) E f = E [G(pi*) - G(pi)]")
def stationary(s: paper.Setting) -> Claim:
    """The performance difference, where the occupancy does not change."""
    p, law = play(s), long_run(s)
    f, _ = curves(s)
    right = (gain(s, np.broadcast_to(p.log_star, p.log_pi[:-1].shape)) - gain(s, p.log_pi[:-1])) @ law
    why = "V* - V = G(pi*) - G(pi) + gamma P* (V* - V), and E P* = E"
    return claim((1 - s.discount) * f[:-1], "==", right, why, rounding=ROUNDING)


@contraction.step("Three points, with equality, in each state")
def three_points(s: paper.Setting) -> Claim:
    """(1 - beta) [G(pi*) - G(pi')] = tau [beta D - D' - beta KL(pi' || pi)]."""
    p = play(s)
    star = np.broadcast_to(p.log_star, p.log_pi[:-1].shape)
    left = (1 - s.keep) * (gain(s, star) - gain(s, p.log_pi[1:]))
    right = s.keep * exact.divergence(s, star, p.log_pi[:-1]) - exact.divergence(s, star, p.log_pi[1:])
    right = s.temperature * (right - s.keep * exact.divergence(s, p.log_pi[1:], p.log_pi[:-1]))
    why = "log pi' = beta log pi + (1 - beta) Q / tau + const"
    return claim(left, "==", right, why, rounding=ROUNDING)


@contraction.step("A step gains, and the values follow: G(pi') - G(pi) <= V' - V")
def values_follow(s: paper.Setting) -> Claim:
    """In each state."""
    p = play(s)
    left = gain(s, p.log_pi[1:]) - gain(s, p.log_pi[:-1])
    why = "the left side is >= 0 by three points at pi; V' - V = (I - gamma P')^-1 of it"
    return claim(left, "<=", p.v[1:] - p.v[:-1], why, rounding=ROUNDING)


@contraction.step("Conclusion: one step", uses=[stationary, three_points, values_follow])
def one_step(s: paper.Setting) -> Claim:
    """E f' + tau D' / (1 - beta) <= gamma E f + tau beta D / (1 - beta) <= gamma Phi."""
    f, d = curves(s)
    phi = f + s.temperature / (1 - s.keep) * d
    why = "(1 - gamma) E f <= E [f - f'] + tau (beta D - D') / (1 - beta); beta <= gamma"
    return claim(phi[1:], "<=", s.discount * phi[:-1], why, rounding=10 * ROUNDING)


@contraction.step("Conclusion: all steps", uses=[one_step])
def all_steps(s: paper.Setting) -> Claim:
    """Phi_k <= gamma^k Phi_0."""
    f, d = curves(s)
    phi = f + s.temperature / (1 - s.keep) * d
    return claim(phi, "<=", s.discount ** np.arange(phi.size) * phi[0], "induction", rounding=10 * ROUNDING)


@contraction.step("At the least step the weight is the paper's")
def papers_weight(s: paper.Setting) -> Claim:
    """Tau / (1 - beta) at beta = gamma is 1 / eta + tau with 1 + eta tau = 1 / gamma."""
    eta = (1 / s.discount - 1) / s.temperature
    why = "1 / eta = tau gamma / (1 - gamma)"
    return claim(1 / eta + s.temperature, "==", s.temperature / (1 - s.discount), why)
