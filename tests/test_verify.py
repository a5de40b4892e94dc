"""The judge on statements whose truth is plain, and on theorems that break their contract."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from rltheory import Trace, find, verify
from rltheory.theory import (
    BY_CONSTRUCTION,
    EveryStep,
    Existence,
    Geometric,
    Identity,
    InExpectation,
    Logarithmic,
    Paper,
    PowerLaw,
    PowerLog,
    Scope,
    Standing,
    Status,
    Theorem,
    WithProbability,
    judge,
)
from rltheory.trace import record_times


@dataclass(frozen=True)
class Setting:
    factor: float
    steps: int = 60

    def __str__(self):
        return f"factor {self.factor:g}"


def decay(s, rng):
    times = np.arange(s.steps)
    return Trace("decay", times, {"value": (("time",), s.factor**times)})


def slow_decay(s, rng):
    return decay(replace(s, factor=math.sqrt(s.factor)), rng)


HALVES = Theorem(
    name="test/halves",
    title="Decay by a half is decay by a half",
    paper=Paper("gardner1970", "nowhere"),
    standing=Standing.DERIVED,
    statement="x_t \\le 2^{-t}",
    symbols="$x_t$: the value",
    kind=EveryStep(rounding=lambda s: 1e-15),
    hypotheses={"real numbers": BY_CONSTRUCTION, "factor at most a half": lambda s: s.factor <= 0.5},
    run=decay,
    measured=lambda s, trace: trace["value"],
    bound=lambda s, trace: 0.5**trace.times,
    settings=lambda: [Setting(0.5), Setting(0.25), Setting(0.9)],
    controls={"half the exponent": slow_decay},
    rate=Geometric(lambda s: 0.5),
)


def test_statuses():
    holds, easy, outside = verify(HALVES)
    assert (holds.status, easy.status, outside.status) == (Status.HOLDS, Status.HOLDS, Status.NOT_APPLICABLE)
    assert holds.tightness == pytest.approx(1, abs=1e-12)
    assert outside.reason == "the hypothesis factor at most a half fails"
    assert outside.hypotheses == {"factor at most a half": "failed"}
    assert holds.hypotheses == {"real numbers": "by construction", "factor at most a half": "checked"}
    assert holds.fit.rate == pytest.approx(0.5, rel=1e-9)
    assert holds.stated == 0.5


def test_refuted_says_where():
    refuted, *_ = verify(replace(HALVES, run=slow_decay))
    assert refuted.status is Status.REFUTED
    assert refuted.reason.startswith("at iteration ")
    assert "is above the bound" in refuted.reason
    assert refuted.tightness > 1


def test_rounding_is_allowed_once_and_no_more():
    """An excess of exactly the allowance passes; a little more does not."""
    bound = 0.5 ** np.arange(60)

    def shifted(excess):
        return replace(HALVES, measured=lambda s, trace: bound + excess)

    settings = [Setting(0.5)]
    assert verify(shifted(1e-15), settings=settings)[0].status is Status.HOLDS
    assert verify(shifted(1.01e-15), settings=settings)[0].status is Status.REFUTED


def test_plateau_above_the_floor_is_refuted():
    stuck = replace(HALVES, measured=lambda s, trace: np.maximum(trace["value"], 1e-13))
    assert verify(stuck, settings=[Setting(0.5)])[0].status is Status.REFUTED


def test_relative_allowance_is_one_in_a_million():
    for factor, status in ((1 + 0.9e-6, Status.HOLDS), (1 + 1.1e-6, Status.REFUTED)):
        off = replace(HALVES, measured=lambda s, trace, factor=factor: factor * trace["value"])
        assert verify(off, settings=[Setting(0.5, steps=10)])[0].status is status


def test_identities_fail_on_either_side():
    same = replace(HALVES, kind=Identity(rounding=lambda s: 1e-15))
    for factor, status in ((1.0, Status.HOLDS), (1 - 1e-6, Status.REFUTED), (1 + 1e-6, Status.REFUTED)):
        off = replace(same, measured=lambda s, trace, factor=factor: factor * trace["value"])
        (verdict,) = verify(off, settings=[Setting(0.5)])
        assert verdict.status is status
    assert "differs from" in verdict.reason


def test_since_leaves_early_times_out():
    late = replace(HALVES, since=10, measured=lambda s, trace: np.where(trace.times < 10, 5.0, trace["value"]))
    (verdict,) = verify(late, settings=[Setting(0.5)])
    assert verdict.status is Status.HOLDS
    assert verdict.times[0] == 10


def test_vacuous_bounds_are_marked():
    trivial = replace(HALVES, trivial=lambda s: 1.0)
    assert verify(trivial, settings=[Setting(0.5)])[0].vacuous
    assert not verify(replace(trivial, since=1), settings=[Setting(0.5)])[0].vacuous


def test_theorems_that_share_a_run_share_the_work():
    runs = []

    def counted(s, rng):
        runs.append(s)
        return decay(s, rng)

    theorems = [replace(HALVES, run=counted), replace(HALVES, name="test/other", run=counted)]
    assert len(verify(theorems)) == 6
    assert sorted(s.factor for s in runs) == [0.25, 0.5]


def test_verdicts_come_in_the_order_asked_for():
    theorems = [replace(HALVES, name=name) for name in ("test/b", "test/a")]
    verdicts = verify(theorems, settings=[Setting(0.5), Setting(0.9), Setting(0.25)])
    assert [(verdict.theorem, verdict.setting) for verdict in verdicts] == [
        (name, f"factor {factor}") for name in ("test/b", "test/a") for factor in (0.5, 0.9, 0.25)
    ]


def test_the_stream_belongs_to_the_setting():
    """Adding settings changes no other setting's numbers; another seed changes them."""

    def noisy(s, rng):
        return Trace("noise", np.arange(3), {"value": (("time",), rng.random(3))})

    random = replace(HALVES, run=noisy, measured=lambda s, trace: trace["value"], bound=lambda s, trace: 2.0)
    first, second = verify(random, settings=[Setting(0.1), Setting(0.2)])
    (alone,) = verify(random, settings=[Setting(0.2)])
    (other,) = verify(random, settings=[Setting(0.2)], seed=1)
    np.testing.assert_array_equal(alone.measured, second.measured)
    assert (first.measured != second.measured).all()
    assert (other.measured != alone.measured).all()


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ({"bound": lambda s, trace: np.full(60, np.nan)}, "its bound side is nan at iteration 0; it must be finite"),
        ({"measured": lambda s, trace: np.full(60, np.inf)}, "its measured side is inf at iteration 0"),
        ({"bound": lambda s, trace: np.ones(3)}, "its bound side has shape (3,); expected (60,)"),
        ({"bound": lambda s, trace: -1.0}, "its bound is -1 somewhere; the bound of an inequality must be >= 0"),
        ({"bound": lambda s, trace: "high"}, "its bound side failed (ValueError: could not convert"),
        ({"run": lambda s, rng: 1 / 0}, "its run failed (ZeroDivisionError: division by zero)"),
        ({"run": lambda s, rng: 3}, "its run returned int; it must return a Trace"),
        ({"hypotheses": {"odd": lambda s: s.missing}}, "a hypothesis failed to evaluate (AttributeError"),
        (
            {"hypotheses": {"odd": lambda s: 1}},
            "the hypothesis odd returned 1; it must return True, False, or why it fails",
        ),
        ({"kind": EveryStep(rounding=lambda s: 1 / 0)}, "its allowance for rounding failed (ZeroDivisionError"),
        ({"rate": Geometric(lambda s: 1 / 0)}, "its stated rate failed (ZeroDivisionError: division by zero)"),
        ({"since": 60}, "its run records no iteration of which it speaks, from 60 on"),
    ],
)
def test_broken_theorems_are_named_and_the_others_still_run(broken, rule):
    bad, good = verify([replace(HALVES, name="test/bad", **broken), HALVES], settings=[Setting(0.5)])
    assert bad.status is Status.BROKEN
    assert rule in bad.reason
    assert str(bad).startswith("test/bad [factor 0.5]: BROKEN, ")
    assert good.status is Status.HOLDS


# Recalled constants: the rate alone is judged

RECALLED = replace(HALVES, name="test/recalled", standing=Standing.RECALLED)
RATE_ONLY = "rate only: constants recalled"


def recalled(values, *, times=None, rate=RECALLED.rate, rounding=1e-15):
    """Verdict on a curve whose constants are recalled; the bound is a million times too small and must not matter."""
    times = np.arange(values.size) if times is None else times
    theorem = replace(
        RECALLED,
        kind=EveryStep(rounding=lambda s: rounding),
        run=lambda s, rng: Trace("curve", times, {"value": (("time",), values)}),
        bound=lambda s, trace: 1e-6 * values,
        rate=rate,
    )
    (verdict,) = verify(theorem, settings=[Setting(0.5)])
    assert verdict.scope is Scope.RATE
    assert not verdict.vacuous
    return verdict


def test_recalled_constant_may_be_a_thousand_times_too_small():
    small = replace(RECALLED, bound=lambda s, trace: 0.5**trace.times / 1000)
    (verdict,) = verify(small, settings=[Setting(0.5, steps=40)])
    assert (verdict.status, verdict.reason) == (Status.HOLDS, "")
    assert verdict.tightness == pytest.approx(1000, rel=1e-3)
    (known,) = verify(replace(small, standing=Standing.DERIVED), settings=[Setting(0.5, steps=40)])
    assert known.status is Status.REFUTED


def test_wrong_rate_is_refuted_whatever_the_constant():
    lavish = replace(RECALLED, bound=lambda s, trace: 1e6)
    (verdict,) = verify(replace(lavish, run=slow_decay), settings=[Setting(0.5)])
    assert verdict.status is Status.REFUTED
    assert verdict.tightness < 1e-5
    assert verdict.reason == (
        "from iteration 31 to 59 the measured rate is × 0.7071 per iteration, the stated one × 0.5 per iteration; "
        "the curve falls behind by a factor of 10^4.2"
    )


STEPS = np.arange(120)


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (0.5**STEPS, Status.HOLDS),
        (0.25**STEPS, Status.HOLDS),
        (0.504**STEPS, Status.HOLDS),  # falls behind by 20 % on the 23 steps of the window
        (0.52**STEPS, Status.REFUTED),  # by a factor of 2.5
        (0.5**STEPS + 1e-15, Status.HOLDS),  # stalls where rounding may be to blame
        (0.5**STEPS + 2e-14, Status.REFUTED),  # stalls above
        (np.maximum(0.5**STEPS, 1e-6), Status.REFUTED),
        (np.where(STEPS < 80, 0.5**STEPS, 1e-9), Status.REFUTED),  # reaches the rounding, and comes back
        (np.ones(120), Status.REFUTED),
        (1.1**STEPS, Status.REFUTED),
        (1 + 0.8 * np.sin(STEPS), Status.REFUTED),
        (0.5**STEPS * (1.5 + np.sin(STEPS)), Status.HOLDS),
        (0.5 ** np.arange(6), Status.UNDECIDED),  # four points from the second on
        (0.001**STEPS, Status.UNDECIDED),
        (np.zeros(120), Status.UNDECIDED),
    ],
)
def test_verdicts_on_a_geometric_rate(values, status):
    assert recalled(values).status is status


def test_too_few_points_say_so():
    reason = "too few recorded times between transient and rounding to fit a rate"
    assert recalled(0.5 ** np.arange(6)).reason == reason


@pytest.mark.parametrize(
    ("factor", "status"),
    [(0.9999, Status.UNDECIDED), (1.0, Status.UNDECIDED), (0.9, Status.HOLDS), (1.1, Status.REFUTED)],
)
def test_a_run_too_short_for_the_stated_rate_tells_little(factor, status):
    """On 60 steps, 0.999^t is as good as a constant: only what is clearly faster holds, only what grows is refuted."""
    verdict = recalled(factor ** np.arange(61.0), rate=Geometric(lambda s: 0.999))
    assert verdict.status is status
    if status is Status.UNDECIDED:
        assert verdict.reason.endswith(
            "the stated one × 0.999 per iteration; this stretch is too short or too rough to tell"
        )


@pytest.mark.parametrize(
    ("curve", "horizon", "exponent", "status"),
    [
        (lambda t: 1 / (100 + t), 100, -1, Status.UNDECIDED),  # still in its transient
        (lambda t: 1 / (100 + t), 10_000, -1, Status.HOLDS),
        (lambda t: (100 + t) ** -0.5, 10_000, -1, Status.REFUTED),
        (lambda t: (100 + t) ** -0.5, 10_000, -0.5, Status.HOLDS),
        (lambda t: t**-0.5 * (1 + 3 * t**-0.5), 1000, -0.5, Status.HOLDS),
        (lambda t: 1 / t + 1e-3, 10_000, -1, Status.REFUTED),
        (lambda t: 1 / t, 10_000, -0.5, Status.HOLDS),
        (lambda t: t**0.5, 10_000, 0.5, Status.HOLDS),
        (lambda t: t**0.6, 10_000, 0.5, Status.REFUTED),
    ],
)
def test_verdicts_on_a_power_of_time(curve, horizon, exponent, status):
    times = record_times(horizon)[1:]
    verdict = recalled(curve(times.astype(float)), times=times, rate=PowerLaw(lambda s: exponent), rounding=0.0)
    assert verdict.status is status
    if status is Status.UNDECIDED:
        assert verdict.reason.endswith("but the curve still steepens")


@pytest.mark.parametrize(
    ("curve", "status"), [(lambda t: 5 + np.log(t), Status.HOLDS), (lambda t: t**0.25, Status.REFUTED)]
)
def test_verdicts_on_logarithmic_growth(curve, status):
    times = record_times(10_000)[2:]
    rate = PowerLog(lambda s: 0.0, log_power=1)
    assert recalled(curve(times.astype(float)), times=times, rate=rate, rounding=0.0).status is status


@pytest.mark.parametrize(
    ("horizon", "deviation", "held", "refuted"),
    [(60, 0.1, 190, 100), (60, 1.5, 0, 0), (300, 0.5, 120, 0), (10_000, 0.1, 190, 150), (10_000, 0.5, 120, 50)],
)
def test_noise_refutes_no_rate_that_is_true_and_saves_no_plateau(horizon, deviation, held, refuted):
    """Of 200 studies each; scatter is allowed its worst before it refutes, so that even one refutation is a fault.

    The least numbers to be held and refuted lie ten per cent of the studies below what was found, or further.
    """
    times = record_times(horizon)[1:]
    rng = np.random.default_rng(0)
    statuses = {"true": [], "plateau": []}
    for _ in range(200):
        noise = np.exp(deviation * rng.standard_normal(times.size))
        for name, curve in (("true", times**-0.5), ("plateau", np.ones(times.size))):
            seen = recalled(curve * noise, times=times, rate=PowerLaw(lambda s: -0.5), rounding=0.0)
            statuses[name].append(seen.status)
    assert Status.REFUTED not in statuses["true"]
    assert Status.HOLDS not in statuses["plateau"]
    assert statuses["true"].count(Status.HOLDS) >= held
    assert statuses["plateau"].count(Status.REFUTED) >= refuted


@pytest.mark.parametrize("control", find("nash-mp/kl")[0].controls)
def test_controls_are_refuted_by_their_rate(control):
    (theorem,) = find("nash-mp/kl")
    recalled = replace(theorem, standing=Standing.RECALLED)
    assert {verdict.status for verdict in verify(recalled)} == {Status.HOLDS}
    wrong = verify(replace(recalled, run=theorem.controls[control]))
    assert any(verdict.status is Status.REFUTED for verdict in wrong)


def test_early_times_are_left_out_of_a_rate_as_well():
    values = np.where(STEPS < 40, 1.0, 0.5 ** (STEPS - 40.0))
    theorem = replace(RECALLED, since=40, measured=lambda s, trace: values, run=lambda s, rng: decay(s, rng))
    (verdict,) = verify(theorem, settings=[Setting(0.5, steps=120)])
    assert verdict.status is Status.HOLDS
    assert verdict.fit.window[0] > 40


def test_verdicts_on_a_rate_are_never_vacuous():
    assert not verify(replace(RECALLED, trivial=lambda s: 0.0), settings=[Setting(0.5)])[0].vacuous


def test_the_judge_needs_the_observation_only():
    (verdict,) = verify(RECALLED, settings=[Setting(0.5)])
    assert judge(verdict.observation).status is Status.HOLDS
    known = replace(verdict.observation, bound=verdict.bound / 1000, scope=Scope.BOUND)
    assert judge(known).status is Status.REFUTED
    assert judge(replace(known, scope=Scope.RATE)).status is Status.HOLDS


@pytest.mark.parametrize(("theorem", "factor"), [(HALVES, 0.5), (RECALLED, 1.0)], ids=lambda part: str(part))
def test_a_plateau_is_part_of_the_curve_only_where_the_rate_is_judged(theorem, factor):
    stuck = replace(theorem, measured=lambda s, trace: np.maximum(trace["value"], 1e-6))
    (verdict,) = verify(stuck, settings=[Setting(0.5)])
    assert verdict.fit.rate == pytest.approx(factor, abs=0.01)


@pytest.mark.parametrize("run", [decay, slow_decay])
def test_verdicts_on_a_rate_say_so(run):
    (verdict, *_) = verify(replace(RECALLED, run=run))
    assert f": {verdict.status} ({RATE_ONLY})" in str(verdict)
    assert f"<td>{verdict.status} ({RATE_ONLY})</td>" in verdict._repr_html_()
    (known, *_) = verify(replace(HALVES, run=run))
    assert RATE_ONLY not in str(known) + known._repr_html_()


def test_nothing_is_said_of_a_rate_where_nothing_was_judged():
    (outside,) = verify(RECALLED, settings=[Setting(0.9)])
    assert (outside.status, outside.caveat) == (Status.NOT_APPLICABLE, "")
    assert RATE_ONLY not in str(outside)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"rate": None}, "test/halves: its constants are recalled; state its rate"),
        ({"rate": Logarithmic()}, r"state that it grows as t\^0 log t, PowerLog\(lambda setting: 0.0, log_power=1\)"),
        (
            {"kind": Identity(lambda s: 0.0)},
            "its kind is 'identity'; only claims of kind 'every step' can be judged by",
        ),
        ({"kind": Existence()}, "its kind is 'existence'"),
        ({"kind": InExpectation(lambda s: 0.0, lambda s: 0.0, lambda s: 1.0)}, "its kind is 'in expectation'"),
        ({"kind": WithProbability(lambda s: 0.0, lambda s: 0.1)}, "its kind is 'with probability 1 - delta'"),
    ],
)
def test_recalled_constants_need_a_rate_to_judge(parts, message):
    with pytest.raises(ValueError, match=message):
        replace(HALVES, standing=Standing.RECALLED, **parts)


@pytest.mark.parametrize("factor", [0.0, -0.5, math.nan, math.inf])
def test_stated_factors_that_can_not_be_judged_break_the_contract(factor):
    (verdict,) = verify(replace(RECALLED, rate=Geometric(lambda s: factor)), settings=[Setting(0.5)])
    assert verdict.status is Status.BROKEN
    assert verdict.reason == f"its stated rate is {factor:g}; it must be finite, and a factor > 0"
