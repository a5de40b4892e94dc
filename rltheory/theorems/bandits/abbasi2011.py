r"""OFUL: ellipsoids that hold the parameter of a linear bandit at all times, and the regret of optimism in them.

After t rounds in which arms with features :math:`\phi_s` paid :math:`r_s = \langle \phi_s, \theta \rangle` plus noise,
:math:`V_t = \lambda I + \sum_{s \le t} \phi_s \phi_s^\top` and :math:`\hat\theta_t` is the ridge estimate. Contexts, arms and
the policy may be anything that does not see the noise to come.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rltheory.algorithms.bandits import ContextualPolicy, lin_ucb, oful, play_contextual_bandit
from rltheory.arrays import Array, Times, count, not_negative, positive
from rltheory.problems import ContextualBandit, LinearBandit
from rltheory.simulation import stream
from rltheory.theory import Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace

POINTS = 40  # recorded times
ROUNDING = 1e-9  # sums of rewards and norms of some thousand rounds


@dataclass(frozen=True, eq=False)
class Ellipsoids:
    """A linear bandit, and what OFUL is told of it.

    Parameters
    ----------
    bandit
        The bandit.
    noise
        R > 0, the scale of the noise.
    size
        S >= 0, of the parameter.
    delta
        Probability in (0, 1).
    regularization
        The regularisation, > 0.
    horizon
        Rounds, >= 1.
    """

    bandit: LinearBandit
    noise: float
    size: float
    delta: float
    regularization: float
    horizon: int

    def __post_init__(self) -> None:
        positive(self.noise, "noise")
        not_negative(self.size, "size")
        positive(self.regularization, "regularization")
        count(self.horizon, "horizon", at_least=1)
        if not 0 < self.delta < 1:
            raise ValueError(f"delta is {self.delta}; it must lie in (0, 1)")

    def __str__(self) -> str:
        return (
            f"{self.bandit}, R = {self.noise:g}, S = {self.size:.4g}, delta = {self.delta:g}, "
            f"lambda = {self.regularization:g}, {self.horizon} rounds"
        )

    @property
    def log_event(self) -> float:
        r"""Twice :math:`\log (1 / \delta)`."""
        return -2 * math.log(self.delta)

    def radius(self, log_ratio: Array) -> Array:
        r"""Radius of the ellipsoid where :math:`\log (\det V_t / \lambda^d)` is given."""
        radius: Array = self.noise * np.sqrt(self.log_event + log_ratio) + math.sqrt(self.regularization) * self.size
        return radius

    def largest_log_ratio(self, times: Times) -> Array:
        r"""Largest :math:`\log (\det V_t / \lambda^d)` that t features can make."""
        d = self.bandit.dimension
        largest: Array = d * np.log1p(times * self.bandit.length**2 / (d * self.regularization))
        return largest


def _play(s: Ellipsoids, bandit: ContextualBandit, policy: ContextualPolicy, rng: np.random.Generator) -> Trace:
    return play_contextual_bandit(bandit, policy, horizon=s.horizon, rng=rng, points=POINTS)


def _oful(s: Ellipsoids) -> ContextualPolicy:
    return oful(s.bandit.features, noise=s.noise, size=s.size, delta=s.delta, regularization=s.regularization)


def play_oful(s: Ellipsoids, rng: np.random.Generator) -> Trace:
    """One run of OFUL."""
    return _play(s, s.bandit, _oful(s), rng)


def play_in_louder_noise(s: Ellipsoids, rng: np.random.Generator) -> Trace:
    """Rewards are normal, with ten times the stated scale of the noise."""
    return _play(
        s, ContextualBandit(s.bandit.means, deviation=10 * s.noise, frequencies=s.bandit.frequencies), _oful(s), rng
    )


def play_for_losses(s: Ellipsoids, rng: np.random.Generator) -> Trace:
    """Learn from rewards whose means are reflected, so that the worst arm looks best."""
    means = s.bandit.means.max() + s.bandit.means.min() - s.bandit.means
    wrong = ContextualBandit(means, deviation=s.bandit.deviation, frequencies=s.bandit.frequencies)
    return _play(s, wrong, _oful(s), rng)


def play_widest(s: Ellipsoids, rng: np.random.Generator) -> Trace:
    """Pull the arm of which least is known, always."""
    policy = lin_ucb(s.bandit.features, width=1e9, regularization=s.regularization)
    return _play(s, s.bandit, policy, rng)


def distance(s: Ellipsoids, trace: Trace) -> Array:
    """Distance of the parameter from the centre of the ellipsoid, in units of its radius."""
    d, phi = s.bandit.dimension, s.bandit.features
    pulls, earned = trace["pulls"][:, 0], trace["earned"][:, 0]
    design = s.regularization * np.eye(d) + np.einsum("txa,xai,xaj->tij", pulls, phi, phi)
    estimates = np.linalg.solve(design, np.einsum("txa,xai->ti", earned, phi)[..., None])[..., 0]
    errors = estimates - s.bandit.parameter
    log_ratio = np.linalg.slogdet(design)[1] - d * math.log(s.regularization)
    norms = np.sqrt(np.einsum("ti,tij,tj->t", errors, design, errors))
    shares: Array = norms / s.radius(log_ratio)
    return shares


def regret(s: Ellipsoids, trace: Trace) -> Array:
    """Pseudo-regret on the bandit of the setting, whatever was played."""
    lost: Array = np.einsum("txa,xa->t", trace["pulls"][:, 0], s.bandit.gaps)
    return lost


def regret_bound(s: Ellipsoids, trace: Trace) -> Array:
    """Twice the radius, and the sum of widths by the inequality of Cauchy and Schwarz."""
    largest = s.largest_log_ratio(trace.times)
    ratio = s.bandit.length**2 / s.regularization
    bound: Array = 2 * s.radius(largest) * np.sqrt(trace.times * largest * ratio / math.log1p(ratio))
    return bound


def _directions(name: str, contexts: int, arms: int, dimension: int) -> Array:
    """Random vectors of length 1 and less: of equal lengths, rounding would choose which is the widest at first."""
    vectors = stream(0, "directions", name).normal(size=(contexts, arms, dimension))
    vectors *= np.linspace(0.7, 1, arms)[:, None] / np.linalg.norm(vectors, axis=2, keepdims=True)
    return vectors


def grid() -> Iterator[Ellipsoids]:
    """A line with two ends, directions in the plane, changing sets of arms, rewards 0 and 1, and long features."""
    line = LinearBandit([[-1.0], [1.0]], [1.0], deviation=0.3, title="two ends of a line")
    yield Ellipsoids(line, 0.3, 1.0, 0.1, 1.0, 1000)
    plane = LinearBandit(_directions("plane", 1, 6, 2), [0.6, 0.8], deviation=0.2, title="six directions in the plane")
    yield Ellipsoids(plane, 0.2, 1.0, 0.2, 1.0, 2000)
    space = _directions("space", 5, 4, 3)
    changing = LinearBandit(
        space, [0.5, -0.3, 0.4], deviation=0.1, frequencies=[0.4, 0.3, 0.1, 0.1, 0.1], title="changing arms in space"
    )
    yield Ellipsoids(changing, 0.1, 0.75, 0.1, 0.2, 2000)
    coins = LinearBandit([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], [0.9, 0.1], title="coins, two features")
    yield Ellipsoids(coins, 0.5, 1.0, 0.2, 0.5, 2000)
    long = LinearBandit(3 * _directions("long", 2, 5, 2), [0.3, 0.1], deviation=0.5, title="long features")
    yield Ellipsoids(long, 0.5, 0.4, 0.3, 1.0, 2000)


HYPOTHESES = {
    "$\\|\\theta\\| \\le S$": lambda s: bool(np.linalg.norm(s.bandit.parameter) <= s.size * (1 + 1e-12)),
    "the noise is R-sub-Gaussian": lambda s: s.noise >= s.bandit.noise,
}
KIND = WithProbability(rounding=lambda s: ROUNDING * s.horizon, delta=lambda s: s.delta)
SYMBOLS = (
    "$V_t = \\lambda I + \\sum_{s \\le t} \\phi_s \\phi_s^\\top$; $\\hat\\theta_t$: the ridge estimate; R: scale of the noise; "
    "S: bound of $\\|\\theta\\|$; d: the dimension"
)

CONFIDENCE = Theorem(
    name="oful/confidence",
    title="Ellipsoids around ridge estimates hold the parameter at all times at once",
    paper=Paper("abbasi2011", "Theorem 2; proved here by the method of mixtures"),
    standing=Standing.DERIVED,
    statement=r"\|\hat\theta_t - \theta\|_{V_t} \le \sqrt{\beta_t}, \qquad "
    r"\sqrt{\beta_t} = R \sqrt{2 \log \frac1\delta + \log \frac{\det V_t}{\lambda^d}} + \sqrt\lambda\, S",
    symbols=SYMBOLS,
    kind=KIND,
    hypotheses=HYPOTHESES,
    run=play_oful,
    measured=distance,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=grid,
    controls={"ten times the noise": play_in_louder_noise, "rewards of reflected means": play_for_losses},
    remark="Measured is the distance in units of $\\sqrt{\\beta_t}$, as the determinant depends on the arms that were pulled. "
    "It holds for every policy; here OFUL chooses the arms.",
)

REGRET = Theorem(
    name="oful/regret",
    title="OFUL's regret is of the order d times the root of the horizon",
    paper=Paper("abbasi2011", "Theorem 3; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"R_t \le 2 \Bigl(R \sqrt{2 \log \frac1\delta + \Lambda_t} + \sqrt\lambda\, S\Bigr) "
    r"\sqrt{\frac{c}{\log(1 + c)}\, t\, \Lambda_t}, \qquad \Lambda_t = d \log \Bigl(1 + \frac{t L^2}{d \lambda}\Bigr), \quad "
    r"c = \frac{L^2}{\lambda}",
    symbols=SYMBOLS + "; L: the largest norm of features; $R_t$: the pseudo-regret after t rounds",
    kind=KIND,
    hypotheses=HYPOTHESES,
    run=play_oful,
    measured=regret,
    bound=regret_bound,
    trivial=lambda s: float(s.horizon * s.bandit.gaps.max()),
    settings=grid,
    controls={"rewards of reflected means": play_for_losses, "always the widest arm": play_widest},
    remark="It holds for all t at once. With $\\lambda = L^2$ the factor $c / \\log(1 + c)$ is 1.44.",
)
