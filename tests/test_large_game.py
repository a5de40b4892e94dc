"""Large games are what they are made of, and a query of half of the payoffs is the product with all of them."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltheory import PreferenceGame, nash_mirror_prox
from rltheory.algorithms.games.regret_matching import predictive_regret_matching_plus, regret_matching_plus
from rltheory.instances import random_game
from rltheory.measures import advantage, best_response, exploitability
from rltheory.problems import LargeGame
from rltheory.problems.large_game import BLOCK_ROWS
from rltheory.problems.preference_game import WHOLE_ROWS_SIZE, query
from rltheory.simulation import stream
from tests.strategies import games, policies

ROCK_PAPER_SCISSORS = [[0, -0.5, 0.5], [0.5, 0, -0.5], [-0.5, 0.5, 0]]
SIZES = (1, 2, 7, WHOLE_ROWS_SIZE, *range(WHOLE_ROWS_SIZE + 1, WHOLE_ROWS_SIZE + 5), 150)
UNIT_ROUNDOFF = 2.0**-53


def eighths(rng, n):
    """Payoffs that single precision represents."""
    upper = np.triu(rng.integers(-4, 5, (n, n)) / 8, 1)
    return upper - upper.T


def answer(payoff, policy):
    values = np.full(len(policy), np.nan)
    query(payoff, policy, values)
    return values


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
def test_queries_keep_their_error_bound(precision, n):
    """Against the sums in exact fractions."""
    rng = stream(0, "test", "query", n)
    payoff = random_game(rng, n).payoff.astype(precision)
    policy = rng.dirichlet(np.full(n, 0.3))
    found = answer(payoff, policy)
    p = [Fraction(float(x)) for x in policy]
    largest = 0.0
    for row, value in zip(payoff, found, strict=True):
        terms = [Fraction(float(s)) * x for s, x in zip(row, p, strict=True)]
        size = sum(map(abs, terms))
        relative = n * UNIT_ROUNDOFF / (1 - n * UNIT_ROUNDOFF)
        assert abs(Fraction(float(value)) - sum(terms)) <= relative * size
        largest = max(largest, abs(value))
    assert largest > 0.01 or n == 1


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_half_of_the_payoffs_is_enough(precision):
    n = 150
    rng = stream(0, "test", "half")
    payoff, policy = random_game(rng, n).payoff.astype(precision), rng.dirichlet(np.ones(n))
    half = payoff.copy()
    half[np.tril_indices(n)] = np.nan
    np.testing.assert_array_equal(answer(half, policy), answer(payoff, policy))


@pytest.mark.parametrize("n", [1, 3, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS - 5])
def test_payoffs_are_the_skew_part_in_single_precision(n):
    given_payoff = random_game(stream(0, "test", "skew part", n), n).payoff * (1 - 1e-7)
    disturbed = given_payoff + 1e-8  # within the tolerance, and even, so that the skew part has nothing of it
    for payoff in (given_payoff, disturbed, given_payoff.astype(np.float32)):
        game = LargeGame(payoff)
        assert game.payoff.dtype == np.float32
        assert (game.payoff == -game.payoff.T).all()
        np.testing.assert_allclose(game.payoff, given_payoff, rtol=0, atol=2.0**-26 + 1e-16)  # half a unit below 1/2


def test_rows_above_the_diagonal_make_the_same_game():
    n = 2 * BLOCK_ROWS + 30
    payoff = eighths(stream(0, "test", "rows"), n)
    junk = np.where(np.tri(n, dtype=bool), np.nan, payoff)
    asked = []

    def upper_rows(start, stop):
        asked.append((start, stop))
        return junk[start:stop, start:]

    game = LargeGame.from_upper_rows(n, upper_rows)
    np.testing.assert_array_equal(game.payoff, payoff)
    assert game == LargeGame(payoff)
    assert [a for start, stop in asked for a in range(start, stop)] == list(range(n))


@given(game=games())
def test_small_exact_games_are_kept_exactly(game):
    np.testing.assert_array_equal(LargeGame(game.payoff).payoff, game.payoff)


def test_game_is_frozen_and_apart_from_its_input():
    payoff = np.array(ROCK_PAPER_SCISSORS, dtype=np.float32)
    game = LargeGame(payoff)
    payoff[0, 1] = 0.5
    assert game.payoff[0, 1] == -0.5
    with pytest.raises(ValueError, match="read-only"):
        game.payoff[0, 1] = 0.5
    with pytest.raises(AttributeError):
        game.title = "other"
    assert game.arrays.payoff is game.payoff


def test_equality_is_of_content():
    game = LargeGame(ROCK_PAPER_SCISSORS, title="rock, paper, scissors")
    assert game == LargeGame(ROCK_PAPER_SCISSORS)
    assert hash(game) == hash(LargeGame(ROCK_PAPER_SCISSORS))
    assert game != LargeGame(ROCK_PAPER_SCISSORS, names="abc")
    assert game != LargeGame(-np.array(ROCK_PAPER_SCISSORS))
    assert game != PreferenceGame.from_payoff(ROCK_PAPER_SCISSORS)
    assert (game.n, game.names, str(game)) == (3, ("0", "1", "2"), "rock, paper, scissors")
    assert (str(LargeGame([[0]])), repr(game)) == ("1 actions", "<LargeGame rock, paper, scissors: 3 actions>")


@pytest.mark.parametrize(
    ("payoff", "rule"),
    [
        (0.0, r"payoff has shape \(\); it must be square"),
        ([], r"payoff has shape \(0,\); it must be square with at least one action"),
        ([[0.0, 0.1]], r"payoff has shape \(1, 2\)"),
        ([[0.0, 0.1], [-0.1]], "payoff must be a rectangular array of real numbers"),
        ([["a"]], "payoff must be an array of real numbers"),
        ([[np.nan]], r"payoff\[0, 0\] is nan; it must lie in \[-1/2, 1/2\]"),
        ([[0.0, np.inf], [0.0, 0.0]], r"payoff\[0, 1\] is inf; it must lie in"),
        ([[0.0, 0.7], [-0.7, 0.0]], r"payoff\[0, 1\] is 0.7; it must lie in \[-1/2, 1/2\]"),
        ([[0.0, 0.2], [-0.1, 0.0]], r"payoff\[0, 1\] \+ payoff\[1, 0\] is 0.1; expected 0 within 1e-06"),
        ([[0.1]], r"payoff\[0, 0\] \+ payoff\[0, 0\] is 0.2; expected 0"),
    ],
)
def test_wrong_matrices_are_named(payoff, rule):
    with pytest.raises(ValueError, match=rule):
        LargeGame(payoff)


@given(data=st.data())
def test_every_broken_entry_is_noticed_and_named(data):
    """Also in the last of several blocks."""
    n = BLOCK_ROWS + 20
    a, b = (data.draw(st.integers(0, n - 1)) for _ in range(2))
    wrong = data.draw(st.sampled_from([np.nan, np.inf, 0.5 + 1e-9, -7.0, 3e-6]))
    payoff = np.zeros((n, n))
    payoff[a, b] = wrong
    with pytest.raises(ValueError, match="payoff") as caught:
        LargeGame(payoff)
    assert f"payoff[{a}, {b}]" in str(caught.value)


def test_wrong_blocks_are_named():
    with pytest.raises(ValueError, match=r"upper_rows\(0, 3\) has shape \(3, 2\); expected \(3, 3\)"):
        LargeGame.from_upper_rows(3, lambda start, stop: np.zeros((3, 2)))
    with pytest.raises(TypeError, match=r"n is 2\.5; it must be an integer >= 1"):
        LargeGame.from_upper_rows(2.5, lambda start, stop: np.zeros((2, 2)))

    def out_of_range(start, stop):
        block = np.zeros((stop - start, 200 - start))
        block[-1, -1] = 0.6 if stop == 200 else 0.0  # on the diagonal, not read
        block[-2, -1] = -0.6 if stop == 200 else 0.0
        return block

    with pytest.raises(ValueError, match=r"payoff\[198, 199\] is -0.6; it must lie in \[-1/2, 1/2\]"):
        LargeGame.from_upper_rows(200, out_of_range)


@pytest.mark.parametrize(
    ("names", "rule"),
    [(["a", "b"], "2 names for 3 actions"), (["a", "b", "a"], r"names\[2\] is 'a' again")],
)
def test_wrong_names_are_named(names, rule):
    for make in (LargeGame, lambda payoff, names: LargeGame.from_upper_rows(3, lambda *_: payoff, names)):
        with pytest.raises(ValueError, match=rule):
            make(ROCK_PAPER_SCISSORS, names)


@given(game=games(), data=st.data())
def test_measures_agree(game, data):
    large = LargeGame(game.payoff)
    policy, other = (np.array([data.draw(policies(game.n)) for _ in range(3)]) for _ in range(2))
    np.testing.assert_array_equal(exploitability(large, policy), exploitability(game, policy))
    reference = np.log(policy[0])
    for measure in (
        lambda g: best_response(g, np.log(policy), 0.1, reference),
        lambda g: advantage(g, np.log(policy), np.log(other), 0.1, reference),
    ):
        np.testing.assert_array_equal(measure(large), measure(game))


def test_memory_stays_near_the_size_of_the_game():
    n = 3000
    tracemalloc.start()
    try:
        game = LargeGame.from_upper_rows(n, lambda start, stop: np.full((stop - start, n - start), 0.25))
        _, building = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        beaten_by = exploitability(game, np.full(n, 1 / n))
        _, measuring = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert beaten_by == pytest.approx(0.25 * (n - 1) / n, rel=1e-12)
    # A copy in double precision would add twice the size of the game; blocks add BLOCK_ROWS / n of that, a few times.
    assert building < 1.8 * game.payoff.nbytes
    assert measuring < 1.8 * game.payoff.nbytes


RUNS = {
    "Nash mirror prox": lambda game, start: nash_mirror_prox(game, beta=0.1, iterations=30, start=start),
    "regret matching+": lambda game, start: regret_matching_plus(game, iterations=30, start=start),
    "predictive": lambda game, start: predictive_regret_matching_plus(game, iterations=30, start=start),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("n", [6, 150])
def test_algorithms_play_large_games(run, n):
    """Payoffs that single precision represents are the same game, so that only the order of the sums differs."""
    rng = stream(0, "test", "runs", n)
    payoff, start = eighths(rng, n), rng.dirichlet(np.ones(n))
    small, large = run(PreferenceGame.from_payoff(payoff), start), run(LargeGame(payoff), start)
    for name in small.values:
        np.testing.assert_allclose(large[name], small[name], atol=1e-11)
