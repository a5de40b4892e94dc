"""Sixty-four runs in one matrix-matrix product, against as many single runs."""

from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Contender, Limit, Race
from rltheory import batched_nash_mirror_prox, nash_mirror_prox
from rltheory.instances import random_game
from rltheory.simulation import stream

RUNS = 64
# Actions: iterations, and how many times as fast as single runs.
SIZES = {100: (100, None), 1_000: (20, 4), 5_000: (4, 8)}


def races() -> Iterator[Race]:
    for n, (iterations, times) in SIZES.items():
        game = random_game(stream(0, "bench", "batched", n), n)
        betas = np.geomspace(0.02, 2, RUNS)
        expected = nash_mirror_prox(game, beta=betas[0], iterations=iterations).last("log_policy")

        def batched(game=game, betas=betas, iterations=iterations):
            return batched_nash_mirror_prox(game, betas=betas, iterations=iterations, points=3).last("log_policy")

        def single(game=game, betas=betas, iterations=iterations):
            runs = [nash_mirror_prox(game, beta=beta, iterations=iterations) for beta in betas]
            return np.array([run.last("log_policy") for run in runs])

        def products(game=game, iterations=iterations):
            policies = np.full((RUNS, game.n), 1 / game.n)
            for _ in range(2 * iterations):
                values = policies @ game.payoff
            return values

        def close(log_policies, expected=expected):
            return np.abs(log_policies[0] - expected).max() < 1e-9

        yield Race(
            f"Nash mirror prox, {RUNS} runs, n = {n}",
            [
                Contender("rltheory, batched", batched, close, iterations),
                Contender(f"rltheory, {RUNS} single runs", single, close, iterations),
                Contender(
                    "two NumPy products of matrices",
                    products,
                    lambda values, game=game: np.allclose(values[0], -game.payoff.mean(axis=1), atol=1e-12),
                    iterations,
                ),
            ],
            None if times is None else Limit(1 / times, f"rltheory, {RUNS} single runs"),
            rounds=3 if n == 5_000 else 7,
        )
