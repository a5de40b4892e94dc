"""Both sides of the theorems on Nash-MD, in plain probabilities, for games small enough to read.

Of the library, only the theorem objects under test compute anything here, and the random policies come from their runs.
"""

from typing import NamedTuple

import numpy as np
import pytest

from rltheory import verify
from rltheory.simulation import stream
from rltheory.theorems.games import munos2024, munos2024_nash_md
from rltheory.theorems.games.munos2024_nash_md import Setting, at_largest_difference
from rltheory.theory import Status, Theorem
from tests.restatements.test_munos2024 import BEATS, CYCLE, FIVE, equilibrium, kl, normalised, span

# Sums of p log(p / q) stall near 1e-16 where their terms cancel; iterates and equilibria err by some eps / beta,
# 1e-14: the tiny values late in a curve can't be compared. The early ones carry the constants, to 9 digits.
ABSOLUTE = 1e-13
RELATIVE = 1e-9

POLICIES = {
    "two actions": munos2024.Setting(BEATS, 0.1, reference=[0.3, 0.7]),
    "cycle": munos2024.Setting(CYCLE, 0.05, reference=[0.05, 0.25, 0.7]),
    "five actions": munos2024.Setting(FIVE, 0.5),
}
RUNS = {
    "two actions": Setting(BEATS, 0.1, reference=[0.3, 0.7], step=0.3),
    "cycle": Setting(CYCLE, 0.1, reference=[0.05, 0.25, 0.7], step=2.0),
    "cycle from a corner": Setting(CYCLE, 0.3, reference=[0.2, 0.5, 0.3], step=2.0, start=[0.98, 0.01, 0.01]),
    "five actions": Setting(FIVE, 0.1, step=0.4, start=[0.1, 0.3, 0.1, 0.4, 0.1]),
    "five actions, fast": Setting(FIVE, 0.05, step=10.0),
    "best responses": Setting(CYCLE, 0.5, step=2.0),
    "rate above 1 / beta": Setting(CYCLE, 0.5, step=2.1),
}


class Lemma(NamedTuple):
    """Probabilities, one policy per row."""

    x: np.ndarray
    u: np.ndarray
    ref: np.ndarray
    s: np.ndarray  # share of the reference
    delta: np.ndarray
    z: np.ndarray  # normaliser of the mixture
    mix: np.ndarray
    tilted: np.ndarray


def lemma(s, trace):
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    x, u, share = np.exp(trace["policy"]), np.exp(trace["other"]), trace["share"]
    weights = x ** (1 - share[:, None]) * ref ** share[:, None]
    tilted = normalised(x * np.exp(trace["gain"]))
    return Lemma(x, u, ref, share, trace["gain"], weights.sum(-1), normalised(weights), tilted)


def tilt(f):
    return kl(f.u, f.tilted) - kl(f.u, f.x) - ((f.x - f.u) * f.delta).sum(-1)


class Run(NamedTuple):
    """Probabilities in each recorded iteration t, and the numbers that the statements use."""

    t: np.ndarray
    x: np.ndarray
    mix: np.ndarray
    y: np.ndarray  # x_{t+1}
    eta: np.ndarray
    b: float
    star: np.ndarray
    mixed_star: np.ndarray  # equilibrium at temperature b / (1 - eta b)
    response: np.ndarray  # to it, at temperature b


def run(s, times, *, decreasing=False):
    """Play on, one mixture after the other."""
    prefer, b = s.game.prefer, s.beta
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    x = ref if s.start is None else np.array(s.start)
    rows, rates = [], [2 / (b * (t + 2)) if decreasing else s.step for t in range(times[-1] + 1)]
    for eta in rates:
        mix = normalised(x ** (1 - eta * b) * ref ** (eta * b))
        y = normalised(mix * np.exp(eta * (prefer @ mix)))
        rows.append((x, mix, y))
        x = y
    mixed_star = ref if s.step * b >= 1 else equilibrium(prefer, ref, b / (1 - s.step * b))
    response = normalised(ref * np.exp(prefer @ mixed_star / b))
    columns = np.array(rows)[times].swapaxes(0, 1)
    return Run(times, *columns, np.array(rates)[times], b, equilibrium(prefer, ref, b), mixed_star, response)


LEMMAS = {
    "nash-md/mixture-normalizer": lambda f: (
        -np.log(f.z),
        "==",
        f.s * kl(f.mix, f.ref) + (1 - f.s) * kl(f.mix, f.x),
    ),
    "nash-md/mixture-divergence": lambda f: (
        kl(f.u, f.mix),
        "==",
        f.s * kl(f.u, f.ref) + (1 - f.s) * kl(f.u, f.x) + np.log(f.z),
    ),
    "nash-md/mixture": lambda f: (
        kl(f.u, f.mix) + f.s * kl(f.mix, f.ref),
        "<=",
        f.s * kl(f.u, f.ref) + (1 - f.s) * kl(f.u, f.x),
    ),
    "nash-md/exponential-weights": lambda f: (tilt(f), "<=", 2 * np.abs(f.delta).max(-1) ** 2),
    "nash-md/exponential-weights-by-span": lambda f: (tilt(f), "<=", span(f.delta) ** 2 / 8),
}
CURVES = {
    "nash-md/one-step": lambda r: (kl(r.star, r.y), (1 - r.eta * r.b) * kl(r.star, r.x) + 2 * r.eta**2),
    "nash-md/one-step-improved": lambda r: (kl(r.star, r.y), (1 - r.eta * r.b) * kl(r.star, r.x) + r.eta**2 / 8),
    "nash-md/rate": lambda r: (kl(r.star, r.x)[1:], 8 / (r.b**2 * (r.t[1:] + 1))),
    "nash-md/rate-improved": lambda r: (kl(r.star, r.x)[1:], 1 / (2 * r.b**2 * (r.t[1:] + 1))),
    "nash-md/constant-rate": lambda r: (
        kl(r.mixed_star, r.mix),
        (1 - r.eta * r.b) ** r.t * kl(r.mixed_star, r.mix[0]),
    ),
}
POLICIES_COMPARED = {"nash-md/mixture-is-magnetic", "nash-md/constant-rate-limit"}
WITNESSED = {"nash-md/constant-rate-bias"}
THEOREMS = {theorem.name: theorem for theorem in vars(munos2024_nash_md).values() if isinstance(theorem, Theorem)}

DECREASING = {"nash-md/rate", "nash-md/rate-improved"}
UP_TO_INVERSE = set(RUNS) - {"rate above 1 / beta"}
CONVERGING = {"two actions", "cycle from a corner", "five actions"}
APPLIES = {name: set(POLICIES) for name in LEMMAS} | {
    "nash-md/one-step": UP_TO_INVERSE,
    "nash-md/one-step-improved": UP_TO_INVERSE,
    "nash-md/rate": set(RUNS),
    "nash-md/rate-improved": set(RUNS),
    "nash-md/mixture-is-magnetic": CONVERGING,
    "nash-md/constant-rate": CONVERGING,
    "nash-md/constant-rate-limit": CONVERGING,
    "nash-md/constant-rate-bias": CONVERGING,
}


def test_every_theorem_is_restated():
    assert THEOREMS.keys() == LEMMAS.keys() | CURVES.keys() | POLICIES_COMPARED | WITNESSED == APPLIES.keys()


@pytest.mark.parametrize("name", THEOREMS)
def test_hypotheses(name):
    settings = POLICIES if name in LEMMAS else RUNS
    assert {place for place, s in settings.items() if THEOREMS[name].failed_hypothesis(s) is None} == APPLIES[name]


@pytest.mark.parametrize("place", POLICIES)
@pytest.mark.parametrize("name", LEMMAS)
def test_lemmas(name, place):
    theorem, s = THEOREMS[name], POLICIES[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, relation, bound = LEMMAS[name](lemma(s, trace))
    # Divergences of some hundreds err by 1e-13, and a tilt is the difference of two.
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=RELATIVE, atol=10 * ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=RELATIVE, atol=10 * ABSOLUTE)
    assert theorem.kind.name == {"<=": "every step", "==": "identity"}[relation]
    assert (measured <= (1 + RELATIVE) * bound + 10 * ABSOLUTE).all()
    if relation == "==":
        np.testing.assert_allclose(measured, bound, rtol=RELATIVE, atol=10 * ABSOLUTE)


@pytest.mark.parametrize(("name", "place"), [(name, place) for name in CURVES for place in sorted(APPLIES[name])])
def test_curves(name, place):
    theorem, s = THEOREMS[name], RUNS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    measured, bound = CURVES[name](run(s, trace.times, decreasing=name in DECREASING))
    kept = slice(trace.times.size - len(measured), None)
    np.testing.assert_allclose(theorem.measured(s, trace)[kept], measured, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(theorem.bound(s, trace)[kept], bound, rtol=RELATIVE, atol=ABSOLUTE)
    assert (measured <= (1 + RELATIVE) * bound + ABSOLUTE).all()
    assert theorem.kind.name == "every step"


@pytest.mark.parametrize("place", sorted(CONVERGING))
def test_mixture_is_magnetic(place):
    theorem, s = munos2024_nash_md.MIXTURE_IS_MAGNETIC, RUNS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    r = run(s, trace.times)
    temperature = s.beta / (1 - s.step * s.beta)
    ref = np.full(s.game.n, 1 / s.game.n) if s.reference is None else np.array(s.reference)
    x, rows = r.mix[0], []
    for _ in range(trace.times[-1] + 1):  # set the gradient of the objective to a constant, solve for pi
        rows.append(x)
        power = 1 / (1 / s.step + temperature)
        x = normalised((x ** (1 / s.step) * ref**temperature * np.exp(s.game.prefer @ x)) ** power)
    magnetic = np.array(rows)[trace.times]
    np.testing.assert_allclose(r.mix, magnetic, rtol=1e-11)
    np.testing.assert_allclose(np.exp(trace["log_mixture"]), r.mix, rtol=1e-11)
    np.testing.assert_allclose(np.exp(trace["log_magnetic"]), magnetic, rtol=1e-11)
    check_sides(theorem, s, trace, r.mix, magnetic)


@pytest.mark.parametrize("place", sorted(CONVERGING))
def test_limit_is_a_best_response(place):
    theorem, s = munos2024_nash_md.CONSTANT_RATE_LIMIT, RUNS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    r = run(s, trace.times)
    np.testing.assert_allclose(r.x[-1], r.response, rtol=1e-11)
    check_sides(theorem, s, trace, r.x, np.broadcast_to(r.response, r.x.shape))


def check_sides(theorem, s, trace, policies, others):
    """Each side is minus the logarithm of some probability of its own policy, the same action for both."""
    sides = theorem.measured(s, trace), theorem.bound(s, trace)
    found = [
        np.isclose(side[:, None], -np.log(rows), rtol=1e-11, atol=0)
        for side, rows in zip(sides, (policies, others), strict=True)
    ]
    assert (found[0] & found[1]).any(axis=1).all()
    assert theorem.kind.name == "identity"


def test_policies_are_compared_where_they_differ_most():
    log_policy, log_other = np.log([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]]), np.log([[0.2, 0.4, 0.4], [0.7, 0.1, 0.2]])
    np.testing.assert_allclose(np.exp(-at_largest_difference(log_policy, log_other)), [0.3, 0.2])
    np.testing.assert_allclose(np.exp(-at_largest_difference(log_other, log_policy)), [0.4, 0.7])


@pytest.mark.parametrize("place", sorted(CONVERGING))
def test_bias(place):
    theorem, s = munos2024_nash_md.CONSTANT_RATE_BIAS, RUNS[place]
    trace = theorem.run(s, stream(0, "restatement", place))
    r = run(s, trace.times)
    assert trace.times.tolist() == [s.iterations]
    assert span(np.log(r.y[-1] / r.x[-1])) < 1e-12
    assert theorem.measured(s, trace).tolist() == [kl(r.star, r.x[-1]) > 1e-6]


def test_what_does_not_stand_still_is_no_limit():
    s = RUNS["five actions"]
    witnesses = munos2024_nash_md.is_another_policy(s, munos2024_nash_md.play(s, stream(0, "from the start")))
    assert not witnesses[0]
    assert witnesses[-1]


def test_additive_preferences_leave_no_bias():
    (s,) = (s for s in munos2024_nash_md.converging_grid() if str(s).startswith("additive"))
    trace = munos2024_nash_md.play_to_limit(s, stream(0, "additive"))
    assert kl(np.exp(s.log_equilibrium), np.exp(trace["log_policy"])).max() < 1e-14


@pytest.mark.parametrize(
    ("theorem", "least"),
    [
        (munos2024_nash_md.MIXTURE_LEMMA, 0.999),
        (munos2024_nash_md.TILT_LEMMA, 0.249),  # a quarter of it is all that is ever used
        (munos2024_nash_md.TILT_LEMMA_BY_SPAN, 0.999),
        (munos2024_nash_md.ONE_STEP, 0.999),
        (munos2024_nash_md.ONE_STEP_IMPROVED, 0.999),
        (munos2024_nash_md.CONSTANT_RATE, 0.999),
        (munos2024_nash_md.RATE, 0.01),
        (munos2024_nash_md.RATE_IMPROVED, 0.16),
    ],
    ids=lambda part: getattr(part, "name", None),
)
def test_statements_are_as_sharp_as_remarked(theorem, least):
    verdicts = verify(theorem)
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert least < max(verdict.tightness for verdict in verdicts) <= 1 + 1e-6
