r"""Proofs on NORA and DOUHUA: tracking, ascent, switches, and regret.

Notation. n are visits before an episode, :math:`\tilde n` those when the critic in force was made; b its bonuses; f the
critic, :math:`T f = r + P V` with the values V of the next stage that belong to it, so V = max f for NORA and
:math:`\langle \pi, f \rangle` for DOUHUA; the *limit* of a choice is 2 b, or H - h if it was never made. Learners are
written down here once more, with dense laws.
"""

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.instances import diabolical_lock, random_episodes
from rltheory.problems import FiniteHorizonMDP, TabularMDP, offline_transitions
from rltheory.simulation import stream
from rltheory.theorems.episodes import tan2025 as paper
from rltheory.theorems.episodes.tan2025 import Ascent, Frozen, Learning
from rltheory.theorems.episodes.tan2025_hybrid import HybridLearning
from rltheory.theory import Claim, Proof, claim
from rltheory.trace import Trace

ROUNDING = 1e-11  # sums of some hundred numbers up to H


class Walk(NamedTuple):
    """A run; T episodes, and the critic and the policy in force in each."""

    P: np.ndarray  # (H, C, S)
    r: np.ndarray  # (H, C)
    owner: np.ndarray  # (C,), state of each choice
    f: np.ndarray  # (T, H, C)
    b: np.ndarray  # (T, H, C)
    believed: np.ndarray  # (T, H, C, S), empirical laws, 0 where there is none
    policy: np.ndarray  # (T, H, C)
    k: np.ndarray  # (T,), steps of the actor
    n: np.ndarray  # (T + 1, H, C)
    then: np.ndarray  # (T, H, C)
    made: np.ndarray  # (T, H)

    def sums(self, of_choices):
        """Sums over the choices of each state."""
        found = np.zeros((*of_choices.shape[:-1], self.P.shape[2]))
        np.add.at(found, (..., self.owner), of_choices)
        return found

    def greatest(self, of_choices):
        """Largest number among the choices of each state."""
        found = np.full((*of_choices.shape[:-1], self.P.shape[2]), -np.inf)
        np.maximum.at(found, (..., self.owner), of_choices)
        return found

    @property
    def stages(self):
        """Numbers h = 0, ..., H - 1, for (H, C)."""
        return np.arange(len(self.r))[:, None]

    @property
    def limit(self):
        """What the critic may err, (T, H, C)."""
        return np.where(self.then > 0, 2 * self.b, len(self.r) - 1.0 - self.stages)

    def backups(self, values):
        """``r + P V`` for V of all stages, (T, H, S), and 0 after the last."""
        later = np.concatenate([values[:, 1:], np.zeros_like(values[:, :1])], axis=1)
        return self.r + np.einsum("hcs,ths->thc", self.P, later)

    def visited(self, of_choices):
        """Sums over the choices made, in each episode."""
        return np.take_along_axis(of_choices, self.made[:, :, None], axis=2).sum(axis=(1, 2))

    def occupancy(self, policy, initial):
        """Probabilities of choices, (T, H, C), of policies (T, H, C)."""
        state, found = np.tile(initial, (len(policy), 1)), []
        for h in range(len(self.r)):
            found.append(state[:, self.owner] * policy[:, h])
            state = found[-1] @ self.P[h]
        return np.stack(found, axis=1)


@cache
def walk(s: Learning, learner: str, bonus: float = 1.0) -> Walk:
    """Run NORA or DOUHUA, episode by episode, from their definitions, with multiples of b; data come first, if any."""
    mdps = s.problem.stages
    matrices = [mdp.transition_matrix for mdp in mdps]
    laws = np.array([matrix if isinstance(matrix, np.ndarray) else matrix.toarray() for matrix in matrices])
    r = np.array([mdp.rewards for mdp in mdps])
    sizes = np.diff(mdps[0].first_choice)
    owner = np.repeat(np.arange(sizes.size), sizes)
    (horizon, choices), states, rng = r.shape, sizes.size, stream(0, "proofs of NORA", s, learner)
    w = Walk(laws, r, owner, *(np.array([]) for _ in range(8)))
    to_go = horizon - 1.0 - w.stages
    log = states * math.log(2) + math.log(choices * horizon * s.episodes / s.delta)
    moves, logits = np.zeros((horizon, choices, states)), np.zeros((horizon, choices))
    if isinstance(s, HybridLearning):
        moves += offline_transitions(s.problem, s.visits, rng).transitions
    rows, f, k, then = [], logits, 0, -np.ones((horizon, choices))
    for _ in range(s.episodes):
        n = moves.sum(axis=2)
        seen = np.maximum(n, 1)
        policy = np.exp(logits - w.greatest(logits)[:, owner])
        policy /= w.sums(policy)[:, owner]
        if learner == "DOUHUA" or (n >= np.maximum(1, 2 * then)).any() or then.min() < 0:
            then, believed = n, moves / seen[:, :, None]
            b = to_go * np.where(n > 0, np.minimum(1, np.sqrt(log / (2 * seen))), 1)
            f, ahead = np.zeros_like(r), np.zeros(states)
            for h in reversed(range(horizon)):
                f[h] = np.minimum(horizon - h, r[h] + believed[h] @ ahead + bonus * b[h])
                ahead = w.greatest(f[h]) if learner == "NORA" else w.sums(policy[h] * f[h])
            if learner == "NORA":
                k, policy = 0, 1 / np.tile(sizes[owner], (horizon, 1))
                logits = np.zeros_like(logits)
        made, state = [], rng.choice(states, p=s.problem.initial)
        for h in range(horizon):
            made.append(int(rng.choice(choices, p=np.where(owner == state, policy[h], 0))))
            state = rng.choice(states, p=laws[h, made[-1]])
            moves[h, made[-1], state] += 1
        rows.append((f, b, believed, policy, k, n, then, made))
        logits, k = logits + s.eta * f, k + 1
    f, b, believed, policy, k, n, then, made = (np.array(column) for column in zip(*rows, strict=True))
    return Walk(laws, r, owner, f, b, believed, policy, k, np.append(n, moves.sum(axis=2)[None], axis=0), then, made)


@cache
def optimum(s: Learning) -> tuple[np.ndarray, np.ndarray]:
    """Optimal value from the start, and an optimal policy (H, C)."""
    w = walk(s, "NORA")
    policy, ahead = np.zeros_like(w.r), np.zeros(w.P.shape[2])
    for h in reversed(range(len(w.r))):
        q = w.r[h] + w.P[h] @ ahead
        ahead = w.greatest(q)
        policy[h, [np.flatnonzero((w.owner == state) & (q == ahead[state]))[0] for state in range(ahead.size)]] = 1
    return s.problem.initial @ ahead, policy


def lost(s, w):
    """What the policy of each episode loses."""
    return optimum(s)[0] - (w.occupancy(w.policy, s.problem.initial) * w.r).sum(axis=(1, 2))


def missed(s, w):
    """What NORA's actor misses in each episode, in the mean."""
    gap = w.greatest(w.f)[:, :, w.owner] - w.f
    return (w.occupancy(w.policy, s.problem.initial) * gap).sum(axis=(1, 2))


def all_times(s):
    """A trace without values that has all times of a run."""
    return Trace("times", np.arange(1, s.episodes + 1), {})


def sizes_of_bonuses(s):
    """H (H - 1) / 2 and the logarithm L."""
    horizon, choices, states = len(s.problem.stages), s.problem.stages[0].choices, s.problem.states
    return horizon * (horizon - 1) / 2, states * math.log(2) + math.log(choices * horizon * s.episodes / s.delta)


def learners() -> Iterator[Learning]:
    """A lock, a random process with two starts, arms."""
    yield Learning(diabolical_lock(stream(0, "proofs of NORA", "lock"), 3, 2), 300, 1.0)
    yield Learning(random_episodes(stream(0, "proofs of NORA", "random"), 4, 3, 3), 200, 20.0, 0.2)
    yield Learning(paper.arms(np.array([0.1, 0.3, 0.0])), 300, 0.3)


def learners_and_one_choice() -> Iterator[Learning]:
    """A single choice besides."""
    yield from learners()
    yield Learning(FiniteHorizonMDP.stationary(TabularMDP([[[1.0]]], [[1.0]]), 1), 257, 1.0)


# An actor that follows a frozen critic.

STEEPNESS = 2.0 ** np.arange(-6, 7)

tracking = Proof(of=[paper.TRACKING], settings=paper.grid_of_values)


def gaps(s):
    """Steepness (13, 1), gaps of the actions (1, A) and the place of one that is best."""
    x = STEEPNESS[:, None] / np.ptp(s.values)
    return x, s.values.max() - s.values[None], int(s.values.argmax())


@tracking.step("kappa e^kappa = (A - 1) / e")
def lambert(s: Frozen) -> Claim:
    """By the definition of Lambert's function."""
    kappa = paper.tracking_constant(s.values.size)
    return claim(kappa * math.exp(kappa), "==", (s.values.size - 1) / math.e, "definition of W")


@tracking.step("(Delta - kappa / x) e^{-x Delta} <= e^{-kappa - 1} / x for every gap Delta")
def one_action(s: Frozen) -> Claim:
    """The left side is largest at Delta = (1 + kappa) / x."""
    x, gap, _ = gaps(s)
    kappa = paper.tracking_constant(s.values.size)
    return claim((gap - kappa / x) * np.exp(-x * gap), "<=", math.exp(-kappa - 1) / x, "u e^{-u} <= 1 / e")


@tracking.step("Over all actions but a best one these sum to kappa / x at most", uses=[lambert, one_action])
def other_actions(s: Frozen) -> Claim:
    """A - 1 of them."""
    x, gap, best = gaps(s)
    kappa = paper.tracking_constant(s.values.size)
    terms = np.delete((gap - kappa / x) * np.exp(-x * gap), best, axis=1)
    return claim(terms.sum(axis=1), "<=", kappa / x[:, 0], "(A - 1) e^{-kappa - 1} = kappa")


@tracking.step("Conclusion: the mean gap is kappa / x at most", uses=[other_actions])
def mean_gap(s: Frozen) -> Claim:
    """The best action's own term is -kappa / x."""
    x, gap, _ = gaps(s)
    weights = np.exp(-x * gap)
    bound = paper.TRACKING.bound(s, paper.follow(s, stream(0, "proofs of NORA")))
    return claim((weights * gap).sum(axis=1) / weights.sum(axis=1), "<=", bound, "sum (Delta - kappa / x) w <= 0")


# Mirror ascent.

ascent = Proof(of=[paper.ASCENT, paper.ASCENT_BOUND], settings=paper.grid_of_ascents)


def ascended(s):
    """Logarithms of the policies pi_0, ..., pi_K."""
    logits = s.eta * np.concatenate([np.zeros((1, s.values.shape[1])), np.cumsum(s.values, axis=0)])
    return logits - np.logaddexp.reduce(logits, axis=1)[:, None]


def divergences(s):
    """KL(p || pi_k) for k = 0, ..., K."""
    return (s.comparator * (np.log(s.comparator) - ascended(s))).sum(axis=1)


def missed_by_step(s):
    """<p - pi_k, f_k>."""
    return ((s.comparator - np.exp(ascended(s)[:-1])) * s.values).sum(axis=1)


def moments(s):
    """Logarithm of E exp(eta (f_k - <pi_k, f_k>)) under pi_k."""
    log_policy = ascended(s)[:-1]
    means = (np.exp(log_policy) * s.values).sum(axis=1)[:, None]
    return np.logaddexp.reduce(log_policy + s.eta * (s.values - means), axis=1)


@ascent.step("log pi_{k+1} - log pi_k = eta f_k - log E e^{eta f_k}")
def update(s: Ascent) -> Claim:
    """The normalisation of the update."""
    log_policy = ascended(s)
    norm = np.logaddexp.reduce(log_policy[:-1] + s.eta * s.values, axis=1)[:, None]
    return claim(np.diff(log_policy, axis=0), "==", s.eta * s.values - norm, "definition", rounding=1e-11)


@ascent.step(
    "KL(p || pi_k) - KL(p || pi_{k+1}) = eta <p - pi_k, f_k> - log E e^{eta (f_k - <pi_k, f_k>)}", uses=[update]
)
def one_step(s: Ascent) -> Claim:
    """The mean of the update under p."""
    right = s.eta * missed_by_step(s) - moments(s)
    return claim(-np.diff(divergences(s)), "==", right, "take the mean under p", rounding=1e-11)


@ascent.step("The identity: sum over k < K", uses=[one_step])
def identity(s: Ascent) -> Claim:
    """Divergences telescope."""
    d = divergences(s)
    total = (d[0] - d[1:] + np.cumsum(moments(s))) / s.eta
    return claim(np.cumsum(missed_by_step(s)), "==", total, "the differences telescope", rounding=1e-10)


@ascent.step("log E e^{eta (f - E f)} <= eta^2 (max f - min f)^2 / 8")
def hoeffding(s: Ascent) -> Claim:
    """Under any law."""
    return claim(moments(s), "<=", s.eta**2 * np.ptp(s.values, axis=1) ** 2 / 8, "Hoeffding's lemma", rounding=1e-12)


@ascent.step("Conclusion: the inequality", uses=[identity, hoeffding])
def ascent_conclusion(s: Ascent) -> Claim:
    """The last divergence is >= 0."""
    bound = paper.ASCENT_BOUND.bound(s, paper.ascend(s, stream(0, "proofs of NORA")))[1:]
    return claim(np.cumsum(missed_by_step(s)), "<=", bound, "KL(p || pi_K) >= 0", rounding=1e-10)


# Changes of NORA's critic.

switches = Proof(of=[paper.SWITCHES], settings=learners_and_one_choice)


def charged(s):
    """For each change of the critic, a row (h, c) that came to be visited often enough, as flags (T, H * C)."""
    w = walk(s, "NORA")
    flags = np.zeros((s.episodes, w.r.size), int)
    for t in range(1, s.episodes):
        if w.k[t] == 0:
            flags[t, (w.n[t] >= np.maximum(1, 2 * w.then[t - 1])).argmax()] = 1
    return flags


@switches.step("After j charges a row has 2^(j - 1) visits at least")
def doubling(s: Learning) -> Claim:
    """Each time its visits have doubled, and the first time there is one."""
    charges, n = charged(s).cumsum(axis=0), walk(s, "NORA").n[:-1].reshape(s.episodes, -1)
    return claim(np.where(charges > 0, 2.0 ** (charges - 1), 0), "<=", n, "the visits then are those now, or fewer")


@switches.step("Hence j <= 1 + log2 n, and j <= n", uses=[doubling])
def charges_of_a_row(s: Learning) -> Claim:
    """Whole numbers j with 2^(j - 1) <= n."""
    charges, n = charged(s).cumsum(axis=0), walk(s, "NORA").n[:-1].reshape(s.episodes, -1)
    return claim(charges, "<=", np.minimum(n, 1 + np.log2(np.maximum(n, 1))), "logarithms; j <= 2^(j - 1)")


@switches.step("Rows of a stage share t visits: their sum is C psi(t / C) at most", uses=[charges_of_a_row])
def charges_of_a_stage(s: Learning) -> Claim:
    """Whole numbers j and n only: their concave hull joins (n, j) = (0, 0), (1, 1), (2, 2), (4, 3), and so on."""
    w = walk(s, "NORA")
    charges = charged(s).cumsum(axis=0).reshape(w.n[:-1].shape).sum(axis=2)
    bound = paper.SWITCHES.bound(s, all_times(s)) / len(w.r)
    return claim(charges, "<=", bound[:, None], "Jensen; the hull is psi at most")


@switches.step("Conclusion: N_t <= C H psi(t / C)", uses=[charges_of_a_stage])
def switches_conclusion(s: Learning) -> Claim:
    """Each change is charged to one row."""
    changes = np.cumsum(walk(s, "NORA").k == 0) - 1
    return claim(changes, "<=", paper.SWITCHES.bound(s, all_times(s)), "sum over the stages")


# Regret.

regret_of_nora = Proof(of=[paper.REGRET_OF_NORA], settings=learners)
regret_of_douhua = Proof(of=[paper.REGRET_OF_DOUHUA], settings=learners)


def values_of(w, learner):
    """V that belongs to the critic, (T, H, S)."""
    return w.greatest(w.f) if learner == "NORA" else w.sums(w.policy * w.f)


def laws_and_means(proof, learner, bonus=1.0):
    """The steps that all proofs on critics have: the event that is likely, and what it means for values."""

    @proof.step("With probability 1 - delta every empirical law is within sqrt(2 L / n) of the true one in sums")
    def laws(s: Learning) -> Claim:
        """Weissman's inequality for each row and number of visits."""
        w, (_, log) = walk(s, learner, bonus), sizes_of_bonuses(s)
        n, states = np.arange(1, s.episodes + 1), w.P.shape[2]
        tails = (2.0**states - 2) * np.exp(-n * (2 * log / n) / 2)
        return claim(w.r.size * tails.sum(), "<=", s.delta, "a union over rows and n <= T")

    @proof.step("|<p^ - p, V>| <= (max V - min V) |p^ - p|_1 / 2")
    def means(s: Learning) -> Claim:
        """Both laws sum to 1: a constant can be taken from V."""
        w = walk(s, learner, bonus)
        values = values_of(w, learner)[:, 1:]
        difference = np.where(w.then[:, :-1, :, None] > 0, w.believed[:, :-1] - w.P[:-1], 0)
        left = np.abs(np.einsum("thcs,ths->thc", difference, values))
        right = np.ptp(values, axis=2)[:, :, None] * np.abs(difference).sum(axis=3) / 2
        return claim(left, "<=", right, "Hoelder, after the middle of V is taken from it", rounding=ROUNDING)

    return laws, means


def steps_on_errors(proof, learner):
    """What critics err: the last of these steps."""
    laws, means = laws_and_means(proof, learner)

    @proof.step("Then 0 <= f - T f <= limit", uses=[laws, means])
    def errors(s: Learning) -> Claim:
        """In this run the event takes place."""
        w = walk(s, learner)
        error = w.f - w.backups(values_of(w, learner))
        return claim(
            np.abs(error - w.limit / 2), "<=", w.limit / 2, "V lies in [0, H - h], so b covers it", rounding=ROUNDING
        )

    return errors


def shared_steps(proof, learner):
    """The steps that both proofs of regret have: what the critic errs, where the learner goes, and in the mean."""
    errors = steps_on_errors(proof, learner)

    @proof.step("Along the way limits sum to the stated terms at most")
    def along_the_way(s: Learning) -> Claim:
        """The first visit of a row costs H - h; later ones its 2 b, in which n~ > n / 2, or n~ = n."""
        w, factor = walk(s, learner), 4 if learner == "NORA" else 2 * math.sqrt(2)
        per, log = sizes_of_bonuses(s)
        choices, t = w.r.shape[1], np.arange(1, s.episodes + 1)
        bound = per * (choices + factor * np.sqrt(log * choices * t))
        return claim(
            np.cumsum(w.visited(w.limit)), "<=", bound, "sums of n^(-1/2) are 2 N^(1/2) at most; Cauchy-Schwarz"
        )

    @proof.step(
        "In the mean they do, up to H (H - 1) sqrt(T log(1 / delta) / 2), with probability 1 - delta",
        uses=[along_the_way],
    )
    def in_the_mean(s: Learning) -> Claim:
        """In this run the event takes place."""
        w = walk(s, learner)
        mean = (w.occupancy(w.policy, s.problem.initial) * w.limit).sum(axis=(1, 2))
        why = "Azuma's maximal inequality: limits of an episode sum to at most H (H - 1)"
        return claim(np.cumsum(mean - w.visited(w.limit)), "<=", np.full(s.episodes, s.noise), why)

    return errors, in_the_mean


nora_errors, nora_mean = shared_steps(regret_of_nora, "NORA")
douhua_errors, douhua_mean = shared_steps(regret_of_douhua, "DOUHUA")


@regret_of_nora.step("V* - V^pi <= sum E_pi [f - T f] + sum E_pi [max f - <pi, f>]", uses=[nora_errors])
def optimism(s: Learning) -> Claim:
    """V* is at most max f, whose distance from V^pi is the right side exactly."""
    w = walk(s, "NORA")
    error, gap = w.f - w.backups(w.greatest(w.f)), w.greatest(w.f)[:, :, w.owner] - w.f
    right = (w.occupancy(w.policy, s.problem.initial) * (error + gap)).sum(axis=(1, 2))
    return claim(lost(s, w), "<=", right, "T f <= f by induction; the differences telescope", rounding=ROUNDING)


def steps_on_tracking(proof):
    """What the actor misses: the last of these steps."""

    @proof.step("The actor misses H (H + 1) / 2 after a change, and H kappa / (eta k) after k steps, at most")
    def follows(s: Learning) -> Claim:
        """In each state: the theorem on tracking."""
        w, horizon = walk(s, "NORA"), len(s.problem.stages)
        later = horizon * paper.tracking_constant(s.actions) / (s.eta * np.maximum(w.k, 1))
        limit = np.where(w.k == 0, horizon * (horizon + 1) / 2, later)
        why = "nora/tracking with x = eta k; f lies in [0, H - h + 1]"
        return claim(missed(s, w), "<=", limit, why, rounding=ROUNDING)

    @proof.step("Between changes these sum to the stated bracket", uses=[follows])
    def epochs(s: Learning) -> Claim:
        """The harmonic sum; there are N_t + 1 stretches."""
        w, horizon = walk(s, "NORA"), len(s.problem.stages)
        later = horizon * paper.tracking_constant(s.actions) / s.eta
        limit = np.where(w.k == 0, horizon * (horizon + 1) / 2, later / np.maximum(w.k, 1))
        bracket = horizon * (horizon + 1) / 2 + later * (1 + np.log(np.arange(1, s.episodes + 1)))
        return claim(np.cumsum(limit), "<=", np.cumsum(w.k == 0) * bracket, "1 + 1/2 + ... + 1/K <= 1 + log K")

    return epochs


epochs = steps_on_tracking(regret_of_nora)


@regret_of_nora.step("There are N_t + 1 stretches, C H psi(t / C) + 1 at most", uses=[epochs])
def stretches(s: Learning) -> Claim:
    """The theorem on switches."""
    bound = paper.SWITCHES.bound(s, all_times(s)) + 1
    return claim(np.cumsum(walk(s, "NORA").k == 0), "<=", bound, "nora/switches")


@regret_of_nora.step("Conclusion, with probability 1 - 2 delta", uses=[optimism, nora_mean, epochs, stretches])
def nora_conclusion(s: Learning) -> Claim:
    """Add up."""
    bound = paper.REGRET_OF_NORA.bound(s, all_times(s))
    return claim(np.cumsum(lost(s, walk(s, "NORA"))), "<=", bound, "the terms are those of the steps before")


@regret_of_douhua.step("V* - V^pi <= sum E_* <pi* - pi, f> + sum E_pi [f - T f]", uses=[douhua_errors])
def two_policies(s: Learning) -> Claim:
    """The difference of the two sides is the sum of E_* [f - T f], which is >= 0."""
    w = walk(s, "DOUHUA")
    best = np.tile(optimum(s)[1], (s.episodes, 1, 1))
    error = w.f - w.backups(w.sums(w.policy * w.f))
    of_state = w.sums(w.occupancy(best, s.problem.initial))[:, :, w.owner]
    right = (of_state * (best - w.policy) * w.f).sum(axis=(1, 2))
    right += (w.occupancy(w.policy, s.problem.initial) * error).sum(axis=(1, 2))
    return claim(lost(s, w), "<=", right, "telescope V^pi - V and V* - V along either policy", rounding=ROUNDING)


@regret_of_douhua.step("Over episodes the first of these sums to H log A / eta + eta t sum j^2 / 8 at most")
def ascends(s: Learning) -> Claim:
    """In each state and stage: the theorem on ascent, with f in [0, H - h + 1]."""
    w, horizon = walk(s, "DOUHUA"), len(s.problem.stages)
    best = np.tile(optimum(s)[1], (s.episodes, 1, 1))
    of_state = w.sums(w.occupancy(best, s.problem.initial))[:, :, w.owner]
    left = np.cumsum((of_state * (best - w.policy) * w.f).sum(axis=(1, 2)))
    t, squares = np.arange(1, s.episodes + 1), sum(j**2 for j in range(1, horizon + 1))
    right = horizon * math.log(s.actions) / s.eta + s.eta * t * squares / 8
    return claim(left, "<=", right, "douhua/ascent-bound; KL from the uniform policy is log A at most")


@regret_of_douhua.step("Conclusion, with probability 1 - 2 delta", uses=[two_policies, ascends, douhua_mean])
def douhua_conclusion(s: Learning) -> Claim:
    """Add up."""
    bound = paper.REGRET_OF_DOUHUA.bound(s, all_times(s))
    return claim(np.cumsum(lost(s, walk(s, "DOUHUA"))), "<=", bound, "the terms are those of the steps before")
