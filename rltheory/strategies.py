r"""Hypothesis strategies for games, decision processes and policies: small exact ones, and adverse ones for searches.

Theorems build the settings for :func:`~rltheory.theory.falsify` from these; they serve as well in tests of your own::

    from hypothesis import given
    from rltheory.strategies import betas, games

    @given(game=games(), beta=betas())
    def test_something(game, beta): ...

Importing this module loads Hypothesis; importing the package does not load this module.
"""

import math
from typing import Any, TypeVar

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.strategies import DrawFn, SearchStrategy

from rltheory.arrays import Matrix, Vector
from rltheory.instances import bradley_terry, chain, cycle, river_swim, weighted_rock_paper_scissors
from rltheory.problems import MDP, PreferenceGame, TabularMDP

__all__ = [
    "adverse_games",
    "adverse_mdps",
    "betas",
    "condorcet_games",
    "cycles",
    "discounts",
    "examples",
    "games",
    "indifferent_games",
    "log_uniform",
    "mdps",
    "policies",
    "skewed_policies",
    "stationary_policies",
    "transitive_games",
    "two_action_games",
    "weighted_cycles",
]

T = TypeVar("T")


class _SeededProvider(HypothesisProvider):
    """Source of choices that depends on the seed only.

    Hypothesis's own mixes in constants found in whatever modules happen to be loaded.
    """

    def _maybe_draw_constant(self, *args: Any, **options: Any) -> None:
        return None


AVAILABLE_PROVIDERS["rltheory"] = _SeededProvider


def examples(strategy: SearchStrategy[T], count: int, seed: int) -> list[T]:
    """Draw at most `count` values; the same seed gives the same values in every process.

    Raises
    ------
    ValueError
        If the strategy yields nothing, because its filters reject too much.

    Examples
    --------
    >>> len(examples(betas(), 20, seed=0))
    20
    """
    drawn: list[T] = []

    @seeded(seed)
    @settings(
        backend="rltheory",
        database=None,
        deadline=None,
        max_examples=count,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(strategy)
    def draw(value: T) -> None:
        drawn.append(value)

    try:
        draw()
    except Unsatisfiable:
        raise ValueError(f"the strategy {strategy!r} yields nothing: its filters reject whatever is drawn") from None
    return drawn


def log_uniform(low: float, high: float) -> SearchStrategy[float]:
    """Numbers from `low` to `high`, both > 0 and both included, evenly spread on a logarithmic scale."""
    return st.floats(math.log(low), math.log(high)).map(lambda x: min(max(math.exp(x), low), high))


def betas(low: float = 1e-3, high: float = 5.0) -> SearchStrategy[float]:
    """Temperatures, evenly spread on a logarithmic scale."""
    return log_uniform(low, high)


def _entries(n: int, values: SearchStrategy[float]) -> SearchStrategy[PreferenceGame]:
    """Games of n actions whose payoffs above the diagonal are drawn from `values`."""
    size = n * (n - 1) // 2

    def game(upper: list[float]) -> PreferenceGame:
        payoff: Matrix = np.zeros((n, n))
        payoff[np.triu_indices(n, 1)] = upper
        return PreferenceGame.from_payoff(payoff - payoff.T)

    return st.lists(values, min_size=size, max_size=size).map(game)


def games(*, min_n: int = 1, max_n: int = 6) -> SearchStrategy[PreferenceGame]:
    """Small exact games: preferences are multiples of 1/8, with ties and sure wins."""
    eighths = st.integers(-4, 4).map(lambda k: k / 8)
    return st.integers(min_n, max_n).flatmap(lambda n: _entries(n, eighths))


def two_action_games() -> SearchStrategy[PreferenceGame]:
    """Games of two actions, from a tie to a sure win."""
    return _entries(2, st.floats(-0.5, 0.5))


def weighted_cycles() -> SearchStrategy[PreferenceGame]:
    """Cycles of three actions, each of which beats the next by some margin."""
    margin = log_uniform(1e-3, 0.5)
    return st.builds(weighted_rock_paper_scissors, margin, margin, margin)


def cycles(*, max_n: int = 101) -> SearchStrategy[PreferenceGame]:
    """Odd cycles, in which each action surely beats the next half of all actions; long ones amplify most."""
    return st.integers(1, (max_n - 1) // 2).map(lambda half: cycle(2 * half + 1))


def transitive_games(*, max_n: int = 6, scale: float = 10.0) -> SearchStrategy[PreferenceGame]:
    """Bradley-Terry games, whose ratings lie between 0 and `scale`."""
    return st.lists(st.floats(0, scale), min_size=2, max_size=max_n).map(bradley_terry)


def indifferent_games(*, max_n: int = 6) -> SearchStrategy[PreferenceGame]:
    """Games in which every action beats every other half of the time."""
    return st.integers(1, max_n).map(PreferenceGame.indifferent)


@st.composite
def condorcet_games(draw: DrawFn, *, max_n: int = 6) -> PreferenceGame:
    """Games in which the first action beats every other by a margin; the rest is arbitrary."""
    payoff = draw(games(min_n=2, max_n=max_n)).payoff.copy()
    payoff[0, 1:] = draw(log_uniform(1e-3, 0.5))
    payoff[1:, 0] = -payoff[0, 1:]
    return PreferenceGame.from_payoff(payoff)


def adverse_games(*, longest_cycle: int = 101) -> SearchStrategy[PreferenceGame]:
    """Games of all the kinds above, and small ones with arbitrary preferences."""
    arbitrary = st.integers(2, 6).flatmap(lambda n: _entries(n, st.floats(-0.5, 0.5)))
    return st.one_of(
        two_action_games(),
        weighted_cycles(),
        games(min_n=2),
        arbitrary,
        transitive_games(),
        condorcet_games(),
        indifferent_games(),
        cycles(max_n=longest_cycle),
    )


@st.composite
def policies(draw: DrawFn, n: int, *, depth: int = 6) -> Vector:
    """Distributions over `n` actions with full support, proportional to powers of 2 down to 2^-depth."""
    weights = 2.0 ** -np.array(draw(st.lists(st.integers(0, depth), min_size=n, max_size=n)), dtype=np.float64)
    policy: Vector = weights / weights.sum()
    return policy


@st.composite
def skewed_policies(draw: DrawFn, n: int, *, depth: float = 600.0) -> Vector:
    """Distributions over `n` actions with full support, from nearly uniform ones to weights of e^-depth.

    The logarithms of the weights lie in a range whose width is evenly spread on a logarithmic scale.
    """
    width = draw(log_uniform(1e-2, depth))
    heights = draw(st.lists(st.floats(0, 1), min_size=n, max_size=n))
    weights = np.exp(width * (np.array(heights) - max(heights)))
    policy: Vector = weights / weights.sum()
    return policy


def discounts(high: float = 0.99) -> SearchStrategy[float]:
    """Discount factors from 0 to `high`, with effective horizons evenly spread on a logarithmic scale."""
    return log_uniform(1 - high, 1.0).map(lambda rest: min(1 - rest, high))


@st.composite
def _mdps(draw: DrawFn, max_states: int, max_actions: int, weights: SearchStrategy[float]) -> TabularMDP:
    """Processes of which laws and rewards are made from `weights` in [0, 1]."""
    states, actions = draw(st.integers(1, max_states)), draw(st.integers(1, max_actions))

    def numbers(size: int) -> Vector:
        return np.array(draw(st.lists(weights, min_size=size, max_size=size)))

    laws = numbers(states * actions * states).reshape(states, actions, states)
    leads = np.array(draw(st.lists(st.integers(0, states - 1), min_size=states * actions, max_size=states * actions)))
    # Each choice leads somewhere, and often to one state for certain.
    np.put_along_axis(laws, leads.reshape(states, actions, 1), 1.0, axis=2)
    laws[laws < 0.1] = 0
    return TabularMDP(laws / laws.sum(axis=2, keepdims=True), numbers(states * actions).reshape(states, actions))


def mdps(*, max_states: int = 4, max_actions: int = 3) -> SearchStrategy[TabularMDP]:
    """Small processes whose rewards are quarters in [0, 1], with ties, absorbing and unreachable states."""
    return _mdps(max_states, max_actions, st.sampled_from([0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0]))


def adverse_mdps(*, max_states: int = 5) -> SearchStrategy[MDP]:
    """Small processes of many kinds with rewards in [0, 1]: with ties, arbitrary ones, and slow chains."""
    arbitrary = _mdps(max_states, 3, st.floats(0, 1))
    lengths = st.integers(2, max_states)
    return st.one_of(mdps(max_states=max_states), arbitrary, lengths.map(river_swim), lengths.map(_unit_chain))


def _unit_chain(n: int) -> TabularMDP:
    """The chain, with rewards over their largest."""
    mdp = chain(n)
    return TabularMDP(
        mdp.arrays.transitions.reshape(n, 2, n), mdp.rewards.reshape(n, 2) / mdp.rewards.max(), title=mdp.title
    )


@st.composite
def stationary_policies(draw: DrawFn, mdp: MDP) -> Vector:
    """Policies of a process with full support, from nearly uniform to nearly deterministic, shape (C,)."""
    sizes = np.diff(mdp.first_choice)
    return np.concatenate([draw(skewed_policies(int(size), depth=30.0)) for size in sizes])
