"""What the commands for experiments share: the world, the output, and the saved result."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatsim.cli.common import FAILED, INTERRUPTED, our_errors, server_options
from chatsim.experiments.creation.experiment import BadParameterError
from chatsim.experiments.report import Report
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import World

if TYPE_CHECKING:
    from rich.console import Console

    from chatsim.worlds.model.world import ModelWorld

__all__ = ["Where", "folder", "number", "report_out", "run", "show", "world_options"]

_WORLD_OPTIONS = (
    click.option("--json", "as_json", is_flag=True, help="One JSON object per row, a line each."),
    click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Save the result into this folder."),
    click.option("--seed", default=1, show_default=True, help="Of everything that is drawn."),
    click.option("--check-determinism", is_flag=True, help="Run twice in the model; fail where the runs differ."),
    click.option(
        "--costs", type=click.Path(dir_okay=False, path_type=Path), help="What things cost in the model: a TOML file."
    ),
    click.option(
        "--world",
        type=click.Choice(["mysql", "model"]),
        default="mysql",
        show_default=True,
        help="A real server, or the model of many machines in virtual time.",
    ),
)


def world_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every experiment: those that `Where.of` takes, and ``seed``, ``out``, ``as_json``."""
    command = server_options(command)
    for option in _WORLD_OPTIONS:
        command = option(command)
    return command


@dataclass(frozen=True)
class Where:
    """The world that an experiment runs in.

    Attributes:
        name: ``mysql`` or ``model``.
        servers: which servers, if it is a real one.
        model: how the model is set up, if it is that.
    """

    name: str
    servers: Servers
    model: Model

    @classmethod
    def of(cls, options: dict[str, Any]) -> Where:
        """Take its options out of a command's. Raises `BadParameterError` for those of the other world."""
        name = options.pop("world")
        model = Model(options.pop("costs"), options.pop("check_determinism"))
        servers = Servers(**{field: options.pop(field) for field in Servers.__dataclass_fields__ if field in options})
        if name == "mysql" and model != Model():
            raise BadParameterError("--costs and --check-determinism belong to the model: --world model")
        if name == "model" and servers != Servers():
            raise BadParameterError("which server to use is said for --world mysql; the model has none")
        return cls(name, servers, model)


def folder(out: Path | None) -> None:
    """Make the folder for a result before the run, so that none is lost to a wrong name."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadParameterError(f"--out {out} can't be made: {error.strerror}") from error


def run(
    where: Where, experiment: Callable[[World], Awaitable[None]], *, seed: int, clear: Callable[[], None]
) -> tuple[int, str]:
    """Run an experiment; returns the exit status, and the sentence that goes with one that is not 0.

    Args:
        where: the world.
        experiment: what is run in it; it keeps what it finds.
        seed: of the model's own chance.
        clear: forgets what was found: the run before, when determinism is checked.
    """
    from chatsim.worlds.mysql.world import MySQLWorld

    async def on_server() -> None:
        async with MySQLWorld(where.servers) as world:
            await experiment(world)

    async def in_model(world: ModelWorld) -> None:
        clear()
        await experiment(world)

    try:
        if where.name == "model":
            where.model.run(in_model, seed=seed)
        else:
            asyncio.run(on_server())
    except KeyboardInterrupt:
        return INTERRUPTED, "Interrupted; what had finished is above."
    except our_errors() as error:
        return FAILED, f"Error: {error}"
    return 0, ""


def show(report: Report, title: str, console: Console) -> None:
    """A report as a table, its conditions beneath."""
    from rich.table import Table

    table = Table(title=title, caption=report.conditions(), title_justify="left")
    for heading in report.shown.values():
        table.add_column(heading, overflow="fold")
    for row in report.rows:
        table.add_row(*(_cell(row[name]) for name in report.shown))
    console.print(table)


def report_out(report: Report, title: str, *, out: Path | None, as_json: bool, console: Console) -> None:
    """Keep a report in a folder, and print it, as a table or as a line of JSON per row."""
    if out is not None and report.rows:
        click.echo(f"saved in {report.save(out)}", err=True)
    if as_json:
        for row in report.rows:
            click.echo(json.dumps(row))
    elif report.rows:
        show(report, title, console)


def number(value: object, digits: int) -> str:
    """A number as it is shown; a dash for what is not known."""
    return f"{value:,.{digits}f}" if isinstance(value, int | float) else "–"


def _cell(value: object) -> str:
    from rich.markup import escape

    if isinstance(value, float) or value is None:
        return number(value, 2)
    return number(value, 0) if isinstance(value, int) and not isinstance(value, bool) else escape(str(value))
