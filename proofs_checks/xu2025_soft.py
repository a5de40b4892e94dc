r"""Proofs that soft policies are continuous, of what smoothing costs, and of the limit at temperature zero.

Notation. :math:`Q, V, \pi` soft values and policy at temperature t for rewards r, :math:`Q', V', \pi'` for
:math:`r + \delta`; g the discount, H = 1 / (1 - g); osc the largest minus the smallest entry; M the largest number of
choices in a state. Everything is recomputed here with plain NumPy, from the definitions.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.theorems.policy_cliff import xu2025_soft as paper
from rltheory.theorems.policy_cliff.xu2025_soft import SoftProcess
from rltheory.theory import Claim, Proof, claim


class Soft(NamedTuple):
    """Soft values of states and choices, and log-policy."""

    v: np.ndarray
    q: np.ndarray
    log_pi: np.ndarray


def per_state(s, x, of=np.add):
    """Sums, or maxima, over the choices of each state."""
    return of.reduceat(x, s.mdp.first_choice[:-1])


def soft(s, t, r):
    """Newton's method: evaluate the soft policy of the values until nothing changes."""
    of = s.mdp.state_of_choice
    v = np.zeros(s.mdp.states)
    for _ in range(200):
        q = r + s.discount * s.laws @ v
        z = s.log_reference + q / t
        top = per_state(s, z, np.maximum)
        log_sum = top + np.log(per_state(s, np.exp(z - top[of])))
        log_pi = z - log_sum[of]
        new = evaluate(s, np.exp(log_pi), r - t * (log_pi - s.log_reference))
        if np.abs(new - v).max() <= 1e-15 * np.abs(new).max():
            break
        v = new
    return Soft(v, q, log_pi)


def evaluate(s, pi, r):
    """(1 - g P_pi)^-1 r_pi."""
    return reach(s, pi) @ per_state(s, pi * r)


def reach(s, pi):
    """Discounted visits from each state (row) to each state."""
    p_pi = np.add.reduceat(pi[:, None] * s.laws, s.mdp.first_choice[:-1], axis=0)
    return np.linalg.inv(np.eye(s.mdp.states) - s.discount * p_pi)


def optimal(s, r):
    """Values of choices and states, by policy iteration from the best rewards."""
    of, v = s.mdp.state_of_choice, np.zeros(s.mdp.states)
    for _ in range(100):
        q = r + s.discount * s.laws @ v
        first = np.array(
            [a + np.argmax(q[a:b]) for a, b in zip(s.mdp.first_choice[:-1], s.mdp.first_choice[1:], strict=True)]
        )
        v = evaluate(s, np.isin(np.arange(of.size), first).astype(float), r)
    return q, per_state(s, q, np.maximum)


@cache
def play(s: SoftProcess) -> list[tuple[float, Soft, Soft]]:
    """Scale of the perturbation, and soft solutions without and with it."""
    t, r = s.temperature, s.mdp.rewards
    return [(scale, soft(s, t, r), soft(s, t, r + scale * s.change)) for scale in (1.0, 0.25, 2.0**-6)]


@cache
def sweep(s: SoftProcess) -> list[tuple[float, Soft]]:
    """Temperatures and soft solutions."""
    return [(s.temperature / k, soft(s, s.temperature / k, s.mdp.rewards)) for k in range(1, s.coolings + 1)]


@cache
def hard(s: SoftProcess) -> tuple[np.ndarray, np.ndarray]:
    """Optimal values of states, and gaps of choices."""
    q, v = optimal(s, s.mdp.rewards)
    return v, v[s.mdp.state_of_choice] - q


def rounding(s: SoftProcess) -> float:
    """Values are known to some eps times the square of the horizon, as in the theorems."""
    return s.value_rounding(s.temperature) + 1e-12


def osc(s, x):
    """Largest minus smallest entry over the choices of each state."""
    return per_state(s, x, np.maximum) + per_state(s, -x, np.maximum)


def tv(s, log_p, log_q):
    """Total variation in each state."""
    return per_state(s, np.abs(np.exp(log_p) - np.exp(log_q))) / 2


def kl(s, log_p, log_q):
    """Divergence in each state."""
    return per_state(s, np.exp(log_p) * (log_p - log_q))


def all_of(rows):
    """Two columns of a list of pairs of arrays, each as one vector."""
    pairs = [np.broadcast_arrays(*map(np.atleast_1d, row)) for row in rows]
    return tuple(np.concatenate(side) for side in zip(*pairs, strict=True))


# --------------------------------------------------------------------------------------------------

continuity = Proof(of=[paper.TANH, paper.KL], settings=paper.grid)


@continuity.step("A constant c in the rewards adds c H to soft values, and more rewards do not lessen them")
def shift(s: SoftProcess) -> Claim:
    """min(delta) H <= V' - V <= max(delta) H, here the upper side."""
    left, right = all_of([(b.v - a.v, scale * s.change.max() * s.horizon) for scale, a, b in play(s)])
    return claim(
        left - right, "<=", 0.0, "the soft operator is monotone, and moves g c under V + c", rounding=rounding(s)
    )


@continuity.step("Hence osc(Q' - Q) <= osc(delta) H", uses=[shift])
def spread(s: SoftProcess) -> Claim:
    """Over all choices, so in particular over those of one state."""
    left, right = all_of([(np.ptp(b.q - a.q), scale * s.span * s.horizon) for scale, a, b in play(s)])
    return claim(left, "<=", right, "osc(delta) + g osc(delta) H = osc(delta) H", rounding=rounding(s))


@continuity.step("Hence the log-ratio of the policies has span omega at most in each state", uses=[spread])
def log_ratio(s: SoftProcess) -> Claim:
    """Log pi' - log pi = (Q' - Q) / t - (V' - V) / t."""
    t = s.temperature
    left, right = all_of([(osc(s, b.log_pi - a.log_pi), scale * s.span * s.horizon / t) for scale, a, b in play(s)])
    return claim(left, "<=", right, "the reference cancels, and V depends on the state alone", rounding=rounding(s) / t)


@continuity.step("For ratios p/q in [m, m e^w]: TV <= (m e^w - 1)(1 - m) / (m (e^w - 1))")
def two_point(s: SoftProcess) -> Claim:
    """With x = q(p >= q): TV <= x (m e^w - 1) and TV <= (1 - x)(1 - m); their smaller is largest where they agree."""
    rows = []
    for _, a, b in play(s):
        ratio = b.log_pi - a.log_pi
        w, m = osc(s, ratio), np.exp(-per_state(s, -ratio, np.maximum))
        wide = w > 1e-6
        w, m = w[wide], m[wide]
        rows.append((tv(s, a.log_pi, b.log_pi)[wide], (m * np.exp(w) - 1) * (1 - m) / (m * np.expm1(w))))
    left, right = all_of(rows)
    why = "TV is the mass that p has above q, and the mass that it has below"
    return claim(left, "<=", right, why, rounding=1e-6 * rounding(s) + 1e-9)


@continuity.step("This is largest at m = e^(-w/2), where it is tanh(w/4)")
def worst_ratio(s: SoftProcess) -> Claim:
    """For w and m <= 1 <= m e^w on a grid."""
    w = np.geomspace(1e-2, 20, 30)[:, None]
    m = np.exp(-w * np.linspace(0, 1, 41))
    right = np.broadcast_to(np.tanh(w / 4), m.shape)
    return claim((m * np.exp(w) - 1) * (1 - m) / (m * np.expm1(w)), "<=", right, "m e^w + 1 / m >= 2 e^(w/2)")


@continuity.step("Conclusion: TV <= tanh(omega / 4)", uses=[log_ratio, two_point, worst_ratio])
def distance(s: SoftProcess) -> Claim:
    """The theorem."""
    rows = [(tv(s, a.log_pi, b.log_pi), math.tanh(k * s.span * s.horizon / s.temperature / 4)) for k, a, b in play(s)]
    left, right = all_of(rows)
    return claim(left, "<=", right, "tanh increases", rounding=rounding(s) / s.temperature)


@continuity.step("KL(p | q) with q ~ p e^x is log E_p exp(x - E_p x)")
def cumulant(s: SoftProcess) -> Claim:
    """At x = log pi' - log pi, up to a constant."""
    rows = []
    for _, a, b in play(s):
        x, p = b.log_pi - a.log_pi, np.exp(a.log_pi)
        mean = per_state(s, p * x)[s.mdp.state_of_choice]
        rows.append((kl(s, a.log_pi, b.log_pi), np.log(per_state(s, p * np.exp(x - mean)))))
    left, right = all_of(rows)
    return claim(left, "==", right, "the normaliser of q", rounding=1e-12)


@continuity.step("Conclusion: KL <= omega^2 / 8", uses=[log_ratio, cumulant])
def divergence(s: SoftProcess) -> Claim:
    """The theorem."""
    rows = [(kl(s, a.log_pi, b.log_pi), (k * s.span * s.horizon / s.temperature) ** 2 / 8) for k, a, b in play(s)]
    left, right = all_of(rows)
    return claim(left, "<=", right, "Hoeffding's lemma", rounding=1e-12)


# --------------------------------------------------------------------------------------------------

losses = Proof(of=[paper.LOSS_IDENTITY, paper.QUADRATIC], settings=lambda: [*paper.grid(), *paper.small_changes()])


def of_other(s, a, b, scale):
    """Soft values of pi for the rewards of pi'."""
    r = s.mdp.rewards + scale * s.change
    return evaluate(s, np.exp(a.log_pi), r - s.temperature * (a.log_pi - s.log_reference))


@losses.step("One decision: V' = E_pi (Q' - t log(pi / mu)) + t KL(pi | pi')")
def one_decision(s: SoftProcess) -> Claim:
    """In each state."""
    rows = []
    for _, a, b in play(s):
        gained = b.q - s.temperature * (a.log_pi - s.log_reference)
        right = per_state(s, np.exp(a.log_pi) * gained) + s.temperature * kl(s, a.log_pi, b.log_pi)
        rows.append((b.v, right))
    left, right = all_of(rows)
    return claim(left, "==", right, "insert log pi' = log mu + (Q' - V') / t", rounding=rounding(s))


@losses.step("Identity: the loss is t times the divergences along the way of pi", uses=[one_decision])
def along_the_way(s: SoftProcess) -> Claim:
    """From every state, which is more than from the first law."""
    rows = []
    for scale, a, b in play(s):
        right = s.temperature * reach(s, np.exp(a.log_pi)) @ kl(s, a.log_pi, b.log_pi)
        rows.append((b.v - of_other(s, a, b, scale), right))
    left, right = all_of(rows)
    return claim(left, "==", right, "V' - V'^pi = t KL + g P_pi (V' - V'^pi)", rounding=rounding(s))


@losses.step("Conclusion: the loss is at most osc(delta)^2 H^3 / (8 t)", uses=[along_the_way])
def quadratic(s: SoftProcess) -> Claim:
    """The theorem, with the divergence of the theorem before."""
    rows = []
    for scale, a, b in play(s):
        right = (scale * s.span) ** 2 * s.horizon**3 / (8 * s.temperature)
        rows.append((b.v - of_other(s, a, b, scale), right))
    left, right = all_of(rows)
    return claim(left, "<=", right, "t H omega^2 / 8, as visits add up to H", rounding=rounding(s))


# --------------------------------------------------------------------------------------------------

price = Proof(of=[paper.SOFT_VALUES, paper.PRICE], settings=paper.cooling_grid)


@price.step("From below: V* <= V")
def below(s: SoftProcess) -> Claim:
    """Slack at every temperature."""
    left, right = all_of([(hard(s)[0] - x.v, 0.0) for _, x in sweep(s)])
    return claim(left, "<=", right, "a sum of exponentials exceeds each of them", rounding=rounding(s))


@price.step("V = V^pi + t times the discounted entropy of pi")
def with_entropy(s: SoftProcess) -> Claim:
    """At every temperature."""
    rows = []
    for t, x in sweep(s):
        pi = np.exp(x.log_pi)
        entropy = reach(s, pi) @ per_state(s, -pi * x.log_pi)
        rows.append((x.v, evaluate(s, pi, s.mdp.rewards) + t * entropy))
    left, right = all_of(rows)
    return claim(left, "==", right, "the soft policy attains the soft values", rounding=rounding(s))


@price.step("Conclusion: V - V* <= t log M H", uses=[with_entropy])
def above(s: SoftProcess) -> Claim:
    """The theorem."""
    left, right = all_of([(x.v - hard(s)[0], t * s.log_choices * s.horizon) for t, x in sweep(s)])
    why = "V^pi <= V*, and an entropy is log M at most"
    return claim(left, "<=", right, why, rounding=rounding(s))


@price.step("Conclusion: V* - V^pi <= t log M H", uses=[below, with_entropy])
def lost(s: SoftProcess) -> Claim:
    """The theorem."""
    rows = []
    for t, x in sweep(s):
        rows.append((hard(s)[0] - evaluate(s, np.exp(x.log_pi), s.mdp.rewards), t * s.log_choices * s.horizon))
    left, right = all_of(rows)
    return claim(left, "<=", right, "V* <= V = V^pi + t entropy", rounding=rounding(s))


# --------------------------------------------------------------------------------------------------

rare = Proof(of=[paper.CONCENTRATION], settings=paper.cooling_grid)


@rare.step("Q <= Q* + g t log M H, and V >= V*")
def values_of_choices(s: SoftProcess) -> Claim:
    """By the bounds of soft values, one step later."""
    v, gaps = hard(s)
    q = v[s.mdp.state_of_choice] - gaps
    left, right = all_of([(x.q - q, s.discount * t * s.log_choices * s.horizon) for t, x in sweep(s)])
    return claim(left, "<=", right, "Q - Q* = g P (V - V*)", rounding=rounding(s))


@rare.step("Conclusion: gaps <= -t log pi + g t log M H", uses=[values_of_choices])
def gaps_by_probability(s: SoftProcess) -> Claim:
    """The theorem, for every choice."""
    rows = [(hard(s)[1], -t * x.log_pi + s.discount * t * s.log_choices * s.horizon) for t, x in sweep(s)]
    left, right = all_of(rows)
    return claim(left, "<=", right, "t log pi = Q - V <= Q* - V* + g t log M H", rounding=rounding(s))


# --------------------------------------------------------------------------------------------------

bandit = Proof(of=[paper.PRICE_OF_A_BANDIT], settings=paper.bandits)


@bandit.step("With u = gaps / t and m = loss / t: m = sum over the other arms of e^-u (u - m)")
def balance(s: SoftProcess) -> Claim:
    """Sum over all arms is 0, and the best arm gives -m."""
    u, m = zip(*[(hard(s)[1] / t, np.exp(x.log_pi) @ hard(s)[1] / t) for t, x in sweep(s)], strict=True)
    right = [(np.exp(-x) * (x - y)).sum() + y for x, y in zip(u, m, strict=True)]
    return claim(m, "==", right, "m is the mean of u under e^-u", rounding=1e-10)


@bandit.step("e^-u (u - m) <= e^-(1 + m)")
def one_arm(s: SoftProcess) -> Claim:
    """For all u and m >= 0 on a grid."""
    u, m = np.linspace(0, 20, 101)[:, None], np.linspace(0, 10, 51)
    return claim(np.exp(-u) * (u - m), "<=", np.exp(-1 - m) + 0 * u, "the maximum is at u = 1 + m")


@bandit.step("Conclusion: m e^m <= (M - 1) / e", uses=[balance, one_arm])
def lambert(s: SoftProcess) -> Claim:
    """So m <= W((M - 1) / e)."""
    m = np.array([np.exp(x.log_pi) @ hard(s)[1] / t for t, x in sweep(s)])
    return claim(m * np.exp(m), "<=", (s.mdp.choices - 1) / math.e + 0 * m, "m <= (M - 1) e^-(1 + m)")


# --------------------------------------------------------------------------------------------------

wrong_rewards = Proof(
    of=[paper.MISSPECIFICATION_GREEDY, paper.MISSPECIFICATION], settings=lambda: [*paper.grid(), *paper.small_changes()]
)


def judged(s, pi, scale):
    """Loss of a policy for the true rewards."""
    r = s.mdp.rewards + scale * s.change
    return optimal(s, r)[1] - evaluate(s, pi, r)


@wrong_rewards.step("Every policy: (V'* - V'^pi) - (V* - V^pi) <= osc(delta) H")
def two_values(s: SoftProcess) -> Claim:
    """For the soft policy, or any other."""
    rows = []
    for scale, a, _ in play(s):
        pi = np.exp(a.log_pi)
        rows.append((judged(s, pi, scale) - judged(s, pi, 0.0), scale * s.span * s.horizon))
    left, right = all_of(rows)
    why = "V'* - V* <= max(delta) H, and V'^pi - V^pi >= min(delta) H"
    return claim(left, "<=", right, why, rounding=rounding(s))


@wrong_rewards.step("Conclusion for an optimal policy of r, whose V* - V^pi is 0", uses=[two_values])
def greedy(s: SoftProcess) -> Claim:
    """The theorem, for the policy of the first best choices."""
    pi = np.isin(np.arange(s.mdp.choices), s.optimum.policy).astype(float)
    left, right = all_of([(judged(s, pi, scale), scale * s.span * s.horizon) for scale, _, _ in play(s)])
    return claim(left, "<=", right, "insert", rounding=rounding(s))


@wrong_rewards.step("Conclusion for the soft policy, whose V* - V^pi is t log M H at most", uses=[two_values])
def smoothed(s: SoftProcess) -> Claim:
    """The theorem, without a reference; with one, the claim is about the other term alone."""
    rows = []
    for scale, a, _ in play(s):
        pi = np.exp(a.log_pi)
        smoothing = s.temperature * s.log_choices * s.horizon if s.reference is None else judged(s, pi, 0.0)
        rows.append((judged(s, pi, scale), scale * s.span * s.horizon + smoothing))
    left, right = all_of(rows)
    return claim(left, "<=", right, "the price of smoothing", rounding=rounding(s))


# --------------------------------------------------------------------------------------------------

product = Proof(of=[paper.STABILITY_PERFORMANCE], settings=paper.cooling_grid)


@product.step("TV <= |delta| H / (2 t)")
def stable(s: SoftProcess) -> Claim:
    """The exact modulus, made linear."""
    rows = []
    for t, x in sweep(s):
        y = soft(s, t, s.mdp.rewards + s.change)
        rows.append((tv(s, x.log_pi, y.log_pi), s.size * s.horizon / (2 * t)))
    left, right = all_of(rows)
    return claim(left, "<=", right, "tanh(x) <= x, osc(delta) <= 2 |delta|", rounding=rounding(s) / s.coldest)


@product.step("Conclusion: times the loss, t cancels", uses=[stable])
def cancelled(s: SoftProcess) -> Claim:
    """|delta| H / (2 t) times t log M H."""
    t = np.array([t for t, _ in sweep(s)])
    left = (s.size * s.horizon / (2 * t)) * (t * s.log_choices * s.horizon)
    return claim(left, "==", s.size * s.log_choices * s.horizon**2 / 2, "multiply")


# --------------------------------------------------------------------------------------------------

cold = Proof(of=[paper.ZERO_TEMPERATURE, paper.ZERO_TEMPERATURE_POLICY], settings=paper.limit_grid)


@cache
def tangent(s: SoftProcess) -> np.ndarray:
    """h, by iteration; choices with gaps below 1e-9 are optimal."""
    h = np.zeros(s.mdp.states)
    for _ in range(2000):
        h = log_sum(s, h, np.inf)
    return h


def log_sum(s, h, cold):
    """Log of the sum of mu exp(g P h - gaps * cold) in each state, where 0 * inf is 0."""
    gaps = hard(s)[1]
    worse = gaps > 1e-9
    z = s.log_reference + s.discount * s.laws @ h - np.where(worse, np.where(worse, gaps, 1.0) * cold, 0.0)
    return np.log(per_state(s, np.exp(z)))


def slopes(s, t, x):
    """h_t = (V - V*) / t."""
    return (x.v - hard(s)[0]) / t


@cold.step("h_t is a fixed point too: h_t = log sum mu exp(g P h_t - gaps / t)")
def warm_fixed_point(s: SoftProcess) -> Claim:
    """At every temperature."""
    left, right = all_of([(slopes(s, t, x), log_sum(s, slopes(s, t, x), 1 / t)) for t, x in sweep(s)])
    return claim(left, "==", right, "Q - V* = t g P h_t - gaps", rounding=rounding(s) / s.coldest)


@cold.step("Both maps contract by g, so |h_t - h| <= H |T_t h - T_0 h|", uses=[warm_fixed_point])
def contraction(s: SoftProcess) -> Claim:
    """With h the fixed point of T_0."""
    h = tangent(s)
    rows = [
        (np.abs(slopes(s, t, x) - h).max(), s.horizon * np.abs(log_sum(s, h, 1 / t) - h).max()) for t, x in sweep(s)
    ]
    left, right = all_of(rows)
    why = "|h_t - h| <= |T_t h_t - T_t h| + |T_t h - T_0 h|"
    return claim(left, "<=", right, why, rounding=rounding(s) / s.coldest)


@cold.step("Conclusion: T_t h - T_0 h is the logarithm of 1 + the weights of what is not optimal", uses=[contraction])
def rate(s: SoftProcess) -> Claim:
    """The bound, as the theorem computes it."""
    h, gaps = tangent(s), hard(s)[1]
    weights = np.exp(s.log_reference + s.discount * s.laws @ h - h[s.mdp.state_of_choice])
    rows = []
    for t, _ in sweep(s):
        others = per_state(s, weights * np.where(gaps > 1e-9, np.exp(-gaps / t), 0.0))
        rows.append((s.horizon * np.abs(log_sum(s, h, 1 / t) - h).max(), s.horizon * np.log1p(others).max()))
    left, right = all_of(rows)
    return claim(left, "==", right, "T_0 h = h", rounding=rounding(s) / s.coldest)


@cold.step("h_t >= h")
def from_above(s: SoftProcess) -> Claim:
    """In every state, at every temperature."""
    left, right = all_of([(tangent(s) - slopes(s, t, x), 0.0) for t, x in sweep(s)])
    return claim(left, "<=", right, "T_t >= T_0, and both are monotone", rounding=rounding(s) / s.coldest)


@cold.step("On optimal choices, the log-ratio of pi and pi_0 has span g |h_t - h| at most", uses=[from_above])
def span_on_optimal(s: SoftProcess) -> Claim:
    """Choices that are not optimal are left out."""
    h, best = tangent(s), hard(s)[1] <= 1e-9
    rows = []
    for t, x in sweep(s):
        ratio = x.log_pi - s.log_reference - s.discount * s.laws @ h
        top = per_state(s, np.where(best, ratio, -np.inf), np.maximum)
        low = per_state(s, np.where(best, -ratio, -np.inf), np.maximum)
        rows.append((top + low, s.discount * np.abs(slopes(s, t, x) - h).max()))
    left, right = all_of(rows)
    why = "log pi = log mu + g P h_t - h_t there, and g P (h_t - h) lies between 0 and g |h_t - h|"
    return claim(left, "<=", right, why, rounding=rounding(s) / s.coldest)


@cold.step("Conclusion: TV(pi, pi_0) <= pi(not optimal) + tanh(g |h_t - h| / 4)", uses=[span_on_optimal])
def to_the_limit(s: SoftProcess) -> Claim:
    """In every state."""
    h, best = tangent(s), hard(s)[1] <= 1e-9
    log_limit = s.log_reference + s.discount * s.laws @ h - h[s.mdp.state_of_choice]
    limit = np.where(best, np.exp(log_limit), 0.0)
    rows = []
    for t, x in sweep(s):
        pi = np.exp(x.log_pi)
        right = per_state(s, pi * ~best) + math.tanh(s.discount * np.abs(slopes(s, t, x) - h).max() / 4)
        rows.append((per_state(s, np.abs(pi - limit)) / 2, right))
    left, right = all_of(rows)
    why = "conditioning on optimal choices moves pi by the rest; then the exact modulus"
    return claim(left, "<=", right, why, rounding=rounding(s) / s.coldest)


# --------------------------------------------------------------------------------------------------

not_uniform = Proof(of=[paper.LIMIT_NOT_UNIFORM], settings=paper.futures_of_unequal_entropy)


@not_uniform.step("Both choices of the first state are optimal")
def tie(s: SoftProcess) -> Claim:
    """Gaps of the first two choices."""
    return claim(hard(s)[1][:2], "==", 0.0, "nothing is ever paid by optimal play")


@not_uniform.step("The log-odds are g times the difference of h_t in the two successors, whatever the reference adds")
def odds(s: SoftProcess) -> Claim:
    """At every temperature."""
    rows = []
    for t, x in sweep(s):
        h = slopes(s, t, x)
        ratio = x.log_pi[:2] - s.log_reference[:2]
        rows.append((ratio[1] - ratio[0], s.discount * (h[2] - h[1])))
    left, right = all_of(rows)
    return claim(left, "==", right, "Q = t g P h_t there", rounding=1e-9)


@not_uniform.step("Conclusion: this is far from 0", uses=[tie, odds])
def far(s: SoftProcess) -> Claim:
    """Log-odds w are a distance of tanh(w / 2) / 2 from even ones, which is above 1/4 at w = 1.2."""
    left, right = all_of([(1.2, s.discount * abs(slopes(s, t, x)[2] - slopes(s, t, x)[1])) for t, x in sweep(s)])
    return claim(left, "<=", right, "entropy log M, or divergence log 2, for ever")


# --------------------------------------------------------------------------------------------------

in_a_fork = Proof(of=[paper.SIGMOID, paper.LIMITS_DO_NOT_COMMUTE], settings=lambda: [*paper.forks(), *paper.ties()])


@in_a_fork.step("An absorbing state with one choice is worth its reward times H, soft or not")
def absorbed(s: SoftProcess) -> Claim:
    """At every scale of the perturbation."""
    rows = [(b.v[1:], (s.mdp.rewards + scale * s.change)[2:] * s.horizon) for scale, _, b in play(s)]
    left, right = all_of(rows)
    return claim(left, "==", right, "a single choice has no entropy", rounding=rounding(s))


@in_a_fork.step("Conclusion: the log-odds are the advantage over the temperature", uses=[absorbed])
def log_odds(s: SoftProcess) -> Claim:
    """(r(a_2) - r(a_1) + g H (r(s_2) - r(s_1))) / t."""
    rows = []
    for scale, _, b in play(s):
        r = s.mdp.rewards + scale * s.change
        right = (r[1] - r[0] + s.discount * s.horizon * (r[3] - r[2])) / s.temperature
        rows.append((b.log_pi[1] - b.log_pi[0], right))
    left, right = all_of(rows)
    return claim(left, "==", right, "softmax of two", rounding=rounding(s) / s.temperature)


@in_a_fork.step("At a tie they are linear in the perturbation over the temperature, so that any limit can be reached")
def any_limit(s: SoftProcess) -> Claim:
    """Scaling the perturbation and the temperature by the same factor leaves the odds as they are."""
    r, scale = s.mdp.rewards, 0.25
    whole, part = soft(s, s.temperature, r + s.change), soft(s, scale * s.temperature, scale * (r + s.change))
    return claim(part.log_pi, "==", whole.log_pi, "Q scales with the rewards", rounding=rounding(s) / s.temperature)
