r"""Proofs of the smoothness of the return, and of what estimates from trajectories know.

Notation. :math:`z_t` the scores, :math:`S_t = \sum_{j \le t} z_j`, :math:`H_t = -\sum_{j \le t} I_{s_j}`. Moments of
:math:`S_t` are carried forward in time from their definitions, with plain NumPy.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from proofs_checks.fatkhullin2023 import ROUNDING, gradient, model, owner
from rltheory.simulation import stream
from rltheory.theorems.policy_methods import fatkhullin2023 as paper
from rltheory.theorems.policy_methods import fatkhullin2023_moments as moments
from rltheory.theorems.policy_methods.parametric_process import ParametricProcess, processes
from rltheory.theory import Claim, Proof, claim

STEPS = 60


class Forward(NamedTuple):
    """Moments with the choice of step t, row t for each step; the last axes are those of the parameters."""

    laws: np.ndarray  # (T, C) probability
    first: np.ndarray  # (T, C, P) E[S_t; c]
    second: np.ndarray  # (T, C, P, P) E[S_t S_t'; c]
    curved: np.ndarray  # (T, C, P, P) E[S_t S_t' + H_t; c]
    information: np.ndarray  # (S, P, P)


def point(s):
    """Parameters of the setting."""
    return s.scale * stream(0, "proof", "point").standard_normal(s.policies.parameters)


@cache
def forward(s, steps=STEPS):
    """Carry moments forward."""
    m, own, size = model(s, point(s)), owner(s), s.policies.parameters
    weighted = m.weights[:, None] * m.made
    z1 = weighted.T @ m.scores
    z2 = np.array([(m.scores * weighted[:, [c]]).T @ m.scores for c in range(s.mdp.choices)])
    information = np.array([z2[own == state].sum(0) for state in range(s.mdp.states)])
    law, first = s.mdp.initial, np.zeros((s.mdp.states, size))
    second, curved = np.zeros((2, s.mdp.states, size, size))
    rows = []
    for _ in range(steps):
        a, mixed = first[own], first[own][:, :, None] * z1[:, None]
        mixed = mixed + mixed.swapaxes(1, 2)
        pi = m.policy[:, None, None]
        chosen = law[own] * m.policy
        ones = a * m.policy[:, None] + law[own][:, None] * z1
        twos = second[own] * pi + mixed + law[own][:, None, None] * z2
        bent = curved[own] * pi + mixed + law[own][:, None, None] * (z2 - information[own] * pi)
        rows.append((chosen, ones, twos, bent))
        law, first, second, curved = (np.tensordot(s.laws, part, (0, 0)) for part in (chosen, ones, twos, bent))
    return Forward(*(np.array(column) for column in zip(*rows, strict=True)), information)


smooth = Proof(of=[moments.GRADIENT_NORM, moments.HESSIAN_NORM, moments.TRUNCATION], settings=processes)
T = np.arange(STEPS)


@smooth.step("The variance of <u, z> in a state is v |u|^2 at most")
def variance(s: ParametricProcess) -> Claim:
    """Largest eigenvalues of the information of states."""
    why = "Popoviciu: a quarter of the squared range, which is 2 |u|^2 at most; or the variance of a normal variable"
    v = 0.5 if s.is_softmax else s.deviation**-2
    return claim(np.linalg.eigvalsh(forward(s).information).max(axis=1), "<=", v, why, rounding=1e-9)


@smooth.step("E S_t S_t' = sum of E I_{s_j}")
def martingale(s: ParametricProcess) -> Claim:
    """Scores are uncorrelated."""
    f = forward(s)
    visits = np.cumsum(f.laws @ (owner(s)[:, None] == np.arange(s.mdp.states)), axis=0)
    right = np.tensordot(visits, f.information, (1, 0))
    return claim(f.second.sum(1), "==", right, "scores have mean 0, given the past", rounding=1e-8)


@smooth.step("Hence E <u, S_t>^2 <= v (t + 1)", uses=[variance, martingale])
def growth(s: ParametricProcess) -> Claim:
    """For every unit vector."""
    v = 0.5 if s.is_softmax else s.deviation**-2
    left = np.linalg.eigvalsh(forward(s).second.sum(1)).max(axis=1)
    return claim(left, "<=", v * (T + 1), "t + 1 terms", rounding=1e-8)


@smooth.step("E S_t = 0")
def score_mean(s: ParametricProcess) -> Claim:
    """Rewards may be shifted in gradients."""
    return claim(forward(s).first.sum(1), "==", 0.0, "scores have mean 0, given the past", rounding=1e-9)


@smooth.step("E [S_t S_t' + H_t] = 0", uses=[martingale])
def curvature_mean(s: ParametricProcess) -> Claim:
    """And in Hessians."""
    return claim(forward(s).curved.sum(1), "==", 0.0, "what the martingale gathers, H takes off", rounding=1e-8)


@smooth.step("The gradient is the sum of gamma^t E r_t S_t", uses=[score_mean])
def as_sum(s: ParametricProcess) -> Claim:
    """What 60 steps leave out is bounded as below."""
    f = forward(s, 700)
    sums = s.discount ** np.arange(700) @ (f.first * s.mdp.rewards[:, None]).sum(1)
    return claim(sums, "==", gradient(s, model(s, point(s))), "derivative of a product of probabilities", rounding=1e-8)


@smooth.step("Each |E r_t S_t| is sqrt(v (t + 1)) / 2 at most", uses=[growth, score_mean])
def each_gradient(s: ParametricProcess) -> Claim:
    """Rewards less 1/2 have size 1/2."""
    v = 0.5 if s.is_softmax else s.deviation**-2
    left = np.linalg.norm((forward(s).first * s.mdp.rewards[:, None]).sum(1), axis=1)
    return claim(left, "<=", np.sqrt(v * (T + 1)) / 2, "Cauchy-Schwarz", rounding=ROUNDING)


@smooth.step("The mean of sqrt(H + t + 1) over the geometric law of t is sqrt(H + 1 / (1 - gamma)) at most")
def concave(s: ParametricProcess) -> Claim:
    """For H from 0 on."""
    t = np.arange(20_000)
    left = [(1 - s.discount) * (s.discount**t) @ np.sqrt(length + t + 1) for length in range(0, 60, 10)]
    right = [np.sqrt(length + 1 / (1 - s.discount)) for length in range(0, 60, 10)]
    return claim(left, "<=", right, "Jensen's inequality; the mean of t + 1 is 1 / (1 - gamma)", rounding=ROUNDING)


@smooth.step("Conclusion for the gradient, and for what lies beyond H", uses=[as_sum, each_gradient, concave])
def gradients(s: ParametricProcess) -> Claim:
    """H = 0 is the gradient itself."""
    v = 0.5 if s.is_softmax else s.deviation**-2
    terms = s.discount ** T[:, None] * (forward(s).first * s.mdp.rewards[:, None]).sum(1)
    whole, lengths = gradient(s, model(s, point(s))), np.arange(0, 60, 10)
    left = [np.linalg.norm(whole - terms[:length].sum(0)) for length in lengths]
    h = 1 / (1 - s.discount)
    return claim(left, "<=", s.discount**lengths * h / 2 * np.sqrt(v * (lengths + h)), "add up", rounding=1e-8)


@smooth.step("Each |E r_t (S_t S_t' + H_t)| is v (t + 1) at most", uses=[growth, curvature_mean])
def each_hessian(s: ParametricProcess) -> Claim:
    """Half of E <u, S>^2 - E u' H u, which are the same."""
    v = 0.5 if s.is_softmax else s.deviation**-2
    products = (forward(s).curved * s.mdp.rewards[:, None, None]).sum(1)
    left = np.abs(np.linalg.eigvalsh(products)).max(axis=1)
    return claim(left, "<=", v * (T + 1), "rewards less 1/2 have size 1/2", rounding=1e-8)


@smooth.step("Conclusion for the Hessian: sum of (t + 1) gamma^t = 1 / (1 - gamma)^2", uses=[each_hessian])
def hessians(s: ParametricProcess) -> Claim:
    """The Hessian is the sum of gamma^t E r_t (S_t S_t' + H_t)."""
    v = 0.5 if s.is_softmax else s.deviation**-2
    products = (forward(s, 700).curved * s.mdp.rewards[:, None, None]).sum(1)
    left = np.linalg.norm(np.tensordot(s.discount ** np.arange(700), products, (0, 0)), 2)
    return claim(left, "<=", v / (1 - s.discount) ** 2, "add up", rounding=1e-8)


difference = Proof(of=[paper.HESSIAN_DIFFERENCE], settings=paper.moderate)


@difference.step("The derivative of the gradient along a segment is the Hessian times its direction")
def derivative(s: ParametricProcess) -> Claim:
    """At the setting's point, by a central difference."""
    along = stream(0, "proof", "direction").standard_normal(s.policies.parameters)
    hessian = np.tensordot(
        s.discount ** np.arange(700), (forward(s, 700).curved * s.mdp.rewards[:, None, None]).sum(1), (0, 0)
    )
    small = 1e-5 * s.deviation
    ends = [gradient(s, model(s, point(s) + sign * small * along)) for sign in (1, -1)]
    right = hessian @ along
    scale = 1 + np.abs(right).max()
    why = "the Hessian is the derivative of the gradient"
    return claim((ends[0] - ends[1]) / (2 * small), "==", right, why, rounding=1e-5 * scale)


@difference.step("Conclusion: its mean over the segment is the difference of the ends", uses=[derivative])
def fundamental(s: ParametricProcess) -> Claim:
    """Differences over short pieces add up to that over the whole, whatever their number."""
    along = stream(0, "proof", "direction").standard_normal(s.policies.parameters)
    values = np.array([gradient(s, model(s, point(s) + q * along)) for q in np.linspace(0, 1, 11)])
    return claim(np.diff(values, axis=0).sum(0), "==", values[-1] - values[0], "fundamental theorem", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

second = Proof(of=[moments.SECOND_MOMENT], settings=processes)


def largest_square(s):
    """Largest mean square of a score."""
    return 1 - 1 / np.diff(s.mdp.first_choice).max() if s.is_softmax else s.deviation**-2


@second.step("The mean square of a score is G^2 at most")
def trace_bound(s: ParametricProcess) -> Claim:
    """For softmax it is 1 less the sum of squared probabilities."""
    left = np.trace(forward(s).information, axis1=1, axis2=2)
    return claim(left, "<=", largest_square(s), "1 - sum p^2 <= 1 - 1/A, by Cauchy-Schwarz", rounding=1e-9)


@second.step("Hence E |S_h|^2 <= (h + 1) G^2", uses=[trace_bound])
def score_growth(s: ParametricProcess) -> Claim:
    """Scores are uncorrelated."""
    left = np.trace(forward(s).second.sum(1), axis1=1, axis2=2)
    return claim(left, "<=", (T + 1) * largest_square(s), "martingale differences", rounding=1e-8)


@second.step("g is the sum of gamma^h r_h S_h, so |g|^2 <= sum of gamma^h |S_h|^2 over 1 - gamma", uses=[score_growth])
def weighted_square(s: ParametricProcess) -> Claim:
    """For any scores and rewards in [0, 1]."""
    rng = stream(0, "proof", "scores")
    sums, rewards = np.cumsum(rng.standard_normal((50, STEPS, 3)), axis=1), rng.random((50, STEPS))
    weights = s.discount**T
    left = ((weights[:, None] * rewards[:, :, None] * sums).sum(1) ** 2).sum(1)
    right = (weights * (sums**2).sum(2)).sum(1) / (1 - s.discount)
    return claim(left, "<=", right, "Jensen's inequality with weights gamma^h, which add up to 1 / (1 - gamma)")


@second.step("Conclusion: sum of gamma^h (h + 1) = 1 / (1 - gamma)^2", uses=[score_growth, weighted_square])
def second_moment(s: ParametricProcess) -> Claim:
    """In expectation."""
    left = s.discount**T @ np.trace(forward(s).second.sum(1), axis1=1, axis2=2) / (1 - s.discount)
    return claim(left, "<=", largest_square(s) / (1 - s.discount) ** 3, "add up", rounding=1e-8)


# --------------------------------------------------------------------------------------------------

unbiased = Proof(of=[moments.GPOMDP, moments.REINFORCE, moments.WEIGHTED, moments.HESSIAN], settings=moments.tiny)


class Paths(NamedTuple):
    """All trajectories, one in each row."""

    p: np.ndarray  # (N,)
    other: np.ndarray  # (N,) probability under other parameters
    z: np.ndarray  # (N, H, P)
    other_z: np.ndarray  # (N, H, P)
    rewards: np.ndarray  # (N, H) discounted
    information: np.ndarray  # (N, H, P, P)


@cache
def paths(s):
    """List them."""
    other_point = stream(0, "proof", "other").standard_normal(s.policies.parameters)
    here, there, f = model(s, point(s)), model(s, other_point), forward(s)
    rows = [(s.mdp.initial[state], s.mdp.initial[state], state, []) for state in range(s.mdp.states)]
    for _ in range(s.length):
        rows = [
            (p * here.policy[c] * s.laws[c, to], o * there.policy[c] * s.laws[c, to], to, [*made, c])
            for p, o, state, made in rows
            for c in np.flatnonzero(owner(s) == state)
            for to in np.flatnonzero(s.laws[c])
        ]
    made = np.array([row[3] for row in rows])
    return Paths(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        here.scores[made],
        there.scores[made],
        s.mdp.rewards[made] * s.discount ** np.arange(s.length),
        f.information[owner(s)[made]],
    )


def to_come(rewards):
    """Discounted sums from each step on."""
    return np.cumsum(rewards[:, ::-1], axis=1)[:, ::-1]


@unbiased.step("REINFORCE: the derivative of a probability is the probability times the sum of scores")
def reinforce(s: moments.Enumerated) -> Claim:
    """Against the gradient carried forward in time."""
    e, f = paths(s), forward(s)
    left = (e.p * e.rewards.sum(1)) @ e.z.sum(1)
    right = s.discount ** np.arange(s.length) @ (f.first[: s.length] * s.mdp.rewards[:, None]).sum(1)
    return claim(left, "==", right, "sum over trajectories", rounding=ROUNDING)


@unbiased.step("A score is not correlated with earlier rewards")
def earlier(s: moments.Enumerated) -> Claim:
    """E r_h z_t = 0 for h < t."""
    e = paths(s)
    left = [e.p @ (e.rewards[:, [h]] * e.z[:, t]) for t in range(s.length) for h in range(t)]
    return claim(left, "==", 0.0, "scores have mean 0, given the past", rounding=ROUNDING)


@unbiased.step("GPOMDP: leave these terms out", uses=[reinforce, earlier])
def gpomdp(s: moments.Enumerated) -> Claim:
    """Returns from each step on."""
    e = paths(s)
    left = e.p @ (to_come(e.rewards)[:, :, None] * e.z).sum(1)
    return claim(left, "==", (e.p * e.rewards.sum(1)) @ e.z.sum(1), "the difference has mean 0", rounding=ROUNDING)


@unbiased.step("Weighted: change of measure", uses=[gpomdp])
def weighted(s: moments.Enumerated) -> Claim:
    """Sampled here, meant for there."""
    e = paths(s)
    g = (to_come(e.rewards)[:, :, None] * e.other_z).sum(1)
    possible = e.p > 0
    left = (e.p * np.divide(e.other, e.p, out=np.zeros_like(e.p), where=possible)) @ g
    return claim(left, "==", e.other @ g, "trajectories of positive probability are the same", rounding=ROUNDING)


@unbiased.step("Hessian: differentiate E <g, u> once more", uses=[gpomdp])
def hessian(s: moments.Enumerated) -> Claim:
    """E [grad <g, u> + <S, u> g] against the Hessian carried forward in time."""
    e, f = paths(s), forward(s)
    u = stream(0, "proof", "vector").standard_normal(s.policies.parameters)
    g = (to_come(e.rewards)[:, :, None] * e.z).sum(1)
    bent = -(to_come(e.rewards)[:, :, None] * (e.information @ u)).sum(1)
    left = e.p @ (bent + (e.z.sum(1) @ u)[:, None] * g)
    terms = (f.curved[: s.length] * s.mdp.rewards[:, None, None]).sum(1)
    right = np.tensordot(s.discount ** np.arange(s.length), terms, (0, 0)) @ u
    why = "product rule; E g S' is symmetric, as Hessians and E I are"
    return claim(left, "==", right, why, rounding=ROUNDING)
