"""Both sides of the theorems on INPO with comparisons, in plain probabilities."""

from itertools import combinations, product

import numpy as np
import pytest

from rltheory.instances import cycle
from rltheory.problems import PreferenceGame
from rltheory.simulation import stream
from rltheory.theorems.games import zhang2024_sampled as paper
from rltheory.theory import Theorem
from tests.restatements.test_tiapkin2025 import kl

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def rates(s):
    eta = s.beta + 1 / s.step
    return s.beta, s.comparisons, eta, 1 - s.beta / eta


def sampled_one_step(s, trace):
    star, x, y = np.exp(s.log_equilibrium), np.exp(trace["log_policy"]), np.exp(trace["log_next"])
    _, m, eta, q = rates(s)
    return kl(star, y) - q * kl(star, x), 1 / (8 * m * eta**2) + 0 * trace.times


def sampled(s, trace):
    divergences = kl(np.exp(s.log_equilibrium), np.exp(trace["log_policy"]))
    _, m, eta, q = rates(s)
    bound = [divergences[0]]
    for _ in divergences[1:]:  # the recursion itself, instead of its solution
        bound.append(q * bound[-1] + 1 / (8 * m * eta**2))
    return divergences, bound


def decreasing(s, trace):
    divergences = kl(np.exp(s.log_equilibrium), np.exp(trace["log_policy"]))
    b, m, t0 = s.beta, s.comparisons, 2 + 1 / (2 * s.beta**2)
    bound = []
    for t in trace.times:
        numerator = (t0 - 1) * (t0 - 2) * divergences[0] + t / (2 * m * b * b)
        bound.append(numerator / ((t + t0 - 1) * (t + t0 - 2)))
    return divergences, bound


def solve(meetings, drive):
    """Values for the normal equations, the first action's being 0."""
    laplacian = np.diag(meetings.sum(1)) - meetings
    return np.append(0.0, np.linalg.solve(laplacian[1:, 1:], drive[1:]))


def regression(s, trace):
    n, meetings = s.game.n, np.array(s.meetings)
    expected = solve(meetings, (meetings * (s.game.prefer - s.game.prefer.T) / 2).sum(1))
    measured, bound = [], []
    for fitted, (a, b) in zip(trace["difference"], combinations(range(n), 2), strict=True):
        unit = solve(meetings, np.eye(n)[a] - np.eye(n)[b])
        measured.append((fitted - (expected[a] - expected[b])) ** 2)
        bound.append((unit[a] - unit[b]) / 4)
    return measured, bound


RESTATED = {
    "inpo/sampled-one-step": sampled_one_step,
    "inpo/sampled": sampled,
    "inpo/sampled-decreasing": decreasing,
    "inpo/regression-variance": regression,
}


def test_every_theorem_is_restated():
    assert RESTATED.keys() == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(RESTATED))
def test_sides(name):
    theorem = THEOREMS[name]
    for s in theorem.settings():
        trace = theorem.run(s, stream(0, "restated", name))
        measured, bound = RESTATED[name](s, trace)
        # Naive sums of p log(p / q) err by some eps times the largest logarithm, 1e-13 at most here.
        np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-9, atol=1e-12)
        assert theorem.kind.name == "in expectation"


@pytest.mark.parametrize("s", list(paper.sampled_grid()), ids=str)
def test_steps_stay_in_the_proved_range(s):
    b, _, eta, q = rates(s)
    star, ref = np.exp(s.log_equilibrium), np.exp(s.log_reference)
    trace = paper.play(s, stream(0, "range", s))
    x, y = np.exp(trace["log_policy"]), np.exp(trace["log_next"])
    excess = kl(star, y) - q * kl(star, x)
    low, high = (getattr(paper.SAMPLED_ONE_STEP.kind, side)(s) for side in ("low", "high"))
    assert max(low, (-1 / eta * (1 + b * kl(x, ref))).min()) <= excess.min()
    assert excess.max() <= min(high, 1 / eta * (1 + b * kl(star, ref)))
    assert kl(star, x).max() <= paper.SAMPLED_DIVERGENCE.kind.high(s) == min(2 / b, 1 / (2 * b**2))


def test_decreasing_rates_are_those_of_the_statement():
    """Without noise in the answers, steps can be read from the trace: a sure winner against a sure loser."""
    (s,) = (s for s in paper.sampled_grid() if s.game.n == 2)
    trace = paper.play_decreasing(s, stream(0, "rates"))
    odds, odds_next = (np.diff(trace[name], axis=1)[:, 0] for name in ("log_policy", "log_next"))
    eta = s.beta * (trace.times + 2 + 1 / (2 * s.beta**2)) / 2
    # The winner beats itself with probability 1/2: the answers move the odds by 1/2 on average, in multiples of 1/m.
    answers = (odds_next - (1 - s.beta / eta) * odds - s.beta / eta * np.diff(s.log_reference)) * eta * s.comparisons
    np.testing.assert_allclose(answers, answers.round(), atol=1e-9)
    assert set(answers.round()) <= set(range(-s.comparisons, s.comparisons + 1))


def test_disconnected_designs_are_not_spoken_of():
    design = paper.Design(cycle(4), np.kron(np.eye(2), [[0, 3], [3, 0]]))
    assert "every other" in paper.REGRESSION_VARIANCE.failed_hypothesis(design)


@pytest.mark.parametrize(
    ("meetings", "rule"),
    [
        (np.zeros((2, 2)), "meetings has shape .*; the game has 3 actions"),
        (np.eye(3) * 0.5, r"meetings\[0, 0\] is 0.5; it must be symmetric, with integers >= 0"),
        (np.triu(np.ones((3, 3))), r"meetings\[0, 1\] is 1.0; it must be symmetric"),
        (-np.ones((3, 3)), r"meetings\[0, 0\] is -1.0"),
    ],
)
def test_wrong_designs_are_refused(meetings, rule):
    with pytest.raises(ValueError, match=rule):
        paper.Design(cycle(3), meetings)


def test_fair_coins_attain_the_resistance():
    """In a chain the fitted differences are sums of coins worth 1/2, and resistances add up."""
    chain = np.diag([1.0, 1.0, 1.0], 1)
    design = paper.Design(PreferenceGame.indifferent(4), chain + chain.T)
    coins = np.array(list(product([-0.5, 0.5], repeat=3)))
    sums = [coins[:, a:b].sum(1) for a, b in combinations(range(4), 2)]
    np.testing.assert_allclose(design.resistances / 4, np.var(sums, axis=1), rtol=1e-12)
    np.testing.assert_allclose(design.largest_errors, np.max(sums, axis=1), rtol=1e-12)
