"""Sparring: two policies for bandits choose one action each, and the winner is paid."""

from functools import cache

from rltheory.algorithms.bandits.play import WORK_ROWS, Columns, Kernel, Policy
from rltheory.algorithms.dueling.play import DuelingPolicy, Duels
from rltheory.arrays import Vector
from rltheory.jit import kernel

__all__ = ["sparring"]


@cache
def _kernels(left: tuple[Kernel, ...], right: tuple[Kernel, ...]) -> tuple[Kernel, Kernel, Kernel]:
    (start_left, choose_left, observe_left), (start_right, choose_right, observe_right) = left, right

    @kernel
    def sides(parameters: Vector, duels: Duels) -> tuple[Columns, Columns]:
        memory, work, generators = duels.memory, duels.work, duels.generators
        middle, shared = int(parameters[0]), work[3 : 3 + WORK_ROWS]
        return (
            Columns(memory[0], memory[1], memory[2:middle], generators, duels.first, work[0], work[1], work[2], shared),
            Columns(
                memory[middle],
                memory[middle + 1],
                memory[middle + 2 :],
                generators,
                duels.second,
                work[0],
                work[1],
                work[2],
                shared,
            ),
        )

    @kernel
    def learn(columns: Columns) -> None:
        counts, sums, _, _, arms, rewards, pulled, earned, _ = columns
        for lane in range(arms.size):
            a = arms[lane]
            pulled[lane] = counts[a, lane] + 1.0
            earned[lane] = sums[a, lane] + rewards[lane]
            counts[a, lane] = pulled[lane]
            sums[a, lane] = earned[lane]

    @kernel
    def start(parameters: Vector, duels: Duels) -> None:
        one, other = sides(parameters, duels)
        split = 2 + int(parameters[1])
        start_left(parameters[2:split], one)
        start_right(parameters[split:], other)

    @kernel
    def choose(t: int, parameters: Vector, duels: Duels) -> None:
        one, other = sides(parameters, duels)
        split = 2 + int(parameters[1])
        choose_left(t, parameters[2:split], one)
        choose_right(t, parameters[split:], other)

    @kernel
    def observe(t: int, parameters: Vector, duels: Duels) -> None:
        one, other = sides(parameters, duels)
        split = 2 + int(parameters[1])
        outcomes = duels.outcomes
        for lane in range(outcomes.size):
            one.rewards[lane] = outcomes[lane]
        learn(one)
        observe_left(t, parameters[2:split], one)
        for lane in range(outcomes.size):
            other.rewards[lane] = 1.0 - outcomes[lane]
        learn(other)
        observe_right(t, parameters[split:], other)

    return start, choose, observe


def sparring(left: Policy, right: Policy | None = None) -> DuelingPolicy:
    """Let two policies for bandits choose one action each, where who wins is paid 1 and who loses 0 :cite:`ailon2014`.

    Parameters
    ----------
    left, right
        Policies that take such rewards; the second is a copy of the first by default.

    Raises
    ------
    ValueError
        If a policy does not take rewards in [0, 1], or is one of :func:`~rltheory.algorithms.bandits.own_policy`.

    Examples
    --------
    >>> from rltheory.algorithms.bandits import exp3, ucb1
    >>> sparring(exp3(), ucb1())
    DuelingPolicy('sparring Exp3 and UCB1')
    """
    right = left if right is None else right
    for policy in (left, right):
        if not policy.rewards[0] <= 0 <= 1 <= policy.rewards[1]:
            raise ValueError(f"{policy.name} takes rewards in {list(policy.rewards)}; duels pay 0 or 1")
        if policy.memory(2, 3)[1:] != (2, 3):
            raise ValueError(
                f"{policy.name} keeps its memory by replicates; only policies that keep it by arms can spar"
            )

    def memory(n: int, lanes: int) -> tuple[int, int, int]:
        return 4 + left.memory(n, lanes)[0] + right.memory(n, lanes)[0], n, lanes

    kernels = _kernels((left.start, left.choose, left.observe), (right.start, right.choose, right.observe))
    parameters = (2 + left.memory(2, 3)[0], len(left.parameters), *left.parameters, *right.parameters)
    name = left.name if right is left else f"{left.name} and {right.name}"
    return DuelingPolicy(f"sparring {name}", *kernels, parameters, memory)
