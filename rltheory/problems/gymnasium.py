"""To and from the tables of Gymnasium's toy-text environments :cite:`towers2024`.

Such an environment has a table ``P``: ``P[state][action]`` lists the outcomes ``(probability, state, reward, ends)``.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from rltheory.problems.mdp import MDP, DenseArrays, DeterministicArrays, SparseMDP

if TYPE_CHECKING:
    import gymnasium

__all__ = ["from_gymnasium", "to_gymnasium"]


def from_gymnasium(env: Any) -> SparseMDP:
    """Read a process from the table of an environment.

    Rewards are averaged over outcomes. Where an outcome ends the episode, the process goes to a last state that is
    absorbing and pays nothing. Limits on the number of steps are not part of the table.

    Parameters
    ----------
    env : gymnasium.Env
        An environment with a table ``P`` of states 0 to S - 1 and a distribution ``initial_state_distrib``, under
        whatever wrappers.

    Raises
    ------
    TypeError
        If the environment has no such table or distribution.
    ValueError
        If its numbers make no process; the message names the state and the rule.

    Examples
    --------
    >>> import gymnasium
    >>> from_gymnasium(gymnasium.make("FrozenLake-v1"))
    <SparseMDP FrozenLake-v1: 17 states, 65 choices>
    """
    table, initial = (getattr(env.unwrapped, name, None) for name in ("P", "initial_state_distrib"))
    if table is None or initial is None:
        missing = "P" if table is None else "initial_state_distrib"
        raise TypeError(f"{env} has no {missing}; only environments with a table of their laws can be read")
    if sorted(table) != list(range(len(table))):
        raise ValueError(f"P has the states {sorted(table)[:5]}, ...; they must be 0 to {len(table) - 1}")
    end = len(table)
    first_choice, first_entry = [0], [0]
    successors: list[int] = []
    probabilities: list[float] = []
    rewards: list[float] = []
    names: list[str] = []
    for state in range(end):
        for action, outcomes in sorted(table[state].items()):
            law: dict[int, float] = {}
            reward = 0.0
            for probability, successor, paid, ends in outcomes:
                place = end if ends else int(successor)
                law[place] = law.get(place, 0.0) + probability
                reward += probability * paid
            successors += law
            probabilities += law.values()
            rewards.append(reward)
            names.append(str(action))
            first_entry.append(len(successors))
        first_choice.append(len(rewards))
    if end in successors:
        successors.append(end)
        probabilities.append(1.0)
        rewards.append(0.0)
        names.append("stay")
        first_entry.append(len(successors))
        first_choice.append(len(rewards))
        initial = np.append(initial, 0.0)
    return SparseMDP(
        first_choice,
        first_entry,
        successors,
        probabilities,
        rewards,
        initial=initial,
        choice_names=names,
        title=env.spec.id if env.spec else "",
    )


def to_gymnasium(mdp: MDP) -> "gymnasium.Env[Any, Any]":
    """Make an environment with a table from a process.

    An action is the number of a choice within its state. A state that pays nothing and can't be left ends the episode
    when it is reached. The rewards are the mean rewards. As in Taxi, the ``info`` of each step has an ``action_mask``,
    1 for the actions that exist in the state.

    Parameters
    ----------
    mdp
        The process.

    Returns
    -------
    gymnasium.Env
        Observations are the numbers of the states.

    Examples
    --------
    >>> from rltheory.instances import river_swim
    >>> env = to_gymnasium(river_swim())
    >>> state, info = env.reset(seed=0)
    >>> env.step(1 if info["action_mask"][1] else 0)[1]
    0.0
    """
    import gymnasium

    actions = np.diff(mdp.first_choice)
    table: dict[int, dict[int, list[tuple[float, int, float, bool]]]] = {}
    laws = [_successors(mdp, choice) for choice in range(mdp.choices)]
    stays = np.array([[*law] == [state] for law, state in zip(laws, mdp.state_of_choice, strict=True)])
    ends = np.logical_and.reduceat(stays & (mdp.rewards == 0), mdp.first_choice[:-1])
    for state, first in enumerate(mdp.first_choice[:-1]):
        table[state] = {}
        for action in range(actions[state]):
            choice = first + action
            table[state][action] = [
                (probability, successor, float(mdp.rewards[choice]), bool(ends[successor]))
                for successor, probability in laws[choice].items()
            ]

    class TableEnv(gymnasium.Env[Any, Any]):
        P = table
        initial_state_distrib = mdp.initial
        action_space = gymnasium.spaces.Discrete(int(actions.max()))
        observation_space = gymnasium.spaces.Discrete(mdp.states)
        state = 0

        def _info(self) -> dict[str, Any]:
            return {"action_mask": (np.arange(actions.max()) < actions[self.state]).astype(np.int8)}

        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[int, dict[str, Any]]:
            super().reset(seed=seed)
            self.state = int(self.np_random.choice(mdp.states, p=mdp.initial))
            return self.state, self._info()

        def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
            if action not in table[self.state]:
                raise ValueError(f"action is {action}; state {self.state} has actions 0 to {actions[self.state] - 1}")
            outcomes = table[self.state][action]
            drawn = self.np_random.choice(len(outcomes), p=[outcome[0] for outcome in outcomes])
            _, self.state, reward, terminated = outcomes[int(drawn)]
            return self.state, reward, terminated, False, self._info()

        def __str__(self) -> str:
            return str(mdp)

    return TableEnv()


def _successors(mdp: MDP, choice: int) -> dict[int, float]:
    """Successors of a choice with their probabilities, those of positive probability."""
    arrays = mdp.arrays
    if isinstance(arrays, DenseArrays):
        law = arrays.transitions[choice]
        return {int(state): float(law[state]) for state in np.flatnonzero(law)}
    if isinstance(arrays, DeterministicArrays):
        return {int(arrays.successors[choice]): 1.0}
    entries = slice(arrays.first_entry[choice], arrays.first_entry[choice + 1])
    pairs = zip(arrays.successors[entries], arrays.probabilities[entries], strict=True)
    return {int(state): float(probability) for state, probability in pairs if probability > 0}
