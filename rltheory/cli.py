"""The command line. Every command calls one function of the library."""

import dataclasses
import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from rltheory.problems import PreferenceGame
    from rltheory.simulation import Store
    from rltheory.studies import Estimate, Results
    from rltheory.theory import Theorem, Verdict

__all__ = ["main"]

HOLDS, REFUTED, USAGE, UNDECIDED = 0, 1, 2, 3
INTERRUPTED = 130  # as shells have it
FAILURES_SHOWN = 5
LARGE_PROCESS = 100_000  # states times stages
SQIRL_EPISODES = 10, 30, 100, 300, 1000


class _InOrder(click.Group):
    """Commands in the order of this file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@contextmanager
def _input() -> "Iterator[None]":
    """End in one clear line and exit code 2 if what the user gave is wrong; other errors keep their traceback."""
    try:
        yield
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ValueError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    click.echo(f"rltheory: {message}", err=True)
    raise SystemExit(USAGE) from None


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rltheory")
def main() -> None:
    """Theorems of reinforcement learning, bandits and preference games, run and judged.

    \b
    Examples:
      rltheory list                                     what there is
      rltheory show nash-mp/kl                          one statement
      rltheory verify                                   every theorem, on its default settings
      rltheory verify nash-mp --game wins.csv --beta 0.1
      rltheory falsify nash-mp/kl                       where does the bound come closest to breaking?
      rltheory race --game wins.csv --beta 0.1          who reaches the equilibrium first?
      rltheory regret ucb1 thompson -o curves.svg       regret of policies for a bandit
      rltheory sweep study.toml --store out             a study that lasts for days
      rltheory analyze consolidated.npz --horizon 10    effective horizon of a process of BRIDGE
      rltheory demo                                     interactive pages, in the browser
      rltheory cite nash-mp/kl                          BibTeX
    """


_output_option = click.option(
    "--output",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("report"),
    show_default=True,
    help="Folder for the web page and the other files.",
)


@main.command(short_help="Run theorems and judge them.")
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
@_output_option
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
    from rltheory.progress import sign_of_life
    from rltheory.report import write_report
    from rltheory.theorems import catalogue
    from rltheory.theorems.everything import verify_all
    from rltheory.theory import Levels
    from rltheory.theory import verify as judge

    with _input():
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
    with _input(), sign_of_life("writing the page"):
        page = write_report(verdicts, output)
    _conclude(verdicts, page, every=all_settings or game is not None)


@main.command(short_help="Rebuild the page from stored results.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--hold", type=float, help="Judge again at this error probability of HOLDS; goes with --refute.")
@click.option("--refute", type=float, help="Judge again at this error probability of REFUTED; goes with --hold.")
@click.option("--quantity", "quantities", multiple=True, help="For a store: put this into results.nc; repeatable.")
@_output_option
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
    from rltheory.report import write_report
    from rltheory.theory import Levels, load_verdicts

    with _input():
        if (hold is None) != (refute is None):
            raise ValueError("--hold and --refute go together")
        levels = None if hold is None or refute is None else Levels(hold, refute)
        verdicts = []
        for file in files:
            if file.is_dir():
                found = _write_results(file, quantities, output)
                verdicts += found if levels is None else [verdict.judged_at(levels) for verdict in found]
            else:
                verdicts += load_verdicts(file, levels)
        if not verdicts:
            return
        page = write_report(verdicts, output)
    _conclude(verdicts, page, every=all_settings)


@main.command(short_help="Carry out a study, here or on a cluster.")
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(file_okay=False, path_type=Path), help="Folder of the results.")
@click.option("--cluster", metavar="ADDRESS", help="Scheduler of a Dask cluster, such as tcp://10.0.0.1:8786.")
@click.option("--processes", is_flag=True, help="Processes in place of threads, for work in plain Python.")
@click.option("--workers", type=click.IntRange(min=1), help="Threads or processes; as many as cores by default.")
@click.option("--retry", is_flag=True, help="Run tasks again that failed before.")
@click.option("--dry-run", is_flag=True, help="Check the study, count its tasks, and estimate the time from a sample.")
def sweep(
    study: Path,
    store: Path | None,
    cluster: str | None,
    processes: bool,
    workers: int | None,
    retry: bool,
    dry_run: bool,
) -> None:
    """Carry out the study of a TOML file; every result is stored as soon as it is there.

    Killed at any moment, it goes on where it was when the same command is given again. The exit code is 0 if all tasks
    are finished, 2 for bad input and if the store or the cluster fails, and 3 if tasks failed.

    \b
    Examples:
      rltheory sweep study.toml --dry-run
      rltheory sweep study.toml --store out
      rltheory sweep study.toml --store out --cluster tcp://10.0.0.1:8786
      rltheory status out
      rltheory report out
    """
    from rltheory.simulation import Cluster, Processes, Threads
    from rltheory.studies import estimate
    from rltheory.studies import sweep as carry_out

    with _input():
        if cluster is not None and (processes or workers is not None):
            raise ValueError("--cluster has its own workers; leave out --processes and --workers")
        if dry_run:
            _print_estimate(estimate(study, store=store), workers)
            return
        if store is None:
            raise ValueError("--store is missing; name a folder for the results, or use --dry-run")
        executor = Cluster(cluster) if cluster else Processes(workers) if processes else Threads(workers)
        try:
            results = carry_out(study, store=store, executor=executor, retry=retry, progress=True)
        except (ImportError, RuntimeError) as error:
            _fail(str(error))
        except KeyboardInterrupt:
            click.echo(f"rltheory: interrupted; finished tasks are in {store}, the same command goes on", err=True)
            raise SystemExit(INTERRUPTED) from None
    _print_progress(results)
    raise SystemExit(UNDECIDED if results.progress.failed else HOLDS)


@main.command(short_help="Show how far a study is.")
@click.argument("store", type=click.Path(path_type=Path))
def status(store: Path) -> None:
    """Show how many tasks of the study in STORE are finished, failed and missing, and what can't be read there."""
    from rltheory.studies import Results

    with _input():
        _print_progress(Results(store))


@main.command(short_help="Copy results from one store into another.")
@click.argument("target", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(path_type=Path))
def merge(target: Path, source: Path) -> None:
    """Add what the store SOURCE has to the store TARGET; what TARGET has already stays as it is.

    \b
    Example:
      rltheory merge out from-another-machine
    """
    from rltheory.simulation import Store

    with _input():
        other, known = Store(source), Store(target, create=True)
        added = known.merge(other)
    _warn_of_unreadable(other)
    click.echo(f"{added} results added to {target}, which has {len(known.finished)}")


@main.command(short_help="Search for the setting in which a bound comes closest to breaking.")
@click.argument("names", nargs=-1, required=True, metavar="THEOREM, GROUP or FILE.py...")
@click.option(
    "--budget", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, help="Seconds a theorem."
)
@click.option("--evaluations", type=click.IntRange(min=1), help="Number of settings instead of seconds; repeatable.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the search.")
@_output_option
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
    from rltheory.report import write_report
    from rltheory.theory import falsify as search

    with _input():
        theorems = _searchable(_named(names))
        output.mkdir(parents=True, exist_ok=True)
    verdicts = []
    for theorem in theorems:
        finding = search(theorem, seconds=budget, evaluations=evaluations, seed=seed, progress=True)
        path = output / f"{theorem.name.replace('/', '-')}.json"
        finding.save(path)
        verdicts.append(finding.verdict)
        click.echo(f"{theorem.name}: {finding.ratio:.6g} of what is allowed, worst of {finding.evaluations}; {path}")
    with _input():
        page = write_report(verdicts, output)
    _conclude(verdicts, page, every=True)


@main.command(short_help="Let all methods compete on a game.")
@click.option("--game", metavar="FILE", default="llmfao_59", show_default=True, help="As for `rltheory verify`.")
@click.option(
    "--beta",
    type=float,
    default=0.1,
    show_default=True,
    help="Temperature of the KL penalty; 0 is the game itself.",
)
@click.option("--reference", metavar="P1,P2,...", help="Reference policy, where all start; uniform by default.")
@click.option(
    "--queries", type=click.IntRange(min=2), default=10_000, show_default=True, help="Queries that each may spend."
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File for a figure: .svg, .pdf or .png."
)
def race(game: str, beta: float, reference: str | None, queries: int, output: Path | None) -> None:
    """Run all methods on a game, and print how many preference queries each spends on its way to the equilibrium.

    A query asks for the win rates of all actions against one policy. The gap is the exploitability, regularised
    unless the temperature is 0.

    \b
    Examples:
      rltheory race
      rltheory race --game wins.csv --beta 0.05 -o race.svg
      rltheory race --game riddler_castles_r1_300 --beta 0 --queries 100000
    """
    from rich.table import Table

    from rltheory.algorithms import race as line_up
    from rltheory.plots import race as draw

    targets = (1e-2, 1e-4, 1e-6)
    with _input():
        contest = line_up(_game(game), beta=beta, reference=_probabilities(reference) if reference else None)
        _check_figure(output)
    curves = contest.run(queries)
    counts = [contest.queries_to(target, at_most=queries) for target in targets]
    table = Table("method", box=None, pad_edge=False, header_style="bold")
    for target in targets:
        table.add_column(f"queries to {target:.0e}", justify="right")
    table.add_column(f"gap after {queries}", justify="right")
    for curve in curves:
        spent = ["" if count[curve.method] is None else str(count[curve.method]) for count in counts]
        table.add_row(curve.method, *spent, f"{curve.gap[-1]:.2e}")
    _console().print(table)
    if output is not None:
        with _input():
            axes = draw({curve.method: (curve.queries, curve.gap) for curve in curves})
            _save(axes, output)


@main.command(short_help="Draw the regret of policies for a bandit.")
@click.argument("policies", nargs=-1, required=True, metavar="POLICY...")
@click.option(
    "--bandit",
    metavar="LAW:MEANS",
    default="bernoulli:0.9,0.8",
    show_default=True,
    help="Law and means of the arms; laws are bernoulli, gaussian, poisson and exponential.",
)
@click.option("--horizon", type=float, default=1e4, show_default=True, help="Rounds of a run, such as 1e5.")
@click.option("--replicates", type=float, default=1000, show_default=True, help="Runs of each policy.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Root of all random streams.")
@click.option("--workers", type=click.IntRange(min=1), help="Threads; all cores by default.")
@click.option("--linear", is_flag=True, help="Linear time; it is logarithmic by default.")
@click.option(
    "--bounds", is_flag=True, help="Draw the upper bounds that theorems state for the policies, if there are any."
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File for a figure: .svg, .pdf or .png."
)
def regret(
    policies: tuple[str, ...],
    bandit: str,
    horizon: float,
    replicates: float,
    seed: int,
    workers: int | None,
    linear: bool,
    bounds: bool,
    output: Path | None,
) -> None:
    """Play policies on a bandit many times; print their final pseudo-regret, and draw it over time.

    A policy is a name, such as ucb1, kl-ucb, moss, imed, thompson, and its arguments after a colon. The bound of Lai
    and Robbins is that of policies that are good on all bandits with such laws, for horizons that go to infinity.

    \b
    Examples:
      rltheory regret ucb1 kl-ucb thompson --bandit bernoulli:0.9,0.8 --horizon 1e5 -o curves.svg
      rltheory regret epsilon-greedy:0.1 explore-then-commit:50 --bandit gaussian:0,0.5
      rltheory regret kl-ucb:poisson ucb1:alpha=8 --bandit poisson:2,3 --replicates 100
    """
    import numpy as np
    from rich.table import Table

    from rltheory.algorithms import compare_policies
    from rltheory.algorithms.bandits import named_policy
    from rltheory.plots import regret as draw
    from rltheory.problems import Bandit
    from rltheory.theorems.bandits.stated_regret import stated_regret

    with _input():
        _check_figure(output)
        for flag, given in (("--linear", linear), ("--bounds", bounds)):
            if given and output is None:
                raise ValueError(f"{flag} needs --output, the file of the figure")
        problem = Bandit.parse(bandit)
        runs = compare_policies(
            problem,
            [named_policy(text) for text in policies],
            horizon=_whole(horizon, "--horizon"),
            replicates=_whole(replicates, "--replicates"),
            seed=seed,
            workers=workers,
            progress=True,
        )
    constant = problem.lai_robbins_constant
    table = Table("policy", box=None, pad_edge=False, header_style="bold")
    for column in ("mean regret", "standard error", "10 %", "median", "90 %"):
        table.add_column(column, justify="right")
    for name, final in zip(runs["policy"].to_numpy(), runs["regret"].isel(time=-1).to_numpy(), strict=True):
        spread = final.mean(), final.std() / final.size**0.5, *np.quantile(final, (0.1, 0.5, 0.9))
        table.add_row(name, *(f"{value:.5g}" for value in spread))
    _console().print(table)
    click.echo(f"Bound of Lai and Robbins: {constant:.5g} log n = {constant * math.log(horizon):.5g}")
    if output is not None:
        with _input():
            times = runs["time"].to_numpy()
            stated = stated_regret(problem, runs["policy"].to_numpy().tolist(), times) if bounds else {}
            axes = draw(runs, lower_bound=constant, upper_bounds=stated, log_time=not linear)
            axes.set_title(problem.title)
            _save(axes, output)


@main.command(short_help="Open interactive pages in the browser.")
@click.argument("name", required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen at; a free one by default.")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
def demo(name: str | None, port: int, no_browser: bool) -> None:
    """Serve pages with sliders on this machine and open one in the browser; without NAME, the page that lists them.

    Demos are bandits, cliff, cycles, lookahead and river. They need marimo: pip install "rltheory[demo]".

    \b
    Examples:
      rltheory demo
      rltheory demo cliff
      rltheory demo bandits --port 8000 --no-browser
    """
    import webbrowser

    from rltheory.demos import serve_demos

    def announce(address: str) -> None:
        click.echo(f"Demos at {address} (Ctrl-C ends)")
        if not no_browser:
            webbrowser.open(address)

    with _input():
        try:
            serve_demos(announce, name=name, port=port)
        except ImportError as error:
            _fail(f'{error.name} is not installed; demos need it: pip install "rltheory[demo]"')


@main.command(short_help="Analyse the effective horizon of a process of BRIDGE.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--horizon", type=click.IntRange(min=1), help="Steps of an episode; the files do not hold it.")
@click.option("--sticky", type=float, help="Probability of sticky actions, such as 0.25, to be analysed as well.")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="File of the exploration policy (.npy); uniform by default."
)
@click.option(
    "--gorp", type=click.IntRange(min=0), help="Bound GORP for k up to this; by default 1, or 0 in large processes."
)
@click.option("--distributions", is_flag=True, help="Write the laws of returns, a file for each step.")
@_output_option
def analyze(
    file: Path,
    horizon: int | None,
    sticky: float | None,
    policy: Path | None,
    gorp: int | None,
    distributions: bool,
    output: Path,
) -> None:
    """Analyse the process in FILE, a consolidated.npz of the data set BRIDGE; print a table and write a web page.

    The files beside the page have the form of published ones: analysis.json and analysis_sticky.json, gorp_bounds.json
    with certified numbers and gorp_bounds_published.json by the published formula, and value_dists_1.npy and so on.

    \b
    Examples:
      rltheory analyze freeway_10_fs30/consolidated.npz --horizon 10
      rltheory analyze freeway_10_fs30/consolidated.npz --horizon 10 --sticky 0.25 -o freeway
      rltheory analyze freeway_10_fs30/consolidated.npz --horizon 10 --gorp 2 --distributions
      rltheory sweep study.toml --store out             a study that lasts for days
      rltheory analyze consolidated.npz --horizon 10 --policy exploration_policy.npy
    """
    from rich.table import Table

    from rltheory.algorithms import gorp_successes, sqirl_returns
    from rltheory.problems import FiniteHorizonMDP, read_bridge, read_exploration_policy, sticky_policy
    from rltheory.problems import sticky as make_sticky
    from rltheory.report import write_analysis
    from rltheory.report.analysis import analysis_rows
    from rltheory.simulation import stream
    from rltheory.solvers import analyze_gorp, analyze_horizon, analyze_sticky, return_distributions

    with _input():
        if horizon is None:
            raise ValueError(f"{file}: the file does not hold the horizon; give it with --horizon")
        problem = FiniteHorizonMDP.stationary(read_bridge(file), horizon)
        exploration = None if policy is None else read_exploration_policy(policy, problem)
        if gorp is None:
            gorp = int(problem.states * horizon <= LARGE_PROCESS)
            if not gorp:
                click.echo("rltheory: so large a process takes minutes to bound GORP; ask for it by --gorp 1", err=True)
        moved = None if sticky is None else analyze_sticky(problem, sticky, exploration)
        analysis = analyze_horizon(problem, exploration, end=problem.states - 1)
        bounds = analyze_gorp(problem, gorp, exploration) if gorp else None
        laws = return_distributions(problem, exploration) if distributions else None
    shares, returns = {}, {}
    if bounds is not None:
        for k in range(1, gorp + 1):
            rng = stream(0, "analysis", "GORP", k)
            shares[k] = gorp_successes(problem, depth=k, episodes=bounds.episodes, rng=rng, policy=exploration)
    if sticky is not None:
        sticky_problem = make_sticky(problem, sticky)
        lifted = None if exploration is None else sticky_policy(problem, exploration)
        for k in (1, 2, 3):
            rng = stream(0, "analysis", "SQIRL", k)
            returns[k] = sqirl_returns(sticky_problem, depth=k, episodes=SQIRL_EPISODES, rng=rng, policy=lifted)
    with _input():
        page = write_analysis(
            analysis,
            output,
            sticky=moved,
            gorp=bounds,
            distributions=laws,
            gorp_shares=shares,
            sqirl_returns=returns,
        )
    table = Table("quantity", box=None, pad_edge=False, header_style="bold")
    for column in ("value", *(["sticky"] if moved else [])):
        table.add_column(column, justify="right")
    for name, plain, of_sticky in analysis_rows(analysis, moved, bounds):
        table.add_row(name, plain, *([of_sticky] if moved else []))
    _console().print(table)
    click.echo(f"Page: {page}")


@main.command("list", short_help="List the theorems.")
@click.argument("group", required=False)
def list_(group: str | None) -> None:
    """List all theorems, subject by subject, or those of one GROUP."""
    from rich.table import Table

    from rltheory.theorems import find, subjects

    table = Table("theorem", "in words", "kind", box=None, pad_edge=False, header_style="bold")
    with _input():
        parts = {"": find(group)} if group else {subject.title: subject.theorems for subject in subjects()}
    for title, theorems in parts.items():
        if title:
            table.add_row(f"\n[bold]{title}[/bold]")
        for theorem in theorems:
            table.add_row(theorem.name, theorem.title, theorem.kind.name)
    _console().print(table)


@main.command(short_help="Show a statement and its hypotheses.")
@click.argument("name")
def show(name: str) -> None:
    """Show the theorem NAME, or all theorems of the group NAME: statement, hypotheses, source, controls."""
    from rltheory.bibliography import reference
    from rltheory.theorems import find
    from rltheory.theory import Scope

    with _input():
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


@main.command(short_help="Print BibTeX for a theorem.")
@click.argument("name")
def cite(name: str) -> None:
    """Print BibTeX of the source of the theorem NAME, or of all sources of the group NAME."""
    from rltheory.bibliography import bibtex
    from rltheory.theorems import find

    with _input():
        theorems = find(name)
    for key in dict.fromkeys(theorem.paper.key for theorem in theorems if theorem.paper):
        click.echo(bibtex(key))


def _write_results(folder: Path, names: "Sequence[str]", output: Path) -> "list[Verdict]":
    """Write results.nc of a store, and return its verdicts."""
    from rltheory.studies import Results

    results = Results(folder)
    _print_progress(results)
    data = results.dataset(*names)
    if not names:
        data = data[[name for name, array in data.items() if {*array.dims} <= {"setting", "replicate", "time"}]]
    output.mkdir(parents=True, exist_ok=True)
    data.to_netcdf(output / "results.nc", engine="scipy")
    click.echo(f"Data: {output / 'results.nc'}")
    return results.verdicts()


def _print_progress(results: "Results") -> None:
    """Print counts, the first failures, and the files that can't be read."""
    _warn_of_unreadable(results.store)
    failures = results.failures()
    for failure in failures[:FAILURES_SHOWN]:
        click.echo(f"failed: {failure.experiment.name}, replicate {failure.replicate}: {failure.reason}", err=True)
    if len(failures) > FAILURES_SHOWN:
        click.echo(f"and {len(failures) - FAILURES_SHOWN} more in {results.store.folder / 'failures'}", err=True)
    click.echo(f"{results.progress}. Store: {results.store.folder}")


def _warn_of_unreadable(store: "Store") -> None:
    for path, reason in store.unreadable.items():
        click.echo(f"rltheory: {path} can't be read, and is left as it is: {reason}", err=True)


def _print_estimate(found: "Estimate", workers: int | None) -> None:
    import os
    from datetime import timedelta

    workers = workers or os.cpu_count() or 1
    click.echo(f"{found.tasks} tasks, of which {found.finished} are finished")
    if found.sampled:
        left = timedelta(seconds=math.ceil(found.seconds / workers))
        sample = f"{found.sampled} of them took {found.shortest:.2g} to {found.longest:.2g} s"
        click.echo(f"about {left} for the rest with {workers} workers ({sample})")


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
    fields: dict[str, Any] = {"game": _game(game), "beta": beta}
    if reference is not None:
        fields["reference"] = _probabilities(reference)
    if step is not None:
        fields["step"] = step
    return fields


def _whole(number: float, name: str) -> int:
    """Integer that was written as a number such as 1e5."""
    if not number.is_integer():
        raise ValueError(f"{name} is {number:g}; it must be an integer")
    return int(number)


def _check_figure(path: Path | None) -> None:
    if path is not None and path.suffix not in (".svg", ".pdf", ".png"):
        raise ValueError(f"{path}: a figure's file ends in .svg, .pdf or .png")


def _save(axes: "Axes", path: Path) -> None:
    """Write the figure of `axes` to a file, and say so."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(path)
    click.echo(f"Figure: {path}")


def _game(name: str) -> "PreferenceGame":
    """Game of a file, a CSV table or orders in a format of PrefLib, or a recorded one."""
    from rltheory.instances import recorded_game, recorded_games
    from rltheory.problems import PreferenceGame
    from rltheory.problems.preflib import FORMATS

    if name in recorded_games() and not Path(name).exists():
        return recorded_game(name)
    return PreferenceGame.from_preflib(name) if Path(name).suffix in FORMATS else PreferenceGame.from_csv(name)


def _probabilities(text: str) -> list[float]:
    """Numbers separated by commas or white space, given as such or in a file."""
    if Path(text).is_file():
        text = Path(text).read_text(encoding="utf-8-sig")
    numbers = []
    for position, word in enumerate(text.replace(",", " ").split(), 1):
        try:
            numbers.append(float(word))
        except ValueError:
            raise ValueError(f"--reference: entry {position}, {word!r}, is not a number") from None
    return numbers


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


def _conclude(verdicts: "list[Verdict]", page: Path, *, every: bool) -> NoReturn:
    """Print the table and the summary, and end with the exit code that the verdicts call for."""
    levels = verdicts[0].judgement.levels
    _print_table(verdicts, every=every)
    if any(verdict.replicates > 1 for verdict in verdicts):
        click.echo(f"By chance, HOLDS errs with probability {levels.hold:g} at most, REFUTED with {levels.refute:g}.")
    click.echo(f"{_summary(verdicts)}. Page: {page}")
    raise SystemExit(_exit_code(verdicts))


def _console() -> Any:
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


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
    _console().print(table)


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
