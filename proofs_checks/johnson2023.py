r"""Proof that policy mirror descent with adaptive steps contracts by the discount.

Notation. :math:`\pi, \pi'` are successive policies; g a greedy decision for Q; :math:`T` and :math:`T^{\pi'}` the
Bellman operators; :math:`L = V^* - V`. Everything is recomputed here with plain NumPy.
"""

from functools import cache

import numpy as np

from proofs_checks import _policies as exact
from proofs_checks.xiao2022 import ROUNDING, Play, losses
from rltheory.theorems.policy_methods import johnson2023 as paper
from rltheory.theory import Claim, Proof, claim

adaptive = Proof(of=[paper.ADAPTIVE_STEP, paper.ADAPTIVE], settings=paper.grid)


def nearest_greedy(s, log_pi, q):
    """Logarithms of the greedy policy that is nearest to a policy."""
    greedy = np.full(q.size, -np.inf)
    for state in exact.states(s):
        best = np.where(q[state] == q[state].max(), np.exp(log_pi[state]), -1.0)
        greedy[state.start + best.argmax()] = 0
    return greedy


def allowed(s):
    """c_k = c_0 gamma^(2k + 1), while rounding lets it count."""
    c = s.loss * s.discount ** (2.0 * np.arange(s.iterations) + 1)
    return c[c >= 1e-10]


@cache
def play(s: paper.AdaptiveSetting) -> Play:
    """Steps D(g, pi) / c at the state where that is largest."""
    log_pi, rows, values, steps = exact.start(s), [], [], []
    for c in allowed(s):
        v, q = exact.evaluate(s, log_pi)
        distance = exact.divergence(s, nearest_greedy(s, log_pi, q), log_pi, s.euclidean)
        rows.append(log_pi)
        values.append((v, q))
        steps.append(distance.max() / c)
        relative = q - exact.spread(s, exact.by_state(s, q, np.max))
        if s.euclidean:
            with np.errstate(divide="ignore"):
                log_pi = np.log(exact.project(s, np.exp(log_pi) + steps[-1] * relative))
        else:
            log_pi = exact.softmax(s, log_pi + steps[-1] * relative)
    rows.append(log_pi)
    values.append(exact.evaluate(s, log_pi))
    star, v_star, q_star = exact.optimal(s)
    v, q = (np.array(column) for column in zip(*values, strict=True))
    return Play(np.array(rows), v, q, np.array(steps), star, v_star, q_star, exact.visits(s, star))


@adaptive.step("Three points at the greedy decision: <Q, g> - <Q, pi'> <= c")
def little_is_lost(s: paper.AdaptiveSetting) -> Claim:
    """In each state."""
    p = play(s)
    best = exact.spread(s, exact.by_state(s, p.q[:-1], np.max))
    left = exact.by_state(s, p.pi[1:] * (best - p.q[:-1]))
    why = "eta <Q, g - pi'> <= D(g, pi) <= eta c"
    return claim(left, "<=", allowed(s)[:, None] + 0 * left, why, rounding=ROUNDING)


@adaptive.step("The new values are larger still: V' >= T^pi' V >= T V - c", uses=[little_is_lost])
def values_follow(s: paper.AdaptiveSetting) -> Claim:
    """In each state."""
    p = play(s)
    best = exact.by_state(s, p.q[:-1], np.max)
    why = "T^pi' V >= V, as each step gains; iterate T^pi', which is monotone"
    return claim(best - allowed(s)[:, None], "<=", p.v[1:], why, rounding=ROUNDING)


@adaptive.step("Conclusion: one step", uses=[values_follow])
def one_step(s: paper.AdaptiveSetting) -> Claim:
    """Max L' <= gamma max L + c."""
    lost = losses(s, play(s)).max(1)
    why = "V* - T V <= gamma max L"
    return claim(lost[1:], "<=", s.discount * lost[:-1] + allowed(s), why, rounding=ROUNDING)


@adaptive.step("The geometric sum: gamma^(k-1-j) c_j over j < k is gamma^k c_0 / (1 - gamma) at most")
def geometric_sum(s: paper.AdaptiveSetting) -> Claim:
    """c_j = c_0 gamma^(2j + 1)."""
    c = allowed(s)
    k = np.arange(1, c.size + 1)
    sums = [(s.discount ** (n - 1.0 - np.arange(n)) * c[:n]).sum() for n in k]
    why = "gamma^(k-1-j) gamma^(2j+1) = gamma^k gamma^j"
    return claim(sums, "<=", s.discount**k * s.loss / (1 - s.discount), why)


@adaptive.step("Conclusion: all steps", uses=[one_step, geometric_sum])
def all_steps(s: paper.AdaptiveSetting) -> Claim:
    """Max L_k <= gamma^k (max L_0 + c_0 / (1 - gamma))."""
    lost = losses(s, play(s)).max(1)
    right = s.discount ** np.arange(lost.size) * (lost[0] + s.loss / (1 - s.discount))
    return claim(lost, "<=", right, "unroll the step", rounding=ROUNDING)
