"""Both sides of the theorems on local stability: eigenvalues by linear algebra, runs in plain probabilities."""

import math

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import cycle
from rltheory.problems import PreferenceGame
from rltheory.simulation import stream
from rltheory.theorems.games import local_stability
from rltheory.theorems.games.local_stability import Edge, Wave, Weights
from rltheory.theory import Status, Theorem
from tests.restatements.test_munos2024 import CYCLE, FIVE

THEOREMS = {theorem.name: theorem for theorem in vars(local_stability).values() if isinstance(theorem, Theorem)}
WEIGHTS = {
    "cycle of five": Weights(cycle(5)),
    "cycle of nine, skewed": Weights(cycle(9), np.arange(1, 10) / 45),
    "cycle of four": Weights(cycle(4)),
    "five actions": Weights(FIVE, [0.6, 0.1, 0.1, 0.1, 0.1]),
    "three actions": Weights(CYCLE),
    "indifferent": Weights(PreferenceGame.indifferent(3)),
}
WAVES = [Wave(3, 0.1, 2.0), Wave(5, 0.5, 1.0), Wave(7, 0.02, 3.0)]


@pytest.mark.parametrize("place", WEIGHTS)
def test_rotation(place):
    theorem, s = local_stability.ROTATION, WEIGHTS[place]
    policy = np.full(s.game.n, 1 / s.game.n) if s.policy is None else s.policy
    # D S is similar to D^(1/2) S D^(1/2), which is skew: its norm is its largest eigenvalue.
    largest = np.abs(np.linalg.eigvals(policy[:, None] * (s.game.prefer - 0.5))).max()
    trace = theorem.run(s, stream(0, "restatement"))
    np.testing.assert_allclose(theorem.measured(s, trace), largest, atol=1e-14)
    np.testing.assert_allclose(theorem.bound(s, trace), 0.3183098861837907)
    assert largest < 0.3183098861837907
    assert theorem.kind.name == "every step"


def test_cycle_rotation():
    theorem = local_stability.CYCLE_ROTATION
    applies = {place for place, s in WEIGHTS.items() if theorem.failed_hypothesis(s) is None}
    assert applies == {"cycle of five"}
    # By hand: the three waves of a cycle of three turn by 0 and by -+ i sin(2 pi / 3) / 3.
    s = Weights(cycle(3))
    trace = theorem.run(s, stream(0, "restatement"))
    assert theorem.measured(s, trace) == pytest.approx(math.sqrt(3) / 6, rel=1e-14)
    assert theorem.bound(s, trace) == pytest.approx(math.sqrt(3) / 6, rel=1e-14)
    for n, value in ((5, 0.30777), (51, 0.31821), (201, 0.99998 / math.pi)):
        assert local_stability.rotation(n) == pytest.approx(value, abs=5e-6)
    assert theorem.kind.name == "identity"


# Runs in plain probabilities, with more digits where the platform has them.


def payoff(s):
    return cycle(s.n).prefer.astype(np.longdouble) - np.longdouble(0.5)


def prox(s, x, y):
    """prox(x; P y); the uniform reference adds a factor that the normaliser takes away."""
    q = 1 / (1 + np.longdouble(s.step) * np.longdouble(s.beta))
    weights = x**q * np.exp(q * s.step * (payoff(s) @ y))
    return weights / weights.sum()


def magnetic(s, x):
    return prox(s, x, x)


def mirror_prox(s, x):
    return prox(s, x, prox(s, x, x))


def proximal_point(s, x):
    y = x
    for _ in range(1000):  # contracts by q gamma / 2, and by q gamma lambda close to the solution, at most 0.9 here
        y = prox(s, x, y)
    return y


def gradient(s, x):
    advantage = payoff(s) @ x - s.beta * np.log(x * s.n)
    weights = x * np.exp(s.step * x * (advantage - x @ advantage))
    return weights / weights.sum()


def start(s):
    weights = np.exp(np.longdouble(1e-7) * np.cos(2 * np.pi * np.arange(s.n) / s.n)).astype(np.longdouble)
    return weights / weights.sum()


def divergence(x):
    """KL of the uniform policy to x: the mean of d - log(1 + d), x = (1 + d) / n."""
    d = x * len(x) - 1
    return (d - np.log1p(d)).mean()


def squared_multiplier(s, linear):
    """Square of what a matrix multiplies the longest wave by."""
    wave = np.exp(2j * np.pi * np.arange(s.n) / s.n)
    return float((np.abs(linear @ wave) ** 2).sum() / s.n)


def turn(s):
    """What a step does to logits through win rates: gamma S / n."""
    return s.step * payoff(s).astype(float) / s.n


ONE_STATE = {
    "local/magnetic": (magnetic, lambda s, q, one: q * (one + turn(s))),
    "local/mirror-prox": (mirror_prox, lambda s, q, one: q * (one + q * turn(s) @ (one + turn(s)))),
    "local/proximal-point": (proximal_point, lambda s, q, one: np.linalg.inv(one / q - turn(s))),
    "local/online-ipo": (gradient, lambda s, q, one: one - s.step * s.beta / s.n * one + turn(s) / s.n),
}


@pytest.mark.parametrize("s", WAVES, ids=str)
@pytest.mark.parametrize("name", ONE_STATE)
def test_factors(name, s):
    theorem, (iteration, linear) = THEOREMS[name], ONE_STATE[name]
    trace = theorem.run(s, stream(0, "restatement"))
    x, divergences = start(s), []
    for _ in range(trace.times[-1] + 2):
        divergences.append(divergence(x))
        x = iteration(s, x)
    ratios = np.divide(divergences[1:], divergences[:-1]).astype(float)
    factor = squared_multiplier(s, linear(s, 1 / (1 + s.step * s.beta), np.eye(s.n)))
    # Starts differ in the second order of 1e-7, and rounding of float64 leaves 1e-15 of some 1e-8.
    np.testing.assert_allclose(theorem.measured(s, trace), ratios, rtol=1e-6)
    np.testing.assert_allclose(theorem.bound(s, trace), factor, rtol=1e-12)
    np.testing.assert_allclose(ratios, factor, rtol=1e-6)
    assert theorem.failed_hypothesis(s) is None
    assert theorem.kind.name == "identity"


@pytest.mark.parametrize("s", WAVES, ids=str)
def test_optimistic(s):
    theorem = local_stability.OPTIMISTIC
    trace = theorem.run(s, stream(0, "restatement"))
    x = midpoint = first = start(s)
    wave = np.exp(2j * np.pi * np.arange(s.n) / s.n)
    z = v = wave
    q, measured, bound = 1 / (1 + s.step * s.beta), [], []
    for _ in range(trace.times[-1] + 1):
        midpoint = prox(s, x, midpoint)
        x = prox(s, x, midpoint)
        measured.append(float(divergence(x) / divergence(first)))
        v = q * (z + turn(s) @ v)
        z = q * (z + turn(s) @ v)
        bound.append((np.abs(z) ** 2).mean())
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-6)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-12)
    np.testing.assert_allclose(measured, bound, rtol=1e-6)
    # In the long run the factor is the square of the larger root: the spectral radius of the map of both states.
    a = q * (wave.conj() @ turn(s) @ wave) / s.n
    modes = np.linalg.eigvals([[q + a * q, a * a], [q, a]])
    assert local_stability.optimistic_factor(s) == pytest.approx(np.abs(modes).max() ** 2, rel=1e-12)
    assert theorem.kind.name == "identity"


def fall_and_growth(s, iteration, largest, iterations):
    """Divergence at the end over that at the start, below and above the largest step."""
    ratios = []
    for step in (0.95 * largest, 1.05 * largest):
        wave = Wave(s.n, s.beta, step)
        state = (start(wave), start(wave))
        for _ in range(iterations):
            state = iteration(wave, *state)
        ratios.append(float(divergence(state[0]) / divergence(start(wave))))
    return ratios


def optimistic(s, x, midpoint):
    midpoint = prox(s, x, midpoint)
    return prox(s, x, midpoint), midpoint


LIMITS = {
    "local/magnetic-limit": (
        Edge(5, 0.1),
        lambda s, x, _: (magnetic(s, x), x),
        lambda s, turn: 2 * s.beta / (turn**2 - s.beta**2),
    ),
    "local/mirror-prox-limit": (Edge(5, 0.002), lambda s, x, _: (mirror_prox(s, x), x), lambda s, turn: 1 / turn),
    "local/optimistic-limit": (Edge(5, 0.002), optimistic, lambda s, turn: 1 / (math.sqrt(3) * turn)),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name):
    theorem, (s, iteration, largest) = THEOREMS[name], LIMITS[name]
    turn = np.abs(np.linalg.eigvals((cycle(s.n).prefer - 0.5) / s.n)).max()
    trace = theorem.run(s, stream(0, "restatement"))
    assert theorem.failed_hypothesis(s) is None
    assert theorem.measured(s, trace).tolist() == [True]
    # The library runs for a factor of 1e4 at least; this one, for a fixed time that suffices on both sides.
    below, above = fall_and_growth(s, iteration, largest(s, turn), 500)
    assert below < 1e-3 < 1e3 < above


def test_hypotheses_of_limits():
    assert local_stability.MAGNETIC_LIMIT.failed_hypothesis(Edge(5, 0.31)) == "$\\beta < \\lambda$"
    for theorem in (local_stability.MIRROR_PROX_LIMIT, local_stability.OPTIMISTIC_LIMIT):
        assert theorem.failed_hypothesis(Edge(5, 0.01)) is not None


def test_wrong_waves_cannot_exist():
    with pytest.raises(ValueError, match="n is 4; it must be odd"):
        Wave(4, 0.1, 1.0)
    with pytest.raises(ValueError, match=r"step is 0\.0; it must be finite and > 0"):
        Wave(5, 0.1, 0.0)


def test_every_theorem_is_restated():
    rotations = {local_stability.ROTATION.name, local_stability.CYCLE_ROTATION.name}
    assert rotations | ONE_STATE.keys() | {local_stability.OPTIMISTIC.name} | LIMITS.keys() == THEOREMS.keys()


def test_rotation_is_sharp():
    verdicts = verify(local_stability.ROTATION)
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert 0.99997 < max(verdict.tightness for verdict in verdicts) <= 1


@pytest.mark.parametrize("name", [*ONE_STATE, "local/optimistic"])
def test_factors_agree_to_six_digits(name):
    """Two digits more than the statements claim."""
    assert max(verdict.discrepancy for verdict in verify(THEOREMS[name])) < 1e-6
