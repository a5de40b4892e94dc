"""Commands that judge theorems: verify, falsify, report."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rltheory.cli.common import checked_input, output_option, read_game, read_probabilities
from rltheory.cli.outcome import conclude
from rltheory.cli.studies import write_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rltheory.theory import Theorem


@click.command(short_help="Run theorems and judge them.")
@click.argument("names", nargs=-1, metavar="[THEOREM, GROUP, FILE.py or SETTING.json]...")
@click.option(
    "--game",
    metavar="FILE",
    help="Judge on this game: CSV of win counts or probabilities, PrefLib orders, or a name.",
)
@click.option("--beta", type=float, help="Temperature of the KL penalty, > 0; goes with --game.")
@click.option(
    "--reference",
    metavar="P1,P2,...",
    help="Reference policy, one probability for each action; uniform by default.",
)
@click.option("--step", type=float, help="Step size of the algorithm; the theorem's own by default.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Root of all random streams.")
@click.option(
    "--budget", type=click.IntRange(min=1), default=2048, show_default=True, help="Most replicates for a setting."
)
@click.option("--hold", type=float, default=0.05, show_default=True, help="Error probability of HOLDS.")
@click.option("--refute", type=float, default=1e-6, show_default=True, help="Error probability of REFUTED.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Threads, or processes for every theorem; all cores by default."
)
@output_option
@click.option("--all-settings", is_flag=True, help="Print a row for each setting, not only the tightest.")
def verify(
    names: tuple[str, ...],
    game: str | None,
    beta: float | None,
    reference: str | None,
    step: float | None,
    seed: int,
    budget: int,
    hold: float,
    refute: float,
    workers: int | None,
    output: Path,
    all_settings: bool,
) -> None:
    """Run theorems and judge them; print a table and write a web page.

    Without names, every theorem is run. A Python file is run for the theorems that it defines, a setting that
    `rltheory falsify` stored is replayed. The exit code is 0 if all hold, 1 if one is refuted, 2 for bad input or a
    broken theorem, and 3 if one is undecided, or none applies.

    \b
    Examples:
      rltheory verify
      rltheory verify nash-mp/kl nash-mp/span -o out
      rltheory verify nash-mp --game wins.csv --beta 0.1
      rltheory verify nash-mp --game wins.csv --beta 0.1 --reference 0.5,0.3,0.2
      rltheory verify my_theorem.py
    """
    from rltheory.theorems import catalogue
    from rltheory.theorems.everything import verify_all
    from rltheory.theory import Levels
    from rltheory.theory import verify as judge

    with checked_input():
        levels = Levels(hold, refute)
        fields = _setting_fields(game, beta, reference, step)
        stored = [_stored(name) for name in names if name.endswith(".json")]
        chosen = _named([name for name in names if not name.endswith(".json")])
        if fields and not names:
            chosen = list(catalogue().values())
        jobs = [*stored, *_jobs(chosen, fields)]
    verdicts = [
        verdict
        for theorems, settings in jobs
        for verdict in judge(
            theorems, settings=settings, seed=seed, levels=levels, budget=budget, workers=workers, progress=True
        )
    ]
    if not jobs:
        verdicts = verify_all(seed=seed, levels=levels, budget=budget, workers=workers)
    conclude(verdicts, output, every=all_settings or game is not None)


@click.command(short_help="Search for the setting in which a bound comes closest to breaking.")
@click.argument("names", nargs=-1, required=True, metavar="THEOREM, GROUP or FILE.py...")
@click.option(
    "--budget", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, help="Seconds a theorem."
)
@click.option("--evaluations", type=click.IntRange(min=1), help="Number of settings instead of seconds; repeatable.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the search.")
@output_option
def falsify(names: tuple[str, ...], budget: float, evaluations: int | None, seed: int, output: Path) -> None:
    """Search for the setting in which a bound comes closest to breaking, or breaks.

    Settings are drawn from each theorem's strategy and improved. The worst is stored in a file, which `rltheory verify`
    replays. Theorems that can't be searched are named and left out. The exit codes are those of `rltheory verify`.

    \b
    Examples:
      rltheory falsify nash-mp/kl
      rltheory falsify nash-mp --budget 10 -o worst
      rltheory verify worst/nash-mp-kl.json
    """
    from rltheory.theory import falsify as search

    with checked_input():
        theorems = _searchable(_named(names))
        output.mkdir(parents=True, exist_ok=True)
    verdicts = []
    for theorem in theorems:
        finding = search(theorem, seconds=budget, evaluations=evaluations, seed=seed, progress=True)
        path = output / f"{theorem.name.replace('/', '-')}.json"
        finding.save(path)
        verdicts.append(finding.verdict)
        click.echo(f"{theorem.name}: {finding.ratio:.6g} of what is allowed, worst of {finding.evaluations}; {path}")
    conclude(verdicts, output, every=True)


@click.command(short_help="Rebuild the page from stored results.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--hold", type=float, help="Judge again at this error probability of HOLDS; goes with --refute.")
@click.option("--refute", type=float, help="Judge again at this error probability of REFUTED; goes with --hold.")
@click.option("--quantity", "quantities", multiple=True, help="For a store: put this into results.nc; repeatable.")
@output_option
@click.option("--all-settings", is_flag=True, help="Print a row for each setting, not only the tightest.")
def report(
    files: tuple[Path, ...],
    hold: float | None,
    refute: float | None,
    quantities: tuple[str, ...],
    output: Path,
    all_settings: bool,
) -> None:
    """Print the table and write the page of verdicts stored in FILES (verdicts.npz); nothing is run.

    A folder is the store of a study, which may still be running. Besides its verdicts, all results are written to the
    file results.nc (NetCDF): by default the quantities over setting, replicate and time.

    \b
    Examples:
      rltheory report report/verdicts.npz -o again
      rltheory report monday.npz tuesday.npz --hold 0.01 --refute 1e-9
      rltheory report out --quantity regret --quantity pulls
    """
    from rltheory.theory import Levels, load_verdicts

    with checked_input():
        if (hold is None) != (refute is None):
            raise ValueError("--hold and --refute go together")
        levels = None if hold is None or refute is None else Levels(hold, refute)
        verdicts = []
        for file in files:
            if file.is_dir():
                found = write_results(file, quantities, output)
                verdicts += found if levels is None else [verdict.judged_at(levels) for verdict in found]
            else:
                verdicts += load_verdicts(file, levels)
    if verdicts:
        conclude(verdicts, output, every=all_settings)


def _setting_fields(
    game: str | None, beta: float | None, reference: str | None, step: float | None
) -> "dict[str, Any]":
    """Fields of a setting that the options give; empty if none is given."""
    if game is None:
        for option, value in (("--beta", beta), ("--reference", reference), ("--step", step)):
            if value is not None:
                raise ValueError(f"{option} goes with --game; without a game the default settings are run")
        return {}
    if beta is None:
        raise ValueError("--game needs --beta, the temperature, such as --beta 0.1")
    fields: dict[str, Any] = {"game": read_game(game), "beta": beta}
    if reference is not None:
        fields["reference"] = read_probabilities(reference)
    if step is not None:
        fields["step"] = step
    return fields


def _named(names: "Sequence[str]") -> "list[Theorem[Any]]":
    """Theorems of all names, each once."""
    from rltheory.theorems import find

    return list(dict.fromkeys(theorem for name in names for theorem in find(name)))


def _stored(path: str) -> "tuple[Sequence[Theorem[Any]], list[Any] | None]":
    """Theorem and setting of a file that `falsify` wrote."""
    from rltheory.theorems import find
    from rltheory.theory.settings import load_setting, setting_from_dict

    name, data = load_setting(path)
    theorems = find(name)
    return theorems, [setting_from_dict(theorems[0].setting_type, data)]


def _searchable(theorems: "Sequence[Theorem[Any]]") -> "list[Theorem[Any]]":
    """Those with a strategy and a bound; the others are named and left out, or refused if none remains."""
    from rltheory.theory.falsification import check_falsifiable

    searchable, refusals = [], []
    for theorem in theorems:
        try:
            check_falsifiable(theorem)
        except ValueError as error:
            refusals.append(error)
        else:
            searchable.append(theorem)
    if not searchable:
        raise refusals[0]
    for refusal in refusals:
        click.echo(f"rltheory: left out: {refusal}", err=True)
    return searchable


def _jobs(
    theorems: "Sequence[Theorem[Any]]", fields: dict[str, Any]
) -> "list[tuple[Sequence[Theorem[Any]], list[Any] | None]]":
    """Theorems with the settings to judge them on: their own, or one made of `fields` for each type of setting.

    What a type of setting has no field for is left out, as a temperature where nothing is regularised. Types that can't
    be made of a game are left out altogether.
    """
    from rltheory.problems import PreferenceGame

    if not fields:
        return [(theorems, None)] if theorems else []
    by_type: dict[type, list[Theorem[Any]]] = {}
    for theorem in theorems:
        by_type.setdefault(theorem.setting_type, []).append(theorem)
    jobs: list[tuple[Sequence[Theorem[Any]], list[Any] | None]] = []
    left_out: list[Theorem[Any]] = []
    for kind, group in by_type.items():
        known = {field.name: field for field in dataclasses.fields(kind)}
        needed = {name for name, field in known.items() if field.init and _has_no_default(field)}
        if "game" in known and known["game"].type is PreferenceGame and needed <= fields.keys():
            jobs.append((group, [kind(**{name: value for name, value in fields.items() if name in known})]))
        else:
            left_out += group
    if left_out:
        names = ", ".join(theorem.name for theorem in left_out)
        click.echo(f"rltheory: left out, for a game alone does not make a setting of theirs: {names}", err=True)
    if not jobs:
        raise ValueError("no theorem is left; without --game they are run on their own settings")
    return jobs


def _has_no_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
