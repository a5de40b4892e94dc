"""Files of explicit Markov decision processes: NumPy archives, PRISM's explicit files, and Storm's DRN.

Model checkers keep a process apart from its labels, sets of states with a name, and from its reward structures, of
which there may be several. :class:`ExplicitModel` holds all three. A file that contradicts itself, or asks for more
than a process with known probabilities, is refused with one line that names the file, the line and the rule.
"""

import math
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from rltheory.arrays import SUM_TOLERANCE, Vector, float_array, frozen
from rltheory.problems.mdp import MDP, SparseMDP

__all__ = ["ExplicitModel", "read_drn", "read_npz", "read_prism", "write_drn"]

Mask = NDArray[np.bool_]

PARTS = {"choice_ptr", "row_ptr", "col", "prob", "reward", "initial_state", "initial_distribution", "terminal_state"}
LABEL = re.compile(r'(\d+)="([^"]*)"')
STRUCTURE_NAME = re.compile(r'# Reward structure:? "([^"]*)"')
DRN_STATE = re.compile(r'state (\d+)(?: \[([^]]*)\])?((?:\s+(?:"[^"]+"|[^\s"\[]+))*)\s*')
DRN_LABEL = re.compile(r'"([^"]+)"|(\S+)')
DRN_ACTION = re.compile(r"action (\S+)(?: \[([^]]*)\])?\s*")
DRN_TRANSITION = re.compile(r"(\d+) : (\S.*)")
NO_NAME = "__NOLABEL__"


@dataclass(frozen=True, eq=False)
class ExplicitModel:
    """A process with named sets of states and named reward structures.

    Parameters
    ----------
    mdp
        The process, S states and C choices. A loader gives it the rewards of the only reward structure, and none where
        there are several.
    labels : mapping of str to array of bool, shape (S,)
        Which states carry a label.
    rewards : mapping of str to array, shape (C,)
        Mean rewards of the choices, the reward of their state included.

    Raises
    ------
    ValueError
        If an array does not fit the process, or a reward is not finite.
    """

    mdp: MDP
    labels: Mapping[str, Mask] = field(default_factory=dict)
    rewards: Mapping[str, Vector] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, mask in self.labels.items():
            if mask.dtype != bool or mask.shape != (self.mdp.states,):
                raise ValueError(
                    f"label {name!r} has type {mask.dtype} and shape {mask.shape}; "
                    f"it must be bool and {(self.mdp.states,)}"
                )
        for name, rewards in self.rewards.items():
            numbers = float_array(rewards, f"rewards of {name!r}", ndim=1)
            if numbers.size != self.mdp.choices:
                raise ValueError(f"rewards of {name!r} has {numbers.size} entries for {self.mdp.choices} choices")


def read_npz(path: str | Path) -> ExplicitModel:
    """Read a process from a NumPy archive of its arrays.

    The choices of state s are ``choice_ptr[s] : choice_ptr[s + 1]``; ``row_ptr``, ``col`` and ``prob`` are the
    compressed rows of their transition probabilities. ``reward``, or ``reward_NAME`` for several reward structures, has
    one entry for each choice; ``initial_state`` is a number, ``initial_distribution`` a vector, and without either all
    states are equally likely at first. Vectors of bool are labels, and ``terminal_state`` is the label "terminal".

    Raises
    ------
    ValueError
        If the file is no such archive, an array is missing or unknown, or the process is wrong. The message names the
        file and the array.
    OSError
        If the file can't be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "coin.npz"
    >>> np.savez(path, choice_ptr=[0, 1, 2], row_ptr=[0, 2, 3], col=[0, 1, 1], prob=[0.5, 0.5, 1], reward=[1, 0])
    >>> read_npz(path).mdp
    <SparseMDP coin: 2 states, 2 choices>
    """
    path = Path(path)
    try:
        with path.open("rb") as file, np.load(file) as archive:
            arrays = dict(archive)
    except (ValueError, EOFError, BadZipFile, zlib.error, TypeError) as error:
        raise ValueError(f"{path}: not a complete NumPy archive ({error})") from None
    for name in ("choice_ptr", "row_ptr", "col", "prob"):
        if name not in arrays:
            raise ValueError(f"{path}: there is no array {name!r}")
    states = arrays["choice_ptr"].size - 1
    labels = {name: array for name, array in arrays.items() if array.dtype == bool}
    rewards = {name.removeprefix("reward_"): array for name, array in arrays.items() if name.startswith("reward")}
    for name in arrays:
        if name not in PARTS and name not in labels and not name.startswith("reward_"):
            raise ValueError(
                f"{path}: {name!r} is no part of a process; expected {', '.join(sorted(PARTS))} or a label"
            )
    if "initial_state" in arrays and "initial_distribution" in arrays:
        raise ValueError(f"{path}: has an initial_state and an initial_distribution; give one of them")
    if "terminal_state" in arrays:
        labels["terminal"] = _only(arrays["terminal_state"], states, f"{path}: terminal_state")
    initial = arrays.get("initial_distribution")
    if "initial_state" in arrays:
        initial = _only(arrays["initial_state"], states, f"{path}: initial_state").astype(np.float64)
    try:
        mdp = SparseMDP(
            arrays["choice_ptr"],
            arrays["row_ptr"],
            arrays["col"],
            arrays["prob"],
            _sole(rewards, arrays["row_ptr"].size - 1),
            initial=initial,
            title=path.stem,
        )
        return ExplicitModel(mdp, labels, {name: frozen(array.astype(np.float64)) for name, array in rewards.items()})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_prism(
    transitions: str | Path,
    *,
    labels: str | Path | None = None,
    state_rewards: str | Path | None = None,
    transition_rewards: str | Path | None = None,
) -> ExplicitModel:
    r"""Read the explicit files of a Markov decision process that PRISM exports and imports.

    Parameters
    ----------
    transitions : path of a ``.tra`` file
        Numbers of states, choices and transitions, then lines ``state choice successor probability [action]``.
    labels : path of a ``.lab`` file, optional
        Names such as ``0="init"``, then lines ``state: number number ...``. The process starts in the states labelled
        "init", all of them equally likely; without the file, in any state.
    state_rewards, transition_rewards : path of a ``.srew`` and of a ``.trew`` file, optional
        Numbers of states and lines, then ``state reward``; numbers of states, choices and lines, then ``state choice
        successor reward``. Both together are one reward structure, with the name in their first comment, or "reward".

    Raises
    ------
    ValueError
        If a file is not in its format, contradicts itself or the others. The message names file, line and rule.
    OSError
        If a file can't be read.

    References
    ----------
    :cite:`kwiatkowska2011`

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "coin.tra"
    >>> _ = path.write_text("2 2 3\n0 0 0 0.5 throw\n0 0 1 0.5 throw\n1 0 1 1\n")
    >>> read_prism(path).mdp.choice_names
    ('throw', '0')
    """
    path = Path(transitions)
    lines, (states, choices, entries) = _table(path, "states choices transitions")
    rows = _Rows(path, states)
    place = (-1, 0)
    for line, text in lines:
        words = text.split()
        if len(words) not in (4, 5):
            raise _wrong(path, line, f"{text!r} is not of the form 'state choice successor probability [action]'")
        state, choice = _index(path, line, words[0], states, "states"), _natural(path, line, words[1])
        action = words[4] if len(words) == 5 else str(choice)
        if (state, choice) != place:
            if state != place[0]:
                rows.begin_state(line, state)
            if choice != (place[1] + 1 if state == place[0] else 0):
                raise _wrong(path, line, f"choice {choice} of state {state} is out of order; list 0, 1, ... in turn")
            rows.begin_choice(line, action)
            place = state, choice
        elif action != rows.choice_names[-1]:
            raise _wrong(
                path, line, f"the choice has the actions {rows.choice_names[-1]!r} and {action!r}; give it one"
            )
        rows.add(line, words[2], words[3])
    first_choice = rows.finish()
    _check_count(path, choices, len(rows.choice_names), "choices")
    _check_count(path, entries, len(rows.successors), "transitions")

    marked = {} if labels is None else _prism_labels(Path(labels), states)
    initial = None
    if labels is not None:
        if not marked.get("init", np.zeros(1)).any():
            raise ValueError(f"{labels}: no state has the label 'init'; the process must start somewhere")
        initial = marked["init"] / marked["init"].sum()
    rewards: dict[str, Vector] = {}
    if state_rewards is not None or transition_rewards is not None:
        total, name = np.zeros(choices), ""
        if state_rewards is not None:
            by_state, name = _prism_state_rewards(Path(state_rewards), states)
            total += np.repeat(by_state, np.diff(first_choice))
        if transition_rewards is not None:
            by_choice, other = _prism_transition_rewards(Path(transition_rewards), rows)
            total += by_choice
            name = name or other
        rewards[name or "reward"] = frozen(total)
    return ExplicitModel(rows.process(_sole(rewards, choices), initial), marked, rewards)


def read_drn(path: str | Path) -> ExplicitModel:
    """Read a Markov decision process, or a Markov chain in discrete time, in Storm's explicit format DRN.

    The process starts in the states labelled "init", all of them equally likely.

    Raises
    ------
    ValueError
        If the file is not in the format or contradicts itself, or has what a process with known probabilities has not:
        continuous time, observations, parameters, placeholders or intervals. The message names file, line and rule.
    OSError
        If the file can't be read.

    References
    ----------
    :cite:`hensel2022`

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "coin.drn"
    >>> _ = path.write_text('''@type: MDP
    ... @parameters
    ...
    ... @reward_models
    ... throws
    ... @nr_states
    ... 2
    ... @nr_choices
    ... 2
    ... @model
    ... state 0 init
    ...  action throw [1]
    ...   0 : 0.5
    ...   1 : 0.5
    ... state 1 heads
    ...  action __NOLABEL__ [0]
    ...   1 : 1
    ... ''')
    >>> coin = read_drn(path)
    >>> coin.rewards["throws"], coin.labels["heads"]
    (array([1., 0.]), array([False,  True]))
    """
    path = Path(path)
    lines = _lines(path, "//")
    states, choices, structures = _drn_header(path, lines)
    rows = _Rows(path, states)
    marked: dict[str, Mask] = {}
    state_rewards = [0.0] * len(structures)
    rewards: list[list[float]] = []
    for line, text in lines:
        if match := DRN_STATE.fullmatch(text):
            state = _index(path, line, match[1], states, "states")
            rows.begin_state(line, state)
            state_rewards = _drn_rewards(path, line, match[2], structures)
            for quoted, bare in DRN_LABEL.findall(match[3]):
                marked.setdefault(quoted or bare, np.zeros(states, dtype=bool))[state] = True
        elif match := DRN_ACTION.fullmatch(text):
            if not rows.first_choice:
                raise _wrong(path, line, "an action comes before the first state")
            within = len(rows.choice_names) - rows.first_choice[-1]
            rows.begin_choice(line, str(within) if match[1] == NO_NAME else match[1])
            earned = _drn_rewards(path, line, match[2], structures)
            rewards.append([a + b for a, b in zip(state_rewards, earned, strict=True)])
        elif match := DRN_TRANSITION.fullmatch(text):
            if not rows.first_choice or rows.first_choice[-1] == len(rows.choice_names):
                raise _wrong(path, line, "a transition comes before the first action of its state")
            rows.add(line, match[1], match[2].strip())
        else:
            raise _wrong(path, line, f"{text!r} is neither a state, nor an action, nor a transition of such a process")
    rows.finish()
    if choices is not None:
        _check_count(path, choices, len(rows.choice_names), "choices")
    if "init" not in marked:
        raise ValueError(f"{path}: no state has the label 'init'; the process must start somewhere")
    table = np.array(rewards).reshape(len(rows.choice_names), len(structures))
    named = {name: frozen(table[:, k].copy()) for k, name in enumerate(structures)}
    process = rows.process(_sole(named, len(rows.choice_names)), marked["init"] / marked["init"].sum())
    return ExplicitModel(process, marked, named)


def write_drn(model: ExplicitModel, path: str | Path) -> None:
    """Write a process in Storm's explicit format DRN, every number so that it is read back exactly.

    States of positive initial probability get the label "init". The format knows no other initial distribution than the
    equal one on them.

    Raises
    ------
    ValueError
        If the initial distribution is another, or a name has characters that the format can't hold.
    OSError
        If the file can't be written.
    """
    mdp = model.mdp
    sparse = mdp.as_sparse()
    possible = mdp.initial > 0
    if not np.allclose(mdp.initial[possible], 1 / possible.sum(), rtol=SUM_TOLERANCE, atol=0):
        raise ValueError("the initial distribution is not uniform on some states; DRN can't hold it")
    for name in (*model.rewards, *mdp.choice_names):
        if not re.fullmatch(r"[^\s\[\]]+", name):
            raise ValueError(f"{name!r} is no name in DRN; it must not be empty, nor have blanks or square brackets")
    for name in model.labels:
        if not name or '"' in name or "\n" in name:
            raise ValueError(
                f"{name!r} is no label in DRN; it must not be empty, nor have quotation marks or new lines"
            )
    labels = {**model.labels, "init": possible}
    lines = ["@type: MDP", "@parameters", "", "@reward_models", " ".join(model.rewards)]
    lines += ["@nr_states", str(mdp.states), "@nr_choices", str(mdp.choices), "@model"]
    law = sparse.transition_matrix
    for state in range(mdp.states):
        carried = "".join(f' "{name}"' for name, mask in labels.items() if mask[state])
        lines.append(f"state {state}{carried}")
        for choice in range(mdp.first_choice[state], mdp.first_choice[state + 1]):
            earned = ", ".join(repr(float(rewards[choice])) for rewards in model.rewards.values())
            lines.append(f"\taction {mdp.choice_names[choice]}" + (f" [{earned}]" if earned else ""))
            entries = slice(law.indptr[choice], law.indptr[choice + 1])
            for successor, probability in sorted(zip(law.indices[entries], law.data[entries], strict=True)):
                lines.append(f"\t\t{successor} : {float(probability)!r}")
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


class _Rows:
    """States, choices and transitions as they come from a file, in order, each checked when it comes."""

    def __init__(self, path: Path, states: int) -> None:
        self.path, self.states = path, states
        self.first_choice: list[int] = []
        self.choice_names: list[str] = []
        self.first_entry: list[int] = []
        self.successors: list[int] = []
        self.probabilities: list[float] = []
        self.state_line = self.choice_line = 0

    def begin_state(self, line: int, state: int) -> None:
        self._end_state()
        if state != len(self.first_choice):
            raise _wrong(self.path, line, f"state {state} is out of order; expected state {len(self.first_choice)}")
        self.first_choice.append(len(self.choice_names))
        self.state_line = line

    def begin_choice(self, line: int, name: str) -> None:
        self._end_choice()
        self.first_entry.append(len(self.successors))
        self.choice_names.append(name)
        self.choice_line = line

    def add(self, line: int, successor: str, probability: str) -> None:
        state, number = _index(self.path, line, successor, self.states, "states"), _number(self.path, line, probability)
        if not 0 <= number <= 1:
            raise _wrong(self.path, line, f"the probability is {probability}; it must lie in [0, 1]")
        self.successors.append(state)
        self.probabilities.append(number)

    def finish(self) -> NDArray[np.int64]:
        """Check what comes last; return the first choice of each state, shape (S + 1,)."""
        self._end_state()
        _check_count(self.path, self.states, len(self.first_choice), "states")
        return np.array([*self.first_choice, len(self.choice_names)])

    def process(self, rewards: Vector, initial: Vector | None) -> SparseMDP:
        return SparseMDP(
            [*self.first_choice, len(self.choice_names)],
            [*self.first_entry, len(self.successors)],
            self.successors,
            self.probabilities,
            rewards,
            initial=initial,
            choice_names=self.choice_names,
            title=self.path.stem,
        )

    def _end_state(self) -> None:
        self._end_choice()
        if self.first_choice and self.first_choice[-1] == len(self.choice_names):
            raise _wrong(self.path, self.state_line, f"state {len(self.first_choice) - 1} has no choice; it needs one")

    def _end_choice(self) -> None:
        if not self.first_entry or self.choice_line == 0:
            return
        successors, law = self.successors[self.first_entry[-1] :], self.probabilities[self.first_entry[-1] :]
        if len(set(successors)) < len(successors):
            raise _wrong(self.path, self.choice_line, "the choice leads to a state twice; add up the probabilities")
        if abs(math.fsum(law) - 1) > SUM_TOLERANCE:
            raise _wrong(
                self.path,
                self.choice_line,
                f"the probabilities of the choice sum to {math.fsum(law):.12g}; expected 1 within {SUM_TOLERANCE:g}",
            )
        self.choice_line = 0


def _prism_labels(path: Path, states: int) -> dict[str, Mask]:
    lines = _lines(path, "#")
    line, text = next(lines, (1, ""))
    names = LABEL.findall(text)
    if not names or LABEL.sub("", text).strip():
        raise _wrong(path, line, f'{text!r} declares no labels; expected a line like \'0="init" 1="goal"\'')
    marked = {number: np.zeros(states, dtype=bool) for number, _ in names}
    for line, text in lines:
        state, _, numbers = text.partition(":")
        place = _index(path, line, state.strip(), states, "states")
        for number in numbers.split():
            if number not in marked:
                raise _wrong(path, line, f"label {number} is not declared in the first line")
            marked[number][place] = True
    return {name: marked[number] for number, name in names}


def _prism_state_rewards(path: Path, states: int) -> tuple[Vector, str]:
    lines, (declared, entries) = _table(path, "states lines")
    _check_count(path, declared, states, "states")
    rewards, rewarded = np.zeros(states), set()
    for line, text in lines:
        words = text.split()
        if len(words) != 2:
            raise _wrong(path, line, f"{text!r} is not of the form 'state reward'")
        state = _index(path, line, words[0], states, "states")
        if state in rewarded:
            raise _wrong(path, line, f"state {state} has a reward already")
        rewarded.add(state)
        rewards[state] = _number(path, line, words[1])
    _check_count(path, entries, len(rewarded), "lines of rewards")
    return rewards, _structure_name(path)


def _prism_transition_rewards(path: Path, rows: _Rows) -> tuple[Vector, str]:
    lines, (states, choices, entries) = _table(path, "states choices lines")
    _check_count(path, states, rows.states, "states")
    _check_count(path, choices, len(rows.choice_names), "choices")
    first_choice, first_entry = [*rows.first_choice, choices], [*rows.first_entry, len(rows.successors)]
    rewards, rewarded = np.zeros(choices), set()
    for line, text in lines:
        words = text.split()
        if len(words) != 4:
            raise _wrong(path, line, f"{text!r} is not of the form 'state choice successor reward'")
        state = _index(path, line, words[0], states, "states")
        here = first_choice[state + 1] - first_choice[state]
        choice = first_choice[state] + _index(path, line, words[1], here, f"choices in state {state}")
        successor, reward = _index(path, line, words[2], states, "states"), _number(path, line, words[3])
        try:
            entry = rows.successors.index(successor, first_entry[choice], first_entry[choice + 1])
        except ValueError:
            raise _wrong(path, line, f"choice {words[1]} of state {state} never leads to {successor}") from None
        if entry in rewarded:
            raise _wrong(path, line, f"the transition from state {state} to {successor} has a reward already")
        rewarded.add(entry)
        rewards[choice] += rows.probabilities[entry] * reward
    _check_count(path, entries, len(rewarded), "lines of rewards")
    return rewards, _structure_name(path)


def _structure_name(path: Path) -> str:
    match = STRUCTURE_NAME.search(path.read_text(encoding="utf-8"))
    return match[1] if match else ""


def _table(path: Path, form: str) -> tuple[Iterator[tuple[int, str]], list[int]]:
    """Lines of a file of PRISM, and the numbers in its first line."""
    lines = _lines(path, "#")
    line, text = next(lines, (1, ""))
    if len(text.split()) != len(form.split()):
        raise _wrong(path, line, f"the first line is {text!r}; expected numbers of {', '.join(form.split())}")
    return lines, [_natural(path, line, word) for word in text.split()]


def _drn_header(path: Path, lines: Iterator[tuple[int, str]]) -> tuple[int, int | None, list[str]]:
    """Numbers of states and, where declared, of choices; names of reward structures."""
    sections: dict[str, list[str]] = {}
    section, line = "", 0
    for line, text in lines:
        if text == "@model":
            break
        if not text.startswith("@"):
            sections.setdefault(section, []).append(text)
            if section not in ("@reward_models", "@nr_states", "@nr_choices"):
                raise _wrong(path, line, f"{text!r} in section {section or 'none'}; such a process is not supported")
            continue
        section, _, value = text.partition(":")
        if section in sections:
            raise _wrong(path, line, f"{section} is declared twice")
        sections[section] = [value.strip()] if value else []
        if section == "@type" and value.strip() not in ("MDP", "DTMC"):
            raise _wrong(path, line, f"the type is {value.strip()!r}; only MDP and DTMC are supported")
        if section == "@value_type" and value.strip() not in ("double", "rational"):
            raise _wrong(path, line, f"values are of type {value.strip()!r}; only double and rational are supported")
        if section not in ("@type", "@value_type", "@parameters", "@reward_models", "@nr_states", "@nr_choices"):
            raise _wrong(path, line, f"section {section} is not supported")
    else:
        raise _wrong(path, line, "the file ends before @model")
    for needed in ("@type", "@nr_states"):
        if needed not in sections:
            raise _wrong(path, line, f"{needed} is not declared before @model")
    structures = " ".join(sections.get("@reward_models", [])).split()
    if len(set(structures)) < len(structures):
        raise _wrong(path, line, f"two of the reward models {structures} have one name")
    states = _natural(path, line, " ".join(sections["@nr_states"]))
    choices = _natural(path, line, " ".join(sections["@nr_choices"])) if "@nr_choices" in sections else None
    return states, choices, structures


def _drn_rewards(path: Path, line: int, text: str | None, structures: list[str]) -> list[float]:
    """Rewards in brackets, one for each structure; none at all stands for zeros."""
    if text is None:
        return [0.0] * len(structures)
    words = text.split(",")
    if len(words) != len(structures):
        raise _wrong(path, line, f"there are rewards of {len(words)} structures; the header names {len(structures)}")
    return [_number(path, line, word.strip()) for word in words]


def _lines(path: Path, comment: str) -> Iterator[tuple[int, str]]:
    """Numbered lines of a file without surrounding blanks, comments and empty lines left out."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file ({error})") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.strip().startswith(comment):
            yield number, line.strip()


def _natural(path: Path, line: int, text: str) -> int:
    if not re.fullmatch(r"[0-9]+", text):
        raise _wrong(path, line, f"{text!r} is no whole number >= 0")
    return int(text)


def _index(path: Path, line: int, text: str, size: int, things: str) -> int:
    number = _natural(path, line, text)
    if number >= size:
        raise _wrong(path, line, f"{number} is out of range; there are {size} {things}, counted from 0")
    return number


def _number(path: Path, line: int, text: str) -> float:
    """Return a decimal number or a fraction as a float."""
    if not re.fullmatch(r"[+-]?([0-9]+/0*[1-9][0-9]*|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)", text):
        raise _wrong(path, line, f"{text!r} is no number; intervals, parameters and placeholders are not supported")
    number = float(Fraction(text)) if "/" in text else float(text)
    if not math.isfinite(number):
        raise _wrong(path, line, f"{text} is too large for a float")
    return number


def _check_count(path: Path, declared: int, found: int, things: str) -> None:
    if declared != found:
        raise ValueError(f"{path}: {declared} {things} are declared, but there are {found}")


def _wrong(path: Path, line: int, message: str) -> ValueError:
    return ValueError(f"{path}, line {line}: {message}")


def _only(state: NDArray[np.int64], states: int, name: str) -> Mask:
    """Mask of a single state."""
    if state.shape != () or not np.issubdtype(state.dtype, np.integer) or not 0 <= state < states:
        raise ValueError(f"{name} is {state}; it must be a state, 0 to {states - 1}")
    mask = np.zeros(states, dtype=bool)
    mask[state] = True
    return mask


def _sole(rewards: Mapping[str, Vector], choices: int) -> Vector:
    """Return the only rewards there are, or zeros."""
    return next(iter(rewards.values())) if len(rewards) == 1 else np.zeros(choices)
