r"""Close to the equilibrium every method is a linear map, and the largest rotation in any game is :math:`1/\pi`.

On the cycle of n actions, n odd, with uniform reference the equilibrium is uniform for every temperature, and logarithms
that lie on the wave :math:`\cos(2 \pi a / n)` turn by the eigenvalue :math:`i \lambda` of the weighted payoffs,
:math:`\lambda = 1 / (2 n \tan \frac{\pi}{2 n})`: no other rotates faster. So the factor by which an iteration shrinks a
small divergence there, or makes it grow, is known exactly, and with it the largest step.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.algorithms import (
    magnetic_mirror_descent,
    nash_mirror_prox,
    optimistic_mirror_descent,
    proximal_point,
    self_play_gradient,
)
from rltheory.arrays import Array, Vector, count, distribution, positive
from rltheory.instances import (
    bradley_terry,
    cycle,
    efron_dice,
    low_rank,
    random_game,
    random_tournament,
    recorded_game,
)
from rltheory.measures import kl
from rltheory.problems import PreferenceGame
from rltheory.simplex import log_distribution
from rltheory.simulation import stream
from rltheory.theorems.games.regularized_game import Hypotheses
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Existence, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

EPS = float(np.finfo(np.float64).eps)
AMPLITUDE = 1e-7  # of the wave on which runs start
# Terms of second order change a factor by some amplitudes, and rounding by eps over what is left of the amplitude, 1e-8:
# together less than 1e-6.
FOUR_DIGITS = 1e-4
ITERATIONS = 20
MARGIN = 0.05  # relative distance from the largest step
FAR = 1e3  # factor that counts as convergence, or as divergence


# The largest rotation


@dataclass(frozen=True, eq=False)
class Weights:
    """A game, and a policy that weighs its actions.

    Parameters
    ----------
    game
        The game, n actions.
    policy : array, shape (n,), optional
        The policy; uniform by default.
    """

    game: PreferenceGame
    policy: ArrayLike | None = None

    def __post_init__(self) -> None:
        if self.policy is not None:
            object.__setattr__(self, "policy", distribution(self.policy, self.game.n, "policy"))

    def __str__(self) -> str:
        return f"{self.game}, {'uniform' if self.policy is None else 'skewed'} weights"


def weigh(s: Weights, rng: np.random.Generator) -> Trace:
    """Largest singular value of the payoffs between the roots of the weights."""
    return _norm(s, 1.0)


def weigh_too_much(s: Weights, rng: np.random.Generator) -> Trace:
    """The weights add up to 1.001."""
    return _norm(s, 1.001)


def _norm(s: Weights, total: float) -> Trace:
    roots = np.sqrt(total) * np.exp(log_distribution(s.policy, s.game.n, "policy") / 2)
    norm = np.linalg.norm(roots[:, None] * s.game.payoff * roots, ord=2)
    return Trace("weighted payoffs", np.zeros(1, np.int64), {"norm": (("time",), np.array([norm]))}, clock="draw")


def weights_grid() -> Iterator[Weights]:
    """Cycles from short to long, and games of other kinds, with uniform and with skewed weights."""

    def rng(*address: object) -> np.random.Generator:
        return stream(0, "local", *address)

    yield from (Weights(cycle(n)) for n in (3, 5, 51, 201))
    yield Weights(cycle(101), 0.5 * (1 + np.sin(2 * np.pi * np.arange(101) / 101) / 2) / 50.5)
    yield Weights(efron_dice(), np.array([0.3, 0.2, 0.3, 0.2]))
    yield Weights(bradley_terry(np.linspace(0, 3, 20)))
    yield Weights(random_game(rng("uniform"), 10))
    yield Weights(random_tournament(rng("tournament"), 20), rng("weights").dirichlet(np.full(20, 0.3)))
    yield Weights(low_rank(rng("low rank"), 50))
    yield Weights(recorded_game("llmfao_59"))


def cycles_grid() -> Iterator[Weights]:
    """Odd cycles with uniform weights."""
    return (Weights(cycle(n)) for n in (3, 5, 51, 101, 201))


def any_weights() -> "SearchStrategy[Weights]":
    """Any game and weights."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_games, skewed_policies

    return adverse_games().flatmap(lambda game: st.builds(Weights, st.just(game), st.none() | skewed_policies(game.n)))


def rotation(n: int) -> float:
    """Eigenvalue of the n-cycle, n odd, on its longest wave."""
    return 1 / (2 * n * math.tan(math.pi / (2 * n)))


NORM_SYMBOLS = "$S = P - 1/2$; $D = \\mathrm{diag}(\\pi)$ for any policy $\\pi$; $\\|\\cdot\\|_2$: the spectral norm"

ROTATION = Theorem(
    name="local/rotation",
    title="No game and no weights rotate faster than 1 / pi",
    paper=Paper("munos2024", "the game; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"\| D^{1/2} S D^{1/2} \|_2 \le \frac{1}{\pi_\circ}",
    symbols=NORM_SYMBOLS + "; $\\pi_\\circ = 3.14159\\ldots$",
    kind=EveryStep(rounding=lambda s: s.game.n * EPS),
    hypotheses={"$P + P^\\top = 1$ with entries in $[0, 1]$": BY_CONSTRUCTION},
    run=weigh,
    measured=lambda s, trace: trace["norm"],
    bound=lambda s, trace: np.full(1, 1 / math.pi),
    settings=weights_grid,
    strategy=any_weights,
    controls={"weights that add up to 1.001": weigh_too_much},
    trivial=lambda s: 0.5,
    remark="That is, $\\langle f, S h \\rangle_\\pi \\le \\|f\\|_{2,\\pi} \\|h\\|_{2,\\pi} / \\pi_\\circ$. Long cycles "
    "approach it. It makes thresholds of local stability exact in the worst case.",
)

CYCLE_ROTATION = Theorem(
    name="local/cycle-rotation",
    title="The rotation of a cycle in closed form",
    paper=Paper("munos2024", "the game; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"\| D^{1/2} S D^{1/2} \|_2 = \frac{1}{2 n \tan \frac{\pi_\circ}{2 n}}",
    symbols=NORM_SYMBOLS + ", here uniform; $\\pi_\\circ = 3.14159\\ldots$",
    kind=Identity(rounding=lambda s: s.game.n * EPS),
    hypotheses={
        "the cycle of $n$ actions, $n$ odd, and uniform $\\pi$": lambda s: (
            s.game.n % 2 == 1 and s.game == cycle(s.game.n) and s.policy is None
        )
    },
    run=weigh,
    measured=lambda s, trace: trace["norm"],
    bound=lambda s, trace: np.full(1, rotation(s.game.n)),
    settings=cycles_grid,
    controls={"weights that add up to 1.001": weigh_too_much},
)


# Factors of one iteration


def _check_cycle(n: int, beta: float) -> None:
    if count(n, "n", at_least=3) % 2 == 0:
        raise ValueError(f"n is {n}; it must be odd")
    positive(beta, "beta")


@dataclass(frozen=True)
class Wave:
    """A run from a small wave around the equilibrium of a cycle.

    Parameters
    ----------
    n
        Number of actions, odd, >= 3.
    beta
        Temperature, > 0.
    step
        Step size, > 0, in 1 / payoff.
    """

    n: int
    beta: float
    step: float

    def __post_init__(self) -> None:
        _check_cycle(self.n, self.beta)
        positive(self.step, "step")

    def __str__(self) -> str:
        return f"cycle of {self.n}, beta = {self.beta:g}, gamma = {self.step:.4g}"

    @property
    def keep(self) -> float:
        """Weight q = 1 / (1 + gamma beta) of the old policy in a proximal map."""
        return 1 / (1 + self.step * self.beta)

    @property
    def turn(self) -> float:
        """Rotation gamma lambda of a step."""
        return self.step * rotation(self.n)


Method: TypeAlias = Callable[..., Trace]
Run: TypeAlias = Callable[[Wave, np.random.Generator], Trace]


def magnetic_factor(s: Wave) -> float:
    """Square of q (1 + i gamma lambda)."""
    return s.keep**2 * (1 + s.turn**2)


def mirror_prox_factor(s: Wave) -> float:
    """Square of q (1 + i q gamma lambda - q gamma^2 lambda^2)."""
    return s.keep**2 * ((1 - s.keep * s.turn**2) ** 2 + (s.keep * s.turn) ** 2)


def proximal_factor(s: Wave) -> float:
    """Square of q / (1 - i q gamma lambda)."""
    return s.keep**2 / (1 + (s.keep * s.turn) ** 2)


def gradient_factor(s: Wave) -> float:
    """Square of 1 - (alpha / n) (beta - i lambda)."""
    return (1 - s.step * s.beta / s.n) ** 2 + (s.turn / s.n) ** 2


def optimistic_factor(s: Wave) -> float:
    """Square of the larger root of m^2 - (q + a + q a) m + q a, where a = i q gamma lambda."""
    a = 1j * s.keep * s.turn
    return float(np.abs(np.roots([1, -(s.keep + a + s.keep * a), s.keep * a])).max() ** 2)


def optimistic_growth(s: Wave, trace: Trace) -> Vector:
    """Squares of z_{t+1}, of the recursion that an optimistic run follows."""
    q, a = s.keep, 1j * s.keep * s.turn
    z = [1, q + q * a + a * a]
    for _ in trace.times[1:]:
        z.append((q + a + q * a) * z[-1] - q * a * z[-2])
    squares: Vector = np.abs(z[1:]) ** 2
    return squares


def run_from_wave(s: Wave, method: Method, iterations: int) -> Trace:
    """Run a method from the wave."""
    wave = 1 + AMPLITUDE * np.cos(2 * np.pi * np.arange(s.n) / s.n)
    return method(cycle(s.n), beta=s.beta, iterations=iterations, step=s.step, start=wave / wave.sum())


def horizon(factor: float) -> int:
    """Iterations in which a divergence changes by a factor of 100 at most, but not too many."""
    return int(math.log(100) / max(abs(math.log(factor)), math.log(100) / ITERATIONS))


def ride(s: Wave, method: Method, factor: float) -> Trace:
    """Run a method from the wave for some iterations."""
    return run_from_wave(s, method, horizon(factor))


def from_equilibrium(n: int, log_policy: Array) -> Array:
    """Divergence of the uniform policy from others."""
    return kl(log_distribution(None, n, "equilibrium"), log_policy)


def play_magnetic(s: Wave, rng: np.random.Generator) -> Trace:
    """Run magnetic mirror descent, which is INPO."""
    return ride(s, magnetic_mirror_descent, magnetic_factor(s))


def play_mirror_prox(s: Wave, rng: np.random.Generator) -> Trace:
    """Run Nash mirror prox, which is EGPO."""
    return ride(s, nash_mirror_prox, mirror_prox_factor(s))


def play_proximal_point(s: Wave, rng: np.random.Generator) -> Trace:
    """Run the exact proximal point method."""
    return ride(s, proximal_point, proximal_factor(s))


def play_optimistic(s: Wave, rng: np.random.Generator) -> Trace:
    """Run optimistic mirror descent."""
    return ride(s, optimistic_mirror_descent, optimistic_factor(s))


def play_gradient(s: Wave, rng: np.random.Generator) -> Trace:
    """Run policy gradient in self-play, which is online IPO."""
    return ride(s, self_play_gradient, gradient_factor(s))


def with_larger_step(run: Run) -> dict[str, Run]:
    """Wrong run: the same with a step larger by a hundredth."""

    def play_with_larger_step(s: Wave, rng: np.random.Generator) -> Trace:
        return run(replace(s, step=1.01 * s.step), rng)

    return {"step larger by a hundredth": play_with_larger_step}


def waves() -> Iterator[Wave]:
    """Short and long cycles, steps from small to the edge of stability and beyond."""
    yield Wave(3, 0.1, 2.0)
    yield Wave(5, 0.02, 0.5)
    yield Wave(51, 0.5, 2.0)
    yield Wave(101, 0.01, 3.0)
    yield Wave(101, 0.1, 0.4)


def any_wave() -> "SearchStrategy[Wave]":
    """Cycles of every length, temperatures and steps."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    lengths = st.integers(1, 50).map(lambda half: 2 * half + 1)
    return st.builds(Wave, lengths, log_uniform(0.01, 1.0), log_uniform(0.1, 4.0))


def shrinkage(s: Wave, trace: Trace) -> Array:
    """K_{t+1} / K_t at the recorded times."""
    ratios: Array = from_equilibrium(s.n, trace["log_next"]) / from_equilibrium(s.n, trace["log_policy"])
    return ratios


ON_CYCLE: Hypotheses = {
    "the cycle of $n$ actions, $n$ odd, with uniform reference": BY_CONSTRUCTION,
    "a start on a wave of amplitude $10^{-7}$": BY_CONSTRUCTION,
}
WAVE_SYMBOLS = (
    "$K_t = \\mathrm{KL}(\\pi^* \\| \\pi_t)$ for the uniform equilibrium $\\pi^*$ and $\\log \\pi_0(a) = "
    "10^{-7} \\cos(2 \\pi_\\circ a / n) + c$; $\\lambda = 1 / (2 n \\tan \\frac{\\pi_\\circ}{2 n})$, below "
    "$1 / \\pi_\\circ$; $\\gamma$: the step size; $q = 1 / (1 + \\gamma \\beta)$"
)
FACTOR = "To four digits: what is of second order in the wave is neglected. "

MAGNETIC = Theorem(
    name="local/magnetic",
    title="Magnetic mirror descent and INPO: the factor of one iteration near the equilibrium",
    paper=Paper("sokota2023", "magnetic mirror descent; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{K_{t+1}}{K_t} = q^2 (1 + \gamma^2 \lambda^2)",
    symbols=WAVE_SYMBOLS,
    kind=Identity(rounding=lambda s: FOUR_DIGITS * magnetic_factor(s)),
    hypotheses=ON_CYCLE,
    run=play_magnetic,
    measured=shrinkage,
    bound=lambda s, trace: np.full(trace.times.size, magnetic_factor(s)),
    settings=waves,
    strategy=any_wave,
    controls=with_larger_step(play_magnetic),
    remark=FACTOR
    + "An iteration multiplies the wave by $q (1 + i \\gamma \\lambda)$: each step rotates outwards, and only $q$ pulls back.",
)

MIRROR_PROX = Theorem(
    name="local/mirror-prox",
    title="Nash mirror prox and EGPO: the factor of one iteration near the equilibrium",
    paper=Paper("tiapkin2025", "Nash mirror prox; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{K_{t+1}}{K_t} = q^2 \bigl[(1 - q \gamma^2 \lambda^2)^2 + q^2 \gamma^2 \lambda^2\bigr]",
    symbols=WAVE_SYMBOLS,
    kind=Identity(rounding=lambda s: FOUR_DIGITS * mirror_prox_factor(s)),
    hypotheses=ON_CYCLE,
    run=play_mirror_prox,
    measured=shrinkage,
    bound=lambda s, trace: np.full(trace.times.size, mirror_prox_factor(s)),
    settings=waves,
    strategy=any_wave,
    controls=with_larger_step(play_mirror_prox),
    remark=FACTOR
    + "An iteration multiplies the wave by $q (1 + i q \\gamma \\lambda - q \\gamma^2 \\lambda^2)$. Slow modes, $\\lambda = 0$, shrink by $q^2$.",
)

PROXIMAL_POINT = Theorem(
    name="local/proximal-point",
    title="The proximal point method: the factor of one iteration near the equilibrium",
    paper=Paper("tiapkin2025", "proximal point method, second version; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{K_{t+1}}{K_t} = \frac{q^2}{1 + q^2 \gamma^2 \lambda^2}",
    symbols=WAVE_SYMBOLS,
    kind=Identity(rounding=lambda s: FOUR_DIGITS * proximal_factor(s)),
    hypotheses=ON_CYCLE,
    run=play_proximal_point,
    measured=shrinkage,
    bound=lambda s, trace: np.full(trace.times.size, proximal_factor(s)),
    settings=waves,
    strategy=any_wave,
    controls=with_larger_step(play_proximal_point),
    remark=FACTOR
    + "An iteration divides the wave by $1 / q - i \\gamma \\lambda$: rotation helps, and no step is too large.",
)

GRADIENT = Theorem(
    name="local/online-ipo",
    title="Online IPO: the factor of one iteration near the equilibrium",
    paper=Paper("calandriello2024", "online IPO; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{K_{t+1}}{K_t} = \Bigl(1 - \frac{\gamma \beta}{n}\Bigr)^2 + \frac{\gamma^2 \lambda^2}{n^2}",
    symbols=WAVE_SYMBOLS,
    kind=Identity(rounding=lambda s: FOUR_DIGITS * gradient_factor(s)),
    hypotheses=ON_CYCLE,
    run=play_gradient,
    measured=shrinkage,
    bound=lambda s, trace: np.full(trace.times.size, gradient_factor(s)),
    settings=waves,
    strategy=any_wave,
    controls=with_larger_step(play_gradient),
    remark=FACTOR
    + "With $\\gamma = 4 / \\beta$ times the learning rate. It is magnetic mirror descent slowed by the probability $1 / n$ of each action.",
)

OPTIMISTIC = Theorem(
    name="local/optimistic",
    title="Optimistic mirror descent: its iterations near the equilibrium",
    paper=Paper("cen2024", "regularised optimistic multiplicative weights; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{K_{t+1}}{K_0} = |z_{t+1}|^2, \quad z_{t+1} = (q + a + q a)\, z_t - q a\, z_{t-1}, \quad z_0 = 1, \quad z_1 = q + q a + a^2",
    symbols=WAVE_SYMBOLS + "; $a = i q \\gamma \\lambda$",
    kind=Identity(
        rounding=lambda s: FOUR_DIGITS * max(1.0, optimistic_factor(s) ** (1 + horizon(optimistic_factor(s))))
    ),
    hypotheses=ON_CYCLE,
    run=play_optimistic,
    measured=lambda s, trace: from_equilibrium(s.n, trace["log_next"]) / from_equilibrium(s.n, trace["log_policy"][0]),
    bound=optimistic_growth,
    settings=waves,
    strategy=any_wave,
    controls=with_larger_step(play_optimistic),
    remark=FACTOR + "In the long run the factor of one iteration is the square of the larger root of "
    "$m^2 - (q + a + q a)\\, m + q a$.",
)


# Largest steps


@dataclass(frozen=True)
class Edge:
    """A cycle, to be run with steps on both sides of the largest stable one.

    Parameters
    ----------
    n
        Number of actions, odd, >= 3.
    beta
        Temperature, > 0.
    """

    n: int
    beta: float

    def __post_init__(self) -> None:
        _check_cycle(self.n, self.beta)

    def __str__(self) -> str:
        return f"cycle of {self.n}, beta = {self.beta:g}"


def cross(s: Edge, method: Method, factor: Callable[[Wave], float], largest: float) -> Trace:
    """Run a method below and above the largest step, for as long as the factor takes to change a divergence."""
    changes = {}
    for side, step in (("below", (1 - MARGIN) * largest), ("above", (1 + MARGIN) * largest)):
        wave = Wave(s.n, s.beta, step)
        iterations = math.ceil(math.log(10 * FAR) / abs(math.log(factor(wave))))
        divergences = from_equilibrium(s.n, run_from_wave(wave, method, iterations)["log_policy"])
        changes[side] = (("time",), divergences[-1:] / divergences[0])
    return Trace("either side of the largest step", np.zeros(1, np.int64), changes, clock="draw")


def magnetic_limit(s: Edge) -> float:
    """Largest stable step of magnetic mirror descent."""
    return 2 * s.beta / (rotation(s.n) ** 2 - s.beta**2)


def cross_magnetic(s: Edge, rng: np.random.Generator) -> Trace:
    """Magnetic mirror descent, around its largest step."""
    return cross(s, magnetic_mirror_descent, magnetic_factor, magnetic_limit(s))


def cross_magnetic_with_prox(s: Edge, rng: np.random.Generator) -> Trace:
    """Nash mirror prox, around the largest step of magnetic mirror descent."""
    return cross(s, nash_mirror_prox, magnetic_factor, magnetic_limit(s))


def cross_mirror_prox(s: Edge, rng: np.random.Generator) -> Trace:
    """Nash mirror prox, around its largest step."""
    return cross(s, nash_mirror_prox, mirror_prox_factor, 1 / rotation(s.n))


def cross_mirror_prox_without_half(s: Edge, rng: np.random.Generator) -> Trace:
    """Magnetic mirror descent, around the largest step of Nash mirror prox."""
    return cross(s, magnetic_mirror_descent, mirror_prox_factor, 1 / rotation(s.n))


def cross_optimistic(s: Edge, rng: np.random.Generator) -> Trace:
    """Optimistic mirror descent, around its largest step."""
    return cross(s, optimistic_mirror_descent, optimistic_factor, 1 / (math.sqrt(3) * rotation(s.n)))


def cross_optimistic_with_prox(s: Edge, rng: np.random.Generator) -> Trace:
    """Nash mirror prox, around the largest step of optimistic mirror descent."""
    return cross(s, nash_mirror_prox, optimistic_factor, 1 / (math.sqrt(3) * rotation(s.n)))


def edges() -> Iterator[Edge]:
    """Short and long cycles, at low temperatures."""
    yield Edge(5, 0.1)
    yield Edge(101, 0.05)


def cold_edges() -> Iterator[Edge]:
    """Short and long cycles, at temperatures next to 0."""
    yield Edge(5, 0.001)
    yield Edge(101, 0.005)


def falls_and_grows(s: Edge, trace: Trace) -> NDArray[np.bool_]:
    """Whether the divergence falls below the largest step, and grows above it."""
    passes: NDArray[np.bool_] = (trace["below"] < 1 / FAR) & (trace["above"] > FAR)
    return passes


LOW_TEMPERATURE: Hypotheses = {"$\\beta < \\lambda$": lambda s: s.beta < rotation(s.n)}
NEXT_TO_ZERO: Hypotheses = {"$\\beta \\le 0.005$, so that $\\beta \\to 0$ is near": lambda s: s.beta <= 0.005}
SIDES = r", \qquad K_t \to 0 \text{ at } 0.95\, \gamma^*, \qquad K_t \text{ grows at } 1.05\, \gamma^*"

MAGNETIC_LIMIT = Theorem(
    name="local/magnetic-limit",
    title="The largest stable step of magnetic mirror descent and INPO",
    paper=Paper("sokota2023", "magnetic mirror descent; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\gamma^* = \frac{2 \beta}{\lambda^2 - \beta^2}" + SIDES,
    symbols=WAVE_SYMBOLS,
    kind=Existence(),
    hypotheses=ON_CYCLE | LOW_TEMPERATURE,
    run=cross_magnetic,
    measured=falls_and_grows,
    bound=lambda s, trace: np.ones(1),
    settings=edges,
    controls={"Nash mirror prox": cross_magnetic_with_prox},
    remark="About $19.7 \\beta$ in the worst case and at low temperatures; convergence is proved up to $4 \\beta$.",
)

MIRROR_PROX_LIMIT = Theorem(
    name="local/mirror-prox-limit",
    title="The largest stable step of Nash mirror prox and EGPO, at low temperatures",
    paper=Paper("tiapkin2025", "Nash mirror prox; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\gamma^* = \frac{1}{\lambda}" + SIDES,
    symbols=WAVE_SYMBOLS,
    kind=Existence(),
    hypotheses=ON_CYCLE | NEXT_TO_ZERO,
    run=cross_mirror_prox,
    measured=falls_and_grows,
    bound=lambda s, trace: np.ones(1),
    settings=cold_edges,
    controls={"magnetic mirror descent": cross_mirror_prox_without_half},
    remark="$3.14\\ldots$ in the worst case; convergence is proved up to $2 \\beta + 2 \\sqrt{1 + \\beta^2}$, about 2.",
)

OPTIMISTIC_LIMIT = Theorem(
    name="local/optimistic-limit",
    title="The largest stable step of optimistic mirror descent, at low temperatures",
    paper=Paper("cen2024", "regularised optimistic multiplicative weights; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\gamma^* = \frac{1}{\sqrt 3\, \lambda}" + SIDES,
    symbols=WAVE_SYMBOLS,
    kind=Existence(),
    hypotheses=ON_CYCLE | NEXT_TO_ZERO,
    run=cross_optimistic,
    measured=falls_and_grows,
    bound=lambda s, trace: np.ones(1),
    settings=cold_edges,
    controls={"Nash mirror prox": cross_optimistic_with_prox},
    remark="$1.81\\ldots$ in the worst case; convergence is proved up to $2 (\\sqrt 2 - 1) = 0.83$.",
)
