r"""Proofs on what critics err and actors miss, and on mixtures.

Notation as for NORA and DOUHUA: f is a critic, :math:`T f = r + P \max f`, and :math:`T^\pi f = r + P \langle \pi, f
\rangle`.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from proofs_checks.tan2025 import ROUNDING, learners, lost, missed, steps_on_errors, steps_on_tracking, walk
from rltheory.simulation import stream
from rltheory.theorems.episodes import tan2025_critics as paper
from rltheory.theorems.episodes.tan2025 import Learning
from rltheory.theorems.episodes.tan2025_critics import Draws, Judgement
from rltheory.theory import Claim, Proof, claim
from rltheory.trace import Trace

# The two identities.


class Plain(NamedTuple):
    """A process with dense laws, a critic, and two policies."""

    P: np.ndarray  # (H, C, S)
    r: np.ndarray  # (H, C)
    owner: np.ndarray  # (C,)
    start: np.ndarray  # (S,)
    f: np.ndarray  # (H, C)
    own: np.ndarray  # (H, C), the policy
    best: np.ndarray  # (H, C), an optimal policy

    def sums(self, of_choices):
        """Sums over the choices of each state, (H, S)."""
        found = np.zeros((len(self.r), self.start.size))
        np.add.at(found, (slice(None), self.owner), of_choices)
        return found

    @property
    def top(self):
        """Largest f in each state."""
        found = np.full((len(self.r), self.start.size), -np.inf)
        np.maximum.at(found, (slice(None), self.owner), self.f)
        return found

    def backup(self, values):
        """``r + P V``, with the values of the next stage."""
        later = np.vstack([values[1:], np.zeros_like(values[:1])])
        return self.r + np.einsum("hcs,hs->hc", self.P, later)

    def occupancy(self, policy):
        """Probabilities of choices."""
        state, found = self.start, []
        for h in range(len(self.r)):
            found.append(state[self.owner] * policy[h])
            state = found[-1] @ self.P[h]
        return np.array(found)

    def value(self, policy):
        """Mean return."""
        return (self.occupancy(policy) * self.r).sum()


def plain(s: Judgement) -> Plain:
    """The policy is the one of steepness 1."""
    mdps = s.problem.stages
    laws = np.array([mdp.as_sparse().transition_matrix.toarray() for mdp in mdps])
    r, sizes = np.array([mdp.rewards for mdp in mdps]), np.diff(mdps[0].first_choice)
    owner = np.repeat(np.arange(sizes.size), sizes)
    p = Plain(laws, r, owner, np.array(s.problem.initial), s.critic, np.exp(s.logits), np.zeros_like(r))
    ahead = np.zeros(sizes.size)
    for h in reversed(range(len(r))):
        q = r[h] + laws[h] @ ahead
        for state in range(sizes.size):
            mine = np.flatnonzero(owner == state)
            p.best[h, mine[q[mine].argmax()]] = 1
            ahead[state] = q[mine].max()
    return p._replace(own=p.own / p.sums(p.own)[:, owner])


def stages_of(values):
    """Numbers for each stage, and those of the next; 0 after the last."""
    return values, np.append(values[1:], 0.0)


by_one = Proof(of=[paper.JUDGED_BY_ONE], settings=paper.grid_of_judgements)


@by_one.step("E_pi max f_h = E_pi [max f_h - <pi_h, f_h>] + E_pi [f_h - T f_h] + E_pi [r_h] + E_pi max f_{h + 1}")
def one_stage(s: Judgement) -> Claim:
    """In each stage: f = (f - T f) + r + P max f, and the law of the next state is that of the choice."""
    p = plain(s)
    own = p.occupancy(p.own)
    of_state = p.sums(own)
    now, after = stages_of((of_state * p.top).sum(axis=1))
    parts = own * (p.top[:, p.owner] - p.f + p.f - p.backup(p.top) + p.r)
    return claim(now, "==", parts.sum(axis=1) + after, "add and subtract", rounding=ROUNDING)


@by_one.step("Conclusion: the sum over stages, in which E_pi max f telescopes", uses=[one_stage])
def by_one_conclusion(s: Judgement) -> Claim:
    """The rewards sum to the value of the policy."""
    p, trace = plain(s), paper.judge(s, stream(0, "proofs of NORA"))
    place = int(np.flatnonzero(paper.STEEPNESS == 1)[0])
    right = paper.JUDGED_BY_ONE.bound(s, trace)[place]
    return claim(p.start @ p.top[0] - p.value(p.own), "==", right, "definition of the value", rounding=ROUNDING)


by_two = Proof(of=[paper.JUDGED_BY_TWO], settings=paper.grid_of_judgements)


def followed(p: Plain):
    """<pi, f> in each state."""
    return p.sums(p.own * p.f)


@by_two.step("Along any policy q: <pi_1, f_1> - V^q = sum E_q [f - T^pi f] - sum E_q <q - pi, f>")
def along_any(s: Judgement) -> Claim:
    """In each stage <pi, f> = <q, f> - <q - pi, f>, and f = (f - T^pi f) + r + P <pi, f>; the sum telescopes."""
    p = plain(s)
    values = followed(p)
    left, right = [], []
    for q in (p.own, p.best):
        occupancy = p.occupancy(q)
        errs = (occupancy * (p.f - p.backup(values))).sum()
        steps = (p.sums(occupancy)[:, p.owner] * (q - p.own) * p.f).sum()
        left.append(p.start @ values[0] - p.value(q))
        right.append(errs - steps)
    return claim(left, "==", right, "telescope, for q = pi and for q = pi*", rounding=ROUNDING)


@by_two.step("Conclusion: the difference for q = pi and q = pi*", uses=[along_any])
def by_two_conclusion(s: Judgement) -> Claim:
    """For q = pi the last sum is 0."""
    p, trace = plain(s), paper.judge(s, stream(0, "proofs of NORA"))
    place = int(np.flatnonzero(paper.STEEPNESS == 1)[0])
    right = paper.JUDGED_BY_TWO.bound(s, trace)[place]
    return claim(p.value(p.best) - p.value(p.own), "==", right, "subtract", rounding=ROUNDING)


# Empirical laws.

deviation = Proof(of=[paper.DEVIATION], settings=paper.grid_of_draws)


def counted(s: Draws):
    """Empirical laws after 1, ..., N draws."""
    drawn = stream(0, "proofs of NORA", s).choice(s.law.size, size=s.number, p=s.law)
    return np.cumsum(np.eye(s.law.size)[drawn], axis=0) / np.arange(1, s.number + 1)[:, None]


def subsets(states):
    """All sets of states but the empty one and the whole, as rows of 0 and 1."""
    return np.array([row for row in itertools.product([0, 1], repeat=states) if 0 < sum(row) < states], dtype=float)


@deviation.step("|p^ - p|_1 = 2 max over sets of p^(A) - p(A)")
def by_sets(s: Draws) -> Claim:
    """The set of states that were drawn too often; both laws sum to 1."""
    difference = counted(s) - s.law
    right = 2 * np.maximum((difference @ subsets(s.law.size).T).max(axis=1), 0)
    return claim(
        np.abs(difference).sum(axis=1), "==", right, "what is too much equals what is too little", rounding=1e-12
    )


@deviation.step("P(p^_n(A) - p(A) > e / 2) <= exp(-n e^2 / 2) for each set")
def of_a_set(s: Draws) -> Claim:
    """Exactly, as the number of draws in a set is binomial."""
    from scipy.stats import binom

    n, e = np.array([1, 5, 20, 100, 500])[:, None, None], np.linspace(0.05, 1.9, 20)[:, None]
    p = subsets(s.law.size) @ s.law
    reached = np.ceil(n * (p + e / 2) - 1e-9)  # counts within rounding of it are taken to reach it
    return claim(binom.sf(reached - 1, n, p), "<=", np.exp(-n * e**2 / 2) + 0 * p, "Hoeffding's inequality")


@deviation.step("With e^2 = 2 (S log 2 + log(N / delta)) / n these sum to delta at most", uses=[by_sets, of_a_set])
def union(s: Draws) -> Claim:
    """Over 2^S - 2 sets and N times."""
    n = np.arange(1, s.number + 1)
    states = s.law.size
    e = np.sqrt(2 * (states * math.log(2) + math.log(s.number / s.delta)) / n)
    return claim(((2.0**states - 2) * np.exp(-n * e**2 / 2)).sum(), "<=", s.delta, "a union")


@deviation.step("Conclusion, with probability 1 - delta", uses=[union])
def deviation_conclusion(s: Draws) -> Claim:
    """In this run the event takes place."""
    times = Trace("times", np.arange(1, s.number + 1), {})
    return claim(np.abs(counted(s) - s.law).sum(axis=1), "<=", paper.DEVIATION.bound(s, times), "at all times at once")


# Runs of NORA.

sandwich = Proof(of=[paper.SANDWICH], settings=learners)
sandwich_errors = steps_on_errors(sandwich, "NORA")


@sandwich.step("Conclusion, with probability 1 - delta: divide by half the limit", uses=[sandwich_errors])
def sandwich_conclusion(s: Learning) -> Claim:
    """For choices never made half the limit is (H - h) / 2, for others it is b."""
    w = walk(s, "NORA")
    half = w.limit[:, :-1] / 2
    off = np.abs((w.f - w.backups(w.greatest(w.f)))[:, :-1] - half) / half
    return claim(off, "<=", np.ones_like(off), "0 <= f - T f <= limit", rounding=ROUNDING)


tracking_sum = Proof(of=[paper.TRACKING_SUM], settings=learners)
tracking_epochs = steps_on_tracking(tracking_sum)


@tracking_sum.step("Conclusion", uses=[tracking_epochs])
def tracking_sum_conclusion(s: Learning) -> Claim:
    """Add up what the actor misses."""
    w, times = walk(s, "NORA"), np.arange(1, s.episodes + 1)
    changes = Trace("changes", times, {"switches": (("time",), np.cumsum(w.k == 0) - 1)})
    return claim(np.cumsum(missed(s, w)), "<=", paper.TRACKING_SUM.bound(s, changes), "episode by episode")


mixture = Proof(of=[paper.MIXTURE], settings=learners)


def mixed(s: Learning):
    """Means of the occupancies of the first t policies, and the policies that they belong to, (T, H, C)."""
    w = walk(s, "NORA")
    means = np.cumsum(w.occupancy(w.policy, s.problem.initial), axis=0) / np.arange(1, s.episodes + 1)[:, None, None]
    of_state = w.sums(means)[:, :, w.owner]
    return means, np.divide(means, of_state, out=np.zeros_like(means), where=of_state > 0)


@mixture.step("The mean of the occupancies is that of the policy in proportion to it")
def flow(s: Learning) -> Claim:
    """Both begin in the same state, and what follows a stage is linear in its occupancy."""
    means, policy = mixed(s)
    occupancy = walk(s, "NORA").occupancy(policy, s.problem.initial)
    return claim(occupancy, "==", means, "induction over stages", rounding=ROUNDING)


@mixture.step("Conclusion: the value is linear in the occupancy", uses=[flow])
def mixture_conclusion(s: Learning) -> Claim:
    """V of a policy is the sum of its occupancy times rewards."""
    w, (_, policy), times = walk(s, "NORA"), mixed(s), np.arange(1, s.episodes + 1)
    regret = Trace("regret", times, {"regret": (("time",), np.cumsum(lost(s, w)))})
    right = paper.MIXTURE.bound(s, regret)
    return claim(lost(s, w._replace(policy=policy)), "==", right, "the mean of the values", rounding=ROUNDING)
