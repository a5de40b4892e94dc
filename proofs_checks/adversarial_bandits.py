r"""Proofs of the regret bounds of Exp3, Exp3-IX and Tsallis-INF.

Notation. :math:`p_t` the probabilities of round t, :math:`\hat\ell_t` the estimated losses, which are 0 but for the arm
A that is drawn, and :math:`\hat L_t` their sums before round t. Runs are recomputed with plain NumPy; expectations over
the arm of a round, given the rounds before, are sums over all arms.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.bandits import adversarial_bandits as paper
from rltheory.theory import Claim, Proof, claim

ROUNDING = 1e-9  # sums of up to some thousand numbers, and a bisection
REPEATS = 3


class Play(NamedTuple):
    """One run, row t - 1 being round t."""

    p: np.ndarray
    losses: np.ndarray
    arms: np.ndarray
    estimates: np.ndarray
    rates: np.ndarray

    @property
    def drawn(self):
        """Probabilities of the arms that were drawn."""
        return np.take_along_axis(self.p, self.arms[:, None], axis=1)[:, 0]

    @property
    def suffered(self):
        """Losses of the arms that were drawn."""
        return np.take_along_axis(self.losses, self.arms[:, None], axis=1)[:, 0]


def exponential(eta, sums):
    """Weights exp(-eta L), normalised."""
    weights = np.exp(-eta * (sums - sums.min()))
    return weights / weights.sum()


def tsallis(eta, sums):
    """4 (eta (L - x))^-2, with the x for which they sum to 1, by bisection."""
    low, high = sums.min() - 2 * math.sqrt(sums.size) / eta, sums.min() - 2 / eta
    for _ in range(100):
        x = (low + high) / 2
        low, high = (low, x) if (4 / (eta * (sums - x)) ** 2).sum() > 1 else (x, high)
    return 4 / (eta * (sums - x)) ** 2


@cache
def play(s, policy, rate=None, exploration=0.0):
    """Some runs; `rate` maps t to that of the round, or else it is the setting's."""
    runs = []
    for i in range(REPEATS):
        rng, sums, rows = stream(0, "proofs on adversarial bandits", s, i), np.zeros(s.table.arms), []
        for t, losses in enumerate(s.table.losses, 1):
            eta = s.rate if rate is None else rate(s, t)
            p = policy(eta, sums)
            arm = int(np.searchsorted(p.cumsum() / p.sum(), rng.random(), side="right"))
            estimate = (np.arange(p.size) == arm) * losses / (p + exploration * eta)
            rows.append((p, losses, arm, estimate, eta))
            sums = sums + estimate
        runs.append(Play(*(np.array(column) for column in zip(*rows, strict=True))))
    return runs


def mixed(r):
    """<p_t, estimated losses>."""
    return (r.p * r.estimates).sum(1)


def falling(s, t):
    """Rate of Exp3 of every time."""
    return math.sqrt(math.log(s.table.arms) / (t * s.table.arms))


def exp3_runs(s):
    """With the rate of the setting, if it has one, or else with decreasing ones."""
    return play(s, exponential) if hasattr(s, "rate") else play(s, exponential, falling)


def both_grids():
    """Settings with a rate, and without."""
    yield from paper.exp3_grid()
    yield from paper.grid()


def mix_losses(r):
    """-log <p_t, exp(-eta_t estimates)> / eta_t."""
    return -np.log((r.p * np.exp(-r.rates[:, None] * r.estimates)).sum(1)) / r.rates


expected = Proof(of=[paper.EXP3, paper.EXP3_ANYTIME], settings=both_grids)


@expected.step("Estimated losses are unbiased")
def unbiased(s) -> Claim:
    """E l^_t(b) = sum over a of p_t(a) 1{a = b} l_t(b) / p_t(b)."""
    r = exp3_runs(s)[0]
    mean = (r.p[:, :, None] * np.eye(s.table.arms) * (r.losses / r.p)[:, None, :]).sum(1)
    return claim(mean, "==", r.losses, "the weights cancel")


@expected.step("Mix losses sum to the least estimated loss plus log K / eta_t at most, after every round")
def mix(s) -> Claim:
    """The potential -log(mean of exp(-eta L)) / eta falls as eta does; at the end it is the least of L at most."""
    sides = [
        (mix_losses(r).cumsum(), r.estimates.cumsum(0).min(1) + math.log(s.table.arms) / r.rates) for r in exp3_runs(s)
    ]
    left, right = np.array(sides).swapaxes(0, 1)
    return claim(left, "<=", right, "telescope, where rates do not rise: Jensen for their ratio", rounding=ROUNDING)


@expected.step("A mix loss is below the mean by eta / 2 times the mean square at most")
def square(s) -> Claim:
    """<p, l^> + log <p, exp(-eta l^)> / eta <= eta / 2 <p, l^^2>."""
    runs = exp3_runs(s)
    left = [mixed(r) - mix_losses(r) for r in runs]
    right = [r.rates / 2 * (r.p * r.estimates**2).sum(1) for r in runs]
    return claim(left, "<=", right, "exp(-x) <= 1 - x + x^2 / 2 for x >= 0, and log(1 + x) <= x", rounding=ROUNDING)


@expected.step("The mean square is K at most, in expectation")
def mean_square(s) -> Claim:
    """Sum over a of p(a) p(a) (l(a) / p(a))^2."""
    r = exp3_runs(s)[0]
    return claim((r.p * r.p * (r.losses / r.p) ** 2).sum(1), "<=", s.table.arms, "it is the sum of l(a)^2")


@expected.step("Conclusion", uses=[unbiased, mix, square, mean_square])
def exp3_conclusion(s) -> Claim:
    """As means of least estimates are below least means: log K / eta_t + K / 2 (eta_1 + ... + eta_t)."""
    rates, k = exp3_runs(s)[0].rates, s.table.arms
    theorem = paper.EXP3 if hasattr(s, "rate") else paper.EXP3_ANYTIME
    trace = theorem.run(s, stream(0, "times"))
    total = (math.log(k) / rates + k / 2 * rates.cumsum())[trace.times[1:] - 1]
    return claim(total, "==", np.asarray(theorem.bound(s, trace))[1:], "insert the rates", rounding=ROUNDING)


@expected.step("The closed form of the bound for all times")
def closed(s) -> Claim:
    """sqrt(t) + (1 + ... + 1 / sqrt(t)) / 2 <= 2 sqrt(t)."""
    t = np.arange(1, s.table.rounds + 1)
    return claim((1 / np.sqrt(t)).cumsum(), "<=", 2 * np.sqrt(t) - 1, "the integral of 1 / sqrt(x) from 1 to t, plus 1")


# --------------------------------------------------------------------------------------------------

implicit = Proof(of=[paper.EXP3_IX], settings=paper.risked_grid)


def ix_runs(s):
    """With gamma = eta / 2."""
    return play(s, exponential, exploration=0.5)


@implicit.step("Implicit exploration stays below a logarithm")
def logarithm(s) -> Claim:
    """The estimate l / (p + gamma) <= log(1 + 2 gamma l / p) / (2 gamma)."""
    r, gamma = ix_runs(s)[0], s.rate / 2
    right = np.log1p(2 * gamma * r.losses / r.p) / (2 * gamma)
    why = "l <= 1, so p + gamma >= p + gamma l; then z / (1 + z / 2) <= log(1 + z)"
    return claim(r.losses / (r.p + gamma), "<=", right, why, rounding=ROUNDING)


@implicit.step("Exponentials of excesses are supermartingales, for each arm and for the sum over all", uses=[logarithm])
def supermartingale(s) -> Claim:
    """E exp(2 gamma (l^(b) - l(b))) <= 1, and the same with sums over b."""
    r, gamma = ix_runs(s)[0], s.rate / 2
    grown = np.exp(2 * gamma * r.losses / (r.p + gamma))
    single = (1 - r.p + r.p * grown) * np.exp(-2 * gamma * r.losses)
    together = (r.p * grown).sum(1) * np.exp(-2 * gamma * r.losses.sum(1))
    why = "the logarithm makes the mean 1 + 2 gamma l at most, and that is below exp(2 gamma l)"
    return claim(np.column_stack([single, together]), "<=", 1.0, why)


@implicit.step("Ville: with probability 1 - delta none of the K + 1 excesses ever exceeds lambda / (2 gamma)")
def ville(s) -> Claim:
    """Each does with probability exp(-lambda) at most."""
    return claim((s.table.arms + 1) * math.exp(-s.log_events), "==", s.delta, "lambda = log((K + 1) / delta)")


@implicit.step("Along every run: sum of l(A) <= L^(a) + log K / eta + (eta / 2 + gamma) times all estimates")
def pathwise(s) -> Claim:
    """For the arm with the least estimate, after every round."""
    gamma, left, right = s.rate / 2, [], []
    for r in ix_runs(s):
        left.append(r.suffered.cumsum() - r.estimates.cumsum(0).min(1))
        right.append(math.log(s.table.arms) / s.rate + (s.rate / 2 + gamma) * r.estimates.sum(1).cumsum())
    why = "as for Exp3, where <p, l^> = l(A) - gamma l^(A) and <p, l^^2> <= l^(A)"
    return claim(left, "<=", right, why, rounding=ROUNDING)


@implicit.step("Conclusion", uses=[supermartingale, ville, pathwise])
def ix_conclusion(s) -> Claim:
    """Sum of log K / eta, lambda / (2 gamma) and (eta / 2 + gamma) (K t + lambda / (2 gamma)), gamma = eta / 2."""
    gamma, k = s.rate / 2, s.table.arms
    trace = paper.play_exp3_ix(s, stream(0, "times"))
    slack = s.log_events / (2 * gamma)
    total = math.log(k) / s.rate + slack + (s.rate / 2 + gamma) * (k * trace.times + slack)
    return claim(total, "==", paper.EXP3_IX.bound(s, trace), "all losses sum to K t at most", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------


def tsallis_grids():
    """Settings with a rate, and without."""
    yield from paper.tsallis_grid()
    yield from paper.grid()


def by_root(s, t):
    """Rate of Tsallis-INF of every time."""
    return 2 / math.sqrt(t)


def tsallis_runs(s):
    """With the rate of the setting, if it has one, or else with decreasing ones."""
    return play(s, tsallis) if hasattr(s, "rate") else play(s, tsallis, by_root)


def stability(rates, root, estimate):
    """Largest of <p - q, l^> - 2 D(q, p) / eta over q >= 0, with D of -2 sum sqrt: q differs from p at A only."""
    u = rates / 2 * estimate * root
    return 2 * root / rates * u**2 / (1 + u)


inf = Proof(of=[paper.TSALLIS_INF, paper.TSALLIS_INF_ANYTIME], settings=tsallis_grids)


@inf.step("Stability: what one round can gain, by the best q")
def best_reply(s) -> Claim:
    """At q = p / (1 + u)^2, compared with values on a grid of q(A)."""
    r = tsallis_runs(s)[0]
    p, estimate, eta = (values[:, None] for values in (r.drawn, r.suffered / r.drawn, r.rates))
    q = p * np.linspace(0, 1.5, 200)
    divergence = 2 * np.sqrt(p) - 2 * np.sqrt(q) + (q - p) / np.sqrt(p)
    right = stability(eta, np.sqrt(p), estimate)
    why = "the derivative vanishes at q^(-1/2) = p^(-1/2) + eta l^ / 2"
    return claim((p - q) * estimate - 2 / eta * divergence, "<=", right, why, rounding=ROUNDING)


@inf.step("Along every run: penalties and stability bound the regret against estimates, after every round")
def follow_the_leader(s) -> Claim:
    """Sum of <p, l^> - least L^ <= sum of (2/eta_t - 2/eta_{t-1}) (2 sum sqrt p_t - 2), plus stability."""
    left, right = [], []
    for r in tsallis_runs(s):
        steps = np.diff(2 / r.rates, prepend=0.0)
        penalty = (steps * (2 * np.sqrt(r.p).sum(1) - 2)).cumsum()
        left.append(mixed(r).cumsum() - r.estimates.cumsum(0).min(1))
        right.append(penalty + stability(r.rates, np.sqrt(r.drawn), r.suffered / r.drawn).cumsum())
    why = "p_t minimises <., L^> + 2 F / eta_t; compare with p_{t+1} and telescope; F is -2 at corners"
    return claim(left, "<=", right, why, rounding=ROUNDING)


@inf.step("Roots of probabilities sum to the root of K at most")
def roots(s) -> Claim:
    """Cauchy and Schwarz."""
    r = tsallis_runs(s)[0]
    return claim(np.sqrt(r.p).sum(1), "<=", math.sqrt(s.table.arms), "Cauchy-Schwarz", rounding=ROUNDING)


@inf.step("Stability costs eta_t / 2 times the root of K at most, in expectation", uses=[best_reply, roots])
def mean_stability(s) -> Claim:
    """Sum over a of p(a) times the stability, were a drawn."""
    r = tsallis_runs(s)[0]
    mean = (r.p * stability(r.rates[:, None], np.sqrt(r.p), r.losses / r.p)).sum(1)
    why = "u^2 / (1 + u) <= u^2, which leaves eta / 2 times l(a)^2 sqrt(p(a))"
    return claim(mean, "<=", r.rates / 2 * math.sqrt(s.table.arms), why, rounding=ROUNDING)


@inf.step("Conclusion", uses=[follow_the_leader, roots, mean_stability])
def inf_conclusion(s) -> Claim:
    """2 / eta_t (2 sqrt K - 2) + sqrt K / 2 (eta_1 + ... + eta_t)."""
    rates, root = tsallis_runs(s)[0].rates, math.sqrt(s.table.arms)
    theorem = paper.TSALLIS_INF if hasattr(s, "rate") else paper.TSALLIS_INF_ANYTIME
    trace = theorem.run(s, stream(0, "times"))
    total = (4 * (root - 1) / rates + root / 2 * rates.cumsum())[trace.times[1:] - 1]
    return claim(total, "==", np.asarray(theorem.bound(s, trace))[1:], "insert the rates", rounding=ROUNDING)


@inf.step("The closed form of the bound for all times")
def inf_closed(s) -> Claim:
    """2 (sqrt K - 1) sqrt t + sqrt K (1 + ... + 1 / sqrt t) <= 4 sqrt(K t)."""
    t, root = np.arange(1, s.table.rounds + 1), math.sqrt(s.table.arms)
    left = 2 * (root - 1) * np.sqrt(t) + root * (1 / np.sqrt(t)).cumsum()
    return claim(left, "<=", 4 * root * np.sqrt(t), "the sum is 2 sqrt(t) - 1 at most")
