r"""Proofs on SQIRL: how errors of regressions grow, what they cost, and what means on a table know.

Notation. :math:`D_t` is the error of the estimate of stage t in the root mean square where SQIRL makes choices at t
while it decides stage h; :math:`\varepsilon_1`, :math:`\varepsilon_2` the errors of the regressions; :math:`\Delta` the
gap; :math:`\mathrm{err} = \hat Q_h - Q^k_h`. Laws and values are recomputed here with dense matrices.
"""

from functools import cache
from itertools import pairwise
from math import comb
from typing import NamedTuple

import numpy as np

from rltheory.algorithms import sqirl
from rltheory.simulation import stream
from rltheory.theorems.effective_horizon import laidlaw2024 as paper
from rltheory.theorems.effective_horizon.laidlaw2024 import ShallowIteration
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-12


class Walk(NamedTuple):
    """A run with the tables that its proof speaks of; entry h of each list belongs to the deciding of stage h."""

    P: np.ndarray  # (H, C, S)
    r: np.ndarray  # (H, C)
    owner: np.ndarray  # (C,), state of each choice
    sizes: np.ndarray  # (S,), numbers of choices
    Q: np.ndarray  # (k, H, C), from random play and by value iteration
    best: np.ndarray  # (H + 1, S), optimal values
    law: list  # (H, C), law of choices
    estimates: np.ndarray  # (H, k, C)
    made: np.ndarray  # (H, S)

    def greatest(self, values):
        """Largest value of each state."""
        found = np.full(self.sizes.size, -np.inf)
        np.maximum.at(found, self.owner, values)
        return found

    def levels(self, h):
        """Stages of the regressions that decide stage h, and their estimates."""
        return [(h + j, self.estimates[h, j]) for j in range(min(self.estimates.shape[1], len(self.r) - h))]


@cache
def walk(s: ShallowIteration) -> Walk:
    """Run SQIRL, and compute the rest from the definitions."""
    mdps = s.problem.stages
    matrices = [mdp.transition_matrix for mdp in mdps]
    laws = np.array([matrix if isinstance(matrix, np.ndarray) else matrix.toarray() for matrix in matrices])
    r = np.array([mdp.rewards for mdp in mdps])
    sizes = np.diff(mdps[0].first_choice)
    owner = np.repeat(np.arange(sizes.size), sizes)
    run = sqirl(
        s.problem,
        depth=s.depth,
        episodes=s.episodes,
        rng=stream(0, "proofs of SQIRL", s),
        regression=s.regression,
        highest_return=1.0,
        fresh=True,
    )
    horizon, states = len(r), sizes.size
    w = Walk(laws, r, owner, sizes, np.array([]), np.zeros((horizon + 1, states)), [], run["estimates"], run["made"])
    first = np.zeros_like(r)
    ahead = np.zeros(states)
    for h in range(horizon - 1, -1, -1):
        first[h] = r[h] + laws[h] @ ahead
        ahead = np.bincount(owner, first[h] / sizes[owner], minlength=states)
        w.best[h] = w.greatest(r[h] + laws[h] @ w.best[h + 1])
    values = [first]
    for _ in range(s.depth - 1):
        later = [laws[h] @ w.greatest(values[-1][h + 1]) if h + 1 < horizon else 0.0 for h in range(horizon)]
        values.append(np.array([r[h] + later[h] for h in range(horizon)]))
    for h in range(horizon):
        state, chosen_at = s.problem.initial, []
        for t in range(horizon):
            uniform = state[owner] / sizes[owner]
            chosen = np.where(np.isin(np.arange(owner.size), run["made"][t]), state[owner], 0.0)
            chosen_at.append(chosen if t < h else uniform)
            state = chosen_at[-1] @ laws[t]
        w.law.append(np.array(chosen_at))
    return w._replace(Q=np.array(values))


def mean_square(law, errors):
    """Of errors under a law."""
    return float(law @ errors**2)


def target(w, t, j):
    """Values at stage t that j regressions would find if they had no errors."""
    return w.Q[j - 1, t]


def pairs(s):
    """For each regression of a step, at t to decide h: the walk, h, t, estimates at t and t + 1, regressions left."""
    w = walk(s)
    for h in range(s.horizon):
        levels = w.levels(h)
        for (t, here), (_, after) in pairwise(levels):
            yield w, h, t, here, after, len(levels) - (t - h)


def without_none(claims):
    """Both sides as arrays, with one entry at least."""
    left, right = zip((0.0, 0.0), *claims, strict=True)
    return np.array(left), np.array(right)


errors = Proof(of=[paper.ERRORS], settings=paper.grid_with_constants)


@errors.step("(max a - max b)^2 <= sum (a - b)^2 over the choices of a state, A times their mean under uniform choices")
def maxima(s: ShallowIteration) -> Claim:
    """Where SQIRL comes to at t + 1."""

    def sides(w, h, t, after, j):
        exact = target(w, t + 1, j - 1)
        state = np.bincount(w.owner, w.law[h][t + 1], minlength=w.sizes.size)
        left = state @ (w.greatest(after) - w.greatest(exact)) ** 2
        return left, s.actions * mean_square(w.law[h][t + 1], after - exact)

    left, right = without_none([sides(w, h, t, after, j) for w, h, t, _, after, j in pairs(s)])
    return claim(left, "<=", right, "each difference of maxima is that of some choice at most", rounding=ROUNDING)


@errors.step("Means over the next state do not increase the mean square")
def means(s: ShallowIteration) -> Claim:
    """Of max Q^_{t+1} - max Q_{t+1}."""

    def sides(w, h, t, after, j):
        u = w.greatest(after) - w.greatest(target(w, t + 1, j - 1))
        state = np.bincount(w.owner, w.law[h][t + 1], minlength=w.sizes.size)
        return mean_square(w.law[h][t], w.P[t] @ u), state @ u**2

    left, right = without_none([sides(w, h, t, after, j) for w, h, t, _, after, j in pairs(s)])
    return claim(left, "<=", right, "Jensen; the next state has the law of the state of stage t + 1", rounding=ROUNDING)


@errors.step("D_t <= error of the step + sqrt(A) D_{t+1}", uses=[maxima, means])
def one_step(s: ShallowIteration) -> Claim:
    """The triangle inequality."""

    def sides(w, h, t, here, after, j):
        step = mean_square(w.law[h][t], here - w.r[t] - w.P[t] @ w.greatest(after)) ** 0.5
        later = mean_square(w.law[h][t + 1], after - target(w, t + 1, j - 1)) ** 0.5
        return mean_square(w.law[h][t], here - target(w, t, j)) ** 0.5, step + s.actions**0.5 * later

    left, right = without_none([sides(*one) for one in pairs(s)])
    return claim(left, "<=", right, "add and subtract r + P max Q^_{t+1}", rounding=ROUNDING)


@errors.step(
    "At the last regression Q^1 is meant; with fewer than k stages left, the values are those of k all the same"
)
def ends(s: ShallowIteration) -> Claim:
    """Q^j = Q^k where j stages are left."""
    w = walk(s)
    left = [target(w, h, min(s.depth, s.horizon - h)) for h in range(s.horizon)]
    return claim(left, "==", w.Q[-1], "Q^{j+1} = Q^j = r at the last stage; by induction", rounding=ROUNDING)


@errors.step("Conclusion: D_h <= A^((k - 1) / 2) e_1 + (1 + ... + A^((k - 2) / 2)) e_2", uses=[one_step, ends])
def chain(s: ShallowIteration) -> Claim:
    """By induction from the last regression."""
    w, left, right = walk(s), [], []
    for h in range(s.horizon):
        levels = w.levels(h)
        t, last = levels[-1]
        first = mean_square(w.law[h][t], last - w.Q[0, t]) ** 0.5
        steps = [
            mean_square(w.law[h][t], here - w.r[t] - w.P[t] @ w.greatest(after)) ** 0.5
            for (t, here), (_, after) in pairwise(levels)
        ]
        root = s.actions**0.5
        left.append(mean_square(w.law[h][h], levels[0][1] - w.Q[-1, h]) ** 0.5)
        grown = sum(root**j for j in range(s.depth - 1)) * max(steps, default=0.0)
        right.append(root ** (s.depth - 1) * first + grown)
    return claim(left, "<=", right, "insert", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

loss = Proof(of=[paper.REGRET], settings=paper.grid_with_constants)


@cache
def safety(s):
    """Whether choices are optimal and look better than all suboptimal ones (H, C), safe states (H, S), and the gap."""
    w = walk(s)
    worth = np.array([w.r[h] + w.P[h] @ w.best[h + 1] for h in range(s.horizon)])
    optimal = worth >= w.best[:-1][:, w.owner] - 1e-9
    limit = np.array([w.greatest(np.where(good, -np.inf, q)) for good, q in zip(optimal, w.Q[-1], strict=True)])
    right = optimal & (w.Q[-1] > limit[:, w.owner])
    safe = np.zeros((s.horizon, w.sizes.size), dtype=bool)
    safe[0] = s.problem.initial > 0
    for h in range(s.horizon - 1):
        safe[h + 1] = (w.P[h][right[h] & safe[h][w.owner]] > 0).any(axis=0)
    top = np.array([w.greatest(q) for q in w.Q[-1]])
    return right, safe, float((top - limit)[safe].min())


def wrong(s, h):
    """Safe states in which the choice of stage h is not right."""
    right, safe, _ = safety(s)
    return safe[h] & ~right[h, walk(s).made[h]]


@loss.step("Where a safe state's choice is wrong, the squared errors of its choices add up to Delta^2 / 2 at least")
def two_errors(s: ShallowIteration) -> Claim:
    """The estimate of the wrong choice is no less than that of the best, though its value is less by Delta."""
    w, _, gap = walk(s), None, safety(s)[2]
    sums = [
        np.bincount(w.owner, (w.estimates[h, 0] - w.Q[-1, h]) ** 2, minlength=w.sizes.size)[wrong(s, h)]
        for h in range(s.horizon)
    ]
    right = np.append(np.concatenate(sums), gap**2)
    return claim(gap**2 / 2, "<=", right, "a + b >= Delta gives a^2 + b^2 >= Delta^2 / 2", rounding=ROUNDING)


@loss.step("A safe state with a wrong choice is met with probability 2 A D_h^2 / Delta^2 at most", uses=[two_errors])
def markov(s: ShallowIteration) -> Claim:
    """At stage h, if the policy is followed."""
    w, gap = walk(s), safety(s)[2]
    left, right = [], []
    for h in range(s.horizon):
        state = np.bincount(w.owner, w.law[h][h], minlength=w.sizes.size)
        left.append(state @ wrong(s, h))
        right.append(2 * s.actions * mean_square(w.law[h][h], w.estimates[h, 0] - w.Q[-1, h]) / gap**2)
    return claim(
        left, "<=", right, "Markov; choices are uniform at h, so that their mean is 1/A of the sum", rounding=ROUNDING
    )


@loss.step("Right choices lead from safe states to safe states")
def stay(s: ShallowIteration) -> Claim:
    """No mass leaves."""
    w, (right, safe, _) = walk(s), safety(s)
    leaving = [
        (w.P[h][right[h] & safe[h][w.owner]] * ~safe[h + 1]).sum(axis=1).max(initial=0.0) for h in range(s.horizon - 1)
    ]
    return claim([0.0, *leaving], "==", 0.0, "by definition")


@loss.step("What is lost is at most the probability of a wrong choice in a safe state, up to stage h", uses=[stay])
def first_mistake(s: ShallowIteration) -> Claim:
    """J* - J <= sum over i <= h of P(s_i safe, its choice wrong)."""
    w = walk(s)
    lost, met = np.zeros(s.horizon), np.zeros(s.horizon)
    state = s.problem.initial.astype(float)
    for h in range(s.horizon):
        made = w.made[h]
        lost[h] = state @ (w.best[h] - w.r[h, made] - w.P[h][made] @ w.best[h + 1])
        met[h] = state @ wrong(s, h)
        state = state @ w.P[h][made]
    why = "up to the first wrong choice nothing is lost, and from there on 1 at most"
    return claim(np.cumsum(lost), "<=", np.cumsum(met), why, rounding=ROUNDING)


@loss.step("Conclusion: J* - J <= (2 A / Delta^2) sum D_i^2", uses=[markov, first_mistake])
def conclusion(s: ShallowIteration) -> Claim:
    """At each stage."""
    w, gap = walk(s), safety(s)[2]
    run = paper.play(s, stream(0, "proofs of SQIRL", s))
    squares = [mean_square(w.law[h][h], w.estimates[h, 0] - w.Q[-1, h]) for h in range(s.horizon)]
    return claim(run["loss"], "<=", 2 * s.actions * np.cumsum(squares) / gap**2, "add up", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

table = Proof(of=[paper.TABLE_ERRORS, paper.TABLE_LOSS], settings=paper.grid)

MASSES = np.array([1e-3, 0.01, 0.1, 0.3, 0.5, 0.9, 1.0])
NUMBERS = (1, 2, 5, 20)


def binomial(m, p):
    """Probabilities of 0, ..., m successes."""
    n = np.arange(m + 1)
    return np.array([comb(m, int(k)) for k in n]) * p**n * (1 - p) ** (m - n)


@table.step("p E[1 / n; n >= 1] <= 2 / (m + 1) for a cell of mass p")
def visits(s: ShallowIteration) -> Claim:
    """N is binomial."""
    left = [[p * (binomial(m, p)[1:] / np.arange(1, m + 1)).sum() for p in MASSES] for m in NUMBERS]
    right = [[2 / (m + 1)] * MASSES.size for m in NUMBERS]
    return claim(left, "<=", right, "1 / n <= 2 / (n + 1), and p E[1 / (n + 1)] <= 1 / (m + 1)")


@table.step("p P(n = 0) <= 1 / (2 (m + 1))")
def empty(s: ShallowIteration) -> Claim:
    """Largest at p = 1 / (m + 1)."""
    left = [[p * (1 - p) ** m for p in (*MASSES, 1 / (m + 1))] for m in NUMBERS]
    right = [[1 / (2 * (m + 1))] * (MASSES.size + 1) for m in NUMBERS]
    return claim(left, "<=", right, "(m / (m + 1))^m <= 1 / 2")


@table.step("Each cell adds 1 / (m + 1) at most to the mean square of a regression", uses=[visits, empty])
def cell(s: ShallowIteration) -> Claim:
    """Targets of 0 and 1 with any mean."""
    left, right = [], []
    for m in NUMBERS:
        for p in MASSES:
            chances, n = binomial(m, p), np.arange(m + 1)
            for mean in (0.0, 0.3, 0.5, 1.0):
                left.append(p * ((chances[1:] / n[1:]).sum() * mean * (1 - mean) + chances[0] * mean**2))
                right.append(1 / (m + 1))
    return claim(left, "<=", right, "variances are 1/4 at most, and an empty cell errs by its mean, 1 at most")


@table.step("Cutting targets at 1 brings them no farther from values that are 1 at most")
def cuts(s: ShallowIteration) -> Claim:
    """|min(1, a) - min(1, b)| <= |a - b|, and Q^k <= 1 along all episodes."""
    w = walk(s)
    a = np.linspace(0, 2, 21)
    left = np.abs(np.minimum(a[:, None], 1) - np.minimum(a, 1))
    reached = max(w.Q[:, h][:, w.law[h][h] > 0].max() for h in range(s.horizon))
    return claim(
        np.append(left, reached), "<=", np.append(np.abs(a[:, None] - a), 1.0), "no return exceeds 1", rounding=ROUNDING
    )


@table.step("Conclusion: E D_h^2 <= g^2 n / (m + 1)", uses=[cell, cuts])
def mean_errors(s: ShallowIteration) -> Claim:
    """Of the means of some dozen runs, with twice the bound, since they are not expectations."""
    w = walk(s)
    n = max(int((w.law[0][h] > 0).sum()) for h in range(s.horizon))
    g = sum(s.actions ** (j / 2) for j in range(s.depth))
    runs = [paper.play(s, stream(0, "proofs of SQIRL", s, j))["error"] ** 2 for j in range(24)]
    why = "Minkowski, in the mean over runs, of the recursion over the regressions; n cells"
    return claim(np.mean(runs, axis=0) / 2, "<=", g**2 * n / (s.episodes + 1), why)


@table.step("Conclusion: E [J* - J] <= 2 (h + 1) A g^2 n / (Delta^2 (m + 1))", uses=[mean_errors])
def mean_loss(s: ShallowIteration) -> Claim:
    """The expectation of the theorem on losses."""
    g, gap = sum(s.actions ** (j / 2) for j in range(s.depth)), safety(s)[2]
    n = max(int((walk(s).law[0][h] > 0).sum()) for h in range(s.horizon))
    stated = 2 * (np.arange(s.horizon) + 1) * s.actions * g**2 * n / (gap**2 * (s.episodes + 1))
    return claim(paper.TABLE_LOSS.bound(s, paper.play(s, stream(0, "proofs of SQIRL", s))), "==", stated, "insert")
