"""The command that analyses a process: analyze."""

from pathlib import Path

import click

from rltheory.cli.common import checked_input, console, output_option

LARGE_PROCESS = 100_000  # states times stages
SQIRL_EPISODES = 10, 30, 100, 300, 1000


@click.command(short_help="Analyse the effective horizon of a process of BRIDGE.")
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
@output_option
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

    with checked_input():
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
    with checked_input():
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
    console().print(table)
    click.echo(f"Page: {page}")
