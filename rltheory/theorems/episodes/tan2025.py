r"""Optimistic actor-critics on tables: what their actors miss, how often NORA's critic changes, and regret.

Throughout, H is the number of stages, S that of states, C that of choices in all, A the largest number of actions, and
T the number of episodes for which a learner is made; a bound at t speaks of the first t of them. With
:math:`L = S \log 2 + \log(C H T / \delta)`, bonuses are :math:`(H - h) \min\{1, \sqrt{L / (2 n)}\}` at stage h after n
visits. :math:`\kappa_A = W((A - 1) / e)`, where W is Lambert's function.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import douhua, nora
from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.algorithms.episodes.nora import boltzmann
from rltheory.arrays import UNIT_ROUNDOFF, Matrix, Vector, count, distribution, float_array, positive
from rltheory.instances import diabolical_lock, random_episodes
from rltheory.measures import kl
from rltheory.problems import FiniteHorizonMDP, TabularMDP
from rltheory.simplex import log_normalize, span
from rltheory.simulation import stream
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Identity, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "tan2025"


def tracking_constant(actions: int) -> float:
    r""":math:`\kappa_A = W((A - 1) / e)`, at most :math:`\log A`.

    Examples
    --------
    >>> [round(tracking_constant(actions), 3) for actions in (1, 2, 3, 10)]
    [0.0, 0.278, 0.463, 1.101]
    """
    from scipy.special import lambertw

    return float(lambertw((actions - 1) / math.e).real)


@dataclass(frozen=True, eq=False)
class Frozen:
    """Values of the actions of a state, which an actor follows.

    Parameters
    ----------
    values : array, shape (A,)
        Values f.
    """

    values: Vector

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", float_array(self.values, "values", ndim=1))

    def __str__(self) -> str:
        return f"{self.values.size} actions, span {span(self.values):g}"


@dataclass(frozen=True, eq=False)
class Ascent:
    """Values of the actions of a state that change from step to step, and a policy to compare with.

    Parameters
    ----------
    values : array, shape (K, A)
        Values f_k.
    eta
        Step size > 0.
    comparator : array, shape (A,)
        The policy p, with full support.
    """

    values: Matrix
    eta: float
    comparator: Vector

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", float_array(self.values, "values", ndim=2))
        actions = self.values.shape[1]
        object.__setattr__(self, "comparator", distribution(self.comparator, actions, "comparator"))
        positive(self.eta, "eta")

    def __str__(self) -> str:
        return f"{self.values.shape[0]} steps, {self.values.shape[1]} actions, eta {self.eta:g}"

    @property
    def rounding(self) -> float:
        """Allowance for sums over steps whose logits grow from step to step."""
        steps, actions = self.values.shape
        largest = float(np.abs(self.values).max())
        return float(8 * UNIT_ROUNDOFF * actions * (steps + 1) ** 2 * (largest + 1 / self.eta))


@dataclass(frozen=True, eq=False)
class Learning:
    """A learner in episodes.

    Parameters
    ----------
    problem
        The process; rewards in [0, 1].
    episodes
        Number of episodes T >= 1.
    eta
        Step size > 0 of the actor.
    delta
        In (0, 1).
    """

    problem: FiniteHorizonMDP
    episodes: int
    eta: float
    delta: float = 0.05

    def __post_init__(self) -> None:
        count(self.episodes, "episodes", at_least=1)
        positive(self.eta, "eta")
        confidence(self.delta)

    def __str__(self) -> str:
        return f"{self.problem}, {self.episodes} episodes, eta {self.eta:.3g}, delta {self.delta:g}"

    @cached_property
    def actions(self) -> int:
        """Largest number A of actions in a state."""
        return int(np.diff(self.problem.stages[0].first_choice).max())

    @property
    def log(self) -> float:
        """The logarithm L of the bonuses."""
        rows = self.problem.choices * self.problem.horizon
        return self.problem.states * math.log(2) + math.log(rows * self.episodes / self.delta)

    @property
    def noise(self) -> float:
        r""":math:`H (H - 1) \sqrt{T \log(1 / \delta) / 2}`, by which chance may hide errors of the critic."""
        horizon = self.problem.horizon
        return horizon * (horizon - 1) * math.sqrt(self.episodes * math.log(1 / self.delta) / 2)

    @property
    def rounding(self) -> float:
        """Allowance for a sum of returns of at most H."""
        return 64 * UNIT_ROUNDOFF * self.episodes * self.problem.horizon**2

    def bonuses(self, trace: Trace, factor: float) -> Vector:
        r""":math:`\frac{H (H - 1)}{2} (C + \text{factor} \sqrt{L C t})`: what the critic errs where the learner goes."""
        horizon, choices = self.problem.horizon, self.problem.choices
        found: Vector = horizon * (horizon - 1) / 2 * (choices + factor * np.sqrt(self.log * choices * trace.times))
        return found

    def most_switches(self, trace: Trace) -> Vector:
        """How often NORA's critic can have changed."""
        share = trace.times / self.problem.choices
        per_row = np.where(share < 1, share, 1 + np.log2(np.maximum(share, 1)))
        found: Vector = self.problem.horizon * self.problem.choices * per_row
        return found


def follow(s: Frozen, rng: np.random.Generator) -> Trace:
    """Follow fixed values, with steepness from 1/64 to 64 over their span."""
    return follow_by(s, 1.0)


def follow_by(s: Frozen, share: float) -> Trace:
    """Follow them by a share of each steepness only."""
    logits = (s.values - s.values.max())[None]
    steepness = 2.0 ** np.arange(-6, 7) / max(float(span(s.values)), 1e-300)
    first_choice, policy = np.array([0, s.values.size]), np.empty_like(logits)
    missed = np.empty(steepness.size)
    for place, x in enumerate(steepness):
        boltzmann(first_choice, logits, share * x, policy)
        missed[place] = -(policy @ logits.T).item()
    arrays = {"steepness": (("time",), steepness), "missed": (("time",), missed)}
    return Trace("softmax", np.arange(steepness.size), arrays, clock="draw")


def ascend(s: Ascent, rng: np.random.Generator) -> Trace:
    """Take the steps of mirror ascent, and sum up what the statements speak of."""
    return ascend_by(s, s.eta)


def ascend_by(s: Ascent, eta: float) -> Trace:
    """Take steps of another size."""
    steps, actions = s.values.shape
    logits, policy, first_choice = np.zeros((1, actions)), np.empty((1, actions)), np.array([0, actions])
    missed, moments, divergence = np.zeros(steps + 1), np.zeros(steps + 1), np.zeros(steps + 1)
    for step in range(steps + 1):
        log_policy = log_normalize(logits[0])
        divergence[step] = kl(np.log(s.comparator), log_policy)
        if step < steps:
            boltzmann(first_choice, logits, 1.0, policy)
            values = s.values[step]
            mean = policy[0] @ values
            moment = np.logaddexp.reduce(log_policy + s.eta * (values - mean))
            missed[step + 1] = missed[step] + s.comparator @ values - mean
            moments[step + 1] = moments[step] + moment
            logits[0] += eta * values
            logits[0] -= logits.max()
    arrays = {"missed": missed, "moments": moments, "divergence": divergence}
    return Trace("mirror ascent", np.arange(steps + 1), {name: (("time",), array) for name, array in arrays.items()})


def play_nora(s: Learning, rng: np.random.Generator) -> Trace:
    """Run NORA."""
    return nora(s.problem, episodes=s.episodes, eta=s.eta, delta=s.delta, rng=rng)


def play_douhua(s: Learning, rng: np.random.Generator) -> Trace:
    """Run DOUHUA."""
    return douhua(s.problem, episodes=s.episodes, eta=s.eta, delta=s.delta, rng=rng)


# Wrong runs, to be told from right ones.


def follow_half(s: Frozen, rng: np.random.Generator) -> Trace:
    """Half of the steps are taken."""
    return follow_by(s, 0.5)


def ascend_twice(s: Ascent, rng: np.random.Generator) -> Trace:
    """Steps are twice as long as stated."""
    return ascend_by(s, 2 * s.eta)


def descend(s: Ascent, rng: np.random.Generator) -> Trace:
    """Steps lead downhill."""
    return ascend_by(s, -s.eta)


def play_nora_idly(s: Learning, rng: np.random.Generator) -> Trace:
    """The actor hardly moves."""
    return nora(s.problem, episodes=s.episodes, eta=1e-9, delta=s.delta, rng=rng)


def play_douhua_idly(s: Learning, rng: np.random.Generator) -> Trace:
    """The actor hardly moves."""
    return douhua(s.problem, episodes=s.episodes, eta=1e-9, delta=s.delta, rng=rng)


def play_douhua_without_bonus(s: Learning, rng: np.random.Generator) -> Trace:
    """There is no bonus, and the actor takes at once what looks best."""
    return douhua(s.problem, episodes=s.episodes, eta=1e3, bonus=0.0, delta=s.delta, rng=rng)


def arms(rewards: Vector) -> FiniteHorizonMDP:
    """One state and two stages: the first arm's reward counts; the rest is there so that bonuses matter."""
    laws = np.ones((1, len(rewards), 1))
    stages = [TabularMDP(laws, [rewards]), TabularMDP(laws, np.zeros((1, len(rewards))))]
    return FiniteHorizonMDP(stages, title=f"{len(rewards)} arms")


def trap() -> FiniteHorizonMDP:
    """Of four actions, the first pays 0.05 at once and the last leads to a reward of 1."""
    laws = [[0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]
    mdp = TabularMDP.from_rows([0, 4, 5, 6], laws, [0.05, 0, 0, 0, 0, 1], initial=[1, 0, 0], title="trap")
    return FiniteHorizonMDP.stationary(mdp, 2)


def stated_step(problem: FiniteHorizonMDP, episodes: int) -> float:
    r"""Step size of DOUHUA's guarantee, :math:`\sqrt{8 H \log A / (T \sum_{j \le H} j^2)}`; 1 if there is no choice."""
    actions = int(np.diff(problem.stages[0].first_choice).max())
    squares = sum(j**2 for j in range(1, problem.horizon + 1))
    return math.sqrt(8 * problem.horizon * math.log(actions) / (episodes * squares)) if actions > 1 else 1.0


def grid_of_values() -> Iterator[Frozen]:
    """Values for which the bound is nearly reached, as all actions but one are alike, and random ones."""
    for actions in (2, 3, 10, 100):
        yield Frozen(np.append(1.0, np.zeros(actions - 1)))
    for place in range(3):
        yield Frozen(stream(0, "nora", "values", place).random(5))


def grid_of_ascents() -> Iterator[Ascent]:
    """Random values, values that alternate, and values that stay."""
    rng = stream(0, "douhua", "values")
    yield Ascent(rng.random((50, 4)), 0.3, rng.dirichlet(np.ones(4)))
    yield Ascent(rng.random((50, 4)), 3.0, np.array([0.97, 0.01, 0.01, 0.01]))
    yield Ascent(np.tile([[1.0, 0.0], [0.0, 1.0]], (50, 1)), 0.1, np.array([0.5, 0.5]))
    yield Ascent(np.tile([1.0, 0.0, 0.5], (100, 1)), 0.05, np.array([0.9, 0.05, 0.05]))


def problems() -> Iterator[tuple[FiniteHorizonMDP, int]]:
    """Many arms that are hard to tell apart, arms that are easy, a lock, a trap and a random process, with episodes."""
    yield arms(0.2 * np.eye(1, 20)[0]), 3000
    yield arms(np.array([1.0, 0.0])), 5000
    yield diabolical_lock(stream(0, "nora", "lock"), 3, 2), 300
    yield trap(), 4000
    yield random_episodes(stream(0, "nora", "random"), 4, 2, 3), 200


def grid() -> Iterator[Learning]:
    """NORA with a greedy actor, and with a cautious one."""
    for problem, episodes in problems():
        yield Learning(problem, episodes, 100.0 if problem.horizon == 2 else 1.0)


def grid_of_switches() -> Iterator[Learning]:
    """The same, and a single choice, whose visits double as soon as they can."""
    yield from grid()
    yield Learning(FiniteHorizonMDP.stationary(TabularMDP([[[1.0]]], [[1.0]], title="one choice"), 1), 1025, 1.0)


def grid_of_steps() -> Iterator[Learning]:
    """DOUHUA with the step of its guarantee."""
    for problem, episodes in problems():
        yield Learning(problem, episodes, stated_step(problem, episodes))


def any_values() -> "SearchStrategy[Frozen]":
    """Up to eight values in [0, 1]."""
    from hypothesis import strategies as st

    return st.lists(st.floats(0, 1), min_size=1, max_size=8).map(lambda values: Frozen(np.array(values)))


def any_ascent() -> "SearchStrategy[Ascent]":
    """A few steps with values in [0, 1]."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform, policies

    @st.composite
    def settings(draw: st.DrawFn) -> Ascent:
        actions = draw(st.integers(1, 5))
        row = st.lists(st.floats(0, 1), min_size=actions, max_size=actions)
        values = np.array(draw(st.lists(row, min_size=1, max_size=20)))
        return Ascent(values, draw(log_uniform(1e-2, 10.0)), draw(policies(actions)))

    return settings()


def any_learning() -> "SearchStrategy[Learning]":
    """Any small process, its rewards scaled to [0, 1], and a few hundred episodes."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps, log_uniform

    @st.composite
    def settings(draw: st.DrawFn) -> Learning:
        mdp, horizon = draw(adverse_mdps(max_states=4)), draw(st.integers(1, 4))
        problem = FiniteHorizonMDP.stationary(
            mdp.with_rewards(mdp.rewards / max(float(mdp.rewards.max()), 1.0)), horizon
        )
        return Learning(problem, draw(st.integers(1, 300)), draw(log_uniform(1e-2, 100.0)))

    return settings()


PROCESS: Hypotheses = {
    "finitely many states, and finitely many actions in each": BY_CONSTRUCTION,
    "the rewards are known, and lie in $[0, 1]$": lambda s: all(
        bool(((mdp.rewards >= 0) & (mdp.rewards <= 1)).all()) for mdp in s.problem.stages
    ),
}
SIZES = "$H$: the number of stages; $C$: that of choices in all"
DOUBLING = "$\\psi(\\nu) = \\nu$ for $\\nu < 1$ and $1 + \\log_2 \\nu$ beyond"
REGRET = (
    "$\\mathrm{Reg}_t$: what the policies of the first $t$ episodes lose in the mean; "
    "$L = S \\log 2 + \\log(C H T / \\delta)$ with $S$ states; $A$: the largest number of actions; "
    f"$T$: the number of episodes for which the learner is made; {SIZES}"
)

TRACKING = Theorem(
    name="nora/tracking",
    title="An actor that follows a frozen critic misses less in proportion to the steps that it has taken",
    paper=Paper(PAPER, "the actor of NORA between two changes of its critic"),
    standing=Standing.DERIVED,
    statement=r"\max_a f(a) - \langle \pi, f \rangle \le \frac{\kappa_A}{x}, \quad \pi \propto e^{x f}, "
    r"\quad \kappa_A = W\!\left(\frac{A - 1}{e}\right) \le \log A",
    symbols="$f$: values of $A$ actions; $x$: the sum of the steps taken; $W$: Lambert's function",
    kind=EveryStep(rounding=lambda s: 16 * UNIT_ROUNDOFF * (s.values.size + 1) * float(span(s.values))),
    hypotheses={"finitely many actions": BY_CONSTRUCTION, "$x > 0$": BY_CONSTRUCTION},
    run=follow,
    measured=lambda s, trace: trace["missed"],
    bound=lambda s, trace: tracking_constant(s.values.size) / trace["steepness"],
    settings=grid_of_values,
    strategy=any_values,
    controls={"half of the steps": follow_half},
    remark="The constant is the best one: it is reached where all other actions are worse by $(1 + \\kappa_A) / x$. The "
    "times of the trace are values of $x$.",
)

ASCENT = Theorem(
    name="douhua/ascent",
    title="What mirror ascent misses is what it moves, and what the spread of values costs",
    paper=Paper(PAPER, "the actor of DOUHUA"),
    standing=Standing.DERIVED,
    statement=r"\sum_{k < K} \langle p - \pi_k, f_k \rangle = \frac{\mathrm{KL}(p \| \pi_0) - \mathrm{KL}(p \| \pi_K)}{\eta} "
    r"+ \frac1\eta \sum_{k < K} \log \mathbb{E}_{\pi_k} e^{\eta (f_k - \langle \pi_k, f_k \rangle)}",
    symbols="$f_k$: any values; $\\pi_{k + 1} \\propto \\pi_k e^{\\eta f_k}$ from the uniform $\\pi_0$; $p$: any policy",
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses={"finitely many actions": BY_CONSTRUCTION, "$\\eta > 0$": BY_CONSTRUCTION},
    run=ascend,
    measured=lambda s, trace: trace["missed"],
    bound=lambda s, trace: (trace["divergence"][0] - trace["divergence"] + trace["moments"]) / s.eta,
    settings=grid_of_ascents,
    strategy=any_ascent,
    controls={"steps twice as long": ascend_twice},
)

ASCENT_BOUND = Theorem(
    name="douhua/ascent-bound",
    title="Mirror ascent misses little against any policy, whatever the values",
    paper=Paper(PAPER, "the actor of DOUHUA"),
    standing=Standing.DERIVED,
    statement=r"\sum_{k < K} \langle p - \pi_k, f_k \rangle \le \frac{\mathrm{KL}(p \| \pi_0)}{\eta} "
    r"+ \frac\eta8 \sum_{k < K} (\max f_k - \min f_k)^2",
    symbols=ASCENT.symbols,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=ASCENT.hypotheses,
    run=ascend,
    measured=lambda s, trace: trace["missed"],
    bound=lambda s, trace: trace["divergence"][0] / s.eta + s.eta / 8 * np.append(0.0, np.cumsum(span(s.values) ** 2)),
    settings=grid_of_ascents,
    strategy=any_ascent,
    controls={"downhill": descend},
    remark="The left side may be negative.",
)

SWITCHES = Theorem(
    name="nora/switches",
    title="NORA's critic changes a logarithmic number of times",
    paper=Paper(PAPER, "rare switching, here by visits that double"),
    standing=Standing.DERIVED,
    statement=r"N_t \le C H\, \psi\!\left(\frac tC\right)",
    symbols=f"$N_t$: how often NORA's critic has changed before episode $t$ is over; {SIZES}; {DOUBLING}",
    kind=EveryStep(rounding=lambda s: 0.0),
    hypotheses=PROCESS,
    run=play_nora,
    measured=lambda s, trace: trace["switches"],
    bound=lambda s, trace: s.most_switches(trace),
    settings=grid_of_switches,
    strategy=any_learning,
    controls={"a critic for each episode": play_douhua},
    remark="Where $t \\ge C$ this is $C H (1 + \\log_2(t / C))$, less than $C H (1 + \\log_2 t)$. A single choice comes "
    "as close as whole numbers can.",
)

REGRET_OF_NORA = Theorem(
    name="nora/regret",
    title="NORA's regret grows like the root of the number of episodes, for any step size",
    paper=Paper(PAPER, "the guarantee of NORA, on tables and with bonuses"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{Reg}_t \le \frac{H (H - 1)}{2} \left(C + 4 \sqrt{L C t}\right) + H (H - 1) \sqrt{\frac{T \log(1 / \delta)}{2}} "
    r"+ \left(C H\, \psi\!\left(\frac tC\right) + 1\right) \left[\frac{H (H + 1)}{2} + \frac{H \kappa_A}{\eta} (1 + \log t)\right]",
    symbols=f"{REGRET}; {DOUBLING}" + "; $\\kappa_A = W((A - 1) / e)$ with Lambert's function $W$",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: 2 * s.delta),
    hypotheses=PROCESS | {"$\\delta < 1/2$": lambda s: s.delta < 0.5},
    run=play_nora,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: (
        s.bonuses(trace, 4.0)
        + s.noise
        + (s.most_switches(trace) + 1)
        * (
            s.problem.horizon * (s.problem.horizon + 1) / 2
            + s.problem.horizon * tracking_constant(s.actions) / s.eta * (1 + np.log(np.maximum(trace.times, 1)))
        )
    ),
    since=1,
    trivial=lambda s: float(s.problem.horizon * s.episodes),
    settings=grid,
    strategy=any_learning,
    controls={"an actor that hardly moves": play_nora_idly},
    remark="The larger the step, the better: it has to be small only for critics that change in every episode. Bonuses "
    "hold for all value functions at once, which costs a factor $\\sqrt S$ in $\\sqrt L$. Without bonuses NORA can still "
    "explore, as it plays uniformly after each change; it fails on long locks.",
)

REGRET_OF_DOUHUA = Theorem(
    name="douhua/regret",
    title="DOUHUA's regret grows like the root of the number of episodes, for the right step size",
    paper=Paper(PAPER, "the guarantee of DOUHUA, on tables and with bonuses"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{Reg}_t \le \frac{H \log A}{\eta} + \frac{\eta t}{8} \sum_{j \le H} j^2 "
    r"+ \frac{H (H - 1)}{2} \left(C + 2 \sqrt{2 L C t}\right) + H (H - 1) \sqrt{\frac{T \log(1 / \delta)}{2}}",
    symbols=REGRET,
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: 2 * s.delta),
    hypotheses=PROCESS | {"$\\delta < 1/2$": lambda s: s.delta < 0.5},
    run=play_douhua,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: (
        s.problem.horizon * math.log(s.actions) / s.eta
        + s.eta * trace.times / 8 * sum(j**2 for j in range(1, s.problem.horizon + 1))
        + s.bonuses(trace, 2 * math.sqrt(2))
        + s.noise
    ),
    since=1,
    trivial=lambda s: float(s.problem.horizon * s.episodes),
    settings=grid_of_steps,
    strategy=any_learning,
    controls={"an actor that hardly moves": play_douhua_idly, "no bonus": play_douhua_without_bonus},
    remark="With $\\eta = \\sqrt{8 H \\log A / (T \\sum_j j^2)}$ the first two terms are at most $\\sqrt{H^4 T \\log A / 2}$ "
    "at $t = T$, the first term of the paper's bound.",
)
