r"""LOOP with lazy updates: one argument for tabular, linear and mixture classes, with all constants.

On an event of probability :math:`1 - \delta` the roots of the empirical and the true gap of all hypotheses differ by
:math:`\sqrt{\beta_0}` at most. The set of radius :math:`9 \beta_0` then keeps the truth; a hypothesis enters with a true
gap of :math:`16 \beta_0` at most, and leaves, once its empirical gap reaches :math:`36 \beta_0`, with one of :math:`25
\beta_0` at least, so that each epoch makes progress; and in between its true gap stays below :math:`49 \beta_0`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rltheory.algorithms.average_reward.joint_loop import joint_concentration, joint_loop
from rltheory.algorithms.average_reward.linear_loop import linear_concentration, linear_loop
from rltheory.algorithms.average_reward.mixture_loop import mixture_concentration, mixture_loop
from rltheory.algorithms.average_reward.walk import Walk
from rltheory.arrays import Array, Matrix
from rltheory.instances import random_ergodic_mdp, random_linear_mdp
from rltheory.problems import MDP, LinearMDP, LinearMixtureMDP, TabularMDP
from rltheory.simulation import stream
from rltheory.solvers import AverageOptimum, average_policy_iteration, is_weakly_communicating
from rltheory.solvers.model_class import ModelClass
from rltheory.theory import BY_CONSTRUCTION, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "he2024average"
RADIUS, TRIGGER, LARGEST = 9, 36, 49  # in units of the width of concentration
PRECISION = 1e-7  # of the gains of all planners

Run: TypeAlias = Callable[[Any, np.random.Generator], Trace]


class Learning(ABC):
    """What the classes share: the optimum of the process, and the bounds, from a few numbers of the class."""

    mdp: MDP
    span: float  # H, largest value
    horizon: int  # T
    delta: float
    concentration: float  # beta_0
    first_errors: float = 0.0  # sum of errors that dominance leaves out
    first_squares: float = 0.0  # sum of their squares

    def __str__(self) -> str:
        return f"{self.mdp}, H {self.span:.3g}, {self.horizon} steps"

    @abstractmethod
    def potential(self, times: Array) -> Array:
        """Factor d(t) of dominance and transferability."""

    @cached_property
    def optimum(self) -> AverageOptimum:
        """Optimal gain and bias."""
        return average_policy_iteration(self.mdp)

    @property
    def gain(self) -> float:
        """Optimal gain."""
        return float(self.optimum.gain[0])

    def most_epochs(self, times: Array) -> Array:
        """Bound on the number of epochs."""
        squares = self.first_squares + LARGEST * self.concentration * self.potential(times)
        return 1 + squares / (RADIUS * self.concentration)

    def most_regret(self, times: Array) -> Array:
        """Bound on the regret, at all times together."""
        errors = self.first_errors + np.sqrt(LARGEST * self.concentration * self.potential(times) * times)
        noise = self.span * math.sqrt(self.horizon * math.log(1 / self.delta) / 2)
        total: Array = errors + self.span * self.most_epochs(times) + noise
        return total


@dataclass(frozen=True, eq=False)
class Tabular(Learning):
    """A tabular process and what LOOP with the joint set is told.

    Parameters
    ----------
    mdp
        The process, C choices, rewards in [0, 1].
    span
        Bound H on the values.
    horizon
        Number of steps T.
    delta
        Probability of failure.
    """

    mdp: MDP
    span: float
    horizon: int
    delta: float = 0.2

    @property
    def concentration(self) -> float:  # type: ignore[override]
        """Width of the concentration."""
        return joint_concentration(self.mdp.states, self.mdp.choices, self.horizon, self.span, self.delta)

    @property
    def first_errors(self) -> float:  # type: ignore[override]
        """The first visits of all choices."""
        return self.mdp.choices * (self.span + 1)

    @property
    def first_squares(self) -> float:  # type: ignore[override]
        """The first visits of all choices, squared."""
        return self.mdp.choices * (self.span + 1) ** 2

    def potential(self, times: Array) -> Array:
        """Visits n give 1 + 1/2 + ... + 1/n."""
        choices = self.mdp.choices
        return choices * (1 + np.log(np.maximum(times / choices, 1)))


@dataclass(frozen=True, eq=False)
class Linear(Learning):
    """A linear process and what LOOP is told."""

    problem: LinearMDP
    span: float
    horizon: int
    delta: float = 0.2

    @property
    def mdp(self) -> MDP:  # type: ignore[override]
        """The process."""
        return self.problem.tabular

    @property
    def concentration(self) -> float:  # type: ignore[override]
        """Width of the concentration."""
        return linear_concentration(self.problem.dimension, self.horizon, self.span, self.delta)

    def potential(self, times: Array) -> Array:
        """Twice the logarithm of the determinant."""
        return 2 * self.problem.dimension * np.log1p(times / self.problem.dimension)


@dataclass(frozen=True, eq=False)
class Mixture(Learning):
    """A linear mixture, and the weights that LOOP considers, shape (M, d)."""

    problem: LinearMixtureMDP
    weights: Matrix
    horizon: int
    delta: float = 0.2

    @property
    def mdp(self) -> MDP:  # type: ignore[override]
        """The process."""
        return self.problem.tabular

    @cached_property
    def models(self) -> ModelClass:
        """The processes with these weights, solved."""
        features, rewards = self.problem.features, self.mdp.rewards.reshape(self.mdp.states, -1)
        return ModelClass([LinearMixtureMDP(features, weights, rewards).tabular for weights in self.weights])

    @property
    def span(self) -> float:  # type: ignore[override]
        """Largest span of the optimal bias of any weights."""
        return self.models.span

    @property
    def concentration(self) -> float:  # type: ignore[override]
        """Width of the concentration."""
        return mixture_concentration(self.problem.dimension, self.horizon, self.span, self.delta)

    def potential(self, times: Array) -> Array:
        """Twice the logarithm of the determinant."""
        return 2 * self.problem.dimension * np.log1p(times)


def run_joint(s: Tabular, rng: np.random.Generator) -> Trace:
    """Run LOOP with the joint set."""
    return joint_loop(s.mdp, horizon=s.horizon, span=s.span, delta=s.delta, rng=rng)


def run_linear(s: Linear, rng: np.random.Generator) -> Trace:
    """Run LOOP with linear action values."""
    return linear_loop(s.problem, horizon=s.horizon, span=s.span, delta=s.delta, rng=rng)


def run_mixture(s: Mixture, rng: np.random.Generator) -> Trace:
    """Run LOOP on a mixture."""
    return mixture_loop(s.problem, s.weights, s.models, horizon=s.horizon, delta=s.delta, rng=rng)


# Wrong runs, to be told from right ones.


def run_joint_once(s: Tabular, rng: np.random.Generator) -> Trace:
    """The first plan is followed for good."""
    return joint_loop(s.mdp, horizon=s.horizon, span=s.span, delta=s.delta, trigger=np.inf, rng=rng)


def run_joint_halved(s: Tabular, rng: np.random.Generator) -> Trace:
    """Rewards are thought to be half of what they are."""
    laws = s.mdp.transition_matrix.reshape(s.mdp.states, -1, s.mdp.states)
    halved = TabularMDP(laws, s.mdp.rewards.reshape(s.mdp.states, -1) / 2)
    return run_joint(replace(s, mdp=halved), rng)


def run_linear_once(s: Linear, rng: np.random.Generator) -> Trace:
    """The first plan is followed for good."""
    return linear_loop(s.problem, horizon=s.horizon, span=s.span, delta=s.delta, trigger=np.inf, rng=rng)


def run_linear_halved(s: Linear, rng: np.random.Generator) -> Trace:
    """Rewards are thought to be half of what they are."""
    halved = LinearMDP(s.problem.features, s.problem.measures, s.problem.weights / 2)
    return run_linear(replace(s, problem=halved), rng)


def run_mixture_once(s: Mixture, rng: np.random.Generator) -> Trace:
    """The first plan is followed for good."""
    return mixture_loop(s.problem, s.weights, s.models, horizon=s.horizon, delta=s.delta, trigger=np.inf, rng=rng)


def run_mixture_halved(s: Mixture, rng: np.random.Generator) -> Trace:
    """Rewards are thought to be half of what they are."""
    rewards = s.mdp.rewards.reshape(s.mdp.states, -1) / 2
    return run_mixture(replace(s, problem=LinearMixtureMDP(s.problem.features, s.problem.weights, rewards)), rng)


def run_plan_each_step(s: Learning, rng: np.random.Generator) -> Trace:
    """A plan is made at each step, if always the same one."""
    walk, plan = Walk(s.mdp, min(s.horizon, 300), rng), ModelClass([s.mdp]).models[0]
    while walk.time < walk.horizon:
        walk.follow(plan, longest=1)
    return walk.trace("planning at each step")


def arms(levels: tuple[float, ...], states: int = 2) -> TabularMDP:
    """States that differ in nothing, and actions that differ in their rewards."""
    laws = np.full((states, len(levels), states), 1 / states)
    return TabularMDP(laws, np.tile(levels, (states, 1)), title=f"{len(levels)} arms in {states} states")


def joint_grid() -> Iterator[Tabular]:
    """Arms, where values hardly matter, and a process where they do."""
    yield Tabular(arms((0.0, 1.0)), span=0.05, horizon=1000)
    yield Tabular(arms((0.0, 0.1, 0.2, 0.3, 0.4, 1.0)), span=0.02, horizon=1000)
    yield Tabular(random_ergodic_mdp(stream(0, "joint loop"), 3, 2), span=0.8, horizon=30_000)


def linear_arms(levels: tuple[float, ...]) -> LinearMDP:
    """One state, and an indicator for each arm."""
    size = len(levels)
    return LinearMDP(np.eye(size)[None], np.ones((size, 1)), levels, title=f"{size} arms")


def linear_grid() -> Iterator[Linear]:
    """Two arms, and a process where values matter."""
    yield Linear(linear_arms((0.0, 1.0)), span=0.05, horizon=40_000)
    yield Linear(random_linear_mdp(stream(0, "linear loop"), 2, 2, 2), span=0.5, horizon=40_000)


def pairs(*firsts: float) -> Matrix:
    """Pairs of weights with sum 1, of which the first are given."""
    return np.array([[first, 1 - first] for first in firsts])


def gamble(safe: float, risky: float) -> LinearMixtureMDP:
    """From the first state a safe way leads to the second with some probability, and a risky way always or never does.

    The second state pays more, and leads back. The process is a mixture of both risky ways.
    """
    bases = np.zeros((2, 2, 2, 2))
    bases[:, 1, :, 0] = 1
    bases[:, 0, 0] = 1 - safe, safe
    bases[0, 0, 1, 1] = bases[1, 0, 1, 0] = 1
    rewards = [[0.6, 0.6], [1.0, 1.0]]
    return LinearMixtureMDP(bases, [risky, 1 - risky], rewards, title=f"safe {safe:g} or risky {risky:g}")


def mixture_grid() -> Iterator[Mixture]:
    """Two models that are hard to tell, and eleven."""
    yield Mixture(gamble(0.5, 0.4), pairs(0.6, 0.4), horizon=20_000)
    yield Mixture(gamble(0.9, 0.0), pairs(*np.linspace(0, 1, 11)), horizon=60_000)


def span_by_mixing(mdp: TabularMDP) -> float:
    """Bound on the span of the bias from the largest total variation of two choices, which contracts spans."""
    laws = mdp.transition_matrix
    variation = np.abs(laws[:, None] - laws[None]).sum(-1).max() / 2
    return 0.02 + float(np.ptp(mdp.rewards) / (1 - variation))


def any_joint() -> "SearchStrategy[Tabular]":
    """Small random processes."""
    from hypothesis import strategies as st

    def build(seed: int, states: int, horizon: int) -> Tabular:
        mdp = random_ergodic_mdp(stream(seed, "joint loop"), states, 2)
        return Tabular(mdp, span_by_mixing(mdp), horizon)

    return st.builds(build, st.integers(0, 1000), st.integers(1, 3), st.integers(1, 3000))


def any_linear() -> "SearchStrategy[Linear]":
    """Small random linear processes."""
    from hypothesis import strategies as st

    def build(seed: int, dimension: int, horizon: int) -> Linear:
        problem = random_linear_mdp(stream(seed, "linear loop"), 2, 2, dimension)
        return Linear(problem, span_by_mixing(problem.tabular), horizon)

    return st.builds(build, st.integers(0, 1000), st.integers(1, 3), st.integers(1, 1000))


def any_mixture() -> "SearchStrategy[Mixture]":
    """Gambles with two models."""
    from hypothesis import strategies as st

    def build(safe: float, truth: float, other: float, horizon: int, delta: float) -> Mixture:
        return Mixture(gamble(safe, truth), pairs(truth, other), horizon, delta)

    share = st.floats(0.05, 0.95)
    return st.builds(build, share, share, share, st.integers(1, 3000), st.floats(0.05, 0.4))


def has_one_gain(s: Learning) -> bool:
    """Whether the process is weakly communicating."""
    return is_weakly_communicating(s.mdp)


def has_unit_rewards(s: Learning) -> bool:
    """Whether rewards lie in [0, 1]."""
    return bool(((s.mdp.rewards >= 0) & (s.mdp.rewards <= 1)).all())


def has_small_span(s: Learning) -> bool | str:
    """Whether values in [0, H] include the optimal bias."""
    return s.optimum.bias_span <= s.span * (1 + 1e-12) or f"sp(h*) is {s.optimum.bias_span:.6g}, H is {s.span:.6g}"


def contains_the_truth(s: Mixture) -> bool:
    """Whether the weights of the process are among those considered."""
    return any(np.allclose(s.problem.weights, weights, rtol=0, atol=1e-12) for weights in s.weights)


def mixes_laws(s: Mixture) -> bool:
    """Whether base laws are laws, and weights have norm 1 at most."""
    laws = s.problem.features
    return bool(
        (laws >= 0).all()
        and np.allclose(laws.sum(-1), 1, rtol=0, atol=1e-9)
        and np.linalg.norm(s.problem.weights) <= 1 + 1e-12
    )


PROCESS = {
    "the process is weakly communicating": has_one_gain,
    "$0 \\le r \\le 1$, and $r$ is known": has_unit_rewards,
}

COMMON = (
    "$W_t(f)$: the sum over past steps of squared expected errors of hypothesis f, a pair of values and a gain "
    "$J_f$; $f_t$: the hypothesis in force at time t; $\\delta$: probability of failure"
)


def regret(s: Learning, trace: Trace) -> Array:
    """Regret, at least 0."""
    rewards = trace["visits"] @ s.mdp.rewards
    return np.maximum(trace.times * s.gain - rewards, 0.0)


def statements(
    group: str,
    of: str,
    place: str,
    symbols: str,
    constants: str,
    epochs: str,
    first_errors: str,
    right: Run,
    once: Run,
    halved: Run,
    **common: Any,
) -> tuple[Theorem[Any], Theorem[Any], Theorem[Any], Theorem[Any]]:
    """Optimism, gap, epochs and regret of one class."""
    paper, symbols = Paper(PAPER, place), f"{COMMON}; {symbols}"

    def of_kind(failures: int, rounding: Callable[[Any], float]) -> WithProbability:
        return WithProbability(rounding=rounding, delta=lambda s: failures * s.delta)

    optimism = Theorem(
        name=f"{group}/optimism",
        title=f"LOOP with {of} never expects less than the optimal gain",
        statement=r"\max_{i \le t} \, (1 - J_{f_i}) \le 1 - J^* \text{ for all } t \le T",
        symbols=symbols,
        kind=of_kind(1, lambda s: PRECISION),
        paper=paper,
        standing=Standing.DERIVED,
        run=right,
        measured=lambda s, trace: np.maximum.accumulate(np.maximum(1 - trace["gain"], 0.0)),
        bound=lambda s, trace: np.full(trace.times.size, 1 - s.gain),
        trivial=lambda s: 1.0,
        controls={"rewards halved": halved},
        remark="The planner's precision counts as rounding.",
        **common,
    )
    gap = Theorem(
        name=f"{group}/gap",
        title=f"With {of}, what is in force fits the past, up to a constant",
        statement=r"W_{i-1}(f_i) \le 49 \beta_0 \text{ for all } i \le t \le T, \qquad " + constants,
        symbols=symbols,
        kind=of_kind(1, lambda s: 1e-9 * s.concentration),
        paper=paper,
        standing=Standing.DERIVED,
        run=right,
        measured=lambda s, trace: trace["largest_gap"],
        bound=lambda s, trace: np.full(trace.times.size, LARGEST * s.concentration),
        controls={"one plan for good": once},
        remark="A run in which an epoch ends comes to $36 / 49$ of the bound, where the empirical gap triggers; the rest is "
        "left to chance.",
        **common,
    )
    number = Theorem(
        name=f"{group}/epochs",
        title=f"With {of}, LOOP plans a logarithmic number of times",
        statement=epochs,
        symbols=symbols + "; $N_t$: number of plans until time t",
        kind=of_kind(1, lambda s: 1e-9),
        paper=paper,
        standing=Standing.DERIVED,
        run=right,
        measured=lambda s, trace: trace["epochs"],
        bound=lambda s, trace: s.most_epochs(trace.times),
        controls={"a plan at each step": run_plan_each_step},
        remark="With radius $\\rho^2 \\beta_0$ an epoch ends at $4 \\rho^2 \\beta_0$, and must make progress if $2 \\rho - 1 > "
        "\\rho + 1$; thus $\\rho > 2$, and here 3.",
        **common,
    )
    sum_of_gaps = Theorem(
        name=f"{group}/regret",
        title=f"Regret of LOOP with {of}",
        statement=r"t J^* - \sum_{i \le t} r_i \le " + first_errors + r"7 \sqrt{\beta_0 d_t t} + H \bar N_t + "
        r"H \sqrt{\frac{T}{2} \log \frac1\delta} \text{ for all } t \le T",
        symbols=symbols + "; $\\bar N_t$: the bound on the number of plans",
        kind=of_kind(2, lambda s: s.horizon * PRECISION),
        paper=paper,
        standing=Standing.DERIVED,
        run=right,
        measured=regret,
        bound=lambda s, trace: s.most_regret(trace.times),
        trivial=lambda s: s.horizon * s.gain,
        controls={"one plan for good": once},
        remark="Changes of plans cost $H \\bar N_t$, beside the root and not inside of it, so that the factor of $\\sqrt{\\beta_0 "
        "t}$ is $\\sqrt{d_t}$. The paper's bound has the larger of this and another constant of the class.",
        **common,
    )
    return optimism, gap, number, sum_of_gaps


JOINT_OPTIMISM, JOINT_GAP, JOINT_EPOCHS, JOINT_REGRET = statements(
    "joint-loop",
    "the joint set of tabular values",
    "the main theorem for tabular classes, with constants",
    "$C$: number of choices of $S$ states; $H \\ge \\mathrm{sp}(h^*)$: largest value; $d_t = C (1 + \\log^+ (t / C))$",
    r"\sqrt{\beta_0} = H \Bigl( \sqrt{\tfrac C2 \log (1 + \tfrac TC) + S \log \lceil \sqrt T \rceil + \log \tfrac1\delta} "
    r"+ 1 \Bigr)",
    r"N_t \le 1 + \frac{C (H + 1)^2}{9 \beta_0} + \frac{49}{9} d_t \text{ for all } t \le T",
    r"C (H + 1) + ",
    run_joint,
    run_joint_once,
    run_joint_halved,
    hypotheses=PROCESS | {"$H \\ge \\mathrm{sp}(h^*)$": has_small_span},
    settings=joint_grid,
    strategy=any_joint,
)

LINEAR_OPTIMISM, LINEAR_GAP, LINEAR_EPOCHS, LINEAR_REGRET = statements(
    "linear-loop",
    "linear action values",
    "the main theorem for linear classes, with constants",
    "$d$: dimension of the features; $H \\ge \\mathrm{sp}(h^*)$: largest value; $d_t = 2 d \\log (1 + t / d)$",
    r"\sqrt{\beta_0} = \tfrac H2 \sqrt{2 \log \tfrac1\delta + 2 d \log (1 + 4 R \sqrt T / H) + d \log (1 + \tfrac Td)} + R "
    r"+ H,\quad R = (H + 2) \sqrt d",
    r"N_t \le 1 + \frac{49}{9} d_t \text{ for all } t \le T",
    "",
    run_linear,
    run_linear_once,
    run_linear_halved,
    hypotheses=PROCESS
    | {
        "$H \\ge \\mathrm{sp}(h^*)$": has_small_span,
        "$\\|\\phi\\| \\le 1$, $\\|\\theta\\| \\le \\sqrt d$, and measures of norm $\\sqrt d$ at most": BY_CONSTRUCTION,
    },
    settings=linear_grid,
    strategy=any_linear,
)

MIXTURE_OPTIMISM, MIXTURE_GAP, MIXTURE_EPOCHS, MIXTURE_REGRET = statements(
    "mixture-loop",
    "linear mixtures",
    "the main theorem for linear mixtures, with constants",
    "$d$: number of base laws; $H$: largest span of the optimal bias of any weights considered; $d_t = 2 d \\log (1 + t)$",
    r"\sqrt{\beta_0} = \tfrac H2 \sqrt{2 \log \tfrac1\delta + d \log (1 + T)} + H",
    r"N_t \le 1 + \frac{49}{9} d_t \text{ for all } t \le T",
    "",
    run_mixture,
    run_mixture_once,
    run_mixture_halved,
    hypotheses=PROCESS
    | {
        "the weights of the process are among those considered": contains_the_truth,
        "base laws are laws, and $\\|\\theta^*\\| \\le 1$": mixes_laws,
    },
    settings=mixture_grid,
    strategy=any_mixture,
)
