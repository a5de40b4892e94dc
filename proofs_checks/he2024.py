r"""Proofs about momentum on the logits: what it speeds up, what it cannot cure, and what it costs.

Notation. :math:`S = P - 1/2`; :math:`\theta_t` and :math:`\hat\theta_t` are the logits after and before momentum,
:math:`v_t = S \pi_t`, :math:`\delta_t = \hat\theta_t - \hat\theta_{t-1}`, :math:`\delta_0 = 0`;
:math:`\eta' = \eta / (1 - \alpha)` is the effective rate, and :math:`w` a minimax winner of full support,
:math:`K_t = \mathrm{KL}(w \| \pi_t)`, :math:`\hat K_t = \mathrm{KL}(w \| \hat\pi_t)`. Everything is recomputed here
with plain NumPy, from the two lines of the method, at every iteration.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.theorems.games import he2024 as paper
from rltheory.theory import Claim, Proof, claim

# Logits reach some thousands in these settings, and err by some eps of that in each of at most 1000 iterations.
ROUNDING = 1e-9


class Play(NamedTuple):
    """One run, row t being iteration t, t = 0, ..., T; logits up to constants."""

    theta: np.ndarray
    hat: np.ndarray
    policy: np.ndarray
    values: np.ndarray  # v_t


@cache
def play(s: paper.Setting) -> Play:
    """Iterate the two lines of the method."""
    payoff = s.played.prefer - 0.5
    theta = np.zeros(s.game.n) if s.start is None else np.log(s.start)
    hat, rows = theta, []
    for _ in range(s.iterations + 1):
        policy = np.exp(theta - np.logaddexp.reduce(theta))
        rows.append((theta, hat, policy, payoff @ policy))
        last, hat = hat, theta + s.rate * rows[-1][3]
        theta = hat + s.momentum * (hat - last)
    return Play(*(np.array(column) for column in zip(*rows, strict=True)))


def span(z):
    """Largest minus smallest entry."""
    return z.max(-1) - z.min(-1)


def velocities(p):
    """delta_0, ..., delta_T."""
    return np.diff(p.hat, axis=0, prepend=p.hat[:1])


def geometric(a, t):
    """1 + a + ... + a^(t-1)."""
    return (1 - a**t) / (1 - a)


def growth(s, t):
    """Log-odds gained for each unit of score: eta' (t - a^2 (1 - a^t) / (1 - a))."""
    a = s.momentum
    return s.rate / (1 - a) * (t - a**2 * geometric(a, t))


def scores(s):
    """s_a, up to a constant."""
    return s.played.prefer[:, 0]


# --------------------------------------------------------------------------------------------------

momentum = Proof(of=[paper.LOG_ODDS, paper.SPEED_UP], settings=paper.additive_grid)


@momentum.step("Win rates differ between actions by their scores, whoever the opponent")
def fixed_scores(s: paper.AdditiveSetting) -> Claim:
    """v_t = s + c."""
    return claim(span(play(s).values - scores(s)), "==", 0.0, "<pi, s> is the same for all actions")


@momentum.step("The velocity is fed by the win rates: delta_{t+1} = alpha delta_t + eta v_t")
def fed(s: paper.AdditiveSetting) -> Claim:
    """Both sides, as vectors."""
    p = play(s)
    d = velocities(p)
    right = s.momentum * d[:-1] + s.rate * p.values[:-1]
    why = "hat theta_{t+1} - hat theta_t = theta_t - hat theta_t + eta v_t, and theta_t - hat theta_t = alpha delta_t"
    return claim(d[1:], "==", right, why, rounding=ROUNDING)


@momentum.step("The velocity is a geometric sum", uses=[fixed_scores, fed])
def geometric_sum(s: paper.AdditiveSetting) -> Claim:
    """delta_t = eta (1 - alpha^t) / (1 - alpha) s + c."""
    d = velocities(play(s))
    t = np.arange(len(d))[:, None]
    left = span(d - s.rate * geometric(s.momentum, t) * scores(s))
    return claim(left, "==", 0.0, "induction from delta_0 = 0", rounding=ROUNDING)


@momentum.step("With momentum, logits grow by the velocity of the next iteration", uses=[fed])
def next_velocity(s: paper.AdditiveSetting) -> Claim:
    """theta_{t+1} - theta_t = alpha delta_{t+1} + eta v_t, which is alpha delta_{t+1} + eta s + c."""
    p = play(s)
    right = s.momentum * velocities(p)[1:] + s.rate * p.values[:-1]
    why = "theta_{t+1} = hat theta_{t+1} + alpha delta_{t+1} and hat theta_{t+1} = theta_t + eta v_t"
    return claim(np.diff(p.theta, axis=0), "==", right, why, rounding=ROUNDING)


@momentum.step("The sum over k = 1, ..., t of (1 - a^(k+1)) / (1 - a)")
def summed(s: paper.AdditiveSetting) -> Claim:
    """Times eta, it is eta' (t - a^2 (1 - a^t) / (1 - a))."""
    k = np.arange(1, s.iterations + 1)
    left = s.rate * geometric(s.momentum, k + 1).cumsum()
    return claim(left, "==", growth(s, k), "t ones, less a geometric sum from a^2 on")


@momentum.step("Conclusion: log-odds in closed form", uses=[geometric_sum, next_velocity, summed])
def closed_form(s: paper.AdditiveSetting) -> Claim:
    """theta_t = theta_0 + eta' (t - a^2 (1 - a^t) / (1 - a)) s + c."""
    p = play(s)
    t = np.arange(len(p.theta))[:, None]
    left = span(p.theta - p.theta[0] - growth(s, t) * scores(s))
    return claim(left, "==", 0.0, "each iteration adds eta (1 - a^(t+2)) / (1 - a) s", rounding=ROUNDING)


@momentum.step("Hedge with the effective rate adds eta' s in each iteration", uses=[fixed_scores])
def hedge(s: paper.AdditiveSetting) -> Claim:
    """theta^H_t = theta_0 + eta' t s + c."""
    payoff, rate = s.played.prefer - 0.5, s.rate / (1 - s.momentum)
    theta = play(s).theta[0]
    spans = []
    for t in range(s.iterations + 1):
        spans.append(span(theta - play(s).theta[0] - rate * t * scores(s)))
        theta = theta + rate * payoff @ np.exp(theta - np.logaddexp.reduce(theta))
    return claim(spans, "==", 0.0, "its win rates are the scores too", rounding=ROUNDING)


@momentum.step("Conclusion: the lag", uses=[closed_form, hedge])
def lag(s: paper.AdditiveSetting) -> Claim:
    """span(theta_t - theta^H_t) = eta' a^2 (1 - a^t) / (1 - a) span(s) <= eta (a / (1 - a))^2 span(s)."""
    p, a = play(s), s.momentum
    t = np.arange(len(p.theta))[:, None]
    left = span(p.theta - p.theta[0] - s.rate / (1 - a) * t * scores(s))
    right = s.rate * (a / (1 - a)) ** 2 * span(scores(s))
    return claim(left, "<=", right, "subtract; 1 - a^t <= 1", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

recession = Proof(of=[paper.LAST_ITERATE], settings=paper.cyclic_grid)


def missed(s, logits):
    """KL(w || policy), up to the negative entropy of the winner w: log sum exp logits - <w, logits>."""
    return np.logaddexp.reduce(logits, axis=-1) - logits @ np.exp(s.log_winner)


def log_mean(s, p):
    """Log E exp(eta v_t) over pi_t."""
    log_policy = p.theta - np.logaddexp.reduce(p.theta, axis=-1, keepdims=True)
    return np.logaddexp.reduce(log_policy + s.rate * p.values, axis=-1)


@recession.step("A winner of full support earns nothing, whoever the opponent")
def nothing_earned(s: paper.CyclicSetting) -> Claim:
    """<w, S pi> = 0."""
    p = play(s)
    why = "no action beats w, and <w, S w> = 0: with full support, S w = 0"
    return claim(p.values @ np.exp(s.log_winner), "==", 0.0, why)


@recession.step("The preference step recedes: hat K_{t+1} = K_t + log E exp(eta v_t)", uses=[nothing_earned])
def preference_step(s: paper.CyclicSetting) -> Claim:
    """Both sides."""
    p = play(s)
    right = missed(s, p.theta[:-1]) + log_mean(s, p)[:-1]
    why = "hat theta_{t+1} = theta_t + eta v_t; <w, v_t> = 0, the normaliser remains"
    return claim(missed(s, p.hat[1:]), "==", right, why, rounding=ROUNDING)


@recession.step("It does not approach: log E exp(eta v_t) >= 0")
def jensen(s: paper.CyclicSetting) -> Claim:
    """With equality only where all v_t are equal, and pi_t itself is a winner."""
    p = play(s)
    return claim(0.0, "<=", log_mean(s, p), "Jensen: the exponent has mean <pi_t, S pi_t> = 0")


@recession.step("Momentum recedes as well: K_t >= hat K_t + alpha (hat K_t - hat K_{t-1})")
def extrapolation(s: paper.CyclicSetting) -> Claim:
    """In the first iteration with hat K_{-1} = hat K_0."""
    p = play(s)
    now = missed(s, p.hat)
    before = np.append(now[:1], now[:-1])
    why = "the divergence is convex in the logits: beyond the second of two points it is above their line"
    return claim(now + s.momentum * (now - before), "<=", missed(s, p.theta), why, rounding=ROUNDING)


@recession.step("Conclusion", uses=[preference_step, extrapolation])
def recedes(s: paper.CyclicSetting) -> Claim:
    """Alpha (hat K_t - hat K_{t-1}) + log E exp(eta v_t) <= hat K_{t+1} - hat K_t."""
    p = play(s)
    growths = np.diff(missed(s, p.hat), prepend=missed(s, p.hat[:1]))
    left = s.momentum * growths[:-1] + log_mean(s, p)[:-1]
    return claim(left, "<=", growths[1:], "subtract hat K_t from both", rounding=ROUNDING)


@recession.step("So the divergence never decreases", uses=[jensen, recedes])
def monotone(s: paper.CyclicSetting) -> Claim:
    """Each hat K_t <= hat K_{t+1}."""
    p = play(s)
    return claim(missed(s, p.hat[:-1]), "<=", missed(s, p.hat[1:]), "induction", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

average = Proof(of=[paper.AVERAGE], settings=paper.average_grid)


class Leaders(NamedTuple):
    """Hedge with the effective rate against the same opponents: p_t ~ pi_0 exp(eta' G_t), G_t = v_0 + ... + v_{t-1}."""

    logits: np.ndarray
    policy: np.ndarray
    totals: np.ndarray  # G_t
    potential: np.ndarray  # log E exp(eta' G_t) over pi_0


@cache
def leaders(s: paper.Setting) -> Leaders:
    """From the win rates of the run."""
    p = play(s)
    totals = np.concatenate([np.zeros((1, s.game.n)), p.values.cumsum(axis=0)])[:-1]
    logits = np.log(p.policy[0]) + s.rate / (1 - s.momentum) * totals
    potential = np.logaddexp.reduce(logits, axis=-1)
    return Leaders(logits, np.exp(logits - potential[:, None]), totals, potential)


@average.step("The logits lag behind those of the leaders by a weighted sum of win rates")
def behind(s: paper.Setting) -> Claim:
    """theta_0 + eta' G_t - theta_t = e_t + c, e_0 = 0 and e_{t+1} = alpha e_t + eta' alpha^2 v_t."""
    p, a = play(s), s.momentum
    e = leaders(s).logits - p.theta
    left = span(e[1:] - a * e[:-1] - s.rate / (1 - a) * a**2 * p.values[:-1])
    why = "theta_t = theta_0 + eta' sum over s < t of (1 - a^(t-s+1)) v_s"
    return claim(left, "==", 0.0, why, rounding=ROUNDING)


@average.step("So the lag is bounded", uses=[behind])
def bounded_lag(s: paper.Setting) -> Claim:
    """span(e_t) <= eta' a^2 / (1 - a)."""
    right = s.rate * s.momentum**2 / (1 - s.momentum) ** 2
    why = "win rates have span 1 at most; sum the geometric series"
    return claim(span(leaders(s).logits - play(s).theta), "<=", right, why, rounding=ROUNDING)


@average.step("And the leaders earn little against the policies", uses=[bounded_lag])
def leaders_earn(s: paper.Setting) -> Claim:
    """<p_t, v_t> = <p_t - pi_t, v_t> <= span(e_t) / 4."""
    p, best = play(s), leaders(s)
    left = (best.policy * p.values).sum(-1)
    why = "<pi, S pi> = 0; half of ||p - pi||_1 times a span of 1; distances are at most half the span of log-ratios"
    return claim(left, "<=", span(best.logits - p.theta) / 4, why)


@average.step("The potential grows by at most eta' <p_t, v_t> + eta'^2 / 8")
def one_round(s: paper.Setting) -> Claim:
    """Phi_{t+1} - Phi_t."""
    p, best, rate = play(s), leaders(s), s.rate / (1 - s.momentum)
    right = rate * (best.policy * p.values).sum(-1)[:-1] + rate**2 / 8
    why = "Hoeffding's lemma, for win rates of span 1"
    return claim(np.diff(best.potential), "<=", right, why, rounding=1e-12)


@average.step("The final potential dominates every action")
def best_action(s: paper.Setting) -> Claim:
    """Phi_T >= eta' max_a G_T(a) - L."""
    best = leaders(s)
    left = s.rate / (1 - s.momentum) * best.totals.max(-1) + np.log(play(s).policy[0].min())
    return claim(left, "<=", best.potential, "a sum of exponentials exceeds each of them", rounding=1e-12)


@average.step("Conclusion", uses=[leaders_earn, bounded_lag, one_round, best_action])
def average_gap(s: paper.Setting) -> Claim:
    """max_a G_T(a) / T <= L / (eta' T) + eta' / 8 + eta' a^2 / (4 (1 - a))."""
    p, a, rate = play(s), s.momentum, s.rate / (1 - s.momentum)
    rounds = np.arange(1, s.iterations + 1)
    left = leaders(s).totals[1:].max(-1) / rounds
    right = -np.log(p.policy[0].min()) / (rate * rounds) + rate / 8 + rate * a**2 / (4 * (1 - a))
    return claim(left, "<=", right, "sum over rounds, divide by eta' T")
