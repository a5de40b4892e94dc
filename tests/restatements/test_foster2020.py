"""Both sides of the theorems on inverse gap weighting and its kin, in plain NumPy on the same draws."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from rltheory.problems import ContextualBandit
from rltheory.simulation import stream
from rltheory.simulation.streams import fingerprint
from rltheory.theorems.bandits import foster2020 as paper
from rltheory.theory import Theorem, verify
from rltheory.theory.settings import setting_from_dict, setting_to_dict
from tests.contextual_replay import ByInverseGaps, Falcon, Greedy, Weights, counts, replay

THEOREMS = {value.name: value for value in vars(paper).values() if isinstance(value, Theorem)}


def weights(s):
    best = s.predictions.argmax()
    p = 1 / (s.arms + s.gamma * (s.predictions[best] - s.predictions))
    p[best] = 0
    p[best] = 1 - p.sum()
    return p


def dearest(s):
    gaps = [s.predictions.max() - value for value in s.predictions]
    return (s.arms - 1) / s.gamma + sum(gap / (s.arms + s.gamma * gap) for gap in gaps)


def truths_of(s, arm):
    p = weights(s)
    return [s.predictions[b] + (2 * (1 - p[b]) / (s.gamma * p[b]) if b == arm else -2 / s.gamma) for b in range(s.arms)]


def one_round(s, times, name):
    p = weights(s)
    random = stream(0, "restated", name).random((paper.DRAWS, s.arms))
    truths = np.array([truths_of(s, arm) for arm in range(s.arms)] + random.tolist())
    lost = [max(f) - f @ p for f in truths]
    return lost, [s.gamma / 4 * sum(p * (s.predictions - f) ** 2) + dearest(s) for f in truths]


def supremum(s, times, name):
    p = weights(s)
    arms = [arm for arm in range(s.arms) if arm != s.predictions.argmax()]
    truths = [np.array(truths_of(s, arm)) for arm in arms]
    sides = [max(f) - f @ p - s.gamma / 4 * sum(p * (s.predictions - f) ** 2) for f in truths]
    return sides, [dearest(s)] * len(arms)


def mean_regret(s, make, name, times, replicates):
    lost = []
    for i in range(replicates):
        contexts, arms, _ = replay(s.bandit, make(), stream(0, "restated", name), s.horizon, replicate=i)
        lost.append((counts(s.bandit, contexts, arms, times) * s.bandit.gaps).sum(axis=(1, 2)))
    return np.mean(lost, axis=0)


def square_cb(s, times, name):
    k, gamma = s.bandit.arms, s.gamma
    measured = mean_regret(s, lambda: ByInverseGaps(Weights(s.tables), lambda t: gamma), name, times, 32)
    return measured, ((k - 1) / gamma + (k - 1) / (k + gamma)) * times + gamma / 2 * math.log(len(s.tables))


def greedy(s, times, name):
    k, epsilon = s.bandit.arms, s.epsilon
    measured = mean_regret(s, lambda: Greedy(Weights(s.tables), lambda t: epsilon), name, times, 32)
    trusting = (1 - epsilon) * 2 * np.sqrt(k * times * math.log(len(s.tables)) / epsilon)
    return measured, epsilon * times * (k - 1) / k + trusting


def square_cb_rate(s, times, name):
    measured = mean_regret(s, lambda: ByInverseGaps(Weights(s.tables), lambda t: 4 * math.sqrt(t)), name, times, s.runs)
    return measured, s.bandit.gaps.max() * np.sqrt(times)


def falcon_rate(s, times, name):
    measured = mean_regret(s, lambda: Falcon(s.tables, 0.05, 20), name, times, s.runs)
    return measured, s.bandit.gaps.max() * np.sqrt(times)


def greedy_rate(s, times, name):
    measured = mean_regret(s, lambda: Greedy(Weights(s.tables), lambda t: t ** (-1 / 3)), name, times, s.runs)
    return measured, s.bandit.gaps.max() * times ** (2 / 3)


def generations_of(s):
    """Tables of all generations, and what their rounds cost."""
    means, arms, chosen, costs, table = s.bandit.means, s.bandit.arms, [], [], s.first
    for _ in range(s.generations + 1):
        errors, cost = np.zeros(len(s.tables)), 0.0
        for x, q in enumerate(s.bandit.frequencies):
            for a in range(arms):
                p = q * (s.epsilon / arms + (1 - s.epsilon) * (a == s.tables[table, x].argmax()))
                errors += p * (s.tables[:, x, a] - means[x, a]) ** 2
                cost += p * (means[x].max() - means[x, a])
        chosen.append(table)
        costs.append(cost)
        table = int(errors.argmin())
    return chosen, costs


def two_cycle(s, times, name):
    chosen, _ = generations_of(s)
    passes = [g < 2 or chosen[g] == chosen[g - 2] != chosen[g - 1] for g in times]
    return passes, np.ones(times.size)


def realizable_retraining(s, times, name):
    _, costs = generations_of(s)
    lost = [q * (row.max() - row).mean() for q, row in zip(s.bandit.frequencies, s.bandit.means, strict=True)]
    return costs, np.full(times.size, s.epsilon * sum(lost))


RESTATED = {
    "retraining/two-cycle": two_cycle,
    "retraining/realizable": realizable_retraining,
    "inverse-gap/per-round": one_round,
    "inverse-gap/supremum": supremum,
    "squarecb/expected": square_cb,
    "oracle-epsilon-greedy/expected": greedy,
    "squarecb/rate": square_cb_rate,
    "falcon/rate": falcon_rate,
    "oracle-epsilon-greedy/rate": greedy_rate,
}


def test_every_theorem_is_restated():
    assert RESTATED.keys() == THEOREMS.keys()


@pytest.mark.parametrize("name", sorted(RESTATED))
@pytest.mark.parametrize("place", [0, -1])
def test_sides(name, place):
    theorem = THEOREMS[name]
    s = list(theorem.settings())[place]
    if isinstance(s, paper.Realizable):
        s = replace(s, horizon=80) if not isinstance(s, paper.Anytime) else replace(s, horizon=300, runs=3)
    trace = theorem.run(s, stream(0, "restated", name))
    measured, bound = RESTATED[name](s, trace.times, name)
    # Gaps and squares of some ten numbers, times gamma up to 1000.
    np.testing.assert_allclose(theorem.measured(s, trace), measured, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(theorem.bound(s, trace), bound, rtol=1e-10)


def test_no_means_are_dearer_than_those_stated():
    for s in paper.rounds():
        p = weights(s)
        for arm in range(s.arms):

            def saved(f, arm=arm, p=p, s=s):
                return -(f[arm] - f @ p - s.gamma / 4 * p @ (s.predictions - f) ** 2)

            found = -minimize(saved, s.predictions, method="BFGS").fun
            exact = (1 / p[arm] - 1) / s.gamma + s.predictions[arm] - s.predictions @ p
            assert found == pytest.approx(exact, rel=1e-4)  # finite differences
            assert exact <= dearest(s) + 1e-12


def test_usual_constant_is_the_best_of_its_kind():
    """The cost of a round exceeds K / gamma, and comes as close to 2 (K - 1) / gamma as one likes."""
    s = paper.Round(np.array([0.0, 0.0, 1.0]), 1000.0)
    assert 1.99 < s.dearest * s.gamma / (s.arms - 1) < 2
    assert s.dearest > s.arms / s.gamma
    # Means in [0, 1] do it as well.
    rng, worst = stream(0, "means in the unit interval"), 0.0
    for s in (paper.Round(rng.random(k), gamma) for k in (2, 3, 5, 10) for gamma in (3.0, 10.0, 30.0, 100.0)):
        truths = paper.worst_truths(s, weights(s)).clip(0, 1)
        excess = truths.max(axis=1) - truths @ weights(s) - s.gamma / 4 * (s.predictions - truths) ** 2 @ weights(s)
        worst = max(worst, excess.max() * s.gamma / s.arms)
    assert worst > 1


def test_one_round_is_sharp():
    (per_round,) = (THEOREMS["inverse-gap/per-round"],)
    assert min(verdict.tightness for verdict in verify(per_round)) > 0.999


def test_a_generation_may_be_much_worse_than_the_one_before():
    costs = paper.retrain_on(list(paper.alternating())[1], stream(0, "unused"))["regret"]
    np.testing.assert_allclose(costs[:20], 10 * [0.495, 0.055], atol=1e-12)


def test_ranges_hold_what_is_measured():
    for name in ("squarecb/expected", "oracle-epsilon-greedy/expected"):
        theorem = THEOREMS[name]
        for s in theorem.settings():
            measured = theorem.measured(s, theorem.run(s, stream(0, "range", name)))
            assert (theorem.kind.low(s) <= measured).all()
            assert (measured <= s.times * s.bandit.gaps.max() + s.rounding).all()
            assert theorem.kind.high(s) == pytest.approx(s.times * s.bandit.gaps.max(), abs=1e-8)


def test_hypotheses():
    s = next(paper.weighted())
    assert paper.SQUARE_CB.failed_hypothesis(s) is None
    other = replace(s, tables=s.tables + 0.0 * s.tables, bandit=ContextualBandit([[0.7, 0.2]]))
    assert "a table of the class" in paper.SQUARE_CB.failed_hypothesis(other)
    small = replace(s, bandit=ContextualBandit([[0.7, 0.2, 0.1]]))
    assert "(tables have shape (1, 2), the means (1, 3))" in paper.SQUARE_CB.failed_hypothesis(small)
    normal = replace(s, bandit=ContextualBandit(s.bandit.means, deviation=1.0))
    assert "rewards are 0 or 1" in paper.SQUARE_CB.failed_hypothesis(normal)


def test_settings_survive_as_data():
    for theorem in THEOREMS.values():
        for s in theorem.settings():
            assert fingerprint(setting_from_dict(type(s), setting_to_dict(s))) == fingerprint(s)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: paper.Round(np.array([0.5]), 1.0), "predictions has 1 entries"),
        (lambda: paper.Round(np.array([0.5, 0.1]), 0.0), "gamma is 0.0"),
        (lambda: replace(next(paper.weighted()), gamma=-1.0), "gamma is -1.0"),
        (lambda: replace(next(paper.weighted()), horizon=0), "horizon is 0"),
        (lambda: replace(next(paper.exploring()), epsilon=0.0), "epsilon is 0.0"),
        (lambda: replace(next(paper.exploring()), epsilon=1.5), "epsilon is 1.5"),
        (lambda: replace(next(paper.anytime()), runs=0), "runs is 0"),
        (lambda: replace(next(paper.alternating()), generations=1), "generations is 1"),
        (lambda: replace(next(paper.alternating()), epsilon=0.0), "epsilon is 0.0"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
