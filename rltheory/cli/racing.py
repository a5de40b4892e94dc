"""Commands that let methods compete: race on games, regret on bandits."""

import math
from pathlib import Path

import click

from rltheory.cli.common import (
    check_figure,
    checked_input,
    console,
    figure_option,
    read_game,
    read_probabilities,
    save_figure,
)


@click.command(short_help="Let all methods compete on a game.")
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
@figure_option
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
    with checked_input():
        contest = line_up(read_game(game), beta=beta, reference=read_probabilities(reference) if reference else None)
        check_figure(output)
    curves = contest.run(queries)
    counts = [contest.queries_to(target, at_most=queries) for target in targets]
    table = Table("method", box=None, pad_edge=False, header_style="bold")
    for target in targets:
        table.add_column(f"queries to {target:.0e}", justify="right")
    table.add_column(f"gap after {queries}", justify="right")
    for curve in curves:
        spent = ["" if count[curve.method] is None else str(count[curve.method]) for count in counts]
        table.add_row(curve.method, *spent, f"{curve.gap[-1]:.2e}")
    console().print(table)
    if output is not None:
        with checked_input():
            axes = draw({curve.method: (curve.queries, curve.gap) for curve in curves})
            save_figure(axes, output)


@click.command(short_help="Draw the regret of policies for a bandit.")
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
@figure_option
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

    with checked_input():
        check_figure(output)
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
    console().print(table)
    click.echo(f"Bound of Lai and Robbins: {constant:.5g} log n = {constant * math.log(horizon):.5g}")
    if output is not None:
        with checked_input():
            times = runs["time"].to_numpy()
            stated = stated_regret(problem, runs["policy"].to_numpy().tolist(), times) if bounds else {}
            axes = draw(runs, lower_bound=constant, upper_bounds=stated, log_time=not linear)
            axes.set_title(problem.title)
            save_figure(axes, output)


def _whole(number: float, name: str) -> int:
    """Integer that was written as a number such as 1e5."""
    if not number.is_integer():
        raise ValueError(f"{name} is {number:g}; it must be an integer")
    return int(number)
