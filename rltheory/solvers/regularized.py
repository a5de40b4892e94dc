"""The equilibrium of a preference game with KL penalty."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import UNIT_ROUNDOFF, Matrix, Vector, frozen, positive
from rltheory.jit import kernel
from rltheory.problems import PreferenceGame
from rltheory.problems.preference_game import query
from rltheory.progress import sign_of_life
from rltheory.simplex import copy_to, log_distribution, mix, prox

__all__ = ["RegularizedEquilibrium", "regularized_equilibrium"]


@dataclass(frozen=True)
class RegularizedEquilibrium:
    r"""The equilibrium of the KL-regularised game, as close as float64 allows, with the proof of it.

    Parameters
    ----------
    log_policy : array, shape (n,)
        Logarithms of the probabilities.
    kl_bound : float
        Proved bound on :math:`\mathrm{KL}(\pi \| \pi^*)` of the returned policy :math:`\pi`, the rounding of
        its own evaluation included.
    residual : float
        Span of :math:`\log \pi - \log \mathrm{BR}_\beta(\pi)`, as computed.
    iterations : int
        Mirror-prox iterations spent, two preference queries each.
    """

    log_policy: Vector
    kl_bound: float
    residual: float
    iterations: int

    @property
    def policy(self) -> Vector:
        """Probabilities of the actions, shape (n,)."""
        probabilities: Vector = np.exp(self.log_policy)
        return probabilities


@kernel
def _residual(log_policy: Vector, log_reference: Vector, values: Vector, beta: float) -> float:
    """Span of log pi - log BR(pi)."""
    lowest, highest = np.inf, -np.inf
    for a in range(values.size):
        gap = log_policy[a] - log_reference[a] - values[a] / beta
        lowest, highest = min(lowest, gap), max(highest, gap)
    return highest - lowest


class _Workspace(NamedTuple):
    log_policy: Vector
    policy: Vector
    log_half: Vector
    half: Vector
    anchor: Vector
    values: Vector
    best: Vector  # log-policy of the smallest residual so far


@kernel
def _solve(
    payoff: Matrix,
    log_reference: Vector,
    beta: float,
    gamma: float,
    target: float,
    patience: int,
    work: _Workspace,
) -> tuple[float, int]:
    """Iterate until the residual is below `target`, or `patience` iterations brought no smaller one."""
    log_policy, policy, log_half, half, anchor, values, best = work
    keep = 1.0 / (1.0 + gamma * beta)
    smallest, smallest_at = np.inf, 0
    iteration = 0
    while True:
        query(payoff, policy, values)
        residual = _residual(log_policy, log_reference, values, beta)
        if residual < smallest:
            smallest, smallest_at = residual, iteration
            copy_to(log_policy, best)
        if smallest <= target or iteration - smallest_at >= patience:
            return smallest, iteration
        mix(log_policy, log_reference, keep, anchor)
        prox(anchor, values, keep * gamma, log_half, half)
        query(payoff, half, values)
        prox(anchor, values, keep * gamma, log_policy, policy)
        iteration += 1


def regularized_equilibrium(
    game: PreferenceGame,
    beta: float,
    reference: ArrayLike | None = None,
    *,
    log_reference: Vector | None = None,
) -> RegularizedEquilibrium:
    r"""Equilibrium :math:`\pi^* \propto \mu\, e^{P \pi^* / \beta}` of the game with KL penalty.

    Each player maximises :math:`\langle \pi, P \pi' \rangle - \beta\,\mathrm{KL}(\pi \| \mu)
    + \beta\,\mathrm{KL}(\pi' \| \mu)`. The equilibrium is unique and has full support. It is reached by
    mirror prox with the largest admissible step; the time grows as :math:`n^2 / \beta`.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature, > 0, in units of win probability.
    reference : array_like, shape (n,), optional
        The reference policy :math:`\mu` with full support; uniform by default.
    log_reference : array, shape (n,), optional
        Its normalised log-probabilities, in place of `reference`, where probabilities would underflow.

    Returns
    -------
    RegularizedEquilibrium
        The policy with a certificate: :math:`\mathrm{KL}(\pi \| \pi^*) \le
        \mathrm{span}(\log \pi - \log \mathrm{BR}_\beta(\pi))^2 / 8`, to whose span the largest possible
        rounding error is added before it is squared.

    Raises
    ------
    ValueError, TypeError
        If `beta` is not a number > 0, or the reference is not a distribution with full support.

    References
    ----------
    The game: :cite:`munos2024`. The method: :cite:`nemirovski2004`.

    Examples
    --------
    Two actions have a closed form, a logistic function of the preference over the temperature.

    >>> game = PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    >>> solved = regularized_equilibrium(game, beta=0.1)
    >>> solved.policy.round(4), solved.kl_bound < 1e-25
    (array([0.9526, 0.0474]), True)
    """
    beta = positive(beta, "beta")
    if log_reference is None:
        log_reference = log_distribution(reference, game.n, "reference")
    rounding = _residual_rounding(log_reference, beta)
    gamma = 2 * (beta + math.hypot(1, beta))
    # The span shrinks at worst like exp(-k asinh(beta)), not monotonically: 10 e-foldings without progress.
    patience = 10 + math.ceil(10 / math.asinh(beta))
    work = _Workspace(log_reference.copy(), np.exp(log_reference), *np.empty((5, game.n)))
    with sign_of_life(f"regularised equilibrium of {game.n} actions"):
        residual, iterations = _solve(game.payoff, log_reference, beta, gamma, rounding / 8, patience, work)
    return RegularizedEquilibrium(frozen(work.best), (residual + rounding) ** 2 / 8, residual, iterations)


def _residual_rounding(log_reference: Vector, beta: float) -> float:
    """Largest error of the residual's span, as computed in float64.

    A product of n terms with payoffs of at most 1/2 and probabilities of relative error (L + 4) u, where L is
    the largest log-probability, errs by at most (n + L + 4) u / 2; the division by the temperature and the
    two subtractions err relatively to numbers of size 1/beta and L. The span takes both signs.
    """
    n = log_reference.size
    largest = float(-log_reference.min()) + 1 / beta
    return 2 * UNIT_ROUNDOFF * ((n + largest + 4) / (2 * beta) + 1 / (2 * beta) + 3 * largest + 1)
