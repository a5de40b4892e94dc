r"""Proofs of the largest rotation of a game, and of what an iteration does to a small wave on a cycle.

Notation. :math:`S = P - 1/2`; :math:`\langle f, h \rangle_\pi = \sum_a \pi_a f_a h_a` for a policy :math:`\pi`; and
:math:`\pi_\circ = 3.14159\ldots`. On the cycle u is the uniform policy, :math:`w_a = e^{2 \pi_\circ i a / n}` is the
longest wave, and a policy close to u is :math:`u\, e^{z}` up to its normaliser, for a small z. Derivatives along a
real direction are taken with an imaginary step: the imaginary part of :math:`F(i h z) / h` errs by :math:`h^2`. Those
along w are put together from its two parts.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from rltheory.simulation import stream
from rltheory.theorems.games import local_stability as paper
from rltheory.theory import Claim, Proof, claim

DRAWS = 20
HARMONICS = 50
IMAGINARY = 1e-30
ROUNDING = 1e-13


class Draw(NamedTuple):
    """Weights and payoffs; functions f and h of unit norm, one per row; radii and angles of the pairs (f, h)."""

    pi: np.ndarray
    payoff: np.ndarray
    f: np.ndarray
    h: np.ndarray
    r: np.ndarray
    phi: np.ndarray


@cache
def draw(s: paper.Weights) -> Draw:
    """Normal functions, and in the first row the singular functions of the largest singular value."""
    n, rng = s.game.n, stream(0, "proofs of rotations", s)
    pi, payoff = (np.full(n, 1 / n) if s.policy is None else s.policy), s.game.prefer - 0.5
    roots = np.sqrt(pi)
    left, _, right = np.linalg.svd(roots[:, None] * payoff * roots)
    f, h = (np.vstack([singular, rng.standard_normal((DRAWS, n))]) / roots for singular in (left[:, 0], right[0]))
    f, h = (g / np.sqrt((pi * g**2).sum(-1, keepdims=True)) for g in (f, h))
    return Draw(pi, payoff, f, h, np.hypot(f, h), np.arctan2(h, f))


def pairs(d, function):
    """Mean over pairs a, b of independent draws from pi."""
    return np.einsum("a,b,kab->k", d.pi, d.pi, function)


def cross(d):
    """f_a h_b - h_a f_b, the cross product of (f, h)_a and (f, h)_b."""
    return d.f[:, :, None] * d.h[:, None, :] - d.h[:, :, None] * d.f[:, None, :]


def bilinear(d):
    """<f, S h>_pi, in which S h averages over pi."""
    return np.einsum("ka,a,ab,b,kb->k", d.f, d.pi, d.payoff, d.pi, d.h, optimize=True)


# --------------------------------------------------------------------------------------------------

rotation = Proof(of=[paper.ROTATION], settings=paper.weights_grid)


@rotation.step("The norm is the largest value of the bilinear form, at functions of unit norm")
def norm_is_attained(s: paper.Weights) -> Claim:
    """The singular functions attain it."""
    d, roots = draw(s), np.sqrt(draw(s).pi)
    norm = np.linalg.norm(roots[:, None] * d.payoff * roots, ord=2)
    why = "substitute f and h by D^(1/2) f and D^(1/2) h"
    return claim([bilinear(d)[0], bilinear(d).max()], "==", norm, why, rounding=ROUNDING * s.game.n)


@rotation.step("Only the skew part of f h counts")
def skew_part(s: paper.Weights) -> Claim:
    """<f, S h> = E S_ab (f_a h_b - h_a f_b) / 2."""
    d = draw(s)
    return claim(bilinear(d), "==", pairs(d, d.payoff * cross(d)) / 2, "S is skew", rounding=ROUNDING)


@rotation.step("Hence at most a quarter of the mean cross product", uses=[skew_part])
def quarter(s: paper.Weights) -> Claim:
    """<f, S h> <= E |f_a h_b - h_a f_b| / 4."""
    d = draw(s)
    return claim(bilinear(d), "<=", pairs(d, np.abs(cross(d))) / 4, "entries of S are at most 1/2", rounding=ROUNDING)


@rotation.step("In polar form the cross product is a sine")
def polar(s: paper.Weights) -> Claim:
    """|f_a h_b - h_a f_b| = r_a r_b |sin(phi_a - phi_b)|."""
    d = draw(s)
    sines = np.abs(np.sin(d.phi[:, :, None] - d.phi[:, None, :]))
    right = pairs(d, d.r[:, :, None] * d.r[:, None, :] * sines)
    return claim(pairs(d, np.abs(cross(d))), "==", right, "(f, h) = r (cos phi, sin phi)", rounding=ROUNDING)


@rotation.step("Fourier: |sin| is 2 / pi less cosines of even multiples, with positive coefficients")
def fourier(s: paper.Weights) -> Claim:
    """||sin x| - 2/pi + (4/pi) sum_{k<=m} cos(2kx) / (4k^2 - 1)| <= (2/pi) / (2m + 1)."""
    x, k = np.linspace(0, np.pi, 1001), np.arange(1, HARMONICS + 1)
    partial = 2 / np.pi - 4 / np.pi * (np.cos(2 * k * x[:, None]) / (4 * k**2 - 1)).sum(-1)
    rest = 2 / np.pi / (2 * HARMONICS + 1)
    why = "the rest is at most (4/pi) sum_{k>m} 1 / (4k^2 - 1), which telescopes"
    return claim(np.abs(np.abs(np.sin(x)) - partial), "<=", rest, why, rounding=ROUNDING)


@rotation.step("No cosine has a negative mean")
def harmonics(s: paper.Weights) -> Claim:
    """E r_a r_b cos(2k (phi_a - phi_b)) = |E r exp(2 i k phi)|^2, for the first harmonics."""
    d = draw(s)
    differences, radii = d.phi[:, :, None] - d.phi[:, None, :], d.r[:, :, None] * d.r[:, None, :]
    left = [pairs(d, radii * np.cos(2 * k * differences)) for k in (1, 2, 3)]
    right = [np.abs((d.pi * d.r * np.exp(2j * k * d.phi)).sum(-1)) ** 2 for k in (1, 2, 3)]
    return claim(left, "==", right, "both draws are independent and alike", rounding=ROUNDING)


@rotation.step("Hence the mean cross product is at most that of a random angle", uses=[polar, fourier, harmonics])
def mean_of_sines(s: paper.Weights) -> Claim:
    """E |f_a h_b - h_a f_b| <= (2/pi) (E r)^2."""
    d = draw(s)
    right = 2 / np.pi * (d.pi * d.r).sum(-1) ** 2
    return claim(pairs(d, np.abs(cross(d))), "<=", right, "drop the cosines", rounding=ROUNDING)


@rotation.step("Jensen: the mean radius is at most the root of 2")
def radius(s: paper.Weights) -> Claim:
    """(E r)^2 <= E r^2 = E f^2 + E h^2 = 2."""
    d = draw(s)
    return claim((d.pi * d.r).sum(-1) ** 2, "<=", 2.0, "f and h have unit norm", rounding=ROUNDING)


@rotation.step("Conclusion: no rotation is faster than 1 / pi", uses=[norm_is_attained, quarter, mean_of_sines, radius])
def largest_rotation(s: paper.Weights) -> Claim:
    """<f, S h> <= (1/4) (2/pi) 2."""
    return claim(bilinear(draw(s)), "<=", 1 / np.pi, "insert", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------

cycles = Proof(of=[paper.CYCLE_ROTATION], settings=paper.cycles_grid)


def sines(n):
    """Sums of sin(2 pi j k / n) over 1 <= k < n / 2, for j = 1, ..., n - 1."""
    j, k = np.arange(1, n), np.arange(1, (n + 1) // 2)
    return np.sin(2 * np.pi * np.outer(j, k) / n).sum(-1)


@cycles.step("The cycle is circulant: waves are its eigenvectors")
def waves(s: paper.Weights) -> Claim:
    """S w_j / n = i lambda_j w_j with n lambda_j = sum of sin(2 pi j k / n) over 1 <= k < n / 2."""
    n = s.game.n
    wave = np.exp(2j * np.pi * np.outer(np.arange(n), np.arange(1, n)) / n)
    residual = (s.game.prefer - 0.5) @ wave / n - 1j * sines(n) / n * wave
    return claim(np.abs(residual), "==", 0.0, "an action beats the next half and loses to the last", rounding=ROUNDING)


@cycles.step("The sums in closed form")
def closed_form(s: paper.Weights) -> Claim:
    """cot(pi j / 2n) / 2 for odd j, -tan(pi j / 2n) / 2 for even j."""
    j = np.arange(1, s.game.n)
    half = np.tan(np.pi * j / (2 * s.game.n))
    why = "2 sin(t/2) sum_{k<=m} sin(k t) = cos(t/2) - cos((m + 1/2) t), here with (m + 1/2) t = pi j"
    # Of the last waves, which are the first ones turned round, the tangent is large.
    return claim(sines(s.game.n), "==", np.where(j % 2, 1 / half, -half) / 2, why, rounding=1e-11)


@cycles.step("The longest wave turns fastest", uses=[closed_form])
def longest(s: paper.Weights) -> Claim:
    """|lambda_j| <= lambda_1."""
    n = s.game.n
    right = 1 / (2 * math.tan(math.pi / (2 * n)))
    return claim(np.abs(sines(n)), "<=", right, "cot decreases, tan(pi (n - 1) / 2n) = cot(pi / 2n)", rounding=1e-11)


@cycles.step("Conclusion: the norm is the largest eigenvalue", uses=[waves, longest])
def cycle_rotation(s: paper.Weights) -> Claim:
    """|| S / n || = 1 / (2 n tan(pi / 2n))."""
    n = s.game.n
    norm = np.linalg.norm((s.game.prefer - 0.5) / n, ord=2)
    right = 1 / (2 * n * math.tan(math.pi / (2 * n)))
    return claim(norm, "==", right, "a skew matrix is normal", rounding=ROUNDING)


# --------------------------------------------------------------------------------------------------


class Cycle(NamedTuple):
    """Payoffs, the longest wave, its rotation lambda, and q of the setting."""

    payoff: np.ndarray
    wave: np.ndarray
    turn: float  # lambda
    keep: float  # q


@cache
def on_cycle(s: paper.Wave) -> Cycle:
    """Payoffs from their definition."""
    ahead = (np.arange(s.n)[None, :] - np.arange(s.n)[:, None]) % s.n
    payoff = np.where(ahead == 0, 0.0, np.where(ahead < s.n / 2, 0.5, -0.5))
    wave = np.exp(2j * np.pi * np.arange(s.n) / s.n)
    return Cycle(payoff, wave, 1 / (2 * s.n * math.tan(math.pi / (2 * s.n))), 1 / (1 + s.step * s.beta))


def normalise(z):
    """Logarithm of the policy proportional to exp(z), real or complex."""
    return z - np.log(np.exp(z).sum())


def proximal(s, log_x, log_y):
    """Logarithm of prox(x; S y), up to a constant: the uniform reference adds none."""
    c = on_cycle(s)
    return normalise(c.keep * log_x + c.keep * s.step * (c.payoff @ np.exp(log_y)))


def magnetic(s, log_x):
    """One iteration of magnetic mirror descent."""
    return proximal(s, log_x, log_x)


def mirror_prox(s, log_x):
    """One iteration of Nash mirror prox."""
    return proximal(s, log_x, proximal(s, log_x, log_x))


def gradient(s, log_x):
    """One iteration of policy gradient in self-play."""
    x = np.exp(log_x)
    advantage = on_cycle(s).payoff @ x - s.beta * log_x
    return normalise(log_x + s.step * x * (advantage - (x * advantage).sum()))


def along(function, wave):
    """Derivative of a function of the logits at 0 along a complex wave."""
    parts = [function(1j * IMAGINARY * part).imag / IMAGINARY for part in (wave.real, wave.imag)]
    return parts[0] + 1j * parts[1]


def away(s, log_policy):
    """Logits of a policy, centred."""
    return log_policy - log_policy.mean()


def derivative(s, iteration):
    """Derivative of an iteration along the wave, at the uniform policy."""
    return along(lambda z: away(s, iteration(s, normalise(z))), on_cycle(s).wave)


def multipliers(s):
    """What an iteration multiplies the wave by."""
    c = on_cycle(s)
    q, turn = c.keep, 1j * s.step * c.turn
    return {
        magnetic: q * (1 + turn),
        mirror_prox: q * (1 + q * turn * (1 + turn)),
        gradient: 1 - s.step / s.n * (s.beta - 1j * c.turn),
    }


factors = Proof(
    of=[paper.MAGNETIC, paper.MIRROR_PROX, paper.PROXIMAL_POINT, paper.GRADIENT, paper.OPTIMISTIC], settings=paper.waves
)


@factors.step("The uniform policy is the equilibrium at every temperature")
def uniform_equilibrium(s: paper.Wave) -> Claim:
    """S u = 0."""
    return claim(on_cycle(s).payoff.sum(-1), "==", 0.0, "each action beats as many as beat it")


@factors.step("Win rates turn the wave by i lambda")
def win_rates(s: paper.Wave) -> Claim:
    """Derivative of S pi along w: i lambda w."""
    c = on_cycle(s)
    moved = along(lambda z: c.payoff @ np.exp(normalise(z)), c.wave)
    return claim(
        np.abs(moved - 1j * c.turn * c.wave), "==", 0.0, "d pi = u w; eigenvalue of the cycle", rounding=ROUNDING
    )


@factors.step("A proximal map takes waves a w of the anchor and b w of the opponent to q (a + i gamma lambda b) w")
def proximal_map(s: paper.Wave) -> Claim:
    """At a = 1, b = 0 and at a = 0, b = 1."""
    c, still = on_cycle(s), np.zeros(s.n)
    anchor = along(lambda z: away(s, proximal(s, normalise(z), normalise(still))), c.wave)
    opponent = along(lambda z: away(s, proximal(s, normalise(still), normalise(z))), c.wave)
    left = np.abs([anchor - c.keep * c.wave, opponent - 1j * c.keep * s.step * c.turn * c.wave])
    return claim(left, "==", 0.0, "logarithms are averaged; constants do not count", rounding=ROUNDING)


@factors.step("Explicit methods multiply the wave by their multiplier", uses=[win_rates, proximal_map])
def explicit_methods(s: paper.Wave) -> Claim:
    """Magnetic mirror descent, Nash mirror prox and policy gradient."""
    left = [np.abs(derivative(s, iteration) - m * on_cycle(s).wave) for iteration, m in multipliers(s).items()]
    why = "a = b = 1; then a = 1 and b = q (1 + i gamma lambda); advantages weighed by 1 / n"
    return claim(left, "==", 0.0, why, rounding=ROUNDING)


@factors.step("The proximal point divides it by 1 / q - i gamma lambda", uses=[proximal_map])
def implicit_method(s: paper.Wave) -> Claim:
    """The equation m = q (1 + i gamma lambda m) has the solution q / (1 - i q gamma lambda)."""
    c = on_cycle(s)
    turn = 1j * s.step * c.turn
    m = c.keep / (1 - c.keep * turn)
    left = np.array([m - c.keep * (1 + turn * m)])
    return claim(np.abs(left), "==", 0.0, "the new policy is its own opponent: a = 1, b = m", rounding=ROUNDING)


@factors.step("Eliminating the midpoints of optimistic mirror descent", uses=[proximal_map])
def recursion(s: paper.Wave) -> Claim:
    """From v' = q z + a v and z' = q z + a v', z_0 = v_0 = 1, to the recursion for z alone; a = i q gamma lambda."""
    q, a = on_cycle(s).keep, 1j * on_cycle(s).keep * s.step * on_cycle(s).turn
    z, v, zs = 1, 1, [1]
    for _ in range(20):
        v = q * z + a * v
        z = q * z + a * v
        zs.append(z)
    zs = np.array(zs)
    right = np.append(q + q * a + a * a, (q + a + q * a) * zs[1:-1] - q * a * zs[:-2])
    scale = np.abs(zs).max()
    why = "a v' = z' - q z, hence v'' = q z' + z' - q z"
    return claim(np.abs(zs[1:] - right) / scale, "==", 0.0, why, rounding=ROUNDING)


@factors.step("A small divergence is half the mean square of the logits")
def quadratic(s: paper.Wave) -> Claim:
    """|KL(u || u e^z) / (mean z^2 / 2) - 1| <= max |z| for centred z of amplitude 1e-3, at any phase."""
    phases = np.exp(2j * np.pi * np.arange(12) / 12)
    z = 1e-3 * np.real(phases[:, None] * on_cycle(s).wave)
    kl = np.log(np.exp(z).mean(-1))
    left = np.abs(kl / ((z**2).mean(-1) / 2) - 1)
    return claim(left, "<=", 1e-3, "KL(u || u e^z) = log E e^z for centred z; Taylor", rounding=1e-9)


@factors.step("A real wave keeps its mean square when it turns")
def phases_are_equal(s: paper.Wave) -> Claim:
    """Mean of Re(m w)^2 is |m|^2 / 2 for complex m."""
    m = np.exp(2j * np.pi * np.arange(12) / 12) * np.arange(1, 13)
    left = (np.real(m[:, None] * on_cycle(s).wave) ** 2).mean(-1)
    return claim(left, "==", np.abs(m) ** 2 / 2, "the squares of a wave add up to 0, as n >= 3", rounding=1e-11)


@factors.step(
    "Conclusion: divergences are multiplied by the squares of the multipliers",
    uses=[uniform_equilibrium, explicit_methods, implicit_method, recursion, quadratic, phases_are_equal],
)
def squares(s: paper.Wave) -> Claim:
    """The stated factors are these squares."""
    c = on_cycle(s)
    turn = 1j * s.step * c.turn
    m = multipliers(s)
    roots = np.roots([1, -(c.keep + c.keep * turn * (1 + c.keep)), c.keep**2 * turn])
    left = [m[magnetic], m[mirror_prox], m[gradient], c.keep / (1 - c.keep * turn), max(roots, key=abs)]
    right = [
        paper.magnetic_factor(s),
        paper.mirror_prox_factor(s),
        paper.gradient_factor(s),
        paper.proximal_factor(s),
        paper.optimistic_factor(s),
    ]
    return claim(np.abs(left) ** 2, "==", right, "K_t = |z_t|^2 / 4, and z_{t+1} = m z_t")


# --------------------------------------------------------------------------------------------------

SIDES = np.array([0.95, 1.0, 1.05])


def factor_at(s, factor, steps):
    """Factors of an iteration at given steps."""
    return np.array([factor(paper.Wave(s.n, s.beta, step)) for step in steps])


def change(s, iteration, step, factor):
    """Divergence at the end of a run over that at its start; the linear map changes it by a factor of 1e4."""
    wave = paper.Wave(s.n, s.beta, step)
    start = normalise(1e-7 * np.real(on_cycle(wave).wave))
    log_policy = start
    for _ in range(math.ceil(math.log(1e4) / abs(math.log(factor(wave))))):
        log_policy = iteration(wave, log_policy)
    return (away(wave, log_policy) ** 2).sum() / (away(wave, start) ** 2).sum()


def crosses(s, iteration, factor, largest):
    """Whether the divergence falls to 1e-3 below the largest step, and grows to 1e3 above, as two claims in one."""
    below, above = (change(s, iteration, side * largest, factor) for side in SIDES[[0, 2]])
    why = "of second order; the map is linear as far as that"
    return claim([below, 1 / above], "<=", 1e-3, why)


magnetic_limit = Proof(of=[paper.MAGNETIC_LIMIT], settings=paper.edges)


@magnetic_limit.step("The factor passes 1 where gamma (lambda^2 - beta^2) = 2 beta")
def magnetic_threshold(s: paper.Edge) -> Claim:
    """Excess q^2 (1 + gamma^2 lambda^2) - 1 = q^2 gamma [gamma (lambda^2 - beta^2) - 2 beta]."""
    turn = paper.rotation(s.n)
    steps = SIDES * 2 * s.beta / (turn**2 - s.beta**2)
    left = factor_at(s, paper.magnetic_factor, steps) - 1
    right = steps * (steps * (turn**2 - s.beta**2) - 2 * s.beta) / (1 + steps * s.beta) ** 2
    return claim(left, "==", right, "1 / q = 1 + gamma beta")


@magnetic_limit.step("Conclusion: divergences fall below the largest step and grow above it", uses=[magnetic_threshold])
def magnetic_crosses(s: paper.Edge) -> Claim:
    """Runs on both sides."""
    return crosses(s, magnetic, paper.magnetic_factor, paper.magnetic_limit(s))


mirror_prox_limit = Proof(of=[paper.MIRROR_PROX_LIMIT], settings=paper.cold_edges)


@mirror_prox_limit.step("At temperature 0 the factor is 1 - x^2 + x^4, x = gamma lambda, which passes 1 at x = 1")
def mirror_prox_threshold(s: paper.Edge) -> Claim:
    """The difference (1 - x^2)^2 + x^2 - 1 = x^2 (x^2 - 1)."""
    cold = paper.Edge(s.n, 1e-15)
    left = factor_at(cold, paper.mirror_prox_factor, SIDES / paper.rotation(s.n)) - 1
    return claim(left, "==", SIDES**2 * (SIDES**2 - 1), "q = 1")


@mirror_prox_limit.step("At the setting's temperature it passes 1 between 0.95 and 1.05")
def mirror_prox_sides(s: paper.Edge) -> Claim:
    """Logarithms of the factors at both sides, the second turned round."""
    below, _, above = factor_at(s, paper.mirror_prox_factor, SIDES / paper.rotation(s.n))
    return claim([below, 1 / above], "<=", 1.0, "temperatures up to 0.005 change little")


@mirror_prox_limit.step(
    "Conclusion: divergences fall below the largest step and grow above it",
    uses=[mirror_prox_threshold, mirror_prox_sides],
)
def mirror_prox_crosses(s: paper.Edge) -> Claim:
    """Runs on both sides."""
    return crosses(s, mirror_prox, paper.mirror_prox_factor, 1 / paper.rotation(s.n))


optimistic_limit = Proof(of=[paper.OPTIMISTIC_LIMIT], settings=paper.cold_edges)


@optimistic_limit.step("At temperature 0 and gamma lambda = 1 / sqrt 3 the larger root is a sixth of a turn")
def optimistic_threshold(s: paper.Edge) -> Claim:
    """Of m^2 - (1 + 2a) m + a, a = i / sqrt 3, exp(i pi / 3) is a root; the other one has modulus |a| < 1."""
    m, a = np.exp(1j * np.pi / 3), 1j / np.sqrt(3)
    return claim([abs(m**2 - (1 + 2 * a) * m + a)], "==", 0.0, "(m - 1) (2 - conj m) is imaginary where cos is 1/2")


@optimistic_limit.step("At the setting's temperature it passes 1 between 0.95 and 1.05")
def optimistic_sides(s: paper.Edge) -> Claim:
    """Squares of the larger roots."""
    below, _, above = factor_at(s, paper.optimistic_factor, SIDES / (math.sqrt(3) * paper.rotation(s.n)))
    return claim([below, 1 / above], "<=", 1.0, "temperatures up to 0.005 change little")


@optimistic_limit.step(
    "Conclusion: divergences fall below the largest step and grow above it",
    uses=[optimistic_threshold, optimistic_sides],
)
def optimistic_crosses(s: paper.Edge) -> Claim:
    """Powers of the linear map of both states, (z, v) to (q z + a (q z + a v), q z + a v)."""
    largest = 1 / (math.sqrt(3) * paper.rotation(s.n))
    changes = []
    for side in SIDES[[0, 2]]:
        wave = paper.Wave(s.n, s.beta, side * largest)
        q, a = wave.keep, 1j * wave.keep * wave.turn
        step = np.array([[q + a * q, a * a], [q, a]])
        iterations = math.ceil(math.log(1e4) / abs(math.log(paper.optimistic_factor(wave))))
        changes.append(abs((np.linalg.matrix_power(step, iterations) @ [1, 1])[0]) ** 2)
    return claim([changes[0], 1 / changes[1]], "<=", 1e-3, "the larger root decides")
