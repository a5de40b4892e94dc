r"""Mirror descent policy optimisation lies between policy gradient, with one inner step, and the natural gradient."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rltheory.algorithms import mdpo, policy_mirror_descent, softmax_policy_gradient
from rltheory.arrays import Array, positive
from rltheory.instances import combination_lock, garnet, river_swim
from rltheory.simulation import stream
from rltheory.theorems.policy_methods.policy_run import START, PolicyRun, policy_runs
from rltheory.theory import EveryStep, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "tomar2022"
INNER_STEPS = (1, 2, 5, 10, 50, 1000)
MANY = 5_000
FOUR_DIGITS = 1e-4  # in each state the inner steps converge geometrically; so many of them leave less


@dataclass(frozen=True, eq=False)
class Setting(PolicyRun):
    """A run of MDPO, of which `step` is the step of mirror descent.

    Parameters
    ----------
    inner_rate
        Size of the inner steps, > 0.
    """

    iterations: int = 30
    inner_rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.inner_rate, "inner_rate")

    @property
    def path_rounding(self) -> float:
        """What rounding leaves in the values of a run: the policies of all iterations move by the steps times values."""
        moved = self.iterations * (1 + max(self.step, self.inner_rate) * self.largest_value)
        return moved * self.rounding


def play(s: Setting, inner_steps: int) -> Trace:
    """Run MDPO."""
    return mdpo(
        s.mdp,
        s.discount,
        steps=np.full(s.iterations, s.step),
        inner_steps=inner_steps,
        inner_rate=s.inner_rate,
        start=s.start,
    )


def _beside(trace: Trace, other: Trace) -> Trace:
    """A trace with the values of another run of the same length."""
    return replace(trace, values={**trace.values, "other_values": other.values["values"]})


def play_once_beside_gradient(s: Setting, rng: np.random.Generator) -> Trace:
    """MDPO with one inner step, and policy gradient."""
    return _beside_gradient(s, 1)


def play_twice_beside_gradient(s: Setting, rng: np.random.Generator) -> Trace:
    """MDPO with two inner steps, and policy gradient."""
    return _beside_gradient(s, 2)


def _beside_gradient(s: Setting, inner_steps: int) -> Trace:
    step = (1 - s.discount) * s.inner_rate
    gradient = softmax_policy_gradient(s.mdp, s.discount, step=step, iterations=s.iterations - 1, start=s.start)
    return _beside(play(s, inner_steps), gradient)


def play_often_beside_mirror_descent(s: Setting, rng: np.random.Generator) -> Trace:
    """MDPO with many inner steps, and policy mirror descent."""
    return _beside_mirror_descent(s, MANY)


def play_seldom_beside_mirror_descent(s: Setting, rng: np.random.Generator) -> Trace:
    """MDPO with a few inner steps, and policy mirror descent."""
    return _beside_mirror_descent(s, 10)


def _beside_mirror_descent(s: Setting, inner_steps: int) -> Trace:
    steps = np.full(s.iterations, s.step)
    return _beside(play(s, inner_steps), policy_mirror_descent(s.mdp, s.discount, steps=steps, start=s.start))


def sweep(s: Setting, rng: np.random.Generator) -> Trace:
    """Last losses of runs with more and more inner steps; before them that of the first policy."""
    return _swept(s, INNER_STEPS)


def sweep_downwards(s: Setting, rng: np.random.Generator) -> Trace:
    """Last losses of runs with fewer and fewer inner steps."""
    return _swept(s, INNER_STEPS[::-1])


def _swept(s: Setting, numbers: tuple[int, ...]) -> Trace:
    last = np.array([s.losses(np.exp(play(s, number).last("log_policy"))[None]).mean() for number in numbers])
    first = s.losses(np.exp(s.log_first)[None]).mean()
    losses = {"loss": (("time",), last), "fewer": (("time",), np.append(first, last[:-1]))}
    return Trace("MDPO, swept", np.array(INNER_STEPS), losses, clock="inner step")


def grid() -> Iterator[Setting]:
    """Processes of several kinds."""
    yield Setting(garnet(stream(0, "mdpo"), 5, 3, 3), 0.9, step=1.0)
    yield Setting(garnet(stream(0, "policy run", "dense"), 5, 4, 5), 0.5, step=0.3)
    yield Setting(river_swim(4), 0.9, step=3.0)
    yield Setting(combination_lock([1, 0, 1]), 0.8, step=1.0, inner_rate=0.5)


def short_grid() -> Iterator[Setting]:
    """A few iterations on random processes, which visit all states."""
    for name, discount, step in (("one", 0.8, 0.2), ("two", 0.5, 1.0)):
        mdp = garnet(stream(0, "mdpo", name), 4, 3, 3)
        yield Setting(mdp, discount, step=step, iterations=3, inner_rate=2.0)


def any_setting() -> "SearchStrategy[Setting]":
    """Any process and first policy, steps and inner steps of every size."""
    from hypothesis import strategies as st

    from rltheory.strategies import log_uniform

    sizes = log_uniform(0.01, 10)
    return policy_runs(Setting, highest_discount=0.9, iterations=st.just(10), step=sizes, inner_rate=sizes)


def mean_values(trace: Trace, name: str) -> Array:
    """Mean values of a run over the states."""
    return np.asarray(trace[name].mean(axis=1))


RUN = (
    "$\\bar V_k$: the mean of the values of MDPO over the states; $m$: its inner gradient steps, of size $\\alpha$; $t_k$: its "
    "steps of mirror descent"
)

ONE_INNER_STEP = Theorem(
    name="mdpo/one-inner-step",
    title="With one inner step MDPO is policy gradient, whose steps are shorter by 1 - discount",
    paper=Paper(PAPER, "the number of inner steps; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"m = 1 \implies \bar V_k = \bar V_k^{\mathrm{PG}}, \qquad \eta^{\mathrm{PG}} = (1 - \gamma)\, \alpha",
    symbols=RUN + "; $\\bar V_k^{\\mathrm{PG}}$: those of softmax policy gradient, with step $\\eta^{\\mathrm{PG}}$",
    kind=Identity(rounding=lambda s: s.path_rounding),
    hypotheses=START,
    run=play_once_beside_gradient,
    measured=lambda s, trace: mean_values(trace, "values"),
    bound=lambda s, trace: mean_values(trace, "other_values"),
    settings=grid,
    strategy=any_setting,
    controls={"two inner steps": play_twice_beside_gradient},
    remark="The penalty does not enter: its gradient vanishes at the old policy.",
)

MANY_INNER_STEPS = Theorem(
    name="mdpo/many-inner-steps",
    title="With many inner steps MDPO is the natural gradient",
    paper=Paper(PAPER, "the number of inner steps; statement derived here"),
    standing=Standing.DERIVED,
    statement=r"\lim_{m \to \infty} \bar V_k = \bar V_k^{\mathrm{PMD}}, \qquad \eta_k = t_k",
    symbols=RUN + "; $\\bar V_k^{\\mathrm{PMD}}$: those of policy mirror descent with entropy and steps $\\eta_k$; "
    f"measured is $m = {MANY}$",
    kind=Identity(rounding=lambda s: FOUR_DIGITS * s.largest_value),
    hypotheses=START,
    run=play_often_beside_mirror_descent,
    measured=lambda s, trace: mean_values(trace, "values"),
    bound=lambda s, trace: mean_values(trace, "other_values"),
    settings=short_grid,
    controls={"ten inner steps": play_seldom_beside_mirror_descent},
    remark="To four digits, in states that are visited. The surrogate is concave in the policy, and its maximum is a step of "
    "mirror descent; near deterministic policies, gradients in the logits are small, and this takes long.",
)

MORE_INNER_STEPS = Theorem(
    name="mdpo/more-inner-steps",
    title="The more inner steps, the less is lost after as many iterations",
    paper=Paper(PAPER, "experiments on the number of inner steps"),
    standing=Standing.CLAIMED,
    statement=r"\bar V^* - \bar V_K^{(m)} \le \bar V^* - \bar V_K^{(m')} \quad (m > m')",
    symbols=RUN + "; $K = 29$ in the default settings; $m'$: the next smaller of the numbers 1, 2, 5, 10, 50, 1000",
    kind=EveryStep(rounding=lambda s: 8 * s.rounding),
    hypotheses=START,
    run=sweep,
    measured=lambda s, trace: trace["loss"],
    bound=lambda s, trace: trace["fewer"],
    settings=grid,
    controls={"fewer inner steps instead of more": sweep_downwards},
    remark="The authors find it in experiments; it is no theorem, and large inner steps break it.",
)
