r"""Proofs on GORP.

Notation. At a safe state with gap :math:`\Delta`, the return of sequence i has the law of :math:`X_i`, with mean
:math:`q_i`, least value :math:`w_i` and largest :math:`o_i`; :math:`q` is the largest mean, and :math:`\tau_i =
q - \Delta/2 - q_i` how far a bad sequence is below the threshold :math:`q - \Delta/2`. A choice *looks good* if its
:math:`Q^k` is above that of every suboptimal choice; sequences that begin with another one are *bad*, be it optimal or
not. Laws are recomputed here by going through all choices of random play.
"""

from collections import Counter
from functools import cache
from math import ceil, log
from typing import NamedTuple

import numpy as np

from rltheory.problems import FiniteHorizonMDP
from rltheory.theorems.effective_horizon import laidlaw2023 as paper
from rltheory.theorems.effective_horizon.laidlaw2023 import Planning
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-9  # of sums of some hundred numbers up to 100
EPISODES = (1, 2, 3, 6)
SLOPES = np.array([1e-3, 0.01, 0.1, 0.5, 0.9])


class Table(NamedTuple):
    """A deterministic process as plain lists."""

    first: list  # first choice of each state, and the end
    leads: np.ndarray  # (H, C)
    pays: np.ndarray  # (H, C)
    start: int


@cache
def table(problem: FiniteHorizonMDP) -> Table:
    """Read it from the transition matrices."""
    matrices = [mdp.transition_matrix for mdp in problem.stages]
    dense = [matrix if isinstance(matrix, np.ndarray) else matrix.toarray() for matrix in matrices]
    pays = np.array([mdp.rewards for mdp in problem.stages])
    first = [int(c) for c in problem.stages[0].first_choice]
    return Table(first, np.array([rows.argmax(axis=1) for rows in dense]), pays, int(problem.initial.argmax()))


def choices(t, state):
    """Choices of a state."""
    return range(t.first[state], t.first[state + 1])


@cache
def random_law(problem, stage, state):
    """Law of the return of random play, as a tuple of pairs."""
    t = table(problem)
    if stage == len(t.pays):
        return ((0.0, 1.0),)
    law = Counter()
    for c in choices(t, state):
        for value, chance in random_law(problem, stage + 1, int(t.leads[stage, c])):
            law[value + t.pays[stage, c]] += chance / len(choices(t, state))
    return tuple(law.items())


@cache
def extreme(problem, stage, state, sign):
    """Largest (1) or least (-1) return from a state on."""
    t = table(problem)
    if stage == len(t.pays):
        return 0.0
    return sign * max(
        sign * (t.pays[stage, c] + extreme(problem, stage + 1, int(t.leads[stage, c]), sign)) for c in choices(t, state)
    )


class Arm(NamedTuple):
    """A sequence of choices: its first one, and the law of its return."""

    first: int
    values: np.ndarray
    chances: np.ndarray

    @property
    def mean(self):
        """Mean return."""
        return float(self.values @ self.chances)

    @property
    def variance(self):
        """Variance of the return."""
        return float((self.values - self.mean) ** 2 @ self.chances)


@cache
def arms(problem, stage, state, depth):
    """All sequences of so many choices."""
    t = table(problem)
    found = []

    def extend(stage, state, left, first, earned):
        if left == 0 or stage == len(t.pays):
            law = np.array(random_law(problem, stage, state))
            found.append(Arm(first, law[:, 0] + earned, law[:, 1]))
            return
        for c in choices(t, state):
            extend(
                stage + 1, int(t.leads[stage, c]), left - 1, c if first is None else first, earned + t.pays[stage, c]
            )

    extend(stage, state, depth, None, 0.0)
    return found


class Crossroads(NamedTuple):
    """A safe state in which a choice can be wrong."""

    stage: int
    state: int
    best: Arm  # of those of largest mean the one of least spread
    others: list  # bad ones
    good: list  # the rest
    gap: float
    optimum: float


def right_choices(problem, stage, state):
    """Optimal choices."""
    t = table(problem)
    worth = {c: t.pays[stage, c] + extreme(problem, stage + 1, int(t.leads[stage, c]), 1) for c in choices(t, state)}
    return {c for c in worth if worth[c] >= max(worth.values()) - 1e-9}


def spread(arm):
    """(q - w)(o - w)."""
    return (arm.mean - arm.values.min()) * (arm.values.max() - arm.values.min())


@cache
def crossroads(s: Planning) -> list[Crossroads]:
    """All of them, found by walking where choices lead that look better than all suboptimal ones."""
    t, found, here = table(s.problem), [], {int(s.problem.initial.argmax())}
    for stage in range(len(t.pays)):
        after = set()
        for state in here:
            tried, right = arms(s.problem, stage, state, s.depth), right_choices(s.problem, stage, state)
            limit = max((arm.mean for arm in tried if arm.first not in right), default=-np.inf)
            looks_good = {arm.first for arm in tried if arm.mean > limit + 1e-9}
            others = [arm for arm in tried if arm.first not in looks_good]
            good = [arm for arm in tried if arm.first in looks_good]
            after |= {int(t.leads[stage, c]) for c in looks_good}
            top = max(arm.mean for arm in tried)
            if others:
                best = min((arm for arm in tried if arm.mean >= top - 1e-9), key=spread)
                found.append(
                    Crossroads(stage, state, best, others, good, top - limit, extreme(s.problem, stage, state, 1))
                )
        here = after
    return found


def with_rewards_above_zero():
    """Settings of the theorem on values that have crossroads."""
    return (s for s in paper.grid() if crossroads(s))


def all_settings():
    """The same for the theorem on ranges."""
    return (s for s in paper.grid_with_costs() if crossroads(s))


def each(s, function):
    """One number for each crossroads and bad sequence."""
    return np.array([function(c, arm) for c in crossroads(s) for arm in c.others])


def below(c, arm):
    """How far a bad sequence is below the threshold."""
    return c.best.mean - c.gap / 2 - arm.mean


def sum_law(arm, m):
    """Law of the sum of m returns, by going through all."""
    law = Counter({0.0: 1.0})
    for _ in range(m):
        longer = Counter()
        for total, chance in law.items():
            for value, share in zip(arm.values, arm.chances, strict=True):
                longer[total + value] += chance * share
        law = longer
    return law


def chance(arm, m, test):
    """Probability that the mean of m returns passes a test."""
    return sum(p for total, p in sum_law(arm, m).items() if test(total / m))


ranges = Proof(of=[paper.RANGES], settings=all_settings)


@ranges.step("E (X - w)^2 <= (q - w)(o - w), and Var X <= (q - w)(o - q)")
def moments(s: Planning) -> Claim:
    """Of the best and of the bad sequences."""
    left, right = [], []
    for c in crossroads(s):
        for arm in (c.best, *c.others):
            w, o = arm.values.min(), arm.values.max()
            left += [(arm.values - w) ** 2 @ arm.chances, arm.variance]
            right += [spread(arm), (arm.mean - w) * (o - arm.mean)]
    why = "(x - w)^2 <= (x - w)(o - w); (x - w)(o - x) >= 0 has the mean (q - w)(o - q) - Var"
    return claim(left, "<=", right, why, rounding=ROUNDING)


@ranges.step("log E exp(-r (X - q)) <= r^2 E (X - w)^2 / 2, for r >= 0")
def falling(s: Planning) -> Claim:
    """Of the best sequence."""
    left, right = [], []
    for c in crossroads(s):
        x, p = c.best.values, c.best.chances
        second = (x - x.min()) ** 2 @ p
        left.append(np.log(np.exp(-SLOPES[:, None] * (x - c.best.mean)) @ p))
        right.append(SLOPES**2 * second / 2)
    why = "exp(-y) <= 1 - y + y^2 / 2 for y = r (X - w) >= 0, and 1 + y <= exp(y)"
    return claim(left, "<=", right, why, rounding=ROUNDING)


@ranges.step(
    "The best sequence's mean falls to the threshold with probability exp(-m Delta^2 / (8 (q - w)(o - w))) at most",
    uses=[moments, falling],
)
def best_falls(s: Planning) -> Claim:
    """Exact probabilities."""
    left, right = [], []
    for c in crossroads(s):
        for m in EPISODES:
            left.append(chance(c.best, m, lambda mean, c=c: mean <= c.best.mean - c.gap / 2 + 1e-12))
            right.append(np.exp(-m * c.gap**2 / (8 * spread(c.best))) if spread(c.best) else 0.0)
    return claim(left, "<=", right, "Chernoff, r = x / E (X - w)^2 at x = Delta / 2", rounding=ROUNDING)


@ranges.step("log E exp(r (X - q)) <= r^2 Var X / (2 (1 - r (o - q) / 3)), for 0 <= r (o - q) < 3")
def rising(s: Planning) -> Claim:
    """Of bad sequences."""
    left, right = [], []
    for c in crossroads(s):
        for arm in c.others:
            b = arm.values.max() - arm.mean
            r = 3 * SLOPES / max(b, 1)
            left.append(np.log(np.exp(r[:, None] * (arm.values - arm.mean)) @ arm.chances))
            right.append(r**2 * arm.variance / (2 * (1 - r * b / 3)))
    return claim(left, "<=", right, "Bernstein: j! >= 2 3^(j - 2), and X - q <= o - q", rounding=ROUNDING)


def bernstein(arm, tau):
    """Var + (o - q) tau / 3."""
    return arm.variance + (arm.values.max() - arm.mean) * tau / 3


@ranges.step(
    "A bad sequence's mean rises to the threshold with probability exp(-m tau^2 / (2 (Var + (o - q) tau / 3))) at most",
    uses=[rising],
)
def bad_rises(s: Planning) -> Claim:
    """Exact probabilities."""
    left, right = [], []
    for c in crossroads(s):
        for arm in c.others:
            tau = below(c, arm)
            for m in EPISODES:
                left.append(chance(arm, m, lambda mean, a=arm, tau=tau: mean >= a.mean + tau - 1e-12))
                scale = bernstein(arm, tau)
                right.append(np.exp(-m * tau**2 / (2 * scale)) if scale > 0 else 0.0)
    return claim(left, "<=", right, "Chernoff, r = tau / (Var + (o - q) tau / 3)", rounding=ROUNDING)


@ranges.step("Bad sequences are Delta / 2 below the threshold, at least")
def distance(s: Planning) -> Claim:
    """The least tau is Delta / 2."""
    why = "their means are at most the best one's less the gap"
    return claim(each(s, lambda c, arm: c.gap / 2), "<=", each(s, below), why, rounding=ROUNDING)


@ranges.step("The scale of a bad sequence is largest at tau = Delta / 2", uses=[distance, moments])
def scales(s: Planning) -> Claim:
    """2 (Var + (o - q) tau / 3) / tau^2 <= 8 ((q - w)(o - q) + (o - q) Delta / 6) / Delta^2."""

    def stated(c, arm):
        w, o = arm.values.min(), arm.values.max()
        return 8 * ((arm.mean - w) * (o - arm.mean) + (o - arm.mean) * c.gap / 6) / c.gap**2

    left = each(s, lambda c, arm: 2 * bernstein(arm, below(c, arm)) / below(c, arm) ** 2)
    return claim(left, "<=", each(s, stated), "both terms fall in tau", rounding=ROUNDING)


@ranges.step("If no mean passes the threshold the wrong way, the choice is optimal and leads to a safe state")
def harmless(s: Planning) -> Claim:
    """Good sequences begin with optimal choices, and lead to the next crossroads or to states without any."""
    t, known = table(s.problem), {(c.stage, c.state) for c in crossroads(s)}
    wrong = unknown = 0
    for c in crossroads(s):
        right = right_choices(s.problem, c.stage, c.state)
        for arm in c.good:
            wrong += arm.first not in right
            after = int(t.leads[c.stage, arm.first])
            if c.stage + 1 < len(t.pays):
                several = right_choices(s.problem, c.stage + 1, after) != set(choices(t, after))
                unknown += several and (c.stage + 1, after) not in known
    return claim(
        [wrong, unknown], "==", 0.0, "the sequence chosen beats the best one's mean, above all bad ones: it is good"
    )


@ranges.step(
    "At each crossroads the choice is bad with probability A^k e^(-m / M) at most",
    uses=[best_falls, bad_rises, scales, harmless],
)
def one_stage(s: Planning) -> Claim:
    """The sum of all exact probabilities that a mean passes the threshold the wrong way."""
    left, right = [], []
    for c in crossroads(s):
        for m in EPISODES:
            falls = chance(c.best, m, lambda mean, c=c: mean <= c.best.mean - c.gap / 2 + 1e-12)
            rises = (chance(a, m, lambda mean, a=a, c=c: mean >= a.mean + below(c, a) - 1e-12) for a in c.others)
            left.append(falls + sum(rises))
            right.append(s.actions**s.depth * np.exp(-m / s.scale_by_ranges) if s.scale_by_ranges else 0.0)
    return claim(left, "<=", right, "there are A^k sequences at most, one of them the best", rounding=ROUNDING)


@ranges.step("Conclusion: p_m <= H A^k e^(-m / M)", uses=[one_stage])
def conclusion(s: Planning) -> Claim:
    """Episodes of different stages are independent."""
    m = np.array([*EPISODES, 20, 50])
    right = s.events * np.exp(-m / s.scale_by_ranges) if s.scale_by_ranges else np.zeros(m.size)
    return claim([s.failure(int(n)) for n in m], "<=", right, "add up the stages", rounding=ROUNDING)


values = Proof(of=[paper.VALUES], settings=with_rewards_above_zero)


@values.step("Where returns are >= 0, E X^2 <= V* q, and Var X + (o - q) tau / 3 <= V* (q_i + tau)")
def moments_by_values(s: Planning) -> Claim:
    """Of the best and of the bad sequences."""
    left = [c.best.values**2 @ c.best.chances for c in crossroads(s)]
    right = [c.optimum * c.best.mean for c in crossroads(s)]
    left += list(each(s, lambda c, arm: bernstein(arm, below(c, arm))))
    right += list(each(s, lambda c, arm: c.optimum * (arm.mean + below(c, arm))))
    return claim(left, "<=", right, "0 <= X <= V*", rounding=ROUNDING)


@values.step("Both scales are at most 8 V* q / Delta^2", uses=[moments_by_values])
def scales_by_values(s: Planning) -> Claim:
    """2 E X^2 / (Delta / 2)^2, and 2 (Var + (o - q) tau / 3) / tau^2."""
    left = [8 * (c.best.values**2 @ c.best.chances) / c.gap**2 for c in crossroads(s)]
    right = [8 * c.optimum * c.best.mean / c.gap**2 for c in crossroads(s)]
    left += list(each(s, lambda c, arm: 2 * bernstein(arm, below(c, arm)) / below(c, arm) ** 2))
    right += list(each(s, lambda c, arm: 8 * c.optimum * c.best.mean / c.gap**2))
    return claim(left, "<=", right, "q_i + tau = q - Delta / 2 <= q, and tau >= Delta / 2", rounding=ROUNDING)


@values.step("Conclusion: p_m <= H A^k e^(-m / M)", uses=[scales_by_values])
def conclusion_by_values(s: Planning) -> Claim:
    """As for ranges."""
    largest = max(8 * c.optimum * c.best.mean / c.gap**2 for c in crossroads(s))
    m = np.array([*EPISODES, 20, 50])
    why = "the same events have at most these probabilities"
    return claim([s.failure(int(n)) for n in m], "<=", s.events * np.exp(-m / largest), why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

depths = Proof(of=[paper.DEPTHS], settings=paper.DEPTHS.settings)


@depths.step("The worst greedy plan loses nothing at depths 1, 3 and 5, and 1 at least at depths 2 and 4")
def worst_greedy(s: Planning) -> Claim:
    """Least return of all plans that take, at each stage, a first choice of a sequence of largest mean."""

    def least(stage, state, depth):
        if stage == s.horizon:
            return 0.0
        tried = arms(s.problem, stage, state, depth)
        top = max(arm.mean for arm in tried)
        t = table(s.problem)
        return min(
            t.pays[stage, c] + least(stage + 1, int(t.leads[stage, c]), depth)
            for c in {arm.first for arm in tried if arm.mean >= top - 1e-9}
        )

    loss = np.array([extreme(s.problem, 0, 0, 1) - least(0, 0, depth) for depth in range(1, 6)])
    return claim(np.minimum(loss, 1), "==", [0, 1, 0, 1, 0], "by going through all sequences", rounding=ROUNDING)


lucky = Proof(of=[paper.LUCKY], settings=paper.LUCKY.settings)


def chain_values(s):
    """Means of the first action and of another along the chain, and the least and largest return of the first."""
    horizon, actions = s.horizon, s.actions
    first, other, random = np.zeros(horizon), np.zeros(horizon), 0.0
    for t in range(horizon - 1, -1, -1):
        other[t] = (2 * (horizon - t) - 1) / actions**2 if t <= horizon - 3 else 0.0
        first[t] = 2 + random
        random = (first[t] + (actions - 1) * other[t]) / actions
    return first, other, np.full(horizon, 2.0), 2.0 * (horizon - np.arange(horizon))


@lucky.step("The formula, from the values of the chain")
def formula(s: Planning) -> Claim:
    """The spread of the first action, over its squared distance to the others."""
    first, other, least, most = chain_values(s)
    spreads = np.maximum((first - least) * (most - least), other * (2 * (s.horizon - np.arange(s.horizon)) - 1))
    needed = 16 * spreads / (first - other) ** 2 * log(2 * s.horizon * s.actions)
    return claim(
        ceil(needed.max()), "==", s.published, "wrong actions earn nothing or the prize, the first one 2 and more"
    )


@lucky.step("One prize beats the first action at each early stage, if random play adds nothing to that", uses=[formula])
def one_prize(s: Planning) -> Claim:
    """1 - prod (1 - P(some prize) P(no addition)) <= p_m, over the stages with 2 (horizon - t) - 1 > 2 m."""
    m, actions = s.published, s.actions
    stages = sum(2 * (s.horizon - t) - 1 > 2 * m for t in range(s.horizon))
    prize = 1 - (1 - 1 / actions**2) ** (m * (actions - 1))
    addition = 1 / actions + (actions - 1) / actions**3
    least = 1 - (1 - prize * (1 - addition) ** m) ** stages
    return claim(least, "<=", s.failure(m), "a sum of 2 m against one of 2 (horizon - t) - 1", rounding=ROUNDING)


@lucky.step("The scale of gorp/ranges, from the values of the chain")
def scale(s: Planning) -> Claim:
    """The first action has little spread; the others win a prize or nothing."""
    first, other, least, most = chain_values(s)
    gap, prize = first - other, np.maximum(2.0 * (s.horizon - np.arange(s.horizon)) - 1, 0) * (other > 0)
    needed = np.maximum((first - least) * (most - least), (other + gap / 6) * (prize - other).clip(0))
    return claim((8 * needed / gap**2).max(), "==", s.scale_by_ranges, "insert", rounding=ROUNDING)


@lucky.step("The certified episodes succeed", uses=[scale])
def certified(s: Planning) -> Claim:
    """H A^k e^(-m' / M) <= 1/2, a bound on p_m' by gorp/ranges; and p_m' itself."""
    m = s.certified(s.scale_by_ranges)
    return claim([s.events * np.exp(-m / s.scale_by_ranges), s.failure(m)], "<=", 0.5, "m' >= M log(2 H A^k)")


@lucky.step("Conclusion", uses=[one_prize, certified])
def more_often_than_not(s: Planning) -> Claim:
    """p_m > 1/2."""
    m, actions = s.published, s.actions
    stages = sum(2 * (s.horizon - t) - 1 > 2 * m for t in range(s.horizon))
    prize = 1 - (1 - 1 / actions**2) ** (m * (actions - 1))
    return claim(0.5, "<=", 1 - (1 - prize * (1 - 1 / actions - (actions - 1) / actions**3) ** m) ** stages, "insert")
