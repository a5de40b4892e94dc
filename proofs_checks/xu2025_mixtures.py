r"""Proofs of what effective rewards do, of their exactness, and of how optimal and soft policies move with weights.

Notation. :math:`R = \sum_k w_k R_k`; g the discount, H = 1 / (1 - g); osc the largest minus the smallest entry; p the
shares of the classes, D their laws of prompts. Everything is recomputed here with plain NumPy, from the definitions.
"""

import math
from functools import cache
from itertools import pairwise, product

import numpy as np

from rltheory.theorems.policy_cliff import xu2025_mixtures as paper
from rltheory.theorems.policy_cliff.xu2025_mixtures import MixtureSetting
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-11  # values of some tens


def laws(s):
    """Transition laws, one row for each choice."""
    matrix = s.mixture.mdp.transition_matrix
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def per_state(s, x, of=np.add):
    """Sums, or maxima, over the choices of each state."""
    return of.reduceat(x, s.mixture.mdp.first_choice[:-1], axis=-1)


def at_choices(s, x):
    """Numbers of states, one for each of their choices."""
    return x[..., s.mixture.mdp.state_of_choice]


def posterior(s):
    """w_k(s) by Bayes' rule; the shares where no class starts."""
    joint = s.mixture.shares[:, None] * s.mixture.prompts
    total = joint.sum(axis=0)
    return np.where(total > 0, joint / np.where(total > 0, total, 1.0), s.mixture.shares[:, None])


def evaluate(s, pi, r):
    """(1 - g P_pi)^-1 r_pi."""
    p_pi = np.add.reduceat(pi[:, None] * laws(s), s.mixture.mdp.first_choice[:-1], axis=0)
    return np.linalg.solve(np.eye(s.mixture.mdp.states) - s.discount * p_pi, per_state(s, pi * r))


def soft(s, t, r):
    """Soft policy of rewards r, by value iteration."""
    v = np.zeros(s.mixture.mdp.states)
    for _ in range(2 + math.ceil(40 * s.horizon) * (s.discount > 0)):
        q = (r + s.discount * laws(s) @ v) / t
        top = per_state(s, q, np.maximum)
        v = t * (top + np.log(per_state(s, np.exp(q - at_choices(s, top)))))
    return np.exp(q - at_choices(s, v) / t)


def tv(s, p, q):
    """Total variation in each state."""
    return per_state(s, np.abs(p - q)) / 2


@cache
def draws(s: MixtureSetting):
    """Changes of all rewards and other weights, four of each."""
    rng = np.random.default_rng(1)
    shape = s.mixture.rewards.shape
    changes = [rng.choice([-1.0, 1.0], shape), rng.random(shape), np.ones(shape), 0.01 * rng.normal(size=shape)]
    weights = [rng.dirichlet(np.ones(shape[0]), s.mixture.mdp.states).T for _ in changes]
    return list(zip(changes, weights, strict=True))


aggregation = Proof(of=[paper.ONE_CLASS, paper.REWEIGHTED], settings=paper.grid)


@aggregation.step("In each choice, effective rewards move by the mean of what the rewards move")
def means(s: MixtureSetting) -> Claim:
    """|Delta R| <= sum of w_k |Delta R_k|, where at most one class changes: k in turns."""
    w = posterior(s)
    rows = []
    for k, (change, _) in product(range(len(w)), draws(s)):
        one = np.where(np.arange(len(w))[:, None] == k, change, 0.0)
        rows.append((np.abs((at_choices(s, w) * one).sum(axis=0)), at_choices(s, w[k]) * np.abs(change[k])))
    left, right = map(np.array, zip(*rows, strict=True))
    return claim(left, "<=", right, "triangle inequality; weights are >= 0")


@aggregation.step("Conclusion: one class moves them by its largest weight times its change", uses=[means])
def one_class(s: MixtureSetting) -> Claim:
    """The theorem."""
    w = posterior(s)
    rows = []
    for k, (change, _) in product(range(len(w)), draws(s)):
        rows.append((np.abs(at_choices(s, w[k]) * change[k]).max(), w[k].max() * np.abs(change[k]).max()))
    left, right = map(np.array, zip(*rows, strict=True))
    return claim(left, "<=", right, "take the maxima")


@aggregation.step("Other weights: sum of Delta w_k R_k = sum of Delta w_k (R_k - c) for any c")
def centred(s: MixtureSetting) -> Claim:
    """At c the middle of the smallest and the largest R_k of the choice."""
    w, r = posterior(s), s.mixture.rewards
    middle = (r.max(axis=0) + r.min(axis=0)) / 2
    left = [(at_choices(s, other - w) * r).sum(axis=0) for _, other in draws(s)]
    right = [(at_choices(s, other - w) * (r - middle)).sum(axis=0) for _, other in draws(s)]
    return claim(left, "==", right, "changes of weights add up to 0")


@aggregation.step("Conclusion: they move by half of |Delta w|_1 times the disagreement", uses=[centred])
def reweighted(s: MixtureSetting) -> Claim:
    """The theorem."""
    w, r = posterior(s), s.mixture.rewards
    left = [np.abs((at_choices(s, other - w) * r).sum(axis=0)).max() for _, other in draws(s)]
    right = [np.abs(other - w).sum(axis=0).max() / 2 * np.ptp(r, axis=0).max() for _, other in draws(s)]
    return claim(left, "<=", right, "|R_k - c| is half the disagreement at most")


# --------------------------------------------------------------------------------------------------

exact = Proof(of=[paper.POSTERIOR], settings=paper.grid)


@cache
def remembered(s: MixtureSetting):
    """For each prompt, its number, and the values of a random policy for it by each class's rewards."""
    rng = np.random.default_rng(2)
    rows = []
    for prompt in np.flatnonzero(s.mixture.shares @ s.mixture.prompts):
        weights = rng.exponential(size=s.mixture.mdp.choices)
        pi = weights / at_choices(s, per_state(s, weights))
        rows.append((prompt, pi, [evaluate(s, pi, r)[prompt] for r in s.mixture.rewards]))
    return rows


@exact.step("Given the prompt, the values of effective rewards are means of those of the classes")
def linear(s: MixtureSetting) -> Claim:
    """V_R = sum of w_k V_{R_k}, at the prompt, for the policy that this prompt gets."""
    w = posterior(s)
    left = [evaluate(s, pi, w[:, prompt] @ s.mixture.rewards)[prompt] for prompt, pi, _ in remembered(s)]
    right = [w[:, prompt] @ values for prompt, _, values in remembered(s)]
    return claim(left, "==", right, "values are linear in the rewards; no law depends on k", rounding=ROUNDING)


@exact.step("Conclusion: averaging over prompts is averaging over classes", uses=[linear])
def swapped(s: MixtureSetting) -> Claim:
    """Sum over k of p_k D_k V_k = sum over prompts of mu V_R."""
    w, mu = posterior(s), s.mixture.shares @ s.mixture.prompts
    left = sum(s.mixture.shares @ (s.mixture.prompts[:, prompt] * values) for prompt, _, values in remembered(s))
    right = sum(mu[prompt] * (w[:, prompt] @ values) for prompt, _, values in remembered(s))
    return claim(left, "==", right, "p_k D_k = mu w_k", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

shares_lose = Proof(of=[paper.SHARES_LOSE], settings=lambda: [next(iter(paper.unequal_prompts()))])


@shares_lose.step("Two prompts, one question: with weights 1/2 its two answers tie")
def shares_tie(s: MixtureSetting) -> Claim:
    """Effective rewards of choices 2 and 3."""
    return claim((s.mixture.shares @ s.mixture.rewards)[2:4], "==", 0.5, "each class pays for one of them")


@shares_lose.step("A policy that answers alike for both prompts earns g / 2; one that remembers earns g")
def halves(s: MixtureSetting) -> Claim:
    """For each of the two answers."""
    earned = []
    for answer in (2, 3):
        pi = np.isin(np.arange(5), [0, 1, answer, 4]).astype(float)
        by_class = [law @ evaluate(s, pi, r) for law, r in zip(s.mixture.prompts, s.mixture.rewards, strict=True)]
        earned.append(s.mixture.shares @ by_class)
    return claim(earned, "==", s.discount / 2, "one of two equally likely classes is served")


@shares_lose.step("Conclusion: a best policy for the shares loses g / 2 > 0", uses=[shares_tie, halves])
def lost(s: MixtureSetting) -> Claim:
    """As the answer does not depend on the prompt."""
    return claim(1000 * s.resolution, "<=", s.discount / 2, "and ties are broken alike for both prompts")


# --------------------------------------------------------------------------------------------------

sweep = Proof(of=[paper.CONVEX, paper.BREAKPOINTS], settings=lambda: list(paper.pairs())[:2])


@cache
def every_policy(s: MixtureSetting):
    """Values of all deterministic policies for both rewards, shape (policies, 2, S)."""
    pointers = s.mixture.mdp.first_choice
    rules = product(*(range(a, b) for a, b in pairwise(pointers)))
    numbers = np.arange(s.mixture.mdp.choices)
    policies = [np.isin(numbers, made).astype(float) for made in rules]
    return np.array([[evaluate(s, pi, r) for r in s.mixture.rewards] for pi in policies])


def best(s, w):
    """Largest value of any deterministic policy in each state."""
    of_first, of_second = every_policy(s)[:, 0], every_policy(s)[:, 1]
    return ((1 - w) * of_first + w * of_second).max(axis=0)


@sweep.step("Optimal values are the largest of finitely many lines in the weight")
def lines(s: MixtureSetting) -> Claim:
    """Against values that solve Bellman's equation, at some weights."""
    left, right = [], []
    for w in np.linspace(0, 1, 7):
        r = (1 - w) * s.mixture.rewards[0] + w * s.mixture.rewards[1]
        v = best(s, w)
        left.append(v)
        right.append(per_state(s, r + s.discount * laws(s) @ v, np.maximum))
    return claim(left, "==", right, "one deterministic policy is best in every state", rounding=ROUNDING)


@sweep.step("Conclusion: they are convex", uses=[lines])
def convex(s: MixtureSetting) -> Claim:
    """Between neighbours on a grid."""
    v = np.array([best(s, w) for w in np.linspace(0, 1, 101)])
    return claim(v[1:-1], "<=", (v[:-2] + v[2:]) / 2, "so is a maximum of lines", rounding=ROUNDING)


@sweep.step("Conclusion: the lines between breakpoints are enough", uses=[lines])
def enough(s: MixtureSetting) -> Claim:
    """The largest of the lines that stepping finds, at weights of a grid."""
    found = paper.weight_sweep(s.mixture.mdp, s.mixture.rewards, s.discount)
    weights = np.linspace(0, 1, 101)
    why = "a policy whose gaps are >= 0 is optimal, and the first gap to turn negative ends its piece"
    return claim(found.values(weights), "==", [best(s, w) for w in weights], why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

soft_sweep = Proof(of=[paper.WEIGHT_SLOPE, paper.CLIFF], settings=paper.pairs)


@soft_sweep.step("A step h of the weight changes rewards by h (R_2 - R_1), whose span bounds the move of a soft policy")
def speed(s: MixtureSetting) -> Claim:
    """TV <= tanh(omega / 4), with omega = h osc(R_2 - R_1) H / t; steps of a tenth."""
    r = s.mixture.rewards
    policies = [soft(s, s.temperature, (1 - w) * r[0] + w * r[1]) for w in np.linspace(0, 1, 11)]
    left = [tv(s, p, q).max() for p, q in pairwise(policies)]
    right = math.tanh(np.ptp(r[1] - r[0]) * s.horizon / s.temperature / 40)
    return claim(left, "<=", np.full(10, right), "the modulus of continuity of soft policies", rounding=1e-12)


@soft_sweep.step("Conclusion: tanh(x) <= x", uses=[speed])
def linear_speed(s: MixtureSetting) -> Claim:
    """The theorem at any step."""
    x = np.ptp(s.mixture.rewards[1] - s.mixture.rewards[0]) * s.horizon / s.temperature * np.geomspace(1e-3, 1, 10) / 4
    return claim(np.tanh(x), "<=", x, "concave for x >= 0")


@soft_sweep.step("Without a future, log-odds are linear in the weight")
def log_odds(s: MixtureSetting) -> Claim:
    """(1 - w) (R_1(0) - R_1(1)) + w (R_2(0) - R_2(1)) over t: of the first two choices, at discount 0."""
    s = MixtureSetting(s.mixture, 0.0, s.temperature)
    r = s.mixture.rewards
    left, right = [], []
    for w in np.linspace(0, 1, 11):
        pi = soft(s, s.temperature, (1 - w) * r[0] + w * r[1])
        left.append(math.log(pi[0] / pi[1]))
        right.append(((1 - w) * (r[0, 0] - r[0, 1]) + w * (r[1, 0] - r[1, 1])) / s.temperature)
    return claim(left, "==", right, "softmax", rounding=1e-12)


# --------------------------------------------------------------------------------------------------

deletion = Proof(of=[paper.DELETION], settings=paper.pools)


@deletion.step("In a pool, the posterior of a prompt is the share of its own copies")
def own_copies(s: MixtureSetting) -> Claim:
    """N_k(s_0) / sum over j of N_j(s_0): the numbers of other prompts cancel."""
    counts = s.mixture.shares[:, None] * s.mixture.prompts  # up to a constant
    seen = counts.any(axis=0)
    scaled = counts[:, seen] * 1000
    return claim(posterior(s)[:, seen], "==", scaled / scaled.sum(axis=0), "p_k = N_k / N and D_k = N_k(s_0) / N_k")


@deletion.step("Conclusion: it does not depend on the copies of other prompts", uses=[own_copies])
def others(s: MixtureSetting) -> Claim:
    """Delete each boundary prompt in turn, from the definition with p and D computed anew."""
    counts = s.mixture.shares[:, None] * s.mixture.prompts
    left, right = [], []
    for prompt in np.flatnonzero((counts > 0).sum(axis=0) > 1):
        rest = counts.copy()
        rest[:, prompt] = 0
        p, d = rest.sum(axis=1) / rest.sum(), rest / rest.sum(axis=1, keepdims=True)
        seen = rest.any(axis=0)
        left.append((p[:, None] * d / np.where(seen, p @ d, 1.0))[:, seen])
        right.append(posterior(s)[:, seen])
    return claim(np.concatenate(left, axis=1), "==", np.concatenate(right, axis=1), "insert")
