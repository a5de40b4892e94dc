r"""Proofs on cloning and on learning with a penalty for leaving the clone.

Notation. q_h(s) are the probabilities of states under the expert, p_h(c) those of its choices in a state; n are visits
of a state, n_c those of its choice c. mu is the reference, lambda the temperature, Q* and V* are penalised optima, pi*
is the optimal policy; G = H - 1 - h stages follow stage h. All is recomputed here with dense laws.
"""

import math
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from rltheory.instances import random_episodes, river_swim
from rltheory.problems import FiniteHorizonMDP, uniform_policy
from rltheory.simulation import stream
from rltheory.theorems.episodes import tiapkin2024 as paper
from rltheory.theorems.episodes.tiapkin2024 import Cloning, Imitation, Learning, Penalised, Sampling
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-11  # sums of some hundred numbers up to H


class Dense(NamedTuple):
    """A process with dense laws."""

    P: np.ndarray  # (H, C, S)
    r: np.ndarray  # (H, C)
    owner: np.ndarray  # (C,), state of each choice
    start: np.ndarray  # (S,)

    def sums(self, of_choices):
        """Sums over the choices of each state."""
        found = np.zeros((*of_choices.shape[:-1], self.start.size))
        np.add.at(found, (..., self.owner), of_choices)
        return found

    def greatest(self, of_choices):
        """Largest number among the choices of each state."""
        found = np.full((*of_choices.shape[:-1], self.start.size), -np.inf)
        np.maximum.at(found, (..., self.owner), of_choices)
        return found

    def reached(self, policy):
        """Probabilities of states, (H, S)."""
        found = [self.start]
        for h in range(len(self.r) - 1):
            found.append((found[-1][self.owner] * policy[h]) @ self.P[h])
        return np.array(found)

    def values(self, policy, earned):
        """Sums of what choices earn, (H, C), from each state on, (H + 1, S)."""
        found = [np.zeros(self.start.size)]
        for h in reversed(range(len(self.r))):
            found.append(self.sums(policy[h] * (earned[h] + self.P[h] @ found[-1])))
        return np.array(found[::-1])

    def penalised_optimum(self, mu, temperature, laws=None):
        """Q*, (H, C), V*, (H + 1, S), and pi*, (H, C), perhaps with other laws."""
        laws = self.P if laws is None else laws
        q, v, policy = np.empty_like(self.r), [np.zeros(self.start.size)], np.empty_like(self.r)
        for h in reversed(range(len(self.r))):
            q[h] = self.r[h] + laws[h] @ v[-1]
            weights = mu[h] * np.exp((q[h] - q[h].max()) / temperature)
            v.append(q[h].max() + temperature * np.log(self.sums(weights)))
            policy[h] = weights / self.sums(weights)[self.owner]
        return q, np.array(v[::-1]), policy


@cache
def dense(problem: FiniteHorizonMDP) -> Dense:
    """Laws and rewards."""
    laws = np.array([mdp.as_sparse().transition_matrix.toarray() for mdp in problem.stages])
    sizes = np.diff(problem.stages[0].first_choice)
    rewards = np.array([mdp.rewards for mdp in problem.stages])
    return Dense(laws, rewards, np.repeat(np.arange(sizes.size), sizes), problem.initial)


def kl(p, q):
    """Terms of the divergence, 0 where p is."""
    return np.where(p > 0, p * (np.log(np.where(p > 0, p, 1)) - np.log(q)), 0.0)


def binomial(number, q):
    """Probabilities of 0, ..., number."""
    return np.array([math.comb(number, k) * q**k * (1 - q) ** (number - k) for k in range(number + 1)])


# Cloning: expected divergence.


def small_experts() -> Iterator[Cloning]:
    """Experts that err and such that do not."""
    river = FiniteHorizonMDP.stationary(river_swim(2), 2)
    yield Cloning(river, paper.half_uniform(river), 10)
    yield Cloning(paper.arms(0.3, 0.1, 0.9), np.array([0.9, 0.07, 0.03]), 14)
    yield Cloning(paper.arms(0.3, 0.1, 0.9), np.array([0.0, 1.0, 0.0]), 14)


def small_plans() -> Iterator[Cloning]:
    """Experts that do not err."""
    river = FiniteHorizonMDP.stationary(river_swim(2), 3)
    yield Cloning(river, np.array([0.0, 1.0, 0.0, 1.0]), 10)
    yield Cloning(paper.arms(0.3, 0.1, 0.9), np.array([0.0, 1.0, 0.0]), 14)


cloning = Proof(of=[paper.CLONING_DIVERGENCE], settings=small_experts)


def sizes_of_state(s):
    """Numbers of choices of the states."""
    return np.bincount(dense(s.problem).owner)


def given_visits(s):
    """For n = 0, ..., N: expected divergence in each state, (N + 1, H, S), and its bound by Jensen's inequality."""
    m, sizes = dense(s.problem), sizes_of_state(s)
    exact, jensen = [], []
    for n in range(s.trajectories + 1):
        laws = [[binomial(n, p) for p in row] for row in s.expert]
        counts = np.arange(n + 1.0)
        logs = np.array([[law @ np.log(counts + 1) for law in row] for row in laws])
        inverse = np.array([[law @ (1 / (counts + 1)) for law in row] for row in laws])
        entropy = m.sums(kl(s.expert, np.ones_like(s.expert)))
        exact.append(entropy - m.sums(s.expert * logs) + np.log(n + sizes))
        jensen.append(np.log(m.sums(s.expert**2 * (n + sizes)[m.owner] * inverse)))
    return np.array(exact), np.array(jensen)


def over_visits(s, of_visits, trajectories):
    """Sum over stages and states of q times the mean of a number that depends on the visits, (n, H, S)."""
    reached = dense(s.problem).reached(s.expert)
    total = 0.0
    for (h, state), q in np.ndenumerate(reached):
        total += q * (binomial(trajectories, min(q, 1.0)) @ of_visits[: trajectories + 1, h, state])
    return total


def numbers(s):
    """Visits 0, ..., N, for (n, H, S)."""
    return np.arange(s.trajectories + 1.0)[:, None, None]


@cloning.step("q E 1 / (n + 1) = (1 - (1 - q)^{N + 1}) / (N + 1) for binomial n")
def inverse_moment(s: Cloning) -> Claim:
    """Absorb n + 1 into the binomial coefficient."""
    sides = [
        (q * (binomial(n, q) @ (1 / np.arange(1.0, n + 2))), (1 - (1 - q) ** (n + 1)) / (n + 1))
        for q in np.append(dense(s.problem).reached(s.expert).ravel(), s.expert)
        for n in range(s.trajectories + 1)
    ]
    left, right = np.array(sides).T
    return claim(left, "==", right, "binomial theorem")


@cloning.step("After n visits, the mean divergence of p is at most log E sum_c p_c^2 (n + A) / (n_c + 1)")
def jensen(s: Cloning) -> Claim:
    """The logarithm is concave."""
    exact, bound = given_visits(s)
    return claim(exact, "<=", bound, "Jensen's inequality, twice", rounding=ROUNDING)


@cloning.step("That is at most log((n + A) / (n + 1))", uses=[inverse_moment])
def smoothed(s: Cloning) -> Claim:
    """p_c E 1 / (n_c + 1) is at most 1 / (n + 1)."""
    right = np.log((numbers(s) + sizes_of_state(s)) / (numbers(s) + 1))
    return claim(given_visits(s)[1], "<=", right, "n_c is binomial", rounding=ROUNDING)


@cloning.step("That is at most (A - 1) / (n + 1)")
def logarithm(s: Cloning) -> Claim:
    """log(1 + x) <= x."""
    sizes = sizes_of_state(s)
    left = np.log((numbers(s) + sizes) / (numbers(s) + 1))
    return claim(left, "<=", (sizes - 1) / (numbers(s) + 1), "the logarithm is concave")


@cloning.step("The mean over visits is at most H (C - S) / (N + 1)", uses=[inverse_moment])
def over_all_visits(s: Cloning) -> Claim:
    """Sum q E (A - 1) / (n + 1) over stages and states."""
    sizes, (horizon, choices) = sizes_of_state(s), dense(s.problem).r.shape
    bound = np.broadcast_to((sizes - 1) / (numbers(s) + 1), given_visits(s)[0].shape)
    left = [over_visits(s, bound, n) for n in range(s.trajectories + 1)]
    right = horizon * (choices - sizes.size) / np.arange(1.0, s.trajectories + 2)
    return claim(left, "<=", right, "n is binomial with q", rounding=ROUNDING)


@cloning.step("The mean divergence of trajectories is the mean over visits", uses=[jensen])
def of_trajectories(s: Cloning) -> Claim:
    """The expert that is followed is independent of the demonstrations."""
    trace = paper.expect(s, stream(0, "unused"))
    left = [over_visits(s, given_visits(s)[0], int(n)) for n in trace.times]
    right = paper.CLONING_DIVERGENCE.measured(s, trace)
    return claim(left, "==", right, "chain rule of the divergence", rounding=ROUNDING)


@cloning.step("Conclusion", uses=[jensen, smoothed, logarithm, over_all_visits, of_trajectories])
def cloned(s: Cloning) -> Claim:
    """The statement."""
    trace = paper.expect(s, stream(0, "unused"))
    left = [over_visits(s, given_visits(s)[0], int(n)) for n in trace.times]
    return claim(left, "<=", paper.CLONING_DIVERGENCE.bound(s, trace), "all of it together", rounding=ROUNDING)


variation = Proof(of=[paper.CLONING_VARIATION], settings=small_plans)


@variation.step("A clone leaves the expert's choice with probability (A - 1) / (n + A) <= (A - 1) / (n + 1)")
def leaves(s: Cloning) -> Claim:
    """The expert made its choice at each of n visits, and the distance is what is left for the others."""
    sizes = sizes_of_state(s)
    left = 1 - (numbers(s) + 1) / (numbers(s) + sizes)
    return claim(left, "<=", (sizes - 1) / (numbers(s) + 1), "A >= 1")


@variation.step("Conclusion", uses=[leaves])
def left_in_all(s: Cloning) -> Claim:
    """As for the divergence."""
    trace, sizes = paper.expect(s, stream(0, "unused")), sizes_of_state(s)
    left = np.broadcast_to(
        (sizes - 1) / (numbers(s) + sizes), (s.trajectories + 1, *dense(s.problem).r.shape[:1], sizes.size)
    )
    found = [over_visits(s, left, int(n)) for n in trace.times]
    return claim(found, "<=", paper.CLONING_VARIATION.bound(s, trace), "n is binomial with q", rounding=ROUNDING)


# Cloning: values.

value = Proof(of=[paper.CLONING_VALUE], settings=small_experts)


@cache
def paths(s: Cloning):
    """Probabilities of all trajectories under the expert and a clone of it, and their returns."""
    m, rng = dense(s.problem), stream(0, "proofs of cloning", s)
    horizon, choices = m.r.shape
    laws, returns, walked = [], [], []
    for states in product(range(m.start.size), repeat=horizon + 1):
        for made in product(*(np.flatnonzero(m.owner == state) for state in states[:-1])):
            law = m.start[states[0]] * math.prod(m.P[h, c, states[h + 1]] for h, c in enumerate(made))
            if law > 0:
                laws.append(law)
                returns.append(sum(m.r[h, c] for h, c in enumerate(made)))
                walked.append(made)
    walked = np.array(walked)
    of_expert = np.array(laws) * s.expert[np.arange(horizon), walked].prod(axis=1)
    counts = np.zeros((horizon, choices))
    for made in walked[rng.choice(len(laws), s.trajectories, p=of_expert / of_expert.sum())]:
        counts[np.arange(horizon), made] += 1
    clone = (counts + 1) / m.sums(counts + 1)[:, m.owner]
    of_clone = np.array(laws) * clone[np.arange(horizon), walked].prod(axis=1)
    return of_expert, of_clone, np.array(returns), clone


@value.step("Values differ by H times the total variation of trajectories at most")
def variation_of_trajectories(s: Cloning) -> Claim:
    """Returns lie in [0, H]."""
    of_expert, of_clone, returns, _ = paths(s)
    total = np.abs(of_expert - of_clone).sum() / 2
    return claim(abs((of_expert - of_clone) @ returns), "<=", len(dense(s.problem).r) * total, "returns in [0, H]")


@value.step("Total variation is at most the root of half the divergence of trajectories")
def pinsker(s: Cloning) -> Claim:
    """Pinsker's inequality."""
    of_expert, of_clone, _, _ = paths(s)
    divergence = kl(of_expert, of_clone).sum()
    return claim(np.abs(of_expert - of_clone).sum() / 2, "<=", math.sqrt(divergence / 2), "Pinsker's inequality")


@value.step("The divergence of trajectories is the sum over stages")
def chain_rule(s: Cloning) -> Claim:
    """Laws of the process are shared."""
    of_expert, of_clone, _, clone = paths(s)
    m = dense(s.problem)
    by_stage = (m.reached(s.expert) * m.sums(kl(s.expert, clone))).sum()
    return claim(kl(of_expert, of_clone).sum(), "==", by_stage, "chain rule", rounding=ROUNDING)


@value.step("Conclusion", uses=[variation_of_trajectories, pinsker, chain_rule])
def values_of_clones(s: Cloning) -> Claim:
    """The statement."""
    of_expert, of_clone, returns, clone = paths(s)
    m = dense(s.problem)
    divergence = (m.reached(s.expert) * m.sums(kl(s.expert, clone))).sum()
    right = len(m.r) * math.sqrt(divergence / 2)
    return claim(abs((of_expert - of_clone) @ returns), "<=", right, "all of it together")


# Penalised values.


def penalties() -> Iterator[Penalised]:
    """An uneven reference, and the best policy for expert in one of the settings."""
    river = FiniteHorizonMDP.stationary(river_swim(3), 3)
    yield Penalised(river, paper.half_uniform(river), np.array([0.3, 0.7] * 3), 0.2)
    random = random_episodes(stream(0, "proofs of penalties"), 4, 3, 3)
    uniform = uniform_policy(random.stages[0])
    _, _, best = dense(random).penalised_optimum(np.tile(uniform, (3, 1)), 0.5)
    yield Penalised(random, uniform, best, 0.5)
    yield Penalised(paper.arms(1.0, 1.0), np.array([0.5, 0.5]), np.array([1.0, 0.0]), 1.0)


penalised = Proof(of=[paper.OPTIMALITY], settings=penalties)
fast = Proof(of=[paper.FAST_RATE, paper.ENVELOPES], settings=penalties)
reduction = Proof(of=[paper.REDUCTION], settings=penalties)


class Perturbed(NamedTuple):
    """Policies of action values with errors, one for each size."""

    m: Dense
    q: np.ndarray  # (H, C), Q*
    v: np.ndarray  # (H + 1, S), V*
    best: np.ndarray  # (H, C), pi*
    above: np.ndarray  # (K, H, C)
    below: np.ndarray  # (K, H, C)
    policy: np.ndarray  # (K, H, C)
    earned: np.ndarray  # (K, H + 1, S), with the penalty

    def mean(self, of_states):
        """Sum over stages of the mean of (K, H, S) under the policies."""
        reached = np.array([self.m.reached(policy) for policy in self.policy])
        return (reached * of_states).sum(axis=(1, 2))


@cache
def perturbed(s: Penalised) -> Perturbed:
    """Errors of sizes from 1 to 2^-11."""
    m, rng = dense(s.problem), stream(0, "proofs of penalties", s)
    q, v, best = m.penalised_optimum(s.reference, s.temperature)
    above, below = (2.0 ** -np.arange(12)[:, None, None] * rng.random((12, *q.shape)) for _ in range(2))
    weights = s.reference * np.exp((q + above - (q + above).max()) / s.temperature)
    policy = weights / m.sums(weights)[:, :, m.owner]
    costs = s.temperature * np.log(policy / s.reference)
    earned = np.array([m.values(made, m.r - cost) for made, cost in zip(policy, costs, strict=True)])
    return Perturbed(m, q, v, best, above, below, policy, earned)


@penalised.step("In each state, V* - (<pi, Q*> - lambda KL(pi || mu)) = lambda KL(pi || pi*)")
def one_state(s: Penalised) -> Claim:
    """pi* is mu e^{(Q* - V*) / lambda}."""
    w = perturbed(s)
    left = w.v[:-1] - w.m.sums(w.policy * w.q - s.temperature * kl(w.policy, s.reference))
    right = s.temperature * w.m.sums(kl(w.policy, w.best))
    return claim(left, "==", right, "definition of pi*", rounding=ROUNDING)


@penalised.step("V* - V^pi at a stage is that, and the mean of V* - V^pi at the next", uses=[one_state])
def next_stage(s: Penalised) -> Claim:
    """Add and subtract the mean of V* of the next stage."""
    w = perturbed(s)
    lacks = w.v - w.earned
    later = np.array([[w.m.P[h] @ row[h + 1] for h in range(len(w.q))] for row in lacks])
    right = s.temperature * w.m.sums(kl(w.policy, w.best)) + w.m.sums(w.policy * later)
    return claim(lacks[:, :-1], "==", right, "Q* = r + P V*", rounding=ROUNDING)


@penalised.step("Conclusion", uses=[next_stage])
def divergence_from_best(s: Penalised) -> Claim:
    """Sum over the stages."""
    w = perturbed(s)
    right = s.temperature * w.mean(w.m.sums(kl(w.policy, w.best)))
    return claim((w.v - w.earned)[:, 0] @ w.m.start, "==", right, "telescopes", rounding=ROUNDING)


def oscillation(s):
    """Oscillation of Q-hat - Q* in each state."""
    w = perturbed(s)
    return w.m.greatest(w.above) + w.m.greatest(-w.above)


@fast.step("KL(pi || pi*) = log E_pi e^{E_pi D - D} with D = (Q-hat - Q*) / lambda")
def moment(s: Penalised) -> Claim:
    """pi* is proportional to pi e^{-D}."""
    w = perturbed(s)
    error = w.above / s.temperature
    mean = w.m.sums(w.policy * error)
    right = np.log(w.m.sums(w.policy * np.exp(mean[:, :, w.m.owner] - error)))
    return claim(w.m.sums(kl(w.policy, w.best)), "==", right, "definition of both", rounding=ROUNDING)


@fast.step("lambda KL(pi || pi*) <= osc(Q-hat - Q*)^2 / (8 lambda)", uses=[moment])
def hoeffding(s: Penalised) -> Claim:
    """Hoeffding's lemma."""
    w = perturbed(s)
    left = s.temperature * w.m.sums(kl(w.policy, w.best))
    return claim(left, "<=", oscillation(s) ** 2 / (8 * s.temperature), "Hoeffding's lemma", rounding=ROUNDING)


@fast.step("osc(Q-upper - Q*) <= max (Q-upper - Q-lower)")
def between(s: Penalised) -> Claim:
    """Q* lies between the two."""
    w = perturbed(s)
    return claim(oscillation(s), "<=", w.m.greatest(w.above + w.below), "numbers in [0, x] differ by x at most")


@fast.step("What is lacking is at most the mean square of the oscillation over 8 lambda", uses=[hoeffding])
def by_oscillation(s: Penalised) -> Claim:
    """By the identity for what is lacking."""
    w = perturbed(s)
    left = (w.v - w.earned)[:, 0] @ w.m.start
    right = w.mean(oscillation(s) ** 2) / (8 * s.temperature)
    return claim(left, "<=", right, "demonstrations/optimality", rounding=ROUNDING)


@fast.step("Conclusion", uses=[by_oscillation, between])
def by_envelopes(s: Penalised) -> Claim:
    """Of the second statement."""
    w = perturbed(s)
    left = (w.v - w.earned)[:, 0] @ w.m.start
    right = w.mean(w.m.greatest(w.above + w.below) ** 2) / (8 * s.temperature)
    return claim(left, "<=", right, "squares are monotone", rounding=ROUNDING)


def expert_in_figures(s):
    """What the expert earns, and its penalty."""
    m = dense(s.problem)
    penalty = s.temperature * (m.reached(s.expert) * m.sums(kl(s.expert, s.reference))).sum()
    return m.values(s.expert, m.r)[0] @ m.start, penalty


@reduction.step("With the penalty the expert earns V* at most")
def expert_is_no_better(s: Penalised) -> Claim:
    """V* is the largest value."""
    earned, penalty = expert_in_figures(s)
    w = perturbed(s)
    return claim(earned - penalty, "<=", w.v[0] @ w.m.start, "V* is optimal", rounding=ROUNDING)


@reduction.step("Conclusion", uses=[expert_is_no_better])
def no_worse_than_the_expert(s: Penalised) -> Claim:
    """Write out the penalised values."""
    earned, penalty = expert_in_figures(s)
    w = perturbed(s)
    own = s.temperature * w.mean(w.m.sums(kl(w.policy, s.reference)))
    values = np.array([w.m.values(policy, w.m.r)[0] @ w.m.start for policy in w.policy])
    lacking = (w.v - w.earned)[:, 0] @ w.m.start
    return claim(
        earned - values + own, "<=", penalty + lacking, "V^pi_lambda = V* less what is lacking", rounding=ROUNDING
    )


# Planning with empirical laws.


def samples() -> Iterator[Sampling]:
    """A river and a random process."""
    river = FiniteHorizonMDP.stationary(river_swim(3), 4)
    yield Sampling(river, np.array([0.3, 0.7] * 3), 0.3, 256)
    random = random_episodes(stream(0, "proofs of samples"), 3, 2, 3)
    yield Sampling(random, uniform_policy(random.stages[0]), 1.0, 64)


plug_in = Proof(of=[paper.PLUG_IN], settings=samples)


class Drawn(NamedTuple):
    """Empirical laws and plans of K numbers of samples."""

    m: Dense
    n: np.ndarray  # (K,)
    w: np.ndarray  # (K,), widths
    laws: np.ndarray  # (K, H, C, S)
    q: np.ndarray  # (H, C)
    v: np.ndarray  # (H + 1, S)
    best: np.ndarray  # (H, C)
    q_hat: np.ndarray  # (K, H, C)
    v_hat: np.ndarray  # (K, H + 1, S)
    policy: np.ndarray  # (K, H, C)


@cache
def drawn(s: Sampling) -> Drawn:
    """Draw samples and plan."""
    m, rng = dense(s.problem), stream(0, "proofs of samples", s)
    n = 2 ** np.arange(int(math.log2(s.samples)) + 1)
    laws = np.array([rng.multinomial(size, m.P) / size for size in n])
    rows = n.size * m.r.size
    width = np.sqrt((m.start.size * math.log(2) + math.log(rows / s.delta)) / (2 * n))
    q, v, best = m.penalised_optimum(s.reference, s.temperature)
    plans = [m.penalised_optimum(s.reference, s.temperature, believed) for believed in laws]
    return Drawn(m, n, width, laws, q, v, best, *(np.array(part) for part in zip(*plans, strict=True)))


def subsets(states):
    """Indicators of all sets of states, (2^S, S)."""
    return np.array(list(product((0.0, 1.0), repeat=states)))


def tail_below(number, chance, by):
    """Probability that a binomial frequency lies below its mean by more than `by`."""
    law, frequencies = binomial(number, chance), np.arange(number + 1) / number
    return law[frequencies < chance - by - 1e-12].sum()


@plug_in.step("A set of states is seen too rarely by sqrt(L / (2 n)) with probability e^{-L} at most")
def rare_sets(s: Sampling) -> Claim:
    """Hoeffding's inequality; with larger L the probabilities are 0, so smaller ones are tried too."""
    w = drawn(s)
    sets = np.unique((w.m.P @ subsets(w.m.start.size).T).clip(0, 1).round(12))
    tried = [
        (tail_below(int(n), x, math.sqrt(log / (2 * n))), math.exp(-log))
        for n in w.n
        for x in sets
        for log in (0.1, 1, 3)
    ]
    left, right = np.array(tried).T
    return claim(left, "<=", right, "Hoeffding's inequality")


@plug_in.step("Over all rows, numbers of samples and sets these probabilities sum to delta at most", uses=[rare_sets])
def union(s: Sampling) -> Claim:
    """L was chosen for it."""
    w = drawn(s)
    log = 2 * w.w[0] ** 2 * w.n[0]
    return claim(w.n.size * w.m.r.size * 2**w.m.start.size * math.exp(-log), "<=", s.delta, "definition of L")


def errors_of_laws(w):
    """(P - P-hat) V* of the next stage, (K, H, C)."""
    return np.einsum("khcs,hs->khc", w.m.P - w.laws, w.v[1:])


@plug_in.step("|(P-hat - P) V| is at most osc V times the largest (P - P-hat)(A)")
def layers(s: Sampling) -> Claim:
    """V is a mean of indicators of its level sets."""
    w = drawn(s)
    rarest = ((w.m.P - w.laws) @ subsets(w.m.start.size).T).max(axis=3)
    osc = np.ptp(w.v[1:], axis=1)[:, None]
    return claim(np.abs(errors_of_laws(w)), "<=", osc * rarest, "complements count too", rounding=ROUNDING)


@plug_in.step("V* of the next stage lies in [0, G]")
def range_of_values(s: Sampling) -> Claim:
    """Rewards lie in [0, 1], and the reference has no penalty."""
    w = drawn(s)
    to_go = np.arange(len(w.q) - 1, -1, -1.0)[:, None]
    return claim(np.abs(w.v[1:] - to_go / 2), "<=", to_go / 2 + 0 * w.v[1:], "0 <= V^mu <= V* <= G", rounding=ROUNDING)


def errors_of_plans(w):
    """Largest |Q-hat - Q*| at each stage, (K, H)."""
    return np.abs(w.q_hat - w.q).max(axis=2)


@plug_in.step("Errors of Q add up over the stages", uses=[layers])
def errors_add_up(s: Sampling) -> Claim:
    """Log-sum-exp moves by the largest change of its arguments at most."""
    w = drawn(s)
    later = np.append(errors_of_plans(w)[:, 1:], np.zeros((w.n.size, 1)), axis=1)
    right = np.abs(errors_of_laws(w)).max(axis=2) + later
    return claim(errors_of_plans(w), "<=", right, "laws are means", rounding=ROUNDING)


@plug_in.step("If no set is seen too rarely, |Q-hat - Q*| <= G (G + 1) w / 2", uses=[errors_add_up, range_of_values])
def errors_of_q(s: Sampling) -> Claim:
    """It is so on these draws."""
    w = drawn(s)
    to_go = np.arange(len(w.q) - 1, -1, -1.0)
    return claim(errors_of_plans(w), "<=", w.w[:, None] * to_go * (to_go + 1) / 2, "1 + ... + G", rounding=ROUNDING)


@plug_in.step("Conclusion", uses=[rare_sets, union, errors_of_q])
def plans_are_good(s: Sampling) -> Claim:
    """The oscillation is twice the largest error at most, and enters squared over 8 lambda."""
    w = drawn(s)
    left = [s.temperature * (w.m.reached(policy) * w.m.sums(kl(policy, w.best))).sum() for policy in w.policy]
    squares = sum(j**2 * (j + 1) ** 2 for j in range(len(w.q)))
    return claim(left, "<=", w.w**2 * squares / (8 * s.temperature), "demonstrations/fast-rate", rounding=ROUNDING)


# The certificate of UCBVI-Ent+, and what follows.


class Walk(NamedTuple):
    """A run: what is planned before each of T episodes."""

    m: Dense
    n: np.ndarray  # (T, H, C)
    log: float  # L
    laws: np.ndarray  # (T, H, C, S)
    upper: np.ndarray  # (T, H, C)
    lower: np.ndarray  # (T, H, C)
    policy: np.ndarray  # (T, H, C)
    lacking: np.ndarray  # (T, H + 1, S), U


def plan(m, mu, temperature, log, moves):
    """Bounds on the action values, the policy, and U."""
    horizon, states = len(m.r), m.start.size
    n = moves.sum(axis=2)
    laws = moves / np.maximum(n, 1)[:, :, None]
    rate = log / (2 * np.maximum(n, 1))
    upper, lower, policy = np.empty_like(m.r), np.empty_like(m.r), np.empty_like(m.r)
    lacking, v_upper, v_lower = [np.zeros(states)], np.zeros(states), np.zeros(states)
    for h in reversed(range(horizon)):
        to_go = horizon - 1 - h
        width = np.where(n[h] > 0, np.minimum(1, np.sqrt(rate[h])), 1)
        upper[h] = m.r[h] + np.minimum(to_go, laws[h] @ v_upper + to_go * width)
        lower[h] = m.r[h] + np.maximum(0, laws[h] @ v_lower - to_go * width)
        v_lower = temperature * np.log(m.sums(mu[h] * np.exp(lower[h] / temperature)))
        weights = mu[h] * np.exp(upper[h] / temperature)
        v_upper, policy[h] = temperature * np.log(m.sums(weights)), weights / m.sums(weights)[m.owner]
        most = lacking[-1].max()
        later = (1 + 1 / horizon) * (laws[h] @ lacking[-1] + most * (horizon + 1) * rate[h])
        later = np.where(n[h] > 0, np.minimum(later, most), most)
        gap = m.greatest(upper[h] - lower[h])
        lacking.append(np.minimum(gap**2 / (8 * temperature), gap) + m.sums(policy[h] * later))
    return n, laws, upper, lower, policy, np.array(lacking[::-1])


@cache
def walk(s: Learning) -> Walk:
    """Run it episode by episode."""
    m, rng = dense(s.problem), stream(0, "proofs of certificates", s)
    (horizon, choices), states = m.r.shape, m.start.size
    log = states * math.log(2) + math.log(horizon * choices * s.episodes / s.delta)
    moves, rows = np.zeros((horizon, choices, states)), []
    for _ in range(s.episodes):
        rows.append(plan(m, s.reference, s.temperature, log, moves))
        _, _, upper, lower, policy, _ = rows[-1]
        explored, state = rng.integers(horizon), rng.choice(states, p=m.start)
        for h in range(horizon):
            own = m.owner == state
            widest = np.flatnonzero(own)[(upper - lower)[h, own].argmax()]
            made = widest if h == explored else rng.choice(choices, p=np.where(own, policy[h], 0))
            state = rng.choice(states, p=m.P[h, made])
            moves[h, made, state] += 1
    n, laws, upper, lower, policy, lacking = (np.array(column) for column in zip(*rows, strict=True))
    return Walk(m, n, log, laws, upper, lower, policy, lacking)


def learners() -> Iterator[Learning]:
    """A river, and many arms."""
    river = FiniteHorizonMDP.stationary(river_swim(3), 3)
    yield Learning(river, np.array([0.3, 0.7] * 3), 0.5, 200)
    problem, reference = paper.many_arms(30)
    yield Learning(problem, reference, 2.0, 100)


certificate = Proof(of=[paper.CERTIFICATE], settings=learners)


def lacks(s):
    """What the policies lack, from each stage and state on, (T, H + 1, S)."""
    w = walk(s)
    _, _, best = w.m.penalised_optimum(s.reference, s.temperature)
    return np.array([w.m.values(policy, s.temperature * np.log(policy / best)) for policy in w.policy])


@certificate.step("P-hat(A) < P(A) - sqrt(2 P(A) L / n) with probability e^{-L} at most")
def relative_tails(s: Learning) -> Claim:
    """The multiplicative inequality of Chernoff; tried with L for which the probabilities are not 0."""
    chances = (0.01, 0.1, 0.4, 0.7, 1.0)
    tried = [
        (tail_below(n, x, math.sqrt(2 * x * log / n)), math.exp(-log))
        for n in (1, 5, 30, 100)
        for x in chances
        for log in (0.1, 0.5, 2)
    ]
    left, right = np.array(tried).T
    return claim(left, "<=", right, "Chernoff's inequality")


@certificate.step("Both kinds of failure have probabilities that sum to delta, over rows, visits and sets")
def union_of_both(s: Learning) -> Claim:
    """L was chosen for it."""
    w = walk(s)
    rows = w.m.r.size * s.episodes * 2**w.m.start.size
    return claim(rows * math.exp(-w.log), "<=", s.delta, "definition of L")


@certificate.step("x <= (1 + 1/H) (x - sqrt(2 x L / n) + (H + 1) L / (2 n))")
def arithmetic_and_geometric_mean(s: Learning) -> Claim:
    """sqrt(2 x L / n) <= x / (H + 1) + (H + 1) L / (2 n)."""
    w = walk(s)
    horizon, x, rate = len(w.m.r), np.linspace(0, 1, 11), w.log / np.array([[1.0], [10.0], [1000.0]])
    right = (1 + 1 / horizon) * (x - np.sqrt(2 * x * rate) + (horizon + 1) * rate / 2)
    return claim(x + 0 * rate, "<=", right, "arithmetic and geometric mean")


@certificate.step(
    "If no set is seen too rarely, P U <= (1 + 1/H) (P-hat U + (H + 1) L max U / (2 n))",
    uses=[arithmetic_and_geometric_mean],
)
def mean_of_what_is_lacking(s: Learning) -> Claim:
    """U is a mean of indicators of its level sets times its maximum."""
    w = walk(s)
    horizon, most = len(w.m.r), w.lacking[:, 1:].max(axis=2)[:, :, None]
    true, believed = (np.einsum(f"{k}hcs,ths->thc", P, w.lacking[:, 1:]) for k, P in (("", w.m.P), ("t", w.laws)))
    right = (1 + 1 / horizon) * (believed + most * (horizon + 1) * w.log / (2 * np.maximum(w.n, 1)))
    return claim(true, "<=", np.where(w.n > 0, right, most), "so it is on these draws", rounding=ROUNDING)


@certificate.step("If no set is seen too rarely, Q-lower <= Q*")
def lower_values(s: Learning) -> Claim:
    """Backward in stages; V* >= 0, and log-sum-exp is monotone."""
    w = walk(s)
    q, _, _ = w.m.penalised_optimum(s.reference, s.temperature)
    return claim(w.lower, "<=", np.broadcast_to(q, w.lower.shape), "so it is on these draws", rounding=ROUNDING)


@certificate.step("If no set is seen too rarely, Q* <= Q-upper")
def upper_values(s: Learning) -> Claim:
    """Backward in stages; V* <= G, and log-sum-exp is monotone."""
    w = walk(s)
    q, _, _ = w.m.penalised_optimum(s.reference, s.temperature)
    return claim(np.broadcast_to(q, w.upper.shape), "<=", w.upper, "so it is on these draws", rounding=ROUNDING)


@certificate.step(
    "lambda KL(pi || pi*) <= min{D^2 / (8 lambda), D} for the largest distance D", uses=[lower_values, upper_values]
)
def one_stage(s: Learning) -> Claim:
    """The first by Hoeffding's lemma; the logarithm of pi / pi* is at most D / lambda."""
    w = walk(s)
    _, _, best = w.m.penalised_optimum(s.reference, s.temperature)
    gap = w.m.greatest(w.upper - w.lower)
    left = s.temperature * w.m.sums(kl(w.policy, best))
    right = np.minimum(gap**2 / (8 * s.temperature), gap)
    return claim(left, "<=", right, "demonstrations/envelopes", rounding=ROUNDING)


@certificate.step("At each stage, what is lacking is at most U", uses=[one_stage, mean_of_what_is_lacking])
def at_each_stage(s: Learning) -> Claim:
    """Backward in stages."""
    return claim(lacks(s), "<=", walk(s).lacking, "induction", rounding=ROUNDING)


@certificate.step("Conclusion", uses=[relative_tails, union_of_both, at_each_stage])
def certificates_are_right(s: Learning) -> Claim:
    """From the start."""
    w = walk(s)
    return claim(lacks(s)[:, 0] @ w.m.start, "<=", w.lacking[:, 0] @ w.m.start, "means", rounding=ROUNDING)


def imitations() -> Iterator[Imitation]:
    """A river and two arms."""
    river = FiniteHorizonMDP.stationary(river_swim(3), 3)
    yield Imitation(river, np.array([0.0, 1.0] * 3), 20, 0.5, 150)
    yield Imitation(paper.arms(0.9, 0.1, stages=2), np.array([1.0, 0.0]), 5, 0.3, 150)


guarantee = Proof(of=[paper.GUARANTEE], settings=imitations)


@cache
def imitation(s: Imitation) -> tuple[Learning, float]:
    """The learner from a clone, and the penalty of the expert."""
    m, rng = dense(s.problem), stream(0, "proofs of imitation", s)
    counts = np.array(
        [rng.multinomial(s.trajectories, (q[m.owner] * p)) for q, p in zip(m.reached(s.expert), s.expert, strict=True)]
    )
    clone = (counts + 1) / m.sums(counts + 1)[:, m.owner]
    temperature = s.tolerance * (s.trajectories + 1) / (2 * m.r.shape[0] * (m.r.shape[1] - m.start.size))
    penalty = temperature * (m.reached(s.expert) * m.sums(kl(s.expert, clone))).sum()
    return Learning(s.problem, clone, temperature, s.episodes, s.delta), penalty


@guarantee.step("lambda H (C - S) / (N + 1) = epsilon / 2")
def half(s: Imitation) -> Claim:
    """So is the penalty of the expert at most, in the mean, by cloning/divergence."""
    learner, _ = imitation(s)
    horizon, choices = dense(s.problem).r.shape
    bound = horizon * (choices - s.problem.states) / (s.trajectories + 1)
    return claim(learner.temperature * bound, "==", s.tolerance / 2, "choice of lambda")


@guarantee.step("If the certificate is right, the expert is ahead by its penalty and U at most")
def ahead(s: Imitation) -> Claim:
    """By the reduction."""
    learner, penalty = imitation(s)
    w = walk(learner)
    values = [w.m.values(policy, w.m.r)[0] @ w.m.start for policy in (s.expert, *w.policy)]
    right = penalty + w.lacking[:, 0] @ w.m.start
    return claim(values[0] - np.array(values[1:]), "<=", right, "demonstrations/reduction", rounding=ROUNDING)


@guarantee.step("If it is wrong, the policy still lacks H (H - 1) at most")
def never_too_bad(s: Imitation) -> Claim:
    """The logarithm of pi / pi* is at most the oscillation of Q-upper - Q* over lambda, and that is at most 2 G."""
    learner, _ = imitation(s)
    horizon = len(dense(s.problem).r)
    return claim(lacks(learner)[:, 0], "<=", horizon * (horizon - 1.0) + 0 * lacks(learner)[:, 0], "sum of 2 G")


@guarantee.step("Conclusion: the means sum to epsilon + 2 delta H (H - 1)", uses=[half, ahead, never_too_bad])
def in_the_mean(s: Imitation) -> Claim:
    """Penalty, certificate up to epsilon / 2, and failure with probability 2 delta."""
    horizon = len(dense(s.problem).r)
    found = s.tolerance / 2 + s.tolerance / 2 + 2 * s.delta * horizon * (horizon - 1)
    stated = paper.GUARANTEE.bound(s, paper.Trace("none", np.zeros(1, np.int64), {}))
    return claim(found, "==", stated, "linearity of the mean")
