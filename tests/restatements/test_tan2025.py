"""Both sides of the theorems on NORA and DOUHUA, from learners that are written down plainly."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import diabolical_lock, river_swim
from rltheory.measures import finite_horizon_regret
from rltheory.problems import FiniteHorizonMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.strategies import examples
from rltheory.theorems.episodes import tan2025
from rltheory.theorems.episodes.tan2025 import Ascent, Frozen, Learning, arms, tracking_constant
from rltheory.theory import Status, Theorem
from tests.restatements import plain_episodes

THEOREMS = {theorem.name: theorem for theorem in vars(tan2025).values() if isinstance(theorem, Theorem)}
RNG = np.random.default_rng(0)
VALUES = [Frozen(RNG.random(n)) for n in (1, 2, 6)]
ASCENTS = [
    Ascent(RNG.normal(size=(30, 4)), 0.4, RNG.dirichlet(np.ones(4))),
    Ascent(RNG.random((5, 2)), 5.0, np.array([0.9, 0.1])),
]
LEARNERS = [
    Learning(FiniteHorizonMDP.stationary(river_swim(3), 4), 150, 0.7, 0.1),
    Learning(diabolical_lock(np.random.default_rng(1), 3, 3), 100, 5.0, 0.05),
    Learning(arms(np.array([0.3, 0.9, 0.1])), 120, 0.2, 0.2),
]


def lambert(z):
    """The solution of w e^w = z >= 0 by bisection."""
    low, high = 0.0, 1.0 + z
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * math.exp(middle) < z else (low, middle)
    return low


def tracking(s):
    f = s.values
    x = np.array([2.0**j for j in range(-6, 7)]) / (max(f) - min(f) if f.size > 1 else 1e-300)
    missed = []
    for steepness in x:
        weights = np.exp(steepness * (f - max(f)))
        missed.append((weights * (max(f) - f)).sum() / weights.sum())
    return missed, lambert((f.size - 1) / math.e) / x


def steps(s):
    """Sum of what is missed, of the logarithms of moments, and the divergence, before each step."""
    policy, missed, moments, divergences = np.full(s.comparator.size, 1 / s.comparator.size), [0.0], [0.0], []
    for f in s.values:
        divergences.append((s.comparator * np.log(s.comparator / policy)).sum())
        mean = (policy * f).sum()
        missed.append(missed[-1] + (s.comparator * f).sum() - mean)
        moments.append(moments[-1] + math.log((policy * np.exp(s.eta * (f - mean))).sum()))
        policy = policy * np.exp(s.eta * f)
        policy /= policy.sum()
    divergences.append((s.comparator * np.log(s.comparator / policy)).sum())
    return np.array(missed), np.array(moments), np.array(divergences)


def ascent(s):
    missed, moments, divergences = steps(s)
    return missed, (divergences[0] - divergences + moments) / s.eta


def ascent_bound(s):
    missed, _, divergences = steps(s)
    spread = [0.0, *((max(f) - min(f)) ** 2 for f in s.values)]
    return missed, divergences[0] / s.eta + s.eta / 8 * np.cumsum(spread)


def run(s, learner):
    """Policies and visits of a run on the stream that `test_both_sides` uses."""
    plain = learner(s.problem, s.episodes, 1.0, s.eta, s.delta, [])
    return plain_episodes.play(s.problem, plain, s.episodes, stream(0, "restatement"))


def times(s, trace):
    return trace.times[trace.times >= 1].astype(float)


def psi(nu):
    return np.array([x if x < 1 else 1 + math.log2(x) for x in nu])


def most_switches(s, t):
    choices = s.problem.stages[0].choices
    return s.problem.horizon * choices * psi(t / choices)


def switches(s, trace):
    _, visits = run(s, plain_episodes.nora)
    then, counted = visits[0], [0]
    for before in visits[:-1]:
        doubled = bool((before >= np.maximum(1, 2 * then)).any())
        counted.append(counted[-1] + doubled)
        then = before if doubled else then
    t = times(s, trace)
    return np.array(counted)[t.astype(int)], most_switches(s, t)


def shared_terms(s, t, factor):
    horizon, states, choices = s.problem.horizon, s.problem.states, s.problem.stages[0].choices
    log = states * math.log(2) + math.log(choices * horizon * s.episodes / s.delta)
    noise = horizon * (horizon - 1) * math.sqrt(s.episodes * math.log(1 / s.delta) / 2)
    return horizon * (horizon - 1) / 2 * (choices + factor * np.sqrt(log * choices * t)) + noise


def most_actions(s):
    return max(np.diff(s.problem.stages[0].first_choice))


def regret(s, trace, learner):
    played, _ = run(s, learner)
    return finite_horizon_regret(s.problem, played)[trace.times[trace.times >= 1] - 1]


def regret_of_nora(s, trace):
    t, horizon = times(s, trace), s.problem.horizon
    follows = horizon * lambert((most_actions(s) - 1) / math.e) / s.eta * (1 + np.log(t))
    of_switches = (most_switches(s, t) + 1) * (horizon * (horizon + 1) / 2 + follows)
    return regret(s, trace, plain_episodes.nora), shared_terms(s, t, 4) + of_switches


def regret_of_douhua(s, trace):
    t, horizon = times(s, trace), s.problem.horizon
    squares = sum((horizon - h) ** 2 for h in range(horizon))
    ascends = horizon * math.log(most_actions(s)) / s.eta + s.eta * t / 8 * squares
    return regret(s, trace, plain_episodes.douhua), ascends + shared_terms(s, t, 2 * math.sqrt(2))


RESTATED = {
    "nora/tracking": (lambda s, trace: tracking(s), VALUES),
    "douhua/ascent": (lambda s, trace: ascent(s), ASCENTS),
    "douhua/ascent-bound": (lambda s, trace: ascent_bound(s), ASCENTS),
    "nora/switches": (switches, LEARNERS),
    "nora/regret": (regret_of_nora, LEARNERS),
    "douhua/regret": (regret_of_douhua, LEARNERS),
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == RESTATED.keys()


@pytest.mark.parametrize(("name", "s"), [(name, s) for name, (_, places) in RESTATED.items() for s in places], ids=str)
def test_both_sides(name, s):
    theorem = THEOREMS[name]
    assert theorem.failed_hypothesis(s) is None
    trace = theorem.run(s, stream(0, "restatement"))
    for side, restated in zip((theorem.measured, theorem.bound), RESTATED[name][0](s, trace), strict=True):
        np.testing.assert_allclose(np.asarray(side(s, trace))[-len(restated) :], restated, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", THEOREMS)
def test_drawn_settings_hold(name):
    theorem = THEOREMS[name]
    drawn = verify(theorem, settings=examples(theorem.strategy(), 10, seed=1))
    assert {verdict.status for verdict in drawn} == {Status.HOLDS}


@pytest.mark.parametrize("actions", [2, 3, 10])
def test_tracking_is_sharp(actions):
    """All other actions are worse by (1 + kappa) / x, at one of the values of x."""
    s = Frozen(np.append(1.0, np.zeros(actions - 1)))
    steepness = 1 + tracking_constant(actions)  # what is missed times steepness depends on the product alone
    weights = np.exp(steepness * (s.values - 1))
    assert steepness * (weights[1:].sum() / weights.sum()) == pytest.approx(tracking_constant(actions), rel=1e-12)
    (verdict,) = verify(THEOREMS["nora/tracking"], settings=[s])
    assert 0.9 < verdict.tightness <= 1


def test_switches_and_ascent_are_sharp():
    one = FiniteHorizonMDP.stationary(TabularMDP([[[1.0]]], [[1.0]]), 1)
    (verdict,) = verify(THEOREMS["nora/switches"], settings=[Learning(one, 2**12 + 1, 1.0)])
    assert 0.999 < verdict.tightness <= 1
    swinging = Ascent(np.tile([[1.0, 0.0], [0.0, 1.0]], (50, 1)), 0.1, np.array([0.5, 0.5]))
    (verdict,) = verify(THEOREMS["douhua/ascent-bound"], settings=[swinging])
    assert 0.99 < verdict.tightness <= 1


def test_tracking_constants():
    """The numbers that are known, and the bound by the logarithm."""
    assert [tracking_constant(n) for n in (2, 3, 10)] == pytest.approx([0.278, 0.463, 1.101], abs=5e-4)
    for n in range(2, 200):
        assert tracking_constant(n) == pytest.approx(lambert((n - 1) / math.e), rel=1e-12)
        assert tracking_constant(n) < min(math.log(n), (n - 1) / math.e)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(replace, LEARNERS[0], episodes=0), "episodes is 0; it must be >= 1"),
        (partial(replace, LEARNERS[0], eta=0.0), "eta is 0.0; it must be finite and > 0"),
        (partial(replace, LEARNERS[0], delta=1.0), r"delta is 1.0; it must lie in \(0, 1\)"),
        (partial(replace, ASCENTS[0], eta=-1.0), "eta is -1.0; it must be finite and > 0"),
        (partial(replace, ASCENTS[0], comparator=np.ones(3) / 3), "comparator has 3 entries"),
        (partial(Frozen, [1.0, np.nan]), r"values\[1\] is nan; every entry must be finite"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_setting():
    paid = FiniteHorizonMDP.stationary(TabularMDP([[[1.0]]], [[1.5]]), 1)
    assert "lie in $[0, 1]$" in THEOREMS["nora/regret"].failed_hypothesis(Learning(paid, 10, 1.0))
    assert "delta" in THEOREMS["nora/regret"].failed_hypothesis(replace(LEARNERS[0], delta=0.5))
