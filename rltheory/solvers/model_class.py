"""Finite classes of processes that differ in their laws, each solved for the average reward."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rltheory.arrays import Matrix, Vector, frozen
from rltheory.problems.mdp import MDP, Indices
from rltheory.solvers.average_reward import average_policy_iteration

__all__ = ["Model", "ModelClass"]


@dataclass(frozen=True, eq=False)
class Model:
    """An optimal policy of a process, its gain, and its bias with least entry 0."""

    policy: Indices
    gain: float
    values: Vector


@dataclass(frozen=True, eq=False, init=False)
class ModelClass:
    r"""Processes with the same choices and rewards, and the optimum of each.

    Parameters
    ----------
    processes
        Processes :math:`P_1, \dots, P_M` with S states, C choices and one optimal gain each.

    Raises
    ------
    ValueError
        If there are none, two have different choices or rewards, or the optimal gain of one differs between states.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> ModelClass([river_swim(3)]).gains.round(4), round(ModelClass([river_swim(3)]).span, 4)
    (array([0.4468]), 2.1277)
    """

    processes: tuple[MDP, ...]
    models: tuple[Model, ...]

    def __init__(self, processes: Sequence[MDP]) -> None:
        members = tuple(processes)
        if not members:
            raise ValueError("a class must have a process")
        first, models = members[0], []
        for m, process in enumerate(members):
            if not (
                np.array_equal(process.first_choice, first.first_choice)
                and np.array_equal(process.rewards, first.rewards)
            ):
                raise ValueError(f"process {m} has other choices or rewards than process 0; only laws may differ")
            best = average_policy_iteration(process)
            if np.ptp(best.gain) > float((best.upper - best.lower).max()) + 1e-9:
                raise ValueError(
                    f"the optimal gain of process {m} lies between {best.gain.min():.6g} and {best.gain.max():.6g}; "
                    f"it must be the same from all states"
                )
            models.append(Model(frozen(best.policy), float(best.gain[0]), frozen(best.bias - best.bias.min())))
        object.__setattr__(self, "processes", members)
        object.__setattr__(self, "models", tuple(models))

    @property
    def size(self) -> int:
        """Number of processes M."""
        return len(self.models)

    @property
    def gains(self) -> Vector:
        """Optimal gains, shape (M,)."""
        return np.array([model.gain for model in self.models])

    @property
    def span(self) -> float:
        """Largest span of an optimal bias."""
        return max(float(model.values.max()) for model in self.models)

    def laws(self, member: int) -> Matrix:
        """Laws of a process with their zeros, shape (C, S)."""
        matrix = self.processes[member].transition_matrix
        dense: Matrix = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
        return dense

    def squared_distances(self, process: MDP) -> Matrix:
        r"""Squared Hellinger distances :math:`1 - \sum_x \sqrt{p_c(x) q_c(x)}` to a process, shape (M, C)."""
        matrix = process.transition_matrix
        roots = np.sqrt(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())
        overlaps = [(np.sqrt(self.laws(member)) * roots).sum(axis=1) for member in range(self.size)]
        distances: Matrix = np.maximum(1 - np.array(overlaps, dtype=np.float64), 0.0)
        return distances
