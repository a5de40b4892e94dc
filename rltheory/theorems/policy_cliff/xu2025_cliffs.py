r"""The policy cliff: at ties, arbitrarily small changes of the rewards change the policy by as much as possible.

The witnesses are explicit. Rewards that prescribe optimal values (the inverse Bellman map) single out any of the tied
choices, and so does a single reward that is raised.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.arrays import UNIT_ROUNDOFF, Array, Matrix, Vector, count, float_array
from rltheory.instances import bandit, outcome_tree, reward_of_action_values, tied_mdp, two_branches
from rltheory.measures import action_gaps
from rltheory.problems import MDP, TabularMDP
from rltheory.problems.mdp import Indices
from rltheory.simulation import stream
from rltheory.theorems.discounted.discounted_process import PROCESS, Hypotheses, discounted_processes, processes
from rltheory.theorems.policy_cliff.xu2025 import (
    BRANCHES,
    GAPS,
    MOVED,
    PAPER,
    PerturbedProcess,
    any_perturbation,
    optimal_choices,
    with_directions,
)
from rltheory.theory import EveryStep, Existence, Identity, Paper, Standing, Theorem
from rltheory.trace import Trace

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SHARES = np.array([0.9, 0.03, 1e-3])  # of the distance within which no choice becomes optimal


# Settings


@dataclass(frozen=True, eq=False)
class TiedProcess(PerturbedProcess):
    """A discounted process, choices of a state that tie, and a way to select one of them.

    Parameters
    ----------
    among : array of int, optional
        Choices that are to be optimal: each is paid what it lacks, on top of its reward, if that is more than rounding.
        None by default.
    state
        The state of the tie.
    selection : array, shape (m,), optional
        Probabilities of the m optimal choices of the state; uniform by default.
    """

    among: ArrayLike | None = None
    state: int = 0
    selection: ArrayLike | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if count(self.state, "state") >= self.mdp.states:
            raise ValueError(f"state is {self.state}; there are states 0 to {self.mdp.states - 1}")
        if self.selection is not None:
            object.__setattr__(self, "selection", float_array(self.selection, "selection", ndim=1))
        if self.among is not None:
            self._tie(np.asarray(self.among))

    def _tie(self, choices: Indices) -> None:
        """Pay the choices what they lack. Values of states are as before, and so is what other choices lack."""
        if not np.isin(choices, np.arange(self.mdp.choices)).all():
            raise ValueError(f"among is {choices}; there are choices 0 to {self.mdp.choices - 1}")
        lacks = action_gaps(self.mdp, self.solved(self.mdp.rewards))[choices]
        if (lacks > self.rounding).any():
            rewards = self.mdp.rewards.copy()
            rewards[choices] += lacks
            object.__setattr__(self, "mdp", self.mdp.with_rewards(rewards))

    @cached_property
    def tied(self) -> Indices:
        """Optimal choices of the state."""
        optimal = np.flatnonzero(self.hemicontinuity.optimal)
        tied: Indices = optimal[self.mdp.state_of_choice[optimal] == self.state]
        return tied

    @cached_property
    def chosen(self) -> Vector:
        """Probabilities of all choices of the process in the state, shape (C,)."""
        chosen = np.zeros(self.mdp.choices)
        chosen[self.tied] = 1 / self.tied.size if self.selection is None else np.asarray(self.selection)
        return chosen

    @property
    def selects(self) -> bool:
        """Whether the selection is a distribution on the optimal choices."""
        if self.selection is None:
            return True
        given = np.asarray(self.selection)
        return given.size == self.tied.size and bool((given >= 0).all()) and abs(given.sum() - 1) <= 1e-12

    @property
    def tells_bumps(self) -> bool:
        """Whether the smallest perturbation, over the horizon, is clear of rounding."""
        return float(SHARES[-1]) * self.reach > 4 * self.horizon * self.rounding

    @property
    def perturbation_rounding(self) -> float:
        """Allowance for a change of the rewards, which is the difference of two rewards made of values."""
        return 16 * UNIT_ROUNDOFF * (self.mdp.most_successors + 4) * self.scale


# Runs


def _single_out(s: TiedProcess, targets: Indices, perturbations: Matrix) -> Trace:
    """Solve the process under perturbations of several sizes, each of which is to single out a target."""
    solved = np.array([[s.solved(s.mdp.rewards + perturbation) for perturbation in row] for row in perturbations])
    return Trace(
        "tied choices singled out",
        np.arange(len(solved)),
        {
            "size": (("time",), SHARES * s.reach),
            "target": (("time", "target"), np.broadcast_to(targets, solved.shape[:2])),
            "perturbation": (("time", "target", "choice"), perturbations),
            "action_values": (("time", "target", "choice"), solved),
        },
        clock="perturbation",
    )


def prescribe(s: TiedProcess, rng: np.random.Generator) -> Trace:
    """Prescribe the old optimal values, but for one of the tied choices, which is worth a bit more."""
    return _prescribe(s, 1.0)


def prescribe_less(s: TiedProcess, rng: np.random.Generator) -> Trace:
    """The choice is worth a bit less."""
    return _prescribe(s, -1.0)


def prescribe_more(s: TiedProcess, rng: np.random.Generator) -> Trace:
    """The choice is worth twice as much more as is recorded."""
    return _prescribe(s, 2.0)


def _prescribe(s: TiedProcess, factor: float) -> Trace:
    raised = factor * (SHARES * s.reach)[:, None, None] * np.eye(s.mdp.choices)[s.tied]
    before = reward_of_action_values(s.mdp, s.discount, s.action_values_before)
    perturbations = [
        [reward_of_action_values(s.mdp, s.discount, s.action_values_before + raise_) - before for raise_ in row]
        for row in raised
    ]
    return _single_out(s, s.tied, np.array(perturbations))


def bump(s: TiedProcess, rng: np.random.Generator) -> Trace:
    """Raise a single reward."""
    return _bump(s, s.tied, 1.0)


def bump_half(s: TiedProcess, rng: np.random.Generator) -> Trace:
    """The reward is raised by half as much as is recorded."""
    return _bump(s, s.tied, 0.5)


def bump_nothing(s: TiedProcess, rng: np.random.Generator) -> Trace:
    """No reward is raised."""
    return _bump(s, s.tied, 0.0)


def bump_likeliest(s: TiedProcess, rng: np.random.Generator) -> Trace:
    """Only the reward of the likeliest choice is raised."""
    return _bump(s, np.array([np.argmax(s.chosen)]), 1.0)


def _bump(s: TiedProcess, targets: Indices, factor: float) -> Trace:
    return _single_out(s, targets, factor * (SHARES * s.reach)[:, None, None] * np.eye(s.mdp.choices)[targets])


def invert(s: PerturbedProcess, rng: np.random.Generator) -> Trace:
    """Move the optimal values, find rewards for them, and solve the process under these."""
    return _invert(s, s.discount)


def invert_without_future(s: PerturbedProcess, rng: np.random.Generator) -> Trace:
    """The values themselves are taken for the rewards."""
    return _invert(s, 0.0)


def _invert(s: PerturbedProcess, discount: float) -> Trace:
    wanted = s.action_values_before + np.asarray(s.direction)
    solved = s.solved(reward_of_action_values(s.mdp, discount, wanted))
    values = {"wanted": (("time",), wanted), "solved": (("time",), solved)}
    return Trace("inverse Bellman map", np.arange(s.mdp.choices), values, clock="choice")


# Sides


def sole_optimum(s: TiedProcess, trace: Trace) -> NDArray[np.bool_]:
    """Whether each target is better than every other choice of the state, by more than rounding."""
    return np.asarray((lead(s, trace) > s.rounding).all(axis=1))


def lead(s: TiedProcess, trace: Trace) -> Array:
    """How much better each target is than any other choice of the state, shape (T, m)."""
    values = trace["action_values"]
    targets = trace["target"][..., None]
    rivals = np.broadcast_to(s.mdp.state_of_choice == s.state, values.shape).copy()
    np.put_along_axis(rivals, targets, False, axis=-1)
    own = np.take_along_axis(values, targets, axis=-1)[..., 0]
    found: Array = own - values.max(axis=-1, where=rivals, initial=-np.inf)
    return found


def within_size(s: TiedProcess, trace: Trace) -> NDArray[np.bool_]:
    """Whether perturbations are no larger than they claim, and single out their targets."""
    largest = np.abs(trace["perturbation"]).max(axis=(1, 2))
    passes: NDArray[np.bool_] = (largest <= trace["size"] + s.perturbation_rounding) & sole_optimum(s, trace)
    return passes


def jumps(s: TiedProcess, trace: Trace) -> Matrix:
    """Total variation between the selection and a uniform choice among the new optima of the state, shape (T, m)."""
    there = s.mdp.state_of_choice == s.state
    optimal = optimal_choices(s, trace) & there
    new = optimal / optimal.sum(axis=-1, keepdims=True)
    found: Matrix = np.abs(new - s.chosen).sum(axis=-1) / 2
    return found


def largest_perturbation(s: TiedProcess, trace: Trace) -> Array:
    """Largest change of a reward, over the targets."""
    found: Array = np.abs(trace["perturbation"]).max(axis=(1, 2))
    return found


def prescribed_size(s: TiedProcess, trace: Trace) -> Array:
    """The same by formula: a target pays more, and whatever leads to the state pays less."""
    returns = s.discount * s.laws[:, s.state]
    sizes = [max(abs(1 - returns[target]), np.delete(returns, target).max(initial=0.0)) for target in s.tied]
    found: Array = trace["size"] * max(sizes)
    return found


def sets_shrink(s: TiedProcess, trace: Trace) -> NDArray[np.bool_]:
    """Whether optimal choices are lost, and none is won."""
    chosen = optimal_choices(s, trace)
    optimal = s.hemicontinuity.optimal
    shrunk = (optimal | ~chosen).all(axis=-1) & (optimal & ~chosen).any(axis=-1)
    return np.asarray(shrunk.all(axis=-1))


# Grids and strategies

STAY_OR_LEAVE = TabularMDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[0, 0], [0, 0]], title="stay or leave")


def ties() -> Iterator[tuple[MDP, float]]:
    """Processes with a tie in the first state."""
    yield bandit(np.ones(2)), 0.0
    yield bandit([1.0, 1.0, 1.0, 0.5]), 0.0
    yield two_branches(1.0, 1.0), 0.9
    yield STAY_OR_LEAVE, 0.9
    yield outcome_tree([True, True, False, True]), 0.9
    for discount in (0.5, 0.9, 0.95):
        yield tied_mdp(stream(0, "policy cliff", "ties", discount), 20, 3, 4, discount), discount


@cache
def tied_grid() -> tuple[TiedProcess, ...]:
    """Processes with ties, from bandits to random ones."""
    return tuple(TiedProcess(mdp, discount) for mdp, discount in ties())


@cache
def selection_grid() -> tuple[TiedProcess, ...]:
    """The same with uniform, skewed and deterministic selections."""
    found = list(tied_grid())
    for s in tied_grid():
        m = s.tied.size
        weights = 2.0 ** -np.arange(m)
        found.append(replace(s, note="skewed selection", selection=weights / weights.sum()))
        found.append(replace(s, note="deterministic selection", selection=np.eye(m)[-1]))
    return tuple(found)


@cache
def moved_grid() -> tuple[PerturbedProcess, ...]:
    """Processes of every kind, and random directions of their values."""
    return tuple(
        PerturbedProcess(
            mdp, discount, "random direction", stream(0, "policy cliff", "values", k).normal(size=mdp.choices)
        )
        for k, (mdp, discount) in enumerate([*processes(), (BRANCHES, 0.99)])
    )


def any_tie(setting: type[Any] = TiedProcess) -> "SearchStrategy[Any]":
    """Any process in which some choices of a state are paid what they lack to be optimal."""
    from hypothesis import strategies as st

    def has_choice(s: Any) -> bool:
        return bool((np.diff(s.mdp.first_choice) > 1).any())

    @st.composite
    def tied(draw: st.DrawFn) -> Any:
        s = draw(discounted_processes(setting, highest_discount=0.95).filter(has_choice))
        state = draw(st.sampled_from(np.flatnonzero(np.diff(s.mdp.first_choice) > 1).tolist()))
        choices = list(range(*s.mdp.first_choice[state : state + 2].tolist()))
        among = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=len(choices), unique=True))
        return replace(s, state=state, among=np.array(among))

    return with_directions(tied()).filter(lambda s: s.tied.size > 1 and s.tells_bumps)


def any_selection() -> "SearchStrategy[TiedProcess]":
    """Any tie, and any probabilities of the tied choices."""
    from hypothesis import strategies as st

    def selected(s: TiedProcess) -> "SearchStrategy[TiedProcess]":
        weights = st.lists(st.integers(0, 4), min_size=s.tied.size, max_size=s.tied.size).filter(any)
        return weights.map(lambda drawn: replace(s, selection=np.array(drawn) / sum(drawn)))

    return any_tie().flatmap(selected)


# Theorems


TIED: Hypotheses = {
    "two choices or more of the state $s_0$ are optimal": lambda s: s.tied.size > 1,
    "the smallest perturbation is clear of rounding": lambda s: s.tells_bumps,
}
SELECTS: Hypotheses = {"the selection is a distribution on the optimal choices of $s_0$": lambda s: s.selects}
UNIFORM: Hypotheses = {"the selection is uniform": lambda s: s.selection is None}
TIES = (
    MOVED + "; $A^*(s; r)$: the optimal choices of a state; $s_0$: a state in which "
    "$m = |A^*(s_0; r)| \\ge 2$ choices tie"
)
RAISED = "; $r_\\varepsilon$: the rewards for which $Q + \\varepsilon \\mathbb{1}_a$ are the optimal values"
SINGLE = "; $\\mathbb{1}_a$: 1 for the choice $a$, 0 for others"
INVERSE = Theorem(
    name="policy-cliff/inverse",
    title="Any numbers are the optimal values of some rewards, which are explicit",
    paper=Paper(PAPER, "proof of Proposition 2.4"),
    standing=Standing.SEEN,
    statement=r"r_q = q - \gamma P \max q \implies Q^*_{r_q} = q",
    symbols="$q$: any numbers, one for each choice; $Q^*_r$: the optimal values of the choices for rewards $r$",
    kind=Identity(rounding=lambda s: s.rounding),
    hypotheses=PROCESS,
    run=invert,
    measured=lambda s, trace: trace["solved"],
    bound=lambda s, trace: trace["wanted"],
    settings=moved_grid,
    strategy=any_perturbation,
    controls={"values taken for rewards": invert_without_future},
    remark="So ties can be made at will, and half the smallest gap is the exact radius of stability in values.",
)

DETERMINISTIC_JUMP = Theorem(
    name="policy-cliff/deterministic-jump",
    title="At a tie, arbitrarily close rewards single out any of the tied choices",
    paper=Paper(PAPER, "Proposition 2.4"),
    standing=Standing.SEEN,
    statement=r"\forall\, \varepsilon > 0, \ a \in A^*(s_0; r)\ \exists\, r':\quad \| r' - r \| \le \varepsilon, \quad "
    r"A^*(s_0; r') = \{a\}",
    symbols=TIES + RAISED + ", which are the witness",
    kind=Existence(),
    hypotheses=PROCESS | TIED,
    run=prescribe,
    measured=within_size,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=tied_grid,
    strategy=any_tie,
    controls={"the choice is worth less": prescribe_less, "twice the perturbation": prescribe_more},
    remark="Whatever deterministic choice is made among several, it is discontinuous: rewards close by force another, at a "
    "total variation of 1.",
)

UNIFORM_JUMP = Theorem(
    name="policy-cliff/uniform-jump",
    title="At a tie of m choices the uniform selection jumps by 1 - 1/m",
    paper=Paper(PAPER, "Proposition 2.5"),
    standing=Standing.SEEN,
    statement=r"\mathrm{TV}\bigl(\mathrm{unif}\, A^*(s_0; r_\varepsilon),\ \mathrm{unif}\, A^*(s_0; r)\bigr) = 1 - \frac{1}{m}",
    symbols=TIES + RAISED + "; on average over $a \\in A^*(s_0; r)$",
    kind=Identity(rounding=lambda s: 16 * UNIT_ROUNDOFF),
    hypotheses=PROCESS | TIED | UNIFORM,
    run=prescribe,
    measured=lambda s, trace: jumps(s, trace).mean(axis=1),
    bound=lambda s, trace: np.full(trace.times.size, 1 - 1 / s.tied.size),
    settings=tied_grid,
    strategy=any_tie,
    controls={"the choice is worth less": prescribe_less},
)

JUMP_SIZE = Theorem(
    name="policy-cliff/jump-size",
    title="How far the rewards move that raise one optimal value",
    paper=Paper(PAPER, "proof of Proposition 2.4, with the exact distance"),
    standing=Standing.DERIVED,
    statement=r"\| r_\varepsilon - r \| = \varepsilon \max \{ |1 - \gamma p(s_0 | a)|,\ \max_{c \ne a} \gamma p(s_0 | c) \}",
    symbols=TIES + RAISED + "; largest over $a \\in A^*(s_0; r)$",
    kind=Identity(rounding=lambda s: s.perturbation_rounding),
    hypotheses=PROCESS | TIED,
    run=prescribe,
    measured=largest_perturbation,
    bound=prescribed_size,
    settings=tied_grid,
    strategy=any_tie,
    controls={"twice the perturbation": prescribe_more},
)

JUMP_COST = Theorem(
    name="policy-cliff/jump-cost",
    title="To raise one optimal value costs no more than the rise itself",
    paper=Paper(PAPER, "proof of Proposition 2.4; constant improved here"),
    standing=Standing.DERIVED,
    statement=r"\| r_\varepsilon - r \| \le \varepsilon",
    symbols=TIES + RAISED,
    kind=EveryStep(rounding=lambda s: s.perturbation_rounding),
    hypotheses=PROCESS | TIED,
    run=prescribe,
    measured=largest_perturbation,
    bound=lambda s, trace: trace["size"],
    settings=tied_grid,
    strategy=any_tie,
    controls={"twice the perturbation": prescribe_more},
    trivial=lambda s: (1 + s.discount) * s.reach,
    remark="The paper bounds it by $(1 + \\gamma) \\varepsilon$. The value of the choice and what it is worth to come back rise "
    "by something in $[0, \\varepsilon]$ and in $[0, \\gamma \\varepsilon]$, and enter with opposite signs.",
)

BUMP = Theorem(
    name="policy-cliff/bump",
    title="A single reward that is raised puts its choice ahead by (1 - gamma) times the rise",
    paper=Paper(PAPER, "Proposition 2.4, by a simpler perturbation"),
    standing=Standing.DERIVED,
    statement=r"r' = r + \varepsilon \mathbb{1}_a \implies Q'(a) - Q'(c) \ge (1 - \gamma)\, \varepsilon \quad \text{for the other } c "
    r"\text{ of } s_0",
    symbols=TIES + SINGLE,
    kind=EveryStep(rounding=lambda s: s.rounding),
    hypotheses=PROCESS | TIED,
    run=bump,
    measured=lambda s, trace: (1 - s.discount) * trace["size"],
    bound=lambda s, trace: np.maximum(lead(s, trace).min(axis=1), 0.0),
    settings=tied_grid,
    strategy=any_tie,
    controls={"half the rise": bump_half},
    remark="Attained where the other choice comes straight back, and the raised one never does.",
)

PREFERENCE = Theorem(
    name="policy-cliff/preference",
    title="At a tie, arbitrarily close rewards prefer any of the tied choices to another",
    paper=Paper(PAPER, "Proposition 3.2"),
    standing=Standing.SEEN,
    statement=r"\forall\, \varepsilon > 0, \ a \in A^*(s_0; r)\ \exists\, r':\quad \| r' - r \| \le \varepsilon, \quad "
    r"Q'(a) > Q'(c) \text{ for the other } c \text{ of } s_0",
    symbols=TIES + "; the witness raises a single reward",
    kind=Existence(),
    hypotheses=PROCESS | TIED,
    run=bump,
    measured=sole_optimum,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=tied_grid,
    strategy=any_tie,
    controls={"nothing is raised": bump_nothing},
)

SETS_SHRINK = Theorem(
    name="policy-cliff/sets-shrink",
    title="Optimal choices may be lost at once, although none is won",
    paper=Paper(PAPER, "Lemma 2.2 and Proposition 2.4: upper, but not lower hemicontinuity"),
    standing=Standing.SEEN,
    statement=r"\forall\, \varepsilon > 0\ \exists\, r':\quad \| r' - r \| \le \varepsilon, \quad \{c : \Delta'(c) = 0\} \subsetneq "
    r"\{c : \Delta(c) = 0\}",
    symbols=TIES + GAPS + "; the witness raises a single reward",
    kind=Existence(),
    hypotheses=PROCESS | TIED,
    run=bump,
    measured=sets_shrink,
    bound=lambda s, trace: np.ones(trace.times.size),
    settings=tied_grid,
    strategy=any_tie,
    controls={"nothing is raised": bump_nothing},
)

SELECTION = Theorem(
    name="policy-cliff/selection",
    title="No selection among m tied choices jumps by less than 1 - 1/m",
    paper=Paper(PAPER, "Propositions 2.4 and 2.5, for every selection"),
    standing=Standing.DERIVED,
    statement=r"1 - \frac{1}{m} \le \max_{a \in A^*(s_0; r)} \mathrm{TV}\bigl(\sigma,\ \mathrm{unif}\, A^*(s_0; r + \varepsilon "
    r"\mathbb{1}_a)\bigr)",
    symbols=TIES + SINGLE + "; $\\sigma$: any distribution on $A^*(s_0; r)$",
    kind=EveryStep(rounding=lambda s: 16 * UNIT_ROUNDOFF),
    hypotheses=PROCESS | TIED | SELECTS,
    run=bump,
    measured=lambda s, trace: np.full(trace.times.size, 1 - 1 / s.tied.size),
    bound=lambda s, trace: jumps(s, trace).max(axis=1),
    settings=selection_grid,
    strategy=any_selection,
    controls={"only towards the likeliest": bump_likeliest},
    remark="The uniform selection attains it; a deterministic one jumps by 1.",
)
