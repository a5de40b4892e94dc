r"""Online IPO: the squared loss of preference optimisation, descended on pairs from the policy itself or uniform ones.

With pairs from the policy its gradient is that of self-play; with uniform pairs a gradient step in the logits is
magnetic mirror descent. Throughout, :math:`f_y = \log \pi(y) / \mu(y)`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import magnetic_mirror_descent
from rltheory.arrays import Array, Matrix, Vector
from rltheory.instances import (
    bradley_terry,
    cycle,
    low_rank,
    random_game,
    recorded_game,
    skewed_policy,
    weighted_rock_paper_scissors,
)
from rltheory.simplex import log_normalize
from rltheory.simulation import stream
from rltheory.theorems.games import munos2024
from rltheory.theorems.games.regularized_game import (
    GAME,
    Hypotheses,
    PolicyRun,
    RegularizedGame,
    at_largest_difference,
    regularized_games,
)
from rltheory.theory import Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "calandriello2024"
EPS = float(np.finfo(np.float64).eps)
ITERATIONS = 100


class Setting(PolicyRun):
    """Gradient descent on the loss of uniform pairs; `step` is that of mirror descent."""

    @property
    def learning_rate(self) -> float:
        """Learning rate n (1 - q) / 4 of the gradient step."""
        return self.game.n * (1 - self.keep) / 4


def draw_directions(s: RegularizedGame, rng: np.random.Generator) -> Trace:
    """Random policies, and directions in the space of logits."""
    policy = munos2024.random_policies(rng, s.log_equilibrium)
    return _directions(policy, policy, rng)


def draw_pairs_elsewhere(s: RegularizedGame, rng: np.random.Generator) -> Trace:
    """The pairs are drawn from the reference instead of the policy."""
    policy = munos2024.random_policies(rng, s.log_equilibrium)
    return _directions(policy, np.broadcast_to(s.log_reference, policy.shape), rng)


def _directions(policy: Matrix, sampler: Matrix, rng: np.random.Generator) -> Trace:
    rows = {"policy": policy, "sampler": sampler, "direction": rng.standard_normal(policy.shape)}
    return Trace(
        "random directions",
        np.arange(len(policy)),
        {name: (("time", "action"), array) for name, array in rows.items()},
        clock="draw",
    )


def loss(s: RegularizedGame, log_sampler: Array, log_policy: Array) -> Array:
    """Loss of online IPO: mean square of f_y - f_z - (P(y > z) - 1/2) / beta over pairs y, z from the sampler."""
    f, weights = log_policy - s.log_reference, np.exp(log_sampler)
    residuals = f[..., :, None] - f[..., None, :] - s.game.payoff / s.beta
    losses: Array = (weights[..., :, None] * weights[..., None, :] * residuals**2).sum(axis=(-2, -1))
    return losses


def slope(s: RegularizedGame, trace: Trace) -> Array:
    """Derivative of the loss along the direction; the loss is quadratic in the logits, so any difference is exact."""
    ahead, behind = (
        loss(s, trace["sampler"], log_normalize(trace["policy"] + way * trace["direction"])) for way in (1, -1)
    )
    slopes: Array = (ahead - behind) / 2
    return slopes


def policy_gradient(s: RegularizedGame, log_policy: Array) -> Array:
    """Gradient in the logits of P_beta(pi > sigma) at sigma = pi."""
    policy = np.exp(log_policy)
    advantage = policy @ s.game.payoff.T - s.beta * (log_policy - s.log_reference)
    gradient: Array = policy * (advantage - (policy * advantage).sum(axis=-1, keepdims=True))
    return gradient


def loss_rounding(s: munos2024.Setting) -> float:
    """Rounding of a loss, whose residuals are below the span of the logarithms plus that of the payoffs over beta."""
    largest = float(-s.log_reference.min()) + 2 / s.beta + 16 * munos2024.WIDEST
    return 16 * EPS * largest**2


def descend(s: Setting, rng: np.random.Generator) -> Trace:
    """Descend the loss of uniform pairs, each action of which is compared with the policy; and mirror descent."""
    return _beside_mirror_descent(s, s.learning_rate, against_policy=True)


def descend_on_pairs(s: Setting, rng: np.random.Generator) -> Trace:
    """The two actions of a pair are compared with one another."""
    return _beside_mirror_descent(s, s.learning_rate, against_policy=False)


def descend_faster(s: Setting, rng: np.random.Generator) -> Trace:
    """The learning rate is larger by a thousandth."""
    return _beside_mirror_descent(s, 1.001 * s.learning_rate, against_policy=True)


def _beside_mirror_descent(s: Setting, learning_rate: float, *, against_policy: bool) -> Trace:
    trace = magnetic_mirror_descent(
        s.game, beta=s.beta, iterations=ITERATIONS, step=s.step, reference=s.reference, start=s.start
    )
    log_policy, rows = trace["log_policy"][0], []
    for _ in range(ITERATIONS + 1):
        rows.append(log_policy)
        wins = s.game.payoff @ np.exp(log_policy)
        target = (np.subtract.outer(wins, wins) if against_policy else s.game.payoff) / s.beta
        log_policy = log_normalize(log_policy - learning_rate * uniform_gradient(s, log_policy, target))
    descended = np.array(rows)[trace.times]
    return replace(trace, values={**trace.values, "log_descended": (("time", "action"), descended)})


def uniform_gradient(s: Setting, log_policy: Vector, target: Matrix) -> Vector:
    """Gradient in the logits of the mean square of f_y - f_z - target over uniform pairs y, z."""
    f = log_policy - s.log_reference
    residuals = np.subtract.outer(f, f) - target
    gradient: Vector = 2 * (residuals.sum(axis=1) - residuals.sum(axis=0)) / s.game.n**2
    return gradient


def grid() -> Iterator[Setting]:
    """Steps of mirror descent up to four times the temperature, on games of every kind."""
    yield Setting(weighted_rock_paper_scissors(0.5, 0.5, 0.5), 0.1, reference=skewed_policy(3, 3), step=0.4)
    yield Setting(weighted_rock_paper_scissors(0.1, 0.3, 0.5), 0.05, step=0.2)
    yield Setting(cycle(5), 0.5, start=skewed_policy(5, 4), step=2.0)
    yield Setting(bradley_terry(np.linspace(0, 3, 20)), 0.1, step=0.1)
    yield Setting(random_game(stream(0, "online-ipo", "uniform"), 10), 0.2, reference=skewed_policy(10, 8), step=0.8)
    yield Setting(low_rank(stream(0, "online-ipo", "low rank"), 50), 1.0, step=4.0)
    yield Setting(recorded_game("llmfao_59"), 0.1, step=0.4)


def any_setting() -> "SearchStrategy[Setting]":
    """Any game and policies, and steps up to four times the temperature."""
    from rltheory.strategies import log_uniform

    return regularized_games(
        Setting, lambda beta: log_uniform(beta / 4, 4 * beta), policies=("reference", "start"), longest_cycle=21
    )


CONVERGING: Hypotheses = {"$0 < \\gamma \\le 4 \\beta$": lambda s: s.step <= 4 * s.beta * (1 + 1e-12)}

GRADIENT = Theorem(
    name="online-ipo/gradient",
    title="The gradient of online IPO is the policy gradient of self-play",
    paper=Paper(PAPER, "online IPO; equivalence derived here"),
    standing=Standing.DERIVED,
    statement=r"\nabla_\theta\, \mathbb{E}_{y, z \sim \pi} \Bigl[\Bigl(f_y - f_z - \frac{P(y \succ z) - 1/2}{\beta}\Bigr)^2\Bigr] = -\frac{4}{\beta}\, \nabla_\theta\, P_\beta(\pi_\theta \succ \pi)",
    symbols="$\\pi = \\pi_\\theta \\propto e^\\theta$: any policy, which the gradients leave alone where it draws pairs or "
    "is the opponent; $f_y = \\log \\pi_\\theta(y) / \\mu(y)$; compared are derivatives along a random direction",
    kind=Identity(rounding=loss_rounding),
    hypotheses=GAME,
    run=draw_directions,
    measured=slope,
    bound=lambda s, trace: -4 / s.beta * (policy_gradient(s, trace["policy"]) * trace["direction"]).sum(axis=-1),
    settings=munos2024.grid,
    strategy=munos2024.any_setting,
    controls={"pairs from the reference": draw_pairs_elsewhere},
    remark="So the loss is stationary at the equilibrium only, and descending it with rate $\\lambda$ is policy gradient "
    "with step $4 \\lambda / \\beta$. Each action moves by its probability: rare ones hardly learn.",
)

UNIFORM_PAIRS = Theorem(
    name="online-ipo/uniform-pairs",
    title="With uniform pairs, a gradient step of online IPO is a step of magnetic mirror descent",
    paper=Paper("zhou2025", "online IPO with uniform sampling, as in the authors' code"),
    standing=Standing.DERIVED,
    statement=r"\theta_{t+1} = \theta_t - \lambda \nabla_\theta \frac{1}{n^2} \sum_{y, z} \Bigl(f_y - f_z - \frac{P(y \succ \pi_t) - P(z \succ \pi_t)}{\beta}\Bigr)^2 \iff \pi_{t+1} = \mathrm{prox}(\pi_t; P \pi_t)",
    symbols="$\\lambda = n (1 - q) / 4$ with $q = 1 / (1 + \\gamma \\beta)$, so that $q \\gamma = 4 \\lambda / (\\beta n)$; "
    "$f_y = \\log \\pi_\\theta(y) / \\mu(y)$; $\\mathrm{prox}(x; v) \\propto x^q \\mu^{1 - q} e^{q \\gamma v}$; compared "
    "are the iterates of both runs, by $-\\log$ of the probability on which they differ most",
    kind=Identity(rounding=lambda s: s.resolution),
    hypotheses=GAME | CONVERGING,
    run=descend,
    measured=lambda s, trace: at_largest_difference(trace["log_descended"], trace["log_policy"]),
    bound=lambda s, trace: at_largest_difference(trace["log_policy"], trace["log_descended"]),
    settings=grid,
    strategy=any_setting,
    controls={
        "pairs compared with one another": descend_on_pairs,
        "learning rate wrong by 1e-3": descend_faster,
    },
    remark="The actions of a pair are compared with the policy. Compared with one another, as when pairs come from the "
    "policy, they would lead to a best response to the uniform policy. True for every step; larger ones than $4 \\beta$ "
    "may amplify rounding.",
)
