"""Preference games with known equilibria, and random families."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Vector, count, distribution, float_array, positive
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_normalize

__all__ = [
    "additive",
    "block_game",
    "bradley_terry",
    "comal_example",
    "condorcet",
    "cycle",
    "efron_dice",
    "low_rank",
    "nash_md_population",
    "planted_reference",
    "planted_winner",
    "random_game",
    "random_tournament",
    "skewed_policy",
    "sure_winner",
    "three_dice",
    "three_voters",
    "weighted_rock_paper_scissors",
]


def weighted_rock_paper_scissors(first: float, second: float, third: float) -> PreferenceGame:
    """Cycle of three in which 1 beats 2 by `first`, 2 beats 3 by `second`, 3 beats 1 by `third` (over 1/2).

    The minimax winner is (second, third, first) / (first + second + third).

    Examples
    --------
    >>> from rltheory.solvers import minimax_winner
    >>> minimax_winner(weighted_rock_paper_scissors(0.1, 0.2, 0.2)).policy.round(6)
    array([0.4, 0.4, 0.2])
    """
    payoff = [[0, first, -third], [-first, 0, second], [third, -second, 0]]
    return PreferenceGame.from_payoff(payoff, title=f"cycle of three ({first:g}, {second:g}, {third:g})")


def comal_example() -> PreferenceGame:
    """Cycle of three of :cite:`liu2024comal`; the minimax winner is (4, 3, 4) / 11."""
    payoff = [[0, -0.4, 0.3], [0.4, 0, -0.4], [-0.3, 0.4, 0]]
    return PreferenceGame.from_payoff(payoff, "abc", "COMAL example")


def nash_md_population(skew: float) -> PreferenceGame:
    """Population of voters of :cite:`munos2024`, with abs(`skew`) <= 1/3.

    The minimax winner is (1/3 + skew/2, 1/3 + skew/2, 1/3 - skew).
    """
    if not abs(skew) <= 1 / 3:
        raise ValueError(f"skew is {skew}; it must lie in [-1/3, 1/3]")
    second_first, third_first, third_second = 1 / 6 - skew / 2, -1 / 6 - skew / 4, 1 / 6 + skew / 4
    payoff = [
        [0, -second_first, -third_first],
        [second_first, 0, -third_second],
        [third_first, third_second, 0],
    ]
    return PreferenceGame.from_payoff(payoff, title=f"population of voters, skew {skew:g}")


def cycle(n: int) -> PreferenceGame:
    """Cycle in which each action surely beats the next half of all actions.

    Antipodes of an even cycle tie. Uniform play is a minimax winner, the only one where n is odd.
    """
    n = count(n, "n", at_least=3)
    ahead = np.subtract.outer(np.arange(n), np.arange(n)).T % n
    payoff = np.sign(n - 2 * ahead) / 2 * (ahead > 0)
    return PreferenceGame.from_payoff(payoff, title=f"cycle of {n}")


def three_voters() -> PreferenceGame:
    """Condorcet's paradox: three voters with rotated rankings, each action beats the next with 2/3."""
    third = 1 / 6
    return PreferenceGame.from_payoff(
        [[0, third, -third], [-third, 0, third], [third, -third, 0]], title="three voters"
    )


def _dice(faces: Sequence[Sequence[int]], title: str) -> PreferenceGame:
    prefer = [[np.mean([(x > y) + (x == y) / 2 for x, y in product(a, b)]) for b in faces] for a in faces]
    return PreferenceGame(np.array(prefer), tuple("/".join(map(str, die)) for die in faces), title)


def three_dice() -> PreferenceGame:
    """Three dice in a cycle of probability 5/9; the minimax winner is uniform."""
    return _dice([(2, 4, 9), (1, 6, 8), (3, 5, 7)], "three dice")


def efron_dice() -> PreferenceGame:
    """Efron's four dice :cite:`gardner1970`, each beating the next with probability 2/3.

    The minimax winners form the segment from (3/7, 1/7, 3/7, 0) to (0, 1/2, 0, 1/2).
    """
    faces = [(0, 0, 4, 4, 4, 4), (3, 3, 3, 3, 3, 3), (2, 2, 2, 2, 6, 6), (1, 1, 1, 5, 5, 5)]
    return _dice(faces, "Efron's dice")


def condorcet(rng: np.random.Generator, n: int, margin: float) -> PreferenceGame:
    """Random game in which action 0 beats every other with probability 1/2 + `margin` at least."""
    payoff = random_game(rng, n).payoff.copy()
    edge = np.maximum(payoff[0, 1:], margin)
    payoff[0, 1:], payoff[1:, 0] = edge, -edge
    return PreferenceGame.from_payoff(payoff, title=f"Condorcet winner, n = {n}, margin {margin:g}")


def bradley_terry(ratings: ArrayLike) -> PreferenceGame:
    """Transitive game: action a beats b with probability 1 / (1 + exp(r_b - r_a)).

    The minimax winner is the action of the highest rating.
    """
    r = float_array(ratings, "ratings", ndim=1)
    payoff = np.tanh(np.subtract.outer(r, r) / 2) / 2
    return PreferenceGame.from_payoff(payoff, title=f"Bradley-Terry, n = {r.size}")


def additive(scores: ArrayLike) -> PreferenceGame:
    r"""Game with linear preferences, :math:`P_{ab} = 1/2 + s_a - s_b`; the scores have span 1/2 at most.

    The regularised equilibrium is proportional to the reference times :math:`e^{s / \beta}`.
    """
    s = float_array(scores, "scores", ndim=1)
    return PreferenceGame.from_payoff(np.subtract.outer(s, s), title=f"additive, n = {s.size}")


def planted_reference(game: PreferenceGame, equilibrium: ArrayLike, beta: float) -> Vector:
    r"""Reference policy for which `equilibrium` is the regularised equilibrium of `game`.

    It is proportional to :math:`\pi^* e^{-P \pi^* / \beta}`; its logarithms span up to 1 / `beta` more than
    those of the equilibrium.
    """
    policy = distribution(equilibrium, game.n, "equilibrium")
    reference: Vector = np.exp(log_normalize(np.log(policy) - game.payoff @ policy / positive(beta, "beta")))
    return reference


def planted_winner(game: PreferenceGame, winner: Vector) -> PreferenceGame:
    """Game less the edges of its actions over `winner`, shape (n,), which is a minimax winner of what is left.

    Payoffs shrink to fit if they must. With a uniform winner this is the cyclic part of the game.
    """
    edges = game.payoff @ winner
    payoff = game.payoff - np.subtract.outer(edges, edges)
    return PreferenceGame.from_payoff(payoff / max(1.0, 2 * np.abs(payoff).max()), title=f"cyclic part of {game}")


def block_game(outer: PreferenceGame, inner: Sequence[PreferenceGame]) -> PreferenceGame:
    """Game between groups, with a game inside each group.

    If w is an interior minimax winner of `outer` and v_i one of ``inner[i]``, then the products
    w_i v_i form a minimax winner.
    """
    if len(inner) != outer.n:
        raise ValueError(f"{len(inner)} inner games for {outer.n} groups; give one for each group")
    blocks = [
        [inner[i].payoff if i == j else np.full((inner[i].n, inner[j].n), outer.payoff[i, j]) for j in range(outer.n)]
        for i in range(outer.n)
    ]
    return PreferenceGame.from_payoff(np.block(blocks), title=f"{outer.n} blocks")


def sure_winner() -> PreferenceGame:
    """Game of two actions, the first of which always wins."""
    return PreferenceGame([[0.5, 1.0], [0.0, 0.5]], title="sure winner, n = 2")


def skewed_policy(n: int, depth: float) -> Vector:
    """Policy over n actions whose logarithms fall evenly, by `depth` in all; shape (n,)."""
    weights = np.exp(-depth * np.linspace(0, 1, n))
    policy: Vector = weights / weights.sum()
    return policy


def random_game(rng: np.random.Generator, n: int) -> PreferenceGame:
    """Game whose preferences above the diagonal are uniform on [0, 1], independently."""
    upper = np.triu(rng.uniform(-0.5, 0.5, (n, n)), 1)
    return PreferenceGame.from_payoff(upper - upper.T, title=f"uniform, n = {n}")


def random_tournament(rng: np.random.Generator, n: int) -> PreferenceGame:
    """Game in which every pair has a sure winner, found by a fair coin."""
    upper = np.triu(rng.choice([-0.5, 0.5], (n, n)), 1)
    return PreferenceGame.from_payoff(upper - upper.T, title=f"tournament, n = {n}")


def low_rank(rng: np.random.Generator, n: int, rank: int = 2, scale: float = 1.0) -> PreferenceGame:
    """Game with preferences 1 / (1 + exp(-(U V' - V U'))), of normal n × `rank` matrices U and V."""
    u, v = scale * rng.standard_normal((2, n, rank))
    logits = u @ v.T
    return PreferenceGame.from_payoff(np.tanh((logits - logits.T) / 2) / 2, title=f"low rank, n = {n}")
