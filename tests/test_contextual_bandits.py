"""Contextual bandits: policies against plain restatements on the same draws, laws of what is drawn, and bad input."""

import math
import tracemalloc

import numba
import numpy as np
import pytest

import rltheory as rl
from rltheory.algorithms import bandits
from rltheory.algorithms.bandits import (
    ContextualPolicy,
    compare_policies,
    exponential_weights,
    falcon,
    glm_ucb,
    inverse_gap_weights,
    lin_ucb,
    linear_thompson,
    oful,
    oracle_epsilon_greedy,
    play_contextual_bandit,
    retrain,
    ridge,
    square_cb,
    vovk_azoury_warmuth,
)
from rltheory.algorithms.bandits.contextual import Replicate
from rltheory.algorithms.bandits.linear import learn_linear
from rltheory.algorithms.bandits.play import LANES
from rltheory.problems import Bandit, ContextualBandit, LinearBandit, LogisticBandit
from rltheory.simulation import Workers, stream
from rltheory.theory.settings import setting_from_dict, setting_to_dict
from tests.contextual_replay import (
    ByInverseGaps,
    Falcon,
    Greedy,
    Linear,
    Logistic,
    Optimistic,
    Thompson,
    Vovk,
    Weights,
    counts,
    replay,
)

SIGMAS = 5.3  # a false alarm of one interval in 1e7

# Lengths differ, so that no two arms are alike and rounding decides nothing.
FEATURES = stream(0, "features").normal(size=(3, 4, 2)) * np.linspace(0.4, 1, 4)[:, None]
NORMAL = LinearBandit(FEATURES, [-0.3, 0.2], deviation=0.4, frequencies=[0.5, 0.3, 0.2])
LOGISTIC = LogisticBandit(FEATURES, [-1.5, 1.0], frequencies=[0.2, 0.3, 0.5])
TABLES = np.concatenate([LOGISTIC.means[None], stream(0, "class").random((6, 3, 4))])

# Each policy with its restatement, and with one that differs a little.
PAIRS = {
    "OFUL": (
        NORMAL,
        oful(FEATURES, noise=0.4, size=1, delta=0.1, regularization=0.5),
        lambda slip: Optimistic(
            FEATURES, 0.5, lambda ratio: 0.4 * math.sqrt(2 * math.log(10) + ratio) + math.sqrt(0.5) + slip
        ),
    ),
    "LinUCB": (
        NORMAL,
        lin_ucb(FEATURES, width=0.7, regularization=2),
        lambda slip: Optimistic(FEATURES, 2, lambda ratio: 0.7 + slip),
    ),
    "linear Thompson": (
        NORMAL,
        linear_thompson(FEATURES, deviation=0.5, regularization=1.5),
        lambda slip: Thompson(FEATURES, 1.5, 0.5 + slip),
    ),
    "GLM-UCB": (
        LOGISTIC,
        glm_ucb(FEATURES, width=0.2, regularization=0.5),
        lambda slip: Logistic(FEATURES, 0.5, 0.2 + slip),
    ),
    "SquareCB, ridge": (
        NORMAL,
        square_cb(ridge(FEATURES, regularization=0.7), gamma=5, power=0.5),
        lambda slip: ByInverseGaps(Linear(FEATURES, 0.7), lambda t: (5 + 50 * slip) * math.sqrt(t)),
    ),
    "SquareCB, Vovk-Azoury-Warmuth": (
        NORMAL,
        square_cb(vovk_azoury_warmuth(FEATURES, regularization=0.7), gamma=20),
        lambda slip: ByInverseGaps((Linear if slip else Vovk)(FEATURES, 0.7), lambda t: 20),
    ),
    "SquareCB, exponential weights": (
        LOGISTIC,
        square_cb(exponential_weights(TABLES, rate=0.4), gamma=20),
        lambda slip: ByInverseGaps(Weights(TABLES, 0.4 + slip), lambda t: 20),
    ),
    "ε-greedy, ridge": (
        NORMAL,
        oracle_epsilon_greedy(ridge(FEATURES), epsilon=0.9, power=1 / 3),
        lambda slip: Greedy(Linear(FEATURES, 1), lambda t: (0.9 - slip) * t ** (-1 / 3)),
    ),
    "ε-greedy, exponential weights": (
        LOGISTIC,
        oracle_epsilon_greedy(exponential_weights(TABLES), epsilon=0.3),
        lambda slip: Greedy(Weights(TABLES), lambda t: 0.3 + slip),
    ),
    "FALCON": (
        LOGISTIC,
        falcon(TABLES, delta=0.1, scale=2),
        lambda slip: Falcon(TABLES, 0.1, 2 + 10 * slip),
    ),
}
N = 300


def same_play(bandit, policy, plain, delay, batch, replicates=2):
    """Whether pulls agree to the last one, and sums of rewards to rounding."""
    trace = play_contextual_bandit(
        bandit, policy, horizon=N, rng=stream(0, "same"), delay=delay, batch=batch, replicates=replicates, points=10**6
    )
    for i in range(replicates):
        rounds = replay(bandit, plain(), stream(0, "same"), N, replicate=i, delay=delay, batch=batch)
        contexts, arms, rewards = rounds
        if not (trace["pulls"][:, i] == counts(bandit, contexts, arms, trace.times)).all():
            return False
        earned = np.zeros(bandit.means.shape)
        np.add.at(earned, (contexts, arms), rewards)
        np.testing.assert_allclose(trace["earned"][-1, i], earned, atol=1e-10)
    return True


@pytest.mark.parametrize(("delay", "batch"), [(0, 1), (0, 20), (30, 1), (25, 20)])
@pytest.mark.parametrize("name", PAIRS)
def test_policies_against_plain_python(name, delay, batch):
    bandit, policy, plain = PAIRS[name]
    assert policy.name == name
    assert same_play(bandit, policy, lambda: plain(0.0), delay, batch)


@pytest.mark.parametrize("name", PAIRS)
def test_comparison_has_teeth(name):
    bandit, policy, plain = PAIRS[name]
    assert not same_play(bandit, policy, lambda: plain(0.5), 0, 1)


def test_inverse_gap_weights_by_hand():
    np.testing.assert_allclose(inverse_gap_weights([0.2, 0.7, 0.7], 10), [1 / 8, 13 / 24, 1 / 3])
    np.testing.assert_allclose(inverse_gap_weights([3, 1], 0), [0.5, 0.5])
    for predictions in stream(0, "weights").normal(size=(50, 5)):
        weights = inverse_gap_weights(predictions, 7)
        assert weights.sum() == pytest.approx(1)
        assert weights.argmax() == predictions.argmax()


def test_arms_are_drawn_with_inverse_gap_weights():
    tables = np.array([[[0.3, 0.9, 0.5, 0.9]]])
    bandit, replicates = ContextualBandit(tables[0]), 20_000
    policy = square_cb(exponential_weights(tables), gamma=6)
    trace = play_contextual_bandit(bandit, policy, horizon=1, rng=stream(0, "weights"), replicates=replicates)
    shares, p = trace["pulls"][-1, :, 0].mean(axis=0), inverse_gap_weights(tables[0, 0], 6)
    assert (np.abs(shares - p) <= SIGMAS * np.sqrt(p * (1 - p) / replicates)).all()


def test_exploration_changes_with_time_as_stated():
    """With one table an oracle has nothing to learn, and each round is one of its rule."""
    tables, replicates = np.array([[[0.2, 0.6, 0.4]]]), 20_000
    oracle = exponential_weights(tables)
    rules = {
        "gaps": (square_cb(oracle, gamma=4, power=0.5), lambda t: inverse_gap_weights(tables[0, 0], 4 * math.sqrt(t))),
        "blind": (
            oracle_epsilon_greedy(oracle, epsilon=0.9, power=1 / 3),
            lambda t: 0.3 * t ** (-1 / 3) + (1 - 0.9 * t ** (-1 / 3)) * np.array([0, 1, 0]),
        ),
    }
    for name, (policy, law) in rules.items():
        trace = play_contextual_bandit(
            ContextualBandit(tables[0]), policy, horizon=6, rng=stream(0, name), replicates=replicates
        )
        shares = np.diff(trace["pulls"][:, :, 0].mean(axis=1), axis=0)
        for t, share in enumerate(shares, 1):
            p = law(t)
            assert (np.abs(share - p) <= SIGMAS * np.sqrt(p * (1 - p) / replicates)).all()


def test_linear_estimates_do_not_drift():
    """After 20 000 updates inverse, estimate and determinant are those of the sums."""
    rng, d = stream(0, "drift"), 3
    phi, theta = rng.normal(size=(1, 8, d)), rng.normal(size=d)
    replicate = Replicate(phi, np.zeros((d + 4, d)), 8, np.zeros((4, 1), np.uint64), 0)
    replicate.memory[:d] = np.eye(d) / 0.5
    v, targets = 0.5 * np.eye(d), np.zeros(d)
    for arm in rng.integers(8, size=20_000):
        reward = phi[0, arm] @ theta + rng.normal()
        learn_linear(0, arm, reward, np.zeros(1), replicate)
        v, targets = v + np.outer(phi[0, arm], phi[0, arm]), targets + reward * phi[0, arm]
    np.testing.assert_allclose(replicate.memory[:d] @ v, np.eye(d), atol=1e-9)
    np.testing.assert_allclose(replicate.memory[d], np.linalg.solve(v, targets), rtol=1e-9)
    assert replicate.memory[d + 1, 0] == pytest.approx(np.linalg.slogdet(v / 0.5)[1], rel=1e-11)


# What is drawn


def uniform_policy(bandit):
    return oracle_epsilon_greedy(exponential_weights(np.full((1, *bandit.means.shape), 0.5)), epsilon=1)


@pytest.mark.parametrize("bandit", [LOGISTIC, NORMAL], ids=str)
def test_contexts_and_rewards_have_their_laws(bandit):
    policy = uniform_policy(bandit) if bandit.deviation is None else oracle_epsilon_greedy(ridge(FEATURES), epsilon=1)
    n, replicates = 200, 200
    trace = play_contextual_bandit(bandit, policy, horizon=n, rng=stream(0, "laws"), replicates=replicates)
    pulls, earned = trace["pulls"][-1].sum(axis=0), trace["earned"][-1].sum(axis=0)
    p = np.repeat(bandit.frequencies[:, None] / bandit.arms, bandit.arms, axis=1)
    total = n * replicates
    assert (np.abs(pulls / total - p) <= SIGMAS * np.sqrt(p * (1 - p) / total)).all()
    deviation = np.sqrt(bandit.means * (1 - bandit.means)) if bandit.deviation is None else bandit.deviation
    assert (np.abs(earned / pulls - bandit.means) <= SIGMAS * deviation / np.sqrt(pulls)).all()
    once = play_contextual_bandit(bandit, policy, horizon=1, rng=stream(0, "laws"), replicates=40_000)
    rewards = once["earned"][-1].sum(axis=(1, 2)) - (once["pulls"][-1] * bandit.means).sum(axis=(1, 2))
    variance = (p * deviation**2).sum()
    assert rewards.var() == pytest.approx(variance, rel=SIGMAS * math.sqrt(2 / rewards.size))


def test_regret_is_that_of_the_pulls():
    bandit, policy, _ = PAIRS["OFUL"]
    trace = play_contextual_bandit(bandit, policy, horizon=2000, rng=stream(0, "regret"), replicates=5)
    assert (trace["pulls"].sum(axis=(2, 3)) == trace.times[:, None]).all()
    gaps = np.array([row.max() - row for row in FEATURES @ [-0.3, 0.2]])
    np.testing.assert_allclose(trace["regret"], (trace["pulls"] * gaps).sum(axis=(2, 3)))


# Late feedback


def test_who_never_learns_pulls_as_in_the_first_round():
    greedy = oracle_epsilon_greedy(exponential_weights(TABLES), epsilon=0)
    first = TABLES.mean(axis=0).argmax(axis=1)
    for delay, batch in ((100, 1), (0, 101)):
        trace = play_contextual_bandit(LOGISTIC, greedy, horizon=100, rng=stream(0, "x"), delay=delay, batch=batch)
        pulls = trace.last("pulls")[0]
        assert (pulls[np.arange(3), first] == pulls.sum(axis=1)).all()


def test_late_feedback_costs():
    def regret(**late):
        runs = compare_policies(NORMAL, [PAIRS["OFUL"][1]], horizon=1000, replicates=200, **late)
        return runs["regret"].isel(time=-1).mean().item()

    now, batched, late = regret(), regret(batch=200), regret(delay=200)
    assert 10 * now < min(batched, late)


def test_memory_does_not_grow_with_the_horizon():
    def peak(horizon):
        tracemalloc.start()
        play_contextual_bandit(
            LOGISTIC, uniform_policy(LOGISTIC), horizon=horizon, rng=stream(0, "m"), delay=5, points=20
        )
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)  # compiles
    assert peak(100_000) < 1.5 * peak(1000)


# Numbers that must not depend on anything else


@pytest.mark.parametrize("name", PAIRS)
def test_a_replicate_does_not_depend_on_those_beside_it_or_on_workers(name):
    bandit, policy, _ = PAIRS[name]

    def play(replicates, workers=None):
        trace = play_contextual_bandit(
            bandit,
            policy,
            horizon=60,
            rng=stream(0, "beside"),
            replicates=replicates,
            delay=3,
            batch=4,
            workers=workers,
        )
        return np.concatenate([trace["pulls"], trace["earned"]])

    many = play(LANES + 7)
    assert (play(3) == many[:, :3]).all()
    assert len(np.unique(many[-1], axis=0)) > 1
    for number in (1, 3):
        with Workers(number) as workers:
            assert play(LANES + 7, workers).tobytes() == many.tobytes()


@pytest.mark.parametrize("name", PAIRS)
def test_beginnings_do_not_depend_on_the_horizon(name):
    bandit, policy, _ = PAIRS[name]
    short, long = (
        play_contextual_bandit(bandit, policy, horizon=n, rng=stream(0, "begin"), points=10**6)["pulls"][:101]
        for n in (100, 200)
    )
    assert (short == long).all()


def test_policies_do_not_depend_on_company():
    policies = [PAIRS["OFUL"][1], PAIRS["LinUCB"][1], PAIRS["linear Thompson"][1]]
    runs = compare_policies(NORMAL, policies, horizon=200, replicates=100, workers=1)
    again = compare_policies(NORMAL, policies[::-1][:2], horizon=200, replicates=100, workers=3)
    assert again.equals(runs.sel(policy=again["policy"]))
    assert not again.equals(compare_policies(NORMAL, policies[::-1][:2], horizon=200, replicates=100, seed=1))
    assert runs["regret"].dims == ("policy", "replicate", "time")
    assert runs["pulls"].dims == ("policy", "replicate", "time", "context", "arm")


def test_figures_take_the_data():
    runs = compare_policies(NORMAL, [PAIRS["OFUL"][1], PAIRS["LinUCB"][1]], horizon=200, replicates=30)
    ax = rl.plots.regret(runs, slopes=(0.5,), log_regret=True)
    for line, mean in zip(ax.lines, runs["regret"].mean("replicate").to_numpy(), strict=False):
        assert line.get_ydata() == pytest.approx(mean[1:])


# Learning


def test_who_explores_less_with_time_loses_less():
    """Where exploration falls, the second half of the rounds costs less than the first; where it is fixed, as much."""

    def late_share(bandit, policy):
        times = compare_policies(bandit, [policy], horizon=4000, replicates=50)["regret"].mean(("policy", "replicate"))
        half = int(np.abs(times["time"].to_numpy() - 2000).argmin())
        return 1 - (times[half] / times[-1]).item()

    fixed = {"SquareCB, Vovk-Azoury-Warmuth", "SquareCB, exponential weights", "ε-greedy, exponential weights"}
    for name, (bandit, policy, _) in PAIRS.items():
        share = late_share(bandit, policy)
        assert share > 0.45 if name in fixed else share < 0.4, name


# Problems


def test_means_and_gaps_by_hand():
    bandit = LinearBandit([[[1, 0], [0, 1]], [[0.5, 0.5], [0, 0]]], [0.2, 0.6], deviation=2.0)
    np.testing.assert_allclose(bandit.means, [[0.2, 0.6], [0.4, 0]])
    np.testing.assert_allclose(bandit.gaps, [[0.4, 0], [0, 0.4]])
    assert (bandit.contexts, bandit.arms, bandit.dimension, bandit.length) == (2, 2, 2, 1)
    assert (bandit.noise, bandit.support) == (2.0, (-math.inf, math.inf))
    coin = LogisticBandit([[2.0], [0.0]], [math.log(2)])
    np.testing.assert_allclose(coin.means, [[0.8, 0.5]])
    assert (coin.noise, coin.support) == (0.5, (0.0, 1.0))
    with pytest.raises(ValueError, match="read-only"):
        bandit.means[0, 0] = 1


def test_equal_bandits_have_equal_digests():
    table = [[0.1, 0.9], [0.5, 0.4]]
    bandit = ContextualBandit(table)
    assert bandit == ContextualBandit(table, title="another name")
    assert hash(bandit) == hash(ContextualBandit(table))
    others = [
        ContextualBandit(table, frequencies=[0.4, 0.6]),
        ContextualBandit(table, deviation=1.0),
        ContextualBandit([[0.1, 0.9], [0.5, 0.3]]),
        LinearBandit(np.eye(4).reshape(2, 2, 4), [0.1, 0.9, 0.5, 0.4]),
    ]
    assert len({bandit.digest, *(other.digest for other in others)}) == 5


@pytest.mark.parametrize("bandit", [NORMAL, LOGISTIC, ContextualBandit([[0.1, 0.7]], title="one")], ids=repr)
def test_bandits_can_be_written_and_read(bandit):
    again = setting_from_dict(type(bandit), setting_to_dict(bandit))
    assert again == bandit
    assert str(again) == str(bandit)


# Bad input

SMALL = ContextualBandit([[0.2, 0.8]])


def play_small(policy, **options):
    return play_contextual_bandit(SMALL, policy, **({"horizon": 9, "rng": stream(0, "bad")} | options))


SMALL_POLICY = lin_ucb([[1.0], [2.0]], width=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContextualBandit([[0.5, 1.2]]), r"means\[0, 1\] is 1.2; the mean of rewards 0 and 1 lies in \[0, 1\]"),
        (lambda: ContextualBandit([[0.5]]), r"means has shape \(1, 1\); expected at least 1 context and 2 arms"),
        (lambda: ContextualBandit([0.5, 0.5]), "2 dimensions"),
        (lambda: ContextualBandit([[0.5, math.nan]]), r"means\[0, 1\] is nan"),
        (lambda: ContextualBandit([[0, 1]], deviation=0), "deviation is 0.0; it must be finite and > 0"),
        (lambda: ContextualBandit([[0, 1]] * 2, frequencies=[1]), "frequencies has 1 entries; there are 2 contexts"),
        (lambda: ContextualBandit([[0, 1]] * 2, frequencies=[1.5, -0.5]), r"frequencies\[1\] is -0.5; it must be >= 0"),
        (lambda: ContextualBandit([[0, 1]] * 2, frequencies=[0.5, 0.6]), "frequencies sums to 1.1; expected 1"),
        (lambda: LinearBandit([[1, 0], [0, 1]], [1]), "parameter has 1 entries; features have 2"),
        (lambda: LinearBandit([[1, 0], [0, 1]], [1, 2]), r"means\[0, 1\] is 2; the mean of rewards 0 and 1"),
        (lambda: LinearBandit([[1, 0]], [1, 0]), "expected at least 1 context, 2 arms and 1 feature"),
        (lambda: LinearBandit([1, 0], [1, 0]), "3 dimensions"),
        (lambda: oful(FEATURES, noise=0, size=1, delta=0.1), "noise is 0.0"),
        (lambda: oful(FEATURES, noise=1, size=-1, delta=0.1), "size is -1.0"),
        (lambda: oful(FEATURES, noise=1, size=1, delta=1), r"delta is 1; it must lie in \(0, 1\)"),
        (lambda: oful(FEATURES, noise=1, size=1, delta=0.1, regularization=0), "regularization is 0.0"),
        (lambda: lin_ucb(FEATURES, width=-1), "width is -1.0"),
        (lambda: lin_ucb([[1.0]], width=1), "2 arms"),
        (lambda: linear_thompson(FEATURES, deviation=0), "deviation is 0.0"),
        (lambda: glm_ucb(FEATURES, width=-2), "width is -2.0"),
        (lambda: exponential_weights([[[0.1, 1.5]]]), r"tables\[0, 0, 1\] is 1.5; a mean reward must lie in \[0, 1\]"),
        (lambda: exponential_weights([[[0.1]]]), r"tables has shape \(1, 1, 1\)"),
        (lambda: exponential_weights(TABLES, rate=0), "rate is 0.0"),
        (lambda: square_cb(ridge(FEATURES), gamma=0), "gamma is 0.0"),
        (lambda: square_cb(ridge(FEATURES), gamma=1, power=-1), "power is -1.0"),
        (lambda: oracle_epsilon_greedy(ridge(FEATURES), epsilon=1.5), r"epsilon is 1.5; it must lie in \[0, 1\]"),
        (lambda: inverse_gap_weights([0.1, 0.2], -1), "gamma is -1.0"),
        (lambda: falcon(TABLES, delta=0), r"delta is 0; it must lie in \(0, 1\)"),
        (lambda: falcon(TABLES, scale=0), "scale is 0.0"),
        (
            lambda: retrain(SMALL, [[[0.1, 0.2, 0.3]]], epsilon=0.1, generations=1),
            r"tables has shape \(1, 1, 3\); expected \(m, 1, 2\) with m >= 1",
        ),
        (
            lambda: retrain(SMALL, [[[0.1, 0.2]]], epsilon=0.1, generations=1, first=1),
            "first is 1; there are 1 tables",
        ),
        (lambda: play_small(SMALL_POLICY, horizon=0), "horizon is 0; it must be >= 1"),
        (lambda: play_small(SMALL_POLICY, delay=-1), "delay is -1; it must be >= 0"),
        (lambda: play_small(SMALL_POLICY, batch=0), "batch is 0; it must be >= 1"),
        (lambda: play_small(SMALL_POLICY, replicates=0), "replicates is 0"),
        (
            lambda: play_small(PAIRS["OFUL"][1]),
            "OFUL is made for 3 contexts and 4 arms; the contextual bandit, .* has 1 contexts and 2 arms",
        ),
        (
            lambda: compare_policies(NORMAL, [PAIRS["GLM-UCB"][1]], horizon=9),
            r"GLM-UCB takes rewards in \[0.0, 1.0\]; those of the .* lie in \[-inf, inf\]",
        ),
        (lambda: compare_policies(NORMAL, [PAIRS["OFUL"][1]] * 2, horizon=9), "two policies are called 'OFUL'"),
        (
            lambda: compare_policies(Bandit.bernoulli([0.1, 0.2]), [bandits.ucb1()], horizon=9, delay=1),
            "delay is 1 and batch 1; only feedback of contextual bandits can be late",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_policies_for_other_problems_are_refused():
    with pytest.raises(TypeError, match="UCB1 is a Policy; a LinearBandit takes a ContextualPolicy"):
        compare_policies(NORMAL, [bandits.ucb1()], horizon=9)
    with pytest.raises(TypeError, match="OFUL is a ContextualPolicy; a Bandit takes a Policy"):
        compare_policies(Bandit.bernoulli([0.1, 0.2]), [PAIRS["OFUL"][1]], horizon=9)


def test_policies_that_choose_no_arm():
    nothing = numba.njit(lambda parameters, replicate: None)
    choose = numba.njit(lambda t, context, parameters, replicate: int(parameters[0]))
    observe = numba.njit(lambda context, arm, reward, parameters, replicate: None)
    for arm in (-1, 2):
        policy = ContextualPolicy("lost", nothing, choose, observe, (arm,), np.zeros((1, 1, 1)), (1, 1), (1, 2))
        with pytest.raises(ValueError, match="no arm"):
            play_small(policy)
