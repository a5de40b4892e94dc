r"""How smooth the return is, and what estimates from single trajectories know of its derivatives.

Rewards lie in [0, 1]. The variance of :math:`\langle u, \nabla \log \pi_\theta \rangle` in a state is at most v for a
unit vector u: 1/2 for softmax policies, :math:`1 / \sigma^2` for Gaussian ones. Sums
:math:`S_t = \sum_{j \le t} \nabla \log \pi_\theta(a_j | s_j)` of scores are martingales, so that
:math:`\mathbb E \langle u, S_t \rangle^2 \le v (t + 1)`; and as means of rewards do not matter for derivatives, rewards
may be taken to lie in [-1/2, 1/2].
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rltheory.algorithms.discounted.trajectory_gradients import (
    Trajectory,
    add_gradient,
    add_hessian_product,
    empty_trajectory,
    likelihood_ratio,
    prepare,
)
from rltheory.arrays import Array, Matrix, Vector, count
from rltheory.instances import garnet, river_swim
from rltheory.problems import SoftmaxPolicies, TabularMDP
from rltheory.simulation import stream
from rltheory.solvers import ParametricReturn
from rltheory.theorems.discounted.discounted_process import discounted_processes
from rltheory.theorems.policy_methods.fatkhullin2023 import value_rounding
from rltheory.theorems.policy_methods.parametric_process import (
    SETTING,
    SOFTMAX,
    ParametricProcess,
    any_process,
    bandit,
    drawn,
    processes,
    sweep,
)
from rltheory.theory import EveryStep, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "fatkhullin2023"


# Smoothness.


def derivatives(s: ParametricProcess, parameters: Array) -> Trace:
    """Norms of the gradient and of the Hessian."""
    gradients = s.objective.evaluate(parameters).gradient
    hessians = np.array([np.linalg.norm(s.objective.hessian(point), 2) for point in parameters])
    return sweep("derivatives", gradient=np.linalg.norm(gradients, axis=-1), hessian=hessians)


def differentiate(s: ParametricProcess, rng: np.random.Generator) -> Trace:
    """Derivatives at drawn parameters, zero among them."""
    return derivatives(s, np.vstack([np.zeros(s.policies.parameters), drawn(s, rng)]))


def look_further(s: ParametricProcess) -> ParametricProcess:
    """The same process with an effective horizon four times as long."""
    return replace(s, discount=(3 + s.discount) / 4)


def differentiate_further(s: ParametricProcess, rng: np.random.Generator) -> Trace:
    """Derivatives of the return over a longer horizon."""
    return differentiate(look_further(s), rng)


DERIVATIVES = (
    "$J$: the discounted return; $v$: 1/2 for softmax policies, $1 / \\sigma^2$ for Gaussian ones; norms are Euclidean"
)
FURTHER = {"a longer horizon": differentiate_further}

GRADIENT_NORM = Theorem(
    name="stochastic-pg/gradient-norm",
    title="Gradients of the return are bounded, whatever the process",
    paper=Paper(PAPER, "Lipschitz constant of the return, tabular softmax policies; constant derived here"),
    standing=Standing.DERIVED,
    statement=r"\|\nabla J(\theta)\| \le \frac{\sqrt v}{2 (1 - \gamma)^{3/2}}",
    symbols=DERIVATIVES,
    kind=EveryStep(rounding=lambda s: value_rounding(s) * np.sqrt(s.spread)),
    hypotheses=SETTING,
    run=differentiate,
    measured=lambda s, trace: trace["gradient"],
    bound=lambda s, trace: np.full(trace.times.size, np.sqrt(s.spread) * s.horizon**1.5 / 2),
    settings=processes,
    strategy=any_process,
    controls=FURTHER,
    remark="A bandit of two arms attains it for softmax policies; a threshold comes within a fifth for Gaussian ones.",
)

HESSIAN_NORM = Theorem(
    name="stochastic-pg/hessian-norm",
    title="The return is smooth, whatever the process",
    paper=Paper(PAPER, "smoothness of the return, tabular softmax policies; constant derived here"),
    standing=Standing.DERIVED,
    statement=r"\|\nabla^2 J(\theta)\| \le \frac{v}{(1 - \gamma)^2}",
    symbols=DERIVATIVES,
    kind=EveryStep(rounding=lambda s: 10 * value_rounding(s) * s.spread * s.horizon),
    hypotheses=SETTING,
    run=differentiate,
    measured=lambda s, trace: trace["hessian"],
    bound=lambda s, trace: np.full(trace.times.size, s.smoothness),
    settings=processes,
    strategy=any_process,
    controls=FURTHER,
    remark="For softmax policies $8 / (1 - \\gamma)^3$ is often quoted; this is $1 / (2 (1 - \\gamma)^2)$.",
)


# Truncation.

HORIZONS = np.array([1, 2, 3, 5, 8, 12, 20, 30, 50])


def truncate(s: ParametricProcess, rng: np.random.Generator) -> Trace:
    """Distances of the gradients of truncated returns to that of the return."""
    point = drawn(s, rng)[0]
    whole = s.objective.evaluate(point).gradient
    left = [np.linalg.norm(whole - s.objective.truncated_gradient(point, int(length))) for length in HORIZONS]
    return Trace("truncation", HORIZONS, {"left": (("time",), np.array(left))}, clock="step")


def truncate_early(s: ParametricProcess, rng: np.random.Generator) -> Trace:
    """Returns are cut ten steps too early."""
    point = drawn(s, rng)[0]
    whole = s.objective.evaluate(point).gradient
    cut = [max(int(length) - 10, 0) for length in HORIZONS]
    left = [np.linalg.norm(whole - s.objective.truncated_gradient(point, length)) for length in cut]
    return Trace("truncation", HORIZONS, {"left": (("time",), np.array(left))}, clock="step")


TRUNCATION = Theorem(
    name="stochastic-pg/truncation",
    title="Trajectories of finite length cost a gradient little",
    paper=Paper(PAPER, "bias of truncated gradients; constant improved here"),
    standing=Standing.DERIVED,
    statement=r"\|\nabla J - \nabla J_H\| \le \frac{\gamma^H}{2 (1 - \gamma)} \sqrt{v\, \Bigl(H + \frac{1}{1 - \gamma}\Bigr)}",
    symbols=DERIVATIVES + "; $J_H$: the discounted sum of the first H rewards",
    kind=EveryStep(rounding=lambda s: value_rounding(s) * np.sqrt(s.spread)),
    hypotheses=SETTING,
    run=truncate,
    measured=lambda s, trace: trace["left"],
    bound=lambda s, trace: s.discount**trace.times * s.horizon / 2 * np.sqrt(s.spread * (trace.times + s.horizon)),
    settings=processes,
    strategy=any_process,
    controls={"ten steps too short": truncate_early},
    remark="Without the factor 1/2, which centred rewards give, it is the bound of the literature. At $H = 0$ it is "
    "that on the gradient.",
)


# Second moments, exactly.

LENGTH = 40


class Moments(NamedTuple):
    """Moments of the return G and of the estimate g of its gradient, from each state."""

    value: Vector  # (S,) E G
    square: Vector  # (S,) E G^2
    mean: Matrix  # (S, P) E g
    mixed: Matrix  # (S, P) E G g
    second: Vector  # (S,) E |g|^2


def second_moment(objective: ParametricReturn, parameters: Vector, length: int) -> float:
    r"""Second moment :math:`\mathbb E \|g\|^2` of the estimate of GPOMDP, by a recursion over the steps to go.

    With the score z of the first action, :math:`g = z\, G + \gamma g'` and :math:`G = r + \gamma G'`.
    """
    policies, mdp = objective.policies, objective.policies.mdp
    atoms = policies.atoms(parameters)
    scores = policies.scores(parameters, atoms.states, atoms.actions)
    made = atoms.weights[:, None] * policies.made(atoms.states, atoms.actions)
    by_choice, by_square = np.zeros((2, mdp.states, mdp.choices))  # sums of 1, |z|^2 and z over what makes a choice
    by_score = np.zeros((mdp.states, policies.parameters, mdp.choices))
    np.add.at(by_score, atoms.states, scores[:, :, None] * made[:, None])
    np.add.at(by_square, atoms.states, (scores**2).sum(axis=1)[:, None] * made)
    np.add.at(by_choice, atoms.states, made)
    laws, rewards, discount = objective.laws, mdp.rewards, objective.discount
    zeros = np.zeros((mdp.states, policies.parameters))
    now = Moments(np.zeros(mdp.states), np.zeros(mdp.states), zeros, zeros, np.zeros(mdp.states))
    for _ in range(count(length, "length")):
        value = rewards + discount * laws @ now.value
        square = rewards**2 + 2 * discount * rewards * (laws @ now.value) + discount**2 * (laws @ now.square)
        after = laws @ now.mean
        mixed = rewards[:, None] * after + discount * (laws @ now.mixed)
        now = Moments(
            value=by_choice @ value,
            square=by_choice @ square,
            mean=by_score @ value + discount * by_choice @ after,
            mixed=by_score @ square + discount * by_choice @ mixed,
            second=by_square @ square
            + 2 * discount * np.einsum("spc,cp->s", by_score, mixed)
            + discount**2 * by_choice @ (laws @ now.second),
        )
    return float(mdp.initial @ now.second)


def spread_of_estimates(s: ParametricProcess, rng: np.random.Generator) -> Trace:
    """Second moments at drawn parameters."""
    points = np.vstack([np.zeros(s.policies.parameters), drawn(s, rng)])
    moments = [second_moment(s.objective, point, LENGTH) for point in points]
    return sweep("second moments", second=np.array(moments))


def spread_further(s: ParametricProcess, rng: np.random.Generator) -> Trace:
    """Second moments over a longer horizon."""
    return spread_of_estimates(look_further(s), rng)


def largest_score(s: ParametricProcess) -> float:
    """Largest mean square of a score in a state."""
    return 1 - 1 / float(np.diff(s.mdp.first_choice).max()) if s.is_softmax else s.deviation**-2


SECOND_MOMENT = Theorem(
    name="stochastic-pg/second-moment",
    title="Estimates of the gradient from one trajectory have a bounded second moment",
    paper=Paper(PAPER, "variance of the estimate; constant derived here"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, \|g(\tau, \theta)\|^2 \le \frac{G^2}{(1 - \gamma)^3}",
    symbols="$g$: the estimate of GPOMDP from one trajectory of 40 steps, or of any other length; $G^2$: $1 - 1/A$ for "
    "softmax policies with up to A actions, $1 / \\sigma^2$ for Gaussian policies; the left side is exact",
    kind=EveryStep(rounding=lambda s: 10 * value_rounding(s) * s.horizon**2 * largest_score(s)),
    hypotheses=SETTING,
    run=spread_of_estimates,
    measured=lambda s, trace: trace["second"],
    bound=lambda s, trace: np.full(trace.times.size, largest_score(s) * s.horizon**3),
    settings=processes,
    strategy=any_process,
    controls={"a longer horizon": spread_further},
    remark="At $\\gamma = 0$ and rewards of 1 it is attained: rewards that do not depend on anything make noise.",
)


# Unbiasedness, by enumeration.


@dataclass(frozen=True, eq=False)
class Enumerated(ParametricProcess):
    """A process so small that all its trajectories of some length can be listed."""

    length: int = 3

    def __str__(self) -> str:
        return f"{super().__str__()}, all trajectories of {self.length} steps"


def trajectories(s: Enumerated, policy: Vector) -> Iterator[tuple[float, Trajectory]]:
    """All trajectories, each with its probability; the same room is used for all."""
    room = empty_trajectory(s.policies, s.discount, s.length)

    def from_state(t: int, state: int, probability: float) -> Iterator[tuple[float, Trajectory]]:
        if t == s.length:
            yield probability, room
            return
        for choice in np.flatnonzero(s.mdp.state_of_choice == state):
            for successor in np.flatnonzero(s.laws[choice]):
                room.states[t], room.actions[t], room.rewards[t] = state, choice, s.mdp.rewards[choice]
                reached = probability * policy[choice] * s.laws[choice, successor]
                yield from from_state(t + 1, int(successor), reached)

    for state in np.flatnonzero(s.mdp.initial):
        yield from from_state(0, int(state), float(s.mdp.initial[state]))


def tied_in_time(s: Enumerated) -> tuple[ParametricReturn, Matrix]:
    """The process with states that know the time, which ends after the last step, and the map to its parameters."""
    states, length = s.mdp.states, s.length
    sizes = np.diff(s.mdp.first_choice)
    allowed = np.tile(np.arange(sizes.max()) < sizes[:, None], (length, 1))
    end = states * length
    laws = np.zeros((end + 1, sizes.max(), end + 1))
    rewards = np.zeros((end + 1, sizes.max()))
    laws[end, 0, end] = 1
    for t in range(length):
        here = slice(states * t, states * (t + 1))
        block, paid = np.zeros((states, sizes.max(), states)), np.zeros((states, sizes.max()))
        block[allowed[here]], paid[allowed[here]] = s.laws, s.mdp.rewards
        rewards[here] = paid
        if t + 1 < length:
            laws[here, :, states * (t + 1) : states * (t + 2)] = block
        else:
            laws[here, :, end] = 1
    unrolled = TabularMDP(
        laws,
        rewards,
        allowed=np.vstack([allowed, np.arange(sizes.max()) == 0]),
        initial=np.append(s.mdp.initial, np.zeros(end + 1 - states)),
    )
    copies = np.vstack([np.tile(np.eye(s.mdp.choices), (length, 1)), np.zeros((1, s.mdp.choices))])
    return ParametricReturn(SoftmaxPolicies(unrolled), s.discount), copies


def expect(
    s: Enumerated, rng: np.random.Generator, *, forget_future: bool = False, forget_likelihood: bool = False
) -> Trace:
    """Expectations of the estimates over all trajectories, and what they are to be."""
    point, other, vector = drawn(s, rng, 3)
    policies, size = s.policies, s.policies.parameters
    policy, other_policy = np.empty((2, s.mdp.choices))
    prepare(policies.arrays, point, policy)
    prepare(policies.arrays, other, other_policy)
    causal, whole, weighted, product = np.zeros((4, size))
    for probability, trajectory in trajectories(s, policy):
        gradient = np.zeros(size)
        if forget_future:
            trajectory.rewards[1:] = 0
        add_gradient(policies.arrays, point, policy, trajectory, True, 1.0, gradient)
        causal += probability * gradient
        add_gradient(policies.arrays, point, policy, trajectory, False, probability, whole)
        ratio = likelihood_ratio(policies.arrays, point, policy, other, other_policy, trajectory)
        ratio = 1.0 if forget_likelihood else ratio
        add_gradient(policies.arrays, other, other_policy, trajectory, True, probability * ratio, weighted)
        within = np.zeros(size) if forget_likelihood else gradient
        add_hessian_product(policies.arrays, point, policy, trajectory, vector, within, probability, product)
    unrolled, copies = tied_in_time(s)
    return sweep(
        "expectations",
        clock="parameter",
        causal=causal,
        whole=whole,
        weighted=weighted,
        product=product,
        gradient=s.objective.truncated_gradient(point, s.length),
        other_gradient=s.objective.truncated_gradient(other, s.length),
        hessian=copies.T @ unrolled.hessian(copies @ point) @ copies @ vector,
    )


def expect_all(s: Enumerated, rng: np.random.Generator) -> Trace:
    """Expectations of the estimates."""
    return expect(s, rng)


def expect_without_future(s: Enumerated, rng: np.random.Generator) -> Trace:
    """Only the first reward counts."""
    return expect(s, rng, forget_future=True)


def expect_without_likelihood(s: Enumerated, rng: np.random.Generator) -> Trace:
    """The probability of the trajectory is taken for a constant."""
    return expect(s, rng, forget_likelihood=True)


def tiny() -> Iterator[Enumerated]:
    """Few states and choices."""
    yield Enumerated(bandit((1.0, 0.2, 0.5)), 0.5, length=3)
    yield Enumerated(river_swim(3), 0.9, length=4, scale=2.0)
    yield Enumerated(garnet(stream(0, "stochastic-pg", "tiny"), 3, 2, 2), 0.8, length=4)


def any_tiny() -> "SearchStrategy[Enumerated]":
    """Adverse processes of two states."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    return discounted_processes(
        Enumerated, highest_discount=0.95, max_states=2, scale=log_uniform(0.1, 5), length=st.integers(1, 3)
    )


ESTIMATES = (
    "$\\tau$: a trajectory of H steps; $J_H$: the discounted sum of its rewards in expectation; $G_t = \\sum_{h \\ge t} "
    "\\gamma^h r_h$; all trajectories are enumerated, and the estimates are those of the compiled algorithms"
)
NO_FUTURE = {"only the first reward counts": expect_without_future}
NO_LIKELIHOOD = {"the probability of a trajectory taken for a constant": expect_without_likelihood}

GPOMDP = Theorem(
    name="stochastic-pg/gpomdp-unbiased",
    title="The estimate of GPOMDP is right in expectation",
    paper=Paper("baxter2001", "estimator with returns from each step on"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E} \sum_{t < H} G_t\, \nabla \log \pi_\theta(a_t | s_t) = \nabla J_H(\theta)",
    symbols=ESTIMATES,
    kind=Identity(rounding=value_rounding),
    hypotheses=SETTING | SOFTMAX,
    run=expect_all,
    measured=lambda s, trace: trace["causal"],
    bound=lambda s, trace: trace["gradient"],
    settings=tiny,
    strategy=any_tiny,
    controls=NO_FUTURE,
)

REINFORCE = Theorem(
    name="stochastic-pg/reinforce-unbiased",
    title="The estimate of REINFORCE is right in expectation",
    paper=Paper("williams1992", "the estimator, for trajectories"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}\, G_0 \sum_{t < H} \nabla \log \pi_\theta(a_t | s_t) = \nabla J_H(\theta)",
    symbols=ESTIMATES,
    kind=Identity(rounding=value_rounding),
    hypotheses=SETTING | SOFTMAX,
    run=expect_all,
    measured=lambda s, trace: trace["whole"],
    bound=lambda s, trace: trace["gradient"],
    settings=tiny,
    strategy=any_tiny,
    controls=NO_FUTURE,
)

WEIGHTED = Theorem(
    name="stochastic-pg/weighted-unbiased",
    title="Trajectories of one policy, weighted by likelihood ratios, estimate the gradient at another",
    paper=Paper("papini2018", "importance weights of the variance-reduced estimate"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E}_{\tau \sim p_\theta} \frac{p_{\theta'}(\tau)}{p_\theta(\tau)}\, g(\tau, \theta') = \nabla J_H(\theta')",
    symbols=ESTIMATES + "; $g$: the estimate of GPOMDP",
    kind=Identity(rounding=value_rounding),
    hypotheses=SETTING | SOFTMAX,
    run=expect_all,
    measured=lambda s, trace: trace["weighted"],
    bound=lambda s, trace: trace["other_gradient"],
    settings=tiny,
    strategy=any_tiny,
    controls=NO_LIKELIHOOD,
)

HESSIAN = Theorem(
    name="stochastic-pg/hessian-unbiased",
    title="The estimate of a Hessian-vector product is right in expectation",
    paper=Paper(PAPER, "Hessian-aided estimator"),
    standing=Standing.DERIVED,
    statement=r"\mathbb{E} \bigl[\nabla \langle g(\tau, \theta), u \rangle + \langle \nabla \log p_\theta(\tau), u \rangle\,"
    r" g(\tau, \theta)\bigr] = \nabla^2 J_H(\theta)\, u",
    symbols=ESTIMATES + "; $g$: the estimate of GPOMDP; $u$: any vector",
    kind=Identity(rounding=lambda s: 10 * value_rounding(s) * s.length * (1 + s.scale)),
    hypotheses=SETTING | SOFTMAX,
    run=expect_all,
    measured=lambda s, trace: trace["product"],
    bound=lambda s, trace: trace["hessian"],
    settings=tiny,
    strategy=any_tiny,
    controls=NO_FUTURE | NO_LIKELIHOOD,
    remark="The right side is exact too: the process whose states know the time is stationary, and its Hessian is summed "
    "over the copies of each parameter.",
)
