"""Commands that say what there is: list, show, cite."""

import click

from rltheory.cli.common import checked_input, console


@click.command("list", short_help="List the theorems.")
@click.argument("group", required=False)
def list_(group: str | None) -> None:
    """List all theorems, subject by subject, or those of one GROUP."""
    from rich.table import Table

    from rltheory.theorems import find, subjects

    table = Table("theorem", "in words", "kind", box=None, pad_edge=False, header_style="bold")
    with checked_input():
        parts = {"": find(group)} if group else {subject.title: subject.theorems for subject in subjects()}
    for title, theorems in parts.items():
        if title:
            table.add_row(f"\n[bold]{title}[/bold]")
        for theorem in theorems:
            table.add_row(theorem.name, theorem.title, theorem.kind.name)
    console().print(table)


@click.command(short_help="Show a statement and its hypotheses.")
@click.argument("name")
def show(name: str) -> None:
    """Show the theorem NAME, or all theorems of the group NAME: statement, hypotheses, source, controls."""
    from rltheory.bibliography import reference
    from rltheory.theorems import find
    from rltheory.theory import Scope

    with checked_input():
        theorems = find(name)
    for theorem in theorems:
        card = theorem.card
        paragraphs = [
            f"Where {card.symbols}." if card.symbols else "",
            *(f"Hypothesis: {text}." for text in card.hypotheses),
            card.remark,
            f"Kind: {card.kind}; constants {card.standing}.",
            "Verdicts are on its rate only." if theorem.scope is Scope.RATE else "",
            f"Controls that it refutes: {'; '.join(card.controls)}." if card.controls else "",
            f"Source: {reference(card.paper.key)} {card.paper.place[:1].upper()}{card.paper.place[1:]}."
            if card.paper
            else "",
        ]
        click.echo(f"{card.name}: {card.title}\n\n    {card.statement}\n")
        click.echo("\n".join(click.wrap_text(text, 100) for text in paragraphs if text) + "\n")


@click.command(short_help="Print BibTeX for a theorem.")
@click.argument("name")
def cite(name: str) -> None:
    """Print BibTeX of the source of the theorem NAME, or of all sources of the group NAME."""
    from rltheory.bibliography import bibtex
    from rltheory.theorems import find

    with checked_input():
        theorems = find(name)
    for key in dict.fromkeys(theorem.paper.key for theorem in theorems if theorem.paper):
        click.echo(bibtex(key))
