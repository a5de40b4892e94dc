"""Regret matching+ and the solver built on it, against the textbook, exact arithmetic and known winners."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltheory import PreferenceGame
from rltheory.algorithms.games.regret_matching import (
    State,
    iterate,
    predictive_regret_matching_plus,
    regret_matching_plus,
)
from rltheory.instances import (
    comal_example,
    condorcet,
    cycle,
    low_rank,
    nash_md_population,
    random_game,
    random_tournament,
)
from rltheory.measures import exploitability
from rltheory.problems import LargeGame
from rltheory.simulation import stream
from rltheory.solvers import minimax_winner
from rltheory.solvers.approximate import approximate_minimax_winner
from tests.strategies import games, policies

ALGORITHMS = pytest.mark.parametrize(
    ("run", "predictive"), [(regret_matching_plus, False), (predictive_regret_matching_plus, True)]
)
EPSILON = 2.0**-52


def textbook(game, iterations, start, *, predictive):
    """Policies and regrets of one of two players, who know neither that their game is symmetric nor what they earn."""
    players = [(start.copy(), np.zeros(game.n), np.zeros(game.n)) for _ in range(2)]
    policies_, regrets = [], [np.zeros(game.n)]
    for _ in range(iterations + 1):
        policies_.append(players[0][0])
        answers = []
        for (own, regret, _), (other, _, _) in zip(players, players[::-1], strict=True):
            payoff = game.prefer @ other
            instant = payoff - own @ payoff
            answers.append((np.maximum(regret + instant, 0), instant))
        players = []
        for regret, instant in answers:
            wanted = np.maximum(regret + instant, 0) if predictive else regret
            players.append((wanted / wanted.sum(), regret, instant))
        regrets.append(players[0][1])
    return np.array(policies_), np.array(regrets)


def weights(rounds, *, predictive):
    return np.arange(1.0, rounds + 1) ** (2 if predictive else 1)


def bound(n, rounds, *, predictive):
    if predictive:
        return 6 * rounds * np.sqrt(n * rounds) / ((rounds + 1) * (2 * rounds + 1))
    return np.sqrt(n * rounds) / (rounds + 1)


@ALGORITHMS
@pytest.mark.parametrize("n", [2, 3, 10, 64, 65, 130])
def test_iterates_are_the_textbook(run, predictive, n):
    rng = stream(0, "test", "regret matching", n)
    game, start = random_game(rng, n), rng.dirichlet(np.ones(n))
    trace = run(game, iterations=40, start=start)
    expected, _ = textbook(game, 40, start, predictive=predictive)
    # Rounding of 1e-16 grows by a factor of up to 1 / (sum of the regrets) in each of the first few steps.
    np.testing.assert_allclose(trace["policy"], expected[trace.times], atol=1e-11)
    means = [np.average(expected[: t + 1], axis=0, weights=weights(t + 1, predictive=predictive)) for t in trace.times]
    np.testing.assert_allclose(trace["mean"], means, atol=1e-11)


@ALGORITHMS
@pytest.mark.parametrize("family", [random_game, random_tournament, low_rank])
def test_each_step_of_the_proof(run, predictive, family):
    """Regrets grow slowly, and bound the mean; both sides restated."""
    n, rounds = 12, 200
    rng = stream(0, "test", "proof", family.__name__)
    game, start = family(rng, n), rng.dirichlet(np.ones(n))
    x, z = textbook(game, rounds - 1, start, predictive=predictive)
    v = x @ game.payoff.T
    predicted = np.vstack([np.zeros(n), v[:-1]]) if predictive else np.zeros_like(v)
    growth = (z[1:] ** 2).sum(axis=1) - (z[:-1] ** 2).sum(axis=1)
    surprise = ((v - predicted) ** 2).sum(axis=1)
    assert (growth <= surprise + 1e-13).all()
    assert (growth > 0.2 * surprise).any()  # the statement has bite
    mean = run(game, iterations=rounds, start=start)
    for t, row in zip(mean.times[mean.times < rounds], mean["mean"], strict=False):
        w = weights(t + 1, predictive=predictive)
        assert exploitability(game, row) <= w[-1] * z[t + 1].max() / w.sum() + 1e-13


@ALGORITHMS
@given(game=games(), data=st.data())
def test_means_keep_the_proved_bound(run, predictive, game, data):
    trace = run(game, iterations=60, start=data.draw(policies(game.n)))
    assert (exploitability(game, trace["mean"]) <= bound(game.n, trace.times + 1, predictive=predictive) + 1e-13).all()


@ALGORITHMS
@pytest.mark.parametrize(
    ("game", "winner"),
    [
        (comal_example(), [4 / 11, 3 / 11, 4 / 11]),
        (nash_md_population(0.2), [1 / 3 + 0.1, 1 / 3 + 0.1, 1 / 3 - 0.2]),
        (cycle(5), np.full(5, 0.2)),
    ],
    ids=str,
)
def test_means_approach_the_minimax_winner(run, predictive, game, winner):
    start = np.arange(1.0, game.n + 1) / np.arange(1.0, game.n + 1).sum()
    trace = run(game, iterations=20_000, start=start)
    policy = trace.last("mean")
    beaten_by = exploitability(game, policy)
    assert beaten_by < (1e-4 if predictive else 5e-3)  # measured: at most half of that
    # Against a winner of full support the values of a policy average to 0; none is above e, hence none is below
    # -e / min(winner), and the policy follows from its values and its sum.
    system = np.vstack([game.payoff, np.ones(game.n)])
    furthest = np.linalg.norm(np.linalg.pinv(system), 2) * np.sqrt(game.n) * beaten_by / min(winner)
    assert np.abs(policy - winner).max() <= furthest + 1e-13


def test_sure_winners_are_reached_exactly():
    game = condorcet(stream(0, "test", "sure winner"), 7, 0.1)
    for run in (regret_matching_plus, predictive_regret_matching_plus):
        policy = run(game, iterations=500).last("policy")
        assert sorted(policy) == [0.0] * 6 + [1.0]
        assert exploitability(game, policy) == 0.0


@ALGORITHMS
def test_what_no_action_beats_stays(run, predictive):
    """Here without rounding: the answer is exactly 0, and regrets with it."""
    uniform = np.full(4, 0.25)
    trace = run(cycle(4), iterations=10)
    assert (trace["policy"] == uniform).all()
    assert (trace["mean"] == uniform).all()


@ALGORITHMS
@given(game=games(min_n=2), data=st.data())
def test_scale_does_not_matter(run, predictive, game, data):
    """Halved payoffs halve the regrets, without rounding, and leave the policies to the last bit."""
    start = data.draw(policies(game.n))
    trace, halved = (run(g, iterations=50, start=start) for g in (game, PreferenceGame.from_payoff(game.payoff / 2)))
    np.testing.assert_array_equal(halved["policy"], trace["policy"])
    np.testing.assert_array_equal(halved["mean"], trace["mean"])


@ALGORITHMS
def test_names_do_not_matter(run, predictive):
    rng = stream(0, "test", "renamed")
    game, start, order = random_game(rng, 20), rng.dirichlet(np.ones(20)), rng.permutation(20)
    renamed = PreferenceGame(game.prefer[np.ix_(order, order)])
    trace, trace_renamed = run(game, iterations=40, start=start), run(renamed, iterations=40, start=start[order])
    np.testing.assert_allclose(trace_renamed["mean"], trace["mean"][:, order], atol=1e-11)


@ALGORITHMS
def test_compiled_iteration_is_the_python_one(run, predictive):
    game = random_game(stream(0, "test", "compiled"), 5)

    def state():
        policy = np.arange(1.0, 6) / 15
        return State(policy, policy.copy(), *np.zeros((2, 5)))

    compiled, plain = state(), state()
    iterate(compiled, game.arrays, predictive, 0, 7)
    iterate.py_func(plain, game.arrays, predictive, 0, 7)
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-14)


@ALGORITHMS
def test_trace_is_labelled(run, predictive):
    game = random_game(stream(0, "test", "times"), 4)
    short, long = (run(game, iterations=k) for k in (50, 5000))
    assert long.times[-1] == 5000
    assert long["policy"].shape == long["mean"].shape == (long.times.size, 4)
    np.testing.assert_array_equal(long["queries"], long.times)
    common = np.intersect1d(short.times, long.times)
    for name in ("policy", "mean"):
        first, second = (trace[name][np.isin(trace.times, common)] for trace in (short, long))
        np.testing.assert_array_equal(first, second)


@ALGORITHMS
@pytest.mark.parametrize(
    ("wrong", "error", "rule"),
    [
        ({"iterations": -1}, ValueError, "iterations is -1; it must be >= 0"),
        ({"iterations": 2.5}, TypeError, "iterations is 2.5; it must be an integer >= 0"),
        ({"start": [1.0, 0.0, 0.0]}, ValueError, r"start\[1\] is 0.0; every probability must be > 0"),
        ({"start": [0.5, 0.5]}, ValueError, "start has 2 entries; the game has 3 actions"),
    ],
)
def test_wrong_arguments_are_named(run, predictive, wrong, error, rule):
    with pytest.raises(error, match=rule):
        run(cycle(3), **({"iterations": 5} | wrong))


def exact_exploitability(game, policy):
    """Largest edge over the policy, scaled to sum 1, in fractions."""
    p = [Fraction(float(x)) for x in policy]
    rows = [[Fraction(float(x)) for x in row] for row in game.payoff]
    return max(sum(s * x for s, x in zip(row, p, strict=True)) for row in rows) / sum(p)


@settings(max_examples=50)
@given(game=games(), tolerance=st.sampled_from([0.1, 0.03, 0.01]), large=st.booleans())
def test_certificates_are_proved(game, tolerance, large):
    found = approximate_minimax_winner(LargeGame(game.payoff) if large else game, tolerance)
    exact = exact_exploitability(game, found.policy)
    assert 0 <= exact <= found.exploitability <= tolerance
    assert found.exploitability - exact <= 2 * game.n * EPSILON
    assert (found.policy >= 0).all()
    assert found.policy.sum() == pytest.approx(1, abs=game.n * EPSILON)


@pytest.mark.parametrize("family", [random_game, random_tournament])
@pytest.mark.parametrize("n", [20, 150])
def test_answers_are_near_the_linear_program(family, n):
    """The value of the game is 1/2 for both, so that each is nearly the best answer to the other."""
    game = family(stream(0, "test", "approximate", family.__name__, n), n)
    exact, found = minimax_winner(game), approximate_minimax_winner(game, 1e-3)
    assert exploitability(game, found.policy) <= found.exploitability <= 1e-3
    assert abs(exact.policy @ game.payoff @ found.policy) <= 1e-3 + 1e-12


def test_last_policy_or_mean_whichever_comes_first():
    sure = approximate_minimax_winner(condorcet(stream(0, "test", "sure winner"), 7, 0.1), 1e-6)
    assert sure.policy.max() == 1.0
    mixed = random_game(stream(0, "test", "mixed"), 101)
    found = approximate_minimax_winner(mixed, 1e-3)
    trace = predictive_regret_matching_plus(mixed, iterations=found.iterations - 1)
    np.testing.assert_allclose(found.policy, trace.last("mean"), atol=1e-12)
    assert exploitability(mixed, trace["mean"])[-2] > 1e-3


def test_long_runs_end_with_distributions():
    """Rounding adds up in a running mean: here to 3.5 times 2^-52, which would void the certificate."""
    found = approximate_minimax_winner(comal_example(), 1e-4)
    assert found.iterations > 1000
    assert abs(sum(Fraction(float(x)) for x in found.policy) - 1) <= 3 * EPSILON


def test_missed_tolerances_are_errors():
    game = random_game(stream(0, "test", "missed"), 30)
    with pytest.raises(ArithmeticError, match=r"within 1e-05 after 7 iterations; the best reached 0\.\d+: allow"):
        approximate_minimax_winner(game, 1e-5, iterations=7)


@pytest.mark.parametrize(
    ("wrong", "error", "rule"),
    [
        ({"tolerance": 0.0}, ValueError, "tolerance is 0.0; it must be finite and > 0"),
        ({"tolerance": "small"}, TypeError, "tolerance is 'small'; it must be a number > 0"),
        ({"tolerance": 1e-16}, ValueError, "tolerance is 1e-16; with 3 actions rounding alone comes to 6.7e-16"),
        ({"iterations": 0}, ValueError, "iterations is 0; it must be >= 1"),
    ],
)
def test_wrong_requests_are_named(wrong, error, rule):
    with pytest.raises(error, match=rule):
        approximate_minimax_winner(cycle(3), **wrong)
