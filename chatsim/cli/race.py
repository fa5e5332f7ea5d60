"""``chatsim race``: strategies compared, in a table or as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatsim.chat import schema as schemas
from chatsim.chat.creation import NOOP
from chatsim.chat.retry import POLICIES
from chatsim.cli.common import INTERRUPTED, UNSAFE, one_sentence
from chatsim.cli.experiment import Where, folder, number, run, world_options
from chatsim.db.deadlock import Deadlock
from chatsim.experiments.creation import workload
from chatsim.experiments.creation.experiment import LAYERS, BadParameterError, Race
from chatsim.experiments.result import Result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["race"]


@click.command()
@click.option(
    "--strategies", default="all", show_default=True, help="Names, separated by commas; see `chatsim strategies`."
)
@click.option(
    "--pattern",
    "patterns",
    type=click.Choice([*workload.PATTERNS]),
    multiple=True,
    default=["same_pair"],
    show_default=True,
    help="Who asks for which pair; may be given several times.",
)
@click.option(
    "--layer",
    type=click.Choice(LAYERS),
    default="store",
    show_default=True,
    help="Callers straight on the database; or clients, wire and chat servers before it.",
)
@click.option("--nodes", default=1, show_default=True, help="How many chat servers (layer stack).")
@click.option("--pool", type=int, help="Connections to the database for each node; else as many as clients, shared.")
@click.option("--rate", type=float, help="Requests per second in all, at random times; else each waits for the last.")
@click.option("--clients", default=16, show_default=True, help="How many callers, with connections of their own.")
@click.option("--rounds", default=100, show_default=True, help="How many requests each client makes.")
@click.option("--pairs", default=1, show_default=True, help="New pairs per round (not with strangers).")
@click.option("--existing", default=0, show_default=True, help="Rows in the tables before.")
@click.option(
    "--ids",
    type=click.Choice([*workload.IDS]),
    default="random",
    show_default=True,
    help="How the ids of the pairs asked for are distributed.",
)
@click.option(
    "--retry",
    type=click.Choice([*POLICIES]),
    default="retry",
    show_default=True,
    help="What a refused caller does: nothing; try 20 times after 1 to 20 ms; try on at once.",
)
@click.option("--schema", type=click.Choice(schemas.names()), default="seed", show_default=True, help="Which tables.")
@click.option("--must-pass", default="", help="Names; exit status 1 unless all of these are safe.")
@world_options
def race(out: Path | None, must_pass: str, *, as_json: bool, **options: Any) -> None:
    """Let many callers create private chats at once, with each strategy under each pattern.

    Exit status: 0; 1 when a strategy of --must-pass is not safe; 2 when it could not be run; 130 after Ctrl-C.
    """
    with one_sentence():
        where = Where.of(options)
        parameters = Race(**options)
        musts = _names(must_pass, parameters)
        result = Result(parameters.config(where.name))
        folder(out)
    status, sentence = run(
        where, lambda world: parameters.run(world, result), seed=parameters.seed, clear=result.variants.clear
    )
    if status == INTERRUPTED and not result.variants:
        sentence = "Interrupted; nothing had finished."
    if out is not None and result.variants:
        click.echo(f"saved in {result.save(out)}", err=True)
    if as_json:
        for row in result.rows():
            click.echo(json.dumps(row))
    elif result.variants or not status:
        _show(result)
    if status:
        click.echo(sentence, err=True)
        sys.exit(status)
    if failed := [
        f"{each.strategy} ({each.pattern})"
        for each in result.variants
        if each.strategy in musts and each.verdict.word != "safe"
    ]:
        click.echo(f"Not safe: {', '.join(failed)}", err=True)
        sys.exit(UNSAFE)


def _names(must_pass: str, parameters: Race) -> set[str]:
    musts = {name.strip() for name in must_pass.split(",") if name.strip()}
    if missing := musts - set(parameters.names):
        raise BadParameterError(f"--must-pass names {', '.join(sorted(missing))}, which --strategies leaves out")
    return musts


def _show(result: Result) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title="Creating private chats", caption=result.conditions(), title_justify="left")
    titles = ("strategy", "ok/s", "p50 ms", "p95 ms", "p99 ms", "retries/op", "deadlocks/op", "orphans", "verdict")
    for title in titles:
        table.add_column(
            title, justify="left" if title in ("strategy", "verdict") else "right", no_wrap=title != "verdict"
        )
    pattern = None
    for each, row in zip(result.variants, result.rows(), strict=True):
        if each.pattern != pattern:
            pattern = each.pattern
            table.add_section()
            table.add_row(f"[bold]{pattern}[/bold]")
        numbers = [row[name] for name in ("goodput_per_s", "p50_ms", "p95_ms", "p99_ms")]
        ratios = [row[name] for name in ("retries_per_op", "deadlocks_per_op")]
        table.add_row(
            each.strategy,
            *(number(value, 1 if index else 0) for index, value in enumerate(numbers)),
            *(number(value, 2) for value in ratios),
            number(each.orphans, 0),
            f"{each.verdict.word}"
            if each.verdict.word == "safe"
            else escape(f"{each.verdict.word}: {each.verdict.why}"),
        )
    console.print(table)
    _show_deadlocks(result, console)
    for each in result.variants:
        if each.verdict.anomalies and each.strategy != NOOP.name:
            console.print(f"\n[bold]Why {each.strategy} is unsafe, {each.pattern}[/bold]")
            console.print(each.verdict.anomalies[0].explain(), highlight=False, markup=False)


def _show_deadlocks(result: Result, console: Console) -> None:
    """One for each strategy that had any."""
    for name in dict.fromkeys(each.strategy for each in result.variants):
        of_it = [each for each in result.variants if each.strategy == name]
        if told := next((each for each in of_it if each.deadlock), None):
            assert told.deadlock is not None
            console.print(f"\n[bold]A deadlock of {name}, {told.pattern}[/bold]")
            console.print(told.deadlock.explain(), highlight=False, markup=False)
            console.print(_lock_table(told.deadlock))
        elif any(each.measures()["deadlocks_per_op"] for each in of_it):
            console.print(
                f"\n{name} had deadlocks, but the server shows none of them: its user needs the privilege PROCESS, "
                "and on a shared server the latest deadlock may be somebody else's."
            )


def _lock_table(deadlock: Deadlock) -> Table:
    from rich.markup import escape
    from rich.table import Table

    rows = deadlock.rows()
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    return table
