"""``chatsim anomalies``: which anomalies each isolation level prevents."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from chatsim.cli.common import one_sentence, quiet_option, server_options, shows_progress
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    from chatsim.conformance.anomaly_matrix import AnomalyMatrix

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
@quiet_option
@server_options
def anomalies(world: str, *, markdown: bool, quiet: bool, **options: Any) -> None:
    """Try out what each isolation level prevents: Hermitage's anomalies, at MySQL's four levels.

    On a server that you name, the InnoDB counter purge_invoked (innodb_monitor_enable) is enabled meanwhile; it is put
    back at the end, also after an error or Ctrl-C. Which privileges that needs: see chatsim schedule --help.

    Exit status: 0; 2 when it could not be run.
    """
    servers = Servers(**options)
    with one_sentence():
        if world == "model" and servers != Servers():
            raise BadParameterError("which server to use is said for --world mysql; the model has none")
        from chatsim.conformance.anomaly_matrix import anomalies as try_out

        there = servers if world == "mysql" else world
        found = asyncio.run(try_out(world=there, progress=shows_progress(quiet=quiet)))
    if markdown:
        click.echo(found.markdown())
    else:
        _show(found)


def _show(found: AnomalyMatrix) -> None:
    from chatsim.cli.tables import Column, print_fitting

    rows = found.rows()
    first, what, *levels = rows[0]
    columns = [Column(name, [row[name] for row in rows], wraps=True) for name in (first, *levels, what)]
    print_fitting(columns, title=f"What happens, by isolation level, on {found.server}")
