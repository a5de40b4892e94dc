"""Steps that proofs of regret bounds for optimistic walks have in common, on a path written down step by step."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-8  # of sums over thousands of steps


class Path(NamedTuple):
    """One walk, entry t - 1 for step t; f_t is the hypothesis in force."""

    epoch: np.ndarray  # number of plans so far
    gain: np.ndarray  # J of f_t
    reward: np.ndarray
    value: np.ndarray  # V of f_t at the state
    backed: np.ndarray  # its mean at the next state
    onward: np.ndarray  # its value at the next state
    error: np.ndarray  # E_t, expected error of f_t at the choice
    gap: np.ndarray  # W_{t-1}(f_t)
    size: np.ndarray  # squared length of the choice in the norm of the past, infinite on first visits


class Bounds(NamedTuple):
    """What a proof says of the path, as functions of the setting."""

    play: Callable[[Any], Path]
    optimal_gain: Callable[[Any], float]
    span: Callable[[Any], float]
    potential: Callable[[Any, np.ndarray], np.ndarray]
    first_errors: Callable[[Any], float]
    largest_error: Callable[[Any], float]
    largest_gap: Callable[[Any], float]
    most_epochs: Callable[[Any, np.ndarray], np.ndarray]
    most_regret: Callable[[Any, np.ndarray], np.ndarray]


def prove_regret(proof: Proof, b: Bounds) -> None:
    """Add the steps from optimism, the largest gap and the number of epochs to the regret."""

    def times(s):
        return np.arange(1, b.play(s).gain.size + 1)

    def running(terms):
        return np.cumsum(terms)

    @proof.step("Errors: E_t = V(s) + J - r - PV, since Q = V at the choice made")
    def errors(s) -> Claim:
        p = b.play(s)
        return claim(p.error, "==", p.value + p.gain - p.reward - p.backed, "the choice is greedy", rounding=ROUNDING)

    @proof.step("Cauchy-Schwarz: an error is at most the length of its choice times the root of the gap")
    def one_error(s) -> Claim:
        p = b.play(s)
        known = np.isfinite(p.size)
        right = np.sqrt(p.size[known] * p.gap[known])
        return claim(np.abs(p.error[known]), "<=", right, "the gap is a sum over the past", rounding=ROUNDING)

    @proof.step("No error exceeds the largest possible one")
    def largest_error(s) -> Claim:
        why = "values and rewards are bounded"
        return claim(np.abs(b.play(s).error), "<=", b.largest_error(s), why, rounding=ROUNDING)

    @proof.step("Potential: squared lengths, cut at 1, add up to d_t")
    def potential(s) -> Claim:
        p = b.play(s)
        lengths = np.where(np.isfinite(p.size), np.minimum(p.size, 1), 0)
        why = "harmonic sums and Jensen's inequality, or min(1, x) <= 2 log(1 + x) and the determinant"
        return claim(running(lengths), "<=", b.potential(s, times(s)), why, rounding=ROUNDING)

    @proof.step(
        "Dominance: errors add up to the first ones and the root of d_t times the sum of gaps",
        uses=[one_error, largest_error, potential],
    )
    def dominance(s) -> Claim:
        p, t = b.play(s), times(s)
        right = b.first_errors(s) + np.sqrt(b.potential(s, t) * t * b.largest_gap(s))
        why = "Cauchy-Schwarz over time; the largest gap bounds all, and where a length exceeds 1 the error itself"
        return claim(running(np.abs(p.error)), "<=", right, why, rounding=ROUNDING)

    @proof.step("Identity: what is promised and not paid is errors, noise and drift", uses=[errors])
    def identity(s) -> Claim:
        p = b.play(s)
        parts = p.error + (p.backed - p.onward) + (p.onward - p.value)
        return claim(running(p.gain - p.reward), "==", running(parts), "add up", rounding=ROUNDING)

    @proof.step("Drift: values telescope within an epoch")
    def drift(s) -> Claim:
        p = b.play(s)
        right = b.span(s) * b.most_epochs(s, times(s))
        why = "an epoch adds the span at most"
        return claim(running(p.onward - p.value), "<=", right, why, rounding=ROUNDING)

    @proof.step("Noise: a martingale with increments in an interval of length H")
    def noise(s) -> Claim:
        p = b.play(s)
        right = b.span(s) * math.sqrt(s.horizon * math.log(1 / s.delta) / 2)
        why = "Azuma's and Doob's inequalities exclude the contrary, with probability 1 - delta; it is so on this path"
        return claim(running(p.backed - p.onward), "<=", right, why, rounding=ROUNDING)

    @proof.step("Conclusion: regret", uses=[dominance, identity, drift, noise])
    def regret(s) -> Claim:
        p, t = b.play(s), times(s)
        left = t * b.optimal_gain(s) - running(p.reward)
        return claim(left, "<=", b.most_regret(s, t), "gains are optimistic; add up", rounding=1e-6 * s.horizon)
