"""``chatsim anomalies``: what each isolation level lets happen."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from chatsim.cli.common import one_sentence, server_options
from chatsim.conformance.anomalies import ANOMALIES, matrix
from chatsim.db.session import Isolation
from chatsim.experiments.creation.experiment import BadParameterError
from chatsim.worlds.mysql.settings import Servers

__all__ = ["anomalies"]


@click.command()
@click.option(
    "--world",
    type=click.Choice(["mysql", "model"]),
    default="mysql",
    show_default=True,
    help="Where it is tried: on a real server, or in the model.",
)
@click.option("--markdown", is_flag=True, help="Print a table for a document.")
@server_options
def anomalies(world: str, *, markdown: bool, **options: Any) -> None:
    """Try out what each isolation level prevents: Hermitage's anomalies, at MySQL's four levels.

    On a server that you name, the InnoDB counter purge_invoked (innodb_monitor_enable) is enabled meanwhile; it is put
    back at the end, also after an error or Ctrl-C. Which privileges that needs: see chatsim schedule --help.

    Exit status: 0; 2 when it could not be run.
    """
    servers = Servers(**options)
    with one_sentence():
        if world == "model" and servers != Servers():
            raise BadParameterError("which server to use is said for --world mysql; the model has none")
        version, found = _in_model() if world == "model" else _on_mysql(servers)
    if markdown:
        _print_markdown(found)
    else:
        _show(found, version)


def _in_model() -> tuple[str, dict[str, dict[str, bool]]]:
    from chatsim.conformance import model_player

    return "the model", matrix(model_player.play, model_player.play)


def _on_mysql(servers: Servers) -> tuple[str, dict[str, dict[str, bool]]]:
    from chatsim.conformance import model_player, mysql_player
    from chatsim.worlds.mysql.world import MySQLWorld

    with asyncio.Runner() as runner:
        world = runner.run(MySQLWorld(servers).__aenter__())
        try:
            found = matrix(lambda schedule: runner.run(mysql_player.play(world, schedule)), model_player.play)
        finally:
            runner.run(world.__aexit__())
    return f"MySQL {world.environment['server_version']}", found


def _show(found: dict[str, dict[str, bool]], version: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"What happens, by isolation level, on {version}", title_justify="left")
    for name in ("anomaly", "what it is", *(level.value for level in Isolation)):
        table.add_column(name)
    for anomaly in ANOMALIES:
        table.add_row(anomaly.name, anomaly.title, *(_word(here) for here in found[anomaly.name].values()))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _print_markdown(found: dict[str, dict[str, bool]]) -> None:
    levels = [level.value for level in Isolation]
    click.echo(f"| anomaly | what it is | {' | '.join(levels)} |")
    click.echo(f"|---|---|{'---|' * len(levels)}")
    for anomaly in ANOMALIES:
        words = " | ".join(_word(found[anomaly.name][level]) for level in levels)
        click.echo(f"| {anomaly.name} | {anomaly.title} | {words} |")


def _word(happens: bool) -> str:  # noqa: FBT001 - a cell of the matrix
    return "happens" if happens else "prevented"
