"""What theorems on average rewards share: a process with one optimal gain, its exact answers, and a grid."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rltheory.arrays import Matrix, Vector
from rltheory.instances import hidden_action, random_ergodic_mdp, random_weakly_communicating_mdp, river_swim
from rltheory.measures import pseudo_regret
from rltheory.problems import MDP
from rltheory.simulation import stream
from rltheory.solvers import AverageOptimum, average_policy_iteration, end_components

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Hypotheses: TypeAlias = dict[str, Callable[[Any], bool | str] | str]


@dataclass(frozen=True, eq=False)
class AverageRewardProcess:
    """A Markov decision process that never restarts.

    Parameters
    ----------
    mdp
        The process, S states, C choices.
    """

    mdp: MDP

    def __str__(self) -> str:
        return str(self.mdp)

    @cached_property
    def laws(self) -> Matrix:
        """Transition laws with their zeros, shape (C, S)."""
        matrix = self.mdp.transition_matrix
        return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()

    @cached_property
    def optimum(self) -> AverageOptimum:
        """An optimal policy, its gain and its bias."""
        return average_policy_iteration(self.mdp)

    @property
    def gain(self) -> float:
        """Optimal gain J* of the first state, and of all states where they agree."""
        return float(self.optimum.gain[0])

    @property
    def optimal_span(self) -> float:
        """Span of the optimal bias."""
        return self.optimum.bias_span

    @cached_property
    def gaps(self) -> Vector:
        """What each choice loses, shape (C,)."""
        return pseudo_regret(self.mdp, np.eye(self.mdp.choices))


def one_closed_class(s: AverageRewardProcess) -> bool | str:
    """Whether the process is weakly communicating; if not, two states that cannot both be visited for ever."""
    parts = end_components(s.mdp)
    if parts.count == 1:
        return True
    first, second = (int(np.argmax(parts.component == part)) for part in (0, 1))
    return f"it has {parts.count} closed classes; states {first} and {second} lie in different ones"


def unit_rewards(s: AverageRewardProcess) -> bool | str:
    """Whether rewards lie in [0, 1]; if not, one that does not."""
    outside = (s.mdp.rewards < 0) | (s.mdp.rewards > 1)
    choice = int(np.argmax(outside))
    return f"choice {choice} has reward {s.mdp.rewards[choice]:g}" if outside.any() else True


PROCESS: Hypotheses = {
    "the process is weakly communicating": one_closed_class,
    "$0 \\le r \\le 1$": unit_rewards,
}


def tuned_hidden_action(horizon: int, actions: int = 5, rate: float = 0.2) -> MDP:
    """The two-state process whose advantage is about as large as can be found in that many steps."""
    return hidden_action(actions, rate=rate, advantage=2 * float(np.sqrt(actions * rate / horizon)))


def processes() -> Iterator[tuple[MDP, int]]:
    """Processes with horizons: slow to explore, quick to mix, with transient states, with one hidden action."""

    def rng(name: str) -> np.random.Generator:
        return stream(0, "average reward", name)

    yield river_swim(4), 100_000
    yield river_swim(6), 10_000
    yield random_ergodic_mdp(rng("ergodic"), 5, 3), 3000
    yield random_weakly_communicating_mdp(rng("weakly communicating"), 6, 2), 3000
    yield tuned_hidden_action(3000), 3000


def weakly_communicating_mdps(*, max_states: int = 4) -> "SearchStrategy[MDP]":
    """Small processes of many kinds with rewards in [0, 1] and one optimal gain."""
    from rltheory.strategies import adverse_mdps

    return adverse_mdps(max_states=max_states).filter(lambda mdp: end_components(mdp).count == 1)
