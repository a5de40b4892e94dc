"""Run every race of every file here, or of the files named, and print one table."""

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import scipy.linalg  # noqa: F401, kernels load it lazily; it has to be there before its threads can be limited
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.harness import missing_peers


def main(names: list[str]) -> None:
    """Run the races of the modules called `names`, by default of all.

    BLAS is held to one thread. NumPy and SciPy bring a copy each, and the idle threads of the one that ran last
    would take a core from the next contender.
    """
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    modules = sorted(module.name for module in iter_modules([str(Path(__file__).parent)]))
    chosen = names or [name for name in modules if name.startswith("bench_")]
    table = Table("work", "contender", box=None, pad_edge=False, header_style="bold")
    table.add_column("median", justify="right")
    table.add_column("x ours", justify="right")
    table.add_column("required")
    for name in chosen:
        for race in import_module(f"benchmarks.{name}").races():
            with console.status(race.work), threadpool_limits(1, user_api="blas"):
                race.start()
            for contender in race.contenders:
                first = contender is race.ours
                table.add_row(
                    race.work if first else "",
                    contender.name,
                    race.shown(race.typical(contender.name)),
                    "1" if first else f"{race.ratio(contender.name):.3g}",
                    race.verdict() if first else "",
                    end_section=contender is race.contenders[-1],
                )
    console.print("one BLAS thread; medians of rounds in which the contenders take turns")
    console.print(table)
    for module, reason in missing_peers.items():
        console.print(f"peer {module} is not here: {reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
