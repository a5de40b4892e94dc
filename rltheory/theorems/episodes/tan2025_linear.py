r"""NORA on linear processes: growth of Gram matrices, how often the critic changes, its bonus, and regret.

Throughout, H is the number of stages, d the dimension of the features, A the largest number of actions, T the number of
episodes for which a learner is made, and :math:`\Lambda = \lambda I + \sum_i \phi_i \phi_i^\top`; a bound at t speaks of
the first t episodes, or features.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import linear_nora, lsvi_ucb
from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.algorithms.episodes.play import empty_path, world
from rltheory.algorithms.episodes.ridge import follow, new_linear_critic, refit, theorem_bonus
from rltheory.algorithms.gram import update_inverse
from rltheory.arrays import SUM_TOLERANCE, UNIT_ROUNDOFF, Matrix, Times, Vector, count, float_array, positive
from rltheory.instances import random_linear_mdp
from rltheory.problems import FiniteHorizonMDP, LinearMDP
from rltheory.simulation import stream
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theorems.episodes.tan2025 import tracking_constant
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "tan2025"


@dataclass(frozen=True, eq=False)
class Directions:
    r"""Features that come one after the other.

    Parameters
    ----------
    features : array, shape (T, d)
        Features :math:`\phi_1, \dots, \phi_T`.
    regularization
        :math:`\lambda > 0`.
    """

    features: Matrix
    regularization: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", float_array(self.features, "features", ndim=2))
        positive(self.regularization, "regularization")

    def __str__(self) -> str:
        steps, dimension = self.features.shape
        return f"{steps} features of dimension {dimension}, lambda {self.regularization:g}"

    @property
    def rounding(self) -> float:
        """Allowance for sums of norms from inverses, whose error grows with the condition and with each update."""
        steps, dimension = self.features.shape
        condition = 1 + float((self.features**2).sum()) / self.regularization
        return float(16 * UNIT_ROUNDOFF * dimension * (steps + 1) ** 2 * condition)

    def longest(self) -> bool | str:
        """Whether all norms are at most 1; if not, where one is not."""
        norms = np.linalg.norm(self.features, axis=1)
        place = int(norms.argmax())
        return bool(norms[place] <= 1 + SUM_TOLERANCE) or f"feature {place} has norm {norms[place]:.6g}"


@dataclass(frozen=True, eq=False)
class Growth:
    r"""A matrix, what is added to it, and a vector to measure.

    Parameters
    ----------
    before : array, shape (d, d)
        Symmetric and positive definite: :math:`\tilde \Lambda`.
    added : array, shape (k, d)
        Vectors whose outer products, times a size, are added.
    direction : array, shape (d,)
        The vector x.
    """

    before: Matrix
    added: Matrix
    direction: Vector

    def __post_init__(self) -> None:
        for name, ndim in (("before", 2), ("added", 2), ("direction", 1)):
            object.__setattr__(self, name, float_array(getattr(self, name), name, ndim=ndim))
        dimension = self.direction.size
        if self.before.shape != (dimension, dimension) or self.added.shape[1] != dimension:
            raise ValueError(
                f"before has shape {self.before.shape} and added {self.added.shape}; with a direction of {dimension} "
                f"entries they must be {(dimension, dimension)} and (k, {dimension})"
            )
        if (self.before != self.before.T).any() or np.linalg.eigvalsh(self.before)[0] <= 0:
            raise ValueError("before must be symmetric and positive definite")

    def __str__(self) -> str:
        return f"{len(self.added)} vectors added in dimension {self.direction.size}"

    @property
    def rounding(self) -> float:
        """Allowance for norms and determinants, by the condition of the largest matrix."""
        dimension = self.direction.size
        largest = np.linalg.norm(self.before) + 2.0**6 * (self.added**2).sum()
        least = np.linalg.eigvalsh(self.before)[0]
        norm = float((self.direction**2).sum()) / least
        return float(64 * UNIT_ROUNDOFF * dimension**2 * (largest / least) ** 2 * norm)


@dataclass(frozen=True, eq=False)
class LinearLearning:
    r"""A learner in episodes on a linear process.

    Parameters
    ----------
    problem
        The process of every stage; rewards in [0, 1].
    horizon
        Number of stages H >= 1.
    episodes
        Number of episodes T >= 1.
    eta
        Step size > 0 of the actor.
    delta
        In (0, 1).
    regularization
        :math:`\lambda > 0`.
    """

    problem: LinearMDP
    horizon: int
    episodes: int
    eta: float
    delta: float = 0.05
    regularization: float = 1.0

    def __post_init__(self) -> None:
        count(self.horizon, "horizon", at_least=1)
        count(self.episodes, "episodes", at_least=1)
        positive(self.eta, "eta")
        confidence(self.delta)
        positive(self.regularization, "regularization")

    def __str__(self) -> str:
        return (
            f"{self.problem}, {self.horizon} stages, {self.episodes} episodes, eta {self.eta:.3g}, "
            f"delta {self.delta:g}, lambda {self.regularization:g}"
        )

    @cached_property
    def beta(self) -> float:
        """The bonus of the theorems."""
        return theorem_bonus(
            self.problem.dimension,
            horizon=self.horizon,
            episodes=self.episodes,
            delta=self.delta,
            regularization=self.regularization,
        )

    @property
    def noise(self) -> float:
        r""":math:`\frac{H (H - 1)}{2} \sqrt{T \log(1 / \delta) / 2}`, by which chance may hide errors of the critic."""
        return self.horizon * (self.horizon - 1) / 2 * math.sqrt(self.episodes * math.log(1 / self.delta) / 2)

    @property
    def rounding(self) -> float:
        """Allowance for a sum of returns of at most H."""
        return 64 * UNIT_ROUNDOFF * self.episodes * self.horizon**2

    def doublings(self, trace: Trace) -> Vector:
        r""":math:`\ell_t = d \log_2(1 + t / (d \lambda))`: how often a determinant can have doubled."""
        return most_doublings(trace.times, self.problem.dimension, self.regularization)

    def bonuses(self, trace: Trace) -> Vector:
        r""":math:`2 \beta (H - 1) \sqrt{2 t \ell_t}`: what the critic errs where the learner goes."""
        found: Vector = 2 * self.beta * (self.horizon - 1) * np.sqrt(2 * trace.times * self.doublings(trace))
        return found


def most_doublings(times: Times, dimension: int, regularization: float) -> Vector:
    r""":math:`d \log_2(1 + t / (d \lambda))`.

    Examples
    --------
    >>> most_doublings(np.array([0, 1, 3]), 1, 1.0)
    array([0., 1., 2.])
    """
    found: Vector = dimension * np.log1p(times / (dimension * regularization)) / math.log(2)
    return found


def gather(s: Directions, rng: np.random.Generator) -> Trace:
    """Take in features, and sum up how much they surprise."""
    return gather_scaled(s, 1.0)


def gather_scaled(s: Directions, factor: float, *, forgetful: bool = False) -> Trace:
    """Take in multiples of the features, or let all of them find what the first found."""
    steps, dimension = s.features.shape
    features = factor * s.features
    inverse, spare = np.eye(dimension) / s.regularization, np.empty(dimension)
    surprise = np.zeros(steps + 1)
    for step, feature in enumerate(features):
        norm = update_inverse(inverse.copy() if forgetful else inverse, feature, spare)
        surprise[step + 1] = surprise[step] + min(1.0, norm)
    outer = np.einsum("ti,tj->tij", features, features)
    gram = s.regularization * np.eye(dimension) + np.concatenate(
        [np.zeros((1, dimension, dimension)), outer.cumsum(axis=0)]
    )
    logs = np.linalg.slogdet(gram)[1] - dimension * math.log(s.regularization)
    arrays = {"surprise": surprise, "doublings": logs / math.log(2)}
    values = {name: (("time",), array) for name, array in arrays.items()}
    return Trace("features", np.arange(steps + 1), values, clock="feature")


SIZES = 2.0 ** np.arange(-6, 7)


def grow(s: Growth, rng: np.random.Generator) -> Trace:
    """Add the vectors, with sizes from 1/64 to 64."""
    return grow_by(s, 1.0)


def grow_by(s: Growth, share: float) -> Trace:
    """Take the determinants of matrices to which a share of it is added only."""
    outer = s.added.T @ s.added
    after = s.before + SIZES[:, None, None] * outer
    solved = np.linalg.solve(after, s.direction[:, None])[..., 0]
    logs = np.linalg.slogdet(s.before + share * SIZES[:, None, None] * outer)[1] - np.linalg.slogdet(s.before)[1]
    norm = float(s.direction @ np.linalg.solve(s.before, s.direction))
    arrays = {"before": np.full(SIZES.size, norm), "after": solved @ s.direction, "ratio": np.exp(logs)}
    values = {name: (("time",), array) for name, array in arrays.items()}
    return Trace("growth", np.arange(SIZES.size), values, clock="draw")


def play_linear_nora(s: LinearLearning, rng: np.random.Generator) -> Trace:
    """Run linear NORA."""
    return play_linear_nora_by(s, rng, s.eta)


def play_linear_nora_by(s: LinearLearning, rng: np.random.Generator, eta: float) -> Trace:
    """Run it with another step size."""
    return linear_nora(
        s.problem,
        horizon=s.horizon,
        episodes=s.episodes,
        eta=eta,
        delta=s.delta,
        regularization=s.regularization,
        rng=rng,
    )


def play_lsvi_ucb(s: LinearLearning, rng: np.random.Generator) -> Trace:
    """Run LSVI-UCB with rare switching."""
    return play_lsvi_ucb_by(s, rng, 1.0)


def play_lsvi_ucb_by(s: LinearLearning, rng: np.random.Generator, bonus: float) -> Trace:
    """Run it with a multiple of the bonus."""
    return lsvi_ucb(
        s.problem,
        horizon=s.horizon,
        episodes=s.episodes,
        rare_switching=True,
        bonus=bonus,
        delta=s.delta,
        regularization=s.regularization,
        rng=rng,
    )


def criticise(s: LinearLearning, rng: np.random.Generator) -> Trace:
    """Make an optimistic critic now and then, judge it, and follow it to the next."""
    return criticise_by(s, rng, 1.0)


def criticise_by(s: LinearLearning, rng: np.random.Generator, kept: float) -> Trace:
    """Do so, and keep a share of the sums of features only, but all of the matrices."""
    episodic = FiniteHorizonMDP.stationary(s.problem.tabular, s.horizon)
    process, path = world(episodic, pooled=True), empty_path(episodic)
    critic = new_linear_critic(s.problem, s.horizon, s.regularization)
    times = record_times(s.episodes, points=15)
    needed = np.zeros(times.size)
    for place, stretch in enumerate(np.diff(times, prepend=0)):
        follow(process, critic, path, stretch, rng)
        critic.sums[...] *= kept
        refit(critic, s.beta)
        expected = critic.values[1:-1] @ s.problem.tabular.transition_matrix.T
        targets = np.einsum("hsd,hs->hd", critic.sums, critic.values[1:-1])
        errors = np.einsum("cd,hde,he->hc", critic.features, critic.inverses, targets) - expected
        squares = np.einsum("cd,hde,ce->hc", critic.features, critic.inverses, critic.features)
        needed[place] = np.max(np.abs(errors) / np.sqrt(squares), initial=0.0)
    return Trace("LSVI-UCB with few critics", times, {"needed": (("time",), needed)}, clock="episode")


# Wrong runs, to be told from right ones.


def gather_forgetfully(s: Directions, rng: np.random.Generator) -> Trace:
    """No feature is taken in."""
    return gather_scaled(s, 1.0, forgetful=True)


def gather_twice_as_long(s: Directions, rng: np.random.Generator) -> Trace:
    """Features are twice as long as stated."""
    return gather_scaled(s, 2.0)


def grow_half(s: Growth, rng: np.random.Generator) -> Trace:
    """Determinants are those of matrices that have grown by half as much."""
    return grow_by(s, 0.5)


def play_linear_nora_idly(s: LinearLearning, rng: np.random.Generator) -> Trace:
    """The actor hardly moves."""
    return play_linear_nora_by(s, rng, 1e-9)


def play_with_a_critic_for_each_episode(s: LinearLearning, rng: np.random.Generator) -> Trace:
    """The critic changes whenever there are new episodes, with bonuses so small that plans change with it."""
    return lsvi_ucb(s.problem, horizon=s.horizon, episodes=s.episodes, bonus=0.03, rng=rng)


def play_lsvi_ucb_without_bonus(s: LinearLearning, rng: np.random.Generator) -> Trace:
    """There is no bonus."""
    return play_lsvi_ucb_by(s, rng, 0.0)


def criticise_forgetfully(s: LinearLearning, rng: np.random.Generator) -> Trace:
    """Half of the sums is forgotten whenever a critic is made."""
    return criticise_by(s, rng, 0.5)


def linear_trap(actions: int) -> LinearMDP:
    """All actions but the last pay 0.05 and stay; the last leads to a state whose actions pay 1 and lead back."""
    stay, leave, back = np.eye(3)
    features = [[stay] * (actions - 1) + [leave], [back] * actions]
    return LinearMDP(features, [[1, 0], [0, 1], [1, 0]], [0.05, 0, 1], initial=[1, 0], title=f"trap, {actions} actions")


def one_choice() -> LinearMDP:
    """One state and one choice, which pays 1."""
    return LinearMDP([[[1.0]]], [[1.0]], [1.0], title="one choice")


def grid_of_directions() -> Iterator[Directions]:
    """Basis vectors in turn, the same vector again and again, and random ones."""
    yield Directions(np.tile(np.eye(3), (20, 1)))
    yield Directions(np.tile([[0.6, 0.8]], (100, 1)), 0.5)
    for dimension in (2, 5):
        features = stream(0, "linear-nora", "features", dimension).normal(size=(100, dimension))
        yield Directions(features / np.linalg.norm(features, axis=1, keepdims=True), 2.0)


def grid_of_growth() -> Iterator[Growth]:
    """Growth in the direction of the vector, and random growth."""
    yield Growth(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.5, -1.0]]), np.array([0.5, -1.0]))
    for dimension in (1, 3, 6):
        rng = stream(0, "linear-nora", "growth", dimension)
        vectors = rng.normal(size=(2 * dimension, dimension))
        yield Growth(np.eye(dimension) + vectors.T @ vectors, vectors[:2], rng.normal(size=dimension))


def grid_of_critics() -> Iterator[LinearLearning]:
    """One choice, a trap, and random linear processes."""
    yield LinearLearning(one_choice(), 3, 300, 1.0, 0.3)
    yield LinearLearning(linear_trap(2), 3, 100, 1.0, 0.3)
    for dimension in (2, 4):
        problem = random_linear_mdp(stream(0, "linear-nora", "process", dimension), 5, 3, dimension)
        yield LinearLearning(problem, 3, 100, 1.0, 0.3)


def grid() -> Iterator[LinearLearning]:
    """A trap for long enough that the bounds say much, one for a shorter time, and a random linear process."""
    yield LinearLearning(linear_trap(10), 2, 90_000, 100.0, 0.4)
    yield LinearLearning(linear_trap(3), 3, 2000, 1.0, 0.2)
    yield LinearLearning(random_linear_mdp(stream(0, "linear-nora", "process"), 5, 3, 3), 3, 1000, 1.0, 0.2)


def grid_of_switches() -> Iterator[LinearLearning]:
    """One choice, whose determinant doubles as soon as it can, indicators, and random linear processes."""
    yield LinearLearning(one_choice(), 2, 1025, 1.0)
    yield LinearLearning(linear_trap(3), 3, 1000, 1.0, regularization=0.5)
    for dimension in (2, 5):
        problem = random_linear_mdp(stream(0, "linear-nora", "process", dimension), 5, 3, dimension)
        yield LinearLearning(problem, 3, 1000, 1.0, regularization=2.0)


def any_directions() -> "SearchStrategy[Directions]":
    """Up to thirty features in a ball of radius 1."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    @st.composite
    def settings(draw: st.DrawFn) -> Directions:
        dimension = draw(st.integers(1, 4))
        row = st.lists(st.floats(-1, 1), min_size=dimension, max_size=dimension)
        features = np.array(draw(st.lists(row, min_size=1, max_size=30)))
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        return Directions(features / np.maximum(norms, 1), draw(log_uniform(0.1, 10.0)))

    return settings()


def any_growth() -> "SearchStrategy[Growth]":
    """Some vectors added to the identity and others."""
    from hypothesis import strategies as st

    @st.composite
    def settings(draw: st.DrawFn) -> Growth:
        dimension = draw(st.integers(1, 4))
        row = st.lists(st.floats(-2, 2), min_size=dimension, max_size=dimension)
        first, added = (np.array(draw(st.lists(row, min_size=1, max_size=5))) for _ in range(2))
        return Growth(np.eye(dimension) + first.T @ first, added, np.array(draw(row)))

    return settings()


def any_linear_learning() -> "SearchStrategy[LinearLearning]":
    """Small linear processes with features on the simplex, and a few hundred episodes."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform, policies

    @st.composite
    def settings(draw: st.DrawFn) -> LinearLearning:
        states, actions, dimension = (draw(st.integers(1, largest)) for largest in (4, 3, 4))
        features = [[draw(policies(dimension)) for _ in range(actions)] for _ in range(states)]
        measures = [draw(policies(states)) for _ in range(dimension)]
        weights = draw(st.lists(st.floats(0, 1), min_size=dimension, max_size=dimension))
        problem = LinearMDP(np.array(features), np.array(measures), np.array(weights))
        episodes, eta = draw(st.integers(1, 300)), draw(log_uniform(1e-2, 100.0))
        regularization = draw(log_uniform(1.0, 10.0))
        return LinearLearning(problem, draw(st.integers(1, 4)), episodes, eta, regularization=regularization)

    return settings()


FEATURES: Hypotheses = {"finite dimension": BY_CONSTRUCTION, "$\\lambda > 0$": BY_CONSTRUCTION}
LINEAR: Hypotheses = {
    "laws are $\\langle \\phi_c, \\mu(s') \\rangle$, with $\\|\\phi_c\\| \\le 1$ and "
    "$\\| \\sum_{s'} |\\mu(s')| \\| \\le \\sqrt d$": BY_CONSTRUCTION,
    "the rewards are known, and lie in $[0, 1]$": lambda s: bool(
        ((s.problem.tabular.rewards >= 0) & (s.problem.tabular.rewards <= 1)).all()
    ),
}
LEARNING: Hypotheses = LINEAR | {
    "$\\lambda \\ge 1$": lambda s: s.regularization >= 1,
    "$\\delta < 1/2$": lambda s: s.delta < 0.5,
}
GRAM = "$\\phi_i$: features of dimension $d$; $\\Lambda_t = \\lambda I + \\sum_{i < t} \\phi_i \\phi_i^\\top$"
DOUBLINGS = "$\\ell_t = d \\log_2(1 + t / (d \\lambda))$"
REGRET = (
    "$\\mathrm{Reg}_t$: what the policies of the first $t$ episodes lose in the mean; $\\beta$: the bonus, a fixed point "
    "of order $d H \\sqrt{\\log T}$ as the learner states it; "
    f"{DOUBLINGS}; $T$: the number of episodes for which the learner is made; $H$: that of stages"
)

POTENTIAL = Theorem(
    name="linear-nora/potential",
    title="Features surprise as often as the determinant doubles, at most",
    paper=Paper("abbasi2011", "the elliptical potential lemma, with the best constant"),
    standing=Standing.DERIVED,
    statement=r"\sum_{i \le t} \min\{1, \|\phi_i\|_{\Lambda_i^{-1}}^2\} \le \log_2 \frac{\det \Lambda_{t + 1}}{\det \Lambda_1}",
    symbols=GRAM,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=FEATURES,
    run=gather,
    measured=lambda s, trace: trace["surprise"],
    bound=lambda s, trace: trace["doublings"],
    settings=grid_of_directions,
    strategy=any_directions,
    controls={"no feature is taken in": gather_forgetfully},
    remark="The usual statement has $2 \\log$ in place of $\\log_2$, a constant of 2 in place of $1 / \\log 2 = 1.44$. Here "
    "features that make the determinant double reach the bound.",
)

DETERMINANT = Theorem(
    name="linear-nora/determinant",
    title="The determinant grows most when features come from all directions alike",
    paper=Paper("abbasi2011", "the determinant and the trace"),
    standing=Standing.DERIVED,
    statement=r"\log_2 \frac{\det \Lambda_{t + 1}}{\det \Lambda_1} \le \ell_t",
    symbols=f"{GRAM}; {DOUBLINGS}",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=FEATURES | {"$\\|\\phi_i\\| \\le 1$": lambda s: s.longest()},
    run=gather,
    measured=lambda s, trace: trace["doublings"],
    bound=lambda s, trace: most_doublings(trace.times, s.features.shape[1], s.regularization),
    settings=grid_of_directions,
    strategy=any_directions,
    controls={"features twice as long": gather_twice_as_long},
    remark="Equal, whenever basis vectors have come equally often.",
)

RATIO = Theorem(
    name="linear-nora/determinant-ratio",
    title="A norm shrinks by no more than the determinant grows",
    paper=Paper("abbasi2011", "what rarely switching learners lose by their old matrices"),
    standing=Standing.DERIVED,
    statement=r"\|x\|_{\tilde \Lambda^{-1}}^2 \le \frac{\det \Lambda}{\det \tilde \Lambda} \|x\|_{\Lambda^{-1}}^2, "
    r"\quad \Lambda \succeq \tilde \Lambda",
    symbols="$\\tilde \\Lambda$: positive definite; $\\Lambda - \\tilde \\Lambda$: positive semidefinite; $x$: any vector",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses={
        "$\\tilde \\Lambda$ is positive definite": BY_CONSTRUCTION,
        "$\\Lambda \\succeq \\tilde \\Lambda$": BY_CONSTRUCTION,
    },
    run=grow,
    measured=lambda s, trace: trace["before"],
    bound=lambda s, trace: trace["ratio"] * trace["after"],
    settings=grid_of_growth,
    strategy=any_growth,
    controls={"half of the growth": grow_half},
    remark="Equal, if $\\Lambda - \\tilde \\Lambda$ is a multiple of $x x^\\top$. The times of the trace count sizes of what is added.",
)

SWITCHES = Theorem(
    name="linear-nora/switches",
    title="The critic of linear NORA changes a logarithmic number of times",
    paper=Paper(PAPER, "rare switching, here by determinants that double"),
    standing=Standing.DERIVED,
    statement=r"N_t \le (H - 1)\, \ell_t",
    symbols=f"$N_t$: how often the critic has changed before episode $t$ is over; {DOUBLINGS}; $H$: the number of stages",
    # Determinants that fall short of twice by 1e-9 count as doubled.
    kind=EveryStep(
        rounding=lambda s: (
            2e-9 * float(most_doublings(np.array(s.episodes), s.problem.dimension, s.regularization)) * s.horizon
        )
    ),
    hypotheses=LINEAR,
    run=play_linear_nora,
    measured=lambda s, trace: trace["switches"],
    bound=lambda s, trace: (s.horizon - 1) * s.doublings(trace),
    settings=grid_of_switches,
    strategy=any_linear_learning,
    controls={"a critic for each episode": play_with_a_critic_for_each_episode},
    remark="The last stage has no critic to change, as rewards are known. A single choice comes as close as whole numbers can.",
)

BONUS = Theorem(
    name="linear-nora/bonus",
    title="The bonus covers the errors of all optimistic critics",
    paper=Paper("jin2020", "the concentration of least-squares value iteration, with constants"),
    standing=Standing.DERIVED,
    statement=r"\max_{h < H, c} \frac{|\langle \phi_c, w_h \rangle - \langle p_c, V_{h + 1} \rangle|}{\|\phi_c\|_{\Lambda_h^{-1}}} \le \beta",
    symbols="$w_h$: weights of the critic made after $t$ episodes, and $V_{h + 1}$ its values; $p_c$: the law of a choice; "
    "$\\beta$: the bonus, a fixed point of order $d H \\sqrt{\\log T}$ as the learner states it",
    kind=WithProbability(rounding=lambda s: 1e-9 * s.beta, delta=lambda s: s.delta),
    hypotheses=LINEAR,
    run=criticise,
    measured=lambda s, trace: trace["needed"],
    bound=lambda s, trace: np.full(trace.times.size, s.beta),
    settings=grid_of_critics,
    strategy=any_linear_learning,
    controls={"half of the sums is forgotten": criticise_forgetfully},
    remark="What is needed is mostly the bias of the ridge. The larger part of $\\beta$ pays for critics that depend on the "
    "very episodes on which they are fitted, by a net of all of them.",
)

REGRET_OF_LSVI_UCB = Theorem(
    name="lsvi-ucb/regret",
    title="The regret of LSVI-UCB with rare switching grows like the root of the number of episodes",
    paper=Paper("jin2020", "Theorem 3.1, with constants and rare switching"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{Reg}_t \le 2 \beta (H - 1) \sqrt{2 t\, \ell_t} + \frac{H (H - 1)}{2} \sqrt{\frac{T \log(1 / \delta)}{2}}",
    symbols=REGRET,
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: 2 * s.delta),
    hypotheses=LEARNING,
    run=play_lsvi_ucb,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: s.bonuses(trace) + s.noise,
    since=1,
    trivial=lambda s: float(s.horizon * s.episodes),
    settings=grid,
    strategy=any_linear_learning,
    controls={"no bonus": play_lsvi_ucb_without_bonus},
    remark="The order is $\\sqrt{d^3 H^4 T}$ up to logarithms. A bonus that holds for all values at once costs a factor "
    "$\\sqrt d$ over sets of critics, among which the most optimistic is hard to find.",
)

REGRET_OF_NORA = Theorem(
    name="linear-nora/regret",
    title="The regret of linear NORA grows like the root of the number of episodes, for any step size",
    paper=Paper(PAPER, "the guarantee of NORA, on linear processes and with bonuses"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{Reg}_t \le 2 \beta (H - 1) \sqrt{2 t\, \ell_t} + \frac{H (H - 1)}{2} \sqrt{\frac{T \log(1 / \delta)}{2}} "
    r"+ \bigl((H - 1)\, \ell_t + 1\bigr) \left[\frac{H (H + 1)}{2} + \frac{H \kappa_A}{\eta} (1 + \log t)\right]",
    symbols=f"{REGRET}; $\\kappa_A = W((A - 1) / e)$ with Lambert's function $W$, and $A$ actions",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: 2 * s.delta),
    hypotheses=LEARNING,
    run=play_linear_nora,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: (
        s.bonuses(trace)
        + s.noise
        + ((s.horizon - 1) * s.doublings(trace) + 1)
        * (
            s.horizon * (s.horizon + 1) / 2
            + s.horizon
            * tracking_constant(s.problem.features.shape[1])
            / s.eta
            * (1 + np.log(np.maximum(trace.times, 1)))
        )
    ),
    since=1,
    trivial=lambda s: float(s.horizon * s.episodes),
    settings=grid,
    strategy=any_linear_learning,
    controls={"an actor that hardly moves": play_linear_nora_idly},
    remark="The larger the step, the better: it has to be small only for critics that change in every episode.",
)
