"""Fits on curves whose rate and floor are known."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from rltheory.simulation import stream
from rltheory.theory.rates import Geometric, Logarithmic, PowerLaw, PowerLog, fit_rate
from rltheory.trace import record_times

GEOMETRIC = Geometric(lambda s: 0.9).form
POWER_LAW = PowerLaw(lambda s: -0.5).form
LOGARITHMIC = Logarithmic().form
POWER_LOG = PowerLog(lambda s: -1.0, log_power=1).form

TIMES = record_times(10_000, points=100)[2:]
T = TIMES.astype(float)
LOG_T = np.log(T)


# One clean curve


@given(factor=st.floats(0.3, 0.995), scale=st.sampled_from([1e-3, 1.0, 50.0]), floor=st.sampled_from([1e-30, 1e-12]))
def test_factor_and_floor_of_a_clean_curve(factor, scale, floor):
    horizon = int(2 * np.log(floor / scale) / np.log(factor))
    times = record_times(horizon)
    fit = fit_rate(times, scale * factor**times + floor, GEOMETRIC)
    # The floor lifts the last point of the window by up to 1 %, spread over the eight points of the steepest curves.
    assert fit.rate == pytest.approx(factor, rel=3e-3)
    assert fit.low <= fit.rate <= fit.high
    assert fit.floor == pytest.approx(floor, rel=0.1)
    reached = np.log(floor / scale) / np.log(factor)
    assert 0.9 * reached <= fit.floor_time <= 1.2 * reached


@given(exponent=st.floats(-2, -0.3), scale=st.sampled_from([1e-3, 1.0, 50.0]), decades=st.floats(3, 5))
def test_exponent_and_floor_of_a_clean_curve(exponent, scale, decades):
    floor = scale * 10**-decades
    reached = 10 ** (-decades / exponent)
    times = record_times(int(100 * reached))
    fit = fit_rate(times, scale * np.maximum(times, 1.0) ** exponent + floor, POWER_LAW)
    if fit is not None:  # steep and short: fewer than five recorded times lie clear of the floor
        assert fit.rate == pytest.approx(exponent, rel=0.01)
        assert fit.floor == pytest.approx(floor, rel=0.2)
        assert 0.5 * reached <= fit.floor_time <= 2 * reached
    assert fit is not None or reached < 1000


@given(factor=st.floats(0.3, 0.995))
def test_no_floor_is_seen_under_a_geometric_curve(factor):
    times = record_times(int(np.log(1e-20) / np.log(factor)))
    fit = fit_rate(times, factor**times, GEOMETRIC)
    assert fit.floor is None
    assert fit.floor_time is None
    assert fit.rate == pytest.approx(factor, rel=1e-9)


@given(exponent=st.floats(-2, 2), horizon=st.integers(100, 10**6))
def test_no_floor_is_seen_under_a_power_law(exponent, horizon):
    times = record_times(horizon)[1:]
    fit = fit_rate(times, 3 * times**exponent, POWER_LAW)
    assert fit.floor is None
    assert fit.rate == pytest.approx(exponent, abs=1e-9)
    assert fit.low == pytest.approx(fit.high, abs=1e-9)
    assert horizon / 100 <= fit.window[0] * 1.5
    assert fit.window[1] == horizon


@pytest.mark.parametrize(
    ("form", "values", "rate"),
    [
        (POWER_LAW, T**0.5, 0.5),
        (LOGARITHMIC, 2 + 3 * LOG_T, 3),
        (POWER_LOG, 5 * LOG_T / T, -1),
        (PowerLog(lambda s: 0.5, log_power=0.5).form, np.sqrt(T * LOG_T), 0.5),
    ],
    ids=["sqrt t", "log t", "log t / t", "sqrt(t log t)"],
)
def test_forms_are_recovered_exactly(form, values, rate):
    fit = fit_rate(TIMES, values, form)
    assert fit.rate == pytest.approx(rate, abs=1e-9)
    assert fit.residual < 1e-12
    inside = fit.window[0] <= TIMES
    np.testing.assert_allclose(fit.curve(TIMES[inside]), values[inside], rtol=1e-9)
    np.testing.assert_allclose(fit.local_rates, rate, rtol=1e-9)


# Transients, oscillations, noise on one curve


def test_fast_mode_is_left_out():
    times = record_times(600)
    fit = fit_rate(times, 0.5**times + 1e-3 * 0.95**times, GEOMETRIC)
    assert fit.rate == pytest.approx(0.95, rel=1e-4)


def test_plateau_before_the_decline_is_left_out():
    times = np.arange(200)
    fit = fit_rate(times, 0.5 ** np.maximum(times - 100.0, 0) + 1e-16, GEOMETRIC)
    assert fit.rate == pytest.approx(0.5, rel=1e-3)
    assert fit.window[0] > 100


def test_long_plateau_before_a_short_decline_is_left_out():
    times = np.arange(1200)
    fit = fit_rate(times, 0.7 ** np.maximum(times - 1000.0, 0) + 1e-10, GEOMETRIC)
    assert fit.rate == pytest.approx(0.7, rel=1e-3)
    assert fit.window[0] > 1000


def test_late_start_of_a_power_law_is_left_out():
    fit = fit_rate(TIMES, 1 / (100 + T), POWER_LAW)
    assert fit.window[0] > 1000
    assert fit.rate == pytest.approx(-1, abs=0.04)


def test_linear_start_of_a_logarithmic_regret_is_left_out():
    fit = fit_rate(TIMES, np.where(T < 50, T, 50 + 10 * np.log(T / 50)), LOGARITHMIC)
    assert fit.rate == pytest.approx(10, rel=1e-9)


def test_corrections_shrink_with_the_horizon():
    rates = []
    for horizon in (10**4, 10**6, 10**8):
        t = record_times(horizon)[1:].astype(float)
        rates.append(fit_rate(t.astype(int), t**-0.5 * (1 + 3 * t**-0.5), POWER_LAW).rate)
    assert np.all(np.abs(np.array(rates) + 0.5) < [0.03, 0.006, 0.0006])


def test_oscillation_widens_the_range():
    times = np.arange(400)
    steady = fit_rate(times, 0.9**times, GEOMETRIC)
    waving = fit_rate(times, 0.9**times * (1.5 + np.sin(times / 3)), GEOMETRIC)
    assert waving.rate == pytest.approx(0.9, rel=2e-3)
    assert waving.high - waving.low > 100 * (steady.high - steady.low)
    assert waving.low < 0.9 < waving.high


def test_curve_that_is_not_monotone():
    fit = fit_rate(TIMES, T**-0.5 * (1.5 + np.sin(12 * LOG_T)), POWER_LAW)
    assert fit.low < -0.5 < fit.high
    assert fit.rate == pytest.approx(-0.5, abs=0.1)


def test_noisy_floor():
    times = record_times(2000)
    noise = np.abs(stream(0, "test", "noise").standard_normal(times.size))
    fit = fit_rate(times, 0.97**times + 1e-15 * noise, GEOMETRIC)
    assert fit.rate == pytest.approx(0.97, rel=1e-3)
    assert 1e-16 < fit.floor < 1e-14


def test_noise_is_no_floor():
    floors = 0
    for study in range(200):
        noise = stream(0, "test", "noise", study).standard_normal(T.size)
        floors += fit_rate(TIMES, T**-0.5 * np.exp(0.5 * noise), POWER_LAW).floor is not None
    assert floors == 0


def test_values_at_zero_lie_on_the_floor():
    times = np.arange(200)
    fit = fit_rate(times, np.where(times < 100, 0.8**times, 0.0), GEOMETRIC)
    assert fit.rate == pytest.approx(0.8, rel=1e-6)
    assert 90 <= fit.floor_time <= 100


def test_zeros_before_growth_are_left_out():
    fit = fit_rate(TIMES, np.maximum(LOG_T - 3, 0), LOGARITHMIC)
    assert fit.rate == pytest.approx(1)


@pytest.mark.parametrize("form", [GEOMETRIC, POWER_LAW, LOGARITHMIC, POWER_LOG], ids=lambda form: form.name)
@pytest.mark.parametrize("values", [np.zeros(50), -np.ones(50), np.array([1.0, 0.5, 0.25]), np.ones(1)])
def test_too_few_positive_values_have_no_fit(form, values):
    assert fit_rate(np.arange(values.size), values, form) is None


@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_curves_without_decline_have_a_factor_of_at_least_one(factor):
    assert fit_rate(np.arange(50), factor ** np.arange(50.0), GEOMETRIC).rate == pytest.approx(factor)


def test_leaps_from_subnormal_numbers_stay_finite():
    fit = fit_rate(np.arange(20), np.repeat([5e-324, 1e3], 10), GEOMETRIC)
    assert np.isfinite(fit.local_rates).all()


@pytest.mark.parametrize(("plateau", "rate", "floor"), [(1e-12, 0.8, 1e-12), (1e-9, 1.0, None)])
def test_known_floor_is_the_only_one(plateau, rate, floor):
    """A curve that stalls where it may is fitted down to there; a higher plateau is part of the curve."""
    times = np.arange(400)
    fit = fit_rate(times, 0.8**times + plateau, GEOMETRIC, floor=1e-12)
    # The floor lifts the last point of the window by 10 % at most, one of some fifty.
    assert fit.rate == pytest.approx(rate, rel=1e-3)
    assert fit.floor == floor
    assert fit.floor_time == (124 if floor else None)  # 0.8^124 = 0.96e-12
    assert fit_rate(times, 0.8**times + plateau, GEOMETRIC).rate == pytest.approx(0.8, rel=3e-3)


def test_known_floor_of_nothing_leaves_out_zeros_only():
    times = np.arange(100)
    fit = fit_rate(times, np.where(times < 60, 0.8**times, 0.0), GEOMETRIC, floor=0.0)
    assert fit.rate == pytest.approx(0.8)
    assert (fit.window[1], fit.floor, fit.floor_time) == (59, None, None)


def test_halves_of_the_window_show_a_bend():
    straight = fit_rate(TIMES, T**-0.5, POWER_LAW)
    assert (straight.early, straight.late) == pytest.approx((-0.5, -0.5))
    bent = fit_rate(TIMES[TIMES < 300], 1 / (100 + T[TIMES < 300]), POWER_LAW)
    assert bent.late < bent.rate - 0.05 < bent.early - 0.1


def test_falling_curve_has_no_logarithmic_fit():
    assert fit_rate(TIMES, 20 - LOG_T, LOGARITHMIC) is None


@pytest.mark.parametrize("form", [GEOMETRIC, POWER_LAW, POWER_LOG], ids=lambda form: form.name)
def test_collapse_at_the_last_time_is_no_floor(form):
    fit = fit_rate(TIMES, np.append(np.ones(T.size - 1), 1e-6), form)
    assert fit is None or fit.floor is None


def test_decline_that_ends_at_once_has_no_fit():
    times = record_times(1000)
    assert fit_rate(times, 0.01**times + 1e-16, GEOMETRIC) is None


@pytest.mark.parametrize(
    ("times", "values", "message"),
    [
        (np.arange(10), np.ones(9), r"values has shape \(9,\)"),
        (np.arange(10), np.ones((2, 10, 1)), "must have 2 dimensions"),
        (np.arange(10), np.full(10, np.nan), "must be finite"),
        (np.array([1, 2, 2]), np.ones(3), r"times\[2\] is 2 after 2"),
    ],
)
def test_bad_input_is_named(times, values, message):
    with pytest.raises(ValueError, match=message):
        fit_rate(times, values, POWER_LAW)


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=60))
def test_any_curve_has_a_fit_or_none(values):
    for form in (GEOMETRIC, POWER_LAW, LOGARITHMIC, POWER_LOG):
        fit = fit_rate(np.arange(len(values)), np.array(values), form)
        assert fit is None or fit.low <= fit.rate <= fit.high


@given(scale=st.sampled_from([1e-8, 0.1, 1e6]))
def test_the_unit_of_the_values_does_not_matter(scale):
    values = T**-0.5 * np.exp(0.1 * stream(0, "test", "unit").standard_normal(T.size)) + 1e-3
    plain, scaled = fit_rate(TIMES, values, POWER_LAW), fit_rate(TIMES, scale * values, POWER_LAW)
    assert scaled.window == plain.window
    assert (scaled.rate, scaled.low, scaled.high) == pytest.approx((plain.rate, plain.low, plain.high))


# Which form fits best

CURVES = {
    "power law": (POWER_LAW, T**-0.5),
    "logarithmic": (LOGARITHMIC, 20 + 3 * LOG_T),  # 3 * log(t) alone is of the form t^0 log(t) too
    "power law, log^1": (POWER_LOG, LOG_T / T),
    "geometric": (GEOMETRIC, 0.97 ** np.minimum(T, 900)),
}


@pytest.mark.parametrize("fitted", list(CURVES))
@pytest.mark.parametrize("true", list(CURVES))
def test_true_form_has_the_least_residual(true, fitted):
    values, form = CURVES[true][1], CURVES[fitted][0]
    early = T < 900  # 0.97^900 = 1e-12
    fit = fit_rate(TIMES[early], values[early], form)
    if fit is None:
        assert fitted in {"geometric", "logarithmic"}
        return
    residuals = dict(fit.alternatives) | {fit.form.name: fit.residual}
    assert min(residuals, key=residuals.get) == true
    assert sorted(residuals.values())[1] > 1e6 * residuals[true]


@pytest.mark.parametrize("true", list(CURVES))
def test_true_form_has_the_least_residual_under_noise(true):
    form, values = CURVES[true]
    early = (T < 900) | (true != "geometric")
    noise = stream(0, "test", "alternatives", true).standard_normal((400, early.sum()))
    fit = fit_rate(TIMES[early], values[early] * np.exp(0.02 * noise), form)
    assert fit.residual < min(fit.alternatives.values())


# Replicates: coverage


def walks(rng, count, axis, variance):
    """Exponentials of random walks along an axis, with mean 1 at each time and a random level."""
    steps = np.sqrt(variance * np.diff(axis, prepend=axis[0])) * rng.standard_normal((count, axis.size))
    return np.exp(np.cumsum(steps, axis=1) - variance * (axis - axis[0]) / 2 + 0.5 * rng.standard_normal((count, 1)))


def coin(rng, count):
    """|mean of t fair coins|: expectation sqrt(2 / (pi t)) (1 + O(1 / t))."""
    tosses = np.diff(TIMES, prepend=0)
    return np.abs(np.cumsum(2.0 * rng.binomial(tosses, 0.5, (count, T.size)) - tosses, axis=1)) / T


def regret(rng, count):
    """Independent increments with expectation 3 log(t' / t)."""
    return 5 + 3 * np.cumsum(2 * rng.gamma(np.diff(LOG_T, prepend=LOG_T[0] - 1) / 2, size=(count, T.size)), axis=1)


SHORT = TIMES <= 300
SCENARIOS = {
    "t^-1/2, independent noise": (
        *(POWER_LAW, -0.5, TIMES),
        lambda rng, count: T**-0.5 * np.exp(0.5 * rng.standard_normal((count, T.size))),
    ),
    "t^-1/2, Student noise": (
        *(POWER_LAW, -0.5, TIMES),
        lambda rng, count: T**-0.5 * (1 + 0.5 * rng.standard_t(3, (count, T.size))),
    ),
    "t^-1/2, random walks": (
        *(POWER_LAW, -0.5, TIMES),
        lambda rng, count: T**-0.5 * walks(rng, count, LOG_T, 0.05),
    ),
    "t^-1/2, coins": (POWER_LAW, -0.5, TIMES, coin),
    "0.97^t, random walks": (
        *(GEOMETRIC, 0.97, TIMES[SHORT]),
        lambda rng, count: 0.97 ** T[SHORT] * walks(rng, count, T[SHORT], 0.0013),
    ),
    "log(t) / t, random walks": (
        *(POWER_LOG, -1, TIMES),
        lambda rng, count: LOG_T / T * walks(rng, count, LOG_T, 0.05),
    ),
    "log(t), random increments": (LOGARITHMIC, 3, TIMES, regret),
    "t^1/2, random walks": (POWER_LAW, 0.5, TIMES, lambda rng, count: T**0.5 * walks(rng, count, LOG_T, 0.05)),
}


def simulated_fits(name, times, form, make, replicates, studies):
    with threadpool_limits(1, user_api="blas"):  # threads only wait for each other on matrices this small
        for study in range(studies):
            values = make(stream(0, "test", "coverage", name, replicates, study), replicates)
            yield fit_rate(times, values, form, seed=study)


@pytest.mark.parametrize(
    ("name", "replicates"), [(name, 20) for name in SCENARIOS] + [(name, 100) for name in list(SCENARIOS)[2:6]]
)
def test_coverage_of_the_interval(name, replicates):
    """If the true coverage is within 84 and 94 %, other seeds fail with probability 2e-4 at most."""
    form, truth, times, make = SCENARIOS[name]
    fits = list(simulated_fits(name, times, form, make, replicates, studies=300))
    covered = sum(fit is not None and fit.low <= truth <= fit.high for fit in fits)
    assert {fit.interval for fit in fits if fit is not None} == {"90 % by resampling replicates"}
    assert binom.ppf(1e-4, 300, 0.84) <= covered <= binom.ppf(1 - 1e-4, 300, 0.94), covered / 300


def test_coverage_is_lower_when_few_replicates_make_up_the_mean():
    """Logarithms with standard deviation 1.5: two studies in three is what is promised."""

    def skewed(rng, count):
        return T**-0.5 * np.exp(1.5 * rng.standard_normal((count, T.size)))

    fits = simulated_fits("skewed", TIMES, POWER_LAW, skewed, 20, studies=200)
    assert 0.67 < np.mean([fit.low <= -0.5 <= fit.high for fit in fits]) < 0.9


def test_interval_is_for_the_slope_on_the_window_not_for_the_limit():
    """With corrections to scaling it covers the slope of the expectation on the window, and misses the limit."""
    expected = T**-0.5 * (1 + 3 * T**-0.5)

    def corrected(rng, count):
        return expected * np.exp(0.3 * rng.standard_normal((count, T.size)))

    of_window = of_limit = 0
    for fit in simulated_fits("corrected", TIMES, POWER_LAW, corrected, 100, studies=200):
        inside = fit.window[0] <= TIMES
        slope = np.polyfit(LOG_T[inside], np.log(expected[inside]), 1)[0]
        of_window += fit.low <= slope <= fit.high
        of_limit += fit.low <= -0.5 <= fit.high
    assert binom.ppf(1e-4, 200, 0.84) <= of_window <= binom.ppf(1 - 1e-4, 200, 0.94)
    assert of_limit < 20


def test_noise_along_time_does_not_shorten_the_window():
    """At three standard errors, a window is halved in fewer than one study in a hundred."""
    form, _, times, make = SCENARIOS["t^-1/2, random walks"]
    starts = [fit.window[0] for fit in simulated_fits("window", times, form, make, 100, studies=300)]
    assert sum(start != min(starts) for start in starts) <= binom.ppf(1 - 1e-4, 300, 0.005)


def test_interval_of_many_replicates_is_the_normal_one():
    values = T**-0.5 * np.exp(0.5 * stream(0, "test", "normal").standard_normal((2000, T.size)))
    fit = fit_rate(TIMES, values, POWER_LAW, resamples=20_000)
    inside = fit.window[0] <= TIMES
    slopes = np.polyfit(LOG_T[inside], (values / values.mean(axis=0))[:, inside].T, 1)[0]
    error = slopes.std() / np.sqrt(2000)
    assert fit.high - fit.rate == pytest.approx(1.645 * error, rel=0.05)
    assert fit.rate - fit.low == pytest.approx(1.645 * error, rel=0.05)


def test_coverage_where_many_resamples_are_not_positive():
    def noisy(rng, count):
        return T**-0.5 * (1 + rng.standard_t(3, (count, T.size)))

    fits = list(simulated_fits("not positive", TIMES, POWER_LAW, noisy, 25, studies=200))
    assert np.mean([fit.low <= -0.5 <= fit.high for fit in fits]) > 0.8
    assert np.mean([fit.high - fit.low < 0.5 for fit in fits]) > 0.8


def test_more_replicates_narrow_the_interval():
    form, _, times, make = SCENARIOS["t^-1/2, coins"]
    few, many = (fit_rate(times, make(stream(0, "test", "narrow", n), n), form) for n in (50, 5000))
    assert 0.07 < (many.high - many.low) / (few.high - few.low) < 0.14  # 1 / sqrt(100)


def test_floor_under_replicates():
    times = record_times(3000)
    rng = stream(0, "test", "floor")
    noise = rng.standard_normal((2, 50, times.size))
    fit = fit_rate(times, 0.97**times * np.exp(0.3 * noise[0]) + 1e-12 * np.abs(noise[1]), GEOMETRIC)
    assert fit.low < 0.97 < fit.high
    assert fit.floor == pytest.approx(np.sqrt(2 / np.pi) * 1e-12, rel=0.1)
    assert 840 < fit.floor_time < 960  # 0.97^900 = 1e-12


@pytest.mark.parametrize("count", [1, 5])
def test_few_replicates_have_the_spread_of_local_slopes(count):
    values = T**-0.5 * np.exp(0.1 * stream(0, "test", "few").standard_normal((count, T.size)))
    assert fit_rate(TIMES, values, POWER_LAW).interval == "spread of local slopes"


def test_replicates_that_agree_are_one_curve():
    values = T**-0.5 * (1.5 + np.sin(12 * LOG_T))
    one, many = (fit_rate(TIMES, curves, POWER_LAW) for curves in (values, np.tile(values, (64, 1))))
    assert (many.rate, many.low, many.high) == pytest.approx((one.rate, one.low, one.high))
    assert many.interval == one.interval


def test_a_seed_gives_the_same_interval_again():
    values = T**-0.5 * np.exp(stream(0, "test", "seed").standard_normal((30, T.size)))
    first, again, other = (fit_rate(TIMES, values, POWER_LAW, seed=seed) for seed in (1, 1, 2))
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low != other.low
    assert first.rate == other.rate


# What tables, plots and files need


def test_stated_rates():
    settings = 0.3
    assert Geometric(lambda s: 1 - s).stated(settings) == 0.7
    assert PowerLaw(lambda s: -s).stated(settings) == -0.3
    assert PowerLog(lambda s: -s, log_power=2).stated(settings) == -0.3
    assert Logarithmic(lambda s: 2 * s).stated(settings) == 0.6
    assert Logarithmic().stated(settings) is None


def test_descriptions():
    assert fit_rate(TIMES, T**-0.5, POWER_LAW).describe("round") == "t^-0.50"
    assert fit_rate(TIMES, 0.99**T, GEOMETRIC).describe("round") == "× 0.99 per round"
    assert fit_rate(TIMES, LOG_T / T, POWER_LOG).describe("round") == "t^-1.00 log t"
    assert fit_rate(TIMES, 7 * LOG_T, LOGARITHMIC).describe("round") == "7 log t"
    assert PowerLog(lambda s: 0.5, log_power=0.5).form.describe(0.5, "round") == "t^0.50 (log t)^0.5"


def test_fit_is_plain_data():
    plain = asdict(fit_rate(TIMES, T**-0.5, POWER_LAW))
    assert plain["form"] == {"name": "power law", "log_time": True, "log_value": True, "log_power": 0}
    assert set(plain["alternatives"]) == {"geometric", "logarithmic", "power law, log^1"}


def test_local_rates_show_the_transient():
    fit = fit_rate(TIMES, 1 / (100 + T), POWER_LAW)
    assert fit.local_rates[0] == pytest.approx(0, abs=0.1)
    assert fit.local_rates[-1] == pytest.approx(-1, abs=0.02)
    assert (np.diff(fit.local_times) > 0).all()
