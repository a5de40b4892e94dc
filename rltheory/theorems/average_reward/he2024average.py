r"""Learning without restarts: regret for the average reward, and optimism over functions of bounded span.

Throughout, :math:`\mathrm{Reg}(t) = \sum_{i \le t} (J^* - r_i)`, where :math:`J^*` is the optimal gain and :math:`V^*`
the optimal bias. In an epoch a learner follows one plan: a policy, a gain :math:`J_i` and a function :math:`V_i`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rltheory.algorithms import Walk, kl_ucrl, loop, scal, ucrl2, ucrl2b
from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Times, Vector, count, positive
from rltheory.instances import random_weakly_communicating_mdp, river_swim
from rltheory.problems import MDP, TabularMDP
from rltheory.problems.mdp import Indices
from rltheory.simulation import stream
from rltheory.solvers import Plausible, extended_value_iteration
from rltheory.theorems.average_reward.average_reward_process import (
    PROCESS,
    AverageRewardProcess,
    Hypotheses,
    processes,
    tuned_hidden_action,
    weakly_communicating_mdps,
)
from rltheory.theory import (
    BY_CONSTRUCTION,
    EveryStep,
    Existence,
    Identity,
    Paper,
    PowerLaw,
    Standing,
    Theorem,
    WithProbability,
)
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

PAPER = "he2024average"
PRECISION = 1e-6  # of the optimistic gain, as `loop` has it
DELTA = 0.15  # so that some thirty runs decide
LEARNERS: Mapping[str, Callable[["Setting"], Callable[..., Trace]]] = {
    "LOOP": lambda s: partial(loop, span=s.span, precision=PRECISION),
    "SCAL": lambda s: partial(scal, span=s.span),
    "UCRL2": lambda s: ucrl2,
    "UCRL2B": lambda s: ucrl2b,
    "KL-UCRL": lambda s: kl_ucrl,
}


@dataclass(frozen=True, eq=False)
class Setting(AverageRewardProcess):
    """A process, a learner and what it is told.

    Parameters
    ----------
    span
        Bound H > 0 on the span of value functions, in units of reward.
    horizon
        Number of steps T >= 1.
    learner
        One of "LOOP", "SCAL", "UCRL2", "UCRL2B" and "KL-UCRL"; the last three ignore the span.
    delta
        Failure probability of the learner's confidence sets, in (0, 1).
    bonus
        Multiplier > 0 of the bonus, or of all radii.
    known_rewards
        Whether the learner knows the rewards.
    """

    span: float
    horizon: int
    learner: str = "LOOP"
    delta: float = DELTA
    bonus: float = 1.0
    known_rewards: bool = True

    def __post_init__(self) -> None:
        positive(self.span, "span")
        count(self.horizon, "horizon", at_least=1)
        confidence(self.delta)
        positive(self.bonus, "bonus")
        _known_learner(self.learner)

    def __str__(self) -> str:
        unknown = "" if self.known_rewards else ", unknown rewards"
        bonus = "" if self.bonus == 1 else f", bonus x {self.bonus:g}"
        return f"{self.learner}{bonus}: {self.mdp}, H = {self.span:.4g}, T = {self.horizon}{unknown}"

    @property
    def log(self) -> float:
        """Logarithm of the number of choices times that of steps, over delta."""
        return math.log(self.mdp.choices * self.horizon / self.delta)

    @property
    def azuma(self) -> float:
        """What a sum of T steps of range 1 and mean 0 never exceeds on the way, with probability 1 - delta."""
        return math.sqrt(self.horizon * math.log(1 / self.delta) / 2)

    @property
    def rounding(self) -> float:
        """Allowance for sums of T numbers up to the span, taken in some hundred pieces, and for the optimal gain."""
        best = self.optimum
        largest = self.span + self.optimal_span + 2
        return 1000 * UNIT_ROUNDOFF * self.horizon * largest + self.horizon * float((best.upper - best.lower).max())


def _known_learner(learner: str) -> None:
    if learner not in LEARNERS:
        raise ValueError(f"learner is {learner!r}; it must be one of {', '.join(map(repr, LEARNERS))}")


def learn(s: Setting, rng: np.random.Generator) -> Trace:
    """Run the learner."""
    return LEARNERS[s.learner](s)(
        s.mdp, horizon=s.horizon, delta=s.delta, bonus=s.bonus, known_rewards=s.known_rewards, rng=rng
    )


class _Plan(NamedTuple):
    policy: Indices
    gain: float
    values: Vector


def wander(s: Setting, rng: np.random.Generator) -> Trace:
    """Follow a random policy in each epoch; the accounts are those of the optimal gain and bias."""
    return _wander(s, s.optimum.bias, rng)


def _wander(s: Setting, values: Vector, rng: np.random.Generator) -> Trace:
    walk = Walk(s.mdp, s.horizon, rng)
    while walk.time < s.horizon:
        walk.follow(_Plan(_random_policy(s.mdp, rng), s.gain, values))
    return walk.trace("random policies")


def _random_policy(mdp: MDP, rng: np.random.Generator) -> Indices:
    policy: Indices = rng.integers(mdp.first_choice[:-1], mdp.first_choice[1:])
    return policy


# Wrong runs, to be told from right ones.


def learn_ignoring_drift(s: Setting, rng: np.random.Generator) -> Trace:
    """Changes of plans are taken to cost nothing."""
    trace = learn(s, rng)
    return replace(trace, values={**trace.values, "drift": (("time",), np.zeros(trace.times.size))})


def wander_with_values_of_a_policy(s: Setting, rng: np.random.Generator) -> Trace:
    """The accounts are those of a random policy's discounted values, not of the optimal bias."""
    first = _random_policy(s.mdp, rng)
    values = np.linalg.inv(np.eye(s.mdp.states) - 0.9 * s.laws[first]) @ s.mdp.rewards[first]
    return _wander(s, values, rng)


def learn_elsewhere(s: Setting, rng: np.random.Generator) -> Trace:
    """The process jumps to any state half of the time, unlike the one of which the gaps speak."""
    return learn(replace(s, mdp=_with_laws(s.mdp, 0.5 * s.laws + 0.5 / s.mdp.states)), rng)


def learn_from_reversed_rewards(s: Setting, rng: np.random.Generator) -> Trace:
    """The learner is shown 1 - r."""
    return learn(replace(s, mdp=_with_laws(s.mdp, s.laws, 1 - s.mdp.rewards)), rng)


def _with_laws(mdp: MDP, laws: Matrix, rewards: Vector | None = None) -> MDP:
    shape = (mdp.states, mdp.choices // mdp.states)
    seen = mdp.rewards if rewards is None else rewards
    return TabularMDP(laws.reshape(*shape, mdp.states), seen.reshape(shape), initial=mdp.initial)


def learn_boldly(s: Setting, rng: np.random.Generator) -> Trace:
    """The bonus is a twentieth of what it should be."""
    return learn(replace(s, bonus=s.bonus / 20), rng)


def learn_timidly(s: Setting, rng: np.random.Generator) -> Trace:
    """The bonus is three times as large."""
    return learn(replace(s, bonus=3 * s.bonus), rng)


def plan_without_span(s: Setting, rng: np.random.Generator) -> Trace:
    """LOOP plans with functions of any span."""
    return _loop_with(s, s.horizon, math.inf, None, rng)


def plan_at_every_step(s: Setting, rng: np.random.Generator) -> Trace:
    """LOOP makes a new plan after each of the first 300 steps, however little was learnt."""
    return _loop_with(s, 300, s.span, 1, rng)


def _loop_with(s: Setting, horizon: int, span: float, longest: int | None, rng: np.random.Generator) -> Trace:
    walk, level = Walk(s.mdp, horizon, rng), s.span * math.sqrt(s.log / 2)
    while walk.time < horizon:
        bonuses = np.where(walk.visits > 0, level / np.sqrt(np.maximum(walk.visits, 1)), s.span + 1)
        sets = Plausible(s.mdp.first_choice, s.mdp.rewards, walk.empirical_laws(), bonuses, "bonus")
        walk.follow(extended_value_iteration(sets, span=span, precision=1e-3), longest=longest)
    return walk.trace("LOOP, changed")


# Settings.


def grid() -> Iterator[Setting]:
    """LOOP with the bonus of the theory, and the least span that is allowed."""
    for mdp, horizon in processes():
        yield Setting(mdp, AverageRewardProcess(mdp).optimal_span, horizon)


def unknown_rewards_grid() -> Iterator[Setting]:
    """LOOP that estimates rewards."""
    for s in grid():
        if s.mdp.states in (4, 5):
            yield replace(s, horizon=100_000, known_rewards=False)


def spans_grid() -> Iterator[Setting]:
    """LOOP with the least span that is allowed, and with one that is far too small."""
    yield from grid()
    yield Setting(river_swim(), 0.05, 10_000)


def learners_grid() -> Iterator[Setting]:
    """All learners, some of whose confidence sets are far too small."""
    transient = random_weakly_communicating_mdp(stream(0, "average reward", "learners"), 5, 3)
    for learner in LEARNERS:
        yield Setting(river_swim(4), 3.5, 10_000, learner)
        yield Setting(transient, 2.0, 3000, learner, known_rewards=False)
        yield Setting(tuned_hidden_action(3000), 2.5, 3000, learner, bonus=0.1)


def any_setting() -> "SearchStrategy[Setting]":
    """LOOP on any process, with a span that is large enough."""
    return _settings(["LOOP"])


def any_learner() -> "SearchStrategy[Setting]":
    """Any learner whose plans have bounded span."""
    return _settings(["LOOP", "SCAL"])


def any_ignorant_setting() -> "SearchStrategy[Setting]":
    """LOOP that estimates rewards."""
    return _settings(["LOOP"], known_rewards=False)


def _settings(learners: list[str], *, known_rewards: bool = True) -> "SearchStrategy[Setting]":
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    # Compile first: that touches Python's random numbers, which Hypothesis forbids in a draw.
    AverageRewardProcess(river_swim(2)).optimum  # noqa: B018

    @st.composite
    def settings(draw: "DrawFn") -> Setting:
        mdp = draw(weakly_communicating_mdps())
        span = max(0.1, AverageRewardProcess(mdp).optimal_span) * draw(log_uniform(1.01, 3))
        horizon, delta = draw(st.sampled_from([100, 1000, 10_000])), draw(log_uniform(0.01, 0.2))
        learner = draw(st.sampled_from(learners))
        return Setting(mdp, span, horizon, learner, delta, known_rewards=known_rewards)

    return settings()


# Both sides.


def regret(s: AverageRewardProcess, trace: Trace) -> Array:
    """Optimal gain in all steps so far, less the rewards."""
    lost: Array = trace.times * s.gain - trace["visits"] @ s.mdp.rewards
    return lost


def pseudo_regret_of(s: AverageRewardProcess, trace: Trace) -> Array:
    """Sum of the gaps of all choices made so far."""
    lost: Array = trace["visits"] @ s.gaps
    return lost


def epochs_bound(s: Setting, trace: Trace) -> Array:
    """Largest number of epochs of which each doubles the visits of a choice."""
    choices = s.mdp.choices
    largest: Array = choices * np.log2(8 * np.maximum(trace.times, choices) / choices)
    return largest


def errors_bound(s: Setting, trace: Trace, first: float) -> Array:
    """What plans promise too much: a first visit of a choice costs `first` at most, the others shrink."""
    choices, states = s.mdp.choices, s.mdp.states
    width = s.span * (s.bonus * math.sqrt(s.log / 2) + math.sqrt((states * math.log(2) + s.log) / 2))
    if not s.known_rewards:
        width += (1 + s.bonus) * math.sqrt(math.log(2 * choices * s.horizon / s.delta) / 2)
    most: Array = (1 + math.sqrt(2)) * width * np.sqrt(choices * trace.times) + choices * first
    return most


def regret_bound(s: Setting, trace: Trace) -> Array:
    """Errors, changes of plans, noise, and the precision of plans."""
    rest = s.span * (epochs_bound(s, trace) + s.azuma) + trace.times * PRECISION
    return errors_bound(s, trace, s.span + 1) + rest


WIDE_ENOUGH: Hypotheses = {
    "$H \\ge \\mathrm{sp}(V^*)$": lambda s: (
        s.span >= s.optimal_span * (1 - 1e-9) or f"H is {s.span:.6g} and sp(V*) is {s.optimal_span:.6g}"
    ),
}
LOOPING: Hypotheses = {
    "the learner is LOOP": lambda s: s.learner == "LOOP" or f"it is {s.learner}",
    "the bonus is that of the theory, or larger": lambda s: s.bonus >= 1 or f"it is multiplied by {s.bonus:g}",
}
BOUNDED: Hypotheses = {
    "plans have span H at most": lambda s: s.learner in ("LOOP", "SCAL") or f"those of {s.learner} have any",
}
KNOWN: Hypotheses = {"the learner knows the rewards": lambda s: s.known_rewards}
UNKNOWN: Hypotheses = {"the learner estimates the rewards": lambda s: not s.known_rewards}
LIKELY: Hypotheses = {"$\\delta < 1/3$": lambda s: s.delta < 1 / 3 or f"delta is {s.delta:g}"}
EPOCHS: Hypotheses = {"an epoch ends when the visits of a choice are about to more than double": BY_CONSTRUCTION}

SYMBOLS = (
    "$J^*, V^*$: optimal gain and bias; $\\mathrm{Reg}(t) = \\sum_{i \\le t} (J^* - r_i)$; $s_i, c_i$: states and choices, "
    "C choices in all; $p_c$: the law of the next state after c"
)
PLANS = SYMBOLS + "; $J_i, V_i$: gain and function of the plan in force at step i; $N(t)$: epochs begun by t"
SPAN = PLANS + "; $H$: bound on spans; $\\ell = \\log (C T / \\delta)$; S states"
ELSEWHERE = {"jumps to any state half of the time": learn_elsewhere}
REVERSED = {"rewards reversed": learn_from_reversed_rewards}

DECOMPOSITION = Theorem(
    name="average-reward/promises",
    title="What plans promise is errors, noise and changes of plans, on every path",
    paper=Paper(PAPER, "the decomposition of the regret"),
    standing=Standing.DERIVED,
    statement=r"\sum_i (J_i - r_i) = \sum_i E_i + \sum_i \bigl[\langle p_{c_i}, V_i \rangle - V_i(s_{i+1})\bigr] "
    r"+ \sum_i \bigl[V_i(s_{i+1}) - V_i(s_i)\bigr], \quad E_i = V_i(s_i) + J_i - r_i - \langle p_{c_i}, V_i \rangle",
    symbols=PLANS,
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=learn,
    measured=lambda s, trace: trace["promised"] - trace["visits"] @ s.mdp.rewards,
    bound=lambda s, trace: trace["errors"] + trace["noise"] + trace["drift"],
    settings=learners_grid,
    strategy=any_learner,
    controls={"changes of plans cost nothing": learn_ignoring_drift},
    remark="No property of plans or of the learner is used; UCRL2 and its kin are among the default settings. An optimistic "
    "learner has $J_i \\ge J^*$, so that the left side is at least the regret.",
)

REGRET_DECOMPOSITION = Theorem(
    name="average-reward/regret-decomposition",
    title="Regret is the sum of gaps, noise, and the difference of the bias at both ends",
    paper=Paper(PAPER, "its assumption on optimal values; derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{Reg}(t) = \sum_i \mathrm{Gap}(c_i) + \sum_i \bigl[\langle p_{c_i}, V^* \rangle - V^*(s_{i+1})\bigr] "
    r"+ V^*(s_{t+1}) - V^*(s_1)",
    symbols=SYMBOLS + "; $\\mathrm{Gap}(c) = V^*(s) + J^* - r_c - \\langle p_c, V^* \\rangle$ for a choice c of s",
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=wander,
    measured=regret,
    bound=lambda s, trace: pseudo_regret_of(s, trace) + trace["noise"] + trace["drift"],
    settings=learners_grid,
    strategy=any_setting,
    controls={"values of a policy": wander_with_values_of_a_policy},
    remark="It is the decomposition of promises for $J_i = J^*$, $V_i = V^*$. The policies are random.",
)

NOISE = Theorem(
    name="average-reward/noise",
    title="Regret differs from the sum of gaps by noise of the order of the square root of the horizon",
    paper=Paper(PAPER, "its assumption on optimal values; derived here"),
    standing=Standing.DERIVED,
    statement=r"\Bigl|\mathrm{Reg}(t) - \sum_{i \le t} \mathrm{Gap}(c_i)\Bigr| \le "
    r"\mathrm{sp}(V^*) \Bigl(1 + \sqrt{\tfrac{T}{2} \log \tfrac{2}{\delta}}\Bigr) \text{ for all } t \le T",
    symbols=SYMBOLS + "; $\\mathrm{sp}$: the largest value less the least",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: s.delta),
    hypotheses=PROCESS,
    run=learn,
    measured=lambda s, trace: np.abs(regret(s, trace) - pseudo_regret_of(s, trace)),
    bound=lambda s, trace: np.full(
        trace.times.size, s.optimal_span * (1 + math.sqrt(s.horizon * math.log(2 / s.delta) / 2))
    ),
    trivial=lambda s: s.horizon,
    settings=grid,
    strategy=any_setting,
    controls=ELSEWHERE,
    remark="The difference has both signs, so that regret may be negative, and drowns the sum of gaps on easy processes: "
    "exponents are to be fitted to gaps. See `average-reward/negative-regret`.",
)

EPOCHS_OF_DOUBLING = Theorem(
    name="average-reward/epochs",
    title="Plans change a logarithmic number of times",
    paper=Paper("jaksch2010", "the number of episodes"),
    standing=Standing.DERIVED,
    statement=r"N(t) \le C \log_2 \frac{8 \max(t, C)}{C}",
    symbols=PLANS,
    kind=EveryStep(rounding=lambda s: 1e-9),
    hypotheses=EPOCHS,
    run=learn,
    measured=lambda s, trace: trace["epochs"],
    bound=epochs_bound,
    trivial=lambda s: s.horizon,
    settings=learners_grid,
    strategy=any_learner,
    controls={"a plan for each step": plan_at_every_step},
    remark="The proof gives $1 + K (1 + \\log_2 (t / K))$ with the number $K$ of choices made so far.",
)

DRIFT = Theorem(
    name="average-reward/changes-of-plans",
    title="Each change of plans costs the span at most",
    paper=Paper(PAPER, "the switching cost"),
    standing=Standing.DERIVED,
    statement=r"\sum_{i \le t} \bigl[V_i(s_{i+1}) - V_i(s_i)\bigr] \le H\, N(t)",
    symbols=SPAN,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | BOUNDED,
    run=learn,
    measured=lambda s, trace: trace["drift"],
    bound=lambda s, trace: s.span * trace["epochs"],
    settings=spans_grid,
    strategy=any_learner,
    controls={"functions of any span": plan_without_span},
)

ERRORS = Theorem(
    name="average-reward/errors",
    title="What plans of LOOP promise too much grows as the square root of time",
    paper=Paper(PAPER, "Bellman dominance of tabular processes; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\sum_{i \le t} E_i \le (1 + \sqrt 2) H \Bigl(\sqrt{\tfrac{\ell}{2}} + \sqrt{\tfrac{S \log 2 + \ell}{2}}\Bigr) "
    r"\sqrt{C t} + C (2 H + 1) \text{ for all } t \le T",
    symbols=SPAN + "; $E_i = V_i(s_i) + J_i - r_i - \\langle p_{c_i}, V_i \\rangle$",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: s.delta),
    hypotheses=PROCESS | LOOPING | KNOWN,
    run=learn,
    measured=lambda s, trace: trace["errors"],
    bound=lambda s, trace: errors_bound(s, trace, 2 * s.span + 1),
    settings=grid,
    strategy=any_setting,
    controls={"bonus three times as large": learn_timidly},
    remark="It does not need optimism, nor $H \\ge \\mathrm{sp}(V^*)$. The first visit of a choice may cost more than $H + 1$, "
    "as the gain of a first plan may exceed 1. A multiplied bonus multiplies the first root.",
)

OPTIMISM = Theorem(
    name="average-reward/optimism",
    title="No plan of LOOP promises less than the optimal gain",
    paper=Paper(PAPER, "optimism; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{J^*}{J_i + \epsilon} \le 1 \text{ for all } i \le T",
    symbols=SPAN + "; $\\epsilon$: the precision of plans",
    kind=WithProbability(rounding=lambda s: 1e-9, delta=lambda s: s.delta),
    hypotheses=PROCESS | LOOPING | KNOWN | WIDE_ENOUGH,
    run=learn,
    measured=lambda s, trace: s.gain / (trace["gain"] + PRECISION),
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=grid,
    strategy=any_setting,
    controls={"a twentieth of the bonus": learn_boldly},
)

LOOP = Theorem(
    name="average-reward/loop",
    title="LOOP with a bonus for each choice has regret of the order of the square root of time",
    paper=Paper(PAPER, "main theorem, of tabular processes; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{Reg}(t) \le (1 + \sqrt 2) H \Bigl(\sqrt{\tfrac{\ell}{2}} + \sqrt{\tfrac{S \log 2 + \ell}{2}}\Bigr) "
    r"\sqrt{C t} + C (H + 1) + H C \log_2 \frac{8 \max(t, C)}{C} + H \sqrt{\tfrac{T}{2} \log \tfrac{1}{\delta}} + \epsilon t"
    r"\text{ for all } t \le T",
    symbols=SPAN + "; $\\epsilon$: the precision of plans",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: 3 * s.delta),
    hypotheses=PROCESS | LOOPING | KNOWN | WIDE_ENOUGH | LIKELY,
    run=learn,
    measured=regret,
    bound=regret_bound,
    trivial=lambda s: s.horizon * s.gain,
    settings=grid,
    strategy=any_setting,
    controls=REVERSED,
    remark="The confidence set of the paper is relaxed to a box, which saves a factor $\\sqrt C$ in the bonus. Early on, and "
    "on short horizons throughout, the bound exceeds $J^* t$. Without the bound on spans the proof fails; in RiverSwim with "
    "6 states plans then have spans up to 33 H, and yet the sum of gaps after $10^4$ steps is the same, 2010 in the mean.",
)

LOOP_UNKNOWN_REWARDS = Theorem(
    name="average-reward/loop-unknown-rewards",
    title="To estimate the rewards costs as much as a span of one, at most",
    paper=Paper(PAPER, "main theorem, of tabular processes; constants derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathrm{Reg}(t) \le B(t) + (1 + \sqrt 2) \sqrt{2 \log (2 C T / \delta)} \sqrt{C t} \text{ for all } t \le T",
    symbols=SPAN + "; $B(t)$: the bound of `average-reward/loop`",
    kind=WithProbability(rounding=lambda s: s.rounding, delta=lambda s: 4 * s.delta),
    hypotheses=PROCESS | LOOPING | UNKNOWN | WIDE_ENOUGH | {"$\\delta < 1/4$": lambda s: s.delta < 1 / 4},
    run=learn,
    measured=regret,
    bound=regret_bound,
    trivial=lambda s: s.horizon * s.gain,
    settings=unknown_rewards_grid,
    strategy=any_ignorant_setting,
    controls=REVERSED,
    remark="The bound allows for random rewards in $[0, 1]$; here each choice always pays the same, which takes away half of "
    "the last term.",
)

# Exponents, for horizons each of which has a run, and a process, of its own.


@dataclass(frozen=True, eq=False)
class Family:
    """Two-state processes whose hidden action is as good as can be found within the horizon.

    Parameters
    ----------
    learner
        One of the learners, with the bonus of its theory.
    longest
        Longest horizon, in steps.
    actions
        Number A of actions.
    rate
        Probability q of leaving a state.
    runs
        Number of runs for each horizon, of which the mean is taken.
    """

    learner: str
    longest: int = 100_000
    actions: int = 5
    rate: float = 0.2
    runs: int = 6

    def __post_init__(self) -> None:
        _known_learner(self.learner)
        count(self.longest, "longest", at_least=100)
        count(self.runs, "runs", at_least=1)
        tuned_hidden_action(int(self.horizons[0]), self.actions, self.rate)

    def __str__(self) -> str:
        return f"{self.learner}: hidden action among {self.actions}, T up to {self.longest}"

    @property
    def horizons(self) -> Times:
        """A first horizon, and six over the decade up to the longest, to which rates are fitted."""
        return (self.longest * np.append(0.01, np.geomspace(0.1, 1, 6))).round().astype(np.int64)

    def setting(self, horizon: int) -> Setting:
        """The run for a horizon."""
        return _at_optimal_span(tuned_hidden_action(horizon, self.actions, self.rate), horizon, self.learner)


def _at_optimal_span(mdp: MDP, horizon: int, learner: str = "LOOP") -> Setting:
    return Setting(mdp, AverageRewardProcess(mdp).optimal_span, horizon, learner)


def learn_for_each_horizon(s: Family, rng: np.random.Generator) -> Trace:
    """Make the advantage as small as the horizon demands, and learn."""
    return _for_each_horizon(s, [s.setting(horizon) for horizon in s.horizons.tolist()], learn, rng)


def stay_with_first_choices(s: Family, rng: np.random.Generator) -> Trace:
    """The first choice of each state, in the process of the shortest horizon for all of them."""
    first = s.setting(int(s.horizons[0]))
    return _for_each_horizon(s, [replace(first, horizon=horizon) for horizon in s.horizons.tolist()], _stay, rng)


def _stay(s: Setting, rng: np.random.Generator) -> Trace:
    walk = Walk(s.mdp, s.horizon, rng)
    while walk.time < s.horizon:
        walk.follow(_Plan(s.mdp.first_choice[:-1], s.gain, s.optimum.bias))
    return walk.trace("first choices")


def _for_each_horizon(
    s: Family,
    settings: list[Setting],
    run: Callable[[Setting, np.random.Generator], Trace],
    rng: np.random.Generator,
) -> Trace:
    lost = [np.mean([pseudo_regret_of(each, run(each, rng))[-1] for _ in range(s.runs)]) for each in settings]
    return Trace(f"{s.learner}, tuned process", s.horizons, {"lost": (("time",), np.array(lost))}, clock="horizon")


def _rate_theorem(
    name: str, learner: str, title: str, paper: Paper, statement: str, bound: Callable[[Family, Array], Array]
) -> Theorem[Family]:
    return Theorem(
        name=f"average-reward/{name}",
        title=title,
        paper=paper,
        standing=Standing.RECALLED,
        statement=statement,
        symbols=SYMBOLS
        + "; $D$: the diameter; $\\Gamma$: the most next states of a choice; S states with A actions each; "
        "measured is the sum of gaps, the mean of a few runs in a process of its own for each horizon T",
        kind=EveryStep(rounding=lambda s: 1e-6),
        hypotheses={f"the learner is {learner}": lambda s: s.learner == learner or f"it is {s.learner}"},
        run=learn_for_each_horizon,
        measured=lambda s, trace: trace["lost"],
        bound=lambda s, trace: bound(s, trace.times.astype(np.float64)),
        settings=lambda: iter([Family(learner)]),
        controls={"first choices in one process": stay_with_first_choices},
        rate=PowerLaw(lambda s: 0.5),
        remark="The gap of the process is of order $T^{-1/2}$, so that no learner loses more than the order of $\\sqrt T$; "
        "none loses much less. In one process the exponent falls with time: see `average-reward/flattening`.",
    )


LOOP_RATE = _rate_theorem(
    "loop-rate",
    "LOOP",
    "LOOP's rate: the square root of the horizon",
    Paper(PAPER, "main theorem"),
    r"\mathrm{Reg}(T) = \tilde O\bigl(\mathrm{sp}(V^*)\, d \sqrt{T \beta}\bigr)",
    lambda s, horizon: np.sqrt(horizon) / s.rate,
)

UCRL2_RATE = _rate_theorem(
    "ucrl2-rate",
    "UCRL2",
    "UCRL2's rate: the square root of the horizon",
    Paper("jaksch2010", "the upper bound on the regret"),
    r"\mathrm{Reg}(T) \le 34\, D S \sqrt{A T \log (T / \delta)}",
    lambda s, horizon: 34 / s.rate * 2 * np.sqrt(s.actions * horizon * np.log(horizon / DELTA)),
)

UCRL2B_RATE = _rate_theorem(
    "ucrl2b-rate",
    "UCRL2B",
    "UCRL2B's rate: the square root of the horizon",
    Paper("fruit2020", "the upper bound on the regret"),
    r"\mathrm{Reg}(T) = \tilde O\bigl(\sqrt{D \Gamma S A T} + D^2 S^2 A\bigr)",
    lambda s, horizon: np.sqrt(1 / s.rate * 4 * s.actions * horizon),
)

KL_UCRL_RATE = _rate_theorem(
    "kl-ucrl-rate",
    "KL-UCRL",
    "KL-UCRL's rate: the square root of the horizon",
    Paper("filippi2010", "the upper bound on the regret"),
    r"\mathrm{Reg}(T) = \tilde O\bigl(D S \sqrt{A T}\bigr)",
    lambda s, horizon: 1 / s.rate * 2 * np.sqrt(s.actions * horizon),
)

# Witnesses.


def measure_exponents(s: Setting, rng: np.random.Generator) -> Trace:
    """Mean sum of gaps of eight runs, and by which power of time it grows in the last two factors of ten."""
    return _exponents(s, lambda: pseudo_regret_of(s, learn(s, rng)))


def measure_exponents_of_random_policies(s: Setting, rng: np.random.Generator) -> Trace:
    """The same of random policies."""
    return _exponents(s, lambda: pseudo_regret_of(s, wander(s, rng)))


def _exponents(s: Setting, run: Callable[[], Array]) -> Trace:
    times = record_times(s.horizon)
    lost = np.interp(s.horizon / np.array([100, 10, 1]), times, np.mean([run() for _ in range(8)], axis=0))
    exponents = np.diff(np.log10(lost))
    values = {"exponent": (("time", "decade"), exponents[None])}
    return Trace("exponents of the sum of gaps", np.array([s.horizon]), values, clock="step")


def look_for_negative_regret(s: Setting, rng: np.random.Generator) -> Trace:
    """Of 24 runs, those whose regret at the horizon is negative."""
    return _negative_runs(s, regret, rng)


def look_for_negative_sums_of_gaps(s: Setting, rng: np.random.Generator) -> Trace:
    """The sum of gaps is taken for the regret."""
    return _negative_runs(s, pseudo_regret_of, rng)


def _negative_runs(s: Setting, measure: Callable[[Setting, Trace], Array], rng: np.random.Generator) -> Trace:
    runs = [learn(s, rng) for _ in range(24)]
    lost = np.array([[measure(s, trace)[-1], pseudo_regret_of(s, trace)[-1]] for trace in runs])
    negative = np.flatnonzero(lost[:, 0] < 0)
    return Trace("runs of negative regret", negative, {"lost": (("time", "measure"), lost[negative])}, clock="draw")


FLATTENING = Theorem(
    name="average-reward/flattening",
    title="In one process the sum of gaps soon grows more slowly than any square root",
    paper=Paper(PAPER, "main theorem; what it does not say"),
    standing=Standing.CLAIMED,
    statement=r"\exists:\quad \log_{10} \frac{L(T)}{L(T / 10)} < \frac14,\quad L(t) = \sum_{i \le t} \mathrm{Gap}(c_i)",
    symbols=SYMBOLS,
    kind=Existence(),
    hypotheses=PROCESS,
    run=measure_exponents,
    measured=lambda s, trace: (trace["exponent"][:, -1] < 1 / 4).astype(np.float64),
    bound=lambda s, trace: np.ones(1),
    settings=lambda: iter([_at_optimal_span(river_swim(), 1_000_000)]),
    controls={"random policies": measure_exponents_of_random_policies},
    remark="The witness is LOOP in RiverSwim with 6 states: the exponent is 0.37 from $10^4$ to $10^5$ steps and 0.07 from "
    "$10^5$ to $10^6$. The exponent 1/2 shows in processes that are tuned to the horizon: `average-reward/loop-rate`.",
)

NEGATIVE_REGRET = Theorem(
    name="average-reward/negative-regret",
    title="Regret may be negative although every gap is positive",
    paper=Paper(PAPER, "the definition of regret"),
    standing=Standing.DERIVED,
    statement=r"\exists:\quad \mathrm{Reg}(T) < 0 < \sum_{i \le T} \mathrm{Gap}(c_i)",
    symbols=SYMBOLS,
    kind=Existence(),
    hypotheses=PROCESS,
    run=look_for_negative_regret,
    measured=lambda s, trace: ((trace["lost"][:, 0] < 0) & (trace["lost"][:, 1] > 0)).astype(np.float64),
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=lambda: iter([replace(_at_optimal_span(river_swim(4), 30_000), bonus=0.2)]),
    controls={"sums of gaps taken for regret": look_for_negative_sums_of_gaps},
    remark="An exponent fitted to regret itself is meaningless.",
)
