"""``chatsim race``: strategies compared, in a table or as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chatsim.chat import schema as schemas
from chatsim.chat.creation import NOOP, STRATEGIES
from chatsim.chat.retry import POLICIES
from chatsim.cli.common import FAILED, INTERRUPTED, OUR_ERRORS, UNSAFE, one_sentence, server_options
from chatsim.lab import workload
from chatsim.lab.race import LAYERS, BadParameterError, Race
from chatsim.lab.result import Result
from chatsim.worlds.deadlock import Deadlock
from chatsim.worlds.model.world import Model, ModelWorld
from chatsim.worlds.mysql.world import MySQLWorld, Servers

__all__ = ["race", "strategies"]


@click.command()
@click.option(
    "--world",
    type=click.Choice(["mysql", "model"]),
    default="mysql",
    show_default=True,
    help="A real server, or the model of many machines in virtual time.",
)
@click.option(
    "--costs", type=click.Path(dir_okay=False, path_type=Path), help="What things cost in the model: a TOML file."
)
@click.option("--check-determinism", is_flag=True, help="Run twice in the model; fail where the runs differ.")
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
@click.option("--seed", default=1, show_default=True, help="Of everything that is drawn.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Save the result into this folder.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per strategy and pattern, a line each.")
@click.option("--must-pass", default="", help="Names; exit status 1 unless all of these are safe.")
@server_options
def race(
    world: str,
    costs: Path | None,
    out: Path | None,
    must_pass: str,
    *,
    as_json: bool,
    check_determinism: bool,
    **options: Any,
) -> None:
    """Let many callers create private chats at once, with each strategy under each pattern.

    Exit status: 0; 1 when a strategy of --must-pass is not safe; 2 when it could not be run; 130 after Ctrl-C.
    """
    servers = Servers(**{name: options.pop(name) for name in Servers.__dataclass_fields__ if name in options})
    model = Model(costs, check_determinism)
    with one_sentence():
        _agree(world, servers, model)
        parameters = Race(**options)
        musts = _names(must_pass, parameters)
        result = Result(parameters.config(world))
        if out is not None:
            _make(out)
    status, sentence = _run(parameters, servers if world == "mysql" else model, result)
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


def _make(out: Path) -> None:
    """Make the folder before the race, so that no result is lost to a wrong name."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadParameterError(f"--out {out} can't be made: {error.strerror}") from error


def _names(must_pass: str, parameters: Race) -> set[str]:
    musts = {name.strip() for name in must_pass.split(",") if name.strip()}
    if missing := musts - set(parameters.names):
        raise BadParameterError(f"--must-pass names {', '.join(sorted(missing))}, which --strategies leaves out")
    return musts


def _agree(world: str, servers: Servers, model: Model) -> None:
    """Raise `BadParameterError` for options of the world that it does not run in."""
    if world == "mysql" and model != Model():
        raise BadParameterError("--costs and --check-determinism belong to the model: --world model")
    if world == "model" and servers != Servers():
        raise BadParameterError("which server to use is said for --world mysql; the model has none")


def _run(parameters: Race, where: Servers | Model, result: Result) -> tuple[int, str]:
    """Run the race; returns the exit status, and the sentence that goes with one that is not 0."""

    async def on_server(servers: Servers) -> None:
        async with MySQLWorld(servers) as world:
            await parameters.run(world, result)

    async def in_model(world: ModelWorld) -> None:
        result.variants.clear()  # of the run before, when determinism is checked
        await parameters.run(world, result)

    try:
        if isinstance(where, Model):
            where.run(in_model, seed=parameters.seed)
        else:
            asyncio.run(on_server(where))
    except KeyboardInterrupt:
        finished = "what had finished is above" if result.variants else "nothing had finished"
        return INTERRUPTED, f"Interrupted; {finished}."
    except OUR_ERRORS as error:
        return FAILED, f"Error: {error}"
    return 0, ""


def _show(result: Result) -> None:
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
            *(_number(value, 1 if index else 0) for index, value in enumerate(numbers)),
            *(_number(value, 2) for value in ratios),
            _number(each.orphans, 0),
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
    rows = deadlock.rows()
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    return table


def _number(value: object, digits: int) -> str:
    return f"{value:,.{digits}f}" if isinstance(value, int | float) else "–"


@click.command()
def strategies() -> None:
    """List the creation strategies, each with its bet."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table("name", "isolation", "what it bets on; whether it leaves orphans")
    for strategy in (*STRATEGIES.values(), NOOP):
        table.add_row(strategy.name, strategy.isolation.value, strategy.bet)
    console.print(table)
