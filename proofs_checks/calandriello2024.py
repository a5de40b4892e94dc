r"""Proofs that online IPO is policy gradient on pairs from the policy, and mirror descent on uniform pairs.

Notation. :math:`S = P - 1/2`; :math:`f = \log (\pi / \mu)`; v is a direction in the space of logits;
:math:`\Delta_{yz} = f_y - f_z - S_{yz} / \beta` are the residuals of the loss. Derivatives along v are taken with an
imaginary step: the imaginary part of :math:`F(\theta + i h v) / h` errs by :math:`h^2`.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from proofs_checks.munos2024 import dot, normalise, scatter, values
from rltheory.simulation import stream
from rltheory.theorems.games import calandriello2024 as paper
from rltheory.theorems.games import munos2024
from rltheory.theory import Claim, Proof, claim

ITERATIONS = 20
IMAGINARY = 1e-30
ROUNDING = 1e-12  # errors of sums of logarithms, some hundreds of eps
OF_SQUARES = 1e-9  # squares of residuals of up to 1e3 err by some 1e6 eps


class Draw(NamedTuple):
    """Policies, one per row, their logarithms f, directions, and residuals of all pairs."""

    pi: np.ndarray
    f: np.ndarray
    v: np.ndarray
    residual: np.ndarray


@cache
def draw(s: munos2024.Setting) -> Draw:
    """Policies around the equilibrium, and normal directions."""
    rng = stream(0, "proofs for online IPO", s)
    log_pi = scatter(rng, s.log_equilibrium)
    f = log_pi - s.log_reference
    residual = f[:, :, None] - f[:, None, :] - (s.game.prefer - 0.5) / s.beta
    return Draw(np.exp(log_pi), f, rng.standard_normal(f.shape), residual)


def win_rates(s, d):
    """S pi."""
    return d.pi @ (s.game.prefer - 0.5).T


def differences(z):
    """z_y - z_z for all pairs."""
    return z[:, :, None] - z[:, None, :]


def mean(d, pairs):
    """Mean over pairs of independent draws from pi."""
    return np.einsum("ka,kb,kab->k", d.pi, d.pi, pairs)


# --------------------------------------------------------------------------------------------------

gradient = Proof(of=[paper.GRADIENT], settings=munos2024.grid)


@gradient.step("A move v of the logits moves differences of logarithms by differences of v")
def differences_move(s: munos2024.Setting) -> Claim:
    """f'_y - f'_z - (f_y - f_z) = v_y - v_z."""
    d = draw(s)
    moved = normalise(d.f + s.log_reference + d.v) - s.log_reference
    why = "the normaliser is the same for all actions"
    return claim(differences(moved) - differences(d.f), "==", differences(d.v), why, rounding=ROUNDING)


@gradient.step("Hence half the difference of losses at v and -v is the derivative", uses=[differences_move])
def loss_is_quadratic(s: munos2024.Setting) -> Claim:
    """Half of E (D + dv)^2 - E (D - dv)^2 is 2 E [D (v_y - v_z)], D being the residual."""
    d = draw(s)
    ahead, behind = ((d.residual + way * differences(d.v)) ** 2 for way in (1, -1))
    right = 2 * mean(d, d.residual * differences(d.v))
    return claim((mean(d, ahead) - mean(d, behind)) / 2, "==", right, "expand", rounding=OF_SQUARES)


@gradient.step("Both actions of a pair contribute the same", uses=[loss_is_quadratic])
def both_actions(s: munos2024.Setting) -> Claim:
    """2 E [D (v_y - v_z)] = 4 sum_y pi_y v_y sum_z pi_z D_yz."""
    d = draw(s)
    left = 2 * mean(d, d.residual * differences(d.v))
    right = 4 * dot(d.pi * d.v, np.einsum("kab,kb->ka", d.residual, d.pi))
    return claim(left, "==", right, "the residuals are skew", rounding=OF_SQUARES)


@gradient.step("The mean residual of an action is its advantage")
def mean_residual(s: munos2024.Setting) -> Claim:
    """sum_z pi_z D_yz = f_y - <pi, f> - (S pi)_y / beta."""
    d = draw(s)
    right = d.f - dot(d.pi, d.f)[:, None] - win_rates(s, d) / s.beta
    return claim(np.einsum("kab,kb->ka", d.residual, d.pi), "==", right, "pi adds up to 1", rounding=ROUNDING)


@gradient.step("Derivative of the regularised preference over a fixed opponent sigma, at sigma = pi")
def preference_moves(s: munos2024.Setting) -> Claim:
    """Along v, <pi, S sigma> - beta KL(pi || mu) changes by <pi v, A - <pi, A>>, A = S pi - beta f."""
    d = draw(s)
    moved = np.exp(d.f + s.log_reference + 1j * IMAGINARY * d.v)
    moved = moved / moved.sum(-1, keepdims=True)
    preference = dot(moved, win_rates(s, d)) - s.beta * dot(moved, np.log(moved) - s.log_reference)
    advantage = win_rates(s, d) - s.beta * d.f
    right = dot(d.pi * d.v, advantage - dot(d.pi, advantage)[:, None])
    why = "pi moves by pi (v - <pi, v>), which adds up to 0"
    return claim(preference.imag / IMAGINARY, "==", right, why, rounding=ROUNDING)


@gradient.step(
    "Conclusion: the gradient of the loss is -4 / beta times the policy gradient",
    uses=[both_actions, mean_residual, preference_moves],
)
def gradients_agree(s: munos2024.Setting) -> Claim:
    """4 <pi v, mean residual> = -(4 / beta) <pi v, A - <pi, A>>."""
    d = draw(s)
    left = 4 * dot(d.pi * d.v, np.einsum("kab,kb->ka", d.residual, d.pi))
    advantage = win_rates(s, d) - s.beta * d.f
    right = -4 / s.beta * dot(d.pi * d.v, advantage - dot(d.pi, advantage)[:, None])
    why = "f - S pi / beta = -A / beta, and <pi, S pi> = 0"
    return claim(left, "==", right, why, rounding=OF_SQUARES)


# --------------------------------------------------------------------------------------------------

uniform = Proof(of=[paper.UNIFORM_PAIRS], settings=paper.grid)


@cache
def descend(s: paper.Setting) -> np.ndarray:
    """Logarithms of the iterates of gradient descent, row t being iteration t."""
    q = 1 / (1 + s.step * s.beta)
    x = s.log_reference if s.start is None else np.log(s.start) - np.log(np.sum(s.start))
    rows = [x]
    for _ in range(ITERATIONS):
        rows.append(normalise(rows[-1] - s.game.n * (1 - q) / 4 * gradient_of_loss(s, rows[-1])))
    return np.array(rows)


def gradient_of_loss(s, log_pi):
    """Gradient of the mean square of o_y - o_z over uniform pairs; of o = f - S pi / beta only f moves."""
    off = log_pi - s.log_reference - values(s, log_pi) / s.beta
    moves = 1j * IMAGINARY * np.eye(s.game.n)
    residuals = np.array([(off + move)[:, None] - (off + move)[None, :] for move in moves])
    return (residuals**2).mean(axis=(1, 2)).imag / IMAGINARY


@uniform.step("The gradient is 4 / n times what an action's logarithm is off by")
def uniform_gradient(s: paper.Setting) -> Claim:
    """Gradient = (4 / n) (o - mean o), o = f - S pi / beta."""
    x = descend(s)
    off = x - s.log_reference - values(s, x) / s.beta
    right = 4 / s.game.n * (off - off.mean(-1, keepdims=True))
    left = np.array([gradient_of_loss(s, row) for row in x])
    return claim(left, "==", right, "sum_z (o_y - o_z) = n (o_y - mean o), and pairs count twice", rounding=ROUNDING)


@uniform.step("The rates match")
def rates_match(s: paper.Setting) -> Claim:
    """Lambda 4 / n = 1 - q and (1 - q) / beta = q gamma."""
    q = 1 / (1 + s.step * s.beta)
    left = [s.learning_rate * 4 / s.game.n, (1 - q) / s.beta]
    return claim(left, "==", [1 - q, q * s.step], "1 - q = q gamma beta")


@uniform.step("Conclusion: each gradient step is a proximal map", uses=[uniform_gradient, rates_match])
def steps_agree(s: paper.Setting) -> Claim:
    """Log x_{t+1} = q log x_t + (1 - q) log mu + q gamma S x_t + c, hence equal iterates from an equal start."""
    x, q = descend(s), 1 / (1 + s.step * s.beta)
    right = normalise(q * x[:-1] + (1 - q) * s.log_reference + q * s.step * values(s, x[:-1]))
    return claim(x[1:], "==", right, "insert; constants are lost in the normaliser", rounding=ROUNDING)
