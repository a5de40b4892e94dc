"""All methods for one game side by side, by the number of preference queries that they spend."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rltheory.algorithms.games.hedge import hedge
from rltheory.algorithms.games.inpo import inpo
from rltheory.algorithms.games.magnetic_mirror_descent import magnetic_mirror_descent
from rltheory.algorithms.games.nash_md import nash_md
from rltheory.algorithms.games.nash_mirror_prox import largest_step, nash_mirror_prox
from rltheory.algorithms.games.optimistic import optimistic_mirror_descent
from rltheory.algorithms.games.regret_matching import predictive_regret_matching_plus, regret_matching_plus
from rltheory.algorithms.games.self_play_gradient import self_play_gradient
from rltheory.arrays import Array, Times, Vector, count, not_negative, positive
from rltheory.measures import exploitability, kl, regularized_exploitability
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution
from rltheory.solvers import regularized_equilibrium
from rltheory.trace import Trace

__all__ = ["Curve", "Race", "race"]


@dataclass(frozen=True, eq=False)
class Method:
    """Somebody who runs: how to play so many iterations, and which policies to judge."""

    name: str
    play: Callable[[int], Trace]
    queries: int = 1  # in an iteration
    average: bool = False  # whether the average of the policies is judged, not the last one

    def policies(self, trace: Trace) -> Array:
        """Log-probabilities of the policies to judge, shape (time, n)."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(trace["mean"]) if self.average else trace["log_policy"]
        return logarithms


@dataclass(frozen=True, eq=False)
class Curve:
    """What a method reached with so many queries.

    Parameters
    ----------
    method
        Its name.
    queries : array, shape (T,)
        Queries spent.
    gap : array, shape (T,)
        Exploitability, in units of win probability.
    divergence : array, shape (T,), optional
        KL divergence of the regularised equilibrium from the policy; none in the game itself.
    """

    method: str
    queries: Times
    gap: Array
    divergence: Array | None


@dataclass(frozen=True, eq=False)
class Race:
    """A game, a temperature, and the methods that compete on it."""

    game: PreferenceGame
    beta: float
    log_reference: Vector
    methods: tuple[Method, ...]

    def gap(self, log_policies: Array) -> Array:
        """Exploitability, regularised unless the temperature is 0."""
        if self.beta > 0:
            return regularized_exploitability(self.game, log_policies, self.beta, self.log_reference)
        return np.maximum(exploitability(self.game, np.exp(log_policies)), 0.0)

    def run(self, queries: int) -> list[Curve]:
        """Let every method spend so many queries."""
        star = None
        if self.beta > 0:
            star = regularized_equilibrium(self.game, self.beta, log_reference=self.log_reference).log_policy
        curves = []
        for method in self.methods:
            trace = method.play(queries // method.queries)
            policies = method.policies(trace)
            divergence = None if star is None else kl(star, policies)
            curves.append(Curve(method.name, method.queries * trace.times, self.gap(policies), divergence))
        return curves

    def queries_to(self, gap: float, *, at_most: int) -> dict[str, int | None]:
        """For each method the number of queries after which its gap is first seen at or below a target, or None.

        Between two recorded times the first such iteration is found by bisection.
        """
        target = positive(gap, "gap")
        reached: dict[str, int | None] = {}
        for method in self.methods:
            trace = method.play(count(at_most, "at_most", at_least=1) // method.queries)
            below = np.flatnonzero(self.gap(method.policies(trace)) <= target)
            if below.size == 0:
                reached[method.name] = None
                continue
            last = int(trace.times[below[0]])
            first = int(trace.times[below[0] - 1]) if below[0] > 0 else last - 1
            while last - first > 1:
                middle = (first + last) // 2
                if self.gap(method.policies(method.play(middle)))[-1] <= target:
                    last = middle
                else:
                    first = middle
            reached[method.name] = method.queries * last
        return reached


def race(game: PreferenceGame, *, beta: float, reference: ArrayLike | None = None) -> Race:
    r"""Line up the methods for a game, each with the step size that its theory allows.

    Parameters
    ----------
    game
        The game, n actions.
    beta
        Temperature :math:`\beta \ge 0`, in units of win probability; at 0 the methods for the game itself compete.
    reference : array_like, shape (n,), optional
        Reference policy with full support, where all methods start; uniform by default.

    Returns
    -------
    Race
        ``run(queries)`` gives a curve for each method, ``queries_to(gap, at_most=...)`` how soon each reaches a gap.

    Raises
    ------
    ValueError, TypeError
        If the temperature is negative, or the reference is not a distribution with full support.

    References
    ----------
    :cite:`tiapkin2025`, :cite:`zhou2025`, :cite:`sokota2023`, :cite:`zhang2024`, :cite:`cen2024`, :cite:`munos2024`,
    :cite:`calandriello2024`; in the game itself :cite:`swamy2024`, :cite:`rakhlin2013`, :cite:`tammelin2014`,
    :cite:`farina2021`.

    Examples
    --------
    >>> game = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])
    >>> contest = race(game, beta=0.1, reference=[0.8, 0.15, 0.05])
    >>> contest.queries_to(1e-6, at_most=2000)["Nash mirror prox"]
    46
    """
    beta = not_negative(beta, "beta")
    log_reference = log_distribution(reference, game.n, "reference")
    methods = _regularized_methods(game, beta, reference) if beta > 0 else _raw_methods(game, reference)
    return Race(game, beta, log_reference, methods)


def _regularized_methods(game: PreferenceGame, beta: float, reference: ArrayLike | None) -> tuple[Method, ...]:
    extragradient = 1 / (beta + 2)  # in EGPO's convention

    def mirror_prox(step: float) -> Callable[[int], Trace]:
        return lambda t: nash_mirror_prox(game, beta=beta, iterations=t, step=step, reference=reference)

    return (
        Method("Nash mirror prox", mirror_prox(2.0), queries=2),
        Method("Nash mirror prox, largest step", mirror_prox(largest_step(beta)), queries=2),
        Method("EGPO", mirror_prox(extragradient / (1 - extragradient * beta)), queries=2),
        Method("OMWU", lambda t: optimistic_mirror_descent(game, beta=beta, iterations=t, reference=reference)),
        Method(
            "magnetic mirror descent",
            lambda t: magnetic_mirror_descent(game, beta=beta, iterations=t, reference=reference),
        ),
        Method("Nash-MD", lambda t: nash_md(game, beta=beta, iterations=t, reference=reference)),
        Method(
            "INPO",
            lambda t: inpo(
                game,
                beta=beta,
                iterations=t,
                inverse_rate=beta * np.arange(2, t + 3) / 2,
                reference=reference,
            ),
        ),
        Method(
            "online IPO",
            lambda t: self_play_gradient(game, beta=beta, iterations=t, step=2.0, reference=reference),
        ),
    )


def _raw_methods(game: PreferenceGame, start: ArrayLike | None) -> tuple[Method, ...]:
    largest = float(-log_distribution(start, game.n, "reference").min())

    def anytime(t: int) -> Trace:
        return hedge(game, iterations=t, rate=np.sqrt(4 * largest / np.arange(2, t + 3)), start=start)

    def optimistic(t: int) -> Trace:
        return optimistic_mirror_descent(game, beta=0.0, iterations=t, reference=start)

    return (
        Method("OMWU", optimistic),
        Method("OMWU, average", optimistic, average=True),
        Method("SPO, average", anytime, average=True),
        Method("SPO, last", anytime),
        Method(
            "regret matching+, average",
            lambda t: regret_matching_plus(game, iterations=t, start=start),
            average=True,
        ),
        Method(
            "predictive regret matching+, average",
            lambda t: predictive_regret_matching_plus(game, iterations=t, start=start),
            average=True,
        ),
    )
