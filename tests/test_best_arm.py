"""Finding the best arm: divergences, optimal weights against general solvers, the loop, and bad input."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import rltheory as rl
from rltheory.algorithms.bandits import BERNOULLI, EXPONENTIAL, POISSON, gaussian_family
from rltheory.algorithms.bandits.play import LANES
from rltheory.algorithms.best_arm import (
    compare_stopping_policies,
    find_best_arm,
    kl_lucb,
    lucb,
    sequential_halving,
    successive_elimination,
    track_and_stop,
    uniform_sampling,
)
from rltheory.algorithms.best_arm.confidence import _end_of_interval, divergence_of
from rltheory.problems import Bandit
from rltheory.problems.bandit import Law
from rltheory.problems.divergences import DIVERGENCES
from rltheory.simulation import Workers, stream
from rltheory.solvers import characteristic_time
from rltheory.theorems.bandits.best_arm import Arms
from rltheory.theory import Status

THREE = Bandit.bernoulli([0.3, 0.8, 0.5])


def exact(law, m, q):
    """Divergence with 50 digits."""
    with mpmath.workdps(50):
        m, q = mpmath.mpf(m), mpmath.mpf(q)
        if law is Law.BERNOULLI:
            return sum(a * mpmath.log(a / b) for a, b in ((m, q), (1 - m, 1 - q)) if a > 0)
        if law is Law.POISSON:
            return q - m + (m * mpmath.log(m / q) if m > 0 else 0)
        return m / q - 1 - mpmath.log(m / q) if law is Law.EXPONENTIAL else (q - m) ** 2 / 2


@pytest.mark.parametrize("law", DIVERGENCES)
def test_divergences_are_exact_however_close_the_means(law):
    for m in (1e-9, 0.25, 0.5, 0.75):
        for step in (1e-12, 1e-8, 1e-3, 0.1, 0.2, 0.24):
            q = m + step
            # A difference of two means may round to the half of a last bit of 1, which counts twice.
            rounding = 1e-14 + 2.0**-51 / step if law is Law.BERNOULLI else 1e-14
            assert DIVERGENCES[law].divergence(m, q) == pytest.approx(float(exact(law, m, q)), rel=rounding)
            assert DIVERGENCES[law].divergence(q, m) == pytest.approx(float(exact(law, q, m)), rel=rounding)
        assert DIVERGENCES[law].divergence(m, m) == 0


def test_divergences_at_the_ends():
    bernoulli, poisson = DIVERGENCES[Law.BERNOULLI].divergence, DIVERGENCES[Law.POISSON].divergence
    assert bernoulli(0.0, 0.5) == bernoulli(1.0, 0.5) == pytest.approx(math.log(2))
    assert bernoulli(0.5, 0.0) == bernoulli(0.5, 1.0) == bernoulli(0.0, 1.0) == math.inf
    assert bernoulli(0.0, 0.0) == bernoulli(1.0, 1.0) == poisson(0.0, 0.0) == 0
    assert poisson(0.0, 2.0) == 2
    assert poisson(1.0, 0.0) == math.inf


@pytest.mark.parametrize("law", DIVERGENCES)
def test_variance_is_the_curvature(law):
    step = 1e-4
    for m in (0.2, 0.6):
        curvature = 2 * DIVERGENCES[law].divergence(m, m + step) / step**2
        assert curvature == pytest.approx(1 / DIVERGENCES[law].variance(m), rel=20 * step)


# Characteristic time


@pytest.mark.parametrize(
    ("means", "weights"),
    [
        ([0.5, 0.45, 0.43, 0.4], [0.417, 0.390, 0.136, 0.057]),
        ([0.3, 0.21, 0.2, 0.19, 0.18], [0.336, 0.251, 0.177, 0.132, 0.104]),
    ],
)
def test_published_weights(means, weights):
    """Those of the experiments of Garivier and Kaufmann 2016, which are printed with three digits."""
    np.testing.assert_allclose(characteristic_time(Bandit.bernoulli(means)).weights, weights, atol=6e-4)


@pytest.mark.parametrize(
    "bandit",
    [
        Bandit.bernoulli([0.9, 0.2, 0.7, 0.1]),
        Bandit.bernoulli([0.0, 1.0, 0.5]),
        Bandit.poisson([1.0, 3.0, 2.5]),
        Bandit.exponential([1.0, 3.0, 2.0, 0.1]),
        Bandit.gaussian([0.0, 0.3, -1.0], 2.0),
    ],
    ids=str,
)
def test_weights_by_cutting_planes(bandit):
    """The least cost is concave and each cost has known slopes: linear programs bound its maximum from above."""
    found = characteristic_time(bandit)
    divergence, best = DIVERGENCES[bandit.law].divergence, bandit.best
    scale = bandit.table[0, 1] ** 2 if bandit.law is Law.GAUSSIAN else 1.0
    others, k = [a for a in range(bandit.arms) if a != best], bandit.arms
    rows, w = [], np.full(k, 1 / k)
    for _ in range(60):
        for a in others:
            middle = (w[best] * bandit.means[best] + w[a] * bandit.means[a]) / (w[best] + w[a])
            row = np.zeros(k + 1)
            row[[best, a, k]] = -divergence(bandit.means[best], middle), -divergence(bandit.means[a], middle), 1
            if np.isfinite(row).all():
                rows.append(row)
        answer = linprog(
            -np.eye(k + 1)[k], np.array(rows), np.zeros(len(rows)), np.append(np.ones(k), 0)[None], [1.0],
            bounds=[(1e-6, 1)] * k + [(0, None)],
        )  # fmt: skip
        w = answer.x[:k]
    # Costs are linear in the weights once the alternative is fixed, so every program bounds the maximum.
    assert found.time / scale == pytest.approx(1 / answer.x[k], rel=1e-4)
    np.testing.assert_allclose(found.weights, w, atol=0.02)
    assert -1e-12 < found.residual < 1e-10


@given(st.lists(st.integers(1, 99), min_size=2, max_size=6, unique=True), st.randoms())
@settings(deadline=None, max_examples=50)
def test_certificate_and_order_of_arms(hundredths, random):
    means = np.array(hundredths) / 100
    found, order = characteristic_time(Bandit.bernoulli(means)), list(range(means.size))
    random.shuffle(order)
    other = characteristic_time(Bandit.bernoulli(means[order]))
    assert abs(found.residual) < 1e-9
    assert other.time == pytest.approx(found.time, rel=1e-9)
    np.testing.assert_allclose(other.weights, found.weights[order], atol=1e-8)
    assert found.weights.sum() == pytest.approx(1)


def test_lower_bound_of_two_gaussian_arms():
    found = characteristic_time(Bandit.gaussian([0.0, 0.25], 3.0))
    assert found.time == pytest.approx(8 * 9 / 0.0625)
    expected = found.time * (0.1 * math.log(0.1 / 0.9) + 0.9 * math.log(0.9 / 0.1))
    assert found.lower_bound(0.1) == pytest.approx(expected)


# Intervals


@pytest.mark.parametrize(
    ("family", "means"),
    [
        (BERNOULLI, (0.0, 1e-6, 0.4, 1 - 1e-9, 1.0)),
        (POISSON, (0.0, 0.1, 7.0)),
        (EXPONENTIAL, (0.01, 5.0)),
        (gaussian_family(), (-2.0, 0.0)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_ends_of_intervals_solve_their_equation(family, means):
    divergence, variance = divergence_of(family)
    end = _end_of_interval(divergence, variance)
    for m in means:
        for budget in (1e-6, 0.1, 3.0, 20.0):
            for limit in family.rewards:
                q = end(m, budget, limit)
                if m == limit:
                    assert q == m
                elif q not in family.rewards and abs(q - limit) > 1e-12:
                    assert divergence(m, q) == pytest.approx(budget, rel=1e-6)
                    assert (q > m) == (limit > m)


# The loop


def policies():
    return [
        successive_elimination(0.1),
        lucb(0.1),
        kl_lucb(0.1),
        track_and_stop(0.1),
        uniform_sampling(0.1),
        sequential_halving(100),
    ]


@pytest.mark.parametrize("policy", policies(), ids=str)
def test_replicates_depend_neither_on_company_nor_on_workers(policy):
    alone = find_best_arm(THREE, policy, rng=stream(0, "alone"), replicates=LANES + 3)
    few = find_best_arm(THREE, policy, rng=stream(0, "alone"), replicates=5)
    with Workers(2) as pool:
        together = find_best_arm(THREE, policy, rng=stream(0, "alone"), replicates=LANES + 3, workers=pool)
    np.testing.assert_array_equal(alone.pulls, together.pulls)
    np.testing.assert_array_equal(alone.arms, together.arms)
    np.testing.assert_array_equal(alone.pulls[:5], few.pulls)
    assert len(set(alone.pulls[:, 1].tolist())) > 1 or policy.name == "sequential halving"


@pytest.mark.parametrize("policy", policies(), ids=str)
def test_a_run_is_given_up_at_the_horizon(policy):
    found = find_best_arm(Bandit.bernoulli([0.5, 0.5]), policy, rng=stream(0, "tie"), replicates=20, horizon=40)
    assert (found.times <= 40).all()
    assert (found.arms[~found.stopped] == -1).all()
    assert (found.times[~found.stopped] == 40).all()
    assert not found.stopped.all()


def test_several_laws():
    for bandit, policy in (
        (Bandit.gaussian([0, 1, 2]), track_and_stop(0.1, gaussian_family())),
        (Bandit.gaussian([0, 1, 2], 0.1), lucb(0.1, 0.1)),
        (Bandit.poisson([1, 2, 8]), kl_lucb(0.1, POISSON)),
        (Bandit.exponential([1, 2, 20]), kl_lucb(0.1, EXPONENTIAL)),
        (Bandit.beta([1, 1, 9], [2, 1, 1]), track_and_stop(0.1)),
        (Bandit.own(lambda arm, u: 1.0 if u < 0.1 + 0.4 * arm else 0.0, [0.1, 0.5, 0.9], support=(0, 1)), kl_lucb(0.1)),
    ):
        found = find_best_arm(bandit, policy, rng=stream(0, "laws"), replicates=20)
        assert (found.arms == 2).sum() >= 18


def test_halving_spends_its_budget():
    bandit = Bandit.bernoulli([0.1, 0.2, 0.3, 0.4, 0.9])
    found = find_best_arm(bandit, sequential_halving(120), rng=stream(0, "halving"), replicates=50)
    # Three rounds of 40 pulls: 8 for each of 5, 13 for each of 3, 20 for each of 2.
    assert (np.sort(found.pulls, axis=1) == [8, 8, 21, 41, 41]).all()
    assert (found.pulls.argmax(axis=1) <= found.arms).all()
    # One pull is not enough for a share: arms are dropped unseen, the later ones first.
    unseen = find_best_arm(bandit, sequential_halving(1), rng=stream(0, "halving"))
    assert unseen.arms.tolist() == [0]
    assert unseen.times.tolist() == [0]


def test_track_and_stop_approaches_the_optimal_weights_and_time():
    bandit = Bandit.bernoulli([0.5, 0.35, 0.2])
    truth = characteristic_time(bandit)
    found = find_best_arm(bandit, track_and_stop(1e-12), rng=stream(0, "weights"), replicates=100)
    shares = found.pulls.sum(axis=0) / found.times.sum()
    np.testing.assert_allclose(shares, truth.weights, atol=0.03)
    # The threshold adds log(4 sqrt(n_a n_b)) to log(1 / delta): about a third of 27.6.
    assert 1 <= found.times.mean() / truth.lower_bound(1e-12) < 1.5
    even = find_best_arm(bandit, uniform_sampling(1e-12), rng=stream(0, "weights"), replicates=100)
    assert even.times.mean() > 1.2 * found.times.mean()


def test_comparison_is_labelled():
    runs = compare_stopping_policies(THREE, policies(), replicates=30)
    assert runs["pulls"].dims == ("policy", "replicate", "arm_pulled")
    assert (runs["time"] == runs["pulls"].sum("arm_pulled")).all()
    assert runs["stopped"].all()
    again = compare_stopping_policies(THREE, [kl_lucb(0.1)], replicates=30, workers=1)
    assert (again["time"].sel(policy="KL-LUCB") == runs["time"].sel(policy="KL-LUCB")).all()
    mostly = (runs["arm"] == 1).mean("replicate")
    assert (mostly > 0.8).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lucb(0.0), r"delta is 0.0; it must lie in \(0, 1\)"),
        (lambda: successive_elimination(1.0), "delta is 1.0"),
        (lambda: successive_elimination(0.1, 0), "deviation is 0.0; it must be finite and > 0"),
        (lambda: kl_lucb(-1), "delta is -1"),
        (lambda: track_and_stop(0.1, POISSON), "no threshold is proved for Poisson rewards, only for Bernoulli and Ga"),
        (lambda: uniform_sampling(0.1, EXPONENTIAL), "no threshold is proved for exponential rewards"),
        (lambda: sequential_halving(0), "budget is 0; it must be >= 1"),
        (lambda: find_best_arm(THREE, lucb(0.1), rng=stream(0), horizon=2), "horizon is 2; it must be at least .* 3"),
        (lambda: find_best_arm(THREE, lucb(0.1), rng=stream(0), replicates=0), "replicates is 0"),
        (
            lambda: find_best_arm(Bandit.gaussian([0, 1]), kl_lucb(0.1), rng=stream(0)),
            r"KL-LUCB takes rewards in \[0.0, 1.0\]; those of the gaussian bandit with 2 arms lie in \[-inf, inf\]",
        ),
        (lambda: compare_stopping_policies(THREE, []), "there is nothing to play"),
        (lambda: compare_stopping_policies(THREE, [lucb(0.1)] * 2), "two policies are called 'LUCB'"),
        (lambda: characteristic_time(Bandit.bernoulli([0.5, 0.2, 0.5])), "arms 0 and 2 are both best"),
        (lambda: characteristic_time(Bandit.gaussian([0, 1], [1, 2])), r"deviations are \[1.0, 2.0\]; they must be eq"),
        (lambda: characteristic_time(Bandit.beta([1, 2], [1, 1])), "no characteristic time is known for its law"),
        (lambda: characteristic_time(THREE).lower_bound(0.5), r"delta is 0.5; it must lie in \(0, 1/2\)"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_theorem_settings_name_their_hypothesis():
    s = Arms(np.array([0.5, 0.5]), 0.1)
    (verdict,) = rl.verify(rl.find("lucb/pulls"), settings=[s])
    assert verdict.status is Status.NOT_APPLICABLE
    assert "one arm is best" in verdict.reason
