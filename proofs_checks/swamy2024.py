r"""Proofs that self-play by no-regret learners finds minimax winners.

Notation. :math:`S = P - 1/2`; :math:`x_t` the policy of round t, :math:`t = 1, \dots, T`; :math:`g_t = S x_t`;
:math:`G_t = g_1 + \dots + g_t`; :math:`L = \max_a \log(1 / x_1(a))`; :math:`\bar x_t` the average of the first t
policies; :math:`\Phi_t(\eta) = \frac1\eta \log \sum_a x_1(a)\, e^{\eta G_t(a)}`. Everything is recomputed here with
plain NumPy, from the definitions, in every round.
"""

import math
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.games import swamy2024 as paper
from rltheory.theory import Claim, Proof, claim

ROUNDS = 300  # of runs that are checked in full
ROUNDING = 1e-11  # sums of some hundred terms, and logarithms of some hundred


class Play(NamedTuple):
    """One run, row t - 1 being round t: logs of x_t, answers g_t, rates, and the total G_t after the round."""

    log_x: np.ndarray
    g: np.ndarray
    rate: np.ndarray
    total: np.ndarray

    @property
    def x(self):
        """Probabilities x_t."""
        return np.exp(self.log_x)

    @property
    def rounds(self):
        """1, ..., T."""
        return np.arange(1, len(self.rate) + 1)

    def mean(self, values):
        """Expectation of values, one row per round, under x_t."""
        return (self.x * values).sum(1)

    def log_moment(self):
        """Log E exp(eta_t g_t) under x_t."""
        return np.logaddexp.reduce(self.log_x + self.rate[:, None] * self.g, axis=1)


def payoff(s):
    """S, from the definition."""
    return s.game.prefer - 0.5


def log_first(s):
    """Log x_1."""
    return np.log(np.full(s.game.n, 1 / s.game.n) if s.start is None else np.array(s.start))


def complexity(s):
    """L."""
    return float(-log_first(s).min())


def normalise(z):
    """Logarithm of the policy proportional to exp(z)."""
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def follow(s, rates):
    """Hedge: x_t ~ x_1 exp(eta_t G_{t-1})."""
    total, rows = np.zeros(s.game.n), []
    for rate in rates:
        log_x = normalise(log_first(s) + rate * total)
        g = payoff(s) @ np.exp(log_x)
        total = total + g
        rows.append((log_x, g, rate, total))
    return Play(*(np.array(column) for column in zip(*rows, strict=True)))


def potential(s, rate, total):
    """Phi(eta) at totals, one row each, for one rate or one for each row."""
    rates = np.broadcast_to(rate, len(total))[:, None]
    return np.logaddexp.reduce(log_first(s) + rates * total, axis=1) / rates[:, 0]


def edges(s, p):
    """max_a (S x-bar_t)_a, for each t."""
    averages = np.cumsum(p.x, axis=0) / p.rounds[:, None]
    return (averages @ payoff(s).T).max(1)


# --------------------------------------------------------------------------------------------------

reduction = Proof(of=[paper.REDUCTION], settings=paper.short_grid)


@cache
def any_policies(s: paper.Setting) -> np.ndarray:
    """Policies that follow no rule."""
    return stream(0, "proof of the reduction", s).dirichlet(np.full(s.game.n, 0.3), size=100)


@reduction.step("A policy wins half of its games against itself")
def no_gain(s: paper.Setting) -> Claim:
    """<x, P x> = 1/2."""
    x = any_policies(s)
    return claim((x * (x @ s.game.prefer.T)).sum(1), "==", 0.5, "P + P' = 1")


@reduction.step("Conclusion: exploitability of the average is average regret", uses=[no_gain])
def regret_is_exploitability(s: paper.Setting) -> Claim:
    """max_a (P x-bar)_a - 1/2 = max_a sum [(P x_t)_a - <x_t, P x_t>] / T."""
    x = any_policies(s)
    values = x @ s.game.prefer.T
    regret = (values - (x * values).sum(1, keepdims=True)).sum(0).max()
    return claim((s.game.prefer @ x.mean(0)).max() - 0.5, "==", regret / len(x), "P is linear")


# --------------------------------------------------------------------------------------------------

constant_rate = Proof(of=[paper.HEDGE], settings=paper.grid)


@cache
def tuned(s: paper.Setting) -> Play:
    """Hedge with the rate for T = 300."""
    return follow(s, np.full(ROUNDS, math.sqrt(8 * complexity(s) / ROUNDS)))


@constant_rate.step("Hoeffding: log E exp(eta g_t) <= eta^2 / 8")
def hoeffding(s: paper.Setting) -> Claim:
    """Under x_t, whose mean gain is 0."""
    p = tuned(s)
    why = "g_t lies between -1/2 and 1/2, and <x_t, g_t> = <x_t, S x_t> = 0"
    return claim(p.log_moment(), "<=", p.rate**2 / 8, why, rounding=ROUNDING)


@constant_rate.step("The logarithms add up to the potential")
def telescope(s: paper.Setting) -> Claim:
    """Sum of log E exp(eta g_t) = eta Phi_T(eta)."""
    p = tuned(s)
    right = p.rate * potential(s, p.rate, p.total)
    why = "x_t is x_1 exp(eta G_{t-1}), normalised"
    return claim(np.cumsum(p.log_moment()), "==", right, why, rounding=ROUNDING)


@constant_rate.step("The potential exceeds what any action has gained, up to log(1 / x_1(a))")
def best_action(s: paper.Setting) -> Claim:
    """G_t(a) - log(1 / x_1(a)) / eta <= Phi_t(eta)."""
    p = tuned(s)
    left = (p.total + log_first(s) / p.rate[:, None]).max(1)
    return claim(left, "<=", potential(s, p.rate, p.total), "a sum exceeds each of its terms", rounding=ROUNDING)


@constant_rate.step("Regret of any rate: L / eta + eta t / 8", uses=[hoeffding, telescope, best_action])
def any_rate(s: paper.Setting) -> Claim:
    """For t E(x-bar_t), in every round t."""
    p = tuned(s)
    right = complexity(s) / p.rate + p.rate * p.rounds / 8
    return claim(p.rounds * edges(s, p), "<=", right, "divide by eta", rounding=ROUNDING)


@constant_rate.step("Conclusion: at eta = sqrt(8 L / T), sqrt(L / (2 T))", uses=[any_rate])
def tuned_rate(s: paper.Setting) -> Claim:
    """The two parts are equal at the horizon."""
    p = tuned(s)
    return claim(edges(s, p)[-1], "<=", math.sqrt(complexity(s) / (2 * ROUNDS)), "insert the rate", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

against_itself = Proof(of=[paper.HEDGE_SELF_PLAY], settings=paper.grid)


@cache
def tuned_to_itself(s: paper.Setting) -> Play:
    """Hedge with the larger rate for T = 300."""
    return follow(s, np.full(ROUNDS, math.sqrt(24 * complexity(s) / ROUNDS)))


@against_itself.step("log E exp(eta g_t) <= eta^2 / 24")
def moment_against_itself(s: paper.Setting) -> Claim:
    """The normaliser of SPPO, at most that of uniform win rates."""
    p = tuned_to_itself(s)
    return claim(p.log_moment(), "<=", p.rate**2 / 24, "proof of sppo/normalizer", rounding=ROUNDING)


@against_itself.step("Conclusion: at eta = sqrt(24 L / T), sqrt(L / (6 T))", uses=[moment_against_itself])
def tuned_rate_against_itself(s: paper.Setting) -> Claim:
    """L / (eta T) + eta / 24, as before, at this rate."""
    p = tuned_to_itself(s)
    why = "the proof of any_rate with 24 in place of 8; both parts are equal"
    return claim(edges(s, p)[-1], "<=", math.sqrt(complexity(s) / (6 * ROUNDS)), why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

decreasing_rates = Proof(of=[paper.HEDGE_ANYTIME], settings=paper.grid)


@cache
def anytime(s: paper.Setting) -> Play:
    """Hedge with rates sqrt(4 L / t)."""
    return follow(s, np.sqrt(4 * complexity(s) / np.arange(1, ROUNDS + 1)))


@decreasing_rates.step("A round raises the potential of its rate by eta_t / 8")
def potential_step(s: paper.Setting) -> Claim:
    """Phi_t(eta_t) - Phi_{t-1}(eta_t) <= eta_t / 8."""
    p = anytime(s)
    before = np.vstack([np.zeros(s.game.n), p.total[:-1]])
    left = potential(s, p.rate, p.total) - potential(s, p.rate, before)
    why = "it is log E exp(eta_t g_t) / eta_t; Hoeffding"
    return claim(left, "<=", p.rate / 8, why, rounding=ROUNDING)


@decreasing_rates.step("The potential grows with its rate")
def potential_grows(s: paper.Setting) -> Claim:
    """Phi_t(eta_{t+1}) <= Phi_t(eta_t)."""
    p = anytime(s)
    left = potential(s, p.rate[1:], p.total[:-1])
    why = "power means under x_1 grow with the power"
    return claim(left, "<=", potential(s, p.rate[:-1], p.total[:-1]), why, rounding=ROUNDING)


@decreasing_rates.step("Regret: L / eta_t + sum eta_s / 8", uses=[potential_step, potential_grows])
def any_decreasing_rates(s: paper.Setting) -> Claim:
    """G_t(a) <= L / eta_t + sum over s <= t of eta_s / 8."""
    p = anytime(s)
    right = complexity(s) / p.rate + np.cumsum(p.rate) / 8
    return claim(p.total.max(1), "<=", right, "telescope; a sum exceeds each of its terms", rounding=ROUNDING)


@decreasing_rates.step("sum over s <= t of 1 / sqrt(s) <= 2 sqrt(t)")
def sum_of_roots(s: paper.Setting) -> Claim:
    """Compare with an integral."""
    t = np.arange(1, ROUNDS + 1)
    return claim(np.cumsum(1 / np.sqrt(t)), "<=", 2 * np.sqrt(t), "the integral of 1 / sqrt from 0 to t")


@decreasing_rates.step("Conclusion: sqrt(L / t)", uses=[any_decreasing_rates, sum_of_roots])
def anytime_rate(s: paper.Setting) -> Claim:
    """sqrt(L t) / 2 from either part."""
    p = anytime(s)
    return claim(edges(s, p), "<=", np.sqrt(complexity(s) / p.rounds), "insert the rates", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

extrapolation = Proof(of=[paper.OPTIMISTIC], settings=paper.optimistic_grid)


class Optimistic(NamedTuple):
    """Logs of x_{t-1}, of the midpoint played in round t, of x_t, and of the midpoint before; one row per round."""

    old: np.ndarray
    mid: np.ndarray
    new: np.ndarray
    last: np.ndarray


@cache
def optimistic(s: paper.RateSetting) -> Optimistic:
    """Two proximal steps in each round, the first with the last answer."""
    old = last = log_first(s)
    rows = []
    for _ in range(ROUNDS):
        mid = normalise(old + s.rate * (payoff(s) @ np.exp(last)))
        new = normalise(old + s.rate * (payoff(s) @ np.exp(mid)))
        rows.append((old, mid, new, last))
        old, last = new, mid
    return Optimistic(*(np.array(column) for column in zip(*rows, strict=True)))


def kl(log_p, log_q):
    """KL(p || q)."""
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


def distance(log_p, log_q):
    """|| p - q ||_1."""
    return np.abs(np.exp(log_p) - np.exp(log_q)).sum(-1)


def answers(s, log_x):
    """S x."""
    return np.exp(log_x) @ payoff(s).T


def cross(s, p):
    """Cross term: eta <S (mid - last), new - mid>."""
    change = answers(s, p.mid) - answers(s, p.last)
    return s.rate * (change * (np.exp(p.new) - np.exp(p.mid))).sum(1)


@extrapolation.step("Regret of one round against an action: two three-point identities")
def round_identity(s: paper.RateSetting) -> Claim:
    """Eta g_t(a) = KL(a||old) - KL(a||new) - KL(new||mid) - KL(mid||old) + eta <S (mid - last), new - mid>."""
    p = optimistic(s)
    right = p.new - p.old - (kl(p.new, p.mid) + kl(p.mid, p.old) - cross(s, p))[:, None]
    why = "old to new with g_t and old to mid with the last answer; <mid, S mid> = 0"
    return claim(s.rate * answers(s, p.mid), "==", right, why, rounding=ROUNDING)


@extrapolation.step("Hoelder and the triangle: the cross term by distances")
def cross_term(s: paper.RateSetting) -> Claim:
    """Cross <= (eta / 2) (||mid - old|| + ||old - last||) ||new - mid||."""
    p = optimistic(s)
    right = s.rate / 2 * (distance(p.mid, p.old) + distance(p.old, p.last)) * distance(p.new, p.mid)
    return claim(cross(s, p), "<=", right, "entries of S are at most 1/2", rounding=ROUNDING)


@extrapolation.step("Pinsker, for both divergences")
def pinsker(s: paper.RateSetting) -> Claim:
    """a_t^2 <= 2 KL(new||mid) and b_t^2 <= 2 KL(mid||old), with a_t = ||new - mid||, b_t = ||mid - old||."""
    p = optimistic(s)
    left = np.stack([distance(p.new, p.mid), distance(p.mid, p.old)]) ** 2
    right = 2 * np.stack([kl(p.new, p.mid), kl(p.mid, p.old)])
    return claim(left, "<=", right, "Pinsker's inequality", rounding=ROUNDING)


@extrapolation.step("Young, and the distance before is a_{t-1}")
def surplus(s: paper.RateSetting) -> Claim:
    """Sum of (eta/2)(b + a_before) a - (a^2 + b^2)/2 <= (eta^2/8 + eta/2 - 1/2) sum of a^2."""
    p = optimistic(s)
    a, b = distance(p.new, p.mid), distance(p.mid, p.old)
    before = np.append(0.0, a[:-1])
    left = np.cumsum(s.rate / 2 * (b + before) * a - (a**2 + b**2) / 2)
    right = (s.rate**2 / 8 + s.rate / 2 - 0.5) * np.cumsum(a**2)
    why = "(eta/2) a b <= b^2/2 + eta^2 a^2/8; a_before a <= (a_before^2 + a^2)/2, and sums of squares shift"
    return claim(left, "<=", right, why, rounding=ROUNDING)


@extrapolation.step("The coefficient is not positive for admissible steps")
def coefficient(s: paper.RateSetting) -> Claim:
    """eta^2 / 4 + eta <= 1 iff eta <= 2 (sqrt 2 - 1)."""
    return claim(s.rate**2 / 4 + s.rate, "<=", 1.0, "solve the quadratic equation")


@extrapolation.step("Conclusion: L / (eta t)", uses=[round_identity, cross_term, pinsker, surplus, coefficient])
def optimistic_rate(s: paper.RateSetting) -> Claim:
    """max_a sum of g_t(a) <= L / eta."""
    p = optimistic(s)
    gains = np.cumsum(answers(s, p.mid), axis=0).max(1)
    why = "sum the rounds: KL(a || x_0) - KL(a || x_t) <= log(1 / x_0(a))"
    return claim(gains, "<=", complexity(s) / s.rate, why, rounding=ROUNDING / s.rate)


# --------------------------------------------------------------------------------------------------

condorcet = Proof(of=[paper.CONDORCET_DISTANCE, paper.CONDORCET_MEAN], settings=paper.condorcet_grid)


def winner(s):
    """The Condorcet winner and its margin."""
    rows = payoff(s) + np.diag(np.full(s.game.n, np.inf))
    a = int(rows.min(1).argmax())
    return a, rows[a].min()


@cache
def by_gap(s: paper.Setting) -> Play:
    """Hedge with rate 2 D."""
    return follow(s, np.full(ROUNDS, 2 * winner(s)[1]))


def others(s, p):
    """w_t = 1 - x_t(a*), summed over the other actions."""
    return np.delete(p.x, winner(s)[0], axis=1).sum(1)


@condorcet.step("The winner gains D w_t at least")
def winner_gains(s: paper.Setting) -> Claim:
    """D w_t <= g_t(a*)."""
    p, (a, margin) = by_gap(s), winner(s)
    return claim(margin * others(s, p), "<=", p.g[:, a], "it beats every other action by D")


@condorcet.step("The variance of win rates is at most 5 w_t / 16")
def variance(s: paper.Setting) -> Claim:
    """E g_t^2 <= w/4 + (1 - w) w^2/4 <= 5 w / 16."""
    p = by_gap(s)
    why = "|g| <= 1/2; the winner's own gain is at most w/2, and it has weight 1 - w; w (1 - w) <= 1/4"
    return claim(p.mean(p.g**2), "<=", 5 * others(s, p) / 16, why, rounding=1e-16)


@condorcet.step("exp(z) <= 1 + z + 0.595 z^2 up to z = 1/2")
def quadratic(s: paper.Setting) -> Claim:
    """(e^z - 1 - z) / z^2 grows; its value at 1/2 is 4 (sqrt(e) - 3/2) < 0.595."""
    z = np.linspace(-20, 0.5, 400)
    return claim(np.exp(z), "<=", 1 + z + 0.595 * z**2, "the quotient grows with z")


@condorcet.step("So log E exp(eta g_t) <= 0.186 eta^2 w_t", uses=[variance, quadratic])
def moment(s: paper.Setting) -> Claim:
    """With eta = 2 D <= 1, eta g <= 1/2."""
    p = by_gap(s)
    right = 0.186 * p.rate**2 * others(s, p)
    return claim(p.log_moment(), "<=", right, "log(1 + z) <= z; 0.595 * 5 / 16 < 0.186", rounding=1e-15)


@condorcet.step("Progress: log(1 / x_t(a*)) falls by 1.256 D^2 w_t", uses=[winner_gains, moment])
def progress(s: paper.Setting) -> Claim:
    """theta_{t+1} <= theta_t - (2 - 4 * 0.186) D^2 w_t."""
    p, (a, margin) = by_gap(s), winner(s)
    fall = p.rate * p.g[:, a] - p.log_moment()
    return claim(1.256 * margin**2 * others(s, p), "<=", fall, "eta D w - 0.186 eta^2 w", rounding=1e-15)


@condorcet.step("Conclusion: the others' probabilities add up to 0.8 log(1 / x_1(a*)) / D^2", uses=[progress])
def distance_sum(s: paper.Setting) -> Claim:
    """For ever, since theta >= 0."""
    p, (a, margin) = by_gap(s), winner(s)
    right = -0.8 * log_first(s)[a] / margin**2
    return claim(np.cumsum(others(s, p)), "<=", right, "1 / 1.256 < 0.8", rounding=ROUNDING)


@condorcet.step("Conclusion: E(x-bar_t) <= 0.8 L / (D t)", uses=[distance_sum, moment])
def mean_edge(s: paper.Setting) -> Claim:
    """Regret <= [L + 0.744 D^2 sum w] / (2 D) <= (1 + 0.744 / 1.256) L / (2 D)."""
    p, (_, margin) = by_gap(s), winner(s)
    left = p.rounds * edges(s, p)
    return claim(left, "<=", 0.8 * complexity(s) / margin, "the potential; 1.593 / 2 < 0.8", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------


class Ada(NamedTuple):
    """A run of AdaHedge, its mixability gaps, and their sums."""

    play: Play
    gap: np.ndarray
    lost: np.ndarray


@cache
def adaptive(s: paper.Setting) -> Ada:
    """Rates L / (sum of the gaps before), infinite in the first round."""
    lost, total, rows = 0.0, np.zeros(s.game.n), []
    for _ in range(ROUNDS):
        rate = complexity(s) / lost if lost > 0 else math.inf
        log_x = normalise(log_first(s) + rate * total) if lost > 0 else log_first(s)
        g = payoff(s) @ np.exp(log_x)
        gap = np.logaddexp.reduce(log_x + rate * g) / rate if lost > 0 else g.max()
        total, lost = total + g, lost + gap
        rows.append((log_x, g, rate, total, gap, lost))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Ada(Play(*columns[:4]), *columns[4:])


mixability = Proof(of=[paper.ADAHEDGE_MIXABILITY], settings=paper.grid)


@mixability.step("The gaps are the rounds' rises of the potential at their rates")
def rises(s: paper.Setting) -> Claim:
    """Phi_t(eta_t) - Phi_{t-1}(eta_t) = delta_t, from the second round on."""
    p, gap, _ = adaptive(s)
    rise = potential(s, p.rate[1:], p.total[1:]) - potential(s, p.rate[1:], p.total[:-1])
    return claim(rise, "==", gap[1:], "x_t is x_1 exp(eta_t G_{t-1}), normalised", rounding=ROUNDING)


@mixability.step("So the sum of the gaps exceeds the potential at the next rate", uses=[rises])
def dominated(s: paper.Setting) -> Claim:
    """Phi_t(eta_{t+1}) <= Delta_t."""
    p, _, lost = adaptive(s)
    left = potential(s, complexity(s) / lost, p.total)
    return claim(left, "<=", lost, "rates fall, and the potential grows with its rate", rounding=ROUNDING)


@mixability.step("Conclusion: regret is at most twice the sum of the gaps", uses=[dominated])
def twice(s: paper.Setting) -> Claim:
    """G_t(a) <= Phi_t(eta_{t+1}) + L / eta_{t+1}, and both parts are at most Delta_t."""
    p, _, lost = adaptive(s)
    return claim(p.rounds * edges(s, p), "<=", 2 * lost, "eta_{t+1} = L / Delta_t", rounding=ROUNDING)


second_order = Proof(of=[paper.ADAHEDGE], settings=paper.grid)


@second_order.step("Bernstein: 2 (e^z - 1 - z) (1 - z / 3) <= z^2")
def bernstein(s: paper.Setting) -> Claim:
    """For z >= 0; beyond 3 the left side is negative."""
    z = np.linspace(0, 6, 301)
    left = 2 * (np.exp(z) - 1 - z) * (1 - z / 3)
    return claim(left, "<=", z**2, "the coefficients 2 / k! of e^z - 1 - z are at most those of z^2 / (1 - z / 3)")


@second_order.step("A gap by the variance: 2 delta_t / eta_t <= E g_t^2 + delta_t / 3", uses=[bernstein])
def gap_by_variance(s: paper.Setting) -> Claim:
    """With delta_t <= E(e^{eta g} - 1 - eta g) / eta and g <= 1/2, z = eta / 2."""
    p, gap, _ = adaptive(s)
    why = "(e^y - 1 - y) / y^2 grows with y, hence is at most its value at eta / 2"
    return claim(2 * gap / p.rate, "<=", p.mean(p.g**2) + gap / 3, why, rounding=ROUNDING)


@second_order.step("A gap is at most 1/2")
def gap_at_most_half(s: paper.Setting) -> Claim:
    """An exponential mean is at most the maximum."""
    return claim(adaptive(s).gap, "<=", 0.5, "entries of S are at most 1/2")


@second_order.step("Delta_T^2 <= L V_T + (L / 3 + 1 / 2) Delta_T", uses=[gap_by_variance, gap_at_most_half])
def square(s: paper.Setting) -> Claim:
    """Delta_T^2 is the sum of 2 delta_t Delta_{t-1} + delta_t^2, and Delta_{t-1} = L / eta_t."""
    p, _, lost = adaptive(s)
    right = complexity(s) * np.cumsum(p.mean(p.g**2)) + (complexity(s) / 3 + 0.5) * lost
    return claim(lost**2, "<=", right, "insert the two bounds on a gap", rounding=ROUNDING)


@second_order.step("The variance of win rates against oneself is at most 1/12")
def variance_against_itself(s: paper.Setting) -> Claim:
    """That of the uniform distribution on [0, 1]."""
    p = adaptive(s).play
    return claim(p.mean(p.g**2), "<=", 1 / 12, "proof of sppo/normalizer: the square is convex")


@second_order.step("Conclusion: regret is at most sqrt(L t / 3) + 2 L / 3 + 1", uses=[square, variance_against_itself])
def adaptive_rate(s: paper.Setting) -> Claim:
    """Delta <= sqrt(L t / 12) + L / 3 + 1 / 2, and regret is at most twice that (spo/adahedge-mixability)."""
    p, _, lost = adaptive(s)
    right = np.sqrt(complexity(s) * p.rounds / 12) + complexity(s) / 3 + 0.5
    return claim(lost, "<=", right, "z^2 <= b z + c implies z <= b + sqrt(c)", rounding=ROUNDING)


adaptive_gap = Proof(of=[paper.ADAHEDGE_CONDORCET], settings=paper.condorcet_grid)


@adaptive_gap.step("The others' probabilities by the regret: D sum w_t <= 2 Delta")
def others_by_regret(s: paper.Setting) -> Claim:
    """The winner gains D w_t at least, and all regret is at most 2 Delta (spo/adahedge-mixability)."""
    p, _, lost = adaptive(s)
    left = winner(s)[1] * np.cumsum(others(s, p))
    return claim(left, "<=", 2 * lost, "D w_t <= g_t(a*)", rounding=ROUNDING)


@adaptive_gap.step("The variances by those: V <= (5/16) sum w_t")
def variances_by_others(s: paper.Setting) -> Claim:
    """As for Hedge with rate 2 D."""
    p = adaptive(s).play
    right = 5 / 16 * np.cumsum(others(s, p))
    return claim(np.cumsum(p.mean(p.g**2)), "<=", right, "proof of spo/condorcet-distance", rounding=ROUNDING)


@adaptive_gap.step("Conclusion: Delta <= 5 L / (8 D) + L / 3 + 1 / 2", uses=[others_by_regret, variances_by_others])
def adaptive_gap_rate(s: paper.Setting) -> Claim:
    """Delta^2 <= L (5/16) (2 Delta / D) + (L / 3 + 1 / 2) Delta; regret is at most twice Delta."""
    lost, big = adaptive(s).lost, complexity(s)
    right = 5 * big / (8 * winner(s)[1]) + big / 3 + 0.5
    return claim(lost, "<=", right, "divide by Delta; proof of spo/adahedge", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

sampling = Proof(of=[paper.SAMPLED], settings=paper.sampled_grid)


class Sampled(NamedTuple):
    """A run with estimates, one row per round: logs of x_t, estimates of g_t, g_t itself; and the rate."""

    log_x: np.ndarray
    seen: np.ndarray
    g: np.ndarray
    rate: float


@cache
def sampled(s: paper.SampledSetting) -> Sampled:
    """Hedge on estimates."""
    rng = stream(0, "proof of sampled Hedge", s)
    rate, log_x, rows = math.sqrt(8 * complexity(s) / s.horizon), log_first(s), []
    for _ in range(s.horizon):
        opponents = rng.choice(s.game.n, size=s.comparisons, p=np.exp(normalise(log_x)))
        wins = rng.random((s.game.n, s.comparisons)) < s.game.prefer[:, opponents]
        seen = wins.mean(1) - 0.5
        rows.append((log_x, seen, payoff(s) @ np.exp(log_x)))
        log_x = normalise(log_x + rate * seen)
    return Sampled(*(np.array(column) for column in zip(*rows, strict=True)), rate)


def noise(s):
    """Y_t(a) = g_t(a) - seen_t(a) + <x_t, seen_t>."""
    p = sampled(s)
    return p.g - p.seen + (np.exp(p.log_x) * p.seen).sum(1, keepdims=True)


@sampling.step("Regret on the estimates: L / eta + eta t / 8, whatever they are")
def regret_on_estimates(s: paper.SampledSetting) -> Claim:
    """It is the sum of seen_t(a) - <x_t, seen_t>."""
    p = sampled(s)
    left = np.cumsum(p.seen - (np.exp(p.log_x) * p.seen).sum(1, keepdims=True), axis=0).max(1)
    right = complexity(s) / p.rate + p.rate * np.arange(1, s.horizon + 1) / 8
    return claim(left, "<=", right, "the proof of spo/hedge, with Hoeffding's lemma around the mean", rounding=ROUNDING)


@sampling.step("What is left is the noise")
def decomposition(s: paper.SampledSetting) -> Claim:
    """g_t(a) = (seen_t(a) - <x_t, seen_t>) + Y_t(a)."""
    p = sampled(s)
    regret = p.seen - (np.exp(p.log_x) * p.seen).sum(1, keepdims=True)
    return claim(p.g, "==", regret + noise(s), "by definition of Y")


@sampling.step("Noise of one opponent has mean 0")
def unbiased(s: paper.SampledSetting) -> Claim:
    """E Y(a) = g(a) - g(a) + <x, S x> = 0, over all opponents and outcomes of a game of three."""
    y, chance = outcomes(s)
    return claim(np.einsum("po,poa->pa", chance, y), "==", 0.0, "opponents are drawn from the policy")


@sampling.step("Noise of one opponent has range 2: log E exp(r Y) <= r^2 / 2", uses=[unbiased])
def sub_gaussian(s: paper.SampledSetting) -> Claim:
    """Hence r^2 / (2 m) for the average over m opponents."""
    y, chance = outcomes(s)
    r = np.array([-6.0, -2.0, -0.5, 0.5, 2.0, 6.0])
    left = np.log(np.einsum("po,rpoa->rpa", chance, np.exp(r[:, None, None, None] * y)))
    return claim(left, "<=", r[:, None, None] ** 2 / 2, "Hoeffding's lemma: a win and an average of wins, in [-1, 1]")


@cache
def outcomes(s):
    """Noise Y for all outcomes of one round against one opponent, for many policies; in games of three at most."""
    first = slice(min(s.game.n, 3))
    prefer = s.game.prefer[first, first]
    n = len(prefer)
    x = stream(0, "proof of noise", s).dirichlet(np.full(n, 0.5), size=30)
    wins = np.array(list(product([0.0, 1.0], repeat=n)))
    given = np.where(wins[:, None] == 1, prefer.T, 1 - prefer.T).prod(-1)  # (outcome, opponent)
    g = x @ (prefer - 0.5).T
    y = g[:, None] - (wins - 0.5) + (x @ (wins - 0.5).T)[..., None]
    return y, x @ given.T


@sampling.step(
    "At u = sqrt(2 T log(n / delta) / m) all actions together fail with probability delta", uses=[sub_gaussian]
)
def union(s: paper.SampledSetting) -> Claim:
    """P(max over t <= T of the sum of Y > u) <= exp(-u^2 m / (2 T)) for each action."""
    u = math.sqrt(2 * s.horizon * math.log(s.game.n / s.delta) / s.comparisons)
    best = u * s.comparisons / s.horizon  # the r that minimises exp(-r u + r^2 T / (2 m))
    left = s.game.n * math.exp(-best * u + best**2 * s.horizon / (2 * s.comparisons))
    why = "exp(r sum Y - r^2 t / (2m)) is a supermartingale: Doob's maximal inequality"
    return claim(left, "==", s.delta, why)


@sampling.step("Conclusion", uses=[regret_on_estimates, decomposition, union])
def sampled_rate(s: paper.SampledSetting) -> Claim:
    """Where no noise exceeds u, as in this run, t E(x-bar_t) <= L / eta + eta t / 8 + u."""
    p, t = sampled(s), np.arange(1, s.horizon + 1)
    u = math.sqrt(2 * s.horizon * math.log(s.game.n / s.delta) / s.comparisons)
    right = complexity(s) / p.rate + p.rate * t / 8 + u
    return claim(np.cumsum(p.g, axis=0).max(1), "<=", right, "sum the decomposition", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

last_iterate = Proof(of=[paper.LAST_ITERATE, paper.LAST_ITERATE_GROWS], settings=paper.interior_grid)


class Interior(NamedTuple):
    """Payoffs with S pi* = 0, the winner, and a run of Hedge on them."""

    payoff: np.ndarray
    star: np.ndarray
    log_x: np.ndarray
    log_next: np.ndarray
    g: np.ndarray


@cache
def interior(s: paper.InteriorSetting) -> Interior:
    """Take each action's edge over the winner away, then play."""
    star = np.full(s.game.n, 1 / s.game.n) if s.winner is None else np.array(s.winner) / np.sum(s.winner)
    edge = (s.game.prefer - 0.5) @ star
    changed = s.game.prefer - 0.5 - edge[:, None] + edge[None, :]
    changed = changed / max(1.0, 2 * np.abs(changed).max())
    log_x, rows = log_first(s), []
    for _ in range(s.horizon):
        g = changed @ np.exp(log_x)
        log_next = normalise(log_x + s.rate * g)
        rows.append((log_x, log_next, g))
        log_x = log_next
    return Interior(changed, star, *(np.array(column) for column in zip(*rows, strict=True)))


@last_iterate.step("The changed game is a game, and nothing beats the winner in it")
def planted(s: paper.InteriorSetting) -> Claim:
    """S pi* = 0, S is skew."""
    p = interior(s)
    left = np.append(p.payoff @ p.star, (p.payoff + p.payoff.T).ravel())
    return claim(left, "==", 0.0, "edges e satisfy <pi*, e> = 0, and (e 1' - 1 e') pi* = e")


@last_iterate.step("The winner earns nothing", uses=[planted])
def winner_earns_nothing(s: paper.InteriorSetting) -> Claim:
    """<pi*, g_t> = -<x_t, S pi*> = 0."""
    p = interior(s)
    return claim(p.g @ p.star, "==", 0.0, "S is skew")


@last_iterate.step("Conclusion: the divergence grows by log E exp(eta g_t)", uses=[winner_earns_nothing])
def identity(s: paper.InteriorSetting) -> Claim:
    """KL(pi*||x_{t+1}) - KL(pi*||x_t) = log E exp(eta g_t) - eta <pi*, g_t>."""
    p = interior(s)
    right = np.logaddexp.reduce(p.log_x + s.rate * p.g, axis=1)
    return claim((p.log_x - p.log_next) @ p.star, "==", right, "insert the update", rounding=ROUNDING)


@last_iterate.step("exp(z) >= 1 + z + psi(eta/2) z^2 from z = -eta/2 on")
def quadratic_below(s: paper.InteriorSetting) -> Claim:
    """psi(x) = (e^-x - 1 + x) / x^2."""
    half = s.rate / 2
    z = np.linspace(-half, 3, 100)
    left = 1 + z + (math.exp(-half) - 1 + half) / half**2 * z**2
    return claim(left, "<=", np.exp(z), "(e^z - 1 - z) / z^2 grows with z", rounding=ROUNDING)


@last_iterate.step("Conclusion: growth by the variance of win rates", uses=[identity, quadratic_below])
def growth(s: paper.InteriorSetting) -> Claim:
    """log(1 + psi eta^2 E g^2) <= growth; it is 0 only if g_t = 0, where x_t is a minimax winner."""
    p, half = interior(s), s.rate / 2
    spread = (np.exp(p.log_x) * p.g**2).sum(1)
    left = np.log(1 + (math.exp(-half) - 1 + half) / half**2 * s.rate**2 * spread)
    why = "E g_t = 0 and g_t >= -1/2"
    return claim(left, "<=", (p.log_x - p.log_next) @ p.star, why, rounding=ROUNDING)
