"""How likely GORP is to fail, exactly: laws of returns on the integers, and of the largest of their sums."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import Vector, count, first_index
from rltheory.problems.bridge import EXPLORATION_TOLERANCE
from rltheory.problems.certainty import plans, sure_start, sure_successors
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.policies import checked_policy
from rltheory.solvers.finite_horizon import backward_induction

__all__ = ["gorp_failure_probability"]


def gorp_failure_probability(
    problem: FiniteHorizonMDP, *, depth: int, episodes: int, policy: ArrayLike | None = None
) -> float:
    r"""Probability that GORP does not return an optimal plan, good to about nine digits.

    The law of a mean of m returns is a convolution of m laws. The first choice of the first sequence of largest mean is
    made, and the choices of different stages are independent: backward induction over the states that optimal choices
    reach gives the probability.

    Parameters
    ----------
    problem
        Deterministic process with one first state and integer rewards.
    depth
        Steps k >= 1 to look ahead.
    episodes
        Episodes m >= 1 for each sequence of choices.
    policy : array_like, shape (C,) or (H, C), optional
        Exploration policy, whose probabilities sum to 1 within 1e-6 in each state, and are divided by their sums;
        uniform by default.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, the process leaves something to chance, a reward is no integer, or `policy` is
        no policy. The message names the stage and the choice.

    References
    ----------
    :cite:`laidlaw2023`

    See Also
    --------
    rltheory.algorithms.effective_horizon.gorp : the algorithm itself.

    Examples
    --------
    Of two arms the first leads to 1, and the second to 0 or 3 with the same chance: tried twice it looks better
    unless it brings 0 both times.

    >>> from rltheory.problems import TabularMDP
    >>> early = TabularMDP.from_rows([0, 2, 4, 5], np.eye(3)[[1, 2, 0, 0, 0]], [0, 0, 0, 3, 1], initial=[1, 0, 0])
    >>> problem = FiniteHorizonMDP.stationary(early, 2)
    >>> round(gorp_failure_probability(problem, depth=1, episodes=2), 12)
    0.25
    """
    race = _Race(problem, count(depth, "depth", at_least=1), policy)
    return float(race.fails(count(episodes, "episodes", at_least=1)))


class _Race:
    """Sequences of choices that compete by the sums of their returns."""

    def __init__(self, problem: FiniteHorizonMDP, depth: int, policy: ArrayLike | None) -> None:
        self.problem, self.depth, self.horizon = problem, depth, problem.horizon
        self.start = sure_start(problem)
        self.successors = np.broadcast_to(sure_successors(problem), (problem.horizon, problem.choices))
        rewards = np.array([mdp.rewards for mdp in problem.stages])
        if (rewards != np.rint(rewards)).any():
            stage, choice = first_index(rewards != np.rint(rewards))
            raise ValueError(
                f"the reward of choice {choice} of stages[{stage}] is {rewards[stage, choice]}; it must be an integer"
            )
        # Less the smallest reward, all returns from a stage on are less by the same.
        self.earned = (rewards - rewards.min()).astype(np.int64)
        first = problem.stages[0]
        # Weights of uniform choices are integers, which leaves their ratios exact.
        self.weights = np.ones((problem.horizon, problem.choices))
        if policy is not None:
            self.weights = checked_policy(first, policy, stages=problem.horizon, tolerance=EXPLORATION_TOLERANCE)
        self._laws: dict[tuple[int, int], Vector] = {}
        optimum = backward_induction(problem)
        owner = first.state_of_choice
        self.is_optimal = optimum.action_values == optimum.values[:-1, owner]  # sums of integers are exact

    def law(self, stage: int, state: int) -> Vector:
        """Law of the return of random play from a stage and state on."""
        if stage == self.horizon:
            return np.ones(1)
        if (stage, state) not in self._laws:
            choices = slice(*self.problem.stages[0].first_choice[state : state + 2])
            moves: dict[tuple[int, int], float] = {}
            for leaf, by, weight in zip(
                self.successors[stage, choices], self.earned[stage, choices], self.weights[stage, choices], strict=True
            ):
                moves[leaf, by] = moves.get((leaf, by), 0.0) + weight
            total = sum(moves.values())
            parts = [(_shifted(self.law(stage + 1, leaf), by), weight) for (leaf, by), weight in moves.items()]
            law = np.zeros(max(part.size for part, _ in parts))
            for part, weight in parts:
                law[: part.size] += weight / total * part
            self._laws[stage, state] = law
        return self._laws[stage, state]

    def fails(self, episodes: int) -> float:
        """Probability to fail."""
        known: dict[tuple[int, int], float] = {}

        def from_here(stage: int, state: int) -> float:
            if stage == self.horizon:
                return 0.0
            if (stage, state) not in known:
                known[stage, state] = sum(
                    chance * (from_here(stage + 1, after) if optimal else 1.0)
                    for chance, after, optimal in self.first_steps(stage, state, episodes)
                )
            return known[stage, state]

        return min(from_here(0, self.start), 1.0)

    def first_steps(self, stage: int, state: int, episodes: int) -> Iterator[tuple[float, int, bool]]:
        """Probabilities of first choices, where they lead, and whether they are optimal; like ones taken together."""
        ahead = min(self.depth, self.horizon - stage)
        tried = plans(self.problem, self.successors, stage, state, ahead)
        kinds = [(kind, len(list(same))) for kind, same in groupby(self._kind(stage, plan) for plan in tried)]
        if len({(after, optimal) for (after, optimal, _, _), _ in kinds}) == 1:
            (after, optimal, _, _), _ = kinds[0]
            yield 1.0, after, optimal
            return
        sums = {
            (earned, leaf): _law_of_sum(_shifted(self.law(stage + ahead, leaf), earned), episodes)
            for (_, _, earned, leaf), _ in kinds
        }
        winners = _chances_of_first_largest([sums[kind[2:]] for kind, _ in kinds], [number for _, number in kinds])
        for ((after, optimal, _, _), _), chance in zip(kinds, winners, strict=True):
            yield chance, after, optimal

    def _kind(self, stage: int, plan: tuple[int, ...]) -> tuple[int, bool, int, int]:
        """Successor and optimality of the first choice, what the plan earns, and where it leads."""
        stages = range(stage, stage + len(plan))
        earned = sum(int(self.earned[h, choice]) for h, choice in zip(stages, plan, strict=True))
        leaf = int(self.successors[stages[-1], plan[-1]])
        return int(self.successors[stage, plan[0]]), bool(self.is_optimal[stage, plan[0]]), earned, leaf


def _shifted(law: Vector, by: int) -> Vector:
    """Law of a number that is larger by an integer."""
    return np.concatenate([np.zeros(by), law])


def _law_of_sum(law: Vector, terms: int) -> Vector:
    """Law of the sum of independent terms."""
    support = np.flatnonzero(law)
    lowest, inner = support[0], law[support[0] : support[-1] + 1]
    size = (inner.size - 1) * terms + 1
    # A Fourier transform of this length does not wrap around.
    length = 1 << (size - 1).bit_length()
    powers: Vector = np.fft.irfft(np.fft.rfft(inner, max(length, 2)) ** terms, max(length, 2))[:size]
    return _shifted(np.maximum(powers, 0.0), int(lowest) * terms)


def _chances_of_first_largest(laws: Sequence[Vector], numbers: Sequence[int]) -> Vector:
    """For runs of so many independent numbers of the same law: the probability that the first largest is in the run."""
    size = max(law.size for law in laws)
    upto = np.ones((len(laws), size))
    for row, law in zip(upto, laws, strict=True):
        row[: law.size] = np.minimum(np.cumsum(law), 1.0)
    power = np.array(numbers)[:, None]
    at_most, below = upto**power, np.hstack([np.zeros((len(laws), 1)), upto[:, :-1]]) ** power
    before = np.vstack([np.ones(size), np.cumprod(below[:-1], axis=0)])
    after = np.vstack([np.cumprod(at_most[:0:-1], axis=0)[::-1], np.ones(size)])
    chances: Vector = ((at_most - below) * before * after).sum(axis=1)
    return chances
