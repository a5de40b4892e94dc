"""INPO's regression against textbook least squares, closed forms and its own loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse.csgraph import connected_components

from rltheory import inpo
from rltheory.algorithms.games.inpo_regression import Params, State, _fit, fit_values, inpo_regression, iterate, solve
from rltheory.instances import additive, cycle, random_game
from rltheory.simulation import stream
from tests.strategies import games, policies

WINS = st.integers(2, 6).flatmap(lambda n: arrays(np.float64, (n, n), elements=st.integers(0, 3).map(float)))


def textbook(wins, law):
    """Least squares with a row for each comparison, then centred on each component."""
    rows, sides = [], []
    for winner, loser in zip(*np.nonzero(wins), strict=True):
        row = np.zeros(len(wins))
        row[winner] += 1
        row[loser] -= 1
        times = int(wins[winner, loser])
        rows += times * [row]
        sides += times * [0.5]
    values = np.linalg.lstsq(np.array(rows), np.array(sides), rcond=None)[0]
    _, labels = connected_components(wins, directed=False)
    for label in set(labels):
        part = labels == label
        values[part] -= law[part] @ values[part] / law[part].sum()
    return values


@given(wins=WINS, data=st.data())
def test_values_are_least_squares(wins, data):
    wins[0, 1] = 1.0
    law = data.draw(policies(len(wins)))
    # Counts up to 6 on at most 6 actions: the condition number is some hundreds.
    np.testing.assert_allclose(fit_values(wins, law), textbook(wins, law), atol=1e-11)


def test_large_sparse_graphs_are_solved():
    """Sixty actions, comparisons of a few pairs only, in several components."""
    rng, n = stream(0, "test", "sparse"), 60
    wins = rng.integers(1, 5, (n, n)) * (rng.random((n, n)) < 0.02)
    law = rng.dirichlet(np.ones(n))
    assert 1 < connected_components(wins, directed=False)[0] < n
    np.testing.assert_allclose(fit_values(wins, law), textbook(wins, law), atol=1e-10)


@pytest.mark.parametrize("depth", [0, 5, 300])
def test_expected_wins_give_win_rates(depth):
    """However unlikely some actions are."""
    rng = stream(0, "test", "expected", depth)
    game = random_game(rng, 30)
    law = np.exp(-depth * rng.random(30))
    law /= law.sum()
    wins = np.outer(law, law) * game.prefer
    np.testing.assert_allclose(fit_values(wins, law), game.prefer @ law - 0.5, atol=1e-13)


@given(data=st.data(), game=games(min_n=4, max_n=6))
def test_groups_that_never_meet_are_judged_by_themselves(data, game):
    """Each action gets its win rate against the law restricted to its group."""
    law = data.draw(policies(game.n))
    together = np.equal.outer(np.arange(game.n) < 2, np.arange(game.n) < 2)
    opponents = together * law / (together @ law)[:, None]
    wins = np.outer(law, law) * game.prefer * together
    np.testing.assert_allclose(fit_values(wins, law), (opponents * game.prefer).sum(1) - 0.5, atol=1e-12)


@given(wins=WINS, data=st.data())
def test_values_are_the_limit_of_a_ridge(wins, data):
    wins[0, 1] = 1.0
    law, ridge = data.draw(policies(len(wins))), 1e-7
    links = wins + wins.T
    laplacian = np.diag(links.sum(1)) - links
    ridged = np.linalg.solve(laplacian + ridge * np.diag(law), (wins - wins.T).sum(1) / 2)
    # The penalty shifts values by about ridge / eigenvalue; rounding is amplified by 1 / (ridge * law) = 1e10 at most.
    np.testing.assert_allclose(fit_values(wins, law), ridged, atol=1e-5)


def test_linear_preferences_are_fitted_on_any_connected_graph():
    scores = np.array([0.0, 0.1, 0.35, 0.5, 0.2])
    game, chain = additive(scores), np.diag(np.ones(4), 1) + np.diag(np.ones(4), -1)
    values = fit_values(chain * game.prefer, np.full(5, 0.2))
    np.testing.assert_allclose(values, scores - scores.mean(), atol=1e-14)


def test_names_do_not_matter():
    rng = stream(0, "test", "names")
    wins, law, order = rng.integers(0, 3, (7, 7)).astype(float), rng.dirichlet(np.ones(7)), rng.permutation(7)
    np.testing.assert_allclose(
        fit_values(wins[np.ix_(order, order)], law[order]), fit_values(wins, law)[order], atol=1e-13
    )


def loss(s, wins, log_policy):
    """Mean of (h - 1 / (2 eta))^2 over winners and losers, as the paper writes it."""
    f = log_policy - s["beta"] / s["eta"] * s["log_reference"] - (1 - s["beta"] / s["eta"]) * s["log_anchor"]
    return (wins * (f[:, None] - f[None, :] - 1 / (2 * s["eta"])) ** 2).sum() / wins.sum()


def test_steps_minimise_the_papers_loss():
    rng = stream(0, "test", "loss")
    n, law = 5, np.full(5, 0.2)
    s = {"beta": 0.1, "eta": 0.7, "log_reference": np.log(rng.dirichlet(np.ones(n)))}
    s["log_anchor"] = np.log(rng.dirichlet(np.ones(n)))
    wins = rng.integers(0, 4, (n, n)).astype(float)
    share = s["beta"] / s["eta"]
    best = (1 - share) * s["log_anchor"] + share * s["log_reference"] + fit_values(wins, law) / s["eta"]
    least = loss(s, wins, best)
    for _ in range(100):
        assert loss(s, wins, best + 1e-3 * rng.standard_normal(n)) > least


def play(game, **changes):
    options = {"beta": 0.2, "iterations": 30, "inverse_rate": 1.0, "pairs": 10, "rng": stream(0, "test", "play")}
    return inpo_regression(game, **(options | changes))


@pytest.mark.parametrize("law", [None, [0.5, 0.2, 0.1, 0.1, 0.1]])
def test_policies_follow_from_values(law):
    reference = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    etas = np.linspace(0.2, 2, 31)
    trace = play(cycle(5), reference=reference, inverse_rate=etas, law=law)
    np.testing.assert_allclose(np.exp(trace["log_policy"][0]), reference, rtol=1e-15)
    share = (0.2 / etas)[:, None]
    logits = (1 - share) * trace["log_policy"] + share * np.log(reference) + trace["values"] / etas[:, None]
    expected = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    np.testing.assert_allclose(trace["log_next"], expected, atol=1e-13)
    np.testing.assert_array_equal(trace["log_policy"][1:], trace["log_next"][:-1])
    np.testing.assert_array_equal(trace["comparisons"], 10 * trace.times)


def test_actions_that_were_not_compared_get_the_value_of_a_tie():
    trace = play(cycle(7), pairs=1, iterations=100)
    compared = (trace["values"] != 0).sum(axis=1)
    assert set(compared) == {0, 2}  # a pair may be one action twice
    np.testing.assert_allclose((np.exp(trace["log_policy"]) * trace["values"]).sum(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(np.ptp(trace["values"], axis=1)[compared == 2], 0.5, rtol=1e-14)


def test_many_pairs_give_the_exact_run():
    game, reference = random_game(stream(0, "test", "game"), 4), [0.4, 0.3, 0.2, 0.1]
    exact = inpo(game, beta=0.5, iterations=10, inverse_rate=1.0, reference=reference)
    fitted = play(game, beta=0.5, iterations=10, reference=reference, pairs=200_000)
    # An action of probability 0.1 is in 4e4 comparisons: errors of 0.0025, divided by the temperature.
    np.testing.assert_allclose(fitted["log_policy"], exact["log_policy"], atol=0.02)


def test_pairs_from_a_law_make_it_the_opponent():
    game, law, reference = cycle(4), np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.3, 0.2, 0.1])
    trace = play(game, pairs=200_000, iterations=0, law=law, reference=reference)
    np.testing.assert_allclose(trace["values"][0], game.prefer @ law - 0.5, atol=0.01)
    assert np.abs(trace["values"][0] - (game.prefer @ reference - 0.5)).max() > 0.1


def test_compiled_iterations_are_the_python_ones():
    game, n = random_game(stream(0, "test", "compiled"), 5), 5
    log_policy = np.log(np.arange(1.0, n + 1) / 15)
    for from_policy in (True, False):
        params = Params(np.full(n, -np.log(n)), np.full(7, 0.8), np.full(7, 0.9), np.full(n, 1 / n), from_policy)
        states = []
        for step in (iterate, iterate.py_func):
            states.append(State(log_policy.copy(), np.exp(log_policy), *np.zeros((2, n))))
            step(states[-1], _fit(np.zeros((n, n))), game.arrays, params, 6, 0, 7, stream(0, "test", "same"))
        for compiled, plain in zip(*states, strict=True):
            np.testing.assert_allclose(compiled, plain, atol=1e-13)


def test_compiled_fit_is_the_python_one():
    rng = stream(0, "test", "solve")
    wins, law = rng.integers(0, 2, (8, 8)) * np.triu(np.ones((8, 8)), 5), rng.dirichlet(np.ones(8))
    compiled, plain = np.empty(8), np.empty(8)
    solve(_fit(wins), law, compiled)
    solve.py_func(_fit(wins), law, plain)
    np.testing.assert_allclose(compiled, plain, atol=1e-15)


def test_same_stream_same_run():
    runs = [play(cycle(3), rng=stream(seed, "test", "run"))["log_policy"].tobytes() for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    ("wrong", "error", "rule"),
    [
        ({"pairs": 0}, ValueError, "pairs is 0; it must be >= 1"),
        ({"pairs": 1.5}, TypeError, "pairs is 1.5; it must be an integer >= 1"),
        ({"beta": 0.0}, ValueError, "beta is 0.0; it must be finite and > 0"),
        ({"iterations": -1}, ValueError, "iterations is -1; it must be >= 0"),
        ({"inverse_rate": 0.1}, ValueError, "inverse_rate has the entry 0.1; it must be at least beta = 0.2"),
        ({"inverse_rate": [1.0, 1.0]}, ValueError, "inverse_rate has 2 entries; expected 31, or a single number"),
        ({"reference": [1.0, 0.0, 0.0]}, ValueError, r"reference\[1\] is 0.0; every probability must be > 0"),
        ({"law": [0.5, 0.5]}, ValueError, "law has 2 entries; the game has 3 actions"),
    ],
)
def test_wrong_arguments_are_named(wrong, error, rule):
    with pytest.raises(error, match=rule):
        play(cycle(3), **wrong)


@pytest.mark.parametrize(
    ("wins", "law", "rule"),
    [
        (np.zeros((2, 2)), [0.5, 0.5], "wins holds no comparison of two actions"),
        (5 * np.eye(2), [0.5, 0.5], "wins holds no comparison of two actions"),
        (np.ones((2, 3)), [0.5, 0.5], r"wins has shape \(2, 3\); it must be square"),
        ([[0, -1], [1, 0]], [0.5, 0.5], r"wins\[0, 1\] is -1.0; every entry must be >= 0"),
        ([[0, np.nan], [1, 0]], [0.5, 0.5], r"wins\[0, 1\] is nan; every entry must be finite"),
        (np.ones((2, 2)), [1.0, 0.0], r"law\[1\] is 0.0; every probability must be > 0"),
    ],
)
def test_wrong_comparisons_are_refused(wins, law, rule):
    with pytest.raises(ValueError, match=rule):
        fit_values(wins, law)
