r"""Proof of the bounds for MLE-LOOP over finitely many models.

Notation. :math:`L_t(f)` is minus the logarithm of the likelihood of model f, :math:`f^*` the truth, :math:`h_f(c)` the
squared Hellinger distance of the laws of choice c in f and in truth, :math:`V_f` the optimal bias of f. Paths are
walked here in plain NumPy, and likelihoods of all models kept at each step.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from proofs_checks._walks import ROUNDING, Bounds, Path, prove_regret
from rltheory.simulation import stream
from rltheory.theorems.average_reward import he2024average_likelihood as paper
from rltheory.theory import Claim, Proof, claim


class Play(NamedTuple):
    """One walk; row t is after t steps, and models are columns."""

    path: Path
    loss: np.ndarray  # L_t(f)
    seen: np.ndarray  # sum of h_f over the choices made
    left: np.ndarray  # whether f is left


@cache
def laws(s: paper.Setting):
    """Laws of all models, shape (M, C, S), and the true ones."""
    every = np.array([mdp.transition_matrix for mdp in s.processes])
    return every, every[s.truth]


@cache
def hellinger(s: paper.Setting):
    """h_f(c), shape (M, C)."""
    every, true = laws(s)
    return 1 - np.sqrt(every * true).sum(-1)


@cache
def errors(s: paper.Setting):
    """Errors (P_f - P) V_f of all choices, shape (M, C)."""
    every, true = laws(s)
    values = np.array([model.values for model in s.models.models])
    return np.einsum("mcx,mx->mc", every - true, values)


@cache
def play(s: paper.Setting) -> Play:
    """Follow the model of largest gain among those left."""
    every, true = laws(s)
    models, rng = s.models.models, stream(0, "proof", str(s))
    state = int(rng.choice(s.mdp.states, p=s.mdp.initial))
    loss, visits, left = np.zeros(len(models)), np.zeros(s.mdp.choices), np.ones(len(models), bool)
    followed, epoch, rows, after = -1, 0, [], [(loss, loss, left)]
    for _ in range(s.horizon):
        if followed < 0 or not left[followed]:
            followed = max(np.flatnonzero(left), key=lambda f: models[f].gain)
            epoch += 1
        f = models[followed]
        choice = f.policy[state]
        onward = int(rng.choice(s.mdp.states, p=true[choice]))
        gap = visits @ errors(s)[followed] ** 2
        size = 1 / visits[choice] if visits[choice] else math.inf
        numbers = f.gain, s.mdp.rewards[choice], f.values[state], true[choice] @ f.values, f.values[onward]
        rows.append((epoch, *numbers, errors(s)[followed, choice], gap, size))
        loss = loss - np.log(every[:, choice, onward])
        visits[choice] += 1
        left = left & (loss <= loss.min() + s.level)
        after.append((loss, hellinger(s) @ visits, left))
        state = onward
    path = Path(*(np.array(column, dtype=float) for column in zip(*rows, strict=True)))
    return Play(path, *(np.array(column) for column in zip(*after, strict=True)))


def settings():
    """Short runs."""
    yield paper.Setting(tuple(paper.one_of(2, k, rate=0.5, advantage=0.2) for k in range(2)), truth=1, horizon=2000)
    yield paper.Setting(tuple(paper.one_of(4, k, rate=0.4, advantage=0.3) for k in range(4)), truth=3, horizon=1000)
    many = paper.random_class(stream(0, "likelihood loop"), 50)
    yield paper.Setting(many, truth=20, horizon=1000)


likelihood = Proof(of=[paper.KEEPS, paper.HELLINGER, paper.EPOCHS, paper.REGRET], settings=settings)


@likelihood.step("Likelihood ratios do not grow in the mean: E exp(L(f*) - L(f)) <= 1 per step")
def ratio(s: paper.Setting) -> Claim:
    """Means over the true law."""
    every, true = laws(s)
    quotient = np.divide(every, true, out=np.zeros_like(every), where=true > 0)
    return claim((true * quotient).sum(-1), "<=", 1.0, "P_f has mass 1 at most where P has any")


@likelihood.step("Their roots shrink: E exp((L(f*) - L(f)) / 2) = 1 - h_f <= exp(-h_f) per step")
def root(s: paper.Setting) -> Claim:
    """Means over the true law."""
    every, true = laws(s)
    quotient = np.divide(every, true, out=np.zeros_like(every), where=true > 0)
    mean = (true * np.sqrt(quotient)).sum(-1)
    return claim(mean, "<=", np.exp(-hellinger(s)), "1 - x <= exp(-x)")


@likelihood.step("First event: no ratio ever exceeds M / delta", uses=[ratio])
def first_event(s: paper.Setting) -> Claim:
    """L_t(f*) - L_t(f) <= b."""
    p = play(s)
    why = "Ville's inequality and a union over models, with probability 1 - delta; it is so on this path"
    return claim(p.loss[:, s.truth, None] - p.loss, "<=", s.level, why)


@likelihood.step("Conclusion: the truth is never ruled out", uses=[first_event])
def truth_stays(s: paper.Setting) -> Claim:
    """L_t(f*) <= min L_t + b."""
    p = play(s)
    return claim(p.loss[:, s.truth], "<=", p.loss.min(1) + s.level, "for the least of all L")


@likelihood.step("Second event: no root, times exp(sum of h_f), ever exceeds M / delta", uses=[root])
def second_event(s: paper.Setting) -> Claim:
    """(L_t(f*) - L_t(f)) / 2 + sum of h_f <= b."""
    p = play(s)
    why = "Ville's inequality and a union over models, with probability 1 - delta; it is so on this path"
    return claim((p.loss[:, s.truth, None] - p.loss) / 2 + p.seen, "<=", s.level, why, rounding=ROUNDING)


@likelihood.step("Conclusion: models that are left have small distances", uses=[truth_stays, second_event])
def distances(s: paper.Setting) -> Claim:
    """Sum of h_f <= b + (L(f) - L(f*)) / 2."""
    p = play(s)
    why = "what is left has L(f) <= min L + b <= L(f*) + b"
    return claim(p.left * p.seen, "<=", 1.5 * s.level, why, rounding=ROUNDING)


@likelihood.step("Conclusion: the number of plans", uses=[truth_stays])
def number(s: paper.Setting) -> Claim:
    """N <= M."""
    return claim(play(s).path.epoch, "<=", len(s.processes), "each plan but the last rules out its model for good")


@likelihood.step("Optimism", uses=[truth_stays])
def optimism(s: paper.Setting) -> Claim:
    """J of the model followed is at least that of the truth."""
    why = "the truth is left, and the model followed has the largest gain of those left"
    return claim(s.models.gains[s.truth], "<=", play(s).path.gain, why)


@likelihood.step("Total variation: TV^2 <= 2 h_f")
def variation(s: paper.Setting) -> Claim:
    """For all models and choices."""
    every, true = laws(s)
    total = np.abs(every - true).sum(-1) / 2
    why = "p - q is a product of the difference and the sum of roots; TV^2 <= h (2 - h)"
    return claim(total**2, "<=", 2 * hellinger(s), why)


@likelihood.step("Errors: |(P_f - P) V_f| <= H TV")
def bounded(s: paper.Setting) -> Claim:
    """For all models and choices."""
    every, true = laws(s)
    right = s.models.span * np.abs(every - true).sum(-1) / 2
    return claim(np.abs(errors(s)), "<=", right, "V_f has span H at most")


@likelihood.step("The model followed has a gap of 3 b H^2 at most", uses=[distances, variation, bounded])
def gap(s: paper.Setting) -> Claim:
    """Sum of squared errors over the past."""
    right = 3 * s.level * s.models.span**2
    return claim(play(s).path.gap, "<=", right, "2 H^2 times 3 b / 2", rounding=ROUNDING)


prove_regret(
    likelihood,
    Bounds(
        play=lambda s: play(s).path,
        optimal_gain=lambda s: s.models.gains[s.truth],
        span=lambda s: s.models.span,
        potential=lambda s, t: s.mdp.choices * (1 + np.log(np.maximum(t / s.mdp.choices, 1))),
        first_errors=lambda s: s.mdp.choices * s.models.span,
        largest_error=lambda s: s.models.span,
        largest_gap=lambda s: 3 * s.level * s.models.span**2,
        most_epochs=lambda s, t: np.full(t.size, s.models.size),
        most_regret=lambda s, t: s.most_regret(t),
    ),
)
