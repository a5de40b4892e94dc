"""Files of the BRIDGE data set: deterministic processes of Atari, Procgen and MiniGrid :cite:`laidlaw2023`.

A file holds two tables, of successors and of rewards. An episode starts in state 0 and lasts for a number of steps that
the file doesn't hold. An exploration policy lies in a file of its own.
"""

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import Matrix, first_index
from rltheory.problems.deterministic import DeterministicMDP
from rltheory.problems.finite_horizon import FiniteHorizonMDP
from rltheory.problems.policies import checked_policy

__all__ = ["EXPLORATION_TOLERANCE", "read_bridge", "read_exploration_policy"]

END = -1
# Probabilities of policies are stored with 24 bits.
EXPLORATION_TOLERANCE = 1e-6
UNREADABLE = (ValueError, EOFError, BadZipFile, zlib.error, TypeError)


def read_bridge(path: str | Path) -> DeterministicMDP:
    """Read a process from a file ``consolidated.npz``.

    Where ``transitions`` is -1 the episode ends: the process goes to a last state, named "end", that is absorbing and
    pays nothing. Rewards are converted to float64 as they are. Of frame-stacked files a state is a stack of frames.
    Screens and states of the emulator are not read.

    Raises
    ------
    ValueError
        If the file is no complete archive, an array is missing, successors are out of range, a reward is not finite, or
        -1 stands where nothing can end. The message names the file, the entry and the rule.
    OSError
        If the file can't be read.

    References
    ----------
    :cite:`laidlaw2023`

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "consolidated.npz"
    >>> np.savez(path, transitions=[[1, -1], [1, -1]], rewards=np.array([[0, 0.5], [0, 1]], dtype=np.float32))
    >>> read_bridge(path).successors.reshape(-1, 2).tolist()
    [[1, 2], [1, 2], [2, 2]]
    """
    path = Path(path)
    arrays = _arrays(path)
    for name in ("transitions", "rewards"):
        if name not in arrays:
            raise ValueError(f"{path}: there is no array {name!r}")
    transitions, rewards = arrays["transitions"], arrays["rewards"]
    if transitions.ndim != 2 or 0 in transitions.shape or not np.issubdtype(transitions.dtype, np.integer):
        raise ValueError(
            f"{path}: transitions has type {transitions.dtype} and shape {transitions.shape}; it must hold an integer "
            "for each state and action"
        )
    states, actions = transitions.shape
    outside = (transitions < END) | (transitions >= states)
    if outside.any():
        place = first_index(outside)
        raise ValueError(
            f"{path}: transitions{list(place)} is {transitions[place]}; "
            f"it must be a state, 0 to {states - 1}, or -1 for the end"
        )
    for name in ("screen_mapping", "prev_state_mapping"):
        if name in arrays:
            _check_mapping(arrays[name], states, f"{path}: {name}")
    if rewards.shape != transitions.shape:
        raise ValueError(f"{path}: rewards has shape {rewards.shape}; it must be {transitions.shape}, as transitions")
    successors = np.full((states + 1, actions), states)
    successors[:-1][transitions != END] = transitions[transitions != END]
    try:
        return DeterministicMDP(
            successors,
            np.vstack([rewards.astype(np.float64), np.zeros((1, actions))]),
            initial=np.eye(1, states + 1)[0],
            state_names=[*map(str, range(states)), "end"],
            title=path.parent.name if path.stem == "consolidated" else path.stem,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_exploration_policy(path: str | Path, problem: FiniteHorizonMDP) -> Matrix:
    """Read the exploration policy of a process that :func:`read_bridge` read, shape (H, C).

    The file holds an array of shape (H, S, A), with the end among the S states. Its probabilities sum to 1 within 1e-6,
    for they have 24 bits; they are not rescaled.

    Raises
    ------
    ValueError
        If the file is no complete array, its shape doesn't fit the process and its horizon, or it is no policy.
    OSError
        If the file can't be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "exploration_policy.npy"
    >>> np.save(path, np.full((3, 2, 2), 0.5, dtype=np.float32))
    >>> problem = FiniteHorizonMDP.stationary(DeterministicMDP([[0, 1], [1, 1]], [[0, 1], [0, 0]]), 3)
    >>> read_exploration_policy(path, problem).shape
    (3, 4)
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            array = np.load(file)
    except UNREADABLE as error:
        raise ValueError(f"{path}: not a complete NumPy array ({error})") from None
    sizes = np.diff(problem.stages[0].first_choice)
    if (sizes != sizes[0]).any():
        state = int(np.argmax(sizes != sizes[0]))
        raise ValueError(
            f"{path}: state 0 has {sizes[0]} choices and state {state} has {sizes[state]}; a file needs as many in each"
        )
    actions = int(sizes[0])
    expected = (problem.horizon, problem.states, actions)
    if not isinstance(array, np.ndarray) or array.shape != expected:
        found = f"shape {array.shape}" if isinstance(array, np.ndarray) else "several arrays"
        raise ValueError(
            f"{path}: has {found}; a policy over {problem.horizon} steps, for {problem.states} states with "
            f"the end among them and {actions} actions, has {expected}"
        )
    flat = array.reshape(problem.horizon, -1)
    try:
        return checked_policy(problem.stages[0], flat, stages=problem.horizon, tolerance=EXPLORATION_TOLERANCE)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Those arrays of the archive that are needed; screens can be large."""
    needed = {"transitions", "rewards", "screen_mapping", "prev_state_mapping"}
    try:
        with path.open("rb") as file, np.load(file) as archive:
            return {name: archive[name] for name in archive.files if name in needed}
    except (*UNREADABLE, AttributeError) as error:
        raise ValueError(f"{path}: not a complete NumPy archive ({error})") from None


def _check_mapping(mapping: NDArray[Any], states: int, name: str) -> None:
    """Indices of screens or states, one or several for each state."""
    if mapping.ndim == 0 or mapping.shape[0] != states or not np.issubdtype(mapping.dtype, np.integer):
        raise ValueError(f"{name} has type {mapping.dtype} and shape {mapping.shape}; expected {states} integers")
    if (mapping < 0).any():
        place = first_index(mapping < 0)
        raise ValueError(f"{name}{list(place)} is {mapping[place]}; only transitions may hold -1, for the end")
