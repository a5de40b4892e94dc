r"""Proofs on value iteration: what a backup contracts, what it certifies, and what greedy policies lose.

Notation. :math:`T` and :math:`T_\pi` are backups; :math:`P_c` the law of a choice; :math:`v_k` the iterates, with
:math:`v_{k+1} = T v_k + e_k`; :math:`\pi_k` greedy for :math:`v_k`; :math:`V^*`, :math:`V^\pi` the values; sp the span.
Everything is recomputed here with dense matrices in plain NumPy.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.theorems.discounted import value_iteration as theory
from rltheory.theorems.discounted.value_iteration import ValueIteration
from rltheory.theory import Claim, Proof, claim

STEPS = 60  # iterations that the proofs walk


class Walk(NamedTuple):
    """One run, row k being iteration k."""

    v: np.ndarray  # (K, S)
    backed_up: np.ndarray  # (K, S)
    made: np.ndarray  # (K, S)
    own: np.ndarray  # (K, S), V of the greedy policies
    errors: np.ndarray  # (K, S)

    @property
    def change(self):
        """T v - v."""
        return self.backed_up - self.v


@cache
def laws(s: ValueIteration) -> np.ndarray:
    """Rows of choices, shape (C, S)."""
    matrix = s.mdp.transition_matrix
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def q(s, v):
    """Values of the choices."""
    return s.mdp.rewards + s.discount * v @ laws(s).T


def best(s, values):
    """Largest value of each state."""
    return np.maximum.reduceat(values, s.mdp.first_choice[:-1], axis=-1)


def policy_backup(s, made, v):
    """T_pi v, row by row."""
    return np.take_along_axis(q(s, v), made, axis=1)


@cache
def walk(s: ValueIteration) -> Walk:
    """Iterate from the definition."""
    v = np.zeros(s.mdp.states) if s.start is None else s.start
    errors = np.zeros((1, s.mdp.states)) if s.errors is None else s.errors
    rows = []
    for k in range(STEPS):
        values = q(s, v)
        bounds = zip(s.mdp.first_choice[:-1], s.mdp.first_choice[1:], strict=True)
        made = np.array([first + values[first:end].argmax() for first, end in bounds])
        own = np.linalg.solve(np.eye(s.mdp.states) - s.discount * laws(s)[made], s.mdp.rewards[made])
        rows.append((v, best(s, values), made, own, errors[k % len(errors)]))
        v = best(s, values) + errors[k % len(errors)]
    return Walk(*(np.array(column) for column in zip(*rows, strict=True)))


@cache
def optimal(s):
    """V*, by policy iteration with dense solves."""
    made = s.mdp.first_choice[:-1]
    while True:
        v = np.linalg.solve(np.eye(s.mdp.states) - s.discount * laws(s)[made], s.mdp.rewards[made])
        better = best(s, q(s, v)) > q(s, v)[made] + s.rounding
        if not better.any():
            return v
        bounds = zip(s.mdp.first_choice[:-1], s.mdp.first_choice[1:], strict=True)
        greedy = np.array([first + q(s, v)[first:end].argmax() for first, end in bounds])
        made = np.where(better, greedy, made)


def size(differences):
    """Largest absolute value of each row."""
    return np.abs(differences).max(axis=-1)


def span(values):
    """Largest minus smallest value of each row."""
    return values.max(axis=-1) - values.min(axis=-1)


def delta(s):
    """Largest distance in total variation of two laws."""
    return np.abs(laws(s)[:, None] - laws(s)).sum(-1).max() / 2


contraction = Proof(of=[theory.DISTANCE, theory.SPAN_OF_CHANGE], settings=theory.grid)


@contraction.step("The optimal values are a fixed point: T V* = V*")
def fixed_point(s: ValueIteration) -> Claim:
    """No choice is better than those of the last policy."""
    return claim(best(s, q(s, optimal(s))), "==", optimal(s), "policy iteration has ended", rounding=s.rounding)


@contraction.step(
    "|max a - max b| <= max |a - b| over the choices of a state, hence T v - V* <= gamma max_c |P_c (v - V*)|"
)
def of_a_maximum(s: ValueIteration) -> Claim:
    """Of v_k, in each state."""
    of_choices = s.discount * np.abs((walk(s).v - optimal(s)) @ laws(s).T)
    why = "the best choice of one side is also a choice of the other"
    return claim(
        np.abs(walk(s).backed_up - best(s, q(s, optimal(s)))), "<=", best(s, of_choices), why, rounding=s.rounding
    )


@contraction.step("|P_c u| <= ||u||, for each choice")
def averages(s: ValueIteration) -> Claim:
    """Of u = v_k - V*."""
    u = walk(s).v - optimal(s)
    return claim(size(u @ laws(s).T), "<=", size(u), "a law is an average", rounding=s.rounding)


@contraction.step("Conclusion: ||v_k - V*|| <= gamma^k ||v_0 - V*||", uses=[fixed_point, of_a_maximum, averages])
def distances(s: ValueIteration) -> Claim:
    """By induction over k."""
    d = size(walk(s).v - optimal(s))
    return claim(d, "<=", s.discount ** np.arange(STEPS) * d[0], "v_{k+1} = T v_k", rounding=s.rounding)


@contraction.step("(P_c - P_c') u <= TV sp(u), for any two choices, of any states")
def two_laws(s: ValueIteration) -> Claim:
    """Of u = v_{k+1} - v_k."""
    u = np.diff(walk(s).v, axis=0)
    why = "they share all but TV of their mass, and the rest moves from the least to the largest value at most"
    return claim(span(u @ laws(s).T), "<=", delta(s) * span(u), why, rounding=s.rounding)


@contraction.step("sp(T v - T w) <= gamma max (P_c - P_c') (v - w)")
def of_two_maxima(s: ValueIteration) -> Claim:
    """Of v = v_{k+1}, w = v_k."""
    w = walk(s)
    changes = s.discount * np.diff(w.v, axis=0) @ laws(s).T
    why = "T v - T w is at most the change of the choice that is best for v, and at least that of the best for w"
    return claim(span(np.diff(w.backed_up, axis=0)), "<=", span(changes), why, rounding=s.rounding)


@contraction.step("Conclusion: sp(T v_k - v_k) <= (gamma delta)^k sp(T v_0 - v_0)", uses=[two_laws, of_two_maxima])
def spans(s: ValueIteration) -> Claim:
    """By induction over k."""
    found = span(walk(s).change)
    factor = (s.discount * delta(s)) ** np.arange(STEPS)
    return claim(found, "<=", factor * found[0], "T v_k = v_{k+1}", rounding=s.rounding)


# --------------------------------------------------------------------------------------------------

enclosure = Proof(of=[theory.CERTIFICATE, theory.LOSS_BY_SPAN], settings=theory.grid)


def gain(s):
    """Gamma / (1 - gamma)."""
    return s.discount / (1 - s.discount)


@enclosure.step("T_pi (v + c) = T_pi v + gamma c")
def constants(s: ValueIteration) -> Claim:
    """Of the greedy policies, with c the largest change."""
    w, c = walk(s), walk(s).change.max(axis=1, keepdims=True)
    return claim(
        policy_backup(s, w.made, w.v + c), "==", w.backed_up + s.discount * c, "laws sum to 1", rounding=s.rounding
    )


@enclosure.step("The greedy policy earns T v + gamma / (1 - gamma) min(T v - v) at least", uses=[constants])
def from_below(s: ValueIteration) -> Claim:
    """In each state."""
    w = walk(s)
    lowest = w.backed_up + gain(s) * w.change.min(axis=1, keepdims=True)
    why = "T v >= v + a; apply the monotone T_pi again and again, and sum gamma a + gamma^2 a + ..."
    return claim(lowest, "<=", w.own, why, rounding=s.rounding)


@enclosure.step("The greedy policy earns no more than V*")
def optimality(s: ValueIteration) -> Claim:
    """In each state."""
    return claim(walk(s).own, "<=", optimal(s) + 0 * walk(s).own, "V* is the largest", rounding=s.rounding)


@enclosure.step("V* <= T v + gamma / (1 - gamma) max(T v - v)", uses=[constants])
def from_above(s: ValueIteration) -> Claim:
    """In each state."""
    w = walk(s)
    highest = w.backed_up + gain(s) * w.change.max(axis=1, keepdims=True)
    why = "T v <= v + b; apply the monotone T again and again, and sum gamma b + gamma^2 b + ..."
    return claim(optimal(s) + 0 * w.v, "<=", highest, why, rounding=s.rounding)


@enclosure.step("Conclusion: V* differs from the middle by half the width", uses=[from_below, optimality, from_above])
def middle(s: ValueIteration) -> Claim:
    """In the worst state."""
    w = walk(s)
    centre = w.backed_up + gain(s) * (w.change.min(axis=1) + w.change.max(axis=1))[:, None] / 2
    return claim(size(optimal(s) - centre), "<=", gain(s) * span(w.change) / 2, "both ends", rounding=s.rounding)


@enclosure.step("Conclusion: the greedy policy loses the width at most", uses=[from_below, from_above])
def width(s: ValueIteration) -> Claim:
    """In the worst state."""
    w = walk(s)
    return claim((optimal(s) - w.own).max(axis=1), "<=", gain(s) * span(w.change), "subtract", rounding=s.rounding)


# --------------------------------------------------------------------------------------------------

greedy_loss = Proof(of=[theory.LOSS], settings=lambda: [*theory.grid(), *theory.grid_with_errors()])


@greedy_loss.step("One step of the greedy policy: T V* - T_pi V* <= gamma sp(v - V*)")
def one_step(s: ValueIteration) -> Claim:
    """In the worst state."""
    w = walk(s)
    lost = optimal(s) - policy_backup(s, w.made, optimal(s) + 0 * w.v)
    why = "for v the greedy choice is no worse than the optimal; two laws differ on v - V* by its span at most"
    return claim(lost.max(axis=1), "<=", s.discount * span(w.v - optimal(s)), why, rounding=s.rounding)


@greedy_loss.step("The loss accumulates: V* - V_pi = T V* - T_pi V* + gamma P_pi (V* - V_pi)")
def accumulation(s: ValueIteration) -> Claim:
    """In each state."""
    w = walk(s)
    lost = optimal(s) - w.own
    one = optimal(s) - policy_backup(s, w.made, optimal(s) + 0 * w.v)
    later = s.discount * np.einsum("kst,kt->ks", laws(s)[w.made], lost)
    return claim(lost, "==", one + later, "V_pi = T_pi V_pi, V* = T V*", rounding=s.rounding)


@greedy_loss.step("Conclusion: V* - V_pi <= gamma / (1 - gamma) sp(v - V*)", uses=[one_step, accumulation])
def by_span(s: ValueIteration) -> Claim:
    """In the worst state."""
    w = walk(s)
    why = "the largest loss m fulfils m <= gamma sp + gamma m"
    return claim((optimal(s) - w.own).max(axis=1), "<=", gain(s) * span(w.v - optimal(s)), why, rounding=s.rounding)


@greedy_loss.step("sp(u) <= 2 ||u||")
def span_and_size(s: ValueIteration) -> Claim:
    """Of u = v - V*."""
    u = walk(s).v - optimal(s)
    return claim(span(u), "<=", 2 * size(u), "from the largest to the smallest, by way of 0")


# --------------------------------------------------------------------------------------------------

with_errors = Proof(of=[theory.ERRONEOUS_DISTANCE, theory.ERRONEOUS_LOSS], settings=theory.grid_with_errors)


def epsilon(s):
    """Largest error."""
    return np.abs(s.errors).max()


def accumulated(s):
    """gamma^k ||v_0 - V*|| + (1 - gamma^k) eps / (1 - gamma)."""
    fading = s.discount ** np.arange(STEPS)
    return fading * size(walk(s).v[0] - optimal(s)) + epsilon(s) * (1 - fading) / (1 - s.discount)


@with_errors.step("||v_{k+1} - V*|| <= gamma ||v_k - V*|| + eps")
def one_error(s: ValueIteration) -> Claim:
    """For each k."""
    d = size(walk(s).v - optimal(s))
    return claim(d[1:], "<=", s.discount * d[:-1] + epsilon(s), "T contracts; add e_k", rounding=s.rounding)


@with_errors.step("Conclusion: the errors add up", uses=[one_error])
def all_errors(s: ValueIteration) -> Claim:
    """By induction over k."""
    d = size(walk(s).v - optimal(s))
    return claim(d, "<=", accumulated(s), "1 + gamma + ... + gamma^{k-1}", rounding=s.rounding)


@with_errors.step("Conclusion: greedy policies lose 2 gamma / (1 - gamma) times that", uses=[all_errors])
def losses(s: ValueIteration) -> Claim:
    """By the proof for any values."""
    lost = (optimal(s) - walk(s).own).max(axis=1)
    return claim(
        lost, "<=", 2 * gain(s) * accumulated(s), "V* - V_pi <= 2 gamma / (1 - gamma) ||v - V*||", rounding=s.rounding
    )
