"""Preference orders in the formats of PrefLib, counted pair by pair."""

import re
from itertools import takewhile
from pathlib import Path

import numpy as np

from rltheory.arrays import Matrix

__all__ = ["read_half_wins"]

FORMATS = (".soc", ".soi", ".toc", ".toi")  # strict or with ties, complete or incomplete
TIED = r"(?:\d+|{\d+(?:,\d+)*})"
ORDER = re.compile(r"(\d+):" + TIED + "(?:," + TIED + ")*")


def read_half_wins(path: Path) -> tuple[tuple[str, ...], Matrix, str]:
    """Read names of alternatives, half-wins of one over another, shape (n, n), and the title, which may be empty.

    Each voter gives two half-wins to the alternative that stands above the other, and one to both of a tie.
    Unranked alternatives are tied below all ranked ones.

    Raises
    ------
    ValueError
        If the file is not in one of the four formats, or contradicts itself.
    ImportError
        If preflibtools is not installed.
    OSError
        If the file can't be read.
    """
    try:
        from preflibtools.instances import OrdinalInstance
    except ImportError:
        raise ImportError("PrefLib files need preflibtools; install it by: pip install 'rltheory[preflib]'") from None

    if path.suffix not in FORMATS:
        raise ValueError(f"the suffix is {path.suffix!r}; files of orders end in {', '.join(FORMATS)}")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    header = list(takewhile(lambda line: line.startswith("#"), lines))
    voters: dict[int, int] = {}  # by line
    for number, line in enumerate(lines[len(header) :], len(header) + 1):
        # The parser skips in silence what it does not expect, such as a brace left open.
        match = ORDER.fullmatch(re.sub(r"\s*([:,{}])\s*", r"\1", line.strip()))
        if match:
            voters[number] = int(match[1])
        elif line.strip():
            raise ValueError(f"line {number}: {line!r} is not an order; expected a line like '3: 2,{{1,4}},5'")
    if not any(voters.values()):
        raise ValueError("no voter gave an order; expected lines like '3: 2,{1,4},5' below the header")

    instance = OrdinalInstance()
    instance.parse_str("\n".join(lines), path.suffix[1:])
    n, names = instance.num_alternatives, instance.alternatives_name
    if sorted(names) != list(range(1, n + 1)):
        raise ValueError(
            f"the header declares {n} alternatives and names {len(names)}; "
            f"expected a line '# ALTERNATIVE NAME i: ...' for each i from 1 to {n}"
        )
    if sum(voters.values()) != instance.num_voters:
        raise ValueError(f"the header declares {instance.num_voters} voters; the orders are of {sum(voters.values())}")

    places = np.full((len(voters), n), n)
    for row, number, order in zip(places, voters, instance.orders, strict=True):
        ranked = [alternative for tied in order for alternative in tied]
        if len(set(ranked)) < len(ranked):
            raise ValueError(f"line {number} ranks an alternative twice")
        if not names.keys() >= set(ranked):
            raise ValueError(f"line {number} ranks an alternative that the header does not name")
        if path.suffix.endswith("c") and len(ranked) < n:
            raise ValueError(f"line {number} ranks {len(ranked)} of {n}; orders in {path.suffix} files are complete")
        for place, tied in enumerate(order):
            row[np.array(tied) - 1] = place
    weights = np.array(list(voters.values()), dtype=np.float64)
    half_wins = np.array([weights @ (1 + np.sign(places - places[:, [a]])) for a in range(n)])
    return tuple(names[i] for i in range(1, n + 1)), half_wins, instance.title
