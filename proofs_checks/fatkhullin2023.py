r"""Proofs of gradient domination, of what becomes of the Fisher information, and of one step of a method.

Notation. :math:`z = \nabla \log \pi_\theta(a | s)`; :math:`q(s)` discounted probabilities of states; :math:`u` the
natural gradient. Real actions are summed over a fine grid of 12 deviations either way, whose error is far below
rounding. Everything is recomputed here with plain NumPy.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.policy_methods import fatkhullin2023 as paper
from rltheory.theorems.policy_methods.parametric_process import (
    ParametricProcess,
    gaussian_processes,
    processes,
    softmax_processes,
)
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-10  # numbers up to some hundred, and systems with condition numbers of some hundred


class Model(NamedTuple):
    """A policy: its actions as atoms, and what follows from them."""

    states: np.ndarray  # (N,) of the atoms
    weights: np.ndarray  # (N,)
    scores: np.ndarray  # (N, P)
    made: np.ndarray  # (N, C)
    policy: np.ndarray  # (C,)
    values: np.ndarray  # (S,)
    gains: np.ndarray  # (C,) advantages
    reached: np.ndarray  # (S,)
    ret: float

    def mean(self, numbers):
        """Mean of numbers of atoms over the occupancy."""
        return (self.weights * self.reached[self.states]) @ numbers


def owner(s):
    """State of each choice."""
    return np.repeat(np.arange(s.mdp.states), np.diff(s.mdp.first_choice))


def softmax_atoms(s, theta):
    """Choices, with their probabilities and scores."""
    same = owner(s)[:, None] == owner(s)
    weights = np.exp(theta)
    policy = weights / (same @ weights)
    return owner(s), policy, np.eye(s.mdp.choices) - same * policy, np.eye(s.mdp.choices)


def gaussian_atoms(s, theta):
    """A fine grid of actions in each state."""
    x = np.linspace(-12, 12, 4001)
    states = np.repeat(np.arange(s.mdp.states), x.size)
    actions = (theta[:, None] + s.deviation * x).ravel()
    weights = np.tile(np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0]), s.mdp.states)
    scores = (states[:, None] == np.arange(s.mdp.states)) * (actions[:, None] - theta) / s.deviation**2
    logits = np.where(states[:, None] == owner(s), np.outer(actions, s.slopes), -np.inf)
    logits = np.exp(logits - logits.max(axis=1, keepdims=True))
    return states, weights, scores, logits / logits.sum(axis=1, keepdims=True)


def model(s, theta, seen_from=None):
    """Solve the Bellman equation of the policy; scores may be those of other parameters."""
    atoms = softmax_atoms if s.is_softmax else gaussian_atoms
    states, weights, scores, made = atoms(s, theta)
    policy = weights @ made
    if seen_from is not None and s.is_softmax:
        scores = softmax_atoms(s, seen_from)[2]
    elif seen_from is not None:
        scores = scores + (states[:, None] == np.arange(s.mdp.states)) * (theta - seen_from) / s.deviation**2
    choose = (owner(s) == np.arange(s.mdp.states)[:, None]) * policy
    system = np.eye(s.mdp.states) - s.discount * choose @ s.laws
    values = np.linalg.solve(system, choose @ s.mdp.rewards)
    reached = (1 - s.discount) * np.linalg.solve(system.T, s.mdp.initial)
    gains = s.mdp.rewards + s.discount * s.laws @ values - values[owner(s)]
    return Model(states, weights, scores, made, policy, values, gains, reached, float(values @ s.mdp.initial))


def gradient(s, m):
    """Policy gradient theorem."""
    return m.mean((m.made @ m.gains)[:, None] * m.scores) / (1 - s.discount)


def fisher(m):
    """Mean square of scores."""
    return (m.scores * (m.weights * m.reached[m.states])[:, None]).T @ m.scores


@cache
def pair(s):
    """A policy, another seen from it, and the natural gradient."""
    theta, other = s.scale * stream(0, "proof", "pair").standard_normal((2, s.policies.parameters))
    here = model(s, theta)
    return here, model(s, other, seen_from=theta), natural(s, here)


def natural(s, m):
    """Least solution of F u = gradient, state by state: a block is a multiple of that state's."""
    squares = [(m.scores * (m.weights * (m.states == state))[:, None]).T @ m.scores for state in range(s.mdp.states)]
    sides = [(m.weights * (m.states == state) * (m.made @ m.gains)) @ m.scores for state in range(s.mdp.states)]
    solved = [np.linalg.pinv(a, rcond=1e-13, hermitian=True) @ b for a, b in zip(squares, sides, strict=True)]
    return sum(solved) / (1 - s.discount)


domination = Proof(of=[paper.IDENTITY, paper.DOMINATION], settings=processes)


@domination.step("Performance difference: J(e) - J = E_e[A] / (1 - gamma)")
def performance(s: ParametricProcess) -> Claim:
    """Advantages are those of theta."""
    here, there, _ = pair(s)
    right = there.mean(there.made @ here.gains) / (1 - s.discount)
    return claim(there.ret - here.ret, "==", right, "telescoping values along the comparator", rounding=ROUNDING)


@domination.step("Identity: add and subtract <u, z>", uses=[performance])
def identity(s: ParametricProcess) -> Claim:
    """For any vector u."""
    here, there, u = pair(s)
    along = there.scores @ u
    right = there.mean(along) + there.mean(there.made @ here.gains - (1 - s.discount) * along) / (1 - s.discount)
    return claim(there.ret - here.ret, "==", right, "linearity", rounding=ROUNDING)


@domination.step("The part along scores is at most M |u|")
def along_scores(s: ParametricProcess) -> Claim:
    """M^2 is the mean of |z|^2."""
    _, there, u = pair(s)
    right = np.sqrt(there.mean((there.scores**2).sum(1))) * np.linalg.norm(u)
    return claim(there.mean(there.scores @ u), "<=", right, "Cauchy-Schwarz, twice", rounding=ROUNDING)


@domination.step("The rest is at most its root mean square")
def rest(s: ParametricProcess) -> Claim:
    """The bias of the class."""
    here, there, u = pair(s)
    off = there.made @ here.gains / (1 - s.discount) - there.scores @ u
    return claim(there.mean(off), "<=", np.sqrt(there.mean(off**2)), "Jensen's inequality", rounding=ROUNDING)


@domination.step("Conclusion", uses=[identity, along_scores, rest])
def dominated(s: ParametricProcess) -> Claim:
    """Both together."""
    here, there, u = pair(s)
    off = there.made @ here.gains / (1 - s.discount) - there.scores @ u
    right = np.sqrt(there.mean((there.scores**2).sum(1))) * np.linalg.norm(u) + np.sqrt(there.mean(off**2))
    return claim(there.ret - here.ret, "<=", right, "add the two", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

softmax = Proof(of=[paper.NO_BIAS, paper.DOMINATION_SOFTMAX], settings=softmax_processes)


def centred(s, m):
    """Advantages, centred in each state, over 1 - gamma."""
    return (m.gains - (np.bincount(owner(s), m.gains) / np.bincount(owner(s)))[owner(s)]) / (1 - s.discount)


@softmax.step("F w = grad J for the centred advantages w, over 1 - gamma")
def solves(s: ParametricProcess) -> Claim:
    """And w is orthogonal to what F maps to 0, which are the constants of states: so w = u."""
    here, _, _ = pair(s)
    return claim(fisher(here) @ centred(s, here), "==", gradient(s, here), "E z <z, w> = E z A", rounding=ROUNDING)


@softmax.step("Scores are orthogonal to constants of states")
def orthogonal(s: ParametricProcess) -> Claim:
    """Hence w may be shifted in each state."""
    here, _, _ = pair(s)
    sums = here.scores @ (owner(s)[:, None] == np.arange(s.mdp.states))
    return claim(sums, "==", 0.0, "1 less the sum of probabilities", rounding=ROUNDING)


@softmax.step("Conclusion: <u, z> = A / (1 - gamma)", uses=[solves, orthogonal])
def fits(s: ParametricProcess) -> Claim:
    """The mean of advantages is 0."""
    here, _, _ = pair(s)
    left = (1 - s.discount) * here.scores @ centred(s, here)
    return claim(left, "==", here.gains, "the shift drops out, and E A = 0", rounding=ROUNDING)


@softmax.step("|z|^2 <= 2")
def scores_bounded(s: ParametricProcess) -> Claim:
    """A score is e_c - pi."""
    here, _, _ = pair(s)
    return claim((here.scores**2).sum(1), "<=", 2.0, "(1 - p)^2 + sum of squares that add up to (1 - p)^2 at most")


@softmax.step("Conclusion: J* - J <= sqrt(2) |u|", uses=[fits, scores_bounded])
def optimum(s: ParametricProcess) -> Claim:
    """The comparator is an optimal policy, found by value iteration."""
    here, _, _ = pair(s)
    values = np.zeros(s.mdp.states)
    for _ in range(2000):
        values = np.maximum.reduceat(s.mdp.rewards + s.discount * s.laws @ values, s.mdp.first_choice[:-1])
    left = s.mdp.initial @ values - here.ret
    right = np.sqrt(2) * np.linalg.norm(centred(s, here))
    return claim(left, "<=", right, "the performance difference with A = (1 - gamma) <u, z>", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

gaussian = Proof(of=[paper.FISHER_GAUSSIAN], settings=gaussian_processes)


@gaussian.step("The mean square of a score is 1 / sigma^2")
def score_square(s: ParametricProcess) -> Claim:
    """In each state."""
    here, _, _ = pair(s)
    left = np.bincount(here.states, here.weights * (here.scores**2).sum(1))
    return claim(left, "==", s.deviation**-2, "the variance of the normal distribution, over its square", rounding=1e-9)


@gaussian.step("Each state is reached with probability (1 - gamma) rho at least")
def reached(s: ParametricProcess) -> Claim:
    """The first state counts."""
    here, _, _ = pair(s)
    return claim((1 - s.discount) * s.mdp.initial, "<=", here.reached, "the term t = 0 of a sum", rounding=ROUNDING)


@gaussian.step("Conclusion", uses=[score_square, reached])
def nondegenerate(s: ParametricProcess) -> Claim:
    """F is diagonal."""
    here, _, _ = pair(s)
    left = (1 - s.discount) * s.mdp.initial.min() / s.deviation**2
    why = "F is diagonal: scores of a state have one entry"
    return claim(left, "<=", np.linalg.eigvalsh(fisher(here)).min(), why, rounding=1e-9)


degenerate = Proof(of=[paper.FISHER_DEGENERATE], settings=paper.several_choices)
DIGITS = np.arange(1, 13)


def losses(s):
    """What choices lose."""
    return s.optimum.values[owner(s)] - s.mdp.rewards - s.discount * s.laws @ s.optimum.values


def witness(s, k):
    """The witness for k digits, and the worst choices."""
    worst = np.array(
        [b + losses(s)[b:e].argmax() for b, e in zip(s.mdp.first_choice, s.mdp.first_choice[1:], strict=False)]
    )
    theta = np.zeros(s.mdp.choices)
    theta[worst] = np.log(2 * s.mdp.choices * 10.0**k)
    return model(s, theta), worst


@degenerate.step("Other choices together have probability 10^-k / 2 at most")
def sure(s: ParametricProcess) -> Claim:
    """In each state."""
    left = [
        [m.policy[owner(s) == state].sum() - m.policy[worst[state]] for state in range(s.mdp.states)]
        for m, worst in (witness(s, k) for k in DIGITS)
    ]
    return claim(left, "<=", 10.0 ** -DIGITS[:, None] / 2, "their odds are 1 to 2 C 10^k each", rounding=1e-16)


@degenerate.step("Hence the information along e_1 - e_2 is 10^-k at most", uses=[sure])
def vanishing(s: ParametricProcess) -> Claim:
    """For the worst and any other choice of a state with several."""
    left = []
    for k in DIGITS:
        m, worst = witness(s, k)
        state = int(np.argmax(np.diff(s.mdp.first_choice)))
        other = next(c for c in np.flatnonzero(owner(s) == state) if c != worst[state])
        v = np.eye(s.mdp.choices)[worst[state]] - np.eye(s.mdp.choices)[other]
        left.append(v @ fisher(m) @ v / 2)
    why = "p (1 - p) + p' (1 - p') + 2 p p' <= 4 (1 - p), over |v|^2 = 2"
    return claim(left, "<=", 10.0**-DIGITS, why, rounding=1e-17)


@degenerate.step("The gap is at least what the worst first choices lose, times their probability", uses=[sure])
def far(s: ParametricProcess) -> Claim:
    """Losses of later choices are not negative."""
    left, right = [], []
    for k in DIGITS:
        m, worst = witness(s, k)
        left.append((s.mdp.initial * m.policy[worst]) @ losses(s)[worst])
        right.append(s.mdp.initial @ s.optimum.values - m.ret)
    return claim(left, "<=", right, "performance difference, its term t = 0", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

one_step = Proof(of=[paper.ONE_STEP, paper.RECURSION], settings=paper.softmax_ascents)
SIZES = np.geomspace(1e-3, 3, 12)


@cache
def steps(s):
    """Points, directions with errors of all sizes, and lengths of steps."""
    rng = stream(0, "proof", "steps")
    rows = []
    for size in SIZES:
        theta = rng.standard_normal(s.policies.parameters)
        g = gradient(s, model(s, theta))
        d = g + np.linalg.norm(g) * size * rng.standard_normal(theta.size)
        rows.append((theta, g, d, size))
    return rows


def gain(s, theta, d, size):
    """What a step gains."""
    return model(s, theta + size * d / np.linalg.norm(d)).ret - model(s, theta).ret


@one_step.step("Smoothness: a step gains its slope, but for L / 2 times its square")
def ascent(s: paper.Ascent) -> Claim:
    """L bounds the Hessian."""
    left = [size * g @ d / np.linalg.norm(d) - gain(s, theta, d, size) for theta, g, d, size in steps(s)]
    right = SIZES**2 / (4 * (1 - s.discount) ** 2)
    return claim(left, "<=", right, "Taylor's formula, and the bound on the Hessian", rounding=ROUNDING)


@one_step.step("The slope along d is |g| - 2 |d - g| at least")
def slope(s: paper.Ascent) -> Claim:
    """<g, d> = |d|^2 - <e, d>."""
    left = [np.linalg.norm(g) - 2 * np.linalg.norm(d - g) for _, g, d, _ in steps(s)]
    right = [g @ d / np.linalg.norm(d) for _, g, d, _ in steps(s)]
    return claim(left, "<=", right, "|d| - |e| >= |g| - 2 |e|", rounding=ROUNDING)


@one_step.step("Conclusion for a step", uses=[ascent, slope])
def stepped(s: paper.Ascent) -> Claim:
    """Both together."""
    left = [size * np.linalg.norm(g) - gain(s, theta, d, size) for theta, g, d, size in steps(s)]
    right = [2 * size * np.linalg.norm(d - g) + size**2 / (4 * (1 - s.discount) ** 2) for _, g, d, size in steps(s)]
    return claim(left, "<=", right, "add the two", rounding=ROUNDING)


@one_step.step("Conclusion for the gap", uses=[stepped])
def shrunk(s: paper.Ascent) -> Claim:
    """|g| >= a delta by gradient domination."""
    left, right = [], []
    for theta, g, d, size in steps(s):
        m = model(s, theta)
        delta = s.mdp.initial @ s.optimum.values - m.ret
        a = np.linalg.norm(g) / (np.sqrt(2) * np.linalg.norm(centred(s, m)))
        left.append(delta - gain(s, theta, d, size))
        right.append((1 - a * size) * delta + 2 * size * np.linalg.norm(d - g) + size**2 / (4 * (1 - s.discount) ** 2))
    return claim(left, "<=", right, "J* - J <= sqrt(2) |u|", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

transport = Proof(of=[paper.TRANSPORT], settings=paper.quadratics)


@transport.step("The two points have the present one as their mean")
def mean_point(s: paper.Quadratic) -> Claim:
    """(1 - eta) theta_{t-1} + eta (theta_t + (1 - eta) / eta (theta_t - theta_{t-1})) = theta_t."""
    now, before = stream(0, "proof", "points").standard_normal((2, s.offset.size))
    eta = np.linspace(0.01, 1, 25)[:, None]
    return claim(
        (1 - eta) * before + eta * (now + (1 - eta) / eta * (now - before)), "==", now, "algebra", rounding=1e-12
    )


@transport.step("Conclusion", uses=[mean_point])
def affine(s: paper.Quadratic) -> Claim:
    """The gradient of a quadratic is affine."""
    now, before = stream(0, "proof", "points").standard_normal((2, s.offset.size))
    eta = np.linspace(0.01, 1, 25)[:, None]
    ahead = now + (1 - eta) / eta * (now - before)
    left = (1 - eta) * (s.hessian @ before + s.offset) + eta * (ahead @ s.hessian + s.offset)
    return claim(left, "==", s.hessian @ now + s.offset, "affine maps keep means", rounding=1e-11)
