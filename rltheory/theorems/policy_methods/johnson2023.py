r"""Policy mirror descent with adaptive steps is as quick as policy iteration: its values contract by the discount.

The step of iteration k is the smallest one that lets decisions lose at most :math:`c_k` against greedy ones, with
:math:`c_k = c_0 \gamma^{2k + 1}`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import adaptive_policy_mirror_descent
from rltheory.arrays import Array, Vector, positive
from rltheory.instances import chain, garnet, machine_replacement, river_swim
from rltheory.problems import TabularMDP
from rltheory.simulation import stream
from rltheory.theorems.discounted.discounted_process import Hypotheses
from rltheory.theorems.policy_methods.policy_run import START, policy_runs
from rltheory.theorems.policy_methods.xiao2022 import Setting, next_policies, policies, values_rounding
from rltheory.theory import EveryStep, Geometric, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "johnson2023"
SMALLEST_LOSS = 1e-12  # below, rounded values decide which choices are greedy


@dataclass(frozen=True, eq=False)
class AdaptiveSetting(Setting):
    """A run with adaptive steps.

    Parameters
    ----------
    loss
        What the first step may lose over the discount, c_0 > 0, in value.
    """

    loss: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.loss, "loss")

    def __str__(self) -> str:
        return f"{self.mdp}, discount {self.discount:g}, first loss {self.loss:g}" + ", Euclidean" * self.euclidean

    @property
    def allowed_losses(self) -> Vector:
        """What the steps may lose, c_k, as far as rounding lets it count."""
        losses = np.asarray(self.loss * self.discount ** (2.0 * np.arange(self.iterations) + 1))
        within = losses >= SMALLEST_LOSS * max(1.0, self.largest_value)
        return losses[: max(1, np.count_nonzero(within))]


def play(s: AdaptiveSetting, rng: np.random.Generator) -> Trace:
    """Run with adaptive steps."""
    return adaptive_policy_mirror_descent(
        s.mdp, s.discount, losses=s.allowed_losses, euclidean=s.euclidean, start=s.start
    )


def play_too_cautiously(s: AdaptiveSetting, rng: np.random.Generator) -> Trace:
    """Every step may lose a million times what is stated."""
    return adaptive_policy_mirror_descent(
        s.mdp, s.discount, losses=1e6 * s.allowed_losses, euclidean=s.euclidean, start=s.start
    )


def grid() -> Iterator[AdaptiveSetting]:
    """Processes of every kind, both geometries, first losses from small to large."""
    yield AdaptiveSetting(river_swim(), 0.95, loss=1e-3)
    yield AdaptiveSetting(chain(), 0.9, loss=1.0)
    yield AdaptiveSetting(machine_replacement(), 0.9, loss=0.1, euclidean=True)
    yield AdaptiveSetting(garnet(stream(0, "policy run", "garnet"), 20, 3, 3), 0.9, loss=10.0)
    yield AdaptiveSetting(garnet(stream(0, "policy run", "dense"), 5, 4, 5), 0.5, loss=0.01, euclidean=True)
    yield corridor()
    yield replace(corridor(), euclidean=True)


def corridor(n: int = 20) -> AdaptiveSetting:
    """A corridor at the end of which each stay pays 1; elsewhere it pays 1e-9, and policies start by staying.

    News of the end travel by one state in each iteration.
    """
    laws = np.zeros((n, 2, n))
    laws[:, 0] = np.eye(n)
    laws[:, 1] = np.eye(n, k=1)
    laws[-1, 1, -1] = 1
    rewards = np.zeros((n, 2))
    rewards[:, 0], rewards[-1] = 1e-9, 1
    start = np.tile([1 - 1e-12, 1e-12], n)
    mdp = TabularMDP(laws, rewards, title=f"corridor of {n} states")
    return AdaptiveSetting(mdp, 0.9, start=start, loss=1e-3)


def any_setting() -> "SearchStrategy[AdaptiveSetting]":
    """Any process and first policy whose future counts, both geometries, first losses of every size."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    runs = policy_runs(AdaptiveSetting, iterations=st.just(100), euclidean=st.booleans(), loss=log_uniform(1e-6, 10))
    return runs.filter(lambda s: s.discount > 0.01)


def largest_loss(s: AdaptiveSetting, probabilities: Array) -> Array:
    """Largest of V* - V over the states."""
    losses: Array = s.losses(probabilities).max(axis=1)
    return losses


FUTURE: Hypotheses = {"$\\gamma > 0$, as $c_k > 0$": lambda s: s.discount > 0}
SYMBOLS = (
    "$V_k$: the values of the policies; $c_k$: what step k may lose, $\\eta_k = \\max_s D(g_k, \\pi_k)_s / c_k$ with the "
    "decision $g_k$ that is greedy for $Q_k$"
)
CAUTIOUS = {"steps that lose a million times more": play_too_cautiously}

ADAPTIVE_STEP = Theorem(
    name="adaptive-pmd/one-step",
    title="A step that loses little against a greedy one contracts by the discount, up to what it loses",
    paper=Paper(PAPER, "convergence of exact policy mirror descent, one step"),
    standing=Standing.DERIVED,
    statement=r"\|V^* - V_{k+1}\|_\infty \le \gamma\, \|V^* - V_k\|_\infty + c_k",
    symbols=SYMBOLS,
    kind=EveryStep(rounding=values_rounding),
    hypotheses=START | FUTURE,
    run=play,
    measured=lambda s, trace: largest_loss(s, next_policies(trace)),
    bound=lambda s, trace: s.discount * largest_loss(s, policies(trace)) + s.allowed_losses[trace.times],
    settings=grid,
    strategy=any_setting,
    controls=CAUTIOUS,
)

ADAPTIVE = Theorem(
    name="adaptive-pmd/linear",
    title="The values converge geometrically, by the discount, whatever the process",
    paper=Paper(PAPER, "convergence of exact policy mirror descent"),
    standing=Standing.DERIVED,
    statement=r"c_k = c_0\, \gamma^{2k + 1} \implies"
    r" \|V^* - V_k\|_\infty \le \gamma^k \Bigl( \|V^* - V_0\|_\infty + \frac{c_0}{1 - \gamma} \Bigr)",
    symbols=SYMBOLS,
    kind=EveryStep(rounding=values_rounding),
    hypotheses=START | FUTURE,
    run=play,
    measured=lambda s, trace: largest_loss(s, policies(trace)),
    bound=lambda s, trace: (
        s.discount**trace.times * (largest_loss(s, np.exp(s.log_first)[None])[0] + s.loss * s.horizon)
    ),
    since=1,
    settings=grid,
    strategy=any_setting,
    controls=CAUTIOUS,
    rate=Geometric(lambda s: s.discount),
    remark="No number of states or actions enters. In a corridor the factor is attained: news of its end travel by one "
    "state in each iteration, as in policy iteration.",
)
