"""Both sides of the theorems on INPO, in plain probabilities, for games small enough to read.

Of the library, only the theorem objects under test compute anything here; what their runs draw at random is read from
their traces.
"""

import math
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest

from rltheory import verify
from rltheory.instances import cycle
from rltheory.simulation import stream
from rltheory.theorems.games import zhang2024
from rltheory.theorems.games.zhang2024 import Setting
from rltheory.theory import Status, Theorem
from rltheory.theory.falsification import falsify
from tests.restatements.test_tiapkin2025 import BEATS, CYCLE, FIVE, equilibrium, kl, normalised, span

# Sums of p log(p / q) stall near 1e-16 where their terms cancel; iterates and equilibria err by some eps / beta,
# 1e-14: the tiny values late in a curve can't be compared. The early ones carry the constants, to 9 digits.
ABSOLUTE = 1e-13
RELATIVE = 1e-9

SETTINGS = {
    "two actions": Setting(BEATS, 0.1, reference=[0.3, 0.7], step=0.4),
    "two actions, hot": Setting(BEATS, 2.0, step=1.0),
    "cycle from the reference": Setting(CYCLE, 0.1, reference=[0.05, 0.25, 0.7], step=0.2),
    "cycle, nearly best responses": Setting(CYCLE, 0.1, reference=[0.05, 0.25, 0.7], step=100.0),
    "cycle from a corner": Setting(CYCLE, 0.5, reference=[0.2, 0.5, 0.3], step=1.0, start=[0.98, 0.01, 0.01]),
    "five actions": Setting(FIVE, 0.05, step=0.2),
    "five actions, large step": Setting(
        FIVE, 0.2, reference=[0.1, 0.3, 0.1, 0.4, 0.1], step=5.0, start=[1e-9, 0.4, 0.1, 0.3, 0.2 - 1e-9]
    ),
    "long cycle, 10 beta": Setting(cycle(101), 0.01, step=0.1),
    "long cycle, 20 beta": Setting(cycle(101), 0.01, step=0.2),
}


class Run(NamedTuple):
    """Probabilities in each recorded iteration t, and the numbers that the statements use."""

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray  # x_{t+1}
    mean: np.ndarray  # of x_0, ..., x_t
    star: np.ndarray
    ref: np.ndarray
    prefer: np.ndarray
    b: float
    eta: float


def run(s, etas, times, start=None):
    """Play with these inverse rates, one tilt after the other."""
    prefer, b = s.game.prefer, s.beta
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    x, rows = ref if start is None else np.array(start), []
    for eta in etas:
        y = normalised(x ** (1 - b / eta) * ref ** (b / eta) * np.exp(prefer @ x / eta))
        rows.append((x, y))
        x = y
    xs, ys = np.array(rows).swapaxes(0, 1)
    means = np.cumsum(xs, axis=0) / np.arange(1, len(xs) + 1)[:, None]
    return Run(times, xs[times], ys[times], means[times], equilibrium(prefer, ref, b), ref, prefer, b, etas[0])


def constant(s, times):
    return run(s, [s.beta + 1 / s.step] * (times[-1] + 1), times, s.start)


def decreasing(s, times):
    """The paper counts from 1."""
    run_from_0 = run(s, [s.beta * (t + 2) / 2 for t in range(1, times[-1] + 1)], times - 1)
    return run_from_0._replace(t=times)


def exploitability(r, pi):
    """max_u P_b(u > pi) - 1/2, the maximum being that of a payoff with a KL penalty."""
    best = r.b * np.log((r.ref * np.exp(pi @ r.prefer.T / r.b)).sum(-1))
    return best + r.b * kl(pi, r.ref) - 1 / 2


def farthest_response(b, ref):
    return min(1 / b, math.log(1 / min(ref)))


ON_RUNS = {
    "inpo/span": lambda r: (span(np.log(r.x / r.ref)), "<=", 1 / r.b + 0 * r.t),
    "inpo/log-ratio": lambda r: (np.abs(np.log(r.x / r.ref)).max(-1), "<=", 1 / r.b + 0 * r.t),
    "inpo/one-step-identity": lambda r: (
        kl(r.star, r.y),
        "==",
        (1 - r.b / r.eta) * kl(r.star, r.x) - r.b / r.eta * kl(r.x, r.star) + kl(r.x, r.y),
    ),
    "inpo/one-step": lambda r: (
        kl(r.star, r.y),
        "<=",
        (1 - r.b / r.eta) * kl(r.star, r.x) + 1 / (2 * r.eta * r.eta),
    ),
    "inpo/one-step-printed": lambda r: (
        kl(r.star, r.y),
        "<=",
        (1 - r.b / r.eta) * kl(r.star, r.x) + 8 / (r.eta * r.eta),
    ),
    "inpo/mixture": lambda r: (
        exploitability(r, r.mean),
        "<=",
        r.eta * farthest_response(r.b, r.ref) / (r.t + 1) + 1 / (2 * r.eta),
    ),
    "inpo/kl-one-step": lambda r: (kl(r.star, r.y), "<=", (1 - r.b / r.eta) * kl(r.star, r.x)),
    "inpo/kl": lambda r: (kl(r.star, r.x), "<=", (1 - r.b / r.eta) ** r.t * kl(r.star, r.x[0])),
    "inpo/kl-from-reference": lambda r: (kl(r.star, r.x), "<=", (1 - r.b / r.eta) ** r.t / (2 * r.b)),
}
ON_DECREASING_RUNS = {
    "inpo/decreasing": lambda r: (kl(r.star, r.x), "<=", 2 / (r.b**2 * (r.t + 1))),
    "inpo/decreasing-printed": lambda r: (kl(r.star, r.x), "<=", 32 / (r.b**2 * (r.t + 1))),
}
ON_WAVES = {"inpo/rate-limit": 1 / (1 + 10 * 0.01**2), "inpo/step-limit": 1.0}  # less than what an iteration leaves


def horizons(s, trace):
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    distance, sides = farthest_response(s.beta, ref), []
    for horizon in trace.times:
        r = run(s, [math.sqrt(horizon / (2 * distance))] * horizon, np.array([horizon - 1]))
        sides.append((exploitability(r, r.mean)[0], math.sqrt(2 * distance / horizon)))
    measured, bound = np.array(sides).T
    return measured, "<=", bound


class Regression(NamedTuple):
    """What the losses of one draw are made of, all as probabilities: iterate, next one, any policy, law, fitted one."""

    x: np.ndarray
    y: np.ndarray
    any: np.ndarray
    law: np.ndarray
    fitted: np.ndarray
    pair: np.ndarray
    ref: np.ndarray
    prefer: np.ndarray
    b: float
    eta: float


def draws(s, trace):
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    names = (
        "log_policy",
        "log_next",
        "log_any",
        "log_law",
        "log_fitted" if "log_fitted" in trace.values else "log_law",
    )
    policies = [np.exp(trace[name]) for name in names]
    for *row, pair in zip(*policies, trace["pair"], strict=True):
        yield Regression(*row, pair, ref, s.game.prefer, s.beta, s.beta + 1 / s.step)


def h(d, pi, y, other):
    share = d.b / d.eta
    ratios = (pi[y] / pi[other], d.ref[y] / d.ref[other], d.x[y] / d.x[other])
    return math.log(ratios[0]) - share * math.log(ratios[1]) - (1 - share) * math.log(ratios[2])


def gap(d, opponent, y, other):
    """P(y > opponent) - P(y' > opponent)."""
    return d.prefer[y] @ opponent - d.prefer[other] @ opponent


def over_pairs(d, term):
    """Mean of a term over pairs from the law."""
    actions = range(len(d.law))
    return sum(d.law[y] * d.law[other] * term(y, other) for y, other in product(actions, actions))


def loss(d, pi):
    return over_pairs(d, lambda y, other: (h(d, pi, y, other) - gap(d, d.x, y, other) / d.eta) ** 2)


def sampled_loss(d, pi):
    def mean_over_outcomes(y, other):
        won, lost = ((h(d, pi, *pair) - 1 / (2 * d.eta)) ** 2 for pair in ((y, other), (other, y)))
        return d.prefer[y, other] * won + d.prefer[other, y] * lost

    return over_pairs(d, mean_over_outcomes)


def twice_variance_to_step(d):
    """2 Var_rho(log pi - log pi_rho)."""
    step = normalised(d.x ** (1 - d.b / d.eta) * d.ref ** (d.b / d.eta) * np.exp(d.prefer @ d.law / d.eta))
    ratio = np.log(d.any / step)
    return 2 * (d.law @ ratio**2 - (d.law @ ratio) ** 2)


ON_DRAWS = {
    "inpo/minimiser": lambda d: (h(d, d.y, *d.pair), gap(d, d.x, *d.pair) / d.eta),
    "inpo/loss-difference": lambda d: (
        sampled_loss(d, d.any) - loss(d, d.any),
        1 / (4 * d.eta**2) - over_pairs(d, lambda y, other: gap(d, d.x, y, other) ** 2) / d.eta**2,
    ),
    "inpo/off-policy": lambda d: (
        sampled_loss(d, d.any) - sampled_loss(d, d.fitted),
        twice_variance_to_step(d),
    ),
}

FROM_REFERENCE = {name for name, s in SETTINGS.items() if s.start is None}
PROVED = {name for name, s in SETTINGS.items() if s.step <= 4 * s.beta}
APPLIES = {
    "inpo/span": FROM_REFERENCE,
    "inpo/log-ratio": FROM_REFERENCE,
    "inpo/one-step-identity": set(SETTINGS),
    "inpo/one-step": FROM_REFERENCE,
    "inpo/one-step-printed": FROM_REFERENCE,
    "inpo/decreasing": FROM_REFERENCE,
    "inpo/decreasing-printed": FROM_REFERENCE,
    "inpo/mixture": FROM_REFERENCE,
    "inpo/mixture-horizon": FROM_REFERENCE - {"two actions, hot"},
    "inpo/kl-one-step": PROVED,
    "inpo/kl": PROVED,
    "inpo/kl-from-reference": PROVED & FROM_REFERENCE,
    "inpo/rate-limit": {"long cycle, 10 beta"},
    "inpo/step-limit": {"long cycle, 20 beta"},
    "inpo/minimiser": set(SETTINGS),
    "inpo/loss-difference": set(SETTINGS),
    "inpo/off-policy": set(SETTINGS),
}
THEOREMS = {theorem.name: theorem for theorem in vars(zhang2024).values() if isinstance(theorem, Theorem)}
KIND = {"<=": "every step", "==": "identity"}


def restated(name, s, trace):
    if name in ON_RUNS:
        return ON_RUNS[name](constant(s, trace.times))
    if name in ON_DECREASING_RUNS:
        return ON_DECREASING_RUNS[name](decreasing(s, trace.times))
    if name == "inpo/mixture-horizon":
        return horizons(s, trace)
    measured, bound = np.array([ON_DRAWS[name](d) for d in draws(s, trace)]).T
    return measured, "==", bound


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == APPLIES.keys()
    assert THEOREMS.keys() == {*ON_RUNS, *ON_DECREASING_RUNS, *ON_WAVES, *ON_DRAWS, "inpo/mixture-horizon"}


@pytest.mark.parametrize("name", THEOREMS)
def test_hypotheses(name):
    assert {place for place, s in SETTINGS.items() if THEOREMS[name].failed_hypothesis(s) is None} == APPLIES[name]


# Loops over all pairs, runs of all horizons and equilibria take too long in games of 101 actions.
SMALL = {name for name, s in SETTINGS.items() if s.game.n <= 5}


@pytest.mark.parametrize(
    ("name", "place"),
    [(name, place) for name in APPLIES if name not in ON_WAVES for place in sorted(APPLIES[name] & SMALL)],
)
def test_both_sides(name, place):
    theorem, s = THEOREMS[name], SETTINGS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, relation, bound = restated(name, s, trace)
    # Losses are sums of squares of numbers up to some hundreds.
    absolute = 1e-10 if name in ON_DRAWS else ABSOLUTE
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=absolute)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=RELATIVE, atol=absolute)
    assert (measured <= bound + RELATIVE * np.abs(bound) + absolute).all()
    if relation == "==":
        np.testing.assert_allclose(measured, bound, rtol=RELATIVE, atol=absolute)
    assert theorem.kind.name == KIND[relation]


@pytest.mark.parametrize("name", ON_WAVES)
def test_witnesses(name):
    theorem, (place,) = THEOREMS[name], APPLIES[name]
    s, n = SETTINGS[place], 101
    trace = theorem.run(s, stream(0, "restatement", place))
    share, x, rows = s.beta / (s.beta + 1 / s.step), (1 + 1e-5 * np.cos(2 * np.pi * np.arange(n) / n)) / n, []
    for _ in range(21):
        rows.append(x)
        x = normalised(x ** (1 - share) * np.exp(share / s.beta * (s.game.prefer @ x)))
    np.testing.assert_allclose(np.exp(trace["log_policy"][:21]), rows, rtol=1e-13)
    # Twice the divergence from uniform play, but for a relative 1e-10 from fourth orders: third ones cancel on a wave.
    deviations = ((n * np.array(rows) - 1) ** 2).mean(axis=1)
    assert (deviations[1:] > ON_WAVES[name] * deviations[:-1]).all()
    assert theorem.measured(s, trace).all()
    assert theorem.kind.name == "existence"


SHARP = {
    "inpo/span": 0.99,
    "inpo/log-ratio": 0.99,
    "inpo/one-step": 0.999,
    "inpo/one-step-printed": 0.99,
    "inpo/mixture": 0.8,
    "inpo/mixture-horizon": 0.45,
    "inpo/kl-one-step": 0.9999,
    "inpo/kl": 0.9999,
    "inpo/kl-from-reference": 0.5,
}


@pytest.mark.parametrize("name", SHARP)
def test_statements_are_sharp(name):
    tightness = max(verdict.tightness for verdict in verify(THEOREMS[name]))
    assert SHARP[name] < tightness <= 1 + 1e-6


@pytest.mark.parametrize("name", ["inpo/log-ratio", "inpo/one-step", "inpo/kl-one-step"])
def test_a_bound_one_percent_too_small_is_refuted(name):
    theorem = THEOREMS[name]
    shrunk = replace(theorem, bound=lambda s, trace: 0.99 * theorem.bound(s, trace))
    assert falsify(shrunk, evaluations=64).verdict.status is Status.REFUTED
