r"""Proofs on INPO: how far it goes, how fast it converges, how large its steps may be, what its losses ask for.

Notation. :math:`S = P - 1/2`; :math:`g(\pi) = \beta\,\mathrm{KL}(\pi \| \mu)`; :math:`x_t = \pi_t`;
:math:`K_t = \mathrm{KL}(\pi^* \| x_t)`; :math:`\eta` is the inverse rate, :math:`q = 1 - \beta / \eta`,
:math:`\gamma = 1 / (\eta - \beta)`. One iteration adds :math:`\delta_t = (S x_t - \beta \log (x_t / \mu)) / \eta` to
the logarithms, and normalises. Everything is recomputed here with plain NumPy, from the definitions.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.games import zhang2024 as paper
from rltheory.theory import Claim, Proof, claim

ITERATIONS = 300  # many times what the proofs need to see; the theorems run further
DRAWS = 40

# Logarithms reach 650 here and err by 1e-13, sums of them weighted by probabilities hardly more; eta is at most 200.
ROUNDING = 1e-12


class Play(NamedTuple):
    """One run, row t being iteration t; logs of x_t and x_{t+1}, of equilibrium and reference, and eta."""

    x: np.ndarray
    y: np.ndarray  # x_{t+1}
    star: np.ndarray
    ref: np.ndarray
    eta: np.ndarray  # of shape (1,) or (T,)


def iterate(s, etas):
    """Play from the definition with these inverse rates."""
    ref = s.log_reference
    x = ref if s.start is None else np.log(s.start) - np.log(np.sum(s.start))
    rows = []
    for eta in etas:
        y = normalise((1 - s.beta / eta) * x + s.beta / eta * ref + values(s, x) / eta)
        rows.append((x, y))
        x = y
    xs, ys = (np.array(column) for column in zip(*rows, strict=True))
    return Play(xs, ys, s.log_equilibrium, ref, np.asarray(etas))


@cache
def play(s: paper.Setting) -> Play:
    """Run with the setting's constant rate."""
    return iterate(s, np.full(ITERATIONS, s.beta + 1 / s.step))._replace(eta=np.array([s.beta + 1 / s.step]))


@cache
def play_decreasing(s: paper.Setting) -> Play:
    """Run with eta_t = beta (t + 2) / 2; row 0 is time 1."""
    return iterate(s, s.beta * (np.arange(1, ITERATIONS + 1) + 2) / 2)


def normalise(z):
    """Logarithm of the policy proportional to exp(z)."""
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def values(s, log_x):
    """S x."""
    return np.exp(log_x) @ (s.game.prefer - 0.5).T


def dot(f, g):
    """<f, g>."""
    return (f * g).sum(-1)


def kl(log_p, log_q):
    """KL(p || q) = sum p log(p / q)."""
    return dot(np.exp(log_p), log_p - log_q)


def norm(log_p, log_q):
    """|| p - q ||_1."""
    return np.abs(np.exp(log_p) - np.exp(log_q)).sum(-1)


def span(z):
    """Largest minus smallest entry."""
    return z.max(-1) - z.min(-1)


def edge(s, log_u, log_x):
    """P_beta(u > x) - 1/2."""
    return dot(np.exp(log_u), values(s, log_x)) - s.beta * (kl(log_u, s.log_reference) - kl(log_x, s.log_reference))


def exponent(s, p):
    """delta_t."""
    return (values(s, p.x) - s.beta * (p.x - p.ref)) / p.eta[:, None]


def cumulant(log_p, f):
    """Log E_p exp(f - E_p f)."""
    return np.logaddexp.reduce(log_p + f - dot(np.exp(log_p), f)[:, None], axis=-1)


# --------------------------------------------------------------------------------------------------

reach = Proof(of=[paper.SPAN, paper.LOG_RATIO], settings=paper.grid)


@reach.step("The log-ratio to the reference is averaged with S x / beta")
def log_ratio(s: paper.Setting) -> Claim:
    """log(x_{t+1} / mu) = (1 - beta/eta) log(x_t / mu) + (beta/eta) S x_t / beta + c."""
    p = play(s)
    share = s.beta / p.eta[:, None]
    residual = p.y - p.ref - (1 - share) * (p.x - p.ref) - share * values(s, p.x) / s.beta
    return claim(span(residual), "==", 0.0, "subtract log mu from the update", rounding=ROUNDING)


@reach.step("Win rates have span 1 at most")
def win_rates(s: paper.Setting) -> Claim:
    """span(S x) <= 1."""
    return claim(span(values(s, play(s).x)), "<=", 1.0, "entries of S lie in [-1/2, 1/2]")


@reach.step("Conclusion: span(log x_t - log mu) <= 1 / beta", uses=[log_ratio, win_rates])
def spans(s: paper.Setting) -> Claim:
    """The bound is kept by averages with vectors that satisfy it."""
    return claim(span(play(s).x - play(s).ref), "<=", 1 / s.beta, "it is 0 at first", rounding=ROUNDING)


@reach.step("Conclusion: so is every log-ratio", uses=[spans])
def log_ratios(s: paper.Setting) -> Claim:
    """Max |log x_t - log mu| <= span(log x_t - log mu)."""
    ratio = play(s).x - play(s).ref
    why = "both policies add up to 1, so that the smallest log-ratio is <= 0 and the largest >= 0"
    return claim(np.abs(ratio).max(-1), "<=", span(ratio), why, rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

recursion = Proof(of=[paper.IDENTITY, paper.ONE_STEP], settings=paper.grid)


@recursion.step("The equilibrium is the fixed point log pi* = log mu + S pi* / beta + c")
def fixed_point(s: paper.Setting) -> Claim:
    """Residual of the fixed point."""
    p = play(s)
    residual = p.star - p.ref - values(s, p.star) / s.beta
    return claim(span(residual), "==", 0.0, "both players respond best to each other", rounding=ROUNDING)


@recursion.step("An iteration tilts the policy by delta")
def tilt(s: paper.Setting) -> Claim:
    """Log x_{t+1} = log x_t + delta_t + c."""
    p = play(s)
    return claim(span(p.y - p.x - exponent(s, p)), "==", 0.0, "collect terms of the update", rounding=ROUNDING)


@recursion.step("A tilt changes the divergence by a linear term and the normaliser", uses=[tilt])
def tilted_divergence(s: paper.Setting) -> Claim:
    """K_{t+1} = K_t + <x_t - pi*, delta> + log E_x exp(delta - E_x delta)."""
    p = play(s)
    linear = dot(np.exp(p.x) - np.exp(p.star), exponent(s, p))
    right = kl(p.star, p.x) + linear + cumulant(p.x, exponent(s, p))
    return claim(kl(p.star, p.y), "==", right, "insert the tilt into KL(pi* || x_{t+1})", rounding=ROUNDING)


@recursion.step("The linear term is what x loses to the equilibrium", uses=[fixed_point])
def linear_term(s: paper.Setting) -> Claim:
    """<x_t - pi*, delta> = -(beta/eta) (K_t + KL(x_t || pi*))."""
    p = play(s)
    left = dot(np.exp(p.x) - np.exp(p.star), exponent(s, p))
    right = -s.beta / p.eta * (kl(p.star, p.x) + kl(p.x, p.star))
    why = "delta = (S (x - pi*) - beta log(x / pi*)) / eta + c by the fixed point, and <S d, d> = 0"
    return claim(left, "==", right, why, rounding=ROUNDING)


@recursion.step("The normaliser is a divergence", uses=[tilt])
def normaliser(s: paper.Setting) -> Claim:
    """Log E_x exp(delta - E_x delta) = KL(x_t || x_{t+1})."""
    p = play(s)
    right = kl(p.x, p.y)
    return claim(cumulant(p.x, exponent(s, p)), "==", right, "take the mean of the tilt under x", rounding=ROUNDING)


@recursion.step("Conclusion: the identity of one iteration", uses=[tilted_divergence, linear_term, normaliser])
def identity(s: paper.Setting) -> Claim:
    """K_{t+1} = (1 - beta/eta) K_t - (beta/eta) KL(x_t || pi*) + KL(x_t || x_{t+1})."""
    p = play(s)
    share = s.beta / p.eta
    right = (1 - share) * kl(p.star, p.x) - share * kl(p.x, p.star) + kl(p.x, p.y)
    return claim(kl(p.star, p.y), "==", right, "insert", rounding=ROUNDING)


@recursion.step("Hoeffding's lemma: a normaliser is at most the squared span over eight")
def hoeffding(s: paper.Setting) -> Claim:
    """Log E_x exp(delta - E_x delta) <= span(delta)^2 / 8."""
    p = play(s)
    delta = exponent(s, p)
    why = "a variance is at most the squared span over four under every tilt; integrate twice"
    return claim(cumulant(p.x, delta), "<=", span(delta) ** 2 / 8, why, rounding=ROUNDING)


@recursion.step("From the reference, the exponent has span 2 / eta at most")
def span_of_exponent(s: paper.Setting) -> Claim:
    """span(delta) <= (span(S x) + beta span(log x - log mu)) / eta <= 2 / eta."""
    p = play(s)
    why = "both spans are at most 1, by the bound on the log-ratios"
    return claim(span(exponent(s, p)) * p.eta, "<=", 2.0, why, rounding=ROUNDING)


@recursion.step("Conclusion: K_{t+1} <= (1 - beta/eta) K_t + 1/(2 eta^2)", uses=[identity, hoeffding, span_of_exponent])
def one_step(s: paper.Setting) -> Claim:
    """The recursion."""
    p = play(s)
    right = (1 - s.beta / p.eta) * kl(p.star, p.x) + 1 / (2 * p.eta**2)
    return claim(kl(p.star, p.y), "<=", right, "drop KL(x || pi*)", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

decreasing = Proof(of=[paper.DECREASING_STEPS], settings=paper.grid_of_games)


@decreasing.step("The equilibrium is within a span of 1 / beta of the reference")
def span_of_equilibrium(s: paper.Setting) -> Claim:
    """span(log pi* - log mu) <= 1 / beta."""
    why = "it is the span of S pi* / beta, by the fixed point"
    return claim(span(s.log_equilibrium - s.log_reference), "<=", 1 / s.beta, why, rounding=ROUNDING)


@decreasing.step("The first divergence is at most 1 / (8 beta^2)", uses=[span_of_equilibrium])
def first_divergence(s: paper.Setting) -> Claim:
    """K_1 <= span^2 / 8, below the bound 1 / beta^2 at T = 1."""
    p = play_decreasing(s)
    return claim(kl(p.star, p.ref), "<=", 1 / (8 * s.beta**2), "KL(p || q) <= span(log p - log q)^2 / 8, by Hoeffding")


@decreasing.step("The recursion with eta_t = beta (t + 2) / 2")
def decreasing_recursion(s: paper.Setting) -> Claim:
    """K_{t+1} <= t/(t+2) K_t + 2 / (beta^2 (t + 2)^2)."""
    p, t = play_decreasing(s), np.arange(1, ITERATIONS + 1)
    right = t / (t + 2) * kl(p.star, p.x) + 2 / (s.beta**2 * (t + 2) ** 2)
    return claim(kl(p.star, p.y), "<=", right, "the recursion of one step", rounding=ROUNDING)


@decreasing.step("The bound is kept by the recursion")
def bound_is_kept(s: paper.Setting) -> Claim:
    """t/(t+2) 2/(t+1) + 2/(t+2)^2 <= 2/(t+2)."""
    t = np.arange(1.0, 1e5)
    left = t / (t + 2) * 2 / (t + 1) + 2 / (t + 2) ** 2
    return claim(left, "<=", 2 / (t + 2), "it says t / (t + 1) + 1 / (t + 2) <= 1", rounding=1e-15)


@decreasing.step("Conclusion", uses=[first_divergence, decreasing_recursion, bound_is_kept])
def decreasing_rate(s: paper.Setting) -> Claim:
    """K_T <= 2 / (beta^2 (T + 1))."""
    p, t = play_decreasing(s), np.arange(1, ITERATIONS + 1)
    return claim(kl(p.star, p.x), "<=", 2 / (s.beta**2 * (t + 1)), "induction from T = 1", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

mixture = Proof(of=[paper.MIXTURE, paper.MIXTURE_HORIZON], settings=paper.grid)


@cache
def response_to_mean(s: paper.Setting) -> tuple[np.ndarray, np.ndarray]:
    """Logs of the average policy over all rows, and of the best response u to it."""
    mean = np.logaddexp.reduce(play(s).x, axis=0) - math.log(ITERATIONS)
    return mean, normalise(s.log_reference + values(s, mean) / s.beta)


def distance_to_responses(s):
    """D."""
    return min(1 / s.beta, -s.log_reference.min())


@mixture.step("What any u gains over x is paid from its divergence")
def gain_of_response(s: paper.Setting) -> Claim:
    """Edge of u over x_t = eta [KL(u||x_t) - KL(u||x_{t+1})] - beta KL(u||x_t) + eta KL(x_t||x_{t+1})."""
    p, (_, u) = play(s), response_to_mean(s)
    right = p.eta * (kl(u, p.x) - kl(u, p.y) + kl(p.x, p.y)) - s.beta * kl(u, p.x)
    why = "insert the tilt into KL(u || x_{t+1}), as for the equilibrium"
    return claim(edge(s, u, p.x), "==", right, why, rounding=p.eta[0] * ROUNDING)


@mixture.step("Each iteration adds at most 1 / (2 eta)")
def stability(s: paper.Setting) -> Claim:
    """The divergence times eta is at most 1 / (2 eta)."""
    p = play(s)
    why = "it is the normaliser of an exponent of span 2 / eta"
    return claim(p.eta * kl(p.x, p.y), "<=", 1 / (2 * p.eta), why, rounding=p.eta[0] * ROUNDING)


@mixture.step("Over the average policy u gains at most the average")
def average_gain(s: paper.Setting) -> Claim:
    """Edge of u over the mean <= mean of the edges of u."""
    p, (mean, u) = play(s), response_to_mean(s)
    return claim(edge(s, u, mean), "<=", edge(s, u, p.x).mean(), "the penalty is convex", rounding=ROUNDING)


@mixture.step("A best response is not far from the reference")
def distance_of_response(s: paper.Setting) -> Claim:
    """KL(u || mu) <= D."""
    _, u = response_to_mean(s)
    why = "at most log 1/min mu, whatever u; and beta KL(u || mu) <= <u - mu, S x> <= 1, since mu responds no better"
    return claim(kl(u, s.log_reference), "<=", distance_to_responses(s), why, rounding=ROUNDING)


@mixture.step("Conclusion at any rate", uses=[gain_of_response, stability, average_gain, distance_of_response])
def mixture_gap(s: paper.Setting) -> Claim:
    """E(mean of T policies) <= eta D / T + 1 / (2 eta)."""
    p, (mean, u) = play(s), response_to_mean(s)
    right = p.eta * distance_to_responses(s) / ITERATIONS + 1 / (2 * p.eta)
    return claim(edge(s, u, mean), "<=", right, "the differences of divergences telescope", rounding=ROUNDING)


@mixture.step("The best rate for T", uses=[mixture_gap])
def best_rate(s: paper.Setting) -> Claim:
    """The bound eta D / T + 1 / (2 eta) = sqrt(2 D / T) at eta = sqrt(T / (2 D))."""
    horizons, distance = paper.HORIZONS, distance_to_responses(s)
    eta = np.sqrt(horizons / (2 * distance))
    right = np.sqrt(2 * distance / horizons)
    return claim(eta * distance / horizons + 1 / (2 * eta), "==", right, "both terms are equal there")


@mixture.step("At beta <= 1/2 that rate is admissible for every T")
def admissible_rate(s: paper.Setting) -> Claim:
    """The least rate, beta, is at most eta."""
    beta = min(s.beta, 1 / 2)
    distance = min(1 / beta, -s.log_reference.min())
    return claim(beta, "<=", math.sqrt(1 / (2 * distance)), "2 beta^2 D <= 2 beta <= 1")


# --------------------------------------------------------------------------------------------------

linear = Proof(of=[paper.KL_ONE_STEP, paper.KL, paper.KL_FROM_REFERENCE], settings=paper.grid_with_proved_steps)


def pay(s, log_p, log_q, log_u, log_w):
    """<S (p - q), u - w>."""
    return dot(np.exp(log_u) - np.exp(log_w), values(s, log_p) - values(s, log_q))


def regret(s, log_v, log_x, log_u):
    """-<S v, x - u> + g(x) - g(u): what x loses to u against the opponent v."""
    gain = dot(np.exp(log_x) - np.exp(log_u), values(s, log_v))
    return s.beta * (kl(log_x, s.log_reference) - kl(log_u, s.log_reference)) - gain


@linear.step("Inverse rate and step size: 1 - beta/eta = 1 / (1 + gamma beta)")
def dictionary(s: paper.Setting) -> Claim:
    """With eta = beta + 1 / gamma."""
    eta = play(s).eta
    return claim([1 - s.beta / eta, 1 / eta], "==", [[s.keep], [s.keep * s.step]], "insert")


@linear.step("Three-point identity at u = pi*, v = S x_t", uses=[dictionary])
def three_points(s: paper.Setting) -> Claim:
    """-<v, x_{t+1} - pi*> + g(x_{t+1}) - g(pi*) = [K_t - KL(x_{t+1}||x_t)]/gamma - (1/gamma + beta) K_{t+1}."""
    p, g = play(s), s.step
    right = (kl(p.star, p.x) - kl(p.y, p.x)) / g - (1 / g + s.beta) * kl(p.star, p.y)
    why = "x_{t+1} minimises a sum of KL terms, whose Bregman gap is KL itself"
    return claim(regret(s, p.x, p.y, p.star), "==", right, why, rounding=ROUNDING * (1 + 1 / g))


@linear.step("Against x_{t+1} itself, the equilibrium gains beta KL(x_{t+1} || pi*)")
def edge_over_next(s: paper.Setting) -> Claim:
    """-<S y, y - pi*> + g(y) - g(pi*) = beta KL(y || pi*)."""
    p = play(s)
    why = "insert log pi* = log mu + S pi* / beta + c; <S y, y> = <S pi*, pi*> = 0"
    return claim(regret(s, p.y, p.y, p.star), "==", s.beta * kl(p.y, p.star), why, rounding=ROUNDING)


@linear.step("Identity of one iteration", uses=[three_points, edge_over_next])
def iteration_identity(s: paper.Setting) -> Claim:
    """(1/g+b) K_{t+1} + b KL(y||*) + KL(y||x)/g = K_t/g - <S(y-x), y-*>."""
    p, g = play(s), s.step
    left = (1 / g + s.beta) * kl(p.star, p.y) + s.beta * kl(p.y, p.star) + kl(p.y, p.x) / g
    right = kl(p.star, p.x) / g - pay(s, p.y, p.x, p.y, p.star)
    why = "the opponents x and y differ by a bilinear term"
    return claim(left, "==", right, why, rounding=ROUNDING * (1 + 1 / g))


@linear.step("Hoelder: the bilinear term is at most half the product of the distances")
def hoelder(s: paper.Setting) -> Claim:
    """|<S d, d'>| <= ||d||_1 ||d'||_1 / 2."""
    p = play(s)
    right = norm(p.y, p.x) * norm(p.y, p.star) / 2
    return claim(np.abs(pay(s, p.y, p.x, p.y, p.star)), "<=", right, "entries of S are at most 1/2")


@linear.step("Pinsker: squared distances are at most twice the divergence")
def pinsker(s: paper.Setting) -> Claim:
    """||y - x||^2 <= 2 KL(y||x) and ||y - *||^2 <= 2 KL(y||*)."""
    p = play(s)
    left = np.stack([norm(p.y, p.x) ** 2, norm(p.y, p.star) ** 2])
    return claim(left, "<=", 2 * np.stack([kl(p.y, p.x), kl(p.y, p.star)]), "Pinsker's inequality", rounding=ROUNDING)


@linear.step("Young: the bilinear term by the two divergences", uses=[hoelder, pinsker])
def young(s: paper.Setting) -> Claim:
    """|<S d, d'>| <= KL(y||x)/g + (g/4) KL(y||*)."""
    p, g = play(s), s.step
    right = kl(p.y, p.x) / g + g / 4 * kl(p.y, p.star)
    why = "sqrt(u v) <= u / g + g v / 4"
    return claim(np.abs(pay(s, p.y, p.x, p.y, p.star)), "<=", right, why, rounding=ROUNDING * (1 + 1 / g))


@linear.step("Conclusion: K_{t+1} <= K_t / (1 + gamma beta)", uses=[dictionary, iteration_identity, young])
def contraction(s: paper.Setting) -> Claim:
    """(1/g+b) K_{t+1} + (b - g/4) KL(y||*) <= K_t/g, and the middle coefficient is >= 0."""
    p, g = play(s), s.step
    left = (1 / g + s.beta) * kl(p.star, p.y) + max(s.beta - g / 4, 0) * kl(p.y, p.star)
    return claim(left, "<=", kl(p.star, p.x) / g, "g <= 4 beta", rounding=ROUNDING * (1 + 1 / g))


@linear.step("From the reference, the first divergence is at most 1 / (2 beta)")
def from_reference(s: paper.Setting) -> Claim:
    """Beta [KL(*||mu) + KL(mu||*)] = <*, S mu> <= 1/2."""
    left = s.beta * (kl(s.log_equilibrium, s.log_reference) + kl(s.log_reference, s.log_equilibrium))
    return claim(left, "<=", 1 / 2, "the edge of pi* over mu, by the fixed point", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

limits = Proof(of=[paper.RATE_LIMIT, paper.STEP_LIMIT], settings=paper.grid_of_waves)
SLOW, FAST = 10, 20  # steps, in multiples of the temperature


def frequency(s):
    """The frequency 1 / (2 n tan(pi / 2n))."""
    return 1 / (2 * s.game.n * math.tan(math.pi / (2 * s.game.n)))


def factor(s, multiple):
    """(1 + gamma^2 lambda^2) / (1 + gamma beta)^2 at gamma = multiple of beta."""
    gamma = multiple * s.beta
    return (1 + (gamma * frequency(s)) ** 2) / (1 + gamma * s.beta) ** 2


@cache
def waves(s: paper.Setting, multiple: int) -> np.ndarray:
    """Log-deviations z_t = log x_t - log(1/n) in a run from a small wave, z_0 with mean 0 up to second order."""
    angle = 2 * np.pi * np.arange(s.game.n) / s.game.n
    start = 1 + paper.WAVE * np.cos(angle)
    run = iterate(
        paper.Setting(s.game, s.beta, start=start / start.sum()), np.full(ITERATIONS, s.beta + 1 / (multiple * s.beta))
    )
    return np.vstack([run.x, run.y[-1:]]) + math.log(s.game.n)


@limits.step("The first harmonic turns at frequency lambda")
def eigenvector(s: paper.Setting) -> Claim:
    """S w / n = i lambda w for w_a = exp(2 pi i a / n)."""
    n = s.game.n
    w = np.exp(2j * np.pi * np.arange(n) / n)
    turned = (s.game.prefer - 0.5) @ w / n
    right = 1j * frequency(s) * w
    why = "sum over the (n - 1) / 2 actions ahead: a geometric series, 1 / (2n) times the cotangent of pi / (2n)"
    return claim([turned.real, turned.imag], "==", [right.real, right.imag], why)


@limits.step("Near uniform play an iteration is linear, up to second order", uses=[eigenvector])
def linearisation(s: paper.Setting) -> Claim:
    """z_{t+1} = q (1 + gamma S / n) z_t + c, up to gamma q z^2."""
    gamma = FAST * s.beta
    q, z = 1 / (1 + gamma * s.beta), waves(s, FAST)
    residual = z[1:] - q * (z[:-1] + gamma * z[:-1] @ (s.game.prefer - 0.5).T / s.game.n)
    right = gamma * q * np.abs(z[:-1]).max(-1) ** 2
    return claim(span(residual), "<=", right, "n x_a = exp(z_a) = 1 + z_a up to z_a^2", rounding=1e-14)


@limits.step("Near uniform play the divergence is half the mean square, up to third order")
def quadratic(s: paper.Setting) -> Claim:
    """|K - mean(z^2) / 2| <= max |z|^3."""
    z = waves(s, FAST)
    left = np.abs(divergence(s, FAST) - (z - z.mean(-1, keepdims=True)).var(-1) / 2)
    why = "K = -mean(z), while mean(exp z) = 1"
    return claim(left, "<=", np.abs(z).max(-1) ** 3, why, rounding=1e-24)


def divergence(s, multiple):
    """K_t = sum over a of (1/n) (exp(z) - 1 - z), without cancellation for small z."""
    z = waves(s, multiple)
    return (z**2 / 2 + z**3 / 6).mean(-1)


@limits.step("So an iteration multiplies the divergence by |q (1 + i gamma lambda)|^2", uses=[linearisation, quadratic])
def local_factor(s: paper.Setting) -> Claim:
    """K_{t+1} / K_t = (1 + gamma^2 lambda^2) / (1 + gamma beta)^2, for both steps."""
    runs = np.stack([divergence(s, SLOW), divergence(s, FAST)])
    right = [[factor(s, SLOW)], [factor(s, FAST)]]
    why = "second orders are 1e-10 of the first, as rounding is"
    return claim(runs[:, 1:] / runs[:, :-1], "==", right, why, rounding=1e-9)


@limits.step("Conclusion: with 10 beta the divergence shrinks less than by q", uses=[local_factor])
def misses_rate(s: paper.Setting) -> Claim:
    """The factor exceeds q, by more than local_factor leaves open: gamma > beta / lambda^2."""
    left = 1 / (1 + SLOW * s.beta**2) + 1e-8
    return claim(left, "<=", factor(s, SLOW), "pi^2 = 9.87, and 1 / lambda^2 is hardly larger", rounding=0.0)


@limits.step("Conclusion: with 20 beta it grows", uses=[local_factor])
def grows(s: paper.Setting) -> Claim:
    """1 < factor: gamma > 2 beta / (lambda^2 - beta^2)."""
    why = "2 pi^2 = 19.74; at beta = 0.01 and n = 101 the limit is 19.76 beta"
    return claim(1 + 1e-8, "<=", factor(s, FAST), why, rounding=0.0)


# --------------------------------------------------------------------------------------------------

losses = Proof(of=[paper.LOSS_DIFFERENCE, paper.OFF_POLICY], settings=paper.grid)


class Draw(NamedTuple):
    """Policies, one per row: logs of x_t and of any policy, the law of the pairs, and eta."""

    x: np.ndarray
    any: np.ndarray
    law: np.ndarray
    eta: float


@cache
def draw(s: paper.Setting) -> Draw:
    """Iterates with random policies around them and random laws, the first half being the iterates themselves."""
    rng = stream(0, "proofs on INPO's losses", s)
    x = play(s).x[rng.integers(ITERATIONS, size=DRAWS)]
    widths = 10 ** rng.uniform(-2, 1, (DRAWS, 1))
    laws = np.exp(normalise(widths * rng.standard_normal(x.shape)))
    laws[: DRAWS // 2] = np.exp(x[: DRAWS // 2])
    return Draw(x, normalise(x + widths * rng.standard_normal(x.shape)), laws, s.beta + 1 / s.step)


def margins(s, log_pi):
    """The f with h(pi, y, y') = f(y) - f(y')."""
    d = draw(s)
    return log_pi - s.beta / d.eta * s.log_reference - (1 - s.beta / d.eta) * d.x


def over_pairs(s, terms):
    """E over y, y' from the law, independently."""
    law = draw(s).law
    return np.einsum("ta,tab,tb->t", law, terms, law)


def differences(f):
    """f(y) - f(y')."""
    return f[:, :, None] - f[:, None, :]


def mean(s, f):
    """E_rho f."""
    return dot(draw(s).law, f)


def rates(s):
    """S rho."""
    return draw(s).law @ (s.game.prefer - 0.5).T


def variance(s, f):
    """Var_rho f."""
    return mean(s, (f - mean(s, f)[:, None]) ** 2)


def sampled_loss(s, log_pi):
    """L'(pi) with both outcomes of the comparison of every pair."""
    h, half = differences(margins(s, log_pi)), 1 / (2 * draw(s).eta)
    return over_pairs(s, s.game.prefer * (h - half) ** 2 + s.game.prefer.T * (-h - half) ** 2)


def known_loss(s, log_pi):
    """L(pi) with known win rates against the law."""
    return over_pairs(s, differences(margins(s, log_pi) - rates(s) / draw(s).eta) ** 2)


def size(s):
    """Rounding of squares of what stands in the losses."""
    return 1e-13 * (1 + np.abs(margins(s, draw(s).any)).max() + 1 / draw(s).eta) ** 2


@losses.step("The law wins and loses alike against itself")
def even(s: paper.Setting) -> Claim:
    """E_rho S rho = 0."""
    return claim(mean(s, rates(s)), "==", 0.0, "S is skew")


@losses.step("Averaging over the outcome of a comparison")
def over_outcomes(s: paper.Setting) -> Claim:
    """L'(pi) = E h^2 - (2/eta) E h S(y, y') + 1/(4 eta^2)."""
    d, h = draw(s), differences(margins(s, draw(s).any))
    right = over_pairs(s, h**2 - 2 / d.eta * h * (s.game.prefer - 0.5)) + 1 / (4 * d.eta**2)
    why = "h(y', y) = -h(y, y'); the outcomes have probabilities 1/2 + S and 1/2 - S"
    return claim(sampled_loss(s, d.any), "==", right, why, rounding=size(s))


@losses.step("Comparisons with the law's own draws give its win rates")
def to_win_rates(s: paper.Setting) -> Claim:
    """E h S(y, y') = 2 E_rho f S rho = E h (S rho(y) - S rho(y'))."""
    f = margins(s, draw(s).any)
    h, double = differences(f), 2 * mean(s, f * rates(s))
    left = [over_pairs(s, h * (s.game.prefer - 0.5)), over_pairs(s, h * differences(rates(s)))]
    return claim(left, "==", [double, double], "S is skew; E_rho S rho = 0", rounding=size(s))


@losses.step("Conclusion: one comparison adds a constant", uses=[over_outcomes, to_win_rates, even])
def difference(s: paper.Setting) -> Claim:
    """L'(pi) - L(pi) = 1/(4 eta^2) - E (S rho(y) - S rho(y'))^2 / eta^2; on half of the draws rho = x_t."""
    d = draw(s)
    right = (1 / 4 - over_pairs(s, differences(rates(s)) ** 2)) / d.eta**2
    left = sampled_loss(s, d.any) - known_loss(s, d.any)
    return claim(left, "==", right, "complete the square", rounding=size(s))


@losses.step("With known win rates the loss is twice a variance")
def twice_variance(s: paper.Setting) -> Claim:
    """L(pi) = 2 Var_rho(f - S rho / eta)."""
    d = draw(s)
    right = 2 * variance(s, margins(s, d.any) - rates(s) / d.eta)
    why = "the mean squared difference of two independent draws"
    return claim(known_loss(s, d.any), "==", right, why, rounding=size(s))


@losses.step("That is the log-ratio to the step against the law")
def to_step(s: paper.Setting) -> Claim:
    """The residual f - S rho / eta = log pi - log pi_rho + c."""
    d = draw(s)
    left = margins(s, d.any) - rates(s) / d.eta - (d.any - step_against_law(s))
    return claim(span(left), "==", 0.0, "the definition of pi_rho", rounding=ROUNDING)


def step_against_law(s):
    """Log of pi_rho."""
    d = draw(s)
    return normalise((1 - s.beta / d.eta) * d.x + s.beta / d.eta * s.log_reference + rates(s) / d.eta)


@losses.step("The step against the law solves the normal equations")
def normal_equations(s: paper.Setting) -> Claim:
    """Lambda v = (W - W') 1 / 2 at v = S rho, for expected wins W = rho rho' P."""
    law, v = draw(s).law, rates(s)
    wins = law[:, :, None] * law[:, None, :] * s.game.prefer
    links = wins + wins.transpose(0, 2, 1)
    left = links.sum(-1) * v - np.einsum("tab,tb->ta", links, v)
    right = (wins - wins.transpose(0, 2, 1)).sum(-1) / 2
    return claim(left, "==", right, "W + W' = rho rho', and E_rho v = 0")


@losses.step("Conclusion: the excess loss", uses=[difference, twice_variance, to_step, normal_equations])
def excess(s: paper.Setting) -> Claim:
    """L'(pi) - L'(pi_rho) = 2 Var_rho(log pi - log pi_rho)."""
    d, best = draw(s), step_against_law(s)
    left = sampled_loss(s, d.any) - sampled_loss(s, best)
    why = "L vanishes at pi_rho, and the constant cancels"
    return claim(left, "==", 2 * variance(s, d.any - best), why, rounding=size(s))
