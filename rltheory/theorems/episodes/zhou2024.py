r"""Hybrid actor-critic: what its critic errs, when it diverges, and what its actor loses.

The critic of a policy :math:`\pi` is fitted in sweeps, :math:`f_k = \arg\min_{f \in F} \mathbb E_\nu (f - T^\pi
f_{k-1})^2 + \lambda\, \mathbb E_{d^\pi} (f - Q^\pi)^2`, with exact means: :math:`\nu` is the distribution of offline
data, :math:`d^\pi` that of the choices along the policy. F is the set of all functions, unless features are given.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import hybrid_actor_critic, hybrid_policy_evaluation
from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector, count, not_negative, positive
from rltheory.instances import combination_lock, garnet
from rltheory.measures import coverage
from rltheory.problems import TabularMDP, deterministic_policy, uniform_policy
from rltheory.problems.policies import checked_policy
from rltheory.simulation import stream
from rltheory.solvers import discounted_occupancy, discounted_values
from rltheory.theorems.discounted.discounted_process import PROCESS, DiscountedProcess, Hypotheses
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Identity, Paper, PowerLaw, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "zhou2024"


@dataclass(frozen=True, eq=False, kw_only=True)
class Criticism(DiscountedProcess):
    r"""A critic that judges a policy.

    Parameters
    ----------
    policy : array, shape (C,)
        The policy.
    data : array, shape (C,)
        Distribution of the choices in the data.
    weight
        Weight :math:`\lambda \ge 0`.
    sweeps
        Number of sweeps >= 1.
    features : array, shape (C, p), optional
        Features of linear critics; a table by default.
    """

    policy: Vector
    data: Vector
    weight: float
    sweeps: int = 30
    features: Matrix | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "policy", checked_policy(self.mdp, self.policy))
        not_negative(self.weight, "weight")
        count(self.sweeps, "sweeps", at_least=1)

    def __str__(self) -> str:
        return f"{super().__str__()}, weight {self.weight:g}"

    @cached_property
    def policy_values(self) -> Vector:
        """Values Q of the choices under the policy, shape (C,)."""
        return discounted_values(self.mdp, self.policy, self.discount).action_values

    @cached_property
    def visited(self) -> Vector:
        """Discounted probabilities d of the choices, shape (C,)."""
        return discounted_occupancy(self.mdp, self.policy, self.discount).occupancy

    @property
    def realisable(self) -> bool:
        """Whether the class holds the values of the choices, up to rounding."""
        if self.features is None:
            return True
        fit = self.features @ np.linalg.lstsq(self.features, self.policy_values)[0]
        return bool(np.abs(fit - self.policy_values).max() <= 1e-10 * (1 + self.largest_value))

    def backups(self, critics: Matrix) -> Matrix:
        """What critics are fitted to on the data, T f, shape (..., C)."""
        means = np.add.reduceat(self.policy * critics, self.mdp.first_choice[:-1], axis=-1)
        found: Matrix = self.mdp.rewards + self.discount * (means @ self.laws.T)
        return found

    def online_errors(self, critics: Matrix) -> Vector:
        """Mean squares of f - Q along the policy, shape (...)."""
        found: Vector = (critics - self.policy_values) ** 2 @ self.visited
        return found

    @property
    def squares_rounding(self) -> float:
        """Allowance for a mean square of differences of values."""
        return 64 * UNIT_ROUNDOFF * (self.mdp.choices + 8) * (self.largest_value + 1) ** 2 * self.horizon


@dataclass(frozen=True, eq=False)
class Threshold:
    r"""Two states with features 1 and 2, of which the first leads to the second, which stays; nothing is earned.

    Data hold both states alike; the policy starts in the first.

    Parameters
    ----------
    discount
        In [0, 1).
    weight
        Weight :math:`\lambda \ge 0`.
    """

    discount: float
    weight: float

    def __post_init__(self) -> None:
        positive(1 - self.discount, "1 - discount")
        not_negative(self.weight, "weight")

    def __str__(self) -> str:
        return f"discount {self.discount:g}, weight {self.weight:g}"

    @property
    def factor(self) -> float:
        """What a sweep multiplies the critic by."""
        return 3 * self.discount / (2.5 + self.weight * (1 + 3 * self.discount))


@dataclass(frozen=True, eq=False, kw_only=True)
class Acting(DiscountedProcess):
    r"""A run of hybrid actor-critic, and a policy to compare with, which is optimal.

    Parameters
    ----------
    data : array, shape (C,)
        Distribution of the choices in the data.
    weight
        Weight :math:`\lambda \ge 0`; may be inf.
    step
        Step size :math:`\eta > 0`, in 1 / value.
    iterations
        Number of steps >= 1.
    sweeps
        Sweeps of each critic, of which the later half is averaged, >= 2.
    features : array, shape (C, p), optional
        Features of linear critics; a table by default.
    """

    data: Vector
    weight: float
    step: float
    iterations: int
    sweeps: int = 20
    features: Matrix | None = None

    def __post_init__(self) -> None:
        positive(self.step, "step")
        count(self.iterations, "iterations", at_least=1)
        count(self.sweeps, "sweeps", at_least=2)

    def __str__(self) -> str:
        return f"{super().__str__()}, weight {self.weight:g}, step {self.step:.3g}, {self.iterations} iterations"

    @property
    def actions(self) -> int:
        """Largest number A of actions in a state."""
        return int(np.diff(self.mdp.first_choice).max())

    @cached_property
    def comparator(self) -> Vector:
        """Probabilities of the policy to compare with, shape (C,)."""
        return deterministic_policy(self.mdp, self.optimum.policy)

    @cached_property
    def comparator_value(self) -> float:
        """Its value from the start."""
        return float(self.mdp.initial @ discounted_values(self.mdp, self.comparator, self.discount).values)

    @cached_property
    def comparator_visits(self) -> Vector:
        """Its discounted probabilities of choices, shape (C,)."""
        return discounted_occupancy(self.mdp, self.comparator, self.discount).occupancy

    @property
    def sum_rounding(self) -> float:
        """Allowance for a sum of values over the iterations."""
        return 64 * UNIT_ROUNDOFF * (self.iterations + 8) * (self.largest_value + 1) * self.horizon

    def ascent(self, trace: Trace) -> Vector:
        r""":math:`\log A / \eta + \eta t / (8 (1 - \gamma)^2)`."""
        found: Vector = math.log(self.actions) / self.step + self.step * trace.times * self.horizon**2 / 8
        return found

    def residuals(self, trace: Trace) -> tuple[Array, Array]:
        """Residuals T f - f of the critics, and advantages f - <pi, f> of the choices, shapes (T, C)."""
        starts, owner = self.mdp.first_choice[:-1], self.mdp.state_of_choice
        means = np.add.reduceat(np.exp(trace["log_policy"]) * trace["critic"], starts, axis=1)
        backups = self.mdp.rewards + self.discount * (means @ self.laws.T)
        return backups - trace["critic"], trace["critic"] - means[:, owner]

    def visits(self, trace: Trace) -> Matrix:
        """Discounted probabilities of choices of the policies, shape (T, C)."""
        policies = np.exp(trace["log_policy"])
        policies /= np.add.reduceat(policies, self.mdp.first_choice[:-1], axis=1)[:, self.mdp.state_of_choice]
        return np.array([discounted_occupancy(self.mdp, policy, self.discount).occupancy for policy in policies])


@dataclass(frozen=True, eq=False, kw_only=True)
class Lengths(DiscountedProcess):
    """Runs of hybrid actor-critic, each with the step of its length.

    Parameters
    ----------
    data : array, shape (C,)
        Distribution of the choices in the data.
    weight
        Weight of the errors along the policy.
    lengths
        Numbers of iterations.
    """

    data: Vector
    weight: float
    lengths: tuple[int, ...]

    def __str__(self) -> str:
        return f"{super().__str__()}, weight {self.weight:g}, up to {max(self.lengths)} iterations"


def judge(s: Criticism, rng: np.random.Generator) -> Trace:
    """Fit the critic."""
    return hybrid_policy_evaluation(
        s.mdp, s.policy, s.discount, s.data, weight=s.weight, sweeps=s.sweeps, features=s.features
    )


def halve(s: Threshold, rng: np.random.Generator) -> Trace:
    """Fit a linear critic, from 1 and 2."""
    mdp = TabularMDP([[[0.0, 1.0]], [[0.0, 1.0]]], [[0.0], [0.0]], initial=[1.0, 0.0])
    features = np.array([[1.0], [2.0]])
    return hybrid_policy_evaluation(
        mdp, [1, 1], s.discount, [0.5, 0.5], weight=s.weight, sweeps=20, features=features, first=features[:, 0]
    )


def play(s: Acting, rng: np.random.Generator) -> Trace:
    """Run hybrid actor-critic."""
    return hybrid_actor_critic(
        s.mdp,
        s.discount,
        s.data,
        iterations=s.iterations,
        burn_in=s.sweeps // 2,
        kept=s.sweeps - s.sweeps // 2,
        weight=s.weight,
        step=s.step,
        features=s.features,
    )


def play_lengths(s: Lengths, rng: np.random.Generator) -> Trace:
    """Run it for each length."""
    return lengths_with(s, None)


def lengths_with(s: Lengths, step: float | None) -> Trace:
    """Run it with the same step for each length, or with that of the paper."""
    regret, best = [], s.mdp.initial @ s.optimum.values
    for length in s.lengths:
        trace = hybrid_actor_critic(
            s.mdp, s.discount, s.data, iterations=length, burn_in=5, kept=5, weight=s.weight, step=step
        )
        regret.append(length * best - trace.last("earned"))
    return Trace("hybrid actor-critic", np.array(s.lengths), {"regret": (("time",), np.array(regret))})


# Wrong runs, to be told from right ones.


def judge_otherwise(s: Criticism, rng: np.random.Generator) -> Trace:
    """Later rewards count for more than stated."""
    return judge(replace(s, discount=(1 + s.discount) / 2), rng)


def judge_with_half_the_weight(s: Criticism, rng: np.random.Generator) -> Trace:
    """Errors along the policy have half of their weight."""
    return judge(replace(s, weight=s.weight / 2), rng)


def judge_at_once(s: Criticism, rng: np.random.Generator) -> Trace:
    """As many sweeps are dropped as the paper prints, and not as many as are asked for."""
    trace = judge(s, rng)
    critics = trace["critic"].copy()
    critics[:] = critics[min(4 * math.ceil(math.log(1 / s.discount)), s.sweeps)]
    return replace(trace, values={"critic": (("time", "choice"), critics)})


def halve_without_policy(s: Threshold, rng: np.random.Generator) -> Trace:
    """Only data count: temporal differences."""
    return halve(replace(s, weight=0.0), rng)


def halve_below_the_threshold(s: Threshold, rng: np.random.Generator) -> Trace:
    """The weight is half of what convergence takes."""
    return halve(replace(s, weight=max(0.0, (3 * s.discount - 2.5) / (1 + 3 * s.discount) / 2)), rng)


def play_idly(s: Acting, rng: np.random.Generator) -> Trace:
    """The actor hardly moves."""
    return play(replace(s, step=1e-9), rng)


def play_otherwise(s: Acting, rng: np.random.Generator) -> Trace:
    """Later rewards count for more than stated."""
    return play(replace(s, discount=(1 + s.discount) / 2), rng)


def play_lengths_idly(s: Lengths, rng: np.random.Generator) -> Trace:
    """The actor hardly moves."""
    return lengths_with(s, 1e-9)


def path(length: int) -> TabularMDP:
    """States in a row, of which the last pays and stays; there is no choice."""
    laws = np.eye(length + 1)[np.minimum(np.arange(length + 1) + 1, length)][:, None]
    rewards = (np.arange(length + 1) == length).astype(float)[:, None]
    return TabularMDP(laws, rewards, initial=np.eye(length + 1)[0], title=f"path of {length} steps")


def grid_of_critics() -> Iterator[Criticism]:
    """Data of the policy itself, where inequalities are tight, and of others; a path that passes errors on."""
    small = garnet(stream(0, "hac", "small"), 4, 3, 2)
    uniform = uniform_policy(small)
    own = discounted_occupancy(small, uniform, 0.9).occupancy
    other = stream(0, "hac", "data").dirichlet(np.ones(small.choices))
    for weight, data in ((1.0, own), (0.1, other), (3.0, other)):
        yield Criticism(small, 0.9, policy=uniform, data=data, weight=weight)
    yield Criticism(path(20), 0.9, policy=np.ones(21), data=np.full(21, 1 / 21), weight=1e-3)
    lock = combination_lock([1, 0, 1])
    greedy = np.tile([0.25, 0.75], 3)
    yield Criticism(lock, 0.99, policy=greedy, data=np.full(6, 1 / 6), weight=0.5)


def grid_of_classes() -> Iterator[Criticism]:
    """The same, and linear critics of which one has the values of the choices."""
    yield from grid_of_critics()
    for s in list(grid_of_critics())[:2]:
        others = stream(0, "hac", "other critics").random((s.mdp.choices, 3))
        yield replace(s, features=np.column_stack([s.policy_values, others]), note="linear critics")


def grid_of_thresholds() -> Iterator[Threshold]:
    """Weights above the threshold of each discount; the least of them by little."""
    for discount, weight in ((0.95, 0.1), (0.95, 1.0), (0.9, 0.06), (0.99, 0.2)):
        yield Threshold(discount, weight)


def acting(weight: float, iterations: int, *, factor: float, features: bool = False) -> Iterator[Acting]:
    r"""On a lock and a random process, the step :math:`(1 - \gamma) \sqrt{\text{factor} \log A / T}`."""
    for mdp, discount in ((combination_lock([1, 0, 1]), 0.8), (garnet(stream(0, "hac", "run"), 5, 3, 2), 0.7)):
        data = uniform_policy(mdp) / mdp.states
        step = (1 - discount) * math.sqrt(factor * math.log(np.diff(mdp.first_choice).max()) / iterations)
        of_critic = stream(0, "hac", "features").random((mdp.choices, 3)) if features else None
        yield Acting(mdp, discount, data=data, weight=weight, step=step, iterations=iterations, features=of_critic)


def grid_of_actors() -> Iterator[Acting]:
    """Critics from data and along the policy, with the best step."""
    yield from acting(1.0, 200, factor=8.0)


def grid_of_paper_steps() -> Iterator[Acting]:
    """The same with the paper's step."""
    yield from acting(1.0, 2000, factor=1.0)


def grid_of_linear_critics() -> Iterator[Acting]:
    """Critics that err, as their class is too small."""
    yield from acting(1.0, 50, factor=8.0, features=True)


def grid_of_exact_critics() -> Iterator[Acting]:
    """Critics that err nowhere."""
    yield from acting(math.inf, 200, factor=8.0)


def grid_of_lengths() -> Iterator[Lengths]:
    """Gaps so large that the first policies are soon forgotten: elsewhere it takes long until the rate is seen."""
    lengths = tuple(int(length) for length in np.geomspace(100, 3000, 16))
    arms = TabularMDP([[[1.0], [1.0], [1.0]]], [[1.0, 0.0, 0.0]], title="three arms")
    laws = np.array([[[1, 0], [0, 1]], [[1, 0], [0, 1]]])
    two = TabularMDP(laws, [[1.0, 0.0], [1.0, 0.0]], initial=[0, 1], title="two states")
    for mdp in (arms, two):
        yield Lengths(mdp, 0.5, data=uniform_policy(mdp) / mdp.states, weight=1.0, lengths=lengths)


def any_critic() -> "SearchStrategy[Criticism]":
    """Any process, policy, data and weight."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps, discounts, log_uniform, stationary_policies

    @st.composite
    def settings(draw: st.DrawFn) -> Criticism:
        mdp, discount = draw(adverse_mdps(max_states=4)), draw(discounts(0.95))
        data = np.array(draw(st.lists(st.integers(0, 5), min_size=mdp.choices, max_size=mdp.choices)), float)
        data = data / data.sum() if data.any() else np.full(mdp.choices, 1 / mdp.choices)
        policy, weight = draw(stationary_policies(mdp)), draw(log_uniform(0.01, 10.0))
        return Criticism(mdp, discount, policy=policy, data=data, weight=weight, sweeps=10)

    return settings()


def any_threshold() -> "SearchStrategy[Threshold]":
    """Weights above the threshold."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    return st.builds(Threshold, st.floats(0, 0.999), log_uniform(0.126, 10.0))


def any_actor(weights: "SearchStrategy[float]") -> "SearchStrategy[Acting]":
    """Any process with rewards in [0, 1], and any step."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps, discounts, log_uniform

    @st.composite
    def settings(draw: st.DrawFn) -> Acting:
        mdp = draw(adverse_mdps(max_states=3))
        mdp = mdp.with_rewards(mdp.rewards / max(float(mdp.rewards.max()), 1.0))
        data = uniform_policy(mdp) / mdp.states
        discount, step = draw(discounts(0.9)), draw(log_uniform(0.01, 10.0))
        return Acting(mdp, discount, data=data, weight=draw(weights), step=step, iterations=20)

    return settings()


def any_finite_weight() -> "SearchStrategy[Acting]":
    """Any weight but an infinite one."""
    from rltheory.strategies import log_uniform

    return any_actor(log_uniform(0.01, 10.0))


def any_exact_critic() -> "SearchStrategy[Acting]":
    """The infinite weight."""
    from hypothesis import strategies as st

    return any_actor(st.just(math.inf))


REWARDS: Hypotheses = {"rewards lie in $[0, 1]$": lambda s: bool(((s.mdp.rewards >= 0) & (s.mdp.rewards <= 1)).all())}
TABLE: Hypotheses = {"critics are tables": lambda s: s.features is None}
ACTING: Hypotheses = PROCESS | REWARDS | TABLE | {"$\\eta > 0$": BY_CONSTRUCTION}
CRITIC = (
    "$f_k$: the critic of a policy $\\pi$ after $k$ sweeps, from $f_0 = 0$; $\\nu$: distribution of offline "
    "data; $d$: discounted probabilities of the choices under $\\pi$; $Q$: their values; $T f = r + \\gamma P \\langle \\pi, "
    "f \\rangle$"
)
ACTOR = (
    "$f_j$: the critic of $\\pi_j$, any table fitted in sweeps; $\\pi_{j + 1} \\propto \\pi_j e^{\\eta f_j}$ from the "
    "uniform $\\pi_0$; $d^e$: discounted probabilities of the choices under a policy $\\pi^e$, here an optimal one; $A$: "
    "the largest number of actions"
)
VALUES = "$V$: values from the start; $T^\\pi f = r + \\gamma P \\langle \\pi, f \\rangle$"


def mean_advantage(s: Acting, trace: Trace) -> Vector:
    """What the critics say that the comparator would gain, summed over the steps so far."""
    found: Vector = trace["advantages"] @ s.comparator_visits
    return found


def decomposed(s: Acting, trace: Trace) -> Vector:
    """What the critic says that the comparator would gain, and residuals along both policies."""
    residuals, advantages = s.residuals(trace)
    found: Vector = (advantages + residuals) @ s.comparator_visits - (residuals * s.visits(trace)).sum(axis=1)
    return found


CONTRACTION = Theorem(
    name="hac/contraction",
    title="A sweep of the critic shrinks its error along the policy",
    paper=Paper(PAPER, "the critic, Algorithm 2, in a table with exact means"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}_d (f_k - Q)^2 \le \gamma\, \mathbb{E}_d (f_{k - 1} - Q)^2",
    symbols=CRITIC,
    kind=EveryStep(rounding=lambda s: s.squares_rounding),
    hypotheses=PROCESS | TABLE,
    run=judge,
    measured=lambda s, trace: s.online_errors(trace["critic"]),
    bound=lambda s, trace: s.discount * s.online_errors(trace["critic"][[0, *range(s.sweeps)]]),
    since=1,
    settings=grid_of_critics,
    strategy=any_critic,
    controls={"another discount": judge_otherwise},
    remark="Whatever the data and the weight are. The error of a choice shrinks by $\\gamma\\, \\nu / (\\nu + \\lambda d)$ "
    "times a mean over what comes next.",
)

DOUBLE_ROBUSTNESS = Theorem(
    name="hac/double-robustness",
    title="What the critic errs along the policy is at most a quarter of what data tell of it",
    paper=Paper(PAPER, "Lemma 5, whose proof has 1 in place of the quarter"),
    standing=Standing.DERIVED,
    statement=r"\lambda\, \mathbb{E}_d (f_k - Q)^2 \le \frac14\, \mathbb{E}_\nu (Q - T f_{k - 1})^2",
    symbols=CRITIC,
    kind=EveryStep(rounding=lambda s: (1 + s.weight) * s.squares_rounding),
    hypotheses=PROCESS | {"the class holds $Q$": lambda s: s.realisable},
    run=judge,
    measured=lambda s, trace: s.weight * s.online_errors(trace["critic"]),
    bound=lambda s, trace: (
        (s.policy_values - s.backups(trace["critic"][[0, *range(s.sweeps)]])) ** 2 @ np.asarray(s.data) / 4
    ),
    since=1,
    settings=grid_of_classes,
    strategy=any_critic,
    controls={"half of the weight": judge_with_half_the_weight},
    remark="With $\\nu = d$ and $\\lambda = 1$ both sides are equal. It holds for any convex class that contains $Q$, "
    "complete or not.",
)

BURN_IN = Theorem(
    name="hac/burn-in",
    title="The mean of later critics has forgotten where they began",
    paper=Paper(PAPER, "Theorem 1, the number of sweeps that are dropped"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}_d (f_{k} - Q)^2 \le \frac{\gamma^{k}}{(1 - \gamma)^2}",
    symbols=CRITIC,
    kind=EveryStep(rounding=lambda s: s.squares_rounding),
    hypotheses=PROCESS | REWARDS | TABLE,
    run=judge,
    measured=lambda s, trace: s.online_errors(trace["critic"]),
    bound=lambda s, trace: s.discount**trace.times * s.horizon**2,
    settings=grid_of_critics,
    strategy=lambda: any_critic().filter(lambda s: bool((s.mdp.rewards <= 1).all() and (s.mdp.rewards >= 0).all())),
    controls={"as many sweeps as the paper prints": judge_at_once},
    remark="Hence the mean of critics after more than $K_1 = \\log_\\gamma(\\varepsilon (1 - \\gamma)^2)$ sweeps has an error "
    "of at most $\\varepsilon$. The paper's theorem prints $K_1 = 4 \\lceil \\log(1 / \\gamma) \\rceil$, which tends to a "
    "constant for discounts near 1; its proof has a number like this one.",
)

THRESHOLD = Theorem(
    name="hac/threshold",
    title="Where Bellman completeness fails, the errors along the policy need weight for sweeps to converge",
    paper=Paper(PAPER, "on the example of Tsitsiklis and Van Roy"),
    standing=Standing.DERIVED,
    statement=r"f_k(s_1) = \rho^k, \quad \rho = \frac{3 \gamma}{5/2 + \lambda (1 + 3 \gamma)}, \qquad "
    r"\rho < 1 \iff \lambda > \frac{3 \gamma - 5/2}{1 + 3 \gamma}",
    symbols="$f_k$: linear critics with features 1 and 2 of states $s_1$ and $s_2$, from $f_0 = (1, 2)$; $s_1$ leads to "
    "$s_2$, which stays; nothing is earned; data hold both states alike, and the policy starts in $s_1$",
    kind=Identity(rounding=lambda s: 1e-13),
    hypotheses={"$\\lambda > (3 \\gamma - 5/2) / (1 + 3 \\gamma)$": lambda s: s.factor < 1},
    run=halve,
    measured=lambda s, trace: trace["critic"][:, 0],
    bound=lambda s, trace: s.factor**trace.times,
    settings=grid_of_thresholds,
    strategy=any_threshold,
    controls={
        "data only": halve_without_policy,
        "a weight below the threshold": halve_below_the_threshold,
    },
    remark="With data only the critic diverges for discounts above 5/6.",
)

ACTOR_BOUND = Theorem(
    name="hac/actor",
    title="The actor follows its critics nearly as well as any policy would",
    paper=Paper(PAPER, "Lemma 6, with a smaller constant"),
    standing=Standing.DERIVED,
    statement=r"\sum_{j < t} \mathbb{E}_{d^e} \left[f_j - \langle \pi_j, f_j \rangle\right] \le \frac{\log A}{\eta} "
    r"+ \frac{\eta t}{8 (1 - \gamma)^2}",
    symbols=ACTOR,
    kind=EveryStep(rounding=lambda s: s.sum_rounding),
    hypotheses=ACTING,
    run=play,
    measured=mean_advantage,
    bound=lambda s, trace: s.ascent(trace),
    settings=grid_of_actors,
    strategy=any_finite_weight,
    controls={"an actor that hardly moves": play_idly},
    remark="With $\\eta = (1 - \\gamma) \\sqrt{8 \\log A / T}$ this is $\\sqrt{T \\log A / 2} / (1 - \\gamma)$ at $t = T$.",
)

ACTOR_AS_STATED = Theorem(
    name="hac/actor-as-stated",
    title="The actor follows its critics nearly as well as any policy would, as the paper states it",
    paper=Paper(PAPER, "Lemma 6"),
    standing=Standing.SEEN,
    statement=r"\sum_{j < t} \mathbb{E}_{d^e} \left[f_j - \langle \pi_j, f_j \rangle\right] "
    r"\le \frac{2 \sqrt{T \log A}}{1 - \gamma}, \quad t \le T",
    symbols=ACTOR,
    kind=EveryStep(rounding=lambda s: s.sum_rounding),
    hypotheses=ACTING
    | {
        "$\\eta = (1 - \\gamma) \\sqrt{\\log A / T}$": lambda s: math.isclose(
            s.step, math.sqrt(math.log(s.actions) / s.iterations) / s.horizon, rel_tol=1e-9
        )
    },
    run=play,
    measured=mean_advantage,
    bound=lambda s, trace: np.full(trace.times.size, 2 * math.sqrt(s.iterations * math.log(s.actions)) * s.horizon),
    settings=grid_of_paper_steps,
    controls={"an actor that hardly moves": play_idly},
)

DECOMPOSITION = Theorem(
    name="hac/decomposition",
    title="What a policy loses is what its critic promises the better one, and residuals along both",
    paper=Paper(PAPER, "Lemma 3, which is an identity"),
    standing=Standing.DERIVED,
    statement=r"(1 - \gamma) (V^{e} - V^{\pi}) = \mathbb{E}_{d^e} \left[f - \langle \pi, f \rangle\right] "
    r"+ \mathbb{E}_{d^e} \left[T^\pi f - f\right] - \mathbb{E}_{d^\pi} \left[T^\pi f - f\right]",
    symbols=f"{ACTOR}; {VALUES}; the identity holds for any $f$, here for linear critics",
    kind=Identity(rounding=lambda s: s.sum_rounding),
    hypotheses=PROCESS,
    run=play,
    measured=lambda s, trace: (s.comparator_value - trace["value"]) / s.horizon,
    bound=decomposed,
    settings=grid_of_linear_critics,
    strategy=any_finite_weight,
    controls={"another discount": play_otherwise},
)

EXACT_CRITIC = Theorem(
    name="hac/exact-critic",
    title="With exact critics the loss of all policies together grows like the root of their number",
    paper=Paper(PAPER, "Theorem 1, where critics err nowhere"),
    standing=Standing.DERIVED,
    statement=r"\sum_{j < t} (V^{e} - V^{\pi_j}) \le \frac{1}{1 - \gamma} \left[\frac{\log A}{\eta} "
    r"+ \frac{\eta t}{8 (1 - \gamma)^2}\right]",
    symbols=f"{ACTOR}; {VALUES}; here $f_j = Q^{{\\pi_j}}$",
    kind=EveryStep(rounding=lambda s: s.sum_rounding),
    hypotheses=ACTING | {"$\\lambda = \\infty$": lambda s: s.weight == math.inf},
    run=play,
    measured=lambda s, trace: trace.times * s.comparator_value - trace["earned"],
    bound=lambda s, trace: s.ascent(trace) * s.horizon,
    settings=grid_of_exact_critics,
    strategy=any_exact_critic,
    controls={"an actor that hardly moves": play_idly},
    remark="With $\\eta = (1 - \\gamma) \\sqrt{8 \\log A / T}$ this is $\\sqrt{T \\log A / 2} / (1 - \\gamma)^2$ at $t = T$. "
    "With a constant step the loss of $\\pi_t$ falls like $1 / t$, and the sum grows like a logarithm only.",
)

REGRET = Theorem(
    name="hac/regret",
    title="Hybrid actor-critic loses like the root of the number of its iterations",
    paper=Paper(PAPER, "Theorem 1"),
    standing=Standing.RECALLED,
    statement=r"\sum_{t < T} (V^{e} - V^{\pi_t}) \le O\!\left(\frac{\sqrt{T \log A} + \sqrt{\min\{C_{npg}, C_{off}^2\}\, T}}"
    r"{(1 - \gamma)^2}\right)",
    symbols=f"{ACTOR}; {VALUES}; $T$: the number of iterations, for which the step is made; $C_{{off}}^2$ is at most the "
    "largest ratio $d^e / \\nu$, which stands in the bound here, with 1 as the constant of $O$",
    kind=EveryStep(rounding=lambda s: 64 * UNIT_ROUNDOFF * max(s.lengths) * (s.largest_value + 1) * s.horizon),
    hypotheses=PROCESS | REWARDS,
    run=play_lengths,
    measured=lambda s, trace: trace["regret"],
    bound=lambda s, trace: (
        s.horizon**2
        * np.sqrt(trace.times)
        * (
            math.sqrt(math.log(np.diff(s.mdp.first_choice).max()))
            + math.sqrt(
                coverage(
                    discounted_occupancy(s.mdp, deterministic_policy(s.mdp, s.optimum.policy), s.discount).occupancy,
                    s.data,
                )
            )
        )
    ),
    rate=PowerLaw(lambda s: 0.5),
    settings=grid_of_lengths,
    controls={"an actor that hardly moves": play_lengths_idly},
    remark="The paper's critics are fitted to samples, of which it takes $2 T \\log(2 |F| / \\delta) / (1 - \\gamma)^2$ in "
    "each sweep; here means are exact. Each point is a run of its own.",
)
