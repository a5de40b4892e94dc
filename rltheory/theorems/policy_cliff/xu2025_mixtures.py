r"""One policy for several rewards: effective rewards, when they are exact, and what a change of weights does.

The effective rewards are :math:`R(s, a) = \sum_k w_k(s) R_k(s, a)`. As the class of a prompt is not seen, the weights of
the posterior make them exact wherever the state tells the prompt.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector, positive
from rltheory.instances import chain, forgetful_mixture, garnet, opposed_bandit, prompt_tree, river_swim
from rltheory.problems import MDP, RewardMixture
from rltheory.simulation import stream
from rltheory.solvers import discounted_values, policy_iteration, soft_policy_iteration, weight_sweep
from rltheory.solvers.occupancy import checked_discount
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Existence, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "xu2025"
DRAWS = 8
WEIGHTS = 101  # of a sweep, from 0 to 1


@dataclass(frozen=True, eq=False)
class MixtureSetting:
    """A process with several rewards, a discount, and a temperature.

    Parameters
    ----------
    mixture
        The process, its K rewards, and where the classes start.
    discount
        In [0, 1).
    temperature
        > 0, in units of reward; of soft policies.
    note
        What is particular about it.
    """

    mixture: RewardMixture
    discount: float
    temperature: float = 1.0
    note: str = ""

    def __post_init__(self) -> None:
        checked_discount(self.discount)
        positive(self.temperature, "temperature")

    def __str__(self) -> str:
        note = f", {self.note}" if self.note else ""
        return f"{self.mixture}, discount {self.discount:g}, temperature {self.temperature:g}{note}"

    @property
    def horizon(self) -> float:
        r"""Effective horizon :math:`1 / (1 - \gamma)`."""
        return 1 / (1 - self.discount)

    @property
    def difference(self) -> Vector:
        """What the second reward pays more than the first, shape (C,)."""
        difference: Vector = self.mixture.rewards[1] - self.mixture.rewards[0]
        return difference

    def between(self, weight: float) -> Vector:
        """Effective rewards with a weight on the second of two classes."""
        return self.mixture.effective_rewards([1 - weight, weight])

    @property
    def resolution(self) -> float:
        """Error of values that float64 can certify, of rewards that are changed by no more than 1 in size.

        As for other processes, some units of a value for each successor, and of log-weights, over the horizon.
        """
        mdp = self.mixture.mdp
        most = float(np.diff(mdp.first_choice).max())
        largest = (float(np.abs(self.mixture.rewards).max()) + 1 + self.temperature * (2 * most + 1)) * self.horizon
        units = mdp.most_successors + 12 + largest / self.temperature
        return 8 * units * UNIT_ROUNDOFF * largest * self.horizon

    def soft_policy(self, rewards: Vector, temperature: float) -> Vector:
        """Soft policy for some rewards, shape (C,)."""
        mdp, accuracy = self.mixture.mdp.with_rewards(rewards), self.resolution
        found = soft_policy_iteration(mdp, self.discount, temperature=temperature, accuracy=accuracy)
        return np.exp(found.log_policy)

    def largest_variation(self, policies: Array, others: Array) -> Array:
        """Total variation between policies, in the state where it is largest; one number for each row."""
        distances = np.add.reduceat(np.abs(policies - others), self.mixture.mdp.first_choice[:-1], axis=-1)
        largest: Array = distances.max(axis=-1) / 2
        return largest


# Runs


def change(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """Draw other rewards and other weights: at first a constant more, then more and less in turns, then random signs."""
    mixture, classes = s.mixture, len(s.mixture.shares)
    base = mixture.effective_rewards(mixture.posterior)
    soft_base = s.soft_policy(base, s.temperature)
    turns = np.broadcast_to((-1.0) ** np.arange(mixture.mdp.choices), mixture.rewards.shape)
    rows = []
    for draw in range(DRAWS):
        signs = turns**draw if draw < 2 else rng.choice([-1.0, 1.0], mixture.rewards.shape)
        change = signs * 0.5**draw
        one = np.where(np.arange(classes)[:, None] == draw % classes, change, 0.0)
        corners = np.eye(classes)[rng.integers(0, classes, mixture.mdp.states)].T
        together = replace(mixture, rewards=mixture.rewards + change).effective_rewards(mixture.posterior)
        alone = replace(mixture, rewards=mixture.rewards + one).effective_rewards(mixture.posterior)
        reweighted = mixture.effective_rewards(corners)
        moves = (together - base, alone - base, reweighted - base)
        rows.append((change, one, corners, *moves, s.soft_policy(together, s.temperature), soft_base))
    names = ("change", "change_of_one", "weights", "together", "alone", "reweighted", "soft", "soft_base")
    kept = {"change": ("class", "choice"), "change_of_one": ("class", "choice"), "weights": ("class", "state")}
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Trace(
        "changed rewards",
        np.arange(DRAWS),
        {name: (("time", *kept.get(name, ("choice",))), column) for name, column in zip(names, columns, strict=True)},
        clock="draw",
    )


def enumerate_classes(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """Draw policies that remember the prompt; their returns class by class, and by the effective rewards."""
    return _returns(s, s.mixture.remembering, rng)


def _returns(s: MixtureSetting, effective: MDP, rng: np.random.Generator) -> Trace:
    mixture, copies = s.mixture, np.flatnonzero(s.mixture.first_law)
    starts = copies + mixture.mdp.states * np.arange(copies.size)
    rows = []
    for _ in range(DRAWS):
        logits = rng.exponential(5.0, effective.choices)
        weights = np.exp(logits - np.maximum.reduceat(logits, effective.first_choice[:-1])[effective.state_of_choice])
        policy = weights / np.add.reduceat(weights, effective.first_choice[:-1])[effective.state_of_choice]
        by_class = 0.0
        for share, law, rewards in zip(mixture.shares, mixture.prompts, mixture.rewards, strict=True):
            own = effective.with_rewards(np.tile(rewards, copies.size))
            by_class += share * float(law[copies] @ discounted_values(own, policy, s.discount).values[starts])
        together = discounted_values(effective, policy, s.discount).values[starts] @ mixture.first_law[copies]
        rows.append((by_class, float(together)))
    by_class, together = np.array(rows).T
    values = {"by_class": (("time",), by_class), "together": (("time",), together)}
    return Trace("policies that remember", np.arange(DRAWS), values, clock="draw")


def weigh_by_shares(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """Solve the process of effective rewards with the shares as weights, and judge the policy by the mixture."""
    return _loss_of_weights(s, np.tile(s.mixture.shares[:, None], s.mixture.mdp.states))


def _loss_of_weights(s: MixtureSetting, weights: Matrix) -> Trace:
    true = s.mixture.remembering
    copies = np.flatnonzero(s.mixture.first_law)
    believed = true.with_rewards(np.concatenate([s.mixture.effective_rewards(weights[:, prompt]) for prompt in copies]))
    made = policy_iteration(believed, s.discount, accuracy=s.resolution).policy
    policy = np.isin(np.arange(true.choices), made).astype(float)
    best = policy_iteration(true, s.discount, accuracy=s.resolution).values @ true.initial
    loss = best - discounted_values(true, policy, s.discount).values @ true.initial
    return Trace("weights", np.zeros(1, np.int64), {"loss": (("time",), np.array([loss]))}, clock="draw")


def sweep_weights(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """Solve the process for many weights, and once for all of them."""
    return _swept(s, 0)


def _swept(s: MixtureSetting, missed: int) -> Trace:
    """Values of single weights, and of a sweep without the last few of its pieces."""
    weights = np.linspace(0, 1, WEIGHTS)
    solved, soft = [], []
    for weight in weights:
        mdp = s.mixture.mdp.with_rewards(s.between(weight))
        solved.append(policy_iteration(mdp, s.discount, accuracy=s.resolution).values)
        soft.append(s.soft_policy(s.between(weight), s.temperature))
    sweep = weight_sweep(s.mixture.mdp, s.mixture.rewards[:2], s.discount)
    kept = max(len(sweep.made) - missed, 1)
    pieces = replace(sweep, intercepts=sweep.intercepts[:kept], slopes=sweep.slopes[:kept])
    return Trace(
        "weights of two rewards",
        np.arange(WEIGHTS),
        {
            "solved": (("time", "state"), np.array(solved)),
            "swept": (("time", "state"), pieces.values(weights)),
            "soft": (("time", "choice"), np.array(soft)),
        },
        clock="weight in 1/100",
    )


def delete_prompts(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """Delete one prompt after the other from a pool of copies; the posterior of what is left."""
    return _deleted(s, lambda counts: RewardMixture.from_counts(s.mixture.mdp, s.mixture.rewards, counts))


def _deleted(s: MixtureSetting, mixed: Callable[[Matrix], RewardMixture]) -> Trace:
    counts = s.mixture.shares[:, None] * s.mixture.prompts
    boundary = np.flatnonzero((counts > 0).sum(axis=0) > 1)
    rows = []
    for prompt in boundary:
        left = counts.copy()
        left[:, prompt] = 0
        elsewhere = np.flatnonzero(left.any(axis=0))
        before = s.mixture.posterior[0, elsewhere]
        rows.append((mixed(left).posterior[0, elsewhere] - before, before))
    furthest = [np.argmax(np.abs(moved)) for moved, _ in rows]
    before = np.array([row[place] for (_, row), place in zip(rows, furthest, strict=True)])
    moved = np.array([row[place] for (row, _), place in zip(rows, furthest, strict=True)])
    values = {"before": (("time",), before), "after": (("time",), before + moved)}
    return Trace("deleted prompts", np.arange(boundary.size), values, clock="deletion")


# Wrong runs, to be told from right ones.


def change_with_weights_twice(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """The classes count twice, and the policies are those of half the temperature."""
    trace = change(s, rng)
    names = ("together", "alone", "reweighted")
    doubled = {name: (("time", "choice"), 2 * trace[name]) for name in names}
    colder = change(replace(s, temperature=s.temperature / 2), rng)
    soft = {name: colder.values[name] for name in ("soft", "soft_base")}
    return replace(trace, values={**trace.values, **doubled, **soft})


def enumerate_classes_by_shares(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """The effective rewards weigh the classes by their shares, whatever the prompt."""
    copies = np.count_nonzero(s.mixture.first_law)
    rewards = np.tile(s.mixture.effective_rewards(s.mixture.shares), copies)
    return _returns(s, s.mixture.remembering.with_rewards(rewards), rng)


def weigh_by_posterior(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """The weights are those of the posterior."""
    return _loss_of_weights(s, s.mixture.posterior)


def sweep_missing_a_piece(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """The last breakpoint is missed."""
    return _swept(s, 1)


def sweep_bent_down(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """Values are those of the worst policy of the sweep."""
    sweep = weight_sweep(s.mixture.mdp, s.mixture.rewards[:2], s.discount)
    trace = sweep_weights(s, rng)
    weights = np.linspace(0, 1, WEIGHTS)[:, None, None]
    lowest = (sweep.intercepts + weights * sweep.slopes).min(axis=1)
    return replace(trace, values={**trace.values, "solved": (("time", "state"), lowest)})


def sweep_at_a_quarter_of_the_temperature(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """Soft policies are those of a quarter of the temperature."""
    return sweep_weights(replace(s, temperature=s.temperature / 4), rng)


def delete_prompts_at_fixed_shares(s: MixtureSetting, rng: np.random.Generator) -> Trace:
    """The shares of the classes are held, so that the laws of prompts are normalised anew."""

    def mixed(counts: Matrix) -> RewardMixture:
        prompts = counts / counts.sum(axis=1, keepdims=True)
        return replace(s.mixture, prompts=prompts)

    return _deleted(s, mixed)


# Settings

POOL = [[30, 20, 5, 0, 0, 0], [0, 0, 5, 25, 5, 0], [0, 0, 0, 0, 10, 40]]  # three domains, two boundary prompts


def random_mixture(mdp: MDP, name: str, classes: int = 2) -> RewardMixture:
    """Random rewards, uniform on [0, 1], shares and prompts."""
    rng = stream(0, "reward mixture", name)
    prompts = rng.dirichlet(np.full(mdp.states, 0.5), classes)
    return RewardMixture(mdp, rng.random((classes, mdp.choices)), rng.dirichlet(np.ones(classes)), prompts)


def apart(mdp: MDP) -> RewardMixture:
    """Two classes that start in different states, one in the first, and one in all others."""
    prompts = np.zeros((2, mdp.states))
    prompts[0, 0], prompts[1, 1:] = 1, 1 / (mdp.states - 1)
    rewards = np.array([np.zeros(mdp.choices), np.ones(mdp.choices)])
    return RewardMixture(mdp, rewards, [0.5, 0.5], prompts)


def grid() -> Iterator[MixtureSetting]:
    """A tree of three domains, prompts that are forgotten, and random mixtures."""
    yield MixtureSetting(prompt_tree(stream(0, "reward mixture", "tree"), POOL), 0.9, 0.5, "three domains")
    yield MixtureSetting(forgetful_mixture(), 0.9)
    yield MixtureSetting(opposed_bandit(1.0, 2.0), 0.0, 5.0)
    yield MixtureSetting(apart(chain(3)), 0.8, 2.0, "classes apart")
    mdp = garnet(stream(0, "reward mixture", "garnet"), 6, 3, 3)
    yield MixtureSetting(random_mixture(mdp, "three", 3), 0.8, 2.0, "random rewards")


def pairs() -> Iterator[MixtureSetting]:
    """Two rewards: margins in closed form, and processes with many breakpoints."""
    yield MixtureSetting(opposed_bandit(1.0, 2.0), 0.0, 0.5)
    yield MixtureSetting(random_mixture(river_swim(4), "river"), 0.9, 1.0, "random rewards")
    mdp = garnet(stream(0, "reward mixture", "pair"), 8, 4, 2)
    yield MixtureSetting(random_mixture(mdp, "pair"), 0.8, 1.0, "random rewards")


def bandits() -> Iterator[MixtureSetting]:
    """Margins that agree, and that do not."""
    yield from (MixtureSetting(opposed_bandit(*margins), 0.0, 0.2) for margins in ((1.0, 1.0), (0.3, 2.0)))


def unequal_prompts() -> Iterator[MixtureSetting]:
    """Mixtures whose prompts tell much of the class."""
    yield MixtureSetting(forgetful_mixture(), 0.9)
    rng = stream(0, "reward mixture", "unequal")
    yield MixtureSetting(prompt_tree(rng, POOL), 0.9, 1.0, "three domains")


def pools() -> Iterator[MixtureSetting]:
    """Trees of three domains with boundary prompts."""
    rng = stream(0, "reward mixture", "pools")
    yield MixtureSetting(prompt_tree(rng, POOL), 0.9, 1.0, "three domains")
    yield MixtureSetting(prompt_tree(rng, [[3, 1, 4, 1, 5], [2, 7, 1, 8, 0]], depth=1), 0.5, 1.0, "two domains")


def any_mixture() -> "SearchStrategy[MixtureSetting]":
    """Adverse processes with two classes of small denominators."""
    from hypothesis import strategies as st

    from rltheory.strategies import adverse_mdps, discounts, log_uniform, policies

    @st.composite
    def settings(draw: st.DrawFn) -> MixtureSetting:
        mdp = draw(adverse_mdps(max_states=4))
        numbers = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=mdp.choices, max_size=mdp.choices)
        rewards = np.array([draw(numbers), draw(numbers)])
        prompts = np.array([draw(policies(mdp.states)), draw(policies(mdp.states))])
        mixture = RewardMixture(mdp, rewards, draw(policies(2)), prompts)
        return MixtureSetting(mixture, draw(discounts(0.9)), draw(log_uniform(0.1, 5.0)))

    return settings()


# Sides


def largest(array: Array) -> Array:
    """Largest absolute entry at each time."""
    found: Array = np.abs(array).reshape(len(array), -1).max(axis=1)
    return found


def means_of_neighbours(trace: Trace) -> Array:
    """Means of the values at both neighbours of a weight, of which the ends are their own; shape (T, S)."""
    values = trace["solved"]
    means: Array = np.concatenate([values[:1], (values[:-2] + values[2:]) / 2, values[-1:]])
    return means


def steps_of_soft(s: MixtureSetting, trace: Trace) -> Array:
    """Largest total variation between the soft policies of a weight and of the one before; 0 at first."""
    moves = s.largest_variation(trace["soft"][1:], trace["soft"][:-1])
    return np.concatenate([np.zeros(1), moves])


def logistic(s: MixtureSetting, trace: Trace) -> Array:
    """Probability of arm 0 of the opposed bandit."""
    second, first = s.mixture.rewards[0, 1], s.mixture.rewards[1, 0]
    weights = trace.times / (WEIGHTS - 1)
    found: Array = 1 / (1 + np.exp((second - weights * (first + second)) / s.temperature))
    return found


def is_opposed_bandit(s: MixtureSetting) -> bool:
    """Whether each of two rewards prefers its own arm."""
    rewards = s.mixture.rewards
    shape = s.mixture.mdp.states == 1 and s.discount == 0 and rewards.shape == (2, 2)
    return shape and bool(rewards[0, 0] == rewards[1, 1] == 0 < min(rewards[0, 1], rewards[1, 0]))


TWO: Hypotheses = {"two classes": lambda s: len(s.mixture.shares) == 2}
ANY: Hypotheses = {"finitely many states, choices and classes; $w$ the posterior": BY_CONSTRUCTION}
EFFECTIVE = (
    "$R = \\sum_k w_k R_k$: the effective rewards; $\\Delta$: differences between two of them; "
    "$w_k(s)$: weights that sum to 1 in each state"
)
SWEEP = "$r_w = (1 - w) R_1 + w R_2$; a unit of the clock is $1/100$ of weight"


def derived(**parts: Any) -> Theorem[MixtureSetting]:
    """Theorem whose constants are derived here, about several rewards."""
    return Theorem(paper=Paper(PAPER, "section 4, on several rewards"), standing=Standing.DERIVED, **parts)


AGGREGATION: Theorem[MixtureSetting] = Theorem(
    name="reward-mixture/aggregation",
    title="Effective rewards move no more than the rewards",
    paper=Paper(PAPER, "section 4, on several rewards"),
    standing=Standing.SEEN,
    statement=r"\| \Delta R \|_\infty \le \max_k \| \Delta R_k \|_\infty",
    symbols=EFFECTIVE,
    kind=EveryStep(rounding=lambda s: s.resolution),
    hypotheses=ANY,
    run=change,
    measured=lambda s, trace: largest(trace["together"]),
    bound=lambda s, trace: largest(trace["change"]),
    settings=grid,
    strategy=any_mixture,
    controls={"classes count twice": change_with_weights_twice},
)

ONE_CLASS = derived(
    name="reward-mixture/one-class",
    title="Where one class changes, its largest weight bounds what moves",
    statement=r"\| \Delta R \|_\infty \le \max_s w_k(s)\, \| \Delta R_k \|_\infty",
    symbols=EFFECTIVE + "; only $R_k$ changes, with $k$ in turns",
    kind=EveryStep(rounding=lambda s: s.resolution),
    hypotheses=ANY,
    run=change,
    measured=lambda s, trace: largest(trace["alone"]),
    bound=lambda s, trace: (np.abs(trace["change_of_one"]).max(axis=2) * s.mixture.posterior.max(axis=1)).max(axis=1),
    settings=grid,
    strategy=any_mixture,
    controls={"classes count twice": change_with_weights_twice},
)

REWEIGHTED = derived(
    name="reward-mixture/weights",
    title="Other weights move effective rewards by no more than classes disagree",
    statement=r"\| \Delta R \|_\infty \le \tfrac12 \max_s \| \Delta w(s) \|_1\, "
    r"\max_{s, a} \big(\max_k R_k(s, a) - \min_k R_k(s, a)\big)",
    symbols=EFFECTIVE,
    kind=EveryStep(rounding=lambda s: s.resolution),
    hypotheses=ANY,
    run=change,
    measured=lambda s, trace: largest(trace["reweighted"]),
    bound=lambda s, trace: (
        np.abs(trace["weights"] - s.mixture.posterior).sum(axis=1).max(axis=1)
        / 2
        * np.ptp(s.mixture.rewards, axis=0).max()
    ),
    settings=grid,
    strategy=any_mixture,
    controls={"classes count twice": change_with_weights_twice},
    remark="A change of the data mixture is a change of the posterior weights, and of nothing else.",
)

SOFT: Theorem[MixtureSetting] = Theorem(
    name="reward-mixture/soft-policy",
    title="The soft policy of a mixture is Lipschitz in all rewards",
    paper=Paper(PAPER, "section 4, on several rewards"),
    standing=Standing.SEEN,
    statement=r"\max_s \mathrm{TV}(\pi(\cdot | s), \pi'(\cdot | s)) \le "
    r"\frac{\max_k \| \Delta R_k \|_\infty}{2 \tau (1 - \gamma)}",
    symbols=EFFECTIVE + "; $\\pi, \\pi'$: the soft policies for both effective rewards",
    kind=EveryStep(rounding=lambda s: 8 * s.resolution / s.temperature),
    hypotheses=ANY,
    run=change,
    measured=lambda s, trace: s.largest_variation(trace["soft"], trace["soft_base"]),
    bound=lambda s, trace: largest(trace["change"]) * s.horizon / (2 * s.temperature),
    trivial=lambda s: 1.0,
    settings=grid,
    strategy=any_mixture,
    controls={"half the temperature": change_with_weights_twice},
)

POSTERIOR = derived(
    name="reward-mixture/posterior",
    title="With the weights of the posterior, and prompts remembered, effective rewards are exact",
    statement=r"\sum_k p_k\, \mathbb{E}_{s_0 \sim D_k}\, V^{\pi(s_0)}_{R_k}(s_0) = "
    r"\mathbb{E}_{s_0 \sim \mu}\, V^{\pi(s_0)}_{R(s_0)}(s_0), \quad w_k(s_0) = \frac{p_k D_k(s_0)}{\mu(s_0)}",
    symbols="$p_k, D_k$: the share of class $k$ and its law of prompts $s_0$; $\\mu = \\sum_k p_k D_k$; $\\pi(s_0)$: any policy "
    "that may depend on the prompt; $R(s_0) = \\sum_k w_k(s_0) R_k$",
    kind=Identity(rounding=lambda s: 8 * s.resolution),
    hypotheses=ANY,
    run=enumerate_classes,
    measured=lambda s, trace: trace["by_class"],
    bound=lambda s, trace: trace["together"],
    settings=grid,
    strategy=any_mixture,
    controls={"shares as weights": enumerate_classes_by_shares},
    remark="So the best policy for the mixture solves one process, whose states are pairs of a prompt and a state. Where the "
    "state contains the prompt, as all histories do, this is the process itself.",
)

SHARES_LOSE = derived(
    name="reward-mixture/shares-lose",
    title="The shares of the classes are wrong weights",
    statement=r"\exists\, (P, R, p, D): \quad \max_\pi J(\pi) - J(\pi_p) > 0, \quad \pi_p \in \mathrm{arg\,max}_\pi V^\pi_{\sum_k p_k R_k}",
    symbols="$J$: the expected return of the mixture; $p$: the shares; prompts are remembered",
    kind=Existence(),
    hypotheses={},
    run=weigh_by_shares,
    measured=lambda s, trace: trace["loss"] > 1000 * s.resolution,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=unequal_prompts,
    controls={"weights of the posterior": weigh_by_posterior},
)

CONVEX = derived(
    name="reward-mixture/convex",
    title="Optimal values are convex in the weight",
    statement=r"V^*_w(s) \le \tfrac12 \big(V^*_{w - h}(s) + V^*_{w + h}(s)\big)",
    symbols=SWEEP
    + ", which is $h$; the bound is shown where it is largest, and the least slack of all states below it",
    kind=EveryStep(rounding=lambda s: 4 * s.resolution),
    hypotheses={**TWO, "rewards $\\ge 0$": lambda s: bool((s.mixture.rewards >= 0).all())},
    run=sweep_weights,
    measured=lambda s, trace: (
        means_of_neighbours(trace).max(axis=1) + (trace["solved"] - means_of_neighbours(trace)).max(axis=1)
    ),
    bound=lambda s, trace: means_of_neighbours(trace).max(axis=1),
    settings=pairs,
    strategy=any_mixture,
    controls={"the worst policy in place of the best": sweep_bent_down},
)

BREAKPOINTS = derived(
    name="reward-mixture/breakpoints",
    title="Stepping from breakpoint to breakpoint misses no optimal policy",
    statement=r"V^*_w(s) = \max_j V^{\pi_j}_w(s)",
    symbols=SWEEP
    + "; $\\pi_j$: the policies between breakpoints; the largest value is shown, and the largest difference of all states below it",
    kind=Identity(rounding=lambda s: 16 * s.resolution),
    hypotheses=TWO,
    run=sweep_weights,
    measured=lambda s, trace: trace["solved"].max(axis=1),
    bound=lambda s, trace: trace["solved"].max(axis=1) - np.abs(trace["solved"] - trace["swept"]).max(axis=1),
    settings=pairs,
    strategy=any_mixture,
    controls={"a missed breakpoint": sweep_missing_a_piece},
)

WEIGHT_SLOPE = derived(
    name="reward-mixture/weight-slope",
    title="Soft policies move with the weight at a bounded speed",
    statement=r"\max_s \mathrm{TV}(\pi_w(\cdot | s), \pi_{w - h}(\cdot | s)) \le "
    r"\frac{h\, \mathrm{osc}(R_2 - R_1)}{4 \tau (1 - \gamma)}",
    symbols=SWEEP + ", which is $h$; $\\pi_w$: the soft policy for $r_w$",
    kind=EveryStep(rounding=lambda s: 8 * s.resolution / s.temperature),
    hypotheses=TWO,
    run=sweep_weights,
    measured=steps_of_soft,
    bound=lambda s, trace: np.full(
        trace.times.size, np.ptp(s.difference) * s.horizon / (4 * s.temperature * (WEIGHTS - 1))
    ),
    settings=pairs,
    strategy=any_mixture,
    controls={"a quarter of the temperature": sweep_at_a_quarter_of_the_temperature},
)

CLIFF = derived(
    name="reward-mixture/cliff",
    title="Between two rewards that disagree, a soft policy is logistic in the weight",
    statement=r"\pi_w(a_1) = \Big(1 + e^{(\delta_2 - w (\delta_1 + \delta_2)) / \tau}\Big)^{-1}",
    symbols=SWEEP + "; a bandit, in which $R_2$ pays $\\delta_1$ for $a_1$ and $R_1$ pays $\\delta_2$ for $a_2$",
    kind=Identity(rounding=lambda s: 8 * s.resolution / s.temperature),
    hypotheses={"a bandit of two arms, each preferred by one reward": is_opposed_bandit},
    run=sweep_weights,
    measured=lambda s, trace: trace["soft"][:, 0],
    bound=logistic,
    settings=bandits,
    controls={"a quarter of the temperature": sweep_at_a_quarter_of_the_temperature},
    remark="The optimal policy jumps at $w = \\delta_2 / (\\delta_1 + \\delta_2)$, where the largest slope of the soft one is "
    "$(\\delta_1 + \\delta_2) / (4 \\tau)$.",
)

DELETION = derived(
    name="reward-mixture/deletion",
    title="To delete prompts from a pool leaves the weights of all others as they are",
    statement=r"w'_k(s_0) = w_k(s_0) \quad \text{for every prompt } s_0 \text{ that is left}",
    symbols="$w, w'$: the posterior weights of the first class before and after all copies of one boundary prompt are "
    "deleted, where they differ most",
    kind=Identity(rounding=lambda s: s.resolution),
    hypotheses={
        "a prompt with copies in several classes, and others in each": lambda s: bool(
            ((s.mixture.prompts > 0).sum(axis=0) > 1).any() and ((s.mixture.prompts > 0).sum(axis=1) > 1).all()
        )
    },
    run=delete_prompts,
    measured=lambda s, trace: trace["after"],
    bound=lambda s, trace: trace["before"],
    settings=pools,
    controls={"shares are held": delete_prompts_at_fixed_shares},
    remark="Where states tell the prompt, the optimal policy elsewhere is then the same. If behaviour changes elsewhere, that "
    "is the work of generalisation or optimisation, not a cliff of the exact map.",
)
