"""An iteration of Nash mirror prox is two matrix-vector products, and little else."""

from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Contender, Limit, Race
from rltheory import PreferenceGame, nash_mirror_prox, regularized_equilibrium
from rltheory.instances import random_game
from rltheory.measures import kl
from rltheory.simulation import stream

BETA, STEP = 0.1, 2.0
SECONDS = {3: 0.5e-6, 10: 0.4e-6, 100: 4e-6}  # required of an iteration
ITERATIONS = {3: 100_000, 10: 50_000, 100: 5_000, 1_000: 300, 5_000: 20}


def numpy_mirror_prox(game: PreferenceGame, iterations: int) -> np.ndarray:
    """Compute the same iterates as one would write them in NumPy."""
    q = 1 / (1 + STEP * BETA)
    reference = np.full(game.n, -np.log(game.n))
    log_policy = reference
    for _ in range(iterations):
        anchor = q * log_policy + (1 - q) * reference
        log_half = anchor + q * STEP * (game.payoff @ np.exp(log_policy))
        log_half -= np.logaddexp.reduce(log_half)
        log_policy = anchor + q * STEP * (game.payoff @ np.exp(log_half))
        log_policy -= np.logaddexp.reduce(log_policy)
    return log_policy


def races() -> Iterator[Race]:
    for n, iterations in ITERATIONS.items():
        game = random_game(stream(0, "bench", "nash mirror prox", n), n)
        uniform = np.full(n, 1 / n)
        equilibrium = regularized_equilibrium(game, BETA).log_policy if n < 5_000 else None
        bound = (1 + STEP * BETA) ** -iterations / (2 * BETA) + 1e-20
        few = min(iterations, 500)

        def close(log_policy, equilibrium=equilibrium, bound=bound):
            return equilibrium is None or kl(equilibrium, log_policy) <= bound

        def products(game=game, uniform=uniform, iterations=iterations):
            for _ in range(2 * iterations):
                values = game.payoff @ uniform
            return values

        yield Race(
            f"Nash mirror prox, one iteration, n = {n}",
            [
                Contender(
                    "rltheory",
                    lambda game=game, k=iterations: nash_mirror_prox(game, beta=BETA, iterations=k).last("log_policy"),
                    close,
                    iterations,
                ),
                Contender(
                    "two NumPy products",
                    products,
                    lambda values, game=game: np.allclose(values, game.payoff.mean(axis=1), atol=1e-12),
                    iterations,
                ),
                Contender(
                    "NumPy loop",
                    lambda game=game, k=few: numpy_mirror_prox(game, k),
                    lambda log_policy: bool(np.isfinite(log_policy).all()),
                    few,
                ),
            ],
            Limit(SECONDS[n]) if n in SECONDS else Limit(1.25, "two NumPy products"),
            rounds=5 if n == 5_000 else 9,
        )
