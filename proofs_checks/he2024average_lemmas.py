r"""Proofs of what the regret of LOOP rests on: planning within a span, confidence, and how often errors can recur.

Notation: L and T u = min(L u, min L u + H) are the optimistic backups, P and p^ true and empirical laws, n visits, C
and S the numbers of choices and states; E_i errs on c_i, W_i is the sum of its squares on the choices before.
"""

from functools import cache
from itertools import product
from math import comb, log, sqrt
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.average_reward import he2024average_lemmas as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-9

# --------------------------------------------------------------------------------------------------

planning = Proof(of=[paper.PLANNERS, paper.BONUS_GROWS], settings=paper.plannings)


class Model(NamedTuple):
    """Empirical laws and bonuses."""

    laws: np.ndarray
    bonus: np.ndarray


@cache
def model(s: paper.Planning) -> Model:
    """Laws of some dozen draws, and bonuses up to H + 1."""
    rng = stream(0, "proof of planning", s)
    n = rng.integers(0, 30, s.mdp.choices)
    seen = np.array([rng.multinomial(k, law / law.sum()) for k, law in zip(n, s.laws, strict=True)], float)
    laws = np.where(n[:, None] > 0, seen, 1) / np.where(n > 0, n, s.mdp.states)[:, None]
    return Model(laws, np.where(n > 0, s.span / np.sqrt(np.maximum(n, 1)), s.span + 1))


def back_up(s, u, bonus=None):
    """L u, for rows u."""
    m = model(s)
    worth = s.mdp.rewards + (m.bonus if bonus is None else bonus) + u @ m.laws.T
    return np.stack([each.max(-1) for each in np.split(worth, s.mdp.first_choice[1:-1], axis=-1)], axis=-1)


def truncated(s, u, bonus=None):
    """T u."""
    full = back_up(s, u, bonus)
    return np.minimum(full, full.min(-1, keepdims=True) + s.span)


@cache
def functions(s: paper.Planning):
    """Functions with values in [0, H], vertices among them, and larger ones."""
    rng = stream(0, "proof of planning, functions", s)
    u = rng.uniform(0, s.span, (60, s.mdp.states))
    u[:20] = s.span * rng.integers(0, 2, (20, s.mdp.states))
    return u, u + rng.uniform(0, s.span, u.shape) * rng.integers(0, 2, u.shape)


@cache
def fixed_point(s: paper.Planning, bonus=1.0):
    """Growth J of truncated iteration for a multiple of the bonus, and its function, with least value 0."""
    u, change = np.zeros(s.mdp.states), np.zeros(s.mdp.states)
    while True:
        change = truncated(s, u, bonus * model(s).bonus) - u
        if np.ptp(change) < 1e-11:
            return change.min(), u - u.min()
        u = u + 0.9 * change


@planning.step("Truncated backups are monotone")
def monotone(s: paper.Planning) -> Claim:
    """T u <= T w for u <= w."""
    u, w = functions(s)
    return claim(truncated(s, u), "<=", truncated(s, w), "so are sums, maxima and minima", rounding=ROUNDING)


@planning.step("They commute with the addition of constants")
def translated(s: paper.Planning) -> Claim:
    """T (u + 3) = T u + 3."""
    u, _ = functions(s)
    return claim(truncated(s, u + 3), "==", truncated(s, u) + 3, "laws add up to 1", rounding=ROUNDING)


@planning.step("What is feasible within the span is so for truncated backups")
def feasible(s: paper.Planning) -> Claim:
    """V + J <= T V where J = min(L V - V), for V with values in [0, H]."""
    u, _ = functions(s)
    gain = (back_up(s, u) - u).min(-1, keepdims=True)
    why = "min L V + H >= min V + J + H >= V + J"
    return claim(u + gain, "<=", truncated(s, u), why, rounding=ROUNDING)


@planning.step("No feasible gain exceeds the growth", uses=[monotone, translated, feasible])
def no_more(s: paper.Planning) -> Claim:
    """min(L V - V) <= J for V with values in [0, H]."""
    u, _ = functions(s)
    why = "T^k V >= V + k J', and all T^k grow alike"
    return claim((back_up(s, u) - u).min(-1), "<=", fixed_point(s)[0], why, rounding=ROUNDING)


@planning.step("The growth is feasible")
def attained(s: paper.Planning) -> Claim:
    """V + J <= L V and V <= H for the function of the growth."""
    gain, values = fixed_point(s)
    left, right = np.stack([values + gain, values]), np.stack([back_up(s, values), np.full(values.size, s.span)])
    return claim(left, "<=", right, "V + J = T V <= L V, and T V has span H", rounding=ROUNDING)


@planning.step("It is the largest value of a linear program, over all policies", uses=[no_more, attained])
def linear_programs(s: paper.Planning) -> Claim:
    """J = max over policies of max {J: V + J <= r + b + p^ V, 0 <= V <= H}."""
    from scipy.optimize import linprog

    m, states = model(s), s.mdp.states
    ranges = [range(a, b) for a, b in zip(s.mdp.first_choice, s.mdp.first_choice[1:], strict=False)]
    best = -np.inf
    for policy in product(*ranges):
        made = list(policy)
        rows = np.hstack([np.eye(states) - m.laws[made], np.ones((states, 1))])
        right = s.mdp.rewards[made] + m.bonus[made]
        bounds = [(0, s.span)] * states + [(None, None)]
        best = max(best, -linprog(-np.eye(states + 1)[-1], rows, right, bounds=bounds).fun)
    return claim(best, "==", fixed_point(s)[0], "each constraint is that of one of its choices", rounding=1e-7)


@planning.step("Descent from the largest function stays above all that is feasible", uses=[attained])
def tarski(s: paper.Planning) -> Claim:
    """V <= limit of w <- min(w, L w - J) from H, for the V of the growth; the limit is >= 0."""
    gain, values = fixed_point(s)
    w = np.full(s.mdp.states, s.span)
    for _ in range(200):
        w = np.minimum(w, back_up(s, w) - gain)
    why = "w -> min(w, L w - J) is monotone and keeps V <= w"
    return claim(np.maximum(values, 0), "<=", w, why, rounding=1e-8)


@planning.step("A larger bonus grows as much as it adds, at most", uses=[no_more, attained])
def larger_bonus(s: paper.Planning) -> Claim:
    """0 <= J(1.3 b) - J(b) <= 0.3 max b."""
    rise = fixed_point(s, 1.3)[0] - fixed_point(s)[0]
    why = "L_b <= L_b' <= L_b + max (b' - b), and growth is monotone in the backup"
    return claim([-rise, rise], "<=", [0, 0.3 * model(s).bonus.max()], why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

confidence = Proof(of=[paper.BOX_CONFIDENCE, paper.JOINT_CONFIDENCE], settings=paper.confidence_grid)
COINS = np.array([0.05, 0.3, 0.5, 0.9])


@confidence.step("Hoeffding's inequality, exactly, for coins")
def hoeffding(s: paper.Setting) -> Claim:
    """P(sqrt(n) (p - mean) >= x) <= exp(-2 x^2)."""
    left, right = [], []
    for n, p in product([1, 6, 40], COINS):
        chance = np.array([comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])
        for x in np.linspace(0.1, 3, 20):
            left.append(chance[sqrt(n) * (p - np.arange(n + 1) / n) >= x].sum())
            right.append(np.exp(-2 * x**2))
    return claim(left, "<=", right, "Hoeffding", rounding=1e-12)


@confidence.step("At the radius of the box, over all choices and visits, it leaves delta", uses=[hoeffding])
def union(s: paper.Setting) -> Claim:
    """C T exp(-2 x^2) = delta for x = radius / H."""
    left = s.mdp.choices * s.horizon * np.exp(-2 * (paper.box_radius(s) / s.span) ** 2)
    return claim(left, "==", s.delta, "x^2 = l / 2; V* has range H at most")


@confidence.step("The mixture over slopes is a supermartingale: exactly, for coins")
def mixture(s: paper.Setting) -> Claim:
    """E (1 + n + 1)^-1/2 exp(2 M'^2 / (n + 2)) <= (1 + n)^-1/2 exp(2 M^2 / (1 + n)) for M' = M + coin - p."""
    left, right = [], []
    for p, n in product(COINS, range(40)):
        m = np.arange(n + 1) - n * p

        def value(m, n):
            return np.exp(2 * m**2 / (1 + n)) / sqrt(1 + n)

        left.extend((1 - p) * value(m - p, n + 1) + p * value(m + 1 - p, n + 1))
        right.extend(value(m, n))
    why = "it is the mean of exp(x M - x^2 n / 8) over x with variance 4"
    return claim(left, "<=", right, why)


@confidence.step("Logarithms of visits are largest for equal ones")
def equal_visits(s: paper.Setting) -> Claim:
    """Sum of log(1 + n_c) <= C log(1 + T / C)."""
    rng, choices = stream(0, "proof of confidence"), s.mdp.choices
    n = rng.multinomial(s.horizon, rng.dirichlet(np.ones(choices), 50))
    return claim(np.log1p(n).sum(1), "<=", choices * np.log1p(s.horizon / choices), "Jensen")


@confidence.step("Without regularisation the sum at most doubles")
def regularised(s: paper.Setting) -> Claim:
    """1 / n <= 2 / (1 + n) for n >= 1."""
    n = np.arange(1.0, 100)
    return claim(1 / n, "<=", 2 / (1 + n), "1 + n <= 2 n")


@confidence.step("For one function this leaves delta", uses=[mixture, equal_visits, regularised])
def one_function(s: paper.Setting) -> Claim:
    """2 (H^2 / 4) (C log(1 + T / C) + 2 log(1 / delta)) = H^2 ((C / 2) log(1 + T / C) + log(1 / delta))."""
    logs = s.mdp.choices * np.log1p(s.horizon / s.mdp.choices)
    left = 2 * s.span**2 / 4 * (logs + 2 * log(1 / s.delta))
    return claim(left, "==", s.span**2 * (logs / 2 + log(1 / s.delta)), "Ville's inequality, increments of range H")


@cache
def deviations(s: paper.Setting):
    """Some visits, and p^ - P."""
    rng = stream(0, "proof of confidence, laws", s)
    n = rng.integers(1, 30, s.mdp.choices)
    seen = np.array([rng.multinomial(k, law / law.sum()) for k, law in zip(n, s.laws, strict=True)])
    return n, seen / n[:, None] - s.laws


@confidence.step("The largest sum is at a vertex")
def vertices(s: paper.Setting) -> Claim:
    """Sum of n <p^ - P, V>^2 is at most its largest value for V in {0, H}^S."""
    n, apart = deviations(s)
    v = stream(0, "proof of confidence, functions").uniform(0, s.span, (500, s.mdp.states))
    corners = s.span * np.array(list(product([0, 1], repeat=s.mdp.states)))
    right = (n @ (apart @ corners.T) ** 2).max()
    return claim(n @ (apart @ v.T) ** 2, "<=", right, "it is convex in V")


@confidence.step("Opposite vertices agree")
def opposite(s: paper.Setting) -> Claim:
    """V and H - V have the same sum, so that half of the 2^S vertices are enough."""
    n, apart = deviations(s)
    corners = s.span * np.array(list(product([0, 1], repeat=s.mdp.states)))
    left, right = (n @ (apart @ v.T) ** 2 for v in (corners, s.span - corners))
    return claim(left, "==", right, "differences of laws add up to 0", rounding=ROUNDING)


@confidence.step("Conclusion", uses=[one_function, vertices, opposite])
def joint(s: paper.Setting) -> Claim:
    """The radius is that for one function with delta / 2^(S - 1)."""
    level = s.delta / 2 ** (s.mdp.states - 1)
    left = s.span * sqrt(s.mdp.choices / 2 * np.log1p(s.horizon / s.mdp.choices) + log(1 / level))
    return claim(left, "==", paper.joint_radius(s), "a union over half of the vertices")


@confidence.step("The cover of the paper's kind gives no less")
def cover(s: paper.Setting) -> Claim:
    """(S - 1) log 2 <= S log ceil(sqrt T)."""
    left, right = (s.mdp.states - 1) * log(2), s.mdp.states * log(np.ceil(sqrt(s.horizon)))
    return claim(left, "<=", right, "T >= 2")


# --------------------------------------------------------------------------------------------------

recurrence = Proof(of=[paper.DOMINANCE, paper.TRANSFERABILITY], settings=lambda: short_sequences())


def short_sequences():
    """Sequences of the grid, of a thousand functions at most."""
    for s in paper.sequences():
        yield paper.ErrorSequence(s.choices, min(s.horizon, 1000), s.largest, s.decay, s.elsewhere, s.shuffled)


class Errors(NamedTuple):
    """For each function: |E| on its own choice, visits of that before, and W."""

    own: np.ndarray
    visits: np.ndarray
    past: np.ndarray


@cache
def errors(s: paper.ErrorSequence) -> Errors:
    """Go through the sequence."""
    rng, history, rows = stream(0, "proof of recurrence", s), [], []
    for t in range(s.horizon):
        choice = int(rng.integers(s.choices)) if s.shuffled else t % s.choices
        function = s.elsewhere * rng.uniform(-1, 1, s.choices)
        visits = history.count(choice)
        function[choice] = s.largest * max(visits, 1) ** -s.decay
        rows.append((abs(function[choice]), visits, (function[history] ** 2).sum()))
        history.append(choice)
    return Errors(*np.array(rows).T)


def coefficient(s):
    """d_t."""
    t = np.arange(1, s.horizon + 1)
    return s.choices * (1 + np.log(np.maximum(t, s.choices) / s.choices))


@recurrence.step("An error is part of what the function does on the past, for each visit")
def own_part(s: paper.ErrorSequence) -> Claim:
    """N E^2 <= W."""
    e = errors(s)
    return claim(e.visits * e.own**2, "<=", e.past, "W counts the own choice n times", rounding=ROUNDING)


@recurrence.step("Inverse visits add up to the coefficient")
def inverse_visits(s: paper.ErrorSequence) -> Claim:
    """Sum of 1 / n over n >= 1 is at most d_t."""
    n = errors(s).visits
    left = np.cumsum(np.where(n > 0, 1 / np.maximum(n, 1), 0))
    why = "harmonic sums are at most 1 + log; Jensen, as K (1 + log(t / K)) grows in K <= t"
    return claim(left, "<=", coefficient(s), why)


@recurrence.step("First visits are few")
def first_visits(s: paper.ErrorSequence) -> Claim:
    """Sums of |E| and E^2 over n = 0 are at most C B and C B^2."""
    e = errors(s)
    own = e.own[e.visits == 0]
    left = [own.sum(), (own**2).sum()]
    return claim(left, "<=", [s.choices * s.largest, s.choices * s.largest**2], "one for each choice")


@recurrence.step("Dominance", uses=[own_part, inverse_visits, first_visits])
def dominance(s: paper.ErrorSequence) -> Claim:
    """Sum |E| <= C B + sqrt(d_t sum W)."""
    e = errors(s)
    right = s.choices * s.largest + np.sqrt(coefficient(s) * np.cumsum(e.past))
    return claim(np.cumsum(e.own), "<=", right, "Cauchy and Schwarz: sum sqrt(W / n)", rounding=ROUNDING)


@recurrence.step("Transferability", uses=[own_part, inverse_visits, first_visits])
def transferability(s: paper.ErrorSequence) -> Claim:
    """Sum E^2 <= C B^2 + d_t max W."""
    e = errors(s)
    right = s.choices * s.largest**2 + coefficient(s) * np.maximum.accumulate(e.past)
    return claim(np.cumsum(e.own**2), "<=", right, "sum of max W / n", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

potential = Proof(of=[paper.POTENTIAL], settings=paper.vectors)


@cache
def norms(s: paper.Vectors):
    """Squared norms of vectors in the norm of those before, and log det of Lambda over that of the first."""
    rng = stream(0, "proof of the potential", s)
    if s.correlated:
        rows = rng.standard_normal((s.horizon, s.dimension)) * 0.3 ** np.arange(s.dimension)
        rows *= s.length / np.linalg.norm(rows, axis=1, keepdims=True)
    else:
        rows = s.length * np.eye(s.dimension)[np.arange(s.horizon) % s.dimension]
    first = s.regularisation * np.eye(s.dimension)
    matrices = first + np.cumsum(rows[:, :, None] * rows[:, None, :], axis=0)
    before = np.concatenate([first[None], matrices[:-1]])
    squares = np.einsum("ti,tij,tj->t", rows, np.linalg.inv(before), rows)
    return (
        squares,
        np.log(np.linalg.det(matrices)) - s.dimension * log(s.regularisation),
        np.trace(matrices, axis1=1, axis2=2),
    )


@potential.step("Each vector multiplies the determinant")
def determinant(s: paper.Vectors) -> Claim:
    """Sum of log(1 + ||x||^2) = log det Lambda - d log lambda."""
    squares, logs, _ = norms(s)
    return claim(np.cumsum(np.log1p(squares)), "==", logs, "matrix determinant lemma", rounding=ROUNDING)


@potential.step("Short vectors are less than twice their logarithm")
def short(s: paper.Vectors) -> Claim:
    """min(1, x) <= 2 log(1 + x)."""
    x = np.concatenate([norms(s)[0], np.geomspace(1e-6, 1e3, 100)])
    return claim(np.minimum(1, x), "<=", 2 * np.log1p(x), "concavity on [0, 1], where log 2 > 1/2")


@potential.step("The determinant is at most that of equal eigenvalues")
def equal_eigenvalues(s: paper.Vectors) -> Claim:
    """Log det Lambda <= d log(trace / d), and trace <= d lambda + t L^2."""
    _, logs, trace = norms(s)
    d, lam, t = s.dimension, s.regularisation, np.arange(1, s.horizon + 1)
    left = np.stack([logs + d * log(lam), trace])
    right = np.stack([d * np.log(trace / d), d * lam + t * s.length**2])
    return claim(left, "<=", right, "geometric and arithmetic means", rounding=ROUNDING)


@potential.step("Conclusion", uses=[determinant, short, equal_eigenvalues])
def potential_bound(s: paper.Vectors) -> Claim:
    """Sum of min(1, ||x||^2) <= 2 d log(1 + t L^2 / (d lambda))."""
    t = np.arange(1, s.horizon + 1)
    right = 2 * s.dimension * np.log1p(t * s.length**2 / (s.dimension * s.regularisation))
    return claim(np.cumsum(np.minimum(1, norms(s)[0])), "<=", right, "insert", rounding=ROUNDING)
