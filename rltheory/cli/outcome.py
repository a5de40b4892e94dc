"""How a command on verdicts ends: with a page, a table, and an exit code."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from rltheory.cli.common import HOLDS, REFUTED, UNDECIDED, USAGE, checked_input, console

if TYPE_CHECKING:
    from rltheory.theory import Verdict


def conclude(verdicts: "list[Verdict]", output: Path, *, every: bool) -> NoReturn:
    """Write the page, print table and summary, and end with the exit code that the verdicts call for.

    The table has a row for every verdict on demand, else one for each theorem and for all verdicts that do not hold.
    """
    from rltheory.progress import sign_of_life
    from rltheory.report import write_report

    with checked_input(), sign_of_life("writing the page"):
        page = write_report(verdicts, output)
    levels = verdicts[0].judgement.levels
    _print_table(verdicts, every=every)
    if any(verdict.replicates > 1 for verdict in verdicts):
        click.echo(f"By chance, HOLDS errs with probability {levels.hold:g} at most, REFUTED with {levels.refute:g}.")
    click.echo(f"{_summary(verdicts)}. Page: {page}")
    raise SystemExit(_exit_code(verdicts))


def _print_table(verdicts: "list[Verdict]", *, every: bool) -> None:
    """Print a row for each verdict, or for the tightest of each theorem and all that do not hold."""
    from rich.table import Table

    from rltheory.theory import Status

    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.theorem, []).append(verdict)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("theorem", "setting", "verdict"):
        table.add_column(column, overflow="fold")
    table.add_column("runs", justify="right")
    for column in ("tightness", "measured rate", "stated rate"):
        table.add_column(column, justify="right", no_wrap=True)
    colours = {Status.HOLDS: "green", Status.REFUTED: "bold red", Status.BROKEN: "bold red"}
    for group in groups.values():
        tightest = max(group, key=lambda verdict: (verdict.times.size > 0, verdict.tightness))
        for verdict in group:
            if not (every or verdict is tightest or verdict.status is not Status.HOLDS):
                continue
            holding = sum(other.status is Status.HOLDS for other in group)
            count = f" {holding}/{len(group)}" if verdict.status is Status.HOLDS and not every else ""
            colour = colours.get(verdict.status, "yellow")
            table.add_row(
                verdict.theorem,
                f"{verdict.setting}\n{verdict.reason.replace('$', '')}".strip(),
                f"[{colour}]{verdict.status}[/]{count}\n{verdict.caveat}".strip(),
                str(verdict.replicates) if verdict.replicates > 1 else "",
                _tightness(verdict),
                "" if verdict.fit is None else verdict.fit.describe(verdict.clock),
                verdict.stated_rate,
            )
    console().print(table)


def _tightness(verdict: "Verdict") -> str:
    if verdict.worst_time is None or verdict.card.kind == "existence":
        return ""
    return f"= {verdict.discrepancy:.0e}" if verdict.card.kind == "identity" else f"{verdict.tightness:.5f}"


def _summary(verdicts: "list[Verdict]") -> str:
    from collections import Counter

    counts = Counter(verdict.outcome for verdict in verdicts)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def _exit_code(verdicts: "list[Verdict]") -> int:
    from rltheory.theory import Status

    statuses = {verdict.status for verdict in verdicts}
    if Status.BROKEN in statuses:
        return USAGE
    if Status.REFUTED in statuses:
        return REFUTED
    return HOLDS if Status.HOLDS in statuses and Status.UNDECIDED not in statuses else UNDECIDED
