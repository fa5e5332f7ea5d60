"""``chatsim pages``: ways to read a list page by page, compared, in a table or as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from chatsim.chat.paging.strategy import WHATS
from chatsim.cli.common import INTERRUPTED, UNSAFE, one_sentence
from chatsim.cli.experiment import Where, folder, report_out, run, world_options
from chatsim.experiments.creation.experiment import BadParameterError
from chatsim.experiments.paging.experiment import DEPTHS, Pages
from chatsim.experiments.paging.walks import WRITERS

__all__ = ["pages"]


@click.command()
@click.option(
    "--what",
    type=click.Choice(WHATS),
    default="threads",
    show_default=True,
    help="A user's list of threads, or a thread's messages.",
)
@click.option("--strategies", default="all", show_default=True, help="Names, separated by commas.")
@click.option(
    "--existing",
    type=int,
    multiple=True,
    default=[10_000],
    show_default=True,
    help="How long the list is; may be given several times.",
)
@click.option("--page-size", default=100, show_default=True, help="Entries in a page.")
@click.option(
    "--depth",
    "depths",
    default="first,middle,last",
    show_default=True,
    help=f"Which pages are measured: {', '.join(DEPTHS)}.",
)
@click.option(
    "--writers",
    default="none,all",
    show_default=True,
    help=f"What others do while somebody reads: {', '.join(WRITERS)}.",
)
@click.option("--rounds", default=50, show_default=True, help="How often each page is read for its times.")
@click.option(
    "--explain",
    is_flag=True,
    help="Show how each page of the longest list was read, and what `by_activity` costs whoever writes.",
)
@click.option("--must-pass", default="", help="Names; exit status 1 unless all of these are safe.")
@world_options
def pages(out: Path | None, must_pass: str, *, explain: bool, as_json: bool, **options: Any) -> None:
    """Read long lists page by page, with each strategy: what a page costs, and whether anything is missed.

    Costs are those of one page of a list that nobody changes. Skipped, repeated and out of order are entries of a
    shorter list, read to its end while others change it between the pages. On a server that is not started for this
    run, the lists are kept for the next one; `chatsim mysql clean` drops them.

    Exit status: 0; 1 when a strategy of --must-pass is not safe; 2 when it could not be run; 130 after Ctrl-C.
    """
    from rich.console import Console

    with one_sentence():
        where = Where.of(options)
        parameters = Pages(**options)
        musts = {name.strip() for name in must_pass.split(",") if name.strip()}
        if missing := musts - {each.name for each in parameters.chosen}:
            raise BadParameterError(f"--must-pass names {', '.join(sorted(missing))}, which --strategies leaves out")
        report = parameters.report(where.name)
        folder(out)
    status, sentence = run(
        where, lambda world: parameters.run(world, report), seed=parameters.seed, clear=report.rows.clear
    )
    if status == INTERRUPTED and not report.rows:
        sentence = "Interrupted; nothing had finished."
    console = Console(width=None if sys.stdout.isatty() else 160)
    report_out(report, f"Reading {parameters.what} page by page", out=out, as_json=as_json, console=console)
    if explain:
        where_to = Console(stderr=as_json, width=console.width)
        for name, plan in report.notes.items():
            where_to.print(f"\n[bold]{name.replace('-', ': ', 1).replace('-', ', ')}[/bold]")
            where_to.print(plan, highlight=False, markup=False)
    if status:
        click.echo(sentence, err=True)
        sys.exit(status)
    failed = {str(row["strategy"]) for row in report.rows if row["strategy"] in musts and row["verdict"] != "safe"}
    if failed:
        click.echo(f"Not safe: {', '.join(sorted(failed))}", err=True)
        sys.exit(UNSAFE)
