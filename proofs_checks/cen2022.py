r"""Proofs that the natural gradient with entropy converges geometrically, from any start, and faster in the end.

Notation. :math:`\alpha = \beta` is the weight of the old logarithms, :math:`\lambda = 1 - (1 - \gamma)(1 - \alpha)`;
:math:`\xi_k` are unnormalised policies, :math:`\log \xi_{k+1} = \alpha \log \xi_k + (1 - \alpha) Q_k / \tau`, from
:math:`\xi_0 = \pi_0 \sum_a e^{Q^*_\tau / \tau}`; :math:`e = \|Q^* - Q\|`, :math:`z = \|Q^* - \tau \log \xi\|`,
:math:`y = \|Q_0 - \tau \log \xi_0\|` and :math:`u = (1 - \alpha) e + \alpha z`, with largest entries as norms.
Everything is recomputed here with plain NumPy.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from proofs_checks import _policies as exact
from rltheory.theorems.policy_methods import cen2022 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-9  # values of at most some hundred, over temperatures of at least 0.02


class Play(NamedTuple):
    """One run; row k is iteration k, and there is one more policy than step."""

    log_pi: np.ndarray
    log_xi: np.ndarray
    v: np.ndarray
    q: np.ndarray
    log_star: np.ndarray
    v_star: np.ndarray
    q_star: np.ndarray


def soft_optimum(s):
    """Soft policy iteration until nothing moves: policy and values."""
    log_pi = exact.softmax(s, np.zeros(s.mdp.choices))
    for _ in range(100):
        _, q = exact.evaluate(s, log_pi, s.temperature)
        log_pi = exact.softmax(s, q / s.temperature)
    return log_pi, *exact.evaluate(s, log_pi, s.temperature)


@cache
def play(s: paper.Setting) -> Play:
    """Mix the logarithms of the old policy with the values of the choices."""
    log_star, v_star, q_star = soft_optimum(s)
    log_pi = exact.start(s)
    log_xi = log_pi + exact.spread(s, exact.by_state(s, q_star / s.temperature, np.logaddexp.reduce))
    rows = []
    for _ in range(s.iterations + 1):
        v, q = exact.evaluate(s, log_pi, s.temperature)
        rows.append((log_pi, log_xi, v, q))
        log_xi = s.keep * log_xi + (1 - s.keep) * q / s.temperature
        log_pi = exact.softmax(s, s.keep * log_pi + (1 - s.keep) * q / s.temperature)
    return Play(*(np.array(column) for column in zip(*rows, strict=True)), log_star, v_star, q_star)


def errors(s):
    """The curves e, z and u, and the number y."""
    p = play(s)
    e = np.abs(p.q_star - p.q).max(1)
    z = np.abs(p.q_star - s.temperature * p.log_xi).max(1)
    y = np.abs(p.q[0] - s.temperature * p.log_xi[0]).max()
    return e, z, (1 - s.keep) * e + s.keep * z, y


def constant(s):
    """C_1."""
    p = play(s)
    return np.abs(p.q_star - p.q[0]).max() + 2 * s.temperature * s.keep * np.abs(p.log_star - p.log_pi[0]).max()


def powers(s):
    """Lambda^k for all steps."""
    return (1 - (1 - s.discount) * (1 - s.keep)) ** np.arange(s.iterations)


world = Proof(of=[paper.ACTION_VALUES, paper.LOG_POLICY, paper.VALUES], settings=paper.grid)


@world.step("The policies are the normalised xi")
def normalised(s: paper.Setting) -> Claim:
    """Differences within a state."""
    p = play(s)
    why = "both follow the same recursion, up to constants in a state"
    return claim(exact.softmax(s, p.log_xi), "==", p.log_pi, why, rounding=ROUNDING / s.temperature)


@world.step("xi averages: z' <= alpha z + (1 - alpha) e = u")
def averages(s: paper.Setting) -> Claim:
    """By the recursion of log xi."""
    _, z, u, _ = errors(s)
    return claim(z[1:], "<=", u[:-1], "the triangle inequality", rounding=ROUNDING)


@world.step("Values of choices never fall")
def monotone(s: paper.Setting) -> Claim:
    """Q <= Q'."""
    q = play(s).q
    why = "three points at pi, with the entropy as part of the step: each step gains, as without entropy"
    return claim(q[:-1], "<=", q[1:], why, rounding=ROUNDING)


@world.step("So tau log xi exceeds Q by little: tau log xi_k - Q_k <= alpha^k y", uses=[monotone])
def little_above(s: paper.Setting) -> Claim:
    """Induction from Q_0 - tau log xi_0 >= -y."""
    p, (_, _, _, y) = play(s), errors(s)
    left = (s.temperature * p.log_xi - p.q).max(1)
    why = "Q' - tau log xi' >= Q - tau log xi' = alpha (Q - tau log xi)"
    return claim(left, "<=", s.keep ** np.arange(len(left)) * y, why, rounding=ROUNDING)


@world.step("Loss of the values: V* - V' <= z' + alpha^(k+1) y", uses=[normalised, little_above])
def loss_of_values(s: paper.Setting) -> Claim:
    """V* and V' as log-sum-exps."""
    p, (_, z, _, y) = play(s), errors(s)
    left = (p.v_star - p.v[1:]).max(1)
    why = "V* = tau log sum e^{Q*/tau}, V' = tau log sum xi' + <pi', Q' - tau log xi'>; log-sum-exp is 1-Lipschitz"
    return claim(left, "<=", z[1:] + s.keep ** np.arange(1, len(z)) * y, why, rounding=ROUNDING)


@world.step("Hence e' <= gamma (u + alpha^(k+1) y)", uses=[averages, loss_of_values])
def action_value_step(s: paper.Setting) -> Claim:
    """Q* - Q' = gamma P (V* - V')."""
    e, _, u, y = errors(s)
    right = s.discount * (u[:-1] + s.keep ** np.arange(1, len(u)) * y)
    return claim(e[1:], "<=", right, "insert z' <= u", rounding=ROUNDING)


@world.step("One number contracts: u_k + alpha^(k+1) y, by lambda", uses=[averages, action_value_step])
def one_number(s: paper.Setting) -> Claim:
    """U' <= (alpha + gamma (1 - alpha)) u + gamma (1 - alpha) alpha^(k+1) y."""
    _, _, u, y = errors(s)
    both = u + s.keep ** np.arange(1, len(u) + 1) * y
    factor = 1 - (1 - s.discount) * (1 - s.keep)
    return claim(both[1:], "<=", factor * both[:-1], "lambda = alpha + gamma (1 - alpha)", rounding=ROUNDING)


@world.step("At the start it is C_1 at most")
def at_the_start(s: paper.Setting) -> Claim:
    """(1 - alpha) e_0 + alpha z_0 + alpha y <= e_0 + 2 alpha z_0, and z_0 = tau times the distance of logarithms."""
    _, _, u, y = errors(s)
    why = "y <= e_0 + z_0; Q* / tau = log pi* + log sum e^{Q*/tau}"
    return claim(u[0] + s.keep * y, "<=", constant(s), why, rounding=ROUNDING)


@world.step("Conclusion for the values of choices", uses=[action_value_step, one_number, at_the_start])
def action_values(s: paper.Setting) -> Claim:
    """E_{k+1} <= gamma C_1 lambda^k."""
    e, *_ = errors(s)
    return claim(e[1:], "<=", s.discount * constant(s) * powers(s), "induction", rounding=ROUNDING)


@world.step("Conclusion for the logarithms", uses=[averages, one_number, at_the_start])
def logarithms(s: paper.Setting) -> Claim:
    """Twice z_{k+1} / tau."""
    p = play(s)
    left = np.abs(p.log_star - p.log_pi[1:]).max(1)
    why = "to normalise costs as much again; z' <= u"
    return claim(left, "<=", 2 / s.temperature * constant(s) * powers(s), why, rounding=ROUNDING / s.temperature)


@world.step("Conclusion for the values", uses=[loss_of_values, averages, one_number, at_the_start])
def values(s: paper.Setting) -> Claim:
    """V* - V' <= u + alpha^(k+1) y."""
    p = play(s)
    left = (p.v_star - p.v[1:]).max(1)
    return claim(left, "<=", constant(s) * powers(s), "the one number again", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

local = Proof(of=[paper.POLICY_FACTOR, paper.VALUE_FACTOR], settings=paper.near_grid)
SECOND_ORDER = 1e-3


@local.step("The loss is second order: V* - V = tau sum of d KL(pi || pi*) / (1 - gamma)")
def loss_is_divergence(s: paper.NearOptimum) -> Claim:
    """From each state; at a difference of 1e-2, where nothing is lost in rounding."""
    log_star, v_star, _ = soft_optimum(s)
    log_pi = exact.softmax(s, log_star + 1e-2 * np.cos(1 + 2.0 * np.arange(s.mdp.choices)))
    kl = exact.by_state(s, np.exp(log_pi) * (log_pi - log_star))
    right = s.temperature * np.array([exact.visits(s, np.exp(log_pi), row) for row in np.eye(s.mdp.states)]) @ kl
    left = v_star - exact.evaluate(s, log_pi, s.temperature)[0]
    why = "Q* = V* + tau log pi*: a decision of pi loses tau KL(pi || pi*)"
    return claim(left, "==", right / (1 - s.discount), why, rounding=ROUNDING)


@local.step("So the logarithms follow their linear part", uses=[loss_is_divergence])
def linear_part(s: paper.NearOptimum) -> Claim:
    """Log pi' - log pi* = alpha (log pi - log pi*), from a difference of 1e-4."""
    log_star, *_ = soft_optimum(s)
    log_pi = exact.softmax(s, log_star + 1e-4 * np.cos(1 + 2.0 * np.arange(s.mdp.choices)))
    _, q = exact.evaluate(s, log_pi, s.temperature)
    log_next = exact.softmax(s, s.keep * log_pi + (1 - s.keep) * q / s.temperature)
    why = "Q* - Q = gamma P (V* - V) is of second order, and so is the normaliser"
    left, right = 1e4 * (log_next - log_star), 1e4 * s.keep * (log_pi - log_star)
    return claim(left, "==", right, why, rounding=1e-2)


@local.step("Conclusion for the logarithms", uses=[linear_part])
def logarithms_shrink(s: paper.NearOptimum) -> Claim:
    """Norms shrink by alpha."""
    p = play(s)
    off = np.abs(p.log_pi - p.log_star).max(1)
    ratios = off[1:] / off[:-1] / s.keep
    return claim(ratios, "==", 1.0, "so does any norm", rounding=SECOND_ORDER)


@local.step("Conclusion for the loss", uses=[loss_is_divergence, linear_part])
def loss_shrinks(s: paper.NearOptimum) -> Claim:
    """The mean divergence shrinks by alpha squared."""
    p = play(s)
    z = p.log_pi - p.log_star
    divergences = exact.by_state(s, np.exp(p.log_pi) * (np.expm1(-z) + z))
    delta = np.array([exact.visits(s, np.exp(row)) @ kl for row, kl in zip(p.log_pi, divergences, strict=True)])
    why = "a divergence is half the variance of the difference, to second order"
    return claim(delta[1:] / delta[:-1] / s.keep**2, "==", 1.0, why, rounding=SECOND_ORDER)


# --------------------------------------------------------------------------------------------------

price = Proof(of=[paper.PRICE], settings=paper.tempered_grid)


@cache
def tempered(s: paper.Tempered):
    """Losses without entropy and its discounted sums, at every temperature."""
    v_star = exact.optimal(s)[1]
    rows = []
    for tau in s.temperatures:
        run = paper.EntropyRun(s.mdp, s.discount, temperature=float(tau))
        log_pi, v_soft, _ = soft_optimum(run)
        rows.append((v_star, v_soft, exact.evaluate(run, log_pi)[0], log_pi))
    return [np.array(column) for column in zip(*rows, strict=True)]


@price.step("With entropy the optimum is worth more: V* <= V*_tau")
def worth_more(s: paper.Tempered) -> Claim:
    """In each state."""
    v_star, v_soft, *_ = tempered(s)
    return claim(v_star, "<=", v_soft, "an optimal policy loses nothing by entropy >= 0", rounding=1e-8)


@price.step("Entropies add up to log A / (1 - gamma) at most: V*_tau - V^pi <= tau log A / (1 - gamma)")
def entropies(s: paper.Tempered) -> Claim:
    """For the policy that is optimal with entropy."""
    _, v_soft, v, _ = tempered(s)
    most = np.log(np.diff(s.mdp.first_choice).max()) / (1 - s.discount)
    why = "an entropy is log A at most, and discounts add up to 1 / (1 - gamma)"
    return claim(v_soft - v, "<=", s.temperatures[:, None] * most + 0 * v, why, rounding=1e-8)


@price.step("Conclusion", uses=[worth_more, entropies])
def lost(s: paper.Tempered) -> Claim:
    """V* - V^pi <= tau log A / (1 - gamma)."""
    v_star, _, v, _ = tempered(s)
    most = np.log(np.diff(s.mdp.first_choice).max()) / (1 - s.discount)
    return claim((v_star - v).max(1), "<=", s.temperatures * most, "add both", rounding=1e-8)
