r"""Preference games: who is preferred to whom, and how often.

Actions are numbered :math:`1, \dots, n`; :math:`P_{ab}` is the probability that action :math:`a` is
preferred to action :math:`b`, so that :math:`P + P^\top = 1`. All algorithms work with the skew-symmetric
payoff :math:`S = P - 1/2`, whose entries lie in :math:`[-1/2, 1/2]`.
"""

import csv
import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from rltheory.arrays import SUM_TOLERANCE, Matrix, Vector, first_index, float_array, frozen
from rltheory.jit import reordering_kernel
from rltheory.problems.preflib import read_half_wins

__all__ = ["GameArrays", "PreferenceGame", "query"]

LARGEST_COUNT = 2.0**53
WHOLE_ROWS_SIZE = 64  # up to here, reading all payoffs is faster than going twice through half of them


class GameArrays(NamedTuple):
    """What kernels receive."""

    payoff: Matrix  # (n, n), skew-symmetric to the last bit, entries in [-1/2, 1/2]; float32 in a LargeGame


@reordering_kernel
def query(payoff: Matrix, policy: Vector, values: Vector) -> None:
    """Write the win rates against `policy`, minus 1/2, to `values`: one preference query.

    The sums are taken in float64, also over payoffs in single precision. Rounding moves each of them by at most
    ``n u / (1 - n u)`` times the sum of the sizes of its n terms, where u = 2^-53.
    """
    n = policy.size
    if n <= WHOLE_ROWS_SIZE:
        for a in range(n):
            row = payoff[a]
            total = 0.0
            for b in range(n):
                total += row[b] * policy[b]
            values[a] = total
        return
    # What one action gains, the other loses: entries on and below the diagonal need not be read.
    for a in range(n):
        values[a] = 0.0
    for a in range(0, n - 3, 4):
        for i in range(a, a + 4):
            for j in range(i + 1, a + 4):
                values[i] += payoff[i, j] * policy[j]
                values[j] -= payoff[i, j] * policy[i]
        # Four rows at a time, whose sums stay in registers: a fourth of the traffic for the two vectors.
        s_0, s_1, s_2, s_3 = payoff[a, a + 4 :], payoff[a + 1, a + 4 :], payoff[a + 2, a + 4 :], payoff[a + 3, a + 4 :]
        p_0, p_1, p_2, p_3 = policy[a], policy[a + 1], policy[a + 2], policy[a + 3]
        p, v = policy[a + 4 :], values[a + 4 :]
        v_0 = v_1 = v_2 = v_3 = 0.0
        for b in range(p.size):
            v_0 += s_0[b] * p[b]
            v_1 += s_1[b] * p[b]
            v_2 += s_2[b] * p[b]
            v_3 += s_3[b] * p[b]
            v[b] -= s_0[b] * p_0 + s_1[b] * p_1 + s_2[b] * p_2 + s_3[b] * p_3
        values[a] += v_0
        values[a + 1] += v_1
        values[a + 2] += v_2
        values[a + 3] += v_3
    for a in range(n - n % 4, n):
        for b in range(a + 1, n):
            values[a] += payoff[a, b] * policy[b]
            values[b] -= payoff[a, b] * policy[a]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class PreferenceGame:
    r"""A symmetric two-player game given by preference probabilities.

    Parameters
    ----------
    prefer : array_like, shape (n, n)
        ``prefer[a, b]`` is the probability in [0, 1] that action a beats action b. The matrix plus its
        transpose is 1 within 1e-9; hence the diagonal is 1/2.
    names : sequence of str, optional
        Distinct names of the actions; by default their numbers.
    title : str, optional
        What to call the game in tables and figures. Two games that differ in title only are equal.

    Raises
    ------
    ValueError
        If the matrix is not square, not finite, out of range or not complementary, or if names are
        missing, empty or repeated. The message names the entry and the rule.

    Examples
    --------
    >>> rock_paper_scissors = PreferenceGame([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]],
    ...                                      names=["rock", "paper", "scissors"])
    >>> rock_paper_scissors.payoff[0]
    array([ 0. , -0.5,  0.5])
    """

    prefer: Matrix
    names: tuple[str, ...]
    title: str

    def __init__(self, prefer: ArrayLike, names: Sequence[str] = (), title: str = "") -> None:
        prefer = float_array(prefer, "prefer", ndim=2)
        n = len(prefer)
        if n == 0 or prefer.shape != (n, n):
            raise ValueError(f"prefer has shape {prefer.shape}; it must be square with at least one action")
        outside = (prefer < 0) | (prefer > 1)
        if outside.any():
            a, b = first_index(outside)
            raise ValueError(f"prefer[{a}, {b}] is {prefer[a, b]:.12g}; a probability must lie in [0, 1]")
        uneven = np.abs(prefer + prefer.T - 1) > SUM_TOLERANCE
        if uneven.any():
            a, b = first_index(uneven)
            raise ValueError(
                f"prefer[{a}, {b}] + prefer[{b}, {a}] is {prefer[a, b] + prefer[b, a]:.12g}; "
                f"expected 1 within {SUM_TOLERANCE:g}"
            )
        object.__setattr__(self, "prefer", frozen(prefer))
        object.__setattr__(self, "names", checked_names(names, n))
        object.__setattr__(self, "title", title)

    @property
    def n(self) -> int:
        """Number of actions."""
        return len(self.prefer)

    @cached_property
    def payoff(self) -> Matrix:
        """Skew part :math:`S = (P - P^T) / 2`, shape (n, n), antisymmetric to the last bit."""
        return frozen((self.prefer - self.prefer.T) / 2)

    @cached_property
    def arrays(self) -> GameArrays:
        """The arrays that kernels receive."""
        return GameArrays(self.payoff)

    @cached_property
    def digest(self) -> str:
        """Digest of probabilities and names, by which a stored result can name its game."""
        digest = blake2b(self.prefer.tobytes(), digest_size=16)
        digest.update("\n".join(self.names).encode())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PreferenceGame) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return self.title or f"{self.n} actions"

    def __repr__(self) -> str:
        return f"<PreferenceGame {self.title or 'untitled'}: {self.n} actions>"

    def _repr_html_(self) -> str:
        shown = range(min(self.n, 12))
        head = "".join(f"<th>{html.escape(self.names[b])}</th>" for b in shown)
        rows = "".join(
            f"<tr><th>{html.escape(self.names[a])}</th>"
            + "".join(f"<td>{self.prefer[a, b]:.3f}</td>" for b in shown)
            + "</tr>"
            for a in shown
        )
        rest = f", the first {len(shown)} shown" if self.n > len(shown) else ""
        caption = f"{html.escape(self.title or 'Preference game')}: {self.n} actions{rest}"
        return f"<table><caption>{caption}</caption><tr><th></th>{head}</tr>{rows}</table>"

    @classmethod
    def from_payoff(cls, payoff: ArrayLike, names: Sequence[str] = (), title: str = "") -> Self:
        """Game with win probabilities 1/2 + `payoff`; the payoff is skew with entries in [-1/2, 1/2]."""
        return cls(float_array(payoff, "payoff", ndim=2) + 0.5, tuple(names), title)

    @classmethod
    def indifferent(cls, n: int) -> Self:
        """Game in which every action beats every other half of the time."""
        return cls(np.full((n, n), 0.5), title=f"indifferent, n = {n}")

    @classmethod
    def from_csv(cls, path: str | Path) -> Self:
        r"""Read a table of preferences.

        The file holds an n × n table of numbers separated by commas, with or without a first line of names.
        A table of integers is read as counts :math:`H` (for example two for each win and one for each
        tie), with :math:`P_{ab} = H_{ab} / (H_{ab} + H_{ba})`, and 1/2 for a pair that never met. Any other
        table is read as probabilities.

        Raises
        ------
        ValueError
            If the file is empty, ragged, not square, holds text where a number belongs, or breaks a rule
            of :class:`PreferenceGame`. The message names the file, the line and the column.
        OSError
            If the file can't be read.
        """
        path = Path(path)
        try:
            names, table = _read_table(path)
            prefer = _win_rates(table) if _are_counts(table) else table
            return cls(prefer, names, path.stem)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def from_preflib(cls, path: str | Path) -> Self:
        """Read preference orders from a file of PrefLib, preflib.org; this needs ``pip install 'rltheory[preflib]'``.

        The file holds orders, strict or with ties, complete or incomplete (soc, soi, toc, toi), each with the number
        of voters who gave it. The preference for a over b is the share of voters who rank a above b, plus half of
        those who rank them equal. Alternatives that a voter does not rank are equal to one another and below all
        that are ranked.

        Raises
        ------
        ValueError
            If the file is in another format, is damaged or contradicts itself, or breaks a rule of
            :class:`PreferenceGame`. The message names the file, and the line of a wrong order.
        ImportError
            If preflibtools is not installed.
        OSError
            If the file can't be read.

        References
        ----------
        :cite:`mattei2013`.
        """
        path = Path(path)
        try:
            names, half_wins, title = read_half_wins(path)
            return cls(_win_rates(half_wins), names, title or path.stem)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def checked_names(names: Sequence[str], n: int) -> tuple[str, ...]:
    """Return n distinct names; numbers where none are given."""
    if not names:
        return tuple(str(a) for a in range(n))
    names = tuple(names)
    if len(names) != n:
        raise ValueError(f"{len(names)} names for {n} actions; give one name for each action")
    seen: set[str] = set()
    for position, name in enumerate(names):
        if not name.strip():
            raise ValueError(f"names[{position}] is {name!r}; a name must not be blank")
        if name in seen:
            raise ValueError(f"names[{position}] is {name!r} again; names must be distinct")
        seen.add(name)
    return names


def _read_table(path: Path) -> tuple[tuple[str, ...], Matrix]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8; save the table as UTF-8 text") from None
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
    if not lines:
        raise ValueError("the file is empty; expected an n × n table of numbers, with or without a line of names")
    width = len(lines[0][1])
    for number, row in lines:
        if len(row) != width:
            raise ValueError(f"line {number} has {len(row)} columns; the first line has {width}")
    names: tuple[str, ...] = ()
    if len(lines) == width + 1:
        names, lines = tuple(lines[0][1]), lines[1:]
    table = np.array([[_number(cell, line, column) for column, cell in enumerate(row, 1)] for line, row in lines])
    if len(lines) != width:
        raise ValueError(f"the table has {len(lines)} rows and {width} columns; expected a square table")
    return names, table


def _number(cell: str, line: int, column: int) -> float:
    place = f"line {line}, column {column}"
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"{place}: {cell!r} is not a number") from None
    if not np.isfinite(value):
        raise ValueError(f"{place}: {cell!r} is not finite")
    if value < 0:
        raise ValueError(f"{place}: {cell} is negative; expected a count or a probability")
    if value > LARGEST_COUNT:
        raise ValueError(f"{place}: {cell} is above 2^53; larger counts are not exact")
    return value


def _are_counts(table: Matrix) -> bool:
    return bool((table == np.round(table)).all())


def _win_rates(counts: Matrix) -> Matrix:
    total = counts + counts.T
    return np.divide(counts, total, out=np.full_like(counts, 0.5), where=total > 0)
