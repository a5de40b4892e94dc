r"""Proof of the bounds for LOOP with lazy updates, for three classes at once.

Notation. At step t the hypothesis :math:`f_t` is in force; :math:`\hat W_{t-1}` and :math:`W_{t-1}` are its empirical
and its true gap on the past, :math:`E_t` its expected error at the choice made. Paths are walked here in plain NumPy,
gaps computed from their definitions at each step; only plans come from the planners.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from proofs_checks._walks import ROUNDING, Bounds, Path, prove_regret
from rltheory.instances import random_ergodic_mdp, random_linear_mdp
from rltheory.simulation import stream
from rltheory.solvers.linear_residuals import LinearPlanner
from rltheory.solvers.residuals import ResidualSet, largest_joint_gain
from rltheory.theorems.average_reward import he2024average_lazy as paper
from rltheory.theory import Claim, Proof, Theorem, claim


class Lazy(NamedTuple):
    """One walk; entry t - 1 is as of the beginning of step t."""

    path: Path
    planned: np.ndarray  # whether a plan was made
    empirical: np.ndarray  # empirical gap of f_t
    width: np.ndarray  # length of the noise that tells it from the true one
    truth: np.ndarray  # empirical gap of the truth


def tabular_settings():
    """Short runs."""
    yield paper.Tabular(paper.arms((0.0, 1.0)), span=0.05, horizon=300)
    yield paper.Tabular(paper.arms((0.0, 0.1, 0.2, 1.0)), span=0.02, horizon=300)
    yield paper.Tabular(random_ergodic_mdp(stream(0, "joint loop"), 3, 2), span=0.8, horizon=2000)


def linear_settings():
    """Short runs."""
    yield paper.Linear(paper.linear_arms((0.0, 1.0)), span=0.05, horizon=1000)
    yield paper.Linear(random_linear_mdp(stream(0, "linear loop"), 2, 2, 2), span=0.5, horizon=1000)


def mixture_settings():
    """Short runs, one of which is long enough for an epoch to end."""
    yield paper.Mixture(paper.gamble(0.9, 0.0), paper.pairs(*np.linspace(0, 1, 11)), horizon=2000)
    yield paper.Mixture(paper.gamble(0.5, 0.4), paper.pairs(0.4, 0.6), horizon=1000)


def walk(s, plan, measure, observe) -> Lazy:
    """Walk, and plan again once the empirical gap is four times the radius.

    `plan(radius)` gives a hypothesis; `measure(f)` its empirical gap, true gap, width, error at all choices and squared
    length of all choices, and the empirical gap of the truth; `observe(choice, after, f)` takes note of a step.
    """
    rng, radius = stream(0, "proof", str(s)), 9 * s.concentration
    laws = s.mdp.transition_matrix
    state, f, rows, epoch = int(rng.choice(s.mdp.states, p=s.mdp.initial)), None, [], 0
    for _ in range(s.horizon):
        seen = None if f is None else measure(f)
        planned = seen is None or seen[0] >= 4 * radius
        if planned:
            f, epoch = plan(radius), epoch + 1
            seen = measure(f)
        empirical, gap, width, errors, sizes, truth = seen
        choice = f.policy[state]
        after = int(rng.choice(s.mdp.states, p=laws[choice] / laws[choice].sum()))
        numbers = f.gain, s.mdp.rewards[choice], f.values[state], laws[choice] @ f.values, f.values[after]
        rows.append((epoch, *numbers, errors[choice], gap, sizes[choice], planned, empirical, width, truth))
        observe(choice, after, f)
        state = after
    columns = [np.array(column, dtype=float) for column in zip(*rows, strict=True)]
    return Lazy(Path(*columns[:9]), columns[9].astype(bool), *columns[10:])


@cache
def walk_tabular(s: paper.Tabular) -> Lazy:
    """Gaps are sums over choices of visits times squares."""
    mdp, laws = s.mdp, s.mdp.transition_matrix
    counts = np.zeros(laws.shape)
    best = s.optimum.bias - s.optimum.bias.min()
    optimal = mdp.rewards + laws @ best - s.gain

    def plan(radius):
        return largest_joint_gain(ResidualSet(mdp.first_choice, mdp.rewards, counts, radius=radius, span=s.span))

    def measure(f):
        n = counts.sum(1)
        empirical_laws = counts / np.maximum(n, 1)[:, None]
        errors = f.action_values + f.gain - mdp.rewards - laws @ f.values
        residuals = f.action_values + f.gain - mdp.rewards - empirical_laws @ f.values
        width = math.sqrt(n @ ((laws - empirical_laws) @ f.values) ** 2)
        truth = n @ (optimal + s.gain - mdp.rewards - empirical_laws @ best) ** 2
        with np.errstate(divide="ignore"):
            return n @ residuals**2, n @ errors**2, width, errors, 1 / n, truth

    def observe(choice, after, f):
        counts[choice, after] += 1

    return walk(s, plan, measure, observe)


@cache
def walk_linear(s: paper.Linear) -> Lazy:
    """Gaps are squared norms of distances to regressions, on samples or on means."""
    problem, d = s.problem, s.problem.dimension
    features = problem.features.reshape(-1, d)
    planner = LinearPlanner(problem, span=s.span, norm=(s.span + 2) * math.sqrt(d))
    counts = np.zeros((s.mdp.choices, s.mdp.states))
    ones = problem.measures.sum(axis=1)
    best = s.optimum.bias - s.optimum.bias.min()

    def matrix():
        return np.eye(d) + (features.T * counts.sum(1)) @ features

    def plan(radius):
        return planner.plan(counts, matrix(), radius=radius)

    def measure(f):
        inverse, n = np.linalg.inv(matrix()), counts.sum(1)

        def fitted(values, gain):
            return inverse @ (features.T @ (n * (s.mdp.rewards - gain) + counts @ values))

        def length(w):
            return w @ matrix() @ w

        mean = problem.weights + problem.measures @ f.values - f.gain * ones
        estimate = fitted(f.values, f.gain)
        truth = problem.weights + problem.measures @ best - s.gain * ones
        sizes = np.einsum("ci,ij,cj->c", features, inverse, features)
        return (
            length(f.weights - estimate),
            length(f.weights - mean),
            math.sqrt(length(estimate - mean)),
            features @ (f.weights - mean),
            sizes,
            length(truth - fitted(best, s.gain)),
        )

    def observe(choice, after, f):
        counts[choice, after] += 1

    return walk(s, plan, measure, observe)


class Weighted(NamedTuple):
    """A model and its weights."""

    policy: np.ndarray
    gain: float
    values: np.ndarray
    weights: np.ndarray


@cache
def walk_mixture(s: paper.Mixture) -> Lazy:
    """Gaps are squared norms of distances to the ridge estimate, or to the truth."""
    bases = np.moveaxis(s.problem.features, 0, 2).reshape(s.mdp.choices, -1, s.mdp.states)
    members = [Weighted(m.policy, m.gain, m.values, w) for m, w in zip(s.models.models, s.weights, strict=True)]
    truth = s.problem.weights
    matrix, moment = s.span**2 * np.eye(truth.size), np.zeros(truth.size)

    def length(w):
        return w @ matrix @ w

    def plan(radius):
        estimate = np.linalg.solve(matrix, moment)
        return max((f for f in members if length(f.weights - estimate) <= radius), key=lambda f: f.gain)

    def measure(f):
        estimate, x = np.linalg.solve(matrix, moment), bases @ f.values
        return (
            length(f.weights - estimate),
            length(f.weights - truth),
            math.sqrt(length(estimate - truth)),
            x @ (f.weights - truth),
            np.einsum("ci,ij,cj->c", x, np.linalg.inv(matrix), x),
            length(truth - estimate),
        )

    def observe(choice, after, f):
        x = bases[choice] @ f.values
        matrix[:] += np.outer(x, x)
        moment[:] += x * f.values[after]

    return walk(s, plan, measure, observe)


def lazy_proof(
    of: list[Theorem[Any]],
    settings: Callable[[], Any],
    play: Callable[[Any], Lazy],
    cover: Callable[[Any], tuple[float, float]],
    largest_error: Callable[[Any], float],
) -> Proof:
    """The proof, for one class."""
    proof = Proof(of=of, settings=settings)

    @proof.step("The width allows for the noise at each point of a cover, and for the distance to the cover")
    def constants(s) -> Claim:
        logs, rest = cover(s)
        why = "self-normalised sums of increments that are H/2-sub-Gaussian, a union over the cover, and regularisation"
        return claim((s.span / 2 * math.sqrt(logs) + rest) ** 2, "==", s.concentration, why)

    @proof.step("Triangle inequality: roots of both gaps differ by the length of the noise at most")
    def triangle(s) -> Claim:
        p = play(s)
        left = np.abs(np.sqrt(p.empirical) - np.sqrt(p.path.gap))
        return claim(left, "<=", p.width, "one norm of two vectors and their difference", rounding=ROUNDING)

    @proof.step("The event: the noise is shorter than the root of beta_0", uses=[constants])
    def event(s) -> Claim:
        why = "has probability 1 - delta, for all hypotheses and times; it is so on this path"
        return claim(play(s).width, "<=", math.sqrt(s.concentration), why, rounding=ROUNDING)

    @proof.step("The truth remains in the set: its true gap is 0", uses=[triangle, event])
    def truth(s) -> Claim:
        return claim(play(s).truth, "<=", s.concentration, "beta_0 <= 9 beta_0", rounding=ROUNDING)

    @proof.step("Conclusion: optimism", uses=[truth])
    def optimism(s) -> Claim:
        why = "the largest gain of a set that holds the truth"
        return claim(s.gain, "<=", play(s).path.gain, why, rounding=paper.PRECISION)

    @proof.step("A hypothesis enters with a true gap of 16 beta_0 at most", uses=[triangle, event])
    def entry(s) -> Claim:
        p = play(s)
        why = "its empirical gap is 9 beta_0 at most, and 3 + 1 = 4"
        return claim(p.path.gap[p.planned], "<=", 16 * s.concentration, why, rounding=ROUNDING)

    @proof.step("Conclusion: in force, its true gap is 49 beta_0 at most", uses=[triangle, event])
    def in_force(s) -> Claim:
        why = "its empirical gap is below 36 beta_0, and 6 + 1 = 7"
        return claim(play(s).path.gap, "<=", 49 * s.concentration, why, rounding=ROUNDING)

    def sums(s) -> np.ndarray:
        """Sums of squared errors over epochs."""
        p = play(s).path
        return np.bincount(p.epoch.astype(int), p.error**2)[1:]

    @proof.step("An epoch that ends has squared errors of 9 beta_0 at least", uses=[triangle, event, entry])
    def progress(s) -> Claim:
        ended = np.append(sums(s)[:-1], 9 * s.concentration)  # in one setting none ends
        why = "the empirical gap reached 36 beta_0, the true one 25 beta_0; it began with 16 beta_0 and grew by errors"
        return claim(9 * s.concentration, "<=", ended, why, rounding=ROUNDING)

    @proof.step("Transferability: squared errors add up to the first ones and 49 beta_0 d_t", uses=[in_force])
    def transfer(s) -> Claim:
        p, t = play(s).path, np.arange(1, s.horizon + 1)
        right = s.first_squares + 49 * s.concentration * s.potential(t)
        why = "an error squared is at most the squared length of its choice, cut at 1, times 49 beta_0"
        return claim(np.cumsum(p.error**2), "<=", right, why, rounding=ROUNDING)

    @proof.step("Conclusion: the number of plans", uses=[progress, transfer])
    def number(s) -> Claim:
        t = np.arange(1, s.horizon + 1)
        why = "all epochs but the last have ended"
        return claim(play(s).path.epoch, "<=", s.most_epochs(t), why)

    prove_regret(
        proof,
        Bounds(
            play=lambda s: play(s).path,
            optimal_gain=lambda s: s.gain,
            span=lambda s: s.span,
            potential=lambda s, t: s.potential(t),
            first_errors=lambda s: s.first_errors,
            largest_error=largest_error,
            largest_gap=lambda s: 49 * s.concentration,
            most_epochs=lambda s, t: s.most_epochs(t),
            most_regret=lambda s, t: s.most_regret(t),
        ),
    )
    return proof


def tabular_cover(s: paper.Tabular) -> tuple[float, float]:
    """Logarithms, in units of H / 2: visits regularised by 1 double the sum; and H, for the distance to the cover."""
    c, points = s.mdp.choices, math.ceil(math.sqrt(s.horizon)) ** s.mdp.states
    return 2 * (c * math.log(1 + s.horizon / c) + 2 * math.log(points / s.delta)), s.span


def linear_cover(s: paper.Linear) -> tuple[float, float]:
    """Balls of radius H / (2 sqrt T) cover weights of norm R; regularisation adds the norm of the regression."""
    d, norm = s.problem.dimension, (s.span + 2) * math.sqrt(s.problem.dimension)
    points = (1 + 4 * norm * math.sqrt(s.horizon) / s.span) ** d
    return 2 * math.log(points / s.delta) + d * math.log(1 + s.horizon / d), norm + s.span


def mixture_cover(s: paper.Mixture) -> tuple[float, float]:
    """There is one noise, that of the values in force; regularisation H^2 adds H."""
    return 2 * math.log(1 / s.delta) + s.problem.dimension * math.log(1 + s.horizon), s.span


tabular = lazy_proof(
    [paper.JOINT_OPTIMISM, paper.JOINT_GAP, paper.JOINT_EPOCHS, paper.JOINT_REGRET],
    tabular_settings,
    walk_tabular,
    tabular_cover,
    lambda s: s.span + 1,
)
linear = lazy_proof(
    [paper.LINEAR_OPTIMISM, paper.LINEAR_GAP, paper.LINEAR_EPOCHS, paper.LINEAR_REGRET],
    linear_settings,
    walk_linear,
    linear_cover,
    lambda s: min(s.span + 1, 7 * math.sqrt(s.concentration)),
)
mixture = lazy_proof(
    [paper.MIXTURE_OPTIMISM, paper.MIXTURE_GAP, paper.MIXTURE_EPOCHS, paper.MIXTURE_REGRET],
    mixture_settings,
    walk_mixture,
    mixture_cover,
    lambda s: min(s.span, 7 * math.sqrt(s.concentration)),
)
