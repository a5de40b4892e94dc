r"""Proofs on policy iteration: it is monotone, contracts, and gives up its worst choices for ever; errors and sweeps.

Notation. :math:`T` and :math:`T_\pi` are backups; :math:`V_k` the values of :math:`\pi_k`, and :math:`\pi_{k+1}` is
greedy for :math:`V_k + e_k`; :math:`a_\pi = V^* - T_\pi V^* \ge 0` the disadvantages of a policy. Everything is
recomputed here with dense matrices in plain NumPy.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from proofs_checks.value_iteration import best, laws, optimal, policy_backup, q, size, span
from rltheory.theorems.discounted import policy_iteration as theory
from rltheory.theorems.discounted.policy_iteration import ModifiedPolicyIteration, PolicyIteration
from rltheory.theory import Claim, Proof, claim

SWEEPS = 40  # iterations of modified policy iteration that the proofs walk


class Walk(NamedTuple):
    """One run, row k being policy k; the last one is greedy for itself if there are no errors."""

    made: np.ndarray  # (K, S)
    v: np.ndarray  # (K, S)
    errors: np.ndarray  # (K, S)


def values_of(s, made):
    """V of one policy."""
    return np.linalg.solve(np.eye(s.mdp.states) - s.discount * laws(s)[made], s.mdp.rewards[made])


def greedy(s, values):
    """First best choices."""
    bounds = zip(s.mdp.first_choice[:-1], s.mdp.first_choice[1:], strict=True)
    return np.array([first + values[first:end].argmax() for first, end in bounds])


@cache
def walk(s: PolicyIteration) -> Walk:
    """Evaluate and improve, from the definition."""
    made = greedy(s, s.mdp.rewards) if s.start is None else s.start
    errors = np.zeros((1, s.mdp.states)) if s.errors is None else s.errors
    rows = []
    for k in range(10_000):
        v, error = values_of(s, made), errors[k % len(errors)]
        rows.append((made, v, error))
        values = q(s, v + error)
        better = best(s, values) > values[made] + s.rounding / 100
        if not better.any() if s.errors is None else k == 2 * len(errors):
            break
        made = np.where(better, greedy(s, values), made)
    return Walk(*(np.array(column) for column in zip(*rows, strict=True)))


def losses(s):
    """||V* - V_k||."""
    return size(optimal(s) - walk(s).v)


def following(rows):
    """Rows k + 1; the last one, which settles, again."""
    return np.append(rows[1:], rows[-1:], axis=0)


progress = Proof(of=[theory.ONE_STEP, theory.AHEAD_OF_BACKUP], settings=theory.grid)


@progress.step("V_k <= T V_k")
def improvable(s: PolicyIteration) -> Claim:
    """In each state."""
    w = walk(s)
    return claim(w.v, "<=", best(s, q(s, w.v)), "V_k = T_pi_k V_k, and T takes the best choice", rounding=s.rounding)


@progress.step("T V_k <= V_{k+1}", uses=[improvable])
def monotone(s: PolicyIteration) -> Claim:
    """In each state."""
    w = walk(s)
    why = "T_pi V_k = T V_k >= V_k for the greedy pi; apply the monotone T_pi again and again"
    return claim(best(s, q(s, w.v)), "<=", following(w.v), why, rounding=s.rounding)


@progress.step("Conclusion: ||V* - V_{k+1}|| <= ||V* - T V_k||", uses=[monotone])
def ahead(s: PolicyIteration) -> Claim:
    """In the worst state."""
    w = walk(s)
    right = size(optimal(s) - best(s, q(s, w.v)))
    return claim(following(losses(s)), "<=", right, "both are below V*", rounding=s.rounding)


@progress.step("Conclusion: ||V* - V_{k+1}|| <= gamma ||V* - V_k||", uses=[ahead])
def contraction(s: PolicyIteration) -> Claim:
    """In the worst state."""
    return claim(following(losses(s)), "<=", s.discount * losses(s), "T contracts towards V*", rounding=s.rounding)


# --------------------------------------------------------------------------------------------------

elimination = Proof(of=[theory.SURVIVAL, theory.COUNT], settings=theory.grid)


def disadvantages(s):
    """A of each policy, in each state."""
    return optimal(s) - policy_backup(s, walk(s).made, optimal(s) + 0 * walk(s).v)


@elimination.step("V* - V_k = a + gamma P (V* - V_k)")
def accumulation(s: PolicyIteration) -> Claim:
    """In each state."""
    lost = optimal(s) - walk(s).v
    later = s.discount * np.einsum("kst,kt->ks", laws(s)[walk(s).made], lost)
    return claim(lost, "==", disadvantages(s) + later, "V_k = T_pi V_k, V* = T V*", rounding=s.rounding)


@elimination.step("||a|| <= ||V* - V_k|| <= ||a|| / (1 - gamma), from below", uses=[accumulation])
def least(s: PolicyIteration) -> Claim:
    """For each policy."""
    return claim(size(disadvantages(s)), "<=", losses(s), "what is lost later is >= 0", rounding=s.rounding)


@elimination.step("||a|| <= ||V* - V_k|| <= ||a|| / (1 - gamma), from above", uses=[accumulation])
def most(s: PolicyIteration) -> Claim:
    """For each policy."""
    right = size(disadvantages(s)) / (1 - s.discount)
    return claim(losses(s), "<=", right, "the largest loss m fulfils m <= ||a|| + gamma m", rounding=s.rounding)


@elimination.step("||a_j|| <= gamma^{j-k} / (1 - gamma) ||a_k|| for j >= k", uses=[least, most])
def shrinking(s: PolicyIteration) -> Claim:
    """For all pairs."""
    a, (k, j) = size(disadvantages(s)), np.triu_indices(len(walk(s).v))
    right = s.discount ** (j - k) / (1 - s.discount) * a[k]
    return claim(a[j], "<=", right, "policy iteration contracts the loss by gamma", rounding=s.rounding)


@elimination.step("While the worst choice of policy k is made, gamma^{j-k} >= 1 - gamma", uses=[shrinking])
def survival(s: PolicyIteration) -> Claim:
    """For all policies j >= k that make it; optimal ones have no worst choice."""
    a, made = disadvantages(s), walk(s).made
    worst, (k, j) = a.argmax(axis=1), np.triu_indices(len(made))
    kept = (size(a)[k] > s.rounding) & (made[j, worst[k]] == made[k, worst[k]])
    right = np.append(s.discount ** (j - k)[kept], 1.0)
    return claim(1 - s.discount, "<=", right, "||a_j|| >= a_j(s_k) = a_k(s_k) = ||a_k||")


@elimination.step("The largest such exponent is the one of the statement")
def exponent(s: PolicyIteration) -> Claim:
    """The next power is smaller than 1 - gamma, this one is not."""
    powers = s.discount ** np.array([s.lifetime + 1, s.lifetime])
    return claim([powers[0], 1 - s.discount], "<=", [1 - s.discount, powers[1]], "count the powers")


@elimination.step("It is less than log(1 / (1 - gamma)) / (1 - gamma)", uses=[exponent])
def logarithm(s: PolicyIteration) -> Claim:
    """Or 0, without a future."""
    right = -math.log1p(-s.discount) / (1 - s.discount)
    return claim(s.lifetime, "<=", right, "log(1 / gamma) >= 1 - gamma")


@elimination.step(
    "Conclusion: there are no more improvements than non-optimal choices, times that and one", uses=[survival]
)
def count(s: PolicyIteration) -> Claim:
    """Each state keeps one optimal choice."""
    left = len(walk(s).v) - 1
    why = "every so many iterations give up one choice more for ever, as long as the policy is not optimal"
    return claim(left, "<=", (s.mdp.choices - s.mdp.states) * (s.lifetime + 1), why)


# --------------------------------------------------------------------------------------------------

with_errors = Proof(of=[theory.ERRONEOUS_ONE_STEP, theory.ERRONEOUS_LOSS], settings=theory.grid_with_errors)


def error_spans(s):
    """sp(e_k), but for the last policy."""
    return span(walk(s).errors)[:-1]


@with_errors.step("T V_k - T_pi V_k <= gamma sp(e_k) for the next policy pi")
def one_step(s: PolicyIteration) -> Claim:
    """In each state."""
    w = walk(s)
    lost = best(s, q(s, w.v[:-1])) - policy_backup(s, w.made[1:], w.v[:-1])
    why = "for V_k + e_k the next choice is no worse; two laws differ on e_k by its span at most"
    return claim(lost.max(axis=1), "<=", s.discount * error_spans(s), why, rounding=s.rounding)


@with_errors.step("V_k - V_{k+1} <= gamma / (1 - gamma) sp(e_k)", uses=[one_step])
def setback(s: PolicyIteration) -> Claim:
    """In each state."""
    w = walk(s)
    why = "V_k <= T V_k <= T_pi V_k + gamma sp(e_k); the largest setback m fulfils m <= gamma sp(e_k) + gamma m"
    right = s.discount / (1 - s.discount) * error_spans(s)
    return claim((w.v[:-1] - w.v[1:]).max(axis=1), "<=", right, why, rounding=s.rounding)


@with_errors.step("V* - V_{k+1} = (T V* - T V_k) + (T V_k - T_pi V_k) + gamma P_pi (V_k - V_{k+1})")
def three_parts(s: PolicyIteration) -> Claim:
    """In each state."""
    w = walk(s)
    backed_up = best(s, q(s, w.v[:-1]))
    first, second = optimal(s) - backed_up, backed_up - policy_backup(s, w.made[1:], w.v[:-1])
    third = s.discount * np.einsum("kst,kt->ks", laws(s)[w.made[1:]], w.v[:-1] - w.v[1:])
    return claim(optimal(s) - w.v[1:], "==", first + second + third, "V_{k+1} = T_pi V_{k+1}", rounding=s.rounding)


@with_errors.step("Conclusion: one step", uses=[one_step, setback, three_parts])
def conclusion(s: PolicyIteration) -> Claim:
    """Gamma sp + gamma^2 sp / (1 - gamma) = gamma sp / (1 - gamma)."""
    right = s.discount * losses(s)[:-1] + s.discount / (1 - s.discount) * error_spans(s)
    return claim(losses(s)[1:], "<=", right, "the parts, one by one", rounding=s.rounding)


@with_errors.step("Conclusion: all steps", uses=[conclusion])
def all_steps(s: PolicyIteration) -> Claim:
    """By induction over k, with sp(e) <= 2 ||e||."""
    fading = s.discount ** np.arange(len(walk(s).v))
    limit = 2 * s.discount * np.abs(s.errors).max() / (1 - s.discount) ** 2
    right = fading * losses(s)[0] + (1 - fading) * limit
    return claim(losses(s), "<=", right, "1 + gamma + ... + gamma^{k-1}", rounding=s.rounding)


# --------------------------------------------------------------------------------------------------

modified = Proof(of=[theory.MODIFIED_DISTANCE, theory.MODIFIED_LOSS], settings=theory.grid_from_below)


class Sweeps(NamedTuple):
    """One run of modified policy iteration, row k being iteration k."""

    w: np.ndarray  # (K, S)
    backed_up: np.ndarray  # (K, S)
    own: np.ndarray  # (K, S), V of the greedy policies
    single: np.ndarray  # (K, S), value iteration


@cache
def sweeps(s: ModifiedPolicyIteration) -> Sweeps:
    """w_{k+1} = T_pi^m w_k."""
    w = single = np.full(s.mdp.states, s.mdp.rewards.min() / (1 - s.discount))
    rows = []
    for _ in range(SWEEPS):
        made = greedy(s, q(s, w))
        rows.append((w, best(s, q(s, w)), values_of(s, made), single))
        for _ in range(s.backups):
            w = q(s, w)[made]
        single = best(s, q(s, single))
    return Sweeps(*(np.array(column) for column in zip(*rows, strict=True)))


@modified.step("w_k <= T w_k, if w_0 <= T w_0")
def rising(s: ModifiedPolicyIteration) -> Claim:
    """By induction over k, in each state."""
    why = "w <= T_pi w implies T_pi^m w <= T_pi^{m+1} w <= T T_pi^m w"
    return claim(sweeps(s).w, "<=", sweeps(s).backed_up, why, rounding=s.rounding)


@modified.step("T w_k <= w_{k+1}", uses=[rising])
def further(s: ModifiedPolicyIteration) -> Claim:
    """In each state."""
    w = sweeps(s)
    why = "T w = T_pi w <= T_pi^m w, as T_pi is monotone and w <= T_pi w"
    return claim(w.backed_up[:-1], "<=", w.w[1:], why, rounding=s.rounding)


@modified.step("Conclusion: T^k w_0 <= w_k", uses=[further])
def ahead_of_value_iteration(s: ModifiedPolicyIteration) -> Claim:
    """By induction over k, in each state."""
    return claim(sweeps(s).single, "<=", sweeps(s).w, "T is monotone", rounding=s.rounding)


@modified.step("Conclusion: T w_k <= V of the greedy policy", uses=[rising])
def promised(s: ModifiedPolicyIteration) -> Claim:
    """In each state."""
    why = "T w = T_pi w >= w; apply the monotone T_pi again and again"
    return claim(sweeps(s).backed_up, "<=", sweeps(s).own, why, rounding=s.rounding)


@modified.step("Nothing exceeds V*", uses=[rising, promised])
def enclosed(s: ModifiedPolicyIteration) -> Claim:
    """Hence distances to V* compare as the values do, in each state and in the worst."""
    w = sweeps(s)
    return claim([w.w, w.own], "<=", optimal(s), "w <= T w <= V of the greedy policy <= V*", rounding=s.rounding)
