"""Bandits: laws against SciPy, policies against plain restatements on the same rewards, and published numbers."""

import json
import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import mpmath
import numba
import numpy as np
import pytest
from scipy import special, stats
from scipy.optimize import brentq

import rltheory as rl
from rltheory.algorithms import bandits
from rltheory.algorithms.bandits import (
    BERNOULLI,
    EXPONENTIAL,
    POISSON,
    compare_policies,
    gaussian_family,
    named_policy,
    own_policy,
    play_bandit,
    policy_names,
    upper_bound,
)
from rltheory.algorithms.bandits.play import LANES
from rltheory.algorithms.bandits.posterior import beta_tail_quantile, log_beta
from rltheory.logarithm import logarithm
from rltheory.problems import Bandit
from rltheory.problems.bandit import draw
from rltheory.simulation import Workers, stream
from rltheory.variates import beta_variates, generators, normals, uniforms

ANSWERS = json.loads((Path(__file__).parent / "data" / "bandits.json").read_text(encoding="utf-8"))

# A false alarm of one interval, or one test of a law, in 1e7.
SIGMAS = 5.3
LEVEL = 1e-7

LARGEST = 300 * math.log(10)

FOUR = Bandit.bernoulli([0.3, 0.75, 0.5, 0.7])

NEEDED = {
    "ucb": ":0.1",
    "epsilon-greedy": ":0.2",
    "decaying-epsilon-greedy": ":0.1",
    "explore-then-commit": ":30",
    "sliding-window-ucb": ":90",
    "discounted-ucb": ":0.99",
}
# All policies by name, and the other ways to play some.
EVERY = [name + NEEDED.get(name, "") for name in policy_names()] + [
    "kl-ucb:gaussian,3",
    "bayes-ucb:0.5,5",
    "bayes-ucb-beta:5",
    "exp3:0.1",
    "exp3:anytime=1",
    "exp3-ix:0.1",
    "tsallis-inf:0.1",
    "tsallis-inf:reduced_variance=1",
]
OF_THE_HORIZON = {"moss", "kl-ucb-plus-plus", "bayes-ucb:0.5,5", "bayes-ucb-beta:5", "exp3", "exp3-ix", "exp3-p"}


def family(case):
    if case["family"] == "gaussian":
        return gaussian_family(math.sqrt(case["variance"]))
    return {"bernoulli": BERNOULLI, "poisson": POISSON, "exponential": EXPONENTIAL}[case["family"]]


def divergence(kind, m, q):
    """Divergence of laws with means m and q, from its definition."""
    if kind == "bernoulli":
        return sum(a * math.log(a / b) for a, b in ((m, q), (1 - m, 1 - q)) if a > 0)
    if kind == "poisson":
        return q - m + (m * math.log(m / q) if m > 0 else 0)
    if kind == "exponential":
        return m / q - 1 - math.log(m / q)
    return (q - m) ** 2 / 2


def highest(kind, m, budget):
    """Upper bound of KL-UCB by bisection; of Bernoulli laws -log(1 - q) in place of q, but no more than for 1e-300."""
    if kind == "bernoulli":
        if m == 1:
            return LARGEST

        def excess(s):
            log_q = math.log(-math.expm1(-s))
            return (m * (math.log(m) - log_q) if m > 0 else 0) + (1 - m) * (math.log(1 - m) + s) - budget

        low, top = max(-math.log1p(-m), 1e-12), LARGEST
        if excess(top) < 0:
            return top
    else:

        def excess(q):
            return divergence(kind, m, q) - budget

        low, top = max(m, 1e-12), m + 1
        while excess(top) < 0:
            top *= 2
    return brentq(excess, low, top, xtol=1e-14) if excess(low) < 0 else low


# Known answers


@pytest.mark.parametrize("case", ANSWERS["upper_bounds"], ids=str)
def test_published_upper_bounds(case):
    assert upper_bound(family(case), *case["args"]) == pytest.approx(case["value"], rel=1e-11)


@pytest.mark.parametrize("case", ANSWERS["divergences"], ids=str)
def test_published_divergences(case):
    m, q = case["args"]
    if case["family"] == "gaussian":
        bandit = Bandit.gaussian([m, q], math.sqrt(case["variance"]))
        expected = case["value"] if m < q else 0.0
    else:
        bandit = getattr(Bandit, case["family"])([m, q])
        expected = case["value"] if m < q else 0.0
    assert bandit.divergences(q)[0] == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("case", ANSWERS["lai_robbins"], ids=str)
def test_published_constants(case):
    bandit = getattr(Bandit, case["law"])(case["means"])
    assert bandit.lai_robbins_constant == pytest.approx(case["value"], rel=1e-12)


@pytest.mark.parametrize("case", ANSWERS["final_regrets"], ids=str)
def test_published_regrets_within_a_factor_of_two(case):
    # Theirs are one run of 100 replicates each. Their index of UCB is ours; UCB(alpha) has alpha / 2 for our alpha.
    policies = {"UCB": bandits.ucb1(), "UCB(alpha=0.5)": bandits.ucb1(0.25)}
    policies["EmpiricalMeans (follow the leader)"] = bandits.follow_the_leader()
    runs = compare_policies(
        Bandit.bernoulli(case["means"]), list(policies.values()), horizon=case["horizon"], replicates=1000
    )
    for name, policy in policies.items():
        published = case["final_regret"][name]
        assert published / 2 < runs["regret"].sel(policy=policy.name).isel(time=-1).mean() < 2 * published


# Numbers


def test_logarithm_against_many_digits():
    numbers = np.concatenate([np.exp(np.linspace(-708, 709, 401)), 1 + np.linspace(-1e-3, 1e-3, 401), [1.0]])
    for x in numbers:
        exact = mpmath.log(mpmath.mpf(x))
        assert abs(logarithm(x) - exact) <= 1.01 * np.spacing(abs(float(exact))) or exact == 0 == logarithm(x)


def test_generators_are_xoshiro():
    key = np.array([1, 2, 3, 2**64 - 1], dtype=np.uint64)
    states = generators(key, 5, 8)
    mask = 2**64 - 1
    for lane in range(3):
        words = []
        for word in key:
            z = (int(word) + (5 + lane + 1) * 0x9E3779B97F4A7C15) & mask
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
            words.append(z ^ (z >> 31))
        assert words == states[:, lane].tolist()
    reference = [list(map(int, column)) for column in states.T]
    out = np.empty(3)
    for _ in range(100):
        uniforms(states, out)
        for lane, s in enumerate(reference):
            assert out[lane] == (((s[0] + s[3]) & mask) >> 11) * 2.0**-53
            t = (s[1] << 17) & mask
            s[2] ^= s[0]
            s[3] ^= s[1]
            s[1] ^= s[2]
            s[0] ^= s[3]
            s[2] ^= t
            s[3] = ((s[3] << 45) | (s[3] >> 19)) & mask


def lanes(name, n=64):
    return generators(stream(0, "test of bandits", name).integers(2**64, size=4, dtype=np.uint64), 0, n)


def test_normal_numbers():
    states, first, second = lanes("normal"), np.empty((500, 64)), np.empty((500, 64))
    for i in range(500):
        normals(states, first[i], second[i])
    for numbers in (first, second):
        assert stats.kstest(numbers.ravel(), "norm").pvalue > LEVEL
    for x, y in ((first, second), (first[:-1], first[1:]), (first[:, :-1], first[:, 1:]), (first**2, second**2)):
        assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < SIGMAS / math.sqrt(x.size)


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 7), (2, 1), (30, 70), (5000, 3)])
def test_beta_variates(a, b):
    states, out, work = lanes(f"beta {a} {b}"), np.empty((4000, 64)), np.empty((4, 64))
    for i in range(4000):
        beta_variates(states, np.full(64, float(a)), np.full(64, float(b)), work, out[i])
    assert stats.kstest(out.ravel(), stats.beta(a, b).cdf).pvalue > LEVEL


LAWS = {
    "bernoulli": (Bandit.bernoulli([0.2, 0.9]), [stats.bernoulli(0.2), stats.bernoulli(0.9)]),
    "gaussian": (Bandit.gaussian([1, -2], [0.5, 3]), [stats.norm(1, 0.5), stats.norm(-2, 3)]),
    "poisson": (Bandit.poisson([0.3, 40]), [stats.poisson(0.3), stats.poisson(40)]),
    "exponential": (Bandit.exponential([0.3, 4]), [stats.expon(scale=0.3), stats.expon(scale=4)]),
    "beta": (Bandit.beta([0.05, 3], [0.2, 2]), [stats.beta(0.05, 0.2), stats.beta(3, 2)]),
    "discrete": (
        Bandit.discrete([0.5, 0, 1], [[0.2, 0.5, 0.3], [0, 0.25, 0.75]]),
        [stats.rv_discrete(values=([0, 5, 10], [0.5, 0.2, 0.3])), stats.rv_discrete(values=([0, 10], [0.25, 0.75]))],
    ),
}


@pytest.mark.parametrize("law", LAWS)
def test_rewards_have_their_law(law):
    bandit, oracles = LAWS[law]
    states, rewards, work = lanes(law), np.empty((1000, 64)), np.empty(64)
    for arm, oracle in enumerate(oracles):
        for i in range(1000):
            draw(*bandit.arrays, np.full(64, arm), states, work, rewards[i])
        drawn = rewards.ravel() * (10 if law == "discrete" else 1)
        assert bandit.means[arm] * (10 if law == "discrete" else 1) == pytest.approx(oracle.mean(), abs=1e-12)
        assert bandit.support[0] <= rewards.min() <= rewards.max() <= bandit.support[1]
        if isinstance(oracle.dist if hasattr(oracle, "dist") else oracle, stats.rv_discrete):
            for value in np.unique(drawn):
                p = oracle.pmf(value)
                assert (
                    abs((drawn == value).mean() - p) <= SIGMAS * math.sqrt(p * (1 - p) / drawn.size) + 20 / drawn.size
                )
        else:
            assert stats.kstest(drawn, oracle.cdf).pvalue > LEVEL


def test_poisson_tables_have_all_but_the_tails():
    for mean in (1e-3, 1.0, 1e3, 1e6):
        table = Bandit.poisson([mean, mean]).table[0]
        size = table.size // 2
        assert stats.poisson(mean).sf(table[size - 1]) <= 1e-17
        assert stats.poisson(mean).cdf(table[0] - 1) <= 1e-17
        assert table[-1] == pytest.approx(1, abs=1e-12)


# Lower bounds


def test_bounded_arms_have_the_divergence_over_all_laws():
    level = 0.8
    two = Bandit.discrete([0, 1], [[0.3, 0.7], [0.9, 0.1], [0.1, 0.9]])
    assert two.divergences(level) == pytest.approx(Bandit.bernoulli(two.means).divergences(level), abs=1e-9)
    bandit = Bandit.discrete([0, 0.3, 1], [[0.2, 0.7, 0.1], [0.5, 0.5, 0]])
    values, tilts = np.array([0, 0.3, 1]), np.linspace(0, 1, 20001)
    for row, found in zip(np.array([[0.2, 0.7, 0.1], [0.5, 0.5, 0]]), bandit.divergences(level), strict=True):
        with np.errstate(divide="ignore"):
            logarithms = np.log1p(-np.outer(tilts, values - level) / (1 - level))
        assert found == pytest.approx((logarithms[:, row > 0] @ row[row > 0]).max(), abs=1e-6)


@pytest.mark.parametrize(("a", "b"), [(2, 3), (0.5, 0.5), (0.3, 4)])
def test_beta_arms_have_the_divergence_over_all_laws(a, b):
    level = 0.85
    found = Bandit.beta([a, 9], [b, 1]).divergences(level)
    assert found[1] == 0

    def expectation(tilt):
        def integrand(x):
            return mpmath.log1p(-tilt * (x - level) / (1 - level)) * x ** (a - 1) * (1 - x) ** (b - 1)

        return float(mpmath.quad(integrand, [0, 0.01, 0.5, 0.99, 1]) / mpmath.beta(a, b))

    values = [expectation(tilt) for tilt in np.linspace(0.9, 0.999, 12)]
    assert found[0] >= max(values) - 1e-7
    at_one = float(mpmath.digamma(b) - mpmath.digamma(a + b) - mpmath.log(1 - level))
    assert found[0] >= at_one - 1e-7
    # Of all laws with a mean, that on 0 and 1 is the nearest to those with a larger one.
    assert found[0] >= Bandit.bernoulli([a / (a + b), level]).divergences(level)[0]


def test_gaps_and_constants_by_hand():
    bandit = Bandit.gaussian([0, 1, 1], [2, 1, 1])
    assert bandit.gaps.tolist() == [1, 0, 0]
    assert bandit.lai_robbins_constant == pytest.approx(8)
    assert Bandit.bernoulli([0, 0.5, 1]).lai_robbins_constant == 0  # one look tells


# Policies


def restated(name, index, need=1, total=0):
    """Policy in plain Python of an index of (pulls, mean, variance, t, arms)."""

    def start(memory, arms):
        memory[:] = 0

    def choose(t, memory, uniforms):
        rows = memory.reshape(3, -1)
        if (rows[0] < need).any():
            return int((rows[0] < need).argmax())
        means = rows[1] / rows[0]
        variances = np.maximum(rows[2] / rows[0] - means**2, 0)
        values = [index(n, m, v, t, rows.shape[1]) for n, m, v in zip(rows[0], means, variances, strict=True)]
        return int(np.argmax(values))

    def observe(t, memory, arm, reward):
        rows = memory.reshape(3, -1)
        rows[:, arm] += 1, reward, reward**2

    return own_policy(name, start=start, choose=choose, observe=observe, memory=lambda arms: 3 * arms)


N = 150


def plus(x):
    return max(x, 0.0)


def plus_plus(n, k):
    ratio = N / (k * n)
    return plus(math.log(ratio * (plus(math.log(ratio)) ** 2 + 1)))


INDICES = {
    "follow-the-leader": lambda n, m, v, t, k: m,
    "ucb1": lambda n, m, v, t, k: m + math.sqrt(2 * math.log(t) / n),
    "ucb1:0.7": lambda n, m, v, t, k: m + math.sqrt(0.7 * math.log(t) / n),
    "ucb:0.01,0.5": lambda n, m, v, t, k: m + 0.5 * math.sqrt(2 * math.log(100) / n),
    "asymptotic-ucb:0.5": lambda n, m, v, t, k: (
        m + 0.5 * math.sqrt(2 * math.log(1 + (t + 1) * math.log(t + 1) ** 2) / n)
    ),
    "ucb-v": lambda n, m, v, t, k: m + math.sqrt(2.4 * v * math.log(t) / n) + 3.6 * math.log(t) / n,
    "ucb-tuned": lambda n, m, v, t, k: m + math.sqrt(math.log(t) / n * min(0.25, v + math.sqrt(2 * math.log(t) / n))),
    "moss": lambda n, m, v, t, k: m + math.sqrt(plus(math.log(N / (k * n))) / n),
    "anytime-moss": lambda n, m, v, t, k: m + math.sqrt(1.175 * plus(math.log(t / (k * n))) / n),
    "kl-ucb": lambda n, m, v, t, k: highest("bernoulli", m, math.log(t) / n),
    "kl-ucb:c=3": lambda n, m, v, t, k: highest("bernoulli", m, (math.log(t) + 3 * math.log(math.log(t))) / n),
    "kl-ucb-plus-plus": lambda n, m, v, t, k: highest("bernoulli", m, plus_plus(n, k) / n),
    "bayes-ucb:0.5": lambda n, m, v, t, k: m + 0.5 * stats.norm.isf(1 / t) / math.sqrt(n),
    "bayes-ucb-beta": lambda n, m, v, t, k: special.betainccinv(1 + n * m, 1 + n - n * m, 1 / t),
    "bayes-ucb-beta:5": lambda n, m, v, t, k: special.betainccinv(1 + n * m, 1 + n - n * m, 1 / (t * math.log(N) ** 5)),
    "bayes-ucb:0.5,5": lambda n, m, v, t, k: m + 0.5 * stats.norm.isf(1 / (t * math.log(N) ** 5)) / math.sqrt(n),
}


def same_pulls(bandit, compiled, plain, horizon=N, replicates=2):
    traces = [
        play_bandit(bandit, policy, horizon=horizon, rng=stream(0, "same"), replicates=replicates, points=10**6)[
            "pulls"
        ]
        for policy in (compiled, plain)
    ]
    return (traces[0] == traces[1]).all()


@pytest.mark.parametrize("name", INDICES)
def test_indices_against_plain_python(name):
    assert same_pulls(FOUR, named_policy(name), restated(name, INDICES[name]))
    mutant = restated(name, lambda n, m, v, t, k: INDICES[name](n, m, v, t, k) + 0.1 / n)
    assert not same_pulls(FOUR, named_policy(name), mutant), "the comparison has no teeth"


@pytest.mark.parametrize("name", ["ucb1", "ucb-tuned", "kl-ucb", "kl-ucb-plus-plus", "bayes-ucb-beta"])
def test_indices_on_rewards_between_0_and_1(name):
    bandit = Bandit.beta([1, 4, 0.5], [1, 3, 0.2])
    assert same_pulls(bandit, named_policy(name), restated(name, INDICES[name]))


@pytest.mark.parametrize("kind", ["poisson", "exponential", "gaussian"])
def test_kl_ucb_of_other_families(kind):
    bandit = getattr(Bandit, kind)([0.7, 1.0, 0.9])

    def index(n, m, v, t, k):
        return highest(kind, m, math.log(t) / n)

    def static(n, m, v, t, k):
        return highest(kind, m, plus_plus(n, k) / n)

    assert same_pulls(bandit, named_policy(f"kl-ucb:{kind}"), restated(kind, index))
    assert same_pulls(bandit, named_policy(f"kl-ucb-plus-plus:{kind}"), restated(kind, static))


def test_kl_ucb_of_gaussian_arms_is_ucb():
    bandit = Bandit.gaussian([0, 0.4, 0.5], 0.3)
    assert same_pulls(bandit, bandits.kl_ucb(gaussian_family(0.3)), bandits.ucb1(2 * 0.3**2), horizon=5000)


@pytest.mark.parametrize("kind", ["bernoulli", "poisson", "exponential", "gaussian"])
def test_imed(kind):
    bandit = getattr(Bandit, kind)([0.6, 0.9, 0.8])

    def start(memory, arms):
        memory[:] = 0

    def choose(t, memory, uniforms):
        pulls, sums = memory.reshape(2, -1)
        if t < pulls.size:
            return t
        means = sums / pulls
        best = means.max()
        if best == 1 and kind == "bernoulli":
            costs = [0.0 if m == best else 1e3 * n * (1 - m) for n, m in zip(pulls, means, strict=True)]
        elif best == 0:
            costs = [0.0] * pulls.size
        else:
            costs = [n * (divergence(kind, m, best) if m != best else 0.0) for n, m in zip(pulls, means, strict=True)]
        return int(np.argmin(np.array(costs) + np.log(pulls)))

    def observe(t, memory, arm, reward):
        memory.reshape(2, -1)[:, arm] += 1, reward

    plain = own_policy("plain", start=start, choose=choose, observe=observe, memory=lambda arms: 2 * arms)
    assert same_pulls(bandit, named_policy(f"imed:{kind}"), plain)


@pytest.mark.parametrize("kind", ["bernoulli", "poisson", "exponential", "gaussian"])
def test_dmed(kind):
    """Lists of arms, as sets: what is left of the present one, and the next one."""
    bandit = getattr(Bandit, kind)([0.6, 0.9, 0.8])

    def start(memory, arms):
        memory[:] = 0

    def choose(t, memory, uniforms):
        pulls, sums, left, following = memory.reshape(4, -1)
        if t < pulls.size:
            return t
        means = sums / pulls
        if t == pulls.size:
            left[:] = 1
        for arm in np.flatnonzero(left == 0):
            m, best = means[arm], means.max()
            if m == best:
                cost = 0.0
            elif best == 1 and kind == "bernoulli":
                cost = math.inf
            else:
                cost = pulls[arm] * divergence(kind, m, best)
            if cost <= math.log(t) - math.log(pulls[arm]):
                following[arm] = 1
        if not left.any():
            left[:] = following
            following[:] = 0
        arm = int(left.argmax())
        left[arm] = 0
        return arm

    def observe(t, memory, arm, reward):
        memory.reshape(4, -1)[:2, arm] += 1, reward

    plain = own_policy("plain", start=start, choose=choose, observe=observe, memory=lambda arms: 4 * arms)
    assert same_pulls(bandit, named_policy(f"dmed:{kind}"), plain, horizon=400)
    assert not same_pulls(bandit, named_policy(f"imed:{kind}"), plain, horizon=400), "the comparison has no teeth"


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (1.0, 50.0), (50.0, 1.0), (3.5, 2.25), (4000.0, 900.0)])
def test_quantiles_of_beta_tails(a, b):
    for p in (0.5, 0.1, 1e-3, 1e-9):
        for start in (-math.log(b / (a + b)), 10.0):
            u = beta_tail_quantile(a, b, log_beta(a, b), math.log(p), start)
            # Logarithms of gamma functions of thousands are good to 1e-11, and the density here is 70 at most.
            assert -math.expm1(-u) == pytest.approx(special.betainccinv(a, b, p), abs=1e-11)


def test_explore_then_commit():
    pulls = play_bandit(
        FOUR, bandits.explore_then_commit(7), horizon=1000, rng=stream(0, "etc"), replicates=50, points=10**6
    )["pulls"]
    assert (pulls[28] == 7).all()
    late = pulls[-1] - pulls[28]
    assert (np.sort(late, axis=1) == [0, 0, 0, 972]).all()
    assert len(np.unique(late.argmax(axis=1))) > 1
    first = play_bandit(FOUR, bandits.explore_then_commit(7), horizon=10, rng=stream(0, "etc"))["pulls"][-1]
    assert first.tolist() == [[7, 3, 0, 0]]


def two_round_law(choice, prior_pulls):
    """Probabilities of pull counts of arm 0 after the rounds that `choice`(counts, successes) decides."""
    means, laws = (0.3, 0.8), {}
    states = {((0, 0), (0, 0)): 1.0}
    for t in range(prior_pulls):
        following = {}
        for (counts, wins), p in states.items():
            chances = choice(t, counts, wins)
            for arm, win in product((0, 1), (0, 1)):
                q = p * (chances if arm == 0 else 1 - chances) * (means[arm] if win else 1 - means[arm])
                if q == 0:
                    continue
                key = (
                    tuple(c + (a == arm) for a, c in enumerate(counts)),
                    tuple(w + win * (a == arm) for a, w in enumerate(wins)),
                )
                following[key] = following.get(key, 0.0) + q
        states = following
    for (counts, _), p in states.items():
        laws[counts[0]] = laws.get(counts[0], 0.0) + p
    return laws


def beta_choice(t, counts, wins):
    """Probability that a Beta variate of arm 0 exceeds that of arm 1, by a sum over its integer shapes."""
    a, b = wins[0] + 1, counts[0] - wins[0] + 1
    c, d = wins[1] + 1, counts[1] - wins[1] + 1
    beta = mpmath.beta
    return float(sum(beta(c + i, d + b) / ((b + i) * beta(1 + i, b) * beta(c, d)) for i in range(a)))


def normal_choice(t, counts, wins):
    if t < 2:
        return float(t == 0)
    means = [w / n for w, n in zip(wins, counts, strict=True)]
    return stats.norm.cdf((means[0] - means[1]) / math.sqrt(1 / counts[0] + 1 / counts[1]))


def greedy_choice(epsilon):
    def choice(t, counts, wins):
        values = [w / n if n else math.inf for w, n in zip(wins, counts, strict=True)]
        return (1 - epsilon(t)) * (values[0] >= values[1]) + epsilon(t) / 2

    return choice


CHOICES = {
    "thompson": beta_choice,
    "thompson-gaussian": normal_choice,
    "epsilon-greedy:0.3": greedy_choice(lambda t: 0.3),
    "decaying-epsilon-greedy:1,0.8": greedy_choice(lambda t: min(1, 1.6 / (t + 1))),
}


@pytest.mark.parametrize("name", CHOICES)
def test_random_choices_have_their_law(name):
    rounds, replicates = 5, 40_000
    law = two_round_law(CHOICES[name], rounds)
    assert sum(law.values()) == pytest.approx(1)
    policy = named_policy(name)
    trace = play_bandit(
        Bandit.bernoulli([0.3, 0.8]), policy, horizon=rounds, rng=stream(0, name), replicates=replicates
    )
    pulls = trace["pulls"][-1, :, 0]
    for k in range(rounds + 1):
        p = law.get(k, 0.0)
        assert abs((pulls == k).mean() - p) <= SIGMAS * math.sqrt(p * (1 - p) / replicates) + 1e-12


def test_thompson_counts_a_reward_with_its_probability():
    # Rewards 1/2 always: each is a success with probability 1/2, so the arms stay alike.
    bandit = Bandit.discrete([0.5, 0.25], [[1, 0], [0, 1]])
    pulls = play_bandit(bandit, bandits.thompson(), horizon=2000, rng=stream(0, "half"), replicates=200)["pulls"]
    assert pulls[-1, :, 0].mean() > 1800


# The simulator


def test_regret_is_that_of_the_pulls():
    trace = play_bandit(FOUR, bandits.ucb1(), horizon=5000, rng=stream(0, "regret"), replicates=5)
    assert trace["regret"].shape == (trace.times.size, 5)
    assert (trace["pulls"].sum(axis=2) == trace.times[:, None]).all()
    assert trace["regret"] == pytest.approx((trace["pulls"] * (0.75 - FOUR.means)).sum(axis=2))


@pytest.mark.parametrize("name", ["ucb1", "kl-ucb", "imed", "thompson", "thompson-gaussian", "epsilon-greedy:0.1"])
def test_a_replicate_does_not_depend_on_those_beside_it(name):
    # Rewards of beta arms take more numbers in some columns than in others.
    bandit = Bandit.beta([1, 2], [2, 1])

    def pulls(replicates):
        return play_bandit(bandit, named_policy(name), horizon=500, rng=stream(0, "beside"), replicates=replicates)[
            "pulls"
        ]

    many = pulls(LANES + 7)
    for few in (1, 3, 10):
        assert (pulls(few) == many[:, :few]).all()
    assert len(np.unique(many[-1], axis=0)) > 1


@pytest.mark.parametrize("text", EVERY)
def test_bits_do_not_depend_on_workers_or_replicates_beside(text):
    def pulls(workers, replicates):
        with Workers(workers) as pool:
            trace = play_bandit(
                FOUR, named_policy(text), horizon=200, rng=stream(0, text), replicates=replicates, workers=pool
            )
        return trace["pulls"]

    one, two = pulls(1, 2 * LANES + 9), pulls(2, 2 * LANES + 9)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(pulls(2, LANES + 3), one[:, : LANES + 3])
    assert (one[:, :9] != one[:, LANES : LANES + 9]).any(), "blocks that changed places would go unnoticed"


def test_numbers_do_not_depend_on_workers_or_company():
    policies = [bandits.thompson(), bandits.kl_ucb(), bandits.ucb1()]
    runs = compare_policies(FOUR, policies, horizon=300, replicates=200, workers=1)
    again = compare_policies(FOUR, policies[::-1][:2], horizon=300, replicates=200, workers=3)
    assert again["pulls"].equals(runs["pulls"].sel(policy=again["policy"]))
    with Workers(2) as workers:
        alone = play_bandit(
            FOUR,
            bandits.ucb1(),
            horizon=300,
            rng=stream(0, "bandit", FOUR, "UCB1"),
            replicates=200,
            workers=workers,
        )
    assert (alone["pulls"] == runs["pulls"].sel(policy="UCB1").transpose("time", "replicate", "arm").to_numpy()).all()


def beginning_is_the_same(policy):
    short, long = (
        play_bandit(FOUR, policy, horizon=horizon, rng=stream(0, "begin"), replicates=4, points=10**6)["pulls"]
        for horizon in (1000, 3000)
    )
    return (short == long[:1001]).all()


@pytest.mark.parametrize("text", EVERY)
def test_beginnings_do_not_depend_on_the_horizon(text):
    policy = named_policy(text)
    assert beginning_is_the_same(policy) != (text in OF_THE_HORIZON)
    if None in policy.parameters:
        given = tuple(1000 if number is None else number for number in policy.parameters)
        assert beginning_is_the_same(replace(policy, parameters=given))


@pytest.mark.parametrize("text", ["moss", "kl-ucb-plus-plus", "exp3-p", "bayes-ucb:0.5,5", "bayes-ucb-beta:5"])
def test_horizons_may_be_given(text):
    given = named_policy(f"{text}{',' if ':' in text else ':'}horizon=1000").parameters
    assert given == tuple(1000 if number is None else number for number in named_policy(text).parameters)
    assert 1000 in given


def test_seeds_matter():
    first, second = (compare_policies(FOUR, [bandits.ucb1()], horizon=500, replicates=5, seed=seed) for seed in (0, 1))
    assert not first.equals(second)


# Policies of one's own


def ucb_functions():
    def start(memory, arms):
        memory[:] = 0

    def choose(t, memory, uniforms):
        arms = memory.size // 2
        best, largest = 0, -np.inf
        for a in range(arms):
            if memory[a] == 0:
                return a
            value = memory[arms + a] / memory[a] + np.sqrt(2 * np.log(t) / memory[a])
            if value > largest:
                best, largest = a, value
        return best

    def observe(t, memory, arm, reward):
        memory[arm] += 1
        memory[memory.size // 2 + arm] += reward

    return start, choose, observe


def test_own_policies_compiled_or_not():
    plain, compiled = ucb_functions(), tuple(numba.njit(function) for function in ucb_functions())
    policies = [
        own_policy("own", start=s, choose=c, observe=o, memory=lambda arms: 2 * arms) for s, c, o in (plain, compiled)
    ]
    assert [policy.compiled for policy in policies] == [False, True]
    for policy in policies:
        assert same_pulls(FOUR, policy, bandits.ucb1(), horizon=400, replicates=LANES + 2 if policy.compiled else 2)


def test_own_policies_may_draw_numbers():
    functions = {
        "start": lambda memory, arms: None,
        "choose": lambda t, memory, uniforms: int(uniforms[0] < 0.25) if uniforms[1] < 0.5 else 1,
        "observe": lambda t, memory, arm, reward: None,
    }
    for form in (lambda function: function, numba.njit):
        policy = own_policy(
            "coin", **{name: form(function) for name, function in functions.items()}, memory=lambda arms: 0, draws=2
        )
        replicates = 40 if form is not numba.njit else 4000
        trace = play_bandit(FOUR, policy, horizon=20, rng=stream(0, "coin"), replicates=replicates)
        ones = trace["pulls"][-1, :, 1].mean() / 20
        assert abs(ones - 0.625) < SIGMAS * math.sqrt(0.625 * 0.375 / (20 * replicates))


@pytest.mark.parametrize(
    ("form", "arm"), [(lambda function: function, -1), (lambda function: function, 4), (numba.njit, -1)]
)
def test_own_policies_that_choose_no_arm(form, arm):
    policy = own_policy(
        "lost",
        start=form(lambda memory, arms: None),
        choose=form(lambda t, memory, uniforms: arm),
        observe=form(lambda t, memory, arm, reward: None),
        memory=lambda arms: 0,
    )
    with pytest.raises(ValueError, match="no arm"):
        play_bandit(FOUR, policy, horizon=10, rng=stream(0, "lost"))


def test_own_laws():
    bandit = Bandit.own(lambda arm, u: u ** (arm + 1), [1 / 2, 1 / 3], support=(0, 1))
    trace = play_bandit(bandit, bandits.ucb1(), horizon=5000, rng=stream(0, "own law"), replicates=64)
    twin = play_bandit(
        Bandit.beta([1, 0.5], [1, 1]), bandits.ucb1(), horizon=5000, rng=stream(0, "its twin"), replicates=64
    )
    finals = [t["regret"][-1] for t in (trace, twin)]
    spread = math.sqrt(sum(final.var() / 64 for final in finals))
    assert abs(finals[0].mean() - finals[1].mean()) < SIGMAS * spread
    with pytest.raises(ValueError, match="give the lower bound yourself"):
        bandit.divergences(0.5)


# Bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bandit.bernoulli([0.5, 1.2]), r"means\[1\] is 1.2; it must be in \[0, 1\]"),
        (lambda: Bandit.bernoulli([0.5]), "has 1 arms; it must have at least 2"),
        (lambda: Bandit.bernoulli([]), "has 0 arms"),
        (lambda: Bandit.bernoulli([[0.5, 0.5]]), "1 dimension"),
        (lambda: Bandit.gaussian([0, math.nan]), "every entry must be finite"),
        (lambda: Bandit.gaussian([0, 1], [1, 0]), r"deviation\[1\] is 0.0"),
        (lambda: Bandit.poisson([1, 0]), r"means\[1\] is 0; it must be in \(0, 1e\+06\]"),
        (lambda: Bandit.exponential([-1, 1]), r"means\[0\] is -1; it must be > 0"),
        (lambda: Bandit.beta([1, 2], [1]), "b has 1 entries; expected 2"),
        (lambda: Bandit.beta([1, -2], [1, 1]), r"a\[1\] is -2"),
        (lambda: Bandit.discrete([0, 1], [[0.5, 0.6], [1, 0]]), r"probabilities\[0\] sums to 1.1"),
        (lambda: Bandit.discrete([0, 1], [[1.5, -0.5], [1, 0]]), r"probabilities\[0, 1\] is -0.5"),
        (lambda: Bandit.discrete([0, 0], [[0.5, 0.5], [1, 0]]), "distinct"),
        (lambda: Bandit.discrete([0, 1], [[1], [1]]), "expected 2 columns"),
        (lambda: Bandit.own(lambda arm, u: u, [0.5, 2], support=(0, 1)), r"means\[1\] is 2"),
        (lambda: Bandit.parse("cauchy:1,2"), "law 'cauchy' is unknown"),
        (lambda: Bandit.parse("bernoulli:0.5,x"), "mean 2, 'x', is not a number"),
        (lambda: Bandit.discrete([0, 2], [[1, 0], [0, 1]]).lai_robbins_constant, "give the lower bound yourself"),
        (lambda: bandits.ucb(1.0), r"delta is 1.0; it must lie in \(0, 1\)"),
        (lambda: bandits.ucb(0.0), "delta is 0.0"),
        (lambda: bandits.ucb1(0), "alpha is 0.0; it must be finite and > 0"),
        (lambda: bandits.epsilon_greedy(1.5), r"epsilon is 1.5; it must lie in \[0, 1\]"),
        (lambda: bandits.decaying_epsilon_greedy(0), r"gap is 0; it must lie in \(0, 1\]"),
        (lambda: bandits.explore_then_commit(0), "pulls is 0; it must be >= 1"),
        (lambda: upper_bound(BERNOULLI, 1.5, 0.1), r"mean is 1.5; it must lie in \[0, 1\]"),
        (lambda: upper_bound(BERNOULLI, 0.5, -1), "budget is -1.0"),
        (lambda: named_policy("ucb2"), "no policy is called 'ucb2'; did you mean .*ucb1"),
        (lambda: named_policy("Thomson"), "did you mean thompson"),
        (lambda: named_policy("ucb1:x"), "'x' is neither a number nor a family"),
        (lambda: named_policy("ucb1:beta=2"), "the arguments of ucb1 are: alpha"),
        (lambda: named_policy("ucb1:alpha=1,alpha=2"), "'ucb1:alpha=1,alpha=2': alpha is given twice"),
        (lambda: named_policy("ucb1:1,alpha=2"), "multiple values for argument 'alpha'"),
        (lambda: named_policy("zzz"), "no policy is called 'zzz'; there are anytime-moss, "),
        (lambda: named_policy("explore-then-commit:2.5"), "pulls is 2.5; it must be an integer"),
        (lambda: named_policy("kl-ucb:3"), "family must be a family of laws"),
        (lambda: named_policy("moss:poisson"), "horizon must be a number"),
        (lambda: named_policy("epsilon-greedy"), "the arguments of epsilon-greedy are: epsilon"),
        (lambda: compare_policies(FOUR, [bandits.ucb1()], horizon=3), "horizon is 3; it must be at least .* arms, 4"),
        (lambda: compare_policies(FOUR, [bandits.moss()] * 2, horizon=9), "two policies are called 'MOSS'"),
        (lambda: compare_policies(FOUR, [bandits.moss()], horizon=9, replicates=0), "replicates is 0"),
        (lambda: compare_policies(FOUR, [], horizon=9), "there is nothing to play"),
        (
            lambda: compare_policies(Bandit.gaussian([0, 1]), [bandits.thompson()], horizon=9),
            r"Thompson takes rewards in \[0.0, 1.0\]; those of the gaussian bandit with 2 arms lie in \[-inf, inf\]",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_figures_show_what_they_are_given():
    runs = rl.compare_policies(FOUR, [bandits.ucb1(), bandits.moss()], horizon=1000, replicates=20)
    assert runs["regret"].dims == ("policy", "replicate", "time")
    ax = rl.plots.regret(runs, lower_bound=3.0, slopes=(0.5,), log_regret=True)
    means = runs["regret"].mean("replicate").to_numpy()
    for line, mean in zip(ax.lines, means, strict=False):
        assert line.get_ydata() == pytest.approx(mean[1:])
    assert ax.lines[2].get_ydata()[-1] == pytest.approx(3 * math.log(1000))
    assert ax.get_xlabel() == "round"
    pulls = rl.plots.arm_pulls(runs)
    expected = runs["pulls"].sel(policy="MOSS").isel(time=-1).mean("replicate")
    assert pulls.lines[1].get_ydata() == pytest.approx(expected.to_numpy())
    histogram = rl.plots.final_regrets(runs, bins=7)
    assert [text.get_text() for text in histogram.get_legend().get_texts()] == ["UCB1", "MOSS"]
    with pytest.raises(ValueError, match="logarithmic"):
        rl.plots.regret(runs, slopes=(1,))
