"""Exact minimax winners and regularised equilibria, beside general solvers."""

from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from types import ModuleType

import numpy as np
from scipy.optimize import linprog

from benchmarks.harness import Contender, Limit, Race, peer
from rltheory import PreferenceGame, minimax_winner, regularized_equilibrium
from rltheory.instances import random_game, recorded_game
from rltheory.measures import exploitability, regularized_exploitability
from rltheory.simulation import stream

BETA = 0.1
QUANTECON = "QuantEcon, minmax"
HIGHS_IPM = "SciPy's HiGHS, interior point"


def minimax_peers(game: PreferenceGame) -> Iterator[tuple[str, Callable[[], np.ndarray], int]]:
    """Name of each peer, how its documentation would have it solve the game, and the most actions it is raced on."""
    payoff, n = game.payoff, game.n
    program = {
        "c": np.append(np.zeros(n), 1.0),
        "A_ub": np.hstack([payoff, np.full((n, 1), -1.0)]),
        "b_ub": np.zeros(n),
        "A_eq": np.append(np.ones(n), 0.0)[None],
        "b_eq": [1.0],
        "bounds": [(0, None)] * n + [(None, None)],
    }
    if quantecon := peer("quantecon.optimize"):
        yield QUANTECON, lambda: quantecon.minmax(payoff)[1], 100
    if theory := peer("quantecon.game_theory"):
        player = theory.Player(payoff)
        yield "QuantEcon, Lemke-Howson", lambda: theory.lemke_howson(theory.NormalFormGame((player, player)))[0], 100
    yield HIGHS_IPM, lambda: linprog(**program, method="highs-ipm").x[:n], 1_000
    if highspy := peer("highspy"):
        yield "highspy, interior point", lambda: highs_ipm(highspy, payoff), 1_000
    yield "SciPy's HiGHS, simplex", lambda: linprog(**program, method="highs-ds").x[:n], 100
    if nashpy := peer("nashpy"):
        yield "nashpy", lambda: nashpy.Game(payoff).linear_program()[0], 10
    if pygambit := peer("pygambit"):
        yield "Gambit", lambda: gambit_lp(pygambit, payoff), 10
    pyspiel, lp_solver, ecos = peer("pyspiel"), peer("open_spiel.python.algorithms.lp_solver"), peer("ecos")
    if pyspiel and lp_solver and ecos:
        rows, columns = payoff.tolist(), (-payoff).tolist()
        yield (
            "OpenSpiel",
            lambda: lp_solver.solve_zero_sum_matrix_game(pyspiel.create_matrix_game(rows, columns))[0],
            10,
        )


def highs_ipm(highspy: ModuleType, payoff: np.ndarray) -> np.ndarray:
    n = len(payoff)
    rows = np.block([[payoff, np.full((n, 1), -1.0)], [np.ones(n), 0.0]])
    program = highspy.HighsLp()
    program.num_col_ = program.num_row_ = n + 1
    program.col_cost_ = np.append(np.zeros(n), 1.0)
    program.col_lower_ = np.append(np.zeros(n), -highspy.kHighsInf)
    program.col_upper_ = np.full(n + 1, highspy.kHighsInf)
    program.row_lower_ = np.append(np.full(n, -highspy.kHighsInf), 1.0)
    program.row_upper_ = np.append(np.zeros(n), 1.0)
    filled = rows != 0
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = np.append(0, filled.sum(axis=1).cumsum())
    program.a_matrix_.index_ = filled.nonzero()[1]
    program.a_matrix_.value_ = rows[filled]
    highs = highspy.Highs()
    highs.silent()
    highs.setOptionValue("solver", "ipm")
    highs.passModel(program)
    highs.run()
    return np.array(highs.getSolution().col_value)[:n]


def gambit_lp(pygambit: ModuleType, payoff: np.ndarray) -> np.ndarray:
    game = pygambit.Game.from_arrays(payoff, -payoff)
    profile = pygambit.nash.lp_solve(game, rational=False).equilibria[0]
    return np.array([profile[strategy] for strategy in next(iter(game.players)).strategies])


def minimax_races() -> Iterator[Race]:
    requirements = {10: Limit(1.5, QUANTECON), 100: Limit(1.0, QUANTECON), 1_000: Limit(1 / 5, HIGHS_IPM)}
    for n, requirement in requirements.items():
        game = random_game(stream(0, "bench", "minimax winner", n), n)

        def contender(name, solve, game=game):
            # The quick ones often enough for the clock, and for caches that the others have emptied.
            times = max(1, round(1e-3 / seconds(solve)))
            run = partial(repeated, solve, times)
            return Contender(name, run, lambda policy: exploitability(game, policy) <= 1e-9, times)

        yield Race(
            f"minimax winner, n = {n}",
            [contender("rltheory", lambda game=game: minimax_winner(game).policy)]
            + [contender(name, solve) for name, solve, largest in minimax_peers(game) if n <= largest],
            requirement,
            rounds=9 if n < 1_000 else 3,
        )


def seconds(solve: Callable[[], object]) -> float:
    """Time of the second call: the first may compile."""
    solve()
    began = perf_counter()
    solve()
    return perf_counter() - began


def repeated(solve: Callable[[], np.ndarray], times: int) -> np.ndarray:
    for _ in range(times):
        found = solve()
    return found


def conic_equilibrium(game: PreferenceGame) -> np.ndarray:
    """Solve min g(p) + beta log E exp(S p / beta) with an interior-point method for exponential cones."""
    cvxpy = peer("cvxpy")
    p = cvxpy.Variable(game.n)
    uniform = np.full(game.n, 1 / game.n)
    gain = cvxpy.log_sum_exp(np.log(uniform) + game.payoff @ p / BETA)
    objective = BETA * (cvxpy.sum(cvxpy.kl_div(p, uniform)) + gain)
    cvxpy.Problem(cvxpy.Minimize(objective), [cvxpy.sum(p) == 1]).solve(solver=cvxpy.CLARABEL)
    return np.maximum(p.value, 1e-300)


def regularized_races() -> Iterator[Race]:
    game = recorded_game("llmfao_59")
    log_reference = np.full(game.n, -np.log(game.n))

    def unbeaten(tolerance):
        def check(policy):
            log_policy = np.log(policy / policy.sum())
            return regularized_exploitability(game, log_policy, BETA, log_reference) <= tolerance

        return check

    contenders = [Contender("rltheory, to 1e-20", lambda: regularized_equilibrium(game, BETA).policy, unbeaten(1e-20))]
    if peer("cvxpy"):
        contenders.append(Contender("cvxpy with Clarabel, to 1e-6", lambda: conic_equilibrium(game), unbeaten(1e-6)))
    yield Race("regularised equilibrium, 59 language models", contenders)
    large = random_game(stream(0, "bench", "regularised equilibrium"), 1_000)
    queries = 2 * regularized_equilibrium(large, BETA).iterations
    yield Race(
        "regularised equilibrium, n = 1000, beta = 0.1",
        [
            Contender("rltheory", lambda: regularized_equilibrium(large, BETA), lambda found: found.kl_bound < 1e-20),
            Contender(
                "the products of its queries",
                lambda: [large.payoff @ large.payoff[0] for _ in range(queries)],
                lambda values: len(values) == queries,
            ),
        ],
        rounds=3,
    )


def races() -> Iterator[Race]:
    yield from minimax_races()
    yield from regularized_races()
