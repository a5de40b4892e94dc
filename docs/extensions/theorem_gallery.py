"""Pages of all theorems, written from the theorem objects, their verdicts, their controls and their proofs.

A build verifies the whole catalogue, so that pages show what this version measures.
"""

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sphinx.util.display import status_iterator

import proofs_checks
from rltheory import verify
from rltheory.report import most_telling, verdict_figure
from rltheory.simulation import Processes
from rltheory.theorems import find, subjects
from rltheory.theory import Card, Existence, Identity, Proof, Scope, Status, Theorem, Verdict

TEMPLATES = Path(__file__).parents[1] / "_templates" / "theorems"


@dataclass(frozen=True)
class Demonstration:
    """A proof, the file in which it is checked, and the reason of each step."""

    module: str
    proof: Proof

    @property
    def page(self) -> str:
        """Name of the page that shows the file."""
        return self.module.rpartition(".")[2]

    @cached_property
    def steps(self) -> list[tuple[str, str]]:
        """What each step says and why it holds."""
        setting = next(iter(self.proof.settings()))
        return [(step.statement, step.check(setting).because) for step in self.proof.steps]


@dataclass(frozen=True)
class Exhibit:
    """One theorem, with everything that its section shows."""

    theorem: Theorem[Any]
    verdicts: Sequence[Verdict]
    proofs: Sequence[Demonstration]
    refutations: Sequence[tuple[str, Verdict]]  # for each control the first verdict that refutes it

    @property
    def shown(self) -> Verdict:
        """The verdict that comes closest to failing."""
        return most_telling(self.verdicts)

    @property
    def figure(self) -> str:
        """File of the picture of both sides."""
        return f"figures/{self.theorem.name.replace('/', '-')}.svg"

    @property
    def about(self) -> str:
        """What its file of theorems is about, in one line."""
        (line, *_) = inspect.getdoc(inspect.getmodule(self.theorem.run)).splitlines()
        return re.sub(r":math:`([^`]*)`", r"$\1$", line)

    @property
    def closeness(self) -> str:
        """Tightness, or, for an identity, the largest difference of its sides."""
        kind = self.theorem.kind
        if isinstance(kind, Existence):
            return ""
        return f"= {self.shown.discrepancy:.0e}" if isinstance(kind, Identity) else f"{self.shown.tightness:.4f}"

    @property
    def outcome(self) -> str:
        """What came out, in a few sentences."""
        counts = Counter(verdict.outcome for verdict in self.verdicts)
        shown = self.shown
        sentences = [
            ", ".join(f"**{outcome}** in {n} of {len(self.verdicts)} settings" for outcome, n in counts.items())
        ]
        if isinstance(self.theorem.kind, Identity):
            sentences.append(f"The sides differ by {shown.discrepancy:.0e} at most, relatively")
        elif not isinstance(self.theorem.kind, Existence):
            sentences.append(
                f"Closest in {shown.setting}: tightness {shown.tightness:.4f} at {shown.clock} {shown.worst_time}"
            )
        if shown.fit is not None:
            sentences.append(f"Measured {shown.fit.describe(shown.clock)}, stated {shown.stated_rate}")
        return ". ".join(sentences) + "."

    @property
    def is_correction(self) -> bool:
        """Whether the statement corrects the paper that it comes from, or shows that what is printed fails."""
        place = "" if self.theorem.paper is None else self.theorem.paper.place
        return "corrected" in place or "printed" in self.theorem.name

    @property
    def prominence(self) -> float:
        """How well its picture stands for a subject: best a curve with a rate, below a known bound and close to it."""
        shown = self.shown
        if shown.fit is None or shown.tightness > 1 + 1e-6:  # more than rounding above a bound of unknown constant
            return 0.0
        return shown.tightness + (shown.scope is Scope.BOUND)

    @property
    def entry(self) -> "Entry":
        """What the tables of theorems show of it."""
        return Entry(
            self.theorem.card,
            self.about,
            self.shown.outcome,
            self.closeness,
            self.is_correction,
            [item.page for item in self.proofs],
            self.figure,
            self.prominence,
        )


@dataclass(frozen=True)
class Entry:
    """What the tables of theorems show of one."""

    card: Card
    about: str
    outcome: str
    closeness: str
    is_correction: bool
    proofs: Sequence[str]  # pages
    figure: str
    prominence: float


@cache
def demonstrations() -> list[Demonstration]:
    """All proofs of the folder of proof checks."""
    names = [info.name for info in pkgutil.iter_modules(proofs_checks.__path__, "proofs_checks.")]
    checks = [name for name in names if not name.rpartition(".")[2].startswith(("test_", "conftest", "_"))]
    return [
        Demonstration(name, value)
        for name in checks
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, Proof)
    ]


def refutations(theorems: list[Theorem[Any]]) -> dict[str, list[tuple[str, Verdict]]]:
    """Wrong runs of each theorem, with the verdict in the first default setting that refutes it."""
    found: dict[tuple[str, str], Verdict] = {}
    left = [(theorem, name, iter(theorem.settings())) for theorem in theorems for name in theorem.controls]
    while left:
        wrong = [
            replace(theorem, run=theorem.controls[name], settings=partial(list, [next(settings)]))
            for theorem, name, settings in left
        ]
        verdicts = verify(wrong, workers=1)
        for (theorem, name, _), verdict in zip(left, verdicts, strict=True):
            if verdict.status is Status.REFUTED:
                found[theorem.name, name] = verdict
        left = [control for control in left if (control[0].name, control[1]) not in found]
    return {theorem.name: [(name, found[theorem.name, name]) for name in theorem.controls] for theorem in theorems}


def exhibits(group: str) -> list[Exhibit]:
    """The theorems of a group, verified."""
    theorems = find(group)
    verdicts = verify(theorems, workers=1)
    judged = {name: list(part) for name, part in groupby(verdicts, key=lambda verdict: verdict.theorem)}
    refuted = refutations(theorems)
    return [
        Exhibit(
            theorem,
            judged[theorem.name],
            [item for item in demonstrations() if theorem in item.proof.of],
            refuted[theorem.name],
        )
        for theorem in theorems
    ]


def write(folder: Path, page: str, template: str, **content: Any) -> None:
    """Write a page from a template."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = lambda text: text.replace("|", r"\|")
    environment.filters["plain"] = lambda text: re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", text)
    text = environment.get_template(f"{template}.md.j2").render(**content)
    (folder / f"{page}.md").write_text(text, encoding="utf-8")


def write_group(group: str, folder: Path) -> list[Entry]:
    """Write the page of a group and its figures."""
    part = exhibits(group)
    for exhibit in part:
        (folder / exhibit.figure).write_text(str(verdict_figure(exhibit.verdicts)), encoding="utf-8")
    write(folder, group, "group", group=group, about=part[0].about, exhibits=part)
    return [exhibit.entry for exhibit in part]


def write_pages(app: Any) -> None:
    """Write a page for each subject and all of them, for each group of theorems, and for each file of proofs."""
    folder = Path(app.srcdir, "theorems")
    for name in ("figures", "proofs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    names = [group for subject in subjects() for group in subject.groups]
    with Processes().open() as crew:  # much of the work is plain Python, which threads would not share
        jobs = {name: crew.submit(partial(write_group, folder=folder), name) for name in names}
        shown = status_iterator(names, "verifying theorems... ", length=len(names))
        groups = {name: jobs[name].result() for name in shown}
    entries = list(chain.from_iterable(groups.values()))
    for page in {page for entry in entries for page in entry.proofs}:
        write(folder, f"proofs/{page}", "proof", name=page)
    pictures = {}
    for subject in subjects():
        parts = {name: groups[name] for name in subject.groups}
        write(folder, subject.name, "subject", subject=subject, groups=parts)
        pictures[subject.name] = max(chain.from_iterable(parts.values()), key=attrgetter("prominence"))
    write(folder, "corrections", "corrections", entries=[entry for entry in entries if entry.is_correction])
    write(folder, "index", "index", subjects=subjects(), pictures=pictures, number=len(entries))


def setup(app: Any) -> dict[str, bool]:
    """Connect to the build."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
