"""Bounds on regret beside the curves of policies: against formulas, and none where no theorem speaks."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from rltheory.algorithms.bandits import compare_policies, named_policy
from rltheory.problems import Bandit
from rltheory.theorems.bandits.stated_regret import stated_regret
from tests.test_bandits import EVERY

TIMES = np.array([0, 1, 2, 7, 50, 400, 10_000])
COINS = Bandit.bernoulli([0.3, 0.75, 0.75, 0.5])
NORMAL = Bandit.gaussian([0.0, 1.5, 1.0])


def kl(p, q):
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def least(function, low, high):
    return minimize_scalar(function, bounds=(low, high), method="bounded", options={"xatol": 1e-10}).fun


def of_ucb1(bandit, t):
    return sum(8 * math.log(t) / gap + (1 + math.pi**2 / 3) * gap for gap in bandit.gaps if gap > 0)


def of_asymptotic_ucb(bandit, t):
    log_f = math.log(1 + t * math.log(t) ** 2)
    numerator = 2 * (log_f + math.sqrt(math.pi * log_f) + 1)
    return sum(
        gap * (2 + least(lambda e, gap=gap: 5 / e**2 + numerator / (gap - e) ** 2, 0, gap))
        for gap in bandit.gaps
        if gap > 0
    )


def of_kl_ucb(bandit, t):
    def f(r):
        return math.log(r) + 3 * math.log(max(math.log(r), 1))

    best, total = bandit.means.max(), 0.0
    failures = sum(
        min(1, min(r, math.e * math.ceil(f(r) * math.log(r))) * math.exp(-f(r))) for r in range(bandit.arms, t)
    )
    for mean in bandit.means[bandit.means < best]:

        def pulls(x, mean=mean):
            certain = f(t) / kl(x, best)
            return certain + math.exp(-certain * kl(x, mean)) / (1 - math.exp(-kl(x, mean)))

        total += (best - mean) * (1 + failures + least(pulls, mean + 1e-9, best - 1e-9))
    return total


def of_tsallis_inf(bandit, t):
    """Over a grid of roots of probabilities, for all arms but one best one."""
    s = np.arange(1.0, t + 1)
    b, q = 2 * np.sqrt(s) - 2 * np.sqrt(s - 1) + s**-0.5, s**-0.5 + 1.25 / np.maximum(s - np.sqrt(s), 0.625)
    x = np.linspace(0, 1, 1001)[:, None]
    return sum((2 * b * x - (gap - 2 * q) * x**2).max(axis=0).sum() for gap in sorted(bandit.gaps)[1:])


FORMULAS = {
    "UCB1": of_ucb1,
    "asymptotic UCB": of_asymptotic_ucb,
    "KL-UCB(c=3)": of_kl_ucb,
    "Tsallis-INF": of_tsallis_inf,
}


@pytest.mark.parametrize(
    ("bandit", "name"),
    [*((COINS, name) for name in FORMULAS), (NORMAL, "asymptotic UCB")],
    ids=str,
)
def test_bounds_against_formulas(bandit, name):
    bound = stated_regret(bandit, [name], TIMES)[name]
    infimum = np.array([FORMULAS[name](bandit, t) for t in TIMES[1:].tolist()])
    # The theorems take the best of some values of a free number, which can't be better than the best of all.
    slack = 1e-12 if name == "UCB1" else 0.02
    assert (infimum * (1 - 1e-9) <= bound[1:]).all()
    assert (bound[1:] <= infimum * (1 + slack)).all()
    assert 0 <= bound[0] <= bound[1]


def test_bounds_hold_for_the_curves_that_they_are_drawn_beside():
    policies = [named_policy(text) for text in ("ucb1", "asymptotic-ucb", "kl-ucb:c=3", "tsallis-inf", "thompson")]
    runs = compare_policies(COINS, policies, horizon=2000, replicates=64, points=20)
    bounds = stated_regret(COINS, runs["policy"].to_numpy().tolist(), runs["time"].to_numpy())
    assert bounds.keys() == FORMULAS.keys()
    for name, bound in bounds.items():
        assert (runs["regret"].sel(policy=name).mean("replicate") <= bound).all()


def test_bounds_are_those_of_a_shorter_run():
    """What is stated at a time does not depend on the times after it, nor on the order of the names."""
    long, short = stated_regret(COINS, FORMULAS, TIMES), stated_regret(COINS, [*FORMULAS][::-1], TIMES[:4])
    for name in FORMULAS:
        np.testing.assert_array_equal(long[name][:4], short[name])


@pytest.mark.parametrize(
    ("bandit", "names"),
    [
        (COINS, FORMULAS.keys()),
        # Where the best mean is 1, there is no divergence from it.
        (Bandit.bernoulli([1.0, 0.5]), {"UCB1", "asymptotic UCB", "Tsallis-INF"}),
        (NORMAL, {"asymptotic UCB"}),
        (Bandit.gaussian([0, 1], 0.5), set()),
        (Bandit.gaussian([0, 1], [1, 2]), set()),
        (Bandit.poisson([0.5, 0.7]), set()),
        (Bandit.exponential([0.5, 0.7]), set()),
        (Bandit.beta([1, 2], [2, 1]), set()),
    ],
    ids=lambda value: str(value) if isinstance(value, Bandit) else "",
)
def test_no_bound_where_no_hypothesis_holds(bandit, names):
    assert stated_regret(bandit, FORMULAS, TIMES).keys() == names


# Arguments that change what is played, so that the theorem on the policy without them says nothing.
OTHERS = ["ucb1:1", "kl-ucb", "kl-ucb:c=2", "kl-ucb:gaussian,3", "asymptotic-ucb:0.01", "asymptotic-ucb:2"]


@pytest.mark.parametrize("bandit", [COINS, NORMAL], ids=str)
def test_no_bound_for_other_policies(bandit):
    texts = OTHERS + [text for text in EVERY if text not in ("ucb1", "asymptotic-ucb", "tsallis-inf")]
    others = [named_policy(text).name for text in texts]
    assert stated_regret(bandit, others, TIMES) == {}
    assert stated_regret(bandit, [], TIMES) == {}
