"""Regret matching+: an iteration is one product with half of the payoffs; fifty of them solve a large random game."""

import tracemalloc
from collections.abc import Iterator
from time import perf_counter

import numba
import numpy as np
from scipy.optimize import linprog

from benchmarks.harness import Contender, Limit, Race, peer
from rltheory.algorithms.games.regret_matching import predictive_regret_matching_plus, regret_matching_plus
from rltheory.instances import random_game
from rltheory.measures import exploitability
from rltheory.problems import Game, LargeGame
from rltheory.simulation import stream
from rltheory.solvers.approximate import approximate_minimax_winner

ITERATIONS = {10: 100_000, 100: 10_000, 1_000: 300}
REQUIRED = {10: Limit(0.1e-6), 100: Limit(2e-6), 1_000: Limit(1.3, "one NumPy product")}
TOLERANCE = 1e-3


@numba.njit
def bare_regret_matching_plus(payoff: np.ndarray, iterations: int) -> np.ndarray:
    """Regret matching+ with linear averaging, and nothing around it."""
    n = len(payoff)
    policy, regrets, total = np.full(n, 1 / n), np.zeros(n), np.zeros(n)
    values = np.empty(n)
    for t in range(iterations):
        if n <= 16:
            for a in range(n):
                values[a] = 0.0
                for b in range(n):
                    values[a] += payoff[a, b] * policy[b]
        else:
            np.dot(payoff, policy, values)
        size = 0.0
        for a in range(n):
            total[a] += (t + 1) * policy[a]
            regrets[a] = max(regrets[a] + values[a], 0.0)
            size += regrets[a]
        for a in range(n):
            policy[a] = regrets[a] / size
    return total / total.sum()


def iteration_races() -> Iterator[Race]:
    openspiel = peer("open_spiel.python.algorithms.regret_matching")
    for n, iterations in ITERATIONS.items():
        game = random_game(stream(0, "bench", "regret matching", n), n)
        few = min(iterations, 1_000)
        uniform = np.full(n, 1 / n)

        def within(rounds, factor=1.0, game=game):
            """Whether the policy keeps the bound on the mean of regret matching+, or a multiple of it."""
            bound = factor * np.sqrt(game.n / rounds)
            return lambda policy: abs(policy.sum() - 1) < 1e-9 and exploitability(game, policy) <= bound

        def products(game=game, uniform=uniform, iterations=iterations):
            for _ in range(iterations):
                values = game.payoff @ uniform
            return values

        def run(algorithm, game=game, iterations=iterations):
            return lambda: algorithm(game, iterations=iterations).last("mean")

        contenders = [
            Contender("rltheory", run(regret_matching_plus), within(iterations), iterations),
            Contender("rltheory, predictive", run(predictive_regret_matching_plus), within(iterations), iterations),
            Contender(
                "bare Numba loop",
                lambda game=game, k=iterations: bare_regret_matching_plus(game.payoff, k),
                within(iterations),
                iterations,
            ),
            Contender(
                "one NumPy product",
                products,
                lambda values, game=game: np.allclose(values, game.payoff.mean(axis=1), atol=1e-12),
                iterations,
            ),
        ]
        if openspiel:
            # Two players, none of whom knows that the other is the same; without the plus, regrets are twice as large.
            contenders.append(
                Contender(
                    "OpenSpiel regret matching",
                    lambda game=game, k=few: openspiel.regret_matching([game.payoff, -game.payoff], iterations=k)[0],
                    within(few, 2.0),
                    few,
                )
            )
        yield Race(f"regret matching+, one iteration, n = {n}", contenders, REQUIRED[n])


def linear_program(payoff: np.ndarray) -> np.ndarray:
    """Solve for a minimax winner by the interior-point method of HiGHS, its fastest here."""
    n = len(payoff)
    solution = linprog(
        np.append(np.zeros(n), 1.0),
        A_ub=np.hstack([payoff, np.full((n, 1), -1.0)]),
        b_ub=np.zeros(n),
        A_eq=np.append(np.ones(n), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * n + [(None, None)],
        method="highs-ipm",
    )
    return solution.x[:n]


def solver_races() -> Iterator[Race]:
    for n in (1_000, 5_000):
        game = random_game(stream(0, "bench", "approximate winner", n), n)
        large = LargeGame(game.payoff)

        def solved(policy, game=game):
            return abs(policy.sum() - 1) < 1e-9 and exploitability(game, policy) <= TOLERANCE + 1e-7

        def solve(game: Game):
            return lambda: approximate_minimax_winner(game, TOLERANCE).policy

        contenders = [
            Contender("rltheory, LargeGame", solve(large), solved),
            Contender("rltheory, PreferenceGame", solve(game), solved),
            Contender(
                "rltheory, made a LargeGame first",
                lambda game=game: approximate_minimax_winner(LargeGame(game.payoff), TOLERANCE).policy,
                solved,
            ),
        ]
        if n == 1_000:
            contenders.append(
                Contender("linear program (HiGHS)", lambda game=game: linear_program(game.payoff), solved)
            )
        yield Race(
            f"minimax winner to {TOLERANCE:g} with certificate, n = {n}",
            contenders,
            Limit(0.02 if n == 1_000 else 0.5),
            rounds=3 if n == 1_000 else 5,
        )


def largest_race() -> Iterator[Race]:
    n = 20_000
    rng = stream(0, "bench", "approximate winner", n)
    tracemalloc.start()
    began = perf_counter()
    game = LargeGame.from_upper_rows(
        n, lambda start, stop: rng.random((stop - start, n - start), dtype=np.float32) - np.float32(0.5)
    )
    built = perf_counter() - began
    iterations = approximate_minimax_winner(game, TOLERANCE).iterations
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    yield Race(
        f"the same, n = {n}: {iterations} iterations; building and solving take {peak / 1e9:.1f} GB, "
        f"building {built:.0f} s",
        [
            Contender(
                "rltheory, LargeGame",
                lambda: approximate_minimax_winner(game, TOLERANCE).policy,
                lambda policy: exploitability(game, policy) <= TOLERANCE,
            ),
        ],
        rounds=3,
    )


def races() -> Iterator[Race]:
    yield from iteration_races()
    yield from solver_races()
    yield from largest_race()
