r"""MLE-LOOP over finitely many models: what is ruled out, and when.

With the likelihood :math:`L_t(f) = -\sum_{i \le t} \log P_f(s_{i+1} | c_i)` the ratio :math:`e^{L_t(f^*) - L_t(f)}` is a
nonnegative supermartingale, and so is :math:`\exp(\frac12 (L_t(f^*) - L_t(f)) + \sum_{i \le t} h_f(c_i))`, where
:math:`h_f(c) = 1 - \sum_x \sqrt{P_f(x | c) P(x | c)}`. By Ville's inequality neither exceeds :math:`M / \delta` for any of
M models, at any time, with probability :math:`1 - \delta`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms.average_reward.likelihood_loop import likelihood_loop
from rltheory.algorithms.average_reward.walk import Walk
from rltheory.arrays import Array, Matrix, Times
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.solvers.model_class import ModelClass
from rltheory.theory import BY_CONSTRUCTION, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "he2024average"


@dataclass(frozen=True, eq=False)
class Setting:
    """A class of processes that differ in their laws, one of which is the true one.

    Parameters
    ----------
    processes
        The class; one optimal gain each, and the same choices and rewards in [0, 1].
    truth
        Which of them the learner is in.
    horizon
        Number of steps T.
    delta
        Probability of each event that is excluded, below 1/3.
    """

    processes: tuple[TabularMDP, ...]
    truth: int
    horizon: int
    delta: float = 0.2

    def __str__(self) -> str:
        return f"{len(self.processes)} models, {self.mdp}, {self.horizon} steps"

    @property
    def mdp(self) -> TabularMDP:
        """The true process."""
        return self.processes[self.truth]

    @cached_property
    def models(self) -> ModelClass:
        """The class, solved."""
        return ModelClass(self.processes)

    @property
    def level(self) -> float:
        """Likelihood b that rules out."""
        return math.log(len(self.processes) / self.delta)

    @cached_property
    def distances(self) -> Matrix:
        """Squared Hellinger distances of each model's laws to the true ones, shape (M, C)."""
        return self.models.squared_distances(self.mdp)

    def most_regret(self, times: Times) -> Array:
        """Bound on the regret, at all times together."""
        choices, span = self.mdp.choices, self.models.span
        potential = choices * (1 + np.log(np.maximum(times / choices, 1)))
        noise = math.sqrt(self.horizon * math.log(1 / self.delta) / 2)
        total: Array = span * (np.sqrt(3 * self.level * potential * times) + choices + self.models.size + noise)
        return total


def run(s: Setting, rng: np.random.Generator) -> Trace:
    """Run MLE-LOOP."""
    return likelihood_loop(s.mdp, s.models, horizon=s.horizon, delta=s.delta, rng=rng)


# Wrong runs, to be told from right ones.


def run_too_strict(s: Setting, rng: np.random.Generator) -> Trace:
    """Models are ruled out far too soon."""
    return likelihood_loop(s.mdp, s.models, horizon=s.horizon, delta=s.delta, level=0.02, rng=rng)


def run_elsewhere(s: Setting, rng: np.random.Generator) -> Trace:
    """The learner is in the process of another model."""
    return likelihood_loop(s.processes[s.truth - 1], s.models, horizon=s.horizon, delta=s.delta, rng=rng)


def run_too_lenient(s: Setting, rng: np.random.Generator) -> Trace:
    """Models are ruled out far too late."""
    return likelihood_loop(s.mdp, s.models, horizon=s.horizon, delta=s.delta, level=100.0, rng=rng)


def follow_worst(s: Setting, rng: np.random.Generator) -> Trace:
    """The policy that is the best for the opposite rewards."""
    opposite = TabularMDP(
        s.mdp.transition_matrix.reshape(s.mdp.states, -1, s.mdp.states), 1 - s.mdp.rewards.reshape(s.mdp.states, -1)
    )
    walk, plan = Walk(s.mdp, s.horizon, rng), ModelClass([opposite]).models[0]
    while walk.time < walk.horizon:
        walk.follow(plan)
    return walk.trace("opposite")


def one_of(actions: int, best: int, *, rate: float, advantage: float) -> TabularMDP:
    """Two states, the second of which pays 1, and is reached sooner by one action of the first.

    It is left with probability `rate`, as the first state is by all other actions.
    """
    laws = np.empty((2, actions, 2))
    laws[0], laws[1] = [1 - rate, rate], [rate, 1 - rate]
    laws[0, best] = 1 - rate - advantage, rate + advantage
    return TabularMDP(laws, np.tile([[0.0], [1.0]], actions), title=f"{actions} actions, {advantage:g} better")


def random_class(rng: np.random.Generator, size: int) -> tuple[TabularMDP, ...]:
    """Random laws of three states with two actions each, with rewards in common."""
    rewards = rng.random((3, 2))
    return tuple(TabularMDP(rng.dirichlet(np.ones(3), size=(3, 2)), rewards) for _ in range(size))


def grid() -> Iterator[Setting]:
    """Two models that are hard to tell, several, and many."""
    yield Setting(tuple(one_of(2, k, rate=0.5, advantage=0.1) for k in range(2)), truth=1, horizon=3000)
    yield Setting(tuple(one_of(4, k, rate=0.4, advantage=0.3) for k in range(4)), truth=3, horizon=1000)
    many = random_class(stream(0, "likelihood loop"), 50)
    yield Setting(many, truth=int(np.argmin(ModelClass(many).gains)), horizon=10_000)


def any_setting() -> "SearchStrategy[Setting]":
    """Random classes, and pairs that are hard to tell."""
    from hypothesis import strategies as st

    def draw(seed: int, size: int, truth: int, horizon: int) -> Setting:
        return Setting(random_class(stream(seed, "likelihood loop"), size), truth % size, horizon)

    def pair(rate: float, advantage: float, horizon: int) -> Setting:
        return Setting(tuple(one_of(2, k, rate=rate, advantage=advantage) for k in range(2)), 1, horizon)

    horizons = st.integers(1, 3000)
    return st.one_of(
        st.builds(draw, st.integers(0, 1000), st.integers(1, 20), st.integers(0, 19), horizons),
        st.builds(pair, st.floats(0.05, 0.5), st.floats(0.01, 0.4), horizons),
    )


CLASS: dict[str, Callable[[Setting], bool | str] | str] = {
    "the class contains the process": BY_CONSTRUCTION,
    "$0 \\le r \\le 1$, and $r$ is known": lambda s: bool(((s.mdp.rewards >= 0) & (s.mdp.rewards <= 1)).all()),
    "each model has one optimal gain": BY_CONSTRUCTION,
}

SYMBOLS = (
    "$M$: number of models; $\\delta$: probability of failure; $b = \\log (M / \\delta)$: how much less likely than the "
    "likeliest model is ruled out; $f_t$: the model followed at time t"
)


def kind(failures: int) -> WithProbability:
    """Claims that may fail by some of the excluded events."""
    return WithProbability(rounding=lambda s: 1e-9 * s.horizon, delta=lambda s: failures * s.delta)


KEEPS = Theorem(
    name="mle-loop/truth-stays",
    title="The likelihood never rules out the truth",
    paper=Paper(PAPER, "MLE-LOOP, realizable case; finite class"),
    standing=Standing.DERIVED,
    statement=r"L_i(f^*) - \min_g L_i(g) \le b \text{ for all } i \le t \le T",
    symbols=SYMBOLS,
    kind=kind(1),
    hypotheses=CLASS,
    run=run,
    measured=lambda s, trace: trace["shortfall"][:, s.truth],
    bound=lambda s, trace: np.full(trace.times.size, s.level),
    settings=grid,
    strategy=any_setting,
    controls={"laws of another model": run_elsewhere},
    remark="For all times at once, without a union over them: likelihood ratios are supermartingales.",
)

HELLINGER = Theorem(
    name="mle-loop/hellinger",
    title="Models that are left have small Hellinger distances on what was seen",
    paper=Paper(PAPER, "MLE-LOOP, in-sample error; finite class"),
    standing=Standing.DERIVED,
    statement=r"\sum_{i \le t} \Bigl( 1 - \sum_x \sqrt{P_f(x | c_i) P(x | c_i)} \Bigr) \le \tfrac32 b \text{ for all } t "
    r"\le T \text{ and all } f \text{ left}",
    symbols=SYMBOLS,
    kind=kind(2),
    hypotheses=CLASS,
    run=run,
    measured=lambda s, trace: (trace["left"] * (trace["visits"] @ s.distances.T)).max(axis=1),
    bound=lambda s, trace: np.full(trace.times.size, 1.5 * s.level),
    settings=grid,
    strategy=any_setting,
    controls={"ruled out too late": run_too_lenient},
    remark="One failure stands for the bound itself, and one for the truth, without which the learner may start again.",
)

EPOCHS = Theorem(
    name="mle-loop/epochs",
    title="MLE-LOOP follows each model once at most",
    paper=Paper(PAPER, "MLE-LOOP, switching cost; finite class"),
    standing=Standing.DERIVED,
    statement=r"N_T \le M",
    symbols=SYMBOLS + "; $N_T$: number of plans",
    kind=kind(1),
    hypotheses=CLASS,
    run=run,
    measured=lambda s, trace: trace["epochs"],
    bound=lambda s, trace: np.full(trace.times.size, s.models.size),
    settings=grid,
    strategy=any_setting,
    controls={"ruled out too soon": run_too_strict},
    remark="It fails only if the truth is ruled out, so that none may be left and the learner starts again.",
)

REGRET = Theorem(
    name="mle-loop/regret",
    title="Regret of MLE-LOOP",
    paper=Paper(PAPER, "the theorem on MLE-LOOP; finite class, with constants"),
    standing=Standing.DERIVED,
    statement=r"t J^* - \sum_{i \le t} r_i \le H \Bigl( \sqrt{3 b\, d_t t} + C + M + \sqrt{\tfrac T2 \log \tfrac1\delta} "
    r"\Bigr) \text{ for all } t \le T",
    symbols=SYMBOLS
    + "; $C$: number of choices; $H$: largest span of the optimal bias of a model; $d_t = C (1 + \\log^+ (t / "
    "C))$",
    kind=kind(3),
    hypotheses=CLASS,
    run=run,
    measured=lambda s, trace: np.maximum(trace.times * s.models.gains[s.truth] - trace["visits"] @ s.mdp.rewards, 0.0),
    bound=lambda s, trace: s.most_regret(trace.times),
    trivial=lambda s: s.horizon * s.models.gains[s.truth],
    settings=grid,
    strategy=any_setting,
    controls={"the worst policy": follow_worst},
)
