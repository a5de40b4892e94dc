r"""Policy mirror descent with exact values: what a step gains, and how soon the policies are optimal.

Throughout, :math:`\delta_k = \sum_s \rho(s)\,(V^*(s) - V_k(s))` with the uniform distribution :math:`\rho`, and
:math:`\eta` is the step of mirror descent; that of the natural gradient is :math:`(1 - \gamma)\,\eta`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import policy_mirror_descent
from rltheory.arrays import Array, Matrix, Vector, positive
from rltheory.instances import chain, combination_lock, garnet, machine_replacement, river_swim
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.theorems.discounted.discounted_process import PROCESS, DiscountedProcess, Hypotheses
from rltheory.theorems.policy_methods.policy_run import EPS, START, PolicyRun, expected_kl, policy_runs
from rltheory.theory import EveryStep, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "xiao2022"
LARGEST_STEP = 1e12  # geometric steps end here: rounded values, times such a step, decide between choices
NEAR, FAR = 22.0, 66.0  # logarithms, near the optimum, of the slowest choice and of the others that are not optimal
FOUR_DIGITS = 1e-4  # what is neglected near the optimum is of the order of e^-NEAR, times the step


@dataclass(frozen=True, eq=False)
class Setting(PolicyRun):
    """A run of policy mirror descent.

    Parameters
    ----------
    euclidean
        Whether the divergence is half the squared Euclidean distance; else it is Kullback-Leibler's.
    """

    euclidean: bool = False

    def __str__(self) -> str:
        return f"{super().__str__()}{', Euclidean' if self.euclidean else ''}"

    @property
    def mismatch(self) -> float:
        r"""Coefficient :math:`\vartheta = \|d^* / \rho\|_\infty / (1 - \gamma) \ge 1`."""
        return float(self.optimal_occupancy.max()) * self.mdp.states * self.horizon

    @property
    def geometric_steps(self) -> Vector:
        r"""Steps that grow by :math:`\vartheta / (\vartheta - 1)` from the setting's on, to the largest at most."""
        growth = math.log(self.mismatch / (self.mismatch - 1))
        within = 1 + int(max(math.log(LARGEST_STEP / self.step), 0.0) / growth)
        steps: Vector = self.step * np.exp(growth * np.arange(min(self.iterations, within)))
        return steps

    @property
    def first_divergence(self) -> float:
        r"""Mean divergence :math:`D_0^*` of the optimal policy from the first one."""
        return float(to_optimum(self, self.log_first[None])[0])

    @property
    def least_large_step(self) -> float:
        """First step whose term in the bound is no larger than the largest loss."""
        return self.first_divergence / (self.discount * self.horizon * self.reward_range)


def play(s: Setting, rng: np.random.Generator) -> Trace:
    """Run with a constant step."""
    return play_with(s, np.full(s.iterations, s.step))


def play_with(s: Setting, steps: Vector) -> Trace:
    """Run with given steps."""
    return policy_mirror_descent(s.mdp, s.discount, steps=steps, euclidean=s.euclidean, start=s.start)


def play_geometric(s: Setting, rng: np.random.Generator) -> Trace:
    """Run with steps that grow geometrically."""
    return play_with(s, s.geometric_steps)


# Wrong runs, to be told from right ones.


def play_smaller(s: Setting, rng: np.random.Generator) -> Trace:
    """Steps are smaller than stated by a hundredth."""
    return play_with(s, np.full(s.iterations, 0.99 * s.step))


def stand_still(s: Setting, rng: np.random.Generator) -> Trace:
    """Steps move next to nothing."""
    return play_with(s, np.full(s.iterations, 1e-9 * s.step))


def stand_still_geometrically(s: Setting, rng: np.random.Generator) -> Trace:
    """Geometric steps move next to nothing."""
    return play_with(s, 1e-30 * s.geometric_steps)


def play_uncritically(s: Setting, rng: np.random.Generator) -> Trace:
    """The values of the choices are those of the first policy throughout, the next values are the present ones."""
    trace = play(s, rng)
    first = np.broadcast_to(trace["action_values"][0], trace["action_values"].shape)
    stale = {"action_values": (("time", "choice"), first), "next_values": (("time", "state"), trace["values"])}
    return replace(trace, values={**trace.values, **stale})


SMALLER = {"step smaller by a hundredth": play_smaller}
STILL = {"policies that stand still": stand_still}
UNCRITICAL = {"values that are not updated": play_uncritically}


def grid() -> Iterator[Setting]:
    """Processes of every kind, both geometries, steps from small to large."""
    yield Setting(river_swim(), 0.95, step=1.0)
    yield Setting(chain(), 0.9, step=0.05)
    yield Setting(machine_replacement(), 0.9, step=0.1, euclidean=True)
    yield Setting(combination_lock([1, 0, 1]), 0.8, step=3.0, euclidean=True)
    yield Setting(garnet(stream(0, "policy run", "garnet"), 20, 3, 3), 0.9, step=0.3)
    yield Setting(garnet(stream(0, "policy run", "dense"), 5, 4, 5), 0.5, step=0.02, euclidean=True)
    yield Setting(garnet(stream(0, "policy run", "no future"), 5, 4, 2), 0.0, step=10.0)
    yield Setting(two_arms(), 0.0, start=np.array([1e-3, 1 - 1e-3]), step=0.5, note="start at the worse arm")
    yield Setting(two_arms(), 0.0, start=np.array([0.999, 0.001]), step=0.01, note="start near the optimum")


def two_arms() -> TabularMDP:
    """One state, in which the first of two choices pays 1."""
    return TabularMDP(np.ones((1, 2, 1)), [[1.0, 0.0]], title="two arms")


def entropy_grid() -> Iterator[Setting]:
    """Settings with Kullback-Leibler divergence."""
    return (s for s in grid() if not s.euclidean)


def grid_with_future() -> Iterator[Setting]:
    """Settings in which the future counts."""
    return (s for s in grid() if s.discount > 0)


def any_setting() -> "SearchStrategy[Setting]":
    """Any process, any first policy, both geometries and steps of every size."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    return policy_runs(Setting, step=log_uniform(0.01, 100), iterations=st.just(30), euclidean=st.booleans())


def any_entropy_setting() -> "SearchStrategy[Setting]":
    """Any process and any first policy, with Kullback-Leibler divergence, and steps of every size."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    return policy_runs(Setting, step=log_uniform(0.01, 100), iterations=st.just(30))


def any_setting_with_future() -> "SearchStrategy[Setting]":
    """Any process whose future counts."""
    return any_setting().filter(lambda s: s.discount > 0.01)


def grid_of_large_steps() -> Iterator[Setting]:
    """Settings in which the first step is large, or just large enough."""
    yield from (replace(s, step=100 * s.step) for s in grid_with_future())
    yield replace(stuck(), step=(1 + 1e-9) * stuck().least_large_step)


def stuck() -> Setting:
    """Ten states, of which the first pays 1 for ever; the others stay for 0.3 or go there, and one nearly always stays."""
    laws = np.zeros((10, 2, 10))
    laws[:, 0], laws[:, 1, 0] = np.eye(10), 1
    rewards = np.zeros((10, 2))
    rewards[:, 0] = 0.3
    rewards[0] = 1
    allowed = np.ones((10, 2), dtype=bool)
    allowed[0, 1] = False
    start = np.tile([1e-6, 1 - 1e-6], (9, 1))
    start[0] = start[0, ::-1]
    mdp = TabularMDP(laws, rewards, allowed=allowed, title="nine ways to the first state")
    start = np.append(1.0, start)
    return Setting(mdp, 0.9, start=start, iterations=300, note="one way nearly closed")


def any_large_step() -> "SearchStrategy[Setting]":
    """Any process whose future counts, with a first step that is large enough."""
    return any_setting_with_future().filter(lambda s: s.reward_range > 0 and s.step >= s.least_large_step)


def policies(trace: Trace) -> Matrix:
    """Probabilities at the recorded times."""
    probabilities: Matrix = np.exp(trace["log_policy"])
    return probabilities


def next_policies(trace: Trace) -> Matrix:
    """Probabilities one iteration later."""
    probabilities: Matrix = np.exp(trace["log_next"])
    return probabilities


def mean_loss(s: Setting, trace: Trace) -> Array:
    """Losses delta_k at the recorded times."""
    losses: Array = s.losses(policies(trace)).mean(axis=1)
    return losses


def divergence(s: Setting, weights: Array, log_p: Matrix, log_q: Matrix) -> Array:
    """Mean divergence over the states, which are weighted."""
    if not s.euclidean:
        return expected_kl(s, weights, log_p, log_q)
    distances: Array = 0.5 * (weights * s.by_state((np.exp(log_p) - np.exp(log_q)) ** 2)).sum(axis=-1)
    return distances


def to_optimum(s: Setting, log_policy: Matrix) -> Array:
    """Mean divergence of the optimal policy from others, in the states that it visits."""
    with np.errstate(divide="ignore"):
        return divergence(s, s.optimal_occupancy, np.log(s.optimal_policy)[None], log_policy)


def gains(s: Setting, trace: Trace) -> Matrix:
    """What the new decisions gain before the old policy goes on, shape (T, S)."""
    return s.by_state((next_policies(trace) - policies(trace)) * trace["action_values"])


def shortfalls(s: Setting, trace: Trace) -> Matrix:
    """What the policy's decisions earn less than greedy ones before it goes on, shape (T, S); nothing cancels."""
    return s.by_state(policies(trace) * action_shortfalls(s, trace))


def action_shortfalls(s: Setting, trace: Trace) -> Matrix:
    """What each choice earns less than a greedy one, shape (T, C)."""
    values = trace["action_values"]
    shortfall: Matrix = s.best(values)[:, s.mdp.state_of_choice] - values
    return shortfall


def greedy_parts(s: Setting, trace: Trace) -> Matrix:
    """Factors kappa_k: what part of the shortfall a step makes up for at least, shape (T, S)."""
    short = action_shortfalls(s, trace)
    greedy = s.by_state(np.where(short == 0, policies(trace), 0.0))
    margin = -s.best(-np.where(short > 0, short, np.inf))
    parts: Matrix = greedy * -np.expm1(-s.step * margin)
    return parts


def where_largest(of: Matrix, excess: Matrix) -> Array:
    """Entries of the first at the states where the second is largest."""
    entries: Array = np.take_along_axis(of, excess.argmax(axis=1)[:, None], axis=1)[:, 0]
    return entries


# Near the optimum


@dataclass(frozen=True, eq=False)
class NearOptimum(DiscountedProcess):
    r"""A run that starts near the optimum.

    The choice of the smallest gap has about the probability :math:`e^{-22}`, the others :math:`e^{-66}`.

    Parameters
    ----------
    step
        Step size in units of 1 / the smallest gap, > 0.
    """

    step: float = 1.0

    def __post_init__(self) -> None:
        positive(self.step, "step")

    def __str__(self) -> str:
        return f"{super().__str__()}, step {self.step:g} over the smallest gap"

    @property
    def unique(self) -> bool | str:
        """Whether there is one optimal policy, by a margin, and another one; if not, where."""
        if self.mdp.choices == self.mdp.states:
            return "no state has several choices"
        best = Setting(self.mdp, self.discount).gaps <= 1e-3 * self.largest_value / self.horizon
        state = int(np.argmax(np.add.reduceat(best.astype(np.int64), self.mdp.first_choice[:-1])))
        tied = np.flatnonzero(best & (self.mdp.state_of_choice == state))
        return tied.size == 1 or f"state {state} has tied choices {', '.join(map(str, tied))}"

    @property
    def run(self) -> Setting:
        """The run of policy mirror descent."""
        base = Setting(self.mdp, self.discount)
        logits = np.where(base.gaps > 0, -FAR, 0.0)
        logits[np.where(base.gaps > 0, base.gaps, np.inf).argmin()] = -NEAR
        weights = np.exp(logits)
        start = weights / base.by_state(weights)[self.mdp.state_of_choice]
        return replace(base, start=start, step=self.step / base.smallest_gap, iterations=20)


def play_near(s: NearOptimum, rng: np.random.Generator) -> Trace:
    """Run with a constant step from near the optimum."""
    return play(s.run, rng)


def play_near_smaller(s: NearOptimum, rng: np.random.Generator) -> Trace:
    """Steps are smaller than stated by a hundredth."""
    return play_smaller(s.run, rng)


def near_grid() -> Iterator[NearOptimum]:
    """Processes with one optimal policy, steps from small to large."""
    yield NearOptimum(river_swim(), 0.9, step=0.03)
    yield NearOptimum(chain(), 0.9, step=0.3)
    yield NearOptimum(garnet(stream(0, "policy run", "garnet"), 20, 3, 3), 0.9, step=0.1)
    yield NearOptimum(garnet(stream(0, "policy run", "dense"), 5, 4, 5), 0.5, step=1.0)
    yield NearOptimum(garnet(stream(0, "policy run", "no future"), 5, 4, 2), 0.0, step=3.0)


def any_near() -> "SearchStrategy[NearOptimum]":
    """Any process with one optimal policy."""
    from rltheory.strategies import log_uniform
    from rltheory.theorems.discounted.discounted_process import discounted_processes

    runs = discounted_processes(NearOptimum, highest_discount=0.9, step=log_uniform(0.03, 3))
    return runs.filter(lambda s: s.unique is True)


def loss_factor(s: NearOptimum, trace: Trace) -> Array:
    """Quotients delta_{k+1} / delta_k."""
    run = s.run
    later, now = (run.losses(kind(trace)).sum(axis=1) for kind in (next_policies, policies))
    factors: Array = later / now
    return factors


ENTROPY: Hypotheses = {"$D$ is the Kullback-Leibler divergence": lambda s: not s.euclidean}
FUTURE: Hypotheses = {"$\\gamma > 0$": lambda s: s.discount > 0 and s.mismatch > 1}
LARGE_STEP: Hypotheses = {"$\\eta_0 \\ge (1 - \\gamma) D_0^* / (\\gamma R)$": lambda s: s.step >= s.least_large_step}
UNIQUE: Hypotheses = {"one policy is optimal, by a margin": lambda s: s.unique}

RUN = (
    "$\\pi_k$: the policies, of values $V_k$ and $Q_k$; $\\eta$: the step; $D$: the divergence of the geometry, "
    "Kullback-Leibler's or half the squared Euclidean distance"
)
LOSS = (
    "$\\delta_k$: the mean over the states, with weights $\\rho$, of $V^* - V_k$; $\\rho$: uniform; $R$: the largest reward "
    "less the smallest, 1 in the paper; $D_0^* = \\sum_s d^*(s)\\, D(\\pi^*, \\pi_0)_s$ with the discounted probabilities "
    "$d^*$ of the states under an optimal policy"
)


def values_rounding(s: Setting) -> float:
    """What rounding leaves in a difference of values, in which decisions of both policies enter."""
    return 8 * s.rounding


def divergence_rounding(s: Setting) -> float:
    """What rounding leaves in sums of the step times values, and of logarithms of policies that are seen."""
    largest = s.step * s.largest_value - float(s.log_first.min())
    return s.step * values_rounding(s) + 64 * EPS * (s.mdp.choices + s.iterations) * largest


PERFORMANCE_DIFFERENCE = Theorem(
    name="pmd/performance-difference",
    title="What the next policy earns more is what its decisions gain where it goes",
    paper=Paper("kakade2002", "lemma 6.1, with the roles exchanged"),
    standing=Standing.DERIVED,
    statement=r"\sum_s \rho(s) \bigl(V_{k+1}(s) - V_k(s)\bigr)"
    r" = \frac{1}{1 - \gamma} \sum_s d_{k+1}(s)\, \langle Q_k, \pi_{k+1} - \pi_k \rangle_s",
    symbols=RUN + "; $d_{k+1}$: the discounted probabilities of the states under $\\pi_{k+1}$, from uniform $\\rho$",
    kind=Identity(rounding=lambda s: values_rounding(s) * s.horizon),
    hypotheses=START,
    run=play,
    measured=lambda s, trace: (trace["next_values"] - trace["values"]).mean(axis=1),
    bound=lambda s, trace: (s.occupancies(next_policies(trace)) * gains(s, trace)).sum(axis=1) * s.horizon,
    settings=grid,
    strategy=any_setting,
    controls=UNCRITICAL,
)

THREE_POINTS = Theorem(
    name="pmd/three-point",
    title="A step gains on the optimal policy what it comes nearer to it, and more",
    paper=Paper(PAPER, "the three-point descent lemma, at an optimal policy"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}_{d^*} \bigl[ \eta \langle Q_k, \pi^* - \pi_{k+1} \rangle + D(\pi^*, \pi_{k+1})"
    r" + D(\pi_{k+1}, \pi_k) \bigr] \le \mathbb{E}_{d^*} D(\pi^*, \pi_k)",
    symbols=RUN + "; $d^*$: the discounted probabilities of the states under an optimal policy $\\pi^*$",
    kind=EveryStep(rounding=divergence_rounding),
    hypotheses=START,
    run=play,
    measured=lambda s, trace: (
        s.step * (s.by_state((s.optimal_policy - next_policies(trace)) * trace["action_values"]) @ s.optimal_occupancy)
        + to_optimum(s, trace["log_next"])
        + divergence(s, s.optimal_occupancy, trace["log_next"], trace["log_policy"])
    ),
    bound=lambda s, trace: to_optimum(s, trace["log_policy"]),
    settings=grid,
    strategy=any_setting,
    controls=SMALLER,
    remark="With Kullback-Leibler divergence both sides are equal. It holds in each state, for any policy in place of "
    "the optimal one.",
)

IMPROVEMENT = Theorem(
    name="pmd/improvement",
    title="The next policy is better in every state, by what its decisions gain at least",
    paper=Paper(PAPER, "monotone improvement"),
    standing=Standing.DERIVED,
    statement=r"\langle Q_k, \pi_{k+1} - \pi_k \rangle_s \le V_{k+1}(s) - V_k(s)",
    symbols=RUN + "; shown is the state of least slack",
    kind=EveryStep(rounding=values_rounding),
    hypotheses=START,
    run=play,
    measured=lambda s, trace: where_largest(gains(s, trace), gains(s, trace) + trace["values"] - trace["next_values"]),
    bound=lambda s, trace: np.maximum(
        where_largest(trace["next_values"] - trace["values"], gains(s, trace) + trace["values"] - trace["next_values"]),
        0.0,
    ),
    settings=grid,
    strategy=any_setting,
    controls=UNCRITICAL,
    remark="What decisions gain is never negative: see `pmd/three-point` with $\\pi_k$ in place of the optimal policy.",
)

GREEDY_PART = Theorem(
    name="pmd/greedy-part",
    title="A step of the natural gradient makes up for a known part of what greedy decisions would gain",
    paper=Paper(PAPER, "the method; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"\kappa_k(s) \bigl(\max_a Q_k(s, a) - V_k(s)\bigr) \le \langle Q_k, \pi_{k+1} - \pi_k \rangle_s, \qquad"
    r" \kappa_k(s) = \pi_k(\mathrm{arg\,max}\, Q_k | s)\, \bigl(1 - e^{-\eta \Delta_k(s)}\bigr)",
    symbols=RUN + "; $\\Delta_k(s)$: how much the best choices are better than the next, by $Q_k$; "
    "shown is the state of least slack",
    kind=EveryStep(rounding=values_rounding),
    hypotheses=START | ENTROPY,
    run=play,
    measured=lambda s, trace: where_largest(
        greedy_parts(s, trace) * shortfalls(s, trace), greedy_parts(s, trace) * shortfalls(s, trace) - gains(s, trace)
    ),
    bound=lambda s, trace: np.maximum(
        where_largest(gains(s, trace), greedy_parts(s, trace) * shortfalls(s, trace) - gains(s, trace)), 0.0
    ),
    settings=entropy_grid,
    strategy=any_entropy_setting,
    controls=SMALLER,
)

CONTRACTION = Theorem(
    name="pmd/contraction",
    title="The natural gradient with a constant step contracts globally, by a factor that is known as it runs",
    paper=Paper(PAPER, "the method; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"\|V^* - V_{k+1}\|_\infty \le \Bigl(1 - (1 - \gamma) \min_s \kappa_k(s)\Bigr) \|V^* - V_k\|_\infty",
    symbols=RUN + "; $\\kappa_k(s) = \\pi_k(\\mathrm{arg\\,max}\\, Q_k | s)\\, (1 - e^{-\\eta \\Delta_k(s)})$; "
    "$\\Delta_k(s)$: how much the best choices are better than the next, by $Q_k$",
    kind=EveryStep(rounding=values_rounding),
    hypotheses=START | ENTROPY,
    run=play,
    measured=lambda s, trace: s.losses(next_policies(trace)).max(axis=1),
    bound=lambda s, trace: (
        (1 - (1 - s.discount) * greedy_parts(s, trace).min(axis=1)) * s.losses(policies(trace)).max(axis=1)
    ),
    settings=entropy_grid,
    strategy=any_entropy_setting,
    controls=STILL,
    remark="Where the best choices of some state are nearly even with the next, the factor is nearly 1. In the end it is "
    "$1 - (1 - \\gamma)(1 - e^{-\\eta \\Delta})$; the true factor is smaller, see `pmd/local`.",
)

SUBLINEAR = Theorem(
    name="pmd/sublinear",
    title="With any constant step the loss is of the order 1 / k",
    paper=Paper(PAPER, "theorem 8"),
    standing=Standing.DERIVED,
    statement=r"\delta_k \le \frac{1}{k + 1} \Bigl( \frac{D_0^*}{\eta\,(1 - \gamma)} + \frac{R}{(1 - \gamma)^2} \Bigr)",
    symbols=RUN + "; " + LOSS,
    kind=EveryStep(rounding=values_rounding),
    hypotheses=START,
    run=play,
    measured=mean_loss,
    bound=lambda s, trace: s.horizon * (s.first_divergence / s.step + s.reward_range * s.horizon) / (trace.times + 1),
    trivial=lambda s: s.reward_range * s.horizon,
    settings=grid,
    strategy=any_setting,
    controls=STILL,
    remark="In the natural gradient's normalisation, from a uniform start: $\\log A / (\\tilde\\eta k) + R / ((1 - \\gamma)^2 k)$. "
    "Large steps leave the second term, which is not tight: policy iteration converges geometrically.",
)

GEOMETRIC_STEPS = Theorem(
    name="pmd/geometric-steps",
    title="Steps that grow geometrically make the loss shrink geometrically",
    paper=Paper(PAPER, "theorem 10, with the start explicit"),
    standing=Standing.DERIVED,
    statement=r"\eta_{k+1} = \frac{\vartheta}{\vartheta - 1}\, \eta_k \implies \delta_k \le"
    r" \Bigl(1 - \frac{1}{\vartheta}\Bigr)^k \Bigl(\delta_0 + \frac{D_0^*}{\eta_0 (\vartheta - 1)(1 - \gamma)}\Bigr)",
    symbols=RUN + "; " + LOSS + "; $\\vartheta = \\|d^* / \\rho\\|_\\infty / (1 - \\gamma)$",
    kind=EveryStep(rounding=values_rounding),
    hypotheses=START | FUTURE,
    run=play_geometric,
    measured=mean_loss,
    bound=lambda s, trace: (
        (1 - 1 / s.mismatch) ** trace.times
        * (mean_loss(s, trace)[0] + s.first_divergence * s.horizon / (s.step * (s.mismatch - 1)))
    ),
    since=1,
    settings=grid_with_future,
    strategy=any_setting_with_future,
    controls={"policies that stand still": stand_still_geometrically},
)

GEOMETRIC_STEPS_PAPER = Theorem(
    name="pmd/geometric-steps-simple",
    title="With a large enough first step, nothing of the start is left in the bound",
    paper=Paper(PAPER, "theorem 10"),
    standing=Standing.DERIVED,
    statement=r"\delta_k \le \Bigl(1 - \frac{1}{\vartheta}\Bigr)^k \frac{2 R}{1 - \gamma}",
    symbols=RUN
    + "; steps as in `pmd/geometric-steps`; "
    + LOSS
    + "; $\\vartheta = \\|d^* / \\rho\\|_\\infty / (1 - \\gamma)$",
    kind=EveryStep(rounding=values_rounding),
    hypotheses=START | FUTURE | LARGE_STEP,
    run=play_geometric,
    measured=mean_loss,
    bound=lambda s, trace: (1 - 1 / s.mismatch) ** trace.times * 2 * s.reward_range * s.horizon,
    trivial=lambda s: s.reward_range * s.horizon,
    settings=grid_of_large_steps,
    strategy=any_large_step,
    controls={"policies that stand still": stand_still_geometrically},
)

LOCAL = Theorem(
    name="pmd/local",
    title="In the end the natural gradient with a constant step converges geometrically, at the pace of the smallest gap",
    paper=Paper(PAPER, "the method; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{\delta_{k+1}}{\delta_k} = e^{-\eta \Delta}",
    symbols=RUN + "; $\\delta_k$: the mean of $V^* - V_k$; $\\Delta$: the smallest positive $V^*(s) - Q^*(s, a)$",
    kind=Identity(rounding=lambda s: FOUR_DIGITS * math.exp(-s.step)),
    hypotheses=PROCESS | UNIQUE,
    run=play_near,
    measured=loss_factor,
    bound=lambda s, trace: np.full(trace.times.size, math.exp(-s.step)),
    settings=near_grid,
    strategy=any_near,
    controls={"step smaller by a hundredth": play_near_smaller},
    remark="To four digits, from a start near the optimum. Every step multiplies the odds of a choice by "
    "$e^{-\\eta (V^* - Q^*)}$, up to what is of second order.",
)
