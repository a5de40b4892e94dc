r"""Proofs that one inner step of MDPO is policy gradient, and that many are a step of mirror descent.

Notation. F is the surrogate at :math:`\pi_k`, with weights d of the states and penalty
:math:`\mathrm{KL}(\pi \| \pi_k) / t`; :math:`\pi^+ \propto \pi_k e^{t A_k}`. Everything is recomputed here with plain
NumPy, at the policies of policy gradient.
"""

from functools import cache

import numpy as np

from proofs_checks import _policies as exact
from rltheory.theorems.policy_methods import tomar2022 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-10


@cache
def play(s: paper.Setting):
    """Policies of policy gradient with step (1 - gamma) alpha, their advantages and occupancies."""
    logits, rows = exact.start(s), []
    for _ in range(s.iterations):
        log_pi = exact.softmax(s, logits)
        v, q = exact.evaluate(s, log_pi)
        d = exact.visits(s, np.exp(log_pi), s.mdp.initial)
        rows.append((log_pi, q - exact.spread(s, v), d))
        logits = logits + s.inner_rate * exact.spread(s, d) * np.exp(log_pi) * rows[-1][1]
    return [np.array(column) for column in zip(*rows, strict=True)]


def surrogate(s, log_policy):
    """F at policies, one for each iteration."""
    log_old, advantages, d = play(s)
    inner = np.exp(log_policy) * (advantages - (log_policy - log_old) / s.step)
    return (d * exact.by_state(s, inner)).sum(-1)


def other(s):
    """Policies unlike those of the run."""
    log_old, *_ = play(s)
    return exact.softmax(s, log_old + np.cos(np.arange(log_old.size)).reshape(log_old.shape))


one = Proof(of=[paper.ONE_INNER_STEP], settings=paper.grid)


@one.step("The gradient of the surrogate at the old policy is that of the return, times 1 - gamma")
def same_gradient(s: paper.Setting) -> Claim:
    """Both by central differences, in the first iteration."""
    log_old, *_ = play(s)
    width = 1e-5

    def difference(function):
        ends = [
            [function(exact.softmax(s, log_old[0] + sign * row)) for row in width * np.eye(s.mdp.choices)]
            for sign in (1, -1)
        ]
        return (np.array(ends[0]) - ends[1]) / (2 * width)

    left = difference(lambda row: surrogate(s, np.vstack([row, log_old[1:]]))[0])
    right = (1 - s.discount) * difference(lambda row: s.mdp.initial @ exact.evaluate(s, row)[0])
    why = "d pi A is both; the divergence is smallest at the old policy"
    return claim(left, "==", right, why, rounding=1e-8)


@one.step("Conclusion: the same steps of the logits", uses=[same_gradient])
def same_steps(s: paper.Setting) -> Claim:
    """Alpha d pi A = alpha (1 - gamma) grad J."""
    log_old, advantages, d = play(s)
    gradient = exact.spread(s, d) * np.exp(log_old) * advantages / (1 - s.discount)
    stepped = exact.softmax(s, log_old[:-1] + s.inner_rate * (1 - s.discount) * gradient[:-1])
    return claim(log_old[1:], "==", stepped, "the policy gradient theorem", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

many = Proof(of=[paper.MANY_INNER_STEPS], settings=paper.short_grid)


@many.step("The surrogate lacks a divergence: F(pi+) - F(pi) = sum of d KL(pi || pi+) / t")
def divergence_is_lacking(s: paper.Setting) -> Claim:
    """For policies unlike the old ones."""
    log_old, advantages, d = play(s)
    log_plus = exact.softmax(s, log_old + s.step * advantages)
    right = (d * exact.divergence(s, other(s), log_plus)).sum(-1) / s.step
    left = surrogate(s, log_plus) - surrogate(s, other(s))
    return claim(left, "==", right, "insert log pi+ = log pi_k + t A + const", rounding=ROUNDING)


@many.step("Its gradient in the logits vanishes there only", uses=[divergence_is_lacking])
def only_there(s: paper.Setting) -> Claim:
    """Along log pi+ - log pi it is the sum of d Var(log pi - log pi+) / t, which is 0 at pi+ only."""
    log_old, advantages, d = play(s)
    log_pi = other(s)
    z = log_pi - exact.softmax(s, log_old + s.step * advantages)
    means = exact.by_state(s, np.exp(log_pi) * z)
    variances = exact.by_state(s, np.exp(log_pi) * (z - exact.spread(s, means)) ** 2)
    inner = advantages - (log_pi - log_old) / s.step
    centred = inner - exact.spread(s, exact.by_state(s, np.exp(log_pi) * inner))
    gradient = exact.spread(s, d) * np.exp(log_pi) * centred
    why = "q is -z / t up to a constant in each state"
    return claim(-(gradient * z).sum(-1), "==", (d * variances).sum(-1) / s.step, why, rounding=ROUNDING)


@many.step("Conclusion: inner steps that climb end at a step of mirror descent", uses=[only_there])
def they_end_there(s: paper.Setting) -> Claim:
    """Five thousand inner steps in the first iteration."""
    log_old, advantages, d = (rows[0] for rows in play(s))
    logits = log_old
    for _ in range(5000):
        log_pi = exact.softmax(s, logits)
        inner = advantages - (log_pi - log_old) / s.step
        centred = inner - exact.spread(s, exact.by_state(s, np.exp(log_pi) * inner))
        logits = logits + s.inner_rate * exact.spread(s, d) * np.exp(log_pi) * centred
    right = exact.softmax(s, log_old + s.step * advantages)
    return claim(exact.softmax(s, logits), "==", right, "there is no other stationary point", rounding=1e-8)
