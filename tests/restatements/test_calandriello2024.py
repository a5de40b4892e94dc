"""Both sides of the theorems on online IPO: gradients by finite differences, iterates in plain probabilities."""

import numpy as np
import pytest

from rltheory.simulation import stream
from rltheory.theorems.games import calandriello2024, munos2024
from rltheory.theorems.games.calandriello2024 import Setting
from rltheory.theory import Theorem
from tests.restatements.test_munos2024 import BEATS, CYCLE, FIVE, kl, normalised

POLICIES = {
    "two actions": munos2024.Setting(BEATS, 0.1, reference=[0.3, 0.7]),
    "cycle": munos2024.Setting(CYCLE, 0.5, reference=[0.05, 0.25, 0.7]),
    "five actions": munos2024.Setting(FIVE, 0.2),
}
RUNS = {
    "two actions": Setting(BEATS, 0.1, reference=[0.3, 0.7], step=0.4),
    "cycle": Setting(CYCLE, 0.5, reference=[0.05, 0.25, 0.7], step=2.0),
    "five actions": Setting(FIVE, 0.2, start=[0.1, 0.3, 0.1, 0.4, 0.1], step=0.1),
    "too large a step": Setting(FIVE, 0.2, step=0.81),
}
THEOREMS = {theorem.name: theorem for theorem in vars(calandriello2024).values() if isinstance(theorem, Theorem)}


def reference(s):
    return np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)


def test_every_theorem_is_restated():
    assert set(THEOREMS) == {"online-ipo/gradient", "online-ipo/uniform-pairs"}
    assert {theorem.kind.name for theorem in THEOREMS.values()} == {"identity"}


def test_hypotheses():
    gradient, uniform = calandriello2024.GRADIENT, calandriello2024.UNIFORM_PAIRS
    assert all(gradient.failed_hypothesis(s) is None for s in POLICIES.values())
    assert {place for place, s in RUNS.items() if uniform.failed_hypothesis(s)} == {"too large a step"}


def loss(s, sampler, theta):
    """Mean of [f_y - f_z - (P(y > z) - 1/2) / beta]^2 over y, z from the sampler, pair by pair."""
    f, total = np.log(normalised(np.exp(theta)) / reference(s)), 0.0
    for y in range(s.game.n):
        for z in range(s.game.n):
            residual = f[y] - f[z] - (s.game.prefer[y, z] - 1 / 2) / s.beta
            total += sampler[y] * sampler[z] * residual**2
    return total


def preference(s, opponent, theta):
    """P_beta(pi_theta > opponent)."""
    pi, ref = normalised(np.exp(theta)), reference(s)
    return pi @ s.game.prefer @ opponent - s.beta * kl(pi, ref) + s.beta * kl(opponent, ref)


def difference(function, theta, direction):
    """Central difference of second order along a direction."""
    h = 1e-5
    return (function(theta + h * direction) - function(theta - h * direction)) / (2 * h)


@pytest.mark.parametrize("place", POLICIES)
def test_gradient(place):
    theorem, s = calandriello2024.GRADIENT, POLICIES[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = [], []
    for log_policy, direction in zip(trace["policy"], trace["direction"], strict=True):
        pi = np.exp(log_policy)
        measured.append(difference(lambda theta, pi=pi: loss(s, pi, theta), log_policy, direction))
        bound.append(-4 / s.beta * difference(lambda theta, pi=pi: preference(s, pi, theta), log_policy, direction))
    # Differences of losses of up to 1e3 at steps of 1e-5 keep eight digits of 1e3, squares of the step eight more.
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(measured, bound, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("place", ["two actions", "cycle", "five actions"])
def test_uniform_pairs(place):
    theorem, s = calandriello2024.UNIFORM_PAIRS, RUNS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    ref, n, prefer = reference(s), s.game.n, s.game.prefer
    q = 1 / (1 + s.step * s.beta)
    x = theta = np.log(ref if s.start is None else s.start)
    descended, mirrored = [], []
    for _ in range(trace.times[-1] + 1):
        pi = normalised(np.exp(theta))
        descended.append(pi)
        f, wins, gradient = np.log(pi / ref), prefer @ pi, np.zeros(n)
        for y in range(n):
            for z in range(n):
                residual = f[y] - f[z] - (wins[y] - wins[z]) / s.beta
                gradient += 2 * residual * (np.eye(n)[y] - np.eye(n)[z]) / n**2
        theta = theta - n * (1 - q) / 4 * gradient
        mirrored.append(normalised(np.exp(x)))
        x = q * x + (1 - q) * np.log(ref) + q * s.step * prefer @ mirrored[-1]
    np.testing.assert_allclose(np.exp(trace["log_descended"]), np.array(descended)[trace.times], rtol=1e-11)
    np.testing.assert_allclose(np.exp(trace["log_policy"]), np.array(mirrored)[trace.times], rtol=1e-11)
    np.testing.assert_allclose(theorem.measured(s, trace), theorem.bound(s, trace), rtol=1e-11)
    assert np.exp(-theorem.bound(s, trace)) == pytest.approx(
        np.take_along_axis(
            np.array(mirrored)[trace.times],
            np.abs(trace["log_descended"] - trace["log_policy"]).argmax(-1)[:, None],
            axis=-1,
        )[:, 0],
        rel=1e-11,
    )


def test_pairs_compared_with_one_another_lead_to_a_response_to_the_uniform_policy():
    s = RUNS["cycle"]
    trace = calandriello2024.descend_on_pairs(s, stream(0, "pairs"))
    response = normalised(reference(s) * np.exp(s.game.prefer.mean(axis=1) / s.beta))
    np.testing.assert_allclose(np.exp(trace.last("log_descended")), response, rtol=1e-11)
