"""Both sides of the theorems on adversarial bandits, with policies in plain NumPy on the same draws."""

import math

import numpy as np
import pytest

from rltheory.problems import LossTable
from rltheory.simulation import stream
from rltheory.theorems.bandits import adversarial_bandits as paper
from rltheory.theory import Theorem
from rltheory.variates import generators, uniform

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def softmax(eta, sums):
    w = np.exp(-eta * (sums - sums.min()))
    return w / w.sum()


def inverse_squares(eta, sums):
    """Bisection for the sum 1."""
    low, high = sums.min() - 2 * math.sqrt(sums.size) / eta, sums.min() - 2 / eta
    for _ in range(100):
        x = (low + high) / 2
        low, high = (low, x) if (4 / (eta * (sums - x)) ** 2).sum() > 1 else (x, high)
    return 4 / (eta * (sums - x)) ** 2


def replay(s, name, policy, rate, replicates, exploration=0.0):
    """Expected and realised regret of each replicate after each round."""
    key, runs = stream(0, "restated", name).integers(2**64, size=4, dtype=np.uint64), []
    for i in range(replicates):
        states, sums, expected, realised = generators(key, i, i + 1), np.zeros(s.table.arms), [0.0], [0.0]
        for t, losses in enumerate(s.table.losses, 1):
            p = policy(rate(t), sums)
            arm = int(np.searchsorted(p.cumsum() / p.sum(), uniform(states, 0), side="right"))
            expected.append(expected[-1] + p @ losses)
            realised.append(realised[-1] + losses[arm])
            sums[arm] += losses[arm] / (p[arm] + exploration * rate(t))
        best = np.array([s.table.losses[:t].sum(axis=0).min() for t in range(s.table.rounds + 1)])
        runs.append((np.array(expected) - best, np.array(realised) - best))
    return np.array(runs).mean(axis=0)


def exp3(s, t, name):
    k, eta = s.table.arms, s.rate
    return replay(s, name, softmax, lambda t: eta, 32)[0], np.log(k) / eta + eta * k * t / 2


def exp3_anytime(s, t, name):
    k = s.table.arms

    def rate(t):
        return math.sqrt(math.log(k) / k / t)

    bounds = [0.0] + [math.log(k) / rate(n) + k / 2 * sum(rate(i) for i in range(1, n + 1)) for n in t[1:]]
    return replay(s, name, softmax, rate, 32)[0], bounds


def exp3_ix(s, t, name):
    k, eta, log_events = s.table.arms, s.rate, math.log((s.table.arms + 1) / s.delta)
    bounds = (math.log(k) + log_events) / eta + eta * k * t + log_events
    return replay(s, name, softmax, lambda t: eta, 1, exploration=0.5)[1], bounds


def tsallis_inf(s, t, name):
    root, eta = math.sqrt(s.table.arms), s.rate
    return replay(s, name, inverse_squares, lambda t: eta, 32)[0], (4 * root - 4) / eta + eta * root * t / 2


def tsallis_inf_anytime(s, t, name):
    root = math.sqrt(s.table.arms)
    bounds = [2 * root * n**0.5 - 2 * n**0.5 + root * sum(i**-0.5 for i in range(1, n + 1)) for n in t.tolist()]
    return replay(s, name, inverse_squares, lambda t: 2 / math.sqrt(t), 32)[0], bounds


RESTATED = {
    "exp3/expected": exp3,
    "exp3/anytime": exp3_anytime,
    "exp3-ix/regret": exp3_ix,
    "tsallis-inf/expected": tsallis_inf,
    "tsallis-inf/anytime": tsallis_inf_anytime,
}


def test_every_theorem_is_restated():
    assert RESTATED.keys() == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(RESTATED))
def test_sides(name):
    theorem = THEOREMS[name]
    s = list(theorem.settings())[1]
    trace = theorem.run(s, stream(0, "restated", name))
    measured, bound = RESTATED[name](s, trace.times, name)
    # Weights and Newton's points are good to 1e-10, of at most 2000 rounds.
    np.testing.assert_allclose(theorem.measured(s, trace), measured[trace.times], atol=1e-6)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(RESTATED))
def test_ranges_hold_what_is_measured(name):
    theorem = THEOREMS[name]
    if theorem.kind.name == "in expectation":
        for s in theorem.settings():
            measured = theorem.measured(s, theorem.run(s, stream(0, "range", name)))
            losses, t = s.table.losses, s.times
            best = np.array([losses[:n].sum(axis=0).min() for n in t])
            low, high = (np.array([extreme[:n].sum() for n in t]) - best for extreme in (losses.min(1), losses.max(1)))
            np.testing.assert_allclose(theorem.kind.low(s), low, atol=1e-9)
            np.testing.assert_allclose(theorem.kind.high(s), high, atol=1e-7)
            assert (low - 1e-9 <= measured).all()
            assert (measured <= high + 1e-9).all()


def test_reversed_runs_suffer_the_losses():
    """With a rate that learns nothing both forms draw alike, and their regrets have one mean."""
    s = paper.Rated(LossTable([[0.0, 1.0], [0.25, 0.5]]), 1e-9)
    reversed_run = paper.taking_losses_for_rewards(paper.play_exp3)(s, stream(0, "reversed"))
    expected = [0.0, 0.5, 0.875 - 0.25]
    np.testing.assert_allclose(paper.mean_regret(s, reversed_run), expected, atol=1e-6)
    np.testing.assert_allclose(paper.mean_regret(s, paper.play_exp3(s, stream(0, "straight"))), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"rate": 0.0}, "rate is 0.0"), ({"delta": 1.0}, r"delta is 1.0; it must lie in \(0, 1\)")],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        paper.Risked(LossTable([[0.0, 1.0]]), **({"rate": 0.1, "delta": 0.1} | change))
