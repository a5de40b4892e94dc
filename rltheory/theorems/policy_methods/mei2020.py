r"""Softmax policy gradient with exact gradients: its loss goes as 1 / t, and gradients dominate it unevenly."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import softmax_policy_gradient
from rltheory.arrays import Array, positive
from rltheory.instances import garnet
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theorems.policy_methods.policy_run import EPS, START, PolicyRun, policy_runs
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "mei2020"


class Setting(PolicyRun):
    """A run of softmax policy gradient, on a process whose initial distribution is uniform."""

    @property
    def starts_anywhere(self) -> bool:
        """Whether the initial distribution is uniform."""
        return bool((self.mdp.initial == self.mdp.initial[0]).all())

    @property
    def largest_step(self) -> float:
        """The paper's step, for rewards in a range of length 1."""
        return (1 - self.discount) ** 3 / (8 * max(self.reward_range, 1e-300))


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run softmax policy gradient."""
    return softmax_policy_gradient(s.mdp, s.discount, step=s.step, iterations=s.iterations, start=s.start)


# Wrong runs, to be told from right ones.


def stand_still(s: Setting, rng: np.random.Generator) -> Trace:
    """Steps move next to nothing."""
    return play(replace(s, step=1e-9 * s.step), rng)


def play_ignoring_values(s: Setting, rng: np.random.Generator) -> Trace:
    """All choices are taken to be worth nothing."""
    trace = play(s, rng)
    nothing = np.zeros_like(trace["action_values"])
    return replace(trace, values={**trace.values, "action_values": (("time", "choice"), nothing)})


def grid() -> Iterator[Setting]:
    """Random processes, with steps as in the paper and larger, from uniform and from adverse starts."""
    small = garnet(stream(0, "softmax", "small"), 3, 2, 2)
    for discount, boost in ((0.3, 1.0), (0.5, 4.0)):
        step = boost * Setting(small, discount).largest_step
        yield Setting(small, discount, step=step, iterations=40_000)
    start = np.tile([0.05, 0.95], 2)
    adverse = TabularMDP(np.full((2, 2, 2), 0.5), [[1.0, 0.0], [0.8, 0.4]], title="two states")
    yield Setting(adverse, 0.3, start=start, step=0.04, iterations=40_000, note="start at the worse choices")


def any_setting() -> "SearchStrategy[Setting]":
    """Any process that starts anywhere."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    runs = policy_runs(Setting, highest_discount=0.9, step=log_uniform(0.01, 10), iterations=st.just(50))
    return runs.filter(lambda s: s.starts_anywhere)


def policies(trace: Trace) -> Array:
    """Probabilities at the recorded times."""
    return np.asarray(np.exp(trace["log_policy"]))


def mean_loss(s: Setting, trace: Trace) -> Array:
    """Mean of V* - V_t over the states, at the recorded times."""
    return np.asarray(s.losses(policies(trace)).mean(axis=1))


def dominating(s: Setting, trace: Trace) -> Array:
    """Norms of the gradients, over the smallest probability of an optimal choice, times the mismatch of occupancies."""
    probabilities = policies(trace)
    visited = s.occupancies(probabilities)
    values = trace["action_values"]
    means = s.by_state(probabilities * values)
    places = s.mdp.state_of_choice
    gradients = visited[:, places] * probabilities * (values - means[:, places]) * s.horizon
    mismatch = (s.optimal_occupancy / visited).max(axis=1)
    optimal = probabilities[:, s.optimum.policy].min(axis=1)
    return np.asarray(np.sqrt(s.mdp.states) * mismatch * np.linalg.norm(gradients, axis=1) / optimal)


UNIFORM: Hypotheses = {"the initial distribution is uniform": lambda s: s.starts_anywhere}
RUN = (
    "$\\pi_t$: the policies of softmax policy gradient; $J$: the return from a uniform first state; $a^*(s)$: an optimal "
    "action; $d^*, d_t$: the discounted probabilities of the states under optimal play and under $\\pi_t$"
)

DOMINATION = Theorem(
    name="softmax-pg/domination",
    title="Where the gradient is small the loss is small, unless optimal actions are rare",
    paper=Paper(PAPER, "lemma 8, non-uniform Lojasiewicz inequality"),
    standing=Standing.DERIVED,
    statement=r"J^* - J(\pi_t) \le \frac{\sqrt{S}\, \|d^* / d_t\|_\infty}{\min_s \pi_t(a^*(s) | s)}\, \|\nabla J(\pi_t)\|_2",
    symbols=RUN + "; $S$: the number of states",
    kind=EveryStep(rounding=lambda s: 8 * s.rounding),
    hypotheses=START | UNIFORM,
    run=play,
    measured=mean_loss,
    bound=dominating,
    settings=grid,
    strategy=any_setting,
    controls={"values of choices ignored": play_ignoring_values},
)

RATE = Theorem(
    name="softmax-pg/rate",
    title="The loss of softmax policy gradient is of the order 1 / t",
    paper=Paper(PAPER, "theorem 4"),
    standing=Standing.RECALLED,
    statement=r"J^* - J(\pi_t) \le \frac{16\, S}{c^2 (1 - \gamma)^6\, t}\, \|\frac{d^*}{\mu}\|_\infty^2 "
    r"\|\frac1\mu\|_\infty, \qquad c = \inf_{s, t} \pi_t(a^*(s) | s)",
    symbols=RUN + "; $\\mu$: the initial distribution",
    kind=EveryStep(rounding=lambda s: 8 * s.rounding),
    hypotheses=START | UNIFORM,
    run=play,
    measured=mean_loss,
    bound=lambda s, trace: (
        16
        * s.mdp.states**2
        * (s.mdp.states * s.optimal_occupancy.max()) ** 2
        * s.horizon**6
        / (policies(trace)[:, s.optimum.policy].min() ** 2 * np.maximum(trace.times, 1))
    ),
    since=1,
    settings=grid,
    controls={"policies that stand still": stand_still},
    rate=PowerLaw(lambda s: -1.0),
    remark="For steps up to $(1 - \\gamma)^3 / 8$. Bad starts make for long plateaus, which are in c.",
)

# Two arms


@dataclass(frozen=True)
class TwoArms:
    """A bandit of two arms.

    Parameters
    ----------
    gap
        What the first pays more, > 0.
    step
        Step size in the logits, > 0.
    first
        First probability of the better arm, in (0, 1).
    """

    gap: float
    step: float
    first: float

    def __post_init__(self) -> None:
        positive(self.gap, "gap")
        positive(self.step, "step")
        if not 0 < self.first < 1:
            raise ValueError(f"first is {self.first}; it must lie strictly between 0 and 1")

    def __str__(self) -> str:
        return f"gap {self.gap:g}, step {self.step:g}, first probability {self.first:g}"

    @property
    def bandit(self) -> TabularMDP:
        """The process."""
        return TabularMDP(np.ones((1, 2, 1)), [[self.gap, 0.0]])


def pull(s: TwoArms, rng: np.random.Generator) -> Trace:
    """Run softmax policy gradient."""
    start = [s.first, 1 - s.first]
    return softmax_policy_gradient(s.bandit, 0.0, step=s.step, iterations=20_000, start=start)


def pull_with_less(s: TwoArms, rng: np.random.Generator) -> Trace:
    """Steps are smaller than stated by a tenth."""
    return pull(replace(s, step=0.9 * s.step), rng)


def arms_grid() -> Iterator[TwoArms]:
    """Small and large gaps and steps, from good and from bad starts."""
    yield TwoArms(1.0, 0.4, 0.5)
    yield TwoArms(0.1, 0.4, 0.95)
    yield TwoArms(0.5, 10.0, 0.99)
    yield TwoArms(1.0, 0.05, 0.01)


def any_arms() -> "SearchStrategy[TwoArms]":
    """Any gap, step and start."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    return st.builds(TwoArms, log_uniform(1e-3, 1), log_uniform(1e-2, 100), st.floats(1e-3, 0.999))


TWO_ARMS = Theorem(
    name="softmax-pg/two-arms",
    title="With two arms the loss goes as 1 / t, and the gap does not matter in the end",
    paper=Paper(PAPER, "theorem 2, for two arms; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{1}{\delta_t} \ge \frac{1}{\delta_0} + 2 \eta\, p_0^2\, t",
    symbols="$\\delta_t = \\Delta (1 - p_t)$: the loss; $p_t$: the probability of the better arm; $\\eta$: the step; "
    "shown is $\\delta_t$",
    kind=EveryStep(rounding=lambda s: 1e6 * EPS * s.gap),
    hypotheses={"two arms, $\\eta > 0$": BY_CONSTRUCTION},
    run=pull,
    measured=lambda s, trace: s.gap * np.exp(trace["log_policy"][:, 1]),
    bound=lambda s, trace: 1 / (1 / (s.gap * (1 - s.first)) + 2 * s.step * s.first**2 * trace.times),
    trivial=lambda s: s.gap * (1 - s.first),
    since=1,
    settings=arms_grid,
    strategy=any_arms,
    controls={"step smaller by a tenth": pull_with_less},
    remark="Any step will do. Hence $t \\delta_t \\to 1 / (2 \\eta)$, whatever the gap: restart where $p_0$ is near 1.",
)
