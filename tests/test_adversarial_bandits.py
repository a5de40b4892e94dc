"""Policies for adversarial losses: plain restatements on the same draws, exact regrets, and bad input."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import rltheory as rl
from rltheory.algorithms.bandits import (
    compare_policies,
    exp3,
    exp3_ix,
    exp3_p,
    hedge_losses,
    named_policy,
    play_bandit,
    play_losses,
    tsallis_inf,
    ucb1,
)
from rltheory.algorithms.bandits.play import LANES
from rltheory.instances import bernoulli_losses, drifting_losses, overtaking_losses
from rltheory.problems import Bandit, LossTable
from rltheory.simulation import stream
from rltheory.variates import generators, uniform

N, K, DELTA = 300, 4, 0.1

TABLE = LossTable(stream(0, "adversarial", "table").random((N, K)) * [0.3, 1.0, 0.7, 0.5], "uniform losses")


def softmax(x):
    w = np.exp(x - x.max())
    return w / w.sum()


def inf(eta, estimates):
    """Probabilities 4 / (eta (L - x))^2 with sum 1, by bisection."""
    low, high = estimates.min() - 2 * math.sqrt(K) / eta, estimates.min() - 2 / eta
    for _ in range(200):
        x = (low + high) / 2
        low, high = (low, x) if (4 / (eta * (estimates - x)) ** 2).sum() > 1 else (x, high)
    return 4 / (eta * (estimates - x)) ** 2


def plain_exponential(rate, gamma=lambda eta: 0.0):
    def policy(t, estimates):
        return softmax(-rate(t) * estimates)

    def learn(t, p, arm, loss, estimates):
        estimates[arm] += loss / (p[arm] + gamma(rate(t)))

    return policy, learn


def plain_exp3_p():
    beta = math.sqrt(math.log(K / DELTA) / (N * K))
    eta, gamma = 0.95 * math.sqrt(math.log(K) / (N * K)), 1.05 * math.sqrt(K * math.log(K) / N)

    def policy(t, estimates):
        return (1 - gamma) * softmax(eta * estimates) + gamma / K

    def learn(t, p, arm, loss, estimates):
        estimates += ((np.arange(K) == arm) * (1 - loss) + beta) / p

    return policy, learn


def plain_tsallis(rate, reduced_variance=False):
    def policy(t, estimates):
        return inf(rate(t), estimates)

    def learn(t, p, arm, loss, estimates):
        baseline = 0.5 * (p >= rate(t) ** 2) if reduced_variance else np.zeros(K)
        estimates += baseline + (np.arange(K) == arm) * (loss - baseline) / p

    return policy, learn


EXP3_IX = math.sqrt(math.log(K * (K + 1) / DELTA) / (N * K))
CASES = {
    "exp3": (exp3(), plain_exponential(lambda t: math.sqrt(2 * math.log(K) / (N * K)))),
    "exp3, given rate": (exp3(0.4), plain_exponential(lambda t: 0.4)),
    "exp3, large rate": (exp3(30.0), plain_exponential(lambda t: 30.0)),
    "exp3, anytime": (exp3(anytime=True), plain_exponential(lambda t: math.sqrt(math.log(K) / (t * K)))),
    "exp3-ix": (exp3_ix(delta=DELTA), plain_exponential(lambda t: EXP3_IX, lambda eta: eta / 2)),
    "exp3-ix, given rate": (exp3_ix(0.3), plain_exponential(lambda t: 0.3, lambda eta: eta / 2)),
    "exp3-p": (exp3_p(DELTA), plain_exp3_p()),
    "tsallis-inf": (tsallis_inf(), plain_tsallis(lambda t: 2 / math.sqrt(t))),
    "tsallis-inf, given rate": (tsallis_inf(0.2), plain_tsallis(lambda t: 0.2)),
    "tsallis-inf, large rate": (tsallis_inf(20.0), plain_tsallis(lambda t: 20.0)),
    "tsallis-inf, reduced variance": (
        tsallis_inf(reduced_variance=True),
        plain_tsallis(lambda t: 4 / math.sqrt(t), reduced_variance=True),
    ),
}
POLICIES = [policy for policy, _ in CASES.values()]


def play_plainly(table, plain, draws):
    """Realised and expected losses of each round."""
    policy, learn = plain
    estimates, realised, expected = np.zeros(table.arms), [], []
    for t, losses in enumerate(table.losses, 1):
        p = policy(t, estimates)
        arm = int(np.searchsorted(p.cumsum() / p.sum(), draws[t - 1], side="right"))
        realised.append(losses[arm])
        expected.append(p @ losses / p.sum())
        learn(t, p, arm, losses[arm], estimates)
    return np.array(realised), np.array(expected)


@pytest.mark.parametrize("name", CASES)
def test_policies_against_plain_restatements(name):
    policy, plain = CASES[name]
    key = stream(0, "restated").integers(2**64, size=4, dtype=np.uint64)
    # With large rates an error of the weights grows from round to round: estimates of rare arms are their inverses.
    n = 40 if "large" in name else N
    trace = play_losses(TABLE, policy, rng=stream(0, "restated"), replicates=3, points=N)
    shown = trace.times[trace.times <= n]
    for replicate in range(3):
        states = generators(key, replicate, replicate + 1)
        realised, expected = play_plainly(TABLE, plain, [uniform(states, 0) for _ in range(N)])
        best = np.array([TABLE.losses[:t].sum(axis=0).min() for t in range(N + 1)])
        # Weights and Newton's points are good to 1e-10, sums of 300 losses to some eps.
        for label, losses in (("regret", realised), ("expected_regret", expected)):
            regrets = np.append(0, losses.cumsum()) - best
            np.testing.assert_allclose(trace[label][: shown.size, replicate], regrets[shown], atol=1e-7)


def test_expected_and_realised_regret_have_one_mean():
    """Their difference is a martingale with steps of at most 1: Hoeffding with a chance of 1e-9 to be wrong."""
    r = 1000
    for policy in (exp3(), tsallis_inf()):
        trace = play_losses(TABLE, policy, rng=stream(0, "means"), replicates=r)
        difference = (trace["regret"] - trace["expected_regret"])[-1]
        assert abs(difference.mean()) <= math.sqrt(2 * N * math.log(2e9) / r)
        assert difference.std() > 1


def test_weights_that_leave_the_range_of_numbers_come_back():
    """Arm 1 falls behind by more than exp(-708), and is the best in the end."""
    table = LossTable(np.repeat([[0.0, 1.0], [1.0, 0.0]], [2000, 6000], axis=0))
    trace = play_losses(table, exp3(1.0), rng=stream(0, "range"), replicates=8, points=400)
    change = np.searchsorted(trace.times, 2000)
    assert np.isfinite(trace["expected_regret"]).all()
    assert (trace["expected_regret"][change] < 30).all()
    # The estimate of arm 0 has to make up for what arm 1 was estimated to lose, 1 a round.
    assert (trace["regret"][-1] < 3500).all()


@pytest.mark.parametrize("policy", [*POLICIES, ucb1()], ids=lambda policy: policy.name)
def test_a_replicate_does_not_depend_on_those_beside_it(policy):
    many, few = (play_losses(TABLE, policy, rng=stream(0, "beside"), replicates=r) for r in (LANES + 7, LANES + 1))
    for label in many.values:
        assert many[label][:, : LANES + 1].tobytes() == few[label].tobytes()


def test_numbers_do_not_depend_on_workers_or_company():
    alone = compare_policies(TABLE, [exp3()], replicates=150, workers=1)
    together = compare_policies(TABLE, [tsallis_inf(), exp3(), ucb1()], replicates=150, workers=3)
    assert (alone["regret"].sel(policy="Exp3") == together["regret"].sel(policy="Exp3")).all()
    # UCB1 has no probabilities.
    assert list(alone.data_vars) == ["regret", "expected_regret"]
    assert list(together.data_vars) == ["regret"]


@pytest.mark.parametrize("policy", [exp3(anytime=True), exp3(0.1), tsallis_inf()], ids=lambda policy: policy.name)
def test_beginnings_do_not_depend_on_the_horizon(policy):
    short, long = (play_losses(TABLE, policy, horizon=n, rng=stream(0, "anytime"), points=10 * N) for n in (100, N))
    common = np.intersect1d(short.times, long.times)
    assert common.size > 50
    for label in short.values:
        rows = [trace[label][np.isin(trace.times, common)] for trace in (short, long)]
        np.testing.assert_array_equal(*rows)


def test_they_are_policies_for_bandits_too():
    bandit = Bandit.bernoulli([0.2, 0.8])
    for name in ("exp3", "exp3:anytime=1", "exp3-ix:delta=0.1", "exp3-p", "tsallis-inf"):
        regret = play_bandit(bandit, named_policy(name), horizon=2000, rng=stream(0, name), replicates=64)["regret"]
        assert 0 < regret[-1].mean() < 0.3 * 2000 / 2
    with pytest.raises(ValueError, match=r"Exp3 takes rewards in \[0.0, 1.0\]"):
        play_bandit(Bandit.gaussian([0, 1]), exp3(), horizon=10, rng=stream(0))


def test_ucb_is_misled_where_the_others_are_not():
    """Means that jump in growing phases: on some tables UCB1 takes a phase for an arm, and pays in every round."""
    policies, regrets = [ucb1(), exp3(), tsallis_inf()], []
    for i in range(8):
        runs = compare_policies(drifting_losses(stream(0, "misled", i), 10_000, 4, 0.1), policies, replicates=16)
        regrets.append(runs["regret"].isel(time=-1).mean("replicate"))
    by_ucb, by_exp3, by_tsallis_inf = np.max(regrets, axis=0)
    assert by_ucb > 450
    assert max(by_exp3, by_tsallis_inf) < 250


def test_hedge_keeps_its_bound_and_is_restated():
    trace = hedge_losses(TABLE, rate=0.3)
    p, regrets, total = np.ones(K) / K, [0.0], 0.0
    for t, losses in enumerate(TABLE.losses, 1):
        total += p @ losses
        p = p * np.exp(-0.3 * losses)
        p /= p.sum()
        regrets.append(total - TABLE.losses[:t].sum(axis=0).min())
    np.testing.assert_allclose(trace["expected_regret"], np.array(regrets)[trace.times], atol=1e-10)
    for table in (TABLE, overtaking_losses(1000, 3)):
        worst = hedge_losses(table)["expected_regret"].max()
        assert 0 < worst <= math.sqrt(table.rounds * math.log(table.arms) / 2)


def test_bernoulli_losses_have_their_means():
    means, changes, n = np.array([[0.1, 0.5, 1.0], [0.9, 0.0, 0.3]]), [30_000], 50_000
    losses = bernoulli_losses(stream(0, "Bernoulli"), means, n, changes=changes).losses
    assert set(np.unique(losses)) == {0.0, 1.0}
    for part, mean in zip(np.split(losses, changes), means, strict=True):
        np.testing.assert_allclose(part.mean(axis=0), mean, atol=5.3 * 0.5 / math.sqrt(len(part)))
    assert bernoulli_losses(stream(0), [0.5, 0.5], 10).losses.shape == (10, 2)


def test_drifting_losses_keep_their_gap():
    table = drifting_losses(stream(0, "drift"), 50_000, 3, 0.2)
    later = table.losses[30_000:]
    assert abs((later[:, 1] - later[:, 0]).mean() - 0.2) < 0.02
    first_arm = table.losses[:, 0]
    # Rounds 2 to 4 by phases that begin at powers of 1.6, and the last long phases.
    phases = [first_arm[math.ceil(1.6**k) - 1 : math.ceil(1.6 ** (k + 1)) - 1].mean() for k in range(12, 22)]
    np.testing.assert_allclose(phases, [0.0, 0.8] * 5, atol=0.1)


def test_tables_are_values():
    losses = [[0.0, 1.0], [0.5, 0.5]]
    table = LossTable(losses)
    assert table == LossTable(losses, "another title") != LossTable([[0.0, 1.0], [0.5, 0.25]])
    assert hash(table) == hash(LossTable(losses))
    assert (str(table), repr(table)) == ("losses, 2 rounds, 2 arms", "<LossTable losses, 2 rounds, 2 arms>")
    assert not table.losses.flags.writeable
    assert rl.problems.LossTable is LossTable


def test_best_arm_in_hindsight_by_hand():
    """Two rounds, two arms: all four ways to play, and their regrets."""
    table = LossTable([[0.0, 1.0], [1.0, 0.25]])
    regrets = play_losses(table, exp3(1e-9), rng=stream(0, "by hand"), replicates=200)["regret"]
    seen = {tuple(row) for row in regrets.T.round(12)}
    assert seen == {(0.0, a, a + b - 1.0) for a, b in product((0.0, 1.0), (1.0, 0.25))}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LossTable([0.5, 0.5]), "losses has shape"),
        (lambda: LossTable([[0.5]]), r"losses has shape \(1, 1\); expected at least 1 round and 2 arms"),
        (lambda: LossTable([[0.5, 0.5], [0.5, 1.5]]), r"losses\[1, 1\] is 1.5; a loss must lie in \[0, 1\]"),
        (lambda: LossTable([[0.5, math.nan]]), r"losses\[0, 1\] is nan"),
        (lambda: play_losses(TABLE, exp3(), horizon=N + 1, rng=stream(0)), "horizon is 301; the table has 300 rounds"),
        (lambda: play_losses(TABLE, exp3(), rng=stream(0), replicates=0), "replicates is 0; it must be >= 1"),
        (
            lambda: play_losses(TABLE, replace(exp3(), rewards=(0.0, 0.5)), rng=stream(0)),
            r"Exp3 takes rewards in \[0.0, 0.5\]; those of losses lie in \[0.0, 1.0\]",
        ),
        (lambda: compare_policies(TABLE, [exp3(), exp3()]), "two policies are called 'Exp3'"),
        (lambda: exp3(0.0), "rate is 0.0; it must be finite and > 0"),
        (lambda: exp3(0.1, anytime=True), "rate is 0.1, and the rates of every time vary"),
        (lambda: exp3_ix(delta=1.0), r"delta is 1.0; it must lie in \(0, 1\)"),
        (lambda: exp3_p(delta=0.0), r"delta is 0.0; it must lie in \(0, 1\)"),
        (lambda: exp3_p(horizon=0), "horizon is 0; it must be >= 1"),
        (lambda: tsallis_inf(-1.0), "rate is -1.0; it must be finite and > 0"),
        (lambda: hedge_losses(TABLE, rate=-1.0), "rate is -1.0; it must be finite and > 0"),
        (lambda: bernoulli_losses(stream(0), [0.5, 1.5], 10), r"means\[0, 1\] is 1.5; it must be in \[0, 1\]"),
        (lambda: bernoulli_losses(stream(0), [[0.5, 1]], 10, changes=[3]), "1 changes for 1 rows of means"),
        (
            lambda: bernoulli_losses(stream(0), [[0.5, 1], [0, 1]], 10, changes=[10]),
            r"changes are \[10\]; they must increase, from 1 at least to 9 at most",
        ),
        (lambda: drifting_losses(stream(0), 10, 2, 0.0), r"gap is 0.0; it must lie in \(0, 1\]"),
        (lambda: overtaking_losses(1, 2), "rounds is 1; it must be >= 2"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_bandit_needs_a_horizon():
    with pytest.raises(TypeError, match="horizon is None; it must be an integer"):
        compare_policies(Bandit.bernoulli([0.1, 0.2]), [exp3()])
