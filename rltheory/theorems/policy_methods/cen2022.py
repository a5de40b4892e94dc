r"""The natural gradient with entropy converges geometrically from the first step on, and faster in the end.

The global factor is :math:`1 - \tilde\eta \tau`. Near the optimum, logarithms contract by
:math:`\beta = 1 - \tilde\eta \tau / (1 - \gamma)`, and values by its square.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rltheory.arrays import Array
from rltheory.theorems.discounted.discounted_process import (
    PROCESS,
    DiscountedProcess,
    Hypotheses,
    discounted_processes,
    processes,
)
from rltheory.theorems.policy_methods.entropy_run import (
    ENTROPY,
    HALF_WAY,
    NO_ENTROPY,
    RUN,
    STILL,
    EntropyRun,
    any_entropy_run,
    entropy_processes,
    play,
)
from rltheory.theory import BY_CONSTRUCTION, EveryStep, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAPER = "cen2022"
AMPLITUDE = 1e-6  # of the differences of logarithms on which runs near the optimum start
SHRINKAGE = 20.0  # beyond, rounding would show
THREE_DIGITS = 1e-3  # what is neglected there is of the order of the amplitude, times some horizon


class Setting(EntropyRun):
    """A run of the natural gradient with entropy."""


def grid() -> Iterator[Setting]:
    """Processes of every kind."""
    return entropy_processes(Setting)


def any_setting() -> "SearchStrategy[Setting]":
    """Any run."""
    return any_entropy_run(Setting)


def first_distance(s: Setting, trace: Trace) -> float:
    """The constant C_1."""
    off = np.abs(trace["action_values"][0] - s.soft_optimum[1]).max()
    return float(off + 2 * s.keep * s.temperature * s.log_distances(s.log_first[None])[0])


def stated(s: Setting, trace: Trace) -> Array:
    """C_1 times the powers of the factor."""
    return np.asarray(first_distance(s, trace) * s.factor**trace.times)


def next_action_value_distance(s: Setting, trace: Trace) -> Array:
    """Largest difference of Q_{k+1} from the optimal values of choices."""
    lost: Array = s.discount * (s.soft_losses(trace["log_next"]) @ s.laws.T).max(axis=1)
    return lost


CONSTANT = "; $C_1 = \\|Q^*_\\tau - Q_0\\| + 2 \\tau \\beta\\, \\|\\log \\pi^*_\\tau - \\log \\pi_0\\|$"
GLOBAL = "It is a bound from any start; the pace near the optimum is that of `entropy-npg/policy-factor`. "

ACTION_VALUES = Theorem(
    name="entropy-npg/action-values",
    title="With entropy the values of choices converge geometrically, from any start",
    paper=Paper(PAPER, "theorem 1"),
    standing=Standing.DERIVED,
    statement=r"\|Q^*_\tau - Q_{k+1}\| \le C_1\, \gamma\, (1 - \tilde\eta \tau)^k",
    symbols=RUN + CONSTANT,
    kind=EveryStep(rounding=lambda s: s.value_rounding),
    hypotheses=ENTROPY,
    run=play,
    measured=next_action_value_distance,
    bound=lambda s, trace: s.discount * stated(s, trace),
    settings=grid,
    strategy=any_setting,
    controls=NO_ENTROPY | STILL,
    remark=GLOBAL,
)

LOG_POLICY = Theorem(
    name="entropy-npg/log-policy",
    title="With entropy all log-probabilities converge geometrically, from any start",
    paper=Paper(PAPER, "theorem 1"),
    standing=Standing.DERIVED,
    statement=r"\|\log \pi^*_\tau - \log \pi_{k+1}\| \le \frac{2 C_1}{\tau}\, (1 - \tilde\eta \tau)^k",
    symbols=RUN + CONSTANT,
    kind=EveryStep(rounding=lambda s: s.distance_rounding),
    hypotheses=ENTROPY,
    run=play,
    measured=lambda s, trace: s.log_distances(trace["log_next"]),
    bound=lambda s, trace: 2 / s.temperature * stated(s, trace),
    settings=grid,
    strategy=any_setting,
    controls=NO_ENTROPY | STILL,
    remark=GLOBAL,
)

VALUES = Theorem(
    name="entropy-npg/values",
    title="With entropy the values converge geometrically, from any start",
    paper=Paper(PAPER, "theorem 1; constant improved here"),
    standing=Standing.DERIVED,
    statement=r"\|V^*_\tau - V_{k+1}\| \le C_1\, (1 - \tilde\eta \tau)^k",
    symbols=RUN + CONSTANT,
    kind=EveryStep(rounding=lambda s: s.value_rounding),
    hypotheses=ENTROPY,
    run=play,
    measured=lambda s, trace: s.soft_losses(trace["log_next"]).max(axis=1),
    bound=stated,
    settings=grid,
    strategy=any_setting,
    controls=NO_ENTROPY | STILL,
    remark="The constant known for this is $3 C_1$. " + GLOBAL,
)

# Near the optimum


@dataclass(frozen=True, eq=False)
class NearOptimum(EntropyRun):
    """A run whose first logarithms differ from the optimal ones by waves of amplitude 1e-6 over the choices.

    It ends before the differences have shrunk by more than `SHRINKAGE`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        iterations = math.log(SHRINKAGE) / -math.log(max(self.keep, 1 / SHRINKAGE))
        object.__setattr__(self, "iterations", min(int(iterations + 1e-9), 20))
        wave = AMPLITUDE * np.cos(1 + 2.0 * np.arange(self.mdp.choices))
        object.__setattr__(self, "start", np.exp(self.softmax(self.log_optimum + wave)))


def near_grid() -> Iterator[NearOptimum]:
    """Processes of every kind, weights of the old logarithms that are not 0."""
    return (s for s in entropy_processes(NearOptimum) if s.keep > 0)


def distance_factor(s: NearOptimum, trace: Trace) -> Array:
    """Quotients of successive distances of the logarithms, where the first is clear of rounding."""
    return s.log_distances(trace["log_next"]) / s.log_distances(trace["log_policy"])


def loss_factor(s: NearOptimum, trace: Trace) -> Array:
    """Quotients of successive mean losses."""
    later, now = (s.soft_losses(trace[name]).mean(axis=1) for name in ("log_next", "log_policy"))
    return np.asarray(later / now)


NEARBY: Hypotheses = ENTROPY | {
    "a start that differs from the optimum by waves of amplitude $10^{-6}$": BY_CONSTRUCTION,
    "$\\beta \\ge 0.1$": lambda s: s.keep >= 0.1,
}
SECOND_ORDER = "To three digits: what is of second order in the first difference is neglected. "

POLICY_FACTOR = Theorem(
    name="entropy-npg/policy-factor",
    title="Near the optimum an iteration shrinks the differences of logarithms by the weight of the old ones",
    paper=Paper(PAPER, "the method; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{\|\log \pi_{k+1} - \log \pi^*_\tau\|}{\|\log \pi_k - \log \pi^*_\tau\|} = \beta",
    symbols=RUN,
    kind=Identity(rounding=lambda s: THREE_DIGITS * s.keep),
    hypotheses=NEARBY,
    run=play,
    measured=distance_factor,
    bound=lambda s, trace: np.full(trace.times.size, s.keep),
    settings=near_grid,
    controls=HALF_WAY,
    remark=SECOND_ORDER + "$Q_k - Q^*_\\tau$ is of second order, as $V_\\tau$ is stationary at its maximum. The global "
    "factor $1 - (1 - \\gamma)(1 - \\beta)$ is much nearer to 1: do not read it off runs.",
)

VALUE_FACTOR = Theorem(
    name="entropy-npg/value-factor",
    title="Near the optimum an iteration shrinks the loss by the square of the weight of the old logarithms",
    paper=Paper(PAPER, "the method; local analysis derived here"),
    standing=Standing.DERIVED,
    statement=r"\frac{\sum_s \rho(s) (V^*_\tau - V_{k+1})(s)}{\sum_s \rho(s) (V^*_\tau - V_k)(s)} = \beta^2",
    symbols=RUN + "; $\\rho$: uniform",
    kind=Identity(rounding=lambda s: THREE_DIGITS * s.keep**2),
    hypotheses=NEARBY,
    run=play,
    measured=loss_factor,
    bound=lambda s, trace: np.full(trace.times.size, s.keep**2),
    settings=near_grid,
    controls=HALF_WAY,
    remark=SECOND_ORDER + "With $\\beta = 0$ convergence is quadratic.",
)

# The price of the entropy


@dataclass(frozen=True, eq=False)
class Tempered(DiscountedProcess):
    """A process at a sweep of temperatures, from high to low."""

    @property
    def temperatures(self) -> Array:
        """Temperatures, in units of the largest reward."""
        largest = max(float(np.abs(self.mdp.rewards).max()), 1e-300)
        return np.asarray(largest * np.geomspace(10, 0.01, 7))


def temper(s: Tempered, rng: np.random.Generator) -> Trace:
    """What the policies that are optimal with entropy lose without it, one after the other."""
    return _tempered(s, s.temperatures)


def temper_too_hot(s: Tempered, rng: np.random.Generator) -> Trace:
    """The temperatures are a hundred times as high as stated."""
    return _tempered(s, 100 * s.temperatures)


def _tempered(s: Tempered, temperatures: Array) -> Trace:
    runs = [EntropyRun(s.mdp, s.discount, temperature=float(temperature)) for temperature in temperatures]
    losses = np.array([run.losses(np.exp(run.log_optimum)[None]).max() for run in runs])
    return Trace("temperatures", np.arange(len(runs)), {"loss": (("time",), losses)}, clock="draw")


def tempered_grid() -> Iterator[Tempered]:
    """Processes of every kind."""
    return (Tempered(*pair) for pair in processes())


def any_tempered() -> "SearchStrategy[Tempered]":
    """Any process."""
    return discounted_processes(Tempered, highest_discount=0.9)


PRICE = Theorem(
    name="entropy-npg/price",
    title="The policy that is optimal with entropy loses little without it, at low temperatures",
    paper=Paper(PAPER, "the bias of entropy regularisation"),
    standing=Standing.DERIVED,
    statement=r"\|V^* - V^{\pi^*_\tau}\| \le \frac{\tau \log A}{1 - \gamma}",
    symbols="$\\pi^*_\\tau$: the policy that is optimal with entropy; $A$: the largest number of actions in a state",
    kind=EveryStep(rounding=lambda s: 8 * s.rounding + 1e-9 * s.largest_value),
    hypotheses=PROCESS,
    run=temper,
    measured=lambda s, trace: trace["loss"],
    bound=lambda s, trace: s.temperatures * np.log(np.diff(s.mdp.first_choice).max()) * s.horizon,
    settings=tempered_grid,
    strategy=any_tempered,
    controls={"temperatures a hundred times as high": temper_too_hot},
    remark="Halving the temperature whenever the regularised problem is solved to the order of $\\tau$ hence finds a policy "
    "of loss $\\varepsilon$ in a number of iterations of the order of $\\log(1 / \\varepsilon)$.",
)
