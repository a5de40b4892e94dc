"""Commands on studies and their stores: sweep, status, merge."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rltheory.cli.common import HOLDS, UNDECIDED, checked_input, fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rltheory.simulation import Store
    from rltheory.studies import Estimate, Results
    from rltheory.theory import Verdict

INTERRUPTED = 130  # as shells have it
FAILURES_SHOWN = 5


@click.command(short_help="Carry out a study, here or on a cluster.")
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

    with checked_input():
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
            fail(str(error))
        except KeyboardInterrupt:
            click.echo(f"rltheory: interrupted; finished tasks are in {store}, the same command goes on", err=True)
            raise SystemExit(INTERRUPTED) from None
    print_progress(results)
    raise SystemExit(UNDECIDED if results.progress.failed else HOLDS)


@click.command(short_help="Show how far a study is.")
@click.argument("store", type=click.Path(path_type=Path))
def status(store: Path) -> None:
    """Show how many tasks of the study in STORE are finished, failed and missing, and what can't be read there."""
    from rltheory.studies import Results

    with checked_input():
        print_progress(Results(store))


@click.command(short_help="Copy results from one store into another.")
@click.argument("target", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(path_type=Path))
def merge(target: Path, source: Path) -> None:
    """Add what the store SOURCE has to the store TARGET; what TARGET has already stays as it is.

    \b
    Example:
      rltheory merge out from-another-machine
    """
    from rltheory.simulation import Store

    with checked_input():
        other, known = Store(source), Store(target, create=True)
        added = known.merge(other)
    _warn_of_unreadable(other)
    click.echo(f"{added} results added to {target}, which has {len(known.finished)}")


def write_results(folder: Path, names: "Sequence[str]", output: Path) -> "list[Verdict]":
    """Write results.nc of a store, and return its verdicts."""
    from rltheory.studies import Results

    results = Results(folder)
    print_progress(results)
    data = results.dataset(*names)
    if not names:
        data = data[[name for name, array in data.items() if {*array.dims} <= {"setting", "replicate", "time"}]]
    output.mkdir(parents=True, exist_ok=True)
    data.to_netcdf(output / "results.nc", engine="scipy")
    click.echo(f"Data: {output / 'results.nc'}")
    return results.verdicts()


def print_progress(results: "Results") -> None:
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
