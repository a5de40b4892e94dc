r"""Optimistic actor-critics on tables, taken apart: what critics err, what actors miss, and the mixture of policies.

Values f of choices at H stages are a critic, with :math:`f_{H+1} = 0`; :math:`(T f)_h(c) = r_c + \langle p_c,
\max f_{h+1} \rangle` is its backup, and :math:`(T^\pi f)_h(c) = r_c + \langle p_c, \langle \pi_{h+1}, f_{h+1} \rangle
\rangle` the one along a policy.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms.average_reward.ucrl import confidence
from rltheory.algorithms.episodes.audited_nora import audited_nora
from rltheory.algorithms.episodes.nora import boltzmann
from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector, count, distribution, float_array
from rltheory.instances import diabolical_lock, random_episodes
from rltheory.measures import action_gaps, finite_horizon_suboptimality
from rltheory.problems import FiniteHorizonMDP
from rltheory.simulation import stream
from rltheory.solvers import backward_induction, finite_horizon_occupancy
from rltheory.theorems.episodes.tan2025 import (
    PAPER,
    PROCESS,
    SIZES,
    Learning,
    any_learning,
    arms,
    tracking_constant,
    trap,
)
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Identity, Paper, Standing, Theorem, WithProbability
from rltheory.trace import Trace, record_times

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True, eq=False)
class Judgement:
    """A process, a critic, and the direction in which policies go.

    Parameters
    ----------
    problem
        The process, H stages, C choices.
    critic : array, shape (H, C)
        Values f.
    logits : array, shape (H, C)
        Policies are proportional to exponentials of their multiples.
    """

    problem: FiniteHorizonMDP
    critic: Matrix
    logits: Matrix

    def __post_init__(self) -> None:
        shape = (self.problem.horizon, self.problem.choices)
        for name in ("critic", "logits"):
            values = float_array(getattr(self, name), name, ndim=2)
            if values.shape != shape:
                raise ValueError(f"{name} has shape {values.shape}; give a number for each stage and choice, {shape}")
            object.__setattr__(self, name, values)

    def __str__(self) -> str:
        return f"{self.problem}, critic up to {self.critic.max():.3g}"

    @property
    def rounding(self) -> float:
        """Allowance for sums over stages, states and successors of critics and values."""
        largest = float(np.abs(self.critic).max()) + sum(
            float(np.abs(mdp.rewards).max()) for mdp in self.problem.stages
        )
        return 32 * UNIT_ROUNDOFF * self.problem.horizon * (self.problem.horizon + self.problem.choices) * largest


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws from a law.

    Parameters
    ----------
    law : array, shape (S,)
        The law p.
    number
        How often it is drawn from, N >= 1.
    delta
        In (0, 1).
    """

    law: Vector
    number: int
    delta: float = 0.05

    def __post_init__(self) -> None:
        object.__setattr__(self, "law", distribution(self.law, np.size(self.law), "law"))
        count(self.number, "number", at_least=1)
        confidence(self.delta)

    def __str__(self) -> str:
        return f"{self.number} draws of {self.law.size} states, delta {self.delta:g}"


STEEPNESS = np.append(0.0, 2.0 ** np.arange(-3, 4))


def policy_of(s: Judgement, steepness: float) -> Matrix:
    """Policy with probabilities in proportion to exponentials of the logits times the steepness."""
    first_choice = s.problem.stages[0].first_choice
    policy = np.empty_like(s.critic)
    boltzmann(first_choice, -action_gaps(s.problem.stages[0], s.logits), steepness, policy)
    return policy


def expected(s: Judgement, f: Matrix, policy: Matrix) -> Matrix:
    """Means of a critic under a policy, in each state: shape (H, S)."""
    found: Matrix = np.add.reduceat(policy * f, s.problem.stages[0].first_choice[:-1], axis=1)
    return found


def errors(s: Judgement, values: Matrix) -> Matrix:
    """``f - r - P V`` for values V of states, shape (H, S), of which each stage takes those of the next."""
    later = np.vstack([values[1:], np.zeros_like(values[:1])])
    backups = [mdp.rewards + mdp.transition_matrix @ ahead for mdp, ahead in zip(s.problem.stages, later, strict=True)]
    found: Matrix = s.critic - np.array(backups)
    return found


def judge(s: Judgement, rng: np.random.Generator) -> Trace:
    """Sum up, for policies from uniform to almost deterministic ones, what the two identities speak of."""
    return judged(s)


def judged(s: Judgement, *, along_policy: bool = False, own_states: bool = False) -> Trace:
    """Sum up; wrongly with backups along the policy, or with missed values where the policy itself leads."""
    optimal, mdp = backward_induction(s.problem), s.problem.stages[0]
    best = np.maximum.reduceat(s.critic, mdp.first_choice[:-1], axis=1)
    of_best = finite_horizon_occupancy(s.problem, optimal.policy).occupancy
    rows = []
    for steepness in STEEPNESS:
        policy = policy_of(s, steepness)
        own = finite_horizon_occupancy(s.problem, policy).occupancy
        lost, mean = finite_horizon_suboptimality(s.problem, policy), expected(s, s.critic, policy)
        promised = s.problem.initial @ best[0] - (s.problem.initial @ optimal.values[0] - lost)
        error = errors(s, mean if along_policy else best)
        misses = (own * action_gaps(mdp, s.critic)).sum()
        along, where = errors(s, mean), own if own_states else of_best
        states = np.add.reduceat(where, mdp.first_choice[:-1], axis=1)[:, mdp.state_of_choice]
        ascends = (states * (optimal.policy - policy) * s.critic).sum()
        rows.append(
            (promised, (own * error).sum(), misses, lost, ascends, (of_best * along).sum(), (own * along).sum())
        )
    names = ["promised", "errs", "misses", "lost", "ascends", "errs_along_best", "errs_along_own"]
    arrays = {name: (("time",), np.array(row)) for name, row in zip(names, zip(*rows, strict=True), strict=True)}
    return Trace("softmax policies", np.arange(STEEPNESS.size), arrays, clock="policy")


def deviate(s: Draws, rng: np.random.Generator) -> Trace:
    """Draw, and measure how far the empirical law is from the true one."""
    return deviation_of(s, s.law, rng)


def deviation_of(s: Draws, law: Vector, rng: np.random.Generator) -> Trace:
    """Draw from a law of one's own."""
    times = record_times(s.number)[1:]
    drawn = rng.choice(law.size, size=s.number, p=law)
    counts = np.array([np.bincount(drawn[:n], minlength=law.size) for n in times])
    distance = np.abs(counts / times[:, None] - s.law).sum(axis=1)
    return Trace("empirical law", times, {"distance": (("time",), distance)}, clock="draw")


def audit(s: Learning, rng: np.random.Generator) -> Trace:
    """Run NORA, and keep books."""
    return audited_nora(s.problem, episodes=s.episodes, eta=s.eta, delta=s.delta, rng=rng)


# Wrong runs, to be told from right ones.


def judge_along_policy(s: Judgement, rng: np.random.Generator) -> Trace:
    """Backups follow the policy, in place of the best choices."""
    return judged(s, along_policy=True)


def judge_where_policy_leads(s: Judgement, rng: np.random.Generator) -> Trace:
    """What is missed is weighed by the states of the policy, in place of those of the optimal one."""
    return judged(s, own_states=True)


def deviate_from_another(s: Draws, rng: np.random.Generator) -> Trace:
    """The draws come from the uniform law."""
    return deviation_of(s, np.full(s.law.size, 1 / s.law.size), rng)


def audit_without_bonus(s: Learning, rng: np.random.Generator) -> Trace:
    """Critics are made without bonuses."""
    return audited_nora(s.problem, episodes=s.episodes, eta=s.eta, delta=s.delta, bonus=0.0, rng=rng)


def audit_without_resets(s: Learning, rng: np.random.Generator) -> Trace:
    """The actor adds up what all critics have said."""
    return audited_nora(s.problem, episodes=s.episodes, eta=s.eta, delta=s.delta, resets=False, rng=rng)


def audit_with_plain_step(s: Learning, rng: np.random.Generator) -> Trace:
    """The step is that of mirror ascent without resets, for all episodes: much too small."""
    eta = math.sqrt(math.log(max(s.actions, 2)) / (s.problem.horizon**2 * s.episodes))
    return audited_nora(s.problem, episodes=s.episodes, eta=eta, delta=s.delta, rng=rng)


def audit_of_blend(s: Learning, rng: np.random.Generator) -> Trace:
    """The mixture is taken in each state by itself, whichever policies lead there."""
    trace = audit(s, rng)
    return Trace(trace.algorithm, trace.times, {**trace.values, "mixture": trace.values["blend"]}, clock=trace.clock)


def grid_of_judgements() -> Iterator[Judgement]:
    """Random critics of random processes, of a lock and of a trap."""
    rng = stream(0, "nora", "judgements")
    for problem in (
        random_episodes(rng, 4, 3, 3),
        diabolical_lock(rng, 4, 3),
        trap(),
        FiniteHorizonMDP.stationary(random_episodes(rng, 3, 2, 2).stages[0], 5),
    ):
        shape = (problem.horizon, problem.choices)
        yield Judgement(problem, problem.horizon * rng.random(shape), rng.normal(size=shape))


def grid_of_draws() -> Iterator[Draws]:
    """A coin, a biased one, and laws on more states."""
    for law in ([0.5, 0.5], [0.9, 0.1], np.full(3, 1 / 3), [0.6, 0.1, 0.1, 0.1, 0.1]):
        yield Draws(np.array(law), 500)


def grid_of_audits() -> Iterator[Learning]:
    """Arms that are alike, arms that are easy, a lock, a trap and a random process."""
    yield Learning(arms(np.zeros(3)), 20_000, 100.0)
    yield Learning(arms(np.array([1.0, 0.0])), 5000, 100.0)
    yield Learning(diabolical_lock(stream(0, "nora", "lock"), 3, 2), 2000, 1.0)
    yield Learning(trap(), 4000, 100.0)
    yield Learning(random_episodes(stream(0, "nora", "random"), 4, 2, 3), 500, 1.0)


def grid_of_critics() -> Iterator[Learning]:
    """Short runs: a lock, a trap and a random process."""
    yield Learning(diabolical_lock(stream(0, "nora", "lock"), 3, 2), 300, 1.0)
    yield Learning(trap(), 300, 100.0)
    yield Learning(random_episodes(stream(0, "nora", "random"), 4, 2, 3), 300, 1.0)


def any_judgement() -> "SearchStrategy[Judgement]":
    """Any critic of any small process, with values up to 10."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps

    @st.composite
    def settings(draw: st.DrawFn) -> Judgement:
        problem = FiniteHorizonMDP.stationary(draw(adverse_mdps(max_states=4)), draw(st.integers(1, 4)))
        numbers = st.lists(st.floats(-10, 10), min_size=problem.choices, max_size=problem.choices)
        critic, logits = (
            np.array(draw(st.lists(numbers, min_size=problem.horizon, max_size=problem.horizon))) for _ in range(2)
        )
        return Judgement(problem, critic, logits)

    return settings()


def any_draws() -> "SearchStrategy[Draws]":
    """Any law on up to six states, drawn from up to 300 times."""
    from hypothesis import strategies as st

    from rltheory.strategies import policies

    return st.builds(Draws, st.integers(1, 6).flatmap(policies), st.integers(1, 300), st.floats(0.01, 0.5))


def bracket(s: Learning, trace: Trace) -> Array:
    r""":math:`H (H + 1) / 2 + (H \kappa_A / \eta) (1 + \log t)`: what the actor misses at most between two changes."""
    horizon = s.problem.horizon
    later = horizon * tracking_constant(s.actions) / s.eta * (1 + np.log(np.maximum(trace.times, 1)))
    found: Array = horizon * (horizon + 1) / 2 + later
    return found


IDENTITY_SYMBOLS = (
    "$f$: any numbers for choices at $H$ stages, $f_{H + 1} = 0$; $\\mathbb{E}_\\pi$: the mean over what $\\pi$ does; "
    "$V_1$, $\\max f_1$: in the mean over the first state"
)

JUDGED_BY_ONE = Theorem(
    name="nora/value-identity",
    title="What a critic promises too much is what it errs, and what the actor misses, where the actor goes",
    paper=Paper(PAPER, "the decomposition of regret for a critic of the optimal policy"),
    standing=Standing.DERIVED,
    statement=r"\max f_1 - V_1^\pi = \sum_h \mathbb{E}_\pi [f_h - (T f)_h] + \sum_h \mathbb{E}_\pi [\max f_h - \langle \pi_h, f_h \rangle]",
    symbols=IDENTITY_SYMBOLS + "; $(T f)_h = r + P \\max f_{h + 1}$",
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses={"finitely many states and stages": BY_CONSTRUCTION},
    run=judge,
    measured=lambda s, trace: trace["promised"],
    bound=lambda s, trace: trace["errs"] + trace["misses"],
    settings=grid_of_judgements,
    strategy=any_judgement,
    controls={"backups along the policy": judge_along_policy},
    remark="If $T f \\le f$, then $V_1^* \\le \\max f_1$, and the right side bounds what the policy loses. Only one policy "
    "appears in it, so that it does not matter how its states change from episode to episode.",
)

JUDGED_BY_TWO = Theorem(
    name="douhua/value-identity",
    title="What a policy loses is what it misses where the optimal one goes, and errors of the critic on either way",
    paper=Paper("cai2020", "the decomposition of regret, for any critic"),
    standing=Standing.DERIVED,
    statement=r"V_1^* - V_1^\pi = \sum_h \mathbb{E}_{\pi^*} \langle \pi_h^* - \pi_h, f_h \rangle "
    r"+ \sum_h \mathbb{E}_{\pi^*} [(T^\pi f)_h - f_h] - \sum_h \mathbb{E}_\pi [(T^\pi f)_h - f_h]",
    symbols=IDENTITY_SYMBOLS + "; $(T^\\pi f)_h = r + P \\langle \\pi_{h + 1}, f_{h + 1} \\rangle$; $\\pi^*$: optimal",
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses=JUDGED_BY_ONE.hypotheses,
    run=judge,
    measured=lambda s, trace: trace["lost"],
    bound=lambda s, trace: trace["ascends"] - trace["errs_along_best"] + trace["errs_along_own"],
    settings=grid_of_judgements,
    strategy=any_judgement,
    controls={"weighed where the policy leads": judge_where_policy_leads},
    remark="Any policy can take the place of the optimal one. The first sum is over states of the optimal policy, which "
    "stay the same: there mirror ascent, state by state, misses little.",
)

DEVIATION = Theorem(
    name="nora/deviation",
    title="Empirical laws are close to the true one, at all times at once",
    paper=Paper("weissman2003", "the inequality for the first norm, with a union over times"),
    standing=Standing.DERIVED,
    statement=r"\|\hat p_n - p\|_1 \le \sqrt{\frac{2 (S \log 2 + \log(N / \delta))}{n}} \quad \text{for all } n \le N",
    symbols="$\\hat p_n$: shares of $S$ states in $n$ draws from $p$",
    kind=WithProbability(rounding=lambda s: 4 * UNIT_ROUNDOFF * s.law.size, delta=lambda s: s.delta),
    hypotheses={"independent draws": BY_CONSTRUCTION},
    run=deviate,
    measured=lambda s, trace: trace["distance"],
    bound=lambda s, trace: np.sqrt(2 * (s.law.size * math.log(2) + math.log(s.number / s.delta)) / trace.times),
    trivial=lambda s: 2.0,
    settings=grid_of_draws,
    strategy=any_draws,
    controls={"draws from another law": deviate_from_another},
    remark="Bonuses of NORA and DOUHUA are half the span of a value function times this, with one more union, over "
    "choices and stages.",
)

SANDWICH = Theorem(
    name="nora/sandwich",
    title="NORA's critics are optimistic, by at most two bonuses",
    paper=Paper(PAPER, "optimism of the critic, on tables and with bonuses"),
    standing=Standing.DERIVED,
    statement=r"\left| f_h - (T f)_h - b_h \right| \le b_h \quad \text{for all choices, stages } h < H \text{ and critics } f",
    symbols="$f$: the critics of $T$ episodes; $b_h$: their bonuses at stage $h$, and $(H - h) / 2$ for choices never made",
    kind=WithProbability(
        rounding=lambda s: 64 * UNIT_ROUNDOFF * s.problem.horizon * s.problem.states * s.episodes,
        delta=lambda s: s.delta,
    ),
    hypotheses=PROCESS,
    run=audit,
    measured=lambda s, trace: trace["off"],
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=grid_of_critics,
    strategy=any_learning,
    controls={"no bonus": audit_without_bonus},
    remark="Both sides are divided by $b_h$, and the largest ratio up to now counts. It is 1 where nothing is known, as "
    "there both $f$ and $T f$ are as large as they can be. At stage $H$ critics are exact.",
)

TRACKING_SUM = Theorem(
    name="nora/tracking-sum",
    title="What NORA's actor misses in all grows with the number of changes, and hardly with that of episodes",
    paper=Paper(PAPER, "the actor of NORA over all changes of its critic"),
    standing=Standing.DERIVED,
    statement=r"\sum_{k \le t} \sum_h \mathbb{E}_{\pi_k} [\max f_h - \langle \pi_{k, h}, f_h \rangle] \le (N_t + 1) "
    r"\left[\frac{H (H + 1)}{2} + \frac{H \kappa_A}{\eta} (1 + \log t)\right]",
    symbols="$f$: the critic in force in episode $k$; $N_t$: how often it has changed in $t$ episodes; "
    f"$\\kappa_A = W((A - 1) / e)$ with $A$ the largest number of actions; {SIZES}",
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=audit,
    measured=lambda s, trace: trace["missed"],
    bound=lambda s, trace: (trace["switches"] + 1) * bracket(s, trace),
    since=1,
    settings=grid_of_audits,
    strategy=any_learning,
    controls={"no reset": audit_without_resets, "plain step": audit_with_plain_step},
    remark="The plain step is $\\sqrt{\\log A / (H^2 T)}$: it would be right for an actor that never starts again, and "
    "with it the bracket is worth nothing. An actor without resets has to unlearn what earlier critics said; where "
    "arms are alike that takes longer and longer.",
)

MIXTURE = Theorem(
    name="nora/mixture",
    title="The mixture of the policies of all episodes loses the regret over their number",
    paper=Paper(PAPER, "from regret to the sample complexity"),
    standing=Standing.DERIVED,
    statement=r"V_1^* - V_1^{\bar\pi_t} = \frac{\mathrm{Reg}_t}{t}, \qquad "
    r"\bar\pi_{t, h}(c | s) \propto \sum_{k \le t} \mathbb{P}_{\pi_k}(c \text{ is made at stage } h)",
    symbols="$\\pi_k$: the policy of episode $k$; $\\mathrm{Reg}_t$: what the first $t$ of them lose in all",
    kind=Identity(rounding=lambda s: 256 * UNIT_ROUNDOFF * s.problem.horizon**2 * (s.problem.states + s.episodes)),
    hypotheses=PROCESS,
    run=audit,
    measured=lambda s, trace: trace["mixture"],
    bound=lambda s, trace: trace["regret"] / np.maximum(trace.times, 1),
    since=1,
    settings=grid_of_audits,
    strategy=any_learning,
    controls={"mixed state by state": audit_of_blend},
    remark="To draw one of the policies and to follow it for an episode does the same. Where a bound on the regret is at "
    "most $\\varepsilon t$, the mixture is $\\varepsilon$-optimal: $\\sqrt t$ in the regret becomes $1 / \\varepsilon^2$ "
    "episodes.",
)
