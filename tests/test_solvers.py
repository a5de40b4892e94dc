"""Equilibria against exact answers, independent solvers and invariances."""

import json
from fractions import Fraction
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import OptimizeResult, linprog

from rltheory import PreferenceGame, minimax_winner, regularized_equilibrium
from rltheory.instances import (
    bradley_terry,
    condorcet,
    cycle,
    efron_dice,
    low_rank,
    planted_reference,
    random_game,
    random_tournament,
    recorded_game,
    weighted_rock_paper_scissors,
)
from rltheory.measures import exploitability, regularized_exploitability
from rltheory.simulation import stream
from rltheory.strategies import adverse_games
from tests.elsewhere import elsewhere
from tests.strategies import betas, games, policies

ANSWERS = json.loads((Path(__file__).parent / "data" / "known_answers.json").read_text(encoding="utf-8"))

# Games whose licences forbid copies are tested where they are at hand: a folder of such tables with an index.json.
ELSEWHERE = elsewhere("preferences")
FURTHER = json.loads((ELSEWHERE / "index.json").read_text(encoding="utf-8")) if ELSEWHERE else {}
ABSENT = pytest.param(
    "", marks=pytest.mark.skip(reason="RLTHEORY_DATA names no folder of games that may not be copied")
)


def exact_vector(weights, n):
    vector = np.zeros(n)
    for action, weight in weights.items():
        vector[int(action)] = float(Fraction(weight))
    return vector


def check_minimax_winner(game, exact=None):
    found = minimax_winner(game)
    assert found.method in ("pivoting", "interior point")  # the linear program is never needed
    # Both accept 1e-14, and their own products with the payoff round differently from these.
    assert found.exploitability <= 1e-14
    assert (game.prefer @ found.policy).max() <= 0.5 + 1e-13
    assert found.exploitability == pytest.approx(max(0.0, (game.prefer @ found.policy).max() - 0.5), abs=1e-13)
    assert found.policy.sum() == pytest.approx(1, abs=1e-14)
    assert (found.policy >= 0).all()
    if exact is not None:
        # The answer is exact for rational win rates; their rounding to 1e-16 moves it by up to 3e-14.
        np.testing.assert_allclose(found.policy, exact_vector(exact, game.n), atol=1e-12)
    return found


@pytest.mark.parametrize("name", sorted(ANSWERS["minimax"]))
def test_minimax_winner_of_recorded_games(name):
    check_minimax_winner(recorded_game(name), ANSWERS["minimax"][name]["winner"])


@pytest.mark.parametrize("name", sorted(FURTHER) or [ABSENT])
def test_minimax_winner_of_games_elsewhere(name):
    check_minimax_winner(PreferenceGame.from_csv(ELSEWHERE / f"{name}.csv"), FURTHER[name].get("maximin_exact"))


@pytest.mark.parametrize("name", sorted(ANSWERS["minimax"]))
def test_exploitability_of_uniform_play(name):
    game = recorded_game(name)
    expected = ANSWERS["minimax"][name]["uniform_exploitability"]
    assert exploitability(game, np.full(game.n, 1 / game.n)) == pytest.approx(expected, abs=1e-12)


@given(game=games(max_n=9))
def test_minimax_winner_is_beaten_by_none(game):
    check_minimax_winner(game)


@settings(max_examples=200)
@given(game=adverse_games(longest_cycle=41))
def test_minimax_winner_of_adverse_games(game):
    check_minimax_winner(game)


def from_upper(values):
    """Game whose payoffs above the diagonal are those of a matrix, cut off at sure wins."""
    upper = np.triu(np.clip(values, -0.5, 0.5), 1)
    return PreferenceGame.from_payoff(upper - upper.T)


def cloned(game, copies):
    return PreferenceGame(game.prefer[np.ix_(copies, copies)])


def noisy(size):
    """The same kind of game with clones, up to a perturbation that breaks all ties."""
    return lambda rng, n: from_upper(with_clones(rng, n).payoff + rng.uniform(-size, size, (n, n)))


def with_ties(rng, n):
    return from_upper(rng.choice([-0.5, 0, 0, 0.5], (n, n)))


def with_clones(rng, n):
    return cloned(with_ties(rng, (n + 1) // 2), rng.integers(0, (n + 1) // 2, n))


def of_low_rank(rng, n):
    u, v = rng.uniform(-0.5, 0.5, (2, n, 2))
    return from_upper(u @ v.T - v @ u.T)


def with_dominated_action(rng, n):
    payoff = random_game(rng, n).payoff * 0.8
    payoff[-1], payoff[:, -1] = payoff[0] - 0.05, payoff[:, 0] + 0.05
    return from_upper(payoff)


def of_many_scales(rng, n):
    return from_upper(rng.choice([-1, 1], (n, n)) * 10 ** rng.uniform(-12, -0.3, (n, n)))


FAMILIES = {
    "uniform": random_game,
    "tiny": lambda rng, n: from_upper(rng.uniform(-1e-6, 1e-6, (n, n))),
    "tournament": random_tournament,
    "ties": with_ties,
    "clones": with_clones,
    "clones within 1e-6": noisy(1e-6),
    "clones within 1e-9": noisy(1e-9),
    "clones within 1e-12": noisy(1e-12),
    "cycle": lambda rng, n: cycle(max(n, 3)),
    "cycle within 1e-6": lambda rng, n: from_upper(cycle(n).payoff + rng.uniform(-1e-6, 1e-6, (n, n))),
    "rank 2": of_low_rank,
    "low rank": low_rank,
    "low rank, rank 1": lambda rng, n: low_rank(rng, n, 1),
    "dominated action": with_dominated_action,
    "many scales": of_many_scales,
    "narrow Condorcet winner": lambda rng, n: condorcet(rng, n, 1e-9),
    "indifferent": lambda rng, n: PreferenceGame.indifferent(n),
}


@pytest.mark.parametrize("n", [3, 4, 9, 30, 130])
@pytest.mark.parametrize("family", FAMILIES)
def test_minimax_winner_of_families(family, n):
    check_minimax_winner(FAMILIES[family](stream(0, "test minimax winner", family, n), n))


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_minimax_winner_is_that_of_the_linear_program(n):
    """Uniform preferences have, almost surely, one winner."""
    game = random_game(stream(0, "test linear program", n), n)
    solved = linprog(
        -np.append(np.zeros(n), 1.0),
        A_ub=np.hstack([-game.prefer.T, np.ones((n, 1))]),
        b_ub=np.zeros(n),
        A_eq=np.append(np.ones(n), 0.0)[None],
        b_eq=[1.0],
        method="highs-ds",
    )
    assert solved.x[-1] == pytest.approx(0.5, abs=1e-9)  # the value: what the winner is sure to get
    # HiGHS promises 1e-7 for its constraints.
    np.testing.assert_allclose(minimax_winner(game).policy, solved.x[:n], atol=1e-6)


@pytest.mark.parametrize("family", ["uniform", "tournament", "tiny", "low rank", "dominated action"])
@pytest.mark.parametrize("n", [20, 60])
def test_pivoting_and_interior_point_agree(family, n, monkeypatch):
    game = FAMILIES[family](stream(0, "test methods agree", family, n), n)
    by_pivoting = minimax_winner(game)
    monkeypatch.setattr("rltheory.solvers.minimax.EXCHANGES_PER_ACTION", 0)
    by_interior_point = minimax_winner(game)
    assert (by_pivoting.method, by_interior_point.method) == ("pivoting", "interior point")
    # Two answers with residuals of 1e-16, for games whose smallest probabilities are about 1e-4.
    np.testing.assert_allclose(by_interior_point.policy, by_pivoting.policy, atol=1e-12)


def test_interior_point_finds_rare_actions(monkeypatch):
    """The third action has a smaller probability than the others' losses; three more lose to all of them."""
    payoff = np.zeros((6, 6))
    payoff[:3, :3] = weighted_rock_paper_scissors(1e-9, 0.5, 0.5).payoff
    payoff[:3, 3:], payoff[3:, :3] = 0.25, -0.25
    monkeypatch.setattr("rltheory.solvers.minimax.EXCHANGES_PER_ACTION", 0)
    found = minimax_winner(PreferenceGame.from_payoff(payoff))
    assert found.method == "interior point"
    # The margin of 1e-9 is known to 1e-16, the rounding of preferences.
    np.testing.assert_allclose(found.policy, [0.5, 0.5, 1e-9, 0, 0, 0], rtol=1e-6)


def test_pivoting_solves_every_tournament():
    """Tournaments have one winner each, and many ties between the ratios that pivoting compares."""
    rng = stream(0, "test tournaments")
    assert {minimax_winner(random_tournament(rng, n)).method for n in range(1, 30) for _ in range(20)} == {"pivoting"}


def test_minimax_winner_that_is_pure_is_exact_on_many_actions():
    ratings = stream(0, "test pure winner").standard_normal(500)
    found = minimax_winner(bradley_terry(ratings))
    assert found.exploitability == 0
    assert found.policy.tolist() == (ratings == ratings.max()).tolist()


def test_few_strong_actions_among_many_are_found_by_pivoting():
    payoff = random_game(stream(0, "test few strong"), 300).payoff.copy()
    payoff[:5, :5] = cycle(5).payoff / 5
    payoff[:5, 5:], payoff[5:, :5] = 0.2, -0.2
    found = minimax_winner(PreferenceGame.from_payoff(payoff))
    assert found.method == "pivoting"
    np.testing.assert_allclose(found.policy, np.repeat([0.2, 0.0], [5, 295]), atol=1e-15)


def test_analytic_centre_of_efrons_dice():
    # The winners are (1 - x) (3/7, 1/7, 3/7, 0) + x (0, 1/2, 0, 1/2). The product of the four probabilities is
    # largest where its logarithmic derivative vanishes, 10 x^2 - 2 x - 1 = 0.
    x = (1 + np.sqrt(11)) / 10
    found = minimax_winner(efron_dice())
    assert found.method == "interior point"
    np.testing.assert_allclose(found.policy, [3 * (1 - x) / 7, (1 - x) / 7 + x / 2, 3 * (1 - x) / 7, x / 2], atol=1e-14)


def test_analytic_centre_counts_losses():
    # Two actions tie; against the third they win by 1/2 and 1/4. Mixtures (x, 1 - x, 0) have the product
    # x (1 - x) (1 + x) / 4.
    game = PreferenceGame.from_payoff([[0, 0, 0.5], [0, 0, 0.25], [-0.5, -0.25, 0]])
    np.testing.assert_allclose(minimax_winner(game).policy, [3**-0.5, 1 - 3**-0.5, 0], atol=1e-14)


@settings(max_examples=30)
@given(game=games(min_n=2, max_n=6))
def test_analytic_centre_by_convex_programming(game):
    n, found = game.n, minimax_winner(game)
    winners = {"A_ub": game.payoff, "b_ub": np.zeros(n), "A_eq": np.ones((1, n)), "b_eq": [1.0]}
    played = np.array([-linprog(-unit, **winners).fun > 1e-7 for unit in np.eye(n)])
    assert ((found.policy > 0) == played).all()
    p = cp.Variable(n)
    barrier = cp.sum(cp.log(p[played]))
    if not played.all():
        barrier += cp.sum(cp.log(-game.payoff[~played] @ p))
    constraints = [game.payoff[played] @ p == 0, p[~played] == 0, cp.sum(p) == 1]
    cp.Problem(cp.Maximize(barrier), constraints).solve(solver=cp.CLARABEL)
    # Objective accurate to 1e-8, hence the maximiser to its root.
    np.testing.assert_allclose(found.policy, p.value, atol=1e-4)


@pytest.mark.parametrize("n", [4, 9, 30])
@pytest.mark.parametrize("family", ["uniform", "ties", "clones", "cycle", "rank 2", "indifferent"])
def test_minimax_winner_ignores_names(family, n):
    rng = stream(0, "test names", family, n)
    game = FAMILIES[family](rng, n)
    order = rng.permutation(n)
    renamed = cloned(game, order)
    # Residuals of 1e-16 against a centre whose smallest probabilities are about 1e-4.
    np.testing.assert_allclose(minimax_winner(renamed).policy, minimax_winner(game).policy[order], atol=1e-11)


@pytest.mark.parametrize("seed", [16, 38, 42])
def test_analytic_centre_is_not_lost_near_the_end(seed):
    """In these games, 20 actions of 3 copies each on average, rounding carries the last iterates off by 1e-2."""
    rng = stream(0, "test names", "clones", 60, seed)
    game = cloned(random_game(rng, 20), rng.integers(0, 20, 60))
    order = rng.permutation(60)
    np.testing.assert_allclose(
        minimax_winner(cloned(game, order)).policy, minimax_winner(game).policy[order], atol=1e-11
    )


@given(game=games(max_n=6))
def test_clones_are_equally_likely(game):
    policy = minimax_winner(cloned(game, np.append(np.arange(game.n), game.n - 1))).policy
    assert policy[-1] == pytest.approx(policy[-2], abs=1e-12)


@given(game=games(max_n=6))
def test_minimax_winner_ignores_the_scale(game):
    """Scaling by a power of 2 does not round, so that every bit stays."""
    smaller = PreferenceGame.from_payoff(game.payoff / 64)
    assert minimax_winner(smaller).policy.tolist() == minimax_winner(game).policy.tolist()


@pytest.fixture
def no_fast_method(monkeypatch):
    """Pivoting may not exchange, and every factorisation is declared singular."""
    monkeypatch.setattr("rltheory.solvers.minimax.EXCHANGES_PER_ACTION", 0)
    monkeypatch.setattr("scipy.linalg.lapack.dgetrf", lambda matrix, overwrite_a: (matrix, None, 1))


@pytest.mark.usefixtures("no_fast_method")
def test_linear_program_is_the_last_resort():
    game = recorded_game("dice_grime_5")
    found = minimax_winner(game)
    assert found.method == "linear program"
    assert found.exploitability <= 1e-9
    # A vertex of the linear program is exact up to the conditioning of its basis.
    np.testing.assert_allclose(found.policy, exact_vector(ANSWERS["minimax"]["dice_grime_5"]["winner"], 5), atol=1e-9)


@pytest.mark.usefixtures("no_fast_method")
def test_failure_of_all_methods_is_an_error(monkeypatch):
    monkeypatch.setattr("scipy.optimize.linprog", lambda **problem: OptimizeResult(success=False, message="no time"))
    with pytest.raises(ArithmeticError, match="HiGHS says: no time"):
        minimax_winner(random_game(stream(0, "test failure"), 5))


@pytest.mark.parametrize("case", ANSWERS["regularized"], ids=lambda case: "-".join(map(str, list(case.values())[:3])))
def test_regularized_equilibrium_of_recorded_games(case):
    game = recorded_game(case["game"])
    falling = 1 / np.arange(1, game.n + 1)
    reference = None if case["reference"] == "uniform" else falling / falling.sum()
    found = regularized_equilibrium(game, case["beta"], reference)
    # The stored answers are accurate to 1e-13 in total, ours to eps / beta.
    np.testing.assert_allclose(found.policy, case["policy"], atol=1e-13)
    assert found.kl_bound < 1e-20


@pytest.mark.parametrize("beta", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("name", sorted(ANSWERS["minimax"]))
def test_certificate_is_below_1e20_on_all_games(name, beta):
    assert regularized_equilibrium(recorded_game(name), beta).kl_bound < 1e-20


@pytest.mark.parametrize("beta", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("name", sorted(FURTHER) or [ABSENT])
def test_certificate_is_below_1e20_on_games_elsewhere(name, beta):
    assert regularized_equilibrium(PreferenceGame.from_csv(ELSEWHERE / f"{name}.csv"), beta).kl_bound < 1e-20


@pytest.mark.parametrize("n", [2, 5, 12])
@pytest.mark.parametrize("beta", [0.1, 1.0])
def test_regularized_equilibrium_minimises_exploitability(n, beta):
    """The oracle is a convex program, min g(p) + beta log E_ref exp(S p / beta), by an interior-point method."""
    rng = stream(0, "test regularized", n)
    game, reference = random_game(rng, n), rng.dirichlet(np.ones(n))
    p = cp.Variable(n)
    penalty = cp.sum(cp.kl_div(p, reference))
    gain = cp.log_sum_exp(np.log(reference) + game.payoff @ p / beta)
    problem = cp.Problem(cp.Minimize(beta * penalty + beta * gain), [cp.sum(p) == 1])
    problem.solve(solver=cp.CLARABEL)
    found = regularized_equilibrium(game, beta, reference)
    # Objective accurate to 1e-8, hence the minimiser to its root.
    np.testing.assert_allclose(p.value, found.policy, atol=1e-4)
    at_answer = regularized_exploitability(game, found.log_policy, beta, np.log(reference))
    assert at_answer <= problem.value + 1e-8
    assert abs(problem.value) <= 1e-6


@given(game=games(), beta=betas, data=st.data())
def test_regularized_equilibrium_is_the_fixed_point(game, beta, data):
    reference = data.draw(policies(game.n))
    found = regularized_equilibrium(game, beta, reference)
    # Independent of the solver's own residual: probabilities against probabilities.
    response = reference * np.exp((game.prefer @ found.policy - 0.5) / beta)
    np.testing.assert_allclose(found.policy, response / response.sum(), atol=1e-13 / beta)
    assert found.kl_bound < 1e-20


@given(game=games(min_n=2), beta=betas, data=st.data())
def test_planted_equilibria_are_found(game, beta, data):
    planted = data.draw(policies(game.n))
    found = regularized_equilibrium(game, beta, planted_reference(game, planted, beta))
    # The planted reference is rounded to probabilities; that moves logits by eps / beta at most.
    np.testing.assert_allclose(found.policy, planted, rtol=1e-12 / beta)


@given(game=games(min_n=2, max_n=5), beta=betas, data=st.data())
def test_equilibrium_ignores_names(game, beta, data):
    order = np.array(data.draw(st.permutations(range(game.n))))
    renamed = PreferenceGame(game.prefer[np.ix_(order, order)])
    found, found_renamed = (regularized_equilibrium(g, beta) for g in (game, renamed))
    np.testing.assert_allclose(found_renamed.policy, found.policy[order], atol=1e-13 / beta)


@given(game=games(min_n=2, max_n=5), beta=betas)
def test_clones_share_the_weight(game, beta):
    """Splitting the last action in two, and its reference in proportions 1 : 3, splits its weight so."""
    index = np.append(np.arange(game.n), game.n - 1)
    cloned = PreferenceGame(game.prefer[np.ix_(index, index)])
    reference = np.full(game.n + 1, 1 / game.n)
    reference[-2:] *= [0.25, 0.75]
    found, found_cloned = regularized_equilibrium(game, beta), regularized_equilibrium(cloned, beta, reference)
    np.testing.assert_allclose(found_cloned.policy[:-2], found.policy[:-1], atol=1e-13 / beta)
    np.testing.assert_allclose(found_cloned.policy[-2:], found.policy[-1] * np.array([0.25, 0.75]), atol=1e-13 / beta)


@given(game=games(min_n=2, max_n=5), beta=betas)
def test_scaling_payoffs_and_temperature_changes_nothing(game, beta):
    halved = PreferenceGame.from_payoff(game.payoff / 2)
    found, found_halved = regularized_equilibrium(game, beta), regularized_equilibrium(halved, beta / 2)
    np.testing.assert_allclose(found_halved.policy, found.policy, atol=1e-13 / beta)


def test_low_temperature_underflows_no_logarithm():
    game = PreferenceGame.from_payoff([[0, 0.5, 0.5], [-0.5, 0, 0.5], [-0.5, -0.5, 0]])
    found = regularized_equilibrium(game, 1e-4)
    # Against the sure winner the others lose 1/2 each: log-ratios -1/(2 beta), far below the smallest float.
    np.testing.assert_allclose(found.log_policy[1:] - found.log_policy[0], -5000, rtol=1e-12)
    assert found.policy.tolist() == [1.0, 0.0, 0.0]


@settings(max_examples=30)
@given(game=games(min_n=2, max_n=5), data=st.data())
def test_certificate_bounds_the_error(game, data):
    """Against the same game solved in 50 digits."""
    import decimal

    reference = data.draw(policies(game.n))
    found = regularized_equilibrium(game, 0.5, reference)
    with decimal.localcontext(prec=50):
        payoff = [[decimal.Decimal(float(x)) for x in row] for row in game.payoff]
        mu = [decimal.Decimal(float(x)) for x in reference]
        p = [decimal.Decimal(float(x)) for x in found.policy]
        for _ in range(400):  # averaged best responses; at this temperature each sweep contracts
            values = [sum(s * x for s, x in zip(row, p, strict=True)) for row in payoff]
            weights = [m * (2 * v).exp() for m, v in zip(mu, values, strict=True)]
            p = [(x + w / sum(weights)) / 2 for x, w in zip(p, weights, strict=True)]
        ours = [decimal.Decimal(float(x)).exp() for x in found.log_policy]
        total = sum(ours)
        error = sum(x / total * (x / total / y).ln() for x, y in zip(ours, p, strict=True))
    assert error <= found.kl_bound


@pytest.mark.parametrize("beta", [0, -0.1, float("nan"), float("inf")])
def test_wrong_temperature_is_named(beta):
    with pytest.raises(ValueError, match=r"beta is .*; it must be finite and > 0"):
        regularized_equilibrium(PreferenceGame.indifferent(2), beta)


@pytest.mark.parametrize(
    ("reference", "rule"),
    [
        ([1.0, 0.0], r"reference\[1\] is 0.0; every probability must be > 0"),
        ([0.5, 0.6], "reference sums to 1.1; expected 1"),
        ([1.0], "reference has 1 entries; the game has 2 actions"),
        ([[0.5, 0.5]], "it must have 1 dimension"),
        ([0.5, float("nan")], r"reference\[1\] is nan"),
        (["a", "b"], "reference must be a rectangular array of real numbers"),
    ],
)
def test_wrong_reference_is_named(reference, rule):
    with pytest.raises(ValueError, match=rule):
        regularized_equilibrium(PreferenceGame.indifferent(2), 0.1, reference)
