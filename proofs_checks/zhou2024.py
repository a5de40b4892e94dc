r"""Proofs on hybrid actor-critic: its critic, the example on which sweeps diverge, its actor.

Notation. :math:`e_k = f_k - Q`, :math:`\delta_k = T f_{k-1} - Q`; d are discounted probabilities of choices, q those of
states; :math:`P_\pi` leads from a choice to the next one.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.episodes import zhou2024 as paper
from rltheory.theorems.episodes.zhou2024 import Acting, Criticism, Threshold
from rltheory.theory import Claim, Proof, claim


class Judged(NamedTuple):
    """A policy and its critics."""

    step: np.ndarray  # (C, C), P_pi
    Q: np.ndarray  # (C,)
    d: np.ndarray  # (C,)
    f: np.ndarray  # (K + 1, C)
    targets: np.ndarray  # (K, C), T f_{k-1}


def spread(mdp, of_states):
    """Numbers of the states, for their choices."""
    return np.repeat(of_states, np.diff(mdp.first_choice), axis=-1)


def exact(s, policy):
    """Laws from choice to choice, values and probabilities of choices under a policy."""
    matrix = s.mdp.transition_matrix
    laws = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    step = spread(s.mdp, laws) * policy
    values = np.linalg.solve(np.eye(policy.size) - s.discount * step, s.mdp.rewards)
    start = spread(s.mdp, s.mdp.initial) * policy
    d = np.linalg.solve(np.eye(policy.size) - s.discount * step.T, (1 - s.discount) * start)
    return step, values, d


def sweep(s, step, values, d, f):
    """T f, and the next critic."""
    target = s.mdp.rewards + s.discount * step @ f
    offline, online = (0 * d, d) if s.weight == math.inf else (np.asarray(s.data), s.weight * d)
    if s.features is None:
        known = offline + online > 0
        fitted = (offline * target + online * values) / np.where(known, offline + online, 1)
        return target, np.where(known, fitted, f)
    gram = s.features.T @ ((offline + online)[:, None] * s.features)
    return target, s.features @ np.linalg.lstsq(gram, s.features.T @ (offline * target + online * values))[0]


@cache
def judged(s: Criticism) -> Judged:
    """Fit the critic in sweeps."""
    step, values, d = exact(s, s.policy)
    f, targets = [np.zeros(d.size)], []
    for _ in range(s.sweeps):
        target, latest = sweep(s, step, values, d, f[-1])
        targets.append(target)
        f.append(latest)
    return Judged(step, values, d, np.array(f), np.array(targets))


def rounding(s):
    """Rounding of mean squares of values."""
    return s.squares_rounding


# One sweep in a table.

contraction = Proof(of=[paper.CONTRACTION], settings=paper.grid_of_critics)
burn_in = Proof(of=[paper.BURN_IN], settings=paper.grid_of_critics)


def sweeps_shrink(proof):
    """The steps of a contraction along the policy."""

    @proof.step("e_k = w gamma P_pi e_{k-1} with w = nu / (nu + lambda d), where d > 0")
    def errors(s: Criticism) -> Claim:
        """As Q = T Q."""
        j = judged(s)
        w = np.asarray(s.data) / np.where(j.d > 0, s.data + s.weight * j.d, 1)
        left = np.where(j.d > 0, j.f[1:] - j.Q, 0)
        right = np.where(j.d > 0, w * s.discount * ((j.f[:-1] - j.Q) @ j.step.T), 0)
        return claim(left, "==", right, "the closed form of the fit", rounding=1e-11 * (1 + s.largest_value))

    @proof.step("(gamma P_pi e)^2 <= gamma^2 P_pi e^2, and w <= 1")
    def jensen(s: Criticism) -> Claim:
        """Jensen's inequality."""
        j = judged(s)
        e = j.f[:-1] - j.Q
        return claim((s.discount * e @ j.step.T) ** 2, "<=", s.discount**2 * e**2 @ j.step.T, "x^2 is convex")

    @proof.step("gamma d P_pi <= d")
    def flow(s: Criticism) -> Claim:
        """The rest of d is where trajectories start."""
        j = judged(s)
        return claim(s.discount * j.d @ j.step, "<=", j.d, "d = (1 - gamma) mu pi + gamma d P_pi")

    @proof.step("E_d e_k^2 <= gamma E_d e_{k-1}^2", uses=[errors, jensen, flow])
    def shrinks(s: Criticism) -> Claim:
        """The factor gamma^2 of Jensen's step, and 1 / gamma of the flow."""
        errors_of = (judged(s).f - judged(s).Q) ** 2 @ judged(s).d
        return claim(errors_of[1:], "<=", s.discount * errors_of[:-1], "insert", rounding=rounding(s))

    return shrinks


sweeps_shrink(contraction)
shrinks = sweeps_shrink(burn_in)


@burn_in.step("E_d Q^2 <= 1 / (1 - gamma)^2")
def begins(s: Criticism) -> Claim:
    """Rewards lie in [0, 1], and f_0 = 0."""
    return claim(judged(s).d @ judged(s).Q ** 2, "<=", s.horizon**2, "0 <= Q <= 1 / (1 - gamma)")


@burn_in.step("Conclusion", uses=[begins, shrinks])
def forgotten(s: Criticism) -> Claim:
    """Induction over sweeps."""
    errors = (judged(s).f - judged(s).Q) ** 2 @ judged(s).d
    bound = s.discount ** np.arange(s.sweeps + 1) * s.horizon**2
    return claim(errors, "<=", bound, "k times gamma", rounding=rounding(s))


# Double robustness.

double_robustness = Proof(of=[paper.DOUBLE_ROBUSTNESS], settings=paper.grid_of_classes)


@double_robustness.step("<e - delta, e>_nu + lambda <e, e>_d <= 0")
def first_order(s: Criticism) -> Claim:
    """The slope of the squares at f_k towards Q, which is in the class."""
    j = judged(s)
    e, delta = j.f[1:] - j.Q, j.targets - j.Q
    slope = ((e - delta) * e) @ s.data + s.weight * e**2 @ j.d
    return claim(slope, "<=", 0.0, "f_k minimises over a convex class", rounding=1e3 * (1 + s.weight) * rounding(s))


@double_robustness.step("<delta - e, e>_nu <= <delta, delta>_nu / 4")
def quarter(s: Criticism) -> Claim:
    """At each choice."""
    j = judged(s)
    e, delta = j.f[1:] - j.Q, j.targets - j.Q
    return claim(
        ((delta - e) * e) @ s.data, "<=", delta**2 @ s.data / 4, "(delta / 2 - e)^2 >= 0", rounding=rounding(s)
    )


@double_robustness.step("Conclusion", uses=[first_order, quarter])
def robust(s: Criticism) -> Claim:
    """Add both."""
    j = judged(s)
    left, right = s.weight * (j.f[1:] - j.Q) ** 2 @ j.d, (j.targets - j.Q) ** 2 @ s.data / 4
    return claim(left, "<=", right, "add both", rounding=1e3 * (1 + s.weight) * rounding(s))


# The example of Tsitsiklis and Van Roy.

threshold = Proof(of=[paper.THRESHOLD], settings=paper.grid_of_thresholds)


@threshold.step("The mean square of the features is 5/2 over data, and 1 + 3 gamma along the policy")
def squares(s: Threshold) -> Claim:
    """The policy is in the first state with probability 1 - gamma."""
    squares = np.array([1.0, 4.0])
    left = [squares @ [0.5, 0.5], squares @ [1 - s.discount, s.discount]]
    return claim(left, "==", [2.5, 1 + 3 * s.discount], "add up")


@threshold.step("The mean product of features and targets 2 gamma theta is 3 gamma theta over data")
def products(s: Threshold) -> Claim:
    """Both states lead to the second, whose feature is 2."""
    return claim(np.array([1.0, 2.0]) @ [0.5, 0.5] * 2 * s.discount, "==", 3 * s.discount, "Q = 0 adds nothing")


@threshold.step("Conclusion: a sweep multiplies theta by rho", uses=[squares, products])
def multiplies(s: Threshold) -> Claim:
    """The quotient of both solves the normal equation, sweep by sweep."""
    theta = paper.halve(s, stream(0, "proofs of HAC"))["critic"][:, 0]
    rho = 3 * s.discount / (2.5 + s.weight * (1 + 3 * s.discount))
    return claim(theta, "==", rho ** np.arange(theta.size), "f = theta (1, 2)")


@threshold.step("rho < 1 if and only if lambda exceeds the threshold", uses=[multiplies])
def converges(s: Threshold) -> Claim:
    """Multiply by the denominator."""
    left = (s.factor - 1) * (2.5 + s.weight * (1 + 3 * s.discount))
    right = (3 * s.discount - 2.5) - s.weight * (1 + 3 * s.discount)
    return claim(left, "==", right, "both have the same sign")


# Actors.


class Walk(NamedTuple):
    """A run; T steps."""

    policy: np.ndarray  # (T + 1, C)
    f: np.ndarray  # (T + 1, C)
    Q: np.ndarray  # (T + 1, C)
    d: np.ndarray  # (T + 1, C)
    backup: np.ndarray  # (T + 1, C), T f
    f_mean: np.ndarray  # (T + 1, C), <pi, f> in the state of each choice


def by_state(s, of_choices):
    """Sums over the choices of each state."""
    return np.add.reduceat(of_choices, s.mdp.first_choice[:-1], axis=-1)


@cache
def walk(s: Acting) -> Walk:
    """Run hybrid actor-critic, step by step."""
    logits, rows = np.zeros(s.mdp.choices), []
    for _ in range(s.iterations + 1):
        policy = np.exp(logits - spread(s.mdp, np.maximum.reduceat(logits, s.mdp.first_choice[:-1])))
        policy /= spread(s.mdp, by_state(s, policy))
        step, values, d = exact(s, policy)
        latest, kept = np.zeros(d.size), []
        for k in range(s.sweeps):
            _, latest = sweep(s, step, values, d, latest)
            if k >= s.sweeps // 2:
                kept.append(latest)
        f = np.mean(kept, axis=0)
        backup = s.mdp.rewards + s.discount * step @ f
        rows.append((policy, f, values, d, backup, spread(s.mdp, by_state(s, policy * f))))
        logits = logits + s.step * f
    return Walk(*(np.array(column) for column in zip(*rows, strict=True)))


def comparator(s):
    """Probabilities of the comparator's choices, (C,)."""
    return exact(s, s.comparator)[2]


def from_start(s, w, of_choices):
    """Means of numbers of choices at the start, under each policy."""
    return by_state(s, w.policy * of_choices) @ s.mdp.initial


actor = Proof(of=[paper.ACTOR_BOUND], settings=paper.grid_of_actors)
exact_critic = Proof(of=[paper.EXACT_CRITIC], settings=paper.grid_of_exact_critics)


def actor_steps(proof):
    """The steps on what the actor misses."""

    @proof.step("0 <= f <= 1 / (1 - gamma)")
    def bounded(s: Acting) -> Claim:
        """Means of T f and Q, from 0 on."""
        f = walk(s).f
        return claim(np.abs(f - s.horizon / 2), "<=", s.horizon / 2, "rewards in [0, 1]", rounding=1e-11 * s.horizon)

    @proof.step("In each state sum_j <e - pi_j, f_j> <= KL(e, pi_0) / eta + eta / 8 sum_j (max f_j - min f_j)^2")
    def ascends(s: Acting) -> Claim:
        """Mirror ascent."""
        w = walk(s)
        missed = np.cumsum(by_state(s, (s.comparator - w.policy) * w.f), axis=0)
        starts = s.mdp.first_choice[:-1]
        span = np.maximum.reduceat(w.f, starts, axis=1) - np.minimum.reduceat(w.f, starts, axis=1)
        divergence = np.log(np.diff(s.mdp.first_choice))
        right = divergence / s.step + s.step / 8 * np.cumsum(span**2, axis=0)
        return claim(missed, "<=", right, "douhua/ascent-bound", rounding=1e-11 * s.horizon * s.iterations)

    @proof.step("Hence the mean over d^e is log A / eta + eta t / (8 (1 - gamma)^2) at most", uses=[bounded, ascends])
    def missed(s: Acting) -> Claim:
        """The states of d^e have probability 1 in all."""
        w = walk(s)
        left = np.cumsum((w.f - w.f_mean) @ comparator(s))
        t = np.arange(1, s.iterations + 2)
        right = math.log(s.actions) / s.step + s.step * t * s.horizon**2 / 8
        return claim(left, "<=", right, "insert", rounding=1e-11 * s.horizon * s.iterations)

    return missed


actor_steps(actor)
missed = actor_steps(exact_critic)


@exact_critic.step("(1 - gamma) (V^e - V^pi) = E_e [Q - <pi, Q>]")
def difference(s: Acting) -> Claim:
    """The performance difference lemma."""
    w = walk(s)
    best = comparator(s) @ s.mdp.rewards * s.horizon
    gain = (w.Q - spread(s.mdp, by_state(s, w.policy * w.Q))) @ comparator(s)
    left = (best - from_start(s, w, w.Q)) / s.horizon
    return claim(left, "==", gain, "telescope along d^e", rounding=1e-11 * s.horizon)


@exact_critic.step("Conclusion", uses=[missed, difference])
def exact_conclusion(s: Acting) -> Claim:
    """Critics are values."""
    w = walk(s)
    left = np.cumsum(comparator(s) @ s.mdp.rewards * s.horizon - from_start(s, w, w.Q))
    t = np.arange(1, s.iterations + 2)
    right = (math.log(s.actions) / s.step + s.step * t * s.horizon**2 / 8) * s.horizon
    return claim(left, "<=", right, "divide by 1 - gamma", rounding=1e-11 * s.horizon**2 * s.iterations)


decomposition = Proof(of=[paper.DECOMPOSITION], settings=paper.grid_of_linear_critics)


def flows(s, w, d):
    """Mean of r + gamma <pi, f> of the next state - <pi, f>, over d."""
    return ((w.backup - w.f_mean) * d).sum(axis=-1)


@decomposition.step("(1 - gamma) (V^e - <mu, <pi, f>>) = E_e [T f - <pi, f>]")
def along_comparator(s: Acting) -> Claim:
    """What is expected of the next state is expected of this one later: the sum telescopes along d^e."""
    w = walk(s)
    left = comparator(s) @ s.mdp.rewards - from_start(s, w, w.f) / s.horizon
    return claim(left, "==", flows(s, w, comparator(s)), "telescope along d^e", rounding=1e-11 * s.horizon)


@decomposition.step("(1 - gamma) (V^pi - <mu, <pi, f>>) = E_pi [T f - f]")
def along_policy(s: Acting) -> Claim:
    """Along the policy itself the means of f and of <pi, f> are the same."""
    w = walk(s)
    left = (w.d @ s.mdp.rewards) - from_start(s, w, w.f) / s.horizon
    return claim(left, "==", ((w.backup - w.f) * w.d).sum(axis=1), "telescope along d", rounding=1e-11 * s.horizon)


@decomposition.step("Conclusion: subtract", uses=[along_comparator, along_policy])
def parts(s: Acting) -> Claim:
    """T f - <pi, f> is T f - f and f - <pi, f>."""
    w, d = walk(s), comparator(s)
    left = d @ s.mdp.rewards - w.d @ s.mdp.rewards
    right = (w.f - w.f_mean + w.backup - w.f) @ d - ((w.backup - w.f) * w.d).sum(axis=1)
    return claim(left, "==", right, "subtract", rounding=1e-11 * s.horizon)
