"""Bounds on GORP's failure: against published figures, exact enumeration, simulation, and a formula that fails."""

import json
import math
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from rltheory.algorithms import gorp
from rltheory.instances import combination_lock, river_swim
from rltheory.instances.effective_horizon import from_table
from rltheory.measures import gorp_failure_probability, plan_loss
from rltheory.problems import DeterministicMDP, FiniteHorizonMDP, read_bridge
from rltheory.simulation import stream
from rltheory.solvers import (
    GorpBound,
    analyze_gorp,
    gorp_bounds,
    gorp_failure_bounds,
    gorp_json,
    reference_values,
    return_distributions,
)
from rltheory.solvers.return_distributions import stationary_tables
from rltheory.solvers.selection_bounds import (
    CELL_ROWS,
    CELLS,
    LEVELS,
    _binomial_window,
    _cdf,
    bennett,
    bernstein,
    berry_esseen,
    berry_esseen_coefficient,
    binomial,
    normal_cdf,
    window_width,
)
from tests.strategies import explorations, tables

DATA = Path(__file__).parent / "data" / "bridge"
FREEWAY, MAZE = "freeway_10_fs30", "maze_easy_l0_30_fs1"
HORIZONS = {FREEWAY: 10, MAZE: 30}
# Bounds claim 1e-6 more than they compute, for rounding.
ROUNDING = 1e-6
CORRIDOR = DeterministicMDP([[0, 1], [0, 2], [2, 2]], [[0, 0], [0, 1], [0, 0]], initial=[1, 0, 0])


def bridge(name):
    return FiniteHorizonMDP.stationary(read_bridge(DATA / name / "consolidated.npz"), HORIZONS[name])


def published_bounds(name):
    text = (DATA / name / "consolidated_gorp_bounds.json").read_text(encoding="utf-8")
    return json.loads(text, parse_float=Decimal)


# Published figures.


@pytest.mark.parametrize("name", HORIZONS)
def test_published_bounds_to_the_last_digit(name):
    truth = published_bounds(name)
    ks = sorted(map(int, truth["k_results"]))
    found = gorp_bounds(bridge(name), ks, published=True)
    for bound in found:
        of_k = truth["k_results"][str(bound.k)]
        assert bound.sample_complexity == of_k["sample_complexity"]
        # Published logarithms have 256 bits, and horizons below 8 an error of 2^-254 < 4e-77 then.
        assert abs(bound.effective_horizon - of_k["effective_horizon"]) < Decimal("4e-77")
    assert min(bound.sample_complexity for bound in found) == truth["sample_complexity"]
    assert [bound.episodes for bound in found] == {FREEWAY: [37, 61], MAZE: [2]}[name]


# One comparison of arms, by each method.


class Sample:
    """Arms with laws on {0, ..., top}, and the exact laws of sums of m draws."""

    def __init__(self, laws, m):
        self.laws, self.m = laws, m
        self.values = np.arange(laws.shape[1])
        self.mean = laws @ self.values
        support = laws > 0
        self.highest = np.array([self.values[row].max() for row in support], dtype=float)
        self.lowest = np.array([self.values[row].min() for row in support], dtype=float)
        centred = np.abs(self.values - self.mean[:, None])
        self.deviation = np.sqrt((laws * centred**2).sum(axis=1))
        self.deviation[self.highest == self.lowest] = 0.0
        self.third = (laws * centred**3).sum(axis=1)
        self.sums = []
        for law in laws:
            total = np.ones(1)
            for _ in range(m):
                total = np.convolve(total, law)
            self.sums.append(total)

    def truth(self):
        """Probabilities that each arm's sum is larger than all others, and that it is one of the largest."""
        at_most = [np.cumsum(law) for law in self.sums]
        below = [np.append(0.0, each[:-1]) for each in at_most]
        arms = range(len(self.laws))
        alone, among = (
            np.array([(self.sums[i] * np.prod([of[j] for j in arms if j != i], axis=0)).sum() for i in arms])
            for of in (below, at_most)
        )
        return alone, among

    def bounds(self, method, *, slack=0.0, copies=None):
        arms, m = len(self.laws), float(self.m)
        lower, upper = np.full(arms, np.nan), np.full(arms, np.nan)
        copies = np.ones(arms, dtype=np.int64) if copies is None else np.array(copies)
        cells, whole = np.empty((CELL_ROWS, CELLS)), (0, arms)
        ranged = (self.mean, self.highest, self.lowest, copies, *whole, m, slack)
        if method == "bennett":
            bennett(*ranged, 1e-4, lower, upper)
        elif method == "bernstein":
            bernstein(*ranged, cells, lower, upper)
        elif method == "berry_esseen":
            errors = berry_esseen_coefficient(self.deviation, self.third) / math.sqrt(m)
            quantiles = ndtri(np.minimum(1, LEVELS + errors[:, None]))
            law = np.arange(arms)
            berry_esseen(
                self.mean, self.deviation, errors, quantiles, law, copies, *whole, m, slack, cells, lower, upper
            )
        else:
            windows, lows = np.empty((arms, window_width(self.m))), np.empty(arms, dtype=np.int64)
            normal = ndtri(np.arange(CELLS + 1) / CELLS)
            none = binomial(self.mean, copies, *whole, self.m, slack, normal, windows, lows, lower, upper)
            return lower, upper, none
        return lower, upper, 0.0


def random_laws(rng, arms, top):
    laws = rng.dirichlet(np.full(top + 1, 0.6), size=arms)
    laws[rng.random(laws.shape) < 0.2] = 0.0
    laws[:, 0] += laws.sum(axis=1) == 0
    return laws / laws.sum(axis=1, keepdims=True)


METHODS = ("bennett", "bernstein", "berry_esseen", "binomial")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("m", [1, 2, 7, 29, 30, 150, 600])
def test_bounds_enclose_exact_probabilities(method, m):
    rng = stream(0, "test", "selection", method, m)
    for trial in range(12):
        sample = Sample(random_laws(rng, arms=2 + trial % 3, top=1 if method == "binomial" else 1 + trial % 4), m)
        alone, among = sample.truth()
        lower, upper, none = sample.bounds(method)
        # Sums of products err by a few thousand roundings of numbers below 1.
        if method == "binomial":
            nothing = math.prod(law[0] for law in sample.sums)
            assert none == pytest.approx(nothing, abs=1e-12)
            among = among - nothing  # the bounds are on being chosen and having paid
        assert (lower <= alone + 1e-12).all()
        assert (upper >= among - 1e-12).all()
        wider_lower, wider_upper, wider_none = sample.bounds(method, slack=1e-3)
        assert (wider_lower <= lower + 1e-12).all()
        assert (wider_upper >= upper - 1e-12).all()
        assert wider_none >= none


@pytest.mark.parametrize(
    ("method", "m", "width"),
    [("bennett", 800, 1e-3), ("bernstein", 400, 0.03), ("berry_esseen", 2000, 0.05), ("binomial", 60, 0.02)],
)
def test_bounds_have_bite(method, m, width):
    """An arm of mean 0.8 is chosen before one of 0.5, and the bounds know it."""
    lower, upper, _ = Sample(np.array([[0.5, 0.5], [0.2, 0.8]]), m).bounds(method)
    assert upper[0] <= width
    if method != "bennett":
        assert lower[1] >= 1 - 2 * width


@pytest.mark.parametrize("method", METHODS)
def test_equal_arms_may_share_an_entry(method):
    few, many = np.array([[0.5, 0.5], [0.35, 0.65]]), np.array([[0.5, 0.5], *[[0.35, 0.65]] * 3])
    lower, upper, none = Sample(many, 40).bounds(method)
    of_shared = Sample(few, 40).bounds(method, copies=[1, 3])
    np.testing.assert_allclose(of_shared[0], lower[:2], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(of_shared[1], upper[:2], rtol=1e-12)
    assert of_shared[2] == pytest.approx(none, rel=1e-12)


def restated(sample, method):
    """The bounds as they are written on paper, arm by arm and cell by cell."""
    mean, m, arms = sample.mean, sample.m, range(len(sample.mean))
    spans = sample.highest - sample.lowest
    variances = (sample.highest - mean) * (mean - sample.lowest)

    def bernstein_tail(j, x):
        return 1.0 if x <= 0 else math.exp(-m * x**2 / 2 / (variances[j] + spans[j] * x / 3))

    def bernstein_inverse(i, chance):
        scaled = -math.log(chance) / m if chance > 0 else math.inf
        return (spans[i] * scaled + math.sqrt(18 * variances[i] * scaled + (spans[i] * scaled) ** 2)) / 3

    def bennett_tail(j, variance, x):
        u = spans[j] * x / variance if x > 0 else 0.0
        return math.exp(-m * variance / spans[j] ** 2 * ((1 + u) * math.log1p(u) - u))

    if method == "bennett":
        best = mean.max()
        threshold = (best + mean[mean < best - 1e-4].max()) / 2
        miss = math.prod(
            bennett_tail(j, (mean[j] - sample.lowest[j]) * spans[j], best - threshold) for j in arms if mean[j] == best
        )
        reach = np.array([bennett_tail(i, variances[i], threshold - mean[i]) for i in arms])
        return np.zeros(len(mean)), 1 - (1 - reach) * (1 - miss)
    lower, upper = np.zeros(len(mean)), np.zeros(len(mean))
    deviations = sample.deviation / math.sqrt(m)
    skew = sample.third / sample.deviation**3
    errors = np.minimum(0.33554 * (skew + 0.415), 0.3328 * (skew + 0.429)) / math.sqrt(m)
    for i, cell in product(arms, range(100)):
        others = [j for j in arms if j != i]
        if method == "bernstein":
            top = mean[i] + bernstein_inverse(i, (99 - cell) / 100)
            bottom = mean[i] - bernstein_inverse(i, cell / 100)
            reached = [bernstein_tail(j, mean[j] - top) for j in others]
            below = [1 - bernstein_tail(j, bottom - mean[j]) for j in others]
        else:
            top = mean[i] + deviations[i] * ndtri(min(1, (cell + 1) / 100 + errors[i]))
            bottom = mean[i] + deviations[i] * ndtri(max(0, cell / 100 - errors[i])) - 1e-8
            reached = [min(1, ndtr((top - mean[j]) / deviations[j]) + errors[j]) for j in others]
            below = [max(0, ndtr((bottom - mean[j]) / deviations[j]) - errors[j]) for j in others]
        upper[i] += math.prod(reached) / 100
        lower[i] += math.prod(below) / 100
    return lower, upper


@pytest.mark.parametrize("method", ["bennett", "bernstein", "berry_esseen"])
def test_bounds_are_their_formulas(method):
    rng = stream(0, "test", "formulas", method)
    for m in (3, 40, 900):
        # Laws with all values, none of them certain, and skewed ones among them.
        sample = Sample(rng.dirichlet([0.2, 1, 1], size=3), m)
        lower, upper, _ = sample.bounds(method)
        for found, formula in zip((lower, upper), restated(sample, method), strict=True):
            # Rounding of levels, and of normal quantiles where they are close to infinite.
            np.testing.assert_allclose(found, formula, rtol=1e-8, atol=1e-10)


def test_nothing_is_known_of_arms_of_one_mean():
    """Two gambles of mean 1/2, whose ranges differ."""
    lower, upper, _ = Sample(np.array([[0.5, 0.5, 0.0], [0.75, 0.0, 0.25]]), 1000).bounds("bennett")
    np.testing.assert_array_equal([lower, upper], [[0, 0], [1, 1]])


def test_slack_makes_close_certain_arms_tie():
    """Two certain arms, 1e-9 apart: without slack the better one is chosen, with slack either may be."""
    sample = Sample(np.array([[0.0, 1.0], [0.0, 1.0]]), 5)
    sample.mean = sample.highest = sample.lowest = np.array([1.0, 1 + 1e-9])
    for method in ("bernstein", "berry_esseen"):
        assert sample.bounds(method)[1][0] <= 0.01
        assert sample.bounds(method, slack=2e-9)[1][0] == pytest.approx(1)


def test_normal_cdf():
    z = np.append(np.linspace(-50, 50, 20_001), [-np.inf, np.inf])
    np.testing.assert_allclose([normal_cdf(each) for each in z], ndtr(z), atol=1e-14)


@pytest.mark.parametrize("m", [1, 5, 29, 400, 300_000])
@pytest.mark.parametrize("p", [0.0, 1e-6, 0.03, 0.5, 0.9999, 1.0])
def test_binomial_windows(m, p):
    window = np.empty(window_width(m))
    low = _binomial_window(m, p, window)
    around = np.unique(np.clip(int(m * p) + np.array([-9999, -700, -60, -3, -1, 0, 1, 2, 40, 900]), 0, m))
    # SciPy's incomplete beta function errs by some 1e-11 here.
    np.testing.assert_allclose([_cdf(window, low, int(x)) for x in around], binom.cdf(around, m, p), atol=1e-9)


# The probability of failure.


def in_units(problem, unit):
    """The same process with other units of reward."""
    mdp = problem.stages[0]
    shape = (mdp.states, -1)
    return from_table(mdp.successors.reshape(shape), unit * mdp.rewards.reshape(shape), problem.horizon, "")


@given(data=st.data(), unit=st.sampled_from([1, 0.25, 4e-5]))
def test_failure_is_enclosed(data, unit):
    """In the last of the units returns are so close that neighbours are merged."""
    problem = data.draw(tables(lowest=data.draw(st.sampled_from([-2, 0])), most_stages=3))
    policy = data.draw(explorations(problem))
    k = data.draw(st.integers(1, 2))
    numbers = [1, 4, 40]
    bounds = gorp_failure_bounds(in_units(problem, unit), k, numbers, policy=policy)
    for m, bound in zip(numbers, bounds, strict=True):
        assert gorp_failure_probability(problem, depth=k, episodes=m, policy=policy) <= bound + 1e-9


def test_merged_values_are_no_certain_ones():
    """Both returns of the gamble count as one value; the Berry-Esseen method must not take the gamble for certain."""
    gamble = from_table([[1, 2], [3, 3], [3, 3], [3, 3]], [[0, 0], [1, 1], [0, 3], [0, 0]], 2, "")
    assert return_distributions(in_units(gamble, 3e-5)).laws[1].shape[1] == 1
    truth = gorp_failure_probability(gamble, depth=1, episodes=3)
    assert truth == pytest.approx(0.5)
    assert gorp_failure_bounds(in_units(gamble, 3e-5), 1, [3])[0] >= truth


@pytest.mark.parametrize("seed", range(6))
def test_failure_of_many_episodes(seed):
    """Where all methods have their say: the bound holds, and is no trivial one."""
    rng = stream(0, "test", "failure", seed)
    pays = seed % 2 + 1
    mdp = DeterministicMDP(rng.integers(0, 4, (4, 2)), rng.integers(0, pays + 1, (4, 2)), initial=[1, 0, 0, 0])
    problem = FiniteHorizonMDP.stationary(mdp, 3)
    truths = [gorp_failure_probability(problem, depth=1, episodes=m) for m in (20, 200)]
    bounds = gorp_failure_bounds(problem, 1, [20, 200])
    assert (truths <= bounds + 1e-12).all()
    assert bounds[1] <= max(0.1, 2 * truths[1])


def test_failure_bound_of_the_corridor_is_exact():
    problem = FiniteHorizonMDP.stationary(CORRIDOR, 2)
    for m, bound in zip((1, 2, 5, 40), gorp_failure_bounds(problem, 1, [1, 2, 5, 40]), strict=True):
        assert bound == pytest.approx(0.5**m + ROUNDING, abs=1e-11)
        assert gorp_failure_probability(problem, depth=1, episodes=m) == pytest.approx(0.5**m, abs=1e-12)


@pytest.mark.parametrize(("more", "failure"), [(5e-5, 0), (2e-4, 1)])
def test_what_is_nearly_optimal_is_no_failure(more, failure):
    """The sure reward 1 is chosen before the gamble, which might pay more than 1 by less or more than 1e-4."""
    gamble = from_table([[1, 2], [3, 3], [3, 3], [3, 3]], [[0, 0], [1, 1], [1 + more, -1], [0, 0]], 2, "")
    for published in (False, True):
        (bound,) = gorp_failure_bounds(gamble, 1, [1000], published=published)
        assert bound == pytest.approx(failure, abs=2 * ROUNDING)


def test_analysis_of_the_corridor():
    """Bounds for k = 1 and 2, their episodes among others, and how likely they are to succeed."""
    problem = FiniteHorizonMDP.stationary(CORRIDOR, 2)
    found = analyze_gorp(problem, 2)
    assert found.certified == gorp_bounds(problem, [1, 2])
    assert found.published == gorp_bounds(problem, [1, 2], published=True)
    assert {bound.episodes for bound in found.certified} <= set(found.episodes.tolist())
    np.testing.assert_allclose(found.successes, [1 - 0.5**found.episodes, np.ones(found.episodes.size)], atol=2e-6)
    complexities = {"GORP, certified": 16, "GORP, published formula": 8}
    assert found.log10_timesteps == pytest.approx({name: math.log10(n) for name, n in complexities.items()})


def test_scale_of_rewards_does_not_matter():
    """With rewards in (0, 1), the certified bound rescales moments as well; the published formula does not."""
    rng = stream(0, "test", "scale")
    successors, rewards = rng.integers(0, 5, (5, 3)), rng.integers(0, 4, (5, 3))

    def failures(unit, published):
        mdp = DeterministicMDP(successors, rewards * unit, initial=np.eye(1, 5)[0])
        return gorp_failure_bounds(FiniteHorizonMDP.stationary(mdp, 4), 1, [30, 300, 3000], published=published)

    np.testing.assert_allclose(failures(0.125, False), failures(1.0, False), rtol=1e-9)
    assert (failures(0.125, True) < failures(1.0, True) - 1e-3).any()


def test_names_of_states_and_actions_do_not_matter():
    rng = stream(0, "test", "names")
    successors, rewards, order = rng.integers(0, 6, (6, 3)), rng.integers(0, 4, (6, 3)), rng.permutation(6)
    renamed = np.argsort(order)
    mdp = DeterministicMDP(successors, rewards, initial=np.eye(6)[0])
    other = DeterministicMDP(
        renamed[successors[order]][:, ::-1], rewards[order][:, ::-1], initial=np.eye(6)[renamed[0]]
    )
    found, truth = (gorp_failure_bounds(FiniteHorizonMDP.stationary(each, 4), 2, [1, 9, 50]) for each in (other, mdp))
    np.testing.assert_allclose(found, truth, rtol=1e-9)


@pytest.mark.parametrize(("name", "k", "m"), [(FREEWAY, 1, 38), (FREEWAY, 2, 61), (MAZE, 1, 3)])
def test_runs_of_published_processes(name, k, m):
    """What is certified is what GORP does: 2000 runs err by less than 0.06, but for one in 1e7."""
    problem = bridge(name)
    (bound,) = gorp_bounds(problem, [k])
    assert bound.episodes == m
    (failure,) = gorp_failure_bounds(problem, k, [m])
    assert gorp_failure_probability(problem, depth=k, episodes=m) <= failure <= 0.5
    made = gorp(problem, depth=k, episodes=m, rng=stream(0, "certified", name, k), replicates=2000)["made"]
    assert (plan_loss(problem, made) > 1e-4).mean() <= failure + 0.06


def test_policies_that_know_better_need_fewer_episodes():
    """Exploration of the published process that prefers optimal actions: bound, exact law and runs agree on it."""
    problem = bridge(FREEWAY)
    values, (successors, rewards) = reference_values(problem), stationary_tables(problem)
    optimal = rewards + values.optimal[1:, successors] >= values.optimal[:-1, :, None] - 1e-4
    chances = 0.5 * np.full(optimal.shape, 1 / 3) + 0.5 * optimal / optimal.sum(axis=2, keepdims=True)
    policy = chances.reshape(problem.horizon, -1)
    (bound,) = gorp_bounds(problem, policy=policy)
    assert bound.episodes < 38
    failure = gorp_failure_probability(problem, depth=1, episodes=bound.episodes, policy=policy)
    assert failure <= gorp_failure_bounds(problem, 1, [bound.episodes], policy=policy)[0] <= 0.5
    rng = stream(0, "certified", "policy")
    made = gorp(problem, depth=1, episodes=bound.episodes, rng=rng, replicates=2000, policy=policy)["made"]
    assert abs((plan_loss(problem, made) > 1e-4).mean() - failure) <= 0.06


# Where formulas are no certificates.


def test_published_formula_is_no_certificate():
    """Optimal arms that pay seldom, behind one that never pays and is chosen when none pays.

    In 5 states, action 0 ends the episode and 9 others go on; then a lock of 3 digits pays 1.
    """
    actions, chain, depth = 10, 5, 3
    end = chain + depth
    successors, rewards = np.full((end + 1, actions), end), np.zeros((end + 1, actions))
    successors[np.arange(chain), 1:] = np.arange(1, chain + 1)[:, None]
    successors[np.arange(chain, end), -1] = np.arange(chain + 1, end + 1)
    rewards[end - 1, -1] = 1
    problem = FiniteHorizonMDP.stationary(DeterministicMDP(successors, rewards, initial=np.eye(1, end + 1)[0]), end)

    def success(m):
        seldom = [Fraction(9, 10) ** (chain - 1 - state) / actions**depth for state in range(chain)]
        digits = [Fraction(1, actions ** (depth - 1 - digit)) for digit in range(depth)]
        return math.prod(1 - float(1 - p) ** (9 * m) for p in seldom) * math.prod(1 - float(1 - p) ** m for p in digits)

    (formula,), (certified,) = (gorp_bounds(problem, published=published) for published in (True, False))
    assert formula.episodes == 140
    assert success(formula.episodes) < 0.08
    assert 0.5 <= success(certified.episodes) < 0.51


def test_certified_bound_is_not_the_simple_formula():
    """A certain reward of 1 at each step, and arms that pay a lot once in 90 000 episodes: 40 episodes mislead."""
    from rltheory.solvers import reference_values, simple_effective_horizon

    stages, actions = 60, 300
    last = stages - 2
    end = stages + 2 * last
    successors, rewards = np.full((end + 1, actions), end), np.zeros((end + 1, actions))
    successors[:stages, 0], rewards[:stages, 0] = np.append(np.arange(1, stages), end), 1
    for t in range(last):
        successors[t, 1:] = stages + t
        successors[stages + t, 0] = stages + last + t
        rewards[stages + last + t, 0] = stages - t - 0.5
    problem = FiniteHorizonMDP.stationary(DeterministicMDP(successors, rewards, initial=np.eye(1, end + 1)[0]), stages)
    assert simple_effective_horizon(problem, reference_values(problem)).ms[0] == 40
    assert gorp_failure_bounds(problem, 1, [40])[0] == 1
    (bound,) = gorp_bounds(problem)
    # At 80 episodes all of some hundred simulated runs were optimal; 5023 is proved to suffice in another way.
    assert 40 < bound.episodes <= 5023


# The search, and what is made of its answer.


@pytest.mark.parametrize("actions", [6, 10, 14])
def test_search_ends_between_failure_and_success(actions):
    """The number is within 1 % of one for which the bound is above 1/2."""
    problem = FiniteHorizonMDP.stationary(combination_lock([0, 1, 2, 3], actions=actions), 4)
    (bound,) = gorp_bounds(problem)
    assert bound.episodes > 100
    below, at = gorp_failure_bounds(problem, 1, [math.floor(0.99 * bound.episodes), bound.episodes])
    assert at <= 0.5 < below


def test_unsolvable_lengths_have_no_bound():
    """Arms of one mean, of which one is not optimal: no number of episodes helps."""
    gamble = DeterministicMDP([[1, 2], [3, 3], [3, 3], [3, 3]], [[1, 0], [0, 0], [0, 2], [0, 0]], initial=[1, 0, 0, 0])
    bounds = gorp_bounds(FiniteHorizonMDP.stationary(gamble, 2), [1, 2])
    assert bounds[0].episodes is None
    assert bounds[0].sample_complexity is None
    assert bounds[0].effective_horizon == Decimal("Infinity")
    assert bounds[1].episodes == 1
    assert json.loads(gorp_json(bounds)) == {
        "sample_complexity": 16,
        "effective_horizon": 2,
        "k_results": {
            "1": {"sample_complexity": None, "effective_horizon": None},
            "2": {"sample_complexity": 16, "effective_horizon": 2},
        },
    }
    assert json.loads(gorp_json(bounds[:1]))["effective_horizon"] is None


@pytest.mark.parametrize(
    ("bound", "complexity", "horizon"),
    [
        (GorpBound(2, 10, 3, 1, True), 900, Decimal(2)),
        (GorpBound(1, 5, 1, 7, True), 175, Decimal(1)),
        (GorpBound(1, 2, 10, 10**100, True), 40 * 10**100, Decimal(101)),
    ],
)
def test_effective_horizon_of_a_bound(bound, complexity, horizon):
    assert bound.sample_complexity == complexity
    assert bound.effective_horizon == horizon


def test_policies_are_divided_by_their_sums_unless_published():
    policy = np.full((2, 6), 0.5)
    scaled = policy * (1 + 5e-7)
    problem = FiniteHorizonMDP.stationary(CORRIDOR, 2)
    plain, divided = (gorp_failure_bounds(problem, 1, [3, 6], policy=each) for each in (policy, scaled))
    np.testing.assert_allclose(divided, plain, rtol=1e-12)
    published = gorp_failure_bounds(problem, 1, [3, 6], policy=scaled, published=True)
    assert (np.abs(published - 0.5 ** np.array([3, 6])) > 1e-9).all()


# Bad input.

TWO = DeterministicMDP([[0, 1], [0, 1]], [[0, 1], [0, 0]], initial=[1, 0])


@pytest.mark.parametrize(
    ("problem", "arguments", "message"),
    [
        (FiniteHorizonMDP.stationary(river_swim(3), 3), {}, r"choice 1 of stages\[0\] may lead to 2 states"),
        (
            FiniteHorizonMDP([TWO, DeterministicMDP([[0, 0]] * 2, [[1, 1]] * 2)]),
            {},
            "stage 1 is another process than stage 0",
        ),
        (
            FiniteHorizonMDP.stationary(DeterministicMDP.from_rows([0, 2, 3], [1, 0, 1], [5, 10, -1]), 2),
            {},
            "state 0 has 2 choices and state 1 has 1; each must have as many",
        ),
        (
            FiniteHorizonMDP.stationary(DeterministicMDP([[0], [1]], [[0], [1]]), 2),
            {},
            "the process may start in 2 states; it must start in one",
        ),
        (FiniteHorizonMDP.stationary(TWO, 2), {"ks": [1, 0]}, r"ks\[1\] is 0; it must be >= 1"),
        (FiniteHorizonMDP.stationary(TWO, 2), {"ks": [20]}, r"ks\[0\] is 20; 2\*\*20 sequences are more than 1000000"),
        (FiniteHorizonMDP.stationary(TWO, 2), {"policy": np.ones((2, 4))}, "policy sums to 2 in state 0 at stage 0"),
        (FiniteHorizonMDP.stationary(TWO, 2), {"policy": np.ones((3, 4)) / 2}, r"policy has shape \(3, 4\)"),
    ],
)
def test_wrong_arguments_are_named(problem, arguments, message):
    with pytest.raises(ValueError, match=message):
        gorp_bounds(problem, **arguments)


def test_wrong_numbers_of_episodes_are_named():
    problem = FiniteHorizonMDP.stationary(TWO, 2)
    with pytest.raises(ValueError, match=r"episodes\[1\] is 0; it must be >= 1"):
        gorp_failure_bounds(problem, 1, [1, 0])
    with pytest.raises(TypeError, match=r"k is 1.5; it must be an integer >= 1"):
        gorp_failure_bounds(problem, 1.5, [1])


def test_moments_out_of_range_are_named():
    huge = DeterministicMDP([[0, 0]], [[0, 1e150]])
    with pytest.raises(ArithmeticError, match="a moment of the return from state 0 at stage 1 leaves the range"):
        gorp_bounds(FiniteHorizonMDP.stationary(huge, 2))


def test_units_out_of_range_are_named():
    tiny = DeterministicMDP([[0, 0, 0]], [[0, 1e-200, 1e200]])
    with pytest.raises(ArithmeticError, match="the least positive reward is 1e-200; in units of it others leave"):
        gorp_bounds(FiniteHorizonMDP.stationary(tiny, 2))
