"""Both sides of the theorems on approximate Nash mirror prox, in plain probabilities."""

from itertools import pairwise

import numpy as np
import pytest

from rltheory.simulation import stream
from rltheory.theorems.games import tiapkin2025_approximate as paper
from rltheory.theory import Theorem

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def kl(p, q):
    return (p * np.log(p / q)).sum(-1)


def inexact(s, trace):
    x, y, star = np.exp(trace["log_policy"]), np.exp(trace["log_next"]), np.exp(s.log_equilibrium)
    b, rho, e = s.beta, s.half_error, s.log_error
    return kl(star, y), (kl(star, x) + rho * rho / (2 * b)) / (1 + b) + e


def sampled_one_step(s, trace):
    divergences = kl(np.exp(s.log_equilibrium), np.exp(trace["log_policy"]))
    b, m, q = s.beta, s.comparisons, 1 / (1 + 2 * s.beta)
    excess = [0.0] + [after - before / (1 + b) for before, after in pairwise(divergences)]
    return excess, q**2 / (2 * b * (1 + b) * m) + q**2 / (2 * m) + 0 * divergences


def sampled(s, trace):
    divergences = kl(np.exp(s.log_equilibrium), np.exp(trace["log_policy"]))
    b, m, q = s.beta, s.comparisons, 1 / (1 + 2 * s.beta)
    bound = [divergences[0]]
    for _ in divergences[1:]:  # the recursion itself, instead of its solution
        bound.append((bound[-1] + q**2 / (2 * b * m)) / (1 + b) + q**2 / (2 * m))
    return divergences, bound


RESTATED = {"nash-mp/inexact": inexact, "nash-mp/sampled-one-step": sampled_one_step, "nash-mp/sampled": sampled}


def test_every_theorem_is_restated():
    assert set(RESTATED) == set(THEOREMS)


@pytest.mark.parametrize("name", sorted(RESTATED))
def test_sides(name):
    theorem = THEOREMS[name]
    for s in theorem.settings():
        trace = theorem.run(s, stream(0, "restated", name))
        measured, bound = RESTATED[name](s, trace)
        # Naive sums of p log(p / q) err by some eps times the largest logarithm, 1e-13 at most here.
        np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("s", list(paper.sampled_grid()), ids=str)
def test_divergences_stay_in_the_proved_range(s):
    trace = paper.play_sampled(s, stream(0, "range", s))
    divergences = kl(np.exp(s.log_equilibrium), np.exp(trace["log_policy"]))
    assert divergences.max() <= min(2 / s.beta, 1 / (2 * s.beta**2))
    assert trace["comparisons"][-1] == 2 * s.game.n * s.comparisons * s.iterations
