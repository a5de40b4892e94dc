"""Regression on labelled pairs finds what it should, and with all pairs in proportion it is Hedge, or Nash-MD."""

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - it has to be there before its threads can be limited
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from rltheory import find, hedge, nash_md, verify
from rltheory.algorithms.games.direct_nash_optimization import (
    SAMPLING,
    direct_nash_optimization,
    draw_labels,
    exact_update,
    fit_scores,
    sampling_law,
)
from rltheory.instances import cycle, random_game
from rltheory.simulation import stream
from rltheory.theory import Status
from tests.strategies import games, policies

# The search stops where the loss is within rounding, 1e-16, of the smallest; scores are then off by the root of that,
# over the root of the curvature.
SEARCH = 1e-6


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """On matrices this small, threads only wait for each other."""
    with threadpool_limits(1, user_api="blas"):
        yield


def sigma(t):
    return 1 / (1 + np.exp(-t))


def proportions(law, values):
    """Labels in the proportions in which they are drawn."""
    return np.outer(law, law) * sigma(np.subtract.outer(values, values)) * 2


def gradient(labels, scores):
    """Of the average loss, from its definition."""
    total = np.zeros(len(scores))
    for a, b in np.ndindex(labels.shape):
        pull = labels[a, b] / labels.sum() * sigma(scores[b] - scores[a])
        total[a] -= pull
        total[b] += pull
    return total


@pytest.mark.parametrize("sampling", SAMPLING)
@settings(max_examples=20)
@given(game=games(min_n=2), data=st.data())
def test_population_version_is_hedge(sampling, game, data):
    start = data.draw(policies(game.n))
    exact = hedge(game, iterations=3, rate=1 / 0.7, start=start)
    log_policy = np.log(start)
    for expected in exact["log_next"]:
        values = game.prefer @ np.exp(log_policy)
        law = sampling_law(sampling, log_policy, exact_update(log_policy, values, 0.7))
        log_policy = exact_update(log_policy, fit_scores(proportions(law, values)), 0.7)
        # Pairs of two rare actions are seen once in 2^12 or less: their scores are that much less curved in the loss.
        np.testing.assert_allclose(log_policy, expected, atol=100 * SEARCH)


@settings(max_examples=20)
@given(game=games(min_n=2), data=st.data())
def test_population_version_with_the_mixture_is_nash_md(game, data):
    start, reference, beta, eta = data.draw(policies(game.n)), data.draw(policies(game.n)), 0.2, 0.8
    exact = nash_md(game, beta=beta, iterations=3, rate=1 / eta, start=start, reference=reference)
    log_policy, share = np.log(start), beta / eta
    for expected in exact["log_next"]:
        mixed = (1 - share) * log_policy + share * np.log(reference)
        mixed -= np.logaddexp.reduce(mixed)
        values = game.prefer @ np.exp(mixed)
        log_policy = exact_update(mixed, fit_scores(proportions(np.exp(mixed), values)), eta)
        np.testing.assert_allclose(log_policy, expected, atol=100 * SEARCH)


@given(
    labels=st.integers(2, 6).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 20), min_size=n, max_size=n), min_size=n, max_size=n)
    ),
    width=st.sampled_from([0.1, 1.0, 5.0]),
)
def test_scores_maximise_the_likelihood(labels, width):
    """A concave function on a box is largest where no direction into the box ascends."""
    labels = np.array(labels)
    scores = fit_scores(labels, width)
    assert np.abs(scores).max() <= width / 2 + 1e-12
    if labels.sum():
        slopes = gradient(labels, scores)
        assert (slopes[scores < width / 2 - 1e-9] >= -SEARCH).all()
        assert (slopes[scores > -width / 2 + 1e-9] <= SEARCH).all()


@pytest.mark.parametrize(("wins", "losses"), [(6, 4), (1, 3), (50, 50), (9, 0)])
def test_two_actions_in_closed_form(wins, losses):
    first, second = fit_scores(np.array([[17, wins], [losses, 5]]))
    with np.errstate(divide="ignore"):
        expected = np.clip(np.log(wins) - np.log(losses), -1, 1)
    np.testing.assert_allclose(first - second, expected, atol=SEARCH)
    np.testing.assert_allclose(first + second, 0, atol=1e-12)


def test_actions_that_no_pair_compares_stay_at_a_tie():
    labels = np.zeros((6, 6))
    labels[0, 1], labels[1, 0], labels[1, 2], labels[2, 1] = 3, 2, 30, 40
    labels[3, 4], labels[4, 3], labels[5, 5] = 5, 4, 8
    scores = fit_scores(labels)
    assert scores[5] == 0
    compared = (labels + labels.T)[:5].sum(1)
    np.testing.assert_allclose([compared[:3] @ scores[:3], compared[3:] @ scores[3:5]], 0, atol=1e-9)
    np.testing.assert_allclose([scores[0] - scores[1], scores[3] - scores[4]], np.log([3 / 2, 5 / 4]), atol=SEARCH)
    np.testing.assert_array_equal(fit_scores(np.diag([1.0, 2.0])), 0)
    np.testing.assert_array_equal(fit_scores(np.zeros((3, 3))), 0)


def test_scores_follow_names_and_ignore_scale():
    labels = np.random.default_rng(0).integers(1, 20, (5, 5))
    order = np.array([3, 0, 4, 2, 1])
    np.testing.assert_allclose(fit_scores(labels)[order], fit_scores(labels[np.ix_(order, order)]), atol=SEARCH)
    np.testing.assert_allclose(fit_scores(labels), fit_scores(7 * labels), atol=SEARCH)


def test_labels_are_drawn_as_stated():
    law, values, pairs = np.array([0.6, 0.3, 0.1, 0.0]), np.array([0.4, 0.0, -0.3, 5.0]), 200_000
    labels = draw_labels(law, values, pairs, stream(0, "test", "labels"))
    expected = proportions(law, values)
    expected[np.diag_indices(4)] = law**2
    assert labels.sum() == pairs
    # Five standard deviations each; one of sixteen fails in a hundred thousand seeds.
    assert (np.abs(labels / pairs - expected) <= 5 * np.sqrt(expected * (1 - expected) / pairs)).all()


def test_many_pairs_come_close_to_hedge():
    game = random_game(stream(0, "test", "game"), 4)
    exact = hedge(game, iterations=10, rate=1.0)
    rng = stream(0, "test", "many pairs")
    learnt = direct_nash_optimization(game, inverse_rate=1.0, iterations=10, pairs=10**8, rng=rng)
    # Noise of some 1e-3 in the scores of an action that one pair in a hundred shows, in each of ten iterations.
    np.testing.assert_allclose(learnt["log_policy"], exact["log_policy"], atol=0.02)
    np.testing.assert_allclose(learnt["mean"], exact["mean"], atol=0.01)


def test_trace_is_what_it_says():
    game, rng = cycle(3), stream(0, "test", "trace")
    trace = direct_nash_optimization(
        game, inverse_rate=0.5, iterations=7, pairs=20, rng=rng, sampling="uniform", width=0.8, start=[0.5, 0.3, 0.2]
    )
    np.testing.assert_array_equal(trace.times, np.arange(8))
    np.testing.assert_array_equal(trace["pairs"], 20 * np.arange(8))
    np.testing.assert_array_equal(trace["labels"].sum((1, 2)), 20)
    np.testing.assert_allclose(np.exp(trace["log_policy"][0]), [0.5, 0.3, 0.2])
    np.testing.assert_array_equal(trace["log_policy"][1:], trace["log_next"][:-1])
    for t, labels in enumerate(trace["labels"]):
        policy = np.exp(trace["log_policy"][t])
        weights = policy * np.exp(fit_scores(labels, 0.8) / 0.5)
        np.testing.assert_allclose(np.exp(trace["log_next"][t]), weights / weights.sum(), rtol=1e-12)
        weights = policy * np.exp(game.prefer @ policy / 0.5)
        np.testing.assert_allclose(np.exp(trace["log_target"][t]), weights / weights.sum(), rtol=1e-12)
        np.testing.assert_allclose(trace["mean"][t], np.exp(trace["log_policy"][: t + 1]).mean(0), rtol=1e-12)


def test_pairs_come_from_the_law_that_is_asked_for():
    game, start = cycle(3), np.array([1 - 2e-9, 1e-9, 1e-9])

    def seen(sampling, inverse_rate):
        rng = stream(0, "test", "law", sampling)
        options = {"inverse_rate": inverse_rate, "iterations": 0, "pairs": 100, "rng": rng, "start": start}
        labels = direct_nash_optimization(game, sampling=sampling, **options).last("labels")
        return (labels + labels.T).sum(0) > 0

    # An action of weight 1e-9 among 200 draws: once in five million seeds.
    np.testing.assert_array_equal(seen("policy", 0.01), [True, False, False])
    np.testing.assert_array_equal(seen("uniform", 0.01), [True, True, True])
    # Its exact update takes nearly all the weight of the one that it beats.
    np.testing.assert_array_equal(seen("target", 0.01), [False, False, True])


def test_same_stream_same_run():
    runs = [
        direct_nash_optimization(cycle(3), inverse_rate=1.0, iterations=5, pairs=10, rng=stream(seed, "test", "run"))[
            "log_next"
        ].tobytes()
        for seed in (0, 0, 1)
    ]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pairs": 0}, "pairs is 0; it must be >= 1"),
        ({"iterations": -1}, "iterations is -1; it must be >= 0"),
        ({"inverse_rate": 0.0}, "inverse_rate is 0.0; it must be finite and > 0"),
        ({"width": -1.0}, "width is -1.0; it must be finite and > 0"),
        ({"sampling": "greedy"}, "sampling is 'greedy'; it must be one of 'policy', 'uniform', 'target'"),
        ({"start": [0.5, 0.5]}, "start has 2 entries; the game has 3 actions"),
    ],
)
def test_bad_arguments_are_named(wrong, message):
    arguments = {"inverse_rate": 1.0, "iterations": 2, "pairs": 5, "rng": stream(0, "test"), **wrong}
    with pytest.raises(ValueError, match=message):
        direct_nash_optimization(cycle(3), **arguments)


@pytest.mark.parametrize(
    ("name", "at_least"),
    [
        ("dno/improvement-printed", 0.98),  # fast rates, rare winner: 1 - 2 eta
        ("dno/total-variation", 0.9997),
        ("dno/quotient", 1 - 1e-6),
        ("dno/regression", 0.99),  # near a tie the loss is a parabola
    ],
)
def test_statements_are_sharp(name, at_least):
    verdicts = verify(find(name))
    assert {verdict.status for verdict in verdicts} == {Status.HOLDS}
    assert at_least < max(verdict.tightness for verdict in verdicts) <= 1 + 1e-6
