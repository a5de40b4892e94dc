"""The command line. Every command calls one function of the library."""

import click

from rltheory.cli.analysis import analyze
from rltheory.cli.catalogue import cite, list_, show
from rltheory.cli.demos import demo
from rltheory.cli.racing import race, regret
from rltheory.cli.studies import merge, status, sweep
from rltheory.cli.verdicts import falsify, report, verify

__all__ = ["main"]


class _InOrder(click.Group):
    """Commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


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


for command in (verify, falsify, report, list_, show, cite, race, regret, analyze, sweep, status, merge, demo):
    main.add_command(command)
